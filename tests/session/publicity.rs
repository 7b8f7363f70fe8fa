//! Before the public instance hears of anybody, somebody has said yes: nothing here ever reaches it, and what would have
//! is counted by the proxy that it would have gone through.

use std::net::TcpListener;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use git_keyless::sandbox::Identity;

use super::desk::{ALICE, Desk};
use crate::support::{PROGRAM, answer_to};

const CONFIG: &str = r#"{
  "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
  "caUrls": [{ "url": "https://fulcio.sigstore.dev", "majorApiVersion": 1,
    "validFor": { "start": "2022-04-13T21:38:55Z" }, "operator": "sigstore.dev" }],
  "oidcUrls": [],
  "rekorTlogUrls": [{ "url": "https://rekor.sigstore.dev", "majorApiVersion": 1,
    "validFor": { "start": "2021-01-12T11:53:27Z" }, "operator": "sigstore.dev" }],
  "tsaUrls": [],
  "rekorTlogConfig": { "selector": "ANY" },
  "tsaConfig": { "selector": "ANY" }
}"#;

/// Values of the setting, committer, a variable, and whether anything goes out.
type Case = (&'static [&'static str], &'static str, &'static [(&'static str, &'static str)], bool);

/// A repository on the public instance, whose road there ends at a proxy.
struct Public {
    desk: Desk,
    token: String,
    proxy: String,
    heard: Arc<AtomicUsize>,
}

impl Public {
    fn new() -> Self {
        let desk = Desk::new();
        let token = desk.sandbox.mint(&Identity::Email(ALICE.into())).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = format!("http://{}", listener.local_addr().unwrap());
        let heard = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&heard);
        // Closes at once; ends with this process.
        std::thread::spawn(move || {
            listener.incoming().for_each(|_| _ = count.fetch_add(1, Ordering::SeqCst));
        });
        desk.repo.config_unset("include.path");
        for (key, value) in [("gpg.format", "x509"), ("gpg.x509.program", "git-keyless"), ("user.email", ALICE)] {
            desk.repo.config(key, value);
        }
        desk.repo.config("keyless.signingConfig", desk.repo.file("config.json", CONFIG));
        Self { desk, token, proxy, heard }
    }

    fn set(&self, values: &[&str]) {
        values.iter().for_each(|value| self.desk.repo.config_add("keyless.publicIdentity", value));
    }

    fn pair(&self) -> String {
        format!("{ALICE} {}", self.desk.issuer())
    }

    fn variables(&self, command: &mut Command) {
        command.env_remove("GIT_TERMINAL_PROMPT").env("SIGSTORE_ID_TOKEN", &self.token);
        command.env("HTTPS_PROXY", &self.proxy).env("GIT_COMMITTER_EMAIL", ALICE);
    }

    /// What signing without a terminal says, and whether anything went out.
    fn sign(&self, committer: &str, variables: &[(&str, &str)]) -> (String, bool) {
        let mut command = self.desk.repo.command("setsid");
        self.variables(&mut command);
        command.envs(variables.iter().copied()).args(["--wait", PROGRAM, "-bsau", "key"]);
        let tree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
        let payload =
            format!("tree {tree}\nauthor A <a@example.test> 0 +0000\ncommitter C <{committer}> 0 +0000\n\nx\n");
        let answer = answer_to(command, payload.as_bytes());
        assert_ne!(answer.code, 0);
        (answer.stderr, self.heard.swap(0, Ordering::SeqCst) > 0)
    }
}

#[test]
fn without_a_terminal_only_what_the_settings_allow() {
    let hidden = "1+alice@users.noreply.github.com";
    let allowed = |public: &Public| format!("git config --global --add keyless.publicIdentity '{}'", public.pair());
    let cases: &[Case] = &[
        (&[], ALICE, &[], false),
        (&["ask"], ALICE, &[], false),
        (&["refuse"], ALICE, &[], false),
        (&["allow"], ALICE, &[], true),
        (&["allow"], hidden, &[], false),
        (&["a pair"], hidden, &[], true),
        (&["a pair", "refuse"], ALICE, &[], false),
        (&["refuse"], ALICE, &[("GIT_KEYLESS_PUBLIC_IDENTITY", "allow")], true),
    ];
    std::thread::scope(|scope| {
        for (values, committer, variable, goes_out) in cases {
            scope.spawn(move || {
                let public = Public::new();
                let pair = public.pair();
                let values: Vec<_> = values.iter().map(|v| if *v == "a pair" { pair.as_str() } else { *v }).collect();
                public.set(&values);
                let (said, went_out) = public.sign(committer, variable);
                assert_eq!(went_out, *goes_out, "{values:?} {variable:?}: {said}");
                let refused = said.contains(&allowed(&public)) && said.contains(ALICE);
                assert_ne!(refused, *goes_out, "{values:?} {variable:?}: {said}");
            });
        }
    });
}

/// Whoever may log in is named; that this may become public under an address that hides is another question.
#[test]
fn a_login_by_hand_publishes_no_more_than_a_commit() {
    let hidden = "1+alice@users.noreply.github.com";
    std::thread::scope(|scope| {
        for (committer, goes_out) in [(hidden, false), (ALICE, true)] {
            scope.spawn(move || {
                let public = Public::new();
                public.set(&["allow"]);
                public.desk.repo.config("keyless.issuer", public.desk.issuer());
                public.desk.repo.config("keyless.expectedIdentity", public.pair());
                let mut command = public.desk.repo.command("setsid");
                public.variables(&mut command);
                command.env_remove("SIGSTORE_ID_TOKEN").env("GIT_COMMITTER_EMAIL", committer);
                command.args(["--wait", PROGRAM, "login"]);
                let answer = answer_to(command, b"");
                assert_eq!((answer.code, public.desk.logins()), (2, 1), "{committer}: {}", answer.stderr);
                assert_eq!(public.heard.load(Ordering::SeqCst) > 0, goes_out, "{committer}: {}", answer.stderr);
                assert_ne!(answer.stderr.contains("keyless.publicIdentity"), goes_out, "{}", answer.stderr);
            });
        }
    });
}

#[test]
fn on_a_terminal_the_person_is_asked() {
    std::thread::scope(|scope| {
        for (typed, goes_out, remembered) in
            [("\n", false, false), ("n\n", false, false), ("y\n", true, false), ("Always\n", true, true)]
        {
            scope.spawn(move || {
                let public = Public::new();
                let variables = |command: &mut Command| public.variables(command);
                let line = "git commit -q -S --allow-empty -m x";
                let Some((code, screen)) = public.desk.on_terminal(line, typed, variables) else { return };
                assert_ne!(code, 0);
                for part in [ALICE, &public.desk.issuer(), "for ever", "Publish it?"] {
                    assert!(screen.contains(part), "{part}: {screen}");
                }
                assert_eq!(public.heard.load(Ordering::SeqCst) > 0, goes_out, "{typed:?}: {screen}");
                let kept = public.desk.repo.run(["config", "--global", "keyless.publicIdentity"]).text();
                assert_eq!(kept, if remembered { public.pair() } else { String::new() }, "{typed:?}");
            });
        }
    });
}
