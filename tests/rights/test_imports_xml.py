from __future__ import annotations

import io
import warnings
import zipfile

import pytest

from chopmark.base.errors import Invalid
from chopmark.rights.imports import fields, read, xml
from chopmark.rights.imports.result import Imported

MARK = (
    '<tm:Trademark xmlns:tm="http://www.wipo.int/standards/XMLSchema/ST96/Trademark" '
    'xmlns:com="http://www.wipo.int/standards/XMLSchema/ST96/Common">'
    "<com:RegistrationOfficeCode>US</com:RegistrationOfficeCode>"
    "<com:RegistrationNumber>{number}</com:RegistrationNumber></tm:Trademark>"
)
BOMB = (
    '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">'
    '<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>'
)


def code_of(data: bytes, name: str = "marks.xml") -> str:
    with pytest.raises(Invalid) as caught:
        read(data, name)
    return caught.value.code


def test_plain_xml_is_read():
    assert read(MARK.format(number="123456").encode()).records[0].registration_number == "123456"


@pytest.mark.parametrize(
    ("what", "document"),
    [
        ("an entity bomb", BOMB + MARK.format(number="&c;")),
        ("a quadratic bomb", f'<!DOCTYPE x [<!ENTITY a "{"a" * 10_000}">]>' + MARK.format(number="&a;" * 100)),
        ("an external entity", '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>' + MARK.format(number="&a;")),
        ("a fetched entity", '<!DOCTYPE x [<!ENTITY a SYSTEM "http://127.0.0.1:1/">]>' + MARK.format(number="&a;")),
        (
            "a parameter entity",
            '<!DOCTYPE x [<!ENTITY % p SYSTEM "file:///etc/passwd"> %p;]>' + MARK.format(number="1"),
        ),
        ("an external subset", '<!DOCTYPE x SYSTEM "http://127.0.0.1:1/x.dtd">' + MARK.format(number="1")),
        ("a public subset", '<!DOCTYPE x PUBLIC "-//a//b" "http://127.0.0.1:1/x.dtd">' + MARK.format(number="1")),
        ("an empty document type", "<!DOCTYPE x>" + MARK.format(number="1")),
        ("one in small letters", "<!doctype x>" + MARK.format(number="1")),
        ("one behind a comment", "<!-- a --><!DOCTYPE x>" + MARK.format(number="1")),
        ("one inside the root", MARK.format(number="<!DOCTYPE x>")),
    ],
)
def test_a_document_type_is_refused_before_it_is_parsed(what, document):
    assert code_of(document.encode()) == "imports.xml_dtd"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"])
