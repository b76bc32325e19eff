"""Make src/chopmark/evidence/bundle/verify.html, the verifier of bundles that opens from disk, out of its modules.

    npm ci && python scripts/verify_html.py

For developers who change a module under static/chopmark/verify or a sentence that it shows; nobody else needs node.
The result is committed, and `tests/evidence/test_verify_html.py` makes it again and compares every byte. esbuild joins
the modules; style, wording and script stand in the one file, and its Content-Security-Policy names the digests of
style and script, allows nothing else, and so no connection. Trust is put in by `chopmark.evidence.bundle.verifier`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
from pathlib import Path

from chopmark.base.wording import catalogue

ROOT = Path(__file__).resolve().parent.parent
ESBUILD = ROOT / "node_modules" / ".bin" / "esbuild"
SOURCE = ROOT / "src" / "chopmark" / "web" / "static" / "chopmark" / "verify" / "offline"
TARGET = ROOT / "src" / "chopmark" / "evidence" / "bundle" / "verify.html"

# The rooms whose codes the verifier can show, as a finding or as a finding's cause.
WORDED = (
    "base.json_",
    "base.cbor_",
    "bundle.",
    "evidence.anchor_",
    "evidence.disclosure_",
    "evidence.receipt_",
    "evidence.record_",
    "ledger.",
    "verify.",
)


def page() -> bytes:
    """The whole file, with no trust in it."""
    style = joined("page.css")
    script = joined("main.js", "--format=iife", "--target=es2022", "--charset=utf8")
    policy = "; ".join(
        [
            "default-src 'none'",
            f"script-src {hash_source(script)}",
            f"style-src {hash_source(style)}",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )
    wording = {code: said for code, said in sorted(catalogue().items()) if code.startswith(WORDED)}
    parts = {"CSP": policy, "STYLE": style, "WORDING": in_script(wording), "SCRIPT": script}
    text = (SOURCE / "page.html").read_text("utf-8")
    for name, part in parts.items():
        before, _, after = text.partition(f"@{name}@")
        text = before + part + after
    return text.encode()


def joined(entry: str, *options: str) -> str:
    """What esbuild makes of a file and all that it imports."""
    made = subprocess.run(
        [ESBUILD, "--bundle", "--minify", "--legal-comments=inline", "--log-level=error", *options, SOURCE / entry],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    text = made.stdout.decode().strip()
    if "</script" in text.lower() or "<!--" in text or "</style" in text.lower():
        raise ValueError(f"{entry} would end its element too early")
    return text


def hash_source(text: str) -> str:
    """How a Content-Security-Policy names an inline element."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def in_script(value: object) -> str:
    """JSON that cannot end the element that it stands in."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def main() -> None:
    """Write the file anew."""
    if not ESBUILD.exists():
        sys.exit("node_modules is missing: run npm ci")
    TARGET.write_bytes(page())


if __name__ == "__main__":
    main()
