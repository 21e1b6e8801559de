//! Passwords, tokens and the brake on guessing them.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// Characters a password must have at least.
pub const SHORTEST_PASSWORD: usize = 10;
/// Bytes a password may have at most, so that hashing one stays cheap to ask for.
const LONGEST_PASSWORD: usize = 1024;
/// Wrong passwords for one user from one address before the brake.
const FREE_GUESSES: u32 = 5;
/// Wrong passwords for one user from all addresses before the brake.
const FREE_GUESSES_ANYWHERE: u32 = 50;
const LONGEST_WAIT: Duration = Duration::from_secs(900);
/// Characters of a user's or token's name.
const LONGEST_NAME: usize = 64;
/// Users and addresses the brake remembers; the oldest are forgotten first.
const MOST_REMEMBERED: usize = 10_000;

/// argon2id with 19 MiB and two passes, the first choice of the OWASP password storage sheet (read November 2026).
fn argon2() -> Argon2<'static> {
    let params = Params::new(19 * 1024, 2, 1, None).expect("the numbers are within argon2's bounds");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// Hashing takes memory and time: at most two at once, whoever asks.
static HASHING: Semaphore = Semaphore::const_new(2);

/// A name that is empty, too long or holds control characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a name must have 1 to {LONGEST_NAME} plain characters")]
pub struct NameError;

/// The name of a user or token as it is stored: without blanks around it.
pub fn clean_name(name: &str) -> Result<&str, NameError> {
    let name = name.trim();
    let length = name.chars().count();
    let is_sound = (1..=LONGEST_NAME).contains(&length) && !name.chars().any(char::is_control);
    if is_sound { Ok(name) } else { Err(NameError) }
}

/// Why a password cannot be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    #[error("the password must have at least {SHORTEST_PASSWORD} characters")]
    TooShort,
    #[error("the password must have at most {LONGEST_PASSWORD} bytes")]
    TooLong,
    #[error("the password must not be the user's name")]
    IsName,
}

/// Checks a new password for `name`.
pub fn check_password(name: &str, password: &str) -> Result<(), PasswordError> {
    if password.chars().count() < SHORTEST_PASSWORD {
        return Err(PasswordError::TooShort);
    }
    if password.len() > LONGEST_PASSWORD {
        return Err(PasswordError::TooLong);
    }
    if password.to_lowercase() == name.to_lowercase() {
        return Err(PasswordError::IsName);
    }
    Ok(())
}

/// Hashes a password with argon2id and a salt of its own.
pub async fn hash_password(password: String) -> String {
    let _turn = HASHING.acquire().await.expect("the semaphore is never closed");
    tokio::task::spawn_blocking(move || {
        argon2().hash_password(password.as_bytes()).expect("argon2 takes any password and salt of its own").to_string()
    })
    .await
    .expect("hashing does not panic")
}

/// Checks a password; without a hash (no such user) it takes as long and says no.
pub async fn is_password(password: String, hash: Option<String>) -> bool {
    /// The hash of a password nobody has.
    static NOBODY: LazyLock<String> = LazyLock::new(|| {
        argon2().hash_password(&rand::random::<[u8; 32]>()).expect("argon2 takes any password").to_string()
    });
    if password.len() > LONGEST_PASSWORD {
        return false;
    }
    let _turn = HASHING.acquire().await.expect("the semaphore is never closed");
    tokio::task::spawn_blocking(move || {
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| NOBODY.clone());
        let matches =
            PasswordHash::new(&hash).is_ok_and(|hash| argon2().verify_password(password.as_bytes(), &hash).is_ok());
        matches && known
    })
    .await
    .unwrap_or(false)
}

/// A new random value nobody can guess, with a `prefix` that tells what it is.
pub fn random_value(prefix: &str) -> String {
    format!("{prefix}{}", URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>()))
}

