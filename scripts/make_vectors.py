"""Makes the known-answer vectors in tests/vectors/ that other implementations may check themselves against.

    python scripts/make_vectors.py [FOLDER]

Everything is computed from fixed seeds, so the files come out the same each time. ML-DSA-44 signatures are hedged
with randomness; recorded ones are kept as long as they verify, so they too stay. `docs/vectors.md` explains the files.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from chopmark.base.errors import Invalid
from chopmark.ledger import tree
from chopmark.ledger.checkpoint import Checkpoint, cosign, subtree_message
from chopmark.ledger.keys import ED25519, ED25519_COSIGNATURE, MLDSA44_COSIGNATURE, SigningKey
from chopmark.ledger.note import Note, NoteSignature
from chopmark.ledger.proof import TlogProof
from chopmark.ledger.tiles import Edge, TileReader, integrate, tile_path

VECTORS = Path(__file__).resolve().parents[1] / "tests" / "vectors"
AT = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
SECONDS = int(AT.timestamp())
ORIGIN = "log.example/vectors"
LOG = SigningKey(name=ORIGIN, type=ED25519, seed=bytes(range(32)))
LOG_PQ = SigningKey(name=ORIGIN, type=MLDSA44_COSIGNATURE, seed=bytes(range(32, 64)))
WITNESS = SigningKey(name="witness.example/w1", type=ED25519_COSIGNATURE, seed=bytes(range(64, 96)))
WITNESS_PQ = SigningKey(name="witness.example/一", type=MLDSA44_COSIGNATURE, seed=bytes(range(96, 128)))
ROLES = {"log": LOG, "log, post-quantum": LOG_PQ, "witness": WITNESS, "witness, post-quantum": WITNESS_PQ}

Case = dict[str, object]


class Recorded:
    """Signatures of an earlier run, by signed message: kept while they verify."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "cosignature" / "recorded.json"
        self._values: dict[str, str] = json.loads(self._file.read_text()) if self._file.exists() else {}
        self._used: dict[str, str] = {}

    def sign(self, key: SigningKey, message: bytes) -> bytes:
        """The recorded signature of this key over the message, or a new one."""
        name = hashlib.sha256(key.verifier.public + message).hexdigest()
        signature = bytes.fromhex(self._values.get(name, ""))
        try:
            key.verifier.verify(signature, message)
        except Invalid:
            signature = key.sign(message)
        self._used[name] = signature.hex()
        return signature

    def save(self) -> None:
        """Write the signatures that this run used."""
        _write(self._file, self._used)


def main(folder: Path) -> None:
    """Write every file."""
    recorded = Recorded(folder)
    _write(folder / "keys" / "keys.json", list(key_cases()))
    _write(folder / "tiles" / "paths.json", list(path_cases()))
    _write(folder / "tiles" / "trees.json", list(tree_cases()))
    _write(folder / "cosignature" / "checkpoints.json", list(cosignature_cases(recorded)))
    _write(folder / "cosignature" / "subtrees.json", list(subtree_cases(recorded)))
    _write(folder / "note" / "checkpoints.json", list(checkpoint_cases()))
    _write(folder / "note" / "notes.json", list(note_cases()))
    _write(folder / "proof" / "proofs.json", list(proof_cases()))
    recorded.save()


def key_cases() -> Iterable[Case]:
    """Seed to public key, key id and both texts."""
    for desc, key in ROLES.items():
        yield {
            "desc": desc,
            "name": key.name,
            "type": key.type,
            "seed": key.seed.hex(),
            "key_id": key.verifier.key_id.hex(),
            "vkey": str(key.verifier),
            "skey": key.text(),
        }


def path_cases() -> Iterable[Case]:
    """Where tiles stand."""
    for level, index, width in [
        (0, 0, 256), (0, 0, 1), (0, 0, 255), (0, 999, 256), (0, 1000, 256), (0, 1_234_067, 256), (0, 1_234_067, 17),
        (1, 1_000_000, 256), (5, 999_999_999, 200), (63, 0, 256),
    ]:  # fmt: skip
        yield {"level": level, "index": index, "width": width, "want": tile_path(level, index, width)}


