//! The sign road called as a library, where the program has no setting.

use std::time::{Duration, SystemTime};

use git_keyless::format::id_token::IdToken;
use git_keyless::format::time::Time;
use git_keyless::outside::oidc::{self, DEFAULT_AUDIENCE};
use git_keyless::sign::{Deadlines, Failure, Options, Signer, Timestamp};
use git_keyless::trust::{SigningConfig, TrustRoot};

use super::stack::{DEV, Route, Service, Stack};

/// The armor, or what the person would read. `deadline` is for one service alone: under load the others may be slow.
pub(crate) fn sign(
    stack: &Stack,
    signing_config: &str,
    (service, route): (Service, Route),
    deadline: Duration,
) -> Result<String, String> {
    let mut deadlines = Deadlines::default();
    match service {
        Service::Fulcio => deadlines.certificate = deadline,
        Service::RekorV1 | Service::RekorV2 => deadlines.entry = deadline,
        Service::Tsa => deadlines.timestamp = deadline,
        Service::Oidc => {}
    }
    let root = TrustRoot::parse(&std::fs::read(stack.trusted_root()).unwrap(), "custom").unwrap();
    let now = Time::from_unix(SystemTime::UNIX_EPOCH.elapsed().unwrap()).unwrap();
    let services = SigningConfig::parse(signing_config.as_bytes()).unwrap().services(now).unwrap();
    let token = oidc::check(IdToken::parse(&stack.token(&DEV)).unwrap(), DEFAULT_AUDIENCE, now).unwrap();
    let options = Options {
        timestamp: if route == Route::V1Token { Timestamp::Always } else { Timestamp::AsNeeded },
        deadlines,
        retry: None,
        ..Options::new(services)
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let signer = Signer::new(&root, &options).map_err(|failure| failure.to_string())?;
    let signed = runtime.block_on(async {
        let credential = signer.certify(token, now).await?;
        signer.sign(b"a payload\n", &credential, now).await
    });
    signed.map(|signed| signed.armor).map_err(|failure: Failure| failure.to_string())
}
