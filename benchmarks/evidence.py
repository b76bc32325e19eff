"""Bytes of bundles built and checked per second of CPU, beside `sha256sum` of the same bytes in the same run.

`measure()` makes bundles of real signatures and tokens in a temporary folder. Run: ./run bench evidence [--json]
"""

from __future__ import annotations

import json
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

from chopmark.evidence.bundle.bagit import bagit
from chopmark.evidence.bundle.build import Part, add_signature, build
from chopmark.evidence.bundle.check import check
from chopmark.evidence.sealing import Seal, make_seal
from chopmark.evidence.trust import Root, Trust, Use
from chopmark.evidence.verify import Verdict

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from world.bundles import Tokens, manifest_of, parts_of
from world.tsa import AT, TsaWorld

MEGABYTE = 1_000_000
SHAPES = {"one file of 512 MiB": (1, 512 << 20), "2,000 files of 64 KiB": (2000, 64 << 10)}
ROUNDS = 3
PEER = "sha256sum of the bundle"


def measure() -> list[dict[str, object]]:
    """Megabytes of the bundle per CPU-second, the best of three rounds, each beside `sha256sum`."""
    lines = []
    for shape, (count, size) in SHAPES.items():
        with tempfile.TemporaryDirectory() as folder:
            lines += _measured(Path(folder), shape, count, size)
    return lines


def _measured(folder: Path, shape: str, count: int, size: int) -> list[dict[str, object]]:
    stampers = [Tokens(), Tokens("second", own=False)]
    (folder / "home").mkdir()
    made_at = AT - timedelta(days=1)
    seal = Seal.load(make_seal(folder / "home", "platform", made_at), [Tokens()], lambda: AT)
    parts = [*parts_of(), *(_file(folder / f"{number:05}", number, size) for number in range(count))]
    manifest = manifest_of(parts)
    target, other = folder / "bundle", folder / "other"
    trust = Trust(
        policies=(),
        roots=(
            Root(name="platform", use=Use.SEAL, own=True, certificate=seal.card().root),
            Root(name="own", use=Use.TSA, own=True, certificate=TsaWorld().root.public_bytes(Encoding.DER)),
        ),
    )

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
    for line in measure():
        if "--json" in sys.argv[1:]:
            print(json.dumps(line))
        else:
            print("{name:55} {value:>9} {unit}   {ratio} x {peer} ({peer_value})".format(**line))


if __name__ == "__main__":
    main()
