from __future__ import annotations

import base64
import dataclasses
import hashlib
from datetime import timedelta
from uuid import uuid4

import orjson
import pytest
from django.test import Client
from world.pages import PageWorld

from chopmark.base import clock
from chopmark.base.digests import digests_of
from chopmark.evidence import queries, wiring
from chopmark.evidence.deposit import Draft, claim_of, describe
from chopmark.evidence.models import Deposit
from chopmark.evidence.verify import Verdict, verify
from chopmark.ledger.policy import Policy
from chopmark.ledger.statement import IssuerKey, sign_statement
from chopmark.people import actions as people
from chopmark.web.api import limits

DATA = b"a lantern over the water"
DIGEST = hashlib.sha256(DATA).hexdigest()
API = "/api/v1"
FIRST = f"D-{clock.now().year}-000001"
ALL = ("deposits:write", "deposits:read", "keys:write")


@pytest.fixture(autouse=True)
def _patience(monkeypatch):
    """Each test begins with full buckets."""
    monkeypatch.setattr(limits, "_BUCKETS", limits.Buckets())


@pytest.fixture
def world(db, settings, tmp_path):
    settings.CHOPMARK_HOME = tmp_path / "home"
    return PageWorld.made(settings.CHOPMARK_HOME, at=clock.now())  # calls are answered by the real clock


@pytest.fixture
def mei(world):
    return world.person("Mei Lan")


def key_of(world, person, *scopes):
    return people.create_api_key("test", scopes or ALL, by=person.actor, at=world.now()).text


class Caller:
    """A programme with an API key, or without."""

    def __init__(self, key=None):
        self.client = Client(enforce_csrf_checks=True)
        self.headers = {"Authorization": f"Bearer {key}"} if key else {}

    def get(self, path, **headers):
        return self.client.get(API + path, headers=self.headers | headers)

    def post(self, path, body, content_type="application/json", **headers):
        data = body if isinstance(body, bytes) else orjson.dumps(body)
        return self.client.post(API + path, data, content_type=content_type, headers=self.headers | headers)

    def delete(self, path):
        return self.client.delete(API + path, headers=self.headers)


@pytest.fixture
def caller(world, mei):
    return Caller(key_of(world, mei))


def item(data=DATA, **more):
    return {
        "kind": "work",
        "digests": {"sha-256": hashlib.sha256(data).hexdigest()},
        "size": len(data),
        "title": "Lantern",
        **more,
    }


def problem(response, status, code):
    """The answer is this problem, completely."""
    assert (response.status_code, response["Content-Type"]) == (status, "application/problem+json"), response.content
    document = orjson.loads(response.content)
    assert (document["status"], document["code"]) == (status, code)
    assert document["detail"]
    assert document["type"].endswith(f"/errors/{code}")
    return document


def test_a_deposit_travels_to_a_receipt_that_passes(world, caller):
    made = caller.post("/deposits", item())
    assert made.status_code == 201
    one = made.json()
    assert made["Location"] == f"{API}/deposits/{one['id']}"
    assert (one["state"], one["position"], one["number"], one["source"]) == ("pending", None, FIRST, "api")
    pending = caller.get(f"/deposits/{one['id']}/receipt.cose")
    problem(pending, 409, "evidence.not_published")
    assert pending["Retry-After"] == "1"
    world.publish()
    assert caller.get(f"/deposits/{one['id']}").json()["state"] == "published"
    policy = Policy.parse(wiring.log_policy())
    for form in ("tlog-proof", "cose"):
        receipt = caller.get(f"/deposits/{one['number']}/receipt.{form}")
        assert receipt["Content-Disposition"].startswith("attachment")
        report = verify(receipt.content, digests=digests_of([DATA]), policy=policy, at=world.now())
        assert report.verdict == Verdict.PASSED
        for kind, algorithm in (("compact", "Ed25519"), ("post-quantum", "ML-DSA-44")):
            chosen = caller.get(f"/deposits/{one['number']}/receipt.{form}?signatures={kind}")
            assert f".{kind}." in chosen["Content-Disposition"]
            report = verify(chosen.content, digests=digests_of([DATA]), policy=policy, at=world.now())
            assert {each.algorithm for each in report.signers if each.form == "checkpoint"} == {algorithm}
        assert caller.get(f"/deposits/{one['number']}/receipt.{form}?signatures=rsa").status_code == 422
    statement = caller.get(f"/deposits/{one['id']}/statement")
    assert (statement["Content-Type"], statement.content[:1]) == ("application/cose", b"\xd2")


