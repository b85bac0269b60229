"""Short spellings of what is long: a card by its name, a signature by the number of its signer.

No fuzzer guesses a signature or keeps one good while it changes what was signed, so nothing behind a
signature would ever be reached; and a card of eight kilobytes is eight kilobytes of dull places. Here
a blob of one byte where a signature belongs is signed as the target's station would, and a blob that is
one of ``words`` becomes what it names. Whatever is not understood stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import msgpack  # type: ignore[import-untyped]

from hotline.evidence import runs
from hotline.model import Position
from hotline.strict import U64_MAX
from hotline.wire import heads
from hotline.wire.frames import NUMBER_MAX
from support.line_world import NAMES, identity, successor

if TYPE_CHECKING:
    from hotline.identity import Card, SecretKeys

GENERATIONS: Final = 3


@dataclass
class Words:
    """Everything that has a short name: ``north``, ``north.2`` (cards), ``north>2`` (a succession)."""

    bytes_of: dict[bytes, bytes] = field(default_factory=dict)
    keys_of: dict[bytes, SecretKeys] = field(default_factory=dict)
    """By the encoded card."""
    card_of: dict[bytes, Card] = field(default_factory=dict)
    """By the encoded card, or the succession to it."""

    def expand(self, value: Any) -> Any:
        """Give value with every word in it replaced."""
        if isinstance(value, tuple):
            return tuple(map(self.expand, value))
        return self.bytes_of.get(value, value) if isinstance(value, bytes) else value

    def signers(self, founding: Any, successions: Any) -> list[tuple[Card, SecretKeys]]:
        """Give the cards of one side whose keys are at hand."""
        if not isinstance(successions, tuple):
            return []
        known = [self.card_of.get(one) for one in (founding, *successions) if type(one) is bytes]
        return [(card, self.keys_of[card.encoded]) for card in known if card is not None]


@cache
def words() -> Words:
    """Give the stations' cards and successions, the same in every run."""
    made = Words()
    for name in NAMES:
        keys, card = identity(name)
        made.bytes_of[name.encode()] = card.encoded
        for number in range(2, GENERATIONS + 2):
            made.keys_of[card.encoded] = keys
            made.card_of[card.encoded] = card
            if number > GENERATIONS:
                break
            succession, keys = successor(name, card, keys, number)
            card = succession.card
            made.bytes_of[f"{name}.{number}".encode()] = card.encoded
            made.bytes_of[f"{name}>{number}".encode()] = succession.encoded
            made.card_of[succession.encoded] = card
    return made


def unpacked(data: bytes) -> Any:
    """Give what data spells, however carelessly; None for nothing at all."""
    try:
        return msgpack.unpackb(data, use_list=False, strict_map_key=False, max_array_len=4096)
    except (ValueError, TypeError, RecursionError, msgpack.UnpackException):
        return None


def packed(value: Any) -> bytes:
    """Spell a value that was unpacked."""
    data: bytes = msgpack.packb(value)
    return data


