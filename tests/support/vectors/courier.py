"""A courier key, and a courier file with all that one may carry; and files that must be refused."""

from __future__ import annotations

from hashlib import sha3_256

import msgpack  # type: ignore[import-untyped]
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from kyber_py.ml_kem import ML_KEM_1024

from hotline.identity.courierkey import CourierKey, CourierSecret
from hotline.line.pairing import Pairing
from hotline.model import Position
from hotline.wire import courier, entries, frames, handshake, heads
from support.courier_by_the_page import CourierReader, uncompressed
from support.vectors.entries import SHORT, TEST
from support.vectors.fixed import ALPHA, BRAVO, LINE_SECRET, NOW_NS, Json, Station

KEM_M = bytes([0x4D]) * 32
P384_SCALAR = bytes([0x50]) * 48
READER = CourierReader(BRAVO.keys.seeds(), BRAVO.card, ALPHA.card)


def courier_key(station: Station) -> bytes:
    """Give a courier key that is signed without randomness."""
    hedged = CourierKey.make(station.keys, station.card, CourierSecret(station.keys))
    signed_part, ed25519, _ = msgpack.unpackb(hedged.encoded)
    fixed = station.sign_mldsa(signed_part, b"hotline/1 courier key")
    return CourierKey.decode(msgpack.packb([signed_part, ed25519, fixed]), station.card).encoded


def content() -> bytes:
    """Give what alpha has for bravo: two entries, a receipt for one of bravo's, and a checkpoint."""
    alpha = Pairing(ALPHA.keys, ALPHA.card, BRAVO.card)
    data = tuple(entries.encode(one) for one in (SHORT, TEST))
    chain = heads.chain(alpha.own_zero, data)
    said = Position(1, heads.next_head(alpha.peer_zero, entries.encode(TEST)))
    none = Position(0, alpha.own_zero)
    text = heads.checkpoint_message(alpha.own_zero, none, alpha.peer_zero, said, NOW_NS)
    return courier.encode(
        courier.Content(
            writer=ALPHA.card.id,
            reader=BRAVO.card.id,
            time_ns=NOW_NS,
            before=none,
            peer=said,
            receipted=0,
            courier_key=frames.CourierKeyFrame(courier_key(ALPHA)),
            receipt=frames.ReceiptFrame(1, said.head, NOW_NS, alpha.sign_receipt(said, NOW_NS)),
            runs=(frames.Entries(1, data, alpha.sign_head(Position(2, chain[-1]))),),
            checkpoint=frames.CheckpointFrame(
                *(0, none.head, 1, said.head, NOW_NS),
                ALPHA.sign_mldsa(text, heads.CHECKPOINT_CONTEXT),
            ),
        )
    )


def sealed(plaintext: bytes) -> bytes:
    """Seal a file from alpha to bravo with fixed randomness."""
    secret, ciphertext = ML_KEM_1024._encaps_internal(READER.public[:1568], KEM_M)
    one = ec.derive_private_key(int.from_bytes(P384_SCALAR, "big"), ec.SECP384R1())
    point = uncompressed(one)
    shared = one.exchange(ec.ECDH(), READER.p384.public_key())
    combined = sha3_256(secret + shared + point + READER.point + b"MLKEM1024-P384").digest()
    header = READER.header()
    key, nonce = READER.schedule(combined, header + READER.derived[32:])
    enc: bytes = ciphertext + point
    return header + enc + AESGCM(key).encrypt(nonce, plaintext, b"")


def make() -> Json:
    """Give both courier keys, the marks, and the file; a refused one differs from it in one byte."""
    data = content()
    signed = (
        ALPHA.keys.sign_ed25519(courier.MAGIC + data),
        ALPHA.sign_mldsa(data, courier.MAGIC),
    )
    file = sealed(courier.bundle(data, *signed))
    bravo = Pairing(BRAVO.keys, BRAVO.card, ALPHA.card)
    assert bravo.open_courier(file) == data
    with_secret = handshake.derive_psk(LINE_SECRET, ALPHA.card.id, BRAVO.card.id)
    ids = ALPHA.card.id, BRAVO.card.id
    return {
        "writer": ALPHA.card.id,
        "reader": BRAVO.card.id,
        "reader_key": courier_key(BRAVO),
        "mark_and_secret": READER.derived,
        "mark_and_secret_with_line_secret": courier.header_and_info(
            with_secret, *ids, READER.public
        )[1][len(courier.MAGIC) :],
        "kem_m": KEM_M,
        "p384_scalar": P384_SCALAR,
        "content": data,
        "file": file,
        "refused": [
            {"why": why, "at": at, "xor": 1}
            for why, at in (
                ("the tag", 0),
                ("the mark", 22),
                ("the ML-KEM ciphertext", 54),
                ("the point", 54 + 1568 + 1),
                ("the content", 2000),
                ("the filling", len(file) - 17),
                ("AES-GCM's tag", len(file) - 1),
            )
        ],
    }
