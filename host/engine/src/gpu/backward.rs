//! The backward pass, written by hand: from the derivatives of log-probs and entropies to the gradient of every
//! parameter, layer by layer from what the forward pass kept. Gradients of weights are summed in place, in f32.

use anyhow::Result;

use super::forward::{Block, Kept, SINGLE, Work as Forward};
use super::layout::LayerPlaces;
use super::network::{Network, alloc};
use super::ops::{At, Device, Heads, Product, at};
use super::padded::{Inputs, Padded};
use super::sizes::Batch;
use crate::ScoreGrads;

/// Buffers of a backward pass, for every layer in turn; named for what they hold the derivative of.
pub(super) struct Work<B> {
    /// `[N, H]`
    stream: B,
    normed: B,
    /// `[N, I]`
    gated: B,
    qkv: B,
    /// `[N, heads * D]`
    attended: B,
    /// By key head; a block's become its queries' once they have been used. `[B, K, T, R, D]`
    gathered: B,
    /// Keys, then values, rounded. `[B, K, T, D]`
    rounded: B,
    keys: B,
    values: B,
    /// What a row's weights have in common: Σ prob · dprob. `[B, K, T, R]`
    deltas: B,
    probs: B,
    scores: B,
    logits: B,
    logprobs: B,
    entropies: B,
    /// Distinct tokens, where each one's rows start, and the rows.
    ids: B,
    starts: B,
    rows: B,
}

impl<D: Device> Network<D> {
    /// Adds the gradient of a batch, given what a forward pass left.
    pub(super) fn backward(
        &self,
        padded: &Padded,
        inputs: &Inputs<D::Buffer>,
        kept: &[Kept<D::Buffer>],
        forward: &Forward<D::Buffer>,
        grads: &ScoreGrads,
        sharpness: f32,
    ) -> Result<()> {
        let shape = &padded.shape;
        let work = self.backward_work(shape)?;
        self.device.write(&grads.logprobs, at(&work.logprobs))?;
        self.device.write(&grads.entropies, at(&work.entropies))?;
        self.head_backward(shape, inputs, forward, &work, sharpness)?;
        for (places, kept) in self.layout.layers.iter().zip(kept).rev() {
            self.feed_forward_backward(places, shape, kept, forward, &work)?;
            self.attention_backward(places, shape, kept, forward, &work)?;
        }
        self.embedding_backward(padded, &work)
    }

    fn backward_work(&self, shape: &Batch) -> Result<Work<D::Buffer>> {
        let [
            stream,
            normed,
            gated,
            qkv,
            attended,
            gathered,
            rounded,
            keys,
            values,
            deltas,
            probs,
            scores,
            logits,
            logprobs,
            entropies,
            ids,
            starts,
            rows,
        ] = alloc(&self.device, shape.backward(&self.widths))?;
        Ok(Work {
            stream,
            normed,
            gated,
            qkv,
            attended,
            gathered,
            rounded,
            keys,
            values,
            deltas,
            probs,
            scores,
            logits,
            logprobs,
            entropies,
            ids,
            starts,
            rows,
        })
    }

    /// Leaves the derivative of the last layer's stream.
    fn head_backward(
        &self,
        shape: &Batch,
        inputs: &Inputs<D::Buffer>,
        forward: &Forward<D::Buffer>,
        work: &Work<D::Buffer>,
        sharpness: f32,
    ) -> Result<()> {
        let (hidden, vocab, scored) = (self.widths.hidden, self.widths.vocab, shape.scored);
        let chunk = self.widths.head_chunk(scored).max(1);
        for start in (0..scored).step_by(chunk) {
            let num = chunk.min(scored - start);
            let normed = at(&forward.scored_normed).plus(start * hidden);
            // A single chunk's logits are still there.
            if scored > chunk {
                self.logits(num, normed, at(&forward.logits))?;
            }
            self.device.token_scores_grad(
                at(&forward.logits),
                at(&inputs.targets).plus(start),
                at(&inputs.entropies).plus(start),
                at(&inputs.log_sums).plus(start),
                at(&work.logprobs).plus(start),
                at(&work.entropies).plus(start),
                at(&work.logits),
                num,
                vocab,
                sharpness,
            )?;
            let input = at(&work.normed).plus(start * hidden);
            self.linear_backward(num, (hidden, vocab), normed, at(&work.logits), self.layout.head, input)?;
        }
        // The normalized rows have been used: their place takes the derivative of the rows.
        self.device.norm_grad(
            &self.stream_norm(scored),
            at(&forward.scored),
            self.weight(self.layout.norm),
            at(&work.normed),
            at(&forward.scored_normed),
            false,
            self.gradient(self.layout.norm),
        )?;
        self.device.zero(at(&work.stream), shape.rows() * hidden)?;
        let (from, to) = (at(&forward.scored_normed), at(&work.stream));
        self.device.scatter(from, at(&inputs.scored), to, scored, hidden)
    }