def cut(data: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """Give the pieces of a run (kind, body), and what follows the last whole one."""
    found, at = [], len(runs.MAGIC)
    while len(data) >= at + 4:
        end = at + 4 + int.from_bytes(data[at + 1 : at + 4], "big")
        if len(data) < end:
            break
        found.append((data[at], data[at + 4 : end]))
        at = end
    return found, data[at:]


def joined(pieces: list[tuple[int, bytes]]) -> bytes:
    """Spell a run again."""
    spelled = [bytes([kind]) + len(body).to_bytes(3, "big") + body for kind, body in pieces]
    return runs.MAGIC + b"".join(spelled)


def run_file(data: bytes) -> bytes:
    """Give the run of a log that data is short for."""
    if not data.startswith(runs.MAGIC):
        return data
    pieces, rest = cut(data)
    signing = _Signing()
    return joined([(kind, signing.filled(kind, body)) for kind, body in pieces]) + rest


class _Signing:
    """Follows a run, and signs where it asks for that."""

    def __init__(self) -> None:
        self._writers: list[tuple[Card, SecretKeys]] = []
        self._readers: list[tuple[Card, SecretKeys]] = []
        self._zero = self._back = b""
        self._place = Position(0, b"")

    def filled(self, kind: int, body: bytes) -> bytes:
        values = unpacked(body)
        if not isinstance(values, tuple):
            return body
        changed = self._changed(kind, values)
        return body if changed == values else packed(changed)

    def _changed(self, kind: int, values: tuple[Any, ...]) -> tuple[Any, ...]:
        number, head = self._place.number, self._place.head
        match kind, values:
            case runs.HEADER, (_, _, _, _, _, int(first), _) if 1 <= first <= NUMBER_MAX:
                return self._header(words().expand(values), first)
            case runs.ENTRIES, (tuple(entries),):
                for entry in entries:
                    if isinstance(entry, bytes):
                        number, head = number + 1, heads.next_head(head, entry)
                self._place = Position(number, head)
            case runs.SIGNATURE, (bytes(mark),) if len(mark) == 1 and self._writers:
                keys = self._writers[mark[0] % len(self._writers)][1]
                return (keys.sign_ed25519(heads.head_message(self._zero, number, head)),)
            case runs.RECEIPT, (int(time_ns), bytes(mark)) if len(mark) == 1 and self._readers:
                if not 0 <= time_ns <= U64_MAX:
                    return values
                keys = self._readers[mark[0] % len(self._readers)][1]
                message = heads.receipt_message(self._zero, number, head, time_ns)
                return time_ns, keys.sign_ed25519(message)
            case ((runs.WRITERS | runs.READERS), (int(), bytes(), int(), bytes(mark))):
                if len(mark) == 1:
                    return self._checkpoint(kind, values)
        return values

    def _header(self, values: tuple[Any, ...], first: int) -> tuple[Any, ...]:
        tag, writer, reader, writers, readers, first, before = values
        self._writers = words().signers(writer, writers)
        self._readers = words().signers(reader, readers)
        if self._writers and self._readers:
            ids = self._writers[0][0].id, self._readers[0][0].id
            self._zero, self._back = heads.head_zero(*ids), heads.head_zero(*reversed(ids))
        if before == b"zero":
            before = self._zero
        if isinstance(before, bytes):
            self._place = Position(first - 1, before)
        return tag, writer, reader, writers, readers, first, before

    def _checkpoint(self, kind: int, values: tuple[Any, ...]) -> tuple[Any, ...]:
        number, head, time_ns, mark = values
        signers = self._writers if kind == runs.WRITERS else self._readers
        if not (signers and 0 <= number <= NUMBER_MAX and 0 <= time_ns <= U64_MAX):
            return values
        own, peer = (self._zero, self._place), (self._back, Position(number, head))
        if kind == runs.READERS:
            own, peer = peer, own
        message = heads.checkpoint_message(*own, *peer, time_ns)
        signature = signers[mark[0] % len(signers)][1].sign_mldsa(message, heads.CHECKPOINT_CONTEXT)
        return number, head, time_ns, signature


def succession(data: bytes) -> bytes:
    """Give the succession that data is short for: of a signed part, and four signers' marks."""
    match unpacked(data):
        case (bytes(signed_part), bytes() as a, bytes() as b, bytes() as c, bytes() as d):
            part = unpacked(signed_part)
            if isinstance(part, tuple):
                expanded = tuple(map(_id_or_card, range(len(part)), part))
                signed_part = signed_part if expanded == part else packed(expanded)
            marks = (a, b, c, d)
            return packed((signed_part, *map(_signed, range(4), marks, [signed_part] * 4)))
    return data


CONTEXT: Final = b"hotline/1 succession"


def _id_or_card(at: int, value: Any) -> Any:
    card = words().expand(value)
    return card if at != 1 or card == value else words().card_of[card].id


def _signed(at: int, mark: bytes, signed_part: bytes) -> bytes:
    keys = list(words().keys_of.values())
    if len(mark) != 1 or mark[0] >= len(keys):
        return mark
    signer = keys[mark[0]]
    if at % 2:
        return signer.sign_mldsa(signed_part, CONTEXT)
    return signer.sign_ed25519(CONTEXT + signed_part)
