"""Review: a person takes a card, says what it is, and may take that back.

    claim_review    the next card: a hit, now and then a golden or an audit sample; nobody else gets it meanwhile
    decide_card     the answer to a card; decide_hit to a hit that was opened by itself; decide_many to a list
    undo, undo_many

Harsh measures need two persons: the first confirmation only moves the hit on, the second sends the measure, and where
they differ a third decides. A right's holder may judge hits on a marketplace that others run, and sends nothing there
alone: whatever is confirmed, one of the marketplace's own has confirmed. Votes count for the finding that they were
given on: a hit that is opened again by another one is judged anew, by the same persons too. Votes are of persons: a
program may read hits, and judges none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID, uuid4

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery

from chopmark.base.errors import Invalid, PlatformError, Refused
from chopmark.evidence import wiring as evidence_wiring
from chopmark.people.actor import Actor
from chopmark.watch import life, sampling, wiring
from chopmark.watch.actions.common import must_read, note, recount, step
from chopmark.watch.actions.measure import ask, take_back
from chopmark.watch.life import CONFIRMING, DISMISSING, HARSH, REOPENING, WAITING, Answer
from chopmark.watch.models import AuditSample, Claim, GoldenSample, Hit, HitEvent, Vote
from chopmark.watch.queries import access
from chopmark.watch.queries.queue import MOST_URGENT, OLDEST_FIRST, Card, card_of

LEASE: Final = timedelta(minutes=15)
MAX_MANY: Final = 1000
GOLDEN: Final = 50_000
"""Of a million cards that are golden ones: 5 %."""
AUDIT: Final = 100_000
"""Of a million cards that are audit samples, while any wait: 10 %."""
OLDEST: Final = 100_000
"""Of a million cards that are the oldest hit, not the most urgent: 10 %, so that what proves a rule is whole."""

Ask = Literal["", "hold", "takedown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """What a person says.

    Attributes:
        why: a reason of `life.Reason`; may be empty for `skip`.
        measure: what a confirmation asks of the marketplace.
    """

    answer: Answer
    why: str = ""
    note: str = ""
    measure: Ask = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What came of an answer.

    Attributes:
        number: of the hit; empty for an audit of what nothing flagged.
        state: of the hit afterwards.
        golden: whether the answer to a golden sample was right; None for anything else.
    """

    number: str
    state: str
    golden: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Many:
    """What came of a decision over many.

    Attributes:
        batch: undoes all of them. done: hits decided; failed: numbers with their errors.
    """

    batch: UUID
    done: tuple[Said, ...]
    failed: tuple[tuple[str, PlatformError], ...]


@evidence_wiring.answering()
def claim_review(*, by: Actor, at: datetime, marketplace: str = "") -> Card | None:
    """The next card for this person, or the one still on the desk; None when nothing waits.

    Raises:
        Refused: `watch.person_needed`; what people's `must` raises.
    """
    user = _person(by)
    by.must("review_hits")
    with transaction.atomic():
        Claim.objects.filter(done_at=None, until__lte=at).update(done_at=at)
        held = (
            Claim.objects.filter(user=user, organisation=by.organisation_id, done_at=None).order_by("made_at").first()
        )
        if held is not None:
            held.until = at + LEASE
            held.save(update_fields=["until"])
            return card_of(held, by)
    turn = f"{user}:{by.organisation_id}:{Vote.objects.filter(user=user).count()}"
    key = wiring.golden_key()
    if sampling.drawn(key, GOLDEN, "golden", turn) and (golden := _golden(by, user)) is not None:
        return _claimed(by, user, at, golden=golden)
    if sampling.drawn(key, AUDIT, "audit", turn) and (card := _audit(by, user, at)) is not None:
        return card
    oldest = sampling.drawn(key, OLDEST, "oldest", turn)
    return _hit(by, user, at, marketplace=marketplace, oldest=oldest) or _audit(by, user, at)


