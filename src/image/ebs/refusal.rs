//! A refusal: why a call to the EBS direct APIs gave nothing, and whether asking again may help.
//!
//! The SDK's retries are off, so that there is one layer of them; this is its classifier.

use crate::error::{Error, ErrorKind};
use aws_sdk_ebs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ebs::operation::get_snapshot_block::GetSnapshotBlockError;
use aws_sdk_ebs::operation::list_snapshot_blocks::ListSnapshotBlocksError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use std::fmt::Write as _;
use std::time::Duration;

/// What can be done about a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Too many requests: ask again later, and less.
    Throttled,
    /// Nothing came in time: ask again, with less under way.
    Slow,
    /// Broken on the way, or by the service: ask again.
    Broken,
    /// The block came and cannot be trusted: ask again, a few times.
    Untrusted,
    /// The block token is no longer good: list again.
    BlockToken,
    /// The page token is no longer good: list from the start.
    PageToken,
    /// AWS says no, and will say it again.
    Denied,
    /// There is no such snapshot.
    NotFound,
    /// The request makes no sense to the service.
    Invalid,
}

/// Why a call gave nothing.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub(super) class: Class,
    /// Code, reason and message as AWS gave them, or what broke.
    pub(super) detail: String,
    /// How long the service asks to be left alone.
    pub(super) retry_after: Option<Duration>,
}

impl Refusal {
    pub(super) fn new(class: Class, detail: impl Into<String>) -> Refusal {
        Refusal { class, detail: detail.into(), retry_after: None }
    }

    /// The error when nothing more is tried.
    pub(super) fn into_error(self) -> Error {
        let (kind, what) = match self.class {
            Class::Throttled => {
                (ErrorKind::Unreadable, "AWS kept throttling the requests for a snapshot")
            }
            Class::Slow => (ErrorKind::Unreadable, "AWS did not answer in time"),
            Class::Broken => (ErrorKind::Unreadable, "the connection to AWS kept failing"),
            Class::Untrusted => (ErrorKind::Unreadable, "a block kept coming damaged"),
            Class::BlockToken => (ErrorKind::Unreadable, "AWS kept refusing fresh block tokens"),
            Class::PageToken => (ErrorKind::Unreadable, "AWS kept refusing fresh page tokens"),
            Class::Denied => (ErrorKind::Denied, "AWS refused to read the snapshot"),
            Class::NotFound => (ErrorKind::NotFound, "AWS knows no such snapshot"),
            Class::Invalid => (ErrorKind::Denied, "AWS refused the request for the snapshot"),
        };
        Error::new(kind, what).detail(self.detail)
    }
}

/// What AWS or the transport said, before it is judged.
#[derive(Default)]
struct Said<'a> {
    status: u16,
    code: &'a str,
    reason: &'a str,
    message: &'a str,
    retry_after: Option<Duration>,
}

pub(super) fn of_list(error: &SdkError<ListSnapshotBlocksError, HttpResponse>) -> Refusal {
    use ListSnapshotBlocksError as E;
    let reason = match error.as_service_error() {
        Some(E::AccessDeniedException(e)) => e.reason().as_str(),
        Some(E::ResourceNotFoundException(e)) => e.reason().map_or("", |r| r.as_str()),
        Some(E::RequestThrottledException(e)) => e.reason().map_or("", |r| r.as_str()),
        Some(E::ServiceQuotaExceededException(e)) => e.reason().map_or("", |r| r.as_str()),
        Some(E::ValidationException(e)) => e.reason().map_or("", |r| r.as_str()),
        _ => "",
    };
    of(error, reason)
}

pub(super) fn of_block(error: &SdkError<GetSnapshotBlockError, HttpResponse>) -> Refusal {
    use GetSnapshotBlockError as E;
    let reason = match error.as_service_error() {
        Some(E::AccessDeniedException(e)) => e.reason().as_str(),
        Some(E::ResourceNotFoundException(e)) => e.reason().map_or("", |r| r.as_str()),
        Some(E::RequestThrottledException(e)) => e.reason().map_or("", |r| r.as_str()),
        Some(E::ServiceQuotaExceededException(e)) => e.reason().map_or("", |r| r.as_str()),
        Some(E::ValidationException(e)) => e.reason().map_or("", |r| r.as_str()),
        _ => "",
    };
    of(error, reason)
}

