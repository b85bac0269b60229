"""A disk that fails on command: an apsw VFS over the real one.

What it can do: refuse to open, to write, to sync, and say how often it was asked to. What it cannot:
forget what was not synced (the simulator has a disk for that).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import apsw

if TYPE_CHECKING:
    from collections.abc import Callable


class FaultyDisk(apsw.VFS):
    """Set ``on_open``, ``on_write`` or ``on_sync`` to what raises; file names are its argument."""

    def __init__(self, name: str) -> None:
        super().__init__(name, base="")
        self.name = name
        self.synced: list[str] = []
        self.written: list[str] = []
        self.heal()

    def heal(self) -> None:
        """Let everything succeed again."""
        self.on_open: Callable[[str], None] = lambda _name: None
        self.on_write: Callable[[str], None] = lambda _name: None
        self.on_sync: Callable[[str], None] = lambda _name: None

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        self.on_open(_text(name))
        return _File(self, name, flags)


class _File(apsw.VFSFile):
    def __init__(
        self, disk: FaultyDisk, name: str | apsw.URIFilename | None, flags: list[int]
    ) -> None:
        # The empty name is the default VFS: a file must not come back to its own disk.
        super().__init__("", name or "", flags)
        self._disk = disk
        self._name = _text(name)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        self._disk.written.append(self._name)
        self._disk.on_write(self._name)
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:  # noqa: N802
        self._disk.synced.append(self._name)
        self._disk.on_sync(self._name)
        super().xSync(flags)


def _text(name: str | apsw.URIFilename | None) -> str:
    return name.filename() if isinstance(name, apsw.URIFilename) else str(name)


def full(_name: str) -> None:
    """Say that there is no room."""
    raise apsw.FullError("no space left on the disk")


def broken(_name: str) -> None:
    """Say that the disk did not do it."""
    raise apsw.IOError("the disk gave an error")


def closed_to(*ends: str) -> Callable[[str], None]:
    """Give what refuses to open files whose names end so, as SQLite is told of any reason."""

    def refuse(name: str) -> None:
        if name.endswith(ends):
            raise apsw.CantOpenError("unable to open database file")

    return refuse
