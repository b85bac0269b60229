"""The whole tree of verbs and options; what a verb does stands in the module named beside it."""

from __future__ import annotations

import argparse
import functools
from typing import Any, Final, NoReturn

from hotline import __version__
from hotline.cli import options
from hotline.cli.exits import UsageError

DESCRIPTION: Final = "One truthful line between two stations that do not trust each other."

EPILOG: Final = """\
examples:
  hotline init alpha --listen 0.0.0.0:1963       make a station
  hotline peer add bravo.card --address bravo.example:1963
  hotline run                                    the daemon, in the foreground
  hotline send bravo "Aircraft 20 NM off course" --precedence flash --wait delivered
  hotline status --check && echo fit for use

exit codes: 0 done, 2 usage or configuration, 3 daemon not reachable, 4 timed out waiting,
            5 refused, 6 status --check: a line is not fit for use
"""


# A width of our own: argparse would import shutil for the terminal's, in every verb.
_FORMATTER: Final = functools.partial(argparse.RawDescriptionHelpFormatter, width=80)


class Parser(argparse.ArgumentParser):
    """A parser that leaves complaining, and the exit code, to hotline.cli.main."""

    def error(self, message: str) -> NoReturn:
        """Refuse the command line."""
        raise UsageError(message, hint=f"see: {self.prog} --help")


def build() -> Parser:
    """Make the parser; the namespace that it fills has ``module``, the verb's module."""
    parser = Parser(
        prog="hotline",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=_FORMATTER,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"hotline {__version__}")
    _config_option(parser)
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    _identity(verbs)
    _sending(verbs)
    _reading(verbs)
    _answering(verbs)
    _line(verbs)
    _shell(verbs)
    return parser


def _config_option(parser: argparse.ArgumentParser) -> None:
    # SUPPRESS: a verb's own --config must not reset the one given before the verb.
    parser.add_argument(
        "--config",
        metavar="FILE",
        default=argparse.SUPPRESS,
        help="the station's configuration (default: $HOTLINE_CONFIG, or ./hotline.toml)",
    )


def _parser(verbs: Any, name: str, help_text: str, examples: str) -> Any:
    indented = "".join(f"  {line.strip()}\n" for line in examples.strip().splitlines())
    parser = verbs.add_parser(
        name,
        help=help_text,
        description=help_text[:1].upper() + help_text[1:] + ".",
        epilog=f"examples:\n{indented}",
        formatter_class=_FORMATTER,
        allow_abbrev=False,
    )
    _config_option(parser)
    return parser


def _verb(verbs: Any, name: str, module: str, help_text: str, examples: str) -> Any:
    parser = _parser(verbs, name, help_text, examples)
    parser.set_defaults(module=module)
    return parser


def _json_option(parser: Any) -> None:
    parser.add_argument("--json", action="store_true", help="one JSON object per line")


def _line_option(parser: Any) -> None:
    parser.add_argument("--line", metavar="LINE", help="which line, if several have this id")


def _identity(verbs: Any) -> None:
    init = _verb(
        verbs,
        "init",
        "hotline.cli.verbs.init",
        "make a station: its configuration, secret key and card",
        """hotline init alpha
        hotline init alpha --dir /etc/hotline --listen 0.0.0.0:1963
        hotline --config hotline.toml init alpha     only the key and card that the file names""",
    )
    init.add_argument("name", metavar="NAME", help="lower-case letters, digits and hyphens")
    init.add_argument("--dir", metavar="D", help="where to make the files (default: here)")
    init.add_argument("--listen", metavar="HOST:PORT", help="where the peer may call")

    card = _verb(
        verbs,
        "card",
        "hotline.cli.verbs.card",
        "print this station's card, or tell what a card says",
        """hotline card > alpha.card
        hotline card bravo.card""",
    )
    card.add_argument("file", metavar="FILE", nargs="?", help="a card to look at")
    _json_option(card)

    peer = _parser(
        verbs,
        "peer",
        "pin a peer's card and compare the pair code",
        """hotline peer add bravo.card --address bravo.example:1963
        hotline peer verify bravo""",
    )
    _peer(peer.add_subparsers(title="verbs", metavar="VERB", required=True))

    line = _parser(
        verbs,
        "line",
        "recover a line after its store was restored or lost",
        "hotline line recover bravo",
    )
    _recovery(line.add_subparsers(title="verbs", metavar="VERB", required=True))

    _verb(
        verbs,
        "run",
        "hotline.cli.verbs.run",
        "run the daemon in the foreground",
        """hotline run
        hotline --config /etc/hotline/hotline.toml run""",
    )


