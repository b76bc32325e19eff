"""What the text of an office's certificate says, to fill in a form: a help for the person, never a proof.

Three ways are tried on each line, the surest first: INID codes of WIPO ST.60 (`(111) 018123456`), which EUIPO, WIPO and
many national offices print; the headings of the certificates of China, the United States and the United Kingdom; and
nothing else. A field found twice with different values is left out and reported. What cannot be read stays empty.

The text itself comes from `pdf`; a scan without text has none. Nothing here says that a certificate is genuine: anybody
can print one. That is asked of the office's own record.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date

from chopmark.base.errors import Invalid
from chopmark.rights.imports import fields
from chopmark.rights.imports.fields import Notes
from chopmark.rights.imports.plain import folded
from chopmark.rights.imports.result import Imported
from chopmark.rights.record import Class, Kind, Mark, Party, Record, Source, Text

MAX_LINES = 5_000
MAX_LINE = 2_000

# ST.60 codes for marks; ST.9 (patents) and ST.80 (designs) use the same numbers for the fields that are read.
INID: Mapping[str, str] = {
    "111": "registration_number",
    "116": "registration_number",
    "151": "registration_date",
    "156": "renewal_date",
    "180": "expiry_date",
    "186": "expiry_date",
    "141": "termination_date",
    "210": "application_number",
    "220": "application_date",
    "442": "publication_date",
    "450": "publication_date",
    "511": "classes",
    "531": "vienna",
    "540": "mark",
    "541": "mark",
    "546": "mark",
    "526": "disclaimer",
    "561": "transliteration",
    "566": "translation",
    "591": "colours",
    "730": "owner",
    "732": "owner",
    "740": "representative",
    "190": "office",
}
_INID_LINE = re.compile(r"^\s*[(（](\d{3})[)）]\s*(.*)$")
_OFFICES: tuple[tuple[str, str], ...] = (
    ("european union intellectual property office", "EM"),
    ("euipo", "EM"),
    ("office for harmonization in the internal market", "EM"),
    ("world intellectual property organization", "WO"),
    ("united states patent and trademark office", "US"),
    ("united states of america", "US"),
    ("国家知识产权局", "CN"),
    ("国家工商行政管理", "CN"),
    ("中华人民共和国国家版权局", "CN"),
    ("intellectual property office of the united kingdom", "GB"),
    ("uk intellectual property office", "GB"),
    ("deutsches patent- und markenamt", "DE"),
    ("benelux office for intellectual property", "BX"),
)
_ZH_DAY = r"\s*[:：]?\s*(\d{4}\s*年.{1,12}日|\d{4}-\d{2}-\d{2})"
_HEADINGS: tuple[tuple[str, str], ...] = (
    # China: 商标注册证, 续展注册证明, 专利证书, 作品登记证书
    ("registration_number", r"^第\s*([0-9A-Z]{5,12})\s*号$"),
    ("registration_number", r"^(?:注册证?号|商标注册号|登记号|专利号)\s*[:：]?\s*((?:ZL\s*)?[^\s:：]{4,40})$"),
    ("owner", r"^(?:注\s*册\s*人|商标注册人|专利权人|著作权人|权利人)\s*[:：]?\s*(.{2,200})$"),
    ("registration_date", r"^(?:注册日期|授权公告日|登记日期)" + _ZH_DAY),
    ("expiry_date", r"^(?:有\s*效\s*期\s*至|有效期限?至|专用期限至)" + _ZH_DAY),
    ("period", r"^(?:专用权期限|有效期|注册有效期限?)\s*[:：]?\s*(.{10,60})$"),
    ("application_date", r"^(?:申请日期?|专利申请日)" + _ZH_DAY),
    ("application_number", r"^申请号\s*[:：]?\s*([0-9A-Z.]{5,20})$"),
    ("mark", r"^(?:商标名称|商\s*标)\s*[:：]\s*(.{1,200})$"),
    ("title", r"^(?:作品名称|发明名称|外观设计名称|实用新型名称)\s*[:：]\s*(.{1,300})$"),
    ("classes", r"国际分类\s*[:：]?\s*(?:第)?\s*(\d{1,2}(?:\s*[,、，]\s*\d{1,2})*)"),
    # United States
    ("registration_number", r"(?i)^Reg(?:istration|\.)\s*(?:No\.|Number)\s*:?\s*([0-9,]{5,12})\s*$"),
    ("registration_date", r"^Regist(?:ered|ration Date)\s*:?\s+([A-Z][a-z]{2,8}\.?\s+\d{1,2},\s+\d{4})$"),
    ("classes", r"(?i)^Int\.?\s*Cl(?:ass(?:es)?|s?)?\.?\s*:\s*(\d{1,3}(?:\s*(?:,|and)\s*\d{1,3})*)"),
    ("application_number", r"(?i)^Ser(?:ial|\.)\s*(?:No\.|Number)\s*:?\s*([0-9/,-]{6,14})"),
    # United Kingdom
    ("registration_number", r"(?i)^(?:Trade mark number|Registration number)\s*:?\s*((?:UK)?[0-9]{6,14})$"),
    ("application_date", r"(?i)^(?:Date of filing|Filing date)\s*:?\s*(\d{1,2} [A-Z][a-z]+ \d{4})$"),
    ("owner", r"(?i)^(?:Owner|Proprietor|Holder|Name of proprietor)\s*:\s*(.{2,200})$"),
)  # fmt: skip
_DAY_HEAD = (
    r"\d{4}[-./年].{1,12}|\d{1,2}[./-]\d{1,2}[./-]\d{4}|"
    r"[A-Za-z]{3,9}\.? \d{1,2}, \d{4}|\d{1,2} [A-Za-z]{3,9} \d{4}"
)
_KINDS: tuple[tuple[str, Kind], ...] = (
    ("外观设计专利证书", "design"),
    ("实用新型专利证书", "utility_model"),
    ("发明专利证书", "patent"),
    ("作品登记证书", "copyright"),
    ("地理标志", "gi"),
    ("商标注册证", "trademark"),
    ("certificate of registration of a design", "design"),
    ("registered community design", "design"),
    ("trademark", "trademark"),
    ("trade mark", "trademark"),
    ("service mark", "trademark"),
    ("patent", "patent"),
)
_DAYS = ("registration_date", "application_date", "expiry_date", "publication_date")


def read(text: str, *, sha256: bytes) -> Imported:
    """One record with what the text says, and what could not be read as problems.

    Raises:
        Invalid: `imports.certificate_unread` where nothing of a right could be read.
    """
    notes = Notes(where="page 1")
    lines = [folded(line[:MAX_LINE]) for line in text.splitlines()[:MAX_LINES]]
    found: dict[str, list[str]] = {}
    for name, value in (*_by_code(lines), *_by_heading(lines)):
        if value and value not in (said := found.setdefault(name, [])):
            said.append(value)
    kind = next((kind for word, kind in _KINDS if word in text.lower()), None)
    office = _office(found, text)
    if not found.keys() & {"registration_number", "application_number", "mark", "title"} or not (kind or office):
        raise Invalid("imports.certificate_unread")
    record = _record(found, kind or "trademark", office, notes, Source(format="certificate", sha256=sha256))
    if record is None:
        raise Invalid("imports.certificate_unread")
    notes.problem("imports.certificate_is_no_proof")
    return Imported(format="certificate", records=(record,), places=("page 1",), problems=tuple(notes.problems))


def _by_code(lines: list[str]) -> Iterator[tuple[str, str]]:
    """Values behind INID codes, and on the line below where there is nothing behind."""
    for number, line in enumerate(lines):
        match = _INID_LINE.match(line)
        if match is None or (name := INID.get(match[1])) is None:
            continue
        value = re.sub(r"^[A-Za-z ./-]{3,60}[:：]\s*", "", match[2]).strip(" :：")
        below = lines[number + 1] if number + 1 < len(lines) else ""
        if not value and not _INID_LINE.match(below):
            value = below.strip()
        yield name, value


def _by_heading(lines: list[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        for name, pattern in _HEADINGS:
            if match := re.search(pattern, line):
                yield name, match[1].strip()


def _office(found: Mapping[str, list[str]], text: str) -> str:
    for said in found.get("office", ()):
        if re.fullmatch(r"[A-Z]{2}", said):
            return said
    low = text.lower()
    return next((code for name, code in _OFFICES if name in low), "")


def _record(found: Mapping[str, list[str]], kind: Kind, office: str, notes: Notes, source: Source) -> Record | None:
    def one(name: str) -> str:
        values = found.get(name, [])
        if len(values) > 1:
            notes.problem("imports.certificate_two_values", field=name, first=values[0][:60], second=values[1][:60])
            return ""
        return values[0] if values else ""

    days = {name: _day(name, one(name), notes) for name in _DAYS}
    if days["expiry_date"] is None and (period := one("period")):
        ends = re.findall(r"\d{4}\s*年\s*\d{1,2}\s*月\s*\d{1,2}\s*日|\d{4}-\d{2}-\d{2}", period)
        if len(ends) == 2:
            days["registration_date"] = days["registration_date"] or fields.day_of(ends[0])
            days["expiry_date"] = fields.day_of(ends[1])
    number = one("registration_number").replace(",", "") if office == "US" else one("registration_number")
    application = (
        one("application_number").replace(",", "").replace("/", "") if office == "US" else one("application_number")
    )
    owner, _, rest = one("owner").partition("；")
    country = re.search(r"\(([A-Z]{2})\)\s*$", owner)
    record = Record(
        kind=kind,
        office=office,
        registration_number=number,
        application_number=application,
        title="" if kind == "trademark" else one("title"),
        mark=Mark(
            verbal=one("mark"),
            feature="unknown",
            transliteration=one("transliteration"),
            translation=one("translation"),
            disclaimer=one("disclaimer"),
            colours=tuple(filter(None, re.split(r"[,;]\s*", one("colours")))),
            vienna=tuple(re.findall(r"\d{1,2}(?:\.\d{1,2}){1,2}", one("vienna"))),
        )
        if kind == "trademark"
        else None,
        owners=(
            Party(
                name=owner.removesuffix(country[0]).strip(" ,") if country else owner,
                country=country[1] if country else "",
            ),
        )
        if owner
        else (),
        representatives=(Party(name=agent),) if (agent := one("representative")) else (),
        classes=_classes(found, kind, notes),
        application_date=days["application_date"],
        publication_date=days["publication_date"],
        registration_date=days["registration_date"],
        expiry_date=days["expiry_date"],
        source=source,
    )
    if rest:
        notes.raw["owner"] = one("owner")[:200]
    return fields.finish(record, notes, status="")


def _day(name: str, text: str, notes: Notes) -> date | None:
    if not text:
        return None
    head = re.match(
        _DAY_HEAD,
        text,
    )
    said = (head[0] if head else text).strip()
    day = fields.day_of_either(said) or fields.day_of(said.split(" ")[0])
    if day is None:
        notes.problem("imports.date_unreadable", field=name, text=text[:60])
    return day


def _classes(found: Mapping[str, list[str]], kind: Kind, notes: Notes) -> tuple[Class, ...]:
    if kind != "trademark":
        return ()
    classes: dict[str, list[Text]] = {}
    for said in found.get("classes", ()):
        head = re.match(
            r"(?:NCL\s*\(?\d*\)?)?\s*((?:\d{1,3}(?:\s*(?:,|、|，|;|and|&)\s*)?)+)\s*(?:[-–:：]\s*(.*))?", said
        )
        if head is None:
            continue
        codes = [notes.nice(code) for code in re.findall(r"\d{1,3}", head[1])]
        for code in filter(None, codes):
            goods = classes.setdefault(code, [])
            if head[2] and len(codes) == 1:
                goods.append(Text(text=head[2].strip()))
    return tuple(Class(scheme="nice", code=code, goods=tuple(goods)) for code, goods in classes.items())
