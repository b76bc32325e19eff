"""The egress guard: what passes, what does not, and that it never looks a name up twice."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from world.patience import HANG
from world.shop import Shop

from chopmark.base.errors import Invalid, Refused, Unavailable
from chopmark.evidence.capture.guard import Caps, Guard, _authority, _without_hop

PUBLIC = "93.184.216.34"
CONTEXT = ssl.create_default_context()  # made once: it takes longer than a test


@pytest.fixture
def shop():
    with Shop() as running:
        yield running


class World:
    """Names and addresses of an Internet in which one public address is the shop."""

    def __init__(self, shop, **names):
        self.shop, self.names = shop, names
        self.looked_up, self.dialled = [], []

    def resolve(self, host, _port):
        self.looked_up.append(host)
        if host not in self.names:
            raise Unavailable("capture.name_unknown", host=host)
        answers = self.names[host]
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def dial(self, address, _port):
        self.dialled.append(address)
        return socket.create_connection(("127.0.0.1", self.shop.port))

    def guard(self, **more):
        return Guard(resolve=self.resolve, dial=self.dial, **more)


def get(guard, url, **more):
    with httpx.Client(proxy=guard.url, trust_env=False, verify=CONTEXT, timeout=HANG) as client:
        return client.get(url, **more)


def test_a_public_page_passes_and_its_address_is_remembered(shop):
    world = World(shop, **{"shop.example": [[PUBLIC]]})
    with world.guard() as guard:
        answer = get(guard, "http://shop.example/item/1")
        assert answer.status_code == 200
        assert "Lantern" in answer.text
        assert guard.used("shop.example") == PUBLIC
        assert guard.size > len(answer.content)
    assert world.dialled == [PUBLIC]


@pytest.mark.parametrize(
    "answers",
    [["127.0.0.1"], [PUBLIC, "10.0.0.1"], ["::ffff:10.0.0.1"], ["64:ff9b::a00:1"], ["169.254.169.254"], ["no address"]],
    ids=["loopback", "one private among public", "mapped", "NAT64", "link-local", "nonsense"],
)
def test_a_name_with_a_private_address_is_refused_and_nothing_is_dialled(shop, answers):
    world = World(shop, **{"evil.example": [answers]})
    with world.guard() as guard:
        with pytest.raises(httpx.RemoteProtocolError):
            get(guard, "http://evil.example/")
        with pytest.raises(httpx.ProxyError):
            get(guard, "https://evil.example/")
        assert guard.refused("evil.example")
    assert world.dialled == []
    assert shop.asked == []


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "169.254.169.254", "10.0.0.1", "[fd00::1]"])
def test_an_address_as_host_is_judged_without_a_resolver(shop, host):
    world = World(shop)
    with world.guard() as guard, pytest.raises(httpx.RemoteProtocolError):
        get(guard, f"http://{host}:{shop.port}/")
    assert (world.looked_up, world.dialled, shop.asked) == ([], [], [])


def test_a_name_that_changes_its_answer_is_connected_to_the_address_that_was_judged(shop):
    world = World(shop, **{"rebind.example": [[PUBLIC], ["127.0.0.1"]]})
    with world.guard() as guard:
        assert get(guard, "http://rebind.example/item/1").status_code == 200
        assert (world.looked_up, world.dialled) == (["rebind.example"], [PUBLIC])
        with pytest.raises(httpx.RemoteProtocolError):  # the second look-up says 127.0.0.1
            get(guard, "http://rebind.example/item/1")
    assert world.dialled == [PUBLIC]
    assert shop.asked == ["/item/1"]


def test_a_redirect_to_a_private_address_is_refused(shop):
    world = World(shop, **{"shop.example": [[PUBLIC]]})
    with world.guard() as guard, pytest.raises(httpx.RemoteProtocolError):
        get(guard, f"http://shop.example/to?url=http://127.0.0.1:{shop.port}/item/1", follow_redirects=True)
    assert len(shop.asked) == 1


def test_other_services_ports_are_refused(shop):
    world = World(shop, **{"shop.example": [[PUBLIC]]})
    with world.guard() as guard, pytest.raises(httpx.RemoteProtocolError):
        get(guard, "http://shop.example:22/")
    assert world.dialled == []


def test_an_address_of_this_machine_is_refused_though_it_may_be_public(monkeypatch):
    with Guard(resolve=lambda _host, _port: ("8.8.8.8",)) as guard:
        monkeypatch.setattr("chopmark.evidence.capture.guard._own", lambda _address: "own")
        with pytest.raises(Refused, match="own"):
            guard.connect("here.example", 443)


def test_only_the_exact_door_on_the_allow_list_is_open(shop):
    with Guard(allow=frozenset({shop.door})) as guard:
        assert get(guard, shop.url + "/item/1").status_code == 200
        with pytest.raises(httpx.RemoteProtocolError):
            get(guard, f"http://localhost:{shop.port}/item/1")


def test_each_request_on_a_kept_connection_is_judged(shop):
    """The guard closes after each answer, so that no second request slips through to the first one's server."""
    with Guard(allow=frozenset({shop.door})) as guard:
        with socket.create_connection(("127.0.0.1", int(guard.url.rpartition(":")[2]))) as client:
            client.settimeout(HANG)
            line = f"GET {shop.url}/item/1 HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n"
            client.sendall(line.encode())
            answer = b""
            while chunk := client.recv(65536):
                answer += chunk
        assert b"Connection: close" in answer
    assert shop.asked == ["/item/1"]


