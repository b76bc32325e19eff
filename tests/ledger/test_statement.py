import hashlib
from dataclasses import replace
from datetime import UTC, datetime

import cbor2
import pytest
from corpus import maker
from hypothesis import given
from hypothesis import strategies as st

from chopmark.base import cbor
from chopmark.base.errors import Invalid
from chopmark.ledger.cose import Envelope
from chopmark.ledger.statement import (
    DISCLOSURE_TYPE,
    MAX_ENTRY,
    Claim,
    IssuerKey,
    PublicKey,
    Statement,
    _read,
    key_statement,
    policy_statement,
    search_keys,
    sign_statement,
)

AT = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
KEY = IssuerKey.from_seed(bytes(range(32)))
CLAIM = Claim(
    issuer="https://chopmark.example/intake",
    subject="urn:uuid:0d7c9b4e-43a2-4a54-9a1c-0f8a4f6c7e21",
    issued_at=AT,
    kind="work",
    policy=b"\x11" * 32,
    payload=b"\x22" * 32,
)

digests = st.binary(min_size=32, max_size=32)
names = st.from_regex(r"[a-z][a-z_]{0,31}", fullmatch=True)
identifiers = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=60)
moments = st.datetimes(min_value=datetime(1970, 1, 1), timezones=st.just(UTC)).map(  # noqa: DTZ001 (hypothesis adds UTC)
    lambda moment: moment.replace(microsecond=0)
)


@st.composite
def claims(draw):
    private = draw(st.booleans())
    return Claim(
        issuer=draw(identifiers),
        subject=draw(identifiers),
        issued_at=draw(moments),
        kind=draw(names),
        policy=draw(digests),
        payload=draw(digests),
        content_type=DISCLOSURE_TYPE if private else draw(st.sampled_from(["image/jpeg", "text/plain", 0, 65_535])),
        sm3=None if private else draw(st.none() | digests),
        private=private,
        agent=draw(st.booleans()),
        commitments=draw(st.dictionaries(names, digests, max_size=8)),
    )


@given(claims())
def test_what_is_signed_is_what_is_read(claim):
    signed = Statement.sign(claim, KEY)
    statement = Statement.parse(signed.raw)
    assert statement == signed
    assert statement.claim == claim
    statement.verify(KEY.public)


def test_ed25519_statements_are_deterministic():
    assert sign_statement(CLAIM, KEY) == sign_statement(CLAIM, KEY)


def test_the_protected_header_is_the_one_in_the_documentation():
    assert cbor.decode(Envelope.parse(sign_statement(CLAIM, KEY)).protected) == {
        1: -8,
        4: KEY.public.thumbprint,
        15: {1: CLAIM.issuer, 2: CLAIM.subject, 6: 1_795_339_800},
        258: -16,
        259: "application/octet-stream",
        "chopmark": {"kind": "work", "policy": b"\x11" * 32},
    }


def test_a_key_is_named_by_the_digest_of_its_required_parameters():
    cose_key = bytes.fromhex("a301012006215820") + KEY.public.x
    assert KEY.public.to_cose() == cose_key
    assert KEY.public.thumbprint == hashlib.sha256(cose_key).digest()


def test_the_thumbprint_is_the_one_of_rfc_9679():
    # RFC 9679 §5.6: the example P-256 key and its SHA-256 thumbprint.
    x = bytes.fromhex("65eda5a12577c2bae829437fe338701a10aaa375e1bb5b5de108de439c08551d")
    y = bytes.fromhex("1e52ed75701163f7f9e40ddf9f341b3dc9ba860af7e0ca7ca7e9eecd0084d19c")
    wanted = "496bd8afadf307e5b08c64b0421bf9dc01528a344a43bda88fadd1669da253ec"
    assert PublicKey.p256(x, y).thumbprint.hex() == wanted


@pytest.mark.parametrize("public", [KEY.public, maker.p256_public()], ids=["Ed25519", "P-256"])
def test_keys_print_back(public):
    assert PublicKey.from_cose(public.to_cose()) == public


