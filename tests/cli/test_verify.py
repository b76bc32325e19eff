from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from corpus import maker
from world.patience import HANG
from world.tsa import TsaWorld

from chopmark.base import clock
from chopmark.cli.app import main

CORPUS = Path(__file__).resolve().parents[1] / "corpus"
FILE = CORPUS / "lantern.txt"
STATUS = {"PASSED": 0, "FAILED": 1, "INDETERMINATE": 3}
MANIFEST = json.loads((CORPUS / "manifest.json").read_text("utf-8"))
THIS_FILE = next(case["digests"] for case in MANIFEST["cases"] if case["want"]["verdict"] == "PASSED")
CASES = [  # those about the file as it is; a file with the same SHA-256 and another SM3 cannot be made
    case
    for case in MANIFEST["cases"]
    if case["digests"] and case["digests"]["sha-256"] == THIS_FILE["sha-256"]
    if case["digests"]["sm3"] in (None, THIS_FILE["sm3"])
]
RECEIPTS = CORPUS / "receipts"
GOOD = CORPUS / CASES[0]["receipt"]
POLICY = CORPUS / "policies" / "platform.policy"


@pytest.fixture(autouse=True)
def no_home(tmp_path, monkeypatch):
    monkeypatch.setenv("CHOPMARK_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("CHOPMARK_POLICY", raising=False)
    monkeypatch.setattr(clock, "now", lambda: datetime.fromisoformat(CASES[0]["at"]))


@pytest.fixture
def run(capsys):
    def run(*arguments: str) -> tuple[int, str, str]:
        status = main([*arguments])
        return status, *capsys.readouterr()

    return run


@pytest.mark.parametrize("case", CASES, ids=[case["desc"] for case in CASES])
def test_the_corpus_gets_its_verdicts(run, case, monkeypatch):
    monkeypatch.setattr(clock, "now", lambda: datetime.fromisoformat(case["at"]))
    policy = ["--policy", str(CORPUS / case["policy"])] if case["policy"] else []
    status, out, _ = run("verify", str(FILE), "--receipt", str(CORPUS / case["receipt"]), *policy, "--json")
    report = json.loads(out)
    assert (report["verdict"], status) == (case["want"]["verdict"], STATUS[case["want"]["verdict"]])
    wanted = [code for code in case["want"]["codes"] if not code.startswith("verify.sm3")]
    assert [each["code"] for each in report["findings"] if not each["code"].startswith("verify.sm3")] == wanted


def test_an_altered_file_fails_with_the_reason(run, tmp_path):
    altered = tmp_path / "lantern.txt"
    altered.write_bytes(FILE.read_bytes() + b" ")
    status, out, _ = run("verify", str(altered), "--receipt", str(GOOD), "--policy", str(POLICY), "--lang", "en")
    assert status == 1
    assert out.startswith("FAILED")
    assert "The file is not the one in the statement" in out


def test_the_verdict_is_said_in_chinese(run):
    status, out, _ = run("verify", str(FILE), "--receipt", str(GOOD), "--policy", str(POLICY), "--lang", "zh")
    assert status == 0
    assert "PASSED · 通过" in out
    assert "未证明的事项" in out


def test_without_a_policy_nothing_is_decided(run):
    status, out, _ = run("verify", str(FILE), "--receipt", str(GOOD), "--json")
    assert status == 3
    assert json.loads(out)["verdict"] == "INDETERMINATE"


def test_a_policy_beside_the_file_is_never_taken(run, tmp_path, monkeypatch):
    (tmp_path / "lantern.txt").write_bytes(FILE.read_bytes())
    (tmp_path / "lantern.txt.tlog-proof").write_bytes(GOOD.read_bytes())
    (tmp_path / "trust.policy").write_bytes(POLICY.read_bytes())
    monkeypatch.chdir(tmp_path)
    assert run("verify", "lantern.txt")[0] == 3


@pytest.mark.parametrize("where", ["the variable", "the home"])
def test_a_policy_is_found_in(run, where, tmp_path, monkeypatch):
    if where == "the variable":
        monkeypatch.setenv("CHOPMARK_POLICY", str(POLICY))
    else:
        (tmp_path / "home").mkdir()
        (tmp_path / "home" / "trust.policy").write_bytes(POLICY.read_bytes())
    assert run("verify", str(FILE), "--receipt", str(GOOD))[0] == 0


@pytest.mark.parametrize(
    ("code", "arguments"),
    {
        "no file is named": ("cli.usage", []),
        "an option is unknown": ("cli.usage", [str(FILE), "--nonsense"]),
        "the file is not there": ("cli.file_unreadable", ["nowhere.txt"]),
        "there is no receipt beside it": ("cli.receipt_missing", [str(FILE)]),
        "the receipt is not there": ("cli.file_unreadable", [str(FILE), "--receipt", "nowhere"]),
        "the policy is not there": ("cli.file_unreadable", [str(FILE), "--receipt", str(GOOD), "--policy", "nowhere"]),
    }.values(),
)
def test_wrong_use_is_told_apart_from_a_verdict(run, code, arguments):
    status, out, err = run("verify", *arguments, "--json")
    assert (status, out) == (2, "")
    error = json.loads(err)
    assert error["code"] == code
    assert set(error) == {"code", "facts", "message"}


def test_a_malformed_receipt_fails_and_says_so(run, tmp_path):
    spoiled = tmp_path / "spoiled"
    spoiled.write_bytes(b"c2sp.org/tlog-proof@v1\nindex 042\n\n")
    status, out, _ = run("verify", str(FILE), "--receipt", str(spoiled), "--policy", str(POLICY), "--json")
    assert status == 1
    assert json.loads(out)["verdict"] == "FAILED"


def test_the_verifier_starts_without_framework_database_or_network():
    script = (
        "import sys\n"
        "from chopmark.cli.app import main\n"
        f"status = main(['verify', {str(FILE)!r}, '--receipt', {str(GOOD)!r}, '--quiet'])\n"
        "loaded = sorted({'django', 'sqlite3', 'socket', 'ssl', 'httpx', 'asyncio'} & sys.modules.keys())\n"
        "print(f'status={status} loaded={loaded}')\n"
    )
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    made = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=HANG, env=environment
    )
    assert made.stdout.splitlines()[-1] == "status=3 loaded=[]"


