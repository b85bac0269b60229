"""key and secret: passphrases from every place they may come from, and halves said and typed."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli.fake_daemon import FakeDaemon
from cli.station_operator import Done, Operator

from hotline.cli.main import main
from hotline.cli.verbs import secret_combine
from hotline.identity import (
    Protection,
    files,
    read_line_secret,
    read_secret_keys,
    write_line_secret,
)
from hotline.identity.keyfile import replace_secret_keys
from hotline.identity.keyseal import Cost

FIRST, SECOND = "correct horse battery", "another six words at random"
CHEAP = Cost(8192, 1, 1)
"""The least allowed: these tests are about what is asked, and where."""


def with_secrets(operator: Operator, *arguments: str, **env: str) -> Done:
    """Run a verb with the first passphrase on descriptor 3 and the second on 4, by the shell."""
    command = '"$@" 3<first 4<second'
    for name, text in (("first", FIRST), ("second", SECOND)):
        (operator.folder / name).write_text(text + "\n")
    done = subprocess.run(
        ["sh", "-c", command, "sh", *map(str, operator._command(arguments))],
        cwd=operator.folder,
        env=operator.env(env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def opened_by(operator: Operator, passphrase: str) -> bool:
    """Tell whether the key opens with a passphrase."""
    keys = read_secret_keys(operator.folder / "alpha.key", lambda _: passphrase.encode())
    return len(keys.seeds()) == 3


@pytest.fixture
def protected(operator: Operator) -> Operator:
    """Give the operator of a station whose key is under the first passphrase."""
    path = operator.folder / "alpha.key"
    protection = Protection(FIRST.encode(), os.urandom, CHEAP)
    replace_secret_keys({path: read_secret_keys(path)}, protection)
    return operator


def test_a_new_station_under_a_passphrase(tmp_path: Path) -> None:
    """From the first moment: an open key that is protected later has been on the disk."""
    operator = Operator(tmp_path)
    done = with_secrets(operator, "init", "alpha", "--passphrase-fd", "3")
    assert done.code == 0, done.err
    assert opened_by(operator, FIRST)


def test_a_passphrase_is_asked_for_twice_on_a_terminal(tmp_path: Path) -> None:
    """A slip of the finger would lock the station for ever; nothing typed is shown."""
    operator = Operator(tmp_path)
    asked = (("new passphrase of alpha.key: ", FIRST + "\n"), ("the same again: ", "no\n"))
    done = operator.converse("init", "alpha", "--passphrase", answers=asked)
    assert (done.code, list(tmp_path.iterdir())) == (2, [])
    assert "the two passphrases differ" in done.out
    asked = (("new passphrase of alpha.key: ", FIRST + "\n"), ("the same again: ", FIRST + "\n"))
    done = operator.converse("init", "alpha", "--passphrase", answers=asked)
    assert done.code == 0, done.out
    assert FIRST not in done.out
    assert opened_by(operator, FIRST)


def test_change_and_remove_on_a_terminal(protected: Operator) -> None:
    """The present one first, then the new one twice; removing asks for the present one alone."""
    present = ("passphrase of alpha.key: ", FIRST + "\n")
    new = ("new passphrase of alpha.key: ", SECOND + "\n")
    done = protected.converse(
        "key", "passphrase", answers=(present, new, ("the same again: ", SECOND + "\n"))
    )
    assert done.code == 0, done.out
    assert opened_by(protected, SECOND)
    before = (protected.folder / "alpha.key").read_bytes()
    done = protected.converse("key", "passphrase", "--remove", answers=(present,))
    assert (done.code, (protected.folder / "alpha.key").read_bytes()) == (2, before)
    assert "does not open" in done.out
    present = ("passphrase of alpha.key: ", SECOND + "\n")
    done = protected.converse("key", "passphrase", "--remove", answers=(present,))
    assert done.code == 0, done.out
    assert read_secret_keys(protected.folder / "alpha.key").seeds()
    assert protected.run("key", "passphrase", "--remove").code == 2


def test_change_by_descriptors_and_credentials(protected: Operator) -> None:
    """A script changes a passphrase without a terminal; a short one is refused and changes nothing."""
    fds = ("--passphrase-fd", "3", "--new-passphrase-fd", "4")
    assert with_secrets(protected, "key", "passphrase", *fds).code == 0
    assert opened_by(protected, SECOND)
    folder = protected.folder / "credentials"
    folder.mkdir()
    (folder / "hotline-passphrase").write_text(SECOND)
    (folder / "hotline-passphrase").chmod(0o440)  # as systemd leaves it, with an access list
    environment = {"CREDENTIALS_DIRECTORY": str(folder)}
    new = ("--new-passphrase-fd", "3")
    assert with_secrets(protected, "key", "passphrase", *new, **environment).code == 0
    assert opened_by(protected, FIRST)
    done = protected.run(
        *("key", "passphrase", "--new-passphrase-fd", "0"),
        stdin=b"short\n",
        CREDENTIALS_DIRECTORY=str(folder),
    )
    assert (done.code, opened_by(protected, FIRST)) == (2, True)


NO_ONE_TO_ASK = (
    "hotline: {key} is protected by a passphrase, and there is no terminal to ask for it\n"
    "hint: give it by --passphrase-fd N, or by systemd's credential hotline-passphrase\n"
)
NO_ONE_FOR_A_NEW_ONE = (
    "hotline: there is no terminal to ask for a new passphrase of {key}\n"
    "hint: give it by --new-passphrase-fd N, as: --new-passphrase-fd 3 3<FILE\n"
)
NOT_THIS_ONE = (
    "hotline: the passphrase does not open {key}: it is another one, or the file was changed\n"
    "hint: try again; a lost passphrase cannot be found or reset\n"
)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("key passphrase", NO_ONE_TO_ASK),
        ("key passphrase --passphrase-fd 3", NO_ONE_FOR_A_NEW_ONE),
        (
            "key passphrase --passphrase-fd 99",
            "hotline: cannot read a passphrase from descriptor 99: bad file descriptor\n"
            "hint: open it for the command: 99<FILE\n",
        ),
        (
            "key passphrase --passphrase-fd x",
            "hotline: argument --passphrase-fd: 'x' is not the number of a file descriptor\n"
            "hint: see: hotline key passphrase --help\n",
        ),
        (
            "key passphrase --passphrase-fd 3 --new-passphrase-fd 3",
            "hotline: one descriptor cannot hold both passphrases\nhint: give two\n",
        ),
        (
            "key passphrase --remove --new-passphrase-fd 3",
            "hotline: --remove takes no new passphrase\nhint: leave out --new-passphrase-fd\n",
        ),
        ("run", NO_ONE_TO_ASK),
        ("run --passphrase-fd 4", NOT_THIS_ONE),
    ],
)
def test_what_cannot_be_is_told(protected: Operator, arguments: str, told: str) -> None:
    """Exit code 2, the file's name, what to do; and the file is as it was."""
    key = protected.folder / "alpha.key"
    before = key.read_bytes()
    done = with_secrets(protected, *arguments.split())
    assert (done.code, done.out, done.err) == (2, "", told.format(key=key))
    assert key.read_bytes() == before


