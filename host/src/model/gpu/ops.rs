//! What the engine asks of a device: allocations, transfers and the operations that its passes are made of. The passes
//! are written once over this trait; a GPU and the processor implement it.
//!
//! Letters: N rows (tokens of a batch), B sequences, T positions of the longest, K key heads, R query heads that share a
//! key head, D a head's width, V the vocabulary. Matrices are row-major. An *activation* is of the engine's precision, f32
//! or bf16; every operation computes in f32 and rounds what it stores. All operations of a device happen in the order
//! in which they are asked for, and none depends on what is in memory beyond the places that it names.

use anyhow::Result;

/// What a buffer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::model) enum Element {
    F32,
    Bf16,
    U32,
}

impl Element {
    /// Bytes of one.
    pub(in crate::model) fn size(self) -> usize {
        match self {
            Self::F32 | Self::U32 => 4,
            Self::Bf16 => 2,
        }
    }
}

/// A device has less room than a buffer needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the GPU has no room for {:.2} GB: {:.2} of {:.2} GB are free",
    *asked as f64 / 1e9, *free as f64 / 1e9, *total as f64 / 1e9
)]
pub(in crate::model) struct OutOfMemory {
    pub(in crate::model) asked: usize,
    pub(in crate::model) free: usize,
    pub(in crate::model) total: usize,
}

/// A place in a buffer: an offset in elements.
pub(in crate::model) struct At<'a, B> {
    pub(in crate::model) buffer: &'a B,
    pub(in crate::model) offset: usize,
}

impl<B> Clone for At<'_, B> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<B> Copy for At<'_, B> {}

impl<B> At<'_, B> {
    /// `by` elements further on.
    pub(in crate::model) fn plus(self, by: usize) -> Self {
        Self { offset: self.offset + by, ..self }
    }
}

/// The start of a buffer.
pub(in crate::model) fn at<B>(buffer: &B) -> At<'_, B> {
    At { buffer, offset: 0 }
}

/// C = alpha · op(A) · op(B) + beta · C, `batch` times. op(A) is `[m, k]`, op(B) `[k, n]`, C `[m, n]`; a transposed
/// operand is stored as `[k, m]` or `[n, k]`. `*_row` is the distance of stored rows, `*_step` of the batch's members.
/// A and B have one element type; C has the same or f32. With `beta` 0, C is not read. `k` is above 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::model) struct Product {
    pub(in crate::model) m: usize,
    pub(in crate::model) n: usize,
    pub(in crate::model) k: usize,
    pub(in crate::model) batch: usize,
    pub(in crate::model) a_transposed: bool,
    pub(in crate::model) b_transposed: bool,
    pub(in crate::model) a_row: usize,
    pub(in crate::model) b_row: usize,
    pub(in crate::model) c_row: usize,
    pub(in crate::model) a_step: usize,
    pub(in crate::model) b_step: usize,
    pub(in crate::model) c_step: usize,
    pub(in crate::model) alpha: f32,
    pub(in crate::model) beta: f32,
}

/// RMS norms of `groups` neighbouring vectors of `width` in each of `rows` rows: vector g of row n starts at
/// `n * in_row + g * width` of the input and `n * out_row + g * width` of the output.
#[derive(Debug, Clone, Copy)]
pub(in crate::model) struct Norm {
    pub(in crate::model) rows: usize,
    pub(in crate::model) groups: usize,
    pub(in crate::model) width: usize,
    pub(in crate::model) in_row: usize,
    pub(in crate::model) out_row: usize,
    pub(in crate::model) eps: f32,
}

/// Rows of heads `[B * T, row]`, whose head k * R + r starts at `(k * R + r) * D`, and the same by key head,
/// `[B, K, T, R, D]`.
#[derive(Debug, Clone, Copy)]
pub(in crate::model) struct Heads {
    pub(in crate::model) sequences: usize,
    pub(in crate::model) len: usize,
    pub(in crate::model) row: usize,
    pub(in crate::model) key_heads: usize,
    pub(in crate::model) repeat: usize,
    pub(in crate::model) width: usize,
}

/// Softmax of a block of causal attention: scores are `[batch, rows, keys]` without gaps; row i is of query
/// `first_query + i / repeat`, which sees keys 0 to itself. Row i's log-sum and delta are at
/// `batch_index * stat_step + i`.
#[derive(Debug, Clone, Copy)]
pub(in crate::model) struct Softmax {
    pub(in crate::model) batch: usize,
    pub(in crate::model) rows: usize,
    pub(in crate::model) keys: usize,
    pub(in crate::model) first_query: usize,
    pub(in crate::model) repeat: usize,
    pub(in crate::model) stat_step: usize,
    pub(in crate::model) scale: f32,
}

