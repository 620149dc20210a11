//! The wire: one signed request and its answer, over the SDK's own signer and HTTP client.
//!
//! A service of which few calls are needed would cost minutes of build time as a crate of its own;
//! its [protocol](super::call) is a page.

use crate::error::{Error, ErrorKind, Result};
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::{Connector, ConnectorBuilder};
use aws_smithy_runtime_api::client::http::{HttpConnector as _, HttpConnectorSettings};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use std::time::{Duration, SystemTime};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_millis(3100);

/// How long one call may take, its body included.
const CALL: Duration = Duration::from_mins(1);

/// Bytes of one answer: the largest pages of AWS stay below a tenth of it.
const ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// One request, not signed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The name it is signed for, such as `ec2`.
    pub service: &'static str,
    /// The region it is signed for.
    pub region: String,
    /// `GET` or `POST`.
    pub method: &'static str,
    /// The whole address.
    pub url: String,
    /// Headers beside those of the signature.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: String,
}

/// What came back.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// The status of HTTP.
    pub status: u16,
    /// `x-amzn-errortype`, which JSON services name errors in.
    pub error_type: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

/// Something that carries requests: AWS, or the stand-in of a test.
pub trait Wire: Send + Sync {
    /// Sign one request with `credentials`, send it, and wait for the answer.
    fn send(&self, request: &Request, credentials: &Credentials) -> Result<Answer>;
}

/// AWS over HTTPS.
pub struct Aws {
    runtime: tokio::runtime::Runtime,
    connector: Connector,
}

impl Aws {
    /// With threads and connections of its own.
    pub fn new() -> Result<Aws> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("collect")
            .enable_all()
            .build()
            .map_err(|cause| {
                failed("cannot start the threads that talk to AWS").caused_by(cause)
            })?;
        let settings = HttpConnectorSettings::builder().connect_timeout(CONNECT).build();
        let connector = ConnectorBuilder::default()
            .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
            .connector_settings(settings)
            .proxy_config(ProxyConfig::from_env())
            .build();
        Ok(Aws { runtime, connector })
    }

    /// Wait for a future of the SDK's, from a thread that is not the runtime's own.
    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }
}

impl Wire for Aws {
    fn send(&self, request: &Request, credentials: &Credentials) -> Result<Answer> {
        let signed = signed(request, credentials, SystemTime::now())?;
        let answer = async {
            let call = self.connector.call(signed);
            let sent = call.await.map_err(|cause| failed("no answer from AWS").caused_by(cause))?;
            let status = sent.status().as_u16();
            let error_type = sent.headers().get("x-amzn-errortype").map(str::to_owned);
            let body = Limited::new(sent.into_body(), ANSWER_BYTES).collect().await;
            let body = body.map_err(|cause| {
                let long = cause.downcast_ref::<LengthLimitError>().is_some();
                let what =
                    if long { "an answer of AWS is too long" } else { "an answer was cut off" };
                failed(what).caused_by(cause)
            })?;
            Ok(Answer { status, error_type, body: body.to_bytes().to_vec() })
        };
        let timed = async { tokio::time::timeout(CALL, answer).await };
        self.runtime.block_on(timed).unwrap_or_else(|_| Err(failed("AWS did not answer in time")))
    }
}

fn failed(what: &'static str) -> Error {
    Error::new(ErrorKind::Io, what)
}

/// The request with its signature.
fn signed(request: &Request, credentials: &Credentials, now: SystemTime) -> Result<HttpRequest> {
    let cannot = || Error::new(ErrorKind::Internal, "a request cannot be signed");
    let identity = credentials.clone().into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(&request.region)
        .name(request.service)
        .time(now)
        .settings(SigningSettings::default())
        .build()
        .map_err(|cause| cannot().caused_by(cause))?
        .into();
    let headers = request.headers.iter().map(|(name, value)| (*name, value.as_str()));
    let body = SignableBody::Bytes(request.body.as_bytes());
    let signable = SignableRequest::new(request.method, &request.url, headers, body)
        .map_err(|cause| cannot().caused_by(cause))?;
    let signature =
        sign(signable, &parameters).map_err(|cause| cannot().caused_by(cause))?.into_parts().0;
    let mut signed = HttpRequest::new(SdkBody::from(request.body.as_str()));
    signed.set_method(request.method).map_err(|cause| cannot().caused_by(cause))?;
    signed.set_uri(request.url.as_str()).map_err(|cause| cannot().caused_by(cause))?;
    for (name, value) in
        request.headers.iter().map(|(n, v)| (*n, v.as_str())).chain(signature.headers())
    {
        let headers = signed.headers_mut();
        headers
            .try_insert(name.to_owned(), value.to_owned())
            .map_err(|cause| cannot().caused_by(cause))?;
    }
    Ok(signed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_signed_for_its_service() {
        let request = Request {
            service: "iam",
            region: "us-east-1".to_owned(),
            method: "POST",
            url: "https://iam.amazonaws.com/".to_owned(),
            headers: vec![("content-type", "application/x-www-form-urlencoded".to_owned())],
            body: "Action=ListUsers&Version=2010-05-08".to_owned(),
        };
        let credentials =
            Credentials::new("AKIDEXAMPLE", "secret", Some("token".into()), None, "t");
        let now = SystemTime::UNIX_EPOCH + Duration::from_hours(498_692);
        let signed = signed(&request, &credentials, now).unwrap();
        let header = |name| signed.headers().get(name).unwrap_or_default();
        let scope = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261121/us-east-1/iam/aws4_request";
        assert!(header("authorization").starts_with(scope), "{}", header("authorization"));
        assert_eq!(header("x-amz-security-token"), "token");
        assert_eq!(header("content-type"), "application/x-www-form-urlencoded");
        assert!(!format!("{:?}", signed.headers()).contains("secret"));
    }
}
