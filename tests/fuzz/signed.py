"""Targets for what is signed throughout: a run of a log, and a station's succession.

Their inputs may be short for longer ones, by ``fuzz.shorthand``.
"""

from __future__ import annotations

from argparse import Namespace
from typing import Final

from fuzz import shorthand
from fuzz.oracles import Metered, file_of, known_cards, only, said

from hotline.cli import exits
from hotline.cli.verbs import evidence_verify
from hotline.errors import DecodeError, EvidenceError, IdentityError
from hotline.evidence import runs
from hotline.identity.succession import Succession, read_claim, read_succession
from hotline.wire import entries
from support import by_the_page, evidence_by_the_page
from support.line_world import identity

LONGEST_PIECE: Final = max(shape.max_bytes for shape in runs.SHAPES.values())


@known_cards()
def fuzz_run(data: bytes) -> None:
    """A run of a log in a file from anyone: what is taken is told as it stands, and read alike."""
    data = shorthand.run_file(data)
    seen: list[tuple[int, bytes]] = []
    with only(EvidenceError):
        found = runs.check(Metered(data, LONGEST_PIECE), lambda *one: seen.append(one))
    assert [number for number, _ in seen] == list(range(found.first, found.last + 1))
    pieces, rest = shorthand.cut(data)
    assert rest == b""
    respelled = [runs.piece(kind, *runs.SHAPES[kind].unpack(body)) for kind, body in pieces]
    assert runs.MAGIC + b"".join(respelled) == data
    for newest in (found.receipt, found.writer_checkpoint, found.reader_checkpoint):
        assert newest is None or newest.number <= found.last
    header = runs.SHAPES[runs.HEADER].unpack(pieces[0][1])
    in_order = len(found.changes) == len(header[3])
    if found.first == 1 and not header[4] and in_order and all(_is_entry(one) for _, one in seen):
        # Another maker's reader, of whole runs: in them one station's keys change, in their order.
        assert evidence_by_the_page.read_run(data) == [entry for _, entry in seen]
    for as_json in (False, True):
        asked = Namespace(file=str(file_of(data)), card=[], entries=True, json=as_json)
        assert said(lambda a=asked: evidence_verify.run(a), as_json=as_json) == exits.DONE  # type: ignore[misc]


def _is_entry(data: bytes) -> bool:
    """Tell whether it is more than bytes: a run proves what was signed, whatever that is."""
    try:
        entries.decode(data)
    except DecodeError:
        return False
    return True


@known_cards()
def fuzz_succession(data: bytes) -> None:
    """A change of keys, as a log or a file brings it: of north, before and after it changed them."""
    if data.startswith(b"-"):
        with only(IdentityError):
            path = file_of(data)
            read_claim(path)
            read = read_succession(path, [identity("north")[1]])
        assert read.armoured().encode().strip() in data.replace(b"\r\n", b"\n")
        return
    data = shorthand.succession(data)
    with only(IdentityError):
        claim = Succession.claimed(data)
    assert shorthand.packed(shorthand.unpacked(data)) == data
    cards = [shorthand.words().card_of[card] for card in shorthand.words().keys_of][:2]
    old = cards[-1] if claim.old_id == cards[-1].id else cards[0]
    with only(IdentityError):
        taken = Succession.decode(data, cards[: cards.index(old) + 1])
    assert taken == claim
    assert (taken.encoded, taken.old_id) == (data, old.id)
    _, new, time_ns = by_the_page.read_succession(data, by_the_page.Card.read(old.encoded))
    assert (new.id, new.name, time_ns) == (taken.card.id, old.name, taken.time_ns)
    assert taken.card not in cards[: cards.index(old) + 1]
