"""The product's Pairing and Session, with a witness: what was signed, and what left for the peer."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from hotline.identity import SecretKeys
from hotline.identity.courierkey import CourierSecret
from hotline.line.pairing import Pairing
from hotline.line.session import Session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sim.station import Station

    from hotline.model import KeyChange, Position
    from hotline.wire.frames import Frame


@cache
def _courier_secret(seeds: tuple[bytes, bytes, bytes]) -> CourierSecret:
    """Derive once what many lives of a station have."""
    return CourierSecret(SecretKeys.from_seeds(*seeds))


class WatchedPairing(Pairing):
    """Tells the checker of each signature, and knows whose it is."""

    def __init__(self, station: Station, peer_name: str, keys: Any, own: Any, peer: Any) -> None:
        super().__init__(keys, own, peer)
        self.station = station
        self.peer_name = peer_name

    @property
    def courier_secret(self) -> CourierSecret:
        return _courier_secret(self.keys.seeds())

    def sign_head(self, position: Position, changes: Sequence[KeyChange] = ()) -> bytes:
        signature = super().sign_head(position, changes)
        self.station.world.checker.signed_head(self, position, signature)
        return signature

    def sign_receipt(self, position: Position, time_ns: int) -> bytes:
        self.station.world.checker.signed_receipt(self, position)
        return super().sign_receipt(position, time_ns)


class WatchedSession(Session):
    """Tells the checker of each frame that leaves."""

    def push(self, frame: Frame) -> None:
        pairing = self._pairing
        if isinstance(pairing, WatchedPairing):
            pairing.station.world.checker.leaves(pairing, frame)
        super().push(frame)
