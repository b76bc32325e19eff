"""What a scan says of one listing and one right, its one form as bytes, and the proof that a scan said it.

    leaf(result)                        canonical JSON of one row; its hash is a leaf of its partition's tree
    Part.line()                         canonical JSON of one partition: what was read, how many, the root over its rows
    root_of_parts(lines)                the root of a whole scan: what its statement on the ledger carries
    prove(...) -> Proof; check(proof, total)    the row and its partition, or refused

Two levels of one kind of tree (RFC 6962): who proves one row of a scan of two billion listings reads one file of rows
and one list of partitions. Each row carries a salt, so that nobody finds a neighbour's content by guessing at the
hashes of a proof. What a result says is a suspicion. Nothing here reads a file.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from chopmark.base import jcs
from chopmark.base.errors import Invalid
from chopmark.ledger import tree
from chopmark.watch.judge import Verdict
from chopmark.watch.listing import Listing, encode

RESULT_FORM: Final = "chopmark-watch-result-v1"
PART_FORM: Final = "chopmark-watch-part-v1"
SCAN_FORM: Final = "chopmark-watch-scan-v1"
PROOF_FORM: Final = "chopmark-watch-proof-v1"
SALT_SIZE: Final = 16
MAX_PATH: Final = 63
MAX_PROOF: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One listing with one right.

    Attributes:
        listing: canonical JSON of the listing (`listing.encode`).
        verdict: what the judge said.
    """

    listing: bytes
    item: str
    version: int
    verdict: Verdict

    @classmethod
    def of(cls, listing: Listing, verdict: Verdict) -> Result:
        """Put both together."""
        return cls(listing=encode(listing), item=listing.item, version=listing.version, verdict=verdict)


def leaf(result: Result, *, salt: bytes) -> bytes:
    """The one form of a row: canonical JSON. The listing stands in it by its SHA-256; fractions as their shortest text.

    Raises:
        Invalid: `base.json_malformed` when a fact is of no kind that JSON has.
    """
    verdict, decided = result.verdict, result.verdict.decided
    return jcs.encode(
        {
            "form": RESULT_FORM,
            "item": result.item,
            "version": result.version,
            "listing": hashlib.sha256(result.listing).hexdigest(),
            "right": verdict.right,
            "number": verdict.number,
            "organisation": verdict.organisation,
            "territory": verdict.territory,
            "nice": verdict.nice,
            "features": plain(verdict.row),
            "found": plain(verdict.found),
            "outcome": decided.measure,
            "automatic": decided.automatic,
            "score": decided.score,
            "keys": list(decided.keys),
            "reasons": plain(decided.reasons),
            "fired": plain(decided.fired),
            "salt": salt.hex(),
        }
    )


def plain(value: object) -> Any:  # noqa: ANN401 (JSON values are of any kind)
    """A value as canonical JSON can hold it: a fraction is its shortest text that reads back the same."""
    match value:
        case float():
            return repr(value)
        case Mapping():
            return {str(name): plain(each) for name, each in value.items()}
        case list() | tuple():
            return [plain(each) for each in value]
        case _:
            return value


def salt_of(secret: bytes, partition: int, row: int) -> bytes:
    """The salt of a row: the same when a partition is done again, unknown without the scan's secret (32 bytes)."""
    return hmac.digest(secret, b"row %d %d" % (partition, row), "sha256")[:SALT_SIZE]


def is_sampled(secret: bytes, item: str, millionths: int) -> bool:
    """Whether an item belongs to the scan's sample; no seller can know without the scan's secret."""
    drawn = int.from_bytes(hmac.digest(secret, b"sample " + item.encode(), "sha256")[:8], "big")
    return drawn * 1_000_000 >> 64 < millionths


