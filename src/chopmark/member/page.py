"""The status page of a node, in Chinese and English: no script, no cookie, links that stay below its address."""

from __future__ import annotations

from functools import cache, partial
from importlib.resources import files
from typing import Any

import jinja2

from chopmark.base.errors import Fact
from chopmark.base.wording import Language, catalogue, say
from chopmark.member.alarms import KeptAlarm
from chopmark.member.node import Node

MOST_ALARMS = 20


def page(node: Node, language: Language) -> str:
    """The page as it is now."""
    title = {"zh": node.card.zh, "en": node.card.en}
    alarms = node.alarms.all()
    return _template().render(
        t=partial(_text, language),
        tag="zh-Hans" if language == "zh" else "en",
        other="en" if language == "zh" else "zh",
        title=title[language],
        kind=say(f"member.page.kind_{node.card.kind}", {}, language),
        card=node.card,
        address=node.card.url or "",
        status=node.status(),
        alarms=[_alarm(each, language) for each in alarms[:MOST_ALARMS]],
        more=max(0, len(alarms) - MOST_ALARMS),
    )


def _text(language: Language, code: str, /, **facts: Fact) -> str:
    return say(code, facts, language)


def _alarm(alarm: KeptAlarm, language: Language) -> dict[str, Any]:
    known = alarm.code in catalogue()
    said = say(alarm.code, {"origin": alarm.origin, **alarm.facts}, language) if known else alarm.code
    return {"id": alarm.id, "at": alarm.at, "code": alarm.code, "said": said}


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["moment"] = lambda at: at.strftime("%Y-%m-%d %H:%M:%S UTC")
    return environment.from_string(files("chopmark.member").joinpath("pages/status.html").read_text("utf-8"))
