//! Sampling with a cache of keys and values: a prompt is computed once for all members of its request, completions
//! join and leave the batch as they begin and end.

use std::collections::VecDeque;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use rayon::prelude::*;

use super::attention::{KeyValues, QUERY_BLOCK, attend};
use super::buffers::{Saves, cut, cut_len, fit};
use super::head::RowSums;
use super::kernel::{Left, PANEL};
use super::network::{Network, Shape};
use super::packed::{PackedBatch, Ropes};
use super::panels::{write_column, write_row};
use super::pass::{Inference, Workspace, embed};
use crate::sampler::OpenCompletion;
use crate::{SampleRequest, SamplingParams};
use exgrpo_core::types::Completion;

/// Most completions that are decoded together.
const MAX_ACTIVE: usize = 256;
/// Most values that the caches of these completions may hold (1 GiB), as long as there is more than one.
const CACHE_BUDGET: usize = 1 << 28;
/// Prompt tokens that are computed together.
const PREFILL_TOKENS: usize = 2048;

/// Keys and values of one segment, for every layer and key head, in a storage of type `B`. What lies beyond the tokens
/// pushed is arbitrary.
#[derive(Debug, Default)]
struct Cache<B> {
    /// `[layers][key_heads][_][head_dim][PANEL]`
    keys: B,
    /// `[layers][key_heads][_][capacity][PANEL]`
    values: B,
    /// Tokens that there is room for.
    capacity: usize,
}

/// Values that keys and values of one layer and head take.
fn head_sizes(shape: &Shape, capacity: usize) -> [usize; 2] {
    let dim = shape.head_dim;
    [capacity.next_multiple_of(PANEL) * dim, capacity * dim.next_multiple_of(PANEL)]
}

/// Values that all keys and all values of a segment take.
fn cache_sizes(network: &Network, capacity: usize) -> [usize; 2] {
    head_sizes(&network.shape, capacity)
        .map(|size| size * network.shape.key_heads * network.layout.layers.len())
}

impl<B: Deref<Target = [f32]> + DerefMut> Cache<B> {
    /// Stores keys and values of token `index` from a row of `qkv`.
    fn push(&mut self, shape: &Shape, layer: usize, index: usize, qkv: &[f32]) {
        let [keys, values] = head_sizes(shape, self.capacity);
        for key_head in 0..shape.key_heads {
            let part = layer * shape.key_heads + key_head;
            let (dim, begin) = (shape.head_dim, shape.query() + key_head * shape.head_dim);
            write_column(&mut self.keys[part * keys..][..keys], dim, index, &qkv[begin..][..dim]);
            let value = &qkv[begin + shape.key()..][..dim];
            write_row(&mut self.values[part * values..][..values], self.capacity, index, value);
        }
    }

    fn segment(&self, shape: &Shape, layer: usize, key_head: usize, len: usize) -> KeyValues<'_> {
        let [keys, values] = head_sizes(shape, self.capacity);
        let part = layer * shape.key_heads + key_head;
        KeyValues {
            keys: &self.keys[part * keys..][..keys],
            values: &self.values[part * values..][..values],
            capacity: self.capacity,
            len,
        }
    }
}

/// A prompt that its members share.
struct Prompt {
    cache: Cache<Vec<f32>>,
    len: usize,
}

/// A completion in the making. All its tokens but the latest are in the cache.
struct Member<'a> {
    request: usize,
    index: usize,
    prompt: Arc<Prompt>,
    drawing: OpenCompletion,
    cache: Cache<&'a mut [f32]>,
    finished: bool,
}

