from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from world.pages import PageWorld

from chopmark.base.digests import digests_of
from chopmark.base.errors import Invalid, PlatformError, Refused
from chopmark.evidence import actions, queries, wiring
from chopmark.evidence.actions import Checksum, NewDeposit
from chopmark.evidence.actions.upload import remove
from chopmark.evidence.models import Upload

DATA = os.urandom(3 << 20)
SHA256 = hashlib.sha256(DATA).digest()


@pytest.fixture
def world(db, settings, tmp_path):
    settings.CHOPMARK_HOME = tmp_path / "home"
    return PageWorld.made(settings.CHOPMARK_HOME)


@pytest.fixture
def mei(world):
    return world.person("Mei Lan")


def start(world, person, **more):
    return actions.start_upload(
        **{"length": len(DATA), "file_name": "lantern.png", "by": person.actor, "at": world.now(), **more}
    )


def append(world, person, upload, offset, *chunks, **more):
    return actions.append_upload(upload.id, offset=offset, chunks=chunks, by=person.actor, at=world.now(), **more)


def stored(world):
    return sorted(each.name for each in (world.home / "blobs").rglob("*") if each.is_file() and each.name != ".lock")


def waiting(world):
    return sorted(each.name for each in wiring.uploads().iterdir())


def keep(world, person, upload, **more):
    [answer] = actions.deposit(
        [NewDeposit(**{"kind": "work", "upload": upload.id, **more})], by=person.actor, at=world.now()
    )
    return answer


def test_a_file_in_pieces_is_stored_deposited_and_given_back(world, mei):
    upload = start(world, mei, declared=SHA256, sm3=True)
    half = append(world, mei, upload, 0, DATA[:1000], DATA[1000:5000])
    assert (half.offset, half.sha256) == (5000, None)
    done = append(world, mei, upload, 5000, DATA[5000:])
    assert (done.offset, done.sha256) == (len(DATA), SHA256)
    assert stored(world) == [SHA256.hex()]
    made = keep(world, mei, upload)
    assert (made.kept, made.sha256, made.size) == (True, SHA256, len(DATA))
    assert made.sm3 == digests_of([DATA], sm3=True).sm3
    file = queries.file_of(mei.actor, made.id)
    assert b"".join(file.chunks) == DATA
    assert Upload.objects.count() == 0
    assert waiting(world) == []


def test_a_broken_line_keeps_what_arrived_and_the_upload_goes_on(world, mei):
    upload = start(world, mei)

    def broken():
        yield DATA[:4096]
        raise OSError("connection reset")

    with pytest.raises(OSError, match="connection reset"):
        actions.append_upload(upload.id, offset=0, chunks=broken(), by=mei.actor, at=world.now())
    assert queries.upload_of(mei.actor, upload.id).offset == 4096
    assert append(world, mei, upload, 4096, DATA[4096:]).sha256 == SHA256


def test_bytes_that_a_crash_left_uncounted_are_overwritten(world, mei):
    upload = start(world, mei)
    append(world, mei, upload, 0, DATA[:4096])
    with (wiring.uploads() / str(upload.id)).open("ab") as file:
        file.write(b"written, never counted")
    assert append(world, mei, upload, 4096, DATA[4096:]).sha256 == SHA256


def test_a_crash_between_storing_and_noting_is_made_good(world, mei):
    upload = start(world, mei)
    append(world, mei, upload, 0, DATA[:-1])
    path = wiring.uploads() / str(upload.id)
    with path.open("ab") as file:
        file.write(DATA[-1:])
    Upload.objects.filter(pk=upload.id).update(offset=len(DATA))
    wiring.blobs().adopt(path, SHA256)
    assert actions.finish_upload(upload.id, by=mei.actor).sha256 == SHA256
    assert actions.finish_upload(upload.id, by=mei.actor).sha256 == SHA256


@pytest.mark.parametrize("offset", [0, 4095, 4097, len(DATA)])
def test_an_offset_other_than_where_it_stands_is_refused(world, mei, offset):
    upload = start(world, mei)
    append(world, mei, upload, 0, DATA[:4096])
    with pytest.raises(Refused) as refused:
        append(world, mei, upload, offset, b"x")
    assert (refused.value.code, refused.value.facts) == ("evidence.upload_offset_differs", {"offset": 4096})
    assert queries.upload_of(mei.actor, upload.id).offset == 4096


