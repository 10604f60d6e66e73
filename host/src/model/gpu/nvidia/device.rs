//! Each operation's kernel, given checked addresses.

use anyhow::{Context as _, Result, bail, ensure};
use candle_core::cuda_backend::cudarc::driver::result;

use super::kernels::{Argument, DecodeShape, DrawShape, Grid, NORM_BYTES, StepShape};
use super::{Buffer, NvidiaGpu, PARTIALS, Place, allocate};
use crate::model::gpu::ops::{
    AdamStep, Caches, Decode, Device, Draw, Drawn, Element, Heads, Norm, Product, Softmax,
};

/// A list of arguments.
macro_rules! arguments {
    ($($value:expr),* $(,)?) => { &[$(Argument::from($value)),*] };
}

/// Blocks over which the rows of a sum are shared out.
const SUM_BLOCKS: usize = 264;
/// Threads of a block that works on a row of logits.
const ROW_THREADS: usize = 512;

impl NvidiaGpu {
    /// Element type of activations, which `place` holds, and the kernel for it.
    fn kernel(&self, name: &str, place: Place<'_>) -> Result<(Element, String)> {
        match place.buffer.element {
            Element::F32 => Ok((Element::F32, format!("{name}_f32"))),
            Element::Bf16 => Ok((Element::Bf16, format!("{name}_bf16"))),
            Element::U32 => bail!("{name} is not for token ids"),
        }
    }

    fn f32s(&self, place: Place<'_>, len: usize) -> Result<u64> {
        self.address(place, len, Element::F32)
    }

    fn ids(&self, place: Place<'_>, len: usize) -> Result<u64> {
        self.address(place, len, Element::U32)
    }

    /// Adds partial sums of `blocks` blocks to a gradient.
    fn add_partials(&self, grad: u64, blocks: usize, width: usize) -> Result<()> {
        let grid = Grid::blocks(width.div_ceil(128), 128);
        self.launch("add_partials", grid, arguments![self.partials.address, grad, blocks as i32, width])
    }

    /// Blocks whose partial sums of `width` there is room for, at most one for `least` rows of `rows`.
    fn sum_blocks(&self, rows: usize, least: usize, width: usize) -> usize {
        rows.div_ceil(least).min(SUM_BLOCKS).min(PARTIALS / width).max(1)
    }

