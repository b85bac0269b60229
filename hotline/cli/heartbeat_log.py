"""The heartbeat log as a reader finds it: ``heartbeat.jsonl``, and older ones, ``.1``, ``.2``."""

from __future__ import annotations

import os
import time
from itertools import count, islice
from typing import TYPE_CHECKING, BinaryIO, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

POLL_S: Final = 0.2
"""How often a followed log is looked at: heartbeats come every few seconds."""

BLOCK_BYTES: Final = 64 * 1024
"""What is read at once, from the end on: the twenty newest heartbeats take a tenth of it."""


class HeartbeatLog:
    """First the newest lines, then those that are added: none is missed, none comes twice."""

    def __init__(self, path: Path) -> None:
        """Open the log at path, or await it if there is none yet."""
        self._path = path
        self._rest = b""
        self._file = _opened(path)

    def newest(self, most: int, wanted: Callable[[bytes], bool]) -> list[bytes]:
        """Give the newest lines that are wanted, oldest first, from the rotated files too.

        Begins at the end, and looks at no more lines than it must; they come without their line break.
        """
        found: list[bytes] = []
        if self._file is not None:
            end = self._file.seek(0, os.SEEK_END)
            lines = _backwards(self._file, end)
            self._rest = next(lines)
            found += islice(filter(wanted, lines), most)
            self._file.seek(end)
        for number in count(1):
            rotated = self._path.with_name(f"{self._path.name}.{number}")
            if len(found) == most or (file := _opened(rotated)) is None:
                break
            with file:
                # Rotated since it was opened, the file just read has become one of these.
                if not self._is_open(file):
                    lines = _backwards(file, file.seek(0, os.SEEK_END))
                    found += islice(filter(wanted, lines), most - len(found))
        return found[::-1]

    def follow(self) -> Iterator[bytes]:
        """Give each further line once it is complete; waits between them, for ever.

        A file that was renamed is read to its end before the new one is begun.
        """
        while True:
            # Asked before reading: what the writer adds between the two is read in the next round.
            replaced = self._replaced()
            yield from self._complete()
            if replaced:
                self.close()
                self._rest = b""
                self._file = _opened(self._path)
            else:
                time.sleep(POLL_S)

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()

    def _complete(self) -> Iterator[bytes]:
        while self._file is not None and (data := self._file.readline()):
            self._rest += data
            if self._rest.endswith(b"\n"):
                line, self._rest = self._rest, b""
                yield line

    def _replaced(self) -> bool:
        """Tell whether path is another file than the open one; a missing one is awaited."""
        there = _opened(self._path)
        if there is None:
            return False
        with there:
            return not self._is_open(there)

    def _is_open(self, file: BinaryIO) -> bool:
        return self._file is not None and os.path.samestat(
            os.fstat(file.fileno()), os.fstat(self._file.fileno())
        )


def _backwards(file: BinaryIO, end: int) -> Iterator[bytes]:
    """Give the lines before end, last one first; the very first is what no line break has ended."""
    pieces: list[bytes] = []  # of the line whose beginning is not found yet, last one first
    while end > 0:
        start = max(0, end - BLOCK_BYTES)
        file.seek(start)
        first, *others = file.read(end - start).split(b"\n")
        while others:
            yield b"".join((others.pop(), *reversed(pieces)))
            pieces.clear()
        pieces.append(first)
        end = start
    yield b"".join(reversed(pieces))


def _opened(path: Path) -> BinaryIO | None:
    try:
        return path.open("rb")
    except FileNotFoundError:
        return None
