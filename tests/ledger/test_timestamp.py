"""Time-stamp tokens: real ones of several authorities are accepted, and no change makes one say something else."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import given, settings
from hypothesis import strategies as st
from world.data import shared_data
from world.patience import HANG
from world.tsa import AT, TsaWorld, openssl

from chopmark.base.errors import Invalid
from chopmark.ledger import der
from chopmark.ledger.cms import SHA256, SHA512
from chopmark.ledger.timestamp import (
    FAILURES,
    Authority,
    Request,
    Response,
    TokenInfo,
    accept,
    authority_from_pem,
    parse_token,
    request,
    verify_statement,
    verify_token,
)

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def _fixture(name):
    return shared_data("rfc3161") / "test" / "fixtures" / name


def _recorded(name):
    return Response.parse(_fixture(f"{name}.tsr").read_bytes()).token


def _authority(name):
    data = _fixture(f"{name}/ts_chain.pem").read_bytes()
    if data.startswith(b"-----"):
        return authority_from_pem(name, data)
    return Authority(name=name, certificates=(data,))


# ---- tokens of authorities that others run --------------------------------------------------------------------------

REAL = {
    "P-384, SHA-256": ("sigstage/response-sha256", "2025-05-09T11:58:55"),
    "P-384, SHA-384": ("sigstage/response-sha384", "2025-05-09T11:58:55"),
    "P-384, SHA-512": ("sigstage/response-sha512", "2025-05-09T11:58:56"),
    "without its certificate": ("sigstage/response-no-embedded-cert", "2025-06-18T08:13:02"),
    "RSA, with certificates that are not sorted": ("identrust/issue-104", "2025-03-11T08:52:08"),
    "a local authority": ("test_tsa/response", "2024-10-08T15:40:32"),
    "certificates injected beside the signer's": ("test_tsa/response-injected-certs", "2024-10-08T15:40:32"),
}


@pytest.mark.parametrize("case", REAL)
def test_a_real_token_is_true(case):
    name, time = REAL[case]
    stamp = verify_token(_recorded(name), b"hello", [_authority(name.partition("/")[0])], NOW)
    assert stamp.time == datetime.fromisoformat(time + "Z")
    assert stamp.authority == name.partition("/")[0]
    assert not stamp.own


def test_a_token_outlives_its_certificate():
    token = _recorded("sigstore.mock/response-expired")
    data = _fixture("sigstore.mock/payload").read_bytes()
    stamp = verify_token(token, data, [_authority("sigstore.mock")], NOW)
    assert stamp.signer_until < NOW


WRONG = {
    "a spoiled signature": ("sigstage/response-invalid-signature", b"hello", "sigstage", "signature_wrong"),
    "other data": ("sigstage/response-sha256", b"hello!", "sigstage", "other_data"),
    "another authority": ("sigstage/response-sha256", b"hello", "identrust", "authority_unknown"),
    "no certificate anywhere": ("sigstage/response-no-embedded-cert", b"hello", "identrust", "certificate_missing"),
    "another root of the same name": ("test_tsa/other_response", b"hello", "test_tsa", "authority_unknown"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_token_is_refused_for(case):
    name, data, authority, code = WRONG[case]
    with pytest.raises(Invalid) as error:
        verify_token(_recorded(name), data, [_authority(authority)], NOW)
    assert error.value.code == f"ledger.timestamp_{code}"


def test_a_token_from_the_future_is_refused():
    world = TsaWorld()
    token = world.stamp(b"data")
    assert verify_token(token, b"data", [world.authority], AT - timedelta(minutes=4)).time == AT
    with pytest.raises(Invalid, match="timestamp_ahead"):
        verify_token(token, b"data", [world.authority], AT - timedelta(minutes=6))


# ---- changes --------------------------------------------------------------------------------------------------------


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_a_changed_token_never_says_something_else(data):
    world = TsaWorld()
    token = bytearray(_TOKEN)
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(token) - 1))
        token[place] ^= data.draw(st.integers(1, 255))
    _same_or_refused(bytes(token), world)


@settings(max_examples=200, deadline=None)
@given(cut=st.integers(0, 2000), more=st.binary(max_size=8))
def test_a_token_cut_off_or_with_more_behind_it_is_refused(cut, more):
    token = _TOKEN[:cut] + more
    if token != _TOKEN:
        with pytest.raises(Invalid):
            verify_token(token, b"data", [TsaWorld().authority], AT)


def test_each_bit_of_what_is_signed_counts():
    world = TsaWorld()
    start = _TOKEN.index(parse_token(_TOKEN).content)
    for place in range(start, start + len(parse_token(_TOKEN).content)):
        for bit in range(8):
            changed = bytearray(_TOKEN)
            changed[place] ^= 1 << bit
            with pytest.raises(Invalid):
                verify_statement(bytes(changed), [world.authority], AT)


def _same_or_refused(token, world):
    try:
        found = verify_token(token, b"data", [world.authority], AT)
    except Invalid:
        return
    assert found == _STAMP


_TOKEN = TsaWorld().stamp(b"data")
_STAMP = verify_token(_TOKEN, b"data", [TsaWorld().authority], AT)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_anything_else_is_refused_and_crashes_nothing(data):
    for read in (Request.parse, Response.parse, parse_token):
        with pytest.raises(Invalid, match="timestamp_malformed"):
            read(data)


# ---- who may sign ----------------------------------------------------------------------------------------------------

ROOT_KEY = ec.generate_private_key(ec.SECP256R1())
EKU = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])


def _name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _certificate(subject, public, issuer, key, *extensions, start=AT - timedelta(days=1), end=AT + timedelta(days=1)):
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256())


CA = (x509.BasicConstraints(ca=True, path_length=None), True)
ROOT = _certificate("root", ROOT_KEY.public_key(), "root", ROOT_KEY, CA)
TRUSTED = Authority(name="trusted", certificates=(ROOT.public_bytes(Encoding.DER),))


def _token(key, certificate, *others, algorithm=None, sign=None, ess=None, content=None):
    """A token by hand, so that every part of it can be wrong."""
    info = (
        content
        or TokenInfo(policy="1.2.3", algorithm=SHA256, imprint=sha256(b"data").digest(), serial=5, time=AT).encode()
    )
    encoded = certificate.public_bytes(Encoding.DER)
    named = ess or der.sequence(
        der.put_oid("1.2.840.113549.1.9.16.2.47"),
        der.set_of([der.sequence(der.sequence(der.sequence(der.put_octets(sha256(encoded).digest()))))]),
    )
    attributes = [
        der.sequence(der.put_oid("1.2.840.113549.1.9.3"), der.set_of([der.put_oid("1.2.840.113549.1.9.16.1.4")])),
        der.sequence(der.put_oid("1.2.840.113549.1.9.4"), der.set_of([der.put_octets(sha256(info).digest())])),
        named,
    ]
    signature = (sign or _sign)(key, der.set_of(attributes))
    sha = der.sequence(der.put_oid(SHA256))
    signer = der.sequence(
        der.put_integer(1),
        der.sequence(certificate.issuer.public_bytes(), der.put_integer(certificate.serial_number)),
        sha,
        der.set_of(attributes, tag=0xA0),
        algorithm or der.sequence(der.put_oid(_ALGORITHMS[type(key.public_key()).__name__])),
        der.put_octets(signature),
    )
    signed = der.sequence(
        der.put_integer(3),
        der.set_of([sha]),
        der.sequence(der.put_oid("1.2.840.113549.1.9.16.1.4"), der.element(0xA0, der.put_octets(info))),
        der.element(0xA0, encoded, *(each.public_bytes(Encoding.DER) for each in others)),
        der.set_of([signer]),
    )
    return der.sequence(der.put_oid("1.2.840.113549.1.7.2"), der.element(0xA0, signed))


_ALGORITHMS = {
    "ECPublicKey": "1.2.840.10045.4.3.2",
    "RSAPublicKey": "1.2.840.113549.1.1.11",
    "Ed25519PublicKey": "1.3.101.112",
}


def _sign(key, data):
    match key:
        case ec.EllipticCurvePrivateKey():
            return key.sign(data, ec.ECDSA(hashes.SHA256()))
        case rsa.RSAPrivateKey():
            return key.sign(data, padding.PKCS1v15(), hashes.SHA256())
    return key.sign(data)


def _pss(key, data):
    return key.sign(data, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())


def _pss_algorithm(*, mask=SHA256, defaults=False):
    sha = der.sequence(der.put_oid(SHA256), der.element(der.NULL))
    mgf = der.sequence(der.put_oid("1.2.840.113549.1.1.8"), der.sequence(der.put_oid(mask)))
    parameters = (
        ()
        if defaults
        else (
            der.element(0xA0, sha),
            der.element(0xA1, mgf),
            der.element(0xA2, der.put_integer(32)),
        )
    )
    return der.sequence(der.put_oid("1.2.840.113549.1.1.10"), der.sequence(*parameters))


RSA_KEY = rsa.generate_private_key(65537, 2048)
P256, P384 = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP384R1())


def _leaf(key, *extensions, **more):
    return _certificate("tsa", key.public_key(), "root", ROOT_KEY, *(extensions or [(EKU, True)]), **more)


SIGNERS = {
    "P-256": (P256, {}),
    "P-384": (P384, {}),
    "Ed25519": (ed25519.Ed25519PrivateKey.generate(), {}),
    "RSA, PKCS#1": (RSA_KEY, {}),
    "RSA, the digest named apart": (RSA_KEY, {"algorithm": der.sequence(der.put_oid("1.2.840.113549.1.1.1"))}),
    "RSA, PSS": (RSA_KEY, {"sign": _pss, "algorithm": _pss_algorithm()}),
}


@pytest.mark.parametrize("case", SIGNERS)
def test_keys_of_many_kinds_may_sign(case):
    key, how = SIGNERS[case]
    assert verify_token(_token(key, _leaf(key), **how), b"data", [TRUSTED], AT).authority == "trusted"


def _between(*extensions, **more):
    """A token whose signer stands under another certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = _certificate("between", key.public_key(), "root", ROOT_KEY, *(extensions or [CA]), **more)
    return _token(P256, _certificate("tsa", P256.public_key(), "between", key, (EKU, True)), issuer)


