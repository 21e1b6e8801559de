CREATE TABLE campaigns (                    -- posts that belong together, each with its own account, text and state
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    name_fold TEXT NOT NULL UNIQUE,         -- folded: a name in other letters is the same campaign
    made_by TEXT NOT NULL,                  -- user id, 'token:ID', 'local' or 'cli'
    made_at BIGINT NOT NULL
);

CREATE TABLE recurrences (                  -- posts that come again: a rule that makes dated occurrences
    id TEXT PRIMARY KEY,
    rule TEXT NOT NULL,                     -- JSON: how often, at which local time, in which zone, from when to when
    missed TEXT NOT NULL,                   -- skip | ask: what becomes of an occurrence whose time passed unsent
    author TEXT NOT NULL,
    idem_key TEXT UNIQUE,                   -- the same key twice is the same recurrence
    revision BIGINT NOT NULL DEFAULT 1,     -- goes up with every change: what was begun under an older one is dropped
    effective_at BIGINT NOT NULL,           -- nothing due before is made: made, changed or resumed then
    next_at BIGINT NOT NULL,                -- when somebody should look next
    paused_at BIGINT,
    ended_at BIGINT,
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL
);
CREATE INDEX recurrences_next ON recurrences (next_at) WHERE ended_at IS NULL AND paused_at IS NULL;

CREATE TABLE recurrence_accounts (
    recurrence_id TEXT NOT NULL REFERENCES recurrences (id),
    account_id TEXT NOT NULL REFERENCES accounts (id),
    text TEXT NOT NULL,
    made_through TEXT,                      -- the last local date that was looked at
    skipped BIGINT NOT NULL DEFAULT 0,      -- dates that passed before their occurrence was made
    problem TEXT,                           -- why the next occurrence cannot be made; it is tried again
    PRIMARY KEY (recurrence_id, account_id)
);

ALTER TABLE posts ADD COLUMN campaign_id TEXT REFERENCES campaigns (id);
ALTER TABLE posts ADD COLUMN recurrence_id TEXT REFERENCES recurrences (id);
CREATE INDEX posts_campaign ON posts (campaign_id) WHERE campaign_id IS NOT NULL;
CREATE INDEX posts_recurrence ON posts (recurrence_id) WHERE recurrence_id IS NOT NULL;

CREATE TABLE quiet_hours (                  -- when an account publishes no posts; replies and takedowns go on
    account_id TEXT PRIMARY KEY REFERENCES accounts (id),
    from_minute BIGINT NOT NULL,            -- of the day, in the account's zone
    until_minute BIGINT NOT NULL            -- smaller than from_minute: on the next day
);
ALTER TABLE deliveries ADD COLUMN wanted_at BIGINT;     -- the time asked for, where quiet hours moved it