def test_a_first_passphrase_needs_somebody_to_ask(operator: Operator) -> None:
    """A key that has none must not be told to have one: its operator would look for that."""
    done = operator.run("key", "passphrase")
    key = operator.folder / "alpha.key"
    assert (done.code, done.err) == (2, NO_ONE_FOR_A_NEW_ONE.format(key=key))


def test_a_new_station_s_passphrase_needs_somebody_to_ask(tmp_path: Path) -> None:
    """There is no key yet that could be protected, and init has an option of another name."""
    done = Operator(tmp_path).run("init", "carol", "--passphrase")
    assert (done.code, list(tmp_path.iterdir())) == (2, [])
    assert done.err == (
        "hotline: there is no terminal to ask for a new passphrase of carol.key\n"
        "hint: give it by --passphrase-fd N, as: --passphrase-fd 3 3<FILE\n"
    )


@pytest.mark.parametrize(
    "data",
    [b"", b"\n", b"two lines\nof text here\n", b"\xff\xfe not utf-8", b"x" * 2000, b"nul\0 in it"],
)
def test_a_descriptor_that_holds_no_passphrase(protected: Operator, data: bytes) -> None:
    """The wrong file on a descriptor is refused, and nothing of it is repeated."""
    done = protected.run("key", "passphrase", "--passphrase-fd", "0", stdin=data)
    assert done.code == 2
    assert "two lines" not in done.err + done.out


def test_a_passphrase_too_long_is_told_as_such(protected: Operator) -> None:
    """Cut in the middle of a character it was told as no text, and somebody looked for the encoding."""
    data = "é".encode() * 1500
    done = protected.run("key", "passphrase", "--passphrase-fd", "0", stdin=data)
    assert (done.code, "longer than 1024 bytes" in done.err) == (2, True)


