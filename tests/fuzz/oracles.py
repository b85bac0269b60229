"""What targets hold in common: which errors may come out, what may be shown, how much is read."""

from __future__ import annotations

import atexit
import io
import json
import os
import shutil
import tempfile
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final
from unittest.mock import patch

from hotline.errors import HotlineError
from hotline.identity import Card
from hotline.text import one_line
from support import by_the_page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def only(*kinds: type[HotlineError]) -> Iterator[None]:
    """Let no error out but what the decoder's docstring names: its callers catch nothing else."""
    try:
        yield
    except kinds:
        raise
    except HotlineError as error:
        raise AssertionError(f"{type(error).__name__} came out: {error}") from error


class Metered(io.BytesIO):
    """A file that is never asked for more at once than its reader has bounds for."""

    def __init__(self, data: bytes, most_bytes: int) -> None:
        super().__init__(data)
        self._most_bytes = most_bytes

    def read(self, size: int | None = -1, /) -> bytes:
        """Give what is asked for, and see that it is not too much."""
        assert size is not None
        assert 0 <= size <= self._most_bytes
        return super().read(size)


@contextmanager
def known_cards() -> Iterator[None]:
    """Check no card twice that was found good: most inputs differ in what comes after the cards."""
    with patch.object(Card, "decode", _decode), patch.object(by_the_page.Card, "read", _read):
        yield


_decode: Final = lru_cache(64)(Card.decode)
_read: Final = lru_cache(64)(by_the_page.Card.read)


def _refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")


@cache
def scratch() -> Path:
    """Give this process's folder for files, which goes with it (but a fuzzer just ends)."""
    made = Path(tempfile.mkdtemp(prefix="hl"))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


def file_of(data: bytes) -> Path:
    """Give a file of this user's, and nobody else's, that holds data."""
    path = scratch() / "file"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    return path


def said(verb: Callable[[], int], *, as_json: bool = False) -> int:
    """Run a verb, and see that a terminal is safe with all that it says; gives its exit code.

    ``as_json`` sees too that each line is an object that any reader of JSON takes.
    """
    shown = io.StringIO()
    try:
        with redirect_stdout(shown), redirect_stderr(shown):
            return verb()
    finally:
        for line in shown.getvalue().removesuffix("\n").split("\n"):
            assert one_line(line) == line
            if as_json and line:
                assert isinstance(json.loads(line, parse_constant=_refuse), dict)
