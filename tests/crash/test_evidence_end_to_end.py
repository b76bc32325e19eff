"""One bundle, made as `./run` makes it, and three readers who have nothing of the platform but that file and its trust.

The demo captures the page of its shop, a notary signs, the court's simulator opens the case; then the bundle alone is
checked by the program without a home, by the page inside it in a browser without a network, and by openssl. Slow: it
starts eight programs, so everything is asked of one demo.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import zipfile
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from playwright.sync_api import sync_playwright
from world.browser import CHROMIUM, DESKTOP, FLAGS
from world.patience import HANG, HANG_MS
from world.running import COMMAND, Running

from chopmark.evidence.trust import Trust, Use
from chopmark.site.supervisor import free_port

pytestmark = pytest.mark.crash

SEED = 4


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    platform = Running(tmp_path_factory.mktemp("evidence") / "home", free_port("127.0.0.1", None, 18000, 18999))
    platform.chopmark("init", "--local-members", "--quiet")
    platform.chopmark("tsa", "init", "--quiet")
    told = json.loads(platform.chopmark("demo", "--json", "--quiet").stdout)
    return platform, told


@pytest.fixture
def alone(made, tmp_path):
    """A folder with the bundle and the trust file, and nothing else of the platform."""
    platform, told = made
    shutil.copy(told["bundle"], tmp_path / "bundle.asice")
    shutil.copy(platform.home / "trust.json", tmp_path / "trust.json")
    return tmp_path


def verified(folder: Path, name: str = "bundle.asice") -> tuple[int, dict]:
    """What `chopmark verify` says in a fresh process that has no home; its exit status and report."""
    bare = {name: value for name, value in os.environ.items() if not name.startswith(("CHOPMARK_", "DJANGO_"))}
    done = subprocess.run(
        [*COMMAND, "verify", name, "--trust", "trust.json", "--json"],
        env=bare | {"HOME": str(folder), "CHOPMARK_HOME": str(folder / "no-home"), "PYTHONPATH": ""},
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
        timeout=HANG,
    )
    assert not (folder / "no-home").exists()
    return done.returncode, json.loads(done.stdout)


def codes(report: dict, verdict: str) -> list[str]:
    return [
        finding["code"] for claim in report["claims"] if claim["verdict"] == verdict for finding in claim["findings"]
    ]


def test_the_demo_has_everything_and_the_second_time_adds_nothing(made):
    platform, told = made
    assert told["captured"] == (CHROMIUM is not None)
    assert "浙0192民初" in told["case"]
    assert (len(told["works"]), bool(told["copies"]), told["finds"]) == (3, True, 1)
    again = json.loads(platform.chopmark("demo", "--json", "--quiet").stdout)
    assert again == told
    shown = json.loads(platform.chopmark("matter", "show", told["matter"], "--json").stdout)
    assert shown["held"]
    assert {each["kind"] for each in shown["items"]} >= {"work", "purchase", "invoice", "photograph", "correspondence"}
    assert [each["state"] for each in shown["jobs"]] == ["done"] * len(shown["jobs"])
    right = json.loads(platform.chopmark("right", "show", told["right"], "--json").stdout)
    verdicts = {each["verdict"] for each in right["right"]["verification"]["differences"]}
    assert (right["level"], verdicts) == (2, {"equal", "tolerated"})


def test_the_bundle_alone_passes_without_a_home(alone):
    status, report = verified(alone)
    assert (status, report["verdict"]) == (0, "PASSED"), codes(report, "FAILED") + codes(report, "INDETERMINATE")
    signatures = [claim for claim in report["claims"] if claim["claim"].startswith("signature:")]
    assert len(signatures) == 2  # the platform's and the notary's
    assert "bundle.not_proven_truth" in report["not_proven"]


def test_one_flipped_byte_in_any_file_is_found_and_named(alone):
    chosen = random.Random(SEED)  # noqa: S311 (repeatable, no secret)
    data = (alone / "bundle.asice").read_bytes()
    with zipfile.ZipFile(alone / "bundle.asice") as container:
        listed = [each for each in container.infolist() if not each.filename.startswith("META-INF/")]
    for entry in chosen.sample([each for each in listed if each.filename.startswith("evidence/")], 3):
        start = entry.header_offset + 30 + len(entry.filename.encode())
        place = start + chosen.randrange(entry.file_size)
        spoiled = data[:place] + bytes([data[place] ^ 1 << chosen.randrange(8)]) + data[place + 1 :]
        (alone / "spoiled.asice").write_bytes(spoiled)
        status, report = verified(alone, "spoiled.asice")
        assert (status, report["verdict"]) == (1, "FAILED"), entry.filename
        said = json.dumps([claim for claim in report["claims"] if claim["verdict"] == "FAILED"])
        assert entry.filename in said


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium on the machine: apt-get install chromium")
def test_the_page_inside_the_bundle_opened_from_disk_without_network_says_passed(alone):
    with zipfile.ZipFile(alone / "bundle.asice") as container:
        (alone / "verify.html").write_bytes(container.read("verify.html"))
    asked: list[str] = []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        context = browser.new_context(viewport=DESKTOP, locale="en-GB", offline=True)
        context.on("request", lambda request: asked.append(request.url))
        page = context.new_page()
        page.set_default_timeout(HANG_MS)
        page.goto((alone / "verify.html").as_uri())
        page.wait_for_selector("html[data-ready]")
        page.set_input_files("[data-choose]", [str(alone / "bundle.asice")])
        page.wait_for_selector("html[data-verdict]")
        report = page.evaluate("window.chopmarkReport")
        browser.close()
    assert report["verdict"] == "PASSED", codes(report, "FAILED") + codes(report, "INDETERMINATE")
    assert [url for url in asked if not url.startswith(("file:", "blob:", "data:"))] == []


@pytest.mark.skipif(shutil.which("openssl") is None or shutil.which("unzip") is None, reason="needs openssl and unzip")
def test_the_printed_recipe_runs_with_nothing_but_openssl(alone):
    trust = Trust.parse((alone / "trust.json").read_bytes())
    for name, uses in (("seal.pem", (Use.SEAL, Use.NOTARY)), ("tsa.pem", (Use.TSA,))):
        roots = [x509.load_der_x509_certificate(each.certificate) for each in trust.roots if each.use in uses]
        (alone / name).write_bytes(b"".join(each.public_bytes(Encoding.PEM) for each in roots))
    with zipfile.ZipFile(alone / "bundle.asice") as container:
        text = container.read("README.txt").decode()
    number = text.split()[1]
    (alone / "bundle.asice").rename(alone / f"{number}.asice")
    recipe = "\n".join(line[4:] for line in text.partition("3  OpenSSL")[2].split("\n") if line.startswith("    "))
    done = subprocess.run(
        ["sh", "-c", recipe],
        cwd=alone,
        check=False,
        capture_output=True,
        text=True,
        timeout=HANG,
        stdin=subprocess.DEVNULL,
    )
    said = done.stdout + done.stderr
    assert "WRONG" not in said
    assert "failure" not in said.lower()
    assert said.count("Verification: OK") == 4  # of each signature the time-stamp inside it, and those beside them
    assert said.lower().count("verification successful") == 2


def test_the_court_s_answer_stands_on_the_filing_s_page_with_its_deposit(made):
    platform, told = made
    platform.start()
    try:
        platform.wait_until_ready()
        password = (platform.home / "demo.txt").read_text("utf-8").splitlines()[1].removeprefix("password: ")
        with httpx.Client(base_url=platform.url, timeout=HANG, follow_redirects=True) as person:
            token = person.get("/accounts/login/").text.partition('name="csrfmiddlewaretoken" value="')[2].split('"')[0]
            given = {"login": "demo@chopmark.example", "password": password, "csrfmiddlewaretoken": token}
            person.post("/accounts/login/", data=given, headers={"Referer": f"{platform.url}/accounts/login/"})
            [address] = {
                each.split('"')[0]
                for each in person.get("/filings/").text.split('href="')[1:]
                if told["filing"] in each
            }
            shown = person.get(address).text
        assert told["case"] in shown
        assert "D-2026-" in shown
    finally:
        platform.kill()
