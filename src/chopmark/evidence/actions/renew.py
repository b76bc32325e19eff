"""Renew: bundles whose proofs end soon get an evidence record, or the next time-stamp in the one they have.

    renew_bundles(stampers, clock)      looks at every bundle; those that are due become a new file each

A renewed bundle is a row of its own, made from the one before, which stays as it is: whoever has the old file still
finds it here. Run twice, or by two at once, it renews what is due once: the newer row of a bundle is looked at only,
and of two rows with the same bytes one is kept. Meant for every night; a run that dies is made up for by the next.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from chopmark.base.errors import Invalid, PlatformError, Refused, Unavailable
from chopmark.evidence import stamps, wiring
from chopmark.evidence.actions.bundle import keep_bundle
from chopmark.evidence.actions.record import WORKER, changing, next_number, record
from chopmark.evidence.bundle.build import Stamper
from chopmark.evidence.custody import Fact
from chopmark.evidence.evidence_record import EvidenceRecord
from chopmark.evidence.models import Bundle
from chopmark.evidence.renewal import LEAD, Standing, extend, renewed, stand
from chopmark.ledger.timestamp import Authority, verify_statement

PORTION = 100  # bundles under one token
MOST = 1000  # bundles in one run; the others follow the night after


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewed:
    """What came of a run.

    Attributes:
        seen: bundles looked at.
        due: numbers of those that had to be renewed.
        made: numbers of the new ones.
        troubles: number of a bundle and the code of what stopped it.
    """

    seen: int
    due: tuple[str, ...]
    made: tuple[str, ...]
    troubles: tuple[tuple[str, str], ...]


def renew_bundles(
    stampers: Sequence[Stamper], clock: Callable[[], datetime], *, lead: timedelta = LEAD, look_only: bool = False
) -> Renewed:
    """Renew what ends within `lead`.

    Args:
        stampers: time-stamp authorities; one that is not the platform's own is asked first.
        clock: the time.
        lead: how long before the end.
        look_only: find what is due, and change nothing.

    Raises:
        Unavailable: `evidence.renewal_unstamped` when no authority answers; what the database raises.
    """
    seen, troubles = 0, list[tuple[str, str]]()
    due: list[tuple[Bundle, Standing]] = []
    authorities, at = stamps.authorities(), clock()
    for row in _newest():
        seen += 1
        try:
            with wiring.bundles().path(bytes(row.sha256 or b"")).open("rb") as file:
                standing = stand(file, authorities, at)
        except PlatformError as error:
            troubles.append((row.number, error.code))
            continue
        except FileNotFoundError:
            troubles.append((row.number, "matter.file_gone"))
            continue
        if standing.until - at < lead and len(due) < MOST:
            due.append((row, standing))
    made = []
    for here in range(0, 0 if look_only else len(due), PORTION):
        portion = due[here : here + PORTION]
        records = renewed([standing for _, standing in portion], lambda digest: _token(stampers, digest))
        for (row, standing), new in zip(portion, records, strict=True):
            try:
                _must_gain(standing, new, authorities, at)
                made.append(_replace(row, standing, new, clock()))
            except (Invalid, Refused) as error:
                troubles.append((row.number, error.code))
    return Renewed(seen=seen, due=tuple(row.number for row, _ in due), made=tuple(made), troubles=tuple(troubles))


def _newest() -> Iterator[Bundle]:
    """Finished bundles that no other was made from."""
    followed = Bundle.objects.filter(signed_from__isnull=False, deleted_at=None).values("signed_from")
    found = Bundle.objects.filter(state="done", deleted_at=None, sha256__isnull=False).exclude(pk__in=followed)
    return found.order_by("made_at", "pk").iterator(chunk_size=PORTION)


def _token(stampers: Sequence[Stamper], digest: bytes) -> bytes:
    """A token of the first authority that answers, the independent ones before the platform's."""
    for each in sorted(stampers, key=lambda each: each.own):
        if len(digest) != hashlib.sha256().digest_size:
            break  # authorities are asked for SHA-256 only
        try:
            return each.token(digest)
        except Unavailable:
            continue
    raise Unavailable("evidence.renewal_unstamped")


def _must_gain(standing: Standing, new: EvidenceRecord, authorities: Sequence[Authority], at: datetime) -> None:
    """A token of an authority that ends no later would be followed by another one every night."""
    if verify_statement(new.last.token, authorities, at).signer_until <= standing.until:
        raise Refused("evidence.renewal_no_gain")


def _replace(row: Bundle, standing: Standing, new: EvidenceRecord, at: datetime) -> str:
    """The bundle with its record as a row and a file of its own; the number."""
    with tempfile.TemporaryFile(dir=wiring.home()) as out:
        with wiring.bundles().path(bytes(row.sha256 or b"")).open("rb") as file:
            extend(file, out, standing, new)
        out.seek(0)
        digests = keep_bundle(out)
    with changing(row.matter_id, None) as matter:
        known = Bundle.objects.filter(signed_from=row, signatures=row.signatures, deleted_at=None).first()
        if known is not None:  # another run was faster
            return known.number
        made = Bundle.objects.create(
            number=next_number("bundle", "B", at),
            matter=matter,
            organisation=row.organisation,
            made_by=row.made_by,
            items=list(row.items),
            attachments=list(row.attachments),
            state="done",
            not_before=at,
            made_at=at,
            ended_at=at,
            sha256=digests.sha256,
            size=digests.size,
            custody_lines=row.custody_lines,
            custody_deposit=row.custody_deposit,
            signatures=row.signatures,
            signed_from=row,
        )
        facts: dict[str, Fact] = {"bundle": made.number, "of": row.number, "sha256": digests.sha256.hex()}
        record(matter, "bundle.renewed", who=WORKER, at=at, facts=facts)
    return made.number
