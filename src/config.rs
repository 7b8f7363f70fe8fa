//! Settings: one table of names, values that remember where they came from, and nothing guessed.
//!
//! Read at the door and handed down as plain values. Order: default < what gitsign is configured with < git's
//! configuration (its own scopes) < `GIT_KEYLESS_*` < flag. What cannot be read is refused with its place.

mod foreign;

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::outside::repo::{ConfigValue, Configuration};

pub use foreign::{Foreign, Mapped};

/// One name, for parser, man page and diagnosis alike.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// As people write it.
    pub key: &'static str,
    /// The variable that outranks git's configuration.
    pub variable: Option<&'static str>,
    /// One sentence.
    pub what: &'static str,
}

/// The trust root file.
pub const TRUSTED_ROOT: &str = "keyless.trustedRoot";
/// The signing config file.
pub const SIGNING_CONFIG: &str = "keyless.signingConfig";
/// An accepted identity.
pub const TRUSTED_IDENTITY: &str = "keyless.trustedIdentity";
/// An identity that is refused, whoever accepts it.
pub const DENIED_IDENTITY: &str = "keyless.deniedIdentity";
/// Whether git's door refuses who is not accepted.
pub const REQUIRE_TRUSTED: &str = "keyless.requireTrusted";
/// When a timestamp is asked for.
pub const TIMESTAMP: &str = "keyless.timestamp";
/// A file with an ID token.
pub const ID_TOKEN_FILE: &str = "keyless.idTokenFile";
/// A command that prints an ID token.
pub const TOKEN_COMMAND: &str = "keyless.tokenCommand";
/// In which keyring a login is kept.
pub const CREDENTIAL_STORE: &str = "keyless.credentialStore";
/// As whom alone to sign.
pub const EXPECTED_IDENTITY: &str = "keyless.expectedIdentity";
/// Who may become public.
pub const PUBLIC_IDENTITY: &str = "keyless.publicIdentity";
/// A command that opens an address.
pub const BROWSER: &str = "keyless.browser";
/// As which client to log in.
pub const CLIENT_ID: &str = "keyless.clientId";
/// A file with that client's secret.
pub const CLIENT_SECRET_FILE: &str = "keyless.clientSecretFile";
/// Which of the providers behind the provider.
pub const CONNECTOR_ID: &str = "keyless.connectorId";
/// Where to log in.
pub const ISSUER: &str = "keyless.issuer";
/// Whether an address is drawn, too.
pub const QR: &str = "keyless.qr";

/// Who says who signs.
pub const TOKEN_SOURCE: &str = "keyless.tokenSource";

/// Who is asked about signatures that are not ours.
pub const FALLBACK_PROGRAM: &str = "keyless.fallbackProgram";
/// How far that program's trust goes.
pub const FALLBACK_TRUST: &str = "keyless.fallbackTrust";

/// Whether a login is renewed without anybody.
pub const REFRESH_TOKEN: &str = "keyless.refreshToken";

