"""The log's private keys on their way to the disk and back."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from world.patience import HANG
from world.running import COMMAND, Running

from chopmark.site import init
from chopmark.site.supervisor import CANNOT_LIVE


def test_a_new_key_is_durable_with_its_name(tmp_path, monkeypatch):
    synced, honest = [], os.fsync

    def noted(descriptor):
        synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        honest(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    init._write_secret(tmp_path / "intake", "secret\n")
    assert [path.startswith(str(tmp_path / ".intake")) for path in synced] == [True, False]
    assert synced[-1] == str(tmp_path)


@pytest.mark.crash
def test_the_writer_refuses_a_private_key_that_others_can_read(tmp_path):
    platform = Running(tmp_path / "home", port=0)
    json.loads(platform.chopmark("init", "--json", "--quiet").stdout)
    (platform.home / "keys" / "log.ed25519").chmod(0o644)
    tried = subprocess.run(
        [*COMMAND, "sequencer"], env=platform.environment, capture_output=True, text=True, timeout=HANG, check=False
    )
    assert tried.returncode == CANNOT_LIVE
    assert "cli.log_keys_open" in tried.stderr
