"""Log files and the threads that write them: rotation, disks that fail, disks that stall."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from hotline.daemon.logfile import Note, Outlet, RotatingFile

LONG_S = 30.0
"""A bound on waiting for what must happen: reached only by a failing test."""


def lines_of(*paths: Path) -> list[dict[str, Any]]:
    """Read files of lines; fails on any that is not whole."""
    text = b"".join(path.read_bytes() for path in paths)
    assert not text or text.endswith(b"\n")
    return [json.loads(line) for line in text.splitlines()]


def render(note: Note) -> bytes:
    """Write a note as a line."""
    return json.dumps({"event": note.event, **note.fields}).encode() + b"\n"


def line(number: int, size: int = 0) -> bytes:
    """Make a numbered line."""
    return json.dumps({"n": number, "pad": "x" * size}).encode() + b"\n"


class Troubled(RotatingFile):
    """A real file in which a script decides what the disk does: a count of bytes, or an errno.

    When the script is empty all is well; ``tried`` tells that it has come to an end.
    """

    def __init__(self, path: Path, script: list[int | OSError]) -> None:
        super().__init__(path, rotate_bytes=10**6, keep=1)
        self.script = script
        self.tried = threading.Event()

    def write(self, data: memoryview) -> int:
        if not self.script:
            self.tried.set()
            return super().write(data)
        step = self.script.pop(0)
        if isinstance(step, OSError):
            raise step
        return super().write(data[:step])


class Gate(RotatingFile):
    """A real file on a disk that hangs at each line until it is let go."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, rotate_bytes=10**6, keep=1)
        self.reached = threading.Semaphore(0)
        self.permits = threading.Semaphore(0)

    def write(self, data: memoryview) -> int:
        self.reached.release()
        assert self.permits.acquire(timeout=LONG_S)
        return super().write(data)

    def take(self, count: int) -> None:
        """Let count lines pass, and wait until the next one hangs."""
        self.permits.release(count)
        for _ in range(count):
            assert self.reached.acquire(timeout=LONG_S)


# --- rotation -------------------------------------------------------------------------------------


def successor(names: list[Path], inode: int) -> BinaryIO | None:
    """Open the file that was begun after the one with this inode, if that was rotated away."""
    with contextlib.ExitStack() as stack:
        try:
            at = [name.stat().st_ino for name in names if name.exists()].index(inode)
            if at > 0:
                newer = stack.enter_context(names[at - 1].open("rb"))
                if names[at].stat().st_ino == inode:
                    stack.pop_all()
                    return newer
        except (FileNotFoundError, ValueError):
            pass  # the chain moved meanwhile: look again
    return None


def follow(current: BinaryIO, names: list[Path], last: int) -> Iterator[int]:
    """Read numbered lines as an outside program does that never misses a rotation."""
    number = 0
    while number < last:
        # Looked for before reading: what has a successor is complete, so its end is its end.
        newer = successor(names, os.fstat(current.fileno()).st_ino)
        for text in iter(current.readline, b""):
            if not text.endswith(b"\n"):
                current.seek(-len(text), os.SEEK_CUR)
                break
            number = json.loads(text)["n"]
            yield number
        if newer:
            current.close()
            current = newer
    current.close()


def test_nothing_is_lost_across_rotation(tmp_path: Path) -> None:
    """A line that falls between two files is the one that the inquiry asks for."""
    path, count, keep = tmp_path / "daemon.jsonl", 20_000, 100
    names = [path, *(Path(f"{path}.{at}") for at in range(1, keep + 1))]
    path.touch()
    opened = path.open("rb")  # before the first rotation, however late the reader's thread runs
    seen: list[int] = []
    reader = threading.Thread(target=lambda: seen.extend(follow(opened, names, count)), daemon=True)
    reader.start()
    outlet = Outlet(
        RotatingFile(path, rotate_bytes=20_000, keep=keep), name=path.name, render=render
    )
    for number in range(1, count + 1):
        outlet.put(line(number, 20))
    assert outlet.close(LONG_S)
    reader.join(LONG_S)
    assert seen == list(range(1, count + 1))

    files = [name for name in reversed(names) if name.exists()]
    assert len(files) > 30
    assert [told["n"] for told in lines_of(*files)] == seen
    assert max(file.stat().st_size for file in files) <= 20_000


def test_only_so_many_files_are_kept(tmp_path: Path) -> None:
    """Logs without a bound fill the disk that the store needs."""
    path = tmp_path / "daemon.jsonl"
    file = RotatingFile(path, rotate_bytes=1, keep=2)
    for number in range(5):
        file.prepare(1)
        file.write(memoryview(line(number)))
    file.close()
    kept = [path, Path(f"{path}.1"), Path(f"{path}.2")]
    assert sorted(tmp_path.iterdir()) == kept
    assert [told["n"] for told in lines_of(*kept)] == [4, 3, 2]


