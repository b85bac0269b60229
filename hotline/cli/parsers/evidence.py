"""The record: checking it, and taking it to somebody who has no part in the line."""

from __future__ import annotations

from typing import Any

from hotline.cli import options
from hotline.cli.parsers.declare import group, json_option, line_option, verb


def add(verbs: Any) -> None:
    """Declare log and evidence."""
    log = group(
        verbs,
        "log",
        "check the whole record of a line, or write a run of it to a file",
        """hotline log verify
        hotline log export bravo -o bravo.run""",
    )
    _log(log.add_subparsers(title="verbs", metavar="VERB", required=True))
    evidence = group(
        verbs,
        "evidence",
        "write the proof of one message to a file, or check such a file",
        """hotline evidence export air-7 -o air-7.evidence
        hotline evidence verify air-7.evidence""",
    )
    _evidence(evidence.add_subparsers(title="verbs", metavar="VERB", required=True))


def _log(verbs: Any) -> None:
    verify = verb(
        verbs,
        "verify",
        "hotline.cli.verbs.log_verify",
        "check every hash and signature, receipts and checkpoints too; needs no daemon",
        """hotline log verify
        hotline log verify bravo --json""",
    )
    verify.add_argument("line", metavar="LINE", nargs="?")
    json_option(verify)

    export = verb(
        verbs,
        "export",
        "hotline.cli.verbs.log_export",
        "write a run of a log to a file that proves itself; needs no daemon",
        """hotline log export bravo -o bravo.run
        hotline log export bravo --side peer --first 100 --last 200 -o bravo.run""",
    )
    export.add_argument("line", metavar="LINE")
    export.add_argument(
        "--side",
        choices=("own", "peer"),
        default="own",
        help="which log: what this station said (own), or the peer (peer)",
    )
    export.add_argument("--first", metavar="N", type=options.count, default=1, help="(1)")
    export.add_argument(
        "--last",
        metavar="N",
        type=options.count,
        help="(the end) the run goes on to the next head that was signed",
    )
    export.add_argument("-o", "--output", metavar="FILE", required=True, help="a new file")


def _evidence(verbs: Any) -> None:
    export = verb(
        verbs,
        "export",
        "hotline.cli.verbs.evidence_export",
        "write the proof of one message; needs no daemon",
        """hotline evidence export air-7 -o air-7.evidence
        hotline evidence export air-7 > air-7.evidence""",
    )
    export.add_argument("id", metavar="ID")
    line_option(export)
    export.add_argument(
        "--direction", choices=("out", "in"), help="sent or received, if both have this id"
    )
    export.add_argument(
        "-o", "--output", metavar="FILE", help="a new file (default: standard output)"
    )

    verify = verb(
        verbs,
        "verify",
        "hotline.cli.verbs.evidence_verify",
        "check a file of evidence, or a run of a log, on any machine",
        """hotline evidence verify air-7.evidence
        hotline evidence verify air-7.evidence --card alpha.card --card bravo.card
        hotline evidence verify bravo.run --entries""",
    )
    verify.add_argument("file", metavar="FILE")
    verify.add_argument(
        "--card",
        metavar="CARD",
        action="append",
        default=[],
        help="a card that you know to be genuine: the file must be of its station; repeat it",
    )
    verify.add_argument("--entries", action="store_true", help="show the entries of a run, too")
    json_option(verify)