@evidence_wiring.answering()
def give_back_card(claim: UUID, *, by: Actor, at: datetime) -> None:
    """Put a card back unanswered: another may take it.

    Raises:
        Refused: `watch.claim_over`, `watch.person_needed`; what people's `must` raises.
    """
    by.must("review_hits")
    with transaction.atomic():
        row = _own_claim(claim, by, at)
        row.done_at = at
        row.save(update_fields=["done_at"])


@evidence_wiring.answering()
def decide_card(claim: UUID, said: Opinion, *, by: Actor, at: datetime) -> Said:
    """Answer a card that is on this person's desk.

    Raises:
        Refused: `watch.claim_over`, `watch.person_needed`, `watch.same_person`, `watch.hit_state_wrong`,
            `watch.hit_not_found`, `watch.marketplace_person_needed` where a right's holder would be the second of two
            from outside; what people's `must` raises.
        Invalid: `watch.answer_unfit`, `watch.text_malformed`.
    """
    by.must("review_hits")
    user = _person(by)
    must_fit(said)
    with transaction.atomic():
        row = _own_claim(claim, by, at)
        row.done_at = at
        row.save(update_fields=["done_at"])
        if row.golden_id is not None:
            golden = GoldenSample.objects.select_related("hit").get(pk=row.golden_id)
            _vote(said, user, by, at, golden=golden)
            right = None if said.answer == "skip" else said.answer == golden.answer
            return Said(number=golden.hit.number, state="open", golden=right)
        if row.audit_id is not None:
            return _decide_audit(row.audit_id, said, user, by, at)
        hit = access.hit(by, row.hit_id or UUID(int=0), "review_hits", lock=True)
        return _decide(hit, said, user, by, at)


@evidence_wiring.answering()
def decide_hit(which: UUID | str, said: Opinion, *, by: Actor, at: datetime) -> Said:
    """Answer a hit that nobody else has on the desk.

    Raises:
        Refused: `watch.hit_taken`, and as `decide_card`.
        Invalid: as `decide_card`.
    """
    by.must("review_hits")
    user = _person(by)
    must_fit(said)
    with transaction.atomic():
        return _decide_free(which, said, user, by, at)


@evidence_wiring.answering()
def decide_many(which: Sequence[str], said: Opinion, *, by: Actor, at: datetime) -> Many:
    """The same answer to many hits, each by itself; all can be undone together.

    Raises:
        Refused: `watch.too_many`, `watch.person_needed`; what people's `must` raises.
        Invalid: `watch.answer_unfit`, `watch.text_malformed`.
    """
    by.must("review_hits")
    user = _person(by)
    must_fit(said)
    if len(which) > MAX_MANY:
        raise Refused("watch.too_many", limit=MAX_MANY)
    batch, done, failed = uuid4(), [], []
    for each in dict.fromkeys(which):
        try:
            with transaction.atomic():
                done.append(_decide_free(each, said, user, by, at, batch=batch))
        except (Refused, Invalid) as error:
            failed.append((each, error))
    return Many(batch=batch, done=tuple(done), failed=tuple(failed))


@evidence_wiring.answering()
def undo(which: UUID | str, *, by: Actor, at: datetime) -> Said:
    """Take back the last decision on a hit: by who made it, or an owner of that organisation or of the marketplace's.

    What was sent is restored.

    Raises:
        Refused: `watch.hit_not_found`, `watch.undo_others`, `watch.hit_state_wrong`, `watch.person_needed`; what
            people's `must` raises.
    """
    by.must("review_hits")
    user = _person(by)
    with transaction.atomic():
        return _undo(access.hit(by, which, "review_hits", lock=True), user, by, at)


@evidence_wiring.answering()
def undo_many(batch: UUID, *, by: Actor, at: datetime) -> Many:
    """Take back a decision over many, each where it still stands.

    Raises:
        Refused: `watch.person_needed`; what people's `must` raises.
    """
    by.must("review_hits")
    user = _person(by)
    votes = Vote.objects.filter(batch=batch, organisation=by.organisation_id, undone_at=None, hit__isnull=False)
    done, failed = [], []
    for number in votes.order_by("pk").values_list("hit__number", flat=True):
        try:
            with transaction.atomic():
                done.append(_undo(access.hit(by, number, "review_hits", lock=True), user, by, at, batch=batch))
        except Refused as error:
            failed.append((number, error))
    return Many(batch=batch, done=tuple(done), failed=tuple(failed))


