"""The platform's own time-stamp authority: its answers are standard, its serials never come twice."""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256, sha512

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from world.tsa import AT, TsaWorld, openssl

from chopmark.base.errors import Invalid, Unavailable
from chopmark.ledger import der
from chopmark.ledger.timestamp import Request, Response, parse_token, request, verify_token
from chopmark.ledger.tsa import ALGORITHMS, POLICY, Order, answer, make_root, make_signer

IMPRINT = sha256(b"data").digest()


def _failure(body, world=None):
    return Response.parse(answer(body, (world or TsaWorld()).signer)).failure


def _asked(**changes):
    values = {"algorithm": ALGORITHMS[0], "imprint": IMPRINT, "nonce": 1, "certificates": True}
    return Request(**(values | changes)).encode()


def _with_extension():
    extension = der.sequence(der.put_oid("1.2.3"), der.put_octets(b""))
    parts = der.Reader(der.read(_asked()).content).rest()
    return der.sequence(*(part.raw for part in parts), der.element(0xA0, extension))


REJECTED = {
    "an algorithm that is not safe": (_asked(algorithm="1.3.14.3.2.26", imprint=bytes(20)), "badAlg"),
    "a digest of another length": (_asked(imprint=bytes(31)), "badRequest"),
    "another policy": (_asked(policy="1.2.3"), "unacceptedPolicy"),
    "an extension": (_with_extension(), "unacceptedExtension"),
    "no request": (b"hello", "badDataFormat"),
    "nothing": (b"", "badDataFormat"),
    "a request with more behind it": (_asked() + b"\0", "badDataFormat"),
    "a request too long": (_asked(imprint=bytes(5000)), "badDataFormat"),
}


@pytest.mark.parametrize("case", REJECTED)
def test_a_request_is_rejected_for(case):
    body, failure = REJECTED[case]
    assert _failure(body) == failure


@pytest.mark.parametrize("case", [name for name, (_, failure) in REJECTED.items() if failure != "badDataFormat"])
def test_openssl_understands_a_rejection_for(case, tmp_path):
    (tmp_path / "r").write_bytes(answer(REJECTED[case][0], TsaWorld().signer))
    shown = openssl("-reply", "-in", tmp_path / "r", "-text").stdout
    assert "Status: Rejected." in shown
    assert "Failure info: unspecified" not in shown


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=100))
def test_whatever_comes_in_is_answered(body):
    assert Response.parse(answer(body, TsaWorld().signer)).status == 2


@given(st.sampled_from(ALGORITHMS), st.integers(0, 2**32), st.none() | st.integers(-(2**300), 2**300), st.booleans())
def test_an_order_comes_back_as_it_was(algorithm, seed, nonce, certificates):
    size = {0: 32, 1: 48, 2: 64}[ALGORITHMS.index(algorithm)]
    imprint = sha512(str(seed).encode()).digest()[:size]
    order = Order(algorithm=algorithm, imprint=imprint, nonce=nonce, certificates=certificates)
    assert Order.parse(order.encode()) == order
    assert len(order.encode()) == 131


@settings(max_examples=300)
@given(st.binary(min_size=131, max_size=131) | st.binary(max_size=140))
def test_an_order_that_does_not_print_back_is_refused(data):
    try:
        assert Order.parse(data).encode() == data
    except Invalid as error:
        assert error.code == "ledger.timestamp_malformed"  # noqa: PT017 (either outcome is right, this is the other)


@pytest.mark.parametrize("algorithm", ["-sha256", "-sha384", "-sha512"])
@pytest.mark.parametrize("options", [["-cert"], [], ["-cert", "-no_nonce"], ["-cert", "-tspolicy", POLICY]])
def test_openssl_asks_and_accepts_the_answer(algorithm, options, tmp_path):
    world = TsaWorld()
    (tmp_path / "data").write_bytes(b"data")
    openssl("-query", "-data", tmp_path / "data", algorithm, *options, "-out", tmp_path / "q")
    (tmp_path / "r").write_bytes(answer((tmp_path / "q").read_bytes(), world.signer))
    (tmp_path / "signer.pem").write_bytes(world.certificate.public_bytes(Encoding.PEM))
    root = world.root_file(tmp_path)
    done = openssl(
        "-verify", "-queryfile", tmp_path / "q", "-in", tmp_path / "r", "-CAfile", root,
        "-untrusted", tmp_path / "signer.pem",
    )  # fmt: skip
    assert "Verification: OK" in done.stdout, done.stderr
    shown = openssl("-reply", "-in", tmp_path / "r", "-text").stdout
    assert "Accuracy: 0x01 seconds" in shown
    assert "Ordering: no" in shown
    assert ("Nonce: unspecified" in shown) is ("-no_nonce" in options)


