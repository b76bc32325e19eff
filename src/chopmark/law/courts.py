"""Court profiles: who the court is, what it hears, what a filing must hold, how it knows a deposit.

A profile is data for the wizard, for the check of what is missing and for the simulator. What is not from a public
text says so (`standing`). The Internet Courts publish no interface for platforms: what a profile says of codes and
fields of such an interface is simulated.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from chopmark.base.errors import Refused
from chopmark.law.kinds import STANDINGS, Label, Source, Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """A cause of action (案由).

    Attributes:
        code: our own short word; the courts' code numbers are not public.
        title: as the Supreme People's Court's list of causes names it.
        listed: whether Art. 2 of the Provisions on Internet Courts (2018) names such cases; others come to an Internet
            Court by designation only, which nobody here has verified.
        property: whether the fee goes by the amount claimed.
        intellectual: whether the fee of intellectual property cases holds where no amount is claimed.
    """

    code: str
    title: Label
    listed: bool
    property: bool
    intellectual: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Required:
    """One thing that a filing must hold.

    Attributes:
        field: path in the filing, for example `plaintiff.id_number`.
        title: for people.
        source: the provision, in short.
        standing: how sure it is.
    """

    field: str
    title: Label
    source: str
    standing: Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Court:
    """One court's profile.

    Attributes:
        code: `hangzhou`, `beijing`, `guangzhou`.
        version: of the profile; a filing keeps it: `hangzhou-internet-court/1`.
        place: as case numbers of the court begin, for example 浙0192.
        agency_code, application_code: what a deposit or filing interface would ask for; simulated.
        causes: what it hears.
        required: what a filing must hold.
        deposit_number: form that our deposit numbers have, as the court's check expects it.
        languages: in which papers are handed in.
        address: the court's own page for parties; empty where unknown.
        fees: name of the table of fees.
        sources: where all this is from.
    """

    code: str
    version: str
    title: Label
    place: str
    agency_code: str
    application_code: str
    causes: tuple[Cause, ...]
    required: tuple[Required, ...]
    deposit_number: str
    languages: tuple[str, ...]
    address: str
    fees: str
    sources: tuple[Source, ...]
    notes: tuple[Label, ...]

    def cause(self, code: str) -> Cause:
        """The cause of this code.

        Raises:
            Refused: `law.cause_unknown`.
        """
        for each in self.causes:
            if each.code == code:
                return each
        raise Refused("law.cause_unknown", court=self.code, cause=code[:60])

    def knows_number(self, number: str) -> bool:
        """Whether a deposit number has the form that the court's check takes."""
        return re.fullmatch(self.deposit_number, number) is not None

    @property
    def simulated(self) -> bool:
        """Whether the codes of the court's interface are made up."""
        return True


def courts() -> tuple[Court, ...]:
    """Every profile, by code."""
    return tuple(_all().values())


def court(code: str) -> Court:
    """The profile of this code.

    Raises:
        Refused: `law.court_unknown`.
    """
    found = _all().get(code)
    if found is None:
        raise Refused("law.court_unknown", court=code[:60], courts=sorted(_all()))
    return found


@cache
def _all() -> Mapping[str, Court]:
    folder = files("chopmark.law").joinpath("data")
    shared = tomllib.loads(folder.joinpath("causes.toml").read_text("utf-8"))
    paths = sorted(folder.joinpath("courts").iterdir(), key=lambda path: path.name)
    read = [_read(tomllib.loads(path.read_text("utf-8")), shared) for path in paths if path.name.endswith(".toml")]
    return {each.code: each for each in read}


def _read(table: Mapping[str, Any], shared: Mapping[str, Any]) -> Court:
    return Court(
        code=table["code"],
        version=table["version"],
        title=Label.read(table["title"]),
        place=table["place"],
        agency_code=table["agency_code"],
        application_code=table["application_code"],
        causes=tuple(_cause(code, shared["cause"][code]) for code in table["causes"]),
        required=tuple(_required(each) for each in (*shared["required"], *table.get("required", ()))),
        deposit_number=table["deposit_number"],
        languages=tuple(table["languages"]),
        address=table["address"],
        fees=table["fees"],
        sources=tuple(Source.read(each) for each in (*shared["source"], *table["source"])),
        notes=tuple(Label.read(each) for each in (*shared["note"], *table.get("note", ()))),
    )


def _cause(code: str, table: Mapping[str, Any]) -> Cause:
    return Cause(
        code=code,
        title=Label.read(table),
        listed=table["listed"],
        property=table["property"],
        intellectual=table["intellectual"],
    )


def _required(table: Mapping[str, Any]) -> Required:
    if table["standing"] not in STANDINGS:
        raise ValueError(f"no such standing: {table['standing']}")
    return Required(field=table["field"], title=Label.read(table), source=table["source"], standing=table["standing"])