# ---- partitions and scans --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A partition that is done.

    Attributes:
        index: from 0. source: its file as it was named; start, listings: the rows of it that were read.
        refused: rows without identity, which nobody can act on.
        results: rows found. hits: those for which something is proposed. root: over the rows' leaves, 32 bytes.
        marks, rules: versions with which they were found.
    """

    index: int
    source: str
    start: int
    listings: int
    refused: int
    results: int
    hits: int
    root: bytes
    marks: str
    rules: str

    def line(self) -> bytes:
        """Canonical JSON; its hash is a leaf of the scan's tree."""
        return jcs.encode(
            {
                "form": PART_FORM,
                "index": self.index,
                "source": self.source,
                "start": self.start,
                "listings": self.listings,
                "refused": self.refused,
                "results": self.results,
                "hits": self.hits,
                "root": self.root.hex(),
                "marks": self.marks,
                "rules": self.rules,
            }
        )

    @classmethod
    def parse(cls, line: bytes) -> Part:
        """Read what `line` printed.

        Raises:
            Invalid: `watch.part_malformed`; `base.json_malformed`.
        """
        said = jcs.decode(line)
        try:
            numbers = {name: said[name] for name in ("index", "start", "listings", "refused", "results", "hits")}
            texts = {name: said[name] for name in ("source", "marks", "rules")}
            part = cls(root=bytes.fromhex(said["root"]), **numbers, **texts)
        except (KeyError, TypeError, ValueError) as error:
            raise Invalid("watch.part_malformed") from error
        sound = all(type(each) is int and each >= 0 for each in numbers.values())
        sound &= all(isinstance(each, str) for each in texts.values()) and len(part.root) == tree.HASH_SIZE
        if not sound or part.line() != line:
            raise Invalid("watch.part_malformed")
        return part


def root_of_leaves(leaves: Sequence[bytes]) -> bytes:
    """The root over rows (RFC 6962 2.1)."""
    return tree.root_of(tree.leaf_hashes(leaves))


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """A whole scan: what its statement on the ledger says.

    Attributes:
        plan: SHA-256 of the plan, which names every file and row that was to be read.
        root: over the lines of all partitions in order, 32 bytes.
    """

    plan: bytes
    partitions: int
    listings: int
    refused: int
    results: int
    hits: int
    marks: str
    rules: str
    root: bytes

    @classmethod
    def of(cls, parts: Sequence[Part], *, plan: bytes, marks: str, rules: str) -> Total:
        """Add up all partitions, in order."""
        return cls(
            plan=plan,
            partitions=len(parts),
            listings=sum(each.listings for each in parts),
            refused=sum(each.refused for each in parts),
            results=sum(each.results for each in parts),
            hits=sum(each.hits for each in parts),
            marks=marks,
            rules=rules,
            root=root_of_leaves([each.line() for each in parts]),
        )

    def content(self) -> bytes:
        """Canonical JSON: the bytes whose digest is deposited."""
        return jcs.encode(
            {
                "form": SCAN_FORM,
                "plan": self.plan.hex(),
                "partitions": self.partitions,
                "listings": self.listings,
                "refused": self.refused,
                "results": self.results,
                "hits": self.hits,
                "marks": self.marks,
                "rules": self.rules,
                "root": self.root.hex(),
            }
        )

    @classmethod
    def parse(cls, data: bytes) -> Total:
        """Read what `content` printed.

        Raises:
            Invalid: `watch.total_malformed`; `base.json_malformed`.
        """
        said = jcs.decode(data)
        try:
            numbers = {name: said[name] for name in ("partitions", "listings", "refused", "results", "hits")}
            plan, root = (bytes.fromhex(said[name]) for name in ("plan", "root"))
            total = cls(plan=plan, root=root, marks=said["marks"], rules=said["rules"], **numbers)
        except (KeyError, TypeError, ValueError) as error:
            raise Invalid("watch.total_malformed") from error
        sound = all(type(each) is int and each >= 0 for each in numbers.values())
        sound &= len(plan) == len(root) == tree.HASH_SIZE
        if not sound or total.content() != data:
            raise Invalid("watch.total_malformed")
        return total