fn of<E>(error: &SdkError<E, HttpResponse>, reason: &str) -> Refusal
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    match error {
        SdkError::ServiceError(context) => {
            let response = context.raw();
            judge(&Said {
                status: response.status().as_u16(),
                code: error.code().unwrap_or(""),
                reason,
                message: error.message().unwrap_or(""),
                retry_after: response.headers().get("x-amz-retry-after").and_then(milliseconds),
            })
        }
        SdkError::TimeoutError(_) => Refusal::new(Class::Slow, chain(error)),
        SdkError::DispatchFailure(failure) if failure.is_timeout() => {
            Refusal::new(Class::Slow, chain(error))
        }
        SdkError::DispatchFailure(failure) if failure.is_user() => {
            Refusal::new(Class::Denied, chain(error))
        }
        SdkError::ConstructionFailure(_) => Refusal::new(Class::Denied, chain(error)),
        _ => Refusal::new(Class::Broken, chain(error)),
    }
}

fn milliseconds(text: &str) -> Option<Duration> {
    text.trim().parse().ok().map(Duration::from_millis)
}

/// An answer that is not a success, judged.
fn judge(said: &Said<'_>) -> Refusal {
    let mut detail = match said.code {
        "" => format!("status {}", said.status),
        code => code.to_owned(),
    };
    // Where a reason is due and none came, the SDK makes up words of its own.
    if said.reason.bytes().any(|b| b == b'_') {
        let _ = write!(detail, " {}", said.reason);
    }
    if !said.message.is_empty() {
        let _ = write!(detail, ": {}", said.message);
    }
    let class = match (said.code, said.reason) {
        _ if is_throttle(said.status, said.code) => Class::Throttled,
        (_, "INVALID_BLOCK_TOKEN") => Class::BlockToken,
        (_, "INVALID_PAGE_TOKEN") => Class::PageToken,
        ("ResourceNotFoundException", _) => Class::NotFound,
        ("AccessDeniedException" | "ServiceQuotaExceededException", _) => Class::Denied,
        ("RequestTimeout" | "RequestTimeoutException", _) => Class::Slow,
        ("InternalServerException", _) => Class::Broken,
        _ => match said.status {
            404 => Class::NotFound,
            401..=403 => Class::Denied,
            408 | 504 => Class::Slow,
            400..=499 => Class::Invalid,
            _ => Class::Broken,
        },
    };
    Refusal { class, detail, retry_after: said.retry_after }
}

/// The guide and the model spell one code differently, and the per-account one is in no model.
fn is_throttle(status: u16, code: &str) -> bool {
    status == 429
        || code.contains("Throttl")
        || matches!(code, "SlowDown" | "RequestLimitExceeded" | "TooManyRequestsException")
}

/// An error and all its causes, each once.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            let _ = write!(text, ": {more}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_what_may_be_asked_again() {
        for (status, code, reason, class) in [
            (400, "RequestThrottledException", "RESOURCE_LEVEL_THROTTLE", Class::Throttled),
            (400, "RequestThrottleException", "", Class::Throttled),
            (400, "ThrottlingException", "", Class::Throttled),
            (503, "ThrottlingException", "", Class::Throttled),
            (503, "SlowDown", "", Class::Throttled),
            (429, "", "", Class::Throttled),
            (400, "ValidationException", "INVALID_BLOCK_TOKEN", Class::BlockToken),
            (400, "ValidationException", "INVALID_PAGE_TOKEN", Class::PageToken),
            (400, "ValidationException", "INVALID_BLOCK", Class::Invalid),
            (400, "ValidationException", "", Class::Invalid),
            (402, "ServiceQuotaExceededException", "", Class::Denied),
            (403, "AccessDeniedException", "DEPENDENCY_ACCESS_DENIED", Class::Denied),
            (403, "ExpiredTokenException", "", Class::Denied),
            (403, "", "", Class::Denied),
            (404, "ResourceNotFoundException", "SNAPSHOT_NOT_FOUND", Class::NotFound),
            (500, "InternalServerException", "", Class::Broken),
            (500, "", "", Class::Broken),
            (503, "", "", Class::Broken),
            (504, "", "", Class::Slow),
        ] {
            let said = Said { status, code, reason, message: "m", retry_after: None };
            assert_eq!(judge(&said).class, class, "{status} {code} {reason}");
        }
    }

    #[test]
    fn an_error_carries_the_code_and_the_reason() {
        let said = Said {
            status: 403,
            code: "AccessDeniedException",
            reason: "UNAUTHORIZED_ACCOUNT",
            message: "no",
            retry_after: None,
        };
        assert_eq!(
            judge(&said).into_error().message(),
            "AWS refused to read the snapshot (AccessDeniedException UNAUTHORIZED_ACCOUNT: no)"
        );
        let said = Said { code: "X", reason: "no value was set", ..Said::default() };
        assert_eq!(judge(&said).detail, "X");
        let bare = Said { status: 500, ..Said::default() };
        assert_eq!(judge(&bare).detail, "status 500");
        assert_eq!(milliseconds(" 250 "), Some(Duration::from_millis(250)));
        assert_eq!(milliseconds("soon"), None);
    }
}
