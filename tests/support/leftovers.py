"""Which processes are still there: asked of the kernel, for a test must not trust what it tests."""

from __future__ import annotations

import fcntl
from pathlib import Path


def processes_in(folder: Path) -> list[str]:
    """Give the command lines of all processes whose working folder is folder or below it.

    A daemon shows its folder to root alone. It is told by the lock on its store.
    """
    found = [f"a daemon at {lock}" for lock in folder.rglob("store.db.lock") if _held(lock)]
    for process in Path("/proc").glob("[0-9]*"):
        try:
            place = (process / "cwd").readlink()
            words = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue  # it has ended, or is another user's
        if place.is_relative_to(folder.resolve()) and words[0]:
            found.append(b" ".join(words).decode(errors="replace").strip())
    return found


def _held(lock: Path) -> bool:
    with lock.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False
