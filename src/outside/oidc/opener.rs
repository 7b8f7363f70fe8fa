//! Sends a browser to an address. No shell ever sees the address, and nothing of ours is left open in the child: git
//! waits until every pipe that it gave us is closed.

use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use super::failure::LoginFailure;
use super::surroundings::Platform;
use crate::outside::http::{Endpoint, Server};
use crate::outside::process;

/// Programs that open an address, the best first; each with its arguments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Opener(Vec<Vec<String>>);

/// Stands for the address within an argument; without it, the address is the last argument.
const ADDRESS: &str = "%s";

impl Opener {
    /// One command, `keyless.browser`: taken apart as a shell would, run without one.
    pub fn command(text: &str) -> Result<Self, String> {
        // A path with blanks in it needs no quotes when it is all there is.
        if Path::new(text).is_absolute() && Path::new(text).is_file() {
            return Ok(Self(vec![vec![text.to_owned()]]));
        }
        match shlex::split(text) {
            Some(words) if !words.is_empty() => Ok(Self(vec![words])),
            _ => Err("it is not a command: a quote is open, or there is nothing".to_owned()),
        }
    }

    /// `$BROWSER` (commands with colons between them), then the platform's own.
    pub fn of_platform(platform: Platform, browser: &str) -> Self {
        let named = browser.split(':').filter_map(shlex::split).filter(|words| !words.is_empty());
        let own: &[&[&str]] = match platform {
            Platform::MacOs => &[&["open"]],
            // No `start` of cmd, whose shell would read the address.
            Platform::Windows => &[&["rundll32.exe", "url.dll,FileProtocolHandler"]],
            Platform::Wsl => &[
                &["wslview"],
                &["rundll32.exe", "url.dll,FileProtocolHandler"],
                &["/mnt/c/Windows/System32/rundll32.exe", "url.dll,FileProtocolHandler"],
            ],
            Platform::Unix => &[&["xdg-open"], &["gio", "open"], &["sensible-browser"], &["x-www-browser"]],
        };
        let own = own.iter().map(|words| words.iter().map(|word| (*word).to_owned()).collect());
        Self(named.chain(own).collect())
    }

    /// Whether one of its programs is on this machine.
    pub fn is_there(&self) -> bool {
        self.0.iter().filter_map(|words| words.first()).any(|program| process::find(program).is_some())
    }

    /// Starts the first program that there is.
    pub(super) fn open(&self, address: &str) -> Result<Opened, LoginFailure> {
        check_address(address)?;
        let mut why = match self.0.as_slice() {
            // The platform has several to try.
            [words] => format!("{}, of keyless.browser, is not there", words.first().map_or("", String::as_str)),
            _ => "no program for it is installed".to_owned(),
        };
        for words in &self.0 {
            let Some((program, arguments)) = words.split_first() else { continue };
            let Some(found) = process::find(program) else { continue };
            match start(&found, arguments, address) {
                Ok(child) => return Ok(Opened { program: program.clone(), child }),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => why = format!("{program}: {error}"),
            }
        }
        Err(LoginFailure::NoBrowser { why })
    }
}

/// A program that was started; whether it succeeded, only some ever say.
pub(super) struct Opened {
    program: String,
    child: Child,
}

impl Opened {
    /// Ended, and not well. A browser that runs on, or has handed over to another and ended well, did not fail.
    pub(super) fn failed(&mut self) -> Option<String> {
        let failed = |status: &ExitStatus| !status.success();
        let status = self.child.try_wait().ok().flatten().filter(failed)?;
        Some(format!("{} ended with {status}", self.program))
    }
}

fn start(program: &Path, arguments: &[String], address: &str) -> std::io::Result<Child> {
    let mut command = Command::new(program);
    command.args(arguments.iter().map(|argument| argument.replace(ADDRESS, address)));
    if !arguments.iter().any(|argument| argument.contains(ADDRESS)) {
        command.arg(address);
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // Ctrl-C at git's terminal is not for the browser.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command.spawn()
}

/// https, or http on loopback, of characters that no program between us and the browser could take for anything but
/// a part of an address, even one that is a shell script.
fn check_address(address: &str) -> Result<(), LoginFailure> {
    Endpoint::parse(Server::IdentityProvider, address).map_err(LoginFailure::Server)?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?&=%+,@[]*".contains(&byte);
    match address.bytes().find(|byte| !plain(*byte)) {
        None => Ok(()),
        Some(byte) => {
            let why = format!("the provider's address has the character `{}` in it", byte.escape_ascii());
            Err(LoginFailure::NoBrowser { why })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_are_opened() {
        for good in ["https://a.test/x?a=b&c=%22", "http://localhost:1/", "http://[::1]:80/x"] {
            assert_eq!(check_address(good), Ok(()), "{good}");
        }
        for bad in [
            "http://a.test/",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "-o",
            "--version",
            "https://u@a.test/",
            "https://a.test/$(id)",
            "https://a.test/`id`",
            "https://a.test/;id",
            "https://a.test/|id",
            "https://a.test/x'y",
            "https://a.test/x\"y",
            "https://a.test/x y",
            "https://a.test/^x",
            "https://a.test/x\ny",
            "https://a.test/%PATH%!x!",
        ] {
            assert!(check_address(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn every_platform_has_its_own() {
        let handler = "url.dll,FileProtocolHandler";
        let far = "/mnt/c/Windows/System32/rundll32.exe";
        for (platform, expected) in [
            (Platform::MacOs, vec![vec!["open"]]),
            (Platform::Windows, vec![vec!["rundll32.exe", handler]]),
            (Platform::Wsl, vec![vec!["wslview"], vec!["rundll32.exe", handler], vec![far, handler]]),
            (
                Platform::Unix,
                vec![vec!["xdg-open"], vec!["gio", "open"], vec!["sensible-browser"], vec!["x-www-browser"]],
            ),
        ] {
            assert_eq!(Opener::of_platform(platform, "").0, expected, "{platform:?}");
            let named = [vec![vec!["w3m", "-N"]], expected].concat();
            assert_eq!(Opener::of_platform(platform, ":w3m -N:'").0, named, "{platform:?}");
        }
    }

    #[test]
    fn commands() {
        let words = |text: &str| Opener::command(text).map(|opener| opener.0);
        assert_eq!(words("firefox"), Ok(vec![vec!["firefox".to_owned()]]));
        assert_eq!(words("'/a b/c' --new '%s' x").unwrap()[0], ["/a b/c", "--new", "%s", "x"]);
        assert!(words("'open").is_err() && words(" ").is_err());
        // What lies in the working tree is nobody's browser.
        assert_eq!(words("src/lib.rs").unwrap(), [["src/lib.rs"]]);
        assert!(Opener::command("src/lib.rs").unwrap().open("https://a.test").is_err());
        let listed = Opener::of_platform(Platform::Unix, "one %s:two --x").0;
        assert_eq!(listed[..2], [vec!["one", "%s"], vec!["two", "--x"]]);
        assert_eq!(listed[2], ["xdg-open"]);
        assert!(Opener::default().open("https://a.test").is_err());
    }
}
