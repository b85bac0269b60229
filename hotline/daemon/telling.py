"""Tells whoever is on watch what happens on the lines."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from hotline.daemon import views
from hotline.daemon.clock import moment
from hotline.daemon.watching import News, shown
from hotline.errors import HotlineError, StoreDamagedError
from hotline.model import Side, spelled
from hotline.text import utc_microseconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from structlog.typing import FilteringBoundLogger

    from hotline.daemon.questions import Questions
    from hotline.daemon.watching import Run, Watches
    from hotline.line.effects import Report
    from hotline.line.line import Line
    from hotline.store.views import MessageView


class Teller:
    """Makes events for all watches; what is not at hand is read from the store first."""

    def __init__(self, watches: Watches, questions: Questions, log: FilteringBoundLogger) -> None:
        """Tell watches what happens, and what questions find in the store."""
        self._watches = watches
        self._questions = questions
        self._log = log
        self._news = News()

    def tell(self, name: str, event: str, fields: dict[str, Any]) -> None:
        """Tell of one event of a line."""
        at = utc_microseconds(moment().wall_ns)
        self._watches.tell(name, {"event": event, "at": at, "line": name, **fields})

    def progress(self, line: Line, report: Report) -> None:
        """Tell what came on a line, or came to the peer, if anybody is on watch."""
        name = line.record.name
        if not self._watches.attended(name):
            return
        if report.event == "entries_applied":
            fields = report.fields
            for one in self._news.put(name, fields["ids"], fields["flashes"], report.about):
                self.tell(name, "message", {"message": views.message(one.view())})
            if self._news.overflown:
                self._watches.let_go()
            for identifier, answer in report.answers:
                told = {"acknowledged_by": answer.operator, "decision": spelled(answer.decision)}
                self.tell(name, "acknowledged", {"id": identifier, **told})
        elif report.event == "receipt_taken" and report.fields["messages"]:
            record = line.record
            fields = {key: report.fields[key] for key in ("number", "messages")}
            fields["waiting"] = record.queued + record.sealed - record.delivered
            self.tell(name, "delivered", {**fields, **views.drain(line, moment().now)})

    async def run(self) -> None:
        """Tell of new messages, one run after another, each by one read."""
        while True:
            run = await self._news.take()
            found = [one.view() for one in run.arrivals] or await self._find(run)
            for view in found:
                self.tell(run.line, "message", {"message": views.message(view)})

    async def _find(self, run: Run) -> list[MessageView]:
        """Give the messages of a run; of each that cannot be read, that is told instead."""
        try:
            found, damaged = await self._questions.read_round(partial(shown, run.ids))
        except HotlineError as error:
            self._missed(run, run.ids, error)
            return []
        ours = [view for view in found if view.line == run.line and view.side is Side.PEER]
        gone = set(run.ids) - {view.id for view in ours}
        for one in damaged:
            if one.id in gone:
                gone.discard(one.id)
                self._missed(run, [one.id], one.error)
        if gone:  # so damaged that nothing is found under their ids
            lost = StoreDamagedError("the store does not find under its id what came a moment ago")
            self._questions.damaged(lost)
            self._missed(run, [one for one in run.ids if one in gone], lost)
        return ours

    def _missed(self, run: Run, ids: Sequence[str], error: HotlineError) -> None:
        """Tell that messages came and cannot be shown: who is on watch relies on seeing all."""
        self._log.error("watch_read_failed", line=run.line, why=str(error))
        fields = {"ids": list(ids), "flash": run.flash, "why": str(error), "hint": error.hint}
        self.tell(run.line, "missed", fields)
