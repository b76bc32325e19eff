"""Operator mode: what a person asks the recorded browser to do, step by step, and how the steps reach it.

A command is a small JSON object, read strictly. A source hands commands over and takes the outcome of each back:

    Queue    in one process: another thread puts commands in and waits for outcomes
    Folder   between processes: one JSON file a command, its outcome and a screenshot beside it, so that a page, a
             program or a person's own script can drive a worker's browser

The worker polls the source from the thread that called `capture`, never from the browser's.
"""

from __future__ import annotations

import json
import os
import queue
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, Protocol, cast, get_args

from chopmark.base.errors import Invalid
from chopmark.evidence.capture.request import web_address

Action = Literal["navigate", "click", "type", "press", "scroll", "wait", "finish"]
MAX_COMMANDS: Final = 500
MAX_COMMAND: Final = 16_384  # bytes of a command's file
MAX_TYPED: Final = 4000  # characters
MAX_WAIT: Final = 60_000  # milliseconds
MAX_PIXELS: Final = 100_000
_KEY: Final = re.compile(r"[A-Za-z0-9+]{1,40}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One step.

    Attributes:
        action: `navigate` (url) · `click` (selector, or x and y) · `type` (text, selector or what has the focus) ·
            `press` (key, as Playwright names it) · `scroll` (x and y in pixels) · `wait` (milliseconds) · `finish`.
        secret: the typed text is not written into the record, only its length.
        by: who asked, for the process log.
    """

    action: Action
    url: str = ""
    selector: str = ""
    text: str = ""
    key: str = ""
    x: int | None = None
    y: int | None = None
    milliseconds: int = 0
    secret: bool = False
    by: str = "operator"

    def facts(self) -> dict[str, object]:
        """What the record says of it."""
        facts: dict[str, object] = {
            name: value
            for name in ("url", "selector", "key", "x", "y", "milliseconds")
            if (value := getattr(self, name)) not in {"", None}
        }
        if self.action == "type":
            facts |= {"characters": len(self.text)} if self.secret else {"text": self.text}
        return {name: value for name, value in facts.items() if value != 0 or name in {"x", "y"}}


_FIELDS: Final[dict[str, type]] = {
    "action": str,
    "url": str,
    "selector": str,
    "text": str,
    "key": str,
    "x": int,
    "y": int,
    "milliseconds": int,
    "secret": bool,
    "by": str,
}


def parse(value: object) -> Command:
    """Read a command from decoded JSON.

    Raises:
        Invalid: `capture.command_malformed`; `capture.url_malformed`.
    """
    if not isinstance(value, Mapping) or not set(value) <= set(_FIELDS) or value.get("action") not in get_args(Action):
        raise Invalid("capture.command_malformed")
    if any(type(each) is not _FIELDS[name] for name, each in value.items()):
        raise Invalid("capture.command_malformed")
    command = Command(**cast("dict[str, Any]", dict(value)))
    point = command.x is not None and command.y is not None
    fits = {
        "navigate": bool(command.url),
        "click": bool(command.selector) != point,
        "type": 0 < len(command.text) <= MAX_TYPED,
        "press": _KEY.fullmatch(command.key) is not None,
        "scroll": point,
        "wait": 0 < command.milliseconds <= MAX_WAIT,
        "finish": True,
    }[command.action]
    small = all(abs(each or 0) <= MAX_PIXELS for each in (command.x, command.y)) and len(command.selector) <= MAX_TYPED
    if not fits or not small or not 0 < len(command.by) <= MAX_TYPED:
        raise Invalid("capture.command_malformed")
    if command.action == "navigate":
        web_address(command.url)
    return command


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a command.

    Attributes:
        number: of the step, from 1.
        failure: empty when it was done, else one word: `not_found`, `timeout`, `refused`, `failed`.
        url: where the browser is now.
        screenshot: JPEG after the step; empty when none could be taken.
    """

    number: int
    command: Command
    failure: str
    url: str
    title: str
    screenshot: bytes = field(repr=False)


class Source(Protocol):
    """Where commands come from; both are called in the thread that called `capture`, a few times a second."""

    def next(self) -> Command | None:
        """The next command, or None while there is none; never waits."""

    def done(self, outcome: Outcome) -> None:
        """The command's outcome; number 0 with `wait` is the page as it stands before the first."""


class Queue:
    """Commands within one process."""

    def __init__(self) -> None:
        self._commands: queue.Queue[Command] = queue.Queue(MAX_COMMANDS)
        self._outcomes: queue.Queue[Outcome] = queue.Queue()

    def put(self, command: Command) -> None:
        """Ask for a step."""
        self._commands.put_nowait(command)

    def outcome(self, seconds: float) -> Outcome:
        """The next outcome.

        Raises:
            queue.Empty: none came in time.
        """
        return self._outcomes.get(timeout=seconds)

    def next(self) -> Command | None:
        """See `Source`."""
        try:
            return self._commands.get_nowait()
        except queue.Empty:
            return None

    def done(self, outcome: Outcome) -> None:
        """See `Source`."""
        self._outcomes.put(outcome)


class Folder:
    """Commands as files: `0001.json`, `0002.json`, …; `0001.outcome.json` and `0001.jpg` are the answers.

    `put` writes the next one; whoever writes by himself must write another name and rename it, so that no half file is
    read. `0000.outcome.json` appears when the page stands and the first command may come.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._next = 1

    def put(self, value: Mapping[str, object]) -> int:
        """Ask for a step; its number.

        Raises:
            Invalid: `capture.command_malformed`; also when 500 were asked for already.
        """
        parse(value)
        for number in range(1, MAX_COMMANDS + 1):
            path = self._folder / f"{number:04}.json"
            draft = self._folder / f".{os.getpid()}.{number:04}"
            if path.exists():
                continue
            draft.write_text(json.dumps(value), "utf-8")
            try:
                os.link(draft, path)  # fails when somebody else took the number meanwhile
            except FileExistsError:
                continue
            finally:
                draft.unlink()
            return number
        raise Invalid("capture.command_malformed")

    def outcome(self, number: int) -> dict[str, Any] | None:
        """What became of a step; None while nothing did."""
        path = self._folder / f"{number:04}.outcome.json"
        return cast("dict[str, Any]", json.loads(path.read_text("utf-8"))) if path.is_file() else None

    def screenshot(self, number: int) -> bytes:
        """The page after a step, JPEG; empty while there is none."""
        path = self._folder / f"{number:04}.jpg"
        return path.read_bytes() if path.is_file() else b""

    def asked(self) -> int:
        """How many steps were asked for so far."""
        return sum(1 for each in self._folder.glob("[0-9][0-9][0-9][0-9].json"))

    def newest(self) -> int | None:
        """The newest step that has an outcome; None while the page does not stand."""
        return max((int(each.name[:4]) for each in self._folder.glob("*.outcome.json")), default=None)

    def next(self) -> Command | None:
        """See `Source`; a file that is no command is answered and passed over."""
        path = self._folder / f"{self._next:04}.json"
        if not path.is_file():
            return None
        number, self._next = self._next, self._next + 1
        try:
            return parse(json.loads(path.read_bytes() if path.stat().st_size <= MAX_COMMAND else b"null"))
        except (Invalid, ValueError, RecursionError):
            self._answer(number, {"number": number, "failure": "malformed"}, b"")
            return None

    def done(self, outcome: Outcome) -> None:
        """See `Source`."""
        number = 0 if outcome.number == 0 else self._next - 1
        answer = {
            "number": number,
            "action": outcome.command.action,
            "failure": outcome.failure,
            "url": outcome.url,
            "title": outcome.title,
        }
        self._answer(number, answer, outcome.screenshot)

    def _answer(self, number: int, answer: Mapping[str, object], screenshot: bytes) -> None:
        if screenshot:
            (self._folder / f"{number:04}.jpg").write_bytes(screenshot)
        draft = self._folder / f".outcome.{number:04}"
        draft.write_text(json.dumps(answer, ensure_ascii=True), "utf-8")
        draft.replace(self._folder / f"{number:04}.outcome.json")
