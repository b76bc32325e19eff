"""The manifest and the lists of what is signed: they print back, or they are refused."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from world.bundles import manifest_of, parts_of

from chopmark.base import jcs
from chopmark.base.errors import Invalid
from chopmark.evidence.bundle.asic import (
    AsicManifest,
    Reference,
    manifest_name,
    plain_type,
    record_name,
    signature_name,
)
from chopmark.evidence.bundle.manifest import (
    Capture,
    Custody,
    DepositRef,
    Document,
    File,
    Item,
    Manifest,
    Redaction,
    Text,
    Token,
)

DIGEST = sha256(b"").digest()
AT = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


def full() -> Manifest:
    """One with every member that there is."""
    page = File(
        path="evidence/001-page/page.wacz",
        media_type="application/wacz",
        size=5,
        sha256=DIGEST,
        sm3=DIGEST,
        role="primary",
    )
    item = Item(
        id="E-001",
        kind="capture",
        title=Text(zh="页面", en="Page"),
        purpose=Text(zh="证明在售", en="Shows an offer"),
        source={"url": "https://shop.example/1", "ip": "203.0.113.9"},
        phase="infringement",
        folder="evidence/001-page",
        files=(
            page,
            replace(page, path="evidence/001-page/shot.png", sm3=None, derived_from=page.path),
            replace(page, path="evidence/001-page/page.tst", sm3=None, role="token"),
        ),
        deposits=(DepositRef(number="D-2026-000001", sha256=DIGEST, receipt="ledger/receipts/E-001-1.cose"),),
        capture=Capture(
            mode="automatic",
            requested_url="https://shop.example/1",
            final_url="https://shop.example/1?a",
            started=AT,
            ended=AT,
            engine="chromium 156",
            engine_sha256=DIGEST,
            vantages=("CN", "DE"),
            cleanliness="passed",
            complete=True,
        ),
        tokens=(Token(path="evidence/001-page/page.tst", over=page.path),),
    )
    documents = [
        Document(path=path, media_type="application/octet-stream", size=1, sha256=DIGEST, role="document")
        for path in ("custody/process.jsonl", "ledger/receipts/E-001-1.cose", "sealed/a.sealed")
    ]
    base = manifest_of(parts_of())
    return replace(
        base,
        matter=replace(base.matter, court_profile="hangzhou"),
        depositor=replace(base.depositor, agent="张三"),
        items=(item,),
        documents=tuple(documents),
        custody=Custody(log="custody/process.jsonl", head=DIGEST, entries=3),
        redactions=(Redaction(path=page.path, reason="个人信息", original_sha256=DIGEST, sealed="sealed/a.sealed"),),
    )


def plain() -> dict:
    return json.loads(full().encode())


def members(value: object, where: tuple = ()) -> list[tuple]:
    """The path of every value in the document."""
    found = [where] if where else []
    if isinstance(value, dict):
        for name, inner in value.items():
            found += members(inner, (*where, name))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            found += members(inner, (*where, index))
    return found


PLACES = members(plain())


def change(where: tuple, value: object) -> bytes:
    """The document with another value at one place, printed canonically."""
    document = plain()
    inner = document
    for step in where[:-1]:
        inner = inner[step]
    if value is ...:
        del inner[where[-1]]
    else:
        inner[where[-1]] = value
    return jcs.encode(document)


def test_a_manifest_comes_back():
    for manifest in (full(), manifest_of(parts_of())):
        read = Manifest.parse(manifest.encode())
        assert read == manifest
        assert read.stated_content == manifest.content_sha256
        assert read.encode() == manifest.encode()


def test_the_content_is_what_the_page_says_it_is():
    document = plain()
    content = {name: document[name] for name in ("matter", "depositor", "items", "custody", "redactions")}
    assert document["content_sha256"] == sha256(jcs.encode(content)).hexdigest()


def test_the_content_does_not_depend_on_documents():
    manifest = full()
    more = Document(path="certificate.pdf", media_type="application/pdf", size=1, sha256=DIGEST, role="certificate")
    assert replace(manifest, documents=(*manifest.documents, more)).content_sha256 == manifest.content_sha256
    assert replace(manifest, items=()).content_sha256 != manifest.content_sha256


def test_a_wrong_digest_of_the_content_is_read_and_can_be_told():
    read = Manifest.parse(change(("content_sha256",), "00" * 32))
    assert (read.stated_content, read.content_sha256) == (bytes(32), full().content_sha256)


OPTIONAL = {"sm3", "derived_from", "capture", "agent", "court_profile", "sealed", "ip", "url", "CN"}


@pytest.mark.parametrize("where", PLACES, ids=lambda where: ".".join(map(str, where)))
def test_a_value_of_another_type_is_refused(where):
    for value in (None, -1, "", "\x00", [None], {"unknown": 1}):
        with pytest.raises(Invalid, match="manifest_malformed"):
            Manifest.parse(change(where, value))


@pytest.mark.parametrize(
    "where", [each for each in PLACES if isinstance(each[-1], str)], ids=lambda where: ".".join(map(str, where))
)
def test_a_member_that_is_missing_or_too_many_is_named(where):
    name = where[-1]
    if name not in OPTIONAL:
        with pytest.raises(Invalid) as raised:
            Manifest.parse(change(where, ...))
        assert name in str(raised.value.facts["reason"])
    if where[:1] != ("claims",) and "source" not in where[:-1]:
        with pytest.raises(Invalid) as raised:
            Manifest.parse(change((*where[:-1], "zzz"), "x"))
        assert str(raised.value.facts["reason"]).endswith("zzz")


WRONG = {
    "another schema": (("$schema",), "urn:chopmark:evidence-bundle:2", "$schema"),
    "a number of another kind": (("bundle",), "EVB-1", "bundle"),
    "a time with an offset": (("created",), "2026-11-22T09:00:00+08:00", "created"),
    "a time with fractions": (("created",), "2026-11-22T09:00:00.5Z", "created"),
    "a day that is not": (("created",), "2026-02-30T09:00:00Z", "created"),
    "a leap second": (("created",), "2026-12-31T23:59:60Z", "created"),
    "a year that is not": (("created",), "0000-11-22T09:00:00Z", "created"),
    "digits of another script": (("created",), "２026-11-22T09:00:00Z", "created"),
    "a digest in upper case": (("custody", "head"), "AB" * 32, "custody.head"),
    "a digest too short": (("items", 0, "files", 0, "sha256"), "ab" * 31, "items[0].files[0].sha256"),
    "a size below nothing": (("items", 0, "files", 0, "bytes"), -1, "items[0].files[0].bytes"),
    "a size that is true": (("items", 0, "files", 0, "bytes"), True, "items[0].files[0].bytes"),
    "a count in quotes": (("custody", "entries"), "3", "custody.entries"),
    "a word with a space": (("items", 0, "kind"), "a capture", "items[0].kind"),
    "a path that leads out": (("documents", 0, "path"), "../x", "documents[0].path"),
    "a path into META-INF": (("documents", 0, "path"), "META-INF/x", "documents[0].path"),
    "parameters of a media type": (
        ("items", 0, "files", 0, "media_type"),
        "text/html; charset=utf-8",
        "items[0].files[0].media_type",
    ),
    "a control character": (("depositor", "name"), "a\x1bb", "depositor.name"),
    "a text far too long": (("depositor", "name"), "a" * 10_001, "depositor.name"),
    "a title in one language": (("matter", "title"), {"en": "x"}, "matter.title.zh"),
    "an item without files": (("items", 0, "files"), [], "items[0].files"),
    "a file outside its item's folder": (
        ("items", 0, "files", 1, "path"),
        "evidence/002/shot.png",
        "items[0].files[1].path",
    ),
    "a source that is not there": (
        ("items", 0, "files", 1, "derived_from"),
        "evidence/x",
        "items[0].files[1].derived_from",
    ),
    "a receipt that is not there": (("items", 0, "deposits", 0, "receipt"), "a", "items[0].deposits[0].receipt"),
    "a token that is not there": (("items", 0, "tokens", 0, "path"), "a", "items[0].tokens[0].path"),
    "a token over nothing": (("items", 0, "tokens", 0, "over"), "a", "items[0].tokens[0].over"),
    "a custody log that is not there": (("custody", "log"), "a", "custody.log"),
    "a redaction of nothing": (("redactions", 0, "path"), "a", "redactions[0].path"),
    "a sealed copy that is not there": (("redactions", 0, "sealed"), "a", "redactions[0].sealed"),
    "the manifest itself in the list": (("documents", 2, "path"), "manifest.json", "redactions[0].sealed"),
    "a name of a claim that is none": (("claims", "a b"), ["x"], "claims"),
    "a claim that is no list": (("claims", "CN"), "OLR-16", "claims.CN"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_manifest_is_refused_and_the_member_named_for(case):
    where, value, reason = WRONG[case]
    with pytest.raises(Invalid) as raised:
        Manifest.parse(change(where, value))
    assert (raised.value.code, raised.value.facts["reason"]) == ("bundle.manifest_malformed", reason)


def repeated(where: tuple) -> bytes:
    document = plain()
    inner = document
    for step in where:
        inner = inner[step]
    inner.append(deepcopy(inner[0]))
    return jcs.encode(document)


@pytest.mark.parametrize("where", [("items",), ("documents",), ("items", 0, "files")])
def test_what_is_listed_twice_is_refused(where):
    with pytest.raises(Invalid, match="manifest_malformed"):
        Manifest.parse(repeated(where))


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"null", full().encode() + b"\n", full().encode()[:-1]])
def test_what_is_no_manifest_is_refused(data):
    with pytest.raises(Invalid, match="manifest_malformed"):
        Manifest.parse(data)


def test_values_without_a_form_are_not_written():
    with pytest.raises(Invalid, match="manifest_malformed"):
        replace(full(), bundle="x").encode()
    with pytest.raises(Invalid, match="manifest_malformed"):
        replace(full(), created=AT.replace(microsecond=5)).encode()
    with pytest.raises(Invalid, match="manifest_malformed"):
        replace(full(), depositor=replace(full().depositor, name="\ud800")).encode()


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(full().encode()) - 1), st.integers(0, 255))
def test_no_other_byte_gives_the_same_manifest(at, byte):
    good = full().encode()
    changed = good[:at] + bytes([byte]) + good[at + 1 :]
    try:
        read = Manifest.parse(changed)
    except Invalid:
        return
    assert (read == full() and read.stated_content == full().content_sha256) == (changed == good)


# ---- lists of what is signed -----------------------------------------------------------------------------------------

_NAMES = st.lists(
    st.from_regex(r"[A-Za-z0-9_-]{1,8}(/[A-Za-z0-9_-]{1,8}){0,3}", fullmatch=True), min_size=1, max_size=5, unique=True
)
_TYPES = st.sampled_from(["application/json", "text/xml", "image/svg+xml", "application/vnd.etsi.timestamp-token"])


@settings(deadline=None)
@given(_NAMES, _TYPES, st.binary(min_size=32, max_size=32))
def test_a_list_comes_back(names, media_type, digest):
    listed = AsicManifest(
        sig_reference=signature_name(1), references=tuple(Reference(name, media_type, digest) for name in names)
    )
    assert AsicManifest.parse(listed.encode()) == listed


GOOD = AsicManifest(
    sig_reference=signature_name(1),
    references=(Reference("manifest.json", "application/json", DIGEST), Reference("a/b", "text/plain", DIGEST)),
)


def test_the_list_is_what_the_page_prints():
    assert (
        GOOD.encode()
        .decode()
        .startswith(
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            '<asic:ASiCManifest xmlns:asic="http://uri.etsi.org/02918/v1.2.1#" '
            'xmlns:ds="http://www.w3.org/2000/09/xmldsig#">\n'
            '<asic:SigReference URI="META-INF/signature001.p7s" MimeType="application/x-pkcs7-signature"/>\n'
            '<asic:DataObjectReference URI="manifest.json" MimeType="application/json">\n'
        )
    )


def test_another_program_reads_the_same_from_a_list():
    from xml.etree import ElementTree as ET  # noqa: PLC0415 (for this test alone)

    root = ET.fromstring(GOOD.encode())  # noqa: S314 (our own bytes)
    asic, ds = "{http://uri.etsi.org/02918/v1.2.1#}", "{http://www.w3.org/2000/09/xmldsig#}"
    assert root.tag == f"{asic}ASiCManifest"
    assert root.find(f"{asic}SigReference").attrib["URI"] == GOOD.sig_reference
    told = [
        (each.attrib["URI"], each.find(f"{ds}DigestValue").text) for each in root.iter(f"{asic}DataObjectReference")
    ]
    assert told == [
        ("manifest.json", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="),
        ("a/b", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="),
    ]


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(GOOD.encode()) - 1), st.integers(0, 255))
def test_no_other_byte_gives_the_same_list(at, byte):
    good = GOOD.encode()
    changed = good[:at] + bytes([byte]) + good[at + 1 :]
    try:
        read = AsicManifest.parse(changed)
    except Invalid:
        return
    assert (read == GOOD) == (changed == good)


def text(old: str, new: str) -> bytes:
    good = GOOD.encode().decode()
    assert old in good
    return good.replace(old, new, 1).encode()


ENTITY = '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>\n'
MALFORMED = {
    "an entity": text('<?xml version="1.0" encoding="UTF-8"?>\n', ENTITY),
    "a comment": text("</ds:DigestValue>", "</ds:DigestValue><!-- x -->"),
    "another name space": text("02918", "02919"),
    "another digest": text("xmlenc#sha256", "xmlenc#sha512"),
    "other line ends": GOOD.encode().replace(b"\n", b"\r\n"),
    "a digest without padding": text("uFU=", "uFU"),
    "a digest with stray bits": text("uFU=", "uFV="),
    "a digest too short": text("47DEQpj8", ""),
    "a name that leads out": text('URI="a/b"', 'URI="../b"'),
    "a file twice": text('URI="a/b"', 'URI="manifest.json"'),
    "an escape": text('URI="a/b"', 'URI="a&#47;b"'),
    "a proof outside META-INF": text("META-INF/signature001.p7s", "signature001.p7s"),
    "a proof of an unknown kind": text("signature001.p7s", "signature001.sig"),
    "a proof of another type": text("application/x-pkcs7-signature", "application/pkcs7"),
    "a media type with parameters": text("text/plain", "text/plain;a=b"),
    "something behind the end": GOOD.encode() + b"\n",
    "nothing that is covered": GOOD.encode()[: GOOD.encode().index(b"<asic:Data")] + b"</asic:ASiCManifest>\n",
    "nothing": b"",
}


@pytest.mark.parametrize("case", MALFORMED)
def test_a_list_is_refused_for(case):
    with pytest.raises(Invalid, match="asic_manifest_malformed"):
        AsicManifest.parse(MALFORMED[case])


def test_names_of_proofs_have_three_digits():
    assert (manifest_name(7), record_name(12)) == (
        "META-INF/ASiCManifest007.xml",
        "META-INF/evidencerecord012.ers",
    )


@pytest.mark.parametrize(
    ("given_type", "told"),
    [
        ("text/html; charset=utf-8", "text/html"),
        ("Image/PNG", "image/png"),
        ("a/b&c", "application/octet-stream"),
        ("", "application/octet-stream"),
        ('text/"><x', "application/octet-stream"),
    ],
)
def test_a_media_type_is_told_in_a_form_that_needs_no_escape(given_type, told):
    assert plain_type(given_type) == told
