"""The worked examples of docs/protocol.md: whatever in the protocol has one value for one input.

``python tests/support/protocol_examples.py`` prints the block that stands in the document. Two things
have no fixed value and are left out: ML-DSA signatures, which are hedged, and a whole handshake, whose
ML-KEM ciphertext is drawn by the library.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from hashlib import sha512
from typing import Final

import msgpack  # type: ignore[import-untyped]

from hotline.identity import Card, SecretKeys, keyseal, pair_code
from hotline.identity.courierkey import CourierKey, CourierSecret
from hotline.identity.halves import Half, combine
from hotline.identity.keyseal import Cost, Protection, passphrase_bytes
from hotline.identity.succession import Succession
from hotline.line.pairing import Pairing
from hotline.model import Decision, Position, Precedence
from hotline.noise.cipher import AES_GCM
from hotline.noise.cipherstate import CipherState
from hotline.wire import courier, entries, frames, handshake, heads
from hotline.wire.records import RecordWriter

Example = tuple[str, bytes | str]

CREATED_NS: Final = 1_795_443_000_000_000_000
NOW_NS: Final = 1_795_447_800_000_000_000
LINE_SECRET: Final = bytes([0xAA]) * 32
COLUMNS: Final = 64


def station(name: str, first_seed: int) -> tuple[SecretKeys, Card]:
    """Give a station whose three seeds are 32 equal bytes each, counting up from first_seed."""
    keys = SecretKeys.from_seeds(*(bytes([first_seed + n]) * 32 for n in range(3)))
    return keys, Card.make(name, keys, CREATED_NS)


ALPHA_KEYS, ALPHA = station("alpha", 1)
BRAVO_KEYS, BRAVO = station("bravo", 4)
PAIRING: Final = Pairing(ALPHA_KEYS, ALPHA, BRAVO)

MESSAGE: Final = entries.Message(
    "m1", Precedence.FLASH, NOW_NS, None, "kowalski", "Air", "Aircraft off course"
)
PART: Final = entries.Part("m2", Precedence.ROUTINE, 0, 10_000, b"\xa8chunk")
ACKNOWLEDGEMENT: Final = entries.Acknowledgement(
    "ack.1.wilco", "m1", 1, Decision.WILCO, NOW_NS, "petrov", "tracking"
)
TEST: Final = entries.Test("t1", NOW_NS, "kowalski")


def identities() -> Iterator[Example]:
    for keys, card in ((ALPHA_KEYS, ALPHA), (BRAVO_KEYS, BRAVO)):
        public = keys.public()
        yield f"{card.name}: x25519 key", public.x25519
        yield f"{card.name}: ed25519 key", public.ed25519
        yield f"{card.name}: SHA-512 of the mldsa87 key", sha512(public.mldsa87).digest()
        yield f"{card.name}: first 23 bytes of the signed part", card.signed_part[:23]
        yield f"{card.name}: last 9 bytes of the signed part", card.signed_part[-9:]
        yield f"{card.name}: bytes in the signed part", str(len(card.signed_part))
        yield f"{card.name}: station id", card.id
        yield (
            f"{card.name}: ed25519 signature in the card",
            keys.sign_ed25519(b"hotline/1 card" + card.signed_part),
        )
    yield "pair code", " ".join(pair_code(ALPHA.id, BRAVO.id))


def secrets() -> Iterator[Example]:
    for name, secret in (("no line secret", b""), ("line secret aa...aa", LINE_SECRET)):
        psk = handshake.derive_psk(secret, ALPHA.id, BRAVO.id)
        yield f"psk, {name}", psk
        yield f"mac key, alpha calls, {name}", handshake.derive_mac_key(psk, ALPHA.id, BRAVO.id)
    calling = PAIRING.calling_mac_key
    yield (
        "mac of 4080 zero bytes, alpha calls, no line secret",
        handshake.seal_first(bytes(handshake.FIRST_MESSAGE_BYTES), calling)[-16:],
    )


def halves() -> Iterator[Example]:
    alpha = Half(ALPHA.id, BRAVO.id, bytes([0xBB]) * 32)
    bravo = Half(BRAVO.id, ALPHA.id, bytes([0xCC]) * 32)
    yield "words of alpha's half bb...bb for bravo", " ".join(alpha.words())
    secret, code = combine(alpha, bravo)
    yield "line secret of that half and bravo's cc...cc", secret
    yield "its check code", " ".join(code)


def key_files() -> Iterator[Example]:
    cost, salt, nonce = Cost(8192, 1, 1), bytes(range(16)), bytes(range(16, 28))
    protection = Protection(passphrase_bytes("correct horse battery staple"), bytes, cost)
    header = ("hotline/1 key", "argon2id aes256gcm", 8192, 1, 1, salt, nonce)
    associated = msgpack.packb(header)
    sealed = keyseal.seal(b"".join(ALPHA_KEYS.seeds()), protection, salt, nonce, associated)
    what = (
        '"correct horse battery staple", 8192 KiB, 1 pass, 1 lane, salt 00 ... 0f, nonce 10 ... 1b'
    )
    yield f"key file under {what}: associated data", associated
    yield "sealed seeds of alpha under it", sealed


def successions() -> Iterator[Example]:
    keys, card = station("alpha", 7)
    made = Succession.make(ALPHA, ALPHA_KEYS, card, keys, NOW_NS)
    # The rest holds a card, whose ML-DSA signature is hedged.
    signed_part = msgpack.unpackb(made.encoded)[0]
    yield "alpha: station id of its successor, of seeds 07, 08 and 09", card.id
    yield "its succession: first 57 bytes of the signed part", signed_part[:57]
    yield "its succession: last 9 bytes of the signed part", signed_part[-9:]
    yield "id of the key change to it", entries.key_change_id(card.id)


def logs() -> Iterator[Example]:
    yield "head_0 of alpha's log for bravo", PAIRING.own_zero
    yield "head_0 of bravo's log for alpha", PAIRING.peer_zero
    data = [entries.encode(entry) for entry in (MESSAGE, PART, TEST)]
    for name, encoded in zip(("message", "part", "test"), data, strict=True):
        yield f"{name} entry", encoded
    yield "acknowledgement entry", entries.encode(ACKNOWLEDGEMENT)
    chain = heads.chain(PAIRING.own_zero, data)
    for number, head in enumerate(chain, start=1):
        yield f"head_{number} of alpha's log: message, part, test", head
    end = Position(3, chain[-1])
    yield "alpha's signature over head_3", PAIRING.sign_head(end)
    receipt = heads.receipt_message(PAIRING.own_zero, end.number, end.head, NOW_NS)
    yield "bravo's receipt over head_3", BRAVO_KEYS.sign_ed25519(receipt)


def checkpoints() -> Iterator[Example]:
    data = [entries.encode(MESSAGE), entries.encode(PART), entries.encode(TEST)]
    chain = heads.chain(PAIRING.own_zero, data)
    own, peer = Position(3, chain[-1]), Position(0, PAIRING.peer_zero)
    yield (
        "what alpha signs in a checkpoint over its three entries and none of bravo's",
        heads.checkpoint_message(PAIRING.own_zero, own, PAIRING.peer_zero, peer, NOW_NS),
    )


def messages() -> Iterator[Example]:
    data = entries.encode(TEST)
    head = heads.next_head(PAIRING.own_zero, data)
    one, none = Position(1, head), Position(0, PAIRING.peer_zero)
    receipt = heads.receipt_message(PAIRING.own_zero, 1, head, NOW_NS)
    examples: list[tuple[str, frames.Frame]] = [
        (
            "hello: alpha, not the arbiter, has written one entry and has nothing of bravo's",
            frames.Hello(1, one.head, 0, none.head, 0, 5000, True, 0),
        ),
        (
            "entries: the test entry as alpha's entry 1",
            frames.Entries(1, (data,), PAIRING.sign_head(one)),
        ),
        (
            "receipt: bravo's over it",
            frames.ReceiptFrame(1, head, NOW_NS, BRAVO_KEYS.sign_ed25519(receipt)),
        ),
        (
            "heartbeat: alpha's seventh, echoing bravo's sixth after 1.5 s",
            frames.Heartbeat(
                *(7, NOW_NS, 6, 1_500_000, 5000, 1, one.head, 0, none.head, 1, True, False)
            ),
        ),
        ("close", frames.Close("stopped", "the station stops")),
    ]
    for name, frame in examples:
        frame_type, body = frames.encode(frame)
        yield f"frame, {name}", bytes([frame_type]) + len(body).to_bytes(3, "big") + body


def couriers() -> Iterator[Example]:
    secret = CourierSecret(BRAVO_KEYS)
    key = CourierKey.make(BRAVO_KEYS, BRAVO, secret)
    yield "bravo: SHA-512 of the courier key's ML-KEM-1024 key", sha512(secret.mlkem1024).digest()
    yield "bravo: the courier key's P-384 key", secret.p384
    yield "bravo: SHA-512 of the courier key's signed part", sha512(key.signed_part).digest()
    for name, line_secret in (("no line secret", b""), ("line secret aa...aa", LINE_SECRET)):
        psk = handshake.derive_psk(line_secret, ALPHA.id, BRAVO.id)
        _, info = courier.header_and_info(psk, ALPHA.id, BRAVO.id, secret.mlkem1024 + secret.p384)
        yield f"courier file from alpha to bravo: mark and secret, {name}", info[22:]
    data = entries.encode(TEST)
    signature = PAIRING.sign_head(Position(1, heads.next_head(PAIRING.own_zero, data)))
    content = courier.encode(
        courier.Content(
            writer=ALPHA.id,
            reader=BRAVO.id,
            time_ns=NOW_NS,
            before=Position(0, PAIRING.own_zero),
            peer=Position(0, PAIRING.peer_zero),
            receipted=0,
            courier_key=None,
            receipt=None,
            runs=(frames.Entries(1, (data,), signature),),
            checkpoint=None,
        )
    )
    yield "courier content: the test entry as alpha's entry 1, and nothing else", content
    label = b"hotline/1 courier file"
    yield "alpha's ed25519 signature over it", ALPHA_KEYS.sign_ed25519(label + content)


def records() -> Iterator[Example]:
    state = CipherState(AES_GCM)
    state.initialize_key(bytes(range(32)))
    writer = RecordWriter(state)
    for number in range(1025):
        writer.push(*frames.encode(frames.Close("stopped", "")))
        unit = writer.pull(4096)
        if number in (0, 1, 1023, 1024):
            yield f"record {number}: first and last 16 bytes", unit[:16] + unit[-16:]


SECTIONS: Final = (
    *(identities, key_files, secrets, halves, successions),
    *(logs, checkpoints, messages, couriers, records),
)


def rendered() -> str:
    """Give the block of the document: a name a line, and its value indented below it."""
    lines = []
    for section in SECTIONS:
        for name, value in section():
            lines.append(name)
            if isinstance(value, bytes):
                digits = value.hex()
                pieces = [digits[at : at + COLUMNS] for at in range(0, len(digits), COLUMNS)]
            else:
                pieces = textwrap.wrap(value, COLUMNS)
            lines += [f"    {piece}" for piece in pieces]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(rendered(), end="")
