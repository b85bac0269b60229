"""Checkpoints of both stations, evidence of messages before and after keys changed, runs of logs."""

from __future__ import annotations

import io
from dataclasses import replace
from hashlib import sha512
from typing import TYPE_CHECKING

from hotline.evidence import runs
from hotline.evidence.excerpt import Excerpt, ReceiptOver
from hotline.evidence.file import write
from hotline.evidence.proof import Evidence
from hotline.evidence.signers import Signers
from hotline.line.pairing import Pairing
from hotline.model import Checkpoint, Decision, Position, Precedence
from hotline.wire import entries, heads
from support.vectors.entries import SHORT, TEST, parts
from support.vectors.fixed import ALPHA, BRAVO, NOW_NS, Json, Station
from support.vectors.succession import SUCCESSOR, change

if TYPE_CHECKING:
    from collections.abc import Sequence

ANSWER = entries.Acknowledgement(
    "ack.1.wilco", SHORT.id, 1, Decision.WILCO, NOW_NS + 9, "petrov", "tracking"
)


class _Log:
    """One station's log for the other, and what both have signed of it."""

    def __init__(self, writer: Station, reader: Station, said: Sequence[entries.Entry]) -> None:
        self.writer = Pairing(writer.keys, writer.card, reader.card)
        self.reader = Pairing(reader.keys, reader.card, writer.card)
        self.zero = self.writer.own_zero
        self.data = [entries.encode(one) for one in said]
        self.heads = [self.zero, *heads.chain(self.zero, self.data)]

    def place(self, number: int) -> Position:
        return Position(number, self.heads[number])

    def excerpt(self, shown: int, signed: int, receipted: int, last: int) -> Excerpt:
        receipt = self.reader.sign_receipt(self.place(receipted), NOW_NS + 5)
        return Excerpt(
            shown,
            self.heads[shown - 1],
            b"".join(sha512(one).digest() for one in self.data[shown - 1 : last]),
            (shown,),
            (self.data[shown - 1],),
            signed,
            self.writer.sign_head(self.place(signed)),
            ReceiptOver(receipted, NOW_NS + 5, receipt),
        )


def make() -> Json:
    """Give all of it; alpha has written, bravo has answered."""
    sent = _Log(ALPHA, BRAVO, [SHORT, *parts(), TEST])
    back = _Log(BRAVO, ALPHA, [TEST, ANSWER])
    end = len(sent.data)
    by_alpha = _checkpoint(ALPHA, sent, sent.place(end), back, back.place(2))
    by_bravo = _checkpoint(BRAVO, back, back.place(1), sent, sent.place(2))
    evidence = Evidence(
        Signers(ALPHA.card),
        Signers(BRAVO.card),
        (),
        (),
        sent.excerpt(1, 1, 2, end),
        back.excerpt(2, 2, 2, 2),
        by_alpha,
        by_bravo,
    ).encode()
    return {
        "checkpoints": [
            {
                "signer": name,
                "own_number": one.own.number,
                "own_head": one.own.head,
                "peer_number": one.peer.number,
                "peer_head": one.peer.head,
                "time_ns": one.time_ns,
                "signature": one.signature,
            }
            for name, one in (("alpha", by_alpha), ("bravo", by_bravo))
        ],
        "evidence": evidence,
        "evidence_file": write(evidence).decode(),
        "run": _run(sent, by_alpha, by_bravo, back),
        **_changed(),
    }


def _changed() -> Json:
    """Give a message that alpha wrote after its keys had changed, and the log that holds both."""
    succession = change()
    whole = entries.encode(entries.KeyChange(entries.key_change_id(SUCCESSOR.card.id), succession))
    said = [
        entries.Part(entries.key_change_id(SUCCESSOR.card.id), Precedence.IMMEDIATE, *place)
        for place in (
            (at, len(whole), whole[at : at + entries.CHUNK_BYTES])
            for at in range(0, len(whole), entries.CHUNK_BYTES)
        )
    ]
    log = _Log(ALPHA, BRAVO, [TEST, *said, SHORT])
    last, end = len(said) + 1, len(said) + 2
    shown = Excerpt(
        2,
        log.heads[1],
        b"".join(sha512(one).digest() for one in log.data[1:last]),
        tuple(range(2, last + 1)),
        tuple(log.data[1:last]),
        last,
        log.writer.sign_head(log.place(last)),
        None,
    )
    zero, head = log.zero, log.heads[end]
    signature = SUCCESSOR.keys.sign_ed25519(heads.head_message(zero, end, head))
    message = replace(log.excerpt(end, end, end, end), signature=signature)
    signers = Signers(ALPHA.card, [succession], [last]), Signers(BRAVO.card)
    evidence = Evidence(*signers, (shown,), (), message, None, None, None).encode()
    header = (ALPHA.card.encoded, BRAVO.card.encoded, (succession,), (), 1, zero)
    run = b"".join(
        (
            runs.MAGIC,
            runs.piece(runs.HEADER, runs.TAG, *header),
            runs.piece(runs.ENTRIES, tuple(log.data[:last])),
            runs.piece(runs.SIGNATURE, shown.signature),
            runs.piece(runs.ENTRIES, tuple(log.data[last:])),
            runs.piece(runs.SIGNATURE, signature),
            runs.piece(runs.END, end),
        )
    )
    runs.check(io.BytesIO(run))
    return {
        "evidence_after_a_key_change": evidence,
        "evidence_after_a_key_change_file": write(evidence).decode(),
        "run_with_a_key_change": run,
        "key_change_ends_at": last,
    }


def _checkpoint(
    signer: Station, own: _Log, at: Position, peer: _Log, other: Position
) -> Checkpoint:
    message = heads.checkpoint_message(own.zero, at, peer.zero, other, NOW_NS + 7)
    signature = signer.sign_mldsa(message, heads.CHECKPOINT_CONTEXT)
    return Checkpoint(at, other, NOW_NS + 7, signature)


def _run(sent: _Log, by_alpha: Checkpoint, by_bravo: Checkpoint, back: _Log) -> bytes:
    """Give alpha's whole log as a file: cut at what was signed."""
    file = io.BytesIO()
    end = len(sent.data)
    receipt = sent.reader.sign_receipt(sent.place(2), NOW_NS + 5)
    for piece in (
        runs.MAGIC,
        runs.piece(
            *(runs.HEADER, runs.TAG, ALPHA.card.encoded, BRAVO.card.encoded, (), (), 1, sent.zero)
        ),
        runs.piece(runs.ENTRIES, tuple(sent.data[:2])),
        runs.piece(runs.SIGNATURE, sent.writer.sign_head(sent.place(2))),
        runs.piece(runs.RECEIPT, NOW_NS + 5, receipt),
        runs.piece(runs.READERS, 1, back.heads[1], by_bravo.time_ns, by_bravo.signature),
        runs.piece(runs.ENTRIES, tuple(sent.data[2:])),
        runs.piece(runs.SIGNATURE, sent.writer.sign_head(sent.place(end))),
        runs.piece(runs.WRITERS, 2, back.heads[2], by_alpha.time_ns, by_alpha.signature),
        runs.piece(runs.END, end),
    ):
        file.write(piece)
    runs.check(io.BytesIO(file.getvalue()))
    return file.getvalue()
