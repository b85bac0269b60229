"""The secret key file: three seeds in strict msgpack, armoured, readable by one user only."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from hotline.errors import DecodeError, IdentityError
from hotline.identity import files
from hotline.identity.armour import Armour
from hotline.identity.keys import SEED_BYTES, SecretKeys
from hotline.strict import Shape, blob, text

_TAG: Final = "hotline/1 key"
_UNPROTECTED: Final = "none"
_ARMOUR: Final = Armour("HOTLINE SECRET KEY", 256)

_SHAPE: Final = Shape(
    "secret key",
    text("tag", len(_TAG)),
    text("protection", 32),
    blob("x25519 seed", SEED_BYTES),
    blob("ed25519 seed", SEED_BYTES),
    blob("mldsa87 seed", SEED_BYTES),
    max_bytes=_ARMOUR.max_bytes,
)


def write_secret_keys(path: Path, keys: SecretKeys) -> None:
    """Write keys to a new file of mode 0600, durably; raises IdentityError, also if path exists."""
    data = _SHAPE.pack(_TAG, _UNPROTECTED, *keys.seeds())
    files.create(path, _ARMOUR.encode(data).encode("ascii"), files.SECRET_MODE)


def read_secret_keys(path: Path) -> SecretKeys:
    """Read the keys in path.

    Raises IdentityError unless path is a regular file of this user's, closed to all others, that
    holds exactly one unprotected secret key.
    """
    armoured = files.read_secret(path, _ARMOUR.max_text_bytes)
    try:
        tag, protection, *seeds = _SHAPE.unpack(_ARMOUR.decode(armoured, str(path)))
    except DecodeError as error:
        raise IdentityError(f"{path} is damaged: {error}") from None
    if tag != _TAG:
        raise IdentityError(f"{path} is not a key of this protocol version ({_TAG!r})")
    if protection != _UNPROTECTED:
        raise IdentityError(
            f"{path} is protected in a way this version cannot open ({protection!a})",
            hint="use the version of hotline that made it",
        )
    return SecretKeys.from_seeds(*seeds)
