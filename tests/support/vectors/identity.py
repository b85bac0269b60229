"""Keys from seeds, key file, card, station id, and the pair code of two stations."""

from __future__ import annotations

import msgpack  # type: ignore[import-untyped]

from hotline.identity import pair_code
from hotline.identity.armour import Armour
from support.vectors.fixed import ALPHA, BRAVO, LINE_SECRET, Json, Station


def make() -> Json:
    """Give both stations, what they say to each other, and a line secret's file."""
    return {
        "stations": [_station(ALPHA), _station(BRAVO)],
        "pair_code": " ".join(pair_code(ALPHA.card.id, BRAVO.card.id)),
        "line_secret": LINE_SECRET,
        "line_secret_file": Armour("HOTLINE LINE SECRET", 32).encode(LINE_SECRET),
        "refused": [{"why": why, "mldsa87": _mldsa87(t)} for why, t in _ANYBODYS],
    }


_ANYBODYS = (
    ("t1 is zero", [0] * 2048),
    ("t1 is -1 modulo q", [1023] * 2048),
    ("t1 is near to half of q", [512] * 2048),
    ("a value 33 times in one polynomial", [*([7] * 33), *(97 * n % 1024 for n in range(2015))]),
)


def _mldsa87(t1: list[int]) -> bytes:
    """Pack a public key (FIPS 204, algorithm 22)."""
    number = sum(value << (10 * at) for at, value in enumerate(t1))
    return bytes(32) + number.to_bytes(2560, "little")


def _station(station: Station) -> Json:
    card = station.card
    opened = msgpack.packb(["hotline/1 key", "none", *station.seeds])
    return {
        "name": station.name,
        "x25519_seed": station.seeds[0],
        "ed25519_seed": station.seeds[1],
        "mldsa87_seed": station.seeds[2],
        "x25519": card.x25519,
        "ed25519": card.ed25519,
        "mldsa87": card.mldsa87,
        "created_ns": card.created_ns,
        "signed_part": card.signed_part,
        "id": card.id,
        "card": card.encoded,
        "card_file": card.armoured(),
        "key_file": Armour("HOTLINE SECRET KEY", 256).encode(opened),
    }
