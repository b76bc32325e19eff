"""Signing up, organisations, invitations and keys as a person meets them."""

from __future__ import annotations

import html
import re
from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.test import Client

from chopmark.base import clock
from chopmark.ledger.statement import IssuerKey
from chopmark.people import actions, queries
from chopmark.people.models import ApiKey, Membership, Organisation, User

pytestmark = pytest.mark.django_db

PASSWORD = "a fine long password"
KEY = IssuerKey.from_seed(bytes(range(32))).public.to_cose()


def _sign_up(email: str, name: str = "李雷 Li Lei", client: Client | None = None) -> Client:
    client = client or Client()
    response = client.post("/accounts/signup/", {"email": email, "name": name, "password1": PASSWORD})
    assert response.status_code == 302, response.text
    return client


def _invite(client: Client, email: str, role: str = "depositor") -> str:
    page = client.post("/organisations/invite", {"email": email, "role": role}).text
    return html.unescape(re.search(r'value="https?://[^/"]+(/invitations/[^"]+)"', page)[1])


def test_signing_up_makes_an_organisation_of_ones_own():
    client = _sign_up("Li.Lei@Example.org")
    user = User.objects.get()
    assert (user.email, user.name) == ("li.lei@example.org", "李雷 Li Lei")
    (organisation,) = queries.organisations_of(user)
    assert (organisation.name, organisation.role) == ("李雷 Li Lei", "owner")
    assert "李雷 Li Lei" in client.get("/").text


def test_signing_in_is_by_address_in_any_case():
    _sign_up("lei@example.org")
    client = Client()
    response = client.post("/accounts/login/", {"login": "LEI@example.org", "password": PASSWORD})
    assert response.status_code == 302
    assert client.get("/organisations/").status_code == 200


def test_wrong_passwords_are_slowed_down():
    _sign_up("lei@example.org")
    client = Client()
    pages = [
        client.post("/accounts/login/", {"login": "lei@example.org", "password": f"no {n}"}).text for n in range(7)
    ]
    assert "Too many failed login attempts" in pages[-1]


@pytest.mark.parametrize("mode", ["closed", "invite"])
def test_signing_up_can_be_closed(settings, mode):
    settings.CHOPMARK_SIGNUP = mode
    page = Client().post("/accounts/signup/", {"email": "a@example.org", "name": "A", "password1": PASSWORD})
    assert not User.objects.exists()
    assert page.status_code in {200, 403}


def test_an_invitation_opens_signing_up_for_its_own_address_only(settings):
    owner = _sign_up("owner@example.org", "Studio")
    settings.CHOPMARK_SIGNUP = "invite"
    link = _invite(owner, "guest@example.org")
    guest = Client()
    assert "Studio" in guest.get(link).text
    refused = guest.post("/accounts/signup/", {"email": "other@example.org", "name": "O", "password1": PASSWORD})
    assert "another e-mail address" in refused.text
    _sign_up("guest@example.org", "Guest", guest)
    assert guest.post(link).status_code == 302
    assert "Studio" in guest.get("/").text
    assert Membership.objects.get(user__email="guest@example.org", role="depositor").organisation.name == "Studio"


def test_the_invitations_link_is_not_told_to_other_pages():
    link = _invite(_sign_up("owner@example.org"), "guest@example.org")
    response = Client().get(link)
    assert response["Referrer-Policy"] == "strict-origin"
    assert "no-store" in response["Cache-Control"]


def test_the_wrong_person_can_only_sign_out():
    link = _invite(_sign_up("owner@example.org"), "guest@example.org")
    other = _sign_up("other@example.org")
    page = other.get(link).text
    assert "You are signed in as other@example.org" in page
    assert "Accept the invitation" not in page
    assert other.post(link).status_code == 403
    assert other.post(link, {"another": "yes"})["Location"] == link


