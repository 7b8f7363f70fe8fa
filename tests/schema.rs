//! Every line of JSON is what the published schema says, and the schema is tight enough to mean something.

use git_keyless::key::Memo;
use git_keyless::policy::{Circumstance, Policy};
use git_keyless::trust::TrustRoot;
use git_keyless::verify::Verifier;
use serde_json::{Value, json};

use crate::cores::on_all_cores;
use crate::corpus;
use crate::report::{check, schema};
use crate::support::{Git, Repo};

#[test]
fn every_report_of_the_corpus_is_what_the_schema_says() {
    let Some(rows) = corpus::rows() else { return };
    let (root, memo, schema) = (TrustRoot::public_good().unwrap(), Memo::new(), schema());
    on_all_cores(&rows, |row| {
        let verified = Verifier::new(&root, &memo).verify(&row.object, corpus::now());
        check(&schema, &verified.report(&Policy::default(), &Circumstance::default()).to_json("HEAD"));
        None::<()>
    });
}

#[test]
fn what_cannot_be_read_is_a_line_too() {
    let repo = Repo::init(&Git::installed(), "sha1");
    let blob = repo.write("blob", b"x");
    let unsigned = repo.commit("unsigned");
    let answer = repo.keyless(["verify", "--json", &unsigned, &blob, "nowhere", "HEAD~99"]);
    assert_eq!(answer.code, 2, "{}", answer.stderr);
    let lines: Vec<Value> = answer.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let schema = schema();
    lines.iter().for_each(|line| check(&schema, line));
    let said: Vec<_> = lines
        .iter()
        .map(|line| {
            (line["rev"].as_str().unwrap(), line["reason"].as_str().or(line["error"]["code"].as_str()).unwrap())
        })
        .collect();
    assert_eq!(
        said,
        [
            (unsigned.as_str(), "signature-missing"),
            (blob.as_str(), "object-not-signable"),
            ("nowhere", "revision-unknown"),
            ("HEAD~99", "revision-unknown"),
        ]
    );
}

#[test]
fn the_schema_refuses_what_we_never_say() {
    let repo = Repo::init(&Git::installed(), "sha256");
    repo.commit("unsigned");
    let line: Value = serde_json::from_str(&repo.keyless(["verify", "--json"]).text()).unwrap();
    let schema = schema();
    check(&schema, &line);
    for (field, value) in [
        ("schema", json!(2)),
        ("verdict", json!("fine")),
        ("object", json!("abc")),
        ("reason", json!("Not Signed")),
        ("checks", json!([])),
        ("trust", json!(null)),
        ("surprise", json!(true)),
    ] {
        let mut wrong = line.clone();
        wrong[field] = value;
        assert!(!schema.is_valid(&wrong), "{field}");
    }
    let mut wrong = line.clone();
    wrong["checks"][0]["reason"] = json!(null);
    assert!(!schema.is_valid(&wrong), "a check that failed without reason");
}
