from __future__ import annotations

import json

import pytest
from world.running import Running

pytestmark = pytest.mark.crash


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    running = Running(tmp_path_factory.mktemp("account") / "home", port=0)
    running.chopmark("init", "--quiet")
    return running


def test_a_new_account_deposits_on_the_command_line_and_its_receipt_verifies(platform, tmp_path):
    made = platform.chopmark("account", "lin@example.org", "--organisation", "Blue Wave 青浪", "--json", "--quiet")
    opened = json.loads(made.stdout)
    assert opened["email"] == "lin@example.org"
    assert len(opened["password"]) >= 16
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(b"a photograph")
    platform.chopmark("deposit", str(photo), "--quiet")
    assert json.loads(platform.chopmark("verify", str(photo), "--json").stdout)["verdict"] == "PASSED"
    again = platform.chopmark("account", "lin@example.org", "--organisation", "Other", "--json", check=False)
    assert again.returncode != 0
    assert json.loads(again.stderr)["code"] == "site.account_exists"
