//! The house has floors: which file may name which module of ours, which crate, and what the pure half never names.
//!
//! Read from the sources as text, comments, strings and `#[cfg(test)]` items taken out; paths are what `use` trees
//! and expressions spell.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Everything that judges. None of it touches the world.
const PURE: [&str; 7] = ["format", "history", "key", "policy", "report", "trust", "verify"];
const ALL: [&str; 14] = [
    "audit", "cli", "commands", "config", "format", "history", "key", "outside", "policy", "report", "sandbox", "sign",
    "trust", "verify",
];

/// Which files, and which modules of ours they may name beside their own. The first row that fits counts.
const FLOORS: [(&str, &[&str]); 25] = [
    ("key.rs", &[]),
    ("format/", &[]),
    ("trust.rs", &["format", "key"]),
    ("trust/", &["format", "key", "trust"]),
    ("report.rs", &["format"]),
    ("report/", &["format"]),
    ("policy.rs", &["format", "report"]),
    ("policy/", &["format", "report"]),
    // The screen of nine steps hands its facts to the ninth; the eight files below it know nothing of identities
    // that are accepted.
    ("verify.rs", &["format", "key", "policy", "report", "trust"]),
    ("verify/", &["format", "key", "report", "trust"]),
    ("history.rs", &["format", "policy", "report", "trust", "verify"]),
    ("history/", &["format", "policy", "report", "trust", "verify"]),
    ("audit.rs", &["format", "history", "key", "outside", "policy", "report", "trust", "verify"]),
    ("audit/", &["format", "history", "key", "outside", "policy", "report", "trust", "verify"]),
    ("sign.rs", &["format", "key", "outside", "report", "trust", "verify"]),
    ("sign/", &["format", "key", "outside", "report", "trust", "verify"]),
    ("outside/", &["format"]),
    ("sandbox.rs", &["format", "key"]),
    ("sandbox/", &["format", "key"]),
    ("commands/", &ALL),
    ("cli.rs", &ALL),
    ("config.rs", &ALL),
    ("config/", &ALL),
    ("main.rs", &ALL),
    ("lib.rs", &[]),
];

/// Which crate is named where and nowhere else: files, or folders with everything in them.
const CRATES: [(&str, &[&str]); 23] = [
    ("apple_native_keyring_store", &["outside/session"]),
    ("aws_lc_rs", &["key.rs"]),
    ("axum", &["sandbox"]),
    ("clap", &["cli.rs"]),
    ("clap_complete", &["cli.rs"]),
    ("gix", &["outside/repo"]),
    ("http_body_util", &["outside/oidc"]),
    ("hyper", &["outside/oidc"]),
    ("hyper_util", &["outside/oidc"]),
    ("keyring_core", &["outside/session"]),
    ("linux_keyutils", &["outside/session"]),
    ("openidconnect", &["outside/oidc"]),
    ("qrcode", &["outside/oidc"]),
    ("rcgen", &["sandbox"]),
    ("reqwest", &["outside/http"]),
    ("rustls_pki_types", &["sandbox", "trust.rs", "verify"]),
    // Commands are taken apart where they are run, and made where people copy them from.
    ("shlex", &["commands/mod.rs", "outside/oidc"]),
    ("signal_hook", &["outside/folder.rs"]),
    ("sigstore", &["outside/rekor/v1.rs"]),
    ("tokio", &["commands", "outside", "sandbox", "sign"]),
    ("webpki", &["trust.rs", "verify"]),
    ("windows_native_keyring_store", &["outside/session"]),
    ("zbus_secret_service_keyring_store", &["outside/session"]),
];

/// The clock, the disk, the network, the environment, other programs.
const WORLD: [&str; 8] = [
    "std::env",
    "std::fs",
    "std::net",
    "std::os",
    "std::process",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
];

const MOST_LINES: usize = 400;

struct Source {
    /// Below `src`, with `/`.
    name: String,
    code: String,
    paths: BTreeSet<String>,
}

