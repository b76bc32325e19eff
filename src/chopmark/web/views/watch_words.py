"""How hits, rules and scans are shown: words in the reader's language, marked characters, rows for templates.

No rule stands here, and nothing is read but frozen summaries. A hit is shown as a suspicion with its reasons; no word
here says that something infringes. Texts of listings are anybody's: what cannot be seen is shown by its code point.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from chopmark.people import queries as people
from chopmark.people.actor import Actor
from chopmark.watch import life
from chopmark.watch.features import FEATURES
from chopmark.watch.listing import Listing, minor_digits
from chopmark.watch.queries import marketplaces
from chopmark.watch.queries.hits import HitStory, HitSummary, Opinion, Step
from chopmark.watch.queries.measures import MeasureSummary
from chopmark.web.context import language
from chopmark.web.views.casework import worded
from chopmark.web.views.right_words import in_words

STATE_WORDS = {
    "open": gettext_lazy("Waits for review"),
    "second": gettext_lazy("Waits for a second person"),
    "contested": gettext_lazy("Two differ: a third decides"),
    "watched": gettext_lazy("On the watch-list"),
    "confirmed": gettext_lazy("Confirmed"),
    "dismissed": gettext_lazy("Dismissed"),
    "released": gettext_lazy("Released"),
    "gone": gettext_lazy("No longer in the listing"),
}
STATE_MARKS = {"open": "mark-wait", "second": "mark-wait", "contested": "mark-wait", "confirmed": "mark-bad"}
OUTCOME_WORDS = {
    "none": gettext_lazy("Nothing"),
    "watch": gettext_lazy("Watch-list"),
    "review": gettext_lazy("Review"),
    "hold": gettext_lazy("Hold"),
    "takedown": gettext_lazy("Takedown"),
    "restore": gettext_lazy("Restore"),
}
VIEW_WORDS = {
    "exact": gettext_lazy("As it is written"),
    "canonical": gettext_lazy("Look-alike or invisible characters"),
    "folded": gettext_lazy("Digits and look-alike letters"),
    "letters": gettext_lazy("Letters set apart"),
    "joined": gettext_lazy("Words split or joined"),
    "glued": gettext_lazy("Glued to another word"),
    "masked": gettext_lazy("A letter is masked"),
    "near": gettext_lazy("One letter differs"),
    "simplified": gettext_lazy("Traditional characters or separators"),
    "pinyin": gettext_lazy("Pinyin"),
    "half_pinyin": gettext_lazy("Partly pinyin"),
    "homophone": gettext_lazy("Same sound"),
}
PLAIN_VIEWS: Final = frozenset({"exact", "simplified"})
FIELD_WORDS = {
    "title": gettext_lazy("Title"),
    "brand": gettext_lazy("Brand field"),
    "description": gettext_lazy("Description"),
}
STAGE_WORDS = {
    "same": gettext_lazy("The same file"),
    "codes": gettext_lazy("The same picture"),
    "features": gettext_lazy("A part of the picture"),
    "logo": gettext_lazy("Logo"),
}
KEY_WORDS = {
    "text": gettext_lazy("Text"),
    "picture": gettext_lazy("Picture"),
    "price": gettext_lazy("Price"),
    "seller": pgettext_lazy("watch", "Seller"),
    "listing": gettext_lazy("Listing"),
}
WHY_WORDS = {
    "counterfeit": gettext_lazy("Counterfeit goods"),
    "wrongful_use": gettext_lazy("Wrongful use of the mark"),
    "copied_picture": gettext_lazy("Copied picture"),
    "design": gettext_lazy("Protected design"),
    "genuine": gettext_lazy("Genuine goods"),
    "licensed": gettext_lazy("The seller is licensed"),
    "descriptive": gettext_lazy("Descriptive use"),
    "other_class": gettext_lazy("Goods of another class"),
    "other_territory": gettext_lazy("Offered where the right has no effect"),
    "common_word": gettext_lazy("A common word"),
    "not_the_mark": gettext_lazy("Not the mark"),
    "unclear": gettext_lazy("Unclear"),
}
STEP_WHY_WORDS = {**WHY_WORDS, "right_ended": gettext_lazy("The right backs no measure any more")}
ANSWER_WORDS = {
    "confirm": gettext_lazy("Confirmed"),
    "dismiss": gettext_lazy("Dismissed"),
    "skip": gettext_lazy("Skipped"),
}
STEP_WORDS = {
    "found": gettext_lazy("Found"),
    "changed": gettext_lazy("Found again, with changes"),
    "confirm_one": gettext_lazy("Confirmed by a first person"),
    "confirm": gettext_lazy("Confirmed"),
    "dispute": gettext_lazy("Dismissed by a second person"),
    "dismiss": gettext_lazy("Dismissed"),
    "automatic": gettext_lazy("Decided by two keys, without a person"),
    "watch": gettext_lazy("Put on the watch-list"),
    "release": gettext_lazy("Released: the seller may sell, or the right backs no measure"),
    "reopen": gettext_lazy("Opened again"),
    "leave": gettext_lazy("The listing no longer shows it"),
    "undo": gettext_lazy("Decision taken back"),
    "skip": gettext_lazy("Skipped"),
    "measure": gettext_lazy("Measure asked for"),
    "acknowledged": gettext_lazy("The marketplace has the measure and will answer"),
    "done": gettext_lazy("The marketplace did it"),
    "refused": gettext_lazy("The marketplace refused"),
    "matter": gettext_lazy("Handed over to a matter"),
    "redecide": gettext_lazy("Judged anew"),
    "hold": gettext_lazy("Held back by two keys, without a person"),
    "again": gettext_lazy("It came back; its takedown is asked for again"),
    "recall": gettext_lazy("Called back: the alarm of its rule rang"),
}
ANSWERS: Final = ("acknowledged", "done", "refused")
"""Steps of a hit that its marketplace takes."""
MEASURE_STATE_WORDS = {
    "waiting": gettext_lazy("On its way"),
    "done": gettext_lazy("Done"),
    "refused": pgettext_lazy("watch", "Refused"),
    "cancelled": gettext_lazy("Cancelled"),
}
MEASURE_MARKS = {"done": "mark-good", "refused": "mark-bad", "waiting": "mark-wait"}
SCAN_WORDS = {
    "waiting": gettext_lazy("Waiting"),
    "running": gettext_lazy("Running"),
    "done": gettext_lazy("Done"),
    "failed": gettext_lazy("Failed"),
    "stopped": gettext_lazy("Stopped"),
}
SCAN_MARKS = {"done": "mark-good", "running": "mark-wait", "waiting": "mark-wait", "failed": "mark-bad"}
RULE_STATE_WORDS = {
    "draft": gettext_lazy("Draft"),
    "shadow": gettext_lazy("In its shadow"),
    "live": pgettext_lazy("watch", "In force"),
    "stopped": gettext_lazy("Stopped"),
}
RULE_STEP_WORDS = {**RULE_STATE_WORDS, "ended": gettext_lazy("Trial ended")}
RULE_MARKS = {"live": "mark-good", "shadow": "mark-wait", "stopped": "mark-bad"}
FLAG_WORDS = {
    "title_cut": gettext_lazy("title cut"),
    "title_empty": gettext_lazy("no title"),
    "description_cut": gettext_lazy("description cut"),
    "broken_encoding": gettext_lazy("broken encoding"),
    "bidi": gettext_lazy("reversed text"),
    "zero_width_flood": gettext_lazy("flood of invisible characters"),
    "control_characters": gettext_lazy("control characters"),
    "too_many_pictures": gettext_lazy("too many pictures"),
    "picture_address_refused": gettext_lazy("address of a picture refused"),
    "price_missing": gettext_lazy("no price"),
    "price_negative": gettext_lazy("negative price"),
    "price_unreadable": gettext_lazy("unreadable price"),
    "currency_unknown": gettext_lazy("unknown currency"),
    "gtin_wrong": gettext_lazy("wrong GTIN"),
    "territory_unknown": gettext_lazy("unknown territory"),
    "category_unknown": gettext_lazy("unknown category"),
    "url_refused": gettext_lazy("address refused"),
    "time_unreadable": gettext_lazy("unreadable time"),
    "stock_unreadable": gettext_lazy("unreadable stock"),
}
LICENSED_WORDS = (
    ("licensed", gettext_lazy("The seller holds a licence")),
    ("class_fits", gettext_lazy("The class fits")),
    ("territory_fits", gettext_lazy("The territory fits")),
    ("well_known", gettext_lazy("Protected beyond its classes")),
    ("descriptive", gettext_lazy("The mark only describes")),
    ("other_brand", gettext_lazy("The brand field names another brand")),
)
WORK_CHECKS: Final = ("licensed", "territory_fits")
AROUND: Final = 120  # characters of a description shown on each side of what was found
MOST_EXCERPTS: Final = 5
MOST_POINTS: Final = 16
_UNSEEN: Final = frozenset({"Cc", "Cf", "Co", "Cs", "Zl", "Zp"})


def code_of(text: str) -> str:
    """`watch.key_text` is evidence, `watch.against_class` speaks against a measure, anything else is a rule."""
    last = text.rpartition(".")[2]
    return "key" if last.startswith("key_") else "against" if last.startswith("against_") else "rule"


# ---- characters


@dataclass(frozen=True, slots=True)
class Piece:
    """Some characters of a text. `on`: they are what was found; `odd`: what cannot be seen, by its code point."""

    text: str
    on: bool = False
    odd: str = ""


def point(character: str) -> str:
    """`U+200B`."""
    return f"U+{ord(character):04X}"


def unseen(character: str) -> bool:
    """Whether a page would show nothing for it, or turn the line around."""
    return unicodedata.category(character) in _UNSEEN and character not in "\n\t"


def pieces(text: str, spans: Iterable[tuple[int, int]]) -> list[Piece]:
    """A text with what was found marked."""
    inside = bytearray(len(text))
    for start, end in spans:
        marked = range(len(text))[max(0, start) : max(0, end)]
        inside[marked.start : marked.stop] = b"\x01" * len(marked)
    found: list[Piece] = []
    run = 0
    for place in range(len(text) + 1):
        last = place == len(text)
        if not last and not unseen(text[place]) and inside[place] == inside[run]:
            continue
        if place > run:
            found.append(Piece(text[run:place], on=bool(inside[run])))
        run = place
        if not last and unseen(text[place]):
            found.append(Piece("", on=bool(inside[place]), odd=point(text[place])))
            run = place + 1
    return found


def excerpts(text: str, spans: Sequence[tuple[int, int]]) -> list[list[Piece]]:
    """The places of a long text around what was found."""
    shown = []
    for start, end in spans[:MOST_EXCERPTS]:
        left, right = max(0, start - AROUND), min(len(text), end + AROUND)
        shown.append(pieces(text[left:right], [(start - left, end - left)]))
    return shown


def points(text: str) -> str:
    """The characters outside plain ASCII with their names, for who doubts his eyes."""
    odd = [each for each in dict.fromkeys(text) if not " " <= each <= "~"]
    told = [f"{'' if unseen(each) else each + ' '}{point(each)} {unicodedata.name(each, '')}".strip() for each in odd]
    return ", ".join(told[:MOST_POINTS]) + (" …" if len(told) > MOST_POINTS else "")


# ---- hits


def row_facts(one: HitSummary) -> dict[str, Any]:
    """A hit in a list."""
    return {
        "number": one.number,
        "url": reverse("watch-hit", args=[one.number]),
        "title": pieces(one.title[:200], one.spans),
        "item": one.item,
        "marketplace": one.marketplace,
        "seller": one.seller,
        "right_number": one.right_number,
        "mark": one.mark or one.work,
        "state": one.state,
        "state_text": in_words(STATE_WORDS, one.state),
        "state_mark": STATE_MARKS.get(one.state, ""),
        "outcome": in_words(OUTCOME_WORDS, one.outcome),
        "score": one.score,
        "keys": [in_words(KEY_WORDS, each) for each in one.keys],
        "measure": in_words(OUTCOME_WORDS, one.measure) if one.measure else "",
        "automatic": one.automatic,
        "found_at": one.found_at,
        "removed_at": one.removed_at,
        "waits": one.state in life.WAITING,
    }


def money(amount: int | None, currency: str) -> str:
    """`19.90 EUR`; empty where no price is known."""
    if amount is None:
        return ""
    digits = minor_digits(currency)
    whole, rest = divmod(abs(amount), 10**digits)
    text = f"{whole:,}" + (f".{rest:0{digits}d}" if digits else "")
    return f"{'-' if amount < 0 else ''}{text} {currency}".strip()


def listing_facts(one: Listing) -> dict[str, Any]:
    """What the marketplace says of the offer."""
    return {
        "item": one.item,
        "version": one.version,
        "marketplace": one.marketplace,
        "seller": one.seller,
        "title": pieces(one.title, ()),
        "category": "".join("\ufffd" if unseen(each) else each for each in one.category),
        "classes": ", ".join(one.classes),
        "territories": ", ".join(one.territories[:20]) + (" …" if len(one.territories) > 20 else ""),
        "price": money(one.price, one.currency),
        "stock": one.stock,
        "gtin": one.gtin,
        "url": one.url,
        "contact": ", ".join(one.contact[:5]),
        "listed_at": one.listed_at,
        "pictures": len(one.pictures),
        "flags": [in_words(FLAG_WORDS, each) for each in one.flags],
    }


def text_facts(one: HitStory) -> list[dict[str, Any]]:
    """The marks that were read in the texts, with the characters as they came."""
    texts = {"title": one.listing.title, "brand": one.listing.brand, "description": one.listing.description}
    rows = []
    for each in one.found.get("texts", ()):
        said = texts.get(each["field"], "")[each["start"] : each["end"]]
        rows.append(
            {
                "term": each["term"],
                "view": in_words(VIEW_WORDS, each["view"]),
                "field": in_words(FIELD_WORDS, each["field"]),
                "said": pieces(said[:100], ()),
                "points": "" if each["view"] in PLAIN_VIEWS else points(said[:100]),
                "place": f"{each['start'] + 1}-{each['end']}",
                "score": each["score"],
                "distance": each["distance"],
                "descriptive": each["descriptive"],
            }
        )
    return rows


def spans_in(one: HitStory, field: str) -> list[tuple[int, int]]:
    """Where something was found in a field."""
    return [(each["start"], each["end"]) for each in one.found.get("texts", ()) if each["field"] == field]


def picture_facts(actor: Actor, one: HitStory, shown: Mapping[int, str]) -> list[dict[str, Any]]:
    """The protected pictures and logos that were seen, with the part of the listing's picture.

    Args:
        shown: addresses of those pictures of the listing that the platform holds, by their place.
    """
    mine = one.organisation == actor.organisation_id
    rows = []
    for each in one.found.get("pictures", ()):
        work = each["work"]
        rows.append(
            {
                "place": each["picture"] + 1,
                "stage": in_words(STAGE_WORDS, each["stage"]),
                "work": work,
                "work_url": reverse("work", args=[work]) if work and mine else "",
                "work_picture": reverse("watch-work", args=[work]) if work and mine else "",
                "score": each["score"],
                "inliers": each["inliers"],
                "distance": each["distance"],
                "mirrored": each["turn"] >= 4,
                "shown": shown.get(each["picture"], ""),
                "part": box(each["query"]),
                "reference": box(each["reference"]),
            }
        )
    return rows


def box(part: Sequence[int] | None) -> dict[str, int] | None:
    """A part of a picture in millionths, for a drawing over it; None for the whole."""
    if part is None or list(part) == [0, 0, 1_000_000, 1_000_000]:
        return None
    return dict(zip(("x", "y", "width", "height"), part, strict=True))


def reason_facts(one: HitStory) -> dict[str, list[dict[str, str]]]:
    """The reasons by what they are: rules that fired, evidence, what speaks against a measure without a person."""
    found: dict[str, list[dict[str, str]]] = {"rule": [], "key": [], "against": []}
    for code, facts in one.reasons:
        known = {
            name: in_words(FACT_WORDS[name], value) if name in FACT_WORDS and isinstance(value, str) else value
            for name, value in facts.items()
        }
        found[code_of(code)].append({"code": code, "text": worded(code, known)})
    return found


FACT_WORDS: Mapping[str, Mapping[str, Any]] = {
    "action": OUTCOME_WORDS,
    "view": VIEW_WORDS,
    "stage": {**STAGE_WORDS, "": gettext_lazy("none")},
    "state": STATE_WORDS,
}


def is_work(one: HitStory) -> bool:
    """Whether it is a hit on a work, not on a mark."""
    return one.summary.right_number.startswith("W-")


def check_facts(one: HitStory) -> list[dict[str, str]]:
    """What right and seller say to this offer: yes, no, or not known. A work has no classes and no words."""
    said, work = one.features, is_work(one)
    asked = [each for each in LICENSED_WORDS if not work or each[0] in WORK_CHECKS]
    rows = [{"label": str(label), "text": truth(said.get(name))} for name, label in asked]
    return (
        rows
        if work
        else [*rows, {"label": _("How distinctive the mark is, of 1000"), "text": str(said.get("distinctiveness", ""))}]
    )


def truth(value: object) -> str:
    """A truth as SQL has it, in words."""
    return _("not known") if value is None else _("yes") if value else _("no")


def feature_facts(one: HitStory) -> list[dict[str, str]]:
    """What rules saw, but what says nothing, with its meaning."""
    zh = language() == "zh"
    rows = []
    for name, feature in FEATURES.items():
        value = one.features.get(name, feature.neutral)
        if value != feature.neutral:
            shown = truth(value) if feature.kind == "boolean" else str(value)
            rows.append({"name": name, "says": feature.zh if zh else feature.en, "value": shown})
    return rows


def names_of(actor: Actor) -> dict[int, str]:
    """The people of the reader's organisation; others stay without a name."""
    return {each.user_id: each.name or each.email for each in people.members_of(actor)}


