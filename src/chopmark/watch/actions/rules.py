"""Rules of an organisation that runs marketplaces: propose a version, try it in its shadow, publish it, stop it.

Each version is a statement on the ledger before it is anything else here, so that what a hit was found with can be
shown later. What a rule does beyond its budget, or to nearly everything, stops it at once (`count_rules`), with what
it asked for and nobody has sent yet: a person publishes it again, or not. Beside a version in force another one may
count in its shadow, its trial: nothing that is done with a trial takes anything out of force, until it is published.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Literal
from uuid import UUID

from django.db import IntegrityError, connection, transaction
from django.db.models import Q

from chopmark.base.errors import Refused
from chopmark.evidence import wiring
from chopmark.people.actor import Actor
from chopmark.watch.actions.common import THE_RULES, decide, must_read, recount, state_on_ledger, step
from chopmark.watch.actions.measure import take_back
from chopmark.watch.models import Hit, Measure, RuleChange, RuleCount, RuleRow, RuleVersion
from chopmark.watch.queries import access
from chopmark.watch.queries.rules import HISTORY, RuleSummary, rule_at, summary_of
from chopmark.watch.rules.alarm import Day, alarm
from chopmark.watch.rules.rule import AUTOMATIC, MAX_RULES, Rule, State, default, encode_rule, must_be_ready


@wiring.answering()
def propose_rule(rule: Rule, *, by: Actor, at: datetime) -> RuleSummary:
    """Write a rule down, or a new version of one; what is in force stays in force. The same text again changes nothing.

    Raises:
        Refused: `watch.rules_full`, `watch.rule_moved`; what people's `must` and evidence's `deposit` raise.
    """
    by.must("manage_rules")
    text = encode_rule(rule)
    [deposit] = state_on_ledger([(rule.id, f"{rule.id}.json", text)], by.organisation_id, by=by, at=at)
    digest = bytes.fromhex(rule.version)
    try:
        with transaction.atomic():
            row = RuleRow.objects.select_for_update().filter(organisation=by.organisation_id, name=rule.id).first()
            if row is None:
                if RuleRow.objects.filter(organisation=by.organisation_id).count() >= MAX_RULES:
                    raise Refused("watch.rules_full", limit=MAX_RULES)
                row = RuleRow.objects.create(
                    organisation=by.organisation_id, name=rule.id, state="draft", version=1, changed_at=at
                )
            newest = row.versions.order_by("-seq").first()
            if newest is None or bytes(newest.sha256) != digest:
                seq = 1 if newest is None else newest.seq + 1
                RuleVersion.objects.create(
                    rule=row,
                    seq=seq,
                    text=text.decode(),
                    sha256=digest,
                    deposit=deposit,
                    made_by=by.user_id,
                    made_at=at,
                )
                if row.state in ("draft", "stopped"):
                    _move(row, "draft", seq, by=by, at=at)
    except IntegrityError as error:  # another call has just made this rule or version
        raise Refused("watch.rule_moved", rule=rule.id) from error
    return summary_of(row)


@wiring.answering()
def shadow_rule(name: str, *, by: Actor, at: datetime, seq: int | None = None) -> RuleSummary:
    """Let a version, by default the newest, count what it would flag and do nothing; beside the one in force, if any.

    One version at a time counts beside the one in force: another one takes its place.

    Raises:
        Refused: `watch.rule_not_found`, `watch.rule_examples_few`, `watch.rule_examples_wrong`; `watch.rule_is_live`
            where the very text is in force; what people's `must` raises.
    """
    with transaction.atomic():
        row, version = _chosen(name, seq, by)
        if row.state == "live":
            _try_beside(row, version, by=by, at=at)
        elif (row.state, row.version) != ("shadow", version.seq):
            _move(row, "shadow", version.seq, by=by, at=at)
    return summary_of(row)


@wiring.answering()
def publish_rule(name: str, *, by: Actor, at: datetime, seq: int | None = None) -> RuleSummary:
    """Put a version, by default the newest, in force; a trial that is published is none any more, another goes on.

    Raises:
        Refused: `watch.rule_not_found`, `watch.rule_examples_few`, `watch.rule_examples_wrong`; `watch.rule_untried`
            where a version whose measures may be automatic never ran in its shadow; what people's `must` raises.
    """
    with transaction.atomic():
        row, version = _chosen(name, seq, by)
        tried = RuleChange.objects.filter(rule=row, seq=version.seq, state__in=("shadow", "live")).exists()
        if rule_at(row, version.seq).action in AUTOMATIC and not tried:
            raise Refused("watch.rule_untried", rule=name)
        if (row.state, row.version) != ("live", version.seq):
            _move(row, "live", version.seq, by=by, at=at)
    return summary_of(row)


@wiring.answering()
def end_trial(name: str, *, by: Actor, at: datetime, seq: int | None = None) -> RuleSummary:
    """End what counts in the shadow beside the version in force; that one goes on, and what was counted stays.

    Args:
        seq: the version that is meant; by default whichever it is.

    Raises:
        Refused: `watch.rule_not_found`, `watch.rule_no_trial` where none, or another one, runs beside it; what
            people's `must` raises.
    """
    with transaction.atomic():
        row = _locked(name, by)
        if row.trial is None or seq not in (None, row.trial):
            raise Refused("watch.rule_no_trial", rule=name)
        _end(row, row.trial, by=by, at=at)
        row.save()
    return summary_of(row)


@wiring.answering()
def stop_rule(name: str, *, by: Actor, at: datetime, why: str = "") -> RuleSummary:
    """Take a rule out of force, and end its trial; hits that it found stay.

    Raises:
        Refused: `watch.rule_not_found`; what people's `must` raises.
        Invalid: `watch.text_malformed`.
    """
    said = must_read(why, 64)
    with transaction.atomic():
        row = _locked(name, by)
        if row.state != "stopped":
            _move(row, "stopped", row.version, by=by, at=at, why=said)
    return summary_of(row)


@wiring.answering()
def adopt_default_rules(*, by: Actor, at: datetime, live: bool = False) -> tuple[RuleSummary, ...]:
    """The rules that ship, each that the organisation has not yet: in the shadow, or at once in force.

    They come with their examples and were tried with the program; nothing of theirs is automatic before samples prove
    their precision.

    Raises:
        Refused: as `propose_rule`.
    """
    by.must("manage_rules")
    known = set(RuleRow.objects.filter(organisation=by.organisation_id).values_list("name", flat=True))
    made = [
        propose_rule(replace(each, state="draft"), by=by, at=at) for each in default().rules if each.id not in known
    ]
    for each in made:
        shadow_rule(each.name, by=by, at=at)
        if live:
            publish_rule(each.name, by=by, at=at)
    return tuple(summary_of(RuleRow.objects.get(organisation=by.organisation_id, name=each.name)) for each in made)


def count_rules(
    organisation: UUID, counts: Mapping[tuple[str, str], tuple[int, int, int]], *, at: datetime
) -> tuple[str, ...]:
    """Add to the day's counts of versions, and stop the rules whose alarm says so; their names. In a transaction.

    Each count goes to the version that was asked, whichever is in force by now: a scan may have begun hours ago. Only
    what the version in force flagged stops a rule.

    Args:
        counts: by rule and digest of its version (hexadecimal): candidates that it was asked about, fired, fired alone
            in the shadow.
    """
    if not counts:
        return ()
    stopped = []
    versions = _versions(organisation, counts)
    rows = RuleRow.objects.filter(organisation=organisation, pk__in=versions).order_by("name")
    for row in rows.select_for_update():  # nobody publishes another version between count and alarm
        told = {_running(row, seqs): counts[row.name, digest] for digest, seqs in versions[row.pk].items()}
        for seq, three in told.items():
            _add(row, seq, three, at)
        _, fired, _ = told.get(row.version, (0, 0, 0))
        if fired and row.state == "live" and _rings(row, at):
            stopped.append(row.name)
    return tuple(stopped)


def _versions(organisation: UUID, asked: Iterable[tuple[str, str]]) -> Mapping[int, Mapping[str, Sequence[int]]]:
    """By rule and digest, the numbers of the versions with this text: an old text may have been proposed again."""
    names = {(name, bytes.fromhex(digest)) for name, digest in asked}
    found: dict[int, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    rows = RuleVersion.objects.filter(rule__organisation=organisation, sha256__in={digest for _, digest in names})
    for rule, name, seq, digest in rows.values_list("rule", "rule__name", "seq", "sha256"):
        if (name, bytes(digest)) in names:
            found[rule][bytes(digest).hex()].append(seq)
    return found


def _running(row: RuleRow, seqs: Sequence[int]) -> int:
    """Which of the versions with the same text was asked: one that runs now, or else the newest."""
    return max(seqs, key=lambda seq: (seq == row.version, seq == row.trial, seq))


def _add(row: RuleRow, seq: int, three: tuple[int, int, int], at: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO watch_rulecount (rule_id, seq, day, seen, fired, alone) VALUES (%s, %s, %s, %s, %s, %s) "
            "ON CONFLICT (rule_id, day, seq) DO UPDATE SET seen = watch_rulecount.seen + excluded.seen, "
            "fired = watch_rulecount.fired + excluded.fired, alone = watch_rulecount.alone + excluded.alone",
            [row.pk, seq, at.date(), *three],
        )


def _rings(row: RuleRow, at: datetime) -> bool:
    """Whether the counts of the version in force stop it; then it is stopped."""
    days = {each.day: Day(seen=each.seen, flagged=each.fired) for each in _recent(row, at)}
    ringing = alarm(rule_at(row), days.pop(at.date()), tuple(days.values()))
    if ringing is None or not ringing.stops:
        return False
    _move(row, "stopped", row.version, by=None, at=at, why=ringing.code, facts=dict(ringing.facts))
    _call_back(row, at)
    return True


def _call_back(row: RuleRow, at: datetime) -> None:
    """What a rule that its alarm stopped asked for without a person, and was not tried yet, waits for a person now."""
    unsent = Measure.objects.filter(state="waiting", tries=0, deposit=None).exclude(kind="restore")
    rows = (
        Hit.objects.filter(pk__in=unsent.values("hit"), marketplace__organisation=row.organisation)
        .filter(Q(state="confirmed", automatic=True) | Q(state="open", measure="hold"))
        .select_related("marketplace")
        .select_for_update(of=("self",))
        .order_by("pk")
    )
    back = [hit for hit in rows if any(name == row.name for name, _ in hit.rules)]
    for hit in back:
        if hit.state == "confirmed":
            step(hit, "undo", by=THE_RULES, at=at, facts={"rule": row.name, "why": row.why})
        else:
            decide(hit, "recall", at=at, facts={"rule": row.name, "why": row.why})
        hit.automatic = False
        take_back(hit, by=THE_RULES, at=at)
        hit.save()
    recount(back)


def _recent(row: RuleRow, at: datetime) -> list[RuleCount]:
    """Of this version: what another one flagged says nothing of it."""
    rows = RuleCount.objects.filter(rule=row, seq=row.version, day__lte=at.date())
    return list(rows.order_by("-day")[: HISTORY + 1])


def _chosen(name: str, seq: int | None, by: Actor) -> tuple[RuleRow, RuleVersion]:
    """A rule, locked, and a version of it that is ready to run."""
    row = _locked(name, by)
    version = RuleVersion.objects.filter(rule=row, **({"seq": seq} if seq else {})).order_by("-seq").first()
    if version is None:
        raise Refused("watch.rule_not_found")
    must_be_ready(rule_at(row, version.seq))
    return row, version


def _try_beside(row: RuleRow, version: RuleVersion, *, by: Actor, at: datetime) -> None:
    """The version counts in the shadow of the one in force."""
    if _says_the_same(row, version.seq, row.version):
        raise Refused("watch.rule_is_live", rule=row.name, version=row.version)
    if row.trial == version.seq:
        return
    if row.trial is not None:
        _end(row, row.trial, by=by, at=at)
    row.trial = version.seq
    row.save()
    _note(row, "shadow", version.seq, by=by, at=at)


def _end(row: RuleRow, trial: int, *, by: Actor | None, at: datetime) -> None:
    """Of a trial that takes no force; whoever asks saves the row."""
    _note(row, "ended", trial, by=by, at=at)
    row.trial = None


def _says_the_same(row: RuleRow, one: int, other: int) -> bool:
    """Whether two versions have one text: who goes back to an old one proposes it once more."""
    return RuleVersion.objects.filter(rule=row, seq__in=(one, other)).values("sha256").distinct().count() == 1


def _locked(name: str, by: Actor) -> RuleRow:
    found = access.rule(by, name, "manage_rules")
    return RuleRow.objects.select_for_update().get(pk=found.pk)


def _move(
    row: RuleRow,
    state: State,
    seq: int,
    *,
    by: Actor | None,
    at: datetime,
    why: str = "",
    facts: Mapping[str, object] | None = None,
) -> None:
    """The version in force, or in its shadow alone, is `seq` from now on; no trial is left beside what needs none."""
    if row.trial == seq:
        row.trial = None  # it goes on in force: that is no end
    elif row.trial is not None and (state != "live" or _says_the_same(row, row.trial, seq)):
        _end(row, row.trial, by=by, at=at)
    row.state, row.version, row.why, row.changed_at = state, seq, why[:64], at
    row.save()
    _note(row, state, seq, by=by, at=at, why=why, facts=facts)


def _note(
    row: RuleRow,
    state: State | Literal["ended"],
    seq: int,
    *,
    by: Actor | None,
    at: datetime,
    why: str = "",
    facts: Mapping[str, object] | None = None,
) -> None:
    """A step in the rule's life."""
    RuleChange.objects.create(
        rule=row,
        seq=seq,
        state=state,
        why=why[:64],
        facts=dict(facts or {}),
        user=by.user_id if by is not None else None,
        at=at,
    )
