"""Whatever comes in whatever order: a hit keeps its promises."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from world.market import raw

from chopmark.base.errors import Refused
from chopmark.watch import sampling
from chopmark.watch.actions.measure import send_measures
from chopmark.watch.actions.review import Opinion, claim_review, decide_card, decide_hit, undo
from chopmark.watch.life import ALLOWED
from chopmark.watch.models import Claim, Hit, HitEvent, Measure, Seller, Vote

SAYINGS = (
    Opinion(answer="confirm", why="counterfeit"),
    Opinion(answer="confirm", why="counterfeit", measure="hold"),
    Opinion(answer="confirm", why="counterfeit", measure="takedown"),
    Opinion(answer="dismiss", why="genuine"),
    Opinion(answer="skip"),
)

BEARABLE = {
    "watch.hit_state_wrong",
    "watch.same_person",
    "watch.hit_taken",
    "watch.undo_others",
    "watch.claim_over",
}


def machine(market, people):  # noqa: C901 (a class of many short methods over this market)
    """A machine over this market; its tables are emptied when it begins."""

    class Life(RuleBasedStateMachine):
        def __init__(self):
            super().__init__()
            Hit.objects.all().delete()
            Seller.objects.all().delete()
            market.taker.taken.clear()
            self.version = 1 + max([0, *market.versions])
            market.versions.append(self.version + 100)
            self.items = ("1", "2")
            self.desk = {}

        @rule(item=st.sampled_from(["1", "2"]), fake=st.booleans())
        def comes_in(self, item, fake):
            self.version += 1
            market.push(raw(item, version=self.version, title="RED LANTERN lamp" if fake else "blue lamp"))
            market.work()
            market.versions.append(self.version)

        @rule(who=st.integers(0, 2), item=st.sampled_from(["1", "2"]), said=st.sampled_from(SAYINGS))
        def is_judged(self, who, item, said):
            hit = Hit.objects.filter(item=item).first()
            if hit is not None:
                self.bear(lambda: decide_hit(hit.number, said, by=people[who].actor, at=market.world.now()))

        @rule(who=st.integers(0, 2))
        def takes_a_card(self, who):
            card = claim_review(by=people[who].actor, at=market.world.now())
            if card is not None:
                self.desk[who] = card.id

        @precondition(lambda self: self.desk)
        @rule(said=st.sampled_from(SAYINGS))
        def answers_a_card(self, said):
            who, card = self.desk.popitem()
            self.bear(lambda: decide_card(card, said, by=people[who].actor, at=market.world.now()))

        @rule(who=st.integers(0, 2), item=st.sampled_from(["1", "2"]))
        def is_undone(self, who, item):
            hit = Hit.objects.filter(item=item).first()
            if hit is not None:
                self.bear(lambda: undo(hit.number, by=people[who].actor, at=market.world.now()))

        @rule()
        def measures_go_out(self):
            send_measures(lambda _row: market.taker, clock=market.world.now)

        def bear(self, act):
            """What the rules refuse is no fault."""
            try:
                act()
            except Refused as refused:
                if refused.code not in BEARABLE:
                    raise

        @invariant()
        def history_is_a_path_of_the_table(self):
            for hit in Hit.objects.all():
                moves = [
                    each
                    for each in HitEvent.objects.filter(hit=hit).order_by("pk")
                    if each.before != each.after and each.before
                ]
                for each in moves:
                    assert ALLOWED[each.before, each.kind] == each.after
                assert all(one.after == other.before for one, other in pairwise(moves))
                assert not moves or moves[-1].after == hit.state

        @invariant()
        def a_takedown_has_two_persons(self):
            for measure in Measure.objects.filter(kind="takedown"):
                votes = Vote.objects.filter(hit=measure.hit, answer="confirm").values_list("user", flat=True)
                assert len(set(votes)) >= 2

        @invariant()
        def what_the_marketplace_did_ends_as_the_hit_says(self):
            for hit in Hit.objects.all():
                sent = [each for each in hit.measures.order_by("pk") if each.state != "cancelled"]
                last = sent[-1].kind if sent else ""
                assert (hit.measure or "restore") == (last or "restore"), (hit.state, hit.measure, last)
                if hit.state in ("dismissed", "gone", "open"):
                    assert hit.measure == ""

        @invariant()
        def sellers_are_counted_right(self):
            for seller in Seller.objects.all():
                states = list(Hit.objects.filter(seller=seller.number).values_list("state", flat=True))
                assert (seller.confirmed, seller.dismissed) == (states.count("confirmed"), states.count("dismissed"))

        @invariant()
        def a_hit_lies_on_one_desk(self):
            held = list(Claim.objects.filter(done_at=None, hit__isnull=False).values_list("hit", flat=True))
            assert len(held) == len(set(held))

    return Life


def test_a_hit_keeps_its_promises(market, monkeypatch):
    monkeypatch.setattr(sampling, "drawn", lambda *_: False)
    people = [market.jo, *(market.world.person(name, role="depositor", of=market.jo) for name in ("Ann", "Bob"))]
    market.versions = []
    run_state_machine_as_test(
        machine(market, people),
        settings=settings(
            max_examples=12,
            stateful_step_count=12,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
