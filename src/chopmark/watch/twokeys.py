"""Two keys: what may be done about a hit without a person, what goes to a person, and why.

    outcome = decide(row, fired, score, bounds)
    outcome.measure      takedown | hold | review | watch | none
    outcome.keys         kinds of evidence that stand: ('picture', 'text')
    outcome.reasons      codes with facts, in the order of the questions

A measure that buyers notice (hold, takedown) is automatic only when all of this holds, else a person decides:
 1 the seller holds no licence                          5 the territory surely fits
 2 two kinds of evidence stand, independent of each     6 the precision of the rule, in exactly this version, is proven
   other, and one of them shows a wrong, not only use     by samples that people judged
 3 the use is not descriptive, and is not only that      7 the score is at least the threshold, where there is one
   of a common word                                     8 nothing else speaks for the seller: another brand named
 4 the class surely fits, or the mark is well known

Naming a mark is no evidence by itself: who resells genuine goods names it too. A disguise or words that offer replicas
are; so is the holder's own picture. A logo, a price, a seller's past support, and never decide among themselves. What
comes from one cause is one kind: hidden characters that disguise the name are no second key beside the name.

Pure: the same row, rules, score and bounds lead to the same outcome for anybody. An outcome is a suspicion with
reasons; it does not say what somebody is liable for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from chopmark.base.errors import Fact
from chopmark.watch.features import Value
from chopmark.watch.marks import COMMON
from chopmark.watch.rules.rule import ACTIONS, AUTOMATIC, Rule
from chopmark.watch.score import Bound

Measure = Literal["none", "watch", "review", "hold", "takedown"]
Key = Literal["text", "picture", "price", "seller", "listing"]

SURE_VIEWS: Final = frozenset(
    {"exact", "canonical", "folded", "letters", "joined", "glued", "masked", "simplified", "pinyin"}
)
"""Views that may be a key; a near miss, half pinyin and homophones suggest only."""
DISGUISING: Final = frozenset({"exact", "canonical", "folded", "letters", "masked"})
"""Views that show a disguise where there is one (𝐍𝐢𝐤𝐞 and n'i'k'e are read as they are, and hide from others all the
same); a name that is joined, glued to another word or in pinyin is often meant well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """From where on a signal counts as a key.

    Attributes:
        text: of `text_score`. picture: of `picture_score`, for a picture found by its code. inliers: for one found by
            local features. logo: of `logo_score`.
        ratio: of the price to the median. deviation: robust sigmas. peers: sellers behind the median.
        confirmed: hits of the seller that people confirmed; these must be more than thrice the dismissed ones.
        group: confirmed hits of linked sellers.
        score: thousandths that an automatic measure needs; None where no card is calibrated.
    """

    text: int = 800
    picture: int = 800
    inliers: int = 20
    logo: int = 900
    ratio: float = 0.4
    deviation: float = -3.0
    peers: int = 20
    confirmed: int = 2
    group: int = 3
    score: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """A code of the catalogue and the facts that its sentence needs.

    Attributes:
        role: `key` for evidence that stands, `against` for what keeps a measure from being automatic, `rule` for a
            rule that fired.
    """

    code: str
    role: Literal["rule", "key", "against"]
    facts: Mapping[str, Fact] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What is to be done, and why.

    Attributes:
        rule, version: the rule that leads to the measure; empty for none.
        proposed: what the harshest rule asked for.
    """

    measure: Measure
    proposed: Measure
    rule: str
    version: str
    keys: tuple[Key, ...]
    reasons: tuple[Reason, ...]
    score: int

    @property
    def automatic(self) -> bool:
        """No person has to look first."""
        return self.measure in AUTOMATIC

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes of the reasons."""
        return tuple(each.code for each in self.reasons)


Row = Mapping[str, Value]
_USUAL: Final = Needs()


def decide(
    row: Row, fired: Sequence[Rule], score: int, bounds: Mapping[str, Bound], *, needs: Needs = _USUAL
) -> Outcome:
    """What follows from one row.

    Args:
        row: full.
        fired: rules whose condition is true on it; those that are not live do not count.
        score: thousandths.
        bounds: what samples prove, by the version of the rule: a changed rule starts without.
    """
    live = sorted((each for each in fired if each.state == "live"), key=_harshness, reverse=True)
    reasons = [_fired(each) for each in live]
    if not live:
        return _outcome("none", "none", None, {}, reasons=reasons, score=score)
    proposed = live[0].action
    if row["licensed"]:
        reasons.append(Reason(code="watch.against_licensed", role="against"))
        measure: Measure = "review" if row["impossible_stock"] else "none"
        return _outcome(measure, proposed, live[0] if measure == "review" else None, {}, reasons=reasons, score=score)
    keys = {each.code.removeprefix("watch.key_"): each for each in _keys(row, needs)}
    reasons += keys.values()
    if proposed not in AUTOMATIC:
        return _outcome(proposed, proposed, live[0], keys, reasons=reasons, score=score)
    against = [*_against(row, keys, needs), *_against_score(score, needs)]
    for rule in live:
        if rule.action not in AUTOMATIC:
            break
        unproven = _against_bound(rule, bounds.get(rule.version))
        if not against and not unproven:
            return _outcome(rule.action, proposed, rule, keys, reasons=reasons, score=score)
        reasons += unproven
    return _outcome("review", proposed, live[0], keys, reasons=[*reasons, *against], score=score)


def _harshness(rule: Rule) -> tuple[int, str]:
    return ACTIONS.index(rule.action), rule.id


