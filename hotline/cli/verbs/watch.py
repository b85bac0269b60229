"""``hotline watch``: messages and changes of the line as they come, for the operator on watch."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from hotline.cli import rendering, station
from hotline.cli.rendering import time_of, word
from hotline.cli.terminal import Progress, paint, print_json
from hotline.text import duration

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

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
            event = client.event()
            if args.json:
                print_json(event)
            elif progress.active and event.get("event") == "delivered" and event.get("waiting"):
                # Of a backlog only its progress is shown: hundreds of receipts say no more.
                progress.show(_draining(event))
                continue
            else:
                progress.clear()
                print("\n".join(_shown(event)))
            sys.stdout.flush()
    finally:
        progress.clear()
        client.close()


def _draining(event: Event) -> str:
    told = f"{word(event, 'line')}: {word(event, 'waiting')} to deliver"
    if event.get("drain_s") is not None:
        told += (
            f", {float(event['delivered_per_s']):.0f} a second,"
            f" {duration(float(event['drain_s']))} to go"
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
