"""Listings are taken in once, judged once, and lost never."""

from __future__ import annotations

import pytest
from world.market import raw

from chopmark.base.errors import Invalid, Refused
from chopmark.watch import wiring
from chopmark.watch.actions import push
from chopmark.watch.actions.feed import MAX_TRIES, give_back, revive_listings, work_feed
from chopmark.watch.models import Figure, Hit, Inbox, ListingRow, Seller


def states(answers):
    return [each.code if isinstance(each, Exception) else each.state for each in answers]


def test_a_listing_that_names_a_mark_becomes_a_hit_that_says_why(market):
    hit = market.hit(raw(title="genuine RED LANTERN lamp"))
    assert (hit.number, hit.state, hit.item) == ("H-2026-000001", "open", "1")
    [text] = hit.found["texts"]
    assert "genuine RED LANTERN lamp"[text["start"] : text["end"]] == "RED LANTERN"
    assert (hit.features["class_fits"], hit.features["territory_fits"]) == (True, True)
    assert [name for name, _ in hit.rules] == ["named"]
    assert hit.marks == market.marks.version
    assert hit.organisation == market.mei.actor.organisation_id
    assert [each.kind for each in hit.events.order_by("pk")] == ["found"]


def test_what_names_nothing_is_kept_and_counted_and_no_hit(market):
    market.push(raw(title="blue lamp"))
    assert market.work().judged == 1
    assert not Hit.objects.exists()
    assert ListingRow.objects.get().outcome == "none"
    assert Figure.objects.get(name="scanned").count == 1
    assert Seller.objects.get().number == "s1"


def test_the_same_push_again_changes_nothing(market):
    assert states(market.push(raw(), raw("2"))) == ["accepted", "accepted"]
    assert states(market.push(raw(), raw("2"))) == ["known", "known"]
    assert market.work().judged == 2
    assert states(market.push(raw(), raw("2"))) == ["known", "known"]
    assert market.work().judged == 0
    assert Hit.objects.count() == 2


def test_one_version_with_two_contents_is_refused(market):
    said = market.push(raw(), raw(title="another lamp"))
    assert states(said) == ["accepted", "watch.listing_changed"]
    market.work()
    assert states(market.push(raw(title="another lamp"))) == ["watch.listing_changed"]


def test_an_older_version_says_nothing_any_more(market):
    market.push(raw(version=3, title="blue lamp"))
    market.work()
    assert states(market.push(raw(version=2))) == ["older"]
    market.push(raw(version=5), raw(version=4, title="blue lamp"))
    market.work()
    assert ListingRow.objects.get().version == 5
    assert Hit.objects.get().version == 5


def test_a_spoiled_listing_spoils_no_other(market):
    said = market.push(raw(), {"title": "no identity"}, raw("2", price="-3"))
    assert states(said) == ["accepted", "watch.listing_item", "accepted"]
    assert isinstance(said[1], Invalid)


def test_a_full_inbox_says_when_to_come_back(market, monkeypatch):
    monkeypatch.setattr(push, "MAX_INBOX", 2)
    monkeypatch.setattr(push.take_in, "__kwdefaults__", {**push.take_in.__kwdefaults__, "most": 2})
    market.push(raw(), raw("2"))
    with pytest.raises(Refused) as refused:
        market.push(raw("3"))
    assert refused.value.code == "watch.inbox_full"
    assert refused.value.facts["retry_after"] > 0
    assert Inbox.objects.count() == 2
    market.work()
    assert states(market.push(raw("3"))) == ["accepted"]


def test_more_than_a_batch_is_refused(market):
    with pytest.raises(Refused, match=r"watch\.batch_too_large"):
        market.push(*(raw(str(each)) for each in range(push.MAX_BATCH + 1)))


def test_a_stopped_marketplace_takes_nothing(market):
    from chopmark.watch.actions.marketplace import stop_marketplace  # noqa: PLC0415 (beside its one use)

    stop_marketplace("demo", by=market.jo.actor, at=market.world.now())
    with pytest.raises(Refused, match=r"watch\.marketplace_stopped"):
        market.push(raw())


class Spoiled:
    """A judge that cannot bear one title."""

    version = "0" * 64

    def __init__(self, judge, word):
        self.judge, self.word = judge, word

    def __call__(self, listing, *more):
        if self.word in listing.title:
            raise ZeroDivisionError
        return self.judge(listing, *more)

    def many(self, batch):
        return [self(*each) for each in batch]


