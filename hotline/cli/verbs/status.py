"""``hotline status``: whether each line works right now, and if not, why."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from hotline.cli import cures, exits, station
from hotline.cli.columns import fill, grouped
from hotline.cli.rendering import time_of, word
from hotline.cli.terminal import complain, display_columns, paint, print_json
from hotline.text import duration, one_line, rate

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    Line = dict[str, Any]


def run(args: argparse.Namespace) -> int:
    """Do what ``hotline status`` was asked."""
    client = station.connect(args)
    try:
        status = client.call("status")
    finally:
        client.close()
    if args.json:
        print_json(status)
    else:
        print("\n".join(_shown(status)))
    if args.check is None:
        return exits.DONE
    return _check(args, status)


def _check(args: argparse.Namespace, status: dict[str, Any]) -> int:
    """Give 6 and say why, unless every line asked for is up."""
    name = args.check
    lines = [line for line in status["lines"] if name in ("", line["name"])]
    sys.stdout.flush()
    if not lines:
        # No line at all is as unfit for use as a line that is down.
        if name:
            raise station.unknown_to_daemon(station.load(args), name) or station.unknown_line(name)
        complain("there is no line to check", "pin a peer: hotline peer add CARD")
        return exits.UNFIT
    unfit = [line for line in lines if line["state"] != "up"]
    for line in unfit:
        complain(f"line {word(line, 'name')} is {word(line, 'state')}: {word(line, 'reason')}")
    return exits.UNFIT if unfit else exits.DONE


def _shown(status: dict[str, Any]) -> Iterator[str]:
    yield f"station {word(status, 'station')}"
    yield f"  id {grouped(word(status, 'station_id'))}"
    yield from _key_change(status.get("key_change"))
    yield from _notices(status, "see: hotline key show")
    for line in status["lines"]:
        yield ""
        yield from _line(line)
    if not status["lines"]:
        yield "  no lines; pin a peer: hotline peer add CARD"


def _key_change(change: dict[str, Any] | None) -> Iterator[str]:
    """Tell how far the last change of keys has come, as long as there is something to do about it."""
    if change is None:
        return
    if change["waiting"]:
        names = one_line(", ".join(change["waiting"]))
        yield f"  new keys, number {word(change, 'number')}: not yet confirmed on line {names}"
    else:
        for path in change["old_keys"]:
            yield f"  old keys are over: destroy {one_line(path)}"


def _line(line: Line) -> Iterator[str]:
    state = word(line, "state")
    since = time_of(line, "since", exact=True)
    yield f"line {word(line, 'name')}: {paint(state, state)} since {since}"
    why = f"{word(line, 'detail')} [{word(line, 'reason')}]"
    yield from (f"  {row}" for row in fill(why, display_columns() - 2))
    yield from (f"  {row}" for row in fill(", ".join(_contact(line)), display_columns() - 2))
    if line.get("clock_differs"):
        yield paint(
            "  the clocks differ: times shown by the two stations do not compare", "degraded"
        )
    yield (
        f"  queued {word(line, 'queued')}, in flight {word(line, 'in_flight')},"
        f" unacknowledged {word(line, 'unacknowledged')}, unread here {word(line, 'unread')}"
    )
    if line.get("drain_s") is not None and line.get("delivered_per_s") is not None:
        yield (
            f"  draining, {rate(float(line['delivered_per_s']))}, {_seconds(line, 'drain_s')} to go"
        )
    if line.get("verified_at") is not None:
        when = time_of(line, "verified_at")
        yield f"  pair code compared {when} by {word(line, 'verified_by')}"
    if line.get("peer_id") != line.get("peer_pinned_id"):
        yield "  the peer has changed its keys; its id is now"
        yield f"  {grouped(word(line, 'peer_id'))}"
    yield from _notices(line, f"hotline peer verify {word(line, 'name')}")
    if line.get("session_age_s") is not None:
        yield f"  session with {word(line, 'address')}, {_seconds(line, 'session_age_s')} old"
    if line.get("next_attempt_s") is not None:
        sooner = "" if cures.stands_still(line) else f"; now: hotline retry {word(line, 'name')}"
        yield (
            f"  next attempt in {_seconds(line, 'next_attempt_s')},"
            f" {word(line, 'attempts')} so far{sooner}"
        )
    yield from _cure(line)


def _cure(line: Line) -> Iterator[str]:
    """Say what to do about a line that goes on only when somebody acts."""
    cure = cures.cure(line)
    if cure is None:
        return
    yield from (f"  {row}" for row in fill(f"now: {cure.text}", display_columns() - 2))
    if cure.command:
        yield f"    {cure.command}"  # whole, to be copied
    yield '  see "What to do when" in docs/operations.md'


def _notices(status: dict[str, Any], cure: str) -> Iterator[str]:
    """Tell what an operator should do some day soon; cure belongs to what one verb can do."""
    for notice in status.get("notices") or ():
        code = word(notice, "code")
        rest = "" if code.startswith("peer-key") else f"; {cure}"
        yield paint(f"  note: {word(notice, 'text')} [{code}]{rest}", "degraded")


def _contact(line: Line) -> Iterator[str]:
    heard = line.get("last_heard_s")
    yield "never heard" if heard is None else f"heard {duration(float(heard))} ago"
    if line.get("rtt_ms") is not None:
        yield f"round trip {duration(float(line['rtt_ms']) / 1000)}"
    if line.get("clock_offset_ms") is not None:
        offset_s = float(line["clock_offset_ms"]) / 1000
        yield f"their clock {duration(abs(offset_s))} {'behind' if offset_s < 0 else 'ahead'}"
    attended = line.get("attended")
    if attended is not None:
        yield "operator on watch" if attended else "nobody on watch"


def _seconds(line: Line, name: str) -> str:
    return duration(float(line[name]))
