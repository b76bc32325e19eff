from __future__ import annotations

from datetime import timedelta

import pytest
from world.pages import PageWorld

from chopmark.base.errors import Invalid, Refused
from chopmark.evidence import actions, custody, matters
from chopmark.evidence.actions import NewCapture, NewFile, NewItem, NewMatter
from chopmark.evidence.actions.matter import bundle_names
from chopmark.evidence.matters import Both
from chopmark.evidence.models import CustodyLine, Grant

HOUR = timedelta(hours=1)


@pytest.fixture
def world(db, settings, tmp_path):
    settings.CHOPMARK_HOME = tmp_path / "home"
    return PageWorld.made(settings.CHOPMARK_HOME)


@pytest.fixture
def mei(world):
    return world.person("Mei Lan")


@pytest.fixture
def matter(world, mei):
    new = NewMatter(template="trademark_counterfeit", title=Both(zh="假冒灯笼案"))
    return actions.open_matter(new, by=mei.actor, at=world.now())


def uploaded(world, person, data, *, name="invoice.pdf", kind="application/pdf"):
    made = actions.start_upload(length=len(data), file_name=name, file_type=kind, by=person.actor, at=world.now())
    actions.append_upload(made.id, offset=0, chunks=[data], by=person.actor, at=world.now())
    return made.id


def added(world, person, matter, data=b"%PDF-1.7 an invoice", **more):
    upload = uploaded(world, person, data)
    new = NewItem(**{"kind": "invoice", "title": Both(en="Invoice"), "files": (NewFile(upload=upload),), **more})
    return actions.add_item(matter.id, new, by=person.actor, at=world.now())


def test_a_matter_gathers_items_and_its_custody_log_tells_each_step(world, mei, matter):
    assert (matter.number, matter.title.en, matter.jurisdiction, matter.phase) == (
        "M-2026-000001",
        "假冒灯笼案",
        "CN",
        "rights",
    )
    item = added(world, mei, matter, purpose=Both(zh="证明购买"), source={"from": "buyer"}, phase="purchase")
    assert (item.number, item.phase, item.files[0].name, item.files[0].deposit_number) == (
        "E-001",
        "purchase",
        "invoice.pdf",
        "D-2026-000001",
    )
    log = matters.custody_of(mei.actor, matter.id)
    assert [each.action for each in log] == ["matter.opened", "item.added", "file.added"]
    assert log[2].facts["sha256"] == item.files[0].sha256.hex()
    assert b"".join(matters.file_of_item(mei.actor, item.files[0].id).chunks) == b"%PDF-1.7 an invoice"
    assert matters.matter_of(mei.actor, matter.number).items == 1


def granted(world, mei, matter, **more):
    return actions.grant(matter.id, given_to="Hangzhou Internet Court", by=mei.actor, at=world.now(), **more)


def opened(code, world, address="203.0.113.9"):
    return actions.use_grant(code, name="Judge Li", address=address, at=world.now())


def test_members_of_another_organisation_find_nothing(world, mei, matter):
    jun = world.person("Jun Wu")
    item = added(world, mei, matter)
    for look in (
        lambda: matters.matter_of(jun.actor, matter.number),
        lambda: matters.items_of(jun.actor, matter.id),
        lambda: matters.item_of(jun.actor, item.id),
        lambda: matters.file_of_item(jun.actor, item.files[0].id),
        lambda: matters.custody_log(jun.actor, matter.id),
        lambda: matters.grants_of(jun.actor, matter.id, world.now()),
        lambda: actions.remove_item(item.id, reason="mine", by=jun.actor, at=world.now()),
        lambda: actions.hold(matter.id, reason="mine", by=jun.actor, at=world.now()),
        lambda: granted(world, jun, matter),
        lambda: actions.request_bundle(matter.id, by=jun.actor, at=world.now()),
        lambda: actions.request_capture(matter.id, NewCapture(url="https://a.test/"), by=jun.actor, at=world.now()),
        lambda: added(world, jun, matter),
    ):
        with pytest.raises(Refused, match="not_found"):
            look()
    assert matters.matters_of(jun.actor) == ()