def tree_entry(index: int) -> bytes:
    """The entry at an index: its number in decimal, as often as the number modulo 7 says."""
    return str(index).encode() * (index % 7)


def tree_cases() -> Iterable[Case]:
    """Every file of a log at some sizes, as SHA-256 of its bytes, and the root."""
    for size in [0, 1, 2, 3, 255, 256, 257, 512, 700, 65_536]:
        edge, files = integrate(Edge(), [tree_entry(index) for index in range(size)])
        digest = hashlib.sha256()
        for path in sorted(files):
            digest.update(f"{hashlib.sha256(files[path]).hexdigest()}  {path}\n".encode())
        listed = {path: hashlib.sha256(data).hexdigest() for path, data in sorted(files.items())}
        yield {
            "desc": f"a log of {size} entries",
            "size": size,
            "root": edge.root().hex(),
            "files": listed if len(files) <= 10 else None,
            "count": len(files),
            "sha256sum": digest.hexdigest(),
        }


def cosignature_cases(recorded: Recorded) -> Iterable[Case]:
    """Checkpoints cosigned with ML-DSA-44 (0x06): good ones, and each thing that the signature covers changed."""
    point = Checkpoint(origin=ORIGIN, size=20_852_163, root=hashlib.sha256(b"root").digest())
    empty = Checkpoint(origin=ORIGIN, size=0, root=tree.EMPTY_ROOT)
    largest = Checkpoint(origin="o" * 255, size=2**63 - 1, root=bytes(32))
    for desc, key, signed, seconds in [
        ("the log's own cosignature", LOG_PQ, point, SECONDS),
        ("a witness with a name beyond ASCII", WITNESS_PQ, point, SECONDS),
        ("a cosignature without time", WITNESS_PQ, point, 0),
        ("the empty log", WITNESS_PQ, empty, SECONDS),
        ("the largest size and the longest origin", WITNESS_PQ, largest, SECONDS),
    ]:
        yield _cosignature(desc, key, signed, _cosignature_value(recorded, key, signed, seconds), want=True)
    value = _cosignature_value(recorded, WITNESS_PQ, point, SECONDS)
    changed = {
        "the time changed": (SECONDS + 1).to_bytes(8, "big") + value[8:],
        "the time taken away": bytes(8) + value[8:],
        "a time of 2**63": (2**63).to_bytes(8, "big") + value[8:],
        "the first bit of the signature changed": value[:8] + bytes([value[8] ^ 0x80]) + value[9:],
        "the last bit of the signature changed": value[:-1] + bytes([value[-1] ^ 1]),
        "the signature a byte short": value[:-1],
        "the signature a byte long": value + b"\0",
        "nothing but the time": value[:8],
    }
    for desc, other in changed.items():
        yield _cosignature(desc, WITNESS_PQ, point, other, want=False)
    other_points = {
        "another size": Checkpoint(origin=point.origin, size=point.size + 1, root=point.root),
        "another root": Checkpoint(origin=point.origin, size=point.size, root=bytes(32)),
        "another origin": Checkpoint(origin="log.example/other", size=point.size, root=point.root),
    }
    for desc, other_point in other_points.items():
        yield _cosignature(desc, WITNESS_PQ, other_point, value, want=False)
    renamed = SigningKey(name="witness.example/w2", type=MLDSA44_COSIGNATURE, seed=WITNESS_PQ.seed)
    yield _cosignature("the same key under another name", renamed, point, value, want=False)
    yield _cosignature("another key", LOG_PQ, point, value, want=False)
    text = point.text().encode()
    over_note = SECONDS.to_bytes(8, "big") + recorded.sign(WITNESS_PQ, text)
    yield _cosignature("a signature over the note text instead", WITNESS_PQ, point, over_note, want=False)
    ed25519_form = f"cosignature/v1\ntime {SECONDS}\n".encode() + text
    over_form = SECONDS.to_bytes(8, "big") + recorded.sign(WITNESS_PQ, ed25519_form)
    yield _cosignature("a signature over the Ed25519 form instead", WITNESS_PQ, point, over_form, want=False)


