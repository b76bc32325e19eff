from __future__ import annotations

import base64
import dataclasses
import hashlib

import pytest
from django.test import Client
from world.pages import PageWorld

from chopmark.base import cbor, clock
from chopmark.evidence import queries, wiring
from chopmark.evidence.models import Deposit
from chopmark.ledger.cose import Envelope
from chopmark.ledger.cose_receipt import verify_receipt
from chopmark.ledger.keys import ED25519, SigningKey
from chopmark.ledger.statement import Claim, IssuerKey, PublicKey, Statement, sign_statement
from chopmark.ledger.tree import leaf_hash
from chopmark.people import actions as people
from chopmark.web.api import limits
from chopmark.web.views import scrapi

PAYLOAD = hashlib.sha256(b"a lantern over the water").digest()


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(limits, "_BUCKETS", limits.Buckets())
    monkeypatch.setattr(scrapi, "PATIENCE", 0.0)


@pytest.fixture
def world(db, settings, tmp_path):
    settings.CHOPMARK_HOME = tmp_path / "home"
    return PageWorld.made(settings.CHOPMARK_HOME)


@pytest.fixture
def mei(world):
    return world.person("Mei Lan")


@pytest.fixture
def key(world, mei):
    key = IssuerKey.generate()
    people.register_issuer_key(key.public.to_cose(), "laptop", by=mei.actor, at=world.now())
    return key


@pytest.fixture
def claim(mei):
    return Claim(
        issuer=wiring.issuer_of(mei.actor.organisation_id),
        subject="urn:uuid:0d7c9b4e-43a2-4e54-9a1c-0f8a4f6c7e21",
        issued_at=clock.now(),
        payload=PAYLOAD,
        content_type="image/png",
    )


def send(raw, content_type="application/cose", **headers):
    return Client().generic("POST", "/entries", raw, content_type=content_type, headers=headers)


def problem(answer, status, title):
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/concise-problem-details+cbor"
    details = cbor.decode(answer.content)
    assert details.keys() == {-1, -2}
    assert details[-1] == title
    assert details[-2]
    return details


def test_a_statement_is_registered_waits_and_has_its_receipt(world, key, claim):
    raw = sign_statement(claim, key)
    address = f"http://testserver/entries/{leaf_hash(raw).hex()}"
    accepted = send(raw)
    assert (accepted.status_code, accepted["Location"], accepted["Retry-After"]) == (303, address, "1")
    running = Client().get(address)
    assert (running.status_code, running["Location"], running.content) == (302, address, b"")
    world.publish()
    receipt = Client().get(address)
    assert (receipt.status_code, receipt["Content-Type"], receipt["Location"]) == (200, "application/cose", address)
    [log_key] = wiring.receipt_keys()
    assert verify_receipt(receipt.content, raw, log_key).index == 2
    again = send(raw)
    assert (again.status_code, again.content) == (201, receipt.content)
    assert Deposit.objects.count() == 1


def test_a_receipt_that_is_ready_in_time_is_the_answer(world, key, claim, monkeypatch):
    monkeypatch.setattr(scrapi, "PATIENCE", 2.0)
    monkeypatch.setattr(scrapi.time, "sleep", lambda _: world.publish())
    answer = send(sign_statement(claim, key))
    assert answer.status_code == 201
    assert cbor.decode(answer.content).tag == 18


def test_every_entry_of_the_log_has_its_receipt_for_anybody(world, mei):
    one = world.deposit(mei, b"1", private=True)
    world.publish()
    for position in range(3):
        raw = queries.statement_of(position)
        assert Client().get(f"/entries/{leaf_hash(raw).hex()}").status_code == 200
    assert leaf_hash(raw) == one.leaf


def test_an_unknown_key_a_retired_one_and_a_foreign_issuer_are_rejected(world, mei, key, claim):
    problem(send(sign_statement(claim, IssuerKey.generate())), 400, "Rejected")
    foreign = dataclasses.replace(claim, issuer="https://example.com/me")
    problem(send(sign_statement(foreign, key)), 400, "Rejected")
    theirs = wiring.issuer_of(world.person("Jun Wu").actor.organisation_id)
    problem(send(sign_statement(dataclasses.replace(claim, issuer=theirs), key)), 400, "Rejected")
    people.retire_issuer_key(key.public.thumbprint, by=mei.actor, at=world.now())
    problem(send(sign_statement(claim, key)), 400, "Rejected")
    assert Deposit.objects.count() == 0
    assert wiring.book().pending_count() == 0


def changed(raw, **parts):
    return dataclasses.replace(Envelope.parse(raw), **parts).encode()


