from __future__ import annotations

import hashlib
import io
from datetime import timedelta

import pytest
from world.jobs import TestCapture, captured, tools
from world.pages import PageWorld
from world.tsa import TsaWorld

from chopmark.base import clock as clocks
from chopmark.base.errors import Invalid, Refused, Unavailable
from chopmark.evidence import actions, custody, matters, wiring
from chopmark.evidence.actions import NewCapture, NewFile, NewItem, NewMatter
from chopmark.evidence.actions.heads import deposit_heads
from chopmark.evidence.actions.work import LEASE, give_back, work
from chopmark.evidence.bundle.check import check
from chopmark.evidence.bundle.container import Container
from chopmark.evidence.bundle.manifest import Manifest
from chopmark.evidence.matters import Both
from chopmark.evidence.models import Bundle, Capture, CustodyLine, Deposit, Item

NEW = NewCapture(url="https://shop.test/lantern", title=Both(zh="侵权页面"), purpose=Both(zh="证明销售"))


@pytest.fixture
def world(db, settings, tmp_path):
    settings.CHOPMARK_HOME = tmp_path / "home"
    # The PDF library judges certificates by the machine's clock.
    return PageWorld.made(settings.CHOPMARK_HOME, at=clocks.now().replace(microsecond=0) - timedelta(minutes=10))


@pytest.fixture
def tsa(world):
    return TsaWorld(at=world.at)


@pytest.fixture
def clock(world, tsa):
    """The world's clock; the authority's goes with it."""

    def now():
        tsa.at = world.now()
        return tsa.at

    return now


@pytest.fixture
def mei(world):
    return world.person("Mei Lan")


@pytest.fixture
def matter(world, mei):
    new = NewMatter(template="trademark_counterfeit", title=Both(zh="假冒灯笼案", en="Fake lanterns"))
    return actions.open_matter(new, by=mei.actor, at=world.now())


def add(world, person, matter, data=b"%PDF-1.7 an invoice", name="invoice.pdf", **more):
    upload = actions.start_upload(
        length=len(data), file_name=name, file_type="application/pdf", by=person.actor, at=world.now()
    )
    actions.append_upload(upload.id, offset=0, chunks=[data], by=person.actor, at=world.now())
    new = NewItem(**{"kind": "invoice", "title": Both(en="Invoice"), "files": (NewFile(upload=upload.id),), **more})
    return actions.add_item(matter.id, new, by=person.actor, at=world.now())


def built(world, person, matter, kit, clock, **more):
    """A bundle from request to file."""
    asked = actions.request_bundle(matter.id, by=person.actor, at=clock(), **more)
    for _ in range(5):
        work(kit, clock)
        world.publish()
        world.at += timedelta(seconds=20)
        found = matters.bundle_of(person.actor, asked.id)
        if found.state not in ("queued", "running"):
            return found
    return found


def test_a_matter_becomes_a_bundle_that_a_stranger_passes(world, mei, matter, tsa, clock):
    capture = TestCapture()
    kit = tools(world.home, tsa, capture)
    add(world, mei, matter)
    asked = actions.request_capture(matter.id, NEW, by=mei.actor, at=world.now())
    assert work(kit, clock) == asked.number
    made = matters.capture_of(mei.actor, asked.id)
    assert (made.state, made.item, made.trouble) == ("done", "E-002", "")
    world.publish()
    bundle = built(world, mei, matter, kit, clock)
    assert (bundle.state, bundle.trouble, bundle.signatures) == ("done", "", 1)
    path, name = matters.bundle_file(mei.actor, bundle.number)
    assert name == f"B-{world.now().year}-000001.asice"
    with path.open("rb") as file:
        report = check(file, wiring.own_trust(), clock())
        assert report.verdict == "PASSED", report.as_json()
        names = Container(file).names
        manifest = Manifest.parse(Container(file).read("manifest.json", 1 << 20))
    assert "evidence/002-capture/page.wacz" in names
    assert manifest.items[1].tokens[0].over == "evidence/002-capture/page.wacz"
    assert manifest.items[1].capture.final_url == "https://shop.test/lantern"


