"""The connectors against the shipped simulator over real HTTP, and the public recorded answers of TSDR.

No live office is asked: what is tested is that the adapters speak what the offices document, and stand what strangers
send.
"""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime, timedelta

import httpx
import pytest
from world.data import shared_data

from chopmark.base.errors import Invalid, Refused, Unavailable
from chopmark.rights.actions.bring_in import ask_office
from chopmark.rights.actions.common import Operator
from chopmark.rights.connectors import connector_for
from chopmark.rights.connectors import door as doors
from chopmark.rights.connectors.access import Access, EuipoAccess, TsdrAccess, load
from chopmark.rights.connectors.euipo import Euipo
from chopmark.rights.connectors.simulator import CLIENT_ID, CLIENT_SECRET, KEY, make
from chopmark.rights.connectors.tsdr import Tsdr
from chopmark.rights.models import OfficeRecord

NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)


class Office:
    """The simulator, running, with clients that sleep on paper."""

    def __init__(self):
        self.server, self.behaviour = make()
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.now, self.slept = NOW, []
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05})
        self.thread.start()
        self.clients = []

    def close(self):
        for client in self.clients:
            client.close()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def access(self, secret=CLIENT_SECRET, key=KEY):
        api, token = f"{self.address}/trademark-search", f"{self.address}/oidc/accessToken"
        euipo = EuipoAccess(client_id=CLIENT_ID, client_secret=secret, api=api, token=token)
        return Access(euipo=euipo, tsdr=TsdrAccess(key=key, api=self.address))

    def euipo(self, **more):
        self.clients.append(Euipo(self.access(**more).euipo, clock=lambda: self.now, wait=self.slept.append))
        return self.clients[-1]

    def tsdr(self, **more):
        self.clients.append(Tsdr(self.access(**more).tsdr, clock=lambda: self.now, wait=self.slept.append))
        return self.clients[-1]


@pytest.fixture
def office():
    running = Office()
    yield running
    running.close()


def test_euipo_gives_a_record_with_everything_that_its_answer_says(office):
    record = office.euipo().record("018123456")
    assert (record.office, record.application_number, record.registration_number) == ("EM", "018123456", "018123456")
    assert (record.mark.verbal, record.mark.feature, record.status) == ("RED LANTERN", "word", "registered")
    assert [(owner.name, owner.country) for owner in record.owners] == [("Lantern Works GmbH", "DE")]
    assert record.owners[0].identifiers[0].scheme == "office:EM"
    assert [(each.code, [text.text for text in each.goods]) for each in record.classes] == [
        ("11", ["Lanterns; Lamps"]),
        ("25", ["Vêtements"]),
    ]
    assert (record.application_date, record.expiry_date) == (date(2020, 1, 15), date(2030, 1, 15))
    assert record.publication_date == date(2020, 2, 1)
    assert (record.designations[0].territory, record.designations[0].status) == ("EU", "registered")
    assert (record.source.format, record.source.fetched_at) == ("euipo", NOW)
    assert record.raw["simulated"] == "yes"


def test_an_application_that_is_not_registered_is_pending(office):
    record = office.euipo().record("EM 018123457")
    assert (record.registration_number, record.status, record.collective) == ("", "pending", "collective")
    assert (record.mark.feature, record.mark.vienna) == ("figurative", ("13.01.06",))


def test_a_token_is_asked_for_once_and_again_when_it_ended(office):
    euipo = office.euipo()
    euipo.record("018123456")
    euipo.record("018123457")
    assert [method for method, _ in office.behaviour.asked] == ["POST", "GET", "GET"]
    office.now += timedelta(hours=3)
    euipo.record("018123456")
    assert [method for method, _ in office.behaviour.asked][3:] == ["POST", "GET"]


def test_a_token_that_the_office_ended_early_is_replaced(office):
    euipo = office.euipo()
    euipo.record("018123456")
    office.behaviour.statuses = [401]
    assert euipo.record("018123456").registration_number == "018123456"


