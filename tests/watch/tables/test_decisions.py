"""Each decision is written for the ledger with it, stands in one sheet, and is shown to whoever may see its hit."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from world.market import NAMED, raw
from world.patience import HANG

from chopmark.base import clock, jcs
from chopmark.base.errors import Invalid, Refused, Unavailable
from chopmark.cli.app import main
from chopmark.evidence import queries, wiring
from chopmark.evidence.models import Deposit
from chopmark.ledger.policy import policy_text
from chopmark.site import watching
from chopmark.watch import listing, sampling
from chopmark.watch.actions import state_decisions as stating
from chopmark.watch.actions.judging import judge_of
from chopmark.watch.actions.keep import Judged, keep
from chopmark.watch.actions.markset import in_use
from chopmark.watch.actions.measure import send_measures
from chopmark.watch.actions.review import Opinion, claim_review, decide_card, decide_hit, undo
from chopmark.watch.actions.rules import _call_back
from chopmark.watch.actions.state_decisions import EVERY, make_sheet, state_decisions
from chopmark.watch.decisions import Proof, Sheet, check
from chopmark.watch.models import DecisionRecord, DecisionSheet, Hit, HitEvent, Marketplace, RuleRow
from chopmark.watch.queries.decisions import decision_of, decisions_of, sheet_receipt
from chopmark.watch.queries.hits import hit_of

FAKE = Opinion(answer="confirm", why="counterfeit")
DOWN = Opinion(answer="confirm", why="counterfeit", measure="takedown")
FINE = Opinion(answer="dismiss", why="genuine")
SKIP = Opinion(answer="skip")


@pytest.fixture(autouse=True)
def _no_samples(monkeypatch):
    monkeypatch.setattr(sampling, "drawn", lambda *_parts: False)


@pytest.fixture
def ann(world, jo):
    return world.person("Ann", role="depositor", of=jo)


@pytest.fixture
def viewer(world, jo):
    return world.person("Vera", role="viewer", of=jo)


def say(market, hit, said, who):
    return decide_hit(hit.number, said, by=who.actor, at=market.world.now())


def told(hit):
    """What was recorded of a hit, in order."""
    return [jcs.decode(bytes(each.body)) for each in DecisionRecord.objects.filter(hit=hit).order_by("place")]


def steps(hit):
    return [(each["step"], each["before"], each["after"], each["measure"], each["who"]) for each in told(hit)]


def judged(market, measure="takedown", *, automatic=True, **more):
    """A listing with verdicts that are good for a measure without a person."""
    each = listing.clean(raw(**more), marketplace="demo")
    verdicts = judge_of(market.jo.actor.organisation_id, at=market.world.at)(each)
    sure = [replace(one, decided=replace(one.decided, measure=measure, automatic=automatic)) for one in verdicts]
    return Judged(listing=each, verdicts=tuple(sure))


def kept(market, each, source="feed"):
    with transaction.atomic():
        keep(Marketplace.objects.get(), [each], marks=in_use().version, at=market.world.now(), source=source)
    return Hit.objects.get(item=each.listing.item)


def send(market):
    send_measures(lambda _row: market.taker, clock=market.world.now)


def stated(market, *, later=EVERY):
    market.world.at += later
    count = state_decisions(clock=market.world.now)
    market.world.publish()
    return count


# ---- what is recorded ------------------------------------------------------------------------------------------------


def test_a_record_says_all_that_its_decision_rests_on(market, ann):
    hit = market.hit()
    say(market, hit, Opinion(answer="confirm", why="counterfeit", note="seen it", measure="hold"), ann)
    hit.refresh_from_db()
    [said] = told(hit)
    [named] = [version for name, version in hit.rules if name == NAMED.id]
    assert (said["number"], said["marketplace"], said["item"], said["version"]) == (hit.number, "demo", "1", 1)
    assert said["listing"] == hashlib.sha256(bytes(hit.listing)).hexdigest()
    assert (said["right"], said["right_number"], said["marks"]) == (hit.right, hit.right_number, in_use().version)
    assert [NAMED.id, named] in said["rules"]
    [text] = said["found"]["texts"]
    assert (text["term"].upper(), text["view"], text["field"], text["start"], text["end"]) == (
        *("RED LANTERN", "exact", "title"),
        *(0, 11),
    )
    assert (said["step"], said["before"], said["after"]) == ("confirm", "open", "confirmed")
    assert (said["why"], said["measure"], said["in_force"]) == ("counterfeit", "hold", "")
    assert (said["who"], said["source"], said["place"]) == ("marketplace", "review", 1)
    assert said["at"] == clock.to_text(HitEvent.objects.get(hit=hit, kind="confirm").at)
    assert len(bytes.fromhex(said["nonce"])) == 16


def test_each_step_of_persons_writes_one_record(market, jo, mei, ann):
    hit = market.hit()
    say(market, hit, SKIP, ann)
    say(market, hit, DOWN, ann)
    say(market, hit, FINE, jo)
    undo(hit.number, by=jo.actor, at=market.world.now())
    say(market, hit, FINE, jo)
    say(market, hit, FINE, mei)
    undo(hit.number, by=jo.actor, at=market.world.now())
    say(market, hit, FAKE, mei)
    say(market, hit, FAKE, ann)
    assert steps(hit) == [
        ("confirm_one", "open", "second", "takedown", "marketplace"),
        ("dispute", "second", "contested", "", "marketplace"),
        ("undo", "contested", "second", "", "marketplace"),
        ("dispute", "second", "contested", "", "marketplace"),
        ("dismiss", "contested", "dismissed", "", "holder"),
        ("undo", "dismissed", "open", "", "marketplace"),
        ("confirm_one", "open", "second", "", "holder"),
        ("confirm", "second", "confirmed", "", "marketplace"),
    ]
    assert [each["place"] for each in told(hit)] == list(range(1, 9))


def test_what_two_keys_decide_and_what_undoes_it_is_recorded(market):
    hit = kept(market, judged(market))
    send(market)
    kept(market, judged(market, version=2))  # back as it was: down again
    send(market)
    kept(market, judged(market, version=3, measure="review", title="a RED LANTERN lamp"))
    hold = kept(market, judged(market, item="2", measure="hold"))
    assert steps(hit) == [
        ("automatic", "open", "confirmed", "takedown", "rules"),
        ("again", "confirmed", "confirmed", "takedown", "rules"),
        ("undo", "confirmed", "open", "", "rules"),
    ]
    assert [each["version"] for each in told(hit)] == [1, 2, 3]
    assert [each["in_force"] for each in told(hit)] == ["", "takedown", "takedown"]
    assert steps(hold) == [("hold", "open", "open", "hold", "rules")]


def test_what_an_alarm_calls_back_is_recorded(market):
    down, hold = kept(market, judged(market)), kept(market, judged(market, item="2", measure="hold"))
    rule = RuleRow.objects.get(name="named")
    market.world.at += timedelta(seconds=1)
    with transaction.atomic():
        _call_back(rule, market.world.now())
    assert [(each["step"], each["source"], each["in_force"]) for each in (told(down)[-1], told(hold)[-1])] == [
        ("undo", "alarm", "takedown"),
        ("recall", "alarm", "hold"),
    ]


def test_an_audit_that_overturns_is_recorded(market, monkeypatch):
    monkeypatch.setattr(sampling, "drawn", lambda _key, _rate, what, *_: what in ("automatic", "audit"))
    hit = kept(market, judged(market))
    card = claim_review(by=market.jo.actor, at=market.world.now())
    decide_card(card.id, FINE, by=market.jo.actor, at=market.world.now())
    assert [(each["step"], each["after"], each["source"], each["why"]) for each in told(hit)] == [
        ("automatic", "confirmed", "feed", ""),
        ("undo", "open", "audit", ""),
        ("dismiss", "dismissed", "audit", "genuine"),
    ]


def test_a_licence_that_releases_is_recorded_and_what_shows_nothing_is_not(market):
    hit, other = market.hit(raw("1")), market.hit(raw("2"))
    free = judged(market, measure="none", automatic=False)
    licensed = [replace(each, row={**each.row, "licensed": True}) for each in free.verdicts]
    kept(market, replace(free, verdicts=tuple(licensed)), source="redecide")
    market.push(raw("2", version=2, title="blue lamp"))
    market.work()
    other.refresh_from_db()
    assert steps(hit) == [("release", "open", "released", "", "rules")]
    assert told(hit)[0]["why"] == "licensed"
    assert (other.state, told(other)) == ("gone", [])


def test_a_decision_that_does_not_happen_leaves_no_record(market, ann):
    hit = market.hit()
    with suppress(Killed), transaction.atomic():
        say(market, hit, FAKE, ann)
        raise Killed
    assert (HitEvent.objects.filter(kind="confirm").count(), DecisionRecord.objects.count()) == (0, 0)


def test_nobody_is_named_in_what_leaves(market, ann, jo, mei):
    hit = market.hit()
    say(market, hit, Opinion(answer="confirm", why="counterfeit", note="Ann thinks so", measure="takedown"), ann)
    say(market, hit, DOWN, jo)
    undo(hit.number, by=jo.actor, at=market.world.now())
    stated(market)
    papers = [part for each in decisions_of(mei.actor, hit.number).items for part in (each.record, each.proof)]
    papers += [bytes(each.content) for each in DecisionSheet.objects.all()]
    for paper in papers:
        for person in (ann, jo, mei):
            assert person.user.email not in paper.decode()
            assert str(person.actor.organisation_id) not in paper.decode()
        assert not any(name in paper for name in (b"Ann", b"Jo Smith", b"Mei Lan"))
        assert not {"user", "organisation", "note"} & set(json.loads(paper))


# ---- sheets ----------------------------------------------------------------------------------------------------------


def test_a_sheet_is_stated_once_in_ten_minutes_and_never_of_nothing(market, ann):
    assert stated(market) == 0
    hit, other = market.hit(raw("1")), market.hit(raw("2"))
    say(market, hit, FAKE, ann)
    assert stated(market) == 1
    say(market, other, FINE, ann)
    assert stated(market, later=EVERY / 2) == 0
    assert stated(market, later=EVERY) == 1
    assert stated(market) == 0
    sheets = list(DecisionSheet.objects.order_by("pk"))
    assert [(each.number[:3], each.count) for each in sheets] == [("DS-", 1), ("DS-", 1)]
    assert DecisionRecord.objects.filter(sheet=None).count() == 0


def test_the_watcher_states_what_was_decided(market, ann, monkeypatch):
    monkeypatch.setattr(clock, "now", market.world.now)
    say(market, market.hit(), FAKE, ann)
    assert watching._decisions()
    assert not watching._decisions()
    assert DecisionSheet.objects.get().deposit is not None


def test_while_it_is_too_early_nobody_waits_for_a_lock(market, ann):
    """The watcher asks every second, and on SQLite each transaction that may write keeps all others waiting."""
    hit, other = market.hit(raw("1")), market.hit(raw("2"))
    say(market, hit, FAKE, ann)
    stated(market)
    say(market, other, FINE, ann)
    with CaptureQueriesContext(connection) as asked:
        assert stated(market, later=EVERY / 2) == 0
    ours = [each["sql"] for each in asked if "watch_" in each["sql"]]
    assert ours
    assert all(each.startswith("SELECT") for each in ours)


def test_a_clock_that_went_back_states_all_the_same(market, ann):
    hit, other = market.hit(raw("1")), market.hit(raw("2"))
    say(market, hit, FAKE, ann)
    stated(market)
    say(market, other, FINE, ann)
    assert make_sheet(market.jo.actor.organisation_id, market.world.now() - timedelta(days=1))


def test_a_sheet_holds_so_many_and_the_rest_waits_for_the_next(market, ann, monkeypatch):
    monkeypatch.setattr(stating, "MOST", 2)
    for item in "123":
        say(market, market.hit(raw(item)), FAKE, ann)
    stated(market)
    stated(market)
    assert list(DecisionSheet.objects.order_by("pk").values_list("count", flat=True)) == [2, 1]
    for hit in Hit.objects.all():
        [one] = decisions_of(ann.actor, hit.number).items
        assert check(Proof.parse(one.proof), Sheet.parse(one.content))["number"] == hit.number


def test_killed_anywhere_each_record_stands_in_one_sheet_and_one_deposit(market, ann, monkeypatch):
    """Between sheet and deposit; within the sheet's transaction; between the deposit and the row that says so."""
    say(market, market.hit(raw("1")), FAKE, ann)
    market.world.at += EVERY
    with monkeypatch.context() as killed:
        killed.setattr(stating, "state_on_ledger", _dies)
        with pytest.raises(Killed):
            state_decisions(clock=market.world.now)
    assert list(DecisionSheet.objects.values_list("count", "deposit")) == [(1, None)]
    with monkeypatch.context() as killed:  # the deposit is made, and nobody wrote it down
        killed.setattr(stating, "state_on_ledger", _after(stating.state_on_ledger))
        with pytest.raises(Killed):
            state_decisions(clock=market.world.now)
    assert DecisionSheet.objects.get().deposit is None
    assert state_decisions(clock=market.world.now) == 1
    number = DecisionSheet.objects.get().number
    assert Deposit.objects.filter(title=number).count() == 1
    say(market, market.hit(raw("2")), FAKE, ann)
    market.world.at += EVERY
    with monkeypatch.context() as killed:
        killed.setattr(stating, "take_numbers", _dies)
        with pytest.raises(Killed):
            state_decisions(clock=market.world.now)
    assert DecisionRecord.objects.filter(sheet=None).count() == 1
    assert state_decisions(clock=market.world.now) == 1
    assert sorted(DecisionRecord.objects.values_list("sheet", flat=True)) == sorted(
        DecisionSheet.objects.values_list("pk", flat=True)
    )


