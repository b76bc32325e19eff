"""Which addresses may be contacted, judged against Python's own notion of a global address."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chopmark.evidence.capture.addresses import parse, port_refusal, refusal

REFUSED = {
    "this machine": "127.0.0.1",
    "this machine, another of its names": "127.255.255.254",
    "this network": "0.0.0.0",  # noqa: S104 (an example, nothing is bound)
    "a private network of class A": "10.1.2.3",
    "a private network of class B": "172.31.255.255",
    "a private network of class C": "192.168.0.1",
    "link-local, where clouds keep their metadata": "169.254.169.254",
    "a carrier's own network, where another cloud keeps its metadata": "100.100.100.200",
    "a cloud's host under a public address": "168.63.129.16",
    "multicast": "224.0.0.251",
    "reserved": "240.0.0.1",
    "broadcast": "255.255.255.255",
    "documentation": "203.0.113.7",
    "benchmarking": "198.18.0.1",
    "this machine in IPv6": "::1",
    "nowhere in IPv6": "::",
    "link-local in IPv6": "fe80::1",
    "unique local": "fd00:ec2::254",
    "site-local of old": "fec0::1",
    "multicast in IPv6": "ff02::1",
    "this machine mapped into IPv6": "::ffff:127.0.0.1",
    "a public address mapped into IPv6": "::ffff:8.8.8.8",
    "this machine as an IPv4-compatible address": "::127.0.0.1",
    "a private address through NAT64": "64:ff9b::10.0.0.1",
    "a private address through a local NAT64": "64:ff9b:1::a00:1",
    "a private address through 6to4": "2002:a00:1::",
    "a private address through Teredo": "2001:0:a00:1::",
    "documentation in IPv6": "2001:db8::1",
    "segment routing's own": "5f00::1",
    "outside what is given out": "4000::1",
}
ALLOWED = ["1.1.1.1", "93.184.216.34", "223.5.5.5", "172.32.0.1", "100.128.0.1", "2400:3200::1", "2606:4700::1111"]


@pytest.mark.parametrize("address", REFUSED.values(), ids=REFUSED.keys())
def test_what_is_not_the_public_internet_is_refused(address):
    assert refusal(parse(address)) is not None


@pytest.mark.parametrize("address", ALLOWED)
def test_public_addresses_are_allowed(address):
    assert refusal(parse(address)) is None


@given(st.ip_addresses())
def test_nothing_is_allowed_that_python_does_not_call_global(address):
    if refusal(address) is None:
        assert address.is_global
        assert not address.is_multicast
        assert getattr(address, "ipv4_mapped", None) is None
        assert getattr(address, "sixtofour", None) is None
        assert getattr(address, "teredo", None) is None


@given(st.ip_addresses(v=4))
def test_a_wrapped_address_is_refused_whatever_it_carries(address):
    for form in ("::ffff:{}", "64:ff9b::{}", "::{}"):
        assert refusal(ipaddress.ip_address(form.format(address))) is not None


def test_a_zone_does_not_hide_a_link_local_address():
    assert refusal(parse("fe80::1%eth0")) == "link_local"
    assert parse("localhost") is None


@pytest.mark.parametrize("port", [22, 25, 53, 79, 445, 0, 65536])
def test_ports_of_other_services_are_refused(port):
    assert port_refusal(port) == "port"


@pytest.mark.parametrize("port", [80, 443, 1024, 8443, 65535])
def test_ports_of_web_pages_are_allowed(port):
    assert port_refusal(port) is None
