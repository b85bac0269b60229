"""How the line lives."""

from __future__ import annotations

from typing import Any

from hotline.cli import options
from hotline.cli.parsers.declare import json_option, verb


def add(verbs: Any) -> None:
    """Declare status, watch, heartbeats and retry."""
    status = verb(
        verbs,
        "status",
        "hotline.cli.verbs.status",
        "tell whether each line works right now",
        """hotline status
        hotline status --check bravo || alarm""",
    )
    status.add_argument(
        "--check",
        metavar="LINE",
        nargs="?",
        const="",
        help="exit 6 unless this line is up (without LINE: unless every line is)",
    )
    json_option(status)

    watch = verb(
        verbs,
        "watch",
        "hotline.cli.verbs.watch",
        "be on watch: show messages and changes of the line as they come",
        """hotline watch
        hotline watch bravo --json""",
    )
    watch.add_argument("line", metavar="LINE", nargs="?")
    json_option(watch)

    heartbeats = verb(
        verbs,
        "heartbeats",
        "hotline.cli.verbs.heartbeats",
        "read the heartbeat log; needs no daemon",
        """hotline heartbeats bravo --limit 100
        hotline heartbeats --follow""",
    )
    heartbeats.add_argument("line", metavar="LINE", nargs="?")
    heartbeats.add_argument("--follow", action="store_true", help="go on as it grows")
    heartbeats.add_argument(
        "--limit", metavar="N", type=options.count, default=20, help="the newest N (20)"
    )
    json_option(heartbeats)

    retry = verb(
        verbs,
        "retry",
        "hotline.cli.verbs.retry",
        "call the peer now instead of at the next attempt",
        """hotline retry
        hotline retry bravo""",
    )
    retry.add_argument("line", metavar="LINE", nargs="?")
