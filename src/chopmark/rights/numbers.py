"""Numbers of rights: the canonical key of 17 characters (ST.13), and every form in which people write a number.

    st13(record)            "CN500000001234567": office, type of right, thirteen figures or letters
    keys(record)            all keys under which a right is to be found
    asked("第1234567号")     the keys to look for when somebody writes this

A right is found when one of the keys that were asked for is among its keys. A number without its office's letters may
find rights of several offices: that is for a person to choose, not an error.
The key is made of the application's number (ST.13), of the registration's only where an office gives both the same; it
is empty where that is not known. Keys made here are stable; that another register builds the same ones is not promised
for numbers that hold a year.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from chopmark.base.errors import Invalid
from chopmark.rights.offices import Office, canonical, known, office, offices
from chopmark.rights.record import Record

_ST13 = re.compile(r"([A-Z]{2})([0-9]{2})([0-9A-Z]{13})")
_NUMBER = re.compile(r"[0-9A-Z]*[0-9][0-9A-Z]*")
_CHECK = re.compile(r"^(?P<number>.*\d)\s*[.\-/]\s*[0-9X]$")
_WORDS = re.compile(
    r"^(REGISTRATION|REGISTERED|APPLICATION|SERIAL|NUMBER|REG|APP|APPL|TM|NO|NR|SN|第)(?![A-Z])[\s.:°º]*|[号號]$"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class St13:
    """A key taken apart.

    Attributes:
        type: 50 a mark, 80 an international mark, 81 an appellation of origin, 10 a patent, 20 a utility model.
        number: thirteen characters, filled with zeros on the left.
    """

    office: str
    type: str
    number: str

    def text(self) -> str:
        """Its 17 characters."""
        return self.office + self.type + self.number


def parse_st13(text: str) -> St13:
    """Take a key apart; what does not print back is not accepted.

    Raises:
        Invalid: `rules.st13_malformed`.
    """
    found = _ST13.fullmatch(text)
    if found is None or not text.isascii() or canonical(found[1]) != found[1] or not known(found[1]):
        raise Invalid("rules.st13_malformed", st13=text[:40])
    return St13(office=found[1], type=found[2], number=found[3])


def st13(record: Record) -> str:
    """The key of a right; the record's own where it has one, empty where it cannot be made."""
    if record.st13:
        return record.st13
    kind = _type(record)
    if not kind or not known(record.office):
        return ""
    where = office(record.office)
    number = record.application_number or (record.registration_number if where.same else "")
    if where.code == "WO":
        number = record.registration_number or record.application_number
    bare = _bare(number, where)
    if not bare or len(bare) > 13:
        return ""
    return St13(office=where.code, type=kind, number=bare.zfill(13)).text()


def _type(record: Record) -> str:
    international = canonical(record.office) == "WO"
    match record.kind:
        case "trademark":
            return "80" if international else "50"
        case "gi":
            return "81" if international else ""
        case "patent":
            return "" if international else "10"
        case "utility_model":
            return "" if international else "20"
        case _:
            return ""


def keys(record: Record) -> frozenset[str]:
    """Every key under which the right is to be found."""
    found = {st13(record), record.st13} - {""}
    for number in (record.application_number, record.registration_number):
        found |= set(synonyms(number, record.office))
    for each in record.designations:
        found |= set(synonyms(each.number, each.territory))
    return frozenset(found)


def synonyms(number: str, where: str = "") -> tuple[str, ...]:
    """The keys of one number: bare, and with its office where that is given; without and with a check figure."""
    if not number.strip():
        return ()
    if where and known(where):
        here = office(where)
        bare = _variants(number, here)
        return tuple(dict.fromkeys([*(f"{here.code}:{each}" for each in bare), *bare]))
    return tuple(dict.fromkeys(_variants(number, None)))


def asked(text: str) -> tuple[str, ...]:
    """The keys to look for when somebody writes this number, in any form; none for what is no number."""
    folded = _fold(text)
    compact = re.sub(r"[^0-9A-Z]", "", folded) if folded.isascii() else folded
    if _ST13.fullmatch(compact) and known(compact[:2]) and folded == compact:
        return (compact,)
    written = _written_offices(_without_words(folded))
    if written:
        return tuple(f"{each.code}:{bare}" for each in written for bare in dict.fromkeys(_variants(text, each)))
    return tuple(dict.fromkeys(_variants(text, None)))


def _variants(number: str, where: Office | None) -> list[str]:
    found = [_bare(number, where)]
    check = _CHECK.match(_without_words(_fold(number)))
    if check and (where is None or where.check):
        found.append(_bare(check["number"], where))
    return [each for each in found if each]


def _bare(number: str, where: Office | None) -> str:
    """Figures and letters only, without the office's letters and leading zeros; empty where no figure is left."""
    folded = _without_words(_fold(number))
    if where is not None:
        folded = _without_prefix(folded, where)
    folded = re.sub(r"[^0-9A-Z]", "", _without_words(folded)).lstrip("0")
    return folded if _NUMBER.fullmatch(folded) else ""


def _fold(text: str) -> str:
    return unicodedata.normalize("NFKC", text[:200]).upper().strip()


def _without_words(folded: str) -> str:
    """Without what people write around a number, as often as they wrote it."""
    while True:
        shorter = _WORDS.sub("", folded).strip()
        if shorter == folded:
            return folded
        folded = shorter


def _without_prefix(folded: str, where: Office) -> str:
    for prefix in where.prefixes:
        rest = _without_words(folded[len(prefix) :].lstrip(" .:-/"))
        if folded.startswith(prefix) and re.match(r"[^A-Z]*[0-9]", rest):
            return rest
    return folded


def _written_offices(folded: str) -> tuple[Office, ...]:
    """The offices whose letters stand before the figures; IR is Iran's as well as the international register's."""
    head = re.match(r"^[^0-9]*?(?=[^A-Z]*[0-9])", folded)
    letters = re.split(r"[\s.:\-/第]+", head[0].strip(" .:-/第"))[0] if head else ""
    return tuple(each for each in offices() if letters in each.prefixes)
