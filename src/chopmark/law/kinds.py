"""What all data of this room shares: labels in two languages, sources, and how sure a piece of data is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

Standing = Literal["published", "unverified", "simulated"]
"""`published`: stands in a public text that was read. `unverified`: known, but nobody has read the text for it.
`simulated`: made up so that the simulator has something to work with."""
STANDINGS: tuple[Standing, ...] = ("published", "unverified", "simulated")


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """One thing said in both languages."""

    zh: str
    en: str

    def __post_init__(self) -> None:
        if not self.zh.strip() or not self.en.strip():
            raise ValueError("a label has both languages")

    @classmethod
    def read(cls, table: Mapping[str, Any]) -> Label:
        """From a table `{zh, en}`."""
        return cls(zh=str(table["zh"]), en=str(table["en"]))

    def written(self) -> dict[str, str]:
        """The table again."""
        return {"zh": self.zh, "en": self.en}


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a piece of data is from.

    Attributes:
        title: the text's name.
        reference: its official number, article or address.
        since: from when it holds.
        standing: how sure it is.
    """

    title: Label
    reference: str
    since: date
    standing: Standing

    @classmethod
    def read(cls, table: Mapping[str, Any]) -> Source:
        """From a table of the data."""
        standing = table["standing"]
        if standing not in STANDINGS:
            raise ValueError(f"no such standing: {standing}")
        since = table["since"]
        return cls(
            title=Label.read(table["title"]),
            reference=str(table["reference"]),
            since=since if isinstance(since, date) else date.fromisoformat(str(since)),
            standing=standing,
        )
