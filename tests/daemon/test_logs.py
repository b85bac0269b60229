"""The logs: nothing leaked, nothing forged, and nothing that waits for a reader or a disk."""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from hotline.daemon import logs
from hotline.daemon.config import StationConfig
from hotline.errors import StoreError
from hotline.model import Precedence, State
from support.processes import until

LONG_S = 30.0
"""A bound on waiting for what must happen: reached only by a failing test."""

SECRET = bytes(range(200, 232))


def station(state: Path) -> StationConfig:
    """Make a configuration by hand."""
    return StationConfig(
        path=state / "hotline.toml",
        name="alpha",
        key=state / "alpha.key",
        card=state / "alpha.card",
        state=state,
    )


def lines_of(*paths: Path) -> list[dict[str, Any]]:
    """Read files of lines; fails on any that is not whole."""
    text = b"".join(path.read_bytes() for path in paths)
    assert not text or text.endswith(b"\n")
    assert re.fullmatch(rb"[\n -~]*", text)
    return [json.loads(line) for line in text.splitlines()]


def logged(folder: Path, event: str = "tried", **fields: Any) -> dict[str, Any]:
    """Log one event through a real file; give its line."""
    written = logs.setup(station(folder), stderr=False)
    written.daemon.info(event, **fields)
    assert written.close(LONG_S)
    return lines_of(folder / "daemon.jsonl")[-1]


# --- what a line is -------------------------------------------------------------------------------


def test_a_line_has_its_fields_in_order(tmp_path: Path) -> None:
    """Programs and eyes both rely on where a field stands."""
    written = logs.setup(station(tmp_path), stderr=False)
    written.daemon.bind(line="bravo").warning("line_down", reason="silence", after_s=3.0)
    written.heartbeat.info("heartbeat_received", number=7)
    assert written.close(LONG_S)
    (told,) = lines_of(tmp_path / "daemon.jsonl")
    assert list(told) == ["timestamp", "level", "event", "station", "line", "reason", "after_s"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", told.pop("timestamp"))
    assert told == {
        "level": "warning",
        "event": "line_down",
        "station": "alpha",
        "line": "bravo",
        "reason": "silence",
        "after_s": 3.0,
    }
    (beat,) = lines_of(tmp_path / "heartbeat.jsonl")
    assert (beat["event"], beat["number"]) == ("heartbeat_received", 7)


def test_every_level_is_written(tmp_path: Path) -> None:
    """A level without a method would raise where nobody expects it: in an error path."""
    written = logs.setup(station(tmp_path), stderr=False)
    for level in ("debug", "info", "warning", "error", "critical"):
        getattr(written.daemon, level)("tried")
    assert written.close(LONG_S)
    told = [told["level"] for told in lines_of(tmp_path / "daemon.jsonl")]
    assert told == ["debug", "info", "warning", "error", "critical"]


def test_log_files_are_private(tmp_path: Path) -> None:
    """Who talks to whom, and when, is nobody else's business."""
    logged(tmp_path)
    assert (tmp_path / "daemon.jsonl").stat().st_mode & 0o777 == 0o600


@dataclass
class Holder:
    """An object whose repr would give its secret away."""

    seed: bytes


@pytest.mark.parametrize(
    "value",
    [
        SECRET,
        bytearray(SECRET),
        memoryview(SECRET),
        [SECRET],
        {"seed": {"deep": (SECRET,)}},
        {SECRET: 1},
        {SECRET},
        Holder(SECRET),
        [Holder(SECRET)],
        ValueError(SECRET),
        ValueError("bad seed", [SECRET]),
        UnicodeDecodeError("utf-8", SECRET, 0, 1, "bad"),
        Holder,
        KeyError(SECRET.hex()),
        UnicodeEncodeError("utf-8", SECRET.hex(), 0, 1, "bad"),
        ValueError({"body": SECRET.hex()}, [SECRET.hex()]),
    ],
)
def test_bytes_are_never_logged(tmp_path: Path, value: object) -> None:
    """Keys are bytes: one careless field, and a key is in every backup of the logs."""
    told = logged(tmp_path, value=value)
    text = (tmp_path / "daemon.jsonl").read_text()
    for trace in (repr(SECRET)[2:20], SECRET.hex()[:8], str(list(SECRET))[1:12], "xc8", "c9"):
        assert trace not in json.dumps(told["value"])
    assert "\\\\x" not in text


def test_the_number_of_bytes_is_logged(tmp_path: Path) -> None:
    """How much there was is what one may know."""
    assert logged(tmp_path, body=SECRET)["body"] == "<32 bytes>"


def test_a_failure_is_told_with_its_frames_and_without_its_bytes(tmp_path: Path) -> None:
    """The trace that finds a bug must not be the leak that ends a station."""
    written = logs.setup(station(tmp_path), stderr=False)
    try:
        try:
            raise KeyError(SECRET)
        except KeyError as error:
            raise ExceptionGroup("both", [StoreError("store.db: i/o error"), error]) from error
    except ExceptionGroup:
        written.daemon.exception("daemon_failed")
    assert written.close(LONG_S)
    (told,) = lines_of(tmp_path / "daemon.jsonl")
    failure = told["exception"]
    assert (told["level"], failure["type"], failure["message"]) == (
        "error",
        "ExceptionGroup",
        "both",
    )
    assert re.fullmatch(r".*test_logs\.py:\d+ test_a_failure_is_told\w+", failure["frames"][0])
    assert [one["message"] for one in failure["exceptions"]] == [
        "store.db: i/o error",
        "<32 bytes>",
    ]
    assert failure["cause"]["type"] == "KeyError"


@given(st.text(), st.text())
def test_hostile_text_is_escaped(
    tmp_path_factory: pytest.TempPathFactory, text: str, key: str
) -> None:
    """A subject that moves the cursor or reverses the line would forge what an operator reads."""
    folder = tmp_path_factory.mktemp("hostile")
    assert logged(folder, fields={key: text})["fields"] == {key: text}


@pytest.mark.parametrize("text", ["\x1b[2J", "\x7f", "\x9b", "\u2028", "\u202e", "\ud800", "a\nb"])
def test_control_characters_come_back_from_their_escapes(tmp_path: Path, text: str) -> None:
    """Each family of dangerous characters: escape, DEL, C1, separators, bidi, surrogates."""
    assert logged(tmp_path, event=text, value=text)["value"] == text
    assert text.encode("utf-8", "surrogatepass") not in (
        tmp_path / "daemon.jsonl"
    ).read_bytes().removesuffix(b"\n")


class Awkward:
    """An object with which nothing works."""

    def __repr__(self) -> str:
        raise RuntimeError

    __str__ = __repr__


def endless() -> list[Any]:
    """Make a list that holds itself."""
    loop: list[Any] = []
    loop.append(loop)
    return loop


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (Awkward(), "<Awkward>"),
        (RuntimeError(Awkward()), "RuntimeError: <Awkward>"),
        (endless(), [[[[[["<list>"]]]]]]),
        (float("nan"), "nan"),
        (-float("inf"), "-inf"),
        (2**64 - 1, 2**64 - 1),
        pytest.param(1 << 20_000, "<20001-bit integer>", id="beyond what Python prints"),
        (Precedence.FLASH, "FLASH"),
        (State.SENT, "sent"),
        (Path("/var/lib/x"), "/var/lib/x"),
        (OSError(errno.EIO, "I/O error", "store.db"), "OSError: I/O error: store.db"),
        ({1: True, None: ()}, {"1": True, "None": []}),
        ("x" * 3000, "x" * 2048 + "... <3000 characters>"),
        (list(range(100)), list(range(64))),
    ],
)
def test_any_value_can_be_logged(tmp_path: Path, value: object, told: object) -> None:
    """A log call that raises turns a small failure into the daemon's end."""
    assert logged(tmp_path, value=value)["value"] == told


