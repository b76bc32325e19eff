"""Which door a command goes through."""

from __future__ import annotations

from chopmark.cli import home
from chopmark.cli.doors import Door


def open_door(server: str | None, organisation: str | None) -> Door:
    """The server asked for or configured, else this machine's home."""
    if (client := home.client(server)) is not None:
        from chopmark.cli.remote import Remote  # noqa: PLC0415 (needs an HTTP client, which verifying does not)

        return Remote(client)
    home.use_platform()
    from chopmark.cli.embedded import Embedded  # noqa: PLC0415 (needs the web framework)

    return Embedded(organisation)
