"""Five local members as `./run` starts them: some fail, deposits wait when too few are left, and nothing is lost."""

from __future__ import annotations

import json
import os
import signal

import httpx
import pytest
from world.patience import HANG, until
from world.running import Running

from chopmark.site.members import INSTITUTIONS, members_of
from chopmark.site.supervisor import free_port

pytestmark = pytest.mark.crash

NAMES = {each.name for each in INSTITUTIONS}


@pytest.fixture
def served(tmp_path):
    """Makes a home and serves it until the test ends: `served("--local-members")`."""
    started = []

    def build(*options, before=()):
        platform = Running(tmp_path / "home", free_port("127.0.0.1", None, 18000, 18999))
        for arguments in (*before, ("init", "--quiet", *options), ("demo", "--quiet")):
            platform.chopmark(*arguments)
        platform.start()
        started.append(platform)
        platform.wait_until_ready()
        until(lambda: states(platform) == dict.fromkeys(NAMES, "running"))
        return platform

    yield build
    for platform in started:
        platform.kill()


def states(platform):
    return {each["name"]: each["state"] for each in json.loads(platform.chopmark("members", "--json").stdout)}


def consortium(platform):
    return httpx.get(f"{platform.url}/api/v1/consortium", timeout=HANG).json()


class Depositor:
    """Makes deposits over HTTP and asks what became of them."""

    def __init__(self, platform):
        self.platform = platform
        self.headers = {"Authorization": f"Bearer {platform.api_key()}"}

    def deposit(self, number):
        item = {"kind": "document", "digests": {"sha-256": f"{number:064x}"}, "size": 1, "title": f"number {number}"}
        made = httpx.post(f"{self.platform.url}/api/v1/deposits", json=item, headers=self.headers, timeout=HANG)
        assert made.status_code == httpx.codes.CREATED, made.text
        return made.json()["id"]

    def published(self, *ids):
        found = [
            httpx.get(f"{self.platform.url}/api/v1/deposits/{each}", headers=self.headers, timeout=HANG).json()["state"]
            for each in ids
        ]
        return found == ["published"] * len(ids)

    def receipt(self, one):
        return httpx.get(
            f"{self.platform.url}/api/v1/deposits/{one}/receipt.tlog-proof", headers=self.headers, timeout=HANG
        )


def cosigners(receipt):
    """Institutions whose lines stand under a receipt's checkpoint, by their keys' names."""
    signed = (line.split(" ")[1] for line in receipt.text.splitlines() if line.startswith("— "))
    return {name.partition(".")[0] for name in signed if name.endswith(".localhost/mirror")}


def test_deposits_go_on_without_two_wait_without_three_and_all_appear_when_members_are_back(served):
    platform = served("--local-members")
    depositor = Depositor(platform)

    platform.chopmark("members", "stop", "hangzhou", "customs", "--kill")
    one = depositor.deposit(1)
    until(lambda: depositor.published(one))
    assert cosigners(depositor.receipt(one)) == {"beijing", "guangzhou", "notary"}

    platform.chopmark("members", "stop", "beijing")
    more = [depositor.deposit(number) for number in range(2, 8)]
    until(lambda: consortium(platform)["quorum"] == "missing")
    waiting = consortium(platform)["waiting"]
    assert set(waiting["missing"]) == {"hangzhou", "customs", "beijing"}
    assert set(waiting["present"]) <= {"guangzhou", "notary"}
    assert not any(depositor.published(each) for each in more)
    assert depositor.receipt(more[0]).status_code == httpx.codes.CONFLICT
    assert "Waiting for the consortium" in httpx.get(f"{platform.url}/trust", timeout=HANG).text
    alive = httpx.get(f"{platform.url}/healthz", timeout=HANG)
    assert (alive.status_code, alive.text.startswith("degraded")) == (httpx.codes.OK, True)
    assert "chopmark_quorum_reached 0.0" in httpx.get(f"{platform.url}/metrics", timeout=HANG).text
    more.append(depositor.deposit(8))  # accepted while others wait

    platform.chopmark("members", "start")
    until(lambda: depositor.published(*more))
    until(lambda: consortium(platform)["quorum"] == "met")
    for each in more:
        assert len(cosigners(depositor.receipt(each))) >= 3
    until(lambda: all(each["behind"] == 0 for each in consortium(platform)["members"]))

    policy = str(platform.home / "trust.policy")
    places = [f"{platform.url}/log"]
    places += [
        f"{each['url']}/mirror/{log}"
        for each in consortium(platform)["members"]
        for log in [path.name for path in (platform.home / "members" / each["name"] / "mirror").iterdir()]
    ]
    for place in places:
        alone = ["--no-quorum"] if "/mirror/" in place else []  # a member's copy carries its own cosignature only
        found = platform.chopmark("log", "audit", "--from", place, "--policy", policy, *alone, "--json").stdout
        assert json.loads(found)["passed"]
    for each in consortium(platform)["members"]:
        assert httpx.get(f"{each['url']}/alarms.json", timeout=HANG).json() == []


def test_a_member_that_is_killed_comes_back_and_the_platform_never_notices(served):
    platform = served("--local-members")
    [hangzhou] = [each for each in members_of(platform.home) if each.name == "hangzhou"]
    dead = hangzhou.pid
    os.kill(dead, signal.SIGKILL)
    until(lambda: hangzhou.pid not in (None, dead) and hangzhou.answers())
    assert httpx.get(f"{platform.url}/healthz", timeout=HANG).text == "ok\n"
    assert platform.process.poll() is None


def test_a_home_of_an_earlier_version_founds_its_consortium_and_members_catch_up(served):
    platform = served("--local-members", before=(("init", "--quiet"), ("demo", "--quiet")))
    before = consortium(platform)["size"]
    again = json.loads(platform.chopmark("init", "--local-members", "--json", "--quiet").stdout)
    assert (again["done"], again["size"]) == ([], before)
    depositor = Depositor(platform)
    one = depositor.deposit(1)
    until(lambda: depositor.published(one))
    assert len(cosigners(depositor.receipt(one))) >= 3
    until(lambda: all(each["behind"] == 0 for each in consortium(platform)["members"]))
    for each in consortium(platform)["members"]:
        assert httpx.get(f"{each['url']}/alarms.json", timeout=HANG).json() == []
