"""Tells whoever is on watch what happens on the lines."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from hotline.daemon import views
from hotline.daemon.clock import moment
from hotline.daemon.watching import News, shown
from hotline.errors import HotlineError
from hotline.model import Side
from hotline.text import utc_microseconds

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from structlog.typing import FilteringBoundLogger

    from hotline.daemon.watching import Watches
    from hotline.line.effects import Report
    from hotline.line.line import Line

    Read = Callable[[Callable[..., Any]], Awaitable[Any]]


class Teller:
    """Makes events for all watches; what is not at hand is read from the store first."""

    def __init__(self, watches: Watches, read: Read, log: FilteringBoundLogger) -> None:
        """Tell watches; read gives what the store holds, and may fail."""
        self._watches = watches
        self._read = read
        self._log = log
        self._news = News()

    def tell(self, name: str, event: str, fields: dict[str, Any]) -> None:
        """Tell of one event of a line."""
        at = utc_microseconds(moment().wall_ns)
        self._watches.tell(name, {"event": event, "at": at, "line": name, **fields})

    def progress(self, line: Line, report: Report) -> None:
        """Tell what came on a line, or came to the peer, if anybody is on watch."""
        name = line.record.name
        if not len(self._watches):
            return
        if report.event == "entries_applied":
            fields = report.fields
            for view in self._news.put(name, fields["ids"], fields["flashes"], report.about):
                self.tell(name, "message", {"message": views.message(view)})
            if self._news.overflown:
                self._watches.let_go()
            for identifier in fields["acknowledged"]:
                self.tell(name, "acknowledged", {"id": identifier})
        elif report.event == "receipt_taken" and report.fields["messages"]:
            record = line.record
            fields = {key: report.fields[key] for key in ("number", "messages")}
            fields["waiting"] = record.queued + record.sealed - record.delivered
            self.tell(name, "delivered", {**fields, **views.drain(line, moment().now)})

    async def run(self) -> None:
        """Tell of new messages, one run after another, each by one read."""
        while True:
            name, ids, found = await self._news.take()
            try:
                found = found or await self._read(partial(shown, ids))
            except HotlineError as error:
                self._log.error("watch_read_failed", line=name, why=str(error))
                continue
            for view in found:
                if view.line == name and view.side is Side.PEER:
                    self.tell(name, "message", {"message": views.message(view)})
