//! One login is enough: for a rebase, for many commits at once, and as often as git asks while the certificate lives.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::time::Duration;

use git_keyless::outside::session::Keyring;
use git_keyless::sandbox::{Fault, Identity, Service};

use super::desk::{ALICE, Desk};
use super::{Room, inside};

/// Every commit of `revs` is good and by Alice, and how many certificates they have together.
#[track_caller]
fn check_signed(desk: &Desk, revs: &str, expected: usize) {
    let letters = desk.repo.ok(["log", "--format=%G? %GF", revs]);
    let lines: Vec<_> = letters.lines().collect();
    assert_eq!(lines.len(), expected, "{letters}");
    assert!(lines.iter().all(|line| line.starts_with("G ")), "{letters}");
}

fn a_rebase(room: Room) {
    let desk = Desk::new();
    let Some(answer) = desk.run(
        room,
        "git commit -q --no-gpg-sign --allow-empty -m base && git branch base
         for n in $(seq 40); do git commit -q --no-gpg-sign --allow-empty -m $n || exit; done
         git rebase -q --no-ff -S base && git keyless whoami",
    ) else {
        return;
    };
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    assert!(
        answer.text().contains(ALICE) && answer.text().contains(&room.keyring().unwrap().to_string()),
        "{}",
        answer.text()
    );
    assert_eq!(desk.logins(), 1);
    check_signed(&desk, "base..HEAD", 40);
}

#[test]
fn a_rebase_of_forty_commits_with_the_kernels_keyring() {
    a_rebase(Room::Kernel);
}

#[test]
fn a_rebase_of_forty_commits_with_the_secret_service() {
    a_rebase(Room::SecretService);
}

fn eight_at_once(room: Room) {
    let desk = Desk::new();
    let Some(answer) = desk.run(
        room,
        "git commit -q --no-gpg-sign --allow-empty -m base
         for n in 1 2 3 4 5 6 7 8; do git worktree add -q -b w$n ../w$n || exit; done
         for n in 1 2 3 4 5 6 7 8; do git -C ../w$n commit -q -S --allow-empty -m $n & done
         wait",
    ) else {
        return;
    };
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    for n in 1..=8 {
        check_signed(&desk, &format!("main..w{n}"), 1);
    }
    assert_eq!(desk.logins(), 1);
}

#[test]
fn eight_commits_at_once_with_the_kernels_keyring() {
    eight_at_once(Room::Kernel);
}

#[test]
fn eight_commits_at_once_with_the_secret_service() {
    eight_at_once(Room::SecretService);
}

/// It is told so in time, and git waits for no keyring.
#[test]
fn with_a_locked_keyring_each_logs_in() {
    let desk = Desk::new();
    let commits = "git commit -q -S --allow-empty -m x && git commit -q -S --allow-empty -m x; git keyless whoami";
    let Some(answer) = desk.run(Room::Locked, commits) else { return };
    assert_eq!((answer.code, desk.logins()), (1, 2), "{}", answer.stderr);
    check_signed(&desk, "HEAD", 2);
}

/// A bus that takes calls and never answers. Most of this test is waiting for it.
#[test]
fn a_keyring_that_hangs_is_given_up() {
    let desk = Desk::new();
    let socket = desk.repo.home().join("bus");
    let _bus = UnixListener::bind(&socket).unwrap();
    desk.repo.config("keyless.credentialStore", "secret-service");
    let line = format!("DBUS_SESSION_BUS_ADDRESS=unix:path={} git keyless whoami", socket.display());
    let answer = desk.run(Room::Nothing, &line).unwrap();
    assert_eq!(answer.code, 1);
    assert!(answer.stderr.contains("the Secret Service cannot be used: no answer within"), "{}", answer.stderr);
}

#[test]
fn without_a_keyring_each_logs_in_and_hears_why() {
    let desk = Desk::new();
    desk.repo.config("keyless.credentialStore", "none");
    for n in 1..=2 {
        let answer = desk.run(Room::Nothing, "git commit -q -S --allow-empty -m x").unwrap();
        assert_eq!((answer.code, desk.logins()), (0, n), "{}", answer.stderr);
    }
    let said = desk.run(Room::Nothing, "git keyless whoami; echo $?; git keyless login; echo $?").unwrap();
    assert_eq!(said.text(), "1\n2");
    assert!(said.stderr.contains("keyless.credentialStore is none"), "{}", said.stderr);
    assert_eq!(desk.logins(), 2);
    let Some((_, screen)) = desk.on_terminal("git commit -q -S --allow-empty -m x", "", |_| {}) else { return };
    assert!(screen.contains("each signature logs in anew: keyless.credentialStore is none"), "{screen}");
}

