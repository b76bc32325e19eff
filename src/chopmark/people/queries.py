"""What others may know about people: frozen summaries, never rows. Other organisations' things do not exist here."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from allauth.account.models import EmailAddress
from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.db.models import Exists, OuterRef

from chopmark.base.errors import Refused
from chopmark.people.actor import ROLES, Actor, Permission
from chopmark.people.models import ApiKey, Invitation, IssuerKey, Membership, Organisation
from chopmark.people.tokens import read_api_key, read_invitation

# A key's last use is shown to the hour; a write for every call would cost more than the call.
LAST_USE_GRAIN = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganisationSummary:
    """One organisation as its member sees it."""

    id: UUID
    name: str
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One member of the actor's organisation."""

    user_id: int
    email: str
    name: str
    role: str
    joined_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Somebody who gets an organisation's daily mail; `language` is zh, en, or empty for both."""

    user_id: int
    email: str
    language: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MailChoice:
    """What a person chose about mails: whether they get the organisation's daily one, and their language."""

    digests: bool
    language: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InvitationSummary:
    """An invitation that waits for its answer."""

    id: UUID
    email: str
    role: str
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class InvitationOffer:
    """What an invitation's link shows to its holder."""

    organisation_name: str
    email: str
    role: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKeySummary:
    """An API key without its secret."""

    id: str
    name: str
    scopes: tuple[str, ...]
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerKeySummary:
    """A depositor's registered public key."""

    thumbprint: bytes
    name: str
    algorithm: str
    state: Literal["active", "retired"]
    created_at: datetime
    retired_at: datetime | None


def organisations_of(user: AbstractBaseUser | AnonymousUser) -> list[OrganisationSummary]:
    """The organisations a person belongs to, the one joined first in front."""
    if user.pk is None:
        return []
    rows = Membership.objects.filter(user_id=user.pk).select_related("organisation").order_by("joined_at", "pk")
    return [OrganisationSummary(id=row.organisation.id, name=row.organisation.name, role=row.role) for row in rows]


def actor_for(user: AbstractBaseUser | AnonymousUser, organisation_id: UUID) -> Actor:
    """The person, acting for the organisation.

    Raises:
        Refused: `people.organisation_not_found`, the same whether it does not exist or is not theirs.
    """
    if user.pk is None:
        raise Refused("people.organisation_not_found")
    row = (
        Membership.objects.filter(user_id=user.pk, organisation_id=organisation_id, user__is_active=True)
        .select_related("organisation")
        .first()
    )
    if row is None:
        raise Refused("people.organisation_not_found")
    return Actor(
        user_id=row.user_id,
        organisation_id=row.organisation.id,
        organisation_name=row.organisation.name,
        role=row.role,
    )


def actor_for_api_key(text: str, at: datetime) -> Actor:
    """The programme that shows this key.

    Raises:
        Refused: `people.key_unknown` (also for a revoked key), `people.key_expired`.
    """
    key_id, secret = read_api_key(text)
    row = ApiKey.objects.select_related("organisation").filter(pk=key_id).first()
    shown = hashlib.sha256(secret.encode()).digest()
    if row is None or not hmac.compare_digest(shown, bytes(row.secret_hash)) or row.revoked_at is not None:
        raise Refused("people.key_unknown")
    if row.expires_at is not None and row.expires_at <= at:
        raise Refused("people.key_expired")
    if row.last_used_at is None or at - row.last_used_at >= LAST_USE_GRAIN:
        ApiKey.objects.filter(pk=row.pk).update(last_used_at=at)
    return Actor(
        user_id=None,
        organisation_id=row.organisation.id,
        organisation_name=row.organisation.name,
        role=row.role,
        scopes=frozenset(row.scopes),
        api_key_id=row.id,
    )


def organisation_name(organisation_id: UUID) -> str | None:
    """The name of an organisation for pages that may show it; None when there is none."""
    return Organisation.objects.filter(pk=organisation_id).values_list("name", flat=True).first()


def organisation_names(organisation_ids: Collection[UUID]) -> dict[UUID, str]:
    """The names of several; those that do not exist are left out."""
    return dict(Organisation.objects.filter(pk__in=set(organisation_ids)).values_list("pk", "name"))


def members_of(actor: Actor) -> list[Member]:
    """Everybody in the actor's organisation, by role and then by time of joining.

    Raises:
        Refused: `people.not_allowed`, `people.scope_missing`.
    """
    actor.must("view")
    rows = Membership.objects.filter(organisation_id=actor.organisation_id).select_related("user")
    order = ("owner", "depositor", "viewer")
    return [
        Member(user_id=row.user.pk, email=row.user.email, name=row.user.name, role=row.role, joined_at=row.joined_at)
        for row in sorted(rows, key=lambda row: (order.index(row.role), row.joined_at))
    ]


def readers_of(organisation_id: UUID, permission: Permission) -> tuple[Reader, ...]:
    """Who gets the organisation's daily mail: members that may do this and did not opt out.

    Where addresses are confirmed by mail, only to confirmed ones.
    """
    roles = [role for role, allowed in ROLES.items() if permission in allowed]
    rows = Membership.objects.filter(
        organisation_id=organisation_id, role__in=roles, digests=True, user__is_active=True
    ).select_related("user")
    if settings.ACCOUNT_EMAIL_VERIFICATION == "mandatory":
        confirmed = EmailAddress.objects.filter(user=OuterRef("user"), email=OuterRef("user__email"), verified=True)
        rows = rows.filter(Exists(confirmed))
    return tuple(
        Reader(user_id=row.user.pk, email=row.user.email, language=row.user.language) for row in rows.order_by("pk")
    )


