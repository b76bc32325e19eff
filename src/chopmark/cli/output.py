"""How commands talk: data on standard output, progress and talk on standard error.

Every command takes `Common` as its last parameter, flattened into the options --json, --lang and --quiet.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Annotated, Any, Literal, Protocol

from cyclopts import Parameter
from rich.console import Console

from chopmark.cli.words import text

WIDE = 500  # columns; lines in a file or a pipe are not broken
SHOW_PROGRESS_FROM = 8 << 20  # bytes; less takes no time


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Common:
    """The options that every command has."""

    json: Annotated[bool, Parameter(negative="", show_default=False, help=text("cli.option.json"))] = False
    lang: Annotated[Literal["zh", "en"] | None, Parameter(help=text("cli.option.lang"))] = None
    quiet: Annotated[bool, Parameter(negative="", show_default=False, help=text("cli.option.quiet"))] = False


PLAIN = Common()


def out() -> Console:
    """Standard output for people; never wraps when it is no terminal, so that lines can be searched."""
    return _console(sys.stdout)


def talk() -> Console:
    """Standard error."""
    return _console(sys.stderr)


def _console(stream: IO[str]) -> Console:
    width = None if stream.isatty() else WIDE
    return Console(file=stream, highlight=False, soft_wrap=width is not None, width=width, emoji=False, markup=False)


def print_json(document: Mapping[str, Any] | list[Any]) -> None:
    """One JSON document with an end of line; Chinese as it is."""
    sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=2) + "\n")


def say(code: str, common: Common = PLAIN, **facts: str | int | None) -> None:
    """A worded sentence on standard error, unless told to be quiet."""
    if not common.quiet:
        talk().print(text(code, **facts))


class Bar(Protocol):
    """Takes steps of a known whole."""

    def step(self, by: int) -> None:
        """So much more is done."""

    def call(self, label: str) -> None:
        """What it is called from now on."""


class _Silent:
    def step(self, by: int) -> None:
        """Nobody looks."""

    def call(self, label: str) -> None:
        """The same."""


@contextmanager
def progress(label: str, total: int, common: Common, *, in_bytes: bool = True) -> Iterator[Bar]:
    """A bar on standard error while inside, if somebody looks and it may take long."""
    if common.quiet or not sys.stderr.isatty() or (in_bytes and total < SHOW_PROGRESS_FROM):
        yield _Silent()
        return
    from rich.progress import (  # noqa: PLC0415 (loaded only when a bar is shown)
        BarColumn,
        DownloadColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    counted = DownloadColumn() if in_bytes else MofNCompleteColumn()
    columns = (TextColumn("{task.description}"), BarColumn(), counted, TimeRemainingColumn())
    with Progress(*columns, console=talk(), transient=True) as bars:
        task = bars.add_task(label, total=total)

        class _Shown:
            def step(self, by: int) -> None:
                bars.advance(task, by)

            def call(self, label: str) -> None:
                bars.update(task, description=label)

        yield _Shown()


def counted(chunks: Iterable[bytes], bar: Bar) -> Iterator[bytes]:
    """The chunks, each told to the bar after it was taken."""
    for chunk in chunks:
        yield chunk
        bar.step(len(chunk))
