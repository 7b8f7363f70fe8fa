//! The OpenID provider: an issuer for every form of identity, each of which believes whatever it is told.
//!
//! A person types an address into a page, or approves a device; a program holds the directory's key. Codes, PKCE,
//! nonces and intervals are checked as elsewhere, so that a client's mistakes show here and not in production.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Mutex;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData as _, SigningKey as _};
use serde_json::{Value, json};

use super::faults::Fault;
use super::http::put;
use super::identity::{Identity, Kind, Principal, is_address};
use super::state::{self, Directory, fresh_p256};
use super::{Failure, der};
use crate::format::hex;
use crate::key::{self, Hash, Memo, PublicKey, sha256};

/// Of every token and of every client.
pub(super) const AUDIENCE: &str = "sigstore";
/// How long an ID token is good for.
const TOKEN_SECONDS: i64 = 3600;
/// How long a code is.
const CODE_SECONDS: i64 = 120;
/// How long a refresh token is.
const REFRESH_SECONDS: i64 = 24 * 3600;
/// How long a device may wait for its approval.
const DEVICE_SECONDS: i64 = 300;
/// How long a device waits between two questions.
pub(super) const INTERVAL_SECONDS: i64 = 1;

/// Parameters of a request, by name.
pub(super) type Parameters = HashMap<String, String>;

pub(super) struct Provider {
    base: String,
    key: KeyPair,
    codes: Mutex<HashMap<String, Code>>,
    devices: Mutex<HashMap<String, Device>>,
    renewals: Mutex<HashMap<String, Renewal>>,
}

/// A login that waits to be fetched.
#[derive(Clone)]
struct Code {
    email: String,
    nonce: Option<String>,
    redirect_uri: String,
    challenge: String,
    offline: bool,
    expires: i64,
}

/// A device that waits for its approval.
#[derive(Clone)]
struct Device {
    user_code: String,
    nonce: Option<String>,
    challenge: Option<String>,
    offline: bool,
    answer: Option<Answer>,
    asked: i64,
    expires: i64,
}

/// What a refresh token brings.
#[derive(Clone)]
struct Renewal {
    email: String,
    nonce: Option<String>,
    expires: i64,
}

/// A grant that was redeemed.
struct Redeemed {
    email: String,
    nonce: Option<String>,
    /// Whether a refresh token was asked for.
    offline: bool,
}

#[derive(Clone, PartialEq, Eq)]
enum Answer {
    Denied,
    Email(String),
}

/// `error` of RFC 6749 section 5.2 and RFC 8628 section 3.5.
pub(super) type OauthError = &'static str;

impl Provider {
    pub(super) fn open(directory: &Directory, base: String) -> Result<Self, Failure> {
        let key = directory.key("oidc", &PKCS_ECDSA_P256_SHA256)?;
        Ok(Self { base, key, codes: Mutex::default(), devices: Mutex::default(), renewals: Mutex::default() })
    }

    /// The provider of a sandbox that may or may not be running.
    pub(super) fn of(path: &Path, base: String) -> Result<Self, Failure> {
        let key = state::existing_key(path, "oidc")?;
        Ok(Self { base, key, codes: Mutex::default(), devices: Mutex::default(), renewals: Mutex::default() })
    }

    /// `iss` of the tokens of one form.
    pub(super) fn issuer(&self, kind: Kind) -> String {
        kind.issuer(&self.base)
    }

    /// An ID token for whom the holder of the directory says.
    pub(super) fn mint(&self, identity: &Identity, now: i64) -> Result<String, Failure> {
        self.token(identity, None, now, Fault::None)
    }

    /// RFC 7517.
    pub(super) fn jwks(&self) -> Value {
        let point = self.key.der_bytes();
        // Uncompressed: 4, x, y (SEC 1 section 2.3.3).
        let (x, y) = point.get(1..).unwrap_or_default().split_at(point.len() / 2);
        let coordinate = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        json!({ "keys": [{ "alg": "ES256", "crv": "P-256", "kid": self.kid(), "kty": "EC", "use": "sig",
                           "x": coordinate(x), "y": coordinate(y) }] })
    }

