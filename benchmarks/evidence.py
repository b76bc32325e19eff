"""What evidence costs: bundles built and checked beside `sha256sum`, certificates, verify.html on a GiB, captures.

`measure()` makes bundles of real signatures and tokens in a temporary folder; verify.html and captures need Chromium
and are left out without it. Run: ./run bench evidence [--json]
"""

from __future__ import annotations

import json
import logging
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from hashlib import file_digest
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding
from playwright.sync_api import sync_playwright

from chopmark.evidence.bundle.bagit import bagit
from chopmark.evidence.bundle.build import Part, add_signature, build
from chopmark.evidence.bundle.check import check
from chopmark.evidence.bundle.verifier import page as page_with
from chopmark.evidence.certificate import deposit_certificate, deposit_facts
from chopmark.evidence.sealing import Seal, make_seal
from chopmark.evidence.trust import Root, Trust, Use
from chopmark.evidence.verify import Verdict

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from capture import captures_per_minute_and_core
from corpus import maker
from world.browser import CHROMIUM, FLAGS
from world.bundles import Tokens, manifest_of, parts_of
from world.tsa import AT, TsaWorld

MEGABYTE = 1_000_000
SHAPES = {"one file of 512 MiB": (1, 512 << 20), "2,000 files of 64 KiB": (2000, 64 << 10)}
ROUNDS = 3
CERTIFICATES = 50
LARGE = 1 << 30
PEER = "sha256sum of the bundle"


def measure() -> list[dict[str, object]]:
    """Megabytes of the bundle per CPU-second, the best of three rounds, each beside `sha256sum`."""
    lines = []
    for shape, (count, size) in SHAPES.items():
        with tempfile.TemporaryDirectory() as folder:
            lines += _measured(Path(folder), shape, count, size)
    with tempfile.TemporaryDirectory() as folder:
        lines.append(_certificates(Path(folder)))
    if CHROMIUM is not None:
        with tempfile.TemporaryDirectory() as folder:
            lines.append(_in_a_browser(Path(folder), CHROMIUM))
        lines += captures_per_minute_and_core()
    return lines


def _sealing(folder: Path) -> tuple[Seal, Trust]:
    """A platform's seal, and the trust under which what it signs passes."""
    (folder / "home").mkdir()
    made_at = AT - timedelta(days=1)
    seal = Seal.load(make_seal(folder / "home", "platform", made_at), [Tokens()], lambda: AT)
    roots = (
        Root(name="platform", use=Use.SEAL, own=True, certificate=seal.card().root),
        Root(name="own", use=Use.TSA, own=True, certificate=TsaWorld().root.public_bytes(Encoding.DER)),
    )
    return seal, Trust(policies=(), roots=roots)


def _certificates(folder: Path) -> dict[str, object]:
    """Certificates of a deposit a second, without and (the value) with a PDF signature up to B-LTA."""
    seal, _ = _sealing(folder)
    known = deposit_facts(
        maker.register(maker.by_agent(), cosigned=maker.by_members("hangzhou", "beijing", "notary")),
        policy=maker.POLICIES["five-members"],
        number="D-2026-000123",
        operator="Chopmark",
        verify_at="https://chopmark.example/verify",
        authorities=(),
        at=maker.AT + timedelta(days=1),
    )
    deposit_certificate(known)  # loads the fonts
    printed = _own(lambda: [deposit_certificate(known) for _ in range(CERTIFICATES)]) / CERTIFICATES
    signed = _own(lambda: [seal.sign_pdf(deposit_certificate(known)) for _ in range(CERTIFICATES)]) / CERTIFICATES
    return {
        "name": "certificates printed and signed",
        "value": round(1 / signed, 1),
        "unit": "1/CPU-s",
        "peer": "the same, not signed",
        "peer_value": round(1 / printed, 1),
        "ratio": round(printed / signed, 2),
    }


