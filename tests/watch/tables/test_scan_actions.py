"""A scan over a stock: asked for, carried, taken over, stated; again and again to the same."""

from __future__ import annotations

import fcntl
import socket
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256

import pytest
from pyarrow import parquet
from world.market import NAMED, raw

from chopmark.base.errors import Invalid, Refused, Unavailable
from chopmark.evidence.queries import deposit_of
from chopmark.watch import listing as listings
from chopmark.watch.actions import scan as scans
from chopmark.watch.actions.marketplace import stop_marketplace
from chopmark.watch.actions.rules import propose_rule, publish_rule, shadow_rule, stop_rule
from chopmark.watch.actions.scan import NewScan, keep_results, start_scan, stock_of, stop_scan, work_scan
from chopmark.watch.driver import Told, carry
from chopmark.watch.engine.schema import table_of
from chopmark.watch.listing import clean
from chopmark.watch.models import AuditSample, Figure, Hit, Partition, RuleCount, Scan
from chopmark.watch.queries.rules import rule_of
from chopmark.watch.queries.scans import proof_of, scan_of, scans_of
from chopmark.watch.results import Proof, Total, check
from chopmark.watch.rules.language import parse


def laid(market, *batch):
    """Files in the marketplace's folder."""
    folder = stock_of("demo")
    folder.mkdir(parents=True, exist_ok=True)
    parquet.write_table(table_of(clean(each, marketplace="demo") for each in batch), folder / "one.parquet")


def asked(market, **more):
    return start_scan(NewScan(marketplace="demo", **more), by=market.jo.actor, at=market.world.now())


def test_a_scan_finds_what_the_feed_would_and_states_its_root(market):
    laid(market, raw("1"), raw("2", title="blue lamp"), raw("3", title="R3D LANTERN lamp", seller="s3"))
    made = asked(market)
    assert work_scan(clock=market.world.now, processes=1) == made.number
    assert work_scan(clock=market.world.now, processes=1) == ""
    assert sorted(Hit.objects.values_list("item", flat=True)) == ["1", "3"]
    told = scan_of(market.jo.actor, made.number)
    assert (told.state, told.scanned, told.found, told.partitions_done) == ("done", 3, 2, 1)
    assert deposit_of(market.jo.actor, told.deposit).private
    proof, content = proof_of(market.jo.actor, made.number, 0, 0)
    assert deposit_of(market.jo.actor, told.deposit).sha256 == sha256(content).digest()
    row, part = check(Proof.parse(proof), Total.parse(content))
    assert (row["item"], part.listings) == ("1", 3)
    assert Figure.objects.get(name="scanned").count == 3
    assert RuleCount.objects.get(rule__name="named").fired == 2
    assert {each.facts["source"] for hit in Hit.objects.all() for each in hit.events.all()} == {"scan"}


def test_an_item_that_stands_twice_in_the_stock_is_one_hit(market):
    laid(market, raw("1"), raw("1", title="blue lamp"), raw("1", title="R3D LANTERN lamp", version=3), raw("1"))
    asked(market)
    work_scan(clock=market.world.now, processes=1)
    [hit] = Hit.objects.all()
    assert (hit.item, hit.version) == ("1", 3)
    assert Scan.objects.get().state == "done"


def test_the_very_same_row_twice_is_one_hit(market):
    laid(market, raw("1"), raw("1"))
    made = asked(market)
    assert work_scan(clock=market.world.now, processes=1) == made.number
    assert scan_of(market.jo.actor, made.number).state == "done"
    assert Hit.objects.get().item == "1"


def test_results_taken_over_again_change_nothing(market):
    laid(market, raw("1"), raw("3"))
    made = asked(market)
    work_scan(clock=market.world.now, processes=1)
    row = Scan.objects.get(number=made.number)
    before = list(Hit.objects.order_by("pk").values_list("number", "state", "changed_at"))
    assert keep_results(row, clock=market.world.now) == 0
    Partition.objects.all().delete()
    assert keep_results(row, clock=market.world.now) == 0
    assert list(Hit.objects.order_by("pk").values_list("number", "state", "changed_at")) == before


def test_a_scan_that_finds_no_file_fails_and_says_so(market):
    made = asked(market)
    assert work_scan(clock=market.world.now, processes=1) == made.number
    told = scan_of(market.jo.actor, made.number)
    assert (told.state, told.trouble) == ("failed", "watch.scan_empty")