class Killed(BaseException):
    """The process ends here."""


def _dies(*_arguments, **_named):
    raise Killed


def _after(act):
    def dies(*arguments, **named):
        act(*arguments, **named)
        raise Killed

    return dies


def test_a_sheet_that_is_refused_holds_up_no_other(market, ann, monkeypatch):
    say(market, market.hit(), FAKE, ann)
    market.world.at += EVERY
    good = stating.state_on_ledger
    other = DecisionSheet.objects.create(
        number="DS-2026-999999", organisation=market.mei.actor.organisation_id, count=1, leaves=bytes(32),
        content=b"{}", made_at=market.world.now(),
    )  # fmt: skip

    def some(papers, organisation, **more):
        if organisation == other.organisation:
            raise Refused("evidence.too_many", limit=0)
        return good(papers, organisation, **more)

    monkeypatch.setattr(stating, "state_on_ledger", some)
    with pytest.raises(Refused, match=r"evidence\.too_many"):
        state_decisions(clock=market.world.now)
    assert DecisionSheet.objects.exclude(number=other.number).get().deposit is not None


# ---- who is shown it -------------------------------------------------------------------------------------------------


@pytest.fixture
def verify(market, tmp_path, monkeypatch, capsys):
    """`chopmark verify` over files alone."""

    def run(data, receipt):
        given = {"file": data, "receipt": receipt.tlog_proof(), "policy": policy_text(wiring.own_policy()).encode()}
        for name, content in given.items():
            (tmp_path / name).write_bytes(content)
        at = market.world.now()
        monkeypatch.setattr(clock, "now", lambda: at)
        places = [str(tmp_path / name) for name in given]
        main(["verify", places[0], "--receipt", places[1], "--policy", places[2], "--json"])
        return json.loads(capsys.readouterr().out)["verdict"]

    return run


