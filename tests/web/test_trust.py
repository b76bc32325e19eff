"""What strangers and depositors are told about the consortium."""

from __future__ import annotations

import html
import json
import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import translation
from world.members import five
from world.pages import AT, PageWorld

from chopmark.evidence import actions, governance, wiring
from chopmark.ledger.card import Card
from chopmark.ledger.checkpoint import open_checkpoint
from chopmark.ledger.governance import Rule
from chopmark.ledger.policy import Policy
from chopmark.ledger.stores import ConsortiumState, MemberState
from chopmark.web.views.trust import span

RULE = Rule.parse("2 of hangzhou beijing guangzhou and 1 of notary customs")
MEMBERS = five()
LATER = AT + timedelta(hours=1)


class GovernedWorld(PageWorld):
    """A world whose papers take force when they are published, as they do outside of a test's transaction."""

    capture = None

    def publish(self) -> int:
        if self.capture is None:
            return super().publish()
        with self.capture(execute=True):
            return super().publish()

    def note(self, *, waiting: int | None = None, **members: tuple[int, str | None]) -> None:
        """What the writer found: size and trouble of each member, and what waits."""
        wiring.book().note_consortium(
            ConsortiumState(
                waiting_size=waiting,
                waiting_since=AT if waiting else None,
                members=tuple(
                    MemberState(name=name, size=size, at=AT, next_entry=size, trouble=trouble, since=AT)
                    for name, (size, trouble) in members.items()
                ),
            )
        )


@pytest.fixture
def alone(db, settings, tmp_path, django_capture_on_commit_callbacks):
    """A platform without a consortium."""
    settings.CHOPMARK_HOME = tmp_path / "home"
    world = GovernedWorld.made(settings.CHOPMARK_HOME)
    world.capture = django_capture_on_commit_callbacks
    return world


@pytest.fixture
def world(alone):
    """Five members and the usual policy, in force."""
    actions.adopt_cards([member.card.encode() for member in MEMBERS.values()], at=alone.now())
    actions.decide_policy(RULE, at=alone.now())
    alone.publish()
    return alone


def size() -> int:
    return wiring.book().latest().size


def read(path: str, client: Client | None = None, language: str = "en") -> str:
    answer = (client or Client()).get(path, headers={"accept-language": language})
    assert answer.status_code == 200, answer.content.decode()[:2000]
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", answer.content.decode())).split())


def all_well(world: GovernedWorld) -> None:
    world.note(**{name: (size(), None) for name in MEMBERS})


def two_left(world: GovernedWorld, waiting: int) -> None:
    """Three of five are away: the quorum is missing."""
    silent = (size(), "ledger.member_silent")
    world.note(
        waiting=waiting,
        hangzhou=(waiting, None),
        beijing=silent,
        guangzhou=silent,
        notary=(waiting, None),
        customs=silent,
    )


def test_without_a_consortium_the_page_says_so(alone):
    text = read("/trust")
    assert "held by the platform alone" in text
    assert "None set" in text
    assert json.loads(Client().get("/api/v1/consortium").content)["quorum"] == "none"


def test_members_are_shown_with_kind_roles_signature_and_rule(world):
    all_well(world)
    text = read("/trust")
    for member in MEMBERS.values():
        assert member.card.en in text
    assert "Reached" in text
    assert "At least 2 of these 3:" in text
    assert "At least 1 of these 2:" in text
    assert "mirror, witness" in text
    assert AT.strftime("%Y-%m-%d %H:%M:%S UTC") in text
    assert text.count("Up to date") == len(MEMBERS)


def test_the_page_speaks_chinese(world):
    two_left(world, size() + 1)
    text = read("/trust", language="zh-hans")
    for member in MEMBERS.values():
        assert member.card.zh in text
    assert "正在等待联盟" in text
    assert "以下 3 家中至少 2 家" in text


def test_a_member_in_trouble_is_late_in_entries_and_time_and_says_why(world):
    states = dict.fromkeys(MEMBERS, (size(), None)) | {"customs": (size() - 2, "ledger.member_silent")}
    world.note(**states)
    text = read("/trust")
    assert "In trouble" in text
    assert "It does not answer." in text
    assert "2 entries," in text
    assert "Waiting for the consortium" not in text


