"""``hotline heartbeats``: the log is read without a daemon, across rotation."""

import contextlib
import json
import signal
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from cli.station_operator import Operator
from hypothesis import given
from hypothesis import strategies as st

from hotline.cli import heartbeat_log
from hotline.cli.heartbeat_log import HeartbeatLog
from hotline.line.liveness import REASONS
from support.processes import until


def beat(number: int, **changes: Any) -> str:
    """Give one line of the heartbeat log."""
    fields = {
        "timestamp": "2026-11-23T15:30:00.123456Z",
        "level": "info",
        "event": "heartbeat",
        "station": "alpha",
        "line": "bravo",
        "number": number,
        "rtt_ms": 42.0,
        "missed": 0,
        "state": "up",
        "reason": "",
    }
    return json.dumps({**fields, **changes}) + "\n"


@pytest.fixture
def log(folder: Path) -> Path:
    """Make a log of nine heartbeats in three files."""
    path = folder / "state" / "heartbeat.jsonl"
    path.parent.mkdir()
    for name, numbers in (("", (7, 8, 9)), (".1", (4, 5, 6)), (".2", (1, 2, 3))):
        path.with_name(path.name + name).write_text("".join(map(beat, numbers)))
    return path


@pytest.mark.parametrize("limit", [1, 3, 5, 9, 20])
def test_the_newest_come_from_as_many_files_as_needed(
    operator: Operator, log: Path, limit: int
) -> None:
    """Just after a rotation the newest file is nearly empty."""
    done = operator.run("heartbeats", "--json", "--limit", str(limit))
    assert log.exists()
    assert [found["number"] for found in done.objects] == list(range(1, 10))[-limit:]


def test_one_line_and_damage(operator: Operator, log: Path) -> None:
    """A half-written line must not hide the others; another line's heartbeats are not wanted."""
    with log.open("a") as file:
        file.write('{"half\n[]\n' + beat(10, line="north") + beat(11))
    done = operator.run("heartbeats", "bravo", "--json", "--limit", "2")
    assert [found["number"] for found in done.objects] == [9, 11]
    assert operator.run("heartbeats", "south").code == 5


@pytest.mark.parametrize("number", ["1e999", "-Infinity", "NaN"])
def test_what_is_no_number_is_damage(operator: Operator, log: Path, number: str) -> None:
    """JSON has no such number, so a line with one hides itself, and nothing else."""
    with log.open("a") as file:
        file.write(beat(10).replace("42.0", number) + beat(11))
    assert operator.run("heartbeats", "--limit", "2").code == 0
    done = operator.run("heartbeats", "--limit", "2", "--json")
    assert [found["number"] for found in done.objects] == [9, 11]


def test_a_number_beyond_all_bounds_is_not_shown_as_a_time(operator: Operator, log: Path) -> None:
    """Whole numbers have no end in JSON; a time of any length must not end the table."""
    with log.open("a") as file:
        file.write(beat(10, rtt_ms=10**400) + beat(11, rtt_ms=True))
    done = operator.run("heartbeats", "--limit", "2")
    assert done.code == 0
    assert [row.split()[3] for row in done.out.splitlines()[1:]] == ["-", "-"]


def test_the_table_fits_and_is_safe(operator: Operator, log: Path) -> None:
    """The log quotes what the peer caused; notes of the log itself are shown by their event."""
    with log.open("a") as file:
        file.write(beat(10, reason="\x1b[2J\u202e" * 20, missed=None, rtt_ms=None))
        file.write('{"timestamp":"2026-11-23T15:30:00Z","event":"log_lines_dropped"}\n')
    done = operator.run("heartbeats")
    assert max(map(len, done.out.splitlines())) <= 80
    assert "\x1b" not in done.out
    assert "2026-11-23T15:30:00Z  bravo  up        42 ms    0" in done.out
    assert "log_lines_dropped" in done.out


LONG = ("northern-headquarters-number-0-1", "northern-headquarters-number-0-2")


def table_of(operator: Operator, log: Path, *beats: str) -> list[str]:
    """Give the rows of the table of a log of these beats, without its heading."""
    log.write_text("".join(beats))
    done = operator.run("heartbeats", "--limit", str(len(beats)))
    rows = done.out.splitlines()
    assert max(map(len, rows)) <= 80
    return rows[1:]


@pytest.mark.parametrize("name", ["bravo", "north-hq-01", "northern-hq-1", LONG[0]])
@pytest.mark.parametrize("was", ["up", "degraded"])
def test_no_reason_and_no_change_is_cut(operator: Operator, log: Path, name: str, was: str) -> None:
    """A state without what it was before, or with half of a reason, is no answer to why."""
    fields = {"event": "line_state", "line": name, "state": "degraded", "was": was}
    rows = table_of(operator, log, *(beat(1, reason=reason, **fields) for reason in REASONS))
    shown = [row.split() for row in "\n".join(rows).split("2026-11-23T15:30:00Z")[1:]]
    assert shown == [
        [name, "degraded", "42", "ms", "0", reason, "(was", f"{was})"] for reason in REASONS
    ]


