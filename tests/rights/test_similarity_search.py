from __future__ import annotations

import hashlib
import io
import json
import shutil
from dataclasses import replace
from datetime import timedelta

import cv2
import numpy as np
import pytest
from PIL import Image
from world.desks import uploaded
from world.logos import drawn
from world.rights import by_office, lantern

from chopmark.base.errors import Invalid, Refused, Unavailable
from chopmark.cli.app import main
from chopmark.rights.actions.common import Operator
from chopmark.rights.actions.file import NewPaper, NewRight, add_papers, file_right, withdraw
from chopmark.rights.actions.verify import verify_against, vouch
from chopmark.rights.actions.watch import NewWatch, run_watches, save_watch, see_finds, stop_watch
from chopmark.rights.models import Event, Find, LogoCode, RightClass, Serial
from chopmark.rights.queries.follow import Follower, follower
from chopmark.rights.queries.search import Narrow, find_logos, find_words
from chopmark.rights.queries.watches import finds_of, watch_of, watches_of
from chopmark.rights.record import Class, Designation, Mark
from chopmark.rights.similarity import words as words_module
from chopmark.rights.similarity.words import WordIndex, exclusive, read_state

OPERATOR = Operator()
DROP = "M12 2C8 8 5 11 5 15a7 7 0 0 0 14 0c0-4-3-7-7-13zM9 14h2v4H9z"
STAR = "M12 1l3 7 8 1-6 5 2 8-7-4-7 4 2-8-6-5 8-1z"


def filed(world, person, *, words="RED LANTERN", number="018123456", verify=True, image=None, **changes):
    """A right, verified when asked: the operator vouches for the account and brings the office's record."""
    mark = Mark(verbal=words, feature="combined" if image else "word", image=image)
    record = lantern(application_number=number, registration_number=number, mark=mark, **changes)
    made = file_right(NewRight(record=record), by=person.actor, at=world.now())
    if not verify:
        return made
    vouch(person.actor.organisation_id, record.owners[0].name, operator=OPERATOR, at=world.now())
    made = verify_against(made.id, by_office(record), by=OPERATOR, at=world.now())
    assert made.state == "verified"
    return made


def found(world, person, query, **how):
    return [hit.number for hit in find_words(person.actor, query, Narrow(**how), at=world.now()).hits]


def png(gray):
    data = io.BytesIO()
    Image.fromarray(gray).save(data, "PNG")
    return data.getvalue()


def with_picture(world, person, gray, **how):
    """A verified mark whose picture lies here."""
    data = png(gray)
    made = filed(world, person, image=hashlib.sha256(data).digest(), verify=False, **how)
    paper = NewPaper(kind="other", upload=uploaded(world, person, data, "mark.png", "image/png"))
    add_papers(made.id, [paper], by=person.actor, at=world.now())
    return made


def test_a_right_is_found_by_everybody_as_soon_as_it_is_verified_and_not_before(world, mei, jo):
    draft = filed(world, mei, verify=False)
    assert found(world, mei, "redlantem") == [draft.number]
    assert found(world, jo, "redlantem") == []
    made = filed(world, mei, words="Nordwind", number="018999999")
    answer = find_words(jo.actor, "N0rdw1nd", at=world.now())
    [hit] = answer.hits
    assert (hit.number, hit.state, hit.level, hit.mine) == (made.number, "verified", 2, False)
    assert (hit.owners, hit.classes, hit.territories) == (("Mei Lan's studio",), ("11", "25"), ("EU",))
    assert set(hit.scores) == {"look", "sound", "contains"}
    withdraw(made.id, by=mei.actor, at=world.now())
    assert found(world, jo, "Nordwind") == []


def test_a_search_is_narrowed_by_class_and_by_every_country_that_a_right_reaches(world, mei):
    made = filed(world, mei)
    assert found(world, mei, "red lantern", territories=("FR",)) == [made.number]
    assert found(world, mei, "red lantern", territories=("EM",)) == [made.number]
    assert found(world, mei, "red lantern", territories=("US", "GB")) == []
    assert found(world, mei, "red lantern", classes=("025",)) == [made.number]
    assert found(world, mei, "red lantern", classes=("9",)) == []


def test_a_transliteration_finds_a_mark_that_does_not_sound_alike(world, mei):
    record = lantern(mark=Mark(verbal="Carrefour", transliteration="家乐福", translation="crossroads"))
    made = file_right(NewRight(record=record), by=mei.actor, at=world.now())
    for query in ("家樂福", "jialefu", "Karefour", "cr0ssroads"):
        assert found(world, mei, query) == [made.number]


