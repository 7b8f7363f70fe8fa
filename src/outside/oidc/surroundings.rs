//! Where this process runs, and so how a person can be asked: in a browser, with a code on the terminal, or not at all.
//!
//! [`Surroundings::way`] is a function of what was found; finding it is [`Surroundings::found`].

use std::collections::BTreeMap;
use std::path::Path;

use crate::outside::terminal;

/// How a person can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// A browser that can reach this machine's loopback.
    Browser,
    /// An address and a code on the terminal, for a browser anywhere.
    Device,
    /// Not at all, and why.
    Neither(String),
}

/// What opens addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Platform {
    /// macOS.
    MacOs,
    /// A Unix with X, Wayland or nothing.
    Unix,
    /// Windows.
    Windows,
    /// Linux inside Windows.
    Wsl,
}

/// What decides it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// The environment.
    pub variables: BTreeMap<String, String>,
    /// The system that this program was built for: `linux`, `macos`, `windows` and so on.
    pub system: String,
    /// Whether there is a terminal device.
    pub terminal: bool,
    /// Whether this is inside a container, by the marks that Docker and Podman leave.
    pub container: bool,
}

/// Variables that a job of some CI has; `CI` itself is read apart, since people switch it off.
const CI_VARIABLES: [&str; 12] = [
    "BITBUCKET_BUILD_NUMBER",
    "BUILDKITE",
    "CIRCLECI",
    "CODEBUILD_BUILD_ID",
    "DRONE",
    "GITEA_ACTIONS",
    "GITHUB_ACTIONS",
    "GITLAB_CI",
    "JENKINS_URL",
    "TEAMCITY_VERSION",
    "TF_BUILD",
    "TRAVIS",
];

/// Workspaces in somebody's cloud, whose loopback is not the browser's.
const CLOUD_WORKSPACES: [&str; 3] = ["CODESPACES", "GITPOD_WORKSPACE_ID", "CLOUD_SHELL"];

