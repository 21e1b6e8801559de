CREATE TABLE corrections (                  -- what a person says a mention is, over what the analysis said; the newest counts
    mention_id TEXT PRIMARY KEY REFERENCES mentions (id),
    sentiment TEXT,                         -- NULL: left to the analysis
    intents TEXT,                           -- JSON: labels, main one first; NULL: left to the analysis
    language TEXT NOT NULL,
    said_sentiment TEXT NOT NULL,           -- what the analysis had said; its reasons stay with the mention
    said_score DOUBLE PRECISION NOT NULL,
    said_confidence DOUBLE PRECISION NOT NULL,
    said_intents TEXT NOT NULL,             -- JSON, main one first
    corrected_by TEXT NOT NULL,             -- user id, 'token:ID', 'local' or 'cli'
    corrected_at BIGINT NOT NULL,
    outdated_at BIGINT                      -- its author changed the text since: it counts no more
);
CREATE INDEX corrections_at ON corrections (corrected_at, mention_id);

CREATE TABLE deltas (                       -- what was learnt from a brand's corrections over a built-in model
    brand_id TEXT NOT NULL REFERENCES brands (id),
    language TEXT NOT NULL,
    model TEXT NOT NULL,                    -- fingerprint of that model: over another one it rests
    weights TEXT NOT NULL,                  -- JSON: hashed features and their weights; no words
    corrections BIGINT NOT NULL,            -- how many it was learnt from
    learnt_at BIGINT NOT NULL,
    PRIMARY KEY (brand_id, language)
);
