"""The least that two stations can do for a message, at the rhythm of the messages beside it.

    python -m bench.bare

reads for the peer: it prints its port and serves one connection. A message is made durable and signed
here, goes over loopback, and is verified and made durable there; nothing else is done to it. It goes
alone, with a rest before it, as what it stands beside: after one, a commit takes half as long again as
in a tight loop, and so does all else.
"""

from __future__ import annotations

import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from bench import floors
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

REST_S: Final = 0.002
"""Between one message and the next: this is no pipeline."""

_KEY: Final = Ed25519PrivateKey.from_private_bytes(bytes(32))
_HEAD: Final = bytes(200)
_SIGNED_BYTES: Final = len(_HEAD) + 64
_REST_OF_UNIT: Final = bytes(floors.UNIT_BYTES - _SIGNED_BYTES)
_STAMP_BYTES: Final = 8


@contextmanager
def _reader() -> Iterator[socket.socket]:
    with subprocess.Popen([sys.executable, "-m", "bench.bare"], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        with socket.create_connection(("127.0.0.1", port)) as conn:
            conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            yield conn


def one_at_a_time(times: int) -> float:
    """Give seconds from a message's beginning here until it is durable there, the median."""
    found = []
    with floors.database() as base, _reader() as conn:
        for _ in range(times):
            began = time.monotonic_ns()
            floors.commit(base, 1)
            conn.sendall(_HEAD + _KEY.sign(_HEAD) + _REST_OF_UNIT)
            stamp = floors.received(conn, _STAMP_BYTES)
            found.append(int.from_bytes(stamp, "big") - began)
            time.sleep(REST_S)
    return statistics.median(found) / 1e9


def main() -> None:
    """Verify and keep what comes, and say when that was done."""
    public = _KEY.public_key()
    with socket.create_server(("127.0.0.1", 0)) as server, floors.database() as base:
        print(server.getsockname()[1], flush=True)
        conn, _ = server.accept()
        with conn:
            conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while unit := floors.received(conn, floors.UNIT_BYTES):
                public.verify(unit[len(_HEAD) : _SIGNED_BYTES], unit[: len(_HEAD)])
                floors.commit(base, 1)
                conn.sendall(time.monotonic_ns().to_bytes(_STAMP_BYTES, "big"))


if __name__ == "__main__":
    main()
