"""The SQLite store holds what every store must hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from store.acts import OWN_ID
from store.conformance import StoreConformance

from hotline.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from pathlib import Path


class TestSqliteStore(StoreConformance):
    OPEN: ClassVar[str] = (
        "from hotline.store.sqlite import SqliteStore\n"
        "store = SqliteStore.open(path, station_id=station_id)"
    )

    def open(self, path: Path) -> SqliteStore:
        return SqliteStore.open(path, station_id=OWN_ID)
