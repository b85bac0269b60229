"""A disk without room, and one that stands still."""

from __future__ import annotations

import errno
import os
import subprocess
import time
from pathlib import Path
from typing import Any

from faults.arena import SLACK_S, Arena
from faults.catalogue import scenario
from faults.network import do
from faults.sampler import Truth
from faults.station import HEARTBEAT_S, FaultStation

from support.processes import until
from support.stations import Refused, log_lines

DISK_MIB = 160
_BLOCK = 4096
_FREEZE = """
fsfreeze --freeze "$1" && echo frozen && sleep "$2"; echo thawing; exec fsfreeze --unfreeze "$1"
"""
STALLED_S = 3.0
"""hotline.limits.STORE_STALLED_S: a commit may take so long before the disk is called stuck."""

TRIED_AGAIN_S = 5.0
"""hotline.line.receiving: a full disk is tried again after this."""


def fill(station: FaultStation, leave_mib: float) -> None:
    """Fill the disk of a station until so much is left; the station goes on using it meanwhile."""
    with (station.state / "ballast").open("ab", buffering=0) as ballast:
        most = DISK_MIB * 2**20
        while most >= _BLOCK:
            left = os.statvfs(station.state)
            room = int(left.f_bavail * left.f_frsize - leave_mib * 2**20)
            if room < _BLOCK and leave_mib:
                return
            try:
                size = max(_BLOCK, min(room, most))
                os.posix_fallocate(ballast.fileno(), os.fstat(ballast.fileno()).st_size, size)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                most //= 2


def free(station: FaultStation) -> None:
    """Give the room back."""
    (station.state / "ballast").unlink()


def on_a_small_disk(station: FaultStation) -> None:
    """Put the state of a station that does not run yet on a small disk of its own."""
    station.state.mkdir(mode=0o700)
    kind = f"size={DISK_MIB}m,mode=0700"
    do(["mount", "-t", "tmpfs", "-o", kind, "tmpfs", str(station.state)])


@scenario("full-sender", "mount")
def full_sender(arena: Arena) -> None:
    """Without room for what follows, a message must be refused, not accepted and then stuck."""
    on_a_small_disk(arena.alpha)
    arena.begin()
    arena.load()
    refusals, refused = 0, arena.ledgers["alpha"].refused
    for _ in range(1 if arena.short else 5):
        arena.work(5, 150)
        fill(arena.alpha, leave_mib=40)
        before = refused["disk-full"]
        until("alpha refuses", lambda b=before: refused["disk-full"] > b)  # type: ignore[misc]
        mark = arena.accepted(arena.bravo)
        until("bravo still sends", lambda m=mark: arena.accepted(arena.bravo) > m + 20)  # type: ignore[misc]
        for station in arena.pair:
            status = station.status(arena.peer_of(station).name)
            arena.expect(
                f"{station.name} is up, not {status['state']}", holds=status["state"] == "up"
            )
        refusals += refused["disk-full"] - before
        began = time.monotonic()
        free(arena.alpha)
        mark = arena.accepted(arena.alpha)
        until("alpha accepts again", lambda m=mark: arena.accepted(arena.alpha) > m)  # type: ignore[misc]
        arena.figures.recovered_s.append(time.monotonic() - began)
    arena.fired("messages refused disk-full", times=refusals)
    arena.settle()


