"""Evidence out of two real stations, checked where there is no station at all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

from support.processes import until

if TYPE_CHECKING:
    from pathlib import Path

    from support.stations import Station, Stations

REFUSED = 5


def elsewhere(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``hotline`` in a folder with nothing of a station in it."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("HOTLINE")}
    return subprocess.run(
        [sys.executable, "-m", "hotline", *arguments],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def has_checkpoint(station: Station, line: str) -> bool:
    """Tell whether a station holds both signers' checkpoints."""
    (told,) = station.json("log", "verify", line)
    return bool(told["own_checkpoints"] and told["peer_checkpoints"])


def test_both_stations_prove_one_message_to_a_third(stations: Stations, tmp_path: Path) -> None:
    """Promise 6: with the two cards and a file, and nothing else, on any machine."""
    alpha, bravo = stations.running_pair()
    sent = alpha.hotline(
        *("send", "bravo", "Aircraft off course \u202e", "--id", "air-7", "--precedence", "flash"),
        *("--wait", "delivered"),
    )
    assert sent.code == 0, sent.err
    acked = bravo.hotline("ack", "air-7", "--decision", "wilco", "--note", "holding")
    assert acked.code == 0, acked.err
    alpha.settled("bravo")
    bravo.settled("alpha")
    until(
        "both stations hold both checkpoints",
        lambda: has_checkpoint(alpha, "bravo") and has_checkpoint(bravo, "alpha"),
    )
    # The last words of a stop cover all that was said.
    assert alpha.stop() == 0
    bravo.when("alpha", state="down")

    cards = []
    for station, line in ((alpha, "bravo"), (bravo, "alpha")):
        target = tmp_path / f"{station.name}.evidence"
        done = station.hotline("evidence", "export", "air-7", "-o", str(target))
        assert done.code == 0, done.err
        assert target.stat().st_mode & 0o077 == 0
        again = station.hotline("evidence", "export", "air-7", "-o", str(target))
        assert again.code == 2
        whole = tmp_path / f"{station.name}.run"
        done = station.hotline("log", "export", line, "--side", "peer", "-o", str(whole))
        assert done.code == 0, done.err
        card = tmp_path / f"{station.name}.card"
        card.write_text(station.hotline("card").out)
        cards += ["--card", card.name]

    for station in (alpha, bravo):
        name = f"{station.name}.evidence"
        told = elsewhere(tmp_path, "evidence", "verify", name, *cards)
        assert told.returncode == 0, told.stderr
        assert "Both cards are the ones that you gave" in told.stdout
        assert "\u202e" not in told.stdout
        found = json.loads(elsewhere(tmp_path, "evidence", "verify", name, "--json").stdout)
        assert (found["writer"]["name"], found["reader"]["name"]) == ("alpha", "bravo")
        assert [one["decision"] for one in found["acknowledgements"]] == ["wilco"]
        assert found["writer_checkpoint"]["message"]
        assert found["reader_checkpoint"]["message"]
        run = elsewhere(tmp_path, "evidence", "verify", f"{station.name}.run", "--entries")
        assert run.returncode == 0, run.stderr

    spoilt = tmp_path / "spoilt.evidence"
    text = (tmp_path / "alpha.evidence").read_text()
    spoilt.write_text(text.replace("will comply", "cannot comply"))
    refused = elsewhere(tmp_path, "evidence", "verify", spoilt.name)
    assert (refused.returncode, refused.stdout) == (REFUSED, "")
    assert refused.stderr.startswith("hotline: the page")
    stranger = stations.make("charlie")
    card = tmp_path / "charlie.card"
    card.write_text(stranger.hotline("card").out)
    refused = elsewhere(tmp_path, "evidence", "verify", "alpha.evidence", "--card", card.name)
    assert refused.returncode == REFUSED


def test_a_log_is_checked_beside_a_daemon_at_work_and_without_one(stations: Stations) -> None:
    """A check for which the line must be stopped is one that is never made."""
    alpha, bravo = stations.running_pair()
    for number in range(3):
        assert alpha.hotline("send", "bravo", f"message {number}").code == 0
    alpha.settled("bravo")
    done = alpha.hotline("log", "verify")
    assert done.code == 0, done.err
    assert "bravo: all is as it was signed" in done.out
    alpha.kill()
    assert alpha.hotline("log", "verify", "bravo").code == 0
    alpha.start()
    alpha.up("bravo")
    assert alpha.hotline("log", "verify", "charlie").code == REFUSED
    (told,) = bravo.json("log", "verify", "alpha")
    assert (told["verified"], told["fault"]) == (True, None)
    assert told["peer_entries"] >= 3
