"""Writes of which the kernel takes a part: the limit of a file's size falls into the middle of one."""

from __future__ import annotations

import resource
import time

from faults.arena import Arena
from faults.catalogue import scenario
from faults.disk_errors import STORE_FAILED

from support.processes import until

KIB = 1024
_LEAST_KIB = 128
"""The logs of events, which must tell of it, stay below this; the store's log grows beyond it."""

_ROTATE_BYTES = 64 * KIB
_FRAME_BYTES = 4096 + 24
"""One page in the store's write-ahead log, with its header: where in it a write is cut is random."""

_ENDS_S = 30.0


@scenario("cut-write")
def cut_write(arena: Arena) -> None:
    """Half a page that the kernel took, and then an error, must not be taken for a commit."""
    for station in arena.pair:
        station.log_settings = {"rotate_bytes": _ROTATE_BYTES, "keep": 2}
        station.write()
    arena.begin()
    arena.load()
    cut = 0
    for number in range(4 if arena.short else 40):
        victim = arena.pair[number % 2]
        log = victim.state / "store.db-wal"
        until("the store's log grows", lambda p=log: p.stat().st_size > _LEAST_KIB * KIB)  # type: ignore[misc]
        victim.stderr.write_bytes(b"")
        limit = log.stat().st_size + arena.rng.randrange(1, 2 * _FRAME_BYTES)
        began = time.monotonic()
        resource.prlimit(victim.pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        code = victim.running.wait(_ENDS_S)
        arena.figures.detected_s.append(time.monotonic() - began)
        cut += int(log.exists() and log.stat().st_size == limit)
        arena.expect(f"exit code {STORE_FAILED}, not {code}", holds=code == STORE_FAILED)
        said = victim.stderr.read_text()
        arena.expect("an alarm is raised", holds="store_failed" in said)
        began = time.monotonic()
        victim.start()
        arena.figures.recovered_s.append(arena.watch_until_up(began) - began)
    arena.fired("writes cut in the middle", times=cut)
    arena.settle()
