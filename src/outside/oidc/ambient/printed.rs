//! CI systems whose agent prints a token: Buildkite, CircleCI. Its words reach it without any shell.

use std::fmt;

use zeroize::Zeroizing;

use crate::format::id_token::MAX_TOKEN_BYTES;
use crate::outside::oidc::source::Asking;
use crate::outside::process;

/// What to run, and whose it is.
#[derive(Clone, Debug)]
pub struct Printed {
    whose: &'static str,
    program: &'static str,
    arguments: Vec<String>,
}

impl fmt::Display for Printed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}'s {}", self.whose, self.program)
    }
}

impl Printed {
    pub(super) fn buildkite(audience: &str) -> Self {
        Self::new("Buildkite", "buildkite-agent", &["oidc", "request-token", "--audience", audience])
    }

    /// Of the issuer that all organisations share, which Fulcio knows.
    pub(super) fn circleci(audience: &str) -> Self {
        let claims = serde_json::json!({ "aud": audience }).to_string();
        Self::new("CircleCI", "circleci", &["run", "oidc", "get", "--root-issuer", "--claims", &claims])
    }

    pub(super) fn missing(&self) -> Option<String> {
        process::find(self.program).is_none().then(|| format!("{} is not on PATH", self.program))
    }

    fn new(whose: &'static str, program: &'static str, arguments: &[&str]) -> Self {
        Self { whose, program, arguments: arguments.iter().map(|&word| word.to_owned()).collect() }
    }

    pub(super) async fn request(&self, asking: Asking<'_>) -> Result<Zeroizing<String>, String> {
        let (program, arguments, deadline) = (self.program, self.arguments.clone(), asking.deadline);
        // Bounded by its own deadline, so that no runtime ever waits for this thread.
        let printed =
            tokio::task::spawn_blocking(move || process::output_of(program, &arguments, MAX_TOKEN_BYTES, deadline))
                .await
                .map_err(|error| error.to_string())?
                .map_err(|failure| failure.to_string())?;
        std::str::from_utf8(&printed).map(|text| Zeroizing::new(text.to_owned())).map_err(|_| "not text".to_owned())
    }
}
