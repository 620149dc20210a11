//! A reply: status, headers and a body that may break off, halt or trickle.

use super::log::InFlight;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::body::{Bytes, Frame, SizeHint};
use sha2::{Digest, Sha256};
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::Sleep;

/// How often a slow body gets its next bytes.
const SLOW_STEP: Duration = Duration::from_millis(50);

/// What is sent for a request.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Bytes,
    pub(super) pace: Pace,
    /// The error code, for the log.
    pub(super) error: Option<String>,
    /// The fault that shaped it, for the log.
    pub(super) fault: Option<String>,
    /// Whether it brings a block, whole and right.
    pub(super) whole_block: bool,
}

impl Reply {
    pub(super) fn new(status: u16, content_type: &str, body: impl Into<Bytes>) -> Reply {
        Reply {
            status,
            headers: vec![("content-type", content_type.to_owned())],
            body: body.into(),
            pace: Pace::Whole,
            error: None,
            fault: None,
            whole_block: false,
        }
    }

    pub(super) fn json(value: &serde_json::Value) -> Reply {
        Reply::new(200, "application/json", value.to_string())
    }

    /// Replace a header, or add it; an empty value removes it.
    pub(super) fn set(&mut self, name: &'static str, value: String) {
        self.headers.retain(|(known, _)| *known != name);
        if !value.is_empty() {
            self.headers.push((name, value));
        }
    }
}

/// An error answer in the shape of the EBS direct APIs; EC2 puts the same facts into XML.
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) code: &'static str,
    pub(super) reason: Option<&'static str>,
    pub(super) message: String,
}

impl Refusal {
    pub(super) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Refusal {
        Refusal { status, code, reason: None, message: message.into() }
    }

    pub(super) fn because(mut self, reason: &'static str) -> Refusal {
        self.reason = Some(reason);
        self
    }

    /// 400 `ValidationException`.
    pub(super) fn invalid(reason: &'static str, message: impl Into<String>) -> Refusal {
        Refusal::new(400, "ValidationException", message).because(reason)
    }

    pub(super) fn into_json(self) -> Reply {
        let body = match self.reason {
            Some(reason) => serde_json::json!({"Message": self.message, "Reason": reason}),
            None => serde_json::json!({"Message": self.message}),
        };
        let mut reply = Reply::new(self.status, "application/json", body.to_string());
        reply.set("x-amzn-errortype", self.code.to_owned());
        reply.error = Some(
            self.reason
                .map_or_else(|| self.code.to_owned(), |reason| format!("{}: {reason}", self.code)),
        );
        reply
    }
}

/// The base64 SHA-256 that EBS sends with a block.
pub(super) fn checksum(bytes: &[u8]) -> String {
    STANDARD.encode(Sha256::digest(bytes))
}

/// How a body goes out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    Whole,
    /// So many bytes, then the connection ends.
    Cut(usize),
    /// So many bytes, then nothing.
    Halt(usize),
    /// So many bytes a second.
    Slow(u64),
}

/// A body on its way out.
pub(super) struct Body {
    rest: Bytes,
    pace: Pace,
    sent: usize,
    yielded: bool,
    pause: Option<Pin<Box<Sleep>>>,
    _in_flight: InFlight,
}

impl Body {
    pub(super) fn new(bytes: Bytes, pace: Pace, in_flight: InFlight) -> Body {
        Body { rest: bytes, pace, sent: 0, yielded: false, pause: None, _in_flight: in_flight }
    }

    fn part(&mut self, len: usize) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let part = self.rest.split_to(len.min(self.rest.len()));
        self.sent += part.len();
        Poll::Ready(Some(Ok(Frame::data(part))))
    }

    fn poll_slow(
        &mut self,
        per_second: u64,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(cx));
        }
        self.pause = Some(Box::pin(tokio::time::sleep(SLOW_STEP)));
        let step = u128::from(per_second).saturating_mul(SLOW_STEP.as_millis()) / 1000;
        self.part(usize::try_from(step).unwrap_or(usize::MAX).max(1))
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let this = self.get_mut();
        match this.pace {
            Pace::Whole if this.rest.is_empty() => Poll::Ready(None),
            Pace::Whole => this.part(usize::MAX),
            Pace::Cut(at) | Pace::Halt(at) if this.sent < at && !this.rest.is_empty() => {
                this.part(at - this.sent)
            }
            Pace::Halt(_) => Poll::Pending,
            // The server writes out what it has before it asks again; an error at once would
            // take the head and the first bytes with it.
            Pace::Cut(_) if !this.yielded => {
                this.yielded = true;
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Pace::Cut(_) => Poll::Ready(Some(Err(Cut))),
            Pace::Slow(per_second) => this.poll_slow(per_second, cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && matches!(self.pace, Pace::Whole | Pace::Slow(_))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(u64::try_from(self.rest.len()).unwrap_or(u64::MAX))
    }
}

/// The connection ends here, on purpose.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut;

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cut by a fault")
    }
}

impl std::error::Error for Cut {}
