"""`chopmark worker`: the process that captures pages and builds bundles, one job at a time.

A home has one; `worker.lock` sees to that. It is no vital part: without it jobs wait. It ends with its parent, and what
it had in hand then is taken up again (`evidence.actions.work` tells how). Nothing is decided here.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from chopmark.base import clock
from chopmark.base.errors import Invalid, PlatformError, Refused, Unavailable
from chopmark.base.parent import until_told
from chopmark.cli.home import home, use_platform
from chopmark.cli.output import PLAIN, Common, print_json
from chopmark.cli.status import DONE
from chopmark.cli.words import text
from chopmark.evidence.bundle import verifier
from chopmark.evidence.sealing import FOLDER as SEAL
from chopmark.evidence.sealing import Seal, make_seal
from chopmark.evidence.trust import Trust, Use
from chopmark.ledger.anchor import RFC3161, Anchored, AnchorService
from chopmark.site.config import Config, read_config
from chopmark.site.supervisor import CANNOT_LIVE

if TYPE_CHECKING:
    import structlog

    from chopmark.evidence.actions.work import Captured, CaptureJob, CaptureTool, Tools
    from chopmark.evidence.capture import engine
    from chopmark.evidence.capture.engine import Kept
    from chopmark.evidence.capture.request import Station

ROUND = 1.0  # seconds between looks at what is due
TRUST = "trust.json"


def command(
    *,
    once: Annotated[bool, Parameter(negative="", show_default=False, help=text("cli.worker.once"))] = False,
    common: Common = PLAIN,
) -> int:
    """Work until told to stop; with `--once`, until nothing is due."""
    import structlog  # noqa: PLC0415 (other commands import from here, and log nothing)

    use_platform()
    stop = until_told(CANNOT_LIVE, once=once)
    lines = structlog.get_logger("worker")
    try:
        with alone(home()) as name:
            return _run(name, stop, lines, common, once=once)
    except Invalid as error:
        lines.error("cannot work", trouble=str(error))
        return CANNOT_LIVE


def _run(name: str, stop: threading.Event, lines: structlog.stdlib.BoundLogger, common: Common, *, once: bool) -> int:
    from chopmark.evidence import wiring  # noqa: PLC0415 (the framework is set up by the caller)
    from chopmark.evidence.actions import plan_captures  # noqa: PLC0415
    from chopmark.evidence.actions.work import give_back, work  # noqa: PLC0415
    from chopmark.rights.actions.media_work import work_media  # noqa: PLC0415

    tools = make_tools(name, _config())
    with wiring.answering():
        lines.info("started", left=give_back(name, clock.now()), captures=tools.capture is not None)
    seen: list[str] = []
    night = post = None
    while not stop.is_set():
        number: str | None = None
        try:
            with wiring.answering():
                plan_captures(clock.now())
            number = work(tools, clock.now) or work_media(clock.now)
        except Unavailable as error:
            lines.info("waiting", code=error.code)
        if number is not None:
            seen.append(number)
            lines.info("worked", number=number)
            continue
        more = _watch(lines)
        if once and not more:
            break
        if not once:
            night = _renew_once_a_day(tools, night, lines)
            post = _mail_once_an_hour(post, lines)
            stop.wait(0 if more else ROUND)
    if once and common.json:
        print_json(seen)
    lines.info("stopped")
    return DONE


def _watch(lines: structlog.stdlib.BoundLogger) -> bool:
    """Compare new filings with the saved watches, and ask those that are due; whether more is left to do."""
    from chopmark.rights.actions.watch import run_watches  # noqa: PLC0415 (the framework is set up by the caller)

    try:
        ran = run_watches(clock.now())
    except PlatformError as error:
        lines.warning("watches did not run", code=error.code)  # the next round is early enough
        return False
    if ran.described or ran.filings or ran.searches:
        lines.info("watched", pictures=ran.described, filings=ran.filings, searches=ran.searches, finds=ran.finds)
    return ran.more


def _renew_once_a_day(tools: Tools, before: date | None, lines: structlog.stdlib.BoundLogger) -> date:
    """At the first idle moment of a day (UTC): custody logs, proofs that end soon, dates of rights; the day done."""
    from chopmark.evidence import wiring  # noqa: PLC0415 (the framework is set up by the caller)
    from chopmark.evidence.actions.heads import deposit_heads  # noqa: PLC0415
    from chopmark.evidence.actions.renew import renew_bundles  # noqa: PLC0415
    from chopmark.rights.actions.common import Operator  # noqa: PLC0415
    from chopmark.rights.actions.recheck import recheck  # noqa: PLC0415
    from chopmark.rights.actions.remind import remind  # noqa: PLC0415

    today = clock.now().date()
    if today == before:
        return today
    try:
        with wiring.answering():
            lines.info("heads", deposited=deposit_heads(clock.now))
    except PlatformError as error:
        lines.warning("heads not deposited", code=error.code)  # as below
    try:
        with wiring.answering():
            came = renew_bundles(tools.stampers, clock.now)
        lines.info("renewed", seen=came.seen, due=len(came.due), made=len(came.made), troubles=list(came.troubles))
    except PlatformError as error:
        lines.warning("not renewed", code=error.code)  # the day after is early enough
    try:
        with wiring.answering():
            told = remind(clock.now())
        lines.info("reminded", seen=told.seen, moved=told.moved, reminded=told.reminded, busy=told.busy)
    except PlatformError as error:
        lines.warning("not reminded", code=error.code)  # as above
    try:
        with wiring.answering():
            now = clock.now()
            again = recheck(now - timedelta(days=3), operator=Operator(name="platform"), at=now)
        lines.info("rechecked", compared=again.compared, moved=again.moved, left=again.left)
    except PlatformError as error:
        lines.warning("not rechecked", code=error.code)  # as above
    return today


def _mail_once_an_hour(before: datetime | None, lines: structlog.stdlib.BoundLogger) -> datetime | None:
    """At the first idle moment of an hour: daily mails; when that was, None where more is due."""
    from chopmark.evidence import wiring  # noqa: PLC0415 (the framework is set up by the caller)
    from chopmark.rights.actions.digest import send_digests  # noqa: PLC0415

    now = clock.now()
    if before is not None and timedelta() <= now - before < timedelta(hours=1):
        return before
    try:
        with wiring.answering():
            done = send_digests(now, address=_config().base_url)
    except PlatformError as error:
        lines.warning("digests not sent", code=error.code)  # the next hour is early enough
        return now
    if done.sent or done.failed:
        lines.info("digests", sent=done.sent, moot=done.moot, failed=done.failed)
    return None if done.more else now


@contextmanager
def alone(place: Path) -> Iterator[str]:
    """The name of this home's worker, while no other process has it.

    Raises:
        Refused: `site.worker_running`.
    """
    with (place / "worker.lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Refused("site.worker_running") from error
        file.seek(0)
        name = file.read().strip()
        if not name:
            name = f"worker-{secrets.token_hex(8)}"
            file.write(name + "\n")
            file.flush()
            os.fsync(file.fileno())
        yield name


def make_tools(name: str, config: Config) -> Tools:
    """What the worker works with, put together from the home.

    Raises:
        Invalid: `ledger.authority_malformed`, `bundle.trust_malformed`; what `anchors.services` raises.
    """
    from chopmark.evidence import wiring  # noqa: PLC0415 (the framework is set up by the caller)
    from chopmark.evidence.actions.work import Tools  # noqa: PLC0415
    from chopmark.site.anchors import services  # noqa: PLC0415 (loads an HTTP client)

    prepare_seal(config)
    stampers = tuple(Stamper(service=each) for each in services(config) if each.kind == RFC3161)
    seal = PlatformSeal(seal=Seal.load(config.home / SEAL, stampers))
    trust = wiring.own_trust()
    return Tools(
        name=name,
        seal=seal,
        stampers=stampers,
        verifier=verifier.page(trust),
        trust=trust_files(config.home, trust),
        capture=capture_tool(config),
    )


def prepare_seal(config: Config) -> bool:
    """The platform's seal and `trust.json`, made or renewed where needed; whether the seal is new."""
    from chopmark.evidence import wiring  # noqa: PLC0415 (the framework is set up by the caller)

    new = not (config.home / SEAL / "signer.pem").is_file()
    make_seal(config.home, f"Chopmark {config.host}"[:64], clock.now())
    path, wanted = config.home / TRUST, wiring.own_trust().encode()
    if not path.is_file() or path.read_bytes() != wanted:
        draft = path.with_suffix(".new")
        draft.write_bytes(wanted)
        draft.replace(path)
    return new


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformSeal:
    """The platform's seal, as the worker uses it."""

    seal: Seal

    @property
    def operator(self) -> str:
        """Whose it is."""
        return self.seal.card().name

    def sign(self, data: bytes) -> bytes:
        """See `Seal.sign`."""
        return self.seal.sign(data)

    def sign_pdf(self, pdf: bytes) -> bytes:
        """See `Seal.sign_pdf`."""
        return self.seal.sign_pdf(pdf)


