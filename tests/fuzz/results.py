"""A target for what stands inside of a daemon's answers: each verb is told what it does not expect.

An input names a verb and its options by one byte; then come changes to the honest answer, three bytes
each: which of its values (two bytes), and what is there instead.
"""

from __future__ import annotations

import json
import shutil
import socket
import tempfile
from argparse import Namespace
from copy import deepcopy
from functools import cache
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

from fuzz.oracles import file_of, known_cards, only, said, scratch
from fuzz.stores import CONFIG

from hotline.cli import exits, station
from hotline.cli.client import Client
from hotline.cli.verbs import (
    ack,
    cancel,
    courier_add,
    courier_export,
    courier_import,
    courier_key,
    messages,
    peer_revoke,
    peer_verify,
    recover,
    retry,
    send,
    show,
    status,
    watch,
)
from hotline.errors import RefusedError
from hotline.identity import pair_code
from hotline.identity.card import write_card
from support.line_world import identity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WHEN: Final = "2026-11-23T15:30:00.000000Z"
HOSTILE: Final = "\x1b[2J\u202e\x00\n\ud800"
ODD: Final[tuple[Any, ...]] = (
    *(None, True, False, 0, 1, -1, 7, 2**63, 2**64 + 1, -(10**400), 1.5, -0.0, 1e308, -1e-9),
    *("", "x", "up", "queued", "expired", HOSTILE, "9999-99-99T99:99:99Z", WHEN, "AAAA", "=" * 5),
    *([], [None], [[]], ["x"], [{}], {}, {"id": "m1"}, {"": {"": []}}, ["x"] * 70),
)
GONE: Final = len(ODD)
TWICE: Final = len(ODD) + 1
"""The value is left out; an element of a list comes twice."""

MESSAGE: Final[dict[str, Any]] = {
    "row": 5,
    "id": "m1",
    "line": "south",
    "direction": "out",
    "number": 3,
    "attempts": 1,
    "precedence": "FLASH",
    "author": "op",
    "subject": "s",
    "body": "a\nb",
    "note": "n",
    "composed_at": WHEN,
    "ack_by": WHEN,
    "expires_at": WHEN,
    "sent_at": WHEN,
    "delivered_at": WHEN,
    "received_at": None,
    "acknowledged_at": WHEN,
    "acknowledged_by": "op",
    "decision": "wilco",
    "state": "delivered",
}
DAMAGED: Final = {"row": 4, "id": "m0", "line": "south", "why": "it has rotted", "hint": "look"}
NOTICES: Final = [{"code": "key-due", "text": "old"}]
LINE: Final[dict[str, Any]] = {
    "name": "south",
    "state": "up",
    "reason": "attended",
    "detail": "all is well",
    "since": WHEN,
    "rtt_ms": 42.0,
    "clock_offset_ms": -3.5,
    "clock_differs": True,
    "last_heard_s": 0.4,
    "attended": True,
    "queued": 1,
    "queued_bytes": 10,
    "in_flight": 1,
    "delivered_per_s": 3.0,
    "drain_s": 7.5,
    "unacknowledged": 1,
    "unread": 2,
    "attempts": 0,
    "next_attempt_s": 1.5,
    "address": "192.0.2.1:1963",
    "session_age_s": 61.0,
    "verified_at": WHEN,
    "verified_by": "op",
    "revoked_at": None,
    "revoked_by": None,
    "key_change": "pending",
    "notices": NOTICES,
}
COURIER: Final = {
    "line": "south",
    "after": 0,
    "last": 2,
    "entries": 2,
    "messages": 1,
    "delivered": 3,
}
EVENTS: Final[tuple[dict[str, Any], ...]] = (
    {"event": "message", "message": MESSAGE},
    {"event": "state", "state": "down", "reason": "refused", "detail": "d"},
    {"event": "acknowledged", "id": "m1", "acknowledged_by": "op", "decision": "read"},
    {"event": "missed", "ids": ["m1"], "flash": True, "why": "it has rotted", "hint": "look"},
    {"event": "keys", "what": "peer_keys_changed", "id": "ab" * 32},
    {
        "event": "delivered",
        "number": 7,
        "messages": 1,
        "waiting": 9,
        "delivered_per_s": 3.0,
        "drain_s": 3.0,
    },
)
HONEST: Final[dict[str, Any]] = {
    "send": {
        "results": [{"id": "m1", "state": "queued", "repeated": True}],
        "line": {"state": "halted", "reason": "fork"},
    },
    "inbox": {"messages": [MESSAGE], "more": False, "damaged": []},
    "outbox": {"messages": [MESSAGE], "more": False, "damaged": [DAMAGED]},
    "show": {"messages": [MESSAGE, MESSAGE | {"direction": "in"}], "damaged": []},
    "ack": {"message": MESSAGE},
    "cancel": {"message": MESSAGE},
    "status": {
        "station": "north",
        "station_id": "ab" * 32,
        "lines": [LINE],
        "notices": NOTICES,
        "key_change": {"number": 2, "waiting": ["south"], "old_keys": ["north.key"]},
    },
    "retry": {
        "lines": ["south"],
        "outcomes": [
            {"line": "south", "outcome": "connected", "state": "up", "reason": "proven"},
        ],
    },
    "recover": {"line": "south"},
    "verify": {"verified_at": WHEN, "verified_by": "op"},
    "revoke": {"revoked_at": WHEN, "revoked_by": "op"},
    "courier_key": {"key": "-----BEGIN\n"},
    "courier_add": {"line": "south", "new": True},
    "courier_import": COURIER,
    "courier_export": {
        "line": "south",
        "after": 0,
        "last": 2,
        "entry_bytes": 9,
        "receipt": 7,
        "more": False,
        "file": "AAAA",
    },
    "wait": {"messages": [{"id": "m1", "state": "delivered"}]},
    "watch": {},
    "progress": {"done": 0, "total": 1},
}