def _recovery(verbs: Any) -> None:
    recover = _verb(
        verbs,
        "recover",
        "hotline.cli.verbs.recover",
        "take back from the peer what this station's store has lost, and go on",
        "hotline line recover bravo",
    )
    recover.add_argument("line", metavar="LINE")


def _peer(verbs: Any) -> None:
    add = _verb(
        verbs,
        "add",
        "hotline.cli.verbs.peer_add",
        "pin a peer's card: a new line in the configuration",
        """hotline peer add bravo.card --address bravo.example:1963
        hotline peer add bravo.card --name north --address 192.0.2.1:1963""",
    )
    add.add_argument("card", metavar="CARD", help="the peer's card file")
    add.add_argument("--name", metavar="N", help="the line's name (default: the card's)")
    add.add_argument(
        "--address",
        metavar="HOST:PORT",
        action="append",
        default=[],
        help="where to call the peer; repeat it for several, tried in order",
    )

    listing = _verb(
        verbs,
        "list",
        "hotline.cli.verbs.peer_list",
        "list the lines in the configuration",
        """hotline peer list
        hotline peer list --json""",
    )
    _json_option(listing)

    verify = _verb(
        verbs,
        "verify",
        "hotline.cli.verbs.peer_verify",
        "show the pair code that both operators read to each other",
        "hotline peer verify bravo",
    )
    verify.add_argument("line", metavar="LINE")
    _json_option(verify)


def _sending(verbs: Any) -> None:
    send = _verb(
        verbs,
        "send",
        "hotline.cli.verbs.send",
        "queue a message for the peer",
        """hotline send bravo "Convoy moves at 0600Z" --precedence priority --ack-by 30m
        hotline send bravo - --subject "Movement order" < order.txt
        hotline send bravo --batch messages.ndjson --wait delivered --timeout 10m""",
    )
    send.add_argument("line", metavar="LINE")
    send.add_argument(
        "text",
        metavar="TEXT",
        nargs="?",
        help="the message; - or nothing: read it from standard input",
    )
    send.add_argument(
        "--precedence",
        metavar="P",
        type=options.precedence,
        default="ROUTINE",
        choices=options.PRECEDENCES,
        help="FLASH, IMMEDIATE, PRIORITY or ROUTINE (the default), or their first letters",
    )
    send.add_argument("--subject", metavar="S", default="", help="at most 256 bytes")
    send.add_argument(
        "--expires",
        metavar="WHEN",
        type=options.moment,
        help="give up then if it has not been sent: 2h, 2026-11-23T15:30:00Z or 231530ZNOV26",
    )
    send.add_argument(
        "--ack-by", metavar="WHEN", type=options.moment, help="ask for an acknowledgement by then"
    )
    send.add_argument(
        "--wait", choices=("delivered", "acknowledged"), help="wait until it has come so far"
    )
    send.add_argument(
        "--timeout", metavar="T", type=options.timeout, help="wait no longer: seconds, or 15m"
    )
    send.add_argument(
        "--batch",
        metavar="FILE",
        help="one JSON object per line: body, and id, precedence, subject, expires, ack_by if"
        " wanted; - reads standard input",
    )
    send.add_argument("--id", metavar="X", help="the id: sent again, it is the same message")
    send.add_argument("--test", action="store_true", help="a line test: troubles no operator")
    _json_option(send)