/// Attention of one new token a row over its request's prompt, `[G, K, prompt_capacity, D]`, and over the first
/// `len` (1 to `capacity`) tokens of its own completion, `[slots, K, capacity, D]`.
#[derive(Debug, Clone, Copy)]
pub(in crate::model) struct Decode {
    pub(in crate::model) rows: usize,
    pub(in crate::model) key_heads: usize,
    pub(in crate::model) repeat: usize,
    pub(in crate::model) width: usize,
    pub(in crate::model) prompt_capacity: usize,
    pub(in crate::model) capacity: usize,
    pub(in crate::model) len: usize,
    pub(in crate::model) scale: f32,
}

/// Keys and values of what a row sees while it decodes. `slots` and `groups` say which of the caches' members are row
/// b's, `prompt_lens` how many tokens each request's prompt has.
pub(in crate::model) struct Caches<'a, B> {
    pub(in crate::model) prompt_keys: At<'a, B>,
    pub(in crate::model) prompt_values: At<'a, B>,
    pub(in crate::model) keys: At<'a, B>,
    pub(in crate::model) values: At<'a, B>,
    pub(in crate::model) slots: At<'a, B>,
    pub(in crate::model) groups: At<'a, B>,
    pub(in crate::model) prompt_lens: At<'a, B>,
}

/// How tokens are drawn, as in [`super::super::Sampling`].
#[derive(Debug, Clone, Copy)]
pub(in crate::model) struct Draw {
    pub(in crate::model) rows: usize,
    pub(in crate::model) vocab_size: usize,
    pub(in crate::model) temperature: f32,
    pub(in crate::model) score_temperature: f32,
    pub(in crate::model) top_p: f32,
}

/// Where [`Device::draw`] finds and leaves things; row b has the slot `slots[b]`.
pub(in crate::model) struct Drawn<'a, B> {
    /// Row of the logits that row b draws from. u32 `[rows]`
    pub(in crate::model) logit_rows: At<'a, B>,
    /// u32 `[rows]`
    pub(in crate::model) slots: At<'a, B>,
    /// Two words a slot, low first: a uniform number of 64 bits, of which the upper 53 count.
    pub(in crate::model) uniforms: At<'a, B>,
    /// The token, by row. u32 `[rows]`
    pub(in crate::model) latest: At<'a, B>,
    /// The token, its log-prob and the entropy in nats, by slot. u32, f32, f32
    pub(in crate::model) ids: At<'a, B>,
    pub(in crate::model) logprobs: At<'a, B>,
    pub(in crate::model) entropies: At<'a, B>,
}

/// One step of AdamW (arXiv 1711.05101) on gradients that are multiplied by `scale`.
#[derive(Debug, Clone, Copy)]
pub(in crate::model) struct AdamStep {
    pub(in crate::model) scale: f32,
    pub(in crate::model) lr: f32,
    pub(in crate::model) beta1: f32,
    pub(in crate::model) beta2: f32,
    pub(in crate::model) eps: f32,
    /// Learning rate times weight decay.
    pub(in crate::model) decay: f32,
    /// 1 / (1 - beta1^step) and 1 / (1 - beta2^step).
    pub(in crate::model) first_correction: f32,
    pub(in crate::model) second_correction: f32,
}

/// A device. The shapes of `[...]` are of the places named; f32 unless `act` is said, an activation.
pub(in crate::model) trait Device: Send {
    type Buffer: Send;

    /// Memory of `len` elements, all 0.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    fn alloc(&self, element: Element, len: usize) -> Result<Self::Buffer>;
    /// Bytes that the device has in all.
    fn total_memory(&self) -> usize;
    /// Bytes that are allocated now, and the most that were at once.
    fn allocated(&self) -> (usize, usize);
    /// Operations asked for since the device was opened, transfers included.
    fn launches(&self) -> u64;
    /// Waits until everything asked for is done.
    fn wait(&self) -> Result<()>;

