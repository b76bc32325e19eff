from __future__ import annotations

import copy
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree
from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm, SignatureMethod
from signxml.verifier import SignatureConfiguration, XMLVerifier
from world.clearing_house import CONTENT, NOW, NUMBER, ClearingHouse, content, encoded
from world.data import shared_data

from chopmark.base.errors import Invalid
from chopmark.rights.imports import read, smd
from chopmark.rights.imports.smd import DS, SMD, RevokedMarks, SmdTrust, judge, parse_revoked

PUBLIC_DAY = datetime(2022, 11, 24, tzinfo=UTC)


@pytest.fixture(scope="module")
def house():
    return ClearingHouse.made()


def refused(code: str, data: bytes, trust: SmdTrust, at: datetime = NOW) -> Invalid:
    with pytest.raises(Invalid) as caught:
        judge(data, trust, at=at)
    assert caught.value.code == code
    return caught.value


# The public test set.


def public_trust(list_file: Path) -> SmdTrust:
    main = shared_data("tmch-smd") / "core/src/main/resources/google/registry/tmch"
    root = x509.load_pem_x509_certificate((main / "icann-tmch-pilot.crt").read_bytes()).public_bytes(Encoding.DER)
    crl = x509.load_pem_x509_crl((main / "icann-tmch-pilot.crl").read_bytes()).public_bytes(Encoding.DER)
    return SmdTrust(roots=(root,), crls=(crl,), revoked=parse_revoked(list_file.read_bytes()))


def public_marks() -> Path:
    return shared_data("tmch-smd") / "core/src/test/resources/google/registry/tmch"


def test_every_mark_of_the_public_set_is_judged_right():
    here = public_marks()
    trust = public_trust(here / "idn" / "idn_smdrl.csv")
    judged = 0
    for file in sorted(here.glob("idn/*/*.smd")):
        if "Revoked" in file.name:
            refused("imports.smd_revoked", file.read_bytes(), trust, PUBLIC_DAY)
        else:
            imported = judge(file.read_bytes(), trust, at=PUBLIC_DAY)
            assert imported.signed is not None
            assert imported.records[0].mark.verbal
            assert not imported.problems
        judged += 1
    assert judged == 24


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("active.smd", ""),
        ("invalid.smd", "imports.smd_signature"),
        ("revoked.smd", "imports.smd_revoked"),
        ("tmv-cert-revoked.smd", "imports.smd_certificate_revoked"),
    ],
)
def test_the_public_sets_four_kinds_are_told_apart(name, code):
    here = public_marks() / "smd"
    trust, data = public_trust(here / "smdrl.csv"), (here / name).read_bytes()
    if code:
        refused(code, data, trust, PUBLIC_DAY)
    else:
        assert judge(data, trust, at=PUBLIC_DAY).signed is not None


def test_before_the_revocations_the_revoked_marks_still_hold():
    here = public_marks()
    empty = RevokedMarks(made_at=PUBLIC_DAY)
    trust = replace(public_trust(here / "smd" / "smdrl.csv"), revoked=empty)
    assert judge((here / "smd" / "revoked.smd").read_bytes(), trust, at=PUBLIC_DAY).signed is not None


def test_signxml_alone_agrees_about_the_public_signatures():
    here = public_marks()
    for file in (here / "smd").glob("*.smd"):
        document, _ = smd.unpacked(file.read_bytes())
        root = etree.fromstring(document)
        leaf = x509.load_der_x509_certificate(smd._base64(root.find(f".//{{{DS}}}X509Certificate").text))
        config = SignatureConfiguration(location="./", expect_references=2)
        if file.name == "invalid.smd":
            with pytest.raises(Exception):  # noqa: B017, PT011  whichever of its errors
                XMLVerifier().verify(document, x509_cert=leaf, expect_config=config)
        else:
            assert XMLVerifier().verify(document, x509_cert=leaf, expect_config=config)


def test_the_public_set_is_not_trusted_after_its_revocation_list_ends():
    here = public_marks() / "smd"
    trust = public_trust(here / "smdrl.csv")
    refused("imports.smd_crl_stale", (here / "active.smd").read_bytes(), trust, datetime(2023, 5, 1, tzinfo=UTC))


