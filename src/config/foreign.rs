//! What gitsign is configured with, read where nothing of ours is: `gitsign.*` < `SIGSTORE_*` < `GITSIGN_*`.
//!
//! An instance is taken whole or not at all. Once any setting of ours names an instance or says whom to trust, nothing in
//! here changes that.

use std::ffi::OsString;
use std::path::Path;

use super::{
    BROWSER, CLIENT_ID, CLIENT_SECRET_FILE, CONNECTOR_ID, ID_TOKEN_FILE, ISSUER, TOKEN_SOURCE, Unusable, Value,
};
use crate::outside::files;
use crate::outside::repo::ConfigValue;
use crate::trust::MAX_TRUST_BYTES;
use crate::trust::parts::{self, Pems, Urls};

/// One of gitsign's settings: its name after `gitsign.`, its variables from low to high, and what it is here.
struct Row(&'static str, &'static [&'static str], Meaning);

#[derive(Clone, Copy)]
enum Meaning {
    /// A setting of ours with the same values.
    Is(&'static str),
    /// A setting of ours that belongs to an instance, and counts with that instance alone.
    OfInstance(&'static str),
    /// A setting of ours, in our words; nothing for a value that has none.
    Translated(&'static str, fn(&str) -> Option<String>),
    /// A part of an instance.
    Part,
    /// Nothing, because.
    Left(&'static str),
}

use Meaning::{Is, Left, OfInstance, Part, Translated};

const ROWS: [Row; 23] = [
    Row("autoclose", &["SIGSTORE_AUTOCLOSE", "GITSIGN_AUTOCLOSE"], Left(PAGE)),
    Row("autocloseTimeout", &["SIGSTORE_AUTOCLOSE_TIMEOUT", "GITSIGN_AUTOCLOSE_TIMEOUT"], Left(PAGE)),
    Row("clientID", &["SIGSTORE_OIDC_CLIENT_ID", "GITSIGN_OIDC_CLIENT_ID"], OfInstance(CLIENT_ID)),
    Row(
        "clientSecretFile",
        &["SIGSTORE_OIDC_CLIENT_SECRET_FILE", "GITSIGN_OIDC_CLIENT_SECRET_FILE"],
        OfInstance(CLIENT_SECRET_FILE),
    ),
    Row("connectorID", &["SIGSTORE_CONNECTOR_ID", "GITSIGN_CONNECTOR_ID"], Is(CONNECTOR_ID)),
    Row(
        "credentialCache",
        &["GITSIGN_CREDENTIAL_CACHE"],
        Left("a login is kept in the keyring, with no program beside git"),
    ),
    Row("ctLogPublicKey", &["SIGSTORE_CT_LOG_PUBLIC_KEY_FILE"], Part),
    Row("enableSigstoreGo", &["GITSIGN_ENABLE_SIGSTORE_GO"], Left("there is one way to sign")),
    Row("fulcio", &["SIGSTORE_FULCIO_URL", "GITSIGN_FULCIO_URL"], Part),
    Row("fulcioRoot", &["SIGSTORE_ROOT_FILE", "SIGSTORE_FULCIO_ROOT", "GITSIGN_FULCIO_ROOT"], Part),
    Row("issuer", &["SIGSTORE_OIDC_ISSUER", "GITSIGN_OIDC_ISSUER"], OfInstance(ISSUER)),
    Row("logPath", &["GITSIGN_LOG"], Left("nothing is logged; messages go to the terminal")),
    Row("matchCommitter", &[], Left("name yourself in keyless.expectedIdentity")),
    Row("redirectURL", &["SIGSTORE_OIDC_REDIRECT_URL", "GITSIGN_OIDC_REDIRECT_URL"], Left("the port is a free one")),
    Row("rekor", &["SIGSTORE_REKOR_URL", "GITSIGN_REKOR_URL"], Part),
    Row("rekorMode", &["GITSIGN_REKOR_MODE"], Left("the log's proof is always inside, as with offline")),
    Row("rekorPublicKey", &["SIGSTORE_REKOR_PUBLIC_KEY"], Part),
    Row("rekorVersion", &["SIGSTORE_REKOR_VERSION", "GITSIGN_REKOR_VERSION"], Part),
    Row("timestampCertChain", &["SIGSTORE_TIMESTAMP_CERT_CHAIN", "GITSIGN_TIMESTAMP_CERT_CHAIN"], Part),
    Row("timestampServerURL", &["SIGSTORE_TIMESTAMP_SERVER_URL", "GITSIGN_TIMESTAMP_SERVER_URL"], Part),
    Row("tokenFile", &[], Is(ID_TOKEN_FILE)),
    Row(
        "tokenProvider",
        &["SIGSTORE_TOKEN_PROVIDER", "GITSIGN_TOKEN_PROVIDER"],
        Translated(TOKEN_SOURCE, |name| {
            TOKEN_PROVIDERS.iter().find(|(its, _)| *its == name).map(|(_, ours)| (*ours).into())
        }),
    ),
    // With another word for the address.
    Row("urlOpener", &["GITSIGN_URL_OPENER"], Translated(BROWSER, |template| Some(template.replace("{{.URL}}", "%s")))),
];

/// Why what is said of its page is nothing here.
const PAGE: &str = "the page stays open: it runs nothing that could close it";

/// Its token providers, and our words for the same sources.
const TOKEN_PROVIDERS: [(&str, &str); 9] = [
    ("buildkite-agent", "buildkite"),
    ("device", "device"),
    ("envvar", "environment"),
    ("filesystem", "file:/var/run/sigstore/cosign/oidc-token"),
    ("github-actions", "github"),
    ("google-impersonate", "google-impersonation"),
    ("google-workload-identity", "google"),
    ("interactive", "browser"),
    ("spiffe", "spiffe"),
];

/// gitsign's names in this table that git's configuration does not have: variables alone.
const VARIABLES_ALONE: [&str; 4] = ["credentialCache", "ctLogPublicKey", "rekorPublicKey", "tokenFile"];

/// Its settings, each with its place.
#[derive(Clone, Debug, Default)]
pub struct Foreign {
    values: Vec<(&'static str, Value)>,
}

/// What one of its settings is here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapped {
    /// As gitsign's documentation names it.
    pub name: String,
    /// Where it was set.
    pub place: String,
    /// The setting of ours with its value, or why there is none.
    pub ours: Result<(&'static str, String), &'static str>,
}

impl Foreign {
    /// From git's section `gitsign` and the environment. A variable that is set to nothing takes the value away.
    pub fn new(values: &[ConfigValue], environment: impl Fn(&str) -> Option<OsString>) -> Result<Self, Unusable> {
        let mut read = Self::default();
        for Row(name, variables, _) in &ROWS {
            let key = format!("gitsign.{}", name.to_lowercase());
            let in_git = values.iter().rev().find(|value| value.key == key);
            let in_git = in_git.filter(|_| !VARIABLES_ALONE.contains(name));
            let mut found = in_git.map(|value| Value { text: value.value.clone(), place: value.place.clone() });
            for variable in *variables {
                let Some(text) = environment(variable) else { continue };
                let text = text.into_string().map_err(|_| unusable(name, variable, "not UTF-8"))?;
                found = Some(Value { text: Some(text), place: (*variable).to_owned() });
            }
            let is_set = |value: &Value| value.text.as_deref().is_some_and(|text| !text.is_empty());
            read.values.extend(found.filter(is_set).map(|value| (*name, value)));
        }
        Ok(read)
    }

    /// Values for settings of ours; of an instance's only those of a whole one.
    pub(super) fn settings(&self, own_instance: bool) -> Vec<(&'static str, Value)> {
        let whole = self.is_whole(own_instance);
        self.rows()
            .filter_map(|(_, meaning, value)| match meaning {
                Is(key) => Some((key, value.clone())),
                Translated(key, ours) => {
                    let text = value.text.as_deref().and_then(ours)?;
                    Some((key, Value { text: Some(text), ..value.clone() }))
                }
                OfInstance(key) if whole => Some((key, value.clone())),
                _ => None,
            })
            .collect()
    }

    /// Its settings, what they are here, and why some are nothing: those of an instance count where it is whole and
    /// nobody else's (`own_instance`) is in force. Parts of an instance are not among them.
    pub fn mapped(&self, own_instance: bool) -> Vec<Mapped> {
        let whole = self.is_whole(own_instance);
        self.rows()
            .filter_map(|(name, meaning, value)| {
                let text = value.text.clone().unwrap_or_default();
                let ours = match meaning {
                    Is(key) => Ok((key, text)),
                    OfInstance(key) if whole => Ok((key, text)),
                    OfInstance(_) => Err("it belongs to gitsign's instance, which is not the one that signs here"),
                    Translated(key, ours) => ours(&text).map(|ours| (key, ours)).ok_or("that value has no like here"),
                    Left(why) => Err(why),
                    Part => return None,
                };
                Some(Mapped { name: format!("gitsign.{name}"), place: value.place.clone(), ours })
            })
            .collect()
    }

    /// A signing config of its URLs; none when it names none, refused when it names only some of them.
    pub fn signing_config(&self) -> Result<Option<String>, Unusable> {
        Ok(self.urls()?.map(|urls| parts::signing_config(&urls).to_string()))
    }

    /// A trusted root of its URLs, certificates and keys; none when it names no certificates of its own.
    pub fn trusted_root(&self, owner: Option<&Path>) -> Result<Option<String>, Unusable> {
        let Some(authority) = self.pem("fulcioRoot", owner)? else { return Ok(None) };
        let urls = self.urls()?.ok_or_else(|| self.missing("fulcioRoot", "fulcio"))?;
        let (Some(log), Some(ct_log)) = (self.pem("rekorPublicKey", owner)?, self.pem("ctLogPublicKey", owner)?) else {
            return Err(self.missing("fulcioRoot", "SIGSTORE_REKOR_PUBLIC_KEY and SIGSTORE_CT_LOG_PUBLIC_KEY_FILE"));
        };
        let stamps = self.pem("timestampCertChain", owner)?;
        let pems = Pems { authority: &authority, log: &log, ct_log: &ct_log, timestamp_authority: stamps.as_deref() };
        let root = parts::trusted_root(&urls, &pems).map_err(|why| self.refused("fulcioRoot", &why.to_string()))?;
        Ok(Some(root.to_string()))
    }

    /// Where its instance is set, for people.
    pub fn place(&self) -> String {
        let part = self.rows().find(|(_, meaning, _)| matches!(meaning, Part));
        part.map_or_else(
            || "gitsign's settings".to_owned(),
            |(name, _, value)| format!("gitsign.{name} in {}", value.place),
        )
    }

    fn is_whole(&self, own_instance: bool) -> bool {
        !own_instance && self.urls().is_ok_and(|urls| urls.is_some())
    }

    /// All or nothing: what is missing is never completed with anybody else's service.
    fn urls(&self) -> Result<Option<Urls<'_>>, Unusable> {
        let (authority, log) = match (self.text("fulcio"), self.text("rekor")) {
            (Some(authority), Some(log)) => (authority, log),
            (Some(_), None) => return Err(self.missing("fulcio", "rekor")),
            (None, Some(_)) => return Err(self.missing("rekor", "fulcio")),
            (None, None) => {
                let alone =
                    ["fulcioRoot", "issuer", "timestampServerURL"].into_iter().find(|name| self.text(name).is_some());
                return alone.map_or(Ok(None), |name| Err(self.missing(name, "fulcio and rekor")));
            }
        };
        let version = match self.text("rekorVersion") {
            None | Some("1") => 1,
            Some("2") => 2,
            Some(other) => return Err(self.refused("rekorVersion", &format!("`{other}` is neither 1 nor 2"))),
        };
        Ok(Some(Urls {
            authority,
            log: (log, version),
            identity_provider: self.text("issuer"),
            timestamp_authority: self.text("timestampServerURL"),
        }))
    }

    fn rows(&self) -> impl Iterator<Item = (&'static str, Meaning, &Value)> {
        self.values.iter().filter_map(|(name, value)| {
            let Row(_, _, meaning) = ROWS.iter().find(|Row(row, ..)| row == name)?;
            Some((*name, *meaning, value))
        })
    }

    fn value(&self, name: &str) -> Option<&Value> {
        self.values.iter().find(|(found, _)| *found == name).map(|(_, value)| value)
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.value(name)?.text.as_deref()
    }

    fn pem(&self, name: &str, owner: Option<&Path>) -> Result<Option<String>, Unusable> {
        let Some(path) = self.text(name) else { return Ok(None) };
        let read = files::absolute(path).and_then(|path| files::read_trusted(&path, MAX_TRUST_BYTES, owner));
        let text = read.and_then(|bytes| String::from_utf8(bytes).map_err(|_| format!("{path} is not PEM")));
        text.map(Some).map_err(|why| self.refused(name, &why))
    }

    fn missing(&self, name: &str, what: &str) -> Unusable {
        self.refused(
            name,
            &format!("a part of an instance, without {what}; set all of it, or {}", super::SIGNING_CONFIG),
        )
    }

    fn refused(&self, name: &str, why: &str) -> Unusable {
        unusable(name, self.value(name).map_or("gitsign's settings", |value| &value.place), why)
    }
}

fn unusable(name: &str, place: &str, why: &str) -> Unusable {
    Unusable { key: format!("gitsign.{name}"), place: place.to_owned(), why: why.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn foreign(git: &[(&str, &str)], variables: &[(&str, &str)]) -> Foreign {
        let value = |(key, value): &(&str, &str)| ConfigValue {
            key: format!("gitsign.{}", key.to_lowercase()),
            value: Some((*value).to_owned()),
            place: "a file".into(),
        };
        let values: Vec<_> = git.iter().map(value).collect();
        let environment = |name: &str| variables.iter().find(|(found, _)| *found == name).map(|(_, text)| text.into());
        Foreign::new(&values, environment).unwrap()
    }

    #[test]
    fn later_ones_win_and_an_empty_variable_takes_away() {
        let git = [("connectorID", "git")];
        let read = |variables: &[(&str, &str)]| foreign(&git, variables).text("connectorID").map(str::to_owned);
        assert_eq!(read(&[]).as_deref(), Some("git"));
        assert_eq!(read(&[("SIGSTORE_CONNECTOR_ID", "s")]).as_deref(), Some("s"));
        assert_eq!(read(&[("SIGSTORE_CONNECTOR_ID", "s"), ("GITSIGN_CONNECTOR_ID", "g")]).as_deref(), Some("g"));
        assert_eq!(read(&[("GITSIGN_CONNECTOR_ID", "")]), None);
    }

    #[test]
    fn an_instance_is_whole_or_none() {
        assert_eq!(foreign(&[("connectorID", "c")], &[]).signing_config(), Ok(None));
        for part in ["fulcio", "rekor", "issuer", "timestampServerURL", "fulcioRoot"] {
            let error = foreign(&[(part, "https://x.test")], &[]).signing_config().unwrap_err().to_string();
            assert!(error.starts_with(&format!("gitsign.{part} in a file")) && error.contains("without"), "{error}");
        }
        let whole = [
            ("fulcio", "https://f.test"),
            ("rekor", "https://r.test"),
            ("issuer", "https://i.test"),
            ("clientID", "me"),
        ];
        let read = foreign(&whole, &[]);
        assert!(read.signing_config().unwrap().unwrap().contains("https://r.test"));
        assert_eq!(read.settings(false).iter().map(|(key, _)| *key).collect::<Vec<_>>(), [CLIENT_ID, ISSUER]);
        assert!(read.settings(true).is_empty(), "with an instance of ours nothing of another counts");
        assert!(read.mapped(false).iter().all(|mapped| mapped.ours.is_ok()));
        assert!(read.mapped(true).iter().all(|mapped| mapped.ours.is_err()));
        assert!(foreign(&[("clientID", "me")], &[]).mapped(false).iter().all(|mapped| mapped.ours.is_err()));
        let wrong = foreign(&whole, &[("GITSIGN_REKOR_VERSION", "3")]).signing_config();
        assert!(wrong.unwrap_err().to_string().contains("neither 1 nor 2"));
    }

    /// Each of its settings, alone, with a value that it takes: what that is here, or why nothing.
    #[test]
    fn every_setting_has_its_like_or_its_reason() {
        let instance = [("fulcio", "https://f.test"), ("rekor", "https://r.test")];
        for (name, value, expected) in [
            ("autoclose", "true", Err("stays open")),
            ("autocloseTimeout", "6", Err("stays open")),
            ("clientID", "me", Ok((CLIENT_ID, "me"))),
            ("clientSecretFile", "/f", Ok((CLIENT_SECRET_FILE, "/f"))),
            ("connectorID", "c", Ok((CONNECTOR_ID, "c"))),
            ("enableSigstoreGo", "true", Err("one way")),
            ("issuer", "https://i.test", Ok((ISSUER, "https://i.test"))),
            ("logPath", "/l", Err("nothing is logged")),
            ("matchCommitter", "true", Err("keyless.expectedIdentity")),
            ("redirectURL", "http://localhost:1", Err("port")),
            ("rekorMode", "offline", Err("always inside")),
            ("tokenProvider", "interactive", Ok((TOKEN_SOURCE, "browser"))),
            ("tokenProvider", "spiffe", Ok((TOKEN_SOURCE, "spiffe"))),
            ("tokenProvider", "of-my-own", Err("no like")),
            ("urlOpener", "open -a X {{.URL}}", Ok((BROWSER, "open -a X %s"))),
        ] {
            let git = [instance.as_slice(), &[(name, value)]].concat();
            let mapped = foreign(&git, &[]).mapped(false);
            let [Mapped { ours, .. }] = mapped.as_slice() else { panic!("{name}: {mapped:?}") };
            match (ours, expected) {
                (Ok((key, text)), Ok(expected)) => assert_eq!((*key, text.as_str()), expected),
                (Err(why), Err(expected)) => assert!(why.contains(expected), "{name}: {why}"),
                _ => panic!("{name}: {ours:?}"),
            }
            // What is said to count does count, and nothing else.
            let counts: Vec<_> = foreign(&git, &[]).settings(false).into_iter().map(|(key, _)| key).collect();
            assert_eq!(counts, ours.iter().map(|(key, _)| *key).collect::<Vec<_>>(), "{name}");
        }
        let named: std::collections::BTreeSet<_> = ROWS.iter().map(|Row(name, ..)| *name).collect();
        assert_eq!(named.len(), ROWS.len());
        assert!(
            ROWS.iter().all(|Row(_, variables, meaning)| !variables.is_empty() || matches!(meaning, Is(_) | Left(_)))
        );
    }

    #[test]
    fn what_only_a_variable_sets_is_named_too() {
        for (variable, expected) in [
            ("GITSIGN_LOG", "gitsign.logPath"),
            ("GITSIGN_CREDENTIAL_CACHE", "gitsign.credentialCache"),
            ("SIGSTORE_AUTOCLOSE", "gitsign.autoclose"),
            ("GITSIGN_ENABLE_SIGSTORE_GO", "gitsign.enableSigstoreGo"),
        ] {
            let mapped = foreign(&[], &[(variable, "x")]).mapped(false);
            assert!(mapped.iter().any(|one| one.name == expected && one.place == variable), "{variable}: {mapped:?}");
        }
    }
}