def test_holder_and_marketplace_prove_a_decision_down_to_the_ledger(market, ann, viewer, verify):
    hit = market.hit()
    say(market, hit, FAKE, ann)
    for other in ("2", "3"):
        say(market, market.hit(raw(other)), FINE, ann)
    stated(market)
    mei = market.mei
    for who in (market.jo, ann, viewer, mei):
        [one] = decisions_of(who.actor, hit.number).items
        stands = Sheet.parse(one.content)
        assert check(Proof.parse(one.proof), stands) == jcs.decode(one.record)
        assert stands.count == 3
        receipt = sheet_receipt(who.actor, hit.number, one.sheet)
        assert verify(one.content, receipt) == "PASSED"
        assert verify(one.content.replace(b'"count":3', b'"count":4'), receipt) == "FAILED"
    with pytest.raises(Refused, match=r"evidence\.deposit_not_found"):
        queries.receipt_for(mei.actor, one.deposit)  # the deposit itself is the marketplace's


def test_a_stranger_gets_what_the_hit_gives_and_a_sheet_only_by_an_own_hit(market, ann, mei, world):
    hit, other = market.hit(raw("1")), market.hit(raw("2"))
    say(market, hit, FAKE, ann)
    stated(market)
    [one] = decisions_of(mei.actor, hit.number).items
    stranger = world.person("Eve Stranger")
    for asked in (
        lambda: decisions_of(stranger.actor, hit.number),
        lambda: decision_of(stranger.actor, hit.number, 1),
        lambda: sheet_receipt(stranger.actor, hit.number, one.sheet),
    ):
        with pytest.raises(Refused, match=r"watch\.hit_not_found"):
            asked()
    with pytest.raises(Refused, match=r"watch\.sheet_not_found"):
        sheet_receipt(mei.actor, other.number, one.sheet)
    with pytest.raises(Refused, match=r"watch\.decision_not_found"):
        decision_of(mei.actor, hit.number, 2)


