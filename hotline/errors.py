"""The exception tree: every failure says what happened, to what, and what to do.

The first level says whose fault it is, because that decides what may follow: the peer's fault ends
a session, the store's fault ends the daemon, the operator's request is refused and nothing changes.
"""


class HotlineError(Exception):
    """Any failure that Hotline foresees.

    ``str(error)`` is one lower-case line without a full stop; ``hint`` says what to do, or is empty.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class ConfigError(HotlineError):
    """The configuration file cannot be used as it stands."""


class IdentityError(HotlineError):
    """A key file, card or line secret cannot be used as it stands."""


class RefusedError(HotlineError):
    """The operator's request was refused and nothing was changed.

    ``code`` is a stable word for programs (``queue-full``, ``unknown-line``, ``id-in-use`` ...).
    """

    def __init__(self, code: str, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.code = code


class RemoteError(HotlineError):
    """Bytes from the other end of a connection broke a rule; that session ends."""


class DecodeError(RemoteError):
    """Bytes from outside do not have the one form that the protocol allows."""


class HandshakeError(RemoteError):
    """A handshake message did not verify: a stranger, a wrong card, or damage on the way."""


class RecordError(RemoteError):
    """A record did not open under the session's key."""


class ProtocolError(RemoteError):
    """An authenticated peer did what the protocol forbids."""


class HaltError(HotlineError):
    """The two stations' records disagree; the line stops until an operator acts.

    ``code`` is a stable word: ``fork``, ``own-log-lost``, ``own-key-missing``, ``peer-log-lost``,
    ``peer-broke-rules``, ``revoked``.
    """

    def __init__(self, code: str, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.code = code


class EvidenceError(HotlineError):
    """What was to be proven is not: a file or a log is damaged, forged or not complete."""


class StoreError(HotlineError):
    """The store failed; after anything but a subclass below, the daemon must sign nothing more."""


class StoreFullError(StoreError):
    """The disk has no room: the transaction was rolled back and may be tried again later."""


class StoreDamagedError(StoreError):
    """A row is not as it was written, in a file that is sound otherwise.

    It is the trouble of the question that met it, and of no other: every daemon that starts goes on
    beside such a row, until somebody looks at it. (A transaction that meets one is a StoreError.)
    """

    def __init__(self, message: str) -> None:
        super().__init__(
            message,
            hint="the other messages can be read; see what to do when a store is damaged, in"
            " docs/operations.md",
        )


class StoreInUseError(StoreError):
    """Another daemon holds this store."""


class LocalMisuseError(AssertionError):
    """This program broke its own rules: a bug, never a reaction to input."""
