"""The ways in, as people take them: password, authenticator app, passkey, identity provider, invitation."""

from __future__ import annotations

import base64
import email
import email.policy
import hashlib
import hmac
import json
import re
import time
import uuid
from collections.abc import Callable, Iterator
from urllib.parse import urlencode, urlsplit

import httpx
import pytest
from playwright.sync_api import CDPSession, Page, expect
from world.browser import PASSWORD, PHONE, Platform, Watch, axe, fits, sign_up, speak, started
from world.identity_provider import IdentityProvider
from world.patience import HANG

pytestmark = pytest.mark.browser

HOUSE = "House of keys"
CALLBACK = "/accounts/oidc/house/login/callback/"
PERIOD = 30


@pytest.fixture(scope="module")
def provider() -> Iterator[IdentityProvider]:
    with IdentityProvider(client_id="chopmark", client_secret="between the two of us") as made:
        yield made


@pytest.fixture(scope="module")
def platform(provider: IdentityProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A platform of this file's own: it knows the provider, and is at a name, as passkeys want it."""
    house = {
        "id": "house",
        "name": HOUSE,
        "server_url": provider.url,
        "client_id": provider.client_id,
        "client_secret": provider.client_secret,
    }
    home = tmp_path_factory.mktemp("sign-in") / "home"
    with started(home, "localhost", CHOPMARK_OIDC=json.dumps([house])) as running:
        provider.redirect_uris.add(running.url + CALLBACK)
        yield running


@pytest.fixture
def house(provider: IdentityProvider, no_console_errors: Watch) -> Iterator[IdentityProvider]:
    """The provider, whose page the browser may open; the test fails when the provider had to refuse something."""
    no_console_errors.allow(rf"^foreign: {re.escape(provider.url)}/authorize\?")
    provider.refused.clear()
    yield provider
    provider.silent = False
    assert provider.refused == []


def in_order(page: Page) -> None:
    assert axe(page) == [], page.url
    assert fits(page), page.url


def submit(page: Page, **typed: str) -> None:
    """Fill the page's own form by the names of its fields, and send it with the Enter key."""
    for name, value in typed.items():
        page.locator(f"main [name={name}]").fill(value)
    with page.expect_navigation():
        page.locator(f"main [name={name}]").press("Enter")


def sign_in(page: Page, address: str, password: str = PASSWORD) -> None:
    page.goto("/accounts/login/")
    submit(page, login=address, password=password)


def sign_out(page: Page) -> None:
    page.goto("/")
    page.locator("header summary").last.click()
    with page.expect_navigation():
        page.locator("header form[action='/accounts/logout/'] button").click()
    expect(page.locator("header a[href='/accounts/login/']")).to_be_visible()


def is_signed_in(page: Page) -> bool:
    """Asked beside the page, so that the page stays where it is."""
    return urlsplit(page.context.request.get("/organisations/").url).path == "/organisations/"


def organisation_number(page: Page) -> str:
    """The public number of the organisation that the person owns."""
    page.goto("/organisations/")
    return page.locator("p", has_text="Public number").locator("code").inner_text()


def new_address() -> str:
    return f"{uuid.uuid4().hex[:12]}@example.com"


# --- password


def test_a_person_signs_up_out_and_in_again(visitor):
    visitor.goto("/accounts/signup/")
    in_order(visitor)
    address = sign_up(visitor, "Mei Lan")
    expect(visitor.locator("header summary").last).to_contain_text("Mei Lan")
    assert is_signed_in(visitor)
    in_order(visitor)
    sign_out(visitor)
    assert not is_signed_in(visitor)
    in_order(visitor)

    visitor.goto("/organisations/")
    in_order(visitor)
    submit(visitor, login=address.upper(), password=PASSWORD)
    expect(visitor).to_have_url(re.compile("/organisations/$"))
    expect(visitor.locator("main .over")).to_have_text("Mei Lan")


@pytest.mark.parametrize(
    ("locale", "sentence"),
    [("en-GB", "are not correct"), ("zh-CN", "不正确")],
)
def test_a_wrong_password_keeps_the_address_and_says_so(open_page, locale, sentence):
    page = open_page(locale=locale, viewport=PHONE)
    address = new_address()
    sign_in(page, address, "not the lantern 9")
    expect(page.locator("main [role=alert]", has_text=sentence)).to_be_visible()
    expect(page.locator("[name=login]")).to_have_value(address)
    expect(page.locator("[name=password]")).to_have_value("")
    in_order(page)


# --- authenticator app


def one_time_code(secret: str) -> str:
    """The code of now (RFC 6238: HMAC-SHA-1, 30 seconds, 6 digits)."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    mac = hmac.new(key, int(time.time() // PERIOD).to_bytes(8), hashlib.sha1).digest()
    start = mac[-1] & 0xF
    return f"{(int.from_bytes(mac[start : start + 4]) & 0x7FFFFFFF) % 10**6:06d}"


def submit_code_of_now(page: Page, secret: str) -> str:
    """Type the code in and return it; the next one, as a person would, where it ran out meanwhile."""
    for _ in range(int(HANG // PERIOD)):
        period = time.time() // PERIOD
        code = one_time_code(secret)
        submit(page, code=code)
        if period == time.time() // PERIOD or not page.get_by_text("Incorrect code").is_visible():
            return code
    raise AssertionError("each code ran out before it arrived")


def another(code: str) -> str:
    """Right in form, wrong in every digit."""
    return "".join(str((int(digit) + 5) % 10) for digit in code)


def confirm_it_is_me(page: Page) -> None:
    """Type the password once more where the page asks for it."""
    expect(page).to_have_url(re.compile("/accounts/reauthenticate/"))
    in_order(page)
    submit(page, password=PASSWORD)


def test_an_authenticator_app_is_asked_for_and_a_recovery_code_works_once(visitor):
    address = sign_up(visitor)
    visitor.goto("/accounts/2fa/")
    in_order(visitor)
    visitor.locator("a[href='/accounts/2fa/totp/activate/']").click()
    confirm_it_is_me(visitor)
    in_order(visitor)
    secret = visitor.locator("#authenticator_secret").input_value()
    submit(visitor, code=another(one_time_code(secret)))
    expect(visitor.get_by_text("Incorrect code")).to_be_visible()
    expect(visitor.locator("#authenticator_secret")).to_have_value(secret)
    submit_code_of_now(visitor, secret)
    spares = visitor.locator("#recovery_codes").input_value().split()
    assert len(set(spares)) == 10
    in_order(visitor)
    sign_out(visitor)

    sign_in(visitor, address)
    expect(visitor).to_have_url(re.compile("/accounts/2fa/authenticate/"))
    assert not is_signed_in(visitor)
    in_order(visitor)
    submit(visitor, code=another(one_time_code(secret)))
    expect(visitor.get_by_text("Incorrect code")).to_be_visible()
    in_order(visitor)
    assert not is_signed_in(visitor)
    code = submit_code_of_now(visitor, secret)
    assert is_signed_in(visitor)
    sign_out(visitor)

    sign_in(visitor, address)
    submit(visitor, code=code)
    expect(visitor.get_by_text("Incorrect code")).to_be_visible()  # a code that somebody saw is worth nothing
    submit(visitor, code=spares[0])
    assert is_signed_in(visitor)
    sign_out(visitor)

    sign_in(visitor, address)
    submit(visitor, code=spares[0])
    speak(visitor, "zh-hans")
    expect(visitor.locator("html")).to_have_attribute("lang", "zh-Hans")
    in_order(visitor)
    assert not is_signed_in(visitor)
    submit(visitor, code=spares[1])
    assert is_signed_in(visitor)
    visitor.goto("/accounts/2fa/")
    expect(visitor.locator("main")).to_contain_text("8")
    in_order(visitor)


# --- passkey


def with_a_device(page: Page) -> CDPSession:
    """Give the browser a device with a screen lock that holds passkeys."""
    devices = page.context.new_cdp_session(page)
    devices.send("WebAuthn.enable")
    device = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    devices.send("WebAuthn.addVirtualAuthenticator", {"options": device})
    return devices


def test_a_passkey_alone_opens_the_account(visitor):
    address = sign_up(visitor, "Kai Chen")
    with_a_device(visitor)
    visitor.goto("/accounts/2fa/webauthn/add/")
    confirm_it_is_me(visitor)
    in_order(visitor)
    visitor.locator("main [name=name]").fill("Desk")
    visitor.locator("main [name=passwordless]").check()
    with visitor.expect_navigation():
        visitor.locator("#mfa_webauthn_add").click()
    in_order(visitor)
    visitor.goto("/accounts/2fa/webauthn/")
    expect(visitor.locator("main")).to_contain_text("Desk")
    in_order(visitor)
    sign_out(visitor)

    visitor.goto("/accounts/login/?next=/organisations/")
    with visitor.expect_navigation():
        visitor.get_by_role("button", name="Sign in with a passkey").click()
    expect(visitor).to_have_url(re.compile("/organisations/$"))
    expect(visitor.locator("main")).to_contain_text(address)
    sign_out(visitor)

    # The same passkey is the second factor after a password.
    sign_in(visitor, address)
    expect(visitor).to_have_url(re.compile("/accounts/2fa/authenticate/"))
    with visitor.expect_navigation():
        visitor.get_by_role("button", name="Use a security key").click()
    assert is_signed_in(visitor)


def test_a_device_without_a_passkey_for_this_site_is_said_on_the_page(open_page):
    page = open_page(locale="zh-CN")
    with_a_device(page)
    page.goto("/accounts/login/")
    page.get_by_role("button", name="使用通行密钥登录").click()
    expect(page.get_by_role("alert").filter(has_text="未能使用通行密钥")).to_be_visible()
    in_order(page)


# --- identity provider


def person(address: str, name: str = "Lin Yue") -> dict[str, object]:
    return {"sub": uuid.uuid4().hex, "email": address, "email_verified": True, "name": name}


def through_the_house(page: Page, answer: str = "Continue") -> None:
    """From the sign-in page to the provider and back."""
    page.goto("/accounts/login/")
    page.get_by_role("link", name=HOUSE).click()
    expect(page).to_have_url(re.compile("/accounts/oidc/house/login/"))
    with page.expect_navigation():
        page.locator("main button[type=submit]").click()
    with page.expect_navigation():
        page.get_by_role("link", name=answer).click()


def test_a_providers_word_makes_an_account_once_and_finds_it_again(open_page, house):
    address = new_address()
    house.person = person(address.capitalize())
    page = open_page()
    page.goto("/accounts/oidc/house/login/?process=login")
    in_order(page)
    through_the_house(page)
    expect(page.locator("header summary").first).to_contain_text("Lin Yue")
    number = organisation_number(page)
    expect(page.locator("main")).to_contain_text(address)
    page.goto("/accounts/3rdparty/")
    expect(page.locator("main")).to_contain_text(HOUSE)
    in_order(page)

    elsewhere = open_page(locale="zh-CN")
    through_the_house(elsewhere)
    speak(elsewhere, "en")
    assert organisation_number(elsewhere) == number


def test_a_provider_with_too_little_to_say_leads_to_a_form(visitor, house):
    house.person = {"sub": uuid.uuid4().hex, "name": "Lin Yue"}
    through_the_house(visitor)
    expect(visitor).to_have_url(re.compile("/accounts/3rdparty/signup/"))
    expect(visitor.locator("main [name=name]")).to_have_value("Lin Yue")
    in_order(visitor)
    submit(visitor, email=new_address())
    assert is_signed_in(visitor)


def test_a_provider_opens_an_account_of_the_same_address_only_once_its_owner_has_connected_it(
    open_page, house, no_console_errors
):
    no_console_errors.allow("status of 409")
    owner = open_page()
    address = sign_up(owner, "Mei Lan")
    number = organisation_number(owner)

    house.person = person(address, "Not Mei")
    stranger = open_page(locale="zh-CN")
    through_the_house(stranger)
    expect(stranger.get_by_text("此电子邮件地址已有账户")).to_be_visible()
    in_order(stranger)
    assert not is_signed_in(stranger)

    owner.goto("/accounts/3rdparty/")
    expect(owner.locator("main")).to_contain_text("no third-party accounts")
    in_order(owner)
    owner.get_by_role("link", name=HOUSE).click()
    with owner.expect_navigation():
        owner.locator("main button[type=submit]").click()
    with owner.expect_navigation():
        owner.get_by_role("link", name="Continue").click()
    expect(owner).to_have_url(re.compile("/accounts/3rdparty/$"))
    sign_out(owner)
    through_the_house(owner)
    assert organisation_number(owner) == number


def test_who_turns_back_or_comes_with_a_made_up_code_is_not_signed_in(visitor, house, no_console_errors):
    no_console_errors.allow("status of 401")
    house.person = person(new_address())
    through_the_house(visitor, "Cancel")
    expect(visitor).to_have_url(re.compile("/accounts/3rdparty/login/cancelled/"))
    in_order(visitor)
    assert not is_signed_in(visitor)
    visitor.goto(f"{CALLBACK}?code=made-up&state=made-up")
    expect(visitor.get_by_role("heading", level=1)).to_contain_text("Failure")
    in_order(visitor)
    assert not is_signed_in(visitor)


def test_a_provider_that_does_not_answer_is_said_to_be_away(visitor, house, no_console_errors):
    no_console_errors.allow("status of 503")
    house.silent = True
    visitor.goto("/accounts/oidc/house/login/")
    with visitor.expect_navigation():
        visitor.locator("main button[type=submit]").click()
    expect(visitor.get_by_text("does not answer")).to_be_visible()
    expect(visitor.locator("main").get_by_role("link", name="Sign in")).to_be_visible()
    in_order(visitor)


CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(b"verifier").digest()).rstrip(b"=").decode()
ASKED = {
    "client_id": "chopmark",
    "response_type": "code",
    "scope": "openid",
    "state": "0123456789",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}
REFUSED_REQUESTS = {
    "another client": {"client_id": "else"},
    "another address to come back to": {"redirect_uri": "http://localhost:1/elsewhere"},
    "no state": {"state": ""},
    "no challenge": {"code_challenge": ""},
    "a plain challenge": {"code_challenge_method": "plain"},
    "a token at once": {"response_type": "token"},
}


@pytest.mark.parametrize("changed", REFUSED_REQUESTS.values(), ids=REFUSED_REQUESTS)
def test_the_provider_is_strict_about_requests(platform, provider, changed):
    asked = ASKED | {"redirect_uri": platform.url + CALLBACK} | changed
    assert httpx.get(f"{provider.url}/authorize?{urlencode(asked)}").status_code == 400


def test_the_provider_is_strict_about_codes(platform, provider):
    asked = ASKED | {"redirect_uri": platform.url + CALLBACK, "nonce": "n"}
    provider.person = person("mei@example.com")
    right = {
        "grant_type": "authorization_code",
        "redirect_uri": asked["redirect_uri"],
        "client_id": provider.client_id,
        "client_secret": provider.client_secret,
        "code_verifier": "verifier",
    }

    def offered(**changed: str) -> httpx.Response:
        page = httpx.get(f"{provider.url}/authorize?{urlencode(asked)}").text
        code = re.search(r"code=([\w-]+)", page)[1]
        return httpx.post(f"{provider.url}/token", data=right | {"code": code} | changed)

    good = offered()
    claims = json.loads(base64.urlsafe_b64decode(good.json()["id_token"].split(".")[1] + "=="))
    assert (claims["aud"], claims["nonce"], claims["email"]) == (provider.client_id, "n", "mei@example.com")
    used = dict(httpx.QueryParams(good.request.content.decode()))["code"]
    for wrong in ({"code": used}, {"code_verifier": "other"}, {"client_secret": "x"}, {"redirect_uri": "http://x"}):
        assert offered(**wrong).status_code == 400, wrong


# --- invitation


def mailed_link(platform: Platform, address: str) -> str:
    """The invitation's link in the mail that lies in the home."""
    for path in sorted((platform.home / "mail").iterdir()):
        message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        if address in str(message["To"]) and (found := re.search(r"http://\S+/invitations/\S+", message.get_content())):
            return found[0]
    raise AssertionError(f"no mail to {address}")


def invite(owner: Page, platform: Platform, address: str, role: str) -> str:
    owner.goto("/organisations/")
    form = owner.locator("form[action='/organisations/invite']")
    form.locator("[name=email]").fill(address)
    form.locator("[name=role]").select_option(role)
    with owner.expect_navigation():
        form.get_by_role("button", name="Invite").click()
    link = mailed_link(platform, address)
    expect(owner.locator("#new-link")).to_have_value(link)
    in_order(owner)
    return link


def deposit(page: Page, name: str) -> None:
    page.goto("/deposits/new")
    data = {"name": name, "mimeType": "image/png", "buffer": uuid.uuid4().bytes}
    page.locator("[data-choose]").set_input_files([data])
    page.get_by_role("button", name="Deposit 1").click()
    expect(page.locator(".file-row [data-badge]")).to_have_text("Published")


def test_an_invited_person_signs_up_through_the_link_and_may_look_but_not_deposit(
    open_page: Callable[..., Page], platform, no_console_errors
):
    no_console_errors.allow("status of (403|409)")
    owner = open_page()
    sign_up(owner, "Tide Studio")
    deposit(owner, "lantern.png")
    address = new_address()
    link = invite(owner, platform, address, "viewer")

    guest = open_page()
    guest.goto(link)
    expect(guest.get_by_role("heading", level=1)).to_have_text("Tide Studio")
    expect(guest.locator("main")).to_contain_text("Viewer")
    in_order(guest)
    guest.locator("main").get_by_role("link", name="Sign up").click()
    submit(guest, name="Guest", email=address, password1=PASSWORD)
    expect(guest).to_have_url(link)
    in_order(guest)
    with guest.expect_navigation():
        guest.get_by_role("button", name="Accept the invitation").click()
    expect(guest.locator("header summary").first).to_contain_text("Tide Studio")

    guest.goto("/deposits/")
    expect(guest.locator("main")).to_contain_text("lantern")
    in_order(guest)
    speak(guest, "zh-hans")
    guest.goto("/deposits/new")
    expect(guest.locator("main")).to_contain_text("无权执行此操作")
    in_order(guest)
    guest.goto("/organisations/")
    expect(guest.locator("main")).to_contain_text("查看者")
    expect(guest.locator("form[action='/organisations/invite']")).to_have_count(0)
    in_order(guest)

    guest.goto(link)
    expect(guest.locator("main")).to_contain_text("people.invitation_used")
    in_order(guest)


def test_an_invitation_is_for_its_own_address_only(open_page: Callable[..., Page], platform, no_console_errors):
    no_console_errors.allow("status of 403")
    owner = open_page()
    sign_up(owner, "Tide Studio")
    link = invite(owner, platform, new_address(), "depositor")
    other = open_page()
    sign_up(other, "Other")
    other.goto(link)
    expect(other.locator("main")).to_contain_text("Sign in with the invited address to accept")
    expect(other.get_by_role("button", name="Accept")).to_have_count(0)
    in_order(other)
    # The form that the page does not show, sent by hand.
    other.evaluate(
        """() => {
            const form = document.querySelector("main form");
            form.querySelector("[name=another]").removeAttribute("name");
            form.requestSubmit();
        }"""
    )
    expect(other.locator("main")).to_contain_text("people.invitation_for_another")
    in_order(other)
    other.goto("/")
    expect(other.locator("header summary").first).not_to_contain_text("Tide Studio")