@dataclass(slots=True, kw_only=True)
class Stamper:
    """A time-stamp authority of the settings, as seals and bundles ask it."""

    service: AnchorService
    name: str = ""
    own: bool = False

    def __post_init__(self) -> None:
        self.name, self.own = self.service.name, self.service.own

    def token(self, sha256: bytes) -> bytes:
        """An RFC 3161 token over this digest.

        Raises:
            Unavailable: what the authority raises; `matter.no_authority` when it answers with something else.
        """
        try:
            answered = self.service.submit(sha256)
        except (Invalid, Refused) as error:  # a wrong answer is over when it is asked again, or never
            raise Unavailable("matter.no_authority") from error
        if not isinstance(answered, Anchored):
            raise Unavailable("matter.no_authority")
        return answered.token


def trust_files(place: Path, trust: Trust) -> Mapping[str, bytes]:
    """What a bundle carries under `trust/`: certificates, lists of revoked ones; nobody trusts them for being there."""
    from cryptography import x509  # noqa: PLC0415 (only the worker needs it)
    from cryptography.hazmat.primitives.serialization import Encoding  # noqa: PLC0415

    made: dict[str, bytes] = {}
    for each in trust.roots:
        pem = x509.load_der_x509_certificate(each.certificate).public_bytes(Encoding.PEM)
        name = {Use.SEAL: "seal", Use.TSA: f"tsa-{each.name}", Use.NOTARY: f"notary-{each.name}"}[each.use]
        path = f"roots/{_plain(name)}.pem"
        made[path] = made.get(path, b"") + pem
    revoked = place / SEAL / "root.crl"
    if revoked.is_file():
        made["crl/seal.crl"] = revoked.read_bytes()
    return made


