//! Whether an identity may become public. The public instance writes every certificate, with the e-mail address in it,
//! into a log that everybody can read and nobody can shorten, at the moment it is issued: so this is asked before.

use super::instance::Instance;
use super::{Stop, shell_word};
use crate::config::{PUBLIC_IDENTITY, Settings};
use crate::format::id_token::Claims;
use crate::outside::git::{self, Scope};
use crate::outside::terminal;
use crate::policy::Accepted;
use crate::report::Identity;

/// What the settings say.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Consent {
    mode: Mode,
    /// Who may become public by name, whatever the mode.
    named: Vec<Accepted>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Allow,
    Ask,
    Refuse,
}

/// What follows from it for one identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Ask,
    No,
    Yes,
}

/// Refuses unless the person, or whoever wrote the settings, wants these claims published. `committer` is the e-mail
/// address that git writes into the commit.
pub(crate) fn check(settings: &Settings, instance: &Instance, claims: &Claims, committer: &str) -> Result<(), Stop> {
    if !instance.is_public() {
        return Ok(());
    }
    let who = Accepted { subject: claims.name().to_owned(), issuer: claims.certified_issuer().to_owned() };
    let hides = claims.email.as_deref().is_some_and(|email| hides(committer, email));
    match answer(&consent(settings)?, &who, hides) {
        Answer::Yes => Ok(()),
        Answer::No => Err(refused(&who)),
        Answer::Ask => ask(&who, hides.then_some(committer)),
    }
}

/// What [`check`] will refuse here, without asking anybody; of somebody who is not known yet only what holds for all.
/// `who` comes with the address of the login, if it has one.
pub(crate) fn foresee(
    settings: &Settings,
    instance: &Instance,
    who: Option<(&Accepted, Option<&str>)>,
    committer: &str,
) -> Result<(), Stop> {
    if !instance.is_public() {
        return Ok(());
    }
    let consent = consent(settings)?;
    let Some((who, email)) = who else {
        return match consent.mode {
            _ if !consent.named.is_empty() => Ok(()),
            Mode::Refuse => Err(Stop::new(format!("{PUBLIC_IDENTITY} refuses to publish anybody"))),
            Mode::Ask if !can_ask() => Err(Stop::new("signing would publish who signs, and nobody can be asked")),
            Mode::Allow | Mode::Ask => Ok(()),
        };
    };
    match answer(&consent, who, email.is_some_and(|email| hides(committer, email))) {
        Answer::No => Err(refused(who)),
        Answer::Ask if !can_ask() => Err(unasked(who)),
        Answer::Yes | Answer::Ask => Ok(()),
    }
}

fn can_ask() -> bool {
    let forbidden = std::env::var("GIT_TERMINAL_PROMPT").is_ok_and(|value| terminal::is_no(&value));
    !forbidden && terminal::device().is_some()
}

/// Refuses what is kept where the settings want nothing published: whoever logged in said yes somewhere else, and each
/// signature is published too.
pub(crate) fn check_kept(settings: &Settings, instance: &Instance, identity: &Identity) -> Result<(), Stop> {
    let who = Accepted { subject: identity.subject.name().to_owned(), issuer: identity.issuer.clone() };
    match instance.is_public() && answer(&consent(settings)?, &who, false) == Answer::No {
        true => Err(refused(&who)),
        false => Ok(()),
    }
}

fn refused(who: &Accepted) -> Stop {
    Stop::new(format!(
        "{PUBLIC_IDENTITY} refuses to publish {} ({}); use a private instance, or allow it: {}",
        who.subject,
        who.issuer,
        allowing(who)
    ))
}

/// Whether the settings allow everybody to become public, without being asked.
pub(crate) fn is_allowed(settings: &Settings) -> Result<bool, Stop> {
    Ok(consent(settings)?.mode == Mode::Allow)
}

fn consent(settings: &Settings) -> Result<Consent, Stop> {
    let mut consent = Consent { mode: Mode::Ask, named: Vec::new() };
    for (text, value) in settings.list(PUBLIC_IDENTITY).map_err(Stop::new)? {
        match text {
            "allow" => consent.mode = Mode::Allow,
            "ask" => consent.mode = Mode::Ask,
            // Whoever says so in a repository does not mean "but those whom I named elsewhere".
            "refuse" => consent = Consent { mode: Mode::Refuse, named: Vec::new() },
            pair => consent.named.push(Accepted::parse(pair).map_err(|why| {
                Stop::new(settings.unusable(PUBLIC_IDENTITY, value, format!("none of allow, ask, refuse, and {why}")))
            })?),
        }
    }
    Ok(consent)
}

fn answer(consent: &Consent, who: &Accepted, hides: bool) -> Answer {
    match consent.mode {
        _ if consent.named.contains(who) => Answer::Yes,
        Mode::Refuse => Answer::No,
        Mode::Allow if !hides => Answer::Yes,
        Mode::Allow | Mode::Ask => Answer::Ask,
    }
}

/// Whether git commits under an address that exists to hide one's own.
fn hides(committer: &str, email: &str) -> bool {
    is_hiding(committer) && !committer.eq_ignore_ascii_case(email)
}

/// Whether it is such an address.
pub(crate) fn is_hiding(committer: &str) -> bool {
    let committer = committer.to_ascii_lowercase();
    committer.contains("noreply") || committer.contains("no-reply")
}

