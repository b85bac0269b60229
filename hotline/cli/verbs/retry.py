"""``hotline retry``: call the peer now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from hotline.cli import exits, station
from hotline.cli.rendering import word
from hotline.cli.terminal import complain

if TYPE_CHECKING:
    import argparse

_SAID: Final = {
    "calling": "calling {line} now; see: hotline status",
    "no-address": "{line} has no address to dial: the peer must call",
    "revoked": "{line} is not called: its card is refused for good",
}
"""By outcome; of a line that has a session, its state says more."""


def run(args: argparse.Namespace) -> int:
    """Do what ``hotline retry`` was asked."""
    client = station.connect(args)
    try:
        result = client.call("retry", {} if args.line is None else {"line": args.line})
    finally:
        client.close()
    # A daemon of before says only which lines it was.
    usual = [{"line": name, "outcome": "calling"} for name in result["lines"]]
    outcomes = result.get("outcomes") or usual
    for outcome in outcomes:
        print(_said(outcome))
    if all(outcome["outcome"] == "revoked" for outcome in outcomes):
        complain("there is no line that can be called", "pin a peer: hotline peer add CARD")
        return exits.REFUSED
    return exits.DONE


def _said(outcome: dict[str, Any]) -> str:
    line, state = word(outcome, "line"), word(outcome, "state")
    if outcome["outcome"] != "connected":
        return _SAID.get(outcome["outcome"], _SAID["calling"]).format(line=line)
    if state == "up":
        return f"{line} is up already"
    return f"{line} has a session already, {state} ({word(outcome, 'reason')}); see: hotline status"
