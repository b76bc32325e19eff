"""A case as a person gathers it: in a browser, against the running platform with its worker."""

from __future__ import annotations

import re
import uuid

import pytest
from playwright.sync_api import Page, expect
from world.browser import PHONE, Watch, axe, fits, sign_up
from world.shop import Shop

pytestmark = pytest.mark.browser


def opened(page: Page, title: str = "Lantern copies") -> None:
    page.goto("/matters/new")
    page.locator("[name=template]").select_option("trademark_counterfeit")
    page.locator("[name=title_en]").fill(title)
    page.locator("main form button[type=submit]").first.click()
    expect(page).to_have_url(re.compile(r"/matters/[0-9a-f-]{36}$"))


def with_file(page: Page, name: str = "invoice.pdf") -> None:
    matter = page.url
    page.goto(f"{matter}/upload")
    data = f"%PDF-1.7 {uuid.uuid4()}".encode()
    page.locator("input[type=file]").set_input_files([{"name": name, "mimeType": "application/pdf", "buffer": data}])
    page.locator("[name=kind]").select_option("invoice")
    page.locator("[name=purpose_en]").fill("Shows that the copies were sold")
    page.locator("form[data-uploads] button[type=submit]").click()
    expect(page).to_have_url(matter)
    expect(page.locator(".item-list h4").first).to_contain_text(name)


def test_a_case_is_gathered_bundled_and_read_by_a_judge(member: Page, open_page, no_console_errors: Watch):
    no_console_errors.allow("403")  # the wrong code
    opened(member)
    matter = member.url
    sent: list[str] = []
    member.on("request", lambda request: sent.append(f"{request.method} {request.url}"))
    with_file(member)
    assert any("PATCH" in each and "/uploads/" in each for each in sent)  # it came up in pieces
    member.get_by_role("button", name="Make a bundle").click()
    expect(member).to_have_url(re.compile("/bundles/"))
    expect(member.get_by_role("link", name="Download the bundle (.asice)")).to_be_visible()
    with member.expect_download() as coming:
        member.get_by_role("link", name="Download the bundle (.asice)").click()
    assert coming.value.suggested_filename.endswith(".asice")

    member.goto(matter)
    member.get_by_text("Give access", exact=True).click()
    member.get_by_label("For whom").fill("Judge Li")
    member.get_by_role("button", name="Make a code").click()
    code = member.locator("#new-code").inner_text()
    judge = open_page()
    judge.goto("/access")
    judge.get_by_label("Access code").fill("AAAAA-AAAAA-AAAAA-AAAAA")
    judge.get_by_label("Your name").fill("Judge Li")
    judge.get_by_role("button", name="Show the matter").click()
    expect(judge.locator(".errorlist")).to_be_visible()
    expect(judge.get_by_label("Your name")).to_have_value("Judge Li")
    judge.get_by_label("Access code").fill(code)
    judge.get_by_role("button", name="Show the matter").click()
    expect(judge.get_by_role("heading", level=1)).to_have_text("Lantern copies")
    with judge.expect_download() as coming:
        judge.get_by_role("link", name="Download the bundle").click()
    assert coming.value.path().read_bytes()[:4] == b"PK\x03\x04"
    member.reload()
    expect(member.locator("#head-code")).to_have_count(0)
    member.get_by_text("Uses", exact=True).click()
    expect(member.locator("#head-grants >> xpath=ancestor::section")).to_contain_text("bundle B-")
    member.once("dialog", lambda dialog: dialog.accept())
    member.get_by_role("button", name="Revoke Judge Li").click()
    judge.reload()
    expect(judge).to_have_url(re.compile("/access$"))


def test_an_operator_drives_the_workers_browser_from_the_page(member: Page, shop: Shop):
    opened(member)
    member.goto(f"{member.url}/captures/new")
    member.get_by_label("Address of the page").fill(f"{shop.url}/item/1")
    member.locator("[name=mode][value=operator]").check()
    member.get_by_role("button", name="Start the capture").click()
    place = member.locator("[data-fragment$='/drive']")
    expect(place).to_contain_text("Step 0")
    picture = member.locator("input[type=image]")
    expect(picture).to_have_js_property("clientWidth", 1280)
    assert axe(member) == []

    def does(button: str, step: int, **fields: str) -> None:
        for name, text in fields.items():
            member.get_by_label(name.replace("_", " ")).fill(text)
        member.get_by_role("button", name=button, exact=True).click()
        expect(place).to_contain_text(f"Step {step} ")

    member.locator("#drive-type").fill("37")
    member.locator("#drive-into").fill("#count")
    does("Type it", 1)
    does("Click", 2, Click_on="#nowhere")
    expect(place).to_contain_text("there is no such thing")
    member.locator("#drive-click").fill("#buy")
    does("Click", 3)
    expect(place).to_contain_text("count=37")
    member.get_by_role("button", name="Finish the capture").click()
    expect(member.get_by_role("heading", name="Files of this capture")).to_be_visible()
    expect(member.get_by_text("step-003.jpg").first).to_be_visible()


