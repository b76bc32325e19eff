"""Makes the known-answer exchanges with a witness and a mirror in tests/vectors/{witness,mirror}/.

    python scripts/make_member_vectors.py [FOLDER]

Everything is computed from fixed seeds and a fixed time. Only Ed25519 signs here, so that the files come out the same
each time; what an ML-DSA-44 key would sign stands beside it as a message. The READMEs there explain the files.
"""

from __future__ import annotations

import base64
import io
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from chopmark.ledger.checkpoint import Checkpoint, sign_checkpoint, subtree_message
from chopmark.ledger.keys import ED25519, ED25519_COSIGNATURE, MLDSA44_COSIGNATURE, SigningKey
from chopmark.ledger.mirror import Mirror, MirrorInfo, packages, upload_header
from chopmark.ledger.note import Note, NoteSignature
from chopmark.ledger.stores.memory import MemoryObjects
from chopmark.ledger.tiles import Edge, TileReader, integrate
from chopmark.ledger.tree import subtree_proof, subtree_root
from chopmark.ledger.wire import MIRROR_INFO, Answer
from chopmark.ledger.witness import AddCheckpoint, SignSubtree, WatchedLog, Witness

VECTORS = Path(__file__).resolve().parents[1] / "tests" / "vectors"
AT = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
ORIGIN = "log.example/vectors"
LOG = SigningKey(name=ORIGIN, type=ED25519, seed=bytes(range(32)))
STRANGER = SigningKey(name=ORIGIN, type=ED25519, seed=bytes(range(1, 33)))
WITNESS = SigningKey(name="member.example/witness", type=ED25519_COSIGNATURE, seed=bytes(range(64, 96)))
WITNESS_PQ = SigningKey(name="member.example/witness", type=MLDSA44_COSIGNATURE, seed=bytes(range(96, 128)))
MIRROR = SigningKey(name="member.example/mirror", type=ED25519_COSIGNATURE, seed=bytes(range(128, 160)))
MIRROR_PQ = SigningKey(name="member.example/mirror", type=MLDSA44_COSIGNATURE, seed=bytes(range(160, 192)))
SIZE = 1000

Case = dict[str, object]
Send = Callable[[bytes], Answer]


class History:
    """The log of these files: entry i is i in decimal, as often as i modulo 7 says."""

    def __init__(self, prefix: str = "", size: int = SIZE) -> None:
        entries = [(prefix + str(index)).encode() * (index % 7) for index in range(size)]
        _, self._files = integrate(Edge(), entries)
        self.tiles = TileReader(self._files.__getitem__, size)

    def checkpoint(self, size: int) -> Checkpoint:
        """Unsigned."""
        return Checkpoint(origin=ORIGIN, size=size, root=self.tiles.root(size))

    def request(self, old: int, size: int, *, claim: int | None = None, key: SigningKey = LOG) -> bytes:
        """`add-checkpoint` with a true proof from `old`, claiming that `claim` was cosigned last."""
        proof = self.tiles.consistency_proof(old, size)
        note = sign_checkpoint(self.checkpoint(size), [key], AT)
        return AddCheckpoint(old=old if claim is None else claim, proof=tuple(proof), note=note).encode()

    def upload(self, start: int, end: int, most: int = 32) -> bytes:
        """`add-entries` without a ticket."""
        return upload_header(ORIGIN, start, end) + b"".join(packages(self.tiles, start, end, most))


def main(folder: Path) -> None:
    """Write every file."""
    _write(folder / "witness" / "add_checkpoint.json", list(add_checkpoint_cases()))
    _write(folder / "witness" / "sign_subtree.json", list(sign_subtree_cases()))
    _write(folder / "mirror" / "bodies.json", list(body_cases()))
    _write(folder / "mirror" / "exchange.json", list(exchange_cases()))


def add_checkpoint_cases() -> Iterator[Case]:
    """One after the other to one witness."""
    log, fork = History(), History("fork ")
    witness, _ = _member()
    for desc, body in [
        ("not a request", b"hello"),
        ("a leading zero", b"old 00\n\n" + log.request(0, 5).partition(b"\n\n")[2]),
        ("an unknown log", log.request(0, 5).replace(b"vectors", b"unknown")),
        ("signed by another key of this name", log.request(0, 5, key=STRANGER)),
        ("a proof from size 0", b"old 0\n" + b"A" * 43 + b"=\n\n" + log.request(0, 5).partition(b"\n\n")[2]),
        ("the first checkpoint", log.request(0, 5)),
        ("the same again, as if nothing had been cosigned", log.request(0, 5)),
        ("the same again", log.request(5, 5)),
        ("another root at the same size", fork.request(5, 5)),
        ("a larger one", log.request(5, 256)),
        ("a larger one with the proof of another size", log.request(5, 700, claim=256)),
        ("an old size above the new one", log.request(5, 200, claim=256)),
        ("an old size that is not the last", log.request(5, 700)),
        ("one of another history", fork.request(256, 700)),
        ("a much larger one", log.request(256, SIZE)),
    ]:
        yield _case(desc, body, witness.add_checkpoint, WITNESS_PQ)


