/*
 * Delivery over one line, as hotline/line/ does it: docs/model/README.md maps each step to the code.
 *
 * Two stations, 0 and 1, each with its own log and its copy of the other's. What is durable survives a
 * crash, what is volatile does not. A session is two streams; each may lose a suffix at any time. Every
 * step is atomic, and consumes something that is bounded, so that no run is endless: what must happen
 * in the end is therefore checked without any assumption of fairness between steps.
 *
 * A log is an octal number, one digit an entry, and so is its own head: two logs are equal up to an
 * entry exactly if their heads there are.
 */

/* --- how much happens; docs/model/check sets these --- */

#ifndef MESSAGES_0
#define MESSAGES_0 2        /* messages that station 0 accepts */
#endif
#ifndef MESSAGES_1
#define MESSAGES_1 0        /* and station 1; together they need one octal digit each */
#endif
#ifndef SESSIONS
#define SESSIONS 2
#endif
#ifndef CRASHES
#define CRASHES 1           /* of both stations together */
#endif
#ifndef REFUSALS
#define REFUSALS 0          /* commits that a full store refuses, or seems to refuse */
#endif
/* HEALED: the last session is neither cut nor crashed into (otherwise each may be).
   RESTORED=i: station i may once come back from a crash with an older copy of its store.
   RECOVERY: station RESTORED begins with an older copy, and its operator may have it take back what
   the peer holds.
   BUG_...: a fault planted in the model, which the search must find.
   CLAIM_...: more than the line can promise; the search must find why. README.md tells it. */

#ifdef HEALED
#define MAY_FAIL(s) ((s) < SESSIONS)
#else
#define MAY_FAIL(s) true
#endif

#define ROOM 8              /* frames in a stream; a full one is an error of the model */
#define MESSAGES(i) ((i) == 0 -> MESSAGES_0 : MESSAGES_1)
#define PEER (1 - me)

/* --- the state --- */

/* Frames carry: their kind; number and head of the sender's log; the same of its copy of the peer's;
   the number of the receipt it holds; whether it accepts entries. What a frame has not got is 0. */
mtype = { ATTEST, HELLO, ENTRY, RECEIPT, HEARTBEAT, RECOVER, RETURNED };
mtype = { OWN_LOST, PEER_LOST, FORK };          /* why a line is halted */

typedef Durable {           /* model.LineRecord, and the rows of the store that belong to it */
    byte queue;             /* bit m: message m is queued */
    byte own;   short own_head;
    byte peer;  short peer_head;
    byte receipt;           /* the peer's newest over our log */
#ifdef RECOVERY
    bool recovering;
#endif
    mtype halted            /* the halt's code, or 0 */
}

typedef Volatile {          /* line.Line and its parts */
    byte told_own;          /* Context.record: what commits are known to have done */
    byte told_peer;
    byte current;           /* the session that stands, or 0 */
    byte cursor;            /* Sending._cursor */
    bool peer_accepting;
    mtype sealing;          /* an entry was sealed and the line has not been told: its era, or 0 */
    byte next;              /* Receiving._next */
    bool dropped;
    byte applying;          /* the entry at the disk, or 0 */
    short applying_head;
    bool applied;           /* and it is durable */
    bool heard;             /* the peer's first heartbeat by the session that stands */
    bool begun;             /* Sending._active */
#ifdef RECOVERY
    bool taking;            /* recovery.Recovery, of the session agreed last */
    bool giving;
    byte own_end;
    byte peer_end;
#endif
    bool refusing           /* Receiving.accept_again_at is set */
}

mtype = { WANTED, UNWANTED };
mtype = { BEGUN, OPEN, AGREED, SETTLING, ADOPTED, CLOSED };
#define NONE 0

typedef Link {              /* links.Link */
    mtype stage;
    byte floor_receipt;     /* agreement.Floor */
    byte floor_peer;
#ifdef RECOVERY
    bool said_helpless;     /* in our hello, and so is this */
#endif
    bool said_accepting     /* in our hello */
}

typedef Links { Link at[SESSIONS + 1] }