def test_before_its_sheet_a_decision_is_shown_without_a_proof(market, ann):
    hit = market.hit()
    say(market, hit, FAKE, ann)
    [one] = decisions_of(ann.actor, hit.number).items
    assert (one.sheet, one.proof, one.deposit) == ("", b"", None)
    assert hit_of(ann.actor, hit.number).history[-1].sheet == ""
    with pytest.raises(Refused, match=r"watch\.sheet_unstated"):
        decision_of(ann.actor, hit.number, 1)
    number = make_sheet(market.jo.actor.organisation_id, market.world.now())
    with pytest.raises(Refused, match=r"watch\.sheet_unstated"):
        sheet_receipt(ann.actor, hit.number, number)
    state_decisions(clock=market.world.now)
    with pytest.raises(Unavailable, match=r"evidence\.not_published"):
        sheet_receipt(ann.actor, hit.number, number)
    market.world.publish()
    last = hit_of(ann.actor, hit.number).history[-1]
    assert (last.kind, last.place, last.sheet, last.deposit) == (
        *("confirm", 1, number),
        DecisionSheet.objects.get().deposit,
    )


def test_a_record_that_was_altered_in_the_table_gets_no_proof(market, ann):
    hit = market.hit()
    say(market, hit, FAKE, ann)
    stated(market)
    row = DecisionRecord.objects.get()
    row.body = bytes(row.body).replace(b'"why":"counterfeit"', b'"why":"design"')
    row.save()
    with pytest.raises(Invalid, match=r"watch\.decision_altered"):
        decisions_of(ann.actor, hit.number)


