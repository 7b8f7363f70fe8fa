//! A login that is renewed without anybody, for those who want that: as often as the provider agrees, for the same
//! person alone, for twelve hours, and never by default.

use std::time::Duration;

use git_keyless::outside::session::Keyring;
use git_keyless::sandbox::{Fault, Service};
use serde_json::{Value, json};

use super::desk::{ALICE, Desk};
use super::{Room, inside};
use crate::login::web;
use crate::support::{Answer, installed};

const COMMIT: &str = "git commit -q -S --allow-empty -m x";
/// The same as git calls it, for what it says: some gits keep that to themselves.
const SIGN: &str =
    "git cat-file commit HEAD | sed '/^gpgsig/,/END SIGNED/d' | git keyless --status-fd=2 -bsau x >/dev/null";
const KERNEL: Keyring = Keyring::Keyutils;

/// Whose certificates are over as soon as they are used, and who wants them renewed.
fn desk() -> Desk {
    let desk = Desk::new();
    desk.sandbox.switch(Service::CertificateAuthority, Fault::Skewed(-550));
    desk.repo.config("keyless.refreshToken", "true");
    desk.repo.config("keyless.credentialStore", KERNEL.name());
    desk
}

fn run(desk: &Desk, line: &str) -> Answer {
    desk.run(Room::Nothing, line).unwrap()
}

/// The last so many commits are good, each under a certificate of its own.
#[track_caller]
fn check_signed(desk: &Desk, number: usize) {
    let letters = desk.repo.ok(["log", "--format=%G? %GF"]);
    let mut lines: Vec<_> = letters.lines().collect();
    assert!(lines.iter().all(|line| line.starts_with("G ")), "{letters}");
    lines.sort_unstable();
    lines.dedup();
    assert_eq!(lines.len(), number, "{letters}");
}

/// Where what renews the login of this sandbox is kept: its name and what is there.
fn kept(desk: &Desk) -> Option<(String, Value)> {
    let keys = std::fs::read_to_string("/proc/keys").unwrap();
    let names = keys.split(" git-keyless:").skip(1).map(|rest| rest[..64].to_owned());
    names.into_iter().find_map(|name| {
        let bytes = KERNEL.read(&name).ok()??;
        let record: Value = serde_json::from_slice(bytes.get(64..)?).ok()?;
        (record["issuer"] == desk.issuer()).then_some((name, record))
    })
}

#[track_caller]
fn keep(name: &str, record: &Value) {
    KERNEL.write(name, format!("{name}{record}").as_bytes(), Duration::from_secs(60)).unwrap();
}

/// Asks the provider itself.
fn redeem(desk: &Desk, token: &Value) -> web::Reply {
    let form = format!("grant_type=refresh_token&client_id=sigstore&refresh_token={}", token.as_str().unwrap());
    web::post(&format!("{}/token", desk.issuer()), &form)
}

#[test]
fn one_login_and_each_certificate_after_it_without_a_browser() {
    if !inside(Room::Kernel, "refresh::one_login_and_each_certificate_after_it_without_a_browser") {
        return;
    }
    let desk = desk();
    run(&desk, COMMIT).ok();
    let (name, first) = kept(&desk).unwrap();
    // Nobody could open a browser now, or be asked.
    run(&desk, &format!("GIT_TERMINAL_PROMPT=0 {COMMIT}")).ok();
    let (same, second) = kept(&desk).unwrap();
    run(&desk, COMMIT).ok();
    assert_eq!(desk.logins(), 1);
    check_signed(&desk, 3);
    // Each was used once and replaced, and none of that made the twelve hours longer.
    assert_ne!(first["token"], second["token"]);
    assert_eq!((&name, &first["until"], &first["name"]), (&same, &second["until"], &json!(ALICE)));
    assert!(redeem(&desk, &first["token"]).body.contains("invalid_grant"));
    let (timeouts, (_, last)) = (std::fs::read_to_string("/proc/keys").unwrap(), kept(&desk).unwrap());
    let line = timeouts.lines().find(|line| line.contains(&name)).unwrap();
    assert!(line.contains(" 11h ") || line.contains(" 12h "), "{line}");
    // It is in no file.
    let secret = last["token"].as_str().unwrap();
    let found = run(&desk, &format!("grep -rlF -e {secret} .. ; test $? = 1"));
    assert_eq!((found.code, found.text()), (0, String::new()));
}

