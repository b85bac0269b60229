"""The whole tree of verbs and options; what a verb does stands in the module named beside it."""

from __future__ import annotations

import argparse
from typing import Any, Final, NoReturn

from hotline import __version__
from hotline.cli.exits import UsageError
from hotline.cli.parsers import (
    answering,
    courier,
    evidence,
    identity,
    keys,
    line,
    reading,
    sending,
    shell,
)
from hotline.cli.parsers.declare import FORMATTER, config_option

DESCRIPTION: Final = "One truthful line between two stations that do not trust each other."

EPILOG: Final = """\
examples:
  hotline init alpha --listen 0.0.0.0:1963       make a station
  hotline peer add bravo.card --address bravo.example:1963
  hotline run                                    the daemon, in the foreground
  hotline send bravo "Aircraft 20 NM off course" --precedence flash
  hotline status --check && echo fit for use

exit codes: 0 done, 2 usage or configuration, 3 daemon not reachable,
            4 timed out waiting, 5 refused,
            6 status --check: a line is not fit for use
"""


_GROUPS: Final = (identity, keys, sending, reading, answering, line, evidence, courier, shell)
"""In the order in which --help lists them."""


class Parser(argparse.ArgumentParser):
    """A parser that leaves complaining, and the exit code, to hotline.cli.main."""

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Read the command line; what is left over is refused in the name of its verb."""
        found, rest = self.parse_known_args(args, namespace)
        if _is_text(found, rest):
            found.text = rest[-1]
        elif rest:
            hint = f"see: {found.prog} --help"
            is_words = hasattr(found, "text") and not rest[0].startswith("-")
            if is_words or getattr(found, "note", None):
                hint = f"a text of several words stands in quotes; {hint}"
            raise UsageError(f"unrecognized arguments: {' '.join(rest)}", hint=hint)
        return found

    def error(self, message: str) -> NoReturn:
        """Refuse the command line."""
        raise UsageError(message, hint=f"see: {self.prog} --help")


def _is_text(found: argparse.Namespace, rest: list[str]) -> bool:
    """Tell whether what is left over is the TEXT that may be missing, behind options.

    argparse gives up a positional that may be missing at the first option behind the one before it.
    """
    if not rest or getattr(found, "text", "") is not None:  # it was there, or the verb takes none
        return False
    *before, last = rest
    return before == ["--"] or (not before and (last == "-" or not last.startswith("-")))


def build() -> Parser:
    """Make the parser; the namespace that it fills has ``module``, the verb's module."""
    parser = Parser(
        prog="hotline",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=FORMATTER,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"hotline {__version__}")
    config_option(parser)
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    for group in _GROUPS:
        group.add(verbs)
    return parser