impl Member<'_> {
    /// Draws a token.
    fn draw(
        &mut self,
        logits: &[f32],
        sampling: &SamplingParams,
        weights: &mut Vec<f32>,
    ) -> anyhow::Result<()> {
        let RowSums { log_sum, entropy } = match sampling.score_temperature {
            1.0 => RowSums::of(logits),
            temperature => {
                weights.clear();
                weights.extend(logits.iter().map(|logit| logit * (1.0 / temperature)));
                RowSums::of(weights)
            }
        };
        self.finished = self.drawing.push_scored(logits, log_sum, entropy, sampling, weights)?;
        Ok(())
    }

    /// Attends with the row `qkv`, the latest token's; writes `out` `[query]`.
    fn attend(
        &mut self,
        network: &Network,
        layer: usize,
        qkv: &[f32],
        scores: &mut Vec<f32>,
        out: &mut [f32],
    ) {
        let (shape, reach) = (&network.shape, network.reach(layer));
        let cached = self.drawing.completion.ids.len() - 1;
        self.cache.push(shape, layer, cached, qkv);
        let (heads, dim) = (shape.heads_per_key(), shape.head_dim);
        for key_head in 0..shape.key_heads {
            let segments = [
                self.prompt.cache.segment(shape, layer, key_head, self.prompt.len),
                self.cache.segment(shape, layer, key_head, cached + 1),
            ];
            for first in (0..heads).step_by(QUERY_BLOCK) {
                let begin = (key_head * heads + first) * dim;
                let queries = Left { data: &qkv[begin..], row_stride: dim, depth_stride: 1 };
                let count = (heads - first).min(QUERY_BLOCK);
                attend(
                    queries,
                    count,
                    dim,
                    segments,
                    reach,
                    |_| cached + 1,
                    scores,
                    &mut out[begin..],
                    dim,
                    |_, _| (),
                );
            }
        }
    }
}

/// One completion a stream of every request, which must have been checked.
pub(super) fn sample(
    network: &Network,
    workspace: &mut Workspace,
    requests: Vec<SampleRequest<'_>>,
    sampling: &SamplingParams,
) -> anyhow::Result<Vec<Vec<Completion>>> {
    let mut completions: Vec<Vec<Completion>> =
        requests.iter().map(|request| vec![Completion::default(); request.streams.len()]).collect();
    let longest = requests.iter().map(|request| request.prompt.len()).max().unwrap_or(0);
    let mut ropes = Ropes::new(&network.config);
    ropes.extend(longest + sampling.max_new_tokens);
    let streams = requests.iter().map(|request| request.streams.len()).sum();
    let mut decoder = Decoder::new(network, workspace, ropes, sampling, streams);
    let mut requests: VecDeque<_> = requests.into_iter().enumerate().collect();
    let mut waiting: VecDeque<Member<'_>> = VecDeque::new();
    let mut active: Vec<Member<'_>> = Vec::new();
    loop {
        while !decoder.free.is_empty() {
            if let Some(mut member) = waiting.pop_front() {
                member.cache = decoder.free.pop().unwrap_or_default();
                active.push(member);
            } else if requests.is_empty() {
                break;
            } else {
                for member in decoder.prefill(&mut requests)? {
                    match member.finished {
                        true => completions[member.request][member.index] = member.drawing.completion,
                        false => waiting.push_back(member),
                    }
                }
            }
        }
        if active.is_empty() {
            return Ok(completions);
        }
        decoder.step(&mut active)?;
        let (ended, going) = active.into_iter().partition(|member| member.finished);
        active = going;
        for Member { request, index, drawing, cache, .. } in ended {
            completions[request][index] = drawing.completion;
            decoder.free.push(cache);
        }
    }
}

struct Decoder<'a> {
    network: &'a Network,
    sampling: &'a SamplingParams,
    ropes: Ropes,
    inference: &'a mut Inference,
    /// Caches that wait for a completion.
    free: Vec<Cache<&'a mut [f32]>>,
    /// All caches.
    max_active: usize,
}

impl<'a> Decoder<'a> {
    /// With a cache for each of `streams` completions, or as many as there is room for.
    fn new(
        network: &'a Network,
        Workspace { shared, inference }: &'a mut Workspace,
        ropes: Ropes,
        sampling: &'a SamplingParams,
        streams: usize,
    ) -> Self {
        // The last token of a completion is never an input.
        let capacity = (sampling.max_new_tokens - 1).max(1);
        let sizes = cache_sizes(network, capacity);
        let size: usize = sizes.map(cut_len).iter().sum();
        let max_active = (CACHE_BUDGET / size).clamp(1, MAX_ACTIVE).min(streams);
        let mut buffer = fit(shared, max_active * size);
        let free = (0..max_active).map(|_| {
            let [keys, values] = sizes.map(|size| cut(&mut buffer, size));
            Cache { keys, values, capacity }
        });
        Self { network, sampling, ropes, free: free.collect(), inference, max_active }
    }

