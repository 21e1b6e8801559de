//! Redis's own clock decides, and need not be the database's.
