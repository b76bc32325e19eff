"""`chopmark verify BUNDLE`, `chopmark bundle …` and `chopmark seal …`."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from world.patience import HANG

from chopmark.base import clock, jcs
from chopmark.cli.app import main

CORPUS = Path(__file__).resolve().parents[1] / "corpus" / "bundles"
CASES = json.loads((CORPUS / "manifest.json").read_text("utf-8"))["cases"]
STATUS = {"PASSED": 0, "FAILED": 1, "INDETERMINATE": 3}
GOOD = CORPUS / "nothing-is-wrong.asice"
TRUST = CORPUS / "all.trust.json"
SOME = [case for case in CASES if case["trust"] is not None][::9]


@pytest.fixture(autouse=True)
def no_home(tmp_path, monkeypatch):
    monkeypatch.setenv("CHOPMARK_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("CHOPMARK_TRUST", raising=False)
    monkeypatch.setattr(clock, "now", lambda: datetime(2026, 11, 23, 9, 30, tzinfo=UTC))


@pytest.fixture
def run(capsys):
    def run(*arguments: str | Path) -> tuple[int, str, str]:
        status = main([*map(str, arguments)])
        return status, *capsys.readouterr()

    return run


@pytest.mark.parametrize("case", SOME, ids=lambda case: case["bundle"])
def test_the_report_in_json_is_the_corpus_one(run, case, monkeypatch):
    monkeypatch.setattr(clock, "now", lambda: datetime.fromisoformat(case["at"]))
    status, out, _ = run("verify", CORPUS / case["bundle"], "--trust", CORPUS / case["trust"], "--json")
    assert jcs.encode(json.loads(out)) == jcs.encode(case["report"])
    assert status == STATUS[case["want"]["verdict"]]


@pytest.mark.parametrize(
    ("lang", "said"),
    [("en", ("PASSED · the bundle", "Signature 1", "Not proven")), ("zh", ("通过", "签名 1", "未证明的事项"))],
)
def test_a_person_reads_verdict_claims_and_limits(run, lang, said):
    status, out, _ = run("bundle", "verify", GOOD, "--trust", TRUST, "--lang", lang)
    assert status == 0
    assert all(each in out for each in said)


def test_trust_comes_from_the_home_or_the_environment_and_never_from_beside_the_bundle(run, tmp_path, monkeypatch):
    bundle = tmp_path / "copy.asice"
    bundle.write_bytes(GOOD.read_bytes())
    (tmp_path / "trust.json").write_bytes(TRUST.read_bytes())
    assert run("verify", bundle)[0] == 3
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "trust.json").write_bytes(TRUST.read_bytes())
    assert run("verify", bundle)[0] == 0
    monkeypatch.setenv("CHOPMARK_TRUST", str(CORPUS / "nobody.trust.json"))
    assert run("verify", bundle)[0] == 3


def test_a_bundle_is_known_by_its_first_bytes_too(run, tmp_path):
    renamed = tmp_path / "evidence.zip"
    renamed.write_bytes(GOOD.read_bytes())
    assert run("verify", renamed, "--trust", TRUST)[0] == 0


def test_options_of_receipts_are_refused_for_bundles(run):
    status, _, err = run("verify", GOOD, "--policy", TRUST, "--json")
    assert status == 2
    assert "cli.bundle_options" in err


@pytest.mark.parametrize("content", [b"", b"{}", b"[]"])
def test_a_trust_file_that_is_none_is_wrong_use(run, tmp_path, content):
    wrong = tmp_path / "trust.json"
    wrong.write_bytes(content)
    assert run("verify", GOOD, "--trust", wrong)[0] == 2


def test_a_bundle_is_listed(run):
    status, out, _ = run("bundle", "list", GOOD, "--json")
    assert status == 0
    assert json.loads(out)[0] == {"path": "mimetype", "bytes": 31}
    assert "manifest.json" in run("bundle", "list", GOOD)[1]


def test_a_bundle_is_extracted_into_a_new_folder(run, tmp_path):
    target = tmp_path / "out"
    assert run("bundle", "extract", GOOD, "--out", target)[0] == 0
    with zipfile.ZipFile(GOOD) as archive:
        for name in archive.namelist():
            assert (target / name).read_bytes() == archive.read(name)
    assert run("bundle", "extract", GOOD, "--out", target)[0] == 1


@pytest.mark.parametrize("name", ["a-name-leads-out-of-the-folder", "a-name-is-absolute", "a-name-is-there-twice"])
def test_nothing_is_extracted_from_a_hostile_container(run, tmp_path, name):
    assert run("bundle", "extract", CORPUS / f"{name}.asice", "--out", tmp_path / "out")[0] == 1
    assert list(tmp_path.iterdir()) == []


def test_a_bundle_becomes_a_bag(run, tmp_path):
    assert run("bundle", "bagit", GOOD, "--out", tmp_path / "bag.zip")[0] == 0
    with zipfile.ZipFile(tmp_path / "bag.zip") as archive:
        assert "B-2026-000123/bagit.txt" in archive.namelist()
    changed = CORPUS / "a-bit-of-a-file-is-flipped.asice"
    assert run("bundle", "bagit", changed, "--out", tmp_path / "other.zip")[0] == 1
    assert not (tmp_path / "other.zip").exists()


def test_a_seal_is_made_shown_and_renewed(run, monkeypatch):
    assert run("seal", "show")[0] == 1
    status, out, _ = run("seal", "init", "Hangzhou 公证处", "--json")
    made = json.loads(out)
    assert (status, made["name"]) == (0, "Hangzhou 公证处")
    assert made["root"].startswith("-----BEGIN CERTIFICATE-----")
    assert run("seal", "show")[0] == 0
    monkeypatch.setattr(clock, "now", lambda: datetime(2026, 11, 23, tzinfo=UTC) + timedelta(days=1000))
    assert run("seal", "show")[0] == 3
    status, out, _ = run("seal", "renew", "--json")
    renewed = json.loads(out)
    assert status == 0
    assert (renewed["sha256"], renewed["until"] > made["until"]) == (made["sha256"], True)
    assert run("seal", "renew", "--only-list")[0] == run("seal", "renew", "--revoke")[0] == run("seal", "show")[0] == 0


FORBIDDEN = ("django", "sqlite3", "ssl", "httpx", "urllib.request", "http.client", "pyhanko")


def test_a_fresh_process_that_checks_a_bundle_loads_no_framework_and_no_network(tmp_path):
    program = (
        "import sys\n"
        "from chopmark.cli.app import main\n"
        f"main(['verify', {str(GOOD)!r}, '--trust', {str(TRUST)!r}, '--json'])\n"
        f"print(*[name for name in {FORBIDDEN!r} if name in sys.modules], file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        timeout=HANG,
        env={"CHOPMARK_HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )
    assert done.stderr.split() == []
    assert json.loads(done.stdout)["bundle"] == "B-2026-000123"
