"""Every bound and timeout, with its reason. Protocol constants come first: both stations share them.

Changing a protocol constant makes another protocol; changing a local one makes another temper.
"""

from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB

# --- protocol: the same at both stations, named in docs/protocol.md ---------------------------------

UNIT_BYTES: Final = 4096
"""Every unit on the wire: one memory page; no length field to attack, no message length to see."""

AEAD_TAG_BYTES: Final = 16
"""AES-256-GCM's tag; also the size of the mac that ends the first handshake unit."""

RECORD_BYTES: Final = UNIT_BYTES - AEAD_TAG_BYTES
"""Plaintext in one record."""

HASH_BYTES: Final = 64
"""SHA-512: heads and handshake hashes."""

STATION_ID_BYTES: Final = 32
ED25519_SIGNATURE_BYTES: Final = 64
MLDSA_SIGNATURE_BYTES: Final = 4627

RECORDS_PER_KEY: Final = 1024
"""Records under one key before Rekey(): 4 MiB, so a stolen key opens little."""

RECORDS_PER_SESSION: Final = 2**20
"""Records one way in one session: far below AES-GCM's bound, and forward secrecy stays fresh."""

ENTRY_BYTES: Final = 8 * KIB
"""One entry: small enough that a FLASH waits for one at most, large enough for an order."""

MESSAGE_BYTES: Final = MIB
"""One message's body."""

MESSAGE_ENCODED_BYTES: Final = MESSAGE_BYTES + 2 * KIB
"""One message's whole encoding: body, subject, names."""

SUCCESSION_BYTES: Final = 18 * KIB
"""A new card with the signatures of four keys: three of ML-DSA-87 are most of it."""

KEY_CHANGES: Final = 256
"""How often one station may change its keys on a line: each is kept and carried along for ever."""

CHAIN_ENTRIES: Final = 2**17
"""Entries that one piece of evidence may lead over, from what it shows to what was signed."""

FRAME_BYTES: Final = 128 * KIB
"""One frame's body: a run of entries large enough to share one signature among hundreds."""

IN_FLIGHT_BYTES: Final = MIB
"""Entry bytes sent and not yet receipted: what a reader must be ready to hold in memory."""

ENTRIES_PER_FRAME: Final = 1024
"""Entries in one run."""

ID_BYTES: Final = 64
SUBJECT_BYTES: Final = 256
OPERATOR_BYTES: Final = 64
NOTE_BYTES: Final = 1024
REASON_BYTES: Final = 512

PART_BYTES: Final = KIB
"""Every part of a message but the last carries this at least: parts cost more than their bytes."""

COURIER_KEY_BYTES: Final = 6427
"""A signed courier key, encoded: most of it is an ML-DSA-87 signature."""

COURIER_MIN_BYTES: Final = 32 * KIB
COURIER_BYTES: Final = 2 * MIB
"""The least and the most that is sealed in one courier file; sizes between are doublings of the least.

The most still fits in one request to the control socket, and stays below what recovery can give back
between two signatures.
"""

COURIER_FILE_BYTES: Final = COURIER_BYTES + 2 * KIB
"""The most that is read of a courier file: its header and what sealing adds stand beside the rest."""

HEARTBEAT_MIN_S: Final = 0.05
HEARTBEAT_MAX_S: Final = 60.0
"""Slower than this, `up` would mean too little."""

MISSED_DEGRADED: Final = 2
MISSED_DOWN: Final = 3
"""Intervals without authenticated bytes after which a line is called degraded, and down."""

# --- this station's own temper ---------------------------------------------------------------------

DEFAULT_PORT: Final = 1963
"""The year of the first hotline."""

HEARTBEAT_S: Final = 5.0

PASSPHRASE_BYTES: Final = KIB
"""A key file's passphrase in UTF-8: a long sentence, and a bound on what a descriptor may feed us."""

PASSPHRASE_CHARACTERS: Final = 12
"""The shortest passphrase that may be set."""

KEY_MEMORY_MIN_KIB: Final = 8 * KIB
KEY_MEMORY_MAX_KIB: Final = MIB
"""What a key file may ask for its passphrase: a gibibyte is as much as a small machine can spare."""

KEY_PASSES_MAX: Final = 64
KEY_LANES_MAX: Final = 16

KEY_WORK_MAX_KIB: Final = 4 * MIB
"""Memory times passes: some ten seconds of work, whatever a key file says."""

VERIFY_DAYS: Final = 365
"""A pair code is to be compared anew after this: operators change, and so do the voices they know."""

KEY_DAYS: Final = 730
"""Keys are to be replaced after this."""

REMIND_DAYS: Final = 30
"""So many days ahead, status says what will be due."""

HANDSHAKE_TIMEOUT_S: Final = 10.0
"""From connect to both attestations; also when a stranger's connection closes."""

