//! Answers in the shapes that the real servers have.

use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::Failure;

/// The whole body, unless it is larger.
pub(super) async fn body(request: Request, limit: usize) -> Option<Vec<u8>> {
    to_bytes(request.into_body(), limit).await.ok().map(|bytes| bytes.to_vec())
}

/// The content type without its parameters; Go's servers take none for octets.
pub(super) fn content_type(request: &Request) -> String {
    let value = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    value.unwrap_or("application/octet-stream").split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Adds a field to an object.
pub(super) fn put(object: &mut Value, name: &str, value: impl Into<Value>) {
    if let Some(object) = object.as_object_mut() {
        object.insert(name.to_owned(), value.into());
    }
}

pub(super) fn json_reply(status: StatusCode, value: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], value.to_string()).into_response()
}

/// What Go says of JSON that does not begin or not end as JSON; anything else is said in our own words.
pub(super) fn json_error(error: &serde_json::Error, body: Option<u8>) -> String {
    match body {
        Some(byte) if !b"{[\"-tfn0123456789 \t\r\n".contains(&byte) => {
            format!("invalid character '{}' looking for beginning of value", byte.escape_ascii())
        }
        _ if error.is_eof() => "unexpected EOF".to_owned(),
        _ => error.to_string(),
    }
}

/// An error as grpc-gateway says it: Fulcio and Rekor v2.
pub(super) struct Grpc {
    status: StatusCode,
    code: u8,
    message: String,
    index: Option<u64>,
}

impl Grpc {
    /// InvalidArgument.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, 3, message)
    }

    /// What a request says; an empty one says nothing.
    pub(super) fn read<'a, T: serde::Deserialize<'a> + Default>(body: &'a [u8]) -> Result<T, Self> {
        if body.is_empty() {
            return Ok(T::default());
        }
        serde_json::from_slice(body).map_err(|error| match error.is_data() {
            true => Self::unreadable(&error),
            false => Self::invalid(json_error(&error, body.first().copied())),
        })
    }

    /// InvalidArgument, about the JSON itself; `proto:` as Go's library for it says.
    fn unreadable(error: &serde_json::Error) -> Self {
        let text = error.to_string();
        let unknown = text.strip_prefix("unknown field `").and_then(|rest| rest.split_once('`'));
        let place = format!("proto: (line {}:{})", error.line(), error.column());
        match unknown {
            Some((field, _)) => Self::invalid(format!("{place}: unknown field \"{field}\"")),
            None => Self::invalid(format!("{place}: {text}")),
        }
    }

    /// AlreadyExists.
    pub(super) fn duplicate(index: u64) -> Self {
        let message = format!("an equivalent entry already exists in the transparency log with index {index}");
        Self { index: Some(index), ..Self::new(StatusCode::CONFLICT, 6, message) }
    }

    /// Internal.
    pub(super) fn internal(failure: Failure) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, 13, failure.to_string())
    }

    pub(super) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, 5, "Not Found")
    }

    pub(super) fn wrong_method() -> Self {
        Self::new(StatusCode::NOT_IMPLEMENTED, 12, "Method Not Allowed")
    }

    fn new(status: StatusCode, code: u8, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), index: None }
    }
}

impl IntoResponse for Grpc {
    fn into_response(self) -> Response {
        let body = json!({ "code": self.code, "message": self.message, "details": [] });
        let mut response = json_reply(self.status, &body);
        if let Some(index) = self.index {
            response.headers_mut().insert("x-log-index", index.into());
        }
        response
    }
}

/// An error as go-swagger says it: Rekor v1 and the timestamp authority.
pub(super) struct Swagger {
    status: StatusCode,
    code: u16,
    message: String,
    /// The timestamp authority's 400 comes under the type of its replies.
    content_type: &'static str,
    location: Option<String>,
}

impl Swagger {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        let (code, message) = (status.as_u16(), message.into());
        Self { status, code, message, content_type: "application/json", location: None }
    }

    /// 422 with a code of the validator's own.
    pub(super) fn validation(code: u16, message: impl Into<String>) -> Self {
        Self { code, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, message) }
    }

    /// 409, and where it is.
    pub(super) fn duplicate(uuid: &str) -> Self {
        let message = format!("an equivalent entry already exists in the transparency log with UUID {uuid}");
        let location = Some(format!("/api/v1/log/entries/{uuid}"));
        Self { location, ..Self::new(StatusCode::CONFLICT, message) }
    }

    /// 400 of the timestamp authority.
    pub(super) fn no_timestamp(message: impl Into<String>) -> Self {
        Self { content_type: "application/timestamp-reply", ..Self::new(StatusCode::BAD_REQUEST, message) }
    }

    pub(super) fn media_type(found: &str, allowed: &str) -> Self {
        let message = format!("unsupported media type \"{found}\", only [{allowed}] are allowed");
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message)
    }

    pub(super) fn wrong_method(method: &axum::http::Method, allowed: &str) -> Self {
        let message = format!("method {method} is not allowed, but [{allowed}] are");
        Self::new(StatusCode::METHOD_NOT_ALLOWED, message)
    }

    pub(super) fn not_found(path: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("path {path} was not found"))
    }

    pub(super) fn internal(failure: Failure) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, failure.to_string())
    }
}

impl IntoResponse for Swagger {
    fn into_response(self) -> Response {
        let body = json!({ "code": self.code, "message": self.message }).to_string();
        let mut response = (self.status, [(header::CONTENT_TYPE, self.content_type)], body).into_response();
        if let Some(location) = self.location.and_then(|location| location.parse().ok()) {
            response.headers_mut().insert(header::LOCATION, location);
        }
        response
    }
}
