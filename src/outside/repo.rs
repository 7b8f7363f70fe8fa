//! Repositories: revisions to objects, and configuration as git itself would see it. With what is below it, the only file that names
//! `gix`.
//!
//! Replacement references are never followed, and whoever judges an object computes its id again.

mod around;
mod parameters;

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use gix::bstr::{BStr, ByteSlice as _};
use gix::config::{File, Source};
use gix::sec::Trust;
use gix::sec::trust::DefaultForLevel as _;

use self::around::{Around, discovery};
use self::parameters::command_line;
use crate::format::object::{Kind, MAX_OBJECT_BYTES, ObjectFormat};

/// An open repository.
pub struct Repository {
    inner: gix::Repository,
    /// From where it was found.
    directory: PathBuf,
    /// Whether git would work in it.
    trusted: bool,
}

/// Why something could not be read from a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// There is no repository here.
    NoRepository(String),
    /// The revision names nothing, or more than one thing.
    Revision(String),
    /// The object cannot be read.
    Object(String),
    /// A tree or a blob, which nobody signs.
    NotSigned {
        /// Its id, behind what was typed.
        id: String,
        /// What it is.
        kind: String,
    },
    /// The configuration cannot be read.
    Config(String),
}

impl Unreadable {
    /// With the revision as it was typed.
    pub fn asked_as(self, rev: &str) -> Self {
        match self {
            Self::NotSigned { id, kind } if id != rev => Self::NotSigned { id: format!("`{rev}` ({id})"), kind },
            other => other,
        }
    }

    /// A stable word for JSON.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoRepository(_) => "no-repository",
            Self::Revision(_) => "revision-unknown",
            Self::Object(_) => "object-unreadable",
            Self::NotSigned { .. } => "object-not-signable",
            Self::Config(_) => "config-unreadable",
        }
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRepository(why) => write!(f, "no git repository here: {why}"),
            Self::Revision(why) => write!(f, "{why}"),
            Self::Object(why) => write!(f, "the object cannot be read: {why}"),
            Self::NotSigned { id, kind } => write!(f, "{id} is a {kind}; only commits and annotated tags are signed"),
            Self::Config(why) => write!(f, "git's configuration cannot be read: {why}"),
        }
    }
}

/// What a revision names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Id in hexadecimal.
    pub id: String,
    /// The tag reference it was named by, without `refs/tags/`; none for `tag^{commit}` and the like.
    pub tag: Option<String>,
}

/// One object as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawObject {
    /// Commit or tag.
    pub kind: Kind,
    /// The repository's hash.
    pub format: ObjectFormat,
    /// The bytes, without git's header.
    pub raw: Vec<u8>,
}

impl Repository {
    /// The repository around `directory`, or the one that `GIT_DIR` names.
    pub fn discover(directory: &Path) -> Result<Self, Unreadable> {
        let directory = absolute(directory)?;
        Self::open(&directory, &Around::of(&directory)?)
    }

    fn open(directory: &Path, around: &Around) -> Result<Self, Unreadable> {
        let (found, trusted) = match around {
            Around::Nothing => {
                return Err(Unreadable::NoRepository("neither in this folder nor above it".to_owned()));
            }
            Around::Named(git_dir) => {
                let options = openings().full.open_path_as_is(true);
                (gix::ThreadSafeRepository::open_opts(git_dir, options), true)
            }
            Around::Trusted | Around::Untrusted(_) => (
                gix::ThreadSafeRepository::discover_opts(directory, discovery(), openings()),
                matches!(around, Around::Trusted),
            ),
        };
        let mut inner = found.map_err(|error| Unreadable::NoRepository(causes(&error)))?.to_thread_local();
        inner.objects.ignore_replacements = true;
        Ok(Self { inner, directory: directory.to_path_buf(), trusted })
    }

    /// The one object that `rev` names; an annotated tag is not peeled.
    pub fn resolve(&self, rev: &str) -> Result<Named, Unreadable> {
        let unknown = |why: String| Unreadable::Revision(format!("`{rev}` names no object here: {why}"));
        let spec = match self.inner.rev_parse(BStr::new(rev)) {
            Ok(spec) => spec,
            // References that the library cannot read (reftable): git can, where it is.
            Err(error) => return self.resolve_by_git(rev).ok_or_else(|| self.unresolved(rev, &error.to_string())),
        };
        let id = spec.single().ok_or_else(|| unknown("it names a range".into()))?.detach();
        let tag =
            spec.first_reference().filter(|reference| reference.target.try_id().is_some_and(|target| target == id));
        let tag = tag.and_then(|reference| {
            reference.name.as_bstr().strip_prefix(b"refs/tags/").map(|name| name.to_str_lossy().into_owned())
        });
        Ok(Named { id: id.to_string(), tag })
    }

