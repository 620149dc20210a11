//! A request taken apart: which operation, with which parameters, and whether it is signed.

use super::fault::Target;
use super::log::Operation;
use super::reply::Refusal;
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method};

/// A request, taken apart.
pub(super) struct Asked {
    pub(super) operation: Operation,
    pub(super) snapshot: Option<String>,
    pub(super) block: Option<u64>,
    pub(super) parameters: Vec<(String, String)>,
}

impl Asked {
    pub(super) fn parse(parts: &Parts, body: &[u8]) -> Asked {
        let path = parts.uri.path();
        let query = parts.uri.query().unwrap_or_default();
        let steps: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let get = parts.method == Method::GET;
        let (operation, snapshot, block) = match steps.as_slice() {
            ["snapshots", id, "blocks"] if get => (Operation::ListSnapshotBlocks, Some(*id), None),
            ["snapshots", id, "changedblocks"] if get => {
                (Operation::ListChangedBlocks, Some(*id), None)
            }
            ["snapshots", id, "blocks", index] if get => {
                (Operation::GetSnapshotBlock, Some(*id), index.parse().ok())
            }
            [""] => return Asked::form(query, if get { &[] } else { body }),
            _ => (Operation::Other, None, None),
        };
        let snapshot = snapshot.map(|id| decode(id, false));
        Asked { operation, snapshot, block, parameters: pairs(query, false) }
    }

    fn form(query: &str, body: &[u8]) -> Asked {
        let mut parameters = pairs(query, true);
        parameters.extend(pairs(&String::from_utf8_lossy(body), true));
        let mut asked =
            Asked { operation: Operation::Other, snapshot: None, block: None, parameters };
        asked.operation = match asked.get("Action") {
            Some("DescribeImages") => Operation::DescribeImages,
            Some("DescribeSnapshots") => Operation::DescribeSnapshots,
            Some("DescribeSnapshotAttribute") => Operation::DescribeSnapshotAttribute,
            _ => Operation::Other,
        };
        let named = asked.get("SnapshotId.1").or_else(|| asked.get("SnapshotId"));
        asked.snapshot = named.map(str::to_owned);
        asked
    }

    /// Whether it speaks the EC2 query protocol.
    pub(super) fn is_query(&self) -> bool {
        self.get("Action").is_some() && !self.operation.is_ebs()
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The values of `name.1`, `name.2` … in order of their numbers.
    pub(super) fn list(&self, name: &str) -> Vec<&str> {
        let number = |key: &str| key.strip_prefix(name)?.strip_prefix('.')?.parse::<u32>().ok();
        let mut found: Vec<(u32, &str)> = self
            .parameters
            .iter()
            .filter_map(|(key, value)| Some((number(key)?, value.as_str())))
            .collect();
        found.sort_by_key(|(number, _)| *number);
        found.into_iter().map(|(_, value)| value).collect()
    }

    pub(super) fn target(&self) -> Target<'_> {
        Target {
            operation: self.operation,
            snapshot: self.snapshot.as_deref(),
            block: self.block,
            paged: self.get("pageToken").is_some(),
        }
    }

    /// Refuse what does not look signed, as the service does. The signature itself is not checked:
    /// there are no keys here.
    pub(super) fn check_signed(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let Some(signed) = text("authorization") else {
            return Err(Refusal::new(
                403,
                "MissingAuthenticationTokenException",
                "Missing Authentication Token",
            ));
        };
        let service = if self.is_query() { "ec2" } else { "ebs" };
        let complete = signed.starts_with("AWS4-HMAC-SHA256 ")
            && ["Credential=", "SignedHeaders=", "Signature="].iter().all(|p| signed.contains(p))
            && text("x-amz-date").is_some();
        if !complete {
            return Err(Refusal::new(
                403,
                "IncompleteSignatureException",
                "Authorization header requires Credential, SignedHeaders, Signature and a date.",
            ));
        }
        if !signed.contains(&format!("/{service}/aws4_request")) {
            return Err(Refusal::new(
                403,
                "InvalidSignatureException",
                format!("Credential should be scoped to correct service: '{service}'."),
            ));
        }
        Ok(())
    }
}

/// Refuse names other than loopback's: a web page whose name was rebound to 127.0.0.1 must not
/// read disks.
pub(super) fn check_host(headers: &HeaderMap) -> Result<(), Refusal> {
    let host = headers.get("host").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    match name {
        "127.0.0.1" | "localhost" => Ok(()),
        _ => Err(Refusal::new(403, "AccessDeniedException", "The emulator serves loopback only.")),
    }
}

fn pairs(text: &str, plus_is_space: bool) -> Vec<(String, String)> {
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(key, plus_is_space), decode(value, plus_is_space))
        })
        .collect()
}

/// Undo percent-encoding. A `%` without two hex digits stands for itself.
fn decode(text: &str, plus_is_space: bool) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let hex = tail.first_chunk::<2>().and_then(|hex| std::str::from_utf8(hex).ok());
        let byte = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        let (byte, left) = match (first, byte) {
            (b'%', Some(byte)) => (byte, tail.get(2..).unwrap_or_default()),
            (b'+', _) if plus_is_space => (b' ', tail),
            _ => (first, tail),
        };
        out.push(byte);
        rest = left;
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(method: &str, uri: &str, body: &str) -> Asked {
        let request = hyper::Request::builder().method(method).uri(uri).body(()).unwrap();
        Asked::parse(&request.into_parts().0, body.as_bytes())
    }

    #[test]
    fn tells_the_services_apart() {
        let list = asked("GET", "/snapshots/snap-1/blocks?maxResults=100&pageToken=a%2Bb%3D", "");
        assert_eq!(list.operation, Operation::ListSnapshotBlocks);
        assert_eq!(list.get("pageToken"), Some("a+b="));
        let get = asked("GET", "/snapshots/snap-1/blocks/17?blockToken=a+b", "");
        assert_eq!((get.operation, get.block), (Operation::GetSnapshotBlock, Some(17)));
        assert_eq!(get.get("blockToken"), Some("a+b"));
        let images = asked("POST", "/", "Action=DescribeImages&ImageId.10=b&ImageId.2=a+%zz");
        assert_eq!(images.operation, Operation::DescribeImages);
        assert_eq!(images.list("ImageId"), ["a %zz", "b"]);
        for (method, uri) in [("POST", "/snapshots"), ("PUT", "/snapshots/snap-1/blocks/1")] {
            assert_eq!(asked(method, uri, "").operation, Operation::Other);
        }
    }
}
