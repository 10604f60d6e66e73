use serde_json::{Value, json};

use super::*;

/// The embedded tokenizer with something changed.
fn edited(edit: impl FnOnce(&mut Value)) -> anyhow::Result<Tokenizer> {
    let mut file: Value = serde_json::from_slice(EMBEDDED_TOKENIZER).unwrap();
    edit(&mut file);
    Tokenizer::from_bytes(file.to_string().as_bytes(), "edited")
}

#[test]
fn text_survives_and_unknown_text_is_named() {
    let tokenizer = Tokenizer::from_bytes(EMBEDDED_TOKENIZER, "embedded").unwrap();
    let ids = tokenizer.encode("38+47=85;66").unwrap();
    assert_eq!(ids.len(), 11);
    assert_eq!(tokenizer.decode(&ids).unwrap(), "38+47=85;66");
    let error = tokenizer.encode("3x").unwrap_err().to_string();
    assert!(error.contains("\"x\" in \"3x\""), "{error}");
    let error = tokenizer.encode(&"x\u{1b}".repeat(1 << 20)).unwrap_err().to_string();
    assert!(error.len() < 5_000 && !error.contains('\u{1b}'), "{error}");
}

/// Padding to a billion takes 24 GB where it is heeded, and truncation takes the question away.
#[test]
fn padding_truncation_and_dropout_are_not_for_prompts() {
    let plain = Tokenizer::from_bytes(EMBEDDED_TOKENIZER, "embedded").unwrap().encode("38+47=").unwrap();
    let tokenizer = edited(|file| {
        file["padding"] = json!({
            "strategy": {"Fixed": 1_000_000_000}, "direction": "Right", "pad_to_multiple_of": null, "pad_id": 0,
            "pad_type_id": 0, "pad_token": "<pad>"
        });
        file["truncation"] =
            json!({"direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0});
        if file["model"]["type"] == "BPE" {
            file["model"]["dropout"] = json!(1.0);
        }
    })
    .unwrap();
    assert_eq!(tokenizer.encode("38+47=").unwrap(), plain);
    assert!(tokenizer.prefix().unwrap().is_empty());
}

/// A chain of normalizers, each of which doubles a digit or writes a text before every piece: 2^40 bytes.
#[test]
fn a_chain_of_normalizers_ends_at_its_budget_of_memory() {
    let double = json!({"type": "Replace", "pattern": {"String": "1"}, "content": "11"});
    let tokenizer = edited(|file| {
        file["normalizer"] = json!({"type": "Sequence", "normalizers": vec![double; 40]});
    })
    .unwrap();
    assert_eq!(tokenizer.encode("2+3=").unwrap().len(), 4);
    // On a machine that is busy the budget of time may end first.
    let ends_at = |error: String, memory: &str| {
        assert!(error.contains(memory) || error.contains("takes longer than"), "{error}");
    };
    ends_at(tokenizer.encode("1+1=").unwrap_err().to_string(), "more than 400 MiB of memory");
    // Words are answered afterwards as before.
    assert_eq!(tokenizer.encode("2+3=").unwrap().len(), 4);
    let double = json!({"type": "Replace", "pattern": {"String": "1"}, "content": "11"});
    let decoder = edited(|file| {
        file["decoder"] = json!({"type": "Sequence", "decoders": vec![double; 40]});
    })
    .unwrap();
    let ids = decoder.encode("1+1=").unwrap();
    ends_at(decoder.decode(&ids).unwrap_err().to_string(), "more than 256 MiB of memory");
}

/// A template of a post-processor that names a token which it doesn't define.
#[test]
fn a_panic_inside_the_library_is_an_error() {
    let tokenizer = edited(|file| {
        file["post_processor"] = json!({
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "[NONE]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {},
        });
    });
    let error = match tokenizer {
        Ok(tokenizer) => tokenizer.prefix().unwrap_err(),
        Err(error) => error,
    };
    assert!(
        error.to_string().contains("can't tokenize") || error.to_string().contains("tokenizer file"),
        "{error}"
    );
}

/// As many tokens and merges as Qwen's: what is read has room.
#[test]
fn a_vocabulary_as_large_as_todays_fits_the_budget() {
    let letters = || ('a'..='z').map(String::from);
    let mut words: Vec<String> = letters().collect();
    let mut merges = Vec::new();
    let mut next = 0;
    while words.len() < 150_000 {
        let word = words[next].clone();
        next += 1;
        for letter in letters() {
            merges.push(json!([word, letter]));
            words.push(format!("{word}{letter}"));
        }
    }
    let vocabulary: serde_json::Map<String, Value> =
        words.iter().enumerate().map(|(id, word)| (word.clone(), id.into())).collect();
    let file = json!({"version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
        "pre_tokenizer": null, "post_processor": null, "decoder": null, "model": {"type": "BPE", "dropout": null,
        "unk_token": null, "continuing_subword_prefix": null, "end_of_word_suffix": null, "fuse_unk": false,
        "byte_fallback": false, "ignore_merges": false, "vocab": vocabulary, "merges": merges}});
    let tokenizer = Tokenizer::from_bytes(file.to_string().as_bytes(), "large").unwrap();
    let ids = tokenizer.encode("abcd").unwrap();
    assert_eq!(tokenizer.decode(&ids).unwrap().replace(' ', ""), "abcd");
    // A prompt of a megabyte, too.
    assert!(tokenizer.encode(&"ab".repeat(1 << 19)).unwrap().len() > 1_000);
}

#[test]
fn bytes_tell_a_text_that_is_too_long() {
    let tokenizer = Tokenizer::from_bytes(EMBEDDED_TOKENIZER, "embedded").unwrap();
    assert_eq!(tokenizer.most_bytes(8), 8 * TEXT_BYTES);
    assert_eq!(tokenizer.most_bytes(usize::MAX), usize::MAX);
    let long = edited(|file| {
        file["added_tokens"].as_array_mut().unwrap().push(json!({
            "id": 18, "content": "7".repeat(1_000), "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": false, "special": false,
        }));
    })
    .unwrap();
    assert_eq!(long.most_bytes(8), 8_000);
}

#[test]
fn no_file_makes_reading_or_tokenizing_panic_or_grow() {
    let byte_level =
        json!({"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true});
    let rich = json!({
        "version": "1.0", "truncation": {"direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0},
        "padding": {"strategy": {"Fixed": 9}, "direction": "Right", "pad_to_multiple_of": null, "pad_id": 0,
            "pad_type_id": 0, "pad_token": "a"},
        "added_tokens": [{"id": 5, "content": "<s>", "single_word": false, "lstrip": true, "rstrip": true,
            "normalized": true, "special": true}],
        "normalizer": {"type": "Sequence", "normalizers": [{"type": "NFKC"}, {"type": "Lowercase"},
            {"type": "Replace", "pattern": {"Regex": "(b+)"}, "content": "ab"}, {"type": "Prepend", "prepend": "x"},
            {"type": "Strip", "strip_left": true, "strip_right": true}]},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"Regex": "\\d{1,3}|a+"},
            "behavior": "Isolated", "invert": false}, {"type": "Digits", "individual_digits": true},
            {"type": "Metaspace", "replacement": "_", "prepend_scheme": "always", "split": true}, byte_level]},
        "post_processor": {"type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [5], "tokens": ["<s>"]}}},
        "decoder": {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "_"}, "content": " "},
            {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
        "model": {"type": "BPE", "dropout": 0.5, "unk_token": "a", "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": true, "byte_fallback": true, "ignore_merges": false,
            "vocab": {"a": 0, "b": 1, "ab": 2, "x": 3, "1": 4}, "merges": [["a", "b"]]},
    });
    let unigram = json!({"version": "1.0", "added_tokens": [], "normalizer": null, "pre_tokenizer": null,
        "post_processor": null, "decoder": null, "truncation": null, "padding": null,
        "model": {"type": "Unigram", "unk_id": 0, "byte_fallback": false,
            "vocab": [["<unk>", 0.0], ["a", -1.0], ["ab", -2.5], ["b", -1.5]]}});
    let word_piece = json!({"version": "1.0", "added_tokens": [], "normalizer": {"type": "BertNormalizer",
        "clean_text": true, "handle_chinese_chars": true, "strip_accents": null, "lowercase": true},
        "pre_tokenizer": {"type": "BertPreTokenizer"}, "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
        "post_processor": {"type": "BertProcessing", "sep": ["b", 1], "cls": ["a", 0]}, "truncation": null,
        "padding": null, "model": {"type": "WordPiece", "unk_token": "a", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 10, "vocab": {"a": 0, "b": 1, "##b": 2}}});
    let seeds = [rich, unigram, word_piece].map(|file| file.to_string().into_bytes());
    let words = [
        "\"Replace\"",
        "\"ByteLevel\"",
        "null",
        "[]",
        "18446744073709551615",
        "-1",
        "1e400",
        "\"\"",
        "{}",
        "(a|a)*$",
    ];
    exgrpo_core::fuzz::run(
        "tokenizer.json",
        &[&seeds[..], &[EMBEDDED_TOKENIZER.to_vec()]].concat(),
        &words,
        |bytes| {
            let Ok(tokenizer) = Tokenizer::from_bytes(bytes, "fuzz") else { return };
            tokenizer.most_bytes(9);
            let _ = (tokenizer.prefix(), tokenizer.largest_id(), tokenizer.token(0), tokenizer.id("a"));
            for text in ["", "ab 11 <s>bé漢\u{301} x", "1+1="] {
                if let Ok(ids) = tokenizer.encode(text) {
                    let _ = (tokenizer.decode(&ids), tokenizer.decode_all(&ids));
                }
            }
        },
    );
}
