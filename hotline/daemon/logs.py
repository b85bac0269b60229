"""The daemon's logs: structlog JSON lines with stable event names, fit for hostile text.

Two files, ``daemon.jsonl`` and ``heartbeat.jsonl``, and for the operator in the foreground plain
lines on stderr, each behind an Outlet of its own. Every line is ``timestamp level event station``
and then the caller's fields in the caller's order. Laws:

1. Logging never raises into the daemon and never waits.
2. Bytes are never logged, only their number: keys and seeds are bytes. Objects that this module does
   not know are logged as their type's name, as their repr might hold bytes. Of an exception that is
   not Hotline's own, no text is logged either: it might be a body or a passphrase, which are text.
3. What was logged is shown in printable ASCII: no control or bidi character in a value reaches a
   file or a terminal.

Nothing is configured globally. Code that logs takes a ``FilteringBoundLogger`` as an argument; a
test hands it ``structlog.get_logger()`` within ``structlog.testing.capture_logs()``.
"""

from __future__ import annotations

import enum
import json
import math
import os
import re
import sys
import time
import traceback
from functools import partial
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final

import structlog

from hotline import limits
from hotline.daemon.log_queue import LogQueue
from hotline.daemon.logfile import Note, Outlet, RotatingFile, Stream
from hotline.errors import HotlineError, LocalMisuseError
from hotline.text import utc_microseconds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, MutableMapping
    from pathlib import Path

    from structlog.typing import FilteringBoundLogger

    from hotline.daemon.config import StationConfig

LINE_BYTES: Final = 32 * limits.KIB
"""One line: a trace of nested failures fits, and a queue of lines cannot be filled by one."""

TEXT_CHARACTERS: Final = 2048
INTEGER_BITS: Final = 64
ITEMS: Final = 64
DEPTH: Final = 6
FRAMES: Final = 16
GROUP: Final = 4
"""Bounds on one value, so that what the peer sent cannot decide how much is logged."""

CLOSE_TIMEOUT_S: Final = 0.5
"""For the last lines to reach the disk; the whole stop of the daemon stays under 2 s."""

_STDERR: Final = 2
_FIRST: Final = ("timestamp", "level", "event", "station")
_PLAIN: Final = re.compile(r"[A-Za-z0-9_./:@%+,-]+")
_SYSLOG: Final = {"info": 6, "warning": 4, "error": 3, "critical": 2}
_COLOURS: Final = {"warning": "\x1b[33m", "error": "\x1b[31m", "critical": "\x1b[1;31m"}


class Logs:
    """The two bound loggers of a running daemon, and the threads behind them."""

    def __init__(
        self,
        daemon: FilteringBoundLogger,
        heartbeat: FilteringBoundLogger,
        queue: LogQueue,
        files: tuple[Outlet, ...],
        console: Outlet | None,
    ) -> None:
        self.daemon = daemon
        self.heartbeat = heartbeat
        self._queue = queue
        self._files = files
        self._console = console

    def close(self, timeout_s: float = CLOSE_TIMEOUT_S) -> bool:
        """Write what waits, for timeout_s in all; tell whether every line was written.

        What is logged later is ignored.
        """
        self._queue.close()
        for file in self._files:
            file.finish()
        # The console is last, as it may have to tell of the files' trouble, and it has its own half
        # of the time: a disk that hangs must not keep the operator from reading why we stopped.
        deadline = time.monotonic() + timeout_s / 2
        complete = [file.close(max(0.0, deadline - time.monotonic())) for file in self._files]
        if self._console is not None:
            complete.append(self._console.close(timeout_s / 2))
        return all(complete)


def setup(config: StationConfig, *, stderr: bool = True) -> Logs:
    """Start logging for config's station; its state folder should exist, and is waited for if not.

    With stderr, events of the daemon at info and above are printed there too, and so is trouble
    with the files themselves. Never raises for the state of a disk.
    """
    station = config.name
    console = _Console(_STDERR, station) if stderr else None

    def outlet(path: Path) -> Outlet:
        return Outlet(
            RotatingFile(path, rotate_bytes=config.log.rotate_bytes, keep=config.log.keep),
            name=path.name,
            render=lambda note: _json_line(_note_fields(note, station)),
            notify=None if console is None else console.tell,
        )

    daemon, heartbeat = outlet(config.daemon_log), outlet(config.heartbeat_log)
    queue = LogQueue()
    return Logs(
        _bind(_Pen(daemon, console), station, queue),
        _bind(_Pen(heartbeat), station, queue),
        queue,
        (daemon, heartbeat),
        None if console is None else console.outlet,
    )


