"""A worker's tools in one test: a real seal, a real time-stamp authority, and a capture tool that writes two files."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from chopmark.evidence import wiring
from chopmark.evidence.actions.work import Captured, CaptureJob, MadeFile, Tools
from chopmark.evidence.sealing import Seal, make_seal
from chopmark.ledger.timestamp import accept, request
from chopmark.ledger.tsa import answer
from chopmark.site.jobs import PlatformSeal, trust_files
from world.tsa import TsaWorld

RESULT = {
    "final_url": "https://shop.test/lantern",
    "started": "2026-11-22T09:30:00Z",
    "ended": "2026-11-22T09:30:09Z",
    "engine": "chromium 156",
    "engine_sha256": "ab" * 32,
    "vantages": ["local"],
    "cleanliness": "pass",
}


@dataclass
class TestStamper:
    """The authority of a test as the bundle asks it."""

    __test__ = False

    tsa: TsaWorld
    name: str = "time.test"
    own: bool = False

    def token(self, sha256: bytes) -> bytes:
        """A token over this digest."""
        asked = request(sha256, nonce=7)
        return accept(answer(asked.encode(), self.tsa.signer), asked)


@dataclass
class TestCapture:
    """Writes an archive and a picture, or does what the test wants instead."""

    __test__ = False

    jobs: list[CaptureJob] = field(default_factory=list)
    instead: Callable[[CaptureJob], Captured] | None = None
    left: Callable[[CaptureJob], Captured] | None = None

    def __call__(self, job: CaptureJob) -> Captured:
        """One capture."""
        self.jobs.append(job)
        if self.instead is not None:
            return self.instead(job)
        return captured(job)

    def salvage(self, job: CaptureJob) -> Captured | None:
        """What the test wants to be left."""
        return None if self.left is None else self.left(job)


def captured(job: CaptureJob, *, complete: bool = True, trouble: str = "") -> Captured:
    """What a capture leaves: the archive, a picture made of it, a token over the archive."""
    archive, picture, token = job.out / "page.wacz", job.out / "screenshot.png", job.out / "page.wacz.tsr"
    archive.write_bytes(b"archive of " + job.url.encode())
    picture.write_bytes(b"picture of " + job.url.encode())
    token.write_bytes(job.stamp(hashlib.sha256(archive.read_bytes()).digest()))
    job.deposit([archive, picture])
    return Captured(
        files=(
            MadeFile(path=archive, media_type="application/wacz", role="primary"),
            MadeFile(path=picture, media_type="image/png", derived_from="page.wacz"),
            MadeFile(path=token, media_type="application/timestamp-reply", role="token", over="page.wacz"),
        ),
        result=RESULT,
        complete=complete,
        trouble=trouble,
    )


def tools(home: Path, tsa: TsaWorld, capture: TestCapture | None = None, *, name: str = "worker-1") -> Tools:
    """What a worker of this home works with."""
    trusted = home / "tsa" / "trusted"
    trusted.mkdir(parents=True, exist_ok=True)
    for each, root in {"time.test": tsa.root}.items():
        (trusted / f"{each}.pem").write_bytes(root.public_bytes(Encoding.PEM))
    stamper = TestStamper(tsa=tsa)
    seal = Seal.load(make_seal(home, "Chopmark of the test", tsa.at), [stamper], now=lambda: tsa.at)
    return Tools(
        name=name,
        seal=PlatformSeal(seal=seal),
        stampers=(stamper,),
        verifier=b"<!doctype html><title>verify</title>",
        trust=trust_files(home, wiring.own_trust()),
        capture=capture,
    )
