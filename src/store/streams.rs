//! Streams, their leases, cursors and gaps.
