//! Whatever goes wrong at a server, through the program as git calls it: nothing on standard output, one line that names
//! the server and says what to do, and no commit.
//!
//! The program's deadlines are a minute and more. What hangs is therefore waited for in `faults` alone, through the
//! library with short ones; here the person gives up.

use std::os::unix::process::CommandExt as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use git_keyless::sandbox::{Fault, Rekor, Service};

use super::{Home, start};
use crate::support::{Answer, Git, Repo};

use Service::{CertificateAuthority as Fulcio, TimestampAuthority as Tsa, TransparencyLog as Log};

const PAYLOAD: &[u8] = b"tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n\nx\n";

/// Each service where it is needed.
const PLACES: [(Rekor, Service); 5] =
    [(Rekor::V1, Fulcio), (Rekor::V1, Log), (Rekor::V2, Log), (Rekor::V1, Tsa), (Rekor::V2, Tsa)];

/// How the program calls it.
fn name(service: Service) -> &'static str {
    match service {
        Fulcio => "the certificate authority",
        Log => "the transparency log",
        Tsa => "the timestamp authority",
        Service::IdentityProvider => "the identity provider",
    }
}

/// A repository that signs on `home` as its settings say, with timestamps too.
fn signing(home: &Home) -> Repo {
    let repo = Repo::init(&Git::installed(), "sha1");
    repo.config("include.path", home.sandbox.directory().join("gitconfig"));
    repo.config("user.email", "alice@example.test");
    repo.config("keyless.timestamp", "always");
    repo.config("keyless.trustedIdentity", format!("alice@example.test {}/email", home.sandbox.urls().oidc));
    repo
}

/// The program and git at the same time, since some faults make both wait a second before they try again.
fn both(repo: &Repo) -> [Answer; 2] {
    std::thread::scope(|threads| {
        let commit = threads.spawn(|| repo.run(["commit", "-q", "--allow-empty", "-m", "one"]));
        [repo.sign(PAYLOAD), commit.join().unwrap()]
    })
}

#[track_caller]
fn refused(home: &Home, repo: &Repo, service: Service, fault: Fault) {
    let what = format!("{service:?} {fault:?}");
    home.sandbox.switch(service, fault);
    let [direct, commit] = both(repo);
    println!("{what}: {}", direct.stderr.trim_end());
    assert!(direct.code == 1 && direct.stdout.is_empty(), "{what}: {} {}", direct.code, direct.text());
    let said = &direct.stderr;
    assert!(said.starts_with("git-keyless: ") && said.lines().count() == 1 && said.ends_with('\n'), "{what}: {said}");
    assert!(said.contains(name(service)), "{what}: {said}");
    assert!(said.contains("; "), "what to do: {said}");
    assert_eq!(commit.code, 128, "{what}: {}", commit.stderr);
    assert_ne!(repo.run(["rev-parse", "-q", "--verify", "HEAD"]).code, 0, "{what}: a commit");
}

/// Those after which the program tries once more, on a sandbox each, side by side; the others one after another.
fn refused_in_every_way(rekor: Rekor, service: Service) {
    let again = [Fault::Dies, Fault::Error, Fault::Refuses];
    let at_once = [Fault::Endless, Fault::Garbage, Fault::Redirects, Fault::WrongSignature];
    let skewed = [Fault::Skewed(1800), Fault::Skewed(-1800)];
    let lies: &[Fault] = match (service, rekor) {
        (Fulcio, _) => &[Fault::ForeignSct, Fault::OtherIdentity, Fault::OtherKey],
        (Log, _) => &[Fault::OtherEntry, Fault::WrongProof],
        _ => &[Fault::OtherEntry, Fault::WrongNonce],
    };
    // The log of Rekor v2 tells no time.
    let skewed = if (rekor, service) == (Rekor::V2, Log) { &[][..] } else { &skewed };
    std::thread::scope(|threads| {
        for fault in again {
            threads.spawn(move || alone(rekor, service, fault));
        }
        let home = start(rekor);
        let repo = signing(&home);
        for fault in at_once.iter().chain(lies).chain(skewed) {
            refused(&home, &repo, service, *fault);
        }
    });
}

fn alone(rekor: Rekor, service: Service, fault: Fault) {
    let home = start(rekor);
    refused(&home, &signing(&home), service, fault);
}

#[test]
fn the_certificate_authority_fails() {
    refused_in_every_way(Rekor::V1, Fulcio);
}

#[test]
fn the_log_of_rekor_v1_fails() {
    refused_in_every_way(Rekor::V1, Log);
}

#[test]
fn the_log_of_rekor_v2_fails() {
    refused_in_every_way(Rekor::V2, Log);
}

#[test]
fn the_timestamp_authority_beside_rekor_v1_fails() {
    refused_in_every_way(Rekor::V1, Tsa);
}

#[test]
fn the_timestamp_authority_beside_rekor_v2_fails() {
    refused_in_every_way(Rekor::V2, Tsa);
}

/// What passes, or is only slow, is survived.
#[test]
fn what_passes_makes_a_commit() {
    std::thread::scope(|threads| {
        for (rekor, service) in PLACES {
            threads.spawn(move || {
                for fault in [Fault::BusyOnce, Fault::Slow(Duration::from_millis(50))] {
                    let home = start(rekor);
                    let repo = signing(&home);
                    home.sandbox.switch(service, fault);
                    let made = repo.run(["commit", "-q", "--allow-empty", "-m", "one"]);
                    assert_eq!(made.code, 0, "{service:?} {fault:?}: {}", made.stderr);
                    assert_eq!(repo.keyless(["verify", "HEAD"]).code, 0, "{service:?} {fault:?}");
                }
            });
        }
    });
}

/// A server that hangs, or takes its time: git waits, and both end at once when the person has enough.
#[test]
fn a_hanging_server_and_an_impatient_person() {
    std::thread::scope(|threads| {
        for (rekor, service) in PLACES {
            for fault in [Fault::Hangs, Fault::Slow(Duration::from_secs(15))] {
                threads.spawn(move || gives_up(rekor, service, fault));
            }
        }
    });
}

fn gives_up(rekor: Rekor, service: Service, fault: Fault) {
    let home = start(rekor);
    let repo = signing(&home);
    home.sandbox.switch(service, fault);
    // One process group, to which the terminal sends Ctrl-C.
    let mut commit = repo.command("git");
    commit.args(["commit", "-q", "--allow-empty", "-m", "one"]).process_group(0);
    let mut git = commit.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(400));
    assert!(git.try_wait().unwrap().is_none(), "{service:?} {fault:?}: git did not wait");
    let began = Instant::now();
    Answer::of(repo.command("sh").args(["-c", &format!("kill -s INT -- -{}", git.id())]).output().unwrap()).ok();
    assert!(!git.wait().unwrap().success());
    assert!(began.elapsed() < Duration::from_secs(5), "{service:?} {fault:?}: {:?}", began.elapsed());
    assert_ne!(repo.run(["rev-parse", "-q", "--verify", "HEAD"]).code, 0);
}
