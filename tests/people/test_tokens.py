"""Invitations and API keys: secrets that work once, in time, for one address, and are never stored."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from django.core import mail
from hypothesis import given
from hypothesis import strategies as st

from chopmark.base.errors import Refused
from chopmark.people import actions, queries, tokens
from chopmark.people.models import ApiKey, Invitation, User

AT = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


@pytest.fixture
def owner(db):
    user = User.objects.create_user("owner@example.org", None)
    return queries.actor_for(user, actions.create_organisation(user.pk, "青浪 Studio", at=AT))


def _invite(owner, email="guest@example.org", role="depositor"):
    return actions.invite(email, role, by=owner, at=AT, link=lambda token: f"https://chop.example/{token}")


def _guest(email="guest@example.org"):
    return User.objects.create_user(email, None).pk


def _code(call) -> str:
    with pytest.raises(Refused) as refusal:
        call()
    return refusal.value.code


def test_an_invitation_is_mailed_in_both_languages_and_makes_a_member(owner, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        made = _invite(owner)
    (sent,) = mail.outbox
    assert sent.to == ["guest@example.org"]
    assert made.token in sent.body
    assert "邀请您加入" in sent.body
    assert "You are invited" in sent.body
    actor = actions.accept_invitation(made.token, user_id=_guest(), at=AT + timedelta(days=6))
    assert (actor.role, actor.organisation_id) == ("depositor", owner.organisation_id)


@pytest.mark.django_db
def test_only_the_hash_of_a_token_is_stored(owner):
    made = _invite(owner)
    assert bytes(Invitation.objects.get().token_hash) == hashlib.sha256(made.token.encode()).digest()


def test_an_invitation_works_once(owner):
    made, guest = _invite(owner), _guest()
    actions.accept_invitation(made.token, user_id=guest, at=AT)
    assert _code(lambda: actions.accept_invitation(made.token, user_id=guest, at=AT)) == "people.invitation_used"


def test_an_invitation_ends_after_seven_days(owner):
    made, guest = _invite(owner), _guest()
    late = AT + timedelta(days=7)
    assert _code(lambda: actions.accept_invitation(made.token, user_id=guest, at=late)) == "people.invitation_expired"


def test_an_invitation_is_bound_to_its_address(owner):
    made, other = _invite(owner), _guest("other@example.org")
    refused = _code(lambda: actions.accept_invitation(made.token, user_id=other, at=AT))
    assert refused == "people.invitation_for_another"


def test_a_second_invitation_replaces_the_first(owner):
    first, second, guest = _invite(owner), _invite(owner, role="viewer"), _guest()
    assert _code(lambda: actions.accept_invitation(first.token, user_id=guest, at=AT)) == "people.invitation_not_found"
    assert actions.accept_invitation(second.token, user_id=guest, at=AT).role == "viewer"


def test_an_invitation_taken_back_is_gone(owner):
    made, guest = _invite(owner), _guest()
    actions.revoke_invitation(made.id, by=owner, at=AT)
    assert _code(lambda: actions.accept_invitation(made.token, user_id=guest, at=AT)) == "people.invitation_not_found"


def test_members_are_not_invited_again(owner):
    assert _code(lambda: _invite(owner, email="OWNER@example.org")) == "people.already_member"


@pytest.mark.parametrize("change", ["flip", "cut", "empty", "unsigned"])
def test_a_token_not_made_here_is_refused_before_the_database(owner, change, django_assert_num_queries):
    token = _invite(owner).token
    wrong = {
        "flip": token[:-1] + ("A" if token[-1] != "A" else "B"),
        "cut": token[:-5],
        "empty": "",
        "unsigned": token.rsplit(":", 1)[0],
    }[change]
    with django_assert_num_queries(0):
        assert _code(lambda: queries.invitation_offer(wrong, AT)) == "people.invitation_not_found"


def test_a_key_opens_what_it_was_made_for(owner):
    made = actions.create_api_key("desk", ["deposits:write"], by=owner, at=AT)
    actor = queries.actor_for_api_key(made.text, AT)
    assert (actor.user_id, actor.api_key_id, actor.scopes) == (None, made.id, frozenset(("deposits:write",)))
    assert actor.may("deposit")
    assert not actor.may("view")


def test_only_the_hash_of_a_key_is_stored(owner):
    made = actions.create_api_key("desk", ["deposits:write"], by=owner, at=AT)
    secret = made.text.rsplit("_", 1)[1]
    row = ApiKey.objects.values().get()
    assert bytes(row["secret_hash"]) == hashlib.sha256(secret.encode()).digest()
    assert secret not in str(row)


def test_a_key_expires_at_its_end(owner):
    end = AT + timedelta(days=30)
    made = actions.create_api_key("desk", ["deposits:read"], by=owner, at=AT, expires_at=end)
    queries.actor_for_api_key(made.text, end - timedelta(seconds=1))
    assert _code(lambda: queries.actor_for_api_key(made.text, end)) == "people.key_expired"


def test_a_revoked_key_is_unknown(owner):
    made = actions.create_api_key("desk", ["deposits:read"], by=owner, at=AT)
    actions.revoke_api_key(made.id, by=owner, at=AT)
    assert _code(lambda: queries.actor_for_api_key(made.text, AT)) == "people.key_unknown"
    assert _code(lambda: actions.revoke_api_key(made.id, by=owner, at=AT)) == "people.api_key_not_found"


def test_a_wrong_secret_is_unknown(owner):
    made = actions.create_api_key("desk", ["deposits:read"], by=owner, at=AT)
    wrong = made.text[:-1] + ("0" if made.text[-1] != "0" else "1")
    assert _code(lambda: queries.actor_for_api_key(wrong, AT)) == "people.key_unknown"


def test_the_last_use_is_written_once_an_hour(owner, django_assert_num_queries):
    made = actions.create_api_key("desk", ["deposits:read"], by=owner, at=AT)
    queries.actor_for_api_key(made.text, AT)
    with django_assert_num_queries(1):
        queries.actor_for_api_key(made.text, AT + timedelta(minutes=59))
    assert ApiKey.objects.get().last_used_at == AT
    queries.actor_for_api_key(made.text, AT + timedelta(hours=1))
    assert ApiKey.objects.get().last_used_at == AT + timedelta(hours=1)


@given(st.text(max_size=80))
def test_text_that_is_no_key_is_refused(text):
    if tokens.API_KEY.fullmatch(text) is None:
        assert _code(lambda: tokens.read_api_key(text)) == "people.key_unknown"


def test_a_key_reads_back():
    key_id, text, stored = tokens.new_api_key()
    assert tokens.read_api_key(text)[0] == key_id
    assert hashlib.sha256(tokens.read_api_key(text)[1].encode()).digest() == stored
