"""A fingerprint: what is kept of a file, or asked about it, so that its like are found. Values and their one encoding.

Codes are for the index, the print is for comparing two files closely; both are made by the module of the kind
(`picture`, `features`, `audio`, `video`, `text`) and are never readable as the work. Places are in millionths of width
and height, times in milliseconds: whole numbers, so that the encoding is exact (`base.cbor`).
Reading is strict, because what is read was made from a hostile file: by a process that a bad file may have taken over.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chopmark.base import cbor
from chopmark.base.errors import Invalid
from chopmark.media.guard import KINDS, Kind
from chopmark.media.index import SIZE

WHOLE = (0, 0, 1_000_000, 1_000_000)
MILLION = 1_000_000
MOST_CODES = 200_000
MOST_FACTS = 32
TURNS = 8
_NAME = re.compile(r"[a-z0-9][a-z0-9_.+-]{0,63}")
_ISCC = re.compile(r"ISCC:[A-Z2-7]{10,73}")
_LONGEST_FACT = 200

Box = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """One code of 256 bits, and what it is of.

    Attributes:
        quality: 0 to 100.
        region: name of the part of the picture.
        box: left, top, right, bottom of that part, in millionths.
        turn: 0 to 7, see `picture.Code`.
        at: milliseconds from the start, of a frame of a film.
    """

    bits: bytes
    quality: int = 100
    region: str = "whole"
    box: Box = WHOLE
    turn: int = 0
    at: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Print:
    """An encoded print: `plain` and `mirrored` local features, `sound`, `film` or `text`."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """What is kept of a file.

    Attributes:
        algorithm: names and versions of what made the codes and the print.
        codes: for a reference, those it is kept under; for a query, those it is searched with.
        prints: local features, sound, film or text, each as its module encodes it.
        iscc: ISCC-CODE or -UNIT of ISO 24138; empty where it could not be made.
        facts: width, height, duration, ...: numbers and short texts.
    """

    kind: Kind
    media_type: str
    algorithm: str
    codes: tuple[Code, ...] = ()
    prints: tuple[Print, ...] = ()
    iscc: str = ""
    facts: Mapping[str, int | str] = field(default_factory=dict)

    def encode(self) -> bytes:
        """Deterministic CBOR."""
        return cbor.encode(
            {
                "kind": self.kind,
                "media_type": self.media_type,
                "algorithm": self.algorithm,
                "codes": [
                    [each.bits, each.quality, each.region, list(each.box), each.turn, each.at] for each in self.codes
                ],
                "prints": [[each.name, each.data] for each in self.prints],
                "iscc": self.iscc,
                "facts": dict(self.facts),
            }
        )

    def named(self, name: str) -> bytes:
        """The print of that name; empty when there is none."""
        return next((each.data for each in self.prints if each.name == name), b"")

    @classmethod
    def parse(cls, data: bytes) -> Fingerprint:
        """Read one; what does not print back is not accepted.

        Raises:
            Invalid: `media.fingerprint_malformed`.
        """
        try:
            found = _parsed(cbor.decode(data))
        except (Invalid, ValueError, TypeError, KeyError) as error:
            raise Invalid("media.fingerprint_malformed") from error
        if found.encode() != data:
            raise Invalid("media.fingerprint_malformed")
        return found


def _parsed(said: dict[str, Any]) -> Fingerprint:
    codes = said["codes"]
    if len(codes) > MOST_CODES or len(said["facts"]) > MOST_FACTS:
        raise ValueError
    return Fingerprint(
        kind=_one_of(said["kind"]),
        media_type=_like(re.compile(r"[a-z]{1,20}/[a-z0-9.+-]{1,40}"), said["media_type"]),
        algorithm=_like(_NAME, said["algorithm"]),
        codes=tuple(_code(*each) for each in codes),
        prints=tuple(Print(name=_like(_NAME, name), data=_bytes(data)) for name, data in said["prints"]),
        iscc=_like(_ISCC, said["iscc"]) if said["iscc"] else "",
        facts={_like(_NAME, name): _fact(value) for name, value in said["facts"].items()},
    )


def _code(bits: object, quality: object, region: object, box: list[object], turn: object, at: object) -> Code:  # noqa: PLR0917 (as the list has them)
    bits = _bytes(bits)
    left, top, right, bottom = (_number(each, MILLION) for each in box)
    if len(bits) != SIZE or left >= right or top >= bottom:
        raise ValueError
    return Code(
        bits=bits,
        quality=_number(quality, 100),
        region=_like(_NAME, region),
        box=(left, top, right, bottom),
        turn=_number(turn, TURNS - 1),
        at=_number(at, 1 << 40),
    )


def _one_of(value: object) -> Kind:
    for each in KINDS:
        if each == value:
            return each
    raise ValueError


def _like(pattern: re.Pattern[str], value: object) -> str:
    if not isinstance(value, str) or pattern.fullmatch(value) is None:
        raise ValueError
    return value


def _bytes(value: object) -> bytes:
    if not isinstance(value, bytes):
        raise TypeError
    return value


def _number(value: object, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise ValueError
    return value


def _fact(value: object) -> int | str:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and len(value) <= _LONGEST_FACT and value.isprintable():
        return value
    raise ValueError
