"""The logs of a daemon at work: every line can be read by a program, and none tells a secret."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

from hotline.identity.keyfile import read_secret_keys
from hotline.identity.linesecret import write_line_secret
from support.processes import until
from support.stations import Station, Stations, log_lines, message, start

BEAT_FIELDS = {
    "line": str,
    "number": int,
    "sent": bool,
    "rtt_ms": float,
    "clock_offset_ms": float,
    "missed": int,
    "state": str,
    "own_number": int,
    "peer_number": int,
    "queued": int,
}


def whole_lines(path: Path) -> list[dict[str, Any]]:
    """Read a log that nobody writes to any more: every line must be one object."""
    data = path.read_bytes()
    assert data.endswith(b"\n")
    assert re.fullmatch(rb"[\n -~]*", data), "a byte that a terminal would obey"
    return [json.loads(line) for line in data.splitlines()]


def spellings(secret: bytes) -> set[bytes]:
    """Give the forms in which a secret could stand in a text, wherever it starts."""
    found = {
        secret,
        secret.hex().encode(),
        secret.hex().upper().encode(),
        repr(secret)[2:-1].encode(),
    }
    for shift in range(3):
        # What all encodings of it have in common, whatever stands before and after.
        middle = base64.b64encode(bytes(shift) + secret)[4:-4]
        found |= {middle, middle.replace(b"+", b"-").replace(b"/", b"_")}
    return found


def proven_beats(station: Station) -> list[dict[str, Any]]:
    """Give the heartbeats that were sent when the round trip was known."""
    beats = log_lines(station.state / "heartbeat.jsonl")
    return [one for one in beats if one.get("sent") and one["rtt_ms"] is not None]


def all_output(station: Station) -> bytes:
    """Give everything that a daemon has written but its store."""
    return b"".join(
        path.read_bytes()
        for path in [station.stderr, *station.state.iterdir()]
        if path.is_file() and not path.name.startswith("store.db")
    )


def check_states(station: Station) -> None:
    """See that every change of state is told with its reasons, and in both logs alike."""
    states = [
        one for one in whole_lines(station.state / "daemon.jsonl") if one["event"] == "line_state"
    ]
    assert len(states) >= 3
    for one in states:
        assert one["state"] in ("up", "degraded", "down")
        assert one["reason"]
        assert one["detail"]
    in_beats = [
        one
        for one in whole_lines(station.state / "heartbeat.jsonl")
        if one["event"] == "line_state"
    ]
    assert [(one["state"], one["reason"]) for one in in_beats] == [
        (one["state"], one["reason"]) for one in states
    ]


def test_logs_are_whole_and_keep_secrets(stations: Stations) -> None:
    """A log goes to people and machines that may know neither keys nor what was said."""
    alpha, bravo = stations.make("alpha"), stations.make("bravo")
    line_secret = bytes(range(131, 163))
    body, subject, note = ("Wombat " * 5, "Quokka " * 5, "Numbat " * 5)
    for station, peer in ((alpha, bravo), (bravo, alpha)):
        write_line_secret(station.folder / "line.secret", line_secret)
        station.pin(peer, secret="line.secret", heartbeat_s=0.1)
    start(alpha, bravo)
    alpha.send("bravo", message("canary", body, subject=subject))
    alpha.send("bravo", message("canary", "another"))
    alpha.settled("bravo")
    assert bravo.hotline("ack", "canary", "--note", note).code == 0
    alpha.when("bravo", unacknowledged=0)
    bravo.kill()
    alpha.when("bravo", reason="refused")
    bravo.start()
    alpha.call("retry")
    alpha.up("bravo")
    for station in (alpha, bravo):
        until("a heartbeat after an echo is logged", lambda s=station: proven_beats(s))  # type: ignore[misc]
    for station in (alpha, bravo):
        assert station.stop() == 0

    secrets = [line_secret, body.encode(), subject.encode(), note.encode()]
    for station in (alpha, bravo):
        secrets += read_secret_keys(station.folder / f"{station.name}.key").seeds()
    forbidden = {spelling for secret in secrets for spelling in spellings(secret)}
    for station in (alpha, bravo):
        output = all_output(station)
        assert b"canary" in output or station is alpha, "nothing was logged of it at all"
        assert [one for one in forbidden if one in output] == []

    for station, line in ((alpha, "bravo"), (bravo, "alpha")):
        for name in ("daemon.jsonl", "heartbeat.jsonl"):
            for entry in whole_lines(station.state / name):
                assert re.fullmatch(r"[\d-]{10}T[\d:]{8}\.\d{6}Z", entry["timestamp"])
                assert entry["level"] in ("debug", "info", "warning", "error")
                assert re.fullmatch(r"[a-z_]+", entry["event"])
                assert entry["station"] == station.name
        beats = [
            one
            for one in whole_lines(station.state / "heartbeat.jsonl")
            if one["event"] == "heartbeat"
        ]
        assert {one["line"] for one in beats} == {line}
        assert all(BEAT_FIELDS.keys() <= one.keys() for one in beats)
        for one in proven_beats(station):
            assert {key: type(one[key]) for key in BEAT_FIELDS} == BEAT_FIELDS
            assert 0 <= one["rtt_ms"] < 10_000
        assert {one["sent"] for one in beats if one["number"] is None} <= {False}
    check_states(alpha)


def test_logs_rotate_while_the_daemon_works(stations: Stations) -> None:
    """A log that grows for ever fills the disk that the messages need."""
    alpha, bravo = stations.pair()
    bravo.log_settings = {"rotate_bytes": 65536, "keep": 2}
    bravo.write()
    start(alpha, bravo)
    sent = 0

    def rotated() -> bool:
        nonlocal sent
        alpha.send("bravo", *(message(f"{'rotate' * 8}-{sent + n}") for n in range(60)))
        alpha.settled("bravo")
        sent += 60
        return len(list(bravo.state.glob("daemon.jsonl*"))) == 3

    until("the log has been rotated twice", rotated)
    bravo.fit()
    assert bravo.stop() == 0
    files = sorted(bravo.state.glob("daemon.jsonl*"))
    assert len(files) == 3
    for path in files:
        assert path.stat().st_size <= 65536
        assert whole_lines(path)
        assert path.stat().st_mode & 0o077 == 0
    assert len(bravo_inbox(bravo)) == sent


def bravo_inbox(station: Station) -> list[dict[str, Any]]:
    """Give the inbox of a station that was stopped."""
    station.start()
    return station.box("inbox")