@evidence_wiring.answering()
def add_golden(which: UUID | str, answer: Answer, *, by: Actor, at: datetime, note: str = "") -> None:
    """Show a hit that was decided, now and then, to the organisation's reviewers, who do not know; again changes it.

    Raises:
        Refused: `watch.hit_not_found`, `watch.golden_undecided`; what people's `must` raises.
        Invalid: `watch.answer_unfit`, `watch.text_malformed`.
    """
    if answer not in ("confirm", "dismiss"):
        raise Invalid("watch.answer_unfit", answer=answer)
    hit = access.hit(by, which, "manage_rules")
    if hit.state not in ("confirmed", "dismissed"):
        raise Refused("watch.golden_undecided", number=hit.number)
    said = {"answer": answer, "note": must_read(note), "stopped_at": None}
    GoldenSample.objects.update_or_create(
        hit=hit,
        organisation=by.organisation_id,
        defaults=said,
        create_defaults={**said, "made_by": by.user_id, "made_at": at},
    )


@evidence_wiring.answering()
def stop_golden(which: UUID | str, *, by: Actor, at: datetime) -> None:
    """Show it no more.

    Raises:
        Refused: `watch.hit_not_found`; what people's `must` raises.
    """
    hit = access.hit(by, which, "manage_rules")
    GoldenSample.objects.filter(hit=hit, organisation=by.organisation_id, stopped_at=None).update(stopped_at=at)


def must_fit(said: Opinion) -> None:
    """Stop at an answer whose reason or measure does not belong to it.

    Raises:
        Invalid: `watch.answer_unfit`, `watch.text_malformed`.
    """
    fits = {
        "confirm": said.why in CONFIRMING and said.measure in ("", "hold", "takedown"),
        "dismiss": said.why in DISMISSING and not said.measure,
        "skip": said.why in ("", *DISMISSING) and not said.measure,
    }
    if not fits.get(said.answer, False):
        raise Invalid("watch.answer_unfit", answer=str(said.answer)[:20])
    must_read(said.note)


# ---- cards -----------------------------------------------------------------------------------------------------------


def _hit(by: Actor, user: int, at: datetime, *, marketplace: str, oldest: bool) -> Card | None:
    """The most urgent hit, or the oldest, that is on nobody's desk and that this person has not answered."""
    taken = Claim.objects.filter(hit=OuterRef("pk"), done_at=None, golden=None, audit=None)
    opened = HitEvent.objects.filter(hit=OuterRef("hit"), kind__in=REOPENING, after="open").order_by("-pk")
    answered = Vote.objects.filter(
        hit=OuterRef("pk"), user=user, undone_at=None, at__gte=Subquery(opened.values("at")[:1])
    )

    def free(rows: QuerySet[Hit]) -> QuerySet[Hit]:
        rows = rows.filter(~Exists(taken), ~Exists(answered))
        return rows.filter(marketplace__name=marketplace.replace("\x00", "")) if marketplace else rows

    order = OLDEST_FIRST if oldest else MOST_URGENT
    for hit in access.first_hits(by, order, 20, permission="review_hits", states=WAITING, narrow=free):
        if (card := _try(by, user, at, hit=hit)) is not None:
            return card
    return None


def _audit(by: Actor, user: int, at: datetime) -> Card | None:
    taken = Claim.objects.filter(audit=OuterRef("pk"), done_at=None)
    rows = AuditSample.objects.filter(
        ~Exists(taken), marketplace__organisation=by.organisation_id, answered_at=None
    ).order_by("taken_at", "pk")
    for audit in rows[:20]:
        if (card := _try(by, user, at, audit=audit)) is not None:
            return card
    return None