def test_a_failed_rotation_costs_nothing_and_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that may not be written must not silence a log that can be."""
    monkeypatch.setattr("hotline.daemon.logfile.RETRY_S", 0.0)
    path, blocked = tmp_path / "daemon.jsonl", tmp_path / "daemon.jsonl.1"
    blocked.mkdir()
    (blocked / "file").touch()  # a folder with something in it cannot be replaced, even by root
    notes: list[Note] = []
    file = RotatingFile(path, rotate_bytes=1, keep=1)
    outlet = Outlet(file, name=path.name, render=render, notify=notes.append)
    for number in range(4):
        outlet.put(line(number))
    assert outlet.close(LONG_S)
    told = lines_of(path)
    assert [each.get("n", each.get("event")) for each in told] == [
        *(0, 1, "log_rotation_failed", 2, 3)
    ]
    assert [note.event for note in notes] == ["log_rotation_failed"]

    (blocked / "file").unlink()
    blocked.rmdir()
    assert file.prepare(1) == Note(
        "warning", "log_rotation_resumed", {"file": "daemon.jsonl", "failures": 4}
    )
    file.close()
    assert lines_of(blocked) == told


def test_a_chain_that_fails_half_way_loses_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each new try must not push one more old file over the edge."""
    monkeypatch.setattr("hotline.daemon.logfile.RETRY_S", 0.0)
    path = tmp_path / "daemon.jsonl"
    for number, name in enumerate((path, Path(f"{path}.1"), Path(f"{path}.2"))):
        name.write_bytes(line(number))
    moved = Path.rename

    def failing(self: Path, target: Path) -> Path:
        if self == path:
            raise PermissionError(errno.EACCES, "Permission denied")
        return moved(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    file = RotatingFile(path, rotate_bytes=1, keep=3)
    for _ in range(3):
        file.prepare(1)
    monkeypatch.undo()
    file.prepare(1)
    file.close()
    assert [told["n"] for told in lines_of(*(Path(f"{path}.{at}") for at in (1, 2, 3)))] == [
        *(0, 1, 2)
    ]


@pytest.mark.parametrize("away", ["delete", "rename"])
def test_a_file_taken_away_is_begun_anew(tmp_path: Path, away: str) -> None:
    """An operator who clears up, or logrotate, must not send the log into a nameless file."""
    path = tmp_path / "daemon.jsonl"
    file = RotatingFile(path, rotate_bytes=10**6, keep=1)
    file.prepare(1)
    file.write(memoryview(line(1)))
    path.unlink() if away == "delete" else path.rename(tmp_path / "old")
    file.prepare(1)
    file.write(memoryview(line(2)))
    file.close()
    assert [told["n"] for told in lines_of(path)] == [2]


# --- disks that fail ------------------------------------------------------------------------------


def test_a_full_disk_leaves_no_half_line_and_loses_nothing(tmp_path: Path) -> None:
    """Half a line with another behind it makes both unreadable."""
    full = OSError(errno.ENOSPC, "No space left on device")
    path, notes = tmp_path / "daemon.jsonl", list[Note]()
    sink = Troubled(path, [5, full, 3, 1, full, full])
    outlet = Outlet(sink, name=path.name, render=render, notify=notes.append, retry_s=0.001)
    for number in range(3):
        outlet.put(line(number))
    assert sink.tried.wait(LONG_S)
    assert outlet.close(LONG_S)
    told = lines_of(path)
    assert sorted(each["n"] for each in told if "n" in each) == [0, 1, 2]
    assert told[1] == {"event": "log_write_resumed", "file": "daemon.jsonl", "failures": 3}
    assert notes[0] == Note(
        "error", "log_write_failed", {"file": "daemon.jsonl", "error": "no space left on device"}
    )
    assert [note.event for note in notes] == ["log_write_failed", "log_write_resumed"]


LIMITED = """
import resource, sys, threading
from pathlib import Path
from hotline.daemon.logfile import Outlet, RotatingFile
path, failed = Path(sys.argv[1]), threading.Event()
_, most = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, most))
outlet = Outlet(
    RotatingFile(path, rotate_bytes=10**6, keep=1),
    name=path.name,
    render=lambda note: b'{"event": "%s"}\\n' % note.event.encode(),
    notify=lambda _: failed.set(),
    retry_s=0.001,
)
for number in range(10):
    outlet.put(b'{"n": %d, "pad": "%s"}\\n' % (number, b"x" * 300))
assert failed.wait(30)
assert path.stat().st_size == 1000
failed.clear()
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
assert failed.wait(30)
assert outlet.close(30)
"""


def test_a_kernel_that_writes_half_a_line_is_believed(tmp_path: Path) -> None:
    """A short write is no invention of the script above: this one is the kernel's own."""
    path = tmp_path / "daemon.jsonl"
    subprocess.run(
        [sys.executable, "-c", LIMITED, str(path)],
        cwd=Path(__file__).resolve().parents[2],
        check=True,
        timeout=LONG_S,
    )
    told = [each.get("n", each.get("event")) for each in lines_of(path)]
    assert told == [0, 1, 2, 3, "log_write_resumed", 4, 5, 6, 7, 8, 9]


def test_a_line_cut_by_a_crash_is_ended_first(tmp_path: Path) -> None:
    """The first line after a crash must not be glued to the last one before it."""
    path = tmp_path / "daemon.jsonl"
    path.write_bytes(line(1) + line(2)[:-5])
    outlet = Outlet(RotatingFile(path, rotate_bytes=10**6, keep=1), name=path.name, render=render)
    outlet.put(line(3))
    assert outlet.close(LONG_S)
    first, half, last = path.read_bytes().splitlines()
    assert first + b"\n" == line(1)
    assert half == line(2)[:-5]
    assert last + b"\n" == line(3)


def test_closing_does_not_wait_for_a_full_disk(tmp_path: Path) -> None:
    """A stop that hangs in a log keeps the store locked."""
    full = OSError(errno.ENOSPC, "No space left on device")
    failed = threading.Event()
    outlet = Outlet(
        Troubled(tmp_path / "daemon.jsonl", [full] * 9),
        name="daemon.jsonl",
        render=render,
        notify=lambda _: failed.set(),
        retry_s=LONG_S,
    )
    outlet.put(line(1))
    assert failed.wait(LONG_S)
    assert not outlet.close(LONG_S)
    outlet.put(line(2))
    assert lines_of(tmp_path / "daemon.jsonl") == []


def test_a_folder_that_comes_late_gets_every_line(tmp_path: Path) -> None:
    """What was logged while a disk was not mounted yet explains why."""
    failed = threading.Event()
    path = tmp_path / "state" / "daemon.jsonl"
    outlet = Outlet(
        RotatingFile(path, rotate_bytes=10**6, keep=1),
        name=path.name,
        render=render,
        notify=lambda _: failed.set(),
        retry_s=0.001,
    )
    outlet.put(line(1))
    assert failed.wait(LONG_S)
    failed.clear()
    path.parent.mkdir()
    assert failed.wait(LONG_S)  # told again, that it works
    assert outlet.close(LONG_S)
    assert lines_of(path)[0]["n"] == 1


# --- readers and disks that stall -----------------------------------------------------------------


def test_what_a_stalled_disk_drops_is_counted(tmp_path: Path) -> None:
    """A hole that nobody is told of is a lie about what happened."""
    path, count = tmp_path / "daemon.jsonl", 1000
    sink = Gate(path)
    outlet = Outlet(sink, name=path.name, render=render, queue_bytes=10_000)
    for number in range(count):
        outlet.put(line(number))
    sink.permits.release(count)
    assert outlet.close(LONG_S)
    told = lines_of(path)
    kept = [each["n"] for each in told if "n" in each]
    assert kept == list(range(len(kept)))
    assert 100 < len(kept) < count
    assert told[-1] == {
        "event": "log_lines_dropped",
        "file": "daemon.jsonl",
        "count": count - len(kept),
    }


def test_the_count_stands_once_where_the_lines_are_missing(tmp_path: Path) -> None:
    """A count after every line would crowd out the lines that there is room for."""
    path = tmp_path / "daemon.jsonl"
    sink = Gate(path)
    outlet = Outlet(sink, name=path.name, render=render, queue_bytes=10 * len(line(10)))
    outlet.put(line(10))
    assert sink.reached.acquire(timeout=LONG_S)  # the thread has it in hand, the queue is empty
    for number in range(11, 21):
        outlet.put(line(number))
    outlet.put(line(21))  # no room
    sink.take(1)
    outlet.put(line(22))  # room, but the spell is not over before half of it is
    sink.take(5)
    outlet.put(line(23))
    sink.permits.release(100)
    assert outlet.close(LONG_S)
    told = [each.get("n", each.get("count")) for each in lines_of(path)]
    assert told == [*range(10, 21), 2, 23]
