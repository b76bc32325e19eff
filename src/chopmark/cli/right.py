"""`chopmark right`: rights of this machine's home, for operators and scripts; others use the pages or the API.

`import`, `search` and `watch` stand in modules of their own.
"""

from __future__ import annotations

import json
import mimetypes
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal
from uuid import UUID

from cyclopts import Parameter
from rich.table import Table

from chopmark.base import clock
from chopmark.base.errors import Invalid, PlatformError, Refused
from chopmark.cli import words
from chopmark.cli.home import home, use_platform
from chopmark.cli.output import PLAIN, Common, out, print_json, say
from chopmark.cli.status import DONE, FAILED, UNCERTAIN
from chopmark.cli.words import text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from chopmark.people.actor import Actor
    from chopmark.rights.answers import Reason
    from chopmark.rights.queries.registry import RightDetail, RightSummary
    from chopmark.rights.record import Record

Which = Annotated[str, Parameter(help=text("cli.right.number"))]
Organisation = Annotated[str | None, Parameter(help=text("cli.option.organisation"))]
On = Annotated[str, Parameter(help=text("cli.right.on"))]
Many = tuple[str, ...]
STATUS = {"yes": DONE, "no": FAILED, "unknown": UNCERTAIN}
PAGE = 200  # rights that are read at once
MAX_RECORD = 4 << 20  # bytes of a record's file


def add_command(
    title: Annotated[str, Parameter(help=text("cli.right.title"))] = "",
    /,
    *,
    kind: Annotated[str, Parameter(help=text("cli.right.kind"))] = "trademark",
    office: Annotated[str, Parameter(help=text("cli.right.office"))] = "",
    number: Annotated[str, Parameter(help=text("cli.right.registration_number"))] = "",
    application: Annotated[str, Parameter(help=text("cli.right.application_number"))] = "",
    owner: Annotated[Many, Parameter(help=text("cli.right.owner"), negative="")] = (),
    cls: Annotated[Many, Parameter(name="--class", help=text("cli.right.class"), negative="")] = (),
    territory: Annotated[Many, Parameter(help=text("cli.right.territory"), negative="")] = (),
    registered: Annotated[str, Parameter(help=text("cli.right.registered"))] = "",
    expires: Annotated[str, Parameter(help=text("cli.right.expires"))] = "",
    record: Annotated[Path | None, Parameter(help=text("cli.right.record"))] = None,
    paper: Annotated[tuple[Path, ...], Parameter(help=text("cli.right.paper"), negative="")] = (),
    draft: Annotated[bool, Parameter(negative="", help=text("cli.right_import.draft"))] = False,
    organisation: Organisation = None,
    common: Common = PLAIN,
) -> int:
    """File a right and print its number."""
    by = _actor(organisation)
    from chopmark.rights import encoding  # noqa: PLC0415 (the framework is set up only now)
    from chopmark.rights.actions.file import NewPaper, NewRight, file_right  # noqa: PLC0415

    data: dict[str, Any] = {"kind": kind} if record is None else _read(record)
    if record is None:
        data |= _members(title, office, number, application)
        data |= {"owners": [{"name": each} for each in owner]} if owner else {}
        data |= {"classes": [_class(each) for each in cls]} if cls else {}
        data |= {"designations": [{"territory": each} for each in territory]} if territory else {}
        data |= {"registration_date": registered} if registered else {}
        data |= {"expiry_date": expires} if expires else {}
    said = encoding.parse_record(data)
    papers = tuple(NewPaper(kind="certificate", upload=_upload(each, by)) for each in paper)
    made = file_right(NewRight(record=said, papers=papers, submit=not draft), by=by, at=clock.now())
    _told(made, common)
    return DONE


