"""A claim compared with an office's record: field by field, tolerant of what is harmless, explained always.

Harmless: width, case, spaces, punctuation, diacritics, traditional or simplified characters, a legal form that one side
left out, a transliteration that the record itself gives, fewer classes or territories than the record's, what was left
out and the record fills in, an owner before or after an assignment that is known. Never harmless: another number, more
classes or territories than the record's, a right that has ended, another owner without a chain.

What is compared is what both records say; nothing here asks whether a claim is honest.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from functools import cache
from typing import Any, Literal, cast

from chopmark.rights import offices, territories
from chopmark.rights.numbers import synonyms
from chopmark.rights.record import (
    Class,
    Designation,
    Difference,
    Interest,
    Level,
    Mark,
    Party,
    Record,
    Scheme,
    Status,
    Text,
    Verdict,
)

Method = Literal["papers", "office_record", "control", "signed"]

DEAD = frozenset({"ended", "expired", "deleted"})
_REACHED: Mapping[str, Level] = {"papers": 1, "office_record": 2, "control": 3, "signed": 4}

RULES: tuple[str, ...] = (
    "case",
    "width",
    "spaces",
    "punctuation",
    "diacritics",
    "script",
    "legal_form",
    "other_legal_form",
    "transliteration",
    "identifier",
    "transliteration_claimed",
    "number_form",
    "filled_in",
    "not_in_record",
    "fewer_classes",
    "more_classes",
    "fewer_territories",
    "more_territories",
    "assignment",
    "co_owner_not_named",
    "other_owner",
    "other_number",
    "other_office",
    "other_kind",
    "other_words",
    "other_date",
    "other_feature",
    "office_later",
    "status_pending",
    "status_unknown",
    "status_newer",
    "dead",
)
"""Every rule that a difference may name; each is worded as `rules.difference_<rule>`."""


def compare(claimed: Record, found: Record, *, chain: Iterable[Interest] = ()) -> tuple[Difference, ...]:
    """What a claim and an office's record say of the same right, in the order of the fields, equal ones too.

    Args:
        claimed: what the holder says.
        found: what the office says.
        chain: interests that are known of the right; an assignment among them may explain another owner.
    """
    return (
        _plainly("kind", claimed.kind, found.kind, "other_kind"),
        _plainly("office", offices.canonical(claimed.office), offices.canonical(found.office), "other_office"),
        *_numbers(claimed, found),
        _words(claimed.mark or Mark(verbal=claimed.title), found.mark or Mark(verbal=found.title)),
        *_feature(claimed.mark, found.mark),
        *_owners(claimed.owners, found.owners, tuple(chain)),
        _status(claimed, found),
        *_classes(claimed, found),
        *_goods(claimed, found),
        *_class_days(claimed, found),
        _territories(claimed, found),
        *_designations(claimed, found),
        _date("application_date", claimed.application_date, found.application_date),
        _date("registration_date", claimed.registration_date, found.registration_date),
        _expiry(claimed.expiry_date, found.expiry_date),
    )


def level_of(differences: Sequence[Difference], method: Method) -> Level:
    """The level that a comparison leads to: none with a contradiction, 1 where a paper is still needed.

    Without either it is the method's own: 1 papers, 2 an office's record, 3 control shown, 4 signed by an office.
    """
    verdicts = {each.verdict for each in differences}
    if "contradiction" in verdicts:
        return 0
    return 1 if "needs_paper" in verdicts else _REACHED[method]


def confirmed(record: Record, differences: Iterable[Difference]) -> Record:
    """The record with what a comparison added to it: left out in the claim, or newer at the office.

    Only what was tolerated as such: nothing that the claim says otherwise is replaced.
    """
    changes: dict[str, Any] = {}
    classes = list(record.classes)
    for each in differences:
        if each.verdict != "tolerated" or each.rule not in ("filled_in", "office_later", "status_newer"):
            continue
        field, _, scheme = each.field.partition(".")
        match field:
            case "status" | "registration_number" | "application_number":
                changes[field] = each.found
            case "application_date" | "registration_date" | "expiry_date":
                changes[field] = date.fromisoformat(each.found)
            case "classes" if scheme.endswith((".since", ".until")):
                classes = [_with_day(one, scheme, each.found) for one in classes]
                changes["classes"] = tuple(classes)
            case "classes" if scheme.endswith(".goods"):
                listed = {_code(code) for code in each.found.split(", ")}
                classes = [_with_goods(one, scheme.removesuffix(".goods"), listed) for one in classes]
                changes["classes"] = tuple(classes)
            case "classes":
                classes += [Class(scheme=cast("Scheme", scheme), code=code) for code in each.found.split(", ") if code]
                changes["classes"] = tuple(classes)
            case "designations":
                before = changes.get("designations", _designated(record))
                changes["designations"] = tuple(_designation_changed(one, scheme, each.found) for one in before)
            case _:
                pass
    return replace(record, **changes) if changes else record


def _with_goods(one: Class, scheme: str, listed: set[str]) -> Class:
    """The class with a list of goods in it that only the office has."""
    return replace(one, goods=(AT_OFFICE,)) if one.scheme == scheme and _code(one.code) in listed else one


def _with_day(one: Class, which: str, found: str) -> Class:
    """The class with a day that only the office says; `which` is `nice.25.since`."""
    where, _, name = which.rpartition(".")
    if f"{one.scheme}.{_code(one.code)}" != where:
        return one
    day = date.fromisoformat(found)
    return replace(one, since=day) if name == "since" else replace(one, until=day)


def _designation_changed(one: Designation, which: str, found: str) -> Designation:
    """The designation with what the office says of it; `which` is `CN.status`."""
    territory, _, name = which.partition(".")
    if territories.canonical(one.territory) != territory:
        return one
    match name:
        case "status":
            return replace(one, status=cast("Status", found))
        case "since":
            return replace(one, since=date.fromisoformat(found))
        case "until":
            return replace(one, until=date.fromisoformat(found))
        case "classes":
            return replace(one, classes=tuple(found.split(", ")))
        case _:
            return one


AT_OFFICE = Text(text="")
"""Stands for a list of goods that the office has and the claim leaves out: it is not the class as a whole."""

SURE = frozenset(("", "case", "width", "spaces", "punctuation", "diacritics", "script", "legal_form"))
"""Rules by which two names are one without anybody's word for it: nothing that a claimant adds is among them."""


