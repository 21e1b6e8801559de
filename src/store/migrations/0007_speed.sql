-- The calendar of all accounts: a month of a million deliveries, earliest first.
CREATE INDEX deliveries_calendar ON deliveries (due_at, id);
