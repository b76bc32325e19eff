"""What persons said of the hits of a rule, counted so that nobody can make a rule look better than it is.

A hit is a label of each version of a rule that fired on it:

 1 in the order in which hits were found, up to the first that nobody has judged: who takes only the easy ones proves
   nothing, and one card of ten is the oldest hit that waits (`review.OLDEST`)
 2 confirmed, where one of the marketplace's own confirmed it by itself, not in a decision over many; dismissed, whoever
   said so; half decided counts as not confirmed
 3 not by the word of somebody who is wrong with more than a fifth of the golden samples
 4 where harsh measures need two persons, at most nine of ten confirmations are of one person

What two keys did without a person proves nothing about itself; of that, what was drawn for audit counts, as it was
answered. For this room only: no actor is asked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from django.db.models import Q

from chopmark.watch import features
from chopmark.watch.features import Value
from chopmark.watch.life import WAITING
from chopmark.watch.models import AuditSample, Hit, Marketplace, RuleVersion, Vote

LEAST_GOLDEN: Final = 5
"""Golden samples before they say anything of their reader."""
RIGHT_GOLDEN: Final = 4, 5
"""At least four of five have to be right."""
OF_ONE: Final = 9
"""Confirmations of one person for each of all the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """How many samples of a version of a rule were judged, and how many of these confirmed."""

    confirmed: int
    labelled: int


@dataclass(slots=True)
class _Tally:
    """Confirmations by person, and what was not confirmed."""

    confirmed: Counter[int] = field(default_factory=Counter)
    wrong: int = 0

    def labels(self, *, several: bool) -> Labels:
        """With what one person may say alone, where `several` have to."""
        total, most = sum(self.confirmed.values()), max(self.confirmed.values(), default=0)
        counted = min(total, (OF_ONE + 1) * (total - most)) if several else total
        return Labels(confirmed=counted, labelled=counted + self.wrong)


def labels_of(organisation: UUID, versions: Collection[str]) -> Mapping[str, Labels]:
    """Of versions of the rules of an organisation that runs marketplaces, by their digest in hexadecimal."""
    rows = RuleVersion.objects.filter(rule__organisation=organisation, sha256__in=[bytes.fromhex(v) for v in versions])
    since: dict[str, datetime] = {}
    for digest, made in rows.values_list("sha256", "made_at"):
        since[bytes(digest).hex()] = min(made, since.get(bytes(digest).hex(), made))
    tallies = {version: _Tally() for version in since}
    if since:
        believed = _Believed(organisation)
        audited = _count_audits(organisation, since, tallies, believed)
        _count_hits(organisation, since, tallies, believed, audited=audited)
    several = Marketplace.objects.filter(organisation=organisation, two_persons=True).exists()
    return {version: tallies.get(version, _Tally()).labels(several=several) for version in versions}


def samples_of(organisation: UUID, *, most: int) -> tuple[list[Mapping[str, Value]], list[bool]]:
    """Rows of hits that persons decided, and whether they confirmed: in the order in which they were found.

    Of what an organisation's marketplaces have; the same words count as for `labels_of`, but for the order: weights may
    be learned of what was judged first. The newest `most`.
    """
    believed = _Believed(organisation)
    alone = _alone(organisation, datetime(1970, 1, 1, tzinfo=UTC), believed)
    decided = Hit.objects.filter(marketplace__organisation=organisation, automatic=False)
    rows: list[Mapping[str, Value]] = []
    labels: list[bool] = []
    states = decided.filter(state__in=("confirmed", "dismissed")).order_by("-found_at", "-number")
    for pk, said, state in states.values_list("pk", "features", "state")[:most]:
        if state == "confirmed" and pk not in alone:
            continue
        rows.append(features.row({name: value for name, value in said.items() if name in features.FEATURES}))
        labels.append(state == "confirmed")
    return rows[::-1], labels[::-1]


class _Believed:
    """Whose word counts: of this organisation, and not often wrong with golden samples."""

    def __init__(self, organisation: UUID) -> None:
        self._organisation = organisation
        answered: Counter[int] = Counter()
        right: Counter[int] = Counter()
        golden = Vote.objects.filter(organisation=organisation, golden__organisation=organisation, undone_at=None)
        for user, said, known in golden.exclude(answer="skip").values_list("user", "answer", "golden__answer"):
            answered[user] += 1
            right[user] += said == known
        few, many = RIGHT_GOLDEN
        self._not = {
            user for user, all_ in answered.items() if all_ >= LEAST_GOLDEN and many * right[user] < few * all_
        }

    def __call__(self, user: int, organisation: UUID) -> bool:
        return organisation == self._organisation and user not in self._not


def _count_audits(
    organisation: UUID, since: Mapping[str, datetime], tallies: Mapping[str, _Tally], believed: _Believed
) -> set[UUID]:
    """Automatic measures that were drawn and judged; their hits."""
    samples = AuditSample.objects.filter(
        marketplace__organisation=organisation, kind="automatic", answer__in=("confirm", "dismiss"), hit__isnull=False
    )
    said: dict[int, tuple[int, UUID]] = {
        audit: (user, of)
        for audit, user, of in Vote.objects.filter(audit__in=samples, undone_at=None)
        .exclude(answer="skip")
        .values_list("audit", "user", "organisation")
    }
    audited: set[UUID] = set()
    for pk, hit, rules, answer, taken in samples.values_list("pk", "hit", "hit__rules", "answer", "taken_at"):
        audited.add(hit)
        for _, version in rules:
            if version in since and taken >= since[version]:
                if answer == "dismiss":
                    tallies[version].wrong += 1
                elif pk in said and believed(*said[pk]):
                    tallies[version].confirmed[said[pk][0]] += 1
    return audited


def _count_hits(
    organisation: UUID,
    since: Mapping[str, datetime],
    tallies: Mapping[str, _Tally],
    believed: _Believed,
    *,
    audited: Collection[UUID],
) -> None:
    """Hits that persons decided, up to the first that waits."""
    first = min(since.values())
    alone = _alone(organisation, first, believed)
    going = set(since)
    rows = (  # what persons decided or have to: as many as persons can, however many two keys decide
        Hit.objects.filter(marketplace__organisation=organisation, found_at__gte=first)
        .filter(Q(state__in=(*WAITING, "dismissed")) | Q(state="confirmed", automatic=False))
        .order_by("found_at", "pk")
    )
    for pk, found, rules, state in rows.values_list("pk", "found_at", "rules", "state").iterator():
        mine = [version for _, version in rules if version in going and found >= since[version]]
        if not mine or pk in audited:
            continue
        if state == "open":
            going.difference_update(mine)
        for version in mine:
            if state in ("dismissed", "second", "contested"):
                tallies[version].wrong += 1
            elif state == "confirmed" and pk in alone:
                tallies[version].confirmed[alone[pk]] += 1
        if not going:
            return


def _alone(organisation: UUID, first: datetime, believed: _Believed) -> Mapping[UUID, int]:
    """By hit, who of those whose word counts confirmed it by itself, first."""
    votes = Vote.objects.filter(
        hit__marketplace__organisation=organisation,
        hit__found_at__gte=first,
        undone_at=None,
        answer="confirm",
        batch=None,
    )
    said: dict[UUID, int] = {}
    for hit, user, of in votes.order_by("pk").values_list("hit", "user", "organisation"):
        if believed(user, of):
            said.setdefault(hit, user)
    return said