def test_requests_with_a_body_arrive_whole(shop):
    with Guard(allow=frozenset({shop.door})) as guard:
        assert get(guard, shop.url + "/order?count=3").text.endswith("Ordered: 3</h1>")
        with httpx.Client(proxy=guard.url, trust_env=False, verify=CONTEXT, timeout=HANG) as client:
            assert client.post(shop.url + "/order?count=4", content=b"x" * 300_000).status_code == 200


def test_two_gigabytes_end_at_the_cap_of_bytes(shop):
    with Guard(allow=frozenset({shop.door}), caps=Caps(size=3_000_000)) as guard:
        with pytest.raises(httpx.RemoteProtocolError):
            get(guard, shop.url + "/large")
        assert guard.exhausted == "bytes"
        assert guard.size < 4_000_000
        with pytest.raises(httpx.RemoteProtocolError):  # nothing passes any more
            get(guard, shop.url + "/item/1")


def test_too_many_requests_end_at_the_cap_of_requests(shop):
    with Guard(allow=frozenset({shop.door}), caps=Caps(requests=2)) as guard:
        for _ in range(2):
            get(guard, shop.url + "/item/1")
        with pytest.raises(httpx.RemoteProtocolError):
            get(guard, shop.url + "/item/1")
        assert guard.exhausted == "requests"


def test_closing_cuts_an_answer_that_never_ends(shop):
    guard = Guard(allow=frozenset({shop.door}))
    guard.start()
    with (
        httpx.Client(proxy=guard.url, trust_env=False, verify=CONTEXT, timeout=HANG) as client,
        client.stream("GET", shop.url + "/drip") as answer,
    ):
        pieces = answer.iter_raw()
        next(pieces)
        guard.close()
        assert len(list(pieces)) < 300  # of 600, a fifth of a second apart
    assert not guard._threads


def test_a_proxy_behind_the_guard_gets_addresses_only(shop):
    heard = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            client, _ = listener.accept()
            with client, socket.create_connection(("127.0.0.1", shop.port)) as server:
                heard.append(client.recv(4096).split(b"\r\n")[0])
                client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                server.sendall(client.recv(4096))
                while chunk := server.recv(4096):
                    client.sendall(chunk)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        with Guard(resolve=lambda _host, _port: (PUBLIC,), upstream=listener.getsockname()) as guard:
            assert get(guard, "http://shop.example/item/1").status_code == 200
        thread.join(HANG)
    assert heard == [f"CONNECT {PUBLIC}:80 HTTP/1.1".encode()]


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET ftp://a/ HTTP/1.1\r\n\r\n",
        b"CONNECT a HTTP/1.1\r\n\r\n",
        b"x" * 70_000,
    ],
    ids=["nothing", "no absolute address", "another scheme", "no port", "a head without end"],
)
def test_malformed_requests_are_closed_without_an_answer(request_bytes):
    with Guard() as guard, socket.create_connection(("127.0.0.1", int(guard.url.rpartition(":")[2]))) as client:
        client.settimeout(HANG)
        client.sendall(request_bytes)
        with contextlib.suppress(ConnectionResetError):
            assert client.recv(100) == b""
        assert guard.contacts == ()


@given(st.text(max_size=40))
def test_an_authority_is_read_or_refused(text):
    try:
        host, port = _authority(text, 80)
    except Invalid:
        return
    assert host
    assert 0 < port < 65536


def test_headers_between_neighbours_are_not_passed_on():
    lines = [b"Host: a", b"Proxy-Connection: keep-alive", b"connection: close", b"Cookie: a=b"]
    assert _without_hop(lines) == [b"Host: a", b"Cookie: a=b"]