/// Whoever waits takes over when the one with the turn dies.
#[test]
fn a_login_that_dies_keeps_nobody_waiting() {
    let desk = Desk::new();
    desk.repo.file("stuck", "");
    let Some(answer) = desk.run(
        Room::Kernel,
        "setsid git-keyless login & first=$!
         while [ ! -e ../stuck.address ]; do sleep 0.05; done
         rm ../stuck
         git commit -q -S --allow-empty -m x & second=$!
         sleep 0.3
         kill -KILL $first
         wait $second",
    ) else {
        return;
    };
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    check_signed(&desk, "HEAD", 1);
    assert_eq!(desk.logins(), 1);
}

#[test]
fn who_logs_in_for_work_does_not_sign_at_home() {
    let desk = Desk::new();
    let commits =
        "git commit -q -S --allow-empty -m x && GIT_COMMITTER_EMAIL=a@home.test git commit -q -S --allow-empty -m x
         git commit -q -S --allow-empty -m x";
    let Some(answer) = desk.run(Room::Kernel, commits) else { return };
    assert_eq!((answer.code, desk.logins()), (0, 2), "{}", answer.stderr);
    // With an identity that is expected, the committer's address says nothing.
    desk.repo.config("keyless.expectedIdentity", format!("{ALICE} {}", desk.issuer()));
    let desk_answer = desk.run(Room::Kernel, commits).unwrap();
    assert_eq!((desk_answer.code, desk.logins()), (0, 3), "{}", desk_answer.stderr);
}

#[test]
fn a_token_that_somebody_named_is_used_and_not_kept() {
    let desk = Desk::new();
    let token = desk.sandbox.mint(&Identity::Email("bob@example.test".into())).unwrap();
    let Some(answer) = desk.run(
        Room::Kernel,
        &format!(
            "git commit -q -S --allow-empty -m x && SIGSTORE_ID_TOKEN={token} git commit -q -S --allow-empty -m x &&
             git log -1 --show-signature | grep 'by bob@example.test' && git keyless whoami && SIGSTORE_ID_TOKEN={token} git keyless whoami
             SIGSTORE_ID_TOKEN={token} git keyless login"
        ),
    ) else {
        return;
    };
    assert_eq!((answer.code, desk.logins()), (2, 1), "{}", answer.stderr);
    assert!(answer.text().contains(ALICE), "{}", answer.text());
    assert_eq!(answer.stderr.matches("SIGSTORE_ID_TOKEN").count(), 2, "{}", answer.stderr);
}

#[test]
fn login_logout_whoami() {
    for room in [Room::KernelApart, Room::SecretServiceApart] {
        let desk = Desk::new();
        let Some(answer) = desk.run(
            room,
            "set -x
             git keyless whoami; echo $?
             git keyless whoami --json
             git keyless login; echo $?
             git keyless whoami --json
             git commit -q -S --allow-empty -m x
             git keyless login
             GIT_COMMITTER_EMAIL=b@home.test git keyless login
             git keyless logout; echo $?
             git keyless whoami; echo $?
             git keyless logout",
        ) else {
            continue;
        };
        let text = answer.text();
        let lines: Vec<_> = text.lines().collect();
        let json = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap();
        assert_eq!(lines[0], "1");
        assert!(json(lines[1])["identity"].is_null());
        assert!(lines[2].starts_with(&format!("logged in as {ALICE} ({}) until ", desk.issuer())), "{text}");
        assert_eq!(lines[3], "0");
        let whoami = json(lines[4]);
        assert_eq!((&whoami["identity"]["subject"], &whoami["instance"]), (&ALICE.into(), &"sandbox".into()));
        assert_eq!(whoami["identity"]["issuer"], desk.issuer());
        let left = whoami["seconds_left"].as_u64().unwrap();
        assert!((300..=600).contains(&left), "{left}");
        assert_eq!(whoami["kept_in"], room.keyring().unwrap().name());
        // A login by hand is a new one: it begins the minutes anew.
        assert!(lines[5].starts_with("logged in as") && lines[6].starts_with("logged in as"), "{text}");
        assert_eq!(&lines[7..], ["2 entries forgotten", "0", "1", "nothing was kept"], "{text}");
        assert_eq!(desk.logins(), 3);
        assert_eq!(answer.stderr.matches("nobody is logged in here").count(), 2, "{}", answer.stderr);
    }
}

