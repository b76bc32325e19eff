"""Copy what the pages need from node_modules into src/chopmark/web/static/vendor, with a manifest.

    npm ci && python scripts/vendor.py

For developers who change a version in package.json; nobody else needs node. The results are committed and
`tests/web/test_vendor.py` re-checks their hashes. Source map comments are dropped: the maps are not served.
The noble libraries (Ed25519 with its SHA-512, ML-DSA-44) are bundled into one module by esbuild, a development
tool that is not shipped.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MODULES = ROOT / "node_modules"
VENDOR = ROOT / "src" / "chopmark" / "web" / "static" / "vendor"
TESTS = ROOT / "tests" / "vendor"
SOURCE_MAP = re.compile(rb"\n?(//# sourceMappingURL=[^\n]*|/\*# sourceMappingURL=[^*]*\*/)\n?")

# Package, its file, where it goes (under VENDOR or, for what only tests use, TESTS).
COPIED = [
    ("@tabler/core", "dist/css/tabler.min.css", VENDOR / "tabler" / "tabler.min.css"),
    ("hash-wasm", "dist/sha256.umd.min.js", VENDOR / "hash-wasm" / "sha256.umd.min.js"),
    ("hash-wasm", "dist/sm3.umd.min.js", VENDOR / "hash-wasm" / "sm3.umd.min.js"),
    ("tus-js-client", "dist/tus.min.js", VENDOR / "tus-js-client" / "tus.min.js"),
    ("swagger-ui-dist", "swagger-ui.css", VENDOR / "swagger-ui" / "swagger-ui.css"),
    ("swagger-ui-dist", "swagger-ui-bundle.js", VENDOR / "swagger-ui" / "swagger-ui-bundle.js"),
    ("axe-core", "axe.min.js", TESTS / "axe.min.js"),
]
# Package, what is exported from it, where the one module goes, further packages inside.
BUNDLED = [
    (
        "@noble/post-quantum",
        """import * as ed from "@noble/ed25519";
        import { sha512 } from "@noble/hashes/sha2.js";
        import { ml_dsa44 } from "@noble/post-quantum/ml-dsa.js";
        ed.hashes.sha512 = sha512;
        export { ed, ml_dsa44 };""",
        VENDOR / "noble" / "noble.js",
        ("@noble/ed25519", "@noble/hashes", "@noble/curves"),
    ),
]
LICENCE_NAMES = ("LICENSE", "LICENSE.md", "LICENSE.txt")
# Tabler's package has only the copyright line in its files' heads ("Licensed under MIT").
LICENCES_NOT_IN_THE_PACKAGE = {
    "@tabler/core": """The MIT License (MIT)

Copyright 2018-2026 The Tabler Authors
Copyright 2018-2026 codecalm.net Paweł Kuna

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including without limitation the
rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit
persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
""",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendored:
    """One line of the manifest."""

    file: str
    name: str
    version: str
    licence: str
    licence_file: str
    sha256: str
    contains: tuple[str, ...] = ()


def about(package: str) -> dict[str, str]:
    """The package's own description."""
    return json.loads((MODULES / package / "package.json").read_text("utf-8"))


def keep_licence(package: str, folder: Path) -> Path:
    """The package's licence beside its files."""
    target = folder / f"LICENSE.{package.removeprefix('@').replace('/', '-')}"
    inside = [path for name in LICENCE_NAMES if (path := MODULES / package / name).is_file()]
    target.write_text(inside[0].read_text("utf-8") if inside else LICENCES_NOT_IN_THE_PACKAGE[package], "utf-8")
    return target


def vendored(package: str, target: Path, contains: tuple[str, ...] = ()) -> Vendored:
    """The manifest's line for a file that is in place."""
    base = TESTS if target.is_relative_to(TESTS) else VENDOR
    licence = keep_licence(package, target.parent)
    for inner in contains:
        keep_licence(inner, target.parent)
    described = about(package)
    return Vendored(
        file=str(target.relative_to(base)),
        name=package,
        version=described["version"],
        licence=described["license"],
        licence_file=str(licence.relative_to(base)),
        sha256=hashlib.sha256(target.read_bytes()).hexdigest(),
        contains=tuple(f"{inner} {about(inner)['version']}" for inner in contains),
    )


def copy(package: str, source: str, target: Path) -> Vendored:
    """Copy one file without its source map comment."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(SOURCE_MAP.sub(b"\n", (MODULES / package / source).read_bytes()))
    return vendored(package, target)


def bundle(package: str, entry: str, target: Path, contains: tuple[str, ...]) -> Vendored:
    """Make one ES module from several."""
    target.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        [
            MODULES / ".bin" / "esbuild",
            "--bundle",
            "--format=esm",
            "--minify",
            "--target=es2022",
            "--legal-comments=inline",
            f"--outfile={target}",
        ],
        input=entry.encode(),
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    return vendored(package, target, contains)


def main() -> None:
    """Make both folders anew."""
    if not MODULES.is_dir():
        sys.exit("node_modules is missing: run npm ci")
    for folder in (VENDOR, TESTS):
        shutil.rmtree(folder, ignore_errors=True)
    lines = [copy(*each) for each in COPIED] + [bundle(*each) for each in BUNDLED]
    for folder, where in ((VENDOR, "vendor"), (TESTS, "tests")):
        inside = [
            asdict(line)
            for line, (*_, target) in zip(lines, [*COPIED, *[each[:3] for each in BUNDLED]], strict=True)
            if target.is_relative_to(folder)
        ]
        text = json.dumps(inside, indent=2, sort_keys=True)
        (folder / "manifest.json").write_text(text + "\n", "utf-8")
        print(f"{where}: {len(inside)} files, {sum(path.stat().st_size for path in folder.rglob('*.*')):,} bytes")


if __name__ == "__main__":
    main()
