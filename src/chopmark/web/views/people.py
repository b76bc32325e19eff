"""Organisations: members, invitations, roles, API keys, issuer keys, and the switch between organisations.

Each form posts to its own address; a refusal is shown on the page it came from, with what was typed kept.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import wraps
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from chopmark.base import clock
from chopmark.base.errors import Invalid, PlatformError, Refused
from chopmark.base.wording import say
from chopmark.evidence.actions import register_key, retire_key
from chopmark.people import actions, queries
from chopmark.people.actor import ROLES, SCOPES, Actor
from chopmark.people.adapter import INVITATION_IN_SESSION
from chopmark.web import context, errors
from chopmark.web.context import actor_of

ROLE_NAMES = {
    "owner": gettext_lazy("Owner"),
    "depositor": gettext_lazy("Depositor"),
    "viewer": gettext_lazy("Viewer"),
}
SCOPE_NAMES = {
    "deposits:write": gettext_lazy("make deposits"),
    "deposits:read": gettext_lazy("read deposits and receipts"),
    "rights:write": gettext_lazy("file rights and works"),
    "rights:read": gettext_lazy("read rights and works, search"),
    "listings:write": gettext_lazy("push listings of a marketplace"),
    "watch:write": gettext_lazy("hand hits over to matters"),
    "watch:read": gettext_lazy("read hits and figures of the watch"),
    "keys:write": gettext_lazy("manage keys"),
}
LIFETIMES = {
    "30": gettext_lazy("30 days"),
    "90": gettext_lazy("90 days"),
    "365": gettext_lazy("1 year"),
    "": gettext_lazy("no end"),
}

View = Callable[..., HttpResponse]


class NewOrganisation(forms.Form):
    """An organisation's name."""

    name = forms.CharField(label=gettext_lazy("Name of the organisation"), max_length=actions.NAME_SIZE)


class Invite(forms.Form):
    """Whom to invite, and as what."""

    email = forms.EmailField(label=gettext_lazy("E-mail address"), max_length=254)
    role = forms.ChoiceField(
        label=gettext_lazy("Role"), choices=[(role, ROLE_NAMES[role]) for role in ROLES], initial="depositor"
    )


class NewApiKey(forms.Form):
    """What a new key is for, what it may do, and for how long."""

    name = forms.CharField(
        label=gettext_lazy("What it is for"),
        max_length=actions.KEY_NAME_SIZE,
        help_text=gettext_lazy("For example: upload script of the photo desk"),
    )
    scopes = forms.MultipleChoiceField(
        label=gettext_lazy("It may"),
        choices=[(scope, SCOPE_NAMES[scope]) for scope in SCOPES],
        initial=["deposits:write", "deposits:read"],
        widget=forms.CheckboxSelectMultiple,
    )
    lifetime = forms.ChoiceField(
        label=gettext_lazy("Valid for"), choices=list(LIFETIMES.items()), initial="90", required=False
    )


class NewIssuerKey(forms.Form):
    """A public key that signs statements."""

    name = forms.CharField(label=gettext_lazy("Name of the key"), max_length=actions.KEY_NAME_SIZE)
    key = forms.CharField(
        label=gettext_lazy("Public key"),
        max_length=1000,
        help_text=gettext_lazy("The COSE key in hexadecimal or base64 (Ed25519 or P-256). Never paste a private key."),
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false", "autocomplete": "off"}),
    )

    def clean_key(self) -> bytes:
        """The bytes behind the text."""
        return _bytes_of(self.cleaned_data["key"])


