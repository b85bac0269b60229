"""Which public keys are fit to be pinned: one encoding each, and no point of small order.

OpenSSL takes any 32 bytes. With the identity as an Ed25519 key one signature fits every text; with
a point that is only partly of small order, verifiers of different make disagree about a signature,
which would let its owner deny it; with a small-order X25519 key the shared secret is known to all.
An honest key generation makes none of these, so refusing them costs nobody anything.
"""

from __future__ import annotations

from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from hotline.errors import IdentityError

_Point = tuple[int, int, int, int]
"""Extended homogeneous coordinates (X, Y, Z, T) x = X/Z, y = Y/Z, xy = T/Z (RFC 8032, 5.1.4)."""

# RFC 8032, section 5.1.
_P: Final = 2**255 - 19
_D: Final = -121665 * pow(121666, -1, _P) % _P
_L: Final = 2**252 + 27742317777372353535851937790883648493
_SQRT_MINUS_1: Final = pow(2, (_P - 1) // 4, _P)
_IDENTITY: Final = (0, 1, 1, 0)

_SIGN_BIT: Final = 1 << 255


def check_ed25519(key: bytes, source: str) -> None:
    """Check a key of 32 bytes: the canonical encoding of a point of prime order (RFC 8032, 5.1.3).

    Raises IdentityError, with source as the name of what carries the key.
    """
    point = _decode(key, source)
    if _same(point, _IDENTITY) or not _same(_multiply(_L, point), _IDENTITY):
        raise IdentityError(f"{source} has an unsafe Ed25519 key: not a point of prime order")


def check_x25519(key: bytes, source: str) -> None:
    """Check a key of 32 bytes: the canonical encoding of a u-coordinate of no small order.

    Raises IdentityError, with source as the name of what carries the key.
    """
    number = int.from_bytes(key, "little")
    if number & _SIGN_BIT:
        raise IdentityError(f"{source} has a malformed X25519 key: bit 255 is set")
    if number >= _P:
        raise IdentityError(f"{source} has a malformed X25519 key: not below 2^255 - 19")
    # RFC 7748, section 6.1: every scalar is a multiple of the cofactor, so a point of small order
    # becomes zero, whatever the scalar, and OpenSSL refuses zero; any other point never does.
    scalar = X25519PrivateKey.from_private_bytes(bytes(32))
    try:
        scalar.exchange(X25519PublicKey.from_public_bytes(key))
    except ValueError:
        raise IdentityError(f"{source} has an unsafe X25519 key: of small order") from None


def _decode(key: bytes, source: str) -> _Point:
    """RFC 8032, section 5.1.3, with every "decoding fails" in it taken at its word."""
    number = int.from_bytes(key, "little")
    sign, y = number >> 255, number & (_SIGN_BIT - 1)
    if y >= _P:
        raise IdentityError(f"{source} has a malformed Ed25519 key: not in canonical form")
    u, v = (y * y - 1) % _P, (_D * y * y + 1) % _P
    x = u * pow(v, 3, _P) * pow(u * pow(v, 7, _P), (_P - 5) // 8, _P) % _P
    if v * x * x % _P == -u % _P:
        x = x * _SQRT_MINUS_1 % _P
    if v * x * x % _P != u:
        raise IdentityError(f"{source} has a malformed Ed25519 key: not on the curve")
    if x == 0 and sign:
        raise IdentityError(f"{source} has a malformed Ed25519 key: not in canonical form")
    if x & 1 != sign:
        x = _P - x
    return (x, y, 1, x * y % _P)


# What follows is neither constant in time nor fast: it sees public keys only, once, at import.


def _add(p: _Point, q: _Point) -> _Point:
    """RFC 8032, section 5.1.4: complete, so it doubles as well."""
    a = (p[1] - p[0]) * (q[1] - q[0]) % _P
    b = (p[1] + p[0]) * (q[1] + q[0]) % _P
    c = 2 * p[3] * q[3] * _D % _P
    d = 2 * p[2] * q[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % _P, g * h % _P, f * g % _P, e * h % _P)


def _multiply(scalar: int, point: _Point) -> _Point:
    result = _IDENTITY
    for bit in f"{scalar:b}":
        result = _add(result, result)
        if bit == "1":
            result = _add(result, point)
    return result


def _same(p: _Point, q: _Point) -> bool:
    return (p[0] * q[2] - q[0] * p[2]) % _P == 0 and (p[1] * q[2] - q[1] * p[2]) % _P == 0