def test_tsdr_gives_a_record_by_serial_and_by_registration_number(office):
    tsdr = office.tsdr()
    for number in ("85000001", "sn85000001", "4,000,001", "rn4000001", "US 4000001"):
        record = tsdr.record(number)
        assert (record.application_number, record.registration_number) == ("85000001", "4000001")
    assert (record.status, record.source.format, record.raw["simulated"]) == ("registered", "tsdr", "yes")
    assert [owner.name for owner in record.owners] == ["Lantern Inc."]


@pytest.mark.parametrize(("client", "number"), [("euipo", "018999999"), ("tsdr", "99999999")])
def test_what_the_office_does_not_have_is_said(office, client, number):
    with pytest.raises(Refused) as caught:
        getattr(office, client)().record(number)
    assert caught.value.code == "imports.office_has_none"


@pytest.mark.parametrize(("client", "number"), [("euipo", "018123456"), ("tsdr", "85000001")])
def test_a_wrong_key_is_said(office, client, number):
    with pytest.raises(Refused) as caught:
        getattr(office, client)(**({"secret": "x"} if client == "euipo" else {"key": "x"})).record(number)
    assert caught.value.code == "imports.office_key_wrong"


@pytest.mark.parametrize(
    "number", ["", "../../secret", "018123456/image", "abc", "0" * 40, "018123456?x=1", "１２３４５６７８９"]
)
def test_a_number_that_is_none_never_reaches_the_office(office, number):
    for client in (office.euipo(), office.tsdr()):
        with pytest.raises(Refused) as caught:
            client.record(number)
        assert caught.value.code == "imports.office_number"
    assert office.behaviour.asked == []


def test_a_busy_office_is_waited_for_as_long_as_it_says_and_no_longer(office):
    office.behaviour.headers = {"Retry-After": "2"}
    office.behaviour.statuses = [429]
    assert office.tsdr().record("85000001").registration_number == "4000001"
    assert office.slept == [2.0]
    office.behaviour.headers = {"Retry-After": "3600"}
    office.behaviour.statuses = [429]
    with pytest.raises(Unavailable) as caught:
        office.tsdr().record("85000001")
    assert (caught.value.code, caught.value.facts["seconds"]) == ("imports.office_busy", 3601)


def test_an_error_of_the_office_is_tried_again_and_then_handed_back(office):
    office.behaviour.statuses = [500, 503]
    assert office.tsdr().record("85000001").registration_number == "4000001"
    office.behaviour.statuses = [500, 500, 500]
    with pytest.raises(Unavailable) as caught:
        office.tsdr().record("85000001")
    assert caught.value.code == "imports.office_no_answer"


def test_an_office_that_is_not_there_does_not_answer(office):
    nowhere = Tsdr(TsdrAccess(key="x", api="http://127.0.0.1:1"), clock=lambda: NOW)
    with pytest.raises(Unavailable) as caught:
        nowhere.record("85000001")
    assert caught.value.code == "imports.office_no_answer"
    nowhere.close()


def test_a_redirect_is_not_followed_and_takes_no_key_anywhere(office):
    office.behaviour.statuses, office.behaviour.headers = [302], {"Location": f"{office.address}/elsewhere"}
    with pytest.raises(Invalid) as caught:
        office.tsdr().record("85000001")
    assert (caught.value.code, caught.value.facts["status"]) == ("imports.office_answer", 302)
    assert len(office.behaviour.asked) == 1


def test_an_answer_that_is_too_long_is_not_read(office, monkeypatch):
    monkeypatch.setattr(doors, "MAX_ANSWER", 1000)
    office.behaviour.body = b" " * 5000
    with pytest.raises(Invalid) as caught:
        office.tsdr().record("85000001")
    assert caught.value.code == "imports.office_answer"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"\xff",
        b'{"applicationNumber": "018123457"}',
        b'{"applicationNumber": 18123456}',
        b"[" * 100_000,
        b"<html>please sign in</html>",
    ],
)
def test_an_answer_that_is_none_of_euipos_is_refused(office, body):
    office.behaviour.body = body
    with pytest.raises(Invalid) as caught:
        office.euipo().record("018123456")
    assert caught.value.code == "imports.office_answer"


