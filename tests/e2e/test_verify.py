"""The browser's verifier agrees with Python's on the whole corpus and on damaged bytes; the page shows what it says.

Runs in the system's Chromium. The modules are loaded as the page loads them, from the site itself.
"""

from __future__ import annotations

import base64
import hashlib
import json
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from corpus.maker import AT, DIGESTS, FILE, POLICIES
from playwright.sync_api import Page, expect
from world.data import shared_data

from chopmark.base.digests import Digests
from chopmark.base.errors import Invalid
from chopmark.evidence.quorum import in_force
from chopmark.evidence.verify import verify
from chopmark.ledger.cose import PublicKey
from chopmark.ledger.policy import Policy, policy_text

CORPUS = Path(__file__).resolve().parent.parent / "corpus"
AXE = Path(__file__).resolve().parent.parent / "vendor" / "axe.min.js"
RECEIPTS = CORPUS / "receipts"
GOOD = RECEIPTS / "signed-by-the-intake-key-for-a-depositor.tlog-proof"
GOOD_COSE = RECEIPTS / "signed-by-the-intake-key-for-a-depositor.receipt.cose"
SHORT_OF_QUORUM = RECEIPTS / "one-court-short-of-the-quorum.tlog-proof"
NOW = AT + timedelta(days=1)

RUN_CASES = """async (cases) => {
  const load = (name) => import(`/static/chopmark/verify/${name}.js`);
  const [{ makeSuite }, { verify }, { Policy }, { fromBase64 }] =
    await Promise.all(["suite", "verify", "policy", "bytes"].map(load));
  const { ed, ml_dsa44 } = await import("/static/vendor/noble/noble.js");
  const bytes = (text) => text === null ? null : fromBase64(text);
  const suite = makeSuite({ ed, mldsa44: ml_dsa44, subtle: SUBTLE });
  const plain = (key, value) => typeof value === "bigint" ? `${value}n` : value;
  const answers = [];
  for (const { receipt, policy, digests, at } of cases) {
    try {
      const asked = {
        digests: digests && { sha256: bytes(digests.sha256), sm3: bytes(digests.sm3), size: digests.size },
        policy: policy === null ? null : Policy.parse(bytes(policy), suite),
        at,
        suite,
      };
      answers.push(JSON.stringify(await verify(bytes(receipt), asked), plain));
    } catch (error) {
      if (!error.code?.includes(".")) throw error;
      answers.push(JSON.stringify({ policy: error.code, line: error.facts.line ?? null }));
    }
  }
  return answers;
}"""

RUN_ED25519 = """async (vectors) => {
  const { makeSuite } = await import("/static/chopmark/verify/suite.js");
  const { fromHex } = await import("/static/chopmark/verify/bytes.js");
  const { ed } = await import("/static/vendor/noble/noble.js");
  const answers = [];
  for (const subtle of [crypto.subtle, undefined]) {
    const suite = makeSuite({ ed, subtle });
    for (const [key, signature, message] of vectors) {
      const isKey = suite.isEd25519Key(fromHex(key));
      answers.push(isKey && await suite.ed25519(fromHex(key), fromHex(signature), fromHex(message)));
    }
  }
  return answers;
}"""

pytestmark = pytest.mark.browser


@pytest.fixture
def verify_page(open_page: Callable[..., Page]) -> Callable[..., Page]:
    """Opens the verify page, a day after the corpus was made."""

    def opened(**more: object) -> Page:
        page = open_page(**more)
        page.clock.set_fixed_time(NOW)
        page.goto("/verify", wait_until="networkidle")
        page.wait_for_selector("[data-ready]")
        return page

    return opened


def in_base64(data: bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data).decode()


def case(receipt: bytes, policy: bytes | None, digests: Digests | None = DIGESTS, at: datetime = NOW) -> dict:
    return {
        "receipt": in_base64(receipt),
        "policy": in_base64(policy),
        "digests": digests
        and {"sha256": in_base64(digests.sha256), "sm3": in_base64(digests.sm3), "size": digests.size},
        "at": int(at.timestamp()),
    }


def by_python(receipt: bytes, policy: bytes | None, digests: Digests | None = DIGESTS, at: datetime = NOW) -> dict:
    try:
        trusted = None if policy is None else Policy.parse(policy)
    except Invalid as error:
        return {"policy": error.code, "line": error.facts.get("line")}
    return json.loads(json.dumps(verify(receipt, digests=digests, policy=trusted, at=at).as_json()))


