"""Verify what was claimed: against an office's record, by papers, by control of the contact there, by signature.

Two things must hold before a right is verified, and they are asked apart:
 - the claim is true: it agrees with the office's record, or the operator read the papers, or an office signed it;
 - the account speaks for the owner in it (`history.Standing`). Names of organisations are free to choose and registers
   are public, so that a perfect copy of somebody else's entry proves nothing.

Nobody but the operator brings what a claim is compared with; a holder asks for the comparison. Verified stays who was
verified first: the same registration in a second account is refused until the operator ends the first.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import F

from chopmark.base import jcs
from chopmark.base.digests import digests_of
from chopmark.base.errors import Invalid, PlatformError, Refused
from chopmark.evidence import actions as evidence
from chopmark.evidence import wiring
from chopmark.evidence.actions import NewDeposit
from chopmark.people.actor import Actor
from chopmark.people.queries import organisation_name
from chopmark.rights import comparison, encoding, history
from chopmark.rights.actions import conflict
from chopmark.rights.actions.common import (
    By,
    Operator,
    Step,
    change,
    current,
    must_allow,
    must_fit,
    one_at_a_time,
    servant_of,
)
from chopmark.rights.actions.file import OWN_PAPERS, is_kept, must_be_own
from chopmark.rights.actions.office import keep_records, office_record
from chopmark.rights.assignments import held
from chopmark.rights.classes import plain
from chopmark.rights.history import Amended, Assigned, Checked, Closed, Filed, Renewed
from chopmark.rights.imports import smd
from chopmark.rights.imports.result import Signed
from chopmark.rights.imports.smd import SmdTrust
from chopmark.rights.keys import claims, numbers_in, twins
from chopmark.rights.lifecycle import known
from chopmark.rights.models import Challenge, Paper, Standing
from chopmark.rights.models import Event as EventRow
from chopmark.rights.models import Right as RightRow
from chopmark.rights.queries import access
from chopmark.rights.queries.registry import RightSummary, events, summary_of
from chopmark.rights.record import Difference, Interest, Level, Party, Record, Right, Source, Verification

OLDEST = timedelta(days=366)
"""An office's record that is older says nothing of today."""
CODE_LIFE = timedelta(days=60)  # letters abroad take weeks
CODE_TRIES = 5
ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
CODE_LENGTH = 12  # 58 bits
SIGNED = "signed_mark"
"""Kind of the paper that a signed mark is."""


@wiring.answering()
def verify_against(
    which: UUID | str, found: Record | None = None, *, by: By, at: datetime, fetched_at: datetime | None = None
) -> RightSummary:
    """Compare a claim with the office's record, and verify it when both agree and the account speaks for the owner.

    What differs stands in the verification, tolerated or not. With a contradiction the right is `incorrect`; while a
    paper, or the account's standing, is missing it is `checking`. A newer record of a verified right is another
    verification: a later expiry renews it, an end of the right cancels it.

    Args:
        found: the office's record as the operator has it; everybody else is compared with what the operator keeps.

    Raises:
        Refused: `rights.not_found`, `rights.mandate_missing`, `rights.state_wrong`, `rights.moved`;
            `rights.operator_only` when somebody else brings a record; `rights.office_silent` when there is none,
            `rights.record_stale` when it is older than a year; `rights.verified_elsewhere`; what people's `must` and
            a deposit raise.
        Invalid: as `keep_records` for one record.
    """
    row = _row_to_check(by, which, at)
    if found is not None:
        if not isinstance(by, Operator):
            raise Refused("rights.operator_only")
        kept = keep_records([found], operator=by, at=at, fetched_at=fetched_at)
        for _, error in kept.problems:
            raise error
    right = current(row)
    official = office_record(held(right))
    if official is None or official.source.fetched_at is None:
        raise Refused("rights.office_silent", number=row.number, office=row.office)
    if at - official.source.fetched_at > OLDEST:
        raise Refused("rights.record_stale", fetched=official.source.fetched_at.date().isoformat())
    steps = _compared(row, right, official, by=by, at=at)
    return _changed(row, steps, by=by, at=at)


