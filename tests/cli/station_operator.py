"""An operator at a keyboard: runs the real command, with pipes or on a terminal."""

import contextlib
import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 120


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def objects(self) -> list[dict[str, Any]]:
        """The JSON objects on stdout, one a line."""
        return [json.loads(line) for line in self.out.splitlines()]


class Operator:
    """Runs ``hotline`` in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._begun: list[subprocess.Popen[bytes]] = []

    def clean_up(self) -> None:
        """End what a test that failed has left running."""
        for process in self._begun:
            if process.poll() is None:
                process.kill()
                process.communicate()

    def run(
        self,
        *arguments: str | bytes,
        stdin: bytes = b"",
        through: Sequence[str] = (),
        **env: str,
    ) -> Done:
        """Run a verb with pipes, and through another command if one is given; wait for its end."""
        done = subprocess.run(
            [*through, *self._command(arguments)],
            cwd=self.folder,
            env=self.env(env),
            input=stdin,
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        return Done(done.returncode, done.stdout.decode(), done.stderr.decode())

    def start(self, *arguments: str, **env: str) -> "subprocess.Popen[bytes]":
        """Start a verb with pipes; if the test leaves it running, it is ended with the operator."""
        process = subprocess.Popen(
            self._command(arguments),
            cwd=self.folder,
            env=self.env(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._begun.append(process)
        return process

    def on_terminal(
        self, *arguments: str, columns: int = 80, typed: bytes = b"", **env: str
    ) -> Done:
        """Run a verb with all three streams on a terminal; ``out`` is all that it showed."""
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        process = subprocess.Popen(
            self._command(arguments),
            cwd=self.folder,
            env=self.env({"TERM": "xterm", **env}),
            stdin=slave,
            stdout=slave,
            stderr=slave,
        )
        os.close(slave)
        os.write(master, typed)
        shown = b""
        deadline_s = time.monotonic() + TIMEOUT_S
        # A terminal whose last user is gone reads as EIO.
        with contextlib.suppress(OSError):
            while time.monotonic() < deadline_s and (data := os.read(master, 65536)):
                shown += data
        os.close(master)
        return Done(process.wait(TIMEOUT_S), shown.decode(), "")

    def converse(self, *arguments: str, answers: Sequence[tuple[str, str]], **env: str) -> Done:
        """Run a verb on a terminal of its own, and type each answer once its question has come."""
        master, slave = pty.openpty()
        process = subprocess.Popen(
            ["setsid", "--ctty", *self._command(arguments)],
            cwd=self.folder,
            env=self.env({"TERM": "dumb", **env}),
            stdin=slave,
            stdout=slave,
            stderr=slave,
        )
        os.close(slave)
        shown, seen = b"", 0
        waiting = list(answers)
        with contextlib.suppress(OSError):
            while data := os.read(master, 65536):
                shown += data
                if waiting and (at := shown.find(waiting[0][0].encode(), seen)) >= 0:
                    seen = at + len(waiting[0][0])
                    os.write(master, waiting.pop(0)[1].encode(errors="surrogateescape"))
        os.close(master)
        code = process.wait(TIMEOUT_S)
        assert waiting == [], f"never asked: {waiting}, but: {shown!r}"
        return Done(code, shown.decode(), "")

    @staticmethod
    def _command(arguments: tuple[str | bytes, ...]) -> list[str | bytes]:
        return [sys.executable, "-m", "hotline", *arguments]

    @staticmethod
    def env(changes: dict[str, str]) -> dict[str, str]:
        mine = ("NO_COLOR", "HOTLINE_CONFIG", "HOTLINE_TRACEBACK")
        kept = {name: value for name, value in os.environ.items() if name not in mine}
        return {**kept, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", **changes}
