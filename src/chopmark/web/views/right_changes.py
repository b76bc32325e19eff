"""Pages that change a right: license it, end a licence, add a paper, note a dispute or a recordal with customs.

No rule stands here: what is allowed is decided by `rights.actions`; a refusal is shown on the page it came from.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from django.contrib import messages
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from chopmark.base import clock
from chopmark.base.errors import Invalid, Refused, Unavailable
from chopmark.evidence import wiring
from chopmark.people.actor import Actor
from chopmark.rights import offices
from chopmark.rights.actions import customs, dispute, interest, verify
from chopmark.rights.actions import file as filing
from chopmark.rights.actions.customs import NewRecordal
from chopmark.rights.actions.dispute import NewDispute
from chopmark.rights.actions.file import NewPaper
from chopmark.rights.actions.interest import NewInterest
from chopmark.rights.queries import registry, signs
from chopmark.rights.record import Party
from chopmark.web.context import actor_of
from chopmark.web.forms.rights import CodeForm, CustomsForm, DisputeForm, LicenceForm, RenewForm, RightForm
from chopmark.web.views import right_words as words
from chopmark.web.views import rights
from chopmark.web.views.rights import FILED, own_right_of, private, small_form, taken
from chopmark.web.views.thumbnails import MAX_BYTES, has, picture, thumbnail

SIGN = 400  # pixels a side


@require_http_methods(["GET", "HEAD", "POST"])
def licence(request: HttpRequest, number: str) -> HttpResponse:
    """Grant a licence, or name an authorised seller."""
    actor, now = actor_of(request), clock.now()
    actor.must("file_rights")
    found = own_right_of(actor, number, now)
    today = offices.day(found.right.record.office, now)
    grants = [
        (each.id, f"{each.party.name} ({words.in_words(words.ROLE_WORDS, each.role)})")
        for each in found.right.interests
        if not words.interest_facts(each, today)["over"]
    ]
    form = LicenceForm(request.POST or None, grants=grants)
    if request.method == "POST" and form.is_valid():
        typed = form.cleaned_data
        new = NewInterest(
            party=Party(name=typed["name"], country=typed["country"]),
            role=typed["role"],
            granted_by=typed["granted_by"],
            territories=typed["territories"],
            classes=typed["classes"],
            channels=typed["channels"],
            quantity=typed["quantity"],
            since=typed["since"],
            until=typed["until"],
        )
        try:
            interest.license(number, new, by=actor, at=clock.now())
        except (Refused, Invalid, Unavailable) as error:
            form.add_error(None, words.sentence(error))
        else:
            request.session[FILED] = f"licence.{found.right.number}"
            messages.success(request, _("The licence is granted and stands on the ledger."))
            return redirect(reverse("right", args=[found.right.number]) + "#head-grants")
    context = {
        "right": words.row_facts(found.right),
        "form": form,
        "territory_choices": words.territory_choices(),
    }
    return private(render(request, "rights/licence.html", context, status=422 if form.errors else 200))


@contextmanager
def kept_in(form: Form) -> Iterator[None]:
    """What the action refuses is said in the form, with everything that was typed.

    Raises:
        Refused: for what one may not do, or what is not there.
    """
    try:
        yield
    except (Refused, Invalid, Unavailable) as error:
        if error.code.startswith("people.") or error.code == "rights.not_found":
            raise
        form.add_error(None, words.sentence(error))


def _end(request: HttpRequest, actor: Actor, number: str) -> None:
    interest.end_interest(number, request.POST.get("interest", "")[:80], by=actor, at=clock.now())
    messages.success(request, _("The licence has ended."))


def _paper(request: HttpRequest, actor: Actor, number: str) -> HttpResponse | None:
    form = rights.paper_form(request.POST, request.FILES)
    if not form.is_valid():
        return rights.page(request, actor, number, paper_form=form)
    registry.right_of(actor, number, at=clock.now())  # nothing is taken in for a right that is not there
    upload = taken(form.cleaned_data["file"], actor, clock.now())
    new = NewPaper(kind=form.cleaned_data["kind"], upload=upload)
    with kept_in(form):
        filing.add_papers(number, [new], by=actor, at=clock.now())
    if form.errors:
        return rights.page(request, actor, number, paper_form=form)
    messages.success(request, _("The paper is kept and deposited."))
    return None


def _dispute(request: HttpRequest, actor: Actor, number: str) -> HttpResponse | None:
    form = DisputeForm(request.POST, auto_id="dispute-%s")
    if not form.is_valid():
        return rights.page(request, actor, number, dispute_form=form)
    with kept_in(form):
        dispute.open_dispute(number, NewDispute(**form.cleaned_data), by=actor, at=clock.now())
    if form.errors:
        return rights.page(request, actor, number, dispute_form=form)
    messages.success(request, _("The dispute is recorded."))
    return None


def _close_dispute(request: HttpRequest, actor: Actor, number: str) -> None:
    outcome = request.POST.get("outcome", "")
    dispute.close_dispute(number, request.POST.get("dispute", "")[:80], outcome, by=actor, at=clock.now())
    messages.success(request, _("The dispute is closed."))


def _customs(request: HttpRequest, actor: Actor, number: str) -> HttpResponse | None:
    form = CustomsForm(request.POST, auto_id="customs-%s")
    if not form.is_valid():
        return rights.page(request, actor, number, customs_form=form)
    with kept_in(form):
        customs.record_customs(number, NewRecordal(**form.cleaned_data), by=actor, at=clock.now())
    if form.errors:
        return rights.page(request, actor, number, customs_form=form)
    messages.success(request, _("The recordal is noted."))
    return None


@require_http_methods(["GET", "HEAD", "POST"])
def change(request: HttpRequest, number: str) -> HttpResponse:
    """Correct what was said of a right."""
    actor = actor_of(request)
    actor.must("file_rights")
    found = registry.right_of(actor, number, at=clock.now())
    record = found.right.record
    if request.method == "POST":
        form = RightForm(request.POST)
    else:
        form = RightForm(initial={**rights.shown_fields(record), "version": found.summary.version})
    if request.method == "POST" and form.is_valid():
        version = request.POST.get("version", "")
        try:
            changed = rights.record_of(form.cleaned_data, record)
            seen = int(version) if version.isdecimal() and len(version) < 9 else None
            filing.amend(number, changed, by=actor, at=clock.now(), version=seen)
        except (Refused, Invalid, Unavailable) as error:
            form.add_error(None, words.sentence(error))
        else:
            request.session[FILED] = f"right.{found.right.number}"
            messages.success(request, _("The change is recorded."))
            return redirect("right", found.right.number)
    context = {
        "right": words.row_facts(found.right),
        "version": request.POST.get("version") or found.summary.version,
        "form": form,
        "territory_choices": words.territory_choices(),
    }
    return private(render(request, "rights/change.html", context, status=422 if form.errors else 200))


def _compare(request: HttpRequest, actor: Actor, number: str) -> None:
    summary = verify.verify_against(number, by=actor, at=clock.now())
    if summary.state == "verified":
        messages.success(request, _("The right agrees with the office's record and is verified."))
    else:
        messages.warning(request, _("It was compared with the office's record. See below what differs or is missing."))


def _code(request: HttpRequest, actor: Actor, number: str) -> HttpResponse | None:
    form = CodeForm(request.POST, auto_id="control-%s")
    if form.is_valid():
        with kept_in(form):
            verify.show_control(number, form.cleaned_data["code"], by=actor, at=clock.now())
    if form.errors:
        return rights.page(request, actor, number, code_form=form)
    messages.success(request, _("The code is right: you speak for the owner."))
    return None


def _renew(request: HttpRequest, actor: Actor, number: str) -> HttpResponse | None:
    form = RenewForm(request.POST, auto_id="renewed-%s")
    if form.is_valid():
        with kept_in(form):
            verify.renew(number, form.cleaned_data["expiry_date"], by=actor, at=clock.now())
    if form.errors:
        return rights.page(request, actor, number, renew_form=form)
    messages.success(request, _("The renewal is noted. It counts once the office's record says so too."))
    return None


def _sign(request: HttpRequest, actor: Actor, number: str) -> None:
    """The picture of the sign: kept as a paper, its digest in the record."""
    file = request.FILES.get("file")
    found = registry.right_of(actor, number, at=clock.now())
    record = found.right.record
    if file is None or record.mark is None:
        messages.error(request, _("Choose a file."))
        return
    data = file.read(MAX_BYTES + 1)
    try:
        thumbnail(data)
    except Http404:
        messages.error(request, _("This is no picture that can be shown: PNG, JPEG or WebP, at most 60 megapixels."))
        return
    file.seek(0)
    paper = NewPaper(kind="other", upload=taken(file, actor, clock.now()))
    filing.add_papers(number, [paper], by=actor, at=clock.now())
    changed = replace(record, mark=replace(record.mark, image=hashlib.sha256(data).digest()))
    filing.amend(number, changed, by=actor, at=clock.now())
    messages.success(request, _("The picture of the sign is kept."))


@require_safe
def sign(request: HttpRequest, number: str) -> HttpResponse:
    """The picture of the sign, decoded and encoded anew."""
    image = signs.sign_of(actor_of(request), number, at=clock.now())
    if image is None or not wiring.blobs().holds(image):
        raise Http404
    tag = image.hex()[:32]
    if has(request, tag):
        return picture(tag, None)
    return picture(tag, thumbnail(wiring.blobs().path(image), SIGN))


urlpatterns = [
    path("rights/<str:number>/change", change, name="right-change"),
    path("rights/<str:number>/compare", small_form(_compare, "#head-check"), name="right-compare"),
    path("rights/<str:number>/code", small_form(_code), name="right-code"),
    path("rights/<str:number>/renew", small_form(_renew), name="right-renew"),
    path("rights/<str:number>/sign", small_form(_sign), name="right-sign-new"),
    path("rights/<str:number>/sign.png", sign, name="right-sign"),
    path("rights/<str:number>/licence", licence, name="right-licence"),
    path("rights/<str:number>/licence/end", small_form(_end, "#head-grants"), name="right-licence-end"),
    path("rights/<str:number>/papers", small_form(_paper, "#head-papers"), name="right-paper"),
    path("rights/<str:number>/disputes", small_form(_dispute, "#head-disputes"), name="right-dispute"),
    path(
        "rights/<str:number>/disputes/close", small_form(_close_dispute, "#head-disputes"), name="right-dispute-close"
    ),
    path("rights/<str:number>/customs", small_form(_customs, "#head-customs"), name="right-customs"),
]