    /// Host to device; `to` is f32 or an activation, which rounds.
    fn write(&self, values: &[f32], to: At<'_, Self::Buffer>) -> Result<()>;
    fn write_ids(&self, values: &[u32], to: At<'_, Self::Buffer>) -> Result<()>;
    /// Device to host, after everything asked for before; from f32 or an activation.
    fn read(&self, from: At<'_, Self::Buffer>, len: usize) -> Result<Vec<f32>>;
    fn read_ids(&self, from: At<'_, Self::Buffer>, len: usize) -> Result<Vec<u32>>;
    fn zero(&self, place: At<'_, Self::Buffer>, len: usize) -> Result<()>;
    /// Between buffers of one type.
    fn copy(&self, from: At<'_, Self::Buffer>, to: At<'_, Self::Buffer>, len: usize) -> Result<()>;
    /// f32 to act.
    fn round(&self, from: At<'_, Self::Buffer>, to: At<'_, Self::Buffer>, len: usize) -> Result<()>;

    fn product(
        &self,
        shape: &Product,
        a: At<'_, Self::Buffer>,
        b: At<'_, Self::Buffer>,
        c: At<'_, Self::Buffer>,
    ) -> Result<()>;

    /// `to[i] = from[rows[i]]` for `num` rows of `width`, act. Embedding is this too.
    fn gather(
        &self,
        from: At<'_, Self::Buffer>,
        rows: At<'_, Self::Buffer>,
        to: At<'_, Self::Buffer>,
        num: usize,
        width: usize,
    ) -> Result<()>;
    /// `to[rows[i]] = from[i]`, act; `rows` are distinct.
    fn scatter(
        &self,
        from: At<'_, Self::Buffer>,
        rows: At<'_, Self::Buffer>,
        to: At<'_, Self::Buffer>,
        num: usize,
        width: usize,
    ) -> Result<()>;
    /// `to[ids[u]] += Σ from[rows[i]]` over `starts[u] <= i < starts[u + 1]`, in that order, for `num` distinct ids.
    /// `from` act, `to` f32.
    #[expect(clippy::too_many_arguments, reason = "the places of one operation")]
    fn scatter_sums(
        &self,
        from: At<'_, Self::Buffer>,
        ids: At<'_, Self::Buffer>,
        starts: At<'_, Self::Buffer>,
        rows: At<'_, Self::Buffer>,
        to: At<'_, Self::Buffer>,
        num: usize,
        width: usize,
    ) -> Result<()>;

    /// y = x / sqrt(mean(x²) + eps) · weight; x, weight, y act. y may be x.
    fn norm(
        &self,
        shape: &Norm,
        x: At<'_, Self::Buffer>,
        weight: At<'_, Self::Buffer>,
        y: At<'_, Self::Buffer>,
    ) -> Result<()>;
    /// Backward of [`Device::norm`]: dx = (or +=, with `add`) its share of dy, `weight_grad` (f32 `[width]`) += its
    /// own. dx has x's rows, dy has y's. dx may be dy where `in_row` equals `out_row`.
    #[expect(clippy::too_many_arguments, reason = "the places of one operation")]
    fn norm_grad(
        &self,
        shape: &Norm,
        x: At<'_, Self::Buffer>,
        weight: At<'_, Self::Buffer>,
        dy: At<'_, Self::Buffer>,
        dx: At<'_, Self::Buffer>,
        add: bool,
        weight_grad: At<'_, Self::Buffer>,
    ) -> Result<()>;

    /// x `[num, width]` += bias `[width]`, both act.
    fn add_bias(
        &self,
        x: At<'_, Self::Buffer>,
        bias: At<'_, Self::Buffer>,
        num: usize,
        width: usize,
    ) -> Result<()>;
    /// grad `[width]` += column sums of dy `[num, width]`, act.
    fn add_column_sums(
        &self,
        dy: At<'_, Self::Buffer>,
        grad: At<'_, Self::Buffer>,
        num: usize,
        width: usize,
    ) -> Result<()>;

    /// Rows of heads to heads by key head, act; pairs (i, i + D/2) of position t are turned by `rotation`, cosines and
    /// sines `[T, D/2]` each.
    fn split_heads(
        &self,
        shape: &Heads,
        from: At<'_, Self::Buffer>,
        rotation: Option<(At<'_, Self::Buffer>, At<'_, Self::Buffer>)>,
        to: At<'_, Self::Buffer>,
    ) -> Result<()>;
    /// The other way round, turned back.
    fn merge_heads(
        &self,
        shape: &Heads,
        from: At<'_, Self::Buffer>,
        rotation: Option<(At<'_, Self::Buffer>, At<'_, Self::Buffer>)>,
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

    /// out `[num, width]` = silu(gate) · up, of gate_up `[num, 2 * width]`, gate first; act.
    fn gated(
        &self,
        gate_up: At<'_, Self::Buffer>,
        out: At<'_, Self::Buffer>,
        num: usize,
        width: usize,
    ) -> Result<()>;
    /// Backward of [`Device::gated`]: `gate_up` becomes its own derivative, given that of out; act.
    fn gated_grad(
        &self,
        gate_up: At<'_, Self::Buffer>,
        dout: At<'_, Self::Buffer>,
        num: usize,
        width: usize,
    ) -> Result<()>;

    /// With z = logits · sharpness, `[num, vocab]`: log_sums = ln Σ exp z, logprobs = z[target] - log_sum, entropies in
    /// nats of the softmax of z.
    #[expect(clippy::too_many_arguments, reason = "the places of one operation")]
    fn token_scores(
        &self,
        logits: At<'_, Self::Buffer>,
        targets: At<'_, Self::Buffer>,
        logprobs: At<'_, Self::Buffer>,
        entropies: At<'_, Self::Buffer>,
        log_sums: At<'_, Self::Buffer>,
        num: usize,
        vocab: usize,
        sharpness: f32,
    ) -> Result<()>;
    /// dlogits (act, `[num, vocab]`) from the derivatives of logprobs and entropies, given what
    /// [`Device::token_scores`] found: with p = exp(z - log_sum) and entropy H,
    /// sharpness · (dlogprob · (1[target] - p) - dentropy · p · (z - log_sum + H)).
    #[expect(clippy::too_many_arguments, reason = "the places of one operation")]
    fn token_scores_grad(
        &self,
        logits: At<'_, Self::Buffer>,
        targets: At<'_, Self::Buffer>,
        entropies: At<'_, Self::Buffer>,
        log_sums: At<'_, Self::Buffer>,
        dlogprobs: At<'_, Self::Buffer>,
        dentropies: At<'_, Self::Buffer>,
        dlogits: At<'_, Self::Buffer>,
        num: usize,
        vocab: usize,
        sharpness: f32,
    ) -> Result<()>;

    /// Σ x² in f64, in an order that depends on `len` alone.
    fn sum_of_squares(&self, x: At<'_, Self::Buffer>, len: usize) -> Result<f64>;
    /// Moves master weights, moments and their rounded copy (act), `len` of each.
    #[expect(clippy::too_many_arguments, reason = "the places of one operation")]
    fn adam(
        &self,
        step: &AdamStep,
        weights: At<'_, Self::Buffer>,
        grads: At<'_, Self::Buffer>,
        first: At<'_, Self::Buffer>,
        second: At<'_, Self::Buffer>,
        rounded: At<'_, Self::Buffer>,
        len: usize,
    ) -> Result<()>;

    /// One token a row, qkv act `[rows, (K * R + 2 * K) * D]`: turns queries and keys by `rotation` at `positions[b]`,
    /// writes queries to `queries` act `[rows, K, R, D]`, the key and the value to place `len - 1` of row b's slot.
    fn decode_heads(
        &self,
        shape: &Decode,
        qkv: At<'_, Self::Buffer>,
        rotation: (At<'_, Self::Buffer>, At<'_, Self::Buffer>),
        positions: At<'_, Self::Buffer>,
        queries: At<'_, Self::Buffer>,
        caches: &Caches<'_, Self::Buffer>,
    ) -> Result<()>;
    /// out act `[rows, K * R * D]`.
    fn decode_attention(
        &self,
        shape: &Decode,
        queries: At<'_, Self::Buffer>,
        caches: &Caches<'_, Self::Buffer>,
        out: At<'_, Self::Buffer>,
    ) -> Result<()>;
    /// A token a row from the softmax of its logits over the temperature: the first, in the order of the vocabulary, at
    /// which the running sum exceeds the uniform number times the whole, never one of weight 0. With `top_p` below 1
    /// only the smallest set of likeliest tokens that holds that much of the weight counts, of equal ones those of lower
    /// id; with temperature 0 the likeliest token of lowest id. Log-prob and entropy are of the whole vocabulary at the
    /// temperature of scores. The token is u32::MAX where a row's logits are not finite.
    fn draw(
        &self,
        shape: &Draw,
        logits: At<'_, Self::Buffer>,
        drawn: &Drawn<'_, Self::Buffer>,
    ) -> Result<()>;
}
