"""`chopmark receipt`: fetch the receipt of an earlier deposit."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from chopmark.cli.deposit import write_papers
from chopmark.cli.entrance import open_door
from chopmark.cli.output import PLAIN, Common, print_json, say
from chopmark.cli.status import DONE
from chopmark.cli.words import text


def receipt(
    deposit: Annotated[str, Parameter(help=text("cli.receipt.deposit"))],
    /,
    *,
    output: Annotated[Path | None, Parameter(help=text("cli.receipt.output"))] = None,
    signatures: Annotated[
        Literal["all", "compact", "post-quantum"], Parameter(help=text("cli.receipt.signatures"))
    ] = "all",
    server: Annotated[str | None, Parameter(help=text("cli.option.server"))] = None,
    organisation: Annotated[str | None, Parameter(help=text("cli.option.organisation"))] = None,
    force: Annotated[bool, Parameter(negative="", show_default=False, help=text("cli.option.force"))] = False,
    common: Common = PLAIN,
) -> int:
    """Write the receipt of a deposit, in both formats."""
    papers = open_door(server, organisation).papers(deposit, signatures)
    written = write_papers(output or Path(deposit), papers.tlog_proof, papers.cose, force=force, signatures=signatures)
    if common.json:
        print_json({"deposit": deposit, "receipts": written})
    for path in written:
        say("cli.deposit.written", common, path=path)
    return DONE