class _Pen:
    """What structlog writes with: one method for each level, each taking the finished fields."""

    def __init__(self, file: Outlet, console: _Console | None = None) -> None:
        self._file = file
        self._console = console

    def debug(self, fields: Mapping[str, Any]) -> None:
        """Write to the file only."""
        self._file.put(_json_line(fields))

    def info(self, fields: Mapping[str, Any]) -> None:
        """Write to the file, and to the operator in the foreground."""
        self._file.put(_json_line(fields))
        if self._console is not None:
            self._console.show(fields)

    warning = error = critical = info


class _Console:
    """One plain line for each event, as a terminal, a pipe or the journal likes it best."""

    def __init__(self, fd: int, station: str) -> None:
        self._station = station
        self._journal = _is_journal(fd)
        self._colour = not self._journal and os.isatty(fd) and not os.environ.get("NO_COLOR")
        self.outlet = Outlet(
            Stream(fd), name="stderr", render=lambda note: self._line(_note_fields(note, station))
        )

    def show(self, fields: Mapping[str, Any]) -> None:
        """Print an event."""
        self.outlet.put(self._line(fields))

    def tell(self, note: Note) -> None:
        """Print a note about a log file."""
        self.show(_note_fields(note, self._station))

    def _line(self, fields: Mapping[str, Any]) -> bytes:
        level = fields["level"]
        if self._journal:  # which has its own clock, and takes the level from a prefix
            head = f"<{_SYSLOG[level]}>"
        else:
            word = f"{level:<8}"
            if self._colour and level in _COLOURS:
                word = f"{_COLOURS[level]}{word}\x1b[0m"
            head = f"{fields['timestamp']} {word} "
        words = [f"{_word(fields['station'])}:", _word(fields["event"])]
        words += [f"{_word(k)}={_word(v)}" for k, v in fields.items() if k not in _FIRST]
        return f"{head}{' '.join(words)}\n".encode("ascii")


_BoundLogger: Any = structlog.make_filtering_bound_logger("debug")


def _bind(pen: _Pen, station: str, queue: LogQueue) -> FilteringBoundLogger:
    class Telling(_BoundLogger):  # type: ignore[misc]
        """Leaves all but the time to the queue."""

        def _proxy_to_logger(self, method: str, event: str | None = None, **fields: Any) -> None:
            fields["timestamp"] = time.time_ns()
            if fields.get("exc_info") is True:
                fields["exc_info"] = sys.exc_info()[1]
            queue.tell(partial(super()._proxy_to_logger, method, event, **fields))

    logger: FilteringBoundLogger = structlog.wrap_logger(
        pen,
        processors=[structlog.processors.add_log_level, _spell_time, _redact],
        wrapper_class=Telling,
        context_class=dict,
    ).bind(station=station)
    return logger