impl Source {
    fn floor(&self) -> Option<&'static [&'static str]> {
        FLOORS.iter().find(|(files, _)| is_in(&self.name, files)).map(|(_, may)| *may)
    }

    /// `verify` of `verify/chain.rs` and of `verify.rs`.
    fn module(&self) -> &str {
        self.name.split(['/', '.']).next().unwrap()
    }

    /// Modules of ours that it names, without its own.
    fn names(&self) -> BTreeSet<&str> {
        let ours = self.paths.iter().filter_map(|path| path.strip_prefix("crate::"));
        ours.filter_map(|path| path.split("::").next())
            .filter(|name| *name != self.module() && name.starts_with(|c: char| c == '*' || c.is_ascii_lowercase()))
            .collect()
    }
}

fn is_in(name: &str, place: &str) -> bool {
    name == place || name == format!("{place}.rs") || name.starts_with(&format!("{}/", place.trim_end_matches('/')))
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found: Vec<_> = files(&root)
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/");
            let code = without_tests(&without_comments(&std::fs::read_to_string(&path).unwrap()));
            let paths = paths(&code).into_iter().map(|path| absolute(&path, &name)).collect();
            Source { name, code, paths }
        })
        .collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(found.len() > 20, "only {} files under {}", found.len(), root.display());
    found
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|ending| ending == "rs"))
        .collect()
}