def test_what_is_short_stands_in_one_row(operator: Operator, log: Path) -> None:
    """A table of two rows a beat, where one is enough, shows half as many."""
    change = beat(1, event="line_state", reason="unattended", was="down")
    rows = table_of(operator, log, change, beat(2, reason="peer-not-accepting"))
    assert len(rows) == 2
    assert rows[0].endswith("  unattended (was down)")
    assert rows[1].endswith("  peer-not-accepting")


def test_two_names_never_look_alike(operator: Operator, log: Path) -> None:
    """Two headquarters whose names differ in the last letter are two lines; also one unknown here."""
    rows = table_of(operator, log, *(beat(n, line=name) for n, name in enumerate(LONG)))
    assert [name for name in LONG for row in rows if f"  {name}  up" in row] == [*LONG]


def test_a_followed_log_shows_a_name_that_comes_late(operator: Operator, log: Path) -> None:
    """Its row is out of line, for the table was laid out without it; it is whole all the same."""
    process = operator.start("heartbeats", "--follow", "--limit", "1")
    assert process.stdout is not None
    out = process.stdout
    assert out.readline().startswith(b"TIME                  LINE   STATE")
    assert b"  bravo  up" in out.readline()
    with log.open("a") as file:
        file.write(beat(10, line=LONG[0], reason="proven"))
    assert f"  {LONG[0]}  up        42 ms    0       proven\n".encode() in out.readline()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)


def test_a_long_log_is_read_from_its_end(tmp_path: Path) -> None:
    """At sixty megabytes whoever asks for the last twenty would wait for all the others."""
    path = tmp_path / "heartbeat.jsonl"
    path.write_text("".join(map(beat, range(20_000))))
    looked_at = []

    def wanted(line: bytes) -> bool:
        looked_at.append(line)
        return bool(json.loads(line)["number"] % 2 == 0)

    log = HeartbeatLog(path)
    found = [json.loads(line)["number"] for line in log.newest(3, wanted)]
    assert (found, len(looked_at)) == ([19_994, 19_996, 19_998], 6)
    log.close()


@given(st.data())
def test_read_from_its_end_a_log_says_the_same(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """However the lines fall over the blocks: none is cut, none is lost, and following goes on."""
    content = st.text(st.sampled_from("ab\r\n"), max_size=40).map(str.encode)
    path = tmp_path_factory.mktemp("log") / "heartbeat.jsonl"
    older, newer, added = (data.draw(content) for _ in range(3))
    path.with_name("heartbeat.jsonl.1").write_bytes(older)
    path.write_bytes(newer)
    most = data.draw(st.integers(1, 50))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(heartbeat_log, "BLOCK_BYTES", data.draw(st.integers(1, 12)))
        log = HeartbeatLog(path)
        found = log.newest(most, bool)
    *complete, rest = newer.split(b"\n")
    assert found == [line for line in (*older.split(b"\n"), *complete) if line][-most:]
    with path.open("ab") as file:
        file.write(added + b"\n")
    expected = [line + b"\n" for line in (rest + added).split(b"\n")]
    assert list(islice(log.follow(), len(expected))) == expected
    log.close()


def _has_read(pid: int, log: Path) -> bool:
    """Tell whether a process stands at the end of a file that it has open (proc(5), fdinfo)."""
    size = log.stat().st_size
    for number in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            if number.resolve() == log.resolve():
                told = Path(f"/proc/{pid}/fdinfo/{number.name}").read_text()
                return int(told.split()[1]) == size
    return False


def test_following_over_a_rotation(operator: Operator, log: Path) -> None:
    """Every heartbeat once: none lost with the renamed file, none of them twice."""
    process = operator.start("heartbeats", "--follow", "--json", "--limit", "2")
    assert process.stdout is not None
    out = process.stdout
    numbers = [json.loads(out.readline())["number"] for _ in range(2)]
    with log.open("a") as file:
        file.write(beat(10)[:20])
        file.flush()
        until("half a line was read", lambda: _has_read(process.pid, log))
        file.write(beat(10)[20:])
        log.rename(log.with_name("heartbeat.jsonl.1"))
        file.write(beat(11))
    log.write_text(beat(12))
    numbers += [json.loads(out.readline())["number"] for _ in range(3)]
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    process.communicate()
    assert numbers == [8, 9, 10, 11, 12]


def test_following_waits_for_a_log(operator: Operator, folder: Path) -> None:
    """Started before the daemon, it must wait and not give up."""
    process = operator.start("heartbeats", "--follow")
    assert process.stdout is not None
    assert process.stdout.readline().startswith(b"TIME")  # it has looked, and there was none
    (folder / "state").mkdir()
    (folder / "state" / "heartbeat.jsonl").write_text(beat(1))
    assert b"bravo" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130