    fn feed_forward_backward(
        &self,
        places: &LayerPlaces,
        shape: &Batch,
        kept: &Kept<D::Buffer>,
        forward: &Forward<D::Buffer>,
        work: &Work<D::Buffer>,
    ) -> Result<()> {
        let (rows, hidden, inner) = (shape.rows(), self.widths.hidden, self.widths.feed_forward);
        self.device.gated(at(&kept.gate_up), at(&forward.gated), rows, inner)?;
        let (gated, stream) = (at(&forward.gated), at(&work.stream));
        self.linear_backward(rows, (inner, hidden), gated, stream, places.down, at(&work.gated))?;
        self.device.gated_grad(at(&kept.gate_up), at(&work.gated), rows, inner)?;
        self.norm_rows(rows, at(&kept.middle), places.post_norm, at(&forward.normed))?;
        let (normed, gate_up) = (at(&forward.normed), at(&kept.gate_up));
        let into = at(&work.normed);
        self.linear_backward(rows, (hidden, 2 * inner), normed, gate_up, places.gate_up, into)?;
        self.stream_norm_backward(rows, at(&kept.middle), places.post_norm, work)
    }

    fn attention_backward(
        &self,
        places: &LayerPlaces,
        shape: &Batch,
        kept: &Kept<D::Buffer>,
        forward: &Forward<D::Buffer>,
        work: &Work<D::Buffer>,
    ) -> Result<()> {
        let (device, widths, rows) = (&self.device, &self.widths, shape.rows());
        let (hidden, queries) = (widths.hidden, widths.queries());
        if let Some(bias) = places.output_bias {
            device.add_column_sums(at(&work.stream), self.gradient(bias), rows, hidden)?;
        }
        let (attended, into) = (at(&kept.attended), at(&work.attended));
        self.linear_backward(rows, (queries, hidden), attended, at(&work.stream), places.output, into)?;

        let merged = Heads { row: queries, ..self.query_heads(shape) };
        device.split_heads(&merged, at(&work.attended), None, at(&work.gathered))?;
        device.split_heads(&merged, attended, None, at(&forward.gathered))?;
        let num = rows * widths.heads();
        device.row_products(at(&forward.gathered), at(&work.gathered), at(&work.deltas), num, widths.head)?;
        device.zero(at(&work.keys), rows * widths.keys())?;
        device.zero(at(&work.values), rows * widths.keys())?;
        for block in self.blocks(shape) {
            self.block_backward(&block, kept, forward, work)?;
        }
        let rotation = Some(self.rotation.places());
        device.merge_heads(&self.query_heads(shape), at(&work.gathered), rotation, at(&work.qkv))?;
        let num_keys = rows * widths.keys();
        for (from, rotation, offset) in
            [(&work.keys, rotation, queries), (&work.values, None, queries + widths.keys())]
        {
            device.round(at(from), at(&work.rounded), num_keys)?;
            let to = at(&work.qkv).plus(offset);
            device.merge_heads(&self.key_heads(shape), at(&work.rounded), rotation, to)?;
        }
        if let (Some(query_norm), Some(key_norm)) = (places.query_norm, places.key_norm) {
            let (of_queries, of_keys) = self.head_norms(rows);
            for (norm, place, offset) in [(of_queries, query_norm, 0), (of_keys, key_norm, queries)] {
                let (x, dy) = (at(&kept.qkv).plus(offset), at(&work.qkv).plus(offset));
                device.norm_grad(&norm, x, self.weight(place), dy, dy, false, self.gradient(place))?;
            }
        }
        if let Some(bias) = places.qkv_bias {
            device.add_column_sums(at(&work.qkv), self.gradient(bias), rows, widths.qkv())?;
        }
        self.norm_rows(rows, at(&kept.stream), places.input_norm, at(&forward.normed))?;
        let (normed, into) = (at(&forward.normed), at(&work.normed));
        self.linear_backward(rows, (hidden, widths.qkv()), normed, at(&work.qkv), places.qkv, into)?;
        self.stream_norm_backward(rows, at(&kept.stream), places.input_norm, work)
    }