    /// Who a token is about, if it is ours, for us, and valid: what Fulcio asks. All else is one and the same refusal.
    pub(super) fn principal(&self, token: &str, now: i64) -> Option<Principal> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, payload) = signed.split_once('.').filter(|(_, payload)| !payload.contains('.'))?;
        let part = |text: &str| -> Option<Value> { serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok() };
        let (header, claims) = (part(header)?, part(payload)?);
        if header.get("alg")?.as_str()? != "ES256" || header.get("kid").is_some_and(|kid| *kid != self.kid()) {
            return None;
        }
        let signature = der::ecdsa_from_fixed(&URL_SAFE_NO_PAD.decode(signature).ok()?)?;
        let key = PublicKey::from_spki(&self.key.subject_public_key_info()).ok()?;
        Memo::new().check_signature(&key, Hash::Sha256, signed.as_bytes(), &signature).ok()?;
        let for_us = match claims.get("aud")? {
            Value::String(audience) => audience == AUDIENCE,
            Value::Array(audiences) => audiences.iter().any(|audience| audience == AUDIENCE),
            _ => false,
        };
        let begun = claims.get("nbf").is_none_or(|from| from.as_i64().is_some_and(|from| from <= now));
        (for_us && begun && claims.get("exp")?.as_i64()? > now).then_some(())?;
        Principal::of(&claims, &self.base)
    }

    /// RFC 6749 section 4.1.2: somebody has typed an address. Gives the code.
    pub(super) fn log_in(&self, request: &Parameters, email: &str, now: i64) -> Result<String, String> {
        let AuthorizationRequest { redirect_uri, challenge } = authorization(request)?;
        if !is_address(email) {
            return Err("that is no e-mail address".to_owned());
        }
        let code = secret().map_err(|failure| failure.to_string())?;
        let login = Code {
            email: email.to_owned(),
            nonce: request.get("nonce").cloned(),
            redirect_uri,
            challenge,
            offline: is_offline(request),
            expires: now + CODE_SECONDS,
        };
        self.codes.lock().map_err(|error| error.to_string())?.insert(code.clone(), login);
        Ok(code)
    }

    /// RFC 8628 section 3.2.
    pub(super) fn begin_device(&self, request: &Parameters, now: i64) -> Result<Value, OauthError> {
        if request.get("client_id").map(String::as_str) != Some(AUDIENCE) {
            return Err("invalid_client");
        }
        let random = |_| "server_error";
        let device_code = secret().map_err(random)?;
        let user_code = hex(&key::random::<4>().map_err(|_| "server_error")?).to_uppercase();
        let user_code = [user_code.get(..4), user_code.get(4..)].map(Option::unwrap_or_default).join("-");
        let device = Device {
            user_code: user_code.clone(),
            nonce: request.get("nonce").cloned(),
            challenge: request.get("code_challenge").cloned(),
            offline: is_offline(request),
            answer: None,
            asked: 0,
            expires: now + DEVICE_SECONDS,
        };
        self.devices.lock().map_err(|_| "server_error")?.insert(device_code.clone(), device);
        let page = format!("{}/device", self.issuer(Kind::Email));
        Ok(json!({ "device_code": device_code, "expires_in": DEVICE_SECONDS, "interval": INTERVAL_SECONDS,
                   "user_code": user_code, "verification_uri": page,
                   "verification_uri_complete": format!("{page}?user_code={user_code}") }))
    }

    /// Somebody answers for a device: with an address, or with no.
    pub(super) fn answer_device(&self, user_code: &str, email: Option<&str>, now: i64) -> Result<(), String> {
        let mut devices = self.devices.lock().map_err(|error| error.to_string())?;
        let waiting = |device: &&mut Device| device.user_code == user_code && device.expires > now;
        let device = devices.values_mut().find(waiting).ok_or("no device waits with that code")?;
        device.answer = Some(match email {
            None => Answer::Denied,
            Some(email) if is_address(email) => Answer::Email(email.to_owned()),
            Some(_) => return Err("that is no e-mail address".to_owned()),
        });
        Ok(())
    }

    /// The token endpoint.
    pub(super) fn exchange(&self, request: &Parameters, now: i64, fault: Fault) -> Result<Value, OauthError> {
        let Redeemed { email, nonce, offline } = match request.get("grant_type").map(String::as_str) {
            Some("authorization_code") => self.redeem_code(request, now)?,
            Some("urn:ietf:params:oauth:grant-type:device_code") => self.redeem_device(request, now)?,
            Some("refresh_token") => self.redeem_refresh(request, now)?,
            _ => return Err("unsupported_grant_type"),
        };
        let refused = |_| "server_error";
        let token = self.token(&Identity::Email(email.clone()), nonce.clone(), now, fault).map_err(refused)?;
        let access_token = secret().map_err(refused)?;
        let mut reply = json!({ "access_token": access_token, "expires_in": TOKEN_SECONDS, "id_token": token,
                                "token_type": "bearer" });
        if offline {
            let refresh_token = secret().map_err(refused)?;
            let renewal = Renewal { email, nonce, expires: now + REFRESH_SECONDS };
            self.renewals.lock().map_err(|_| "server_error")?.insert(refresh_token.clone(), renewal);
            put(&mut reply, "refresh_token", refresh_token);
        }
        Ok(reply)
    }

    /// RFC 6749 section 6; each is good for one time (RFC 9700 section 4.14.2).
    fn redeem_refresh(&self, request: &Parameters, now: i64) -> Result<Redeemed, OauthError> {
        if request.get("client_id").map(String::as_str) != Some(AUDIENCE) {
            return Err("invalid_client");
        }
        let token = request.get("refresh_token").ok_or("invalid_request")?;
        let renewal = self.renewals.lock().map_err(|_| "server_error")?.remove(token).ok_or("invalid_grant")?;
        if renewal.expires <= now {
            return Err("invalid_grant");
        }
        Ok(Redeemed { email: renewal.email, nonce: renewal.nonce, offline: true })
    }

    fn redeem_code(&self, request: &Parameters, now: i64) -> Result<Redeemed, OauthError> {
        let code = request.get("code").ok_or("invalid_request")?;
        // Gone with the first who asks, rightly or not.
        let login = self.codes.lock().map_err(|_| "server_error")?.remove(code).ok_or("invalid_grant")?;
        let same_place = request.get("redirect_uri") == Some(&login.redirect_uri);
        if login.expires <= now || !same_place || !proves(request, &login.challenge) {
            return Err("invalid_grant");
        }
        Ok(Redeemed { email: login.email, nonce: login.nonce, offline: login.offline })
    }

    fn redeem_device(&self, request: &Parameters, now: i64) -> Result<Redeemed, OauthError> {
        let code = request.get("device_code").ok_or("invalid_request")?;
        let mut devices = self.devices.lock().map_err(|_| "server_error")?;
        let device = devices.get_mut(code).ok_or("invalid_grant")?;
        if device.expires <= now {
            return Err("expired_token");
        }
        let early = now < device.asked + INTERVAL_SECONDS;
        device.asked = now;
        let email = match &device.answer {
            None if early => return Err("slow_down"),
            None => return Err("authorization_pending"),
            Some(Answer::Denied) => return Err("access_denied"),
            Some(Answer::Email(email)) => email.clone(),
        };
        if device.challenge.as_ref().is_some_and(|challenge| !proves(request, challenge)) {
            return Err("invalid_grant");
        }
        let (nonce, offline) = (device.nonce.clone(), device.offline);
        devices.remove(code);
        Ok(Redeemed { email, nonce, offline })
    }

    fn token(&self, identity: &Identity, nonce: Option<String>, now: i64, fault: Fault) -> Result<String, Failure> {
        let stranger = fresh_p256()?;
        let key = if fault == Fault::WrongSignature { &stranger } else { &self.key };
        let other = Identity::Email("somebody.else@sandbox.invalid".to_owned());
        let identity = if fault == Fault::OtherIdentity { &other } else { identity };
        let mut claims = identity.claims(&self.base)?;
        put(&mut claims, "aud", AUDIENCE);
        put(&mut claims, "iat", now);
        put(&mut claims, "exp", now + TOKEN_SECONDS);
        if let Some(nonce) = nonce {
            put(&mut claims, "nonce", if fault == Fault::WrongNonce { secret()? } else { nonce });
        }
        let header = json!({ "alg": "ES256", "kid": self.kid(), "typ": "JWT" });
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(&claims));
        let signature = key.sign(signed.as_bytes()).map_err(Failure::new)?;
        let signature = der::ecdsa_to_fixed(&signature).ok_or_else(|| Failure::new("no ECDSA signature"))?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    fn kid(&self) -> String {
        hex(&sha256(&self.key.subject_public_key_info())).chars().take(16).collect()
    }
}

