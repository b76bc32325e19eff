"""`chopmark account`: the first account of a platform, or any later one, made by whoever runs it.

The only way in where sign-up is closed, and the shortest one for somebody who deposits on the command line alone.
"""

from __future__ import annotations

import secrets
from typing import Annotated

from cyclopts import Parameter

from chopmark.base import clock
from chopmark.base.errors import Refused
from chopmark.cli.home import use_platform
from chopmark.cli.output import PLAIN, Common, out, print_json, say
from chopmark.cli.status import DONE
from chopmark.cli.words import text


def command(
    email: Annotated[str, Parameter(help=text("cli.account.email"))],
    *,
    organisation: Annotated[str, Parameter(help=text("cli.account.organisation"))],
    name: Annotated[str, Parameter(help=text("cli.account.name"))] = "",
    common: Common = PLAIN,
) -> int:
    """Make an account that owns a new organisation; its random password is printed once and stored nowhere.

    Raises:
        Refused: `site.account_exists`.
    """
    use_platform()
    from chopmark.people.actions import open_account  # noqa: PLC0415 (the framework is set up only now)

    password = secrets.token_urlsafe(12)
    opened = open_account(email, password, name=name, organisation=organisation, at=clock.now())
    if not opened.created:
        raise Refused("site.account_exists")
    if common.json:
        print_json({"email": opened.email, "password": password, "organisation": str(opened.actor.organisation_id)})
    else:
        out().print(password)
    say("site.account_made", common, organisation=opened.actor.organisation_name)
    return DONE
