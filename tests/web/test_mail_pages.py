"""The choice of mails: of the person alone, for each organisation, and the language that mails are written in."""

from __future__ import annotations

import pytest
from django.test import Client
from world.pages import PageWorld

from chopmark.people import queries
from chopmark.people.models import User


@pytest.fixture
def mei(db, settings, tmp_path):
    settings.CHOPMARK_HOME = tmp_path / "home"
    world = PageWorld.made(settings.CHOPMARK_HOME)
    world.person("Mei Lan")
    return world.person("Jo Smith", role="depositor", of=world.people[0])


def test_a_person_opts_out_and_chooses_a_language(mei):
    page = mei.client.get("/organisations/mail").text
    assert 'name="digests"' in page
    assert "checked" in page
    assert "邮件语言" in mei.client.get("/organisations/mail", headers={"accept-language": "zh-CN"}).text
    answer = mei.client.post("/organisations/mail", {"language": "zh"}, follow=True)
    assert "Your choice is kept" in answer.text
    assert queries.mail_choice_of(mei.actor) == queries.MailChoice(digests=False, language="zh")
    mei.client.post("/organisations/mail", {"digests": "on", "language": ""})
    assert queries.mail_choice_of(mei.actor) == queries.MailChoice(digests=True, language="")
    others = User.objects.exclude(pk=mei.user.pk)
    assert {each.language for each in others} == {""}


def test_a_language_that_nobody_writes_in_is_refused_and_strangers_sign_in_first(mei):
    assert mei.client.post("/organisations/mail", {"language": "fr"}).status_code == 422
    assert queries.mail_choice_of(mei.actor).digests
    assert Client().get("/organisations/mail")["Location"].startswith("/accounts/login/")
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(mei.user)
    assert strict.post("/organisations/mail", {}).status_code == 403


def test_the_switch_of_language_is_for_mails_too(mei):
    mei.client.post("/language", {"language": "zh-hans", "next": "/"})
    assert queries.mail_choice_of(mei.actor).language == "zh"
    mei.client.post("/language", {"language": "xx", "next": "/"})
    assert queries.mail_choice_of(mei.actor).language == "zh"
    assert Client().post("/language", {"language": "en", "next": "/"}).status_code == 302


def test_who_signs_up_is_written_to_in_the_language_of_the_form(db):
    typed = {"email": "lei@example.org", "name": "Li Lei", "password1": "a fine long password"}
    Client(headers={"accept-language": "zh-CN"}).post("/accounts/signup/", typed)
    assert User.objects.get().language == "zh"