def _row_to_check(by: By, which: UUID | str, at: datetime) -> RightRow:
    if isinstance(by, Operator):
        return access.named(RightRow.objects.all(), which)
    by.must("file_rights")
    return access.right_to_change(by, which, at, power="file")


def _compared(row: RightRow, right: Right, official: Record, *, by: By, at: datetime) -> list[Step]:
    """What follows from the comparison."""
    claimed = held(right)
    differences = _settled_before(right, comparison.compare(claimed, official, chain=_chain(row, right, official)))
    verification = Verification(
        level=_level(differences, 2),
        method="office_record",
        at=at,
        by=_who(by),
        source=official.source,
        differences=differences,
    )
    said = Checked(verification=verification, record=digest_of(official))
    wrong = [each for each in differences if each.verdict == "contradiction"]
    if wrong:
        if right.state in history.IN_USE | {"suspended"} and any(each.rule == "dead" for each in wrong):
            return [Step(type="cancelled", payload=Closed(reason=official.status), at_law=official.status_date)]
        return [_noted("found_incorrect", replace(said, reasons=_reasons(wrong)))]
    missing = [each for each in differences if each.verdict == "needs_paper"]
    steps = _settled(row, right, said, _reasons(missing), _owners(right.record, official, differences))
    later = next((each for each in differences if each.rule == "office_later"), None)
    if later is not None and official.expiry_date is not None and steps[-1].type == "verified":
        renewed = Renewed(expiry_date=official.expiry_date, verification=verification, record=said.record)
        steps.append(Step(type="renewed", payload=renewed, at_law=right.record.expiry_date))
    return steps


def _chain(row: RightRow, right: Right, official: Record) -> tuple[Interest, ...]:
    """The assignments that may explain another owner in the register: those of this very registration, made here.

    That the office recorded one is the holders' word. It counts where the register still names whoever assigned it,
    who was verified here when they did; otherwise a paper is needed.
    """
    before = _predecessor(row)
    if before is None or not claims(before.record) & claims(right.record):
        return ()
    check = before.verification
    givers = comparison.register_owners(before.record, check.differences if check is not None else ())
    if all(any(comparison.surely_same(giver, each) for giver in givers) for each in official.owners):
        return right.interests
    return tuple(replace(each, recorded_at_office=False) for each in right.interests)


def _predecessor(row: RightRow) -> Right | None:
    """The right that this one follows, as it stood when it was assigned; None where it follows none."""
    filed = next((each.payload for each in events(row.pk)), None)
    if not isinstance(filed, Filed) or not filed.predecessor:
        return None
    story: list[history.Event] = []
    for event in events(UUID(filed.predecessor)):
        if isinstance(event.payload, Assigned) and event.payload.successor == str(row.pk):
            return history.fold(story)
        story.append(event)
    return None


def _settled(row: RightRow, right: Right, said: Checked, missing: Sequence[str], owners: Sequence[Party]) -> list[Step]:
    """Verified where nothing is missing and the account speaks for the owner; otherwise the check is noted.

    What was verified and lacks something now is incorrect: a right that rests on nothing any more backs no measure.
    """
    must_allow(right, "verified")
    standing = said.standing or standing_of(row, owners)
    reasons = (*missing, *(() if standing else ("rights.standing_missing",)))
    said = replace(said, standing=standing, reasons=reasons)
    if not reasons:
        _must_be_alone(row, replace(right, verification=said.verification))
        return [_noted("verified", said)]
    return [_noted("checked" if right.state in history.UNCHECKED else "found_incorrect", said)]


def _noted(event: str, said: Checked) -> Step:
    return Step(type=event, payload=said)


