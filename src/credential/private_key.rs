//! A private key: its form, whether it is encrypted, and who it is.

/// What a private key says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PrivateKey {
    /// The form: `openssh`, `pkcs8`, `pkcs1`, `sec1`, `dsa`, `putty`, `pgp`.
    pub form: &'static str,
    /// The algorithm, such as `ssh-ed25519` or `rsa`; empty when it cannot be told.
    pub algorithm: String,
    /// Whether a passphrase protects it.
    pub encrypted: bool,
    /// Size of the modulus or field in bits.
    pub bits: Option<u32>,
    /// The OpenSSH fingerprint of the public half, `SHA256:…`, when it can be read.
    pub fingerprint: Option<String>,
    /// The comment, usually `user@host`.
    pub comment: Option<String>,
}
