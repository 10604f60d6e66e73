use candle_core::Tensor;
use candle_core::quantized::{GgmlDType, QTensor, gguf_file};

use super::super::tests::failure;
use super::*;
use crate::ModelSource;
use exgrpo_core::rng::Streams;

const TOKENS: [&str; 9] = ["<|end|>", "a", "b", "ab", "Ġ", "1", "2", "12", "[PAD8]"];
const KINDS: [i32; 9] = [3, 1, 1, 1, 1, 1, 1, 1, 5];

/// What a file in a test is made of.
struct Fixture {
    architecture: &'static str,
    pre: &'static str,
    config: ModelConfig,
    rope_divisors: Option<Vec<f32>>,
}

impl Fixture {
    fn new(architecture: Architecture, pre: &'static str) -> Self {
        let config = ModelConfig {
            architecture,
            vocab_size: TOKENS.len(),
            hidden_size: 32,
            intermediate_size: 32,
            num_hidden_layers: 2,
            num_attention_heads: 4,
            num_key_value_heads: 2,
            head_dim: 16,
            rms_norm_eps: 1e-5,
            rope_theta: 100_000.0,
            rope_scaling: None,
            max_position_embeddings: 64,
            tie_word_embeddings: architecture != Architecture::Qwen2,
            attention_bias: false,
            variations: exgrpo_engine::Variations::default(),
        };
        Self { architecture: architecture.model_type(), pre, config, rope_divisors: None }
    }

    /// Writes the file as llama.cpp's converter would, all tensors but the embedding as `dtype`.
    fn write(&self, path: &Path, weights: &Weights, dtype: GgmlDType) {
        let config = &self.config;
        let text = |text: &str| Value::String(text.to_owned());
        let number = |number: usize| Value::U32(number as u32);
        let key = |name: &str| format!("{}.{name}", self.architecture);
        let texts = |texts: &[&str]| Value::Array(texts.iter().map(|t| text(t)).collect());
        let metadata = [
            ("general.architecture".to_owned(), text(self.architecture)),
            (key("block_count"), number(config.num_hidden_layers)),
            (key("context_length"), number(config.max_position_embeddings)),
            (key("embedding_length"), number(config.hidden_size)),
            (key("feed_forward_length"), number(config.intermediate_size)),
            (key("attention.head_count"), number(config.num_attention_heads)),
            (key("attention.head_count_kv"), number(config.num_key_value_heads)),
            (key("attention.key_length"), number(config.head_dim)),
            (key("rope.freq_base"), Value::F32(config.rope_theta as f32)),
            (key("attention.layer_norm_rms_epsilon"), Value::F32(config.rms_norm_eps as f32)),
            ("tokenizer.ggml.model".to_owned(), text("gpt2")),
            ("tokenizer.ggml.pre".to_owned(), text(self.pre)),
            ("tokenizer.ggml.tokens".to_owned(), texts(&TOKENS)),
            ("tokenizer.ggml.token_type".to_owned(), Value::Array(KINDS.map(Value::I32).to_vec())),
            ("tokenizer.ggml.merges".to_owned(), texts(&["a b", "1 2"])),
            ("tokenizer.ggml.bos_token_id".to_owned(), number(0)),
            ("tokenizer.ggml.eos_token_id".to_owned(), number(0)),
            ("tokenizer.chat_template".to_owned(), text("{{ messages[0].content }}{{ eos_token }}")),
        ];
        let metadata: Vec<(&str, &Value)> =
            metadata.iter().map(|(key, value)| (key.as_str(), value)).collect();
        let mut tensors: Vec<(String, QTensor)> = weights
            .tensors()
            .iter()
            .map(|tensor| {
                let is_matrix = tensor.shape.len() == 2 && !tensor.name.contains("embed");
                let dtype = if is_matrix { dtype } else { GgmlDType::F32 };
                let rows = tensor.data.chunks(tensor.shape.get(1).copied().unwrap_or(1));
                let data = match (
                    self.config.architecture,
                    tensor.name.contains("q_proj"),
                    tensor.name.contains("k_proj"),
                ) {
                    (Architecture::Llama, true, _) | (Architecture::Llama, _, true) => {
                        // Row i of a head's first half goes before row i of its second half.
                        let rows: Vec<&[f32]> = rows.collect();
                        let heads =
                            rows.chunks(16).flat_map(|head| (0..8).flat_map(|i| [head[i], head[i + 8]]));
                        heads.flatten().copied().collect()
                    }
                    _ => tensor.data.clone(),
                };
                let tensor_ = Tensor::from_vec(data, tensor.shape.as_slice(), &Device::Cpu).unwrap();
                (gguf_name(&tensor.name).unwrap(), QTensor::quantize(&tensor_, dtype).unwrap())
            })
            .collect();
        if let Some(divisors) = &self.rope_divisors {
            let tensor = Tensor::from_vec(divisors.clone(), divisors.len(), &Device::Cpu).unwrap();
            tensors.push((ROPE_DIVISORS.to_owned(), QTensor::quantize(&tensor, GgmlDType::F32).unwrap()));
        }
        let tensors: Vec<(&str, &QTensor)> =
            tensors.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
        gguf_file::write(&mut File::create(path).unwrap(), &metadata, &tensors).unwrap();
    }

