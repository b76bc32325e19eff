"""`chopmark right search` and `chopmark right watch`: look-alikes among the rights of this machine's home."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

from cyclopts import Parameter
from rich.table import Table

from chopmark.base import clock
from chopmark.base.errors import Refused
from chopmark.cli.home import use_platform
from chopmark.cli.output import PLAIN, Common, out, print_json, say
from chopmark.cli.status import DONE
from chopmark.cli.words import text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from chopmark.people.actor import Actor
    from chopmark.rights.queries.search import Found, Narrow
    from chopmark.rights.queries.watches import WatchSummary

MAX_PICTURE = 10_000_000  # bytes

Logo = Annotated[Path | None, Parameter(help=text("cli.right_search.logo"))]
Classes = Annotated[list[str] | None, Parameter(name="--class", help=text("cli.right_search.class"))]
Territories = Annotated[list[str] | None, Parameter(name="--territory", help=text("cli.right_search.territory"))]
Least = Annotated[float | None, Parameter(help=text("cli.right_search.least"))]
Organisation = Annotated[str | None, Parameter(help=text("cli.option.organisation"))]


def search_command(
    words: Annotated[str, Parameter(help=text("cli.right_search.words"))] = "",
    /,
    *,
    logo: Logo = None,
    classes: Classes = None,
    territories: Territories = None,
    least: Least = None,
    limit: Annotated[int, Parameter(help=text("cli.right_search.limit"))] = 20,
    organisation: Organisation = None,
    common: Common = PLAIN,
) -> int:
    """Show rights whose words or picture resemble what is given, most similar first."""
    by = _actor(organisation)
    from chopmark.rights.queries.search import find_logos, find_words  # noqa: PLC0415 (the framework is set up only now)

    narrow = _narrow(classes, territories, least, limit)
    if logo is not None:
        answered = find_logos(by, _picture(logo), narrow, at=clock.now(), patient=True)
    else:
        answered = find_words(by, words, narrow, at=clock.now(), patient=True)
    if common.json:
        print_json({"least": answered.least, "hits": [_told(each) for each in answered.hits]})
        return DONE
    out().print(_table(answered.hits))
    say("cli.right_search.found", common, count=len(answered.hits))
    return DONE


def watch_command(
    words: Annotated[str, Parameter(help=text("cli.right_watch.words"))] = "",
    /,
    *,
    logo: Logo = None,
    classes: Classes = None,
    territories: Territories = None,
    least: Least = None,
    stop: Annotated[UUID | None, Parameter(help=text("cli.right_watch.stop"))] = None,
    finds: Annotated[UUID | None, Parameter(help=text("cli.right_watch.finds"))] = None,
    organisation: Organisation = None,
    common: Common = PLAIN,
) -> int:
    """Save a watch on new filings and print its id, stop one, show what one found; without arguments list them."""
    by = _actor(organisation)
    from chopmark.rights.actions import watch  # noqa: PLC0415 (the framework is set up only now)
    from chopmark.rights.queries import watches  # noqa: PLC0415

    now = clock.now()
    if stop is not None:
        return _shown([watch.stop_watch(stop, by=by, at=now)], common)
    if finds is not None:
        met = watches.finds_of(by, finds, limit=watches.MAX_PAGE)
        if common.json:
            print_json([{**_told(each.found), "found_at": clock.to_text(each.found_at)} for each in met])
        else:
            out().print(_table(each.found for each in met))
        return DONE
    if not words and logo is None:
        return _shown(watches.watches_of(by), common)
    picture = _picture(logo) if logo is not None else b""
    new = watch.NewWatch(text=words, picture=picture, narrow=_narrow(classes, territories, least, 50))
    return _shown([watch.save_watch(new, by=by, at=now)], common)


def _shown(listed: Iterable[WatchSummary], common: Common) -> int:
    if common.json:
        print_json(
            [
                {
                    "id": str(each.id),
                    "kind": each.kind,
                    "text": each.text,
                    "classes": list(each.classes),
                    "territories": list(each.territories),
                    "least": each.least,
                    "finds": each.finds,
                    "fresh": each.fresh,
                    "stopped": each.stopped_at is not None,
                }
                for each in listed
            ]
        )
        return DONE
    table = Table(box=None, pad_edge=False)
    for column in ("id", "words", "finds", "fresh"):
        table.add_column(text(f"cli.column.watch_{column}"))
    for each in listed:
        table.add_row(str(each.id), each.text, str(each.finds), str(each.fresh))
    out().print(table)
    return DONE


def _table(found: Iterable[Found]) -> Table:
    """The total and the three scores, out of 100 each."""
    table = Table(box=None, pad_edge=False)
    listed = list(found)
    scored = listed[0].scores if listed else ()
    for column in ("total", *scored, "number", "words", "owner", "classes", "territories", "state"):
        table.add_column(text(f"cli.column.hit_{column}"))
    for each in listed:
        scores = (f"{round(100 * value)}" for value in (each.total, *each.scores.values()))
        owner = each.owners[0] if each.owners else ""
        places = (" ".join(each.classes), " ".join(each.territories))
        table.add_row(*scores, each.number, each.text, owner, *places, text(f"cli.state.hit_{each.state}"))
    return table


def _told(each: Found) -> dict[str, Any]:
    return {
        "number": each.number,
        "title": each.title,
        "text": each.text,
        "office": each.office,
        "registration_number": each.registration_number,
        "owners": list(each.owners),
        "classes": list(each.classes),
        "territories": list(each.territories),
        "status": each.status,
        "state": each.state,
        "mine": each.mine,
        "total": each.total,
        "scores": dict(each.scores),
    }


def _narrow(classes: list[str] | None, territories: list[str] | None, least: float | None, limit: int) -> Narrow:
    from chopmark.rights.queries.search import Narrow  # noqa: PLC0415 (the framework is set up only now)

    return Narrow(classes=tuple(classes or ()), territories=tuple(territories or ()), least=least, limit=limit)


def _picture(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_PICTURE:
            raise Refused("cli.file_too_long", path=str(path), limit=MAX_PICTURE)
        return path.read_bytes()
    except OSError as error:
        raise Refused("cli.file_unreadable", path=str(path), reason=error.strerror or "") from None


def _actor(organisation: str | None) -> Actor:
    use_platform()
    from chopmark.cli.embedded import choose  # noqa: PLC0415 (the framework is set up only now)

    return choose(organisation)
