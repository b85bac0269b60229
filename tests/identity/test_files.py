"""Secret files: opened only as what they should be, written whole or not at all."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from hotline.errors import IdentityError
from hotline.identity import (
    SecretKeys,
    read_line_secret,
    read_secret_keys,
    write_line_secret,
    write_secret_keys,
)
from hotline.identity.files import (
    PUBLIC_MODE,
    SECRET_MODE,
    create,
    make_folder,
    read_public,
    read_secret,
    remove,
    rename,
    replace,
)
from support.syncs import watch_syncs

NOBODY = 65534


def read_line(path: Path) -> object:
    return read_line_secret(path)


def read_keys(path: Path) -> object:
    return read_secret_keys(path)


@pytest.fixture(params=["key", "line secret"])
def secret(
    request: pytest.FixtureRequest, tmp_path: Path, keys: SecretKeys
) -> tuple[Path, Callable[[Path], object]]:
    """Give a secret file of each kind and its reader: both follow the same rules."""
    path = tmp_path / "north.key"
    if request.param == "key":
        write_secret_keys(path, keys)
        return path, read_keys
    write_line_secret(path, b"\x07" * 32)
    return path, read_line


Secret = tuple[Path, Callable[[Path], object]]


@pytest.mark.parametrize("bit", [0o040, 0o020, 0o010, 0o004, 0o002, 0o001], ids=oct)
def test_any_permission_for_others_is_refused(secret: Secret, bit: int) -> None:
    """A key that others can read or replace is not this station's alone; the cure is named."""
    path, read = secret
    read(path)
    path.chmod(0o600 | bit)
    with pytest.raises(IdentityError, match="is open to other users") as caught:
        read(path)
    assert str(path) in str(caught.value)
    assert caught.value.hint == f"chmod 600 {path}"
    path.chmod(0o600)
    read(path)


@pytest.mark.parametrize("mode", [0o644, 0o600])
@pytest.mark.parametrize("before", ["", "\n \r\n"])
def test_what_is_no_secret_is_told_as_such(secret: Secret, mode: int, before: str) -> None:
    """A card is open to others, and longer than any key: neither is what is wrong with it."""
    path, read = secret
    path.write_text(f"{before}-----BEGIN HOTLINE CARD-----\n" + "A" * 9000)
    path.chmod(mode)
    with pytest.raises(IdentityError, match=r"is a HOTLINE CARD, not a HOTLINE (SECRET|LINE)"):
        read(path)


def test_a_hint_can_be_pasted(tmp_path: Path) -> None:
    """A cure with an unquoted space in it would change the mode of some other file."""
    path = tmp_path / "my key; rm x"
    create(path, b"x", PUBLIC_MODE)
    path.chmod(0o644)
    with pytest.raises(IdentityError) as caught:
        read_secret(path, 10)
    assert caught.value.hint == f"chmod 600 '{path}'"


def test_a_symbolic_link_is_refused(secret: Secret) -> None:
    """A link lets whoever owns the directory choose which file is opened."""
    path, read = secret
    link = path.with_name("link.key")
    link.symlink_to(path)
    with pytest.raises(IdentityError, match=r"link.key is a symbolic link"):
        read(link)


def test_a_fifo_is_refused_at_once(secret: Secret) -> None:
    """Opening a fifo without a writer hangs: the station would never start, without a word."""
    path, read = secret
    path.unlink()
    os.mkfifo(path, 0o600)
    with pytest.raises(IdentityError, match="is not a regular file"):
        read(path)


