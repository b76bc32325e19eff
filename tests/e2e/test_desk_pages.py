"""The pages of a court's desk in a browser: sign in, read a filing with its checks, accept it. No platform runs."""

from __future__ import annotations

import io
import socket
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from uuid import UUID

import pytest
from playwright.sync_api import Browser, expect
from world.browser import DESKTOP, PHONE, Watch, axe, fits
from world.bundles import built
from world.patience import HANG_MS

from chopmark import law
from chopmark.desk import wire
from chopmark.desk.clerks import Clerks
from chopmark.desk.home import DeskHome, Settings, found_desk
from chopmark.desk.office import Office
from chopmark.desk.store import Store
from chopmark.desk.web import application
from chopmark.evidence.bundle.container import Container
from chopmark.evidence.bundle.manifest import MANIFEST_NAME, MAX_MANIFEST, Manifest
from chopmark.member.logs import Lines
from chopmark.member.serving import served

pytestmark = pytest.mark.browser

AT = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
CLERK, PASSWORD = "lin", "a lantern for the clerk"
ORIGIN = "log.example"
TOKEN = UUID(int=7)


def filing() -> tuple[wire.Filing, bytes]:
    """A filing of every part, and its bundle."""
    made, data = built()
    manifest = Manifest.parse(Container(io.BytesIO(data)).read(MANIFEST_NAME, MAX_MANIFEST))
    party = wire.Party(
        role="plaintiff",
        type="organisation",
        name="明兰工作室 <b>studio</b>",
        id_type="USCC",
        id_number="91330100MA2KXXXXXX",
        country="CN",
        address="杭州市西湖区某路1号",
        phone="0571-00000000",
        email="mei@example.com",
        representative="梅兰",
    )
    evidence = tuple(
        wire.EvidenceLine(
            id=item.id,
            kind=item.kind,
            title=item.title.zh,
            purpose=item.purpose.zh,
            source="kept by the depositor",
            form="original",
            files=tuple(wire.FileLine(path=each.path, size=each.size, sha256=each.sha256) for each in item.files),
            deposits=(),
        )
        for item in manifest.items
    )
    court = law.court("hangzhou")
    message = wire.Filing(
        form="chopmark-filing-1",
        token=TOKEN,
        revision=1,
        number="F-2026-000001",
        at=AT,
        origin=ORIGIN,
        organisation="Mei Lan's studio",
        court=court.code,
        profile=court.version,
        cause="trademark_infringement",
        template="trademark_counterfeit/1",
        parties=(party,),
        agents=(
            wire.Agent(
                parties=(1,),
                name="陈律师",
                organisation="某律所",
                licence="1",
                authority="general",
                phone="0571-1",
                email="c@example.com",
                power_of_attorney="E-002",
            ),
        ),
        claims=(wire.Claim(text="停止侵权", amount_fen=None), wire.Claim(text="赔偿", amount_fen=50_000_000)),
        amount_fen=50_000_000,
        facts=(wire.Fact(text="被告销售假冒灯笼", evidence=("E-001",)),),
        elements={"marks": [{"number": "1234567", "owner": "明兰工作室", "classes": [11]}]},
        evidence=evidence,
        bundle=wire.BundleRef(number=manifest.bundle, size=made.size, sha256=made.sha256),
        fee=wire.FeeLine(least_fen=880_000, most_fen=880_000, rule="2006"),
        delivery=wire.Delivery(name="陈律师", address="杭州", phone="0571-1", email="c@example.com", electronic=True),
        mediation=True,
        declaration=wire.Declaration(by="梅兰", previewed_at=AT, agreed_at=AT),
        note="",
    )
    return message, data


@pytest.fixture
def court(tmp_path) -> Iterator[tuple[str, Office]]:
    """A court's desk with one filing that came in and was checked."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    home, url = DeskHome(tmp_path / "court"), f"http://127.0.0.1:{port}"
    settings = Settings(
        name="hangzhou-court",
        kind="court",
        zh="杭州互联网法院立案窗口（模拟）",
        en="Hangzhou Internet Court, filing desk (simulator)",
        profile="hangzhou",
        simulated=True,
        host="127.0.0.1",
        port=port,
        url=url,
    )
    found_desk(home, settings, AT)
    with closing(Store(home.database)) as store:
        clerks = Clerks(store, cost=1 << 4)
        clerks.add(CLERK, PASSWORD, AT)
        office = Office(home, settings, home.key(), store)
        message, data = filing()
        office.take(message, ORIGIN, AT)
        office.piece(TOKEN, ORIGIN, 0, data, AT)
        assert office.work(AT)
        with served(application(office, clerks, Lines("desk")), port=port):
            yield url, office


@pytest.mark.parametrize(("locale", "tag"), [("en-GB", "en"), ("zh-CN", "zh-Hans")])
def test_a_clerk_signs_in_reads_the_checks_and_accepts(court: tuple[str, Office], browser: Browser, locale, tag):
    url, office = court
    watch, troubles = Watch(url), []
    context = browser.new_context(viewport=DESKTOP, locale=locale, base_url=url)
    context.set_default_timeout(HANG_MS)
    watch.attach(context)
    watch.allow("403|404|422")  # wrong password, no such case, a form that lacks its reasons
    page = context.new_page()

    def look(name: str) -> None:
        assert page.locator("html").get_attribute("lang") == tag
        troubles.extend(f"{name}: {finding}" for finding in axe(page))
        page.set_viewport_size(PHONE)
        if not fits(page):
            troubles.append(f"{name}: sticks out at {PHONE['width']} px")
        page.set_viewport_size(DESKTOP)

    page.goto("/")
    expect(page).to_have_url(f"{url}/sign-in")
    look("sign in")
    page.locator("#name").fill(CLERK)
    page.locator("#password").fill("a wrong password")
    page.locator("main form button").click()
    expect(page.locator("#error")).to_be_visible()
    look("wrong password")
    page.locator("#password").fill(PASSWORD)
    page.locator("main form button").click()
    expect(page).to_have_url(f"{url}/")
    look("list")
    page.locator("main tbody a").click()
    expect(page.locator("main table tbody tr")).to_have_count(2)
    expect(page.locator("main table .codes").first).to_be_visible()
    expect(page.locator("main b")).to_have_count(0)
    page.locator("summary").click()
    look("case")
    page.locator("#step-refused").check()
    page.locator("#decide + form button").click()
    expect(page.locator("#error")).to_be_visible()
    look("reasons are missing")
    page.locator("#step-accepted").check()
    page.locator("#fee").fill("8800")
    page.locator("#decide + form button").click()
    expect(page.locator("main h1")).to_contain_text("民初1号")
    look("accepted")
    assert office.case(TOKEN).state == "accepted"
    page.goto("/cases/not-a-case")
    look("trouble")
    page.goto("/")
    page.locator("header form[action='/sign-out'] button").click()
    expect(page).to_have_url(f"{url}/sign-in")
    context.close()
    assert troubles == []
    assert watch.unexpected() == []