class Odd(Client):
    """A client to whom each method is answered with what stands under its name, as often as it asks."""

    def __init__(self, says: dict[str, Any], events: list[Any]) -> None:
        ours, theirs = socket.socketpair()
        theirs.close()  # what was not said is said by nobody
        super().__init__(ours, "the socket")
        self._says = says
        self._events = events

    def _send(self, data: bytes) -> None:
        request = json.loads(data)
        if request["method"] == "wait":
            self._tell("progress", self._says["progress"])
        self._put({"id": request["id"], "result": self._says[request["method"]]})
        if request["method"] == "watch":
            for event in self._events:
                self._tell("event", event)

    def _tell(self, method: str, params: Any) -> None:
        self._put({"method": method, "params": params})

    def _put(self, value: dict[str, Any]) -> None:
        self._received += json.dumps({"jsonrpc": "2.0", **value}).encode() + b"\n"


def _values(inside: Any) -> Iterator[tuple[Any, Any]]:
    """Give every value in a tree, by what holds it and under which name."""
    if isinstance(inside, dict | list):
        for name in list(inside) if isinstance(inside, dict) else range(len(inside)):
            yield inside, name
            yield from _values(inside[name])


def _change(tree: Any, which: int, what: int) -> None:
    places = list(_values(tree))
    if not places:
        return
    holder, name = places[which % len(places)]
    if what == GONE:
        del holder[name]
    elif what == TWICE:
        if isinstance(holder, list):
            holder.append(deepcopy(holder[name]))
    else:
        holder[name] = deepcopy(ODD[what])


@cache
def _config() -> str:
    folder = scratch() / "operator"
    folder.mkdir()
    for name in ("north", "south"):
        write_card(folder / f"{name}.card", identity(name)[1])
    (folder / "station.toml").write_text(CONFIG)
    return str(folder / "station.toml")


