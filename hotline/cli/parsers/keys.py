"""The secret key of a station, and the secret of a line."""

from __future__ import annotations

from typing import Any

from hotline.cli import options
from hotline.cli.parsers.declare import group, json_option, passphrase_option, verb


def add(verbs: Any) -> None:
    """Declare key and secret."""
    key = group(
        verbs,
        "key",
        "look at the secret key file, set its passphrase, change to new keys",
        """hotline key show
        hotline key passphrase
        hotline key rotate""",
    )
    _key(key.add_subparsers(title="verbs", metavar="VERB", required=True))
    secret = group(
        verbs,
        "secret",
        "make a line secret together with the peer's operator",
        """hotline secret contribute bravo
        hotline secret combine bravo""",
    )
    _secret(secret.add_subparsers(title="verbs", metavar="VERB", required=True))


def _key(verbs: Any) -> None:
    show = verb(
        verbs,
        "show",
        "hotline.cli.verbs.key_show",
        "tell what may be known of the secret key; asks for no passphrase",
        """hotline key show
        hotline key show --json""",
    )
    json_option(show)

    passphrase = verb(
        verbs,
        "passphrase",
        "hotline.cli.verbs.key_passphrase",
        "set, change or remove the passphrase of the secret key file",
        """hotline key passphrase
        hotline key passphrase --remove
        hotline key passphrase --passphrase-fd 3 --new-passphrase-fd 4 3<old 4<new""",
    )
    passphrase.add_argument("--remove", action="store_true", help="leave it without one")
    passphrase_option(passphrase)
    passphrase.add_argument(
        "--new-passphrase-fd",
        metavar="N",
        type=options.descriptor,
        help="read the new one from this file descriptor (default: ask twice)",
    )

    rotate = verb(
        verbs,
        "rotate",
        "hotline.cli.verbs.key_rotate",
        "make new keys, and change to them on every line without interrupting it",
        "hotline key rotate",
    )
    passphrase_option(rotate)


def _secret(verbs: Any) -> None:
    contribute = verb(
        verbs,
        "contribute",
        "hotline.cli.verbs.secret_contribute",
        "make this station's half of a line secret, and show it as words",
        "hotline secret contribute bravo",
    )
    contribute.add_argument("line", metavar="LINE")

    combine = verb(
        verbs,
        "combine",
        "hotline.cli.verbs.secret_combine",
        "make the line secret of both halves; the peer's words are typed",
        """hotline secret combine bravo
        hotline secret combine bravo --half alpha.half""",
    )
    combine.add_argument("line", metavar="LINE")
    combine.add_argument("--half", metavar="FILE", help="the peer's half, as a file")
