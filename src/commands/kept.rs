//! The kept credential: under which name, in which keyring, and whether it is still what it was.

use zeroize::Zeroizing;

use super::credential::{expected, is};
use super::instance::Instance;
use super::renewal::Renewal;
use super::{Stop, now, publicity};
use crate::config::{CREDENTIAL_STORE, REFRESH_TOKEN, Settings};
use crate::format::hex;
use crate::key;
use crate::outside::oidc::Login;
use crate::outside::session::{Keyring, Unusable};
use crate::outside::terminal;
use crate::policy::Accepted;
use crate::sign::{Credential, NotTaken, Signer};

/// The place of one credential.
pub(crate) struct Kept {
    keyrings: Vec<Keyring>,
    /// Names instance, provider and person; 64 hexadecimal digits.
    name: String,
    /// Names what renews it.
    renewal: String,
    renews: bool,
    expected: Option<Accepted>,
}

/// What is there.
pub(crate) enum Found {
    /// A good one.
    Credential(Box<Credential>, Keyring),
    /// None, in the keyring that would have it.
    Nothing(Keyring),
    /// Nothing can be kept, and why.
    NoKeyring(String),
}

impl Kept {
    /// For this instance, provider and person: the expected identity, or else who commits, so that one who logs in for
    /// work never signs a private repository with it.
    pub(crate) fn of(settings: &Settings, instance: &Instance, login: &Login, committer: &str) -> Result<Self, Stop> {
        let expected = expected(settings)?;
        // Whoever hides their address decides for themselves what is published under it.
        let who = match &expected {
            Some(who) if !publicity::is_hiding(committer) => format!("identity {who}"),
            Some(who) => format!("identity {who} behind {committer}"),
            None => format!("committer {committer}"),
        };
        let parts = [&login.issuer, &login.client_id, login.connector.as_deref().unwrap_or_default(), &who];
        // Digests of one length: no two lists of parts can meet.
        let digests: Vec<u8> = parts.iter().flat_map(|part| key::sha256(part.as_bytes())).collect();
        let name = hex(&key::sha256_of(&[&instance.digest, &digests]));
        let renewal = hex(&key::sha256_of(&[b"renewal", name.as_bytes()]));
        let renews = settings.flag(REFRESH_TOKEN).map_err(Stop::new)?;
        Ok(Self { keyrings: keyrings(settings)?, name, renewal, renews, expected })
    }

    /// What the first keyring that answers has. What is no longer good is forgotten.
    pub(crate) fn read(&self, signer: &Signer<'_>) -> Result<Found, Stop> {
        let mut silent = Vec::new();
        for keyring in &self.keyrings {
            match keyring.read(&self.name) {
                Ok(Some(bytes)) => return self.judge(&bytes, *keyring, signer),
                Ok(None) => return Ok(Found::Nothing(*keyring)),
                Err(why) => silent.push(why),
            }
        }
        Ok(Found::NoKeyring(no_keyring(&silent)))
    }

    /// Keeps it, for as long as its certificate lives.
    pub(crate) fn write(&self, keyring: Keyring, credential: &Credential) -> Result<(), String> {
        let bytes = credential.to_bytes().map_err(|why| why.to_string())?;
        let named = Zeroizing::new([self.name.as_bytes(), &bytes].concat());
        let life = now().map(|now| credential.window().left(now)).map_err(|why| why.to_string())?;
        if life.is_zero() {
            return Err("its certificate is not valid by this machine's clock".to_owned());
        }
        keyring.write(&self.name, &named, life).map_err(|why| why.to_string())
    }

    /// Whether the person wants logins to be renewed.
    pub(crate) fn renews(&self) -> bool {
        self.renews
    }

    /// What renews the login, if that is wanted. What is no longer good is forgotten.
    pub(crate) fn renewal(&self, keyring: Keyring) -> Result<Option<Renewal>, Stop> {
        let read = || keyring.read(&self.renewal).ok().flatten();
        let Some(bytes) = self.renews.then(read).flatten() else { return Ok(None) };
        let wanted = |found: &Renewal| self.expected.as_ref().is_none_or(|who| is(&found.identity, who));
        let now = now()?;
        let found = bytes.strip_prefix(self.renewal.as_bytes()).ok_or("it was kept under another name".to_owned());
        let why = match found.and_then(Renewal::parse) {
            Ok(found) if found.left(now).is_zero() => None,
            Ok(found) if wanted(&found) => return Ok(Some(found)),
            Ok(_) => Some("it is somebody else's".to_owned()),
            Err(why) => Some(why),
        };
        if let Some(why) = why {
            terminal::say(&format!("git-keyless: what {keyring} has kept to renew a login is not used: {why}"));
        }
        self.forget_renewal(keyring);
        Ok(None)
    }

    /// Keeps what renews the login, until that is over.
    pub(crate) fn write_renewal(&self, keyring: Keyring, renewal: &Renewal) -> Result<(), String> {
        let bytes = renewal.to_bytes()?;
        let named = Zeroizing::new([self.renewal.as_bytes(), &bytes].concat());
        let life = now().map(|now| renewal.left(now)).map_err(|why| why.to_string())?;
        keyring.write(&self.renewal, &named, life).map_err(|why| why.to_string())
    }

    /// Nothing renews the login any more.
    pub(crate) fn forget_renewal(&self, keyring: Keyring) {
        // One that stays is used up, foreign or over, and refused again.
        let _ = keyring.forget(&self.renewal);
    }

