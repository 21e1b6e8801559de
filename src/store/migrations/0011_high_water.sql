-- Which database this is, and how far it has come: it grows while deliveries are marked for their calls.
INSERT INTO installation (name, value) VALUES ('database', CAST(RANDOM() AS TEXT));
INSERT INTO installation (name, value) VALUES ('high_water', '0');
