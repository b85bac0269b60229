"""``hotline completion``: a shell's completion script, made from the same tree of verbs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import shtab

from hotline.cli import exits
from hotline.cli.parser import build

if TYPE_CHECKING:
    import argparse


def run(args: argparse.Namespace) -> int:
    """Do what ``hotline completion`` was asked."""
    print(shtab.complete(build(), shell=args.shell))
    return exits.DONE