def test_a_file_replaced_between_upload_and_bundling_is_found(world, mei, matter, tsa, clock):
    item = add(world, mei, matter)
    world.publish()
    stored = wiring.blobs().path(item.files[0].sha256)
    stored.chmod(0o600)
    stored.write_bytes(b"%PDF-1.7 AN invoice")  # as long as it was
    bundle = built(world, mei, matter, tools(world.home, tsa), clock)
    assert (bundle.state, bundle.trouble) == ("failed", "bundle.source_changed")
    assert "invoice.pdf" in bundle.facts["name"]
    assert matters.custody_of(mei.actor, matter.id)[-1].action == "bundle.failed"
    with pytest.raises(Refused, match=r"matter\.bundle_not_found"):
        matters.bundle_file(mei.actor, bundle.id)


def test_a_bundle_waits_for_the_receipts(world, mei, matter, tsa, clock):
    add(world, mei, matter)
    asked = actions.request_bundle(matter.id, by=mei.actor, at=clock())
    assert work(tools(world.home, tsa), clock) == asked.number
    waiting = matters.bundle_of(mei.actor, asked.id)
    assert (waiting.state, waiting.trouble) == ("queued", "matter.receipts_wait")


def test_a_capture_that_breaks_off_is_kept_and_marked(world, mei, matter, tsa, clock):
    capture = TestCapture(instead=lambda job: captured(job, complete=False, trouble="capture.reason.killed"))
    asked = actions.request_capture(matter.id, NEW, by=mei.actor, at=world.now())
    work(tools(world.home, tsa, capture), clock)
    made = matters.capture_of(mei.actor, asked.id)
    assert (made.state, made.trouble, made.item) == ("partial", "capture.reason.killed", "E-001")


class Killed(BaseException):
    """Stands for SIGKILL: no handler of the worker sees it."""


def dies(after_deposit):
    def capture(job):
        if after_deposit:
            captured(job)
        raise Killed

    return capture


def test_a_worker_that_died_before_anything_was_kept_captures_again_and_gives_up_at_last(
    world, mei, matter, tsa, clock
):
    asked = actions.request_capture(matter.id, NEW, by=mei.actor, at=world.now())
    kit = tools(world.home, tsa, TestCapture(instead=dies(after_deposit=False)))
    for _ in range(3):
        with pytest.raises(Killed):
            work(kit, clock)
        assert work(kit, clock) is None  # somebody may be at it still
        assert give_back(kit.name, clock()) == 1
    work(kit, clock)
    made = matters.capture_of(mei.actor, asked.id)
    assert (made.state, made.trouble, made.item) == ("failed", "matter.worker_died", "")


def test_a_worker_that_died_after_files_were_kept_leaves_a_partial_capture_and_nothing_twice(
    world, mei, matter, tsa, clock
):
    asked = actions.request_capture(matter.id, NEW, by=mei.actor, at=world.now())
    kit = tools(world.home, tsa, TestCapture(instead=dies(after_deposit=True)))
    with pytest.raises(Killed):
        work(kit, clock)
    world.at += LEASE  # another machine's worker takes it over
    other = tools(world.home, tsa, TestCapture(), name="worker-2")
    assert work(other, clock) == asked.number
    assert other.capture.jobs == []
    made = matters.capture_of(mei.actor, asked.id)
    assert (made.state, made.trouble, made.item) == ("partial", "matter.worker_died", "E-001")
    assert [each.name for each in matters.items_of(mei.actor, matter.id)[0].files] == ["page.wacz", "screenshot.png"]
    assert (Item.objects.count(), Deposit.objects.count()) == (1, 2)


