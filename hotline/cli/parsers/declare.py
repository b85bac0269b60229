"""What the groups of verbs share: how a verb is declared, and the options that many have."""

from __future__ import annotations

import argparse
import functools
from typing import Any, Final

from hotline.cli import options

# A width of our own: argparse would import shutil for the terminal's, in every verb.
FORMATTER: Final = functools.partial(argparse.RawDescriptionHelpFormatter, width=80)


def config_option(parser: argparse.ArgumentParser) -> None:
    """Let the configuration be named, before the verb or behind it."""
    # SUPPRESS: a verb's own --config must not reset the one given before the verb.
    parser.add_argument(
        "--config",
        metavar="FILE",
        default=argparse.SUPPRESS,
        help="the station's configuration (default: $HOTLINE_CONFIG, or ./hotline.toml)",
    )


def group(verbs: Any, name: str, help_text: str, examples: str) -> Any:
    """Declare a verb that has verbs of its own."""
    indented = "".join(f"  {line.strip()}\n" for line in examples.strip().splitlines())
    parser = verbs.add_parser(
        name,
        help=help_text,
        description=help_text[:1].upper() + help_text[1:] + ".",
        epilog=f"examples:\n{indented}",
        formatter_class=FORMATTER,
        allow_abbrev=False,
    )
    config_option(parser)
    return parser


def verb(verbs: Any, name: str, module: str, help_text: str, examples: str) -> Any:
    """Declare a verb; module is where its ``run`` stands, prog how it is called."""
    parser = group(verbs, name, help_text, examples)
    parser.set_defaults(module=module, prog=parser.prog)
    return parser


def json_option(parser: Any) -> None:
    """Let the answer be JSON."""
    parser.add_argument("--json", action="store_true", help="one JSON object per line")


def passphrase_option(parser: Any) -> None:
    """Let the passphrase of the secret key come from a descriptor."""
    parser.add_argument(
        "--passphrase-fd",
        metavar="N",
        type=options.descriptor,
        help="read the passphrase of the key from this file descriptor (default: systemd's"
        " credential hotline-passphrase, else ask)",
    )


def line_option(parser: Any) -> None:
    """Let the line be named, where an id may stand for several messages."""
    parser.add_argument("--line", metavar="LINE", help="which line, if several have this id")