def _in_a_browser(folder: Path, chromium: str) -> dict[str, object]:
    """Megabytes of a bundle of a GiB that verify.html checks a second on the clock, opened from disk."""
    seal, trust = _sealing(folder)
    parts = [*parts_of(), _file(folder / "00000", 0, LARGE)]
    target, verifier = folder / "large.asice", folder / "verify.html"
    with target.open("w+b") as out:
        build(out, manifest_of(parts), parts, seal=seal, stampers=[Tokens()])
    verifier.write_bytes(page_with(trust))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        page = browser.new_page(offline=True)
        page.clock.set_fixed_time(AT + timedelta(hours=1))
        page.goto(verifier.as_uri())
        page.wait_for_selector("html[data-ready]")
        start = time.perf_counter()
        page.set_input_files("[data-choose]", [str(target)])
        page.wait_for_selector("html[data-verdict]", timeout=600_000)
        took = time.perf_counter() - start
        claims = {each["claim"]: each["verdict"] for each in page.evaluate("window.chopmarkReport")["claims"]}
        browser.close()
    if claims["files"] != Verdict.PASSED:
        raise ValueError(claims)
    start = time.perf_counter()
    subprocess.run(["sha256sum", str(target)], check=True, stdout=subprocess.DEVNULL)
    peer = target.stat().st_size / MEGABYTE / (time.perf_counter() - start)
    rate = target.stat().st_size / MEGABYTE / took
    return {
        "name": "bundle of 1 GiB checked by verify.html",
        "value": round(rate, 1),
        "unit": "MB/s",
        "peer": PEER,
        "peer_value": round(peer, 1),
        "ratio": round(rate / peer, 2),
    }


def _measured(folder: Path, shape: str, count: int, size: int) -> list[dict[str, object]]:
    stampers = [Tokens(), Tokens("second", own=False)]
    seal, trust = _sealing(folder)
    parts = [*parts_of(), *(_file(folder / f"{number:05}", number, size) for number in range(count))]
    manifest = manifest_of(parts)
    target, other = folder / "bundle", folder / "other"

    def building() -> None:
        with target.open("w+b") as out:
            build(out, manifest, parts, seal=seal, stampers=stampers)

    def checking() -> None:
        with target.open("rb") as file:
            report = check(file, trust, AT + timedelta(hours=1))
        wrong = [each for each in report.claims if each.verdict is not Verdict.PASSED and each.name != "custody"]
        if wrong:
            raise ValueError(wrong)

    def joining() -> None:
        with target.open("rb") as file, other.open("w+b") as out:
            add_signature(file, out, seal, stampers)

    def bagging() -> None:
        with target.open("rb") as file, other.open("wb") as out:
            bagit(file, out)

    building()
    total = target.stat().st_size
    steps = {"built": building, "checked": checking, "joined by a notary": joining, "written as a bag": bagging}
    peer = total / MEGABYTE / min(_children(["sha256sum", str(target)]) for _ in range(ROUNDS))
    rates = {name: total / MEGABYTE / min(_own(step) for _ in range(ROUNDS)) for name, step in steps.items()}
    # sha256sum of some systems does not use the processor's instructions for SHA-256; openssl shows what they give.
    dgst = ["openssl", "dgst", "-sha256", str(target)]
    rates["hashed by openssl alone"] = total / MEGABYTE / min(_children(dgst) for _ in range(ROUNDS))
    lines: list[dict[str, object]] = []
    for name, rate in rates.items():
        lines.append(
            {
                "name": f"bundle {name} ({shape})",
                "value": round(rate, 1),
                "unit": "MB/CPU-s",
                "peer": PEER,
                "peer_value": round(peer, 1),
                "ratio": round(rate / peer, 2),
            }
        )
    return lines


def _file(path: Path, number: int, size: int) -> Part:
    """A file of random bytes, as a photograph or a film is to a hash."""
    with path.open("wb") as out:
        for start in range(0, size, 1 << 20):
            out.write(os.urandom(min(1 << 20, size - start)))
    with path.open("rb") as file:
        digest = file_digest(file, "sha256").digest()
    like = Part.of(f"evidence/003-many/{number:05}.bin", "application/octet-stream", b"")
    return replace(like, size=size, sha256=digest, open=lambda: path.open("rb"))


def _own(step: Callable[[], None]) -> float:
    """Seconds of CPU that a step takes, those of the kernel included."""
    start = time.process_time()
    step()
    return time.process_time() - start


def _children(command: list[str]) -> float:
    """The same for another program."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Print a table, or one JSON object a line."""
    logging.getLogger("pyhanko").setLevel(logging.ERROR)  # one line a signature
    for line in measure():
        if "--json" in sys.argv[1:]:
            print(json.dumps(line))
        else:
            print("{name:55} {value:>9} {unit}   {ratio} x {peer} ({peer_value})".format(**line))


if __name__ == "__main__":
    main()