def test_who_may_not_scan(market):
    clerk, viewer = (
        market.world.person(name, role=role, of=market.jo) for name, role in (("C", "depositor"), ("V", "viewer"))
    )
    for who in (clerk, viewer):
        with pytest.raises(Refused, match=r"people\.not_allowed"):
            start_scan(NewScan(marketplace="demo"), by=who.actor, at=market.world.now())
    with pytest.raises(Refused, match=r"watch\.marketplace_not_found"):
        start_scan(NewScan(marketplace="demo"), by=market.mei.actor, at=market.world.now())
    made = asked(market)
    assert [each.number for each in scans_of(viewer.actor)] == [made.number]
    for call in (scan_of, lambda by, which: stop_scan(which, by=by, at=market.world.now())):
        with pytest.raises(Refused, match=r"watch\.scan_not_found"):
            call(market.mei.actor, made.number)
    assert stop_scan(made.number, by=market.jo.actor, at=market.world.now()).state == "stopped"
    assert work_scan(clock=market.world.now, processes=1) == ""


@pytest.mark.parametrize("source", ["", "/etc/*", "../other/*.parquet", "a/../../b", "~/x", "a\nb", "x" * 301])
def test_a_pattern_stays_in_the_marketplace_s_folder(market, source):
    with pytest.raises(Invalid, match=r"watch\.scan_source_malformed"):
        asked(market, source=source)


@pytest.mark.parametrize("runner", ["", "dask", "ray://", "ray://a b:1", "native ", "http://a:1"])
def test_a_runner_is_this_machine_or_a_cluster(market, runner):
    with pytest.raises(Invalid, match=r"watch\.scan_runner_malformed"):
        asked(market, runner=runner)


def test_a_marketplace_that_was_stopped_is_not_scanned(market):
    stop_marketplace("demo", by=market.jo.actor, at=market.world.now())
    with pytest.raises(Refused, match=r"watch\.marketplace_stopped"):
        asked(market)


