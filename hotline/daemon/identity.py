"""This station's identities, read from its files: the one of the configuration, and its successors."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from hotline.errors import ConfigError, LocalMisuseError
from hotline.identity import read_card, read_secret_keys
from hotline.identity.courierkey import CourierKey, CourierSecret
from hotline.identity.keyfile import once
from hotline.identity.successors import FIRST, Names, read_successions
from hotline.line.lineage import Generation
from hotline.line.pairing import Pairing

if TYPE_CHECKING:
    from pathlib import Path

    from hotline.daemon.config import LineConfig, StationConfig
    from hotline.identity import Card, SecretKeys
    from hotline.identity.keyfile import PassphraseSource
    from hotline.identity.succession import Succession


class Identity:
    """This station's keys and cards, checked to belong together; old keys may have been destroyed."""

    def __init__(
        self,
        config: StationConfig,
        passphrase: PassphraseSource | None = None,
        before: Identity | None = None,
    ) -> None:
        """Read them, with passphrase if a key has one; raises IdentityError or ConfigError.

        What was read before is not read again: a protected key takes a while to open.
        """
        self._config = config
        self.card = read_card(config.card)
        if self.card.name != config.name:
            raise ConfigError(
                f"card {config.card} names station {self.card.name}, not {config.name}",
                hint=f"under [station] in {config.path}, name the card of this station: card ="
                f' "{config.name}.card"; or, if the card is right, set name = "{self.card.name}"',
            )
        self.successions: list[Succession] = read_successions(config.card, self.card)
        self._key_files = [config.key] + [
            Names.of(config.key, config.card, number).key
            for number, _ in enumerate(self.successions, FIRST)
        ]
        asked = once(passphrase) if passphrase is not None else None
        cards = [self.card, *(one.card for one in self.successions)]
        last = len(cards) - 1
        self.generations: list[Generation] = []
        if before is not None:
            self.generations += before.generations
        for place in range(len(self.generations), len(cards)):
            card, path = cards[place], self._key_files[place]
            self.generations.append(
                Generation(card, _keys(path, card, asked, needed=place == last))
            )

    @property
    def newest(self) -> Card:
        """The card of the newest keys."""
        return self.generations[-1].card

    def courier_key(self) -> CourierKey:
        """Give the courier key of the newest keys, signed."""
        keys = self.generations[-1].keys
        if keys is None:
            raise LocalMisuseError("the newest keys are always here")
        return CourierKey.make(keys, self.newest, CourierSecret(keys))

    @property
    def old_key_files(self) -> list[Path]:
        """The key files of identities that have a successor, as far as they are still there."""
        return [path for path in self._key_files[:-1] if os.path.lexists(path)]

    def pair(self, line: LineConfig, peer: Card, secret: bytes) -> Pairing:
        """Give a line's pairing, with all that the files know of both stations' successors.

        Raises IdentityError or ConfigError.
        """
        first = self._founding(line)
        founding = self.generations[first]
        pairing = Pairing(founding.keys, founding.card, peer, secret)
        for generation in self.generations[first + 1 :]:
            pairing.owns.add(generation)
        for succession in read_successions(line.card, peer):
            pairing.peers.add(Generation(succession.card))
        return pairing

    def succession_to(self, card: Card) -> Succession:
        """Give the succession to a card of ours that has one."""
        return next(one for one in self.successions if one.card.id == card.id)

    def _founding(self, line: LineConfig) -> int:
        """Give which of our cards the peer has pinned."""
        if line.own_card is None:
            return 0
        pinned = read_card(line.own_card).id
        for place, generation in enumerate(self.generations):
            if generation.card.id == pinned:
                return place
        raise ConfigError(
            f"line {line.name}: own_card {line.own_card} is not a card of this station",
            hint="name the card of this station that the peer was given",
        )


def _keys(
    path: Path, card: Card, passphrase: PassphraseSource | None, *, needed: bool
) -> SecretKeys | None:
    if not needed and not os.path.lexists(path):
        return None
    keys = read_secret_keys(path, passphrase)
    if keys.public() != card.public():
        raise ConfigError(
            f"card {card.id.hex()[:16]} of {card.name} does not belong to key {path}",
            hint="restore the pair that was made together",
        )
    return keys
