"""Daily mails: what is told, to whom, in which language, and never twice."""

from __future__ import annotations

import smtplib
from datetime import timedelta

import pytest
import structlog
from django.core import mail as outbox
from django.core.mail.backends.base import BaseEmailBackend
from world.rights import lantern, mandated, verified

from chopmark.base.errors import Unavailable
from chopmark.people import actions as people
from chopmark.people import mail
from chopmark.rights.actions.digest import MAX_TRIES, send_digests
from chopmark.rights.actions.mandate import revoke_mandate
from chopmark.rights.actions.remind import remind
from chopmark.rights.actions.watch import NewWatch, run_watches, save_watch, see_finds
from chopmark.rights.models import Digest, DigestMail, Find
from chopmark.site import jobs

ADDRESS = "https://chopmark.example"
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def kept(settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    outbox.outbox = []


def send(at, post=mail.post):
    return send_digests(at, address=ADDRESS, post=post)


def due(world, who, days=100, **more):
    """A right whose renewal comes near, and its reminder."""
    right = verified(world, who, lantern(expiry_date=world.at.date() + timedelta(days=days), **more))
    remind(world.now())
    return right


def speaks(who, language):
    people.keep_language(who.user.pk, language)


def test_a_term_that_comes_near_is_told_once_in_the_language_of_each_reader(world, mei):
    speaks(mei, "zh")
    lu = world.person("Lu Xi", role="depositor", of=mei)
    speaks(lu, "en")
    world.person("Bo Wen", role="viewer", of=mei)
    both = world.person("An Ni", role="owner", of=mei)
    right = due(world, mei)
    done = send(world.now())
    assert (done.sent, done.failed, done.more) == (3, 0, False)
    told = {each.to[0]: each for each in outbox.outbox}
    assert set(told) == {"mei.lan@example.com", "lu.xi@example.com", "an.ni@example.com"}
    chinese, english, double = told["mei.lan@example.com"], told["lu.xi@example.com"], told[both.user.email]
    assert "续展" in chinese.body
    assert "renewal" not in chinese.body
    assert f"(in 100 days): the renewal of {right.number}" in english.body
    assert "续展" not in english.body
    assert "续展" in double.body
    assert "the renewal" in double.body
    assert english.subject == "Mei Lan's studio: 1 news about your rights"
    assert english.extra_headers["Auto-Submitted"] == "auto-generated"
    for link in ("/rights/", "/organisations/mail"):
        assert f"{ADDRESS}{link}" in english.body
    for at in (world.now(), world.now() + DAY, world.now() + 2 * DAY):
        remind(at)
        assert send(at).sent == 0
    assert len(outbox.outbox) == 3


def test_what_watches_find_on_one_day_is_one_mail_and_later_ones_wait_for_the_next(world, mei, jo):
    save_watch(NewWatch(text="RED LANTERN"), by=jo.actor, at=world.now())
    verified(world, mei)
    run_watches(world.now())
    send(world.now())
    [first] = outbox.outbox
    assert first.to == ["jo.smith@example.com"]
    assert "RED LANTERN" in first.body
    assert "of 100" in first.body
    assert f"{ADDRESS}/rights/search" in first.body
    due(world, jo, application_number="7", registration_number="7", owners=lantern().owners)
    assert send(world.now()).sent == 0
    assert send(world.now() + DAY).sent == 1
    assert "renewal" in outbox.outbox[-1].body
    assert "RED LANTERN (" not in outbox.outbox[-1].body


def test_what_was_seen_or_done_before_is_not_told(world, mei, jo):
    watch = save_watch(NewWatch(text="RED LANTERN"), by=jo.actor, at=world.now())
    verified(world, mei)
    run_watches(world.now())
    see_finds(watch.id, by=jo.actor, at=world.now())
    assert send(world.now()).sent == 0
    Find.objects.update(seen_at=None)

    def refuses(*_letter):
        raise Unavailable("people.mail_refused")

    assert send(world.now() + DAY, refuses).failed == 1
    see_finds(watch.id, by=jo.actor, at=world.now())
    done = send(world.now() + DAY + timedelta(hours=2))
    assert (done.sent, done.moot) == (0, 1)
    assert DigestMail.objects.get().trouble == "rights.digest_moot"


def test_who_opted_out_or_left_gets_none_and_what_was_missed_does_not_come_later(world, mei):
    lu = world.person("Lu Xi", role="owner", of=mei)
    people.choose_mail(digests=False, language="en", by=mei.actor)
    due(world, mei)
    people.remove_member(lu.user.pk, by=mei.actor, at=world.now())
    assert send(world.now()).sent == 0
    people.choose_mail(digests=True, language="en", by=mei.actor)
    assert send(world.now() + DAY).sent == 0


def test_an_agent_is_told_of_its_clients_terms_as_far_as_its_mandate_reaches_now(world, mei, jo):
    given = mandated(world, mei, jo, "file")
    right = due(world, mei)
    assert send(world.now()).sent == 2
    assert right.number in next(each.body for each in outbox.outbox if each.to == ["jo.smith@example.com"])
    more = due(world, mei, 110, application_number="8", registration_number="8")
    revoke_mandate(given.id, by=mei.actor, at=world.now())
    send(world.now() + DAY)
    later = [each for each in outbox.outbox if more.number in each.body]
    assert [each.to for each in later] == [["mei.lan@example.com"]]


def test_only_a_confirmed_address_is_written_to_where_addresses_are_confirmed(world, mei, settings):
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    due(world, mei)
    assert send(world.now()).sent == 0


@pytest.mark.parametrize(
    ("code", "again"),
    [("people.mail_unreachable", True), ("people.mail_refused", True), ("people.mail_unsure", False)],
)
def test_a_mail_is_tried_again_only_where_it_surely_did_not_go(world, mei, code, again):
    due(world, mei)
    tried = []

    def fails(*letter):
        tried.append(letter)
        raise Unavailable(code)

    assert send(world.now(), fails).failed == 1
    assert send(world.now(), fails).failed == 0
    assert send(world.now() + timedelta(hours=1), fails).failed == again
    assert len(tried) == 1 + again
    assert send(world.now() + timedelta(hours=3)).sent == again
    assert send(world.now() + timedelta(hours=5)).sent == 0


def test_a_process_killed_while_it_sends_sends_nothing_twice(world, mei):
    due(world, mei)

    def killed(*_letter):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        send(world.now(), killed)
    assert send(world.now() + timedelta(hours=2)).sent == 0
    assert DigestMail.objects.get().trouble == "people.mail_unsure"


def test_a_server_that_does_not_answer_is_asked_once_a_round_and_given_up(world, mei):
    world.person("Lu Xi", role="owner", of=mei)
    due(world, mei)

    def away(*_letter):
        raise Unavailable("people.mail_unreachable")

    assert send(world.now(), away).failed == 1
    DigestMail.objects.update(tries=MAX_TRIES - 1)
    send(world.now() + timedelta(hours=2), away)
    assert DigestMail.objects.exclude(over_at=None).count() == 1


def test_a_strangers_words_neither_break_the_line_nor_make_a_link(world, mei, jo):
    save_watch(NewWatch(text="RED LANTERN"), by=jo.actor, at=world.now())
    verified(world, mei)
    run_watches(world.now())
    Find.objects.update(text="RED LANTERN\nhttps://evil.example \u202etxt")
    speaks(jo, "en")
    send(world.now())
    [line] = [each for each in outbox.outbox[0].body.splitlines() if "evil" in each]
    assert line.startswith("- RED LANTERN https: //evil.example \ufffdtxt")


def test_days_without_news_leave_no_rows(world, mei, jo):
    mandated(world, mei, jo, "file", rights=())
    due(world, mei)
    send(world.now())
    made = Digest.objects.count()
    for days in (1, 2, 3):
        send(world.now() + days * DAY)
    assert Digest.objects.count() <= made + 2
    assert not Digest.objects.filter(items=None, day__lt=(world.at + 3 * DAY).date()).exists()


def test_the_worker_sends_once_an_hour(world, mei):
    due(world, mei)
    lines = structlog.get_logger("worker")
    first = jobs._mail_once_an_hour(None, lines)
    assert first is not None
    assert len(outbox.outbox) == 1
    assert jobs._mail_once_an_hour(first, lines) == first
    assert jobs._mail_once_an_hour(first - timedelta(hours=1), lines) != first - timedelta(hours=1)


class Server(BaseEmailBackend):
    """A mail server that fails as it is told."""

    opening: Exception | None = None
    sending: Exception | None = None
    closing: Exception | None = None

    def open(self):
        return self._or(self.opening)

    def send_messages(self, messages):
        self._or(self.sending)
        return len(messages)

    def close(self):
        self._or(self.closing)

    def _or(self, error):
        if error is not None:
            raise error


@pytest.mark.parametrize(
    ("where", "error", "code"),
    [
        ("opening", ConnectionRefusedError(), "people.mail_unreachable"),
        ("opening", smtplib.SMTPAuthenticationError(535, b"no"), "people.mail_unreachable"),
        ("sending", smtplib.SMTPRecipientsRefused({}), "people.mail_refused"),
        ("sending", smtplib.SMTPDataError(554, b"spam"), "people.mail_refused"),
        ("sending", smtplib.SMTPServerDisconnected(), "people.mail_unsure"),
        ("sending", TimeoutError(), "people.mail_unsure"),
        ("closing", smtplib.SMTPServerDisconnected(), ""),
    ],
)
def test_what_a_mail_server_does_is_told_apart(settings, monkeypatch, where, error, code):
    settings.EMAIL_BACKEND = f"{__name__}.Server"
    monkeypatch.setattr("chopmark.people.mail.get_connection", Server)
    monkeypatch.setattr(Server, where, error)
    if not code:
        mail.post("mei@example.com", "subject\nwith a line", "body")
        return
    with pytest.raises(Unavailable, match=code):
        mail.post("mei@example.com", "subject", "body")