def test_a_scan_that_stands_in_the_queue_has_its_rules_beside_it(market, monkeypatch):
    """Whoever dies while asking for one leaves none that cannot be carried."""
    monkeypatch.setattr(scans, "encode_rules", lambda _rules: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        asked(market)
    assert not Scan.objects.exists()


def test_a_cluster_is_joined_only_where_the_operator_named_it(market, settings):
    """Whoever answers at that address may run anything in the process that joins."""
    with pytest.raises(Refused, match=r"watch\.runner_elsewhere"):
        asked(market, runner="10.0.0.1:6379")
    settings.CHOPMARK_WATCH_CLUSTERS = ("10.0.0.1:6379",)
    assert asked(market, runner="10.0.0.1:6379").runner == "10.0.0.1:6379"
    with pytest.raises(Refused, match=r"watch\.runner_elsewhere"):
        asked(market, runner="10.0.0.2:6379")
    here = NewScan(marketplace="demo", runner="10.0.0.2:6379")
    assert start_scan(here, by=market.jo.actor, at=market.world.now(), any_cluster=True).state == "waiting"


def test_a_scan_whose_process_always_dies_is_given_up_and_holds_up_no_other(market, monkeypatch):
    laid(market, raw("1"))
    first, second = asked(market), asked(market)
    market.world.at += timedelta(seconds=1)
    carry = scans.carry

    def dies(job, **more):
        if job.folder.name == first.number:
            raise Unavailable("watch.scan_died", status=-9)
        return carry(job, **more)

    monkeypatch.setattr(scans, "carry", dies)
    for _ in range(scans.DEATHS - 1):
        with pytest.raises(Unavailable, match=r"watch\.scan_died"):
            work_scan(clock=market.world.now, processes=1)
    assert work_scan(clock=market.world.now, processes=1) == first.number
    assert (scan_of(market.jo.actor, first.number).state, Scan.objects.get(number=first.number).trouble) == (
        "failed",
        "watch.scan_died",
    )
    assert work_scan(clock=market.world.now, processes=1) == second.number
    assert scan_of(market.jo.actor, second.number).state == "done"


@pytest.fixture
def nobody():
    """The address of a cluster that is not there, and stays away."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{held.getsockname()[1]}"


def on(market, runner):
    """A scan on a cluster."""
    new = NewScan(marketplace="demo", runner=runner)
    return start_scan(new, by=market.jo.actor, at=market.world.now(), any_cluster=True)


def test_a_scan_whose_cluster_does_not_answer_waits_says_why_and_lets_others_go_first(market, nobody):
    laid(market, raw("1"))
    first, second = on(market, nobody), asked(market)
    assert work_scan(clock=market.world.now, processes=1) == ""
    told = scan_of(market.jo.actor, first.number)
    assert (told.state, told.trouble, told.facts["runner"]) == ("running", "watch.cluster_unreachable", nobody)
    assert "deaths" not in told.facts
    assert work_scan(clock=market.world.now, processes=1) == second.number
    assert scan_of(market.jo.actor, second.number).state == "done"
    assert work_scan(clock=market.world.now, processes=1) == ""
    assert scan_of(market.jo.actor, first.number).facts["tries"] == 1  # it rests
    stop_scan(first.number, by=market.jo.actor, at=market.world.now())
    assert work_scan(clock=market.world.now, processes=1) == ""


def test_a_cluster_that_never_answers_is_given_up_and_its_silence_is_no_death(market, nobody, monkeypatch):
    laid(market, raw("1"))
    made = on(market, nobody)
    Scan.objects.update(facts={"deaths": scans.DEATHS - 1, "got": [0, 0]})
    for tries in range(1, scans.CLUSTER_TRIES):
        assert work_scan(clock=market.world.now, processes=1) == ""
        assert scan_of(market.jo.actor, made.number).facts["tries"] == tries
        market.world.at += timedelta(seconds=scans.CLUSTER_REST)
    assert scan_of(market.jo.actor, made.number).facts["deaths"] == scans.DEATHS - 1
    assert work_scan(clock=market.world.now, processes=1) == made.number
    told = scan_of(market.jo.actor, made.number)
    assert (told.state, told.trouble) == ("failed", "watch.cluster_unreachable")


def test_a_cluster_that_answers_again_ends_the_waiting_and_the_next_silence_is_counted_anew(
    market, nobody, monkeypatch
):
    laid(market, raw("1"))
    made = on(market, nobody)
    silent = [True, True, False, True]

    def joined(job, *, progress, stop):
        if silent.pop(0):
            return carry(job, progress=progress, stop=stop)
        progress(Told(partitions=9, done=1, scanned=1, hits=0, rate=1.0, remaining=1.0))
        assert scan_of(market.jo.actor, made.number).trouble == ""
        raise Unavailable("watch.scan_died", status=1)

    monkeypatch.setattr(scans, "carry", joined)
    for _ in range(2):
        assert work_scan(clock=market.world.now, processes=1) == ""
        market.world.at += timedelta(seconds=scans.CLUSTER_REST)
    with pytest.raises(Unavailable, match=r"watch\.scan_died"):
        work_scan(clock=market.world.now, processes=1)
    assert work_scan(clock=market.world.now, processes=1) == ""
    told = scan_of(market.jo.actor, made.number)
    assert (told.facts["tries"], told.facts["deaths"], told.partitions_done) == (1, 1, 1)


def test_a_scan_that_always_raises_what_nobody_expected_is_given_up_too(market, monkeypatch):
    laid(market, raw("1"))
    made = asked(market)

    def wrong(*_, **__):
        raise ZeroDivisionError

    monkeypatch.setattr(scans, "keep_results", wrong)
    for _ in range(scans.DEATHS):
        with suppress(ZeroDivisionError):
            work_scan(clock=market.world.now, processes=1)
    assert scan_of(market.jo.actor, made.number).state == "failed"
    assert work_scan(clock=market.world.now, processes=1) == ""


def test_deaths_between_which_something_is_done_are_no_reason_to_give_up(market, monkeypatch):
    laid(market, raw("1"))
    made = asked(market)
    done = iter(range(100))

    def dies(_job, *, progress, stop):
        progress(Told(partitions=100, done=next(done), scanned=1, hits=0, rate=1.0, remaining=1.0))
        market.world.at += timedelta(seconds=2)
        assert not stop()
        raise Unavailable("watch.scan_died", status=-9)

    monkeypatch.setattr(scans, "carry", dies)
    for _ in range(2 * scans.DEATHS):
        with pytest.raises(Unavailable, match=r"watch\.scan_died"):
            work_scan(clock=market.world.now, processes=1)
    assert scan_of(market.jo.actor, made.number).state == "running"


def test_a_scan_that_another_process_still_has_is_taken_up_later(market, monkeypatch):
    """What a killed watcher started lives for half a second more; that once failed the scan."""
    laid(market, raw("1"))
    made = asked(market)
    folder = scans.folder_of(made.number)
    with (folder / "lock").open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert work_scan(clock=market.world.now, processes=1) == ""
        assert scan_of(market.jo.actor, made.number).state == "running"
    assert work_scan(clock=market.world.now, processes=1) == made.number
    assert scan_of(market.jo.actor, made.number).state == "done"


def test_what_the_first_pass_counted_of_a_stopped_scan_is_forgotten(market):
    laid(market, raw("1"))
    made = asked(market)
    facts = scans.folder_of(made.number) / "census"
    facts.mkdir()
    (facts / "part-000000.parquet").write_bytes(b"contacts of people")
    stop_scan(made.number, by=market.jo.actor, at=market.world.now())
    assert not facts.exists()


def test_rules_are_counted_by_what_they_were_asked(market):
    """Not by what was kept: a rule that flags one of a hundred would seem to flag everything, and be stopped."""
    stop_rule("named", by=market.jo.actor, at=market.world.now())
    laid(market, *(raw(f"p{number}") for number in range(50)), raw("fake", title="RED LANTERN lamp replica"))
    asked(market)
    work_scan(clock=market.world.now, processes=1)
    told = RuleCount.objects.get(rule__name="replica")
    assert (told.seen, told.fired) == (51, 1)
    assert Partition.objects.get().rows < 20


def test_a_scan_counts_the_versions_that_it_began_with_beside_each_other(market):
    """Whatever was published meanwhile: what the first version flags says nothing of the one that took its place."""
    by, wide = market.jo.actor, replace(NAMED, condition=parse("text_score >= 300"))
    narrow = replace(NAMED, condition=parse("text_score >= 500 AND title_length < 17"), flags_a_day=77)
    propose_rule(narrow, by=by, at=market.world.now())
    shadow_rule("named", by=by, at=market.world.now())
    laid(market, raw("1"), raw("2"), raw("3", title="RED LANTERN lamp of a long name"), raw("4", title="blue lamp"))
    made = asked(market)
    publish_rule("named", by=by, at=market.world.now())
    propose_rule(wide, by=by, at=market.world.now())
    shadow_rule("named", by=by, at=market.world.now())
    assert work_scan(clock=market.world.now, processes=1) == made.number
    counts = RuleCount.objects.filter(rule__name="named").order_by("seq")
    assert list(counts.values_list("seq", "seen", "fired", "alone")) == [(1, 3, 3, 0), (2, 3, 2, 0)]
    told = rule_of(by, "named").summary
    assert (told.state, told.version, told.trial.seq) == ("live", 2, 3)
    assert {version for hit in Hit.objects.all() for _, version in hit.rules} == {NAMED.version}


def test_an_organisation_has_only_so_many_scans_waiting(market, monkeypatch):
    monkeypatch.setattr(scans, "MAX_WAITING", 1)
    asked(market)
    with pytest.raises(Refused, match=r"watch\.scans_full"):
        asked(market)


def test_a_part_of_what_nothing_flagged_goes_to_audit(market):
    laid(market, *(raw(f"p{number}", title=f"chair {number}") for number in range(400)), raw("fake"))
    made = asked(market)
    work_scan(clock=market.world.now, processes=1)
    drawn = set(AuditSample.objects.filter(kind="unflagged").values_list("item", flat=True))
    assert 1 <= len(drawn) <= 30  # of 400 one in a hundred, drawn by a key of this home
    assert "fake" not in drawn
    assert all(listings.decode(bytes(each.body)).item == each.item for each in AuditSample.objects.all())
    Partition.objects.all().delete()
    keep_results(Scan.objects.get(number=made.number), clock=market.world.now)
    assert set(AuditSample.objects.values_list("item", flat=True)) == drawn


def test_what_a_running_scan_has_found_is_taken_over_meanwhile(market, monkeypatch):
    laid(market, raw("1"), raw("2", title="blue lamp"))
    seen, carry = [], scans.carry

    def carried(job, *, progress, stop):
        content = carry(job, progress=lambda _: None, stop=stop)
        for seconds in (0, 10):
            market.world.at += timedelta(seconds=seconds)
            progress(Told(partitions=2, done=1, scanned=2, hits=1, rate=1.0, remaining=1.0))
            seen.append(Hit.objects.count())
        assert not stop()
        return content

    monkeypatch.setattr(scans, "carry", carried)
    asked(market)
    work_scan(clock=market.world.now, processes=1)
    assert seen == [0, 1]
    assert Hit.objects.count() == 1
