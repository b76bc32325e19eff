"""Hosts of their own for failure tests: network namespaces on one bridge, which can be cut off and joined again.

Nothing leaves the machine: the bridge lives in a namespace too and leads nowhere else. Needs root and `ip`.
Names carry this process's pid and a number; leaving the block removes what it made, and nothing else.
"""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
from collections.abc import Sequence
from typing import Self

import pytest

_NETWORK = "10.77.31"
_NUMBERS = itertools.count()


class Network:
    """A hub and the hosts on it; `hub` is a host as well, the one at address .1."""

    def __init__(self, hosts: Sequence[str]) -> None:
        self.hosts = tuple(hosts)
        self._made: list[str] = []
        self._prefix = f"chopmark-{os.getpid()}-{next(_NUMBERS)}"

    def __enter__(self) -> Self:
        if os.geteuid() != 0 or shutil.which("ip") is None:
            pytest.skip("network namespaces need root and the program ip (Debian: iproute2)")
        try:
            self._make()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for name in self._made:
            subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)
        self._made.clear()

    def address(self, host: str) -> str:
        """The host's IPv4 address."""
        return f"{_NETWORK}.1" if host == "hub" else f"{_NETWORK}.{self.hosts.index(host) + 2}"

    def inside(self, host: str, command: Sequence[str]) -> list[str]:
        """The command, to be run on a host."""
        return ["ip", "netns", "exec", self._name(host), *command]

    def cut(self, host: str) -> None:
        """No packet reaches the host or leaves it; it is not told."""
        _ip("-n", self._name("hub"), "link", "set", self._port(host), "down")

    def join(self, host: str) -> None:
        """Undo `cut`."""
        _ip("-n", self._name("hub"), "link", "set", self._port(host), "up")

    def _make(self) -> None:
        hub = self._namespace("hub")
        _ip("-n", hub, "link", "add", "bridge0", "type", "bridge", "forward_delay", "0")
        _ip("-n", hub, "address", "add", f"{_NETWORK}.1/24", "dev", "bridge0")
        _ip("-n", hub, "link", "set", "bridge0", "up")
        for host in self.hosts:
            name, port = self._namespace(host), self._port(host)
            _ip("-n", hub, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", name)
            _ip("-n", hub, "link", "set", port, "master", "bridge0")
            _ip("-n", hub, "link", "set", port, "up")
            _ip("-n", name, "address", "add", f"{self.address(host)}/24", "dev", "eth0")
            _ip("-n", name, "link", "set", "eth0", "up")

    def _namespace(self, host: str) -> str:
        name = self._name(host)
        _ip("netns", "add", name)
        self._made.append(name)
        _ip("-n", name, "link", "set", "lo", "up")
        return name

    def _name(self, host: str) -> str:
        return f"{self._prefix}-{host}"

    def _port(self, host: str) -> str:
        return f"to{self.hosts.index(host)}"


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], check=False, capture_output=True, text=True)
    assert done.returncode == 0, f"ip {' '.join(arguments)}: {done.stderr}"