def test_a_complete_upload_takes_no_more(world, mei):
    upload = start(world, mei)
    append(world, mei, upload, 0, DATA)
    with pytest.raises(Refused, match="upload_offset_differs"):
        append(world, mei, upload, len(DATA), b"x")


def test_two_requests_do_not_write_to_one_upload(world, mei):
    upload = start(world, mei)

    def chunks():
        yield DATA[:10]
        with pytest.raises(Refused, match="upload_conflict"):
            append(world, mei, upload, 0, b"other")
        yield DATA[10:20]

    done = actions.append_upload(upload.id, offset=0, chunks=chunks(), by=mei.actor, at=world.now())
    assert done.offset == 20


def test_more_bytes_than_announced_are_refused_and_not_counted(world, mei):
    upload = start(world, mei, length=10)
    with pytest.raises(Invalid, match="upload_too_long"):
        append(world, mei, upload, 0, b"12345", b"678901")
    assert queries.upload_of(mei.actor, upload.id).offset == 0
    assert append(world, mei, upload, 0, b"1234567890").sha256 is not None


def test_a_file_that_changed_on_the_way_is_thrown_away(world, mei):
    upload = start(world, mei, declared=SHA256)
    with pytest.raises(Invalid, match="file_changed"):
        append(world, mei, upload, 0, DATA[:-1], b"?")
    assert Upload.objects.count() == 0
    assert stored(world) == waiting(world) == []
    assert keep(world, mei, upload).code == "evidence.upload_not_found"


def test_digests_that_are_not_those_of_the_upload_are_refused(world, mei):
    upload = start(world, mei)
    append(world, mei, upload, 0, DATA)
    assert keep(world, mei, upload, digests=digests_of([b"other"])).code == "evidence.file_changed"
    assert keep(world, mei, upload, digests=digests_of([DATA])).kept


def test_an_unfinished_upload_is_not_deposited(world, mei):
    upload = start(world, mei)
    append(world, mei, upload, 0, DATA[:10])
    assert keep(world, mei, upload).code == "evidence.upload_unfinished"
    with pytest.raises(Invalid, match="upload_unfinished"):
        actions.finish_upload(upload.id, by=mei.actor)


CHECKSUMS = {"sha256": hashlib.sha256(b"piece").digest(), "sha1": hashlib.sha1(b"piece").digest()}  # noqa: S324 (tus)


@pytest.mark.parametrize("algorithm", CHECKSUMS)
def test_a_piece_under_a_checksum_counts_whole_or_not_at_all(world, mei, algorithm):
    upload = start(world, mei)
    checksum = Checksum(algorithm=algorithm, digest=CHECKSUMS[algorithm])
    with pytest.raises(Invalid, match="upload_checksum"):
        append(world, mei, upload, 0, b"peace", checksum=checksum)
    assert queries.upload_of(mei.actor, upload.id).offset == 0
    assert append(world, mei, upload, 0, b"pi", b"ece", checksum=checksum).offset == 5


REFUSED = {
    "an empty file": ({"length": 0}, "evidence.empty_file"),
    "the digest of an empty file": ({"declared": hashlib.sha256().digest()}, "evidence.empty_file"),
    "more than the limit": ({"length": 5_000_000_001}, "evidence.file_too_large"),
    "a short digest": ({"declared": b"\1"}, "base.digest_malformed"),
    "a control character in the name": ({"file_name": "a\x07"}, "evidence.text_control"),
    "a media type without a slash": ({"file_type": "png"}, "evidence.media_type_malformed"),
}


@pytest.mark.parametrize(("change", "code"), REFUSED.values(), ids=REFUSED)
def test_an_upload_is_refused_at_its_start_for(world, mei, change, code):
    with pytest.raises(PlatformError) as refused:
        start(world, mei, **change)
    assert refused.value.code == code
    assert Upload.objects.count() == 0


def test_an_organisation_cannot_keep_more_than_its_quota(world, mei, monkeypatch):
    import sys  # noqa: PLC0415 (only here)

    monkeypatch.setattr(sys.modules["chopmark.evidence.actions.upload"], "QUOTA", len(DATA) + 5)
    start(world, mei)
    with pytest.raises(Refused, match="quota_exceeded"):
        start(world, mei, length=6)
    assert start(world, world.person("Jun Wu"), length=6).offset == 0