def agree(page: Page, asked: list[tuple], *, subtle: str = "crypto.subtle") -> list[dict]:
    """The browser's answers, each the same as Python's in every field."""
    answers = page.evaluate(RUN_CASES.replace("SUBTLE", subtle), [case(*each) for each in asked])
    found = [json.loads(each) for each in answers]
    for each, answer in zip(asked, found, strict=True):
        assert answer == by_python(*each)
    return found


def corpus_cases() -> list[tuple[dict, tuple]]:
    cases = []
    for each in json.loads((CORPUS / "manifest.json").read_text("utf-8"))["cases"]:
        named = each["digests"]
        digests = named and Digests(
            sha256=bytes.fromhex(named["sha-256"]),
            sm3=bytes.fromhex(named["sm3"]) if named.get("sm3") else None,
            size=named["size"],
        )
        policy = (CORPUS / each["policy"]).read_bytes() if each["policy"] else None
        at = datetime.fromisoformat(each["at"]).astimezone(UTC)
        cases.append((each, ((CORPUS / each["receipt"]).read_bytes(), policy, digests, at)))
    return cases


def damaged(data: bytes, chance: random.Random) -> bytes:
    """One byte flipped, replaced, left out or put in."""
    changed, at = bytearray(data), chance.randrange(len(data))
    match chance.randrange(6):
        case 0 | 1 | 2:
            changed[at] ^= 1 << chance.randrange(8)
        case 3:
            changed[at] = chance.randrange(256)
        case 4:
            del changed[at]
        case 5:
            changed.insert(at, chance.randrange(256))
    return bytes(changed)


def damaged_inside(proof: bytes, chance: random.Random) -> bytes:
    """A tlog-proof whose text stays well formed while a byte of its CBOR is changed."""
    lines = proof.split(b"\n")
    extra = bytearray(base64.b64decode(lines[1].removeprefix(b"extra ")))
    extra[chance.randrange(len(extra))] ^= 1 << chance.randrange(8)
    lines[1] = b"extra " + base64.b64encode(extra)
    return b"\n".join(lines)


def put_in(
    page: Page, *, data: bytes = FILE, receipts: tuple[Path, ...] = (GOOD,), policy: str | None = "platform"
) -> None:
    if policy is not None:
        trust(page, policy)
    page.set_input_files("[data-choose=receipt]", [str(path) for path in receipts])
    page.set_input_files("[data-choose=file]", {"name": "lantern.txt", "mimeType": "text/plain", "buffer": data})


def trust(page: Page, policy: str = "platform") -> None:
    """Choose a policy of the corpus as one's own."""
    page.check("[value=own]")
    page.set_input_files("[data-choose=policy]", str(CORPUS / "policies" / f"{policy}.policy"))


def codes(page: Page) -> list[str]:
    return page.eval_on_selector_all(".verify-findings [data-code]", "each => each.map(one => one.dataset.code)")


def test_the_whole_corpus_is_judged_as_wanted_and_as_python_judges_it(verify_page):
    cases = corpus_cases()
    found = agree(verify_page(), [asked for _, asked in cases])
    for (described, _), report in zip(cases, found, strict=True):
        got = {
            "verdict": report["verdict"],
            "codes": [finding["code"] for finding in report["findings"]],
            "existed_by": report["existed_by"],
            "existed_by_whom": report["existed_by_whom"],
        }
        wanted = described["want"]
        assert {name: got[name] for name in wanted} == wanted, described["desc"]


def test_without_webcrypto_the_vendored_libraries_judge_the_same(verify_page):
    # P-256 needs WebCrypto; such a page tells the reader so.
    cases = [asked for described, asked in corpus_cases() if "es256" not in described["receipt"]][::4]
    agree(verify_page(), cases, subtle="undefined")


def test_both_verifiers_agree_on_300_receipts_with_a_damaged_byte(verify_page):
    chance = random.Random(2026)  # noqa: S311 (the same damage in every run)
    policy = policy_text(POLICIES["platform"]).encode()
    sound = [path.read_bytes() for path in (GOOD, GOOD_COSE, RECEIPTS / "private-the-digest-disclosed.receipt.cose")]
    asked = [(damaged(chance.choice(sound), chance), policy) for _ in range(200)]
    asked += [(damaged_inside(sound[0], chance), policy) for _ in range(100)]
    found = agree(verify_page(), asked)
    assert {report["verdict"] for report in found} >= {"FAILED"}


