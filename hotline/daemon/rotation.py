"""Changing this station's keys on all of its lines, and knowing when the old ones are over.

The files are the intent: once a succession stands beside the card, every start takes it up, whatever
happened in between. Each line then announces it in its log, once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import trio

from hotline.daemon.clock import moment
from hotline.errors import RefusedError, StoreError, StoreFullError
from hotline.identity.successors import FIRST
from hotline.limits import KEY_CHANGES
from hotline.line import key_changes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hotline.daemon.identity import Identity
    from hotline.daemon.runner import Runner

_AGAIN_S: Final = 5.0


def check(identity: Identity, runners: Sequence[Runner]) -> int:
    """Give the number of the next keys; raises RefusedError if they may not be made now."""
    if len(identity.successions) >= KEY_CHANGES:
        raise RefusedError(
            "rotations-used-up",
            f"this station has changed its keys {KEY_CHANGES} times, which is all that a line takes",
            hint="make a new station, and have its card pinned",
        )
    for runner in runners:
        line = runner.line
        if line.halt is not None or line.record.recovering:
            raise RefusedError(
                "halted",
                f"line {line.record.name} is halted or recovers: its peer could not be told",
                hint="see `hotline status`, and change the keys once it is up again",
            )
        if line.key_changes.state == "pending":
            raise RefusedError(
                "rotation-under-way",
                f"the peer of line {line.record.name} has not confirmed the last change of keys",
                hint="wait until it has: see `hotline status`; if that peer will not come back, take "
                f"its line out of the configuration, or `hotline peer revoke {line.record.name}`",
            )
    return len(identity.successions) + FIRST


async def take_up(identity: Identity, runner: Runner) -> None:
    """Have a line announce all keys of ours that its log does not name yet, once the disk has room."""
    while True:
        try:
            return await _take_up(identity, runner)
        except StoreFullError:
            await trio.sleep(_AGAIN_S)
        except StoreError:
            return None  # the daemon ends, and says why; its next start takes them up


async def _take_up(identity: Identity, runner: Runner) -> None:
    line, number, wall_ns = runner.line, runner.line.record.line, moment().wall_ns
    for generation in identity.generations:
        at = line.pairing.owns.index(generation.card.id)
        if at is not None and line.pairing.owns[at].number is not None:
            continue  # it stands in the log, or is what the line was founded under
        if at is None and not _follows(identity, runner, generation.card.id):
            continue  # older than what the line was founded under
        succession = identity.succession_to(generation.card)
        line.key_changes.prepare(generation.card, generation.keys)
        await runner.request(
            lambda tx, one=succession: key_changes.begin(tx, number, one, wall_ns),  # type: ignore[misc]
            line.recorded,
            fetch=True,
        )


def _follows(identity: Identity, runner: Runner, station_id: bytes) -> bool:
    ids = [generation.card.id for generation in identity.generations]
    return ids.index(station_id) > ids.index(runner.line.pairing.own.id)


def status(identity: Identity, runners: Sequence[Runner]) -> dict[str, Any] | None:
    """Give what status shows of the last change of keys; None if there never was one."""
    if not identity.successions:
        return None
    waiting = [
        runner.line.record.name for runner in runners if runner.line.key_changes.state == "pending"
    ]
    return {
        "number": len(identity.generations),
        "waiting": waiting,
        "old_keys": [str(path) for path in identity.old_key_files],
    }


class OldKeys:
    """Says that the old keys are over, once each time that nobody is waited for any longer."""

    def __init__(self, identity: Identity, warning: Callable[..., None]) -> None:
        """Log with warning; at a start too, if old keys are still here.

        Whoever was waited for may have been revoked or removed while no daemon ran.
        """
        self._logged_as = warning
        self._waited = bool(identity.old_key_files)

    def note(self, identity: Identity, runners: Sequence[Runner]) -> None:
        """Lines may end now, and with them a wait: should be called before, and ``look`` after."""
        found = status(identity, runners)
        self._waited = self._waited or (found is not None and bool(found["waiting"]))

    def confirmed(self) -> None:
        """A peer has confirmed, and so was waited for: ``look`` should be called next."""
        self._waited = True

    def look(self, identity: Identity, runners: Sequence[Runner]) -> None:
        """Say that the old keys are over, if somebody was waited for and nobody is any more."""
        found = status(identity, runners)
        if self._waited and found is not None and not found["waiting"]:
            self._waited = False
            warning = self._logged_as
            warning("old_keys_ended", number=found["number"], files=found["old_keys"])