def who(names: Mapping[int, str], user: int | None, *, mine: bool) -> str:
    """Who did something, as the reader may know it."""
    if user is None:
        return _("The rules")
    return names.get(user, _("A former member")) if mine else _("Somebody of another organisation")


def step_facts(one: Step, actor: Actor, names: Mapping[int, str], *, own: bool) -> dict[str, Any]:
    """A line of a hit's history; `own` for whoever runs the marketplace, whose deposits the sheets are."""
    facts = one.facts
    told = [in_words(STEP_WHY_WORDS, facts["why"]) if facts.get("why") else ""]
    told += [in_words(OUTCOME_WORDS, facts["measure"]) if facts.get("measure") else ""]
    told += [str(facts["matter"]) if facts.get("matter") else ""]
    return {
        "text": in_words(STEP_WORDS, one.kind),
        "who": _who_did(one, actor, names),
        "told": " · ".join(each for each in told if each),
        "at": one.at,
        "sheet": one.sheet,
        "place": one.place,
        "deposit_url": reverse("deposit", args=[one.deposit]) if own and one.deposit is not None else "",
    }


def _who_did(one: Step, actor: Actor, names: Mapping[int, str]) -> str:
    """A person, a program of an organisation, the marketplace's server, or the rules."""
    if one.user is None and one.organisation is not None:
        return _("Programme")
    if one.user is None and one.kind in ANSWERS:
        return _("The marketplace")
    return who(names, one.user, mine=one.organisation == actor.organisation_id)