def test_another_organisation_does_not_see_an_upload(world, mei):
    upload = start(world, mei)
    other = world.person("Jun Wu")
    for use in (
        lambda: append(world, other, upload, 0, b"x"),
        lambda: actions.finish_upload(upload.id, by=other.actor),
        lambda: actions.discard_upload(upload.id, by=other.actor),
        lambda: queries.upload_of(other.actor, upload.id),
        lambda: actions.discard_upload(uuid4(), by=mei.actor),
    ):
        with pytest.raises(Refused, match="upload_not_found"):
            use()
    append(world, mei, upload, 0, DATA)
    assert keep(world, other, upload).code == "evidence.upload_not_found"


def test_a_viewer_uploads_nothing(world, mei):
    viewer = world.person("Vi Ewer", role="viewer", of=mei)
    with pytest.raises(Refused, match="not_allowed"):
        start(world, viewer)


def test_a_discarded_upload_leaves_nothing(world, mei):
    upload = start(world, mei)
    append(world, mei, upload, 0, DATA)
    actions.discard_upload(upload.id, by=mei.actor)
    assert stored(world) == waiting(world) == []
    assert Upload.objects.count() == 0


def test_a_sweep_takes_expired_uploads_and_leaves_what_a_deposit_keeps(world, mei):
    kept = start(world, mei)
    append(world, mei, kept, 0, DATA)
    keep(world, mei, kept)
    twin = start(world, mei)
    append(world, mei, twin, 0, DATA)
    lone = start(world, mei, length=5)
    append(world, mei, lone, 0, b"alone")
    half = start(world, mei)
    append(world, mei, half, 0, DATA[:10])
    (wiring.uploads() / "stray").write_bytes(b"?")
    old = world.now().timestamp() - 100 * 3600
    os.utime(wiring.uploads() / "stray", (old, old))
    assert actions.sweep(world.now()) == 0
    assert actions.sweep(world.now() + timedelta(hours=25)) == 3
    assert stored(world) == [SHA256.hex()]
    assert waiting(world) == []


def test_a_repeat_after_a_lost_answer_finds_its_deposit_though_the_upload_is_used_up(world, mei):
    upload = start(world, mei)
    append(world, mei, upload, 0, DATA)
    first = keep(world, mei, upload, digests=digests_of([DATA]))
    again = keep(world, mei, upload, digests=digests_of([DATA]))
    assert (again.id, again.created) == (first.id, False)


def test_the_file_can_be_left_later_for_a_deposit_of_the_digest(world, mei):
    [first] = actions.deposit([NewDeposit(kind="work", digests=digests_of([DATA]))], by=mei.actor, at=world.now())
    upload = start(world, mei)
    append(world, mei, upload, 0, DATA)
    again = keep(world, mei, upload)
    assert again.id == first.id
    assert queries.deposit_of(mei.actor, first.id).kept
    with pytest.raises(Refused, match="file_not_found"):
        queries.file_of(mei.actor, world.deposit(mei, b"digest only").id)


def test_an_upload_discarded_under_a_piece_is_gone_and_leaves_nothing(world, mei):
    upload = start(world, mei)

    def pieces():
        yield DATA[:1000]
        actions.discard_upload(upload.id, by=mei.actor)
        yield DATA[1000:]

    with pytest.raises(Refused) as refused:
        actions.append_upload(upload.id, offset=0, chunks=pieces(), by=mei.actor, at=world.now())
    assert refused.value.code == "evidence.upload_not_found"
    assert waiting(world) == stored(world) == []


def test_discarding_an_upload_that_completes_at_this_moment_takes_its_bytes_too(world, mei):
    upload = start(world, mei)
    as_read_before = Upload.objects.get(pk=upload.id)
    append(world, mei, upload, 0, DATA)
    assert stored(world) == [SHA256.hex()]
    remove(as_read_before)
    assert stored(world) == []


def test_an_announced_sm3_must_be_the_one_of_the_stored_file(world, mei):
    upload = start(world, mei, sm3=True)
    append(world, mei, upload, 0, DATA)
    right = digests_of([DATA], sm3=True)
    refused = keep(world, mei, upload, digests=replace(right, sm3=bytes(32)))
    assert isinstance(refused, Invalid)
    assert refused.code == "evidence.file_changed"
    assert keep(world, mei, upload, digests=right).sm3 == right.sm3
