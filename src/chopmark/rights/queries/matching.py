"""What a query matches among the works that are registered, for searches and before filing. For this room only."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from django.db.models import Q

from chopmark.media.fingerprint import Fingerprint
from chopmark.media.index import RADIUS, SIZE
from chopmark.rights.models import Common, WorkFile
from chopmark.rights.models import Work as WorkRow
from chopmark.rights.queries import library

if TYPE_CHECKING:
    from chopmark.media.match import Looked

MOST_COMMONS = 5000
"""Entries of one organisation on its list of what is no match."""


def resembling(path: Path, digest: bytes, organisation: UUID) -> tuple[WorkRow, ...]:
    """Works in force that share something with a file, best first."""
    query = library.tools().workshop.fingerprint(path, query=True)
    found = matches_of(query, digest, organisation, RADIUS).matches
    works = {
        row.pk: row.work
        for row in WorkFile.objects.filter(pk__in=[each.file for each in found]).select_related("work").defer("print")
    }
    return tuple({works[each.file].pk: works[each.file] for each in found if each.file in works}.values())


def matches_of(query: Fingerprint, digest: bytes, organisation: UUID, radius: int) -> Looked:
    """What a query matches, after what says nothing and what is quarantined was left out.

    The same bytes match whatever they are.
    """
    from chopmark.media.match import Looked, Match, Part  # noqa: PLC0415 (loaded for the first search)

    asked, common = without_common(query, organisation)
    looked = Looked(matches=()) if common else library.tools().library.look(asked, radius=radius)
    same = WorkFile.objects.filter(sha256=digest, gone=None, state="done", work__state="filed")
    seen = {each.file: each for each in looked.matches}
    for pk, kind in same.values_list("pk", "kind"):
        parts = seen[pk].parts if pk in seen else (Part(score=1000),)
        why = {**(seen[pk].why if pk in seen else {})}
        seen[pk] = Match(file=pk, kind=library.kind_of(kind), stage="same", score=1000, parts=parts, why=why)
    allowed = WorkFile.objects.filter(pk__in=list(seen), gone=None, work__state="filed")
    shown = set(allowed.filter(Q(held_at=None) | Q(work__organisation=organisation)).values_list("pk", flat=True))
    kept = sorted((each for each in seen.values() if each.file in shown), key=lambda each: -each.score)
    return replace(looked, matches=tuple(kept))


def without_common(query: Fingerprint, organisation: UUID) -> tuple[Fingerprint, bool]:
    """The query without codes that say nothing, and whether the whole picture is one of those."""
    rows = Common.objects.filter(Q(organisation=organisation) | Q(organisation=None), removed_at=None)
    bits = b"".join(bytes(each) for each in rows.values_list("bits", flat=True)[: 2 * MOST_COMMONS])
    if not bits or not query.codes:
        return query, False

    import numpy as np  # noqa: PLC0415 (loaded for the first search)

    from chopmark.media.index.bands import distances, words_of  # noqa: PLC0415 (the same)

    known = words_of(np.frombuffer(bits, np.uint8).reshape(-1, SIZE))
    asked = words_of(np.frombuffer(b"".join(each.bits for each in query.codes), np.uint8).reshape(-1, SIZE))
    near = [bool((distances(known, each) <= RADIUS).any()) for each in asked]
    kept = tuple(code for code, common in zip(query.codes, near, strict=True) if not common)
    whole = any(
        common and code.region in ("whole", "trimmed") and query.kind == "picture"
        for code, common in zip(query.codes, near, strict=True)
    )
    return replace(query, codes=kept), whole
