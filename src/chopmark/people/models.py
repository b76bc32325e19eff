"""The tables of people. Rows without behaviour: changed by `actions`, read by `queries`, opened by nobody else."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models.functions import Lower

from chopmark.people.actor import ROLES

ROLE_CHOICES = [(role, role) for role in ROLES]


class UserManager(BaseUserManager["User"]):
    """Finds people by their e-mail address; addresses are kept in lower case."""

    def get_by_natural_key(self, username: str | None) -> User:
        """The person with this address."""
        return self.get(email=(username or "").lower())

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:  # noqa: ANN401 (columns)
        """A new person; without a password they can sign in by other means only."""
        user = self.model(email=email.lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user


class User(AbstractBaseUser):
    """A person who can sign in. The login is the e-mail address."""

    email = models.EmailField(max_length=254, unique=True)
    name = models.CharField(max_length=120, blank=True)
    language = models.CharField(max_length=2, blank=True)  # of mails: zh or en; empty for both
    is_active = models.BooleanField(default=True)
    date_joined = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        """What the database itself keeps true."""

        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(condition=models.Q(email=Lower("email")), name="people_user_email_lower"),
        ]

    def __str__(self) -> str:
        return self.email


class Organisation(models.Model):
    """Whom deposits belong to; its id is public and random."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=120)
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """One person's role in one organisation."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=16, choices=ROLE_CHOICES)
    joined_at = models.DateTimeField()
    digests = models.BooleanField(default=True)  # whether this person gets the organisation's daily mail

    class Meta:
        """What the database itself keeps true."""

        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["user", "organisation"], name="people_membership_once"),
            models.CheckConstraint(condition=models.Q(role__in=list(ROLES)), name="people_membership_role"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.role} {self.organisation_id}"


class Invitation(models.Model):
    """A place in an organisation, offered to one e-mail address; only the token's SHA-256 is kept."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="invitations")
    email = models.EmailField(max_length=254)
    role = models.CharField(max_length=16, choices=ROLE_CHOICES)
    token_hash = models.BinaryField(max_length=32, unique=True)
    invited_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.id}"


class ApiKey(models.Model):
    """A programme's way in. Its text is `chopmark_<id>_<secret>`; only the secret's SHA-256 is kept."""

    id = models.CharField(primary_key=True, max_length=16)
    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=80)
    secret_hash = models.BinaryField(max_length=32)
    role = models.CharField(max_length=16, choices=ROLE_CHOICES)
    scopes = models.JSONField()
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.id


class IssuerKey(models.Model):
    """A depositor's own public key: statements that it signed are the organisation's."""

    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="issuer_keys")
    thumbprint = models.BinaryField(max_length=32, db_index=True)
    cose_key = models.BinaryField(max_length=200)
    algorithm = models.CharField(max_length=16)
    name = models.CharField(max_length=80)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField()
    retired_at = models.DateTimeField(null=True)

    class Meta:
        """What the database itself keeps true."""

        constraints: ClassVar[list[models.BaseConstraint]] = [
            # Unique in one organisation only: nobody can keep another from registering its own key.
            models.UniqueConstraint(fields=["organisation", "thumbprint"], name="people_issuer_key_once"),
        ]

    def __str__(self) -> str:
        return bytes(self.thumbprint).hex()