def test_a_bomb_in_another_encoding_is_refused_too(encoding):
    document = (BOMB.replace('<?xml version="1.0"?>', "") + MARK.format(number="&c;")).encode(encoding)
    if encoding in ("utf-16-le", "utf-16-be"):
        document = {"utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}[encoding] + document
    assert code_of(document) == "imports.xml_dtd"


@pytest.mark.parametrize(
    "declared", ["utf-7", "cp037", "utf-32", "x-unknown", "UTF-8-and-more", "idna", "rot13", "zip"]
)
def test_an_encoding_that_is_not_listed_is_refused(declared):
    document = f'<?xml version="1.0" encoding="{declared}"?>' + MARK.format(number="1")
    assert code_of(document.encode()) == "imports.xml_encoding"


def test_a_declared_encoding_that_does_not_fit_the_bytes_is_refused():
    document = '<?xml version="1.0" encoding="utf-8"?>' + MARK.format(number="é")
    assert code_of(document.encode("latin-1")) == "imports.xml_encoding"


@pytest.mark.parametrize("encoding", ["UTF-8", "ISO-8859-1", "GB18030", "Big5", "Shift_JIS", "EUC-KR", "UTF-16"])
def test_offices_encodings_are_read(encoding):
    document = f'<?xml version="1.0" encoding="{encoding}"?>' + MARK.format(number="123456")
    assert read(document.encode(encoding)).records[0].registration_number == "123456"


@pytest.mark.parametrize(
    ("what", "document"),
    [
        ("a depth of ten thousand", "<a>" * 10_000 + "</a>" * 10_000),
        ("an undeclared prefix", "<x:a/>"),
        ("an attribute twice", '<a b="1" b="2"/>'),
        ("an undefined entity", MARK.format(number="&nothing;")),
        ("a reference to no character", MARK.format(number="&#0;")),
        ("two roots", "<a/><b/>"),
        ("cut off", MARK.format(number="1")[:-20]),
        ("a root that is not closed", "<a>"),
        ("nothing but a declaration", '<?xml version="1.0"?>'),
        ("a text of eleven megabytes", MARK.format(number="1" * (11 * 1024 * 1024))),
    ],
)
def test_what_is_no_xml_is_refused_with_its_line(what, document):
    assert code_of(document.encode()) == "imports.xml_malformed"


def test_version_1_1_and_other_declarations_are_refused():
    for declaration in ('<?xml version="1.1"?>', "<?xml version='1.0' foo='bar'?>", '<?xml encoding="utf-8"?>'):
        assert code_of((declaration + MARK.format(number="1")).encode()) == "imports.xml_encoding"


def test_too_many_bytes_are_refused(monkeypatch):
    monkeypatch.setattr(xml, "MAX_BYTES", 1000)
    assert code_of(MARK.format(number="1" * 1000).encode()) == "imports.xml_too_large"


def test_too_many_elements_are_refused(monkeypatch):
    monkeypatch.setattr(xml, "MAX_ELEMENTS", 1000)
    assert code_of(("<a>" + "<b/>" * 1000 + "</a>").encode()) == "imports.xml_too_large"
    assert code_of(("<a>" + "<b></b>" * 999 + "</a>").encode()) == "imports.format_unknown"


def test_too_many_attributes_are_refused(monkeypatch):
    """They take as much memory as elements do, and need no mark of their own in the text."""
    monkeypatch.setattr(xml, "MAX_ELEMENTS", 1000)
    attributes = " ".join(f"b{n}='1'" for n in range(1001))
    assert code_of(f"<a {attributes}/>".encode()) == "imports.xml_too_large"


def test_numbers_of_any_length_are_read_as_none():
    """Python makes no number of more than 4,300 figures."""
    long = "9" * 5000
    classed = MARK.format(number="100001").replace(
        "</tm:Trademark>",
        "<tm:GoodsServicesBag><tm:GoodsServices><tm:ClassDescriptionBag><tm:ClassDescription>"
        f"<tm:ClassNumber>{long}</tm:ClassNumber></tm:ClassDescription></tm:ClassDescriptionBag></tm:GoodsServices>"
        "</tm:GoodsServicesBag></tm:Trademark>",
    )
    imported = read(classed.encode())
    assert [problem.code for problem in imported.problems] == ["imports.class_unknown"]
    assert [fields.last_of(each) for each in ([], ["x", "²"], ["9", "30", "010"], ["1", long])] == ["", "", "30", long]


def test_a_comment_inside_a_value_hides_nothing():
    record = read(MARK.format(number="12<!-- -->34<?pi x?>56").encode()).records[0]
    assert record.registration_number == "123456"


def test_a_character_reference_is_the_character():
    record = read(MARK.format(number="&#49;2&#x33;456").encode()).records[0]
    assert record.registration_number == "123456"


def test_xml_that_is_no_office_file_is_said_to_be_that():
    assert code_of(b"<html><body/></html>") == "imports.format_unknown"
    assert code_of(b'<Trademark xmlns="urn:other"/>') == "imports.format_unknown"


def test_an_included_file_is_not_included():
    document = MARK.format(number='<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="file:///etc/passwd"/>')
    imported = read(document.encode())
    assert imported.records == ()
    assert [problem.code for problem in imported.problems] == ["imports.no_number"]


def zipped(**members: bytes) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in members.items():
            packed.writestr(name, content)
    return held.getvalue()


def test_a_zip_of_office_files_is_read_and_one_bad_member_spoils_nothing():
    imported: Imported = read(
        zipped(
            a=MARK.format(number="100001").encode(),
            b=BOMB.encode() + b"<a/>",
            c=b"hello",
            d=MARK.format(number="100002").encode(),
        )
    )
    assert [record.registration_number for record in imported.records] == ["100001", "100002"]
    assert {record.source.format for record in imported.records} == {"snapshot"}
    assert [(problem.where, problem.code) for problem in imported.problems] == [
        ("b: file", "imports.xml_dtd"),
        ("c: file", "imports.xml_malformed"),
    ]


def test_the_name_of_a_member_steers_no_terminal():
    imported = read(zipped(**{"a\x1b[2J\u202e.xml": b"hello"}))
    assert [problem.where for problem in imported.problems] == ["a[2J\u202e.xml: file"]


def test_two_members_of_one_name_are_refused():
    held = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(held, "w") as packed:
        warnings.simplefilter("ignore")
        for number in ("100001", "100002"):
            packed.writestr("same.xml", MARK.format(number=number))
    assert code_of(held.getvalue()) == "imports.zip_malformed"


def test_a_zip_bomb_is_refused():
    assert code_of(zipped(a=b"<a>" + b" " * 30_000_000 + b"</a>")) == "imports.zip_bomb"


def test_a_zip_that_is_none_or_holds_nothing_is_refused():
    assert code_of(b"PK\x03\x04 and no more") == "imports.zip_malformed"
    assert code_of(zipped()[:0] + b"PK\x03\x04" + zipped()[4:]) == "imports.zip_malformed"


def test_a_damaged_zip_is_refused_or_loses_its_member_and_never_crashes():
    whole = zipped(a=(MARK.format(number="100001") + "<!-- " + "".join(map(chr, range(48, 123))) * 9 + " -->").encode())
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 0x55
        try:
            imported = read(bytes(damaged))
        except Invalid:
            continue
        assert imported.records or [problem.code for problem in imported.problems] != []


def test_a_broken_member_spoils_no_other():
    whole = bytearray(zipped(a=MARK.format(number="100001").encode() * 1, b=MARK.format(number="100002").encode()))
    whole[40] ^= 0xFF  # in the packed bytes of the first
    imported = read(bytes(whole))
    assert [record.registration_number for record in imported.records] == ["100002"]
    assert [(problem.where, problem.code) for problem in imported.problems] == [("a: file", "imports.zip_malformed")]


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_method_that_may_ask_for_gigabytes_is_refused(method):
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", method) as packed:
        packed.writestr("a.xml", MARK.format(number="100001"))
    assert code_of(held.getvalue()) == "imports.zip_malformed"


def test_a_file_of_more_records_than_wanted_is_read_no_further():
    one = MARK.format(number="100001")
    bag = "<tm:TrademarkBag xmlns:tm='http://www.wipo.int/standards/XMLSchema/ST96/Trademark'>{}</tm:TrademarkBag>"
    imported = read(bag.format(one * 5).encode(), most=3)
    assert (len(imported.records), [problem.code for problem in imported.problems]) == (3, ["imports.too_many"])
    with pytest.raises(Invalid) as caught:
        read(zipped(a=one.encode(), b=bag.format(one * 3).encode()), most=3)
    assert caught.value.code == "imports.too_many"
    with pytest.raises(Invalid) as caught:
        read(zipped(a=one.encode(), b=one.encode()), unpacked=len(one) + 1)
    assert caught.value.code == "imports.zip_bomb"


@pytest.mark.parametrize(
    "data", [b"", b"\x00" * 100, b"\x89PNG\r\n\x1a\n" + b"\x00" * 50, b"MZ\x90\x00", b"just a sentence"]
)
def test_other_files_are_refused(data):
    assert code_of(data, "a.bin") in ("imports.empty", "imports.format_unknown")