def test_the_same_deposit_again_answers_200_with_the_first(caller):
    first, again = caller.post("/deposits", item()), caller.post("/deposits", item())
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["id"] == again.json()["id"]
    other = caller.post("/deposits", item(title="Another name"))
    assert (other.status_code, other.json()["earlier"]) == (201, [first.json()["number"]])


def test_a_batch_answers_each_item_in_its_place(caller):
    items = [item(b"1"), item(b"2", kind="song"), "no object", item(b"1"), item(b"3", size=0), item(b"4", titel="x")]
    answer = caller.post("/deposits/batch", {"items": items})
    assert answer.status_code == 200
    body = answer.json()
    assert [each["status"] for each in body["items"]] == [201, 422, 422, 200, 422, 422]
    assert (body["created"], body["existing"], body["refused"]) == (1, 1, 4)
    assert body["items"][1]["error"]["errors"][0]["pointer"] == "/kind"
    assert body["items"][4]["error"]["code"] == "evidence.empty_file"
    assert body["items"][5]["error"]["errors"] == [{"pointer": "/titel", "detail": "There is no such field."}]


@pytest.mark.parametrize("items", [[], [{}] * 1001, None, "x"])
def test_a_batch_holds_1_to_1000_items(caller, items):
    problem(caller.post("/deposits/batch", {"items": items}), 422, "api.fields_wrong")


def test_a_batch_takes_a_thousand(caller):
    answer = caller.post("/deposits/batch", {"items": [item(b"%d" % each) for each in range(1000)]})
    assert answer.json()["created"] == 1000
    assert Deposit.objects.count() == 1000


WRONG_FIELDS = {
    "a kind that does not exist": ({"kind": "song"}, "/kind"),
    "a digest too short": ({"digests": {"sha-256": "00"}}, "/digests/sha-256"),
    "a digest that is no text": ({"digests": {"sha-256": 5}}, "/digests/sha-256"),
    "a size that is text": ({"size": "24"}, "/size"),
    "a size with a fraction": ({"size": 1.5}, "/size"),
    "a negative size": ({"size": -1}, "/size"),
    "a size beyond what JSON keeps": ({"size": 2**53}, "/size"),
    "private as text": ({"private": "yes"}, "/private"),
    "a title too long": ({"title": "x" * 301}, "/title"),
    "a field misspelt": ({"privat": True}, "/privat"),
    "an upload that is no id": ({"upload": "x"}, "/upload"),
    "a statement that is not base64": ({"statement": "***"}, "/statement"),
}


@pytest.mark.parametrize(("change", "pointer"), WRONG_FIELDS.values(), ids=WRONG_FIELDS)
def test_a_wrong_field_is_named(caller, change, pointer):
    document = problem(caller.post("/deposits", item(**change)), 422, "api.fields_wrong")
    assert [each["pointer"] for each in document["errors"]] == [pointer]
    assert Deposit.objects.count() == 0


REFUSED = {
    "an empty file": ({"size": 0}, 422, "evidence.empty_file"),
    "no digest and no upload": ({"digests": None}, 422, "evidence.digest_missing"),
    "a digest without a size": ({"size": None}, 422, "api.size_missing"),
    "an upload that does not exist": ({"upload": str(uuid4())}, 404, "evidence.upload_not_found"),
    "U+0000 in the title": ({"title": "a\x00b"}, 422, "evidence.text_control"),
    "a media type without a slash": ({"media_type": "png"}, 400, "evidence.media_type_malformed"),
    "a statement that is none": ({"statement": "AAAA"}, 400, "ledger.statement_malformed"),
    "base64 without its padding": ({"statement": "AAA"}, 400, "api.base64_malformed"),
}


@pytest.mark.parametrize(("change", "status", "code"), REFUSED.values(), ids=REFUSED)
def test_a_deposit_is_refused_for(caller, change, status, code):
    problem(caller.post("/deposits", item(**change)), status, code)
    assert Deposit.objects.count() == 0