@pytest.mark.parametrize(
    "encoded",
    {
        "nothing": b"",
        "not a map": b"\x01",
        "a private key": cbor.encode({1: 1, -1: 6, -2: KEY.public.x, -4: b"\x01" * 32}),
        "X25519": cbor.encode({1: 1, -1: 4, -2: KEY.public.x}),
        "P-384": cbor.encode({1: 2, -1: 2, -2: b"\x01" * 48, -3: b"\x01" * 48}),
        "a truth value for a number": cbor.encode({1: True, -1: 6, -2: KEY.public.x}),
        "31 bytes": cbor.encode({1: 1, -1: 6, -2: b"\x01" * 31}),
        "a point of small order": cbor.encode({1: 1, -1: 6, -2: b"\x01" + b"\x00" * 31}),
        "a compressed point": cbor.encode({1: 2, -1: 1, -2: b"\x01" * 32, -3: True}),
        "a point off the curve": cbor.encode({1: 2, -1: 1, -2: b"\x01" * 32, -3: b"\x01" * 32}),
        "keys out of order": bytes.fromhex("a3200601012158 20".replace(" ", "")) + KEY.public.x,
    }.values(),
)
def test_other_keys_are_refused(encoded):
    with pytest.raises(Invalid, match=r"ledger\.cose_key_malformed"):
        PublicKey.from_cose(encoded)


def test_a_secret_key_does_not_show_its_secret():
    assert KEY.seed.hex() not in repr(KEY)
    assert repr(KEY.seed) not in repr(KEY)


def test_a_seed_of_another_length_is_refused():
    with pytest.raises(Invalid, match=r"ledger\.cose_key_malformed"):
        IssuerKey.from_seed(b"\x01" * 31)


def test_new_keys_differ():
    assert IssuerKey.generate().public != IssuerKey.generate().public


def test_es256_statements_are_taken():
    statement = Statement.parse(maker.sign_p256(CLAIM))
    statement.verify(maker.p256_public())
    assert statement.algorithm == -7


@pytest.mark.parametrize("raw", [sign_statement(CLAIM, KEY), maker.sign_p256(CLAIM)], ids=["Ed25519", "ES256"])
def test_no_byte_of_a_statement_can_change(raw):
    key = KEY.public if raw == sign_statement(CLAIM, KEY) else maker.p256_public()
    for position in range(len(raw)):
        spoiled = bytearray(raw)
        spoiled[position] ^= 0x01
        with pytest.raises(Invalid):
            Statement.parse(bytes(spoiled)).verify(key)


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data):
    with pytest.raises(Invalid):
        Statement.parse(data)


def slowly(raw: bytes) -> Statement:
    """`Statement.parse` without short cuts: the whole header is decoded strictly first, and printed sorted at last."""
    try:
        envelope = Envelope.parse(raw)
        header = envelope.header()
    except Invalid as error:
        raise Invalid("ledger.statement_malformed") from error
    statement = _read(raw, envelope, header)
    if statement.claim.header(statement.algorithm, statement.kid) != envelope.protected:
        raise Invalid("ledger.statement_malformed")
    return statement


def result(read, raw: bytes) -> object:
    try:
        return read(raw)
    except Invalid as error:
        return error.code


LABELS = st.sampled_from([1, 2, 3, 4, 15, 258, 259, "chopmark", True, b"x", "x", 2**64, -1])
VALUES = st.sampled_from([-8, -7, -16, 0, True, False, None, b"k" * 32, "text/plain", [], {}, 1.0, AT, 2**70])
OURS = st.sampled_from(["kind", "policy", "agent", "sm3", "private", "commitments", "z", 1])


@st.composite
def spoiled_statements(draw):
    """A right header with some labels changed, added or moved, in either order of keys, with some bytes changed."""
    header = cbor.decode(draw(claims()).header(-8, KEY.public.thumbprint))
    header |= draw(st.dictionaries(LABELS, VALUES, max_size=2))
    for inner, labels in ((15, st.sampled_from([1, 2, 6, True, "x"])), ("chopmark", OURS)):
        if isinstance(header.get(inner), dict):
            header[inner] = header[inner] | draw(st.dictionaries(labels, VALUES, max_size=1))
    if draw(st.booleans()):
        header = dict(draw(st.permutations(list(header.items()))))
    protected = bytearray(cbor2.dumps(header, canonical=draw(st.booleans()), datetime_as_timestamp=True))
    for position in draw(st.lists(st.integers(0, len(protected) - 1), max_size=1)):
        protected[position] ^= 1 << draw(st.integers(0, 7))
    unprotected = draw(st.sampled_from([{}, {}, {}, {1: 2}]))
    parts = [bytes(protected), unprotected, draw(st.sampled_from([b"p" * 32, b"p" * 32, None])), b"s" * 64]
    return cbor2.dumps(cbor2.CBORTag(18, parts))


@given(spoiled_statements())
def test_the_short_cuts_read_and_refuse_as_the_long_way(raw):
    assert result(Statement.parse, raw) == result(slowly, raw)


def test_a_shorter_statement_is_refused():
    raw = sign_statement(CLAIM, KEY)
    for length in range(len(raw)):
        with pytest.raises(Invalid):
            Statement.parse(raw[:length])


