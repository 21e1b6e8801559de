-- Times are microseconds since 1970 UTC, ids are ULIDs, JSON is text, a flag is a nullable time or a status word.
-- One text for SQLite and PostgreSQL; full-text search is set up in store/mod.rs, where the two differ.

CREATE TABLE installation (
    name TEXT PRIMARY KEY,                  -- 'restored_at', 'sending_stopped_at', 'setup', …
    value TEXT NOT NULL
);

CREATE TABLE leases (                       -- who alone may do a job: the reaper, the full sweep, the alerts
    name TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    until_at BIGINT NOT NULL
);

CREATE TABLE brands (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    created_at BIGINT NOT NULL
);

CREATE TABLE accounts (
    id TEXT PRIMARY KEY,
    brand_id TEXT NOT NULL REFERENCES brands (id),
    name TEXT NOT NULL UNIQUE,
    network TEXT NOT NULL,
    base_url TEXT,
    login TEXT,
    listen_for TEXT NOT NULL DEFAULT '[]',  -- JSON
    poll_seconds BIGINT NOT NULL DEFAULT 30,
    timezone TEXT NOT NULL,
    origin TEXT NOT NULL,                   -- file | console | import | demo
    secret TEXT,                            -- encrypted; what the person configured
    secret_mark TEXT,                       -- keyed hash of the configured value: a change voids the session
    session TEXT,                           -- encrypted; what the network handed out since
    remote_id TEXT,
    handle TEXT,
    profile_url TEXT,
    health TEXT NOT NULL DEFAULT 'new',     -- new | ok | failing | unauthorized
    health_reason TEXT,
    health_at BIGINT,
    paused_at BIGINT,                       -- neither polls nor sends
    pause_reason TEXT,
    gated_until BIGINT,                     -- no send on any lane before
    gate_reason TEXT,
    probe_at BIGINT,                        -- after an unclear end: no send until the network answers a harmless call
    probes BIGINT NOT NULL DEFAULT 0,       -- such calls that failed in a row
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL
);

CREATE TABLE streams (
    id TEXT PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts (id),
    kind TEXT NOT NULL,
    query TEXT NOT NULL,
    cursor TEXT,
    complete_up_to BIGINT,
    last_poll_at BIGINT,
    next_poll_at BIGINT NOT NULL,
    failures BIGINT NOT NULL DEFAULT 0,
    failure_reason TEXT,
    lease_holder TEXT,
    lease_until BIGINT NOT NULL DEFAULT 0,
    epoch BIGINT NOT NULL DEFAULT 0,
    retired_at BIGINT,                      -- no longer listened for
    created_at BIGINT NOT NULL,
    UNIQUE (account_id, kind, query)
);
CREATE INDEX streams_due ON streams (next_poll_at);

CREATE TABLE gaps (
    id TEXT PRIMARY KEY,
    stream_id TEXT NOT NULL REFERENCES streams (id),
    from_at BIGINT,
    until_at BIGINT,
    reason TEXT NOT NULL,
    state TEXT NOT NULL,                    -- filling | filled | lost
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL
);
CREATE INDEX gaps_stream ON gaps (stream_id, state);

CREATE TABLE authors (
    id TEXT PRIMARY KEY,
    network TEXT NOT NULL,
    remote_id TEXT NOT NULL,
    handle TEXT NOT NULL,
    display_name TEXT NOT NULL,
    url TEXT,
    followers BIGINT,
    first_seen_at BIGINT NOT NULL,
    last_seen_at BIGINT NOT NULL,
    UNIQUE (network, remote_id)
);

CREATE TABLE contacts (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    sort_key TEXT NOT NULL,                 -- Turkish order, written by Rust
    email TEXT,                             -- lower case
    phone TEXT,                             -- E.164
    external_id TEXT,                       -- the CRM's own number
    company TEXT,
    fields TEXT NOT NULL DEFAULT '{}',      -- JSON: what an import brought beside
    search_row BIGINT,
    merged_into TEXT REFERENCES contacts (id),
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL
);
CREATE INDEX contacts_sort ON contacts (sort_key, id);
CREATE INDEX contacts_email ON contacts (email);
CREATE INDEX contacts_phone ON contacts (phone);
CREATE UNIQUE INDEX contacts_external ON contacts (external_id);

CREATE TABLE contact_handles (              -- social handles the CRM knows for a contact
    contact_id TEXT NOT NULL REFERENCES contacts (id),
    network TEXT NOT NULL,
    handle TEXT NOT NULL,                   -- folded
    PRIMARY KEY (network, handle, contact_id)
);