/// Eight need a certificate each: whoever has the turn takes the token of the one before, and nobody logs in again.
#[test]
fn eight_commits_at_once_after_one_login() {
    if !inside(Room::Kernel, "refresh::eight_commits_at_once_after_one_login") {
        return;
    }
    let desk = desk();
    run(&desk, COMMIT).ok();
    let lines = "for n in 1 2 3 4 5 6 7 8; do git worktree add -q -b w$n ../w$n || exit; done
                 for n in 1 2 3 4 5 6 7 8; do git -C ../w$n commit -q -S --allow-empty -m $n & done; wait";
    run(&desk, lines).ok();
    for n in 1..=8 {
        assert_eq!(desk.repo.ok(["log", "--format=%G?", &format!("w{n}")]), "G\nG");
    }
    assert_eq!(desk.logins(), 1);
}

#[test]
fn a_login_with_a_code_is_renewed_too() {
    if !inside(Room::Kernel, "refresh::a_login_with_a_code_is_renewed_too") || installed("script").is_none() {
        return;
    }
    let desk = desk();
    desk.repo.config("keyless.tokenSource", "device");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let screen = desk.repo.home().join("screen");
            let address = std::iter::repeat_with(|| {
                std::thread::sleep(Duration::from_millis(5));
                let shown = std::fs::read_to_string(&screen).unwrap_or_default();
                Some(shown.split_once("address  ")?.1.split_once(['\r', '\n'])?.0.to_owned())
            });
            web::answer_device(&address.take(2000).find_map(|found| found).unwrap(), ALICE, "allow");
        });
        let (code, screen) = desk.on_terminal(COMMIT, "", |_| {}).unwrap();
        assert_eq!(code, 0, "{screen}");
    });
    run(&desk, &format!("GIT_TERMINAL_PROMPT=0 {COMMIT}")).ok();
    check_signed(&desk, 2);
}

/// For a day, each once, for this client.
#[test]
fn the_sandboxs_provider_gives_them_as_others_do() {
    if !inside(Room::Kernel, "refresh::the_sandboxs_provider_gives_them_as_others_do") {
        return;
    }
    let desk = desk();
    let discovery = web::get(&format!("{}/.well-known/openid-configuration", desk.issuer())).body;
    assert!(discovery.contains("\"offline_access\"") && discovery.contains("\"refresh_token\""), "{discovery}");
    run(&desk, COMMIT).ok();
    let (_, record) = kept(&desk).unwrap();
    let answer: Value = serde_json::from_str(&redeem(&desk, &record["token"]).body).unwrap();
    assert!(answer["id_token"].is_string() && answer["refresh_token"] != record["token"], "{answer}");
    desk.sandbox.switch(Service::IdentityProvider, Fault::Skewed(25 * 3600));
    for token in [&record["token"], &answer["refresh_token"], &json!("another")] {
        let refused = redeem(&desk, token);
        assert!(refused.status == 400 && refused.body.contains("invalid_grant"), "{}", refused.body);
    }
}

#[test]
fn with_the_secret_service_too() {
    let desk = desk();
    let room = Room::SecretService;
    desk.repo.config("keyless.credentialStore", room.keyring().unwrap().name());
    let lines = format!("{COMMIT} && {COMMIT} && git keyless whoami --json && git keyless logout && {COMMIT}");
    let Some(answer) = desk.run(room, &lines) else { return };
    assert_eq!((answer.code, desk.logins()), (0, 2), "{}", answer.stderr);
    assert!(answer.text().contains("renews_until\":\"2"), "{}", answer.text());
    check_signed(&desk, 3);
}

#[test]
fn by_default_nothing_is_asked_for_and_nothing_kept() {
    if !inside(Room::Kernel, "refresh::by_default_nothing_is_asked_for_and_nothing_kept") {
        return;
    }
    let desk = desk();
    desk.repo.config("keyless.refreshToken", "false");
    let commits = format!("{COMMIT} && {COMMIT}");
    run(&desk, &commits).ok();
    let visited = || std::fs::read_to_string(desk.repo.home().join("visited")).unwrap();
    assert_eq!((desk.logins(), kept(&desk), visited().matches("offline_access").count()), (2, None, 0));
    desk.repo.config("keyless.refreshToken", "true");
    run(&desk, &commits).ok();
    assert_eq!((desk.logins(), visited().matches("offline_access").count()), (3, 1));
    assert!(visited().ends_with("prompt=consent\n") || visited().contains("prompt=consent&"), "{}", visited());
    // Who wants it no longer does not use what there is, and the next login forgets it.
    desk.repo.config("keyless.refreshToken", "false");
    assert!(kept(&desk).is_some());
    run(&desk, COMMIT).ok();
    assert_eq!((desk.logins(), kept(&desk)), (4, None));
    // Without a keyring none is asked for.
    desk.repo.config("keyless.refreshToken", "true");
    desk.repo.config("keyless.credentialStore", "none");
    run(&desk, COMMIT).ok();
    assert_eq!((desk.logins(), visited().matches("offline_access").count()), (5, 1));
}

