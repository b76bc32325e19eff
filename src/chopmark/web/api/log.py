"""What the API tells anybody: search by digest, verification, the log's state; and who a caller is, with its keys."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router

from chopmark.base import clock
from chopmark.base.digests import parse_digest
from chopmark.base.errors import Invalid, Refused
from chopmark.evidence import actions, queries, wiring
from chopmark.evidence.verify import verify
from chopmark.ledger.policy import Policy
from chopmark.people import queries as people_queries
from chopmark.people.actor import Actor
from chopmark.people.queries import IssuerKeySummary
from chopmark.web import standing
from chopmark.web.api import schemas, shown
from chopmark.web.api.auth import MEMBERS, anybody
from chopmark.web.api.deposits import digests_from, from_base64

public = Router(tags=["Log"], auth=anybody)
members = Router(tags=["Organisation"], auth=MEMBERS)

ProblemOut = schemas.Problem


@public.get(
    "/search",
    operation_id="search",
    summary="Public entries under a digest",
    response={200: schemas.SearchOut, frozenset({400, 422, 429, 503}): ProblemOut},
)
def search(
    request: HttpRequest,  # noqa: ARG001 (ninja's form)
    digest: Annotated[str, Query(max_length=80, description="sha-256:… or sm3:… or 64 bare hexadecimal digits.")],
) -> HttpResponse:
    """No account is needed; private deposits are never found."""
    algorithm, wanted = parse_digest(digest)
    found = [
        {
            "position": each.position,
            "leaf": each.leaf.hex(),
            "links": {
                "entry": f"/explorer/entries/{each.position}",
                "statement": f"/explorer/entries/{each.position}/statement",
                "receipt": f"/entries/{each.leaf.hex()}",
            },
        }
        for each in queries.find(wanted)
    ]
    return shown.answer({"digest": f"{algorithm}:{wanted.hex()}", "entries": found})


@public.post(
    "/verify",
    operation_id="verify",
    summary="Verify a receipt",
    response={200: dict, frozenset({400, 413, 415, 422, 429, 503}): ProblemOut},
)
def check(request: HttpRequest, body: schemas.VerifyIn) -> HttpResponse:  # noqa: ARG001 (ninja's form)
    """The same report as `chopmark verify --json`, by this log's own policy; a receipt also verifies without us."""
    if body.digests is not None and body.size is None:
        raise Invalid("api.size_missing")
    digests = digests_from(body.digests, body.size) if body.digests is not None and body.size is not None else None
    policy = Policy.parse(wiring.log_policy())
    report = verify(from_base64(body.receipt), digests=digests, policy=policy, at=clock.now())
    return shown.answer(report.as_json())


@public.get("/log", operation_id="log", summary="The log as it stands", response={200: schemas.LogOut, 429: ProblemOut})
def log(request: HttpRequest) -> HttpResponse:  # noqa: ARG001 (ninja's form)
    """Its name, size, keys and policy."""
    latest = wiring.book().latest()
    return shown.answer(
        {
            "origin": wiring.origin(),
            "size": latest.size if latest else 0,
            "root": latest.root.hex() if latest else None,
            "published_at": shown.moment(latest.at if latest else None),
            "keys": [str(key) for key in wiring.log_keys()],
            "policy": wiring.policy_id().hex(),
            "links": {
                "checkpoint": "/log/checkpoint",
                "trust_policy": "/policy",
                "registration_policy": "/explorer/policy",
                "receipt_keys": "/.well-known/scitt-keys",
            },
        }
    )


@public.get(
    "/consortium",
    operation_id="consortium",
    summary="Who holds the log, and whether enough of them sign now",
    response={200: schemas.ConsortiumOut, frozenset({429, 503}): ProblemOut},
)
def consortium(request: HttpRequest) -> HttpResponse:  # noqa: ARG001 (ninja's form)
    """What the writer last heard of each member. While the quorum is missing, deposits are accepted and wait."""
    return shown.answer(standing.as_json(standing.standing()))


@members.get(
    "/whoami",
    operation_id="whoami",
    summary="Who this key or session is",
    response={200: schemas.WhoamiOut, frozenset({401, 403, 429}): ProblemOut},
)
def whoami(request: HttpRequest) -> HttpResponse:
    """Also names the issuer and the policy that statements signed by yourselves must carry."""
    actor = _actor(request)
    return shown.answer(
        {
            "organisation": {"id": str(actor.organisation_id), "name": actor.organisation_name},
            "role": actor.role,
            "scopes": None if actor.scopes is None else sorted(actor.scopes),
            "issuer": wiring.issuer_of(actor.organisation_id),
            "policy": wiring.policy_id().hex(),
        }
    )


@members.get(
    "/keys",
    operation_id="list_keys",
    summary="Your organisation's signing keys",
    response={200: schemas.KeysOut, frozenset({401, 403, 429}): ProblemOut},
)
def keys(request: HttpRequest) -> HttpResponse:
    """Retired ones too: they stay known for ever."""
    return shown.answer({"items": [_key(each) for each in people_queries.keys_of(_actor(request))]})


@members.post(
    "/keys",
    operation_id="register_key",
    summary="Register a signing key",
    response={201: schemas.KeyOut, frozenset({400, 401, 403, 409, 413, 415, 422, 429}): ProblemOut},
)
def register(request: HttpRequest, body: schemas.KeyIn) -> HttpResponse:
    """Statements that it signs are your organisation's from now on."""
    actor, at = _actor(request), clock.now()
    thumbprint = actions.register_key(from_base64(body.key), body.name, by=actor, at=at)
    _, cose_key, _ = people_queries.issuer_key(thumbprint, actor.organisation_id)
    return shown.answer(
        {
            "thumbprint": thumbprint.hex(),
            "name": body.name,
            "algorithm": wiring.key_algorithm(cose_key),
            "state": "active",
            "created_at": clock.to_text(at),
            "retired_at": None,
        },
        HTTPStatus.CREATED,
    )


@members.delete(
    "/keys/{thumbprint}",
    operation_id="retire_key",
    summary="Retire a signing key",
    response={204: None, frozenset({401, 403, 404, 429}): ProblemOut},
)
def retire(request: HttpRequest, thumbprint: str) -> HttpResponse:
    """It signs nothing new; what it signed stays verifiable."""
    try:
        wanted = bytes.fromhex(thumbprint)
    except ValueError:
        raise Refused("people.issuer_key_not_found") from None
    actions.retire_key(wanted, by=_actor(request), at=clock.now())
    return HttpResponse(status=HTTPStatus.NO_CONTENT)


def _actor(request: HttpRequest) -> Actor:
    actor: Actor = request.auth  # type: ignore[attr-defined]  # set by ninja from `ApiKey`
    return actor


def _key(each: IssuerKeySummary) -> dict[str, str | None]:
    return {
        "thumbprint": each.thumbprint.hex(),
        "name": each.name,
        "algorithm": each.algorithm,
        "state": each.state,
        "created_at": clock.to_text(each.created_at),
        "retired_at": shown.moment(each.retired_at),
    }
