"""The entry point `chopmark`: the command line's own commands and the ones that need the whole site.

Imports nothing but the command line, so that `chopmark verify` starts fast and runs where no web framework is.
"""

from __future__ import annotations

import sys

from chopmark.cli.app import main as run

COMMANDS = (
    ("init", "chopmark.site.init:command"),
    ("account", "chopmark.site.account:command"),
    ("demo", "chopmark.site.demo:command"),
    ("serve", "chopmark.site.supervisor:command"),
    ("members", "chopmark.site.members:command"),
    ("desks", "chopmark.site.desks:command"),
    ("courier", "chopmark.site.desks:courier_command"),
    ("sequencer", "chopmark.site.sequencer:command"),
    ("sweep", "chopmark.site.sequencer:sweep_command"),
    ("tsa init", "chopmark.site.tsa:init_command"),
    ("tsa serve", "chopmark.site.tsa:serve_command"),
    ("tsa signer", "chopmark.site.tsa:signer_command"),
    ("stamp list", "chopmark.site.stamper:list_command"),
    ("stamp now", "chopmark.site.stamper:now_command"),
    ("stamper", "chopmark.site.stamper:command"),
    ("renew", "chopmark.site.renewing:command"),
    ("worker", "chopmark.site.jobs:command"),
    ("watcher", "chopmark.site.watching:command"),
)


def main() -> None:
    """Carry out the process's command line and end with its status."""
    sys.exit(run(sys.argv[1:], COMMANDS))


if __name__ == "__main__":
    main()