def _bytes_of(text: str) -> bytes:
    compact = "".join(text.split())
    try:
        return bytes.fromhex(compact)
    except ValueError:
        pass
    try:
        return base64.b64decode(compact.replace("-", "+").replace("_", "/") + "=" * (-len(compact) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise forms.ValidationError(say("people.issuer_key_malformed", {}, context.language())) from error


def _signed_in(view: View) -> View:
    """Lead visitors to the sign-in page; also for forms, which they then send again."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: object, **values: object) -> HttpResponse:
        if not request.user.is_authenticated:
            return redirect(f"{reverse('account_login')}?next={request.path}")
        return view(request, *args, **values)

    return never_cache(guarded)


def _form_on(page: str) -> Callable[[View], View]:
    """A view that only takes a form; who opens its address instead is led to the page that the form is on."""

    def around(view: View) -> View:
        @_signed_in
        @require_http_methods(["GET", "HEAD", "POST"])
        @wraps(view)
        def guarded(request: HttpRequest, *args: object, **values: object) -> HttpResponse:
            if request.method != "POST":
                return redirect(page)
            return view(request, *args, **values)

        return guarded

    return around


class MailForm(forms.Form):
    """Which mails somebody wants, and in which language."""

    digests = forms.BooleanField(
        label=gettext_lazy("A mail a day when something comes due or a watch found something"), required=False
    )
    language = forms.ChoiceField(
        label=gettext_lazy("Language of mails to you"),
        choices=[("", gettext_lazy("both")), ("zh", "中文"), ("en", "English")],
        required=False,
    )


def _user_id(request: HttpRequest) -> int:
    if request.user.pk is None:
        raise Refused("people.sign_in_first")
    return request.user.pk


def _sentence(error: PlatformError) -> str:
    return say(error.code, error.facts, context.language())


@_signed_in
@require_safe
def organisation(request: HttpRequest) -> HttpResponse:
    """The organisation one acts for: its name, members and open invitations."""
    return _organisation_page(request, actor_of(request), Invite())


def _organisation_page(request: HttpRequest, actor: Actor, form: Invite, *, new_link: str = "") -> HttpResponse:
    manages = actor.may("manage_members")
    values = {
        "actor": actor,
        "members": queries.members_of(actor),
        "manages": manages,
        "invitations": queries.invitations_of(actor, clock.now()) if manages else [],
        "form": form,
        "role_names": ROLE_NAMES,
        "rename_form": NewOrganisation(initial={"name": actor.organisation_name}),
        "new_link": new_link,
        "mail_is_kept_here": settings.CONFIG.mail is None,
    }
    status = 422 if form.errors else 200
    return render(request, "people/organisation.html", values, status=status)


@_signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def new_organisation(request: HttpRequest) -> HttpResponse:
    """Make another organisation and act for it."""
    form = NewOrganisation(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            made = actions.create_organisation(_user_id(request), form.cleaned_data["name"], at=clock.now())
        except (Refused, Invalid) as error:
            form.add_error(None, _sentence(error))
        else:
            context.choose_organisation(request, made)
            messages.success(request, _("The organisation was made. You are its owner."))
            return redirect("organisation")
    return render(request, "people/new_organisation.html", {"form": form}, status=422 if form.errors else 200)


@_form_on("home")
def switch(request: HttpRequest) -> HttpResponse:
    """Act for another of one's organisations."""
    try:
        wanted = UUID(request.POST.get("organisation", ""))
    except ValueError as error:
        raise Refused("people.organisation_not_found") from error
    context.choose_organisation(request, wanted)
    return redirect("home")


def _then_back(change: Callable[[HttpRequest, Actor], str], to: str) -> View:
    """A view for one small form: do it, say so, go back; a refusal is said in the same place."""

    @_form_on(to)
    def view(request: HttpRequest) -> HttpResponse:
        actor = actor_of(request)
        try:
            done = change(request, actor)
        except (Refused, Invalid) as error:
            if errors.status_of(error) in {403, 404}:
                raise
            messages.error(request, _sentence(error))
        else:
            messages.success(request, done)
        return redirect(to)

    return view


def _rename(request: HttpRequest, actor: Actor) -> str:
    actions.rename_organisation(request.POST.get("name", ""), by=actor)
    return _("The new name is kept.")


def _change_role(request: HttpRequest, actor: Actor) -> str:
    actions.change_role(_number(request), request.POST.get("role", ""), by=actor, at=clock.now())
    return _("The role was changed.")


def _remove_member(request: HttpRequest, actor: Actor) -> str:
    actions.remove_member(_number(request), by=actor, at=clock.now())
    return _("The membership has ended.")


def _revoke_invitation(request: HttpRequest, actor: Actor) -> str:
    try:
        invitation_id = UUID(request.POST.get("invitation", ""))
    except ValueError as error:
        raise Refused("people.invitation_not_found") from error
    actions.revoke_invitation(invitation_id, by=actor, at=clock.now())
    return _("The invitation was taken back.")


def _revoke_api_key(request: HttpRequest, actor: Actor) -> str:
    actions.revoke_api_key(request.POST.get("key", ""), by=actor, at=clock.now())
    return _("The key was revoked. It opens nothing any more.")


def _retire_issuer_key(request: HttpRequest, actor: Actor) -> str:
    try:
        thumbprint = bytes.fromhex(request.POST.get("thumbprint", ""))
    except ValueError as error:
        raise Refused("people.issuer_key_not_found") from error
    retire_key(thumbprint, by=actor, at=clock.now())
    return _("The key was retired. What it signed stays verifiable.")


def _number(request: HttpRequest) -> int:
    text = request.POST.get("member", "")
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise Refused("people.member_not_found")
    return int(text)


rename = _then_back(_rename, "organisation")
change_role = _then_back(_change_role, "organisation")
remove_member = _then_back(_remove_member, "home")
revoke_invitation = _then_back(_revoke_invitation, "organisation")
revoke_api_key = _then_back(_revoke_api_key, "organisation_keys")
retire_issuer_key = _then_back(_retire_issuer_key, "organisation_keys")


@_form_on("organisation")
def invite(request: HttpRequest) -> HttpResponse:
    """Invite somebody; the page then shows the link once, for places without a mail server."""
    actor, form = actor_of(request), Invite(request.POST)
    actor.must("manage_members")
    if not form.is_valid():
        return _organisation_page(request, actor, form)
    try:
        made = actions.invite(
            form.cleaned_data["email"], form.cleaned_data["role"], by=actor, at=clock.now(), link=_invitation_link
        )
    except (Refused, Invalid) as error:
        form.add_error(None, _sentence(error))
        return _organisation_page(request, actor, form)
    messages.success(request, _("The invitation was sent to %(email)s.") % {"email": made.email})
    return _organisation_page(request, actor, Invite(), new_link=_invitation_link(made.token))


def _invitation_link(token: str) -> str:
    return settings.CHOPMARK_BASE_URL + reverse("invitation", args=[token])


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """The page behind an invitation's link: sign up or in, then accept."""
    now = clock.now()
    offer = queries.invitation_offer(token, now)
    if request.method == "POST":
        if request.POST.get("another"):
            logout(request)
            return redirect("invitation", token=token)
        actor = actions.accept_invitation(token, user_id=_user_id(request), at=now)
        context.choose_organisation(request, actor.organisation_id)
        request.session.pop(INVITATION_IN_SESSION, None)
        messages.success(request, _("Welcome to %(organisation)s.") % {"organisation": offer.organisation_name})
        return redirect("home")
    request.session[INVITATION_IN_SESSION] = token
    fits = request.user.is_authenticated and request.user.email == offer.email
    values = {"offer": offer, "role_name": ROLE_NAMES[offer.role], "fits": fits, "sign_up": _sign_up_open()}
    response = render(request, "people/invitation.html", values)
    # The address is the secret: no other page may learn it. With no-referrer the forms here would lose their Origin.
    response["Referrer-Policy"] = "strict-origin"
    return response


def _sign_up_open() -> bool:
    return settings.CHOPMARK_SIGNUP != "closed"


@_signed_in
@require_safe
def keys(request: HttpRequest) -> HttpResponse:
    """API keys and issuer keys."""
    return _keys_page(request, actor_of(request), NewApiKey(), NewIssuerKey())


def _keys_page(
    request: HttpRequest, actor: Actor, api_form: NewApiKey, issuer_form: NewIssuerKey, *, new_key: str = ""
) -> HttpResponse:
    manages = actor.may("manage_keys")
    now = clock.now()
    values = {
        "actor": actor,
        "manages": manages,
        "api_keys": [
            {
                "key": key,
                "scopes": [SCOPE_NAMES[scope] for scope in key.scopes],
                "state": _state(key, now),
            }
            for key in (queries.api_keys_of(actor) if manages else [])
        ],
        "issuer_keys": queries.keys_of(actor),
        "api_form": api_form,
        "issuer_form": issuer_form,
        "new_key": new_key,
    }
    return render(request, "people/keys.html", values, status=422 if api_form.errors or issuer_form.errors else 200)


def _state(key: queries.ApiKeySummary, now: datetime) -> str:
    if key.revoked_at is not None:
        return "revoked"
    return "expired" if key.expires_at is not None and key.expires_at <= now else "active"


@_signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def mail(request: HttpRequest) -> HttpResponse:
    """Which mails of the organisation the person wants."""
    actor = actor_of(request)
    chosen = queries.mail_choice_of(actor)
    form = MailForm(initial={"digests": chosen.digests, "language": chosen.language})
    if request.method == "POST":  # an empty choice sends nothing but the form's token
        form = MailForm(request.POST)
        if form.is_valid():
            actions.choose_mail(by=actor, **form.cleaned_data)
            messages.success(request, _("Your choice is kept."))
            return redirect("organisation_mail")
    values = {"actor": actor, "form": form, "writes": actor.may("file_rights")}
    return render(request, "people/mail.html", values, status=422 if form.errors else 200)


@_form_on("organisation_keys")
def new_api_key(request: HttpRequest) -> HttpResponse:
    """Make a key and show it, once."""
    actor, form = actor_of(request), NewApiKey(request.POST)
    actor.must("manage_keys")
    if not form.is_valid():
        return _keys_page(request, actor, form, NewIssuerKey())
    now = clock.now()
    days = form.cleaned_data["lifetime"]
    try:
        made = actions.create_api_key(
            form.cleaned_data["name"],
            form.cleaned_data["scopes"],
            by=actor,
            at=now,
            expires_at=now + timedelta(days=int(days)) if days else None,
        )
    except (Refused, Invalid) as error:
        form.add_error(None, _sentence(error))
        return _keys_page(request, actor, form, NewIssuerKey())
    return _keys_page(request, actor, NewApiKey(), NewIssuerKey(), new_key=made.text)


@_form_on("organisation_keys")
def new_issuer_key(request: HttpRequest) -> HttpResponse:
    """Register a depositor's own public key."""
    actor, form = actor_of(request), NewIssuerKey(request.POST)
    actor.must("manage_keys")
    if form.is_valid():
        try:
            register_key(form.cleaned_data["key"], form.cleaned_data["name"], by=actor, at=clock.now())
        except (Refused, Invalid) as error:
            form.add_error(None, _sentence(error))
        else:
            messages.success(request, _("The key is registered."))
            return redirect("organisation_keys")
    return _keys_page(request, actor, NewApiKey(), form)


organisation_urls = [
    path("", organisation, name="organisation"),
    path("new", new_organisation, name="organisation_new"),
    path("switch", switch, name="organisation_switch"),
    path("rename", rename, name="organisation_rename"),
    path("invite", invite, name="organisation_invite"),
    path("revoke-invitation", revoke_invitation, name="organisation_revoke_invitation"),
    path("change-role", change_role, name="organisation_change_role"),
    path("remove-member", remove_member, name="organisation_remove_member"),
    path("mail", mail, name="organisation_mail"),
    path("keys", keys, name="organisation_keys"),
    path("keys/new", new_api_key, name="organisation_new_api_key"),
    path("keys/revoke", revoke_api_key, name="organisation_revoke_api_key"),
    path("keys/register", new_issuer_key, name="organisation_new_issuer_key"),
    path("keys/retire", retire_issuer_key, name="organisation_retire_issuer_key"),
]
