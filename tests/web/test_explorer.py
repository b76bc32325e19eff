from __future__ import annotations

import html

import cbor2
import pytest
from django.test import Client
from world.pages import PageWorld, digest

from chopmark.base import cbor
from chopmark.evidence import wiring
from chopmark.ledger.policy import Policy
from chopmark.ledger.proof import TlogProof
from chopmark.ledger.statement import Statement
from chopmark.ledger.tree import leaf_hash, verify_inclusion
from chopmark.web.views.explorer import diagnostic, hexadecimal

DATA = b"a lantern over the water"


@pytest.fixture
def world(db, settings, tmp_path):
    settings.CHOPMARK_HOME = tmp_path / "home"
    return PageWorld.made(settings.CHOPMARK_HOME)


@pytest.fixture
def read():
    """A page read without account, as text."""

    def reader(path, status=200):
        answer = Client().get(path)
        assert answer.status_code == status, answer.content.decode()[:2000]
        return html.unescape(answer.content.decode())

    return reader


@pytest.fixture
def published(world):
    """Positions 2 and 3: a public and a private deposit, under a checkpoint of their own each."""
    mei = world.person("Mei Lan")
    first = world.deposit(mei, DATA, title="Lantern", author="Mei Lan")
    world.publish()
    second = world.deposit(mei, b"secret", title="Secret", private=True)
    world.publish()
    return first, second


def test_the_overview_shows_the_newest_checkpoint_and_who_signed_it(world, published, read):
    text = read("/explorer/")
    latest = wiring.book().latest()
    assert latest.root.hex() in text
    assert wiring.origin() in text
    assert "Ed25519" in text
    assert "ML-DSA-44" in text


def test_an_entry_shows_digests_and_commitments_and_no_words(world, published, read):
    text = read("/explorer/entries/2")
    assert digest(DATA) in text
    assert "Commitment: title" in text
    assert wiring.policy_id().hex() in text
    for word in ("Lantern", "Mei Lan", "lantern.png"):
        assert word not in text


def test_a_private_entry_does_not_show_the_digest_of_its_file(world, published, read):
    text = read("/explorer/entries/3")
    assert digest(b"secret") not in text
    assert "Private" in text


def test_the_proof_that_is_downloaded_proves_the_entry(world, published):
    proof = TlogProof.parse(Client().get("/explorer/entries/2/proof").content)
    raw = cbor.decode(proof.extra)["statement"]
    assert raw == Client().get("/explorer/entries/2/statement").content
    checkpoint, judgement = Policy.parse(wiring.log_policy()).open(proof.checkpoint)
    assert judgement.accepted
    verify_inclusion(
        leaf=leaf_hash(raw), index=proof.index, size=checkpoint.size, proof=proof.hashes, root=checkpoint.root
    )
    assert Statement.parse(raw).claim.kind == "work"


def test_a_public_deposit_is_found_by_its_digest(world, published, read):
    assert 'href="/explorer/entries/2"' in read(f"/explorer/entries?digest={digest(DATA)}")
    assert 'href="/explorer/entries/2"' in read(f"/explorer/entries?digest=SHA-256:{digest(DATA).upper()}")


def test_a_private_deposit_is_not_found_by_its_digest(world, published, read):
    assert "Nothing public" in read(f"/explorer/entries?digest={digest(b'secret')}")


@pytest.mark.parametrize("typed", ["hello", "<script>alert(1)</script>", "md5:" + "0" * 64, "0" * 63, "é" * 64])
def test_what_is_no_digest_is_said_to_be_none(world, read, typed):
    answer = Client().get("/explorer/entries", {"digest": typed})
    assert answer.status_code == 200
    assert "not a digest" in answer.content.decode()
    assert "<script>alert" not in answer.content.decode()
    assert "ledger is empty" not in answer.content.decode()


@pytest.mark.parametrize(
    "path",
    [
        "/explorer/entries/4",
        "/explorer/entries/99999999999999999999999",
        "/explorer/entries/99999999999999999999999/proof",
        "/explorer/entries/-1",
        "/explorer/entries?before=x",
        "/explorer/entries?before=-1",
        "/explorer/entries?before=042",
        "/explorer/checkpoints/1",
        "/explorer/checkpoints/99999999999999999999999",
        "/explorer/checkpoints?before=%D9%A3",
    ],
)
def test_what_is_not_on_the_ledger_is_not_there(world, published, path):
    assert Client().get(path).status_code == 404


def test_checkpoints_are_listed_and_served_as_notes(world, published, read):
    text = read("/explorer/checkpoints")
    for size in (2, 3, 4):
        note = read(f"/explorer/checkpoints/{size}")
        assert f"\n{size}\n" in note
        assert f"/explorer/checkpoints/{size}" in text


def test_lists_go_on_behind_a_key(world, read):
    mei = world.person("Mei Lan")
    for number in range(30):
        world.deposit(mei, b"%d" % number)
    world.publish()
    assert "before=7" in read("/explorer/entries")
    older = read("/explorer/entries?before=7")
    assert 'href="/explorer/entries/6"' in older
    assert 'href="/explorer/entries/7"' not in older


def test_two_checkpoints_are_shown_to_be_consistent(world, published, read):
    text = read("/explorer/consistency?old=2&new=4")
    for published_at in wiring.book().checkpoints(5, 9):
        if published_at.size in {2, 4}:
            assert published_at.root.hex() in text
    assert "Consistent" in text


PAIRS = {
    "the later one first": ("4", "2"),
    "no checkpoint has this size": ("1", "4"),
    "words": ("two", "four"),
    "nothing": ("", ""),
    "a sign": ("+2", "4"),
    "digits of another script": ("٢", "4"),
    "an underscore": ("2", "4_0"),
    "beyond everything": ("2", "9" * 40),
}


@pytest.mark.parametrize(("old", "new"), PAIRS.values(), ids=PAIRS.keys())
def test_pairs_that_are_none_get_a_sentence(world, published, old, new):
    answer = Client().get("/explorer/consistency", {"old": old, "new": new})
    assert answer.status_code == 200
    assert 'role="alert"' in answer.content.decode()


def test_the_keys_page_shows_every_key_that_verifies_something(world, read):
    text = read("/explorer/keys")
    for key in wiring.log_keys():
        assert str(key) in text
    assert wiring.intake_key().public.thumbprint.hex() in text


def test_the_policy_page_shows_both_policies_in_full(world, read):
    text = read("/explorer/policy")
    assert wiring.log_policy().decode().strip() in text
    assert wiring.policy_id().hex() in text
    assert "登记规则" in text


def test_an_empty_ledger_is_explained(db, settings, tmp_path, read):
    settings.CHOPMARK_HOME = tmp_path
    assert "empty" in read("/explorer/")
    assert "empty" in read("/explorer/entries")
    assert "empty" in read("/explorer/checkpoints")


def test_the_explorer_needs_no_session(world, published):
    for path in ("/explorer/", "/explorer/entries/2", "/explorer/keys"):
        assert "chopmark_session" not in Client().get(path).cookies


def test_diagnostic_notation_tells_every_kind_of_value():
    value = {1: -8, "a": [b"\x01", None, True, False, 'say "\\"'], 15: cbor2.CBORTag(18, [b""])}
    assert diagnostic(value) == r"""{1: -8, "a": [h'01', null, true, false, "say \"\\\""], 15: 18([h''])}"""


def test_bytes_are_shown_in_lines_of_32():
    assert hexadecimal(bytes(33)).count("\n") == 1
