"""Listeners that stay open: a machine that has no room for one more connection is waited out.

trio.serve_listeners does that too, but prints a trace each time, past our log. Who opens connections
until nothing is left must neither end the daemon nor wash its log away.
"""

from __future__ import annotations

import errno
from functools import partial
from typing import TYPE_CHECKING, Final

import trio

from hotline.daemon.rate_limit import RateLimit
from hotline.text import reason

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

AGAIN_S: Final = 0.1
"""Until the next try: soon enough for a caller, too seldom to keep a processor busy."""

_NO_ROOM: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS})
"""What accept(2) says when descriptors or memory are used up; the caller stays in the backlog."""


class PatientListener(trio.abc.Listener[trio.SocketStream]):
    """A listening socket whose ``accept`` never fails for lack of room, but says so in the log."""

    def __init__(
        self, listener: trio.abc.Listener[trio.SocketStream], door: str, log: FilteringBoundLogger
    ) -> None:
        """Take over a listening socket; the log calls it door."""
        self._listener = listener
        self._door = door
        self._failed = RateLimit(partial(self._log_failed, log))

    async def accept(self) -> trio.SocketStream:
        """Wait for the next connection; raises OSError if the socket itself is broken."""
        while True:
            try:
                return await self._listener.accept()
            except OSError as error:
                if error.errno not in _NO_ROOM:
                    raise
                self._failed.note(why=reason(error))
            await trio.sleep(AGAIN_S)

    async def tell(self) -> None:
        """Tell the log of what failed, until cancelled."""
        await self._failed.run()

    async def aclose(self) -> None:
        """Close the socket."""
        await self._listener.aclose()

    def _log_failed(self, log: FilteringBoundLogger, why: str, count: int) -> None:
        log.error("accept_failed", door=self._door, why=why, count=count)
