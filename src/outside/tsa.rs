//! A timestamp authority over HTTP (RFC 3161 section 3.4).

use std::time::Duration;

use super::http::{Endpoint, Failure, Http, Request};
use crate::format::timestamp;

/// Most bytes of an answer; a token with its signer's certificate has 1.5 kB.
pub const MAX_REPLY_BYTES: usize = 64 << 10;

/// A token over `imprint` (SHA-256 of what is stamped) that answers `nonce`, with its signer's certificate inside as
/// the server sends it. Nothing of it is verified.
pub async fn request_token(
    http: &Http,
    authority: &Endpoint,
    imprint: &[u8; 32],
    nonce: &[u8; 16],
    deadline: Duration,
) -> Result<Vec<u8>, Failure> {
    let query = timestamp::query(imprint, nonce).map_err(|error| authority.unreadable(error))?;
    // The status first: a refusal is JSON under the content type of a reply.
    let reply = http
        .send(Request {
            endpoint: authority,
            body: Some(("application/timestamp-query", &query)),
            accept: "application/timestamp-reply",
            headers: &[],
            limit: MAX_REPLY_BYTES,
            deadline,
        })
        .await?
        .success()?;
    timestamp::token_of_reply(&reply, nonce).map_err(|error| authority.unreadable(error))
}
