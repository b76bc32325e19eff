"""Who judges a hit, how two persons agree on harsh measures, and how everything is taken back."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from world.market import raw

from chopmark.base.errors import Invalid, Refused
from chopmark.people.actor import Actor
from chopmark.watch import sampling
from chopmark.watch.actions.hand_over import hit_to_matter
from chopmark.watch.actions.measure import send_measures
from chopmark.watch.actions.review import (
    LEASE,
    Opinion,
    add_golden,
    claim_review,
    decide_card,
    decide_hit,
    decide_many,
    give_back_card,
    stop_golden,
    undo,
    undo_many,
)
from chopmark.watch.models import AuditSample, GoldenSample, Hit, Measure, Seller, Vote
from chopmark.watch.queries import hits
from chopmark.watch.queries.figures import dashboard
from chopmark.watch.queries.hits import Filters, hit_of, hits_of
from chopmark.watch.queries.queue import queue_of, reviewers_of

FAKE = Opinion(answer="confirm", why="counterfeit")
DOWN = Opinion(answer="confirm", why="counterfeit", measure="takedown")
FINE = Opinion(answer="dismiss", why="genuine")
FROM_LONG = re.compile(r'^SELECT .* FROM "watch_(hit|vote)"|^SELECT COUNT.* FROM "watch_claim"')
WHOLE = re.compile(
    r"^SCAN watch_(hit|claim|vote)(?!.* INDEX watch_claim_open)|^USE TEMP B-TREE FOR ORDER BY"
    r"|Seq Scan on watch_(hit|claim|vote)"
)
"""How SQLite says that it reads a whole table, or sorts it; how PostgreSQL says that it reads one."""


@pytest.fixture
def ann(world, jo):
    return world.person("Ann", role="depositor", of=jo)


@pytest.fixture
def bob(world, jo):
    return world.person("Bob", role="depositor", of=jo)


@pytest.fixture
def viewer(world, jo):
    return world.person("Vera", role="viewer", of=jo)


@pytest.fixture(autouse=True)
def _no_samples(monkeypatch):
    monkeypatch.setattr(sampling, "drawn", lambda *_parts: False)


def say(market, hit, said, who):
    return decide_hit(hit.number, said, by=who.actor, at=market.world.now())


def test_a_soft_decision_needs_one_person(market, ann):
    hit = market.hit()
    assert say(market, hit, FAKE, ann).state == "confirmed"
    assert not Measure.objects.exists()
    assert Seller.objects.get().confirmed == 1


def test_a_takedown_needs_two_persons_and_is_sent_once(market, ann, bob):
    hit = market.hit()
    assert say(market, hit, DOWN, ann).state == "second"
    assert not Measure.objects.exists()
    with pytest.raises(Refused, match=r"watch\.same_person"):
        say(market, hit, DOWN, ann)
    assert say(market, hit, FAKE, bob).state == "confirmed"
    assert send_measures(lambda _row: market.taker, clock=market.world.now) == 1
    assert send_measures(lambda _row: market.taker, clock=market.world.now) == 0
    hit.refresh_from_db()
    assert (hit.measure, hit.removed_at is not None, hit.sold) == ("takedown", True, 0)
    assert len(market.taker.taken) == market.taker.calls == 1
    assert Measure.objects.get().deposit is not None


def test_where_two_differ_a_third_decides(market, ann, bob):
    first, second = market.hit(), market.hit(raw("2"))
    for hit in (first, second):
        say(market, hit, DOWN, ann)
        assert say(market, hit, FINE, bob).state == "contested"
        for who in (ann, bob):
            with pytest.raises(Refused, match=r"watch\.same_person"):
                say(market, hit, FINE, who)
    assert say(market, first, FINE, market.jo).state == "dismissed"
    assert say(market, second, FAKE, market.jo).state == "confirmed"
    assert [each.kind for each in Measure.objects.all()] == ["takedown"]


def test_one_shop_may_do_with_one_person(world, mei, jo):
    from world.market import Market  # noqa: PLC0415 (beside its one use)

    market = Market.made(world, mei, jo, two_persons=False)
    assert say(market, market.hit(), DOWN, jo).state == "confirmed"


def test_the_holder_of_the_right_may_judge_too_and_strangers_see_nothing(market, viewer):
    hit = market.hit()
    stranger = market.world.person("Stranger")
    with pytest.raises(Refused, match=r"watch\.hit_not_found"):
        hit_of(stranger.actor, hit.number)
    with pytest.raises(Refused, match=r"watch\.hit_not_found"):
        say(market, hit, FAKE, stranger)
    assert hits_of(stranger.actor).total == 0
    assert claim_review(by=stranger.actor, at=market.world.now()) is None
    assert hit_of(viewer.actor, hit.number).summary.number == hit.number
    for act in (
        lambda: say(market, hit, FAKE, viewer),
        lambda: claim_review(by=viewer.actor, at=market.world.now()),
        lambda: undo(hit.number, by=viewer.actor, at=market.world.now()),
        lambda: decide_many([hit.number], FAKE, by=viewer.actor, at=market.world.now()),
    ):
        with pytest.raises(Refused, match=r"people\.not_allowed"):
            act()
    assert say(market, hit, FAKE, market.mei).state == "second"


def test_a_holder_alone_sends_nothing_to_a_marketplace_of_others(market, ann):
    """Whoever files a right could otherwise take any listing down, with two accounts."""
    second = market.world.person("Sock", role="depositor", of=market.mei)
    for item, soft in (("1", Opinion(answer="confirm", why="counterfeit", measure="hold")), ("2", DOWN)):
        hit = market.hit(raw(item))
        assert say(market, hit, soft, market.mei).state == "second"
        with pytest.raises(Refused, match=r"watch\.marketplace_person_needed"):
            say(market, hit, soft, second)
        assert not Measure.objects.filter(hit=hit).exists()
        assert say(market, hit, FAKE, ann).state == "confirmed"
        assert [each.kind for each in Measure.objects.filter(hit=hit)] == [soft.measure]


def test_a_holder_may_be_the_second_of_two_persons(market, ann):
    hit = market.hit()
    assert say(market, hit, DOWN, ann).state == "second"
    assert say(market, hit, FAKE, market.mei).state == "confirmed"
    assert [each.kind for each in Measure.objects.all()] == ["takedown"]


def test_what_only_a_holder_asked_for_the_marketplace_turns_down_alone(market, ann):
    hit = market.hit()
    say(market, hit, DOWN, market.mei)
    assert say(market, hit, FINE, ann).state == "dismissed"
    other = market.hit(raw("2"))
    say(market, other, DOWN, ann)
    assert say(market, other, FINE, market.mei).state == "contested"


def test_an_owner_elsewhere_takes_nothing_of_the_marketplace_back(market, ann):
    """The holder's owner could bring every dismissed hit back, again and again."""
    hit, other = market.hit(), market.hit(raw("2"))
    say(market, hit, FINE, ann)
    with pytest.raises(Refused, match=r"watch\.undo_others"):
        undo(hit.number, by=market.mei.actor, at=market.world.now())
    say(market, other, FINE, market.world.person("Helper", role="depositor", of=market.mei))
    assert undo(other.number, by=market.mei.actor, at=market.world.now()).state == "open"
    assert undo(hit.number, by=market.jo.actor, at=market.world.now()).state == "open"


