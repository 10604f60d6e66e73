//! Sampling with a cache of keys and values: a prompt is computed once for all members of its request, completions
//! join and leave the batch as they begin and end.

use std::collections::VecDeque;
use std::sync::Arc;

use rayon::prelude::*;

use super::attention::{KeyValues, QUERY_BLOCK, attend};
use super::head::RowSums;
use super::kernel::{Left, PANEL};
use super::layer::fit;
use super::network::{Network, Shape};
use super::panels::{write_column, write_row};
use super::pass::{Inference, embed};
use super::plan::{Plan, Rope};
use crate::model::sampler::Drawing;
use crate::model::{SampleRequest, Sampling};
use crate::types::Completion;

/// Most completions that are decoded together.
const MAX_ACTIVE: usize = 256;
/// Most values that the caches of these completions may hold (1 GiB), as long as there is more than one.
const CACHE_BUDGET: usize = 1 << 28;
/// Prompt tokens that are computed together.
const PREFILL_TOKENS: usize = 2048;

/// Keys and values of one segment, for every layer and key head. What lies beyond the tokens pushed is arbitrary.
#[derive(Debug, Default)]
pub(super) struct Cache {
    /// `[layers][key_heads][_][head_dim][PANEL]`
    keys: Vec<f32>,
    /// `[layers][key_heads][_][capacity][PANEL]`
    values: Vec<f32>,
    capacity: usize,
}

impl Cache {
    /// Makes room for `capacity` tokens.
    fn reserve(&mut self, network: &Network, capacity: usize) {
        let parts = network.layout.layers.len() * network.shape.key_heads;
        let [keys, values] = Self::sizes(&network.shape, capacity);
        fit(&mut self.keys, parts * keys);
        fit(&mut self.values, parts * values);
        self.capacity = capacity;
    }

    /// Values that keys and values of one layer and head take.
    fn sizes(shape: &Shape, capacity: usize) -> [usize; 2] {
        let dim = shape.head_dim;
        [capacity.next_multiple_of(PANEL) * dim, capacity * dim.next_multiple_of(PANEL)]
    }

    /// Stores keys and values of token `index` from a row of `qkv`.
    fn push(&mut self, shape: &Shape, layer: usize, index: usize, qkv: &[f32]) {
        let [keys, values] = Self::sizes(shape, self.capacity);
        for key_head in 0..shape.key_heads {
            let part = layer * shape.key_heads + key_head;
            let (dim, begin) = (shape.head_dim, shape.query() + key_head * shape.head_dim);
            write_column(&mut self.keys[part * keys..][..keys], dim, index, &qkv[begin..][..dim]);
            let value = &qkv[begin + shape.key()..][..dim];
            write_row(&mut self.values[part * values..][..values], self.capacity, index, value);
        }
    }

    fn segment(&self, shape: &Shape, layer: usize, key_head: usize, len: usize) -> KeyValues<'_> {
        let [keys, values] = Self::sizes(shape, self.capacity);
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
    cache: Cache,
    len: usize,
}

/// A completion in the making. All its tokens but the latest are in the cache.
struct Member {
    request: usize,
    index: usize,
    prompt: Arc<Prompt>,
    drawing: Drawing,
    cache: Cache,
    finished: bool,
}

impl Member {
    /// Draws a token.
    fn draw(&mut self, logits: &[f32], sampling: &Sampling) -> anyhow::Result<()> {
        let RowSums { log_sum, entropy } = RowSums::of(logits);
        self.finished = self.drawing.push_scored(logits, log_sum, entropy, sampling)?;
        Ok(())
    }