def _settled_before(right: Right, differences: Sequence[Difference]) -> tuple[Difference, ...]:
    """What a paper settled once stays settled while both sides say the same."""
    before = () if right.verification is None else right.verification.differences
    papers = {(each.field, each.claimed, each.found) for each in before if each.verdict == "tolerated"}
    return tuple(
        replace(each, verdict="tolerated")
        if each.verdict == "needs_paper" and (each.field, each.claimed, each.found) in papers
        else each
        for each in differences
    )


def _level(differences: Sequence[Difference], reached: Level) -> Level:
    """The level of a comparison: 0 with a contradiction, 1 where a paper is needed or stood in."""
    if any(each.verdict == "contradiction" for each in differences):
        return 0
    return 1 if any(each.verdict == "needs_paper" or each.rule in _BY_PAPER for each in differences) else reached


_BY_PAPER = frozenset(
    (
        "not_in_record",
        "co_owner_not_named",
        "other_legal_form",
        "other_feature",
        "status_unknown",
        "transliteration_claimed",
    )
)
"""Rules that ask for a paper; where one was seen, the verdict is `tolerated` and the rule stays."""


def _owners(claimed: Record, official: Record, differences: Sequence[Difference]) -> tuple[Party, ...]:
    """Whom the account may speak for: the owners in the register, and who got it from them by a known assignment."""
    assigned = any(each.rule == "assignment" and each.verdict == "tolerated" for each in differences)
    return (*official.owners, *(_by_name(claimed.owners) if assigned else ()))


def _by_name(owners: Sequence[Party]) -> tuple[Party, ...]:
    """Owners as a claim names them, without what the claimant says they are called besides."""
    return tuple(replace(each, also=(), identifiers=()) for each in owners)


def _reasons(differences: Sequence[Difference]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(f"{each.field}:{each.rule}" for each in differences))


def _who(by: By) -> str:
    return by.name if isinstance(by, Operator) else str(by.organisation_id)


def digest_of(record: Record) -> bytes:
    """SHA-256 of a record's canonical encoding."""
    return hashlib.sha256(jcs.encode(encoding.encode(record))).digest()


def _changed(
    row: RightRow, steps: Sequence[Step], *, by: By, at: datetime, also: Callable[[], None] | None = None
) -> RightSummary:
    """Record it; where the right is verified now, see with whom it collides.

    The same check with the same outcome right after itself is no event.
    """
    if len(steps) == 1 and _said_before(row, steps[0]):
        return summary_of(row)

    verified = next((each.payload for each in steps if each.type == "verified"), None)

    def alone() -> None:
        if isinstance(verified, Checked):
            one_at_a_time()
            _must_be_alone(row, replace(current(row), verification=verified.verification))
        if also is not None:
            also()

    if verified is not None:
        row = conflict.inherit(row, at=at)
    fresh = change(row, steps, by=by, at=at, also=alone)
    if fresh.state in ("verified", "suspended"):
        fresh = conflict.look(fresh, at=at)
    return summary_of(fresh)


def _said_before(row: RightRow, step: Step) -> bool:
    last = EventRow.objects.filter(subject=row.pk, seq=row.version).first()
    if last is None or last.type != step.type or not isinstance(step.payload, Checked):
        return False
    before = history.Event.parse(bytes(last.body)).payload
    if not isinstance(before, Checked):
        return False
    return (
        replace(before.verification, at=step.payload.verification.at, by="")
        == replace(step.payload.verification, by="")
        and replace(before, verification=step.payload.verification) == step.payload
    )


def _must_be_alone(row: RightRow, right: Right) -> None:
    """Stop where another organisation has the same registration verified here, in whatever form its number is written.

    What the office's record adds counts: one may have given the number of the application, the other that of the
    registration. Who got some of the classes from the other has them beside him.

    Raises:
        Refused: `rights.verified_elsewhere`.
    """
    wanted = twins(known(right))
    states = history.IN_USE | {"suspended"}
    rows = RightRow.objects.filter(numbers__key__in=numbers_in(wanted), kind=row.kind, state__in=states).distinct()
    mine = _classes(right)
    for other in rows.exclude(organisation=row.organisation):
        theirs = current(other)
        if not wanted & twins(known(theirs)):
            continue
        apart = bool(mine and _classes(theirs)) and not mine & _classes(theirs)
        if not apart or not (row.office == "CN" or _parted(row, other)):
            raise Refused("rights.verified_elsewhere", number=row.number)


