"""What a command loads, and the tree of verbs: both decide how quickly an operator is answered."""

import importlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cli.fake_daemon import FakeDaemon, accept_all
from cli.station_operator import Operator

from hotline import model
from hotline.cli import options, verbs
from hotline.cli.ids import Ids
from hotline.cli.parser import build
from hotline.model import check_id

HEAVY = {"trio", "structlog", "cryptography", "apsw", "msgpack", "asyncio"}


@pytest.mark.parametrize(
    "verb", ["send bravo x", "status", "inbox", "heartbeats", "watch", "ack x"]
)
def test_client_verbs_load_nothing_heavy(operator: Operator, daemon: FakeDaemon, verb: str) -> None:
    """One import of trio doubles the time of every command."""
    daemon.on("send", accept_all)
    program = (
        "import sys; from hotline.cli.main import main; main(sys.argv[1:]);"
        "print('\\n' + ' '.join({name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *verb.split()],
        cwd=operator.folder,
        env=operator.env({}),
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(done.stdout.splitlines()[-1].split())
    assert "hotline" in loaded
    assert not loaded & HEAVY


def test_every_verb_has_its_module() -> None:
    """The tree names modules as text: a name that is wrong fails only when an operator needs it."""
    modules = set()
    pending = [build()]
    while pending:
        for action in pending.pop()._actions:
            if isinstance(action.choices, dict):
                pending += action.choices.values()
                modules |= {p.get_default("module") for p in action.choices.values()} - {None}
    folder = Path(verbs.__path__[0])
    assert modules == {f"{verbs.__name__}.{file.stem}" for file in folder.glob("[!_]*.py")}
    for name in modules:
        assert callable(importlib.import_module(name).run)


def test_the_words_are_those_of_the_model() -> None:
    """Spelled out in the command for speed, they must not drift from what the daemon knows."""
    assert tuple(p.name for p in model.Precedence) == options.PRECEDENCES
    assert tuple(d.name.lower() for d in model.Decision) == options.DECISIONS


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(operator: Operator, shell: str) -> None:
    """A script that does not parse breaks every new shell of the operator."""
    done = operator.run("completion", shell)
    assert done.code == 0
    for word in ("heartbeats", "peer", "verify", "precedence", "FLASH", "wilco"):
        assert word in done.out
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=done.out.encode(), check=True)


def test_ids_are_new_ordered_and_legal() -> None:
    """An id used twice would make the second message vanish as a repetition."""
    source = Ids()
    ids = [source.next() for _ in range(10_000)]
    assert ids == sorted(set(ids))
    assert all(check_id(identifier) and len(identifier) == 26 for identifier in ids)


@pytest.mark.parametrize("random", [bytes(10), b"\xff" * 10, bytes(7) + b"\x0f\xff\xfe"])
def test_ids_of_one_millisecond_are_counted_on(
    random: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end of an id is spelled by itself: a carry that is lost gives the same ids once more."""
    monkeypatch.setattr("time.time_ns", lambda: 1_795_000_000_123_456_789)
    monkeypatch.setattr("os.urandom", lambda _size: random)
    first = 1_795_000_000_123 << 80 | int.from_bytes(random)
    source = Ids()
    assert [_number(source.next()) for _ in range(3000)] == list(range(first, first + 3000))


def _number(identifier: str) -> int:
    number = 0
    for letter in identifier:
        number = number << 5 | "0123456789abcdefghjkmnpqrstvwxyz".index(letter)
    return number
