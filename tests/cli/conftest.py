"""A station with one line, its operator, and in place of its daemon a scripted one."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli.fake_daemon import FakeDaemon
from cli.station_operator import Operator


@pytest.fixture(scope="session")
def made_station() -> Iterator[Path]:
    """Make one station for all tests: keys take a while."""
    with tempfile.TemporaryDirectory(prefix="hl") as name:
        operator = Operator(Path(name))
        assert operator.run("init", "alpha").code == 0
        assert operator.run("init", "bravo", "--dir", "peer").code == 0
        added = operator.run("peer", "add", "peer/bravo.card", "--address", "192.0.2.1:1963")
        assert added.code == 0, added.err
        yield Path(name)


@pytest.fixture
def folder(made_station: Path) -> Iterator[Path]:
    """Give a copy of the station; its path is short, as a Unix socket's must be."""
    with tempfile.TemporaryDirectory(prefix="hl") as name:
        shutil.copytree(made_station, name, dirs_exist_ok=True)
        yield Path(name)


@pytest.fixture
def operator(folder: Path) -> Iterator[Operator]:
    """Give the station's operator."""
    made = Operator(folder)
    yield made
    made.clean_up()


@pytest.fixture
def daemon(folder: Path) -> Iterator[FakeDaemon]:
    """Give the scripted daemon of the station."""
    fake = FakeDaemon(folder / "state" / "control.sock")
    yield fake
    fake.close()
