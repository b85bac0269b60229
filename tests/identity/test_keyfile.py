"""The protected key file: what opens it, what it may cost, and how it takes the old one's place."""

from __future__ import annotations

import errno
import os
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import msgpack  # type: ignore[import-untyped]
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotline.errors import IdentityError
from hotline.identity import (
    Protection,
    SecretKeys,
    files,
    keyseal,
    read_secret_keys,
    write_secret_keys,
)
from hotline.identity.armour import Armour
from hotline.identity.keyfile import KeyFile, inspect_key_file, once, replace_secret_keys
from hotline.identity.keyseal import Cost, check_new_passphrase, passphrase_bytes
from hotline.limits import PASSPHRASE_BYTES

CHEAP = Cost(8192, 1, 1)
ARMOUR = Armour("HOTLINE SECRET KEY", 256)
FIRST, SECOND = b"correct horse battery", b"staple in another order"
SALT, NONCE = b"\x05" * 16, b"\x06" * 12


def cheap(passphrase: bytes) -> Protection:
    """Protect at the least cost that is allowed: a test opens a file a thousand times."""
    return Protection(passphrase, os.urandom, CHEAP)


def never(_path: Path) -> NoReturn:
    pytest.fail("nobody should be asked for a passphrase here")


def raw(path: Path, *values: object) -> Path:
    """Write a key file of these fields, whatever they are."""
    path.write_text(ARMOUR.encode(msgpack.packb(values, use_bin_type=True)))
    path.chmod(0o600)
    return path


@pytest.fixture
def protected(tmp_path: Path, keys: SecretKeys) -> Path:
    """Give a key file under the first passphrase."""
    path = tmp_path / "north.key"
    write_secret_keys(path, keys, cheap(FIRST))
    return path


@settings(max_examples=25)
@given(st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=60), st.data())
def test_any_passphrase_opens_what_it_closed(
    tmp_path_factory: pytest.TempPathFactory, words: str, data: st.DataObject
) -> None:
    """A passphrase with an umlaut or a space at its end must open the file on the worst day."""
    seeds = [data.draw(st.binary(min_size=32, max_size=32)) for _ in range(3)]
    path = tmp_path_factory.mktemp("keys") / "k"
    passphrase = passphrase_bytes(words)
    write_secret_keys(path, SecretKeys.from_seeds(*seeds), cheap(passphrase))
    assert read_secret_keys(path, lambda _: passphrase).seeds() == tuple(seeds)
    assert inspect_key_file(path) == KeyFile(CHEAP, 0o600)
    with pytest.raises(IdentityError, match="does not open"):
        read_secret_keys(path, lambda _: passphrase + b"x")


def test_the_form_of_the_file(tmp_path: Path, keys: SecretKeys) -> None:
    """The file outlives this program: its form, and what it is sealed with, are a contract."""
    drawn = iter((SALT, NONCE))
    path = tmp_path / "k"
    write_secret_keys(path, keys, Protection(FIRST, lambda _: next(drawn), CHEAP))
    fields = msgpack.unpackb(ARMOUR.decode(path.read_text(), "x"))
    assert fields[:7] == ["hotline/1 key", "argon2id aes256gcm", 8192, 1, 1, SALT, NONCE]
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

    key = Argon2id(salt=SALT, length=32, iterations=1, lanes=1, memory_cost=8192).derive(FIRST)
    header = msgpack.packb(fields[:7], use_bin_type=True)
    assert AESGCM(key).decrypt(NONCE, fields[7], header) == b"".join(keys.seeds())


def test_an_open_file_asks_for_nothing(tmp_path: Path, keys: SecretKeys) -> None:
    """A daemon that stops to ask for a passphrase which there is not would never start."""
    path = tmp_path / "k"
    write_secret_keys(path, keys)
    assert read_secret_keys(path, never).seeds() == keys.seeds()
    assert inspect_key_file(path) == KeyFile(None, 0o600)


def test_without_a_passphrase_it_stays_shut(protected: Path) -> None:
    """The error says which file it is about, and that there is a passphrase at all."""
    with pytest.raises(IdentityError, match=r"north\.key is protected by a passphrase"):
        read_secret_keys(protected)