    fn weights(&self) -> Weights {
        Weights::random(&self.config, &mut Streams::new(3).stream("weights", 0, 0))
    }
}

fn read(path: &Path) -> ModelSource {
    ModelSource::read(&path.to_string_lossy()).unwrap()
}

#[test]
fn every_family_comes_back_as_it_was_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.gguf");
    for (architecture, pre) in
        [(Architecture::Llama, "smollm"), (Architecture::Qwen2, "qwen2"), (Architecture::Qwen3, "qwen2")]
    {
        let fixture = Fixture::new(architecture, pre);
        let weights = fixture.weights();
        fixture.write(&path, &weights, GgmlDType::F32);
        let source = read(&path);
        assert_eq!(source.config, fixture.config);
        assert_eq!(source.weights, weights, "{architecture:?}");
        assert_eq!(source.stop_ids, [0]);
        assert_eq!(source.chat_template.as_deref(), Some("{{ messages[0].content }}{{ eos_token }}"));
        assert_eq!(source.special_tokens.eos.as_deref(), Some("<|end|>"));

        fixture.write(&path, &weights, GgmlDType::Q8_0);
        for (have, expected) in read(&path).weights.tensors().iter().zip(weights.tensors()) {
            let largest = expected.data.iter().fold(0.0f32, |most, value| most.max(value.abs()));
            for (have, expected) in have.data.iter().zip(&expected.data) {
                assert!((have - expected).abs() <= largest / 127.0, "{have} for {expected}");
            }
        }
    }
}

#[test]
fn text_is_cut_as_the_family_cuts_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.gguf");
    for (pre, digits, prefix) in [
        ("smollm", vec![5, 6], vec![]),
        ("gpt-2", vec![7], vec![]),
        ("llama-bpe", vec![7], vec![0]),
        ("qwen2", vec![5, 6], vec![]),
    ] {
        let fixture = Fixture::new(Architecture::Llama, pre);
        fixture.write(&path, &fixture.weights(), GgmlDType::F32);
        let tokenizer = read(&path).tokenizer;
        assert_eq!(tokenizer.encode("12").unwrap(), digits, "{pre}");
        // No space is put before a text or behind a special token.
        assert_eq!(tokenizer.encode("ab<|end|>ab ").unwrap(), [3, 0, 3, 4], "{pre}");
        assert_eq!(tokenizer.decode(&[3, 0, 4, 5]).unwrap(), "ab 1", "{pre}");
        assert_eq!(tokenizer.prefix().unwrap(), prefix, "{pre}");
        assert_eq!(tokenizer.largest_id(), Some(7), "a row that no token has");
    }
}

