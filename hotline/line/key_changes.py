"""Changing keys while the line goes on: by an entry in the log, with an overlap until it is confirmed.

    we                                   the peer
    queue the succession
    seal it, signed by the old keys  ->  checks it, makes it durable
    (from here the new keys sign)    <-  receipt: this confirms it
    call under the new identity      ->  agrees: refuses the old one for good

Before the receipt either identity may carry a session, so that no crash and no lost receipt can leave
the two without one that both know.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hotline.errors import HaltError, IdentityError
from hotline.identity.succession import Succession, check_fresh
from hotline.limits import KEY_CHANGES
from hotline.line.accepting import digest
from hotline.line.lineage import Generation
from hotline.model import KeyChange, Kind, Outgoing, Precedence, Side
from hotline.wire import entries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hotline.identity import Card, SecretKeys
    from hotline.line.context import Context
    from hotline.line.links import Link, Links
    from hotline.line.moment import Moment
    from hotline.line.pairing import Pairing
    from hotline.model import LineRecord
    from hotline.store.interface import Transaction

URGENCY = Precedence.IMMEDIATE
"""Before all but a FLASH: keys may be changed because they were stolen."""


def begin(tx: Transaction, line: int, succession: Succession, wall_ns: int) -> LineRecord:
    """Queue the change to a new card of ours; to ask again is harmless."""
    record = tx.line(line)
    identifier = entries.key_change_id(succession.card.id)
    if tx.digests(line, [identifier]):
        return record
    content = entries.encode(entries.KeyChange(identifier, succession.encoded))
    known = digest(Kind.KEY_CHANGE, URGENCY)
    tx.enqueue(line, [Outgoing(identifier, Kind.KEY_CHANGE, URGENCY, content, known, wall_ns)])
    record = replace(record, queued_bytes=record.queued_bytes + len(content))
    tx.put_line(record)
    return record


def remember(
    pairing: Pairing,
    record: LineRecord,
    owns: Sequence[KeyChange],
    peers: Sequence[KeyChange],
) -> None:
    """Stand where the store does: should be called once, before the line starts.

    What was found in files is there already. Raises IdentityError if no key of ours is left that may
    sign what follows in our log.
    """
    for lineage, changes in ((pairing.owns, owns), (pairing.peers, peers)):
        for place, change in enumerate(changes):
            if lineage.index(change.id) is None:
                last = lineage.index(changes[place - 1].id) if place else 0
                cards = lineage.cards[: (last or 0) + 1]
                lineage.add(Generation(Succession.decode(change.succession, cards).card))
            lineage.changed(change)
    receipted = record.receipt.number if record.receipt is not None else 0
    for index in range(1, len(pairing.owns)):
        number = pairing.owns[index].number
        if number is not None and number <= receipted:
            pairing.owns.end_before(index)
    newest, *later = list(pairing.owns)[pairing.owns.newest_in_log :]
    # The old ones sign nothing behind the change, whether or not the peer has heard of it.
    if all(one.keys is None for one in (newest, *later)):
        raise IdentityError(
            f"the secret key of this station's card {newest.card.id.hex()[:16]} is not here",
            hint="restore the key files from their backup",
        )


def own_change(pairing: Pairing, entry: entries.KeyChange, number: int) -> KeyChange:
    """Give the change that ends at number of our own log; raises HaltError if its card is not here."""
    for card in pairing.owns.cards:
        if entries.key_change_id(card.id) == entry.id:
            return KeyChange(number, card.id, entry.succession)
    raise HaltError(
        "own-key-missing",
        f"entry {number} of our log changes to keys that are not on this machine",
        hint="restore the key files from their backup",
    )


def peers_succession(
    pairing: Pairing, changes: list[KeyChange], entry: entries.KeyChange, number: int
) -> Succession:
    """Give the succession in entry number of the peer's log, which has these changes before it.

    Raises IdentityError for one that the peer may not announce.
    """
    if len(changes) >= KEY_CHANGES:
        raise IdentityError(f"its keys have changed {KEY_CHANGES} times")
    last = pairing.peers.in_force(changes, number)
    succession = Succession.decode(entry.succession, pairing.peers.cards[: last + 1])
    check_fresh(succession.card, pairing.owns.cards)
    if entry.id != entries.key_change_id(succession.card.id):
        raise IdentityError("its id is not that of its card")
    return succession


class KeyChanges:
    """Both stations' changes on one line: what they mean for its sessions."""

    def __init__(self, context: Context, links: Links) -> None:
        """Stand where the store does."""
        self._context = context
        self._links = links
        self._confirmed = self._newest_confirmed(0)

    @property
    def state(self) -> str | None:
        """Give ``pending``, or ``confirmed`` once the peer has our newest keys; or None."""
        owns = self._context.pairing.owns
        if len(owns) == 1:
            return None
        return "confirmed" if self._is_confirmed(len(owns) - 1) else "pending"

    def _is_confirmed(self, index: int) -> bool:
        number, receipt = self._context.pairing.owns[index].number, self._context.record.receipt
        return number is not None and receipt is not None and number <= receipt.number

    def _newest_confirmed(self, least: int) -> int:
        """Give the newest of our identities, from least on, that the peer has confirmed; or least."""
        newest = len(self._context.pairing.owns) - 1
        return next((n for n in range(newest, least, -1) if self._is_confirmed(n)), least)

    def prepare(self, card: Card, keys: SecretKeys | None) -> None:
        """We have new keys, and can answer with them from now on."""
        self._context.pairing.owns.add(Generation(card, keys))

    def check(self, moment: Moment) -> None:
        """Go over to new keys once the peer has confirmed them; should be called after anything."""
        owns, current = self._context.pairing.owns, self._links.current
        newest = self._newest_confirmed(self._confirmed)
        if newest > self._confirmed:
            self._confirmed = newest
            owns.end_before(newest)
            self._context.report(
                "key_change_confirmed", level="warning", id=owns[newest].card.id.hex()
            )
        if current is not None and current.outdated_at is None and self._is_outdated(current):
            current.outdated_at = moment.now

    def _between(self, link: Link) -> tuple[int | None, int | None]:
        """Give which identities a session is between, by index: ours, the peer's."""
        pairing, session = self._context.pairing, link.session
        ids = (session.own_id, session.peer_id) if session is not None else (b"", b"")
        return pairing.owns.index(ids[0]), pairing.peers.index(ids[1])

    def _is_outdated(self, link: Link) -> bool:
        pairing = self._context.pairing
        if len(pairing.owns) == len(pairing.peers) == 1:
            return False  # nobody's keys have changed
        own, peer = self._between(link)
        return (own or 0) < pairing.owns.oldest or (peer or 0) < pairing.peers.newest_in_log

    def session_opened(self, link: Link) -> bool:
        """Both attestations verified: tells whether it is between identities that are not over.

        Who answers to our new name has taken it in, whether or not the receipt has come.
        """
        pairing = self._context.pairing
        own, peer = self._between(link)
        if own is None or peer is None or peer < pairing.peers.oldest or own < pairing.owns.oldest:
            self._context.report("session_outdated", conn=link.conn)
            return False
        pairing.call_answered()
        pairing.owns.end_before(own)
        return True

    def session_agreed(self, link: Link) -> None:
        """This session carries the line: what the peer was before is refused from now on."""
        peers, (_, peer) = self._context.pairing.peers, self._between(link)
        if peer is None or not peers.end_before(peer):
            return
        line, station_id = self._context.line, peers[peer].card.id
        self._context.report("peer_keys_ended", level="warning", id=station_id.hex())
        # Not on a full disk: it is in force here, and the first session after a restart ends it anew.
        self._context.commit(
            lambda tx: tx.end_card_before(line, Side.PEER, station_id), lambda *_: None
        )
