"""Targets for what an operator hands over or looks at: files, and answers at the control socket.

Most of it was written by friends, and none of it is known to be whole: the verb says what is wrong.
"""

from __future__ import annotations

import socket
from argparse import Namespace
from functools import cache
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

from fuzz.oracles import file_of, known_cards, only, said, scratch

from hotline import limits
from hotline.cli import batch, exits, station
from hotline.cli.client import Client
from hotline.cli.verbs import heartbeats
from hotline.daemon import config, jsonrpc
from hotline.errors import ConfigError, DecodeError, HotlineError, ProtocolError, RefusedError
from hotline.wire import courier
from support.line_sessions import pairing

if TYPE_CHECKING:
    from collections.abc import Callable

    from hotline.line.pairing import Pairing

CONFIG: Final = '[station]\nname = "north"\nkey = "k"\ncard = "c"\nstate = "."\n'


def fuzz_config(data: bytes) -> None:
    """A configuration file: what is taken is whole, and addresses are spelled as they are read."""
    path = file_of(data)
    with only(ConfigError):
        found = config.load(path)
    assert found == config.load(path)
    for address in (*found.listen, *(one for line in found.lines for one in line.addresses)):
        assert config.Address.parse(str(address)) == address
    places = [found.key, found.card, found.state, *(line.card for line in found.lines)]
    assert all(place.is_absolute() for place in places)


class Taker:
    """A daemon that takes every message that is put to it in a request that can be read."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self._answers: list[list[dict[str, Any]]] = []

    def post_encoded(self, method: str, *params: str) -> int:
        """Read the request as the daemon does."""
        line = f'{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{"".join(params)}}}'.encode()
        assert b"\n" not in line
        assert len(line) <= limits.CONTROL_REQUEST_BYTES
        messages = jsonrpc.parse(line).params["messages"]
        assert 0 < len(messages) <= limits.BATCH_MESSAGES
        ids = [one["id"] for one in messages]
        self.ids += ids
        self._answers.append([{"id": one, "state": "queued"} for one in ids])
        return len(self._answers) - 1

    def answer(self, request: int) -> dict[str, Any]:
        """Say that all are queued."""
        return {"results": self._answers[request]}

    def close(self) -> None:
        """Nothing to let go of."""


def fuzz_batch(data: bytes) -> None:
    """The messages of ``send --batch``: each line is sent, or told by its number, and none is lost."""
    taker = Taker()
    options = {"line": "south", "json": False, "wait": None, "test": False, "precedence": "ROUTINE"}
    asked = Namespace(
        **options, batch=str(file_of(data)), subject="", expires=None, ack_by=None, timeout=None
    )
    with patch.object(station, "connect", lambda _: taker):
        code = said(lambda: batch.send(asked))
    filled = sum(1 for line in data.split(b"\n") if line.strip())
    assert len(taker.ids) == filled if code == exits.DONE else len(taker.ids) < filled
    if code != exits.DONE:
        assert code == exits.USAGE
        raise exits.UsageError("a line of it is no message")


def fuzz_heartbeats(data: bytes) -> None:
    """The heartbeat log, which a disk or another program may have spoilt."""
    folder = scratch()
    (folder / "station.toml").write_text(CONFIG)
    (folder / "heartbeat.jsonl").write_bytes(data)
    for as_json in (False, True):
        asked = Namespace(
            config=str(folder / "station.toml"), line=None, limit=20, follow=False, json=as_json
        )
        assert said(lambda a=asked: heartbeats.run(a), as_json=as_json) == exits.DONE  # type: ignore[misc]


def fuzz_answer(data: bytes) -> None:
    """What is said at the control socket by whatever is there: an answer, an event, or no daemon."""
    asks: tuple[Callable[[Client], object], ...] = (
        lambda client: client.call("status"),
        lambda client: client.event(),
    )
    refusals: list[HotlineError] = []
    for ask in asks:
        ours, theirs = socket.socketpair()
        with theirs:
            client = Client(ours, "the socket")
            theirs.sendall(data[:65536])
            theirs.shutdown(socket.SHUT_WR)
            try:
                assert isinstance(ask(client), dict)
            except (exits.UnreachableError, RefusedError) as error:
                refusals.append(error)
            finally:
                client.close()
    if len(refusals) == len(asks):
        raise refusals[0]


@cache
def _reader() -> tuple[Pairing, bytes]:
    """Give the pairing that reads, and the mark of files for it."""
    made = pairing("south", "north")
    secret = made.courier_secret
    keys = secret.mlkem1024 + secret.p384
    return made, courier.header_and_info(made.psk, made.peer.id, made.own.id, keys)[0]


@known_cards()
def fuzz_courier_file(data: bytes) -> None:
    """A courier file as it was carried here: for this line (``HEADER`` stands for its mark), or not."""
    reader, header = _reader()
    if data.startswith(b"HEADER"):
        data = header + data.removeprefix(b"HEADER")
    found = reader.opening(data)
    assert (found is not None) == data.startswith(header)
    with only(DecodeError, ProtocolError):
        (found or reader).open_courier(data)
