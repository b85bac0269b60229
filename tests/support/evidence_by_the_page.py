"""Evidence and runs read by another maker's program: docs/protocol.md, and nothing of Hotline.

Whatever is wrong is an AssertionError, or what the primitives raise.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha512
from typing import Any

from cryptography.exceptions import InvalidSignature

from support.by_the_page import Card, Log, entry, read_succession, strict, unarmoured

MESSAGE, PART, ACKNOWLEDGEMENT, KEY_CHANGE = 1, 2, 3, 5


class Keys:
    """One side's cards, and the numbers behind which each but the first is in force."""

    def __init__(self, founding: Card) -> None:
        self.cards, self.numbers = [founding], [0]

    def change(self, number: int, succession: bytes) -> Card:
        """Take the next card, which is in force behind an entry."""
        _, card, _ = read_succession(succession, self.cards[-1])
        assert number > self.numbers[-1]
        self.cards.append(card)
        self.numbers.append(number)
        return card

    def check_ed25519(self, number: int, signature: bytes, text: bytes) -> None:
        """The key in force at a number, or a later one."""
        in_force = max(at for at, begins in enumerate(self.numbers) if begins < number or not at)
        for card in self.cards[in_force:-1]:
            try:
                return card.check_ed25519(signature, text)
            except InvalidSignature:
                continue
        return self.cards[-1].check_ed25519(signature, text)


def head_zero(writer: Card, reader: Card) -> bytes:
    return sha512(b"hotline/1 log" + writer.id + reader.id).digest()


def u64(number: int) -> bytes:
    return number.to_bytes(8, "big")


def check_checkpoint(signer: Card, other: Card, body: list[Any]) -> None:
    """Both logs, the signer's own first."""
    own, own_head, peer, peer_head, time_ns, signature = body
    text = head_zero(signer, other) + u64(own) + own_head
    text += head_zero(other, signer) + u64(peer) + peer_head + u64(time_ns)
    signer.check_mldsa(signature, text, b"hotline/1 checkpoint")


@dataclass
class Excerpt:
    """Rules 2 to 5 of the page."""

    first: int
    heads: list[bytes]
    shown: list[tuple[int, bytes]]

    def covered(self, number: int, head: bytes) -> bool:
        """Rule 4."""
        at = number - self.first + 1
        if not 0 <= at < len(self.heads):
            return False
        assert self.heads[at] == head
        return number >= self.shown[-1][0]

    @classmethod
    def read(
        cls, data: bytes, keys: Keys, reader: Card, places: list[tuple[int, bytes]]
    ) -> Excerpt:
        """Give an excerpt; places are the heads of its log that checkpoints sign."""
        first, before, hashes, numbers, entries, signed, signature, *receipt = strict(data, 10)
        assert len(hashes) % 64 == 0
        heads = [before]
        found = [hashes[at : at + 64] for at in range(0, len(hashes), 64)]
        for one in found:
            heads.append(sha512(heads[-1] + one).digest())
        zero = head_zero(keys.cards[0], reader)
        assert first > 1 or before == zero
        assert numbers == sorted(set(numbers))
        assert numbers[0] == first
        for number, data_ in zip(numbers, entries, strict=True):
            assert sha512(data_).digest() == found[number - first]
        last = first + len(found) - 1
        assert numbers[-1] <= signed <= last
        place = zero + u64(signed) + heads[signed - first + 1]
        keys.check_ed25519(signed, signature, b"hotline/1 head" + place)
        reaches = [signed]
        if receipt != [None, None, None]:
            number, time_ns, signature = receipt
            assert numbers[-1] <= number <= last
            place = zero + u64(number) + heads[number - first + 1] + u64(time_ns)
            reader.check_ed25519(signature, b"hotline/1 receipt" + place)
            reaches.append(number)
        made = cls(first, heads, list(zip(numbers, entries, strict=True)))
        reaches += [number for number, head in places if made.covered(number, head)]
        assert max(reaches) == last
        return made


def read_changes(shown: list[bytes], founding: Card, reader: Card) -> Keys:
    """Each change of keys: its parts, signed by the keys before it."""
    keys = Keys(founding)
    for data in shown:
        values = strict(data, 10)
        assert values[7:] == [None, None, None]
        first, encoding = joined(values[4])
        kind, identifier, succession = strict(encoding, 3)
        assert kind == KEY_CHANGE
        assert first["id"] == identifier
        card = keys.change(values[3][-1], succession)
        assert identifier == "key-change." + card.id[:16].hex()
        Excerpt.read(data, keys, reader, [])
    return keys


