"""The pair code: sixteen words by which two operators see that they pinned each other's card."""

from __future__ import annotations

import hashlib
from typing import Final

from hotline.errors import IdentityError, LocalMisuseError
from hotline.identity.spoken import to_words
from hotline.limits import STATION_ID_BYTES

_TAG: Final = b"hotline/1 pair"
_CODE_BYTES: Final = 16


def pair_code(id_a: bytes, id_b: bytes) -> tuple[str, ...]:
    """Give the 16 words for two station ids of 32 bytes, in either order.

    Raises IdentityError for equal ids.
    """
    if len(id_a) != STATION_ID_BYTES or len(id_b) != STATION_ID_BYTES:
        raise LocalMisuseError(f"a station id is not {STATION_ID_BYTES} bytes")
    if id_a == id_b:
        raise IdentityError(
            "both cards are the same station's", hint="a line needs the other station's card"
        )
    digest = hashlib.sha512(_TAG + min(id_a, id_b) + max(id_a, id_b)).digest()[:_CODE_BYTES]
    return to_words(digest)
