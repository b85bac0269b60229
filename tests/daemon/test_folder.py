"""The state folder: for one user only, and still there after a power loss."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hotline.daemon.folder import state_folder
from hotline.errors import ConfigError
from support.syncs import watch_syncs

if TYPE_CHECKING:
    from support.home import Home


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Give what is synced, in order."""
    paths: list[Path] = []
    watch_syncs(monkeypatch, paths.append)
    return paths


def test_the_name_of_a_new_state_folder_is_durable(
    home: Home, tmp_path: Path, synced: list[Path]
) -> None:
    """A power loss would take the folder away, and every message in it that was called queued."""
    folder = tmp_path / "var" / "lib" / "state"
    state_folder(replace(home.config, state=folder))
    assert synced == [tmp_path, tmp_path / "var", tmp_path / "var" / "lib"]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    synced.clear()
    state_folder(replace(home.config, state=folder))
    assert synced == [tmp_path / "var" / "lib"], "who made it may have died before it was synced"


def test_a_folder_inside_of_a_closed_one_may_be_used(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A daemon may go through a folder that it may not read, as other services' often are."""
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)

    def refuse(*_: object) -> int:
        raise PermissionError

    monkeypatch.setattr(os, "open", refuse)
    assert state_folder(replace(home.config, state=folder)) == folder


def test_what_is_made_above_it_is_another_stations_to_use(home: Home, tmp_path: Path) -> None:
    """The demo keeps its state in state/alpha, and a station that is made beside it has state/."""
    tmp_path.chmod(0o755)
    above = tmp_path / "state"
    state_folder(replace(home.config, state=above / "alpha"))
    assert state_folder(replace(home.config, state=above)) == above
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755, "what was there is left as it is"


def test_one_that_others_may_open_is_refused_with_its_cure(home: Home, tmp_path: Path) -> None:
    """Said to the letter, the hint is all that it takes."""
    folder = tmp_path / "state"
    folder.mkdir()
    folder.chmod(0o755)
    config = replace(home.config, state=folder)
    with pytest.raises(ConfigError) as caught:
        state_folder(config)
    assert caught.value.hint.startswith(f"chmod 700 {folder},")
    folder.chmod(0o700)
    assert state_folder(config) == folder
