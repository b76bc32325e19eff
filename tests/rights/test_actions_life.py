"""A state machine over the whole life of rights: whatever is done in whatever order, the events stay the truth.

The oracle is a table of its own: what each verb may lead to, by state, written down once more and more coarsely than
`history` does it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from world.rights import LANTERN, OPERATOR, by_office, paper, rebuilt

from chopmark.base.errors import Refused
from chopmark.rights import coverage
from chopmark.rights.actions import interest
from chopmark.rights.actions.common import current
from chopmark.rights.actions.dispute import NewDispute, close_dispute, open_dispute
from chopmark.rights.actions.file import NewRight, amend, file_right, submit, withdraw
from chopmark.rights.actions.interest import NewInterest, assign, end_interest
from chopmark.rights.actions.office import keep_records
from chopmark.rights.actions.remind import remind
from chopmark.rights.actions.verify import cancel, check_papers, verify_against, vouch
from chopmark.rights.history import CLOSED, fold, right_as_of
from chopmark.rights.models import Right as RightRow
from chopmark.rights.queries import registry
from chopmark.rights.record import Class, Party

UNCHECKED, IN_USE = ("submitted", "checking", "incorrect"), ("verified", "expiring", "grace")


def lead(states: tuple[str, ...], *ends: str) -> dict[str, set[str]]:
    return {each: set(ends) for each in states}


def stay(*states: str) -> dict[str, set[str]]:
    return {each: {each} for each in states}


MAY_LEAD_TO: dict[str, dict[str, set[str]]] = {
    "submit": {"draft": {"submitted"}, "incorrect": {"checking"}},
    "amend": {
        **stay("draft", *UNCHECKED),
        **{each: {each, "checking"} for each in (*IN_USE, "suspended")},
    },
    "verify": {
        **lead(UNCHECKED, "checking", "incorrect", "verified", "suspended"),
        **lead(IN_USE, *IN_USE, "incorrect", "cancelled"),
        "suspended": {"suspended", "incorrect", "cancelled"},
    },
    "papers": {**lead(UNCHECKED, "checking", "verified", "suspended"), **stay(*IN_USE, "suspended")},
    "dispute": {**stay(*UNCHECKED, "suspended"), **lead(IN_USE, "suspended")},
    "withdraw": lead(("draft", *UNCHECKED, *IN_USE, "suspended"), "withdrawn"),
    "cancel": lead((*IN_USE, "suspended"), "cancelled"),
    "assign": lead((*IN_USE, "suspended"), "assigned_away"),
    "grant": stay("draft", *UNCHECKED, *IN_USE, "suspended"),
}
REACHED: set[str] = set()


class Life(RuleBasedStateMachine):
    """One right after the other of one holder; the world is the test's."""

    world: Any
    holder: Any
    count = 0

    @initialize(
        expiry=st.sampled_from([date(2026, 12, 1), date(2027, 9, 1), LANTERN.expiry_date]), far=st.integers(0, 2)
    )
    def begin(self, expiry: date, far: int) -> None:
        """One that is a draft, submitted, or verified."""
        type(self).count += 1
        number = f"{self.count:08d}"
        numbers = {"application_number": number, "registration_number": number}
        self.record = replace(LANTERN, **numbers, expiry_date=expiry)
        papers = (paper(self.world, self.holder, number.encode()),)
        made = file_right(NewRight(record=self.record, papers=papers, submit=False), by=self.by, at=self.now)
        self.id, self.seen, self.judged = made.id, [(self.world.at, made.right)], None
        if far:
            self.submits()
        if far > 1:
            self.the_office_speaks("registered")
            self.verifies(operator=True)

    @property
    def by(self) -> Any:
        return self.holder.actor

    @property
    def now(self) -> Any:
        return self.world.now()

    @property
    def right(self) -> Any:
        return current(RightRow.objects.get(pk=self.id))

    def tried(self, verb: str, act: Any) -> None:
        """Do it: it leads where the table says, or is refused where the table has nothing."""
        before = self.right
        allowed = MAY_LEAD_TO[verb].get(before.state)
        if allowed is None:
            with pytest.raises(Refused):
                act()
            assert self.right == before
            return
        refused = ""
        try:
            act()
        except Refused as error:
            refused = error.code
        after = self.right
        assert refused != "rights.state_wrong"
        assert after == before if refused else after.state in allowed, (verb, before.state, after.state)
        REACHED.add(after.state)
        self.seen.append((self.world.at, self.right))

    @rule()
    def submits(self) -> None:
        self.tried("submit", lambda: submit(self.id, by=self.by, at=self.now))

    @rule(wider=st.booleans())
    def amends(self, *, wider: bool) -> None:
        more = (*LANTERN.classes, Class(scheme="nice", code="9"))
        record = replace(self.right.record, classes=more if wider else LANTERN.classes)
        self.tried("amend", lambda: amend(self.id, record, by=self.by, at=self.now))

    @rule(status=st.sampled_from(["registered", "registered", "registered", "ended"]))
    def the_office_speaks(self, status: str) -> None:
        keep_records([by_office(replace(self.record, status=status), fetched=self.now)], operator=OPERATOR, at=self.now)

    @rule(operator=st.booleans())
    def verifies(self, *, operator: bool) -> None:
        self.tried("verify", lambda: verify_against(self.id, by=OPERATOR if operator else self.by, at=self.now))

    @rule()
    def papers_are_read(self) -> None:
        self.tried(
            "papers", lambda: check_papers(self.id, accept=True, speaks_for_owner=True, operator=OPERATOR, at=self.now)
        )

    @rule()
    def somebody_sues(self) -> None:
        self.tried("dispute", lambda: open_dispute(self.id, NewDispute(kind="court"), by=OPERATOR, at=self.now))

    @rule()
    def the_court_decides(self) -> None:
        before = self.right
        open_ones = [each.id for each in before.disputes if each.closed_on is None]
        if open_ones:
            close_dispute(self.id, open_ones[0], "decided", by=OPERATOR, at=self.now)
            after = self.right
            if before.state == "suspended":
                assert after.state == ("suspended" if len(open_ones) > 1 else "verified")
            else:
                assert after.state == before.state

    @rule(exclusive=st.booleans(), place=st.sampled_from(["DE", "FR", ""]))
    def grants(self, *, exclusive: bool, place: str) -> None:
        new = NewInterest(
            party=Party(name="Lamps Ltd"),
            role="licensee_exclusive" if exclusive else "licensee",
            territories=(place,) if place else (),
        )
        self.tried("grant", lambda: interest.license(self.id, new, by=self.by, at=self.now))

    @rule()
    def ends_a_grant(self) -> None:
        running = [each.id for each in self.right.interests if each.ended_on is None and each.role != "assignee"]
        if running:
            end_interest(self.id, running[0], by=self.by, at=self.now)

    @rule(days=st.integers(1, 500))
    def time_passes(self, days: int) -> None:
        if self.world.at.date() < date(2032, 1, 1):
            self.world.at += timedelta(days=days)
        remind(self.now)
        expiry, state = self.right.record.expiry_date, self.right.state
        REACHED.add(state)
        assert not (state == "verified" and expiry < self.world.at.date())
        assert not (state == "expiring" and expiry < self.world.at.date())

    @precondition(lambda self: len(self.seen) > 7)
    @rule()
    def cancels(self) -> None:
        self.tried("cancel", lambda: cancel(self.id, "annulled", operator=OPERATOR, at=self.now))

    @precondition(lambda self: len(self.seen) > 7)
    @rule()
    def withdraws(self) -> None:
        self.tried("withdraw", lambda: withdraw(self.id, by=self.by, at=self.now))

    @precondition(lambda self: len(self.seen) > 7)
    @rule()
    def assigns(self) -> None:
        self.tried("assign", lambda: assign(self.id, Party(name="Other"), by=self.by, at=self.now))

    @invariant()
    def nothing_backs_a_measure_that_should_not(self) -> None:
        if not hasattr(self, "id"):
            return
        right, today = self.right, self.world.at.date()
        if (right.version, today) == self.judged:
            return
        self.judged = (right.version, today)
        may = coverage.may_act(right, actor=right.organisation, territory="DE", cls="11", on=today).may
        if may == "yes":
            assert right.state in ("verified", "expiring")
            assert right.level >= 2
            assert right.record.expiry_date >= today
            assert all(each.closed_on is not None for each in right.disputes)
        if right.state in CLOSED:
            assert may != "yes"

    def teardown(self) -> None:
        if not hasattr(self, "id"):
            return
        events = registry.events(self.id)
        assert fold(events) == self.right
        for at, right in self.seen:
            assert right_as_of(events, at) == right
        type(self).world.at = self.begun


def test_whatever_is_done_in_whatever_order_the_events_stay_the_truth(world, mei):
    vouch(mei.actor.organisation_id, LANTERN.owners[0].name, operator=OPERATOR, at=world.now(), country="CN")
    one = type("OneLife", (Life,), {"world": world, "holder": mei, "begun": world.at, "count": 0})
    limits = settings(
        max_examples=12, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck), database=None
    )
    run_state_machine_as_test(one, settings=limits)
    rebuilt()
