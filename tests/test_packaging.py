"""What `pip install .` leaves on a machine: the command works where the checkout is not."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from hotline import __version__
from support.processes import LONG_S, ROOT, until

SOURCES = ("hotline", "pyproject.toml", "README.md", "LICENSE")
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "-q")
OFFLINE = ("--no-deps", "--no-index")


@dataclass(frozen=True)
class Installed:
    """An environment of its own, with the wheel in it, and a folder to work in."""

    wheel: Path
    bin: Path
    folder: Path

    def run(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a command of the environment in the folder, to its end."""
        return subprocess.run(
            [self.bin / command[0], *command[1:]],
            cwd=self.folder,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=LONG_S,
            check=False,
        )


def environment() -> dict[str, str]:
    """Give an environment in which nothing points back to the checkout."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "HOTLINE"))
    }


def do(*command: str | Path) -> None:
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    """Build a wheel without a network, and install it beside the packages that are locked."""
    folder = tmp_path_factory.mktemp("installed")
    source, home = folder / "source", folder / "venv"
    source.mkdir()
    for name in SOURCES:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, source / name)
    wheels = folder / "wheels"
    do(*PIP, "wheel", *OFFLINE, "--no-build-isolation", "--wheel-dir", wheels, source)
    shutil.rmtree(source)
    [wheel] = wheels.glob("hotline-*.whl")
    venv.create(home, with_pip=False, symlinks=True)
    python = home / "bin" / "python"
    do(*PIP, "--python", python, "install", *OFFLINE, wheel)
    # Of the environment that runs the tests only its folder is added: what its own .pth files point
    # to, the checkout among it, is not.
    [packages] = home.glob("lib/python*/site-packages")
    (packages / "locked.pth").write_text(sysconfig.get_path("purelib") + "\n")
    work = folder / "work"
    work.mkdir()
    yield Installed(wheel, home / "bin", work)
    shutil.rmtree(folder)


def test_the_wheel_holds_every_file_of_the_package(installed: Installed) -> None:
    """A migration that is left out is missed only where there is no checkout: on every real station."""
    with zipfile.ZipFile(installed.wheel) as archive:
        packed = {name for name in archive.namelist() if name.startswith("hotline/")}
    files = (ROOT / "hotline").rglob("*")
    assert packed == {
        str(path.relative_to(ROOT))
        for path in files
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_installed_command_is_the_installed_package(installed: Installed) -> None:
    """Otherwise everything below would show only that the checkout works."""
    code = "import hotline; print(hotline.__file__)"
    done = installed.run("python", "-c", code)
    assert Path(done.stdout.strip()).is_relative_to(installed.bin.parent), done
    for command in (["hotline"], ["python", "-m", "hotline"]):
        told = installed.run(*command, "--version")
        assert (told.returncode, told.stderr) == (0, "")
        assert __version__ in told.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_comes_from_the_installed_command(installed: Installed, shell: str) -> None:
    """A script that is looked for beside the sources is not there once they are gone."""
    done = installed.run("hotline", "completion", shell)
    assert (done.returncode, done.stderr) == (0, "")
    assert "recover" in done.stdout


def test_a_station_is_made_and_runs(installed: Installed) -> None:
    """What only a daemon loads, the store's migrations for one, must have been installed too."""
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{held.getsockname()[1]}"
        made = installed.run("hotline", "init", "alpha", "--listen", address)
        assert made.returncode == 0, made.stderr
        assert {"hotline.toml", "alpha.key", "alpha.card"} <= {
            path.name for path in installed.folder.iterdir()
        }
        with subprocess.Popen(
            [installed.bin / "hotline", "run"],
            cwd=installed.folder,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as daemon:
            try:
                status = until("it answers", lambda: asked(installed, daemon))
                assert "alpha" in status
                daemon.send_signal(signal.SIGTERM)
                assert daemon.wait(LONG_S) == 0
            finally:
                daemon.kill()


def asked(installed: Installed, daemon: subprocess.Popen[bytes]) -> str:
    """Give what ``status --json`` says, or nothing while nobody answers."""
    assert daemon.poll() is None, "the daemon has ended"
    done = installed.run("hotline", "status", "--json")
    return done.stdout if done.returncode == 0 else ""