def sign_subtree_cases() -> Iterator[Case]:
    """To a witness that has cosigned; answers are hedged ML-DSA-44 signatures, so their message stands here."""
    log = History()
    witness, _ = _member()
    witness.add_checkpoint(log.request(0, SIZE))
    note = witness.checkpoint(ORIGIN) or b""
    for desc, start, end in [
        ("the whole", 0, SIZE),
        ("one leaf", 7, 8),
        ("a whole subtree", 256, 512),
        ("the right edge", 992, SIZE),
        ("a ragged one", 8, 13),
    ]:
        root = subtree_root(start, end, log.tiles.nodes)
        proof = tuple(subtree_proof(start, end, SIZE, log.tiles.nodes))
        body = SignSubtree(start=start, end=end, root=root, proof=proof, note=note).encode()
        message = subtree_message(cosigner=WITNESS_PQ.name, origin=ORIGIN, start=start, end=end, root=root, seconds=0)
        signed = NoteSignature(name=WITNESS_PQ.name, key_id=WITNESS_PQ.verifier.key_id, value=b"\0")
        yield {
            "desc": desc,
            "request": base64.b64encode(body).decode(),
            "status": 200,
            "vkey": str(WITNESS_PQ.verifier),
            "key_id": signed.key_id.hex(),
            "message": message.hex(),
        }


def body_cases() -> Iterator[Case]:
    """What `add-entries` bodies look like; the log's entries are known, so size and digest say it all."""
    log = History()
    for start, end, most in [
        (0, 0, 32), (0, 1, 32), (0, 5, 32), (0, 255, 32), (0, 256, 32), (0, 257, 32), (255, 257, 32), (256, 512, 32),
        (300, 301, 32), (77, 800, 32), (0, SIZE, 32), (0, SIZE, 2), (512, 512, 32), (999, SIZE, 32),
    ]:  # fmt: skip
        body = log.upload(start, end, most)
        yield {
            "desc": f"from {start} to {end}, {most} packages at most",
            "start": start,
            "end": end,
            "most": most,
            "size": len(body),
            "sha256": sha256(body).hexdigest(),
            "body": base64.b64encode(body).decode() if len(body) <= 2000 else None,
        }


def exchange_cases() -> Iterator[Case]:
    """One after the other to one mirror; `call` says to which address."""
    log, fork = History(), History("fork ")
    witness, mirror = _member()
    whole = log.upload(0, 700)
    spoilt = whole[:-1] + bytes([whole[-1] ^ 1])
    for desc, call, body in [
        ("entries before any checkpoint", "add-entries", log.upload(0, 700)),
        ("a checkpoint", "add-checkpoint", log.request(0, 700)),
        ("an unknown log", "add-entries", upload_header("log.example/unknown", 0, 700)),
        ("an end that was never shown", "add-entries", log.upload(0, 699)),
        ("a start behind the next entry", "add-entries", log.upload(1, 700)),
        ("a start behind the end", "add-entries", upload_header(ORIGIN, 701, 700)),
        ("no package", "add-entries", log.upload(0, 700, most=0)),
        ("entries of another history", "add-entries", fork.upload(0, 700)),
        ("half of the first package", "add-entries", whole[:400]),
        ("the first package", "add-entries", log.upload(0, 700, most=1)),
        ("the last hash is altered, the packages before it are kept", "add-entries", spoilt),
        ("the rest", "add-entries", log.upload(512, 700)),
        ("nothing more", "add-entries", log.upload(700, 700)),
        ("a larger checkpoint", "add-checkpoint", log.request(700, SIZE)),
        ("its entries, with some that are held", "add-entries", log.upload(600, SIZE)),
        ("the size before", "add-entries", log.upload(600, 700)),
    ]:
        send = witness.add_checkpoint if call == "add-checkpoint" else _sends(mirror)
        yield {"call": call, **_case(desc, body, send, WITNESS_PQ if call == "add-checkpoint" else MIRROR_PQ)}


def _sends(mirror: Mirror) -> Send:
    return lambda body: mirror.add_entries(io.BytesIO(body))


def _member() -> tuple[Witness, Mirror]:
    state, copy = MemoryObjects(replaceable=("pending",)), MemoryObjects()
    logs: Sequence[WatchedLog] = [WatchedLog(origin=ORIGIN, keys=(LOG.verifier,), state=state, copy=copy)]
    Witness.found(logs[0])
    witness = Witness(logs, [WITNESS], lambda: AT, lambda _: None)
    return witness, Mirror(witness, logs, [MIRROR], lambda: AT)


def _case(desc: str, body: bytes, send: Send, also: SigningKey) -> Case:
    """A request and its answer; of a mirror-info body the ticket is left out, since it is the mirror's own affair."""
    answer = send(body)
    case: Case = {"desc": desc, "request": base64.b64encode(body).decode(), "status": answer.status}
    if answer.content_type == MIRROR_INFO:
        info = MirrorInfo.parse(answer.body)
        case |= {"content_type": MIRROR_INFO, "size": info.size, "next_entry": info.next_entry}
    elif answer.status in {200, 409}:
        case |= {"content_type": answer.content_type, "body": answer.body.decode()}
    if answer.status == 200:
        (line,) = Note.parse(b"x\n\n" + answer.body).signatures
        point = _signed(body, line)
        message = subtree_message(
            cosigner=also.name,
            origin=ORIGIN,
            start=0,
            end=point.size,
            root=point.root,
            seconds=int(AT.timestamp()),
        )
        case |= {"message_mldsa44": message.hex()}
    return case


def _signed(body: bytes, line: NoteSignature) -> Checkpoint:
    """What the answer's line signs."""
    if line.name == WITNESS.name:
        return Checkpoint.parse(Note.parse(AddCheckpoint.parse(body).note).text)
    end = 2 + len(ORIGIN) + 8
    return History().checkpoint(int.from_bytes(body[end : end + 8], "big"))


def _write(file: Path, value: object) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else VECTORS)