def _classes(right: Right) -> set[tuple[str, str]]:
    """What the holder still claims, a Chinese subclass by the class that it lies in."""
    nice = ("nice", "cn_subclass")
    found = held(right).classes
    return {
        ("nice", plain("nice", each.code[:2])) if each.scheme in nice else (each.scheme, each.code) for each in found
    }


def _parted(one: RightRow, other: RightRow) -> bool:
    """Whether one of them follows the other after an assignment."""
    return str(other.pk) == _follows(one) or str(one.pk) == _follows(other)


def _follows(row: RightRow) -> str:
    filed = next((each.payload for each in events(row.pk)), None)
    return filed.predecessor if isinstance(filed, Filed) else ""


# ---- who speaks for the owner ----------------------------------------------------------------------------------------


def standing_of(row: RightRow, owners: Sequence[Party]) -> str:
    """Why the right's organisation may speak for these owners; empty where nothing shows it.

    What was shown for this right before counts while owners and numbers are the same; otherwise who the operator knows
    the organisation to be.
    """
    shown, about = "", None
    for event in events(row.pk):
        match event.payload:
            case Checked(standing=standing) if standing not in ("", "identity"):
                shown = standing
            case Filed(record=record) | Amended(record=record):
                now = (record.owners, record.application_number, record.registration_number)
                shown, about = (shown if now == about else ""), now
    if shown:
        return shown
    vouched = Standing.objects.filter(organisation=row.organisation, revoked_at=None)
    for each in vouched:
        party = Party(name=each.name, country=each.country)
        if any(_is(party, owner) for owner in owners):
            return "identity"
    return ""


def _is(vouched: Party, owner: Party) -> bool:
    """Whether the operator's word for one is about the other: a firm of another form or country is another firm."""
    rule = comparison.same_party(vouched, owner)
    apart = vouched.country and owner.country and vouched.country != owner.country
    return rule is not None and rule != "other_legal_form" and not apart


@wiring.answering()
def vouch(
    organisation: UUID, name: str, *, operator: Operator, at: datetime, country: str = "", note: str = ""
) -> None:
    """The operator saw papers that an organisation here is this party, by its name in registers.

    Raises:
        Refused: `rights.agent_unknown`.
        Invalid: `rights.party_missing`, `rights.text_too_long`.
    """
    if organisation_name(organisation) is None:
        raise Refused("rights.agent_unknown")
    if not name.strip():
        raise Invalid("rights.party_missing")
    for field, value, limit in (("name", name, 300), ("country", country, 8), ("note", note, 300)):
        must_fit(field, value, limit)
    same = Standing.objects.filter(organisation=organisation, name=name, country=country, revoked_at=None)
    if not same.exists():
        Standing.objects.create(
            organisation=organisation, name=name, country=country, note=note, operator=operator.name[:100], made_at=at
        )


@wiring.answering()
def stop_vouching(organisation: UUID, name: str, *, operator: Operator, at: datetime) -> int:
    """No longer; rights that were verified meanwhile stay so until they are checked again. How many names it was."""
    _ = operator
    rows = Standing.objects.filter(organisation=organisation, name=name, revoked_at=None)
    return rows.update(revoked_at=at)


# ---- papers ----------------------------------------------------------------------------------------------------------


