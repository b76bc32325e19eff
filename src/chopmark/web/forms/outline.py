"""Forms for nested plain data: texts, choices, ticks, groups, and rows that can be added and removed.

An outline says which fields there are; `read` makes plain data of what was sent and `shown` makes what a template draws
of plain data. What was typed is kept as it was typed, also when it does not fit: judging is done elsewhere. Names in
the form are paths: `parties.0.name`. Empty texts, groups and rows are left out, so that a form that was never touched
gives nothing.

    fields = (Text("name", "Name"), Rows("claims", "Claims", (Text("text", "Claim"),)))
    data = read(fields, request.POST)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, Union

from django.http import QueryDict

MOST_ROWS = 200
MOST_TEXT = 4000
FEN = 100

Kind = Literal["text", "long", "date", "email", "tel", "number", "money"]
Option = tuple[str, object]


@dataclass(frozen=True, slots=True)
class Text:
    """One line, or several with `long`.

    Attributes:
        kind: `number` gives a whole number, `money` is typed in yuan and gives whole fen; what is neither stays text.
    """

    name: str
    label: object
    kind: Kind = "text"
    hint: object = ""
    wide: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several words.

    Attributes:
        given: the word that stands there before anybody chose; a row where nothing else is said counts as empty.
    """

    name: str
    label: object
    options: tuple[Option, ...]
    hint: object = ""
    wide: bool = False
    given: str = ""


@dataclass(frozen=True, slots=True)
class Tick:
    """Yes or no; no is said too, so that it can be told from a form that was never sent."""

    name: str
    label: object
    wide: bool = True


@dataclass(frozen=True, slots=True)
class Ticks:
    """Any of several words, in their order."""

    name: str
    label: object
    options: tuple[Option, ...]
    hint: object = ""
    wide: bool = True


@dataclass(frozen=True, slots=True)
class Numbers:
    """Whole numbers in one line, with anything between."""

    name: str
    label: object
    hint: object = ""
    wide: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """Fields that belong together."""

    name: str
    label: object
    fields: tuple[Field, ...]
    wide: bool = True


@dataclass(frozen=True, slots=True)
class Rows:
    """A group again and again; one empty row more than was filled in."""

    name: str
    label: object
    fields: tuple[Field, ...]
    one: object = ""
    wide: bool = True


Field = Union[Text, Choice, Tick, Ticks, Numbers, Group, Rows]  # noqa: UP007 (it names itself in strings)


# ---- what was sent, as plain data


def read(fields: Sequence[Field], sent: QueryDict, prefix: str = "") -> dict[str, Any]:
    """Plain data of what a form sent; what is empty is left out."""
    found: dict[str, Any] = {}
    for field in fields:
        value = _read(field, sent, prefix + field.name)
        if value not in ("", {}, [], None):
            found[field.name] = value
    return found


def _read(field: Field, sent: QueryDict, name: str) -> Any:  # noqa: ANN401, PLR0911 (plain data; one line a kind)
    match field:
        case Tick():
            return True if sent.get(name) else (False if f"{name}.shown" in sent else None)
        case Ticks():
            chosen = set(sent.getlist(name))
            return [word for word, _ in field.options if word in chosen]
        case Choice():
            typed = sent.get(name, "")
            return typed if typed in {word for word, _ in field.options} else field.given
        case Numbers():
            return _numbers(_text(sent.get(name, "")))
        case Group():
            return _filled(field.fields, read(field.fields, sent, f"{name}."))
        case Rows():
            places = range(min(MOST_ROWS, _rows(sent, name)))
            rows = (_filled(field.fields, read(field.fields, sent, f"{name}.{place}.")) for place in places)
            return [row for place, row in zip(places, rows, strict=True) if row and not _removed(sent, name, place)]
        case Text():
            return _typed(field, _text(sent.get(name, "")))


def _rows(sent: QueryDict, name: str) -> int:
    text = sent.get(f"{name}.rows", "0")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0


def _removed(sent: QueryDict, name: str, place: int) -> bool:
    return sent.get("remove") == f"{name}.{place}"


def _filled(fields: Sequence[Field], data: dict[str, Any]) -> dict[str, Any]:
    """Nothing when all that is there is an answer nobody gave: a choice that starts somewhere, a tick left empty."""
    given = {field.name: field.given for field in fields if isinstance(field, Choice) and field.given}
    return data if any(value is not False and given.get(name) != value for name, value in data.items()) else {}


def unfit(fields: Sequence[Field], data: Mapping[str, Any]) -> list[str]:
    """Labels of fields that want a number and hold something else."""
    found: list[str] = []
    for field in fields:
        value = data.get(field.name)
        wants = isinstance(field, Numbers) or (isinstance(field, Text) and field.kind in ("number", "money"))
        if wants and isinstance(value, str) and value:
            found.append(str(field.label))
        elif isinstance(field, Group) and isinstance(value, Mapping):
            found += unfit(field.fields, value)
        elif isinstance(field, Rows) and isinstance(value, list):
            found += [each for row in value if isinstance(row, Mapping) for each in unfit(field.fields, row)]
    return found


