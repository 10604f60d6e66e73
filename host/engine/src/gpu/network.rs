//! Weights, gradient and optimizer's state on a device, and what an Actor does with them.

use anyhow::{Context as _, Result, anyhow};

use super::forward::Kept;
use super::layout::Layout;
use super::ops::{AdamStep, At, Device, Element, Pair, at};
use super::padded::Padded;
use super::sizes::{Batch, Need, Widths, bytes, padded};
use crate::{AdamW, ModelConfig, NamedTensor, Precision, ScoreGrads, Scores, Sequence, Weights};
use exgrpo_core::types::TokenId;

/// Padded tokens of one pass without gradient.
const SCORE_TOKENS: usize = 1 << 14;

/// A network on a device, with its gradient and its optimizer's state.
pub(super) struct Network<D: Device> {
    pub(super) config: ModelConfig,
    pub(super) device: D,
    pub(super) layout: Layout,
    pub(super) widths: Widths,
    pub(super) eps: f32,
    pub(super) rotation: Rotation<D::Buffer>,
    /// f32, as are the next three. `[layout.len]`
    master: D::Buffer,
    gradient: D::Buffer,
    first: D::Buffer,
    second: D::Buffer,
    /// The weights as products read them.
    rounded: D::Buffer,
    /// Steps that the optimizer has made.
    pub(super) step: u64,
}

/// Cosines and sines of every position, `[T, D/2]`.
pub(super) struct Rotation<B> {
    cos: B,
    sin: B,
}

impl<B> Rotation<B> {
    pub(super) fn places(&self) -> Pair<'_, B> {
        (at(&self.cos), at(&self.sin))
    }
}

/// Buffers for a list of needs.
pub(super) fn alloc<D: Device, const N: usize>(device: &D, needs: [Need; N]) -> Result<[D::Buffer; N]> {
    let buffers: Vec<D::Buffer> =
        needs.into_iter().map(|(element, len)| device.alloc(element, len)).collect::<Result<_>>()?;
    buffers.try_into().map_err(|_| anyhow!("a pass has another number of buffers than it needs"))
}

/// What stays on the device: weights, gradient, two moments, rounded weights, and the rotation's table.
pub(super) fn lasting(config: &ModelConfig, layout: &Layout, widths: &Widths) -> [Need; 7] {
    let (len, table) = (layout.len, config.max_position_embeddings * config.head_dim / 2);
    [
        (Element::F32, len),
        (Element::F32, len),
        (Element::F32, len),
        (Element::F32, len),
        (widths.activation, len),
        (Element::F32, table),
        (Element::F32, table),
    ]
}

impl<D: Device> Network<D> {
    /// Places the weights.
    ///
    /// # Errors
    /// The device has no room.
    pub(super) fn new(
        config: ModelConfig,
        weights: &Weights,
        precision: Precision,
        device: D,
    ) -> Result<Self> {
        let (layout, widths) = (Layout::new(&config), Widths::new(&config, precision));
        let [master, gradient, first, second, rounded, cos, sin] =
            alloc(&device, lasting(&config, &layout, &widths))
                .context("can't place the weights on the GPU")?;
        let (frequencies, magnitude) = (config.rope_frequencies(), config.rope_magnitude());
        let angles = (0..config.max_position_embeddings)
            .flat_map(|position| frequencies.iter().map(move |frequency| position as f64 * frequency));
        let (sines, cosines): (Vec<f32>, Vec<f32>) = angles
            .map(|angle| {
                let (sin, cos) = libm::sincos(angle);
                ((sin * magnitude) as f32, (cos * magnitude) as f32)
            })
            .unzip();
        device.write(&cosines, at(&cos))?;
        device.write(&sines, at(&sin))?;
        for (tensor, &place) in weights.tensors().iter().zip(&layout.parameters) {
            device.write(&tensor.data, at(&master).plus(place))?;
        }
        device.round(at(&master), at(&rounded), layout.len)?;
        Ok(Self {
            eps: config.rms_norm_eps as f32,
            rotation: Rotation { cos, sin },
            config,
            device,
            layout,
            widths,
            master,
            gradient,
            first,
            second,
            rounded,
            step: 0,
        })
    }

