"""Answering a message, and taking one back."""

from __future__ import annotations

from typing import Any

from hotline.cli import options
from hotline.cli.parsers.declare import json_option, line_option, verb


def add(verbs: Any) -> None:
    """Declare ack and cancel."""
    ack = verb(
        verbs,
        "ack",
        "hotline.cli.verbs.ack",
        "acknowledge a message from the peer, in your name",
        """hotline ack 01jdq3w8k7x9v2m4n6p8r0s2t4
        hotline ack 01jdq3w8k7x9v2m4n6p8r0s2t4 --decision wilco --note "moving now\"""",
    )
    ack.add_argument("id", metavar="ID")
    ack.add_argument(
        "--decision",
        choices=options.DECISIONS,
        default="read",
        help="read (the default), wilco: will comply, cannot: cannot comply",
    )
    ack.add_argument(
        "--note", metavar="N", default="", help="a few words for the peer, with the first answer"
    )
    line_option(ack)
    json_option(ack)

    cancel = verb(
        verbs,
        "cancel",
        "hotline.cli.verbs.cancel",
        "take back a message that is still queued",
        "hotline cancel 01jdq3w8k7x9v2m4n6p8r0s2t4",
    )
    cancel.add_argument("id", metavar="ID")
    line_option(cancel)
    json_option(cancel)
