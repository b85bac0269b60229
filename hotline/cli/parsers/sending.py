"""Saying something."""

from __future__ import annotations

from typing import Any

from hotline.cli import options
from hotline.cli.parsers.declare import json_option, verb


def add(verbs: Any) -> None:
    """Declare send."""
    send = verb(
        verbs,
        "send",
        "hotline.cli.verbs.send",
        "queue a message for the peer",
        """hotline send bravo "Convoy moves at 0600Z" --precedence priority --ack-by 30m
        hotline send bravo - --subject "Movement order" < order.txt
        hotline send bravo --batch messages.ndjson --wait delivered --timeout 10m""",
    )
    send.add_argument("line", metavar="LINE")
    send.add_argument(
        "text",
        metavar="TEXT",
        nargs="?",
        help="the message; - or nothing: read it from standard input",
    )
    send.add_argument(
        "--precedence",
        metavar="P",
        type=options.precedence,
        default="ROUTINE",
        choices=options.PRECEDENCES,
        help="FLASH, IMMEDIATE, PRIORITY or ROUTINE (the default), or their first letters",
    )
    send.add_argument("--subject", metavar="S", default="", help="at most 256 bytes")
    send.add_argument(
        "--expires",
        metavar="WHEN",
        type=options.moment,
        help="give up then if it has not been sent: 2h, 2026-11-23T15:30:00Z or 231530ZNOV26",
    )
    send.add_argument(
        "--ack-by", metavar="WHEN", type=options.moment, help="ask for an acknowledgement by then"
    )
    send.add_argument(
        "--wait", choices=("delivered", "acknowledged"), help="wait until it has come so far"
    )
    send.add_argument(
        "--timeout", metavar="T", type=options.timeout, help="wait no longer: seconds, or 15m"
    )
    send.add_argument(
        "--batch",
        metavar="FILE",
        help="one JSON object per line: body, and id, precedence, subject, expires, ack_by if"
        " wanted; - reads standard input",
    )
    send.add_argument(
        "--id",
        metavar="X",
        help="the id: sent again with the same text it is the same message, with the times it had",
    )
    send.add_argument("--test", action="store_true", help="a line test: troubles no operator")
    json_option(send)