def test_what_is_typed_and_is_no_text_is_told(protected: Operator) -> None:
    """A terminal of another encoding than the system's must not look like a fault of this program."""
    asked = [("passphrase of alpha.key: ", "\udcff\udcfe words\n")]  # bytes that are no UTF-8
    done = protected.converse("key", "passphrase", answers=asked)
    assert (done.code, "is not UTF-8" in done.out) == (2, True)
    assert "words" not in done.out


def test_show_tells_what_may_be_known(operator: Operator) -> None:
    """Fingerprints, age and protection, of an open key and of a protected one."""
    (found,) = operator.run("key", "show", "--json").objects
    (card,) = operator.run("card", "--json").objects
    assert (found["name"], found["id"], found["created_at"]) == (
        *("alpha", card["id"], card["created_at"]),
    )
    assert (found["protected"], found["memory_kib"], found["belongs_to_card"]) == (
        *(False, None, True),
    )
    assert found["mode"] == "0600"
    assert with_secrets(operator, "key", "passphrase", "--new-passphrase-fd", "3").code == 0
    (after,) = operator.run("key", "show", "--json").objects
    assert (after["protected"], after["memory_kib"], after["belongs_to_card"]) == (
        *(True, 65536, None),
    )
    assert [after[name] for name in ("x25519", "ed25519", "mldsa87")] == [
        found[name] for name in ("x25519", "ed25519", "mldsa87")
    ]
    shown = operator.run("key", "show").out
    assert "Argon2id with 64.0 MiB" in shown
    secrets = read_secret_keys(operator.folder / "alpha.key", lambda _: FIRST.encode()).seeds()
    for secret in secrets:
        assert secret.hex() not in shown + json.dumps(after) + json.dumps(found)


def test_show_finds_what_is_wrong(operator: Operator) -> None:
    """A key of another card, a mode that is too wide, a rest of an interrupted change."""
    key = operator.folder / "alpha.key"
    partial = operator.folder / ".alpha.key.partial"
    partial.write_bytes(b"")
    done = operator.run("key", "show")
    assert (done.code, str(partial.name) in done.err) == (0, True)
    key.chmod(0o644)
    done = operator.run("key", "show")
    assert done.code == 2
    assert "hint: chmod 600" in done.err
    key.write_bytes((operator.folder / "peer" / "bravo.key").read_bytes())
    key.chmod(0o600)
    done = operator.run("key", "show")
    assert (done.code, "does not belong" in done.err) == (2, True)


def test_a_card_in_the_place_of_a_key_is_told_as_a_card(both: tuple[Operator, Operator]) -> None:
    """Its mode is as it should be: to close it to others would help nobody."""
    alpha, _ = both
    assert alpha.run("secret", "contribute", "bravo").code == 0
    done = alpha.run("secret", "combine", "bravo", "--half", "alpha.card")
    assert (done.code, done.err) == (
        2,
        "hotline: alpha.card is a HOTLINE CARD, not a HOTLINE HALF SECRET\n"
        "hint: name the right file\n",
    )
    path = alpha.folder / "hotline.toml"
    text = path.read_text()
    path.write_text(text.replace('"alpha.key"', '"alpha.card"'))
    for verb in ("key show", "run", "key passphrase"):
        done = alpha.run(*verb.split())
        assert (done.code, done.err) == (
            2,
            f"hotline: {alpha.folder}/alpha.card is a HOTLINE CARD, not a HOTLINE SECRET KEY\n"
            "hint: name the right file\n",
        )
    path.write_text(text + 'secret = "bravo.card"\n')
    done = alpha.run("run")
    assert (done.code, "is a HOTLINE CARD, not a HOTLINE LINE SECRET" in done.err) == (2, True)


def test_a_card_of_another_station_is_told_with_both_cures(operator: Operator) -> None:
    """Told to take the other's name, an operator would start a station that nobody made."""
    path = operator.folder / "hotline.toml"
    path.write_text(path.read_text().replace('"alpha.card"', '"bravo.card"'))
    done = operator.run("run")
    assert (done.code, done.err) == (
        2,
        f"hotline: card {operator.folder}/bravo.card names station bravo, not alpha\n"
        f'hint: under [station] in {path}, name the card of this station: card = "alpha.card";'
        ' or, if the card is right, set name = "bravo"\n',
    )


# --- two key files, while keys are changed --------------------------------------------------------


@pytest.fixture
def changing(operator: Operator, daemon: FakeDaemon) -> Operator:
    """Give the operator of a station that is changing its keys: both files under the first one."""
    daemon.answers("rotate", {"number": 2})
    assert operator.run("key", "rotate").code == 0
    done = with_secrets(operator, "key", "passphrase", "--new-passphrase-fd", "3")
    assert done.code == 0, done.err
    return operator