def test_a_line_is_bounded(tmp_path: Path) -> None:
    """What a peer sends must not decide how fast the disk fills."""
    told = logged(tmp_path, value=["\u2028" * 2000] * 64)
    assert told["omitted_bytes"] > 700_000
    assert (told["event"], told["station"]) == ("tried", "alpha")


def test_events_can_be_captured() -> None:
    """Code that takes a logger must be testable without files and threads."""

    def daemon(log: structlog.typing.FilteringBoundLogger) -> None:
        log.info("line_up", line="bravo")

    with structlog.testing.capture_logs() as captured:
        daemon(structlog.get_logger())
    assert captured == [{"event": "line_up", "line": "bravo", "log_level": "info"}]


# --- readers and disks that stall -----------------------------------------------------------------


@pytest.mark.parametrize("place", ["missing folder", "file as folder", "folder as file", "symlink"])
def test_a_place_that_cannot_be_written_stops_nobody(tmp_path: Path, place: str) -> None:
    """A station must not lose its line over its log."""
    state = tmp_path / "state"
    if place == "file as folder":
        state.touch()
    elif place != "missing folder":
        state.mkdir()
        for log in (state / "daemon.jsonl", state / "heartbeat.jsonl"):
            log.mkdir() if place == "folder as file" else log.symlink_to(tmp_path / "elsewhere")
    written = logs.setup(station(state), stderr=False)
    for number in range(100):
        written.daemon.info("tried", number=number)
    assert not written.close(LONG_S)
    assert not (tmp_path / "elsewhere").exists()


