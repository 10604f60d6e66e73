//! Decoding with a key-value cache: sequences of a wave are aligned at their right end, so that one step appends
//! one column to every cache.

use candle_core::{DType, Device, Result, Tensor};
use rayon::prelude::*;

use super::layers::{Heads, MASKED, Network, is_within};
use super::rotation::Rotations;
use crate::sampler::OpenCompletion;
use crate::{ModelConfig, SampleRequest, SamplingParams};
use exgrpo_core::types::Completion;

/// Most values in the caches of a wave: 1 GiB of f32.
const WAVE_VALUES: usize = 1 << 28;
/// Most sequences in a wave on the CPU, where waves run side by side. A constant, so that what a sequence is batched
/// with does not depend on the number of threads.
const WAVE_SEQUENCES: usize = 64;
/// Columns by which a cache grows at least.
const GROWTH: usize = 32;

/// One completion a stream of every request, in the requests' order.
pub(super) fn sample(
    network: &Network,
    config: &ModelConfig,
    device: &Device,
    requests: Vec<SampleRequest<'_>>,
    sampling: &SamplingParams,
) -> anyhow::Result<Vec<Vec<Completion>>> {
    let decoder = Decoder { network, config, device, sampling };
    let waves = decoder.plan(&requests);
    let decode = |wave: &Vec<usize>| {
        let requests: Vec<&SampleRequest<'_>> = wave.iter().map(|&index| &requests[index]).collect();
        decoder.decode(&requests)
    };
    let decoded: Vec<Vec<Vec<Completion>>> = match device {
        Device::Cpu => waves.par_iter().map(decode).collect::<anyhow::Result<_>>()?,
        _ => waves.iter().map(decode).collect::<anyhow::Result<_>>()?,
    };
    let mut completions: Vec<Vec<Completion>> = vec![Vec::new(); requests.len()];
    for (indices, wave) in waves.iter().zip(decoded) {
        for (&index, members) in indices.iter().zip(wave) {
            completions[index] = members;
        }
    }
    Ok(completions)
}

struct Decoder<'a> {
    network: &'a Network,
    config: &'a ModelConfig,
    device: &'a Device,
    sampling: &'a SamplingParams,
}

/// A completion in the making.
struct Member {
    /// Its request's place in the wave.
    request: usize,
    drawing: OpenCompletion,
    done: bool,
}

/// Sequences that are decoded together: what the batch's rows are, and what is cached of them.
struct Batch {
    /// Index into the wave's members of each row.
    rows: Vec<usize>,
    /// Empty columns on the left of each row.
    pads: Vec<usize>,
    /// Keys and values of each layer.
    caches: Vec<Cache>,
    /// Columns in use.
    len: usize,
}

/// Keys and values, `[B, key_heads, capacity, D]`.
struct Cache {
    key: Tensor,
    value: Tensor,
}

