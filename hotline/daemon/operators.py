"""Who an operator is: the login name of the user whom the kernel vouches for."""

from __future__ import annotations

import pwd

from hotline.limits import OPERATOR_BYTES


def operator_name(uid: int) -> str:
    """Give the name of a user id, cut to what a log may hold."""
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = f"uid-{uid}"
    # What in a name is not UTF-8 is a lone surrogate here, which no entry can hold.
    return name.encode(errors="backslashreplace")[:OPERATOR_BYTES].decode(errors="ignore")
