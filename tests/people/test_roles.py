"""Who must NOT be able to do what: every action, for every role, for strangers and for narrow API keys."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from chopmark.base import cbor
from chopmark.base.errors import Invalid, Refused
from chopmark.people import actions, queries
from chopmark.people.actor import PERMISSIONS, ROLES, SCOPES, Actor
from chopmark.people.models import ApiKey, Invitation, IssuerKey, Membership, Organisation, User

pytestmark = pytest.mark.django_db

AT = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
KEY = cbor.encode({1: 1, -1: 6, -2: bytes(range(32))})


class House:
    """One organisation with a member of each role, a key of each kind and an open invitation."""

    def __init__(self, name: str) -> None:
        people = {role: User.objects.create_user(f"{role}@{name}.example", None) for role in ROLES}
        self.id = actions.create_organisation(people["owner"].pk, name, at=AT)
        for role in ("depositor", "viewer"):
            Membership.objects.create(user=people[role], organisation_id=self.id, role=role, joined_at=AT)
        self.people = people
        self.actors = {role: queries.actor_for(user, self.id) for role, user in people.items()}
        owner = self.actors["owner"]
        self.invitation = actions.invite(f"new@{name}.example", "viewer", by=owner, at=AT, link=lambda token: token)
        self.api_key = actions.create_api_key("first", ["deposits:read"], by=owner, at=AT)
        self.thumbprint = actions.register_issuer_key(KEY, "first", by=owner, at=AT)

    def state(self) -> object:
        """Everything an action could change here."""
        return (
            list(Organisation.objects.filter(pk=self.id).values_list("name")),
            sorted(Membership.objects.filter(organisation_id=self.id).values_list("user_id", "role")),
            sorted(Invitation.objects.filter(organisation_id=self.id).values_list("email", "revoked_at"), key=str),
            sorted(ApiKey.objects.filter(organisation_id=self.id).values_list("id", "revoked_at"), key=str),
            [
                (bytes(each), retired)
                for each, retired in IssuerKey.objects.filter(organisation_id=self.id).values_list(
                    "thumbprint", "retired_at"
                )
            ],
        )


def _link(token: str) -> str:
    return token


# What each action does to a house, as it would be called by an actor.
ACTIONS = {
    "rename the organisation": lambda by, _: actions.rename_organisation("Other", by=by),
    "invite somebody": lambda by, _: actions.invite("x@example.org", "owner", by=by, at=AT, link=_link),
    "take an invitation back": lambda by, house: actions.revoke_invitation(house.invitation.id, by=by, at=AT),
    "change a role": lambda by, house: actions.change_role(house.people["viewer"].pk, "owner", by=by, at=AT),
    "remove another member": lambda by, house: actions.remove_member(_other(by, house), by=by, at=AT),
    "make an API key": lambda by, _: actions.create_api_key("k", ["deposits:read"], by=by, at=AT),
    "revoke an API key": lambda by, house: actions.revoke_api_key(house.api_key.id, by=by, at=AT),
    "register an issuer key": lambda by, _: actions.register_issuer_key(
        cbor.encode({1: 1, -1: 6, -2: bytes(32)}), "k", by=by, at=AT
    ),
    "retire an issuer key": lambda by, house: actions.retire_issuer_key(house.thumbprint, by=by, at=AT),
    "list open invitations": lambda by, _: queries.invitations_of(by, AT),
    "list API keys": lambda by, _: queries.api_keys_of(by),
}


def _other(by: Actor, house: House) -> int:
    return next(user.pk for role, user in house.people.items() if role != "owner" and user.pk != by.user_id)


@pytest.mark.parametrize("role", ["depositor", "viewer"])
@pytest.mark.parametrize("action", ACTIONS)
def test_whoever_is_no_owner_must_not(action: str, role: str) -> None:
    house = House("alpha")
    before = house.state()
    with pytest.raises(Refused) as refusal:
        ACTIONS[action](house.actors[role], house)
    assert refusal.value.code == "people.not_allowed"
    assert house.state() == before


@pytest.mark.parametrize("action", ACTIONS)
def test_an_owner_may(action: str) -> None:
    house = House("alpha")
    ACTIONS[action](house.actors["owner"], house)


@pytest.mark.parametrize(
    "action", [each for each in ACTIONS if "list" not in each and "rename" not in each and each != "invite somebody"]
)
def test_an_owner_of_another_organisation_is_told_that_nothing_is_there(action: str) -> None:
    house, stranger = House("alpha"), House("beta")
    before = house.state()
    if action in {"make an API key", "register an issuer key"}:
        ACTIONS[action](stranger.actors["owner"], house)  # lands in the stranger's own organisation
    else:
        if action == "retire an issuer key":
            actions.retire_issuer_key(stranger.thumbprint, by=stranger.actors["owner"], at=AT)
        with pytest.raises(Refused) as refusal:
            ACTIONS[action](stranger.actors["owner"], house)
        assert refusal.value.code.endswith("_not_found")
        assert "alpha" not in str(refusal.value)
    assert house.state() == before


@pytest.mark.parametrize("scopes", [set(), {"deposits:read"}, {"deposits:read", "deposits:write"}])
@pytest.mark.parametrize("action", ACTIONS)
def test_a_key_without_the_scope_must_not(action: str, scopes: set[str]) -> None:
    house = House("alpha")
    programme = replace(house.actors["owner"], user_id=None, scopes=frozenset(scopes))
    before = house.state()
    with pytest.raises(Refused) as refusal:
        ACTIONS[action](programme, house)
    assert refusal.value.code == "people.scope_missing"
    assert house.state() == before


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("permission", PERMISSIONS)
def test_no_scope_gives_more_than_the_role(role: str, permission: str) -> None:
    person = Actor(user_id=1, organisation_id=uuid4(), organisation_name="", role=role)
    for scope, opens in SCOPES.items():
        programme = replace(person, user_id=None, scopes=frozenset((scope,)))
        assert programme.may(permission) == (permission in ROLES[role] and opens == permission)
    assert not replace(person, scopes=frozenset()).may(permission)


def test_no_key_manages_members() -> None:
    programme = Actor(
        user_id=None, organisation_id=uuid4(), organisation_name="", role="owner", scopes=frozenset(SCOPES)
    )
    assert not programme.may("manage_members")


def test_a_key_cannot_make_a_wider_key() -> None:
    house = House("alpha")
    programme = replace(house.actors["owner"], user_id=None, scopes=frozenset(("keys:write",)))
    with pytest.raises(Refused):
        actions.create_api_key("wider", ["deposits:write"], by=programme, at=AT)
    actions.create_api_key("same", ["keys:write"], by=programme, at=AT)


def test_the_last_owner_can_neither_leave_nor_step_down() -> None:
    house = House("alpha")
    owner = house.actors["owner"]
    for attempt in (
        lambda: actions.remove_member(house.people["owner"].pk, by=owner, at=AT),
        lambda: actions.change_role(house.people["owner"].pk, "viewer", by=owner, at=AT),
    ):
        with pytest.raises(Refused) as refusal:
            attempt()
        assert refusal.value.code == "people.last_owner_stays"
    actions.change_role(house.people["viewer"].pk, "owner", by=owner, at=AT)
    actions.remove_member(house.people["owner"].pk, by=owner, at=AT)
    assert [row.user_id for row in Membership.objects.filter(organisation_id=house.id, role="owner")] == [
        house.people["viewer"].pk
    ]


def test_an_owner_who_cannot_sign_in_does_not_count_as_one_that_stays() -> None:
    house = House("alpha")
    actions.change_role(house.people["viewer"].pk, "owner", by=house.actors["owner"], at=AT)
    User.objects.filter(pk=house.people["viewer"].pk).update(is_active=False)
    with pytest.raises(Refused):
        actions.remove_member(house.people["owner"].pk, by=house.actors["owner"], at=AT)


def test_everybody_may_leave() -> None:
    house = House("alpha")
    actions.remove_member(house.people["viewer"].pk, by=house.actors["viewer"], at=AT)
    with pytest.raises(Refused):
        queries.actor_for(house.people["viewer"], house.id)


def test_the_keys_of_a_removed_owner_open_nothing() -> None:
    house = House("alpha")
    actions.change_role(house.people["viewer"].pk, "owner", by=house.actors["owner"], at=AT)
    second = queries.actor_for(house.people["viewer"], house.id)
    actions.remove_member(house.people["owner"].pk, by=second, at=AT)
    with pytest.raises(Refused) as refusal:
        queries.actor_for_api_key(house.api_key.text, AT)
    assert refusal.value.code == "people.key_unknown"


@pytest.mark.parametrize("organisation", ["theirs", "none"])
def test_an_organisation_one_does_not_belong_to_is_not_told_from_none(organisation: str) -> None:
    house, stranger = House("alpha"), House("beta")
    wanted: UUID = house.id if organisation == "theirs" else uuid4()
    with pytest.raises(Refused) as refusal:
        queries.actor_for(stranger.people["owner"], wanted)
    assert (refusal.value.code, refusal.value.facts) == ("people.organisation_not_found", {})


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("", "people.name_malformed"),
        (" \n", "people.name_malformed"),
        ("a" * 121, "people.name_malformed"),
        ("a\u202eb", "people.name_malformed"),
        ("\x00", "people.name_malformed"),
    ],
)
def test_names_that_show_nothing_or_too_much_are_refused(name: str, code: str) -> None:
    user = User.objects.create_user("a@example.org", None)
    with pytest.raises(Invalid) as refusal:
        actions.create_organisation(user.pk, name, at=AT)
    assert refusal.value.code == code
    assert not Organisation.objects.exists()


def test_a_retired_issuer_key_is_still_served() -> None:
    house = House("alpha")
    actions.retire_issuer_key(house.thumbprint, by=house.actors["owner"], at=AT)
    assert queries.issuer_key(house.thumbprint) == (house.id, KEY, "retired")


def test_nobody_can_keep_another_from_registering_its_own_key() -> None:
    house, stranger = House("alpha"), House("beta")
    assert house.thumbprint == stranger.thumbprint
    assert queries.issuer_key(house.thumbprint, house.id)[0] == house.id
    assert queries.issuer_key(house.thumbprint, stranger.id)[0] == stranger.id
    actions.retire_issuer_key(house.thumbprint, by=house.actors["owner"], at=AT)
    assert queries.issuer_key(house.thumbprint)[2] == "active"


def test_an_account_is_opened_once() -> None:
    said = {"name": "Lin Qing", "organisation": "Blue Wave"}
    first = actions.open_account("lin@example.org", "a-long-password", **said, at=AT)
    second = actions.open_account("LIN@example.org", "another", **said, at=AT + timedelta(days=1))
    assert (first.created, second.created, first.actor) == (True, False, second.actor)
    assert first.actor.role == "owner"