@pytest.mark.parametrize(
    ("query", "narrow", "code"),
    [
        ("", {}, "similarity.query_empty"),
        ("®™!", {}, "similarity.query_empty"),
        ("a" * 201, {}, "similarity.query_too_long"),
        ("a", {"classes": ("46",)}, "similarity.narrow_malformed"),
        ("a", {"classes": ("²",)}, "similarity.narrow_malformed"),
        ("a", {"territories": ("QQ",)}, "similarity.narrow_malformed"),
        ("a", {"least": 1.5}, "similarity.narrow_malformed"),
        ("a", {"limit": 0}, "similarity.narrow_malformed"),
        ("a", {"limit": 201}, "similarity.narrow_malformed"),
    ],
)
def test_searches_without_sense_are_refused(world, mei, query, narrow, code):
    with pytest.raises(Invalid, match=code.replace(".", r"\.")):
        find_words(mei.actor, query, Narrow(**narrow), at=world.now())


def test_a_new_process_reads_the_files_and_what_came_after_them(world, mei):
    made = filed(world, mei)
    follower().follow()
    follower().settle(force=True)
    later = filed(world, mei, words="Nordwind", number="018999999", verify=False)
    fresh = Follower(world.home / "search")
    everything = {"classes": (), "territories": (), "scope": str(mei.actor.organisation_id), "limit": 9, "least": 0.9}
    assert [hit.key for hit in fresh.words("nordwind", **everything)] == [str(later.id)]
    assert [hit.key for hit in fresh.words("red lantern", **everything)] == [str(made.id)]


@pytest.mark.parametrize(
    "trouble", ["no folder", "no files", "files of other rows", "a state of the future", "cut off"]
)
def test_an_index_that_cannot_be_trusted_is_built_anew_from_the_rows(world, mei, trouble):
    made = filed(world, mei)
    place = world.home / "search"
    follower().settle(force=True)
    assert found(world, mei, "red lantern") == [made.number]
    state = read_state(place)
    match trouble:
        case "no folder":
            shutil.rmtree(place)
        case "no files":
            shutil.rmtree(place / state.generation)
        case "files of other rows":
            WordIndex.build(place, (), position=Event.objects.latest("pk").pk, mark="0" * 64)
        case "a state of the future":
            WordIndex.build(place, (), position=10_000, mark="0" * 64)
        case "cut off":
            for each in (place / state.generation).glob("*.store"):
                each.write_bytes(b"")
    fresh = Follower(place)
    everything = {"classes": (), "territories": (), "scope": "", "limit": 9, "least": 0.9}
    assert [hit.key for hit in fresh.words("red lantern", **everything)] == [str(made.id)]


def test_while_another_process_builds_the_index_the_search_says_so(world, mei):
    filed(world, mei, verify=False)
    with exclusive(world.home / "search") as mine:
        assert mine
        with pytest.raises(Unavailable, match=r"similarity\.index_building"):
            find_words(mei.actor, "lantern", at=world.now())
    assert found(world, mei, "red lantern")


def test_a_watch_finds_what_is_there_and_each_new_filing_of_others_once(world, mei, jo):
    first = filed(world, jo, words="Red Lanterm", number="018000001")
    filed(world, mei)
    watch = save_watch(NewWatch(text="RED LANTERN"), by=mei.actor, at=world.now())
    ran = run_watches(world.now())
    assert (ran.searches, ran.finds, ran.more) == (1, 1, False)
    second = filed(world, jo, words="RedLantern Pro", number="018000002", verify=False)
    assert run_watches(world.now()).finds == 0
    verify_against(second.id, by_office(second.record), by=OPERATOR, at=world.now())
    filed(world, jo, words="Nordwind", number="018000003")
    assert run_watches(world.now()).finds == 1
    assert run_watches(world.now() + timedelta(hours=25)).finds == 0
    listed = finds_of(mei.actor, watch.id)
    assert {each.found.number for each in listed} == {first.number, second.number}
    assert watch_of(mei.actor, watch.id).fresh == 2
    assert see_finds(watch.id, by=mei.actor, at=world.now()) == 2
    [shown] = watches_of(mei.actor)
    assert (shown.finds, shown.fresh) == (2, 0)
    withdraw(second.id, by=jo.actor, at=world.now())
    assert [each.found.number for each in finds_of(mei.actor, watch.id)] == [first.number]
    assert [(each.finds, each.fresh) for each in (*watches_of(mei.actor), watch_of(mei.actor, watch.id))] == [
        (1, 0)
    ] * 2