def list_command(
    *,
    q: Annotated[str, Parameter(help=text("cli.right.query"))] = "",
    state: Annotated[str, Parameter(help=text("cli.right.state"))] = "",
    organisation: Organisation = None,
    common: Common = PLAIN,
) -> int:
    """Show the organisation's rights, and those of its clients, newest first."""
    by = _actor(organisation)
    from chopmark.rights.queries.registry import Filters, rights_of  # noqa: PLC0415 (the framework is set up only now)

    asked, now = Filters(q=q, state=state), clock.now()
    page = rights_of(by, asked, at=now, limit=PAGE)
    found = list(page.items)
    while page.next:
        page = rights_of(by, asked, at=now, after=page.next, limit=PAGE)
        found += page.items
    if common.json:
        print_json([_summary(each) for each in found])
        return DONE
    table = _table("number", "state", "level", "office", "name")
    for each in found:
        level, office = str(each.level), f"{each.record.office} {_number(each.record)}".strip()
        table.add_row(each.number, text(f"cli.state.right_{each.state}"), level, office, each.title)
    out().print(table)
    return DONE


def show_command(
    which: Which,
    /,
    *,
    as_of: Annotated[str, Parameter(help=text("cli.right.as_of"))] = "",
    organisation: Organisation = None,
    common: Common = PLAIN,
) -> int:
    """Show a right: what is claimed, how it stands, what differed from the office's record."""
    by = _actor(organisation)
    from chopmark.rights.queries.registry import right_of  # noqa: PLC0415 (the framework is set up only now)

    found = right_of(by, which, at=clock.now(), as_of=_moment(as_of) if as_of else None)
    _show(found, common)
    return DONE


def history_command(
    which: Which,
    /,
    *,
    output: Annotated[Path | None, Parameter(name="--out", help=text("cli.right.history_out"))] = None,
    organisation: Organisation = None,
    common: Common = PLAIN,
) -> int:
    """Show every change of a right; with --out, write events and receipts to a folder, 3 while a receipt is missing."""
    by = _actor(organisation)
    from chopmark.rights.queries import registry  # noqa: PLC0415 (the framework is set up only now)

    found = registry.events_of(by, which, at=clock.now())
    whole = output is None or _written(output, which, [each.seq for each in found], by, common)
    if common.json:
        print_json(
            [
                {
                    "seq": each.seq,
                    "type": each.type,
                    "at_law": None if each.at_law is None else each.at_law.isoformat(),
                    "recorded_at": clock.to_text(each.recorded_at),
                    "state": each.state,
                    "level": each.level,
                    "sha-256": each.sha256.hex(),
                    "deposit": str(each.deposit_id),
                    "payload": dict(each.payload),
                }
                for each in found
            ]
        )
        return DONE if whole else UNCERTAIN
    table = _table("seq", "recorded", "event", "state", "level", "sha256")
    for each in found:
        when = clock.to_text(each.recorded_at)
        state = text(f"cli.state.right_{each.state}")
        table.add_row(str(each.seq), when, each.type, state, str(each.level), each.sha256.hex()[:16])
    out().print(table)
    return DONE if whole else UNCERTAIN


def _written(folder: Path, which: str, events: Iterable[int], by: Actor, common: Common) -> bool:
    """Write events and their receipts; whether each had one."""
    from chopmark.rights.queries import registry  # noqa: PLC0415 (the framework is set up only now)

    whole = True
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for seq in events:
            name = folder / f"{which.replace('/', '_')}-{seq}.json"
            name.write_bytes(registry.event_document(by, which, seq, at=clock.now()))
            try:
                receipt = registry.receipt_of(by, which, seq, at=clock.now())
            except PlatformError as error:
                say(error.code, common, **{key: str(value) for key, value in error.facts.items()})
                whole = False
                continue
            Path(f"{name}.tlog-proof").write_bytes(receipt.tlog_proof())
            Path(f"{name}.receipt.cose").write_bytes(receipt.transparent_statement())
    except OSError as error:
        raise Refused("cli.file_unwritable", path=str(folder), reason=error.strerror or "") from None
    return whole


