//! Sampling: prompts are computed once and shared by their request's completions, each of which has a cache of its own
//! from the start. A step ends with the tokens it drew, which are all that comes to the host before the last step;
//! completions that have ended leave the batch.

use anyhow::{Result, bail};

use super::layout::LayerPlaces;
use super::network::{Network, alloc};
use super::ops::{At, Caches, Decode, Device, Draw, Drawn, at};
use super::padded::Padded;
use super::sizes::{Wave, padded};
use super::waves::{prefill, uniforms};
use crate::{SampleRequest, SamplingParams};
use exgrpo_core::types::{Completion, TokenId};

/// Completions that have ended leave once they are this part of the batch.
const LEAVING: usize = 16;

/// Buffers of a step; rows are those of the completions that go on.
struct Work<B> {
    stream: B,
    normed: B,
    qkv: B,
    queries: B,
    attended: B,
    gate_up: B,
    gated: B,
    logits: B,
    /// Each row's latest token, slot, request, own number and position. `[rows]`
    latest: B,
    slots: B,
    groups: B,
    numbers: B,
    positions: B,
    /// `[requests]`
    prompt_lens: B,
    /// By token and slot, `[new, slots]`: two words of a uniform number, and what was drawn.
    uniforms: B,
    ids: B,
    logprobs: B,
    entropies: B,
}

/// Keys and values of one layer: of the prompts, and of the completions.
struct LayerCache<B> {
    prompt_keys: B,
    prompt_values: B,
    keys: B,
    values: B,
}

/// Completions that go on: their slots, and the requests that these belong to.
struct Rows {
    slots: Vec<u32>,
    groups: Vec<u32>,
}

