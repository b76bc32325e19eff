"""A desk on this machine beside the platform of a test: real HTTP one way, the real application the other way.

The platform's clock is the test's; the desk's worker and courier are called by hand with the same time.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
from django.core.wsgi import get_wsgi_application

from chopmark.base.clock import now
from chopmark.cases import actions as cases
from chopmark.cases.wiring import platform_card
from chopmark.desk import codec
from chopmark.desk.clerks import Clerks
from chopmark.desk.delivery import Courier
from chopmark.desk.home import DeskHome, Settings, found_desk
from chopmark.desk.office import Office
from chopmark.desk.store import Store
from chopmark.desk.web import application
from chopmark.evidence import actions, wiring
from chopmark.evidence.actions import NewFile, NewItem, NewMatter
from chopmark.evidence.actions.work import Tools, work
from chopmark.evidence.matters import Both, BundleSummary, MatterSummary, bundles_of
from chopmark.evidence.sealing import Seal
from chopmark.member.logs import Lines
from chopmark.member.serving import served
from chopmark.site import desks as site_desks
from world.jobs import TestStamper
from world.pages import PageWorld, Person
from world.tsa import TsaWorld

CLERK, PASSWORD = "lin", "a lantern for the clerk"
PARTY = {
    "role": "plaintiff",
    "type": "organisation",
    "name": "明兰工作室",
    "id_type": "USCC",
    "id_number": "91330100MA2KXXXXXX",
    "country": "CN",
    "address": "杭州市西湖区某路1号",
    "phone": "0571-00000000",
    "representative": "梅兰",
}
ELEMENTS = {
    "marks": [{"number": "1234567", "owner": "明兰工作室", "classes": [11]}],
    "listings": [{"url": "https://shop.example/lantern"}],
}
STEPS = {
    "court": {"court": "hangzhou", "cause": "trademark_infringement"},
    "parties": {
        "parties": [PARTY, {"role": "defendant", "type": "person", "name": "某店主", "address": "不详"}],
        "agents": [
            {"parties": [1], "name": "陈律师", "organisation": "某律所", "licence": "1", "power_of_attorney": "E-002"}
        ],
    },
    "claims": {
        "claims": [{"text": "停止侵权"}, {"text": "赔偿", "amount_fen": 50_000_000}],
        "amount_fen": 50_000_000,
        "facts": [{"text": "被告销售假冒灯笼", "evidence": ["E-001"]}],
        "elements": ELEMENTS,
        "mediation": True,
    },
    "confirm": {
        "delivery": {"name": "陈律师", "address": "杭州", "phone": "0571-1", "email": "c@example.com"},
        "declared_by": "梅兰",
    },
}
ORDER = {"reason": "litigation", "applicant": PARTY, "documents": ["E-002"], "declared_by": "梅兰"}


@dataclass
class DeskWorld:
    """One desk; `office` is what it does, `url` where it answers."""

    home: DeskHome
    office: Office
    courier: Courier
    url: str
    opened: ExitStack

    def turn(self, at: Any) -> None:
        """What its threads would do by themselves: check, sign, tell."""
        while self.office.work(at):
            pass
        while self.courier.deliver(self.home.platform_cards(), at):
            pass

    def clerk(self) -> httpx.Client:
        """A browser with a clerk signed in."""
        browser = self.opened.enter_context(
            httpx.Client(base_url=self.url, headers={"Accept": "text/html", "Accept-Language": "en"})
        )
        answer = browser.post("/sign-in", data={"name": CLERK, "password": PASSWORD})
        assert answer.status_code == 303, answer.text
        return browser


@contextmanager
def desk(world: PageWorld, folder: Path, kind: str = "court") -> Iterator[DeskWorld]:
    """A desk that the platform adopted and that lets the platform file; it answers while inside."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    home = DeskHome(folder)
    settings = Settings(
        name="hangzhou-court" if kind == "court" else "notary-office",
        kind=kind,  # type: ignore[arg-type]  # of the two
        zh="法院（模拟）",
        en="Desk (simulator)",
        profile="hangzhou" if kind == "court" else None,
        simulated=True,
        host="127.0.0.1",
        port=port,
        url=f"http://127.0.0.1:{port}",
    )
    found_desk(home, settings, world.at)
    site_desks.adopt(world.home, home.card_file.read_bytes())
    home.adopt_platform(codec.canonical(platform_card()), wiring.own_trust().encode())
    store = Store(home.database)
    clerks = Clerks(store, cost=1 << 4)
    clerks.add(CLERK, PASSWORD, world.at)
    stamper = TestStamper(tsa=TsaWorld(at=world.at)) if kind == "notary" else None
    seal = Seal.load(home.seal, [stamper], now=lambda: world.at) if stamper else None
    office = Office(home, settings, home.key(), store, seal=seal, stampers=[stamper] if stamper else [])
    with ExitStack() as opened:
        opened.callback(store.close)
        opened.enter_context(served(application(office, clerks, Lines("desk")), port=port))
        client = opened.enter_context(httpx.Client(transport=httpx.WSGITransport(get_wsgi_application())))
        courier = Courier(store, home.key(), client)
        yield DeskWorld(home=home, office=office, courier=courier, url=settings.url, opened=opened)


def uploaded(world: PageWorld, person: Person, data: bytes, name: str, kind: str = "application/pdf") -> Any:
    """A finished upload."""
    made = actions.start_upload(length=len(data), file_name=name, file_type=kind, by=person.actor, at=world.now())
    actions.append_upload(made.id, offset=0, chunks=[data], by=person.actor, at=world.now())
    return made.id


def matter_with_bundle(world: PageWorld, person: Person, made: Tools) -> tuple[MatterSummary, BundleSummary]:
    """A matter with a picture and a power of attorney, on the log, in a finished bundle."""
    new = NewMatter(template="trademark_counterfeit", title=Both(zh="假冒灯笼案", en="Counterfeit lanterns"))
    matter = actions.open_matter(new, by=person.actor, at=world.now())
    for kind, title, data in (
        ("photograph", "侵权商品照片", b"a picture"),
        ("document", "授权委托书", b"%PDF-1.7 power"),
    ):
        upload = uploaded(world, person, data, f"{kind}.pdf")
        item = NewItem(kind=kind, title=Both(zh=title), purpose=Both(zh="证明侵权"), files=(NewFile(upload=upload),))
        actions.add_item(matter.id, item, by=person.actor, at=world.now())
    world.publish()
    actions.request_bundle(matter.id, by=person.actor, at=world.now())
    bundle = None
    for _ in range(20):
        work(made, world.now)
        world.publish()
        [bundle] = bundles_of(person.actor, matter.id)
        if bundle.state == "done":
            return matter, bundle
        world.at += timedelta(minutes=1)
    raise AssertionError(bundle)


def carried(world: PageWorld) -> int:
    """What the courier carries now; an event's answer is due by the real clock, which is later."""
    return cases.carry(at=now(), clock=world.now)