def test_a_dead_invitation_is_a_page_not_a_crash():
    assert Client().get("/invitations/nonsense").status_code == 404
    user = User.objects.create_user("o@example.org", None)
    long_ago = clock.now() - timedelta(days=30)
    actor = queries.actor_for(user, actions.create_organisation(user.pk, "Old", at=long_ago))
    made = actions.invite("g@example.org", "viewer", by=actor, at=long_ago, link=str)
    response = Client().get(f"/invitations/{made.token}", headers={"accept-language": "zh-CN"})
    assert response.status_code == 410
    assert "此邀请已过期" in response.text


def test_the_mail_goes_to_the_invited_person(django_capture_on_commit_callbacks):
    owner = _sign_up("owner@example.org")
    mail.outbox.clear()
    with django_capture_on_commit_callbacks(execute=True):
        link = _invite(owner, "guest@example.org")
    assert [each.to for each in mail.outbox] == [["guest@example.org"]]
    assert link in mail.outbox[0].body


def test_a_mistyped_address_keeps_what_was_typed():
    response = _sign_up("owner@example.org").post(
        "/organisations/invite", {"email": "not an address", "role": "viewer"}
    )
    assert response.status_code == 422
    assert 'value="not an address"' in response.text
    assert 'aria-invalid="true"' in response.text


def _house() -> tuple[Client, Client]:
    """The owner's and a viewer's browser."""
    owner = _sign_up("owner@example.org", "Studio")
    link = _invite(owner, "viewer@example.org", "viewer")
    viewer = _sign_up("viewer@example.org", "Viewer")
    viewer.post(link)
    return owner, viewer


FORMS = {
    "invite": {"email": "x@example.org", "role": "viewer"},
    "rename": {"name": "Mine"},
    "keys/new": {"name": "k", "scopes": ["deposits:read"], "lifetime": "90"},
    "keys/register": {"name": "k", "key": KEY.hex()},
    "keys/revoke": {"key": "0" * 12},
    "keys/retire": {"thumbprint": "00"},
    "revoke-invitation": {"invitation": "00000000-0000-0000-0000-000000000000"},
    "change-role": {"member": "1", "role": "owner"},
    "remove-member": {"member": "1"},
}


@pytest.mark.parametrize("form", FORMS)
def test_a_viewer_is_refused_every_form(form):
    _, viewer = _house()
    fields = dict(FORMS[form])
    if "member" in fields:
        fields["member"] = str(User.objects.get(email="owner@example.org").pk)
    response = viewer.post(f"/organisations/{form}", fields)
    assert response.status_code == 403
    assert "people.not_allowed" in response.text
    assert not ApiKey.objects.exists()


@pytest.mark.parametrize("form", FORMS)
def test_a_form_from_nobody_leads_to_signing_in(form):
    assert "/accounts/login/" in Client().post(f"/organisations/{form}", FORMS[form])["Location"]


@pytest.mark.parametrize("form", FORMS)
def test_nonsense_in_a_form_is_an_answer_not_a_crash(form):
    owner = _sign_up("owner@example.org")
    for nonsense in ("", "\x00", "９" * 30, "-1", "x" * 5000):
        response = owner.post(f"/organisations/{form}", dict.fromkeys(FORMS[form], nonsense))
        assert response.status_code in {302, 404, 422}


def test_a_viewer_sees_no_list_of_invitations_or_api_keys():
    _, viewer = _house()
    page = viewer.get("/organisations/").text
    assert "Invite somebody" not in page
    assert "New API key" not in viewer.get("/organisations/keys").text


def test_somebody_elses_organisation_cannot_be_chosen():
    _sign_up("owner@example.org", "Studio")
    other = _sign_up("other@example.org", "Other")
    theirs = Organisation.objects.get(name="Studio").pk
    for wanted in (theirs, "00000000-0000-0000-0000-000000000000", "nonsense"):
        response = other.post("/organisations/switch", {"organisation": wanted})
        assert response.status_code == 404
        assert "Studio" not in response.text


def test_switching_changes_for_whom_one_acts():
    _, viewer = _house()
    own = Organisation.objects.get(name="Viewer")
    viewer.post("/organisations/switch", {"organisation": own.pk})
    assert "Invite somebody" in viewer.get("/organisations/").text


def test_a_lost_membership_ends_at_once():
    owner, viewer = _house()
    owner.post("/organisations/remove-member", {"member": User.objects.get(email="viewer@example.org").pk})
    assert ">Viewer</h1>" in viewer.get("/").text


