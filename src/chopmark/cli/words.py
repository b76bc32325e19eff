"""The language of this run of the command line, and sentences in it.

Chosen once, before any command's module is imported, because help texts are fixed at import:
`--lang`, then CHOPMARK_LANG, then the locale (LC_ALL, LC_MESSAGES, LANG); anything but Chinese is English.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import get_args

from chopmark.base.errors import Fact
from chopmark.base.wording import Language, say

LANGUAGES: tuple[Language, ...] = get_args(Language)


class _Spoken:
    language: Language = "en"


def choose(arguments: Sequence[str], environment: Mapping[str, str]) -> Language:
    """The language asked for by the arguments or, failing that, by the environment."""
    asked = [after for option, after in pairwise(arguments) if option == "--lang"]
    asked += [argument.removeprefix("--lang=") for argument in arguments if argument.startswith("--lang=")]
    asked += [environment.get(name, "") for name in ("CHOPMARK_LANG", "LC_ALL", "LC_MESSAGES", "LANG")]
    return "zh" if next(filter(None, asked), "").lower().startswith("zh") else "en"


def speak(language: Language) -> None:
    """Use this language from now on."""
    _Spoken.language = language


def language() -> Language:
    """The language in use."""
    return _Spoken.language


def text(code: str, **facts: Fact) -> str:
    """The sentence of a code in the language in use."""
    return say(code, facts, _Spoken.language)
