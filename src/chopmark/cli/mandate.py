"""`chopmark mandate`: who may act for an organisation of this machine's home; others use the pages or the API."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

from cyclopts import Parameter
from rich.table import Table

from chopmark.base import clock
from chopmark.base.errors import Invalid
from chopmark.cli.home import use_platform
from chopmark.cli.output import PLAIN, Common, out, print_json
from chopmark.cli.status import DONE
from chopmark.cli.words import text

if TYPE_CHECKING:
    from chopmark.people.actor import Actor
    from chopmark.rights.queries.registry import MandateSummary

Organisation = Annotated[str | None, Parameter(help=text("cli.option.organisation"))]
Many = tuple[str, ...]


def give_command(
    agent: Annotated[str, Parameter(help=text("cli.mandate.agent"))],
    /,
    *,
    power: Annotated[Many, Parameter(help=text("cli.mandate.power"), negative="")] = ("file", "notice"),
    territory: Annotated[Many, Parameter(help=text("cli.mandate.territory"), negative="")] = (),
    right: Annotated[Many, Parameter(help=text("cli.mandate.right"), negative="")] = (),
    since: Annotated[str, Parameter(help=text("cli.right.since"))] = "",
    until: Annotated[str, Parameter(help=text("cli.right.until"))] = "",
    organisation: Organisation = None,
    common: Common = PLAIN,
) -> int:
    """Let another organisation act, and print the mandate's id."""
    by = _actor(organisation)
    from chopmark.cli.embedded import choose  # noqa: PLC0415 (the framework is set up only now)
    from chopmark.rights.actions.mandate import NewMandate, give_mandate  # noqa: PLC0415

    new = NewMandate(
        agent=_uuid(agent) or choose(agent).organisation_id,
        powers=frozenset(power),
        territories=territory,
        rights=right,
        since=_day("since", since),
        until=_day("until", until),
    )
    made = give_mandate(new, by=by, at=clock.now())
    _print([made], common) if common.json else out().print(str(made.id))
    return DONE


def accept_command(
    mandate: Annotated[str, Parameter(help=text("cli.mandate.id"))],
    /,
    *,
    organisation: Organisation = None,
    common: Common = PLAIN,
) -> int:
    """Accept a mandate that another organisation gave: it counts from then on."""
    by = _actor(organisation)
    from chopmark.rights.actions.mandate import accept_mandate  # noqa: PLC0415 (the framework is set up only now)

    _print([accept_mandate(_id(mandate), by=by, at=clock.now())], common)
    return DONE


def revoke_command(
    mandate: Annotated[str, Parameter(help=text("cli.mandate.id"))],
    /,
    *,
    on: Annotated[str, Parameter(help=text("cli.right.on"))] = "",
    organisation: Organisation = None,
    common: Common = PLAIN,
) -> int:
    """End a mandate: one that was given, or one that the organisation has."""
    by = _actor(organisation)
    from chopmark.rights.actions.mandate import revoke_mandate  # noqa: PLC0415 (the framework is set up only now)

    _print([revoke_mandate(_id(mandate), by=by, at=clock.now(), on=_day("on", on))], common)
    return DONE


def list_command(*, organisation: Organisation = None, common: Common = PLAIN) -> int:
    """Show mandates given and had, newest first."""
    by = _actor(organisation)
    from chopmark.rights.queries.registry import mandates_of  # noqa: PLC0415 (the framework is set up only now)

    _print(list(mandates_of(by, at=clock.now())), common)
    return DONE


def _actor(organisation: str | None) -> Actor:
    use_platform()
    from chopmark.cli.embedded import choose  # noqa: PLC0415 (the framework is set up only now)

    return choose(organisation)


def _print(found: list[MandateSummary], common: Common) -> None:
    from chopmark.rights import encoding  # noqa: PLC0415 (only here)

    if common.json:
        print_json([_told(each, encoding.encode(each.mandate)) for each in found])
        return
    table = Table(box=None, pad_edge=False)
    for column in ("mandate", "principal", "agent", "powers", "state"):
        table.add_column(text(f"cli.column.right_{column}"))
    for each in found:
        state = text(f"cli.state.mandate_{_state(each)}")
        powers = " ".join(sorted(each.mandate.powers))
        table.add_row(str(each.id), each.principal_name, each.agent_name, powers, state)
    out().print(table)


def _told(each: MandateSummary, encoded: dict[str, Any]) -> dict[str, Any]:
    names = {"principal_name": each.principal_name, "agent_name": each.agent_name}
    return {**encoded, **names, "in_force": each.in_force, "offered": each.offered}


def _state(each: MandateSummary) -> str:
    if each.in_force:
        return "in_force"
    return "offered" if each.offered else "over"


def _id(typed: str) -> UUID:
    known = _uuid(typed)
    if known is None:
        raise Invalid("rules.value_malformed", path="mandate")
    return known


def _uuid(typed: str) -> UUID | None:
    try:
        return UUID(typed)
    except ValueError:
        return None


def _day(name: str, typed: str) -> date | None:
    if not typed:
        return None
    try:
        return date.fromisoformat(typed)
    except ValueError:
        raise Invalid("rules.value_malformed", path=name) from None
