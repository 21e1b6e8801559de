CREATE TABLE stops (                        -- what sends nothing new for now, because a person said so
    scope TEXT PRIMARY KEY,                 -- all | posts | account:ACCOUNT_ID | app:NETWORK BASE_URL
    reason TEXT NOT NULL,
    stopped_by TEXT NOT NULL,
    stopped_at BIGINT NOT NULL
);
INSERT INTO stops (scope, reason, stopped_by, stopped_at)
SELECT 'all', COALESCE((SELECT value FROM installation WHERE name = 'sending_stopped_reason'), ''), a.actor, a.at
FROM audit a
WHERE a.action = 'sending.stop' AND EXISTS (SELECT 1 FROM installation WHERE name = 'sending_stopped_at')
ORDER BY a.at DESC LIMIT 1;
DELETE FROM installation WHERE name IN ('sending_stopped_at', 'sending_stopped_reason');

CREATE TABLE workers (                      -- processes that have not said goodbye
    name TEXT PRIMARY KEY,
    host TEXT NOT NULL,
    pid BIGINT NOT NULL,
    roles TEXT NOT NULL,                    -- listen,deliver,console
    sends_since BIGINT,                     -- NULL: it delivers nothing, or takes nothing new any more
    started_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL
);
CREATE INDEX audit_subject ON audit (subject, id);
