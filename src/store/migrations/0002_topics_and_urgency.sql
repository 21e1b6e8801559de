ALTER TABLE mentions ADD COLUMN topics TEXT NOT NULL DEFAULT '[]';      -- JSON: what it is about, in the language of the text
ALTER TABLE mentions ADD COLUMN urgency TEXT NOT NULL DEFAULT 'none';
ALTER TABLE mentions ADD COLUMN alarms TEXT NOT NULL DEFAULT '[]';      -- JSON: the words that make it urgent
CREATE INDEX mentions_urgent ON mentions (published_at, id, urgency) WHERE urgency <> 'none';
