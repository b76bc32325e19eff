"""What programs in Java that we did not write say: EU DSS of bundles, veraPDF of PDFs, Bouncy Castle of records.

A judge starts once and is asked everything at once: the Java machine alone takes seconds.
"""

from __future__ import annotations

import base64
import io
import json
import shutil
import subprocess
import zipfile
from datetime import UTC, datetime, timedelta
from hashlib import sha256, sha512

import pytest
from corpus import maker
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from world.bundles import Tokens
from world.data import REPOSITORY
from world.patience import HANG
from world.tsa import TsaWorld

from chopmark.base import clock
from chopmark.evidence import evidence_record, renewal
from chopmark.evidence.certificate import deposit_certificate, deposit_facts
from chopmark.evidence.sealing import Seal, make_seal
from chopmark.ledger.cms import SHA256, SHA512, find_signer, read_certificate
from chopmark.ledger.timestamp import parse_token
from chopmark.ledger.tsa import Order

pytestmark = pytest.mark.interop

JAVA = REPOSITORY / ".venv-foreign-java"
BUNDLES = REPOSITORY / "tests" / "corpus" / "bundles"
CASES = json.loads((BUNDLES / "manifest.json").read_text("utf-8"))["cases"]
NOON = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)  # when most cases are judged

# What we find and DSS does not look at, or thinks harmless; everything else that touches a signature or a time-stamp
# must trouble it too.
BEYOND_DSS = {
    "the certificate of a token is altered": "it takes the trusted one instead",
    "another certificate in a token is altered": "it needs none of them",
    "what a token announces is not what it used": "a hint that it does not read",
    "a file was planted": "it judges what is covered, not what is there",
    "the signers certificate is for another purpose": "its policy takes any that may sign",
    "the signers certificate was revoked": "the list that says so lies beside the signature, and it reads those inside",
    "the signature has no time-stamp": "one outside the signature is enough for it",
    "a notary signed in place of the platform": "a root has no purpose for it: a notary's is as good as the platform's",
    "the time-stamps are missing": "those inside the signature are enough for it",
}


def judge(program, *words):
    if not (JAVA / "classes").is_dir() or shutil.which("java") is None:
        pytest.skip("the judges in Java are not built: scripts/foreign_java.sh")
    command = ["java", "-cp", f"{JAVA}/classes:{JAVA}/lib/*", program, *map(str, words)]
    run = subprocess.run(command, capture_output=True, text=True, check=True, timeout=HANG)
    return [json.loads(line) for line in run.stdout.splitlines()]


def pem(folder, name, certificate):
    path = folder / f"{name}.pem"
    path.write_bytes(certificate.public_bytes(Encoding.PEM))
    return path


def stampers_of(bundle):
    """The certificates that signed a bundle's tokens: trusted as they are, since no list of revoked ones is there."""
    with zipfile.ZipFile(bundle) as archive:
        tokens = [parse_token(archive.read(name)).cms for name in archive.namelist() if name.endswith(".tst")]
    return [find_signer(each, [read_certificate(one) for one in each.certificates]) for each in tokens]


def says(answer):
    """PASSED when DSS passes each signature and each time-stamp and there is a signature; else what is worst."""
    tokens = answer.get("tokens", [])
    if "refused" in answer:
        return "REFUSED"
    if any("FAILED" in each[1] for each in tokens):
        return "FAILED"
    passed = all(each[1] in {"PASSED", "TOTAL_PASSED"} for each in tokens)
    return "PASSED" if passed and any(each[0] == "signature" for each in tokens) else "INDETERMINATE"


@pytest.fixture(scope="module")
def dss(tmp_path_factory):
    """What DSS says of each bundle of the corpus that is judged with full trust at the usual time."""
    folder = tmp_path_factory.mktemp("trusted")
    roots = json.loads((BUNDLES / "all.trust.json").read_text("utf-8"))["roots"]
    trusted = [x509.load_der_x509_certificate(base64.b64decode(each["certificate"])) for each in roots]
    trusted += stampers_of(BUNDLES / "nothing-is-wrong.asice")
    files = [pem(folder, str(number), each) for number, each in enumerate(trusted)]
    cases = [each for each in CASES if each["at"] == clock.to_text(NOON) and each.get("trust") == "all.trust.json"]
    answers = judge("Dss", int(NOON.timestamp()), *files, "--", *(BUNDLES / each["bundle"] for each in cases))
    return [(case, answer) for case, answer in zip(cases, answers, strict=True)]


def test_dss_passes_every_bundle_that_we_pass(dss):
    ours = [(case["desc"], says(answer)) for case, answer in dss if case["report"]["verdict"] == "PASSED"]
    assert len(ours) > 4
    assert [each for each in ours if each[1] != "PASSED"] == []


def test_what_dss_refuses_or_fails_we_fail_too(dss):
    theirs = [case["desc"] for case, answer in dss if says(answer) in {"FAILED", "REFUSED"}]
    assert len(theirs) > 30
    assert [case["desc"] for case, _ in dss if case["desc"] in theirs and case["report"]["verdict"] != "FAILED"] == []


def test_dss_is_troubled_by_every_signature_and_time_stamp_that_troubles_us_but_for_what_it_does_not_read(dss):
    unseen = {case["desc"] for case, answer in dss if says(answer) == "PASSED" and touches_a_proof(case["report"])}
    assert unseen == BEYOND_DSS.keys()


def touches_a_proof(report):
    kinds = {each["claim"].partition(":")[0] for each in report["claims"] if each["verdict"] != "PASSED"}
    return bool(kinds & {"signature", "time"})