DIAL_TIMEOUT_S: Final = 10.0
"""One TCP connect; a slow satellite path needs a second or two."""

SIMULTANEOUS_S: Final = 10.0
"""Two sessions made within this of each other count as dialled at the same time."""

SESSION_S: Final = 3600.0
"""A session is renewed after this, so that stolen session keys open an hour at most."""

RENEW_RECORDS: Final = RECORDS_PER_SESSION * 3 // 4
"""Renewal starts here: the rest of the budget carries traffic while the new session is made."""

RENEW_GRACE_S: Final = 60.0
"""The station that did not dial renews this much later, so that both do not renew at once."""

RETIRE_S: Final = 10.0
"""A replaced session stays so long at most: until the other side shows that it uses the new one."""

BACKOFF_FIRST_S: Final = 0.5
BACKOFF_MAX_S: Final = 30.0

CLOSE_TIMEOUT_S: Final = 1.0
"""For the close frame to leave; the whole stop stays under 2 s."""

PENDING_TOTAL: Final = 256
PENDING_PER_SOURCE: Final = 64
"""Connections that have not proven who they are: the oldest yields, to make room for the peer."""

PENDING_EXPECTED: Final = 2
"""So many of them, from each address that a peer is expected from, do not yield to others."""

LINKS_PER_LINE: Final = 16
"""Connections of one line at once: two are needed; more is an attack, and the oldest yields."""

REPLAYS_REMEMBERED: Final = 4096
"""First handshake units that verified, remembered per line: a recorded one is answered by silence."""

RUNS_HELD: Final = 65536
"""Runs of entries that wait for the disk at once: one short entry costs more than its bytes."""

RETURNED_FRAMES: Final = 1024
"""Frames in which one run of a lost log may come back: as many full ones are thirty times too many."""

COMMITS_WAITING: Final = 4096
"""Of one line, before the disk: what a peer asks for waits in memory, however little it says."""

RECEIVE_BYTES: Final = 64 * KIB
"""One read from a socket."""

SEND_BYTES: Final = 64 * KIB
"""Records handed to a socket at a time; what waits behind them can still be overtaken."""

WINDOW_TARGET_S: Final = 0.25
"""In-flight entries should be receipted within this of the line's best: more only queues in routers."""

WINDOW_LEAST_S: Final = 0.03
"""On a fast line they should come sooner, but no sooner than this: a few commits of a sound disk."""

STORE_STALLED_S: Final = 3.0
"""A commit that takes longer means a stuck disk: the peer is told that nothing is taken in."""

CLOCK_DIFFERS_S: Final = 5.0
"""Clocks that differ by more are shown as such; nothing else depends on them."""

NO_PROGRESS_S: Final = 10.0
"""Entries waiting this long with no receipt make a line degraded."""

CHECKPOINT_S: Final = 10.0
"""Between two checkpoints of one line at least: a post-quantum signature costs a millisecond."""

CHECKPOINT_ROUND_TRIPS: Final = 100
"""Between two checkpoints at least, on a link so slow that this is longer: each takes two records."""

CALM_S: Final = 1.0
"""From a new session's agreement to its first checkpoint at least: what waited for it goes first."""

CALM_ROUND_TRIPS: Final = 5
"""The same on a slow link: there what waited takes long, and what comes between takes a second each."""

CHECKPOINT_TAKEN_S: Final = 2.0
"""Between two checkpoints taken in: a peer that sends more has only the newest looked at."""

CHECKPOINT_LAST_S: Final = 0.5
"""How long a goodbye waits for the last checkpoint; the whole stop stays under 2 s."""

CHECKPOINT_KEPT_ENTRIES: Final = 1024
"""One checkpoint is kept for about so many entries: a later one covers what an earlier one did."""

UNSENT_BYTES: Final = 4 * MIB
"""What may wait for a peer that does not read; more, and its session ends."""

QUEUE_MESSAGES: Final = 1_000_000
QUEUE_BYTES: Final = 4096 * MIB
"""Default bounds of one line's queue; a full queue refuses."""

DISK_RESERVE_BYTES: Final = 64 * MIB
"""Free disk below which new messages are refused, so that what was accepted can still be sealed."""

INCOMING_RESERVE_BYTES: Final = 32 * MIB
"""Free disk below which the peer's entries are refused: what is left is for acknowledging them."""

CONTROL_REQUEST_BYTES: Final = 4 * MIB
"""One JSON-RPC line: a batch, or one message of a mebibyte escaped."""

CONTROL_CLIENTS: Final = 64
"""Operators' commands served at once."""

CONTROL_LASTING: Final = 48
"""Of these, waits and watches: the other places are for who asks and goes, `status` or `retry` say."""

BATCH_MESSAGES: Final = 1024
"""Messages in one `send` request."""

PAGE_ROWS: Final = 1000
"""Rows in one inbox or outbox answer."""