def register_words(record: Record, differences: Iterable[Difference]) -> str:
    """The words of the sign as the office has them, where they were compared; otherwise the claim's."""
    found = [each.found for each in differences if each.field == "verbal" and each.verdict != "contradiction"]
    return next((each for each in found if each), record.mark.verbal if record.mark is not None else "")


def register_owners(record: Record, differences: Iterable[Difference]) -> tuple[Party, ...]:
    """The owners by the names that the office has of them, where they were compared; otherwise the claim's.

    Without what the claimant says that they are called besides, and without identifiers that he gave.
    """
    known = [each for each in differences if each.field == "owners" and each.verdict != "contradiction"]
    named = [each for each in known if each.rule not in ("assignment", "co_owner_not_named", "filled_in")]
    if not named or any(each.rule == "assignment" for each in known):
        return tuple(replace(each, also=(), identifiers=()) for each in record.owners)
    countries = {each.name: each.country for each in record.owners}
    return tuple(Party(name=each.found or each.claimed, country=countries.get(each.claimed, "")) for each in named)


def surely_same(one: Party, other: Party) -> bool:
    """Whether two parties have one name, and no two countries."""
    apart = one.country and other.country and one.country != other.country
    return not apart and _same_name(one.name, other.name) in SURE


# ---- the fields ------------------------------------------------------------------------------------------------------


def _plainly(field: str, claimed: str, found: str, rule: str) -> Difference:
    if claimed == found:
        return Difference(field=field, claimed=claimed, found=found, verdict="equal")
    return Difference(field=field, claimed=claimed, found=found, verdict="contradiction", rule=rule)


def _numbers(claimed: Record, found: Record) -> list[Difference]:
    """At least one number has to be the record's; none may be another."""
    told = []
    for field in ("registration_number", "application_number"):
        ours, theirs = getattr(claimed, field), getattr(found, field)
        if not ours and not theirs:
            continue
        told.append(_number(field, ours, theirs, claimed.office))
    if not any(each.claimed and each.found for each in told):
        number = claimed.registration_number or claimed.application_number
        other = found.registration_number or found.application_number
        crossed = _number("number", number, other, claimed.office)
        return [crossed] if number and crossed.verdict != "contradiction" else [_needs("number", number, other)]
    return told


def _number(field: str, ours: str, theirs: str, office: str) -> Difference:
    if not ours:
        return _tolerated(field, ours, theirs, "filled_in")
    if not theirs:
        return _needs(field, ours, theirs)
    if ours == theirs:
        return Difference(field=field, claimed=ours, found=theirs, verdict="equal")
    if set(synonyms(ours, office)) & set(synonyms(theirs, office)):
        return _tolerated(field, ours, theirs, "number_form")
    return Difference(field=field, claimed=ours, found=theirs, verdict="contradiction", rule="other_number")


