"""What was said from one station to another, as an onlooker knows it who stands outside of both."""

from __future__ import annotations

from dataclasses import dataclass, field

from hotline.model import Precedence, State


class Violation(AssertionError):  # noqa: N818 - it is what the page calls it
    """Something happened that must never happen."""


RANK = {
    State.QUEUED: 0,
    State.SENT: 1,
    State.DELIVERED: 2,
    State.ACKNOWLEDGED: 3,
    State.EXPIRED: 9,
    State.CANCELLED: 9,
}


def body_of(identifier: str, size: int) -> str:
    """Give what a message says: made from its id, so that nobody has to keep it."""
    text = identifier + " "
    return (text * (size // len(text) + 1))[:size]


@dataclass
class Said:
    """One message that an operator asked to send."""

    id: str
    size: int
    precedence: Precedence
    expires: bool
    is_test: bool = False
    answered: bool = False
    """The operator was told that it is queued: from then on it may not be lost."""
    cancelled: bool = False
    """The operator was told that it was taken back."""
    state: State = State.QUEUED
    asked_at: float = 0.0
    accepted_at: float = float("inf")


@dataclass
class Direction:
    """From author to reader."""

    author: str
    reader: str
    said: dict[str, Said] = field(default_factory=dict)
    shown: dict[str, int] = field(default_factory=dict)
    """Ids in the reader's inbox with their log numbers, in order."""
    cursor: int = 0
    signed: dict[bytes, tuple[int, bytes]] = field(default_factory=dict)
    sealed_at: dict[int, float] = field(default_factory=dict)
    """When a run was sealed, by the number of its last entry."""
    left: dict[int, bytes] = field(default_factory=dict)
    """Heads that left the author, by number."""
    delivered_up_to: int = 0
    """What the author holds the reader's receipt for."""
    troubled: str = ""
    """A store on this line was restored, wiped or cloned, and has not recovered."""
    lost: dict[int, set[bytes]] = field(default_factory=dict)
    """Heads that left an author whose store was exchanged since, and that the reader did not have."""

    def forget(self, now: float) -> None:
        """The author's store is an old one: what it accepted since is excused.

        What was taken back since may wait in it once more: for the order, from now on.
        """
        for one in self.said.values():
            if one.cancelled:
                one.accepted_at = now
            one.answered = one.cancelled = False
            one.state = State.QUEUED

    def took_back(self) -> None:
        """The author has its log again: all that the reader shows it must know, and for good."""
        self.troubled = ""
        for identifier in self.shown:
            one = self.said.get(identifier)
            if one is not None:
                one.answered, one.cancelled, one.state = True, False, State.QUEUED
