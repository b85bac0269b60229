"""What a station's files must be before any line of theirs works: its own, private, and each once."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

from hotline.daemon.folder import state_folder
from hotline.daemon.identity import Identity
from hotline.daemon.pairings import pair
from hotline.errors import ConfigError
from support.home import Home


@pytest.mark.parametrize("mode", [0o750, 0o705, 0o710, 0o770, 0o777])
def test_a_state_folder_that_others_may_enter_is_refused(home: Home, mode: int) -> None:
    """Store, logs and control socket lie there: who may look in may have been there already."""
    folder = home.folder / "state"
    config = replace(home.config, state=folder)
    assert state_folder(config).stat().st_mode & 0o777 == 0o700
    folder.chmod(mode)
    with pytest.raises(ConfigError, match="is open to others than this user") as caught:
        state_folder(config)
    assert caught.value.hint.startswith(f"chmod 700 {folder}")


def test_two_lines_of_one_card_are_refused(home: Home) -> None:
    """One log would be written by two lines, each sure to be the only one."""
    lines = home.lines("bravo", "charlie", north=home.line("north", "bravo")).lines
    identity = Identity(home.config)
    with pytest.raises(ConfigError, match="the lines bravo and north have the same card, bravo's"):
        pair(identity, lines)
    assert list(pair(identity, lines[:2])) == ["bravo", "charlie"]


def test_the_card_of_another_key_is_refused(home: Home) -> None:
    """What this station signs would be by keys that no peer has pinned: its record would be denied."""
    other = replace(home.config, key=home.folder / "bravo.key")
    with pytest.raises(ConfigError, match="of alpha does not belong to key") as caught:
        Identity(other)
    assert caught.value.hint == "restore the pair that was made together"
    home.succeed("alpha")
    assert len(Identity(home.config).generations) == 2
    shutil.copy(home.folder / "charlie.key", home.folder / "alpha.2.key")
    with pytest.raises(ConfigError, match="does not belong to key"):
        Identity(home.config)
