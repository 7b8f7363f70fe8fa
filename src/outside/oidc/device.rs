//! Logging in with a browser anywhere: an address and a code on the terminal (RFC 8628).

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::ops::RangeInclusive;
use std::pin::Pin;
use std::time::{Duration, Instant};

use openidconnect::core::{CoreDeviceAuthorizationResponse, CoreTokenResponse};
use openidconnect::{
    AsyncHttpClient, DeviceCodeErrorResponseType, HttpRequest, HttpResponse, Nonce, PkceCodeChallenge,
    PkceCodeVerifier, RequestTokenError,
};
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;
use tokio::sync::Notify;

use super::failure::LoginFailure;
use super::pages::Occasion;
use super::provider::{Exchange, Provider};
use super::refresh::{LoggedIn, Refresh};
use crate::outside::http::{Endpoint, Failure, Fault, Server};
use crate::outside::terminal::{self, Status};

/// However long the provider would wait. Nobody keeps a commit open for longer.
const MOST: Duration = Duration::from_secs(30 * 60);
/// Most bytes of a code that a person types, and of an address that a person opens.
const MAX_CODE_BYTES: usize = 64;
const MAX_ADDRESS_BYTES: usize = 1024;
/// How often a provider may want to be asked: not without a pause, and not so seldom that nobody hears the answer.
const INTERVAL: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(60);
/// How often the terminal says how long is left.
const TICK: Duration = Duration::from_secs(1);
/// How often in a row the provider may fail to answer.
const FAILURES: u32 = 3;

/// Shows a code on the terminal and asks the provider until somebody has used it.
pub(super) async fn log_in(provider: &Provider<'_>, qr: bool, occasion: &Occasion) -> Result<LoggedIn, LoginFailure> {
    let nonce = Nonce::new_random();
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let begun = begin(provider, &challenge, &nonce).await?;
    if !INTERVAL.contains(&begun.interval()) {
        return Err(provider.unusable(&format!("it wants to be asked every {} s", begun.interval().as_secs())));
    }
    let address = Endpoint::parse(Server::IdentityProvider, begun.verification_uri().as_str());
    let host = address.map_err(LoginFailure::Server)?.host().to_owned();
    let lines = lines(&begun, &host, qr, occasion).map_err(|why| provider.unusable(why))?;
    if !lines.iter().all(|line| terminal::say(line)) {
        return Err(LoginFailure::Nobody { why: "there is no terminal to show a code on".to_owned() });
    }
    let answer = poll(provider, &begun, &verifier).await?;
    let token = provider.id_token(&provider.client()?, &answer, |found: Option<&Nonce>| match found {
        // Providers need not know it here: the standard of devices does not.
        None => Ok(()),
        Some(found) if found.secret() == nonce.secret() => Ok(()),
        Some(_) => Err("it is for another login: its nonce is another".to_owned()),
    })?;
    Ok(LoggedIn { token, refresh: provider.refreshes().then(|| Refresh::found(&answer, &nonce)).flatten() })
}

async fn begin(
    provider: &Provider<'_>,
    challenge: &PkceCodeChallenge,
    nonce: &Nonce,
) -> Result<CoreDeviceAuthorizationResponse, LoginFailure> {
    let endpoint =
        provider.device_endpoint().ok_or(LoginFailure::NoDevices { issuer: provider.login.issuer.clone() })?;
    provider
        .client()?
        .set_device_authorization_url(endpoint.clone())
        .exchange_device_code()
        .add_scopes(provider.scopes())
        .add_extra_param("code_challenge", challenge.as_str().to_owned())
        .add_extra_param("code_challenge_method", "S256")
        .add_extra_param("nonce", nonce.secret().clone())
        .request_async(&provider.exchange)
        .await
        .map_err(|error| provider.failure(error))
}

