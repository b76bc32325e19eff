"""Rights, works and copies as a person meets them: in a browser, against the running platform."""

from __future__ import annotations

import io
import re

import pytest
from PIL import Image, ImageOps
from playwright.sync_api import Page, expect
from web.test_work_pages import photograph
from world.browser import PHONE, Watch, axe, fits, sign_up
from world.patience import until

pytestmark = pytest.mark.browser

TABLE = """kind,office,registration number,mark,owner,classes,registration date
trademark,EM,018000001,LANTERN,Lantern GmbH,9 25,2021-05-01
"""
BAD_ROW = "trademark,EM,,NOTHING,Lantern GmbH,9,2021-05-01\n"


def upload(name: str, data: bytes, kind: str) -> list[dict[str, object]]:
    return [{"name": name, "mimeType": kind, "buffer": data}]


def filed(page: Page, name: str = "LANTERN", number: str = "018123456") -> str:
    page.goto("/rights/new")
    typed = {
        "name": name,
        "office": "EM",
        "number": number,
        "classes": "9, 25",
        "owner": "Lantern GmbH",
        "granted_on": "2021-05-01",
        "expires_on": "2031-04-30",
    }
    for field, text in typed.items():
        page.locator(f"#right-form [name={field}]").fill(text)
    page.locator("#right-form button[type=submit]").first.click()
    expect(page).to_have_url(re.compile(r"/rights/R-\d{4}-\d{6}$"))
    return page.url


def granted(page: Page, right: str, seller: str = "Berlin Shop") -> None:
    page.goto(f"{right}/licence")
    page.locator("[name=name]").fill(seller)
    page.locator("[name=territories]").fill("DE, FR")
    page.locator("main form button[type=submit]").first.click()
    expect(page.locator(".tree")).to_contain_text(seller)


def deposited(page: Page, data: bytes, title: str = "Lantern over the water") -> str:
    page.goto("/works/new")
    page.locator("[name=file]").set_input_files(upload("lantern.png", data, "image/png"))
    page.locator("[name=title]").fill(title)
    page.locator("[name=authors]").fill("Mei Lan")
    page.locator("form[data-progress] button[type=submit]").click()
    expect(page).to_have_url(re.compile(r"/works/W-\d{4}-\d{6}$"))
    return page.url


def looked_for(page: Page, data: bytes) -> None:
    page.goto("/copies/")
    page.locator("[name=file]").set_input_files(upload("found.png", data, "image/png"))
    page.locator("form[data-progress] button[type=submit]").click()
    expect(page).to_have_url(re.compile(r"/copies/C-\d{4}-\d{6}$"))