def _words(claimed: Mark, found: Mark) -> Difference:
    if not claimed.verbal:
        verdict: Verdict = "tolerated" if found.verbal else "equal"
        rule = "filled_in" if found.verbal else ""
        return Difference(field="verbal", claimed="", found=found.verbal, verdict=verdict, rule=rule)
    if not found.verbal:
        return _needs("verbal", claimed.verbal, "")
    rule_found = _same_words(claimed.verbal, found.verbal)
    if rule_found is not None:
        return _by_rule("verbal", claimed.verbal, found.verbal, rule_found)
    # What the words mean in another language is not the sign.
    if found.transliteration and _same_words(claimed.verbal, found.transliteration) is not None:
        return _tolerated("verbal", claimed.verbal, found.verbal, "transliteration")
    return Difference(
        field="verbal", claimed=claimed.verbal, found=found.verbal, verdict="contradiction", rule="other_words"
    )


def _feature(claimed: Mark | None, found: Mark | None) -> list[Difference]:
    ours, theirs = (each.feature if each is not None else "unknown" for each in (claimed, found))
    if "unknown" in (ours, theirs):
        return []
    if ours == theirs:
        return [Difference(field="feature", claimed=ours, found=theirs, verdict="equal")]
    return [Difference(field="feature", claimed=ours, found=theirs, verdict="needs_paper", rule="other_feature")]


def _owners(claimed: Sequence[Party], found: Sequence[Party], chain: tuple[Interest, ...]) -> list[Difference]:
    ours, theirs = "; ".join(each.name for each in claimed), "; ".join(each.name for each in found)
    if not found:
        return [_needs("owners", ours, theirs)]
    if not claimed:
        return [Difference(field="owners", claimed=ours, found=theirs, verdict="needs_paper", rule="filled_in")]
    told = [_owner(each, found, chain) for each in claimed]
    named = {id(other) for each in claimed for other in found if same_party(each, other) is not None}
    left = [each.name for each in found if id(each) not in named]
    if left and not any(each.rule in ("other_owner", "assignment") for each in told):
        told.append(
            Difference(
                field="owners", claimed="", found="; ".join(left), verdict="needs_paper", rule="co_owner_not_named"
            )
        )
    return told


def _owner(claimed: Party, found: Sequence[Party], chain: tuple[Interest, ...]) -> Difference:
    theirs = "; ".join(each.name for each in found)
    rules = [(rule, other) for other in found if (rule := same_party(claimed, other)) is not None]
    if rules:
        rule, other = min(rules, key=lambda each: ("", *RULES).index(each[0]))
        return _by_rule("owners", claimed.name, other.name, rule)
    for step in chain:
        if step.role not in ("assignee", "owner") or step.ended_on is not None:
            continue
        # The office still names who assigned it to the claimant, or already names who got it from him.
        if any(same_party(each, step.party) is not None for each in (claimed, *found)):
            verdict: Verdict = "tolerated" if step.recorded_at_office else "needs_paper"
            return Difference(field="owners", claimed=claimed.name, found=theirs, verdict=verdict, rule="assignment")
    return Difference(field="owners", claimed=claimed.name, found=theirs, verdict="contradiction", rule="other_owner")


def _status(claimed: Record, found: Record) -> Difference:
    ours, theirs = claimed.status, found.status
    verdict: Verdict
    match theirs:
        case "ended" | "expired" | "deleted":
            verdict, rule = "contradiction", "dead"
        case "unknown":
            verdict, rule = "needs_paper", "status_unknown"
        case "pending" if ours == "registered":
            verdict, rule = "contradiction", "status_pending"
        case _ if ours == theirs:
            verdict, rule = "equal", ""
        case _ if ours == "unknown":
            verdict, rule = "tolerated", "filled_in"
        case _:
            verdict, rule = "tolerated", "status_newer"
    return Difference(field="status", claimed=ours, found=theirs, verdict=verdict, rule=rule)


def _classes(claimed: Record, found: Record) -> list[Difference]:
    schemes = sorted({each.scheme for each in claimed.classes} | {each.scheme for each in found.classes})
    return [_class_codes(scheme, claimed.classes, found.classes) for scheme in schemes]


