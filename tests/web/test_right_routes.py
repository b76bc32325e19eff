"""Every route of rights, works, searches, watches and mandates, against everybody who must not pass it."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import URLPattern
from PIL import Image, ImageOps
from web.test_work_pages import LANTERN as WORK
from web.test_work_pages import deposited, photograph
from world.data import REPOSITORY
from world.pages import PageWorld
from world.rights import lantern, mandated, verified

from chopmark.base import clock
from chopmark.people import actions as people
from chopmark.rights import encoding
from chopmark.rights.actions import copies, customs, dispute, interest, mandate, watch
from chopmark.rights.actions.customs import NewRecordal
from chopmark.rights.actions.dispute import NewDispute
from chopmark.rights.actions.interest import NewInterest
from chopmark.rights.actions.watch import NewWatch
from chopmark.rights.models import Common, Event, Find, Match, Search, Watch, WorkFile
from chopmark.rights.queries import works
from chopmark.rights.record import Party
from chopmark.web.api import limits
from chopmark.web.views import copies as copy_pages
from chopmark.web.views import right_changes, right_import, right_may, right_search
from chopmark.web.views import rights as right_pages
from chopmark.web.views import works as work_pages

API = "/api/v1"
RECORD = encoding.encode(lantern())
PARTY = {"name": "Somebody"}
WORK_RECORD = {"kind": "picture", "title": "Mine", "statement": "Mine."}
DEPOSITS = ("deposits:write", "deposits:read", "keys:write")
RIGHTS = ("rights:write", "rights:read")

# What is sent, by operation. Reads that are asked by POST stand with the reads.
WRITES = {
    "file_right": {"record": RECORD},
    "import_rights": {"file": "QUJD"},
    "save_watch": {"text": "LANTERN"},
    "stop_watch": None,
    "see_finds": {},
    "amend_right": {"record": RECORD},
    "add_papers": {"papers": [{"kind": "other", "deposit": str(uuid4())}]},
    "submit_right": {},
    "withdraw_right": {},
    "verify_right": {},
    "renew_right": {"expiry_date": "2040-01-01"},
    "license_right": {"party": PARTY, "role": "licensee"},
    "end_licence": {},
    "assign_right": {"party": PARTY},
    "record_customs": {"authority": "DE", "number": "1"},
    "end_customs": {},
    "open_dispute": {"kind": "court"},
    "close_dispute": {"outcome": "over"},
    "give_mandate": {"agent": str(uuid4()), "powers": ["file"]},
    "accept_mandate": {},
    "revoke_mandate": {},
    "register_work": {"record": WORK_RECORD, "files": [{"deposit": str(uuid4())}]},
    "amend_work": {"record": WORK_RECORD},
    "withdraw_work": {},
    "release_work_file": {},
    "add_common": {"file": "QUJD", "reason": "template"},
    "remove_common": None,
    "judge_match": {"verdict": "copy"},
    "find_copies": {"file": "QUJD"},
}
NO_KEY = {"assign_right", "accept_mandate"}  # an owner's alone, in a session
ASKED = {
    "search_logos": {"picture": "QUJD"},
    "may_sell": {"territory": "DE"},
    "may_act": {"territory": "DE"},
}


@pytest.fixture(autouse=True)
def _patience(monkeypatch):
    """Each test begins with full buckets."""
    monkeypatch.setattr(limits, "_BUCKETS", limits.Buckets())


@dataclass
class Site:
    """Mei has one of everything, private; `where` fills the names in addresses."""

    world: PageWorld
    mei: object
    where: dict[str, dict[str, str]]

    def key(self, person, *scopes):
        return people.create_api_key("k", list(scopes), by=person.actor, at=self.world.now()).text

    def state(self):
        """All that a change would change."""
        return [
            Event.objects.count(),
            Common.objects.filter(removed_at=None).count(),
            Watch.objects.filter(stopped_at=None).count(),
            Search.objects.count(),
            list(Match.objects.values_list("verdict", flat=True)),
            WorkFile.objects.filter(held_at=None).count(),
            Find.objects.filter(seen_at=None).count(),
        ]


@pytest.fixture
def site(db, settings, tmp_path):
    settings.CHOPMARK_HOME = tmp_path / "home"
    at = clock.now().replace(microsecond=0) - timedelta(minutes=10)
    world = PageWorld.made(settings.CHOPMARK_HOME, at=at)
    mei = world.person("Mei Lan")
    by = mei.actor
    right = verified(world, mei)
    interest.license(right.id, NewInterest(party=Party(name="Sold Here"), role="licensee"), by=by, at=world.now())
    customs.record_customs(right.id, NewRecordal(authority="DE", number="7"), by=by, at=world.now())
    dispute.open_dispute(right.id, NewDispute(kind="court", effect="none"), by=by, at=world.now())
    accepted = mandated(world, mei, world.person("Al Agent"), "notice")
    watched = watch.save_watch(NewWatch(text="SECRET PLAN"), by=by, at=world.now())
    number = deposited(mei)
    file = works.work_of(by, number).files[0]
    WorkFile.objects.filter(pk=file.id).update(held_at=world.now())
    found = copies.find_copies(mirrored(), name="secret-query.png", by=by, at=world.now())
    common = copies.suppress(photograph(seed=9), "secret template", by=by, at=world.now())
    world.publish()
    which = {"which": right.number, "licence": "I1", "recordal": "C1", "number": "D1", "seq": "1"}
    return Site(
        world=world,
        mei=mei,
        where={
            "rights": which | {"watch_id": str(watched.id)},
            "works": {"which": number, "file": str(file.id)},
            "copies": {"which": found.number, "match": str(found.matches[0].id)},
            "commons": {"which": str(common)},
            "mandates": {"mandate_id": str(accepted.id)},
        },
    )


def mirrored():
    out = io.BytesIO()
    with Image.open(io.BytesIO(photograph())) as whole:
        ImageOps.mirror(whole).save(out, "PNG")
    return out.getvalue()


def routes(site):
    """Operation, method, address with Mei's ids, body, whether an id stands in it."""
    described = json.loads((REPOSITORY / "openapi.json").read_text("utf-8"))
    for path, operations in described["paths"].items():
        room = "commons" if "/copies/commons" in path else path.split("/")[3]
        if room not in site.where:
            continue
        for method, operation in operations.items():
            name = operation["operationId"]
            body = WRITES[name] if name in WRITES else ASKED.get(name)
            address = path.format(**site.where[room]) + ("?q=LANTERN" if name == "search_words" else "")
            yield name, method, address, body, "{" in path