    fn block_backward(
        &self,
        block: &Block,
        kept: &Kept<D::Buffer>,
        forward: &Forward<D::Buffer>,
        work: &Work<D::Buffer>,
    ) -> Result<()> {
        let softmax = &block.softmax;
        let stats = block.query * softmax.repeat;
        self.scores(block, at(&kept.queries), at(&kept.keys), at(&forward.scores))?;
        self.scores(block, at(&work.gathered), at(&kept.values), at(&work.probs))?;
        self.device.softmax_grad(
            softmax,
            at(&forward.scores),
            at(&work.probs),
            at(&kept.log_sums).plus(stats),
            at(&work.deltas).plus(stats),
            at(&forward.probs),
            at(&work.scores),
        )?;
        let width = self.widths.head;
        let of_keys = Product {
            m: softmax.keys,
            n: width,
            k: softmax.rows,
            a_transposed: true,
            a_row: softmax.keys,
            b_row: width,
            c_row: width,
            a_step: softmax.rows * softmax.keys,
            b_step: block.query_step,
            c_step: block.key_step,
            beta: 1.0,
            ..block.products()
        };
        let queries = at(&kept.queries).plus(block.first_value);
        let gathered = at(&work.gathered).plus(block.first_value);
        self.device.product(&of_keys, at(&forward.probs), gathered, at(&work.values))?;
        self.device.product(&of_keys, at(&work.scores), queries, at(&work.keys))?;
        let of_queries = Product {
            m: softmax.rows,
            n: width,
            k: softmax.keys,
            a_row: softmax.keys,
            b_row: width,
            c_row: width,
            a_step: softmax.rows * softmax.keys,
            b_step: block.key_step,
            c_step: block.query_step,
            ..block.products()
        };
        self.device.product(&of_queries, at(&work.scores), at(&kept.keys), gathered)
    }

    /// Adds to the gradient of the embedding, each token's rows in order.
    fn embedding_backward(&self, padded: &Padded, work: &Work<D::Buffer>) -> Result<()> {
        let mut of_tokens: Vec<(u32, u32)> = Vec::with_capacity(padded.tokens.len());
        for (sequence, &len) in padded.lens.iter().enumerate() {
            let first = sequence * padded.shape.len;
            of_tokens.extend((first..first + len).map(|row| (padded.tokens[row], row as u32)));
        }
        of_tokens.sort_unstable();
        let (mut ids, mut starts) = (Vec::new(), Vec::new());
        for (place, (token, _)) in of_tokens.iter().enumerate() {
            if ids.last() != Some(token) {
                ids.push(*token);
                starts.push(place as u32);
            }
        }
        starts.push(of_tokens.len() as u32);
        let rows: Vec<u32> = of_tokens.iter().map(|(_, row)| *row).collect();
        self.device.write_ids(&ids, at(&work.ids))?;
        self.device.write_ids(&starts, at(&work.starts))?;
        self.device.write_ids(&rows, at(&work.rows))?;
        self.device.scatter_sums(
            at(&work.stream),
            at(&work.ids),
            at(&work.starts),
            at(&work.rows),
            self.gradient(self.layout.embedding),
            ids.len(),
            self.widths.hidden,
        )
    }

    /// Backward of y = x · Wᵀ, x `[rows, input]` and y `[rows, out]`: dW += dyᵀ · x, dx = dy · W.
    fn linear_backward(
        &self,
        rows: usize,
        (input, out): (usize, usize),
        x: At<'_, D::Buffer>,
        dy: At<'_, D::Buffer>,
        place: usize,
        dx: At<'_, D::Buffer>,
    ) -> Result<()> {
        let of_weight = Product {
            m: out,
            n: input,
            k: rows,
            a_transposed: true,
            a_row: out,
            b_row: input,
            c_row: input,
            beta: 1.0,
            ..SINGLE
        };
        self.device.product(&of_weight, dy, x, self.gradient(place))?;
        let of_input =
            Product { m: rows, n: input, k: out, a_row: out, b_row: input, c_row: input, ..SINGLE };
        self.device.product(&of_input, dy, self.weight(place), dx)
    }

    /// Backward of a norm of the stream, whose derivative is in `work.normed`: adds to that of the stream.
    fn stream_norm_backward(
        &self,
        rows: usize,
        stream: At<'_, D::Buffer>,
        place: usize,
        work: &Work<D::Buffer>,
    ) -> Result<()> {
        self.device.norm_grad(
            &self.stream_norm(rows),
            stream,
            self.weight(place),
            at(&work.normed),
            at(&work.stream),
            true,
            self.gradient(place),
        )
    }
}
