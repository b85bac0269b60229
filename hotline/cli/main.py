"""The command ``hotline``: from arguments to an exit code, and never a traceback."""

from __future__ import annotations

import importlib
import os
import sys

from hotline.cli import exits, output
from hotline.errors import HotlineError


def entry() -> int:
    """Run the command line of this process; the console script exits with what this gives."""
    return main(sys.argv[1:])


def main(argv: list[str]) -> int:
    """Do what argv says and give the exit code."""
    _make_streams()
    try:
        if any(not _is_text(word) for word in argv):
            raise exits.UsageError("the command line is not valid UTF-8")
        code = _dispatch(argv)
        sys.stdout.flush()
    except BrokenPipeError:
        return _pipe_closed()
    except KeyboardInterrupt:
        return exits.INTERRUPTED
    except HotlineError as error:
        return _complain(str(error), error.hint, exits.of(error))
    except OSError as error:
        where = f" {error.filename}" if error.filename else ""
        return _complain(f"the system refused{where}: {_reason(error)}", "", exits.FAULT)
    except Exception as error:
        # The last resort: a traceback tells an operator nothing.
        if os.environ.get("HOTLINE_TRACEBACK"):
            raise
        return _complain(
            f"a fault in this program: {type(error).__name__}",  # no words: a daemon's stderr is a log
            "set HOTLINE_TRACEBACK=1, run it again, and report what it shows",
            exits.FAULT,
        )
    return code


def _make_streams() -> None:
    """See to it that there are streams, and that no answer can be an encoding error."""
    # Python has none where the caller closed the descriptor (<&-, >&-).
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: PTH123, SIM115
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    sys.stdout = output.guard(sys.stdout)


def _is_text(word: str) -> bool:
    # What could not be decoded stands in argv as lone surrogates (PEP 383).
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return True


def _dispatch(argv: list[str]) -> int:
    from hotline.cli.parser import build

    try:
        args = build().parse_args(argv)
    except SystemExit:
        # --help and --version: argparse has printed them; a reader who left is seen on the flush.
        return exits.DONE
    code: int = importlib.import_module(args.module).run(args)
    return code


def _complain(message: str, hint: str, code: int) -> int:
    from hotline.cli.terminal import complain

    try:
        # What was answered before the complaint belongs before it.
        try:
            sys.stdout.flush()
        except exits.UnwrittenError as error:
            complain(str(error), error.hint)
        complain(message, hint)
    except BrokenPipeError:
        return _pipe_closed()
    return code


def _reason(error: OSError) -> str:
    from hotline.text import reason

    return reason(error)


def _pipe_closed() -> int:
    # The interpreter flushes stdout once more as it ends, and would complain.
    output.abandon(sys.stdout)
    return exits.PIPE_CLOSED