def opinion_facts(one: Opinion, actor: Actor, names: Mapping[int, str]) -> dict[str, Any]:
    """What a person said."""
    return {
        "who": who(names, one.user, mine=one.organisation == actor.organisation_id),
        "answer": in_words(ANSWER_WORDS, one.answer),
        "why": in_words(WHY_WORDS, one.why) if one.why else "",
        "note": one.note,
        "at": one.at,
        "undone": one.undone_at is not None,
    }


def measure_facts(one: MeasureSummary, *, own: bool) -> dict[str, Any]:
    """A request to the marketplace."""
    return {
        "kind": in_words(OUTCOME_WORDS, one.kind),
        "state": in_words(MEASURE_STATE_WORDS, one.state),
        "mark": MEASURE_MARKS.get(one.state, ""),
        "tries": one.tries,
        "trouble": worded(one.trouble, one.facts),
        "made_at": one.made_at,
        "done_at": one.done_at,
        "deposit_url": reverse("deposit", args=[one.deposit]) if own and one.deposit is not None else "",
        "key": one.key,
    }


def own_marketplaces(actor: Actor) -> list[tuple[str, str]]:
    """Short name and title of those that the reader's organisation runs."""
    return [(each.name, each.title) for each in marketplaces.marketplaces_of(actor)]


