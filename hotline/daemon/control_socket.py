"""The control socket as a file: a daemon that has the store makes it, and removes what it made."""

from __future__ import annotations

import errno
import os
import socket
import stat
from typing import TYPE_CHECKING

import trio

from hotline.errors import ConfigError
from hotline.limits import CONTROL_CLIENTS
from hotline.text import reason

if TYPE_CHECKING:
    from pathlib import Path


def listen(path: Path) -> trio.SocketListener:
    """Make the control socket; the store's lock says that no other daemon uses it.

    Raises ConfigError, and leaves alone what stands there, if that is anything but a socket.
    """
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    umask = os.umask(0o177)
    try:
        if standing(path) is not None:
            path.unlink()  # left by a daemon that was killed
        sock.bind(str(path))
    except OSError as error:
        sock.close()
        raise _cannot_make(path, error) from None
    finally:
        os.umask(umask)
    sock.listen(CONTROL_CLIENTS)
    return trio.SocketListener(trio.socket.from_stdlib_socket(sock))


def standing(path: Path) -> tuple[int, int] | None:
    """Tell which socket stands at path, by device and inode; None if there is none."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    return (found.st_dev, found.st_ino) if stat.S_ISSOCK(found.st_mode) else None


def remove(path: Path, made: tuple[int, int] | None) -> None:
    """Remove the socket that ``listen`` made, unless something else has taken its place."""
    if made is not None and standing(path) == made:
        path.unlink(missing_ok=True)


def _cannot_make(path: Path, error: OSError) -> ConfigError:
    if error.errno == errno.EADDRINUSE:  # a socket would have been removed
        return ConfigError(
            f"cannot make the control socket {path}: what stands there is no socket",
            hint="see what it is, and move it away",
        )
    return ConfigError(
        f"cannot make the control socket {path}: {reason(error)}",
        hint=f"the daemon has to be able to write in {path.parent}",
    )
