//! git's door: what `gpg.x509.program` is called with, by git, jj, gitoxide and EGit.
//!
//! The grammar is gpgsm's as far as these use it, and its own: the word after `-u` is always its value, also when it
//! begins with a dash, because a git identity may. Every way out of verifying says NEWSIG and one exclusive line.

mod fallback;
mod sign;
mod verify;

pub(in crate::commands) use fallback::{find, passes};

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use crate::format::status::Answer;
use crate::outside::files;

/// Whether these arguments are git's and not a person's.
pub fn is_call(args: &[OsString]) -> bool {
    let first = args.first().map(|word| word.to_string_lossy());
    first.is_some_and(|word| word.starts_with('-') && !matches!(word.as_ref(), "-h" | "--help" | "-V" | "--version"))
}

/// Answers one call.
pub fn run(args: &[OsString]) -> ExitCode {
    match parse(args) {
        Ok(Call::Sign(call)) => sign::run(&call),
        Ok(Call::Verify(call)) => verify::run(&call),
        Err(usage) => {
            complain(&usage.why);
            if usage.verify {
                usage.status.write(&Answer::Unknown { fingerprint: None }.lines());
            }
            ExitCode::from(super::NO_VERDICT)
        }
    }
}

/// What the caller wants.
#[derive(Debug, PartialEq, Eq)]
enum Call {
    Sign(SignCall),
    Verify(VerifyCall),
}

/// `--status-fd=2 -bsau KEY`, payload on standard input.
#[derive(Debug, PartialEq, Eq)]
struct SignCall {
    status: StatusFd,
    armor: bool,
}

/// `--status-fd=1 --verify SIGNATURE DATA`; `-` is standard input.
#[derive(Debug, PartialEq, Eq)]
struct VerifyCall {
    status: StatusFd,
    signature: PathBuf,
    data: PathBuf,
}

/// Where status lines go; without `--status-fd` nowhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct StatusFd(Option<u32>);

impl StatusFd {
    /// Whether nobody can hear what is written: the caller closed it.
    fn is_closed(self) -> bool {
        match self.0 {
            Some(1) => files::was_closed(io::stdout()),
            Some(2) => files::was_closed(io::stderr()),
            Some(other) => Self::path(other).metadata().is_err(),
            None => false,
        }
    }

    fn path(number: u32) -> PathBuf {
        PathBuf::from(format!("/dev/fd/{number}"))
    }