/// What is kept for another name, or has a bit turned, is not used, said to be so, and forgotten.
#[test]
fn what_somebody_changed_is_not_used() {
    if !inside(Room::KernelApart, "one_login::what_somebody_changed_is_not_used") {
        return;
    }
    let desk = Desk::new();
    let run = |line: &str| desk.run(Room::Nothing, line).unwrap();
    run("git keyless login").ok();
    let keys = std::fs::read_to_string("/proc/keys").unwrap();
    let (kernel, long) = (Keyring::Keyutils, Duration::from_secs(60));
    let names = keys.split(" git-keyless:").skip(1).map(|rest| &rest[..64]);
    let ours = |name: &&str| kernel.read(name).unwrap().is_some();
    let name = names.clone().find(ours).unwrap_or_else(|| panic!("{keys}"));
    let kept = kernel.read(name).unwrap().unwrap();
    let turned = |at: usize| kept.iter().enumerate().map(|(n, byte)| if n == at { byte ^ 1 } else { *byte }).collect();
    let other = [&[b'0'; 64][..], &kept[64..]].concat();
    for wrong in [turned(0), turned(64), turned(120), turned(kept.len() - 20), kept[..200].to_vec(), other] {
        kernel.write(name, &wrong, long).unwrap();
        assert_eq!(run("git keyless whoami").code, 1);
        assert_eq!(kernel.read(name).unwrap(), None);
    }
    kernel.write(name, &kept, long).unwrap();
    assert!(run("git keyless whoami").ok().contains(ALICE));
    // Of another sandbox, with the same people in it.
    let other = Desk::new();
    assert_eq!(other.run(Room::Nothing, "git keyless whoami").unwrap().code, 1);
    // Good, and somebody else's than the one who is expected.
    desk.repo.config("keyless.expectedIdentity", format!("bob@example.test {}", desk.issuer()));
    assert_eq!(run("git keyless whoami").code, 1);
    assert_ne!(run("git commit -q -S --allow-empty -m x").code, 0);
    let refused = run("git keyless login");
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("keyless.expectedIdentity wants bob@example.test"), "{}", refused.stderr);
}

/// As long as its certificate lives (keyrings(7), /proc/keys: each key with the time that it has left), and no longer
/// where less of that is left.
#[test]
fn what_is_kept_forgets_itself() {
    if !inside(Room::KernelApart, "one_login::what_is_kept_forgets_itself") {
        return;
    }
    for (skew, most, least) in [(0, 600, 540), (-400, 200, 140)] {
        let desk = Desk::new();
        desk.repo.config("keyless.credentialStore", Keyring::Keyutils.name());
        desk.sandbox.switch(Service::CertificateAuthority, Fault::Skewed(skew));
        desk.run(Room::Nothing, "git keyless logout && git keyless login").unwrap().ok();
        let keys = std::fs::read_to_string("/proc/keys").unwrap();
        // Those of other rooms stand there too, and cannot be read.
        let name = |line: &str| Some(line.split_once(" git-keyless:")?.1[..64].to_owned());
        let ours = |line: &&str| name(line).is_some_and(|name| Keyring::Keyutils.read(&name).unwrap().is_some());
        let lines: Vec<_> = keys.lines().filter(ours).collect();
        let [line] = lines[..] else { panic!("{keys}") };
        let left = line.split_whitespace().nth(3).unwrap();
        let seconds: u32 = match left.split_at(left.len() - 1) {
            (minutes, "m") => minutes.parse::<u32>().unwrap() * 60,
            (seconds, "s") => seconds.parse().unwrap(),
            _ => panic!("{line}"),
        };
        assert!((least..=most).contains(&seconds), "{line}");
    }
}

/// What a call says to sign with a token that somebody names, where an identity is expected.
fn refused(desk: &Desk, token: &Identity, expected: &str) -> String {
    desk.repo.config("keyless.expectedIdentity", expected);
    let token = desk.sandbox.mint(token).unwrap();
    let answer = desk.run(Room::Nothing, &format!("echo x | SIGSTORE_ID_TOKEN={token} git-keyless -bsau key")).unwrap();
    assert_eq!((answer.code, answer.text().as_str()), (1, ""), "{}", answer.stderr);
    answer.stderr
}

