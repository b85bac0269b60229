"""``hotline ack``: an operator's answer to a message from the peer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hotline.cli import compose, exits, output, rendering, station
from hotline.cli.terminal import print_json
from hotline.limits import NOTE_BYTES

if TYPE_CHECKING:
    import argparse


def run(args: argparse.Namespace) -> int:
    """Do what ``hotline ack`` was asked."""
    compose.check_text("note", args.note, NOTE_BYTES)
    params = {**station.selection(args), "decision": args.decision, "note": args.note}
    client = station.connect(args)
    try:
        message = client.call("ack", params)["message"]
    finally:
        client.close()
    names = ("id", "line", "decision", "acknowledged_by")
    identifier, line, decision, operator = (rendering.word(message, name) for name in names)
    done = f"message {identifier} from {line} is acknowledged ({decision})"
    with output.telling(done, hint=f"see: hotline show {identifier}"):
        if args.json:
            print_json(rendering.stable(message))
        else:
            print(f"acknowledged {identifier} from {line}: {decision}, by {operator}")
    return exits.DONE
