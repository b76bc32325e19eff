"""`chopmark desk …`: run the desk of a court or a notary. Needs no web framework of the platform's.

Exit statuses of `serve` differ: see `chopmark.desk.server`.
"""

from __future__ import annotations

import getpass
import os
import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from chopmark.base import clock
from chopmark.base.errors import Refused
from chopmark.cli import files
from chopmark.cli.output import PLAIN, Common, out, print_json, say, talk
from chopmark.cli.status import DONE
from chopmark.cli.words import text
from chopmark.desk.home import DeskHome, Settings, found_desk
from chopmark.desk.wire import DeskCard
from chopmark.member.settings import parse_listen

MAX_CARD = 1 << 16
MAX_TRUST = 4 << 20
MAX_PASSWORD_FILE = 4096

Home = Annotated[Path | None, Parameter(help=text("cli.desk.home"))]


def desk_home(named: Path | None) -> DeskHome:
    """The home that is meant: the option, CHOPMARK_DESK_HOME, or the user's data directory (XDG)."""
    if named is None and (variable := os.environ.get("CHOPMARK_DESK_HOME")):
        named = Path(variable)
    if named is None:
        named = Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share").expanduser() / "chopmark-desk"
    return DeskHome(named)


def init_command(
    *,
    name: Annotated[str, Parameter(help=text("cli.desk.name"))],
    kind: Annotated[Literal["court", "notary"], Parameter(help=text("cli.desk.kind"))],
    zh: Annotated[str, Parameter(help=text("cli.desk.zh"))],
    en: Annotated[str, Parameter(help=text("cli.desk.en"))],
    court: Annotated[str | None, Parameter(help=text("cli.desk.court"))] = None,
    listen: Annotated[str, Parameter(help=text("cli.desk.listen"))] = "127.0.0.1:8201",
    url: Annotated[str | None, Parameter(help=text("cli.desk.url"))] = None,
    tsa: Annotated[list[str] | None, Parameter(negative="", help=text("cli.desk.tsa"))] = None,
    simulated: Annotated[bool, Parameter(negative="", help=text("cli.desk.simulated"))] = False,
    home: Home = None,
    common: Common = PLAIN,
) -> int:
    """Make a desk's home: its key, its card, its settings, and a notary's seal.

    Raises:
        Refused: `desk.court_missing`; as `found_desk`.
        Invalid: `member.listen_malformed`; as `found_desk`.
    """
    if (court is None) == (kind == "court"):
        raise Refused("desk.court_missing")
    place = desk_home(home)
    host, port = parse_listen(listen)
    settings = Settings(
        name=name,
        kind=kind,
        zh=zh,
        en=en,
        profile=court,
        simulated=simulated,
        host=host,
        port=port,
        url=(url or f"http://{listen}").rstrip("/"),
        tsa=tuple(tsa or ()),
    )
    _show(place, found_desk(place, settings, clock.now()), common)
    say("cli.desk.made", common, home=str(place.root))
    return DONE


def serve_command(*, home: Home = None, common: Common = PLAIN) -> int:
    """Run the desk until told to stop."""
    from chopmark.desk.server import serve  # noqa: PLC0415 (only a desk that serves has a server)

    place = desk_home(home)
    settings = place.settings()
    return serve(
        place,
        ready=lambda port: say("cli.desk.running", common, name=settings.name, address=f"{settings.host}:{port}"),
        complain=lambda error: talk().print(text(error.code, **error.facts)),
    )


def card_command(*, home: Home = None, common: Common = PLAIN) -> int:
    """Show the desk's card: what a platform's operator adopts."""
    place = desk_home(home)
    _show(place, place.card(), common)
    return DONE


def platform_command(
    card: Annotated[Path, Parameter(help=text("cli.desk.platform_card"))],
    *,
    trust: Annotated[Path | None, Parameter(help=text("cli.desk.trust"))] = None,
    home: Home = None,
    common: Common = PLAIN,
) -> int:
    """Let a platform file here, and say whom the desk trusts for its bundles."""
    place = desk_home(home)
    place.settings()
    told = place.adopt_platform(files.read(card, MAX_CARD), None if trust is None else files.read(trust, MAX_TRUST))
    say("cli.desk.platform_adopted", common, origin=told.origin)
    return DONE


def clerk_command(
    action: Annotated[Literal["add", "remove", "list"], Parameter(help=text("cli.desk.clerk_action"))] = "list",
    name: Annotated[str, Parameter(help=text("cli.desk.clerk_name"))] = "",
    *,
    password_file: Annotated[Path | None, Parameter(help=text("cli.desk.password_file"))] = None,
    home: Home = None,
    common: Common = PLAIN,
) -> int:
    """Add a clerk or give one a new password; remove one; list them.

    Raises:
        Refused: `desk.home_missing`, `desk.clerk_unknown`, `member.passphrase_differs`.
        Invalid: `desk.clerk_name_malformed`, `desk.password_unfit`.
    """
    from chopmark.desk.clerks import Clerks  # noqa: PLC0415 (the database is opened only here)
    from chopmark.desk.store import Store  # noqa: PLC0415

    place = desk_home(home)
    place.settings()
    store = Store(place.database)
    try:
        clerks = Clerks(store)
        if action == "add":
            clerks.add(name, _password(password_file), clock.now())
            say("cli.desk.clerk_added", common, name=name)
        elif action == "remove":
            clerks.remove(name)
            say("cli.desk.clerk_removed", common, name=name)
        elif common.json:
            print_json(list(clerks.names()))
        else:
            for each in clerks.names():
                out().print(each)
    finally:
        store.close()
    return DONE


def _password(file: Path | None) -> str:
    """From a file, or asked for twice at the terminal; never an argument."""
    if file is not None:
        return files.read(file, MAX_PASSWORD_FILE).decode("utf-8", "replace").rstrip("\r\n")
    first = getpass.getpass(text("cli.desk.ask_password"))
    if first != getpass.getpass(text("cli.desk.ask_again")):
        raise Refused("member.passphrase_differs")
    return first


def _show(place: DeskHome, card: DeskCard, common: Common) -> None:
    if common.json:
        facts = {"home": str(place.root), "card": str(place.card_file), "name": card.name, "kind": card.kind}
        print_json({**facts, "url": card.url, "node": card.node, "simulated": card.simulated})
    else:
        sys.stdout.write(str(place.card_file) + "\n")
