"""`chopmark keys …`: signing keys of one's own, so that the platform need not sign as an agent."""

from __future__ import annotations

import sys
from typing import Annotated, Any

from cyclopts import Parameter
from rich.table import Table

from chopmark.base import clock
from chopmark.cli import own_keys
from chopmark.cli.entrance import open_door
from chopmark.cli.output import PLAIN, Common, out, print_json, say
from chopmark.cli.own_keys import OwnKey
from chopmark.cli.status import DONE
from chopmark.cli.words import text


def new_command(
    name: Annotated[str, Parameter(help=text("cli.keys.name"))] = "chopmark",
    *,
    register: Annotated[bool, Parameter(help=text("cli.keys.register"))] = True,
    server: Annotated[str | None, Parameter(help=text("cli.option.server"))] = None,
    organisation: Annotated[str | None, Parameter(help=text("cli.option.organisation"))] = None,
    common: Common = PLAIN,
) -> int:
    """Make a signing key on this machine and register its public half with the organisation."""
    door = open_door(server, organisation) if register else None
    own = own_keys.new(name, clock.now())
    if door is not None:
        door.register(own.key.public.to_cose(), name)
        own = own_keys.remember(own, f"{door.name} {door.organisation}")
    if common.json:
        print_json(_facts(own))
    else:
        sys.stdout.write(own.thumbprint + "\n")
    say("cli.keys.made", common, path=str(own.path))
    return DONE


def list_command(*, common: Common = PLAIN) -> int:
    """List the keys on this machine."""
    found = own_keys.all_keys()
    if common.json:
        print_json([_facts(own) for own in found])
        return DONE
    table = Table(box=None, pad_edge=False)
    for column in ("thumbprint", "name", "made_at", "registered"):
        table.add_column(text(f"cli.column.{column}"), overflow="fold")
    for own in found:
        table.add_row(own.thumbprint, own.name, own.made_at, ", ".join(own.registered))
    if found:
        out().print(table)
    else:
        say("cli.keys.none", common)
    return DONE


def show_command(
    thumbprint: Annotated[str, Parameter(help=text("cli.keys.thumbprint"))], /, *, common: Common = PLAIN
) -> int:
    """Print the public half of a key: COSE_Key in hexadecimal."""
    own = own_keys.find(thumbprint)
    if common.json:
        print_json(_facts(own))
    else:
        sys.stdout.write(own.key.public.to_cose().hex() + "\n")
    return DONE


def _facts(own: OwnKey) -> dict[str, Any]:
    return {
        "thumbprint": own.thumbprint,
        "name": own.name,
        "made_at": own.made_at,
        "registered": list(own.registered),
        "cose_key": own.key.public.to_cose().hex(),
    }