def _golden(by: Actor, user: int) -> GoldenSample | None:
    seen = Q(votes__user=user, votes__undone_at=None)
    mine = Q(hit__votes__user=user)  # who decided it knows the answer
    rows = GoldenSample.objects.filter(organisation=by.organisation_id, stopped_at=None).exclude(seen).exclude(mine)
    return rows.order_by("made_at", "pk").first()


def _try(
    by: Actor, user: int, at: datetime, *, hit: Hit | None = None, audit: AuditSample | None = None
) -> Card | None:
    """A claim on this; None when somebody was faster."""
    try:
        with transaction.atomic():
            return _claimed(by, user, at, hit=hit, audit=audit)
    except IntegrityError:
        return None


def _claimed(
    by: Actor,
    user: int,
    at: datetime,
    *,
    hit: Hit | None = None,
    golden: GoldenSample | None = None,
    audit: AuditSample | None = None,
) -> Card:
    row = Claim.objects.create(
        user=user,
        organisation=by.organisation_id,
        hit=hit,
        golden=golden,
        audit=audit,
        made_at=at,
        until=at + LEASE,
    )
    return card_of(row, by)


def _own_claim(claim: UUID, by: Actor, at: datetime) -> Claim:
    row = (
        Claim.objects.select_for_update()
        .filter(pk=claim, user=_person(by), organisation=by.organisation_id, done_at=None, until__gt=at)
        .first()
    )
    if row is None:
        raise Refused("watch.claim_over")
    return row


# ---- answers ---------------------------------------------------------------------------------------------------------


def _decide_free(
    which: UUID | str, said: Opinion, user: int, by: Actor, at: datetime, *, batch: UUID | None = None
) -> Said:
    hit = access.hit(by, which, "review_hits", lock=True)
    others = Claim.objects.filter(hit=hit, golden=None, audit=None, done_at=None, until__gt=at).exclude(user=user)
    if others.exists():
        raise Refused("watch.hit_taken", number=hit.number)
    Claim.objects.filter(hit=hit, golden=None, audit=None, user=user, done_at=None).update(done_at=at)
    return _decide(hit, said, user, by, at, batch=batch)


def _decide(hit: Hit, said: Opinion, user: int, by: Actor, at: datetime, *, batch: UUID | None = None) -> Said:
    """One person's answer to a locked hit."""
    at = max(at, hit.changed_at)  # whoever waited for the lock answers what is there now
    if hit.state not in WAITING:
        raise Refused("watch.hit_state_wrong", state=hit.state, event=said.answer)
    before = list(_standing(hit))
    if said.answer != "skip" and any(each.user == user for each in before):
        raise Refused("watch.same_person", number=hit.number)
    confirming = [each.organisation for each in before if each.answer == "confirm"]
    inside = hit.marketplace.organisation in (by.organisation_id, *confirming)
    if said.answer == "confirm" and hit.state != "open" and not inside:
        raise Refused("watch.marketplace_person_needed", number=hit.number)
    _vote(said, user, by, at, hit=hit, batch=batch)
    facts = {"why": said.why, "measure": said.measure}
    if said.answer == "skip":
        note(hit, "skip", by=by, at=at, facts=facts)
        return Said(number=hit.number, state=hit.state)
    if said.answer == "confirm":
        _confirm(hit, said, by, at, inside=inside)
    else:
        own = hit.marketplace.organisation == by.organisation_id
        turned_down = own and hit.marketplace.organisation not in confirming
        event: life.Event = "dispute" if hit.state == "second" and not turned_down else "dismiss"
        step(hit, event, by=by, at=at, facts=facts)
        if event == "dismiss":
            hit.why, hit.wanted = said.why, ""
            take_back(hit, by=by, at=at)
    hit.save()
    recount([hit])
    return Said(number=hit.number, state=hit.state)


def _standing(hit: Hit) -> QuerySet[Vote]:
    """What persons said of what the hit shows now, in order."""
    opened = HitEvent.objects.filter(hit=hit, kind__in=REOPENING, after="open").order_by("-pk")
    return Vote.objects.filter(
        hit=hit, undone_at=None, answer__in=("confirm", "dismiss"), at__gte=Subquery(opened.values("at")[:1])
    ).order_by("pk")


