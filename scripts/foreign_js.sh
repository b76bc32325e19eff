#!/bin/sh
# Fetches ReplayWeb.page, which replays a capture in a test, into .venv-foreign-js, once for each state of this script.
# It is under the AGPL: a tool of the tests alone, never committed, never shipped. Its two scripts are complete in
# themselves, so that none of the packages it names is installed. The archive must have the digest below.
set -eu
cd "$(dirname "$0")/.."
version=2.4.6
digest=6faef5c261e94b6e83cd6ee975bd0378fd4bc948bb14d36d45c709ffecb261b8
folder=$PWD/.venv-foreign-js
if [ "$(cat "$folder/digest" 2>/dev/null || true)" = "$digest" ]; then exit 0; fi
printf '%s\n' "fetching ReplayWeb.page $version" >&2
rm -rf "$folder"
mkdir -p "$folder"
npm pack --silent --pack-destination "$folder" "replaywebpage@$version" >/dev/null
archive=$folder/replaywebpage-$version.tgz
printf '%s  %s\n' "$digest" "$archive" | sha256sum --check --strict --quiet
tar -xzf "$archive" -C "$folder" --strip-components=1 package/LICENSE package/ui.js package/sw.js
rm "$archive"
printf '%s\n' "$digest" >"$folder/digest"
