"""The log explorer `/explorer/`: what anybody may see of the ledger, without an account.

Everything shown is read from the published log through `evidence.wiring`; nothing here knows a depositor.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import cbor2
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from chopmark.base import cbor
from chopmark.base.clock import to_text
from chopmark.base.digests import parse_digest
from chopmark.base.errors import Invalid, PlatformError
from chopmark.base.wording import say
from chopmark.evidence import wiring
from chopmark.ledger.checkpoint import open_checkpoint
from chopmark.ledger.keys import ED25519, MLDSA44_COSIGNATURE, VerifierKey
from chopmark.ledger.note import Note
from chopmark.ledger.proof import TlogProof
from chopmark.ledger.statement import PublicKey, Statement
from chopmark.ledger.stores import Published
from chopmark.ledger.text import MAX_INT63, parse_decimal
from chopmark.ledger.tree import leaf_hash, verify_consistency
from chopmark.web.context import language
from chopmark.web.forms.deposits import KIND_WORDS

PAGE = 25
NEWEST = 5
MOST_FOUND = 100
HEX_LINE = 32
ALGORITHMS = {ED25519: "Ed25519", MLDSA44_COSIGNATURE: "ML-DSA-44"}


@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    """The newest checkpoint and the newest entries."""
    latest = wiring.book().latest()
    shown: dict[str, Any] = {"here": "overview", "origin": wiring.origin(), "latest": None}
    if latest is not None:
        shown |= {"latest": _checkpoint(latest), "entries": _entries(_newest(latest.size, NEWEST))}
    return render(request, "explorer/overview.html", shown)


@require_safe
def entries(request: HttpRequest) -> HttpResponse:
    """Entries, newest first; or those under a digest that was searched for."""
    latest = wiring.book().latest()
    size = latest.size if latest else 0
    shown: dict[str, Any] = {"here": "entries", "size": size}
    if searched := request.GET.get("digest", "").strip():
        return render(request, "explorer/entries.html", shown | _found(searched, size))
    before = min(_number(request, "before", size), size)
    positions = _newest(before, PAGE)
    shown |= {
        "entries": _entries(positions),
        "low": positions[-1] if positions else 0,
        "high": positions[0] if positions else 0,
        "older": positions[-1] if positions and positions[-1] > 0 else None,
        "newer": before < size,
    }
    return render(request, "explorer/entries.html", shown)


@require_safe
def entry(request: HttpRequest, position: int) -> HttpResponse:
    """One entry: what its statement says, its proof, its bytes."""
    size = _size_beyond(position)
    raw = wiring.reader().entry(position)
    checkpoint, hashes = wiring.reader().inclusion(position)
    shown: dict[str, Any] = {
        "here": "entries",
        "position": position,
        "has_next": position + 1 < size,
        "checkpoint": checkpoint,
        "root": checkpoint.root.hex(),
        "leaf": leaf_hash(raw).hex(),
        "path": [each.hex() for each in hashes],
        "length": len(raw),
        "hexadecimal": hexadecimal(raw),
    }
    return render(request, "explorer/entry.html", shown | _statement(raw))


@require_safe
def entry_raw(request: HttpRequest, position: int) -> HttpResponse:  # noqa: ARG001 (public)
    """The entry's bytes as a file."""
    _size_beyond(position)
    return _file(wiring.reader().entry(position), "application/cose", f"entry-{position}.cose")


@require_safe
def entry_proof(request: HttpRequest, position: int) -> HttpResponse:  # noqa: ARG001 (public)
    """The inclusion proof of an entry as a C2SP tlog-proof; the statement is its extra data."""
    _size_beyond(position)
    raw = wiring.reader().entry(position)
    checkpoint, hashes = wiring.reader().inclusion(position)
    extra = cbor.encode({"statement": raw})
    proof = TlogProof(index=position, hashes=tuple(hashes), checkpoint=checkpoint.note, extra=extra)
    return _file(proof.encode(), "text/plain; charset=utf-8", f"entry-{position}.tlog-proof")


@require_safe
def checkpoints(request: HttpRequest) -> HttpResponse:
    """All checkpoints, newest first."""
    latest = wiring.book().latest()
    before = _number(request, "before", MAX_INT63)
    found = wiring.book().checkpoints(before, PAGE + 1)
    return render(
        request,
        "explorer/checkpoints.html",
        {
            "here": "checkpoints",
            "checkpoints": [_checkpoint(each) for each in found[:PAGE]],
            "older": found[PAGE - 1].size if len(found) > PAGE else None,
            "newer": "before" in request.GET,
            "latest_size": latest.size if latest else 0,
        },
    )


