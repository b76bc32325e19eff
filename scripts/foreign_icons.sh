#!/bin/sh
# Fetches the icons of `simple-icons` (CC0-1.0) into .venv-foreign-icons: brands' logos for the benchmark of logo search,
# never committed, never shipped. The archive must have the digest below.
set -eu
cd "$(dirname "$0")/.."
version=16.37.0
digest=cd9faf0e6faa8a8fdd15e9632ab4c86fcae4b986fe552b87673149847f2f671d
folder=$PWD/.venv-foreign-icons
if [ "$(cat "$folder/digest" 2>/dev/null || true)" = "$digest" ]; then exit 0; fi
printf '%s\n' "fetching simple-icons $version" >&2
rm -rf "$folder"
mkdir -p "$folder"
npm pack --silent --pack-destination "$folder" "simple-icons@$version" >/dev/null
archive=$folder/simple-icons-$version.tgz
printf '%s  %s\n' "$digest" "$archive" | sha256sum --check --strict --quiet
tar -xzf "$archive" -C "$folder" --strip-components=1 package/LICENSE.md package/icons
rm "$archive"
printf '%s\n' "$digest" >"$folder/digest"