@wiring.answering()
def check_papers(
    which: UUID | str,
    *,
    accept: bool,
    operator: Operator,
    at: datetime,
    speaks_for_owner: bool = False,
    reasons: Sequence[str] = (),
    final: bool = False,
) -> RightSummary:
    """The operator read the papers of a right.

    Accepted papers settle what an office's record left open, and alone they make level 1: so it is for works and for
    offices whose records cannot be had. A contradiction with an office's record is not settled by papers.

    Args:
        speaks_for_owner: the papers also show that the account speaks for the owner.
        reasons: what is wrong, in the operator's words, where they are not accepted.
        final: not accepted, and not to be corrected either.

    Raises:
        Refused: `rights.not_found`, `rights.state_wrong`, `rights.moved`; `rights.papers_missing` without any that
            can be opened;
            `rights.contradicted`; `rights.verified_elsewhere`; what a deposit raises.
        Invalid: `rights.text_too_long`.
    """
    row = access.named(RightRow.objects.all(), which)
    right = current(row)
    for each in reasons:
        must_fit("reason", each, 300)
    if not accept:
        return _changed(row, [_not_accepted(right, reasons, operator, at, final=final)], by=operator, at=at)
    must_allow(right, "verified")
    papers = list(row.papers.all())
    if not any(is_kept(each) for each in papers):
        raise Refused("rights.papers_missing", number=row.number)
    for paper in papers:
        if paper.kind in OWN_PAPERS:
            must_be_own(bytes(paper.sha256), row.organisation)
    said = _with_papers(row, right, operator, at)
    if any(each.verdict == "contradiction" for each in said.verification.differences):
        raise Refused("rights.contradicted", number=row.number)
    said = replace(said, standing="papers" if speaks_for_owner else "")
    return _changed(row, _settled(row, right, said, (), _by_name(right.record.owners)), by=operator, at=at)


def _with_papers(row: RightRow, right: Right, operator: Operator, at: datetime) -> Checked:
    """What the papers add: what the office's record, where the operator has one, leaves open is settled."""
    claimed = held(right)
    official = office_record(claimed)
    fetched = None if official is None else official.source.fetched_at
    if official is None or fetched is None or at - fetched > OLDEST:
        return Checked(verification=Verification(level=1, method="papers", at=at, by=operator.name))
    differences = tuple(
        replace(each, verdict="tolerated") if each.verdict == "needs_paper" else each
        for each in comparison.compare(claimed, official, chain=_chain(row, right, official))
    )
    verification = Verification(
        level=_level(differences, 2),
        method="office_record",
        at=at,
        by=operator.name,
        source=official.source,
        differences=differences,
    )
    return Checked(verification=verification, record=digest_of(official))


def _not_accepted(right: Right, reasons: Sequence[str], operator: Operator, at: datetime, *, final: bool) -> Step:
    if final:
        must_allow(right, "refused")
        return Step(type="refused", payload=Closed(reason="; ".join(reasons)[:500]))
    differences = () if right.verification is None else right.verification.differences
    verification = Verification(level=0, method="papers", at=at, by=operator.name, differences=differences)
    return _noted("found_incorrect", Checked(verification=verification, reasons=tuple(reasons)))


@wiring.answering()
def cancel(which: UUID | str, reason: str, *, operator: Operator, at: datetime, on: date | None = None) -> RightSummary:
    """The operator ends a right that was verified: annulled, revoked, surrendered, or verified in error.

    Raises:
        Refused: `rights.not_found`, `rights.state_wrong`, `rights.moved`; what a deposit raises.
        Invalid: `rights.text_too_long`.
    """
    must_fit("reason", reason, 500)
    row = access.named(RightRow.objects.all(), which)
    step = Step(type="cancelled", payload=Closed(reason=reason), at_law=on)
    return summary_of(change(row, [step], by=operator, at=at))


# ---- renewal ---------------------------------------------------------------------------------------------------------


