"""Reminders: what is said of marks and keys, days ahead, to the day."""

from pathlib import Path

import pytest

from hotline.daemon.config import StationConfig
from hotline.daemon.trust import Trust, halt_of, line_notices, station_notices
from hotline.model import KeyChange, Mark, Side
from hotline.store.sqlite import SqliteStore

DAY_NS = 86400 * 10**9
NOW_NS = 1_795_443_000_000_000_000
CONFIG = StationConfig(*(Path("x"), "x", Path("x"), Path("x"), Path("x")))


def days_ago(days: float) -> int:
    return NOW_NS - int(days * DAY_NS)


def codes(trust: Trust, key_age: float = 0.0, config: StationConfig = CONFIG) -> list[str]:
    return [one["code"] for one in line_notices(trust, days_ago(key_age), config, NOW_NS)]


def test_a_line_that_was_never_verified_says_so() -> None:
    """The pair code is what stands between a line and a card that was swapped on its way."""
    assert codes(Trust()) == ["never-verified"]
    assert codes(Trust(Mark("anna", NOW_NS))) == []


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        (0, []),
        (334.9, []),
        (335, ["verify-due"]),
        (364.9, ["verify-due"]),
        (365, ["verify-old"]),
        (4000, ["verify-old"]),
        (-10, []),
    ],
)
def test_a_comparison_grows_old(age: float, expected: list[str]) -> None:
    """A reminder that comes on the day itself comes too late for two people to meet."""
    assert codes(Trust(Mark("anna", days_ago(age)))) == expected


@pytest.mark.parametrize(
    ("age", "expected"), [(699.9, []), (700, ["key-due"]), (729.9, ["key-due"]), (730, ["key-old"])]
)
def test_keys_grow_old(age: float, expected: list[str]) -> None:
    """Both stations' keys: only their own operators can replace them, so each side reminds."""
    found = station_notices(days_ago(age), CONFIG, NOW_NS)
    assert [one["code"] for one in found] == expected
    peer = codes(Trust(Mark("anna", NOW_NS)), key_age=age)
    assert peer == [f"peer-{one}" for one in expected]


def test_a_short_period_does_not_remind_from_its_first_day() -> None:
    """With a period of ten days, a notice of thirty days ahead would stand for ever."""
    config = StationConfig(
        *(Path("x"), "x", Path("x"), Path("x"), Path("x")), verify_days=10, key_days=1
    )
    assert codes(Trust(Mark("anna", days_ago(0.5))), config=config) == []
    assert codes(Trust(Mark("anna", days_ago(1))), config=config) == ["verify-due"]
    assert codes(Trust(Mark("anna", days_ago(10))), 1, config) == ["verify-old", "peer-key-old"]


def test_a_revoked_card_asks_for_nothing() -> None:
    """Nobody should be sent to compare the pair code of a card that is refused."""
    revoked = Mark("bela", NOW_NS)
    assert codes(Trust(None, revoked), key_age=9999) == []
    halt = halt_of(revoked)
    assert (halt.code, halt.at_ns) == ("revoked", NOW_NS)
    assert "bela" in halt.text


OWN, FIRST, SECOND, THIRD, STRANGER = (bytes([n]) * 32 for n in range(5))


@pytest.mark.parametrize("refused", [FIRST, SECOND, THIRD], ids=["first", "second", "third"])
def test_a_card_is_refused_with_all_that_its_station_has_used(
    tmp_path: Path, refused: bytes
) -> None:
    """Who was refused comes again with the card before, or with the one after."""
    store = SqliteStore.open(tmp_path / "store.db", station_id=OWN)
    line, mark = store.add_line("south", FIRST), Mark("bela", NOW_NS)
    store.add_line("west", STRANGER)
    store.transact(
        [
            lambda tx: tx.put_key_change(line, Side.PEER, KeyChange(3, SECOND, b"s")),
            lambda tx: tx.put_key_change(line, Side.PEER, KeyChange(9, THIRD, b"s")),
            lambda tx: tx.put_revocation(refused, mark),
        ]
    )

    def trust(peer_id: bytes) -> Trust:
        return store.read(lambda reader: Trust.read(reader, OWN, peer_id))

    assert [trust(one).revoked for one in (FIRST, SECOND, THIRD)] == [mark] * 3
    assert trust(STRANGER).revoked is None
    store.close()
