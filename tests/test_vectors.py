"""The vectors of docs/protocol.md: made by this code, read by a station that has none of it."""

from __future__ import annotations

import ast
import json
import re
import unicodedata
from hashlib import sha512
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgpack  # type: ignore[import-untyped]
import pytest
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM1024PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from kyber_py.ml_kem import ML_KEM_1024

from support import by_the_page, evidence_by_the_page
from support.courier_by_the_page import CourierReader, uncompressed
from support.vectors import make

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT: Final = Path(__file__).resolve().parent.parent
WORDS: Final = ROOT / "hotline" / "identity" / "pgp_words.py"

Json = dict[str, Any]


def committed(topic: str) -> Json:
    """Give what a topic's committed file holds."""
    found: Json = json.loads((make.FOLDER / f"{topic}.json").read_text())
    return found


def raw(value: Any) -> Any:
    """Give bytes for the hexadecimal digits of a vector."""
    return bytes.fromhex(value)


# --- the files ------------------------------------------------------------------------------------


@pytest.mark.parametrize("topic", make.topics())
def test_a_committed_file_is_what_is_made(topic: str) -> None:
    """A vector that has drifted sends another maker's engineer after a fault that is not there."""
    assert (make.FOLDER / f"{topic}.json").read_text() == make.rendered(topic)


def test_every_topic_has_its_file_and_its_reader() -> None:
    """A vector that nobody reads may be wrong; a file that nothing makes is out of date."""
    assert {path.stem for path in make.FOLDER.glob("*.json")} == set(make.topics())
    assert set(READERS) == set(make.topics())


def test_the_document_names_every_file() -> None:
    text = (ROOT / "docs" / "protocol.md").read_text()
    named = set(re.findall(r"`?tests/vectors/(\w+)\.json`?", text))
    assert named == set(make.topics())


