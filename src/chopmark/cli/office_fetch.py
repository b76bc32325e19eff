"""`chopmark office fetch`: ask an office over the network for one record, and keep it; on this machine's home."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from chopmark.base import clock
from chopmark.cli.home import home, use_platform
from chopmark.cli.output import PLAIN, Common, out, print_json
from chopmark.cli.status import DONE
from chopmark.cli.words import text


def fetch_command(
    office: Annotated[str, Parameter(help=text("cli.office_fetch.office"))],
    number: Annotated[str, Parameter(help=text("cli.office_fetch.number"))],
    /,
    *,
    simulated: Annotated[bool, Parameter(help=text("cli.office_fetch.simulated"))] = False,
    common: Common = PLAIN,
) -> int:
    """Ask EM (EUIPO) or US (the USPTO's TSDR) with the keys of offices.toml, and keep what it says."""
    use_platform()
    from chopmark.rights import encoding  # noqa: PLC0415 (the framework is set up only now)
    from chopmark.rights.actions.bring_in import ask_office  # noqa: PLC0415
    from chopmark.rights.actions.common import Operator  # noqa: PLC0415
    from chopmark.rights.connectors import access  # noqa: PLC0415

    keys = access.load(home() / access.FILE)
    record = ask_office(office.upper(), number, access=keys, operator=Operator(), at=clock.now(), simulated=simulated)
    if common.json:
        print_json(encoding.encode(record))
        return DONE
    name = record.mark.verbal if record.mark is not None else record.title
    owners = ", ".join(owner.name for owner in record.owners)
    out().print(f"{record.office} {record.application_number} {record.registration_number} {name} {record.status}")
    out().print(owners)
    return DONE
