//! The forward pass over a padded batch: embedding, layers, and the scores of completion tokens, the head in chunks.
//!
//! A batch is padded on the right, so that causal attention hides the padding from every real token.

use anyhow::Result;

use super::layout::LayerPlaces;
use super::network::{Network, alloc};
use super::ops::{At, Device, Heads, Norm, Pair, Product, Softmax, at};
use super::padded::Inputs;
use super::sizes::{Batch, QUERY_BLOCK};

/// Buffers of a forward pass, for every layer in turn.
pub(super) struct Work<B> {
    /// A normalized stream. `[N, H]`
    pub(super) normed: B,
    pub(super) qkv: B,
    /// What attention gathered, by key head. `[B, K, T, R, D]`
    pub(super) gathered: B,
    /// `[N, I]`
    pub(super) gated: B,
    pub(super) scores: B,
    pub(super) probs: B,
    /// The stream's scored rows, and these normalized. `[S, H]`
    pub(super) scored: B,
    pub(super) scored_normed: B,
    pub(super) logits: B,
}

/// What is known of a layer after its forward pass.
pub(super) struct Kept<B> {
    /// The stream before the layer. `[N, H]`
    pub(super) stream: B,
    /// Projections before their norms; empty without norms on queries and keys. `[N, (heads + 2 K) D]`
    pub(super) qkv: B,
    pub(super) queries: B,
    pub(super) keys: B,
    pub(super) values: B,
    /// `[B, K, T, R]`
    pub(super) log_sums: B,
    /// `[N, heads * D]`
    pub(super) attended: B,
    /// The stream between attention and feed-forward. `[N, H]`
    pub(super) middle: B,
    /// `[N, 2 I]`
    pub(super) gate_up: B,
}

impl<D: Device> Network<D> {
    pub(super) fn work(&self, shape: &Batch) -> Result<Work<D::Buffer>> {
        let [normed, qkv, gathered, gated, scores, probs, scored, scored_normed, logits] =
            alloc(&self.device, shape.work(&self.widths))?;
        Ok(Work { normed, qkv, gathered, gated, scores, probs, scored, scored_normed, logits })
    }

    pub(super) fn kept(&self, shape: &Batch) -> Result<Kept<D::Buffer>> {
        let [stream, qkv, queries, keys, values, log_sums, attended, middle] =
            alloc(&self.device, shape.kept(&self.widths))?;
        let [gate_up] = alloc(&self.device, [shape.gates(&self.widths)])?;
        Ok(Kept { stream, qkv, queries, keys, values, log_sums, attended, middle, gate_up })
    }

    /// The embedded batch. `[N, H]`
    pub(super) fn embed(
        &self,
        tokens: At<'_, D::Buffer>,
        stream: At<'_, D::Buffer>,
        rows: usize,
    ) -> Result<()> {
        self.device.gather(self.weight(self.layout.embedding), tokens, stream, rows, self.widths.hidden)
    }

    /// One layer, from `kept.stream` to `next`, which may be the same. Keys and values, `[B, K, T, D]`, go to `cache`.
    pub(super) fn layer_forward(
        &self,
        places: &LayerPlaces,
        shape: &Batch,
        kept: &Kept<D::Buffer>,
        cache: Pair<'_, D::Buffer>,
        next: At<'_, D::Buffer>,
        work: &Work<D::Buffer>,
    ) -> Result<()> {
        let (device, widths, rows) = (&self.device, &self.widths, shape.rows());
        let (hidden, width) = (widths.hidden, widths.qkv());
        let qkv = at(if widths.has_qk_norm { &kept.qkv } else { &work.qkv });
        self.norm_rows(rows, at(&kept.stream), places.input_norm, at(&work.normed))?;
        self.linear(rows, hidden, width, at(&work.normed), places.qkv, qkv, 0.0)?;
        if let Some(bias) = places.qkv_bias {
            device.add_bias(qkv, self.weight(bias), rows, width)?;
        }
        let (queries, keys) = self.normed_heads(places, rows, qkv, at(&work.qkv))?;
        let rotation = self.rotation.places();
        device.split_heads(&self.query_heads(shape), queries, Some(rotation), at(&kept.queries))?;
        device.split_heads(&self.key_heads(shape), keys, Some(rotation), cache.0)?;
        let values = qkv.plus(widths.queries() + widths.keys());
        device.split_heads(&self.key_heads(shape), values, None, cache.1)?;
        self.attend(shape, kept, cache, work)?;
        let merged = Heads { row: widths.queries(), ..self.query_heads(shape) };
        device.merge_heads(&merged, at(&work.gathered), None, at(&kept.attended))?;

        device.copy(at(&kept.stream), at(&kept.middle), rows * hidden)?;
        self.linear(
            rows,
            widths.queries(),
            hidden,
            at(&kept.attended),
            places.output,
            at(&kept.middle),
            1.0,
        )?;
        if let Some(bias) = places.output_bias {
            device.add_bias(at(&kept.middle), self.weight(bias), rows, hidden)?;
        }
        let inner = widths.feed_forward;
        self.norm_rows(rows, at(&kept.middle), places.post_norm, at(&work.normed))?;
        self.linear(rows, hidden, 2 * inner, at(&work.normed), places.gate_up, at(&kept.gate_up), 0.0)?;
        device.gated(at(&kept.gate_up), at(&work.gated), rows, inner)?;
        device.copy(at(&kept.middle), next, rows * hidden)?;
        self.linear(rows, inner, hidden, at(&work.gated), places.down, next, 1.0)
    }