/// Witness: the divisors as llama.cpp's converter computes them, from its formula.
#[test]
fn llama_3_stretching_is_told_from_its_divisors() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.gguf");
    let mut fixture = Fixture::new(Architecture::Llama, "llama-bpe");
    fixture.config.rope_theta = 500_000.0;
    let divisors = (0..8).map(|pair| {
        let wavelength = 2.0 * std::f64::consts::PI * 500_000f64.powf(f64::from(pair) / 8.0);
        match wavelength {
            short if short < 8192.0 / 4.0 => 1.0,
            long if long > 8192.0 => 32.0,
            _ => {
                let smooth = (8192.0 / wavelength - 1.0) / (4.0 - 1.0);
                (1.0 / ((1.0 - smooth) / 32.0 + smooth)) as f32
            }
        }
    });
    fixture.rope_divisors = Some(divisors.collect());
    fixture.write(&path, &fixture.weights(), GgmlDType::F32);
    let Some(RopeScaling::Llama3(rope)) = read(&path).config.rope_scaling else { panic!("no scaling") };
    assert_eq!((rope.factor, rope.original_max_position_embeddings), (32.0, 8192));

    fixture.rope_divisors = Some(vec![1.0, 1.0, 2.0, 3.0, 3.0, 3.0, 3.0, 3.0]);
    fixture.write(&path, &fixture.weights(), GgmlDType::F32);
    assert!(failure(&path).contains("a rule of its own"));
}

#[test]
fn a_file_that_cannot_be_used_says_why_and_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.gguf");
    let fixture = Fixture::new(Architecture::Llama, "smollm");
    fixture.write(&path, &fixture.weights(), GgmlDType::F32);
    let whole = std::fs::read(&path).unwrap();
    for length in [0, 3, 40, 600, whole.len() / 2, whole.len() - 1] {
        std::fs::write(&path, &whole[..length]).unwrap();
        assert!(failure(&path).contains("not a usable GGUF file"), "{length} bytes");
    }
    // No damage of the header is worse than an error: each byte in turn, all of its bits.
    let header = whole.len() - fixture.config.num_parameters() * 4;
    for place in 0..header.min(whole.len()) {
        let mut damaged = whole.clone();
        damaged[place] ^= 0xff;
        std::fs::write(&path, &damaged).unwrap();
        let _read_or_refused = ModelSource::read(&path.to_string_lossy());
    }
    let alignment = Value::U32(0);
    let metadata =
        [("general.architecture", Value::String("llama".to_owned())), ("general.alignment", alignment)];
    let metadata: Vec<(&str, &Value)> = metadata.iter().map(|(key, value)| (*key, value)).collect();
    gguf_file::write(&mut File::create(&path).unwrap(), &metadata, &[]).unwrap();
    assert!(failure(&path).contains("alignment is 0"), "{}", failure(&path));
    let unknown = Fixture { architecture: "gemma2", ..Fixture::new(Architecture::Llama, "smollm") };
    unknown.write(&path, &unknown.weights(), GgmlDType::F32);
    assert!(failure(&path).contains("gemma2"));
    let unknown = Fixture::new(Architecture::Llama, "tekken");
    unknown.write(&path, &unknown.weights(), GgmlDType::F32);
    assert!(failure(&path).contains("tekken"));
    let mut wrong = Fixture::new(Architecture::Llama, "smollm");
    let weights = wrong.weights();
    wrong.config.intermediate_size = 64;
    wrong.write(&path, &weights, GgmlDType::F32);
    assert!(failure(&path).contains("its metadata asks for"));
}

#[test]
fn no_gguf_file_makes_reading_panic_or_grow() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.gguf");
    let seeds =
        [(Architecture::Llama, "smollm", GgmlDType::F32), (Architecture::Qwen2, "qwen2", GgmlDType::Q8_0)]
            .map(|(architecture, pre, dtype)| {
                let fixture = Fixture::new(architecture, pre);
                fixture.write(&path, &fixture.weights(), dtype);
                std::fs::read(&path).unwrap()
            });
    let words = ["general.alignment", "split.count", "rope_freqs.weight", "tokenizer.ggml.pre", "llama-bpe"];
    exgrpo_core::fuzz::run("GGUF", &seeds, &words, move |bytes| {
        std::fs::write(&path, bytes).unwrap();
        let _ = ModelSource::read(&path.to_string_lossy());
        let _keep = &dir;
    });
}
