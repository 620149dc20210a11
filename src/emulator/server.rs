//! The HTTP side: connections, the order in which a request is judged, and faults of transport.

use super::State;
use super::fault::{Fault, Kind, Phase};
use super::log::{InFlight, Request};
use super::reply::{Body, Cut, Refusal, Reply};
use super::route::{Asked, check_host};
use super::{ebs, ec2};
use crate::limits;
use http_body_util::{BodyExt, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::error::Error;
use std::future::{pending, poll_fn};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot};

/// How long to wait when the system gives no connection, for want of descriptors for instance.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// Serve until `stop` fires or its sender is gone.
pub(super) async fn serve(
    listener: TcpListener,
    state: Arc<State>,
    mut stop: oneshot::Receiver<()>,
) {
    let room = Arc::new(Semaphore::new(limits::EMULATOR_CONNECTIONS));
    loop {
        let next = async {
            let permit = Arc::clone(&room).acquire_owned().await;
            (permit, listener.accept().await)
        };
        let (permit, accepted) = tokio::select! {
            _ = &mut stop => return,
            next = next => next,
        };
        match accepted {
            Ok((stream, _)) => {
                let state = Arc::clone(&state);
                tokio::spawn(async move {
                    let _permit = permit;
                    connection(stream, state).await;
                });
            }
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

async fn connection(stream: TcpStream, state: Arc<State>) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| Box::pin(answer(Arc::clone(&state), request)));
    let mut connection = http1::Builder::new()
        .max_buf_size(limits::EMULATOR_HEAD_BYTES)
        .max_headers(limits::EMULATOR_HEADERS)
        .serve_connection(TokioIo::new(stream), service);
    let end = poll_fn(|cx| connection.poll_without_shutdown(cx)).await;
    let reset = end.is_err_and(|error| error.source().is_some_and(<dyn Error>::is::<Reset>));
    if reset {
        let _ = connection.into_parts().io.into_inner().set_zero_linger();
    }
}

/// The connection is to be reset.
#[derive(Debug)]
struct Reset;

impl std::fmt::Display for Reset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Cut.fmt(f)
    }
}

impl Error for Reset {}

/// What becomes of a request.
enum Outcome {
    Reply(Reply),
    Reset,
    Stall,
}

async fn answer(
    state: Arc<State>,
    request: hyper::Request<Incoming>,
) -> Result<Response<Body>, Reset> {
    let in_flight = state.log.enter();
    let sequence = state.log.next();
    let at_us = u64::try_from(state.clock.real().as_micros()).unwrap_or(u64::MAX);
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, limits::EMULATOR_BODY_BYTES).collect().await;
    let Ok(body) = body.map(http_body_util::Collected::to_bytes) else {
        let reply = Refusal::new(413, "RequestEntityTooLarge", "The body is too large.");
        return Ok(send(reply.into_json(), sequence, in_flight));
    };
    let asked = Asked::parse(&parts, &body);
    let fault = state.faults.pick(Phase::Request, &asked.target());
    let outcome = judge(&state, &asked, &parts, fault.as_ref());
    let request = Request {
        sequence,
        at_us,
        operation: asked.operation,
        snapshot: asked.snapshot.clone(),
        block: asked.block,
        paged: asked.target().paged,
        status: 0,
        error: None,
        fault: fault.as_ref().map(Fault::to_string),
        invocation: text(&parts.headers, "amz-sdk-invocation-id"),
        attempt: text(&parts.headers, "amz-sdk-request"),
    };
    record(&state, request, &outcome);
    let delay = match fault.map(|fault| fault.kind) {
        Some(Kind::Delay(ms)) => state.config.latency.saturating_add(Duration::from_millis(ms)),
        _ => state.config.latency,
    };
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    match outcome {
        Outcome::Reply(reply) => Ok(send(reply, sequence, in_flight)),
        Outcome::Reset => Err(Reset),
        Outcome::Stall => pending().await,
    }
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

fn record(state: &State, mut request: Request, outcome: &Outcome) {
    let mut whole_block = false;
    if let Outcome::Reply(reply) = outcome {
        request.status = reply.status;
        request.error.clone_from(&reply.error);
        request.fault = request.fault.or_else(|| reply.fault.clone());
        whole_block = reply.whole_block;
    }
    state.log.write(request, whole_block);
}