def test_a_fifo_that_nobody_reads_stalls_nobody(tmp_path: Path) -> None:
    """A log reader that is stopped with control-S must not stop the line."""
    fifo = tmp_path / "daemon.jsonl"
    os.mkfifo(fifo)
    written = logs.setup(station(tmp_path), stderr=False)
    for number in range(5000):
        written.daemon.info("tried", number=number, pad="x" * 1000)
        written.heartbeat.info("heartbeat_sent", number=number)
    assert not written.close(0.01)
    beats = tmp_path / "heartbeat.jsonl"
    until(
        "all heartbeats are written",
        lambda: beats.exists() and beats.read_bytes().count(b"\n") == 5000,
    )
    assert [beat["number"] for beat in lines_of(beats)] == list(range(5000))

    with fifo.open("rb") as reader:  # then it goes on, and the thread comes to its end
        received = [json.loads(reader.readline())["number"] for _ in range(3000)]
        assert received == list(range(3000))
        drain = threading.Thread(target=reader.read, daemon=True)
        drain.start()
        assert written.close(LONG_S)
        drain.join(LONG_S)


FLOOD = """
import sys
from pathlib import Path
from hotline.daemon import logs
from hotline.daemon.config import StationConfig
state = Path(sys.argv[1])
written = logs.setup(StationConfig(state / "c", "alpha", state / "k", state / "c", state))
for number in range(20_000):
    written.daemon.info("tried", number=number, pad="x" * 200)
print(written.close(0.01), flush=True)
"""


def test_a_stalled_stderr_stalls_nobody_not_even_the_stop(tmp_path: Path) -> None:
    """`hotline run 2>&1 | less` must not stop the line at the bottom of the page."""
    with subprocess.Popen(
        [sys.executable, "-c", FLOOD, str(tmp_path)],
        cwd=Path(__file__).resolve().parents[2],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.wait(LONG_S) == 0
        assert process.stdout is not None
        assert process.stdout.read() == b"False\n"
    assert len(lines_of(tmp_path / "daemon.jsonl")) > 100


# --- the operator in the foreground ---------------------------------------------------------------


def shown(
    state: Path, capfd: pytest.CaptureFixture[str], level: str = "warning", **fields: Any
) -> list[str]:
    """Log one event; give what stderr shows."""
    written = logs.setup(station(state))
    getattr(written.daemon, level)("line_down", **fields)
    written.heartbeat.info("heartbeat_sent")
    written.close(LONG_S)
    return capfd.readouterr().err.splitlines()


def test_stderr_shows_one_plain_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The operator in the foreground reads sentences, not JSON, and no heartbeats."""
    (told,) = shown(tmp_path, capfd, line="bravo", note="no\x1b[2J \u202eword", after_s=3.0)
    stamp, rest = told.split(" ", 1)
    assert stamp.endswith("Z")
    assert rest == (
        'warning  alpha: line_down line=bravo note="no\\u001b[2J \\u202eword" after_s=3.0'
    )


def test_stderr_leaves_out_debug_and_frames(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """What is for the inquiry is in the file; the foreground is for what matters now."""
    assert shown(tmp_path, capfd, "debug") == []
    (told,) = shown(tmp_path, capfd, "error", exc_info=StoreError("store.db: i/o error"))
    assert told.endswith('error    alpha: line_down exception="StoreError: store.db: i/o error"')


def test_the_journal_gets_levels_and_no_second_clock(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under systemd a warning must be found by `journalctl -p warning`."""
    status = os.fstat(2)
    monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino}")
    assert shown(tmp_path, capfd, line="bravo") == ["<4>alpha: line_down line=bravo"]


def test_a_terminal_gets_colour_for_trouble_only(tmp_path: Path) -> None:
    """An alarm must be seen in a page of routine; a terminal that asks for none gets none."""
    ours, theirs = os.openpty()
    program = FLOOD.replace("20_000", "0").replace("0.01", str(LONG_S))
    program = program.replace("print", "written.daemon.error('halted');print")
    try:
        for environment, coloured in (({}, True), ({"NO_COLOR": "1"}, False)):
            subprocess.run(
                [sys.executable, "-c", program, str(tmp_path)],
                cwd=Path(__file__).resolve().parents[2],
                env={**os.environ, "NO_COLOR": "", **environment},
                stdout=subprocess.DEVNULL,
                stderr=theirs,
                check=True,
                timeout=LONG_S,
            )
            assert (b"\x1b[31merror   \x1b[0m" in os.read(ours, 4096)) == coloured
    finally:
        os.close(ours)
        os.close(theirs)


def test_stderr_tells_that_a_file_cannot_be_written(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The file cannot say itself that it is not being written."""
    told = shown(tmp_path / "missing", capfd)
    failed = [each for each in told if "log_write_failed" in each]
    assert any("file=daemon.jsonl" in each for each in failed)
    assert any('error="no such file or directory"' in each for each in failed)
