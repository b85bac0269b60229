"""What lines report: traced, checked, and searched for rare paths."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sim.runner import Runner
    from sim.world import World

    from hotline.line.effects import Report

_QUIET = {"heartbeat"}
_MARKS = {
    "session_cut": "a session was cut",
    "store_full": "entries were refused for want of room",
}


class Reports:
    """Listens to every line."""

    def __init__(self, world: World) -> None:
        self.world = world

    def reported(self, runner: Runner, report: Report) -> None:
        """A line has something to tell."""
        world, event, fields = self.world, report.event, report.fields
        if event in _QUIET:
            return
        world.trace(runner.station.name, runner.peer, event, _short(fields))
        if event == "session_agreed":
            self._agreed(runner, fields)
        elif event == "session_closed" and fields["code"] == "stopped":
            world.mark("a peer said that it stops")
        elif event in _MARKS:
            world.mark(_MARKS[event])
        elif event == "session_failed":
            world.checker.failed(runner, fields)
        elif event == "line_halted":
            world.checker.halts(runner, fields)
        elif event == "message_expired" and runner.line.links.current is None:
            world.mark("expired while down")
        elif event in {"recovery_begun", "line_recovered"}:
            world.recovering.reported(runner, event)
        elif event == "key_change_confirmed":
            world.rotation.confirmed(runner)

    def _agreed(self, runner: Runner, fields: Mapping[str, Any]) -> None:
        world, line = self.world, runner.line
        receipt = line.record.receipt.number if line.record.receipt else 0
        if fields["peer_has"] > receipt:
            world.mark("a receipt was lost")
        if fields["peer_has"] < fields["own_number"]:
            world.mark("entries were sent again")
        partial = runner.station.store._database.execute(
            "SELECT count(*) FROM message WHERE line = ? AND queueing = 1", (line.record.line,)
        ).get
        if partial:
            world.mark("resumed inside a long message")
        before = runner.agreed
        if before is not None and before != fields["conn"] and before in line.links.by_conn:
            world.mark("renewal")
            if runner.sending:
                world.mark("renewal while sending")
        runner.agreed = fields["conn"]
        other = world.runner(runner.peer, runner.station.identity)
        if other is not None and len(line.links.by_conn) > 1 and other.line.links.dialling:
            world.mark("simultaneous dial")


def _short(fields: Mapping[str, Any]) -> str:
    return " ".join(f"{key}={value}" for key, value in fields.items() if key != "line")
