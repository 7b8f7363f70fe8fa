//! How somebody says who they are: a token that is named, a browser, a code, and the login that is kept.

use std::time::Duration;

use super::{Finding, mend};
use crate::commands::credential::{Applicant, check_expected, expected};
use crate::commands::instance::Instance;
use crate::commands::kept::{self, Found};
use crate::commands::renewal::Renewal;
use crate::commands::{Stop, identity, now, wait_for};
use crate::config::{ID_TOKEN_FILE, Settings, TOKEN_SOURCE};
use crate::format::cert::Subject;
use crate::format::id_token::Claims;
use crate::outside::git::Seen;
use crate::outside::http::Http;
use crate::outside::oidc::{self, Asking, CheckedToken, Person, Source, WAYS_OUT, Way};
use crate::outside::terminal;
use crate::policy::Accepted;
use crate::report::Identity;
use crate::sign::Signer;

const CHECK: &str = "id-token";
/// Reading a variable or a file takes no time.
const DEADLINE: Duration = Duration::from_secs(5);

/// Where somebody would sign, and as which committer, if git knows one.
pub(super) struct Here<'a> {
    pub(super) settings: &'a Settings,
    pub(super) seen: &'a [Seen],
    pub(super) instance: &'a Instance,
    pub(super) committer: Option<&'a str>,
}

/// Who will sign, as far as that is known.
pub(super) enum Who {
    /// Who is logged in now, with a certificate.
    Certified(Identity),
    /// Whose login is renewed without anybody.
    Renewed(Identity),
    /// Whom the token names.
    Token(Claims),
    /// Nobody has said it yet.
    Unknown,
}

impl Who {
    pub(super) fn identity(&self) -> Option<Accepted> {
        let (subject, issuer) = match self {
            Self::Certified(Identity { subject, issuer }) | Self::Renewed(Identity { subject, issuer }) => {
                (subject.name(), issuer.as_str())
            }
            Self::Token(claims) => (claims.name(), claims.certified_issuer()),
            Self::Unknown => return None,
        };
        Some(Accepted { subject: subject.to_owned(), issuer: issuer.to_owned() })
    }

    /// The address of the login.
    pub(super) fn email(&self) -> Option<&str> {
        match self {
            Self::Certified(Identity { subject: Subject::Email(email), .. })
            | Self::Renewed(Identity { subject: Subject::Email(email), .. }) => Some(email),
            Self::Token(claims) => claims.email.as_deref(),
            _ => None,
        }
    }
}

pub(super) fn examine(here: &Here<'_>) -> (Vec<Finding>, Who) {
    let (mut findings, who) = match identity::signer(here.settings, &here.instance.options.services) {
        Err(stop) => (vec![here.fault(CHECK, &stop)], Who::Unknown),
        Ok(signer) => match &signer.source {
            Source::Person(person) => here.person(person),
            _ => here.source(&signer),
        },
    };
    findings.extend(here.expected(&who));
    findings.extend(other_address(&who, here.committer));
    (findings, who)
}