def verify_command(
    which: Which,
    /,
    *,
    code: Annotated[str, Parameter(help=text("cli.right.code"))] = "",
    signed: Annotated[Path | None, Parameter(help=text("cli.right.signed"))] = None,
    organisation: Organisation = None,
    common: Common = PLAIN,
) -> int:
    """Compare a right with the office's record kept here, or use a code or a signed mark; 3 while it is not done."""
    by = _actor(organisation)
    from chopmark.rights.actions import verify  # noqa: PLC0415 (the framework is set up only now)
    from chopmark.rights.imports import smd_files  # noqa: PLC0415
    from chopmark.rights.queries.registry import right_of  # noqa: PLC0415

    if signed is not None:
        trust = smd_files.load(home() / smd_files.FOLDER)
        if trust is None:
            raise Invalid("imports.smd_unjudged")
        verify.verify_signed(which, _bytes(signed, MAX_RECORD), trust, by=by, at=clock.now())
    elif code:
        verify.show_control(which, code, by=by, at=clock.now())
    else:
        verify.verify_against(which, by=by, at=clock.now())
    found = right_of(by, which, at=clock.now())
    _show(found, common)
    if found.summary.state == "incorrect":
        return FAILED
    return DONE if found.summary.state in ("verified", "expiring", "grace") else UNCERTAIN


def license_command(
    which: Which,
    party: Annotated[str, Parameter(help=text("cli.right.party"))] = "",
    /,
    *,
    role: Annotated[str, Parameter(help=text("cli.right.role"))] = "licensee",
    seller: Annotated[str, Parameter(help=text("cli.right.licensee_organisation"))] = "",
    territory: Annotated[Many, Parameter(help=text("cli.right.licence_territory"), negative="")] = (),
    cls: Annotated[Many, Parameter(name="--class", help=text("cli.right.licence_class"), negative="")] = (),
    channel: Annotated[Many, Parameter(help=text("cli.right.channel"), negative="")] = (),
    since: Annotated[str, Parameter(help=text("cli.right.since"))] = "",
    until: Annotated[str, Parameter(help=text("cli.right.until"))] = "",
    quantity: Annotated[int | None, Parameter(help=text("cli.right.quantity"))] = None,
    under: Annotated[str, Parameter(help=text("cli.right.under"))] = "",
    end: Annotated[str, Parameter(help=text("cli.right.end"))] = "",
    on: On = "",
    organisation: Organisation = None,
    common: Common = PLAIN,
) -> int:
    """Grant a licence or name an authorised seller and print its id; with --end, end one."""
    by = _actor(organisation)
    from chopmark.rights.actions.interest import NewInterest, end_interest, license  # noqa: A004, PLC0415
    from chopmark.rights.record import Party  # noqa: PLC0415

    if end:
        _told(end_interest(which, end, by=by, at=clock.now(), on=_day("on", on)), common)
        return DONE
    new = NewInterest(
        party=Party(name=party),
        role=role,
        granted_by=under,
        organisation=_uuid(seller) if seller else None,
        territories=territory,
        classes=cls,
        channels=channel,
        quantity=quantity,
        since=_day("since", since),
        until=_day("until", until),
    )
    made = license(which, new, by=by, at=clock.now())
    licence = made.right.interests[-1].id
    if common.json:
        print_json({"number": made.number, "licence": licence, "version": made.version})
    else:
        out().print(licence)
    return DONE


def may_command(
    which: Which,
    territory: Annotated[str, Parameter(help=text("cli.right.may_territory"))],
    /,
    *,
    cls: Annotated[str, Parameter(name="--class", help=text("cli.right.may_class"))] = "",
    on: On = "",
    seller: Annotated[str, Parameter(help=text("cli.right.seller"))] = "",
    channel: Annotated[str, Parameter(help=text("cli.right.may_channel"))] = "",
    act: Annotated[bool, Parameter(negative="", help=text("cli.right.act"))] = False,
    power: Annotated[
        Literal["file", "notice", "withdraw", "settle", "sue", "customs"], Parameter(help=text("cli.right.power"))
    ] = "notice",
    parallel: Annotated[bool, Parameter(negative="", help=text("cli.right.parallel"))] = False,
    organisation: Organisation = None,
    common: Common = PLAIN,
) -> int:
    """May he sell here? With --act: may we act on it there? 0 is yes, 1 no, 3 unknown."""
    by = _actor(organisation)
    from chopmark.rights.queries.registry import decision_of, sale_of  # noqa: PLC0415 (the framework is set up only now)
    from chopmark.rights.record import Party  # noqa: PLC0415

    known = _uuid_or_none(seller)
    party = Party(name=seller) if seller and known is None else None
    day = _day("on", on)
    if act:
        found = decision_of(
            by,
            which,
            territory=territory,
            cls=cls,
            at=clock.now(),
            on=day,
            power=power,
            seller=known,
            seller_party=party,
            channel=channel,
            parallel=parallel,
        )
        _answer(found.may, found.reasons, {"limits": list(found.limits)}, common)
        return STATUS[found.may]
    sale = sale_of(
        by, which, territory=territory, at=clock.now(), on=day, seller=known, party=party, cls=cls, channel=channel
    )
    _answer(sale.value, sale.reasons, {"chain": [each.id for each in sale.chain]}, common)
    return STATUS[sale.value]