def test_a_flipped_bit_anywhere_in_a_public_mark_is_refused():
    here = public_marks() / "smd"
    trust = public_trust(here / "smdrl.csv")
    document, _ = smd.unpacked((here / "active.smd").read_bytes())
    free = unsigned_places(document)
    # Every third byte of the 6.6 kB, each with another of its bits.
    for place in range(0, len(document), 3):
        if place in free:
            continue
        flipped = bytearray(document)
        flipped[place] ^= 1 << (place * 5 % 8)
        with pytest.raises(Invalid):
            judge(bytes(flipped), trust, at=PUBLIC_DAY)


def unsigned_places(document: bytes) -> set[int]:
    """Bytes of the values of the two attributes that the format leaves unsigned."""
    places: set[int] = set()
    for opening in (b"<ds:Signature ", b"<ds:SignatureValue "):
        start = document.find(opening)
        if start >= 0:
            first = document.index(b'Id="', start) + 4
            places |= set(range(first, document.index(b'"', first)))
    return places


# Marks of our own clearing house.


def test_a_signed_mark_is_read_with_who_signed_it(house):
    imported = judge(encoded(house.sign()), house.trust(), at=NOW)
    signed = imported.signed
    assert (signed.id, signed.issuer, signed.labels) == (NUMBER, "House of Marks", ("red-lantern",))
    assert signed.validator == "CN=Validator of tests"
    record = imported.records[0]
    assert (record.office, record.registration_number, record.status) == ("EM", "018123456", "registered")
    assert record.mark.verbal == "Red & 红灯笼"
    assert [owner.name for owner in record.owners] == ["Lantern Works Ltd"]
    assert [(each.scheme, each.code) for each in record.classes] == [("nice", "11")]
    assert record.registration_date == date(2020, 6, 1)


def test_every_flipped_bit_is_refused(house):
    document, trust = house.sign(), house.trust()
    start = document.index(b"<smd:issuerInfo")
    for place in range(start, start + 150):
        for bit in range(8):
            flipped = bytearray(document)
            flipped[place] ^= 1 << bit
            with pytest.raises(Invalid):
                judge(bytes(flipped), trust, at=NOW)


def test_a_byte_cut_off_doubled_or_exchanged_is_refused(house):
    document, trust = house.sign(), house.trust()
    for place in range(7, len(document) - 1, 53):
        for changed in (
            document[:place],
            document[:place] + document[place + 1 :],
            document[:place] + document[place : place + 1] + document[place:],
        ):
            if changed != document:
                with pytest.raises(Invalid):
                    judge(changed, trust, at=NOW)


def test_without_anybody_to_trust_it_is_a_claim_and_says_so(house):
    imported = read(encoded(house.sign()), "mark.smd")
    assert imported.signed is None
    assert [problem.code for problem in imported.problems] == ["imports.smd_unjudged"]


def test_the_day_decides(house):
    data = house.sign()
    refused(
        "imports.smd_not_current",
        house.sign(content(**{"2027-01-01T00:00:00.000Z": "2026-05-31T00:00:00Z"})),
        house.trust(),
    )
    revoked = RevokedMarks(made_at=NOW - timedelta(hours=1), since={NUMBER: NOW - timedelta(days=2)})
    refused("imports.smd_revoked", data, house.trust(revoked=revoked))
    later = RevokedMarks(made_at=NOW - timedelta(hours=1), since={NUMBER: NOW + timedelta(days=2)})
    assert judge(data, house.trust(revoked=later), at=NOW).signed
    refused("imports.smd_list_stale", data, house.trust(revoked=RevokedMarks(made_at=NOW - timedelta(days=8))))
    refused("imports.smd_list_stale", data, house.trust(revoked=RevokedMarks(made_at=NOW + timedelta(hours=1))))


def test_a_revoked_or_unlisted_validator_is_refused(house):
    data = house.sign()
    revoked = house.crl(house.certificate.serial_number)
    refused("imports.smd_certificate_revoked", data, house.trust(crls=(revoked,)))
    refused("imports.smd_crl_stale", data, house.trust(crls=()))
    old = house.crl(made_at=NOW - timedelta(days=60), until=NOW - timedelta(days=30))
    refused("imports.smd_crl_stale", data, house.trust(crls=(old,)))
    # The newest list counts, wherever it stands.
    older = house.crl(made_at=NOW - timedelta(days=20))
    refused("imports.smd_certificate_revoked", data, house.trust(crls=(revoked, older)))
    # A list of another house says nothing about this one.
    refused("imports.smd_crl_stale", data, house.trust(crls=(ClearingHouse.made().crl(),)))


