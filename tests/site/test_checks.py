"""Start-up checks: unsafe combinations have a number and a hint."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from chopmark.site.checks import refuse_to_start, refuse_wrong_settings, settings_are_right
from chopmark.site.config import prepare_home, read_config


def _configure(settings, home: Path, **environ: str) -> None:
    settings.CONFIG, settings.CONFIG_PROBLEMS = read_config({"CHOPMARK_HOME": str(home), **environ})


def _found() -> dict[str, str]:
    return {str(message.id): str(message.hint) for message in settings_are_right()}


def test_an_initialised_local_site_has_nothing_to_say(settings, tmp_path):
    _configure(settings, tmp_path)
    prepare_home(settings.CONFIG)
    assert _found() == {}
    refuse_to_start()
    refuse_wrong_settings()


@pytest.mark.parametrize("refuse", [refuse_to_start, refuse_wrong_settings])
def test_a_missing_secret_key_is_a_warning_and_stops_a_server(settings, tmp_path, refuse):
    _configure(settings, tmp_path)
    assert _found() == {"chopmark.W001": "run: chopmark init"}
    with pytest.raises(ImproperlyConfigured, match="chopmark init"):
        refuse()


def test_a_secret_key_that_others_can_read_is_an_error(settings, tmp_path):
    _configure(settings, tmp_path)
    prepare_home(settings.CONFIG)
    settings.CONFIG.secret_key_file.chmod(0o640)
    assert "chmod 600" in _found()["chopmark.E021"]


def test_debug_on_a_public_site_is_an_error(settings, tmp_path):
    _configure(settings, tmp_path, CHOPMARK_DEBUG="true", CHOPMARK_BASE_URL="https://chop.example")
    prepare_home(settings.CONFIG)
    assert list(_found()) == ["chopmark.E020"]


def test_a_public_site_over_http_is_a_warning(settings, tmp_path):
    _configure(settings, tmp_path, CHOPMARK_BASE_URL="http://chop.example")
    prepare_home(settings.CONFIG)
    assert list(_found()) == ["chopmark.W002"]


@pytest.mark.parametrize("refuse", [refuse_to_start, refuse_wrong_settings])
def test_each_wrong_setting_is_an_error_with_its_hint(settings, tmp_path, refuse):
    _configure(settings, tmp_path, CHOPMARK_SIGNUP="friends", CHOPMARK_UPLOAD_LIMIT="much")
    prepare_home(settings.CONFIG)
    assert sorted(_found()) == ["chopmark.E009", "chopmark.E010"]
    with pytest.raises(ImproperlyConfigured, match="open, invite or closed"):
        refuse()