Durable store[2];
Volatile line[2];
Links links[2];
bool cut[SESSIONS + 1];
chan stream[2 * SESSIONS] = [ROOM] of { mtype, byte, short, byte, short, byte, byte };

byte accepted[2];           /* messages that operators were told are queued */
byte crashes = CRASHES;
byte refusals = REFUSALS;

#define disk store[me]
#define self line[me]
#define link links[me].at[s]
#define TO(i, s) stream[2 * (s) - 2 + (i)]      /* what station i will read of session s */

#define OWN_HEAD(i, n) (store[i].own_head >> (3 * (store[i].own - (n))))
#define PEER_HEAD(i, n) (store[i].peer_head >> (3 * (store[i].peer - (n))))

/* what a step reads from a stream, and its scratch: written before it is read, so no state */
hidden mtype kind;
hidden byte own_n, peer_n, receipted, seen, message, entry, each, least;
hidden short own_h, peer_h, rest;
hidden byte flags;          /* ACCEPTS + HELPLESS */
hidden mtype code;
#define ACCEPTS 1
#define HELPLESS 2          /* hello.recovering */
#define accepting (flags & ACCEPTS)

/* --- what must always hold --- */

#ifdef RESTORED
#ifndef RECOVERY
Durable backup;             /* an older copy of station RESTORED's store */
bool backed_up, restored;
#endif
bool provable               /* the peer held more than the copy when it was restored, and no operator
                               has had it taken back since */
#ifdef RECOVERY
bool asked;                 /* an operator has said: recover */
bool spoilt                 /* what an older session showed has closed the last one */
#endif
#else
byte most_own[2], most_peer[2], most_receipt[2];   /* as far as an operator has seen them */
#endif

inline each_once(log, length) {         /* no message twice; gives the set of them in seen */
    seen = 0; entry = 0; rest = log;
    do
    :: entry < length ->
        message = rest & 7; rest = rest >> 3; entry++;
        assert(!(seen & (1 << message)));
        seen = seen | (1 << message)
    :: else -> break
    od
}

inline check_writer(i) {
    each_once(store[1 - (i)].peer_head, store[1 - (i)].peer);
#ifdef RESTORED
    /* one history: what both hold of a log is the same, whoever has lost the rest */
    least = (store[i].own < store[1 - (i)].peer -> store[i].own : store[1 - (i)].peer);
    assert(OWN_HEAD(i, least) == PEER_HEAD(1 - (i), least));
    least = 0;
#endif
#ifdef RECOVERY
    each_once(store[i].own_head, store[i].own);
#endif
#ifndef RESTORED
    /* never lost: accepted is queued or sealed, and not both */
    each_once(store[i].own_head, store[i].own);
    assert((seen & store[i].queue) == 0);
    assert((seen | store[i].queue) == (1 << (accepted[i] + 1)) - 2);
    /* in order: the reader's copy is our log up to some entry */
    assert(store[1 - (i)].peer <= store[i].own);
    assert(store[1 - (i)].peer_head == OWN_HEAD(i, store[1 - (i)].peer));
    /* a receipt means durable there */
    assert(store[i].receipt <= store[1 - (i)].peer);
    /* no state goes backwards */
    assert(store[i].own >= most_own[i]); most_own[i] = store[i].own;
    assert(store[i].receipt >= most_receipt[i]); most_receipt[i] = store[i].receipt;
    assert(store[1 - (i)].peer >= most_peer[1 - (i)]); most_peer[1 - (i)] = store[1 - (i)].peer
#endif
}

inline check() { check_writer(0); check_writer(1); seen = 0 }

#define DELIVERED (accepted[0] == MESSAGES_0 && accepted[1] == MESSAGES_1 \
    && store[0].queue == 0 && store[0].receipt == store[0].own \
    && store[1].queue == 0 && store[1].receipt == store[1].own)
#define HALTED (store[0].halted || store[1].halted)
#define SAME(i) (store[i].own == store[1 - (i)].peer && store[i].own_head == store[1 - (i)].peer_head)
#define SETTLED (DELIVERED && SAME(0) && SAME(1))

/* The last session broke on a signature that fits another history; the hello of a next one would halt:
   the reader's copy is longer than our log, or has another head. */
