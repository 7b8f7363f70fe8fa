//! Who signs: where the ID token comes from, and whom it names.

use std::time::Duration;

use zeroize::Zeroizing;

use crate::commands::Stop;
use crate::config::{ID_TOKEN_FILE, Settings, TOKEN_COMMAND};
use crate::format::time::Time;
use crate::outside::oidc::{self, CheckedToken, DEFAULT_AUDIENCE, Source};
use crate::outside::{files, terminal};

/// How long a file or command may take to give an ID token.
const TOKEN_DEADLINE: Duration = Duration::from_secs(30);

/// The first of environment, file and command; logging in will be the last.
pub(crate) fn source(settings: &Settings) -> Result<Source, Stop> {
    if let Some(token) = std::env::var_os("SIGSTORE_ID_TOKEN").filter(|token| !token.is_empty()) {
        let token = token.into_string().map_err(|_| Stop::new("SIGSTORE_ID_TOKEN is not text; it must be one JWT"))?;
        return Ok(Source::Value(Zeroizing::new(token)));
    }
    if let Some((path, value)) = settings.text(ID_TOKEN_FILE).map_err(Stop::new)? {
        return files::expand(path)
            .map(Source::File)
            .map_err(|why| Stop::new(settings.unusable(ID_TOKEN_FILE, value, why)));
    }
    if let Some((command, _)) = settings.text(TOKEN_COMMAND).map_err(Stop::new)? {
        return Ok(Source::Command(command.to_owned()));
    }
    Err(Stop::new(format!("nobody says who you are: set SIGSTORE_ID_TOKEN, {ID_TOKEN_FILE} or {TOKEN_COMMAND}")))
}

/// Whose it is is shown before it is used: what happens next is public.
pub(crate) async fn token(source: &Source, now: Time) -> Result<CheckedToken, Stop> {
    let token = oidc::request(source, TOKEN_DEADLINE).await.map_err(Stop::new)?;
    let checked = oidc::check(token, DEFAULT_AUDIENCE, now).map_err(|why| Stop::new(format!("{source}: {why}")))?;
    let claims = checked.claims();
    terminal::say(&format!("git-keyless: signing as {} ({})", claims.name(), claims.certified_issuer()));
    Ok(checked)
}
