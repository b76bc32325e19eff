"""`chopmark capture`: capture a page with this machine's browser; no server is needed, nor a home."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from chopmark.base.digests import Digests, parse_digest
from chopmark.base.errors import Invalid, PlatformError
from chopmark.cli.doors import Door, Wish
from chopmark.cli.entrance import open_door
from chopmark.cli.output import PLAIN, Common, out, print_json, say, talk
from chopmark.cli.status import DONE, FAILED
from chopmark.cli.words import text

if TYPE_CHECKING:
    from chopmark.evidence.capture.engine import Captured, Kept, Step


def capture(
    url: Annotated[str, Parameter(help=text("cli.capture.url"))],
    /,
    *,
    out: Annotated[Path, Parameter(help=text("cli.capture.out"))],
    mode: Annotated[Literal["automatic", "live", "operator"], Parameter(help=text("cli.capture.mode"))] = "automatic",
    passes: Annotated[int, Parameter(help=text("cli.capture.passes"))] = 3,
    interval: Annotated[int, Parameter(help=text("cli.capture.interval"))] = 30,
    steps: Annotated[Path | None, Parameter(help=text("cli.capture.steps"))] = None,
    seconds: Annotated[int | None, Parameter(help=text("cli.capture.seconds"))] = None,
    bytes: Annotated[int, Parameter(help=text("cli.capture.bytes"))] = 200_000_000,  # noqa: A002 (the option's name)
    bad_certificate: Annotated[
        bool, Parameter(negative="", show_default=False, help=text("cli.capture.bad_certificate"))
    ] = False,
    allow: Annotated[list[str] | None, Parameter(help=text("cli.capture.allow"), negative="")] = None,
    resolver: Annotated[list[str] | None, Parameter(help=text("cli.capture.resolver"), negative="")] = None,
    time_source: Annotated[list[str] | None, Parameter(help=text("cli.capture.time_source"), negative="")] = None,
    seal_to: Annotated[str | None, Parameter(help=text("cli.capture.seal_to"))] = None,
    language: Annotated[str, Parameter(help=text("cli.capture.language"))] = "zh-CN",
    deposit: Annotated[bool, Parameter(negative="", show_default=False, help=text("cli.capture.deposit"))] = False,
    server: Annotated[str | None, Parameter(help=text("cli.option.server"))] = None,
    organisation: Annotated[str | None, Parameter(help=text("cli.option.organisation"))] = None,
    common: Common = PLAIN,
) -> int:
    """Capture one page into a folder; exit status 1 when the capture is partial."""
    from chopmark.evidence.capture.commands import Folder  # noqa: PLC0415 (the browser's driver loads slowly)
    from chopmark.evidence.capture.engine import NoHooks  # noqa: PLC0415
    from chopmark.evidence.capture.engine import capture as run  # noqa: PLC0415
    from chopmark.evidence.capture.guard import Caps  # noqa: PLC0415
    from chopmark.evidence.capture.request import Limits, Request, Station  # noqa: PLC0415

    request = Request(
        url=url,
        mode=mode,
        actor="command line",
        locale=language,
        passes=passes,
        interval=interval,
        accept_bad_certificate=bad_certificate,
        limits=Limits(seconds=seconds or 0, egress=Caps(size=bytes)),
    )
    station = Station(
        allow=frozenset(allow or ()),
        resolvers=tuple(resolver or ()),
        time_sources=tuple(time_source or ()),
        seal_to=_key(seal_to),
    )
    hooks = _Depositing(open_door(server, organisation), out) if deposit else NoHooks()
    source = Folder(steps) if steps is not None else None

    def shown(step: Step) -> None:
        say(step.code, common, **step.facts)

    made = run(request, out, station=station, hooks=hooks, progress=shown, source=source)
    if common.json:
        print_json(_document(made))
    else:
        _show(made, common)
    return DONE if made.complete else FAILED


class _Depositing:
    """Deposits a capture's files through the same door as `chopmark deposit`; the log stamps its own checkpoints."""

    def __init__(self, door: Door, folder: Path) -> None:
        self._door = door
        self._folder = folder

    def stamp(self, sha256: bytes) -> bytes | None:  # noqa: ARG002 (the protocol's signature)
        """No token of its own."""
        return None

    def deposit(self, files: Sequence[Kept]) -> Sequence[str]:
        """One deposit a file."""
        wishes = [
            Wish(
                path=self._folder / each.path,
                digests=Digests(sha256=each.sha256, size=each.size),
                kind="evidence",
                title=each.path,
                author="",
                media_type=each.media_type,
                private=False,
                keep=False,
            )
            for each in files
        ]
        answers = self._door.deposit(wishes, lambda _bytes: None)
        for answer in answers:
            if isinstance(answer, PlatformError):
                raise answer
        return [answer.number for answer in answers if not isinstance(answer, PlatformError)]


def _key(digits: str | None) -> bytes | None:
    if digits is None:
        return None
    try:
        return parse_digest(digits)[1]  # the same form: 64 hexadecimal digits
    except Invalid as error:
        raise Invalid("capture.seal_key_malformed") from error


def _document(made: Captured) -> dict[str, Any]:
    return {
        "folder": str(made.folder),
        "mode": made.mode,
        "requested_url": made.requested_url,
        "final_url": made.final_url,
        "title": made.title,
        "status": made.status,
        "complete": made.complete,
        "reasons": list(made.reasons),
        "notes": list(made.notes),
        "cleanliness": made.cleanliness,
        "engine": made.engine,
        "log_head": made.log_head,
        "files": {each.path: f"sha-256:{each.sha256.hex()}" for each in made.files},
        "deposits": made.deposits,
    }


def _show(made: Captured, common: Common) -> None:
    code = "cli.capture.complete" if made.complete else "cli.capture.partial"
    out().print(text(code, files=len(made.files), path=str(made.folder), cleanliness=made.cleanliness))
    for each in made.files:
        out().print(f"{each.sha256.hex()}  {each.path}  {made.deposits.get(each.path, '')}".rstrip())
    if not common.quiet:
        for reason in made.reasons:
            talk().print(text(f"capture.reason.{reason}"))
        for note in made.notes:
            talk().print(text(f"capture.note.{note}"))
