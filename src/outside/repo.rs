//! Repositories: revisions to objects, and configuration as git itself would see it. The only file that names `gix`.
//!
//! Replacement references are never followed, and whoever judges an object computes its id again.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use gix::bstr::{BStr, ByteSlice as _};
use gix::config::{File, Source};

use crate::format::object::{Kind, MAX_OBJECT_BYTES, ObjectFormat};

/// An open repository.
pub struct Repository {
    inner: gix::Repository,
    /// From where it was found.
    directory: PathBuf,
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
        let mut inner = gix::ThreadSafeRepository::discover_with_environment_overrides(directory)
            .map_err(|error| Unreadable::NoRepository(error.to_string()))?
            .to_thread_local();
        inner.objects.ignore_replacements = true;
        Ok(Self { inner, directory: directory.to_path_buf() })
    }

    /// Whether git would work in it: it belongs to this user or to somebody that `safe.directory` names, and is not a
    /// bare one that somebody put into a tree, where `safe.bareRepository=explicit` forbids those.
    fn is_trusted(&self) -> bool {
        let bare_is_meant = || std::env::var_os("GIT_DIR").is_some() || !self.wants_explicit_bare();
        self.inner.git_dir_trust() == gix::sec::Trust::Full && (!self.is_implicit_bare() || bare_is_meant())
    }

    /// Found by looking around, and not as the `.git` of a checkout.
    fn is_implicit_bare(&self) -> bool {
        let git_dir = self.inner.git_dir();
        let of_a_checkout = git_dir.components().any(|part| part.as_os_str() == ".git");
        self.inner.workdir().is_none() && !of_a_checkout
    }

    /// `safe.bareRepository` counts only where no repository can set it.
    fn wants_explicit_bare(&self) -> bool {
        let snapshot = self.inner.config_snapshot();
        let protected =
            |meta: &gix::config::file::Metadata| meta.source.kind() != gix::config::source::Kind::Repository;
        let set = snapshot.plumbing().strings_filter("safe.bareRepository", protected).unwrap_or_default();
        let by_flag = command_line(&["safe"]).unwrap_or_default();
        let by_flag =
            by_flag.iter().filter(|value| value.key == "safe.barerepository").filter_map(|one| one.value.clone());
        let last = set.iter().map(|value| value.to_string()).chain(by_flag).last();
        last.is_some_and(|value| value == "explicit")
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
        if !self.is_trusted() {
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
        let trusted = self.is_trusted();
        let values = values(self.inner.config_snapshot().plumbing(), sections, trusted)?;
        // Nor may the owner of a repository that is not trusted own trust files.
        let git_dir = trusted.then(|| self.inner.common_dir().to_path_buf());
        Ok(Configuration { values, git_dir })
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
    /// False for a repository that git would not trust (`safe.directory`, `safe.bareRepository`).
    pub trusted: bool,
}

/// What git's configuration says, and whose repository it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Configuration {
    /// In the order in which later ones win: system, global, local, worktree, environment, command line.
    pub values: Vec<ConfigValue>,
    /// Where git keeps the repository's files; none outside of a repository that is trusted.
    pub git_dir: Option<PathBuf>,
}

/// All values of these sections. Without a repository what is left of them.
pub fn config(directory: &Path, sections: &[&str]) -> Result<Configuration, Unreadable> {
    let mut configuration = match Repository::discover(directory) {
        Ok(repository) => repository.config(sections)?,
        // A repository that is there and cannot be read may hold stricter settings: never go on without them.
        Err(error) if is_somewhere(directory) => return Err(Unreadable::Config(error.to_string())),
        Err(_) => Configuration { values: values(&globals()?, sections, true)?, git_dir: None },
    };
    configuration.values.extend(command_line(sections)?);
    Ok(configuration)
}

fn globals() -> Result<File, Unreadable> {
    let unreadable = |error: &dyn fmt::Display| Unreadable::Config(error.to_string());
    let mut file = File::from_globals().map_err(|error| unreadable(&error))?;
    let overrides = File::from_environment_overrides().map_err(|error| unreadable(&error))?;
    file.append(overrides).map_err(|error| unreadable(&error))?;
    Ok(file)
}

/// Whether git would find a repository from `directory`, readable or not.
fn is_somewhere(directory: &Path) -> bool {
    std::env::var_os("GIT_DIR").is_some() || gix::discover::upwards(directory).is_ok()
}

