"""The programming interface `/api/v1`: the same actions as the pages, as JSON, described by openapi.json."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, URLResolver, path
from django.views.decorators.http import require_safe
from ninja import NinjaAPI
from ninja.openapi.schema import OpenAPISchema

from chopmark.web import errors
from chopmark.web.api import (
    deposits,
    filings,
    log,
    matters,
    problems,
    rights,
    rights_import,
    search,
    watch,
    watch_markets,
    works,
)
from chopmark.web.api.shown import Json, JsonParser

DESCRIPTION = """Deposits, receipts and verification.

Send an API key as `Authorization: Bearer chopmark_…`; keys are made on your organisation's page and have the scopes
`deposits:write`, `deposits:read`, `rights:write`, `rights:read`, `listings:write`, `watch:write`, `watch:read` and
`keys:write`. Errors are problem documents (RFC 9457) in the language that `Accept-Language` asks for (zh or en). Files
of up to 5 GB are uploaded at `/uploads/` (tus 1.0)."""


class Api(NinjaAPI):
    """Ninja's, with errors documented under their own media type and the session beside the key."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 (passed on)
        super().__init__(**options)
        self._described: dict[str, OpenAPISchema] = {}

    def get_openapi_schema(self, **options: Any) -> OpenAPISchema:  # noqa: ANN401 (passed on)
        """The whole description, made once: it takes a third of a second, and anybody may ask for it."""
        prefix = str(options.get("path_prefix"))
        if prefix not in self._described:
            self._described[prefix] = self._describe(**options)
        return self._described[prefix]

    def _describe(self, **options: Any) -> OpenAPISchema:  # noqa: ANN401 (passed on)
        schema = super().get_openapi_schema(**options)
        # Items are judged one by one, so that one wrong item does not refuse the batch; here their form is told.
        schema["components"]["schemas"]["BatchIn"]["properties"]["items"]["items"] = {"$ref": _ITEM}
        schemes = schema["components"]["securitySchemes"]
        schemes["Session"] = {"type": "apiKey", "in": "cookie", "name": "chopmark_session"}
        for operations in schema["paths"].values():
            for operation in operations.values():
                _document(operation)
        return schema


def _document(operation: dict[str, Any]) -> None:
    if "security" in operation:
        operation["security"].append({"Session": []})
    for status, response in operation["responses"].items():
        content = response.get("content", {})
        if int(status) >= 400 and "application/json" in content:
            response["content"] = {errors.PROBLEM: content["application/json"]}
    binary = _BINARY.get(operation["operationId"])
    if binary:
        operation["responses"][200]["content"] = {binary: {"schema": {"type": "string", "format": "binary"}}}


_ITEM = "#/components/schemas/DepositIn"
_BINARY = {
    "get_receipt_tlog_proof": "text/plain",
    "get_receipt_cose": "application/cose",
    "get_certificate": "application/pdf",
    "get_statement": "application/cose",
    "get_file": "application/octet-stream",
    "get_work_file": "application/octet-stream",
    "get_overlay": "image/png",
    "get_item_file": "application/octet-stream",
    "get_bundle_file": "application/octet-stream",
    "get_custody": "application/jsonl",
    "get_custody_case": "application/ld+json",
    "get_right_event": "application/json",
    "get_right_receipt_tlog_proof": "text/plain",
    "get_right_receipt_cose": "application/cose",
    "access_file": "application/octet-stream",
    "access_bundle": "application/octet-stream",
    "access_custody": "application/jsonl",
}

api = Api(
    title="Chopmark",
    version="1",
    description=DESCRIPTION,
    urls_namespace="api",
    docs_url=None,
    renderer=Json(),
    parser=JsonParser(),
)
problems.install(api)
api.add_router("/deposits", deposits.router)
api.add_router("/matters", matters.router)
api.add_router("/access", matters.access)
api.add_router("/works", works.router)
api.add_router("/copies", works.searches)
api.add_router("", log.public)
api.add_router("", log.members)
api.add_router("", filings.router)
api.add_router("", filings.desks)
api.add_router("/rights", search.router)
api.add_router("/rights", rights_import.router)  # before what stands at /rights/{which}
api.add_router("/rights", rights.router)
api.add_router("/mandates", rights.mandates)
api.add_router("", watch.listed)
api.add_router("/watch", watch.router)
api.add_router("/watch", watch_markets.router)


@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    """The description, readable and with buttons to try it; all of it served from here."""
    return render(request, "api/docs.html")


urlpatterns: list[URLPattern | URLResolver] = [
    path("api/v1/docs", docs, name="api-docs"),
    path("api/v1/", api.urls),
]
