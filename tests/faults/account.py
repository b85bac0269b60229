"""The reckoning: every message that was accepted is in the peer's inbox, once, as it was written."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from faults.load import Ledger
from faults.sampler import Claims

from support.stations import Message

SHOWN: Final = 3


@dataclass
class Account:
    """One direction's figures; ``problems`` says in words what does not hold."""

    accepted: int = 0
    delivered: int = 0
    lost: int = 0
    duplicate: int = 0
    unknown: int = 0
    problems: list[str] = field(default_factory=list)

    def add(self, other: Account) -> None:
        """Add another direction."""
        self.accepted += other.accepted
        self.delivered += other.delivered
        self.lost += other.lost
        self.duplicate += other.duplicate
        self.unknown += other.unknown
        self.problems += other.problems


def reckon(ledger: Ledger, outbox: list[Message], inbox: list[Message], claims: Claims) -> Account:
    """Compare what one station accepted and claims with what the other one has."""
    arrived = Counter(one["id"] for one in inbox)
    told = {one["id"]: one["state"] for one in outbox}
    account = Account(accepted=len(ledger.accepted), delivered=len(arrived))
    lost = ledger.accepted - arrived.keys()
    twice = [name for name, count in arrived.items() if count > 1]
    unknown = arrived.keys() - ledger.accepted - ledger.unsure
    account.lost, account.duplicate, account.unknown = len(lost), len(twice), len(unknown)
    numbers = [one["number"] for one in inbox]
    findings = {
        "accepted and lost": lost,
        "delivered twice": twice,
        "delivered and never accepted": unknown,
        "changed on the way": [
            one["id"] for one in inbox if one["body"] != ledger.bodies.get(one["id"], one["body"])
        ],
        "delivered but not told so": [
            name for name in arrived if told.get(name) not in ("delivered", "acknowledged")
        ],
        "claimed delivered once, and not there": [
            name
            for name, state in claims.states.items()
            if state in ("delivered", "acknowledged") and name not in arrived
        ],
        "left without an end": [
            name for name, state in told.items() if state in ("queued", "sent")
        ],
        "went backwards": claims.backward,
        "out of the log's order": [] if numbers == sorted(set(numbers)) else ["numbers"],
    }
    for what, names in findings.items():
        if names:
            shown = ", ".join(sorted(names)[:SHOWN])
            account.problems.append(f"{len(names)} {what}: {shown}")
    return account