#define EVIDENT(i) (cut[SESSIONS] && (store[1 - (i)].peer > store[i].own \
    || OWN_HEAD(i, store[1 - (i)].peer) != store[1 - (i)].peer_head))

/* --- sessions --- */

#define BEGUN_BY_ANY(s) (links[0].at[s].stage != NONE || links[1].at[s].stage != NONE)

inline push(s, what, a, b, c, d, e, f) {
    if
    :: s != 0 && !cut[s] && links[PEER].at[s].stage != CLOSED ->
        assert(len(TO(PEER, s)) < ROOM);
        TO(PEER, s)!what, a, b, c, d, e, f
    :: else
    fi
}

inline drain(i, s) {
    do
    :: len(TO(i, s)) > 0 -> TO(i, s)?kind, own_n, own_h, peer_n, peer_h, receipted, flags
    :: else -> break
    od
}

inline unwanted() {         /* Sending.end: a new era */
    if
    :: self.sealing == WANTED -> self.sealing = UNWANTED
    :: else
    fi
}

inline lose(s) {            /* line.Line._lose; what we have sent may still arrive */
    if
    :: link.stage != NONE || links[PEER].at[s].stage != NONE ->
        cut[s] = true;
        link.stage = CLOSED; link.floor_receipt = 0; link.floor_peer = 0; link.said_accepting = false;
#ifdef RECOVERY
        link.said_helpless = false;
#endif
        drain(me, s);
        if
        :: links[PEER].at[s].stage == NONE -> drain(PEER, s)
        :: else
        fi;
        if
        :: self.current == s ->
            self.current = 0; self.cursor = 0; self.peer_accepting = false;
            self.next = 0; self.dropped = false;
            self.heard = false; self.begun = false;
            unwanted()
        :: else
        fi
    :: else
    fi
}

inline lose_until(last) {
    each = 1;
    do
    :: each <= last -> lose(each); each++
    :: else -> break
    od
}

inline halt(why) {          /* line.Line._halt */
#ifndef RESTORED
    assert(false);          /* nothing was restored: a false halt */
#endif
    disk.halted = why;
#ifdef RECOVERY
    spoilt = spoilt || (s < SESSIONS && BEGUN_BY_ANY(SESSIONS));
#endif
    lose_until(SESSIONS)
}

inline broke(s) {           /* line.Line._broke: the peer broke a rule */
#ifndef RESTORED
    assert(false);          /* nothing was restored: a false alarm */
#endif
    lose(s)
}

#ifdef RECOVERY
#define RECOVERING (disk.recovering)
#else
#define RECOVERING false
#endif

inline say_hello(s) {       /* line.Line._hello */
    link.said_accepting = !self.refusing;
#ifdef RECOVERY
    link.said_helpless = RECOVERING;
#endif
    push(s, HELLO, self.told_own, OWN_HEAD(me, self.told_own),
        self.told_peer, PEER_HEAD(me, self.told_peer), disk.receipt,
        (self.refusing -> 0 : ACCEPTS) + (RECOVERING -> HELPLESS : 0))
}

inline beat() {             /* line.Line._beat */
    push(self.current, HEARTBEAT, self.told_own, OWN_HEAD(me, self.told_own),
        self.told_peer, PEER_HEAD(me, self.told_peer), disk.receipt, (self.refusing -> 0 : ACCEPTS))
}

inline sign_receipt(n) {    /* Receiving.sign_receipt */
    push(self.current, RECEIPT, 0, 0, n, PEER_HEAD(me, n), 0, 0)
}

inline take_floor() {       /* agreement.floor_of */
    link.floor_receipt = disk.receipt;
    link.floor_peer = self.told_peer
}

