"""`chopmark media`: fingerprints of files, what they share with others or with the works of this machine's home.

Files are decoded in a process that is shut in (`media.workshop`); `fingerprint` and `match` between files need no home.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from rich.table import Table

from chopmark.base import clock
from chopmark.base.errors import Refused
from chopmark.cli.home import use_platform
from chopmark.cli.output import PLAIN, Common, out, print_json, say
from chopmark.cli.status import DONE, FAILED
from chopmark.cli.words import text

if TYPE_CHECKING:
    from chopmark.media.fingerprint import Fingerprint, Print
    from chopmark.media.guard import Kind
    from chopmark.media.match import Match, Owned

Organisation = Annotated[str | None, Parameter(help=text("cli.option.organisation"))]


def fingerprint_command(
    file: Annotated[Path, Parameter(help=text("cli.media.file"))],
    /,
    *,
    query: Annotated[bool, Parameter(negative="", help=text("cli.media.query"))] = False,
    common: Common = PLAIN,
) -> int:
    """Print what a file is, its ISCC and its codes."""
    from chopmark.media.guard import Limits  # noqa: PLC0415 (only now is it needed)
    from chopmark.media.workshop import Workshop  # noqa: PLC0415

    workshop = Workshop()
    try:
        found = workshop.fingerprint(_readable(file), Limits().patient(), query=query)
    finally:
        workshop.close()
    if common.json:
        print_json(_told(found))
        return DONE
    table = Table(box=None, pad_edge=False, show_header=False)
    for name, value in {"kind": found.kind, "type": found.media_type, "iscc": found.iscc, **found.facts}.items():
        table.add_row(name, str(value))
    for code in found.codes[:20]:
        table.add_row(f"{code.region} {code.turn}", code.bits.hex())
    out().print(table)
    return DONE


def match_command(
    query: Annotated[Path, Parameter(help=text("cli.media.match_query"))],
    references: Annotated[list[Path] | None, Parameter(help=text("cli.media.match_references"))] = None,
    /,
    *,
    radius: Annotated[int, Parameter(help=text("cli.media.radius"))] = 31,
    organisation: Organisation = None,
    common: Common = PLAIN,
) -> int:
    """Say what a file shares with other files or, where none are given, with the works in this home; 1 for nothing."""
    found = _among(_readable(query), references, radius) if references else _at_home(query, radius, organisation)
    rows, crowded = found
    if common.json:
        print_json(rows)
    elif not rows:
        say("cli.media.nothing", common)
    else:
        table = Table(box=None, pad_edge=False)
        for column in ("of", "stage", "score", "query", "reference"):
            table.add_column(text(f"cli.column.match_{column}"))
        for row in rows:
            part = row["parts"][0] if row["parts"] else {}
            table.add_row(row["of"], row["stage"], str(row["score"]), _place(part, "query"), _place(part, "reference"))
        out().print(table)
    if crowded and not common.json:
        say("copies.crowded", common, crowded=crowded)
    return DONE if rows else FAILED


def index_command(
    *,
    build: Annotated[bool, Parameter(negative="", help=text("cli.media.build"))] = False,
    common: Common = PLAIN,
) -> int:
    """Show how large the indexes of this home are; with `--build`, write them anew as one segment each."""
    use_platform()
    from chopmark.rights.actions.copies import (  # noqa: PLC0415 (the framework is set up only now)
        build_indexes,
        index_sizes,
    )

    if build:
        build_indexes(whole=True)
    sizes = index_sizes()
    if common.json:
        print_json(sizes)
        return DONE
    table = Table(box=None, pad_edge=False)
    for column in ("name", "codes", "gone", "segments", "on_disk"):
        table.add_column(text(f"cli.column.index_{column}"))
    for name, size in sizes.items():
        table.add_row(name, *(str(size[each]) for each in ("codes", "gone", "segments", "on_disk")))
    out().print(table)
    return DONE


def ignore_command(
    file: Annotated[Path, Parameter(help=text("cli.media.ignored_file"))],
    /,
    *,
    reason: Annotated[str, Parameter(help=text("cli.media.reason"))],
    common: Common = PLAIN,
) -> int:
    """Put a picture on the list of what is no match for anybody: a template, a shop's logo."""
    use_platform()
    from chopmark.rights.actions.common import Operator  # noqa: PLC0415 (the framework is set up only now)
    from chopmark.rights.actions.copies import suppress_for_all  # noqa: PLC0415

    made = suppress_for_all(_readable(file), reason, operator=Operator(), at=clock.now())
    if common.json:
        print_json({"id": made})
    else:
        say("cli.media.ignored_from_now", common, id=made)
    return DONE


def unignore_command(
    entry: Annotated[int, Parameter(help=text("cli.media.entry"))],
    /,
    *,
    common: Common = PLAIN,
) -> int:
    """Take an entry off that list."""
    use_platform()
    from chopmark.rights.actions.common import Operator  # noqa: PLC0415 (the framework is set up only now)
    from chopmark.rights.actions.copies import unsuppress_for_all  # noqa: PLC0415

    unsuppress_for_all(entry, operator=Operator(), at=clock.now())
    if common.json:
        print_json({"id": entry})
    else:
        say("cli.media.ignored_no_more", common, id=entry)
    return DONE