impl Decoder<'_> {
    /// Groups requests of similar prompt length into waves; a request is never split, so that its prompt is computed
    /// once. One that wants no completion is in none, as CUDA has no empty tensors.
    fn plan(&self, requests: &[SampleRequest<'_>]) -> Vec<Vec<usize>> {
        let values_per_token =
            2 * self.config.num_hidden_layers * self.config.num_key_value_heads * self.config.head_dim;
        let most_tokens = WAVE_VALUES / values_per_token;
        let most_members = if self.device.is_cpu() { WAVE_SEQUENCES } else { usize::MAX };
        let mut order: Vec<usize> =
            (0..requests.len()).filter(|&index| !requests[index].streams.is_empty()).collect();
        order.sort_by_key(|&index| requests[index].prompt.len());
        let mut waves: Vec<Vec<usize>> = Vec::new();
        let mut members = 0;
        for index in order {
            let request = &requests[index];
            members += request.streams.len();
            let tokens = members * (request.prompt.len() + self.sampling.max_new_tokens);
            match waves.last_mut() {
                Some(wave) if members <= most_members && tokens <= most_tokens => wave.push(index),
                _ => {
                    waves.push(vec![index]);
                    members = request.streams.len();
                }
            }
        }
        waves
    }

    fn decode(&self, requests: &[&SampleRequest<'_>]) -> anyhow::Result<Vec<Vec<Completion>>> {
        let longest = requests.iter().map(|request| request.prompt.len()).max().unwrap_or(0);
        let table = Rotations::new(self.config, longest + self.sampling.max_new_tokens, self.device)?;
        let mut members: Vec<Member> = Vec::new();
        for (request, wanted) in requests.iter().enumerate() {
            let drawings = wanted.streams.iter().cloned().map(OpenCompletion::new);
            members.extend(drawings.map(|drawing| Member { request, drawing, done: false }));
        }

        let (mut batch, logits) = self.prefill(requests, &members, &table)?;
        // Every member draws its first token from its request's logits.
        let row_of: Vec<usize> = members.iter().map(|member| member.request).collect();
        self.draw(&mut members, &batch.rows, &logits, &row_of)?;
        loop {
            batch.drop_done(&members)?;
            if batch.rows.iter().all(|&row| members[row].done) {
                break;
            }
            let logits = self.step(&mut batch, &members, &table)?;
            let row_of: Vec<usize> = (0..batch.rows.len()).collect();
            self.draw(&mut members, &batch.rows, &logits, &row_of)?;
        }
        let mut completions: Vec<Vec<Completion>> = vec![Vec::new(); requests.len()];
        for member in members {
            completions[member.request].push(member.drawing.completion);
        }
        Ok(completions)
    }

    /// Computes every prompt once and hands its cache to each of its members. Gives logits, `[P, V]`.
    fn prefill(
        &self,
        requests: &[&SampleRequest<'_>],
        members: &[Member],
        table: &Rotations,
    ) -> Result<(Batch, Tensor)> {
        let prompts: Vec<&[u32]> = requests.iter().map(|request| request.prompt).collect();
        let (rows, len) = (prompts.len(), prompts.iter().map(|prompt| prompt.len()).max().unwrap_or(0));
        let pads: Vec<usize> = prompts.iter().map(|prompt| len - prompt.len()).collect();
        let (mut tokens, mut positions) = (vec![0u32; rows * len], vec![0u32; rows * len]);
        for (row, prompt) in prompts.iter().enumerate() {
            let start = row * len + pads[row];
            for (at, &id) in prompt.iter().enumerate() {
                tokens[start + at] = id;
                positions[start + at] = at as u32;
            }
        }
        let rotation = table.at(&Tensor::from_vec(positions, (rows, len), self.device)?)?;
        let masks = self.network.masks(|window| self.prefill_mask(&pads, len, window).map(Some))?;

        // The members of a request are consecutive, so that this repeats each prompt's rows.
        let sources = members.iter().map(|member| member.request as u32).collect::<Vec<u32>>();
        let sources = Tensor::new(sources, self.device)?;
        let mut caches = Vec::with_capacity(self.network.layers.len());
        let mut stream = self.network.embed(&Tensor::from_vec(tokens, rows * len, self.device)?)?;
        for layer in &self.network.layers {
            let Heads { query, key, value } = layer.heads(&stream, rows, len, &rotation)?;
            let attended = layer.attend(&query, &key, &value, masks.of(layer))?;
            stream = layer.finish(&stream, &attended)?;
            let share = |prompt: &Tensor| prompt.index_select(&sources, 0);
            caches.push(Cache { key: share(&key)?, value: share(&value)? });
        }
        let last = stream.reshape((rows, len, ()))?.narrow(1, len - 1, 1)?.squeeze(1)?.contiguous()?;
        let batch = Batch {
            rows: (0..members.len()).collect(),
            pads: members.iter().map(|member| pads[member.request]).collect(),
            caches,
            len,
        };
        Ok((batch, self.network.logits(&last)?))
    }

    /// Computes the latest token of every row. Gives logits, `[B, V]`.
    fn step(&self, batch: &mut Batch, members: &[Member], table: &Rotations) -> Result<Tensor> {
        let rows = batch.rows.len();
        let ids = batch.rows.iter().map(|&row| members[row].drawing.completion.ids.last().copied());
        let ids = Tensor::from_iter(ids.map(Option::unwrap_or_default), self.device)?;
        let positions = batch.pads.iter().map(|pad| (batch.len - pad) as u32);
        let rotation = table.at(&Tensor::from_iter(positions, self.device)?.unsqueeze(1)?)?;
        batch.grow(self.sampling.max_new_tokens)?;
        let len = batch.len + 1;
        let masks = self.network.masks(|window| self.step_mask(&batch.pads, len, window))?;
        let mut stream = self.network.embed(&ids)?;
        for (layer, cache) in self.network.layers.iter().zip(&batch.caches) {
            let heads = layer.heads(&stream, rows, 1, &rotation)?;
            cache.key.slice_set(&heads.key, 2, batch.len)?;
            cache.value.slice_set(&heads.value, 2, batch.len)?;
            let (key, value) = (cache.key.narrow(2, 0, len)?, cache.value.narrow(2, 0, len)?);
            let attended = layer.attend(&heads.query, &key, &value, masks.of(layer))?;
            stream = layer.finish(&stream, &attended)?;
        }
        batch.len = len;
        self.network.logits(&stream)
    }

    /// Draws a token for every row that isn't done, from row `row_of[i]` of `logits`.
    fn draw(
        &self,
        members: &mut [Member],
        rows: &[usize],
        logits: &Tensor,
        row_of: &[usize],
    ) -> anyhow::Result<()> {
        let vocab_size = logits.dim(1)?;
        let logits: Vec<f32> = logits.flatten_all()?.to_vec1()?;
        for (&row, &source) in rows.iter().zip(row_of) {
            let member = &mut members[row];
            if !member.done {
                let logits = &logits[source * vocab_size..][..vocab_size];
                member.done = member.drawing.push(logits, self.sampling)?;
            }
        }
        Ok(())
    }

    /// `[P, heads, T, T]`: a query sees the keys of its own prompt up to itself, as far back as its window reaches.
    fn prefill_mask(&self, pads: &[usize], len: usize, window: Option<usize>) -> Result<Tensor> {
        let mut mask = Vec::with_capacity(pads.len() * len * len);
        for &pad in pads {
            for query in 0..len {
                let is_seen = |key| key >= pad && key <= query && is_within(window, query, key);
                mask.extend((0..len).map(|key| if is_seen(key) { 0.0 } else { MASKED }));
            }
        }
        self.for_heads(Tensor::from_vec(mask, (pads.len(), 1, len, len), self.device)?)
    }

    /// `[B, heads, 1, S]`: hides the padding and what is beyond the window; none is needed when all is seen.
    fn step_mask(&self, pads: &[usize], len: usize, window: Option<usize>) -> Result<Option<Tensor>> {
        if pads.iter().all(|pad| *pad == 0) && is_within(window, len - 1, 0) {
            return Ok(None);
        }
        let mask: Vec<f32> = pads
            .iter()
            .flat_map(|&pad| {
                let is_seen = move |key| key >= pad && is_within(window, len - 1, key);
                (0..len).map(move |key| if is_seen(key) { 0.0 } else { MASKED })
            })
            .collect();
        self.for_heads(Tensor::from_vec(mask, (pads.len(), 1, 1, len), self.device)?).map(Some)
    }

    /// Written out for every head once, as adding a contiguous mask in every layer is much the faster.
    fn for_heads(&self, mask: Tensor) -> Result<Tensor> {
        let (rows, _, queries, keys) = mask.dims4()?;
        mask.broadcast_as((rows, self.config.num_attention_heads, queries, keys))?.contiguous()
    }
}

impl Batch {
    /// Takes rows that are done out of the batch, once there are enough of them to pay for copying the others.
    fn drop_done(&mut self, members: &[Member]) -> Result<()> {
        let kept: Vec<usize> = (0..self.rows.len()).filter(|&at| !members[self.rows[at]].done).collect();
        if kept.is_empty() || (self.rows.len() - kept.len()) * 8 < self.rows.len() {
            return Ok(());
        }
        self.rows = kept.iter().map(|&at| self.rows[at]).collect();
        let pads: Vec<usize> = kept.iter().map(|&at| self.pads[at]).collect();
        let device = self.caches.first().map(|cache| cache.key.device().clone()).unwrap_or(Device::Cpu);
        let kept = Tensor::from_iter(kept.into_iter().map(|at| at as u32), &device)?;
        for cache in &mut self.caches {
            cache.key = cache.key.index_select(&kept, 0)?;
            cache.value = cache.value.index_select(&kept, 0)?;
        }
        self.pads = pads;
        Ok(())
    }

    /// Makes room for one more column.
    fn grow(&mut self, max_new_tokens: usize) -> Result<()> {
        for cache in &mut self.caches {
            for tensor in [&mut cache.key, &mut cache.value] {
                let (rows, heads, capacity, width) = tensor.dims4()?;
                if capacity > self.len {
                    continue;
                }
                let more = (self.len / 2).clamp(GROWTH.min(max_new_tokens), max_new_tokens);
                let wider =
                    Tensor::zeros((rows, heads, capacity + more, width), DType::F32, tensor.device())?;
                wider.slice_set(tensor, 2, 0)?;
                *tensor = wider;
            }
        }
        Ok(())
    }
}
