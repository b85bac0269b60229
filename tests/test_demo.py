"""The demo, run for real: what `make demo` promises a first-time reader must hold on every machine."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.leftovers import processes_in

ROOT = Path(__file__).resolve().parent.parent
TIMEOUT_S = 300


@contextmanager
def two_free_ports() -> Iterator[tuple[int, int]]:
    """Give two ports that are nobody else's until the end of the block: held, but not listened on."""
    with socket.socket() as one, socket.socket() as two:
        for each in (one, two):
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            each.bind(("127.0.0.1", 0))
        yield one.getsockname()[1], two.getsockname()[1]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Copy the demo's configuration, with ports of its own, to where no other demo is."""
    (tmp_path / "config").mkdir()
    with two_free_ports() as ports:
        for name in ("alpha.toml", "bravo.toml"):
            text = (ROOT / "config" / name).read_text()
            for committed, free in zip(("19631", "19632"), ports, strict=True):
                assert committed in text
                text = text.replace(committed, str(free))
            (tmp_path / "config" / name).write_text(text)
        yield tmp_path


def demo(folder: Path) -> list[str]:
    """Give the command that `make demo` runs, for another folder."""
    return [sys.executable, str(ROOT / "tests" / "demo.py"), "--dir", str(folder)]


def test_the_demo_runs_twice_and_leaves_no_process(folder: Path) -> None:
    """The second run meets keys, stores and old messages, and must still tell the same story."""
    for run in ("first", "second"):
        done = subprocess.run(
            demo(folder), capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
        assert (done.returncode, done.stderr) == (0, ""), f"{run} run:\n{done.stdout}{done.stderr}"
        assert ("kept" in done.stdout) == (run == "second")
        assert "bravo: down" in done.stdout
        assert done.stdout.rstrip().endswith("keys/ and state/.")
        assert processes_in(folder) == []
    # README goes on in the same working copy, with a station that keeps its state in state/.
    assert (folder / "state").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda n: n.name)
def test_a_demo_that_is_interrupted_leaves_no_process(folder: Path, number: signal.Signals) -> None:
    """A daemon left behind would hold the ports, and the next demo would fail for no visible reason."""
    with subprocess.Popen(demo(folder), stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        for line in running.stdout:
            if line.startswith("$ kill -9"):
                running.send_signal(number)
                break
        assert running.wait(TIMEOUT_S) == 128 + number
    assert processes_in(folder) == []


def test_a_busy_port_is_told_in_plain_words(folder: Path) -> None:
    """A second demo beside the first is the likeliest mistake; a traceback would not explain it."""
    text = (folder / "config" / "bravo.toml").read_text()
    port = re.search(r'listen = \["127\.0\.0\.1:(\d+)"\]', text)
    assert port is not None
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", int(port[1])))
        other.listen()
        done = subprocess.run(
            demo(folder), capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    assert done.returncode == 1
    assert f"127.0.0.1:{port[1]}" in done.stderr
    assert "another demo" in done.stderr
    assert processes_in(folder) == []


def test_a_false_claim_fails_the_demo(folder: Path) -> None:
    """A demo that cannot fail shows nothing: here alpha's line is pinned to a wrong card."""
    text = (folder / "config" / "alpha.toml").read_text()
    assert '"../keys/bravo.card"' in text
    other = folder / "other"
    environment = {name: value for name, value in os.environ.items() if name != "HOTLINE_CONFIG"}
    subprocess.run(
        [sys.executable, "-m", "hotline", "init", "other", "--dir", str(other)],
        env=environment,
        capture_output=True,
        timeout=TIMEOUT_S,
        check=True,
    )
    (folder / "config" / "alpha.toml").write_text(
        text.replace('"../keys/bravo.card"', '"../other/other.card"')
    )
    done = subprocess.run(
        demo(folder), capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert done.returncode == 1
    assert "same pair code" in done.stderr
    assert processes_in(folder) == []