def test_an_answer_whose_values_are_of_other_kinds_gives_a_poorer_record(office):
    office.behaviour.body = (
        b'{"applicationNumber": "018123456", "niceClasses": 7, "applicants": {"name": 1}, "markImage": [],'
        b'"goodsAndServices": [{"classNumber": "x", "description": null}, 7], "status": ["REGISTERED"],'
        b'"applicationDate": "soon", "publications": [null]}'
    )
    record = office.euipo().record("018123456")
    assert (record.classes, record.owners, record.status, record.application_date) == ((), (), "unknown", None)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>', "imports.xml_dtd"),
        (b"<a/>", "imports.format_unknown"),
        (b"{}", "imports.xml_malformed"),
    ],
)
def test_a_hostile_answer_of_tsdr_is_refused(office, body, code):
    office.behaviour.body = body
    with pytest.raises(Invalid) as caught:
        office.tsdr().record("85000001")
    assert caught.value.code == code


def recorded(name, asked):
    """TSDR as somebody recorded it, behind a transport that answers with the file."""
    body = (shared_data("tsdr-st66-st96") / "test" / "testdata" / name).read_bytes()
    transport = httpx.MockTransport(lambda _: httpx.Response(200, stream=httpx.ByteStream(body)))
    client = Tsdr(TsdrAccess(key="x"), clock=lambda: NOW, transport=transport)
    return client.record(asked)


def test_recorded_answers_of_the_real_office_are_read():
    assert recorded("rn2178784-ST96.xml", "2178784").mark.verbal == "JAVA"
    assert recorded("sn87881347-ST96.xml", "87881347").mark.verbal == "BURGER ADDICT"
    assert recorded("sn87881347-ST66.xml", "87881347").mark.verbal == "BURGER ADDICT"


def test_an_answer_about_another_mark_is_refused():
    with pytest.raises(Invalid) as caught:
        recorded("rn2178784-ST96.xml", "2178785")
    assert caught.value.code == "imports.office_answer"


def test_a_simulators_answer_is_never_kept_as_an_offices_word(office, db):
    with pytest.raises(Refused) as caught:
        ask_office("EM", "018123456", access=office.access(), operator=Operator(), at=NOW)
    assert caught.value.code == "imports.office_simulated"
    assert not OfficeRecord.objects.exists()


def test_for_a_demonstration_it_is_kept_and_bears_that_it_is_one(office, db):
    asked = ask_office("US", "85000001", access=office.access(), operator=Operator(), at=NOW, simulated=True)
    assert asked.registration_number == "4000001"
    assert b'"simulated":"yes"' in bytes(OfficeRecord.objects.get().body)


def test_an_office_without_a_connector_or_a_key_is_not_asked():
    for code, access in (("CN", Access()), ("EM", Access()), ("US", Access())):
        with pytest.raises(Refused) as caught:
            connector_for(access, code, clock=lambda: NOW)
        assert caught.value.code == "imports.office_not_connected"


def test_the_operators_file_is_read_strictly(tmp_path):
    file = tmp_path / "offices.toml"
    assert load(file) == Access()
    file.write_text('[euipo]\nclient_id = "a"\nclient_secret = "b"\n[tsdr]\nkey = "c"\n')
    access = load(file)
    assert access.euipo.api.startswith("https://")
    assert "client_secret" not in repr(access)
    assert "key" not in repr(access)


@pytest.mark.parametrize(
    "text",
    [
        "[euipo",
        "[wipo]\nkey = 'a'",
        "[tsdr]",
        "[tsdr]\nkey = 7",
        "[tsdr]\nkey = ''",
        "[tsdr]\nkey = 'a\\nb'\nkey2 = 'b'",
        "tsdr = 'a'",
        "[tsdr]\nkey = 'a'\napi = 'http://example.org'",
        "[tsdr]\nkey = 'a'\napi = 'https://u:p@example.org'",
        "[tsdr]\nkey = 'a'\napi = 'https://example.org/?a=b'",
        "[tsdr]\nkey = 'a'\napi = 'file:///etc/passwd'",
        "[tsdr]\nkey = 'a'\napi = 'https://example.org:x'",
    ],
)
def test_a_file_that_is_wrong_is_refused_with_its_place(tmp_path, text):
    file = tmp_path / "offices.toml"
    file.write_text(text)
    with pytest.raises(Invalid) as caught:
        load(file)
    assert caught.value.code == "imports.offices_file"
