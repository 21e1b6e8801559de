//! Record keys: a timestamp identifier that is the same for the same delivery, whoever computes it and when.

use jiff::Timestamp;
use sha2::{Digest, Sha256};

const DIGITS: &[u8; 32] = b"234567abcdefghijklmnopqrstuvwxyz";

/// The record key of a delivery: 53 bits of microseconds and 10 bits more, as atproto.com/specs/tid describes them
/// (November 2026). Within the millisecond both come from the delivery's key, so two deliveries of one moment differ.
pub(super) fn record_key(created_at: Timestamp, key: &str) -> String {
    let hash = Sha256::digest(key.as_bytes());
    let chance = u64::from_be_bytes([0, 0, 0, 0, hash[0], hash[1], hash[2], hash[3]]);
    let milliseconds = u64::try_from(created_at.as_millisecond()).unwrap_or(0);
    let microseconds = milliseconds * 1000 + chance % 1000;
    let number = ((microseconds & ((1 << 53) - 1)) << 10) | ((chance / 1000) % 1024);
    let digit = |place: u32| char::from(DIGITS[((number >> (place * 5)) & 31) as usize]);
    (0..13).rev().map(digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_key_depends_on_the_delivery_alone() {
        let at: Timestamp = "2026-11-21T20:00:00.123456Z".parse().expect("a time");
        let key = record_key(at, "00112233445566778899aabbccddeeff");
        assert_eq!(key, record_key(at, "00112233445566778899aabbccddeeff"));
        assert_ne!(key, record_key(at, "00112233445566778899aabbccddeefe"));
        assert_eq!(key.len(), 13);
        // The specification's pattern: the first character carries the sign bit, which is never set.
        assert!("234567abcdefghij".contains(key.chars().next().expect("13 digits")));
        assert!(key.chars().all(|digit| DIGITS.contains(&(digit as u8))));
    }

    #[test]
    fn record_keys_sort_by_time() {
        let times = ["2024-01-01T00:00:00Z", "2026-11-21T20:00:00Z", "2026-11-21T20:00:01Z", "2080-01-01T00:00:00Z"];
        let keys: Vec<_> = times.iter().map(|at| record_key(at.parse().expect("a time"), "k")).collect();
        assert!(keys.is_sorted(), "{keys:?}");
    }
}
