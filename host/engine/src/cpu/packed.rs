//! How a batch is laid out as rows: sequences packed one after another without padding, the prompt of a group once.

use std::collections::HashMap;
use std::ops::Range;

use anyhow::ensure;

use crate::{ModelConfig, Rotation, Sequence};
use exgrpo_core::types::TokenId;

/// Rows of sequences with an equal prompt: the prompt, then the completions' tokens but the last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group {
    /// Rows of the prompt.
    pub(super) prompt: Range<usize>,
    /// Rows of each completion; none for a completion of one token.
    pub(super) completions: Vec<Range<usize>>,
}

impl Group {
    /// All rows of the group.
    pub(super) fn rows(&self) -> Range<usize> {
        self.prompt.start..self.completions.last().map_or(self.prompt.end, |rows| rows.end)
    }
}

/// A completion token to score.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Target {
    /// Index in [`PackedBatch::head_rows`].
    pub(super) head_row: u32,
    /// The token.
    pub(super) token: TokenId,
}

/// The rows of a batch.
#[derive(Debug, Default)]
pub(super) struct PackedBatch {
    /// Input tokens. `[M]`
    pub(super) tokens: Vec<TokenId>,
    /// Position of each row in its sequence. `[M]`
    pub(super) positions: Vec<u32>,
    /// Groups, in the order of the batch.
    pub(super) groups: Vec<Group>,
    /// Rows that need logits. `[H]`
    pub(super) head_rows: Vec<u32>,
    /// What is scored, in the order of the batch. `[ΣT]`
    pub(super) targets: Vec<Target>,
    /// `targets_of[h]..targets_of[h + 1]` are the entries of `targets_by_row` that score head row h. `[H + 1]`
    pub(super) targets_of: Vec<u32>,
    /// Indices of `targets`, sorted by head row. `[ΣT]`
    pub(super) targets_by_row: Vec<u32>,
}