/// What becomes of a request: address, signature, faults, then the operation itself.
fn judge(state: &State, asked: &Asked, parts: &Parts, fault: Option<&Fault>) -> Outcome {
    let allowed = check_host(&parts.headers).and_then(|()| asked.check_signed(&parts.headers));
    let faulty = match fault.map(|fault| fault.kind) {
        Some(Kind::Reset) => Some(Outcome::Reset),
        Some(Kind::Stall) => Some(Outcome::Stall),
        Some(Kind::ExpireAll) => {
            state.epoch.fetch_add(1, Ordering::SeqCst);
            None
        }
        Some(Kind::Empty503) => Some(Outcome::Reply(Reply::new(503, "text/plain", Bytes::new()))),
        Some(Kind::Html500) => Some(Outcome::Reply(Reply::new(
            500,
            "text/html",
            "<html><body><h1>500 Internal Server Error</h1></body></html>",
        ))),
        _ => None,
    };
    if let (Ok(()), Some(outcome)) = (&allowed, faulty) {
        return outcome;
    }
    let scripted = fault.and_then(|fault| refusal(fault.kind, asked.operation.is_list()));
    let result = match (allowed, scripted) {
        (Err(refused), _) | (Ok(()), Some(refused)) => Err(refused),
        (Ok(()), None) if asked.is_query() => state.ec2(asked),
        (Ok(()), None) => state.ebs(asked),
    };
    let mut reply = match result {
        Ok(reply) => reply,
        Err(refused) if asked.is_query() => ec2::refuse(&refused, asked.operation),
        Err(refused) => refused.into_json(),
    };
    if let Some(ms) = fault.and_then(|fault| fault.retry_after_ms) {
        reply.set("x-amz-retry-after", ms.to_string());
    }
    Outcome::Reply(reply)
}

/// The answer a fault gives instead of the operation's.
fn refusal(kind: Kind, is_list: bool) -> Option<Refusal> {
    let token = if is_list { "INVALID_PAGE_TOKEN" } else { "INVALID_BLOCK_TOKEN" };
    let denied = |message: &str| Refusal::new(403, "AccessDeniedException", message);
    Some(match kind {
        Kind::Throttle => ebs::throttled_snapshot(),
        Kind::ThrottleAccount => ebs::throttled_account(400),
        Kind::Throttle503 => ebs::throttled_account(503),
        Kind::Error500 => Refusal::new(500, "InternalServerException", "An internal error."),
        Kind::Quota => Refusal::new(402, "ServiceQuotaExceededException", "A quota is exceeded.")
            .because("DEPENDENCY_SERVICE_QUOTA_EXCEEDED"),
        Kind::Denied => denied("The account is not authorized to access this snapshot.")
            .because("UNAUTHORIZED_ACCOUNT"),
        Kind::DeniedKms => denied("The KMS key of the snapshot could not be used.")
            .because("DEPENDENCY_ACCESS_DENIED"),
        Kind::DeniedPolicy => denied(
            "User: arn:aws:iam::123456789012:user/test is not authorized to perform this action",
        ),
        Kind::BadSignature => Refusal::new(
            403,
            "InvalidSignatureException",
            "The request signature we calculated does not match the signature you provided.",
        ),
        Kind::ExpiredCredentials => Refusal::new(
            403,
            "ExpiredTokenException",
            "The security token included in the request is expired",
        ),
        Kind::NotFound => {
            Refusal::new(404, "ResourceNotFoundException", "The resource does not exist.")
                .because("SNAPSHOT_NOT_FOUND")
        }
        Kind::Unrelated => {
            Refusal::invalid("UNRELATED_SNAPSHOTS", "The snapshots are not of the same volume.")
        }
        Kind::ExpiredToken => Refusal::invalid(token, "The token has expired."),
        Kind::BadToken => Refusal::invalid(token, "The token is not valid."),
        _ => return None,
    })
}

fn send(reply: Reply, sequence: u64, in_flight: InFlight) -> Response<Body> {
    let mut response = Response::new(Body::new(reply.body, reply.pace, in_flight));
    *response.status_mut() =
        StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let id = ("x-amzn-requestid", format!("emulator-{sequence}"));
    for (name, value) in reply.headers.into_iter().chain([id]) {
        if let Ok(value) = HeaderValue::try_from(value) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    response
}
