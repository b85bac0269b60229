"""Log files that threads of their own write, so that a stalled disk or reader stalls nothing else.

An Outlet is a bounded queue with one thread behind it, and that thread alone touches the Sink. The
law: ``put`` never waits and never raises. A line that cannot be written yet is kept and tried
again; only when the queue is full are lines dropped, and then their number stands in the log where
they are missing. Nothing here is synced to the disk: what must survive is in the store.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from hotline import limits
from hotline.text import reason

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

QUEUE_BYTES: Final = 4 * limits.MIB
"""Lines waiting for one slow disk or reader: minutes of a lively line, and no burden on memory."""

RETRY_S: Final = 1.0
"""After a failed write or rotation: soon enough for an operator who makes room, no busy loop."""

_FILE_MODE: Final = 0o600
_FILE_FLAGS: Final = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Note:
    """What logging has to say about itself."""

    level: str
    event: str
    fields: Mapping[str, str | int]


class Sink(Protocol):
    """Where an Outlet's thread puts lines; every method may block or raise OSError."""

    def prepare(self, size_bytes: int) -> Note | None:
        """Get ready for a line of size_bytes; called at the start of a line only."""

    def write(self, data: memoryview) -> int:
        """Write some of data, at least one byte; give how many bytes were taken."""

    def close(self) -> None:
        """Let go of the file."""