def call(client, method, address, body, **headers):
    if body is None:
        return getattr(client, method)(address, headers=headers)
    return getattr(client, method)(address, json.dumps(body), content_type="application/json", headers=headers)


def code(answer):
    return answer.status_code, answer.json().get("code", "") if answer.status_code >= 400 else ""


def test_strangers_and_keys_of_another_scope_pass_no_route(site):
    before = site.state()
    keys = {
        "deposits": site.key(site.mei, *DEPOSITS),
        "read": site.key(site.mei, "rights:read"),
        "write": site.key(site.mei, "rights:write"),
    }
    seen = set()
    for name, method, address, body, _named in routes(site):
        seen.add(name)
        assert code(call(Client(), method, address, body)) == (401, "api.key_missing"), name
        for scope in ("deposits", "read" if name in WRITES else "write"):
            answer = call(Client(), method, address, body, Authorization=f"Bearer {keys[scope]}")
            assert code(answer) == (403, "people.scope_missing"), (name, scope, answer.content)
    assert seen >= set(WRITES) | set(ASKED)
    assert site.state() == before


def test_a_key_for_rights_opens_no_deposit_matter_or_key(site):
    text = site.key(site.mei, *RIGHTS)
    first = site.mei
    one = site.world.deposit(first, b"private")
    for method, path, body in (
        ("get", "/deposits", None),
        ("get", f"/deposits/{one.id}", None),
        ("get", f"/deposits/{one.id}/file", None),
        ("get", f"/deposits/{one.id}/statement", None),
        ("post", f"/deposits/{one.id}/share", {}),
        ("get", "/keys", None),
        ("post", "/keys", {"key": "AAAA", "name": "x"}),
        ("get", "/matters", None),
    ):
        answer = call(Client(), method, f"{API}{path}", body, Authorization=f"Bearer {text}")
        assert code(answer) == (403, "people.scope_missing"), (path, answer.content)


def test_a_viewer_changes_nothing(site):
    viewer = site.world.person("Vi Viewer", role="viewer", of=site.mei)
    before = site.state()
    for name, method, address, body, _named in routes(site):
        if name in WRITES:
            answer = call(viewer.client, method, address, body)
            assert code(answer) == (403, "people.not_allowed"), (name, answer.content)
    assert site.state() == before


def test_another_organisations_things_do_not_exist_for_an_owner_with_every_scope(site):
    jo = site.world.person("Jo Smith")
    text = site.key(jo, *RIGHTS)
    before = site.state()
    for name, method, address, body, named in routes(site):
        if named:
            answer = call(Client(), method, address, body, Authorization=f"Bearer {text}")
            status, said = code(answer)
            wanted = (403, "people.scope_missing") if name in NO_KEY else (404, said)
            assert (status, said) == wanted, (name, answer.content)
        elif method == "get" and name != "search_words":
            answer = call(Client(), method, address, None, Authorization=f"Bearer {text}")
            assert answer.json()["items"] == [], name
    assert site.state() == before