def _plain(name: str) -> str:
    return "".join(each if each.isascii() and (each.isalnum() or each in "-_") else "_" for each in name)[:60]


def capture_tool(config: Config) -> CaptureTool | None:
    """The capture engine of this machine; None where there is no browser."""
    from chopmark.evidence.capture.request import Station  # noqa: PLC0415 (only the worker needs it)

    station = Station(
        allow=frozenset(config.capture_allow),
        resolvers=config.capture_resolvers,
        time_sources=config.capture_time_sources,
        seal_to=_net_log_key(config.home),
        name=config.host,
    )
    try:
        station.program()
    except Unavailable:
        return None
    return Engine(station=station)


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """The capture engine, as the worker uses it."""

    station: Station

    def __call__(self, job: CaptureJob) -> Captured:
        """See `CaptureTool`."""
        from chopmark.evidence.capture import engine  # noqa: PLC0415 (loads the browser's driver)
        from chopmark.evidence.capture.commands import Folder  # noqa: PLC0415
        from chopmark.evidence.capture.request import Request  # noqa: PLC0415

        made = engine.capture(
            Request(url=job.url, mode=job.mode, actor=job.actor),  # type: ignore[arg-type]  # one of three, by the action
            job.out,
            station=self.station,
            hooks=_Hooks(job=job),
            progress=lambda step: job.step(step.code, step.facts),
            source=Folder(job.commands) if job.mode == "operator" else None,
        )
        return _as_item(made)

    def salvage(self, job: CaptureJob) -> Captured | None:
        """See `CaptureTool`."""
        from chopmark.evidence.capture import engine  # noqa: PLC0415 (loads the browser's driver)

        if (whole := engine.reread(job.out)) is not None:
            return _as_item(whole)
        if not engine.holds_page(job.out):
            return None
        return _as_item(engine.salvage(job.out, name=self.station.name, hooks=_Hooks(job=job)))


def _as_item(made: engine.Captured) -> Captured:
    """What the engine made, as the worker keeps it."""
    from chopmark.evidence.actions.work import Captured, MadeFile  # noqa: PLC0415 (the framework is set up)

    over = dict(made.tokens)
    return Captured(
        files=tuple(
            MadeFile(
                path=made.folder / each.path,
                media_type=each.media_type,
                role=each.role,
                derived_from=each.derived_from,
                over=over.get(each.path, ""),
            )
            for each in made.files
        ),
        result={
            "final_url": made.final_url,
            "started": clock.to_text(made.started),
            "ended": clock.to_text(made.ended),
            "engine": made.engine,
            "engine_sha256": made.engine_sha256,
            "vantages": list(made.vantages),
            "cleanliness": made.cleanliness,
            "status": made.status,
            "log_head": made.log_head,
            "reasons": list(made.reasons),
            "notes": list(made.notes),
        },
        complete=made.complete,
        trouble=f"capture.reason.{made.reasons[0]}" if made.reasons else "",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Hooks:
    """What the engine calls on: tokens and deposits in the same step."""

    job: CaptureJob

    def stamp(self, sha256: bytes) -> bytes | None:
        """A token; where no authority answers, the trouble, which the engine writes into its record."""
        return self.job.stamp(sha256)

    def deposit(self, files: Sequence[Kept]) -> Sequence[str]:
        """Keep these files, now."""
        return self.job.deposit([self.job.out / each.path for each in files])


def _net_log_key(place: Path) -> bytes:
    """The public key that net-logs are sealed to; its secret half lies in `keys/netlog`, for the operator alone."""
    from chopmark.evidence.capture.sealed import make_key  # noqa: PLC0415 (only the worker needs it)

    public, secret = place / "keys" / "netlog.pub", place / "keys" / "netlog"
    if not public.is_file():
        first, second = make_key()
        descriptor = os.open(secret, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(first.hex() + "\n")
        public.write_text(second.hex() + "\n", "ascii")
    return bytes.fromhex(public.read_text("ascii").strip())


def _config() -> Config:
    config, problems = read_config()
    if problems:
        raise Invalid("site.settings_wrong", problems=[f"{each.message} ({each.hint})" for each in problems])
    return config
