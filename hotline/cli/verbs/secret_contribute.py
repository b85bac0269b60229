"""``hotline secret contribute``: make this station's half of a line secret, and say it in words."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from hotline.cli import exits, pairing, station
from hotline.cli.halves import Stations, half_path, spent_path
from hotline.identity import files
from hotline.identity.halves import Half, read_half, write_half
from hotline.text import one_line

if TYPE_CHECKING:
    import argparse


def run(args: argparse.Namespace) -> int:
    """Do what ``hotline secret contribute`` was asked."""
    found = Stations.of(args)
    path = half_path(found.config, args.line)
    if os.path.lexists(spent_path(path)):
        files.remove(spent_path(path))
    if os.path.lexists(path):
        half = found.check_own(read_half(path), path)
    else:
        half = Half.make(found.own.id, found.peer.id, os.urandom)
        write_half(path, half)
    print(f"half of the secret of the line {args.line}, kept in {one_line(str(path))}:")
    for row in pairing.rows(half.words()):
        print(row)
    print(
        f"Say these words to {found.peer.name}'s operator in person, where nobody else hears them,"
    )
    print("or give them a copy of that file in their hand; get theirs the same way. Then:")
    combine = station.command(f"secret combine {args.line}", station.typed_config(args))
    print(f"  {one_line(combine)}")
    return exits.DONE
