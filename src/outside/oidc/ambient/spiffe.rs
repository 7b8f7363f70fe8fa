//! SPIFFE: the Workload API on a socket of this machine gives a JWT-SVID (SPIFFE Workload API section 6, JWT-SVID
//! section 2). One call of gRPC, which is HTTP/2 with a length before each message.

#![cfg_attr(not(unix), expect(dead_code, unused_imports, reason = "no such sockets are spoken there"))]

use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::{Method, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use zeroize::Zeroizing;

use super::MAX_REPLY_BYTES;
use crate::outside::http::excerpt;
use crate::outside::oidc::source::Asking;
use crate::outside::oidc::surroundings::Surroundings;

/// Where the agent's socket is: `unix:///path`, as the standard has it.
#[derive(Clone, Debug)]
pub struct Spiffe {
    path: String,
}

#[derive(Clone, PartialEq, Message)]
struct JwtSvidRequest {
    #[prost(string, repeated, tag = "1")]
    audience: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
struct JwtSvidResponse {
    #[prost(message, repeated, tag = "1")]
    svids: Vec<JwtSvid>,
}

#[derive(Clone, PartialEq, Message)]
struct JwtSvid {
    #[prost(string, tag = "2")]
    svid: String,
}

/// Not compressed, so many bytes.
const PREFIX_BYTES: usize = 5;

impl Spiffe {
    /// The socket that is named, or that of `SPIFFE_ENDPOINT_SOCKET`.
    pub(super) fn found(surroundings: &Surroundings, socket: Option<&str>) -> Result<Self, String> {
        let variable = surroundings.variable("SPIFFE_ENDPOINT_SOCKET");
        let socket = socket.or(variable).ok_or("SPIFFE_ENDPOINT_SOCKET is not set; name the socket: spiffe:/path")?;
        let path = socket.strip_prefix("unix://").or_else(|| socket.strip_prefix("unix:")).unwrap_or(socket);
        match path.starts_with('/') {
            true => Ok(Self { path: path.to_owned() }),
            false => Err(format!("`{socket}` is no absolute path of a socket")),
        }
    }

    #[cfg(unix)]
    pub(super) fn missing(&self) -> Option<String> {
        use std::os::unix::fs::FileTypeExt as _;
        match std::path::Path::new(&self.path).metadata() {
            Ok(meta) if meta.file_type().is_socket() => None,
            Ok(_) => Some(format!("{}: it is no socket", self.path)),
            Err(error) => Some(format!("{}: {error}", self.path)),
        }
    }

    #[cfg(not(unix))]
    pub(super) fn missing(&self) -> Option<String> {
        Some(format!("{}: sockets of this kind are not spoken on this system", self.path))
    }

    pub(super) async fn request(&self, asking: Asking<'_>) -> Result<Zeroizing<String>, String> {
        let late = |_| format!("{} did not answer within {} s", self.path, Duration::as_secs_f32(&asking.deadline));
        let message = JwtSvidRequest { audience: vec![asking.audience.to_owned()] }.encode_to_vec();
        let answer = tokio::time::timeout(asking.deadline, self.call(&message)).await.map_err(late)??;
        let svids = JwtSvidResponse::decode(answer.as_slice()).map_err(|error| error.to_string())?.svids;
        // The first is the workload's default.
        svids.into_iter().next().map(|svid| Zeroizing::new(svid.svid)).ok_or_else(|| "it knows no identity".to_owned())
    }

    #[cfg(unix)]
    async fn call(&self, message: &[u8]) -> Result<Zeroizing<Vec<u8>>, String> {
        let fault = |error: hyper::Error| excerpt(&error.to_string());
        let stream = tokio::net::UnixStream::connect(&self.path)
            .await
            .map_err(|error| format!("{} cannot be reached: {error}", self.path))?;
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.map_err(fault)?;
        // Ends with the sender.
        tokio::spawn(connection);
        let response = sender.send_request(request(message)?).await.map_err(fault)?;
        answer(response).await
    }

    /// The standard's other transport, TCP, knows no peer; named pipes are not spoken.
    #[cfg(not(unix))]
    async fn call(&self, _: &[u8]) -> Result<Zeroizing<Vec<u8>>, String> {
        Err(format!("{}: sockets of this kind are not spoken on this system", self.path))
    }
}

fn request(message: &[u8]) -> Result<Request<Full<Bytes>>, String> {
    let length = u32::try_from(message.len()).map_err(|error| error.to_string())?;
    let body = [&[0][..], &length.to_be_bytes(), message].concat();
    Request::builder()
        .method(Method::POST)
        .uri("http://localhost/SpiffeWorkloadAPI/FetchJWTSVID")
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        // So that no web page can be made to ask (Workload Endpoint section 3).
        .header("workload.spiffe.io", "true")
        .body(Full::new(Bytes::from(body)))
        .map_err(|error| error.to_string())
}

/// The message, when the status says that all went well. An error may come without a body, in the head.
async fn answer(response: Response<hyper::body::Incoming>) -> Result<Zeroizing<Vec<u8>>, String> {
    if response.status() != 200 {
        return Err(format!("it answered {}", response.status().as_u16()));
    }
    let head = response.headers().clone();
    let body = Limited::new(response.into_body(), MAX_REPLY_BYTES).collect().await;
    let body = body.map_err(|error| excerpt(&error.to_string()))?;
    let trailers = body.trailers().cloned().unwrap_or_default();
    let said = |name: &str| trailers.get(name).or(head.get(name)).and_then(|value| value.to_str().ok());
    match said("grpc-status") {
        Some("0") => {}
        Some(status) => {
            let message = said("grpc-message").unwrap_or_default();
            return Err(excerpt(&format!("it answered with gRPC status {status}: {message}")));
        }
        None => return Err("it did not end its answer".to_owned()),
    }
    let bytes = body.to_bytes();
    let length = bytes.get(1..PREFIX_BYTES).and_then(|length| length.try_into().ok()).map(u32::from_be_bytes);
    let message = bytes.get(PREFIX_BYTES..).unwrap_or_default();
    match (bytes.first(), length) {
        (Some(0), Some(length)) if usize::try_from(length) == Ok(message.len()) => Ok(Zeroizing::new(message.to_vec())),
        _ => Err("its answer is not one message of gRPC".to_owned()),
    }
}
