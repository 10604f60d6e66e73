//! Forward and backward passes of the whole network over a plan.

use rayon::prelude::*;

use super::decoder::Cache;
use super::head::Head;
use super::kernel::PANEL;
use super::layer::{LayerScratch, Saves, fit};
use super::network::{Network, Shape};
use super::panels::{add_to_column, column};
use super::plan::{Plan, Rope};
use crate::model::{ScoreGrads, Scores};

/// Residual stream of the input: `x = embedding[token]`.
pub(super) fn embed(network: &Network, tokens: &[u32], x: &mut [f32]) {
    let hidden = network.shape.hidden;
    let embedding = network.part(&network.layout.embedding.range);
    x.par_chunks_mut(hidden).zip(tokens).with_min_len(64).for_each(|(row, &token)| {
        row.iter_mut().zip(column(embedding, hidden, token as usize)).for_each(|(x, value)| *x = value);
    });
}

/// Buffers of a forward pass that keeps nothing for a backward pass; training borrows
/// `scratch` and `head`.
#[derive(Debug, Default)]
pub(super) struct Inference {
    /// Residual stream. `[M, hidden]`
    pub(super) x: Vec<f32>,
    pub(super) saves: Saves,
    pub(super) scratch: LayerScratch,
    pub(super) head: Head,
    /// Caches that wait for a sequence.
    pub(super) caches: Vec<Cache>,
}

impl Inference {
    /// One layer over `plan`, from `self.x` to `self.x`.
    pub(super) fn layer(&mut self, network: &Network, layer: usize, plan: &Plan, rope: &Rope) {
        let Self { x, saves, scratch, .. } = self;
        let x = &mut x[..plan.num_rows() * network.shape.hidden];
        network.project(layer, x, &plan.positions, rope, saves, scratch);
        network.attend(plan, saves, scratch);
        network.mix(layer, x, saves, scratch);
        network.finish(layer, saves, scratch, x);
    }

    /// Scores of the plan's targets.
    pub(super) fn score(&mut self, network: &Network, plan: &Plan, rope: &Rope) -> Scores {
        self.layers(network, plan, rope);
        self.head.score(network, plan, &self.x)
    }

    /// Logits `[H, V]` of the plan's head rows.
    pub(super) fn last_logits(&mut self, network: &Network, plan: &Plan, rope: &Rope) -> &[f32] {
        self.layers(network, plan, rope);
        self.head.logits(network, &plan.head_rows, &self.x)
    }

    /// All layers over `plan`.
    fn layers(&mut self, network: &Network, plan: &Plan, rope: &Rope) {
        embed(network, &plan.tokens, fit(&mut self.x, plan.num_rows() * network.shape.hidden));
        for layer in 0..network.layout.layers.len() {
            self.layer(network, layer, plan, rope);
        }
    }
}

/// Buffers of a training pass. They grow to the largest batch and stay.
#[derive(Debug, Default)]
pub(super) struct Training {
    /// Residual stream before every layer, and after the last. `[layers + 1][M, hidden]`
    streams: Vec<Vec<f32>>,
    saves: Vec<Saves>,
    dx: Vec<f32>,
}

impl Training {
    /// Values that are kept of a row.
    pub(super) fn values_per_row(network: &Network) -> usize {
        let Shape { hidden, intermediate, heads, .. } = network.shape;
        let layer = 2 * hidden + network.shape.qkv() + network.shape.query() + 2 * intermediate + heads;
        network.layout.layers.len() * layer
    }

    /// Scores of the plan's targets; everything that [`Training::backward`] needs is kept.
    pub(super) fn forward(
        &mut self,
        network: &Network,
        buffers: &mut Inference,
        plan: &Plan,
        rope: &Rope,
    ) -> Scores {
        let Inference { scratch, head, .. } = buffers;
        let num_layers = network.layout.layers.len();
        let len = plan.num_rows() * network.shape.hidden;
        self.streams.resize_with(num_layers + 1, Vec::new);
        self.saves.resize_with(num_layers, Saves::default);
        embed(network, &plan.tokens, fit(&mut self.streams[0], len));
        for (layer, saves) in self.saves.iter_mut().enumerate() {
            let (before, after) = self.streams.split_at_mut(layer + 1);
            let (x, out) = (&before[layer][..len], fit(&mut after[0], len));
            network.project(layer, x, &plan.positions, rope, saves, scratch);
            network.attend(plan, saves, scratch);
            network.mix(layer, x, saves, scratch);
            network.finish(layer, saves, scratch, out);
        }
        head.score(network, plan, &self.streams[num_layers])
    }

    /// Adds the gradient of the latest [`Training::forward`], given that of its scores. `buffers` are as it left them.
    pub(super) fn backward(
        &mut self,
        network: &Network,
        buffers: &mut Inference,
        plan: &Plan,
        rope: &Rope,
        grads: &ScoreGrads,
        gradient: &mut [f32],
    ) {
        let len = plan.num_rows() * network.shape.hidden;
        let dx = fit(&mut self.dx, len);
        buffers.head.backward(network, plan, grads, dx, gradient);
        for layer in (0..self.saves.len()).rev() {
            let (x, saves) = (&self.streams[layer][..len], &mut self.saves[layer]);
            network.layer_backward(layer, plan, rope, x, saves, &mut buffers.scratch, dx, gradient);
        }
        let embedding = network.layout.embedding.range.clone();
        embedding_gradient(network.shape.hidden, &plan.tokens, dx, &mut gradient[embedding]);
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
