//! Splitting sequences into micro-batches, and checking token ids before they reach an engine.

use anyhow::ensure;

use super::config::ModelConfig;
use super::{SampleRequest, SamplingParams, ScoreGrads, Scores, Sequence};
use exgrpo_core::types::TokenId;

/// Splits sequences of the given lengths into micro-batches: indices, shortest sequences first, so that padding is
/// small. A micro-batch's size times its longest length stays within `token_budget`; a sequence longer than that is
/// alone. The order depends on the lengths only, equal lengths keep their order.
pub fn micro_batches(lengths: &[usize], token_budget: usize) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.sort_by_key(|&index| lengths[index]);
    let mut batches: Vec<Vec<usize>> = Vec::new();
    for index in order {
        match batches.last_mut() {
            Some(batch) if (batch.len() + 1) * lengths[index] <= token_budget => batch.push(index),
            _ => batches.push(vec![index]),
        }
    }
    batches
}

/// Checks what every engine relies on.
pub(super) fn check_sequences(config: &ModelConfig, batch: &[Sequence<'_>]) -> anyhow::Result<()> {
    for (index, sequence) in batch.iter().enumerate() {
        ensure!(!sequence.prompt.is_empty(), "sequence {index} has an empty prompt");
        ensure!(!sequence.completion.is_empty(), "sequence {index} has an empty completion");
        let len = sequence.prompt.len() + sequence.completion.len();
        let longest = config.max_position_embeddings;
        ensure!(len <= longest, "sequence {index} has {len} tokens, the model takes at most {longest}");
        check_tokens(config, "sequence", index, sequence.prompt)?;
        check_tokens(config, "sequence", index, sequence.completion)?;
    }
    Ok(())
}

/// Checks what every engine relies on when it samples.
pub(super) fn check_requests(
    config: &ModelConfig,
    requests: &[SampleRequest<'_>],
    sampling: &SamplingParams,
) -> anyhow::Result<()> {
    let SamplingParams { temperature, score_temperature, top_p, max_new_tokens, .. } = *sampling;
    check_temperature(score_temperature)?;
    ensure!(
        temperature.is_finite() && temperature >= 0.0,
        "temperature is {temperature}, it can't be negative"
    );
    ensure!(top_p > 0.0 && top_p <= 1.0, "top_p is {top_p}, it must be in (0, 1]");
    ensure!(max_new_tokens > 0, "max_new_tokens is 0, a completion has at least one token");
    for (index, request) in requests.iter().enumerate() {
        ensure!(!request.prompt.is_empty(), "prompt {index} is empty");
        let (len, longest) =
            (request.prompt.len().saturating_add(max_new_tokens), config.max_position_embeddings);
        ensure!(
            len <= longest,
            "prompt {index} has {} tokens, with max_new_tokens {max_new_tokens} more than the {longest} that the \
             model takes",
            request.prompt.len()
        );
        check_tokens(config, "prompt", index, request.prompt)?;
    }
    Ok(())
}

/// Checks the temperature of scores, whose logits are divided by it.
pub(super) fn check_temperature(temperature: f32) -> anyhow::Result<()> {
    ensure!(
        temperature > 0.0 && temperature.is_finite(),
        "the temperature of scores is {temperature}, it must be above 0"
    );
    Ok(())
}

/// Checks that a loss returned one derivative a score.
pub(super) fn check_grads(scores: &Scores, grads: &ScoreGrads) -> anyhow::Result<()> {
    let expected = scores.logprobs.len();
    ensure!(
        grads.logprobs.len() == expected && grads.entropies.len() == expected,
        "the loss returned {} derivatives of log-probs and {} of entropies for {expected} tokens",
        grads.logprobs.len(),
        grads.entropies.len()
    );
    Ok(())
}

fn check_tokens(config: &ModelConfig, what: &str, index: usize, ids: &[TokenId]) -> anyhow::Result<()> {
    let unknown = ids.iter().find(|&&id| id as usize >= config.vocab_size);
    ensure!(
        unknown.is_none(),
        "{what} {index} has token id {}, the model's vocabulary has {}; does the tokenizer belong to the model?",
        unknown.copied().unwrap_or_default(),
        config.vocab_size
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Every sequence is in one micro-batch, and none is over budget unless it is alone.
        #[test]
        fn micro_batches_partition_within_budget(
            lengths in proptest::collection::vec(1usize..60, 0..50),
            budget in 1usize..200,
        ) {
            let batches = micro_batches(&lengths, budget);
            let mut seen: Vec<usize> = batches.concat();
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..lengths.len()).collect::<Vec<_>>());
            for batch in &batches {
                let longest = batch.iter().map(|&index| lengths[index]).max().unwrap();
                prop_assert!(batch.len() == 1 || batch.len() * longest <= budget);
            }
        }
    }
}
