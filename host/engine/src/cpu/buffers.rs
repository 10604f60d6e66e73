//! Buffers that grow to the largest batch and stay, and what a layer leaves for its backward pass, cut out of one.

use super::network::Network;

/// The first `len` values of `buffer`, which grows when it must; what it holds then is arbitrary.
pub(super) fn fit<T: Copy + Default>(buffer: &mut Vec<T>, len: usize) -> &mut [T] {
    if buffer.len() < len {
        // Old values are not worth a copy, nor the room beside the new ones.
        *buffer = Vec::new();
        *buffer = vec![T::default(); len];
    }
    &mut buffer[..len]
}

/// What a layer's forward pass leaves for its backward pass.
#[derive(Debug)]
pub(super) struct Saves<'a> {
    /// 1/rms of the layer's input. `[M]`
    pub(super) input_inverse: &'a mut [f32],
    /// Queries, keys and values, rotated. `[M, qkv]`
    pub(super) qkv: &'a mut [f32],
    /// Queries and keys before their norms; empty for networks that have none. `[M, query + key]`
    pub(super) raw: &'a mut [f32],
    /// 1/rms of each head of `raw`. `[M, heads + key_heads]`
    pub(super) raw_inverse: &'a mut [f32],
    /// Log-sums of attention. `[M, heads]`
    pub(super) log_sums: &'a mut [f32],
    /// Attention's result before its output projection. `[M, query]`
    pub(super) attended: &'a mut [f32],
    /// Residual stream after attention. `[M, hidden]`
    pub(super) middle: &'a mut [f32],
    /// 1/rms of `middle`. `[M]`
    pub(super) middle_inverse: &'a mut [f32],
    /// Gate and up. `[M, 2 * intermediate]`
    pub(super) gate_up: &'a mut [f32],
    /// What attention adds to the residual stream, before its norm; empty for networks that have none. `[M, hidden]`
    pub(super) attention_branch: &'a mut [f32],
    /// 1/rms of it. `[M]`
    pub(super) attention_branch_inverse: &'a mut [f32],
    /// What the gated layer adds, likewise. `[M, hidden]`
    pub(super) feed_forward_branch: &'a mut [f32],
    /// 1/rms of it. `[M]`
    pub(super) feed_forward_branch_inverse: &'a mut [f32],
}

/// Values a row, in the order of the fields.
fn widths(network: &Network) -> [usize; 13] {
    let shape = &network.shape;
    let (raw, raw_inverse) = match network.layout.has_head_norms() {
        true => (shape.query() + shape.key(), shape.heads + shape.key_heads),
        false => (0, 0),
    };
    let (query, hidden, gate_up) = (shape.query(), shape.hidden, 2 * shape.intermediate);
    let (branch, inverse) = if network.config.variations.branch_norms { (hidden, 1) } else { (0, 0) };
    let before = [1, shape.qkv(), raw, raw_inverse, shape.heads, query, hidden, 1, gate_up];
    let mut widths = [0; 13];
    widths[..9].copy_from_slice(&before);
    widths[9..].copy_from_slice(&[branch, inverse, branch, inverse]);
    widths
}

/// Cuts `len` values off the beginning of `buffer`, and what fills up a cache line after them.
pub(super) fn cut<'a>(buffer: &mut &'a mut [f32], len: usize) -> &'a mut [f32] {
    let (line, rest) = std::mem::take(buffer).split_at_mut(cut_len(len));
    *buffer = rest;
    &mut line[..len]
}

/// Values that [`cut`] takes.
pub(super) fn cut_len(len: usize) -> usize {
    len.next_multiple_of(64 / size_of::<f32>())
}

impl<'a> Saves<'a> {
    /// Values of a row in all fields together.
    pub(super) fn values_per_row(network: &Network) -> usize {
        widths(network).iter().sum()
    }

    /// Values that [`Saves::cut`] takes.
    pub(super) fn len(network: &Network, rows: usize) -> usize {
        widths(network).iter().map(|width| cut_len(rows * width)).sum()
    }

    /// Of `rows` rows, cut off the beginning of `buffer`, whose values are arbitrary.
    pub(super) fn cut(network: &Network, rows: usize, buffer: &mut &'a mut [f32]) -> Self {
        // In the order of `widths`.
        let mut next = widths(network).into_iter().map(|width| cut(buffer, rows * width));
        let mut next = || next.next().unwrap_or_default();
        Self {
            input_inverse: next(),
            qkv: next(),
            raw: next(),
            raw_inverse: next(),
            log_sums: next(),
            attended: next(),
            middle: next(),
            middle_inverse: next(),
            gate_up: next(),
            attention_branch: next(),
            attention_branch_inverse: next(),
            feed_forward_branch: next(),
            feed_forward_branch_inverse: next(),
        }
    }
}
