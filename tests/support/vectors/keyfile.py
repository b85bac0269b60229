"""A secret key file that a passphrase protects: what its key is made of, and files to be refused."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final

import msgpack  # type: ignore[import-untyped]

from hotline.identity.armour import Armour
from hotline.identity.keyfile import write_secret_keys
from hotline.identity.keyseal import COST, Cost, Protection, passphrase_bytes
from support.vectors.fixed import ALPHA, Json

TYPED: Final = "Zwo\u0308lf  Boxka\u0308mpfer \u2126"
"""Letters and their marks apart, as some keyboards give them, and a sign that NFC changes."""

SALT: Final = bytes(range(16))
NONCE: Final = bytes(range(16, 28))
SMALL: Final = Cost(8192, 1, 1)


def make() -> Json:
    """Give alpha's seeds under one passphrase, at this implementation's cost and at the least."""
    small = _file(SMALL)
    fields = msgpack.unpackb(Armour("HOTLINE SECRET KEY", 256).decode(small, "it"))
    refused: list[tuple[str, dict[int, object]]] = [
        ("less memory than is allowed", {2: 8191}),
        ("more memory than is allowed", {2: 1048577}),
        ("more work than is allowed", {2: 1048576, 3: 5}),
        ("no pass", {3: 0}),
        ("no lane", {4: 0}),
        ("another salt", {5: bytes(16)}),
        ("another cost than was sealed", {3: 2}),
        ("a changed byte of the seeds", {7: bytes([fields[7][0] ^ 1]) + fields[7][1:]}),
        ("another protection", {1: "argon2id aes128gcm"}),
    ]
    return {
        "typed": TYPED,
        "passphrase": passphrase_bytes(TYPED),
        "seeds": list(ALPHA.seeds),
        "files": [_described(cost) for cost in (COST, SMALL)],
        "refused": [{"why": why, "file": _changed(fields, one)} for why, one in refused],
    }


def _file(cost: Cost) -> str:
    drawn = iter((SALT, NONCE))
    protection = Protection(passphrase_bytes(TYPED), lambda _: next(drawn), cost)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "alpha.key"
        write_secret_keys(path, ALPHA.keys, protection)
        return path.read_text()


def _described(cost: Cost) -> Json:
    file = _file(cost)
    *header, sealed = msgpack.unpackb(Armour("HOTLINE SECRET KEY", 256).decode(file, "it"))
    return {
        "memory_kib": cost.memory_kib,
        "passes": cost.passes,
        "lanes": cost.lanes,
        "salt": SALT,
        "nonce": NONCE,
        "associated_data": msgpack.packb(header),
        "sealed_seeds": sealed,
        "key_file": file,
    }


def _changed(fields: list[object], changes: dict[int, object]) -> str:
    values = [changes.get(at, value) for at, value in enumerate(fields)]
    return Armour("HOTLINE SECRET KEY", 256).encode(msgpack.packb(values))