def _class_codes(scheme: str, claimed: Iterable[Class], found: Iterable[Class]) -> Difference:
    ours = {_code(each.code) for each in claimed if each.scheme == scheme}
    theirs = {_code(each.code) for each in found if each.scheme == scheme and _goes_on(each, claimed)}
    field, mine, his = (
        f"classes.{scheme}",
        ", ".join(sorted(ours, key=_in_order)),
        ", ".join(sorted(theirs, key=_in_order)),
    )
    if ours == theirs:
        return Difference(field=field, claimed=mine, found=his, verdict="equal")
    if not ours:
        return _tolerated(field, mine, his, "filled_in")
    if not theirs:
        return _needs(field, mine, his)
    if ours < theirs:
        return _tolerated(field, mine, his, "fewer_classes")
    return Difference(field=field, claimed=mine, found=his, verdict="contradiction", rule="more_classes")


def _goes_on(one: Class, claimed: Iterable[Class]) -> bool:
    """Whether the office's class has no end, or the claim says as early a one."""
    if one.until is None:
        return True
    same = [each.until for each in claimed if (each.scheme, _code(each.code)) == (one.scheme, _code(one.code))]
    return bool(same) and all(each is not None and each <= one.until for each in same)


def _classes_with_left_out(claimed: Record, found: Record) -> tuple[Class, ...]:
    """What is claimed, and of schemes that the claim leaves out what is filled in: the office's classes."""
    schemes = {each.scheme for each in claimed.classes}
    added = [each for each in found.classes if each.scheme not in schemes and each.until is None]
    return (*claimed.classes, *(Class(scheme=each.scheme, code=each.code) for each in added))


def _goods(claimed: Record, found: Record) -> list[Difference]:
    """The classes of which the office lists goods and the claim does not: leaving them out claims no more."""
    told = []
    ours = _classes_with_left_out(claimed, found)
    for scheme in sorted({each.scheme for each in ours}):
        whole = {_code(each.code) for each in ours if each.scheme == scheme and not each.goods}
        listed = {_code(each.code) for each in found.classes if each.scheme == scheme and each.goods}
        if whole & listed:
            codes = ", ".join(sorted(whole & listed, key=_in_order))
            told.append(_tolerated(f"classes.{scheme}.goods", "", codes, "filled_in"))
    return told


def _class_days(claimed: Record, found: Record) -> list[Difference]:
    """Classes that came to the right later, or end: who leaves the day out claims no more than the office says."""
    told = []
    for ours in _classes_with_left_out(claimed, found):
        where = f"classes.{ours.scheme}.{_code(ours.code)}"
        same = [each for each in found.classes if (each.scheme, _code(each.code)) == (ours.scheme, _code(ours.code))]
        since = min((each.since or date.min for each in same), default=date.min)
        until = max((each.until or date.max for each in same), default=date.max)
        if since > date.min and (ours.since is None or ours.since < since):
            told.append(_day(f"{where}.since", ours.since, since))
        if until < date.max and (ours.until is None or ours.until > until):
            told.append(_day(f"{where}.until", ours.until, until))
    return list(dict.fromkeys(told))


def _day(field: str, claimed: date | None, found: date) -> Difference:
    if claimed is None:
        return _tolerated(field, "", found.isoformat(), "filled_in")
    return _contradicts(field, claimed.isoformat(), found.isoformat(), "other_date")


def _territories(claimed: Record, found: Record) -> Difference:
    ours, theirs = _reach(claimed), _reach(found)
    mine, his = ", ".join(sorted(ours)), ", ".join(sorted(theirs))
    if ours == theirs:
        return Difference(field="territories", claimed=mine, found=his, verdict="equal")
    if not ours:
        return _tolerated("territories", mine, his, "filled_in")
    if not theirs:
        return _needs("territories", mine, his)
    if ours < theirs:
        return _tolerated("territories", mine, his, "fewer_territories")
    return Difference(field="territories", claimed=mine, found=his, verdict="contradiction", rule="more_territories")


def _reach(record: Record) -> set[str]:
    named = {territories.canonical(each.territory) for each in record.designations if each.status not in DEAD}
    if named or not offices.known(record.office):
        return named
    return {offices.office(record.office).territory} - {""}


def _designations(claimed: Record, found: Record) -> list[Difference]:
    """What differs of the territories that both name: no claim makes one granted, earlier, longer or wider."""
    told = []
    for ours in _designated(claimed):
        where = territories.canonical(ours.territory)
        same = [each for each in found.designations if territories.canonical(each.territory) == where]
        if same and ours.status not in DEAD:
            theirs = min(same, key=lambda each: each.status != "registered")
            told += [each for each in _designation(where, ours, theirs, found) if each not in told]
    return told