@scenario("full-receiver", "mount")
def full_receiver(arena: Arena) -> None:
    """A peer that can take nothing in must be seen at both ends, and lose nothing that waits."""
    on_a_small_disk(arena.bravo)
    arena.begin()
    arena.load()
    fills = 0
    for _ in range(1 if arena.short else 5):
        arena.work(5, 150)
        began = time.monotonic()
        fill(arena.bravo, leave_mib=0)
        disk = os.statvfs(arena.bravo.state)
        fills += int(disk.f_bavail == 0)
        arena.alpha.when("bravo", reason="peer-not-accepting")
        arena.bravo.when("alpha", reason="not-accepting")
        known = time.monotonic()
        arena.figures.detected_s.append(known - began)
        receipted = _receipted_now(arena.alpha)
        arena.ask(arena.alpha, f"waits-{known}")
        try:
            arena.bravo.send("alpha", {"id": f"no-room-{known}", "body": "x"})
            arena.problem("bravo accepts a message without room")
        except Refused as refused:
            arena.expect(f"disk-full, not {refused.code}", holds=refused.code == "disk-full")
        time.sleep(1.0 if arena.short else TRIED_AGAIN_S + 1)  # the fault lasts through a new try
        arena.expect("receipts stop", holds=_receipted_now(arena.alpha) == receipted)
        ended = time.monotonic()
        free(arena.bravo)
        arena.figures.recovered_s.append(arena.watch_until_up(ended) - ended)
        arena.truths.append(Truth("the full disk", known, ended, SLACK_S))
    arena.fired("disk filled to its last block", times=fills)
    arena.settle()


def _receipted_now(station: FaultStation) -> int:
    """Give how much of its log a station has receipts for, by a heartbeat that is yet to come."""

    def beats() -> list[dict[str, Any]]:
        return [one for one in log_lines(station.state / "heartbeat.jsonl") if "receipted" in one]

    seen = len(beats())
    receipted: int = until("it beats", lambda: beats()[seen + 1 :])[0]["receipted"]
    return receipted


@scenario("freeze", "fsfreeze", "mkfs.ext4", "mount")
def freeze(arena: Arena) -> None:
    """A disk that hangs must be told from a dead line: heartbeats go on, and say what is stuck."""
    seconds = 5 if arena.short else 30
    station, image = arena.bravo, arena.folder / "disk"
    station.state.mkdir(mode=0o700)
    with image.open("wb") as file:
        file.truncate(256 * 2**20)
    do(["mkfs.ext4", "-q", "-F", str(image)])
    do(["mount", "-o", "loop", str(image), str(station.state)])
    station.state.chmod(0o700)
    try:
        arena.begin()
        arena.load()
        arena.work(50, 150)
        _freeze_for(arena, station.state, seconds)
        arena.settle()
    finally:
        arena.close()
        do(["umount", str(station.state)])


def _freeze_for(arena: Arena, where: Path, seconds: float) -> None:
    # A process of its own thaws it whatever becomes of us: a frozen disk outlives its mount.
    guard = subprocess.Popen(
        ["sh", "-c", _FREEZE, "sh", str(where), str(seconds)],
        stdout=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    try:
        assert guard.stdout is not None
        assert guard.stdout.readline() == "frozen\n"
        began = time.monotonic()
        assert guard.stdout.readline() == "thawing\n"
        ended = time.monotonic()
        arena.expect("the disk was thawed", holds=guard.wait() == 0)
    finally:
        if guard.poll() is None:
            subprocess.run(["fsfreeze", "--unfreeze", str(where)], check=False)
    limit_s = STALLED_S + 2 * HEARTBEAT_S + SLACK_S
    cut = frozenset({"network-silent", "peer-stalled", "heartbeats-missed", "one-way"})
    arena.span("the freeze", began, ended, limit_s, untrue_reasons=cut)
    for station, reason in ((arena.alpha, "peer-not-accepting"), (arena.bravo, "not-accepting")):
        said = arena.reasons(station, began, ended)
        arena.expect(f"{station.name} says {reason}: {said}", holds=reason in said)
        down = [
            one
            for one in arena.watchers[station.name].samples
            if began < one.asked and one.answered < ended and one.state in ("down", "halted")
        ]
        arena.expect(f"{station.name} keeps the line, {len(down)} times not", holds=not down)
    stuck = sum(
        began < one.asked and one.answered < ended for one in arena.watchers["bravo"].samples
    )
    arena.expect("bravo answers its operators while frozen", holds=stuck > 0)
    arena.fired(f"freeze for {seconds} s, answers of bravo in it", times=stuck)
    arena.figures.recovered_s.append(arena.watch_until_up(ended) - ended)
