"""Protocol names: one string that fixes every choice of a handshake (section 8, hfs section 5)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from hotline.errors import LocalMisuseError
from hotline.noise import dh
from hotline.noise.cipher import CIPHERS, Cipher
from hotline.noise.hash import HASHES, Hash
from hotline.noise.kem import KEMS, Kem
from hotline.noise.patterns import PATTERNS, HandshakePattern

_T = TypeVar("_T")

_NAME: Final = re.compile(
    r"Noise_(?P<pattern>[A-Z][A-Z0-9]*)(?P<modifiers>[a-z][a-z0-9+]*)?"
    rf"_{dh.NAME}(?:\+(?P<kem>[A-Za-z0-9]+))?"
    r"_(?P<cipher>[A-Za-z0-9]+)_(?P<hash>[A-Za-z0-9]+)",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Protocol:
    """What a protocol name stands for; ``pattern`` has its modifiers applied already."""

    name: str
    pattern: HandshakePattern
    kem: Kem | None
    cipher: Cipher
    hash: Hash


def parse_protocol_name(name: str, patterns: Mapping[str, HandshakePattern] = PATTERNS) -> Protocol:
    """Look up all that a name like ``Noise_KKhfs+psk0_25519+MLKEM1024_AESGCM_SHA512`` stands for.

    Raises LocalMisuseError for any name that cannot be used: a name is written in the program, it
    is never input.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        raise LocalMisuseError(f"not a protocol name: {name!r}")
    modifiers = match["modifiers"].split("+") if match["modifiers"] else []
    # The name is hashed into every key, so a second spelling would be a second protocol. Section 8
    # fixes the order of modifiers that commute, as hfs and psk do.
    if modifiers != sorted(set(modifiers)):
        raise LocalMisuseError(f"modifiers are not in alphabetical order: {name!r}")
    pattern = _look_up("pattern", match["pattern"], patterns)
    for modifier in modifiers:
        pattern = pattern.modified(modifier)
    if pattern.has("ekem1") != (match["kem"] is not None):
        raise LocalMisuseError(f"a KEM and the hfs modifier need each other: {name!r}")
    return Protocol(
        name=name,
        pattern=pattern,
        kem=_look_up("KEM", match["kem"], KEMS) if match["kem"] else None,
        cipher=_look_up("cipher", match["cipher"], CIPHERS),
        hash=_look_up("hash", match["hash"], HASHES),
    )


def _look_up(kind: str, name: str, table: Mapping[str, _T]) -> _T:
    if name not in table:
        raise LocalMisuseError(f"unknown {kind} {name!r} in a protocol name")
    return table[name]
