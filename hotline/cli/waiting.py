"""Waiting until messages have come so far as the operator wants to know."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any, Final

from hotline.cli import cures, station
from hotline.cli.exits import TimedOutError
from hotline.errors import HotlineError, RefusedError
from hotline.text import duration, rate

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from hotline.cli.client import Client
    from hotline.cli.terminal import Progress

WAIT_IDS: Final = 1024
"""Ids in one ``wait`` request, as the daemon bounds it."""

ENDED: Final = ("expired", "cancelled")
"""States of a message that was never sent, and never will be."""

POLL_S: Final = 0.5
"""How often a lone message's state is asked for while an operator looks on."""

LOOK_S: Final = 5.0
"""How long to wait for that state: a daemon that hangs is not to hold up the end of --timeout."""


def wait_for_one(
    args: argparse.Namespace, client: Client, identifier: str, state: str, progress: Progress
) -> str:
    """Wait for one message, now in ``state``, and give its last state.

    Raises TimedOutError when --timeout is over and RefusedError when the message ended otherwise.
    """
    deadline_s = _deadline_s(args)
    request = _post(args, client, [identifier])
    seen = [state]
    while True:
        progress.show(f"{identifier}: {' -> '.join(seen)} ...", at_once=True)
        next_s = min(deadline_s, time.monotonic() + POLL_S) if progress.active else deadline_s
        try:
            result = client.answer(request, deadline_s=next_s)
        except TimeoutError:
            found = _look(args, identifier)
            now = found or seen[-1]
            if now != seen[-1]:
                seen.append(now)
            if time.monotonic() >= deadline_s:
                progress.clear()
                # One that has not told the state hangs: it is not asked a second time.
                line = None if found is None else _line(args)
                raise _timed_out(args, identifier, now, line) from None
            continue
        progress.clear()
        return _reached(client, [identifier], result)[0]["state"]


def wait_for_many(
    args: argparse.Namespace,
    client: Client,
    ids: list[str],
    progress: Progress,
    on_states: Callable[[list[dict[str, Any]]], None],
) -> None:
    """Wait for all of ids; ``on_states`` gets ``{"id", "state"}`` objects as they are known.

    Raises TimedOutError when --timeout is over.
    """
    deadline_s = _deadline_s(args)
    done = 0

    began_s = time.monotonic()

    def show(event: dict[str, Any]) -> None:
        reached = done + int(event.get("done", 0))
        told = f"{args.wait}: {reached} of {len(ids)}"
        if reached and (passed_s := time.monotonic() - began_s) > 0:
            left_s = passed_s * (len(ids) - reached) / reached
            told += f", {rate(reached / passed_s)}, {duration(left_s)} to go"
        progress.show(told)

    # Until the first event comes, which may be days: what was shown last was the queueing, all done.
    progress.show(f"{args.wait}: 0 of {len(ids)}", at_once=True)
    for first in range(0, len(ids), WAIT_IDS):
        some = ids[first : first + WAIT_IDS]
        request = _post(args, client, some)
        try:
            result = client.answer(request, deadline_s=deadline_s, on_event=show)
        except TimeoutError:
            progress.clear()
            raise TimedOutError(
                f"timed out waiting: not all of {len(ids)} messages are {args.wait}",
                hint=_still(args, _line(args))
                or "they will still be delivered; see: hotline outbox --open",
            ) from None
        on_states(_reached(client, some, result))
        done += len(some)
    progress.clear()


def _reached(client: Client, ids: list[str], result: dict[str, Any]) -> list[dict[str, str]]:
    """Give the states that a wait was answered with: one of each message, or they are of no use."""
    states: list[dict[str, str]] = result["messages"]
    if sorted(one["id"] for one in states) != sorted(ids):
        raise client.strange("wait: messages")
    return states


def _timed_out(
    args: argparse.Namespace, identifier: str, state: str, line: dict[str, Any] | None
) -> TimedOutError:
    outlook = (
        "nobody over there has acknowledged it yet"
        if state == "delivered"
        else "it will still be delivered when the line lets it"
    )
    return TimedOutError(
        f"timed out waiting: {identifier} is still {state}",
        hint=(state != "delivered" and _still(args, line))
        or f"{outlook}; see: hotline show {identifier}",
    )


def _still(args: argparse.Namespace, line: dict[str, Any] | None) -> str:
    """Give the hint for whoever waits on a line that stands still; empty if it goes on."""
    return cures.hint(args.line, line) if line is not None and cures.stands_still(line) else ""


def ended_otherwise(identifier: str, state: str) -> RefusedError:
    """Give the error for a message that will never reach the state waited for."""
    return RefusedError(
        state, f"{identifier} is {state}: it was not sent", hint="send it again under a new id"
    )


def _post(args: argparse.Namespace, client: Client, ids: list[str]) -> int:
    return client.post("wait", {"line": args.line, "ids": ids, "state": args.wait})


def _deadline_s(args: argparse.Namespace) -> float:
    return time.monotonic() + (math.inf if args.timeout is None else args.timeout)


def _look(args: argparse.Namespace, identifier: str) -> str | None:
    result = _ask(args, "show", {"id": identifier, "line": args.line}) or {"messages": []}
    states = [m.get("state") for m in result["messages"] if m.get("direction") == "out"]
    return states[0] if states else None


def _line(args: argparse.Namespace) -> dict[str, Any] | None:
    """Give how the line stands now; None if the daemon does not say."""
    result = _ask(args, "status", {}) or {"lines": []}
    return next((line for line in result["lines"] if line["name"] == args.line), None)


def _ask(args: argparse.Namespace, method: str, params: dict[str, Any]) -> dict[str, Any] | None:
    # On a connection of its own: the first one is busy waiting.
    try:
        client = station.connect(args)
        try:
            request = client.post(method, params)
            return client.answer(request, deadline_s=time.monotonic() + LOOK_S)
        finally:
            client.close()
    except (HotlineError, TimeoutError):
        return None
