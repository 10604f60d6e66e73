//! Every buffer of a pass, by size: what is allocated is what is counted, so that a pass that is said to fit does.

use super::ops::Element;
use crate::{ModelConfig, Precision};

/// Queries of a block of attention. Its scores exist at once, those of the whole sequence never do.
pub(super) const QUERY_BLOCK: usize = 128;
/// Logits that exist at once in training and scoring: 2 GiB of f32.
const LOGITS: usize = 1 << 29;

/// Keys, or values, that lie behind the last cache: attention may read that many too many, and then counts them nothing.
pub(super) const CACHE_SLACK: usize = 32;

/// Positions that a batch is padded to a multiple of: rows of attention's scores then start where a GPU's products of bf16
/// are quick.
const ROW_MULTIPLE: usize = 8;

/// Positions of a padded batch whose longest sequence has `len` inputs.
pub(super) fn padded(len: usize) -> usize {
    len.next_multiple_of(ROW_MULTIPLE)
}

/// Widths of a network, and the type of its activations.
#[derive(Debug, Clone, Copy)]
pub(super) struct Widths {
    pub(super) activation: Element,
    pub(super) hidden: usize,
    pub(super) feed_forward: usize,
    pub(super) vocab: usize,
    pub(super) layers: usize,
    pub(super) key_heads: usize,
    /// Query heads a key head.
    pub(super) repeat: usize,
    pub(super) head: usize,
    pub(super) has_qk_norm: bool,
}

impl Widths {
    pub(super) fn new(config: &ModelConfig, precision: Precision) -> Self {
        Self {
            activation: match precision {
                Precision::F32 => Element::F32,
                Precision::Bf16 => Element::Bf16,
            },
            hidden: config.hidden_size,
            feed_forward: config.intermediate_size,
            vocab: config.vocab_size,
            layers: config.num_hidden_layers,
            key_heads: config.num_key_value_heads,
            repeat: config.num_attention_heads / config.num_key_value_heads,
            head: config.head_dim,
            has_qk_norm: config.has_qk_norm(),
        }
    }

    pub(super) fn heads(&self) -> usize {
        self.key_heads * self.repeat
    }

    pub(super) fn queries(&self) -> usize {
        self.heads() * self.head
    }

    pub(super) fn keys(&self) -> usize {
        self.key_heads * self.head
    }

    pub(super) fn qkv(&self) -> usize {
        self.queries() + 2 * self.keys()
    }

    /// Rows of logits that are computed at once.
    pub(super) fn head_chunk(&self, scored: usize) -> usize {
        scored.min((LOGITS / self.vocab).max(1))
    }
}

/// What a buffer needs.
pub(super) type Need = (Element, usize);

/// Bytes of a list of buffers.
pub(super) fn bytes(needs: &[Need]) -> usize {
    needs.iter().map(|(element, len)| element.size() * len).sum()
}

/// A padded batch: `sequences` of `len` positions, `scored` of which predict a token of a completion.
#[derive(Debug, Clone, Copy)]
pub(super) struct Batch {
    pub(super) sequences: usize,
    pub(super) len: usize,
    pub(super) scored: usize,
}

impl Batch {
    pub(super) fn rows(&self) -> usize {
        self.sequences * self.len
    }

    /// Queries of a block of attention.
    pub(super) fn block(&self) -> usize {
        self.len.min(QUERY_BLOCK)
    }

    /// Values of a block of scores.
    fn scores(&self, widths: &Widths) -> usize {
        self.sequences * widths.heads() * self.block() * self.len
    }

    /// What a forward pass works in: [`super::forward::Work`], field by field.
    pub(super) fn work(&self, widths: &Widths) -> [Need; 9] {
        let act = widths.activation;
        let rows = self.rows();
        [
            (act, rows * widths.hidden),
            (act, rows * widths.qkv()),
            (act, rows * widths.queries()),
            (act, rows * widths.feed_forward),
            (Element::F32, self.scores(widths)),
            (act, self.scores(widths)),
            (act, self.scored * widths.hidden),
            (act, self.scored * widths.hidden),
            (Element::F32, widths.head_chunk(self.scored) * widths.vocab),
        ]
    }

    /// What is kept of a layer for its backward pass: [`super::forward::Kept`], field by field. A pass without gradient
    /// has one for all layers.
    pub(super) fn kept(&self, widths: &Widths) -> [Need; 8] {
        let act = widths.activation;
        let rows = self.rows();
        [
            (act, rows * widths.hidden),
            (act, if widths.has_qk_norm { rows * widths.qkv() } else { 0 }),
            (act, rows * widths.queries()),
            (act, rows * widths.keys()),
            (act, rows * widths.keys()),
            (Element::F32, rows * widths.heads()),
            (act, rows * widths.queries()),
            (act, rows * widths.hidden),
        ]
    }