@pytest.mark.parametrize("read", [read_line, read_keys])
def test_a_directory_or_device_is_refused(read: Callable[[Path], object], tmp_path: Path) -> None:
    """Neither is a file that somebody wrote a key to; an endless device would fill the memory."""
    for path in (tmp_path, Path("/dev/zero")):
        with pytest.raises(IdentityError, match="is not a regular file"):
            read(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_refused(secret: Secret) -> None:
    """Its owner could read it and change it at will, whatever its mode says."""
    path, read = secret
    os.chown(path, NOBODY, -1)
    with pytest.raises(IdentityError, match=f"belongs to user id {NOBODY}"):
        read(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """An error without the path leaves the operator guessing which of three files is meant."""
    with pytest.raises(IdentityError) as caught:
        read_secret_keys(tmp_path / "none.key")
    assert str(caught.value) == f"cannot open {tmp_path / 'none.key'}: no such file or directory"


def test_the_size_is_bounded_before_reading(tmp_path: Path) -> None:
    """A sparse terabyte in place of a key must cost nothing."""
    path = tmp_path / "huge"
    with path.open("wb") as file:
        file.truncate(2**40)
    path.chmod(0o600)
    for read in (read_secret, read_public):
        with pytest.raises(IdentityError, match="is longer than 100 bytes"):
            read(path, 100)


@pytest.mark.parametrize("size", [0, 99, 100, 101])
def test_the_bound_itself_is_allowed(tmp_path: Path, size: int) -> None:
    """A bound that is off by one refuses the largest honest file or lets in one byte too many."""
    path = tmp_path / "file"
    create(path, bytes(size), SECRET_MODE)
    if size > 100:
        with pytest.raises(IdentityError, match="longer"):
            read_secret(path, 100)
    else:
        assert read_secret(path, 100) == read_public(path, 100) == bytes(size)


def test_a_file_that_grows_while_read_is_refused() -> None:
    """The kernel's own files say they are empty and are not: size alone is no bound."""
    with pytest.raises(IdentityError, match="is longer than 4 bytes"):
        read_public(Path("/proc/self/status"), 4)


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_a_secret_file_is_born_private(tmp_path: Path, mask: int) -> None:
    """A key that is world-readable for a moment has been read in that moment."""
    before = os.umask(mask)
    try:
        create(tmp_path / "key", b"x", SECRET_MODE)
    finally:
        os.umask(before)
    assert (tmp_path / "key").stat().st_mode & 0o7777 == 0o600


@pytest.mark.parametrize("mode", [SECRET_MODE, PUBLIC_MODE])
def test_nothing_is_overwritten(tmp_path: Path, mode: int) -> None:
    """A second `init` must not destroy the only copy of a key, nor write where a link points."""
    path, elsewhere = tmp_path / "key", tmp_path / "elsewhere"
    path.write_bytes(b"old")
    with pytest.raises(IdentityError, match="already exists and is never overwritten"):
        create(path, b"new", mode)
    assert path.read_bytes() == b"old"
    path.unlink()
    path.symlink_to(elsewhere)
    with pytest.raises(IdentityError, match="already exists"):
        create(path, b"new", mode)
    assert not elsewhere.exists()
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that was not synced may be empty after a power cut, and would be taken for a key."""

    def no_space(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(IdentityError, match=r"cannot write .*key: no space left on device"):
        create(tmp_path / "key", b"x", SECRET_MODE)
    assert list(tmp_path.iterdir()) == []


def test_file_then_directory_are_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the directory's fsync the finished file can be gone after a power cut."""
    synced: list[tuple[bool, list[str]]] = []

    def record(descriptor: int) -> None:
        is_directory = Path(f"/proc/self/fd/{descriptor}").is_dir()
        synced.append((is_directory, sorted(path.name for path in tmp_path.iterdir())))

    monkeypatch.setattr(os, "fsync", record)
    create(tmp_path / "key", b"x", SECRET_MODE)
    assert synced == [(False, [".key.partial"]), (True, ["key"])]


def test_a_left_over_partial_file_is_explained(tmp_path: Path) -> None:
    """After a power cut in the middle of `init`, the operator needs to know what to remove."""
    partial = tmp_path / ".key.partial"
    partial.write_bytes(b"")
    with pytest.raises(IdentityError, match="left over from an interrupted write") as caught:
        create(tmp_path / "key", b"x", SECRET_MODE)
    assert caught.value.hint == f"rm {partial}"


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    """An operator who mistypes a directory must read its name, not a traceback."""
    with pytest.raises(IdentityError, match=r"cannot open .*absent: no such file or directory"):
        create(tmp_path / "absent" / "key", b"x", SECRET_MODE)


def test_a_file_system_without_permissions_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a FAT stick every file is everyone's: the secret must not be written there at all."""
    honest = os.fstat

    def permissive(descriptor: int) -> os.stat_result:
        mode, *rest = honest(descriptor)
        return os.stat_result((int(mode) | 0o077, *rest))

    monkeypatch.setattr(os, "fstat", permissive)
    with pytest.raises(IdentityError, match="keeps no permissions"):
        create(tmp_path / "key", b"x", SECRET_MODE)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("change", ["remove", "rename", "replace"])
def test_the_directory_is_synced_after_every_change_of_names(
    tmp_path: Path, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a power cut a destroyed key could be back, and a half that was used be unused again."""
    path = tmp_path / "old"
    create(path, b"x", SECRET_MODE)
    synced: list[tuple[Path, list[str]]] = []

    def record(descriptor: int) -> None:
        names = sorted(one.name for one in tmp_path.iterdir())
        synced.append((Path(f"/proc/self/fd/{descriptor}").readlink(), names))

    monkeypatch.setattr(os, "fsync", record)
    if change == "remove":
        remove(path)
    elif change == "rename":
        rename(path, "new")
    else:
        replace({path: b"new"}, SECRET_MODE)
    left = {"remove": [], "rename": ["new"], "replace": ["old"]}[change]
    assert synced[-1] == (tmp_path, left)


def test_no_descriptor_is_leaked(secret: Secret) -> None:
    """A daemon that reloads a refused file every minute must not run out of descriptors."""
    path, read = secret
    before = len(list(Path("/proc/self/fd").iterdir()))
    read(path)
    path.chmod(0o644)
    with pytest.raises(IdentityError):
        read(path)
    with pytest.raises(IdentityError):
        create(path, b"x", SECRET_MODE)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_file_is_taken_away(tmp_path: Path) -> None:
    """An old key that is said to be destroyed and is not can still be stolen."""
    path = tmp_path / "old.key"
    create(path, b"x", SECRET_MODE)
    remove(path)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(IdentityError, match=r"cannot remove .*old.key: no such file"):
        remove(path)


def test_a_replacement_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    """A change of passphrase that loses the key would lose the station."""
    path = tmp_path / "key"
    path.mkdir()  # no file takes a directory's place
    with pytest.raises(IdentityError, match="cannot replace"):
        replace({path: b"new"}, SECRET_MODE)
    assert list(tmp_path.iterdir()) == [path]


def test_a_disk_that_cannot_be_read_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bad sector under the key is the operator's to hear of, in words and with the path."""
    path = tmp_path / "key"
    create(path, b"x", SECRET_MODE)

    def broken(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    for call in ("fdopen", "pread"):
        with monkeypatch.context() as dangers:
            dangers.setattr(os, call, broken)
            with pytest.raises(IdentityError, match=r"cannot read .*key: input/output error"):
                read_secret(path, 10)


def test_a_file_gets_another_name_and_keeps_its_content(tmp_path: Path) -> None:
    """A half that was used is set apart, never lost."""
    path = tmp_path / "half"
    create(path, b"x", SECRET_MODE)
    rename(path, "half.used")
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [("half.used", b"x")]
    with pytest.raises(IdentityError, match=r"cannot rename .*half: no such file"):
        rename(path, "half.used")


def test_a_folder_and_those_above_it_are_private_and_durable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key that was synced in a folder whose name was not is gone after a power cut."""
    synced: list[Path] = []
    watch_syncs(monkeypatch, synced.append)
    folder = tmp_path / "var" / "station"
    make_folder(folder)
    assert synced == [tmp_path, tmp_path / "var"]
    assert {path.stat().st_mode & 0o777 for path in (folder, folder.parent)} == {0o700}
    synced.clear()
    make_folder(folder)
    assert synced == [tmp_path / "var"], "who made it may have died before it was synced"
    make_folder(tmp_path / "srv" / "station", above_mode=0o755)
    modes = [
        path.stat().st_mode & 0o777 for path in (tmp_path / "srv", tmp_path / "srv" / "station")
    ]
    assert modes == [0o755, 0o700]
