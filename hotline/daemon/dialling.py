"""Making one TCP connection, and saying in the line's words why it could not be made."""

from __future__ import annotations

import errno
import socket
from typing import Any, Final

import trio

from hotline.daemon.config import Address
from hotline.errors import HotlineError
from hotline.limits import DIAL_TIMEOUT_S

_TROUBLES: Final = {
    # The last two are what a packet filter of this machine says.
    "refused": {errno.ECONNREFUSED, errno.ECONNRESET, errno.EPERM, errno.EACCES},
    "unreachable": {
        errno.ENETUNREACH,
        errno.EHOSTUNREACH,
        errno.EADDRNOTAVAIL,
        errno.ENETDOWN,
        errno.EHOSTDOWN,
    },
    "no-room": {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS},
}
"""Words for what connect(2) and socket(2) say; where a name has several addresses the first counts."""

_RESOLVE_S: Final = 0.8 * DIAL_TIMEOUT_S
"""For the name, so that it can be blamed before the whole dial is given up; the usual resolver asks its
second server after five seconds."""

_LOOKUPS: Final = 32
"""Names looked up at once; each keeps a thread, also one that nobody waits for any longer."""


class DialFailedError(HotlineError):
    """No connection was made; ``trouble`` is a word of the line's reasons."""

    def __init__(self, trouble: str, message: str) -> None:
        """Say which trouble it was."""
        super().__init__(message)
        self.trouble = trouble


class Dialler(trio.abc.HostnameResolver):
    """Connects; looks names up on threads of its own, for those of trio read the store."""

    def __init__(self) -> None:
        self._threads = trio.CapacityLimiter(_LOOKUPS)

    async def dial(self, address: str) -> trio.SocketStream:
        """Connect to HOST:PORT; raises DialFailedError."""
        target = Address.parse(address)
        trio.socket.set_custom_hostname_resolver(self)
        try:
            with trio.fail_after(DIAL_TIMEOUT_S):
                # No happy eyeballs delay tricks of our own: trio tries the addresses of a name in turn.
                return await trio.open_tcp_stream(target.host, target.port)
        except trio.TooSlowError:
            why = f"no answer within {DIAL_TIMEOUT_S:.0f} s"
            raise DialFailedError("timed-out", why) from None
        except (socket.gaierror, UnicodeError) as error:
            raise DialFailedError("unresolved", str(error)) from None
        except OSError as error:
            raise DialFailedError(_trouble(error), str(error)) from None

    async def getaddrinfo(self, host: bytes | None, *arguments: Any) -> Any:
        """Do as socket's does; raises gaierror also where no server answers."""
        with trio.move_on_after(_RESOLVE_S):
            return await trio.to_thread.run_sync(
                socket.getaddrinfo, host, *arguments, abandon_on_cancel=True, limiter=self._threads
            )
        raise socket.gaierror(socket.EAI_AGAIN, f"no answer within {_RESOLVE_S:.0f} s")

    async def getnameinfo(self, *_: Any) -> tuple[str, str]:
        """Be whole; nobody asks for the name of an address."""
        raise NotImplementedError


def _trouble(error: OSError) -> str:
    numbers = {error.errno} | {cause.errno for cause in _causes(error)}
    return next((word for word, known in _TROUBLES.items() if numbers & known), "timed-out")


def _causes(error: BaseException) -> list[OSError]:
    """Give the errors of single addresses, which trio puts into a group."""
    cause = error.__cause__
    if isinstance(cause, BaseExceptionGroup):
        return [one for one in cause.exceptions if isinstance(one, OSError)]
    return [cause] if isinstance(cause, OSError) else []
