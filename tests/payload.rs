//! Payload and signature are split as git splits them, bit by bit: git hands its own split to a recorder in our place.
//! Where git makes sense of an object that two readers could read in two ways, we must refuse it instead.

use git_keyless::format::object::{Kind, Object, ObjectFormat};

use crate::support::{Git, Repo};

const ARMOR: &str = "-----BEGIN SIGNED MESSAGE-----\nAAAA\n-----END SIGNED MESSAGE-----\n";

/// A repository whose verifier writes down what it is given.
fn recorder(git: &Git, hash: &str) -> Repo {
    let repo = Repo::init(git, hash);
    let script = repo.file("recorder", "#!/bin/sh\nwhile [ $# -gt 2 ]; do shift; done\ncat \"$1\" >\"$HOME/signature\"\ncat >\"$HOME/payload\"\necho\n");
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    for format in ["x509", "openpgp", "ssh"] {
        repo.config(&format!("gpg.{format}.program"), &script);
    }
    repo
}

/// What git split `raw` into; none when it called nobody.
fn by_git(repo: &Repo, kind: Kind, raw: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let kind = kind.name();
    let id = repo.run_with(["hash-object", "-t", kind, "-w", "--stdin", "--literally"], raw).ok();
    let files = ["payload", "signature"].map(|name| repo.home().join(name));
    files.iter().for_each(|file| drop(std::fs::remove_file(file)));
    repo.run([&format!("verify-{kind}"), &id]);
    let [payload, signature] = files.map(std::fs::read);
    payload.ok().zip(signature.ok())
}

fn header(name: &str, armor: &str) -> String {
    let lines: Vec<_> = armor.trim_end_matches('\n').split('\n').collect();
    format!("{name} {}\n", lines.join("\n "))
}

/// A commit whose signature header stands between `before` and `after`.
fn commit(hash: &str, before: &str, after: &str, message: &[u8]) -> Vec<u8> {
    let tree = if hash == "sha1" {
        "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
    } else {
        "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321"
    };
    let who = "A U Thor <author@example.test> 1700000000 +0000";
    let signature = header(if hash == "sha1" { "gpgsig" } else { "gpgsig-sha256" }, ARMOR);
    let mut raw = format!("tree {tree}\nauthor {who}\ncommitter {who}\n{before}{signature}{after}\n").into_bytes();
    raw.extend_from_slice(message);
    raw
}

fn tag(hash: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let target = if hash == "sha1" {
        "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
    } else {
        "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321"
    };
    let mut raw = format!(
        "object {target}\ntype tree\ntag v1\ntagger A U Thor <author@example.test> 1700000000 +0000\n{headers}\n"
    )
    .into_bytes();
    raw.extend_from_slice(body);
    raw
}

/// Every message that has ever made somebody's splitter stumble.
fn messages() -> Vec<Vec<u8>> {
    let long = format!("{}\n", "x".repeat(70_000));
    [
        &b"plain\n"[..],
        b"",
        b"no final newline",
        b"CRLF\r\nlines\r\n",
        b"lone\rCR\n",
        b"NUL \0 inside\n",
        b"latin1 \xe9\xff\n",
        b"\n\nleading and trailing empty lines\n\n\n",
        b"gpgsig not a header\n -----BEGIN\n",
        b"tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n",
        ARMOR.as_bytes(),
        long.as_bytes(),
    ]
    .map(<[u8]>::to_vec)
    .to_vec()
}

/// Headers in front of and behind the signature, and whether an object with them is ambiguous.
fn headers(hash: &str) -> Vec<(String, String, bool)> {
    let (own, foreign) = if hash == "sha1" { ("gpgsig", "gpgsig-sha256") } else { ("gpgsig-sha256", "gpgsig") };
    let sane = |before: &str, after: &str| (before.to_owned(), after.to_owned(), false);
    let odd = |before: &str, after: &str| (before.to_owned(), after.to_owned(), true);
    let mergetag = format!(
        "mergetag object {}\n type commit\n tag v0\n tagger x <x> 1 +0000\n \n inner\n {}",
        "0".repeat(40),
        ARMOR.trim_end().replace('\n', "\n ")
    );
    vec![
        sane("", ""),
        sane("encoding ISO-8859-1\n", ""),
        sane("", "encoding ISO-8859-1\n"),
        sane("change-id zyxwvutsrqponmlk\n", "x-extra a\n b\n"),
        sane(&format!("{mergetag}\n"), ""),
        sane(&header(foreign, ARMOR), ""),
        sane("", &header(foreign, ARMOR)),
        sane("", &format!("{}x-after y\n", header(foreign, ARMOR))),
        odd(&header(own, ARMOR), ""),
        odd("", &header(own, ARMOR)),
        odd("gpgsigfoo hidden\n hidden too\n", ""),
        odd("", "gpgsigfoo hidden\n"),
        odd("gpgsig-sha512 hidden\n", ""),
        odd("gpgsig\n", ""),
        odd(&header(foreign, ARMOR), &header(foreign, ARMOR)),
    ]
}

