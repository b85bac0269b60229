"""Refuse, never drop: full queues, full disks, a store that is taken."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.processes import hotline, until
from support.stations import Station, Stations, message

MIB = 2**20


def test_a_full_queue_refuses_and_keeps_what_it_has(stations: Stations) -> None:
    """A queue that drops its oldest, or takes one more than it can hold, loses an order."""
    alpha, bravo = stations.pair(queue_messages=5)
    alpha.start()
    answers = alpha.send("bravo", *(message(f"full-{number}") for number in range(8)))
    assert [one.get("error", {}).get("code") for one in answers] == [None] * 5 + ["queue-full"] * 3
    refused = alpha.hotline("send", "bravo", "one too many", "--precedence", "flash")
    assert refused.code == 5
    assert "full" in refused.err
    repeated = alpha.hotline("send", "bravo", "body of full-0", "--id", "full-0")
    assert repeated.code == 0, "what is queued already needs no room"
    bravo.start()
    alpha.call("retry")
    alpha.settled("bravo")
    assert [one["id"] for one in bravo.box("inbox")] == [f"full-{number}" for number in range(5)]
    assert alpha.hotline("send", "bravo", "room again", "--wait", "delivered").code == 0


def test_expired_and_cancelled_messages_are_never_sent(stations: Stations) -> None:
    """An order that was taken back, or came too late to be true, must not arrive after all."""
    alpha, bravo = stations.pair()
    alpha.start()
    assert alpha.hotline("send", "bravo", "late", "--id", "e", "--expires", "3s").code == 0
    assert alpha.hotline("send", "bravo", "wrong", "--id", "c").code == 0
    assert alpha.hotline("send", "bravo", "right", "--id", "r").code == 0
    assert [one["state"] for one in alpha.json("cancel", "c")] == ["cancelled"]
    assert alpha.hotline("cancel", "c").code in (0, 5)

    def states() -> dict[str, str]:
        return {one["id"]: one["state"] for one in alpha.box("outbox")}

    until("the message expires", lambda: states()["e"] == "expired")
    waited = alpha.hotline(
        "send", "bravo", "w", "--id", "w", "--wait", "delivered", "--timeout", "0.2"
    )
    assert waited.code == 4
    assert states() == {"e": "expired", "c": "cancelled", "r": "queued", "w": "queued"}
    bravo.start()
    alpha.call("retry")
    alpha.settled("bravo")
    assert [one["id"] for one in bravo.box("inbox")] == ["r", "w"]
    assert states() == {"e": "expired", "c": "cancelled", "r": "delivered", "w": "delivered"}
    assert alpha.hotline("cancel", "r").code == 5


def test_a_second_daemon_on_one_store_is_refused(stations: Stations) -> None:
    """Two daemons that write one log make two histories of it."""
    alpha, bravo = stations.running_pair()
    second = hotline("--config", alpha.path, "run")
    assert second.code != 0
    assert str(alpha.state / "store.db") in second.err
    assert "daemon" in second.err
    alpha.fit()  # the first one goes on
    bravo.up("alpha")
    assert alpha.running.alive


def test_what_a_killed_daemon_left_is_no_obstacle(stations: Stations) -> None:
    """A station that needs a person with rm after a power cut stays dark for the night."""
    alpha, bravo = stations.running_pair()
    alpha.send("bravo", message("before"))
    alpha.kill()
    assert alpha.socket.is_socket()
    unreachable = alpha.hotline("send", "bravo", "x")
    assert unreachable.code == 3
    alpha.start()
    alpha.up("bravo")
    assert alpha.hotline("send", "bravo", "after", "--wait", "delivered").code == 0
    assert bravo.box("inbox")[0]["id"] == "before"


# --- full disks -----------------------------------------------------------------------------------


class SmallDisk:
    """A file system of its own under a station's state, which a test can fill."""

    def __init__(self, station: Station, size_bytes: int) -> None:
        self.folder = station.state
        self.folder.mkdir(mode=0o700)
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size_bytes},mode=700", "tmpfs", self.folder],
            check=True,
        )

    @property
    def _ballast(self) -> Path:
        return self.folder / "ballast"

    @property
    def free_bytes(self) -> int:
        """Give what is left."""
        found = os.statvfs(self.folder)
        return found.f_bavail * found.f_frsize

    def fill(self, leave_bytes: int = 0) -> None:
        """Take up all but a rest; to the last page if there shall be none."""
        with self._ballast.open("wb", buffering=0) as file:
            os.posix_fallocate(file.fileno(), 0, self.free_bytes - max(leave_bytes, MIB))
            file.seek(0, os.SEEK_END)
            with contextlib.suppress(OSError):
                while not leave_bytes:
                    file.write(bytes(4096))

    def make_room(self) -> None:
        """Give it back."""
        self._ballast.unlink()

    def unmount(self) -> None:
        """Take it away."""
        subprocess.run(["umount", self.folder], check=True)


@pytest.fixture
def pair_on_small_disks(stations: Stations) -> Iterator[tuple[Station, Station, list[SmallDisk]]]:
    """Give alpha and bravo with 160 MiB each; needs the right to mount."""
    if os.geteuid() != 0:
        pytest.skip("a small disk can only be mounted by root: full disks are not tested here")
    alpha, bravo = stations.pair()
    disks: list[SmallDisk] = []
    try:
        disks += [SmallDisk(station, 160 * MIB) for station in (alpha, bravo)]
        alpha.start()
        bravo.start()
        alpha.up("bravo")
        yield alpha, bravo, disks
    finally:
        for station in (alpha, bravo):
            station.clean_up()
        for disk in disks:
            disk.unmount()


def test_a_sender_without_disk_refuses(
    pair_on_small_disks: tuple[Station, Station, list[SmallDisk]],
) -> None:
    """A "queued" that cannot be kept is a lie; and what was queued before must still get out."""
    alpha, bravo, (disk, _) = pair_on_small_disks
    bravo.kill()
    assert alpha.hotline("send", "bravo", "kept", "--id", "kept").code == 0
    disk.fill(leave_bytes=8 * MIB)
    refused = alpha.hotline("send", "bravo", "refused", "--id", "refused")
    assert refused.code == 5
    assert "disk" in refused.err
    bravo.start()
    alpha.call("retry")
    alpha.settled("bravo")
    assert [one["id"] for one in bravo.box("inbox")] == ["kept"]
    disk.make_room()
    assert alpha.hotline("send", "bravo", "x", "--id", "refused", "--wait", "delivered").code == 0


def test_a_receiver_without_disk_says_so_and_loses_nothing(
    pair_on_small_disks: tuple[Station, Station, list[SmallDisk]],
) -> None:
    """A full disk over there must not look like a broken line, nor like a delivery."""
    alpha, bravo, (_, disk) = pair_on_small_disks
    disk.fill()
    ids = [f"big-{number}" for number in range(12)]
    for identifier in ids:
        alpha.send("bravo", message(identifier, identifier + "x" * 500_000))
    alpha.when("bravo", state="degraded", reason="peer-not-accepting")
    bravo.when("alpha", state="degraded", reason="not-accepting")
    delivered = [one["id"] for one in alpha.box("outbox") if one["state"] == "delivered"]
    assert len(delivered) < len(ids)
    assert [one["id"] for one in bravo.box("inbox")][: len(delivered)] == delivered
    assert bravo.running.alive
    disk.make_room()
    alpha.up("bravo")
    alpha.settled("bravo")
    assert [(one["id"], len(one["body"])) for one in bravo.box("inbox")] == [
        (identifier, len(identifier) + 500_000) for identifier in ids
    ]