def test_an_agent_sees_its_clients_rights_and_nothing_else_of_it_until_the_mandate_ends(site):
    agent = next(each for each in site.world.people if each.user.name == "Al Agent")
    text = site.key(agent, *RIGHTS)
    beyond = {"license_right", "end_licence", "open_dispute", "close_dispute"}
    reads = {"get_right", "list_right_events", "get_right_event", "list_conflicts", "may_sell", "may_act"}
    limited = {"amend_right", "withdraw_right", "record_customs", "end_customs", "submit_right", "renew_right"}
    before = site.state()
    for name, method, address, body, named in routes(site):
        if not named or name == "revoke_mandate":
            continue
        answer = call(Client(), method, address, body, Authorization=f"Bearer {text}")
        status, said = code(answer)
        if name in reads:
            assert status == 200, (name, answer.content)
        elif name in limited:
            assert (status, said) == (403, "rights.mandate_missing"), (name, answer.content)
        elif name in NO_KEY:
            assert (status, said) == (403, "people.scope_missing")
        elif name in beyond or not address.startswith(f"{API}/rights/R-"):
            assert (status, said.endswith("not_found")) == (404, True), (name, answer.content)
    assert site.state() == before
    ended = mandate.revoke_mandate(UUID(site.where["mandates"]["mandate_id"]), by=site.mei.actor, at=clock.now())
    assert not ended.in_force
    for name, method, address, body, named in routes(site):
        if named and name not in {"revoke_mandate", *NO_KEY}:
            answer = call(Client(), method, address, body, Authorization=f"Bearer {text}")
            assert answer.status_code == 404, (name, answer.content)


def test_nobody_names_their_own_state_or_level(site):
    """Neither beside the record nor within it."""
    auth = {"Authorization": f"Bearer {site.key(site.mei, *RIGHTS)}"}
    right = f"{API}/rights/{site.where['rights']['which']}/record"
    files = [{"deposit": str(uuid4())}]
    before = site.state()
    for more in ({"state": "verified"}, {"level": 4}, {"verification": {"level": 4}}, {"number": "R-1"}):
        for method, path, record, beside in (
            ("post", f"{API}/rights", RECORD, {}),
            ("put", right, RECORD, {}),
            ("post", f"{API}/works", WORK_RECORD, {"files": files}),
        ):
            for body in ({"record": record, **beside, **more}, {"record": {**record, **more}, **beside}):
                answer = call(Client(), method, path, body, **auth)
                assert answer.status_code in {400, 422}, (path, body, answer.content)
    assert site.state() == before


# ---- pages -----------------------------------------------------------------------------------------------------------

ROOMS = (right_import, right_may, right_search, right_pages, right_changes, work_pages, copy_pages)


def pages(site):
    """Name, address with Mei's ids, whether an id stands in it."""
    for room in ROOMS:
        for each in room.urlpatterns:
            assert isinstance(each, URLPattern)
            pattern = str(each.pattern)
            where = site.where[pattern.split("/", maxsplit=1)[0]]
            address = "/" + pattern.replace("<str:number>", where.get("which", ""))
            for asked, value in (
                ("<int:seq>", "1"),
                ("<int:file_id>", where.get("file", "")),
                ("<int:match>", where.get("match", "")),
                ("<uuid:upload>", str(uuid4())),
            ):
                address = address.replace(asked, value)
            yield each.name, address, "<" in pattern


def test_strangers_are_led_to_the_sign_in_page_by_every_page(site):
    for name, address, _named in pages(site):
        answer = Client().get(address, headers={"accept": "text/html"})
        assert answer.status_code in {302, 405}, name
        if answer.status_code == 302 and not answer["Location"].startswith("/accounts/login/"):
            again = Client().get(answer["Location"], headers={"accept": "text/html"})
            assert again["Location"].startswith("/accounts/login/"), name
        posted = Client().post(address, {"verdict": "copy"}, headers={"accept": "text/html"})
        assert posted.status_code in {302, 401, 403, 405}, name


def test_no_page_takes_a_form_without_its_token(site):
    client = Client(enforce_csrf_checks=True)
    client.force_login(site.mei.user)
    before = site.state()
    for name, address, _named in pages(site):
        assert client.post(address, {"verdict": "copy"}).status_code in {403, 405}, name
    for name, method, address, body, _named in routes(site):
        if method != "get":
            assert code(call(client, method, address, body)) == (403, "api.csrf_missing"), name
    assert site.state() == before


def test_a_viewers_forms_and_another_organisations_forms_change_nothing(site):
    viewer = site.world.person("Vi Viewer", role="viewer", of=site.mei)
    jo = site.world.person("Jo Smith")
    before = site.state()
    typed = {"verdict": "copy", "interest": "I1", "dispute": "D1", "outcome": "x", "expiry_date": "2040-01-01"}
    typed |= {"authority": "DE", "number": "9", "kind": "court", "effect": "suspend", "code": "AAAA"}
    watched, drawn = site.where["rights"]["watch_id"], photograph(seed=5)
    for name, address, named in pages(site):
        for who in (viewer, jo):
            if who is jo and not named and name != "right-watch":
                continue
            data = {**WORK, **typed, "stop": watched, "file": SimpleUploadedFile("a.png", drawn)}
            answer = who.client.post(address, data)
            assert answer.status_code in {200, 302, 403, 404, 405, 422}, (name, answer.status_code)
        if named:
            answer = jo.client.get(address, follow=True)
            assert answer.status_code in {404, 405}, (name, answer.status_code)
            assert b"Lantern over the water" not in answer.content
    assert site.state() == before
