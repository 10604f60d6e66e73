//! A complete binary tree of partial sums: weights change and weighted draws are made in O(log n).

/// Non-negative weights with their sums. The tree is a function of its leaves alone, so rebuilding it from the leaves
/// gives the same bits, whatever the history of changes was.
#[derive(Debug, Clone, Default)]
pub(super) struct SumTree {
    /// Leaves that are in use.
    len: usize,
    /// `nodes[1]` is the root, `nodes[capacity + i]` leaf i, unused leaves 0; empty or 2 · capacity long.
    nodes: Vec<f64>,
}

/// Equal leaves make equal trees, however much room there is for more.
impl PartialEq for SumTree {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && (0..self.len).all(|index| self.get(index) == other.get(index))
    }
}

impl SumTree {
    /// Sum of all weights.
    pub(super) fn total(&self) -> f64 {
        self.nodes.get(1).copied().unwrap_or(0.0)
    }

    /// Weight of leaf `index`.
    pub(super) fn get(&self, index: usize) -> f64 {
        self.nodes[self.capacity() + index]
    }

    /// Sets the weight of leaf `index`, finite and non-negative.
    pub(super) fn set(&mut self, index: usize, weight: f64) {
        let mut node = self.capacity() + index;
        self.nodes[node] = weight;
        while node > 1 {
            node /= 2;
            self.nodes[node] = self.nodes[2 * node] + self.nodes[2 * node + 1];
        }
    }

    /// Adds a leaf behind the others.
    pub(super) fn push(&mut self, weight: f64) {
        if self.len == self.capacity() {
            self.grow();
        }
        self.len += 1;
        self.set(self.len - 1, weight);
    }

    /// Removes leaf `index` by moving the last leaf into its place.
    pub(super) fn swap_remove(&mut self, index: usize) {
        let last = self.len - 1;
        let weight = self.get(last);
        self.set(last, 0.0);
        if index != last {
            self.set(index, weight);
        }
        self.len = last;
    }

    /// The leaf in whose interval `point` lies when the weights are laid end to end from 0; `point` in
    /// `0..total`. A leaf of weight 0 is never found while another has weight.
    pub(super) fn find(&self, mut point: f64) -> usize {
        let mut node = 1;
        while node < self.capacity() {
            let (left, right) = (self.nodes[2 * node], self.nodes[2 * node + 1]);
            // Rounding can leave a point just past the last weight: never descend where there is none.
            if (point < left || right == 0.0) && left > 0.0 {
                node *= 2;
            } else {
                point -= left;
                node = 2 * node + 1;
            }
        }
        node - self.capacity()
    }

    fn capacity(&self) -> usize {
        self.nodes.len() / 2
    }

    fn grow(&mut self) {
        let old = self.capacity();
        let capacity = (2 * old).max(8);
        let mut nodes = vec![0.0; 2 * capacity];
        nodes[capacity..capacity + self.len].copy_from_slice(&self.nodes[old..old + self.len]);
        for node in (1..capacity).rev() {
            nodes[node] = nodes[2 * node] + nodes[2 * node + 1];
        }
        self.nodes = nodes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_point_that_rounding_left_past_the_end_finds_the_last_leaf_with_weight() {
        let mut tree = SumTree::default();
        for weight in [0.25, 0.5, 0.0] {
            tree.push(weight);
        }
        for point in [0.75, 0.75 + f64::EPSILON] {
            assert_eq!(tree.find(point), 1);
        }
    }

    proptest! {
        #[test]
        fn behaves_as_a_plain_list(operations in prop::collection::vec((0u8..3, 0usize..64, 0u16..100), 1..200)) {
            let mut tree = SumTree::default();
            let mut list: Vec<f64> = Vec::new();
            for (kind, at, weight) in operations {
                let weight = f64::from(weight);
                match kind {
                    0 => { tree.push(weight); list.push(weight); }
                    1 if !list.is_empty() => { let at = at % list.len(); tree.set(at, weight); list[at] = weight; }
                    2 if !list.is_empty() => { let at = at % list.len(); tree.swap_remove(at); list.swap_remove(at); }
                    _ => {}
                }
                prop_assert_eq!(tree.len, list.len());
                prop_assert_eq!(tree.total(), list.iter().sum::<f64>());
                let mut below = 0.0;
                for (index, &weight) in list.iter().enumerate() {
                    if weight > 0.0 {
                        prop_assert_eq!(tree.find(below), index);
                        prop_assert_eq!(tree.find(below + weight - 0.5), index);
                    }
                    below += weight;
                }
            }
        }
    }
}
