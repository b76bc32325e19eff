"""Desks as the platform's operator has them: adopted ones, two simulators of this machine, and what carries to them.

    $CHOPMARK_HOME/desks/NAME/           a simulator's own home (see chopmark.desk)
    $CHOPMARK_HOME/desks/NAME.stopped    somebody stopped it by hand; it stays stopped while the file is there
    $CHOPMARK_HOME/desks/clerks.txt      how to sign in at the simulators; for its owner's eyes
    $CHOPMARK_HOME/trust/notaries/       roots of adopted notaries, one PEM file each

`chopmark init --local-members` makes the simulators, `chopmark serve` keeps them and the courier alive. They stand in
for the Hangzhou Internet Court and for a notary's office, and say so on every page and in every list; a platform that
others rely on adopts the desks of real institutions instead, each on its own machine.

Only processes and files here: what happens to a filing is decided in `chopmark.cases` and `chopmark.desk`.
"""

from __future__ import annotations

import os
import secrets
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cyclopts import Parameter

from chopmark.base import clock
from chopmark.base.errors import Refused, Unavailable
from chopmark.base.parent import until_told
from chopmark.cli import files
from chopmark.cli.home import home as chosen_home
from chopmark.cli.home import use_platform
from chopmark.cli.output import PLAIN, Common, out, print_json, say
from chopmark.cli.status import DONE
from chopmark.cli.words import language, text
from chopmark.desk import codec
from chopmark.desk.clerks import Clerks
from chopmark.desk.home import CONFIG, DeskHome, Settings, found_desk
from chopmark.desk.store import Store
from chopmark.desk.wire import DeskCard, Kind
from chopmark.site.child import Child
from chopmark.site.members import free_ports

FOLDER = "desks"
NOTARIES = Path("trust") / "notaries"
CLERKS = "clerks.txt"
CLERK = "clerk"
ROUND = 1.0  # seconds between looks at what is due
MAX_CARD = 1 << 16
CANNOT_LIVE = 78  # EX_CONFIG of sysexits.h


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulator:
    """One desk to be made: its titles say that it only stands in for the institution."""

    name: str
    kind: Kind
    zh: str
    en: str
    profile: str | None


SIMULATORS = (
    Simulator(
        name="hangzhou-court",
        kind="court",
        zh="杭州互联网法院立案窗口（模拟）",
        en="Hangzhou Internet Court, filing desk (simulator)",
        profile="hangzhou",
    ),
    Simulator(
        name="notary-office", kind="notary", zh="公证处窗口（模拟）", en="Notary office (simulator)", profile=None
    ),
)


def local_desks(place: Path) -> tuple[DeskHome, ...]:
    """The simulators of a platform's home, by name."""
    return tuple(DeskHome(path.parent) for path in sorted((place / FOLDER).glob(f"*/{CONFIG}")))


def make_desks(place: Path) -> bool:
    """Make the simulators that are not there yet, on free ports, and adopt them; whether any was made.

    Django must be set up.

    Raises:
        Refused: `site.no_free_ports`.
    """
    missing = [each for each in SIMULATORS if not (place / FOLDER / each.name / CONFIG).exists()]
    for each, port in zip(missing, free_ports(len(missing)) if missing else (), strict=True):
        _make(place, each, port)
    for desk in local_desks(place):
        adopt(place, desk.card_file.read_bytes())
    return bool(missing)