/// What is stored of a random value: SHA-256 in hexadecimal digits.
pub fn hash_of(value: &str) -> String {
    Sha256::digest(value.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Slows down whoever guesses passwords.
#[derive(Default)]
pub struct Brake(Mutex<HashMap<String, Guesses>>);

struct Guesses {
    wrong: u32,
    last: Instant,
    wait: Duration,
}

impl Brake {
    /// How long whoever logs in as `name` from `address` has to wait, if at all.
    pub fn wait(&self, now: Instant, name: &str, address: &str) -> Option<Duration> {
        let guesses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        keys(name, address)
            .iter()
            .filter_map(|(key, _)| {
                let guesses = guesses.get(key)?;
                guesses.wait.checked_sub(now.saturating_duration_since(guesses.last)).filter(|left| !left.is_zero())
            })
            .max()
    }

    /// Counts a wrong password. Counted before it is checked, so that many at once do not all slip through.
    pub fn count(&self, now: Instant, name: &str, address: &str) {
        let mut guesses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if guesses.len() + 2 > MOST_REMEMBERED {
            guesses.retain(|_, guesses| now.saturating_duration_since(guesses.last) < LONGEST_WAIT);
        }
        while guesses.len() + 2 > MOST_REMEMBERED {
            let Some(oldest) = guesses.iter().min_by_key(|(_, guesses)| guesses.last).map(|(key, _)| key.clone())
            else {
                break;
            };
            guesses.remove(&oldest);
        }
        for (key, free) in keys(name, address) {
            let guesses = guesses.entry(key).or_insert(Guesses { wrong: 0, last: now, wait: Duration::ZERO });
            guesses.wrong = guesses.wrong.saturating_add(1);
            guesses.last = now;
            guesses.wait = match guesses.wrong.checked_sub(free) {
                None => Duration::ZERO,
                Some(over) => Duration::from_secs(1 << over.min(10)).min(LONGEST_WAIT),
            };
        }
    }

    /// The right password was given.
    pub fn forget(&self, name: &str, address: &str) {
        let mut guesses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, _) in keys(name, address) {
            guesses.remove(&key);
        }
    }
}

/// What is counted, each with the guesses that are free. Names are hashed: they may be as long as a request.
fn keys(name: &str, address: &str) -> [(String, u32); 2] {
    let name = hash_of(&name.to_lowercase());
    [(format!("{name}@{address}"), FREE_GUESSES), (name, FREE_GUESSES_ANYWHERE)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_known_again_and_no_other_is() {
        let hash = hash_password("doğru at pil zımba".to_owned()).await;
        assert!(hash.starts_with("$argon2id$"), "{hash}");
        assert!(is_password("doğru at pil zımba".to_owned(), Some(hash.clone())).await);
        assert!(!is_password("dogru at pil zimba".to_owned(), Some(hash)).await);
        assert!(!is_password("doğru at pil zımba".to_owned(), None).await);
    }

    #[test]
    fn guessing_gets_slower_and_stays_bounded() {
        let (brake, now) = (Brake::default(), Instant::now());
        for _ in 0..FREE_GUESSES - 1 {
            brake.count(now, "ayşe", "10.0.0.1");
            assert_eq!(brake.wait(now, "ayşe", "10.0.0.1"), None);
        }
        brake.count(now, "ayşe", "10.0.0.1");
        assert!(brake.wait(now, "AYŞE", "10.0.0.1").is_some(), "case does not help");
        assert_eq!(brake.wait(now, "ayşe", "10.0.0.2"), None, "others are not locked out");
        for _ in 0..40 {
            brake.count(now, "ayşe", "10.0.0.1");
        }
        assert!(brake.wait(now, "ayşe", "10.0.0.1").is_some_and(|wait| wait <= LONGEST_WAIT));
        assert_eq!(brake.wait(now + LONGEST_WAIT, "ayşe", "10.0.0.1"), None);
        for number in 0..MOST_REMEMBERED {
            brake.count(now, &format!("user {number}"), "10.0.0.1");
        }
        assert!(brake.0.lock().expect("no test panicked").len() <= MOST_REMEMBERED);
    }

    #[test]
    fn short_and_obvious_passwords_are_refused() {
        assert_eq!(check_password("ayşe", "kısa"), Err(PasswordError::TooShort));
        assert_eq!(check_password("ayşe yılmaz", "AYŞE YILMAZ"), Ok(()), "I and ı differ: not the same word");
        assert_eq!(check_password("administrator", "Administrator"), Err(PasswordError::IsName));
        assert_eq!(check_password("ayşe", "uzun ve rastgele"), Ok(()));
    }
}