def _spell_time(
    _logger: object, _method: str, fields: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    fields["timestamp"] = utc_microseconds(fields["timestamp"])
    return fields


def _redact(
    _logger: object, _method: str, fields: MutableMapping[str, Any]
) -> tuple[tuple[dict[str, Any]], dict[str, Any]]:
    """Make every value plain and bounded, in the order that lines have; the only way to a pen."""
    error = fields.pop("exc_info", None)
    told = {"exception": _describe(error)} if isinstance(error, BaseException) else {}
    plain = {key: _plain(fields[key]) for key in _FIRST if key in fields}
    plain |= {_text(key): _plain(value) for key, value in fields.items() if key not in _FIRST}
    return (plain | told,), {}


def _note_fields(note: Note, station: str) -> dict[str, Any]:
    now = utc_microseconds(time.time_ns())
    first = {"timestamp": now, "level": note.level, "event": note.event, "station": station}
    return first | dict(note.fields)


def _describe(error: BaseException, depth: int = DEPTH) -> dict[str, Any]:
    """Say what went wrong as plain values: type, message, frames, and what led to it.

    Not structlog's or Python's own rendering: both print what bytes an exception holds, and both
    read source files, which a stalled disk would turn into a stalled line.
    """
    walked = list(traceback.walk_tb(error.__traceback__))[-FRAMES:]
    told: dict[str, Any] = {
        "type": type(error).__name__,
        "message": _message(error),
        "frames": [f"{f.f_code.co_filename}:{line} {f.f_code.co_name}" for f, line in walked],
    }
    if depth == 0:
        return told
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        told["cause"] = _describe(cause, depth - 1)
    if isinstance(error, BaseExceptionGroup):
        told["exceptions"] = [_describe(one, depth - 1) for one in error.exceptions[:GROUP]]
    return told


def _plain(value: object, depth: int = DEPTH) -> Any:
    """Turn a value into what JSON has, bounded; never raises, and calls no foreign repr."""
    for kinds, spell in _SPELLINGS:
        if isinstance(value, kinds):
            return spell(value)
    return _plain_container(value, depth)


def _plain_container(value: object, depth: int) -> Any:
    if depth == 0 or not isinstance(value, dict | list | tuple | set | frozenset):
        return f"<{type(value).__name__}>"
    if isinstance(value, dict):
        items = list(value.items())[:ITEMS]
        return {str(_plain(key, 0)): _plain(inner, depth - 1) for key, inner in items}
    return [_plain(inner, depth - 1) for inner in list(value)[:ITEMS]]


def _text(value: str) -> str:
    if len(value) <= TEXT_CHARACTERS:
        return value
    return f"{value[:TEXT_CHARACTERS]}... <{len(value)} characters>"


def _integer(value: int) -> int | str:
    # JSON readers lose longer ones, and Python refuses to print very long ones.
    bits = value.bit_length()
    return int(value) if bits <= INTEGER_BITS else f"<{bits}-bit integer>"


def _message(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        place = f": {error.filename}" if isinstance(error.filename, str) else ""
        return _text(f"{error.strerror}{place}")
    if isinstance(error, BaseExceptionGroup):
        return _text(error.message)
    if isinstance(error, HotlineError | LocalMisuseError):  # in our own words
        return ", ".join(str(_plain(argument, 1)) for argument in error.args)
    return ", ".join(_withheld(argument) for argument in error.args)


def _withheld(argument: object) -> str:
    if isinstance(argument, str) and not isinstance(argument, enum.Enum):
        return f"<{len(argument)} characters>"
    return str(_plain(argument, 0))


# The first kind that fits decides: a truth value is an integer too, an enumerator may be either.
_SPELLINGS: Final[tuple[tuple[Any, Callable[[Any], Any]], ...]] = (
    ((bool, type(None)), lambda value: value),
    (enum.Enum, lambda value: _text(value if isinstance(value, str) else value.name)),
    (str, _text),
    (int, _integer),
    (float, lambda value: value if math.isfinite(value) else repr(value)),
    ((bytes, bytearray, memoryview), lambda value: f"<{memoryview(value).nbytes} bytes>"),
    (BaseException, lambda value: f"{type(value).__name__}: {_message(value)}"),
    (PurePath, lambda value: _text(str(value))),
)


def _json_line(fields: Mapping[str, Any]) -> bytes:
    line = json.dumps(fields, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    if len(line) >= LINE_BYTES:
        first = {key: str(fields[key])[:ITEMS] for key in _FIRST}
        line = json.dumps(first | {"omitted_bytes": len(line)}, separators=(",", ":"))
    return f"{line}\n".encode("ascii")


def _word(value: Any) -> str:
    """Spell a value for the console: bare if that is clear, else as JSON, and ASCII always."""
    if isinstance(value, dict) and "frames" in value:
        value = f"{value['type']}: {value['message']}"  # the frames are in the file
    if isinstance(value, str) and _PLAIN.fullmatch(value):
        return value
    return json.dumps(value, ensure_ascii=True)


def _is_journal(fd: int) -> bool:
    """Tell whether fd is the journal's stream, as systemd.exec(5) says to find out."""
    try:
        status = os.fstat(fd)
    except OSError:
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"
