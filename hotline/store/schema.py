"""Is this file a store of ours, of this station, at a version that we know?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hotline.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import apsw

APPLICATION_ID: Final = int.from_bytes(b"HtLn", "big")
"""Stands in the header of each store, where file(1) and we can see whose it is."""


def inspect(database: apsw.Connection, path: Path, known: int) -> None:
    """Raise StoreError unless path is empty or a store at a version of at most known."""
    application = database.pragma("application_id")
    version = database.pragma("user_version")
    tables = database.execute("SELECT count(*) FROM sqlite_schema").get
    if not application and not version and not tables:
        return
    if application != APPLICATION_ID:
        raise StoreError(
            f"{path}: this file is not a hotline store",
            hint="name another file in the configuration",
        )
    if version > known:
        raise StoreError(
            f"{path}: the store has schema {version}, this hotline knows up to {known}",
            hint="run the newer hotline that made it",
        )


def migrate(database: apsw.Connection, steps: Sequence[str]) -> None:
    """Take the steps that the store has not taken yet: all of them, or none."""
    version = database.pragma("user_version")
    if version == len(steps):
        return
    database.execute("BEGIN IMMEDIATE")
    try:
        for step in steps[version:]:
            database.execute(step).fetchall()
        database.pragma("application_id", APPLICATION_ID)
        database.pragma("user_version", len(steps))
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise


def claim(database: apsw.Connection, path: Path, station_id: bytes) -> None:
    """Make a fresh store station_id's; raise StoreError if it is another station's."""
    owner = database.execute("SELECT id FROM station").get
    if owner is None:
        database.execute("INSERT INTO station VALUES (1, ?)", (station_id,))
    elif owner != station_id:
        raise StoreError(
            f"{path}: the store belongs to another station, {owner.hex()[:16]}",
            hint="use the key that this store was made with, or name a new file",
        )