    /// Weights as products read them.
    pub(super) fn weight(&self, place: usize) -> At<'_, D::Buffer> {
        at(&self.rounded).plus(place)
    }

    pub(super) fn gradient(&self, place: usize) -> At<'_, D::Buffer> {
        at(&self.gradient).plus(place)
    }

    /// Bytes that a pass may take beside what stays.
    pub(super) fn room(&self) -> usize {
        // The driver, the product library's workspace and the gaps between allocations take theirs.
        let usable = self.device.total_memory() / 100 * 92;
        usable.saturating_sub(bytes(&lasting(&self.config, &self.layout, &self.widths)))
    }

    /// See [`crate::Actor::accumulate_at`].
    pub(super) fn accumulate(
        &mut self,
        temperature: f32,
        batch: &[Sequence<'_>],
        loss: &mut dyn FnMut(&Scores) -> Result<Option<ScoreGrads>>,
    ) -> Result<()> {
        let padded = Padded::new(batch);
        let shape = padded.shape;
        let inputs = self.inputs(&padded)?;
        let work = self.work(&shape)?;
        let layers: Vec<Kept<D::Buffer>> =
            self.layout.layers.iter().map(|_| self.kept(&shape)).collect::<Result<_>>()?;
        let last = self.device.alloc(self.widths.activation, shape.rows() * self.widths.hidden)?;
        let stream = |layer: usize| layers.get(layer).map_or(at(&last), |kept| at(&kept.stream));
        self.embed(at(&inputs.tokens), stream(0), shape.rows())?;
        for (layer, (places, kept)) in self.layout.layers.iter().zip(&layers).enumerate() {
            let cache = (at(&kept.keys), at(&kept.values));
            self.layer_forward(places, &shape, kept, cache, stream(layer + 1), &work)?;
        }
        self.head_forward(&shape, at(&last), &inputs, &work, 1.0 / temperature)?;
        let scores = Scores {
            logprobs: self.device.read(at(&inputs.logprobs), shape.scored)?,
            entropies: self.device.read(at(&inputs.entropies), shape.scored)?,
        };
        match loss(&scores)? {
            Some(grads) => self.backward(&padded, &inputs, &layers, &work, &grads, 1.0 / temperature),
            None => Ok(()),
        }
    }

    /// Scores of a batch that fits, at temperature 1.
    fn score_padded(&self, padded: &Padded) -> Result<Scores> {
        let shape = padded.shape;
        let inputs = self.inputs(padded)?;
        let work = self.work(&shape)?;
        let kept = self.through(&shape, at(&inputs.tokens), &work, |_| None)?;
        self.head_forward(&shape, at(&kept.stream), &inputs, &work, 1.0)?;
        Ok(Scores {
            logprobs: self.device.read(at(&inputs.logprobs), shape.scored)?,
            entropies: self.device.read(at(&inputs.entropies), shape.scored)?,
        })
    }

    /// A pass without gradient through all layers; `cache` says where a layer's keys and values go, if they are wanted
    /// later. The stream is left in what is returned.
    pub(super) fn through<'a>(
        &self,
        shape: &Batch,
        tokens: At<'_, D::Buffer>,
        work: &super::forward::Work<D::Buffer>,
        cache: impl Fn(usize) -> Option<Pair<'a, D::Buffer>>,
    ) -> Result<Kept<D::Buffer>>
    where
        D::Buffer: 'a,
    {
        let kept = self.kept(shape)?;
        self.embed(tokens, at(&kept.stream), shape.rows())?;
        for (layer, places) in self.layout.layers.iter().enumerate() {
            let cache = cache(layer).unwrap_or((at(&kept.keys), at(&kept.values)));
            self.layer_forward(places, shape, &kept, cache, at(&kept.stream), work)?;
        }
        Ok(kept)
    }

    /// See [`crate::Actor::score`].
    pub(super) fn score(&self, batch: &[Sequence<'_>]) -> Result<Scores> {
        let mut by_sequence: Vec<(Vec<f32>, Vec<f32>)> = vec![Default::default(); batch.len()];
        for indices in self.micro_batches(batch, SCORE_TOKENS, Batch::scoring_bytes) {
            let sequences: Vec<Sequence<'_>> = indices.iter().map(|&index| batch[index]).collect();
            let Scores { logprobs, entropies } = self.score_padded(&Padded::new(&sequences))?;
            let mut start = 0;
            for index in indices {
                let end = start + batch[index].completion.len();
                by_sequence[index] = (logprobs[start..end].to_vec(), entropies[start..end].to_vec());
                start = end;
            }
        }
        let (logprobs, entropies): (Vec<_>, Vec<_>) = by_sequence.into_iter().unzip();
        Ok(Scores { logprobs: logprobs.concat(), entropies: entropies.concat() })
    }

    /// Micro-batches of at most `budget` padded tokens, and of no more than there is room for.
    pub(super) fn micro_batches(
        &self,
        batch: &[Sequence<'_>],
        budget: usize,
        need: impl Fn(&Batch, &Widths) -> usize,
    ) -> Vec<Vec<usize>> {
        let len = |index: usize| batch[index].prompt.len() + batch[index].completion.len();
        let lengths: Vec<usize> = (0..batch.len()).map(len).collect();
        let room = self.room();
        let fits = |members: &[usize]| {
            let longest = members.iter().map(|&index| lengths[index]).max().unwrap_or(1);
            let scored = members.iter().map(|&index| batch[index].completion.len()).sum();
            let shape = Batch { sequences: members.len(), len: padded(longest - 1), scored };
            need(&shape, &self.widths) <= room
        };
        let mut fitting = Vec::new();
        let mut waiting = crate::micro_batches(&lengths, budget);
        waiting.reverse();
        while let Some(mut members) = waiting.pop() {
            if members.len() > 1 && !fits(&members) {
                waiting.push(members.split_off(members.len() / 2));
                waiting.push(members);
            } else {
                fitting.push(members);
            }
        }
        fitting
    }

    /// See [`crate::Actor::next_logits`].
    pub(super) fn next_logits(&self, tokens: &[TokenId]) -> Result<Vec<f32>> {
        let padded = Padded::prompts(&[tokens], padded(tokens.len()));
        let inputs = self.inputs(&padded)?;
        let work = self.work(&padded.shape)?;
        let kept = self.through(&padded.shape, at(&inputs.tokens), &work, |_| None)?;
        self.scored_rows(&padded.shape, at(&kept.stream), &inputs, &work)?;
        self.logits(1, at(&work.scored_normed), at(&work.logits))?;
        self.device.read(at(&work.logits), self.widths.vocab)
    }

    /// Global L2 norm of the gradient.
    pub(super) fn grad_norm(&self) -> Result<f64> {
        Ok(self.device.sum_of_squares(at(&self.gradient), self.layout.len)?.sqrt())
    }

    pub(super) fn zero_grad(&self) -> Result<()> {
        self.device.zero(at(&self.gradient), self.layout.len)
    }

    /// One step of AdamW on the gradient times `scale`.
    pub(super) fn adam(&mut self, optim: &AdamW, scale: f64) -> Result<()> {
        self.step += 1;
        let of_matrices = AdamStep {
            scale: scale as f32,
            lr: optim.lr as f32,
            beta1: optim.beta1 as f32,
            beta2: optim.beta2 as f32,
            eps: optim.eps as f32,
            decay: (optim.lr * optim.weight_decay) as f32,
            first_correction: (1.0 / (1.0 - optim.beta1.powf(self.step as f64))) as f32,
            second_correction: (1.0 / (1.0 - optim.beta2.powf(self.step as f64))) as f32,
        };
        let of_vectors = AdamStep { decay: 0.0, ..of_matrices };
        let matrices = self.layout.matrices;
        for (step, start, len) in
            [(of_matrices, 0, matrices), (of_vectors, matrices, self.layout.len - matrices)]
        {
            self.device.adam(
                &step,
                at(&self.master).plus(start),
                at(&self.gradient).plus(start),
                at(&self.first).plus(start),
                at(&self.second).plus(start),
                at(&self.rounded).plus(start),
                len,
            )?;
        }
        Ok(())
    }

    /// Copies of a flat buffer by parameter.
    fn named(&self, flat: &D::Buffer) -> Result<Vec<NamedTensor>> {
        let shapes = self.config.parameter_shapes().into_iter().zip(&self.layout.parameters);
        let named = shapes.map(|(parameter, &place)| {
            let data = self.device.read(at(flat).plus(place), parameter.num_values())?;
            Ok(NamedTensor { name: parameter.name, shape: parameter.shape, data })
        });
        named.collect()
    }

    pub(super) fn weights(&self) -> Result<Vec<NamedTensor>> {
        self.named(&self.master)
    }

    pub(super) fn gradients(&self) -> Result<Vec<NamedTensor>> {
        self.named(&self.gradient)
    }

    /// First and second moments.
    pub(super) fn moments(&self) -> Result<[Vec<NamedTensor>; 2]> {
        Ok([self.named(&self.first)?, self.named(&self.second)?])
    }

    /// Replaces the optimizer's state.
    pub(super) fn set_moments(
        &mut self,
        step: u64,
        first: &[NamedTensor],
        second: &[NamedTensor],
    ) -> Result<()> {
        for (tensors, flat) in [(first, &self.first), (second, &self.second)] {
            for (tensor, &place) in tensors.iter().zip(&self.layout.parameters) {
                self.device.write(&tensor.data, at(flat).plus(place))?;
            }
        }
        self.step = step;
        Ok(())
    }
}
