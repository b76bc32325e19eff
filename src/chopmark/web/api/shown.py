"""Deposits as JSON, and answers that skip a second validation: their form is checked by the tests instead."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import orjson
from django.http import HttpRequest, HttpResponse
from ninja.parser import Parser
from ninja.renderers import BaseRenderer

from chopmark.base import clock
from chopmark.evidence.queries import DepositSummary


class Json(BaseRenderer):
    """JSON by orjson."""

    media_type = "application/json"
    charset = ""

    def render(self, request: HttpRequest, data: Any, *, response_status: int) -> bytes:  # noqa: ANN401, ARG002 (the base's form)
        """The bytes of an answer."""
        return orjson.dumps(data, default=str)


class JsonParser(Parser):
    """Strict JSON by orjson: UTF-8, no NaN, no half surrogates, depth limited."""

    def parse_body(self, request: HttpRequest) -> Any:  # noqa: ANN401 (whatever the body says)
        """The value of a body."""
        return orjson.loads(request.body)


def answer(data: object, status: int = 200) -> HttpResponse:
    """A JSON answer."""
    response = HttpResponse(orjson.dumps(data), status=status, content_type="application/json")
    response["Cache-Control"] = "no-store"
    return response


def page(request: HttpRequest, body: Mapping[str, object], after: str) -> HttpResponse:
    """A page of a list; `next`, and the Link header, lead on to what comes after `after`, unless it is empty."""
    following = None
    if after:
        asked = {name: value for name, value in request.GET.items() if name != "after"}
        following = f"{request.path}?{urlencode({**asked, 'after': after})}"
    response = answer({**body, "next": following})
    if following:
        response["Link"] = f'<{following}>; rel="next"'
    return response


def deposit(each: DepositSummary) -> dict[str, Any]:
    """A deposit with the addresses of everything about it."""
    here = f"/api/v1/deposits/{each.id}"
    links = {"self": here, "page": f"/deposits/{each.id}", "statement": f"{here}/statement"}
    if each.position is not None:
        links |= {
            "receipt.tlog-proof": f"{here}/receipt.tlog-proof",
            "receipt.cose": f"{here}/receipt.cose",
            "entry": f"/explorer/entries/{each.position}",
        }
    if each.kept:
        links["file"] = f"{here}/file"
    digests = {"sha-256": each.sha256.hex() if each.sha256 else None, "sm3": each.sm3.hex() if each.sm3 else None}
    return {
        "id": str(each.id),
        "number": each.number,
        "state": each.state,
        "kind": each.kind,
        "title": each.title,
        "author": each.author,
        "file_name": each.file_name,
        "media_type": each.media_type,
        "size": each.size,
        "private": each.private,
        "digests": {name: digest for name, digest in digests.items() if digest is not None},
        "kept": each.kept,
        "agent": each.agent,
        "source": each.source,
        "leaf": each.leaf.hex(),
        "created_at": clock.to_text(each.made_at),
        "position": each.position,
        "published_at": moment(each.published_at),
        "earlier": list(each.earlier),
        "links": links,
    }


def moment(at: datetime | None) -> str | None:
    """A time as text, or nothing."""
    return None if at is None else clock.to_text(at)
