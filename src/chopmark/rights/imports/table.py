"""Tables that people keep: CSV and XLSX, one right a row, with headings in Chinese or English.

Columns are found by their headings, in any order; unknown headings are reported and left alone. The three that a right
must have are its owner, its number and what it is. A cell that could mean two things (`01/02/2020`) is reported, not
guessed; a formula is refused, because what it shows is not what it says.

Of an XLSX the first sheet is read, by `workbook`, in a process of its own.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date

from chopmark.base.errors import Invalid
from chopmark.rights.imports import fields, workbook
from chopmark.rights.imports.fields import Notes
from chopmark.rights.imports.plain import folded
from chopmark.rights.imports.result import Imported, Problem
from chopmark.rights.record import Class, Designation, Identifier, Kind, Mark, Party, Record, Source, Text

MAX_ROWS = 20_000
MAX_COLUMNS = 100
MAX_CELL = 20_000  # characters
MAX_BYTES = 32 * 1024 * 1024

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "kind": ("kind", "type", "right type", "ip type", "权利类型", "类型", "种类"),
    "office": ("office", "country", "registry", "jurisdiction", "注册局", "受理局", "国家", "国家/地区", "官方机构"),
    "application_number": ("application number", "application no", "app no", "serial number", "申请号"),
    "registration_number": ("registration number", "registration no", "reg no", "number", "注册号", "专利号", "登记号"),
    "mark": ("mark", "trademark", "trade mark", "word mark", "brand", "商标", "商标名称", "标识"),
    "title": ("title", "name", "work", "invention", "名称", "作品名称", "发明名称", "标题"),
    "owner": ("owner", "holder", "applicant", "proprietor", "rights holder", "权利人", "注册人", "申请人", "著作权人"),
    "owner_country": ("owner country", "holder country", "权利人国家", "注册人国家"),
    "owner_id": ("owner id", "company number", "uscc", "统一社会信用代码", "权利人代码"),
    "representative": ("representative", "agent", "attorney", "代理人", "代理机构"),
    "classes": ("classes", "class", "nice class", "nice classes", "locarno", "ipc", "类别", "国际分类", "商标类别"),
    "goods": ("goods", "goods and services", "specification", "商品", "商品/服务", "商品服务", "核定商品"),
    "territories": ("territories", "territory", "designations", "countries", "地域", "保护地域", "指定国家"),
    "application_date": ("application date", "filing date", "filed", "申请日", "申请日期"),
    "publication_date": ("publication date", "published", "公告日", "公告日期", "初审公告日期"),
    "registration_date": ("registration date", "registered", "grant date", "注册日", "注册日期", "授权公告日"),
    "expiry_date": ("expiry date", "expires", "expiration date", "valid until", "有效期至", "到期日", "专用期限至"),
    "status": ("status", "state", "状态", "法律状态"),
    "status_date": ("status date", "状态日期"),
    "feature": ("feature", "mark feature", "form", "商标形式", "图样类型"),
    "translation": ("translation", "译文", "含义"),
    "transliteration": ("transliteration", "pinyin", "音译", "拼音"),
    "vienna": ("vienna", "vienna classes", "vienna codes", "图形要素", "维也纳分类"),
    "colours": ("colours", "colors", "颜色", "指定颜色"),
    "disclaimer": ("disclaimer", "放弃专用权"),
    "language": ("language", "语言"),
}
KINDS: Mapping[str, Kind] = {
    "trademark": "trademark",
    "trade mark": "trademark",
    "mark": "trademark",
    "tm": "trademark",
    "商标": "trademark",
    "design": "design",
    "外观设计": "design",
    "外观设计专利": "design",
    "patent": "patent",
    "专利": "patent",
    "发明": "patent",
    "发明专利": "patent",
    "utility model": "utility_model",
    "utility_model": "utility_model",
    "实用新型": "utility_model",
    "实用新型专利": "utility_model",
    "copyright": "copyright",
    "work": "copyright",
    "著作权": "copyright",
    "版权": "copyright",
    "作品": "copyright",
    "neighbouring": "neighbouring",
    "related right": "neighbouring",
    "邻接权": "neighbouring",
    "gi": "gi",
    "geographical indication": "gi",
    "地理标志": "gi",
    "trade name": "trade_name",
    "trade_name": "trade_name",
    "企业名称": "trade_name",
    "字号": "trade_name",
    "domain": "domain",
    "domain name": "domain",
    "域名": "domain",
}
OFFICE_NAMES: Mapping[str, str] = {
    "china": "CN",
    "中国": "CN",
    "cnipa": "CN",
    "国家知识产权局": "CN",
    "united states": "US",
    "usa": "US",
    "美国": "US",
    "uspto": "US",
    "euipo": "EM",
    "eu": "EM",
    "european union": "EM",
    "欧盟": "EM",
    "wipo": "WO",
    "madrid": "WO",
    "马德里": "WO",
    "ib": "WO",
    "benelux": "BX",
    "boip": "BX",
    "比荷卢": "BX",
    "uk": "GB",
    "united kingdom": "GB",
    "英国": "GB",
    "ukipo": "GB",
    "japan": "JP",
    "日本": "JP",
    "jpo": "JP",
    "korea": "KR",
    "韩国": "KR",
    "kipo": "KR",
    "germany": "DE",
    "德国": "DE",
    "dpma": "DE",
    "france": "FR",
    "法国": "FR",
    "inpi": "FR",
    "hong kong": "HK",
    "香港": "HK",
    "taiwan": "TW",
    "台湾": "TW",
}
_HEADINGS: Mapping[str, str] = {heading: name for name, headings in COLUMNS.items() for heading in headings}
_SPLIT = re.compile(r"[,;；，、/|\s]+")
_COUNTRY = re.compile(r"[A-Z]{2}")


def read_csv(data: bytes, *, sha256: bytes) -> Imported:
    """The rights of a CSV file.

    Raises:
        Invalid: `imports.table_encoding`, `imports.table_empty`, `imports.table_headings`, `imports.too_large`.
    """
    if len(data) > MAX_BYTES:
        raise Invalid("imports.too_large", megabytes=MAX_BYTES // 1024 // 1024)
    text = _text(data)
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    csv.field_size_limit(MAX_CELL * 4)
    try:
        rows = list(enumerate(_bounded(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)), 1))
    except csv.Error:
        raise Invalid("imports.table_malformed") from None
    return _read(rows, sha256=sha256)


def read_xlsx(data: bytes, *, sha256: bytes) -> Imported:
    """The rights of the first sheet of a workbook.

    Raises:
        Invalid: as `workbook.rows`, and as `read_csv`.
    """
    return _read(workbook.rows(data, most_rows=MAX_ROWS, most_columns=MAX_COLUMNS), sha256=sha256)


def _text(data: bytes) -> str:
    """The text of a CSV: UTF-8, UTF-16 with its mark, or GB 18030, which Chinese spreadsheets write."""
    encodings = ("utf-16",) if data[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig", "gb18030")
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\x00" not in text:
            return text
    raise Invalid("imports.table_encoding")


def _bounded(rows: Iterator[Sequence[object]]) -> Iterator[list[object]]:
    for number, row in enumerate(rows):
        if number > MAX_ROWS:
            raise Invalid("imports.too_many", limit=MAX_ROWS)
        if len(row) > MAX_COLUMNS and any(cell not in (None, "") for cell in row[MAX_COLUMNS:]):
            raise Invalid("imports.table_headings", columns=len(row))
        yield list(row[:MAX_COLUMNS])


def _read(rows: Sequence[tuple[int, list[object]]], *, sha256: bytes) -> Imported:
    """The rights of rows with their numbers; the first that says something has the headings."""
    filled = [(number, row) for number, row in rows if any(cell not in (None, "") for cell in row)]
    if not filled:
        raise Invalid("imports.table_empty")
    problems: list[Problem] = []
    top, headings = filled[0]
    columns = _columns(headings, top, problems)
    records, places = [], []
    for number, row in filled[1:]:
        notes = Notes(where=f"row {number}")
        record = _record(_Row(row, columns, notes), Source(format="csv", sha256=sha256))
        problems += notes.problems
        if record is not None:
            records.append(record)
            places.append(notes.where)
    return Imported(format="csv", records=tuple(records), places=tuple(places), problems=tuple(problems))


def _columns(headings: Sequence[object], number: int, problems: list[Problem]) -> dict[str, int]:
    found: dict[str, int] = {}
    for place, heading in enumerate(headings):
        said = " ".join(str(heading or "").replace("_", " ").replace(".", "").replace("*", "").lower().split())
        said = re.sub(r"\s*[(（].*[)）]$", "", said)
        if not said:
            continue
        name = _HEADINGS.get(said)
        if name is None or name in found:
            code = "imports.column_unknown" if name is None else "imports.column_twice"
            problems.append(Problem(where=f"row {number}", code=code, facts={"column": said[:60]}, stops=False))
            continue
        found[name] = place
    if "owner" not in found or not found.keys() & {"application_number", "registration_number", "title"}:
        raise Invalid("imports.table_headings", columns=len(found))
    return found


class _Row:
    """One row by the names of its columns."""

    def __init__(self, cells: Sequence[object], columns: Mapping[str, int], notes: Notes) -> None:
        self.cells, self.columns, self.notes = cells, columns, notes
        self.refused = False

    def text(self, name: str) -> str:
        """A cell as text, folded; a formula is none."""
        place = self.columns.get(name)
        cell = self.cells[place] if place is not None and place < len(self.cells) else None
        whole = str(cell if cell is not None else "")
        said = folded(whole[: MAX_CELL + 1])
        if said.startswith("=") or len(whole) > MAX_CELL:
            code = "imports.cell_formula" if said.startswith("=") else "imports.value_too_long"
            self.notes.problem(code, stops=True, column=name, limit=MAX_CELL)
            self.refused = True
            return ""
        return said

    def day(self, name: str) -> date | None:
        """A cell as a day."""
        place = self.columns.get(name)
        cell = self.cells[place] if place is not None and place < len(self.cells) else None
        if isinstance(cell, date):
            return cell
        said = self.text(name)
        if said and fields.day_of(said) is None:
            day = fields.day_of_either(said)
            if day is None:
                self.notes.problem("imports.date_unreadable", stops=True, field=name, text=said[:60])
                self.refused = True
            return day
        return fields.day_of(said) if said else None

    def parts(self, name: str) -> tuple[str, ...]:
        """A cell that lists several things."""
        return tuple(part for part in _SPLIT.split(self.text(name)) if part)


def _record(row: _Row, source: Source) -> Record | None:
    notes = row.notes
    kind = KINDS.get(row.text("kind").lower() or "trademark")
    if kind is None:
        notes.problem("imports.kind_unknown", stops=True, text=row.text("kind")[:60])
        return None
    office = _office(row, kind)
    owner = row.text("owner")
    if not owner:
        if not row.refused:
            notes.problem("imports.no_owner", stops=True)
        return None
    identifier = row.text("owner_id")
    language = row.text("language")
    verbal = row.text("mark") or (row.text("title") if kind == "trademark" else "")
    status = row.text("status")
    record = Record(
        kind=kind,
        office=office,
        application_number=row.text("application_number"),
        registration_number=row.text("registration_number"),
        title="" if kind == "trademark" else (row.text("title") or verbal),
        mark=_mark(row, verbal) if kind == "trademark" else None,
        owners=(
            Party(
                name=owner,
                country=_country(row, "owner_country"),
                identifiers=(Identifier(scheme="USCC", value=identifier),) if identifier else (),
            ),
        ),
        representatives=(Party(name=agent),) if (agent := row.text("representative")) else (),
        classes=_classes(row, kind, language),
        designations=tuple(
            Designation(territory=code)
            for code in dict.fromkeys(
                fields.territory_of(OFFICE_NAMES.get(part.lower(), part)) for part in row.parts("territories")
            )
        ),
        application_date=row.day("application_date"),
        publication_date=row.day("publication_date"),
        registration_date=row.day("registration_date"),
        expiry_date=row.day("expiry_date"),
        status_date=row.day("status_date"),
        source=source,
    )
    if kind in ("trademark", "design", "patent", "utility_model", "gi") and not (
        record.application_number or record.registration_number
    ):
        notes.problem("imports.no_number", stops=True)
        return None
    for each in record.designations:
        if not _COUNTRY.fullmatch(each.territory):
            notes.problem("imports.territory_unknown", stops=True, text=each.territory[:60])
            return None
    return None if row.refused else fields.finish(record, notes, status=status)


def _office(row: _Row, kind: Kind) -> str:
    said = row.text("office")
    code = OFFICE_NAMES.get(said.lower(), said.upper())
    if code and not _COUNTRY.fullmatch(code):
        row.notes.problem("imports.office_unknown", stops=True, text=said[:60])
        row.refused = True
        return ""
    if not code and kind in ("trademark", "design", "patent", "utility_model", "gi"):
        row.notes.problem("imports.no_office", stops=True)
        row.refused = True
    return code


def _country(row: _Row, name: str) -> str:
    said = row.text(name)
    code = OFFICE_NAMES.get(said.lower(), said.upper())
    code = {"EM": "EU"}.get(code, code)
    if code and not _COUNTRY.fullmatch(code):
        row.notes.problem("imports.territory_unknown", text=said[:60])
        return ""
    return code


def _mark(row: _Row, verbal: str) -> Mark:
    feature = row.text("feature")
    return Mark(
        verbal=verbal,
        feature=row.notes.feature(feature) if feature else "unknown",
        translation=row.text("translation"),
        transliteration=row.text("transliteration"),
        disclaimer=row.text("disclaimer"),
        colours=row.parts("colours"),
        vienna=row.parts("vienna"),
    )


def _classes(row: _Row, kind: Kind, language: str) -> tuple[Class, ...]:
    """Nice classes of a mark, Locarno of a design, IPC of a patent; goods belong to a single class only."""
    goods = row.text("goods")
    said = row.parts("classes") if kind != "patent" else tuple(filter(None, re.split(r"[;；、|]", row.text("classes"))))
    if kind == "trademark":
        codes = [row.notes.nice(re.sub(r"^第|类$", "", part)) for part in said]
        if "" in codes:
            row.refused = True
            row.notes.problem("imports.class_refused", stops=True)
        scheme = "nice"
    else:
        codes, scheme = [part.strip() for part in said], "locarno" if kind == "design" else "ipc"
    kept = tuple(dict.fromkeys(code for code in codes if code))
    if goods and len(kept) > 1:
        row.notes.problem("imports.goods_of_which_class")
    texts = (Text(text=goods, lang=language),) if goods and len(kept) == 1 else ()
    if scheme == "nice":
        return tuple(Class(scheme="nice", code=code, goods=texts) for code in kept)
    if scheme == "locarno":
        return tuple(Class(scheme="locarno", code=code, goods=texts) for code in kept)
    return tuple(Class(scheme="ipc", code=code, goods=texts) for code in kept)
