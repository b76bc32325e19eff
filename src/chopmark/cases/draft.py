"""The draft of a filing, step by step, and of an order. Pure.

    evidence   which bundle, and how each of its items is put forward
    court      which court, which cause of action
    parties    parties and their agents
    claims     claims, the sum, facts with their evidence, the facts that the template asks for, mediation
    confirm    where papers are served, who declares

A step is saved as far as it is filled in: what is missing is an empty text or an empty list. What is there must have
its form; whether it is enough is `checklist`'s to say.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from chopmark.base.errors import Invalid
from chopmark.desk import codec
from chopmark.desk.codec import Elements
from chopmark.desk.wire import Agent, Claim, Delivery, EvidenceForm, Fact, OrderReason, Party

Step = Literal["evidence", "court", "parties", "claims", "confirm"]
STEPS: tuple[Step, ...] = ("evidence", "court", "parties", "claims", "confirm")


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftLine:
    """How one item of the bundle is put forward; an item without a line is put forward as it is.

    Attributes:
        id: `E-001`.
        used: whether it is in the list of evidence.
        purpose: what it is to prove, where it differs from what the matter says.
    """

    id: str
    used: bool
    form: EvidenceForm
    purpose: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceStep:
    """`bundle` is the bundle's id, or empty."""

    bundle: str
    lines: tuple[DraftLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CourtStep:
    """Codes of the court and of the cause."""

    court: str
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PartiesStep:
    """Who is against whom, and who acts for them."""

    parties: tuple[Party, ...]
    agents: tuple[Agent, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimsStep:
    """What is asked for, and why."""

    claims: tuple[Claim, ...]
    amount_fen: int | None
    facts: tuple[Fact, ...]
    elements: Elements
    mediation: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmStep:
    """Where papers are served; `declared_by` is the name of who declares that all is true."""

    delivery: Delivery
    declared_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """All steps."""

    evidence: EvidenceStep
    court: CourtStep
    parties: PartiesStep
    claims: ClaimsStep
    confirm: ConfirmStep


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderDraft:
    """What an order says beyond bundle and notary."""

    reason: OrderReason
    reason_text: str
    applicant: Party
    documents: tuple[str, ...]
    declared_by: str


def read_step(step: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """A step as somebody sent it, with what is missing filled in; the plain form that is stored.

    Raises:
        Invalid: `cases.step_unknown`, `cases.draft_malformed`.
    """
    if step not in STEPS:
        raise Invalid("cases.step_unknown", step=step[:40], steps=[*map(str, STEPS)])
    kind = _hints(Draft)[step]
    return _checked(kind, data, step)


def read_order(data: Mapping[str, Any]) -> dict[str, Any]:
    """An order's draft as somebody sent it, with what is missing filled in.

    Raises:
        Invalid: `cases.draft_malformed`.
    """
    return _checked(OrderDraft, data, "order")


def stored(data: Mapping[str, Any]) -> Draft:
    """A draft as it is stored."""
    draft: Draft = codec.read(Draft, _filled(Draft, dict(data)))
    return draft


def stored_order(data: Mapping[str, Any]) -> OrderDraft:
    """An order's draft as it is stored."""
    draft: OrderDraft = codec.read(OrderDraft, _filled(OrderDraft, dict(data)))
    return draft


def _checked(kind: Any, data: Mapping[str, Any], step: str) -> dict[str, Any]:  # noqa: ANN401 (a type)
    try:
        value = codec.read(kind, _filled(kind, dict(data)), step)
        plain: dict[str, Any] = codec.plain(value)
    except (codec.Unfit, ValueError, TypeError, RecursionError) as error:
        raise Invalid("cases.draft_malformed", reason=str(error)[:200]) from error
    if len(codec.canonical(plain)) > codec.MAX_MESSAGE // 4:
        raise Invalid("cases.draft_malformed", reason=f"{step}: too large")
    return plain


def _filled(kind: Any, value: Any) -> Any:  # noqa: ANN401 (a type and plain data)
    """Plain data with every missing member of the type as an empty one."""
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        if not isinstance(value, dict):
            return value
        hints = _hints(kind)
        known = {name: _filled(hint, value[name]) for name, hint in hints.items() if value.get(name) is not None}
        unknown = {name: each for name, each in value.items() if name not in hints}
        empty = {name: _empty(hint) for name, hint in hints.items() if name not in known}
        return {**unknown, **known, **{name: each for name, each in empty.items() if each is not None}}
    if get_origin(kind) is tuple and isinstance(value, list):
        return [_filled(get_args(kind)[0], each) for each in value]
    return value


def _empty(kind: Any) -> Any:  # noqa: ANN401 (the same)
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return None
    if origin is Literal:
        return get_args(kind)[0]
    if origin is tuple:
        return []
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return _filled(kind, {})
    return {} if kind == Elements else {str: "", bool: False}[kind]


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)
