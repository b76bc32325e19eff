"""The demo's matter: a copied picture, from the first item of evidence to the court's case number.

Everything is done by the actions that pages and commands call, by the worker's code and by the desks' own offices, all
in this process: the local desks answer over HTTP on free ports while it lasts, and a clerk of each decides. What is
there already stays, so a run that was cut off goes on where it was, and one after the last changes nothing.

Nothing of this is needed to run a platform, and no other code calls it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from chopmark.base import clock
from chopmark.base.errors import Refused, Unavailable
from chopmark.cases import actions as cases
from chopmark.cases import queries, wiring
from chopmark.cases.gateway import HttpGateway
from chopmark.cli.embedded import write_batch
from chopmark.desk.clerks import Clerks
from chopmark.desk.delivery import Courier
from chopmark.desk.home import DeskHome, held
from chopmark.desk.office import Decision, Office
from chopmark.desk.server import open_office
from chopmark.desk.store import Store
from chopmark.desk.web import application
from chopmark.desk.wire import DeskCard, EventKind
from chopmark.evidence import actions, matters
from chopmark.evidence import wiring as evidence
from chopmark.evidence.actions import NewCapture, NewFile, NewItem, NewMatter
from chopmark.evidence.actions.work import Tools, give_back, work
from chopmark.evidence.matters import Both
from chopmark.member.logs import Lines
from chopmark.member.serving import served
from chopmark.people.actor import Actor
from chopmark.site import tsa
from chopmark.site.config import Config
from chopmark.site.demo_shop import PAGE, demo_shop
from chopmark.site.desks import CLERK, introduce, local_desks
from chopmark.site.jobs import alone, make_tools

if TYPE_CHECKING:
    from chopmark.desk.wire import Kind

PATIENCE = 300.0
"""Seconds for one part: the log's members, the desks and the authority all run on this machine."""
START_PATIENCE = 180.0
TITLE = Both(zh="青浪图案丝巾著作权案（示范）", en="Scarf with blue waves (demonstration)")
CODE_LIFE = timedelta(days=30)
PLAINTIFF = {
    "role": "plaintiff",
    "type": "organisation",
    "name": "青浪工作室 Blue Wave Studio",
    "id_type": "USCC",
    "id_number": "91330100DEMO000001",
    "country": "CN",
    "address": "杭州市示范路 1 号",
    "phone": "0571-00000000",
    "email": "rights@blue-wave.example",
    "representative": "林青",
}
DEFENDANT = {
    "role": "defendant",
    "type": "person",
    "name": "shop-2291（港边小铺经营者）",
    "country": "CN",
    "address": "浙江省义乌市（平台披露）",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Exhibit:
    """An item made from one of the demo's files."""

    name: str
    media_type: str
    kind: str
    phase: str
    title: Both
    purpose: Both
    source: Mapping[str, str]
    role: str = "original"


EXHIBITS = (
    _Exhibit(
        name="blue-wave.png",
        media_type="image/png",
        kind="work",
        phase="rights",
        title=Both(zh="作品《青浪一号》", en="The work Blue Wave No. 1"),
        purpose=Both(zh="证明权利人的作品及其存证时间", en="Shows the work, and by when it existed"),
        source={"author": "Lin Qing 林青"},
    ),
    _Exhibit(
        name="power-of-attorney.txt",
        media_type="text/plain",
        kind="document",
        phase="rights",
        title=Both(zh="授权委托书", en="Power of attorney"),
        purpose=Both(zh="证明代理人有权立案", en="Shows that the agent may file"),
        source={"from": "Blue Wave Studio"},
        role="copy",
    ),
    _Exhibit(
        name="purchase-record.txt",
        media_type="text/plain",
        kind="purchase",
        phase="infringement",
        title=Both(zh="试购记录", en="Record of a test purchase"),
        purpose=Both(zh="证明被告实际销售该商品", en="Shows that the shop sold the scarf"),
        source={"order": "2026-1120-55017", "buyer": "Chen Hai 陈海"},
    ),
    _Exhibit(
        name="parcel.png",
        media_type="image/png",
        kind="photograph",
        phase="infringement",
        title=Both(zh="开箱照片", en="Photograph of the opened parcel"),
        purpose=Both(zh="证明收到的商品印有该图案", en="Shows the print on the scarf that came"),
        source={"taken_by": "Chen Hai 陈海"},
    ),
    _Exhibit(
        name="letter.eml",
        media_type="message/rfc822",
        kind="correspondence",
        phase="notice",
        title=Both(zh="致店铺的通知及回复", en="Letter to the shop, and its answer"),
        purpose=Both(zh="证明被告知悉后继续销售", en="Shows that the shop knew and went on selling"),
        source={"to": "shop-2291@market.example"},
    ),
    _Exhibit(
        name="invoice.pdf",
        media_type="application/pdf",
        kind="invoice",
        phase="damages",
        title=Both(zh="购买发票", en="Invoice of the purchase"),
        purpose=Both(zh="证明价格与取证费用", en="Shows the price and the cost of the evidence"),
        source={"number": "0026-1120-7781"},
    ),
)
CAPTURE = Both(zh="商品页面固证", en="Capture of the shop's page")


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoMatter:
    """What was made.

    Attributes:
        bundle: file of the newest bundle, below the demo's folder.
        filing, case: numbers of the filing and of the court's case; empty without local desks.
        captured: whether the shop's page is among the evidence.
    """

    matter: str
    bundle: Path
    filing: str
    case: str
    captured: bool

    def told(self) -> dict[str, Any]:
        """For programs."""
        return {
            "matter": self.matter,
            "bundle": str(self.bundle),
            "filing": self.filing,
            "case": self.case,
            "captured": self.captured,
        }


def make_matter(place: Path, config: Config, by: Actor) -> DemoMatter:
    """The matter with all that belongs to it; call it while the local members run.

    Raises:
        Refused: `site.worker_running`, `desk.running` while `chopmark serve` has them and something is left to do.
        Unavailable: `site.demo_stuck` when a part does not come to its end in time.
    """
    made = finished(place, by)
    if made is not None:
        return made
    matter = _known(by) or _opened(by)
    with ExitStack() as opened:
        name = opened.enter_context(alone(place))
        opened.enter_context(_authority(place))
        give_back(name, clock.now())
        _exhibits(matter, by)
        _capture(name, matter, config, by)
        tools = make_tools(name, replace(config, capture_allow=()))
        bundle = _bundle(tools, matter, by)
        offices = opened.enter_context(_offices(place))
        if "notary" in offices:
            _notarised(offices["notary"], matter, bundle, by)
        if "court" in offices:
            _filed(offices["court"], matter, by)
        _guarded(place, matter, by)
        publish()
    made = finished(place, by)
    if made is None:
        raise Unavailable("site.demo_stuck", part="matter")
    return made


def finished(place: Path, by: Actor) -> DemoMatter | None:
    """What there is, once there is all that this home can have; the newest bundle is then beside the demo's files."""
    matter = _known(by)
    if matter is None:
        return None
    done = [each for each in matters.bundles_of(by, matter.id) if each.state == "done"]
    kinds = {desk.settings().kind for desk in local_desks(place)}
    filings = [each for each in queries.filings_of(by, matter_id=matter.id) if each.court_number]
    if not done or not matters.grants_of(by, matter.id, clock.now()) or ("court" in kinds and not filings):
        return None
    source, name = matters.bundle_file(by, done[0].id)
    target = place / "demo" / name
    if not target.is_file():
        target.write_bytes(source.read_bytes())
    captured = any(each.state in ("done", "partial") for each in matters.captures_of(by, matter.id))
    filing = filings[-1] if filings else None
    return DemoMatter(
        matter=matter.number,
        bundle=target,
        filing=filing.number if filing else "",
        case=filing.court_number if filing else "",
        captured=captured,
    )


def _known(by: Actor) -> matters.MatterSummary | None:
    known = [each for each in matters.matters_of(by, q=TITLE.en) if each.title.en == TITLE.en]
    return known[-1] if known else None


def _opened(by: Actor) -> matters.MatterSummary:
    new = NewMatter(template="copyright_online", title=TITLE, court_profile="hangzhou")
    return actions.open_matter(new, by=by, at=clock.now())


# ---- evidence --------------------------------------------------------------------------------------------------------


def _exhibits(matter: matters.MatterSummary, by: Actor) -> None:
    known = {each.title.en for each in matters.items_of(by, matter.id)}
    for each in EXHIBITS:
        if each.title.en in known:
            continue
        new = NewItem(
            kind=each.kind,
            title=each.title,
            purpose=each.purpose,
            source=each.source,
            phase=each.phase,
            role=each.role,
            files=(NewFile(upload=_uploaded(each, by)),),
        )
        actions.add_item(matter.id, new, by=by, at=clock.now(), door="cli")


def _uploaded(each: _Exhibit, by: Actor) -> Any:  # noqa: ANN401 (an id)
    data = files("chopmark.site").joinpath("demo_files", each.name).read_bytes()
    made = actions.start_upload(length=len(data), file_name=each.name, file_type=each.media_type, by=by, at=clock.now())
    actions.append_upload(made.id, offset=0, chunks=[data], by=by, at=clock.now())
    return made.id


def _capture(name: str, matter: matters.MatterSummary, config: Config, by: Actor) -> None:
    """Capture the shop's page, where this machine has a browser; a request of a run that was cut off is taken back."""
    before = matters.captures_of(by, matter.id)
    if any(each.state in ("done", "partial") for each in before):
        return
    for each in before:
        if each.state == "queued":  # its shop is gone
            actions.cancel_capture(each.id, by=by, at=clock.now())
    with demo_shop() as door:
        tools = make_tools(name, replace(config, capture_allow=(door,)))
        if tools.capture is None:
            return
        new = NewCapture(
            url=f"http://{door}{PAGE}",
            title=CAPTURE,
            purpose=Both(zh="证明店铺页面展示并销售该商品", en="Shows that the shop offered the scarf"),
            phase="infringement",
        )
        asked = actions.request_capture(matter.id, new, by=by, at=clock.now())
        _until(
            "capture",
            lambda: matters.capture_of(by, asked.id).state not in ("queued", "running"),
            lambda: work(tools, clock.now),
        )


def _bundle(tools: Tools, matter: matters.MatterSummary, by: Actor) -> matters.BundleSummary:
    def live() -> list[matters.BundleSummary]:
        wanted = ("queued", "running", "done")
        return [each for each in matters.bundles_of(by, matter.id) if each.state in wanted and not each.signed_from]

    if not live():
        actions.request_bundle(matter.id, by=by, at=clock.now())

    def turn() -> None:
        publish()
        work(tools, clock.now)

    _until("bundle", lambda: live()[-1].state == "done", turn)
    return live()[-1]


def _guarded(place: Path, matter: matters.MatterSummary, by: Actor) -> None:
    """A legal hold, and a code with which the court may look; the code goes into a file of the demo."""
    if not matter.held and not matters.holds_of(by, matter.id):
        actions.hold(matter.id, reason="诉讼进行中 · litigation is pending", by=by, at=clock.now())
    if matters.grants_of(by, matter.id, clock.now()):
        return
    code, _ = actions.grant(
        matter.id,
        given_to="杭州互联网法院 Hangzhou Internet Court",
        purpose="示范 · demonstration",
        life=CODE_LIFE,
        by=by,
        at=clock.now(),
    )
    note = place / "demo" / "access-code.txt"
    note.touch(mode=0o600)
    note.write_text(f"{code}\n", "ascii")


# ---- desks -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Desk:
    """A local desk while its office works in this process."""

    office: Office
    home: DeskHome
    courier: Courier
    url: str

    def turn(self) -> None:
        """What the desk's threads and the platform's courier do by themselves."""

        def connect(card: DeskCard) -> HttpGateway:
            here = replace(card, url=self.url) if card.name == self.office.settings.name else card
            return HttpGateway(here, wiring.node_key(), evidence.origin())

        cases.carry(connect, at=clock.now(), clock=clock.now)
        while self.office.work(clock.now()):
            pass
        while self.courier.deliver(self.home.platform_cards(), clock.now()):
            pass

    def decide(self, about: Any, step: EventKind, *reasons: str) -> None:  # noqa: ANN401 (an id)
        """A clerk's decision, unless it has been made."""
        if step in self.office.case(about).steps:
            self.office.decide(about, Decision(step=step, reasons=reasons), CLERK, clock.now())


@contextmanager
def _offices(place: Path) -> Iterator[dict[Kind, _Desk]]:
    """The local desks at work; what they say goes to this platform's own application. None without local desks."""
    if not local_desks(place):  # a home that was made without local members; its platform has no key for desks either
        yield {}
        return
    from django.core.wsgi import get_wsgi_application  # noqa: PLC0415 (the framework is set up by the caller)

    introduce(place, evidence.base_url())
    found: dict[Kind, _Desk] = {}
    with ExitStack() as opened:
        client = opened.enter_context(httpx.Client(transport=httpx.WSGITransport(get_wsgi_application())))
        for home in local_desks(place):
            opened.enter_context(held(home))
            store = Store(home.database)
            opened.callback(store.close)
            office = open_office(home, store)
            server = opened.enter_context(served(application(office, Clerks(store), Lines("desk"))))
            found[office.settings.kind] = _Desk(
                office=office,
                home=home,
                courier=Courier(store, home.key(), client),
                url=f"http://127.0.0.1:{server.port}",
            )
        yield found


def _notarised(desk: _Desk, matter: matters.MatterSummary, bundle: matters.BundleSummary, by: Actor) -> None:
    """The notary looks the bundle through and signs it; the signed one joins the matter."""
    orders = queries.orders_of(by, matter_id=matter.id)
    if orders:
        order = orders[-1]
    else:
        data = {
            "reason": "litigation",
            "applicant": PLAINTIFF,
            "documents": [bundle.items[0]],
            "declared_by": "林青 Lin Qing",
        }
        notary = desk.office.settings.name
        order = cases.order_notarisation(matter.id, bundle.id, notary, by=by, at=clock.now(), data=data)
    if order.state == "draft":
        shown = cases.preview_order(order.id, by=by, at=clock.now())
        cases.place_order(order.id, by=by, at=clock.now(), shown=shown.sha256)

    def state() -> str:
        return queries.order_of(by, order.id).state

    _until("order", lambda: state() != "sending", desk.turn)
    desk.decide(order.id, "issued")
    _until("notary", lambda: state() == "joined", desk.turn)


def _filed(desk: _Desk, matter: matters.MatterSummary, by: Actor) -> None:
    """The filing, step by step as a person fills it in; a clerk accepts it."""
    filings = queries.filings_of(by, matter_id=matter.id)
    filing = filings[-1] if filings else cases.draft_filing(matter.id, by=by, at=clock.now())
    if filing.state == "draft":
        for step, data in _steps(matter, by).items():
            cases.save_step(filing.id, step, data, by=by, at=clock.now())
        shown = cases.preview_filing(filing.id, by=by, at=clock.now())
        cases.submit_filing(filing.id, by=by, at=clock.now(), shown=shown.sha256)

    def state() -> str:
        return queries.filing_of(by, filing.id).state

    _until("filing", lambda: state() != "sending", desk.turn)
    desk.decide(filing.id, "accepted", "材料齐全，准予立案（模拟） · complete, case opened (simulated)")
    _until("court", lambda: state() == "accepted", desk.turn)


def _steps(matter: matters.MatterSummary, by: Actor) -> dict[str, dict[str, Any]]:
    """What the filing says; evidence is named by its numbers in the matter."""
    numbers = {each.title.en: each.number for each in matters.items_of(by, matter.id)}
    at = {each.name: numbers[each.title.en] for each in EXHIBITS}
    pages = matters.captures_of(by, matter.id)
    captured = [numbers[CAPTURE.en]] if CAPTURE.en in numbers else []
    work_ = next(each for each in matters.items_of(by, matter.id) if each.number == at["blue-wave.png"])
    return {
        "court": {"court": "hangzhou", "cause": "copyright_network"},
        "parties": {
            "parties": [PLAINTIFF, DEFENDANT],
            "agents": [
                {
                    "parties": [1],
                    "name": "周砚 Zhou Yan",
                    "organisation": "砚田律师事务所（虚构）",
                    "licence": "13301DEMO0001",
                    "phone": "0571-00000001",
                    "power_of_attorney": at["power-of-attorney.txt"],
                }
            ],
        },
        "claims": {
            "claims": [
                {"text": "判令被告立即停止销售印有《青浪一号》图案的商品"},
                {"text": "判令被告赔偿经济损失及合理开支", "amount_fen": 5_000_000},
            ],
            "amount_fen": 5_000_000,
            "facts": [
                {"text": "原告创作《青浪一号》并完成存证。", "evidence": [at["blue-wave.png"]]},
                {
                    "text": "被告店铺展示并销售印有该图案的丝巾，原告试购并取得发票。",
                    "evidence": [*captured, at["purchase-record.txt"], at["parcel.png"], at["invoice.pdf"]],
                },
                {"text": "原告通知后被告继续销售。", "evidence": [at["letter.eml"]]},
            ],
            "elements": {
                "works": [
                    {
                        "title": "青浪一号",
                        "author": "林青",
                        "kind": "picture",
                        "completed": "2026-05-12",
                        "deposit": work_.files[0].deposit_number,
                    }
                ],
                "listings": [
                    {"url": pages[-1].url if pages else f"https://market.example{PAGE}", "seller": "shop-2291"}
                ],
            },
            "mediation": True,
        },
        "confirm": {
            "delivery": {
                "name": "周砚 Zhou Yan",
                "address": "杭州市示范路 2 号",
                "phone": "0571-00000001",
                "email": "zhou@yantian.example",
                "electronic": True,
            },
            "declared_by": "林青 Lin Qing",
        },
    }


# ---- what all parts use ----------------------------------------------------------------------------------------------


def publish() -> None:
    """Write what waits to the log, and wait for its members; the first statement under a new quorum, say."""
    until = time.monotonic() + PATIENCE
    while evidence.book().pending_count():
        if not write_batch():
            time.sleep(0.2)
        if time.monotonic() > until:
            raise Unavailable("site.demo_stuck", part="log")


def _until(part: str, done: Callable[[], bool], turn: Callable[[], object]) -> None:
    """Take turns until it is done.

    Raises:
        Unavailable: `site.demo_stuck`.
    """
    until = time.monotonic() + PATIENCE
    while not done():
        if time.monotonic() > until:
            raise Unavailable("site.demo_stuck", part=part)
        turn()
        time.sleep(0.05)


@contextmanager
def _authority(place: Path) -> Iterator[None]:
    """While inside, the home's own time-stamp authority answers; one that was started here ends with the block."""
    folder = place / tsa.FOLDER
    if not (folder / "signer.pem").is_file() or tsa.answers(folder):
        yield
        return
    (folder / "address").unlink(missing_ok=True)
    with (place / "logs" / "tsa.log").open("ab") as lines:
        process = subprocess.Popen(
            [sys.executable, "-m", "chopmark.site.command", "tsa", "serve"],
            stdin=subprocess.DEVNULL,
            stdout=lines,
            stderr=lines,
            env={**os.environ, "CHOPMARK_PARENT": str(os.getpid())},
            process_group=0,
        )
    try:
        until = time.monotonic() + START_PATIENCE
        while not ((folder / "address").is_file() and tsa.answers(folder)):
            if process.poll() is not None or time.monotonic() > until:
                raise Unavailable("site.demo_stuck", part="tsa")
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait(60)


def must_have_authority(config: Config) -> None:
    """Check that somebody can say the time.

    Raises:
        Refused: `site.demo_no_authority`.
    """
    if not config.tsas and not (config.home / tsa.FOLDER / "signer.pem").is_file():
        raise Refused("site.demo_no_authority")