def _ess(digest):
    value = der.sequence(der.sequence(der.sequence(der.put_octets(digest))))
    return der.sequence(der.put_oid("1.2.840.113549.1.9.16.2.47"), der.set_of([value]))


def _critical_unknown():
    return (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True)


UNFIT = {
    "not for time stamping": (lambda: _token(P256, _leaf(P256, CA)), "certificate_unfit"),
    "the purpose is not critical": (lambda: _token(P256, _leaf(P256, (EKU, False))), "certificate_unfit"),
    "another purpose beside it": (
        lambda: _token(
            P256,
            _leaf(
                P256,
                (
                    x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.EMAIL_PROTECTION]),
                    True,
                ),
            ),
        ),
        "certificate_unfit",
    ),
    "a critical extension nobody knows": (
        lambda: _token(P256, _leaf(P256, (EKU, True), _critical_unknown())),
        "certificate_unfit",
    ),
    "over at the stamped time": (
        lambda: _token(P256, _leaf(P256, end=AT - timedelta(seconds=1))),
        "outside_validity",
    ),
    "not begun at the stamped time": (
        lambda: _token(P256, _leaf(P256, start=AT + timedelta(seconds=1))),
        "outside_validity",
    ),
    "the issuer is no authority": (
        lambda: _between((x509.BasicConstraints(ca=False, path_length=None), True)),
        "authority_unknown",
    ),
    "the issuer says nothing about itself": (lambda: _between((EKU, True)), "authority_unknown"),
    "the issuer is for other purposes": (
        lambda: _between(CA, (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), False)),
        "authority_unknown",
    ),
    "the issuer was over": (lambda: _between(CA, end=AT - timedelta(seconds=1)), "outside_validity"),
    "the issuer has names it may not leave": (
        lambda: _between(CA, (x509.NameConstraints([x509.DNSName("a.test")], None), True)),
        "authority_unknown",
    ),
    "signed with another key": (lambda: _token(P384, _leaf(P256)), "signature_wrong"),
    "another certificate named under the signature": (
        lambda: _token(P256, _leaf(P256), ess=_ess(bytes(32))),
        "certificate_missing",
    ),
    "no certificate named under the signature": (
        lambda: _token(P256, _leaf(P256), ess=der.sequence(der.put_oid("1.2.3"), der.set_of([der.put_integer(1)]))),
        "malformed",
    ),
    "parameters that mean SHA-1": (
        lambda: _token(RSA_KEY, _leaf(RSA_KEY), sign=_pss, algorithm=_pss_algorithm(defaults=True)),
        "malformed",
    ),
    "two digests in one signature": (
        lambda: _token(RSA_KEY, _leaf(RSA_KEY), sign=_pss, algorithm=_pss_algorithm(mask=SHA512)),
        "malformed",
    ),
    "an algorithm of another key": (
        lambda: _token(P256, _leaf(P256), algorithm=der.sequence(der.put_oid("1.2.840.113549.1.1.11"))),
        "algorithm",
    ),
    "SHA-1": (
        lambda: _token(P256, _leaf(P256), algorithm=der.sequence(der.put_oid("1.2.840.10045.4.1"))),
        "algorithm",
    ),
    "an imprint with an unknown digest": (
        lambda: _token(
            P256,
            _leaf(P256),
            content=TokenInfo(policy="1.2", algorithm="1.3.14.3.2.26", imprint=bytes(20), serial=1, time=AT).encode(),
        ),
        "algorithm",
    ),
}