@wiring.answering()
def renew(which: UUID | str, expiry_date: date, *, by: Actor, at: datetime) -> RightSummary:
    """The holder says that a right was renewed. It counts once the office's record says so too.

    Raises:
        Refused: `rights.not_found`, `rights.mandate_missing`, `rights.state_wrong`, `rights.moved`; what people's
            `must` raises; what a deposit raises.
        Invalid: `rights.dates_contradict` for a day that is not later; `rights.date_impossible`.
    """
    by.must("file_rights")
    row = access.right_to_change(by, which, at, power="file")
    right = current(row)
    before = right.record.expiry_date
    if before is not None and expiry_date <= before:
        raise Invalid("rights.dates_contradict", first="expiry_date", second="renewal")
    if expiry_date <= at.date() or expiry_date > at.date() + timedelta(days=366 * 21):
        raise Invalid("rights.date_impossible", name="renewal", date=expiry_date.isoformat())
    steps = [Step(type="renewal_claimed", payload=Renewed(expiry_date=expiry_date), at_law=before)]
    official = office_record(held(right))
    fetched = official.source.fetched_at if official is not None else None
    in_use = right.state in history.IN_USE | {"suspended"}
    if in_use and official is not None and fetched is not None and official.expiry_date == expiry_date:
        steps += _compared(row, right, official, by=by, at=at) if at - fetched <= OLDEST else []
    return _changed(row, steps, by=by, at=at)


# ---- control of the contact at the office ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """A code to be sent to the contact that the office has of the owner; shown once, its digest alone is kept."""

    text: str
    expires_at: datetime


@wiring.answering()
def issue_code(which: UUID | str, *, operator: Operator, at: datetime) -> Code:
    """Make a code for the operator to send to the address in the register; codes before it no longer count.

    Raises:
        Refused: `rights.not_found`, `rights.state_wrong`.
    """
    _ = operator
    row = access.named(RightRow.objects.all(), which)
    must_allow(current(row), "verified")
    text = "".join(secrets.choice(ALPHABET) for _ in range(CODE_LENGTH))
    with transaction.atomic():
        Challenge.objects.filter(right=row, answered_at=None, expires_at__gt=at).update(expires_at=at)
        Challenge.objects.create(right=row, code_hash=_code_hash(text), made_at=at, expires_at=at + CODE_LIFE)
    return Code(text="-".join(text[start : start + 4] for start in range(0, CODE_LENGTH, 4)), expires_at=at + CODE_LIFE)


def _code_hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _recent(before: Verification, at: datetime) -> bool:
    """Whether what was compared then still says something of today."""
    fetched = before.source.fetched_at if before.source is not None else None
    return fetched is not None and at - fetched <= OLDEST


@wiring.answering()
def show_control(which: UUID | str, code: str, *, by: Actor, at: datetime) -> RightSummary:
    """Enter the code that came to the address in the register.

    A right whose claim agrees with a record of the office that is not older than a year is verified at level 3;
    otherwise the account's standing is noted, and counts with the next comparison.

    Raises:
        Refused: `rights.not_found`, `rights.mandate_missing`, `rights.code_wrong`, also for one too late, too often
            tried or never sent; `rights.state_wrong`, `rights.verified_elsewhere`, `rights.moved`; what people's
            `must` raises; what a deposit raises.
    """
    by.must("file_rights")
    row = access.right_to_change(by, which, at, power="file")
    right = current(row)
    must_allow(right, "verified")
    challenge = Challenge.objects.filter(right=row, answered_at=None, expires_at__gt=at).order_by("-pk").first()
    # The try is counted before it is judged, and in one statement: many at once have no more tries.
    counted = (
        Challenge.objects.filter(pk=challenge.pk, tries__lt=CODE_TRIES).update(tries=F("tries") + 1)
        if challenge is not None
        else 0
    )
    typed = "".join(each for each in code.upper()[:64] if each in ALPHABET)
    if challenge is None or not counted or not hmac.compare_digest(_code_hash(typed), bytes(challenge.code_hash)):
        raise Refused("rights.code_wrong", tries=CODE_TRIES)
    before = right.verification
    settled = before is not None and before.method == "office_record" and before.level == 2 and _recent(before, at)
    verification = (
        replace(before, level=3, method="control", at=at)
        if settled and before is not None
        else before or Verification(level=0, method="control", at=at)
    )
    said = Checked(verification=verification, standing="control")
    if settled:
        steps = _settled(row, right, said, (), ())
    elif right.state in history.UNCHECKED:
        steps = [_noted("checked", replace(said, reasons=("rights.office_silent",)))]
    else:
        raise Refused("rights.state_wrong", number=row.number, state=right.state, event="control")
    done = _changed(row, steps, by=by, at=at)
    Challenge.objects.filter(pk=challenge.pk).update(answered_at=at)
    return done


