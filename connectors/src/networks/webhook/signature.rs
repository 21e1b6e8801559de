//! Signing secrets of an endpoint, and what they make of an event.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

const PREFIX: &str = "whsec_";
/// Bytes of a secret, as the specification bounds them.
const LENGTHS: std::ops::RangeInclusive<usize> = 24..=64;

/// The secrets that an endpoint's events are signed with: one, or during a change the new one and the former one, which
/// ends by itself.
pub struct Secrets(Vec<Secret>);

struct Secret {
    key: Zeroizing<Vec<u8>>,
    /// The former secret of a change signs until then.
    until: Option<Timestamp>,
}

impl Secrets {
    /// Reads secrets written with a space between them, each `whsec_` and base64; one that ends by itself has `@` and an
    /// RFC 3339 time behind it. The message never repeats any of it.
    pub fn read(text: &SecretString) -> Result<Secrets, String> {
        let secrets: Vec<Secret> =
            text.expose_secret().split_whitespace().map(Secret::read).collect::<Result<_, _>>()?;
        match secrets.is_empty() {
            true => Err("there is none".to_owned()),
            false => Ok(Self(secrets)),
        }
    }

    /// A secret of any text as one secret: any HMAC library that is given the text's bytes as its key signs the same, since
    /// HMAC hashes what is longer than its block and fills what is shorter with zeros (RFC 2104, section 2).
    pub fn from_text(text: SecretString) -> SecretString {
        let bytes = text.expose_secret().as_bytes();
        if text.expose_secret().starts_with(PREFIX) {
            return text;
        }
        let mut key = Zeroizing::new(match bytes.len() {
            length if length > *LENGTHS.end() => Sha256::digest(bytes).to_vec(),
            _ => bytes.to_vec(),
        });
        let filled = key.len().max(*LENGTHS.start());
        key.resize(filled, 0);
        format!("{PREFIX}{}", STANDARD.encode(&*key)).into()
    }

    /// `text` with `new` before what signs in it now, which goes on until `until`. A former secret of an earlier change
    /// ends here: no more than two sign at a time.
    pub fn change(text: &SecretString, new: &SecretString, until: Timestamp) -> SecretString {
        let current = text.expose_secret().split_whitespace().next().unwrap_or_default();
        let current = current.split('@').next().unwrap_or_default();
        format!("{} {current}@{until}", new.expose_secret()).into()
    }

    /// The value of `webhook-signature` for a call at `at`: a `v1` for each secret that signs then.
    pub fn sign(&self, id: &str, at: Timestamp, body: &[u8]) -> String {
        let signs = |secret: &&Secret| secret.until.is_none_or(|until| at < until);
        let signatures: Vec<String> = self.0.iter().filter(signs).map(|secret| secret.sign(id, at, body)).collect();
        signatures.join(" ")
    }
}

impl Secret {
    fn read(text: &str) -> Result<Secret, String> {
        let (secret, until) = match text.split_once('@') {
            Some((secret, until)) => {
                let until = until.parse().map_err(|_| "what follows @ is not a time".to_owned())?;
                (secret, Some(until))
            }
            None => (text, None),
        };
        let coded = secret.strip_prefix(PREFIX).ok_or_else(|| format!("it must begin with {PREFIX}"))?;
        let key = STANDARD.decode(coded).map_err(|_| format!("what follows {PREFIX} is not base64"))?;
        if !LENGTHS.contains(&key.len()) {
            return Err(format!("it has {} bytes, and must have {} to {}", key.len(), LENGTHS.start(), LENGTHS.end()));
        }
        Ok(Self { key: key.into(), until })
    }

    fn sign(&self, id: &str, at: Timestamp, body: &[u8]) -> String {
        let mut hmac = Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes a key of any length");
        hmac.update(format!("{id}.{}.", at.as_second()).as_bytes());
        hmac.update(body);
        format!("v1,{}", STANDARD.encode(hmac.finalize().into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vector of the specification's own libraries (libraries/javascript/src/webhook.test.ts).
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const SIGNED_AT: i64 = 1_614_265_330;
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("in range")
    }

    fn read(text: &str) -> Result<Secrets, String> {
        Secrets::read(&text.to_owned().into())
    }

    #[test]
    fn the_specifications_own_vector_is_signed_alike() {
        assert_eq!(read(SECRET).unwrap().sign(ID, at(SIGNED_AT), BODY), SIGNATURE);
    }

    #[test]
    fn after_a_change_both_secrets_sign_until_the_former_one_ends() {
        let new = format!("whsec_{}", STANDARD.encode([7; 32]));
        let changed = Secrets::change(&SECRET.to_owned().into(), &new.clone().into(), at(SIGNED_AT + 60));
        let secrets = Secrets::read(&changed).unwrap();
        let both = secrets.sign(ID, at(SIGNED_AT), BODY);
        let own = read(&new).unwrap().sign(ID, at(SIGNED_AT), BODY);
        assert_eq!(both, format!("{own} {SIGNATURE}"));
        assert_eq!(secrets.sign(ID, at(SIGNED_AT + 60), BODY).split(' ').count(), 1, "the former one has ended");
        let again = Secrets::change(&changed, &SECRET.to_owned().into(), at(SIGNED_AT + 90));
        assert_eq!(Secrets::read(&again).unwrap().0.len(), 2, "never more than two");
    }

    #[test]
    fn any_text_signs_as_the_key_that_it_is() {
        for length in [1, 6, 24, 64, 65, 200] {
            let text = "ş".repeat(length);
            let secret = Secrets::from_text(text.clone().into());
            let mut hmac = Hmac::<Sha256>::new_from_slice(text.as_bytes()).unwrap();
            hmac.update(format!("{ID}.{SIGNED_AT}.").as_bytes());
            hmac.update(BODY);
            let expected = format!("v1,{}", STANDARD.encode(hmac.finalize().into_bytes()));
            assert_eq!(Secrets::read(&secret).unwrap().sign(ID, at(SIGNED_AT), BODY), expected, "{length}");
        }
        assert_eq!(Secrets::from_text(SECRET.to_owned().into()).expose_secret(), SECRET);
    }

    #[test]
    fn a_secret_that_cannot_be_one_is_named_without_repeating_it() {
        for wrong in ["", "geheim", "whsec_", "whsec_%%%", "whsec_c2hvcnQ=", &format!("{SECRET}@soon")] {
            let error = read(wrong).err().expect("it is refused");
            assert!(!error.contains("geheim") && !error.contains("MfKQ"), "{error}");
        }
    }
}
