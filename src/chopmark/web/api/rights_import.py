"""`POST /api/v1/rights/import`: many rights from one file, looked at or filed, by the action of page and command."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Router
from pydantic import Field

from chopmark.base import clock
from chopmark.base.errors import Invalid
from chopmark.base.wording import say
from chopmark.people.actor import Actor
from chopmark.rights.actions.bring_in import Brought, Row, bring_in
from chopmark.rights.imports import Problem
from chopmark.web.api import schemas
from chopmark.web.api.auth import MEMBERS
from chopmark.web.api.shown import answer, moment
from chopmark.web.errors import language_of
from chopmark.web.turns import turn

router = Router(tags=["Rights"], auth=MEMBERS)
Trouble: dict[Any, Any] = {frozenset({400, 401, 403, 404, 409, 413, 422, 429, 503}): schemas.Problem}


class ImportIn(schemas.Strict):
    """A file to bring in."""

    file: str = Field(pattern=schemas.BASE64, max_length=8_000_000, description="The file's bytes, in base64.")
    name: str = Field("", max_length=200, description="For people; the form is known by content.")
    dry_run: bool = Field(default=False, description="Only say what would happen.")
    draft: bool = Field(default=False, description="File drafts instead of handing the rights in.")
    organisation: UUID | None = Field(None, description="A client's, where you have its mandate.")


@router.post(
    "/import",
    operation_id="import_rights",
    summary="Bring rights in from a file",
    response={200: dict[str, Any], **Trouble},
)
def import_rights(request: HttpRequest, body: ImportIn) -> HttpResponse:
    """A file of ST.66 or ST.96, a signed mark, CSV, XLSX, or a certificate as PDF; each record is judged alone.

    The answer names every place of the file with what became of it.
    """
    actor: Actor = request.auth  # type: ignore[attr-defined]  # set by ninja from MEMBERS
    with turn(actor):
        done = bring_in(
            _bytes(body.file),
            body.name,
            by=actor,
            at=clock.now(),
            dry_run=body.dry_run,
            submit=not body.draft,
            organisation=body.organisation,
        )
    return answer(_told(done, request))


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise Invalid("imports.not_base64") from None


def _told(done: Brought, request: HttpRequest) -> dict[str, Any]:
    signed = done.signed
    return {
        "format": done.format,
        "dry_run": done.dry_run,
        "good": done.count("good"),
        "filed": done.count("filed"),
        "refused": done.count("refused"),
        "rows": [_row(row, request) for row in done.rows],
        "problems": _problems(done.problems, request),
        "signed": None
        if signed is None
        else {
            "id": signed.id,
            "issuer": signed.issuer,
            "validator": signed.validator,
            "not_before": moment(signed.not_before),
            "not_after": moment(signed.not_after),
        },
    }


def _row(row: Row, request: HttpRequest) -> dict[str, Any]:
    record = row.record
    return {
        "where": row.where,
        "outcome": row.outcome,
        "number": row.number or None,
        "level": row.level,
        "kind": record.kind,
        "office": record.office,
        "registration_number": record.registration_number,
        "application_number": record.application_number,
        "name": record.title or (record.mark.verbal if record.mark is not None else ""),
        "status": record.status,
        "problems": _problems(row.problems, request),
    }


def _problems(problems: Iterable[Problem], request: HttpRequest) -> list[dict[str, Any]]:
    language = language_of(request)
    return [
        {
            "where": each.where,
            "code": each.code,
            "facts": dict(each.facts),
            "stops": each.stops,
            "sentence": say(each.code, each.facts, language),
        }
        for each in problems
    ]
