"""``hotline watch``: messages and changes of the line as they come, for the operator on watch."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from hotline.cli import rendering, station
from hotline.cli.exits import GoneError, UnreachableError
from hotline.cli.rendering import time_of, word
from hotline.cli.terminal import Progress, paint, print_json
from hotline.text import duration, one_line, rate

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from hotline.cli.client import Client

    Event = dict[str, Any]


_KEYS = {
    "key_change_confirmed": "the peer has confirmed our new keys",
    "peer_keys_changed": "the peer has changed its keys",
}


def run(args: argparse.Namespace) -> int:
    """Do what ``hotline watch`` was asked; ends when interrupted or when the daemon goes away."""
    client = station.connect(args)
    progress = Progress()
    try:
        client.call("watch", {} if args.line is None else {"line": args.line})
        if not args.json:
            print("on watch; Ctrl-C ends it", file=sys.stderr)
        while True:
            event = _next(client)
            if args.json:
                print_json(event)
            elif progress.active and event.get("event") == "delivered" and event.get("waiting"):
                # Of a backlog only its progress is shown: hundreds of receipts say no more.
                progress.show(_draining(event))
                continue
            elif event.get("event") == "missed":
                progress.clear()
                _complain(event)
            else:
                progress.clear()
                print("\n".join(_shown(event)))
            sys.stdout.flush()
    finally:
        progress.clear()
        client.close()


def _next(client: Client) -> Event:
    try:
        return client.event()
    except GoneError as error:
        # It has hung up in both cases: to a client that does not read nothing can be said.
        raise UnreachableError(
            f"{error}, or let this watch go because it did not keep up",
            hint="look at the inbox, and watch again; the daemon's own log says which it was",
        ) from None


def _complain(event: Event) -> None:
    """Say that messages came and cannot be shown: whoever looks on must not believe otherwise."""
    sys.stdout.flush()
    bell = "\a" if event.get("flash") and sys.stderr.isatty() else ""
    ids = [one_line(str(one)) for one in event.get("ids") or ()]
    which = "a FLASH" if event.get("flash") else "a message"
    print(
        f"{bell}{time_of(event, 'at')}  {word(event, 'line')}  {which} came and cannot be shown:"
        f" {' '.join(ids) or '-'}: {word(event, 'why')}",
        file=sys.stderr,
    )
    print(f"hint: look again: hotline show {ids[0] if ids else 'ID'}", file=sys.stderr)


def _draining(event: Event) -> str:
    told = f"{word(event, 'line')}: {word(event, 'waiting')} to deliver"
    if event.get("drain_s") is not None and event.get("delivered_per_s") is not None:
        told += (
            f", {rate(float(event['delivered_per_s']))}, {duration(float(event['drain_s']))} to go"
        )
    return told


def _shown(event: Event) -> Iterator[str]:
    opening = f"{time_of(event, 'at')}  {word(event, 'line')}"
    kind = event.get("event")
    if kind == "message":
        yield from _message(event, opening)
    elif kind == "state":
        state = word(event, "state")
        yield f"{opening}  line is {paint(state, state)}{_because(event)}"
    elif kind == "keys":
        yield f"{opening}  {_KEYS.get(word(event, 'what'), 'keys')}: {word(event, 'id')[:16]}..."
    elif kind == "delivered":
        yield f"{opening}  delivered {word(event, 'messages')}, up to entry {word(event, 'number')}"
    else:
        by = f" by {word(event, 'acknowledged_by')}" if event.get("acknowledged_by") else ""
        decision = f": {word(event, 'decision')}" if event.get("decision") else ""
        yield f"{opening}  {word(event, 'event')} {word(event, 'id')}{by}{decision}"


def _message(event: Event, opening: str) -> Iterator[str]:
    message = event.get("message") or {}
    precedence = word(message, "precedence")
    bell = "\a" if precedence == "FLASH" and sys.stdout.isatty() else ""
    yield f"{bell}{opening}  {paint(precedence, precedence)}  {word(message, 'id')}"
    if message.get("subject"):
        yield f"  subject  {word(message, 'subject')}"
    yield from rendering.body_lines(message)


def _because(event: Event) -> str:
    reasons = [word(event, name) for name in ("reason", "detail") if event.get(name)]
    return ": " + "; ".join(reasons) if reasons else ""