def _reading(verbs: Any) -> None:
    for name, what, done in (
        ("inbox", "messages from the peer", "acknowledged"),
        ("outbox", "messages to the peer", "acknowledged, expired or cancelled"),
    ):
        listing = _verb(
            verbs,
            name,
            "hotline.cli.verbs.messages",
            f"list {what}, newest last",
            f"""hotline {name}
            hotline {name} bravo --open
            hotline {name} --all --json""",
        )
        listing.set_defaults(box=name)
        listing.add_argument("line", metavar="LINE", nargs="?")
        listing.add_argument(
            "--open",
            "--unacknowledged",
            dest="open",
            action="store_true",
            help=f"leave out what is {done}",
        )
        many = listing.add_mutually_exclusive_group()
        many.add_argument(
            "--limit", metavar="N", type=options.count, default=20, help="the newest N (20)"
        )
        many.add_argument("--all", action="store_true", help="every message")
        _json_option(listing)

    show = _verb(
        verbs,
        "show",
        "hotline.cli.verbs.show",
        "show a message whole",
        "hotline show 01jdq3w8k7x9v2m4n6p8r0s2t4",
    )
    show.add_argument("id", metavar="ID")
    _line_option(show)
    _json_option(show)


def _answering(verbs: Any) -> None:
    ack = _verb(
        verbs,
        "ack",
        "hotline.cli.verbs.ack",
        "acknowledge a message from the peer, in your name",
        """hotline ack 01jdq3w8k7x9v2m4n6p8r0s2t4
        hotline ack 01jdq3w8k7x9v2m4n6p8r0s2t4 --decision wilco --note "moving now\"""",
    )
    ack.add_argument("id", metavar="ID")
    ack.add_argument(
        "--decision",
        choices=options.DECISIONS,
        default="read",
        help="read (the default), wilco: will comply, cannot: cannot comply",
    )
    ack.add_argument("--note", metavar="N", default="", help="a few words for the peer")
    _line_option(ack)
    _json_option(ack)

    cancel = _verb(
        verbs,
        "cancel",
        "hotline.cli.verbs.cancel",
        "take back a message that is still queued",
        "hotline cancel 01jdq3w8k7x9v2m4n6p8r0s2t4",
    )
    cancel.add_argument("id", metavar="ID")
    _line_option(cancel)
    _json_option(cancel)


def _line(verbs: Any) -> None:
    status = _verb(
        verbs,
        "status",
        "hotline.cli.verbs.status",
        "tell whether each line works right now",
        """hotline status
        hotline status --check bravo || alarm""",
    )
    status.add_argument(
        "--check",
        metavar="LINE",
        nargs="?",
        const="",
        help="exit 6 unless this line is up (without LINE: unless every line is)",
    )
    _json_option(status)

    watch = _verb(
        verbs,
        "watch",
        "hotline.cli.verbs.watch",
        "be on watch: show messages and changes of the line as they come",
        """hotline watch
        hotline watch bravo --json""",
    )
    watch.add_argument("line", metavar="LINE", nargs="?")
    _json_option(watch)

    heartbeats = _verb(
        verbs,
        "heartbeats",
        "hotline.cli.verbs.heartbeats",
        "read the heartbeat log; needs no daemon",
        """hotline heartbeats bravo --limit 100
        hotline heartbeats --follow""",
    )
    heartbeats.add_argument("line", metavar="LINE", nargs="?")
    heartbeats.add_argument("--follow", action="store_true", help="go on as it grows")
    heartbeats.add_argument(
        "--limit", metavar="N", type=options.count, default=20, help="the newest N (20)"
    )
    _json_option(heartbeats)

    retry = _verb(
        verbs,
        "retry",
        "hotline.cli.verbs.retry",
        "call the peer now instead of at the next attempt",
        """hotline retry
        hotline retry bravo""",
    )
    retry.add_argument("line", metavar="LINE", nargs="?")


def _shell(verbs: Any) -> None:
    completion = _verb(
        verbs,
        "completion",
        "hotline.cli.verbs.completion",
        "print a shell's completion script",
        """hotline completion bash > /etc/bash_completion.d/hotline
        hotline completion zsh > ~/.zfunc/_hotline
        hotline completion fish > ~/.config/fish/completions/hotline.fish""",
    )
    completion.add_argument("shell", choices=("bash", "zsh", "fish"))
