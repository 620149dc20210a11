//! Kerberos: key tables
//! ([format](https://web.mit.edu/kerberos/krb5-latest/doc/formats/keytab_file_format.html)) and credential
//! caches ([format](https://web.mit.edu/kerberos/krb5-latest/doc/formats/ccache_file_format.html)).

use super::Artifact;
use super::judge::{self, Kind};
use super::paths;
use super::piece::{self, Piece};
use crate::blob::{Blob, Budget, Out};
use crate::bytes;
use crate::error::{Error, Result};
use crate::finding::{Grade, Rule, Severity};

/// The parser of key tables.
pub(super) const KEYTAB: Artifact = Artifact { name: "keytab", applies: is_keytab, run: keytab };

/// The parser of credential caches.
pub(super) const CACHE: Artifact =
    Artifact { name: "kerberos cache", applies: is_cache, run: cache };

static KEY: Rule = Rule {
    id: "krb.keytab",
    title: "Kerberos key of a principal",
    severity: Severity::High,
    rotate: "Change the principal's key (kadmin ktadd, or rejoin the domain) so that the old version number no longer counts, and let instances join at boot.",
};

static TICKET: Rule = Rule {
    id: "krb.ccache",
    title: "Kerberos ticket",
    severity: Severity::Medium,
    rotate: "Let it expire; when it is renewable or just made, disable the principal's tickets at the KDC and destroy the cache.",
};

fn is_keytab(blob: &Blob<'_>) -> bool {
    blob.bytes.starts_with(&[5, 2]) && paths::ends_with_any(&blob.name, &["*.keytab", "*.kt"])
        || paths::ends_with_any(&blob.name, &["*.keytab", "krb5.keytab*", "client.keytab"])
}

fn is_cache(blob: &Blob<'_>) -> bool {
    paths::ends_with_any(&blob.name, &["krb5cc_*", "krb5cc*", "*.ccache", "ccache_*"])
}

/// Fields one after the other, in network order.
struct Fields<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Fields<'a> {
    fn u8(&mut self) -> Result<u8> {
        let value = bytes::u8_at(self.bytes, self.at)?;
        self.at = self.at.saturating_add(1);
        Ok(value)
    }

    fn u16(&mut self) -> Result<u16> {
        let value = bytes::u16_be(self.bytes, self.at)?;
        self.at = self.at.saturating_add(2);
        Ok(value)
    }

    fn u32(&mut self) -> Result<u32> {
        let value = bytes::u32_be(self.bytes, self.at)?;
        self.at = self.at.saturating_add(4);
        Ok(value)
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8]> {
        let taken = bytes::take(self.bytes, self.at, len)?;
        self.at = self.at.saturating_add(len);
        Ok(taken)
    }

    /// Bytes behind a length of 16 bits.
    fn counted(&mut self) -> Result<&'a [u8]> {
        let len = self.u16()?;
        self.take(usize::from(len))
    }

    /// Bytes behind a length of 32 bits.
    fn long(&mut self) -> Result<&'a [u8]> {
        let len = self.u32()?;
        self.take(usize::try_from(len).unwrap_or(usize::MAX))
    }
}

/// `a/b@REALM`.
fn principal(components: &[&[u8]], realm: &[u8]) -> String {
    let mut name = components.join(&b'/');
    name.push(b'@');
    name.extend_from_slice(realm);
    piece::text(&name)
}

/// Parts of a name; nobody has more, and a count may say anything.
const COMPONENTS: u32 = 64;

fn enctype(number: u16) -> &'static str {
    match number {
        1 => "des-cbc-crc",
        3 => "des-cbc-md5",
        16 => "des3-cbc-sha1",
        17 => "aes128-cts-hmac-sha1-96",
        18 => "aes256-cts-hmac-sha1-96",
        19 => "aes128-cts-hmac-sha256-128",
        20 => "aes256-cts-hmac-sha384-192",
        23 => "rc4-hmac",
        24 => "rc4-hmac-exp",
        25 => "camellia128-cts-cmac",
        26 => "camellia256-cts-cmac",
        _ => "unknown",
    }
}