def imports_of(source: str) -> set[str]:
    """Give the top-level packages that a source imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").partition(".")[0])
    return found


def test_the_second_station_shares_nothing_with_this_one() -> None:
    """A reader that calls what it is to check agrees with it, right or wrong."""
    imported = imports_of(Path(by_the_page.__file__).read_text())
    assert imported.isdisjoint({"hotline", "support", "importlib"})
    assert "hotline" in imports_of("def f():\n    from hotline.wire import frames")


# --- the readers ----------------------------------------------------------------------------------


def stations() -> dict[str, tuple[by_the_page.Keys, by_the_page.Card]]:
    """Give both stations, from the vectors of identity."""
    return {
        one["name"]: (
            by_the_page.Keys.read_file(one["key_file"]),
            by_the_page.Card.read(raw(one["card"])),
        )
        for one in committed("identity")["stations"]
    }


def word_lists() -> tuple[list[str], list[str]]:
    """Give both lists of words, read as the text that the page points at."""
    two, three = re.findall(r'Final = """\n(.*?)"""', WORDS.read_text(), re.DOTALL)
    return two.split(), three.split()


def read_identity(vectors: Json) -> None:
    for one in vectors["stations"]:
        keys = by_the_page.Keys(*(raw(one[f"{n}_seed"]) for n in ("x25519", "ed25519", "mldsa87")))
        assert keys.x25519.public_key().public_bytes_raw() == raw(one["x25519"])
        assert keys.ed25519.public_key().public_bytes_raw() == raw(one["ed25519"])
        assert keys.mldsa87.public_key().public_bytes_raw() == raw(one["mldsa87"])
        read = by_the_page.Keys.read_file(one["key_file"])
        assert read.x25519.private_bytes_raw() == raw(one["x25519_seed"])
        card = by_the_page.Card.read(raw(one["card"]))
        assert by_the_page.unarmoured(one["card_file"], "HOTLINE CARD") == raw(one["card"])
        assert card.signed_part == raw(one["signed_part"])
        assert (card.name, card.id) == (one["name"], raw(one["id"]))
        fields = msgpack.unpackb(card.signed_part)
        assert fields[2:] == [
            *(raw(one["x25519"]), raw(one["ed25519"]), raw(one["mldsa87"])),
            int(one["created_ns"]),
        ]
    first, second = (raw(one["id"]) for one in vectors["stations"])
    assert by_the_page.pair_code(first, second, word_lists()) == vectors["pair_code"]
    secret = by_the_page.unarmoured(vectors["line_secret_file"], "HOTLINE LINE SECRET")
    assert secret == raw(vectors["line_secret"])
    for one in vectors["refused"]:
        with pytest.raises(AssertionError):
            by_the_page.check_mldsa87(raw(one["mldsa87"]))


def read_succession(vectors: Json) -> None:
    old = by_the_page.Card.read(raw(vectors["old_card"]))
    encoded = raw(vectors["succession"])
    assert by_the_page.unarmoured(vectors["succession_file"], "HOTLINE SUCCESSION") == encoded
    signed_part, new, time_ns = by_the_page.read_succession(encoded, old)
    assert (signed_part, time_ns) == (raw(vectors["signed_part"]), int(vectors["time_ns"]))
    assert (old.id, new.id) == (raw(vectors["old_id"]), raw(vectors["new_id"]))
    assert msgpack.unpackb(signed_part)[2] == raw(vectors["new_card"])


def read_handshake(vectors: Json) -> None:
    known = stations()
    e1 = MLKEM1024PrivateKey.from_seed_bytes(raw(vectors["initiator_mlkem1024_seed"]))
    e = [X25519PrivateKey.from_private_bytes(raw(vectors[f"{who}_x25519"])) for who in SIDES]
    kem_m = raw(vectors["responder_mlkem1024_m"])
    for one in vectors["handshakes"]:
        (own_keys, own), (peer_keys, peer) = known[one["initiator"]], known[one["responder"]]
        secret = raw(one["line_secret"])
        psk = by_the_page.psk_of(secret, own.id, peer.id)
        assert psk == raw(one["psk"])
        assert by_the_page.mac_key_of(psk, own.id, peer.id) == raw(one["mac_key"])
        caller = by_the_page.Initiator(own_keys, own, peer, secret, e=e[0], e1=e1)
        assert caller.first_unit() == raw(one["first_unit"])
        called = by_the_page.Responder(peer_keys, peer, own, secret)
        second = called.answer(
            raw(one["first_unit"]), e[1], lambda key: ML_KEM_1024._encaps_internal(key, kem_m)
        )
        assert second == raw(one["second_unit"])
        caller.read_second_unit(second)
        assert caller.symmetric.h == called.symmetric.h == raw(one["handshake_hash"])
        [(kind, body)] = caller.frames(raw(one["responder_attestation"]))
        caller.check_attestation(body)
        assert kind == 1
        [(kind, body)] = called.frames(raw(one["initiator_attestation"]))
        called.check_attestation(body)
        with pytest.raises(InvalidSignature):
            caller.check_attestation(body)


SIDES: Final = ("initiator", "responder")


def read_records(vectors: Json) -> None:
    """Seal all units anew, and take apart what was shown."""
    direction = by_the_page.Direction(raw(vectors["key"]))
    shown = {one["number"]: raw(one["unit"]) for one in vectors["units"]}
    units: list[bytes] = []
    by_place: dict[int, bytes] = {}
    for frame in vectors["pushed"]:
        body = bytes([frame["fill"]]) * frame["size"]
        spelt = bytes([frame["type"]]) + len(body).to_bytes(3, "big") + body
        by_place[frame["after_units"]] = by_place.get(frame["after_units"], b"") + spelt
    while len(units) < 2049:
        plain = by_place.get(len(units), b"\x05\0\0\x08" + bytes([len(units) % 256]) * 8)
        units += [direction.seal(plain[at : at + 4080]) for at in range(0, len(plain), 4080)]
    for number, unit in shown.items():
        assert units[number] == unit, number
    assert sha512(b"".join(units)).digest() == raw(vectors["sha512_of_all"])
    reader, frames = by_the_page.Direction(raw(vectors["key"])), by_the_page.Frames()
    heard = [one for unit in units for one in frames.take(reader.open(unit))]
    told = [(one["type"], bytes([one["fill"]]) * one["size"]) for one in vectors["pushed"]]
    assert heard[: len(told)] == told
    assert frames.rest == b""


def read_entries(vectors: Json) -> None:
    for one in vectors["entries"]:
        kind, values = by_the_page.entry(raw(one["entry"]))
        assert kind == one["kind"]
        assert spelled(values) == one["fields"]
    whole = raw(vectors["long_message"]["encoding"])
    _, values = by_the_page.entry(whole, 1050624)
    assert spelled(values) == vectors["long_message"]["fields"]
    parts = [
        by_the_page.entry(raw(one["entry"]))[1] for one in vectors["entries"] if one["kind"] == 2
    ]
    assert b"".join(part["chunk"] for part in parts) == whole
    assert [part["offset"] for part in parts] == [0, 8064]
    assert {part["total_bytes"] for part in parts} == {len(whole)}
    for one in vectors["refused"]:
        with pytest.raises((AssertionError, ValueError)):
            by_the_page.entry(raw(one["entry"]))


def spelled(values: Json) -> Json:
    """Spell values as the files do."""
    return {
        name: value.hex()
        if isinstance(value, bytes)
        else str(value)
        if isinstance(value, int) and value >= 2**53
        else value
        for name, value in values.items()
    }


def read_log(vectors: Json) -> None:
    known = stations()
    writer, reader = known["alpha"][1], known["bravo"][1]
    assert (writer.id, reader.id) == (raw(vectors["writer"]), raw(vectors["reader"]))
    log = by_the_page.Log(writer.id, reader.id)
    assert log.heads[0] == raw(vectors["head_0"])
    other = by_the_page.Log(reader.id, writer.id)
    assert other.heads[0] == raw(vectors["head_0_of_the_other_log"])
    for data, head in zip(vectors["entries"], vectors["heads"], strict=True):
        log.add(raw(data))
        assert log.heads[-1] == raw(head)
    for one in vectors["signatures"]:
        writer.check_ed25519(raw(one["signature"]), log.head_text(one["number"]))
    for one in vectors["receipts"]:
        text = log.receipt_text(one["number"], int(one["time_ns"]))
        reader.check_ed25519(raw(one["signature"]), text)
    for one in vectors["refused"]:
        with pytest.raises(InvalidSignature):
            writer.check_ed25519(raw(one["signature"]), log.head_text(one["number"]))


def read_frames(vectors: Json) -> None:
    frames = by_the_page.Frames()
    for one in vectors["frames"]:
        [(kind, body)] = frames.take(raw(one["frame"]))
        assert kind == one["type"]
        values = by_the_page.strict(body, len(one["fields"]))
        assert as_json(values) == one["fields"]


def read_courier(vectors: Json) -> None:
    one = next(one for one in committed("identity")["stations"] if one["name"] == "bravo")
    seeds = [raw(one[f"{name}_seed"]) for name in ("x25519", "ed25519", "mldsa87")]
    writer, reader = stations()["alpha"][1], stations()["bravo"][1]
    assert (writer.id, reader.id) == (raw(vectors["writer"]), raw(vectors["reader"]))
    mine = CourierReader(seeds, reader, writer)
    signed_part, ed_signature, ml_signature = by_the_page.strict(raw(vectors["reader_key"]), 3)
    label = b"hotline/1 courier key"
    reader.check_ed25519(ed_signature, label + signed_part)
    reader.check_mldsa(ml_signature, signed_part, label)
    key = [label.decode(), reader.id, mine.public[:1568], mine.public[1568:]]
    assert by_the_page.strict(signed_part, 4) == key
    assert mine.derived == raw(vectors["mark_and_secret"])
    with_secret = CourierReader(seeds, reader, writer, bytes([0xAA]) * 32)
    assert with_secret.derived == raw(vectors["mark_and_secret_with_line_secret"])
    file = raw(vectors["file"])
    assert mine.read(file) == msgpack.unpackb(raw(vectors["content"]))
    secret, ciphertext = ML_KEM_1024._encaps_internal(mine.public[:1568], raw(vectors["kem_m"]))
    assert len(secret) == 32
    assert ciphertext == file[54 : 54 + 1568]
    scalar = int.from_bytes(raw(vectors["p384_scalar"]), "big")
    point = uncompressed(ec.derive_private_key(scalar, ec.SECP384R1()))
    assert point == file[54 + 1568 :][:97]
    for one in vectors["refused"]:
        changed = bytearray(file)
        changed[one["at"]] ^= one["xor"]
        with pytest.raises((AssertionError, InvalidTag, ValueError)):
            mine.read(bytes(changed))


def as_json(value: Any) -> Any:
    """Spell nested values as the files do."""
    if isinstance(value, list):
        return [as_json(one) for one in value]
    return spelled({"": value})[""]


def read_evidence(vectors: Json) -> None:
    known = {name: card for name, (_, card) in stations().items()}
    for one in vectors["checkpoints"]:
        other = next(card for name, card in known.items() if name != one["signer"])
        places = [
            one["own_number"],
            raw(one["own_head"]),
            one["peer_number"],
            raw(one["peer_head"]),
        ]
        evidence_by_the_page.check_checkpoint(
            known[one["signer"]], other, [*places, int(one["time_ns"]), raw(one["signature"])]
        )
    told = evidence_by_the_page.read_evidence(raw(vectors["evidence"]))
    assert evidence_by_the_page.read_file(vectors["evidence_file"]) == told
    said, [answer] = told
    assert not said["interrupted"]
    assert (answer["message_id"], answer["decision"]) == (said["id"], 1)
    entries = evidence_by_the_page.read_run(raw(vectors["run"]))
    assert {**by_the_page.entry(entries[0])[1], "interrupted": False} == said
    told = evidence_by_the_page.read_evidence(raw(vectors["evidence_after_a_key_change"]))
    assert told == (said, [])
    assert evidence_by_the_page.read_file(vectors["evidence_after_a_key_change_file"]) == told
    changed = raw(vectors["run_with_a_key_change"])
    entries = evidence_by_the_page.read_run(changed)
    ends = [n for n, one in enumerate(entries, 1) if evidence_by_the_page.ends_key_change(one)]
    assert ends == [vectors["key_change_ends_at"]]


def read_keyfile(vectors: Json) -> None:
    typed, seeds = vectors["typed"], [raw(seed) for seed in vectors["seeds"]]
    for one in vectors["files"]:
        keys = by_the_page.Keys.read_protected_file(one["key_file"], typed)
        assert keys.x25519.private_bytes_raw() == seeds[0]
        assert keys.ed25519.private_bytes_raw() == seeds[1]
        assert keys.mldsa87.private_bytes_raw() == seeds[2]
        fields = by_the_page.strict(
            by_the_page.unarmoured(one["key_file"], "HOTLINE SECRET KEY"), 8
        )
        named = ("memory_kib", "passes", "lanes")
        assert fields[2:5] == [one[name] for name in named]
        assert fields[5:] == [raw(one[name]) for name in ("salt", "nonce", "sealed_seeds")]
        assert msgpack.packb(fields[:7]) == raw(one["associated_data"])
    assert raw(vectors["passphrase"]) == unicodedata.normalize("NFC", typed).encode()
    small = vectors["files"][-1]["key_file"]
    with pytest.raises(InvalidTag):
        by_the_page.Keys.read_protected_file(small, typed + " ")
    for one in vectors["refused"]:
        with pytest.raises((AssertionError, InvalidTag)):
            by_the_page.Keys.read_protected_file(one["file"], typed)


def read_halves(vectors: Json) -> None:
    lists, read = word_lists(), []
    for one in vectors["halves"]:
        half = by_the_page.Half.read_file(one["file"])
        heard = by_the_page.Half.heard(raw(one["from"]), raw(one["to"]), one["words"], lists)
        assert half == heard
        assert half.secret == raw(one["half"])
        assert half.words(lists) == one["words"]
        read.append(half)
    told = (raw(vectors["line_secret"]), vectors["check_code"])
    assert by_the_page.combined(read[0], read[1], lists) == told
    assert by_the_page.combined(read[1], read[0], lists) == told
    for one in vectors["refused"]:
        with pytest.raises((AssertionError, ValueError)):
            by_the_page.Half.heard(read[0].writer_id, read[0].reader_id, one["words"], lists)


READERS: Final[dict[str, Callable[[Json], None]]] = {
    "courier": read_courier,
    "entries": read_entries,
    "evidence": read_evidence,
    "frames": read_frames,
    "halves": read_halves,
    "handshake": read_handshake,
    "identity": read_identity,
    "keyfile": read_keyfile,
    "log": read_log,
    "records": read_records,
    "succession": read_succession,
}


@pytest.mark.parametrize("topic", READERS)
def test_the_second_station_reads_the_vectors(topic: str) -> None:
    """Whoever has the page and the vectors, and none of this code, must come to the same bytes."""
    READERS[topic](committed(topic))


@pytest.mark.parametrize("topic", READERS)
def test_a_changed_vector_is_noticed(topic: str) -> None:
    """A reader that reads past its vectors proves nothing: each long value is changed in turn."""
    vectors = committed(topic)
    places = [place for place in long_values(vectors) if place[0] != "refused"]
    assert places
    unnoticed = []
    for place in places[:: max(1, len(places) // 12)]:
        changed = committed(topic)
        spoil(changed, place)
        if not refuses(READERS[topic], changed):
            unnoticed.append(place)
    assert unnoticed == []


def refuses(read: Callable[[Json], None], vectors: Json) -> bool:
    """Tell whether a reader finds anything wrong, in whatever way."""
    try:
        read(vectors)
    except Exception:  # noqa: BLE001 - what the primitives raise is theirs to choose
        return True
    return False


Place = tuple[Any, ...]


def long_values(value: Any, place: Place = ()) -> list[Place]:
    """Find every value of 32 bytes or more."""
    if isinstance(value, dict):
        return [one for key, sub in value.items() for one in long_values(sub, (*place, key))]
    if isinstance(value, list):
        return [one for key, sub in enumerate(value) for one in long_values(sub, (*place, key))]
    is_long = isinstance(value, str) and re.fullmatch(r"(?:[0-9a-f]{2}){32,}", value)
    return [place] if is_long else []


def spoil(vectors: Json, place: Place) -> None:
    """Change one digit in the middle of a value."""
    *way, last = place
    holder: Any = vectors
    for key in way:
        holder = holder[key]
    text = holder[last]
    middle = len(text) // 2
    holder[last] = text[:middle] + ("0" if text[middle] != "0" else "1") + text[middle + 1 :]