CREATE TABLE contact_authors (              -- a link, with its evidence; undone, never deleted
    id TEXT PRIMARY KEY,
    contact_id TEXT NOT NULL REFERENCES contacts (id),
    author_id TEXT NOT NULL REFERENCES authors (id),
    evidence TEXT NOT NULL,                 -- JSON: [{"kind":"email","value":"…","mention_id":"…"}]
    score DOUBLE PRECISION NOT NULL,
    linked_by TEXT NOT NULL,                -- user id, or 'evidence'
    linked_at BIGINT NOT NULL,
    undone_by TEXT,
    undone_at BIGINT
);
CREATE UNIQUE INDEX contact_authors_live ON contact_authors (author_id) WHERE undone_at IS NULL;
CREATE INDEX contact_authors_contact ON contact_authors (contact_id);

CREATE TABLE merges (
    id TEXT PRIMARY KEY,
    kept_id TEXT NOT NULL REFERENCES contacts (id),
    merged_id TEXT NOT NULL REFERENCES contacts (id),
    before TEXT NOT NULL,                   -- JSON: what undoing restores
    merged_by TEXT NOT NULL,
    merged_at BIGINT NOT NULL,
    undone_by TEXT,
    undone_at BIGINT
);

CREATE TABLE users (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    password_hash TEXT,                     -- argon2id
    role TEXT NOT NULL,                     -- admin | agent | viewer
    language TEXT NOT NULL DEFAULT 'tr',
    timezone TEXT,
    disabled_at BIGINT,
    created_at BIGINT NOT NULL
);

CREATE TABLE sessions (
    token_hash TEXT PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id),
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX sessions_user ON sessions (user_id);

CREATE TABLE tokens (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    token_hash TEXT NOT NULL UNIQUE,
    scopes TEXT NOT NULL,                   -- JSON: ["read","write"]
    created_by TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    last_used_at BIGINT,
    revoked_at BIGINT
);

CREATE TABLE answers (                      -- of the API, by the caller's idempotency key
    actor TEXT NOT NULL,
    key TEXT NOT NULL,
    request_hash TEXT NOT NULL,             -- of method, path and body
    status BIGINT,                          -- NULL while the first request runs
    body TEXT,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (actor, key)
);
CREATE INDEX answers_created ON answers (created_at);

CREATE TABLE conversations (
    id TEXT PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts (id),
    network TEXT NOT NULL,
    thread TEXT NOT NULL,                   -- the network's thread id, or the first message's canonical id
    state TEXT NOT NULL DEFAULT 'open',     -- open | snoozed | done
    snoozed_until BIGINT,
    assignee_id TEXT REFERENCES users (id),
    claim BIGINT NOT NULL DEFAULT 0,        -- fencing number, raised by every change of assignee
    last_message_at BIGINT NOT NULL,
    last_incoming_at BIGINT,
    last_outgoing_at BIGINT,
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    UNIQUE (network, thread)
);
CREATE INDEX conversations_state ON conversations (state, last_message_at);
CREATE INDEX conversations_assignee ON conversations (assignee_id, state) WHERE assignee_id IS NOT NULL;

