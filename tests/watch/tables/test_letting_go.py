"""Files of scans' results go when their time is over; what was found, said and stated stays."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from chopmark.base.errors import Refused
from chopmark.watch.actions import letting_go
from chopmark.watch.actions.letting_go import let_go_of_scans
from chopmark.watch.actions.marketplace import NewMarketplace, register_marketplace
from chopmark.watch.actions.scan import folder_of
from chopmark.watch.actions.stock import _places
from chopmark.watch.models import Hit, Marketplace, Partition, Scan
from chopmark.watch.queries.history import try_rule
from chopmark.watch.queries.proofs import proof_of_hit
from chopmark.watch.queries.scans import proof_of, scan_of

YEAR = timedelta(days=365)


def kept(number):
    """Names in a scan's folder."""
    return {each.name for each in folder_of(number).iterdir()}


def test_files_of_results_go_and_row_hits_statement_and_what_proofs_rest_on_stay(market):
    number = market.scanned()
    jo, now = market.jo.actor, market.world.now
    before, hit = scan_of(jo, number), Hit.objects.get()
    proof_of_hit(jo, hit.number)
    assert let_go_of_scans(now() + YEAR, days=366) == 0
    assert kept(number) > {"results", "stock", "sellers.jsonl"}
    at = now() + YEAR
    assert let_go_of_scans(at, days=364) == 1
    assert kept(number) == {"plan.json", "manifest.jsonl", "total.json", "rule-set.jsonl", "lock"}
    after = scan_of(jo, number)
    assert (after.let_go_at, after.root, after.deposit, after.found) == (at, before.root, before.deposit, 1)
    assert Partition.objects.filter(scan__number=number).exists()
    assert Hit.objects.get().state == hit.state
    assert json.loads((folder_of(number) / "total.json").read_bytes())["root"] == before.root.hex()
    assert let_go_of_scans(at + YEAR, days=364) == 0
    assert scan_of(jo, number).let_go_at == at


def test_who_asks_for_a_proof_or_for_history_is_told_that_the_files_went(market):
    number = market.scanned()
    jo, hit = market.jo.actor, Hit.objects.get()
    at = market.world.now() + YEAR
    assert list(_places())
    let_go_of_scans(at, days=30)
    asked = (
        lambda: proof_of(jo, number, 0, 0),
        lambda: proof_of_hit(jo, hit.number),
        lambda: try_rule(jo, "named", 1, at=at),
    )
    for each in asked:
        with pytest.raises(Refused, match=r"watch\.scan_let_go") as told:
            each()
        assert told.value.facts == {"number": number, "date": f"{at:%Y-%m-%d}"}
    assert list(_places()) == []


def test_a_back_test_leaves_it_out_and_says_so(market):
    first = market.scanned()
    let_go_of_scans(market.world.now() + YEAR, days=30)
    register_marketplace(NewMarketplace(name="second", title="Second"), by=market.jo.actor, at=market.world.now())
    Scan.objects.filter(number=first).update(marketplace=Marketplace.objects.get(name="second"))
    second = market.scanned()
    tried = try_rule(market.jo.actor, "named", 1, at=market.world.now())
    assert (tried.scans, tried.left_out, tried.rows) == ((second,), (first,), 1)


def test_nought_keeps_them_and_a_scan_that_is_not_over_is_left_alone(market):
    number = market.scanned()
    assert let_go_of_scans(market.world.now() + 99 * YEAR, days=0) == 0
    Scan.objects.filter(number=number).update(state="running")
    assert let_go_of_scans(market.world.now() + 99 * YEAR, days=1) == 0
    assert "results" in kept(number)


def test_killed_in_the_middle_it_says_so_already_and_the_next_sweep_removes_the_rest(market, monkeypatch):
    number = market.scanned()
    at, jo = market.world.now() + YEAR, market.jo.actor
    real, removed = letting_go._remove, []

    def dies(path):
        if removed:
            raise KeyboardInterrupt
        removed.append(path)
        real(path)

    monkeypatch.setattr(letting_go, "_remove", dies)
    with pytest.raises(KeyboardInterrupt):
        let_go_of_scans(at, days=30)
    with pytest.raises(Refused, match=r"watch\.scan_let_go"):
        proof_of(jo, number, 0, 0)
    monkeypatch.setattr(letting_go, "_remove", real)
    assert "stock" in kept(number)
    assert let_go_of_scans(at + timedelta(hours=1), days=30) == 1
    assert kept(number).isdisjoint(letting_go.LET_GO)
    assert scan_of(jo, number).let_go_at == at