BODIES = {
    "no JSON": (b"{", 400, "api.json_malformed"),
    "a half surrogate": (b'{"title": "\\ud800"}', 400, "api.json_malformed"),
    "not UTF-8": (b'{"title": "\xff"}', 400, "api.json_malformed"),
    "NaN": (b'{"size": NaN}', 400, "api.json_malformed"),
    "ten thousand brackets": (b"[" * 10_000, 400, "api.json_malformed"),
    "a list": (b"[]", 422, "api.fields_wrong"),
    "nothing": (b"", 422, "api.fields_wrong"),
    "null": (b"null", 422, "api.fields_wrong"),
}


@pytest.mark.parametrize(("body", "status", "code"), BODIES.values(), ids=BODIES)
def test_a_body_is_refused_that_is(caller, body, status, code):
    problem(caller.post("/deposits", body), status, code)


def test_a_body_of_another_type_is_refused(caller):
    problem(caller.post("/deposits", orjson.dumps(item()), content_type="text/plain"), 415, "api.body_not_json")


@pytest.mark.parametrize("path", ["/deposits", "/deposits/batch", "/verify", "/keys"])
def test_a_hundred_megabytes_are_refused_by_their_length_alone(caller, path):
    """The body is never read: there is none here, only its announced length."""
    answer = caller.client.generic(
        "POST",
        API + path,
        b"",
        content_type="application/json",
        headers=caller.headers,
        CONTENT_LENGTH=str(100_000_000),
    )
    problem(answer, 413, "api.body_too_large")


@pytest.mark.parametrize("length", ["-1", "x", "٣", "9" * 30])
def test_a_length_that_is_no_number_is_refused(caller, length):
    answer = caller.client.generic(
        "POST", f"{API}/deposits", b"", content_type="application/json", headers=caller.headers, CONTENT_LENGTH=length
    )
    assert answer.status_code == 413


# ---- who may ------------------------------------------------------------------------------------------------------

MEMBER_CALLS = {
    "deposit": ("post", "/deposits", item()),
    "batch": ("post", "/deposits/batch", {"items": [item()]}),
    "list": ("get", "/deposits"),
    "one": ("get", f"/deposits/{FIRST}"),
    "tlog-proof": ("get", f"/deposits/{FIRST}/receipt.tlog-proof"),
    "cose": ("get", f"/deposits/{FIRST}/receipt.cose"),
    "statement": ("get", f"/deposits/{FIRST}/statement"),
    "file": ("get", f"/deposits/{FIRST}/file"),
    "share": ("post", f"/deposits/{FIRST}/share", {}),
    "unshare": ("delete", f"/deposits/{FIRST}/share"),
    "whoami": ("get", "/whoami"),
    "keys": ("get", "/keys"),
    "register": ("post", "/keys", {"key": "AAAA", "name": "x"}),
    "retire": ("delete", f"/keys/{'00' * 32}"),
}


@pytest.mark.parametrize("call", MEMBER_CALLS.values(), ids=MEMBER_CALLS)
def test_nobody_without_a_key_comes_in(world, call):
    method, path, *body = call
    for nobody, code in (
        (Caller(), "api.key_missing"),
        (Caller(f"chopmark_{'0' * 12}_{'0' * 48}"), "people.key_unknown"),
    ):
        answer = getattr(nobody, method)(path, *body)
        problem(answer, 401, code)
        assert answer["WWW-Authenticate"].startswith("Bearer")


NEEDS = {
    "deposits:write": ("deposit", "batch", "share", "unshare"),
    "deposits:read": ("list", "one", "tlog-proof", "cose", "statement", "file", "keys"),
    "keys:write": ("register", "retire"),
}


@pytest.mark.parametrize(("scope", "name"), [(scope, name) for scope, names in NEEDS.items() for name in names])
def test_a_key_without_the_scope_is_refused(world, mei, scope, name):
    world.deposit(mei, DATA)
    narrow = Caller(key_of(world, mei, *(each for each in ALL if each != scope)))
    method, path, *body = MEMBER_CALLS[name]
    problem(getattr(narrow, method)(path, *body), 403, "people.scope_missing")


def test_an_expired_and_a_revoked_key_are_refused(world, mei):
    made = people.create_api_key(
        "old", ["deposits:read"], by=mei.actor, at=world.now() - timedelta(days=9), expires_at=clock.now()
    )
    problem(Caller(made.text).get("/deposits"), 401, "people.key_expired")
    gone = people.create_api_key("gone", ["deposits:read"], by=mei.actor, at=world.now())
    people.revoke_api_key(gone.text.split("_")[1], by=mei.actor, at=world.now())
    problem(Caller(gone.text).get("/deposits"), 401, "people.key_unknown")