def test_a_hit_that_is_opened_again_is_judged_by_the_same_person_again(market):
    hit = market.hit()
    say(market, hit, FINE, market.jo)
    market.push(raw(version=2, title="高仿 R3D LANTERN lamp"))
    market.work()
    hit.refresh_from_db()
    assert hit.state == "open"
    assert claim_review(by=market.jo.actor, at=market.world.now()).hit.summary.number == hit.number
    assert say(market, hit, FAKE, market.jo).state == "confirmed"
    told = hit_of(market.jo.actor, hit.number).opinions
    assert [(each.answer, each.stands) for each in told] == [("dismiss", False), ("confirm", True)]
    with pytest.raises(Refused, match=r"watch\.hit_state_wrong"):
        say(market, hit, FINE, market.jo)


def test_a_second_person_never_confirms_another_finding_than_the_first(market, ann, bob):
    for item, answers in (("1", (DOWN,)), ("2", (DOWN, FINE))):
        hit = market.hit(raw(item))
        for said, who in zip(answers, (ann, bob), strict=False):
            say(market, hit, said, who)
        market.push(raw(item, version=2, title="高仿 R3D LANTERN lamp"))
        market.work()
        hit.refresh_from_db()
        assert (hit.state, hit.wanted) == ("open", "")
        assert say(market, hit, DOWN, ann).state == "second"
        assert not Measure.objects.filter(hit=hit).exists()


