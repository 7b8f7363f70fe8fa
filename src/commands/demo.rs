//! `git keyless demo`: the main job in a minute, with the real git, on a sandbox, in a room of its own.
//!
//! Every command is really run and its answer is compared with what it must be: a demo that shows something else has
//! failed, and says so.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use super::{Stop, print, stopped};
use crate::cli;
use crate::format::{hex, printable};
use crate::key;
use crate::outside::folder::Folder;
use crate::outside::{git, process};
use crate::sandbox::{Options, Rekor, Sandbox};

/// Runs it. 0 when everything went as it must, 2 when it did not.
pub fn run(args: &cli::Demo) -> ExitCode {
    match demo(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(stop) => stopped(&stop),
    }
}

fn demo(args: &cli::Demo) -> Result<(), Stop> {
    let git = git::version().map_err(Stop::new)?;
    let place = Place::new(args.keep.as_deref())?;
    print(&format!(
        "This is git-keyless with {git}. It runs a sandbox of Sigstore on this machine, signs with the real git, and\n\
         verifies. Nothing leaves this machine, and your own git configuration is neither read nor changed."
    ))?;
    let program =
        std::env::current_exe().map_err(|error| Stop::new(format!("this program cannot find itself: {error}")))?;
    let directory = place.path("sandbox");
    let options = Options { directory, rekor: Rekor::V1, failing: Vec::new(), program };
    let sandbox = Sandbox::start(&options).map_err(Stop::new)?;
    let room = Room::new(&place, &sandbox)?;
    sign(&room)?;
    verify(&room)?;
    tamper(&room)?;
    somebody_else(&room)?;
    end(&place)
}

fn sign(room: &Room) -> Result<(), Stop> {
    title("1. Alice signs")?;
    print(
        "For each signature she proves who she is (here: the sandbox believes her), gets a certificate for ten minutes,\n\
         and the log's proof goes into the commit. There is no key to keep.",
    )?;
    room.shows(&["commit", "-q", "--allow-empty", "-S", "-m", "first"], 0, "")?;
    room.shows(&["commit", "-q", "--allow-empty", "-S", "-m", "second"], 0, "")?;
    room.shows(&["tag", "-s", "-m", "the first release", "v1.0"], 0, "")
}

fn verify(room: &Room) -> Result<(), Stop> {
    title("2. Anybody verifies, without any network")?;
    print("The certificate is long worthless for signing; the proofs inside say that it was good when it was used.")?;
    room.shows(&["verify-commit", "HEAD"], 0, "good signature by alice@example.com")?;
    room.shows(&["verify-tag", "v1.0"], 0, "good signature by alice@example.com")?;
    room.shows(&["log", "-1", "--show-signature"], 0, "good signature by alice@example.com")
}

fn tamper(room: &Room) -> Result<(), Stop> {
    title("3. Somebody changes a commit and keeps its signature")?;
    let commit = room.quietly(&["cat-file", "commit", "HEAD"], None)?;
    let tampered = commit.replace("\nsecond", "\nsecond, and a back door");
    let id = room.quietly(&["hash-object", "-t", "commit", "-w", "--stdin"], Some(&tampered))?;
    let id = id.trim().get(..12).unwrap_or_default().to_owned();
    room.shows(&["verify-commit", &id], 1, "the content was changed")?;
    print("git refuses it, and shows B for bad:")?;
    room.shows(&["log", "-1", "--format=%G? %s", &id], 0, "B second, and a back door")
}

fn somebody_else(room: &Room) -> Result<(), Stop> {
    title("4. Bob signs, whom nobody has named")?;
    print(
        "His signature is as good as hers. Who may sign is another question, and yours to answer: keyless.trustedIdentity",
    )?;
    room.shows(&["-c", "user.email=bob@example.com", "commit", "-q", "--allow-empty", "-S", "-m", "by Bob"], 0, "")?;
    room.shows(&["log", "--format=%h %G? %GS %s"], 0, "U bob@example.com")?;
    print("G is good and accepted, U is good and by somebody unknown. Where it matters, git refuses U:")?;
    room.shows(
        &["-c", "gpg.minTrustLevel=fully", "verify-commit", "HEAD"],
        1,
        "nobody has said that this identity is accepted",
    )
}

