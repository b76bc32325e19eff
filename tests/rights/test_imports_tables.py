"""CSV, XLSX, certificates and snapshots: what people keep, and what offices give in bulk."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import date, datetime

import openpyxl
import pytest
import typst
from hypothesis import given, settings
from hypothesis import strategies as st
from world.rights import lantern

from chopmark.base.errors import Invalid
from chopmark.rights import encoding
from chopmark.rights.imports import certificate, fields, pdf, read
from chopmark.rights.imports import workbook as workbook_reader

HEAD = "kind,mark,office,registration number,owner,classes,goods,registration date,status\n"
ROW = "trademark,RED LANTERN,EUIPO,018123456,Lantern Ltd,11,lamps,2020-06-01,Registered\n"


def codes(imported) -> list[str]:
    return [problem.code for problem in imported.problems]


def code_of(data: bytes, name: str = "a.csv") -> str:
    with pytest.raises(Invalid) as caught:
        read(data, name)
    return caught.value.code


# Tables


def test_a_row_is_a_right():
    imported = read((HEAD + ROW).encode(), "marks.csv")
    assert (imported.problems, imported.places) == ((), ("row 2",))
    [record] = imported.records
    assert (record.office, record.registration_number, record.mark.verbal) == ("EM", "018123456", "RED LANTERN")
    assert (record.owners[0].name, record.status, record.raw["status"]) == ("Lantern Ltd", "registered", "Registered")
    assert (record.classes[0].code, record.classes[0].goods[0].text) == ("11", "lamps")
    assert record.registration_date == date(2020, 6, 1)


@pytest.mark.parametrize("encoding_", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_what_spreadsheets_write_is_read(encoding_, delimiter):
    rows = [
        ("权利类型", "商标", "注册局", "注册号", "注册人", "国际分类", "注册日期", "有效期至"),
        ("商标", "红灯笼", "中国", "10000001", "宁波灯笼有限公司", "第11类", "2015年3月1日", "2035/2/28"),
    ]
    data = "\r\n".join(delimiter.join(row) for row in rows).encode(encoding_)
    imported = read(data, "商标.csv")
    assert imported.problems == ()
    [record] = imported.records
    assert (record.mark.verbal, record.office, record.classes[0].code) == ("红灯笼", "CN", "11")
    assert (record.registration_date, record.expiry_date) == (date(2015, 3, 1), date(2035, 2, 28))


@pytest.mark.parametrize(
    ("what", "cell", "value", "code"),
    [
        ("a day that could be two", 7, "01/02/2020", "imports.date_unreadable"),
        ("a day that is none", 7, "2020-02-30", "imports.date_unreadable"),
        ("no owner", 4, "", "imports.no_owner"),
        ("no number", 3, "", "imports.no_number"),
        ("a class that is none", 5, "46", "imports.class_refused"),
        ("an office that is none", 2, "Atlantis", "imports.office_unknown"),
        ("no office", 2, "", "imports.no_office"),
        ("a kind that is none", 0, "monopoly", "imports.kind_unknown"),
        ("a formula", 4, "=HYPERLINK(1)", "imports.cell_formula"),
        ("a text without end", 4, "x" * 20_001, "imports.value_too_long"),
    ],
)
def test_a_bad_row_is_left_out_and_the_rest_stays(what, cell, value, code):
    cells = ROW.strip().split(",")
    cells[cell] = value
    imported = read((HEAD + ",".join(cells) + "\n" + ROW).encode(), "marks.csv")
    assert imported.places == ("row 3",)
    assert code in codes(imported)
    assert any(problem.where == "row 2" and problem.stops for problem in imported.problems)


def test_a_day_that_can_be_read_in_one_way_only_is_read():
    imported = read((HEAD + ROW.replace("2020-06-01", "25/12/2020")).encode(), "marks.csv")
    assert imported.records[0].registration_date == date(2020, 12, 25)


def test_goods_of_several_classes_belong_to_none():
    imported = read((HEAD + ROW.replace(",11,", ',"11, 25",')).encode(), "marks.csv")
    assert [(each.code, each.goods) for each in imported.records[0].classes] == [("11", ()), ("25", ())]
    assert codes(imported) == ["imports.goods_of_which_class"]


def test_a_status_that_is_not_listed_is_unknown_and_said():
    imported = read((HEAD + ROW.replace("Registered", "Pretty good")).encode(), "marks.csv")
    assert (imported.records[0].status, codes(imported)) == ("unknown", ["imports.status_unknown"])


def test_columns_that_nobody_knows_are_said_and_left_alone():
    data = "mark,Shoe size,owner,number,office,owner\nA1,43,Lantern Ltd,018123456,EM,Other\n"
    imported = read(data.encode(), "a.csv")
    assert codes(imported) == ["imports.column_unknown", "imports.column_twice"]
    assert imported.records[0].owners[0].name == "Lantern Ltd"


@pytest.mark.parametrize(
    ("what", "data", "code"),
    [
        ("no rows", b"\n\n,,,\n", "imports.table_empty"),
        ("headings that say nothing", b"a,b,c\n1,2,3\n", "imports.table_headings"),
        ("no owner column", b"mark,number\nA,1\n", "imports.table_headings"),
        ("a quotation mark that is not closed", HEAD.encode() + b'trademark,"RED\n', "imports.table_malformed"),
        ("no text", HEAD.encode() + b"\xff\xff\xfe\x80\x81,\n", "imports.table_encoding"),
    ],
)
def test_a_table_that_is_none_is_refused(what, data, code):
    assert code_of(data) == code


def test_too_many_rows_are_refused(monkeypatch):
    monkeypatch.setattr("chopmark.rights.imports.table.MAX_ROWS", 3)
    assert code_of((HEAD + ROW * 4).encode()) == "imports.too_many"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.text(max_size=12), max_size=9), max_size=5), st.sampled_from([",", ";", "\t"]))
def test_any_table_gives_records_or_problems_and_never_crashes(rows, delimiter):
    text = HEAD.replace(",", delimiter) + "\n".join(delimiter.join(cells) for cells in rows)
    try:
        imported = read(text.encode("utf-8", "replace"), "a.csv")
    except Invalid:
        return
    assert len(imported.places) == len(imported.records)


def workbook(*rows, **more) -> bytes:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    held = io.BytesIO()
    book.save(held)
    return held.getvalue()


def test_a_workbook_is_read_with_its_days_and_numbers():
    imported = read(
        workbook(
            ["商标", "注册局", "注册号", "权利人", "类别", "注册日期"],
            ["红灯笼", "CN", 10000001, "宁波灯笼有限公司", 11, datetime(2015, 3, 1)],  # noqa: DTZ001  as Excel has it
            ["青灯笼", "CN", 10000002, "=A1", 11, None],
        ),
        "marks.xlsx",
    )
    [record] = imported.records
    assert (record.registration_number, record.registration_date) == ("10000001", date(2015, 3, 1))
    assert [(problem.where, problem.code) for problem in imported.problems] == [("row 3", "imports.cell_formula")]


def rebuilt(data: bytes, **changed: bytes) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as new:
        for part in old.namelist():
            new.writestr(part, changed.get(part.rpartition("/")[2].removesuffix(".xml"), old.read(part)))
    return held.getvalue()


@pytest.mark.parametrize(
    ("what", "part", "content", "code"),
    [
        ("an entity", "sheet1", b'<!DOCTYPE a [<!ENTITY b "c">]><worksheet/>', "imports.workbook_malformed"),
        (
            "an external entity",
            "workbook",
            b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
            "imports.workbook_malformed",
        ),
        ("in UTF-16", "sheet1", '<!DOCTYPE a [<!ENTITY b "c">]><a/>'.encode("utf-16"), "imports.workbook_malformed"),
        ("a bomb", "sheet1", b"<worksheet>" + b" " * 40_000_000, "imports.workbook_bomb"),
        ("no XML", "sheet1", b"nothing", "imports.workbook_malformed"),
        ("another document", "workbook", b"<a/>", "imports.workbook_malformed"),
    ],
)
def test_a_hostile_workbook_is_refused(what, part, content, code):
    good = workbook(["mark", "office", "number", "owner"], ["A", "EM", "018123456", "Lantern Ltd"])
    assert read(good).records
    assert code_of(rebuilt(good, **{part: content}), "a.xlsx") in (code, "imports.table_empty")


SHEET = (
    '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>{}</sheetData></worksheet>'
)
NAMES = ("office", "number", "owner", "mark")


def cell(place: str, said: str = "") -> str:
    return f'<c r="{place}" t="inlineStr"><is><t>{said}</t></is></c>'


def sheet(*rows: str) -> bytes:
    return rebuilt(workbook(["a"]), sheet1=SHEET.format("".join(rows)).encode())


def test_a_sheet_is_as_wide_as_its_table_wherever_its_last_cell_stands():
    """A few bytes name a cell in the last column; made as wide, twenty thousand rows took minutes."""
    wide = "".join(f'<row r="{n}">{cell(f"XFD{n}")}</row>' for n in range(3, 3000))
    heads = "".join(cell(f"{'ABCD'[n]}1", name) for n, name in enumerate(NAMES))
    said = "".join(cell(f"{'ABCD'[n]}2", value) for n, value in enumerate(("EM", "018123456", "Lantern Ltd", "A")))
    data = sheet(f'<row r="1">{heads}</row><row r="2">{said}</row>{wide}')
    rows = workbook_reader.rows(data, most_rows=20, most_columns=10)
    assert [(number, len(row)) for number, row in rows] == [(1, 11), (2, 11)]
    assert len(read(data, "a.xlsx").records) == 1


def test_rows_keep_their_numbers_and_empty_ones_count_for_nothing():
    data = sheet(f'<row r="2">{cell("A2", "x")}</row><row r="30000"><c r="A30000"/></row>')
    assert [number for number, _ in workbook_reader.rows(data, most_rows=5, most_columns=5)] == [2]


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        ("".join(f'<row r="{n}">{cell(f"A{n}", "x")}</row>' for n in range(1, 5)), "imports.too_many"),
        (f'<row r="1">{cell("D1", "x")}</row>', "imports.table_headings"),
        ('<row r="99999999"><c r="A99999999"/></row>', "imports.workbook_malformed"),
        ('<row r="1"><c r="A1"><v>' + "9" * 5000 + "</v></c></row>", "imports.workbook_malformed"),
    ],
)
def test_a_sheet_that_asks_for_too_much_is_refused(rows, code):
    with pytest.raises(Invalid) as caught:
        workbook_reader.rows(sheet(rows), most_rows=2, most_columns=3)
    assert caught.value.code == code


def test_a_workbook_that_takes_too_long_is_given_up(monkeypatch):
    monkeypatch.setattr(workbook_reader, "WALL_SECONDS", 0.001)
    assert code_of(sheet(""), "a.xlsx") == "imports.workbook_malformed"


def test_only_parts_that_were_looked_at_are_read():
    """A sheet may be called what its author likes: what is no `.xml` was not searched for a document type."""
    good = workbook(list(NAMES), ["EM", "018123456", "Lantern Ltd", "A"])
    held = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(good)) as old, zipfile.ZipFile(held, "w") as new:
        for part in old.namelist():
            content = old.read(part).replace(b"sheet1.xml", b"sheet1.bin")
            new.writestr(part.replace("sheet1.xml", "sheet1.bin"), content)
    assert code_of(held.getvalue(), "a.xlsx") == "imports.table_empty"


# Days


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2020-06-01", date(2020, 6, 1)),
        ("2020-06-01Z", date(2020, 6, 1)),
        ("2020-06-01T23:30:00-05:00", date(2020, 6, 1)),
        ("20200601", date(2020, 6, 1)),
        ("2020/6/1", date(2020, 6, 1)),
        ("2020.06.01", date(2020, 6, 1)),
        ("2020 年 6 月 1 日", date(2020, 6, 1)),
        ("Aug. 4, 1998", date(1998, 8, 4)),
        ("4 August 1998", date(1998, 8, 4)),
        ("4 Foo 1998", None),
        ("0020-06-01", None),
        ("２０２０-06-01", None),
    ],
)
def test_a_day_is_read_in_one_way_or_not_at_all(text, day):
    assert fields.day_of(text) == day


@given(st.dates(min_value=date(1500, 1, 1), max_value=date(2300, 12, 31)))
def test_every_day_is_read_back(day):
    for form in ("%Y-%m-%d", "%Y%m%d", "%Y/%m/%d", "%Y年%m月%d日", "%d %B %Y", "%b %d, %Y"):
        assert fields.day_of(day.strftime(form)) == day
    assert fields.day_of_either(day.strftime("%d/%m/%Y")) in (
        day if day.day > 12 or day.day == day.month else None,
        day,
    )


# Certificates


def pdf_of(*lines: str) -> bytes:
    body = "\n\n".join(line.replace("#", r"\#").replace("@", r"\@").replace("*", r"\*") for line in lines)
    return typst.compile(body.encode(), format="pdf")


def test_a_certificate_with_inid_codes_fills_the_form():
    data = pdf_of(
        "European Union Intellectual Property Office",
        "Certificate of registration of a trade mark",
        "(111) 018123456",
        "(151) 01/06/2020",
        "(180) 15/01/2030",
        "(220) 15/01/2020",
        "(541) RED LANTERN",
        "(730) Lantern Works GmbH (DE)",
        "(740) Kontor and Partner",
        "(511) 11 - Lamps, lanterns",
    )
    imported = read(data, "certificate.pdf")
    [record] = imported.records
    assert (record.kind, record.office, record.registration_number) == ("trademark", "EM", "018123456")
    assert (record.mark.verbal, record.owners[0].name, record.owners[0].country) == (
        "RED LANTERN",
        "Lantern Works GmbH",
        "DE",
    )
    assert [(each.code, each.goods[0].text) for each in record.classes] == [("11", "Lamps, lanterns")]
    assert record.expiry_date == date(2030, 1, 15)
    # 01/06/2020 could be two days.
    assert record.registration_date is None
    assert codes(imported) == ["imports.date_unreadable", "imports.certificate_is_no_proof"]
    assert record.source.format == "certificate"


def test_a_chinese_certificate_is_read_by_its_headings():
    text = (
        "中华人民共和国国家知识产权局\n商标注册证\n第 10000001 号\n商标名称：红灯笼\n"
        "核定使用商品/服务项目（国际分类：11）\n注册人 宁波灯笼有限公司\n"
        "注册日期 2015年03月01日 有效期至 2025年02月28日\n有效期至 2025年02月28日\n"
    )
    [record] = certificate.read(text, sha256=bytes(32)).records
    assert (record.office, record.registration_number, record.mark.verbal) == ("CN", "10000001", "红灯笼")
    assert (record.owners[0].name, record.classes[0].code) == ("宁波灯笼有限公司", "11")
    assert (record.registration_date, record.expiry_date) == (date(2015, 3, 1), date(2025, 2, 28))


def test_an_american_certificate_is_read_by_its_headings():
    text = (
        "United States Patent and Trademark Office\nReg. No. 2,178,784\nRegistered Aug. 4, 1998\nInt. Cl.: 9\n"
        "TRADEMARK\nSer. No. 74-631,225\nOwner: Lantern Inc.\n"
    )
    [record] = certificate.read(text, sha256=bytes(32)).records
    assert (record.office, record.registration_number, record.registration_date) == ("US", "2178784", date(1998, 8, 4))
    assert (record.classes[0].code, record.owners[0].name) == ("9", "Lantern Inc.")


def test_two_values_for_one_field_are_neither():
    text = "Trade mark certificate\n(111) 018123456\n(111) 018123457\n(541) RED LANTERN\n(190) EM\n"
    imported = certificate.read(text, sha256=bytes(32))
    assert imported.records[0].registration_number == ""
    assert "imports.certificate_two_values" in codes(imported)


def test_a_text_that_is_no_certificate_is_said_to_be_none():
    with pytest.raises(Invalid) as caught:
        certificate.read("Dear Sir or Madam,\nthe weather is fine.", sha256=bytes(32))
    assert caught.value.code == "imports.certificate_unread"


LOOP = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj "
    b"2 0 obj<</Type/Pages/Kids[2 0 R]/Count 9999999>>endobj\ntrailer<</Root 1 0 R>>"
)


@pytest.mark.parametrize(
    ("what", "data"),
    [
        ("no PDF behind the mark", b"%PDF-1.7\nnothing"),
        ("a page tree that is its own child", LOOP),
    ],
)
def test_a_hostile_pdf_is_refused(what, data):
    assert code_of(data, "a.pdf") in ("imports.pdf_unreadable", "imports.pdf_no_text")


def test_a_pdf_that_takes_too_long_is_given_up(monkeypatch):
    monkeypatch.setattr(pdf, "WALL_SECONDS", 0.05)
    assert code_of(pdf_of("(111) 018123456"), "a.pdf") == "imports.pdf_unreadable"


def test_a_pdf_that_is_too_large_is_not_opened(monkeypatch):
    monkeypatch.setattr(pdf, "MAX_BYTES", 100)
    assert code_of(b"%PDF-1.7" + b" " * 200, "a.pdf") == "imports.pdf_too_large"


# Snapshots


def snapshot(*records, announced=None, **header) -> bytes:
    head = {"snapshot": 1, "office": "EM", "fetched_at": "2026-11-01T00:00:00Z", "records": len(records)} | header
    if announced is not None:
        head["records"] = announced
    lines = [head, *(encoding.encode(record) for record in records)]
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()


def test_a_snapshot_gives_records_with_the_day_of_the_office():
    imported = read(snapshot(lantern(), lantern(registration_number="018123457")))
    assert (imported.problems, len(imported.records)) == ((), 2)
    assert imported.records[0].source.fetched_at.isoformat() == "2026-11-01T00:00:00+00:00"
    assert imported.records[0].source.format == "snapshot"


def test_a_snapshot_of_more_records_than_wanted_is_refused():
    with pytest.raises(Invalid) as caught:
        read(snapshot(lantern(), lantern()), most=1)
    assert caught.value.code == "imports.too_many"


def test_a_snapshot_that_is_cut_off_is_refused():
    data = snapshot(lantern(), lantern())
    assert code_of(data[: data.rindex(b"\n", 0, -1)]) == "imports.snapshot_cut_off"
    assert code_of(snapshot(lantern(), announced=2)) == "imports.snapshot_cut_off"


@pytest.mark.parametrize(
    "header",
    [{"snapshot": 2}, {"office": 1}, {"fetched_at": "today"}, {"records": True}, {"records": -1}, {"more": 1}],
)
def test_a_snapshot_with_another_header_is_refused(header):
    assert code_of(snapshot(lantern(), **header)) == "imports.snapshot_header"


def test_a_bad_line_of_a_snapshot_spoils_no_other():
    data = snapshot(lantern(), lantern(office="GB"), lantern(), announced=6)
    data += b'{"kind": "trademark", "kind": "trademark"}\nnot json\n{"kind": "trademark", "colour": "red"}\n'
    imported = read(data)
    assert len(imported.records) == 2
    assert [(problem.where, problem.code) for problem in imported.problems] == [
        ("line 3", "imports.snapshot_other_office"),
        ("line 5", "imports.snapshot_line"),
        ("line 6", "imports.snapshot_line"),
        ("line 7", "rules.member_unknown"),
    ]
