"""How often a message went out is known at once, however often a link has broken since."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from store import acts
from store.acts import OWN_ID, do, outgoing

from hotline.model import Side
from hotline.store import connection, migrations, schema
from hotline.store.sqlite import SqliteStore
from hotline.wire.heads import head_zero

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from hotline.store.interface import Store, Transaction

ENTRIES = 12
RANGES = st.tuples(st.integers(0, ENTRIES - 1), st.integers(1, 6)).map(lambda r: (r[0], sum(r)))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqliteStore]:
    store = SqliteStore.open(tmp_path_factory.mktemp("store") / "s.db", station_id=OWN_ID)
    yield store
    store.close()


def new_line(store: Store) -> int:
    """Give a line of its own, with a log."""
    count = len(store.read(lambda r: r.lines()))
    line = store.add_line(f"line{count}", count.to_bytes(32, "big"))
    acts.send(store, line, *(outgoing(f"m{number}") for number in range(1, ENTRIES + 1)))
    return line


def attempts(store: Store, line: int) -> list[int]:
    return [view.attempts for view in store.read(lambda r: r.page(Side.OWN, line=line, after=0))]


def counted(ranges: Iterable[tuple[int, int]]) -> list[int]:
    """Count by hand: after is excluded, upto is not."""
    found = list(ranges)
    return [1 + sum(a < n <= upto for a, upto in found) for n in range(1, ENTRIES + 1)]


@given(st.lists(RANGES, max_size=12))
def test_each_time_counts_for_each_entry(store: SqliteStore, ranges: list[tuple[int, int]]) -> None:
    """Also where a peer that lost its store has had sent again what lay far behind."""
    before, line, behind = (new_line(store) for _ in range(3))
    for after, upto in ranges:
        acts.resume(store, line, after, upto)
    assert attempts(store, line) == counted(ranges)
    assert attempts(store, before) == attempts(store, behind) == counted(())


def test_a_link_that_breaks_for_ever_makes_no_old_message_dear(store: SqliteStore) -> None:
    """A page of old messages took a minute after a year of short sessions, and held the log up."""
    line = new_line(store)
    steps = 0

    def step() -> bool:
        nonlocal steps
        steps += 1
        return False

    def look(tx: Transaction) -> None:
        tx.find(line, Side.OWN, "m1")

    def cost() -> int:
        nonlocal steps
        steps = 0
        store._database.set_progress_handler(step, 1)
        do(store, look)
        store._database.set_progress_handler(None)
        return steps

    acts.resume(store, line, ENTRIES, ENTRIES + 1)
    little = cost()
    for number in range(ENTRIES, ENTRIES + 500):
        acts.resume(store, line, number, number + 2)
    assert cost() <= little + 10


def test_what_goes_again_and_again_takes_no_room(store: SqliteStore) -> None:
    """A peer that plays with its flag, or a link that never carries it, must not fill the disk."""
    line = new_line(store)
    rows = [store._database.execute("SELECT count(*) FROM resent").get]
    for _ in range(2):
        for _ in range(5):
            acts.resume(store, line, 3, 6)
        rows.append(store._database.execute("SELECT count(*) FROM resent").get)
    assert rows[1:] == [rows[0] + 2] * 2
    assert attempts(store, line)[3:6] == [11] * 3


def test_a_store_of_before_keeps_its_counts(tmp_path: Path) -> None:
    """Whoever looks at an old message must not read that it went out once."""
    path = tmp_path / "s.db"
    path.touch(mode=0o600)
    database = connection.connect(path, None)
    schema.migrate(database, migrations.steps()[:6])
    schema.claim(database, path, OWN_ID)
    ranges = {1: [(0, 3), (1, 3), (1, 3), (2, 9), (0, 20)], 2: [(5, 7)], 3: []}
    for line, found in ranges.items():
        peer_id = bytes([line]) * 32
        database.execute(
            "INSERT INTO line (name, peer_id, own_id, own_number, own_head, peer_number, peer_head)"
            " VALUES (?, ?, ?, 0, ?, 0, ?)",
            (
                f"line{line}",
                peer_id,
                OWN_ID,
                head_zero(OWN_ID, peer_id),
                head_zero(peer_id, OWN_ID),
            ),
        )
        for after, upto in found:
            database.execute(
                "INSERT INTO resumption (line, upto, after, at_ns) VALUES (?, ?, ?, 5)",
                (line, upto, after),
            )
    database.close()
    store = SqliteStore.open(path, station_id=OWN_ID)
    for line, found in ranges.items():
        acts.send(store, line, *(outgoing(f"m{number}") for number in range(1, ENTRIES + 1)))
        assert attempts(store, line) == counted(found)
        acts.resume(store, line, 1, 6)
        assert attempts(store, line) == counted([*found, (1, 6)])
    store.close()