    /// The gates and ups of a layer, which its backward pass needs too.
    pub(super) fn gates(&self, widths: &Widths) -> Need {
        (widths.activation, self.rows() * 2 * widths.feed_forward)
    }

    /// Token ids, scored rows, targets, and what is found of each target; see [`super::padded::Inputs`].
    pub(super) fn inputs(&self) -> [Need; 6] {
        let scored = self.scored;
        [
            (Element::U32, self.rows()),
            (Element::U32, scored),
            (Element::U32, scored),
            (Element::F32, scored),
            (Element::F32, scored),
            (Element::F32, scored),
        ]
    }

    /// What only a backward pass works in: [`super::backward::Work`], field by field.
    pub(super) fn backward(&self, widths: &Widths) -> [Need; 18] {
        let act = widths.activation;
        let rows = self.rows();
        [
            (act, rows * widths.hidden),
            (act, rows * widths.hidden),
            (act, rows * widths.feed_forward),
            (act, rows * widths.qkv()),
            (act, rows * widths.queries()),
            (act, rows * widths.queries()),
            (act, rows * widths.keys()),
            (Element::F32, rows * widths.keys()),
            (Element::F32, rows * widths.keys()),
            (Element::F32, rows * widths.heads()),
            (Element::F32, self.scores(widths)),
            (act, self.scores(widths)),
            (act, widths.head_chunk(self.scored) * widths.vocab),
            (Element::F32, self.scored),
            (Element::F32, self.scored),
            (Element::U32, self.rows()),
            (Element::U32, self.rows() + 1),
            (Element::U32, self.rows()),
        ]
    }

    /// Bytes of a training pass over this batch.
    pub(super) fn training_bytes(&self, widths: &Widths) -> usize {
        let layer = bytes(&self.kept(widths)) + bytes(&[self.gates(widths)]);
        let stream = bytes(&[(widths.activation, self.rows() * widths.hidden)]);
        bytes(&self.work(widths))
            + bytes(&self.inputs())
            + widths.layers * layer
            + stream
            + bytes(&self.backward(widths))
    }

    /// Bytes of a pass without gradient.
    pub(super) fn scoring_bytes(&self, widths: &Widths) -> usize {
        let layer = bytes(&self.kept(widths)) + bytes(&[self.gates(widths)]);
        bytes(&self.work(widths)) + bytes(&self.inputs()) + layer
    }
}

/// Sequences that are decoded together.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wave {
    /// Requests, each with one prompt.
    pub(super) groups: usize,
    /// Tokens of the longest prompt.
    pub(super) prompt: usize,
    /// Completions.
    pub(super) slots: usize,
    /// Most tokens of a completion.
    pub(super) new: usize,
}

impl Wave {
    /// Tokens of a completion that a later one looks at.
    pub(super) fn capacity(&self) -> usize {
        self.new.saturating_sub(1).max(1)
    }

    /// Keys, or values, of one layer: of the prompts, and of the completions.
    pub(super) fn caches(&self, widths: &Widths) -> [Need; 2] {
        let act = widths.activation;
        [
            (act, self.groups * self.prompt * widths.keys() + CACHE_SLACK * widths.head),
            (act, self.slots * self.capacity() * widths.keys() + CACHE_SLACK * widths.head),
        ]
    }

    /// What a step works in: [`super::decode::Work`], field by field.
    pub(super) fn work(&self, widths: &Widths) -> [Need; 18] {
        let act = widths.activation;
        let slots = self.slots;
        [
            (act, slots * widths.hidden),
            (act, slots * widths.hidden),
            (act, slots * widths.qkv()),
            (act, slots * widths.queries()),
            (act, slots * widths.queries()),
            (act, slots * 2 * widths.feed_forward),
            (act, slots * widths.feed_forward),
            (Element::F32, slots.max(self.groups) * widths.vocab),
            (Element::U32, slots),
            (Element::U32, slots),
            (Element::U32, slots),
            (Element::U32, slots),
            (Element::U32, slots),
            (Element::U32, self.groups),
            (Element::U32, 2 * slots * self.new),
            (Element::U32, slots * self.new),
            (Element::F32, slots * self.new),
            (Element::F32, slots * self.new),
        ]
    }

    /// Bytes of decoding this wave, the pass over its prompts included.
    pub(super) fn bytes(&self, widths: &Widths, prefill: &Batch) -> usize {
        2 * widths.layers * bytes(&self.caches(widths))
            + bytes(&self.work(widths))
            + prefill.scoring_bytes(widths)
    }
}
