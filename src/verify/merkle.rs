//! Inclusion proofs (RFC 9162 section 2.1.3.2).

use crate::key::sha256_of;

/// Hash of a leaf: the prefix keeps it apart from inner nodes.
pub(super) fn leaf_hash(body: &[u8]) -> [u8; 32] {
    sha256_of(&[&[0], body])
}

fn node_hash(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    sha256_of(&[&[1], left, right])
}

/// The root that `proof` implies for the leaf at `index` in a tree of `size` entries; none when their number cannot be
/// right.
pub(super) fn implied_root(leaf: [u8; 32], index: u64, size: u64, proof: &[[u8; 32]]) -> Option<[u8; 32]> {
    if index >= size {
        return None;
    }
    let (mut node, mut last, mut root) = (index, size - 1, leaf);
    for sibling in proof {
        if last == 0 {
            return None;
        }
        if node & 1 == 1 || node == last {
            root = node_hash(sibling, &root);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            root = node_hash(&root, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    (last == 0).then_some(root)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tree by its definition (RFC 9162 section 2.1.1), not by the algorithm under test.
    fn root(leaves: &[[u8; 32]]) -> [u8; 32] {
        match leaves {
            [leaf] => *leaf,
            leaves => {
                let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
                node_hash(&root(left), &root(right))
            }
        }
    }

    /// The proof by its definition (RFC 9162 section 2.1.3.1).
    fn path(index: usize, leaves: &[[u8; 32]]) -> Vec<[u8; 32]> {
        if leaves.len() == 1 {
            return Vec::new();
        }
        let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
        if index < left.len() {
            let mut proof = path(index, left);
            proof.push(root(right));
            proof
        } else {
            let mut proof = path(index - left.len(), right);
            proof.push(root(left));
            proof
        }
    }

    #[test]
    fn every_proof_of_every_small_tree_and_every_flipped_bit() {
        let all: Vec<_> = (0_u8..40).map(|n| leaf_hash(&[n])).collect();
        for size in 1..=all.len() {
            let leaves = all.get(..size).unwrap_or_default();
            let expected = root(leaves);
            for (index, leaf) in leaves.iter().enumerate() {
                let proof = path(index, leaves);
                let (index, size) = (index as u64, size as u64);
                assert_eq!(implied_root(*leaf, index, size, &proof), Some(expected));
                for at in 0..proof.len() {
                    let mut flipped = proof.clone();
                    flipped[at][0] ^= 1;
                    assert_ne!(implied_root(*leaf, index, size, &flipped), Some(expected));
                    let mut shorter = proof.clone();
                    shorter.remove(at);
                    assert_ne!(implied_root(*leaf, index, size, &shorter), Some(expected));
                }
                let mut longer = proof.clone();
                longer.push([0; 32]);
                assert_eq!(implied_root(*leaf, index, size, &longer), None);
            }
        }
    }

    #[test]
    fn nothing_is_included_outside_the_tree() {
        let leaf = leaf_hash(b"x");
        for (index, size) in [(0, 0), (1, 1), (u64::MAX, u64::MAX), (u64::MAX, 0)] {
            assert_eq!(implied_root(leaf, index, size, &[]), None);
        }
        assert_eq!(implied_root(leaf, u64::MAX - 1, u64::MAX, &[]), None);
    }
}