def _cosignature_value(recorded: Recorded, key: SigningKey, point: Checkpoint, seconds: int) -> bytes:
    return seconds.to_bytes(8, "big") + recorded.sign(key, _message(key, point, seconds))


def _message(key: SigningKey, point: Checkpoint, seconds: int) -> bytes:
    return subtree_message(
        cosigner=key.name, origin=point.origin, start=0, end=point.size, root=point.root, seconds=seconds
    )


def _cosignature(desc: str, key: SigningKey, point: Checkpoint, value: bytes, *, want: bool) -> Case:
    line = NoteSignature(name=key.name, key_id=key.verifier.key_id, value=value)
    seconds = int.from_bytes(value[:8], "big")
    return {
        "desc": desc,
        "want": want,
        "vkey": str(key.verifier),
        "message": _message(key, point, seconds).hex(),
        "note": Note(text=point.text(), signatures=(line,)).encode().decode(),
    }


def subtree_cases(recorded: Recorded) -> Iterable[Case]:
    """Subtrees signed with ML-DSA-44, which have no note: message and bare signature."""
    for start, end in [(0, 1), (8, 13), (256, 512), (2**62, 2**63 - 1)]:
        root = hashlib.sha256(f"{start} {end}".encode()).digest()
        message = subtree_message(cosigner=WITNESS_PQ.name, origin=ORIGIN, start=start, end=end, root=root, seconds=0)
        yield {
            "desc": f"the subtree from {start} to {end}",
            "want": True,
            "vkey": str(WITNESS_PQ.verifier),
            "origin": ORIGIN,
            "start": start,
            "end": end,
            "root": root.hex(),
            "message": message.hex(),
            "signature": recorded.sign(WITNESS_PQ, message).hex(),
        }


def checkpoint_cases() -> Iterable[Case]:
    """Note texts that are checkpoints, and spellings that are not."""
    root = base64.b64encode(bytes(range(32))).decode()
    good = f"{ORIGIN}\n42\n{root}\n"
    yield {"desc": "three lines", "want": True, "text": good}
    yield {"desc": "size 0 with the hash of nothing", "want": True, "text": good.replace("42", "0").replace(
        root, base64.b64encode(tree.EMPTY_ROOT).decode())}  # fmt: skip
    yield {"desc": "the largest size", "want": True, "text": good.replace("42", str(2**63 - 1))}
    for size in ["4_2", " 42", "42 ", "042", "+42", "-42", "４２", "42.0", "0x2a", "", str(2**63)]:
        yield {"desc": f"size {size!a}", "want": False, "text": good.replace("\n42\n", f"\n{size}\n")}
    for desc, text in {
        "size 0 with another root": good.replace("42", "0"),
        "a root of three bytes": good.replace(root, "AAAA"),
        "a root of 33 bytes": good.replace(root, base64.b64encode(bytes(33)).decode()),
        "a root without padding": good.replace("=", ""),
        "a root with loose bits": good.replace("8=", "9="),
        "an empty origin": good.removeprefix(ORIGIN),
        "a tabulator in the origin": good.replace("/", "\t"),
        "carriage returns": good.replace("\n", "\r\n"),
        "no last newline": good.removesuffix("\n"),
        "an extension line": good + "extension\n",
        "an empty line": good + "\n",
    }.items():
        yield {"desc": desc, "want": False, "text": text}


