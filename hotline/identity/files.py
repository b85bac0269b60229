"""Small files that matter: read without being led astray, written whole or not at all.

Every check is made on the opened descriptor, never on the path: between a check of a path and its
use, the path can come to mean another file.
"""

from __future__ import annotations

import errno
import os
import shlex
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final

from hotline.errors import IdentityError
from hotline.text import reason

SECRET_MODE: Final = 0o600
PUBLIC_MODE: Final = 0o644
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO

_BEGINNING_BYTES: Final = 256

CheckKind = Callable[[bytes, str], None]
"""Looks at how a file begins; the text names the file in what it raises."""


# O_NONBLOCK: opening a fifo would otherwise wait for a writer, for ever.
_READ: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


def _any_kind(_beginning: bytes, _source: str) -> None:
    pass


def read_secret(path: Path, max_bytes: int, check_kind: CheckKind = _any_kind) -> bytes:
    """Read a file of at most max_bytes that nobody but its owner, this user, can read or change.

    Raises IdentityError, naming the file and the cure, for a symbolic link, anything but a regular
    file, another owner, any permission for group or others, or a longer file. Before owner, mode and
    length are judged, check_kind may raise one for how the file begins: what is no secret is told so.
    """
    return read_secret_and_mode(path, max_bytes, check_kind)[0]


def read_secret_and_mode(
    path: Path, max_bytes: int, check_kind: CheckKind = _any_kind
) -> tuple[bytes, int]:
    """Do the same, and give the permissions with which the file was found."""
    with _opened(path, _READ | os.O_NOFOLLOW) as descriptor:
        found = _check_regular(descriptor, path)
        check_kind(_beginning(descriptor, path), str(path))
        if found.st_uid != os.geteuid():
            raise IdentityError(
                f"{path} belongs to user id {found.st_uid}, not to {os.geteuid()} who runs this",
                hint=f"run as its owner, or chown {os.geteuid()} {shlex.quote(str(path))}",
            )
        mode = stat.S_IMODE(found.st_mode)
        if mode & _OTHERS:
            raise IdentityError(
                f"{path} is open to other users (mode {mode:04o})",
                hint=f"chmod 600 {shlex.quote(str(path))}",
            )
        return _read_bounded(descriptor, path, found.st_size, max_bytes), mode


def read_public(path: Path, max_bytes: int) -> bytes:
    """Read a regular file of at most max_bytes, whoever owns it; raises IdentityError."""
    with _opened(path, _READ) as descriptor:
        found = _check_regular(descriptor, path)
        return _read_bounded(descriptor, path, found.st_size, max_bytes)


def create(path: Path, data: bytes, mode: int) -> None:
    """Make a new file that holds data: complete whenever it is seen, durable, replacing nothing.

    Raises IdentityError if path exists in any form (even as a dangling link), or cannot be written.
    """
    create_by(path, lambda file: file.write(data), mode)


def create_by(path: Path, fill: Callable[[BinaryIO], object], mode: int) -> None:
    """Make a new file, as ``create`` does, that fill writes; what fill raises leaves no file."""
    with _opened(path.parent, _DIRECTORY) as directory:
        try:
            _create(directory, path, fill, mode)
        except OSError as error:
            raise _io_error("write", path, error) from None


def replace(new: Mapping[Path, bytes], mode: int) -> None:
    """Put data in the place of files of one folder, durably: of each the old or the new one stands.

    All are on the disk before the first takes its place: what can fail then has failed. Raises
    IdentityError if it cannot be done; the old files stand, but for those that the hint names.
    """
    path = next(iter(new))
    replaced: list[Path] = []
    with _opened(path.parent, _DIRECTORY) as directory:
        try:
            waiting: list[Path] = []
            try:
                for path, data in new.items():
                    _write_partial(directory, path, partial(_fill, data), mode)
                    waiting.append(path)
                while waiting:
                    path, draft = waiting[0], partial_of(waiting[0]).name
                    os.rename(draft, path.name, src_dir_fd=directory, dst_dir_fd=directory)
                    replaced.append(waiting.pop(0))
            finally:
                for left in waiting:
                    os.unlink(partial_of(left).name, dir_fd=directory)
            os.fsync(directory)
        except OSError as error:
            raise _io_error("replace", path, error, replaced) from None


