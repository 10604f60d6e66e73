//! Every engine against candle's differentiable operations on the processor.

use super::*;

/// A shape, and prompts with the lengths of the completions that they have.
struct Case {
    config: ModelConfig,
    groups: Vec<(usize, Vec<usize>)>,
}

fn shape(architecture: &str, [vocab, hidden, intermediate]: [usize; 3], heads: [usize; 3]) -> ModelConfig {
    let [heads, key_heads, head_dim] = heads;
    let text = format!(
        r#"{{"model_type": "{architecture}", "vocab_size": {vocab}, "hidden_size": {hidden},
            "intermediate_size": {intermediate}, "num_hidden_layers": 2, "num_attention_heads": {heads},
            "num_key_value_heads": {key_heads}, "head_dim": {head_dim}, "rms_norm_eps": 1e-5,
            "rope_theta": 10000.0, "max_position_embeddings": 512,
            "tie_word_embeddings": {}}}"#,
        architecture != "qwen3"
    );
    serde_json::from_str(&text).unwrap()
}

/// Lengths on both sides of the engine's blocks of 32 columns, 48 queries and 128 rows.
fn agreement_cases() -> Vec<Case> {
    let lengths = |groups: &[(usize, &[usize])]| {
        groups.iter().map(|(prompt, completions)| (*prompt, completions.to_vec())).collect::<Vec<_>>()
    };
    let mut cases: Vec<Case> = configs()
        .into_iter()
        .chain(varied_configs())
        .map(|config| {
            let groups = lengths(&[(3, &[5]), (1, &[1]), (7, &[2, 9, 1, 40]), (20, &[1, 1]), (33, &[31, 2])]);
            Case { config, groups }
        })
        .collect();
    let long = lengths(&[(70, &[60, 1, 33, 97]), (1, &[130]), (49, &[1]), (32, &[32, 48, 49])]);
    cases.extend([
        Case { config: shape("llama", [97, 36, 50], [9, 3, 4]), groups: long.clone() },
        Case { config: shape("qwen2", [64, 48, 33], [6, 2, 8]), groups: long.clone() },
        Case { config: shape("qwen3", [129, 40, 70], [4, 4, 34]), groups: long.clone() },
    ]);
    // Windows that end within a prompt, within a completion, and in between.
    let mut windowed = shape("mistral", [97, 36, 50], [6, 3, 4]);
    for (layer, window) in windowed.variations.attention.iter_mut().zip([50, 20]) {
        layer.window = Some(window);
    }
    cases.push(Case { config: windowed, groups: long });
    // A head that is worked on in several chunks.
    let config = ModelConfig {
        vocab_size: 300_007,
        rope_scaling: None,
        tie_word_embeddings: true,
        ..cases[0].config.clone()
    };
    cases.push(Case { config, groups: lengths(&[(9, &[50, 30])]) });
    cases
}

/// Largest difference over the largest value expected.
fn relative(got: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(got.len(), expected.len());
    assert!(got.iter().all(|value| value.is_finite()));
    let largest = expected.iter().fold(0f32, |a, b| a.max(b.abs()));
    got.iter().zip(expected).fold(0f32, |a, (got, expected)| a.max((got - expected).abs())) / largest
}

/// Witness: candle's composed operations, whose derivatives candle finds itself.
#[test]
fn scores_and_gradients_equal_those_of_candle() {
    for Case { config, groups } in agreement_cases() {
        let mut stream = ChaCha8Rng::seed_from_u64(21);
        let mut batch = Vec::new();
        for (prompt, completions) in groups {
            let prompt = tokens(&mut stream, prompt, config.vocab_size);
            for len in completions {
                batch.push((prompt.clone(), tokens(&mut stream, len, config.vocab_size)));
            }
        }
        let batch = sequences(&batch);
        let weights = lively_weights(&config, 2);
        let able = engines().into_iter().filter(|(engine, _)| computes(engine, &config));
        let mut computed = able.map(|(engine, build)| {
            let mut actor = build(&config, weights.clone());
            let mut scores = Scores::default();
            let mut loss = |seen: &Scores| {
                scores = seen.clone();
                coefficients(seen.logprobs.len())
            };
            actor.accumulate(&batch, &mut loss).unwrap();
            let logits = actor.next_logits(batch[0].prompt).unwrap();
            (engine, scores, actor.gradients().unwrap(), logits)
        });
        let (_, oracle_scores, oracle_gradients, oracle_logits) = computed.next().unwrap();
        for (engine, scores, gradients, logits) in computed {
            let case = format!("{engine}, {config:?}");
            for (what, got, expected) in [
                ("log-probs", &scores.logprobs, &oracle_scores.logprobs),
                ("entropies", &scores.entropies, &oracle_scores.entropies),
                ("logits", &logits, &oracle_logits),
            ] {
                let error = relative(got, expected);
                assert!(error < 1e-5 * slack(engine), "{case}, {what}: {error}");
            }
            for ((name, got), (_, expected)) in gradients.iter().zip(&oracle_gradients) {
                // A key's bias has a gradient through the rotation only: what is left of sums a thousand times as
                // large.
                let room = if name.ends_with("k_proj.bias") { 1e-3 } else { 1e-4 };
                let error = relative(got, expected);
                assert!(error < room, "{case}, {name}: {error}");
            }
        }
    }
}
