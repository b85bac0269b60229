"""What a configuration wants its lines to be, held against the files and the record.

It is read whole before anything is done, so that a fault in one line leaves all lines as they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hotline.daemon.trust import Trust
from hotline.errors import ConfigError, IdentityError, LocalMisuseError
from hotline.identity import read_card, read_line_secret
from hotline.line import key_changes
from hotline.model import Side

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hotline.daemon.config import LineConfig
    from hotline.daemon.identity import Identity
    from hotline.line.pairing import Pairing
    from hotline.model import LineRecord
    from hotline.store.interface import Reader, Store


def pair(identity: Identity, lines: Sequence[LineConfig]) -> dict[str, Pairing]:
    """Read the cards and secrets of lines, by name; raises HotlineError."""
    pairings: dict[str, Pairing] = {}
    names: dict[bytes, str] = {}
    for line in lines:
        secret = read_line_secret(line.secret) if line.secret is not None else b""
        try:
            pairing = identity.pair(line, read_card(line.card), secret)
        except IdentityError as error:
            raise ConfigError(f"line {line.name}: {error}", hint=error.hint) from None
        # One log would be written by two lines, each sure to be the only one.
        other = names.setdefault(pairing.peer.id, line.name)
        if other != line.name:
            raise ConfigError(
                f"the lines {other} and {line.name} have the same card, {pairing.peer.name}'s",
                hint="a line is the pairing with one peer: remove one of the two",
            )
        pairings[line.name] = pairing
    return pairings


def look(reader: Reader, name: str, pairing: Pairing) -> LineRecord | None:
    """Give a line's record, by which pairing then stands; None for a line that is new.

    Raises ConfigError for a card that succeeds another line's: it would begin a second record with
    the same station, which the peer knows nothing of. Raises IdentityError if our keys are not here.
    """
    found = None
    for record in reader.lines():
        changes = reader.key_changes(record.line, Side.PEER)
        if any(change.id == pairing.peer.id for change in changes):
            raise ConfigError(
                f"line {name}: its card is the later one of the peer of line {record.name}",
                hint="name the card that was pinned first: the line follows its changes of keys",
            )
        if record.peer_id == pairing.peer.id:
            owns = reader.key_changes(record.line, Side.OWN)
            key_changes.remember(pairing, record, owns, changes)
            found = record
    return found


def add(store: Store, name: str, pairing: Pairing) -> tuple[LineRecord, Trust]:
    """Give a line's record, made if it is new, and the trust in its card; raises as ``look`` does."""
    own_id, peer_id = pairing.own.id, pairing.peer.id
    store.read(lambda reader: look(reader, name, pairing))
    store.add_line(name, peer_id, own_id)

    def found(reader: Reader) -> tuple[LineRecord, Trust]:
        record = look(reader, name, pairing)
        if record is None:
            raise LocalMisuseError(f"line {name} was added, and is not in the store")
        ids = [card.id for card in pairing.peers.cards]
        return record, Trust.read(reader, own_id, peer_id, ids)

    return store.read(found)
