"""What every reader owes the rest: records that the platform's own encoding takes, and codes that are worded."""

from __future__ import annotations

import ast
import json
from datetime import UTC, datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from lxml import etree
from world.clearing_house import NOW, ClearingHouse
from world.data import REPOSITORY, shared_data

from chopmark.base import wording
from chopmark.base.errors import Invalid
from chopmark.rights import encoding
from chopmark.rights.connectors.door import Answer
from chopmark.rights.connectors.euipo import read as read_euipo
from chopmark.rights.imports import read, smd_files
from chopmark.rights.imports.plain import folded
from chopmark.rights.imports.smd_files import load

SOURCES = ("rights/imports", "rights/connectors", "rights/actions/bring_in.py", "web/api/rights_import.py")


def goes_through(record) -> bool:
    return encoding.parse_record(json.loads(json.dumps(encoding.encode(record)))) == record


def test_records_of_every_reader_go_through_the_platforms_encoding():
    table = (
        "mark,office,registration number,owner,classes,owner id,territories,colours\n"
        "A\x07\x7fB,EM,018123456,Lantern\x01 Ltd,11,91330200MA2XXXXX0X,EU GB,red blue\n"
    )
    imported = [read(table.encode(), "a.csv"), read(ClearingHouse.made().sign())]
    for one in imported:
        assert one.records
        assert all(map(goes_through, one.records))
    assert imported[0].records[0].mark.verbal == "AB"


def test_the_public_records_go_through_too():
    for file in sorted((shared_data("tsdr-st66-st96") / "test" / "testdata").glob("*.xml")):
        assert all(map(goes_through, read(file.read_bytes()).records))
    for file in sorted((shared_data("tmch-smd") / "core/src/test/resources/google/registry/tmch/smd").glob("*.smd")):
        if "invalid" not in file.name:
            assert all(map(goes_through, read(file.read_bytes()).records))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELDS = ("markKind", "markFeature", "markBasis", "niceClasses", "wordMarkSpecification", "applicants", "status")
MORE = ("applicationDate", "goodsAndServices", "markImage", "publications", "expiryDate", "representatives")


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(FIELDS + MORE), JSON, max_size=8))
def test_whatever_euipo_answers_becomes_a_record_or_is_refused(data):
    body = json.dumps({"applicationNumber": "018123456", **data}).encode()
    answer = Answer(body=body, status=200, simulated=False)
    try:
        record = read_euipo(answer, url="https://example.org", fetched_at=NOW, number="018123456")
    except Invalid:
        return
    assert goes_through(record)


NAMES = ("Trademark", "ApplicationNumber", "MarkRepresentation", "WordMarkSpecification", "MarkVerbalElementText")
NAMES += ("ApplicantBag", "Applicant", "Contact", "Name", "EntityName", "GoodsServicesBag", "GoodsServices")
NAMES += ("ClassDescriptionBag", "ClassDescription", "ClassNumber", "RegistrationOfficeCode", "RegistrationNumber")
TREES = st.recursive(
    st.tuples(
        st.sampled_from(NAMES), st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=6)
    ),
    lambda inner: st.tuples(st.sampled_from(NAMES), st.lists(inner, max_size=4)),
    max_leaves=20,
)


def tree_of(tree):
    name, inside = tree
    element = etree.Element(f"{{http://www.wipo.int/standards/XMLSchema/ST96/Trademark}}{name}")
    if isinstance(inside, list):
        element.extend([tree_of(one) for one in inside])
    else:
        try:
            element.text = inside
        except ValueError:  # a character that XML has not
            element.text = ""
    return element


@settings(max_examples=150, deadline=None)
@given(TREES)
def test_any_tree_of_an_offices_elements_becomes_records_or_problems(tree):
    root = etree.Element("{http://www.wipo.int/standards/XMLSchema/ST96/Trademark}TrademarkBag")
    root.append(tree_of(tree))
    imported = read(etree.tostring(root))
    assert len(imported.records) == len(imported.places)
    assert all(map(goes_through, imported.records))