def test_both_verifiers_agree_on_200_receipts_of_a_quorum_with_a_damaged_byte(verify_page):
    chance = random.Random(3)  # noqa: S311 (the same damage in every run)
    policy = policy_text(POLICIES["five-members"]).encode()
    names = (
        "five-members-ed25519-alone.tlog-proof",
        "cose-receipts-of-the-log-and-five-members-no-checkpoint.receipt.cose",
        "anchored-three-times.receipt.cose",
    )
    sound = [(RECEIPTS / name).read_bytes() for name in names]
    asked = [(damaged(chance.choice(sound), chance), policy) for _ in range(140)]
    anchored = (RECEIPTS / "anchored-three-times.tlog-proof").read_bytes()
    asked += [(damaged_inside(anchored, chance), policy) for _ in range(60)]
    found = agree(verify_page(), asked)
    assert {report["verdict"] for report in found} >= {"FAILED", "PASSED"}


def test_the_institutions_of_a_quorum_are_shown_with_what_and_when_they_signed(verify_page):
    page = verify_page()
    put_in(page, receipts=(RECEIPTS / "five-members-cosigned.receipt.cose",), policy="five-members")
    report = page.locator(".verify-report")
    expect(report).to_have_attribute("data-state", "PASSED")
    expect(report.locator("[data-existed]")).to_contain_text("2026-11-22 09:30:04 UTC")
    expect(report.locator("[data-existed]")).to_contain_text("beijing, guangzhou, hangzhou, notary")
    signers = report.locator("[data-signers]")
    expect(signers).to_contain_text(
        "customs" + "witness · customs-mldsa44 · ML-DSA-44 · on the checkpoint · 2026-11-22 09:30:05 UTC"
    )
    expect(signers).to_contain_text("customs-ed25519 · Ed25519 · on the COSE receipt")


def test_who_is_missing_from_a_quorum_is_said(verify_page):
    page = verify_page()
    missing = RECEIPTS / "three-courts-and-neither-notary-nor-customs.tlog-proof"
    put_in(page, receipts=(missing,), policy="five-members")
    expect(page.locator(".verify-report")).to_have_attribute("data-state", "INDETERMINATE")
    expect(page.locator("[data-code='verify.quorum_missing']")).to_contain_text("customs, notary")


def test_both_verifiers_agree_on_100_damaged_policies(verify_page):
    chance = random.Random(7)  # noqa: S311 (the same damage in every run)
    policy = policy_text(POLICIES["two-courts-of-three"]).encode()
    receipt = SHORT_OF_QUORUM.read_bytes()
    agree(verify_page(), [(receipt, damaged(policy, chance)) for _ in range(100)])


def test_names_that_are_no_utf_8_are_shown_alike(verify_page):
    policy = policy_text(POLICIES["two-courts-of-three"]).encode()
    policy = policy.replace(b"beijing ", b"bei\xff\xe4\xbajing ").replace(b"quorum courts", b"quorum \xffcourts")
    policy = policy.replace(b"group courts", b"group \xffcourts")
    receipt = (RECEIPTS / "two-of-three-courts-cosigned-one-unknown-signature.tlog-proof").read_bytes()
    [report] = agree(verify_page(), [(receipt, policy)])
    assert "\ufffdcourts" in {finding["facts"].get("quorum") for finding in report["findings"]}


POLICIES_OVER_TIME = """async ({ policies, sizes }) => {
  const { inForce } = await import("/static/chopmark/verify/quorum.js");
  const listed = policies.map(([from, asks]) => ({ from, policy: { from, quorum: asks ? "courts" : "none" } }));
  return sizes.map((size) => inForce(listed, size === null ? null : BigInt(size))?.from ?? null);
}"""


def test_of_policies_over_time_the_browser_takes_the_one_that_python_takes(verify_page):
    page, sizes = verify_page(), [*range(12), None]
    for asking in ({}, {0: False}, {0: False, 5: True}, {5: True}, {5: False}, {0: False, 3: True, 6: False, 9: True}):
        policies = {start: POLICIES["five-members" if asks else "platform"] for start, asks in asking.items()}
        wanted = [in_force(policies, size) for size in sizes]
        assert page.evaluate(POLICIES_OVER_TIME, {"policies": list(asking.items()), "sizes": sizes}) == wanted


def test_a_size_beyond_2_to_the_53_is_read_exactly(verify_page):
    text = GOOD.read_text("utf-8").replace("\n7\n", f"\n{2**53 + 1}\n", 1)
    report = verify_page().evaluate(RUN_CASES.replace("SUBTLE", "crypto.subtle"), [case(text.encode(), None)])[0]
    assert json.loads(report)["size"] == f"{2**53 + 1}n"


