"""``hotline send``: queue a message, and if asked wait until it got there."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Final

from hotline.cli import compose, cures, exits, output, station, waiting
from hotline.cli.client import refusal
from hotline.cli.exits import UnreachableError, UsageError
from hotline.cli.ids import Ids
from hotline.cli.terminal import Progress, advise, print_json
from hotline.limits import MESSAGE_BYTES
from hotline.text import one_line

if TYPE_CHECKING:
    import argparse
    from typing import Any

    from hotline.cli.client import Client

_NOT_KNOWN = "state not known"
"""Of a message that was sent before, where the daemon cannot read how far it has come."""


_NOT_SENT: Final = ("queued", *waiting.ENDED)
_MOVING: Final = ("queued", "sent", None)
"""States of a message that still has to get there."""


def run(args: argparse.Namespace) -> int:
    """Do what ``hotline send`` was asked."""
    if args.timeout is not None and args.wait is None:
        raise UsageError("--timeout bounds --wait, which is not given", hint="add --wait delivered")
    if args.batch is None:
        return _send_one(args)
    if args.text is not None or args.id is not None:
        raise UsageError(
            "--batch takes texts and ids from its file", hint="leave out TEXT and --id"
        )
    from hotline.cli import batch

    return batch.send(args)


def _send_one(args: argparse.Namespace) -> int:
    identifier = Ids().next() if args.id is None else args.id
    compose.check_text("id", identifier, MESSAGE_BYTES)
    encoded = compose.encoded(compose.message(args, identifier=identifier, body=_body(args)))
    client = station.connect(args)
    try:
        outcome, line = _queue(args, client, identifier, encoded)
        # Of a message that was sent before, this may be all that ever becomes of it.
        if args.wait is None or outcome["state"] in waiting.ENDED:
            _tell(args, outcome)
            _advise(args, outcome, line)
        else:
            _wait(args, client, outcome, line)
    finally:
        client.close()
    if outcome["state"] in waiting.ENDED:
        raise waiting.ended_otherwise(identifier, outcome["state"])
    return exits.DONE


def _wait(
    args: argparse.Namespace,
    client: Client,
    outcome: dict[str, Any],
    line: dict[str, Any] | None,
) -> None:
    """Bring outcome's state up to date; JSON is printed once, whatever comes of the waiting."""
    if not args.json:
        # An operator who interrupts the waiting must still know the id.
        _tell(args, outcome)
    _advise(args, outcome, line)
    progress = Progress()
    try:
        outcome["state"] = waiting.wait_for_one(
            args, client, outcome["id"], outcome["state"] or _NOT_KNOWN, progress
        )
        if not args.json:
            _tell(args, outcome)
    finally:
        progress.clear()
        if args.json:
            _tell(args, outcome)


def _queue(
    args: argparse.Namespace, client: Client, identifier: str, encoded: str
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Give what became of the message, and how its line stands, if the daemon says so."""
    try:
        request = client.post_encoded(
            "send", f'{{"line":{json.dumps(args.line)},"messages":[{encoded}]}}'
        )
        answer = client.answer(request)
        results = answer["results"]
        if not compose.answered([identifier], results):
            raise client.strange("send: results")
        (result,) = results
    except UnreachableError as error:
        raise UnreachableError(
            f"{error}: whether the message was queued is not known",
            hint=f"send it again with --id {identifier}: it will be queued once",
        ) from None
    if result.get("error") is not None:
        raise refusal(result["error"], str(result["error"].get("message") or "refused"))
    outcome = {
        "id": identifier,
        "line": args.line,
        "state": result.get("state"),
        "repeated": bool(result.get("repeated")),
    }
    return outcome, answer.get("line")


def _tell(args: argparse.Namespace, outcome: dict[str, Any]) -> None:
    identifier, state = outcome["id"], outcome["state"]
    done = f"message {identifier} {f'is {state}' if state else 'was sent before'}"
    # An operator who is not told of the id sends the same order again, under another one.
    with output.telling(done, hint=f"see: hotline show {identifier}"):
        if args.json:
            print_json(outcome)
            return
        again = f" ({_repeated(args, state)})" if outcome["repeated"] else ""
        said = f"{state or f'{_NOT_KNOWN}:'} {identifier} for {outcome['line']}{again}"
        print(one_line(said))


def _advise(args: argparse.Namespace, outcome: dict[str, Any], line: dict[str, Any] | None) -> None:
    """Say of a message that waits for an operator more than for the line that it does."""
    if line is not None and outcome["state"] in _MOVING and cures.stands_still(line):
        advise(cures.hint(args.line, line))


def _repeated(args: argparse.Namespace, state: str | None) -> str:
    """Say what a message under a known id comes to: its times are those that it had."""
    before = "it was queued before" if state in _NOT_SENT else "it was sent before"
    times = (("--expires", args.expires), ("--ack-by", args.ack_by))
    given = [option for option, value in times if value]
    if not given:
        return before
    return f"{before}: {' and '.join(given)} change{'s' * (len(given) == 1)} nothing"


def _body(args: argparse.Namespace) -> str:
    if args.text is not None and args.text != "-":
        return str(args.text)
    if args.text is None and args.test:
        return ""
    typed = args.text is None and sys.stdin.isatty()
    if typed:
        print("type the message, then Ctrl-D on a line of its own:", file=sys.stderr)
    # One byte too many tells a longer text without reading all of it.
    data = sys.stdin.buffer.read(MESSAGE_BYTES + 1)
    if len(data) > MESSAGE_BYTES:
        raise UsageError(
            f"the body is over {MESSAGE_BYTES} bytes (1 MiB)", hint="send it in several messages"
        )
    try:
        body = data.decode()
    except UnicodeDecodeError as error:
        raise UsageError(
            f"the body is not valid UTF-8 at byte {error.start}",
            hint="Hotline carries text; encode anything else",
        ) from None
    # A file goes as it is; at a keyboard the last newline only ended the line.
    return body.removesuffix("\n") if typed else body
