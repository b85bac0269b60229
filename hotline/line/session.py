"""One session: from the first handshake unit to close, without a socket.

    HANDSHAKE   ->  ATTEST   ->  OPEN  ->  CLOSED
    Noise units     ML-DSA       frames

Bytes from the socket go in at ``receive``, frames for the line come out; frames to the peer go in at
``push``, bytes for the socket come out at ``pull``. Nothing but the attestation is sent or accepted
before both attestations verify. Any RemoteError from here means: close the connection, answer nothing.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Final

from hotline.errors import LocalMisuseError, ProtocolError
from hotline.limits import IN_FLIGHT_BYTES, RENEW_RECORDS, UNIT_BYTES
from hotline.noise.handshakestate import HandshakeState
from hotline.noise.protocol import parse_protocol_name
from hotline.wire import frames, handshake
from hotline.wire.records import RecordReader, RecordWriter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hotline.line.pairing import Pairing
    from hotline.noise.ephemerals import Ephemerals

PROTOCOL: Final = parse_protocol_name(handshake.PROTOCOL_NAME)


class Stage(enum.Enum):
    """How far a session has come."""

    HANDSHAKE = "handshake"
    ATTEST = "attest"
    OPEN = "open"
    CLOSED = "closed"


class Session:
    """One TCP connection's protocol state; ``initiator`` says which side dialled."""

    def __init__(self, pairing: Pairing, ephemerals: Ephemerals, *, initiator: bool) -> None:
        """Stand before the first unit; an initiator's is ready to be pulled."""
        self.initiator = initiator
        self.stage = Stage.HANDSHAKE
        self._pairing = pairing.calling() if initiator else pairing
        self._ephemerals = ephemerals
        self._noise: HandshakeState
        self._unit = bytearray()
        self._raw = b""
        self._attested = False
        self._writer: RecordWriter | None = None
        self._reader: RecordReader | None = None
        if initiator:
            self._begin_handshake()
            message = self._noise.write_message(bytes(handshake.FIRST_PAYLOAD_BYTES))
            self._raw = handshake.seal_first(message, self._pairing.calling_mac_key)

    @property
    def own_id(self) -> bytes:
        """The station id of ours that this session is with; known once the handshake has begun."""
        return self._pairing.own.id

    @property
    def peer_id(self) -> bytes:
        """The peer's."""
        return self._pairing.peer.id

    @property
    def is_open(self) -> bool:
        """Tell whether both attestations verified and the session has not ended."""
        return self.stage is Stage.OPEN

    @property
    def answered(self) -> str:
        """Say how far the answer to our call has come; empty if nothing has."""
        if self.stage is not Stage.HANDSHAKE:
            return "an answer came, without an attestation"
        return f"{len(self._unit)} bytes of an answer came" if self._unit else ""

    @property
    def has_pending(self) -> bool:
        """Tell whether ``pull`` would give bytes."""
        waits = bool(self._raw) or self.unsent_bytes > 0
        return waits or (self._writer is not None and not self._attested)

    @property
    def unsent_bytes(self) -> int:
        """Plaintext that waits to be pulled."""
        return self._writer.pending_bytes if self._writer is not None else 0

    @property
    def is_spent(self) -> bool:
        """Tell whether the record budget ends before what waits to be pulled."""
        return self._writer is not None and self._writer.overdrawn

    @property
    def records_opened(self) -> int:
        """Records of the peer that opened under the session's key: the only proof of life."""
        return self._reader.records if self._reader is not None else 0

    @property
    def wants_renewal(self) -> bool:
        """Tell whether so many records have passed that a new session should be made."""
        return (
            max(
                self._writer.records if self._writer else 0,
                self._reader.records if self._reader else 0,
            )
            >= RENEW_RECORDS
        )

    def receive(self, data: bytes) -> Iterator[frames.Frame]:
        """Give the frames that data completes; raises RemoteError, and then the session is over.

        The first is the peer's Attest, verified: from then on the session is open. The generator
        must be used up, or abandoned together with the session.
        """
        if self._reader is None:
            data = self._receive_unit(data)
        if self._reader is not None and data:
            for frame_type, body in self._reader.feed(data):
                yield self._admit(frames.decode(frame_type, body))

    def push(self, frame: frames.Frame) -> None:
        """Queue a frame for the peer; only while open."""
        if self._writer is None or self.stage is not Stage.OPEN:
            raise LocalMisuseError("a frame was pushed on a session that is not open")
        self._attest(self._writer)
        self._writer.push(*frames.encode(frame))

    def pull(self, most_bytes: int) -> bytes:
        """Give bytes for the socket: whole units, at most most_bytes but one unit at least."""
        if self._raw:
            raw, self._raw = self._raw, b""
            return raw
        if self._writer is None:
            return b""
        self._attest(self._writer)
        return self._writer.pull(most_bytes)

    def last_words(self) -> bytes:
        """Give all that still waits for the socket, as far as the record budget goes."""
        try:
            waits = self._raw or self.unsent_bytes
            return self.pull(2 * IN_FLIGHT_BYTES) if waits else b""
        except ProtocolError:
            return b""

    def _receive_unit(self, data: bytes) -> bytes:
        """Collect one handshake unit and work it through; give what follows it."""
        missing = UNIT_BYTES - len(self._unit)
        self._unit += data[:missing]
        if len(self._unit) < UNIT_BYTES:
            return b""
        unit = bytes(self._unit)
        self._unit.clear()
        if self.initiator:
            handshake.check_padding(self._noise.read_message(unit))
        else:
            self._pairing = self._pairing.called_by(unit) or self._pairing
            self._begin_handshake()
            message = unit[: handshake.FIRST_MESSAGE_BYTES]
            handshake.check_padding(self._noise.read_message(message))
            self._raw = self._noise.write_message(bytes(handshake.SECOND_PAYLOAD_BYTES))
        self._begin_records()
        return data[missing:]

    def _begin_handshake(self) -> None:
        pairing = self._pairing
        self._noise = HandshakeState(
            PROTOCOL,
            initiator=self.initiator,
            prologue=pairing.prologue(initiator=self.initiator),
            ephemerals=self._ephemerals,
            s=pairing.keys.x25519,
            rs=pairing.peer.x25519,
            psks=(pairing.psk,),
        )

    def _begin_records(self) -> None:
        to_responder, to_initiator = self._noise.split()
        outward, inward = (
            (to_responder, to_initiator) if self.initiator else (to_initiator, to_responder)
        )
        self._writer, self._reader = RecordWriter(outward), RecordReader(inward)
        self.stage = Stage.ATTEST

    def _attest(self, writer: RecordWriter) -> None:
        """Put our attestation before all else, as late as possible: the peer works on meanwhile.

        To sign takes a millisecond, for which the second unit of the handshake had to wait.
        """
        if self._attested:
            return
        self._attested = True
        signature = self._pairing.attest(
            initiator=self.initiator, handshake_hash=self._noise.get_handshake_hash()
        )
        writer.push(*frames.encode(frames.Attest(signature)))

    def _admit(self, frame: frames.Frame) -> frames.Frame:
        """Hold frames to the stage that the session is in."""
        if self.stage is Stage.ATTEST:
            if not isinstance(frame, frames.Attest):
                raise ProtocolError(f"{type(frame).__name__} came before the attestation")
            self._pairing.verify_attestation(
                frame.signature,
                initiator=not self.initiator,
                handshake_hash=self._noise.get_handshake_hash(),
            )
            self.stage = Stage.OPEN
            return frame
        if self.stage is Stage.CLOSED:
            raise ProtocolError(f"{type(frame).__name__} came after close")
        if isinstance(frame, frames.Attest):
            raise ProtocolError("a second attestation came")
        if isinstance(frame, frames.Close):
            self.stage = Stage.CLOSED
        return frame