CREATE TABLE notes (
    id TEXT PRIMARY KEY,
    conversation_id TEXT NOT NULL REFERENCES conversations (id),
    author TEXT NOT NULL,                   -- user id, or 'local'
    text TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX notes_conversation ON notes (conversation_id);

CREATE TABLE mentions (
    id TEXT PRIMARY KEY,
    network TEXT NOT NULL,
    remote_id TEXT NOT NULL,
    account_id TEXT NOT NULL REFERENCES accounts (id),   -- who saw it first: its answer goes out from there
    conversation_id TEXT NOT NULL REFERENCES conversations (id),
    author_id TEXT NOT NULL REFERENCES authors (id),
    kind TEXT NOT NULL,
    text TEXT,                              -- NULL once deleted
    url TEXT,
    in_reply_to TEXT,
    visibility TEXT NOT NULL,
    rating DOUBLE PRECISION,
    media TEXT NOT NULL DEFAULT '[]',       -- JSON
    published_at BIGINT NOT NULL,
    edited_at BIGINT,
    deleted_at BIGINT,
    received_at BIGINT NOT NULL,
    language TEXT NOT NULL,
    language_confidence DOUBLE PRECISION NOT NULL,
    sentiment TEXT NOT NULL,
    sentiment_score DOUBLE PRECISION NOT NULL,
    sentiment_confidence DOUBLE PRECISION NOT NULL,
    intent TEXT NOT NULL,                   -- the main one
    intents TEXT NOT NULL,                  -- JSON, main one first
    reasons TEXT NOT NULL,                  -- JSON: because, with weights
    tokens TEXT NOT NULL,                   -- JSON: folded surface forms
    search_row BIGINT,                      -- its row in the search table, where rows have numbers
    UNIQUE (network, remote_id)
);
CREATE INDEX mentions_published ON mentions (published_at, id, language, sentiment, intent);
CREATE INDEX mentions_conversation ON mentions (conversation_id, published_at);
CREATE INDEX mentions_author ON mentions (author_id, published_at);

CREATE TABLE mention_accounts (             -- which of our accounts saw it, and what each needs to answer it
    mention_id TEXT NOT NULL REFERENCES mentions (id),
    account_id TEXT NOT NULL REFERENCES accounts (id),
    local_id TEXT,
    reply_data TEXT NOT NULL DEFAULT 'null',
    seen_at BIGINT NOT NULL,
    PRIMARY KEY (mention_id, account_id)
);
CREATE INDEX mention_accounts_local ON mention_accounts (account_id, local_id) WHERE local_id IS NOT NULL;

CREATE TABLE tombstones (                   -- a deletion that came before, or without, its message
    network TEXT NOT NULL,
    remote_id TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (network, remote_id)
);

CREATE TABLE outgoing (                     -- every message of ours that is on a network, whoever wrote it there
    network TEXT NOT NULL,
    remote_id TEXT NOT NULL,
    local_id TEXT,
    account_id TEXT NOT NULL REFERENCES accounts (id),
    conversation_id TEXT REFERENCES conversations (id),
    delivery_id TEXT,                       -- NULL: written in the network's own app
    thread TEXT,                            -- as in conversations
    text TEXT,
    url TEXT,
    in_reply_to TEXT,
    edited_at BIGINT,
    published_at BIGINT NOT NULL,
    deleted_at BIGINT,
    PRIMARY KEY (network, remote_id)
);
CREATE INDEX outgoing_conversation ON outgoing (conversation_id, published_at);
CREATE INDEX outgoing_account ON outgoing (account_id, published_at);
CREATE INDEX outgoing_thread ON outgoing (network, thread);
CREATE INDEX outgoing_local ON outgoing (account_id, local_id);

CREATE TABLE unparsed (                     -- what could not be stored as a mention, raw, with its reason
    id TEXT PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts (id),
    stream_id TEXT REFERENCES streams (id),
    raw_hash TEXT NOT NULL,
    raw TEXT NOT NULL,
    reason TEXT NOT NULL,
    received_at BIGINT NOT NULL,
    UNIQUE (account_id, raw_hash)
);

CREATE TABLE rollups (                      -- per hour, so that a dashboard never scans mentions
    hour_at BIGINT NOT NULL,
    account_id TEXT NOT NULL REFERENCES accounts (id),
    language TEXT NOT NULL,
    sentiment TEXT NOT NULL,
    intent TEXT NOT NULL,
    mentions BIGINT NOT NULL,
    score_sum DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (hour_at, account_id, language, sentiment, intent)
);

CREATE TABLE replies (
    id TEXT PRIMARY KEY,
    conversation_id TEXT NOT NULL REFERENCES conversations (id),
    mention_id TEXT NOT NULL REFERENCES mentions (id),
    account_id TEXT NOT NULL REFERENCES accounts (id),
    text TEXT NOT NULL,
    visibility TEXT NOT NULL,
    author TEXT NOT NULL,                   -- user id, 'token:ID', 'local' or 'cli'
    created_at BIGINT NOT NULL
);
CREATE INDEX replies_conversation ON replies (conversation_id);

CREATE TABLE posts (
    id TEXT PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts (id),
    text TEXT NOT NULL,
    visibility TEXT NOT NULL,
    text_fingerprint TEXT NOT NULL,         -- folded words, for the near-duplicate warning
    author TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE deliveries (                   -- the outbox: one outgoing effect a row
    id TEXT PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts (id),
    lane TEXT NOT NULL,                     -- ACCOUNT_ID/what the connector names
    class BIGINT NOT NULL,                  -- 0 takedown, 1 complaint reply, 2 other reply, 3 campaign
    seq BIGINT NOT NULL,                    -- order of making within the lane, for those due at the same time
    action TEXT NOT NULL,                   -- publish | delete
    reply_id TEXT REFERENCES replies (id),
    post_id TEXT REFERENCES posts (id),
    target_id TEXT REFERENCES deliveries (id),           -- the delivery a delete takes back
    after_id TEXT REFERENCES deliveries (id),            -- not before this one is sent
    body_hash TEXT NOT NULL,
    idem_key TEXT NOT NULL,                 -- what the caller gave: the same key twice is the same delivery
    due_at BIGINT NOT NULL,
    late_limit BIGINT NOT NULL,             -- later than due_at by more: held
    expires_at BIGINT,
    state TEXT NOT NULL,                    -- waiting queued preparing sending verifying retry held unknown sent failed expired cancelled
    hold TEXT,                              -- why it is held: late | restored | account | predecessor
    epoch BIGINT NOT NULL DEFAULT 0,
    worker TEXT,
    lease_until BIGINT,
    attempts BIGINT NOT NULL DEFAULT 0,
    next_at BIGINT NOT NULL,                -- when somebody should look next
    first_called_at BIGINT,                 -- from here on the content is frozen
    last_called_at BIGINT,
    absent_since BIGINT,                    -- first successful read-back that did not find it
    read_failures BIGINT NOT NULL DEFAULT 0,             -- read-backs that failed in a row
    prepared TEXT,                          -- JSON
    network_ref TEXT,                       -- canonical id once out
    receipt TEXT,                           -- JSON
    cancel_wanted BIGINT,
    reason TEXT,
    decided_by TEXT,
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    sent_at BIGINT,
    alerted_at BIGINT,
    UNIQUE (account_id, idem_key),
    UNIQUE (lane, network_ref, action)
);
CREATE UNIQUE INDEX deliveries_one_in_flight ON deliveries (lane) WHERE state IN ('sending', 'verifying');
CREATE INDEX deliveries_lane ON deliveries (lane, class, due_at, seq) WHERE state IN ('queued', 'retry');
CREATE INDEX deliveries_after ON deliveries (after_id);
CREATE INDEX deliveries_due ON deliveries (account_id, due_at);
CREATE INDEX deliveries_next ON deliveries (next_at) WHERE state IN ('queued', 'retry');
CREATE INDEX deliveries_open ON deliveries (next_at) WHERE state IN ('preparing', 'sending', 'verifying');
CREATE INDEX deliveries_changed ON deliveries (changed_at);
CREATE INDEX deliveries_state ON deliveries (state, due_at);
CREATE INDEX deliveries_reply ON deliveries (reply_id);
CREATE INDEX deliveries_post ON deliveries (post_id);

CREATE TABLE attempts (                     -- one row per network call that counts
    delivery_id TEXT NOT NULL REFERENCES deliveries (id),
    epoch BIGINT NOT NULL,
    worker TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    called_at BIGINT,
    finished_at BIGINT,
    outcome TEXT,                           -- sent | retry | failed | unclear | found | absent | …
    detail TEXT,
    network_ref TEXT,
    PRIMARY KEY (delivery_id, epoch)
);

CREATE TABLE lanes (                        -- its row is the lane's lock
    lane TEXT PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts (id),
    delivery_id TEXT,                       -- who holds it
    last_seq BIGINT NOT NULL DEFAULT 0,
    gated_until BIGINT,
    gate_reason TEXT,
    paused_at BIGINT
);

CREATE TABLE alerts (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,                     -- delivery_failed | delivery_late | delivery_held | delivery_unknown | token
    subject_id TEXT NOT NULL,
    message TEXT NOT NULL,                  -- ids and reasons, no message text
    raised_at BIGINT NOT NULL,
    told_at BIGINT,                         -- by every way that is configured
    mailed_at BIGINT,
    posted_at BIGINT,
    attempts BIGINT NOT NULL DEFAULT 0,
    next_at BIGINT NOT NULL,
    failure_reason TEXT,
    closed_at BIGINT
);
CREATE UNIQUE INDEX alerts_open ON alerts (kind, subject_id) WHERE closed_at IS NULL;

CREATE TABLE audit (                        -- append only; ids, never text
    id TEXT PRIMARY KEY,
    at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL DEFAULT '{}'
);
CREATE INDEX audit_at ON audit (at);

CREATE TABLE events (                       -- what happened, in order: live pages and other processes read on from a mark
    id TEXT PRIMARY KEY,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,                     -- mention | mention_edited | mention_deleted | conversation | delivery | account | alert
    subject_id TEXT NOT NULL
);
CREATE INDEX events_at ON events (at, id);