def test_sets_are_in_the_order_that_der_wants():
    """Each SET OF of the token, and the certificates; a reader that insists on it then accepts us."""
    outer = der.Reader(der.read(TsaWorld().stamp(b"data")).content).rest()[1]
    *_, certificates, signers = der.Reader(der.inside(outer, der.SEQUENCE).content).rest()
    attributes = der.Reader(der.inside(signers, der.SEQUENCE).content).rest()[3]
    for each in (certificates, attributes):
        raw = [part.raw for part in der.Reader(each.content).rest()]
        assert len(raw) > 1
        assert raw == sorted(raw)


def test_without_certificates_the_token_has_none_and_is_true_to_who_has_them():
    world = TsaWorld()
    token = world.stamp(b"data", certificates=False)
    assert parse_token(token).cms.certificates == ()
    with pytest.raises(Invalid, match="certificate_missing"):
        verify_token(token, b"data", [world.authority], AT)


def test_the_certificate_is_for_time_stamping_alone():
    world = TsaWorld()
    usage = world.certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    assert (usage.critical, list(usage.value)) == (True, [ExtendedKeyUsageOID.TIME_STAMPING])
    assert not world.certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    world.certificate.verify_directly_issued_by(world.root)


def test_a_signer_does_not_outlive_its_root():
    root_key, root = make_root("time.test", AT)
    late = root.not_valid_after_utc - timedelta(days=10)
    _, certificate = make_signer("time.test", late, root_key=root_key, root=root)
    assert certificate.not_valid_after_utc == root.not_valid_after_utc


def test_after_the_certificate_nothing_is_stamped():
    world = TsaWorld(at=AT + timedelta(days=5 * 365))
    with pytest.raises(Unavailable, match="tsa_certificate_over"):
        world.signer.stamp(world.order(b"data"))
    assert _failure(_asked(), world) == "systemFailure"


# ---- clock and serials -----------------------------------------------------------------------------------------------


def test_a_clock_that_went_backwards_stops_the_authority_until_it_has_caught_up():
    world = TsaWorld()
    world.stamp(b"one")
    world.at -= timedelta(seconds=1)
    assert _failure(_asked(), world) == "timeNotAvailable"
    world.restart()
    assert _failure(_asked(), world) == "timeNotAvailable"
    world.at += timedelta(seconds=1)
    assert _failure(_asked(), world) == ""


def test_what_cannot_be_kept_is_not_stamped():
    world = TsaWorld()

    def full(_mark):
        raise OSError(28, "no space left on device")

    world.signer._keep = full
    with pytest.raises(OSError, match="no space"):
        world.signer.stamp(world.order(b"data"))
    world.signer._keep = world.kept.append
    assert parse_token(world.stamp(b"data")).info.serial >> 64 == 1


class Serials(RuleBasedStateMachine):
    """An authority that is asked, killed, and whose clock jumps."""

    def __init__(self):
        super().__init__()
        self.world = TsaWorld()
        self.serials = []
        self.times = []

    @rule(count=st.integers(1, 3))
    def asked(self, count):
        for _ in range(count):
            response = Response.parse(answer(_asked(), self.world.signer))
            if response.token is not None:
                info = parse_token(response.token).info
                self.serials.append(info.serial)
                self.times.append(info.time)
            else:
                assert response.failure == "timeNotAvailable"

    @rule()
    def killed(self):
        self.world.restart()

    @rule()
    def killed_between_keeping_and_answering(self):
        self.world.kept.append(type(self.world.mark)(serial=len(self.world.kept) + 1, time=self._last()))
        self.world.restart()

    @rule(seconds=st.integers(-5, 5))
    def clock_jumps(self, seconds):
        self.world.at += timedelta(seconds=seconds)

    def _last(self):
        return self.world.kept[-1].time if self.world.kept else self.world.mark.time

    @invariant()
    def no_serial_comes_twice_and_no_time_goes_back(self):
        assert self.serials == sorted(set(self.serials))
        assert self.times == sorted(self.times)
        assert len(self.world.kept) >= len(self.serials)


TestSerials = Serials.TestCase
TestSerials.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)


def test_policy_is_one_of_our_own():
    assert Request.parse(request(IMPRINT, nonce=None, policy=POLICY).encode()).policy == POLICY