def _text(typed: str) -> str:
    """Without what no text has: control characters, the browser's line ends, blanks around."""
    lines = typed[:MOST_TEXT].replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ")
    return "".join(each for each in lines if each == "\n" or each.isprintable()).strip()


def _typed(field: Text, text: str) -> str | int:
    if field.kind != "long":
        text = " ".join(text.split())
    if field.kind == "number" and text.isascii() and text.isdigit() and len(text) <= 15:
        return int(text)
    return _fen(text) if field.kind == "money" else text


def _fen(text: str) -> str | int:
    """Whole fen of an amount in yuan (`1,234.50`), or the text when it is none."""
    try:
        fen = Decimal(text.replace(",", "").replace("，", "").removeprefix("¥").strip()) * FEN
    except InvalidOperation:
        return text
    whole = fen.is_finite() and fen == fen.to_integral_value() and 0 <= fen <= 10**15
    return int(fen) if whole else text


def _numbers(text: str) -> list[int] | str:
    parts = "".join(each if each.isalnum() else " " for each in text).split()
    good = all(part.isascii() and part.isdigit() and len(part) <= 9 for part in parts)
    return [int(part) for part in parts] if good else text


# ---- plain data, as a template draws it


def shown(fields: Sequence[Field], data: Mapping[str, Any], prefix: str = "") -> list[dict[str, Any]]:
    """What `filings/_fields.html` draws: each field with its name in the form, its id and its value."""
    return [_shown(field, data.get(field.name), prefix + field.name) for field in fields]


def _shown(field: Field, value: Any, name: str) -> dict[str, Any]:  # noqa: ANN401 (plain data)
    drawn = {
        "is": type(field).__name__.lower(),
        "name": name,
        "id": f"f-{name.replace('.', '-')}",
        "label": field.label,
        "hint": getattr(field, "hint", ""),
        "wide": field.wide,
        "value": value,
    }
    match field:
        case Text():
            drawn["kind"] = field.kind
            drawn["value"] = _in_yuan(value) if field.kind == "money" else _as_text(value)
            drawn["wide"] = field.wide or field.kind == "long"
        case Numbers():
            drawn["value"] = ", ".join(str(each) for each in value) if isinstance(value, list) else _as_text(value)
        case Choice():
            chosen_word = value or field.given
            drawn["options"] = [(word, label, word == chosen_word) for word, label in field.options]
        case Ticks():
            chosen = value if isinstance(value, list) else []
            drawn["options"] = [(word, label, word in chosen) for word, label in field.options]
        case Group():
            drawn["fields"] = shown(field.fields, value if isinstance(value, Mapping) else {}, f"{name}.")
        case Rows():
            rows = [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []
            drawn["one"] = field.one
            drawn["count"] = min(len(rows) + 1, MOST_ROWS)
            drawn["rows"] = [
                {
                    "number": place + 1,
                    "name": f"{name}.{place}",
                    "filled": bool(row),
                    "fields": shown(field.fields, row, f"{name}.{place}."),
                }
                for place, row in enumerate([*rows, {}][:MOST_ROWS])
            ]
    return drawn


def _as_text(value: Any) -> str:  # noqa: ANN401 (plain data)
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _in_yuan(value: Any) -> str:  # noqa: ANN401 (plain data)
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value // FEN}.{value % FEN:02d}".removesuffix(".00")
    return _as_text(value)


# ---- an outline from a JSON Schema with labels in two languages

LONG = 1000
DAY = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
ENDING = "_fen"
WORDED = ("（分）", " (fen)", "（元）")


def of_schema(schema: Mapping[str, Any], language: str, words: Mapping[str, object]) -> tuple[Field, ...]:
    """The outline of an object's properties; `words` are labels for the words of enumerations."""
    return tuple(_field(name, node, language, words) for name, node in schema.get("properties", {}).items())


def _field(name: str, node: Mapping[str, Any], language: str, words: Mapping[str, object]) -> Field:  # noqa: PLR0911 (one line a kind)
    label = str(node.get("x-zh" if language == "zh" else "title", name))
    if node.get("type") == "object":
        return Group(name, label, of_schema(node, language, words))
    if node.get("type") == "array":
        row = node["items"]
        one = str(row.get("x-zh" if language == "zh" else "title", label))
        if row.get("type") == "object":
            return Rows(name, label, of_schema(row, language, words), one)
        return Numbers(name, label)
    if "enum" in node:
        return Choice(name, label, (("", "—"), *((word, words.get(word, word)) for word in node["enum"])))
    if name.endswith(ENDING):
        for ending in WORDED:
            label = label.removesuffix(ending)
        return Text(name, label + ("（元）" if language == "zh" else " (CNY)"), "money")
    if node.get("type") == "integer":
        return Text(name, label, "number")
    if node.get("pattern") == DAY:
        return Text(name, label, "date")
    return Text(name, label, "long" if node.get("maxLength", 0) >= LONG and "pattern" not in node else "text")
