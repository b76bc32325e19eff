"""Verify a whole log again from its static files alone, as any stranger can.

Fetches the checkpoint and every bundle of entries, computes all hashes anew and compares every tile. What the log
answers is not trusted; what is reported has been computed here. Opens nothing itself: `fetch` does, so that the files
may lie in a directory, behind HTTP or in memory. Holds one bundle at a time, and of each entry its hash.

 1 the checkpoint is well formed and signed by the log's keys    4 the root is the signed one
 2 every bundle holds the entries it should                      5 every older checkpoint is a prefix of this log
 3 every tile has the hashes that follow from the entries        6 every entry is a signed statement, and there once
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise

from chopmark.base.errors import Fact, Invalid, PlatformError, Unavailable
from chopmark.ledger import tree
from chopmark.ledger.checkpoint import Checkpoint, open_checkpoint
from chopmark.ledger.keys import VerifierKey
from chopmark.ledger.note import Note
from chopmark.ledger.policy import Policy
from chopmark.ledger.statement import Statement
from chopmark.ledger.stores import CHECKPOINT
from chopmark.ledger.tiles import TILE_WIDTH, Edge, bundle_path, decode_bundle, integrate

MOST_FINDINGS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFinding:
    """One thing that is not as it must be.

    Attributes:
        code: what, `ledger.audit_…` or the code of the error met.
        facts: where.
    """

    code: str
    facts: Mapping[str, Fact] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What an audit found.

    Attributes:
        checkpoint: what was audited; None when it could not be read.
        signers: names of the keys whose signatures are true.
        entries: how many entries were hashed.
        findings: empty when all is well; at most 1000.
    """

    checkpoint: Checkpoint | None
    signers: tuple[str, ...]
    entries: int
    findings: tuple[AuditFinding, ...]

    @property
    def passed(self) -> bool:
        """Whether everything is as it must be."""
        return not self.findings


def audit(
    fetch: Callable[[str], bytes],
    keys: Sequence[VerifierKey],
    *,
    statements: bool = True,
    older: Iterable[bytes] = (),
    progress: Callable[[int, int], None] | None = None,
    entry: Callable[[int, bytes], None] | None = None,
    policy: Policy | None = None,
) -> Audit:
    """Verify the log behind `fetch`.

    Args:
        fetch: path to bytes; raises `Unavailable` when there is no such file.
        keys: the log's, retired ones too; of each type among them one must have signed the checkpoint.
        statements: whether each entry must be a signed statement (their signatures are not checked).
        older: checkpoints that were published before, as signed notes.
        progress: told the entries done and the entries in all.
        entry: told position and bytes of each entry.
        policy: the checkpoint, and each of the older ones, must have its quorum.
    """
    findings: list[AuditFinding] = []
    try:
        note = fetch(CHECKPOINT)
        checkpoint, verified = open_checkpoint(note, keys)  # 1
    except (Invalid, Unavailable) as error:
        return Audit(checkpoint=None, signers=(), entries=0, findings=(_met(error),))
    signers = tuple(_short(each.key) for each in verified)
    signed = {each.key.type for each in verified}
    findings += [
        _found("signature_missing", keys=[_short(key) for key in keys if key.type == kind])
        for kind in sorted({key.type for key in keys} - signed)
    ]
    older = list(older)
    findings += [] if policy is None else _without_quorum(policy, [*older, note])
    walk = _Walk(fetch, checkpoint, findings, statements=statements, entry=entry)
    known = _known(checkpoint, keys, older, findings)
    for done in walk.run(known):
        if progress is not None:
            progress(done, checkpoint.size)
    return Audit(
        checkpoint=checkpoint, signers=signers, entries=walk.edge.size, findings=tuple(findings[:MOST_FINDINGS])
    )


def _without_quorum(policy: Policy, notes: Iterable[bytes]) -> Iterator[AuditFinding]:
    """Those that cannot be read at all are findings elsewhere."""
    for note in notes:
        with suppress(Invalid):
            checkpoint = Checkpoint.parse(Note.parse(note).text)
            if not _reaches(policy, note):
                yield _found("no_quorum", size=checkpoint.size)


def _reaches(policy: Policy, note: bytes) -> bool:
    try:
        _, judgement = policy.open(note)
    except Invalid:
        return False
    return judgement.quorum_reached


