"""What a changed right, licence or mark does to hits and stock."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from unittest.mock import Mock

import pytest
from watch.tables.test_scan_actions import laid
from world.market import raw
from world.rights import OPERATOR, lantern, verified

from chopmark.base.errors import Invalid, Refused
from chopmark.rights.actions import interest
from chopmark.rights.actions.dispute import NewDispute, open_dispute
from chopmark.rights.actions.interest import NewInterest, end_interest
from chopmark.rights.record import Mark, Party
from chopmark.watch import wiring
from chopmark.watch.actions import scan as scans
from chopmark.watch.actions import stock, turn
from chopmark.watch.actions.marketplace import name_seller
from chopmark.watch.actions.markset import (
    KEPT,
    describe_mark,
    follow_rights,
    forget_sets,
    in_use,
    make_mark_set,
    read_marks,
)
from chopmark.watch.actions.review import Opinion, decide_hit
from chopmark.watch.actions.scan import NewScan, start_scan, work_scan
from chopmark.watch.actions.turn import work_tasks
from chopmark.watch.found import PictureHit
from chopmark.watch.models import Hit, ListingRow, MarkSetRow, RuleCount, Scan, Task


def turned(market):
    """Follow the registry, then do every task."""
    follow_rights(market.world.now())
    looked = found = 0
    while (done := work_tasks(market.world.now())).more:
        looked, found = looked + done.looked, found + done.found
    return looked, found


def licensed(market, who, **more):
    """Mei lets somebody sell."""
    new = NewInterest(party=Party(name="Lamps Ltd"), role="licensee", organisation=who.actor.organisation_id, **more)
    return interest.license(market.right.id, new, by=market.mei.actor, at=market.world.now())


def test_a_new_right_finds_its_old_fakes(market):
    market.push(raw("1", title="WILLOWBROOK chair"), raw("2", title="plain chair"), raw("3", title="w1llowbrook chair"))
    market.work()
    assert turned(market) == (3, 0)
    assert not Hit.objects.exists()
    willow = lantern(
        mark=Mark(verbal="WILLOWBROOK", feature="word"), application_number="018123457", registration_number="018123457"
    )
    verified(market.world, market.mei, willow)
    assert turned(market) == (3, 2)
    assert sorted(Hit.objects.values_list("item", flat=True)) == ["1", "3"]
    assert RuleCount.objects.get(rule__name="named").fired == 2
    assert {each.events.get().facts["source"] for each in Hit.objects.all()} == {"reverse"}
    assert turned(market) == (0, 0)


def test_the_stock_is_looked_through_in_pieces(market, monkeypatch):
    monkeypatch.setattr(turn, "ROWS", 2)
    market.push(*(raw(str(each), title="WILLOWBROOK chair") for each in range(5)))
    market.work()
    turned(market)
    willow = lantern(
        mark=Mark(verbal="WILLOWBROOK", feature="word"), application_number="018123457", registration_number="018123457"
    )
    verified(market.world, market.mei, willow)
    assert turned(market) == (5, 5)
    task = Task.objects.filter(kind="reverse").order_by("-pk").first()
    assert (task.looked, task.found) == (5, 5)


def test_a_licence_releases_open_hits_and_its_end_brings_them_back(market):
    anna = market.world.person("Anna")
    hit, other = market.hit(raw("1", seller="anna")), market.hit(raw("2", seller="eve"))
    turned(market)
    name_seller("demo", "anna", organisation=anna.actor.organisation_id, by=market.jo.actor, at=market.world.now())
    licensed(market, anna)
    turned(market)
    hit.refresh_from_db()
    other.refresh_from_db()
    assert (hit.state, hit.why, other.state) == ("released", "licensed", "open")
    assert market.hit(raw("3", seller="anna")).item == "2"
    end_interest(market.right.id, "I1", by=market.mei.actor, at=market.world.now())
    turned(market)
    hit.refresh_from_db()
    assert hit.state == "open"


def test_a_licence_for_another_country_releases_nothing(market):
    anna = market.world.person("Anna")
    name_seller("demo", "anna", organisation=anna.actor.organisation_id, by=market.jo.actor, at=market.world.now())
    licensed(market, anna, territories=("FR",))
    turned(market)
    assert market.hit(raw("1", seller="anna", territories=["DE"])).state == "open"
    assert Hit.objects.count() == 1
    market.push(raw("2", seller="anna", territories=["FR"]))
    market.work()
    assert Hit.objects.count() == 1


def test_the_holder_s_own_shop_is_no_hit(market):
    name_seller("demo", "mei", organisation=market.mei.actor.organisation_id, by=market.jo.actor, at=market.world.now())
    make_mark_set(at=market.world.now())
    market.push(raw(seller="mei"))
    market.work()
    assert not Hit.objects.exists()


def test_a_disputed_right_backs_nothing_and_its_takedown_is_restored(market):
    hit = market.hit()
    turned(market)
    said = Opinion(answer="confirm", why="counterfeit", measure="hold")
    decide_hit(hit.number, said, by=market.jo.actor, at=market.world.now())
    open_dispute(market.right.id, NewDispute(kind="invalidity"), by=OPERATOR, at=market.world.now())
    turned(market)
    hit.refresh_from_db()
    assert (hit.state, hit.why, hit.measure) == ("released", "right_ended", "")
    assert [(each.kind, each.state) for each in hit.measures.order_by("pk")] == [("hold", "cancelled")]


def test_the_same_marks_have_the_same_version(market):
    again = make_mark_set(at=market.world.now())
    assert again.version == market.marks.version
    assert MarkSetRow.objects.count() == 1
    assert read_marks(again.version).marks[0].territories
    [mark] = read_marks(again.version).marks
    assert (mark.text, mark.number, mark.classes) == ("RED LANTERN", market.right.number, ("11", "25"))


def test_changed_rights_alone_are_read_anew_and_come_to_the_same_set(market):
    willow = lantern(
        mark=Mark(verbal="WILLOWBROOK", feature="word"), application_number="018123457", registration_number="018123457"
    )
    verified(market.world, market.mei, willow)
    follow_rights(market.world.now())
    in_pieces = in_use().version
    assert make_mark_set(at=market.world.now()).version == in_pieces
    assert len(read_marks(in_pieces).marks) == 2


def test_a_set_that_nobody_needs_is_forgotten_a_week_after_its_use(market):
    laid(market, raw())
    start_scan(NewScan(marketplace="demo"), by=market.jo.actor, at=market.world.now())
    while work_scan(clock=market.world.now):
        pass
    named = Scan.objects.get().marks
    sets = []
    for day, alias in enumerate(("one", "two", "three"), 1):
        now = market.world.now() + timedelta(days=day)
        describe_mark(market.right.id, aliases=[alias], by=market.mei.actor, at=now)
        follow_rights(now)
        sets.append(in_use())
    assert forget_sets(now) == 0
    assert forget_sets(sets[1].made_at + KEPT) == 1  # from that moment on the second was in use
    assert [each.path.is_file() for each in sets] == [False, True, True]
    assert forget_sets(now + 2 * KEPT) == 1
    assert [each.path.is_file() for each in sets] == [False, False, True]
    assert in_use() == sets[2]
    assert read_marks(named).version == named


def test_aliases_of_a_person_are_looked_for(market):
    market.push(raw("1", title="红灯笼 台灯"))
    market.work()
    assert not Hit.objects.exists()
    follow_rights(market.world.now())
    describe_mark(market.right.id, aliases=["红灯笼", " "], by=market.mei.actor, at=market.world.now())
    turned(market)
    assert Hit.objects.get().found["texts"][0]["term"] == "红灯笼"


def test_who_may_not_describe_a_mark(market):
    viewer = market.world.person("Vera", role="viewer", of=market.mei)
    with pytest.raises(Refused, match=r"people\.not_allowed"):
        describe_mark(market.right.id, aliases=["x"], by=viewer.actor, at=market.world.now())
    with pytest.raises(Refused, match=r"rights\.not_found"):
        describe_mark(market.right.id, aliases=["x"], by=market.jo.actor, at=market.world.now())
    with pytest.raises(Invalid, match=r"watch\.distinctiveness_malformed"):
        describe_mark(market.right.id, distinctiveness=1001, by=market.mei.actor, at=market.world.now())
    with pytest.raises(Invalid, match=r"watch\.alias_malformed"):
        describe_mark(market.right.id, aliases=["a\nb"], by=market.mei.actor, at=market.world.now())


def test_a_seller_that_is_named_later_is_licensed_though_no_right_changed(market):
    anna = market.world.person("Anna")
    licensed(market, anna)
    hit = market.hit(raw("1", seller="anna"))
    turned(market)
    name_seller("demo", "anna", organisation=anna.actor.organisation_id, by=market.jo.actor, at=market.world.now())
    turned(market)
    hit.refresh_from_db()
    assert (hit.state, hit.why) == ("released", "licensed")
    name_seller("demo", "anna", by=market.jo.actor, at=market.world.now())
    turned(market)
    hit.refresh_from_db()
    assert hit.state == "open"


def test_a_licence_ends_with_its_last_day_though_nobody_says_so(market):
    anna = market.world.person("Anna")
    name_seller("demo", "anna", organisation=anna.actor.organisation_id, by=market.jo.actor, at=market.world.now())
    licensed(market, anna, until=(market.world.at + timedelta(days=2)).date())
    turned(market)
    hit = market.hit(raw("1", seller="anna"), raw("2", seller="eve"))
    turned(market)
    assert list(Hit.objects.values_list("item", flat=True)) == ["2"]
    market.world.at += timedelta(days=3)
    turned(market)
    assert Hit.objects.get(item="1").state == "open"
    assert hit.item == "2"


def test_a_licence_releases_hits_of_a_marketplace_that_is_only_scanned(market):
    """Scans leave hits and no listings."""
    anna = market.world.person("Anna")
    hit = market.hit(raw("1", seller="anna"))
    ListingRow.objects.all().delete()
    turned(market)
    name_seller("demo", "anna", organisation=anna.actor.organisation_id, by=market.jo.actor, at=market.world.now())
    licensed(market, anna)
    turned(market)
    hit.refresh_from_db()
    assert hit.state == "released"


def test_a_name_that_a_person_added_is_not_lost_to_another_right_s_change(market):
    market.push(raw("1", title="红灯笼 台灯"))
    market.work()
    turned(market)
    describe_mark(market.right.id, aliases=["红灯笼"], by=market.mei.actor, at=market.world.now())
    while work_tasks(market.world.now()).more:
        pass  # the watcher's other thread was faster than the new set
    assert not Hit.objects.exists()
    willow = lantern(
        mark=Mark(verbal="WILLOWBROOK", feature="word"), application_number="018123457", registration_number="018123457"
    )
    verified(market.world, market.mei, willow)
    turned(market)
    assert Hit.objects.get().found["texts"][0]["term"] == "红灯笼"


def test_what_was_seen_in_pictures_outlives_a_change_of_the_right(market):
    hit = market.hit()
    logo = PictureHit(work="", right=str(market.right.id), picture=0, stage="logo", score=950, query=(0, 0, 500, 500))
    kept = [{**asdict(logo), "query": list(logo.query)}]
    Hit.objects.update(found={**hit.found, "pictures": kept})
    turned(market)
    describe_mark(market.right.id, aliases=["LANTERNE ROUGE"], by=market.mei.actor, at=market.world.now())
    turned(market)
    hit.refresh_from_db()
    assert hit.found["pictures"] == kept
    assert (hit.features["logo_score"], hit.state) == (950, "open")


def test_a_search_that_is_under_way_begins_anew_with_new_marks(market, monkeypatch):
    monkeypatch.setattr(turn, "ROWS", 2)
    market.push(*(raw(str(each), title="红灯笼 台灯") for each in range(4)))
    market.work()
    turned(market)
    describe_mark(market.right.id, aliases=["灯笼红"], by=market.mei.actor, at=market.world.now())
    follow_rights(market.world.now())
    while not Task.objects.filter(kind="reverse", done_at=None, position__gt=0).exists():
        assert work_tasks(market.world.now()).more
    describe_mark(market.right.id, aliases=["红灯笼"], by=market.mei.actor, at=market.world.now())
    turned(market)
    assert Hit.objects.count() == 4


def scanned(market, *batch):
    """A stock that no feed ever brought, scanned."""
    laid(market, *batch)
    start_scan(NewScan(marketplace="demo"), by=market.jo.actor, at=market.world.now())
    work_scan(clock=market.world.now, processes=1)


def willow(market):
    """A right that nobody had when the stock was scanned."""
    mark = Mark(verbal="WILLOWBROOK", feature="word")
    verified(
        market.world, market.mei, lantern(mark=mark, application_number="018123457", registration_number="018123457")
    )


def test_a_new_right_is_looked_for_in_what_was_scanned(market):
    turned(market)
    fakes = [raw("7", title="WILLOWBROOK chair"), raw("8", title="plain chair"), raw("9", title="w1llowbrook chair")]
    scanned(market, *fakes, raw("10", title="Willowbrook table"))
    market.push(raw("10", title="oak table", version=2))  # it came by the feed since, without the name
    market.work()
    assert not Hit.objects.exists()
    willow(market)
    assert turned(market) == (1 + 4, 2)
    assert sorted(Hit.objects.values_list("item", flat=True)) == ["7", "9"]
    hit = Hit.objects.get(item="9")
    assert (hit.scan, hit.seller, hit.events.get().facts["source"]) == (None, "s1", "reverse")
    assert turned(market) == (0, 0)


def test_a_common_word_does_not_hide_another_mark_s_fakes(market, monkeypatch):
    monkeypatch.setattr(stock, "MAX_ROWS", 2)
    turned(market)
    words = [raw(str(each), title="WILLOWBROOK chair") for each in range(4)]
    scanned(market, *words, raw("9", title="oak 红灯笼"))
    willow(market)
    describe_mark(market.right.id, aliases=["红灯笼"], by=market.mei.actor, at=market.world.now())
    turned(market)
    assert sorted(Hit.objects.values_list("item", flat=True)) == ["0", "1", "9"]


def test_a_right_that_was_filed_during_a_scan_is_looked_for_when_it_ends(market, monkeypatch):
    turned(market)
    laid(market, raw("7", title="WILLOWBROOK chair"))
    carry = scans.carry

    def carried(job, *, progress, stop):
        content = carry(job, progress=progress, stop=stop)
        willow(market)
        assert turned(market) == (0, 0)  # no stock to search yet: the scan is not over
        return content

    monkeypatch.setattr(scans, "carry", carried)
    start_scan(NewScan(marketplace="demo"), by=market.jo.actor, at=market.world.now())
    work_scan(clock=market.world.now, processes=1)
    assert turned(market) == (1, 1)
    assert Hit.objects.get().item == "7"


def test_a_search_of_stocks_begins_anew_when_a_scan_ends(market):
    turned(market)
    scanned(market, raw("7", title="WILLOWBROOK chair"))
    Task.objects.create(kind="stock", right="of another partition", made_at=market.world.now(), position=5)
    scanned(market, raw("8", title="WILLOWBROOK chair"))
    assert Task.objects.get(done_at=None).position == 0


def test_who_dies_while_a_new_set_comes_into_use_loses_no_task(market, monkeypatch):
    """The licence ended with the day; nothing else says so than the difference of two sets."""
    anna = market.world.person("Anna")
    name_seller("demo", "anna", organisation=anna.actor.organisation_id, by=market.jo.actor, at=market.world.now())
    licensed(market, anna, until=(market.world.at + timedelta(days=2)).date())
    turned(market)
    market.push(raw("1", seller="anna"))
    market.work()
    market.world.at += timedelta(days=3)
    with monkeypatch.context() as dying:
        dying.setattr(Task.objects, "bulk_create", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            follow_rights(market.world.now())
    turned(market)
    assert Hit.objects.get().state == "open"


def test_a_file_that_changed_since_its_scan_is_not_searched(market):
    scanned(market, raw("7", title="WILLOWBROOK chair"))
    laid(market, raw("7", title="plain chair"), raw("8", title="WILLOWBROOK chair"))
    turned(market)
    willow(market)
    assert turned(market) == (0, 0)
    assert not Task.objects.filter(done_at=None).exists()


def test_a_spoiled_stock_holds_nothing_and_stops_nothing(market):
    turned(market)
    scanned(market, raw("7", title="WILLOWBROOK chair"))
    for path in (wiring.folder("scans")).glob("*/stock/part-*.parquet"):
        path.write_bytes(b"PAR1 no more")
    willow(market)
    assert turned(market) == (1, 0)
    assert not Task.objects.filter(done_at=None).exists()