def _confirm(hit: Hit, said: Opinion, by: Actor, at: datetime, *, inside: bool) -> None:
    """A confirmation; `inside` when one of the marketplace's own stands behind it."""
    wanted = hit.wanted or said.measure
    facts = {"why": said.why, "measure": wanted}
    if hit.state == "open" and (not inside or (wanted in HARSH and hit.marketplace.two_persons)):
        step(hit, "confirm_one", by=by, at=at, facts=facts)
        hit.wanted, hit.why = wanted, said.why
        return
    step(hit, "confirm", by=by, at=at, facts=facts)
    hit.why, hit.automatic = hit.why or said.why, False
    if wanted == "takedown":
        ask(hit, "takedown", reason=hit.why, by=by, at=at)
    elif wanted == "hold":
        ask(hit, "hold", reason=hit.why, by=by, at=at)


def _decide_audit(audit_id: int, said: Opinion, user: int, by: Actor, at: datetime) -> Said:
    """An audit's answer: it proves or disproves a rule; an automatic measure that was wrong is undone at once."""
    audit = AuditSample.objects.select_for_update(of=("self",)).get(pk=audit_id)
    if audit.answered_at is not None:
        raise Refused("watch.claim_over")
    _vote(said, user, by, at, audit=audit)
    if said.answer == "skip":
        return Said(number="", state="")
    audit.answer, audit.answered_at = said.answer, at
    audit.save(update_fields=["answer", "answered_at"])
    if audit.hit_id is None:
        return Said(number="", state="")
    hit = Hit.objects.select_for_update(of=("self",)).select_related("marketplace").get(pk=audit.hit_id)
    held = hit.state == "open" and hit.measure == "hold"
    if said.answer == "dismiss" and (held or (hit.state == "confirmed" and hit.automatic)):
        if not held:
            step(hit, "undo", by=by, at=at, facts={"audit": audit.pk})
        step(hit, "dismiss", by=by, at=at, facts={"why": said.why, "audit": audit.pk})
        hit.why, hit.wanted, hit.automatic = said.why, "", False
        take_back(hit, by=by, at=at)
        hit.save()
        recount([hit])
    return Said(number=hit.number, state=hit.state)


def _undo(hit: Hit, user: int, by: Actor, at: datetime, *, batch: UUID | None = None) -> Said:
    """Take back the last decision on a locked hit; of a batch only where that decision is the batch's own."""
    votes = list(_standing(hit))
    last = votes[-1] if votes else None
    if batch is not None and (last is None or last.batch != batch):
        raise Refused("watch.undo_others", number=hit.number)
    owners = {hit.marketplace.organisation, last.organisation if last is not None else None}
    if (last is None or last.user != user) and not (by.may("manage_rules") and by.organisation_id in owners):
        raise Refused("watch.undo_others", number=hit.number)
    before = hit.state
    step(hit, "undo", by=by, at=at)
    if before in ("confirmed", "dismissed"):
        Vote.objects.filter(pk__in=[each.pk for each in votes]).update(undone_at=at)
        take_back(hit, by=by, at=at)
        hit.why = hit.wanted = ""
        hit.automatic = False
    elif last is not None:
        Vote.objects.filter(pk=last.pk).update(undone_at=at)
        if hit.state == "open":
            hit.why = hit.wanted = ""
    hit.save()
    recount([hit])
    return Said(number=hit.number, state=hit.state)


def _vote(
    said: Opinion,
    user: int,
    by: Actor,
    at: datetime,
    *,
    hit: Hit | None = None,
    golden: GoldenSample | None = None,
    audit: AuditSample | None = None,
    batch: UUID | None = None,
) -> None:
    Vote.objects.create(
        hit=hit,
        golden=golden,
        audit=audit,
        user=user,
        organisation=by.organisation_id,
        answer=said.answer,
        why=said.why,
        note=must_read(said.note),
        batch=batch,
        at=at,
    )


def _person(by: Actor) -> int:
    if by.user_id is None or by.api_key_id is not None:
        raise Refused("watch.person_needed")
    return by.user_id