struct AuthorizationRequest {
    redirect_uri: String,
    challenge: String,
}

/// RFC 6749 section 4.1.1 with RFC 7636: loopback alone (RFC 8252 section 7.3), or a code to copy.
fn authorization(request: &Parameters) -> Result<AuthorizationRequest, String> {
    let text = |name: &str| request.get(name).map(String::as_str).unwrap_or_default();
    let redirect_uri = text("redirect_uri");
    let loopback = ["http://127.0.0.1:", "http://localhost:", "http://[::1]:"];
    if text("client_id") != AUDIENCE {
        return Err(format!("client_id is not {AUDIENCE}"));
    }
    if redirect_uri != OUT_OF_BAND && !loopback.iter().any(|start| redirect_uri.starts_with(start)) {
        return Err("redirect_uri is not on loopback".to_owned());
    }
    if text("response_type") != "code" || !text("scope").split(' ').any(|scope| scope == "openid") {
        return Err("response_type is not code, or openid is not in scope".to_owned());
    }
    if text("code_challenge_method") != "S256" || text("code_challenge").len() != 43 {
        return Err("no code_challenge with the method S256".to_owned());
    }
    Ok(AuthorizationRequest { redirect_uri: redirect_uri.to_owned(), challenge: text("code_challenge").to_owned() })
}

/// Whether a login could follow, for the page that asks.
pub(super) fn check_authorization(request: &Parameters) -> Result<(), String> {
    authorization(request).map(|_| ())
}

/// OpenID Connect Core 1.0 section 11.
fn is_offline(request: &Parameters) -> bool {
    request.get("scope").is_some_and(|scope| scope.split(' ').any(|scope| scope == "offline_access"))
}

/// Where nobody listens: the code is shown.
pub(super) const OUT_OF_BAND: &str = "urn:ietf:wg:oauth:2.0:oob";

/// RFC 7636 section 4.6.
fn proves(request: &Parameters, challenge: &str) -> bool {
    request
        .get("code_verifier")
        .is_some_and(|verifier| URL_SAFE_NO_PAD.encode(sha256(verifier.as_bytes())) == challenge)
}

fn secret() -> Result<String, Failure> {
    Ok(URL_SAFE_NO_PAD.encode(key::random::<24>().map_err(Failure::new)?))
}
