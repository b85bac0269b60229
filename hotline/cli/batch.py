"""``send --batch``: many messages from NDJSON, in few large requests, several of them under way.

A bad line costs nobody else: it is reported by its number, and the rest goes on. When the daemon
goes away, or the operator interrupts, the lines that were accepted are told exactly.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections import deque
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from hotline import limits
from hotline.cli import compose, cures, options, station, waiting
from hotline.cli.client import refusal
from hotline.cli.exits import UsageError
from hotline.cli.ids import Ids
from hotline.cli.tally import Item, Tally
from hotline.cli.terminal import Progress, advise
from hotline.errors import RefusedError
from hotline.text import duration, reason

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from hotline.cli.client import Client

REQUEST_BYTES: Final = 3 * limits.MIB // 2
"""Far below the daemon's bound: what several requests hold together is in its memory."""

OUTSTANDING: Final = 8
"""Requests under way at once, as many as the daemon takes: it commits some while the next arrive."""

LINE_BYTES: Final = 8 * limits.MIB
"""One line of NDJSON: a mebibyte of text, each character escaped, and more."""

KEYS: Final = ("id", "precedence", "subject", "body", "expires", "ack_by")

_decoded: Final = json.JSONDecoder().raw_decode
"""What ``json.loads`` does, without what it does around each text: a third of its time."""

_JSON_SPACE: Final = " \t\r\n"


def send(args: argparse.Namespace) -> int:
    """Queue every message of the batch and tell what became of each."""
    with _opened(args.batch) as file:
        client = station.connect(args)
        try:
            return _Sender(args, client, file).run()
        finally:
            client.close()


@contextlib.contextmanager
def _opened(path: str) -> Iterator[BinaryIO]:
    if path == "-":
        yield sys.stdin.buffer
        return
    try:
        file = open(path, "rb")  # noqa: PTH123, SIM115 - pathlib would be imported for nothing
    except OSError as error:
        raise UsageError(f"cannot read the batch {path}: {reason(error)}") from None
    with file:
        yield file


class _Sender:
    def __init__(self, args: argparse.Namespace, client: Client, file: BinaryIO) -> None:
        self._args = args
        self._client = client
        self._file = file
        self._tally = Tally(
            line=args.line, source=args.batch, as_json=args.json, hold=args.wait is not None
        )
        self._progress = Progress()
        self._outstanding: deque[tuple[int, list[Item]]] = deque()
        self._started_s = time.monotonic()
        self._read_bytes = 0
        self._size_bytes = os.fstat(file.fileno()).st_size
        self._stopped = False
        self._line: dict[str, Any] | None = None

    def run(self) -> int:
        try:
            self._queue_all()
            self._advise()
            if self._args.wait is not None:
                self._wait()
        finally:
            self._progress.clear()
            for _, items in self._outstanding:
                self._tally.unknown(items)
            self._tally.finish()
        return self._tally.exit_code()

    def _queue_all(self) -> None:
        for chunk in self._chunks():
            self._post(chunk)
            while len(self._outstanding) >= OUTSTANDING:
                self._take_answer()
            if self._stopped:
                break
        while self._outstanding:
            self._take_answer()

    def _post(self, chunk: list[Item]) -> None:
        head = f'{{"line":{json.dumps(self._args.line)},"brief":true,"messages":['
        messages = ",".join([item.encoded for item in chunk])
        # Noted first: when the connection breaks, what became of this chunk is not known.
        self._outstanding.append((0, chunk))
        request = self._client.post_encoded("send", head, messages, "]}")
        self._outstanding[-1] = (request, chunk)

    def _take_answer(self) -> None:
        request, items = self._outstanding[0]
        try:
            answer = self._client.answer(request)
        except RefusedError as error:
            if error.code == "store-failed":
                raise  # what a failed disk has kept, only the next start can tell: they stay unknown
            if error.code == "bad-request":
                raise self._client.strange(f"send: {error}") from None
            # The request as a whole was refused; the next one would be too.
            self._stopped = True
            self._outstanding.popleft()
            self._progress.clear()
            for item in items:
                self._tally.refused(item.number, item.id, error)
            return
        others = _others(items, answer)
        if others is None:
            raise self._client.strange("send: results")
        self._outstanding.popleft()
        self._line = answer.get("line")
        begin = 0
        for at, result in others:
            self._tally.queued(items[begin:at])
            self._take_result(items[at], result)
            begin = at + 1
        self._tally.queued(items[begin:])
        self._show_progress()

    def _take_result(self, item: Item, result: dict[str, Any]) -> None:
        failure = result.get("error")
        if failure is None:
            self._tally.accepted(item.number, result)
        else:
            self._progress.clear()
            self._tally.refused(
                item.number, item.id, refusal(failure, str(failure.get("message") or "refused"))
            )

    def _advise(self) -> None:
        """Say once, for all that was queued, that it waits for an operator and not for the line."""
        if self._line is not None and self._tally.count and cures.stands_still(self._line):
            self._progress.clear()
            advise(cures.hint(self._args.line, self._line))

    def _show_progress(self) -> None:
        passed_s = max(time.monotonic() - self._started_s, 0.001)
        shown = f"{self._tally.count} queued, {self._tally.count / passed_s:.0f} a second"
        if self._size_bytes and self._read_bytes:
            left_s = passed_s * (self._size_bytes - self._read_bytes) / self._read_bytes
            shown += f", {100 * self._read_bytes // self._size_bytes} %, {duration(left_s)} to go"
        self._progress.show(shown)

    def _wait(self) -> None:
        waiting.wait_for_many(
            self._args, self._client, self._tally.held_ids(), self._progress, self._tally.reached
        )

    # --- reading ---

    def _chunks(self) -> Iterator[list[Item]]:
        chunk: list[Item] = []
        chunk_bytes = 0
        for item in self._items():
            item_bytes = compose.size_of(item.encoded) + 1
            if chunk and (
                len(chunk) == limits.BATCH_MESSAGES or chunk_bytes + item_bytes > REQUEST_BYTES
            ):
                yield chunk
                chunk, chunk_bytes = [], 0
            chunk.append(item)
            chunk_bytes += item_bytes
        if chunk:
            yield chunk

    def _items(self) -> Iterator[Item]:
        ids = Ids()
        for number, line in enumerate(self._lines(), start=1):
            if line is not None and not line.strip():
                continue
            try:
                yield _item(self._args, number, line, ids)
            except UsageError as error:
                self._progress.clear()
                self._tally.malformed(number, error)

    def _lines(self) -> Iterator[bytes | None]:
        """Give each line; None for one that is too long to be any message."""
        while line := self._file.readline(LINE_BYTES):
            self._read_bytes += len(line)
            if line.endswith(b"\n") or len(line) < LINE_BYTES:
                yield line
                continue
            while (rest := self._file.readline(LINE_BYTES)) and not rest.endswith(b"\n"):
                self._read_bytes += len(rest)
            yield None


