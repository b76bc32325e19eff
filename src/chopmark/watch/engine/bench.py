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
from chopmark.watch.score import Bound, default_card

if TYPE_CHECKING:
    import pyarrow as pa

OPENER = "chopmark.watch.engine.bench:open_bench"


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
    """

    marks: Path
    rules: Path
    on: date
    bounds: Mapping[str, Bound] = field(default_factory=dict)
    sellers: Path | None = None
    fast: bool = False
    pictures: Path | None = None
    folder: Path | None = None

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
        protected = open_pictures(setting.pictures) if setting.pictures else None
        self.matcher = matcher if isinstance(matcher, TextMatcher) else TextMatcher(found, fast=setting.fast)
        self.judge = Judge(
            found,
            text=self.matcher,
            decide=deciding(rules, on=setting.on, card=default_card(), bounds=setting.bounds),
            reading=Words(),
            pictures=protected[1] if protected else None,
            works=protected[0].works() if protected else None,
        )
        self._look = look_in(protected[1], setting.folder) if protected and setting.folder else None
        self._sellers = read_sellers(setting.sellers) if setting.sellers else {}

    def found(self, texts: Sequence[str], of: Field) -> dict[int, list[TextHit]]:
        """What the matcher finds in the texts of one field, by place."""
        found: dict[int, list[TextHit]] = {}
        for row, hit in self.matcher.hits(self.matcher.find_many(texts, field=of), field=of):
            found.setdefault(row, []).append(hit)
        return found

    def complete(self, listing: Listing) -> Listing:
        """With the contacts in its texts."""
        return with_contacts(listing)

    def classes_of(self, category: str) -> Sequence[str]:
        """Nice classes of a category."""
        return classes_of(category)

    def looked(self, table: pa.Table) -> pa.Table:
        """The table with what its pictures show, where somebody looks."""
        return with_fingerprints(table, self._look) if self._look is not None else table

    def signals(self, listing: Listing) -> Signals:
        """What is known of the seller."""
        return self._sellers.get(listing.seller, _NOBODY)


_NOBODY = Signals()


def open_bench(argument: str) -> MarkBench:
    """The bench of a process."""
    return MarkBench(Setting.parse(argument))


# ---- sellers ---------------------------------------------------------------------------------------------------------

_KNOWN = (
    "seller_days",
    "seller_confirmed",
    "seller_dismissed",
    "shared_pictures",
    "shared_contact",
    "group_confirmed",
    "impossible_stock",
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