def test_a_card_does_not_say_what_the_first_person_said(market, ann, bob):
    hit = market.hit()
    say(market, hit, Opinion(answer="confirm", why="counterfeit", measure="takedown", note="ours"), ann)
    card = claim_review(by=bob.actor, at=market.world.now())
    assert (card.hit.summary.state, card.hit.opinions) == ("second", ())
    assert claim_review(by=market.mei.actor, at=market.world.now(), marketplace="de\x00mo") is None


def test_one_card_of_ten_is_the_oldest(market, ann, bob, monkeypatch):
    old, urgent = market.hit(raw("1")), market.hit(raw("2"))
    Hit.objects.filter(pk=urgent.pk).update(priority=10_000)
    monkeypatch.setattr(sampling, "drawn", lambda _key, _rate, what, *_: what == "oldest")
    assert claim_review(by=ann.actor, at=market.world.now()).hit.summary.number == old.number


def test_a_golden_sample_is_its_organisation_s_own(market, ann):
    """The holder of the right could otherwise give the marketplace's samples other answers."""
    hit = market.hit()
    say(market, hit, FINE, ann)
    for who, answer in ((market.jo, "dismiss"), (market.mei, "confirm")):
        add_golden(hit.number, answer, by=who.actor, at=market.world.now())
    told = dict(GoldenSample.objects.values_list("organisation", "answer"))
    assert told == {market.jo.actor.organisation_id: "dismiss", market.mei.actor.organisation_id: "confirm"}
    stop_golden(hit.number, by=market.mei.actor, at=market.world.now())
    assert GoldenSample.objects.get(stopped_at=None).answer == "dismiss"


def test_a_program_reads_and_judges_nothing(market):
    hit = market.hit()
    jo = market.jo.actor
    program = Actor(
        user_id=None,
        organisation_id=jo.organisation_id,
        organisation_name="",
        role="owner",
        scopes=frozenset({"watch:read", "watch:write"}),
        api_key_id="k",
    )
    assert hit_of(program, hit.number).summary.state == "open"
    with pytest.raises(Refused, match=r"watch\.person_needed"):
        decide_hit(hit.number, FAKE, by=program, at=market.world.now())


def test_two_reviewers_never_get_the_same_hit(market, ann, bob):
    numbers = {market.hit(raw(str(each))).number for each in range(3)}
    got = [claim_review(by=who.actor, at=market.world.now()) for who in (ann, bob, market.jo)]
    assert {each.hit.summary.number for each in got} == numbers
    assert claim_review(by=market.mei.actor, at=market.world.now()) is None
    again = claim_review(by=ann.actor, at=market.world.now())
    assert again.id == got[0].id
    with pytest.raises(Refused, match=r"watch\.hit_taken"):
        decide_hit(got[0].hit.summary.number, FAKE, by=bob.actor, at=market.world.now())


def test_a_lease_ends_and_another_gets_the_card(market, ann, bob):
    market.hit()
    card = claim_review(by=ann.actor, at=market.world.now())
    assert claim_review(by=bob.actor, at=market.world.now()) is None
    market.world.at += LEASE
    assert claim_review(by=bob.actor, at=market.world.now()).hit.summary.number == card.hit.summary.number
    with pytest.raises(Refused, match=r"watch\.claim_over"):
        decide_card(card.id, FAKE, by=ann.actor, at=market.world.now())


def test_a_card_is_answered_by_who_has_it_and_once(market, ann, bob):
    market.hit()
    card = claim_review(by=ann.actor, at=market.world.now())
    with pytest.raises(Refused, match=r"watch\.claim_over"):
        decide_card(card.id, FAKE, by=bob.actor, at=market.world.now())
    assert decide_card(card.id, FAKE, by=ann.actor, at=market.world.now()).state == "confirmed"
    with pytest.raises(Refused, match=r"watch\.claim_over"):
        decide_card(card.id, FINE, by=ann.actor, at=market.world.now())


def test_who_skips_or_gives_back_does_not_block(market, ann, bob):
    hit = market.hit()
    card = claim_review(by=ann.actor, at=market.world.now())
    decide_card(card.id, Opinion(answer="skip"), by=ann.actor, at=market.world.now())
    assert claim_review(by=ann.actor, at=market.world.now()) is None
    card = claim_review(by=bob.actor, at=market.world.now())
    give_back_card(card.id, by=bob.actor, at=market.world.now())
    assert claim_review(by=market.jo.actor, at=market.world.now()).hit.summary.number == hit.number