    /// Why not, without what the library says of its own inside.
    fn unresolved(&self, rev: &str, error: &str) -> Unreadable {
        let born = !self.inner.head().is_ok_and(|head| head.is_unborn());
        Unreadable::Revision(match (born, error.contains("ambiguous")) {
            (_, true) => format!("`{rev}` names several objects here: give more of it"),
            (false, _) if rev.starts_with("HEAD") || rev.starts_with('@') => {
                format!("`{rev}` names no object here: there is no commit yet")
            }
            _ => format!("`{rev}` names no object here"),
        })
    }

    /// git looks for the repository itself, so that its own guards hold (`safe.directory`, `safe.bareRepository`), and
    /// fetches nothing: what it would run for that is the repository's to say.
    fn resolve_by_git(&self, rev: &str) -> Option<Named> {
        if !self.trusted {
            return None;
        }
        let ask = |format: &[&str]| {
            let mut git = Command::new("git");
            git.arg("-C").arg(&self.directory).args(["rev-parse", "--verify", "--quiet"]).args(format);
            git.env("GIT_NO_LAZY_FETCH", "1").env("GIT_ALLOW_PROTOCOL", "");
            let output =
                git.args(["--end-of-options", rev]).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
            let line = String::from_utf8(output.stdout).ok()?.trim_end().to_owned();
            (output.status.success() && !line.is_empty()).then_some(line)
        };
        let id = ask(&[])?;
        let name = ask(&["--symbolic-full-name"]).unwrap_or_default();
        Some(Named { id, tag: name.strip_prefix("refs/tags/").map(str::to_owned) })
    }

    fn config(&self, sections: &[&str]) -> Result<Configuration, Unreadable> {
        let values = values(self.inner.config_snapshot().plumbing(), sections)?;
        Ok(Configuration { values, git_dir: Some(self.inner.common_dir().to_path_buf()), untrusted: None })
    }

    /// The object with this id. One beyond [`MAX_OBJECT_BYTES`] is refused before it is unpacked.
    pub fn read(&self, id: &str) -> Result<RawObject, Unreadable> {
        let id = gix::ObjectId::from_hex(id.as_bytes()).map_err(|error| Unreadable::Object(error.to_string()))?;
        let header = self.inner.find_header(id).map_err(|error| Unreadable::Object(error.to_string()))?;
        if header.size() > MAX_OBJECT_BYTES as u64 {
            let why = format!("it has {} bytes, more than {MAX_OBJECT_BYTES}", header.size());
            return Err(Unreadable::Object(why));
        }
        let object = self.inner.find_object(id).map_err(|error| Unreadable::Object(error.to_string()))?;
        let kind = match object.kind {
            gix::object::Kind::Commit => Kind::Commit,
            gix::object::Kind::Tag => Kind::Tag,
            other => return Err(Unreadable::NotSigned { id: id.to_string(), kind: other.to_string() }),
        };
        let format = match id.kind() {
            gix::hash::Kind::Sha1 => ObjectFormat::Sha1,
            _ => ObjectFormat::Sha256,
        };
        Ok(RawObject { kind, format, raw: object.detach().data })
    }
}

/// One value of git's configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigValue {
    /// Section, subsection if any, name: as git prints it, names in lower case.
    pub key: String,
    /// None for a key without `=`.
    pub value: Option<String>,
    /// The file it is in, or the command line.
    pub place: String,
}

/// What git's configuration says, and whose repository it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Configuration {
    /// In the order in which later ones win: system, global, local, worktree, environment, command line.
    pub values: Vec<ConfigValue>,
    /// Where git keeps the repository's files; none outside of a repository that is trusted: nor may the owner of
    /// another one own trust files.
    pub git_dir: Option<PathBuf>,
    /// A repository that is here and that git would not trust (`safe.directory`, `safe.bareRepository`): nothing of its
    /// configuration was used.
    pub untrusted: Option<PathBuf>,
}