# ---- PDF -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """A certificate before and after it was signed, and whom to trust for it."""
    folder, now = tmp_path_factory.mktemp("certificates"), clock.now().replace(microsecond=0)
    tsa = TsaWorld()
    tsa.at = max(now, tsa.at)
    seal = Seal.load(make_seal(folder, "Chopmark of Hangzhou", now), [Tokens(tsa=tsa)])
    receipt = maker.register(maker.by_agent(), cosigned=maker.by_members("hangzhou", "beijing", "notary"))
    facts = deposit_facts(
        receipt,
        number="D-2026-000001",
        operator="Chopmark",
        verify_at="https://chopmark.example/verify",
        policy=maker.POLICIES["five-members"],
        authorities=(),
        at=maker.AT + timedelta(hours=1),
    )
    plain, signed = folder / "plain.pdf", folder / "signed.pdf"
    plain.write_bytes(deposit_certificate(facts))
    signed.write_bytes(seal.sign_pdf(plain.read_bytes()))
    altered = folder / "altered.pdf"
    data = bytearray(signed.read_bytes())
    data[len(plain.read_bytes()) // 2] ^= 1
    altered.write_bytes(data)
    return plain, signed, altered, [folder / "seal" / "root.pem", pem(folder, "stamper", tsa.certificate)]


def test_a_certificate_is_pdf_a_4f_before_it_is_signed_and_after(certificates):
    plain, signed, _, _ = certificates
    for answer in judge("PdfA", plain, signed):
        assert (answer["claimed"], answer["compliant"], answer["failed"]) == ("4f", True, [])


@pytest.mark.skipif(shutil.which("pdfsig") is None, reason="pdfsig is not installed (Debian: poppler-utils)")
def test_poppler_finds_the_signature_of_a_certificate_valid_and_of_an_altered_one_not(certificates):
    _, signed, altered, _ = certificates
    whole = subprocess.run(["pdfsig", "-nocert", signed], capture_output=True, text=True, check=False, timeout=HANG)
    assert "Signature is Valid" in whole.stdout
    assert "ETSI.CAdES.detached" in whole.stdout
    broken = subprocess.run(["pdfsig", "-nocert", altered], capture_output=True, text=True, check=False, timeout=HANG)
    assert "Signature is Valid" not in broken.stdout.partition("Signature #2")[0]


def test_dss_passes_the_signature_and_the_time_stamps_of_a_certificate_and_fails_those_of_an_altered_one(certificates):
    _, signed, altered, trusted = certificates
    at = int(clock.now().timestamp()) + 60
    whole, broken = judge("Dss", at, *trusted, "--", signed, altered)
    assert (says(whole), whole["level"]) == ("PASSED", ["PAdES-BASELINE-LTA"]), whole
    assert [each[0] for each in whole["tokens"]] == ["signature", "signature time-stamp", "signature time-stamp"]
    assert says(broken) == "FAILED", broken


# ---- evidence records ------------------------------------------------------------------------------------------------


class Time:
    """An authority whose clock goes on by a day with each token."""

    def __init__(self):
        self.tsa, self.asked = TsaWorld(), []

    def __call__(self, digest):
        self.asked.append(digest)
        self.tsa.at += timedelta(days=1)
        algorithm = SHA256 if len(digest) == 32 else SHA512
        return self.tsa.signer.stamp(Order(algorithm=algorithm, imprint=digest, nonce=None, certificates=True))


def test_bouncy_castle_holds_our_records_true_for_their_files_and_for_no_others(tmp_path):
    files = [tmp_path / f"file{number}" for number in range(5)]
    for number, each in enumerate(files):
        each.write_bytes(b"file %d" % number)
    groups = [files[:3], files[3:4], [files[4], files[0]]]
    time, jobs, wanted = Time(), [], []

    def by(function):
        return [[function(each.read_bytes()).digest() for each in group] for group in groups]

    def check(records, step):
        for number, (record, group) in enumerate(zip(records, groups, strict=True)):
            path = tmp_path / f"{step}-{number}.ers"
            path.write_bytes(record.encode())
            other = [each for each in files if each not in group][:1]
            at = int(time.tsa.at.timestamp())
            jobs.extend(f"check {path} {at} {' '.join(map(str, those))}" for those in (group, [*group[1:], *other]))
            wanted.extend([True, False])

    records = evidence_record.start(by(sha256), time)
    check(records, "start")
    again = evidence_record.renew_time_stamps(records, time)
    check(again, "renewed")
    check(evidence_record.renew_hash_trees(again, by(sha512), time, SHA512), "rehashed")
    (tmp_path / "jobs").write_text("\n".join(jobs))
    assert [each["ok"] for each in judge("Records", tmp_path / "jobs")] == wanted


def test_dss_finds_the_record_of_a_renewed_bundle_and_that_it_holds(tmp_path):
    bundle, time = (BUNDLES / "nothing-is-wrong.asice").read_bytes(), Time()
    standing = renewal.stand(io.BytesIO(bundle), [time.tsa.authority], time.tsa.at)
    [record] = renewal.renewed([standing], time)
    path = tmp_path / "renewed.asice"
    with path.open("w+b") as out:
        renewal.extend(io.BytesIO(bundle), out, standing, record)
    trusted = [pem(tmp_path, "root", time.tsa.root), pem(tmp_path, "stamper", time.tsa.certificate)]
    [answer] = judge("Dss", int(time.tsa.at.timestamp()) + 60, *trusted, "--", path)
    assert [each[:3] for each in answer["tokens"] if each[0].startswith("evidence record")] == [
        ["evidence record", "PASSED", "null"],
        ["evidence record time-stamp", "PASSED", "null"],
    ]
