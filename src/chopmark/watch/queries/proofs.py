"""The proof that a scan said of a hit what the hit says; for whoever runs the marketplace."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

from chopmark.base.errors import Invalid, Refused
from chopmark.people.actor import Actor
from chopmark.watch import wiring
from chopmark.watch.queries import access, scans


def proof_of_hit(actor: Actor, which: UUID | str) -> tuple[bytes, bytes]:
    """Proof and statement as `scans.proof_of` gives them, of the row in which the hit's listing and right meet.

    Raises:
        Refused: `watch.hit_not_found`, `watch.hit_unscanned` when no scan found it, `watch.scan_not_found`,
            `watch.scan_unfinished`, `watch.scan_let_go`; what people's `must` raises.
        Invalid: `watch.results_malformed`.
    """
    hit = access.hit(actor, which)
    if hit.scan is None:
        raise Refused("watch.hit_unscanned", number=hit.number)
    scan = access.scan(actor, hit.scan)
    scans.must_have_files(scan)
    file, row = _place(wiring.folder("scans") / scan.number, hit.item, hit.right, hit.number)
    return scans.proof_of(actor, scan.pk, _index(wiring.folder("scans") / scan.number, file), row)


def _place(folder: Path, item: str, right: str, number: str) -> tuple[str, int]:
    """The file of results that has the row, and the row's place in it."""
    import duckdb  # noqa: PLC0415 (only who looks into results needs it)

    from chopmark.watch.rules.run import connection  # noqa: PLC0415 (the same)

    query = (
        "SELECT filename, file_row_number FROM read_parquet($files, filename = true, file_row_number = true) "
        "WHERE item = $item AND right_id = $right ORDER BY version DESC LIMIT 1"
    )
    files = str(folder / "results" / "part-*.parquet")
    try:
        with connection(threads=1) as database:
            found = database.execute(query, {"files": files, "item": item, "right": right}).fetchone()
    except duckdb.Error as error:
        raise Invalid("watch.results_malformed") from error
    if found is None:
        raise Refused("watch.hit_unscanned", number=number)
    return Path(found[0]).name, int(found[1])


def _index(folder: Path, file: str) -> int:
    """The partition whose results stand in this file."""
    from chopmark.watch.engine import reading  # noqa: PLC0415 (only who looks into results needs it)

    for index, done in reading.parts(folder).items():
        if done.file == file:
            return index
    raise Invalid("watch.results_malformed")