    /// Attends with the row `qkv`, the latest token's; writes `out` `[query]`.
    fn attend(&mut self, shape: &Shape, layer: usize, qkv: &[f32], scores: &mut Vec<f32>, out: &mut [f32]) {
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
    buffers: &mut Inference,
    requests: Vec<SampleRequest<'_>>,
    sampling: &Sampling,
) -> anyhow::Result<Vec<Vec<Completion>>> {
    let mut completions: Vec<Vec<Completion>> =
        requests.iter().map(|request| vec![Completion::default(); request.streams.len()]).collect();
    let longest = requests.iter().map(|request| request.prompt.len()).max().unwrap_or(0);
    let mut rope = Rope::new(&network.config.rope_frequencies());
    rope.extend(longest + sampling.max_new_tokens);
    let mut decoder = Decoder::new(network, buffers, rope, sampling);
    let mut requests: VecDeque<_> = requests.into_iter().enumerate().collect();
    let mut waiting: VecDeque<Member> = VecDeque::new();
    let mut active: Vec<Member> = Vec::new();
    loop {
        while active.len() < decoder.max_active {
            if let Some(mut member) = waiting.pop_front() {
                member.cache = decoder.take_cache(decoder.capacity);
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
        for Member { request, index, prompt, drawing, cache, .. } in ended {
            completions[request][index] = drawing.completion;
            let spare = &mut decoder.inference.caches;
            spare.push(cache);
            spare.extend(Arc::into_inner(prompt).map(|prompt| prompt.cache));
        }
    }
}

struct Decoder<'a> {
    network: &'a Network,
    sampling: &'a Sampling,
    rope: Rope,
    inference: &'a mut Inference,
    /// Tokens that a member's cache holds.
    capacity: usize,
    max_active: usize,
}

impl<'a> Decoder<'a> {
    fn new(network: &'a Network, inference: &'a mut Inference, rope: Rope, sampling: &'a Sampling) -> Self {
        // The last token of a completion is never an input.
        let capacity = (sampling.max_new_tokens - 1).max(1);
        let size: usize = Cache::sizes(&network.shape, capacity).iter().sum();
        let size = size * network.shape.key_heads * network.layout.layers.len();
        let max_active = (CACHE_BUDGET / size).clamp(1, MAX_ACTIVE);
        Self { network, sampling, rope, inference, capacity, max_active }
    }

    fn take_cache(&mut self, capacity: usize) -> Cache {
        let mut cache = self.inference.caches.pop().unwrap_or_default();
        cache.reserve(self.network, capacity);
        cache
    }

    /// Computes the prompts of the next requests and draws their members' first tokens.
    fn prefill(
        &mut self,
        requests: &mut VecDeque<(usize, SampleRequest<'_>)>,
    ) -> anyhow::Result<Vec<Member>> {
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
        let plan = Plan::of_prompts(&prompts);
        let mut prompts: Vec<Prompt> = prompts
            .iter()
            .map(|prompt| Prompt { cache: self.take_cache(prompt.len()), len: prompt.len() })
            .collect();
        let rows = plan.num_rows();
        embed(network, &plan.tokens, fit(&mut self.inference.x, rows * network.shape.hidden));
        for layer in 0..network.layout.layers.len() {
            self.inference.layer(network, layer, &plan, &self.rope);
            let qkv = &self.inference.saves.qkv;
            prompts.par_iter_mut().zip(&plan.groups).for_each(|(prompt, group)| {
                for (index, row) in group.prompt.clone().enumerate() {
                    let width = network.shape.qkv();
                    prompt.cache.push(&network.shape, layer, index, &qkv[row * width..][..width]);
                }
            });
        }
        let logits = self.inference.head.logits(network, &plan.head_rows, &self.inference.x);
        let mut members = Vec::with_capacity(members);
        for (((request, SampleRequest { streams, .. }), prompt), logits) in
            taken.into_iter().zip(prompts).zip(logits.chunks_exact(network.shape.vocab))
        {
            let prompt = Arc::new(prompt);
            members.extend(streams.into_iter().enumerate().map(|(index, stream)| {
                let drawing = Drawing::new(stream);
                let (prompt, cache) = (Arc::clone(&prompt), Cache::default());
                (Member { request, index, prompt, drawing, cache, finished: false }, logits)
            }));
        }
        members
            .into_par_iter()
            .map(|(mut member, logits)| {
                member.draw(logits, self.sampling)?;
                Ok(member)
            })
            .collect()
    }

    /// Gives every member its next token.
    fn step(&mut self, members: &mut [Member]) -> anyhow::Result<()> {
        let (network, shape) = (self.network, &self.network.shape);
        let Inference { x, saves, scratch, head, .. } = &mut *self.inference;
        fn ids(member: &Member) -> &[u32] {
            &member.drawing.completion.ids
        }
        let tokens: Vec<u32> =
            members.iter().map(|member| ids(member).last().copied().unwrap_or(0)).collect();
        let positions: Vec<u32> =
            members.iter().map(|member| (member.prompt.len + ids(member).len() - 1) as u32).collect();
        let rows = members.len();
        let x = fit(x, rows * shape.hidden);
        embed(network, &tokens, x);
        for layer in 0..network.layout.layers.len() {
            network.project(layer, x, &positions, &self.rope, saves, scratch);
            let attended = fit(&mut saves.attended, rows * shape.query());
            members
                .par_iter_mut()
                .zip(saves.qkv.par_chunks(shape.qkv()))
                .zip(attended.par_chunks_mut(shape.query()))
                .with_min_len(4)
                .for_each_init(Vec::new, |scores, ((member, qkv), out)| {
                    member.attend(shape, layer, qkv, scores, out);
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
            .try_for_each(|(member, logits)| member.draw(logits, self.sampling))
    }
}