@pytest.mark.parametrize("header", ["Basic abc", "Bearer", "Bearer ", "chopmark", ""])
def test_other_forms_of_authorization_are_refused(world, header):
    assert Client().get(f"{API}/deposits", headers={"Authorization": header}).status_code == 401


def test_a_viewer_reads_and_does_not_deposit(world, mei):
    viewer = world.person("Vi Ewer", role="viewer", of=mei)
    assert viewer.client.get(f"{API}/deposits").status_code == 200
    answer = viewer.client.post(f"{API}/deposits", item(), content_type="application/json")
    problem(answer, 403, "people.not_allowed")


def test_another_organisations_deposit_is_not_found(world, mei):
    one = world.deposit(mei, DATA)
    world.publish()
    other = Caller(key_of(world, world.person("Jun Wu")))
    for path in (f"/deposits/{one.id}", f"/deposits/{one.number}", f"/deposits/{one.id}/receipt.cose"):
        problem(other.get(path), 404, "evidence.deposit_not_found")
    problem(other.post(f"/deposits/{one.id}/share", {}), 404, "evidence.deposit_not_found")


@pytest.mark.parametrize("name", ["x", "D-2026-999999", "00000000-0000-0000-0000-000000000000", "x" * 99, "%00", "é"])
def test_a_deposit_that_does_not_exist_is_not_found(caller, name):
    problem(caller.get(f"/deposits/{name}"), 404, "evidence.deposit_not_found")


def test_a_session_needs_its_csrf_token_to_change_anything(world, mei):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(mei.user)
    assert browser.get(f"{API}/deposits").status_code == 200
    answer = browser.post(f"{API}/deposits", item(), content_type="application/json")
    problem(answer, 403, "api.csrf_missing")
    token = browser.get("/deposits/new").cookies["chopmark_csrf"].value
    made = browser.post(
        f"{API}/deposits", item(), content_type="application/json", headers={"X-CSRFToken": token, "Referer": ""}
    )
    assert (made.status_code, made.json()["source"]) == (201, "page")


# ---- idempotency --------------------------------------------------------------------------------------------------


def test_a_repeat_with_the_same_key_gets_the_first_answer(caller):
    first = caller.post("/deposits", item(), **{"Idempotency-Key": "abc"})
    again = caller.post("/deposits", item(), **{"Idempotency-Key": "abc"})
    assert (first.status_code, first.content) == (again.status_code, again.content)
    assert (first.get("Idempotency-Replayed"), again["Idempotency-Replayed"]) == (None, "true")


def test_a_key_is_not_reused_for_another_request(caller):
    caller.post("/deposits", item(), **{"Idempotency-Key": "abc"})
    answer = caller.post("/deposits", item(title="Other"), **{"Idempotency-Key": "abc"})
    problem(answer, 422, "evidence.idempotency_reused")
    answer = caller.post("/deposits/batch", {"items": [item()]}, **{"Idempotency-Key": "abc"})
    problem(answer, 422, "evidence.idempotency_reused")


def test_a_refused_request_leaves_its_key_free(caller):
    problem(caller.post("/deposits", item(size=0), **{"Idempotency-Key": "abc"}), 422, "evidence.empty_file")
    assert caller.post("/deposits", item(), **{"Idempotency-Key": "abc"}).status_code == 201


def test_a_request_that_still_runs_is_not_started_again(world, mei, caller):
    from chopmark.evidence import actions  # noqa: PLC0415 (only here)

    body = orjson.dumps(item())
    fingerprint = hashlib.sha256(b"POST /api/v1/deposits\n" + body).digest()
    actions.recall("abc", fingerprint, by=mei.actor, at=clock.now())
    problem(caller.post("/deposits", body, **{"Idempotency-Key": "abc"}), 409, "evidence.idempotency_conflict")


def test_the_key_of_one_organisation_is_no_concern_of_another(world, caller):
    other = Caller(key_of(world, world.person("Jun Wu")))
    first = caller.post("/deposits", item(), **{"Idempotency-Key": "abc"})
    second = other.post("/deposits", item(title="Other"), **{"Idempotency-Key": "abc"})
    assert first.json()["id"] != second.json()["id"]


