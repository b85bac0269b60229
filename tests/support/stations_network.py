"""A host of its own for a station, on a cable that a test can cut: what no proxy can do.

A proxy's kernel acknowledges what it takes, so a network that loses packets needs a second network
stack: a namespace joined to ours by a pair of virtual interfaces. That takes root.
"""

from __future__ import annotations

import os
import subprocess
from typing import Final

_NEAR_PREFIX: Final = "hln"
_FAR_PREFIX: Final = "hlf"
_NOBODY: Final = "02:00:00:00:00:01"
"""A link-layer address that neither end has."""


class Cable:
    """Another host, ``far``, and the cable to it; ``inside`` runs a command there."""

    def __init__(self) -> None:
        """Make the host and plug the cable in."""
        mark = os.getpid()
        self._namespace = f"hl{mark}"
        near, far = f"{_NEAR_PREFIX}{mark}", f"{_FAR_PREFIX}{mark}"
        # Of the range kept for tests between networks (RFC 2544), a network of our own.
        network = f"198.18.{mark // 64 % 256}.{mark % 64 * 4}"
        prefix, _, last = network.rpartition(".")
        near_address = f"{prefix}.{int(last) + 1}"
        self.far_address = f"{prefix}.{int(last) + 2}"
        self.inside = ("ip", "netns", "exec", self._namespace)
        self._directions: tuple[tuple[tuple[str, ...], str, str], ...] = (
            ((), self.far_address, near),
            (self.inside, near_address, far),
        )
        _run("ip", "netns", "add", self._namespace)
        try:
            _run("ip", "link", "add", near, "type", "veth", "peer", "name", far)
            _run("ip", "link", "set", far, "netns", self._namespace)
            _run("ip", "address", "add", f"{near_address}/30", "dev", near)
            _run("ip", "link", "set", near, "up")
            _run(*self.inside, "ip", "address", "add", f"{self.far_address}/30", "dev", far)
            _run(*self.inside, "ip", "link", "set", far, "up")
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Cable:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def cut(self) -> None:
        """Lose all that either host sends, and with it its acknowledgements, without a word."""
        for command, address, device in self._directions:
            # To a station that nobody is: as far as the sender can see, it leaves and is gone.
            _run(*command, "ip", "neigh", "replace", address, "lladdr", _NOBODY, "dev", device)

    def mend(self) -> None:
        """Lose nothing any more."""
        for command, address, device in self._directions:
            _run(*command, "ip", "neigh", "del", address, "dev", device)

    def close(self) -> None:
        """Take the host away, and the cable with it."""
        _run("ip", "netns", "del", self._namespace)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
