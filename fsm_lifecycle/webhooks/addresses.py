"""Which addresses and URLs messages may be sent to: public ones, and those the host project has named.

Server-side request forgery: an endpoint's URL is written by somebody who may not reach what this server reaches.
Ranges: https://www.iana.org/assignments/iana-ipv4-special-registry, ...-ipv6-special-registry and
ipv6-unicast-address-assignments. Must not know sockets.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from fsm_lifecycle import conf
from fsm_lifecycle.exceptions import LifecycleError

Address = IPv4Address | IPv6Address

_NOT_PUBLIC_4: Final = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",
        "100.64.0.0/10",  # carriers' NAT; 100.100.100.200 answers for a cloud's metadata
        "127.0.0.0/8",
        "168.63.129.16/32",  # a cloud's metadata on a public address
        "169.254.0.0/16",  # link-local, metadata
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
)
_PUBLIC_6: Final = IPv6Network("2000::/3")
_NOT_PUBLIC_6: Final = tuple(
    IPv6Network(text)
    for text in (
        "2001::/23",  # Teredo, ORCHID, benchmarks, anycast
        "2001:db8::/32",
        "2002::/16",  # 6to4
        "3fff::/20",  # documentation
    )
)

#: scheme, host or [address], port, the rest. No user, no fragment, nothing but printable ASCII.
_parts = re.compile(
    r"(?P<scheme>https?)://"
    r"(?:(?P<host>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)|\[(?P<six>[0-9A-Fa-f:.]+)\])"
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<target>[/?][!$-;=?-Z_a-z~%\[\]]*)?",
    re.IGNORECASE,
).fullmatch
#: What a resolver takes for a number: 127.1, 0x7f000001, 2130706433, 0177.0.0.1.
_ends_in_a_number = re.compile(r"(?:.*\.)?(?:[0-9]+|0[xX][0-9A-Fa-f]*)").fullmatch


class UrlRefused(LifecycleError, ValueError):
    """A URL that messages are not sent to. The text says what is wrong with it."""

    code = "url_refused"


@dataclass(frozen=True, slots=True)
class Place:
    """A URL taken apart."""

    scheme: str
    host: str
    """The name, in lower case, or the address without brackets."""
    port: int
    target: str
    """Path and query."""
    address: Address | None
    """Where the host is an address already."""

    @property
    def authority(self) -> str:
        """What the ``Host`` header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == {"https": 443, "http": 80}[self.scheme] else f"{host}:{self.port}"


def place_of(url: str) -> Place:
    """Take a URL apart, and refuse one that may not be called whatever its name resolves to.

    Raises ``UrlRefused``.
    """
    found = _parts(url) if isinstance(url, str) and len(url) <= 2000 else None
    if found is None:
        raise UrlRefused(
            "This is no plain URL. Write https://host/path: no user or password, no fragment, no blanks, letters "
            "beyond ASCII as xn--… in the host and as %… after it."
        )
    scheme = found["scheme"].lower()
    if scheme == "http" and not conf.webhook_allow_http():
        raise UrlRefused("The URL has to begin with https://.")
    port = int(found["port"] or (443 if scheme == "https" else 80))
    allowed = conf.webhook_allowed_ports()
    if port not in allowed:
        raise UrlRefused(f"Port {port} is not allowed. Allowed: {', '.join(map(str, allowed))}.")
    host = (found["host"] or found["six"]).lower()
    address = _address(host, six=bool(found["six"]))
    if address is not None and not is_allowed(address):
        raise UrlRefused(f"{host} is no public address.")
    target = found["target"] or "/"
    return Place(scheme, host, port, target if target.startswith("/") else f"/{target}", address)


def _address(host: str, *, six: bool) -> Address | None:
    if six or _ends_in_a_number(host):
        try:
            address = ip_address(host)
        except ValueError:
            raise UrlRefused(f"{host} is no address in its usual spelling.") from None
        if six and address.version != 6:
            raise UrlRefused(f"{host} is no address in its usual spelling.")
        return address
    if any(not label or len(label) > 63 for label in host.split(".")) or len(host) > 253:
        raise UrlRefused(f"{host} is no host name.")
    return None


def is_allowed(address: Address) -> bool:
    """Whether messages may be sent to an address: a public one, or one in ``WEBHOOK_ALLOWED_NETWORKS``."""
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        return False
    return is_public(address) or any(
        address.version == network.version and address in network
        for network in _networks(tuple(conf.webhook_allowed_networks()))
    )


def is_public(address: Address) -> bool:
    """Whether an address is global unicast and nothing else."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _NOT_PUBLIC_4)
    return address in _PUBLIC_6 and not any(address in network for network in _NOT_PUBLIC_6)


@lru_cache(maxsize=32)
def _networks(texts: Sequence[str]) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(text) for text in texts)
