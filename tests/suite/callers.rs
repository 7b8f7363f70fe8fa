//! Other callers than git, and callers who go away.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use super::good::signing;
use super::judge::{Expected, check_good};
use super::proxy::{Behaviour, Front, Proxy};
use super::stack::{DEV, Route, Service, Stack};
use crate::support::{Answer, Git, PROGRAM, answer_to};

/// jj, EGit and gitoxide sign and verify in their own words.
#[test]
fn jj_egit_and_gitoxide() {
    let Some(stack) = Stack::shared() else { return };
    let repo = signing(&Git::installed(), "sha1", stack, Route::V1, &DEV);
    let payload = b"tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\nchange-id abc\n\nby jj\n";
    let call = |args: &[&str], input: &[u8]| {
        let mut command = repo.command(PROGRAM);
        command.args(args);
        answer_to(command, input)
    };
    let data = repo.file("data", payload);
    for args in [
        &["-abu", "dev@example.test"][..],
        &["-bsau", "<x@y>", "--status-fd", "2"],
        &["--status-fd=2", "-bsau", "--odd"],
    ] {
        let signed = call(args, payload);
        assert_eq!(signed.code, 0, "{args:?}: {}", signed.stderr);
        let lines: Vec<_> = signed.text().lines().map(str::to_owned).collect();
        assert_eq!(
            (lines[0].as_str(), lines.last().unwrap().as_str()),
            ("-----BEGIN SIGNED MESSAGE-----", "-----END SIGNED MESSAGE-----")
        );
        assert_eq!(
            signed.stderr.contains("SIG_CREATED"),
            args.iter().any(|arg| arg.contains("status-fd")),
            "{}",
            signed.stderr
        );
        let signature = repo.file("signature", &signed.stdout);
        let (signature, data) = (signature.to_str().unwrap(), data.to_str().unwrap());
        for (source, input) in [(data, &b""[..]), ("-", payload)] {
            let judged = call(&["--status-fd=1", "--verify", signature, source], input);
            assert!(judged.code == 0 && judged.text().contains("\n[GNUPG:] GOODSIG "), "{}", judged.text());
        }
        let judged = call(&["--verify", signature, data], b"");
        assert_eq!((judged.code, judged.text().as_str()), (0, ""), "no status unless it is asked for");
    }
    // Without -a the same in DER.
    let signed = call(&["-bsu", "key"], payload);
    assert!(signed.code == 0 && signed.stdout.starts_with(&[0x30, 0x82]), "{}", signed.stderr);
}

/// Nobody takes what is written: no success is reported.
#[test]
fn a_reader_that_is_gone() {
    let Some(stack) = Stack::shared() else { return };
    let repo = signing(&Git::installed(), "sha1", stack, Route::V1, &DEV);
    let mut command = repo.command(PROGRAM);
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut child = command
        .args(["--status-fd=2", "-bsau", "key"])
        .stdin(Stdio::piped())
        .stdout(full)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"payload\n").unwrap();
    let answer = Answer::of(child.wait_with_output().unwrap());
    assert!(answer.code != 0 && !answer.stderr.contains("SIG_CREATED"), "{}", answer.stderr);

    // A closed pipe, with SIGPIPE ignored as git leaves it and without.
    for shell in ["trap '' PIPE; ", ""] {
        let program =
            format!("{shell}{{ echo payload | '{PROGRAM}' --status-fd=2 -bsau key; echo exit $? >&2; }} | exec true");
        let answer = Answer::of(repo.command("sh").args(["-c", &program]).output().unwrap());
        assert!(!answer.stderr.contains("exit 0"), "{}", answer.stderr);
    }
}

/// An environment full of proxies: loopback is never spoken to through one, and nothing else is asked.
#[test]
fn proxies_of_the_environment() {
    let Some(stack) = Stack::shared() else { return };
    let trap = Proxy::new(stack.port(Service::Fulcio), Behaviour::Forward);
    let repo = signing(&Git::installed(), "sha1", stack, Route::V2, &DEV);
    let mut commit = repo.command("git");
    commit.args(["commit", "-q", "--allow-empty", "-m", "one"]);
    for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
        commit.env(name, trap.url());
    }
    Answer::of(commit.output().unwrap()).ok();
    assert!(trap.seen().is_empty());
    check_good(&repo, "HEAD", Expected { stack, route: Route::V2, person: &DEV });
}

/// No HOME, no PATH worth the name, nothing in the environment but the settings.
#[test]
fn a_bare_environment() {
    let Some(stack) = Stack::shared() else { return };
    let repo = signing(&Git::installed(), "sha1", stack, Route::V1, &DEV);
    let mut program = repo.command(PROGRAM);
    program.env_clear();
    program.env("GIT_CONFIG_GLOBAL", repo.home().join("gitconfig"));
    program.args(["--status-fd=2", "-bsau", "key"]);
    let answer = answer_to(program, b"payload\n");
    assert!(answer.code == 0 && answer.stdout.starts_with(b"-----BEGIN"), "{}", answer.stderr);
}

/// Sixteen at the same time, each in its own repository.
#[test]
fn many_at_once() {
    let Some(stack) = Stack::shared() else { return };
    std::thread::scope(|scope| {
        for at in 0..16 {
            scope.spawn(move || {
                let route = Route::ALL[at % 3];
                let repo = signing(&Git::installed(), "sha1", stack, route, &DEV);
                repo.commit("one");
                check_good(&repo, "HEAD", Expected { stack, route, person: &DEV });
            });
        }
    });
}

/// The person gives up while a server hangs: the program ends at once, and so does git.
#[test]
fn an_impatient_person() {
    let Some(stack) = Stack::shared() else { return };
    let repo = signing(&Git::installed(), "sha1", stack, Route::V1, &DEV);
    let front = Front::new(stack, Route::V1, Service::RekorV1, &Behaviour::Hang);
    front.lead(&repo);
    // One process group, to which the terminal sends Ctrl-C.
    let mut commit = repo.command("git");
    commit.args(["commit", "-q", "--allow-empty", "-m", "one"]);
    let mut git = std::os::unix::process::CommandExt::process_group(&mut commit, 0).spawn().unwrap();
    while front.rekor_v1.count("POST") == 0 {
        assert!(git.try_wait().unwrap().is_none(), "git did not wait");
        std::thread::sleep(Duration::from_millis(20));
    }
    let began = Instant::now();
    Answer::of(repo.command("sh").args(["-c", &format!("kill -s INT -- -{}", git.id())]).output().unwrap()).ok();
    assert!(!git.wait().unwrap().success());
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    assert_ne!(repo.run(["rev-parse", "-q", "--verify", "HEAD"]).code, 0);
}

/// A token in a file as an editor or `echo` leaves it.
#[test]
fn a_token_with_a_newline() {
    let Some(stack) = Stack::shared() else { return };
    for end in ["\n", "\r\n"] {
        let repo = signing(&Git::installed(), "sha1", stack, Route::V1, &DEV);
        repo.file("token", stack.token(&DEV) + end);
        let answer = repo.sign(b"payload\n");
        assert_eq!(answer.code, 0, "{end:?}: {}", answer.stderr);
    }
}
