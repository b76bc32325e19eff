"""A scan whose files were let go says so, on its page and by the API, where a proof of a row is asked for."""

from __future__ import annotations

from datetime import timedelta

import pytest
from world.market import Market
from world.pages import PageWorld

from chopmark.base import clock
from chopmark.watch.actions.letting_go import let_go_of_scans
from chopmark.watch.actions.marketplace import NewMarketplace, register_marketplace
from chopmark.watch.models import Hit, Marketplace, Scan
from chopmark.web.api import limits

CHINESE = {"accept-language": "zh-CN"}


@pytest.fixture
def market(db, settings, tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "_BUCKETS", limits.Buckets())
    settings.CHOPMARK_HOME = tmp_path / "home"
    world = PageWorld.made(settings.CHOPMARK_HOME, at=clock.now().replace(microsecond=0) - timedelta(minutes=10))
    monkeypatch.setattr("chopmark.base.clock.now", world.now)
    return Market.made(world, world.person("Mei Lan"), world.person("Jo Smith"))


def test_its_page_its_hit_s_proof_and_the_api_say_since_when(market):
    number, client = market.scanned(), market.jo.client
    hit = Hit.objects.get().number
    proof = f"/api/v1/watch/scans/{number}/proofs/0/0"
    assert client.get(proof).status_code == 200
    assert "Files of its results" not in client.get(f"/watch/scans/{number}").text
    assert client.get(f"/api/v1/watch/scans/{number}").json()["let_go_at"] is None
    at = market.world.now()
    Scan.objects.update(ended_at=at - timedelta(days=31))
    let_go_of_scans(at, days=30)
    assert f"Let go on {at:%Y-%m-%d}." in client.get(f"/watch/scans/{number}").text
    assert f"已于 {at:%Y-%m-%d} 清除" in client.get(f"/watch/scans/{number}", headers=CHINESE).text
    assert client.get(f"/api/v1/watch/scans/{number}").json()["let_go_at"] == clock.to_text(at)
    refused = client.get(proof)
    assert (refused.status_code, refused.json()["code"]) == (410, "watch.scan_let_go")
    assert f"{at:%Y-%m-%d}" in refused.json()["detail"]
    assert f"{number} were let go" in client.get(f"/watch/hits/{hit}/proof.json").text


def test_a_rule_that_is_tried_names_what_was_left_out(market):
    first = market.scanned()
    at = market.world.now()
    Scan.objects.update(ended_at=at - timedelta(days=31))
    let_go_of_scans(at, days=30)
    page = market.jo.client.post("/watch/rules/named/try", {"seq": "1"}, follow=True).text
    assert f"{first} were let go" in page
    register_marketplace(NewMarketplace(name="second", title="Second"), by=market.jo.actor, at=at)
    Scan.objects.update(marketplace=Marketplace.objects.get(name="second"))
    second = market.scanned()
    page = market.jo.client.post("/watch/rules/named/try", {"seq": "1"}, follow=True).text
    assert f"Left out, since their files were let go: {first}" in page
    assert second in page
