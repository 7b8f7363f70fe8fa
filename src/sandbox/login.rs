//! The provider's addresses: discovery, keys, a page to log in on, a page to approve a device on, the token endpoint.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Form, Query, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::{get, post};
use serde_json::json;

use super::World;
use super::faults::Service;
use super::http::{json_reply, put};
use super::identity::Kind;
use super::oidc::{self, OUT_OF_BAND, Parameters};

/// Addresses that every issuer has, and those where people log in, whom the e-mail issuer alone knows.
pub(super) fn router(world: Arc<World>) -> Router {
    let mut router = Router::new();
    for kind in Kind::ALL {
        let discovery = async move |State(world): State<Arc<World>>| discovery(&world, kind);
        router = router
            .route(&format!("/{}/.well-known/openid-configuration", kind.path()), get(discovery))
            .route(&format!("/{}/keys", kind.path()), get(keys));
    }
    router
        .route("/email/auth", get(login_page).post(log_in))
        .route("/email/token", post(token))
        .route("/email/device/code", post(device_code))
        .route("/email/device", get(device_page).post(answer_device))
        .fallback(async |_: Request| refusal(StatusCode::NOT_FOUND, "not_found"))
        .with_state(world)
}

/// OpenID Connect Discovery 1.0 section 3.
fn discovery(world: &World, kind: Kind) -> Response {
    let issuer = world.provider.issuer(kind);
    let mut reply = json!({
        "id_token_signing_alg_values_supported": ["ES256"],
        "issuer": issuer,
        "jwks_uri": format!("{issuer}/keys"),
        "response_types_supported": ["code"],
        "scopes_supported": ["openid", "email", "offline_access"],
        "subject_types_supported": ["public"],
    });
    if kind == Kind::Email {
        put(&mut reply, "authorization_endpoint", format!("{issuer}/auth"));
        put(&mut reply, "code_challenge_methods_supported", json!(["S256"]));
        put(&mut reply, "device_authorization_endpoint", format!("{issuer}/device/code"));
        put(
            &mut reply,
            "grant_types_supported",
            json!(["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"]),
        );
        put(&mut reply, "token_endpoint", format!("{issuer}/token"));
        put(&mut reply, "token_endpoint_auth_methods_supported", json!(["none"]));
    }
    json_reply(StatusCode::OK, &reply)
}

async fn keys(State(world): State<Arc<World>>) -> Response {
    json_reply(StatusCode::OK, &world.provider.jwks())
}

fn refusal(status: StatusCode, error: &str) -> Response {
    json_reply(status, &json!({ "error": error }))
}

async fn token(State(world): State<Arc<World>>, Form(request): Form<Parameters>) -> Response {
    let now = world.now(Service::IdentityProvider);
    let fault = world.switches.of(Service::IdentityProvider);
    let no_store = [(header::CACHE_CONTROL, "no-store")];
    match world.provider.exchange(&request, now, fault) {
        Ok(reply) => (no_store, json_reply(StatusCode::OK, &reply)).into_response(),
        Err(error) => (no_store, refusal(StatusCode::BAD_REQUEST, error)).into_response(),
    }
}

async fn device_code(State(world): State<Arc<World>>, Form(request): Form<Parameters>) -> Response {
    match world.provider.begin_device(&request, world.now(Service::IdentityProvider)) {
        Ok(reply) => json_reply(StatusCode::OK, &reply),
        Err(error) => refusal(StatusCode::BAD_REQUEST, error),
    }
}

async fn login_page(Query(request): Query<Parameters>) -> Response {
    match oidc::check_authorization(&request) {
        Err(why) => wrong(&why),
        Ok(()) => {
            let hint = request.get("login_hint").map(String::as_str).unwrap_or_default();
            let hidden: String = request
                .iter()
                .map(|(name, value)| {
                    format!("<input type=hidden name=\"{}\" value=\"{}\">", escaped(name), escaped(value))
                })
                .collect();
            page("Log in", &format!("<form method=post>{hidden}{}<button>Log in</button></form>", address(hint)))
        }
    }
}

async fn log_in(State(world): State<Arc<World>>, Form(request): Form<Parameters>) -> Response {
    let email = request.get("email").map(String::as_str).unwrap_or_default();
    let code = match world.provider.log_in(&request, email, world.now(Service::IdentityProvider)) {
        Ok(code) => code,
        Err(why) => return wrong(&why),
    };
    match request.get("redirect_uri").map(String::as_str).unwrap_or_default() {
        OUT_OF_BAND => page("Logged in", &format!("<p>Your code: <code>{}</code></p>", escaped(&code))),
        place => {
            let separator = if place.contains('?') { '&' } else { '?' };
            let state = request.get("state").map(|state| format!("&state={}", component(state))).unwrap_or_default();
            let place = format!("{place}{separator}code={code}{state}");
            (StatusCode::SEE_OTHER, [(header::LOCATION, place)]).into_response()
        }
    }
}

async fn device_page(Query(request): Query<Parameters>) -> Response {
    let code = request.get("user_code").map(String::as_str).unwrap_or_default();
    let code = format!("<p><label>Code <input name=user_code required value=\"{}\"></label></p>", escaped(code));
    let buttons = "<button name=answer value=allow>Allow</button> <button name=answer value=deny>Deny</button>";
    page("Approve a device", &format!("<form method=post>{code}{}{buttons}</form>", address("")))
}

async fn answer_device(State(world): State<Arc<World>>, Form(request): Form<Parameters>) -> Response {
    let text = |name: &str| request.get(name).map(String::as_str).unwrap_or_default();
    let email = (text("answer") != "deny").then(|| text("email"));
    match world.provider.answer_device(text("user_code"), email, world.now(Service::IdentityProvider)) {
        Ok(()) => page("Done", "<p>Go back to your terminal.</p>"),
        Err(why) => wrong(&why),
    }
}

fn address(value: &str) -> String {
    let value = escaped(value);
    format!("<p><label>E-mail address <input name=email type=email autofocus value=\"{value}\"></label></p>")
}

fn wrong(why: &str) -> Response {
    (StatusCode::BAD_REQUEST, page("That does not work", &format!("<p>{}</p>", escaped(why)))).into_response()
}

fn page(title: &str, body: &str) -> Response {
    let notice = "This is a git-keyless sandbox, for trial, training and tests. It believes every address.";
    Html(format!(
        "<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title><h1>{title}</h1><p>{notice}</p>{body}"
    ))
    .into_response()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

/// One part of a query.
fn component(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}