/// `local_counts` is whether the repository's own values may be used.
fn values(file: &File, sections: &[&str], local_counts: bool) -> Result<Vec<ConfigValue>, Unreadable> {
    let each = sections.iter().map(|section| values_of(file, section, local_counts));
    Ok(each.collect::<Result<Vec<_>, _>>()?.concat())
}

fn values_of(file: &File, section: &str, local_counts: bool) -> Result<Vec<ConfigValue>, Unreadable> {
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
            let local = meta.source.kind() == gix::config::source::Kind::Repository;
            let trusted = meta.trust == gix::sec::Trust::Full && (local_counts || !local);
            found.push(ConfigValue { key, value, place: place.clone(), trusted });
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

/// `git -c` reaches children in `GIT_CONFIG_PARAMETERS`, which the library does not read: words in shell quotes,
/// `'key'='value'`, or `'key=value'` before git 2.31.
fn command_line(sections: &[&str]) -> Result<Vec<ConfigValue>, Unreadable> {
    let Some(parameters) = std::env::var_os("GIT_CONFIG_PARAMETERS") else { return Ok(Vec::new()) };
    let wrong = || Unreadable::Config("GIT_CONFIG_PARAMETERS is not what git writes".into());
    let text = parameters.to_str().ok_or_else(wrong)?;
    let pairs = parse_parameters(text).ok_or_else(wrong)?;
    let is_asked_for = |key: &str| key.split_once('.').is_some_and(|(section, _)| sections.contains(&section));
    let key = |full: String| {
        // Section and name are case-insensitive, a subsection between them is not.
        let (section, rest) = full.split_once('.')?;
        let (middle, name) =
            rest.rsplit_once('.').map_or((String::new(), rest), |(middle, name)| (format!("{middle}."), name));
        Some(format!("{}.{middle}{}", section.to_lowercase(), name.to_lowercase()))
    };
    Ok(pairs
        .into_iter()
        .filter_map(|(full, value)| Some((key(full)?, value)))
        .filter(|(key, _)| is_asked_for(key))
        .map(|(key, value)| ConfigValue { key, value, place: "the command line (git -c)".into(), trusted: true })
        .collect())
}

fn parse_parameters(text: &str) -> Option<Vec<(String, Option<String>)>> {
    let mut pairs = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (word, after) = unquote(rest)?;
        match after.strip_prefix('=') {
            Some(after) if after.starts_with('\'') => {
                let (value, after) = unquote(after)?;
                pairs.push((word, Some(value)));
                rest = after;
            }
            Some(after) => {
                pairs.push((word, None));
                rest = after;
            }
            None => {
                let pair =
                    word.split_once('=').map_or((word.clone(), None), |(key, value)| (key.into(), Some(value.into())));
                pairs.push(pair);
                rest = after;
            }
        }
        if !rest.is_empty() && !rest.starts_with(' ') {
            return None;
        }
        rest = rest.trim_start();
    }
    Some(pairs)
}

/// One word in single quotes, with `'\''` and `'\!'` for what cannot stand in them; and what is behind it.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut rest = text.strip_prefix('\'')?;
    let mut word = String::new();
    loop {
        let (inside, after) = rest.split_once('\'')?;
        word.push_str(inside);
        let escaped = ["\\''", "\\!'"].iter().find_map(|escape| Some((escape, after.strip_prefix(escape)?)));
        let Some((escape, after)) = escaped else { return Some((word, after)) };
        word.push(if *escape == "\\''" { '\'' } else { '!' });
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_as_git_writes_them() {
        let pair = |key: &str, value: Option<&str>| (key.to_owned(), value.map(str::to_owned));
        assert_eq!(
            parse_parameters("'a.b'='c d' 'x.y'= 'old.style=v=w' 'k.l'"),
            Some(vec![pair("a.b", Some("c d")), pair("x.y", None), pair("old.style", Some("v=w")), pair("k.l", None),])
        );
        assert_eq!(parse_parameters(r"'a.b'='it'\''s'\!''"), Some(vec![pair("a.b", Some("it's!"))]));
        assert_eq!(parse_parameters(""), Some(vec![]));
        for broken in ["'a", "a.b=c", "'a'x", "'a.b'='c", "'a.b'='c'd"] {
            assert_eq!(parse_parameters(broken), None, "{broken}");
        }
    }
}
