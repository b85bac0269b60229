"""The store's files: made private, made durable by name, held by one daemon."""

from __future__ import annotations

import fcntl
import os
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hotline.errors import StoreError, StoreInUseError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FLAGS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


def create(path: Path) -> None:
    """Make an empty file that only its owner may read, unless it exists, and make its name durable.

    SQLite gives the files that it puts beside a database the same mode.
    """
    with _translated(path):
        descriptor = os.open(path, _FLAGS, 0o600)
        try:
            found = os.fstat(descriptor)
        finally:
            os.close(descriptor)
        if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
            raise StoreError(
                f"{path}: others than this user may read or change it", hint=f"chmod 600 {path}"
            )
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def hold(path: Path) -> int:
    """Lock a file beside path and give its descriptor; who closes that lets the store go.

    A lock of its own, because SQLite's locks are POSIX ones: those do not keep this very process
    out, and in WAL mode they let a second writer in by design.
    """
    lock = path.with_name(path.name + ".lock")
    with _translated(lock):
        descriptor = os.open(lock, _FLAGS, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise StoreInUseError(
                f"{path}: another process holds this store",
                hint="is the daemon running already?",
            ) from None
        return descriptor


def free_bytes(path: Path) -> int:
    """Give the free disk that this user may fill where path lies."""
    with _translated(path):
        disk = os.statvfs(path.parent)
        return disk.f_bavail * disk.f_frsize


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise StoreError(
            f"{path}: {reason}", hint="check that the folder exists and may be written"
        ) from error
