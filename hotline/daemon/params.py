"""A request's parameters: taken one by one, each of its kind, and nothing left over."""

from __future__ import annotations

import re
from typing import Any, Final

from hotline import limits
from hotline.daemon.jsonrpc import INVALID_PARAMS, CallError
from hotline.text import parse_utc

_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_STATION_ID: Final = re.compile(rf"[0-9a-f]{{{2 * limits.STATION_ID_BYTES}}}")


def _storable(value: Any) -> bool:
    """Tell whether a text or number can go to the store: JSON spells some that cannot."""
    if isinstance(value, str):
        return not _SURROGATE.search(value)
    return not isinstance(value, int) or -(2**63) <= value < 2**63


class Params:
    """A request's named parameters, taken one by one; what is left over is refused."""

    def __init__(self, values: dict[str, Any]) -> None:
        """Take from values."""
        self._values = dict(values)

    def take(self, name: str, kind: type, default: Any = None, *, needed: bool = False) -> Any:
        """Give a parameter of the kind; raises CallError if it is missing or of another kind."""
        value = self._values.pop(name, None)
        if value is None:
            if needed:
                raise CallError(INVALID_PARAMS, f"{name} is missing")
            return default
        if type(value) is not kind:
            raise CallError(INVALID_PARAMS, f"{name} is not of type {kind.__name__}")
        if not _storable(value):
            raise CallError(INVALID_PARAMS, f"{name} is not valid Unicode, or beyond 64 bits")
        return value

    def time(self, name: str) -> int | None:
        """Give a time in UNIX nanoseconds from its UTC spelling."""
        value = self.take(name, str)
        if value is None:
            return None
        try:
            return parse_utc(value)
        except ValueError:
            raise CallError(INVALID_PARAMS, f"{name} is not a UTC time") from None

    def station_id(self, name: str) -> bytes:
        """Give a station id from its hexadecimal spelling."""
        value = self.take(name, str, needed=True)
        if not _STATION_ID.fullmatch(value):
            raise CallError(INVALID_PARAMS, f"{name} is not a station id")
        return bytes.fromhex(value)

    def word(self, name: str, words: type, default: str) -> Any:
        """Give the enum member that a word names, in either case."""
        value = self.take(name, str, default)
        try:
            return words[value.upper()]  # type: ignore[index]
        except KeyError:
            raise CallError(INVALID_PARAMS, f"{name} is not a known word") from None

    def end(self) -> None:
        """Refuse what no one asked for: a misspelt option must not be ignored."""
        if self._values:
            raise CallError(INVALID_PARAMS, f"{next(iter(self._values))} is not a known parameter")