def _make(place: Path, each: Simulator, port: int) -> None:
    desk = DeskHome(place / FOLDER / each.name)
    if desk.root.exists():  # its settings are written last: it was never finished, never served
        desk.root.replace(desk.root.with_name(f"{each.name}.{secrets.token_hex(4)}.unfinished"))
    settings = Settings(
        name=each.name,
        kind=each.kind,
        zh=each.zh,
        en=each.en,
        profile=each.profile,
        simulated=True,
        host="127.0.0.1",
        port=port,
        url=f"http://127.0.0.1:{port}",
    )
    found_desk(desk, settings, clock.now())
    password = secrets.token_urlsafe(12)
    store = Store(desk.database)
    try:
        Clerks(store).add(CLERK, password, clock.now())
    finally:
        store.close()
    descriptor = os.open(place / FOLDER / CLERKS, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(f"{each.en}\n{settings.url}/\n{CLERK}\n{password}\n\n")


def adopt(place: Path, card: bytes) -> DeskCard:
    """Adopt a desk; a notary's root is then among those that this platform's visitors are told to trust.

    Django must be set up.

    Raises:
        Invalid: `desk.message_malformed`.
        Refused: as `cases.actions.adopt_desk`.
    """
    from chopmark.cases.actions import adopt_desk  # noqa: PLC0415 (the framework is set up only now)
    from chopmark.cases.wiring import make_node_key  # noqa: PLC0415
    from chopmark.evidence import wiring  # noqa: PLC0415

    make_node_key(place, wiring.origin())
    adopt_desk(card, at=clock.now())
    told = codec.parse(DeskCard, card)
    if told.root is not None:
        path = place / NOTARIES / f"{told.name}.pem"
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        pem = x509.load_der_x509_certificate(told.root).public_bytes(Encoding.PEM)
        before = path.read_bytes() if path.is_file() else b""
        if pem not in before:  # a former root stays: what it signed is still to be read
            path.write_bytes(before + pem)
    return told


def introduce(place: Path, site: str) -> None:
    """Tell the simulators, before they are started, where the platform is now and whom to trust for its bundles.

    Args:
        place: the platform's home; Django must be set up.
        site: address of the platform, without a slash at the end.
    """
    from chopmark.cases.wiring import CALLBACK, platform_card  # noqa: PLC0415 (the framework is set up only now)
    from chopmark.evidence import wiring  # noqa: PLC0415

    card = codec.canonical(replace(platform_card(), callback=f"{site}{CALLBACK}"))
    trust = wiring.own_trust().encode()
    tsa = (f"@{place / 'tsa' / 'address'}",) if (place / "tsa" / "signer.pem").is_file() else ()
    for desk in local_desks(place):
        desk.adopt_platform(card, trust)
        settings = desk.settings()
        if settings.kind == "notary" and settings.tsa != tsa:
            desk.write(desk.config, replace(settings, tsa=tsa).encode())


def children_of(place: Path) -> tuple[Child, ...]:
    """The simulators as the supervisor keeps them alive, and the courier where any desk was adopted."""
    me = "chopmark.site.command"
    desks = tuple(
        Child(
            name=f"desk-{desk.root.name}",
            arguments=(me, "desk", "serve", "--home", str(desk.root)),
            vital=False,
            held=desk.root.with_name(f"{desk.root.name}.stopped"),
            pid_file=desk.root.with_name(f"{desk.root.name}.pid"),
        )
        for desk in local_desks(place)
    )
    courier = Child(name="courier", arguments=(me, "courier"), vital=False, later=True)
    return (*desks, *((courier,) if (place / "keys" / "node").is_file() else ()))


# ---- chopmark desks, chopmark courier --------------------------------------------------------------------------------


def command(
    action: Annotated[Literal["list", "adopt", "retire", "card"], Parameter(help=text("cli.desks.action"))] = "list",
    *names: Annotated[str, Parameter(help=text("cli.desks.names"))],
    common: Common = PLAIN,
) -> int:
    """Show desks, adopt one by its card, retire one, or write this platform's card for a desk's operator.

    Raises:
        Refused: as `cases.actions.adopt_desk`, `cases.actions.retire_desk`.
        Unavailable: `cases.node_key_missing`.
    """
    use_platform()
    from chopmark.cases import queries  # noqa: PLC0415 (the framework is set up only now)
    from chopmark.cases.actions import retire_desk  # noqa: PLC0415
    from chopmark.cases.wiring import make_node_key, platform_card  # noqa: PLC0415
    from chopmark.evidence import wiring  # noqa: PLC0415

    place = chosen_home()
    if action == "card":
        make_node_key(place, wiring.origin())
        sys.stdout.buffer.write(codec.canonical(platform_card()))
        sys.stdout.flush()
        return DONE
    for name in names:
        if action == "adopt":
            told = adopt(place, files.read(Path(name), MAX_CARD))
            say("cli.desks.adopted", common, name=told.name)
        elif action == "retire":
            retire_desk(name, at=clock.now())
            say("cli.desks.retired", common, name=name)
    shown = queries.desks(retired=True)
    if common.json:
        print_json(
            [
                {"name": each.name, "kind": each.kind, "url": each.url, "simulated": each.simulated}
                | {"court": each.profile, "retired": each.retired}
                for each in shown
            ]
        )
        return DONE
    for each in shown:
        title = each.zh if language() == "zh" else each.en
        state = text("cli.desks.is_retired") if each.retired else each.url
        out().print(f"{each.name:<16} {each.kind:<7} {state}  {title}")
    return DONE


def courier_command(
    *,
    once: Annotated[bool, Parameter(negative="", show_default=False, help=text("cli.courier.once"))] = False,
    common: Common = PLAIN,
) -> int:
    """Carry filings and orders to desks until told to stop; with `--once`, what is due now."""
    use_platform()
    import structlog  # noqa: PLC0415 (other commands import from here, and log nothing)

    from chopmark.cases.actions import carry  # noqa: PLC0415 (the framework is set up only now)
    from chopmark.evidence import wiring  # noqa: PLC0415

    stop = until_told(CANNOT_LIVE, once=once)
    lines = structlog.get_logger("courier")
    done = 0
    while not stop.is_set():
        try:
            with wiring.answering():
                done += (carried := carry(at=clock.now(), clock=clock.now))
            if carried:
                lines.info("carried", count=carried)
        except (Unavailable, Refused) as error:
            lines.info("waiting", code=error.code)
        if once:
            break
        stop.wait(ROUND)
    if common.json:
        print_json({"carried": done})
    return DONE
