"""What a scan kept answers later: the proof of one hit, a rule tried on history, a picture that was held."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import pytest
from pyarrow import parquet
from world.market import NAMED, raw

from chopmark.base.errors import Refused
from chopmark.watch.actions.rules import propose_rule, shadow_rule
from chopmark.watch.actions.scan import NewScan, start_scan, stock_of, work_scan
from chopmark.watch.engine.schema import table_of
from chopmark.watch.listing import clean
from chopmark.watch.models import Hit
from chopmark.watch.queries.history import try_rule
from chopmark.watch.queries.pictures import MOST, cache_folder, picture_of, places_of
from chopmark.watch.queries.proofs import proof_of_hit
from chopmark.watch.results import Proof, Total, check
from chopmark.watch.rules.language import parse
from chopmark.watch.shelf import Cache

PICTURE = "https://shop.demo-market.com/1.png"


@pytest.fixture
def scanned(market):
    """Three listings, two of which become hits, in a scan that came to its end."""
    folder = stock_of("demo")
    folder.mkdir(parents=True, exist_ok=True)
    batch = [raw("1"), raw("2", title="blue lamp"), raw("3", title="replica RED LANTERN lamp", seller="s3")]
    parquet.write_table(table_of(clean(each, marketplace="demo") for each in batch), folder / "one.parquet")
    market.scan = start_scan(NewScan(marketplace="demo"), by=market.jo.actor, at=market.world.now())
    assert work_scan(clock=market.world.now, processes=1) == market.scan.number
    return market


def test_a_hit_of_a_scan_is_proven_by_its_number_and_its_rule_is_tried_again(scanned):
    jo, now = scanned.jo.actor, scanned.world.now
    for hit in Hit.objects.all():
        proof, content = proof_of_hit(jo, hit.number)
        row, _part = check(Proof.parse(proof), Total.parse(content))
        assert (row["item"], row["right"]) == (hit.item, hit.right)
    with pytest.raises(Refused, match=r"watch\.scan_not_found"):
        proof_of_hit(scanned.mei.actor, Hit.objects.first().number)

    tried = try_rule(jo, "named", 1, at=now())
    assert (tried.rows, tried.flagged, tried.against, tried.scans) == (2, 2, None, (scanned.scan.number,))
    assert {each.item for each in tried.sample} == {"1", "3"}
    narrower = replace(NAMED, condition=parse("text_score >= 500 AND replica_words >= 1"))
    propose_rule(narrower, by=jo, at=now())
    tried = try_rule(jo, "named", 2, at=now())
    assert (tried.flagged, tried.alone, tried.added, tried.removed, tried.against) == (1, 0, 0, 1, 1)
    assert tried.sample == ()
    shadow_rule("named", by=jo, at=now())
    assert try_rule(jo, "named", 2, at=now()) == tried  # as a trial it is still compared with the version in force
    assert try_rule(jo, "named", 1, at=now()).against is None
    assert try_rule(jo, "replica", 1, at=now()).alone == 0  # what is in force flags it too
    clerk = scanned.world.person("Clerk", role="depositor", of=scanned.jo)
    with pytest.raises(Refused, match=r"people\.not_allowed"):
        try_rule(clerk.actor, "named", 1, at=now())
    with pytest.raises(Refused, match=r"watch\.rule_not_found"):
        try_rule(jo, "named", 9, at=now())


def test_what_came_by_the_feed_has_no_scan_that_proves_it(market):
    hit = market.hit()
    with pytest.raises(Refused, match=r"watch\.hit_unscanned"):
        proof_of_hit(market.jo.actor, hit.number)
    with pytest.raises(Refused, match=r"watch\.history_empty"):
        try_rule(market.jo.actor, "named", 1, at=market.world.now())


def test_a_picture_is_shown_only_where_it_was_kept_for_review(market):
    deposited = b"somebody's private deposit"
    market.world.deposit(market.mei, deposited)
    named = {"url": "https://shop.demo-market.com/2.png", "sha256": sha256(deposited).hexdigest()}
    hit = market.hit(raw(pictures=[PICTURE, named]))
    at, jo = market.world.now(), market.jo.actor
    listing = clean(raw(pictures=[PICTURE, named]), marketplace="demo")
    assert places_of(listing, at=at) == ()
    cache = Cache(cache_folder())
    cache.hold(b"picture")
    cache.remember(PICTURE, "", sha256(b"picture").digest(), at)
    assert places_of(listing, at=at) == (0,)
    crowd = clean(raw(pictures=[*(f"{PICTURE}?{n}" for n in range(MOST)), PICTURE]), marketplace="demo")
    assert (places_of(crowd, at=at), places_of(crowd, (MOST, 99), at=at)) == ((), (MOST,))
    assert [picture_of(jo, hit.number, place, at=at) for place in (0, 1, 2)] == [b"picture", None, None]
    with pytest.raises(Refused, match=r"watch\.hit_not_found"):
        picture_of(market.world.person("Stranger").actor, hit.number, 0, at=at)