    /// The name is kept with it, so that nothing kept for somebody else can be put in its place.
    fn judge(&self, bytes: &[u8], keyring: Keyring, signer: &Signer<'_>) -> Result<Found, Stop> {
        let taken = match bytes.strip_prefix(self.name.as_bytes()) {
            Some(bytes) => signer.take_back(bytes, now()?).map_err(|why| match why {
                NotTaken::Expired(_) => None,
                NotTaken::Refused(why) => Some(why.to_string()),
            }),
            None => Err(Some("it was kept under another name".to_owned())),
        };
        let wanted = |found: &Credential| self.expected.as_ref().is_none_or(|who| is(found.identity(), who));
        match taken.and_then(|found| if wanted(&found) { Ok(found) } else { Err(Some("it is somebody else's".into())) })
        {
            Ok(credential) => Ok(Found::Credential(Box::new(credential), keyring)),
            Err(why) => {
                if let Some(why) = why {
                    terminal::say(&format!("git-keyless: what {keyring} has kept is not used: {why}"));
                }
                // It would be refused again.
                let _ = keyring.forget(&self.name);
                Ok(Found::Nothing(keyring))
            }
        }
    }
}

/// Refuses what the settings say about keeping a login where [`Kept::of`] would.
pub(crate) fn check_settings(settings: &Settings) -> Result<(), Stop> {
    settings.flag(REFRESH_TOKEN).map_err(Stop::new)?;
    keyrings(settings).map(drop)
}

/// Those that the settings allow, in the order in which they are tried.
fn keyrings(settings: &Settings) -> Result<Vec<Keyring>, Stop> {
    match settings.text(CREDENTIAL_STORE).map_err(Stop::new)? {
        None | Some(("auto", _)) => Ok(Keyring::ALL.to_vec()),
        Some(("none", _)) => Ok(Vec::new()),
        Some((name, value)) => {
            Keyring::ALL.into_iter().find(|keyring| keyring.name() == name).map(|keyring| vec![keyring]).ok_or_else(
                || {
                    let names = Keyring::ALL.map(Keyring::name).join(", ");
                    Stop::new(settings.unusable(
                        CREDENTIAL_STORE,
                        value,
                        format!("`{name}` is none of auto, {names}, none"),
                    ))
                },
            )
        }
    }
}

fn no_keyring(silent: &[Unusable]) -> String {
    let here = silent.iter().filter(|why| why.is_here()).map(ToString::to_string).collect::<Vec<_>>();
    match (silent.is_empty(), here.is_empty()) {
        (true, _) => format!("{CREDENTIAL_STORE} is none"),
        (false, true) => "this machine has no keyring".to_owned(),
        (false, false) => format!("no keyring can be used ({}); {CREDENTIAL_STORE} names one", here.join("; ")),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::config::EXPECTED_IDENTITY;
    use crate::format::time::Time;
    use crate::outside::repo::{ConfigValue, Configuration};
    use crate::sign::Options;
    use crate::trust::{SigningConfig, TrustRoot};

    const CONFIG: &[u8] = include_bytes!("../../tests/fuzz/signing_config.json");

    fn instance(digest: u8) -> Instance {
        let services = SigningConfig::parse(CONFIG).unwrap().services(Time::parse("2026-12-01T00:00:00Z").unwrap());
        Instance {
            root: TrustRoot::public_good().unwrap(),
            options: Options::new(services.unwrap()),
            digest: [digest; 32],
        }
    }

    fn kept(instance: u8, login: [&str; 3], expected: &str, committer: &str) -> Kept {
        let value = ConfigValue {
            key: EXPECTED_IDENTITY.to_lowercase(),
            value: Some(expected.to_owned()),
            place: "a file".to_owned(),
        };
        let settings =
            Settings::new(Configuration { values: vec![value], ..Configuration::default() }, |_| None).unwrap();
        let [issuer, client_id, connector] = login.map(str::to_owned);
        let connector = Some(connector).filter(|connector| !connector.is_empty());
        let login = Login { issuer, client_id, client_secret: None, connector };
        Kept::of(&settings, &self::instance(instance), &login, committer).unwrap()
    }

    #[test]
    fn whatever_is_another_has_another_name() {
        const LOGIN: [&str; 3] = ["https://a.test", "sigstore", "behind"];
        const HIDDEN: &str = "1+a@users.noreply.test";
        let all = [
            kept(1, LOGIN, "", "a@x.test"),
            kept(2, LOGIN, "", "a@x.test"),
            kept(1, ["https://b.test", LOGIN[1], LOGIN[2]], "", "a@x.test"),
            kept(1, [LOGIN[0], "another", LOGIN[2]], "", "a@x.test"),
            kept(1, [LOGIN[0], LOGIN[1], "other"], "", "a@x.test"),
            kept(1, [LOGIN[0], LOGIN[1], ""], "", "a@x.test"),
            // The same letters, divided elsewhere.
            kept(1, [LOGIN[0], "sigstorebehind", ""], "", "a@x.test"),
            kept(1, LOGIN, "", "b@x.test"),
            kept(1, LOGIN, "a@x.test https://a.test", "a@x.test"),
            kept(1, LOGIN, "b@x.test https://a.test", "a@x.test"),
            kept(1, LOGIN, "a@x.test https://b.test", "a@x.test"),
            kept(1, LOGIN, "a@x.test https://a.test", HIDDEN),
            kept(1, LOGIN, "", HIDDEN),
        ];
        let names: BTreeSet<_> = all.iter().flat_map(|kept| [&kept.name, &kept.renewal]).collect();
        assert_eq!(names.len(), 2 * all.len());
        assert!(names.iter().all(|name| name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit())));
        // What is the same has the same; and of whom is expected the committer's address says nothing.
        assert_eq!(all[0].name, kept(1, LOGIN, "", "a@x.test").name);
        assert_eq!(all[8].name, kept(1, LOGIN, "a@x.test https://a.test", "b@x.test").name);
    }
}
