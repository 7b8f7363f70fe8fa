//! Writes `tests/vectors/good` anew: real objects by real servers, for tests that have neither. See
//! `tests/vectors/README.md`.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::suite::good::{odd_texts, pushed, signing};
use crate::suite::judge::{Expected, check_good_bytes};
use crate::suite::stack::{DEV, PEOPLE, Person, Route, Stack};
use crate::support::{Git, PROGRAM, Repo, answer_to};

struct Writer {
    folder: PathBuf,
    stack: &'static Stack,
    trust: &'static str,
}

impl Writer {
    fn new(stack: &'static Stack, trust: &'static str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/good");
        std::fs::create_dir_all(&folder).unwrap();
        let root: Value = serde_json::from_slice(&std::fs::read(stack.trusted_root()).unwrap()).unwrap();
        std::fs::write(folder.join(trust), format!("{root:#}\n")).unwrap();
        Self { folder, stack, trust }
    }

    fn repo(&self, hash: &str, route: Route, person: &Person) -> Repo {
        signing(&Git::installed(), hash, self.stack, route, person)
    }

    /// A fresh signed commit of one repository and its tag.
    fn pair(&self, name: &str, hash: &str, route: Route, person: &Person, comment: &str) {
        let repo = self.repo(hash, route, person);
        repo.commit_file("file", "content\n", "A commit\n\nWith a body.");
        repo.ok(["tag", "-a", "-m", "A release", "v1.0"]);
        self.write(&repo, name, "HEAD", route, person, comment);
        self.write(&repo, &format!("{name}-tag"), "v1.0", route, person, comment);
    }

    fn write(&self, repo: &Repo, name: &str, rev: &str, route: Route, person: &Person, comment: &str) {
        let (kind, raw) = repo.raw(rev);
        self.write_bytes(repo, name, &kind, &raw, Some(&repo.id(rev)), route, person, comment);
    }

    #[allow(clippy::too_many_arguments)]
    fn write_bytes(
        &self,
        repo: &Repo,
        name: &str,
        kind: &str,
        raw: &[u8],
        id: Option<&str>,
        route: Route,
        person: &Person,
        comment: &str,
    ) {
        check_good_bytes(repo, kind, raw, Expected { stack: self.stack, route, person });
        let mut verify = repo.command(PROGRAM);
        verify.args(["verify", "--json", "--object", "-"]);
        let report: Value = serde_json::from_str(&answer_to(verify, raw).text()).unwrap();
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let mut lines = vec![("expect", "good".to_owned()), ("type", kind.to_owned())];
        lines.extend(id.map(|id| ("object", id.to_owned())));
        // Verified times have their seconds; a whole one behind the last of them is still this moment.
        lines.push(("at", repo.ok(["log", "-1", "--format=%cd", "--date=format-local:%Y-%m-%dT%H:59:59Z", "HEAD"])));
        lines.push(("subject", person.subject.to_owned()));
        lines.push(("subject-type", person.kind.to_owned()));
        lines.push(("issuer", self.stack.issuer(person)));
        for time in report["times"].as_array().unwrap() {
            lines.push(("time", format!("{} {}", text(&time["source"]), text(&time["time"]))));
        }
        for entry in report["entries"].as_array().unwrap() {
            lines
                .push(("entry", format!("{} {} {}", text(&entry["kind"]), text(&entry["index"]), text(&entry["log"]))));
        }
        lines.push(("trust", format!("good/{}", self.trust)));
        lines.push((
            "source",
            format!("tests/real/vectors.rs, servers of tests/real/stack/install.sh, git {}", repo.git.version),
        ));
        lines.push(("comment", comment.to_owned()));
        let header: String = lines.iter().map(|(key, value)| format!("{key}: {value}\n")).collect();
        std::fs::write(self.folder.join(format!("{name}.txt")), header).unwrap();
        std::fs::write(self.folder.join(format!("{name}.object")), raw).unwrap();
    }
}

#[test]
#[ignore = "writes tests/vectors/good anew"]
fn write_good_vectors() {
    let (Some(stack), Some(without)) = (Stack::shared(), Stack::without_ct()) else { return };
    let writer = Writer::new(stack, "trusted_root.json");
    writer.pair("v1", "sha1", Route::V1, &DEV, "Rekor v1, the promise gives the time");
    writer.pair("v1-token", "sha1", Route::V1Token, &DEV, "Rekor v1 and a timestamp token");
    writer.pair("v2-token", "sha1", Route::V2, &DEV, "Rekor v2, the token gives the time");
    writer.pair("sha256-v1", "sha256", Route::V1, &DEV, "a repository with SHA-256");
    writer.pair("sha256-v2", "sha256", Route::V2, &DEV, "a repository with SHA-256, Rekor v2");
    for person in &PEOPLE[1..] {
        let repo = writer.repo("sha1", Route::V1, person);
        repo.commit("Signed as somebody else");
        writer.write(
            &repo,
            &format!("identity-{}", person.provider),
            "HEAD",
            Route::V1,
            person,
            "another form of identity",
        );
    }

    let repo = writer.repo("sha1", Route::V1, &DEV);
    for (name, message) in odd_texts() {
        let path = repo.file("message", &message);
        let tree = repo.ok(["write-tree"]);
        let commit = repo.ok(["commit-tree", "-S", "-F", path.to_str().unwrap(), &tree]);
        repo.ok(["update-ref", "HEAD", &commit]);
        writer.write(&repo, &format!("message-{name}"), &commit, Route::V1, &DEV, "a message that is no tidy line");
    }
    repo.ok(["commit", "-q", "--allow-empty", "--allow-empty-message", "-m", ""]);
    writer.write(&repo, "message-empty", "HEAD", Route::V1, &DEV, "no message at all");
    let path = repo.file("message", b"na\xefve caf\xe9\n");
    let latin = ["-c", "i18n.commitEncoding=ISO-8859-1", "commit", "-q", "--allow-empty", "-F", path.to_str().unwrap()];
    repo.ok(latin);
    writer.write(&repo, "encoding-iso-8859-1", "HEAD", Route::V1, &DEV, "an encoding header");

    let repo = writer.repo("sha1", Route::V2, &DEV);
    repo.commit("base");
    repo.ok(["switch", "-q", "-c", "side"]);
    repo.commit("side");
    repo.ok(["tag", "-a", "-m", "A tag that is merged", "v3"]);
    repo.ok(["switch", "-q", "main"]);
    repo.ok(["merge", "-q", "--no-ff", "-m", "Merge a signed tag", "v3"]);
    writer.write(&repo, "merge-of-signed-tag", "HEAD", Route::V2, &DEV, "the tag stands in a mergetag header");

    for (name, route) in [("push-certificate-v1", Route::V1), ("push-certificate-v2", Route::V2)] {
        let repo = writer.repo("sha1", route, &DEV);
        repo.commit("one");
        let (certificate, _) = pushed(&repo);
        writer.write_bytes(&repo, name, "push-certificate", &certificate, None, route, &DEV, "of git push --signed");
    }

    let writer = Writer::new(without, "trusted_root_no_ct.json");
    writer.pair("no-ct-v1", "sha1", Route::V1, &DEV, "an instance without certificate transparency");
    writer.pair("no-ct-v2", "sha1", Route::V2, &DEV, "an instance without certificate transparency, Rekor v2");
}