@pytest.mark.parametrize("case", UNFIT)
def test_a_token_is_not_accepted_when(case):
    make, code = UNFIT[case]
    with pytest.raises(Invalid) as error:
        verify_token(make(), b"data", [TRUSTED], AT)
    assert error.value.code == f"ledger.timestamp_{code}"


def test_a_chain_of_two_is_followed():
    assert verify_token(_between(), b"data", [TRUSTED], AT).authority == "trusted"


def test_a_chain_longer_than_its_root_allows_is_not_followed():
    short = _certificate(
        "root", ROOT_KEY.public_key(), "root", ROOT_KEY, (x509.BasicConstraints(ca=True, path_length=0), True)
    )
    trusted = Authority(name="short", certificates=(short.public_bytes(Encoding.DER),))
    assert verify_token(_token(P256, _leaf(P256)), b"data", [trusted], AT)
    with pytest.raises(Invalid, match="authority_unknown"):
        verify_token(_between(), b"data", [trusted], AT)


def test_a_signer_may_be_trusted_itself():
    leaf = _leaf(P256)
    pinned = Authority(name="pinned", certificates=(leaf.public_bytes(Encoding.DER),))
    assert verify_token(_token(P256, leaf), b"data", [pinned], AT).authority == "pinned"


def test_the_older_naming_of_the_certificate_is_understood():
    leaf = _leaf(P256)
    digest = hashes.Hash(hashes.SHA1())  # noqa: S303 (RFC 2634 fixes it)
    digest.update(leaf.public_bytes(Encoding.DER))
    value = der.sequence(der.sequence(der.sequence(der.put_octets(digest.finalize()))))
    older = der.sequence(der.put_oid("1.2.840.113549.1.9.16.2.12"), der.set_of([value]))
    assert verify_token(_token(P256, leaf, ess=older), b"data", [TRUSTED], AT)


