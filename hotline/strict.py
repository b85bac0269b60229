"""msgpack, strictly: one array of a declared shape, one encoding per value, nothing after it.

Everything that Hotline hashes, signs or takes from outside passes through here. The stock decoder
accepts maps, extension types, floats, longer integer forms and huge declared lengths; none of them
can be told apart under a signature by a reader who is careless, so none is accepted at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgpack  # type: ignore[import-untyped]

from hotline.errors import DecodeError
from hotline.limits import KIB

if TYPE_CHECKING:
    from collections.abc import Sequence

U64_MAX: Final = 2**64 - 1

UNPACKED_BYTES: Final = 64 * KIB
"""What is decoded at once: before any field is looked at, a byte may have become seventy."""

_ARRAY_32: Final = b"\xdd"
"""How msgpack begins an array whose count is written in four bytes."""

pack_unchecked: Final = msgpack.Packer(use_bin_type=True).pack
"""One for all: making a packer costs more than it packs. It runs none of our code and keeps the
interpreter to itself until it is done, so threads may share it."""


@dataclass(frozen=True, slots=True)
class Field:
    """One element of an array: its type and its bounds.

    ``low`` and ``high`` bound the value of an int, the length in bytes of bytes and str (UTF-8), and
    the count of a tuple, whose elements all follow ``item``. ``optional`` admits nil.
    """

    name: str
    kind: type
    low: int = 0
    high: int = 0
    optional: bool = False
    item: Field | None = None

    def check(self, value: object) -> None:
        """Raise DecodeError unless value fits."""
        if value is None and self.optional:
            return
        if type(value) is not self.kind:
            raise DecodeError(f"{self.name} is {type(value).__name__}, not {self.kind.__name__}")
        size = self._size(value)
        if not self.low <= size <= self.high:
            raise DecodeError(
                f"{self.name} is out of bounds: {size} not in {self.low}..{self.high}"
            )
        if self.item is not None:
            self.item.check_all(value)  # type: ignore[arg-type]

    def check_all(self, values: tuple[object, ...]) -> None:
        """Raise DecodeError unless each of values fits."""
        # Hundreds of entries are looked at together; which one it is, and what is wrong, one by one.
        if values and not self.fits_all(values):
            for value in values:
                self.check(value)

    def fits_all(self, values: Sequence[Any]) -> bool:
        """Tell whether each of one or more values fits; False does not mean that one does not.

        The shortest and the longest speak for all.
        """
        if self.optional:
            values = [value for value in values if value is not None]
            if not values:
                return True
        if self.item is not None or set(map(type, values)) != {self.kind}:
            return False
        sizes: Sequence[int]
        if self.kind is int:
            sizes = values
        elif self.kind is str and all(map(str.isascii, values)):
            sizes = list(map(len, values))
        else:
            try:
                sizes = list(map(self._size, values))
            except UnicodeEncodeError:  # half of a surrogate pair is no text
                return False
        return self.low <= min(sizes) and max(sizes) <= self.high

    def _size(self, value: Any) -> int:
        if self.kind is int:
            return int(value)
        if self.kind is str:
            return len(value) if value.isascii() else len(value.encode())
        if self.kind is bool:
            return self.low
        return len(value)


def uint(name: str, high: int = U64_MAX, *, low: int = 0, optional: bool = False) -> Field:
    """Give a field for an unsigned integer of low..high."""
    return Field(name, int, low, high, optional)


def sint(name: str, *, optional: bool = False) -> Field:
    """Give a field for a signed 63-bit integer."""
    return Field(name, int, -(2**63), 2**63 - 1, optional)


def blob(name: str, size: int, *, low: int | None = None, optional: bool = False) -> Field:
    """Give a field for exactly size bytes, or for low..size bytes."""
    return Field(name, bytes, size if low is None else low, size, optional)


def text(name: str, high: int, *, low: int = 0, optional: bool = False) -> Field:
    """Give a field for UTF-8 text of low..high bytes."""
    return Field(name, str, low, high, optional)


def flag(name: str) -> Field:
    """Give a field for a boolean."""
    return Field(name, bool)


def run(name: str, item: Field, high: int, *, low: int = 0) -> Field:
    """Give a field for an array of low..high elements of one kind."""
    return Field(name, tuple, low, high, item=item)


def _refuse_ext(code: int, _data: bytes) -> Any:
    raise DecodeError(f"extension type {code} is not allowed")


def _bounds(fields: tuple[Field, ...], kind: type) -> list[tuple[int, int, int]]:
    """Give place, low and high of each field of a kind."""
    return [(at, f.low, f.high) for at, f in enumerate(fields) if f.kind is kind]


class Shape:
    """A fixed array of fields: the only structure that Hotline encodes or decodes."""

    __slots__ = ("_fields", "_ints", "_max_count", "_others", "_texts", "max_bytes", "name")

    def __init__(self, name: str, *fields: Field, max_bytes: int) -> None:
        """Name the shape, list its fields, and bound its encoding in bytes."""
        self.name = name
        self._fields = fields
        self._ints = _bounds(fields, int)
        self._texts = _bounds(fields, str)
        self._others = [at for at, f in enumerate(fields) if f.kind not in (int, str)]
        self.max_bytes = max_bytes
        # An array that claims more is refused before room is made for it, at any depth.
        self._max_count = max(len(fields), *(f.high for f in fields if f.item is not None), 0)

    def pack(self, *values: Any) -> bytes:
        """Encode values; raise DecodeError if our own values break the shape."""
        self._check(values)
        data: bytes = pack_unchecked(values)
        if len(data) > self.max_bytes:
            raise DecodeError(f"{self.name} is {len(data)} bytes, over {self.max_bytes}")
        return data

    def pack_all(self, columns: Sequence[Sequence[Any]]) -> list[bytes] | None:
        """Encode one or more rows, given by their columns, at once: in half of the time or less.

        None if any of them may not fit: ``pack`` then says what is wrong, if anything is.
        """
        pairs = zip(self._fields, columns, strict=True)
        if not all(field.fits_all(column) for field, column in pairs):
            return None
        packed = list(map(pack_unchecked, zip(*columns, strict=True)))
        return packed if max(map(len, packed)) <= self.max_bytes else None

    def unpack(self, data: bytes | memoryview) -> tuple[Any, ...]:
        """Decode exactly one value of this shape; raise DecodeError for anything else."""
        if len(data) > self.max_bytes:
            raise DecodeError(f"{self.name} is {len(data)} bytes, over {self.max_bytes}")
        values = self._unpack(data, self._max_count)
        self._check(values)
        # One value has one encoding: without this a longer integer form would give a second text
        # to the same signature.
        if pack_unchecked(values) != data:
            raise DecodeError(f"{self.name} is not in its shortest encoding")
        return values  # type: ignore[no-any-return]

    def unpack_all(self, packed: Sequence[bytes]) -> list[tuple[Any, ...]] | None:
        """Decode one or more values of this shape at once, in half of the time; gives their columns.

        None if any of them may not fit, and if they are over UNPACKED_BYTES together: ``unpack`` then
        says what is wrong, if anything is.
        """
        count = len(packed)
        if sum(map(len, packed)) > UNPACKED_BYTES or max(map(len, packed)) > self.max_bytes:
            return None
        array = _ARRAY_32 + count.to_bytes(4, "big") + b"".join(packed)
        try:
            rows = self._unpack(array, max(count, self._max_count))
        except DecodeError:
            return None
        if set(map(type, rows)) != {tuple} or set(map(len, rows)) != {len(self._fields)}:
            return None
        columns = list(zip(*rows, strict=True))
        if not all(map(Field.fits_all, self._fields, columns)):
            return None
        # Where one value ends was the array's word so far: each must be what its bytes spell.
        return columns if list(map(pack_unchecked, rows)) == list(packed) else None

    def _unpack(self, data: bytes | memoryview, most: int) -> Any:
        """Decode one value whose arrays have most elements, or raise DecodeError."""
        try:
            return msgpack.unpackb(
                data,
                raw=False,
                use_list=False,
                strict_map_key=True,
                ext_hook=_refuse_ext,
                max_str_len=self.max_bytes,
                max_bin_len=self.max_bytes,
                max_array_len=most,
                max_map_len=0,
                max_ext_len=0,
            )
        except DecodeError:
            raise
        except (ValueError, TypeError, RecursionError, msgpack.UnpackException) as error:
            raise DecodeError(
                f"{self.name} is not strict msgpack: {type(error).__name__}"
            ) from None

    def _check(self, values: object) -> None:
        if type(values) is not tuple:
            raise DecodeError(f"{self.name} is not an array")
        if len(values) != len(self._fields):
            raise DecodeError(f"{self.name} has {len(values)} fields, not {len(self._fields)}")
        # The common cases without a call for each field: this is done to every entry. Whatever is
        # not plainly right goes to the field itself, which says what is wrong with it.
        for at, low, high in self._ints:
            value = values[at]
            if type(value) is not int or not low <= value <= high:
                self._fields[at].check(value)
        for at, low, high in self._texts:
            value = values[at]
            if type(value) is not str or not value.isascii() or not low <= len(value) <= high:
                self._fields[at].check(value)
        for at in self._others:
            self._fields[at].check(values[at])
