"""How rights are shown: words in the reader's language, rows for templates.

No rule stands here, and nothing is read from a database.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from functools import cache
from typing import Any

from django.utils.translation import gettext_lazy as _

from chopmark.base.errors import Invalid, PlatformError
from chopmark.base.wording import Language, catalogue, say
from chopmark.rights import offices, territories
from chopmark.rights.record import Designation, Difference, Interest, Record, Right, Text
from chopmark.web.context import language
from chopmark.web.views import territory_map

KIND_WORDS = {
    "trademark": _("Trade mark"),
    "design": _("Design"),
    "patent": _("Patent"),
    "utility_model": _("Utility model"),
    "copyright": _("Copyright"),
    "neighbouring": _("Neighbouring right"),
    "gi": _("Geographical indication"),
    "trade_name": _("Trade name"),
    "domain": _("Domain name"),
}
STATE_WORDS = {
    "draft": _("Draft"),
    "submitted": _("Submitted"),
    "checking": _("Being checked"),
    "incorrect": _("To be corrected"),
    "verified": _("Verified"),
    "suspended": _("Suspended"),
    "expiring": _("Expires soon"),
    "grace": _("In the grace period"),
    "expired": _("Expired"),
    "assigned_away": _("Assigned to somebody else"),
    "withdrawn": _("Withdrawn"),
    "cancelled": _("Cancelled"),
    "refused": _("Refused"),
}
STATE_MARKS = {
    "verified": "mark-good",
    "submitted": "mark-wait",
    "checking": "mark-wait",
    "incorrect": "mark-bad",
    "suspended": "mark-bad",
    "expiring": "mark-wait",
    "grace": "mark-wait",
    "expired": "mark-bad",
    "cancelled": "mark-bad",
    "refused": "mark-bad",
}
STATUS_WORDS = {
    "registered": _("Registered"),
    "pending": _("Pending at the office"),
    "ended": _("Ended"),
    "expired": _("Expired"),
    "deleted": _("Deleted"),
    "unknown": _("Unknown"),
}
STATUS_MARKS = {"registered": "mark-good", "pending": "mark-wait", "unknown": ""}
LEVEL_WORDS = {
    0: _("Claimed"),
    1: _("Papers read"),
    2: _("Equal to the office's record"),
    3: _("Control shown"),
    4: _("Signed by an office"),
}
ROLE_WORDS = {
    "owner": _("Right holder"),
    "co_owner": _("Co-owner"),
    "assignee": _("Assignee"),
    "licensee_exclusive": _("Exclusive licensee"),
    "licensee": _("Licensee"),
    "authorised_seller": _("Authorised seller"),
    "pledgee": _("Pledgee"),
    "collecting_society": _("Collecting society"),
}
VIA_WORDS = {"direct": "", "madrid": _("Madrid"), "hague": _("The Hague"), "regional": _("Regional")}
SCHEME_WORDS = {
    "nice": _("Nice"),
    "locarno": _("Locarno"),
    "ipc": "IPC",
    "cpc": "CPC",
    "us": _("US class"),
    "cn_subclass": _("CN subclass"),
    "jp_kr_similar_group": _("Similar group"),
}
FEATURE_WORDS = {
    "word": _("Word mark"),
    "figurative": _("Figurative mark"),
    "combined": _("Combined mark"),
    "three_dimensional": _("Three-dimensional mark"),
    "colour": _("Colour mark"),
    "sound": _("Sound mark"),
    "hologram": _("Hologram"),
    "olfactory": _("Smell mark"),
    "motion": _("Motion mark"),
    "position": _("Position mark"),
    "multimedia": _("Multimedia mark"),
    "pattern": _("Pattern mark"),
    "other": _("Other mark"),
}
DIFFERENCE_WORDS = {
    "equal": _("Equal"),
    "tolerated": _("Tolerated"),
    "needs_paper": _("Needs a paper"),
    "contradiction": _("Contradiction"),
}
DIFFERENCE_MARKS = {
    "equal": "mark-good",
    "tolerated": "mark-good",
    "needs_paper": "mark-wait",
    "contradiction": "mark-bad",
}
FIELD_WORDS = {
    "kind": _("Kind of right"),
    "office": _("Office"),
    "number": _("Number"),
    "st13": "ST.13",
    "application_number": _("Application number"),
    "registration_number": _("Registration no."),
    "title": _("Title"),
    "mark": _("Mark"),
    "verbal": _("Words of the mark"),
    "owner": _("Right holder"),
    "owners": _("Right holder"),
    "classes": _("Classes"),
    "designations": _("Territories"),
    "territories": _("Territories"),
    "application_date": _("Applied for on"),
    "publication_date": _("Published on"),
    "registration_date": _("Registered on"),
    "expiry_date": _("Valid until"),
    "status": _("Status"),
    "status_date": _("Status since"),
    "image": _("Picture of the sign"),
    "feature": _("Kind of mark"),
}
FORMAT_WORDS = {
    "form": _("typed"),
    "csv": _("a table"),
    "st66": "WIPO ST.66",
    "st96": "WIPO ST.96",
    "rfc7848": _("a signed mark (RFC 7848)"),
    "euipo": "EUIPO",
    "tsdr": "USPTO TSDR",
    "certificate": _("a certificate"),
    "snapshot": _("an office's snapshot"),
}
EVENT_WORDS = {
    "filed": _("Filed"),
    "paper_added": _("Paper added"),
    "amended": _("Record changed"),
    "submitted": _("Submitted for checking"),
    "checked": _("Compared with the office's record"),
    "found_incorrect": _("Found incorrect"),
    "verified": _("Verified"),
    "interest_granted": _("Licence granted"),
    "interest_ended": _("Licence ended"),
    "assigned": _("Assigned"),
    "customs_recorded": _("Recorded at customs"),
    "dispute_opened": _("Dispute opened"),
    "dispute_closed": _("Dispute closed"),
    "expiring": _("Expires soon"),
    "grace": _("Grace period begun"),
    "expired": _("Expired"),
    "renewal_claimed": _("Renewal claimed by the holder"),
    "renewed": _("Renewed"),
    "withdrawn": _("Withdrawn"),
    "cancelled": _("Cancelled"),
    "refused": _("Refused"),
    "mandate_given": _("Power of attorney given"),
    "mandate_accepted": _("Power of attorney accepted"),
    "mandate_revoked": _("Power of attorney revoked"),
}
GOOD_EVENTS = ("verified", "renewed", "dispute_closed")
BAD_EVENTS = ("found_incorrect", "dispute_opened", "expired", "cancelled", "refused")
DISPUTE_WORDS = {
    "opposition": _("Opposition"),
    "invalidity": _("Invalidity"),
    "revocation": _("Revocation"),
    "ownership": _("Ownership"),
    "bad_faith": _("Bad faith"),
    "counter_notice": _("Counter-notice"),
    "court": _("Court case"),
    "udrp": "UDRP",
    "same_territory": _("Same territory and class"),
}
EFFECT_WORDS = {
    "none": _("no effect while it is open"),
    "suspend": _("suspends the right while it is open"),
    "limit": _("limits the right while it is open"),
}
IN_FORCE = ("registered",)
OVER = ("ended", "expired", "deleted")

Choices = list[tuple[str, Any]]


def in_words(words: Mapping[Any, Any], key: object) -> str:
    """The word, or the code itself where there is none."""
    return str(words.get(key, key))


def territory_name(code: str) -> str:
    """A territory's name in the reader's language; the code where it is not known."""
    try:
        found = territories.territory(code)
    except Invalid:
        return code
    return found.zh if language() == "zh" else found.en


@cache
def _territory_names(spoken: Language) -> dict[str, str]:
    return {each.code: each.zh if spoken == "zh" else each.en for each in territories.territories()}


def territory_names() -> dict[str, str]:
    """Code to name, in the reader's language."""
    return _territory_names(language())