def test_a_wrong_passphrase_is_told_without_showing_it(protected: Path) -> None:
    """What was typed by mistake is likely another password of that person's."""
    typed = os.urandom(8).hex()
    with pytest.raises(IdentityError, match=r"does not open .*north\.key") as caught:
        read_secret_keys(protected, lambda _: typed.encode())
    assert caught.value.hint
    assert typed not in "".join(traceback.format_exception(caught.value))


def test_any_flipped_bit_keeps_it_shut(protected: Path) -> None:
    """A header that is not authenticated could be changed by whoever carries the file."""
    data = ARMOUR.decode(protected.read_text(), "x")
    for at in range(len(data)):
        damaged = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        protected.write_text(ARMOUR.encode(damaged))
        with pytest.raises(IdentityError):
            read_secret_keys(protected, lambda _: FIRST)


@pytest.mark.parametrize(
    ("memory_kib", "passes", "lanes"),
    [
        (2**20 + 1, 1, 1),
        (2**63, 1, 1),
        (8191, 1, 1),
        (0, 1, 1),
        (8192, 0, 1),
        (8192, 65, 1),
        (8192, 2**32, 1),
        (8192, 1, 0),
        (8192, 1, 17),
        (2**20, 5, 4),
    ],
)
def test_absurd_costs_are_refused_before_they_are_paid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, memory_kib: int, passes: int, lanes: int
) -> None:
    """A planted file that asks for a terabyte, or for a year, would take the machine down."""

    def paid(**_: object) -> NoReturn:
        pytest.fail("the cost was paid")

    monkeypatch.setattr(keyseal, "Argon2id", paid)
    values = ("hotline/1 key", "argon2id aes256gcm", memory_kib, passes, lanes, SALT, NONCE)
    path = raw(tmp_path / "k", *values, bytes(112))
    for look in (inspect_key_file, lambda path: read_secret_keys(path, never)):
        with pytest.raises(IdentityError, match="is damaged"):
            look(path)


