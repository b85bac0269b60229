"""What goes by hand when the wire is cut."""

from __future__ import annotations

from typing import Any

from hotline.cli import options
from hotline.cli.parsers.declare import group, json_option, verb
from hotline.limits import MIB


def add(verbs: Any) -> None:
    """Declare courier key, add, export and import."""
    courier = group(
        verbs,
        "courier",
        "carry by hand what the wire cannot, in sealed files",
        """hotline courier export bravo --to monday.courier
        hotline courier import tuesday.courier""",
    )
    inner = courier.add_subparsers(title="verbs", metavar="VERB", required=True)
    _keys(inner)

    export = verb(
        inner,
        "export",
        "hotline.cli.verbs.courier_export",
        "seal what is queued for the peer, and our receipt, into a file",
        """hotline courier export bravo
        hotline courier export bravo --to monday.courier --limit-bytes 1000000""",
    )
    export.add_argument("line", metavar="LINE")
    export.add_argument(
        "--to",
        metavar="FILE",
        help="the file to make (LINE.courier); if one is not enough, FILE.0002 and so on beside it",
    )
    export.add_argument(
        "--limit-bytes",
        metavar="N",
        type=options.count,
        default=64 * MIB,
        help="leave the rest for later after N bytes of entries (64 MiB)",
    )
    export.add_argument(
        "--after",
        metavar="NUMBER",
        type=options.number,
        help="go on after this entry, which an earlier file holds (default: what is receipted)",
    )
    export.add_argument(
        "--unheard",
        action="store_true",
        help="number new entries though no heartbeat of the peer came since the daemon's start",
    )
    json_option(export)

    take_in = verb(
        inner,
        "import",
        "hotline.cli.verbs.courier_import",
        "take in files from the peer, as if they had come by wire",
        "hotline courier import tuesday.courier tuesday.courier.0002",
    )
    take_in.add_argument("files", metavar="FILE", nargs="+")
    json_option(take_in)


def _keys(verbs: Any) -> None:
    verb(
        verbs,
        "key",
        "hotline.cli.verbs.courier_key",
        "print this station's courier key, for a peer that has had no session yet",
        "hotline courier key > alpha.courier-key",
    )
    add = verb(
        verbs,
        "add",
        "hotline.cli.verbs.courier_add",
        "keep a peer's courier key that came as a file",
        "hotline courier add bravo.courier-key",
    )
    add.add_argument("file", metavar="FILE")
