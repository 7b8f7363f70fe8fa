//! The man pages name every flag, command, setting, variable, step and reason, and nothing that is not there.

use std::collections::BTreeSet;

use git_keyless::config::SETTINGS;
use git_keyless::report::Step;

use crate::support::{Git, Repo};

/// A man page as a person reads it, near enough: no roff escapes.
fn page(name: &str) -> String {
    let path = format!("{}/man/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    text.replace("\\-", "-").replace("\\fB", "").replace("\\fI", "").replace("\\fR", "")
}

fn entries(page: &str) -> BTreeSet<&str> {
    let lines = page.lines().collect::<Vec<_>>();
    lines
        .windows(2)
        .filter(|pair| pair[0] == ".TP")
        .map(|pair| pair[1].split_once(' ').map_or(pair[1], |(_, rest)| rest))
        .collect()
}

#[test]
fn every_flag_and_command_has_its_entry() {
    let (page, repo) = (page("git-keyless.1"), Repo::init(&Git::installed(), "sha1"));
    let help = repo.keyless(["-h"]).ok();
    let (_, listed) = help.split_once("Commands:").unwrap();
    let commands: Vec<_> = listed
        .lines()
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').next())
        .filter(|word| !word.is_empty())
        .collect();
    assert!(commands.contains(&"verify") && commands.contains(&"show"), "{commands:?}");
    for command in commands {
        assert!(page.contains(&format!(".TP\n.B {command}\n")), "git-keyless.1 lacks the command {command}");
        let mut help = repo.keyless([command, "-h"]).ok();
        if command == "sandbox" {
            help += &repo.keyless([command, "token", "-h"]).ok();
        }
        let flags = help
            .split(|c: char| c.is_whitespace() || c == ',' || c == '[')
            .filter(|word| word.starts_with("--") && word.len() > 2);
        for flag in flags {
            let entry = [".BI {flag} ", ".B {flag}\n", "\" {flag}\n", ".BR {flag} \"", "\" {flag} \""]
                .map(|form| form.replace("{flag}", flag));
            assert!(entry.iter().any(|entry| page.contains(entry.as_str())), "git-keyless.1 lacks {flag} of {command}");
        }
    }
}

#[test]
fn every_setting_and_variable_has_its_entry() {
    let page = page("git-keyless.1");
    let written: BTreeSet<_> = page.lines().filter_map(|line| line.strip_prefix(".B keyless.")).collect();
    for setting in &SETTINGS {
        let name = setting.key.strip_prefix("keyless.").unwrap();
        assert!(page.contains(&format!(".TP\n.B {}\n", setting.key)), "git-keyless.1 lacks {}", setting.key);
        assert!(written.contains(name));
        assert!(setting.variable.is_none_or(|variable| page.contains(variable)), "{:?}", setting.variable);
    }
}

/// A macro takes its whole line, and sets words that no quotes hold together without the blanks between them.
#[test]
fn no_sentence_stands_behind_a_macro() {
    for name in ["git-keyless.1", "git-keyless-verification.7"] {
        let page = page(name);
        let alternating =
            page.lines().filter(|line| [".BR ", ".IR ", ".RB ", ".RI ", ".BI "].iter().any(|of| line.starts_with(of)));
        // Every other part is in quotes.
        let bare = |line: &str| line[4..].split('"').step_by(2).any(|part| part.split_whitespace().count() > 3);
        let wrong: Vec<_> = alternating.filter(|line| bare(line)).collect();
        assert!(wrong.is_empty(), "{name}: {wrong:#?}");
    }
}

#[test]
fn every_reason_and_step_has_its_entry_and_none_is_invented() {
    let page = page("git-keyless-verification.7");
    let source = include_str!("../src/report/reason.rs");
    let (_, code) = source.split_once("pub fn code(&self)").unwrap();
    let (code, _) = code.split_once("/// Whether it says").unwrap();
    let codes: BTreeSet<_> = code.split("=> \"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(codes.len() > 50, "{codes:?}");
    let (_, reasons) = page.split_once(".SH REASONS").unwrap();
    let written: BTreeSet<_> =
        entries(reasons).iter().filter_map(|entry| entry.split_once(' ').map(|(code, _)| code)).collect();
    assert_eq!(written, codes);
    for step in Step::ALL {
        assert!(page.contains(&format!(".B {} {}\n", step.number(), step.name())), "{}", step.name());
    }
}