/// The authority makes no certificate here, so that whoever asks it hears of that.
#[test]
fn who_is_not_expected_is_refused_before_the_authority_is_asked() {
    let desk = Desk::new();
    desk.sandbox.switch(Service::CertificateAuthority, Fault::Error);
    let workflow = "o/r/.github/workflows/w.yml@refs/heads/main";
    let issuer = |kind: &str| format!("{}/{kind}", desk.sandbox.urls().oidc);
    for (token, expected) in [
        (Identity::Email(ALICE.into()), format!("bob@example.test {}", issuer("email"))),
        (Identity::Email(ALICE.into()), format!("{ALICE} {}", issuer("dex"))),
        (Identity::Workflow(workflow.into()), format!("https://other.test/{workflow} {}", issuer("github"))),
    ] {
        let said = refused(&desk, &token, &expected);
        let wanted = format!("keyless.expectedIdentity wants {} ", expected.split_once(' ').unwrap().0);
        assert!(said.contains(&wanted) && !said.contains("certificate authority"), "{said}");
    }
    // Who is expected gets that far.
    let said = refused(&desk, &Identity::Email(ALICE.into()), &format!("{ALICE} {}", issuer("email")));
    assert!(said.contains("certificate authority"), "{said}");
}

/// Only the certificate says what such a workload is called.
#[test]
fn a_workload_that_is_not_expected_is_refused_before_anything_is_logged() {
    let desk = Desk::new();
    let workload = |name: &str| Identity::Uri(format!("{}/workload/{name}", desk.sandbox.urls().oidc));
    let Identity::Uri(other) = workload("other") else { unreachable!() };
    let said = refused(&desk, &workload("this"), &format!("{other} {}/uri", desk.sandbox.urls().oidc));
    assert!(said.contains(&format!("keyless.expectedIdentity wants {other} ")), "{said}");
    assert_eq!(desk.sandbox.sizes(), [0, 0]);
}

#[test]
fn a_token_that_somebody_named_is_never_used_silently() {
    let desk = Desk::new();
    for (token, name, kind) in [
        (Identity::Email("bob@example.test".into()), "bob@example.test".to_owned(), "email"),
        (Identity::Uri("https://ci.example.com/a/job".into()), "https://ci.example.com/a/job".to_owned(), "uri"),
    ] {
        let token = desk.sandbox.mint(&token).unwrap();
        let variable = |command: &mut std::process::Command| _ = command.env("SIGSTORE_ID_TOKEN", token);
        let Some((code, screen)) = desk.on_terminal("git commit -q -S --allow-empty -m x", "", variable) else {
            return;
        };
        let said = format!("git-keyless: signing as {name} ({}/{kind})", desk.sandbox.urls().oidc);
        assert!(code == 0 && screen.contains(&said), "{said}: {screen}");
    }
}

/// Nobody looks at a terminal that says nothing for half a minute.
#[test]
fn whoever_waits_long_sees_for_what() {
    std::thread::scope(|scope| {
        for (terminal, expected) in [("xterm", true), ("dumb", false)] {
            scope.spawn(move || {
                let desk = Desk::new();
                desk.repo.config("keyless.credentialStore", "none");
                desk.sandbox.switch(Service::TransparencyLog, Fault::Slow(Duration::from_millis(3300)));
                let variables = |command: &mut std::process::Command| _ = command.env("TERM", terminal);
                let line = "git commit -q -S --allow-empty -m x";
                let Some((code, screen)) = desk.on_terminal(line, "", variables) else { return };
                assert_eq!(code, 0, "{screen}");
                let said = "\rgit-keyless: waiting for the transparency log 127.0.0.1, 2 of at most 40 s";
                assert_eq!(screen.contains(said), expected, "{terminal}: {screen}");
                // Gone when it is over: blanks in its place, and the cursor where it began.
                assert_eq!(screen.contains(&format!("\r{:<60}", "")), expected, "{terminal}: {screen}");
            });
        }
    });
}

/// With less than a minute left it is not begun with.
#[test]
fn what_is_over_or_nearly_is_not_used() {
    let desk = Desk::new();
    desk.sandbox.switch(Service::CertificateAuthority, Fault::Skewed(-550));
    let commits = "git commit -q -S --allow-empty -m x && git commit -q -S --allow-empty -m x";
    let Some(answer) = desk.run(Room::Kernel, commits) else { return };
    assert_eq!((answer.code, desk.logins()), (0, 2), "{}", answer.stderr);
}

#[test]
fn the_locks_folder_is_private() {
    let desk = Desk::new();
    let Some(answer) = desk.run(Room::Kernel, "git keyless login && stat -c '%a %F' ../run/git-keyless") else {
        return;
    };
    assert!(answer.text().ends_with("700 directory"), "{} {}", answer.text(), answer.stderr);
    // In a folder that is open to others nobody waits, and nothing is refused.
    let folder = desk.repo.home().join("run/git-keyless");
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).unwrap();
    let answer = desk.run(Room::Kernel, "git keyless login").unwrap();
    assert_eq!((answer.code, desk.logins()), (0, 2), "{}", answer.stderr);
}
