"""``hotline init``: make a station's configuration, secret key and card."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from hotline.cli import columns, exits, passphrases, station
from hotline.cli.exits import UsageError
from hotline.cli.toml import quoted
from hotline.daemon.config import Address
from hotline.errors import RefusedError
from hotline.identity import (
    Card,
    Protection,
    SecretKeys,
    check_name,
    files,
    write_card,
    write_secret_keys,
)
from hotline.limits import DEFAULT_PORT
from hotline.text import one_line

if TYPE_CHECKING:
    import argparse

_TEMPLATE = """\
# The station {name}; paths are relative to this file.

[station]
name = {name_quoted}
key = {key}      # secret: it never leaves this machine
card = {card}    # public: give it to the peer's operator
state = "state"
{listen}

# One [[line]] for each peer, added by: hotline peer add CARD
"""


def run(args: argparse.Namespace) -> int:
    """Do what ``hotline init`` was asked."""
    check_name(args.name)
    named = station.named_config(args)
    if named is not None and named.exists():
        return _complete(args, named)
    if named is not None and args.dir is not None:
        raise UsageError("--config names the folder already", hint="leave out --dir")
    return _make(args, named or Path(args.dir or ".") / station.DEFAULT_CONFIG)


def _make(args: argparse.Namespace, config: Path) -> int:
    """Make all three files, the configuration last: a station that has one is whole."""
    folder = config.parent
    key, card = folder / f"{args.name}.key", folder / f"{args.name}.card"
    text = _TEMPLATE.format(
        name=args.name,
        name_quoted=quoted(args.name),
        key=quoted(key.name),
        card=quoted(card.name),
        listen=_listen(args.listen),
    )
    _refuse_existing(config, key, card)
    protection = _protection(args, key)
    files.make_folder(folder, above_mode=0o777)
    made = _make_identity(args.name, key, card, protection)
    files.create(config, text.encode(), files.PUBLIC_MODE)
    # Where the folder was named, the next commands have to name the file in it.
    _tell(made, [config, key, card], config if args.dir else station.typed_config(args))
    return exits.DONE


def _complete(args: argparse.Namespace, path: Path) -> int:
    """Make the key and card that an existing configuration names."""
    if args.dir is not None or args.listen is not None:
        raise UsageError(
            f"{path} exists and says where everything is",
            hint="leave out --dir and --listen, or edit the file",
        )
    config = station.load(args)
    if config.name != args.name:
        raise UsageError(
            f"{path} is for the station {config.name}, not {args.name}",
            hint=f"hotline --config {path} init {config.name}",
        )
    _refuse_existing(config.key, config.card)
    protection = _protection(args, config.key)
    for parent in (config.key.parent, config.card.parent):
        files.make_folder(parent, above_mode=0o777)
    made = _make_identity(args.name, config.key, config.card, protection)
    _tell(made, [config.key, config.card], station.typed_config(args))
    return exits.DONE


def _protection(args: argparse.Namespace, key: Path) -> Protection | None:
    """Ask for the passphrase before anything is made, so that a refusal leaves nothing behind."""
    if not args.passphrase and args.passphrase_fd is None:
        return None
    return Protection(passphrases.new(args.passphrase_fd, key, "--passphrase-fd"), os.urandom)


def _make_identity(name: str, key: Path, card: Path, protection: Protection | None) -> Card:
    keys = SecretKeys.generate(os.urandom)
    made = Card.make(name, keys, time.time_ns())
    write_secret_keys(key, keys, protection)
    write_card(card, made)
    return made


def _refuse_existing(*paths: Path) -> None:
    # Looked at before anything is made, so that a refusal leaves nothing behind; the files
    # themselves are then created so that even a race overwrites nothing.
    for path in paths:
        if os.path.lexists(path):
            raise RefusedError(
                "exists",
                f"{path} already exists and is never overwritten",
                hint="move it away first, or choose another name or --dir",
            )


def _listen(given: str | None) -> str:
    if given is None:
        return f'# listen = ["0.0.0.0:{DEFAULT_PORT}"]    # without it, only this station calls'
    return f"listen = [{quoted(str(Address.parse(given)))}]"


def _tell(card: Card, made: list[Path], config: Path | str | None) -> None:
    print(f"station {card.name}")
    print(f"  id {columns.grouped(card.id.hex())}")
    for path in made:
        print(f"  made {one_line(str(path))}")
    print("next:")
    add, verify, run_it = (
        one_line(station.command(verb, config))
        for verb in ("peer add THEIR.card --address HOST:PORT", "peer verify LINE", "run")
    )
    print(f"  1. give {one_line(str(made[-1]))} to the peer's operator, and get theirs")
    print(f"  2. {add}")
    print(f"  3. read the pair code to each other: {verify}")
    print(f"  4. {run_it}")
