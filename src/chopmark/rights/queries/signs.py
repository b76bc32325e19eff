"""Whether the picture of a mark was brought by somebody who had it: a digest in a record shows nobody a file.

A record names its picture by digest, and anybody may write any digest into a record of their own. The platform shows
or describes the file of that digest only where it lies, kept, as a paper beside a right that names it.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from django.db.models import F

from chopmark.base.errors import Refused
from chopmark.evidence import queries as evidence_queries
from chopmark.people.actor import Actor
from chopmark.rights.models import Paper
from chopmark.rights.queries.registry import reader_of, row_of


def sign_of(actor: Actor, which: UUID | str, *, at: datetime) -> bytes | None:
    """The digest of the picture of a mark, where its file was brought for this right; None where it was not.

    Raises:
        Refused: `rights.not_found`; what people's `must` raises.
    """
    row = row_of(actor, which, at=at)
    image = None if row.image is None else bytes(row.image)
    if image is None or not any(map(_kept, row.papers.filter(sha256=image))):
        return None
    return image


def brought(images: Collection[bytes]) -> frozenset[bytes]:
    """Those of these digests whose file was brought beside a right that names it. For this room only."""
    papers = Paper.objects.filter(sha256__in=images, right__image=F("sha256"))
    return frozenset(bytes(each.sha256) for each in papers if _kept(each))


def _kept(paper: Paper) -> bool:
    try:
        return evidence_queries.deposit_of(reader_of(paper.organisation), paper.deposit).kept
    except Refused:  # the deposit is not where the paper says
        return False
