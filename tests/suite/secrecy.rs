//! The ID token is a password for ten minutes: where does it go?

use std::fs::File;

use super::faults::check_keeps_secret;
use super::good::signing;
use super::stack::{DEV, Route, Service, Stack};
use crate::support::{Answer, Git, Repo, installed, skipped};

/// How the token gets in.
const SOURCES: [&str; 3] = ["file", "command", "environment"];

/// Signs a commit under `wrapper`, with the token from `source`; the token and what was said.
fn commit(repo: &Repo, stack: &Stack, source: &str, wrapper: &[&str]) -> (String, Answer) {
    let token = stack.token(&DEV);
    let file = repo.file("token", &token);
    repo.run(["config", "--global", "--unset-all", "keyless.idTokenFile"]);
    repo.run(["config", "--global", "--unset-all", "keyless.tokenCommand"]);
    let git = ["git", "commit", "--allow-empty", "-m", source];
    let mut words = wrapper.iter().chain(&git);
    let mut command = repo.command(words.next().unwrap());
    command.args(words);
    match source {
        "file" => repo.config("keyless.idTokenFile", &file),
        // A shell builtin, so that no program gets it as an argument, and none of ours could.
        "command" => {
            repo.config("keyless.tokenCommand", format!("read -r t < '{}' || :; printf %s \"$t\"", file.display()))
        }
        _ => drop(command.env("SIGSTORE_ID_TOKEN", &token)),
    }
    (token, Answer::of(command.output().unwrap()))
}

#[test]
fn it_is_in_no_output_and_in_no_file() {
    let Some(stack) = Stack::shared() else { return };
    for source in SOURCES {
        let repo = signing(&Git::installed(), "sha1", stack, Route::V1, &DEV);
        let old = std::fs::read_to_string(repo.home().join("token")).unwrap();
        let (token, answer) = commit(&repo, stack, source, &[]);
        check_keeps_secret(&answer.clone().ok(), &token);
        check_keeps_secret(&answer.stderr, &token);
        std::fs::remove_file(repo.home().join("token")).unwrap();
        let kept = repo.run(["cat-file", "--batch-all-objects", "--batch"]);
        check_keeps_secret(&String::from_utf8_lossy(&kept.stdout), &token);
        let secret = |part: &str| part.len() > 20;
        for part in token.split('.').chain(old.split('.')).filter(|part| secret(part)) {
            let mut grep = repo.git.command(repo.home(), repo.home(), "grep");
            let found = Answer::of(grep.args(["-rlF", part, "."]).output().unwrap());
            assert_eq!(found.text(), "", "{source}: left in a file");
        }
    }
}

/// Errors of every kind that a token can have, none of which may quote it.
#[test]
fn it_is_in_no_error() {
    let Some(stack) = Stack::shared() else { return };
    let good = stack.token(&DEV);
    let parts: Vec<_> = good.split('.').collect();
    let other = |query| stack.token(&super::stack::Person { query, ..DEV });
    let tokens = [
        (
            "signature of another",
            format!("{}.{}.{}", parts[0], parts[1], other("email=x@example.test").rsplit('.').next().unwrap()),
        ),
        ("no signature", format!("{}.{}.", parts[0], parts[1])),
        ("two parts", format!("{}.{}", parts[0], parts[1])),
        ("four parts", format!("{good}.{}", parts[2])),
        ("two tokens", format!("{good}\n{good}")),
        ("text behind", format!("{good} and more")),
        ("quotes around", format!("\"{good}\"")),
        ("expired", other("email=dev@example.test&ttl=-100")),
        ("other audience", other("email=dev@example.test&aud=somebody")),
        ("address not verified", other("email=dev@example.test&claims=%7B%22email_verified%22:false%7D")),
    ];
    for (what, token) in tokens {
        let repo = signing(&Git::installed(), "sha1", stack, Route::V1, &DEV);
        repo.file("token", &token);
        let answer = repo.sign(b"payload\n");
        println!("{what}: {}", answer.stderr.trim_end());
        assert!(answer.code != 0 && answer.stdout.is_empty(), "{what}");
        assert!(answer.stderr.contains("; "), "what to do: {}", answer.stderr);
        for part in token.split('.').filter(|part| part.len() > 20) {
            assert!(!answer.stderr.contains(part), "{what}: {}", answer.stderr);
        }
    }
}

/// Every system call that writes or starts something, of git and of all its children: the token is handed to Fulcio's
/// address and to nobody else, and is no argument and in no environment that did not bring it.
#[test]
fn it_goes_to_the_certificate_authority_alone() {
    let Some(stack) = Stack::shared() else { return };
    if installed("strace").is_none() {
        skipped("no strace here: where the token is written to is not watched");
        return;
    }
    for source in SOURCES {
        let repo = signing(&Git::installed(), "sha1", stack, Route::V1Token, &DEV);
        let trace = repo.home().join("trace");
        let calls = "trace=execve,write,writev,pwrite64,sendto,sendmsg,sendmmsg";
        let wrapper = ["strace", "-f", "-yy", "-v", "-s", "1000000", "-e", calls, "-o", trace.to_str().unwrap()];
        let (token, answer) = commit(&repo, stack, source, &wrapper);
        if answer.code != 0 && File::open(&trace).is_ok_and(|file| file.metadata().unwrap().len() < 200) {
            skipped(&format!("strace may not trace here: {}", answer.stderr));
            return;
        }
        answer.ok();
        let text = std::fs::read_to_string(&trace).unwrap();
        assert!(text.contains("git-keyless"), "the program was traced");
        let fulcio = format!("->127.0.0.1:{}]", stack.port(Service::Fulcio));
        let mut heard = 0;
        for line in text.lines().filter(|line| token.split('.').any(|part| line.contains(part))) {
            let call = line.chars().take(100).collect::<String>();
            let to_fulcio = call.contains(&fulcio);
            heard += usize::from(to_fulcio);
            // The shell's own answer into our pipe; the environment that brought it.
            let brought = match source {
                "command" => call.contains("write(1<pipe:"),
                "environment" => line.contains("execve(") && !line.split(", [\"").nth(1).unwrap().contains(&token),
                _ => false,
            };
            assert!(to_fulcio || brought, "{source}: {call}");
        }
        assert_eq!(heard, 1, "{source}");
    }
}
