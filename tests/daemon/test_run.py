"""The daemon from its configuration on: what is said where it cannot start."""

from __future__ import annotations

import errno
import os
import socket
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import structlog
import trio

from hotline.daemon.config import Address
from hotline.daemon.identity import Identity
from hotline.daemon.log_queue import LogQueue
from hotline.daemon.logs import Logs
from hotline.daemon.machine import this_machine
from hotline.daemon.run import work
from hotline.errors import ConfigError
from hotline.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from support.home import Home

ADDRESS = Address("192.0.2.7", 1963)


@pytest.mark.parametrize(
    ("error", "told", "cure"),
    [
        (
            socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
            "name or service not known",
            "no such name is known here: write an address of this machine, or 0.0.0.0 for all",
        ),
        (
            OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL)),
            "cannot assign requested address",
            "this machine has not that address: `ip address` shows which it has",
        ),
        (
            OSError(errno.EACCES, os.strerror(errno.EACCES)),
            "permission denied",
            "a port below 1024 needs CAP_NET_BIND_SERVICE: choose a higher one",
        ),
        (
            OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE)),
            "address already in use",
            "another program listens there, which `ss -ltnp` shows",
        ),
        (OSError("no reason"), "no reason", "choose another address"),
    ],
)
async def test_why_it_cannot_listen_comes_with_its_cure(
    home: Home, error: OSError, told: str, cure: str
) -> None:
    """Whoever looks for another program, where a name was mistyped, looks for a long time."""

    async def refuse(_address: Address) -> list[trio.SocketListener]:
        raise error

    config = replace(home.config, listen=(ADDRESS,))
    identity, logger = Identity(config), structlog.get_logger()
    logs = Logs(logger, logger, LogQueue(), (), None)
    store = SqliteStore.open(config.store_path, station_id=identity.card.id)
    try:
        with pytest.raises(BaseExceptionGroup) as caught:
            await work(config, identity, store, logs, replace(this_machine(), listen=refuse))
    finally:
        store.close()
    found: BaseException = caught.value
    while isinstance(found, BaseExceptionGroup):
        [found] = found.exceptions
    assert isinstance(found, ConfigError)
    assert str(found) == f"cannot listen on {ADDRESS}: {told}"
    assert found.hint == f"{cure}; see station.listen in the configuration"