/// Says what the code is for and whose page asks for it: a code that somebody else began is how this is abused.
fn lines(
    begun: &CoreDeviceAuthorizationResponse,
    host: &str,
    qr: bool,
    occasion: &Occasion,
) -> Result<Vec<String>, &'static str> {
    let code = begun.user_code().secret();
    let complete = begun.verification_uri_complete().map(|address| address.secret().as_str());
    // Filled in by the server, so it must lead to where the other one does.
    let same_host = |address: &&str| {
        Endpoint::parse(Server::IdentityProvider, address).is_ok_and(|endpoint| endpoint.host() == host)
    };
    let address = complete.filter(same_host).unwrap_or(begun.verification_uri().as_str());
    if code.len() > MAX_CODE_BYTES || address.len() > MAX_ADDRESS_BYTES {
        return Err("its code is longer than a person can type");
    }
    let what = match occasion.repository.as_str() {
        "" => "to sign a commit".to_owned(),
        Occasion::TRIAL => "for a trial signature".to_owned(),
        repository => format!("to sign a commit in the repository {repository}"),
    };
    let mut lines = vec![
        format!("git-keyless: {what}, on {}, log in with any browser, on any machine:", occasion.host),
        format!("  address  {address}"),
        format!("  code     {code}"),
        format!("Go on only if the page is of {host}, shows this code, and you yourself are signing just now."),
    ];
    if qr {
        lines.extend(picture(address));
    }
    Ok(lines)
}

/// Light on dark, as terminals are; telephones read both.
fn picture(address: &str) -> Vec<String> {
    let Ok(code) = QrCode::new(address) else { return Vec::new() };
    let drawn = code.render::<Dense1x2>().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build();
    drawn.lines().map(str::to_owned).collect()
}

/// How long a code is waited for.
fn limit(begun: &CoreDeviceAuthorizationResponse) -> Duration {
    begun.expires_in().min(MOST)
}

async fn poll(
    provider: &Provider<'_>,
    begun: &CoreDeviceAuthorizationResponse,
    verifier: &PkceCodeVerifier,
) -> Result<CoreTokenResponse, LoginFailure> {
    let limit = limit(begun);
    let client = provider.client()?;
    let patient = Patient::new(&provider.exchange);
    let asking = client
        .exchange_device_access_token(begun)
        .map_err(|_| provider.unusable("it names no token endpoint"))?
        .add_extra_param("code_verifier", verifier.secret().clone())
        .request_async(&patient, tokio::time::sleep, Some(limit));
    tokio::pin!(asking);
    let (started, mut status) = (Instant::now(), Status::open());
    loop {
        let left = limit.saturating_sub(started.elapsed());
        status.show(&format!("waiting for you, {}:{:02} left", left.as_secs() / 60, left.as_secs() % 60));
        tokio::select! {
            answer = &mut asking => return answer.map_err(|error| refused(provider, error)),
            () = patient.gave_up.notified() => return Err(patient.last_failure(provider)),
            () = tokio::time::sleep(TICK.min(left)) => {}
        }
        if left.is_zero() {
            return Err(LoginFailure::NotEntered);
        }
    }
}

fn refused(
    provider: &Provider<'_>,
    error: RequestTokenError<Failure, openidconnect::DeviceCodeErrorResponse>,
) -> LoginFailure {
    match &error {
        RequestTokenError::ServerResponse(said) => match said.error() {
            DeviceCodeErrorResponseType::AccessDenied => {
                LoginFailure::Denied { issuer: provider.login.issuer.clone(), said: "access_denied".to_owned() }
            }
            DeviceCodeErrorResponseType::ExpiredToken => LoginFailure::NotEntered,
            _ => provider.failure(error),
        },
        _ => provider.failure(error),
    }
}

/// The library asks again after every failed exchange, as RFC 8628 section 3.5 wants after one that timed out, until
/// the code expires. Somebody must notice that the server is gone, or is none.
struct Patient<'a> {
    exchange: &'a Exchange<'a>,
    in_a_row: Cell<u32>,
    last: RefCell<Option<Failure>>,
    gave_up: Notify,
}

impl<'a> Patient<'a> {
    fn new(exchange: &'a Exchange<'a>) -> Self {
        Self { exchange, in_a_row: Cell::new(0), last: RefCell::default(), gave_up: Notify::new() }
    }

    async fn ask(&self, request: HttpRequest) -> Result<HttpResponse, Failure> {
        let answer = self.exchange.call(request).await;
        let Err(failure) = &answer else {
            self.in_a_row.set(0);
            return answer;
        };
        self.in_a_row.set(self.in_a_row.get() + 1);
        let may_pass = failure.may_pass() || matches!(failure.fault(), Fault::Late { .. });
        if !may_pass || self.in_a_row.get() >= FAILURES {
            *self.last.borrow_mut() = Some(failure.clone());
            self.gave_up.notify_one();
        }
        answer
    }

    fn last_failure(&self, provider: &Provider<'_>) -> LoginFailure {
        self.last.borrow_mut().take().map_or_else(|| provider.unusable("it did not answer"), LoginFailure::Server)
    }
}