def test_what_members_say_of_their_alarms_is_shown_and_told(world):
    members = [
        MemberState(name=name, size=size(), at=AT, next_entry=size(), since=AT, alarms=0) for name in list(MEMBERS)[:-1]
    ]
    facts = {"origin": "log.example", "size": 7}
    told = {"alarms": 1234, "alarm": "ledger.alarm_fork", "alarm_at": AT, "alarm_facts": facts}
    members.append(MemberState(name=list(MEMBERS)[-1], size=size(), at=AT, next_entry=size(), since=AT, **told))
    wiring.book().note_consortium(ConsortiumState(members=tuple(members)))
    assert wiring.book().consortium().members == tuple(members)
    assert "log.example has forked: it signed two checkpoints that contradict each other at size 7" in read("/trust")
    assert "1,234" in read("/trust")
    assert "出现分叉" in read("/trust", language="zh-hans")
    asked = json.loads(Client().get("/api/v1/consortium").content)["members"]
    assert [each["alarms"] for each in asked] == [0, 0, 0, 0, 1234]
    assert (asked[-1]["alarm"], asked[0]["alarm"]) == ("ledger.alarm_fork", None)


def test_a_trouble_of_another_kind_is_said_with_what_is_known(world):
    world.note(**dict.fromkeys(MEMBERS, (size(), None)) | {"notary": (size(), "ledger.member_state_lost")})
    assert "In trouble" in read("/trust")
    world.note(**dict.fromkeys(MEMBERS, (size(), None)) | {"notary": (size(), "ledger.of_a_later_version")})
    assert "ledger.of_a_later_version" in read("/trust")


def test_a_member_that_was_not_heard_yet_is_not_called_late(world):
    assert read("/trust").count("Not asked yet") == len(MEMBERS)
    members = json.loads(Client().get("/api/v1/consortium").content)["members"]
    assert {each["behind"] for each in members} == {None}


def test_a_pending_deposit_says_that_it_waits_for_members_wherever_it_is_shown(world):
    mei = world.person("Mei Lan")
    one = world.deposit(mei, b"lantern")
    two_left(world, size() + 1)
    for path in ("/", "/deposits/", "/deposits/new", f"/deposits/{one.id}", "/trust"):
        text = read(path, mei.client)
        assert "Waiting for the consortium since" in text, path
        assert f"Present: {MEMBERS['hangzhou'].card.en}" in text, path
        assert f"Missing: {MEMBERS['beijing'].card.en}" in text, path
    for path in ("/", "/deposits/", f"/deposits/{one.id}"):
        assert "Waiting for members" in read(path, mei.client), path
    assert "usually a second or two" not in read(f"/deposits/{one.id}", mei.client)


def test_a_shared_receipt_that_waits_says_for_whom(world):
    mei = world.person("Mei Lan")
    one = world.deposit(mei, b"lantern")
    token = actions.share(one.id, by=mei.actor, at=world.now())
    two_left(world, size() + 1)
    text = read(f"/r/{token}")
    assert "Waiting for members" in text
    assert f"Missing: {MEMBERS['beijing'].card.en}" in text


def test_when_members_are_back_no_page_speaks_of_waiting(world):
    mei = world.person("Mei Lan")
    one = world.deposit(mei, b"lantern")
    two_left(world, size() + 1)
    world.publish()
    all_well(world)
    for path in ("/", "/deposits/", f"/deposits/{one.id}", "/trust"):
        assert "Waiting for" not in read(path, mei.client), path