def territory_choices() -> Choices:
    """For a datalist or a select: regions first, then countries."""
    found = sorted(territories.territories(), key=lambda each: (not each.region, each.code))
    names = territory_names()
    return [(each.code, f"{each.code} · {names[each.code]}") for each in found]


def best_text(texts: Sequence[Text]) -> str:
    """The text in the reader's language, else the English, else the first one."""
    if not texts:
        return ""
    wanted = "zh" if language() == "zh" else "en"
    for start in (wanted, "en", ""):
        for each in texts:
            if each.lang.lower().startswith(start):
                return each.text
    return texts[0].text


def name_of(record: Record) -> str:
    """How a right is called on a page: the words of the mark, else its title, else its number."""
    verbal = record.mark.verbal if record.mark is not None else ""
    return verbal or record.title or record.registration_number or record.application_number or str(_("Without words"))


def numbers_of(record: Record) -> str:
    """Office and number, as people quote them."""
    number = record.registration_number or record.application_number
    return " ".join(part for part in (record.office, number) if part)


def level_facts(level: int) -> dict[str, Any]:
    """Five steps, the reached ones painted."""
    return {
        "level": level,
        "text": in_words(LEVEL_WORDS, level),
        "bars": [{"x": step * 11, "on": step <= level and level > 0} for step in range(1, 5)],
    }


