"""Messages, in both directions."""

from __future__ import annotations

from typing import Any

from hotline.cli import options
from hotline.cli.parsers.declare import json_option, line_option, verb


def add(verbs: Any) -> None:
    """Declare inbox, outbox and show."""
    for name, what, done in (
        ("inbox", "messages from the peer", "acknowledged"),
        ("outbox", "messages to the peer", "acknowledged, expired or cancelled"),
    ):
        listing = verb(
            verbs,
            name,
            "hotline.cli.verbs.messages",
            f"list {what}, newest last",
            f"""hotline {name}
            hotline {name} bravo --open
            hotline {name} --all --json""",
        )
        listing.set_defaults(box=name)
        listing.add_argument("line", metavar="LINE", nargs="?")
        listing.add_argument(
            "--open",
            "--unacknowledged",
            dest="open",
            action="store_true",
            help=f"leave out what is {done}",
        )
        many = listing.add_mutually_exclusive_group()
        many.add_argument(
            "--limit", metavar="N", type=options.count, default=20, help="the newest N (20)"
        )
        many.add_argument("--all", action="store_true", help="every message")
        json_option(listing)

    show = verb(
        verbs,
        "show",
        "hotline.cli.verbs.show",
        "show a message whole",
        "hotline show 01jdq3w8k7x9v2m4n6p8r0s2t4",
    )
    show.add_argument("id", metavar="ID")
    line_option(show)
    json_option(show)
