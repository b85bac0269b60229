"""Decisions about a peer's card: told to the daemon, or to its store while no daemon runs."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from hotline.cli import station
from hotline.cli.exits import UnreachableError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from hotline.daemon.config import StationConfig
    from hotline.daemon.trust import Trust

    Offline = Callable[[StationConfig, bytes], Trust]


def ask(
    args: argparse.Namespace, method: str, params: dict[str, Any], peer_id: bytes
) -> dict[str, Any]:
    """Have a decision about the card of peer_id made durable, or told; gives the store's marks.

    Raises RefusedError, or StoreError if neither a daemon answers nor its store can be used.
    """
    try:
        client = station.connect(args)
    except UnreachableError:
        return _without_daemon(method, station.load(args), peer_id)
    try:
        return client.call(method, {**params, "peer_id": peer_id.hex()})
    finally:
        client.close()


def _without_daemon(method: str, config: StationConfig, peer_id: bytes) -> dict[str, Any]:
    from hotline.daemon import offline, views

    decide: dict[str, Offline] = {
        "verify": offline.verify,
        "revoke": offline.revoke,
        "trust": offline.trust,
    }
    return views.trust(decide[method](config, peer_id))


def on_terminal() -> bool:
    """Tell whether there is somebody who can be asked."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def answer(question: str) -> str:
    """Ask on the terminal; an end of input is no answer."""
    try:
        return input(question).strip()
    except EOFError:
        print()
        return ""
