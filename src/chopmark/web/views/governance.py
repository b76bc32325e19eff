"""What governs the ledger, for programs: papers by digest, their list, and the key of every signer of statements.

    GET /governance/            the list, JSON, in the order of the decisions
    GET /governance/<sha-256>   one paper, whose digest a statement on the ledger carries
    GET /keys/<thumbprint>      COSE_Key (RFC 9679 thumbprint, 64 hexadecimal digits) of whoever signed a statement

Public, without session; papers and keys never change, retired ones are served for ever. People read `/trust`.
"""

from __future__ import annotations

import json

from django.http import HttpRequest, HttpResponse
from django.urls import path, re_path

from chopmark.base.clock import to_text
from chopmark.base.errors import Refused
from chopmark.evidence import governance
from chopmark.web.views.log_files import A_MOMENT, FOR_EVER, METHODS, answer, not_found

KEY_TYPE = "application/cose-key"
DIGEST = "(?P<digest>[0-9a-f]{64})"


@METHODS
def papers(request: HttpRequest) -> HttpResponse:
    """Every decision: what, when, where on the ledger, and from which checkpoint on it counts."""
    found = [
        {
            "kind": each.kind,
            "name": each.name,
            "sha-256": each.sha256.hex(),
            "content_type": each.content_type,
            "made_at": to_text(each.made_at),
            "position": each.position,
            "leaf": each.leaf.hex(),
            "in_force_from": each.in_force_from,
        }
        for each in governance.papers()
    ]
    data = json.dumps({"papers": found}, ensure_ascii=False, indent=2).encode() + b"\n"
    return answer(request, data, "application/json", A_MOMENT)


@METHODS
def paper(request: HttpRequest, digest: str) -> HttpResponse:
    """One paper."""
    try:
        media, data = governance.paper(bytes.fromhex(digest))
    except Refused:
        return not_found()
    return answer(request, data, f"{media}; charset=utf-8" if media == "text/plain" else media, FOR_EVER)


@METHODS
def key(request: HttpRequest, digest: str) -> HttpResponse:
    """The public key of a signer."""
    try:
        data = governance.signer_key(bytes.fromhex(digest))
    except Refused:
        return not_found()
    return answer(request, data, KEY_TYPE, FOR_EVER)


urlpatterns = [
    path("governance/", papers, name="governance"),
    re_path(rf"^governance/{DIGEST}\Z", paper, name="governance-paper"),
    re_path(rf"^keys/{DIGEST}\Z", key, name="signer-key"),
]