impl PackedBatch {
    /// Lays out `batch`, which must have been checked.
    ///
    /// # Errors
    /// More rows than an index can name.
    pub(super) fn new(batch: &[Sequence<'_>]) -> anyhow::Result<Self> {
        let mut packed = Self::default();
        let mut rest = batch;
        while let Some(first) = rest.first() {
            let size = rest.iter().take_while(|sequence| sequence.prompt == first.prompt).count();
            let (group, others) = rest.split_at(size);
            let start = packed.push_rows(first.prompt, 0);
            let prompt = start..packed.tokens.len();
            let last_prompt_row = packed.head_rows.len() as u32;
            packed.head_rows.push(prompt.end as u32 - 1);
            let mut completions = Vec::with_capacity(size);
            for sequence in group {
                let inputs = &sequence.completion[..sequence.completion.len() - 1];
                let first_head_row = packed.head_rows.len() as u32;
                let start = packed.push_rows(inputs, prompt.len());
                completions.push(start..packed.tokens.len());
                packed.head_rows.extend((start..packed.tokens.len()).map(|row| row as u32));
                for (t, &token) in sequence.completion.iter().enumerate() {
                    let head_row = if t == 0 { last_prompt_row } else { first_head_row + t as u32 - 1 };
                    packed.targets.push(Target { head_row, token });
                }
            }
            packed.groups.push(Group { prompt, completions });
            rest = others;
        }
        ensure!(packed.tokens.len() < u32::MAX as usize, "too many tokens in one batch, split it");
        packed.sort_targets();
        Ok(packed)
    }

    /// Lays out prompts alone, each with its last row as a head row. They must have been checked.
    pub(super) fn of_prompts(prompts: &[&[TokenId]]) -> Self {
        let mut packed = Self::default();
        for prompt in prompts {
            let start = packed.push_rows(prompt, 0);
            packed.head_rows.push(packed.tokens.len() as u32 - 1);
            packed.groups.push(Group { prompt: start..packed.tokens.len(), completions: Vec::new() });
        }
        packed
    }

    fn push_rows(&mut self, ids: &[TokenId], first_position: usize) -> usize {
        let start = self.tokens.len();
        self.tokens.extend_from_slice(ids);
        self.positions.extend((first_position..first_position + ids.len()).map(|position| position as u32));
        start
    }

    fn sort_targets(&mut self) {
        self.targets_of = vec![0; self.head_rows.len() + 1];
        for target in &self.targets {
            self.targets_of[target.head_row as usize + 1] += 1;
        }
        for h in 0..self.head_rows.len() {
            self.targets_of[h + 1] += self.targets_of[h];
        }
        let mut next = self.targets_of.clone();
        self.targets_by_row = vec![0; self.targets.len()];
        for (index, target) in self.targets.iter().enumerate() {
            let slot = &mut next[target.head_row as usize];
            self.targets_by_row[*slot as usize] = index as u32;
            *slot += 1;
        }
    }

    /// Targets of a head row: indices into [`PackedBatch::targets`].
    pub(super) fn targets_of(&self, head_row: usize) -> &[u32] {
        &self.targets_by_row[self.targets_of[head_row] as usize..self.targets_of[head_row + 1] as usize]
    }

    /// Number of rows, M.
    pub(super) fn num_rows(&self) -> usize {
        self.tokens.len()
    }

    /// Positions that are used, at least 1.
    pub(super) fn num_positions(&self) -> usize {
        self.positions.iter().max().map_or(1, |&last| last as usize + 1)
    }
}

/// A prompt is computed again in the next micro-batch, so that the rest of its group fills this one, when that costs
/// at most this share of a micro-batch.
const CHEAP_PROMPT: usize = 16;

/// Splits a mini-batch into micro-batches: indices into `batch`, sequences with an equal prompt side by side, at most
/// `token_budget` rows each; a sequence longer than that is alone. A group that fits stays together unless its prompt
/// is short.
pub(super) fn micro_batches(batch: &[Sequence<'_>], token_budget: usize) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let mut group_of: HashMap<&[TokenId], usize> = HashMap::new();
    for (index, sequence) in batch.iter().enumerate() {
        let group = *group_of.entry(sequence.prompt).or_insert(groups.len());
        if group == groups.len() {
            groups.push(Vec::new());
        }
        groups[group].push(index);
    }
    let own = |index: usize| batch[index].completion.len() - 1;
    let mut batches: Vec<Vec<usize>> = Vec::new();
    let mut rows = 0;
    for group in groups {
        let prompt = batch[group[0]].prompt.len();
        let size = prompt + group.iter().map(|&index| own(index)).sum::<usize>();
        let stays_together = size <= token_budget && prompt * CHEAP_PROMPT > token_budget;
        if stays_together && rows + size > token_budget {
            (rows, _) = (0, batches.push(Vec::new()));
        }
        let mut shared = 0;
        for index in group {
            match batches.last_mut() {
                Some(last) if rows + prompt - shared + own(index) <= token_budget => {
                    rows += prompt - shared + own(index);
                    last.push(index);
                }
                _ => {
                    rows = prompt + own(index);
                    batches.push(vec![index]);
                }
            }
            shared = prompt;
        }
    }
    batches
}

/// [`micro_batches`] of the smallest budget that doesn't take more of them, so that none is much smaller than the others.
pub(super) fn even_micro_batches(batch: &[Sequence<'_>], token_budget: usize) -> Vec<Vec<usize>> {
    let fewest = micro_batches(batch, token_budget).len();
    let (mut too_small, mut enough) = (0, token_budget);
    while enough - too_small > 1 {
        let budget = usize::midpoint(too_small, enough);
        match micro_batches(batch, budget).len() > fewest {
            true => too_small = budget,
            false => enough = budget,
        }
    }
    micro_batches(batch, enough)
}

/// The rotary embeddings of a network's layers.
#[derive(Debug)]
pub(super) struct Ropes {
    global: Rope,
    local: Option<Rope>,
    /// By layer; empty where all have the global one.
    rotations: Vec<Rotation>,
}

impl Ropes {
    /// The network's, for no positions yet.
    pub(super) fn new(config: &ModelConfig) -> Self {
        Self {
            global: Rope::new(&config.rope_frequencies(), config.rope_magnitude()),
            local: config.local_rope_frequencies().map(|frequencies| Rope::new(&frequencies, 1.0)),
            rotations: config.variations.attention.iter().map(|layer| layer.rotation).collect(),
        }
    }

    /// That of `layer`; none where it is not rotated.
    pub(super) fn of(&self, layer: usize) -> Option<&Rope> {
        match self.rotations.get(layer).copied().unwrap_or_default() {
            Rotation::Global => Some(&self.global),
            Rotation::Local => self.local.as_ref(),
            Rotation::None => None,
        }
    }

    /// Makes sure that there are at least `positions`.
    pub(super) fn extend(&mut self, positions: usize) {
        self.global.extend(positions);
        self.local.iter_mut().for_each(|rope| rope.extend(positions));
    }
}

/// Cosines and sines of a rotary embedding.
#[derive(Debug, Default)]
pub(super) struct Rope {
    /// `[positions, rotary_dim / 2]`
    pub(super) cos: Vec<f32>,
    /// `[positions, rotary_dim / 2]`
    pub(super) sin: Vec<f32>,
    frequencies: Vec<f32>,
    magnitude: f64,
}

impl Rope {
    fn new(frequencies: &[f64], magnitude: f64) -> Self {
        let frequencies = frequencies.iter().map(|&frequency| frequency as f32).collect();
        Self { frequencies, magnitude, ..Self::default() }
    }

    /// Half of the dimensions that are rotated.
    pub(super) fn half(&self) -> usize {
        self.frequencies.len()
    }

    fn extend(&mut self, positions: usize) {
        let known = self.cos.len() / self.half();
        for position in known..positions {
            for &frequency in &self.frequencies {
                // The angle is an f32 product, as the families' reference implementations have it.
                let angle = f64::from(position as f32 * frequency);
                self.cos.push((libm::cos(angle) * self.magnitude) as f32);
                self.sin.push((libm::sin(angle) * self.magnitude) as f32);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_holds_its_prompt_once() {
        let batch = [
            Sequence { prompt: &[1, 2], completion: &[3, 4, 5] },
            Sequence { prompt: &[1, 2], completion: &[6] },
            Sequence { prompt: &[7], completion: &[8, 9] },
        ];
        let packed = PackedBatch::new(&batch).unwrap();
        assert_eq!(packed.tokens, [1, 2, 3, 4, 7, 8]);
        assert_eq!(packed.positions, [0, 1, 2, 3, 0, 1]);
        assert_eq!(packed.groups[0], Group { prompt: 0..2, completions: vec![2..4, 4..4] });
        assert_eq!(packed.groups[1].rows(), 4..6);
        assert_eq!(packed.head_rows, [1, 2, 3, 4, 5]);
        let scored: Vec<_> = packed.targets.iter().map(|target| (target.head_row, target.token)).collect();
        assert_eq!(scored, [(0, 3), (1, 4), (2, 5), (0, 6), (3, 8), (4, 9)]);
        assert_eq!(packed.targets_of(0), [0, 3]);
        assert_eq!(packed.targets_of(4), [5]);
    }

    #[test]
    fn micro_batches_are_evened_out() {
        let prompts = [[1], [2], [3], [4], [5], [6], [7], [8]];
        let batch: Vec<_> = prompts.iter().map(|prompt| Sequence { prompt, completion: &[3; 10] }).collect();
        assert_eq!(micro_batches(&batch, 60).iter().map(Vec::len).collect::<Vec<_>>(), [6, 2]);
        assert_eq!(even_micro_batches(&batch, 60).iter().map(Vec::len).collect::<Vec<_>>(), [4, 4]);
        assert_eq!(even_micro_batches(&batch, 9).len(), 8);
    }

    #[test]
    fn only_a_short_prompt_is_computed_twice() {
        let (long, short) = ([1; 8], [2; 6]);
        let sequence = |prompt| Sequence { prompt, completion: &[3; 22] };
        let batch = [&long[..], &short, &long, &short, &long, &short].map(sequence);
        assert_eq!(micro_batches(&batch, 100), [vec![0, 2, 4, 1], vec![3, 5]]);
        assert_eq!(micro_batches(&batch, 95), [vec![0, 2, 4], vec![1, 3, 5]]);
    }

    #[test]
    fn micro_batches_keep_groups_together_and_count_a_prompt_once() {
        let (long, short) = ([1; 5], [2; 2]);
        let sequence = |prompt| Sequence { prompt, completion: &[3, 4, 5] };
        let batch = [&long[..], &short, &long, &short, &long].map(sequence);
        assert_eq!(micro_batches(&batch, 10), [vec![0, 2], vec![4], vec![1, 3]]);
        assert_eq!(micro_batches(&batch, 11), [vec![0, 2, 4], vec![1, 3]]);
        assert_eq!(micro_batches(&batch, 14), [vec![0, 2, 4], vec![1, 3]]);
        assert_eq!(micro_batches(&batch, 17), [vec![0, 2, 4, 1, 3]]);
        assert_eq!(micro_batches(&batch, 1), [vec![0], vec![2], vec![4], vec![1], vec![3]]);
    }
}