def with_header(raw, **header):
    labels = Envelope.parse(raw).header() | {int(name[1:]): value for name, value in header.items()}
    return changed(raw, protected=cbor.encode(labels))


MALFORMED = {
    "no CBOR": (lambda _: b"\xff", "Malformed request"),
    "a byte too many": (lambda raw: raw + b"\0", "Malformed request"),
    "a byte too few": (lambda raw: raw[:-1], "Malformed request"),
    "a filled unprotected header": (lambda raw: changed(raw, unprotected={4: b"x"}), "ledger.statement_unprotected"),
    "an unknown critical header": (lambda raw: with_header(raw, _2=[99]), "ledger.statement_critical"),
    "another algorithm": (lambda raw: with_header(raw, _1=-35), "Bad Signature Algorithm"),
    "no hash envelope": (lambda raw: with_header(raw, _258=-44), "Payload Missing"),
    "a detached payload": (lambda raw: changed(raw, payload=None), "Payload Missing"),
    "a label that may not stand on the ledger": (lambda raw: with_header(raw, _33=b"x"), "ledger.statement_label"),
    "a changed signature": (lambda raw: raw[:-1] + bytes([raw[-1] ^ 1]), "ledger.statement_signature_wrong"),
}


@pytest.mark.parametrize(("damage", "title"), MALFORMED.values(), ids=MALFORMED)
def test_a_statement_is_refused_with(key, claim, damage, title):
    problem(send(damage(sign_statement(claim, key))), 400, title)
    assert Deposit.objects.count() == 0


def test_a_statement_of_another_content_type_is_refused(key, claim):
    problem(send(sign_statement(claim, key), "application/cbor"), 415, "Malformed request")


def test_a_statement_too_long_is_refused_by_its_length_alone(world):
    answer = Client().generic("POST", "/entries", b"", content_type="application/cose", CONTENT_LENGTH="100000000")
    problem(answer, 413, "ledger.statement_too_large")


def test_an_entry_that_does_not_exist_is_not_found(world):
    problem(Client().get(f"/entries/{'00' * 32}"), 404, "Not Found")


@pytest.mark.parametrize("name", ["x", "00", "00" * 33, "AB" * 32, "g" * 64])
def test_an_id_that_is_no_leaf_hash_is_no_locator(world, name):
    problem(Client().get(f"/entries/{name}"), 400, "Invalid locator")


def test_the_keys_verify_receipts_and_retired_ones_stay(world, settings):
    folder = settings.CHOPMARK_HOME / "keys" / "retired"
    folder.mkdir()
    old = SigningKey.generate(wiring.origin(), ED25519).verifier
    (folder / "log.2025.pub").write_text(f"{old}\n")
    answer = Client().get("/.well-known/scitt-keys", headers={"Accept": "application/cbor"})
    assert answer["Content-Type"] == "application/cbor"
    both = cbor.decode(answer.content)
    assert len(both) == 2
    for each in both:
        bare = {label: value for label, value in each.items() if label != 2}
        assert PublicKey.from_cose(cbor.encode(bare)).thumbprint == each[2]
        for kid in (base64.urlsafe_b64encode(each[2]).rstrip(b"=").decode(), each[2].hex()):
            assert cbor.decode(Client().get(f"/.well-known/scitt-keys/{kid}").content) == each
    assert both[1][-2] == old.public


def test_a_key_that_is_none_of_the_logs_is_not_found(world):
    problem(Client().get("/.well-known/scitt-keys/abc"), 404, "No such key")


def test_other_methods_are_refused(world):
    assert Client().get("/entries").status_code == 405
    assert Client().put(f"/entries/{'00' * 32}").status_code == 405


def test_errors_speak_the_readers_language(world):
    answer = Client().get("/entries/x", headers={"Accept-Language": "zh"})
    assert "记录标识" in problem(answer, 400, "Invalid locator")[-2]


def test_too_many_calls_are_told_to_wait(world, monkeypatch):
    monkeypatch.setattr(scrapi, "ANYBODY", limits.Rate(per_second=1, burst=1))
    Client().get("/.well-known/scitt-keys")
    answer = Client().get("/.well-known/scitt-keys")
    problem(answer, 429, "Too Many Requests")
    assert answer["Retry-After"] == "1"


def test_our_own_form_is_registered_as_well(world, key, claim):
    ours = dataclasses.replace(claim, kind="work", policy=wiring.policy_id())
    raw = sign_statement(ours, key)
    assert send(raw).status_code == 303
    assert Statement.parse(raw).claim.kind == Deposit.objects.get().kind