def test_commands_that_need_the_platform_say_so_where_it_is_not_installed():
    script = (
        "import sys\n"
        "sys.modules['django'] = sys.modules['httpx'] = sys.modules['structlog'] = None\n"
        "from chopmark.cli.app import main\n"
        "from chopmark.site.command import COMMANDS\n"
        "import os, pathlib\n"
        "(pathlib.Path(os.environ['CHOPMARK_HOME']) / 'keys').mkdir(parents=True)\n"
        f"print(main(['deposit', {str(FILE)!r}, '--json'], COMMANDS))\n"
        "print(main(['sweep', '--json'], COMMANDS))\n"
    )
    made = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=HANG)
    assert made.stdout.split() == ["2", "2"]
    assert all(json.loads(line)["code"] == "cli.extra_missing" for line in made.stderr.splitlines())


FIVE = RECEIPTS / "five-members-cosigned.tlog-proof"
RETIRED = RECEIPTS / "a-key-since-retired-under-the-policy-of-its-time.tlog-proof"
POLICIES = CORPUS / "policies"


@pytest.fixture
def history(tmp_path):
    """What was in force: five members from the start, others from size 8 on; the receipts are of size 7."""
    folder = tmp_path / "home" / "consortium" / "history"
    folder.mkdir(parents=True)
    (folder / "1.policy").write_bytes((POLICIES / "five-members.policy").read_bytes())
    (folder / "8.policy").write_bytes((POLICIES / "five-members-later.policy").read_bytes())
    return folder


def test_of_policies_over_time_the_one_of_the_receipt_s_size_is_taken(run, history, tmp_path):
    for named in (["--policy", str(history)], []):
        status, out, _ = run("verify", str(FILE), "--receipt", str(RETIRED), *named, "--json")
        assert (status, json.loads(out)["trusted"]) == (0, str(history / "1.policy"))
    (history / "7.policy").write_bytes((POLICIES / "five-members-later.policy").read_bytes())
    status, out, _ = run("verify", str(FILE), "--receipt", str(RETIRED), "--json")
    assert (status, json.loads(out)["trusted"]) == (3, str(history / "7.policy"))


def test_a_folder_without_a_policy_of_that_time_is_refused(run, tmp_path):
    (tmp_path / "9.policy").write_bytes(POLICY.read_bytes())
    status, _, errors = run("verify", str(FILE), "--receipt", str(FIVE), "--policy", str(tmp_path), "--lang", "en")
    assert status == 2
    assert "7 entries" in errors


def test_before_the_first_policy_of_a_consortium_the_home_s_own_counts(run, history, tmp_path):
    for name in ("1.policy", "8.policy"):
        (history / name).unlink()
    (tmp_path / "home" / "trust.policy").write_bytes(POLICY.read_bytes())
    status, out, _ = run("verify", str(FILE), "--receipt", str(FIVE), "--json")
    assert (status, json.loads(out)["trusted"]) == (0, str(tmp_path / "home" / "trust.policy"))