@pytest.mark.parametrize(
    "said",
    [
        Opinion(answer="confirm", why="genuine"),
        Opinion(answer="confirm"),
        Opinion(answer="dismiss", why="counterfeit"),
        Opinion(answer="dismiss", why="genuine", measure="takedown"),
        Opinion(answer="confirm", why="counterfeit", measure="restore"),
        Opinion(answer="maybe", why="genuine"),
        Opinion(answer="dismiss", why="genuine", note="x" * 501),
        Opinion(answer="dismiss", why="genuine", note="a\x00b"),
    ],
)
def test_an_answer_that_does_not_fit_is_refused(market, said):
    hit = market.hit()
    with pytest.raises(Invalid):
        say(market, hit, said, market.jo)
    assert not Vote.objects.exists()


def test_what_was_decided_is_taken_back_by_who_did_it_or_an_owner(market, ann, bob):
    hit = market.hit()
    say(market, hit, FINE, ann)
    with pytest.raises(Refused, match=r"watch\.undo_others"):
        undo(hit.number, by=bob.actor, at=market.world.now())
    assert undo(hit.number, by=ann.actor, at=market.world.now()).state == "open"
    say(market, hit, FAKE, ann)
    assert undo(hit.number, by=market.jo.actor, at=market.world.now()).state == "open"
    with pytest.raises(Refused, match=r"watch\.hit_state_wrong"):
        undo(hit.number, by=market.jo.actor, at=market.world.now())
    assert Seller.objects.get().confirmed == 0


def test_a_takedown_that_was_sent_is_restored_and_one_that_waits_is_cancelled(market, ann, bob):
    sent, waits = market.hit(), market.hit(raw("2"))
    say(market, sent, DOWN, ann)
    say(market, sent, DOWN, bob)
    send_measures(lambda _row: market.taker, clock=market.world.now)
    say(market, waits, DOWN, ann)
    say(market, waits, DOWN, bob)
    for hit in (sent, waits):
        undo(hit.number, by=market.jo.actor, at=market.world.now())
    assert sorted(Measure.objects.values_list("hit__item", "kind", "state")) == [
        ("1", "restore", "waiting"),
        ("1", "takedown", "done"),
        ("2", "takedown", "cancelled"),
    ]
    say(market, waits, DOWN, ann)
    say(market, waits, DOWN, bob)
    assert Measure.objects.filter(hit=waits, state="waiting").count() == 1
    assert Measure.objects.values("key").distinct().count() == Measure.objects.count()


def test_many_are_decided_together_and_taken_back_together(market, ann, bob):
    hits = [market.hit(raw(str(each))) for each in range(4)]
    card = claim_review(by=bob.actor, at=market.world.now())
    numbers = [each.number for each in hits]
    many = decide_many([*numbers, "H-2026-999999"], FINE, by=ann.actor, at=market.world.now())
    assert len(many.done) == 3
    assert {number: error.code for number, error in many.failed} == {
        card.hit.summary.number: "watch.hit_taken",
        "H-2026-999999": "watch.hit_not_found",
    }
    say_again = next(each.number for each in many.done)
    undo(say_again, by=ann.actor, at=market.world.now())
    back = undo_many(many.batch, by=ann.actor, at=market.world.now())
    assert (len(back.done), len(back.failed)) == (2, 0)
    assert set(Hit.objects.values_list("state", flat=True)) == {"open"}
    with pytest.raises(Refused, match=r"watch\.too_many"):
        decide_many([str(each) for each in range(1001)], FINE, by=ann.actor, at=market.world.now())


def test_the_most_urgent_comes_first(market, ann):
    market.hit(raw("1", seller="new"))
    bad = market.hit(raw("2", seller="bad"))
    Hit.objects.filter(pk=bad.pk).update(priority=10_000)
    assert claim_review(by=ann.actor, at=market.world.now()).hit.summary.number == bad.number
    assert queue_of(market.jo.actor, at=market.world.now()).next[0].number == bad.number