def test_certificates_that_sign_each_other_lead_nowhere():
    one, two = P256, ec.generate_private_key(ec.SECP256R1())
    first = _certificate("one", one.public_key(), "two", two, CA)
    second = _certificate("two", two.public_key(), "one", one, CA)
    leaf = _certificate("tsa", P384.public_key(), "one", one, (EKU, True))
    with pytest.raises(Invalid, match="authority_unknown"):
        verify_token(_token(P384, leaf, first, second), b"data", [TRUSTED], AT)


# ---- requests and answers --------------------------------------------------------------------------------------------

REQUESTS = st.builds(
    Request,
    algorithm=st.just(SHA256),
    imprint=st.binary(min_size=32, max_size=32),
    nonce=st.none() | st.integers(-(2**200), 2**200),
    certificates=st.booleans(),
    policy=st.none() | st.sampled_from(["1.2.3", "2.25.243919981237061204796913142792868038236"]),
)


@given(REQUESTS)
def test_a_request_comes_back_as_it_was(asked):
    assert Request.parse(asked.encode()) == asked


def test_openssl_reads_a_request(tmp_path):
    path = tmp_path / "request.tsq"
    path.write_bytes(request(sha256(b"data").digest(), nonce=2**63 + 1, policy="1.2.3").encode())
    shown = openssl("-query", "-in", path, "-text").stdout
    assert "Hash Algorithm: sha256" in shown
    assert "Policy OID: 1.2.3" in shown
    assert "Nonce: 0x8000000000000001" in shown
    assert "Certificate required: yes" in shown


