"""Case templates: which phases a matter goes through, what each should hold, and which facts of the case are asked for.

A template is one JSON file: labels in zh and en, phases in order, and a JSON Schema (draft 2020-12) whose properties
carry their labels in `title` (en) and `x-zh`. A matter keeps the name and version of its template, so that an old
matter is read as it was meant.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from chopmark.base.errors import Refused
from chopmark.law.kinds import Label, Source

MAX_UNMET = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """One stage of a matter.

    Attributes:
        code: short word; an evidence item names its phase.
        least: how many items a complete matter has here; 0 for a stage that may stay empty.
        kinds: kinds of items that belong here.
    """

    code: str
    title: Label
    hint: Label
    least: int
    kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmet:
    """One thing that the template asks for and that is not there or not right.

    Attributes:
        field: path of the property, for example `marks/0/number`.
        rule: the JSON Schema keyword that is not met, for example `required`.
        title: label of the property.
    """

    field: str
    rule: str
    title: Label


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """One kind of case.

    Attributes:
        name: short word, for example `trademark_counterfeit`.
        version: counts up with each change.
        jurisdiction: ISO 3166-1 alpha-2.
        causes: codes of causes that such a case is filed under, the usual one first.
        phases: in order.
        schema: of the facts of the case ("elements").
    """

    name: str
    version: int
    title: Label
    jurisdiction: str
    causes: tuple[str, ...]
    phases: tuple[Phase, ...]
    schema: Mapping[str, Any]
    sources: tuple[Source, ...]

    def phase(self, code: str) -> Phase:
        """The phase of this code.

        Raises:
            Refused: `law.phase_unknown`.
        """
        for each in self.phases:
            if each.code == code:
                return each
        raise Refused("law.phase_unknown", template=self.name, phase=code[:60])

    def unmet(self, elements: Mapping[str, Any]) -> tuple[Unmet, ...]:
        """What the facts given do not meet, in the order of the schema; empty when all is there."""
        from jsonschema import Draft202012Validator  # noqa: PLC0415 (half a second of a slow machine, few need it)

        found = []
        for error in Draft202012Validator(dict(self.schema)).iter_errors(dict(elements)):
            path = [str(part) for part in error.absolute_path]
            missing = (
                [name for name in error.validator_value if name not in error.instance]
                if (error.validator == "required")
                else []
            )
            for name in missing[:1] if len(missing) == 1 else [_named(error.message, missing)]:
                whole = [*path, name] if name else path
                unmet = Unmet(field="/".join(whole), rule=str(error.validator), title=self._label(whole))
                if unmet not in found:
                    found.append(unmet)
            if len(found) >= MAX_UNMET:
                break
        return tuple(found)

    def _label(self, path: list[str]) -> Label:
        node: Mapping[str, Any] = self.schema
        for part in path:
            node = node.get("items", {}) if part.isdecimal() else node.get("properties", {}).get(part, {})
        if "title" not in node:
            return Label(zh="案件要素", en="Facts of the case")
        return Label(zh=node["x-zh"], en=node["title"])


def _named(message: str, names: list[str]) -> str:
    """Which of several missing properties a message is about: the library makes one message for each."""
    return next((name for name in names if message.startswith(repr(name))), "")


def templates() -> tuple[Template, ...]:
    """Every template, by name."""
    return tuple(_all().values())


def template(name: str) -> Template:
    """The template of this name.

    Raises:
        Refused: `law.template_unknown`.
    """
    found = _all().get(name)
    if found is None:
        raise Refused("law.template_unknown", template=name[:60], templates=sorted(_all()))
    return found


@cache
def _all() -> Mapping[str, Template]:
    folder = files("chopmark.law").joinpath("data", "templates")
    paths = sorted(folder.iterdir(), key=lambda path: path.name)
    read = [_read(json.loads(path.read_text("utf-8"))) for path in paths if path.name.endswith(".json")]
    return {each.name: each for each in read}


def _read(table: Mapping[str, Any]) -> Template:
    return Template(
        name=table["name"],
        version=table["version"],
        title=Label.read(table["title"]),
        jurisdiction=table["jurisdiction"],
        causes=tuple(table["causes"]),
        phases=tuple(
            Phase(
                code=each["code"],
                title=Label.read(each["title"]),
                hint=Label.read(each["hint"]),
                least=each["least"],
                kinds=tuple(each["kinds"]),
            )
            for each in table["phases"]
        ),
        schema=table["schema"],
        sources=tuple(Source.read(each) for each in table["sources"]),
    )
