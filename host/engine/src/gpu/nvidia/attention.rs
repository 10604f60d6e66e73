//! A GPU's attention.

use anyhow::{Result, ensure};

use super::kernels::{Argument, DecodeShape, Grid, SHARED_BYTES, arguments};
use super::{Buffer, NvidiaGpu, Place};
use crate::gpu::ops::{Attention, Caches, Decode, Element, Heads, Pair, Softmax};

impl NvidiaGpu {
    fn turn_heads(
        &self,
        name: &str,
        shape: &Heads,
        from: Place<'_>,
        rotation: Option<Pair<'_, Buffer>>,
        to: Place<'_>,
        split: bool,
    ) -> Result<()> {
        self.count();
        let Heads { sequences, len, row, key_heads, repeat, width } = *shape;
        let tokens = sequences * len;
        if tokens == 0 {
            return Ok(());
        }
        let heads = key_heads * repeat * width;
        let (in_rows, in_heads) = ((tokens - 1) * row + heads, tokens * heads);
        let (element, kernel) = self.kernel(name, from)?;
        let source = self.address(from, if split { in_rows } else { in_heads }, element)?;
        let target = self.address(to, if split { in_heads } else { in_rows }, element)?;
        let (cos, sin) = match rotation {
            Some((cos, sin)) => (self.f32s(cos, len * width / 2)?, self.f32s(sin, len * width / 2)?),
            None => (0, 0),
        };
        self.launch(
            &kernel,
            Grid::over(in_heads / 2),
            arguments![
                sequences,
                len,
                row,
                key_heads as i32,
                repeat as i32,
                width as i32,
                source,
                cos,
                sin,
                target
            ],
        )
    }

    /// The addresses of caches, as kernels/decode.cu takes them.
    fn caches(&self, shape: &Decode, element: Element, caches: &Caches<'_, Buffer>) -> Result<[Argument; 7]> {
        ensure!(
            (1..=shape.capacity).contains(&shape.len),
            "{} tokens are not what a cache of {} holds",
            shape.len,
            shape.capacity
        );
        let rest = |place: Place<'_>, element| {
            self.address(place, place.buffer.len.saturating_sub(place.offset), element).map(Argument::from)
        };
        Ok([
            rest(caches.prompt_keys, element)?,
            rest(caches.prompt_values, element)?,
            rest(caches.keys, element)?,
            rest(caches.values, element)?,
            self.ids(caches.slots, shape.rows)?.into(),
            self.ids(caches.groups, shape.rows)?.into(),
            rest(caches.prompt_lens, Element::U32)?,
        ])
    }
}

fn decode_shape(shape: &Decode) -> Argument {
    let sizes = [
        shape.rows,
        shape.key_heads,
        shape.repeat,
        shape.width,
        shape.prompt_capacity,
        shape.capacity,
        shape.len,
    ];
    Argument::Decode(DecodeShape { sizes: sizes.map(|size| size as i32), scale: shape.scale })
}

/// Shared memory of attention on tensor cores: a block's queries, and the larger of its scores and of its warps' sums.
fn tensor_bytes(shape: &Decode) -> usize {
    const HEADS: usize = 8;
    const WARPS: usize = 4;
    let columns = shape.prompt_capacity.next_multiple_of(32) + shape.len.next_multiple_of(32);
    HEADS * shape.width * 2 + 4 * HEADS * columns.max(WARPS * shape.width)
}

impl Attention for NvidiaGpu {
    fn split_heads(
        &self,
        shape: &Heads,
        from: Place<'_>,
        rotation: Option<Pair<'_, Buffer>>,
        to: Place<'_>,
    ) -> Result<()> {
        self.turn_heads("split_heads", shape, from, rotation, to, true)
    }

    fn merge_heads(
        &self,
        shape: &Heads,
        from: Place<'_>,
        rotation: Option<Pair<'_, Buffer>>,
        to: Place<'_>,
    ) -> Result<()> {
        self.turn_heads("merge_heads", shape, from, rotation, to, false)
    }

    fn softmax(
        &self,
        shape: &Softmax,
        scores: Place<'_>,
        log_sums: Place<'_>,
        probs: Place<'_>,
    ) -> Result<()> {
        self.count();
        let Softmax { batch, rows, keys, first_query, repeat, stat_step, scale } = *shape;
        let (all, stats) = (batch * rows, batch.saturating_sub(1) * stat_step + rows);
        let (element, kernel) = self.kernel("softmax", probs)?;
        let (scores, probs) = (self.f32s(scores, all * keys)?, self.address(probs, all * keys, element)?);
        let log_sums = self.f32s(log_sums, stats)?;
        let grid = Grid::blocks(all.div_ceil(8).min(1 << 16), 256);
        let repeat = repeat as i32;
        self.launch(
            &kernel,
            grid,
            arguments![batch, rows, keys, first_query, repeat, stat_step, scale, scores, log_sums, probs],
        )
    }