def test_golden_samples_look_like_any_hit_and_measure_their_reader(market, ann, bob, monkeypatch):
    hit = market.hit()
    with pytest.raises(Refused, match=r"watch\.golden_undecided"):
        add_golden(hit.number, "dismiss", by=market.jo.actor, at=market.world.now())
    say(market, hit, FINE, ann)
    with pytest.raises(Refused, match=r"people\.not_allowed"):
        add_golden(hit.number, "dismiss", by=ann.actor, at=market.world.now())
    add_golden(hit.number, "dismiss", by=market.jo.actor, at=market.world.now())
    monkeypatch.setattr(sampling, "drawn", lambda _key, _rate, what, *_: what == "golden")
    assert claim_review(by=ann.actor, at=market.world.now()) is None  # she decided it
    card = claim_review(by=bob.actor, at=market.world.now())
    assert (card.hit.summary.state, card.hit.history, card.hit.opinions) == ("open", (), ())
    said = decide_card(card.id, FAKE, by=bob.actor, at=market.world.now())
    assert (said.golden, said.state) == (False, "open")
    hit.refresh_from_db()
    assert hit.state == "dismissed"
    assert claim_review(by=bob.actor, at=market.world.now()) is None
    mine = {each.user: each for each in reviewers_of(market.jo.actor).reviewers}[bob.user.pk]
    assert (mine.golden, mine.golden_right) == (1, 0)


def test_reviewers_agreement_counts_pairs(market, ann, bob):
    for each, second in enumerate((DOWN, DOWN, FINE)):
        hit = market.hit(raw(str(each)))
        say(market, hit, DOWN, ann)
        say(market, hit, second, bob)
    told = reviewers_of(market.jo.actor).agreement
    assert (told.count, told.agreed) == (3, 2)
    with pytest.raises(Refused, match=r"people\.not_allowed"):
        reviewers_of(ann.actor)


def test_what_nothing_flagged_goes_to_audit_at_random(market, ann, monkeypatch):
    monkeypatch.setattr(sampling, "drawn", lambda _key, _rate, what, *_: what in ("unflagged", "audit"))
    market.push(raw(title="blue lamp"), raw("2"))
    market.work()
    audit = AuditSample.objects.get()
    assert (audit.kind, audit.item) == ("unflagged", "1")
    card = claim_review(by=ann.actor, at=market.world.now())
    assert (card.hit, card.listing.title) == (None, "blue lamp")
    decide_card(card.id, FINE, by=ann.actor, at=market.world.now())
    audit.refresh_from_db()
    assert audit.answer == "dismiss"
    assert claim_review(by=market.mei.actor, at=market.world.now()).hit.summary.item == "2"


def test_a_right_s_holder_gets_no_audit_of_the_marketplace(market, monkeypatch):
    monkeypatch.setattr(sampling, "drawn", lambda _key, _rate, what, *_: what in ("unflagged", "audit"))
    market.push(raw(title="blue lamp"))
    market.work()
    assert claim_review(by=market.mei.actor, at=market.world.now()) is None


def test_notes_are_for_the_own_organisation(market, ann):
    hit = market.hit()
    say(market, hit, Opinion(answer="dismiss", why="genuine", note="known dealer"), ann)
    assert [each.note for each in hit_of(market.jo.actor, hit.number).opinions] == ["known dealer"]
    assert [each.note for each in hit_of(market.mei.actor, hit.number).opinions] == [""]


def test_a_holder_sees_no_other_holder_s_hits_in_a_seller_s_history(market):
    hit = market.hit()
    Hit.objects.filter(pk=market.hit(raw("2")).pk).update(organisation=market.jo.actor.organisation_id)
    assert hit_of(market.jo.actor, hit.number).seller_hits == {"open": 2}
    assert hit_of(market.mei.actor, hit.number).seller_hits == {"open": 1}


def test_a_list_is_read_on_from_where_it_ended(market, ann):
    """Of a marketplace and of a holder; what comes in meanwhile moves nothing."""
    numbers = [market.hit(raw(str(each))).number for each in range(5)][::-1]
    for who in (ann, market.mei):
        after, seen = "", []
        for _ in range(9):
            found = hits_of(who.actor, after=after, limit=2)
            seen += [each.number for each in found.items]
            market.hit(raw(f"new {who.actor.user_id} {len(seen)}"))
            if not (after := found.next):
                break
        assert seen[-5:] == numbers
        assert len(seen) == len(set(seen))
        assert hits_of(who.actor, offset=1, limit=1).items[0].number == hits_of(who.actor).items[1].number
    stranger = market.world.person("Stranger")
    with pytest.raises(Refused, match=r"watch\.hit_not_found"):
        hits_of(stranger.actor, after=numbers[0])


