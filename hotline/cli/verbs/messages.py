"""``hotline inbox`` and ``hotline outbox``: messages of one direction, newest last."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from hotline.cli import exits, rendering, station
from hotline.cli.terminal import print_json
from hotline.limits import PAGE_ROWS

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from hotline.cli.client import Client


def run(args: argparse.Namespace) -> int:
    """Do what ``hotline inbox`` or ``hotline outbox`` was asked."""
    client = station.connect(args)
    try:
        if args.all:
            for page in _all(args, client):
                _show(args, page)
        else:
            page, more = _newest(args, client)
            _show(args, page)
            if more and not args.json:
                sys.stdout.flush()
                print("hint: there are older ones: --limit N or --all", file=sys.stderr)
    finally:
        client.close()
    return exits.DONE


def _show(args: argparse.Namespace, page: list[dict[str, Any]]) -> None:
    if args.json:
        for message in page:
            print_json(rendering.stable(message))
    elif page:
        print("\n".join(rendering.summaries(page)))


def _all(args: argparse.Namespace, client: Client) -> Iterator[list[dict[str, Any]]]:
    """Give every message page by page: however many there are, one page is held at a time."""
    after, more = 0, True
    while more:
        page, more = _page(args, client, after=after, limit=PAGE_ROWS)
        if page:
            yield page
            after = page[-1]["row"]


def _newest(args: argparse.Namespace, client: Client) -> tuple[list[dict[str, Any]], bool]:
    """Give the newest messages, oldest first; a page may be cut short where bodies are large."""
    found: list[dict[str, Any]] = []
    more = True
    while more and len(found) < args.limit:
        before = {"before": found[0]["row"]} if found else {}
        page, more = _page(args, client, limit=min(PAGE_ROWS, args.limit - len(found)), **before)
        found = page + found
    return found, more


def _page(
    args: argparse.Namespace, client: Client, **cursor: int
) -> tuple[list[dict[str, Any]], bool]:
    params: dict[str, Any] = {"open": args.open, **cursor}
    if args.line is not None:
        params["line"] = args.line
    result = client.call(args.box, params)
    page = result["messages"]
    # An empty page that promises more would be asked for for ever.
    return page, bool(result["more"]) and bool(page)
