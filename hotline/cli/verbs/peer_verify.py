"""``hotline peer verify``: the pair code of a line, and the mark that it was compared.

Nothing is marked by a plain yes: whoever confirms types words that the peer's operator has read to
them, so that the mark says that two people spoke.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from hotline.cli import cards, exits, pairing, station
from hotline.cli.pairing import WORDS_PER_ROW
from hotline.cli.rendering import time_of, word
from hotline.cli.terminal import print_json
from hotline.errors import RefusedError
from hotline.identity import pair_code, read_card

if TYPE_CHECKING:
    import argparse


def run(args: argparse.Namespace) -> int:
    """Do what ``hotline peer verify`` was asked."""
    config = station.load(args)
    line = station.line_of(config, args.line)
    own, peer = read_card(config.own_card(line)), read_card(line.card)
    words = pair_code(own.id, peer.id)
    marks: dict[str, Any] = {}
    if not args.json:
        pairing.tell(own, peer)
    if args.confirm is not None:
        _check(args.confirm.split(), words)
    if args.confirm is not None or (
        not args.json and cards.on_terminal() and _asked(words, peer.name)
    ):
        marks = cards.ask(args, "verify", {"line": line.name, "own_id": own.id.hex()}, peer.id)
    if args.json:
        print_json(
            {
                "line": line.name,
                "station": peer.name,
                "id": peer.id.hex(),
                "words": list(words),
                "verified_at": marks.get("verified_at"),
                "verified_by": marks.get("verified_by"),
            }
        )
    elif marks:
        when = time_of(marks, "verified_at", exact=True)
        print(f"line {line.name} is verified, {when} by {word(marks, 'verified_by')}")
    return exits.DONE


def _asked(words: tuple[str, ...], peer: str) -> bool:
    """Have one word of each row typed; tells whether somebody did, and raises if they are wrong."""
    print()
    numbers = [
        first + secrets.randbelow(WORDS_PER_ROW) for first in range(0, len(words), WORDS_PER_ROW)
    ]
    shown = ", ".join(
        f"row {number // WORDS_PER_ROW + 1} word {number % WORDS_PER_ROW + 1}" for number in numbers
    )
    print(f"To mark the line as verified, type what {peer}'s operator reads to you as")
    typed = cards.answer(f"{shown};\nor only Enter, to mark nothing: ").split()
    if typed:
        _check(typed, tuple(words[number] for number in numbers))
    return bool(typed)


def _check(typed: list[str], words: tuple[str, ...]) -> None:
    if [one.lower() for one in typed] != [one.lower() for one in words]:
        raise RefusedError(
            "words-differ",
            "those are not the words: nothing is marked",
            hint="if the peer's operator really reads others, one card is not genuine",
        )