def test_what_cannot_be_judged_holds_up_nobody_and_lies_dead_after_five_tries(market):
    from chopmark.watch.actions.judging import judge_of  # noqa: PLC0415 (beside its one use)

    def spoiled(organisation):
        return Spoiled(judge_of(organisation, at=market.world.at), "poison")

    clerk = market.world.person("Clerk", role="depositor", of=market.jo)
    market.push(raw(), raw("2", title="RED LANTERN poison"), raw("3"))
    market.work(judge_of=spoiled)
    assert sorted(ListingRow.objects.values_list("item", flat=True)) == ["1", "3"]
    dead = Inbox.objects.get()
    for _ in range(MAX_TRIES):
        market.world.at = max(market.world.at, dead.next_try)
        market.work(judge_of=spoiled)
        dead.refresh_from_db()
    assert (dead.tries, dead.trouble, dead.facts) == (
        MAX_TRIES,
        "watch.listing_unjudged",
        {"kind": "ZeroDivisionError"},
    )
    assert dead.dead_at is not None
    assert market.work().judged == 0
    for who, code in ((market.mei, "marketplace_not_found"), (clerk, "not_allowed")):
        with pytest.raises(Refused, match=code):
            revive_listings("demo", by=who.actor, at=market.world.now())
    assert revive_listings("demo", by=market.jo.actor, at=market.world.now()) == 1
    assert revive_listings("demo", by=market.jo.actor, at=market.world.now()) == 0
    assert market.work().judged == 1
    assert not Inbox.objects.exists()


def test_what_no_listing_spoiled_is_said_and_counts_against_none(market, monkeypatch):
    from chopmark.watch.actions import feed  # noqa: PLC0415 (beside its one use)

    market.push(raw())
    with monkeypatch.context() as broken:
        broken.setattr(feed, "_claimed", lambda *_args: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            work_feed(clock=market.world.now)
    assert Inbox.objects.get().tries == 0
    assert market.work().judged == 1


def test_what_a_dead_worker_had_in_hand_counts_a_try_and_goes_on_in_smaller_groups(market):
    market.push(raw(), raw("2"), raw("3"))
    ids = list(Inbox.objects.order_by("pk").values_list("pk", flat=True))
    wiring.hand().write_text(str(ids[:2]), "ascii")
    assert give_back(market.world.now()) == 2
    assert give_back(market.world.now()) == 0
    assert sorted(Inbox.objects.values_list("tries", flat=True)) == [0, 1, 1]
    assert work_feed(10, clock=market.world.now).judged == 1
    assert work_feed(clock=market.world.now).judged == 1
    assert market.work().judged == 1
    assert Hit.objects.count() == 3


def test_a_worker_that_dies_in_the_middle_leaves_all_as_it_was(market, monkeypatch):
    from chopmark.watch.actions import feed  # noqa: PLC0415 (beside its one use)

    def dies(*_args, **_more):
        raise KeyboardInterrupt

    market.push(raw(), raw("2"))
    with monkeypatch.context() as patched:
        patched.setattr(feed, "count_rules", dies)
        with pytest.raises(KeyboardInterrupt):
            market.work()
    assert (Inbox.objects.count(), Hit.objects.count(), ListingRow.objects.count()) == (2, 0, 0)
    assert give_back(market.world.now()) == 2
    assert market.work().judged == 2
    assert Hit.objects.count() == 2


def test_a_listing_that_shows_it_no_more_takes_its_hit_away(market):
    hit = market.hit()
    market.push(raw(version=2, title="blue lamp"))
    market.work()
    hit.refresh_from_db()
    assert hit.state == "gone"
    market.push(raw(version=3))
    market.work()
    hit.refresh_from_db()
    assert hit.state == "open"
    assert [each.kind for each in hit.events.order_by("pk")] == ["found", "leave", "found"]


def test_who_pushes_at_the_same_moment_is_told_what_became_of_it(market, monkeypatch):
    """PostgreSQL lets two calls read before either writes; the second must not hear that its words were taken."""
    insert = push.insert

    def another_is_faster(table, columns, rows, *, conflict):
        if rows:
            [pk, item, version, _, _, *rest] = rows[0]
            insert(table, columns, [(pk, item, version, b"{}", bytes(32), *rest)], conflict=conflict)
            insert(table, columns, rows, conflict=conflict)

    monkeypatch.setattr(push, "insert", another_is_faster)
    monkeypatch.setattr(push, "is_shared", lambda: True)
    assert states(market.push(raw(), raw("2"))) == ["watch.listing_changed", "accepted"]
    assert bytes(Inbox.objects.get(item="1").sha256) == bytes(32)