    fn turn_heads(
        &self,
        name: &str,
        shape: &Heads,
        from: Place<'_>,
        rotation: Option<(Place<'_>, Place<'_>)>,
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
            arguments![sequences, len, row, key_heads as i32, repeat as i32, width as i32, source, cos, sin, target],
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

/// To the nearest bf16, ties to even.
fn to_bf16(value: f32) -> u16 {
    let bits = value.to_bits();
    if value.is_nan() {
        return (bits >> 16) as u16 | 0x40;
    }
    (bits.wrapping_add(0x7fff + ((bits >> 16) & 1)) >> 16) as u16
}

impl Device for NvidiaGpu {
    type Buffer = Buffer;

    fn alloc(&self, element: Element, len: usize) -> Result<Buffer> {
        allocate(&self.stream, element, len, self.account.clone())
    }

    fn total_memory(&self) -> usize {
        self.total
    }

    fn allocated(&self) -> (usize, usize) {
        use std::sync::atomic::Ordering::Relaxed;
        (self.account.now.load(Relaxed), self.account.most.load(Relaxed))
    }

    fn launches(&self) -> u64 {
        self.launches.load(std::sync::atomic::Ordering::Relaxed)
    }

    fn wait(&self) -> Result<()> {
        self.stream.synchronize().context("the GPU failed")
    }

    fn write(&self, values: &[f32], to: Place<'_>) -> Result<()> {
        self.count();
        if values.is_empty() {
            return Ok(());
        }
        let element = to.buffer.element;
        let address = self.address(to, values.len(), element)?;
        self.stream.context().bind_to_thread()?;
        // SAFETY: the place is as long as the values, which outlive the copy: it is waited for.
        match element {
            Element::Bf16 => {
                let rounded: Vec<u16> = values.iter().map(|value| to_bf16(*value)).collect();
                unsafe { result::memcpy_htod_async(address, &rounded, self.stream.cu_stream()) }?;
                self.wait()
            }
            _ => {
                unsafe { result::memcpy_htod_async(address, values, self.stream.cu_stream()) }?;
                self.wait()
            }
        }
    }

    fn write_ids(&self, values: &[u32], to: Place<'_>) -> Result<()> {
        self.count();
        if values.is_empty() {
            return Ok(());
        }
        let address = self.ids(to, values.len())?;
        self.stream.context().bind_to_thread()?;
        // SAFETY: the place is as long as the values; the driver has copied them out of memory that may be paged when it
        // returns.
        unsafe { result::memcpy_htod_async(address, values, self.stream.cu_stream()) }
            .context("the GPU can't be written to")
    }

    fn read(&self, from: Place<'_>, len: usize) -> Result<Vec<f32>> {
        self.count();
        let element = from.buffer.element;
        let address = self.address(from, len, element)?;
        self.stream.context().bind_to_thread()?;
        if len == 0 {
            return Ok(Vec::new());
        }
        if element == Element::Bf16 {
            let mut values = vec![0u16; len];
            // SAFETY: both sides are as long; the values are read after the stream has been waited for.
            unsafe { result::memcpy_dtoh_async(&mut values, address, self.stream.cu_stream()) }?;
            self.wait()?;
            return Ok(values.into_iter().map(|value| f32::from_bits(u32::from(value) << 16)).collect());
        }
        let mut values = vec![0f32; len];
        // SAFETY: the same.
        unsafe { result::memcpy_dtoh_async(&mut values, address, self.stream.cu_stream()) }?;
        self.wait()?;
        Ok(values)
    }

    fn read_ids(&self, from: Place<'_>, len: usize) -> Result<Vec<u32>> {
        self.count();
        let address = self.ids(from, len)?;
        let mut values = vec![0u32; len];
        if len > 0 {
            self.stream.context().bind_to_thread()?;
            // SAFETY: both sides are as long; the values are read after the stream has been waited for.
            unsafe { result::memcpy_dtoh_async(&mut values, address, self.stream.cu_stream()) }?;
            self.wait()?;
        }
        Ok(values)
    }

    fn zero(&self, place: Place<'_>, len: usize) -> Result<()> {
        self.count();
        let element = place.buffer.element;
        let address = self.address(place, len, element)?;
        if len == 0 {
            return Ok(());
        }
        self.stream.context().bind_to_thread()?;
        // SAFETY: the place is as long.
        unsafe { result::memset_d8_async(address, 0, len * element.size(), self.stream.cu_stream()) }
            .context("the GPU can't zero memory")
    }

    fn copy(&self, from: Place<'_>, to: Place<'_>, len: usize) -> Result<()> {
        self.count();
        let element = from.buffer.element;
        let (source, target) = (self.address(from, len, element)?, self.address(to, len, element)?);
        if len == 0 || source == target {
            return Ok(());
        }
        self.stream.context().bind_to_thread()?;
        // SAFETY: both places are as long.
        unsafe { result::memcpy_dtod_async(target, source, len * element.size(), self.stream.cu_stream()) }
            .context("the GPU can't copy memory")
    }

    fn round(&self, from: Place<'_>, to: Place<'_>, len: usize) -> Result<()> {
        self.count();
        let (element, kernel) = self.kernel("round", to)?;
        let (source, target) = (self.f32s(from, len)?, self.address(to, len, element)?);
        self.launch(&kernel, Grid::over(len), arguments![source, target, len])
    }

    fn product(&self, shape: &Product, a: Place<'_>, b: Place<'_>, c: Place<'_>) -> Result<()> {
        self.count();
        self.multiply(shape, a, b, c)
    }

    fn gather(&self, from: Place<'_>, rows: Place<'_>, to: Place<'_>, num: usize, width: usize) -> Result<()> {
        self.count();
        if num == 0 {
            return Ok(());
        }
        let (element, kernel) = self.kernel("gather", from)?;
        let source = self.address(from, width, element)?;
        let (rows, target) = (self.ids(rows, num)?, self.address(to, num * width, element)?);
        self.launch(&kernel, Grid::blocks(num, 128), arguments![source, rows, target, num, width])
    }

    fn scatter(&self, from: Place<'_>, rows: Place<'_>, to: Place<'_>, num: usize, width: usize) -> Result<()> {
        self.count();
        if num == 0 {
            return Ok(());
        }
        let (element, kernel) = self.kernel("scatter", from)?;
        let source = self.address(from, num * width, element)?;
        let (rows, target) = (self.ids(rows, num)?, self.address(to, width, element)?);
        self.launch(&kernel, Grid::blocks(num, 128), arguments![source, rows, target, num, width])
    }

    fn scatter_sums(
        &self,
        from: Place<'_>,
        ids: Place<'_>,
        starts: Place<'_>,
        rows: Place<'_>,
        to: Place<'_>,
        num: usize,
        width: usize,
    ) -> Result<()> {
        self.count();
        if num == 0 {
            return Ok(());
        }
        let (element, kernel) = self.kernel("scatter_sums", from)?;
        let (source, target) = (self.address(from, width, element)?, self.f32s(to, width)?);
        let (ids, starts, rows) = (self.ids(ids, num)?, self.ids(starts, num + 1)?, self.ids(rows, 1)?);
        let grid = Grid { blocks: [num, width.div_ceil(256), 1], threads: 256, shared: 0 };
        self.launch(&kernel, grid, arguments![source, ids, starts, rows, target, num, width])
    }

    fn norm(&self, shape: &Norm, x: Place<'_>, weight: Place<'_>, y: Place<'_>) -> Result<()> {
        self.count();
        let Norm { rows, groups, width, in_row, out_row, eps } = *shape;
        if rows == 0 {
            return Ok(());
        }
        let (element, kernel) = self.kernel("norm", x)?;
        let len = |row: usize| (rows - 1) * row + groups * width;
        let (source, target) = (self.address(x, len(in_row), element)?, self.address(y, len(out_row), element)?);
        let weight = self.address(weight, width, element)?;
        let grid = Grid::blocks((rows * groups).div_ceil(4), 128);
        let (groups, width) = (groups as i32, width as i32);
        self.launch(&kernel, grid, arguments![rows, groups, width, in_row, out_row, eps, source, weight, target])
    }

    fn norm_grad(
        &self,
        shape: &Norm,
        x: Place<'_>,
        weight: Place<'_>,
        dy: Place<'_>,
        dx: Place<'_>,
        add: bool,
        weight_grad: Place<'_>,
    ) -> Result<()> {
        self.count();
        let Norm { rows, groups, width, in_row, out_row, eps } = *shape;
        if rows == 0 {
            return Ok(());
        }
        let (element, kernel) = self.kernel("norm_grad", x)?;
        let len = |row: usize| (rows - 1) * row + groups * width;
        let (source, target) = (self.address(x, len(in_row), element)?, self.address(dx, len(in_row), element)?);
        let (weight, derivative) = (self.address(weight, width, element)?, self.address(dy, len(out_row), element)?);
        let grad = self.f32s(weight_grad, width)?;
        let warps = (NORM_BYTES / 2 / (4 * width)).clamp(1, 8);
        ensure!(warps * width * 4 <= NORM_BYTES, "a norm of {width} values is too wide for the GPU's engine");
        let blocks = self.sum_blocks(rows * groups, warps, width);
        let grid = Grid { blocks: [blocks, 1, 1], threads: 32 * warps, shared: warps * width * 4 };
        self.launch(
            &kernel,
            grid,
            arguments![
                rows,
                groups as i32,
                width as i32,
                in_row,
                out_row,
                eps,
                source,
                weight,
                derivative,
                target,
                i32::from(add),
                self.partials.address
            ],
        )?;
        self.add_partials(grad, blocks, width)
    }

    fn add_bias(&self, x: Place<'_>, bias: Place<'_>, num: usize, width: usize) -> Result<()> {
        self.count();
        let (element, kernel) = self.kernel("add_bias", x)?;
        let (values, bias) = (self.address(x, num * width, element)?, self.address(bias, width, element)?);
        self.launch(&kernel, Grid::over(num * width / 4), arguments![values, bias, num, width])
    }

    fn add_column_sums(&self, dy: Place<'_>, grad: Place<'_>, num: usize, width: usize) -> Result<()> {
        self.count();
        let (element, kernel) = self.kernel("column_sums", dy)?;
        let (source, grad) = (self.address(dy, num * width, element)?, self.f32s(grad, width)?);
        let blocks = self.sum_blocks(num, 64, width);
        let grid = Grid { blocks: [blocks, width.div_ceil(128), 1], threads: 128, shared: 0 };
        self.launch(&kernel, grid, arguments![source, self.partials.address, num, width])?;
        self.add_partials(grad, blocks, width)
    }

    fn split_heads(
        &self,
        shape: &Heads,
        from: Place<'_>,
        rotation: Option<(Place<'_>, Place<'_>)>,
        to: Place<'_>,
    ) -> Result<()> {
        self.turn_heads("split_heads", shape, from, rotation, to, true)
    }

    fn merge_heads(
        &self,
        shape: &Heads,
        from: Place<'_>,
        rotation: Option<(Place<'_>, Place<'_>)>,
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

    fn gated(&self, gate_up: Place<'_>, out: Place<'_>, num: usize, width: usize) -> Result<()> {
        self.count();
        let (element, kernel) = self.kernel("gated", gate_up)?;
        let (source, target) =
            (self.address(gate_up, 2 * num * width, element)?, self.address(out, num * width, element)?);
        self.launch(&kernel, Grid::over(num * width / 4), arguments![source, target, num, width])
    }

    fn gated_grad(&self, gate_up: Place<'_>, dout: Place<'_>, num: usize, width: usize) -> Result<()> {
        self.count();
        let (element, kernel) = self.kernel("gated_grad", gate_up)?;
        let (values, derivative) =
            (self.address(gate_up, 2 * num * width, element)?, self.address(dout, num * width, element)?);
        self.launch(&kernel, Grid::over(num * width / 4), arguments![values, derivative, num, width])
    }

    fn token_scores(
        &self,
        logits: Place<'_>,
        targets: Place<'_>,
        logprobs: Place<'_>,
        entropies: Place<'_>,
        log_sums: Place<'_>,
        num: usize,
        vocab: usize,
        sharpness: f32,
    ) -> Result<()> {
        self.count();
        let (logits, targets) = (self.f32s(logits, num * vocab)?, self.ids(targets, num)?);
        let [logprobs, entropies, log_sums] =
            [self.f32s(logprobs, num)?, self.f32s(entropies, num)?, self.f32s(log_sums, num)?];
        let grid = Grid::blocks(num, ROW_THREADS);
        self.launch("token_scores", grid, arguments![logits, targets, logprobs, entropies, log_sums, vocab, sharpness])
    }

    fn token_scores_grad(
        &self,
        logits: Place<'_>,
        targets: Place<'_>,
        entropies: Place<'_>,
        log_sums: Place<'_>,
        dlogprobs: Place<'_>,
        dentropies: Place<'_>,
        dlogits: Place<'_>,
        num: usize,
        vocab: usize,
        sharpness: f32,
    ) -> Result<()> {
        self.count();
        let (element, kernel) = self.kernel("token_scores_grad", dlogits)?;
        let (logits, targets) = (self.f32s(logits, num * vocab)?, self.ids(targets, num)?);
        let (entropies, log_sums) = (self.f32s(entropies, num)?, self.f32s(log_sums, num)?);
        let (dlogprobs, dentropies) = (self.f32s(dlogprobs, num)?, self.f32s(dentropies, num)?);
        let dlogits = self.address(dlogits, num * vocab, element)?;
        self.launch(
            &kernel,
            Grid::blocks(num, ROW_THREADS),
            arguments![logits, targets, entropies, log_sums, dlogprobs, dentropies, dlogits, vocab, sharpness],
        )
    }

    fn sum_of_squares(&self, x: Place<'_>, len: usize) -> Result<f64> {
        self.count();
        let values = self.f32s(x, len)?;
        let grid = Grid::blocks(len.div_ceil(1024).clamp(1, 1024), 256);
        let partials = self.partials.address;
        self.launch("squares", grid, arguments![values, partials, len])?;
        self.launch("sum_squares", Grid::blocks(1, 256), arguments![partials, grid.blocks[0] as i32])?;
        let mut sum = [0f64];
        // SAFETY: the sum is at the start of the partial sums, which have room for it.
        unsafe { result::memcpy_dtoh_async(&mut sum, partials, self.stream.cu_stream()) }?;
        self.wait()?;
        Ok(sum[0])
    }

    fn adam(
        &self,
        step: &AdamStep,
        weights: Place<'_>,
        grads: Place<'_>,
        first: Place<'_>,
        second: Place<'_>,
        rounded: Place<'_>,
        len: usize,
    ) -> Result<()> {
        self.count();
        let (element, kernel) = self.kernel("adam", rounded)?;
        let [weights, grads, first, second] = [weights, grads, first, second].map(|place| self.f32s(place, len));
        let shape = Argument::Step(StepShape([
            step.scale,
            step.lr,
            step.beta1,
            step.beta2,
            step.eps,
            step.decay,
            step.first_correction,
            step.second_correction,
        ]));
        let rounded = self.address(rounded, len, element)?;
        let places = [weights?, grads?, first?, second?, rounded].map(Argument::from);
        let arguments: Vec<Argument> =
            std::iter::once(shape).chain(places).chain(std::iter::once(Argument::from(len))).collect();
        self.launch(&kernel, Grid::over(len / 4), &arguments)
    }

    fn decode_heads(
        &self,
        shape: &Decode,
        qkv: Place<'_>,
        (cos, sin): (Place<'_>, Place<'_>),
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
        ensure!(width <= 256, "heads of {width} values are too wide for the GPU's engine, which takes up to 256");
        let len = rows * key_heads * repeat * width;
        // Whole heads of these widths start on 16 bytes wherever a cache does.
        let is_aligned = [caches.prompt_keys, caches.prompt_values, caches.keys, caches.values]
            .iter()
            .all(|place| place.offset.is_multiple_of(width));
        let (name, grid) = match width {
            64 if is_aligned => ("decode_attention_64", [rows, key_heads, repeat.div_ceil(8)]),
            128 if is_aligned => ("decode_attention_128", [rows, key_heads, repeat.div_ceil(8)]),
            _ => ("decode_attention_any", [rows, key_heads * repeat, 1]),
        };
        let (element, kernel) = self.kernel(name, queries)?;
        let (queries, out) = (self.address(queries, len, element)?, self.address(out, len, element)?);
        let mut arguments = vec![decode_shape(shape)];
        arguments.extend([queries, out].map(Argument::from));
        arguments.extend(self.caches(shape, element, caches)?);
        self.launch(&kernel, Grid { blocks: grid, threads: 128, shared: 0 }, &arguments)
    }

    fn draw(&self, shape: &Draw, logits: Place<'_>, drawn: &Drawn<'_, Buffer>) -> Result<()> {
        self.count();
        let rows = shape.rows;
        let rest = |place: Place<'_>, element| {
            self.address(place, place.buffer.len.saturating_sub(place.offset), element).map(Argument::from)
        };
        let arguments = [
            Argument::Draw(DrawShape {
                vocab: shape.vocab_size as u64,
                temperature: shape.temperature,
                score_temperature: shape.score_temperature,
                top_p: shape.top_p,
            }),
            self.f32s(logits, shape.vocab_size)?.into(),
            self.ids(drawn.logit_rows, rows)?.into(),
            self.ids(drawn.slots, rows)?.into(),
            rest(drawn.uniforms, Element::U32)?,
            self.ids(drawn.latest, rows)?.into(),
            rest(drawn.ids, Element::U32)?,
            rest(drawn.logprobs, Element::F32)?,
            rest(drawn.entropies, Element::F32)?,
        ];
        self.launch("draw", Grid::blocks(rows, 2 * ROW_THREADS), &arguments)
    }
}
