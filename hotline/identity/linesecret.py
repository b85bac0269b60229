"""The line secret: 32 bytes exchanged in person, mixed into every handshake as the Noise psk."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from hotline.errors import IdentityError, LocalMisuseError
from hotline.identity import files
from hotline.identity.armour import Armour

LINE_SECRET_BYTES: Final = 32
"""The size of a Noise psk (Noise revision 34, section 9.2)."""

_ARMOUR: Final = Armour("HOTLINE LINE SECRET", LINE_SECRET_BYTES)


def write_line_secret(path: Path, secret: bytes) -> None:
    """Write a secret of 32 bytes to a new file of mode 0600, durably.

    Raises IdentityError, also if path exists, and LocalMisuseError for another length.
    """
    if len(secret) != LINE_SECRET_BYTES:
        raise LocalMisuseError(f"a line secret is not {LINE_SECRET_BYTES} bytes")
    files.create(path, _ARMOUR.encode(secret).encode("ascii"), files.SECRET_MODE)


def read_line_secret(path: Path) -> bytes:
    """Read the secret of 32 bytes in path, under the same rules as a secret key file.

    Raises IdentityError.
    """
    armoured = files.read_secret(path, _ARMOUR.max_text_bytes, _ARMOUR.check_kind)
    secret = _ARMOUR.decode(armoured, str(path))
    if len(secret) != LINE_SECRET_BYTES:
        raise IdentityError(f"{path} holds {len(secret)} bytes, not {LINE_SECRET_BYTES}")
    return secret
