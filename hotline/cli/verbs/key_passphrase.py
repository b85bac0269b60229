"""``hotline key passphrase``: set, change or remove the passphrase of the secret key file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from hotline.cli import exits, passphrases, station
from hotline.cli.exits import UsageError
from hotline.identity import Protection, read_secret_keys
from hotline.identity.keyfile import inspect_key_file, once, replace_secret_keys
from hotline.identity.successors import key_files
from hotline.text import one_line

if TYPE_CHECKING:
    import argparse


def run(args: argparse.Namespace) -> int:
    """Do what ``hotline key passphrase`` was asked."""
    if args.remove and args.new_passphrase_fd is not None:
        raise UsageError("--remove takes no new passphrase", hint="leave out --new-passphrase-fd")
    if args.passphrase_fd is not None and args.passphrase_fd == args.new_passphrase_fd:
        raise UsageError("one descriptor cannot hold both passphrases", hint="give two")
    config = station.load(args)
    # While a change of keys is under way there are two, and the daemon is given one passphrase.
    paths = key_files(config.key, config.card)
    protected = any(inspect_key_file(path).protected for path in paths)
    name = one_line(", ".join(map(str, paths)))
    if args.remove and not protected:
        raise UsageError(f"{name} has no passphrase")
    source = once(passphrases.source(args.passphrase_fd))
    keys = {path: read_secret_keys(path, source) for path in paths}
    protection = None
    if not args.remove:
        passphrase = passphrases.new(args.new_passphrase_fd, paths[-1], "--new-passphrase-fd")
        protection = Protection(passphrase, os.urandom)
    replace_secret_keys(keys, protection)
    if args.remove:
        print(f"{name} has no passphrase now: whoever can read it is the station")
    else:
        print(f"{name} has a {'new' if protected else 'first'} passphrase")
        print("hint: a daemon that runs goes on; its next start needs the passphrase")
        print("hint: older copies of the file, and a disk's spare blocks, still open as before")
    return exits.DONE
