"""What a process of a scan opens once: the marks, their matcher, the rules, what is known of sellers.

    Setting(marks=..., rules=..., on=...).encode()      the argument of a plan
    open_bench(argument)                                the bench of `engine.work`, from those files

Everything comes from files that the scan's starter wrote, so that a process on another machine needs no database and
decides as the one beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chopmark.base import jcs
from chopmark.base.errors import Invalid
from chopmark.watch import marks as mark_sets
from chopmark.watch.deciding import deciding
from chopmark.watch.engine.looks import look_in, open_pictures, with_fingerprints
from chopmark.watch.found import Field, TextHit
from chopmark.watch.judge import Judge, Signals, TextFinder
from chopmark.watch.listing import Listing
from chopmark.watch.reading import Words, classes_of, with_contacts
from chopmark.watch.rules.rule import parse_rules
from chopmark.watch.score import Bound, default_card, parse_learned
from chopmark.watch.signals import Known, parse_known

if TYPE_CHECKING:
    import pyarrow as pa

    from chopmark.watch.text.matcher import TextMatcher

OPENER = "chopmark.watch.engine.bench:open_bench"
CENSUS = "chopmark.watch.engine.bench:open_census"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What a bench is made of.

    Attributes:
        marks, rules: files, as `marks.encode` and `rules.rule.encode_rules` wrote them.
        on: the day, by which rules expire.
        bounds: what labelled samples prove, by the version of the rule: labelled, confirmed, lower, needed.
        sellers: a file of sellers (`write_sellers`), or empty.
        fast: exact and canonical views alone.
        pictures: a file of protected pictures (`watch.pictures`), or empty.
        folder: where the pictures of listings lie, by their SHA-256, or empty: then none is looked at.
        card: a file of a learned score card (`score.Learned`), or empty: the one that ships.
    """

    marks: Path
    rules: Path
    on: date
    bounds: Mapping[str, Bound] = field(default_factory=dict)
    sellers: Path | None = None
    fast: bool = False
    pictures: Path | None = None
    folder: Path | None = None
    card: Path | None = None

    def encode(self) -> str:
        """Canonical JSON."""
        return jcs.encode(
            {
                "marks": str(self.marks),
                "rules": str(self.rules),
                "on": self.on.isoformat(),
                "bounds": {
                    version: [each.labelled, each.confirmed, each.lower, each.needed]
                    for version, each in self.bounds.items()
                },
                "sellers": str(self.sellers) if self.sellers else "",
                "fast": self.fast,
                "pictures": str(self.pictures) if self.pictures else "",
                "folder": str(self.folder) if self.folder else "",
                "card": str(self.card) if self.card else "",
            }
        ).decode()

    @classmethod
    def parse(cls, text: str) -> Setting:
        """Read what `encode` printed.

        Raises:
            Invalid: `watch.setting_malformed`; `base.json_malformed`.
        """
        said = jcs.decode(text.encode())
        try:
            setting = cls(
                marks=Path(said["marks"]),
                rules=Path(said["rules"]),
                on=date.fromisoformat(said["on"]),
                bounds={
                    version: Bound(labelled=labelled, confirmed=confirmed, lower=lower, needed=needed)
                    for version, (labelled, confirmed, lower, needed) in said["bounds"].items()
                },
                sellers=Path(said["sellers"]) if said["sellers"] else None,
                fast=said["fast"],
                pictures=Path(said["pictures"]) if said["pictures"] else None,
                folder=Path(said["folder"]) if said["folder"] else None,
                card=Path(said["card"]) if said["card"] else None,
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise Invalid("watch.setting_malformed") from error
        if setting.encode() != text:
            raise Invalid("watch.setting_malformed")
        return setting


class MarkBench:
    """See the module; `matcher` is for who has one already."""

    def __init__(self, setting: Setting, *, matcher: TextFinder | None = None) -> None:
        from chopmark.watch.text.matcher import TextMatcher  # noqa: PLC0415 (loads the automaton)

        found = mark_sets.parse(setting.marks.read_bytes())
        rules = parse_rules(setting.rules.read_bytes())
        self.marks, self.rules = found.version, rules.version
        learned = parse_learned(setting.card.read_bytes()) if setting.card else None
        protected = open_pictures(setting.pictures) if setting.pictures else None
        self.matcher = matcher if isinstance(matcher, TextMatcher) else TextMatcher(found, fast=setting.fast)
        self.judge = Judge(
            found,
            text=self.matcher,
            decide=deciding(
                rules,
                on=setting.on,
                card=learned.card if learned else default_card(),
                bounds=setting.bounds,
                least=learned.least if learned else None,
            ),
            reading=Words(),
            pictures=protected[1] if protected else None,
            works=protected[0].works() if protected else None,
        )
        self._look = look_in(protected[1], setting.folder) if protected and setting.folder else None
        self._sellers = read_sellers(setting.sellers) if setting.sellers else {}
        self._known: Known | None = None

    def found(self, texts: Sequence[str], of: Field) -> dict[int, list[TextHit]]:
        """What the matcher finds in the texts of one field, by place."""
        return _found(self.matcher, texts, of)

    def complete(self, listing: Listing) -> Listing:
        """With the contacts in its texts."""
        return with_contacts(listing)

    def classes_of(self, category: str) -> Sequence[str]:
        """Nice classes of a category."""
        return classes_of(category)

    def looked(self, table: pa.Table) -> pa.Table:
        """The table with what its pictures show, where somebody looks."""
        return with_fingerprints(table, self._look) if self._look is not None else table

    def learn(self, data: bytes) -> None:
        """What the first pass over the stock found.

        Raises:
            Invalid: `watch.prices_malformed`.
        """
        self._known = parse_known(data)

    def signals(self, listing: Listing) -> Signals:
        """What is known of the seller, and of its offer beside others."""
        known = self._sellers.get(listing.seller, _NOBODY)
        return known if self._known is None else self._known.signals(known, listing)


_NOBODY = Signals()


def open_bench(argument: str) -> MarkBench:
    """The bench of a process."""
    return MarkBench(Setting.parse(argument))


class MarkCensus:
    """What a process of the first pass opens: names as they are written and as they look, and no disguise.

    Whoever sells genuine goods writes the name as it is, and their prices are what is usual. It costs a fifth of what
    the judge's matcher costs. The matcher is made when something is to be found.
    """

    def __init__(self, setting: Setting) -> None:
        self._setting = setting

    @cached_property
    def _marks(self) -> mark_sets.MarkSet:
        return mark_sets.parse(self._setting.marks.read_bytes())

    @cached_property
    def _matcher(self) -> TextMatcher:
        from chopmark.watch.text.matcher import TextMatcher  # noqa: PLC0415 (loads the automaton)

        return TextMatcher(self._marks, fast=True)

    @cached_property
    def _numbers(self) -> Mapping[int, str]:
        return {each.id: each.number for each in self._marks.marks}

    def found(self, texts: Sequence[str], of: Field) -> dict[int, list[TextHit]]:
        """Names in the texts of one field, by place."""
        return _found(self._matcher, texts, of)

    def number(self, mark: int) -> str:
        """The number of the right of a mark."""
        return self._numbers[mark]

    def confirmed(self) -> Mapping[str, int]:
        """Hits of sellers that people confirmed, by the seller's number."""
        known = read_sellers(self._setting.sellers) if self._setting.sellers else {}
        return {seller: each.seller_confirmed for seller, each in known.items()}


def open_census(argument: str) -> MarkCensus:
    """The finder of a process of the first pass."""
    return MarkCensus(Setting.parse(argument))


def _found(matcher: TextMatcher, texts: Sequence[str], of: Field) -> dict[int, list[TextHit]]:
    found: dict[int, list[TextHit]] = {}
    for row, hit in matcher.hits(matcher.find_many(texts, field=of), field=of):
        found.setdefault(row, []).append(hit)
    return found


# ---- sellers ---------------------------------------------------------------------------------------------------------

_KNOWN = (
    "seller_days",
    "seller_confirmed",
    "seller_dismissed",
    "shared_pictures",
    "shared_contact",
    "group_confirmed",
    "impossible_stock",
    "organisation",
)


def write_sellers(path: Path, sellers: Mapping[str, Signals]) -> None:
    """What tables know of one marketplace's sellers, one a line, for processes that have no tables."""
    lines = (jcs.encode([seller, *(getattr(known, name) for name in _KNOWN)]) for seller, known in sellers.items())
    path.write_bytes(b"".join(each + b"\n" for each in lines))


def read_sellers(path: Path) -> dict[str, Signals]:
    """Read what `write_sellers` wrote.

    Raises:
        Invalid: `watch.setting_malformed`; `base.json_malformed`.
    """
    sellers: dict[str, Signals] = {}
    for line in path.read_bytes().splitlines():
        said: Any = jcs.decode(line)
        if not isinstance(said, list) or len(said) != len(_KNOWN) + 1:
            raise Invalid("watch.setting_malformed")
        sellers[said[0]] = Signals(**dict(zip(_KNOWN, said[1:], strict=True)))
    return sellers