fn keytab(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let whole = Piece::whole(&blob.bytes);
    if whole.is_empty() {
        return Ok(());
    }
    if !whole.bytes.starts_with(&[5, 2]) {
        return Err(Error::corrupt("key table has another version"));
    }
    let mut at = 2;
    while at < whole.bytes.len() {
        let size = i32::from_be_bytes(bytes::u32_be(whole.bytes, at)?.to_be_bytes());
        let len = usize::try_from(size.unsigned_abs()).unwrap_or(usize::MAX);
        let start = at.saturating_add(4);
        if size == 0 {
            break;
        }
        // A negative size is that of a hole, where an entry was deleted.
        let entry = bytes::take(whole.bytes, start, len)?;
        if size > 0 {
            key(Piece { bytes: entry, at: start }, out)?;
        }
        at = start.saturating_add(len);
    }
    Ok(())
}

fn key(entry: Piece<'_>, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let mut fields = Fields { bytes: entry.bytes, at: 0 };
    let count = fields.u16()?;
    let realm = fields.counted()?;
    let mut components = Vec::new();
    for _ in 0..u32::from(count).min(COMPONENTS) {
        components.push(fields.counted()?);
    }
    fields.u32()?; // type of the name
    let written = fields.u32()?;
    let version = fields.u8()?;
    let algorithm = fields.u16()?;
    let secret = fields.counted()?;
    let secret_at = fields.at.saturating_sub(secret.len());
    let version = fields.u32().ok().filter(|&v| v != 0).unwrap_or(u32::from(version));
    if secret.is_empty() {
        return Ok(());
    }
    let written =
        Some(written).filter(|&w| w != 0).and_then(|w| piece::date(i64::from(w) / 86_400));
    let place = entry.sub(secret_at, secret_at.saturating_add(secret.len()));
    let found = judge::found(&KEY, Grade::Proven, Kind::Token, place)
        .fact("principal", principal(&components, realm))
        .fact("encryption", enctype(algorithm))
        .fact("version", version.to_string())
        .fact("written", written.unwrap_or_default());
    out(Out::Match(found));
    Ok(())
}

fn cache(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let whole = Piece::whole(&blob.bytes);
    let mut fields = Fields { bytes: whole.bytes, at: 2 };
    match whole.bytes {
        [] => return Ok(()),
        [5, 4, ..] => {
            fields.counted()?;
        }
        [5, 3, ..] => {}
        _ => return Err(Error::corrupt("credential cache has another version")),
    }
    name(&mut fields)?;
    while fields.at < whole.bytes.len() {
        ticket(&mut fields, whole, out)?;
    }
    Ok(())
}

/// A principal of a cache; its realm comes first.
fn name(fields: &mut Fields<'_>) -> Result<(String, bool)> {
    fields.u32()?; // type of the name
    let count = fields.u32()?;
    if count > COMPONENTS {
        return Err(Error::corrupt("a principal has too many parts"));
    }
    let realm = fields.long()?;
    let mut components = Vec::new();
    for _ in 0..count {
        components.push(fields.long()?);
    }
    Ok((principal(&components, realm), realm == b"X-CACHECONF:"))
}

fn ticket(fields: &mut Fields<'_>, whole: Piece<'_>, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let (client, _) = name(fields)?;
    let (server, is_setting) = name(fields)?;
    let algorithm = fields.u16()?;
    if whole.bytes.get(1) == Some(&3) {
        fields.u16()?;
    }
    let key = fields.long()?;
    let key_at = fields.at.saturating_sub(key.len());
    fields.u32()?; // time of the login
    fields.u32()?; // start
    let ends = fields.u32()?;
    let renews = fields.u32()?;
    fields.u8()?; // whether the key is the session's
    fields.u32()?; // flags
    for _ in 0..2 {
        // Addresses, then what it is authorised for: each a list of typed bytes.
        for _ in 0..fields.u32()? {
            fields.u16()?;
            fields.long()?;
        }
    }
    fields.long()?; // the ticket
    fields.long()?; // the second ticket
    if is_setting || key.is_empty() {
        return Ok(());
    }
    let day = |time: u32| piece::date(i64::from(time) / 86_400).filter(|_| time != 0);
    let found = judge::found(
        &TICKET,
        Grade::Proven,
        Kind::Token,
        whole.sub(key_at, key_at.saturating_add(key.len())),
    );
    let found = found
        .fact("principal", client)
        .fact("server", server)
        .fact("encryption", enctype(algorithm))
        .fact("expires", day(ends).unwrap_or_default())
        .fact("renewable_until", day(renews).unwrap_or_default());
    out(Out::Match(found));
    Ok(())
}