def test_another_root_an_ended_certificate_and_an_issuer_as_signer_are_refused(house):
    stranger = ClearingHouse.made()
    refused("imports.smd_issuer", stranger.sign(), house.trust())
    refused("imports.smd_issuer", house.sign(), house.trust(roots=()))
    ended = ClearingHouse.made(until=NOW - timedelta(days=1))
    refused("imports.smd_certificate_expired", ended.sign(), ended.trust())
    issuing = ClearingHouse.made(leaf_ca=True)
    refused("imports.smd_issuer", issuing.sign(), issuing.trust())
    # The right certificate beside a signature by another key.
    borrowed = stranger.sign(certificate=house.certificate)
    refused("imports.smd_signature", borrowed, house.trust())


@pytest.mark.parametrize(
    "options",
    [
        {"method": SignatureMethod.RSA_SHA1},
        {"digest": DigestAlgorithm.SHA1},
        {"method": SignatureMethod.RSA_SHA224},
        {"canonical": CanonicalizationMethod.CANONICAL_XML_1_0},
        {"canonical": CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0_WITH_COMMENTS},
    ],
    ids=["signature by SHA-1", "digest by SHA-1", "SHA-224", "inclusive form", "form with comments"],
)
def test_algorithms_off_the_list_are_refused(house, options):
    with pytest.raises(Invalid) as caught:
        judge(house.sign(**options), house.trust(), at=NOW)
    assert caught.value.code in ("imports.smd_algorithm", "imports.smd_scope")


def test_a_signature_by_a_shared_secret_is_refused(house):
    document = house.sign().replace(b"xmldsig-more#rsa-sha256", b"xmldsig-more#hmac-sha256")
    refused("imports.smd_algorithm", document, house.trust())


def wrapped(house, build) -> bytes:
    """A mark whose signature is good, rearranged by `build(root, signature, original)`."""
    original = etree.fromstring(house.sign())
    forged = etree.fromstring(content(**{"Lantern Works Ltd": "Thief Ltd"}))
    return etree.tostring(build(forged, copy.deepcopy(original[-1]), original))


def inside_object(forged, signature, original):
    """The signed mark hidden in an Object of the signature, a forged one around it."""
    hidden = copy.deepcopy(original)
    hidden.remove(hidden[-1])
    etree.SubElement(signature, f"{{{DS}}}Object").append(hidden)
    forged.set("id", "_forged")
    forged.append(signature)
    return forged


def same_identifier_twice(forged, signature, original):
    """Forged content first, the signed one after it, both under the identifier that is signed."""
    hidden = copy.deepcopy(original)
    hidden.remove(hidden[-1])
    forged[4].append(hidden)
    forged.append(signature)
    return forged


def around(forged, signature, original):
    """A root around the signed mark."""
    forged.set("id", "_forged")
    forged.insert(4, original)
    forged.append(signature)
    return forged


def moved_signature(forged, signature, original):
    """The signature before what it signs."""
    original.insert(0, original[-1])
    return original


def two_signatures(forged, signature, original):
    original.append(signature)
    return original


def second_mark(forged, signature, original):
    """A second bag of marks beside the signed one."""
    original.insert(5, forged[4])
    return original


def other_reference(forged, signature, original):
    """The reference points at an element of its own choosing."""
    signature[0][2].set("URI", "#_part")
    forged[1].set("id", "_part")
    forged.append(signature)
    return forged


def whole_document(forged, signature, original):
    """An empty reference, whose meaning is the document."""
    original[-1][0][2].set("URI", "")
    return original


def comment_in_a_number(forged, signature, original):
    number = original.find(".//{*}regNum")
    number.text, note = "0181", etree.Comment("x")
    note.tail = "23456"
    number.append(note)
    return original


def processing_instruction(forged, signature, original):
    original.find(".//{*}trademark").append(etree.ProcessingInstruction("php", "x"))
    return original


def foreign_identifier(forged, signature, original):
    original[4].set("{http://www.w3.org/XML/1998/namespace}id", "_signed-1")
    return original


def path_transform(forged, signature, original):
    """A transform that takes only a part of the mark under the signature."""
    transforms = original[-1][0][2][0]
    extra = etree.SubElement(transforms, f"{{{DS}}}Transform")
    extra.set("Algorithm", "http://www.w3.org/TR/1999/REC-xpath-19991116")
    etree.SubElement(extra, f"{{{DS}}}XPath").text = "not(ancestor-or-self::*)"
    return original


