//! Somebody who logs in: in a browser where one can be opened, else with a code on the terminal, else not at all.

use std::time::Duration;

use super::failure::LoginFailure;
use super::opener::Opener;
use super::pages::Occasion;
use super::provider::{Login, Provider};
use super::refresh::{self, LoggedIn, Refresh};
use super::source::Asking;
use super::surroundings::Way;
use super::{browser, device};
use crate::format::id_token::IdToken;
use crate::outside::terminal;

/// How long a browser has to come back.
pub const BROWSER_LIMIT: Duration = Duration::from_secs(5 * 60);

/// How somebody is asked to log in.
#[derive(Clone, Debug)]
pub struct Person {
    /// With whom, as which client.
    pub login: Login,
    /// How.
    pub way: Way,
    /// What sends a browser somewhere.
    pub opener: Opener,
    /// Whether a program of another user may bring the browser's connections; see [`Surroundings::forwards`].
    ///
    /// [`Surroundings::forwards`]: super::Surroundings::forwards
    pub forwarded: bool,
    /// Whether the address of a code is drawn too.
    pub qr: bool,
    /// What the login is for.
    pub occasion: Occasion,
    /// How long a browser has to come back; see [`BROWSER_LIMIT`].
    pub browser_limit: Duration,
}

impl Person {
    /// Asks for a refresh token too where `refresh` says so and the provider knows the scope.
    pub async fn log_in(&self, asking: Asking<'_>, refresh: bool) -> Result<LoggedIn, LoginFailure> {
        // Before the network is touched: who cannot be asked is not kept waiting.
        if let Way::Neither(why) = &self.way {
            return Err(LoginFailure::Nobody { why: why.clone() });
        }
        let mut provider = Provider::discover(&self.login, asking.http, asking.deadline).await?;
        provider.ask_for_refresh(refresh);
        if self.way == Way::Device {
            return device::log_in(&provider, self.qr, &self.occasion).await;
        }
        match browser::log_in(&provider, self).await {
            Err(LoginFailure::NoBrowser { why }) if self.can_show_codes(&provider) => {
                terminal::say(&format!("git-keyless: no browser can be opened ({why}); using a code instead"));
                device::log_in(&provider, self.qr, &self.occasion).await
            }
            outcome => outcome,
        }
    }

    /// Another token for the one who logged in, whom nobody asks; and what renews it the next time.
    pub async fn renew(&self, refresh: &Refresh, asking: Asking<'_>) -> Result<(IdToken, Refresh), LoginFailure> {
        let provider = Provider::discover(&self.login, asking.http, asking.deadline).await?;
        refresh::renew(&provider, refresh).await
    }

    fn can_show_codes(&self, provider: &Provider<'_>) -> bool {
        provider.device_endpoint().is_some() && terminal::device().is_some()
    }
}