#[test]
fn every_file_names_only_what_its_floor_may_name() {
    let mut wrong = Vec::new();
    for source in sources() {
        match source.floor() {
            None => wrong.push(format!("{} stands on no floor", source.name)),
            Some(may) => wrong.extend(
                source
                    .names()
                    .into_iter()
                    .filter(|name| !may.contains(name))
                    .map(|name| format!("{} may not name {name}", source.name)),
            ),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_crate_is_named_where_it_belongs() {
    let mut wrong = Vec::new();
    for source in sources() {
        for (name, places) in CRATES {
            let named = source.paths.iter().any(|path| path.split("::").next() == Some(name));
            if named && !places.iter().any(|place| is_in(&source.name, place)) {
                wrong.push(format!("{} may not name {name}; {places:?} may", source.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_pure_half_names_neither_clock_nor_disk_nor_network_nor_environment() {
    let mut wrong = Vec::new();
    for source in sources().into_iter().filter(|source| PURE.contains(&source.module())) {
        let of_the_world =
            |path: &str| WORLD.iter().any(|of| path == *of || path.starts_with(&format!("{of}::"))) || is_now(path);
        wrong.extend(
            source.paths.iter().filter(|path| of_the_world(path)).map(|path| format!("{}: {path}", source.name)),
        );
        wrong.extend(
            ["println!", "eprintln!", "print!", "eprint!", "dbg!", "async fn", ".await"]
                .iter()
                .filter(|word| source.code.contains(*word))
                .map(|word| format!("{}: {word}", source.name)),
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// `Timestamp::now` and its like: a clock, whosever it is.
fn is_now(path: &str) -> bool {
    path.ends_with("::now")
}

#[test]
fn asynchronous_code_is_entered_at_one_door() {
    let doors: Vec<_> = sources()
        .into_iter()
        .filter(|source| source.module() != "sandbox")
        .flat_map(|source| vec![source.name.clone(); source.code.matches("block_on(").count()])
        .collect();
    assert!(doors.len() <= 1, "block_on stands in {doors:?}");
    assert!(doors.iter().all(|name| is_in(name, "commands")), "block_on stands in {doors:?}");
}

#[test]
fn no_file_is_longer_than_one_can_read() {
    let lines = |source: &Source| source.code.lines().filter(|line| !line.trim().is_empty()).count();
    let long: BTreeMap<_, _> = sources()
        .iter()
        .map(|source| (source.name.clone(), lines(source)))
        .filter(|(_, lines)| *lines > MOST_LINES)
        .collect();
    assert!(long.is_empty(), "{long:?} have more than {MOST_LINES} lines of code");
}

/// A crate under the verifier is a decision: whoever takes one writes it into `pure_crates.txt`.
#[test]
fn the_pure_half_stands_on_the_crates_that_are_listed() {
    let tree = std::process::Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--locked", "--no-default-features", "--edges=normal", "--prefix=none"])
        .args(["--format={p}", "--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")])
        .output()
        .unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let words = |text: &str| -> BTreeSet<String> {
        let first = |line: &str| line.split_whitespace().next().map(str::to_owned);
        text.lines().filter(|line| !line.starts_with('#')).filter_map(first).collect()
    };
    let mut found = words(&String::from_utf8(tree.stdout).unwrap());
    found.remove(env!("CARGO_PKG_NAME"));
    let listed = words(include_str!("pure_crates.txt"));
    println!("{} crates under the pure half", found.len());
    let new: Vec<_> = found.difference(&listed).collect();
    let gone: Vec<_> = listed.difference(&found).collect();
    assert!(new.is_empty() && gone.is_empty(), "not listed: {new:?}; listed and gone: {gone:?}");
}

/// Comments go, strings and characters become empty; line ends stay.
fn without_comments(source: &str) -> String {
    let mut rest = source;
    let mut code = String::with_capacity(source.len());
    while let Some(first) = rest.chars().next() {
        let (taken, kept) = match first {
            '/' if rest.starts_with("//") => (rest.find('\n').unwrap_or(rest.len()), ""),
            '/' if rest.starts_with("/*") => (block_comment(rest), " "),
            '"' => (string(rest), "\"\""),
            'r' | 'b' | 'c' if is_raw_string(rest) && !code.ends_with(is_word) => (raw_string(rest), "\"\""),
            '\'' => character(rest).map_or((1, "'"), |length| (length, "' '")),
            _ => {
                code.push(first);
                rest = &rest[first.len_utf8()..];
                continue;
            }
        };
        code.push_str(kept);
        code.extend(rest[..taken].chars().filter(|c| *c == '\n'));
        rest = &rest[taken..];
    }
    code
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    loop {
        match text.get(at..at + 2) {
            Some("/*") => (depth, at) = (depth + 1, at + 2),
            Some("*/") => (depth, at) = (depth - 1, at + 2),
            None if at >= text.len() => return at,
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
}

fn string(text: &str) -> usize {
    let mut escaped = false;
    let end = text.char_indices().skip(1).find(|(_, c)| {
        let ends = *c == '"' && !escaped;
        escaped = *c == '\\' && !escaped;
        ends
    });
    end.map_or(text.len(), |(at, _)| at + 1)
}

fn is_raw_string(text: &str) -> bool {
    let rest = text.trim_start_matches(['b', 'c']);
    text.len() - rest.len() <= 1
        && rest.strip_prefix('r').is_some_and(|rest| rest.trim_start_matches('#').starts_with('"'))
}

fn raw_string(text: &str) -> usize {
    let open = text.find('"').unwrap() + 1;
    let end = format!("\"{}", "#".repeat(text[..open].matches('#').count()));
    text[open..].find(&end).map_or(text.len(), |at| open + at + end.len())
}

/// The length of a character literal; none for a lifetime.
fn character(text: &str) -> Option<usize> {
    let mut chars = text.char_indices().skip(1);
    let (_, first) = chars.next()?;
    if first == '\\' {
        return chars.skip(1).find(|(_, c)| *c == '\'').map(|(at, _)| at + 1);
    }
    chars.next().filter(|(_, c)| *c == '\'').map(|(at, _)| at + 1)
}

/// `#[cfg(test)]` with the item behind it.
fn without_tests(code: &str) -> String {
    const MARK: &str = "#[cfg(test)]";
    match code.split_once(MARK) {
        None => code.to_owned(),
        Some((before, item)) => format!("{before}{}", without_tests(&item[end_of_item(item)..])),
    }
}

/// Behind the first `;` or block outside brackets of any kind.
fn end_of_item(text: &str) -> usize {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            '{' | '(' | '[' => depth += 1,
            '}' | ')' | ']' => depth -= 1,
            _ => {}
        }
        if depth == 0 && matches!(c, ';' | '}') {
            return at + 1;
        }
    }
    text.len()
}

/// Every path that is spelled, trees of `use` taken apart.
fn paths(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut rest = code;
    while let Some(at) = rest.find(is_word) {
        let before = rest[..at].trim_end();
        let from = &rest[at..];
        let word = &from[..from.find(|c| !is_word(c)).unwrap_or(from.len())];
        if word == "use" {
            let tree = &from[word.len()..from.find(';').unwrap_or(from.len())];
            branches("", tree, &mut found);
            rest = &from[word.len() + tree.len()..];
            continue;
        }
        let path = &from[..from.find(|c| !is_word(c) && c != ':').unwrap_or(from.len())];
        let path = path.split(":::").next().unwrap().trim_end_matches(':');
        if path.contains("::") && !before.ends_with('.') {
            found.insert(path.to_owned());
        }
        rest = &from[path.len().max(word.len())..];
    }
    found
}

/// `a::{b, c::{d, e as f}}` is `a::b`, `a::c::d` and `a::c::e`.
fn branches(above: &str, tree: &str, found: &mut BTreeSet<String>) {
    let tree = tree.trim();
    match tree.split_once('{') {
        None => {
            let name = tree.split_whitespace().next().unwrap_or_default();
            found.insert(format!("{above}{}", name.trim_start_matches("::")));
        }
        Some((stem, inside)) => {
            let above = format!("{above}{}", stem.trim());
            let inside = inside.trim_end().trim_end_matches('}');
            parts(inside).into_iter().for_each(|part| branches(&above, part, found));
        }
    }
}

/// At the commas outside braces.
fn parts(list: &str) -> Vec<&str> {
    let (mut depth, mut from, mut found) = (0, 0, Vec::new());
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                found.push(&list[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    found.push(&list[from..]);
    found.into_iter().filter(|part| !part.trim().is_empty()).collect()
}

/// `super` and `self` resolved, and our own name as the binary spells it.
fn absolute(path: &str, file: &str) -> String {
    let mut module: Vec<&str> = file.trim_end_matches(".rs").split('/').collect();
    if matches!(module.last(), Some(&"mod" | &"lib" | &"main")) {
        module.pop();
    }
    let mut segments: Vec<&str> = path.split("::").collect();
    match segments.first() {
        Some(&"git_keyless" | &"crate") => segments.splice(..1, ["crate"]).for_each(drop),
        Some(&"self" | &"super") => {
            let ups = segments.iter().take_while(|segment| **segment == "super").count();
            let names = segments.iter().position(|segment| !matches!(*segment, "self" | "super"));
            let stem = &module[..module.len().saturating_sub(ups)];
            segments = [&["crate"], stem, &segments[names.unwrap_or(segments.len())..]].concat();
        }
        _ => {}
    }
    segments.join("::")
}

#[test]
fn the_reader_of_sources_reads() {
    let source = r##"
        use std::{fs, io::{self, Read as _}}; // use crate::a::X;
        use super::super::outside::http; /* crate::b /* crate::c */ crate::d */
        const S: &str = "crate::e \" crate::f"; const R: &str = r#"crate::g " crate::h"#;
        fn f<'a>(x: &'a str, c: char) -> bool { c == '"' || c == '\'' || crate::key::sha256(x) }
        #[cfg(test)]
        mod tests { use crate::sandbox::Y; fn g() { crate::z::q() } }
        fn h() { jiff::Timestamp::now(); x.a::<u8>(); for i in 0..1 { m::n(i) } }
    "##;
    let found: Vec<_> = paths(&without_tests(&without_comments(source)))
        .into_iter()
        .map(|path| absolute(&path, "verify/chain.rs"))
        .collect();
    let expected = ["std::fs", "std::io::self", "std::io::Read", "crate::outside::http", "crate::key::sha256"];
    let missing: Vec<_> = expected.iter().filter(|path| !found.contains(&(**path).to_owned())).collect();
    assert!(missing.is_empty(), "{missing:?} of {found:?}");
    let ours: Vec<_> = found.iter().filter(|path| path.starts_with("crate::")).collect();
    assert_eq!(ours.len(), 2, "{found:?}");
    assert!(found.iter().any(|path| is_now(path)), "{found:?}");
}
