"""The store's files: made private, made durable by name, held by one daemon."""

from __future__ import annotations

import fcntl
import os
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from hotline.errors import RefusedError, StoreError, StoreInUseError
from hotline.text import reason

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FLAGS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC

_GONE: Final = (
    "put it back as it was, with its -wal, and restore no older one; if it is lost, the peer holds a"
    " copy: `hotline line recover`, as docs/operations.md says under Backups"
)


def create(path: Path) -> None:
    """Make an empty file that only its owner may read, unless it exists, and make its name durable.

    SQLite gives the files that it puts beside a database the same mode. Raises StoreError, and makes
    nothing, if there is a write-ahead log: SQLite would take that for a leftover, and delete it.
    """
    with _translated(path):
        if not _size(path) and _size(log := path.with_name(path.name + "-wal")):
            raise StoreError(
                f"{path}: the store is gone, but its log {log.name} is not", hint=_GONE
            )
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


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except FileNotFoundError:
        return 0


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


def check_reachable(path: Path) -> None:
    """Raise what keeps the database at path, or its log, from being opened again, if it is the file.

    Raises StoreError if the store was taken away: what is written on reaches nobody any more; and
    RefusedError if this user may not open it, which takes nothing from what is open already.
    (Nothing is opened here: to close a database takes the locks of the whole process from it.)
    """
    with _translated(path):
        for file in (path, path.with_name(path.name + "-wal")):
            try:
                file.stat()
                allowed = os.access(file, os.R_OK | os.W_OK, effective_ids=True)
            except PermissionError:
                allowed = False
            except FileNotFoundError:
                if file == path:
                    raise StoreError(
                        f"{path}: the store was taken away while it was in use", hint=_GONE
                    ) from None
                continue  # SQLite makes a log anew
            if not allowed:
                raise RefusedError(
                    "failed",
                    f"{file}: permission denied",
                    hint="let the daemon's user read and write it again",
                )


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
        raise StoreError(
            f"{path}: {reason(error)}", hint="check that the folder exists and may be written"
        ) from error
