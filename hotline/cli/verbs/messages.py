"""``hotline inbox`` and ``hotline outbox``: messages of one direction, newest last."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from hotline.cli import rendering, station
from hotline.cli.terminal import advise, print_json
from hotline.limits import PAGE_ROWS

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from hotline.cli.client import Client


def run(args: argparse.Namespace) -> int:
    """Do what ``hotline inbox`` or ``hotline outbox`` was asked."""
    client = station.connect(args)
    damaged: list[dict[str, Any]] = []
    try:
        if args.all:
            for page in _all(args, client):
                _show(args, page)
                damaged += page.damaged
        else:
            page = _newest(args, client)
            _show(args, page)
            damaged += page.damaged
            if page.more and not args.json:
                sys.stdout.flush()
                advise("there are older ones: --limit N or --all")
    finally:
        client.close()
    return rendering.tell_damaged(damaged)


class Page(NamedTuple):
    """Messages in order, those among them that are damaged, and whether there are more."""

    messages: list[dict[str, Any]]
    damaged: list[dict[str, Any]]
    more: bool

    @property
    def rows(self) -> list[int]:
        """The rows that this page answers for."""
        return [one["row"] for one in self.messages + self.damaged]


def _show(args: argparse.Namespace, page: Page) -> None:
    if args.json:
        for message in page.messages:
            print_json(rendering.stable(message))
        return
    # A table that only leaves something out looks whole.
    gaps = [rendering.gap(one) for one in page.damaged]
    if rows := sorted(page.messages + gaps, key=lambda message: message.get("row", 0)):
        print("\n".join(rendering.summaries(rows)))


def _all(args: argparse.Namespace, client: Client) -> Iterator[Page]:
    """Give every message page by page: however many there are, one page is held at a time."""
    after, more = 0, True
    while more:
        page = _page(args, client, after=after, limit=PAGE_ROWS)
        more = page.more
        if page.rows:
            yield page
            if min(page.rows) <= after:
                raise client.strange(f"{args.box}: a page that does not go on")
            after = max(page.rows)


def _newest(args: argparse.Namespace, client: Client) -> Page:
    """Give the newest messages, oldest first; a page may be cut short where bodies are large."""
    found = Page([], [], more=True)
    while found.more and len(found.rows) < args.limit:
        before = {"before": min(found.rows)} if found.rows else {}
        limit = min(PAGE_ROWS, args.limit - len(found.rows))
        page = _page(args, client, limit=limit, **before)
        if page.rows and found.rows and max(page.rows) >= min(found.rows):
            raise client.strange(f"{args.box}: a page that does not go on")
        found = Page(page.messages + found.messages, page.damaged + found.damaged, page.more)
    return found


def _page(args: argparse.Namespace, client: Client, **cursor: int) -> Page:
    params: dict[str, Any] = {"open": args.open, "skip_damaged": True, **cursor}
    if args.line is not None:
        params["line"] = args.line
    result = client.call(args.box, params)
    page = Page(result["messages"], result.get("damaged") or [], bool(result["more"]))
    # An empty page that promises more would be asked for for ever.
    return page._replace(more=page.more and bool(page.rows))
