"""Deposits as a person makes them: in a browser, against the running platform."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import uuid

import pytest
from playwright.sync_api import Error, Page, Route, expect
from world.browser import PHONE, Watch, axe, fits, sign_up, speak
from world.patience import until

pytestmark = pytest.mark.browser

PIECE = 100_000


def unique(text: str = "lantern") -> bytes:
    return f"{text} {uuid.uuid4()}".encode()


def file(name: str, data: bytes, media: str = "image/png") -> dict[str, object]:
    return {"name": name, "mimeType": media, "buffer": data}


def choose(page: Page, *files: dict[str, object]) -> None:
    page.locator("[data-choose]").set_input_files(list(files))


def row(page: Page, name: str):
    return page.locator(".file-row").filter(has=page.get_by_role("heading", name=name, exact=True))


def state(page: Page, name: str):
    return row(page, name).locator("[data-badge]")


def in_small_pieces(page: Page) -> None:
    """Let the page upload in pieces of 100 kB, so that a small file is many pieces."""

    def shrink(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, body=re.sub(r'"chunk": \d+', f'"chunk": {PIECE}', answer.text()))

    page.route("**/deposits/new", shrink)


def drop(page: Page, files: dict[str, bytes]) -> None:
    """Let files fall on the page, as a drag from the desktop does."""
    page.evaluate(
        """files => {
            const transfer = new DataTransfer();
            for (const [name, text] of Object.entries(files))
                transfer.items.add(new File([text], name, {type: "text/plain"}));
            const target = document.querySelector("[data-drop]");
            for (const kind of ["dragenter", "dragover", "drop"])
                target.dispatchEvent(new DragEvent(kind, {dataTransfer: transfer, bubbles: true, cancelable: true}));
        }""",
        {name: data.decode() for name, data in files.items()},
    )


def test_files_that_are_dropped_become_deposits_with_receipts_that_pass(member, platform, tmp_path):
    lantern, contract = unique(), unique("contract")
    member.goto("/deposits/new")
    drop(member, {"lantern.txt": lantern, "contract.txt": contract})
    expect(state(member, "lantern.txt")).to_have_text("Ready")
    expect(row(member, "lantern.txt").locator("[data-digest-text]")).to_have_text(hashlib.sha256(lantern).hexdigest())
    expect(row(member, "lantern.txt").get_by_label("Title")).to_have_value("lantern")
    row(member, "lantern.txt").get_by_label("Title").fill("Lantern over the water")
    member.get_by_role("button", name="Deposit 2").click()
    expect(state(member, "lantern.txt")).to_have_text("Published")
    expect(state(member, "contract.txt")).to_have_text("Published")

    for link, name in (
        ("Receipt (.tlog-proof)", "lantern.txt.tlog-proof"),
        ("Receipt (.receipt.cose)", "lantern.txt.receipt.cose"),
    ):
        with member.expect_download() as coming:
            row(member, "lantern.txt").get_by_role("link", name=link).click()
        assert coming.value.suggested_filename == name
        coming.value.save_as(tmp_path / name)
        (tmp_path / "lantern.txt").write_bytes(lantern)
        policy = platform.home / "trust.policy"
        checked = platform.run(
            "verify",
            str(tmp_path / "lantern.txt"),
            "--receipt",
            str(tmp_path / name),
            "--policy",
            str(policy),
            "--json",
        )
        assert checked.returncode == 0, checked.stdout + checked.stderr
        assert json.loads(checked.stdout)["verdict"] == "PASSED"

    row(member, "lantern.txt").get_by_role("link", name="Details").click()
    expect(member.get_by_role("heading", level=1)).to_have_text("Lantern over the water")
    expect(member.get_by_role("heading", name="Receipt ready")).to_be_visible()


def test_a_file_that_stays_here_never_leaves_the_browser(member):
    secret = unique("nobody reads this")
    sent: list[bytes] = []
    member.on("request", lambda request: sent.append(request.post_data_buffer or b""))
    member.goto("/deposits/new")
    choose(member, file("secret.png", secret))
    member.get_by_role("button", name="Deposit 1").click()
    expect(state(member, "secret.png")).to_have_text("Published")
    assert not any(secret in body for body in sent)
    assert any(hashlib.sha256(secret).hexdigest().encode() in body for body in sent)


def test_a_private_deposit_is_not_found_by_its_digest(member):
    data = unique()
    member.goto("/deposits/new")
    choose(member, file("private.png", data))
    row(member, "private.png").get_by_label("Private").check()
    member.get_by_role("button", name="Deposit 1").click()
    expect(state(member, "private.png")).to_have_text("Published")
    member.goto(f"/explorer/entries?digest={hashlib.sha256(data).hexdigest()}")
    expect(member.get_by_text("Nothing public stands on the ledger")).to_be_visible()


def test_sm3_is_made_beside_sha_256_also_when_asked_for_late(member):
    member.goto("/deposits/new")
    choose(member, file("abc.txt", b"abc"))
    expect(state(member, "abc.txt")).to_have_text("Ready")
    member.locator("[data-sm3]").check()
    known = "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"  # GB/T 32905-2016, example 1
    expect(row(member, "abc.txt").locator("[data-sm3-text]")).to_have_text(known)


def test_the_same_bytes_twice_and_an_empty_file_are_noticed(member):
    data = unique()
    member.goto("/deposits/new")
    choose(member, file("one.png", data), file("two.png", data), file("empty.png", b""))
    expect(state(member, "two.png")).to_have_text("Twice in this list")
    expect(row(member, "two.png")).to_contain_text("Same bytes as one.png")
    expect(row(member, "empty.png")).to_contain_text("This file is empty")
    expect(member.get_by_role("button", name="Deposit 1")).to_be_enabled()
    row(member, "one.png").get_by_role("button", name="Remove").click()
    expect(state(member, "two.png")).to_have_text("Ready")


def test_an_earlier_deposit_of_the_same_bytes_is_told_before_a_second(member):
    data = unique()
    for expected in (False, True):
        member.goto("/deposits/new")
        choose(member, file("again.png", data))
        expect(state(member, "again.png")).to_have_text("Ready")
        note = row(member, "again.png").get_by_text("You already deposited these bytes")
        if expected:
            expect(note).to_be_visible()
        else:
            member.get_by_role("button", name="Deposit 1").click()
            expect(state(member, "again.png")).to_have_text("Published")


def test_hashing_can_be_cancelled_and_begun_again(member):
    member.goto("/deposits/new")
    member.evaluate(
        """() => {
            const transfer = new DataTransfer();
            const piece = new Uint8Array(8_000_000);
            transfer.items.add(new File(Array(40).fill(piece), "film.mov", {type: "video/quicktime"}));
            const input = document.querySelector("[data-choose]");
            input.files = transfer.files;
            input.dispatchEvent(new Event("change", {bubbles: true}));
        }"""
    )
    row(member, "film.mov").get_by_role("button", name="Cancel").click()
    expect(state(member, "film.mov")).to_have_text("Cancelled")
    row(member, "film.mov").get_by_role("button", name="Try again").click()
    expect(row(member, "film.mov").get_by_role("progressbar")).to_be_visible()
    expect(state(member, "film.mov")).to_have_text("Ready")


def test_what_was_typed_comes_back_after_a_reload(member):
    picture = file("draft.png", unique())
    member.goto("/deposits/new")
    # A file from disk keeps its time stamp over a reload; one made in memory does not unless it is told.
    add = """([name, text]) => {
        const transfer = new DataTransfer();
        transfer.items.add(new File([text], name, {lastModified: 1750000000000}));
        const input = document.querySelector("[data-choose]");
        input.files = transfer.files;
        input.dispatchEvent(new Event("change", {bubbles: true}));
    }"""
    member.evaluate(add, ["draft.png", picture["buffer"].decode()])
    row(member, "draft.png").get_by_label("Title").fill("The long way home")
    row(member, "draft.png").get_by_label("Kind").select_option("evidence")
    member.reload()
    expect(member.get_by_text("Your texts were kept")).to_be_visible()
    expect(member.locator("[data-restored-names]")).to_have_text("draft.png")
    member.evaluate(add, ["draft.png", picture["buffer"].decode()])
    expect(row(member, "draft.png").get_by_label("Title")).to_have_value("The long way home")
    expect(row(member, "draft.png").get_by_label("Kind")).to_have_value("evidence")


def test_one_description_is_applied_to_all_files(member):
    member.goto("/deposits/new")
    choose(member, file("a.png", unique()), file("b.png", unique()))
    shared = member.get_by_role("group", name="The same for all files")
    shared.get_by_label("Author").fill("Mei Lan")
    shared.get_by_label("Kind").select_option("document")
    shared.get_by_role("button", name="Apply to all files").click()
    for name in ("a.png", "b.png"):
        expect(row(member, name).get_by_label("Author")).to_have_value("Mei Lan")
        expect(row(member, name).get_by_label("Kind")).to_have_value("document")
        expect(row(member, name).get_by_label("Title")).to_have_value(name[0])


def test_a_batch_that_the_network_lost_is_sent_again_under_the_same_key(member, no_console_errors: Watch):
    no_console_errors.allow("ERR_INTERNET_DISCONNECTED|ERR_FAILED")
    keys: list[str] = []

    def lose(route: Route) -> None:
        keys.append(route.request.headers["idempotency-key"])
        if len(keys) == 1:
            route.fetch()  # it arrives, but the answer is lost
            route.abort("internetdisconnected")
        else:
            route.continue_()

    member.route("**/api/v1/deposits/batch", lose)
    member.goto("/deposits/new")
    choose(member, file("lost.png", unique()))
    row(member, "lost.png").get_by_label("Title").fill("Kept")
    member.get_by_role("button", name="Deposit 1").click()
    expect(member.get_by_role("alert")).to_contain_text("nothing you typed is lost")
    expect(row(member, "lost.png").get_by_label("Title")).to_have_value("Kept")
    row(member, "lost.png").get_by_role("button", name="Try again").click()
    expect(state(member, "lost.png")).to_have_text("Published")
    assert len(keys) == 2
    assert keys[0] == keys[1]
    member.goto("/deposits/?q=Kept")
    expect(member.get_by_role("heading", name="1 deposit")).to_be_visible()


def test_a_refused_item_says_why_in_its_row_and_the_others_go_on(member):
    member.goto("/deposits/new")
    choose(member, file("good.png", unique()), file("bad.png", unique()))
    field = row(member, "bad.png").get_by_label("Title")
    field.evaluate("field => { field.removeAttribute('maxlength'); field.value = 'x'.repeat(301); }")
    member.get_by_role("button", name="Deposit 2").click()
    expect(state(member, "good.png")).to_have_text("Published")
    expect(state(member, "bad.png")).to_have_text("Not deposited")
    expect(row(member, "bad.png").locator("[data-status]")).to_contain_text("300")
    field.fill("Short enough")
    member.get_by_role("button", name="Deposit 1").click()
    expect(state(member, "bad.png")).to_have_text("Published")


def test_a_kept_file_is_uploaded_and_comes_back_as_it_was(member):
    data = unique() * 1000
    member.goto("/deposits/new")
    member.get_by_label("Keep the files here too").check()
    choose(member, file("kept 灯.bin", data, "application/octet-stream"))
    member.get_by_role("button", name="Deposit 1").click()
    expect(state(member, "kept 灯.bin")).to_have_text("Published")
    row(member, "kept 灯.bin").get_by_role("link", name="Details").click()
    with member.expect_download() as coming:
        member.get_by_role("link", name="Download the kept file").click()
    assert coming.value.suggested_filename == "kept 灯.bin"
    assert coming.value.path().read_bytes() == data


def test_an_upload_goes_on_where_it_stopped_after_a_reload(member, no_console_errors: Watch):
    no_console_errors.allow("ERR_FAILED|ERR_INTERNET_DISCONNECTED")
    data = unique() + bytes(5 * PIECE)
    offsets: list[int] = []
    in_small_pieces(member)

    def cut(route: Route) -> None:
        if route.request.method == "PATCH":
            offsets.append(int(route.request.headers["upload-offset"]))
            if len(offsets) == 2:
                route.abort("failed")
                with contextlib.suppress(Error):  # the page has been left already, which stops it as well
                    member.evaluate("window.stop()")
                return
        route.continue_()

    for attempt in (1, 2):
        member.goto("/deposits/new")
        member.get_by_label("Keep the files here too").check()
        if attempt == 1:
            member.route("**/uploads/**", cut)
        choose(member, file("film.bin", data, "application/octet-stream"))
        expect(state(member, "film.bin")).to_have_text("Ready")
        member.get_by_role("button", name="Deposit 1").click()
        if attempt == 1:
            expect(state(member, "film.bin")).to_have_text(re.compile("Uploading|Paused"))
            until(lambda: len(offsets) >= 2 or member.wait_for_timeout(100))
            member.unroute("**/uploads/**")
            member.once("dialog", lambda dialog: dialog.accept())
            offsets.clear()
            member.on(
                "request",
                lambda request: request.method == "PATCH" and offsets.append(int(request.headers["upload-offset"])),
            )
    expect(state(member, "film.bin")).to_have_text("Published")
    assert min(offsets) >= PIECE


def test_an_upload_can_be_paused_and_resumed(member):
    in_small_pieces(member)
    member.goto("/deposits/new")
    member.get_by_label("Keep the files here too").check()
    # Each piece takes its time, so that there is something to pause.
    member.route("**/uploads/**", lambda route: (member.wait_for_timeout(300), route.continue_()))
    choose(member, file("slow.bin", unique() + bytes(10 * PIECE), "application/octet-stream"))
    expect(state(member, "slow.bin")).to_have_text("Ready")
    member.get_by_role("button", name="Deposit 1").click()
    row(member, "slow.bin").get_by_role("button", name="Pause").click()
    expect(state(member, "slow.bin")).to_have_text("Paused")
    row(member, "slow.bin").get_by_role("button", name="Go on").click()
    expect(state(member, "slow.bin")).to_have_text("Published")


def test_a_file_that_changed_on_disk_before_its_upload_is_not_deposited(member, tmp_path):
    path = tmp_path / "changing.bin"
    path.write_bytes(unique())
    member.goto("/deposits/new")
    member.get_by_label("Keep the files here too").check()
    member.locator("[data-choose]").set_input_files(path)
    expect(state(member, "changing.bin")).to_have_text("Ready")
    path.write_bytes(unique("something else entirely"))
    member.get_by_role("button", name="Deposit 1").click()
    expect(state(member, "changing.bin")).to_have_text("Not readable")
    expect(row(member, "changing.bin")).to_contain_text("changed, moved or deleted")


def test_everything_can_be_done_with_the_keyboard(member):
    member.goto("/deposits/new")
    member.locator("[data-choose]").focus()
    with member.expect_file_chooser() as chooser:
        member.evaluate("0")  # Playwright does not wait until choosers come to it; a busy machine may press before
        member.keyboard.press("Space")
    chooser.value.set_files([{"name": "keys.png", "mimeType": "image/png", "buffer": unique()}])
    expect(state(member, "keys.png")).to_have_text("Ready")
    for _ in range(30):
        member.keyboard.press("Tab")
        if member.evaluate("document.activeElement.matches('[data-submit]')"):
            break
    member.keyboard.press("Enter")
    expect(state(member, "keys.png")).to_have_text("Published")


def test_a_shared_receipt_is_read_without_an_account(member, open_page):
    member.goto("/deposits/new")
    choose(member, file("shared.png", unique()))
    member.get_by_role("button", name="Deposit 1").click()
    expect(state(member, "shared.png")).to_have_text("Published")
    row(member, "shared.png").get_by_role("link", name="Details").click()
    member.get_by_role("button", name="Make a link").click()
    link = member.locator("#share-link").get_attribute("href")
    stranger = open_page()
    stranger.goto(link)
    expect(stranger.locator(".existed")).to_contain_text("Existed by")
    assert stranger.locator("img.qr").evaluate("image => image.complete && image.naturalWidth > 0")
    with stranger.expect_download() as coming:
        stranger.get_by_role("link", name="Receipt (.tlog-proof)").click()
    assert coming.value.suggested_filename == "shared.png.tlog-proof"


@pytest.mark.parametrize(("locale", "language"), [("en-GB", "en"), ("zh-CN", "zh-Hans")])
def test_every_page_is_clean_for_axe_and_fits_a_phone(open_page, no_console_errors: Watch, locale, language):
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

    page.goto("/deposits/")
    look("empty list")
    page.goto("/deposits/new")
    look("deposit page")
    choose(page, file("a lantern over the water, first sketch.png", unique()), file("empty.png", b""))
    expect(page.locator(".file-row[data-state=ready]")).to_have_count(1)
    look("files chosen")
    page.locator("[data-submit]").click()
    expect(page.locator(".file-row[data-state=published]")).to_have_count(1)
    look("published")
    page.locator("[data-link-detail]").first.click()
    page.locator("form[action$='/share'] button").click()
    look("detail")
    link = page.locator("#share-link").get_attribute("href")
    for path in (
        link,
        "/r/nothing",
        "/deposits/",
        "/deposits/?q=nowhere",
        "/explorer/",
        "/explorer/entries",
        "/explorer/entries/2",
        "/explorer/entries?digest=hello",
        "/explorer/checkpoints",
        "/explorer/consistency?old=2&new=3",
        "/explorer/consistency?old=x&new=y",
        "/explorer/keys",
        "/explorer/policy",
    ):
        page.goto(path)
        look(path)
    assert troubles == []


def test_the_language_is_switched_without_losing_the_page(member):
    member.goto("/explorer/keys")
    speak(member, "zh-hans")
    expect(member).to_have_url(re.compile("/explorer/keys$"))
    expect(member.get_by_role("heading", level=1)).to_have_text("密钥")
    speak(member, "en")
    expect(member.get_by_role("heading", level=1)).to_have_text("Keys")


def test_the_page_without_javascript_deposits_one_file(open_page):
    page = open_page(java_script_enabled=False)
    sign_up(page)
    page.goto("/deposits/new")
    form = page.locator(".plain-form")
    form.get_by_label("File", exact=True).set_input_files([file("plain.png", unique())])
    form.get_by_label("Author").fill("Mei Lan")
    form.get_by_role("button", name="Deposit", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("plain.png")
