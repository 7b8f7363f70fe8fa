//! Every class of attack is answered in `tests/vectors/README.md`: with a vector or a test that is there, or with why it
//! cannot happen here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::vectors::{Vector, vectors};

/// The catalogue: letters, and how many classes each has. A: entry, artifact, signature and certificate not bound
/// together. B: time. C: trust material. D: certificates and identity. E: SCT. F: proofs and checkpoints. G: timestamps.
/// H: CMS and ASN.1. I: git's objects and status protocol. K: nothing found, and success. L: unbounded input.
const CLASSES: [(char, usize); 11] = [
    ('A', 20),
    ('B', 15),
    ('C', 22),
    ('D', 21),
    ('E', 9),
    ('F', 15),
    ('G', 15),
    ('H', 17),
    ('I', 18),
    ('K', 11),
    ('L', 12),
];

fn classes() -> BTreeSet<String> {
    CLASSES.iter().flat_map(|(letter, count)| (1..=*count).map(move |number| format!("{letter}{number}"))).collect()
}

/// Rows of the table: class, and the other cells.
fn rows() -> Vec<(String, Vec<String>)> {
    let text = std::fs::read_to_string(vectors().join("README.md")).unwrap();
    let (_, table) = text.split_once("| class | vectors and tests | |\n| --- | --- | --- |\n").unwrap();
    table
        .lines()
        .map_while(|line| line.strip_prefix("| ")?.strip_suffix(" |"))
        .map(|line| {
            let mut cells = line.split(" | ").map(|cell| cell.trim().to_owned());
            (cells.next().unwrap(), cells.collect())
        })
        .collect()
}

#[test]
fn every_class_is_answered_once() {
    let rows = rows();
    let named: Vec<_> = rows.iter().map(|(class, _)| class.clone()).collect();
    assert_eq!(named.iter().cloned().collect::<BTreeSet<_>>(), classes());
    assert_eq!(named.len(), classes().len());
    let silent: Vec<_> = rows.iter().filter(|(_, cells)| cells.iter().all(String::is_empty)).collect();
    assert!(silent.is_empty(), "{silent:?}");
}

/// Whether it has a test of that name: the function, and its attribute right above it or above other attributes.
fn is_test(source: &str, name: &str) -> bool {
    let lines: Vec<_> = source.lines().map(str::trim).collect();
    let at = lines.iter().position(|line| {
        let line = line.strip_prefix("async ").unwrap_or(line);
        line.strip_prefix("fn ").and_then(|line| line.strip_prefix(name)).is_some_and(|rest| rest.starts_with('('))
    });
    let above = at.map(|at| lines[..at].iter().rev().take_while(|line| line.starts_with("#[")));
    above.is_some_and(|mut above| above.any(|line| matches!(*line, "#[test]" | "#[tokio::test]")))
}

#[test]
fn what_an_answer_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut wrong = Vec::new();
    for (class, cells) in rows() {
        for name in cells.iter().flat_map(|cell| cell.split('`').skip(1).step_by(2)) {
            let there = match name.split_once("::") {
                Some((file, test)) => {
                    std::fs::read_to_string(root.join(file)).is_ok_and(|source| is_test(&source, test))
                }
                None => vectors().join(name).with_extension("txt").exists() || root.join(name).exists(),
            };
            if !there {
                wrong.push(format!("{class}: {name}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn what_a_vector_stands_for_is_in_its_row() {
    let (known, rows) = (classes(), rows().into_iter().collect::<BTreeMap<_, _>>());
    let mut counts = BTreeMap::<String, usize>::new();
    for vector in Vector::all() {
        for class in vector.values("class").iter().flat_map(|ids| ids.split(' ')) {
            assert!(known.contains(class), "{}: no class {class}", vector.name);
            *counts.entry(class.to_owned()).or_default() += 1;
        }
    }
    for (class, count) in &counts {
        let named = rows[class][0].split('`').skip(1).step_by(2).filter(|name| !name.contains("::")).count();
        assert!(named >= (*count).min(4), "{class} has {count} vectors, its row names {named}");
    }
    println!("{} classes, {} with vectors", known.len(), counts.len());
}
