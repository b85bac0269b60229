"""The operator's end of the control socket: JSON-RPC 2.0, one object a line."""

from __future__ import annotations

import json
import math
import select
import socket
import struct
import time
from typing import TYPE_CHECKING, Any, Final

from hotline.cli import shapes
from hotline.cli.exits import GoneError, UnreachableError
from hotline.errors import RefusedError
from hotline.limits import MIB
from hotline.text import reason, size

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Params = dict[str, Any]
    Explain = Callable[[RefusedError], RefusedError]

ANSWER_S: Final = 60.0
"""A daemon that has not let us in, read on, or answered by then hangs; even a slow disk has synced
long before."""

ANSWER_BYTES: Final = 64 * MIB
"""One line from the daemon: a page of messages holds a few MiB; more is no answer of ours."""

LONGEST_POLL_S: Final = 3600.0
"""poll() counts milliseconds in an int; a longer wait is several of these."""

RECEIVE_BYTES: Final = 256 * 1024


class Client:
    """One connection to the daemon; requests may be posted before earlier ones are answered.

    ``explain`` gives what an operator is told of a refusal: the daemon knows less than the caller of
    what the operator sees.
    """

    def __init__(self, sock: socket.socket, where: str) -> None:
        """Speak over sock, which is connected to the daemon at ``where``."""
        sock.setblocking(False)
        self.explain: Explain = lambda refused: refused
        self._sock = sock
        self._where = where
        self._received = bytearray()
        self._searched = 0
        self._last_request = 0
        self._answers: dict[int, dict[str, Any]] = {}
        self._methods: dict[int, str] = {}

    @classmethod
    def connect(cls, path: Path, *, hint: str) -> Client:
        """Reach the daemon at path, or raise UnreachableError with hint."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        # Behind callers whom nobody lets in, connect() waits for as long as this allows; a timeout of
        # Python's own would not wait at all.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _timeval(ANSWER_S))
        try:
            sock.connect(str(path))
        except BlockingIOError:
            sock.close()
            raise _silent(str(path)) from None
        except PermissionError:
            sock.close()
            raise UnreachableError(
                f"not allowed to use {path}", hint="run this as the user who runs the daemon"
            ) from None
        except OSError as error:
            sock.close()
            if isinstance(error, FileNotFoundError | ConnectionRefusedError):
                raise UnreachableError(f"no daemon answers at {path}", hint=hint) from None
            raise UnreachableError(
                f"cannot reach the daemon at {path}: {reason(error)}", hint=hint
            ) from None
        return cls(sock, str(path))

    def call(self, method: str, params: Params | None = None) -> dict[str, Any]:
        """Ask, and give the answer's result.

        Raises RefusedError if the daemon refuses, UnreachableError if it is silent for ANSWER_S.
        """
        return self.answer(self.post(method, params))

    def post(self, method: str, params: Params | None = None) -> int:
        """Send a request without waiting for its answer; the number given is for answer().

        Raises UnreachableError if the daemon does not read on for ANSWER_S.
        """
        return self.post_encoded(method, json.dumps(params or {}, ensure_ascii=False))

    def post_encoded(self, method: str, *params: str) -> int:
        """Do the same with pieces of params in JSON: a batch encodes each message once."""
        self._last_request += 1
        self._methods[self._last_request] = method
        head = f'{{"jsonrpc":"2.0","id":{self._last_request},"method":"{method}","params":'
        self._send("".join((head, *params, "}\n")).encode())
        return self._last_request

    def answer(
        self,
        request: int,
        *,
        deadline_s: float | None = None,
        on_event: Callable[[dict[str, Any]], None] | None = None,
    ) -> dict[str, Any]:
        """Give the result of an earlier post.

        With ``deadline_s`` (monotonic, may be infinite) raise TimeoutError then; without, a daemon
        that stays silent is unreachable. ``on_event`` is called with the params of notifications
        that come meanwhile.
        """
        until_s = time.monotonic() + ANSWER_S if deadline_s is None else deadline_s
        while request not in self._answers:
            try:
                received = self._receive(until_s)
            except TimeoutError:
                if deadline_s is not None:
                    raise
                raise _silent(self._where) from None
            if "method" in received:
                if on_event is not None:
                    on_event(self._told(received))
            elif received.get("id") is None:
                _result(received)  # to no request in particular: the daemon has no place for us
            else:
                self._answers[received["id"]] = received
        try:
            result = _result(self._answers.pop(request))
        except RefusedError as refused:
            raise self.explain(refused) from None
        return self._checked(self._methods.pop(request), result)

    def event(self) -> dict[str, Any]:
        """Wait for the next notification and give its params."""
        while "method" not in (received := self._receive(math.inf)):
            continue
        return self._told(received)

    def strange(self, what: str) -> UnreachableError:
        """Give the error for an answer of which this verb cannot make sense; what says where."""
        return UnreachableError(
            f"the daemon at {self._where} says what this command does not understand: {what}",
            hint="is it of another version? after an upgrade it has to be started again",
        )

    def _checked(self, method: str, result: dict[str, Any]) -> dict[str, Any]:
        found = shapes.fault(result, shapes.RESULTS[method])
        if found is not None:
            raise self.strange(f"{method}: {found}")
        return result

    def _told(self, notification: dict[str, Any]) -> dict[str, Any]:
        """Give the params of a notification, which are an event or the progress of a wait."""
        params: dict[str, Any] = notification.get("params") or {}
        of_wait = notification.get("method") == "progress"
        found = shapes.fault(params, shapes.PROGRESS) if of_wait else shapes.event_fault(params)
        if found is not None:
            raise self.strange(f"{'progress' if of_wait else 'event'}: {found}")
        return params

    def close(self) -> None:
        """Hang up."""
        self._sock.close()

    def _send(self, data: bytes) -> None:
        # Answers are read while sending: a daemon that waits for us to read before it reads on
        # would otherwise wait for ever.
        poll = select.poll()
        poll.register(self._sock, select.POLLIN | select.POLLOUT)
        unsent = memoryview(data)
        while unsent:
            found = poll.poll(ANSWER_S * 1000)
            if not found:
                raise _silent(self._where)
            ((_, ready),) = found
            if ready & ~select.POLLOUT:
                self._fill()
            if ready & select.POLLOUT:
                try:
                    unsent = unsent[self._sock.send(unsent) :]
                except BlockingIOError:
                    continue
                except OSError:
                    raise self._gone() from None

    def _receive(self, until_s: float) -> dict[str, Any]:
        poll = select.poll()
        poll.register(self._sock, select.POLLIN)
        while (line := self._line()) is None:
            left_s = max(0.0, until_s - time.monotonic())
            if poll.poll(min(left_s, LONGEST_POLL_S) * 1000):
                self._fill()
            elif time.monotonic() >= until_s:
                raise TimeoutError
        try:
            received = json.loads(line, parse_float=_finite, parse_constant=_finite)
        except (ValueError, RecursionError):
            received = None
        if not _is_said_by_a_daemon(received):
            raise UnreachableError(f"what answers at {self._where} is no hotline daemon")
        said: dict[str, Any] = received
        return said

    def _line(self) -> bytes | None:
        end = self._received.find(b"\n", self._searched)
        if end < 0:
            self._searched = len(self._received)
            return None
        line = bytes(self._received[:end])
        del self._received[: end + 1]
        self._searched = 0
        return line

    def _fill(self) -> None:
        try:
            data = self._sock.recv(RECEIVE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            raise self._gone() from None
        if not data:
            raise self._gone()
        if len(self._received) > ANSWER_BYTES:
            raise UnreachableError(
                f"the daemon at {self._where} said more than {size(ANSWER_BYTES)} in one answer",
                hint="see the daemon's own log; is it of another version?",
            )
        self._received += data

    def _gone(self) -> GoneError:
        return GoneError(f"the daemon at {self._where} went away", hint="see the daemon's own log")


def _is_said_by_a_daemon(received: Any) -> bool:
    """Tell whether it has the form of an answer to a numbered request, or of a notification."""
    if not isinstance(received, dict):
        return False
    error = received.get("error")
    objects = (received.get("params"), error.get("data") if isinstance(error, dict) else None)
    return type(received.get("id", 0)) in (int, type(None)) and all(
        found is None or isinstance(found, dict) for found in objects
    )


def _finite(number: str) -> float:
    value = float(number)
    if not math.isfinite(value):
        raise ValueError("JSON has no such number")
    return value


def _silent(where: str) -> UnreachableError:
    return UnreachableError(
        f"the daemon at {where} does not answer", hint="see the daemon's own log"
    )


def _timeval(seconds: float) -> bytes:
    """Give the kernel's ``struct timeval``."""
    return struct.pack("@ll", int(seconds), int(seconds % 1 * 1_000_000))


def _result(answer: dict[str, Any]) -> dict[str, Any]:
    error = answer.get("error")
    if not isinstance(error, dict):
        result = answer.get("result")
        return result if isinstance(result, dict) else {}
    raise refusal(error.get("data") or {}, str(error.get("message", "refused without a reason")))


def refusal(data: dict[str, Any], message: str) -> RefusedError:
    """Give the exception for an error of the daemon's: ``data`` holds its code and hint.

    Errors of JSON-RPC itself carry no data: what was asked cannot be asked of this daemon.
    """
    return RefusedError(
        str(data.get("code", "bad-request")), message, hint=str(data.get("hint") or "")
    )