def test_a_long_history_is_shown_from_its_end(market, ann, monkeypatch):
    """What stands, and whose matter it is, does not depend on how much of it is shown."""
    hit = market.hit()
    hit_to_matter(hit.number, by=market.mei.actor, at=market.world.now())
    say(market, hit, FINE, ann)
    undo(hit.number, by=ann.actor, at=market.world.now())
    say(market, hit, FAKE, ann)
    monkeypatch.setattr(hits, "MAX_STEPS", 1)
    told = hit_of(market.jo.actor, hit.number)
    assert [each.kind for each in told.history] == ["confirm"]
    assert [(each.answer, each.stands) for each in told.opinions] == [("confirm", True)]
    assert (told.matter_number, told.matter is not None) == ("", True)


def test_a_long_list_is_counted_so_far(market, monkeypatch):
    market.push(*(raw(str(each)) for each in range(5)))
    market.work()
    monkeypatch.setattr(hits, "MAX_COUNTED", 3)
    assert hits_of(market.jo.actor).total == 3
    assert len(hits_of(market.jo.actor).items) == 5
    assert len(hits_of(market.jo.actor, offset=1_000_000).items) == 2  # no further than that


def test_lists_and_the_queue_read_no_whole_table(market, ann):
    """Every look at hits, claims and votes begins in an index, or could: PostgreSQL reads tables of one row whole."""
    market.hit()
    with CaptureQueriesContext(connection) as asked:
        hits_of(market.jo.actor)
        hits_of(market.mei.actor, Filters(state="open", since=market.world.at.date()))
        queue_of(market.jo.actor, at=market.world.now())
        dashboard(market.jo.actor, at=market.world.now())
        assert claim_review(by=ann.actor, at=market.world.now()) is not None
        Hit.objects.filter(scan=ann.actor.organisation_id).count()
    told = [each["sql"] for each in asked.captured_queries if FROM_LONG.search(each["sql"])]
    explain = "EXPLAIN QUERY PLAN" if connection.vendor == "sqlite" else "EXPLAIN"
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")  # done all the same where there is no other way
        for sql in told:
            cursor.execute(f"{explain} {sql}")
            plan = [row[-1] for row in cursor.fetchall()]
            assert not [each for each in plan if WHOLE.search(each)], (sql, plan)


def test_the_same_person_s_second_answer_is_no_agreement(market, ann):
    """What was decided is opened again by another finding, and judged by the same person."""
    hit = market.hit()
    say(market, hit, FINE, ann)
    market.push(raw(version=2, title="R3D LANTERN lamp"))
    market.work()
    say(market, hit, FAKE, ann)
    assert reviewers_of(market.jo.actor).agreement.count == 0


def test_a_decision_over_many_is_taken_back_where_it_still_stands(market, ann, bob):
    hit, other = market.hit(raw("1")), market.hit(raw("2"))
    done = decide_many([hit.number, other.number], FINE, by=ann.actor, at=market.world.now())
    market.push(raw("1", version=2, title="R3D LANTERN lamp"))
    market.work()
    say(market, hit, FAKE, bob)
    told = undo_many(done.batch, by=market.jo.actor, at=market.world.now())
    assert [each.number for each in told.done] == [other.number]
    assert [(number, error.code) for number, error in told.failed] == [(hit.number, "watch.undo_others")]
    hit.refresh_from_db()
    assert hit.state == "confirmed"


def test_lists_are_filtered(market, ann):
    first, second = market.hit(raw("1")), market.hit(raw("2", seller="s2"))
    say(market, first, FAKE, ann)
    told = {
        name: [each.number for each in hits_of(market.jo.actor, filters).items]
        for name, filters in {
            "confirmed": Filters(state="confirmed"),
            "seller": Filters(seller="s2"),
            "rule": Filters(rule="named"),
            "no rule": Filters(rule="other"),
            "right": Filters(right=first.right_number),
            "market": Filters(marketplace="other"),
            "since": Filters(since=(market.world.at + timedelta(days=1)).date()),
        }.items()
    }
    both = [second.number, first.number]
    assert told == {
        "confirmed": [first.number],
        "seller": [second.number],
        "rule": both,
        "no rule": [],
        "right": both,
        "market": [],
        "since": [],
    }
