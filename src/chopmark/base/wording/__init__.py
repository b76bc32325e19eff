"""The one catalogue of sentences that people read when a code is shown, in zh and en.

One TOML file a room lies beside this module; a key is a code, `{fact}` stands for a fact:

    ["people.not_allowed"]
    en = "You may not do this here: {permission}."
    zh = "您无权执行此操作：{permission}。"

A fact that is itself said otherwise in a language has that beside it, as `fact_zh` or `fact_en`.
Page texts that carry no code live in the web room's gettext catalogue.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Literal

from chopmark.base.errors import Fact

Language = Literal["en", "zh"]


@cache
def catalogue() -> Mapping[str, Mapping[str, str]]:
    """Every code with its sentence by language; a code stands in one file only."""
    sentences: dict[str, Mapping[str, str]] = {}
    for file in sorted(files(__name__).iterdir(), key=lambda each: each.name):
        if file.name.endswith(".toml"):
            for code, wording in tomllib.loads(file.read_text("utf-8")).items():
                if code in sentences:
                    raise KeyError(f"{code} is worded twice, again in {file.name}")
                sentences[code] = wording
    return sentences


def say(code: str, facts: Mapping[str, Fact], language: Language) -> str:
    """The sentence for a code; facts that the sentence does not name are left out.

    Facts may be a stranger's text, say the origin in a receipt: what steers a terminal or turns a line's direction is
    shown as U+FFFD.
    """
    shown = {name: _shown(facts.get(f"{name}_{language}", fact)) for name, fact in facts.items()}
    return catalogue()[code][language].format_map(shown)


_STEERING = dict.fromkeys(
    [
        *(point for point in range(0xA0) if (point < 0x20 or point >= 0x7F) and chr(point) not in "\t\n"),
        *(0x061C, 0x200E, 0x200F, 0x2028, 0x2029),
        *range(0x202A, 0x202F),
        *range(0x2066, 0x206A),
    ],
    "\ufffd",
)


def _shown(fact: Fact) -> Fact:
    text = ", ".join(map(str, fact)) or "–" if isinstance(fact, list) else fact
    return text.translate(_STEERING) if isinstance(text, str) else text
