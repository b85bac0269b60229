"""``hotline run``: the daemon in the foreground."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hotline.cli import station

if TYPE_CHECKING:
    import argparse


def run(args: argparse.Namespace) -> int:
    """Be the daemon until it is told to stop; the daemon gives the exit code."""
    config = station.load(args)
    from hotline.cli import passphrases
    from hotline.daemon.run import main

    return main(config, passphrases.source(args.passphrase_fd))