def test_a_watch_finds_others_behind_many_rights_of_its_own(world, mei, jo, monkeypatch):
    monkeypatch.setattr(words_module, "CANDIDATES", 2)
    for number in ("018000002", "018000003", "018000004"):
        filed(world, mei, number=number)
    other = filed(world, jo, words="Red Lanterm", number="018000001")
    follower().follow()
    follower().settle(force=True)
    watch = save_watch(NewWatch(text="RED LANTERN"), by=mei.actor, at=world.now())
    Serial.objects.update_or_create(name="watched", defaults={"last": Event.objects.latest("pk").pk})
    assert run_watches(world.now()).finds == 1
    assert [each.found.number for each in finds_of(mei.actor, watch.id)] == [other.number]


def test_a_class_of_another_scheme_is_no_class_of_nice(world, mei, jo):
    made = filed(world, jo)
    code = made.record.classes[0].code
    save_watch(NewWatch(text="RED LANTERN", narrow=Narrow(classes=(code,))), by=mei.actor, at=world.now())
    RightClass.objects.filter(right=made.id).update(scheme="locarno")
    assert run_watches(world.now()).finds == 0


def test_an_index_that_cannot_be_written_is_said_and_tried_again(world, mei, monkeypatch):
    filed(world, mei, verify=False)
    with monkeypatch.context() as patch:
        patch.setattr(words_module, "_engine", _full)
        with pytest.raises(Unavailable, match=r"similarity\.index_building"):
            find_words(mei.actor, "lantern", at=world.now())
    assert found(world, mei, "red lantern")
    with monkeypatch.context() as patch:
        patch.setattr(WordIndex, "settle", _full)
        follower().settle(force=True)
    assert read_state(world.home / "search") is not None
    assert found(world, mei, "red lantern")


def _full(*given, **named):
    raise ValueError("An IO error occurred: 'No space left on device (os error 28)'")


def test_a_watch_keeps_to_its_classes_and_territories_and_ends_when_it_is_stopped(world, mei, jo):
    narrow = Narrow(classes=("25",), territories=("DE",))
    watch = save_watch(NewWatch(text="RED LANTERN", narrow=narrow), by=mei.actor, at=world.now())
    run_watches(world.now())
    chinese = (Designation(territory="CN", status="registered"),)
    filed(world, jo, number="1", designations=chinese, office="CN")
    filed(world, jo, number="018000002", classes=(Class(scheme="nice", code="9"),))
    assert run_watches(world.now()).finds == 0
    meant = filed(world, jo, number="018000003", classes=(Class(scheme="nice", code="25"),))
    assert run_watches(world.now()).finds == 1
    [only] = finds_of(mei.actor, watch.id, fresh=True)
    assert only.found.number == meant.number
    assert stop_watch(watch.id, by=mei.actor, at=world.now()).stopped_at is not None
    filed(world, jo, number="018000004", classes=(Class(scheme="nice", code="25"),))
    assert run_watches(world.now()).finds == 0
    assert watches_of(mei.actor) == ()
    assert len(watches_of(mei.actor, stopped=True)) == 1


def test_nobody_else_sees_or_stops_a_watch(world, mei, jo):
    watch = save_watch(NewWatch(text="lantern"), by=mei.actor, at=world.now())
    assert watches_of(jo.actor) == ()
    for ask in (watch_of, finds_of):
        with pytest.raises(Refused, match=r"similarity\.watch_not_found"):
            ask(jo.actor, watch.id)
    for act in (stop_watch, see_finds):
        with pytest.raises(Refused, match=r"similarity\.watch_not_found"):
            act(watch.id, by=jo.actor, at=world.now())


def test_who_may_only_look_searches_but_saves_no_watch(world, mei):
    viewer = replace(mei.actor, role="viewer")
    made = filed(world, mei)
    assert [hit.number for hit in find_words(viewer, "lantem red", at=world.now()).hits] in ([made.number], [])
    with pytest.raises(Refused, match=r"people\.not_allowed"):
        save_watch(NewWatch(text="lantern"), by=viewer, at=world.now())
    nobody = replace(mei.actor, scopes=frozenset({"deposits:read"}))
    with pytest.raises(Refused, match=r"people\.scope_missing"):
        find_words(nobody, "lantern", at=world.now())