#[test]
fn what_the_provider_refuses_is_forgotten_and_somebody_logs_in() {
    if !inside(Room::Kernel, "refresh::what_the_provider_refuses_is_forgotten_and_somebody_logs_in") {
        return;
    }
    let desk = desk();
    run(&desk, COMMIT).ok();
    let (_, stolen) = kept(&desk).unwrap();
    // Somebody else has used it.
    assert_eq!(redeem(&desk, &stolen["token"]).status, 200);
    // Where nobody can be asked the commit fails, and it is gone all the same.
    let refused = run(&desk, &format!("export GIT_TERMINAL_PROMPT=0; {SIGN}"));
    assert!(refused.code != 0 && refused.stderr.contains("nobody can be asked to log in"), "{}", refused.stderr);
    assert_eq!((kept(&desk), desk.logins()), (None, 1));
    run(&desk, COMMIT).ok();
    assert_eq!(desk.logins(), 2);
    assert_ne!(kept(&desk).unwrap().1["token"], stolen["token"]);
    run(&desk, COMMIT).ok();
    assert_eq!(desk.logins(), 2);
}

#[test]
fn a_provider_that_is_away_or_makes_no_sense_ends_nothing() {
    if !inside(Room::Kernel, "refresh::a_provider_that_is_away_or_makes_no_sense_ends_nothing") {
        return;
    }
    let desk = desk();
    run(&desk, COMMIT).ok();
    let before = kept(&desk);
    for fault in [Fault::Refuses, Fault::Error, Fault::Garbage] {
        desk.sandbox.switch(Service::IdentityProvider, fault);
        let failed = run(&desk, SIGN);
        assert!(failed.code != 0 && failed.stderr.contains("identity provider"), "{fault:?} {}", failed.stderr);
        assert_eq!((kept(&desk), desk.logins()), (before.clone(), 1), "{fault:?}");
    }
    desk.sandbox.switch(Service::IdentityProvider, Fault::None);
    run(&desk, COMMIT).ok();
    assert_eq!(desk.logins(), 1);
    // With the authority away the next one is kept all the same: the one before is used up.
    desk.sandbox.switch(Service::CertificateAuthority, Fault::Error);
    assert_ne!(run(&desk, COMMIT).code, 0);
    desk.sandbox.switch(Service::CertificateAuthority, Fault::Skewed(-550));
    run(&desk, COMMIT).ok();
    assert_eq!(desk.logins(), 1);
    check_signed(&desk, 3);
}

/// Each lie of the provider, and each thing that is written over what is kept.
#[test]
fn for_somebody_else_changed_or_over_it_is_not_used() {
    if !inside(Room::Kernel, "refresh::for_somebody_else_changed_or_over_it_is_not_used") {
        return;
    }
    let desk = desk();
    run(&desk, COMMIT).ok();
    // The provider's own answer is for somebody else: then somebody is asked again, who is whoever it says.
    desk.sandbox.switch(Service::IdentityProvider, Fault::OtherIdentity);
    run(&desk, COMMIT).ok();
    assert_eq!(desk.logins(), 2);
    desk.sandbox.switch(Service::IdentityProvider, Fault::None);
    run(&desk, COMMIT).ok();
    assert_eq!(desk.logins(), 3);
    // Signed by somebody else, or for another login.
    for fault in [Fault::WrongSignature, Fault::WrongNonce] {
        desk.sandbox.switch(Service::IdentityProvider, fault);
        assert_ne!(run(&desk, &format!("GIT_TERMINAL_PROMPT=0 {COMMIT}")).code, 0, "{fault:?}");
        assert_eq!(kept(&desk), None, "{fault:?}");
        desk.sandbox.switch(Service::IdentityProvider, Fault::None);
        run(&desk, COMMIT).ok();
    }
    assert_eq!(desk.logins(), 5);
    let (name, record) = kept(&desk).unwrap();
    let hours = |hours: i64| json!(record["until"].as_i64().unwrap() + hours * 3600);
    // Over, and longer than any login lasts.
    for (n, (field, change)) in [
        ("until", hours(-12)),
        ("until", hours(1)),
        ("sub", json!("another")),
        ("name", json!("bob@example.test")),
        ("kind", json!("other-name")),
        ("issuer", json!("https://issuer.test")),
        ("nonce", json!("another")),
        ("more", json!(1)),
    ]
    .into_iter()
    .enumerate()
    {
        let (_, mut record) = kept(&desk).unwrap();
        record[field] = change;
        keep(&name, &record);
        let refused = run(&desk, &format!("GIT_TERMINAL_PROMPT=0 {COMMIT}"));
        assert_ne!(refused.code, 0, "{field}");
        assert_eq!(KERNEL.read(&name).unwrap(), None, "{field}");
        run(&desk, COMMIT).ok();
        assert_eq!(desk.logins(), 6 + n, "{field}");
    }
    // Kept under another name.
    let (_, record) = kept(&desk).unwrap();
    let other = format!("{}{record}", "0".repeat(64));
    KERNEL.write(&name, other.as_bytes(), Duration::from_secs(60)).unwrap();
    assert_ne!(run(&desk, &format!("GIT_TERMINAL_PROMPT=0 {COMMIT}")).code, 0);
}

