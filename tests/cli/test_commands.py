"""Commands on a home of their own, made once: the demo's deposits are the material."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
from world.running import Running

pytestmark = pytest.mark.crash


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    platform = Running(tmp_path_factory.mktemp("commands") / "home", port=0)
    platform.chopmark("init", "--quiet")
    platform.chopmark("demo", "--quiet")
    return platform


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.jpg"
    path.write_bytes(os.urandom(2000))
    return path


def _error(made):
    return json.loads(made.stderr.splitlines()[-1])


def test_a_deposit_leaves_receipts_that_verify(platform, photo):
    made = json.loads(platform.chopmark("deposit", str(photo), "--title", "Lantern 灯笼", "--json").stdout)
    assert [row["state"] for row in made] == ["published"]
    for ending in (".tlog-proof", ".receipt.cose"):
        shown = platform.chopmark("verify", str(photo), "--receipt", f"{photo}{ending}", "--json")
        assert json.loads(shown.stdout)["verdict"] == "PASSED"
    photo.write_bytes(photo.read_bytes()[:-1] + b"x")
    assert platform.chopmark("verify", str(photo), check=False).returncode == 1


def test_a_private_deposit_with_sm3_verifies(platform, photo):
    platform.chopmark("deposit", str(photo), "--private", "--sm3")
    codes = [each["code"] for each in json.loads(platform.chopmark("verify", str(photo), "--json").stdout)["findings"]]
    assert "verify.sm3_matches" in codes


def test_the_same_file_again_is_the_same_deposit(platform, photo):
    first = json.loads(platform.chopmark("deposit", str(photo), "--json").stdout)[0]
    second = json.loads(platform.chopmark("deposit", str(photo), "--json").stdout)[0]
    assert (first["created"], second["created"]) == (True, False)
    assert first["number"] == second["number"]


def test_a_foreign_receipt_beside_the_file_is_not_overwritten(platform, photo):
    proof = Path(f"{photo}.tlog-proof")
    proof.write_text("mine")
    made = platform.chopmark("deposit", str(photo), "--json", check=False)
    assert made.returncode == 1
    assert json.loads(made.stdout)[0]["error"]["code"] == "cli.file_differs"
    assert proof.read_text() == "mine"
    assert platform.chopmark("deposit", str(photo), "--force").returncode == 0
    assert proof.read_bytes().startswith(b"c2sp.org/tlog-proof@v1\n")


def test_one_bad_file_does_not_stop_the_others(platform, photo, tmp_path):
    empty = tmp_path / "empty.txt"
    empty.touch()
    made = platform.chopmark("deposit", str(empty), str(photo), "--json", check=False)
    assert made.returncode == 1
    refused, taken = json.loads(made.stdout)
    assert refused["error"]["code"] == "evidence.empty_file"
    assert taken["state"] == "published"


def test_a_kept_file_is_stored_with_the_platform(platform, photo):
    platform.chopmark("deposit", str(photo), "--keep")
    stored = [path for path in (platform.home / "blobs").rglob("*") if path.is_file()]
    assert photo.read_bytes() in [path.read_bytes() for path in stored]


def test_a_receipt_is_fetched_again_by_number(platform, photo, tmp_path):
    number = json.loads(platform.chopmark("deposit", str(photo), "--json").stdout)[0]["number"]
    before = Path(f"{photo}.tlog-proof").read_bytes()
    platform.chopmark("receipt", number, "--output", str(tmp_path / "again"))
    assert (tmp_path / "again.tlog-proof").read_bytes() == before
    assert _error(platform.chopmark("receipt", "D-2026-999999", "--json", check=False))["code"].startswith("evidence.")


def test_own_keys_sign_instead_of_the_platform(platform, photo):
    thumbprint = platform.chopmark("keys", "new", "laptop").stdout.strip()
    key = platform.home / "keys" / "own" / f"{thumbprint}.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert [each["thumbprint"] for each in json.loads(platform.chopmark("keys", "list", "--json").stdout)] == [
        thumbprint
    ]
    assert len(bytes.fromhex(platform.chopmark("keys", "show", thumbprint[:8]).stdout.strip())) > 32
    platform.chopmark("deposit", str(photo))
    report = json.loads(platform.chopmark("verify", str(photo), "--json").stdout)
    assert report["verdict"] == "PASSED"
    assert "verify.statement_signed_by_agent" not in [each["code"] for each in report["findings"]]
    key.unlink()


def test_the_log_is_read_proved_and_audited(platform, photo, tmp_path):
    size = json.loads(platform.chopmark("log", "checkpoint", "--json").stdout)["size"]
    kept = tmp_path / "kept"
    kept.write_text(platform.chopmark("log", "checkpoint").stdout)
    platform.chopmark("deposit", str(photo))
    assert json.loads(platform.chopmark("log", "entry", "2", "--json").stdout)["kind"] == "work"
    assert platform.chopmark("log", "proof", "2").stdout.startswith("c2sp.org/tlog-proof@v1\nindex 2\n")
    grown = json.loads(platform.chopmark("log", "proof", "--consistency", str(size), "--json").stdout)
    assert (grown["old"], grown["size"]) == (size, size + 1)
    audit = json.loads(platform.chopmark("log", "audit", "--checkpoint", str(kept), "--json").stdout)
    assert (audit["passed"], audit["entries"]) == (True, size + 1)
    assert platform.chopmark("log", "policy").stdout.rstrip().endswith("quorum none")


def test_an_audit_of_a_spoiled_log_says_what_is_wrong(platform, tmp_path):
    copy = tmp_path / "log"
    for path in (platform.home / "log").rglob("*"):
        if path.is_file() and not path.name.startswith("."):
            target = copy / path.relative_to(platform.home / "log")
            target.parent.mkdir(parents=True, exist_ok=True)
            data = path.read_bytes()
            target.write_bytes(data[:-1] + bytes([data[-1] ^ 1]) if "tile/0" in str(path) else data)
    made = platform.chopmark("log", "audit", "--from", str(copy), "--json", check=False)
    assert made.returncode == 1
    assert json.loads(made.stdout)["findings"][0]["code"] == "ledger.audit_tile_differs"


def test_without_a_home_the_way_out_is_named(platform, photo, tmp_path):
    made = platform.chopmark("deposit", str(photo), "--json", check=False, CHOPMARK_HOME=str(tmp_path / "nothing"))
    assert (made.returncode, _error(made)["code"]) == (2, "cli.home_missing")


def test_an_unknown_organisation_is_refused(platform, photo):
    made = platform.chopmark("deposit", str(photo), "--organisation", "Nobody", "--json", check=False)
    assert (made.returncode, _error(made)["code"]) == (2, "cli.organisation_unknown")


@pytest.mark.parametrize(
    ("content", "mode", "code"),
    {
        "others can read it": ('server = "https://a.example"', 0o644, "cli.client_open"),
        "it is no TOML": ("server =", 0o600, "cli.client_malformed"),
        "it says something else": ('colour = "red"', 0o600, "cli.client_malformed"),
        "the address is none": ('server = "a.example"', 0o600, "cli.server_malformed"),
        "it has no key": ('server = "https://a.example"', 0o600, "cli.api_key_missing"),
    }.values(),
)
def test_a_wrong_client_file_is_refused_when(platform, photo, content, mode, code):
    home = photo.parent / "home"
    home.mkdir()
    (home / "client.toml").write_text(content)
    (home / "client.toml").chmod(mode)
    made = platform.chopmark("deposit", str(photo), "--json", check=False, CHOPMARK_HOME=str(home))
    assert (made.returncode, _error(made)["code"]) == (2, code)
