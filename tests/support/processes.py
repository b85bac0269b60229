"""Real processes: the daemon, operators' commands, and waiting for what must become true."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, TypeVar

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]

LONG_S: Final = 90.0
"""A bound on waiting for what must happen: reached only by a failing test, on a busy machine too."""

_POLL_S: Final = 0.02
_PROBE_S: Final = 0.1

T = TypeVar("T")


def until(what: str, condition: Callable[[], T | None], timeout_s: float = LONG_S) -> T:
    """Poll until condition gives something true, and give that; fails, saying what was awaited."""
    deadline = time.monotonic() + timeout_s
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {timeout_s:.0f} s: {what}"
        time.sleep(_POLL_S)


def seen_of(pid: int, what: str) -> Path:
    """Give a folder or file of /proc about a daemon; skips the test where only root may see it."""
    path = Path(f"/proc/{pid}/{what}")
    if not os.access(path, os.R_OK):
        pytest.skip("a daemon lets no other process look into it, but root's")
    return path


def slowdown() -> float:
    """Give how many times slower this machine now is than one that does nothing else; 1 at least.

    A promise that is counted in seconds is one of a machine that is there for it.
    """
    began_s, used_s = time.perf_counter(), time.process_time()
    while time.process_time() - used_s < _PROBE_S:
        pass
    return max(1.0, (time.perf_counter() - began_s) / _PROBE_S)


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str


def hotline(*arguments: str | Path, stdin: bytes = b"", timeout_s: float = LONG_S) -> Done:
    """Run the command to its end."""
    done = subprocess.run(
        _command(arguments),
        env=_environment(),
        input=stdin,
        capture_output=True,
        timeout=timeout_s,
        check=False,
    )
    return Done(done.returncode, done.stdout.decode(), done.stderr.decode())


class Running:
    """A command under way; ``stop`` and ``kill`` may be called at any time."""

    def __init__(
        self, *arguments: str | Path, stderr: Path | None = None, inside: tuple[str, ...] = ()
    ) -> None:
        """Start it, perhaps inside of another command, which must become it.

        Stderr is appended to a file, so that no full pipe can hold it up.
        """
        sink: IO[bytes] | int = stderr.open("ab") if stderr is not None else subprocess.DEVNULL
        try:
            self.process = subprocess.Popen(
                [*inside, *_command(arguments)],
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=sink,
            )
        finally:
            if not isinstance(sink, int):
                sink.close()

    @property
    def alive(self) -> bool:
        """Tell whether it still runs."""
        return self.process.poll() is None

    def tell(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def wait(self, timeout_s: float = LONG_S) -> int:
        """Wait for its end and give its exit code."""
        code = self.process.wait(timeout_s)
        self._close()
        return code

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end, and give its exit code."""
        self.tell(number)
        return self.wait()

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.process.wait(LONG_S)
        self._close()

    def _close(self) -> None:
        if self.process.stdout is not None:
            self.process.stdout.close()


def _command(arguments: tuple[str | Path, ...]) -> list[str]:
    return [sys.executable, "-m", "hotline", *map(str, arguments)]


def _environment() -> dict[str, str]:
    ours: dict[str, Any] = {"PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", "NO_COLOR": "1"}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HOTLINE_")}
    return kept | ours