def test_the_last_owner_is_told_why_they_must_stay():
    owner = _sign_up("owner@example.org")
    me = User.objects.get().pk
    page = owner.post("/organisations/remove-member", {"member": me}, follow=True).text
    assert "At least one owner must stay" in page
    assert Membership.objects.count() == 1


def test_a_new_key_is_shown_once():
    owner = _sign_up("owner@example.org")
    page = owner.post("/organisations/keys/new", FORMS["keys/new"]).text
    text = re.search(r'value="(chopmark_[0-9a-f]{12}_[0-9a-f]{48})"', page)[1]
    assert queries.actor_for_api_key(text, clock.now()).scopes == frozenset(("deposits:read",))
    assert text.rsplit("_", 1)[1] not in owner.get("/organisations/keys").text
    assert "no-store" in owner.get("/organisations/keys")["Cache-Control"]


@pytest.fixture
def _intake_key(settings, tmp_path):
    """A home whose platform can say on the ledger which keys it knows."""
    settings.CHOPMARK_HOME = tmp_path
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "intake").write_text(bytes(32).hex() + "\n", "ascii")


@pytest.mark.usefixtures("_intake_key")
@pytest.mark.parametrize("text", [KEY.hex(), KEY.hex(" "), "pAEBIAYhWCA="])
def test_a_public_key_is_registered_from_text(text):
    owner = _sign_up("owner@example.org")
    response = owner.post("/organisations/keys/register", {"name": "Signing", "key": text})
    assert response.status_code == (302 if "=" not in text else 422)
    if response.status_code == 422:
        assert "not a public key" in response.text


@pytest.mark.usefixtures("_intake_key")
def test_a_key_registered_twice_is_told():
    owner = _sign_up("owner@example.org")
    for status in (302, 422):
        assert owner.post("/organisations/keys/register", FORMS["keys/register"]).status_code == status


def test_the_account_pages_stand_in_the_frame():
    client = _sign_up("owner@example.org")
    EmailAddress.objects.update(verified=True)
    for path in ("2fa/", "email/", "password/change/", "sessions/", "3rdparty/"):
        page = client.get(f"/accounts/{path}").text
        assert 'class="site-header"' in page
        assert 'class="side"' in page


def test_a_second_factor_is_asked_for_once_it_is_set():
    from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret  # noqa: PLC0415 (only here)

    _sign_up("owner@example.org")
    TOTP.activate(User.objects.get(), generate_totp_secret())
    client = Client()
    response = client.post("/accounts/login/", {"login": "owner@example.org", "password": PASSWORD}, follow=True)
    assert response.redirect_chain[-1][0] == "/accounts/2fa/authenticate/"
    assert client.get("/organisations/").status_code == 302


@pytest.mark.parametrize("name", ["a\x01b", "evil\u202egpj.exe", "a\u200cb"])
def test_a_name_that_cannot_be_seen_is_refused_before_the_account_is_made(name):
    typed = {"email": "lei@example.org", "name": name, "password1": PASSWORD}
    page = Client(headers={"accept-language": "zh-CN"}).post("/accounts/signup/", typed)
    assert page.status_code == 200
    assert "请填写 1 至 120 个可见字符的名称" in page.text
    assert 'value="lei@example.org"' in page.text
    assert not User.objects.exists()


def test_nobody_is_flooded_with_invitations(django_capture_on_commit_callbacks):
    owner = _sign_up("owner@example.org")
    mail.outbox.clear()
    typed = {"email": "guest@example.org", "role": "viewer"}
    with django_capture_on_commit_callbacks(execute=True):
        answers = [owner.post("/organisations/invite", typed) for _ in range(5)]
        owner.post("/organisations/new", {"name": "Another"})
        answers.append(owner.post("/organisations/invite", typed))
    assert [each.status_code for each in answers] == [200, 200, 200, 422, 422, 422]
    assert len(mail.outbox) == 3
    assert "Too many invitations went out" in answers[-1].text
    assert 'value="guest@example.org"' in answers[-1].text