impl Here<'_> {
    fn fault(&self, check: &'static str, stop: &Stop) -> Finding {
        Finding::fault(check, stop, mend::of(stop, self.seen, WAYS_OUT))
    }

    /// A token that somebody named. What is there is looked at as signing does; nobody is asked for one.
    fn source(&self, signer: &identity::Signer) -> (Vec<Finding>, Who) {
        let source = &signer.source;
        let (finding, who) = match source {
            Source::Value { .. } | Source::File(_) => match read(signer) {
                Ok(token) => {
                    let claims = token.claims().clone();
                    let found = format!("from {source}: {}, until {}", claims.name(), claims.expiry);
                    (Finding::good(CHECK, &found), Who::Token(claims))
                }
                Err(stop) => (Finding::fault(CHECK, &stop, self.another(source)), Who::Unknown),
            },
            Source::Ambient(ambient) => match ambient.missing() {
                Some(why) => (Finding::fault(CHECK, &format!("{source}: {why}"), self.another(source)), Who::Unknown),
                None => (Finding::good(CHECK, &format!("from {source}, which is not asked now")), Who::Unknown),
            },
            _ => (Finding::good(CHECK, &format!("from {source}, which is not run now")), Who::Unknown),
        };
        // Nobody reads them while a token is named.
        let idle = kept::check_settings(self.settings).err();
        let idle = idle.map(|stop| Finding::warning("kept-login", &stop, mend::of(&stop, self.seen, WAYS_OUT)));
        (std::iter::once(finding).chain(idle).collect(), who)
    }

    /// What takes this source away, so that another one counts.
    fn another(&self, source: &Source) -> String {
        let named = match (mend::without(TOKEN_SOURCE, self.seen), source) {
            (None, Source::Value { variable, .. }) => Some(format!("unset {variable}, or set it to a new one")),
            (None, Source::File(_)) => mend::without(ID_TOKEN_FILE, self.seen),
            (named, _) => named,
        };
        named.unwrap_or_else(|| WAYS_OUT.to_owned())
    }

    fn person(&self, person: &Person) -> (Vec<Finding>, Who) {
        let (kept, who) = self.kept(person);
        let logged_in = !matches!(who, Who::Unknown);
        (std::iter::once(way(person, logged_in)).chain(kept).collect(), who)
    }

    /// What the keyring has, and who that is. Nothing where git does not know who commits, or an expected identity
    /// cannot be read: that is found elsewhere.
    fn kept(&self, person: &Person) -> (Option<Finding>, Who) {
        let committer = match (expected(self.settings), self.committer) {
            (Err(_), _) | (Ok(None), None) => return (None, Who::Unknown),
            (Ok(_), committer) => committer.unwrap_or_default(),
        };
        let (finding, who) = self.kept_for(committer, person);
        (Some(finding), who)
    }

    fn kept_for(&self, committer: &str, person: &Person) -> (Finding, Who) {
        const CHECK: &str = "kept-login";
        let good = |found: String, who| (Finding::good(CHECK, &found), who);
        match self.read(committer, person) {
            Ok((Found::Nothing(keyring), Some(Renewal { identity, until, .. }))) => good(
                format!("of {}, renewed until {until}, in {keyring}", identity.subject.name()),
                Who::Renewed(identity),
            ),
            Ok((Found::Credential(credential, keyring), _)) => {
                let identity = credential.identity().clone();
                good(format!("of {}, in {keyring}", identity.subject.name()), Who::Certified(identity))
            }
            Ok((Found::Nothing(keyring), None)) => good(format!("none now; {keyring} would keep it"), Who::Unknown),
            Ok((Found::NoKeyring(why), _)) => {
                let found = format!("a login is not kept, each signature asks anew: {why}");
                let mend = "git config --global keyless.credentialStore auto, and a keyring";
                (Finding::warning(CHECK, &found, mend), Who::Unknown)
            }
            Err(stop) => (self.fault(CHECK, &stop), Who::Unknown),
        }
    }

    fn read(&self, committer: &str, person: &Person) -> Result<(Found, Option<Renewal>), Stop> {
        let Self { settings, instance, .. } = *self;
        let signer = Signer::new(&instance.root, &instance.options).map_err(Stop::new)?;
        let kept = Applicant { settings, instance, signer: &signer, committer }.kept(&person.login)?;
        let found = kept.read(&signer)?;
        let renewal = match &found {
            Found::Credential(_, keyring) | Found::Nothing(keyring) => kept.renewal(*keyring)?,
            Found::NoKeyring(_) => None,
        };
        Ok((found, renewal))
    }

    /// Whether it is the one that the settings want; of somebody unknown only whether they can be read.
    fn expected(&self, who: &Who) -> Option<Finding> {
        const CHECK: &str = "expected-identity";
        let expected = match who {
            Who::Token(claims) => check_expected(self.settings, claims),
            _ => expected(self.settings),
        };
        match expected {
            Ok(expected) => expected.map(|who| Finding::good(CHECK, &format!("{who} alone signs here"))),
            Err(stop) => Some(self.fault(CHECK, &stop)),
        }
    }
}

/// Reads what is there already, and checks it as signing does. It goes nowhere.
fn read(signer: &identity::Signer) -> Result<CheckedToken, Stop> {
    let identity::Signer { source, audience } = signer;
    let asking = Asking { http: &Http::new(), audience, deadline: DEADLINE };
    let token = wait_for(async { oidc::request(source, asking).await.map_err(Stop::new) })?;
    oidc::check(token, audience, now()?).map_err(|why| Stop::new(format!("{source}: {why}")))
}

/// How a person is asked; whether that can fail does not matter while somebody is logged in.
fn way(person: &Person, logged_in: bool) -> Finding {
    const NAME_ONE: &str = "git config --global keyless.browser PROGRAM";
    let (why, mend) = match &person.way {
        Way::Device => return Finding::good(CHECK, &"somebody logs in, with a code that the terminal shows"),
        Way::Neither(why) => (why.as_str(), WAYS_OUT),
        Way::Browser if person.opener.is_there() => return Finding::good(CHECK, &"somebody logs in, in a browser"),
        Way::Browser if terminal::device().is_some() => {
            let found = "no program is there that opens a browser: whoever logs in opens the address by hand";
            return Finding::warning(CHECK, &found, NAME_ONE);
        }
        Way::Browser => ("no program is there that opens a browser", NAME_ONE),
    };
    match logged_in {
        true => Finding::note(CHECK, &format!("nobody can log in here ({why}), and a login is kept for now")),
        false => Finding::fault(CHECK, &format!("nobody can log in here: {why}"), mend),
    }
}

/// Commits that name one address and signatures that name another puzzle whoever reads both.
fn other_address(who: &Who, committer: Option<&str>) -> Option<Finding> {
    let (email, committer) = (who.email()?, committer?);
    let found = format!("git commits as {committer}, and signatures will name {email}");
    (!email.eq_ignore_ascii_case(committer)).then(|| Finding::note("committer-address", &found))
}