def _outcome(
    measure: Measure,
    proposed: Measure,
    rule: Rule | None,
    keys: Mapping[str, Reason],
    *,
    reasons: Sequence[Reason],
    score: int,
) -> Outcome:
    return Outcome(
        measure=measure,
        proposed=proposed,
        rule=rule.id if rule else "",
        version=rule.version if rule else "",
        keys=tuple(kind for kind in _KINDS if kind in keys),
        reasons=tuple(reasons),
        score=score,
    )


def _fired(rule: Rule) -> Reason:
    facts: dict[str, Fact] = {"rule": rule.id, "version": rule.version[:12], "action": rule.action}
    return Reason(code="watch.rule_fired", role="rule", facts=facts)


# ---------------------------------------------------------------- keys

_KINDS: Final[tuple[Key, ...]] = ("text", "picture", "price", "seller", "listing")


def _keys(row: Row, needs: Needs) -> Iterator[Reason]:
    """The kinds of evidence that stand, each once."""
    if _text(row, needs):
        facts: dict[str, Fact] = {"view": str(row["view"]), "replica_words": _whole(row["replica_words"])}
        yield Reason(code="watch.key_text", role="key", facts=facts)
    if _work(row, needs) or _whole(row["logo_score"]) >= needs.logo:
        facts = {
            "stage": str(row["picture_stage"]),
            "score": _whole(row["picture_score"]),
            "logo": _whole(row["logo_score"]),
        }
        yield Reason(code="watch.key_picture", role="key", facts=facts)
    ratio, deviation = row["price_ratio"], row["price_deviation"]
    if (
        isinstance(ratio, int | float)
        and isinstance(deviation, int | float)
        and ratio <= needs.ratio
        and deviation <= needs.deviation
        and _whole(row["peers"]) >= needs.peers
    ):
        facts = {"percent": round(100 * ratio), "peers": _whole(row["peers"])}
        yield Reason(code="watch.key_price", role="key", facts=facts)
    if _seller(row, needs):
        facts = {"confirmed": _whole(row["seller_confirmed"]), "group": _whole(row["group_confirmed"])}
        yield Reason(code="watch.key_seller", role="key", facts=facts)
    if row["gtin_other"]:
        yield Reason(code="watch.key_listing", role="key")


def _text(row: Row, needs: Needs) -> bool:
    """The mark, surely read, and disguised or offered as a replica."""
    return (
        row["view"] in SURE_VIEWS
        and _whole(row["text_score"]) >= needs.text
        and (bool(row["disguised"] and row["view"] in DISGUISING) or _whole(row["replica_words"]) >= 1)
        and not row["descriptive"]
        and not _common(row)
    )


def _work(row: Row, needs: Needs) -> bool:
    """A protected picture, surely, in a picture of the listing."""
    match row["picture_stage"]:
        case "same":
            return True
        case "codes":
            return _whole(row["picture_score"]) >= needs.picture
        case "features":
            return _whole(row["inliers"]) >= needs.inliers
        case _:
            return False


def _seller(row: Row, needs: Needs) -> bool:
    confirmed = _whole(row["seller_confirmed"])
    return bool(
        row["impossible_stock"]
        or (confirmed >= needs.confirmed and confirmed > 3 * _whole(row["seller_dismissed"]))
        or _whole(row["group_confirmed"]) >= needs.group
    )


def _common(row: Row) -> bool:
    return _whole(row["distinctiveness"]) < COMMON


def _whole(value: Value) -> int:
    """Of a column that is a whole number; what is missing counts as nothing."""
    return value if isinstance(value, int) else 0


# ---------------------------------------------------------------- what speaks against


def _against(row: Row, keys: Mapping[str, Reason], needs: Needs) -> Iterator[Reason]:
    """Whatever keeps a measure from being automatic, whichever rule asks for it."""
    work = "picture" in keys and _work(row, needs)
    if len(keys) < 2:
        yield Reason(code="watch.against_one_key", role="against", facts={"keys": len(keys)})
    elif "text" not in keys and not work:
        yield Reason(code="watch.against_support_only", role="against")
    if row["descriptive"]:
        yield Reason(code="watch.against_descriptive", role="against")
    if row["other_brand"]:
        yield Reason(code="watch.against_other_brand", role="against")
    if _common(row) and not work:
        yield Reason(code="watch.against_common_word", role="against")
    if row["class_fits"] is not True:  # well known or not: that is its holder's own word, and a person weighs it
        code = "watch.against_class_unknown" if row["class_fits"] is None else "watch.against_class"
        yield Reason(code=code, role="against")
    if row["territory_fits"] is not True:
        code = "watch.against_territory_unknown" if row["territory_fits"] is None else "watch.against_territory"
        yield Reason(code=code, role="against")


def _against_score(score: int, needs: Needs) -> Iterator[Reason]:
    if needs.score is not None and score < needs.score:
        yield Reason(code="watch.against_score", role="against", facts={"score": score, "needed": needs.score})


def _against_bound(rule: Rule, proven: Bound | None) -> list[Reason]:
    """Its precision is not proven by samples of this very version."""
    if proven is not None and proven.lower >= rule.needed:
        return []
    facts: dict[str, Fact] = {
        "rule": rule.id,
        "labelled": proven.labelled if proven else 0,
        "lower": proven.lower if proven else 0,
        "needed": rule.needed,
    }
    return [Reason(code="watch.against_bound", role="against", facts=facts)]