UNSAYABLE = {
    "a person's name as subject": replace(CLAIM, subject="Li Ming"),
    "an issuer of 513 characters": replace(CLAIM, issuer="x" * 513),
    "an empty issuer": replace(CLAIM, issuer=""),
    "a kind with spaces": replace(CLAIM, kind="the lantern"),
    "a policy id of 31 bytes": replace(CLAIM, policy=b"\x01" * 31),
    "no policy": replace(CLAIM, policy=None),
    "no time": replace(CLAIM, issued_at=None),
    "a payload of 20 bytes": replace(CLAIM, payload=b"\x01" * 20),
    "a sentence as content type": replace(CLAIM, content_type="a lantern/by Li Ming"),
    "a content format of 65,536": replace(CLAIM, content_type=65_536),
    "private without the disclosure type": replace(CLAIM, private=True),
    "the disclosure type without private": replace(CLAIM, content_type=DISCLOSURE_TYPE),
    "private with SM3": replace(CLAIM, private=True, content_type=DISCLOSURE_TYPE, sm3=b"\x01" * 32),
    "SM3 of 31 bytes": replace(CLAIM, sm3=b"\x01" * 31),
    "a commitment named by a sentence": replace(CLAIM, commitments={"Li Ming": b"\x01" * 32}),
    "33 commitments": replace(CLAIM, commitments={"a" * n: b"\x01" * 32 for n in range(1, 34)}),
}


@pytest.mark.parametrize("claim", UNSAYABLE.values(), ids=UNSAYABLE.keys())
def test_what_no_statement_may_say_is_not_signed(claim):
    with pytest.raises(Invalid):
        sign_statement(claim, KEY)


def test_the_limit_is_65535_bytes():
    with pytest.raises(Invalid, match=r"ledger\.statement_too_large"):
        Statement.parse(b"\xd2" + b"\x00" * MAX_ENTRY)


def test_a_fraction_of_a_second_is_not_signed():
    later = replace(CLAIM, issued_at=AT.replace(microsecond=999_999))
    signed = Statement.sign(later, KEY)
    assert signed.claim.issued_at == AT
    assert Statement.parse(signed.raw) == signed


def test_another_key_is_told_apart_from_a_wrong_signature():
    statement = Statement.parse(sign_statement(CLAIM, KEY))
    with pytest.raises(Invalid, match=r"ledger\.statement_key_differs"):
        statement.verify(IssuerKey.generate().public)
    with pytest.raises(Invalid, match=r"ledger\.statement_signature_wrong"):
        replace(statement, signature=b"\x01" * 64).verify(KEY.public)


def test_a_third_party_needs_no_header_of_ours():
    raw = maker.by_third_party()[0]
    claim = Statement.parse(raw).claim
    assert (claim.kind, claim.policy, claim.issued_at) == (None, None, None)
    assert search_keys(Statement.parse(raw)) == (maker.DIGESTS.sha256,)


def test_public_statements_are_found_by_both_digests():
    statement = Statement.parse(sign_statement(replace(CLAIM, sm3=b"\x33" * 32), KEY))
    assert search_keys(statement) == (b"\x22" * 32, b"\x33" * 32)


def test_private_statements_are_not_found():
    statement = Statement.parse(sign_statement(replace(CLAIM, private=True, content_type=DISCLOSURE_TYPE), KEY))
    assert search_keys(statement) == ()


def test_a_registration_policy_registers_itself():
    text = b"1. Everything that is well formed is taken.\n"
    raw = policy_statement(text, issuer="https://a.example", subject="https://a.example/policy", key=KEY, at=AT)
    claim = Statement.parse(raw).claim
    assert claim.kind == "policy"
    assert claim.payload == claim.policy == hashlib.sha256(text).digest()


def test_a_key_is_registered_by_its_thumbprint():
    raw = key_statement(
        KEY.public, issuer="https://a.example", subject="https://a.example/key", policy=b"\x11" * 32, key=KEY, at=AT
    )
    claim = Statement.parse(raw).claim
    assert (claim.kind, claim.payload) == ("key", KEY.public.thumbprint)
    assert claim.payload == hashlib.sha256(KEY.public.to_cose()).digest()


def test_a_signature_whose_r_has_a_torsion_part_is_refused():
    # Made with the secret key: verifiers that multiply by the cofactor accept it, others do not. Nobody shall.
    key = PublicKey.ed25519(bytes.fromhex("ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c"))
    r = bytes.fromhex("cdbc161be64c4302f56443ff29ccf36a2075be1a1fa67ff126b56315f5681c38")
    s = bytes.fromhex("f4010b988e05d833355afc067b7f7130ca89bc3ecba4a77c7933d2d04117f204")
    assert not key.accepts(r + s, b"hello")