# ---- proofs ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """That a row is one of a scan: from the row to its partition's root, from the partition's line to the scan's.

    Attributes:
        row: the leaf, as `leaf` printed it. index: its place in the partition. path: sibling hashes upwards.
        part: the partition's line. part_path: sibling hashes from there upwards.
    """

    row: bytes
    index: int
    path: tuple[bytes, ...]
    part: bytes
    part_path: tuple[bytes, ...]

    def encode(self) -> bytes:
        """Canonical JSON, for a file."""
        return jcs.encode(
            {
                "form": PROOF_FORM,
                "row": self.row.decode(),
                "index": self.index,
                "path": [each.hex() for each in self.path],
                "part": self.part.decode(),
                "part_path": [each.hex() for each in self.part_path],
            }
        )

    @classmethod
    def parse(cls, data: bytes) -> Proof:
        """Read what `encode` printed.

        Raises:
            Invalid: `watch.proof_malformed`; `base.json_malformed`.
        """
        if len(data) > MAX_PROOF:
            raise Invalid("watch.proof_malformed")
        said = jcs.decode(data)
        try:
            proof = cls(
                row=said["row"].encode(),
                index=said["index"],
                path=tuple(bytes.fromhex(each) for each in said["path"]),
                part=said["part"].encode(),
                part_path=tuple(bytes.fromhex(each) for each in said["part_path"]),
            )
            whole = type(proof.index) is int
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise Invalid("watch.proof_malformed") from error
        if not whole or max(len(proof.path), len(proof.part_path)) > MAX_PATH or proof.encode() != data:
            raise Invalid("watch.proof_malformed")
        return proof


def prove(rows: Sequence[bytes], index: int, lines: Sequence[bytes], part: int) -> Proof:
    """The proof of row `index` of partition `part`, given all rows of that partition and the lines of all partitions.

    Raises:
        Invalid: `ledger.index_outside`.
    """
    return Proof(
        row=rows[index] if 0 <= index < len(rows) else b"",
        index=index,
        path=tuple(path_up(levels_of(tree.leaf_hashes(rows)), index)),
        part=lines[part] if 0 <= part < len(lines) else b"",
        part_path=tuple(path_up(levels_of(tree.leaf_hashes(lines)), part)),
    )


def check(proof: Proof, total: Total) -> tuple[dict[str, Any], Part]:
    """The row and the partition that a proof shows to be part of a scan, whose statement has this content.

    Raises:
        Invalid: `watch.proof_wrong` when it does not lead there; `watch.part_malformed`; `base.json_malformed`.
    """
    part = Part.parse(proof.part)
    row = jcs.decode(proof.row)
    try:
        tree.verify_inclusion(
            leaf=tree.leaf_hash(proof.row), index=proof.index, size=part.results, proof=proof.path, root=part.root
        )
        tree.verify_inclusion(
            leaf=tree.leaf_hash(proof.part),
            index=part.index,
            size=total.partitions,
            proof=proof.part_path,
            root=total.root,
        )
    except Invalid as error:
        raise Invalid("watch.proof_wrong") from error
    if not isinstance(row, dict) or row.get("form") != RESULT_FORM:
        raise Invalid("watch.proof_wrong")
    return row, part


def levels_of(leaves: Sequence[bytes]) -> list[Sequence[bytes]]:
    """The complete subtrees over leaf hashes, level by level: what any number of ways up is read from."""
    levels = [leaves]
    while len(levels[-1]) > 1:
        levels.append(tree.next_level(levels[-1]))
    return levels


def path_up(levels: Sequence[Sequence[bytes]], index: int) -> list[bytes]:
    """Sibling hashes from a leaf up to the root, given what `levels_of` says.

    Raises:
        Invalid: `ledger.index_outside`.
    """
    return tree.inclusion_proof(index, len(levels[0]), lambda level, at: levels[level][at])
