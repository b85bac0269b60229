"""Text armour: bytes as base64 between a BEGIN and an END line, with exactly one spelling.

The form is that of RFC 7468, section 3, in its strict reading (64 columns, padding, no headers),
and stricter: text around the block is refused, because what a reader skips, a writer can hide in.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import Final

from hotline.errors import IdentityError

_COLUMNS: Final = 64
_SLACK_BYTES: Final = 1024
"""Room for blank lines around the block and for a carriage return on each of its lines."""

_OTHER_BLOCK: Final = re.compile(r"-----BEGIN (HOTLINE [A-Z ]{1,24})-----")


@dataclass(frozen=True, slots=True)
class Armour:
    """One kind of armoured block: its label, and the most bytes it may carry."""

    label: str
    max_bytes: int

    @property
    def max_text_bytes(self) -> int:
        """The longest text worth reading: nothing longer can be decoded."""
        characters = -(-self.max_bytes // 3) * 4
        line_ends = characters // _COLUMNS
        return len(self._begin) + characters + line_ends + len(self._end) + _SLACK_BYTES

    def encode(self, data: bytes) -> str:
        """Give the one text that stands for data, with a newline at its end."""
        return self._block(data) + "\n"

    def decode(self, text: str | bytes, source: str) -> bytes:
        """Give the bytes in the only block of text; source names the text in errors.

        Blank lines around the block, and CRLF for LF, are what mail and editors do to a file: they
        pass. Raises IdentityError for anything else that ``encode`` would not have written.
        """
        if len(text) > self.max_text_bytes:
            raise IdentityError(f"{source} is too long for a {self.label}")
        if not text.isascii():
            raise IdentityError(f"{source} is not plain ASCII text")
        if isinstance(text, bytes):
            text = text.decode("ascii")
        block = _without_blank_lines(text.replace("\r\n", "\n"))
        try:
            data = base64.b64decode(self._body(block, source).replace("\n", ""), validate=True)
        except ValueError:
            raise IdentityError(f"{source} is damaged: its block is not base64") from None
        # Encoding again is the whole test of canonical form: line lengths, padding, unused bits.
        if self._block(data) != block:
            raise IdentityError(
                f"{source} is damaged: its block is not in canonical form",
                hint="copy the file itself, not a rewrapped text of it",
            )
        if len(data) > self.max_bytes:
            raise IdentityError(f"{source} is too long for a {self.label}")
        return data

    def check_kind(self, beginning: bytes, source: str) -> None:
        """Raise IdentityError if a file that begins so holds a block of another kind of Hotline's."""
        self._check_label(beginning.decode("ascii", "replace").lstrip(), source)

    def _check_label(self, block: str, source: str) -> None:
        other = _OTHER_BLOCK.match(block)
        if other is not None and other[1] != self.label:
            raise IdentityError(
                f"{source} is a {other[1]}, not a {self.label}", hint="name the right file"
            )

    @property
    def _begin(self) -> str:
        return f"-----BEGIN {self.label}-----\n"

    @property
    def _end(self) -> str:
        return f"\n-----END {self.label}-----"

    def _block(self, data: bytes) -> str:
        encoded = base64.b64encode(data).decode("ascii")
        lines = (encoded[at : at + _COLUMNS] for at in range(0, len(encoded), _COLUMNS))
        return self._begin + "\n".join(lines) + self._end

    def _body(self, block: str, source: str) -> str:
        if block.count("-----BEGIN") > 1:
            raise IdentityError(f"{source} has more than one block")
        self._check_label(block, source)
        if not block.startswith(self._begin) or not block.endswith(self._end):
            raise IdentityError(
                f"{source} is not exactly one {self.label} block",
                hint="copy it anew, whole: its BEGIN line to its END line, and nothing around them",
            )
        return block[len(self._begin) : -len(self._end)]


def _without_blank_lines(text: str) -> str:
    lines = text.split("\n")
    filled = [at for at, line in enumerate(lines) if line.strip(" \t")]
    return "\n".join(lines[filled[0] : filled[-1] + 1]) if filled else ""
