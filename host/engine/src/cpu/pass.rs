//! Forward and backward passes of the whole network over a packed.

use rayon::prelude::*;

use super::buffers::{Saves, cut, cut_len, fit};
use super::elementwise::scale;
use super::head::Head;
use super::kernel::PANEL;
use super::layer::LayerScratch;
use super::network::Network;
use super::packed::{PackedBatch, Ropes};
use super::panels::{add_to_column, column};
use crate::{ScoreGrads, Scores};

/// Residual stream of the input: `x = embedding[token]`, times the scale of embeddings where there is one.
pub(super) fn embed(network: &Network, tokens: &[u32], x: &mut [f32]) {
    let hidden = network.shape.hidden;
    let embedding = network.part(&network.layout.embedding.range);
    x.par_chunks_mut(hidden).zip(tokens).with_min_len(64).for_each(|(row, &token)| {
        let values = column(embedding, hidden, token as usize);
        match network.embedding_scale() {
            None => row.iter_mut().zip(values).for_each(|(x, value)| *x = value),
            Some(scale) => row.iter_mut().zip(values).for_each(|(x, value)| *x = value * scale),
        }
    });
}

/// All buffers of an Actor.
#[derive(Debug, Default)]
pub(super) struct Workspace {
    /// The caches of sampling, or what training keeps: neither needs the other's values.
    pub(super) shared: Vec<f32>,
    pub(super) inference: Inference,
}

/// Workspace of a forward pass that keeps nothing for a backward pass; training borrows `scratch` and `head`.
#[derive(Debug, Default)]
pub(super) struct Inference {
    /// Residual stream. `[M, hidden]`
    pub(super) x: Vec<f32>,
    /// What a layer leaves.
    pub(super) saves: Vec<f32>,
    pub(super) scratch: LayerScratch,
    pub(super) head: Head,
}

impl Inference {
    /// One layer over `packed`, from `self.x` to `self.x`; what it leaves.
    pub(super) fn layer(
        &mut self,
        network: &Network,
        layer: usize,
        packed: &PackedBatch,
        ropes: &Ropes,
    ) -> Saves<'_> {
        let Self { x, saves, scratch, .. } = self;
        let rows = packed.num_rows();
        let x = &mut x[..rows * network.shape.hidden];
        let mut saves = Saves::cut(network, rows, &mut fit(saves, Saves::len(network, rows)));
        network.project(layer, x, &packed.positions, ropes, &mut saves, scratch);
        network.attend(layer, packed, &mut saves, scratch);
        network.mix(layer, x, &mut saves, scratch);
        network.finish(layer, &mut saves, scratch, x);
        saves
    }

    /// Scores of the packed's targets.
    pub(super) fn score(&mut self, network: &Network, packed: &PackedBatch, ropes: &Ropes) -> Scores {
        self.layers(network, packed, ropes);
        self.head.score(network, packed, &self.x, 1.0)
    }

    /// Logits `[H, V]` of the packed's head rows.
    pub(super) fn last_logits(&mut self, network: &Network, packed: &PackedBatch, ropes: &Ropes) -> &[f32] {
        self.layers(network, packed, ropes);
        self.head.logits(network, &packed.head_rows, &self.x)
    }

    /// All layers over `packed`.
    fn layers(&mut self, network: &Network, packed: &PackedBatch, ropes: &Ropes) {
        embed(network, &packed.tokens, fit(&mut self.x, packed.num_rows() * network.shape.hidden));
        for layer in 0..network.layout.layers.len() {
            self.layer(network, layer, packed, ropes);
        }
    }
}

/// What a training pass keeps, cut out of one buffer.
struct Kept<'a> {
    /// Residual stream before every layer, and after the last. `[layers + 1][M, hidden]`
    streams: Vec<&'a mut [f32]>,
    saves: Vec<Saves<'a>>,
    /// Gradient of the residual stream. `[M, hidden]`
    dx: &'a mut [f32],
}

impl<'a> Kept<'a> {
    /// Of `rows` rows; the same rows find the same values again.
    fn cut(network: &Network, rows: usize, shared: &'a mut Vec<f32>) -> Self {
        let (layers, stream) = (network.layout.layers.len(), rows * network.shape.hidden);
        let len = (layers + 2) * cut_len(stream) + layers * Saves::len(network, rows);
        let mut buffer = fit(shared, len);
        Self {
            streams: (0..=layers).map(|_| cut(&mut buffer, stream)).collect(),
            saves: (0..layers).map(|_| Saves::cut(network, rows, &mut buffer)).collect(),
            dx: cut(&mut buffer, stream),
        }
    }
}

impl Workspace {
    /// Values that a training pass keeps of a row.
    pub(super) fn kept_per_row(network: &Network) -> usize {
        let layers = network.layout.layers.len();
        (layers + 2) * network.shape.hidden + layers * Saves::values_per_row(network)
    }

    /// Scores of the packed's targets at `temperature`; everything that [`Workspace::backward`] needs is kept.
    pub(super) fn forward(
        &mut self,
        network: &Network,
        packed: &PackedBatch,
        ropes: &Ropes,
        temperature: f32,
    ) -> Scores {
        let Inference { scratch, head, .. } = &mut self.inference;
        let Kept { mut streams, mut saves, .. } = Kept::cut(network, packed.num_rows(), &mut self.shared);
        embed(network, &packed.tokens, streams[0]);
        for (layer, saves) in saves.iter_mut().enumerate() {
            let (before, after) = streams.split_at_mut(layer + 1);
            let (x, out) = (&*before[layer], &mut *after[0]);
            network.project(layer, x, &packed.positions, ropes, saves, scratch);
            network.attend(layer, packed, saves, scratch);
            network.mix(layer, x, saves, scratch);
            network.finish(layer, saves, scratch, out);
        }
        head.score(network, packed, streams[saves.len()], temperature)
    }

    /// Adds the gradient of the latest [`Workspace::forward`], given that of its scores. Nothing else was computed since.
    pub(super) fn backward(
        &mut self,
        network: &Network,
        packed: &PackedBatch,
        ropes: &Ropes,
        grads: &ScoreGrads,
        gradient: &mut [f32],
    ) {
        let Inference { scratch, head, .. } = &mut self.inference;
        let Kept { streams, saves, dx } = Kept::cut(network, packed.num_rows(), &mut self.shared);
        head.backward(network, packed, grads, dx, gradient);
        for (layer, (mut saves, x)) in saves.into_iter().zip(streams).enumerate().rev() {
            network.layer_backward(layer, packed, ropes, x, &mut saves, scratch, dx, gradient);
        }
        if let Some(factor) = network.embedding_scale() {
            dx.par_chunks_mut(1 << 16).for_each(|dx| scale(dx, factor));
        }
        let embedding = network.layout.embedding.range.clone();
        embedding_gradient(network.shape.hidden, &packed.tokens, dx, &mut gradient[embedding]);
    }
}

/// `gradient[token] += dx` for every row, in the order of rows; `gradient` is laid out as panels.
fn embedding_gradient(hidden: usize, tokens: &[u32], dx: &[f32], gradient: &mut [f32]) {
    let panels = (gradient.len() / (hidden * PANEL)).div_ceil(4 * rayon::current_num_threads());
    gradient.par_chunks_mut(panels * hidden * PANEL).enumerate().for_each(|(part, gradient)| {
        let first = part * panels * PANEL;
        let range = first..first + gradient.len() / hidden;
        for (token, dx) in tokens.iter().map(|&token| token as usize).zip(dx.chunks_exact(hidden)) {
            if range.contains(&token) {
                add_to_column(gradient, hidden, token - first, dx);
            }
        }
    });
}
