"""JSON-RPC 2.0 over a byte stream, one object a line (https://www.jsonrpc.org/specification).

So that ``socat`` and any language can speak it. Batches (arrays) are not taken: a stream of lines does
the same, and its answers come as they are ready.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from hotline.errors import (
    HotlineError,
    RefusedError,
    StoreDamagedError,
    StoreError,
    StoreFullError,
)

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
APPLICATION_ERROR: Final = -32000

_encode: Final = json.JSONEncoder(ensure_ascii=True, separators=(",", ":")).encode
"""One for all: ``json.dumps`` makes a new one each time."""


class CallError(HotlineError):
    """A request that cannot be served as JSON-RPC; ``code`` is one of the numbers above."""

    def __init__(self, code: int, message: str) -> None:
        """Say what is wrong with the request."""
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Call:
    """One request; ``identifier`` is None for a notification, which is answered by nothing."""

    method: str
    params: dict[str, Any]
    identifier: str | int | None


def parse(line: bytes) -> Call:
    """Give the request that a line spells; raises CallError."""
    try:
        # Decoded here: given bytes, json guesses at UTF-16 and lets broken text pass.
        value = json.loads(line.decode())
    except (ValueError, RecursionError):
        raise CallError(PARSE_ERROR, "the request is not JSON in UTF-8") from None
    if not isinstance(value, dict) or value.get("jsonrpc") != "2.0":
        raise CallError(INVALID_REQUEST, 'a request is an object with "jsonrpc": "2.0"')
    method, params, identifier = value.get("method"), value.get("params", {}), value.get("id")
    if not isinstance(method, str) or type(identifier) not in (str, int, type(None)):
        raise CallError(INVALID_REQUEST, "a request has a method and an id, text or whole number")
    if not isinstance(params, dict):
        raise CallError(INVALID_PARAMS, "params are an object with names")
    return Call(method, params, identifier)


def result(identifier: str | int | None, value: Any) -> bytes:
    """Spell an answer."""
    return _line({"jsonrpc": "2.0", "id": identifier, "result": value})


def notification(method: str, params: dict[str, Any]) -> bytes:
    """Spell a message that no request asked for."""
    return _line({"jsonrpc": "2.0", "method": method, "params": params})


def failure(identifier: str | int | None, error: HotlineError) -> bytes:
    """Spell an error answer."""
    code = error.code if isinstance(error, CallError) else APPLICATION_ERROR
    value: dict[str, Any] = {"code": code, "message": str(error)}
    if code == APPLICATION_ERROR:
        value["data"] = describe(error)
    return _line({"jsonrpc": "2.0", "id": identifier, "error": value})


def describe(error: HotlineError) -> dict[str, str]:
    """Give the stable word and the hint of an error."""
    if isinstance(error, RefusedError):
        code = error.code
    elif isinstance(error, StoreFullError):
        code = "disk-full"
    elif isinstance(error, StoreDamagedError):
        code = "store-damaged"
    elif isinstance(error, StoreError):
        code = "store-failed"
    else:
        code = "failed"
    return {"code": code, "hint": error.hint}


def _line(value: dict[str, Any]) -> bytes:
    return _encode(value).encode() + b"\n"