def test_many_decisions_are_read_page_by_page(market, ann):
    hit = market.hit()
    for _ in range(3):
        say(market, hit, FAKE, ann)
        undo(hit.number, by=ann.actor, at=market.world.now())
    first = decisions_of(ann.actor, hit.number, limit=4)
    rest = decisions_of(ann.actor, hit.number, after=first.next, limit=4)
    assert [each.place for each in first.items + rest.items] == [1, 2, 3, 4, 5, 6]
    assert rest.next == 0


# ---- two workers -----------------------------------------------------------------------------------------------------

AT_ONCE = """
import threading, time
from chopmark.cli.home import use_platform
use_platform()
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID
from django.core.management import call_command
from django.db import connection
from chopmark.base import clock
from chopmark.watch import listing
from chopmark.watch.actions import state_decisions as stating
from chopmark.watch.actions.common import THE_RULES, step
from chopmark.watch.models import DecisionRecord, DecisionSheet, Hit, Marketplace

for app in ("evidence", "watch"):
    call_command("migrate", app, verbosity=0)
shop, now = UUID(int=2), clock.now()
market = Marketplace.objects.create(name="demo", title="Demo", organisation=shop, made_at=now, fetches=True)
said = listing.encode(listing.clean({"item": "1", "version": 1, "seller": "s", "title": "lamp"}, marketplace="demo"))
for item in range(40):
    hit = Hit.objects.create(
        number=f"H-2026-{item:06}", marketplace=market, item=str(item), version=1, seller="s", listing=said, right="r",
        organisation=shop, features={}, found={}, outcome="review", digest=bytes(32), state="open", found_at=now,
        changed_at=now,
    )
    step(hit, "automatic", by=THE_RULES, at=now)
    hit.save()

slow = stating.take_numbers
stating.take_numbers = lambda *asked: (time.sleep(0.3), slow(*asked))[1]
barrier = threading.Barrier(3)
def one(_):
    barrier.wait(300)
    try:
        return bool(stating.make_sheet(shop, now))
    finally:
        connection.close()
with ThreadPoolExecutor(3) as threads:
    print(sorted(threads.map(one, range(3))))
print(*DecisionSheet.objects.values_list("count", flat=True))
print(DecisionRecord.objects.filter(sheet=None).count(), DecisionRecord.objects.values("sheet").distinct().count())
"""


def at_once(environment):
    command = [sys.executable, "-c", AT_ONCE]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=HANG, check=False)
    assert done.returncode == 0, done.stderr
    made, counts, stands = done.stdout.splitlines()
    assert (made, counts, stands) == ("[False, False, True]", "40", "0 1")


def environment_of(home):
    (home / "keys").mkdir()
    environment = {**os.environ, "CHOPMARK_HOME": str(home), "NO_COLOR": "1"}
    for name in ("DJANGO_SETTINGS_MODULE", "CHOPMARK_DATABASE_URL"):
        environment.pop(name, None)
    return environment


def test_three_workers_at_once_make_one_sheet_on_sqlite(tmp_path):
    at_once(environment_of(tmp_path))


def test_three_workers_at_once_make_one_sheet_on_postgresql(postgres_dsn, tmp_path):
    at_once({**environment_of(tmp_path), "CHOPMARK_DATABASE_URL": postgres_dsn})
