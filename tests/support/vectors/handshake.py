"""Whole handshakes with fixed keys, up to both attestations: without and with a line secret."""

from __future__ import annotations

from hotline.line.session import Session
from support.vectors.fixed import ALPHA, BRAVO, LINE_SECRET, FixedPairing, Json, ephemerals

INITIATOR_E = bytes([0x11]) * 32
RESPONDER_E = bytes([0x22]) * 32
KEM_SEED = bytes(range(64))
KEM_M = bytes([0x33]) * 32


def make() -> Json:
    """Give two handshakes in which alpha calls bravo, and one in which bravo calls alpha."""
    return {
        "initiator_x25519": INITIATOR_E,
        "initiator_mlkem1024_seed": KEM_SEED,
        "responder_x25519": RESPONDER_E,
        "responder_mlkem1024_m": KEM_M,
        "handshakes": [
            _handshake("alpha", b""),
            _handshake("alpha", LINE_SECRET),
            _handshake("bravo", b""),
        ],
    }


def _handshake(caller: str, line_secret: bytes) -> Json:
    first, second = (ALPHA, BRAVO) if caller == "alpha" else (BRAVO, ALPHA)
    calling = FixedPairing(first, second, line_secret)
    initiator = Session(calling, ephemerals(INITIATOR_E, KEM_SEED), initiator=True)
    responder = Session(
        FixedPairing(second, first, line_secret),
        ephemerals(RESPONDER_E, kem_m=KEM_M),
        initiator=False,
    )
    units = [initiator.pull(4096)]
    assert list(responder.receive(units[0])) == []
    units.append(responder.pull(4096))
    answer = responder.pull(2**20)
    list(initiator.receive(units[1] + answer))
    question = initiator.pull(2**20)
    list(responder.receive(question))
    assert initiator.is_open
    assert responder.is_open
    return {
        "initiator": first.name,
        "responder": second.name,
        "line_secret": line_secret,
        "psk": calling.psk,
        "mac_key": calling.calling_mac_key,
        "first_unit": units[0],
        "second_unit": units[1],
        "handshake_hash": initiator._noise.get_handshake_hash(),
        "responder_attestation": answer,
        "initiator_attestation": question,
    }