def _asked(**options: Any) -> Namespace:
    """Give the arguments of a verb: those that several have, and its own."""
    usual = {"config": _config(), "line": "south", "id": "m1", "json": False, "confirm": None}
    wants = {
        "timeout": None,
        "wait": None,
        "batch": None,
        "text": "x",
        "subject": "",
        "test": False,
    }
    times = {"expires": None, "ack_by": None, "precedence": "ROUTINE"}
    return Namespace(**{**usual, **wants, **times, **options})


def _both(run: Any, *methods: str, **options: Any) -> list[tuple[Any, tuple[str, ...], Any]]:
    return [(run, methods, options | {"json": as_json}) for as_json in (False, True)]


def _export(asked: Namespace) -> int:
    folder = Path(tempfile.mkdtemp(dir=scratch()))
    try:
        asked.to = str(folder / "file.courier")
        return courier_export.run(asked)
    finally:
        shutil.rmtree(folder)


def _import(asked: Namespace) -> int:
    asked.files = [str(file_of(b"a file"))]
    return courier_import.run(asked)


def _add(asked: Namespace) -> int:
    asked.file = str(file_of(b"a key"))
    return courier_add.run(asked)


def _batch(asked: Namespace) -> int:
    asked.batch, asked.text, asked.id = str(file_of(b'{"id":"m1","body":"x"}\n')), None, None
    return send.run(asked)


def _verify(asked: Namespace) -> int:
    words = pair_code(identity("north")[1].id, identity("south")[1].id)
    asked.confirm = " ".join(words)
    return peer_verify.run(asked)


BOX: Final = {"open": False, "limit": 20}
VERBS: Final[list[tuple[Callable[[Namespace], int], tuple[str, ...], dict[str, Any]]]] = [
    *_both(status.run, "status", check=None),
    *_both(status.run, "status", check=""),
    *_both(status.run, "status", check="south"),
    *(
        one
        for box, every in product(("inbox", "outbox"), (False, True))
        for one in _both(messages.run, box, box=box, all=every, **BOX)
    ),
    *_both(show.run, "show"),
    *_both(ack.run, "ack", decision="read", note=""),
    *_both(cancel.run, "cancel"),
    (retry.run, ("retry",), {}),
    (recover.run, ("recover",), {}),
    *_both(_verify, "verify"),
    *_both(peer_revoke.run, "revoke", confirm="south"),
    (courier_key.run, ("courier_key",), {}),
    (_add, ("courier_add",), {}),
    *_both(_import, "courier_import"),
    *_both(_export, "courier_export", limit_bytes=100, after=None, unheard=False),
    *_both(send.run, "send"),
    *_both(send.run, "send", "wait", "progress", wait="delivered"),
    *_both(_batch, "send"),
    *_both(_batch, "send", "wait", "progress", wait="delivered"),
    *_both(watch.run, "watch"),
]


@known_cards()
def fuzz_result(data: bytes) -> None:
    """Odd things inside of an answer: what a verb shows is whole, or it says what it cannot read."""
    run, methods, options = VERBS[(data[0] if data else 0) % len(VERBS)]
    says = {method: deepcopy(HONEST[method]) for method in methods}
    events = deepcopy([{"at": WHEN, "line": "south", **event} for event in EVENTS])
    for at in range(1, min(len(data), 60) - 2, 3):
        which = int.from_bytes(data[at : at + 2], "big")
        _change(events if methods == ("watch",) else says, which, data[at + 2] % (TWICE + 1))
    client = Odd({**HONEST, **says}, events)
    asked = _asked(**options)
    with (
        patch.object(station, "connect", lambda _: client),
        only(exits.UnreachableError, RefusedError),
    ):
        code = said(lambda: run(asked), as_json=False)
    if code not in (exits.DONE, exits.UNFIT):
        raise exits.UnreachableError("the verb said that something is missing")