class Stream:
    """A sink over a descriptor that is open anyway, such as stderr; it is left open."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def prepare(self, size_bytes: int) -> None:
        """Do nothing: a stream has no size."""

    def write(self, data: memoryview) -> int:
        """Write some of data."""
        return _write_some(self._fd, data)

    def close(self) -> None:
        """Do nothing: the descriptor belongs to the process."""


class RotatingFile:
    """A file that becomes ``.1`` before it would grow past ``rotate_bytes``; ``keep`` are kept.

    Whoever follows the file may read on in it to its end after it was renamed: it is complete by
    then. If it cannot be renamed it goes on growing, since a long log is better than none. If
    somebody else deleted or renamed it, a new one is begun.
    """

    def __init__(self, path: Path, *, rotate_bytes: int, keep: int) -> None:
        self._path = path
        self._rotate_bytes = rotate_bytes
        self._kept = [Path(f"{path}.{number}") for number in range(1, keep + 1)]
        self._fd: int | None = None
        self._failed_rotations = 0
        self._rotate_after = 0.0

    def prepare(self, size_bytes: int) -> Note | None:
        """Open the file or rotate it, if need be; raise OSError if there is none to write to."""
        if self._fd is not None and not self._is_current(self._fd):
            self.close()
        if self._fd is None:
            self._fd = _open(self._path)
        size = os.fstat(self._fd).st_size
        if size == 0 or size + size_bytes <= self._rotate_bytes:
            return None
        return self._rotate()

    def write(self, data: memoryview) -> int:
        """Append some of data."""
        if self._fd is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return _write_some(self._fd, data)

    def close(self) -> None:
        """Close the file."""
        if self._fd is not None:
            fd, self._fd = self._fd, None
            os.close(fd)

    def _is_current(self, fd: int) -> bool:
        try:
            there = self._path.lstat()
        except FileNotFoundError:
            return False
        except OSError:
            return True  # who cannot look at the folder had better keep the file that is open
        return os.path.samestat(there, os.fstat(fd))

    def _rotate(self) -> Note | None:
        if time.monotonic() < self._rotate_after:
            return None
        try:
            self._shift()
        except OSError as error:
            self._failed_rotations += 1
            self._rotate_after = time.monotonic() + RETRY_S
            if self._failed_rotations > 1:
                return None
            return Note("error", "log_rotation_failed", self._about(error=reason(error)))
        self.close()
        self._fd = _open(self._path)
        failures, self._failed_rotations = self._failed_rotations, 0
        if not failures:
            return None
        return Note("warning", "log_rotation_resumed", self._about(failures=failures))

    def _shift(self) -> None:
        # Up to the first gap only: a chain that failed half way must not, when it is tried again,
        # push one more old file over the edge.
        last = next(
            (at for at, path in enumerate(self._kept) if not os.path.lexists(path)),
            len(self._kept) - 1,
        )
        for at in range(last, 0, -1):
            self._kept[at - 1].rename(self._kept[at])
        self._path.rename(self._kept[0])

    def _about(self, **fields: str | int) -> dict[str, str | int]:
        return {"file": self._path.name, **fields}


class Outlet:
    """A bounded queue of lines and the one thread that writes them to a sink.

    ``render`` turns a note into a line, ``notify`` hears of notes when they arise (from the writing
    thread: it must not wait). Lines end in a newline and are shorter than a quarter of
    ``queue_bytes``.
    """

    def __init__(
        self,
        sink: Sink,
        *,
        name: str,
        render: Callable[[Note], bytes],
        notify: Callable[[Note], None] | None = None,
        queue_bytes: int = QUEUE_BYTES,
        retry_s: float = RETRY_S,
    ) -> None:
        self._sink = sink
        self._name = name
        self._render = render
        self._notify = notify
        self._queue_bytes = queue_bytes
        self._retry_s = retry_s
        self._wake = threading.Condition()
        self._lines: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._dropped = 0
        self._closing = False
        self._complete = False
        self._failures = 0
        # A daemon thread: one that hangs in a dead disk must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name=f"log {name}", daemon=True)
        self._thread.start()

    def put(self, line: bytes) -> None:
        """Hand over a line; drop and count it if the queue is full. Never waits, never raises."""
        with self._wake:
            if self._closing:
                return
            # Once lines are dropped, go on until half is free: one hole with one count in it, not a
            # sieve with a count after each line.
            room = self._queue_bytes // 2 if self._dropped else self._queue_bytes
            if self._waiting_bytes + len(line) > room:
                self._dropped += 1
                return
            self._own_up()
            self._append(line)
            self._wake.notify_all()

    def finish(self) -> None:
        """Take no more lines; the thread ends when it has written those that wait."""
        with self._wake:
            self._closing = True
            self._wake.notify_all()

    def close(self, timeout_s: float) -> bool:
        """Finish, and wait for timeout_s at most; tell whether everything was written.

        A thread that cannot write now gives up; one that hangs is left behind.
        """
        self.finish()
        self._thread.join(timeout_s)
        return self._complete

    def _append(self, line: bytes) -> None:
        self._lines.append(line)
        self._waiting_bytes += len(line)

    def _own_up(self) -> None:
        """Say in the log how many lines are missing at this place."""
        if self._dropped:
            dropped, self._dropped = self._dropped, 0
            self._append(self._render(self._note("log_lines_dropped", count=dropped)))

    def _note(self, event: str, **fields: str | int) -> Note:
        return Note("warning", event, {"file": self._name, **fields})

    def _run(self) -> None:
        try:
            while (line := self._next()) is not None:
                if not self._deliver(line):
                    return
            self._complete = True
        finally:
            self._sink.close()

    def _next(self) -> bytes | None:
        """Wait for a line; None when closing and nothing is left."""
        with self._wake:
            self._wake.wait_for(lambda: self._lines or self._dropped or self._closing)
            if not self._lines:
                self._own_up()
            if not self._lines:
                return None
            line = self._lines.popleft()
            self._waiting_bytes -= len(line)
            return line

    def _deliver(self, line: bytes) -> bool:
        """Write a whole line, however long that takes; False if closing and it cannot be done.

        A line of which the first half is written is completed later, so that no reader ever finds
        half a line with another one behind it.
        """
        rest = memoryview(line)
        note: Note | None = None
        while rest:
            try:
                if len(rest) == len(line):
                    note = self._sink.prepare(len(line)) or note
                rest = rest[self._sink.write(rest) :]
            except OSError as error:
                if not self._failed(error):
                    return False
        if note is not None:
            self._say(note)
        if self._failures:
            failures, self._failures = self._failures, 0
            self._say(self._note("log_write_resumed", failures=failures))
        return True

    def _failed(self, error: OSError) -> bool:
        """Count a failure and wait before the next try; False if there is to be none."""
        self._failures += 1
        if self._failures == 1 and self._notify is not None:
            # Not into this log, which cannot be written, but to whoever watches the others.
            fields = {"file": self._name, "error": reason(error)}
            self._notify(Note("error", "log_write_failed", fields))
        with self._wake:
            return not self._wake.wait_for(lambda: self._closing, self._retry_s)

    def _say(self, note: Note) -> None:
        """Put a note next in this log, before what waits: that is where it belongs in time."""
        line = self._render(note)
        with self._wake:
            self._lines.appendleft(line)
            self._waiting_bytes += len(line)
        if self._notify is not None:
            self._notify(note)


def _open(path: Path) -> int:
    fd = os.open(path, _FILE_FLAGS, _FILE_MODE)
    try:
        status = os.fstat(fd)
        # A run that ended within a line left it unfinished: begin on a fresh one.
        unfinished = (
            stat.S_ISREG(status.st_mode)
            and status.st_size > 0
            and os.pread(fd, 1, status.st_size - 1) != b"\n"
        )
        if unfinished:
            _write_some(fd, memoryview(b"\n"))
    except OSError:
        os.close(fd)
        raise
    return fd


def _write_some(fd: int, data: memoryview) -> int:
    written = os.write(fd, data)
    if written == 0:
        raise OSError(errno.EIO, "nothing was written")
    return written
