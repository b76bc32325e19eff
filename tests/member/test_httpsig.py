"""Calls signed by nodes: what is covered, by whom, for which log, and once only."""

from __future__ import annotations

import pytest

from chopmark.base.errors import Refused
from chopmark.ledger.keys import ED25519, SigningKey
from chopmark.member.httpsig import Gate, signed_headers

ORIGIN = "platform.example/log"
NODE = SigningKey.generate("hangzhou.example/node", ED25519)
TARGET = "/relay/hangzhou/give/00?x=1"


def _gate(**more) -> Gate:
    return Gate(ORIGIN, [NODE.verifier], **more)


def _headers(body: bytes = b"body", *, origin: str = ORIGIN, signer: SigningKey = NODE) -> dict[str, str]:
    return signed_headers(signer, "POST", TARGET, body, origin=origin)


def test_a_signed_call_is_let_through_and_tells_who_made_it():
    assert _gate().admit("POST", TARGET, _headers(), b"body") == NODE.verifier


def test_an_empty_body_is_covered_too():
    headers = _headers(b"")
    assert _gate().admit("POST", TARGET, headers, b"") == NODE.verifier
    with pytest.raises(Refused, match="call_unsigned"):
        _gate().admit("POST", TARGET, headers, b"more")


@pytest.mark.parametrize(
    ("method", "target", "body"),
    [
        pytest.param("PUT", TARGET, b"body", id="another method"),
        pytest.param("POST", "/relay/beijing/give/00?x=1", b"body", id="another path"),
        pytest.param("POST", "/relay/hangzhou/give/00?x=2", b"body", id="another query"),
        pytest.param("POST", TARGET, b"bodY", id="another body"),
    ],
)
def test_what_was_changed_on_the_way_is_refused(method, target, body):
    with pytest.raises(Refused, match="call_unsigned"):
        _gate().admit(method, target, _headers(), body)


def test_a_call_meant_for_another_log_is_refused():
    with pytest.raises(Refused, match="call_unsigned"):
        _gate().admit("POST", TARGET, _headers(origin="other.example/log"), b"body")


def test_a_key_that_is_not_known_is_refused():
    stranger = SigningKey.generate("hangzhou.example/node", ED25519)
    with pytest.raises(Refused, match="call_unsigned"):
        _gate().admit("POST", TARGET, _headers(signer=stranger), b"body")


@pytest.mark.parametrize("name", ["Signature", "Signature-Input", "Content-Digest"])
def test_a_call_without_one_of_the_headers_is_refused(name):
    headers = _headers()
    del headers[name]
    with pytest.raises(Refused, match="call_unsigned"):
        _gate().admit("POST", TARGET, headers, b"body")


def test_a_signature_that_covers_less_is_refused():
    headers = _headers()
    headers["Signature-Input"] = headers["Signature-Input"].replace(' "@path"', "")
    with pytest.raises(Refused, match="call_unsigned"):
        _gate().admit("POST", TARGET, headers, b"body")


def test_an_old_signature_is_refused():
    headers = _headers()
    before, _, after = headers["Signature-Input"].partition("created=")
    seconds, _, rest = after.partition(";")
    headers["Signature-Input"] = f"{before}created={int(seconds) - 1000};{rest}"
    with pytest.raises(Refused, match="call_unsigned"):
        _gate().admit("POST", TARGET, headers, b"body")


def test_the_same_call_is_let_through_once():
    moment = [0.0]
    gate = _gate(clock=lambda: moment[0])
    headers = _headers()
    gate.admit("POST", TARGET, headers, b"body")
    with pytest.raises(Refused, match="call_repeated"):
        gate.admit("POST", TARGET, headers, b"body")
    gate.admit("POST", TARGET, _headers(), b"body")  # a new one, with a nonce of its own


def test_nonces_are_forgotten_only_when_their_signatures_are_too_old():
    moment = [0.0]
    gate = _gate(clock=lambda: moment[0])
    gate.admit("POST", TARGET, _headers(), b"body")
    moment[0] = 119.0
    gate.admit("POST", TARGET, _headers(), b"body")
    assert len(gate._seen) == 2
    moment[0] = 181.0
    gate.admit("POST", TARGET, _headers(), b"body")
    assert len(gate._seen) == 2
