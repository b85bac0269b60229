"""Messages as an operator reads them; the objects are those of the control socket."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

from hotline.cli import columns, exits, terminal
from hotline.text import block, dtg, one_line, parse_utc

if TYPE_CHECKING:
    from collections.abc import Iterator

    Message = dict[str, Any]

FIELDS: Final = (
    "id",
    "line",
    "direction",
    "number",
    "precedence",
    "subject",
    "body",
    "author",
    "composed_at",
    "expires_at",
    "ack_by",
    "sent_at",
    "delivered_at",
    "received_at",
    "acknowledged_at",
    "acknowledged_by",
    "decision",
    "note",
    "state",
    "attempts",
)
"""A message object in ``--json``: always these names in this order, null where none is known."""

_HEADINGS: Final = ("TIME", "PRECEDENCE", "LINE", "STATE", "ID")
_MOST: Final = (12, 10, columns.NAME_MOST, 12)
"""The widest that all but the id may be; what they leave is the id's, and it stands whole below
where that is too little."""

_GAPS: Final = 2 * len(_MOST)

_INDENT: Final = " " * 14
"""Under the heading PRECEDENCE."""

_BODY_MARK: Final = "  | "
"""Stands before each line of a body, so that no text of the peer's can pass for Hotline's own."""


def stable(message: Message) -> Message:
    """Give a message object for ``--json``."""
    return {name: message.get(name) for name in FIELDS}


def word(message: Message, name: str) -> str:
    """Give a field as safe text; a dash where nothing is known."""
    value = message.get(name)
    return "-" if value is None or value == "" else one_line(str(value))


def time_of(message: Message, name: str, *, exact: bool = False) -> str:
    """Give a time as a date-time group, with the UTC behind it if it should be exact."""
    value = message.get(name)
    if not isinstance(value, str):
        return "-"
    try:
        group = dtg(parse_utc(value))
    except ValueError:
        return one_line(value)
    return f"{group}  {one_line(value)}" if exact else group


def summaries(messages: list[Message]) -> list[str]:
    """Give a table of messages: a row each, and under it what the message is about."""
    total = terminal.display_columns()
    rows = [_HEADINGS, *(_row(message) for message in messages)]
    widths = terminal.widths(rows, _MOST)
    id_room = total - sum(widths) - _GAPS
    heading, *lines = terminal.table(rows, [*widths, id_room])
    shown = [heading]
    for message, line in zip(messages, lines, strict=True):
        shown.append(line)
        if columns.width(word(message, "id")) > id_room:
            # Cut, an id could not be pasted into the next command.
            shown += [f"  id {piece}" for piece in columns.wrap(word(message, "id"), total - 5)]
        shown.append(_INDENT + columns.fit(_about(message), total - len(_INDENT)))
    return shown


def _row(message: Message) -> tuple[str, ...]:
    time = "received_at" if message.get("direction") == "in" else "composed_at"
    return (
        time_of(message, time),
        word(message, "precedence"),
        word(message, "line"),
        word(message, "state"),
        word(message, "id"),
    )


def _about(message: Message) -> str:
    """Give the subject, or without one the first line of the body."""
    subject = message.get("subject") or ""
    # A body can be a mebibyte; no terminal shows more than this of its first line.
    body = str(message.get("body") or "")[:1024].lstrip("\n").partition("\n")[0]
    return one_line(str(subject or body))


def gap(damaged: Message) -> Message:
    """Give what stands in a table in the place of a message that is damaged."""
    known = {name: damaged.get(name) for name in ("row", "id", "line")}
    return {**known, "state": "damaged", "subject": "this message is damaged and cannot be shown"}


def tell_damaged(damaged: list[Message]) -> int:
    """Say of each message that could not be shown why; gives the exit code of the verb."""
    if not damaged:
        return exits.DONE
    sys.stdout.flush()
    for one in damaged:
        terminal.complain(
            f"message {word(one, 'id')} of line {word(one, 'line')} is damaged: {word(one, 'why')}"
        )
    if hint := damaged[0].get("hint"):
        terminal.advise(str(hint))
    return exits.REFUSED


def whole(message: Message) -> Iterator[str]:
    """Give every line of a message shown in full."""
    outgoing = message.get("direction") == "out"
    way = "to" if outgoing else "from"
    precedence = word(message, "precedence")
    yield (
        f"{terminal.paint(precedence, precedence)} {way} {word(message, 'line')}:"
        f" {terminal.paint(word(message, 'state'), word(message, 'state'))}"
    )
    for label, name in (("id", "id"), ("subject", "subject"), ("author", "author")):
        yield f"  {label:<15}{word(message, name)}"
    yield f"  {'number':<15}{word(message, 'number')}"
    for name in ("composed_at", "expires_at", "ack_by", "sent_at", "delivered_at", "received_at"):
        if message.get(name) is not None:
            label = name.removesuffix("_at").replace("_", " ")
            yield f"  {label:<15}{time_of(message, name, exact=True)}"
    if message.get("acknowledged_at") is not None:
        yield f"  {'acknowledged':<15}{time_of(message, 'acknowledged_at', exact=True)}"
        yield f"  {'':<15}{word(message, 'decision')}, by {word(message, 'acknowledged_by')}"
        yield f"  {'note':<15}{word(message, 'note')}"
    if outgoing:
        yield f"  {'attempts':<15}{word(message, 'attempts')}"
    yield from body_lines(message)


def body_lines(message: Message) -> Iterator[str]:
    """Give the lines of a body, marked as such; wrapped only where a terminal would wrap them."""
    room = terminal.wrap_columns()
    for line in block(str(message.get("body") or "")).split("\n"):
        pieces = columns.wrap(line.expandtabs(8), room - len(_BODY_MARK)) if room else [line]
        for piece in pieces:
            yield _BODY_MARK + piece
