"""Everything that changes people's tables: who may, what must hold, the change.

A thing of another organisation is answered exactly as one that does not exist.
The organisation's row is locked where two changes together could break a rule (the last owner).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from allauth.account.models import EmailAddress
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import send_mail
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import Q

from chopmark.base import clock
from chopmark.base.errors import Invalid, Refused
from chopmark.base.wording import say
from chopmark.people import cose_key
from chopmark.people.actor import ROLES, SCOPES, Actor
from chopmark.people.models import ApiKey, Invitation, IssuerKey, Membership, Organisation, User
from chopmark.people.queries import actor_for, open_invitation
from chopmark.people.tokens import API_KEY_ID, new_api_key, new_invitation

INVITATION_LIFE = timedelta(days=7)
MAX_OPEN_INVITATIONS = 100
MAX_INVITATIONS_AN_HOUR = 100
MAX_INVITATIONS_TO_ONE_A_DAY = 3
MAX_KEYS = 100
MAX_ORGANISATIONS = 50
NAME_SIZE = 120
LANGUAGES = ("", "zh", "en")
KEY_NAME_SIZE = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class NewInvitation:
    """An invitation just made; the token is shown now and never again."""

    id: UUID
    email: str
    token: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NewApiKey:
    """An API key just made; its text is shown now and never again."""

    id: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """An account and the organisation that it owns.

    Attributes:
        created: False when the account was there before; its password is then whatever it was.
    """

    email: str
    actor: Actor
    created: bool


def create_organisation(user_id: int, name: str, *, at: datetime) -> UUID:
    """A new organisation with the person as its owner.

    Raises:
        Invalid: `people.name_malformed`.
        Refused: `people.too_many_organisations`.
    """
    name = visible_name(name, NAME_SIZE)
    with transaction.atomic():
        user = User.objects.select_for_update().get(pk=user_id)
        if user.memberships.count() >= MAX_ORGANISATIONS:
            raise Refused("people.too_many_organisations", limit=MAX_ORGANISATIONS)
        organisation = Organisation.objects.create(name=name, created_at=at)
        Membership.objects.create(user=user, organisation=organisation, role="owner", joined_at=at)
    return organisation.id


def rename_organisation(name: str, *, by: Actor) -> None:
    """Give the organisation another name; its public id and its deposits stay.

    Raises:
        Invalid: `people.name_malformed`.
        Refused: `people.not_allowed`, `people.scope_missing`.
    """
    by.must("manage_members")
    Organisation.objects.filter(pk=by.organisation_id).update(name=visible_name(name, NAME_SIZE))


def invite(email: str, role: str, *, by: Actor, at: datetime, link: Callable[[str], str]) -> NewInvitation:
    """Offer somebody a role; they get a mail with a link that works once within seven days.

    A second invitation to the same address replaces the first.

    Args:
        email: the only address that may accept.
        role: what they will be.
        by: an owner.
        at: now.
        link: makes the page's address from the token.

    Raises:
        Invalid: `people.email_malformed`, `people.role_unknown`.
        Refused: `people.not_allowed`, `people.scope_missing`, `people.already_member`, `people.too_many_invitations`,
            `people.invitations_too_fast`.
    """
    by.must("manage_members")
    email, role = _email(email), _role(role)
    token, token_hash = new_invitation()
    with transaction.atomic():
        _lock(by)
        if Membership.objects.filter(organisation_id=by.organisation_id, user__email=email).exists():
            raise Refused("people.already_member")
        _must_not_flood(email, by, at)
        waiting = Invitation.objects.filter(
            organisation_id=by.organisation_id, accepted_at=None, revoked_at=None, expires_at__gt=at
        )
        waiting.filter(email=email).update(revoked_at=at)
        if waiting.count() >= MAX_OPEN_INVITATIONS:
            raise Refused("people.too_many_invitations", limit=MAX_OPEN_INVITATIONS)
        row = Invitation.objects.create(
            organisation_id=by.organisation_id,
            email=email,
            role=role,
            token_hash=token_hash,
            invited_by_id=by.user_id,
            created_at=at,
            expires_at=at + INVITATION_LIFE,
        )
        transaction.on_commit(lambda: _send_invitation(email, by.organisation_name, link(token), row.expires_at))
    return NewInvitation(id=row.id, email=email, token=token, expires_at=row.expires_at)


def revoke_invitation(invitation_id: UUID, *, by: Actor, at: datetime) -> None:
    """Take an offer back.

    Raises:
        Refused: `people.not_allowed`, `people.scope_missing`, `people.invitation_not_found`.
    """
    by.must("manage_members")
    changed = Invitation.objects.filter(
        pk=invitation_id, organisation_id=by.organisation_id, accepted_at=None, revoked_at=None
    ).update(revoked_at=at)
    if not changed:
        raise Refused("people.invitation_not_found")


def accept_invitation(token: str, *, user_id: int, at: datetime) -> Actor:
    """Join the organisation that offered a place; works once, for the invited address only.

    Raises:
        Refused: `people.invitation_not_found`, `people.invitation_expired`, `people.invitation_used`,
            `people.invitation_for_another`, `people.already_member`.
    """
    with transaction.atomic():
        row = open_invitation(token, at, lock=True)
        user = User.objects.get(pk=user_id, is_active=True)
        if user.email != row.email:
            raise Refused("people.invitation_for_another")
        if Membership.objects.filter(organisation_id=row.organisation_id, user=user).exists():
            raise Refused("people.already_member")
        Membership.objects.create(user=user, organisation_id=row.organisation_id, role=row.role, joined_at=at)
        row.accepted_at = at
        row.save(update_fields=["accepted_at"])
    return actor_for(user, row.organisation_id)


def change_role(user_id: int, role: str, *, by: Actor, at: datetime) -> None:
    """Give a member another role. An owner who becomes less loses the API keys they made.

    Raises:
        Invalid: `people.role_unknown`.
        Refused: `people.not_allowed`, `people.scope_missing`, `people.member_not_found`, `people.last_owner_stays`.
    """
    by.must("manage_members")
    role = _role(role)
    with transaction.atomic():
        _lock(by)
        row = _member(user_id, by)
        if row.role == "owner" and role != "owner":
            _another_owner_must_stay(row)
            _revoke_keys_of(row, at)
        row.role = role
        row.save(update_fields=["role"])


def remove_member(user_id: int, *, by: Actor, at: datetime) -> None:
    """End a membership; everybody may end their own. The API keys that the person made are revoked.

    Raises:
        Refused: `people.not_allowed`, `people.scope_missing`, `people.member_not_found`, `people.last_owner_stays`.
    """
    if by.user_id is None or user_id != by.user_id:
        by.must("manage_members")
    with transaction.atomic():
        _lock(by)
        row = _member(user_id, by)
        if row.role == "owner":
            _another_owner_must_stay(row)
        _revoke_keys_of(row, at)
        row.delete()


def create_api_key(
    name: str, scopes: Collection[str], *, by: Actor, at: datetime, expires_at: datetime | None = None
) -> NewApiKey:
    """A new key for a programme; its text is in the answer and nowhere else.

    Raises:
        Invalid: `people.name_malformed`, `people.scope_unknown`, `people.expiry_in_the_past`.
        Refused: `people.not_allowed`, `people.scope_missing`, `people.too_many_keys`.
    """
    by.must("manage_keys")
    if by.scopes is not None:
        # A key cannot make a key that may do more than itself.
        for scope in scopes:
            if scope not in by.scopes:
                raise Refused("people.scope_missing", permission=SCOPES.get(scope, scope))
    if not scopes or not set(scopes) <= SCOPES.keys():
        raise Invalid("people.scope_unknown", known=sorted(SCOPES))
    if expires_at is not None and expires_at <= at:
        raise Invalid("people.expiry_in_the_past")
    key_id, text, secret_hash = new_api_key()
    with transaction.atomic():
        _lock(by)
        if ApiKey.objects.filter(organisation_id=by.organisation_id, revoked_at=None).count() >= MAX_KEYS:
            raise Refused("people.too_many_keys", limit=MAX_KEYS)
        ApiKey.objects.create(
            id=key_id,
            organisation_id=by.organisation_id,
            name=visible_name(name, KEY_NAME_SIZE),
            secret_hash=secret_hash,
            role=by.role,
            scopes=sorted(set(scopes)),
            created_by_id=by.user_id,
            created_at=at,
            expires_at=expires_at,
        )
    return NewApiKey(id=key_id, text=text)


def revoke_api_key(key_id: str, *, by: Actor, at: datetime) -> None:
    """End a key at once.

    Raises:
        Refused: `people.not_allowed`, `people.scope_missing`, `people.api_key_not_found`.
    """
    by.must("manage_keys")
    if API_KEY_ID.fullmatch(key_id) is None:
        raise Refused("people.api_key_not_found")
    rows = ApiKey.objects.filter(pk=key_id, organisation_id=by.organisation_id, revoked_at=None)
    if not rows.update(revoked_at=at):
        raise Refused("people.api_key_not_found")


def register_issuer_key(key: bytes, name: str, *, by: Actor, at: datetime) -> bytes:
    """Make a depositor's own public key known; statements it signs are then the organisation's.

    Args:
        key: COSE_Key bytes of an Ed25519 or P-256 public key.
        name: for the organisation's own list.
        by: somebody who manages keys.
        at: now.

    Returns:
        The key's thumbprint, 32 bytes (RFC 9679): the `kid` of its statements.

    Raises:
        Invalid: `people.issuer_key_malformed`, `people.name_malformed`.
        Refused: `people.not_allowed`, `people.scope_missing`, `people.issuer_key_taken`, `people.too_many_keys`.
    """
    by.must("manage_keys")
    encoded, thumbprint, algorithm = cose_key.read_public_key(key)
    with transaction.atomic():
        _lock(by)
        rows = IssuerKey.objects.filter(organisation_id=by.organisation_id)
        if rows.filter(thumbprint=thumbprint).exists():
            raise Refused("people.issuer_key_taken")
        if rows.filter(retired_at=None).count() >= MAX_KEYS:
            raise Refused("people.too_many_keys", limit=MAX_KEYS)
        IssuerKey.objects.create(
            organisation_id=by.organisation_id,
            thumbprint=thumbprint,
            cose_key=encoded,
            algorithm=algorithm,
            name=visible_name(name, KEY_NAME_SIZE),
            created_by_id=by.user_id,
            created_at=at,
        )
    return thumbprint


def retire_issuer_key(thumbprint: bytes, *, by: Actor, at: datetime) -> None:
    """Accept no new statement of this key; what it signed stays verifiable and the key stays published.

    Raises:
        Refused: `people.not_allowed`, `people.scope_missing`, `people.issuer_key_not_found`.
    """
    by.must("manage_keys")
    rows = IssuerKey.objects.filter(organisation_id=by.organisation_id, thumbprint=thumbprint, retired_at=None)
    if not rows.update(retired_at=at):
        raise Refused("people.issuer_key_not_found")


def open_account(email: str, password: str, *, name: str, organisation: str, at: datetime) -> Opened:
    """An account with a confirmed address that owns an organisation, made by whoever runs the platform.

    An account that is there already is left as it is; one that owns no organisation gets this one.

    Raises:
        Invalid: `people.email_malformed`, `people.name_malformed`.
    """
    email = _email(email)
    with transaction.atomic():
        user = User.objects.filter(email=email).first()
        created = user is None
        if user is None:
            user = User.objects.create_user(email, password, name=visible_name(name, NAME_SIZE) if name else "")
            EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)
        member = Membership.objects.filter(user=user, role="owner").order_by("joined_at", "pk").first()
        organisation_id = member.organisation_id if member else create_organisation(user.pk, organisation, at=at)
    return Opened(email=email, actor=actor_for(user, organisation_id), created=created)


def choose_mail(*, digests: bool, language: str, by: Actor) -> None:
    """Whether this person gets the organisation's daily mail, and in which language mails to them are written.

    Raises:
        Refused: `people.member_not_found` for who is no person.
        Invalid: `people.language_unknown`.
    """
    if by.user_id is None:
        raise Refused("people.member_not_found")
    row = _member(by.user_id, by)
    with transaction.atomic():
        keep_language(row.user_id, language)
        Membership.objects.filter(pk=row.pk).update(digests=digests)


def keep_language(user_id: int, language: str) -> None:
    """The language of mails to a person; empty for both.

    Raises:
        Invalid: `people.language_unknown`.
    """
    if language not in LANGUAGES:
        raise Invalid("people.language_unknown", known=[each for each in LANGUAGES if each])
    User.objects.filter(pk=user_id).exclude(language=language).update(language=language)


def _lock(by: Actor) -> None:
    """Hold the organisation's row until the transaction ends (SQLite's IMMEDIATE already does)."""
    if Organisation.objects.select_for_update().filter(pk=by.organisation_id).first() is None:
        raise Refused("people.organisation_not_found")


def _member(user_id: int, by: Actor) -> Membership:
    row = Membership.objects.filter(user_id=user_id, organisation_id=by.organisation_id).first()
    if row is None:
        raise Refused("people.member_not_found")
    return row


def _another_owner_must_stay(row: Membership) -> None:
    owners = Membership.objects.filter(organisation_id=row.organisation_id, role="owner", user__is_active=True)
    if not owners.exclude(pk=row.pk).exists():
        raise Refused("people.last_owner_stays")


def _must_not_flood(email: str, by: Actor, at: datetime) -> None:
    """Each invitation is a mail to somebody who never asked for one: few to one address, not too many at all."""
    sent = Invitation.objects.filter(Q(organisation_id=by.organisation_id) | Q(invited_by_id=by.user_id))
    lately = sent.filter(created_at__gt=at - timedelta(hours=1)).count()
    to_this_one = sent.filter(email=email, created_at__gt=at - timedelta(days=1)).count()
    if lately >= MAX_INVITATIONS_AN_HOUR or to_this_one >= MAX_INVITATIONS_TO_ONE_A_DAY:
        raise Refused("people.invitations_too_fast")


def _revoke_keys_of(row: Membership, at: datetime) -> None:
    ApiKey.objects.filter(organisation_id=row.organisation_id, created_by_id=row.user_id, revoked_at=None).update(
        revoked_at=at
    )


def visible_name(name: str, size: int) -> str:
    """A name as it is kept: single spaces, nothing that cannot be seen or turns the text around.

    Raises:
        Invalid: `people.name_malformed`.
    """
    name = " ".join(name.split())
    if not name or len(name) > size or not name.isprintable():
        raise Invalid("people.name_malformed", size=size)
    return name


def _email(email: str) -> str:
    email = email.strip().lower()
    try:
        validate_email(email)
    except ValidationError as error:
        raise Invalid("people.email_malformed") from error
    return email


def _role(role: str) -> str:
    if role not in ROLES:
        raise Invalid("people.role_unknown", known=list(ROLES))
    return role


def _send_invitation(email: str, organisation: str, link: str, expires_at: datetime) -> None:
    """One mail in both languages: nobody knows yet which one the invited person reads."""
    facts = {"organisation": organisation, "link": link, "until": clock.to_text(expires_at)}
    subject = " · ".join(say("people.mail_invitation_subject", facts, language) for language in ("zh", "en"))
    body = "\n\n".join(say("people.mail_invitation_body", facts, language) for language in ("zh", "en"))
    send_mail(subject, body, settings.DEFAULT_FROM_EMAIL, [email])
