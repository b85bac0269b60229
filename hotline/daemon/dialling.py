"""Making one TCP connection, and saying in the line's words why it could not be made."""

from __future__ import annotations

import errno
import socket
from typing import Final

import trio

from hotline.daemon.config import Address
from hotline.errors import HotlineError
from hotline.limits import DIAL_TIMEOUT_S

_REFUSED: Final = {errno.ECONNREFUSED, errno.ECONNRESET}
_UNREACHABLE: Final = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL, errno.ENETDOWN}


class DialFailedError(HotlineError):
    """No connection was made; ``trouble`` is a word of the line's reasons."""

    def __init__(self, trouble: str, message: str) -> None:
        """Say which trouble it was."""
        super().__init__(message)
        self.trouble = trouble


async def dial(address: str) -> trio.SocketStream:
    """Connect to HOST:PORT; raises DialFailedError."""
    target = Address.parse(address)
    try:
        with trio.fail_after(DIAL_TIMEOUT_S):
            # No happy eyeballs delay tricks of our own: trio tries the addresses of a name in turn.
            return await trio.open_tcp_stream(target.host, target.port)
    except trio.TooSlowError:
        raise DialFailedError("timed-out", f"no answer within {DIAL_TIMEOUT_S:.0f} s") from None
    except (socket.gaierror, UnicodeError) as error:
        raise DialFailedError("unresolved", str(error)) from None
    except OSError as error:
        raise DialFailedError(_trouble(error), str(error)) from None


def _trouble(error: OSError) -> str:
    numbers = {error.errno} | {cause.errno for cause in _causes(error)}
    if numbers & _REFUSED:
        return "refused"
    if numbers & _UNREACHABLE:
        return "unreachable"
    return "timed-out"


def _causes(error: BaseException) -> list[OSError]:
    """Give the errors of single addresses, which trio puts into a group."""
    cause = error.__cause__
    if isinstance(cause, BaseExceptionGroup):
        return [one for one in cause.exceptions if isinstance(one, OSError)]
    return [cause] if isinstance(cause, OSError) else []
