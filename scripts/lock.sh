#!/bin/sh
# Makes the hash-pinned lock files anew from pyproject.toml. They name no index host.
set -eu
cd "$(dirname "$0")/.."
compile() { uv pip compile --quiet --generate-hashes --no-header --no-annotate --python-version 3.11 --extra site --extra evidence --extra member --extra rights --extra media --extra watch --group build "$@" pyproject.toml; }
compile --output-file requirements.lock
compile --extra pkcs11 --extra anchors --extra cluster --extra brokers --group dev --output-file requirements-dev.lock