def test_a_request_of_openssl_is_read(tmp_path):
    (tmp_path / "data").write_bytes(b"data")
    openssl("-query", "-data", tmp_path / "data", "-sha512", "-cert", "-out", tmp_path / "q")
    asked = Request.parse((tmp_path / "q").read_bytes())
    assert (asked.algorithm, asked.certificates, len(asked.imprint)) == (SHA512, True, 64)
    assert asked.encode() == (tmp_path / "q").read_bytes()


MISMATCHES = {
    "another imprint": {"imprint": bytes(32)},
    "another nonce": {"nonce": 8},
    "no nonce": {"nonce": None},
    "a policy that was not asked for": {"policy": "1.2.3"},
}


@pytest.mark.parametrize("case", MISMATCHES)
def test_an_answer_to_another_question_is_refused(case):
    asked = {"imprint": sha256(b"data").digest(), "nonce": 7} | MISMATCHES[case]
    reply = Response(status=0, failure="", token=_TOKEN).encode()
    with pytest.raises(Invalid, match="timestamp_mismatched"):
        accept(reply, request(asked.pop("imprint"), **asked))


@pytest.mark.parametrize("failure", FAILURES.values())
def test_a_rejection_says_why(failure):
    reply = Response(status=2, failure=failure, token=None).encode()
    with pytest.raises(Invalid) as error:
        accept(reply, request(bytes(32), nonce=1))
    assert (error.value.code, error.value.facts["failure"]) == ("ledger.timestamp_rejected", failure)


def test_a_rejection_with_a_token_is_no_answer():
    granted = der.read(Response(status=0, failure="", token=_TOKEN).encode())
    status, token = der.Reader(granted.content).rest()
    rejected = der.sequence(der.sequence(der.put_integer(2)), token.raw)
    for wrong in (rejected, der.sequence(status.raw)):
        with pytest.raises(Invalid, match="timestamp_malformed"):
            Response.parse(wrong)


# ---- the judge -------------------------------------------------------------------------------------------------------


def test_openssl_accepts_what_we_accept_and_refuses_other_data(tmp_path):
    world = TsaWorld()
    (tmp_path / "token").write_bytes(world.stamp(b"data"))
    root = world.root_file(tmp_path)
    for data, wanted in ((b"data", True), (b"date", False)):
        (tmp_path / "data").write_bytes(data)
        done = openssl("-verify", "-token_in", "-in", tmp_path / "token", "-data", tmp_path / "data", "-CAfile", root)
        assert (done.returncode == 0) is wanted


