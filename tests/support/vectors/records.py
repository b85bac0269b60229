"""Records of one direction under one key: frames that share one, run over several, and a rekey."""

from __future__ import annotations

from hashlib import sha512

from hotline.noise.cipher import AES_GCM
from hotline.noise.cipherstate import CipherState
from hotline.wire.records import RecordWriter
from support.vectors.fixed import Json

KEY = bytes(range(32))
SHOWN = (0, 1, 2, 3, 4, 1023, 1024, 2047, 2048)


def make() -> Json:
    """Give which frames are pushed before each pull, and the units that come out."""
    state = CipherState(AES_GCM)
    state.initialize_key(KEY)
    writer = RecordWriter(state)
    pushed: list[Json] = []
    units: list[bytes] = []

    def push(frame_type: int, fill: int, size: int) -> None:
        pushed.append({"after_units": len(units), "type": frame_type, "fill": fill, "size": size})
        writer.push(frame_type, bytes([fill]) * size)

    def pull() -> None:
        data = writer.pull(2**20)
        units.extend(data[at : at + 4096] for at in range(0, len(data), 4096))

    for size in (10, 20, 4080 - 14 - 24):  # three frames that fill one record exactly
        push(7, 0xA0, size - 4 if size > 100 else size)
    pull()
    push(3, 0xB0, 9000)  # over three records
    pull()
    push(5, 0xC0, 4080 - 4 - 3)  # leaves three bytes: the next header runs over
    push(5, 0xC1, 100)
    pull()
    while len(units) < 2049:
        push(5, len(units) % 256, 8)
        pull()
    return {
        "key": KEY,
        "pushed": pushed[:8],
        "then": "until there are 2049 units: one frame of type 5, 8 bytes of the unit's number mod 256",
        "units": [{"number": number, "unit": units[number]} for number in SHOWN],
        "sha512_of_all": sha512(b"".join(units)).digest(),
    }
