"""The Noise specification's own numbers, apart from any choice of ours."""

from typing import Final

MAX_MESSAGE_BYTES: Final = 65535
"""Length of the longest Noise message, handshake or transport (section 3)."""

MAX_NONCE: Final = 2**64 - 1
"""The nonce that no message may use: it is reserved for Rekey (section 5.1)."""

KEY_BYTES: Final = 32
"""Length of a cipher key (section 4.2)."""

TAG_BYTES: Final = 16
"""Length that authentication adds to a ciphertext (section 4.2)."""

PSK_BYTES: Final = 32
"""Length of a pre-shared key (section 9.1)."""
