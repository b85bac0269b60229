"""``hotline secret combine``: make the line secret of this station's half and the peer's."""

from __future__ import annotations

import hmac
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hotline.cli import exits, pairing
from hotline.cli.exits import UsageError
from hotline.cli.halves import Stations, half_path, spent_path
from hotline.cli.pairing import WORDS_PER_ROW
from hotline.cli.toml import quoted
from hotline.errors import IdentityError
from hotline.identity import files, read_line_secret, write_line_secret
from hotline.identity.halves import HALF_WORDS, Half, combine, read_half
from hotline.text import one_line

if TYPE_CHECKING:
    import argparse

_TYPED_BYTES: Final = 4096
"""More than 36 words of the list take."""


def run(args: argparse.Namespace) -> int:
    """Do what ``hotline secret combine`` was asked."""
    found = Stations.of(args)
    own_path = half_path(found.config, args.line)
    path = own_path.with_name(f"{args.line}.secret")
    spent = spent_path(own_path)
    if os.path.lexists(spent) and not os.path.lexists(own_path):
        own_path = spent  # goes on where it was cut
    if not own_path.exists():
        raise UsageError(
            f"there is no half of this station's: {own_path}",
            hint=f"make it: hotline secret contribute {args.line}",
        )
    own = found.check_own(read_half(own_path), own_path)
    if args.half is not None:
        peer = read_half(Path(args.half))
    else:
        peer = Half.from_words(found.peer.id, found.own.id, _typed(found.peer.name))
    secret, code = combine(own, peer)
    _keep(path, secret, own_path, spent)
    print(f"line secret of {found.own.name} and {found.peer.name}, made as {one_line(str(path))}")
    for row in pairing.rows(code):
        print(row)
    print("Both operators read the same words to each other, as with the pair code.")
    print("If one word differs, the two secrets do: remove the file and begin anew.")
    print("next:")
    folder = found.config.path.parent
    shown = path.relative_to(folder) if path.is_relative_to(folder) else path
    print(f"  1. in {one_line(str(found.config.path))}, under the [[line]] {args.line}:")
    print(f"     secret = {quoted(str(shown))}")
    print("  2. the same at the other station; then both send the daemon SIGHUP (kill -HUP)")
    if args.half is not None:
        print(f"  3. destroy the copy of the peer's half: {one_line(shlex.quote(args.half))}")
    return exits.DONE


def _keep(path: Path, secret: bytes, half: Path, spent: Path) -> None:
    """Put the secret in the place of the half that it is made of; harmless to do again.

    The half is spent before the secret stands: whoever removes the secret later, to begin anew, finds
    no old half there to be said a second time.
    """
    if not os.path.lexists(path):
        if half != spent:
            files.rename(half, spent.name)
        write_line_secret(path, secret)
        files.remove(spent)
    elif hmac.compare_digest(read_line_secret(path), secret):
        files.remove(half)
    else:
        write_line_secret(path, secret)  # says that there is one, and that it stays


def _typed(peer: str) -> list[str]:
    """Read the peer's words, in rows on a terminal, or to the end of a pipe."""
    if not sys.stdin.isatty():
        return sys.stdin.read(_TYPED_BYTES + 1)[:_TYPED_BYTES].split()
    print(f"Type the {HALF_WORDS} words that {peer}'s operator says, a row of four at a time.")
    words: list[str] = []
    try:
        while len(words) < HALF_WORDS:
            words += input(f"  {len(words) // WORDS_PER_ROW + 1}.  ")[:_TYPED_BYTES].split()
    except EOFError:
        raise IdentityError("not all words were given") from None
    return words
