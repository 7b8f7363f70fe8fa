//! Bytes that a repository gives under an id that is not theirs: a loose file that was exchanged, a pack whose index lies.

use std::path::PathBuf;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use git_keyless::format::hex;
use git_keyless::key::sha1_of;

use crate::support::{Git, PROGRAM, Repo};

/// A signed commit of a repository's and another one that nobody signed, both of the same length of id.
struct Two {
    repo: Repo,
    signed: Vec<u8>,
    id: String,
}

fn two() -> Two {
    let repo = Repo::init(&Git::installed(), "sha1");
    let good = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/good");
    let root = repo.file("root.json", std::fs::read(good.join("trusted_root.json")).unwrap());
    repo.config("keyless.trustedRoot", root);
    repo.config("gpg.x509.program", PROGRAM);
    repo.config("keyless.trustedIdentity", "dev@example.test http://127.0.0.1:26280/email");
    let id = repo.commit("what was reviewed");
    Two { repo, signed: std::fs::read(good.join("v1.object")).unwrap(), id }
}

impl Two {
    /// The good signature under the id of the commit that was reviewed.
    #[track_caller]
    fn is_refused(&self) {
        let answer = self.repo.keyless(["verify", "--json", &self.id]);
        let report: serde_json::Value = serde_json::from_str(&answer.text()).unwrap_or_default();
        assert_eq!(answer.code, 1, "{} {}", answer.text(), answer.stderr);
        assert_eq!(report["reason"], "object-id-mismatch", "{}", answer.text());
        assert_eq!(report["identity"], serde_json::Value::Null);
    }

    fn loose(&self) -> PathBuf {
        self.repo.path.join(".git/objects").join(&self.id[..2]).join(&self.id[2..])
    }
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    std::io::Write::write_all(&mut encoder, bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_loose_file_that_was_exchanged() {
    let two = two();
    let header = format!("commit {}\0", two.signed.len());
    std::fs::remove_file(two.loose()).unwrap();
    std::fs::write(two.loose(), zlib(&[header.as_bytes(), &two.signed].concat())).unwrap();
    two.is_refused();
}

/// gitformat-pack(5): one commit, and an index of version 2 that has it under another's id.
#[test]
fn a_pack_whose_index_lies() {
    let two = two();
    std::fs::remove_file(two.loose()).unwrap();
    let (mut size, mut head) = (two.signed.len() >> 4, vec![0x10 | u8::try_from(two.signed.len() & 15).unwrap()]);
    while size > 0 {
        *head.last_mut().unwrap() |= 0x80;
        head.push(u8::try_from(size & 0x7f).unwrap());
        size >>= 7;
    }
    let entry = [head, zlib(&two.signed)].concat();
    let mut pack = [&b"PACK"[..], &2_u32.to_be_bytes(), &1_u32.to_be_bytes(), &entry].concat();
    let checksum = sha1_of(&[&pack]);
    pack.extend(checksum);

    let id: Vec<u8> = (0..20).map(|at| u8::from_str_radix(&two.id[2 * at..2 * at + 2], 16).unwrap()).collect();
    let mut crc = flate2::Crc::new();
    crc.update(&entry);
    let mut index = [&[0xff, b't', b'O', b'c'][..], &2_u32.to_be_bytes()].concat();
    (0..=255).for_each(|first: u8| index.extend(u32::from(first >= id[0]).to_be_bytes()));
    index.extend(&id);
    index.extend(crc.sum().to_be_bytes());
    index.extend(12_u32.to_be_bytes());
    index.extend(checksum);
    let sum = sha1_of(&[&index]);
    index.extend(sum);

    let place = two.repo.path.join(".git/objects/pack").join(format!("pack-{}", hex(&checksum)));
    std::fs::write(place.with_extension("pack"), pack).unwrap();
    std::fs::write(place.with_extension("idx"), index).unwrap();
    two.is_refused();
}
