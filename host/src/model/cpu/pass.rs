//! Forward and backward passes of the whole network over a plan.

use rayon::prelude::*;

use super::decoder::Cache;
use super::elementwise::add;
use super::head::Head;
use super::layer::{LayerScratch, Saves, fit};
use super::network::{Network, PackedLayer, PackedNetwork};
use super::plan::{Plan, Rope};
use crate::model::{ScoreGrads, Scores};

/// Residual stream of the input: `x = embedding[token]`.
pub(super) fn embed(network: &Network, tokens: &[u32], x: &mut [f32]) {
    let hidden = network.shape.hidden;
    let embedding = network.part(&network.layout.embedding);
    x.par_chunks_mut(hidden).zip(tokens).with_min_len(64).for_each(|(row, &token)| {
        row.copy_from_slice(&embedding[token as usize * hidden..][..hidden]);
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
    pub(super) fn layer(
        &mut self,
        network: &Network,
        layer: usize,
        packed: &PackedLayer,
        plan: &Plan,
        rope: &Rope,
    ) {
        let Self { x, saves, scratch, .. } = self;
        let x = &mut x[..plan.num_rows() * network.shape.hidden];
        network.project(layer, packed, x, &plan.positions, rope, saves, scratch);
        network.attend(plan, saves, scratch);
        network.mix(layer, packed, x, saves, scratch);
        Network::finish(packed, saves, scratch, x);
    }

    /// Scores of the plan's targets.
    pub(super) fn score(
        &mut self,
        network: &Network,
        packed: &PackedNetwork,
        plan: &Plan,
        rope: &Rope,
    ) -> Scores {
        self.layers(network, packed, plan, rope);
        self.head.score(network, &packed.head, plan, &self.x)
    }

    /// Logits `[H, V]` of the plan's head rows.
    pub(super) fn last_logits(
        &mut self,
        network: &Network,
        packed: &PackedNetwork,
        plan: &Plan,
        rope: &Rope,
    ) -> &[f32] {
        self.layers(network, packed, plan, rope);
        self.head.logits(network, &packed.head, &plan.head_rows, &self.x)
    }

    /// All layers over `plan`.
    fn layers(&mut self, network: &Network, packed: &PackedNetwork, plan: &Plan, rope: &Rope) {
        embed(network, &plan.tokens, fit(&mut self.x, plan.num_rows() * network.shape.hidden));
        for (layer, packed) in packed.layers.iter().enumerate() {
            self.layer(network, layer, packed, plan, rope);
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
    /// Scores of the plan's targets; everything that [`Training::backward`] needs is kept.
    pub(super) fn forward(
        &mut self,
        network: &Network,
        packed: &PackedNetwork,
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
        for (layer, (saves, packed)) in self.saves.iter_mut().zip(&packed.layers).enumerate() {
            let (before, after) = self.streams.split_at_mut(layer + 1);
            let (x, out) = (&before[layer][..len], fit(&mut after[0], len));
            network.project(layer, packed, x, &plan.positions, rope, saves, scratch);
            network.attend(plan, saves, scratch);
            network.mix(layer, packed, x, saves, scratch);
            Network::finish(packed, saves, scratch, out);
        }
        head.score(network, &packed.head, plan, &self.streams[num_layers])
    }

    /// Adds the gradient of the latest [`Training::forward`], given that of its scores. `buffers` are as it left them.
    #[expect(clippy::too_many_arguments, reason = "operands and results of one operation")]
    pub(super) fn backward(
        &mut self,
        network: &Network,
        packed: &PackedNetwork,
        buffers: &mut Inference,
        plan: &Plan,
        rope: &Rope,
        grads: &ScoreGrads,
        gradient: &mut [f32],
    ) {
        let len = plan.num_rows() * network.shape.hidden;
        let dx = fit(&mut self.dx, len);
        buffers.head.backward(network, &packed.head, plan, grads, dx, gradient);
        for layer in (0..self.saves.len()).rev() {
            let (x, saves) = (&self.streams[layer][..len], &mut self.saves[layer]);
            network.layer_backward(layer, plan, rope, x, saves, &mut buffers.scratch, dx, gradient);
        }
        embedding_gradient(network, &plan.tokens, dx, &mut gradient[network.layout.embedding.clone()]);
    }
}

/// `gradient[token] += dx` for every row, in the order of rows.
fn embedding_gradient(network: &Network, tokens: &[u32], dx: &[f32], gradient: &mut [f32]) {
    let hidden = network.shape.hidden;
    let block = network.shape.vocab.div_ceil(4 * rayon::current_num_threads());
    gradient.par_chunks_mut(block * hidden).enumerate().for_each(|(b, gradient)| {
        let range = b * block..b * block + gradient.len() / hidden;
        for (token, dx) in tokens.iter().zip(dx.chunks_exact(hidden)) {
            if range.contains(&(*token as usize)) {
                add(&mut gradient[(*token as usize - range.start) * hidden..][..hidden], dx);
            }
        }
    });
}