def _designated(record: Record) -> tuple[Designation, ...]:
    """What it designates: its office's own territory where it names none."""
    own = offices.office(record.office).territory if offices.known(record.office) else ""
    return record.designations or ((Designation(territory=own),) if own else ())


def _designation(where: str, ours: Designation, theirs: Designation, found: Record) -> Iterable[Difference]:
    field = f"designations.{where}"
    own = offices.office(found.office).territory if offices.known(found.office) else ""
    if ours.status != theirs.status and not (theirs.status == "unknown" and own == where):
        rule = "filled_in" if ours.status == "unknown" else "status_newer"
        yield _tolerated(f"{field}.status", ours.status, theirs.status, rule)
    begun = theirs.since or found.registration_date
    if ours.since is None and theirs.since is not None:
        yield _tolerated(f"{field}.since", "", theirs.since.isoformat(), "filled_in")
    elif ours.since is not None and begun is not None and ours.since < begun:
        yield _contradicts(f"{field}.since", ours.since.isoformat(), begun.isoformat(), "other_date")
    elif ours.since is not None and begun is None:
        yield _needs(f"{field}.since", ours.since.isoformat(), "")
    if theirs.until is not None and ours.until is None:
        yield _tolerated(f"{field}.until", "", theirs.until.isoformat(), "filled_in")
    elif theirs.until is not None and ours.until is not None and theirs.until < ours.until:
        yield _contradicts(f"{field}.until", ours.until.isoformat(), theirs.until.isoformat(), "other_date")
    mine, his = ", ".join(ours.classes), ", ".join(theirs.classes)
    if theirs.classes and not ours.classes:
        yield _tolerated(f"{field}.classes", mine, his, "filled_in")
    elif theirs.classes and {_code(each) for each in ours.classes} - {_code(each) for each in theirs.classes}:
        yield _contradicts(f"{field}.classes", mine, his, "more_classes")


def _contradicts(field: str, claimed: str, found: str, rule: str) -> Difference:
    return Difference(field=field, claimed=claimed, found=found, verdict="contradiction", rule=rule)


def _date(field: str, claimed: date | None, found: date | None) -> Difference:
    ours, theirs = (each.isoformat() if each is not None else "" for each in (claimed, found))
    if ours == theirs:
        return Difference(field=field, claimed=ours, found=theirs, verdict="equal")
    if not ours:
        return _tolerated(field, ours, theirs, "filled_in")
    if not theirs:
        return _needs(field, ours, theirs)
    return Difference(field=field, claimed=ours, found=theirs, verdict="contradiction", rule="other_date")


def _expiry(claimed: date | None, found: date | None) -> Difference:
    """Where the office's day is the later one, it was renewed and the claim is old."""
    if claimed is not None and found is not None and claimed < found:
        return _tolerated("expiry_date", claimed.isoformat(), found.isoformat(), "office_later")
    return _date("expiry_date", claimed, found)


def _tolerated(field: str, claimed: str, found: str, rule: str) -> Difference:
    return Difference(field=field, claimed=claimed, found=found, verdict="tolerated", rule=rule)


def _needs(field: str, claimed: str, found: str) -> Difference:
    return Difference(field=field, claimed=claimed, found=found, verdict="needs_paper", rule="not_in_record")


def _by_rule(field: str, claimed: str, found: str, rule: str) -> Difference:
    verdict: Verdict = "tolerated" if rule else "equal"
    if rule in ("other_legal_form", "transliteration_claimed"):
        verdict = "needs_paper"
    return Difference(field=field, claimed=claimed, found=found, verdict=verdict, rule=rule)


# ---- words and names -------------------------------------------------------------------------------------------------


def _same_words(one: str, other: str) -> str | None:
    """The last rule that is needed to make them the same; empty when they are, None when nothing does."""
    if one == other:
        return ""
    for rule, step in _STEPS:
        one, other = step(one), step(other)
        if one == other and one:
            return rule
    return None


def same_party(one: Party, other: Party) -> str | None:
    """The rule by which two parties are the same, empty for the same name, None for others.

    What the second is also called is known; what the first says it is also called has to be shown.
    """
    rule = _same_name(one.name, other.name)
    if rule is not None:
        return rule
    shared = {(each.scheme, each.value) for each in one.identifiers if each.value}
    if shared & {(each.scheme, each.value) for each in other.identifiers}:
        return "identifier"
    if any(_same_name(one.name, each.text) is not None for each in other.also):
        return "transliteration"
    theirs = [other.name, *(each.text for each in other.also)]
    said = any(_same_name(mine.text, name) is not None for mine in one.also for name in theirs)
    return "transliteration_claimed" if said else None


