//! `--from-gitsign`: what gitsign is configured with, as settings of ours. Its own settings stay as they are.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::text;
use crate::commands::Stop;
use crate::commands::print;
use crate::config::{Foreign, SIGNING_CONFIG, TRUSTED_ROOT};
use crate::format::{hex, printable};
use crate::key;
use crate::outside::git::{self, Seen};
use crate::outside::repo::ConfigValue;
use crate::trust::parts;

/// Settings to make, and the file that they name.
#[derive(Debug, Default)]
pub(super) struct Taken {
    pub(super) wanted: Vec<(&'static str, String)>,
    file: Option<(PathBuf, String)>,
}

impl Taken {
    /// What there is, said aloud: what is taken is shown with everything that is set, what is left here.
    pub(super) fn read(foreign: &Foreign, own_instance: bool, owner: Option<&Path>) -> Result<Self, Stop> {
        let mut taken = Self::default();
        for mapped in foreign.mapped(own_instance) {
            match mapped.ours {
                Ok((key, value)) => taken.wanted.push((key, value)),
                Err(why) => print(&format!("left: {} in {}: {why}", mapped.name, printable(&mapped.place)))?,
            }
        }
        if own_instance {
            return Ok(taken);
        }
        let Some(config) = foreign.signing_config().map_err(Stop::new)? else { return Ok(taken) };
        let root = foreign.trusted_root(owner).map_err(Stop::new)?;
        let keys: &[&'static str] = if root.is_some() { &[TRUSTED_ROOT, SIGNING_CONFIG] } else { &[SIGNING_CONFIG] };
        let json = match root {
            Some(root) => parts::client_trust_config(&value(&root)?, &value(&config)?).to_string(),
            None => config,
        };
        let path = folder()?.join(format!("{PREFIX}{}.json", hex(&key::sha256(json.as_bytes())[..8])));
        let name = text(path.clone())?;
        taken.wanted.extend(keys.iter().map(|key| (*key, name.clone())));
        taken.file = Some((path, json));
        Ok(taken)
    }

    /// Writes the file, whole or not at all, unless it is there with that content.
    pub(super) fn write(&self) -> Result<(), Stop> {
        let Some((path, json)) = &self.file else { return Ok(()) };
        if fs::read(path).is_ok_and(|there| there == json.as_bytes()) {
            return Ok(());
        }
        let failed = |error: std::io::Error| Stop::new(format!("{}: {error}", path.display()));
        let folder = path.parent().unwrap_or(Path::new("."));
        let mut private = fs::DirBuilder::new();
        private.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut private, 0o700);
        private.create(folder).map_err(failed)?;
        let aside = path.with_extension(hex(&key::random::<8>().map_err(Stop::new)?));
        let written = fs::File::create_new(&aside)
            .and_then(|mut file| file.write_all(json.as_bytes()).and_then(|()| file.sync_all()))
            .and_then(|()| fs::rename(&aside, path));
        written.map_err(|error| {
            let _ = fs::remove_file(&aside);
            failed(error)
        })
    }
}

/// What everybody on this machine has of it: its own file says so, and nobody's variables.
pub(super) fn of_machine() -> Result<Foreign, Stop> {
    let ours = |seen: &Seen| seen.scope == "system" && seen.key.starts_with("gitsign.");
    let value = |Seen { key, value, origin, .. }: Seen| ConfigValue { key, value, place: origin };
    let values: Vec<_> = git::seen().map_err(Stop::new)?.into_iter().filter(ours).map(value).collect();
    Foreign::new(&values, |_| None).map_err(Stop::new)
}

/// Whether set-up wrote this file. It stays for good: other repositories may name the same one.
pub(super) fn wrote(name: &str) -> bool {
    let path = Path::new(name);
    let is_ours = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with(PREFIX);
    path.parent() == folder().ok().as_deref() && path.file_name().is_some_and(is_ours) && path.exists()
}

const PREFIX: &str = "gitsign-";

fn folder() -> Result<PathBuf, Stop> {
    let home = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = home("XDG_CONFIG_HOME").or_else(|| Some(home("HOME")?.join(".config")));
    base.map(|base| base.join("git-keyless"))
        .ok_or_else(|| Stop::new("neither XDG_CONFIG_HOME nor HOME says where to write gitsign's instance"))
}

fn value(json: &str) -> Result<serde_json::Value, Stop> {
    serde_json::from_str(json).map_err(Stop::new)
}
