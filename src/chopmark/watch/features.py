"""The fixed feature table: one row for each hit (a listing with a right), which rules, score and pages read.

    FEATURES                      name -> Feature(kind, what it says, in zh and en)
    row(values)                   a full row: what is not given has its neutral value; unknown names are refused

A rule sees these names and no others. A name never changes its meaning; another meaning is another name.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Final, Literal

from chopmark.base.errors import Invalid

Kind = Literal["text", "integer", "real", "boolean"]
Evidence = Literal["", "text", "picture", "price", "seller", "listing"]
Value = str | int | float | bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One column.

    Attributes:
        neutral: the value when nothing was found or measured; None is SQL's NULL.
        evidence: the kind of evidence it belongs to; two keys need two different kinds.
    """

    name: str
    kind: Kind
    neutral: Value
    zh: str
    en: str
    evidence: Evidence = ""


def _read() -> dict[str, Feature]:
    table = tomllib.loads(files(__package__).joinpath("features.toml").read_text("utf-8"))
    return {name: Feature(name=name, neutral=said.pop("neutral", None), **said) for name, said in table.items()}


FEATURES: Final[Mapping[str, Feature]] = _read()
ROW: Final[Mapping[str, Value]] = {name: each.neutral for name, each in FEATURES.items()}


def row(values: Mapping[str, Value]) -> dict[str, Value]:
    """A full row in the table's order.

    Raises:
        Invalid: `watch.feature_unknown`.
    """
    if not values.keys() <= FEATURES.keys():
        raise Invalid("watch.feature_unknown", names=sorted(values.keys() - FEATURES.keys()))
    return {**ROW, **values}