fn ask(who: &Accepted, hidden_by: Option<&str>) -> Result<(), Stop> {
    let Accepted { subject, issuer } = who;
    terminal::say("git-keyless: signing on the public instance publishes, for everybody to see and for ever:");
    terminal::say(&format!("    who      {subject}"));
    terminal::say(&format!("    login    {issuer}"));
    terminal::say("    when     each time a certificate is issued, and which commits it signs (as digests)");
    if let Some(committer) = hidden_by {
        terminal::say(&format!("    git's own settings hide this address behind {committer}"));
    }
    match terminal::ask("Publish it? [y]es, [a]lways for this identity, [N]o: ").as_deref() {
        Some("y" | "yes") => Ok(()),
        Some("a" | "always") => remember(who),
        Some(_) => Err(Stop::new("not published, so not signed")),
        None => Err(unasked(who)),
    }
}

fn unasked(who: &Accepted) -> Stop {
    Stop::new(format!(
        "signing would publish {} ({}) for ever, and nobody can be asked; to allow it: {}",
        who.subject,
        who.issuer,
        allowing(who)
    ))
}

/// What allows it, for this identity alone.
pub(crate) fn allowing(who: &Accepted) -> String {
    format!("git config --global --add {PUBLIC_IDENTITY} {}", shell_word(&who.to_string()))
}

fn remember(who: &Accepted) -> Result<(), Stop> {
    git::add(Scope::Global, PUBLIC_IDENTITY, &who.to_string())
        .map_err(|why| Stop::new(format!("git could not remember it ({why}); try: {}", allowing(who))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::time::Time;
    use crate::outside::repo::{ConfigValue, Configuration};
    use crate::sign::Options;
    use crate::trust::{SigningConfig, TrustRoot};

    fn who(subject: &str) -> Accepted {
        Accepted { subject: subject.into(), issuer: "https://issuer.test".into() }
    }

    fn settings(values: &[&str]) -> Settings {
        let value = |value: &&str| ConfigValue {
            key: PUBLIC_IDENTITY.to_lowercase(),
            value: Some((*value).to_owned()),
            place: "a file".into(),
        };
        let values = values.iter().map(value).collect();
        Settings::new(Configuration { values, ..Configuration::default() }, |_| None).unwrap()
    }

    #[test]
    fn what_the_settings_say() {
        let alice = "alice@example.test https://issuer.test";
        for (values, hides, expected) in [
            (&[][..], false, Answer::Ask),
            (&["ask"], false, Answer::Ask),
            (&["allow"], false, Answer::Yes),
            (&["allow"], true, Answer::Ask),
            (&["allow", "refuse"], false, Answer::No),
            (&["refuse", "allow"], false, Answer::Yes),
            (&["refuse", ""], false, Answer::Ask),
            (&[alice], true, Answer::Yes),
            (&["refuse", alice], true, Answer::Yes),
            (&[alice, "refuse"], false, Answer::No),
            (&["bob@example.test https://issuer.test"], false, Answer::Ask),
            (&["alice@example.test https://other.test"], false, Answer::Ask),
        ] {
            let consent = consent(&settings(values)).unwrap();
            assert_eq!(answer(&consent, &who("alice@example.test"), hides), expected, "{values:?} {hides}");
        }
        let why = consent(&settings(&["yes"])).unwrap_err().to_string();
        assert!(why.contains("none of allow, ask, refuse"), "{why}");
    }

    #[test]
    fn what_is_kept_is_not_used_where_nothing_may_be_published() {
        let window = r#""validFor": { "start": "2020-01-01T00:00:00Z" }, "operator": "example.test""#;
        let service = format!(r#"[{{ "url": "https://service.example.test", "majorApiVersion": 1, {window} }}]"#);
        let media = "application/vnd.dev.sigstore.signingconfig.v0.2+json";
        let config = format!(
            r#"{{ "mediaType": "{media}", "caUrls": {service}, "rekorTlogUrls": {service},
                 "rekorTlogConfig": {{ "selector": "ANY" }}, "tsaConfig": {{ "selector": "ANY" }} }}"#
        );
        let now = Time::parse("2026-01-01T00:00:00Z").unwrap();
        let services = SigningConfig::parse(config.as_bytes()).unwrap().services(now).unwrap();
        let root = TrustRoot::public_good().unwrap();
        let public = Instance { root, options: Options::new(services), digest: [0; 32] };
        let subject = crate::format::cert::Subject::Email("alice@example.test".into());
        let alice = Identity { subject, issuer: "https://issuer.test".into() };
        let check = |values: &[&str]| check_kept(&settings(values), &public, &alice);
        assert!(check(&[]).is_ok() && check(&["allow"]).is_ok());
        assert!(check(&["refuse"]).unwrap_err().to_string().contains("alice@example.test"));
        assert!(check(&["refuse", "alice@example.test https://issuer.test"]).is_ok());
    }

    #[test]
    fn what_is_copied_is_one_word_whatever_is_in_a_name() {
        let command = allowing(&who("o'hara;$(id)@example.com"));
        let words = shlex::split(&command).unwrap();
        assert_eq!(words.last().unwrap(), "o'hara;$(id)@example.com https://issuer.test", "{command}");
        assert_eq!(words.len(), 6, "{command}");
    }

    #[test]
    fn addresses_that_hide_another() {
        for (committer, hidden) in [
            ("1+alice@users.noreply.github.com", true),
            ("alice@No-Reply.example.test", true),
            ("alice@example.test", false),
            ("", false),
        ] {
            assert_eq!(hides(committer, "alice@example.test"), hidden, "{committer}");
        }
        assert!(!hides("noreply@example.test", "NoReply@example.test"));
    }
}
