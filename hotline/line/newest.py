"""What the peer says anew now and then: only the newest counts, and one at a time is at the disk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from hotline.line.context import Context
    from hotline.line.moment import Moment
    from hotline.store.interface import Transaction

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Said(Generic[T]):
    """What the peer said, and in which session: a later one has done nothing wrong by it."""

    session: object
    value: T


class Newest(Generic[T]):
    """The newest that came and waits, while an earlier one may be on its way to the disk."""

    def __init__(self, context: Context) -> None:
        """Start with nothing."""
        self._context = context
        self._waiting: Said[T] | None = None
        self._at_disk = 0

    @property
    def at_disk(self) -> bool:
        """Whether any is on its way to the disk."""
        return self._at_disk > 0

    @property
    def is_due(self) -> bool:
        """Whether one waits, and none before it is on its way to the disk."""
        return self._waiting is not None and not self._at_disk

    def came(self, value: T) -> None:
        """The peer said it in the session that stands; what waited counts no more."""
        self._waiting = Said(self._context.session(), value)

    def drop(self) -> None:
        """Forget what waits."""
        self._waiting = None

    def keep(self, said: Said[T]) -> None:
        """The disk has not taken it: it waits again, unless a newer one came."""
        self._waiting = self._waiting or said

    def commit(
        self,
        work: Callable[[Transaction, T], Any],
        done: Callable[[Said[T], Any, Moment], None],
    ) -> None:
        """Hand what waits, if anything does, to the disk; done hears what it was, and the outcome."""
        said, self._waiting = self._waiting, None
        if said is None:
            return

        def answered(outcome: Any, moment: Moment) -> None:
            self._at_disk -= 1
            done(said, outcome, moment)

        self._at_disk += 1
        self._context.commit(lambda tx: work(tx, said.value), answered)