    /// One buffered write; false when nobody hears it. A reader that has gone away cannot be told so.
    fn write(self, lines: &str) -> bool {
        let written = match self.0 {
            _ if self.is_closed() => return false,
            None => Ok(()),
            Some(1) => io::stdout().lock().write_all(lines.as_bytes()).and_then(|()| io::stdout().flush()),
            Some(2) => io::stderr().lock().write_all(lines.as_bytes()),
            Some(other) => OpenOptions::new()
                .append(true)
                .open(Self::path(other))
                .and_then(|mut file| file.write_all(lines.as_bytes())),
        };
        written.is_ok()
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Usage {
    status: StatusFd,
    verify: bool,
    why: String,
}

/// On standard error, where nothing in it can begin a status line.
fn complain(why: &str) {
    why.lines().for_each(super::complain);
}

#[derive(Default)]
struct Words {
    status: StatusFd,
    verify: bool,
    sign: bool,
    armor: bool,
    detached: bool,
    operands: Vec<OsString>,
}

fn parse(args: &[OsString]) -> Result<Call, Usage> {
    let mut words = Words::default();
    let read = read_words(args, &mut words);
    let Words { status, verify, .. } = words;
    let usage = |why: String| Usage { status, verify, why };
    read.map_err(&usage)?;
    match (verify, words.sign || words.detached) {
        (true, true) => Err(usage("--verify and signing at once".into())),
        (true, false) => match words.operands.as_slice() {
            [signature, data] => {
                Ok(Call::Verify(VerifyCall { status, signature: signature.into(), data: data.into() }))
            }
            [_] => Err(usage(
                "--verify needs the signed data too: SIGNATURE and DATA or -; attached signatures are not made or read"
                    .into(),
            )),
            operands => Err(usage(format!("--verify takes SIGNATURE and DATA, not {} files", operands.len()))),
        },
        (false, true) if !words.detached => Err(usage("only detached signatures are made: add -b".into())),
        (false, true) if words.operands.is_empty() => Ok(Call::Sign(SignCall { status, armor: words.armor })),
        (false, true) => Err(usage("what is signed comes on standard input, not from a file".into())),
        (false, false) => Err(usage(
            "neither --verify nor -s: this is how git calls gpg.x509.program; people say `git keyless -h`".into(),
        )),
    }
}

fn read_words(args: &[OsString], words: &mut Words) -> Result<(), String> {
    let mut rest = args.iter();
    let mut unknown = Ok(());
    while let Some(word) = rest.next() {
        let text = word.to_string_lossy();
        let (name, inline) = text.split_once('=').map_or((text.as_ref(), None), |(name, value)| (name, Some(value)));
        match name {
            "--verify" => words.verify = true,
            "--sign" => words.sign = true,
            "--detach-sign" | "--detached-sign" => words.detached = true,
            "--armor" => words.armor = true,
            "--status-fd" => {
                let value =
                    inline.map(str::to_owned).or_else(|| rest.next().map(|word| word.to_string_lossy().into_owned()));
                let number = value.and_then(|value| value.parse().ok()).ok_or("--status-fd takes a number")?;
                words.status = StatusFd(Some(number));
            }
            "--local-user" | "--include-certs" if inline.is_none() => drop(rest.next()),
            "--local-user" | "--include-certs" | "--keyid-format" | "--batch" | "--no-tty" | "--quiet" | "--yes" => {}
            "--" => words.operands.extend(rest.by_ref().cloned()),
            "-" => words.operands.push(word.clone()),
            _ if text.starts_with("--") => unknown = Err(format!("unknown option {name}")),
            _ => match text.strip_prefix('-') {
                // The rest of the bundle is the key, or else the next word, whatever it looks like.
                Some(bundle) => match read_bundle(bundle, words) {
                    Ok(true) => _ = rest.next(),
                    Ok(false) => {}
                    Err(why) => unknown = Err(why),
                },
                None => words.operands.push(word.clone()),
            },
        }
    }
    // Only now, so that a status descriptor behind an unknown word is still heard of.
    unknown
}

/// Letters of one bundle such as `bsau`; true when the key is the next word.
fn read_bundle(bundle: &str, words: &mut Words) -> Result<bool, String> {
    let mut letters = bundle.chars();
    while let Some(letter) = letters.next() {
        match letter {
            'a' => words.armor = true,
            'b' => words.detached = true,
            's' => words.sign = true,
            'q' => {}
            'u' => return Ok(letters.as_str().is_empty()),
            other => return Err(format!("unknown option -{other}")),
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(line: &[&str]) -> Result<Call, Usage> {
        parse(&line.iter().map(OsString::from).collect::<Vec<_>>())
    }

    fn sign(fd: Option<u32>) -> Result<Call, Usage> {
        Ok(Call::Sign(SignCall { status: StatusFd(fd), armor: true }))
    }

    #[test]
    fn every_signing_call_that_is_known() {
        // git, jj, EGit, keys that look like options, empty keys, bundles with the key inside
        assert_eq!(call(&["--status-fd=2", "-bsau", "Alice <alice@example.com>"]), sign(Some(2)));
        assert_eq!(call(&["-abu", "alice@example.com"]), sign(None));
        assert_eq!(call(&["-bsau", "<alice@example.com>", "--status-fd", "2"]), sign(Some(2)));
        assert_eq!(call(&["--status-fd=2", "-bsau", "--foo"]), sign(Some(2)));
        assert_eq!(call(&["--status-fd=2", "-bsau", "--verify"]), sign(Some(2)));
        assert_eq!(call(&["--status-fd=2", "-bsau", ""]), sign(Some(2)));
        assert_eq!(call(&["-basukey"]), sign(None));
        assert_eq!(call(&["--sign", "--detach-sign", "--armor", "--local-user", "-x"]), sign(None));
    }

    #[test]
    fn every_verifying_call_that_is_known() {
        let verify = |fd, data: &str| {
            Ok(Call::Verify(VerifyCall { status: StatusFd(fd), signature: "sig".into(), data: data.into() }))
        };
        assert_eq!(call(&["--status-fd=1", "--verify", "sig", "-"]), verify(Some(1), "-"));
        assert_eq!(call(&["--status-fd", "1", "--verify", "sig", "-"]), verify(Some(1), "-"));
        assert_eq!(call(&["--status-fd=1", "--verify", "sig", "data"]), verify(Some(1), "data"));
        assert_eq!(call(&["--keyid-format=long", "--status-fd=1", "--verify", "sig", "-"]), verify(Some(1), "-"));
        assert_eq!(call(&["--verify", "--batch", "--no-tty", "--", "sig", "data"]), verify(None, "data"));
    }

    #[test]
    fn what_cannot_be_answered_says_so_and_where() {
        let refused = |line: &[&str]| call(line).unwrap_err();
        for line in [
            &["--status-fd=1", "--verify"][..],
            &["--status-fd=1", "--verify", "sig"],
            &["--verify", "--frob", "--status-fd=1", "a", "b"],
            &["--verify", "-bs", "--status-fd=1"],
        ] {
            let usage = refused(line);
            assert_eq!((usage.status, usage.verify), (StatusFd(Some(1)), true), "{line:?}");
        }
        assert!(!refused(&["-sau", "key"]).verify);
        assert!(refused(&["--status-fd=x", "-bsau", "key"]).why.contains("number"));
    }
}
