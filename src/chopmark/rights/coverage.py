"""What a right covers, who may act on it, and who may sell under it: on one day, in one territory, for one class.

    covers(right, territory="DE", cls="25", on=day)                      Answer yes | no | unknown, with reasons
    may_act(right, actor=..., mandates=..., rivals=..., ...)             Decision: may, limits, reasons, disputes
    may_sell(right, organisation=..., territory="DE", channel="", ...)   Answer with the chain of grants

Pure functions over values: no table, no clock. A region (EU, BX) has effect in its members of the day; an
international registration has effect where it was designated and granted, and only while it lives itself. Where the
record does not say what an answer needs, the answer is unknown and a person looks; no answer here says that something
infringes.

Order of the questions in `may_act`:
 1 was the right verified     3 is it in dispute there           5 may this actor act         7 is it a parallel import
 2 does its state back one    4 does it cover the asked place    6 is the seller authorised   8 does a rival cover it
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from chopmark.base.errors import Fact
from chopmark.rights import classes, offices, territories
from chopmark.rights.answers import Answer, Reason, Value, all_of, any_of, no, unknown, yes
from chopmark.rights.assignments import got_on
from chopmark.rights.classes import Asked
from chopmark.rights.comparison import same_party
from chopmark.rights.lifecycle import BACKING, force, known
from chopmark.rights.record import Class, Designation, Interest, Kind, Level, Mandate, Party, Power, Record, Right, Role

MAX_CHAIN = 20  # grants in a row

CLASSED: frozenset[Kind] = frozenset({"trademark"})
"""Kinds whose protection goes by classes; a design or a patent counts whatever it was classified as."""

LEAST: Mapping[Kind, Level] = {"copyright": 1, "neighbouring": 1}
"""Level from which a right may back a measure; 2, equal to the office's record, for all others."""