def test_edge_cases_of_ed25519_are_judged_as_python_judges_them(verify_page):
    def wanted(key: bytes, signature: bytes, message: bytes) -> bool:
        try:
            return PublicKey.ed25519(key).accepts(signature, message)
        except Invalid:
            return False

    vectors = json.loads((shared_data("cctv") / "ed25519" / "ed25519vectors.json").read_text("utf-8"))
    triples = [(each["key"], each["sig"], each["msg"].encode().hex()) for each in vectors]
    by_hand = [wanted(*(bytes.fromhex(part) for part in triple)) for triple in triples]
    assert verify_page().evaluate(RUN_ED25519, triples) == [*by_hand, *by_hand]


def test_a_sound_receipt_passes_and_nothing_leaves_the_browser(verify_page):
    page = verify_page()
    requests = []
    page.on("request", lambda request: requests.append(request.url))
    put_in(page)
    report = page.locator(".verify-report")
    expect(report).to_have_attribute("data-state", "PASSED")
    expect(report.locator("[data-existed]")).to_contain_text("2026-11-22 09:30:00 UTC")
    expect(report.locator("[data-existed]")).to_contain_text("2026-11-22 17:30:00 Beijing time")
    expect(report.locator("[data-signers]")).to_contain_text("ML-DSA-44")
    assert "verify.digest_matches" in codes(page)
    assert "verify.sm3_matches" in codes(page)
    assert requests == []


def test_another_file_fails_with_the_reason_in_the_first_lines(verify_page):
    page = verify_page()
    put_in(page, data=FILE + b"!")
    expect(page.locator(".verify-report")).to_have_attribute("data-state", "FAILED")
    expect(page.locator("[data-reason]")).to_contain_text(hashlib.sha256(FILE + b"!").hexdigest())
    assert "verify.existed_by" not in codes(page)


def test_an_own_policy_takes_the_place_of_the_platform_s(verify_page):
    page = verify_page()
    put_in(page, receipts=(SHORT_OF_QUORUM,), policy="two-courts-of-three")
    expect(page.locator(".verify-report")).to_have_attribute("data-state", "INDETERMINATE")
    assert "verify.quorum_missing" in codes(page)
    expect(page.locator("[data-foot]")).to_contain_text("two-courts-of-three.policy")


def test_a_policy_that_is_none_is_refused_with_its_line(verify_page):
    page = verify_page()
    page.check("[value=own]")
    page.set_input_files(
        "[data-choose=policy]", {"name": "p", "mimeType": "text/plain", "buffer": b"quorum none\nlog x\n"}
    )
    put_in(page, policy=None)
    expect(page.locator("[data-problem]")).to_contain_text("2")
    expect(page.locator(".verify-report")).to_have_count(0)


def test_a_pasted_digest_stands_for_the_file(verify_page):
    page = verify_page()
    trust(page)
    page.set_input_files("[data-choose=receipt]", str(GOOD))
    page.click("summary:has-text('digest')")
    page.fill("[data-digest]", "not a digest")
    expect(page.locator("[data-digest-wrong]")).to_be_visible()
    page.fill("[data-digest]", f"sha-256:{DIGESTS.sha256.hex().upper()}")
    page.keyboard.press("Enter")
    expect(page.locator(".verify-report")).to_have_attribute("data-state", "PASSED")
    expect(page.locator("[data-unproven]")).to_contain_text("SM3")


def test_several_receipts_dropped_with_the_file_find_their_places(verify_page):
    page = verify_page()
    trust(page)
    given = [
        ["lantern.txt", in_base64(FILE)],
        *([path.name, in_base64(path.read_bytes())] for path in (GOOD, GOOD_COSE)),
    ]
    page.evaluate(
        """(given) => {
          const dropped = new DataTransfer();
          for (const [name, data] of given) {
            dropped.items.add(new File([Uint8Array.from(atob(data), (one) => one.charCodeAt(0))], name));
          }
          const zone = document.querySelector("[data-drop=file]");
          zone.dispatchEvent(new DragEvent("drop", { dataTransfer: dropped, bubbles: true, cancelable: true }));
        }""",
        given,
    )
    expect(page.locator(".verify-report")).to_have_count(2)
    expect(page.locator(".verify-report[data-state=PASSED]")).to_have_count(2)


