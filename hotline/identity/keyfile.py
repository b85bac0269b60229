"""The secret key file: three seeds in strict msgpack, armoured, readable by one user only.

Every reading of a secret key goes through here. An open file holds the seeds as they are; a protected
one holds them sealed under a passphrase, which is asked for only then (docs/protocol.md, "The secret
key file").
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from hotline.errors import DecodeError, IdentityError, LocalMisuseError
from hotline.identity import files, keyseal
from hotline.identity.armour import Armour
from hotline.identity.keys import SEED_BYTES, SecretKeys
from hotline.identity.keyseal import Cost, Protection
from hotline.strict import Shape, blob, text

PassphraseSource = Callable[[Path], bytes]
"""Gives the passphrase of a protected key file, from wherever the operator keeps it."""

_TAG: Final = "hotline/1 key"
_UNPROTECTED: Final = "none"
_PROTECTED: Final = "argon2id aes256gcm"
_ARMOUR: Final = Armour("HOTLINE SECRET KEY", 256)
_TAGS: Final = (text("tag", len(_TAG)), text("protection", 32))

_OPEN: Final = Shape(
    "secret key",
    *_TAGS,
    blob("x25519 seed", SEED_BYTES),
    blob("ed25519 seed", SEED_BYTES),
    blob("mldsa87 seed", SEED_BYTES),
    max_bytes=_ARMOUR.max_bytes,
)
_HEADER: Final = Shape(
    "secret key header", *_TAGS, *keyseal.COST_FIELDS, max_bytes=_ARMOUR.max_bytes
)
_SEALED: Final = Shape(
    "protected secret key",
    *_TAGS,
    *keyseal.COST_FIELDS,
    keyseal.sealed_field("sealed seeds", 3 * SEED_BYTES),
    max_bytes=_ARMOUR.max_bytes,
)
_SEALED_BEGINS: Final = b"\x98"
"""msgpack's array of eight: how many fields there are tells the two forms apart."""


@dataclass(frozen=True, slots=True)
class KeyFile:
    """What a key file says without its passphrase; ``cost`` is None for an open one."""

    cost: Cost | None
    mode: int

    @property
    def protected(self) -> bool:
        """Whether the seeds are sealed under a passphrase."""
        return self.cost is not None


def write_secret_keys(path: Path, keys: SecretKeys, protection: Protection | None = None) -> None:
    """Write keys to a new file of mode 0600, durably; raises IdentityError, also if path exists."""
    files.create(path, _encode(keys, protection), files.SECRET_MODE)


def replace_secret_keys(keys: Mapping[Path, SecretKeys], protection: Protection | None) -> None:
    """Put keys, protected anew, in the place of the files of one station; raises IdentityError.

    If the machine dies, of each the old file stands or the new one does, whole. ``once`` opens them,
    should they not be all old or all new.
    """
    new = {path: _encode(one, protection) for path, one in keys.items()}
    files.replace(new, files.SECRET_MODE)


def read_secret_keys(path: Path, passphrase: PassphraseSource | None = None) -> SecretKeys:
    """Read the keys in path; passphrase is asked only if they are protected.

    Raises IdentityError unless path is a regular file of this user's, closed to all others, that
    holds exactly one secret key, and if its passphrase is wrong or nobody can give it.
    """
    values, _ = _read(path)
    if len(values) == len(_TAGS) + 3:
        return SecretKeys.from_seeds(*values[len(_TAGS) :])
    if passphrase is None:
        raise IdentityError(f"{path} is protected by a passphrase, which nobody gave")
    seeds = _unseal(values, passphrase(path))
    if seeds is None:
        raise IdentityError(
            f"the passphrase does not open {path}: it is another one, or the file was changed",
            hint="try again; a lost passphrase cannot be found or reset",
        )
    return _from_joined(seeds)


def inspect_key_file(path: Path) -> KeyFile:
    """Tell what may be told of the key file at path, by the same rules as reading it."""
    values, mode = _read(path)
    sealed = len(values) > len(_TAGS) + 3
    return KeyFile(Cost(*values[2:5]) if sealed else None, mode)


def once(passphrase: PassphraseSource) -> PassphraseSource:
    """Give a source that asks only once: all key files of a station have the same passphrase.

    A change of it that was cut leaves two: then it asks once more, for the file that the first one does
    not open, and raises IdentityError if it is given the same again.
    """
    known: dict[Path, bytes] = {}

    def ask(path: Path) -> bytes:
        if path not in known:
            known[path] = opening(path) if known else passphrase(path)
        return known[path]

    def opening(path: Path) -> bytes:
        values, _ = _read(path)
        tried = set(known.values())
        for one in tried:
            if _unseal(values, one) is not None:
                return one
        given = passphrase(path)
        if given in tried:
            raise IdentityError(
                f"what opens {', '.join(one.name for one in known)} does not open {path}: a change of "
                "the passphrase was cut, or the file was changed",
                hint="on a terminal, `hotline key passphrase` asks for each, and sets one for all",
            )
        return given

    return ask


def _encode(keys: SecretKeys, protection: Protection | None) -> bytes:
    if protection is None:
        return _armoured(_OPEN.pack(_TAG, _UNPROTECTED, *keys.seeds()))
    salt = protection.random(keyseal.SALT_BYTES)
    nonce = protection.random(keyseal.NONCE_BYTES)
    cost = protection.cost
    header = (_TAG, _PROTECTED, cost.memory_kib, cost.passes, cost.lanes, salt, nonce)
    seeds = b"".join(keys.seeds())
    sealed = keyseal.seal(seeds, protection, salt, nonce, _HEADER.pack(*header))
    # Opened again before it may take the place of the only copy: a key that is lost is a station lost.
    if _unseal((*header, sealed), protection.passphrase) != seeds:
        raise LocalMisuseError("what was sealed does not open")
    return _armoured(_SEALED.pack(*header, sealed))


def _armoured(data: bytes) -> bytes:
    return _ARMOUR.encode(data).encode("ascii")


def _read(path: Path) -> tuple[tuple[Any, ...], int]:
    """Give the fields of the file at path, of either form, and its mode."""
    armoured, mode = files.read_secret_and_mode(path, _ARMOUR.max_text_bytes, _ARMOUR.check_kind)
    data = _ARMOUR.decode(armoured, str(path))
    shape, protection = (
        (_SEALED, _PROTECTED) if data.startswith(_SEALED_BEGINS) else (_OPEN, _UNPROTECTED)
    )
    try:
        values = shape.unpack(data)
        if shape is _SEALED:
            Cost(*values[2:5]).check()
    except (DecodeError, IdentityError) as error:
        raise IdentityError(f"{path} is damaged: {error}") from None
    if values[0] != _TAG:
        raise IdentityError(f"{path} is not a key of this protocol version ({_TAG!r})")
    if values[1] != protection:
        raise IdentityError(
            f"{path} is protected in a way this version cannot open ({values[1]!a})",
            hint="use the version of hotline that made it",
        )
    return values, mode


def _unseal(values: tuple[Any, ...], passphrase: bytes) -> bytes | None:
    *header, sealed = values
    cost, (salt, nonce) = Cost(*header[2:5]), header[5:]
    return keyseal.unseal(sealed, passphrase, cost, salt, nonce, _HEADER.pack(*header))


def _from_joined(seeds: bytes) -> SecretKeys:
    return SecretKeys.from_seeds(
        seeds[:SEED_BYTES], seeds[SEED_BYTES : 2 * SEED_BYTES], seeds[2 * SEED_BYTES :]
    )
