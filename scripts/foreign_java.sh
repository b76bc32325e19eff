#!/bin/sh
# Fetches the judges of tests/interop/java (EU DSS, veraPDF, Bouncy Castle) and compiles our small programs on them into
# .venv-foreign-java, once for each state of their sources. Maven fetches what pom.xml names; every archive must have the
# digest in jars.sha256. The first time on a machine it downloads about 70 MB. `--pin` writes jars.sha256 anew.
set -eu
cd "$(dirname "$0")/.."
bin=$PWD/.venv-foreign-java sources=tests/interop/java
wanted=$(javac -version 2>&1; find $sources -type f | LC_ALL=C sort | xargs cksum)
wanted=$(printf '%s' "$wanted" | cksum)
if [ "${1:-}" != --pin ] && [ "$(cat "$bin/sources.cksum" 2>/dev/null || true)" = "$wanted" ]; then exit 0; fi
printf '%s\n' "building the judges of tests/interop/java" >&2
rm -rf "$bin"
mkdir -p "$bin/lib" "$bin/classes"
mvn --batch-mode --quiet --file $sources/pom.xml org.apache.maven.plugins:maven-dependency-plugin:3.9.0:copy-dependencies \
  -DoutputDirectory="$bin/lib" -DincludeScope=runtime
if [ "${1:-}" = --pin ]; then (cd "$bin/lib" && LC_ALL=C sha256sum -- *.jar) >$sources/jars.sha256; exit 0; fi
(cd "$bin/lib" && sha256sum --check --strict --quiet) <$sources/jars.sha256
[ "$(find "$bin/lib" -type f | wc -l)" = "$(wc -l <$sources/jars.sha256)" ]
javac -d "$bin/classes" -cp "$bin/lib/*" $sources/src/*.java
printf '%s\n' "$wanted" >"$bin/sources.cksum"
