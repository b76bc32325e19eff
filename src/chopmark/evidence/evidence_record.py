"""Evidence records (RFC 4998): proof of existence that outlives certificates and digest algorithms.

    [record] = start([digests], stamp)                     one token over many groups, one record for each group
    [record] = renew_time_stamps([record], stamp)          a token over the last token, before its certificate ends
    [record] = renew_hash_trees([record], [both], stamp, SHA512)      over all again, before SHA-256 is broken
    verify(record, digests_by_algorithm, authorities, at)  since when the group exists, and until when that is shown

A record is about one *group*: the files that it was made for, none more. Its archive time-stamps form chains (one
digest algorithm each), and the chains a sequence; each renewal covers what was there before it. Files are known by
their digests only; who calls computes those.

Read strictly: DER, the members that are written here (no attributes, no cryptoInfos, no encryption), and what does
not print back is refused. Certificates that a token brings beside its signer's are not looked at, nor is revocation
(as in `ledger.timestamp`). No network, no clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from chopmark.base.errors import Invalid
from chopmark.ledger import der
from chopmark.ledger.cms import DIGESTS, SHA256, algorithm_of
from chopmark.ledger.der import INTEGER, OCTET_STRING, SEQUENCE, Element, Reader
from chopmark.ledger.timestamp import DIGEST_SIZES, Authority, Stamp, parse_token, verify_statement

MAX_RECORD = 16 << 20  # bytes
MAX_GROUP = 20_000  # digests
MAX_STAMPS = 200  # archive time-stamps in a record; one a year would be too many
MAX_LEVELS = 40  # of a hash tree

Digests = Mapping[str, Sequence[bytes]]
"""By object identifier of the algorithm: the digests of the files of a group, in the same order for each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveTimeStamp:
    """One token and the way to it.

    Attributes:
        algorithm: object identifier of the digest algorithm of the tree.
        tree: the reduced hash tree, lists of digests from the leaves upwards, each sorted; empty where the token is
            over the one digest itself.
        token: RFC 3161, DER.
    """

    algorithm: str
    tree: tuple[tuple[bytes, ...], ...]
    token: bytes

    def root(self, alone: bytes) -> bytes:
        """What the token must be over; `alone` is the one digest where there is no tree (RFC 4998 4.3)."""
        value: tuple[bytes, ...] = ()
        for level in self.tree:
            value = (_node(self.algorithm, [*level, *value]),)
        return value[0] if value else alone

    def encode(self) -> bytes:
        """The ArchiveTimeStamp, DER."""
        lists = (der.sequence(*map(der.put_octets, level)) for level in self.tree)
        return der.sequence(
            der.element(0xA0, der.put_oid(self.algorithm)),
            der.element(0xA2, *lists) if self.tree else b"",
            self.token,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceRecord:
    """A record: a sequence of chains of archive time-stamps.

    Attributes:
        chains: each of one digest algorithm, oldest first; none of them empty.
    """

    chains: tuple[tuple[ArchiveTimeStamp, ...], ...]

    @property
    def last(self) -> ArchiveTimeStamp:
        """The one that must be renewed before it ends."""
        return self.chains[-1][-1]

    @property
    def algorithms(self) -> tuple[str, ...]:
        """The digest algorithms of the chains, each once."""
        return tuple(dict.fromkeys(chain[0].algorithm for chain in self.chains))

    def encode(self) -> bytes:
        """The EvidenceRecord, DER."""
        return der.sequence(
            der.put_integer(1),
            der.sequence(*(der.sequence(der.put_oid(each)) for each in self.algorithms)),
            _sequence(self.chains),
        )

    @classmethod
    def parse(cls, data: bytes) -> EvidenceRecord:
        """Read one.

        Raises:
            Invalid: `evidence.record_malformed`.
        """
        if len(data) > MAX_RECORD:
            raise Invalid("evidence.record_malformed")
        try:
            record = _record(Reader(der.read(data).content))
        except ValueError as error:
            raise Invalid("evidence.record_malformed") from error
        if record.encode() != data:
            raise Invalid("evidence.record_malformed")
        return record


@dataclass(frozen=True, slots=True, kw_only=True)
class Proven:
    """What a true record shows.

    Attributes:
        existed_by: when the group existed, by the first token.
        until: when the last token's certificate ends; the record must be renewed before.
        stamps: of all tokens, oldest first.
    """

    existed_by: datetime
    until: datetime
    stamps: tuple[Stamp, ...]


# ---- making ----------------------------------------------------------------------------------------------------------


def start(
    groups: Sequence[Sequence[bytes]], stamp: Callable[[bytes], bytes], algorithm: str = SHA256
) -> tuple[EvidenceRecord, ...]:
    """A record for each group, all under one token.

    Args:
        groups: digests of the files of each; at least one group, and one digest in each.
        stamp: makes a token over a digest; asked once.
        algorithm: of the digests, an object identifier.

    Raises:
        ValueError: for a group without digests, with digests of another size, or larger than MAX_GROUP.
    """
    made = _stamped([tuple(sorted(set(group))) for group in groups], stamp, algorithm)
    return tuple(EvidenceRecord(chains=((each,),)) for each in made)


def renew_time_stamps(records: Sequence[EvidenceRecord], stamp: Callable[[bytes], bytes]) -> tuple[EvidenceRecord, ...]:
    """The records with one more archive time-stamp in the last chain, over the token of the one before (RFC 4998 5.2).

    All must end in a chain of the same algorithm; one new token covers them all.
    """
    algorithms = {each.last.algorithm for each in records}
    if len(algorithms) != 1:
        raise ValueError("a chain has one digest algorithm, and these are renewed together")
    [algorithm] = algorithms
    made = _stamped([(DIGESTS[algorithm](each.last.token),) for each in records], stamp, algorithm)
    return tuple(
        replace(record, chains=(*record.chains[:-1], (*record.chains[-1], new)))
        for record, new in zip(records, made, strict=True)
    )


def renew_hash_trees(
    records: Sequence[EvidenceRecord],
    groups: Sequence[Sequence[bytes]],
    stamp: Callable[[bytes], bytes],
    algorithm: str,
) -> tuple[EvidenceRecord, ...]:
    """The records with one more chain, over the files and all older chains together (RFC 4998 5.2).

    Args:
        records: as they are; they stay as they are.
        groups: the digests of the same files by the new algorithm.
        stamp: as in `start`.
        algorithm: the new one.
    """
    leaves = [
        tuple(sorted(_renewed(algorithm, group, record.chains))) for record, group in zip(records, groups, strict=True)
    ]
    made = _stamped(leaves, stamp, algorithm)
    return tuple(replace(record, chains=(*record.chains, (new,))) for record, new in zip(records, made, strict=True))


def _renewed(algorithm: str, digests: Iterable[bytes], chains: tuple[tuple[ArchiveTimeStamp, ...], ...]) -> set[bytes]:
    """H(h(i) + ha(i)): of the digest of each file and that of all that was known of it before."""
    function = DIGESTS[algorithm]
    before = function(_sequence(chains))
    return {function(digest + before) for digest in digests}


def _stamped(
    groups: Sequence[tuple[bytes, ...]], stamp: Callable[[bytes], bytes], algorithm: str
) -> list[ArchiveTimeStamp]:
    """One tree over all groups, its token, and for each group the part of the tree that leads there.

    Groups may be equal, as they are when records under one token are renewed; the tree holds each once.
    """
    size = DIGEST_SIZES[algorithm]
    for group in groups:
        if not 0 < len(group) <= MAX_GROUP or any(len(each) != size for each in group):
            raise ValueError("a group has digests of one algorithm, and not too many")
    distinct = list(dict.fromkeys(groups))
    root, ways = _tree(distinct, algorithm)
    token = stamp(root)
    made = {
        group: ArchiveTimeStamp(algorithm=algorithm, tree=tuple(way), token=token)
        for group, way in zip(distinct, ways, strict=True)
    }
    return [made[group] for group in groups]


def _tree(groups: Sequence[tuple[bytes, ...]], algorithm: str) -> tuple[bytes, list[list[tuple[bytes, ...]]]]:
    """The root of a binary tree over groups, and each group's reduced tree (RFC 4998 4.2)."""
    ways: list[list[tuple[bytes, ...]]] = [[group] if len(group) > 1 else [] for group in groups]
    nodes = [(_node(algorithm, group), [place]) for place, group in enumerate(groups)]  # with the groups below
    while len(nodes) > 1:
        above = []
        for here in range(0, len(nodes) - 1, 2):
            (left, of_left), (right, of_right) = nodes[here : here + 2]
            for group, own, other in [
                *((each, left, right) for each in of_left),
                *((each, right, left) for each in of_right),
            ]:
                # The first list of a group of one holds its own digest too; later lists what joins the node below.
                ways[group].append((other,) if ways[group] else tuple(sorted((own, other))))
            above.append((_node(algorithm, [left, right]), of_left + of_right))
        nodes = above + nodes[2 * len(above) :]
    return nodes[0][0], ways


def _node(algorithm: str, values: Sequence[bytes]) -> bytes:
    """The digest of several in binary ascending order; one alone stands for itself."""
    return values[0] if len(values) == 1 else DIGESTS[algorithm](b"".join(sorted(values)))


# ---- checking --------------------------------------------------------------------------------------------------------


def verify(record: EvidenceRecord, group: Digests, authorities: Sequence[Authority], at: datetime) -> Proven:
    """Whether the record is about exactly these files, and holds from its first token to the last (RFC 4998 5.3).

    Args:
        record: as read.
        group: the digests of the files, by each of the record's algorithms.
        authorities: whose tokens count.
        at: the time of the check.

    Raises:
        Invalid: `evidence.record_other_data`, about other files, more or fewer; `evidence.record_broken`, a renewal
            that does not cover what it renews; `evidence.record_late`, a token made when the certificate of the one
            before had ended; `evidence.record_over`, when the last one has ended; `evidence.record_algorithm`;
            what `ledger.timestamp.verify_statement` raises of any token.
    """
    stamps: list[Stamp] = []
    for number, chain in enumerate(record.chains):
        algorithm = chain[0].algorithm
        if algorithm not in DIGESTS or algorithm not in group:
            raise Invalid("evidence.record_algorithm", algorithm=algorithm)
        older = record.chains[:number]
        wanted = _renewed(algorithm, group[algorithm], older) if older else set(group[algorithm])
        for place, each in enumerate(chain):
            broken = "evidence.record_broken" if older or place else "evidence.record_other_data"
            _must_be_over(each, wanted, partial(Invalid, broken))
            stamp = verify_statement(each.token, authorities, at)
            if stamps and not stamps[-1].time <= stamp.time <= stamps[-1].signer_until:
                raise Invalid("evidence.record_late", time=stamp.time.isoformat())
            stamps.append(stamp)
            wanted = {DIGESTS[algorithm](each.token)}
    if at > stamps[-1].signer_until:
        raise Invalid("evidence.record_over", until=stamps[-1].signer_until.isoformat())
    return Proven(existed_by=stamps[0].time, until=stamps[-1].signer_until, stamps=tuple(stamps))


def _must_be_over(each: ArchiveTimeStamp, wanted: set[bytes], wrong: Callable[[], Invalid]) -> None:
    """The token is over what is wanted and, where that is several digests, over these alone as a group."""
    first = set(each.tree[0]) if each.tree else set(wanted)
    if len(wanted) == 1:
        first &= wanted  # beside one digest alone stand those of others, of whom nothing is known
    if first != wanted or (not each.tree and len(wanted) != 1):
        raise wrong()
    info = parse_token(each.token).info
    if info.algorithm != each.algorithm or info.imprint != each.root(min(wanted)):
        raise wrong()


# ---- reading ---------------------------------------------------------------------------------------------------------


def _sequence(chains: Iterable[Iterable[ArchiveTimeStamp]]) -> bytes:
    """ArchiveTimeStampSequence."""
    return der.sequence(*(der.sequence(*(each.encode() for each in chain)) for chain in chains))


def _record(parts: Reader) -> EvidenceRecord:
    if der.integer(parts.take(INTEGER)) != 1:
        raise ValueError("another version")
    parts.take(SEQUENCE)  # the digest algorithms; they are printed anew
    sequence = parts.take(SEQUENCE)
    parts.end()
    chains = [Reader(each.content).rest() for each in Reader(sequence.content).rest()]
    if not chains or not all(chains) or sum(map(len, chains)) > MAX_STAMPS:
        raise ValueError("no chain, an empty one, or too many time-stamps")
    record = EvidenceRecord(chains=tuple(tuple(map(_archive, chain)) for chain in chains))
    if any(len({each.algorithm for each in chain}) != 1 for chain in record.chains):
        raise ValueError("a chain has one digest algorithm")
    return record


def _archive(element: Element) -> ArchiveTimeStamp:
    if element.tag != SEQUENCE:
        raise ValueError("not an archive time-stamp")
    parts = Reader(element.content)
    algorithm = algorithm_of(parts.take(0xA0))
    tree = parts.maybe(0xA2)
    token = parts.take(SEQUENCE)
    parts.end()
    levels = [] if tree is None else Reader(tree.content).rest()
    if len(levels) > MAX_LEVELS or (tree is not None and not levels):
        raise ValueError("a tree has levels, and not too many")
    return ArchiveTimeStamp(algorithm=algorithm, tree=tuple(map(_level, levels)), token=token.raw)


def _level(element: Element) -> tuple[bytes, ...]:
    found = Reader(element.content).rest()
    if element.tag != SEQUENCE or not 0 < len(found) <= MAX_GROUP or any(each.tag != OCTET_STRING for each in found):
        raise ValueError("a list of digests")
    values = tuple(each.content for each in found)
    if list(values) != sorted(set(values)):
        raise ValueError("digests in binary ascending order, each once")
    return values