@require_safe
def checkpoint(request: HttpRequest, size: int) -> HttpResponse:  # noqa: ARG001 (public)
    """One checkpoint as its signed note."""
    found = _checkpoint_of(size)
    if found is None:
        raise Http404
    return _file(found.note, "text/plain; charset=utf-8", f"checkpoint-{size}.txt", download=False)


@require_safe
def consistency(request: HttpRequest) -> HttpResponse:
    """The proof that the later of two checkpoints continues the earlier one."""
    shown: dict[str, Any] = {"here": "consistency", "proof": None}
    if "old" in request.GET or "new" in request.GET:
        shown |= _consistency(request.GET.get("old", ""), request.GET.get("new", ""))
    else:
        newest = wiring.book().checkpoints(MAX_INT63, 2)
        if len(newest) == 2:
            shown |= {"old": newest[1].size, "new": newest[0].size}
    return render(request, "explorer/consistency.html", shown)


@require_safe
def keys(request: HttpRequest) -> HttpResponse:
    """Every key that somebody may need to check what the platform signed."""
    now = [_log_key(each, _("signs checkpoints now")) for each in wiring.log_keys()]
    former = [_log_key(each, _("signed earlier checkpoints; kept for ever")) for each in wiring.retired_log_keys()]
    receipt_keys = [
        _cose_key(
            _("Key of COSE receipts"), each, _("The log's Ed25519 key once more, in the form that COSE receipts name.")
        )
        for each in wiring.receipt_keys()
    ]
    intake = _cose_key(
        _("Intake key"),
        wiring.intake_key().public,
        _("Signs statements for depositors who have no key of their own, and says so in them."),
    )
    return render(request, "explorer/keys.html", {"here": "keys", "keys": [*now, *former, *receipt_keys, intake]})


@require_safe
def policy(request: HttpRequest) -> HttpResponse:
    """The trust policy and the registration policy, in full."""
    return render(
        request,
        "explorer/policy.html",
        {
            "here": "policy",
            "trust_policy": wiring.log_policy().decode(),
            "registration_policy": wiring.registration_policy().decode(),
            "registration_id": wiring.policy_id().hex(),
        },
    )


def diagnostic(value: object) -> str:  # noqa: PLR0911 (one line for each kind of value)
    """A decoded CBOR value in diagnostic notation (RFC 8949 §8), enough for what statements hold."""
    match value:
        case bool():
            return "true" if value else "false"
        case None:
            return "null"
        case bytes():
            return f"h'{value.hex()}'"
        case str():
            escaped = value.replace("\\", "\\\\").replace('"', '\\"')
            return f'"{escaped}"'
        case list() | tuple():
            return f"[{', '.join(map(diagnostic, value))}]"
        case dict():
            return "{" + ", ".join(f"{diagnostic(key)}: {diagnostic(each)}" for key, each in value.items()) + "}"
        case cbor2.CBORTag():
            return f"{value.tag}({diagnostic(value.value)})"
        case _:
            return str(value)


def hexadecimal(raw: bytes) -> str:
    """Bytes in lines of 32."""
    return "\n".join(raw[start : start + HEX_LINE].hex(" ", 4) for start in range(0, len(raw), HEX_LINE))


def _statement(raw: bytes) -> dict[str, Any]:
    """What an entry says; an entry that is no statement is shown as bytes only."""
    try:
        statement = Statement.parse(raw)
    except Invalid as error:
        return {"unreadable": say(error.code, error.facts, language()), "diagnostic": ""}
    claim = statement.claim
    tagged = cbor.decode(raw)
    protected = cbor.decode(tagged.value[0])
    return {
        "statement": statement,
        "claim": claim,
        "kind": KIND_WORDS.get(claim.kind or "", claim.kind or _("of a third party")),
        "commitments": [(name, digest.hex()) for name, digest in claim.commitments.items()],
        "diagnostic": f"/ protected header /\n{diagnostic(protected)}\n\n/ COSE_Sign1 /\n{diagnostic(tagged)}",
    }


def _entries(positions: Iterable[int]) -> list[dict[str, Any]]:
    """Rows of a table of entries."""
    reader = wiring.reader()
    rows = []
    for position in positions:
        raw = reader.entry(position)
        try:
            claim = Statement.parse(raw).claim
        except Invalid:
            rows.append({"position": position, "kind": _("unreadable"), "payload": leaf_hash(raw).hex()})
            continue
        kind = KIND_WORDS.get(claim.kind or "", claim.kind or _("of a third party"))
        rows.append(
            {
                "position": position,
                "kind": kind,
                "private": claim.private,
                "issued_at": claim.issued_at,
                "payload": claim.payload.hex(),
                "issuer": claim.issuer,
            }
        )
    return rows


