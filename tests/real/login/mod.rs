//! Logging in with parts that others wrote: Chromium at the sandbox's page, and the provider `oidc-provider`.

mod chromium;

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use git_keyless::format::id_token::IdToken;
use git_keyless::format::time::Time;
use git_keyless::outside::http::Http;
use git_keyless::outside::oidc::{
    self, Asking, DEFAULT_AUDIENCE, Login, LoginFailure, Occasion, Opener, Person, Refresh, Source, Way,
};
use git_keyless::sandbox::{Fault, Options, Rekor, Sandbox, Service};

use self::chromium::{Browser, Door, installed, wait_for};
use crate::suite::stack::{Route, Stack};
use crate::support::{Answer, Git, PROGRAM, Repo, skipped};

const ALICE: &str = "alice@example.com";

/// A repository that signs on the sandbox with who logs in, in Chromium.
fn room(sandbox: &Sandbox, chromium: &Path) -> (Repo, Door) {
    let repo = Repo::init(&Git::installed(), "sha1");
    repo.config("include.path", sandbox.directory().join("gitconfig"));
    repo.config("keyless.tokenCommand", "");
    repo.config("keyless.trustedIdentity", format!("{ALICE} {}/email", sandbox.urls().oidc));
    let door = Door::new(repo.home(), chromium);
    repo.config("keyless.browser", &door.script);
    (repo, door)
}

fn sandbox(directory: &Path) -> Sandbox {
    let options =
        Options { directory: directory.join("s"), rekor: Rekor::V1, failing: Vec::new(), program: PROGRAM.into() };
    Sandbox::start(&options).unwrap()
}

