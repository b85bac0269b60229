"""Where a passphrase comes from: a descriptor, the service manager's credentials, or a prompt.

Never from an argument or a variable of the environment: those show in ps and in /proc, and are handed
on to every child.
"""

from __future__ import annotations

import os
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hotline.cli.exits import UsageError
from hotline.errors import IdentityError
from hotline.identity import files
from hotline.identity.keyseal import check_new_passphrase, passphrase_bytes
from hotline.limits import PASSPHRASE_BYTES
from hotline.text import one_line, reason

if TYPE_CHECKING:
    from hotline.identity.keyfile import PassphraseSource

CREDENTIAL: Final = "hotline-passphrase"
"""The name of the credential, in systemd's LoadCredential= and LoadCredentialEncrypted=."""

_LINE_BREAK_BYTES: Final = 2
_STANDARD_ERROR: Final = 2


def source(descriptor: int | None) -> PassphraseSource:
    """Give what finds the passphrase of a key file: descriptor, else credentials, else a prompt.

    Only a prompt can give another one for another file.
    """

    @cache
    def handed_over() -> bytes | None:
        # Read when the first file asks, and never again: a descriptor is empty and closed then.
        return _from_credentials() if descriptor is None else _from_descriptor(descriptor)

    def find(path: Path) -> bytes:
        given = handed_over()
        if given is not None:
            return given
        if not sys.stdin.isatty():
            raise IdentityError(
                f"{path} is protected by a passphrase, and there is no terminal to ask for it",
                hint="give it by --passphrase-fd N, or by systemd's credential " + CREDENTIAL,
            )
        return _prompt(f"passphrase of {one_line(path.name)}: ")

    return find


def new(descriptor: int | None, path: Path, option: str) -> bytes:
    """Give a passphrase to set on the key file at path, from a descriptor, or asked for twice.

    option is the one that names the descriptor, for whoever has neither that nor a terminal.
    """
    if descriptor is not None:
        passphrase = _from_descriptor(descriptor)
        check_new_passphrase(passphrase)
        return passphrase
    if not sys.stdin.isatty():
        raise UsageError(
            f"there is no terminal to ask for a new passphrase of {path}",
            hint=f"give it by {option} N, as: {option} 3 3<FILE",
        )
    passphrase = _prompt(f"new passphrase of {one_line(path.name)}: ")
    check_new_passphrase(passphrase)
    if _prompt("the same again: ") != passphrase:
        raise UsageError("the two passphrases differ", hint="nothing was changed; try again")
    return passphrase


def _prompt(question: str) -> bytes:
    import getpass

    try:
        return passphrase_bytes(getpass.getpass(question))
    except EOFError:
        raise UsageError("no passphrase was given") from None
    except UnicodeDecodeError:
        raise IdentityError(
            "the passphrase that was typed is not UTF-8", hint="see the terminal's encoding"
        ) from None


def _from_descriptor(descriptor: int) -> bytes:
    """Read one line from descriptor to its end."""
    most = PASSPHRASE_BYTES + _LINE_BREAK_BYTES
    data = b""
    try:
        while len(data) <= most and (more := os.read(descriptor, most + 1 - len(data))):
            data += more
        if descriptor > _STANDARD_ERROR:
            os.close(descriptor)  # a daemon lives long
    except OSError as error:
        raise UsageError(
            f"cannot read a passphrase from descriptor {descriptor}: {reason(error)}",
            hint=f"open it for the command: {descriptor}<FILE",
        ) from None
    if len(data) > most:  # cut in the middle of a character, it would be told as no text
        raise IdentityError(
            f"the passphrase from descriptor {descriptor} is longer than {PASSPHRASE_BYTES} bytes",
            hint="give one line of text",
        )
    return _decoded(data, f"descriptor {descriptor}")


def _from_credentials() -> bytes | None:
    """Read the service manager's credential, if it has given us one.

    It owns the folder, which no other unit sees, and may let us in by an access list: the mode of a
    key file is not to be expected here.
    """
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    if not folder:
        return None
    path = Path(folder) / CREDENTIAL
    if not os.path.lexists(path):
        return None
    return _decoded(files.read_public(path, PASSPHRASE_BYTES + _LINE_BREAK_BYTES), str(path))


def _decoded(data: bytes, where: str) -> bytes:
    line = data.removesuffix(b"\n").removesuffix(b"\r")
    try:
        return passphrase_bytes(line.decode())
    except UnicodeDecodeError:
        raise IdentityError(f"the passphrase from {where} is not UTF-8") from None
    except IdentityError as error:
        raise IdentityError(f"from {where}: {error}", hint=error.hint) from None