def test_an_organisation_has_so_many_watches_and_no_more(world, mei, monkeypatch):
    monkeypatch.setattr("chopmark.rights.actions.watch.MAX_WATCHES", 2)
    for words in ("one", "two"):
        save_watch(NewWatch(text=words), by=mei.actor, at=world.now())
    with pytest.raises(Refused, match=r"similarity\.too_many_watches"):
        save_watch(NewWatch(text="three"), by=mei.actor, at=world.now())


def test_a_logo_is_found_turned_inverted_and_smaller_and_a_watch_meets_it(world, mei, jo):
    drop, star = drawn(DROP), drawn(STAR)
    watch = save_watch(NewWatch(text="our drop", picture=png(drop)), by=jo.actor, at=world.now())
    made = with_picture(world, mei, drop, words="Drop", number="018000001")
    other = with_picture(world, mei, star, words="Star", number="018000002")
    run_watches(world.now())
    assert LogoCode.objects.exclude(codes=b"").count() == 2
    turned = cv2.copyMakeBorder(255 - np.rot90(drop), 60, 10, 30, 90, cv2.BORDER_CONSTANT, value=0)
    answer = find_logos(mei.actor, png(np.ascontiguousarray(turned)), at=world.now())
    assert answer.hits[0].number == made.number
    assert set(answer.hits[0].scores) == {"shape", "polar", "same"}
    assert find_logos(mei.actor, png(star), at=world.now()).hits[0].number == other.number
    assert find_logos(jo.actor, png(drop), at=world.now()).hits == ()
    vouch(mei.actor.organisation_id, made.record.owners[0].name, operator=OPERATOR, at=world.now())
    verify_against(made.id, by_office(made.record), by=OPERATOR, at=world.now())
    assert [hit.number for hit in find_logos(jo.actor, png(drop), at=world.now()).hits] == [made.number]
    assert find_logos(jo.actor, png(drop), Narrow(classes=("9",)), at=world.now()).hits == ()
    assert run_watches(world.now()).finds == 1
    assert [each.found.number for each in finds_of(jo.actor, watch.id)] == [made.number]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (png(np.full((300, 300), 255, np.uint8)), "similarity.logo_blank"),
        (b"<svg/>", "media.picture_unknown"),
        (b"\x89PNG\r\n\x1a\nnothing", "media.picture_broken"),
        (bytes(10_000_001), "similarity.picture_too_large"),
    ],
    ids=["blank", "no picture", "broken", "too large"],
)
def test_pictures_that_hold_no_logo_are_refused(world, mei, data, code):
    with pytest.raises(Invalid, match=code.replace(".", r"\.")):
        find_logos(mei.actor, data, at=world.now())
    with pytest.raises(Invalid, match=code.replace(".", r"\.")):
        save_watch(NewWatch(text="x", picture=data), by=mei.actor, at=world.now())
    assert Find.objects.count() == 0


def test_the_commands_search_watch_and_show_finds(world, mei, jo, monkeypatch, capsys):
    monkeypatch.setenv("CHOPMARK_HOME", str(world.home))
    made = filed(world, jo)
    whose = ("--organisation", str(mei.actor.organisation_id))

    def chopmark(*arguments, status=0):
        assert main([*arguments, *whose, "--json"]) == status, capsys.readouterr()
        told = capsys.readouterr()
        return json.loads(told.out or told.err)

    [hit] = chopmark("right", "search", "r3d lantem", "--class", "25", "--territory", "FR", "--least", "0.7")["hits"]
    assert hit["number"] == made.number
    assert chopmark("right", "search", "lantern", "--class", "99", status=1)["code"] == "similarity.narrow_malformed"
    missing = str(world.home / "missing.png")
    assert chopmark("right", "search", "--logo", missing, status=2)["code"] == "cli.file_unreadable"
    [saved] = chopmark("right", "watch", "RED LANTERN")
    run_watches(world.now())
    [listed] = chopmark("right", "watch")
    assert (listed["id"], listed["finds"]) == (saved["id"], 1)
    [find] = chopmark("right", "watch", "--finds", saved["id"])
    assert find["number"] == made.number
    assert main(["right", "search", "red lantern", *whose]) == 0
    assert made.number in capsys.readouterr().out
    [stopped] = chopmark("right", "watch", "--stop", saved["id"])
    assert stopped["stopped"]
