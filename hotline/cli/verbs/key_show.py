"""``hotline key show``: what may be known of the secret key, and never the secret."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

from hotline.cli import columns, exits, station
from hotline.cli.terminal import complain, print_json
from hotline.identity import files, read_secret_keys
from hotline.identity.keyfile import inspect_key_file
from hotline.identity.successors import key_files, newest_card
from hotline.text import dtg, one_line, size, utc, utc_microseconds

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from hotline.identity import Card

FINGERPRINT_BYTES: Final = 16


def run(args: argparse.Namespace) -> int:
    """Do what ``hotline key show`` was asked."""
    config = station.load(args)
    card = newest_card(config.card)
    keys = key_files(config.key, config.card)
    key = keys[-1]
    described = _described(key, card)
    if args.json:
        print_json(described)
    else:
        _show(described, card)
    if described["belongs_to_card"] is False:
        complain(
            f"card {card.id.hex()[:16]} of {card.name} does not belong to key {key}",
            "restore the pair that was made together",
        )
        return exits.USAGE
    for partial in map(files.partial_of, keys):
        if partial.exists():
            complain(
                f"{partial} is left over from an interrupted write, and may hold a secret",
                "remove it once this key opens",
            )
    return exits.DONE


def _described(key: Path, card: Card) -> dict[str, Any]:
    found = inspect_key_file(key)
    belongs = None  # only the secret itself could tell, and nobody was asked for the passphrase
    if not found.protected:
        belongs = read_secret_keys(key).public() == card.public()
    return {
        "name": card.name,
        "id": card.id.hex(),
        "created_at": utc_microseconds(card.created_ns),
        "key": str(key),
        "mode": f"{found.mode:04o}",
        "protected": found.protected,
        "memory_kib": found.cost and found.cost.memory_kib,
        "passes": found.cost and found.cost.passes,
        "lanes": found.cost and found.cost.lanes,
        "belongs_to_card": belongs,
        "x25519": _fingerprint(card.x25519),
        "ed25519": _fingerprint(card.ed25519),
        "mldsa87": _fingerprint(card.mldsa87),
    }


def _fingerprint(key: bytes) -> str:
    return hashlib.sha512(key).hexdigest()[: 2 * FINGERPRINT_BYTES]


def _show(described: dict[str, Any], card: Card) -> None:
    print(f"station   {card.name}")
    print(f"id        {columns.grouped(card.id.hex())}")
    print(f"created   {dtg(card.created_ns)}  {utc(card.created_ns)}")
    print(f"key file  {one_line(described['key'])}, mode {described['mode']}")
    if described["protected"]:
        cost = f"{size(described['memory_kib'] * 1024)}, {described['passes']} passes"
        print(f"protected by a passphrase: Argon2id with {cost}, {described['lanes']} lanes")
    else:
        print("protected by its mode alone; set a passphrase: hotline key passphrase")
    print("public keys, the first 16 bytes of SHA-512 over each:")
    for name in ("x25519", "ed25519", "mldsa87"):
        print(f"  {name:<8}{columns.grouped(described[name])}")