    /// Computes the prompts of the next requests and draws their members' first tokens.
    fn prefill(
        &mut self,
        requests: &mut VecDeque<(usize, SampleRequest<'_>)>,
    ) -> anyhow::Result<Vec<Member<'a>>> {
        let network = self.network;
        let mut taken = Vec::new();
        let (mut tokens, mut members) = (0, 0);
        while let Some((index, request)) = requests.pop_front() {
            tokens += request.prompt.len();
            members += request.streams.len();
            if !request.streams.is_empty() {
                taken.push((index, request));
            }
            if tokens >= PREFILL_TOKENS || members >= self.max_active {
                break;
            }
        }
        if taken.is_empty() {
            return Ok(Vec::new());
        }
        let prompts: Vec<&[u32]> = taken.iter().map(|(_, request)| request.prompt).collect();
        let packed = PackedBatch::of_prompts(&prompts);
        let mut prompts: Vec<Prompt> = prompts
            .iter()
            .map(|prompt| {
                let [keys, values] = cache_sizes(network, prompt.len()).map(|size| vec![0.0; size]);
                Prompt { cache: Cache { keys, values, capacity: prompt.len() }, len: prompt.len() }
            })
            .collect();
        let rows = packed.num_rows();
        embed(network, &packed.tokens, fit(&mut self.inference.x, rows * network.shape.hidden));
        for layer in 0..network.layout.layers.len() {
            let qkv = &*self.inference.layer(network, layer, &packed, &self.ropes).qkv;
            prompts.par_iter_mut().zip(&packed.groups).for_each(|(prompt, group)| {
                for (index, row) in group.prompt.clone().enumerate() {
                    let width = network.shape.qkv();
                    prompt.cache.push(&network.shape, layer, index, &qkv[row * width..][..width]);
                }
            });
        }
        let logits = self.inference.head.logits(network, &packed.head_rows, &self.inference.x);
        let mut members = Vec::with_capacity(members);
        for (((request, SampleRequest { streams, .. }), prompt), logits) in
            taken.into_iter().zip(prompts).zip(logits.chunks_exact(network.shape.vocab))
        {
            let prompt = Arc::new(prompt);
            members.extend(streams.into_iter().enumerate().map(|(index, stream)| {
                let drawing = OpenCompletion::new(stream);
                let (prompt, cache) = (Arc::clone(&prompt), Cache::default());
                (Member { request, index, prompt, drawing, cache, finished: false }, logits)
            }));
        }
        members
            .into_par_iter()
            .map_init(Vec::new, |weights, (mut member, logits)| {
                member.draw(logits, self.sampling, weights)?;
                Ok(member)
            })
            .collect()
    }

    /// Gives every member its next token.
    fn step(&mut self, members: &mut [Member<'_>]) -> anyhow::Result<()> {
        let (network, shape) = (self.network, &self.network.shape);
        let Inference { x, saves, scratch, head, .. } = &mut *self.inference;
        fn ids<'m>(member: &'m Member<'_>) -> &'m [u32] {
            &member.drawing.completion.ids
        }
        let tokens: Vec<u32> =
            members.iter().map(|member| ids(member).last().copied().unwrap_or(0)).collect();
        let positions: Vec<u32> =
            members.iter().map(|member| (member.prompt.len + ids(member).len() - 1) as u32).collect();
        let rows = members.len();
        let x = fit(x, rows * shape.hidden);
        embed(network, &tokens, x);
        let saves = &mut Saves::cut(network, rows, &mut fit(saves, Saves::len(network, rows)));
        for layer in 0..network.layout.layers.len() {
            network.project(layer, x, &positions, &self.ropes, saves, scratch);
            members
                .par_iter_mut()
                .zip(saves.qkv.par_chunks(shape.qkv()))
                .zip(saves.attended.par_chunks_mut(shape.query()))
                .with_min_len(4)
                .for_each_init(Vec::new, |scores, ((member, qkv), out)| {
                    member.attend(network, layer, qkv, scores, out);
                });
            network.mix(layer, x, saves, scratch);
            network.finish(layer, saves, scratch, x);
        }
        let head_rows: Vec<u32> = (0..rows as u32).collect();
        let logits = head.logits(network, &head_rows, x);
        members
            .par_iter_mut()
            .zip(logits.par_chunks(shape.vocab))
            .with_min_len(4)
            .try_for_each_init(Vec::new, |weights, (member, logits)| {
                member.draw(logits, self.sampling, weights)
            })
    }
}