def two_certificates(forged, signature, original):
    data = original[-1][2][0]
    data.append(copy.deepcopy(data[0]))
    return original


@pytest.mark.parametrize(
    "build",
    [
        inside_object,
        same_identifier_twice,
        around,
        moved_signature,
        two_signatures,
        second_mark,
        other_reference,
        whole_document,
        comment_in_a_number,
        processing_instruction,
        foreign_identifier,
        path_transform,
        two_certificates,
    ],
)
def test_a_good_signature_over_something_else_is_refused(house, build):
    with pytest.raises(Invalid) as caught:
        judge(wrapped(house, build), house.trust(), at=NOW)
    assert caught.value.code in ("imports.smd_form", "imports.smd_scope")


def test_a_signature_over_a_part_only_is_refused(house):
    root = etree.fromstring(CONTENT)
    root[1].set("id", "_part")
    document = house.sign_element(root, uri="#_part")
    refused("imports.smd_scope", document, house.trust())


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a document type", b'<!DOCTYPE smd [<!ENTITY a "b">]>' + CONTENT.encode()),
        ("a declaration of another encoding", b'<?xml version="1.0" encoding="ISO-8859-1"?>' + CONTENT.encode()),
        ("a declaration in other letters", b'<?xml version="1.0" encoding="utf-8"?>' + CONTENT.encode()),
        ("no signature", CONTENT.encode()),
        ("nothing behind the opening line", b"-----BEGIN ENCODED SMD-----\n"),
        ("two blocks", encoded(CONTENT.encode()) + encoded(CONTENT.encode())),
        ("base64 that does not print back", b"-----BEGIN ENCODED SMD-----\nQQF=\n-----END ENCODED SMD-----\n"),
        ("more than a megabyte", b"<smd:signedMark " + b" " * (1024 * 1024) + b">signedMark-1.0"),
    ],
)
def test_what_is_no_signed_mark_is_refused(house, name, data):
    with pytest.raises(Invalid):
        judge(data, house.trust(), at=NOW)


def test_the_lines_for_people_must_say_what_is_signed(house):
    head = "Marks: Red & 红灯笼\nsmdID: {}\nU-labels: red-lantern\nnotBefore: 2026-01-01T00:00:00.000Z\n"
    good = encoded(house.sign(), head.format(NUMBER))
    assert judge(good, house.trust(), at=NOW).signed
    for lie in (
        head.format("0000001700000000001-65535"),
        head.format(NUMBER).replace("Red", "Blue"),
        head.format(NUMBER).replace("red-lantern", "blue-lantern"),
        head.format(NUMBER) + "Verified: by all\n",
        head.format(NUMBER) + f"smdID: {NUMBER}\n",
    ):
        refused("imports.smd_header", encoded(house.sign(), lie), house.trust())


def test_a_licensee_is_no_owner(house):
    licensed = CONTENT.replace('entitlement="owner"', 'entitlement="licensee"')
    imported = judge(house.sign(licensed), house.trust(), at=NOW)
    assert imported.records[0].owners == ()
    assert imported.records[0].raw["licensee"] == "Lantern Works Ltd"
    assert "imports.smd_licensee" in [problem.code for problem in imported.problems]


@pytest.mark.parametrize(
    "text",
    ["", "1,2026\nsmd-id,insertion-datetime\n", "1,2026-01-01T00:00:00Z\nid,when\n"]
    + [f"1,2026-01-01T00:00:00Z\nsmd-id,insertion-datetime\n{line}\n" for line in ("x,y", "1-2,2026-01-01", "1-2")]
    + ["1,2026-01-01T00:00:00Z\nsmd-id,insertion-datetime\n" + "1-2,2026-01-01T00:00:00Z\n" * 2],
)
def test_a_malformed_list_of_revoked_marks_is_refused(text):
    with pytest.raises(Invalid) as caught:
        parse_revoked(text.encode())
    assert caught.value.code == "imports.smd_list_malformed"


def test_only_marks_of_the_right_namespace_are_read(house):
    other = CONTENT.replace(f'<smd:signedMark xmlns:smd="{SMD}"', '<smd:signedMark xmlns:smd="urn:x"')
    with pytest.raises(Invalid):
        judge(house.sign(other), house.trust(), at=NOW)