def test_a_viewer_reads_and_changes_nothing(world, mei, matter):
    item = added(world, mei, matter)
    viewer = world.person("Vera Wei", role="viewer", of=mei)
    assert matters.item_of(viewer.actor, item.id).number == "E-001"
    for change in (
        lambda by: actions.change_matter(matter.id, phase="notice", by=by, at=world.now()),
        lambda by: actions.remove_item(item.id, reason="no", by=by, at=world.now()),
        lambda by: actions.hold(matter.id, reason="no", by=by, at=world.now()),
        lambda by: actions.grant(matter.id, given_to="me", by=by, at=world.now()),
        lambda by: actions.request_bundle(matter.id, by=by, at=world.now()),
        lambda by: actions.request_capture(matter.id, NewCapture(url="https://a.test/"), by=by, at=world.now()),
        lambda by: actions.close_matter(matter.id, by=by, at=world.now()),
        lambda by: actions.delete_matter(matter.id, reason="no", by=by, at=world.now()),
    ):
        with pytest.raises(Refused, match=r"people\.not_allowed"):
            change(viewer.actor)


def test_a_legal_hold_blocks_deletion_until_an_owner_lifts_it(world, mei, matter):
    item = added(world, mei, matter)
    clerk = world.person("Kai Ye", role="depositor", of=mei)
    actions.hold(matter.id, reason="order of the court", by=clerk.actor, at=world.now())
    assert matters.matter_of(mei.actor, matter.id).held
    with pytest.raises(Refused, match="held_conflict"):
        actions.remove_item(item.id, reason="clean up", by=mei.actor, at=world.now())
    with pytest.raises(Refused, match="held_conflict"):
        actions.delete_matter(matter.id, reason="clean up", by=mei.actor, at=world.now())
    with pytest.raises(Refused, match="not_allowed"):
        actions.lift_hold(matter.id, reason="clean up", by=clerk.actor, at=world.now())
    actions.lift_hold(matter.id, reason="the case is over", by=mei.actor, at=world.now())
    actions.remove_item(item.id, reason="clean up", by=mei.actor, at=world.now())
    assert matters.items_of(mei.actor, matter.id) == ()
    assert [each.removed_reason for each in matters.items_of(mei.actor, matter.id, removed=True)] == ["clean up"]
    told = [each.action for each in matters.custody_of(mei.actor, matter.id)]
    assert told[-3:] == ["hold.placed", "hold.lifted", "item.removed"]
    assert added(world, mei, matter, b"another").number == "E-002"  # numbers are not given again


def test_a_code_opens_its_matter_alone_while_it_is_valid_and_each_use_is_logged(world, mei, matter):
    item = added(world, mei, matter)
    other = actions.open_matter(
        NewMatter(template="copyright_online", title=Both(en="Other")), by=mei.actor, at=world.now()
    )
    theirs = added(world, mei, other, b"another file")
    code, shown = granted(world, mei, matter)
    assert (shown.expires_at - shown.made_at, code.count("-")) == (72 * HOUR, 3)
    guest = opened(code.lower().replace("-", " "), world)
    assert matters.matter_of(guest, matter.id).number == matter.number
    assert b"".join(matters.file_of_item(guest, item.files[0].id).chunks)
    actions.log_use(guest, "file", item.files[0].name, at=world.now())
    for look in (
        lambda: matters.matter_of(guest, other.id),
        lambda: matters.item_of(guest, theirs.id),
        lambda: matters.file_of_item(guest, theirs.files[0].id),
        lambda: matters.custody_log(guest, other.number),
    ):
        with pytest.raises(Refused, match="not_found"):
            look()
    [grant] = matters.grants_of(mei.actor, matter.id, world.now())
    assert [(use.action, use.name) for use in grant.uses] == [("opened", "Judge Li"), ("file", "Judge Li")]
    assert [each.action for each in matters.custody_of(mei.actor, matter.id)][-2:] == ["access.used", "access.read"]
    world.at += 72 * HOUR
    with pytest.raises(Refused, match="code_expired"):
        actions.guest_of(guest.grant_id, name="Judge Li", address="203.0.113.9", at=world.now())
    with pytest.raises(Refused, match="code_expired"):
        opened(code, world)


def test_a_revoked_code_opens_nothing_and_no_code_is_kept_as_it_is(world, mei, matter):
    code, shown = granted(world, mei, matter)
    guest = opened(code, world)
    actions.revoke_grant(shown.id, by=mei.actor, at=world.now())
    with pytest.raises(Refused, match="code_unknown"):
        actions.guest_of(guest.grant_id, name="", address="", at=world.now())
    with pytest.raises(Refused, match="code_unknown"):
        opened(code, world)
    [row] = Grant.objects.all()
    secret = code.replace("-", "")[5:]
    kept = [str(value) for value in row.__dict__.values()]
    assert not any(secret in value for value in kept)