/// All of them.
pub const SETTINGS: [Setting; 21] = [
    Setting {
        key: BROWSER,
        variable: None,
        what: "command that opens the address of a login (last argument, or %s); run without a shell",
    },
    Setting {
        key: CLIENT_ID,
        variable: None,
        what: "client to log in as, and audience of every ID token; sigstore without it",
    },
    Setting { key: CLIENT_SECRET_FILE, variable: None, what: "file with the secret of that client, if it has one" },
    Setting {
        key: CONNECTOR_ID,
        variable: None,
        what: "provider behind the provider (connector_id of dex) to log in with, without being asked",
    },
    Setting {
        key: CREDENTIAL_STORE,
        variable: None,
        what: "where a login is kept for its ten minutes: auto, keyutils, secret-service, keychain, credential-manager, none",
    },
    Setting {
        key: DENIED_IDENTITY,
        variable: None,
        what: "identity that is refused, whoever accepts it; written and repeated as keyless.trustedIdentity",
    },
    Setting {
        key: EXPECTED_IDENTITY,
        variable: None,
        what: "sign as this identity alone, `<subject> <issuer>`, percent-encoded; a login as somebody else is refused",
    },
    Setting {
        key: FALLBACK_PROGRAM,
        variable: None,
        what: "program, such as gpgsm or smimesign, that git's door asks about X.509 signatures that are not keyless",
    },
    Setting {
        key: FALLBACK_TRUST,
        variable: None,
        what: "undefined: what that program calls good is U; pass: its own trust counts",
    },
    Setting { key: ID_TOKEN_FILE, variable: None, what: "file that holds an ID token; read for each signature" },
    Setting { key: ISSUER, variable: None, what: "OpenID provider to log in at, instead of the signing config's" },
    Setting {
        key: PUBLIC_IDENTITY,
        variable: Some("GIT_KEYLESS_PUBLIC_IDENTITY"),
        what: "ask, allow or refuse to publish who signs on the public instance; or an identity that may be, `<subject> <issuer>`",
    },
    Setting { key: QR, variable: None, what: "true: draw the address of a login with a code as a QR code, too" },
    Setting {
        key: REFRESH_TOKEN,
        variable: None,
        what: "true: a login is renewed without another one, for at most 12 hours, by a refresh token that is kept",
    },
    Setting {
        key: REQUIRE_TRUSTED,
        variable: None,
        what: "true: git verify-commit refuses a good signature of somebody who is not in keyless.trustedIdentity",
    },
    Setting {
        key: SIGNING_CONFIG,
        variable: Some("GIT_KEYLESS_SIGNING_CONFIG"),
        what: "signing config or client trust config (JSON) that names the services to sign with",
    },
    Setting {
        key: TIMESTAMP,
        variable: None,
        what: "needed: a timestamp only where the log gives no time; always: with Rekor v1 too",
    },
    Setting { key: TOKEN_COMMAND, variable: None, what: "command (run by sh) that prints an ID token" },
    Setting {
        key: TOKEN_SOURCE,
        variable: None,
        what: "the one source of ID tokens: browser, device, environment, file, command, github, gitlab, buildkite, \
               circleci, google, google-impersonation, aws, azure, kubernetes, spiffe or vault, with :DETAIL",
    },
    Setting {
        key: TRUSTED_IDENTITY,
        variable: None,
        what: "accepted identity as `<subject> <issuer>`, percent-encoded; may be repeated, an empty value starts anew",
    },
    Setting {
        key: TRUSTED_ROOT,
        variable: Some("GIT_KEYLESS_TRUSTED_ROOT"),
        what: "trusted root or client trust config (JSON) to judge under; the public-good instance's without it",
    },
];

/// Settings that name an instance.
const INSTANCE: [&str; 2] = [SIGNING_CONFIG, TRUSTED_ROOT];
/// Settings that say what is trusted.
const TRUST: [&str; 5] = [DENIED_IDENTITY, REQUIRE_TRUSTED, SIGNING_CONFIG, TRUSTED_IDENTITY, TRUSTED_ROOT];

/// A value and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// None for a key without `=`.
    text: Option<String>,
    /// File, variable or command line.
    pub place: String,
}

/// A setting that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unusable {
    key: String,
    place: String,
    why: String,
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {}: {}", self.key, self.place, self.why)
    }
}

/// All settings of one run.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    values: Vec<(String, Value)>,
    notes: Vec<String>,
    git_dir: Option<PathBuf>,
    foreign: Foreign,
}

impl Settings {
    /// From git's configuration and the environment. A repository that git would not trust is noted.
    pub fn new(configuration: Configuration, environment: impl Fn(&str) -> Option<OsString>) -> Result<Self, Unusable> {
        let mut settings = Self { git_dir: configuration.git_dir, ..Self::default() };
        settings.notes.extend(configuration.untrusted.map(|git_dir| {
            let place = git_dir.display();
            format!("{place} is ignored: git does not trust this repository (safe.directory, safe.bareRepository)")
        }));
        let values = configuration.values.into_iter();
        settings.values.extend(values.map(|ConfigValue { key, value, place }| (key, Value { text: value, place })));
        for setting in &SETTINGS {
            let Some((variable, value)) =
                setting.variable.and_then(|variable| Some((variable, environment(variable)?)))
            else {
                continue;
            };
            let text = value.into_string().map_err(|_| Unusable {
                key: setting.key.into(),
                place: variable.into(),
                why: "not UTF-8".into(),
            })?;
            settings.values.push((setting.key.to_lowercase(), Value { text: Some(text), place: variable.to_owned() }));
        }
        Ok(settings)
    }

    /// The same with what gitsign is configured with below it.
    pub fn above(mut self, foreign: Foreign) -> Self {
        let own_instance = INSTANCE.iter().any(|key| self.all(key).next().is_some());
        let below = foreign.settings(own_instance).into_iter().map(|(key, value)| (key.to_lowercase(), value));
        self.values = below.chain(std::mem::take(&mut self.values)).collect();
        self.foreign = foreign;
        self
    }

    /// gitsign's instance to sign with: only where no setting of ours names one.
    pub fn foreign_instance(&self) -> Option<&Foreign> {
        let own = INSTANCE.iter().any(|key| self.all(key).next().is_some());
        (!own).then_some(&self.foreign)
    }