/// All values of these sections. Without a repository what is left of them. A repository that is there and cannot be read
/// may hold stricter settings: it is an error, and never gone on without.
pub fn config(directory: &Path, sections: &[&str]) -> Result<Configuration, Unreadable> {
    let directory = absolute(directory)?;
    let mut configuration = match Around::of(&directory)? {
        Around::Nothing => Configuration { values: values(&globals()?, sections)?, ..Configuration::default() },
        Around::Untrusted(git_dir) => {
            Configuration { values: values(&globals()?, sections)?, git_dir: None, untrusted: Some(git_dir) }
        }
        around => {
            let opened = Repository::open(&directory, &around).map_err(|error| match error {
                Unreadable::NoRepository(why) => Unreadable::Config(format!("{why}; git config --list names the file")),
                other => other,
            });
            opened?.config(sections)?
        }
    };
    configuration.values.extend(command_line(sections)?);
    Ok(configuration)
}

/// No more memory for an object, or for what it is a delta of, than objects may have. Nothing that a repository of another
/// owner includes is read.
fn openings() -> gix::sec::trust::Mapping<gix::open::Options> {
    let limited = |trust| {
        let options = gix::open::Options::default_for_level(trust);
        options.config_overrides([format!("gitoxide.objects.allocLimit={MAX_OBJECT_BYTES}")])
    };
    let mut secure = gix::open::Permissions::default_for_level(Trust::Reduced);
    secure.config.includes = false;
    gix::sec::trust::Mapping { full: limited(Trust::Full), reduced: limited(Trust::Reduced).permissions(secure) }
}

/// An error of the library with all that is behind it: the file that is at fault comes last.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

fn absolute(directory: &Path) -> Result<PathBuf, Unreadable> {
    std::path::absolute(directory)
        .map_err(|error| Unreadable::NoRepository(format!("{}: {error}", directory.display())))
}

fn globals() -> Result<File, Unreadable> {
    let unreadable = |error: &dyn std::error::Error| {
        Unreadable::Config(format!("{}; git config --list names the file", causes(error)))
    };
    let mut file = File::from_globals().map_err(|error| unreadable(&error))?;
    let overrides = File::from_environment_overrides().map_err(|error| unreadable(&error))?;
    file.append(overrides).map_err(|error| unreadable(&error))?;
    Ok(file)
}

fn values(file: &File, sections: &[&str]) -> Result<Vec<ConfigValue>, Unreadable> {
    let each = sections.iter().map(|section| values_of(file, section));
    Ok(each.collect::<Result<Vec<_>, _>>()?.concat())
}

fn values_of(file: &File, section: &str) -> Result<Vec<ConfigValue>, Unreadable> {
    let mut found = Vec::new();
    for one in file.sections_by_name(section).into_iter().flatten() {
        let subsection =
            one.header().subsection_name().map(|name| format!("{}.", name.to_str_lossy())).unwrap_or_default();
        let meta = one.meta();
        let place =
            meta.path.as_ref().map_or_else(|| source_name(meta.source).to_owned(), |path| path.display().to_string());
        let mut seen = std::collections::HashMap::<String, usize>::new();
        for name in one.value_names() {
            let name = name.to_lowercase();
            let nth = seen.entry(name.clone()).or_default();
            let value = nth_value(&one, &name, *nth);
            *nth += 1;
            let value = value.map(|value| value.to_str().map(str::to_owned)).transpose();
            let key = format!("{section}.{subsection}{name}");
            let value = value.map_err(|_| Unreadable::Config(format!("{key} in {place} is not UTF-8")))?;
            found.push(ConfigValue { key, value, place: place.clone() });
        }
    }
    Ok(found)
}

/// The library lists names with repetition and values per name.
fn nth_value(section: &gix::config::file::SectionRef<'_>, name: &str, nth: usize) -> Option<gix::bstr::BString> {
    match section.body().value_implicit(name) {
        Some(None) => None,
        _ => section.body().values(name).into_iter().nth(nth),
    }
}

fn source_name(source: Source) -> &'static str {
    match source {
        Source::Env | Source::EnvOverride => "the environment",
        Source::Cli | Source::Api => "the command line",
        _ => "git's configuration",
    }
}
