"""Who a station is and who its peers are; and the daemon itself."""

from __future__ import annotations

from typing import Any

from hotline.cli import options
from hotline.cli.parsers.declare import group, json_option, passphrase_option, verb


def add(verbs: Any) -> None:
    """Declare init, card, peer, line and run."""
    init = verb(
        verbs,
        "init",
        "hotline.cli.verbs.init",
        "make a station: its configuration, secret key and card",
        """hotline init alpha
        hotline init alpha --dir /etc/hotline --listen 0.0.0.0:1963 --passphrase
        hotline --config hotline.toml init alpha     the key and card that it names""",
    )
    init.add_argument("name", metavar="NAME", help="lower-case letters, digits and hyphens")
    init.add_argument("--dir", metavar="D", help="where to make the files (default: here)")
    init.add_argument("--listen", metavar="HOST:PORT", help="where the peer may call")
    init.add_argument(
        "--passphrase", action="store_true", help="protect the secret key by a passphrase"
    )
    init.add_argument(
        "--passphrase-fd",
        metavar="N",
        type=options.descriptor,
        help="the same, and read it from this file descriptor (default: ask twice)",
    )

    card = verb(
        verbs,
        "card",
        "hotline.cli.verbs.card",
        "print this station's card, or tell what a card says",
        """hotline card > alpha.card
        hotline card bravo.card""",
    )
    card.add_argument("file", metavar="FILE", nargs="?", help="a card to look at")
    json_option(card)

    peer = group(
        verbs,
        "peer",
        "pin a peer's card and compare the pair code",
        """hotline peer add bravo.card --address bravo.example:1963
        hotline peer verify bravo""",
    )
    _peer(peer.add_subparsers(title="verbs", metavar="VERB", required=True))

    line = group(
        verbs,
        "line",
        "recover a line after its store was restored or lost",
        "hotline line recover bravo",
    )
    _recovery(line.add_subparsers(title="verbs", metavar="VERB", required=True))

    run = verb(
        verbs,
        "run",
        "hotline.cli.verbs.run",
        "run the daemon in the foreground",
        """hotline run
        hotline --config /etc/hotline/hotline.toml run""",
    )
    passphrase_option(run)


def _recovery(verbs: Any) -> None:
    recover = verb(
        verbs,
        "recover",
        "hotline.cli.verbs.recover",
        "take back from the peer what this station's store has lost, and go on",
        "hotline line recover bravo",
    )
    recover.add_argument("line", metavar="LINE")


def _peer(verbs: Any) -> None:
    add = verb(
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

    listing = verb(
        verbs,
        "list",
        "hotline.cli.verbs.peer_list",
        "list the lines in the configuration",
        """hotline peer list
        hotline peer list --json""",
    )
    json_option(listing)

    verify = verb(
        verbs,
        "verify",
        "hotline.cli.verbs.peer_verify",
        "show the pair code that both operators read to each other; mark it compared",
        """hotline peer verify bravo
        hotline peer verify bravo --confirm "WORDS"      all sixteen, as they are read""",
    )
    verify.add_argument("line", metavar="LINE")
    verify.add_argument(
        "--confirm", metavar="WORDS", help="the sixteen words as heard (default: ask for four)"
    )
    json_option(verify)

    revoke = verb(
        verbs,
        "revoke",
        "hotline.cli.verbs.peer_revoke",
        "end a line at once and refuse its card for good",
        """hotline peer revoke bravo
        hotline peer revoke bravo --confirm bravo""",
    )
    revoke.add_argument("line", metavar="LINE")
    revoke.add_argument(
        "--confirm", metavar="LINE", help="the line's name once more (default: ask for it)"
    )
    json_option(revoke)
