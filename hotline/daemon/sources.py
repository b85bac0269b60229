"""Where callers come from, as they are counted at the door; and where a line's peer is expected from.

An address is counted by the network that one customer is usually given: all of IPv6's /64, or one of
IPv4. One that a peer is expected from is counted by itself, so that its neighbours cannot stand for it.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hotline.daemon.config import LineConfig

_NETWORK_BITS: Final = 64


class Sources:
    """Knows the addresses in the configuration, and for each line where its last session was from."""

    def __init__(self) -> None:
        """Expect nobody."""
        self._named: dict[str, frozenset[str]] = {}
        self._last: dict[str, str] = {}

    def expect(self, lines: Iterable[LineConfig]) -> None:
        """Take what the configuration says; host names are known only once a session was there."""
        self._named = {
            line.name: frozenset(_plain(address.host) for address in line.addresses)
            for line in lines
        }
        self._last = {name: host for name, host in self._last.items() if name in self._named}

    def met(self, line: str, host: str) -> None:
        """A line's peer has proven itself from there; nothing is learned from an empty host."""
        if host:
            self._last[line] = _plain(host)

    def forget(self, line: str) -> None:
        """Expect a line's peer no longer."""
        self._named.pop(line, None)
        self._last.pop(line, None)

    def expects(self, source: str) -> bool:
        """Tell whether a peer is expected from a source."""
        return source in self._last.values() or any(source in one for one in self._named.values())

    def of(self, host: str) -> str:
        """Give the source that an address is counted under."""
        plain = _plain(host)
        if ":" not in plain or self.expects(plain):
            return plain
        return str(ipaddress.ip_network((plain.partition("%")[0], _NETWORK_BITS), strict=False))


def _plain(host: str) -> str:
    """Give an address in its one spelling; anything else as it is."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)