# ---- signed by an office ---------------------------------------------------------------------------------------------


@wiring.answering()
def verify_signed(which: UUID | str, data: bytes, trust: SmdTrust, *, by: By, at: datetime) -> RightSummary:
    """Verify a claim by a signed mark (RFC 7848), which is judged here, not believed.

    A signed mark is given to its holder, so having it speaks for the owner; it counts for one account only.

    Raises:
        Refused: `rights.not_found`, `rights.mandate_missing`, `rights.state_wrong`, `rights.moved`,
            `rights.certificate_elsewhere`, `rights.verified_elsewhere`; `rights.office_silent` when none of its marks
            has the number of the right; what people's `must` raises; what a deposit raises.
        Invalid: what `smd.judge` raises.
    """
    row = _row_to_check(by, which, at)
    right = current(row)
    imported = smd.judge(data, trust, at=at)
    official = next((each for each in imported.records if claims(each) & claims(right.record)), None)
    if official is None or imported.signed is None:
        raise Refused("rights.office_silent", number=row.number, office=row.office)
    _must_be_ours(imported.signed, row)
    differences = comparison.compare(held(right), official, chain=_chain(row, right, official))
    source = Source(format="rfc7848", sha256=imported.signed.sha256, fetched_at=imported.signed.not_before)
    verification = Verification(
        level=_level(differences, 4), method="signed", at=at, by=_who(by), source=source, differences=differences
    )
    said = Checked(verification=verification, standing="signed", record=digest_of(official))
    wrong = [each for each in differences if each.verdict == "contradiction"]
    if wrong:
        said = replace(said, standing="", reasons=_reasons(wrong))
        return _changed(row, [_noted("found_incorrect", said)], by=by, at=at)
    missing = _reasons([each for each in differences if each.verdict == "needs_paper"])
    steps = _settled(row, right, said, missing, official.owners)
    paper = _kept(imported.signed, smd.unpacked(data)[0], row, at)
    return _changed(row, steps, by=by, at=at, also=lambda: _keep(paper))


def _must_be_ours(signed: Signed, row: RightRow) -> None:
    """By its number, since the same signed mark may be written in other bytes."""
    same = Paper.objects.filter(kind=SIGNED, file_name=f"{signed.id}.smd", right__state__in=history.LIVE)
    if same.exclude(right__organisation=row.organisation).exists():
        raise Refused("rights.certificate_elsewhere", sha256=signed.sha256.hex())


def _kept(signed: Signed, document: bytes, row: RightRow, at: datetime) -> Paper:
    """The signed mark as a paper of the right; its digest is deposited, its bytes stay with who has them."""
    new = NewDeposit(
        kind="document",
        digests=digests_of([document]),
        title=f"{row.number} {signed.id}",
        file_name=f"{signed.id}.smd",
        media_type="application/xml",
        private=True,
        source="api",
    )
    [deposit] = evidence.deposit([new], by=servant_of(row.organisation), at=at)
    if isinstance(deposit, PlatformError):
        raise deposit
    return Paper(
        right=row,
        kind=SIGNED,
        organisation=row.organisation,
        deposit=deposit.id,
        sha256=signed.sha256,
        size=len(document),
        file_name=f"{signed.id}.smd",
        media_type="application/xml",
        added_at=at,
    )


def _keep(paper: Paper) -> None:
    if not Paper.objects.filter(right=paper.right, kind=SIGNED, sha256=paper.sha256).exists():
        paper.save(force_insert=True)