def story_facts(actor: Actor, one: HitStory, shown: Mapping[int, str]) -> dict[str, Any]:
    """A hit with everything that explains it, for the hit's page and for a reviewer's card alike."""
    names = names_of(actor)
    runs = one.summary.marketplace in {name for name, _title in own_marketplaces(actor)}
    mine = one.organisation == actor.organisation_id
    number = one.summary.right_number
    seller = one.seller
    return {
        **row_facts(one.summary),
        "title": pieces(one.listing.title, spans_in(one, "title")),
        "brand": pieces(one.listing.brand, spans_in(one, "brand")),
        "description": excerpts(one.listing.description, spans_in(one, "description")),
        "listing": listing_facts(one.listing),
        "texts": text_facts(one),
        "pictures": picture_facts(actor, one, shown),
        "other_pictures": [
            {"place": place + 1, "shown": url}
            for place, url in sorted(shown.items())
            if place not in {each["picture"] for each in one.found.get("pictures", ())}
        ],
        "reasons": reason_facts(one),
        "rules": [
            {"name": name, "version": version[:12], "url": _rule_url(name, runs)} for name, version in one.summary.rules
        ],
        "likely": "copied_picture" if is_work(one) else "",
        "marks": one.marks[:12],
        "checks": check_facts(one),
        "features": feature_facts(one),
        "right_url": _right_url(number) if mine else "",
        "seller_name": seller.name if seller else "",
        "seller_confirmed": seller.confirmed if seller else 0,
        "seller_dismissed": seller.dismissed if seller else 0,
        "seller_joined": seller.joined_at if seller else None,
        "seller_hits": [
            {"text": in_words(STATE_WORDS, state), "count": count} for state, count in one.seller_hits.items()
        ],
        "history": [step_facts(each, actor, names, own=runs) for each in one.history],
        "opinions": [opinion_facts(each, actor, names) for each in one.opinions],
        "measures": [measure_facts(each, own=runs) for each in one.measures],
        "why": in_words(WHY_WORDS, one.why) if one.why else "",
        "wanted": in_words(OUTCOME_WORDS, one.wanted) if one.wanted else "",
        "runs": runs,
        "proof": runs and one.scan is not None,
    }


def _rule_url(name: str, runs: bool) -> str:  # noqa: FBT001 (one truth, named at the call)
    return reverse("watch-rule", args=[name]) if runs else ""


def _right_url(number: str) -> str:
    return reverse("work" if number.startswith("W-") else "right", args=[number]) if number else ""


def judged_by(one: HitStory, user: int | None) -> bool:
    """Whether this person's word on it stands."""
    return any(each.user == user and each.stands for each in one.opinions)


def may_undo(actor: Actor, one: HitStory) -> bool:
    """Whether the page offers to take the last decision back; the action decides again."""
    stands = [each for each in one.opinions if each.stands]
    decided = one.summary.state in ("confirmed", "dismissed", "second", "contested")
    last = bool(stands) and stands[-1].user == actor.user_id
    own = one.summary.marketplace in {name for name, _title in own_marketplaces(actor)} or (
        bool(stands) and stands[-1].organisation == actor.organisation_id
    )
    return actor.may("review_hits") and decided and (last or (own and actor.may("manage_rules")))


def uuid_or_none(text: str) -> UUID | None:
    """A UUID that came in a form or a session."""
    try:
        return UUID(text)
    except ValueError:
        return None
