"""``hotline key rotate``: make new keys, and have the daemon change to them on every line.

The files are made here, beside the old ones, by whoever may write there: a daemon need not. It is asked
first whether it is the time for it, and told when they stand. What is cut in between is gone on with.
"""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hotline.cli import columns, exits, passphrases, station
from hotline.errors import RefusedError
from hotline.identity import Protection, read_card, read_secret_keys
from hotline.identity.keyfile import inspect_key_file, once
from hotline.identity.successors import FIRST, Made, Names, make_successor, read_successions
from hotline.text import one_line

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from pathlib import Path

    from hotline.cli.client import Client
    from hotline.daemon.config import StationConfig
    from hotline.identity import Card
    from hotline.identity.keyfile import PassphraseSource


def run(args: argparse.Namespace) -> int:
    """Do what ``hotline key rotate`` was asked."""
    config = station.load(args)
    source = once(passphrases.source(args.passphrase_fd))
    client = station.connect(args)
    try:
        made, names = _rotate(config, client, source)
    finally:
        client.close()
    print(f"new keys of {made.card.name}")
    print(f"  id {columns.grouped(made.card.id.hex())}")
    for path in (names.key, names.card, names.succession):
        print(f"  made {one_line(str(path))}")
    print("Each line tells its peer, and goes over to the new keys when the peer has confirmed.")
    print("next:")
    print(f"  1. keep a copy of {one_line(names.key.name)} where the old key's copy is kept")
    print("  2. wait until no line's keys are pending: hotline status")
    print("  3. then destroy the old key file, which status names, and its copies")
    return exits.DONE


def _rotate(config: StationConfig, client: Client, source: PassphraseSource) -> tuple[Made, Names]:
    """Make the next keys and have them taken up; raises RefusedError if it is no time for them."""
    number = client.call("rotate", {"check": True})["number"]
    if not FIRST <= number < FIRST + len(_cards(config)):
        raise client.strange("rotate: number")
    names = Names.of(config.key, config.card, number)
    old_path = Names.of(config.key, config.card, number - 1).key if number > FIRST else config.key
    protected = inspect_key_file(old_path).protected
    with _alone(old_path):
        old = _cards(config)[number - FIRST], read_secret_keys(old_path, source)
        protection = Protection(source(old_path), os.urandom) if protected else None
        made = make_successor(names, old, protection, source, os.urandom, time.time_ns())
        client.call("rotate", {"passphrase": source(names.key).hex()} if protected else {})
    return made, names


@contextmanager
def _alone(key: Path) -> Iterator[None]:
    """Keep out whoever else changes this key: two of them would take each other's files for strays.

    The lock is on the secret key file, which no other account can open, and ends with the process.
    """
    descriptor = os.open(key, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise RefusedError(
            "rotation-under-way",
            "another `hotline key rotate` is at work on these keys",
            hint="wait until it is done, and look at `hotline status`",
        ) from None
    finally:
        os.close(descriptor)


def _cards(config: StationConfig) -> list[Card]:
    first = read_card(config.card)
    return [first, *(one.card for one in read_successions(config.card, first))]
