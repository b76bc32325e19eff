"""The pages of a desk, in Chinese and English: no script, forms and links only. Makes text; decides nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from functools import cache, partial
from importlib.resources import files
from typing import Any

import jinja2

from chopmark import law
from chopmark.base.errors import Fact, PlatformError, Refused
from chopmark.base.wording import Language, catalogue, say
from chopmark.desk import flow
from chopmark.desk.clerks import Session
from chopmark.desk.home import Settings
from chopmark.desk.office import Case
from chopmark.desk.wire import EventKind, Filing

STATES = flow.STATES
STEPS: tuple[EventKind, ...] = (
    "supplement_wanted",
    "refused",
    "accepted",
    "served",
    "hearing",
    "judgment",
    "closed",
    "issued",
)
FAMILIES = (
    "desk.state.",
    "desk.verdict.",
    "desk.form.",
    "desk.role.",
    "desk.authority.",
    "desk.reason.",
    "desk.event.",
    "desk.do.",
)
"""Codes that the templates put together from one of these and a word of a message."""
_HOLE = re.compile(r"{[a-z_0-9]+}")
ZONE = timezone(timedelta(hours=8), "CST")
"""Clerks read and write China Standard Time, which knows no summer time."""


def cases(
    settings: Settings,
    session: Session,
    language: Language,
    *,
    shown: tuple[Case, ...],
    counts: Mapping[str, int],
    state: str,
) -> str:
    """The list."""
    return _render(
        "list.html", settings, language, session=session, cases=shown, counts=counts, chosen=state, states=STATES
    )


def case(
    settings: Settings,
    session: Session,
    language: Language,
    *,
    shown: Case,
    error: PlatformError | None = None,
    form: Mapping[str, str] | None = None,
) -> str:
    """One case, with what the automatic check found and what may be decided."""
    message = shown.message
    lines = {line.item: line for line in shown.lines}
    return _render(
        "case.html",
        settings,
        language,
        session=session,
        case=shown,
        message=message,
        filing=message if isinstance(message, Filing) else None,
        order=None if isinstance(message, Filing) else message,
        lines=lines,
        cause=_cause(message, language),
        error=None if error is None else say(error.code, error.facts, language),
        form=dict(form or {}),
        elements=_elements(message, language),
        back=f"/cases/{shown.token}",
    )


def sign_in(settings: Settings, language: Language, error: PlatformError | None = None, name: str = "") -> str:
    """The form."""
    said = None if error is None else say(error.code, error.facts, language)
    return _render("sign_in.html", settings, language, session=None, error=said, name=name[:64], back="/sign-in")


def trouble(error: PlatformError, language: Language) -> str:
    """What went wrong."""
    said = say(error.code, error.facts, language)
    return (
        _environment()
        .get_template("trouble.html")
        .render(t=partial(_text, language), tag=_tag(language), said=said, code=error.code)
    )


def fen_of(text: str) -> int:
    """Fen from yuan as a person types them, `1300` or `1300.50`.

    Raises:
        ValueError: it is no such number.
    """
    whole, dot, cents = text.replace(",", "").partition(".")
    if not whole.isdecimal() or not whole.isascii() or len(whole) > 13 or (dot and len(cents) not in (1, 2)):
        raise ValueError(text[:20])
    if cents and not (cents.isdecimal() and cents.isascii()):
        raise ValueError(text[:20])
    return int(whole) * 100 + int(cents.ljust(2, "0") or "0")


def _render(template: str, settings: Settings, language: Language, **more: Any) -> str:  # noqa: ANN401 (a template's)
    title = {"zh": settings.zh, "en": settings.en}[language]
    return (
        _environment()
        .get_template(template)
        .render(
            t=partial(_text, language),
            code=partial(_code, language),
            found=partial(_finding, language),
            language=language,
            tag=_tag(language),
            other="en" if language == "zh" else "zh",
            settings=settings,
            title=title,
            **{"back": "/", **more},
        )
    )


def _text(language: Language, code: str, /, **facts: Fact) -> str:
    return say(code, facts, language)


def _code(language: Language, code: str) -> str:
    """What a finding's code means; its facts were not kept, so their places stay open."""
    return _HOLE.sub("…", catalogue()[code][language]) if code in catalogue() else code


def _finding(language: Language, finding: Mapping[str, Any]) -> str:
    """A finding of the whole report, whose facts were kept."""
    code = str(finding["code"])
    return say(code, finding["facts"], language) if code in catalogue() else code


def _cause(message: object, language: Language) -> str:
    if not isinstance(message, Filing):
        return ""
    try:
        title = law.court(message.court).cause(message.cause).title
    except Refused:
        return message.cause
    return {"zh": title.zh, "en": title.en}[language]


def _elements(message: object, language: Language) -> list[tuple[str, str]]:
    """The facts of the case as flat lines, each with the label that the template gives it."""
    if not isinstance(message, Filing) or not message.elements:
        return []
    try:
        schema: Mapping[str, Any] = law.template(message.template.partition("/")[0]).schema
    except Refused:
        schema = {}
    return _flat(message.elements, schema, language, "")


def _flat(value: Any, schema: Mapping[str, Any], language: Language, label: str) -> list[tuple[str, str]]:  # noqa: ANN401 (plain JSON data)
    own = schema.get("x-zh" if language == "zh" else "title", "")
    label = " · ".join(part for part in (label, own) if part)
    if isinstance(value, Mapping):
        inner = schema.get("properties", {})
        return [
            line
            for name, each in value.items()
            for line in _flat(each, inner.get(name, {"title": name, "x-zh": name}), language, label)
        ]
    if isinstance(value, list):
        items = {name: each for name, each in schema.get("items", {}).items() if name not in ("title", "x-zh")}
        if all(not isinstance(each, Mapping | list) for each in value):
            return [(label, ", ".join(map(str, value)))]
        return [
            line for place, each in enumerate(value, 1) for line in _flat(each, items, language, f"{label} {place}")
        ]
    return [(label, str(value))]


def _tag(language: Language) -> str:
    return "zh-Hans" if language == "zh" else "en"


def _yuan(fen: int) -> str:
    return f"{fen // 100:,}.{fen % 100:02d}"


def _moment(at: datetime) -> str:
    return at.astimezone(ZONE).strftime("%Y-%m-%d %H:%M:%S")


@cache
def _environment() -> jinja2.Environment:
    names = ("base.html", "list.html", "case.html", "sign_in.html", "trouble.html")
    folder = files("chopmark.desk").joinpath("html")
    environment = jinja2.Environment(
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        loader=jinja2.DictLoader({name: folder.joinpath(name).read_text("utf-8") for name in names}),
    )
    environment.filters["moment"] = _moment
    environment.filters["yuan"] = _yuan
    return environment
