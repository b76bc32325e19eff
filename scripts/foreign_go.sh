#!/bin/sh
# Builds the foreign programs of tests/interop/go (Tessera, omniwitness, torchwood; our own small clients on their
# libraries) into .venv-foreign-go, once for each state of their sources. Versions are pinned by go.mod and go.sum.
# The first time on a machine it downloads about 300 MB of modules and compiles for some minutes.
set -eu
cd "$(dirname "$0")/.."
PATH=$PATH:/usr/local/go/bin
bin=$PWD/.venv-foreign-go
wanted=$(go version; find tests/interop/go -type f | LC_ALL=C sort | xargs cksum)
wanted=$(printf '%s' "$wanted" | cksum)
if [ "$(cat "$bin/sources.cksum" 2>/dev/null || true)" = "$wanted" ]; then exit 0; fi
printf '%s\n' "building the foreign programs of tests/interop/go" >&2
mkdir -p "$bin"
rm -f "$bin/sources.cksum"
(cd tests/interop/go && go build -mod=readonly -o "$bin/check" .)
(cd tests/interop/go/tools && go build -mod=readonly -o "$bin/" tool ./...)
printf '%s\n' "$wanted" >"$bin/sources.cksum"
