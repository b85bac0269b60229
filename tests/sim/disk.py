"""A disk that forgets what was not synced, fills up, and fails: an apsw VFS in Python.

What a program wrote is in a real file at once (the page cache); what a power loss leaves is kept
beside it as an image, to which writes are added when they are synced. Of what was never synced, each
sector survives or not by itself, in any order. A sync that fails leaves its writes in the page cache,
marked clean: a later sync does not write them again (as Linux does). Not modelled: a disk that lies
about a sync, and bits that rot.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import apsw

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

SECTOR_BYTES: Final = 512


class DeathError(apsw.IOError):
    """The process is gone in the midst of a call to the disk."""


class _Image:
    """What of one file would survive, and what was written since."""

    __slots__ = ("durable", "named", "pending", "size", "undone")

    def __init__(self, content: bytes) -> None:
        self.durable = bytearray(content)
        self.size = len(content)
        self.named = bool(content)
        self.pending: list[tuple[int, bytes | None]] = []
        """(offset, data), or (size, None) for a truncation."""
        self.undone = 0
        """So many of those belong to transactions that were rolled back."""

    def settle(self) -> None:
        """All that was written is durable."""
        for offset, data in self.pending:
            _apply(self.durable, offset, data)
        self.pending.clear()
        self.undone = 0
        self.named = True

    @property
    def unsynced(self) -> bool:
        """Tell whether data that counts could be lost (not so a log's truncation after a move)."""
        return any(data is not None for _, data in self.pending[self.undone :])

    def lose(self, random: Random, survival: float) -> None:
        """Keep of what was not synced only what luck wrote in time."""
        for offset, data in self.pending:
            if data is None:
                if random.random() < survival:
                    _apply(self.durable, offset, None)
                continue
            start = offset
            while start < offset + len(data):
                end = min(start - start % SECTOR_BYTES + SECTOR_BYTES, offset + len(data))
                if random.random() < survival:
                    _apply(self.durable, start, data[start - offset : end - offset])
                start = end
        self.pending.clear()
        self.undone = 0
        self.size = len(self.durable)


def _apply(content: bytearray, offset: int, data: bytes | None) -> None:
    if data is None:
        del content[offset:]
        return
    if offset > len(content):
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(data)] = data


class Disk:
    """One station's disk: the folder that holds its store."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.store = folder / "store.db"
        self.images: dict[str, _Image] = {}
        self.room_bytes: int | None = None
        """How much files may still grow; None: without bound."""
        self.reserve_bytes = 0
        """Below so much room the daemon wants no more from the peer."""
        self.refused = 0
        """Writes that found no room."""
        self.fail_sync = ""
        """Let the next sync of the log fail: ``lost``, or ``durable`` though it was written."""
        self.dies_after: int | None = None
        """Writes and syncs until the process dies in one."""
        self.dead = False

    def has_room(self) -> bool:
        """Answer the line, as the daemon does by asking the file system."""
        return self.room_bytes is None or self.room_bytes >= self.reserve_bytes

    # --- what SQLite asks ---

    def image(self, name: str) -> _Image:
        """Give the image of a file, known from now on."""
        found = self.images.get(name)
        if found is None:
            path = Path(name)
            found = _Image(path.read_bytes() if path.exists() else b"")
            found.named = True if path == self.store else found.named
            self.images[name] = found
        return found

    def step(self) -> None:
        """A write or sync begins: the process may die here."""
        if self.dies_after is not None:
            self.dies_after -= 1
            if self.dies_after < 0:
                self.dead = True
        if self.dead:
            raise DeathError("the process is gone")

    def written(self, image: _Image, offset: int, data: bytes) -> None:
        """Take a write, if there is room."""
        self.step()
        end = offset + len(data)
        if end > image.size:
            if self.room_bytes is not None:
                if end - image.size > self.room_bytes:
                    self.refused += 1
                    raise apsw.FullError("no space left on the disk")
                self.room_bytes -= end - image.size
            image.size = end
        image.pending.append((offset, bytes(data)))

    def synced(self, image: _Image) -> None:
        """Make a file durable, or fail to."""
        self.step()
        failure, self.fail_sync = self.fail_sync, ""
        if failure == "lost":
            image.pending.clear()  # in the page cache, marked clean: no later sync writes it
            image.undone = 0
            raise apsw.IOError("the disk gave an error")
        image.settle()
        if failure == "durable":
            raise apsw.IOError("the disk gave an error, too late")

    # --- what happens to it ---

    @property
    def unsynced(self) -> bool:
        """Tell whether a power loss now could lose anything."""
        return any(image.unsynced for image in self.images.values())

    def rolled_back(self) -> None:
        """What the last transaction wrote does not count."""
        for image in self.images.values():
            image.undone = len(image.pending)

    def revive(self) -> None:
        """A new process uses this disk; what the last one wrote is still in the page cache."""
        self.dead = False
        self.dies_after = None
        self.fail_sync = ""

    def lose_power(self, random: Random) -> None:
        """Forget what was not synced, or a part of it."""
        survival = random.choice([0.0, 0.5, 0.9, 1.0])
        for name, image in sorted(self.images.items()):
            vanished = not image.named and random.random() < 0.5
            image.lose(random, survival)
            if vanished:
                del self.images[name]
                Path(name).unlink(missing_ok=True)
            else:
                Path(name).write_bytes(image.durable)
        self._forget_index()

    def _forget_index(self) -> None:
        Path(f"{self.store}-shm").unlink(missing_ok=True)

    def durable_copy(self, folder: Path) -> Path:
        """Write what would survive a power loss now into a folder; gives the store in it."""
        folder.mkdir(exist_ok=True)
        for old in folder.iterdir():
            old.unlink()
        for name, image in self.images.items():
            (folder / Path(name).name).write_bytes(image.durable)
        return folder / self.store.name

    def backup(self) -> dict[str, bytes]:
        """Give the files as they are now (the process is between two transactions)."""
        return {Path(name).name: Path(name).read_bytes() for name in self.images}

    def restore(self, backup: dict[str, bytes]) -> None:
        """Put other files in place of all that is there; they are durable."""
        for name in self.images:
            Path(name).unlink(missing_ok=True)
        self._forget_index()
        self.images.clear()
        for name, content in backup.items():
            path = self.folder / name
            path.write_bytes(content)
            path.chmod(0o600)
            self.images[str(path)] = _Image(content)
            self.images[str(path)].named = True


class DiskVfs(apsw.VFS):
    """SQLite's way to all disks of one world."""

    def __init__(self, name: str, disk_of: Callable[[Path], Disk]) -> None:
        super().__init__(name, base="")
        self.name = name
        self._disk_of = disk_of

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        text = name.filename() if isinstance(name, apsw.URIFilename) else str(name)
        return _File(self._disk_of(Path(text).parent), text, name, flags)

    def xDelete(self, name: str, sync: bool) -> None:  # noqa: N802
        disk = self._disk_of(Path(name).parent)
        disk.step()
        disk.images.pop(name, None)
        super().xDelete(name, sync)


class _File(apsw.VFSFile):
    def __init__(self, disk: Disk, text: str, name: Any, flags: list[int]) -> None:
        super().__init__("", name or "", flags)
        self._disk = disk
        self._image = disk.image(text)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        self._disk.written(self._image, offset, data)
        super().xWrite(data, offset)

    def xTruncate(self, size: int) -> None:  # noqa: N802
        self._disk.step()
        self._image.pending.append((size, None))
        self._image.size = min(self._image.size, size)
        super().xTruncate(size)

    def xSync(self, _flags: int) -> None:  # noqa: N802
        self._disk.synced(self._image)
