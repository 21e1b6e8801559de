//! Encrypts what must not be read in the database: tokens and sessions.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret, SecretBox, SecretString};
use sha2::Sha256;

const NONCE_BYTES: usize = 24;
/// In the data folder.
const KEY_FILE: &str = "muhatap.key";

/// The installation's key: 32 bytes from `MUHATAP_KEY` (base64), the file `MUHATAP_KEY_FILE` names, or `muhatap.key` in
/// the data folder, which is made at the first start and readable by its owner alone.
pub struct Secrets(SecretBox<[u8; 32]>);

#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    #[error("{0} must be 32 bytes in base64; make one with: head -c 32 /dev/urandom | base64")]
    BadKey(String),
    #[error("cannot use the key file {path}: {source}")]
    File { path: String, source: std::io::Error },
    #[error(
        "a stored secret cannot be decrypted: the key is not the one it was encrypted with; set the former key, or connect the account again"
    )]
    WrongKey,
    #[error("this process's key is not the one that the secrets of this database are encrypted with; {}", THE_WAY_ON)]
    OtherKey,
    #[error("the secrets of this database are encrypted with a key that is not here; {}", THE_WAY_ON)]
    MissingKey,
}

const THE_WAY_ON: &str = "give every process the same key (the first one's muhatap.key, or MUHATAP_KEY); if it is lost, \
                          \"muhatap new-key\" forgets the tokens, and their accounts are connected again";

impl Secrets {
    /// The key that there is; where there is none, one is made.
    pub fn open(data_dir: &Path) -> Result<Self, SecretsError> {
        if let Some(given) = Self::given(data_dir)? {
            return Ok(given);
        }
        let path = data_dir.join(KEY_FILE);
        let shown = path.display().to_string();
        let failed = |source| SecretsError::File { path: shown.clone(), source };
        std::fs::create_dir_all(data_dir).map_err(failed)?;
        let text = BASE64.encode(rand::random::<[u8; 32]>());
        // Written aside and linked into place: of two processes that start at once, one key wins for both.
        let draft = data_dir.join(format!("{KEY_FILE}.{:016x}", rand::random::<u64>()));
        write_private(&draft, &text).map_err(failed)?;
        let linked = std::fs::hard_link(&draft, &path);
        std::fs::remove_file(&draft).map_err(failed)?;
        match linked {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(failed(error)),
            _ => Self::parse(&shown, &std::fs::read_to_string(&path).map_err(failed)?),
        }
    }

    /// The key that there is already.
    pub fn given(data_dir: &Path) -> Result<Option<Self>, SecretsError> {
        if let Ok(text) = std::env::var("MUHATAP_KEY") {
            return Self::parse("MUHATAP_KEY", &text).map(Some);
        }
        let named = std::env::var_os("MUHATAP_KEY_FILE").map(std::path::PathBuf::from);
        let path = named.clone().unwrap_or_else(|| data_dir.join(KEY_FILE));
        let shown = path.display().to_string();
        match std::fs::read_to_string(&path) {
            Ok(text) => Self::parse(&shown, &text).map(Some),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && named.is_none() => Ok(None),
            Err(source) => Err(SecretsError::File { path: shown, source }),
        }
    }

    fn parse(place: &str, text: &str) -> Result<Self, SecretsError> {
        let bytes = BASE64.decode(text.trim()).map_err(|_| SecretsError::BadKey(place.to_owned()))?;
        let key: [u8; 32] = bytes.try_into().map_err(|_| SecretsError::BadKey(place.to_owned()))?;
        Ok(Self(SecretBox::new(Box::new(key))))
    }

    /// Tells this key from others, and says nothing of it.
    pub fn key_mark(&self) -> String {
        self.mark("key", "")
    }

    /// Refuses a database whose secrets another key encrypted.
    pub fn must_be(&self, mark: &str) -> Result<(), SecretsError> {
        if self.key_mark() == mark { Ok(()) } else { Err(SecretsError::OtherKey) }
    }

    /// Encrypts `secret`, bound to `purpose` (`account:ID:token`), so that a row cannot be swapped for another.
    pub fn encrypt(&self, purpose: &str, secret: &SecretString) -> String {
        let nonce: [u8; NONCE_BYTES] = rand::random();
        let payload = Payload { msg: secret.expose_secret().as_bytes(), aad: purpose.as_bytes() };
        let sealed = self
            .cipher()
            .encrypt(&XNonce::from(nonce), payload)
            .expect("the cipher fails only on messages of more than 256 GiB");
        format!("v1:{}", BASE64.encode([nonce.as_slice(), &sealed].concat()))
    }

    pub fn decrypt(&self, purpose: &str, stored: &str) -> Result<SecretString, SecretsError> {
        let bytes =
            stored.strip_prefix("v1:").and_then(|text| BASE64.decode(text).ok()).ok_or(SecretsError::WrongKey)?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE_BYTES).ok_or(SecretsError::WrongKey)?;
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().map_err(|_| SecretsError::WrongKey)?;
        let payload = Payload { msg: sealed, aad: purpose.as_bytes() };
        let plain = self.cipher().decrypt(&XNonce::from(nonce), payload).map_err(|_| SecretsError::WrongKey)?;
        String::from_utf8(plain).map(Into::into).map_err(|_| SecretsError::WrongKey)
    }

    /// A keyed hash by which two values can be told apart without storing them (hexadecimal).
    pub fn mark(&self, purpose: &str, value: &str) -> String {
        let mut mac = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(self.0.expose_secret())
            .expect("HMAC takes a key of any length");
        mac.update(purpose.as_bytes());
        mac.update(&[0]);
        mac.update(value.as_bytes());
        mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(self.0.expose_secret().into())
    }
}

/// Makes a new file that its owner alone may read.
pub fn create_private(path: &Path) -> std::io::Result<std::fs::File> {
    use std::os::unix::fs::OpenOptionsExt;
    std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write;
    let mut file = create_private(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets() -> Secrets {
        Secrets(SecretBox::new(Box::new([7; 32])))
    }

    #[test]
    fn a_secret_comes_back_and_is_not_in_its_stored_form() {
        let stored = secrets().encrypt("account:1:token", &"çok gizli".to_owned().into());
        assert!(!stored.contains("gizli"));
        assert_eq!(secrets().decrypt("account:1:token", &stored).unwrap().expose_secret(), "çok gizli");
    }

    #[test]
    fn a_row_swapped_for_another_or_changed_is_refused() {
        let stored = secrets().encrypt("account:1:token", &"gizli".to_owned().into());
        assert!(secrets().decrypt("account:2:token", &stored).is_err());
        let mut changed = stored.clone();
        changed.replace_range(10..11, if &stored[10..11] == "A" { "B" } else { "A" });
        assert!(secrets().decrypt("account:1:token", &changed).is_err());
        assert!(secrets().decrypt("account:1:token", "v1:AA").is_err());
    }

    #[test]
    fn the_key_file_is_made_once_and_private() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let first = Secrets::open(dir.path()).unwrap();
        let second = Secrets::open(dir.path()).unwrap();
        assert_eq!(first.mark("p", "v"), second.mark("p", "v"));
        let mode = std::fs::metadata(dir.path().join("muhatap.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
