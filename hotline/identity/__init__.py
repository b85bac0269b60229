"""Who a station is: its secret keys, its card, and the pair code two operators read to each other.

Nothing here is imported by an operator's verb that only asks the daemon: it loads ``cryptography``.
"""

from hotline.identity.card import Card, check_name, read_card, write_card
from hotline.identity.keyfile import read_secret_keys, write_secret_keys
from hotline.identity.keys import PublicKeys, SecretKeys
from hotline.identity.keyseal import Protection
from hotline.identity.linesecret import read_line_secret, write_line_secret
from hotline.identity.paircode import pair_code

__all__ = [
    "Card",
    "Protection",
    "PublicKeys",
    "SecretKeys",
    "check_name",
    "pair_code",
    "read_card",
    "read_line_secret",
    "read_secret_keys",
    "write_card",
    "write_line_secret",
    "write_secret_keys",
]