def _others(items: list[Item], answer: dict[str, Any]) -> list[tuple[int, dict[str, Any]]] | None:
    """Give the results of those of items that are not told as merely queued, by their places.

    None if any of items has no result of its own: one too few, and each would be another's.
    """
    results = answer["results"]
    others = {
        place if (at := result.get("at")) is None else at: result
        for place, result in enumerate(results)
    }
    told = (answer.get("queued") or 0) + len(results)
    if told != len(items) or not all(0 <= at < len(items) for at in others):
        return None
    # A place that was told twice is one too few here.
    if not compose.answered([items[at].id for at in others], results):
        return None
    return sorted(others.items())


def _item(args: argparse.Namespace, number: int, line: bytes | None, ids: Ids) -> Item:
    if line is None:
        raise UsageError(f"it is longer than {LINE_BYTES} bytes")
    fields = _fields(line)
    identifier = fields.get("id")
    if identifier is None:
        identifier = ids.next()
    else:
        compose.check_text("id", identifier, limits.MESSAGE_BYTES)
    given: dict[str, str] = {}
    if len(fields) > 1:  # nearly all have a body alone
        given = {into: read(fields[name]) for name, into, read in _READ if name in fields}
    made = compose.message(args, identifier=identifier, body=fields.get("body", ""), **given)
    return Item(number, identifier, compose.encoded(made))


def _fields(line: bytes) -> dict[str, str]:
    try:
        fields = _value(line.decode().strip(_JSON_SPACE))
    except UnicodeDecodeError:
        raise UsageError("it is not valid UTF-8") from None
    except (ValueError, RecursionError):
        raise UsageError("it is not JSON") from None
    if type(fields) is not dict:
        raise UsageError("it is not a JSON object")
    for name, value in fields.items():
        if name not in KEYS:
            raise UsageError(f"{name!a} is none of {', '.join(KEYS)}")
        if type(value) is not str:
            raise UsageError(f"{name} is not text")
    return fields


def _value(text: str) -> Any:
    value, end = _decoded(text)
    if end != len(text):
        raise ValueError("more follows it")
    return value


def _precedence(given: str) -> str:
    return _read(options.precedence, given)


def _moment(given: str) -> str:
    return _read(options.moment, given)


_READ: Final = (
    ("subject", "subject", str),
    ("precedence", "precedence", _precedence),
    ("expires", "expires_at", _moment),
    ("ack_by", "ack_by", _moment),
)
"""Names that a line may give beside its id and body: what a message calls them, and their reader."""


def _read(reader: Any, given: str) -> str:
    from argparse import ArgumentTypeError

    try:
        return str(reader(given))
    except ArgumentTypeError as error:
        raise UsageError(str(error)) from None
