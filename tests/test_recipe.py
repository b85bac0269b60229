"""The recipe of docs/operations.md for systemd is followed, on folders that stand in for the machine's.

Making the user and installing the program is left to whoever has a machine for it (the wheel has its
own test): the other commands are run as they stand, and the daemon is started as the unit says.
"""

from __future__ import annotations

import configparser
import json
import os
import re
import shlex
import socket
import subprocess
import sys
import time
from pathlib import Path

from hotline.cli import exits

ROOT = Path(__file__).resolve().parent.parent
LONG_S = 90.0
POLL_S = 0.05
ELSEWHERE = ("useradd ", "python3 -m venv ", "/opt/hotline/bin/pip ", "systemctl ")
"""What these commands do needs another machine, or is tested elsewhere."""


def recipe() -> tuple[list[str], configparser.ConfigParser, list[str]]:
    """Give the commands before the unit, the unit, and the commands behind it."""
    text = (ROOT / "docs" / "operations.md").read_text().partition("\n## Under systemd\n")[2]
    found = re.findall(r"^```(sh|ini)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)[:3]
    assert [language for language, _ in found] == ["sh", "ini", "sh"]
    unit = configparser.ConfigParser(strict=True, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(found[1][1])
    return found[0][1].splitlines(), unit, found[2][1].splitlines()


class Machine:
    """Folders that stand in for a machine's, and its one user."""

    def __init__(self, folder: Path) -> None:
        self.etc, self.state = folder / "etc", folder / "var"
        self.bin = Path(sys.executable).parent
        self.copy = folder / "copy"
        self.copy.mkdir()
        self.port = free_port()

    def here(self, command: str) -> str:
        """Say a command of the recipe in the words of this machine."""
        for word, meaning in (
            ("sudo -u hotline ", ""),
            (" -o hotline -g hotline", ""),
            ("/opt/hotline/bin", str(self.bin)),
            ("/etc/hotline", str(self.etc)),
            ("/var/lib/hotline", str(self.state)),
            ("0.0.0.0:1963", f"127.0.0.1:{self.port}"),
            ("bravo.example:1963", f"127.0.0.1:{free_port()}"),
        ):
            command = command.replace(word, meaning)
        assert "/hotline.service" not in command
        return command

    def holds(self) -> dict[str, bytes]:
        """Give what lies in the folder that the daemon may only read."""
        return {path.name: path.read_bytes() for path in self.etc.iterdir()}


def free_port() -> int:
    """Give a port that nobody uses."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port: int = held.getsockname()[1]
        return port


def environment() -> dict[str, str]:
    """Give an environment that names no station."""
    return {key: value for key, value in os.environ.items() if key != "HOTLINE_CONFIG"}


def test_the_recipe_makes_a_station_that_runs_as_its_unit_says(tmp_path: Path) -> None:
    """An operator who follows it to the letter must get a daemon that needs nothing else."""
    machine = Machine(tmp_path)
    before, unit, behind = recipe()
    init: list[str | Path] = [machine.bin / "hotline", "init", "bravo", "--dir", machine.copy]
    subprocess.run(init, env=environment(), stdout=subprocess.DEVNULL, timeout=LONG_S, check=True)
    assert all(line.startswith(ELSEWHERE) for line in behind)
    script = [machine.here(line) for line in before if not line.startswith(ELSEWHERE)]
    done = subprocess.run(
        ["sh", "-e", "-c", "\n".join(script)],
        cwd=machine.copy,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LONG_S,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout

    # As systemd starts it: in another folder, and the state folder stands already.
    service = unit["Service"]
    command = shlex.split(machine.here(service["ExecStart"]))
    mode = int(service["StateDirectoryMode"], 8)
    machine.state.chmod(mode)
    found = machine.holds()
    with start(command) as daemon:
        try:
            status = answered([*command[:-1], "status", "--json"], daemon)
            assert [line["name"] for line in status["lines"]] == ["bravo"]
            # A second station on this port could not start, today or tomorrow.
            second = [*command[:-3], "--config", str(machine.copy / "hotline.toml"), "run"]
            listen(machine.copy / "hotline.toml", machine.port)
            refused = subprocess.run(
                second, env=environment(), capture_output=True, timeout=LONG_S, check=False
            )
            assert refused.returncode == exits.USAGE == int(service["RestartPreventExitStatus"])
            daemon.terminate()
            assert daemon.wait(LONG_S) == exits.DONE
        finally:
            daemon.kill()
    assert machine.holds() == found, "the unit lets it write in the state folder alone"
    assert service["StateDirectory"] == "hotline"
    assert (machine.state / "store.db").exists()


def listen(config: Path, port: int) -> None:
    """Have a configuration listen at a port."""
    text = config.read_text()
    config.write_text(text.replace('# listen = ["0.0.0.0:1963"]', f'listen = ["127.0.0.1:{port}"]'))


def start(command: list[str]) -> subprocess.Popen[bytes]:
    """Start a daemon that says nothing here."""
    return subprocess.Popen(
        command,
        cwd="/",
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def answered(
    command: list[str], daemon: subprocess.Popen[bytes]
) -> dict[str, list[dict[str, str]]]:
    """Repeat a command until the daemon answers, and give what it says."""
    deadline = time.monotonic() + LONG_S
    while True:
        done = subprocess.run(
            command, cwd="/", env=environment(), capture_output=True, timeout=LONG_S, check=False
        )
        if done.returncode == exits.DONE:
            said: dict[str, list[dict[str, str]]] = json.loads(done.stdout)
            return said
        assert daemon.poll() is None, "the daemon has ended"
        assert time.monotonic() < deadline, done.stderr
        time.sleep(POLL_S)