impl<D: Device> Network<D> {
    /// One completion a stream of every request, in the requests' order.
    pub(super) fn sample(
        &self,
        requests: &[SampleRequest<'_>],
        sampling: &SamplingParams,
    ) -> Result<Vec<Vec<Completion>>> {
        let mut completions: Vec<Vec<Completion>> = vec![Vec::new(); requests.len()];
        for wave in self.waves(requests, sampling.max_new_tokens) {
            let members: Vec<&SampleRequest<'_>> = wave.iter().map(|&index| &requests[index]).collect();
            for (index, decoded) in wave.into_iter().zip(self.decode(&members, sampling)?) {
                completions[index] = decoded;
            }
        }
        Ok(completions)
    }

    fn decode(
        &self,
        requests: &[&SampleRequest<'_>],
        sampling: &SamplingParams,
    ) -> Result<Vec<Vec<Completion>>> {
        let of_slot: Vec<u32> = requests
            .iter()
            .enumerate()
            .flat_map(|(group, request)| request.streams.iter().map(move |_| group as u32))
            .collect();
        let wave = Wave {
            groups: requests.len(),
            prompt: padded(requests.iter().map(|request| request.prompt.len()).max().unwrap_or(0)),
            slots: of_slot.len(),
            new: sampling.max_new_tokens,
        };
        let work = self.step_work(&wave)?;
        let caches = self.caches(&wave)?;
        let prompt_lens: Vec<u32> = requests.iter().map(|request| request.prompt.len() as u32).collect();
        self.device.write_ids(&prompt_lens, at(&work.prompt_lens))?;
        self.device.write_ids(&uniforms(requests, &wave), at(&work.uniforms))?;
        self.prefill(requests, &wave, &caches, &work)?;

        let mut rows = Rows { slots: (0..wave.slots as u32).collect(), groups: of_slot.clone() };
        self.place(&rows, &work)?;
        let mut lens = vec![0usize; wave.slots];
        let mut finished = vec![false; wave.slots];
        // The first tokens are drawn from the logits of the prompts.
        self.draw(0, &wave, &rows, at(&work.groups), sampling, &work)?;
        for step in 1..=wave.new {
            let latest = self.device.read_ids(at(&work.latest), rows.slots.len())?;
            let mut going_on = Vec::with_capacity(latest.len());
            for (row, &id) in latest.iter().enumerate() {
                let slot = rows.slots[row] as usize;
                if id == u32::MAX {
                    bail!("logits of a completion's token {step} are not finite: have the weights diverged?");
                }
                if finished[slot] {
                    continue;
                }
                lens[slot] = step;
                finished[slot] = sampling.stop_ids.contains(&id);
                if !finished[slot] {
                    going_on.push(row);
                }
            }
            if going_on.is_empty() || step == wave.new {
                break;
            }
            if going_on.len() < rows.slots.len() - rows.slots.len() / LEAVING {
                let latest: Vec<TokenId> = going_on.iter().map(|&row| latest[row]).collect();
                rows.keep(&going_on);
                self.place(&rows, &work)?;
                self.device.write_ids(&latest, at(&work.latest))?;
            }
            let positions: Vec<u32> =
                rows.groups.iter().map(|&group| prompt_lens[group as usize] + step as u32 - 1).collect();
            self.device.write_ids(&positions, at(&work.positions))?;
            self.step(step, &wave, &rows, &caches, &work)?;
            self.draw(step, &wave, &rows, at(&work.numbers), sampling, &work)?;
        }
        self.collect(&wave, &of_slot, &lens, &finished, &work)
    }

    fn step_work(&self, wave: &Wave) -> Result<Work<D::Buffer>> {
        let [
            stream,
            normed,
            qkv,
            queries,
            attended,
            gate_up,
            gated,
            logits,
            latest,
            slots,
            groups,
            numbers,
            positions,
            prompt_lens,
            uniforms,
            ids,
            logprobs,
            entropies,
        ] = alloc(&self.device, wave.work(&self.widths))?;
        Ok(Work {
            stream,
            normed,
            qkv,
            queries,
            attended,
            gate_up,
            gated,
            logits,
            latest,
            slots,
            groups,
            numbers,
            positions,
            prompt_lens,
            uniforms,
            ids,
            logprobs,
            entropies,
        })
    }

    fn caches(&self, wave: &Wave) -> Result<Vec<LayerCache<D::Buffer>>> {
        let layer = |_: &LayerPlaces| {
            let [prompt_keys, keys] = alloc(&self.device, wave.caches(&self.widths))?;
            let [prompt_values, values] = alloc(&self.device, wave.caches(&self.widths))?;
            Ok(LayerCache { prompt_keys, prompt_values, keys, values })
        };
        self.layout.layers.iter().map(layer).collect()
    }

    /// Computes the prompts: their keys, values, and the logits of the token after each.
    fn prefill(
        &self,
        requests: &[&SampleRequest<'_>],
        wave: &Wave,
        caches: &[LayerCache<D::Buffer>],
        work: &Work<D::Buffer>,
    ) -> Result<()> {
        let prompts: Vec<&[TokenId]> = requests.iter().map(|request| request.prompt).collect();
        let most = prefill(wave).sequences;
        for (chunk, prompts) in prompts.chunks(most).enumerate() {
            let first = chunk * most;
            let padded = Padded::prompts(prompts, wave.prompt);
            let inputs = self.inputs(&padded)?;
            let forward = self.work(&padded.shape)?;
            let start = first * wave.prompt * self.widths.keys();
            let kept = self.through(&padded.shape, at(&inputs.tokens), &forward, |layer| {
                let cache: &LayerCache<D::Buffer> = &caches[layer];
                Some((at(&cache.prompt_keys).plus(start), at(&cache.prompt_values).plus(start)))
            })?;
            self.scored_rows(&padded.shape, at(&kept.stream), &inputs, &forward)?;
            let logits = at(&work.logits).plus(first * self.widths.vocab);
            self.logits(prompts.len(), at(&forward.scored_normed), logits)?;
        }
        Ok(())
    }

    /// Tells the device which completions go on.
    fn place(&self, rows: &Rows, work: &Work<D::Buffer>) -> Result<()> {
        let numbers: Vec<u32> = (0..rows.slots.len() as u32).collect();
        self.device.write_ids(&rows.slots, at(&work.slots))?;
        self.device.write_ids(&rows.groups, at(&work.groups))?;
        self.device.write_ids(&numbers, at(&work.numbers))
    }

    /// Computes the latest token of every row, the `step`th of its completion. Leaves logits, `[rows, V]`.
    fn step(
        &self,
        step: usize,
        wave: &Wave,
        rows: &Rows,
        caches: &[LayerCache<D::Buffer>],
        work: &Work<D::Buffer>,
    ) -> Result<()> {
        let (device, widths, num) = (&self.device, &self.widths, rows.slots.len());
        let shape = Decode {
            rows: num,
            key_heads: widths.key_heads,
            repeat: widths.repeat,
            width: widths.head,
            prompt_capacity: wave.prompt,
            capacity: wave.capacity(),
            len: step,
            scale: 1.0 / (widths.head as f32).sqrt(),
        };
        let (stream, normed, qkv) = (at(&work.stream), at(&work.normed), at(&work.qkv));
        self.embed(at(&work.latest), stream, num)?;
        for (places, cache) in self.layout.layers.iter().zip(caches) {
            let caches = Caches {
                prompt_keys: at(&cache.prompt_keys),
                prompt_values: at(&cache.prompt_values),
                keys: at(&cache.keys),
                values: at(&cache.values),
                slots: at(&work.slots),
                groups: at(&work.groups),
                prompt_lens: at(&work.prompt_lens),
            };
            self.norm_rows(num, stream, places.input_norm, normed)?;
            self.linear(num, widths.hidden, widths.qkv(), normed, places.qkv, qkv, 0.0)?;
            if let Some(bias) = places.qkv_bias {
                device.add_bias(qkv, self.weight(bias), num, widths.qkv())?;
            }
            self.normed_heads(places, num, qkv, qkv)?;
            let queries = at(&work.queries);
            device.decode_heads(
                &shape,
                qkv,
                self.rotation.places(),
                at(&work.positions),
                queries,
                &caches,
            )?;
            device.decode_attention(&shape, queries, &caches, at(&work.attended))?;
            self.linear(
                num,
                widths.queries(),
                widths.hidden,
                at(&work.attended),
                places.output,
                stream,
                1.0,
            )?;
            if let Some(bias) = places.output_bias {
                device.add_bias(stream, self.weight(bias), num, widths.hidden)?;
            }
            let (inner, gate_up) = (widths.feed_forward, at(&work.gate_up));
            self.norm_rows(num, stream, places.post_norm, normed)?;
            self.linear(num, widths.hidden, 2 * inner, normed, places.gate_up, gate_up, 0.0)?;
            device.gated(gate_up, at(&work.gated), num, inner)?;
            self.linear(num, inner, widths.hidden, at(&work.gated), places.down, stream, 1.0)?;
        }
        self.norm_rows(num, stream, self.layout.norm, normed)?;
        self.logits(num, normed, at(&work.logits))
    }

    /// Draws token `step` of every row, from row `logit_rows` of the logits.
    fn draw(
        &self,
        step: usize,
        wave: &Wave,
        rows: &Rows,
        logit_rows: At<'_, D::Buffer>,
        sampling: &SamplingParams,
        work: &Work<D::Buffer>,
    ) -> Result<()> {
        let first = step * wave.slots;
        let shape = Draw {
            rows: rows.slots.len(),
            vocab_size: self.widths.vocab,
            temperature: sampling.temperature,
            score_temperature: sampling.score_temperature,
            top_p: sampling.top_p,
        };
        let drawn = Drawn {
            logit_rows,
            slots: at(&work.slots),
            uniforms: at(&work.uniforms).plus(2 * first),
            latest: at(&work.latest),
            ids: at(&work.ids).plus(first),
            logprobs: at(&work.logprobs).plus(first),
            entropies: at(&work.entropies).plus(first),
        };
        self.device.draw(&shape, at(&work.logits), &drawn)
    }

    /// What was drawn, request by request.
    fn collect(
        &self,
        wave: &Wave,
        of_slot: &[u32],
        lens: &[usize],
        finished: &[bool],
        work: &Work<D::Buffer>,
    ) -> Result<Vec<Vec<Completion>>> {
        let num = lens.iter().copied().max().unwrap_or(0) * wave.slots;
        let ids = self.device.read_ids(at(&work.ids), num)?;
        let logprobs = self.device.read(at(&work.logprobs), num)?;
        let entropies = self.device.read(at(&work.entropies), num)?;
        let mut completions: Vec<Vec<Completion>> = vec![Vec::new(); wave.groups];
        for (slot, &group) in of_slot.iter().enumerate() {
            let places = (0..lens[slot]).map(|token| token * wave.slots + slot);
            completions[group as usize].push(Completion {
                ids: places.clone().map(|place| ids[place]).collect(),
                logprobs: places.clone().map(|place| logprobs[place]).collect(),
                entropies: places.map(|place| entropies[place]).collect(),
                finished: finished[slot],
            });
        }
        Ok(completions)
    }
}

impl Rows {
    fn keep(&mut self, kept: &[usize]) {
        self.slots = kept.iter().map(|&row| self.slots[row]).collect();
        self.groups = kept.iter().map(|&row| self.groups[row]).collect();
    }
}