def test_a_file_larger_than_one_piece_is_hashed_whole(verify_page):
    page = verify_page()
    trust(page)
    page.set_input_files("[data-choose=receipt]", str(GOOD))
    page.evaluate(
        """() => {
          const input = document.querySelector("[data-choose=file]");
          const chosen = new DataTransfer();
          chosen.items.add(new File([new Uint8Array(5 << 20).fill(7)], "large.bin"));
          input.files = chosen.files;
          input.dispatchEvent(new Event("change", { bubbles: true }));
        }"""
    )
    wanted = hashlib.sha256(b"\x07" * (5 << 20)).hexdigest()
    expect(page.locator("[data-file-digest]")).to_contain_text(wanted)


def test_what_this_platform_published_passes_under_its_own_policy(verify_page, platform, member, tmp_path):
    lantern = tmp_path / "lantern.txt"
    lantern.write_bytes(FILE)
    organisation = member.locator(".menu-label").first.text_content()
    made = platform.run("deposit", str(lantern), "--kind", "work", "--title", "Lantern", "--organisation", organisation)
    assert made.returncode == 0, made.stdout + made.stderr
    page = verify_page()
    page.clock.set_fixed_time(datetime.now(UTC))
    put_in(page, receipts=(tmp_path / "lantern.txt.tlog-proof",), policy=None)
    expect(page.locator(".verify-report")).to_have_attribute("data-state", "PASSED")
    expect(page.locator("[data-foot]")).to_contain_text("this platform's policy")


def test_a_receipt_of_another_log_is_indeterminate_under_the_platform_s_policy(verify_page):
    page = verify_page()
    put_in(page, policy=None)
    expect(page.locator(".verify-report")).to_have_attribute("data-state", "INDETERMINATE")
    assert "verify.log_unknown" in codes(page)


def test_the_page_says_what_is_missing(verify_page):
    page = verify_page()
    page.click("[data-submit]")
    expect(page.locator("[data-problem]")).to_contain_text("receipt")


def test_a_verdict_goes_when_something_else_is_put_in(verify_page):
    page = verify_page()
    put_in(page)
    expect(page.locator(".verify-report")).to_be_visible()
    page.click("[data-chosen=file] .verify-remove")
    expect(page.locator(".verify-report")).to_be_hidden()
    page.set_input_files("[data-choose=file]", {"name": "x", "mimeType": "text/plain", "buffer": b"other"})
    expect(page.locator(".verify-report")).to_have_attribute("data-state", "FAILED")


def test_it_can_be_used_with_the_keyboard_alone(verify_page):
    page = verify_page()
    put_in(page)
    expect(page.locator(".verify-report")).to_have_count(1)
    assert page.evaluate("document.activeElement.matches('[data-results]')")
    page.focus("[data-again]")
    page.keyboard.press("Enter")
    expect(page.locator(".verify-report")).to_be_hidden()
    assert page.evaluate("document.activeElement.matches('[data-choose=file]')")


@pytest.mark.parametrize(("language", "word"), [("en", "Passed"), ("zh-CN", "通过")])
@pytest.mark.parametrize("width", [1280, 390, 320])
def test_the_page_is_accessible_and_fits(verify_page, language, word, width):
    page = verify_page(locale=language, viewport={"width": width, "height": 900})
    put_in(page)
    expect(page.locator("[data-word]")).to_have_text(word)
    for details in page.locator(".verify details").all():
        details.locator("summary").click()
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    page.evaluate(AXE.read_text("utf-8") + "\n0")
    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    found = page.evaluate("tags => axe.run({ runOnly: tags })", tags)
    assert [(each["id"], [node["target"] for node in each["nodes"]]) for each in found["violations"]] == []


def test_on_paper_there_is_the_report_and_no_form(verify_page):
    page = verify_page()
    put_in(page)
    expect(page.locator(".verify-report")).to_be_visible()
    page.emulate_media(media="print")
    expect(page.locator("[data-form]")).to_be_hidden()
    expect(page.locator(".verify-report")).to_be_visible()


def test_a_bundle_is_sent_to_the_page_for_bundles_and_checked_there(verify_page):
    page = verify_page()
    bundle = str(CORPUS / "bundles" / "nothing-is-wrong.asice")
    page.set_input_files("[data-choose=file]", bundle)
    expect(page.locator("[data-problem]")).to_contain_text("nothing-is-wrong.asice is an evidence bundle")
    expect(page.locator("[data-bundle-page]")).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_selector("html[data-ready]")
    page.set_input_files("[data-choose]", bundle)
    # This platform is another one than the corpus': nothing is wrong, and nobody in it is known here.
    expect(page.locator(".banner")).to_have_attribute("data-state", "INDETERMINATE")
    expect(page.locator("[data-trust]")).to_contain_text("the platform's seal")