@pytest.mark.parametrize("key", ["", "x" * 256, "\u00e9"])
def test_a_malformed_key_is_refused(caller, key):
    answer = caller.post("/deposits", item(), **{"Idempotency-Key": key})
    assert answer.status_code in (400, 422)
    assert Deposit.objects.count() == 0


# ---- lists, search, verification -----------------------------------------------------------------------------------


def test_the_list_leads_through_all_pages(world, mei, caller):
    made = [world.deposit(mei, b"%d" % each, title=f"Nr {each}").number for each in range(5)]
    seen, path = [], "/deposits?limit=2&q=Nr"
    while path:
        page = caller.get(path)
        seen += [each["number"] for each in page.json()["items"]]
        following = page.json()["next"]
        assert page.get("Link") == (f'<{following}>; rel="next"' if following else None)
        path = following and following.removeprefix(API)
    assert seen == made[::-1]
    assert page.json()["counts"] == {"pending": 5, "published": 0, "all": 5}


def test_the_list_finds_a_digest(world, mei, caller):
    one = world.deposit(mei, DATA)
    world.deposit(mei, b"other")
    for named in (DIGEST, f"sha-256:{DIGEST}"):
        assert [each["id"] for each in caller.get(f"/deposits?digest={named}").json()["items"]] == [str(one.id)]


LIST_WRONG = {
    "limit=0": 422,
    "limit=201": 422,
    "limit=x": 422,
    "state=lost": 422,
    "kind=song": 422,
    "after=D-1999-000001": 422,
    "digest=00": 400,
    f"q={'x' * 301}": 422,
}


@pytest.mark.parametrize(("query", "status"), LIST_WRONG.items())
def test_a_wrong_filter_is_said(caller, query, status):
    assert caller.get(f"/deposits?{query}").status_code == status


def test_anybody_finds_public_entries_and_no_private_ones(world, mei):
    one = world.deposit(mei, DATA)
    world.deposit(mei, b"secret", private=True)
    anybody = Caller()
    assert anybody.get(f"/search?digest={DIGEST}").json() == {"digest": f"sha-256:{DIGEST}", "entries": []}
    world.publish()
    [found] = anybody.get(f"/search?digest={DIGEST}").json()["entries"]
    assert found["leaf"] == one.leaf.hex()
    for link in found["links"].values():
        assert anybody.client.get(link).status_code == 200
    assert anybody.get(f"/search?digest={hashlib.sha256(b'secret').hexdigest()}").json()["entries"] == []
    problem(anybody.get("/search?digest=x"), 400, "base.digest_malformed")
    problem(anybody.get("/search"), 422, "api.fields_wrong")


def test_anybody_verifies_a_receipt(world, mei):
    one = world.deposit(mei, DATA)
    world.publish()
    receipt = base64.b64encode(queries.receipt_for(mei.actor, one.id).tlog_proof()).decode()
    right = {"receipt": receipt, "digests": {"sha-256": DIGEST}, "size": len(DATA)}
    # The test's clock runs ahead of the machine's: what is stated for later is not believed yet.
    verdict = Caller().post("/verify", right).json()["verdict"]
    assert verdict in ("PASSED", "INDETERMINATE")
    wrong = right | {"digests": {"sha-256": "00" * 32}}
    assert Caller().post("/verify", wrong).json()["verdict"] == "FAILED"
    assert Caller().post("/verify", right | {"receipt": "AAAA"}).json()["verdict"] == "FAILED"
    problem(Caller().post("/verify", right | {"size": None}), 422, "api.size_missing")
    problem(Caller().post("/verify", {"receipt": "A" * 1_500_004}), 422, "api.fields_wrong")


def test_the_log_tells_its_state_and_its_keys(world, mei):
    told = Caller().get("/log").json()
    assert (told["origin"], told["size"], len(told["keys"])) == (wiring.origin(), 2, 2)
    assert told["policy"] == wiring.policy_id().hex()
    for link in told["links"].values():
        assert Client().get(link).status_code == 200


# ---- keys, own signatures, sharing -----------------------------------------------------------------------------------