#[test]
fn commits_are_split_as_git_does_or_refused() {
    for git in Git::all() {
        for (hash, format) in [("sha1", ObjectFormat::Sha1), ("sha256", ObjectFormat::Sha256)] {
            let repo = recorder(&git, hash);
            let mut compared = 0;
            let plain = b"plain\n".to_vec();
            let by_header = headers(hash).into_iter().map(|header| (header, plain.clone()));
            let by_message = messages().into_iter().map(|message| ((String::new(), String::new(), false), message));
            for ((before, after, ambiguous), message) in by_header.chain(by_message) {
                let raw = commit(hash, &before, &after, &message);
                let object = Object::split(raw.clone(), Kind::Commit, format, None);
                assert_eq!(
                    object.fault().is_some(),
                    ambiguous,
                    "{} {hash} {before:?} {after:?}: {:?}",
                    git.version,
                    object.fault()
                );
                if !ambiguous {
                    let split = (object.payload().to_vec(), object.signature().to_vec());
                    assert_eq!(
                        by_git(&repo, Kind::Commit, &raw),
                        Some(split),
                        "{} {hash} {before:?} {after:?} {message:?}",
                        git.version
                    );
                    compared += 1;
                }
            }
            assert!(compared > 15);
        }
    }
}

#[test]
fn tags_are_split_as_git_does_or_refused() {
    for git in Git::all() {
        for (hash, format) in [("sha1", ObjectFormat::Sha1), ("sha256", ObjectFormat::Sha256)] {
            let repo = recorder(&git, hash);
            let (own, foreign) = if hash == "sha1" { ("gpgsig", "gpgsig-sha256") } else { ("gpgsig-sha256", "gpgsig") };
            let pgp = "-----BEGIN PGP SIGNATURE-----\nAAAA\n-----END PGP SIGNATURE-----\n";
            let signed = |body: &str| format!("{body}{ARMOR}").into_bytes();
            let mut cases: Vec<_> = messages()
                .into_iter()
                .filter(|m| m.ends_with(b"\n") || m.is_empty())
                .map(|m| (String::new(), [&m, ARMOR.as_bytes()].concat(), false))
                .collect();
            cases.push((String::new(), signed(pgp), false));
            cases.push((String::new(), signed("text\n"), false));
            cases.push((String::new(), [signed("text\n"), b"behind the armor\n".to_vec()].concat(), false));
            cases.push((String::new(), [signed("text\n"), pgp.as_bytes().to_vec()].concat(), false));
            cases.push((header(foreign, ARMOR), signed("text\n"), false));
            cases.push((header(own, ARMOR), signed("text\n"), true));
            cases.push((format!("{}{}", header(foreign, ARMOR), header(foreign, ARMOR)), signed("text\n"), true));
            cases.push(("gpgsigfoo hidden\n".to_owned(), signed("text\n"), true));
            for (headers, body, ambiguous) in cases {
                let raw = tag(hash, &headers, &body);
                let object = Object::split(raw.clone(), Kind::Tag, format, None);
                assert_eq!(object.fault().is_some(), ambiguous, "{} {hash} {headers:?}", git.version);
                if !ambiguous {
                    let split = (object.payload().to_vec(), object.signature().to_vec());
                    assert_eq!(
                        by_git(&repo, Kind::Tag, &raw),
                        Some(split),
                        "{} {hash} {headers:?} {:?}",
                        git.version,
                        String::from_utf8_lossy(&body)
                    );
                }
            }
        }
    }
}