impl<'c> AsyncHttpClient<'c> for Patient<'_> {
    type Error = Failure;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, Failure>> + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.ask(request))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: &str = "page.test";

    fn begun(code: &str, address: &str, complete: Option<&str>, seconds: u64) -> CoreDeviceAuthorizationResponse {
        let answer = serde_json::json!({
            "device_code": "d", "user_code": code, "verification_uri": address,
            "verification_uri_complete": complete, "expires_in": seconds,
        });
        serde_json::from_value(answer).unwrap()
    }

    fn shown(begun: &CoreDeviceAuthorizationResponse, qr: bool) -> Result<Vec<String>, &'static str> {
        lines(begun, HOST, qr, &Occasion { repository: "project".into(), host: "my-desk".into() })
    }

    #[test]
    fn what_is_shown() {
        let lines = shown(&begun("ABCD", "https://page.test/device", None, 60), false).unwrap();
        let expected = [
            "git-keyless: to sign a commit in the repository project, on my-desk, log in with any browser, on any \
             machine:",
            "  address  https://page.test/device",
            "  code     ABCD",
            "Go on only if the page is of page.test, shows this code, and you yourself are signing just now.",
        ];
        assert_eq!(lines, expected);
        let address = |complete| shown(&begun("ABCD", "https://page.test/device", Some(complete), 60), false).unwrap();
        assert_eq!(address("https://page.test/device?c=ABCD")[1], "  address  https://page.test/device?c=ABCD");
        // Somewhere else, or nowhere.
        for complete in ["https://other.test/device?c=ABCD", "http://page.test/x", "javascript:alert(1)"] {
            assert_eq!(address(complete), expected, "{complete}");
        }
    }

    /// Read back from half blocks: the modules are those that the library makes of the address alone, and what is light
    /// there is dark here.
    #[test]
    fn the_picture_is_of_the_address() {
        const ADDRESS: &str = "https://page.test/device?user_code=ABCD-EFGH";
        const QUIET: usize = 4;
        let lines = shown(&begun("ABCD-EFGH", "https://page.test/device", Some(ADDRESS), 60), true).unwrap();
        let code = QrCode::new(ADDRESS).unwrap();
        let modules: Vec<_> = code.to_colors().iter().map(|color| *color == qrcode::Color::Dark).collect();
        let dark = |row: usize, column: usize| -> bool {
            let (Some(row), Some(column)) = (row.checked_sub(QUIET), column.checked_sub(QUIET)) else { return false };
            row < code.width() && column < code.width() && modules[row * code.width() + column]
        };
        let side = code.width() + 2 * QUIET;
        let picture = &lines[4..];
        assert_eq!(picture.len(), side.div_ceil(2));
        for (row, line) in picture.iter().enumerate() {
            let expected: String = (0..side)
                .map(|column| match (dark(2 * row, column), dark(2 * row + 1, column)) {
                    (true, true) => ' ',
                    (true, false) => '\u{2584}',
                    (false, true) => '\u{2580}',
                    (false, false) => '\u{2588}',
                })
                .collect();
            // Below the last row there is none.
            let odd = 2 * row + 1 == side;
            assert!(
                *line == expected || odd && *line == expected.replace('\u{2588}', "\u{2580}"),
                "{row}\n{line}\n{expected}"
            );
        }
    }

    #[test]
    fn what_nobody_can_type_or_wait_for() {
        let why = Err("its code is longer than a person can type");
        let code = |length: usize| shown(&begun(&"A".repeat(length), "https://page.test/", None, 60), false);
        assert!(code(MAX_CODE_BYTES).is_ok());
        assert_eq!(code(MAX_CODE_BYTES + 1), why);
        let start = "https://page.test/";
        let long = |length: usize| format!("{start}{}", "a".repeat(length - start.len()));
        let address = |length: usize| shown(&begun("ABCD", &long(length), None, 60), true);
        assert!(address(MAX_ADDRESS_BYTES).is_ok());
        assert_eq!(address(MAX_ADDRESS_BYTES + 1), why);
        let complete = |length: usize| shown(&begun("ABCD", start, Some(&long(length)), 60), true);
        assert!(complete(MAX_ADDRESS_BYTES).is_ok());
        assert_eq!(complete(MAX_ADDRESS_BYTES + 1), why);
        for (seconds, expected) in [(1, 1), (MOST.as_secs(), 1800), (MOST.as_secs() + 1, 1800), (u64::MAX, 1800)] {
            assert_eq!(limit(&begun("ABCD", start, None, seconds)), Duration::from_secs(expected));
        }
    }
}
