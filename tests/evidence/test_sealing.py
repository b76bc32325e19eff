"""The seal: made, kept, renewed, and what it signs."""

from __future__ import annotations

import io
import stat
import subprocess
from datetime import timedelta

import pikepdf
import pytest
from cryptography import x509
from world.patience import HANG
from world.seal import WorldStamper, seal_in
from world.tsa import AT, TsaWorld

from chopmark.base.errors import Invalid, Refused
from chopmark.evidence.cades import Material, Signatory, Trusted, Verdict, check_signature
from chopmark.evidence.sealing import Seal, make_seal

DATA = b"<asic/>"


def trusted(seal):
    root = Signatory(name="platform", certificate=seal.card().root)
    return Trusted(signatories=(root,), stampers=(TsaWorld().authority,))


def check(seal, signature, data=DATA, at=AT):
    return check_signature(signature, data, trusted(seal), Material(), at)


def codes(outcome):
    return [each.code for each in outcome.findings]


def test_a_seal_signs_and_its_signature_is_found_good_with_its_time(tmp_path):
    seal = seal_in(tmp_path)
    outcome = check(seal, seal.sign(DATA))
    assert codes(outcome) == ["bundle.token_own", "bundle.signed"]
    assert (outcome.signer, outcome.signatory, outcome.time) == ("Seal Test seal", "platform", AT)


def test_a_signature_stays_good_after_its_certificate_has_ended(tmp_path):
    seal = seal_in(tmp_path)
    outcome = check(seal, seal.sign(DATA), at=AT + timedelta(days=4 * 365))
    assert codes(outcome)[-1] == "bundle.signed"


def test_without_a_stamper_the_time_of_a_signature_is_open(tmp_path):
    seal = seal_in(tmp_path, stamped=False)
    assert codes(check(seal, seal.sign(DATA))) == ["bundle.signature_time_missing"]


def test_openssl_verifies_the_signature(tmp_path):
    seal = seal_in(tmp_path)
    (tmp_path / "data").write_bytes(DATA)
    (tmp_path / "signature.p7s").write_bytes(seal.sign(DATA))
    done = subprocess.run(
        [
            *("openssl", "cms", "-verify", "-binary", "-inform", "DER", "-in", tmp_path / "signature.p7s"),
            *("-content", tmp_path / "data", "-CAfile", tmp_path / "seal" / "root.pem", "-purpose", "any"),
            *("-attime", str(int(AT.timestamp())), "-out", tmp_path / "out"),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=HANG,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out").read_bytes() == DATA


def test_making_a_seal_again_leaves_it(tmp_path):
    seal = seal_in(tmp_path)
    before = seal.card()
    make_seal(tmp_path, "Another", AT)
    assert seal.card() == before
    assert before.name == "Seal Test"


def test_a_seal_that_a_crash_left_without_its_signer_is_made_whole(tmp_path):
    seal = seal_in(tmp_path)
    root = seal.card().root
    for name in ("signer.pem", "root.crl"):
        (tmp_path / "seal" / name).unlink()
    with pytest.raises(Refused, match="seal_missing"):
        Seal.load(tmp_path / "seal")
    again = seal_in(tmp_path)
    assert again.card().root == root
    assert codes(check(again, again.sign(DATA)))[-1] == "bundle.signed"


def test_keys_are_their_owners_alone(tmp_path):
    seal = seal_in(tmp_path)
    folder = tmp_path / "seal"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "signer.key").stat().st_mode) == 0o600
    (folder / "signer.key").chmod(0o644)
    with pytest.raises(Refused, match="seal_key_open"):
        seal.sign(DATA)


def test_a_name_that_no_certificate_can_hold_is_refused(tmp_path):
    for name in ("", "x" * 65, "a\nb"):
        with pytest.raises(Invalid, match="seal_name"):
            make_seal(tmp_path / "other", name, AT)


def test_a_long_chinese_name_is_kept_whole(tmp_path):
    name = "杭州市钱塘区某某某某某某某某电子商务知识产权保护服务有限责任公司"
    assert Seal.load(make_seal(tmp_path, name, AT)).card().name == name