@pytest.mark.parametrize(
    ("whole", "state", "trouble"),
    [(True, "done", ""), (False, "partial", "capture.reason.worker_lost")],
    ids=["after its end: the item is whole", "before its end: the item is partial"],
)
def test_what_a_dead_worker_left_in_the_folder_becomes_the_item(  # noqa: PLR0917 (fixtures)
    world, mei, matter, tsa, clock, whole, state, trouble
):
    asked = actions.request_capture(matter.id, NEW, by=mei.actor, at=world.now())
    first = tools(world.home, tsa, TestCapture(instead=dies(after_deposit=True)))
    with pytest.raises(Killed):
        work(first, clock)
    [folder] = wiring.captures().glob(f"{asked.number}-1")
    give_back(first.name, clock())
    other = tools(world.home, tsa, TestCapture(left=lambda job: captured(job, complete=whole, trouble=trouble)))
    assert work(other, clock) == asked.number
    assert other.capture.jobs == []
    assert not folder.exists()
    made = matters.capture_of(mei.actor, asked.id)
    assert (made.state, made.trouble, made.item) == (state, trouble, "E-001")
    assert (Item.objects.count(), Deposit.objects.count()) == (1, 3)


@pytest.mark.parametrize("place", ["_must_be_published", "keep_bundle", "_end_bundle"])
def test_a_worker_that_died_over_a_bundle_makes_it_once(  # noqa: PLR0917 (fixtures)
    world, mei, matter, tsa, clock, monkeypatch, place
):
    from chopmark.evidence.actions import work as module  # noqa: PLC0415 (to end it in the middle)

    add(world, mei, matter)
    world.publish()
    kit = tools(world.home, tsa)
    asked = actions.request_bundle(matter.id, by=mei.actor, at=clock())
    with monkeypatch.context() as patch:

        def killed(*_):
            raise Killed

        patch.setattr(module, place, killed)
        for _ in range(3):  # the first tries wait for the receipt of the custody log
            try:
                work(kit, clock)
            except Killed:
                break
            world.publish()
            world.at += timedelta(seconds=20)
        else:
            pytest.fail("nothing was killed")
    give_back(kit.name, clock())
    for _ in range(3):
        work(kit, clock)
        world.publish()
        world.at += timedelta(seconds=20)
    found = matters.bundle_of(mei.actor, asked.id)
    assert (found.state, Bundle.objects.count()) == ("done", 1)
    actions_told = [each.action for each in matters.custody_of(mei.actor, matter.id)]
    assert [actions_told.count(each) for each in ("bundle.begun", "bundle.built")] == [1, 1]
    assert Deposit.objects.count() == 3  # the invoice, the custody log, the bundle


def test_a_schedule_captures_each_turn_once_and_ends(world, mei, matter, tsa, clock):
    until = world.now() + timedelta(hours=1)
    actions.schedule_capture(matter.id, NEW, every_minutes=30, until=until, by=mei.actor, at=world.now())
    kit = tools(world.home, tsa, TestCapture())
    assert [actions.plan_captures(clock()), actions.plan_captures(clock())] == [1, 0]
    world.at += timedelta(minutes=31)
    assert actions.plan_captures(clock()) == 0  # the turn before is not done
    work(kit, clock)
    world.at += timedelta(minutes=30)
    actions.plan_captures(clock())
    world.at += timedelta(minutes=30)
    actions.plan_captures(clock())
    [schedule] = matters.schedules_of(mei.actor, matter.id)
    assert schedule.ended_at is not None
    assert Capture.objects.count() == len({row.turn for row in Capture.objects.all()})


def test_a_guest_gets_the_redacted_file_and_the_bundle_names_the_original(world, mei, matter, tsa, clock):
    item = add(world, mei, matter, data=b"%PDF-1.7 with a telephone number")
    shown = b"%PDF-1.7 blacked out"
    upload = actions.start_upload(length=len(shown), file_name="black.pdf", by=mei.actor, at=world.now())
    actions.append_upload(upload.id, offset=0, chunks=[shown], by=mei.actor, at=world.now())
    actions.redact(item.files[0].id, upload=upload.id, reason="personal data", by=mei.actor, at=world.now())
    code, _ = actions.grant(matter.id, given_to="the court", by=mei.actor, at=world.now())
    guest = actions.use_grant(code, name="Judge Li", address="203.0.113.9", at=world.now())
    assert b"".join(matters.file_of_item(guest, item.files[0].id).chunks) == shown
    assert b"".join(matters.file_of_item(mei.actor, item.files[0].id).chunks) != shown
    world.publish()
    bundle = built(world, mei, matter, tools(world.home, tsa), clock)
    assert bundle.state == "done", bundle
    with matters.bundle_file(mei.actor, bundle.id)[0].open("rb") as file:
        container = Container(file)
        manifest = Manifest.parse(container.read("manifest.json", 1 << 20))
        assert manifest.redactions[0].original_sha256 == item.files[0].sha256
        assert container.read(manifest.redactions[0].path, 1000) == shown
        assert check(io.BytesIO(matters.bundle_file(mei.actor, bundle.id)[0].read_bytes()), None, clock()).verdict != (
            "FAILED"
        )


