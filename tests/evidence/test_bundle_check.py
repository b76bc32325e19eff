"""The check of bundles: the corpus gets its verdicts, a flipped bit is found everywhere, and nothing phones home."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from corpus import bundle_cases, bundle_maker
from hypothesis import given, settings
from hypothesis import strategies as st
from world.patience import HANG

from chopmark.base import jcs
from chopmark.base.wording import catalogue, say
from chopmark.evidence.bundle.check import ALWAYS_UNPROVEN, check
from chopmark.evidence.cades import Verdict
from chopmark.evidence.trust import Root, Trust, Use

CORPUS = Path(bundle_maker.__file__).parent / "bundles"
CASES = json.loads((CORPUS / "manifest.json").read_text("utf-8"))["cases"]
GOOD = next(case for case in CASES if case["desc"] == "nothing is wrong")


def trust_of(case) -> Trust | None:
    return None if case["trust"] is None else Trust.parse((CORPUS / case["trust"]).read_bytes())


def report_on(case, data=None):
    data = (CORPUS / case["bundle"]).read_bytes() if data is None else data
    return check(io.BytesIO(data), trust_of(case), datetime.fromisoformat(case["at"]))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["bundle"].removesuffix(".asice"))
def test_the_corpus_gets_the_wanted_verdicts(case):
    report = report_on(case)
    assert jcs.encode(report.as_json()) == jcs.encode(case["report"])
    wrong = {
        claim.name: [each.code for each in claim.findings if each.verdict != "PASSED"]
        for claim in report.claims
        if claim.verdict != "PASSED"
    }
    assert {"verdict": report.verdict, "wrong": wrong} == case["want"]
    for finding in [each for claim in report.claims for each in claim.findings]:
        for language in ("en", "zh"):
            assert say(finding.code, finding.facts, language)


def test_the_corpus_on_disk_is_the_one_described():
    described = {case.says: case for case in bundle_cases.every_case()}
    assert described.keys() == {case["desc"] for case in CASES}
    for case in CASES:
        wanted = described[case["desc"]]
        assert case["want"] == {"verdict": wanted.verdict, "wrong": dict(wanted.wrong)}, wanted.says
    assert sum(case["want"]["verdict"] == "FAILED" for case in CASES) >= 40


def test_every_code_that_a_check_may_find_is_worded():
    text = "".join(
        (Path(bundle_maker.__file__).parents[2] / "src" / "chopmark" / "evidence" / name).read_text("utf-8")
        for name in ("cades.py", "bundle/check.py")
    )
    assert set(re.findall(r'"(bundle\.[a-z_]+)"', text)) <= catalogue().keys()
    assert set(ALWAYS_UNPROVEN) <= catalogue().keys()


WHOLE = (CORPUS / GOOD["bundle"]).read_bytes()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, len(WHOLE) - 1), st.integers(0, 7))
def test_one_flipped_bit_anywhere_is_found(at, bit):
    spoiled = bytearray(WHOLE)
    spoiled[at] ^= 1 << bit
    assert report_on(GOOD, bytes(spoiled)).verdict is Verdict.FAILED


PROOFS = [name for name in bundle_maker.contents(WHOLE) if name.startswith("META-INF/")]


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(PROOFS), st.floats(0, 1, exclude_max=True), st.integers(0, 7))
def test_one_flipped_bit_in_a_proof_is_found_though_the_container_is_right(name, part, bit):
    files = bundle_maker.contents(WHOLE)
    content = bytearray(files[name])
    content[int(part * len(content))] ^= 1 << bit
    files[name] = bytes(content)
    found = report_on(GOOD, bundle_maker.packed(files))
    assert found.verdict is not Verdict.PASSED
    number = {"META-INF/signature001.p7s": "signature:1"}.get(name)
    if number is not None:
        assert next(claim for claim in found.claims if claim.name == number).verdict is not Verdict.PASSED


@settings(max_examples=25, deadline=None)
@given(st.integers(0, len(WHOLE)))
def test_a_bundle_that_is_cut_off_fails(length):
    assert report_on(GOOD, WHOLE[:length]).verdict is (Verdict.PASSED if length == len(WHOLE) else Verdict.FAILED)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300))
def test_whatever_the_bytes_are_there_is_a_report(data):
    report = report_on(GOOD, data)
    assert report.verdict is Verdict.FAILED
    assert report.manifest is None


def test_progress_ends_where_the_contents_end():
    told: list[tuple[int, int]] = []
    check(io.BytesIO(WHOLE), None, bundle_maker.CHECKED, lambda done, whole: told.append((done, whole)))
    assert told[-1][0] == told[-1][1]
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_what_is_in_the_bundles_own_trust_is_never_trusted():
    report = check(io.BytesIO(WHOLE), Trust(), bundle_maker.CHECKED)
    assert report.verdict is Verdict.INDETERMINATE
    found = {claim.name: claim.verdict for claim in report.claims}
    assert found["signature:1"] is found["time:1"] is Verdict.INDETERMINATE


def test_limits_are_told_and_not_reached(monkeypatch):
    monkeypatch.setattr("chopmark.evidence.bundle.check.MAX_KEPT", 1000)
    report = report_on(GOOD)
    assert [each.code for each in report.claims[0].findings] == ["bundle.too_large"]


def test_proofs_are_few():
    files = bundle_maker.contents(WHOLE)
    files |= {f"META-INF/timestamp{number:03}.tst": b"" for number in range(1, 202)}
    report = report_on(GOOD, bundle_maker.packed(files))
    assert [(each.code, each.facts["limit"]) for each in report.claims[0].findings] == [("bundle.too_large", 200)]


def test_what_any_entry_of_the_trust_calls_own_is_no_independent_clock():
    trusted = trust_of(GOOD)
    both = [replace(each, own=not each.own) for each in trusted.roots if each.use == "tsa"]
    report = check(io.BytesIO(WHOLE), replace(trusted, roots=(*trusted.roots, *both)), bundle_maker.CHECKED)
    assert report.verdict is Verdict.PASSED
    assert "bundle.not_proven_independent_time" in report.not_proven


@pytest.mark.parametrize("use", list(Use))
def test_a_root_that_is_no_certificate_leads_to_nobody_and_harms_nobody(use):
    trusted = trust_of(GOOD)
    strange = Root(name="a key, perhaps", use=use, own=False, certificate=b"\x30\x00")
    assert check(io.BytesIO(WHOLE), Trust(roots=(strange,)), bundle_maker.CHECKED).verdict is Verdict.INDETERMINATE
    report = check(io.BytesIO(WHOLE), replace(trusted, roots=(*trusted.roots, strange)), bundle_maker.CHECKED)
    assert report.verdict is Verdict.PASSED


def test_a_report_says_what_it_does_not_prove():
    (broken_off,) = (case for case in CASES if case["desc"] == "a capture was broken off")
    assert "bundle.not_proven_whole_capture" in report_on(broken_off).not_proven
    assert "bundle.not_proven_independent_time" not in report_on(GOOD).not_proven
    (own,) = (case for case in CASES if "only clock" in case["desc"])
    assert "bundle.not_proven_independent_time" in report_on(own).not_proven


def test_a_record_of_renewed_time_stamps_is_checked(tmp_path):
    from chopmark.evidence import evidence_record  # noqa: PLC0415 (beside its one use)
    from chopmark.evidence.bundle.asic import AsicManifest  # noqa: PLC0415
    from chopmark.evidence.bundle.build import add_proofs  # noqa: PLC0415

    def renew(proofs, *, spoil=False):
        over = AsicManifest(sig_reference="META-INF/evidencerecord001.ers", references=proofs.covering())
        group = [each.sha256 for each in over.references][spoil:]
        clock = replace(bundle_maker.centre(), at=bundle_maker.CHECKED)
        clocks.append(clock)
        (record,) = evidence_record.start([group], clock.token)
        return {
            "META-INF/ASiCEvidenceRecordManifest001.xml": over.encode(),
            over.sig_reference: record.encode(),
        }

    clocks: list[bundle_maker.Clock] = []
    for spoil, verdict in ((False, Verdict.PASSED), (True, Verdict.FAILED)):
        out = io.BytesIO()
        add_proofs(io.BytesIO(WHOLE), out, lambda proofs, spoil=spoil: renew(proofs, spoil=spoil))
        trusted = trust_of(GOOD)
        roots = (*trusted.roots, *clocks[-1].roots)
        report = check(out, replace(trusted, roots=roots), bundle_maker.CHECKED)
        assert [claim.verdict for claim in report.claims if claim.name == "record:1"] == [verdict]
        assert report.verdict is verdict
        later = check(out, replace(trusted, roots=roots), bundle_maker.SIGNED + timedelta(days=5 * 365))
        (found,) = [claim for claim in later.claims if claim.name == "record:1"]
        over = (Verdict.INDETERMINATE, "evidence.record_over")
        wanted = (Verdict.FAILED, "evidence.record_other_data") if spoil else over
        assert (found.verdict, found.findings[0].facts["cause"]) == wanted


FORBIDDEN = ("django", "sqlite3", "ssl", "_ssl", "httpx", "urllib.request", "http.client", "psycopg", "pyhanko")


def test_a_fresh_interpreter_checks_a_bundle_without_framework_database_or_network():
    program = (
        "import sys, datetime\n"
        "def refuse(event, _):\n"
        "    if event.startswith('socket.') or event == 'subprocess.Popen': raise RuntimeError(event)\n"
        "sys.addaudithook(refuse)\n"
        "from chopmark.evidence.bundle.check import check\n"
        "from chopmark.evidence.trust import Trust\n"
        f"trust = Trust.parse(open({str(CORPUS / GOOD['trust'])!r}, 'rb').read())\n"
        f"at = datetime.datetime.fromisoformat({GOOD['at']!r})\n"
        f"print(check(open({str(CORPUS / GOOD['bundle'])!r}, 'rb'), trust, at).verdict)\n"
        f"print(*[name for name in {FORBIDDEN!r} if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True, timeout=HANG
    )
    assert done.stdout.split() == ["PASSED"]
