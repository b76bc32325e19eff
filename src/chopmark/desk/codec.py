"""Frozen values to canonical JSON and strictly back: what every message between a platform and a desk is written in.

Canonical as in RFC 8785, without `null`: a value that is None is left out. Reading is strict: no member that the type
does not have, none missing, nothing that does not print back byte for byte.

    str        text: no control character but line feed, at most MAX_TEXT characters
    int        whole number, at most 2^53 - 1 either way          bool, Literal
    datetime   RFC 3339 to the second, `Z`, of the years YEARS    bytes    hexadecimal, lower case
    UUID       lower case                                         tuple    a list of at most MAX_LIST
    Elements   any plain JSON object of little depth
"""

from __future__ import annotations

import dataclasses
import types
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints
from uuid import UUID

from chopmark.base import jcs
from chopmark.base.clock import to_text
from chopmark.base.errors import Invalid

MAX_MESSAGE = 1 << 20
"""Bytes of a message."""
MAX_TEXT = 4000
MAX_LIST = 1000
MAX_DEPTH = 8
MAX_NUMBER = 2**53 - 1
YEARS = range(1970, 9000)
"""A moment of these can be shown in any zone of time."""

Elements = Mapping[str, Any]
T = TypeVar("T")


class Unfit(ValueError):
    """A value does not have its type's form; becomes `desk.message_malformed` where the message's name is known."""


def canonical(value: object) -> bytes:
    """A frozen value, or plain data, as canonical JSON."""
    return jcs.encode(plain(value))


def parse(kind: type[T], data: bytes, *, limit: int = MAX_MESSAGE) -> T:
    """Read a message strictly.

    Raises:
        Invalid: `desk.message_malformed`, `desk.message_too_large`.
    """
    if len(data) > limit:
        raise Invalid("desk.message_too_large", limit=limit)
    try:
        value: T = read(kind, jcs.decode(data))
        again = canonical(value)
    except (Invalid, ValueError, TypeError, KeyError, RecursionError, OverflowError) as error:
        raise Invalid("desk.message_malformed", form=kind.__name__, reason=str(error)[:200]) from error
    if again != data:
        raise Invalid("desk.message_malformed", form=kind.__name__, reason="not canonical")
    return value


def plain(value: object) -> Any:  # noqa: ANN401 (plain JSON data)
    """A frozen value as plain JSON data."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        pairs = ((field.name, getattr(value, field.name)) for field in dataclasses.fields(value))
        return {name: plain(each) for name, each in pairs if each is not None}
    match value:
        case datetime():
            return to_text(value)
        case UUID() | bytes():
            return str(value) if isinstance(value, UUID) else value.hex()
        case tuple() | list():
            return [plain(each) for each in value]
        case Mapping():
            return {str(name): plain(each) for name, each in value.items()}
    return value


def read(kind: Any, value: Any, path: str = "") -> Any:  # noqa: ANN401 (types in, plain data in, a value of the type out)
    """Plain JSON data as a value of the type.

    Raises:
        Unfit: with the path of what is wrong.
    """
    if dataclasses.is_dataclass(kind):
        return _record(kind, value, path)
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        [real] = [each for each in get_args(kind) if each is not type(None)]
        return read(real, value, path)
    if origin is Literal:
        if value not in get_args(kind) or not isinstance(value, str | int):
            raise Unfit(f"{path}: not one of its words")
        return value
    if origin is tuple:
        if not isinstance(value, list) or len(value) > MAX_LIST:
            raise Unfit(f"{path}: not a short list")
        return tuple(read(get_args(kind)[0], each, f"{path}/{place}") for place, each in enumerate(value))
    if kind == Elements:
        return _elements(value, path, MAX_DEPTH)
    return _leaf(kind, value, path)


def _record(kind: Any, value: Any, path: str) -> Any:  # noqa: ANN401 (the same)
    if not isinstance(value, dict):
        raise Unfit(f"{path}: not an object")
    hints = _hints(kind)
    if unknown := set(value) - set(hints):
        raise Unfit(f"{path}/{min(unknown)[:60]}: unknown")
    needed = {each.name for each in dataclasses.fields(kind) if type(None) not in get_args(hints[each.name])}
    if missing := needed - set(value):
        raise Unfit(f"{path}/{min(missing)}: missing")
    given = {name: read(hints[name], each, f"{path}/{name}") for name, each in value.items()}
    return kind(**{**dict.fromkeys(set(hints) - set(given)), **given})


@cache
def _hints(kind: type) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}


def _leaf(kind: Any, value: Any, path: str) -> Any:  # noqa: ANN401 (the same)
    if kind is bool and isinstance(value, bool):
        return value
    if kind is int and type(value) is int and -MAX_NUMBER <= value <= MAX_NUMBER:
        return value
    if kind is str and isinstance(value, str):
        return text(value, path)
    if not isinstance(value, str):
        raise Unfit(f"{path}: of another type")
    if kind is datetime:
        moment = datetime.strptime(value, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        if moment.year not in YEARS:
            raise Unfit(f"{path}: no year of ours")
        return moment
    if kind is UUID:
        return UUID(value)
    if kind is bytes:
        return bytes.fromhex(value)
    raise Unfit(f"{path}: of another type")


def text(value: str, path: str = "") -> str:
    """The text itself, when it is fit to be stored, signed and shown.

    Raises:
        Unfit: too long, a control character other than line feed, half a surrogate, or what turns a line's direction.
    """
    if len(value) > MAX_TEXT:
        raise Unfit(f"{path}: too long")
    if not value.isprintable():
        for each in value:
            if each != "\n" and unicodedata.category(each) in ("Cc", "Cs", "Cf", "Zl", "Zp"):
                raise Unfit(f"{path}: holds a control character")
    return value


def _elements(value: Any, path: str, depth: int) -> Any:  # noqa: ANN401 (plain JSON data)
    if depth == 0:
        raise Unfit(f"{path}: too deep")
    if isinstance(value, dict) and len(value) <= MAX_LIST:
        return {text(name, path): _elements(each, f"{path}/{name[:40]}", depth - 1) for name, each in value.items()}
    if depth == MAX_DEPTH:
        raise Unfit(f"{path}: not an object")
    if isinstance(value, list) and len(value) <= MAX_LIST:
        return [_elements(each, path, depth - 1) for each in value]
    if isinstance(value, bool):
        return value
    if type(value) is int and -MAX_NUMBER <= value <= MAX_NUMBER:
        return value
    if isinstance(value, str):
        return text(value, path)
    raise Unfit(f"{path}: no plain value")