@pytest.mark.parametrize("before", ["0.policy", "trust.policy", None])
def test_once_there_is_a_quorum_no_receipt_passes_by_the_logs_word_alone(run, history, tmp_path, before):
    """Whoever has the log's keys alone could write a receipt of the time before the consortium."""
    (history / "1.policy").unlink()
    if before is not None:
        (history if before == "0.policy" else tmp_path / "home").joinpath(before).write_bytes(POLICY.read_bytes())
    forged = RECEIPTS / "older-than-the-consortium.tlog-proof"
    for named in (["--policy", str(history)], []):
        status, out, _ = run("verify", str(FILE), "--receipt", str(forged), *named, "--json")
        report = json.loads(out)
        assert (status, report["trusted"]) == (3, str(history / "8.policy"))
        assert [each["code"] for each in report["findings"] if each["step"] == 7] == [
            "verify.quorum_missing",
            "verify.receipt_to_renew",
        ]
        status, _, _ = run("verify", str(FILE), "--receipt", str(FIVE), *named, "--json")
        assert status == 0


def test_a_receipt_that_cannot_be_read_is_judged_under_the_newest_policy(run, history):
    status, out, _ = run("verify", str(FILE), "--receipt", str(RECEIPTS / "not-a-receipt.tlog-proof"), "--json")
    assert (status, json.loads(out)["trusted"]) == (1, str(history / "8.policy"))


def test_the_institutions_that_signed_are_named_with_algorithm_and_time(run):
    policy = str(POLICIES / "five-members.policy")
    _, out, _ = run("verify", str(FILE), "--receipt", str(FIVE), "--policy", policy, "--lang", "en")
    told = " ".join(out.split())
    assert "customs (customs-mldsa44) ML-DSA-44 2026-11-22T09:30:05Z" in told
    assert "2026-11-22T09:30:04Z (beijing, guangzhou, hangzhou, notary)" in told


@pytest.mark.parametrize("kind", ["compact", "post-quantum"])
def test_a_receipt_with_one_kind_of_signatures_is_found_beside_its_file(run, tmp_path, kind):
    file = tmp_path / "lantern.txt"
    file.write_bytes(FILE.read_bytes())
    named = {"compact": "ed25519", "post-quantum": "ml-dsa-44"}[kind]
    (tmp_path / f"lantern.txt.{kind}.tlog-proof").write_bytes(
        (RECEIPTS / f"five-members-{named}-alone.tlog-proof").read_bytes()
    )
    status, out, _ = run("verify", str(file), "--policy", str(POLICIES / "five-members.policy"), "--json")
    assert (status, json.loads(out)["receipt"].rpartition("/")[2]) == (0, f"lantern.txt.{kind}.tlog-proof")


def stamped_receipt(folder):
    """A receipt with a true time stamp on it, its file's name, and the authority's certificate."""
    tsa = TsaWorld(at=maker.AT)
    receipt = maker.register(maker.by_agent(), anchored=[("rfc3161", "time.example", 9)])
    (anchor,) = receipt.anchors
    path = folder / "stamped.tlog-proof"
    path.write_bytes(replace(receipt, anchors=(replace(anchor, token=tsa.stamp(anchor.text)),)).tlog_proof())
    return path, tsa.root_file(folder)


def test_time_stamps_are_checked_with_the_certificates_given(run, tmp_path):
    path, certificate = stamped_receipt(tmp_path)
    asked = ["verify", str(FILE), "--receipt", str(path), "--policy", str(POLICY), "--json"]
    assert json.loads(run(*asked)[1])["stamps"] == []
    for place in (certificate, tmp_path):
        found = json.loads(run(*asked, "--authority", str(place))[1])
        assert [(each["authority"], each["own"]) for each in found["stamps"]] == [("root", False)]
    own = certificate.rename(tmp_path / "own.pem")
    assert json.loads(run(*asked, "--authority", str(own))[1])["stamps"][0]["own"]


def test_openssl_agrees_on_a_time_stamp_taken_out_of_a_receipt(run, tmp_path):
    path, certificate = stamped_receipt(tmp_path)
    status, _, errors = run(
        "verify", str(FILE), "--receipt", str(path), "--policy", str(POLICY), "--anchors", str(tmp_path), "--lang", "en"
    )
    assert status == 0
    command = errors[errors.index("openssl") :].replace("\n", " ").replace("AUTHORITY.pem", str(certificate))
    done = subprocess.run(shlex.split(command), capture_output=True, text=True, check=False, timeout=HANG)
    assert "Verification: OK" in done.stdout, done.stderr
