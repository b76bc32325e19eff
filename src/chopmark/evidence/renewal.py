"""Renewal of bundles: until when the proofs of one hold, and the evidence record that keeps them holding after.

    standing = stand(file, authorities, at)
    if standing.until - at < LEAD:
        [record] = renewed([standing], stamp)
        extend(file, out, standing, record)         a copy with the record in META-INF

The first record covers every file of the bundle, signatures and tokens included; later ones renew it in place. One
that no longer covers everything, since a notary signed after it, is left as it is and followed by another.

A bundle holds until the first certificate ends of the trusted authorities that stamped it last; with a record, until
the certificate of its last token does, or until its digest algorithm is no longer thought safe (ENDS).
Pure: no network and no clock.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import BinaryIO

from chopmark.base.errors import Invalid
from chopmark.evidence.bundle.asic import (
    AsicManifest,
    Reference,
    manifest_name,
    record_manifest_name,
    record_name,
    type_of_proof,
)
from chopmark.evidence.bundle.build import MANIFEST_TYPE, MAX_PROOF, MAX_PROOFS, Built, Proofs, add_proofs
from chopmark.evidence.bundle.container import CHUNK, META_INF, Container, place
from chopmark.evidence.bundle.manifest import MANIFEST_NAME, MAX_MANIFEST, Manifest
from chopmark.evidence.evidence_record import EvidenceRecord, renew_hash_trees, renew_time_stamps, start, verify
from chopmark.ledger.cms import SHA256, SHA512
from chopmark.ledger.timestamp import Authority, verify_statement

LEAD = timedelta(days=90)  # how long before the end a bundle is renewed
ENDS: Mapping[str, datetime] = MappingProxyType({})
"""When a digest algorithm is no longer thought safe, by object identifier. No end is known of the SHA-2 family (NIST
SP 800-57 part 1 names none beyond 2031 for 128 bits of security); a release that learns of one enters it here."""
SUCCESSOR = SHA512
_FUNCTIONS = {SHA256: hashlib.sha256, SHA512: hashlib.sha512}


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a bundle stands.

    Attributes:
        until: when its proofs no longer hold.
        number: of the record that is to be renewed, or to be made.
        record: the one that is there and covers everything; None when one is to be made.
        covered: what the record covers or shall cover.
        algorithm: the digest algorithm that the next record is made with.
        digests: of what is covered by `algorithm`, in the order of `covered`.
    """

    until: datetime
    number: int
    record: EvidenceRecord | None
    covered: tuple[Reference, ...]
    algorithm: str
    digests: tuple[bytes, ...]

    @property
    def kind(self) -> tuple[bool, str, bool]:
        """Standings of the same kind are renewed together, under one token."""
        return self.record is not None, self.algorithm, self.needs_tree

    @property
    def needs_tree(self) -> bool:
        """Whether the record goes over to another algorithm."""
        return self.record is not None and self.record.last.algorithm != self.algorithm


def stand(
    file: BinaryIO, authorities: Sequence[Authority], at: datetime, ends: Mapping[str, datetime] = ENDS
) -> Standing:
    """How a bundle stands. Files are hashed only when their digest algorithm is near its end.

    Raises:
        Invalid: what opening the container and its manifest raises.
    """
    container = Container(file)
    there = {name: container.read(name, MAX_PROOF) for name in container.names if name.startswith(META_INF)}
    everything = _everything(container, there)
    number = max((each for each in range(1, MAX_PROOFS + 1) if record_name(each) in there), default=0)
    listed = _listed(there, record_manifest_name(number))
    own = {record_name(number), record_manifest_name(number)}
    wanted = tuple(each for each in everything if each.uri not in own)
    record, until = None, None
    if listed is not None and listed.references == wanted and listed.sig_reference == record_name(number):
        record, until = _held(there.get(record_name(number), b""), wanted, container, authorities, at)
    if record is None or until is None:
        number, wanted, until = number + 1, everything, _until(there, authorities, at)
    used = record.last.algorithm if record is not None else SHA256
    fading = used in ends and ends[used] - at < LEAD
    algorithm = SUCCESSOR if fading else used
    digests = tuple(each.sha256 for each in wanted)
    if algorithm != SHA256:
        digests = tuple(_digest(container, each.uri, algorithm) for each in wanted)
    return Standing(
        until=min(until, ends.get(used, until)),
        number=number,
        record=record,
        covered=wanted,
        algorithm=algorithm,
        digests=digests,
    )


