#!/bin/sh
# Puts the foreign implementations of requirements-foreign.lock into .venv-foreign, once for each state of the lock.
# They stay out of .venv: tests and benchmarks add the directory to the path of the processes that compare with them.
set -eu
cd "$(dirname "$0")/.."
wanted=$(sha256sum requirements-foreign.lock | cut -d' ' -f1)
if [ "$(cat .venv-foreign/lock.sha256 2>/dev/null || true)" = "$wanted" ]; then exit 0; fi
python=${PYTHON:-.venv/bin/python}
"$python" -m pip --version >/dev/null 2>&1 || python=python3
rm -rf .venv-foreign
"$python" -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --no-deps --require-hashes \
  --ignore-requires-python --only-binary :all: --target .venv-foreign --requirement requirements-foreign.lock
echo "$wanted" >.venv-foreign/lock.sha256