def _found(searched: str, size: int) -> dict[str, Any]:
    try:
        digest = parse_digest(searched)[1]
    except Invalid as error:
        return {"searched": searched, "problem": say(error.code, error.facts, language()), "entries": []}
    positions = [each for each in wiring.book().find(digest, MOST_FOUND) if each < size]
    return {"searched": searched, "entries": _entries(positions)}


def _consistency(old: str, new: str) -> dict[str, Any]:
    shown: dict[str, Any] = {"old": old, "new": new}
    try:
        sizes = parse_decimal(old.strip()), parse_decimal(new.strip())
    except (Invalid, ValueError):
        return shown | {"problem": _("Write two sizes as plain whole numbers.")}
    both = [_checkpoint_of(size) for size in sizes]
    if both[0] is None or both[1] is None or sizes[0] > sizes[1]:
        return shown | {"problem": _("Both sizes must be sizes of checkpoints, the earlier one first.")}
    try:
        proof = wiring.reader().consistency(*sizes)
        verify_consistency(old=sizes[0], old_root=both[0].root, size=sizes[1], root=both[1].root, proof=proof)
    except PlatformError as error:
        return shown | {"problem": say(error.code, error.facts, language())}
    return shown | {
        "proof": [each.hex() for each in proof],
        "old_root": both[0].root.hex(),
        "new_root": both[1].root.hex(),
    }


def _checkpoint(published: Published) -> dict[str, Any]:
    """A checkpoint with who signed it, checked with the log's own keys."""
    _point, signatures = open_checkpoint(published.note, [*wiring.log_keys(), *wiring.retired_log_keys()])
    signers = [
        " · ".join([ALGORITHMS.get(each.key.type, str(each.key.type)), each.key.key_id.hex(), *_when(each.at)])
        for each in signatures
    ]
    return {
        "size": published.size,
        "at": published.at,
        "root_hex": published.root.hex(),
        "note_text": published.note.decode(),
        "signers": signers,
        "unknown": len(Note.parse(published.note).signatures) - len(signatures),
    }


def _when(at: datetime | None) -> list[str]:
    return [] if at is None else [to_text(at)]


def _checkpoint_of(size: int) -> Published | None:
    """The checkpoint of exactly this size."""
    if not 0 < size < MAX_INT63:
        return None
    found = wiring.book().checkpoints(size + 1, 1)
    return found[0] if found and found[0].size == size else None


def _log_key(key: VerifierKey, state: str) -> dict[str, Any]:
    algorithm = ALGORITHMS.get(key.type, str(key.type))
    return {
        "title": _("Log key, {algorithm}").format(algorithm=algorithm),
        "use": _("{name}: {state}").format(name=key.name, state=state),
        "facts": [(_("Verifier key"), str(key)), (_("Key id"), key.key_id.hex())],
    }


def _cose_key(title: str, key: PublicKey, use: str) -> dict[str, Any]:
    return {
        "title": title,
        "use": use,
        "facts": [(_("Fingerprint"), key.thumbprint.hex()), (_("COSE key"), key.to_cose().hex())],
    }


def _newest(before: int, count: int) -> list[int]:
    """Positions below `before`, newest first."""
    return list(range(before - 1, max(-1, before - 1 - count), -1))


def _number(request: HttpRequest, name: str, otherwise: int) -> int:
    """A whole number from the address; anything else is no such page."""
    if name not in request.GET:
        return otherwise
    try:
        return parse_decimal(request.GET[name])
    except (Invalid, ValueError) as error:
        raise Http404 from error


def _size_beyond(position: int) -> int:
    """The published size, when the position lies below it."""
    latest = wiring.book().latest()
    if latest is None or position >= latest.size:
        raise Http404
    return latest.size


def _file(data: bytes, media: str, name: str, *, download: bool = True) -> HttpResponse:
    response = HttpResponse(data, content_type=media)
    response["Content-Disposition"] = f'{"attachment" if download else "inline"}; filename="{name}"'
    return response


urlpatterns = [
    path("explorer/", overview, name="explorer"),
    path("explorer/entries", entries, name="explorer-entries"),
    path("explorer/entries/<int:position>", entry, name="explorer-entry"),
    path("explorer/entries/<int:position>/proof", entry_proof, name="explorer-entry-proof"),
    path("explorer/entries/<int:position>/statement", entry_raw, name="explorer-entry-raw"),
    path("explorer/checkpoints", checkpoints, name="explorer-checkpoints"),
    path("explorer/checkpoints/<int:size>", checkpoint, name="explorer-checkpoint"),
    path("explorer/consistency", consistency, name="explorer-consistency"),
    path("explorer/keys", keys, name="explorer-keys"),
    path("explorer/policy", policy, name="explorer-policy"),
]
