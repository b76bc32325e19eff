"""Rules and sets of rules: what they hold, their one form in bytes, and their examples.

    rule = parse_rule(encode_rule(rule))          canonical JSON (RFC 8785); rule.version is its SHA-256
    rules = parse_rules(encode_rules(rules))      one rule a line with its state; rules.version is the SHA-256
    rules = read_toml(text)                       as people write them; `default()` reads those that ship
    must_be_ready(rule)                           enough examples, and each comes out as it says

A version holds everything that decides what a rule does, but not its state: draft, shadow and live are steps in the
life of one version. Counting over tables is in `backtest`.
"""

from __future__ import annotations

import hashlib
import math
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from importlib.resources import files
from itertools import pairwise
from typing import Any, Final, Literal, get_args

from chopmark.base import jcs
from chopmark.base.errors import Invalid, PlatformError, Refused
from chopmark.base.wording import Language
from chopmark.watch.features import FEATURES, Value, row
from chopmark.watch.rules.language import MAX_INTEGER, Condition, Test, as_test, evaluate, parse

Action = Literal["watch", "review", "hold", "takedown"]
State = Literal["draft", "shadow", "live", "stopped"]
Reason = Literal["counterfeit", "wrongful_use", "copied_picture", "design"]

ACTIONS: Final[tuple[Action, ...]] = get_args(Action)
"""From the mildest to the harshest."""
AUTOMATIC: Final[frozenset[Action]] = frozenset({"hold", "takedown"})
"""Measures that change what buyers see, so that without a person they need two keys."""
STATES: Final[tuple[State, ...]] = get_args(State)
REASONS: Final[tuple[Reason, ...]] = get_args(Reason)

