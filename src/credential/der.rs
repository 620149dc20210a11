//! DER: tag, length, value ([X.690](https://www.itu.int/rec/T-REC-X.690)), as much as keys and
//! certificates need.

/// `SEQUENCE`.
pub const SEQUENCE: u8 = 0x30;
/// `SET`.
pub const SET: u8 = 0x31;
/// `INTEGER`.
pub const INTEGER: u8 = 0x02;
/// `BIT STRING`.
pub const BIT_STRING: u8 = 0x03;
/// `OCTET STRING`.
pub const OCTET_STRING: u8 = 0x04;
/// `OBJECT IDENTIFIER`.
pub const OID: u8 = 0x06;

/// One element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element<'a> {
    /// The identifier octet.
    pub tag: u8,
    /// The content octets.
    pub body: &'a [u8],
}

/// A reader of one element after the other.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A reader over the elements in `bytes`.
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes }
    }

    /// The next element, whatever it is; `None` at the end and where the bytes are not DER.
    pub fn element(&mut self) -> Option<Element<'a>> {
        let (&tag, rest) = self.rest.split_first()?;
        // Long tags occur in nothing that is read here.
        if tag & 0x1f == 0x1f {
            return None;
        }
        let (len, rest) = length(rest)?;
        let (body, rest) = rest.split_at_checked(len)?;
        self.rest = rest;
        Some(Element { tag, body })
    }

    /// The content of the next element, which must be of `tag`.
    pub fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.element().filter(|element| element.tag == tag).map(|element| element.body)
    }

    /// A reader over the content of the next element, which must be a sequence.
    pub fn sequence(&mut self) -> Option<Reader<'a>> {
        self.expect(SEQUENCE).map(Reader::new)
    }

    /// The magnitude of the next element, a non-negative integer, without leading zeros.
    pub fn unsigned(&mut self) -> Option<&'a [u8]> {
        let body = self.expect(INTEGER)?;
        if body.first()? & 0x80 != 0 {
            return None;
        }
        Some(body.get(body.iter().take_while(|&&byte| byte == 0).count()..).unwrap_or_default())
    }
}

/// A length and what follows it. Indefinite lengths are not DER.
fn length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    if first < 0x80 {
        return Some((usize::from(first), rest));
    }
    let count = usize::from(first & 0x7f);
    if count == 0 || count > 4 {
        return None;
    }
    let (digits, rest) = rest.split_at_checked(count)?;
    let len = digits.iter().try_fold(0usize, |len, &byte| {
        len.checked_mul(256).and_then(|len| len.checked_add(usize::from(byte)))
    })?;
    Some((len, rest))
}

/// How many bits a magnitude without leading zeros has.
pub fn bits(magnitude: &[u8]) -> Option<u32> {
    let first = magnitude.first()?;
    let whole = u32::try_from(magnitude.len()).ok()?.checked_mul(8)?;
    whole.checked_sub(first.leading_zeros())
}

/// Common name and organisations of a certificate's subject.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    /// `CN`, which Kubernetes takes for the user.
    pub common_name: Option<String>,
    /// `O`, which Kubernetes takes for the groups.
    pub organisations: Vec<String>,
}

/// The subject of an X.509 certificate ([RFC 5280](https://www.rfc-editor.org/rfc/rfc5280)).
pub fn certificate_subject(der: &[u8]) -> Option<Subject> {
    let mut certificate = Reader::new(der).sequence()?;
    let mut fields = certificate.sequence()?;
    let first = fields.element()?;
    // The version is explicit from v2 on; the serial number follows it.
    if first.tag == 0xa0 {
        fields.expect(INTEGER)?;
    }
    fields.sequence()?; // signature algorithm
    fields.sequence()?; // issuer
    fields.sequence()?; // validity
    let mut names = fields.sequence()?;
    let mut subject = Subject::default();
    while let Some(set) = names.expect(SET) {
        let mut pair = Reader::new(set).sequence()?;
        let oid = pair.expect(OID)?;
        let value = String::from_utf8_lossy(pair.element()?.body).into_owned();
        match oid {
            [0x55, 4, 3] => subject.common_name = Some(value),
            [0x55, 4, 10] => subject.organisations.push(value),
            _ => {}
        }
    }
    Some(subject)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_elements() {
        let mut reader = Reader::new(&[0x30, 3, 2, 1, 5, 4, 0x81, 1, 9]);
        assert_eq!(reader.sequence().unwrap().unsigned(), Some(&[5][..]));
        assert_eq!(reader.expect(OCTET_STRING), Some(&[9][..]));
        assert_eq!(reader.element(), None);
    }

    #[test]
    fn refuses_what_is_not_der() {
        for bytes in [&[0x30][..], &[0x30, 0x80], &[0x30, 5, 1], &[0x1f, 1, 1], &[2, 0x85, 0, 0]] {
            assert_eq!(Reader::new(bytes).element(), None, "{bytes:?}");
        }
        assert_eq!(Reader::new(&[2, 0x84, 255, 255, 255, 255, 1]).element(), None);
        assert_eq!(Reader::new(&[2, 1, 0x80]).unsigned(), None);
    }

    #[test]
    fn counts_bits() {
        assert_eq!(bits(&[1, 0]), Some(9));
        assert_eq!(bits(&[0xff]), Some(8));
        assert_eq!(bits(&[]), None);
    }
}
