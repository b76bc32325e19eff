"""What a scan said of one listing is shown to a stranger: by files, hashes and the verifier, and nothing else of ours.

The tree is climbed here by the recursive definition of RFC 6962 2.1, over JSON, without a line of the product's.
"""

from __future__ import annotations

import hashlib
import json

import pytest
from pyarrow import parquet
from world.market import raw
from world.naive import split

from chopmark.base import clock
from chopmark.cli.app import main
from chopmark.evidence import queries, wiring
from chopmark.ledger.policy import policy_text
from chopmark.watch.actions.scan import NewScan, start_scan, stock_of, work_scan
from chopmark.watch.engine.schema import table_of
from chopmark.watch.listing import clean
from chopmark.watch.models import Hit
from chopmark.watch.queries.proofs import proof_of_hit
from chopmark.watch.queries.rules import rule_of
from chopmark.watch.queries.scans import proof_of, scan_of

SELLER, CONTACT = "seller-of-lamps", "lamps4711"


def climb(leaf, index, size, path):
    """The root over `size` leaves, given one of them and its siblings upwards."""
    if size == 1:
        assert not path
        return leaf
    k = split(size)
    if index < k:
        return node(climb(leaf, index, k, path[:-1]), path[-1])
    return node(path[-1], climb(leaf, index - k, size - k, path[:-1]))


def node(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


def shown(proof, statement):
    """The row that a proof shows under a statement; by hashes alone."""
    told, total = json.loads(proof), json.loads(statement)
    part = json.loads(told["part"])
    row, line = (hashlib.sha256(b"\x00" + told[name].encode()).digest() for name in ("row", "part"))
    path, up = ([bytes.fromhex(each) for each in told[name]] for name in ("path", "part_path"))
    assert climb(row, told["index"], part["results"], path).hex() == part["root"]
    assert climb(line, part["index"], total["partitions"], up).hex() == total["root"]
    return json.loads(told["row"])


@pytest.fixture
def scanned(market):
    """A scan of two files, on the ledger."""
    folder = stock_of("demo")
    folder.mkdir(parents=True)
    for name, items in (("a", "12345"), ("b", "678")):
        each = (raw(item, seller=SELLER, description=f"微信 {CONTACT}") for item in items)
        parquet.write_table(table_of(clean(one, marketplace="demo") for one in each), folder / f"{name}.parquet")
    made = start_scan(NewScan(marketplace="demo"), by=market.jo.actor, at=market.world.now())
    work_scan(clock=market.world.now, processes=1)
    market.world.publish()
    return scan_of(market.jo.actor, made.number)


@pytest.fixture
def verify(market, tmp_path, monkeypatch, capsys):
    """`chopmark verify` over files alone."""

    def run(data, deposit):
        files = {
            "file": data,
            "receipt": queries.receipt_for(market.jo.actor, deposit).tlog_proof(),
            "policy": policy_text(wiring.own_policy()).encode(),
        }
        for name, content in files.items():
            (tmp_path / name).write_bytes(content)
        at = market.world.now()
        monkeypatch.setattr(clock, "now", lambda: at)
        places = [str(tmp_path / name) for name in ("file", "receipt", "policy")]
        main(["verify", places[0], "--receipt", places[1], "--policy", places[2], "--json"])
        return json.loads(capsys.readouterr().out)["verdict"]

    return run


def test_any_row_of_a_scan_is_shown_by_hashes_and_the_statement_by_its_receipt(market, scanned, verify):
    items = set()
    for partition, rows in ((0, 5), (1, 3)):
        for row in range(rows):
            proof, statement = proof_of(market.jo.actor, scanned.number, partition, row)
            items.add(shown(proof, statement)["item"])
    assert items == set("12345678")
    assert json.loads(statement)["root"] == scanned.root.hex()
    assert verify(statement, scanned.deposit) == "PASSED"
    assert verify(statement.replace(b'"results":8', b'"results":9'), scanned.deposit) == "FAILED"


def test_a_hit_leads_to_its_row_and_an_altered_row_to_nothing(market, scanned):
    hit = Hit.objects.get(item="7")
    proof, statement = proof_of_hit(market.jo.actor, hit.number)
    row = shown(proof, statement)
    assert (row["item"], row["right"], row["fired"]) == ("7", hit.right, hit.rules)
    told = json.loads(proof)
    told["row"] = told["row"].replace('"score":', '"score":1')
    with pytest.raises(AssertionError):
        shown(json.dumps(told), statement)


def test_a_rule_s_version_is_on_the_ledger_for_anybody_who_has_its_text(market, verify):
    [version] = rule_of(market.jo.actor, "named").versions
    market.world.publish()
    assert verify(version.text.encode(), version.deposit) == "PASSED"
    assert verify(version.text.replace("500", "501").encode(), version.deposit) == "FAILED"


def test_no_word_of_a_listing_and_no_contact_is_in_a_statement_or_a_log_line(market, scanned, capfd):
    """Who sells is known to the marketplace; the ledger is for everybody and for ever."""
    _, statement = proof_of(market.jo.actor, scanned.number, 0, 0)
    for said in (SELLER, CONTACT, "LANTERN"):
        assert said not in statement.decode()
        assert said not in "".join(capfd.readouterr())
        for file in (market.world.home / "log").rglob("*"):
            assert not file.is_file() or said.encode() not in file.read_bytes()