def test_a_machine_without_the_memory_says_so(
    protected: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key moved to a small machine must not look like a wrong passphrase."""

    class Short:
        def __init__(self, **_: object) -> None: ...

        def derive(self, _: bytes) -> bytes:
            raise MemoryError

    monkeypatch.setattr(keyseal, "Argon2id", Short)
    with pytest.raises(IdentityError, match="does not give the 8192 KiB"):
        read_secret_keys(protected, lambda _: FIRST)


@pytest.mark.parametrize("protection", ["none", "scrypt aes256gcm"])
def test_another_protection_is_explained(tmp_path: Path, protection: str) -> None:
    """A file of a later version must not be taken for a damaged one and thrown away."""
    values = ("hotline/1 key", protection, 8192, 1, 1, SALT, NONCE, bytes(112))
    with pytest.raises(IdentityError, match="in a way this version cannot open"):
        read_secret_keys(raw(tmp_path / "k", *values), never)


def test_two_keyboards_open_the_same_file() -> None:
    """One keyboard sends a letter with its accent, another sends two characters."""
    assert passphrase_bytes("caf\u00e9 au lait") == passphrase_bytes("cafe\u0301 au lait")


@pytest.mark.parametrize(
    "text", ["", "a\nb", "a\x00b", "a\x9bb", "x\udcff", "a" * (PASSPHRASE_BYTES + 1)]
)
def test_what_is_no_passphrase_is_refused(text: str) -> None:
    """A file handed in by mistake, or two lines of one, must not become a passphrase."""
    with pytest.raises(IdentityError):
        passphrase_bytes(text)


def test_a_short_passphrase_is_not_set() -> None:
    """Length is counted in characters: an accent does not make a word longer."""
    check_new_passphrase(passphrase_bytes("\u00e9" * 12))
    with pytest.raises(IdentityError, match="shorter than 12") as caught:
        check_new_passphrase(passphrase_bytes("\u00e9" * 11))
    assert caught.value.hint


def test_protection_shows_nothing() -> None:
    """Whatever prints an object, a debugger or a log, must not print a passphrase."""
    assert FIRST.decode() not in repr(cheap(FIRST)) + str(cheap(FIRST))


# --- taking the old file's place ------------------------------------------------------------------

CALLS = ("open", "fdopen", "fsync", "rename", "unlink", "fstat")


class Death(BaseException):
    """The process ends here: nothing that it would have done afterwards happens."""


class Calls:
    """Counts the calls into the system, and lets one of them, or all from it on, fail."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, fail: Callable[[int], None]) -> None:
        self.made: list[str] = []
        for name in CALLS:
            monkeypatch.setattr(os, name, self._wrapped(name, getattr(os, name), fail))

    def _wrapped(self, name: str, real: Any, fail: Callable[[int], None]) -> Any:
        def called(*arguments: Any, **named: Any) -> Any:
            self.made.append(name)
            fail(len(self.made))
            return real(*arguments, **named)

        return called


def opens_with(path: Path, keys: SecretKeys) -> bytes:
    """Give which of the two passphrases opens the file: one must, with the same keys."""
    for passphrase in (FIRST, SECOND):
        try:
            found = read_secret_keys(path, lambda _, one=passphrase: one)  # type: ignore[misc]
        except IdentityError:
            continue
        assert found.seeds() == keys.seeds()
        return passphrase
    pytest.fail("neither passphrase opens the file")


def change_failing(keys: Mapping[Path, SecretKeys], fail: Callable[[int], None]) -> None:
    """Set the second passphrase, while calls into the system fail as fail says."""
    with pytest.MonkeyPatch.context() as patch:
        Calls(patch, fail)
        replace_secret_keys(keys, cheap(SECOND))


def calls_of_a_change(keys: Mapping[Path, SecretKeys]) -> list[str]:
    with pytest.MonkeyPatch.context() as patch:
        counted = Calls(patch, lambda _: None)
        replace_secret_keys(keys, cheap(FIRST))
    before = counted.made[: counted.made.index("rename")]
    assert before.count("fsync") == len(keys), "all must be on the disk before one old file is gone"
    assert counted.made[-1] == "fsync", "the folder must be synced last"
    return counted.made


def test_a_death_at_any_call_leaves_one_good_file(protected: Path, keys: SecretKeys) -> None:
    """A power cut while a passphrase is changed must not cost the station its identity."""
    last = len(calls_of_a_change({protected: keys}))
    seen = set()
    for at in range(1, last + 1):

        def die(number: int, at: int = at) -> None:
            if number >= at:
                raise Death

        with pytest.raises(Death):
            change_failing({protected: keys}, die)
        seen.add(opens_with(protected, keys))
        files.partial_of(protected).unlink(missing_ok=True)
        replace_secret_keys({protected: keys}, cheap(FIRST))
    assert seen == {FIRST, SECOND}, "the deaths were all on one side of the change"


def test_a_fault_at_any_call_leaves_one_good_file(protected: Path, keys: SecretKeys) -> None:
    """A full or broken disk is told to the operator, and leaves nothing lying about."""
    last = len(calls_of_a_change({protected: keys}))
    for at in range(1, last + 1):

        def fault(number: int, at: int = at) -> None:
            if number == at:
                raise OSError(errno.ENOSPC, "No space left on device")

        with pytest.raises(IdentityError, match=r"^cannot \w+ \S+: no space left on device$"):
            change_failing({protected: keys}, fault)
        opens_with(protected, keys)
        assert [path.name for path in protected.parent.iterdir()] == [protected.name]
        replace_secret_keys({protected: keys}, cheap(FIRST))


def test_what_a_death_left_is_named(protected: Path, keys: SecretKeys) -> None:
    """The operator decides about a left-over file that may hold the only new copy."""
    partial = files.partial_of(protected)
    partial.write_bytes(b"")
    with pytest.raises(IdentityError, match="left over from an interrupted write") as caught:
        replace_secret_keys({protected: keys}, cheap(SECOND))
    assert caught.value.hint == f"rm {partial}"
    assert opens_with(protected, keys) == FIRST


def test_a_seal_that_does_not_open_replaces_nothing(
    protected: Path, keys: SecretKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault of the machine's while sealing must show before the old file is gone."""
    honest = keyseal.seal

    def faulty(*arguments: Any) -> bytes:
        sealed = honest(*arguments)
        return bytes([sealed[0] ^ 1]) + sealed[1:]

    monkeypatch.setattr(keyseal, "seal", faulty)
    with pytest.raises(AssertionError, match="does not open"):
        replace_secret_keys({protected: keys}, cheap(SECOND))
    assert opens_with(protected, keys) == FIRST


def test_the_new_file_is_as_private(protected: Path, keys: SecretKeys) -> None:
    """A key that is open to others after a change has been read."""
    before = os.umask(0)
    try:
        replace_secret_keys({protected: keys}, None)
    finally:
        os.umask(before)
    assert inspect_key_file(protected) == KeyFile(None, 0o600)


# --- two files, while keys are changed ------------------------------------------------------------


@pytest.fixture
def two(protected: Path, keys: SecretKeys, other_keys: SecretKeys) -> dict[Path, SecretKeys]:
    """Give a station's key files, old and new, both under the first passphrase."""
    second = protected.with_name("north.2.key")
    write_secret_keys(second, other_keys, cheap(FIRST))
    return {protected: keys, second: other_keys}


def test_a_death_between_two_files_leaves_both_to_be_opened(two: dict[Path, SecretKeys]) -> None:
    """A station locked out by a power cut would be lost: each file opens, and one step goes on."""
    last = len(calls_of_a_change(two))
    seen = set()
    for at in range(1, last + 1):

        def die(number: int, at: int = at) -> None:
            if number >= at:
                raise Death

        with pytest.raises(Death):
            change_failing(two, die)
        under = {path: opens_with(path, keys) for path, keys in two.items()}
        source = once(lambda path, under=under: under[path])  # type: ignore[misc]
        found = {path: read_secret_keys(path, source) for path in two}
        assert [one.seeds() for one in found.values()] == [one.seeds() for one in two.values()]
        seen.add(tuple(under.values()))
        for path in two:
            files.partial_of(path).unlink(missing_ok=True)
        replace_secret_keys(found, cheap(FIRST))
    assert seen == {(FIRST, FIRST), (SECOND, FIRST), (SECOND, SECOND)}


def test_a_fault_between_two_files_says_what_is_done(two: dict[Path, SecretKeys]) -> None:
    """Before the first has its place nothing is changed; after it, the operator hears of it."""
    first, second = two
    calls = calls_of_a_change(two)
    turn = calls.index("rename") + 1
    for at in range(1, len(calls) + 1):

        def fault(number: int, at: int = at) -> None:
            if number == at:
                raise OSError(errno.EIO, "Input/output error")

        with pytest.raises(IdentityError, match=r"input/output error$") as caught:
            change_failing(two, fault)
        assert sorted(path.name for path in first.parent.iterdir()) == [second.name, first.name]
        changed = [path for path, keys in two.items() if opens_with(path, keys) == SECOND]
        assert bool(changed) == (at > turn)
        assert all(str(path) in caught.value.hint for path in changed)
        assert bool(caught.value.hint) == bool(changed)
        replace_secret_keys(two, cheap(FIRST))


def test_a_left_over_of_the_second_file_changes_neither(two: dict[Path, SecretKeys]) -> None:
    """A change that is refused half way would leave two passphrases behind."""
    _, second = two
    files.partial_of(second).write_bytes(b"")
    with pytest.raises(IdentityError, match=r"\.north\.2\.key\.partial is left over"):
        replace_secret_keys(two, cheap(SECOND))
    assert [opens_with(path, keys) for path, keys in two.items()] == [FIRST, FIRST]
    assert list(second.parent.glob(".*")) == [files.partial_of(second)]


def test_a_passphrase_is_asked_for_once(two: dict[Path, SecretKeys]) -> None:
    """A station with five key files must not ask its operator five times."""
    asked: list[Path] = []

    def ask(path: Path) -> bytes:
        asked.append(path)
        return FIRST

    source = once(ask)
    for path, keys in (*two.items(), *two.items()):
        assert read_secret_keys(path, source).seeds() == keys.seeds()
    assert asked == [next(iter(two))]


def test_a_file_under_another_passphrase_is_asked_for_by_name(
    two: dict[Path, SecretKeys],
) -> None:
    """What a cut change left is opened by whoever knows both; who gives one twice is told why."""
    first, second = two
    replace_secret_keys({first: two[first]}, cheap(SECOND))
    given = {first: SECOND, second: FIRST}
    source = once(lambda path: given[path])
    for path, keys in two.items():
        assert read_secret_keys(path, source).seeds() == keys.seeds()
    again = once(lambda _: SECOND)
    assert read_secret_keys(first, again).seeds() == two[first].seeds()
    with pytest.raises(
        IdentityError, match=r"what opens north\.key does not open \S+2\.key"
    ) as told:
        read_secret_keys(second, again)
    assert "hotline key passphrase" in told.value.hint
    with pytest.raises(IdentityError, match="does not open"):
        read_secret_keys(first, once(lambda _: b"neither of them"))
