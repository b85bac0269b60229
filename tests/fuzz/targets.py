"""What is fuzzed: every decoder that sees bytes from outside, one function each.

A target takes bytes and may raise an error that Hotline foresees (``HotlineError``) and nothing
else; what it accepts must come back from its encoder to the byte, for one value has one spelling. To
add a target, add a function to ``TARGETS`` and a few small honest inputs to ``corpus/NAME/``.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

from fuzz.operators import (
    fuzz_answer,
    fuzz_batch,
    fuzz_config,
    fuzz_courier_file,
    fuzz_heartbeats,
)
from fuzz.oracles import file_of
from fuzz.passphrases import fuzz_passphrase
from fuzz.results import fuzz_result
from fuzz.signed import fuzz_run, fuzz_succession
from fuzz.stores import fuzz_store

from hotline.daemon import jsonrpc
from hotline.daemon.params import Params
from hotline.errors import HotlineError
from hotline.evidence import file as evidence_file
from hotline.evidence import proof
from hotline.identity import Card, read_line_secret, read_secret_keys
from hotline.identity.courierkey import CourierKey, dearmoured
from hotline.identity.halves import read_half
from hotline.identity.spoken import from_words
from hotline.line.session import Session
from hotline.strict import UNPACKED_BYTES
from hotline.wire import courier, entries, frames
from hotline.wire.records import RecordReader
from support.line_sessions import pairing
from support.line_world import EPHEMERALS, identity

if TYPE_CHECKING:
    from collections.abc import Callable

RECORD_BYTES: Final = 4080


def fuzz_first_unit(data: bytes) -> None:
    """A caller's first unit, whose mac is right: all of the Noise message is the caller's."""
    session = Session(pairing("south", "north"), EPHEMERALS, initiator=False)
    assert list(session.receive(data[:4096].ljust(4096, b"\0"))) == []


@cache
def _caller() -> tuple[Session, bytes]:
    session = Session(pairing("north", "south"), EPHEMERALS, initiator=True)
    return session, session.pull(4096)


def fuzz_second_unit(data: bytes) -> None:
    """The answer to our call, by whoever took it: a message that is refused must leave no trace."""
    session, _ = _caller()
    assert list(session.receive(data[:4096].ljust(4096, b"\0"))) == []


class PlainCipher:
    """The record layer without encryption, so that a fuzzer gets to what is inside."""

    def encrypt_with_ad(self, _: bytes, plaintext: bytes) -> bytes:
        return plaintext + bytes(16)

    def decrypt_with_ad(self, _: bytes, ciphertext: bytes) -> bytes:
        return ciphertext[:RECORD_BYTES]

    def rekey(self) -> None:
        """Nothing to replace."""


def fuzz_records(data: bytes) -> None:
    """Records of a peer: frames that share one, run over several, and lie about their length."""
    reader = RecordReader(PlainCipher())
    for start in range(0, min(len(data), 40 * RECORD_BYTES), RECORD_BYTES):
        piece = data[start : start + RECORD_BYTES]
        for frame_type, body in reader.feed(piece.ljust(RECORD_BYTES, b"\0") + bytes(16)):
            assert frame_type != 0
            assert len(body) <= 131072


def fuzz_frame(data: bytes) -> None:
    """One frame: its type, then its body."""
    frame = frames.decode(data[0] if data else 0, data[1:])
    assert frames.encode(frame) == (data[0], data[1:])


def fuzz_entry(data: bytes) -> None:
    """One entry of a peer's log."""
    assert entries.encode(entries.decode(data)) == data


def fuzz_entries(data: bytes) -> None:
    """Entries that came together, each after its size in two bytes: read at once as each is alone."""
    some = []
    while data:
        size = int.from_bytes(data[:2], "big")
        some.append(data[2 : 2 + size])
        data = data[2 + size :]
    if not some:
        return
    at_once = entries.decode_messages(some)
    try:
        each = [entries.decode(one) for one in some]
    except HotlineError:
        assert at_once is None
        raise
    usual = all(
        type(one) is entries.Message and entries.KEY_CHANGE_PREFIX not in one.id for one in each
    )
    if usual and sum(map(len, some)) <= UNPACKED_BYTES:
        assert at_once == each
    else:
        assert at_once is None


def fuzz_message(data: bytes) -> None:
    """A message whose encoding came in parts."""
    assert entries.encode(entries.decode_message(data)) == data


def fuzz_card(data: bytes) -> None:
    """A card's bytes, before its armour and behind it."""
    if data.startswith(b"-"):
        Card.parse(data)
    else:
        assert Card.decode(data).encoded == data


def fuzz_key_file(data: bytes) -> None:
    """A secret key file, open or protected (the passphrase is asked for only after all checks)."""
    read_secret_keys(file_of(data))


def fuzz_secret_file(data: bytes) -> None:
    """A line secret's file, and that of one half of one."""
    read = read_half if b"HALF" in data[:40] else read_line_secret
    read(file_of(data))


def fuzz_spoken(data: bytes) -> None:
    """Words that an operator typed as they heard them."""
    from_words(data.decode("utf-8", "replace").split(), 16, "the words")


def fuzz_control(data: bytes) -> None:
    """One line of a program at the control socket, and the parameters that it names."""
    call = jsonrpc.parse(data)
    params = Params(call.params)
    for name in list(call.params):
        for kind in (str, int, bool, list):
            try:
                Params({name: call.params[name]}).take(name, kind)
            except HotlineError:
                continue
    params.time("expires_at")
    params.end()


def fuzz_courier(data: bytes) -> None:
    """What is in a courier file once it is opened: the peer's, but no less hostile for that."""
    if data.startswith(b"\0"):
        courier.unbundle(data)
    else:
        assert courier.encode(courier.decode(data)) == data


def fuzz_courier_key(data: bytes) -> None:
    """The key to which a courier file is sealed."""
    if data.startswith(b"-"):
        data = dearmoured(data.decode("latin-1"), "the key")
    CourierKey.decode(data, identity("north")[1])


def fuzz_evidence(data: bytes) -> None:
    """An evidence file from anyone."""
    if data.startswith(b"\x9c") or b"-----BEGIN" not in data:
        assert proof.Evidence.decode(data).encode() == data
    else:
        evidence_file.read(data)


TARGETS: Final[dict[str, Callable[[bytes], None]]] = {
    "answer": fuzz_answer,
    "batch": fuzz_batch,
    "card": fuzz_card,
    "config": fuzz_config,
    "control": fuzz_control,
    "courier": fuzz_courier,
    "courier-file": fuzz_courier_file,
    "courier-key": fuzz_courier_key,
    "entries": fuzz_entries,
    "entry": fuzz_entry,
    "evidence": fuzz_evidence,
    "first-unit": fuzz_first_unit,
    "frame": fuzz_frame,
    "heartbeats": fuzz_heartbeats,
    "key-file": fuzz_key_file,
    "message": fuzz_message,
    "passphrase": fuzz_passphrase,
    "records": fuzz_records,
    "result": fuzz_result,
    "run": fuzz_run,
    "second-unit": fuzz_second_unit,
    "secret-file": fuzz_secret_file,
    "spoken": fuzz_spoken,
    "store": fuzz_store,
    "succession": fuzz_succession,
}


def run(name: str, data: bytes) -> bool:
    """Give data to a target; tells whether it was accepted, and raises what must never be raised."""
    try:
        TARGETS[name](data)
    except HotlineError:
        return False
    return True