def read_evidence(data: bytes) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Give the message and the acknowledgements that evidence proves."""
    tag, writer_card, reader_card, *changes, message, answer, by_writer, by_reader = strict(data, 9)
    assert tag == "hotline/1 evidence"
    writer, reader = Card.read(writer_card), Card.read(reader_card)
    assert writer.id != reader.id
    writers = read_changes(changes[0], writer, reader)
    readers = read_changes(changes[1], reader, writer)
    sent: list[tuple[int, bytes]] = []
    back: list[tuple[int, bytes]] = []
    for signer, other, body, own, peer in (
        (writer, reader, by_writer, sent, back),
        (reader, writer, by_reader, back, sent),
    ):
        if body is not None:
            signed = strict(body, 6)
            check_checkpoint(signer, other, signed)
            own.append((signed[0], signed[1]))
            peer.append((signed[2], signed[3]))
    first = Excerpt.read(message, writers, reader, sent)
    said = whole(first)
    shown = [number for number, _ in first.shown]
    said["interrupted"] = shown != list(range(shown[0], shown[-1] + 1))
    second = None if answer is None else Excerpt.read(answer, readers, writer, back)
    for here, there in zip(sent, back, strict=True):
        covers = [first.covered(*here), second is not None and second.covered(*there)]
        assert any(covers)
    answers = []
    if second is not None:
        for _, found in second.shown:
            kind, values = entry(found)
            assert kind == ACKNOWLEDGEMENT
            assert (values["message_id"], values["number"]) == (said["id"], first.shown[-1][0])
            answers.append(values)
    return said, answers


def whole(excerpt: Excerpt) -> dict[str, Any]:
    """Rule 6: one message, or all its parts."""
    shown = [data for _, data in excerpt.shown]
    kind, values = entry(shown[0])
    if kind == MESSAGE:
        assert len(shown) == 1
        return values
    first, encoding = joined(shown)
    kind, values = entry(encoding, 1050624)
    assert kind == MESSAGE
    assert (values["id"], values["precedence"]) == (first["id"], first["precedence"])
    return values


def joined(shown: list[bytes]) -> tuple[dict[str, Any], bytes]:
    """Give the first of all parts of one entry, and what they spell."""
    read = [entry(data) for data in shown]
    assert all(kind == PART for kind, _ in read)
    first, encoding = read[0][1], b""
    for _, part in read:
        assert part["offset"] == len(encoding)
        assert all(part[name] == first[name] for name in ("id", "precedence", "total_bytes"))
        encoding += part["chunk"]
    assert len(encoding) == first["total_bytes"]
    return first, encoding


def read_file(text: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Cut the page off, which only Hotline can make again, and read the block."""
    block = text[text.rindex("-----BEGIN HOTLINE EVIDENCE-----") :]
    return read_evidence(unarmoured(block, "HOTLINE EVIDENCE"))


def ends_key_change(data: bytes) -> bool:
    """The last part of a key change, by its id."""
    if data[1] != PART:
        return False
    part = entry(data)[1]
    if part["offset"] + len(part["chunk"]) != part["total_bytes"]:
        return False
    return str(part["id"]).startswith("key-change.")


def read_run(data: bytes) -> list[bytes]:
    """Give the entries of a run that is sound from its first byte to its last."""
    magic, data = data[:16], data[16:]
    assert magic == b"HOTLINE LOG RUN\n"
    pieces = []
    while data:
        size = int.from_bytes(data[1:4], "big")
        assert len(data) >= 4 + size
        pieces.append((data[0], data[4 : 4 + size]))
        data = data[4 + size :]
    kind, body = pieces[0]
    assert kind == 1
    tag, writer_card, reader_card, *successions, first, before = strict(body, 7)
    assert (tag, successions[1], first) == ("hotline/1 log run", [], 1)
    writer, reader = Card.read(writer_card), Card.read(reader_card)
    log, keys, coming = Log(writer.id, reader.id), Keys(writer), list(successions[0])
    assert before == log.heads[0]
    entries: list[bytes] = []
    signed = 0
    for kind, body in pieces[1:-1]:
        at = log.number
        if kind == 2:
            for one in strict(body, 1)[0]:
                log.add(one)
                entries.append(one)
                if ends_key_change(one):
                    card = keys.change(log.number, coming.pop(0))
                    assert entry(one)[1]["id"] == "key-change." + card.id[:16].hex()
        elif kind == 3:
            keys.check_ed25519(at, strict(body, 1)[0], log.head_text(at))
            signed = at
        elif kind == 4:
            time_ns, signature = strict(body, 2)
            reader.check_ed25519(signature, log.receipt_text(at, time_ns))
        else:
            number, head, time_ns, signature = strict(body, 4)
            here, there = [at, log.heads[-1]], [number, head]
            if kind == 5:
                check_checkpoint(writer, reader, [*here, *there, time_ns, signature])
            else:
                assert kind == 6
                check_checkpoint(reader, writer, [*there, *here, time_ns, signature])
    kind, body = pieces[-1]
    assert kind == 7
    assert strict(body, 1)[0] == signed == log.number
    return entries
