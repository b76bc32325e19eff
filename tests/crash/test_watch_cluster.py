"""A Ray cluster that is not there, comes, hangs and goes: the scan waits for it and then goes on."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest
from pyarrow import parquet
from pytest_socket import socket_allow_hosts
from world import two_nodes
from world.market import BEFORE, Market, raw
from world.pages import PageWorld
from world.patience import HANG, until

from chopmark.base.errors import Unavailable
from chopmark.watch.actions.scan import CLUSTER_REST, NewScan, start_scan, stock_of, work_scan
from chopmark.watch.cluster import must_answer
from chopmark.watch.engine.schema import table_of
from chopmark.watch.listing import clean
from chopmark.watch.queries.scans import scan_of

TESTS = Path(__file__).resolve().parent.parent
SOON = 0.5  # seconds that run out as a matter of course
CLUSTER = """
import sys
from world.two_nodes import MEMORY
from ray.cluster_utils import Cluster
head = {"num_cpus": 1, "include_dashboard": False, "object_store_memory": MEMORY, "gcs_server_port": int(sys.argv[1])}
cluster = Cluster(initialize_head=True, head_node_args=head)
print(cluster.address, cluster.head_node.all_processes["gcs_server"][0].process.pid, flush=True)
sys.stdin.read()
cluster.shutdown()
"""


def free_port() -> int:
    """One that no other program is given by chance, while nobody has it."""
    for _ in range(100):
        port = secrets.choice(range(3_000, 5_000))
        with suppress(OSError), socket.socket() as probe:
            probe.bind(("", port))
            return port
    pytest.fail("every port is taken")


@contextmanager
def cluster(port):
    """One machine for Ray: where it is, and the process that answers there."""
    with subprocess.Popen(
        [sys.executable, "-c", CLUSTER, str(port)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"PYTHONPATH": str(TESTS), "DO_NOT_TRACK": "true"},
    ) as process:
        try:
            address, number = process.stdout.readline().split()
            yield address, int(number)
        finally:
            process.stdin.close()
            process.wait(HANG)


@pytest.fixture
def market(db, settings, tmp_path):
    settings.CHOPMARK_HOME = tmp_path / "home"
    world = PageWorld.made(settings.CHOPMARK_HOME, at=BEFORE)
    return Market.made(world, world.person("Mei Lan"), world.person("Jo Smith"))


def test_a_scan_waits_while_its_cluster_hangs_or_is_gone_and_goes_on_when_it_answers(market):
    assert os.environ["RAY_AUTH_MODE"] == "disabled", two_nodes
    folder = stock_of("demo")
    folder.mkdir(parents=True, exist_ok=True)
    parquet.write_table(table_of([clean(raw("1"), marketplace="demo")]), folder / "one.parquet")
    port = free_port()
    with cluster(port) as (address, number):
        socket_allow_hosts(["127.0.0.1", "::1", address.rpartition(":")[0]])  # this machine's own, where Ray listens
        must_answer(address, within=HANG)
        os.kill(number, signal.SIGSTOP)
        with pytest.raises(Unavailable, match=r"watch\.cluster_unreachable"):
            must_answer(address, within=SOON)
        os.kill(number, signal.SIGCONT)
        must_answer(address, within=HANG)
    new = NewScan(marketplace="demo", runner=address)
    made = start_scan(new, by=market.jo.actor, at=market.world.now(), any_cluster=True)
    assert work_scan(clock=market.world.now, processes=1) == ""
    told = scan_of(market.jo.actor, made.number)
    assert (told.state, told.trouble) == ("running", "watch.cluster_unreachable")

    def gone_on() -> bool:
        market.world.at += timedelta(seconds=CLUSTER_REST)
        return work_scan(clock=market.world.now, processes=1) == made.number

    with cluster(port) as (again, _):
        assert again == address
        until(gone_on)  # a slow machine may need more than one try
    told = scan_of(market.jo.actor, made.number)
    assert (told.state, told.trouble, told.scanned, told.found) == ("done", "", 1, 1)
