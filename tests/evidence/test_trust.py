"""What a verifier is given from outside."""

from __future__ import annotations

import json

import pytest

from chopmark.base.errors import Invalid
from chopmark.evidence.trust import Root, Trust, Use
from chopmark.ledger import der

CERTIFICATE = der.sequence(der.put_integer(1))
OTHER = der.sequence(der.put_integer(2))


def root(name: str = "own", use: Use = Use.SEAL, certificate: bytes = CERTIFICATE, *, own: bool = True) -> Root:
    return Root(name=name, use=use, own=own, certificate=certificate)


def test_a_trust_prints_as_it_was_read():
    trust = Trust.of(
        {10: b"quorum none\n", 0: b"# at first\nquorum none\n"}, [root("海关", Use.NOTARY, own=False), root()]
    )
    assert Trust.parse(trust.encode()) == trust
    assert [each.start for each in trust.policies] == [0, 10]
    assert trust.certificates(Use.NOTARY) == (root("海关", Use.NOTARY, own=False),)


def test_the_same_trust_prints_the_same_whatever_the_order():
    both = [root(), root(certificate=OTHER)]
    assert Trust(roots=tuple(both)).encode() == Trust(roots=tuple(reversed(both))).encode()


def test_without_a_policy_nobody_judges_receipts():
    assert Trust().policy_for(3) is None
    assert Trust.of({5: b"quorum none\n"}, []).policy_for(7) is not None
    assert Trust.of({5: b"quorum none\n"}, []).policy_for(4) is None


GOOD = json.loads(Trust.of({0: b"quorum none\n"}, [root()]).encode())


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param({"extra": 1}, id="a member that nobody knows"),
        pytest.param({"roots": None}, id="no list of roots"),
        pytest.param({"policies": [{"from": True, "text": ""}]}, id="a size that is no number"),
        pytest.param({"policies": [{"from": -1, "text": ""}]}, id="a size below nothing"),
        pytest.param({"policies": [{"from": 0, "text": "log\n"}]}, id="a policy that is none"),
        pytest.param({"policies": [{"from": 0, "text": "\ud800"}]}, id="half a character"),
        pytest.param({"policies": [{"from": 0, "text": ""}] * 2}, id="two policies of one size"),
        pytest.param({"roots": [GOOD["roots"][0] | {"use": "all"}]}, id="a use that nobody knows"),
        pytest.param({"roots": [GOOD["roots"][0] | {"name": ""}]}, id="a root without a name"),
        pytest.param({"roots": [GOOD["roots"][0] | {"certificate": "AAAA"}]}, id="a certificate that is no DER"),
        pytest.param({"roots": [GOOD["roots"][0] | {"certificate": "!"}]}, id="a certificate that is no base64"),
        pytest.param({"roots": GOOD["roots"] * 2}, id="a root twice"),
    ],
)
def test_what_is_not_exactly_a_trust_is_refused(spoil):
    data = json.dumps(GOOD | spoil, sort_keys=True, separators=(",", ":")).encode()
    with pytest.raises(Invalid):
        Trust.parse(data)


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"\xff", b'{"$schema":', b"[" * 100_000])
def test_other_bytes_are_refused(data):
    with pytest.raises(Invalid, match="trust_malformed"):
        Trust.parse(data)