def test_a_filing_saves_as_one_types_and_says_what_is_missing(member: Page):
    opened(member)
    with_file(member)
    matter = member.url
    member.get_by_role("button", name="Make a bundle").click()
    expect(member.get_by_role("link", name="Download the bundle (.asice)")).to_be_visible()
    member.goto(matter)
    member.get_by_role("button", name="File at a court").click()
    expect(member.get_by_role("heading", name="Evidence", exact=True)).to_be_visible()
    member.get_by_role("button", name="Save and go on").click()
    member.get_by_role("combobox", name="Court", exact=True).select_option("hangzhou")
    member.get_by_label("Cause of action").select_option("trademark_infringement")
    expect(member.locator("p[data-saved]")).to_have_text("Saved.")
    member.get_by_role("button", name="Save and go on").click()
    before = member.locator(".missing li").count()
    member.locator("[name='parties.0.name']").fill("Mei Lan's studio")
    member.locator("[name='parties.0.address']").fill("Hangzhou")
    expect(member.locator("p[data-saved]")).to_have_text("Saved.")
    expect(member.locator(".missing li")).not_to_have_count(before)
    member.reload()
    expect(member.locator("[name='parties.0.name']")).to_have_value("Mei Lan's studio")


@pytest.mark.parametrize(("locale", "language"), [("en-GB", "en"), ("zh-CN", "zh-Hans")])
def test_every_page_of_a_case_is_clean_for_axe_and_fits_a_phone(  # noqa: PLR0915 (one walk)
    open_page, no_console_errors: Watch, locale, language
):
    no_console_errors.allow("404")
    page = open_page(locale=locale)
    sign_up(page)
    assert page.locator("html").get_attribute("lang") == language
    troubles: list[str] = []

    def look(name: str) -> None:
        troubles.extend(f"{name}: {finding}" for finding in axe(page))
        wide = page.viewport_size
        page.set_viewport_size(PHONE)
        if not fits(page):
            troubles.append(f"{name}: sticks out at {PHONE['width']} px")
        page.set_viewport_size(wide)

    page.goto("/matters/")
    look("no matter")
    page.goto("/matters/new")
    look("new matter")
    opened(page, "Lantern copies sold under our mark" if language == "en" else "灯笼商标侵权")
    matter = page.url
    look("empty matter")
    with_file(page)
    look("matter")
    for path in ("upload", "captures/new", "orders/new"):
        page.goto(f"{matter}/{path}")
        look(path)
    page.goto(f"{matter}/captures/new")
    page.locator("[name=url]").fill("http://127.0.0.1:1/nothing")
    page.locator("main form button[type=submit]").first.click()
    expect(page).to_have_url(re.compile("/captures/"))
    look("capture under way")
    page.goto(matter)
    page.locator("form[action$='/bundles/new'] button").click()
    look("bundle under way")
    expect(page.locator("a[href$='/asice']").first).to_be_visible()
    look("bundle")
    page.goto(matter)
    page.locator("form[action$='/filings/new'] button").click()
    for step in ("evidence", "court", "parties", "claims", "confirm"):
        expect(page).to_have_url(re.compile(step))
        look(step)
        page.locator("button[name=next]").click()
    look("check")
    page.goto("/filings/")
    look("filings")
    page.goto(matter)
    page.locator("details:has(form[action$='/grants']) > summary").click()
    page.locator("[name=given_to]").fill("Judge Li")
    page.locator("form[action$='/grants'] button").click()
    code = page.locator("#new-code").inner_text()
    look("code")
    page.goto("/access")
    look("access")
    page.locator("[name=code]").fill(code)
    page.locator("[name=name]").fill("Li")
    page.locator("main form button[type=submit]").first.click()
    expect(page).to_have_url(re.compile("/access/matter"))
    look("judge")
    assert troubles == []
