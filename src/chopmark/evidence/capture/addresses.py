"""Which addresses a capture may contact: the public Internet, and nothing of this house.

Pure: it judges addresses, it resolves no name. A browser that shows strangers' pages would otherwise be their way to
this machine, its neighbours and the cloud's own services.

Sources: the IANA registries of special-purpose addresses (RFC 6890 and its updates), RFC 6052 and 8215 (NAT64),
RFC 3056 (6to4), RFC 4380 (Teredo). Addresses that carry an IPv4 address inside are refused whole, whatever they carry:
no public page needs them, and what unwraps them is out of sight.
"""

from __future__ import annotations

import ipaddress
from typing import Final

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_V4: Final = {
    "0.0.0.0/8": "this_network",
    "10.0.0.0/8": "private",
    "100.64.0.0/10": "carrier_nat",
    "127.0.0.0/8": "loopback",
    "168.63.129.16/32": "cloud_service",  # a public address that means the machine's own host in one large cloud
    "169.254.0.0/16": "link_local",
    "172.16.0.0/12": "private",
    "192.0.0.0/24": "reserved",
    "192.0.2.0/24": "documentation",
    "192.88.99.0/24": "wrapped",  # the 6to4 relays' anycast
    "192.168.0.0/16": "private",
    "198.18.0.0/15": "reserved",  # benchmarking
    "198.51.100.0/24": "documentation",
    "203.0.113.0/24": "documentation",
    "224.0.0.0/4": "multicast",
    "240.0.0.0/4": "reserved",
}
_V6: Final = {
    "::/128": "this_network",
    "::1/128": "loopback",
    "::ffff:0:0/96": "wrapped",
    "::/96": "wrapped",
    "64:ff9b::/96": "wrapped",
    "64:ff9b:1::/48": "wrapped",
    "100::/64": "reserved",
    "2001::/32": "wrapped",
    "2001::/23": "reserved",
    "2001:db8::/32": "documentation",
    "2002::/16": "wrapped",
    "3fff::/20": "documentation",
    "5f00::/16": "reserved",
    "fc00::/7": "private",
    "fe80::/10": "link_local",
    "fec0::/10": "private",
    "ff00::/8": "multicast",
}
_GLOBAL_V6: Final = ipaddress.IPv6Network("2000::/3")
_REFUSED: Final[dict[int, list[tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, str]]]] = {
    4: [(ipaddress.IPv4Network(network), why) for network, why in _V4.items()],
    6: [(ipaddress.IPv6Network(network), why) for network, why in _V6.items()],
}


def refusal(address: Address) -> str | None:
    """Why this address may not be contacted: one word; None when it may."""
    for network, why in _REFUSED[address.version]:
        if address in network:
            return why
    if address.version == 6 and address not in _GLOBAL_V6:
        return "reserved"
    return None


def parse(text: str) -> Address | None:
    """An address from its text, without the zone that a link-local one may have; None when it is no address."""
    try:
        return ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None


def port_refusal(port: int) -> str | None:
    """`port` when this port belongs to another service than web pages: all below 1024 but 80 and 443."""
    return None if port in {80, 443} or 1024 <= port <= 65535 else "port"
