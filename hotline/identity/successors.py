"""Where the files of a station's later identities lie: numbered, beside the first ones.

    alpha.key    alpha.card                         the identity that the configuration names
    alpha.2.key  alpha.2.card  alpha.2.succession   its successor; then 3, and so on

The succession is written last: where it stands, the identity is whole. A peer's successions stand in
the same way beside its pinned card, where its operator has handed them over.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from hotline.errors import IdentityError
from hotline.identity.card import Card, read_card, write_card
from hotline.identity.keyfile import PassphraseSource, read_secret_keys, write_secret_keys
from hotline.identity.keys import SecretKeys
from hotline.identity.keyseal import Protection
from hotline.identity.succession import (
    Succession,
    read_claim,
    read_succession,
    write_succession,
)

FIRST: Final = 2
"""The number of the first successor."""

MOST: Final = 10_000
"""More than one a day for twenty-seven years; whatever numbers the files have, reading them ends."""


@dataclass(frozen=True, slots=True)
class Names:
    """The files of one successor."""

    key: Path
    card: Path
    succession: Path

    @classmethod
    def of(cls, key: Path, card: Path, number: int) -> Names:
        """Give the names beside those of the first identity."""
        return cls(
            key.with_name(f"{key.stem}.{number}{key.suffix}"),
            card.with_name(f"{card.stem}.{number}{card.suffix}"),
            _succession(card, number),
        )


@dataclass(frozen=True, slots=True)
class Made:
    """A new identity: its card, its keys, and the succession to it."""

    card: Card
    keys: SecretKeys
    succession: Succession


def _succession(card: Path, number: int) -> Path:
    return card.with_name(f"{card.stem}.{number}.succession")


def read_successions(path: Path, founding: Card) -> list[Succession]:
    """Give the successions beside the card in path, in order; raises IdentityError for a bad one."""
    cards, found = [founding], []
    for number in range(FIRST, MOST):
        file = _succession(path, number)
        if not os.path.lexists(file):
            break
        found.append(read_succession(file, cards))
        cards.append(found[-1].card)
    return found


def linked_ids(path: Path, card: Card) -> list[bytes]:
    """Give the ids of card, and of what successions in the folder of path link with it.

    What follows counts if the card before it signed for it; what went before, if the card itself says
    so. Raises IdentityError for a file that is no succession.
    """
    files = sorted(islice(path.parent.glob("*.succession"), MOST))
    claims = [(file, read_claim(file)) for file in files]
    ids, cards, first = [card.id], [card], card.id
    for _ in claims:  # each can add one card at either end
        for file, claim in claims:
            if claim.card.id == first and claim.old_id not in ids:
                first = claim.old_id
                ids.append(first)
            if claim.old_id == cards[-1].id and claim.card.id not in ids:
                try:
                    cards.append(read_succession(file, cards).card)
                except IdentityError:
                    continue  # a new card that the old one never heard of
                ids.append(cards[-1].id)
    return ids


def newest_card(path: Path) -> Card:
    """Give the newest card of the station whose first one is in path; raises IdentityError."""
    founding = read_card(path)
    return next((one.card for one in reversed(read_successions(path, founding))), founding)


def key_files(key: Path, card: Path) -> list[Path]:
    """Give the secret key files of a station that are there, oldest first; one name at least."""
    successions = read_successions(card, read_card(card))
    names = [Names.of(key, card, number).key for number, _ in enumerate(successions, FIRST)]
    every = [key, *names]
    return [path for path in every if os.path.lexists(path)] or every[-1:]


def make_successor(
    names: Names,
    old: tuple[Card, SecretKeys],
    protection: Protection | None,
    passphrase: PassphraseSource | None,
    random: Callable[[int], bytes],
    now_ns: int,
) -> Made:
    """Make the next identity as files, each durable before the next, overwriting none.

    Goes on where an earlier call was cut: what stands is read and used. Raises IdentityError.
    """
    card, keys = old
    if os.path.lexists(names.key):
        new_keys = read_secret_keys(names.key, passphrase)
    else:
        new_keys = SecretKeys.generate(random)
        write_secret_keys(names.key, new_keys, protection)
    if not os.path.lexists(names.card):
        write_card(names.card, Card.make(card.name, new_keys, now_ns))
    new = read_card(names.card)
    if new.public() != new_keys.public():
        raise IdentityError(
            f"card {names.card} does not belong to key {names.key}",
            hint="they are left over from something else: move them away",
        )
    if not os.path.lexists(names.succession):
        write_succession(names.succession, Succession.make(card, keys, new, new_keys, now_ns))
    return Made(new, new_keys, read_succession(names.succession, [card]))
