"""Whatever is done with a rule in whatever order: its steps say how it stands, each version is counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from world.market import NAMED, key

from chopmark.base.errors import Refused
from chopmark.watch.actions.rules import (
    count_rules,
    end_trial,
    propose_rule,
    publish_rule,
    shadow_rule,
    stop_rule,
)
from chopmark.watch.models import RuleChange, RuleCount, RuleRow, RuleVersion
from chopmark.watch.queries.rules import rule_of, rules_in
from chopmark.watch.rules.language import parse

TEXTS = tuple(replace(NAMED, id="moved", condition=parse(f"text_score >= {least}")) for least in (500, 400, 300))
BEARABLE = {"watch.rule_not_found", "watch.rule_is_live", "watch.rule_no_trial"}
SEQ = st.one_of(st.none(), st.integers(1, 4))


def replayed(steps):
    """State, version and trial as the written steps leave them."""
    state, version, trial = "draft", 0, None
    for seq, step in steps:
        if step == "ended":
            assert seq == trial
            trial = None
        elif step == "shadow" and state == "live":
            assert trial is None
            trial = seq
        else:
            trial = None if trial == seq else trial
            assert trial is None or step == "live"
            state, version = step, seq
    return state, version, trial


def machine(market):  # noqa: C901 (a class of many short methods over this market)
    """A machine over one rule of this market, which is proposed anew when it begins."""
    by, now, organisation = market.jo.actor, market.world.now, market.jo.actor.organisation_id

    class Life(RuleBasedStateMachine):
        def __init__(self):
            super().__init__()
            RuleRow.objects.filter(name="moved").delete()
            propose_rule(TEXTS[0], by=by, at=now())
            self.counted = Counter()

        @rule(text=st.sampled_from(TEXTS))
        def is_proposed(self, text):
            before = self.stands()
            propose_rule(text, by=by, at=now())
            assert before[0] in ("draft", "stopped") or self.stands() == before

        @rule(seq=SEQ)
        def goes_into_its_shadow(self, seq):
            before = self.stands()
            self.bear(lambda: shadow_rule("moved", by=by, at=now(), seq=seq))
            assert before[0] != "live" or self.stands()[:2] == before[:2]  # nothing is taken out of force by it

        @rule(seq=SEQ)
        def is_published(self, seq):
            before = self.stands()
            if self.bear(lambda: publish_rule("moved", by=by, at=now(), seq=seq)):
                state, version, trial = self.stands()
                assert (state, version) == ("live", seq or RuleVersion.objects.filter(rule__name="moved").count())
                assert trial in (None, before[2])

        @rule(seq=SEQ)
        def ends_its_trial(self, seq):
            state, version, trial = self.stands()
            ended = self.bear(lambda: end_trial("moved", by=by, at=now(), seq=seq))
            assert ended == (trial is not None and seq in (None, trial))
            assert self.stands() == (state, version, None if ended else trial)

        @rule()
        def is_stopped(self):
            stop_rule("moved", by=by, at=now())
            assert self.stands()[0::2] == ("stopped", None)

        @rule(fired=st.integers(0, 9))
        def is_asked(self, fired):
            asked = {key(each): (10, fired + (each.state == "shadow"), 0) for each in self.running()}
            assert count_rules(organisation, asked, at=market.world.at) == ()
            state, version, trial = self.stands()
            if state in ("live", "shadow"):
                self.counted[version] += fired + (state == "shadow")
            if trial is not None:
                self.counted[trial] += fired + 1

        def stands(self):
            row = RuleRow.objects.get(name="moved")
            return row.state, row.version, row.trial

        def running(self):
            return [
                each for each in rules_in(organisation).rules if each.id == "moved" and each.state in ("live", "shadow")
            ]

        def bear(self, act):
            """Whether it was done; what the rules refuse is no fault and changes nothing."""
            before, steps = self.stands(), RuleChange.objects.count()
            try:
                act()
            except Refused as refused:
                if refused.code not in BEARABLE:
                    raise
            else:
                return True
            assert (self.stands(), RuleChange.objects.count()) == (before, steps)
            return False

        @invariant()
        def its_steps_say_how_it_stands(self):
            steps = RuleChange.objects.filter(rule__name="moved").order_by("pk").values_list("seq", "state")
            assert replayed(steps) == self.stands()

        @invariant()
        def what_runs_is_the_live_version_and_its_trial(self):
            state, version, trial = self.stands()
            told = rule_of(by, "moved")
            texts = {each.seq: each.sha256.hex() for each in told.versions}
            wanted = [(state, texts[version])] + ([("shadow", texts[trial])] if trial is not None else [])
            here = [each for each in rules_in(organisation).rules if each.id == "moved"]
            assert [(each.state, each.version) for each in here] == wanted
            assert (told.summary.trial.seq if told.summary.trial else None) == trial

        @invariant()
        def each_version_is_counted_for_itself(self):
            rows = RuleCount.objects.filter(rule__name="moved").values_list("seq", "fired")
            assert {seq: fired for seq, fired in rows if fired} == {seq: n for seq, n in self.counted.items() if n}

    return Life


def test_a_rule_keeps_its_promises(market):
    run_state_machine_as_test(
        machine(market),
        settings=settings(
            max_examples=25,
            stateful_step_count=12,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
