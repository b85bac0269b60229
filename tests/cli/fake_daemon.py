"""A daemon that says what a test tells it to, on a real Unix socket."""

import contextlib
import json
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

Params = dict[str, Any]


class Refusal(Exception):  # noqa: N818 - an answer of the protocol, not a fault of the test
    """Answer with an application error."""

    def __init__(self, code: str, message: str = "it was refused", hint: str = "try less") -> None:
        super().__init__(message)
        self.error = {
            "code": -32000,
            "message": message,
            "data": {"code": code, "hint": hint},
        }


class Gone(Exception):  # noqa: N818
    """Hang up instead of answering."""


class Silent(Exception):  # noqa: N818
    """Never answer."""


class Connection:
    """One client, as a handler sees it."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def put(self, value: Params) -> None:
        """Send one object on a line."""
        self._sock.sendall(json.dumps({"jsonrpc": "2.0", **value}).encode() + b"\n")

    def notify(self, method: str, params: Params) -> None:
        """Send a notification."""
        self.put({"method": method, "params": params})

    def raw(self, data: bytes) -> None:
        """Send what is no JSON-RPC."""
        self._sock.sendall(data)


Handler = Callable[[Params, Connection], Any]


class FakeDaemon:
    """Serves each client in a thread; ``requests`` are all (method, params) in order."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.requests: list[tuple[str, Params]] = []
        self.handlers: dict[str, Handler] = {}
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def on(self, method: str, handler: Handler) -> None:
        """Answer method with what handler gives, or with what it raises."""
        self.handlers[method] = handler

    def answers(self, method: str, result: Params) -> None:
        """Answer method with a fixed result."""
        self.on(method, lambda _params, _connection: result)

    def refuses(self, method: str, code: str, message: str = "it was refused") -> None:
        """Answer method with an application error."""

        def refuse(_params: Params, _connection: Connection) -> None:
            raise Refusal(code, message)

        self.on(method, refuse)

    def params(self, method: str) -> list[Params]:
        """Give the params of every call of method so far."""
        return [params for name, params in self.requests if name == method]

    def close(self) -> None:
        """Stop answering."""
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        connection = Connection(sock)
        # A client that leaves before it has read all its answers resets the connection.
        with contextlib.suppress(ConnectionError), sock, sock.makefile("rb") as lines:
            for line in lines:
                request = json.loads(line)
                assert request["jsonrpc"] == "2.0"
                self.requests.append((request["method"], request["params"]))
                try:
                    self._answer(request, connection)
                except (Gone, OSError):
                    return
                except Silent:
                    continue

    def _answer(self, request: Params, connection: Connection) -> None:
        handler = self.handlers.get(request["method"])
        if handler is None:
            error = {"code": -32601, "message": "there is no such method"}
            connection.put({"id": request["id"], "error": error})
            return
        try:
            result = handler(request["params"], connection)
        except Refusal as refusal:
            connection.put({"id": request["id"], "error": refusal.error})
        else:
            connection.put({"id": request["id"], "result": result})


def accept_all(params: Params, _connection: Connection) -> Params:
    """Queue every message of a ``send``."""
    queued = [{"id": m["id"], "state": "queued", "repeated": False} for m in params["messages"]]
    return {"results": queued}


def message(**changes: Any) -> Params:
    """Give a message object as the daemon's inbox has it."""
    return {
        "row": 1,
        "id": "01jdq3w8k7x9v2m4n6p8r0s2t4",
        "line": "bravo",
        "direction": "in",
        "number": 7,
        "precedence": "FLASH",
        "author": "op2",
        "subject": "Aircraft off course",
        "body": "Twenty miles north.\nNot hostile.",
        "composed_at": "2026-11-23T15:30:00.123456Z",
        "ack_by": None,
        "expires_at": None,
        "sent_at": None,
        "delivered_at": None,
        "received_at": "2026-11-23T15:31:00.000000Z",
        "acknowledged_at": None,
        "acknowledged_by": None,
        "decision": None,
        "note": None,
        "state": "delivered",
        "attempts": 1,
        **changes,
    }


def line(**changes: Any) -> Params:
    """Give one line of a ``status`` answer."""
    return {
        "name": "bravo",
        "state": "up",
        "reason": "",
        "detail": "",
        "since": "2026-11-23T15:30:00.000000Z",
        "rtt_ms": 42.5,
        "clock_offset_ms": -3.0,
        "last_heard_s": 0.4,
        "attended": True,
        "queued": 0,
        "in_flight": 1,
        "unacknowledged": 2,
        "unread": 3,
        "attempts": 0,
        "next_attempt_s": None,
        "address": "192.0.2.1:1963",
        "session_age_s": 61.0,
        **changes,
    }
