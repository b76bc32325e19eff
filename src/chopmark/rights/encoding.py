"""Values of `record` as JSON and back: one codec for events, API and command line.

A value has one encoding: a JSON object with the names of its fields, in which every field that has its default is left
out, so that a field added later changes no digest of what was written before. Digests are lower-case hexadecimal, dates
`2026-11-22`, moments `2026-11-22T09:30:00Z` (with six digits of a second where they are not zero), sets sorted lists.

Reading is strict: an unknown member, a wrong type, a number for a text, text of another form of date are refused with
the path of what is wrong. Defaults that are written out are accepted by `parse` (people write them) and refused by
`parse_exactly` (what was signed prints back).
This checks form, not sense: whether dates contradict each other is asked elsewhere.
"""

from __future__ import annotations

import dataclasses
import re
import typing
from collections.abc import Callable, Hashable, Mapping
from datetime import UTC, date, datetime
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar

from chopmark.base.errors import Invalid
from chopmark.rights import record as values
from chopmark.rights.record import CustomsRecordal, Dispute, Interest, Mandate, Party, Record, Right

T = TypeVar("T")
Encode = Callable[[Any], Any]
Parse = Callable[[Any, str], Any]

MAX_TEXT = 100_000  # characters of one text; the longest specification of goods seen in a register has about 60,000
MAX_ITEMS = 5_000  # of one list
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{6})?Z")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_HEX = re.compile(r"([0-9a-f]{2})*")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


def encode(value: object) -> dict[str, Any]:
    """The one encoding of a value of `record`."""
    kind: Any = type(value)
    encoded: dict[str, Any] = _codec(kind)[0](value)
    return encoded


def parse(kind: type[T], data: object, path: str = "") -> T:
    """Read a value of `record`; `path` stands before the places that errors name.

    Raises:
        Invalid: `rules.member_unknown`, `rules.member_missing`, `rules.value_malformed`, `rules.value_too_large`, each
            with the `path` of what is wrong, for example `record.classes.0.code`.
    """
    hashable: Any = kind
    value: T = _codec(hashable)[1](data, path)
    return value


def parse_exactly(kind: type[T], data: object, path: str = "") -> T:
    """Like `parse`, and the data is the one encoding of what was read.

    Raises:
        Invalid: as `parse`, and `rules.encoding_not_exact`.
    """
    value = parse(kind, data, path)
    if encode(value) != data:
        raise Invalid("rules.encoding_not_exact", path=path or kind.__name__)
    return value


def parse_record(data: object) -> Record:
    """A record from its members; errors as `parse`."""
    return parse(Record, data, "record")


def parse_interest(data: object) -> Interest:
    """An interest from its members; errors as `parse`."""
    return parse(Interest, data, "interest")


def parse_mandate(data: object) -> Mandate:
    """A mandate from its members; errors as `parse`."""
    return parse(Mandate, data, "mandate")


def parse_customs(data: object) -> CustomsRecordal:
    """A customs recordal from its members; errors as `parse`."""
    return parse(CustomsRecordal, data, "customs")


def parse_dispute(data: object) -> Dispute:
    """A dispute from its members; errors as `parse`."""
    return parse(Dispute, data, "dispute")


def parse_party(data: object) -> Party:
    """A party from its members; errors as `parse`."""
    return parse(Party, data, "party")


def parse_right(data: object) -> Right:
    """A right with its standing from its members; errors as `parse`."""
    return parse(Right, data, "right")


# ---- one pair of functions for each type ---------------------------------------------------------------------------


@cache
def _codec(kind: Hashable) -> tuple[Encode, Parse]:
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if dataclasses.is_dataclass(kind):
        return _fields(kind)
    if origin is None:
        return _PLAIN[kind]
    return _GENERIC[origin](inner)


def _fields(kind: Any) -> tuple[Encode, Parse]:  # noqa: ANN401 (a dataclass)
    # Annotations are read in the module alone: in the class, the field `date` of a priority hides the type `date`.
    hints = typing.get_type_hints(kind, vars(values), {})
    known = {each.name: (_default(each), *_codec(hints[each.name])) for each in dataclasses.fields(kind)}
    needed = [name for name, (default, _, _) in known.items() if default is dataclasses.MISSING]

    def encode_fields(value: Any) -> dict[str, Any]:  # noqa: ANN401
        told = ((name, getattr(value, name), default, encode_one) for name, (default, encode_one, _) in known.items())
        return {name: encode_one(one) for name, one, default, encode_one in told if one != default}

    def parse_fields(data: Any, path: str) -> Any:  # noqa: ANN401
        if not isinstance(data, dict):
            raise _malformed(path)
        for name in data:
            if name not in known:
                raise Invalid("rules.member_unknown", path=_under(path, str(name)[:100]))
        for name in needed:
            if name not in data:
                raise Invalid("rules.member_missing", path=_under(path, name))
        return kind(**{name: known[name][2](one, _under(path, name)) for name, one in data.items()})

    return encode_fields, parse_fields


