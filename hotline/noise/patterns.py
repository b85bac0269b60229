"""Handshake patterns as data, and the modifiers that change them (sections 7 and 9, hfs section 5).

The product speaks one pattern, KK. A pattern is not checked against the rules of section 7.3: all
patterns that exist are written down here or in the tests, and outside vectors prove those.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

from hotline.errors import LocalMisuseError

Token: TypeAlias = Literal["e", "s", "ee", "es", "se", "ss", "psk", "e1", "ekem1"]

_DH_TOKENS: Final[tuple[Token, ...]] = ("ee", "es", "se", "ss")
_PSK_MODIFIER: Final = re.compile(r"psk([0-9])")


@dataclass(frozen=True, slots=True)
class HandshakePattern:
    """Both pre-messages, and the tokens of each message, beginning with the initiator's."""

    name: str
    initiator_pre_message: tuple[Token, ...]
    responder_pre_message: tuple[Token, ...]
    messages: tuple[tuple[Token, ...], ...]

    def has(self, token: Token) -> bool:
        """Say whether any message contains token."""
        return any(token in message for message in self.messages)

    def count_psks(self) -> int:
        """Count the pre-shared keys that the handshake mixes in."""
        return sum(message.count("psk") for message in self.messages)

    def modified(self, modifier: str) -> HandshakePattern:
        """Give this pattern with one modifier applied: ``hfs`` or ``psk0`` to ``psk9``.

        Raises LocalMisuseError for an unknown modifier, or one that this pattern cannot take.
        """
        if modifier == "hfs":
            return self._with_hfs()
        if match := _PSK_MODIFIER.fullmatch(modifier):
            return self._with_psk(int(match[1]))
        raise LocalMisuseError(f"unknown pattern modifier {modifier!r}")

    def _with_psk(self, place: int) -> HandshakePattern:
        """Put a psk before the first message's tokens, or after message number place's."""
        if place > len(self.messages):
            raise LocalMisuseError(f"pattern {self.name} has no message {place} for psk{place}")
        index = max(place - 1, 0)
        message = self.messages[index]
        return self._with_message(index, ("psk", *message) if place == 0 else (*message, "psk"))

    def _with_hfs(self) -> HandshakePattern:
        """Put e1 after the first e, or after that message's first DH, and ekem1 after the first ee.

        The draft's prose says this, and so do its tables for NK, XK and IK. Its table for KK alone
        has "e, e1, es, ss"; the prose, which keeps the KEM public key encrypted, is followed.
        """
        if not self.has("ee"):
            raise LocalMisuseError(f"pattern {self.name} has no ee for hfs")
        # Every pattern begins with the initiator's e (section 7.3).
        anchor: Token = next((token for token in self.messages[0] if token in _DH_TOKENS), "e")
        return self._insert_after(anchor, "e1")._insert_after("ee", "ekem1")

    def _insert_after(self, anchor: Token, token: Token) -> HandshakePattern:
        """Put token directly after the first occurrence of anchor."""
        index = next(i for i, message in enumerate(self.messages) if anchor in message)
        message = self.messages[index]
        place = message.index(anchor) + 1
        return self._with_message(index, (*message[:place], token, *message[place:]))

    def _with_message(self, index: int, message: tuple[Token, ...]) -> HandshakePattern:
        return replace(
            self, messages=(*self.messages[:index], message, *self.messages[index + 1 :])
        )


KK: Final = HandshakePattern("KK", ("s",), ("s",), (("e", "es", "ss"), ("e", "ee", "se")))

PATTERNS: Final = {KK.name: KK}
"""Handshake patterns by their name in a protocol name."""