def test_a_published_deposit_names_the_institutions_that_signed(world):
    """The one writer of this world gathers nothing, so the cosignatures are put under its checkpoint here."""
    mei = world.person("Mei Lan")
    one = world.deposit(mei, b"lantern")
    cosigned = MEMBERS["hangzhou"], MEMBERS["notary"]
    sign = world.log._sign

    def signed(head):
        published = sign(head)
        note = published.note
        for member in cosigned:
            note = member.cosigned(note, AT)
        object.__setattr__(published, "note", note)
        return published

    world.log._sign = signed
    world.publish()
    published = wiring.book().checkpoint_for(size() - 1)
    assert len(open_checkpoint(published.note, Policy.parse(wiring.log_policy()).keys)[1]) == 6
    token = actions.share(one.id, by=mei.actor, at=world.now())
    for text in (read(f"/deposits/{one.id}", mei.client), read(f"/r/{token}")):
        assert "Who signed" in text
        for member in cosigned:
            assert f"{member.card.en} · {AT:%Y-%m-%d %H:%M:%S} UTC" in text
        assert MEMBERS["customs"].card.en not in text


def test_the_api_tells_programmes_what_the_page_tells_people(world):
    two_left(world, size() + 3)
    told = json.loads(Client().get("/api/v1/consortium").content)
    assert told["quorum"] == "missing"
    assert told["rule"] == RULE.text()
    assert told["waiting"]["size"] == size() + 3
    assert told["waiting"]["present"] == ["hangzhou", "notary"]
    assert sorted(told["waiting"]["missing"]) == ["beijing", "customs", "guangzhou"]
    trouble = {each["name"]: each["trouble"] for each in told["members"]}
    assert trouble["beijing"] == "ledger.member_silent"
    assert trouble["hangzhou"] is None


def test_cards_policies_and_papers_are_there_to_download(world):
    for name, member in MEMBERS.items():
        assert Card.parse(Client().get(f"/trust/members/{name}.json").content) == member.card
    sizes = [start for start, _ in wiring.policy_history()]
    page = Client().get("/trust").content.decode()
    for start in sizes:
        assert f"/trust/policies/{start}.policy" in page
    newest = Policy.parse(Client().get(f"/trust/policies/{sizes[-1]}.policy").content)
    assert newest == wiring.consortium_policy()
    for each in governance.papers():
        address = f"/trust/papers/{each.sha256.hex()}"
        assert address in page
        assert Client().get(address).content == governance.paper(each.sha256)[1]


def test_retired_cards_stay_there(world):
    actions.retire_member("customs", "moved to another office", at=world.now())
    world.publish()
    page = Client().get("/trust").content.decode()
    assert "/trust/retired/0.json" in page
    assert Card.parse(Client().get("/trust/retired/0.json").content) == MEMBERS["customs"].card
    assert Client().get("/trust/members/customs.json").status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/trust/members/nobody.json",
        "/trust/members/../policy.json",
        "/trust/retired/7.json",
        "/trust/policies/999999.policy",
        "/trust/papers/" + "0" * 64,
        "/trust/papers/zz",
        "/trust/papers/" + "0" * 20_000,
    ],
)
def test_what_is_not_there_is_not_found(world, path):
    assert Client().get(path).status_code == 404


def test_commands_to_check_it_name_this_site_and_a_member(world):
    text = read("/trust")
    assert "chopmark log audit --from http://testserver/log --policy chopmark.policy" in text
    mirrors = [member.card for member in MEMBERS.values() if member.card.url]
    assert not mirrors or "/mirror/" in text


def test_a_policy_of_another_make_is_served_as_a_file_without_sentences(world):
    path = wiring.consortium() / "policy"
    path.write_bytes(path.read_bytes().replace(b"quorum consortium", b"quorum hangzhou"))
    text = read("/trust")
    assert "The policy file says it in full." in text
    assert json.loads(Client().get("/api/v1/consortium").content)["rule"] is None


SPANS = {
    "0 seconds": timedelta(0),
    "1 second": timedelta(seconds=1),
    "59 seconds": timedelta(seconds=59.9),
    "1 minute": timedelta(seconds=60),
    "59 minutes": timedelta(seconds=3599),
    "23 hours": timedelta(hours=23.9),
    "2 days": timedelta(days=2.5),
}


@pytest.mark.parametrize(("words", "length"), SPANS.items())
def test_a_span_of_time_is_said_in_its_largest_unit(words, length):
    with translation.override("en"):
        assert span(length) == words


def test_a_clock_that_went_back_gives_no_negative_span():
    with translation.override("en"):
        assert span(timedelta(seconds=-5)) == "0 seconds"