def decide_command(
    which: Which,
    decision: Annotated[
        Literal["accept", "refuse", "cancel", "suspend", "settle"], Parameter(help=text("cli.right.decision"))
    ],
    /,
    *,
    reason: Annotated[Many, Parameter(help=text("cli.right.reason"), negative="")] = (),
    speaks_for_owner: Annotated[bool, Parameter(negative="", help=text("cli.right.speaks_for_owner"))] = False,
    final: Annotated[bool, Parameter(negative="", help=text("cli.right.final"))] = False,
    dispute: Annotated[str, Parameter(help=text("cli.right.dispute"))] = "",
    common: Common = PLAIN,
) -> int:
    """The operator read a right's papers: accept or refuse them, cancel the right, suspend it or settle a dispute."""
    use_platform()
    from chopmark.rights.actions.common import Operator  # noqa: PLC0415 (the framework is set up only now)
    from chopmark.rights.actions.dispute import NewDispute, close_dispute, open_dispute  # noqa: PLC0415
    from chopmark.rights.actions.verify import cancel, check_papers  # noqa: PLC0415

    operator, at, said = Operator(), clock.now(), "; ".join(reason)
    if decision == "cancel":
        made = cancel(which, said, operator=operator, at=at)
    elif decision == "suspend":
        made = open_dispute(which, NewDispute(kind=dispute, forum=said), by=operator, at=at)
    elif decision == "settle":
        made = close_dispute(which, dispute, said, by=operator, at=at)
    else:
        made = check_papers(
            which,
            accept=decision == "accept",
            operator=operator,
            at=at,
            speaks_for_owner=speaks_for_owner,
            reasons=reason,
            final=final,
        )
    _told(made, common)
    return DONE


# ---- reading what was typed ------------------------------------------------------------------------------------------


def _actor(organisation: str | None) -> Actor:
    use_platform()
    from chopmark.cli.embedded import choose  # noqa: PLC0415 (the framework is set up only now)

    return choose(organisation)


def _members(title: str, office: str, number: str, application: str) -> dict[str, Any]:
    members: dict[str, Any] = {
        "title": title,
        "office": office,
        "registration_number": number,
        "application_number": application,
    }
    return {name: value for name, value in members.items() if value} | ({"mark": {"verbal": title}} if title else {})


def _class(typed: str) -> dict[str, str]:
    from chopmark.rights import classes  # noqa: PLC0415 (only here)

    found = classes.parse(typed)
    return {"scheme": found.scheme, "code": found.code}