/// `git commit` without a terminal; its pipes are ours, and must be closed when it ends, browser or not.
fn commit(repo: &Repo) -> Child {
    let mut git = repo.command("setsid");
    git.args(["--wait", "git", "commit", "-q", "--allow-empty", "-m", "one"]).env_remove("GIT_TERMINAL_PROMPT");
    git.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn log_in(browser: &mut Browser) {
    browser.wait("document.readyState == 'complete' && !!document.querySelector('input[name=email]')");
    browser.evaluate(&format!("document.querySelector('input[name=email]').value = '{ALICE}'"));
    browser.evaluate("document.querySelector('button').click()");
}

#[test]
fn a_person_at_chromium_signs_a_commit() {
    let Some(chromium) = installed("chromium/chromium") else { return };
    let directory = tempfile::tempdir().unwrap();
    let sandbox = sandbox(directory.path());
    let (repo, door) = room(&sandbox, &chromium);
    let git = commit(&repo);
    let mut browser = door.enter();
    log_in(&mut browser);
    let text = browser.text_with("You are logged in");
    for part in [ALICE, &sandbox.urls().oidc, "checkout", "You can close this window"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    // git ends while the browser stays open.
    let answer = Answer::of(git.wait_with_output().unwrap());
    assert_eq!((answer.code, answer.text().as_str()), (0, ""), "{}", answer.stderr);
    let verified = repo.keyless(["verify", "--require-identity", "HEAD"]);
    assert!(verified.code == 0 && verified.text().contains(ALICE), "{} {}", verified.text(), verified.stderr);
    check_page(&mut browser, "success", "status", "You are logged in");
    // Nobody listens any more.
    browser.evaluate("location.reload()");
    browser.wait("document.documentElement.innerText.includes('ERR_CONNECTION_REFUSED')");
}

#[test]
fn a_person_at_chromium_is_told_what_went_wrong() {
    let Some(chromium) = installed("chromium/chromium") else { return };
    let directory = tempfile::tempdir().unwrap();
    let sandbox = sandbox(directory.path());
    let (repo, door) = room(&sandbox, &chromium);
    let git = commit(&repo);
    let mut browser = door.enter();
    sandbox.switch(Service::IdentityProvider, Fault::WrongNonce);
    log_in(&mut browser);
    let text = browser.text_with("You are not logged in");
    assert!(text.contains("its nonce is another") && text.contains("What to do: try again"), "{text}");
    assert_eq!(Answer::of(git.wait_with_output().unwrap()).code, 128);
    check_page(&mut browser, "failure", "alert", "You are not logged in");
}

#[test]
fn a_browser_that_is_killed_ends_it() {
    let Some(chromium) = installed("chromium/chromium") else { return };
    let directory = tempfile::tempdir().unwrap();
    let sandbox = sandbox(directory.path());
    let (repo, door) = room(&sandbox, &chromium);
    let git = commit(&repo);
    let mut browser = door.enter();
    browser.wait("!!document.querySelector('input[name=email]')");
    let profile = repo.home().join("chromium/profile");
    let lock = std::fs::read_link(profile.join("SingletonLock")).unwrap();
    let pid = lock.to_str().unwrap().rsplit('-').next().unwrap().to_owned();
    assert!(Command::new("kill").args(["-9", &pid]).status().unwrap().success());
    let answer = Answer::of(git.wait_with_output().unwrap());
    assert_eq!((answer.code, answer.text().as_str()), (128, ""), "{}", answer.stderr);
    assert_ne!(repo.run(["rev-parse", "--verify", "HEAD"]).code, 0);
}

/// Light and dark differ, a screen reader is told title and state, and nothing is fetched from anywhere.
fn check_page(browser: &mut Browser, name: &str, role: &str, title: &str) {
    let (light, dark) = (browser.picture("light", name), browser.picture("dark", name));
    assert!(light.len() > 1000 && light != dark, "light and dark are the same");
    let heard = browser.read_aloud();
    assert!(heard.iter().any(|(found, _)| found == role), "no {role}: {heard:?}");
    assert!(heard.iter().any(|(found, name)| found == "heading" && name.contains(title)), "{heard:?}");
    assert_eq!(browser.evaluate("document.documentElement.lang"), "en");
    let fetched = browser.evaluate("performance.getEntriesByType('resource').map(r => r.name).join()");
    assert!(fetched == "" || fetched == "data:,", "{fetched}");
}

/// The provider, gone with this.
struct Provider {
    child: Child,
    issuer: String,
}

impl Provider {
    /// On this machine.
    fn start() -> Option<Self> {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Self::run(Command::new("node"), port)
    }

    /// Among the servers, which see nothing else of this machine.
    fn start_inside(stack: &Stack) -> Option<Self> {
        let mut enter = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/real/stack/enter.sh"));
        enter.arg(&stack.dir).arg("node");
        Self::run(enter, stack.guest())
    }

    fn run(mut node: Command, port: u16) -> Option<Self> {
        let folder = installed("oidc-provider/node_modules")?;
        if crate::support::installed("node").is_none() {
            skipped("no node: logging in at oidc-provider was not tried");
            return None;
        }
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/real/login/provider.mjs");
        node.arg(script).arg(port.to_string()).arg(folder.parent().unwrap());
        let mut child = node.stdout(Stdio::piped()).stderr(Stdio::null()).stdin(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.map_while(Result::ok).any(|line| line == "ready"), "oidc-provider did not start");
        Some(Self { child, issuer: format!("http://127.0.0.1:{port}") })
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Its pages: who are you, then may this client know it.
fn log_in_there(browser: &mut Browser) {
    browser.wait("document.readyState == 'complete' && !!document.querySelector('input[name=login]')");
    browser.evaluate(&format!("document.querySelector('input[name=login]').value = '{ALICE}'"));
    browser.evaluate("document.querySelector('input[name=password]').value = 'any'");
    browser.evaluate("document.querySelector('button[type=submit]').click()");
    browser.wait("document.readyState == 'complete' && !!document.querySelector('input[name=prompt][value=consent]')");
    browser.evaluate("document.querySelector('button[type=submit]').click()");
}

/// Asks as the program does; what comes is checked as there.
fn asked(person: Person) -> std::thread::JoinHandle<Result<String, String>> {
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let http = Http::new();
        let audience = person.login.client_id.clone();
        let asking = Asking { http: &http, audience: &audience, deadline: Duration::from_secs(10) };
        let source = Source::Person(Box::new(person));
        let token: IdToken = runtime.block_on(oidc::request(&source, asking)).map_err(|failure| failure.to_string())?;
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let checked = oidc::check(token, &audience, Time::from_unix(since).unwrap());
        checked.map(|checked| checked.claims().name().to_owned()).map_err(|refusal| refusal.to_string())
    })
}

fn person(provider: &Provider, way: Way, opener: Opener) -> Person {
    Person {
        login: Login {
            issuer: provider.issuer.clone(),
            client_id: DEFAULT_AUDIENCE.to_owned(),
            client_secret: None,
            connector: None,
        },
        way,
        opener,
        forwarded: false,
        qr: false,
        occasion: Occasion { repository: "checkout".into(), host: "here".into() },
        browser_limit: Duration::from_secs(60),
    }
}

#[test]
fn a_browser_at_a_provider_of_others() {
    let (Some(chromium), Some(provider)) = (installed("chromium/chromium"), Provider::start()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let door = Door::new(folder.path(), &chromium);
    let opener = Opener::command(door.script.to_str().unwrap()).unwrap();
    let token = asked(person(&provider, Way::Browser, opener));
    let mut browser = door.enter();
    log_in_there(&mut browser);
    let text = browser.text_with("You are logged in");
    assert!(text.contains(ALICE) && text.contains(&provider.issuer), "{text}");
    assert_eq!(token.join().unwrap().as_deref(), Ok(ALICE));
}

#[test]
fn a_client_with_a_secret_at_a_provider_of_others() {
    let (Some(chromium), Some(provider)) = (installed("chromium/chromium"), Provider::start()) else { return };
    // As it must be written into a header: form-encoded first (RFC 6749 section 2.3.1).
    for (secret, expected) in [("hun/ter+2 %", "You are logged in"), ("another", "You are not logged in")] {
        let folder = tempfile::tempdir().unwrap();
        let door = Door::new(folder.path(), &chromium);
        let mut person = person(&provider, Way::Browser, Opener::command(door.script.to_str().unwrap()).unwrap());
        person.login.client_id = "corp".to_owned();
        person.login.client_secret = Some(secret.to_owned().into());
        assert!(!format!("{person:?}").contains(secret));
        let token = asked(person);
        let mut browser = door.enter();
        log_in_there(&mut browser);
        browser.text_with(expected);
        match token.join().unwrap() {
            Ok(name) => assert!(name == ALICE && secret != "another"),
            Err(why) => assert!(why.contains("refused (invalid_client") && !why.contains(secret), "{why}"),
        }
    }
}

/// One login and two more tokens for it; each refresh token is good once.
#[test]
fn a_login_that_a_provider_of_others_renews() {
    let (Some(chromium), Some(provider)) = (installed("chromium/chromium"), Provider::start()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let door = Door::new(folder.path(), &chromium);
    let person = person(&provider, Way::Browser, Opener::command(door.script.to_str().unwrap()).unwrap());
    let http = Http::new();
    let asking = Asking { http: &http, audience: DEFAULT_AUDIENCE, deadline: Duration::from_secs(10) };
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let first = std::thread::scope(|scope| {
        let login = scope.spawn(|| runtime().block_on(person.log_in(asking, true)).unwrap());
        let mut browser = door.enter();
        log_in_there(&mut browser);
        browser.text_with("You are logged in");
        login.join().unwrap().refresh.expect("no refresh token")
    });
    let renew = |refresh: &Refresh| runtime().block_on(person.renew(refresh, asking));
    let (token, second) = renew(&first).unwrap();
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let checked = oidc::check(token, DEFAULT_AUDIENCE, Time::from_unix(since).unwrap()).unwrap();
    assert_eq!(checked.claims().name(), ALICE);
    assert_ne!(first.reveal(), second.reveal());
    let (_, third) = renew(&second).unwrap();
    let refused = renew(&first).unwrap_err();
    assert!(matches!(refused, LoginFailure::NotRenewed { .. }), "{refused}");
    assert!(!refused.to_string().contains(first.reveal()) && !format!("{first:?}").contains(first.reveal()));
    // It was used twice, so somebody has stolen it: that ends all of them (RFC 9700 section 4.14.2).
    assert!(matches!(renew(&third), Err(LoginFailure::NotRenewed { .. })));
}

/// The code is read from the terminal, which script(1) makes, and entered in Chromium; every server is somebody else's.
#[test]
fn a_code_at_a_provider_of_others_signs_a_commit() {
    let Some(stack) = Stack::shared() else { return };
    let (Some(chromium), Some(provider)) = (installed("chromium/chromium"), Provider::start_inside(stack)) else {
        return;
    };
    let Some(script) = crate::support::installed("script") else {
        skipped("no script(1), which makes terminals: a code at oidc-provider was not tried");
        return;
    };
    let repo = Repo::init(&Git::installed(), "sha1");
    stack.lead(&repo, Route::V1);
    repo.config("keyless.issuer", &provider.issuer);
    repo.config("keyless.tokenSource", "device");
    repo.config("keyless.credentialStore", "none");
    repo.config("keyless.trustedIdentity", format!("{ALICE} {}", provider.issuer));
    let door = Door::new(repo.home(), &chromium);
    let screen = repo.home().join("screen");
    let mut command = repo.command(script);
    command.env_remove("GIT_TERMINAL_PROMPT").env("SHELL", "/bin/sh").arg("-qefc");
    command.arg("git commit -q --allow-empty -m one </dev/null >out 2>err").arg(&screen);
    let signing = command.stdout(Stdio::null()).spawn().unwrap();
    let shown = || String::from_utf8_lossy(&std::fs::read(&screen).unwrap_or_default()).into_owned();
    let behind =
        |label: &str| wait_for(|| Some(shown().split_once(label)?.1.split_once(['\r', '\n'])?.0.trim().to_owned()));
    let address = behind("address  ");
    let browsing = Command::new(&door.script).arg(&address).stdin(Stdio::null()).stderr(Stdio::null()).spawn();
    let mut browser = door.enter();
    // The code stands in the form already; the provider asks to compare it.
    let code = behind("code     ");
    assert!(browser.text_with(&code).contains(&code));
    browser.wait("!!document.querySelector('form#op\\\\.deviceConfirmForm, form')");
    browser.evaluate("document.querySelector('button[type=submit]').click()");
    log_in_there(&mut browser);
    browser.text_with("Success");
    let answer = Answer::of(signing.wait_with_output().unwrap());
    let said = shown();
    assert!(said.contains(&format!("signing as {ALICE} ({})", provider.issuer)), "{said}");
    assert_eq!((answer.code, std::fs::read(repo.path.join("out")).unwrap().len()), (0, 0), "{said}");
    let verified = repo.keyless(["verify", "--require-identity", "HEAD"]);
    assert!(
        verified.code == 0 && verified.text().contains(&provider.issuer),
        "{} {}",
        verified.text(),
        verified.stderr
    );
    drop(browser);
    browsing.unwrap().wait().unwrap();
}
