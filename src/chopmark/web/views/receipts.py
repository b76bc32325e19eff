"""The shared receipt page `/r/<token>`, for whoever has the link and no account, and the receipt files.

Says what a receipt proves and what it does not; it never says that anything infringes.
"""

from __future__ import annotations

import io
import shlex
from functools import lru_cache

import segno
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from chopmark.base.errors import Refused
from chopmark.evidence import queries, wiring
from chopmark.evidence.queries import DepositSummary
from chopmark.evidence.receipt import Receipt
from chopmark.web.downloads import RECEIPT_FORMS, TLOG_PROOF, attachment, bare_name
from chopmark.web.forms.deposits import KIND_WORDS
from chopmark.web.views import trust

KILO, UNITS = 1000, ("B", "kB", "MB", "GB")


@require_safe
def shared(request: HttpRequest, token: str) -> HttpResponse:
    """What a share link shows."""
    try:
        one, receipt = queries.shared(token)
    except Refused:
        return _guarded(render(request, "receipts/gone.html", status=404))
    checkpoint = None if one.position is None else wiring.reader().covering(one.position)
    response = render(
        request,
        "receipts/shared.html",
        {
            "deposit": one,
            "token": token,
            "checkpoint": checkpoint,
            "root": checkpoint.root.hex() if checkpoint else "",
            "cosigners": trust.cosigners(checkpoint),
            "notice": trust.waiting_notice() if checkpoint is None else None,
            "origin": wiring.origin(),
            "digests": digest_facts(one),
            "disclosures": [(_("Kind"), KIND_WORDS[one.kind]), *described(one, _depositor(receipt))],
            "command": command(one),
        },
    )
    return _guarded(response)


@require_safe
def shared_file(request: HttpRequest, token: str, form: str) -> HttpResponse:  # noqa: ARG001 (the link is all it needs)
    """The receipt of a share link as a file."""
    try:
        one, receipt = queries.shared(token)
    except Refused as error:
        raise Http404 from error
    if receipt is None:
        raise Http404
    return _guarded(as_file(receipt, one, form))


@require_safe
def qr(request: HttpRequest, token: str) -> HttpResponse:
    """The QR code of a share link, as an image of its own: the page's policy allows no inline drawing."""
    try:
        queries.shared(token)
    except Refused as error:
        raise Http404 from error
    address = request.build_absolute_uri(reverse("shared", args=[token]))
    return _guarded(HttpResponse(_qr(address), content_type="image/svg+xml"))


def as_file(receipt: Receipt, one: DepositSummary, form: str) -> HttpResponse:
    """A receipt as a download beside its file; `form` is how its name ends, as `downloads` lists them."""
    if form not in RECEIPT_FORMS:
        raise Http404
    chosen = RECEIPT_FORMS[form]
    response = HttpResponse(chosen.write(receipt), content_type=chosen.media_type)
    response["Content-Disposition"] = attachment(f"{_stem(one)}.{chosen.ending}")
    response["Cache-Control"] = "private, no-store"
    return response


def digest_facts(one: DepositSummary) -> list[tuple[str, str]]:
    """The digests by name, for a list of facts."""
    both = (("SHA-256", one.sha256), ("SM3", one.sm3))
    return [(name, digest.hex()) for name, digest in both if digest is not None]


def described(one: DepositSummary, depositor: str) -> list[tuple[str, str]]:
    """What the receipt's disclosures say, in words."""
    return [
        (_("Title"), one.title),
        (_("Author"), one.author),
        (_("Depositor"), depositor),
        (_("File name"), one.file_name),
        (_("Media type"), one.media_type),
        (_("Size"), "" if one.size is None else f"{size_text(one.size)} ({one.size:,} B)"),
    ]


def size_text(size: int) -> str:
    """A number of bytes in decimal units, as deposit.js writes it."""
    power = 0
    while size >= KILO ** (power + 1) and power < len(UNITS) - 1:
        power += 1
    return f"{size / KILO**power:.{1 if power > 1 else 0}f}".removesuffix(".0") + f" {UNITS[power]}"


def command(one: DepositSummary) -> str:
    """The exact command that verifies a deposit offline."""
    name = _stem(one)
    name = f"./{name}" if name.startswith("-") else name  # a file, never an option
    parts = ["chopmark", "verify", name, "--receipt", f"{name}.{TLOG_PROOF}", "--policy", "chopmark.policy"]
    return " ".join(shlex.quote(each) for each in parts)


def _depositor(receipt: Receipt | None) -> str:
    """Who deposited, as the receipt itself discloses it."""
    found = (each.value for each in (receipt.disclosures if receipt else ()) if each.name == "depositor")
    return str(next(found, ""))


def _stem(one: DepositSummary) -> str:
    return bare_name(one.file_name) or one.number


@lru_cache(maxsize=64)
def _qr(address: str) -> bytes:
    drawing = io.BytesIO()
    segno.make(address, error="m").save(drawing, kind="svg", scale=4, border=2, light="#fff", title="QR")
    return drawing.getvalue()


def _guarded(response: HttpResponse) -> HttpResponse:
    """The token in the address is the key to the page: it must not travel on or be kept."""
    response["Cache-Control"] = "private, no-store"
    response["Referrer-Policy"] = "strict-origin"  # no-referrer would take the Origin off the language form
    response["X-Robots-Tag"] = "noindex"
    return response


urlpatterns = [
    path("r/<str:token>", shared, name="shared"),
    path("r/<str:token>/qr.svg", qr, name="shared-qr"),
    path("r/<str:token>/<str:form>", shared_file, name="shared-receipt"),
]
