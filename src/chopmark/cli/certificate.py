"""`chopmark certificate`: fetch the certificate of a deposit."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from chopmark.cli import files
from chopmark.cli.entrance import open_door
from chopmark.cli.output import PLAIN, Common, print_json, say
from chopmark.cli.status import DONE
from chopmark.cli.words import text


def certificate(
    deposit: Annotated[str, Parameter(help=text("cli.receipt.deposit"))],
    /,
    *,
    output: Annotated[Path | None, Parameter(help=text("cli.certificate.output"))] = None,
    server: Annotated[str | None, Parameter(help=text("cli.option.server"))] = None,
    organisation: Annotated[str | None, Parameter(help=text("cli.option.organisation"))] = None,
    force: Annotated[bool, Parameter(negative="", show_default=False, help=text("cli.option.force"))] = False,
    common: Common = PLAIN,
) -> int:
    """Write the certificate of a deposit, a signed PDF in Chinese and English."""
    pdf = open_door(server, organisation).certificate(deposit)
    path = output or Path(f"{deposit}.certificate.pdf")
    files.write(path, pdf, force=force)
    if common.json:
        print_json({"deposit": deposit, "certificate": str(path)})
    say("cli.deposit.written", common, path=str(path))
    return DONE
