"""Who must not be able to: another platform, another desk, a replayed call, a clerk's forged form, a wrong browser."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest
from world.desks import CLERK, ORDER, PARTY, PASSWORD, STEPS, carried, desk

from chopmark.base.errors import Invalid, Refused
from chopmark.cases import actions, package, queries
from chopmark.cases.actions.receive import MOST_EVENTS
from chopmark.cases.gateway import HttpGateway
from chopmark.cases.models import Dispatch, Event, Filing
from chopmark.cases.wiring import NODE_KEY, node_key
from chopmark.desk import codec, wire
from chopmark.desk.wire import DeskCard, PlatformCard, SignedEvent
from chopmark.evidence import wiring
from chopmark.ledger.keys import ED25519, SigningKey
from chopmark.member.httpsig import signed_headers

TARGET = "/api/v1/desk-events"
HTML = "<script>alert(1)</script><img src=x onerror=alert(2)>"


def sent(world, person, bundled, **changes):
    made = actions.draft_filing(bundled[0].id, by=person.actor, at=world.now())
    for step, data in {**STEPS, **changes}.items():
        made = actions.save_step(made.id, step, data, by=person.actor, at=world.now())
    return again(world, person, made)


def again(world, person, made):
    actions.preview_filing(made.id, by=person.actor, at=world.now())
    return actions.submit_filing(made.id, by=person.actor, at=world.now())


def received(world, person, bundled, court, **changes):
    made = sent(world, person, bundled, **changes)
    carried(world)
    court.turn(world.now())
    return made


def message_of(made):
    return codec.parse(wire.Filing, bytes(Filing.objects.get(pk=made.id).message))


def event(court, about, seq, **changes):
    """What the desk itself would have signed."""
    told = codec.parse(SignedEvent, bytes(court.office.store.one("SELECT document FROM event")["document"])).event
    told = replace(told, about=about, seq=seq, token=changes.pop("token"), checks=(), **changes)
    return codec.canonical(SignedEvent.sign(told, court.home.key()))


def delivered(client, key, document, *, origin=None, headers=None):
    signed = headers or signed_headers(key, "POST", TARGET, document, origin=origin or wiring.origin())
    return client.post(
        TARGET, document, content_type="application/json", headers={**signed, "Content-Type": "application/json"}
    )


# ---- a desk that refuses while the bundle comes in -------------------------------------------------------------------


def test_a_filing_refused_during_its_bundle_is_corrected_and_sent_again(world, mei, court, bundled, monkeypatch):
    def broken(*_):
        raise Refused("cases.desk_refused", desk="hangzhou-court", reason="desk.bundle_differs")

    made = sent(world, mei, bundled)
    with monkeypatch.context() as patched:
        patched.setattr(HttpGateway, "send", broken)
        carried(world)
    found = queries.filing_of(mei.actor, made.id)
    assert (found.state, found.revision, found.deliveries[-1].trouble) == ("draft", 0, "cases.desk_refused")
    world.at += timedelta(minutes=1)
    claims = {**STEPS["claims"], "claims": [{"text": "停止侵权"}], "mediation": False}
    actions.save_step(made.id, "claims", claims, by=mei.actor, at=world.now())
    again(world, mei, made)
    carried(world)
    court.turn(world.now())
    assert queries.filing_of(mei.actor, made.id).state == "received"
    assert court.office.case(made.id).message.mediation is False


def test_a_revision_whose_bundle_is_here_is_never_replaced(world, mei, court, bundled):
    made = received(world, mei, bundled, court)
    message = message_of(made)
    with HttpGateway(codec.parse(DeskCard, court.home.card_file.read_bytes()), node_key(), wiring.origin()) as gateway:
        assert gateway.submit(codec.canonical(message)).state == "received"
        with pytest.raises(Refused, match=r"cases\.desk_refused") as refused:
            gateway.submit(codec.canonical(replace(message, note="something else")))
    assert refused.value.facts["reason"] == "desk.token_taken"


def test_an_older_message_does_not_replace_a_newer_one(world, mei, court, bundled):
    message = message_of(sent(world, mei, bundled))
    court.office.take(message, wiring.origin(), world.now())
    with pytest.raises(Refused, match=r"desk\.token_taken"):
        court.office.take(replace(message, at=message.at - timedelta(seconds=1)), wiring.origin(), world.now())


# ---- withdrawals -----------------------------------------------------------------------------------------------------


def test_a_withdrawal_does_not_overtake_its_filing(world, mei, court, bundled):
    made = sent(world, mei, bundled)
    actions.withdraw_filing(made.id, "已和解", by=mei.actor, at=world.now())
    Dispatch.objects.filter(kind="filing").update(next_try=world.now() + timedelta(days=400))
    assert carried(world) == 0
    Dispatch.objects.update(next_try=world.now())
    assert [carried(world), carried(world)] == [1, 1]
    court.turn(world.now())
    assert queries.filing_of(mei.actor, made.id).state == "withdrawn"


def test_what_the_desk_never_had_is_withdrawn_at_once(world, mei, court, bundled):
    made = sent(world, mei, bundled)
    actions.withdraw_filing(made.id, "", by=mei.actor, at=world.now())
    Dispatch.objects.filter(kind="filing").update(done_at=world.now())
    carried(world)
    assert queries.filing_of(mei.actor, made.id).state == "withdrawn"


# ---- another platform at the same desk -------------------------------------------------------------------------------


def test_another_platform_sees_and_gets_nothing_of_ours(world, mei, court, bundled):
    message = message_of(received(world, mei, bundled, court))
    key = SigningKey.generate("other.example/log/node", ED25519)
    card = PlatformCard(
        form="chopmark-platform-1",
        origin="other.example/log",
        title="Other",
        callback="https://other.example/api",
        node=str(key.verifier),
    )
    court.home.adopt_platform(codec.canonical(card), None)
    desk_card = codec.parse(DeskCard, court.home.card_file.read_bytes())
    with HttpGateway(desk_card, key, "other.example/log") as other:
        for each in (
            lambda: other.status(message.token),
            lambda: other.send(message.token, 0, b"x"),
            lambda: other.fetch(message.token, 0),
            lambda: other.submit(codec.canonical(message)),
            lambda: other.submit(codec.canonical(replace(message, origin="other.example/log"))),
        ):
            with pytest.raises(Refused, match=r"cases\.desk_refused"):
                each()
        # Knowing the digest of our bundle does not give it to them.
        own = replace(message, origin="other.example/log", token=world.person("Wu Di").actor.organisation_id)
        assert other.submit(codec.canonical(own)).has == 0
        with pytest.raises(Refused, match=r"cases\.desk_refused"):
            other.send(own.token, 0, b"x" * (own.bundle.size + 1))
        assert other.send(own.token, 0, b"x" * 10).has == 10
    with HttpGateway(desk_card, key, wiring.origin()) as forged, pytest.raises(Refused):
        forged.status(message.token)


def test_a_bundle_is_neither_longer_nor_another_one_than_was_announced(world, mei, court, bundled):
    message = message_of(sent(world, mei, bundled))
    origin, data = wiring.origin(), b"a bundle"
    small = replace(message, bundle=replace(message.bundle, size=8, sha256=hashlib.sha256(data).digest()))
    office = court.office
    assert office.take(small, origin, world.now()).has == 0
    for offset, piece in ((0, b"a bundle too long"), (1, b"a"), (0, b"")):
        with pytest.raises(Invalid, match=r"desk\.piece_wrong"):
            office.piece(small.token, origin, offset, piece, world.now())
    office.piece(small.token, origin, 0, b"a bun", world.now())
    with pytest.raises(Invalid, match=r"desk\.bundle_differs"):
        office.piece(small.token, origin, 5, b"DLE", world.now())
    assert office.status(small.token, origin).has == 0
    assert office.piece(small.token, origin, 0, data, world.now()).has == 8
    names = {path.name for path in court.home.bundles.iterdir()}
    assert names == {hashlib.sha256(data).hexdigest()}


def test_a_case_that_cannot_be_checked_holds_up_no_other(world, mei, court, bundled):
    broken, good = sent(world, mei, bundled), sent(world, mei, bundled)
    for each in (broken, good):
        carried(world)
        message = message_of(each)
        court.office.store.run("UPDATE paper SET changed_at = received_at WHERE token = ?", str(message.token))
    court.office.store.run("UPDATE paper SET sha256 = ? WHERE token = ?", bytes(32), str(broken.id))
    with pytest.raises(FileNotFoundError):
        court.office.work(world.now())
    assert court.office.work(world.now())
    assert court.office.case(good.id).state == "received"


# ---- events ----------------------------------------------------------------------------------------------------------


def test_only_the_desk_of_the_case_reports_and_every_call_counts_once(world, mei, court, notary, bundled):
    made = received(world, mei, bundled, court)
    client, own = world.person("nobody").client, court.home.key()
    token = mei.actor.organisation_id
    document = event(court, made.id, 2, token=token, kind="accepted", number="(2026)1")
    foreign = SigningKey.generate("hangzhou-court.desk.invalid/node", ED25519)
    for key, origin in ((foreign, None), (own, "other.example/log"), (node_key(), None)):
        answer = delivered(client, key, document, origin=origin)
        assert (answer.status_code, answer.json()["code"]) == (403, "member.call_unsigned")
    forged = codec.canonical(SignedEvent.sign(codec.parse(SignedEvent, document).event, notary.home.key()))
    assert delivered(client, notary.home.key(), forged).json()["code"] == "desk.event_forged"
    renamed = replace(codec.parse(SignedEvent, document).event, desk="notary-office")
    theirs = codec.canonical(SignedEvent.sign(renamed, notary.home.key()))
    assert delivered(client, notary.home.key(), theirs).json()["code"] == "cases.event_unasked"
    assert queries.filing_of(mei.actor, made.id).state == "received"

    headers = signed_headers(own, "POST", TARGET, document, origin=wiring.origin())
    assert delivered(client, own, document, headers=headers).status_code == 201
    assert delivered(client, own, document, headers=headers).json()["code"] == "member.call_repeated"
    assert delivered(client, own, document).json() == {"new": False}
    assert queries.filing_of(mei.actor, made.id).state == "accepted"


def test_a_key_that_the_desk_gave_up_reports_nothing(world, mei, court, bundled):
    made = received(world, mei, bundled, court)
    card = codec.parse(DeskCard, court.home.card_file.read_bytes())
    newer = SigningKey.generate("hangzhou-court.desk.invalid/node", ED25519)
    actions.adopt_desk(codec.canonical(replace(card, node=str(newer.verifier))), at=world.now())
    document = event(court, made.id, 2, token=mei.actor.organisation_id, kind="refused", reasons=("no",))
    assert delivered(mei.client, court.home.key(), document).json()["code"] == "member.call_unsigned"
    assert delivered(mei.client, newer, document).json()["code"] == "desk.event_forged"
    assert Event.objects.count() == 1


def test_events_in_another_order_leave_the_case_as_the_last_one_says(world, mei, court, bundled):
    made = received(world, mei, bundled, court)
    tokens = [world.person(f"p{number}").actor.organisation_id for number in range(3)]
    late = event(court, made.id, 3, token=tokens[0], kind="judgment", number="(2026)2", reasons=("停止侵权",))
    early = event(court, made.id, 2, token=tokens[1], kind="accepted", number="(2026)1")
    for document in (late, early):
        assert actions.receive_event(document, at=world.now())
    found = queries.filing_of(mei.actor, made.id)
    assert (found.state, found.court_number) == ("judged", "(2026)2")
    flood = event(court, made.id, MOST_EVENTS + 1, token=tokens[2], kind="served")
    with pytest.raises(Refused, match=r"cases\.event_differs"):
        actions.receive_event(flood, at=world.now())


def test_a_huge_or_hollow_event_is_refused_before_it_is_kept(world, mei, court, bundled):
    made = received(world, mei, bundled, court)
    for document in (b"[" * 100_000, b'{"a":' * 20_000, b"1" * 100_000, b"1e999", b"null", b"\xff", b'{"a":1,"a":1}'):
        answer = delivered(mei.client, court.home.key(), document)
        assert (answer.status_code, answer.json()["code"]) == (400, "desk.message_malformed")
    answer = mei.client.post(TARGET, b" " * (codec.MAX_MESSAGE + 1), content_type="application/json")
    assert answer.status_code in (400, 413)
    assert [each.kind for each in queries.filing_of(mei.actor, made.id).events] == ["received"]


def test_a_moment_that_no_page_could_show_is_refused(world, mei, court, bundled):
    data = codec.canonical(message_of(sent(world, mei, bundled)))
    for when in (b"9999-12-31T23:59:59Z", b"0001-01-01T00:00:00Z"):
        hostile = re.sub(rb'"previewed_at":"[^"]+"', b'"previewed_at":"' + when + b'"', data)
        assert hostile != data
        with pytest.raises(Invalid, match=r"desk\.message_malformed"):
            codec.parse(wire.Filing, hostile)


# ---- what clerks see and do ------------------------------------------------------------------------------------------


def test_names_are_shown_and_never_run(world, mei, court, bundled):
    hostile = {**PARTY, "name": HTML, "address": f"'\"{HTML}"}
    claims = {**STEPS["claims"], "claims": [{"text": HTML}], "facts": [{"text": HTML, "evidence": ["E-001"]}]}
    parties = {**STEPS["parties"], "parties": [hostile, STEPS["parties"]["parties"][1]]}
    made = received(world, mei, bundled, court, parties=parties, claims=claims)
    answer = court.clerk().get(f"/cases/{made.id}")
    assert answer.text.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 4
    assert "<script" not in answer.text
    assert "<img" not in answer.text
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")


def test_a_form_without_the_sessions_token_or_from_elsewhere_decides_nothing(world, mei, court, bundled):
    made = received(world, mei, bundled, court)
    clerk, other = court.clerk(), court.clerk()
    page = f"/cases/{made.id}"
    csrf = re.search(r'name="csrf" value="([^"]+)"', clerk.get(page).text)[1]
    foreign = re.search(r'name="csrf" value="([^"]+)"', other.get(page).text)[1]
    step = {"step": "refused", "reasons": "no"}
    for data in (step, {**step, "csrf": ""}, {**step, "csrf": foreign}, {**step, "csrf": "é"}):
        assert clerk.post(page, data=data).status_code == 403
    for origin in ("https://evil.example", "null", "http://[", "//", court.url.replace("127.0.0.1", "127.0.0.2")):
        answer = clerk.post(page, data={**step, "csrf": csrf}, headers={"Origin": origin})
        assert answer.status_code == 403, origin
    assert clerk.post(page, json={**step, "csrf": csrf}).status_code == 400
    assert httpx.post(f"{court.url}{page}", data={**step, "csrf": csrf}).status_code == 403
    assert court.office.case(made.id).state == "received"
    for when in ("9999-12-31T23:59", "0001-01-01T00:00", "2026-13-01T00:00"):
        answer = clerk.post(page, data={"step": "hearing", "when": when, "csrf": csrf})
        assert answer.status_code == 422
    assert clerk.post(page, data={**step, "step": "received", "csrf": csrf}).status_code == 422


def test_a_session_is_made_anew_by_each_sign_in_and_ends_with_it(world, court):
    browser = httpx.Client(base_url=court.url, headers={"Accept": "text/html"})
    with browser:
        name = "desk_hangzhou-court"
        browser.cookies.set(name, "chosen-by-somebody-else", domain="127.0.0.1", path="/")
        browser.post("/sign-in", data={"name": CLERK, "password": PASSWORD})
        tokens = [each.value for each in browser.cookies.jar if each.name == name]
        assert any(token != "chosen-by-somebody-else" for token in tokens)
    first = court.clerk()
    old = next(each.value for each in first.cookies.jar if each.name == name)
    first.post("/sign-in", data={"name": CLERK, "password": PASSWORD})
    for token in (old, "chosen-by-somebody-else"):
        answer = httpx.get(f"{court.url}/", headers={"Cookie": f"{name}={token}", "Accept": "text/html"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")


def test_no_path_leads_to_the_desks_files(world, court):
    clerk = court.clerk()
    for path in ("..%2f..%2fdesk.toml", "%2e%2e/keys/node", "../desk.db", "%00", "x" * 3000):
        for target in (f"/cases/{path}", f"/cases/{path}/bundle.asice", f"/api/cases/{path}/bundle?offset=0"):
            assert clerk.get(target).status_code in (400, 401, 403, 404)


def test_a_bundle_goes_to_clerks_only_and_as_an_attachment(world, mei, court, bundled):
    made = received(world, mei, bundled, court)
    answer = court.clerk().get(f"/cases/{made.id}/bundle.asice")
    assert hashlib.sha256(answer.content).digest() == bundled[1].sha256
    assert answer.headers["content-disposition"].startswith("attachment;")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert httpx.get(f"{court.url}/cases/{made.id}/bundle.asice").headers["location"] == "/sign-in"


# ---- what a spreadsheet would run ------------------------------------------------------------------------------------


def test_no_cell_of_a_package_begins_a_formula(world, mei, court, bundled):
    message = message_of(sent(world, mei, bundled))
    first, *others = message.evidence
    for text in ("=1+1", " =1+1", "＝1+1", "@SUM(1)", "\n-2", "+1"):
        line = replace(first, title=text, purpose=text)
        table = package._evidence(replace(message, evidence=(line, *others)))
        assert table.count(f"'{text}") == 2


def test_the_platforms_node_key_is_for_its_owners_eyes(world, court):
    assert (world.home / NODE_KEY).stat().st_mode & 0o077 == 0
    assert court.home.database.stat().st_mode & 0o077 == 0


def test_a_signed_bundle_of_any_length_is_not_fetched(world, mei, notary, bundled):
    matter, bundle = bundled
    made = actions.order_notarisation(matter.id, bundle.id, "notary-office", by=mei.actor, at=world.now(), data=ORDER)
    actions.preview_order(made.id, by=mei.actor, at=world.now())
    made = actions.place_order(made.id, by=mei.actor, at=world.now())
    carried(world)
    notary.turn(world.now())
    huge = wire.BundleRef(number=bundle.number, size=1 << 36, sha256=bytes(32))
    document = event(notary, made.id, 2, token=mei.actor.organisation_id, kind="issued", number="1", bundle=huge)
    assert actions.receive_event(document, at=world.now())
    carried(world)
    assert queries.order_of(mei.actor, made.id).deliveries[-1].trouble == "cases.signed_bundle_wrong"


def test_desks_of_one_machine_keep_their_sessions_apart(world, court, tmp_path):
    with desk(world, tmp_path / "other", "notary") as other:
        browser = httpx.Client()
        with browser:
            for each in (court, other):
                browser.post(f"{each.url}/sign-in", data={"name": CLERK, "password": PASSWORD})
            for each in (court, other):
                assert browser.get(f"{each.url}/").status_code == 200