def class_facts(record: Record) -> list[dict[str, Any]]:
    """The classes of a record, in order of scheme and number."""
    found = []
    for each in sorted(record.classes, key=lambda one: (one.scheme, one.code.rjust(12, "0"))):
        goods = best_text(each.goods)
        found.append(
            {
                "scheme": in_words(SCHEME_WORDS, each.scheme),
                "code": each.code,
                "edition": each.edition,
                "goods": goods,
                "long": len(goods) > 280,
                "since": each.since,
                "until": each.until,
            }
        )
    return found


def _paint(one: Designation, on: date) -> str:
    if one.status in OVER or (one.until is not None and one.until <= on):
        return "no"
    if one.status in IN_FORCE and (one.since is None or one.since <= on):
        return "yes"
    return "wait"


_ORDER = {"yes": 3, "wait": 2, "no": 1}


def places(record: Record) -> tuple[Designation, ...]:
    """Where the right is; what its record names or, where it names nothing, its office's own territory."""
    own = offices.office(record.office).territory if offices.known(record.office) else ""
    if record.designations or not own:
        return record.designations
    return (Designation(territory=own, status=record.status, since=record.registration_date),)


def designation_facts(record: Record) -> list[dict[str, Any]]:
    """Where the right stands, one row a territory."""
    return [
        {
            "code": each.territory,
            "name": territory_name(each.territory),
            "status": in_words(STATUS_WORDS, each.status),
            "mark": STATUS_MARKS.get(each.status, "mark-bad"),
            "number": each.number,
            "via": in_words(VIA_WORDS, each.via),
            "since": each.since,
            "until": each.until,
            "classes": ", ".join(each.classes),
        }
        for each in places(record)
    ]


def map_facts(painted: Iterable[tuple[str, str]], on: date) -> dict[str, Any]:
    """The map for a template; of a region every member of the day is painted, and the stronger paint wins."""
    states: dict[str, str] = {}
    for code, paint in painted:
        try:
            reached = territories.members(code, on)
        except Invalid:
            reached = frozenset({code})
        for country in reached:
            if _ORDER.get(paint, 0) > _ORDER.get(states.get(country, ""), 0):
                states[country] = paint
    return {
        "tiles": territory_map.tiles(states, territory_names()),
        "width": territory_map.WIDTH,
        "height": territory_map.HEIGHT,
        "used": sorted(set(states.values()), key=lambda each: -_ORDER[each]),
    }


def map_of(record: Record, on: date) -> dict[str, Any]:
    """The map of a record's territories."""
    return map_facts(((each.territory, _paint(each, on)) for each in places(record)), on)


def interest_tree(interests: Sequence[Interest], on: date) -> list[dict[str, Any]]:
    """Grants under what they hang on, as nested rows; one whose root is missing stands at the top."""
    known = {each.id for each in interests}
    below: dict[str, list[Interest]] = {}
    for each in interests:
        below.setdefault(each.granted_by if each.granted_by in known else "", []).append(each)

    def rows(parent: str, deep: int) -> list[dict[str, Any]]:
        return [
            {**interest_facts(each, on), "below": rows(each.id, deep + 1) if deep < len(known) else []}
            for each in below.get(parent, [])
        ]

    return rows("", 0)


def interest_facts(one: Interest, on: date) -> dict[str, Any]:
    """One interest for templates."""
    ends = min((each for each in (one.until, one.ended_on) if each is not None), default=None)
    return {
        "id": one.id,
        "name": one.party.name,
        "country": one.party.country,
        "role": in_words(ROLE_WORDS, one.role),
        "territories": ", ".join(territory_name(each) for each in one.territories),
        "classes": ", ".join(one.classes),
        "channels": ", ".join(one.channels),
        "quantity": one.quantity,
        "since": one.since,
        "until": ends,
        "over": ends is not None and ends <= on,
        "recorded": one.recorded_at_office,
        "may_end": one.ended_on is None and one.role not in {"owner", "co_owner"},
    }