def _read(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(_bytes(path, MAX_RECORD))
    except (ValueError, RecursionError) as error:
        raise Invalid("base.json_malformed") from error
    if not isinstance(data, dict):
        raise Invalid("base.json_malformed")
    return data


def _bytes(path: Path, limit: int) -> bytes:
    try:
        if path.stat().st_size > limit:
            raise Refused("cli.file_too_long", path=str(path), limit=limit)
        return path.read_bytes()
    except OSError as error:
        raise Refused("cli.file_unreadable", path=str(path), reason=error.strerror or "") from None


def _upload(path: Path, by: Actor) -> UUID:
    from chopmark.cli.files import digests  # noqa: PLC0415 (the framework is set up only now)
    from chopmark.evidence.actions import append_upload, start_upload  # noqa: PLC0415

    known = digests(path, PLAIN)
    upload = start_upload(
        length=known.size,
        file_name=path.name,
        file_type=mimetypes.guess_type(path.name)[0] or "",
        declared=known.sha256,
        by=by,
        at=clock.now(),
    )
    with path.open("rb") as stream:
        chunks = iter(lambda: stream.read(1 << 20), b"")
        append_upload(upload.id, offset=0, chunks=chunks, by=by, at=clock.now())
    return upload.id


def _day(name: str, typed: str) -> date | None:
    if not typed:
        return None
    try:
        return date.fromisoformat(typed)
    except ValueError:
        raise Invalid("rules.value_malformed", path=name) from None


def _moment(typed: str) -> datetime:
    try:
        moment = datetime.fromisoformat(typed)
    except ValueError:
        raise Invalid("rules.value_malformed", path="as-of") from None
    if moment.tzinfo is None:
        raise Invalid("rules.value_malformed", path="as-of")
    return moment


def _uuid(typed: str) -> UUID:
    found = _uuid_or_none(typed)
    if found is None:
        raise Invalid("rules.value_malformed", path="seller")
    return found


def _uuid_or_none(typed: str) -> UUID | None:
    try:
        return UUID(typed)
    except ValueError:
        return None


# ---- showing ---------------------------------------------------------------------------------------------------------


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(text(f"cli.column.right_{column}"))
    return table


def _number(record: Record) -> str:
    return record.registration_number or record.application_number


def _summary(each: RightSummary) -> dict[str, Any]:
    from chopmark.rights import encoding  # noqa: PLC0415 (only here)

    return {
        "id": str(each.id),
        "number": each.number,
        "state": each.state,
        "level": each.level,
        "version": each.version,
        "title": each.title,
        "record": encoding.encode(each.record),
    }


def _told(made: RightSummary, common: Common) -> None:
    if common.json:
        print_json(_summary(made))
    else:
        out().print(f"{made.number} {text(f'cli.state.right_{made.state}')} {made.level}")


def _show(found: RightDetail, common: Common) -> None:
    from chopmark.rights import encoding  # noqa: PLC0415 (only here)

    if common.json:
        print_json(_summary(found.summary) | {"right": encoding.encode(found.right)})
        return
    record, right = found.right.record, found.right
    state = text(f"cli.state.right_{right.state}")
    out().print(f"{right.number} {found.summary.title} · {state} · {text('cli.right.level', level=right.level)}")
    table = Table(box=None, pad_edge=False, show_header=False)
    for name, value in encoding.encode(record).items():
        if name not in ("raw", "source"):
            table.add_row(name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
    for each in right.interests:
        where = ", ".join(each.territories) or "–"
        table.add_row(each.id, f"{each.role} {each.party.name} · {where}")
    out().print(table)
    differing = [one for one in right.verification.differences if one.rule] if right.verification is not None else []
    for one in differing:
        verdict = text(f"rules.verdict_{one.verdict}")
        reason = text(f"rules.difference_{one.rule}")
        out().print(f"{one.field}: {one.claimed or '–'} / {one.found or '–'} · {verdict}: {reason}")


def _answer(value: str, reasons: Iterable[Reason], more: dict[str, Any], common: Common) -> None:
    from chopmark.base.wording import say as sentence  # noqa: PLC0415 (only here)

    language = words.language()
    told = [{"code": each.code, "value": each.value, "facts": dict(each.facts)} for each in reasons]
    if common.json:
        print_json({"may": value, "reasons": told, **more})
        return
    out().print(text(f"cli.state.may_{value}"))
    for each in reasons:
        out().print(f"  {text(f'cli.state.may_{each.value}')}: {sentence(each.code, each.facts, language)}")
    for name, listed in more.items():
        if listed:
            out().print(f"{text(f'cli.right.may_{name}')} {' '.join(listed)}")
