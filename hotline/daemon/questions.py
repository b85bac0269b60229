"""What the daemon asks of its store outside of commits, and who learns that it could not answer."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

import trio

from hotline.errors import RefusedError, StoreDamagedError, StoreError, StoreFullError
from hotline.limits import DISK_RESERVE_BYTES, INCOMING_RESERVE_BYTES
from hotline.text import size

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    from structlog.typing import FilteringBoundLogger

    from hotline.store.interface import Reader, Store
    from hotline.store.views import Damaged, Pass

T = TypeVar("T")

_DAMAGE_TOLD: Final = 1024
"""Damaged rows that are told of, each once: of more, nobody needs to be told."""


class Questions:
    """Whoever asks is told of a failure; so is the station if it is more than one row's."""

    def __init__(
        self,
        store: Store,
        in_thread: Callable[[Callable[[], Any]], Awaitable[Any]],
        failed: Callable[[StoreError], None],
        log: FilteringBoundLogger,
        move_wal: Callable[[], Awaitable[None]],
    ) -> None:
        """Read store in_thread; failed is called when nothing that it says can be trusted any more.

        ``move_wal`` is for between two questions, where too many have kept the log from being moved.
        """
        self._store = store
        self._in_thread = in_thread
        self._failed = failed
        self._log = log
        self._move_wal = move_wal
        self._turn = trio.Lock()
        self._told: set[str] = set()

    async def read(self, work: Callable[[Reader], T]) -> T:
        """Read the store without holding up the event loop, however slow the disk is."""
        with self.judged():
            if not self._store.is_crowded():
                return await self._ask(work)
            async with self._turn:
                await self._move_wal()
                return await self._ask(work)

    async def _ask(self, work: Callable[[Reader], T]) -> T:
        found: T = await self._in_thread(partial(self._store.read, work))
        return found

    async def read_round(self, work: Callable[[Reader, Pass], T]) -> tuple[T, list[Damaged]]:
        """Read, and go round what is damaged; the alarm over that is raised here."""
        damaged: list[Damaged] = []
        found = await self.read(lambda reader: work(reader, damaged.append))
        for one in damaged:
            self.damaged(one.error)
        return found, damaged

    def check_disk(self, folder: Path) -> None:
        """Raise RefusedError if the disk, which holds folder, has no room to promise anything."""
        with self.judged():
            free = self._store.free_bytes()
        if free < DISK_RESERVE_BYTES:
            raise RefusedError(
                "disk-full",
                f"the disk under {folder} has {size(free)} left",
                hint=f"make room: messages are taken while {size(DISK_RESERVE_BYTES)} are free",
            )

    def has_room(self) -> bool:
        """Tell whether the peer's entries may be taken in."""
        try:
            with self.judged():
                return self._store.free_bytes() >= INCOMING_RESERVE_BYTES
        except StoreError:
            return False

    def damaged(self, error: StoreDamagedError) -> None:
        """Raise the alarm over a row that somebody met, once."""
        why = str(error)
        if why not in self._told and len(self._told) < _DAMAGE_TOLD:
            self._told.add(why)
            self._log.critical("store_damaged", why=why, hint=error.hint)

    @contextmanager
    def judged(self) -> Iterator[None]:
        """Judge what a question inside meets, and pass it on."""
        try:
            yield
        except StoreFullError:
            raise
        except StoreDamagedError as error:
            self.damaged(error)
            raise
        except StoreError as error:
            # On an idle line no commit would find it out for hours, and the line would say "up".
            self._failed(error)
            raise