def _default(field: dataclasses.Field[Any]) -> Any:  # noqa: ANN401 (whatever it is)
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def _optional(codec: tuple[Encode, Parse]) -> tuple[Encode, Parse]:
    encode_one, parse_one = codec
    return (
        lambda value: None if value is None else encode_one(value),
        lambda data, path: None if data is None else parse_one(data, path),
    )


def _items(codec: tuple[Encode, Parse], make: Callable[[list[Any]], Any]) -> tuple[Encode, Parse]:
    encode_one, parse_one = codec

    def parse_items(data: Any, path: str) -> Any:  # noqa: ANN401
        if not isinstance(data, list):
            raise _malformed(path)
        if len(data) > MAX_ITEMS:
            raise Invalid("rules.value_too_large", path=path, limit=MAX_ITEMS)
        return make([parse_one(each, _under(path, str(place))) for place, each in enumerate(data)])

    return lambda value: [encode_one(each) for each in value], parse_items


def _sorted(codec: tuple[Encode, Parse]) -> tuple[Encode, Parse]:
    encode_items, parse_items = _items(codec, frozenset)

    def parse_set(data: Any, path: str) -> frozenset[Any]:  # noqa: ANN401
        found: frozenset[Any] = parse_items(data, path)
        if len(found) != len(data):
            raise _malformed(path)
        return found

    return lambda value: sorted(encode_items(value)), parse_set


def _mapping() -> tuple[Encode, Parse]:
    def parse_mapping(data: Any, path: str) -> dict[str, str]:  # noqa: ANN401
        if not isinstance(data, dict):
            raise _malformed(path)
        if len(data) > MAX_ITEMS:
            raise Invalid("rules.value_too_large", path=path, limit=MAX_ITEMS)
        return {_text(name, path): _text(one, _under(path, str(name)[:100])) for name, one in data.items()}

    return dict, parse_mapping


def _one_of(allowed: tuple[Any, ...]) -> Parse:
    def parse_literal(data: Any, path: str) -> Any:  # noqa: ANN401
        if isinstance(data, bool) or not isinstance(data, str | int) or data not in allowed:
            raise _malformed(path)
        return data

    return parse_literal


def _same(value: Any) -> Any:  # noqa: ANN401 (whatever it is)
    return value


def _text(data: Any, path: str) -> str:  # noqa: ANN401 (what came in)
    if not isinstance(data, str) or _CONTROL.search(data):
        raise _malformed(path)
    if len(data) > MAX_TEXT:
        raise Invalid("rules.value_too_large", path=path, limit=MAX_TEXT)
    return data


def _whole(data: Any, path: str) -> int:  # noqa: ANN401
    if isinstance(data, bool) or not isinstance(data, int) or abs(data) > 2**53 - 1:
        raise _malformed(path)
    return data


def _bool(data: Any, path: str) -> bool:  # noqa: ANN401
    if not isinstance(data, bool):
        raise _malformed(path)
    return data


def _bytes(data: Any, path: str) -> bytes:  # noqa: ANN401
    text = _text(data, path)
    if not _HEX.fullmatch(text):
        raise _malformed(path)
    return bytes.fromhex(text)


def _day(data: Any, path: str) -> date:  # noqa: ANN401
    if not isinstance(data, str) or not data.isascii() or not _DATE.fullmatch(data):
        raise _malformed(path)
    try:
        return date.fromisoformat(data)
    except ValueError:
        raise _malformed(path) from None


def _moment_text(value: datetime) -> str:
    return value.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def _moment(data: Any, path: str) -> datetime:  # noqa: ANN401
    if not isinstance(data, str) or not data.isascii() or not _MOMENT.fullmatch(data):
        raise _malformed(path)
    try:
        return datetime.fromisoformat(data)
    except ValueError:
        raise _malformed(path) from None


_GENERIC: Mapping[Any, Callable[[tuple[Any, ...]], tuple[Encode, Parse]]] = {
    UnionType: lambda inner: _optional(_codec(next(each for each in inner if each is not NoneType))),
    Literal: lambda inner: (_same, _one_of(inner)),
    tuple: lambda inner: _items(_codec(inner[0]), tuple),
    frozenset: lambda inner: _sorted(_codec(inner[0])),
    Mapping: lambda _: _mapping(),
}

_PLAIN: Mapping[Any, tuple[Encode, Parse]] = {
    str: (_same, _text),
    int: (_same, _whole),
    bool: (_same, _bool),
    bytes: (bytes.hex, _bytes),
    date: (date.isoformat, _day),
    datetime: (_moment_text, _moment),
}


def _under(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _malformed(path: str) -> Invalid:
    return Invalid("rules.value_malformed", path=path)