MAX_RULES: Final = 500  # of one set
MAX_EXAMPLES: Final = 50  # of each sign
MAX_SCOPE: Final = 100  # marketplaces, rights
LEAST_EXAMPLES: Final = 3  # of each sign, before a rule may be tried on anything
MAX_NAME: Final = 200  # characters
_ID = re.compile(r"[a-z][a-z0-9-]{1,39}")
_SCOPED = re.compile(r"[^\s'\x00-\x1f]{1,200}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A row as a rule would see it; what it does not say is neutral.

    Attributes:
        says: what it shows, in a few words; in English where `zh` has the same in Chinese.
        values: by feature.
        zh: empty where it was written in one language only.
    """

    says: str
    values: Mapping[str, Value]
    zh: str = ""

    def words(self, language: Language) -> str:
        """What it shows, for a reader of this language."""
        return self.zh if language == "zh" and self.zh else self.says


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Where a rule looks; empty for everywhere."""

    marketplaces: tuple[str, ...] = ()
    rights: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One version of a rule.

    Attributes:
        id: short name, the same in all versions.
        zh, en: what people call it.
        reason: of what a hit is suspected.
        action: the harshest measure that it proposes.
        flags_a_day: above it the rule is stopped by its alarm.
        needed: thousandths of precision that labelled samples must prove before a measure is automatic.
        expires: first day on which it no longer counts, None for never.
        state: no part of the version.
    """

    id: str
    zh: str
    en: str
    reason: Reason
    condition: Condition
    action: Action
    scope: Scope = Scope()
    flags_a_day: int = 10_000
    needed: int = 990
    expires: date | None = None
    positive: tuple[Example, ...] = ()
    negative: tuple[Example, ...] = ()
    state: State = "draft"

    @cached_property
    def version(self) -> str:
        """SHA-256 of its canonical bytes, hex."""
        return hashlib.sha256(encode_rule(self)).hexdigest()

    @cached_property
    def effective(self) -> Condition:
        """Its condition within its scope: what the engines run."""
        scopes = (("marketplace", self.scope.marketplaces), ("right", self.scope.rights))
        parts = [f"{name} IN ({_quoted(listed)})" for name, listed in scopes if listed]
        return parse(" AND ".join([*parts, f"({self.condition.text})"])) if parts else self.condition

    @cached_property
    def fires(self) -> Test:
        """Whether it fires on a full row."""
        return as_test(self.effective)

    def alive(self, on: date) -> bool:
        """It has not expired."""
        return self.expires is None or on < self.expires


def _quoted(listed: Iterable[str]) -> str:
    return ", ".join("'" + each.replace("'", "''") + "'" for each in listed)


@dataclass(frozen=True, kw_only=True)
class RuleSet:
    """Rules in the order of their ids, each id once; a live one may have another version in its shadow behind it."""

    rules: tuple[Rule, ...]

    @cached_property
    def version(self) -> str:
        """SHA-256 of its canonical bytes, hex."""
        return hashlib.sha256(encode_rules(self)).hexdigest()

    def in_state(self, state: State, *, on: date) -> tuple[Rule, ...]:
        """Those of a state that have not expired."""
        if (state, on) not in self._asked:
            self._asked[state, on] = tuple(each for each in self.rules if each.state == state and each.alive(on))
        return self._asked[state, on]

    @cached_property
    def standing(self) -> tuple[Rule, ...]:
        """Each once: without the trials."""
        return tuple(each for each in self.rules if each not in self.trials)

    @cached_property
    def trials(self) -> tuple[Rule, ...]:
        """Versions that count in the shadow of a live one."""
        return tuple(two for one, two in pairwise(self.rules) if one.id == two.id)

    @cached_property
    def _asked(self) -> dict[tuple[State, date], tuple[Rule, ...]]:
        return {}

    def get(self, name: str) -> Rule | None:
        """By id; of two versions the live one."""
        return next((each for each in self.rules if each.id == name), None)


def rule_set(rules: Iterable[Rule]) -> RuleSet:
    """A set.

    Raises:
        Invalid: `watch.rules_twice`, `watch.rules_too_many`.
    """
    ordered = tuple(sorted(rules, key=lambda each: (each.id, each.state != "live")))
    for one, other in pairwise(ordered):
        if one.id == other.id and not _runs_beside(other, one):
            raise Invalid("watch.rules_twice", rule=one.id)
    if len({each.id for each in ordered}) > MAX_RULES:
        raise Invalid("watch.rules_too_many", limit=MAX_RULES)
    return RuleSet(rules=ordered)


def _runs_beside(trial: Rule, live: Rule) -> bool:
    """Whether one counts in its shadow while another version of it is in force."""
    return (live.state, trial.state) == ("live", "shadow") and live.version != trial.version


# ---------------------------------------------------------------- examples


def wrong_examples(rule: Rule) -> tuple[Example, ...]:
    """Those that come out otherwise than they should."""
    condition = rule.effective
    return tuple(
        each
        for wanted, examples in ((True, rule.positive), (False, rule.negative))
        for each in examples
        if (evaluate(condition, row(each.values)) is True) is not wanted
    )


def must_be_ready(rule: Rule) -> None:
    """It may be tried in its shadow, or live.

    Raises:
        Refused: `watch.rule_examples_few`, `watch.rule_examples_wrong`.
    """
    if min(len(rule.positive), len(rule.negative)) < LEAST_EXAMPLES:
        raise Refused("watch.rule_examples_few", rule=rule.id, least=LEAST_EXAMPLES)
    if wrong := wrong_examples(rule):
        en, zh = ([each.words(language) for each in wrong] for language in ("en", "zh"))
        raise Refused("watch.rule_examples_wrong", rule=rule.id, examples=en, examples_zh=zh)


# ---------------------------------------------------------------- bytes

_KEYS: Final = frozenset(
    {
        "action",
        "condition",
        "en",
        "expires",
        "flags_a_day",
        "id",
        "needed",
        "negative",
        "positive",
        "reason",
        "scope",
        "zh",
    }
)


def encode_rule(rule: Rule) -> bytes:
    """Its canonical bytes, without its state; fractions in examples are texts of plain digits."""
    return jcs.encode(_said(rule))


def parse_rule(data: bytes, *, state: State = "draft") -> Rule:
    """Read what `encode_rule` wrote.

    Raises:
        Invalid: `watch.rule_malformed`, or what is wrong with the condition (`watch.rule_*`).
    """
    rule = _rule(_decoded(data), state)
    if encode_rule(rule) != data:
        raise Invalid("watch.rule_malformed", field="")
    return rule


def encode_rules(rules: RuleSet) -> bytes:
    """One line a rule: `{"rule":...,"state":...}`."""
    return b"".join(jcs.encode({"rule": _said(each), "state": each.state}) + b"\n" for each in rules.rules)


def parse_rules(data: bytes) -> RuleSet:
    """Read what `encode_rules` wrote.

    Raises:
        Invalid: `watch.rules_malformed`, `watch.rules_twice`, `watch.rules_too_many`, and those of `parse_rule`.
    """
    lines = data.split(b"\n")
    if len(lines) - 1 > 2 * MAX_RULES:  # each live, with a trial
        raise Invalid("watch.rules_too_many", limit=MAX_RULES)
    found = []
    for number, line in enumerate(lines[:-1], 1):
        said = _decoded(line)
        if not isinstance(said, dict) or set(said) != {"rule", "state"} or said["state"] not in STATES:
            raise Invalid("watch.rules_malformed", line=number)
        found.append(_rule(said["rule"], said["state"]))
    rules = rule_set(found)
    if encode_rules(rules) != data:
        raise Invalid("watch.rules_malformed", line=len(lines))
    return rules


def _decoded(data: bytes) -> Any:  # noqa: ANN401 (whatever the bytes say)
    try:
        return jcs.decode(data)
    except Invalid as error:
        raise Invalid("watch.rule_malformed", field="") from error


def _said(rule: Rule) -> dict[str, object]:
    return {
        "action": rule.action,
        "condition": rule.condition.text,
        "en": rule.en,
        "expires": rule.expires.isoformat() if rule.expires else None,
        "flags_a_day": rule.flags_a_day,
        "id": rule.id,
        "needed": rule.needed,
        "negative": [_said_example(each) for each in rule.negative],
        "positive": [_said_example(each) for each in rule.positive],
        "reason": rule.reason,
        "scope": {"marketplaces": list(rule.scope.marketplaces), "rights": list(rule.scope.rights)},
        "zh": rule.zh,
    }


def _said_example(example: Example) -> dict[str, object]:
    """In two languages as `en` and `zh`; what was written in one keeps the one form that its bytes and digest have."""
    values = {name: _fraction(value) if isinstance(value, float) else value for name, value in example.values.items()}
    words = {"en": example.says, "zh": example.zh} if example.zh else {"says": example.says}
    return {**words, "values": values}


def _fraction(value: float) -> str:
    return f"{value:.6f}".rstrip("0").removesuffix(".")


def _rule(said: object, state: State) -> Rule:
    """From decoded JSON; every field is checked for its kind and its bounds."""
    if not isinstance(said, dict) or set(said) != _KEYS:
        raise Invalid("watch.rule_malformed", field="")
    scope = said["scope"]
    if not isinstance(scope, dict) or set(scope) != {"marketplaces", "rights"}:
        raise Invalid("watch.rule_malformed", field="scope")
    rule = Rule(
        id=_text(said, "id", _ID),
        zh=_name(said, "zh"),
        en=_name(said, "en"),
        reason=_one_of(said, "reason", REASONS),
        condition=parse(_text(said, "condition")),
        action=_one_of(said, "action", ACTIONS),
        scope=Scope(marketplaces=_listed(scope, "marketplaces"), rights=_listed(scope, "rights")),
        flags_a_day=_whole(said, "flags_a_day", 1, 1_000_000_000),
        needed=_whole(said, "needed", 1, 1000),
        expires=_day(said, "expires"),
        positive=_examples(said, "positive"),
        negative=_examples(said, "negative"),
        state=state,
    )
    _must_fit_its_scope(rule)
    return rule


def _must_fit_its_scope(rule: Rule) -> None:
    """Said when a rule is written: a scope too long for a condition would otherwise come to light when it is run."""
    try:
        rule.effective  # noqa: B018 (what is read once is kept)
    except Invalid as error:
        raise Invalid("watch.rule_malformed", field="scope") from error


def _text(said: Mapping[str, Any], name: str, form: re.Pattern[str] | None = None) -> str:
    value = said[name]
    if not isinstance(value, str) or (form and not form.fullmatch(value)):
        raise Invalid("watch.rule_malformed", field=name)
    return value


def _name(said: Mapping[str, Any], name: str) -> str:
    value = _text(said, name)
    if not value.strip() or len(value) > MAX_NAME or not value.isprintable():
        raise Invalid("watch.rule_malformed", field=name)
    return value


def _one_of(said: Mapping[str, Any], name: str, allowed: tuple[Any, ...]) -> Any:  # noqa: ANN401 (one of those given)
    if said[name] not in allowed:
        raise Invalid("watch.rule_malformed", field=name)
    return said[name]


def _listed(said: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = said[name]
    if (
        not isinstance(value, list)
        or len(value) > MAX_SCOPE
        or not all(isinstance(each, str) and _SCOPED.fullmatch(each) for each in value)
        or value != sorted(set(value))
    ):
        raise Invalid("watch.rule_malformed", field=name)
    return tuple(value)


def _whole(said: Mapping[str, Any], name: str, least: int, most: int) -> int:
    value = said[name]
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise Invalid("watch.rule_malformed", field=name)
    return value


def _day(said: Mapping[str, Any], name: str) -> date | None:
    value = said[name]
    if value is None:
        return None
    try:
        return date.fromisoformat(value)
    except (ValueError, TypeError) as error:
        raise Invalid("watch.rule_malformed", field=name) from error


def _examples(said: Mapping[str, Any], name: str) -> tuple[Example, ...]:
    value = said[name]
    if not isinstance(value, list) or len(value) > MAX_EXAMPLES:
        raise Invalid("watch.rule_malformed", field=name)
    return tuple(_example(each, name) for each in value)


def _example(said: object, field: str) -> Example:
    if not isinstance(said, dict) or not isinstance(said.get("values"), dict):
        raise Invalid("watch.rule_malformed", field=field)
    values = {name: _value(name, value, field) for name, value in said["values"].items()}
    words = set(said) - {"values"}
    if words == {"says"}:
        return Example(says=_name(said, "says"), values=values)
    if words == {"en", "zh"}:
        return Example(says=_name(said, "en"), zh=_name(said, "zh"), values=values)
    raise Invalid("watch.rule_malformed", field=field)


_PYTHON: Final[Mapping[str, type]] = {"text": str, "integer": int, "boolean": bool, "real": float}


def _value(name: str, value: object, field: str) -> Value:
    feature = FEATURES.get(name)
    if feature is None:
        raise Invalid("watch.feature_unknown", names=[name])
    if feature.kind == "real" and isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,9}(\.[0-9]{1,6})?", value):
        return float(value)
    if type(value) is int and abs(value) > MAX_INTEGER:
        raise Invalid("watch.rule_malformed", field=field)
    if feature.kind != "real" and type(value) is _PYTHON[feature.kind]:
        return value  # type: ignore[return-value]  # its type was just compared
    if value is None and feature.neutral is None:
        return None
    raise Invalid("watch.rule_malformed", field=field)


# ---------------------------------------------------------------- as people write them


def read_toml(text: str) -> RuleSet:
    """Rules from TOML: `[id]` with the fields of a rule, examples as `[[id.positive]]` with `zh`, `en` and features.

    An example in one language only has `says` instead.

    What is left out has its usual value; lists of the scope may come in any order.

    Raises:
        Invalid: `watch.rules_toml` with the line, and those of `parse_rules`.
    """
    try:
        tables = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise Invalid("watch.rules_toml", problem=str(error)[:200]) from error
    found = []
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise Invalid("watch.rules_toml", problem=name[:200])
        try:
            found.append(_from_toml(name, table))
        except PlatformError as error:
            raise _inside(name, error) from error
    return rule_set(found)


def _inside(name: str, error: PlatformError) -> PlatformError:
    """The same trouble, with the rule where it was met."""
    return Invalid(error.code, **{**error.facts, "rule": name[:40]})


def _from_toml(name: str, table: Mapping[str, Any]) -> Rule:
    usual: dict[str, Any] = {"expires": None, "flags_a_day": 10_000, "needed": 990, "positive": [], "negative": []}
    said = {**usual, **table, "id": name}
    state, scope = said.pop("state", "draft"), said.pop("scope", {})
    if state not in STATES:
        raise Invalid("watch.rule_malformed", field="state")
    if isinstance(said["expires"], date):
        said["expires"] = said["expires"].isoformat()
    if not isinstance(scope, dict) or not all(isinstance(each, list) for each in scope.values()):
        raise Invalid("watch.rule_malformed", field="scope")
    said["scope"] = {"marketplaces": [], "rights": [], **{part: _ordered(listed) for part, listed in scope.items()}}
    for sign in ("positive", "negative"):
        said[sign] = [_toml_example(each) for each in said[sign]] if isinstance(said[sign], list) else None
    return _rule(said, state)


def _ordered(listed: list[Any]) -> list[Any]:
    return sorted(set(listed)) if all(isinstance(each, str) for each in listed) else listed


_WORDS: Final = ("en", "says", "zh")


def _toml_example(said: object) -> object:
    if not isinstance(said, dict):
        return said
    values = {
        name: _fraction(value) if isinstance(value, float) and math.isfinite(value) else value
        for name, value in said.items()
        if name not in _WORDS
    }
    return {**{name: said[name] for name in _WORDS if name in said}, "values": values}


def default() -> RuleSet:
    """The rules that ship, all in draft until somebody publishes them."""
    return read_toml(files(__package__).joinpath("default.toml").read_text("utf-8"))


def in_state(rule: Rule, state: State) -> Rule:
    """The same version in another state."""
    return replace(rule, state=state)
