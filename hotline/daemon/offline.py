"""The store without its daemon: what operators may decide about cards while no daemon runs.

The store's lock says that none does. So a card can be revoked although the daemon does not start, and
a pair code can be compared before it ever has.
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hotline.daemon.folder import has_store, state_folder
from hotline.daemon.operators import operator_name
from hotline.daemon.trust import Trust
from hotline.errors import ConfigError, RefusedError
from hotline.identity import read_card
from hotline.identity.successors import key_files
from hotline.model import Mark
from hotline.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hotline.daemon.config import StationConfig
    from hotline.store.interface import Transaction


def trust(config: StationConfig, peer_id: bytes) -> Trust:
    """Give what the store holds about a card; raises StoreError, StoreInUseError if a daemon runs.

    Raises ConfigError if this user is not the one who runs it.
    """
    if not has_store(config):
        return Trust()
    with _opened(config) as store:
        own_id = _own_id(config, peer_id)
        return store.read(lambda reader: Trust.read(reader, own_id, peer_id))


def verify(config: StationConfig, peer_id: bytes) -> Trust:
    """Note that this user compared the pair code; raises as ``trust`` does."""
    if trust(config, peer_id).revoked is not None:
        raise RefusedError(
            "revoked", "the card is revoked", hint="get another card of that station's"
        )
    return _decide(config, peer_id, lambda tx, own, mark: tx.put_verification(own, peer_id, mark))


def revoke(config: StationConfig, peer_id: bytes) -> Trust:
    """Refuse a card for good; raises as ``trust`` does."""
    return _decide(config, peer_id, lambda tx, _, mark: tx.put_revocation(peer_id, mark))


def _decide(
    config: StationConfig, peer_id: bytes, put: Callable[[Transaction, bytes, Mark], None]
) -> Trust:
    mark = Mark(operator_name(os.geteuid()), time.time_ns())
    with _opened(config) as store:
        own_id = _own_id(config, peer_id)
        [outcome] = store.transact([lambda tx: put(tx, own_id, mark)])
        if isinstance(outcome, Exception):
            raise outcome
        return store.read(lambda reader: Trust.read(reader, own_id, peer_id))


def _own_id(config: StationConfig, peer_id: bytes) -> bytes:
    """Give the id of ours under which the line to a card was founded; our first if there is none."""
    for line in config.lines:
        if read_card(line.card).id == peer_id:
            return read_card(config.own_card(line)).id
    return read_card(config.card).id


def _check_owner(config: StationConfig) -> None:
    """Raise ConfigError unless this user runs the daemon: who else made the store would keep it out."""
    key = key_files(config.key, config.card)[-1]
    owner = key.stat().st_uid
    if owner != os.geteuid():
        raise ConfigError(
            f"the key {key} belongs to user id {owner}, not to {os.geteuid()} who runs this",
            hint="run this as the user who runs the daemon, or while the daemon runs",
        )


@contextmanager
def _opened(config: StationConfig) -> Iterator[SqliteStore]:
    _check_owner(config)
    state_folder(config)
    store = SqliteStore.open(config.store_path, station_id=read_card(config.card).id)
    try:
        yield store
    finally:
        store.close()
