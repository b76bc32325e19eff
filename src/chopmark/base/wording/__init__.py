"""The one catalogue of sentences that people read when a code is shown, in zh and en.

One TOML file a room lies beside this module; a key is a code, `{fact}` stands for a fact:

    ["people.not_allowed"]
    en = "You may not do this here: {permission}."
    zh = "您无权执行此操作：{permission}。"

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
    """The sentence for a code; facts that the sentence does not name are left out."""
    shown = {name: ", ".join(map(str, fact)) or "–" if isinstance(fact, list) else fact for name, fact in facts.items()}
    return catalogue()[code][language].format_map(shown)