@given(st.text())
@example("0 \x08")
def test_a_folded_text_has_one_line_and_no_control(text):
    said = folded(text)
    assert said == folded(said)
    assert not any(ord(each) < 32 or ord(each) == 127 or 0xD800 <= ord(each) <= 0xDFFF for each in said)


def test_a_record_with_a_thousand_and_one_territories_is_left_out():
    many = "".join(
        f"<DesignatedCountry><DesignatedCountryCode>{number}</DesignatedCountryCode></DesignatedCountry>"
        for number in range(1001)
    )
    imported = read(
        '<TrademarkBag xmlns="http://www.wipo.int/standards/XMLSchema/ST96/Trademark"><Trademark>'
        "<RegistrationOfficeCode>WO</RegistrationOfficeCode><RegistrationNumber>1234567</RegistrationNumber>"
        f"<DesignatedCountryBag>{many}</DesignatedCountryBag></Trademark></TrademarkBag>".encode()
    )
    assert (imported.records, [problem.code for problem in imported.problems]) == ((), ["imports.too_many_of_one"])


def test_one_value_without_end_leaves_out_its_own_record_only():
    long = "x" * 100_001
    imported = read(
        '<TrademarkBag xmlns="http://www.wipo.int/standards/XMLSchema/ST96/Trademark">'
        f"<Trademark><RegistrationOfficeCode>US</RegistrationOfficeCode><RegistrationNumber>{long}"
        "</RegistrationNumber></Trademark><Trademark><RegistrationOfficeCode>US</RegistrationOfficeCode>"
        "<RegistrationNumber>4000001</RegistrationNumber></Trademark></TrademarkBag>".encode()
    )
    assert imported.places == ("record 2",)
    assert [problem.code for problem in imported.problems] == ["imports.value_too_long"]


# The operator's folder


def test_the_operators_folder_says_whom_to_trust(tmp_path):
    house = ClearingHouse.made()
    assert load(tmp_path) is None
    for name in ("roots", "crls"):
        (tmp_path / name).mkdir()
    (tmp_path / "roots" / "root.der").write_bytes(house.trust().roots[0])
    (tmp_path / "crls" / "list.crl").write_bytes(house.crl())
    assert load(tmp_path) is None
    made = datetime(2026, 11, 20, 8, tzinfo=UTC)
    (tmp_path / "revoked.csv").write_text(f"1,{made:%Y-%m-%dT%H:%M:%S}Z\nsmd-id,insertion-datetime\n")
    trust = load(tmp_path)
    assert read(house.sign(), trust=trust, at=NOW).signed is not None


@pytest.mark.parametrize("place", ["roots/a.pem", "crls/a.crl"])
def test_a_file_of_that_folder_that_cannot_be_read_is_named(tmp_path, place):
    house = ClearingHouse.made()
    for name in ("roots", "crls"):
        (tmp_path / name).mkdir()
    (tmp_path / "roots" / "root.der").write_bytes(house.trust().roots[0])
    (tmp_path / "revoked.csv").write_text("1,2026-11-20T08:00:00Z\nsmd-id,insertion-datetime\n")
    (tmp_path / place).write_bytes(b"-----BEGIN nothing")
    with pytest.raises(Invalid) as caught:
        load(tmp_path)
    assert (caught.value.code, caught.value.facts["file"]) == ("imports.trust_file", place.rpartition("/")[2])
    assert smd_files.FOLDER == "clearing-house"


# Wording


def codes_in_the_source() -> set[str]:
    found = set()
    for place in SOURCES:
        path = REPOSITORY / "src" / "chopmark" / place
        for file in path.rglob("*.py") if path.is_dir() else [path]:
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                said = node.value if isinstance(node, ast.Constant) else None
                if isinstance(said, str) and said.startswith("imports.") and " " not in said:
                    found.add(said)
    return found


def test_every_code_of_imports_is_worded_and_every_worded_one_is_used():
    worded = {code for code in wording.catalogue() if code.startswith("imports.")}
    assert codes_in_the_source() == worded