impl Surroundings {
    /// Those of this process.
    pub fn found() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self {
            variables: std::env::vars_os().filter_map(text).collect(),
            system: std::env::consts::OS.to_owned(),
            terminal: terminal::device().is_some(),
            container: ["/.dockerenv", "/run/.containerenv"].iter().any(|mark| Path::new(mark).exists()),
        }
    }

    /// How a person can be asked; `browser` is whether the settings name one, which then must be right.
    pub fn way(&self, browser: bool) -> Way {
        if self.is_no("GIT_TERMINAL_PROMPT") {
            return Way::Neither("GIT_TERMINAL_PROMPT forbids it".to_owned());
        }
        if let Some(variable) = self.ci() {
            let mend = if self.terminal { format!("; if it is none: unset {variable}") } else { String::new() };
            return Way::Neither(format!("this is a job of a CI: {variable} is set{mend}"));
        }
        if browser || self.reaches_browser() {
            return Way::Browser;
        }
        match self.terminal {
            true => Way::Device,
            false => Way::Neither("there is neither a browser nor a terminal here".to_owned()),
        }
    }

    /// Whose opener to use.
    pub fn platform(&self) -> Platform {
        match self.system.as_str() {
            "macos" => Platform::MacOs,
            "windows" => Platform::Windows,
            _ if self.has("WSL_INTEROP") || self.has("WSL_DISTRO_NAME") => Platform::Wsl,
            _ => Platform::Unix,
        }
    }

    /// Whether connections of a browser elsewhere are brought to this machine's loopback, by a program that need not be
    /// this user's: from Windows, from the desktop of VS Code, into a container.
    pub fn forwards(&self) -> bool {
        self.platform() == Platform::Wsl || self.is_on_vs_codes_desktop() || self.is_closed()
    }

    /// A variable, unless it is empty.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    fn reaches_browser(&self) -> bool {
        if CLOUD_WORKSPACES.iter().any(|name| self.has(name)) {
            return false;
        }
        if self.is_on_vs_codes_desktop() {
            return true;
        }
        let remote = ["SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY", "REMOTE_CONTAINERS", "DEVCONTAINER"];
        if remote.iter().any(|name| self.has(name)) {
            return false;
        }
        match self.platform() {
            Platform::MacOs | Platform::Windows => true,
            // Without it no program of Windows can be started.
            Platform::Wsl => self.has("WSL_INTEROP"),
            Platform::Unix => !self.is_closed() && (self.has("DISPLAY") || self.has("WAYLAND_DISPLAY")),
        }
    }

    /// VS Code's terminals elsewhere: its helper opens addresses on the desktop, and it forwards loopback.
    fn is_on_vs_codes_desktop(&self) -> bool {
        self.has("VSCODE_IPC_HOOK_CLI") && self.has("BROWSER")
    }

    /// A container; those of Toolbox and Distrobox share the desktop and its loopback.
    fn is_closed(&self) -> bool {
        self.container && !["TOOLBOX_PATH", "DISTROBOX_ENTER_PATH"].iter().any(|name| self.has(name))
    }

    fn ci(&self) -> Option<&'static str> {
        if self.has("CI") && !self.is_no("CI") {
            return Some("CI");
        }
        CI_VARIABLES.into_iter().find(|name| self.has(name) && !self.is_no(name))
    }

    fn has(&self, name: &str) -> bool {
        self.variable(name).is_some()
    }

    /// False as git reads it.
    fn is_no(&self, name: &str) -> bool {
        self.variable(name).is_some_and(terminal::is_no)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn surroundings(system: &str, terminal: bool, variables: &str) -> Surroundings {
        let variables = variables.split_whitespace().map(|pair| pair.split_once('=').unwrap());
        Surroundings {
            variables: variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            system: system.to_owned(),
            terminal,
            container: false,
        }
    }

    #[test]
    fn who_can_be_asked_where() {
        // What is set, with a terminal, without one: browser, device or neither.
        for (where_, system, variables, with, without) in [
            ("console", "linux", "TERM=linux", 'd', 'n'),
            ("X desktop", "linux", "DISPLAY=:0", 'b', 'b'),
            ("Wayland desktop", "linux", "WAYLAND_DISPLAY=wayland-0", 'b', 'b'),
            ("empty display", "linux", "DISPLAY=", 'd', 'n'),
            ("text browser on a console", "linux", "BROWSER=w3m", 'd', 'n'),
            ("desktop, no prompts", "linux", "DISPLAY=:0 GIT_TERMINAL_PROMPT=0", 'n', 'n'),
            ("desktop, no prompts, in words", "linux", "DISPLAY=:0 GIT_TERMINAL_PROMPT=False", 'n', 'n'),
            ("desktop, prompts", "linux", "DISPLAY=:0 GIT_TERMINAL_PROMPT=1", 'b', 'b'),
            ("SSH", "linux", "SSH_CONNECTION=a SSH_TTY=/dev/pts/0", 'd', 'n'),
            ("SSH with forwarded X", "linux", "SSH_CONNECTION=a DISPLAY=localhost:10.0", 'd', 'n'),
            ("SSH to a Mac", "macos", "SSH_CLIENT=a", 'd', 'n'),
            ("tmux on SSH", "linux", "TMUX=/tmp/t SSH_CONNECTION=a", 'd', 'n'),
            ("Mac", "macos", "", 'b', 'b'),
            ("Windows", "windows", "", 'b', 'b'),
            ("WSL", "linux", "WSL_DISTRO_NAME=Debian WSL_INTEROP=/run/WSL/1", 'b', 'b'),
            ("WSL without interop", "linux", "WSL_DISTRO_NAME=Debian", 'd', 'n'),
            ("VS Code remote", "linux", "SSH_CONNECTION=a VSCODE_IPC_HOOK_CLI=/s BROWSER=/h.sh", 'b', 'b'),
            ("VS Code container", "linux", "REMOTE_CONTAINERS=true VSCODE_IPC_HOOK_CLI=/s BROWSER=/h", 'b', 'b'),
            ("container of VS Code, other terminal", "linux", "REMOTE_CONTAINERS=true", 'd', 'n'),
            ("Codespaces", "linux", "CODESPACES=true VSCODE_IPC_HOOK_CLI=/s BROWSER=/h DISPLAY=:0", 'd', 'n'),
            ("Gitpod", "linux", "GITPOD_WORKSPACE_ID=w BROWSER=/h", 'd', 'n'),
            ("CI", "linux", "CI=true DISPLAY=:99", 'n', 'n'),
            ("CI switched off", "linux", "CI=false DISPLAY=:0", 'b', 'b'),
            ("GitHub Actions", "linux", "GITHUB_ACTIONS=true", 'n', 'n'),
            ("GitLab CI", "linux", "GITLAB_CI=true", 'n', 'n'),
            ("Jenkins", "linux", "JENKINS_URL=https://ci.test/", 'n', 'n'),
            ("Mac of a CI", "macos", "BUILDKITE=true", 'n', 'n'),
        ] {
            for (terminal, expected) in [(true, with), (false, without)] {
                let letter = match surroundings(system, terminal, variables).way(false) {
                    Way::Browser => 'b',
                    Way::Device => 'd',
                    Way::Neither(_) => 'n',
                };
                assert_eq!(letter, expected, "{where_}, terminal: {terminal}");
            }
        }
    }

    #[test]
    fn who_sits_at_a_terminal_is_told_which_variable_to_unset() {
        let why = |terminal| surroundings("linux", terminal, "CI=1").way(false);
        let said = "this is a job of a CI: CI is set";
        assert_eq!(why(true), Way::Neither(format!("{said}; if it is none: unset CI")));
        assert_eq!(why(false), Way::Neither(said.to_owned()));
    }

    #[test]
    fn a_container_has_no_desktop() {
        let inside = Surroundings { container: true, ..surroundings("linux", true, "DISPLAY=:0") };
        assert_eq!(inside.way(false), Way::Device);
        let toolbox = surroundings("linux", true, "DISPLAY=:0 TOOLBOX_PATH=/usr/bin/toolbox");
        assert_eq!(Surroundings { container: true, ..toolbox }.way(false), Way::Browser);
    }

    #[test]
    fn a_browser_that_is_named_counts_except_where_nobody_is() {
        for (variables, expected) in [("SSH_TTY=/dev/pts/0", true), ("CI=1", false), ("GIT_TERMINAL_PROMPT=0", false)] {
            assert_eq!(surroundings("linux", true, variables).way(true) == Way::Browser, expected, "{variables}");
        }
    }

    #[test]
    fn platforms() {
        for (system, variables, platform) in [
            ("linux", "", Platform::Unix),
            ("linux", "WSL_DISTRO_NAME=Debian", Platform::Wsl),
            ("freebsd", "", Platform::Unix),
            ("macos", "", Platform::MacOs),
            ("windows", "", Platform::Windows),
        ] {
            assert_eq!(surroundings(system, true, variables).platform(), platform);
        }
    }
}
