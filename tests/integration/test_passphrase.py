"""A real daemon whose key is under a passphrase: how it gets it, and that it shows nowhere."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

from hotline.identity import Protection, read_secret_keys
from hotline.identity.keyfile import replace_secret_keys
from hotline.identity.keyseal import Cost
from support.processes import hotline, seen_of
from support.stations import Station, Stations

PASSPHRASE = "wombat quokka numbat bilby"
CHEAP = Cost(8192, 1, 1)


def protect(station: Station) -> None:
    """Put a station's key under the passphrase."""
    path = station.folder / f"{station.name}.key"
    protection = Protection(PASSPHRASE.encode(), os.urandom, CHEAP)
    replace_secret_keys({path: read_secret_keys(path)}, protection)


def credentials(station: Station, passphrase: str) -> tuple[str, ...]:
    """Make a credentials directory as systemd does; gives the command that puts it before a verb.

    LoadCredential= with User=: a directory of mode 0500 and a file of mode 0400, both the service
    user's. No service manager runs in these tests: what it would do is done by hand.
    """
    folder = station.folder / "credentials"
    folder.mkdir()
    file = folder / "hotline-passphrase"
    file.write_text(passphrase + "\n")
    file.chmod(0o400)
    folder.chmod(0o500)
    return ("env", f"CREDENTIALS_DIRECTORY={folder}")


def everything_shown(station: Station) -> bytes:
    """Give what the daemon wrote, its arguments, and all that its operators can ask."""
    shown = station.stderr.read_bytes()
    shown += b"".join(path.read_bytes() for path in station.state.glob("*.jsonl"))
    shown += Path(f"/proc/{station.running.process.pid}/cmdline").read_bytes()
    for verb in ("status", "status --json", "key show", "key show --json", "peer list --json"):
        done = station.hotline(*verb.split())
        shown += (done.out + done.err).encode()
    return shown


def test_no_secret_shows_anywhere(stations: Stations) -> None:
    """Whoever may read logs, or runs ps, must not become the station; nor learn a line's secret."""
    alpha, bravo = stations.pair()
    protect(alpha)
    alpha.inside = credentials(alpha, PASSPHRASE)
    alpha.start()
    bravo.start()
    alpha.up("bravo")
    shown = everything_shown(alpha)
    seeds = read_secret_keys(alpha.folder / "alpha.key", lambda _: PASSPHRASE.encode()).seeds()
    secrets = (PASSPHRASE.encode(), *(seed.hex().encode() for seed in seeds), *seeds)
    assert not any(secret in shown for secret in secrets)
    assert b"daemon_started" in shown
    environment = seen_of(alpha.running.process.pid, "environ").read_bytes()
    assert not any(secret in environment for secret in secrets)
    assert alpha.stop() == 0


def test_an_unattended_daemon_without_its_passphrase_says_what_is_missing(
    stations: Stations,
) -> None:
    """A daemon that waits for a prompt nobody sees would look like one that hangs."""
    alpha = stations.make("alpha")
    protect(alpha)
    done = hotline("--config", alpha.path, "run")
    assert done.code == 2
    assert "alpha.key is protected by a passphrase" in done.err
    assert "--passphrase-fd N" in done.err
    before = credentials(alpha, "not the passphrase")
    failed = subprocess.run(
        [*before, *hotline_command(alpha), "run"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert failed.returncode == 2
    assert "does not open" in failed.stderr
    assert "not the passphrase" not in failed.stderr
    assert not alpha.state.exists(), "nothing is made by a start that fails"


def hotline_command(station: Station) -> list[str]:
    return [sys.executable, "-m", "hotline", "--config", str(station.path)]


def open_files(station: Station) -> list[str]:
    """Give what a daemon's descriptors lead to, but for those that it closes meanwhile."""
    found = []
    for descriptor in seen_of(station.running.process.pid, "fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found.append(str(descriptor.readlink()))
    return found


def test_a_daemon_takes_it_from_a_descriptor(stations: Stations) -> None:
    """A supervisor of another kind hands it over a pipe; the descriptor is not kept open."""
    alpha = stations.make("alpha")
    protect(alpha)
    (alpha.folder / "given").write_text(PASSPHRASE)
    script = f'exec "$@" --passphrase-fd 7 7<{alpha.folder}/given'
    alpha.inside = ("sh", "-c", script, "sh")
    alpha.start()
    alpha.await_logged("daemon_started")
    opened = open_files(alpha)
    assert any("daemon.jsonl" in name for name in opened), "the descriptors are those of the daemon"
    assert not any(name.endswith("/given") for name in opened)
    assert alpha.stop() == 0


def test_a_daemon_leaves_no_core_file(stations: Stations) -> None:
    """It would hold the keys; and so would what another process of this user reads of the memory."""
    alpha = stations.make("alpha")
    # Told from within, before its doors open: to root all processes look the same from outside.
    alpha.inside = (sys.executable, "-c", TELL_DUMPABLE, str(alpha.folder / "dumpable"))
    alpha.start()
    alpha.await_logged("daemon_started")
    assert (alpha.folder / "dumpable").read_text() == "0"
    limits = Path(f"/proc/{alpha.running.process.pid}/limits").read_text()
    [core] = [line for line in limits.splitlines() if line.startswith("Max core file size")]
    assert core.split()[4:6] == ["0", "0"]
    assert alpha.stop() == 0


TELL_DUMPABLE = """
import ctypes, sys
from pathlib import Path
from hotline.cli.main import main
from hotline.daemon import run

def tell(*arguments, work=run.work):
    Path(sys.argv[1]).write_text(str(ctypes.CDLL(None).prctl(3)))  # PR_GET_DUMPABLE
    return work(*arguments)

run.work = tell
sys.exit(main(sys.argv[5:]))  # behind: python -m hotline
"""