def mirrored(data: bytes) -> bytes:
    with Image.open(io.BytesIO(data)) as whole:
        width, height = whole.size
        part = ImageOps.mirror(whole.crop((width // 8, height // 8, width, height)))
        out = io.BytesIO()
        part.save(out, "JPEG", quality=80)
    return out.getvalue()


def kept(page: Page, typed: str) -> None:
    """Wait until the page has put by what was typed last."""
    until(lambda: typed in page.evaluate("JSON.stringify({...localStorage})"))


def test_what_was_typed_outlives_a_reload_and_is_forgotten_once_it_is_filed(member: Page):
    member.goto("/rights/new")
    member.locator("[name=name]").fill("LANTERN")
    member.locator("[name=status]").select_option("pending")
    kept(member, "pending")
    member.reload()
    expect(member.locator("[name=name]")).to_have_value("LANTERN")
    expect(member.locator("[name=status]")).to_have_value("pending")
    expect(member.locator("[data-draft-notice]")).to_be_visible()
    member.get_by_role("button", name="Begin anew").click()
    expect(member.locator("[name=name]")).to_have_value("")
    filed(member)
    member.goto("/rights/new")
    expect(member.locator("[name=name]")).to_have_value("")
    expect(member.locator("[data-draft-notice]")).to_be_hidden()


def test_an_offices_file_that_is_dropped_fills_the_form_in(member: Page):
    member.goto("/rights/new")
    member.locator("[name=owner]").fill("typed before")
    drop = """([text]) => {
        const carried = new DataTransfer();
        carried.items.add(new File([text], "mark.csv", { type: "text/csv" }));
        const place = document.querySelector("[data-read]");
        place.dispatchEvent(new DragEvent("drop", { dataTransfer: carried, bubbles: true, cancelable: true }));
    }"""
    member.evaluate(drop, [TABLE])
    expect(member.locator("[data-said]")).to_contain_text("fields are filled in")
    expect(member.locator("[name=name]")).to_have_value("LANTERN")
    expect(member.locator("[name=owner]")).to_have_value("Lantern GmbH")
    member.reload()
    expect(member.locator("[name=number]")).to_have_value("018000001")
    member.locator("#right-form button[type=submit]").first.click()
    expect(member.locator("h1")).to_have_text("LANTERN")
    expect(member.get_by_role("link", name="mark.csv")).to_be_visible()


def test_a_table_is_tried_out_before_anything_is_filed(member: Page):
    member.goto("/rights/import")
    member.locator("[name=file]").set_input_files(upload("marks.csv", (TABLE + BAD_ROW).encode(), "text/csv"))
    member.get_by_role("button", name="Try it out").click()
    expect(member.locator("h1")).to_have_text("marks.csv")
    expect(member.locator("tbody tr")).to_have_count(2)
    member.get_by_role("button", name="File 1 right").click()
    expect(member.get_by_role("link", name=re.compile("R-"))).to_have_count(1)


def test_may_he_sell_here_is_answered_with_a_chain(member: Page):
    right = filed(member)
    granted(member, right)
    member.get_by_role("link", name="May he sell here?").first.click()
    member.get_by_label("Seller").fill("berlin shop")
    member.get_by_label("Where").fill("Germany")
    member.get_by_role("button", name="Ask").click()
    expect(member.locator(".verdict")).to_contain_text("That is not known")  # nobody has verified the right yet
    expect(member.locator(".chain").first).to_contain_text("Berlin Shop")
    expect(member.locator(".world .is-wait")).to_have_count(2)


def test_a_mirrored_crop_finds_its_work_and_keys_move_the_slider(member: Page):
    data = photograph(seed=11, size=(800, 600))
    work = deposited(member, data)
    looked_for(member, mirrored(data))
    expect(member.locator(".match").first).to_contain_text(work.rsplit("/", 1)[1])
    slider = member.locator("[data-overlay] input").first
    window = member.locator("[data-window]").first
    slider.focus()
    slider.press("End")
    expect(window).to_have_attribute("width", "1000")
    slider.press("Home")
    expect(window).to_have_attribute("width", "0")
    slider.press("ArrowRight")
    expect(window).to_have_attribute("width", "10")
    broken = "[...document.images].filter((each) => each.complete && !each.naturalWidth).length"
    assert member.evaluate(broken) == 0
    member.get_by_role("button", name="It is a copy").first.click()
    expect(member.get_by_text("You judged: a copy").first).to_be_visible()


def test_a_refused_work_keeps_its_file_and_its_words(member: Page, no_console_errors: Watch):
    no_console_errors.allow("422")
    data = photograph(seed=12)
    member.goto("/works/new")
    member.locator("[name=file]").set_input_files(upload("lantern.png", data, "image/png"))
    member.locator("[name=title]").fill("Lantern")
    member.locator("[name=authors]").fill("Mei Lan")
    member.locator("[name=version_of]").fill("W-2026-999999")
    member.locator("form[data-progress] button[type=submit]").click()
    expect(member.locator(".errorlist").first).to_be_visible()
    expect(member.get_by_text("The file is here")).to_be_visible()
    expect(member.locator("[name=title]")).to_have_value("Lantern")
    member.locator("[name=version_of]").fill("")
    member.locator("main form button[type=submit]").first.click()
    expect(member).to_have_url(re.compile("/works/W-"))


def test_a_mandate_is_given_and_accepted_with_the_keyboard_alone(open_page):
    principal, agent = open_page(locale="en-GB"), open_page(locale="en-GB")
    for each in (principal, agent):
        sign_up(each)
        each.goto("/rights/mandates")
    number = agent.locator("section:has(#head-number) .hex").inner_text().strip()
    principal.goto("/rights/mandates/new")
    principal.locator("[name=agent]").focus()
    principal.keyboard.type(number)
    kept(principal, number)
    principal.reload()
    expect(principal.locator("[name=agent]")).to_have_value(number)
    principal.locator("[name=until]").focus()
    principal.locator("main form button[type=submit]").focus()
    principal.keyboard.press("Enter")
    expect(principal.locator("main")).to_contain_text("Waits for the agent")
    principal.goto("/rights/mandates/new")
    expect(principal.locator("[name=agent]")).to_have_value("")
    agent.reload()
    agent.get_by_role("button", name="Accept").focus()
    agent.keyboard.press("Enter")
    expect(agent.locator("main")).to_contain_text("In force")


@pytest.mark.parametrize(("locale", "language"), [("en-GB", "en"), ("zh-CN", "zh-Hans")])
def test_every_page_is_clean_for_axe_and_fits_a_phone(open_page, locale, language):
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

    for path in ("/rights/", "/rights/new", "/rights/import", "/rights/may", "/rights/search", "/works/", "/works/new"):
        page.goto(path)
        look(path)
    right = filed(page, "LANTERN" if language == "en" else "灯笼", "018123456" if language == "en" else "018654321")
    page.goto(f"{right}/licence")
    look("licence")
    granted(page, right)
    look("right")
    page.goto(f"{right}/change")
    look("change")
    for path in (f"{right}/assign", "/rights/mandates", "/rights/mandates/new", "/organisations/mail"):
        page.goto(path)
        look(path)
    number = right.rsplit("/", 1)[1]
    page.goto(f"/rights/may?right={number}&seller=Berlin+Shop&territory=DE&cls=9&channel=&on=2026-11-22")
    look("may")
    page.goto("/rights/search?q=LANTERNN&classes=&territories=")
    look("search")
    page.goto("/rights/")
    look("list")
    page.goto("/rights/import")
    page.locator("[name=file]").set_input_files(upload("marks.csv", (TABLE + BAD_ROW).encode(), "text/csv"))
    page.locator("form[data-progress] button[type=submit]").click()
    expect(page).to_have_url(re.compile("/rights/import/"))
    look("dry run")
    data = photograph(seed=21 if language == "en" else 22, size=(640, 480))
    deposited(page, data)
    look("work")
    page.goto(f"{page.url}/change")
    look("statement")
    page.goto("/works/")
    look("works")
    looked_for(page, mirrored(data))
    look("match")
    page.goto("/copies/")
    look("copies")
    assert troubles == []
