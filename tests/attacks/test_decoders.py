"""Bombs and confusion for every decoder that sees bytes from outside: wire, control socket, files."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING, Final

import msgpack  # type: ignore[import-untyped]
import pytest

from hotline.daemon import jsonrpc
from hotline.errors import HotlineError, IdentityError
from hotline.identity import Card, courierkey, read_line_secret, read_secret_keys
from hotline.identity.armour import Armour
from hotline.limits import CONTROL_REQUEST_BYTES, MIB
from hotline.wire import courier, entries, frames
from support.line_frames import SPECIMENS
from support.line_world import identity

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SPENT_BYTES: Final = 12 * MIB
"""What refusing a bomb may take: arrays of 1024, nested as deep as msgpack goes, are 8 MiB."""


def card(data: bytes) -> object:
    return Card.decode(data)


def first_of(kind: int) -> Callable[[bytes], object]:
    return lambda data: frames.decode(kind, data)


def courier_bundle(data: bytes) -> object:
    return courier.unbundle(len(data).to_bytes(4, "big") + data)


DECODERS: Final[dict[str, Callable[[bytes], object]]] = {
    "entry": entries.decode,
    "message of parts": entries.decode_message,
    "card": card,
    "courier key": courierkey.station_of,
    "courier bundle": courier_bundle,
    "courier content": courier.decode,
    **{type(one).__name__: first_of(one.TYPE) for one in SPECIMENS},
}

BOMBS: Final[dict[str, bytes]] = {
    "an array of four thousand million": b"\xdd\xff\xff\xff\xff",
    "bytes of four gibibytes": b"\x91\xc6\xff\xff\xff\xff",
    "text of four gibibytes": b"\x91\xdb\xff\xff\xff\xff",
    "a map of four thousand million": b"\xdf\xff\xff\xff\xff",
    "ext of four gibibytes": b"\x91\xc9\xff\xff\xff\xff\x05",
    "a nest of arrays": b"\x91" * 100_000,
    "a nest of claims": b"\xdd\x00\x00\x04\x00" * 20_000,
    "arrays of arrays": (b"\xdc\x04\x00" + b"\x90" * 1024) * 100,
    "a mebibyte of nothing": b"\xc0" * MIB,
    "a timestamp": b"\x91\xd6\xff\x00\x00\x00\x00",
    "an infinite float": b"\x91\xcb\x7f\xf0\x00\x00\x00\x00\x00\x00",
    "nothing": b"",
}


@pytest.mark.parametrize("data", BOMBS.values(), ids=BOMBS)
@pytest.mark.parametrize("decode", DECODERS.values(), ids=DECODERS)
def test_msgpack_bombs(decode: Callable[[bytes], object], data: bytes) -> None:
    """Five bytes that claim four gibibytes would have the daemon killed for its memory."""
    tracemalloc.start()
    try:
        with pytest.raises(HotlineError):
            decode(data)
        assert tracemalloc.get_traced_memory()[1] < SPENT_BYTES
    finally:
        tracemalloc.stop()


WRONG: Final[tuple[object, ...]] = (
    None,
    True,
    False,
    0,
    -1,
    2**64 - 1,
    1.5,
    "x",
    b"x",
    [],
    [b""],
    {},
    {"x": 1},
)


@pytest.mark.parametrize("frame", SPECIMENS, ids=lambda one: type(one).__name__)
def test_type_confusion_in_frames(frame: frames.Frame) -> None:
    """A true where a number is due counts as one, and a text where bytes are due crashes later."""
    kind, body = frames.encode(frame)
    fields = msgpack.unpackb(body)
    for place, honest in enumerate(fields):
        for wrong in WRONG:
            if type(wrong) is type(honest) or ((honest is None or place == 3) and wrong == b"x"):
                continue
            changed = [*fields[:place], wrong, *fields[place + 1 :]]
            if wrong is None and type(frame) is frames.Returned and place == 3:
                continue  # the one field that may be nil
            with pytest.raises(HotlineError):
                frames.decode(kind, msgpack.packb(changed))


REQUESTS: Final[dict[str, bytes]] = {
    "a nest": b'{"jsonrpc":"2.0","method":"x","params":' + b"[" * 500_000,
    "a nest of objects": b'{"a":' * 200_000,
    "a number of a million digits": b'{"jsonrpc":"2.0","method":"x","id":' + b"9" * 10**6 + b"}",
    "not a number": b'{"jsonrpc":"2.0","method":"x","id":NaN}',
    "infinity": b'{"jsonrpc":"2.0","method":"x","id":Infinity}',
    "a float for an id": b'{"jsonrpc":"2.0","method":"x","id":1.5}',
    "a list for a method": b'{"jsonrpc":"2.0","method":["x"],"id":1}',
    "text for params": b'{"jsonrpc":"2.0","method":"x","params":"y","id":1}',
    "broken text": b'{"jsonrpc":"2.0","method":"\xff","id":1}',
    "UTF-16": '{"jsonrpc":"2.0","method":"x","id":1}'.encode("utf-16"),
    "zero bytes": bytes(1000),
}


@pytest.mark.parametrize("data", REQUESTS.values(), ids=REQUESTS)
def test_bombs_for_the_control_socket(data: bytes) -> None:
    """A program gone mad must get an error, and the daemon go on."""
    assert len(data) <= CONTROL_REQUEST_BYTES
    with pytest.raises(jsonrpc.CallError):
        jsonrpc.parse(data)


@pytest.mark.parametrize("data", BOMBS.values(), ids=BOMBS)
@pytest.mark.parametrize(
    ("label", "read"),
    [
        ("HOTLINE SECRET KEY", read_secret_keys),
        ("HOTLINE LINE SECRET", read_line_secret),
        ("HOTLINE CARD", lambda path: Card.parse(path.read_bytes())),
    ],
    ids=["key", "secret", "card"],
)
def test_bombs_in_files(
    tmp_path: Path, label: str, read: Callable[[Path], object], data: bytes
) -> None:
    """A file that came by mail must not cost more than its size, nor end in a trace of the program."""
    path = tmp_path / "file"
    path.write_text(Armour(label, len(data)).encode(data))
    path.chmod(0o600)
    tracemalloc.start()
    try:
        with pytest.raises(IdentityError):
            read(path)
        assert tracemalloc.get_traced_memory()[1] < SPENT_BYTES
    finally:
        tracemalloc.stop()


def test_a_card_of_another_version() -> None:
    """A card of a protocol that is not ours must not be read as if it were."""
    own = identity("north")[1]
    spelt = own.signed_part.replace(b"hotline/1 card", b"hotline/2 card")
    signed = msgpack.packb([spelt, *msgpack.unpackb(own.encoded)[1:]])
    with pytest.raises(IdentityError, match="version"):
        Card.decode(signed)