def _same_name(one: str, other: str) -> str | None:
    rule = _same_words(one, other)
    if rule is not None:
        return rule
    (mine, my_form), (his, his_form) = _without_form(one), _without_form(other)
    if not mine or _folded(mine) != _folded(his):
        return None
    return "legal_form" if not my_form or not his_form or my_form == his_form else "other_legal_form"


def _without_form(name: str) -> tuple[str, frozenset[str]]:
    """The name without its legal form, and which form that was."""
    text = unicodedata.normalize("NFKC", _simplified(name)).casefold().replace(".", "")
    for ending in _HAN_FORMS:
        if text.strip().endswith(ending) and text.strip() != ending:
            return text.strip().removesuffix(ending), frozenset({ending})
    for start in ("株式会社", "(株)", "주식회사", "(주)"):
        if text.strip().startswith(start):
            return text.strip().removeprefix(start), frozenset({"株式会社"})
    words = [word for word in re.split(r"[^\w/]+", text) if word]
    forms = set()
    while len(words) > 1 and words[-1] in _FORMS:
        forms.add(_FORMS[words.pop()])
    if len(forms - {"co", ""}) > 0:
        forms.discard("co")
    return " ".join(words[1:] if len(words) > 1 and words[0] == "the" else words), frozenset(forms - {""})


def _folded(text: str) -> str:
    for _, step in _STEPS:
        text = step(text)
    return text


def _narrow(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


def _without_spaces(text: str) -> str:
    return "".join(text.split())


def _without_punctuation(text: str) -> str:
    # An ampersand is a word in many languages and is written out as often as not.
    return "".join(each for each in text.replace("&", "and") if unicodedata.category(each)[0] not in "PSC")


def _without_diacritics(text: str) -> str:
    bare = unicodedata.normalize("NFKD", text.translate(_LETTERS))
    return "".join(each for each in bare if not unicodedata.combining(each))


@cache
def _converter() -> Any:  # noqa: ANN401 (the library has no types)
    import opencc  # noqa: PLC0415 (its dictionaries are needed for Chinese text alone)

    return opencc.OpenCC("t2s")


def _simplified(text: str) -> str:
    if text.isascii():
        return text
    converted: str = _converter().convert(text)
    return converted


def _code(code: str) -> str:
    return code.strip().upper().lstrip("0") or "0"


def _in_order(code: str) -> tuple[int, str]:
    return (len(code), code)


_LETTERS = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ß": "ss", "æ": "ae", "œ": "oe", "þ": "th", "ð": "d", "ı": "i"})
_STEPS: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("width", _narrow),
    ("case", str.casefold),
    ("spaces", _without_spaces),
    ("punctuation", _without_punctuation),
    ("diacritics", _without_diacritics),
    ("script", _simplified),
)

_HAN_FORMS = ("股份有限公司", "有限责任公司", "有限公司", "股份公司", "株式会社", "合同会社", "주식회사")
_FORMS: Mapping[str, str] = {
    "and": "",
    "co": "co",
    "company": "co",
    "ltd": "ltd",
    "limited": "ltd",
    "pte": "",
    "pty": "",
    "pvt": "",
    "private": "",
    "proprietary": "",
    "plc": "plc",
    "inc": "inc",
    "incorporated": "inc",
    "corp": "corp",
    "corporation": "corp",
    "llc": "llc",
    "llp": "llp",
    "lp": "lp",
    "gmbh": "gmbh",
    "mbh": "gmbh",
    "ag": "ag",
    "aktiengesellschaft": "ag",
    "kg": "kg",
    "se": "se",
    "sa": "sa",
    "sas": "sas",
    "sarl": "sarl",
    "sàrl": "sarl",
    "srl": "srl",
    "spa": "spa",
    "sl": "sl",
    "slu": "sl",
    "bv": "bv",
    "nv": "nv",
    "ab": "ab",
    "as": "as",
    "a/s": "as",
    "aps": "aps",
    "asa": "asa",
    "oy": "oy",
    "oyj": "oyj",
    "kft": "kft",
    "zrt": "zrt",
    "doo": "doo",
    "ooo": "ooo",
    "jsc": "jsc",
    "kk": "株式会社",
    "ltda": "ltda",
    "de": "",
    "cv": "sa de cv",
}
