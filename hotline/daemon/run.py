"""``hotline run``: the daemon from its configuration to its exit code."""

from __future__ import annotations

import ctypes
import errno
import gc
import resource
import signal
import socket
import sys
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import trio

from hotline.daemon import config as configuration
from hotline.daemon import control, control_socket, logs
from hotline.daemon.folder import state_folder
from hotline.daemon.identity import Identity
from hotline.daemon.machine import this_machine
from hotline.daemon.patient_listener import PatientListener
from hotline.daemon.station import Station
from hotline.errors import ConfigError, HotlineError, StoreInUseError
from hotline.store.sqlite import SqliteStore
from hotline.text import reason

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from hotline.daemon.config import StationConfig
    from hotline.daemon.logs import Logs
    from hotline.daemon.machine import Machine
    from hotline.identity.keyfile import PassphraseSource
    from hotline.store.interface import Store

DONE: Final = 0
STORE_FAILED: Final = 1

_PR_SET_DUMPABLE: Final = 4
"""From linux/prctl.h, for Python has no word for it."""

THREAD_SWITCH_S: Final = 0.0005
"""How long one thread may keep the interpreter from another: the event loop gives it up for every
record it opens, and at Python's 5 ms it would get it back only when the store's thread lets it."""

_CURES: Final = {
    errno.EADDRINUSE: "another program listens there, which `ss -ltnp` shows",
    errno.EADDRNOTAVAIL: "this machine has not that address: `ip address` shows which it has",
    errno.EACCES: "a port below 1024 needs CAP_NET_BIND_SERVICE: choose a higher one",
}

NEW_OBJECTS: Final = 10_000
"""How many may be made before Python looks for cycles among them: a batch makes some thousands, which
are needed until it is committed, and at Python's 700 it would look through them again and again."""


def main(config: StationConfig, passphrase: PassphraseSource | None = None) -> int:
    """Run the daemon of a configuration; gives its exit code. passphrase is asked if the key has one.

    Raises HotlineError if it cannot start.
    """
    _keep_memory_private()
    _set_limits()
    sys.setswitchinterval(THREAD_SWITCH_S)
    gc.freeze()  # the program itself is never garbage: looking through it would take milliseconds
    gc.set_threshold(NEW_OBJECTS)
    identity = Identity(config, passphrase)
    state_folder(config)
    try:
        store = SqliteStore.open(config.store_path, station_id=identity.card.id)
    except StoreInUseError:
        raise  # the log is that of the daemon which has the store
    except HotlineError:
        with _last_words(config):
            raise
    with _last_words(config) as log:
        try:
            return trio.run(work, config, identity, store, log, this_machine())
        finally:
            store.close()


@contextmanager
def _last_words(config: StationConfig) -> Iterator[Logs]:
    """Give the log, which tells in the end why the daemon has failed, if it has."""
    log = logs.setup(config)
    try:
        yield log
    except BaseException as error:  # noqa: BLE001 - its cause is raised
        raise _first_cause(error, log) from None
    finally:
        log.close()


def _keep_memory_private() -> None:
    """Leave no core file, and let no process but root's read this one's memory: it holds the keys.

    The limit alone is passed over where core_pattern is a pipe, as for systemd-coredump.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_DUMPABLE, ctypes.c_ulong(0)) != 0:
        raise OSError(ctypes.get_errno(), "core files cannot be switched off")


def _set_limits() -> None:
    """Take all descriptors that may be had: the usual 1024 are few for a station with many lines."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _first_cause(cause: BaseException, log: Logs) -> BaseException:
    """Give what ended the daemon, and log it.

    Tasks run side by side, so trio tells of it in groups; and what is raised in a callback of trio's
    it calls a fault of its own.
    """
    while isinstance(cause, BaseExceptionGroup | trio.TrioInternalError):
        inner = cause.exceptions[0] if isinstance(cause, BaseExceptionGroup) else cause.__cause__
        if inner is None:
            break
        cause = inner
    if isinstance(cause, HotlineError):
        why, hint, trace = str(cause), cause.hint, None
    else:
        why, hint, trace = "a fault in this program", "report what stands here", cause
    if isinstance(cause, Exception):
        log.daemon.critical("daemon_failed", why=why, hint=hint, exc_info=trace)
    return cause


async def work(
    config: StationConfig, identity: Identity, store: Store, log: Logs, machine: Machine
) -> int:
    """Be the daemon, on a machine, until it is stopped or its store fails; gives its exit code.

    Raises HotlineError if it cannot start, maybe in a group.
    """
    station = Station(config, identity, store, log, machine)
    operators = control.Control(station, log.daemon)
    with machine.signals(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:

        async def serve(nursery: trio.Nursery) -> None:
            nursery.start_soon(_obey, signals, station, log)
            await _open_doors(nursery, station, operators, log, machine)
            path = config.control_path
            doors.callback(control_socket.remove, path, control_socket.standing(path))

        with ExitStack() as doors:
            await station.run(serve)
    if station.failure is not None:
        return STORE_FAILED
    log.daemon.info("daemon_stopped")
    return DONE


async def _open_doors(
    nursery: trio.Nursery,
    station: Station,
    operators: control.Control,
    log: Logs,
    machine: Machine,
) -> None:
    """Listen for callers and operators; raises ConfigError if a socket cannot be made."""
    for address in station.config.listen:
        try:
            listeners = await machine.listen(address)
        except OSError as error:
            raise ConfigError(
                f"cannot listen on {address}: {reason(error)}",
                hint=f"{_cure(error)}; see station.listen in the configuration",
            ) from None
        doors = [PatientListener(one, str(address), log.daemon) for one in listeners]
        _open(nursery, doors, station.call)
        log.daemon.info("listening", address=str(address))
    door = PatientListener(
        machine.listen_control(station.config.control_path), "control", log.daemon
    )
    _open(nursery, [door], operators.serve)


def _cure(error: OSError) -> str:
    """Say what helps where this station cannot listen."""
    if isinstance(error, socket.gaierror):
        return "no such name is known here: write an address of this machine, or 0.0.0.0 for all"
    return _CURES.get(error.errno or 0, "choose another address")


def _open(
    nursery: trio.Nursery,
    doors: list[PatientListener],
    serve: Callable[[trio.SocketStream], Awaitable[object]],
) -> None:
    nursery.start_soon(partial(trio.serve_listeners, serve, doors))
    for door in doors:
        nursery.start_soon(door.tell)


async def _obey(signals: AsyncIterator[int], station: Station, log: Logs) -> None:
    """SIGTERM and SIGINT stop; SIGHUP reads the configuration anew."""
    async with trio.open_nursery() as nursery:
        async for number in signals:
            if number == signal.SIGHUP:
                nursery.start_soon(_reload, station, log)
            else:
                station.stop_asked.set()


async def _reload(station: Station, log: Logs) -> None:
    try:
        await station.reload(configuration.load(station.config.path))
    except HotlineError as error:
        fields: dict[str, Any] = {"why": str(error), "hint": error.hint}
        log.daemon.error("config_not_reloaded", **fields)