def ignored_command(*, common: Common = PLAIN) -> int:
    """Show what is no match for anybody."""
    use_platform()
    from chopmark.rights.queries.works import commons_for_all  # noqa: PLC0415 (the framework is set up only now)

    rows = [
        {"id": each.id, "made_at": each.made_at.isoformat(), "reason": each.reason, "bits": each.bits.hex()}
        for each in commons_for_all()
    ]
    if common.json:
        print_json(rows)
        return DONE
    table = Table(box=None, pad_edge=False, show_header=False)
    for row in rows:
        table.add_row(str(row["id"]), str(row["made_at"]), str(row["reason"]))
    out().print(table)
    return DONE


def _among(query: Path, references: Sequence[Path], radius: int) -> tuple[list[dict[str, Any]], int]:
    """Compare files with each other, without a home: the same library over rows in memory. And `Looked.crowded`."""
    from chopmark.media.guard import Limits  # noqa: PLC0415 (only now is it needed)
    from chopmark.media.index.codes import CodeIndex  # noqa: PLC0415
    from chopmark.media.match import Library  # noqa: PLC0415
    from chopmark.media.workshop import Workshop  # noqa: PLC0415

    workshop = Workshop()
    try:
        asked = workshop.fingerprint(query, Limits().patient(), query=True)
        kept = [workshop.fingerprint(_readable(each), Limits().patient()) for each in references]
    finally:
        workshop.close()
    rows = _Rows(kept)
    library = Library(CodeIndex(Path("none"), rows, "files"), rows.owners, _Prints(kept))
    looked = library.look(asked, radius=radius)
    return [_row(str(references[each.file]), each) for each in looked.matches], looked.crowded


class _Rows:
    """The codes of some fingerprints, as rows."""

    def __init__(self, kept: Sequence[Fingerprint]) -> None:
        self._kept = kept
        self._all = [(file, code) for file, each in enumerate(kept) for code in each.codes]

    def last(self) -> int:
        """See `media.index.codes.Source`."""
        return len(self._all)

    def added(self, after: int, last: int, limit: int) -> Sequence[tuple[int, int, bytes]]:
        """See there."""
        some = enumerate(self._all[after : min(last, after + limit)], after)
        return [(place + 1, place, code.bits) for place, (_, code) in some]

    def gone(self, after: int, last: int) -> Sequence[int]:
        """See there."""
        del after, last
        return []

    def owners(self, ids: Sequence[int]) -> Mapping[int, Owned]:
        """Whose they are."""
        from chopmark.media.match import Owned  # noqa: PLC0415 (only now is it needed)

        return {
            place: Owned(file=self._all[place][0], kind=self._kept[self._all[place][0]].kind, code=self._all[place][1])
            for place in ids
        }


class _Prints:
    """Their prints, as rows."""

    def __init__(self, kept: Sequence[Fingerprint]) -> None:
        self._kept = kept

    def last(self) -> int:
        """See `media.match.Prints`."""
        return len(self._kept)

    def added(self, after: int, last: int, limit: int) -> Sequence[tuple[int, int, Kind, tuple[Print, ...]]]:
        """See there."""
        some = enumerate(self._kept[after : min(last, after + limit)], after)
        return [(place + 1, place, each.kind, each.prints) for place, each in some]

    def gone(self, after: int, last: int) -> Sequence[int]:
        """See there."""
        del after, last
        return []


def _at_home(query: Path, radius: int, organisation: str | None) -> tuple[list[dict[str, Any]], int]:
    """Search among the works of this home. And `Looked.crowded`."""
    use_platform()
    from chopmark.cli.embedded import choose  # noqa: PLC0415 (the framework is set up only now)
    from chopmark.media.guard import Limits  # noqa: PLC0415
    from chopmark.rights.actions.copies import find_copies  # noqa: PLC0415

    found = find_copies(
        _readable(query),
        name=query.name,
        radius=radius,
        limits=Limits().patient(),
        by=choose(organisation),
        at=clock.now(),
    )
    rows = [
        {
            "of": each.work,
            "kind": each.kind,
            "stage": each.stage,
            "score": each.score,
            "parts": [dict(part) for part in each.parts],
            "why": dict(each.why),
            "search": found.number,
        }
        for each in found.matches
    ]
    return rows, int(found.facts.get("crowded", 0))


def _row(name: str, match: Match) -> dict[str, Any]:
    return {
        "of": name,
        "kind": match.kind,
        "stage": match.stage,
        "score": match.score,
        "parts": [asdict(part) for part in match.parts],
        "why": dict(match.why),
    }


def _place(part: Mapping[str, Any], side: str) -> str:
    """A part for people: milliseconds or characters, or hundredths of a picture's sides."""
    span, box = part.get(f"{side}_span"), part.get(side)
    if span:
        return f"{span[0]}-{span[1]}"
    if box:
        return " ".join(f"{each / 10_000:.0f}%" for each in box)
    return ""


def _told(found: Fingerprint) -> dict[str, Any]:
    plain = replace(found, prints=())
    return {
        "kind": plain.kind,
        "media_type": plain.media_type,
        "algorithm": plain.algorithm,
        "iscc": plain.iscc,
        "facts": dict(plain.facts),
        "codes": [
            {
                "bits": each.bits.hex(),
                "quality": each.quality,
                "region": each.region,
                "box": list(each.box),
                "turn": each.turn,
                "at": each.at,
            }
            for each in plain.codes
        ],
    }


def _readable(file: Path) -> Path:
    try:
        file.open("rb").close()
    except OSError as error:
        raise Refused("cli.file_unreadable", path=str(file), reason=error.strerror or "") from None
    return file