/* agreement.examine, in the order of its checks; gives the halt's code, or 0, in code */
inline examine() {
    code = 0;
    if
    :: RECOVERING && peer_n > disk.own          /* what is returned has to follow our head */
    :: !RECOVERING && peer_n > disk.own -> code = OWN_LOST
    :: peer_n <= disk.own && receipted > disk.peer && !RECOVERING -> code = OWN_LOST
    :: peer_n <= disk.own && (receipted <= disk.peer || RECOVERING) ->
        if
        :: OWN_HEAD(me, peer_n) != peer_h -> code = FORK
        :: OWN_HEAD(me, peer_n) == peer_h && peer_n < link.floor_receipt && !(flags & HELPLESS) ->
            code = PEER_LOST
        :: else
        fi
    fi;
    if
    :: code == 0 && own_n < link.floor_peer && !(flags & HELPLESS) -> code = PEER_LOST
    :: code == 0 && (own_n >= link.floor_peer || (flags & HELPLESS)) &&
        own_n <= disk.peer && PEER_HEAD(me, own_n) != own_h -> code = FORK
    :: else
    fi
}

/* agreement.still_agree */
#ifdef BUG_HEARTBEATS_UNCOMPARED
#define SHOWS_LOSS false
#define SHOWS_FORK false
#else
#define SHOWS_LOSS (!RECOVERING && (peer_n > self.told_own || receipted > self.told_peer))
#define SHOWS_FORK ((peer_n == self.told_own && peer_h != OWN_HEAD(me, peer_n)) \
    || (own_n == self.told_peer && own_h != PEER_HEAD(me, own_n)))
#endif

#define NEXT_IS(what) (len(TO(me, s)) > 0 && TO(me, s)?[what])
#define TAKE TO(me, s)?kind, own_n, own_h, peer_n, peer_h, receipted, flags
#define LOOK TO(me, s)?<kind, own_n, own_h, peer_n, peer_h, receipted, flags>

inline begin_receiving() {  /* Receiving.new_session */
    self.next = 1 + (self.applying > self.told_peer -> self.applying : self.told_peer);
    self.dropped = false
}

inline begin_sending(after, peer_accepts) {     /* Sending.begin */
    unwanted();
    self.begun = true;
#ifdef BUG_RESUME_FROM_OWN_NUMBER
    self.cursor = self.told_own;
#else
    self.cursor = after;
#endif
    self.peer_accepting = peer_accepts
}

#ifdef BUG_SENDS_BEFORE_HEARD
#define HEARD true
#else
#define HEARD (self.heard)
#endif

#ifdef RECOVERY
#ifdef BUG_SENDS_BEFORE_WHOLE
#define WHOLE true
#else
#define WHOLE (self.told_own >= self.own_end)
#endif
#define MAY_BEGIN_SENDING (HEARD && !self.giving && WHOLE)
#else
#define MAY_BEGIN_SENDING HEARD
#endif

inline sending_may_begin(after) {       /* Recovery._begin_sending: both own logs are whole */
    if
    :: MAY_BEGIN_SENDING -> begin_sending(after, self.peer_accepting)
    :: else
    fi
}

/* --- the log and the disk --- */

#define MAY_FETCH (self.current != 0 && self.begun && self.peer_accepting && self.sealing == 0)

inline seal() {             /* message m gets the next number */
#ifdef RECOVERY
    assert(!self.taking || disk.own >= self.own_end);   /* no number that the peer has shown */
#endif
    disk.own_head = disk.own_head * 8 + message;
    disk.own++;
    disk.queue = disk.queue & ~(1 << message)
}

#ifdef BUG_SENT_BEFORE_COMMIT
inline unseal() {           /* the commit of the last entry never became durable */
    disk.queue = disk.queue | (1 << (disk.own_head & 7));
    disk.own_head = disk.own_head >> 3;
    disk.own--
}
#endif

inline send_sealed() {
    self.cursor = disk.own;
    push(self.current, ENTRY, disk.own, disk.own_head, 0, 0, 0, 0)
}

/* the next number, and the signature over the head fits what is held */
#define FOLLOWS (self.applying == disk.peer + 1 && self.applying_head >> 3 == disk.peer_head)
#ifdef BUG_NO_DUPLICATE_CHECK
#define HELD_ALREADY false
#undef FOLLOWS
#define FOLLOWS true
#else
#define HELD_ALREADY (self.applying <= disk.peer)
#endif

inline released() { self.applying = 0; self.applying_head = 0; self.applied = false }