    fn softmax_grad(
        &self,
        shape: &Softmax,
        scores: Place<'_>,
        dprobs: Place<'_>,
        log_sums: Place<'_>,
        deltas: Place<'_>,
        probs: Place<'_>,
        dscores: Place<'_>,
    ) -> Result<()> {
        self.count();
        let Softmax { batch, rows, keys, first_query, repeat, stat_step, scale } = *shape;
        let (all, stats) = (batch * rows, batch.saturating_sub(1) * stat_step + rows);
        let (element, kernel) = self.kernel("softmax_grad", probs)?;
        let (scores, dprobs) = (self.f32s(scores, all * keys)?, self.f32s(dprobs, all * keys)?);
        let (log_sums, deltas) = (self.f32s(log_sums, stats)?, self.f32s(deltas, stats)?);
        let probs = self.address(probs, all * keys, element)?;
        let dscores = self.address(dscores, all * keys, element)?;
        let grid = Grid::blocks(all.div_ceil(8).min(1 << 16), 256);
        self.launch(
            &kernel,
            grid,
            arguments![
                batch,
                rows,
                keys,
                first_query,
                repeat as i32,
                stat_step,
                scale,
                scores,
                dprobs,
                log_sums,
                deltas,
                probs,
                dscores
            ],
        )
    }

    fn row_products(
        &self,
        a: Place<'_>,
        b: Place<'_>,
        out: Place<'_>,
        num: usize,
        width: usize,
    ) -> Result<()> {
        self.count();
        let (element, kernel) = self.kernel("row_products", a)?;
        let (left, right) = (self.address(a, num * width, element)?, self.address(b, num * width, element)?);
        let out = self.f32s(out, num)?;
        let grid = Grid::blocks(num.div_ceil(8).clamp(1, 1 << 16), 256);
        self.launch(&kernel, grid, arguments![left, right, out, num, width])
    }

    fn decode_heads(
        &self,
        shape: &Decode,
        qkv: Place<'_>,
        (cos, sin): Pair<'_, Buffer>,
        positions: Place<'_>,
        queries: Place<'_>,
        caches: &Caches<'_, Buffer>,
    ) -> Result<()> {
        self.count();
        let Decode { rows, key_heads, repeat, width, .. } = *shape;
        let heads = key_heads * repeat;
        let (element, kernel) = self.kernel("decode_heads", qkv)?;
        let source = self.address(qkv, rows * (heads + 2 * key_heads) * width, element)?;
        let target = self.address(queries, rows * heads * width, element)?;
        let (cos, sin) = (self.f32s(cos, width / 2)?, self.f32s(sin, width / 2)?);
        let positions = self.ids(positions, rows)?;
        let mut arguments = vec![decode_shape(shape)];
        arguments.extend([source, cos, sin, positions, target].map(Argument::from));
        arguments.extend(self.caches(shape, element, caches)?);
        self.launch(&kernel, Grid::blocks(rows, 256), &arguments)
    }

    fn decode_attention(
        &self,
        shape: &Decode,
        queries: Place<'_>,
        caches: &Caches<'_, Buffer>,
        out: Place<'_>,
    ) -> Result<()> {
        self.count();
        let Decode { rows, key_heads, repeat, width, .. } = *shape;
        ensure!(
            width <= 256,
            "heads of {width} values are too wide for the GPU's engine, which takes up to 256"
        );
        let len = rows * key_heads * repeat * width;
        // Whole heads of these widths start on 16 bytes wherever a cache does.
        let is_aligned = [caches.prompt_keys, caches.prompt_values, caches.keys, caches.values]
            .iter()
            .all(|place| place.offset.is_multiple_of(width));
        let shared = tensor_bytes(shape);
        let is_tensor = queries.buffer.element == Element::Bf16 && shared <= SHARED_BYTES;
        let by_key_head = [rows, key_heads, repeat.div_ceil(8)];
        let (name, blocks, shared) = match (width, is_aligned, is_tensor) {
            (64, true, true) => ("decode_attention_tensor_64", by_key_head, shared),
            (128, true, true) => ("decode_attention_tensor_128", by_key_head, shared),
            (64, true, false) => ("decode_attention_64", by_key_head, 0),
            (128, true, false) => ("decode_attention_128", by_key_head, 0),
            _ => ("decode_attention_any", [rows, key_heads * repeat, 1], 0),
        };
        let (element, kernel) = self.kernel(name, queries)?;
        let (queries, out) = (self.address(queries, len, element)?, self.address(out, len, element)?);
        let mut arguments = vec![decode_shape(shape)];
        arguments.extend([queries, out].map(Argument::from));
        arguments.extend(self.caches(shape, element, caches)?);
        self.launch(&kernel, Grid { blocks, threads: 128, shared }, &arguments)
    }
}
