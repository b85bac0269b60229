"""The file that carries evidence: a page to read, and under it the block that proves it."""

from __future__ import annotations

from typing import Final

from hotline.errors import EvidenceError, IdentityError
from hotline.evidence import proof
from hotline.evidence.page import page
from hotline.evidence.proof import Proven
from hotline.identity.armour import Armour
from hotline.limits import MIB

ARMOUR: Final = Armour("HOTLINE EVIDENCE", proof.MAX_BYTES)

_PAGE_BYTES: Final = 12 * MIB
"""A body of a mebibyte with every character escaped, and what stands around it."""

MAX_TEXT_BYTES: Final = ARMOUR.max_text_bytes + _PAGE_BYTES

_BEGIN: Final = b"-----BEGIN HOTLINE EVIDENCE-----"


def write(data: bytes) -> bytes:
    """Give the file for evidence, which must prove something; raises EvidenceError."""
    return f"{page(proof.prove(data))}\n{ARMOUR.encode(data)}".encode()


def read(text: bytes) -> Proven:
    """Check a file, page and block, and give what it proves; raises EvidenceError.

    CRLF for LF passes, as does a block without a page, or with blank lines around it.
    """
    if len(text) > MAX_TEXT_BYTES:
        raise EvidenceError("the file is too long for evidence")
    text = text.replace(b"\r\n", b"\n")
    # At the start of a line: within the page every line of others' text has something before it.
    above, found, block = (b"\n" + text).partition(b"\n" + _BEGIN + b"\n")
    if not found:
        raise EvidenceError("the file holds no HOTLINE EVIDENCE block")
    try:
        data = ARMOUR.decode(_BEGIN + b"\n" + block, "the file")
    except IdentityError as error:
        raise EvidenceError(str(error), hint=error.hint) from None
    proven = proof.prove(data)
    said = above.strip(b"\n")
    if said and said != page(proven).encode().strip(b"\n"):
        raise EvidenceError(
            "the page above the block does not say what the block proves",
            hint="believe neither; the block alone can be checked without the page",
        )
    return proven