def test_a_depositor_signs_with_its_own_key(world, mei, caller):
    key = IssuerKey.generate()
    encoded = base64.b64encode(key.public.to_cose()).decode()
    registered = caller.post("/keys", {"key": encoded, "name": "laptop"})
    assert (registered.status_code, registered.json()["thumbprint"]) == (201, key.public.thumbprint.hex())
    me = caller.get("/whoami").json()
    draft = Draft(digests=digests_of([DATA]), kind="work", title="Lantern", media_type="image/png")
    disclosures = describe(draft, depositor="Mei Lan")
    claim = claim_of(
        draft,
        disclosures,
        issuer=me["issuer"],
        subject="urn:uuid:0d7c9b4e-43a2-4e54-9a1c-0f8a4f6c7e21",
        agent=False,
        policy=bytes.fromhex(me["policy"]),
        at=clock.now(),
    )
    statement = sign_statement(claim, key)
    wish = item(
        media_type="image/png",
        statement=base64.b64encode(statement).decode(),
        disclosures=[base64.b64encode(each.encode()).decode() for each in disclosures],
    )
    made = caller.post("/deposits", wish)
    assert (made.status_code, made.json()["agent"]) == (201, False)
    other = sign_statement(dataclasses.replace(claim, issuer="https://example.com/me"), key)
    wish |= {"statement": base64.b64encode(other).decode(), "title": "Lantern"}
    assert caller.delete(f"/keys/{key.public.thumbprint.hex()}").status_code == 204
    [listed] = caller.get("/keys").json()["items"]
    assert (listed["state"], listed["name"]) == ("retired", "laptop")
    problem(caller.post("/deposits", wish), 403, "evidence.key_retired")


def test_a_key_is_refused_that_is(caller):
    key = base64.b64encode(IssuerKey.generate().public.to_cose()).decode()
    problem(caller.post("/keys", {"key": "AAAA", "name": "x"}), 400, "people.issuer_key_malformed")
    problem(caller.post("/keys", {"key": key, "name": ""}), 422, "api.fields_wrong")
    assert caller.post("/keys", {"key": key, "name": "x"}).status_code == 201
    problem(caller.post("/keys", {"key": key, "name": "x"}), 409, "people.issuer_key_taken")
    for unknown in ("00" * 32, "x", "0"):
        problem(caller.delete(f"/keys/{unknown}"), 404, "people.issuer_key_not_found")


def test_a_shared_link_opens_and_closes(world, mei, caller):
    one = world.deposit(mei, DATA)
    world.publish()
    made = caller.post(f"/deposits/{one.id}/share", {})
    assert made.status_code == 201
    path = made.json()["url"].removeprefix("http://localhost:8000")
    assert Client().get(path).status_code == 200
    assert caller.delete(f"/deposits/{one.id}/share").status_code == 204
    assert Client().get(path).status_code == 404


def test_a_file_that_was_not_kept_is_not_found(world, mei, caller):
    one = world.deposit(mei, DATA)
    problem(caller.get(f"/deposits/{one.id}/file"), 404, "evidence.file_not_found")


# ---- the way errors are told ---------------------------------------------------------------------------------------


def test_errors_speak_the_readers_language(caller):
    zh = caller.post("/deposits", item(size=0), **{"Accept-Language": "zh-CN,zh;q=0.9"})
    assert (zh["Content-Language"], zh.json()["detail"]) == ("zh-Hans", "文件为空，请选择有内容的文件。")
    en = caller.post("/deposits", item(size=0), **{"Accept-Language": "fr, en;q=0.5"})
    assert (en["Content-Language"], en["Vary"]) == ("en", "Accept-Language")


def test_too_many_calls_are_told_to_wait(monkeypatch, caller):
    monkeypatch.setattr("chopmark.web.api.auth.KNOWN", limits.Rate(per_second=0.5, burst=3))
    assert [caller.get("/whoami").status_code for _ in range(3)] == [200, 200, 200]
    answer = caller.get("/whoami")
    problem(answer, 429, "api.too_fast")
    assert answer["Retry-After"] == "2"


def test_a_bucket_fills_again():
    buckets, rate = limits.Buckets(), limits.Rate(per_second=2, burst=2)
    assert [buckets.take("a", rate, 0.0) for _ in range(3)] == [0.0, 0.0, 0.5]
    assert buckets.take("b", rate, 0.0) == 0.0
    assert buckets.take("a", rate, 0.5) == 0.0
    assert buckets.take("a", rate, 0.5) == 0.5


def test_nothing_lives_at_other_addresses(caller):
    assert caller.get("/nothing").status_code == 404
    assert caller.delete("/deposits").status_code == 405