def test_a_renewed_signer_signs_under_the_same_root_and_old_signatures_stay_good(tmp_path):
    seal = seal_in(tmp_path)
    old = seal.sign(DATA)
    seal.renew_signer(AT)
    assert codes(check(seal, old))[-1] == codes(check(seal, seal.sign(DATA)))[-1] == "bundle.signed"


def test_what_was_signed_before_a_revocation_stays_good_and_what_is_signed_after_is_not(tmp_path):
    seal, thief = seal_in(tmp_path), seal_in(tmp_path / "copy")
    folder, copy = tmp_path / "seal", tmp_path / "copy" / "seal"
    for each in folder.iterdir():
        (copy / each.name).write_bytes(each.read_bytes())
    before = thief.sign(DATA)
    seal.renew_signer(AT + timedelta(hours=1), revoke=True)
    late = Seal.load(copy, [WorldStamper(TsaWorld(at=AT + timedelta(hours=2)))], lambda: AT + timedelta(hours=2))
    after = late.sign(DATA)
    newer = Material(revocations=((folder / "root.crl").read_bytes(),))
    at = AT + timedelta(days=1)
    assert codes(check_signature(before, DATA, trusted(seal), newer, at))[-1] == "bundle.signed"
    assert "bundle.signer_revoked" in codes(check_signature(after, DATA, trusted(seal), newer, at))
    assert len(x509.load_der_x509_crl((folder / "root.crl").read_bytes())) == 1


def test_the_list_of_revoked_certificates_is_renewed_when_it_is_old(tmp_path):
    folder = make_seal(tmp_path, "Seal Test", AT - timedelta(days=100))
    seal = Seal.load(folder, [WorldStamper()], lambda: AT)
    assert codes(check(seal, seal.sign(DATA)))[-1] == "bundle.signed"
    assert x509.load_der_x509_crl((folder / "root.crl").read_bytes()).last_update_utc == AT


def test_without_the_roots_key_an_old_list_stops_the_seal(tmp_path):
    folder = make_seal(tmp_path, "Seal Test", AT - timedelta(days=100))
    (folder / "root.key").unlink()
    seal = Seal.load(folder, [], lambda: AT)
    with pytest.raises(Refused, match="seal_list_over"):
        seal.sign(DATA)
    with pytest.raises(Refused, match="seal_root_away"):
        seal.renew_crl(AT)


def test_a_seal_whose_certificate_has_ended_does_not_sign(tmp_path):
    seal = Seal.load(make_seal(tmp_path, "Seal Test", AT - timedelta(days=4 * 365)), [], lambda: AT)
    with pytest.raises(Refused, match="seal_over"):
        seal.sign(DATA)
    seal.renew_signer(AT)
    assert seal.sign(DATA)


def blank_pdf():
    out = io.BytesIO()
    with pikepdf.new() as pdf:
        pdf.add_blank_page()
        pdf.save(out)
    return out.getvalue()


@pytest.mark.parametrize(("stamped", "fields"), [(True, 2), (False, 1)])
def test_a_pdf_is_signed_behind_its_last_byte(tmp_path, stamped, fields):
    blank = blank_pdf()
    signed = seal_in(tmp_path, stamped=stamped).sign_pdf(blank)
    assert signed.startswith(blank)
    with pikepdf.open(io.BytesIO(signed)) as pdf:
        found = list(pdf.Root.AcroForm.Fields)
        assert len(found) == fields
        assert str(found[0].V.SubFilter) == "/ETSI.CAdES.detached"
        assert ("/DSS" in pdf.Root) is stamped


def test_what_is_no_pdf_is_not_signed(tmp_path):
    with pytest.raises(Invalid, match="pdf_malformed"):
        seal_in(tmp_path).sign_pdf(b"%PDF-1.7 nothing")


def test_findings_speak_one_of_three_verdicts(tmp_path):
    seal = seal_in(tmp_path)
    outcome = check(seal, seal.sign(DATA), b"other")
    assert [each.verdict for each in outcome.findings] == [Verdict.FAILED]