#[test]
fn another_committer_or_another_expected_identity_does_not_use_it() {
    if !inside(Room::Kernel, "refresh::another_committer_or_another_expected_identity_does_not_use_it") {
        return;
    }
    let desk = desk();
    run(&desk, COMMIT).ok();
    run(&desk, &format!("GIT_COMMITTER_EMAIL=a@home.test {COMMIT}")).ok();
    assert_eq!(desk.logins(), 2);
    run(&desk, &format!("{COMMIT} && GIT_COMMITTER_EMAIL=a@home.test {COMMIT}")).ok();
    assert_eq!(desk.logins(), 2);
    desk.repo.config("keyless.expectedIdentity", format!("bob@example.test {}", desk.issuer()));
    let refused = run(&desk, SIGN);
    assert!(refused.stderr.contains("keyless.expectedIdentity wants bob@example.test"), "{}", refused.stderr);
    assert_eq!(desk.logins(), 3);
    // Nothing of a login that was refused is kept.
    assert_ne!(run(&desk, &format!("GIT_TERMINAL_PROMPT=0 {COMMIT}")).code, 0);
    // A token that somebody names is used instead of it.
    desk.repo.config("keyless.expectedIdentity", "");
    let before = kept(&desk);
    let token = desk.sandbox.mint(&git_keyless::sandbox::Identity::Email("bob@example.test".into())).unwrap();
    run(&desk, &format!("SIGSTORE_ID_TOKEN={token} {COMMIT}")).ok();
    assert!(desk.repo.ok(["log", "-1", "--format=%GS"]).contains("bob@example.test"));
    assert_eq!((kept(&desk), desk.logins()), (before, 3));
}

#[test]
fn whoami_says_it_and_logout_ends_it() {
    if !inside(Room::KernelApart, "refresh::whoami_says_it_and_logout_ends_it") {
        return;
    }
    let desk = desk();
    desk.sandbox.switch(Service::CertificateAuthority, Fault::None);
    run(&desk, "git keyless login").ok();
    let whoami = || serde_json::from_str::<Value>(&run(&desk, "git keyless whoami --json").ok()).unwrap();
    let (now, until) = (whoami(), kept(&desk).unwrap().1["until"].as_i64().unwrap());
    assert_eq!(now["identity"]["subject"], ALICE);
    assert!(now["renews_until"].is_string() && now["not_after"].is_string(), "{now}");
    // Its certificate is over.
    desk.sandbox.switch(Service::CertificateAuthority, Fault::Skewed(-550));
    run(&desk, "git keyless login").ok();
    let now = whoami();
    assert_eq!((&now["identity"]["subject"], &now["seconds_left"]), (&ALICE.into(), &0.into()));
    assert!(now["renews_until"].is_string() && now["not_after"].is_null(), "{now}");
    assert!(kept(&desk).unwrap().1["until"].as_i64().unwrap() >= until);
    let text = run(&desk, "git keyless whoami").ok();
    let until = now["renews_until"].as_str().unwrap();
    assert!(text.contains(&format!("renewed   until {until}, without a login")) && text.contains(ALICE), "{text}");
    let said = run(&desk, "git keyless doctor").text();
    assert!(said.contains(&format!("of {ALICE}, renewed until {until}")), "{said}");
    assert_eq!(run(&desk, "git keyless logout").ok().trim(), "one entry forgotten");
    assert_eq!((kept(&desk), run(&desk, "git keyless whoami").code, desk.logins()), (None, 1, 2));
    run(&desk, COMMIT).ok();
    assert_eq!(desk.logins(), 3);
}