    /// gitsign's trust to judge under: only where no setting of ours says anything about trust.
    pub fn foreign_trust(&self) -> Option<&Foreign> {
        let own = TRUST.iter().any(|key| self.all(key).next().is_some());
        (!own).then_some(&self.foreign)
    }

    /// All that gitsign is configured with.
    pub fn foreign(&self) -> &Foreign {
        &self.foreign
    }

    /// Where git keeps the repository's files: its owner may own trust files too.
    pub fn git_dir(&self) -> Option<&Path> {
        self.git_dir.as_deref()
    }

    /// What was left out, and why.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The last value; an empty one counts as none.
    pub fn text(&self, key: &str) -> Result<Option<(&str, &Value)>, Unusable> {
        let Some(value) = self.all(key).last() else { return Ok(None) };
        let text = self.text_of(key, value)?;
        Ok(Some((text, value)).filter(|(text, _)| !text.is_empty()))
    }

    /// Every value, in order; an empty one forgets those before it.
    pub fn list(&self, key: &str) -> Result<Vec<(&str, &Value)>, Unusable> {
        let mut found = Vec::new();
        for value in self.all(key) {
            match self.text_of(key, value)? {
                "" => found.clear(),
                text => found.push((text, value)),
            }
        }
        Ok(found)
    }

    /// A boolean as git reads it; a key without `=` is true.
    pub fn flag(&self, key: &str) -> Result<bool, Unusable> {
        match self.all(key).last() {
            None => Ok(false),
            Some(Value { text: None, .. }) => Ok(true),
            Some(value @ Value { text: Some(text), .. }) => match text.to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" | "1" => Ok(true),
                "false" | "no" | "off" | "0" | "" => Ok(false),
                _ => Err(self.unusable(key, value, format!("`{text}` is neither true nor false"))),
            },
        }
    }

    /// Says that a value cannot be used, with its place.
    pub fn unusable(&self, key: &str, value: &Value, why: impl fmt::Display) -> Unusable {
        Unusable { key: key.to_owned(), place: value.place.clone(), why: why.to_string() }
    }

    fn all<'a>(&'a self, key: &str) -> impl DoubleEndedIterator<Item = &'a Value> {
        let key = key.to_lowercase();
        self.values.iter().filter(move |(name, _)| *name == key).map(|(_, value)| value)
    }

    fn text_of<'a>(&self, key: &str, value: &'a Value) -> Result<&'a str, Unusable> {
        value.text.as_deref().ok_or_else(|| self.unusable(key, value, "it has no value"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(values: &[(&str, Option<&str>)]) -> Settings {
        let value = |(key, value): &(&str, Option<&str>)| ConfigValue {
            key: key.to_lowercase(),
            value: value.map(str::to_owned),
            place: "a file".into(),
        };
        let values = values.iter().map(value).collect();
        Settings::new(Configuration { values, ..Configuration::default() }, |_| None).unwrap()
    }

    #[test]
    fn later_values_win_and_an_empty_one_forgets() {
        let read = settings(&[(TRUSTED_ROOT, Some("/a")), (TRUSTED_ROOT, Some("/b"))]);
        assert_eq!(read.text(TRUSTED_ROOT).unwrap().map(|(text, _)| text), Some("/b"));
        let read =
            settings(&[(TRUSTED_IDENTITY, Some("a b")), (TRUSTED_IDENTITY, Some("")), (TRUSTED_IDENTITY, Some("c d"))]);
        assert_eq!(read.list(TRUSTED_IDENTITY).unwrap().iter().map(|(text, _)| *text).collect::<Vec<_>>(), ["c d"]);
        assert_eq!(settings(&[]).text(TRUSTED_ROOT).unwrap(), None);
    }

    #[test]
    fn booleans_are_gits_and_nothing_else() {
        for (text, expected) in [(Some("Yes"), true), (None, true), (Some("off"), false), (Some(""), false)] {
            assert_eq!(settings(&[(REQUIRE_TRUSTED, text)]).flag(REQUIRE_TRUSTED), Ok(expected));
        }
        let error = settings(&[(REQUIRE_TRUSTED, Some("maybe"))]).flag(REQUIRE_TRUSTED).unwrap_err();
        assert_eq!(error.to_string(), "keyless.requireTrusted in a file: `maybe` is neither true nor false");
    }

    #[test]
    fn an_untrusted_repository_is_named() {
        let configuration = Configuration { untrusted: Some("/r/.git".into()), ..Configuration::default() };
        let read = Settings::new(configuration, |_| None).unwrap();
        assert!(read.notes()[0].starts_with("/r/.git is ignored"), "{:?}", read.notes());
    }
}
