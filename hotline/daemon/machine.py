"""What the daemon takes from the machine under it: sockets, signals, threads and randomness.

In one place, so that a simulator can put a world of its own in the place of the machine and run the
very same daemon in it. (Time is trio's clock, and clock.py.)
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import trio

from hotline.daemon import control_socket
from hotline.daemon.dialling import Dialler
from hotline.daemon.worker import StoreThread, Worker
from hotline.noise.ephemerals import Ephemerals, system_ephemerals
from hotline.noise.kem import MLKEM1024

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from hotline.daemon.config import Address

_BACKLOG: Final = 128


@dataclass(frozen=True)
class Machine:
    """All of it, each a function."""

    dial: Callable[[str], Awaitable[trio.SocketStream]]
    """Connect to HOST:PORT; raises DialFailedError."""
    listen: Callable[[Address], Awaitable[list[trio.SocketListener]]]
    """Listen for callers; raises OSError."""
    listen_control: Callable[[Path], trio.SocketListener]
    """Listen for operators; raises ConfigError."""
    signals: Callable[..., AbstractContextManager[AsyncIterator[int]]]
    """Receive these signals while the context lasts."""
    worker: Callable[[], Worker]
    """Give who does the store's work."""
    in_thread: Callable[[Callable[[], Any]], Awaitable[Any]]
    """Run what may wait for a disk, without holding up the event loop."""
    ephemerals: Ephemerals
    uniform: Callable[[], float]
    """Give a random number from 0 to 1."""


async def _listen(address: Address) -> list[trio.SocketListener]:
    return await trio.open_tcp_listeners(address.port, host=address.host, backlog=_BACKLOG)


def this_machine() -> Machine:
    """Give the real one."""
    return Machine(
        dial=Dialler().dial,
        listen=_listen,
        listen_control=control_socket.listen,
        signals=trio.open_signal_receiver,
        worker=StoreThread,
        in_thread=trio.to_thread.run_sync,
        ephemerals=system_ephemerals(MLKEM1024),
        uniform=random.SystemRandom().random,
    )