    /// Queries and keys after their norms, where the architecture has such: in `normed`, or where they were.
    pub(super) fn normed_heads<'a>(
        &self,
        places: &LayerPlaces,
        rows: usize,
        qkv: At<'a, D::Buffer>,
        normed: At<'a, D::Buffer>,
    ) -> Result<Pair<'a, D::Buffer>> {
        let keys = self.widths.queries();
        let (Some(query_norm), Some(key_norm)) = (places.query_norm, places.key_norm) else {
            return Ok((qkv, qkv.plus(keys)));
        };
        let (of_queries, of_keys) = self.head_norms(rows);
        self.device.norm(&of_queries, qkv, self.weight(query_norm), normed)?;
        self.device.norm(&of_keys, qkv.plus(keys), self.weight(key_norm), normed.plus(keys))?;
        Ok((normed, normed.plus(keys)))
    }

    /// Norms on the heads of queries and of keys.
    pub(super) fn head_norms(&self, rows: usize) -> (Norm, Norm) {
        let widths = &self.widths;
        let of = |groups| Norm {
            rows,
            groups,
            width: widths.head,
            in_row: widths.qkv(),
            out_row: widths.qkv(),
            eps: self.eps,
        };
        (of(widths.heads()), of(widths.key_heads))
    }

    pub(super) fn query_heads(&self, shape: &Batch) -> Heads {
        let widths = &self.widths;
        Heads {
            sequences: shape.sequences,
            len: shape.len,
            row: widths.qkv(),
            key_heads: widths.key_heads,
            repeat: widths.repeat,
            width: widths.head,
        }
    }

    pub(super) fn key_heads(&self, shape: &Batch) -> Heads {
        Heads { repeat: 1, ..self.query_heads(shape) }
    }

    /// Causal attention, a block of queries after the other.
    fn attend(
        &self,
        shape: &Batch,
        kept: &Kept<D::Buffer>,
        (keys, values): Pair<'_, D::Buffer>,
        work: &Work<D::Buffer>,
    ) -> Result<()> {
        for block in self.blocks(shape) {
            let Block { query, softmax, .. } = block;
            self.scores(&block, at(&kept.queries), keys, at(&work.scores))?;
            let stats = at(&kept.log_sums).plus(query * self.widths.repeat);
            self.device.softmax(&softmax, at(&work.scores), stats, at(&work.probs))?;
            let gather = Product {
                m: softmax.rows,
                n: self.widths.head,
                k: softmax.keys,
                b_transposed: false,
                a_row: softmax.keys,
                b_row: self.widths.head,
                c_row: self.widths.head,
                a_step: softmax.rows * softmax.keys,
                b_step: block.key_step,
                c_step: block.query_step,
                ..block.products()
            };
            let target = at(&work.gathered).plus(block.first_value);
            self.device.product(&gather, at(&work.probs), values, target)?;
        }
        Ok(())
    }

    /// The blocks that attention over a batch is computed in.
    pub(super) fn blocks(&self, shape: &Batch) -> impl Iterator<Item = Block> + use<D> {
        let widths = self.widths;
        let Batch { sequences, len, .. } = *shape;
        (0..len).step_by(shape.block().max(1)).map(move |query| {
            let queries = (len - query).min(QUERY_BLOCK);
            Block {
                query,
                width: widths.head,
                first_value: query * widths.repeat * widths.head,
                query_step: len * widths.repeat * widths.head,
                key_step: len * widths.head,
                softmax: Softmax {
                    batch: sequences * widths.key_heads,
                    rows: queries * widths.repeat,
                    keys: query + queries,
                    first_query: query,
                    repeat: widths.repeat,
                    stat_step: len * widths.repeat,
                    scale: 1.0 / (widths.head as f32).sqrt(),
                },
            }
        })
    }

    /// Products of a block's queries, or of what has their shape, with all keys that the block sees.
    pub(super) fn scores(
        &self,
        block: &Block,
        queries: At<'_, D::Buffer>,
        keys: At<'_, D::Buffer>,
        scores: At<'_, D::Buffer>,
    ) -> Result<()> {
        let shape = Product {
            m: block.softmax.rows,
            n: block.softmax.keys,
            k: block.width,
            b_transposed: true,
            a_row: block.width,
            b_row: block.width,
            c_row: block.softmax.keys,
            a_step: block.query_step,
            b_step: block.key_step,
            c_step: block.softmax.rows * block.softmax.keys,
            ..block.products()
        };
        self.device.product(&shape, queries.plus(block.first_value), keys, scores)
    }

    /// Log-probs, entropies and log-sums of all completion tokens, given the last layer's stream.
    pub(super) fn head_forward(
        &self,
        shape: &Batch,
        stream: At<'_, D::Buffer>,
        inputs: &Inputs<D::Buffer>,
        work: &Work<D::Buffer>,
        sharpness: f32,
    ) -> Result<()> {
        self.scored_rows(shape, stream, inputs, work)?;
        let chunk = self.widths.head_chunk(shape.scored).max(1);
        for start in (0..shape.scored).step_by(chunk) {
            let num = chunk.min(shape.scored - start);
            self.logits(num, at(&work.scored_normed).plus(start * self.widths.hidden), at(&work.logits))?;
            self.device.token_scores(
                at(&work.logits),
                at(&inputs.targets).plus(start),
                at(&inputs.logprobs).plus(start),
                at(&inputs.entropies).plus(start),
                at(&inputs.log_sums).plus(start),
                num,
                self.widths.vocab,
                sharpness,
            )?;
        }
        Ok(())
    }

    /// The rows that the head is for, normalized. `[S, H]`
    pub(super) fn scored_rows(
        &self,
        shape: &Batch,
        stream: At<'_, D::Buffer>,
        inputs: &Inputs<D::Buffer>,
        work: &Work<D::Buffer>,
    ) -> Result<()> {
        let hidden = self.widths.hidden;
        self.device.gather(stream, at(&inputs.scored), at(&work.scored), shape.scored, hidden)?;
        self.norm_rows(shape.scored, at(&work.scored), self.layout.norm, at(&work.scored_normed))
    }

    /// f32 logits of `num` normalized rows.
    pub(super) fn logits(
        &self,
        num: usize,
        normed: At<'_, D::Buffer>,
        logits: At<'_, D::Buffer>,
    ) -> Result<()> {
        self.linear(num, self.widths.hidden, self.widths.vocab, normed, self.layout.head, logits, 0.0)
    }

    /// y `[rows, out]` = x `[rows, input]` · Wᵀ + keep · y, of the weights at `place`.
    #[expect(clippy::too_many_arguments, reason = "the places and sizes of one product")]
    pub(super) fn linear(
        &self,
        rows: usize,
        input: usize,
        out: usize,
        x: At<'_, D::Buffer>,
        place: usize,
        y: At<'_, D::Buffer>,
        keep: f32,
    ) -> Result<()> {
        let shape = Product {
            m: rows,
            n: out,
            k: input,
            b_transposed: true,
            a_row: input,
            b_row: input,
            c_row: out,
            beta: keep,
            ..SINGLE
        };
        self.device.product(&shape, x, self.weight(place), y)
    }

    /// Norms of `rows` vectors as wide as the stream.
    pub(super) fn norm_rows(
        &self,
        rows: usize,
        x: At<'_, D::Buffer>,
        place: usize,
        y: At<'_, D::Buffer>,
    ) -> Result<()> {
        self.device.norm(&self.stream_norm(rows), x, self.weight(place), y)
    }

    pub(super) fn stream_norm(&self, rows: usize) -> Norm {
        let hidden = self.widths.hidden;
        Norm { rows, groups: 1, width: hidden, in_row: hidden, out_row: hidden, eps: self.eps }
    }
}

/// A product that is not one of a batch.
pub(super) const SINGLE: Product = Product {
    m: 0,
    n: 0,
    k: 0,
    batch: 1,
    a_transposed: false,
    b_transposed: false,
    a_row: 0,
    b_row: 0,
    c_row: 0,
    a_step: 0,
    b_step: 0,
    c_step: 0,
    alpha: 1.0,
    beta: 0.0,
};

/// Consecutive queries of every sequence and key head, with the keys that any of them sees.
pub(super) struct Block {
    /// The first query.
    pub(super) query: usize,
    width: usize,
    /// Where its values are in a sequence's `[T, R, D]`.
    pub(super) first_value: usize,
    /// Distance of two members of the batch in queries, and in keys and values.
    pub(super) query_step: usize,
    pub(super) key_step: usize,
    pub(super) softmax: Softmax,
}

impl Block {
    /// A product for every sequence and key head.
    pub(super) fn products(&self) -> Product {
        Product { batch: self.softmax.batch, ..SINGLE }
    }
}