@pytest.mark.parametrize("number", [-1, 1, 3])
def test_keys_of_a_number_that_cannot_be_are_not_made(
    operator: Operator, daemon: FakeDaemon, number: int
) -> None:
    """Made beside the wrong card, they would be a succession that no peer takes."""
    daemon.answers("rotate", {"number": number})
    before = sorted(operator.folder.iterdir())
    done = operator.run("key", "rotate")
    assert (done.code, "does not understand: rotate: number" in done.err) == (3, True)
    assert sorted(operator.folder.iterdir()) == before


def opened_both(operator: Operator, passphrase: str) -> bool:
    """Tell whether a passphrase opens both key files; raises if not."""
    paths = [operator.folder / name for name in ("alpha.key", "alpha.2.key")]
    return all(read_secret_keys(path, lambda _: passphrase.encode()).seeds() for path in paths)


def test_a_change_that_cannot_be_whole_changes_neither_file(changing: Operator) -> None:
    """One file under each passphrase would shut the daemon out."""
    partial = changing.folder / ".alpha.2.key.partial"
    partial.write_bytes(b"")
    fds = ("--passphrase-fd", "3", "--new-passphrase-fd", "4")
    done = with_secrets(changing, "key", "passphrase", *fds)
    assert (done.code, f"hint: rm {partial}" in done.err) == (2, True)
    assert opened_both(changing, FIRST)
    (changing.folder / ".alpha.key.partial").write_bytes(b"")
    shown = changing.run("key", "show").err
    assert all(name in shown for name in (".alpha.key.partial", ".alpha.2.key.partial"))


@pytest.mark.parametrize("changed", ["alpha.key", "alpha.2.key"])
def test_a_change_that_was_cut_is_gone_on_with(changing: Operator, changed: str) -> None:
    """A power cut between the two files: the command asks for each, and sets one for both."""
    path = changing.folder / changed
    keys = read_secret_keys(path, lambda _: FIRST.encode())
    replace_secret_keys({path: keys}, Protection(SECOND.encode(), os.urandom, CHEAP))
    for verb in ("run", "key passphrase --new-passphrase-fd 4"):
        done = with_secrets(changing, *verb.split(), "--passphrase-fd", "3")
        assert done.code == 2
        assert changed in done.err
    asked = [
        (f"passphrase of {name}: ", (SECOND if name == changed else FIRST) + "\n")
        for name in ("alpha.key", "alpha.2.key")
    ]
    new = ("new passphrase of alpha.2.key: ", FIRST + "\n")
    again = ("the same again: ", FIRST + "\n")
    done = changing.converse("key", "passphrase", answers=(*asked, new, again))
    assert done.code == 0, done.out
    assert opened_both(changing, FIRST)


def test_a_removal_goes_on_where_a_first_passphrase_was_cut(changing: Operator) -> None:
    """The newest key is open still: the other one's passphrase is to be taken away."""
    path = changing.folder / "alpha.2.key"
    replace_secret_keys({path: read_secret_keys(path, lambda _: FIRST.encode())}, None)
    done = with_secrets(changing, "key", "passphrase", "--remove", "--passphrase-fd", "3")
    assert done.code == 0, done.err
    assert [read_secret_keys(one).seeds() for one in (path, changing.folder / "alpha.key")]
    assert changing.run("key", "passphrase", "--remove").code == 2


# --- a line secret of two people ------------------------------------------------------------------


@pytest.fixture
def both(operator: Operator) -> tuple[Operator, Operator]:
    """Give the operators of both stations of a line."""
    peer = Operator(operator.folder / "peer")
    assert peer.run("peer", "add", "../alpha.card").code == 0
    return operator, peer


def words_of(shown: str) -> list[str]:
    """Take the words from the numbered rows."""
    rows = [row.split() for row in shown.splitlines()]
    return [word for row in rows if row and row[0].rstrip(".").isdigit() for word in row[1:]]


