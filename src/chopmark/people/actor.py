"""Who acts, for which organisation, and what that allows. Pure: roles are a table, not `if` chains.

A person acts with the permissions of their role; an API key acts with its maker's role, narrowed to the
scopes it was given. Rules about a particular thing (the last owner, another organisation's key) are in
`chopmark.people.actions`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from chopmark.base.errors import Refused

Permission = Literal[
    "deposit",
    "view",
    "file_rights",
    "view_rights",
    "push_listings",
    "view_hits",
    "review_hits",
    "manage_rules",
    "manage_members",
    "manage_keys",
]
Role = Literal["owner", "depositor", "viewer"]

PERMISSIONS: tuple[Permission, ...] = (
    "deposit",
    "view",
    "file_rights",
    "view_rights",
    "push_listings",
    "view_hits",
    "review_hits",
    "manage_rules",
    "manage_members",
    "manage_keys",
)
ROLES: Mapping[str, frozenset[Permission]] = {
    "owner": frozenset(PERMISSIONS),
    "depositor": frozenset(
        ("deposit", "view", "file_rights", "view_rights", "push_listings", "view_hits", "review_hits")
    ),
    "viewer": frozenset(("view", "view_rights", "view_hits")),
}
SCOPES: Mapping[str, Permission] = {
    "deposits:write": "deposit",
    "deposits:read": "view",
    "rights:write": "file_rights",
    "rights:read": "view_rights",
    "listings:write": "push_listings",
    "watch:write": "review_hits",
    "watch:read": "view_hits",
    "keys:write": "manage_keys",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Somebody, acting for one organisation.

    Attributes:
        user_id: the person; None for an API key.
        organisation_id: the organisation's public id.
        organisation_name: for pages and messages.
        role: one of `ROLES`.
        scopes: None for a person; for an API key, what it was made for.
        api_key_id: the public part of the API key; None for a person.
    """

    user_id: int | None
    organisation_id: UUID
    organisation_name: str
    role: str
    scopes: frozenset[str] | None = None
    api_key_id: str | None = None

    def may(self, permission: Permission) -> bool:
        """Whether role and scopes both allow it."""
        return permission in ROLES[self.role] and self._in_scope(permission)

    def must(self, permission: Permission) -> None:
        """Stop here unless it is allowed.

        Raises:
            Refused: `people.not_allowed`, or `people.scope_missing` when only the key's scopes are too narrow.
        """
        if permission not in ROLES[self.role]:
            raise Refused("people.not_allowed", permission=permission, role=self.role)
        if not self._in_scope(permission):
            raise Refused("people.scope_missing", permission=permission)

    def _in_scope(self, permission: Permission) -> bool:
        return self.scopes is None or any(SCOPES.get(scope) == permission for scope in self.scopes)
