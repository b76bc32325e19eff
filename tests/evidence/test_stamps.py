"""Stamps on checkpoints: planned once an hour, retried, never twice, and of use to every entry they cover."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from world.pages import AT, PageWorld
from world.tsa import TsaWorld

from chopmark.base.errors import Invalid, Refused, Unavailable
from chopmark.evidence import stamps, wiring
from chopmark.evidence.actions import stamp
from chopmark.evidence.actions.stamp import newest_before, plan_stamps, stamp_newest, work_on_stamps
from chopmark.evidence.models import Stamp
from chopmark.ledger.anchor import Anchored, Pending
from chopmark.ledger.checkpoint import Checkpoint
from chopmark.ledger.stores import Published
from chopmark.ledger.timestamp import verify_token
from chopmark.ledger.tree import verify_inclusion

HOUR = timedelta(hours=1)


@dataclass
class Authority:
    """A time-stamp authority whose network fails as told; `answers` are taken one by one, then it stamps."""

    name: str = "tsa"
    kind: str = "rfc3161"
    own: bool = False
    daily: bool = False
    tsa: TsaWorld = field(default_factory=TsaWorld)
    answers: list[object] = field(default_factory=list)
    asked: list[bytes] = field(default_factory=list)

    def submit(self, imprint):
        self.asked.append(imprint)
        if self.answers:
            answer = self.answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer
        return self._token(imprint)

    def upgrade(self, imprint, state):
        assert state == b"begun"
        return self.submit(imprint)

    def _token(self, imprint):
        order = self.tsa.order(b"")
        token = self.tsa.signer.stamp(type(order)(
            algorithm=order.algorithm, imprint=imprint, nonce=None, certificates=True
        ))  # fmt: skip
        return Anchored(token=token, at=self.tsa.at)


@pytest.fixture
def world(db, settings, tmp_path):
    settings.CHOPMARK_HOME = tmp_path / "home"
    return PageWorld.made(settings.CHOPMARK_HOME)


@pytest.fixture
def mei(world):
    return world.person("Mei Lan")


def _publish(world, mei, *contents, at=None):
    if at is not None:
        world.at = at
    made = [world.deposit(mei, content) for content in contents]
    world.publish()
    return made


def _states():
    return [(row.authority, row.size, row.state) for row in Stamp.objects.order_by("pk")]


# ---- planning --------------------------------------------------------------------------------------------------------


def test_the_newest_checkpoint_before_the_turn_is_wanted(world, mei):
    _publish(world, mei, b"1", at=AT + timedelta(minutes=10))
    before = wiring.book().latest().size
    _publish(world, mei, b"2", at=AT + timedelta(minutes=40))
    assert plan_stamps([Authority()], AT + timedelta(minutes=45)) == 1
    assert _states() == [("tsa", before, "waiting")]


def test_the_same_hour_is_planned_once_and_an_hour_without_news_not_at_all(world):
    at = AT + HOUR
    assert [plan_stamps([Authority()], at + hours * HOUR) for hours in (0, 0, 1, 30)] == [1, 0, 0, 0]


def test_a_daily_authority_is_asked_at_the_turn_of_the_day(world, mei):
    daily = Authority(name="chain", daily=True)
    assert plan_stamps([daily], AT + HOUR) == 0
    midnight = AT.replace(hour=0, minute=0) + timedelta(days=1)
    assert plan_stamps([daily], midnight + timedelta(minutes=1)) == 1
    _publish(world, mei, b"1", at=midnight + timedelta(minutes=2))
    assert plan_stamps([daily], midnight + 5 * HOUR) == 0


def test_all_authorities_are_asked_and_one_that_fails_keeps_no_other_waiting(world):
    good, bad = Authority(name="good"), Authority(name="bad", answers=[Unavailable("ledger.anchor_silent")] * 9)
    assert plan_stamps([bad, good], AT + HOUR) == 2
    worked = work_on_stamps([bad, good], lambda: AT + HOUR)
    assert (worked.done, worked.failed) == (1, 1)
    assert [(name, state) for name, _, state in sorted(_states())] == [("bad", "waiting"), ("good", "done")]


def test_an_authority_away_for_hours_stamps_the_newest_only(world, mei):
    away = Authority(answers=[Unavailable("ledger.anchor_silent")] * 3)
    for hour in range(1, 4):
        plan_stamps([away], AT + hour * HOUR)
        work_on_stamps([away], lambda hour=hour: AT + hour * HOUR)
        _publish(world, mei, str(hour).encode(), at=AT + hour * HOUR)
    plan_stamps([away], AT + 4 * HOUR)
    work_on_stamps([away], lambda: AT + 5 * HOUR)
    assert [state for *_, state in _states()] == ["superseded"] * 3 + ["done"]


def test_an_empty_log_has_nothing_to_stamp(db, settings, tmp_path):
    settings.CHOPMARK_HOME = tmp_path / "home"
    assert plan_stamps([Authority()], AT) == 0
    with pytest.raises(Refused, match="stamp_nothing"):
        stamp_newest([Authority()], AT)


class _Book:
    def __init__(self, rows):
        self.rows = rows
        self.asked = 0

    def latest(self):
        return self.rows[-1] if self.rows else None

    def checkpoints(self, before_size, limit):
        self.asked += 1
        return [row for row in reversed(self.rows) if row.size < before_size][:limit]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 10**9), st.integers(0, 5)), max_size=40), st.integers(-1, 210))
def test_the_newest_before_a_moment_is_found_by_halving(steps, seconds):
    rows, size, at = [], 0, AT
    for grown, waited in steps:
        size, at = size + grown, at + timedelta(seconds=waited)
        rows.append(Published(size=size, root=bytes(32), note=b"", sealed_root=b"", at=at))
    moment = AT + timedelta(seconds=seconds)
    book = _Book(rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stamp.wiring, "book", lambda: book)
        found = newest_before(moment)
    assert found == next((row for row in reversed(rows) if row.at < moment), None)
    assert book.asked <= 40


# ---- work ------------------------------------------------------------------------------------------------------------


def test_what_is_stamped_is_the_digest_of_the_three_lines(world):
    authority = Authority()
    stamp_newest([authority], AT)
    work_on_stamps([authority], lambda: AT)
    text = wiring.book().latest().note.partition(b"\n\n")[0] + b"\n"
    assert authority.asked == [sha256(text).digest()]
    row = Stamp.objects.get()
    assert (bytes(row.text), row.stamped_at, row.state) == (text, authority.tsa.at, "done")


def test_a_failed_try_is_repeated_later_each_time(world):
    trouble = [Unavailable("ledger.anchor_silent"), Invalid("ledger.timestamp_mismatched")] * 4
    authority = Authority(answers=trouble)
    stamp_newest([authority], AT)
    at, waits = AT, []
    for number in range(8):
        assert work_on_stamps([authority], lambda: at).failed == 1  # noqa: B023 (called at once)
        assert work_on_stamps([authority], lambda: at).failed == 0  # noqa: B023
        row = Stamp.objects.get()
        assert (row.state, row.tries) == ("waiting", number + 1)
        waits.append(row.next_try - at)
        at = row.next_try
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (timedelta(seconds=60), HOUR) or waits[-1] <= HOUR
    assert Stamp.objects.get().trouble == "ledger.timestamp_mismatched"
    work_on_stamps([authority], lambda: at)
    assert (Stamp.objects.get().state, Stamp.objects.get().trouble) == ("done", "")


def test_a_pending_one_is_gone_on_with_until_it_is_done(world):
    authority = Authority(name="chain", answers=[Pending(state=b"begun"), Pending(state=b"begun")])
    stamp_newest([authority], AT)
    assert work_on_stamps([authority], lambda: AT).begun == 1
    for minutes, done in ((1, 0), (2, 0), (30, 1)):
        assert work_on_stamps([authority], lambda m=minutes: AT + timedelta(minutes=m)).done == done


def test_a_lost_one_is_begun_anew(world):
    authority = Authority(answers=[Pending(state=b"begun"), Refused("ledger.anchor_lost", name="chain")])
    stamp_newest([authority], AT)
    for minutes in (0, 10, 60):
        work_on_stamps([authority], lambda m=minutes: AT + timedelta(minutes=m))
        row = Stamp.objects.get()
        assert bytes(row.handle) == (b"begun" if minutes == 0 else b"")
    assert row.state == "done"


def test_a_killed_stamper_is_followed_by_another_after_the_lease(world):
    class Killed(BaseException):
        pass

    authority = Authority(answers=[])
    authority.submit = lambda _imprint: (_ for _ in ()).throw(Killed())
    stamp_newest([authority], AT)
    with pytest.raises(Killed):
        work_on_stamps([authority], lambda: AT)
    next_one = Authority()
    assert work_on_stamps([next_one], lambda: AT + timedelta(minutes=1)).done == 0
    assert work_on_stamps([next_one], lambda: AT + timedelta(minutes=6)).done == 1


def test_of_two_stampers_at_once_one_asks(world):
    other = Authority()

    class Meanwhile(Authority):
        def submit(self, imprint):
            assert work_on_stamps([other], lambda: AT).done == 0
            assert stamp_newest([other], AT) == 0
            return super().submit(imprint)

    authority = Meanwhile()
    stamp_newest([authority], AT)
    assert work_on_stamps([authority], lambda: AT).done == 1
    assert (other.asked, Stamp.objects.count()) == ([], 1)


def test_a_stamper_that_lost_its_lease_changes_nothing(world):
    late = Authority()

    class Slow(Authority):
        def submit(self, _imprint):
            work_on_stamps([late], lambda: AT + timedelta(minutes=6))
            return Anchored(token=b"late", at=AT)

    stamp_newest([Slow()], AT)
    assert work_on_stamps([Slow()], lambda: AT).done == 0
    assert bytes(Stamp.objects.get().token) != b"late"


def test_only_allowed_steps_are_taken(world):
    """What the actions do, against the table that the page `docs/time.md` shows."""
    seen = set()
    authority = Authority(
        answers=[
            Unavailable("x"), Pending(state=b"begun"), Unavailable("x"), Pending(state=b"begun"), Refused("x"),
            Pending(state=b"begun"),
        ]
    )  # fmt: skip
    stamp_newest([authority], AT)
    at = AT
    while (row := Stamp.objects.get()).state != "done":
        at = row.next_try
        work_on_stamps([authority], lambda: at)  # noqa: B023 (called at once)
        seen.add((row.state, Stamp.objects.get().state))
    assert seen - {("waiting", "waiting")} <= stamps.ALLOWED
    assert ("pending", "waiting") in seen


# ---- what entries get ------------------------------------------------------------------------------------------------


def test_an_entry_gets_the_earliest_stamp_that_covers_it_of_each_authority(world, mei):
    own, court = Authority(name="own", own=True), Authority(name="court")
    _publish(world, mei, *(str(number).encode() for number in range(5)), at=AT + timedelta(minutes=5))
    sizes = []
    for hour in range(3):
        plan_stamps([own, court] if hour != 1 else [own], AT + (hour + 1) * HOUR)
        work_on_stamps([own, court], lambda h=hour: AT + (h + 1) * HOUR)
        sizes.append(wiring.book().latest().size)
        _publish(world, mei, *(f"{hour} {number}".encode() for number in range(300)), at=AT + (hour + 1) * HOUR)
    for position in (0, sizes[0] - 1, sizes[0], sizes[1] - 1, sizes[2] - 1):
        anchors = stamps.anchors_for(position)
        assert [anchor.authority for anchor in anchors] == ["court", "own"]
        for anchor in anchors:
            point = Checkpoint.parse(anchor.text.decode())
            wanted = [
                size
                for number, size in enumerate(sizes)
                if size > position and (number != 1 or anchor.authority == "own")
            ]
            assert point.size == wanted[0]
            leaf = wiring.leaf_at(wiring.reader(), position)
            verify_inclusion(leaf=leaf, index=position, size=point.size, proof=anchor.path, root=point.root)
            assert verify_token(anchor.token, anchor.text, [own.tsa.authority], AT + 9 * HOUR).time == own.tsa.at
    assert stamps.anchors_for(sizes[2]) == []


def test_a_stamp_that_is_not_there_yet_is_no_anchor(world):
    stamp_newest([Authority(answers=[Pending(state=b"begun")])], AT)
    assert stamps.anchors_for(0) == []
    assert [each.state for each in stamps.open_stamps()] == ["waiting"]
    assert [(each.authority, each.tries) for each in stamps.newest()] == [("tsa", 0)]


def test_trusted_authorities_are_files_of_the_home(world, tmp_path):
    assert stamps.authorities() == ()
    folder = wiring.home() / "tsa" / "trusted"
    folder.mkdir(parents=True)
    for name in ("own", "court-time"):
        (folder / f"{name}.pem").write_bytes(TsaWorld().root_file(tmp_path).read_bytes())
    assert [(each.name, each.own) for each in stamps.authorities()] == [("court-time", False), ("own", True)]
    (folder / "court-time.pem").write_text("hello", "ascii")
    with pytest.raises(Invalid, match="authority_malformed"):
        stamps.authorities()


def test_the_turn_is_of_utc_wherever_the_clock_stands(world):
    kolkata = datetime.fromisoformat("2026-11-22T15:29:00+05:30")
    assert plan_stamps([Authority()], kolkata) == 0
    assert plan_stamps([Authority()], kolkata + timedelta(minutes=2)) == 1
