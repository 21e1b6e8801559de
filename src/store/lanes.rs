//! Lanes, their locks and gates.