def _field(field: str) -> str:
    """The name of a field that was compared: `classes.nice`, `designations.JP.status`."""
    first, _dot, rest = field.partition(".")
    said = [in_words(FIELD_WORDS, first)]
    if first == "designations":
        territory, _dot, name = rest.partition(".")
        said += [territory_name(territory), *([in_words(FIELD_WORDS, name)] if name in FIELD_WORDS else [])]
    return " · ".join(said)


def _value(field: str, value: str) -> str:
    """What a field says; codes of ours in the reader's words."""
    known = {
        "kind": KIND_WORDS,
        "status": STATUS_WORDS,
        "feature": {"unknown": STATUS_WORDS["unknown"], **FEATURE_WORDS},
    }.get(field.rpartition(".")[2])
    return in_words(known, value) if known is not None and value else value


def difference_facts(found: Sequence[Difference]) -> list[dict[str, Any]]:
    """What was compared, the troubles first."""
    order = ("contradiction", "needs_paper", "tolerated", "equal")
    return [
        {
            "field": _field(each.field),
            "claimed": _value(each.field, each.claimed),
            "found": _value(each.field, each.found),
            "verdict": in_words(DIFFERENCE_WORDS, each.verdict),
            "mark": DIFFERENCE_MARKS.get(each.verdict, ""),
            "rule": coded(f"rules.difference_{each.rule}", {}) if each.rule else "",
        }
        for each in sorted(found, key=lambda one: order.index(one.verdict))
    ]


def row_facts(right: Right) -> dict[str, Any]:
    """A right in a list."""
    record = right.record
    return {
        "number": right.number,
        "name": name_of(record),
        "kind": in_words(KIND_WORDS, record.kind),
        "numbers": numbers_of(record),
        "owner": ", ".join(each.name for each in record.owners),
        "state": in_words(STATE_WORDS, right.state),
        "state_mark": STATE_MARKS.get(right.state, ""),
        "level": level_facts(right.level),
        "classes": ", ".join(each.code for each in record.classes[:8]) + (" …" if len(record.classes) > 8 else ""),
        "territories": ", ".join(each.territory for each in places(record)[:6])
        + (" …" if len(places(record)) > 6 else ""),
        "expires": record.expiry_date,
    }


FACT_WORDS: Mapping[str, Mapping[str, Any]] = {
    "role": ROLE_WORDS,
    "state": STATE_WORDS,
    "status": STATUS_WORDS,
    "kind": KIND_WORDS | DISPUTE_WORDS,
}
"""Facts that are codes, and the words for them."""
PLACES = re.compile(r"(row|line|record|member) (\d+)")
PLACE_WORDS = {
    "row": _("row %(n)s"),
    "line": _("line %(n)s"),
    "record": _("record %(n)s"),
    "member": _("file %(n)s"),
}


def place(where: str) -> str:
    """A place in a file, in the reader's language; one that has no words stays as it is."""
    return PLACES.sub(lambda found: str(PLACE_WORDS[found[1]]) % {"n": found[2]}, where)


def coded(code: str, facts: Mapping[str, Any]) -> str:
    """The sentence of a code with its facts; the code's last word where no sentence fits."""
    if code in catalogue():
        worded = {
            name: in_words(FACT_WORDS[name], value) if name in FACT_WORDS and isinstance(value, str) else value
            for name, value in facts.items()
        }
        if isinstance(facts.get("territory"), str):
            worded["territory"] = territory_name(str(facts["territory"]))
        try:
            return say(code, worded, language())
        except KeyError:
            return code
    return code.rsplit(".", 1)[-1].replace("_", " ")


def sentence(error: PlatformError) -> str:
    """The error in the reader's language."""
    return say(error.code, error.facts, language())


def choices(words: Mapping[str, Any], *, empty: Any = None) -> Choices:  # noqa: ANN401 (a lazy text)
    """For a select."""
    return ([("", empty)] if empty is not None else []) + list(words.items())