fn end(place: &Place) -> Result<(), Stop> {
    title("That was it")?;
    match place.temporary.is_none() {
        false => print("Run it with --keep DIR to keep repository and sandbox and play with them."),
        true => {
            let (sandbox, repository) = (place.path("sandbox"), place.path("repository"));
            print(&format!(
                "The repository is {0}. Start the sandbox again to sign in it:\n\n  git keyless sandbox --dir '{1}' &\n  cd '{0}' && git commit -S --allow-empty -m mine && git log --show-signature",
                repository.display(),
                sandbox.display()
            ))
        }
    }
}

/// Where all of it lives: a folder that goes away, or one to keep.
struct Place {
    root: PathBuf,
    temporary: Option<Folder>,
}

impl Place {
    fn new(keep: Option<&Path>) -> Result<Self, Stop> {
        let failed = |path: &Path, error: io::Error| Stop::new(format!("{}: {error}", path.display()));
        let name = hex(&key::random::<8>().map_err(Stop::new)?);
        let temporary = keep.is_none().then(|| Folder::new(&name)).transpose().map_err(Stop::new)?;
        let root = keep.or_else(|| temporary.as_ref().map(Folder::path)).unwrap_or(Path::new(".")).to_path_buf();
        if root.read_dir().is_ok_and(|mut entries| entries.next().is_some()) {
            return Err(Stop::new(format!(
                "{} is not empty; name a folder that is, or that does not exist",
                root.display()
            )));
        }
        fs::create_dir_all(&root).map_err(|error| failed(&root, error))?;
        let place = Self { root: root.canonicalize().map_err(|error| failed(&root, error))?, temporary };
        for name in ["home", "repository"] {
            fs::create_dir(place.path(name)).map_err(|error| failed(&place.path(name), error))?;
        }
        Ok(place)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }
}

/// git with nothing of the user's around it.
struct Room {
    home: PathBuf,
    repository: PathBuf,
}

impl Room {
    fn new(place: &Place, sandbox: &Sandbox) -> Result<Self, Stop> {
        let room = Self { home: place.path("home"), repository: place.path("repository") };
        room.quietly(&["init", "-q", "-b", "main"], None)?;
        // The repository's own settings, so that it works for whoever keeps it.
        let include = sandbox.directory().join("gitconfig");
        for (key, value) in [
            ("user.name", "Alice"),
            ("user.email", "alice@example.com"),
            ("include.path", &include.to_string_lossy()),
            ("keyless.trustedIdentity", &format!("alice@example.com {}/email", sandbox.urls().oidc)),
        ] {
            room.quietly(&["config", key, value], None)?;
        }
        Ok(room)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("git");
        let path = std::env::var_os("PATH").unwrap_or_default();
        command.args(args).current_dir(&self.repository).env_clear().env("PATH", path).env("HOME", &self.home);
        command.envs([
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_TERMINAL_PROMPT", "0"),
            ("LC_ALL", "C.UTF-8"),
            ("TZ", "UTC"),
        ]);
        command.envs([
            ("GIT_CONFIG_GLOBAL", self.home.join(".gitconfig")),
            ("XDG_CONFIG_HOME", self.home.join(".config")),
        ]);
        command.stdin(Stdio::null());
        command
    }

    /// Prints the command and its answer, which must be `code` and hold `expected`.
    fn shows(&self, args: &[&str], code: i32, expected: &str) -> Result<(), Stop> {
        print(&format!("$ git {}", args.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")))?;
        let output = self.command(args).output().map_err(|error| Stop::new(format!("git cannot be run: {error}")))?;
        let answer = [output.stderr.as_slice(), output.stdout.as_slice()].map(String::from_utf8_lossy).concat();
        answer.lines().try_for_each(|line| print(&format!("    {}", printable(line))))?;
        match output.status.code() == Some(code) && answer.contains(expected) {
            true => Ok(()),
            false => Err(Stop::new(format!(
                "that was not to be expected: exit code {:?} instead of {code}; please report it",
                output.status.code()
            ))),
        }
    }

    /// What a command prints, if it succeeds.
    fn quietly(&self, args: &[&str], input: Option<&str>) -> Result<String, Stop> {
        let failed = |why: &dyn std::fmt::Display| Stop::new(format!("git {}: {why}", args.join(" ")));
        let input = input.unwrap_or_default().as_bytes();
        let output = process::fed(&mut self.command(args), input).map_err(|error| failed(&error))?;
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
            false => Err(failed(&String::from_utf8_lossy(&output.stderr))),
        }
    }
}

fn quoted(word: &str) -> String {
    if word.contains([' ', '?', '%']) { format!("'{word}'") } else { word.to_owned() }
}

fn title(text: &str) -> Result<(), Stop> {
    print(&format!("\n{text}\n"))
}
