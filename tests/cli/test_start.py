"""What asking for help costs: no command imports the large libraries before it needs them."""

from __future__ import annotations

import subprocess
import sys

import pytest
from world.patience import HANG

HEAVY = ("PIL", "cdxj_indexer", "django", "dns", "httpx", "playwright", "pyhanko", "structlog", "typst", "warcio")
ASK = (
    "import sys\nfrom chopmark.cli.app import main\nfrom chopmark.site.command import COMMANDS\n"
    "assert main([*sys.argv[1:], '--help'], COMMANDS) == 0\n"
    f"print('loaded:', *[name for name in {HEAVY!r} if name in sys.modules])\n"
)


@pytest.mark.parametrize("command", ["verify", "capture", "init", "bundle verify", "matter bundle"])
def test_help_loads_no_large_library(command):
    done = subprocess.run(
        [sys.executable, "-c", ASK, *command.split()], capture_output=True, text=True, check=True, timeout=HANG
    )
    assert done.stdout.splitlines()[-1] == "loaded:"
