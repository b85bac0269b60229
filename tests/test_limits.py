"""Limits: bounds that depend on each other must not drift apart."""

from __future__ import annotations

from hotline import limits
from hotline.model import Decision, Precedence
from hotline.wire import entries, frames, handshake, heads

LONGEST_ID = "i" * limits.ID_BYTES
LONGEST_NAME = "o" * limits.OPERATOR_BYTES


def test_a_unit_is_a_record_and_its_tag() -> None:
    """A unit of another size would be the one length that a watcher can see."""
    assert limits.RECORD_BYTES + limits.AEAD_TAG_BYTES == limits.UNIT_BYTES == 4096
    assert handshake.FIRST_MESSAGE_BYTES + handshake.MAC_BYTES == limits.UNIT_BYTES
    assert min(handshake.FIRST_PAYLOAD_BYTES, handshake.SECOND_PAYLOAD_BYTES) > 0


def test_the_longest_message_fits_its_encoding() -> None:
    """An operator's message of the promised size must not be refused for its header."""
    message = entries.Message(
        LONGEST_ID,
        Precedence.ROUTINE,
        2**64 - 1,
        2**64 - 1,
        LONGEST_NAME,
        "s" * limits.SUBJECT_BYTES,
        "b" * limits.MESSAGE_BYTES,
    )
    assert len(entries.encode(message)) <= limits.MESSAGE_ENCODED_BYTES


def test_the_longest_acknowledgement_fits_an_entry() -> None:
    """An acknowledgement is never cut into parts: it must fit, whatever the note."""
    answer = entries.Acknowledgement(
        LONGEST_ID,
        LONGEST_ID,
        frames.NUMBER_MAX,
        Decision.CANNOT,
        2**64 - 1,
        LONGEST_NAME,
        "n" * limits.NOTE_BYTES,
    )
    assert len(entries.encode(answer)) <= limits.ENTRY_BYTES


def test_the_largest_part_fits_an_entry() -> None:
    """A chunk that makes its entry too long could never be sent, and would block the line."""
    last = limits.MESSAGE_ENCODED_BYTES
    for chunk_bytes in (entries.CHUNK_BYTES, entries.SLOW_CHUNK_BYTES):
        part = entries.Part(
            LONGEST_ID, Precedence.ROUTINE, last - chunk_bytes, last, bytes(chunk_bytes)
        )
        size = len(entries.encode(part))
        assert size <= chunk_bytes + entries.PART_OVERHEAD_BYTES
        assert size <= limits.ENTRY_BYTES


def test_a_slow_part_fits_one_record() -> None:
    """On a slow link a FLASH may wait for one record, not for two."""
    last = limits.MESSAGE_ENCODED_BYTES
    chunk = bytes(entries.SLOW_CHUNK_BYTES)
    part = entries.encode(
        entries.Part(LONGEST_ID, Precedence.ROUTINE, last - len(chunk), last, chunk)
    )
    _, body = frames.encode(frames.Entries(frames.NUMBER_MAX - 1, (part,), bytes(64)))
    assert 4 + len(body) <= limits.RECORD_BYTES


def test_every_entry_fits_a_frame() -> None:
    """The largest entry must have a frame to travel in."""
    run = frames.Entries(1, (bytes(limits.ENTRY_BYTES),), bytes(64))
    assert len(frames.encode(run)[1]) <= limits.FRAME_BYTES


def test_renewal_comes_before_the_budget_ends() -> None:
    """A session that ran out of records before its successor stands would cut the line."""
    assert limits.RENEW_RECORDS < limits.RECORDS_PER_SESSION
    assert limits.RECORDS_PER_SESSION % limits.RECORDS_PER_KEY == 0
    carried = limits.RECORDS_PER_SESSION - limits.RENEW_RECORDS
    assert carried * limits.RECORD_BYTES > limits.IN_FLIGHT_BYTES


def test_degraded_comes_before_down() -> None:
    """An operator is to be warned before the line is called dead."""
    assert 0 < limits.MISSED_DEGRADED < limits.MISSED_DOWN
    assert limits.HEARTBEAT_MIN_S <= limits.HEARTBEAT_S <= limits.HEARTBEAT_MAX_S


def test_signed_texts_cannot_be_mistaken_for_each_other() -> None:
    """One label that begins another would let one signature stand for two statements."""
    labels = [heads.LOG_LABEL, heads.HEAD_LABEL, heads.RECEIPT_LABEL]
    assert not any(a != b and b.startswith(a) for a in labels for b in labels)
