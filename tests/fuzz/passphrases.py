"""A target for a passphrase as it comes: on a descriptor, from the service manager, from a keyboard.

One way may not take what another refuses, or take it for something else: the file that a passphrase
closed on a terminal must open for a daemon that starts unattended.
"""

from __future__ import annotations

import getpass
import io
import os
import sys
import tempfile
import unicodedata
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final
from unittest.mock import patch

from fuzz.oracles import only, scratch

from hotline.cli import passphrases
from hotline.cli.exits import UsageError
from hotline.errors import HotlineError, IdentityError
from hotline.identity.keyseal import check_new_passphrase
from hotline.limits import PASSPHRASE_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY: Final = Path("north.key")
TOLD_BYTES: Final = 8
"""So much of a passphrase in an error can be no accident."""


def _from_descriptor(data: bytes) -> bytes:
    with tempfile.TemporaryFile(dir=scratch()) as file:
        file.write(data)
        file.seek(0)
        descriptor = os.dup(file.fileno())
        try:
            return passphrases.source(descriptor)(KEY)
        finally:
            try:
                os.fstat(descriptor)
            except OSError:
                pass
            else:
                raise AssertionError("a daemon would keep the descriptor for its whole life")


def _from_credential(data: bytes) -> bytes:
    (scratch() / passphrases.CREDENTIAL).write_bytes(data)
    with patch.dict(os.environ, {"CREDENTIALS_DIRECTORY": str(scratch())}):
        return passphrases.source(None)(KEY)


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        """Say that somebody can be asked."""
        return True


@contextmanager
def _typed(data: bytes) -> Iterator[None]:
    """Have data typed, as getpass reads it from a terminal."""
    keyboard = io.TextIOWrapper(io.BytesIO(data), "utf-8")

    def ask(_question: str) -> str:
        line = keyboard.readline()
        if not line:
            raise EOFError
        return line.removesuffix("\n")

    with (
        patch.dict(os.environ, {"CREDENTIALS_DIRECTORY": ""}),
        patch.object(getpass, "getpass", ask),
        patch.object(sys, "stdin", _Terminal()),
    ):
        yield


def _from_keyboard(data: bytes) -> bytes:
    with _typed(data):
        return passphrases.source(None)(KEY)


def _set_from_keyboard(data: bytes) -> bytes:
    with _typed(data + b"\n" + data + b"\n"):
        return passphrases.new(None, KEY, "--new-passphrase-fd")


def _check(passphrase: bytes) -> None:
    text = passphrase.decode()
    assert 1 <= len(passphrase) <= PASSPHRASE_BYTES
    assert unicodedata.is_normalized("NFC", text)
    assert text.isprintable() or not any(unicodedata.category(one) == "Cc" for one in text)


def _outcome(read: object, data: bytes, line: bytes) -> bytes | HotlineError:
    try:
        with only(IdentityError, UsageError):
            passphrase: bytes = read(data)  # type: ignore[operator]
    except HotlineError as error:
        said = f"{error} {error.hint}".encode()
        assert len(line) < TOLD_BYTES or line not in said, "an error goes to logs"
        if b"UTF-8" in said and b"or what is no" not in said:
            assert not _is_utf8(data), "it was text, though too long"
        return error
    _check(passphrase)
    return passphrase


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def fuzz_passphrase(data: bytes) -> None:
    """A passphrase, or what stands where one should: every way gives the same, or says why not."""
    line = data.removesuffix(b"\n").removesuffix(b"\r")
    handed = [_outcome(read, data, line) for read in (_from_descriptor, _from_credential)]
    assert isinstance(handed[0], bytes) == isinstance(handed[1], bytes)
    typed = _outcome(_from_keyboard, data, line)
    if isinstance(handed[0], bytes):
        assert handed[0] == handed[1] == typed
    elif isinstance(typed, bytes) and len(data) <= PASSPHRASE_BYTES:
        assert b"\n" in line or b"\r" in line, "only the first line was typed"
    found = handed[0]
    if isinstance(found, HotlineError):
        raise found
    put = _outcome(_set_from_keyboard, line, line)
    try:
        check_new_passphrase(found)
    except IdentityError:
        assert isinstance(put, HotlineError)
    else:
        assert put == found
