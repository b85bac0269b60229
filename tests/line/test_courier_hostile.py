"""Courier files that are damaged, strayed, forged or lying: refused with nothing changed, or a halt."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from hotline.errors import DecodeError, HaltError, ProtocolError, RefusedError
from hotline.line import applying
from hotline.line.pairing import Pairing
from hotline.model import Position
from hotline.wire import courier as files
from hotline.wire import entries, frames, heads
from support.flips import Walk, unseen
from support.line_courier import bring, export, send, states, until_keys_are_kept
from support.line_stores import copy, exchange, rest, restore, until_halted
from support.line_world import LineWorld, Station, identity

if TYPE_CHECKING:
    from collections.abc import Callable


def untouched(station: Station) -> Any:
    """Give everything that taking a file in could change."""
    return station.store.read(lambda reader: reader.lines()), station.inbox(), states(station)


def test_every_changed_byte_is_found(apart: LineWorld, walk: Walk) -> None:
    """One bit that passes is one order that says something else."""
    north, south = apart.stations
    send(apart, north, "a")
    file = export(apart, north)
    before = untouched(south)
    # Every byte of what is not under AES-GCM alone, some of what is, and the tag.
    where = walk.but(len(file), [(files.HEADER_BYTES + 1665, len(file) - 16)], 97)
    assert unseen(south.line.courier.open, file, where, RefusedError) == []
    for size in (0, 1, 30, files.HEADER_BYTES, 1700, len(file) // 2, len(file) - 1):
        with pytest.raises(RefusedError, match="not taken in"):
            south.line.courier.open(file[:size])
    for longer in (file + b"\0", file + file):
        with pytest.raises(RefusedError, match="not taken in"):
            south.line.courier.open(longer)
    assert untouched(south) == before


def test_a_file_is_for_one_line_only(
    apart: LineWorld, make_world: Callable[..., LineWorld]
) -> None:
    """A file taken by whoever finds it would make any station its reader."""
    north, south = apart.stations
    send(apart, north, "a")
    file = export(apart, north)
    with pytest.raises(RefusedError, match="for another line"):
        north.line.courier.open(file)
    # The same two stations, with a line secret: another line.
    secret = make_world(line_secret=b"s" * 32)
    secret.second.addresses = ()
    secret.start()
    assert not secret.stations[1].line.pairing.courier_is_for(file)
    with pytest.raises(RefusedError, match="for another line"):
        secret.stations[1].line.courier.open(file)
    assert south.line.pairing.courier_is_for(file)


def test_a_halted_line_neither_sends_nor_takes_a_courier(world: LineWorld) -> None:
    """A halt that leaves one way open is none."""
    world.checks = False  # a restored store has less than it signed for
    north, south = world.stations
    until_keys_are_kept(world)
    exchange(world, "one")
    kept = copy(south, str(rest(south)) and ".backup")
    south.start()
    world.until_up()
    exchange(world, "two")
    file = export(world, north)
    rest(south)
    restore(south, kept)
    south.start()
    until_halted(world, north, south)
    before = untouched(south)
    for station in world.stations:
        with pytest.raises(RefusedError, match="is halted"):
            export(world, station)
    with pytest.raises(RefusedError, match="is halted"):
        bring(world, south, file)
    assert untouched(south) == before


def test_a_restored_store_is_found_by_the_first_file(apart: LineWorld) -> None:
    """Without a wire nobody says hello: the file has to show that a log was lost."""
    apart.checks = False
    north, south = apart.stations
    send(apart, north, "a")
    bring(apart, south, export(apart, north))
    kept = copy(north, str(rest(north)) and ".backup")
    north.start()
    send(apart, north, "b")
    bring(apart, south, export(apart, north))
    back = export(apart, south)
    rest(north)
    restore(north, kept)
    north.start()
    with pytest.raises(HaltError, match="our log up to entry 2"):
        bring(apart, north, back)
    apart.run(1)
    assert north.record.halt is not None
    assert north.record.halt.code == "own-log-lost"


@pytest.mark.parametrize("held", ["less", "as much", "more"])
def test_two_histories_by_courier_halt_the_line(apart: LineWorld, held: str) -> None:
    """A cloned station that writes on would be believed twice, once by each way."""
    north, south = apart.stations
    apart.checks = False
    send(apart, north, "a")
    bring(apart, south, export(apart, north))
    kept = copy(north, str(rest(north)) and ".backup")
    north.start()
    one = ("b1", "b2", "b3") if held == "less" else ("b1",)
    send(apart, north, *one)
    bring(apart, south, export(apart, north))
    rest(north)
    restore(north, kept)
    north.start()
    two = ("c1", "c2", "c3") if held == "more" else ("c1",)
    send(apart, north, *two)
    forked = export(apart, north)
    before = untouched(south)[1:]
    with pytest.raises(HaltError, match="two histories"):
        bring(apart, south, forked)
    apart.run(1)
    assert south.record.halt is not None
    assert south.record.halt.code == "fork"
    assert untouched(south)[1:] == before


def test_a_full_disk_takes_no_courier(apart: LineWorld) -> None:
    """What is read and not kept would be taken for delivered."""
    north, south = apart.stations
    send(apart, north, "a")
    file = export(apart, north)
    south.has_room = False
    with pytest.raises(RefusedError, match="no room"):
        bring(apart, south, file)
    south.has_room = True
    assert bring(apart, south, file).entries == 1


# --- what the peer itself signs ---------------------------------------------------------------------


def content_of(reader: Station, file: bytes) -> files.Content:
    """Give what a file says."""
    return reader.line.courier.open(file)


def signed_by_the_peer(writer: Station, reader: Station, content: files.Content) -> bytes:
    """Seal what an honest station would never say, with all its signatures in order."""
    key = reader.line.pairing.courier_key
    return writer.line.pairing.seal_courier(files.encode(content), key)


def test_only_the_peer_itself_can_write_a_file(apart: LineWorld) -> None:
    """A courier key is no secret: whoever has it must not be able to speak."""
    north, south = apart.stations
    send(apart, north, "a")
    content = files.encode(content_of(south, export(apart, north)))
    key, keys = south.line.pairing.courier_key, identity("stranger")[0]
    header, info = files.header_and_info(
        south.line.pairing.psk, north.card.id, south.card.id, key.mlkem1024 + key.p384
    )
    ours = (
        north.keys.sign_ed25519(files.MAGIC + content),
        north.keys.sign_mldsa(content, files.MAGIC),
    )
    theirs = keys.sign_ed25519(files.MAGIC + content), keys.sign_mldsa(content, files.MAGIC)
    before = untouched(south)
    for signatures in ((theirs[0], theirs[1]), (ours[0], theirs[1]), (theirs[0], ours[1])):
        file = header + key.seal(files.bundle(content, *signatures), info)
        with pytest.raises(RefusedError, match="does not verify"):
            bring(apart, south, file)
    assert untouched(south) == before
    assert bring(apart, south, header + key.seal(files.bundle(content, *ours), info)).entries == 1


def test_what_the_peer_may_not_say_is_refused_whole(apart: LineWorld) -> None:
    """A file of which a part was believed would leave two stations with two truths."""
    north, south = apart.stations
    send(apart, south, "order")
    bring(apart, north, export(apart, south))
    send(apart, north, "a")
    content = content_of(south, export(apart, north))
    [run] = content.runs
    assert content.receipt is not None
    assert content.courier_key is not None
    lies = [
        replace(content, writer=content.reader, reader=content.writer),
        replace(content, runs=(replace(run, signature=bytes(64)),)),
        replace(content, runs=(replace(run, entries=(b"other",)),)),
        replace(content, receipt=replace(content.receipt, signature=bytes(64))),
        replace(content, receipt=replace(content.receipt, time_ns=1)),
        replace(content, courier_key=frames.CourierKeyFrame(bytes(6427))),
        replace(
            content, courier_key=frames.CourierKeyFrame(south.line.pairing.courier_key.encoded)
        ),
    ]
    before = untouched(south)
    for lie in lies:
        with pytest.raises(RefusedError, match="not taken in"):
            bring(apart, south, signed_by_the_peer(north, south, lie))
        assert untouched(south) == before
    bare = replace(content, courier_key=None)
    assert bring(apart, south, signed_by_the_peer(north, south, bare)).entries == 1


def halts(world: LineWorld, writer: Station, reader: Station, content: files.Content) -> str:
    """Bring what the peer has signed; gives the code of the halt, with which nothing else changed."""
    before = untouched(reader)[1:]
    with pytest.raises(HaltError):
        bring(world, reader, signed_by_the_peer(writer, reader, content))
    world.run(1)
    assert untouched(reader)[1:] == before
    assert reader.record.halt is not None
    return reader.record.halt.code


def test_a_receipt_for_another_history_halts(apart: LineWorld) -> None:
    """A reader who signed for what we never wrote was written to by somebody with our key."""
    north, south = apart.stations
    send(apart, south, "order")
    bring(apart, north, export(apart, south))
    content = content_of(south, export(apart, north))
    place = Position(1, bytes(64))
    pairing = north.line.pairing
    forked = frames.ReceiptFrame(1, place.head, 5, pairing.sign_receipt(place, 5))
    assert halts(apart, north, south, replace(content, receipt=forked)) == "fork"


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"peer": Position(5, bytes(64))}, "own-log-lost"),
        ({"receipted": 7}, "own-log-lost"),
        ({"peer": Position(1, bytes(64))}, "fork"),
    ],
)
def test_where_both_logs_stand_is_compared_as_in_a_hello(
    apart: LineWorld, said: dict[str, Any], code: str
) -> None:
    """A loss or a fork that only a hello could show would stay unseen while the wire is cut."""
    north, south = apart.stations
    send(apart, south, "order")
    bring(apart, north, export(apart, south))
    content = content_of(south, export(apart, north))
    assert halts(apart, north, south, replace(content, **said)) == code


def test_entries_that_go_on_from_another_head_halt(apart: LineWorld) -> None:
    """A run that begins where our copy ends, on another history, is more than a bad signature."""
    north, south = apart.stations
    send(apart, north, "a")
    bring(apart, south, export(apart, north))
    send(apart, north, "b")
    content = content_of(south, export(apart, north))
    assert [run.first for run in content.runs] == [1, 2]
    lie = replace(content, before=Position(1, bytes(64)), runs=content.runs[1:])
    assert halts(apart, north, south, lie) == "fork"


def test_an_entry_that_a_log_may_not_hold_halts(apart: LineWorld) -> None:
    """What halts a line by wire must not be let in by the side door."""
    north, south = apart.stations
    send(apart, north, "a")
    content = content_of(south, export(apart, north))
    pairing = north.line.pairing
    answer = entries.encode(entries.Test("x", 1, "op"))[:-1]
    head = heads.next_head(pairing.own_zero, answer)
    run = frames.Entries(1, (answer,), pairing.sign_head(Position(1, head)))
    assert halts(apart, north, south, replace(content, runs=(run,))) == "peer-broke-rules"


def test_a_file_is_opened_under_its_own_line_alone(apart: LineWorld) -> None:
    """Whoever asks for one without looking at its mark first must not get another line's content."""
    north, south = (station.line.pairing for station in apart.stations)
    file = north.seal_courier(b"content", south.courier_key)
    assert south.open_courier(file) == b"content"
    keys, card = identity("stranger")
    for other in (Pairing(keys, card, north.own), north):
        with pytest.raises(DecodeError, match="for another line"):
            other.open_courier(file)


def test_runs_with_a_gap_between_them_are_not_applied(apart: LineWorld) -> None:
    """Entries under other numbers than their author gave them are what nobody has said."""
    north, south = apart.stations
    data = [entries.encode(entries.Test(f"t{number}", 1, "lt")) for number in (1, 2, 3)]
    chain = heads.chain(north.line.pairing.own_zero, data)
    runs = [
        frames.Entries(n, (data[n - 1],), north.line.pairing.sign_head(Position(n, chain[n - 1])))
        for n in (1, 2, 3)
    ]
    line, pairing = south.record.line, south.line.pairing

    def apply(*numbers: int) -> object:
        [outcome] = south.store.transact(
            [lambda tx: applying.apply(tx, line, pairing, [runs[n - 1] for n in numbers], 1)]
        )
        return outcome

    for gap in ((1, 3), (2, 3)):
        before = untouched(south)
        assert isinstance(apply(*gap), ProtocolError)
        assert untouched(south) == before
    assert isinstance(apply(1, 2, 3), applying.Applied)