def mail_choice_of(actor: Actor) -> MailChoice:
    """What the person chose about the mails of the organisation that they act for.

    Raises:
        Refused: `people.member_not_found` for who is no person.
    """
    rows = Membership.objects.filter(organisation_id=actor.organisation_id).select_related("user")
    row = None if actor.user_id is None else rows.filter(user_id=actor.user_id).first()
    if row is None:
        raise Refused("people.member_not_found")
    return MailChoice(digests=row.digests, language=row.user.language)


def invitations_of(actor: Actor, at: datetime) -> list[InvitationSummary]:
    """Invitations of the actor's organisation that can still be accepted.

    Raises:
        Refused: `people.not_allowed`, `people.scope_missing`.
    """
    actor.must("manage_members")
    rows = Invitation.objects.filter(
        organisation_id=actor.organisation_id, accepted_at=None, revoked_at=None, expires_at__gt=at
    ).order_by("-created_at")
    return [
        InvitationSummary(
            id=row.id, email=row.email, role=row.role, created_at=row.created_at, expires_at=row.expires_at
        )
        for row in rows
    ]


def invitation_offer(token: str, at: datetime) -> InvitationOffer:
    """What the token offers.

    Raises:
        Refused: `people.invitation_not_found`, `people.invitation_expired`, `people.invitation_used`.
    """
    row = open_invitation(token, at)
    return InvitationOffer(
        organisation_name=row.organisation.name, email=row.email, role=row.role, expires_at=row.expires_at
    )


def open_invitation(token: str, at: datetime, *, lock: bool = False) -> Invitation:
    """The row behind a token that can still be accepted; for this room only.

    Raises:
        Refused: `people.invitation_not_found`, `people.invitation_expired`, `people.invitation_used`.
    """
    rows = Invitation.objects.select_related("organisation").filter(token_hash=read_invitation(token))
    row = (rows.select_for_update(of=("self",)) if lock else rows).first()
    if row is None or row.revoked_at is not None:
        raise Refused("people.invitation_not_found")
    if row.accepted_at is not None:
        raise Refused("people.invitation_used")
    if row.expires_at <= at:
        raise Refused("people.invitation_expired")
    return row


def api_keys_of(actor: Actor) -> list[ApiKeySummary]:
    """The API keys of the actor's organisation, newest first, revoked ones too.

    Raises:
        Refused: `people.not_allowed`, `people.scope_missing`.
    """
    actor.must("manage_keys")
    rows = ApiKey.objects.filter(organisation_id=actor.organisation_id).select_related("created_by")
    return [
        ApiKeySummary(
            id=row.id,
            name=row.name,
            scopes=tuple(row.scopes),
            created_by=row.created_by.email if row.created_by else "",
            created_at=row.created_at,
            expires_at=row.expires_at,
            last_used_at=row.last_used_at,
            revoked_at=row.revoked_at,
        )
        for row in rows.order_by("-created_at")
    ]


def keys_of(actor: Actor) -> list[IssuerKeySummary]:
    """The issuer keys of the actor's organisation, newest first, retired ones too.

    Raises:
        Refused: `people.not_allowed`, `people.scope_missing`.
    """
    actor.must("view")
    rows = IssuerKey.objects.filter(organisation_id=actor.organisation_id).order_by("-created_at")
    return [
        IssuerKeySummary(
            thumbprint=bytes(row.thumbprint),
            name=row.name,
            algorithm=row.algorithm,
            state=_state(row),
            created_at=row.created_at,
            retired_at=row.retired_at,
        )
        for row in rows
    ]


def issuer_key(kid: bytes, organisation_id: UUID | None = None) -> tuple[UUID, bytes, Literal["active", "retired"]]:
    """The organisation, the COSE_Key and the state of a registered key; retired keys are served for ever.

    Two organisations may have registered the same key: name the one that is meant, or get an active one first.

    Raises:
        Refused: `people.issuer_key_not_found`.
    """
    rows = IssuerKey.objects.filter(thumbprint=kid)
    if organisation_id is not None:
        rows = rows.filter(organisation_id=organisation_id)
    row = min(rows, key=lambda each: (each.retired_at is not None, each.pk), default=None)
    if row is None:
        raise Refused("people.issuer_key_not_found")
    return row.organisation_id, bytes(row.cose_key), _state(row)


def every_issuer_key() -> Iterator[tuple[UUID, bytes, bool]]:
    """Organisation, COSE_Key and whether it is retired, of every key that was ever registered; oldest first."""
    rows = IssuerKey.objects.order_by("pk").values_list("organisation_id", "cose_key", "retired_at")
    return ((organisation, bytes(cose_key), at is not None) for organisation, cose_key, at in rows.iterator())


def _state(row: IssuerKey) -> Literal["active", "retired"]:
    return "active" if row.retired_at is None else "retired"