def _known(
    checkpoint: Checkpoint, keys: Sequence[VerifierKey], older: Iterable[bytes], findings: list[AuditFinding]
) -> dict[int, set[bytes]]:
    """The roots that were signed for each size; those that cannot be prefixes are findings at once."""
    roots: dict[int, set[bytes]] = {checkpoint.size: {checkpoint.root}}
    for note in older:
        try:
            earlier, _ = open_checkpoint(note, keys)
        except Invalid as error:
            findings.append(_met(error))
            continue
        if earlier.origin != checkpoint.origin or earlier.size > checkpoint.size:
            findings.append(_found("not_a_prefix", size=earlier.size))
        else:
            roots.setdefault(earlier.size, set()).add(earlier.root)
    return roots


class _Walk:
    """Through all entries, growing the tree as the writer did, and comparing."""

    def __init__(
        self,
        fetch: Callable[[str], bytes],
        checkpoint: Checkpoint,
        findings: list[AuditFinding],
        *,
        statements: bool,
        entry: Callable[[int, bytes], None] | None,
    ) -> None:
        self.edge = Edge()
        self._fetch = fetch
        self._size = checkpoint.size
        self._findings = findings
        self._statements = statements
        self._entry = entry
        self._seen: set[bytes] = set()

    def run(self, known: Mapping[int, set[bytes]]) -> Iterator[int]:
        """Yields the size reached after each bundle."""
        self._must_match(known)
        try:
            for index in range(-(-self._size // TILE_WIDTH)):
                entries = self._bundle(index)  # 2
                cuts = [size - self.edge.size for size in sorted(known) if 0 < size - self.edge.size < len(entries)]
                for start, end in pairwise([0, *cuts, len(entries)]):
                    self.edge, files = integrate(self.edge, entries[start:end])
                    self._compare({path: data for path, data in files.items() if ".p/" not in path})  # 3
                    self._must_match(known)  # 4, 5
                self._look_at(index * TILE_WIDTH, entries)  # 6
                yield self.edge.size
            self._compare(self.edge.files())  # 3
        except (Invalid, Unavailable) as error:  # without this bundle no later root can be computed
            self._findings.append(_met(error))

    def _bundle(self, index: int) -> list[bytes]:
        width = min(TILE_WIDTH, self._size - index * TILE_WIDTH)
        entries = decode_bundle(self._fetch(bundle_path(index, width)))
        if len(entries) != width:
            raise Invalid("ledger.bundle_malformed")
        return entries

    def _compare(self, files: Mapping[str, bytes]) -> None:
        """Tiles only: the bundles are where the entries came from."""
        for path, data in files.items():
            if not path.startswith("tile/entries/"):
                self._compare_one(path, data)

    def _compare_one(self, path: str, data: bytes) -> None:
        try:
            if self._fetch(path) != data:
                self._findings.append(_found("tile_differs", path=path))
        except Unavailable as error:
            self._findings.append(_met(error))

    def _must_match(self, known: Mapping[int, set[bytes]]) -> None:
        size = self.edge.size
        for root in known.get(size, ()):
            if root != self.edge.root():
                self._findings.append(_found("root_differs" if size == self._size else "not_a_prefix", size=size))

    def _look_at(self, first: int, entries: Sequence[bytes]) -> None:
        for position, (entry, leaf) in enumerate(zip(entries, tree.leaf_hashes(entries), strict=True), first):
            if leaf in self._seen:
                self._findings.append(_found("entry_twice", position=position))
            self._seen.add(leaf)
            if self._statements:
                try:
                    Statement.parse(entry)
                except Invalid as error:
                    self._findings.append(_found("not_a_statement", position=position, reason=error.code))
            if self._entry is not None:
                self._entry(position, entry)


def _short(key: VerifierKey) -> str:
    """A key without its public half: the name and the id that stand in a note."""
    return f"{key.name}+{key.key_id.hex()}"


def _found(what: str, **facts: Fact) -> AuditFinding:
    return AuditFinding(code=f"ledger.audit_{what}", facts=facts)


def _met(error: PlatformError) -> AuditFinding:
    return AuditFinding(code=error.code, facts=error.facts)
