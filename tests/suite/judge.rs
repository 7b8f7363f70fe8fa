//! What a good object is, said by three judges: our own program, git through our program, and OpenSSL without it.

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

use super::stack::{Person, Route, Stack};
use crate::support::{self, Repo, answer_to};

/// What must be found in an object.
#[derive(Clone, Copy)]
pub(crate) struct Expected<'a> {
    pub(crate) stack: &'a Stack,
    pub(crate) route: Route,
    pub(crate) person: &'a Person,
}

impl Expected<'_> {
    /// Subject and issuer as git shows the signer.
    pub(crate) fn signer(&self) -> String {
        format!("{} {}", self.person.subject, self.stack.issuer(self.person))
    }
}

/// A commit or tag of a repository: good for `git keyless verify`, by name and by bytes, and for OpenSSL.
#[track_caller]
pub(crate) fn check_good(repo: &Repo, rev: &str, expected: Expected<'_>) {
    let judged = repo.keyless(["verify", "--json", rev]);
    assert_eq!(judged.code, 0, "{rev}: {}{}", judged.text(), judged.stderr);
    check_report(&judged.text(), expected);
    let (kind, raw) = repo.raw(rev);
    let report: Value = serde_json::from_str(&judged.text()).unwrap();
    assert_eq!((report["type"].as_str(), report["rev"].as_str()), (Some(kind.as_str()), Some(rev)));
    assert_eq!(report["object"].as_str(), Some(repo.id(rev).as_str()));
    check_good_bytes(repo, &kind, &raw, expected);
}

/// Raw bytes, which `git keyless verify --object` judges outside any repository.
#[track_caller]
pub(crate) fn check_good_bytes(repo: &Repo, kind: &str, raw: &[u8], expected: Expected<'_>) {
    let mut command = repo.git.command(repo.home(), repo.home(), support::PROGRAM);
    command.args(["verify", "--json", "--object", "-", "--trusted-root"]).arg(expected.stack.trusted_root());
    command.args(["--identity", expected.person.subject, "--issuer", &expected.stack.issuer(expected.person)]);
    let judged = answer_to(command, raw);
    assert_eq!(judged.code, 0, "{}{}", judged.text(), judged.stderr);
    let report = check_report(&judged.text(), expected);
    assert_eq!(report["trust"], "fully", "{report}");
    let (payload, signature) = support::split(kind, raw);
    check_openssl(repo.home(), &payload, &signature, expected.route);
}

fn check_report(line: &str, Expected { stack, route, person }: Expected<'_>) -> Value {
    let report: Value = serde_json::from_str(line).unwrap();
    assert_eq!((&report["verdict"], &report["reason"]), (&"good".into(), &Value::Null), "{report}");
    let identity =
        serde_json::json!({ "subject": person.subject, "subject_type": person.kind, "issuer": stack.issuer(person) });
    assert_eq!(report["identity"], identity);
    let texts = |list: &Value, key: &str| -> Vec<String> {
        list.as_array().unwrap().iter().map(|item| item[key].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(texts(&report["times"], "source"), route.sources(), "{report}");
    assert_eq!(texts(&report["entries"], "kind"), [route.kind()], "{report}");
    let has_ct = !std::fs::read_to_string(stack.trusted_root()).unwrap().contains("\"ctlogs\": []");
    for (check, step) in report["checks"].as_array().unwrap().iter().zip(1..) {
        let wanted: &[&str] = match step {
            4 if !has_ct => &["not-required"],
            9 => &["passed", "not-required"],
            _ => &["passed"],
        };
        assert!(wanted.contains(&check["result"].as_str().unwrap()), "{check}");
    }
    report
}

/// The CMS verifies over the payload for a reader that shares no code with ours, and holds what this route needs.
#[track_caller]
fn check_openssl(folder: &Path, payload: &[u8], signature: &[u8], route: Route) {
    if !has_openssl() {
        return;
    }
    let (content, cms) = (folder.join("openssl.payload"), folder.join("openssl.pem"));
    std::fs::write(&content, payload).unwrap();
    let armor = String::from_utf8(signature.to_vec()).unwrap();
    assert!(armor.starts_with("-----BEGIN SIGNED MESSAGE-----\n") && armor.ends_with("-----END SIGNED MESSAGE-----\n"));
    assert!(armor.lines().all(|line| line.len() <= 64));
    std::fs::write(&cms, armor.replace("SIGNED MESSAGE", "CMS")).unwrap();
    let openssl = |args: &[&str]| {
        let output = Command::new("openssl").args(args).arg("-in").arg(&cms).output().unwrap();
        assert!(output.status.success(), "openssl {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    let content = content.to_str().unwrap();
    let verified =
        openssl(&["cms", "-verify", "-binary", "-inform", "PEM", "-content", content, "-noverify", "-purpose", "any"]);
    assert_eq!(verified, payload);
    let printed =
        String::from_utf8_lossy(&openssl(&["cms", "-cmsout", "-print", "-noout", "-inform", "PEM"])).into_owned();
    let has = |what: &str| printed.contains(what);
    assert!(has("1.3.6.1.4.1.57264.3.1"), "no log entry inside: {printed}");
    assert_eq!(has("id-smime-aa-timeStampToken"), route.sources().contains(&"timestamp"), "{printed}");
    let leaves = printed.matches("d.certificate").count();
    assert_eq!(leaves, 1 + usize::from(has("id-smime-aa-timeStampToken") && leaves > 1), "{printed}");
}

/// SHA-1 of the leaf, upper-case hexadecimal without colons, as OpenSSL computes it.
pub(crate) fn fingerprint(repo: &Repo, rev: &str) -> Option<String> {
    if !has_openssl() {
        return None;
    }
    let (kind, raw) = repo.raw(rev);
    let armor = String::from_utf8(support::split(&kind, &raw).1).unwrap().replace("SIGNED MESSAGE", "PKCS7");
    let mut certificates = Command::new("openssl");
    certificates.args(["pkcs7", "-print_certs"]);
    let mut digest = Command::new("openssl");
    digest.args(["x509", "-noout", "-fingerprint", "-sha1"]);
    let printed = answer_to(digest, &answer_to(certificates, armor.as_bytes()).stdout).text();
    Some(printed.split_once('=').expect("a fingerprint").1.replace(':', ""))
}

fn has_openssl() -> bool {
    static HAS: OnceLock<bool> = OnceLock::new();
    *HAS.get_or_init(|| {
        let has = support::installed("openssl").is_some();
        if !has {
            support::skipped("no openssl here: no second opinion on the CMS");
        }
        has
    })
}