_SELLING: frozenset[Role] = frozenset(
    {"owner", "co_owner", "assignee", "licensee_exclusive", "licensee", "authorised_seller"}
)
_GRANTING: frozenset[Role] = frozenset({"owner", "co_owner", "assignee", "licensee_exclusive", "licensee"})
_ACTING: frozenset[Role] = frozenset({"owner", "co_owner", "assignee", "licensee_exclusive", "collecting_society"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Whether a measure may rest on a right, and how far it may reach.

    Attributes:
        limits: the countries that the measure may reach, never more; empty when `may` is no. A right of one country
            never backs a measure for all, nor does a mandate, an exclusive licence or the absence of a grant to the
            seller in one country; where the right is in dispute, it does not reach either.
        disputes: ids of verified rights of others that cover the same place and class: a dispute is to be opened.
    """

    may: Value
    reasons: tuple[Reason, ...]
    limits: tuple[str, ...] = ()
    disputes: tuple[str, ...] = ()

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes of the reasons."""
        return tuple(each.code for each in self.reasons)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sale:
    """Whether somebody may sell, and by which grants, from the one he holds up to the owner's."""

    value: Value
    reasons: tuple[Reason, ...]
    chain: tuple[Interest, ...] = ()

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes of the reasons."""
        return tuple(each.code for each in self.reasons)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """Where, for what, by which way and when; `cls` as it was asked, `asked` as it was read."""

    territory: str
    on: date
    cls: str
    asked: Asked | None
    channel: str = ""


# ---- does this right cover this class, territory and date ------------------------------------------------------------


def covers(right: Right | Record, *, territory: str, cls: str = "", on: date) -> Answer:
    """Whether the right has effect there, on that day, for that class.

    Args:
        right: the right, or its record alone; its standing on the platform does not count here.
        territory: a country or a region, ST.3; of a region every member has to be covered.
        cls: as `classes.parse` reads it; empty when nobody asks, which for a mark is unknown.
        on: the day in law.

    Raises:
        Invalid: `rules.territory_unknown`, `rules.class_unknown`.
    """
    record = known(right) if isinstance(right, Right) else right
    asked = classes.parse(cls) if cls else None
    return _over(record, territories.territory(territory).code, on, asked, ask=True)


def reaches(right: Right | Record, *, territory: str, on: date) -> Answer:
    """Whether the right has effect there on that day, whatever the class.

    Raises:
        Invalid: `rules.territory_unknown`.
    """
    record = known(right) if isinstance(right, Right) else right
    return _over(record, territories.territory(territory).code, on, None, ask=False)


def in_force(right: Right | Record, on: date, territory: str) -> bool | None:
    """`reaches` as yes, no or None for unknown."""
    value = reaches(right, territory=territory, on=on).value
    return None if value == "unknown" else value == "yes"


def reach(right: Right | Record, *, cls: str = "", on: date) -> frozenset[str]:
    """The countries in which the right surely has effect on that day, for the class where one is asked for."""
    record = known(right) if isinstance(right, Right) else right
    asked = classes.parse(cls) if cls else None
    countries = (each.code for each in territories.territories() if not each.region)
    return frozenset(code for code in countries if _over(record, code, on, asked, ask=asked is not None).value == "yes")


def _candidates(record: Record, on: date) -> Iterable[str]:
    """The countries that can be covered at all: elsewhere no part of the right says yes."""
    if record.kind == "copyright" and not record.designations:
        return (each.code for each in territories.territories() if not each.region)
    named = [each.territory for each in record.designations]
    if not named and offices.known(record.office):
        named = [offices.office(record.office).territory]
    return {country for each in named if territories.known(each) for country in territories.members(each, on)}


def _over(record: Record, territory: str, on: date, asked: Asked | None, *, ask: bool) -> Answer:
    """The best of the right's parts for this place; a region may also be covered member by member."""
    direct = any_of(
        all_of(
            [
                place,
                *(force(record, part, on) if place.value != "no" else ()),
                *_class(record, part, asked, on, ask=ask),
            ]
        )
        for place, part in _parts(record, territory, on)
    )
    if direct.value == "yes" or not territories.territory(territory).region:
        return direct
    states = sorted(each.country for each in territories.memberships(territory) if each.holds(on))
    if not states or not record.designations:
        return direct
    each_state = [_over(record, state, on, asked, ask=ask) for state in states]
    if all(each.value == "yes" for each in each_state):
        return Answer(value="yes", reasons=(yes("rules.members_covered", territory=territory, members=states),))
    return direct


def _parts(record: Record, territory: str, on: date) -> list[tuple[Reason, Designation | None]]:
    """Each part of the right with what it says about this place."""
    if record.designations:
        told: list[tuple[Reason, Designation | None]] = [
            (_place(each.territory, territory, on, each.since or record.registration_date, record), each)
            for each in record.designations
        ]
        near = [each for each in told if each[0].value != "no" or each[0].code.startswith("rules.territory_left")]
        if near:
            return near
        named = sorted(territories.canonical(each.territory) for each in record.designations)
        return [(no("rules.territory_not_covered", territory=territory, covered=named), None)]
    return [(_undesignated(record, territory, on), None)]


def _undesignated(record: Record, territory: str, on: date) -> Reason:
    """What a record without designations says: its office's territory; a work's is every country of the convention."""
    if record.kind == "copyright":
        sure = territories.berne(territory) is True
        return (yes if sure else unknown)("rules.berne" if sure else "rules.berne_unsure", territory=territory)
    if not offices.known(record.office):
        return unknown("rules.territory_not_said")
    own = offices.office(record.office).territory
    if not own:
        return unknown("rules.designations_not_said", office=record.office)
    return _place(own, territory, on, record.registration_date, record)


def _place(covered: str, territory: str, on: date, since: date | None, record: Record) -> Reason:
    """Whether a right for `covered` reaches `territory`."""
    if not territories.known(covered):
        return unknown("rules.territory_not_known", covered=covered)
    here = territories.territory(covered)
    inside = territories.contains(here.code, territory, on)
    if inside is None:
        return unknown("rules.territory_unsure", territory=territory, covered=here.code)
    if not inside:
        return _outside(here.code, territory, on, record)
    joined = territories.joined(here.code, territory, on)
    if not here.extends and joined is not None and since is not None and since < joined:
        return unknown("rules.joined_later", territory=territory, covered=here.code, since=joined.isoformat())
    return yes("rules.territory_covered", territory=territory, covered=here.code)


def _outside(covered: str, territory: str, on: date, record: Record) -> Reason:
    gone = territories.left(covered, territory, on)
    if gone is None:
        return no("rules.territory_not_covered", territory=territory, covered=[covered])
    facts: dict[str, Fact] = {"territory": territory, "covered": covered, "since": gone.isoformat()}
    begun = record.registration_date
    if (
        covered == "EU"
        and territory == "GB"
        and record.kind in ("trademark", "design")
        and (begun is None or begun < gone)
    ):
        return Reason(code="rules.territory_left_comparable", value="no", facts=facts)
    return Reason(code="rules.territory_left", value="no", facts=facts)


# ---- classes ---------------------------------------------------------------------------------------------------------


def _class(record: Record, part: Designation | None, asked: Asked | None, on: date, *, ask: bool) -> list[Reason]:
    if not ask:
        return []
    if record.kind not in CLASSED:
        return [yes("rules.kind_without_classes", kind=record.kind)]
    if asked is None:
        return [unknown("rules.class_not_asked")]
    told = _class_of(record, asked, on)
    if part is not None and part.classes and told.value != "no":
        named = {classes.plain("nice", each) for each in part.classes}
        if classes.nice_of(asked) and classes.nice_of(asked) not in named:
            return [
                no("rules.class_not_designated", cls=asked.text(), territory=part.territory, classes=_ordered(named))
            ]
    return [told]


def _class_of(record: Record, asked: Asked, on: date) -> Reason:
    """Whether the right's own classes hold the one that was asked for, on that day."""
    if not record.classes:
        return unknown("rules.classes_not_said", cls=asked.text())
    same = _entries(record, asked.scheme, asked.code)
    if same:
        return _dated(same, asked, on)
    return _without_entry(record, asked) if asked.scheme == "nice" else _part_of_class(record, asked, on)


def _entries(record: Record, scheme: str, code: str) -> list[Class]:
    return [each for each in record.classes if each.scheme == scheme and classes.plain(scheme, each.code) == code]


def _dated(same: Sequence[Class], asked: Asked, on: date) -> Reason:
    """The entries of the class itself: one that counts on the day is enough."""
    text, failed = asked.text(), []
    for each in same:
        if each.since is not None and on < each.since:
            failed.append(no("rules.class_later", cls=text, since=each.since.isoformat()))
        elif each.until is not None and on >= each.until:
            failed.append(no("rules.class_ended", cls=text, until=each.until.isoformat()))
        else:
            listed = asked.scheme == "nice" and bool(each.goods)
            return yes("rules.class_covered_for_goods" if listed else "rules.class_covered", cls=text)
    return failed[0]


def _without_entry(record: Record, asked: Asked) -> Reason:
    """A Nice class that the record does not name: covered in part where it names parts of it."""
    inside = {each.code for each in record.classes if each.scheme == "cn_subclass" and _within(each.code, asked.code)}
    if inside:
        return unknown("rules.class_in_part", cls=asked.text(), classes=_ordered(inside))
    if {each.scheme for each in record.classes} & {"nice", "cn_subclass"}:
        return _not_covered(record, asked)
    return _other_scheme(record, asked)


def _part_of_class(record: Record, asked: Asked, on: date) -> Reason:
    """A subclass, or a class of another scheme, that the record does not name itself.

    A class as a whole holds its parts; of one with a list of goods somebody has to read the list.
    """
    nice = classes.nice_of(asked)
    if not nice:
        return _not_covered(record, asked) if _named(record, asked.scheme) else _other_scheme(record, asked)
    if any(each.scheme == "cn_subclass" and _within(each.code, nice) for each in record.classes):
        return _not_covered(record, asked)
    whole = _entries(record, "nice", nice)
    if not whole:
        return _not_covered(record, asked) if _named(record, "nice") else _other_scheme(record, asked)
    told = _dated(whole, Asked(scheme="nice", code=nice), on)
    if told.code == "rules.class_covered_for_goods":
        return unknown("rules.goods_decide", cls=asked.text())
    return Reason(code=told.code, value=told.value, facts={**told.facts, "cls": asked.text()})


def _not_covered(record: Record, asked: Asked) -> Reason:
    return no("rules.class_not_covered", cls=asked.text(), classes=_ordered({each.code for each in record.classes}))


def _other_scheme(record: Record, asked: Asked) -> Reason:
    schemes: list[str] = sorted({each.scheme for each in record.classes})
    return unknown("rules.classes_of_other_scheme", cls=asked.text(), schemes=schemes)


def _named(record: Record, scheme: str) -> bool:
    return any(each.scheme == scheme for each in record.classes)


def _within(code: str, nice: str) -> bool:
    return code[:2].lstrip("0") == nice


def _ordered(codes: Iterable[str]) -> list[str]:
    return sorted(codes, key=lambda code: (len(code), code))


# ---- who may sell ----------------------------------------------------------------------------------------------------


def may_sell(
    right: Right,
    *,
    territory: str,
    on: date,
    organisation: str = "",
    party: Party | None = None,
    cls: str = "",
    channel: str = "",
) -> Sale:
    """Whether a seller holds a grant for this place, class, channel and day, and by which chain.

    No grant is "no": that none is known here, not that the sale is forbidden; goods that the owner sold himself may be
    sold on in many places. Where the right has no effect the answer is unknown: it neither allows nor forbids.

    Args:
        right: the right that the goods bear.
        territory: a country or a region, ST.3.
        on: the day in law.
        organisation: the seller's organisation here.
        party: the seller, where it has none here.
        cls: as `classes.parse` reads it; empty when not asked.
        channel: a marketplace's name or host, `offline`; empty when not asked.

    Raises:
        Invalid: `rules.territory_unknown`, `rules.class_unknown`.
    """
    there = territories.territory(territory).code
    asked = classes.parse(cls) if cls else None
    question = _Question(territory=there, on=on, cls=cls, asked=asked, channel=channel)
    covered = _effect(right, question)
    if covered.value == "no":
        return Sale(
            value="unknown", reasons=(unknown("rules.right_does_not_reach", territory=there), *covered.deciding)
        )
    sale = _granted_to(right, question, organisation, party)
    if sale.value != "yes":
        return sale
    doubts = [each for each in covered.reasons if covered.value != "yes" and each.value == "unknown"]
    doubts += [replace(each, value="unknown") for each in _disputed(right, there, on)]
    answer = all_of([*sale.reasons, *doubts])
    return Sale(value=answer.value, reasons=answer.reasons, chain=sale.chain)


def _effect(right: Right, question: _Question) -> Answer:
    """Whether the right has effect there at all."""
    asked = question.asked
    return _over(known(right), question.territory, question.on, asked, ask=asked is not None)


def _granted_to(right: Right, question: _Question, organisation: str, party: Party | None) -> Sale:
    """What a seller holds, whatever the effect of the right."""
    standing = _standing(right, question.on)
    if organisation and organisation == right.organisation:
        answer = all_of([*standing, yes("rules.seller_is_holder")])
        return Sale(value=answer.value, reasons=answer.reasons)
    held = [(each, doubt) for each in right.interests for doubt in _holds(each, organisation, party)]
    tried = [(_granted(right, each, question), doubt) for each, doubt in held if each.role in _SELLING]
    if not tried:
        return Sale(value="no", reasons=(no("rules.no_grant"),))
    sales = [(all_of([*standing, *reasons, *doubt]), chain) for (reasons, chain), doubt in tried]
    best, chain = min(sales, key=lambda each: ("yes", "unknown", "no").index(each[0].value))
    return Sale(value=best.value, reasons=best.reasons, chain=chain)


def _standing(right: Right, on: date) -> list[Reason]:
    """Whether what is recorded of the right can be relied on."""
    early = _assigned(right, on)
    if early:
        return early
    if right.level < LEAST.get(right.record.kind, 2) or right.state in ("draft", "submitted", "checking", "incorrect"):
        return [unknown("rules.not_verified", state=right.state, level=right.level)]
    if right.state in ("suspended", "refused", "withdrawn", "cancelled", "assigned_away"):
        return [unknown("rules.grantor_in_question", state=right.state)]
    return []


def _holds(interest: Interest, organisation: str, party: Party | None) -> list[list[Reason]]:
    """Whether this is the seller's grant: nothing where it is not, else one list of what puts it in doubt.

    Names are free to choose: another organisation or country, another legal form, or a name that the seller only says
    he is also called, is for a person to see.
    """
    if organisation and interest.organisation == organisation:
        return [[]]
    rule = same_party(party, interest.party) if party is not None else None
    if party is None or rule is None:
        return []
    apart = [(organisation, interest.organisation), (party.country, interest.party.country)]
    if rule in ("transliteration_claimed", "other_legal_form") or any(a and b and a != b for a, b in apart):
        return [[unknown("rules.seller_named_so", grant=interest.id)]]
    return [[]]


def _granted(right: Right, held: Interest, question: _Question) -> tuple[list[Reason], tuple[Interest, ...]]:
    """Each grant from the seller's up to the owner's has to allow it: none reaches further than the one above."""
    interests = {each.id: each for each in right.interests}
    chain: list[Interest] = []
    reasons: list[Reason] = []
    link: Interest | None = held
    while link is not None:
        if link in chain or len(chain) >= MAX_CHAIN:
            return [*reasons, unknown("rules.chain_circular", grant=link.id)], tuple(chain)
        if chain and link.role not in _GRANTING:
            reasons.append(no("rules.grantor_may_not_grant", grant=link.id, role=link.role))
        chain.append(link)
        reasons += _link(link, question)
        if not link.granted_by:
            break
        if link.granted_by not in interests:
            return [*reasons, unknown("rules.chain_broken", grant=link.id, missing=link.granted_by)], tuple(chain)
        link = interests[link.granted_by]
    reasons += _exclusive_elsewhere(right, chain, question)
    if not [each for each in reasons if each.value != "yes"]:
        reasons.append(yes("rules.granted", grant=held.id, role=held.role, length=len(chain)))
    return reasons, tuple(chain)


def _link(link: Interest, question: _Question) -> list[Reason]:
    return [
        *_running(link, question.on),
        *_where(link, question.territory, question.on),
        *_for_class(link, question.asked),
        *_by_channel(link, question.channel),
        *([yes("rules.quantity_limited", grant=link.id, quantity=link.quantity)] if link.quantity is not None else []),
    ]


def _running(link: Interest, on: date) -> list[Reason]:
    if link.since is not None and on < link.since:
        return [no("rules.grant_later", grant=link.id, since=link.since.isoformat())]
    if link.until is not None and on >= link.until:
        return [no("rules.grant_over", grant=link.id, until=link.until.isoformat())]
    if link.ended_on is not None and on >= link.ended_on:
        return [no("rules.grant_ended", grant=link.id, on=link.ended_on.isoformat())]
    return []


def _where(link: Interest, territory: str, on: date) -> list[Reason]:
    if not link.territories:
        return []
    answers = [
        territories.contains(each, territory, on) if territories.known(each) else None for each in link.territories
    ]
    facts: dict[str, Fact] = {"grant": link.id, "territory": territory, "granted": list(link.territories)}
    if True in answers:
        return []
    if None in answers:
        return [Reason(code="rules.grant_territory_unsure", value="unknown", facts=facts)]
    states = [each.country for each in territories.memberships(territory) if each.holds(on)]
    if states and all(any(territories.contains(one, state, on) for one in link.territories) for state in states):
        return []
    return [Reason(code="rules.grant_elsewhere", value="no", facts=facts)]


def _for_class(link: Interest, asked: Asked | None) -> list[Reason]:
    if not link.classes:
        return []
    if asked is None:
        return [unknown("rules.grant_class_not_asked", grant=link.id, classes=list(link.classes))]
    granted = [classes.read(each) for each in link.classes]
    if asked in granted or Asked(scheme="nice", code=classes.nice_of(asked) or "-") in granted:
        return []
    if asked.scheme == "nice" and any(each is None or classes.nice_of(each) == asked.code for each in granted):
        return [unknown("rules.grant_class_in_part", grant=link.id, cls=asked.text(), classes=list(link.classes))]
    return [no("rules.grant_other_class", grant=link.id, cls=asked.text(), classes=list(link.classes))]


def _by_channel(link: Interest, channel: str) -> list[Reason]:
    if not link.channels:
        return []
    if not channel:
        return [unknown("rules.grant_channel_not_asked", grant=link.id, channels=list(link.channels))]
    if any(channel_matches(each, channel) for each in link.channels):
        return []
    return [no("rules.grant_other_channel", grant=link.id, channel=channel, channels=list(link.channels))]


def channel_matches(granted: str, channel: str) -> bool:
    """Whether a channel is the granted one: the same name, the same host, or a host below `*.`."""
    ours, theirs = granted.strip().casefold().rstrip("."), channel.strip().casefold().rstrip(".")
    return theirs.endswith(ours[1:]) and theirs != ours[2:] if ours.startswith("*.") else ours == theirs


def _exclusive_elsewhere(right: Right, chain: Sequence[Interest], question: _Question) -> list[Reason]:
    """A licence that was given for itself alone to another, before this one, puts this one in question."""
    if any(each.role in ("licensee_exclusive", "assignee", "owner", "co_owner") for each in chain):
        return []
    for each in right.interests:
        if each.role != "licensee_exclusive" or _running(each, question.on):
            continue
        first = each.since is None or chain[-1].since is None or each.since <= chain[-1].since
        limits = (*_where(each, question.territory, question.on), *_for_class(each, question.asked))
        if first and not any(one.value == "no" for one in limits):
            return [unknown("rules.exclusive_elsewhere", grant=each.id)]
    return []


# ---- who may act -----------------------------------------------------------------------------------------------------


def may_act(
    right: Right,
    *,
    actor: str,
    territory: str,
    cls: str,
    on: date,
    power: Power = "notice",
    mandates: Iterable[Mandate] = (),
    seller: str = "",
    seller_party: Party | None = None,
    channel: str = "",
    rivals: Iterable[Right] = (),
    parallel: bool = False,
) -> Decision:
    """Whether this actor may base a measure on this right against a listing, and in which countries.

    Args:
        right: the right.
        actor: the acting organisation.
        territory: where the listing sells or ships to, ST.3.
        cls: of the goods, as `classes.parse` reads it.
        on: the day in law.
        power: what a mandate must allow.
        mandates: those given to the actor.
        seller: the seller's organisation; `seller_party` where it has none here.
        seller_party: the seller as a party.
        channel: the marketplace.
        rivals: verified rights of others in the same or a similar sign.
        parallel: whether the goods are said to be genuine and imported from another market.

    Raises:
        Invalid: `rules.territory_unknown`, `rules.class_unknown`.
    """
    there = territories.territory(territory).code
    covered = covers(right, territory=there, cls=cls, on=on)
    asked = classes.parse(cls) if cls else None
    question = _Question(territory=there, on=on, cls=cls, asked=asked, channel=channel)
    given = tuple(mandates)
    others = [each for each in rivals if each.id != right.id and each.organisation != right.organisation]
    against = [(each, covers(each, territory=there, cls=cls, on=on).value) for each in others if _stands(each)]
    reasons = [
        *_verified(right),
        *_state(right),
        *_assigned(right, on),
        *_disputed(right, there, on),
        *covered.reasons,
        *_actor(right, actor, given, power, question),
        *_seller(right, seller, seller_party, question),
        *([unknown("rules.parallel_import")] if parallel else []),
        *[no("rules.rival", right=each.number) for each, value in against if value == "yes"],
        *[unknown("rules.rival_unsure", right=each.number) for each, value in against if value == "unknown"],
    ]
    answer = all_of(reasons)
    disputes = tuple(each.id for each, value in against if value == "yes" and covered.value == "yes")

    def locally(country: str) -> Answer:
        here = replace(question, territory=country)
        return all_of(
            [
                yes("rules.territory_covered", territory=country, covered=country),
                *_disputed(right, country, on),
                *_actor(right, actor, given, power, here),
                *_seller(right, seller, seller_party, here),
            ]
        )

    bearable = ("yes",) if answer.value == "yes" else ("yes", "unknown")
    free = () if answer.value == "no" else _limits(right, [each for each, _ in against], cls, on)
    limits = tuple(each for each in free if locally(each).value in bearable)
    return Decision(may=answer.value, reasons=answer.reasons, limits=limits, disputes=disputes)


def _limits(right: Right, others: Sequence[Right], cls: str, on: date) -> tuple[str, ...]:
    """Where the right surely has effect and no rival may have."""
    asked = classes.parse(cls) if cls else None

    records = [known(each) for each in others]

    def free(country: str) -> bool:
        return all(_over(record, country, on, asked, ask=asked is not None).value == "no" for record in records)

    return tuple(sorted(each for each in reach(right, cls=cls, on=on) if free(each)))


def _stands(right: Right) -> bool:
    return right.level >= LEAST.get(right.record.kind, 2) and right.state in BACKING | {"grace"}


def _verified(right: Right) -> list[Reason]:
    least = LEAST.get(right.record.kind, 2)
    if right.level < least:
        return [no("rules.level_too_low", level=right.level, least=least)]
    return [yes("rules.level_reached", level=right.level)]


def _state(right: Right) -> list[Reason]:
    if right.state in BACKING:
        return []
    if right.state == "grace":
        return [unknown("rules.state_grace")]
    return [no("rules.state_backs_nothing", state=right.state)]


def _assigned(right: Right, on: date) -> list[Reason]:
    """Before the day on which the holder got the right, somebody else had it: what he may say of then is not known."""
    since = got_on(right)
    return [unknown("rules.assigned_later", since=since.isoformat())] if since is not None and on < since else []


def _disputed(right: Right, territory: str, on: date) -> list[Reason]:
    told = []
    for each in right.disputes:
        if each.effect == "none" or (each.opened_on is not None and on < each.opened_on):
            continue
        if each.closed_on is not None and on >= each.closed_on:
            continue
        named = [one for one in each.territories if territories.known(one)]
        if named and all(territories.overlap(one, territory, on) is False for one in named):
            continue
        facts: dict[str, Fact] = {"kind": each.kind, "number": each.number or each.id}
        if each.effect == "suspend":
            told.append(Reason(code="rules.dispute_suspends", value="no", facts=facts))
        else:
            told.append(Reason(code="rules.dispute_limits", value="unknown", facts=facts))
    return told


def _actor(right: Right, actor: str, mandates: Sequence[Mandate], power: Power, question: _Question) -> list[Reason]:
    """The holder, somebody with an exclusive right, or an agent with a mandate of one of them."""
    if actor and actor == right.organisation:
        return [yes("rules.actor_is_holder")]
    if not actor:
        return [no("rules.actor_unknown")]
    principals = {right.organisation}
    nearly: list[Reason] = []
    for each in right.interests:
        if each.organisation == actor and each.role in ("licensee", "authorised_seller", "pledgee"):
            nearly.append(no("rules.actor_not_exclusive", role=each.role))
        if not each.organisation or each.role not in _ACTING:
            continue
        # How it is sold does not limit who may defend the right: channels are left out.
        reasons = [one for one in _granted(right, each, question)[0] if not one.code.startswith("rules.grant_channel_")]
        reasons = [one for one in reasons if one.code != "rules.grant_other_channel"]
        reasons = reasons or [yes("rules.granted", grant=each.id, role=each.role, length=1)]
        answer = all_of(reasons)
        if answer.value == "yes":
            principals.add(each.organisation)
        if each.organisation == actor:
            if answer.value == "yes":
                return [yes("rules.actor_exclusive", role=each.role, grant=each.id)]
            nearly += [one for one in answer.reasons if one.value != "yes"]
    given = [each for each in mandates if each.agent == actor and each.principal in principals]
    tried = [all_of(_mandate(each, right, power, question)) for each in given]
    best = any_of(tried)
    if tried and (best.value != "no" or not nearly):
        return list(best.reasons)
    return nearly or [no("rules.actor_unknown")]


def _mandate(mandate: Mandate, right: Right, power: Power, question: _Question) -> list[Reason]:
    told: list[Reason] = []
    territory, on = question.territory, question.on
    if power not in mandate.powers:
        told.append(no("rules.mandate_without_power", mandate=mandate.id, power=power))
    if mandate.rights and right.id not in mandate.rights:
        told.append(no("rules.mandate_other_right", mandate=mandate.id))
    if mandate.accepted_on is None or on < mandate.accepted_on:
        told.append(no("rules.mandate_not_accepted", mandate=mandate.id))
    if mandate.since is not None and on < mandate.since:
        told.append(no("rules.mandate_later", mandate=mandate.id, since=mandate.since.isoformat()))
    if mandate.until is not None and on >= mandate.until:
        told.append(no("rules.mandate_over", mandate=mandate.id, until=mandate.until.isoformat()))
    if mandate.revoked_on is not None and on >= mandate.revoked_on:
        told.append(no("rules.mandate_revoked", mandate=mandate.id, on=mandate.revoked_on.isoformat()))
    if mandate.territories:
        named = [each for each in mandate.territories if territories.known(each)]
        answers = [territories.contains(each, territory, on) for each in named]
        if True not in answers:
            doubt = None in answers or len(named) < len(mandate.territories)
            make = unknown if doubt else no
            told.append(make("rules.mandate_elsewhere", mandate=mandate.id, territory=territory))
    return told or [yes("rules.mandate", mandate=mandate.id, power=power)]


def _seller(right: Right, seller: str, party: Party | None, question: _Question) -> list[Reason]:
    """Against somebody who holds a grant, or may hold one, nothing is done without a person."""
    if not seller and party is None:
        return []
    if _effect(right, question).value == "no":
        return []
    sale = _granted_to(right, question, seller, party)
    match sale.value:
        case "yes":
            grant = sale.chain[0] if sale.chain else None
            if grant is None or (grant.organisation and grant.organisation == seller):
                return [no("rules.seller_authorised", grant="" if grant is None else grant.id)]
            # A name on a listing is what the seller says of himself.
            return [unknown("rules.seller_named_so", grant=grant.id)]
        case "unknown":
            return [unknown("rules.seller_unclear", why=[one.code for one in sale.reasons if one.value == "unknown"])]
        case "no":
            return [yes("rules.seller_not_authorised")]
