"""Standard output: what cannot be written there is told as that, with what is done all the same."""

from __future__ import annotations

import contextlib
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO, cast

from hotline.cli.exits import UnwrittenError

if TYPE_CHECKING:
    from collections.abc import Iterator


class Output:
    """A stream that raises UnwrittenError where it cannot be written; all else is the stream's own.

    A reader that has left is no such failure: that stays a BrokenPipeError.
    """

    def __init__(self, stream: TextIO) -> None:
        """Write to stream."""
        self._stream = stream

    def write(self, text: str) -> int:
        """Write text, or keep it until the next flush."""
        try:
            return self._stream.write(text)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise self._unwritten(error) from None

    def flush(self) -> None:
        """Write what has been kept."""
        try:
            self._stream.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise self._unwritten(error) from None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _unwritten(self, error: OSError) -> UnwrittenError:
        # It is told once: what comes now goes nowhere, and so does what the interpreter flushes as it
        # ends.
        with contextlib.suppress(OSError):
            abandon(self._stream)
        from hotline.text import reason

        return UnwrittenError(reason(error))


def guard(stream: TextIO) -> TextIO:
    """Give stream so that its failures are told apart; once is enough."""
    return stream if isinstance(stream, Output) else cast("TextIO", Output(stream))


def abandon(stream: TextIO) -> None:
    """Let all that is still written to stream go nowhere."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(devnull, stream.fileno())
    finally:
        os.close(devnull)


@contextmanager
def telling(done: str, *, hint: str) -> Iterator[None]:
    """Write inside what has been done; where that fails, say on stderr that it is done all the same.

    Whoever hears nothing but a failure would ask for the same thing once more.
    """
    try:
        yield
        sys.stdout.flush()
    except UnwrittenError as error:
        raise UnwrittenError(error.why, done=done, hint=hint) from None