def test_two_people_make_one_secret(both: tuple[Operator, Operator]) -> None:
    """One types words, the other takes a file; both have one secret, and see one check code."""
    alpha, bravo = both
    said = alpha.run("secret", "contribute", "bravo")
    assert said.code == 0, said.err
    assert alpha.run("secret", "contribute", "bravo").out == said.out, "the same half again"
    assert bravo.run("secret", "contribute", "alpha").code == 0
    carried = bravo.folder / "carried.half"
    carried.write_bytes((alpha.folder / "bravo.half").read_bytes())
    carried.chmod(0o600)
    theirs = words_of(bravo.run("secret", "contribute", "alpha").out)
    asked = [
        (f"  {row + 1}.  ", " ".join(theirs[4 * row : 4 * row + 4]) + "\n") for row in range(9)
    ]
    made = alpha.converse("secret", "combine", "bravo", answers=asked)
    assert made.code == 0, made.out
    taken = bravo.run("secret", "combine", "alpha", "--half", "carried.half")
    assert taken.code == 0, taken.err
    secrets = [
        read_line_secret(alpha.folder / "bravo.secret"),
        read_line_secret(bravo.folder / "alpha.secret"),
    ]
    assert secrets[0] == secrets[1]
    codes = [words_of(done.out.partition("next:")[0])[-16:] for done in (made, taken)]
    assert codes[0] == codes[1]
    assert 'secret = "bravo.secret"' in made.out
    assert not (alpha.folder / "bravo.half").exists()
    for shown in (made.out, taken.out):
        assert secrets[0].hex() not in shown


def test_a_secret_is_never_overwritten(both: tuple[Operator, Operator]) -> None:
    """The line runs on the one that is there; the new half waits until somebody decides."""
    alpha, bravo = both
    for station, line in ((alpha, "bravo"), (bravo, "alpha")):
        assert station.run("secret", "contribute", line).code == 0
    (alpha.folder / "bravo.secret").write_text("precious")
    done = alpha.run("secret", "combine", "bravo", "--half", "peer/alpha.half")
    assert (done.code, (alpha.folder / "bravo.secret").read_text()) == (2, "precious")
    assert (alpha.folder / "bravo.half").exists()


class Death(BaseException):
    """The machine stops here."""


@pytest.mark.parametrize("after", range(4))
@pytest.mark.parametrize("anew", [False, True])
def test_a_stop_while_a_secret_is_made_leaves_no_half(
    both: tuple[Operator, Operator], monkeypatch: pytest.MonkeyPatch, after: int, anew: bool
) -> None:
    """A half that outlives its secret would be said a second time, to be overheard a second time."""
    alpha, bravo = both
    own = words_of(alpha.run("secret", "contribute", "bravo").out)
    assert bravo.run("secret", "contribute", "alpha").code == 0
    argv = ["secret", "combine", "bravo", "--half", str(bravo.folder / "alpha.half")]
    monkeypatch.chdir(alpha.folder)
    monkeypatch.delenv("HOTLINE_CONFIG", raising=False)
    left = after

    def dying(act: Callable[..., None]) -> Callable[..., None]:
        def do(*arguments: Any) -> None:
            nonlocal left
            if left == 0:
                raise Death
            left -= 1
            act(*arguments)

        return do

    with monkeypatch.context() as dangers:
        dangers.setattr(files, "rename", dying(files.rename))
        dangers.setattr(secret_combine, "write_line_secret", dying(write_line_secret))
        dangers.setattr(files, "remove", dying(files.remove))
        if after < 3:
            with pytest.raises(Death):
                main(argv)
        else:
            assert main(argv) == 0
    if anew:
        (alpha.folder / "bravo.secret").unlink(missing_ok=True)
        again = words_of(alpha.run("secret", "contribute", "bravo").out)
        assert (again == own) == (after == 0), "only a half that was never begun on is said again"
    elif after < 3:
        done = alpha.run(*argv)
        assert done.code == 0, done.err
        assert len(words_of(done.out.partition("next:")[0])) >= 16, "the code is still to be had"
    assert alpha.run(*argv).code == (0 if anew else 2)
    assert not list(alpha.folder.glob("*half*"))
    assert read_line_secret(alpha.folder / "bravo.secret")


def test_what_is_no_half_is_refused(both: tuple[Operator, Operator]) -> None:
    """Nothing is made, one's own half stays, and no word of a half is repeated."""
    alpha, _ = both
    assert alpha.run("secret", "combine", "bravo", stdin=b"x").code == 2
    assert alpha.run("secret", "contribute", "nobody").code == 5
    own = words_of(alpha.run("secret", "contribute", "bravo").out)
    for typed in ("", " ".join(own), " ".join(own[1:]), "x " * 5000, "secretword"):
        done = alpha.run("secret", "combine", "bravo", stdin=typed.encode())
        assert (done.code, done.out) == (2, "")
        assert not set(done.err.split()) & {*own, "secretword"}
    done = alpha.run("secret", "combine", "bravo", "--half", "bravo.half")
    assert done.code == 2
    assert (alpha.folder / "bravo.half").exists()
    assert not (alpha.folder / "bravo.secret").exists()
    assert (alpha.folder / "bravo.half").stat().st_mode & 0o777 == 0o600
