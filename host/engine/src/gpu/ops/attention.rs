//! Attention over whole sequences, and of new tokens.

use anyhow::Result;

use super::{At, Memory, Pair};

/// Rows of heads `[B * T, row]`, whose head k * R + r starts at `(k * R + r) * D`, and the same by key head,
/// `[B, K, T, R, D]`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Heads {
    pub(crate) sequences: usize,
    pub(crate) len: usize,
    pub(crate) row: usize,
    pub(crate) key_heads: usize,
    pub(crate) repeat: usize,
    pub(crate) width: usize,
}

/// Softmax of a block of causal attention: scores are `[batch, rows, keys]` without gaps; row i is of query
/// `first_query + i / repeat`, which sees keys 0 to itself. Row i's log-sum and delta are at
/// `batch_index * stat_step + i`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Softmax {
    pub(crate) batch: usize,
    pub(crate) rows: usize,
    pub(crate) keys: usize,
    pub(crate) first_query: usize,
    pub(crate) repeat: usize,
    pub(crate) stat_step: usize,
    pub(crate) scale: f32,
}

/// Attention of one new token a row over its request's prompt, `[G, K, prompt_capacity, D]`, and over the first
/// `len` (1 to `capacity`) tokens of its own completion, `[slots, K, capacity, D]`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Decode {
    pub(crate) rows: usize,
    pub(crate) key_heads: usize,
    pub(crate) repeat: usize,
    pub(crate) width: usize,
    pub(crate) prompt_capacity: usize,
    pub(crate) capacity: usize,
    pub(crate) len: usize,
    pub(crate) scale: f32,
}

/// Keys and values of what a row sees while it decodes. `slots` and `groups` say which of the caches' members are row
/// b's, `prompt_lens` how many tokens each request's prompt has.
pub(crate) struct Caches<'a, B> {
    pub(crate) prompt_keys: At<'a, B>,
    pub(crate) prompt_values: At<'a, B>,
    pub(crate) keys: At<'a, B>,
    pub(crate) values: At<'a, B>,
    pub(crate) slots: At<'a, B>,
    pub(crate) groups: At<'a, B>,
    pub(crate) prompt_lens: At<'a, B>,
}

/// Attention over whole sequences, and of new tokens. Shapes in brackets are of the places named; f32 unless `act` is said, an activation.
pub(crate) trait Attention: Memory {
    /// Rows of heads to heads by key head, act; pairs (i, i + D/2) of position t are turned by `rotation`, cosines and
    /// sines `[T, D/2]` each.
    fn split_heads(
        &self,
        shape: &Heads,
        from: At<'_, Self::Buffer>,
        rotation: Option<Pair<'_, Self::Buffer>>,
        to: At<'_, Self::Buffer>,
    ) -> Result<()>;
    /// The other way round, turned back.
    fn merge_heads(
        &self,
        shape: &Heads,
        from: At<'_, Self::Buffer>,
        rotation: Option<Pair<'_, Self::Buffer>>,
        to: At<'_, Self::Buffer>,
    ) -> Result<()>;
    /// With s = scale · scores: log_sums = ln Σ exp s over what a row sees, probs (act) = exp(s - log_sum), 0 for keys
    /// that it does not see.
    fn softmax(
        &self,
        shape: &Softmax,
        scores: At<'_, Self::Buffer>,
        log_sums: At<'_, Self::Buffer>,
        probs: At<'_, Self::Buffer>,
    ) -> Result<()>;
    /// Computes probs again from scores and log_sums, and dscores = scale · probs · (dprobs - delta), both act.
    #[expect(clippy::too_many_arguments, reason = "the places of one operation")]
    fn softmax_grad(
        &self,
        shape: &Softmax,
        scores: At<'_, Self::Buffer>,
        dprobs: At<'_, Self::Buffer>,
        log_sums: At<'_, Self::Buffer>,
        deltas: At<'_, Self::Buffer>,
        probs: At<'_, Self::Buffer>,
        dscores: At<'_, Self::Buffer>,
    ) -> Result<()>;
    /// out `[num]` = row by row the product of a and b, `[num, width]` act.
    fn row_products(
        &self,
        a: At<'_, Self::Buffer>,
        b: At<'_, Self::Buffer>,
        out: At<'_, Self::Buffer>,
        num: usize,
        width: usize,
    ) -> Result<()>;
    /// One token a row, qkv act `[rows, (K * R + 2 * K) * D]`: turns queries and keys by `rotation` at `positions[b]`,
    /// writes queries to `queries` act `[rows, K, R, D]`, the key and the value to place `len - 1` of row b's slot.
    fn decode_heads(
        &self,
        shape: &Decode,
        qkv: At<'_, Self::Buffer>,
        rotation: Pair<'_, Self::Buffer>,
        positions: At<'_, Self::Buffer>,
        queries: At<'_, Self::Buffer>,
        caches: &Caches<'_, Self::Buffer>,
    ) -> Result<()>;
    /// out act `[rows, K * R * D]`. Up to 31 keys and values behind a cache's last one are read, so that they must be
    /// within the buffer and finite.
    fn decode_attention(
        &self,
        shape: &Decode,
        queries: At<'_, Self::Buffer>,
        caches: &Caches<'_, Self::Buffer>,
        out: At<'_, Self::Buffer>,
    ) -> Result<()>;
}
