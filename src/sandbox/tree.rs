//! A Merkle tree (RFC 9162 section 2.1), written as the definitions are: recursively, over the hashes of whole subtrees.

use crate::key::sha256_of;

pub(super) type Hash = [u8; 32];

/// Hashes of all whole subtrees: `levels[k][i]` is over the leaves `i << k` to `(i + 1) << k`.
#[derive(Default)]
pub(super) struct Tree {
    levels: Vec<Vec<Hash>>,
}

pub(super) fn leaf_hash(body: &[u8]) -> Hash {
    sha256_of(&[&[0], body])
}

fn node_hash(left: &Hash, right: &Hash) -> Hash {
    sha256_of(&[&[1], left, right])
}

impl Tree {
    pub(super) fn size(&self) -> usize {
        self.levels.first().map_or(0, Vec::len)
    }

    pub(super) fn push(&mut self, leaf: Hash) {
        let mut carried = leaf;
        for level in 0.. {
            if self.levels.len() == level {
                self.levels.push(Vec::new());
            }
            let Some(hashes) = self.levels.get_mut(level) else { return };
            hashes.push(carried);
            match hashes.as_slice() {
                [.., left, right] if hashes.len() % 2 == 0 => carried = node_hash(left, right),
                _ => return,
            }
        }
    }

    /// The head over the first `size` leaves.
    pub(super) fn root(&self, size: usize) -> Hash {
        match size {
            0 => sha256_of(&[]),
            _ => self.head(0, size),
        }
    }

    /// Section 2.1.3.1: from the leaf upwards.
    pub(super) fn inclusion(&self, index: usize, size: usize) -> Vec<Hash> {
        let mut path = Vec::new();
        self.path(index, 0, size, &mut path);
        path
    }

    /// Section 2.1.4.1: that the first `old` of `size` leaves are the tree that once was.
    pub(super) fn consistency(&self, old: usize, size: usize) -> Vec<Hash> {
        let mut proof = Vec::new();
        if 0 < old && old < size {
            self.subproof(old, 0, size, true, &mut proof);
        }
        proof
    }

    /// Row `row` of the tiles at `level` (C2SP tlog-tiles): whole subtrees of 256^level leaves, at most 256 of them.
    pub(super) fn tile(&self, level: usize, row: usize, width: usize) -> Option<Vec<u8>> {
        let start = row.checked_mul(256)?;
        let hashes = self.levels.get(level.checked_mul(8)?)?.get(start..start.checked_add(width)?)?;
        Some(hashes.concat())
    }

    fn head(&self, start: usize, size: usize) -> Hash {
        if size.is_power_of_two() {
            let level = usize::try_from(size.trailing_zeros()).unwrap_or_default();
            return self.levels.get(level).and_then(|hashes| hashes.get(start >> level)).copied().unwrap_or_default();
        }
        let left = split(size);
        node_hash(&self.head(start, left), &self.head(start + left, size - left))
    }

    fn path(&self, index: usize, start: usize, size: usize, path: &mut Vec<Hash>) {
        if size <= 1 {
            return;
        }
        let left = split(size);
        if index < left {
            self.path(index, start, left, path);
            path.push(self.head(start + left, size - left));
        } else {
            self.path(index - left, start + left, size - left, path);
            path.push(self.head(start, left));
        }
    }

    fn subproof(&self, old: usize, start: usize, size: usize, whole: bool, proof: &mut Vec<Hash>) {
        if old == size {
            if !whole {
                proof.push(self.head(start, size));
            }
            return;
        }
        let left = split(size);
        if old <= left {
            self.subproof(old, start, left, whole, proof);
            proof.push(self.head(start + left, size - left));
        } else {
            self.subproof(old - left, start + left, size - left, false, proof);
            proof.push(self.head(start, left));
        }
    }
}

/// The largest power of two below `size`, which is at least 2.
fn split(size: usize) -> usize {
    size.next_power_of_two() / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example that RFC 9162 section 2.1.5 draws, with seven leaves.
    #[test]
    fn the_example_of_the_standard() {
        let mut tree = Tree::default();
        let leaves: Vec<_> = (0..7u8).map(|at| leaf_hash(&[at])).collect();
        leaves.iter().for_each(|leaf| tree.push(*leaf));
        let [a, b, c, d, e, f, j] = leaves.try_into().unwrap();
        let (g, h, i) = (node_hash(&a, &b), node_hash(&c, &d), node_hash(&e, &f));
        let (k, l) = (node_hash(&g, &h), node_hash(&i, &j));
        assert_eq!(tree.root(7), node_hash(&k, &l));
        assert_eq!(tree.inclusion(0, 7), [b, h, l]);
        assert_eq!(tree.inclusion(3, 7), [c, g, l]);
        assert_eq!(tree.inclusion(4, 7), [f, j, k]);
        assert_eq!(tree.inclusion(6, 7), [i, k]);
        assert_eq!(tree.consistency(3, 7), [c, d, g, l]);
        assert_eq!(tree.consistency(4, 7), [l]);
        assert_eq!(tree.consistency(6, 7), [i, j, k]);
        assert_eq!(tree.root(0), sha256_of(&[]));
        assert_eq!(tree.tile(0, 0, 7).unwrap().len(), 7 * 32);
        assert_eq!(tree.tile(0, 0, 8), None);
    }
}
