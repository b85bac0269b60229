"""Every input that a fuzzer was given or has found, run again without one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from fuzz import targets
from fuzz.main import names

if TYPE_CHECKING:
    from collections.abc import Callable

HERE: Final = Path(__file__).resolve().parent
INPUTS: Final = sorted(
    path for folder in ("corpus", "crashes") for path in (HERE / folder).glob("*/*")
)
SMALL_BYTES: Final = 256 * 1024
"""All of one target's corpus together: what is kept is read by a person, now and then."""


def test_every_target_has_a_corpus() -> None:
    """A fuzzer that starts from nothing spends its minute on finding the first byte."""
    assert names() == sorted(targets.TARGETS)
    for name in names():
        kept = list((HERE / "corpus" / name).iterdir())
        assert kept, name
        assert sum(path.stat().st_size for path in kept) <= SMALL_BYTES


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: f"{path.parent.name}-{path.name[:16]}")
def test_an_input_is_taken_or_refused(path: Path) -> None:
    """Anything but a refusal that was foreseen ends a daemon, or shows an operator its inside."""
    accepted = targets.run(path.parent.name, path.read_bytes())
    assert accepted or not path.name.startswith("good"), "an honest input was refused"


@pytest.mark.parametrize("name", targets.TARGETS)
def test_a_target_can_fail(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A target that swallows every error finds nothing, however long it runs."""

    def broken(_: bytes) -> None:
        raise IndexError

    monkeypatch.setitem(targets.TARGETS, name, broken)
    with pytest.raises(IndexError):
        targets.run(name, b"")


CUTS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "nothing": lambda _: b"",
    "half": lambda data: data[: len(data) // 2],
    "one short": lambda data: data[:-1],
    "one more": lambda data: data + b"\0",
    "twice": lambda data: data + data,
    "turned": lambda data: data[::-1],
    "first bit": lambda data: bytes([data[0] ^ 0x80]) + data[1:],
    "last bit": lambda data: data[:-1] + bytes([data[-1] ^ 1]),
    "middle": lambda data: data[: len(data) // 2] + b"\xff" * 8 + data[len(data) // 2 + 8 :],
}


@pytest.mark.parametrize("name", names())
def test_spoilt_inputs_are_refused_or_taken(name: str) -> None:
    """The simplest damage, to every honest input: the fuzzer's first seconds, on every run."""
    for path in sorted((HERE / "corpus" / name).iterdir()):
        for change in CUTS.values():
            targets.run(name, change(path.read_bytes()))
