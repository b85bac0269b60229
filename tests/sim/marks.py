"""Rare paths that a run over enough seeds must have gone; a mark that is never made proves nothing."""

from __future__ import annotations

from typing import Final

RARE_PATHS: Final = (
    "FLASH overtook parts",
    "a cancel came after the seal",
    "a commit found the disk full",
    "a frame came before our agreement",
    "a full disk took commits again",
    "a message was taken back",
    "a receipt was lost",
    "a repeated send was recognised",
    "a replay got its one answer",
    "a send was repeated after its answer was lost",
    "a stranger was held without an answer",
    "both sides changed keys at once",
    "both sides halted",
    "bytes were damaged on the way",
    "checkpoint",
    "crash between commit and answer",
    "death in the midst of a write",
    "entries were refused for want of room",
    "entries were sent again",
    "exit on an I/O error",
    "expired while down",
    "halted: fork",
    "halted: own-log-lost",
    "halted: peer-log-lost",
    "keys changed",
    "keys changed under load",
    "power loss between commit and answer",
    "power loss with an unsynced tail",
    "rekey",
    "rekey under load",
    "renewal",
    "renewal while sending",
    "resumed inside a long message",
    "simultaneous dial",
    "two histories left a restored or cloned station",
)