def test_a_bundle_from_before_a_redaction_is_no_guests(world, mei, matter, tsa, clock):
    item = add(world, mei, matter, data=b"%PDF-1.7 with a telephone number")
    world.publish()
    before = built(world, mei, matter, tools(world.home, tsa), clock)
    code, _ = actions.grant(matter.id, given_to="the court", by=mei.actor, at=world.now())
    guest = actions.use_grant(code, name="Judge Li", address="203.0.113.9", at=world.now())
    assert [each.id for each in matters.bundles_of(guest, matter.id)] == [before.id]

    shown = b"%PDF-1.7 blacked out"
    upload = actions.start_upload(length=len(shown), file_name="black.pdf", by=mei.actor, at=world.now())
    actions.append_upload(upload.id, offset=0, chunks=[shown], by=mei.actor, at=world.now())
    actions.redact(item.files[0].id, upload=upload.id, reason="personal data", by=mei.actor, at=world.now())
    assert matters.bundles_of(guest, matter.id) == ()
    with pytest.raises(Refused, match=r"matter\.bundle_not_found"):
        matters.bundle_file(guest, before.id)
    assert matters.bundle_file(mei.actor, before.id)


def test_the_custody_log_in_a_bundle_ends_where_the_manifest_says(world, mei, matter, tsa, clock):
    add(world, mei, matter)
    world.publish()
    bundle = built(world, mei, matter, tools(world.home, tsa), clock)
    with matters.bundle_file(mei.actor, bundle.id)[0].open("rb") as file:
        container = Container(file)
        log = container.read("custody/process.jsonl", 1 << 20)
        manifest = Manifest.parse(container.read("manifest.json", 1 << 20))
    assert custody.head(log) == manifest.custody.head
    assert len(custody.read(log)) == manifest.custody.entries
    deposited = Deposit.objects.get(pk=Bundle.objects.get().custody_deposit_id)
    assert bytes(deposited.sha256) == hashlib.sha256(log).digest()
    with pytest.raises(Invalid, match=r"matter\.custody_broken"):
        custody.read(log.replace(b'"kind":"invoice"', b'"kind":"receipt"', 1))


def test_a_custody_log_that_has_grown_is_deposited_once(world, mei, matter, clock):
    assert [deposit_heads(clock), deposit_heads(clock)] == [1, 0]
    add(world, mei, matter)
    assert deposit_heads(clock) == 1
    row = Deposit.objects.order_by("serial").last()
    log = matters.custody_of(mei.actor, matter.id)
    assert row.title.endswith(f"{matter.number} ({len(log)})")
    assert bytes(row.sha256) == hashlib.sha256(custody.write(bytes(each) for each in lines_of(matter))).digest()


def lines_of(matter):
    return CustodyLine.objects.filter(matter_id=matter.id).order_by("seq").values_list("line", flat=True)


def test_where_no_authority_answers_a_bundle_waits(world, mei, matter, tsa, clock):
    add(world, mei, matter)
    world.publish()
    kit = tools(world.home, tsa)

    def silent(_sha256):
        raise Unavailable("matter.no_authority")

    kit.stampers[0].token = silent
    bundle = built(world, mei, matter, kit, clock)
    assert (bundle.state, bundle.trouble) == ("queued", "matter.no_authority")
