"""The consortium on hosts of its own: hosts are cut off, hang, lie, fill their disks; the platform forks and rewinds.

Seven real programs in network namespaces on one bridge. What is asked each time: nothing is published without the
quorum, nothing that was accepted is lost, and who is shown a forged history refuses it and keeps the proof.
"""

from __future__ import annotations

import pytest
from world.consortium import NAMES, Consortium, until
from world.netns import Network

pytestmark = pytest.mark.crash


@pytest.fixture
def network():
    with Network(NAMES) as made:
        yield made


@pytest.fixture
def consortium(network, tmp_path):
    with Consortium(network, tmp_path) as made:
        yield made


def test_partitions_and_hanging_hosts_delay_receipts_and_lose_nothing(consortium, network):
    first = consortium.deposit("all there")
    until(lambda: consortium.published(first))

    network.cut("hangzhou")
    consortium.freeze("customs")
    second = consortium.deposit("one court cut off and customs hanging")
    until(lambda: consortium.published(second))

    network.cut("beijing")
    third = consortium.deposit("two courts cut off")
    until(lambda: consortium.state()["quorum"] == "missing")
    assert not consortium.published(third)
    assert set(consortium.state()["waiting"]["missing"]) >= {"hangzhou", "beijing"}

    network.join("beijing")
    until(lambda: consortium.published(third))
    network.join("hangzhou")
    consortium.thaw("customs")
    until(lambda: all(each["behind"] == 0 and each["trouble"] is None for each in consortium.state()["members"]))
    assert consortium.audit()["passed"]
    for name in NAMES:
        assert consortium.alarms(name) == []
