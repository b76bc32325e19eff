"""Start-up checks: wrong settings fail at start with a hint, numbered `chopmark.E001` and on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register, run_checks
from django.core.checks import Warning as CheckWarning
from django.core.exceptions import ImproperlyConfigured

from chopmark.site.config import Config, Problem, read_secret_key

NOT_FOUNDED = "chopmark.W001"  # a warning to a developer who runs a command, an end to a server


@register()
def settings_are_right(**_: Any) -> list[CheckMessage]:  # noqa: ANN401 (Django's call)
    """Each value that could not be read (E001 to E016), and combinations that are unsafe (E020 and on)."""
    problems: Sequence[Problem] = settings.CONFIG_PROBLEMS
    found: list[CheckMessage] = [
        Error(problem.message, hint=problem.hint, obj=problem.setting, id=problem.number) for problem in problems
    ]
    config: Config = settings.CONFIG
    if config.debug and not config.local:
        found.append(
            Error(
                "CHOPMARK_DEBUG is on for a site that others reach",
                hint="turn it off: error pages would show settings and data",
                obj="CHOPMARK_DEBUG",
                id="chopmark.E020",
            )
        )
    if read_secret_key(config) is None:
        found.append(
            CheckWarning(
                "There is no secret key yet; sessions end with each process",
                hint="run: chopmark init",
                obj=str(config.secret_key_file),
                id=NOT_FOUNDED,
            )
        )
    elif config.secret_key_file.stat().st_mode & 0o077:
        found.append(
            Error(
                "The secret key can be read by others",
                hint=f"chmod 600 {config.secret_key_file}",
                obj=str(config.secret_key_file),
                id="chopmark.E021",
            )
        )
    if not config.local and not config.https:
        found.append(
            CheckWarning(
                "The site is reached over http: passwords and sessions travel in the clear",
                hint="put a proxy with TLS in front and set CHOPMARK_BASE_URL to https://…",
                obj="CHOPMARK_BASE_URL",
                id="chopmark.W002",
            )
        )
    return found


def refuse_wrong_settings() -> None:
    """Stop a process whose settings are wrong or whose home is not initialised: our own checks alone.

    Quick: the framework's checks load every page and form, which only the web server needs.

    Raises:
        ImproperlyConfigured: with every message and hint.
    """
    _refuse(settings_are_right())


def refuse_to_start() -> None:
    """The same for the web server, by the framework's checks too.

    Raises:
        ImproperlyConfigured: with every message and hint.
    """
    _refuse(run_checks())


def _refuse(messages: Sequence[CheckMessage]) -> None:
    wrong = [message for message in messages if message.is_serious() or message.id == NOT_FOUNDED]
    if wrong:
        raise ImproperlyConfigured("\n".join(map(str, wrong)))