def remove(path: Path) -> None:
    """Take a file away, durably; raises IdentityError."""
    with _opened(path.parent, _DIRECTORY) as directory:
        try:
            os.unlink(path.name, dir_fd=directory)
            os.fsync(directory)
        except OSError as error:
            raise _io_error("remove", path, error) from None


def rename(path: Path, name: str) -> None:
    """Give a file another name in its directory, durably; raises IdentityError."""
    with _opened(path.parent, _DIRECTORY) as directory:
        try:
            os.rename(path.name, name, src_dir_fd=directory, dst_dir_fd=directory)
            os.fsync(directory)
        except OSError as error:
            raise _io_error("rename", path, error) from None


def make_folder(folder: Path, *, mode: int = 0o700, above_mode: int = 0o700) -> None:
    """Make a folder, with those above it, and its name durable; raises OSError.

    Whoever writes in it syncs only what is inside. Those above are private too unless ``above_mode``
    says otherwise: one of them may be the state folder of a station.
    """
    above = folder.parent
    if not above.exists():
        make_folder(above, mode=above_mode, above_mode=above_mode)
    folder.mkdir(mode=mode, exist_ok=True)
    # Also where it is there: who made it may have died before this. (It may be in a closed one.)
    with suppress(PermissionError):
        sync_folder(above)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable; raises OSError."""
    descriptor = os.open(folder, _DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def partial_of(path: Path) -> Path:
    """Give where the file at path is written before it takes its place."""
    return path.with_name(f".{path.name}.partial")


def _create(directory: int, path: Path, fill: Callable[[BinaryIO], object], mode: int) -> None:
    draft = _write_partial(directory, path, fill, mode)
    try:
        # A rename would silently replace what is there; a link refuses.
        os.link(draft, path.name, src_dir_fd=directory, dst_dir_fd=directory)
    except FileExistsError:
        raise IdentityError(
            f"{path} already exists and is never overwritten",
            hint="move it away first, or choose another name",
        ) from None
    finally:
        os.unlink(draft, dir_fd=directory)
    os.fsync(directory)


def _fill(data: bytes, file: BinaryIO) -> None:
    file.write(data)


def _write_partial(
    directory: int, path: Path, fill: Callable[[BinaryIO], object], mode: int
) -> str:
    """Let fill write a new file beside path and make its content durable; gives its name."""
    draft = partial_of(path)
    try:
        descriptor = os.open(draft.name, _CREATE, mode, dir_fd=directory)
    except FileExistsError:
        raise IdentityError(
            f"{draft} is left over from an interrupted write",
            hint=f"rm {shlex.quote(str(draft))}",
        ) from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            # Some file systems keep no permissions: found out before the secret is on the disk.
            if mode == SECRET_MODE and os.fstat(descriptor).st_mode & _OTHERS:
                raise IdentityError(
                    f"{path} would be open to other users: its file system keeps no permissions",
                    hint="choose a directory on this machine's own disk",
                )
            fill(file)
            file.flush()
            os.fsync(descriptor)
    except BaseException:
        os.unlink(draft.name, dir_fd=directory)
        raise
    return draft.name


def _check_regular(descriptor: int, path: Path) -> os.stat_result:
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        raise IdentityError(f"{path} is not a regular file")
    return found


def _beginning(descriptor: int, path: Path) -> bytes:
    try:
        return os.pread(descriptor, _BEGINNING_BYTES, 0)
    except OSError as error:
        raise _io_error("read", path, error) from None


def _read_bounded(descriptor: int, path: Path, size_bytes: int, max_bytes: int) -> bytes:
    if size_bytes <= max_bytes:
        try:
            # One byte more than allowed shows a file that has grown since it was measured.
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                data = file.read(max_bytes + 1)
        except OSError as error:
            raise _io_error("read", path, error) from None
        if len(data) <= max_bytes:
            return data
    raise IdentityError(f"{path} is longer than {max_bytes} bytes")


@contextmanager
def _opened(path: Path, flags: int) -> Iterator[int]:
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        if flags & os.O_NOFOLLOW and error.errno == errno.ELOOP:
            raise IdentityError(f"{path} is a symbolic link", hint="name the file itself") from None
        raise _io_error("open", path, error) from None
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _io_error(verb: str, path: Path, error: OSError, done: Sequence[Path] = ()) -> IdentityError:
    names = ", ".join(map(str, done))
    return IdentityError(
        f"cannot {verb} {path}: {reason(error)}",
        hint=f"this is done already to {names}; give the command again" if done else "",
    )