def renewed(standings: Sequence[Standing], stamp: Callable[[bytes], bytes]) -> tuple[EvidenceRecord, ...]:
    """The record that each bundle shall have; bundles of the same kind share one token.

    Args:
        standings: of any kinds.
        stamp: makes an RFC 3161 token over a digest.
    """
    made: dict[int, EvidenceRecord] = {}
    for kind in dict.fromkeys(each.kind for each in standings):
        places = [here for here, each in enumerate(standings) if each.kind == kind]
        records = [each.record for each in (standings[here] for here in places) if each.record is not None]
        groups = [standings[here].digests for here in places]
        there, algorithm, needs_tree = kind
        if not there:
            new = start(groups, stamp, algorithm)
        elif needs_tree:
            new = renew_hash_trees(records, groups, stamp, algorithm)
        else:
            new = renew_time_stamps(records, stamp)
        made |= dict(zip(places, new, strict=True))
    return tuple(made[here] for here in range(len(standings)))


def extend(bundle: BinaryIO, out: BinaryIO, standing: Standing, record: EvidenceRecord) -> Built:
    """Write a copy of the bundle that carries the record. Every file is compared with the manifest on the way.

    Raises:
        Invalid: `evidence.renewal_differs` when the bundle is not the one that was looked at; what `add_proofs` raises.
    """
    own = {record_name(standing.number), record_manifest_name(standing.number)}

    def more(proofs: Proofs) -> dict[str, bytes]:
        if tuple(each for each in proofs.covering() if each.uri not in own) != standing.covered:
            raise Invalid("evidence.renewal_differs")
        listed = AsicManifest(sig_reference=record_name(standing.number), references=standing.covered)
        return {record_manifest_name(standing.number): listed.encode(), record_name(standing.number): record.encode()}

    return add_proofs(bundle, out, more)


def _everything(container: Container, there: Mapping[str, bytes]) -> tuple[Reference, ...]:
    """References to all files, as `Proofs.covering` gives them when a copy is made."""
    encoded = container.read(MANIFEST_NAME, MAX_MANIFEST)
    outside = [Reference(MANIFEST_NAME, MANIFEST_TYPE, hashlib.sha256(encoded).digest())]
    outside += [Reference(each.path, each.media_type, each.sha256) for each in Manifest.parse(encoded).listed]
    inside = [
        Reference(name, type_of_proof(name), hashlib.sha256(data).digest()) for name, data in sorted(there.items())
    ]
    return (*sorted(outside, key=lambda each: place(each.uri)), *inside)


def _listed(there: Mapping[str, bytes], name: str) -> AsicManifest | None:
    try:
        return AsicManifest.parse(there[name]) if name in there else None
    except Invalid:
        return None  # it counts for nothing, and another record follows


def _until(there: Mapping[str, bytes], authorities: Sequence[Authority], at: datetime) -> datetime:
    """When the first certificate ends of those behind the tokens that cover the last signature; `at` without any."""
    signatures = {name for name in there if name.endswith(".p7s")}
    found = []
    for number in range(1, MAX_PROOFS + 1):
        listed = _listed(there, manifest_name(number))
        if listed is None or not listed.sig_reference.endswith(".tst"):
            continue
        if signatures <= {each.uri for each in listed.references}:
            try:
                found.append(verify_statement(there.get(listed.sig_reference, b""), authorities, at).signer_until)
            except Invalid:
                continue  # by nobody who is trusted here, or damaged: it holds nothing
    return min(found, default=at)


def _held(
    data: bytes, covered: Sequence[Reference], container: Container, authorities: Sequence[Authority], at: datetime
) -> tuple[EvidenceRecord | None, datetime | None]:
    """The record and when its last certificate ends; nothing for one that does not hold any more."""
    try:
        record = EvidenceRecord.parse(data)
        groups = {
            name: [each.sha256 if name == SHA256 else _digest(container, each.uri, name) for each in covered]
            for name in record.algorithms
            if name in _FUNCTIONS
        }
        return record, verify(record, groups, authorities, at).until
    except Invalid:
        return None, None


def _digest(container: Container, name: str, algorithm: str) -> bytes:
    digester = _FUNCTIONS[algorithm]()
    with container.open(name) as source:
        while chunk := source.read(CHUNK):
            digester.update(chunk)
    return digester.digest()
