from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chopmark.base.clock import from_seconds
from chopmark.base.errors import Invalid, Refused
from chopmark.desk import codec, flow
from chopmark.desk.clerks import WRONG_TRIES, Clerks
from chopmark.desk.store import Store
from chopmark.desk.wire import BundleRef, CheckLine, Event, SignedEvent
from chopmark.ledger.keys import SigningKey

AT = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
KEY = SigningKey(name="court.example/node", type=1, seed=bytes(32))
WORDS = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "Zs"]), max_size=60)
EVENTS = st.builds(
    Event,
    form=st.just("chopmark-event-1"),
    desk=WORDS,
    token=st.uuids(),
    about=st.uuids(),
    seq=st.integers(1, 10**6),
    at=st.integers(0, 2**32).map(from_seconds),
    kind=st.sampled_from(["received", "refused", "accepted", "hearing"]),
    revision=st.integers(1, 99),
    reasons=st.lists(WORDS, max_size=3).map(tuple),
    number=st.none() | WORDS,
    when=st.none() | st.just(AT),
    place=st.none() | WORDS,
    fee_fen=st.none() | st.integers(0, 10**12),
    checks=st.lists(st.just(CheckLine(item="E-001", verdict="PASSED", codes=("a.b",))), max_size=2).map(tuple),
    bundle=st.none() | st.just(BundleRef(number="B-2026-000001", size=1, sha256=bytes(32))),
)


@given(EVENTS)
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)  # a busy machine is no finding
def test_what_is_written_is_read_back_and_its_signature_holds(event):
    signed = SignedEvent.sign(event, KEY)
    data = codec.canonical(signed)
    again = codec.parse(SignedEvent, data)
    assert again == signed
    again.must_be_by(KEY.verifier)
    with pytest.raises(Invalid, match=r"desk\.event_forged"):
        replace(again, event=replace(event, seq=event.seq + 1)).must_be_by(KEY.verifier)


GOOD = codec.canonical(
    Event(
        form="chopmark-event-1",
        desk="court",
        token=UUID(int=1),
        about=UUID(int=2),
        seq=1,
        at=AT,
        kind="received",
        revision=1,
        reasons=("a",),
        number=None,
        when=None,
        place=None,
        fee_fen=None,
        checks=(),
        bundle=None,
    )
)


@pytest.mark.parametrize(
    ("old", "new"),
    {
        "white space": (b'"seq":1', b'"seq": 1'),
        "a member unknown": (b'"seq":1', b'"seq":1,"shoe":1'),
        "a member missing": (b'"seq":1,', b""),
        "another type": (b'"seq":1', b'"seq":"1"'),
        "a truth for a number": (b'"seq":1', b'"seq":true'),
        "a null": (b'"seq":1', b'"number":null,"seq":1'),
        "a word unknown": (b'"received"', b'"eaten"'),
        "a control character": (b'["a"]', b'["\\u0007"]'),
        "a turned line": (b'["a"]', '["\u202ea"]'.encode()),
        "a number that contradicts": (b'"seq":1', b'"seq":0'),
        "time without a second": (b"09:30:00Z", b"09:30Z"),
        "an upper case id": (b"00000000-0000", b"00000000-000A"),
        "no JSON": (b"{", b""),
    }.values(),
    ids=lambda each: each.decode("utf-8", "replace")[:12] if isinstance(each, bytes) else each,
)
def test_what_does_not_print_back_is_refused(old, new):
    assert old in GOOD
    with pytest.raises(Invalid, match=r"desk\.message_malformed"):
        codec.parse(Event, GOOD.replace(old, new, 1))


def test_a_message_too_large_is_not_read():
    with pytest.raises(Invalid, match=r"desk\.message_too_large"):
        codec.parse(Event, b" " * 11, limit=10)


@pytest.mark.parametrize("kind", ["court", "notary"])
def test_every_state_is_reached_and_an_end_stays_an_end(kind):
    reached, table = {"awaited"}, flow.ALLOWED[kind]
    for _ in flow.STATES:
        reached |= {after for (before, _), after in table.items() if before in reached}
    assert reached == {*(before for before, _ in table), *table.values()}
    assert not flow.ENDS & {before for before, _ in table}
    assert all(after in flow.ENDS or any(before == after for before, _ in table) for after in table.values())
    with pytest.raises(Refused, match=r"desk\.step_not_allowed"):
        flow.after(kind, "refused", "received")


@pytest.fixture
def clerks(tmp_path):
    store = Store(tmp_path / "desk.db")
    made = Clerks(store, cost=1 << 4)
    made.add("lin", "a lantern for the clerk", AT)
    yield made
    store.close()


def test_a_clerk_signs_in_and_out_and_a_session_ends_by_itself(clerks):
    token = clerks.sign_in("lin", "a lantern for the clerk", "203.0.113.9", 1000.0)
    assert clerks.session(token, 1001.0).clerk == "lin"
    assert clerks.session(token, 1000.0 + 3700) is None
    assert clerks.session("another", 1001.0) is None
    clerks.sign_out(token)
    assert clerks.session(token, 1001.0) is None


def test_who_guesses_is_locked_out_for_a_while(clerks):
    for _ in range(WRONG_TRIES):
        with pytest.raises(Refused, match=r"desk\.sign_in_wrong"):
            clerks.sign_in("lin", "guess", "203.0.113.9", 1000.0)
    with pytest.raises(Refused, match=r"desk\.sign_in_locked"):
        clerks.sign_in("lin", "a lantern for the clerk", "198.51.100.1", 1001.0)
    assert clerks.sign_in("lin", "a lantern for the clerk", "198.51.100.1", 2000.0)
    for _ in range(WRONG_TRIES):  # a name that nobody has is locked alike: locking tells nothing about it
        with pytest.raises(Refused, match=r"desk\.sign_in_wrong"):
            clerks.sign_in("nobody", "guess", "203.0.113.9", 2000.0)
    with pytest.raises(Refused, match=r"desk\.sign_in_locked"):
        clerks.sign_in("nobody", "guess", "198.51.100.1", 2000.0)
    for number in range(20):
        with pytest.raises(Refused):
            clerks.sign_in(f"nobody{number}", "guess", "192.0.2.1", 3000.0)
    with pytest.raises(Refused, match=r"desk\.sign_in_locked"):
        clerks.sign_in("lin", "a lantern for the clerk", "192.0.2.1", 3001.0)


def test_a_new_password_ends_old_sessions_and_short_ones_are_refused(clerks):
    token = clerks.sign_in("lin", "a lantern for the clerk", "203.0.113.9", 1000.0)
    clerks.add("lin", "another lantern here", AT)
    assert clerks.session(token, 1001.0) is None
    for name, password, code in (
        ("Lin", "long enough here", "clerk_name_malformed"),
        ("lin", "short", "password_unfit"),
    ):
        with pytest.raises(Invalid, match=f"desk.{code}"):
            clerks.add(name, password, AT)
    clerks.remove("lin")
    with pytest.raises(Refused, match=r"desk\.clerk_unknown"):
        clerks.remove("lin")