def test_who_guesses_codes_is_locked_out_and_others_are_not(world, mei, matter):
    code, _ = granted(world, mei, matter)
    for _ in range(10):
        with pytest.raises(Refused, match="code_unknown"):
            opened("AAAAA-BBBBB-CCCCC-DDDDD", world, address="198.51.100.7")
    with pytest.raises(Refused, match="code_too_fast"):
        opened(code, world, address="198.51.100.7")
    assert opened(code, world, address="203.0.113.9")
    world.at += timedelta(minutes=16)
    assert opened(code, world, address="198.51.100.7")


def test_a_code_whose_rest_is_guessed_from_many_addresses_locks_itself(world, mei, matter):
    code, _ = granted(world, mei, matter)
    wrong = code[:6] + ("0" if code[6] != "0" else "1") + code[7:]
    for place in range(10):
        with pytest.raises(Refused, match="code_unknown"):
            opened(wrong, world, address=f"198.51.100.{place}")
    with pytest.raises(Refused, match="code_unknown"):
        opened(code, world)
    assert matters.grants_of(mei.actor, matter.id, world.now())[0].state == "locked"


def test_nothing_goes_into_a_closed_matter(world, mei, matter):
    actions.close_matter(matter.id, by=mei.actor, at=world.now())
    with pytest.raises(Refused, match="closed_conflict"):
        added(world, mei, matter)
    actions.reopen_matter(matter.id, by=mei.actor, at=world.now())
    assert added(world, mei, matter).number == "E-001"


def test_a_deleted_matter_is_gone_for_all_and_its_codes_with_it(world, mei, matter):
    added(world, mei, matter)
    code, _ = granted(world, mei, matter)
    actions.delete_matter(matter.id, reason="settled", by=mei.actor, at=world.now())
    with pytest.raises(Refused, match=r"matter\.not_found"):
        matters.matter_of(mei.actor, matter.id)
    with pytest.raises(Refused, match="code_unknown"):
        opened(code, world)
    assert CustodyLine.objects.filter(matter_id=matter.id).count() == 5


@pytest.mark.parametrize(
    ("change", "code"),
    {
        "no such kind": ({"kind": "rumour"}, "kind_unknown"),
        "a capture that nobody made": ({"kind": "capture"}, "kind_unknown"),
        "no such role": ({"role": "forgery"}, "role_unknown"),
        "no title": ({"title": Both()}, "title_missing"),
        "no files": ({"files": ()}, "files_missing"),
        "a source with a strange name": ({"source": {"Ort!": "x"}}, "source_malformed"),
        "neither upload nor deposit": ({"files": (NewFile(),)}, "file_malformed"),
        "a title of control characters": ({"title": Both(en="a\x07b")}, "text_control"),
        "a phase of another template": ({"phase": "goods"}, "phase_unknown"),
    }.values(),
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_an_item_that_is_not_as_it_must_be_is_refused(world, mei, matter, change, code):
    with pytest.raises((Invalid, Refused), match=code):
        added(world, mei, matter, **change)
    assert matters.items_of(mei.actor, matter.id) == ()


@pytest.mark.parametrize(
    "url",
    [
        "ftp://a.test/",
        "https://",
        "https://a:b@c.test/",
        "https://a.test/ x",
        "https://a.test:0/",
        "//a.test",
        "x" * 10,
    ],
)
def test_an_address_that_is_none_is_refused(world, mei, matter, url):
    with pytest.raises(Invalid, match="url_malformed"):
        actions.request_capture(matter.id, NewCapture(url=url), by=mei.actor, at=world.now())


@pytest.mark.parametrize(
    ("names", "want"),
    [
        (["发票.pdf"], ["file-1.pdf"]),
        (["../../etc/passwd"], ["etc_passwd"]),
        (["A.png", "a.PNG"], ["A.png", "2-a.PNG"]),
        (["", "...", "-rf"], ["file-1", "file-2", "rf"]),
        (["photo (1).jpg"], ["photo_1_.jpg"]),
    ],
)
def test_names_in_a_bundle_are_safe_and_apart(names, want):
    assert bundle_names(names) == want


def test_the_table_of_the_log_cannot_be_changed_unnoticed(world, mei, matter):
    added(world, mei, matter)
    row = CustodyLine.objects.get(matter_id=matter.id, seq=1)
    row.line = bytes(row.line).replace(b'"files":1', b'"files":2')
    row.save()
    with pytest.raises(Invalid, match="custody_broken"):
        matters.custody_of(mei.actor, matter.id)
    assert custody.parse_line(bytes(row.line)).facts["files"] == 2