def test_a_token_of_openssl_is_true(tmp_path):
    """With its chain beside it, which OpenSSL does not sort."""
    config = tmp_path / "ts.cnf"
    config.write_text(
        f"[tsa]\ndefault_tsa=one\n[one]\nserial={tmp_path}/serial\ncrypto_device=builtin\nsigner_digest=sha256\n"
        f"default_policy=1.2.3.4\ndigests=sha256\naccuracy=secs:1,millisecs:500\ness_cert_id_alg=sha256\n"
        "[req]\ndistinguished_name=dn\n[dn]\n[ca]\nbasicConstraints=critical,CA:true\n"
        "[ts]\nextendedKeyUsage=critical,timeStamping\n",
        "ascii",
    )
    ca = ["-keyout", "root.key", "-out", "root.pem", "-subj", "/CN=judge root", "-extensions", "ca"]
    leaf = ["-keyout", "tsa.key", "-out", "tsa.pem", "-subj", "/CN=judge", "-extensions", "ts"]
    for arguments in (ca, [*leaf, "-CA", "root.pem", "-CAkey", "root.key"]):
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-config", config, "-days", "2", *arguments],
            cwd=tmp_path,
            check=True,
            capture_output=True,
            timeout=HANG,
        )
    asked = request(sha256(b"data").digest(), nonce=9)
    (tmp_path / "q").write_bytes(asked.encode())
    made = openssl(
        "-reply", "-queryfile", tmp_path / "q", "-signer", tmp_path / "tsa.pem", "-inkey", tmp_path / "tsa.key",
        "-chain", tmp_path / "root.pem", "-config", config, "-out", tmp_path / "r",
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    token = accept((tmp_path / "r").read_bytes(), asked)
    trusted = authority_from_pem("judge", (tmp_path / "root.pem").read_bytes())
    stamp = verify_token(token, b"data", [trusted], datetime.now(UTC) + timedelta(minutes=1))
    assert (stamp.accuracy, stamp.policy) == (timedelta(seconds=1.5), "1.2.3.4")


# ---- DER -------------------------------------------------------------------------------------------------------------

MALFORMED = {
    "an indefinite length": "3080020101",
    "a long form for a short length": "308101020101",
    "zeros before a length": "3082000102",
    "more than it says": "3003020101ff",
    "less than it says": "3004020101",
    "a tag of many bytes": "1f8101",
    "nothing": "",
}


@pytest.mark.parametrize("case", MALFORMED)
def test_der_refuses(case):
    with pytest.raises(ValueError, match=r".+"):
        der.read(bytes.fromhex(MALFORMED[case]))


@given(st.integers(-(2**300), 2**300))
def test_a_number_has_one_form(number):
    written = der.read(der.put_integer(number), der.INTEGER)
    assert der.integer(written) == number
    padded = (b"\xff" if number < 0 else b"\0") + written.content
    with pytest.raises(ValueError, match="shortest"):
        der.integer(der.Element(tag=der.INTEGER, content=padded, raw=b""))


@given(st.lists(st.integers(0, 2**36), max_size=8), st.sampled_from([(0, 39), (1, 39), (2, 2**70)]), st.data())
def test_an_identifier_comes_back_as_it_was(arcs, head, data):
    first, most = head
    dotted = ".".join(map(str, [first, data.draw(st.integers(0, most)), *arcs]))
    assert der.oid(der.read(der.put_oid(dotted), der.OID)) == dotted


def test_an_identifier_that_would_take_long_to_read_is_refused():
    with pytest.raises(ValueError, match="too long"):
        der.oid(der.Element(tag=der.OID, content=b"\x81" * 1_000_000 + b"\x01", raw=b""))


@given(st.datetimes(min_value=datetime(1, 1, 1), max_value=datetime(9999, 12, 31)))  # noqa: DTZ001 (the zone follows)
def test_a_time_comes_back_as_it_was(moment):
    at = moment.replace(tzinfo=UTC)
    written = der.put_generalized_time(at)
    assert der.generalized_time(der.read(written, der.GENERALIZED_TIME)) == at


@settings(deadline=None)  # the first example loads the second reader
@given(st.binary(max_size=300), st.binary(max_size=300))
def test_a_second_reader_agrees_about_what_we_write(one, two):
    core = pytest.importorskip("asn1crypto.core", reason="the second reader comes with the extra `member`")
    written = der.sequence(der.put_octets(one), der.set_of([der.put_octets(one), der.put_octets(two)]))
    outer = core.Sequence.load(written, strict=True)
    assert outer[0].native == one
    assert {each.native for each in core.SetOf.load(outer[1].dump(), spec=core.OctetString)} == {one, two}
    assert outer.dump(force=True) == written
