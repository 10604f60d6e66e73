//! A GPU's log-probs, entropies and draws.

use anyhow::Result;

use super::kernels::{Argument, DrawShape, Grid, arguments};
use super::{Buffer, NvidiaGpu, Place};
use crate::gpu::ops::{Draw, Drawn, Element, Tokens};

/// Threads of a block that works on a row of logits.
const ROW_THREADS: usize = 512;

impl Tokens for NvidiaGpu {
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
        self.launch(
            "token_scores",
            grid,
            arguments![logits, targets, logprobs, entropies, log_sums, vocab, sharpness],
        )
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
            arguments![
                logits, targets, entropies, log_sums, dlogprobs, dentropies, dlogits, vocab, sharpness
            ],
        )
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
