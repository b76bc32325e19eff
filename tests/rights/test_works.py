"""Works and their copies: registered, shown before, found again, and seen only by who may."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import cv2
import numpy as np
import pytest
from world import media

from chopmark.base import jcs
from chopmark.base.errors import Invalid, Refused, Unavailable
from chopmark.evidence import wiring
from chopmark.evidence.actions import append_upload, start_upload
from chopmark.evidence.queries import deposits_of
from chopmark.people.actor import Actor
from chopmark.rights import encoding, work_history
from chopmark.rights.actions import copies, work
from chopmark.rights.actions.kept import NewWorkFile
from chopmark.rights.actions.work import NewWork, register_work
from chopmark.rights.history import Event
from chopmark.rights.models import Event as EventRow
from chopmark.rights.models import Match, Search, WorkCode
from chopmark.rights.models import Work as WorkRow
from chopmark.rights.models import WorkFile as WorkFileRow
from chopmark.rights.queries import library, works
from chopmark.rights.record import Party, Publication, WorkRecord

RECORD = WorkRecord(
    kind="picture", title="Lantern at night", statement="All rights reserved; ask us.", authors=(Party(name="Mei Lan"),)
)


def upload(world, person, data: bytes, name: str = "lantern.jpg") -> NewWorkFile:
    made = start_upload(length=len(data), file_name=name, by=person.actor, at=world.at)
    append_upload(made.id, offset=0, chunks=[data], by=person.actor, at=world.at)
    return NewWorkFile(upload=made.id)


def registered(world, person, data: bytes, record: WorkRecord = RECORD, **options):
    file = upload(world, person, data)
    return register_work(NewWork(record=record, files=(file,), **options), by=person.actor, at=world.at)


def search(world, person, data: bytes, **options):
    return copies.find_copies(data, by=person.actor, at=world.at, **options)


def test_a_work_has_a_number_an_iscc_and_a_receipt_of_its_filing(world, mei):
    made = registered(world, mei, media.jpeg(media.picture(1)))
    assert (made.number, made.state) == ("W-2026-000001", "filed")
    [file] = made.files
    assert (file.state, file.kind, file.media_type) == ("done", "picture", "image/jpeg")
    assert file.iscc.startswith("ISCC:K")
    world.publish()
    [event] = works.events_of(mei.actor, made.number)
    assert event.event.type == "work_filed"
    assert event.event.payload.identified[0].iscc == file.iscc
    assert works.receipt_of(mei.actor, made.number, 1).statement
    kept = works.file_of(mei.actor, made.number, file.id)
    assert b"".join(kept.chunks) == media.jpeg(media.picture(1))


def test_a_work_row_is_what_its_events_say(world, mei):
    first = registered(world, mei, media.jpeg(media.picture(1)))
    later = replace(RECORD, title="Lantern, later", licence="CC-BY-4.0", tdm_reserved=True)
    work.amend_work(first.number, later, by=mei.actor, at=world.at + timedelta(hours=1))
    work.withdraw_work(first.number, reason="sold", by=mei.actor, at=world.at + timedelta(hours=2))
    row = WorkRow.objects.get(number=first.number)
    events = [Event.parse(bytes(each.body)) for each in EventRow.objects.filter(subject=row.pk).order_by("seq")]
    folded = work_history.fold_work(events)
    assert jcs.encode(encoding.encode(folded)) == bytes(row.current)
    assert (row.state, row.title, row.version, bytes(row.head)) == (
        "withdrawn",
        "Lantern, later",
        3,
        events[-1].sha256,
    )
    with pytest.raises(Refused, match=r"works\.withdrawn"):
        work.amend_work(first.number, RECORD, by=mei.actor, at=world.at)


def _mirrored(made):
    return made[:, ::-1]


def _cropped_and_marked(made):
    made = made[30:440, 60:600].copy()
    cv2.putText(made, "SALE 50%", (40, 200), cv2.FONT_HERSHEY_SIMPLEX, 2.5, (255, 255, 255), 6)
    return made


def _mirrored_crop_in_a_page(made):
    page = np.full((900, 900, 3), 245, np.uint8)
    part = _cropped_and_marked(made)[:, ::-1]
    page[200 : 200 + part.shape[0], 100 : 100 + part.shape[1]] = part
    cv2.putText(page, "Shop", (20, 80), cv2.FONT_HERSHEY_SIMPLEX, 2, (20, 20, 20), 3)
    return page


@pytest.mark.parametrize(
    ("edit", "quality"),
    [
        (lambda made: made, 40),
        (_mirrored, 85),
        (lambda made: cv2.resize(made, None, fx=0.4, fy=0.4, interpolation=cv2.INTER_AREA), 60),
        (_cropped_and_marked, 60),
        (_mirrored_crop_in_a_page, 60),
    ],
    ids=["poor quality", "mirrored", "small", "cropped with a mark", "mirrored crop on a page"],
)
def test_an_altered_picture_finds_its_work_and_says_which_part(world, mei, edit, quality):
    made = registered(world, mei, media.jpeg(media.picture(1)))
    registered(world, mei, media.jpeg(media.picture(2)))
    found = search(world, mei, media.jpeg(edit(media.picture(1)), quality))
    [match] = found.matches
    assert match.work == made.number
    [part] = match.parts
    assert part["query"][0] < part["query"][2]
    assert match.overlay
    assert works.overlay_of(mei.actor, found.number, match.id).startswith(b"\x89PNG")
    said = [code for code, _ in works.explain(mei.actor, found.number, match.id)]
    assert said[-1] == "copies.why_not_proven"
    assert {"copies.why_codes", "copies.why_features"} & set(said)


def test_the_same_bytes_are_named_as_such_and_nothing_else_is_found(world, mei):
    registered(world, mei, media.jpeg(media.picture(1)))
    assert [each.stage for each in search(world, mei, media.jpeg(media.picture(1))).matches] == ["same"]
    assert not search(world, mei, media.jpeg(media.picture(3))).matches


@pytest.mark.parametrize(
    "data",
    [media.jpeg(np.full((300, 400, 3), 250, np.uint8)), media.png(np.zeros((300, 400, 3), np.uint8))],
    ids=["white", "black"],
)
def test_a_blank_picture_is_neither_registered_nor_searched(world, mei, data):
    with pytest.raises(Invalid, match=r"media\.not_distinctive"):
        registered(world, mei, data)
    with pytest.raises(Invalid, match=r"media\.not_distinctive"):
        search(world, mei, data)
    assert not WorkRow.objects.exists()
    assert not Search.objects.exists()


def test_what_resembles_it_is_shown_before_it_is_filed(world, mei, jo):
    first = registered(world, mei, media.jpeg(media.picture(1)))
    with pytest.raises(Refused, match=r"works\.similar_before") as caught:
        registered(world, jo, media.jpeg(_mirrored(media.picture(1))))
    assert caught.value.facts["numbers"] == [first.number]
    file = upload(world, jo, media.jpeg(_mirrored(media.picture(1))))
    [match] = copies.show_similar(file, by=jo.actor, at=world.at).matches
    assert (match.work, match.own, match.title, match.statement) == (first.number, False, "", RECORD.statement)
    made = register_work(NewWork(record=RECORD, files=(file,), anyway=True), by=jo.actor, at=world.at)
    assert made.number == "W-2026-000002"


def test_a_later_version_is_not_held_up_by_the_one_before(world, mei):
    first = registered(world, mei, media.jpeg(media.picture(1)))
    second = replace(RECORD, title="Second state", version_of=str(first.id), series="Lanterns")
    made = registered(world, mei, media.jpeg(media.picture(1)[20:460]), second)
    third = replace(RECORD, title="Third state", version_of=str(made.id), series="Lanterns")
    registered(world, mei, media.jpeg(media.picture(1)[30:450]), third)
    assert [each.record.title for each in works.versions_of(mei.actor, first.number)] == ["Second state"]
    assert len(works.works_of(mei.actor, series="Lanterns")) == 2
    assert [each.number for each in works.works_of(mei.actor, after="W-2026-000003")] == [made.number, first.number]
    assert works.works_of(mei.actor, q=first.files[0].iscc)[0].number == first.number


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("works.incomplete", {"title": " "}),
        ("works.incomplete", {"statement": ""}),
        ("works.too_long", {"title": "x" * 301}),
        ("works.too_long", {"authors": tuple(Party(name=str(each)) for each in range(51))}),
        ("works.licence_unknown", {"licence": "CC-BY-9.9"}),
        ("works.address_malformed", {"tdm_policy": "javascript:alert(1)"}),
        ("media.not_this_kind", {"kind": "audio"}),
    ],
)
def test_a_record_that_makes_no_sense_is_refused(world, mei, code, changes):
    code = "works.kind_differs" if code == "media.not_this_kind" else code
    with pytest.raises(Invalid) as caught:
        registered(world, mei, media.jpeg(media.picture(1)), replace(RECORD, **changes))
    assert caught.value.code == code
    assert not WorkRow.objects.exists()


def test_a_work_published_before_it_was_made_is_refused(world, mei):
    today = world.at.date()
    record = replace(RECORD, created_on=today, publication=Publication(on=today - timedelta(days=1)))
    with pytest.raises(Invalid, match=r"works\.dates_contradict"):
        registered(world, mei, media.jpeg(media.picture(1)), record)


def test_the_same_file_is_one_work(world, mei):
    made = registered(world, mei, media.jpeg(media.picture(1)))
    with pytest.raises(Refused, match=r"works\.already_filed"):
        registered(world, mei, media.jpeg(media.picture(1)))
    deposit = NewWorkFile(deposit=made.files[0].deposit)
    with pytest.raises(Refused, match=r"works\.file_twice"):
        register_work(NewWork(record=RECORD, files=(deposit, deposit)), by=mei.actor, at=world.at)


def test_nobody_sees_or_changes_what_is_not_theirs(world, mei, jo):
    made = registered(world, mei, media.jpeg(media.picture(1)))
    found = search(world, mei, media.jpeg(_mirrored(media.picture(1))))
    attempts = [
        lambda: works.work_of(jo.actor, made.number),
        lambda: works.events_of(jo.actor, made.number),
        lambda: works.receipt_of(jo.actor, made.number, 1),
        lambda: works.file_of(jo.actor, made.number, made.files[0].id),
        lambda: work.amend_work(made.number, RECORD, by=jo.actor, at=world.at),
        lambda: work.withdraw_work(made.number, by=jo.actor, at=world.at),
        lambda: works.search_of(jo.actor, found.number),
        lambda: works.overlay_of(jo.actor, found.number, found.matches[0].id),
        lambda: copies.judge(found.number, found.matches[0].id, "copy", by=jo.actor, at=world.at),
        lambda: register_work(
            NewWork(record=RECORD, files=(NewWorkFile(deposit=made.files[0].deposit),)), by=jo.actor, at=world.at
        ),
        lambda: registered(world, jo, media.jpeg(media.picture(5)), replace(RECORD, version_of=str(made.id))),
    ]
    for attempt in attempts:
        with pytest.raises(Refused) as caught:
            attempt()
        assert caught.value.code in ("works.not_found", "copies.not_found", "evidence.deposit_not_found")
    assert works.works_of(jo.actor) == ()


def test_a_match_with_a_strangers_work_shows_the_part_and_the_statement_alone(world, mei, jo):
    registered(world, mei, media.jpeg(media.picture(1)))
    found = search(world, jo, media.jpeg(_cropped_and_marked(media.picture(1))))
    [match] = found.matches
    assert (match.own, match.title, match.authors, match.file, match.overlay) == (False, "", (), "", False)
    assert match.statement == RECORD.statement
    assert match.parts[0]["query"]
    assert Match.objects.get().overlay is None
    with pytest.raises(Refused, match=r"copies\.not_found"):
        works.overlay_of(jo.actor, found.number, match.id)


def test_a_work_shown_to_the_public_shows_title_and_authors(world, mei, jo):
    registered(world, mei, media.jpeg(media.picture(1)), replace(RECORD, shown="public"))
    [match] = search(world, jo, media.jpeg(_mirrored(media.picture(1)))).matches
    assert (match.title, match.authors, match.file) == (RECORD.title, ("Mei Lan",), "")


def test_a_viewer_reads_what_was_found_and_searches_and_registers_nothing(world, mei):
    registered(world, mei, media.jpeg(media.picture(1)))
    asked = search(world, mei, media.jpeg(_mirrored(media.picture(1))))
    viewer = replace(mei.actor, role="viewer")
    assert works.search_of(viewer, asked.number).matches
    keyed = Actor(
        user_id=None,
        organisation_id=mei.actor.organisation_id,
        organisation_name="",
        role="owner",
        scopes=frozenset({"deposits:write"}),
    )
    for by, code in ((viewer, "people.not_allowed"), (keyed, "people.scope_missing")):
        with pytest.raises(Refused) as caught:
            register_work(NewWork(record=RECORD, files=()), by=by, at=world.at)
        assert caught.value.code == code
        for look in (copies.find_copies, copies.show_similar):
            with pytest.raises(Refused) as caught:
                look(NewWorkFile(), by=by, at=world.at)
            assert caught.value.code == code
    assert [each.number for each in works.searches_of(mei.actor)] == [asked.number]


@pytest.mark.parametrize("role", ["owner", "depositor"])
def test_who_registers_works_searches(world, mei, role):
    registered(world, mei, media.jpeg(media.picture(1)))
    by = replace(mei.actor, role=role)
    assert copies.find_copies(media.jpeg(_mirrored(media.picture(1))), by=by, at=world.at).matches


def test_nothing_of_a_private_work_is_readable_on_the_ledger(world, mei):
    registered(world, mei, media.jpeg(media.picture(1)))
    assert all(each.private for each in deposits_of(mei.actor).items)


def test_a_withdrawn_work_is_matched_no_more(world, mei):
    made = registered(world, mei, media.jpeg(media.picture(1)))
    work.withdraw_work(made.number, by=mei.actor, at=world.at)
    assert not search(world, mei, media.jpeg(_mirrored(media.picture(1)))).matches
    assert not search(world, mei, media.jpeg(media.picture(1))).matches
    assert registered(world, mei, media.jpeg(media.picture(1))).number == "W-2026-000002"


def test_what_is_common_is_no_match(world, mei, jo):
    template = media.jpeg(media.picture(7))
    registered(world, mei, template)
    identity = copies.suppress(template, "template of the marketplace", by=jo.actor, at=world.at)
    query = media.jpeg(_mirrored(media.picture(7)))
    assert not search(world, jo, query).matches
    assert search(world, mei, query).matches  # the list is its maker's alone
    assert [each.id for each in works.commons_of(jo.actor)] == [identity]
    copies.unsuppress(identity, by=jo.actor, at=world.at)
    assert search(world, jo, query).matches


def test_an_organisation_searches_so_often_a_day_and_others_are_not_held_up(world, mei, jo, monkeypatch):
    monkeypatch.setattr(copies, "MOST_A_DAY", 1)
    data = media.jpeg(media.picture(1))
    search(world, jo, data)
    with pytest.raises(Refused, match=r"copies\.searches_too_fast"):
        search(world, jo, data)
    search(world, mei, data)
    world.at += timedelta(hours=25)
    search(world, jo, data)


def test_a_file_that_matches_too_much_is_quarantined_until_released(world, mei, jo, monkeypatch):
    monkeypatch.setattr(copies, "FLOOD", 3)
    made = registered(world, mei, media.jpeg(media.picture(1)))
    others = [jo, world.person("Ann Other"), world.person("Bo Other")]
    for quality in (20, 25, 30, 35):
        assert search(world, jo, media.jpeg(_mirrored(media.picture(1)), quality)).matches
    assert not works.work_of(mei.actor, made.number).files[0].held  # one organisation alone hides no work
    for quality, who in zip((40, 45, 50), others, strict=True):
        assert search(world, who, media.jpeg(_mirrored(media.picture(1)), quality)).matches
    assert works.work_of(mei.actor, made.number).files[0].held
    assert not search(world, jo, media.jpeg(_mirrored(media.picture(1)), 60)).matches
    assert search(world, mei, media.jpeg(_mirrored(media.picture(1)), 60)).matches  # its owner still sees it
    with pytest.raises(Refused, match=r"works\.not_found"):
        work.release(made.files[0].id, by=jo.actor, at=world.at)
    work.release(made.files[0].id, by=mei.actor, at=world.at + timedelta(minutes=1))
    assert search(world, jo, media.jpeg(_mirrored(media.picture(1)), 70)).matches


def test_an_owner_who_asks_often_does_not_quarantine_what_is_hers(world, mei, monkeypatch):
    monkeypatch.setattr(copies, "FLOOD", 2)
    made = registered(world, mei, media.jpeg(media.picture(1)))
    for quality in (30, 40, 50):
        assert search(world, mei, media.jpeg(_mirrored(media.picture(1)), quality)).matches
    assert not works.work_of(mei.actor, made.number).files[0].held


def test_what_was_asked_while_a_file_waited_is_matched_with_it(world, mei, jo, monkeypatch):
    monkeypatch.setattr(work, "AT_ONCE", 1000)
    made = registered(world, mei, media.jpeg(media.picture(1)))
    world.at += timedelta(hours=1)
    asked = search(world, jo, media.jpeg(_mirrored(media.picture(1))))
    assert not asked.matches
    world.at += timedelta(hours=1)
    assert work.fingerprint_waiting(lambda: world.at) == made.number
    assert copies.compare_with_searches(lambda: world.at) == 1
    [match] = works.search_of(jo.actor, asked.number).matches
    assert (match.work, match.later) == (made.number, True)


def test_a_work_that_comes_while_it_is_searched_is_found(world, mei, jo, monkeypatch):
    drawings, made = copies._drawings, []

    def meanwhile(*arguments):
        made.append(registered(world, mei, media.jpeg(media.picture(1))))
        assert copies.compare_with_searches(lambda: world.at) == 0  # the search is not there yet
        return drawings(*arguments)

    monkeypatch.setattr(copies, "_drawings", meanwhile)
    [match] = search(world, jo, media.jpeg(_mirrored(media.picture(1)))).matches
    assert (match.work, match.later) == (made[0].number, True)


def test_the_same_file_sent_twice_at_once_is_one_work(world, mei, monkeypatch):
    deposit, done = work.deposit_events, []

    def meanwhile(*arguments, **options):
        if not done:
            done.append(True)
            registered(world, mei, media.jpeg(media.picture(1)))
        return deposit(*arguments, **options)

    monkeypatch.setattr(work, "deposit_events", meanwhile)
    with pytest.raises(Refused, match=r"works\.already_filed"):
        registered(world, mei, media.jpeg(media.picture(1)))
    [one] = works.works_of(mei.actor)
    assert one.number == "W-2026-000002"  # the first one's number was taken before
    assert WorkFileRow.objects.count() == 1


def test_two_workers_with_one_file_leave_it_once(world, mei, monkeypatch):
    monkeypatch.setattr(work, "AT_ONCE", 1000)
    made = registered(world, mei, media.jpeg(media.picture(1)))
    workshop = library.tools().workshop

    class Slow:
        """Is overtaken while it decodes."""

        def fingerprint(self, *arguments, **options):
            found = workshop.fingerprint(*arguments, **options)
            with monkeypatch.context() as patch:
                patch.setattr(work.library, "tools", tools)
                assert work.fingerprint_waiting(lambda: world.at) == made.number
            return found

    tools = library.tools
    slow = replace(tools(), workshop=Slow())
    with monkeypatch.context() as patch:
        patch.setattr(work.library, "tools", lambda: slow)
        with pytest.raises(Refused, match=r"works\.moved"):
            work.fingerprint_waiting(lambda: world.at)
    [file] = WorkFileRow.objects.all()
    codes = WorkCode.objects.filter(file=file).count()
    assert codes == len(workshop.fingerprint(media.jpeg(media.picture(1))).codes)
    assert [each.event.type for each in works.events_of(mei.actor, made.number)] == ["work_filed", "work_identified"]
    work._unfit(file, "media.decoder_died", {}, world.at)  # a third one gave up
    assert WorkFileRow.objects.get().state == "done"


def test_a_later_version_may_be_named_by_number(world, mei):
    first = registered(world, mei, media.jpeg(media.picture(1)))
    second = registered(world, mei, media.jpeg(media.picture(2)), replace(RECORD, version_of=first.number.lower()))
    assert second.record.version_of == str(first.id)
    [found] = works.versions_of(mei.actor, first.number)
    assert found.number == second.number
    with pytest.raises(Refused, match=r"works\.not_found"):
        work.amend_work(first.number, replace(RECORD, version_of=first.number), by=mei.actor, at=world.at)
    changed = work.amend_work(
        second.number, replace(RECORD, version_of="{" + str(first.id).upper() + "}"), by=mei.actor, at=world.at
    )
    assert changed.record.version_of == str(first.id)


def test_a_withdrawal_that_is_cut_off_is_none(world, mei, monkeypatch):
    made = registered(world, mei, media.jpeg(media.picture(1)))

    def cut_off(*_):
        raise ConnectionError

    with monkeypatch.context() as patch:
        patch.setattr(work, "take_changes", cut_off)
        with pytest.raises(ConnectionError):
            work.withdraw_work(made.number, by=mei.actor, at=world.at)
    assert works.work_of(mei.actor, made.number).state == "filed"
    assert work.withdraw_work(made.number, by=mei.actor, at=world.at).state == "withdrawn"
    assert not WorkCode.objects.filter(gone=None).exists()


def test_a_file_withdrawn_while_it_was_fingerprinted_is_not_matched(world, mei, monkeypatch):
    monkeypatch.setattr(work, "AT_ONCE", 1000)
    made = registered(world, mei, media.jpeg(media.picture(1)))
    row = WorkFileRow.objects.get()
    work.withdraw_work(made.number, by=mei.actor, at=world.at)
    found = library.tools().workshop.fingerprint(media.jpeg(media.picture(1)))
    work._take(row, found, world.at)  # as it was read before
    assert not WorkCode.objects.exists()
    assert WorkFileRow.objects.get().gone is not None


def test_a_file_that_is_gone_from_the_store_stops_neither_search_nor_worker(world, mei, monkeypatch):
    made = registered(world, mei, media.jpeg(media.picture(1)))
    wiring.blobs().path(made.files[0].sha256).unlink()
    [match] = search(world, mei, media.jpeg(_mirrored(media.picture(1)))).matches
    assert not match.overlay
    monkeypatch.setattr(work, "AT_ONCE", 1000)
    lost = registered(world, mei, media.jpeg(media.picture(2)))
    world.at += timedelta(minutes=1)
    other = registered(world, mei, media.jpeg(media.picture(3)))
    path = wiring.blobs().path(lost.files[0].sha256)
    data = path.read_bytes()
    path.unlink()
    with pytest.raises(Unavailable, match=r"media\.file_missing"):
        work.fingerprint_waiting(lambda: world.at)
    assert work.fingerprint_waiting(lambda: world.at) == other.number
    path.write_bytes(data)
    assert work.fingerprint_waiting(lambda: world.at) == lost.number


def test_a_print_that_cannot_be_read_stops_no_search(world, mei):
    registered(world, mei, media.jpeg(media.picture(1)))
    registered(world, mei, media.jpeg(media.picture(2)))
    WorkFileRow.objects.update(print=b"another version's")
    assert search(world, mei, media.jpeg(_mirrored(media.picture(1)))).matches
    Search.objects.update(fingerprint=b"another version's")
    assert copies.compare_with_searches(lambda: world.at) == 0


@pytest.mark.parametrize("edit", [_mirrored, _mirrored_crop_in_a_page], ids=["by codes", "by features"])
def test_a_work_that_comes_later_is_matched_with_what_was_asked_before(world, mei, jo, edit):
    before = search(world, jo, media.jpeg(edit(media.picture(1))))
    search(world, jo, media.jpeg(media.picture(4)))
    assert not before.matches
    world.at += timedelta(hours=1)
    made = registered(world, mei, media.jpeg(media.picture(1)))
    assert copies.compare_with_searches(lambda: world.at) == 1
    assert copies.compare_with_searches(lambda: world.at) is None
    [match] = works.search_of(jo.actor, before.number).matches
    assert (match.work, match.later) == (made.number, True)
    assert copies.forget_searches(world.at + timedelta(days=31)) == 2
    assert copies.forget_searches(world.at + timedelta(days=31)) == 0


def test_who_asks_much_takes_nobodys_turn(world, mei, jo, monkeypatch):
    monkeypatch.setattr(copies, "COMPARED", 2)
    sam = world.person("Sam Smith")
    edit = _mirrored_crop_in_a_page  # has to be compared: its codes are far
    before = search(world, sam, media.jpeg(edit(media.picture(1))))
    for one in (4, 5, 6):
        world.at += timedelta(minutes=1)
        search(world, jo, media.jpeg(media.picture(one)))
    world.at += timedelta(hours=1)
    registered(world, mei, media.jpeg(media.picture(1)))
    assert copies.compare_with_searches(lambda: world.at) == 1
    assert [each.later for each in works.search_of(sam.actor, before.number).matches] == [True]


def test_a_verdict_is_kept_with_the_match(world, mei):
    registered(world, mei, media.jpeg(media.picture(1)))
    found = search(world, mei, media.jpeg(_mirrored(media.picture(1))))
    which = found.matches[0].id
    assert copies.judge(found.number, which, "copy", by=mei.actor, at=world.at).matches[0].verdict == "copy"
    with pytest.raises(Invalid, match=r"copies\.verdict_unknown"):
        copies.judge(found.number, which, "guilty", by=mei.actor, at=world.at)
    with pytest.raises(Invalid, match=r"copies\.radius_wrong"):
        search(world, mei, b"x", radius=200)


def test_a_noisy_excerpt_of_a_song_is_found_with_its_place(world, mei):
    song = media.tune(1, 30)
    made = registered(world, mei, media.wav(song), replace(RECORD, kind="audio"))
    rate = 11025
    part = song[8 * rate : 18 * rate].astype(np.int32)
    noise = np.random.default_rng(1).normal(0, 1500, len(part)).astype(np.int32)
    [match] = search(world, mei, media.wav((part + noise).clip(-32000, 32000))).matches
    assert (match.work, match.stage) == (made.number, "sound")
    since, until = match.parts[0]["reference_span"]
    assert abs(since - 8000) < 1500
    assert until - since > 4000
    assert not search(world, mei, media.wav(media.tune(2, 10))).matches


def test_a_passage_of_a_text_is_found_with_its_place(world, mei):
    words = [f"word{each * 7919 % 1000}" for each in range(400)]
    registered(world, mei, " ".join(words).encode(), replace(RECORD, kind="text"))
    query = " ".join([*["other"] * 3, "and", "yet", "more", *words[100:200], "the", "end", "of", "it"])
    [match] = search(world, mei, query.encode()).matches
    assert match.stage == "text"
    since, until = match.parts[0]["reference_span"]
    assert " ".join(words)[since:until].startswith("word")


def test_a_film_waits_for_the_worker_when_it_is_large_and_an_excerpt_is_found(world, mei, monkeypatch):
    monkeypatch.setattr(work, "AT_ONCE", 1000)
    made = registered(world, mei, media.film(1), replace(RECORD, kind="video"))
    assert [each.state for each in made.files] == ["waiting"]
    assert work.fingerprint_waiting(lambda: world.at) == made.number
    assert work.fingerprint_waiting(lambda: world.at) is None
    after = works.work_of(mei.actor, made.number)
    assert after.files[0].state == "done"
    assert [each.event.type for each in works.events_of(mei.actor, made.number)] == ["work_filed", "work_identified"]
    assert after.work.identified[0].iscc == after.files[0].iscc != ""
    [match] = search(world, mei, media.film(1, 6)).matches
    assert (match.work, match.stage) == (made.number, "film")
    assert match.parts[0]["reference_span"][1] > 3000
    scene = media.jpeg(np.roll(media.picture(1000, 240), 30, axis=1))
    assert [each.work for each in search(world, mei, scene).matches] == [made.number]


def test_what_cannot_be_decoded_is_noted_as_unfit(world, mei, monkeypatch):
    monkeypatch.setattr(work, "AT_ONCE", 10)
    registered(world, mei, media.jpeg(media.picture(1))[:300])
    work.fingerprint_waiting(lambda: world.at)
    row = WorkFileRow.objects.get()
    assert (row.state, row.trouble) == ("unfit", "media.picture_broken")


def test_the_indexes_are_written_and_read_again(world, mei, settings):
    registered(world, mei, media.jpeg(media.picture(1)))
    assert not copies.build_indexes()
    assert copies.build_indexes(whole=True)
    folder = settings.CHOPMARK_HOME / "media" / "codes"
    assert {path.suffix for path in folder.iterdir()} == {"", ".codes"}
    assert search(world, mei, media.jpeg(_mirrored(media.picture(1)))).matches
    assert WorkCode.objects.count() >= 3