def note_cases() -> Iterable[Case]:
    """Signed notes as base64, because some are no UTF-8."""
    point = Checkpoint(origin=ORIGIN, size=42, root=bytes(range(32)))
    signatures = tuple(cosign(point, key, AT) for key in (LOG, WITNESS))
    good = Note(text=point.text(), signatures=signatures).encode()
    line = signatures[0].line().encode()
    loose = line[:-3] + bytes([line[-3] + 1]) + line[-2:]
    for desc, want, note in [
        ("two Ed25519 signatures", True, good),
        ("sixteen signatures", True, good + line * 14),
        ("a hundred signatures", True, good + line * 98),
        ("a hundred and one signatures", False, good + line * 99),
        ("no signature", False, point.text().encode() + b"\n"),
        ("no blank line", False, good.replace(b"\n\n", b"\n")),
        ("no last newline", False, good[:-1]),
        ("a line after the signatures", False, good + b"\n"),
        ("carriage returns", False, good.replace(b"\n", b"\r\n")),
        ("a control character", False, good.replace(b"42", b"4\x012")),
        ("bytes that are no UTF-8", False, good.replace(b"42", b"4\xff2")),
        ("a hyphen for the dash", False, good.replace("—".encode(), b"-")),
        ("two spaces before the name", False, good.replace("— ".encode(), "—  ".encode())),
        ("a plus in a key name", False, good.replace("— log".encode(), "— log+".encode())),
        ("base64 with loose bits", False, good.replace(line, loose)),
        ("base64 without padding", False, good.replace(b"=\n\xe2", b"\n\xe2")),
    ]:
        vkeys = [str(LOG.verifier), str(WITNESS.verifier)]
        yield {"desc": desc, "want": want, "vkeys": vkeys, "note": base64.b64encode(note).decode()}


def proof_cases() -> Iterable[Case]:
    """Proof files for entries of the 700-entry log of tiles/trees.json, with the log's Ed25519 key."""
    edge, files = integrate(Edge(), [tree_entry(index) for index in range(700)])
    reader = TileReader(files.__getitem__, 700)
    point = Checkpoint(origin=ORIGIN, size=700, root=edge.root())
    note = Note(text=point.text(), signatures=(cosign(point, LOG, AT),)).encode()
    for index in [0, 1, 255, 256, 512, 699]:
        proof = TlogProof(index=index, hashes=tuple(reader.inclusion_proof(index)), checkpoint=note)
        yield _proof(f"entry {index}", proof.encode(), index, want=True)
    proof = TlogProof(index=300, hashes=tuple(reader.inclusion_proof(300)), checkpoint=note, extra=b"extra")
    good = proof.encode()
    yield _proof("entry 300 with extra data", good, 300, want=True)
    first = base64.b64encode(proof.hashes[0])
    for desc, data in {
        "another index": good.replace(b"index 300", b"index 301"),
        "an index outside": good.replace(b"index 300", b"index 700"),
        "an index with a leading zero": good.replace(b"index 300", b"index 0300"),
        "a hash less": good.replace(first + b"\n", b""),
        "a hash twice": good.replace(first + b"\n", (first + b"\n") * 2),
        "a hash changed": good.replace(first, base64.b64encode(bytes(32))),
        "a hash of three bytes": good.replace(first, b"AAAA"),
        "an empty extra": good.replace(b"ZXh0cmE=", b""),
        "extra data twice": good.replace(b"extra ZXh0cmE=\n", b"extra ZXh0cmE=\n" * 2),
        "another size in the checkpoint": good.replace(b"\n700\n", b"\n701\n"),
        "the last byte cut off": good[:-1],
        "another version": good.replace(b"@v1", b"@v2"),
    }.items():
        yield _proof(desc, data, 300, want=False)
    yield _proof("the proof of another entry", good, 301, want=False)


def _proof(desc: str, data: bytes, index: int, *, want: bool) -> Case:
    return {
        "desc": desc,
        "want": want,
        "vkey": str(LOG.verifier),
        "leaf": tree.leaf_hash(tree_entry(index)).hex(),
        "proof": base64.b64encode(data).decode(),
    }


def _write(file: Path, value: list[Case] | Mapping[str, str]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else VECTORS)
