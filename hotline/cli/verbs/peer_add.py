"""``hotline peer add``: pin a peer's card as a new line of the configuration."""

from __future__ import annotations

import fcntl
import os
import shlex
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hotline.cli import cards, exits, pairing, station
from hotline.cli.rendering import time_of, word
from hotline.cli.toml import quoted
from hotline.daemon import config as configuration
from hotline.daemon.config import Address
from hotline.errors import ConfigError, IdentityError, RefusedError
from hotline.identity import check_name, files, read_card, write_card
from hotline.identity.succession import check_fresh
from hotline.identity.successors import (
    FIRST,
    MOST,
    Names,
    linked_ids,
    newest_card,
    read_successions,
)
from hotline.text import one_line, utc

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from hotline.daemon.config import StationConfig
    from hotline.identity import Card

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


def run(args: argparse.Namespace) -> int:
    """Do what ``hotline peer add`` was asked."""
    with _alone(station.load(args).path):
        # Read again: only now does nobody else change it.
        return _add(args, station.load(args))


def _add(args: argparse.Namespace, config: StationConfig) -> int:
    own = newest_card(config.card)
    card = read_card(Path(args.card))
    name = args.name or card.name
    check_name(name)
    addresses = [str(Address.parse(address)) for address in args.address]
    _refuse_duplicates(config, card, name)
    _refuse_revoked(args, card)
    kept = _keep(config, card, name)
    _append(config.path, _table(config, name, kept, addresses, card) + _own_card(config, own))
    print(f"line {name} is pinned to the station {card.name}; card kept as {kept}")
    print()
    pairing.tell(own, card)
    print()
    if station.is_daemon_there(args):
        print(f"next: send the daemon SIGHUP, to take up the line: {station.SIGHUP}")
    else:
        run_it = station.command("run", station.typed_config(args))
        print(f"next: start the daemon: {one_line(run_it)}")
    return exits.DONE


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Wait for whoever else adds a line to the configuration at path: one would write over the other.

    The lock is on the folder, since the file is replaced, and ends with the process.
    """
    descriptor = os.open(path.resolve().parent, _FOLDER)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _refuse_duplicates(config: StationConfig, card: Card, name: str) -> None:
    # The older ones too: they lie beside the peer's, under the shorter names.
    first = read_card(config.card)
    if card.id in {first.id, *(one.card.id for one in read_successions(config.card, first))}:
        raise RefusedError(
            "own-card", "this is this station's own card", hint="get the peer's card"
        )
    for line in config.lines:
        if line.name == name:
            raise RefusedError(
                "duplicate-name", f"there is a line {name} already", hint="choose another --name"
            )
        pinned = read_card(line.card)
        if pinned.id == card.id:
            raise RefusedError(
                "duplicate-card",
                f"the line {line.name} is pinned to this card already",
                hint=f"see: hotline peer verify {line.name}",
            )
        _refuse_same_keys(
            card, [pinned, *(s.card for s in read_successions(line.card, pinned))], line.name
        )


def _refuse_same_keys(card: Card, used: list[Card], line: str) -> None:
    """Raise RefusedError if a card has a key of the line's: it is that station, or says that it is."""
    try:
        check_fresh(card, used, "the card")
    except IdentityError as error:
        raise RefusedError(
            "duplicate-keys",
            f"{error}, as the line {line} does",
            hint="two stations have no key in common: get a card of its own keys",
        ) from None


def _refuse_revoked(args: argparse.Namespace, card: Card) -> None:
    # The daemon refuses such a line in any case; here the operator learns of it in time.
    for card_id in linked_ids(Path(args.card), card):
        marks = cards.ask(args, "trust", {}, card_id)
        if marks["revoked_at"] is None:
            continue
        when, who = time_of(marks, "revoked_at", exact=True), word(marks, "revoked_by")
        what = "the card" if card_id == card.id else "another card"
        raise RefusedError(
            "revoked",
            f"{what} of {card.name} was refused for good, {when} by {who}",
            hint="get a card of new keys, which no succession links with that one",
        )


def _keep(config: StationConfig, card: Card, name: str) -> Path:
    """Give this station's own copy of the card, made if need be, beside the secret key."""
    kept = config.key.parent / f"{name}.card"
    if os.path.lexists(kept):
        if kept.samefile(config.card):
            raise RefusedError(
                "exists", f"{kept} is this station's own card", hint="choose another --name"
            )
        if read_card(kept) != card:
            raise RefusedError(
                "exists",
                f"{kept} is another station's card, and is never overwritten",
                hint="choose another --name, or move that file away",
            )
    else:
        write_card(kept, card)
    return kept


def _table(config: StationConfig, name: str, kept: Path, addresses: list[str], card: Card) -> str:
    folder = config.path.parent
    path = kept.relative_to(folder) if kept.is_relative_to(folder) else kept
    listed = ", ".join(map(quoted, addresses))
    return (
        f"\n# The station {card.name}, id {card.id.hex()[:16]}..., added {utc(time.time_ns())}\n"
        f"[[line]]\nname = {quoted(name)}\ncard = {quoted(str(path))}\naddresses = [{listed}]\n"
    )


def _own_card(config: StationConfig, own: Card) -> str:
    """Say under which of our cards a line is founded, where that is not our first."""
    for number in range(FIRST, MOST):
        path = Names.of(config.key, config.card, number).card
        if not os.path.lexists(path):
            break
        if read_card(path).id == own.id:
            folder = config.path.parent
            shown = path.relative_to(folder) if path.is_relative_to(folder) else path
            return f"own_card = {quoted(str(shown))}\n"
    return ""


def _append(path: Path, table: str) -> None:
    """Add a table to the configuration: the new file takes the old one's place only if it reads."""
    # Through a symbolic link, the file itself is replaced and the link stays.
    target = path.resolve()
    before = target.read_bytes()
    ending = b"" if before.endswith(b"\n") else b"\n"
    # In the folder of the path as given: relative paths in the file start there.
    draft = path.with_name(f".{path.name}.{os.getpid()}.new")
    files.create(draft, before + ending + table.encode(), target.stat().st_mode & 0o777)
    try:
        configuration.load(draft)
        draft.replace(target)
    except ConfigError as error:
        raise ConfigError(
            f"the line cannot be added: {error}", hint=f"add to {shlex.quote(str(path))} by hand"
        ) from None
    finally:
        draft.unlink(missing_ok=True)
    files.sync_folder(target.parent)