inline copy_store(to, from) {
    to.queue = from.queue;
    to.own = from.own;      to.own_head = from.own_head;
    to.peer = from.peer;    to.peer_head = from.peer_head;
    to.receipt = from.receipt;
#ifdef RECOVERY
    to.recovering = from.recovering;
#endif
    to.halted = from.halted
}

inline crash() {
#ifdef BUG_SENT_BEFORE_COMMIT
    if
    :: self.sealing != 0 -> unseal()
    :: else
    fi;
#endif
    self.sealing = 0;
    lose_until(SESSIONS);
    released();
    self.refusing = false;
    self.told_own = disk.own; self.told_peer = disk.peer;
#ifdef RECOVERY
    self.taking = false; self.giving = false; self.own_end = 0; self.peer_end = 0;
#ifdef BUG_RECOVERY_FORGOTTEN
    disk.recovering = false;
#endif
#endif
    check()
}

#ifdef RECOVERY
#define IN_USE (disk.halted == 0 || disk.halted == PEER_LOST)   /* that one may be recovering */
#else
#define IN_USE (disk.halted == 0)
#endif
#define MAY_BEGIN(s) (!cut[s] && IN_USE && \
    (s == 1 || links[me].at[s - 1].stage != NONE || cut[s - 1]))

/* One end of one session. */
proctype Session(byte me; byte s) {
end:
    do
    /* Line.connected or Line.accepted: the floor, then the handshake and our attestation */
    :: d_step { link.stage == NONE && MAY_BEGIN(s) ->
        link.stage = BEGUN;
#ifndef BUG_FLOOR_LATE
        take_floor();
#endif
        push(s, ATTEST, 0, 0, 0, 0, 0, 0);
#ifdef BUG_HELLO_BEFORE_ATTESTATION
        say_hello(s)
#endif
    }

    /* Line._opened: the peer's attestation verified */
    :: d_step { link.stage == BEGUN && NEXT_IS(ATTEST) ->
        TAKE;
        link.stage = OPEN;
#ifdef BUG_FLOOR_LATE
        take_floor();
#endif
#ifndef BUG_HELLO_BEFORE_ATTESTATION
        say_hello(s)
#endif
    }

    /* Line._take_hello, and agreement.examine in its transaction */
    :: d_step { link.stage == OPEN && NEXT_IS(HELLO) ->
        LOOK;
#ifdef RECOVERY
        if
        :: disk.halted == PEER_LOST && (flags & HELPLESS) -> disk.halted = 0
        :: else
        fi;
#endif
        examine();
        if
        :: disk.halted != 0 -> halt(disk.halted)
#ifndef BUG_NO_AGREEMENT
        :: disk.halted == 0 && code != 0 -> halt(code)
#endif
        :: else -> link.stage = AGREED
        fi
    }

    /* Line._adopt */
    :: d_step { link.stage == AGREED ->
        if
        :: s < self.current -> lose(s)          /* Links.is_outdated */
        :: else ->
            lose_until(s - 1);                  /* what still comes by them is not listened to */
            link.stage = SETTLING;
            self.current = s;
#ifdef RESTORED
            assert(!(provable && me == RESTORED));  /* it says nothing more before an operator acts */
#endif
            begin_receiving()
        fi
    }

    /* Settling and Line._begin; what came early has waited in the stream */
#ifdef BUG_UNSETTLED
    :: d_step { link.stage == SETTLING ->
#else
    :: d_step { link.stage == SETTLING && self.applying == 0 ->
#endif
            TAKE;
            link.stage = ADOPTED;
            self.peer_accepting = accepting;
#ifdef RECOVERY                                 /* Recovery.session_agreed */
#ifdef BUG_HELLO_FORGOTTEN
            self.taking = disk.recovering;
#else
            self.taking = link.said_helpless;   /* the peer waits to be asked */
#endif
            self.giving = (flags & HELPLESS) != 0;
            self.own_end = peer_n; self.peer_end = own_n;
            if
            :: self.taking -> push(s, RECOVER, self.told_own, 0, 0, 0, 0, 0)
            :: else
            fi;
            if
            :: self.giving -> receipted = self.told_peer        /* nothing to sign for yet */
            :: else
            fi;
#endif
#ifdef BUG_SENDS_BEFORE_HEARD
            sending_may_begin(peer_n);
#endif
#ifndef BUG_NO_RECEIPT_ON_RESUMING
            if
            :: receipted < self.told_peer -> sign_receipt(self.told_peer)
            :: else
            fi;
#endif
            beat()
    }

    /* Receiving.take; while one entry is at the disk the next wait in the stream */
    :: d_step { link.stage == ADOPTED && self.applying == 0 && NEXT_IS(ENTRY) ->
        TAKE;
        if
        :: own_n > self.next && self.dropped    /* it comes again */
        :: own_n > self.next && !self.dropped -> broke(s)
        :: own_n <= self.next && self.refusing -> self.dropped = true
        :: own_n <= self.next && !self.refusing ->
            if
            :: own_n == self.next -> self.next = own_n + 1
            :: else
            fi;
            self.applying = own_n;
            self.applying_head = own_h;
#ifdef BUG_RECEIPT_BEFORE_COMMIT
            push(self.current, RECEIPT, 0, 0, own_n, own_h, 0, 0)
#endif
        fi
    }

    /* Sending.take_receipt, sealing.take_receipt and Sending._receipt_taken */
    :: d_step { link.stage == ADOPTED && NEXT_IS(RECEIPT) ->
        TAKE;
        if
        :: peer_n <= disk.receipt
        :: peer_n > disk.own -> halt(OWN_LOST)
        :: peer_n > disk.receipt && peer_n <= disk.own ->
            if
            :: OWN_HEAD(me, peer_n) != peer_h -> halt(FORK)
            :: else -> disk.receipt = peer_n; check()
            fi
        fi
    }
#ifdef BUG_RECEIPT_DROPPED  /* on a full disk, instead of being kept for another try */
    :: d_step { link.stage == ADOPTED && NEXT_IS(RECEIPT) && refusals > 0 -> TAKE; refusals-- }
#endif

    /* Line._take_heartbeat */
    :: d_step { link.stage == ADOPTED && NEXT_IS(HEARTBEAT) ->
        TAKE;
        if
        :: SHOWS_LOSS -> halt(OWN_LOST)
        :: !SHOWS_LOSS && SHOWS_FORK -> halt(FORK)
        :: else ->
            if
            :: !self.heard ->                                               /* Recovery.heard */
                self.heard = true;
#ifdef RECOVERY
                self.own_end = (peer_n > self.own_end -> peer_n : self.own_end);
                self.peer_end = (own_n > self.peer_end -> own_n : self.peer_end);
                sending_may_begin(self.own_end)
#else
                sending_may_begin(peer_n)
#endif
            :: else
            fi;
            if
            :: accepting && !self.peer_accepting && self.begun ->           /* Sending.resume */
                begin_sending(peer_n, true)
            :: accepting && !self.peer_accepting && !self.begun -> self.peer_accepting = true
            :: !accepting -> self.peer_accepting = false
            :: else
            fi
        fi
    }

#ifdef RECOVERY
    /* Recovery.take_request: the next entry of the peer's own log; beyond its end the line goes on */
    :: d_step { link.stage == ADOPTED && NEXT_IS(RECOVER) ->
        TAKE;
        if
        :: !self.giving -> broke(s)
        :: self.giving && own_n >= self.told_peer ->
            self.giving = false;
            if
            :: self.told_peer > 0 -> sign_receipt(self.told_peer)
            :: else
            fi;
            sending_may_begin(self.own_end)
        :: self.giving && own_n < self.told_peer ->
            own_n++;
            push(s, RETURNED, own_n, PEER_HEAD(me, own_n), 0, 0, 0, 0)
        fi
    }

    /* Recovery.take_returned, taking_back.take_back and Recovery._taken_back */
    :: d_step { link.stage == ADOPTED && NEXT_IS(RETURNED) ->
        TAKE;
        if
        :: !self.taking || own_n != disk.own + 1 || own_h >> 3 != disk.own_head -> broke(s)
        :: else ->
            disk.own++;
            disk.own_head = own_h;
#ifndef BUG_TAKEN_BACK_STAYS_QUEUED
            disk.queue = disk.queue & ~(1 << (own_h & 7));
#endif
            self.told_own = disk.own;
            check();
            push(s, RECOVER, disk.own, 0, 0, 0, 0, 0);
            sending_may_begin(disk.own)
        fi
    }
#endif

    /* Line.ended: what was still on its way to us is lost */
    :: d_step { cut[s] && link.stage != NONE && link.stage != CLOSED -> lose(s) }
    od
}

/* The rest of a station: its operator, its own log, its disk. */
proctype Station(byte me) {
end:
    do
    /* accepting.accept */
    :: d_step { accepted[me] < MESSAGES(me) ->
        accepted[me]++;
        disk.queue = disk.queue | (1 << accepted[me]);
        check()
    }

    /* sealing.next_run: whatever is most urgent gets the next number, and the commit is durable */
    :: atomic { MAY_FETCH && self.cursor == disk.own && disk.queue ->
        if
        :: disk.queue & 2 -> message = 1
        :: disk.queue & 4 -> message = 2
        :: disk.queue & 8 -> message = 3
        fi;
        d_step {
            seal();
            self.sealing = WANTED;
#ifdef BUG_SENT_BEFORE_COMMIT
            send_sealed();
            self.sealing = UNWANTED;
#endif
            check()
        }
    }
    /* Sending._fetched: the line is told */
    :: d_step { self.sealing != 0 ->
        if
        :: self.sealing == WANTED -> send_sealed()
        :: else
        fi;
        self.told_own = disk.own;
        self.sealing = 0
    }
    /* or is told that it failed, though it is durable */
    :: d_step { self.sealing != 0 && refusals > 0 -> refusals--; self.sealing = 0 }

    /* sealing.next_run: what is sealed already goes again */
    :: d_step { MAY_FETCH && self.cursor < disk.own ->
        self.cursor++;
        self.told_own = disk.own;
        push(self.current, ENTRY, self.cursor, OWN_HEAD(me, self.cursor), 0, 0, 0, 0)
    }

    /* applying.apply: the commit is durable */
    :: d_step { self.applying != 0 && !self.applied ->
        if
        :: HELD_ALREADY -> self.applied = true
        :: !HELD_ALREADY && FOLLOWS ->
#ifdef RECEIPTED_ONCE
            assert(store[PEER].receipt <= disk.peer);
#endif
            disk.peer++;
            disk.peer_head = disk.peer_head * 8 + (self.applying_head & 7);
            self.applied = true;
            check()
        :: else -> released(); broke(self.current)
        fi
    }
    /* Receiving._applied: the line is told, and the receipt goes */
    :: d_step { self.applied ->
        released();
        self.told_peer = disk.peer;
        sign_receipt(self.told_peer)
    }
    /* Receiving._not_applied: the store is full, or only said so after it had committed */
    :: d_step { self.applying != 0 && refusals > 0 ->
        refusals--;
        released();
        self.refusing = true;
        if
        :: self.current != 0 -> self.dropped = true; self.next = self.told_peer + 1
        :: else
        fi;
#ifndef BUG_REFUSAL_UNTOLD
        beat()
#endif
    }
#ifdef RECOVERY
    /* taking_back.begin: what an operator says; while there is still a session to do it in */
    :: d_step { disk.halted == OWN_LOST && links[me].at[SESSIONS].stage != CLOSED ->
        disk.halted = 0; disk.recovering = true;
        asked = true; provable = false
    }
#ifdef BUG_RECOVERS_UNASKED
    :: d_step { disk.halted == OWN_LOST && links[me].at[SESSIONS].stage != CLOSED ->
        disk.halted = 0; disk.recovering = true
    }
#endif
    /* Recovery.check_finished: both logs are back; they are what the peer has */
    :: d_step { disk.recovering && self.taking && HEARD &&
            self.told_own >= self.own_end && self.told_peer >= self.peer_end ->
        disk.recovering = false;
#ifdef CLAIM_NEVER_RECOVERED
        assert(self.own_end + self.peer_end == 0);
#endif
        assert(disk.peer <= store[PEER].own && disk.peer_head == OWN_HEAD(PEER, disk.peer))
    }
#endif
    /* Receiving.accept_again, and the heartbeat that says so */
    :: d_step { self.refusing -> self.refusing = false; beat() }
    od
}

#define MAY_CRASH (MAY_FAIL(SESSIONS) || !BEGUN_BY_ANY(SESSIONS))
#define CUTTABLE(s) (!cut[s] && BEGUN_BY_ANY(s) && MAY_FAIL(s))

/* What the world does, at any point. */
proctype World(byte me) {
end:
    do
    :: d_step { CUTTABLE(1) -> cut[1] = true }
#if SESSIONS >= 2
    :: d_step { CUTTABLE(2) -> cut[2] = true }
#endif
#if SESSIONS >= 3
    :: d_step { CUTTABLE(3) -> cut[3] = true }
#endif
    :: d_step { crashes > 0 && MAY_CRASH -> crashes--; me = 0; crash() }
    :: d_step { crashes > 0 && MAY_CRASH -> crashes--; me = 1; crash(); me = 0 }
#if defined(RESTORED) && !defined(RECOVERY)
    :: d_step { !backed_up -> backed_up = true; copy_store(backup, store[RESTORED]) }
    :: d_step { backed_up && !restored && MAY_CRASH ->
        restored = true;
        me = RESTORED;
        provable = line[PEER].told_peer > backup.own || store[PEER].receipt > backup.peer;
        copy_store(disk, backup);
        crash();
        me = 0
    }
#endif
    od
}

#ifdef RECOVERY
#define LOG(n) ((n) == 0 -> 0 : ((n) == 1 -> 1 : ((n) == 2 -> 10 : 83)))     /* 0, 1, 12, 123 in octal */

inline had(i, sealed, held, receipted_of_it) {      /* what a station has done, and its peer has of it */
    select(sealed : 0 .. MESSAGES(i));
    select(held : 0 .. sealed);
    select(receipted_of_it : 0 .. held);
    accepted[i] = sealed;
    store[i].own = sealed;          store[i].own_head = LOG(sealed);
    store[1 - (i)].peer = held;     store[1 - (i)].peer_head = LOG(held);
    store[i].receipt = receipted_of_it
}

inline lose_some() {        /* and what the older copy of one still has of all that */
    me = RESTORED;
    select(own_n : 0 .. disk.own);
    select(peer_n : 0 .. disk.peer);
    select(receipted : 0 .. (disk.receipt < own_n -> disk.receipt : own_n));
    provable = store[PEER].peer > own_n || store[PEER].receipt > peer_n;
    each = own_n + 1;
    do                      /* what was sealed since may have been queued then, or not yet accepted */
    :: each <= disk.own ->
        if
        :: disk.queue = disk.queue | (1 << each)
        :: true
        fi;
        each++
    :: else -> break
    od;
    disk.own = own_n;       disk.own_head = LOG(own_n);
    disk.peer = peer_n;     disk.peer_head = LOG(peer_n);
    disk.receipt = receipted;
    each = 0;
    do
    :: each <= 1 ->
        line[each].told_own = store[each].own; line[each].told_peer = store[each].peer; each++
    :: else -> break
    od;
    me = 0
}
#endif

init {
    byte me;
    atomic {
#ifdef RECOVERY
        had(0, own_n, peer_n, receipted);
        had(1, own_n, peer_n, receipted);
        lose_some();
        check();
#endif
        each = 1;
        do
        :: each <= SESSIONS -> run Session(0, each); run Session(1, each); each++
        :: else -> break
        od;
        run Station(0); run Station(1); run World(0)
    }
}

#ifdef HEALED
#ifdef RECOVERY
/* a loss that is found in the last session, or too late to begin it anew, leaves none to recover in */
#define TOO_LATE (HALTED && (!asked || spoilt) && cut[SESSIONS])
ltl in_the_end { <> (SETTLED || TOO_LATE) }
#else
#ifdef RESTORED
ltl in_the_end { <> (HALTED || SETTLED || EVIDENT(RESTORED)) }
#else
ltl in_the_end { <> SETTLED }
#endif
#endif
#endif
