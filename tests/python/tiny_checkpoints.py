"""Writes tiny checkpoints of many families, stored as they are found in the world, with what transformers makes of them.

    python tests/python/tiny_checkpoints.py OUT --host target/release/exgrpo-host

OUT/NAME/model is a directory in the Hugging Face layout (for an adapter: model, tiny-llama and merged side by side), and
OUT/NAME/expected.json what transformers makes of it, in f32 on a processor: token ids of prompts, logits of their last
two positions, the likeliest 16 tokens, and of the mean negative log-likelihood of given tokens the gradient's norm and
a few entries for each parameter. Everything follows from seeds. What is in OUT already is not written again. With --host
the binary reads every checkpoint, and a table says where it agrees; the exit code is 1 when it differs somewhere, and
not when it refuses with words.
"""

import argparse
import copy
import json
import math
import pathlib
import shutil
import subprocess
import sys
import tempfile

import peft
import safetensors.torch
import tokenizers
import torch
import transformers

LOGITS, LOGPROBS, GRADIENT = 1e-3, 1e-4, 1e-4  # largest differences; the gradient's is relative to its largest entry
NEW_TOKENS, VOCABULARY = 16, 304
ORIGINAL = 64  # positions before a rotary embedding is stretched: two prompts are longer, one gets longer by its answer
PROMPTS = [
    "What is 2 + 2?",
    "Natalia sold 48 clips, then half as many.",
    "Ein Satz mit Umlauten: äöü ß, 漢字 \U0001f600 and   three spaces.\n\nNew\tparagraph.",
    "The quick brown fox jumps over the lazy dog, and then it sleeps. " * 3,
    "Squares: " + ", ".join(str(number**2) for number in range(40)),
]
LEARNED = PROMPTS[:4]
ANSWERS = ["The answer is 4.", "48 + 24 = 72"]
SPECIAL = ["<|endoftext|>", "<|begin|>", "<|im_start|>", "<|im_end|>"]


def byte_level_tokenizer():
    """Merges over bytes learned from the prompts, as GPT-2, Llama 3 and Qwen have them."""
    inner = tokenizers.Tokenizer(tokenizers.models.BPE())
    inner.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = tokenizers.decoders.ByteLevel()
    alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
    options = {"special_tokens": SPECIAL, "initial_alphabet": sorted(alphabet), "show_progress": False}
    trainer = tokenizers.trainers.BpeTrainer(vocab_size=300, **options)
    inner.train_from_iterator(LEARNED, trainer)
    return inner


def sentence_piece_tokenizer():
    """Merges over letters with single bytes to fall back on, as Gemma has them; `<bos>` begins every text."""
    learned = tokenizers.Tokenizer(tokenizers.models.BPE())
    learned.normalizer = tokenizers.normalizers.Replace(" ", "▁")
    learned.train_from_iterator(LEARNED[:2], tokenizers.trainers.BpeTrainer(vocab_size=60, show_progress=False))
    model = json.loads(learned.to_str())["model"]
    names = ["<pad>", "<eos>", "<bos>", "<unk>"]
    names += [f"<0x{byte:02X}>" for byte in range(256)]
    names += list(model["vocab"])[: 300 - len(names)]
    vocabulary = {name: index for index, name in enumerate(names)}
    merges = [tuple(merge) for merge in model["merges"] if {*merge, "".join(merge)} <= set(vocabulary)]
    inner = tokenizers.Tokenizer(
        tokenizers.models.BPE(vocabulary, merges, byte_fallback=True, fuse_unk=True, unk_token="<unk>")
    )
    inner.normalizer = tokenizers.normalizers.Replace(" ", "▁")
    decoders = tokenizers.decoders
    inner.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    inner.add_special_tokens(names[:4])
    return inner


def tokenizer_of(name):
    if name.startswith("gemma"):
        inner, bos, eos, pad = sentence_piece_tokenizer(), "<bos>", "<eos>", "<pad>"
    else:
        inner, bos, eos, pad = byte_level_tokenizer(), "<|begin|>", "<|im_end|>", "<|endoftext|>"
    if name.startswith(("gemma", "llama-3.2")):
        inner.post_processor = tokenizers.processors.TemplateProcessing(
            single=f"{bos} $A", pair=f"{bos} $A {bos} $B", special_tokens=[(bos, inner.token_to_id(bos))]
        )
    return transformers.PreTrainedTokenizerFast(tokenizer_object=inner, bos_token=bos, eos_token=eos, pad_token=pad)


def families():
    """Name, configuration and, where models are published with an older config.json, how it differs."""
    shape = {
        "vocab_size": VOCABULARY,
        "hidden_size": 64,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
        "initializer_range": 0.2,
        "tie_word_embeddings": True,
    }
    three = {**shape, "num_hidden_layers": 3}
    untied = {**shape, "tie_word_embeddings": False}
    rope = {"rope_type": "default", "rope_theta": 10000.0}
    stretched = {**rope, "factor": 4.0, "original_max_position_embeddings": ORIGINAL}
    llama3 = {**stretched, "rope_type": "llama3", "rope_theta": 5e5, "factor": 32.0}
    llama3 |= {"low_freq_factor": 1.0, "high_freq_factor": 4.0}
    yarn = {**stretched, "rope_type": "yarn", "rope_theta": 1e6}
    one = transformers
    yield "llama-3.2", one.LlamaConfig(**shape, head_dim=16, rope_parameters=llama3), "old"
    yield "llama-3.2-new-config", one.LlamaConfig(**shape, head_dim=16, rope_parameters=llama3), None
    yield "llama-plain", one.LlamaConfig(**untied, rms_norm_eps=1e-5), "old"
    yield "llama-biases", one.LlamaConfig(**shape, attention_bias=True, mlp_bias=True), None
    yield "llama-linear", one.LlamaConfig(**shape, rope_parameters={**rope, "rope_type": "linear", "factor": 4.0}), "old"
    dynamic = {**rope, "rope_type": "dynamic", "factor": 4.0}
    yield "llama-dynamic", one.LlamaConfig(**shape, rope_parameters=dynamic), "old"
    short = {**shape, "max_position_embeddings": ORIGINAL}
    yield "llama-dynamic-beyond", one.LlamaConfig(**short, rope_parameters=dynamic), "old"
    yield "qwen2.5", one.Qwen2Config(**untied, sliding_window=32, max_window_layers=1), "old"
    window = {"use_sliding_window": True, "sliding_window": 16, "max_window_layers": 1}
    yield "qwen2-window", one.Qwen2Config(**shape, **window), "old"
    yield "qwen2.5-yarn", one.Qwen2Config(**shape, rope_parameters=yarn), "old"
    math_16k = {**untied, "max_position_embeddings": 16384}
    wide = {**rope, "rope_theta": 40000.0}
    yield "qwen2.5-math-16k", one.Qwen2Config(**math_16k, rope_parameters=wide, sliding_window=4096), "old"
    yield "qwen3", one.Qwen3Config(**shape, head_dim=32, rope_parameters={**rope, "rope_theta": 1e6}), "old"
    fine = {**yarn, "truncate": False, "mscale": 1.0, "mscale_all_dim": 0.5, "beta_fast": 16.0, "beta_slow": 2.0}
    yield "qwen3-yarn-fine", one.Qwen3Config(**shape, head_dim=16, rope_parameters=fine), None
    no_rope = {"no_rope_layers": [1, 0, 1], "rope_parameters": {**rope, "rope_theta": 5e6}}
    yield "smollm3", one.SmolLM3Config(**three, **no_rope, pad_token_id=0), "old"
    kinds = ["sliding_attention", "sliding_attention", "full_attention"]
    gemma = {**three, "head_dim": 32, "query_pre_attn_scalar": 24, "sliding_window": 16, "layer_types": kinds}
    both = {"sliding_attention": rope, "full_attention": {**rope, "rope_theta": 1e6, "rope_type": "linear", "factor": 8.0}}
    yield "gemma3", one.Gemma3TextConfig(**gemma, rope_parameters=both), "gemma3"
    yield "gemma3-new-config", one.Gemma3TextConfig(**gemma, rope_parameters=both), None
    caps = {"layer_types": kinds[1:], "num_hidden_layers": 2, "attn_logit_softcapping": 5.0, "final_logit_softcapping": 3.0}
    yield "gemma2", one.Gemma2Config(**{**gemma, **caps}), "old"
    factors = {"short_factor": [1.0, 1.1, 1.25, 1.5, 1.75, 2.0], "long_factor": [1.0, 1.5, 2.5, 4.0, 6.0, 8.0]}
    # Longer than any prompt with its answer: beyond it other factors count, and the host takes no such sequences.
    phi = {**shape, "original_max_position_embeddings": 256, "pad_token_id": 0}
    longrope = {**rope, "rope_type": "longrope", "partial_rotary_factor": 0.75, **factors}
    yield "phi-4-mini", one.Phi3Config(**phi, rope_parameters=longrope, partial_rotary_factor=0.75), "phi"
    yield "phi-3-window", one.Phi3Config(**{**untied, "pad_token_id": 0}, sliding_window=16), "old"
    yield "mistral-window", one.MistralConfig(**untied, head_dim=24, sliding_window=16), "old"
    scales = {"embedding_multiplier": 3.0, "logits_scaling": 2.0, "residual_multiplier": 0.5, "attention_multiplier": 0.3}
    yield "granite", one.GraniteConfig(**shape, **scales), "old"
    yield "olmo2", one.Olmo2Config(**untied), "old"


def as_published(config, form):
    """config.json as transformers 4 wrote it, which most models were published with."""
    if form is None:
        return config
    config["torch_dtype"] = config.pop("dtype")
    config.pop("layer_types", None)  # newer than most models: it follows from other keys
    config.pop("_sliding_window_pattern", None)
    rope = config.pop("rope_parameters")
    if form == "gemma3":
        full = dict(rope["full_attention"])
        config.update(rope_theta=full.pop("rope_theta"), rope_scaling=full, sliding_window_pattern=3)
        config.update(rope_local_base_freq=rope["sliding_attention"]["rope_theta"])
        return config
    rope = dict(rope)
    config["rope_theta"] = rope.pop("rope_theta")
    partial = rope.pop("partial_rotary_factor", None)
    if form == "phi":
        config["partial_rotary_factor"] = partial
        rope["type"] = rope.pop("rope_type")
        rope.pop("original_max_position_embeddings", None)
    config["rope_scaling"] = None if rope.get("rope_type") == "default" else rope
    return config


def random_model(config, seed):
    """Weights that have few digits, so that files pack well, and are large enough in scale for logits to differ."""
    torch.manual_seed(seed)
    model = transformers.AutoModelForCausalLM.from_config(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            noise = 0.1 * torch.randn_like(parameter) if parameter.dim() == 1 else torch.zeros_like(parameter)
            parameter.copy_(((parameter + noise) * 16).round() / 16)
    return model


def write(folder, name, config, form, seed):
    tokenizer = tokenizer_of(name)
    config.eos_token_id, config.bos_token_id = tokenizer.eos_token_id, tokenizer.bos_token_id
    model = random_model(config, seed)
    model.to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    path = folder / "config.json"
    path.write_text(json.dumps(as_published(json.loads(path.read_text()), form), indent=1))
    return model


def changed_json(path, **keys):
    path.write_text(json.dumps({**(json.loads(path.read_text()) if path.exists() else {}), **keys}, indent=1))


def storages():
    """Name, whether the head is tied, and what becomes of the folder of a plain Llama, given its tensors in f32."""
    norm, embedding, form = "model.norm.weight", "model.embed_tokens.weight", {"format": "pt"}
    save = safetensors.torch.save_file

    def stale(folder, tensors):
        (folder / "model.safetensors").unlink()
        first = {name: value for name, value in tensors.items() if name != norm}
        save({**first, norm: torch.zeros_like(tensors[norm])}, folder / "model-00001-of-00002.safetensors", form)
        save({norm: tensors[norm]}, folder / "model-00002-of-00002.safetensors", form)
        places = {name: f"model-0000{1 + (name == norm)}-of-00002.safetensors" for name in tensors}
        changed_json(folder / "model.safetensors.index.json", metadata={}, weight_map=places)

    def with_tensors(change):
        return lambda folder, tensors: save(change(tensors), folder / "model.safetensors", form)

    def padded(folder, _):
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        tokenizer.add_tokens([f"[{number}]" for number in range(VOCABULARY - len(tokenizer))])
        tokenizer.add_special_tokens({"pad_token": "[PAD]"})
        tokenizer.save_pretrained(folder)

    def many_eos(folder, _):
        changed_json(folder / "generation_config.json", eos_token_id=[3, 99_999])

    yield "stored-shards-stale-copy", False, stale
    yield "stored-tied-other-head", True, with_tensors(lambda have: {**have, "lm_head.weight": have[embedding].roll(1, 0)})
    yield "stored-tied-same-head", True, with_tensors(lambda have: {**have, "lm_head.weight": have[embedding].clone()})
    yield "stored-rotary-buffer", False, with_tensors(lambda have: {**have, "model.rotary_emb.inv_freq": torch.ones(8)})
    yield "stored-f64", False, with_tensors(lambda have: {name: value.double() for name, value in have.items()})
    yield "stored-f16", False, with_tensors(lambda have: {name: value.half() for name, value in have.items()})
    bare = with_tensors(lambda have: {name.removeprefix("model."): value for name, value in have.items()})
    yield "stored-no-prefix", True, bare
    yield "stored-pad-beyond", False, padded
    yield "stored-unknown-eos", False, many_eos


def adapters():
    """Name and configuration of a LoRA adapter."""
    plain = {"r": 4, "lora_alpha": 6, "task_type": "CAUSAL_LM", "target_modules": ["q_proj", "o_proj", "down_proj"]}
    yield "lora", peft.LoraConfig(**plain)
    yield "lora-stabilized", peft.LoraConfig(**plain, use_rslora=True)
    yield "lora-norms", peft.LoraConfig(**plain, modules_to_save=["norm", "input_layernorm"])
    yield "lora-ranks", peft.LoraConfig(**plain, rank_pattern={"o_proj": 2}, alpha_pattern={"o_proj": 3})
    yield "lora-dora", peft.LoraConfig(**plain, use_dora=True)
    yield "lora-embedding", peft.LoraConfig(**{**plain, "target_modules": ["embed_tokens", "v_proj"]})


def write_adapter(folder, config, seed):
    llama = next(found for name, found, _ in families() if name == "llama-plain")
    write(folder / "tiny-llama", "llama-plain", llama, "old", seed)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder / "tiny-llama", dtype=torch.float32)
    adapted = peft.get_peft_model(model, config)
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if parameter.requires_grad:
                parameter.copy_(((parameter + 0.1 * torch.randn_like(parameter)) * 16).round() / 16)
    adapted.save_pretrained(folder / "model")
    changed_json(folder / "model" / "adapter_config.json", base_model_name_or_path="../tiny-llama")
    adapted.merge_and_unload().save_pretrained(folder / "merged")
    for path in (folder / "tiny-llama").glob("tokenizer*"):
        shutil.copy(path, folder / "merged")


def digits(values):
    return [float(f"{value:.7g}") for value in values]


def expectations(folder):
    """What transformers makes of a folder; every pass by a model that has seen nothing before, as stretches may grow."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    loaded = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    prompts = []
    for text in PROMPTS:
        ids = tokenizer(text).input_ids
        with torch.no_grad():
            logits = copy.deepcopy(loaded)(torch.tensor([ids])).logits[0, -2:]
            options = {"attention_mask": torch.ones(1, len(ids)), "max_new_tokens": NEW_TOKENS, "do_sample": False}
            out = copy.deepcopy(loaded).generate(torch.tensor([ids]), **options)[0, len(ids) :].tolist()
        answer = {"greedy_ids": out, "greedy_text": tokenizer.decode(out, skip_special_tokens=True)}
        prompts.append({"text": text, "ids": ids, "logits": [digits(row.tolist()) for row in logits], **answer})
    rows = [{"prompt_ids": prompts[index]["ids"]} for index in (1, 4)]
    gradients = {}
    for row, answer in zip(rows, ANSWERS, strict=True):
        row["completion_ids"] = tokenizer(answer, add_special_tokens=False).input_ids
    total = sum(len(row["completion_ids"]) for row in rows)
    for row in rows:
        model, begin = copy.deepcopy(loaded), len(row["prompt_ids"])
        logits = model(torch.tensor([row["prompt_ids"] + row["completion_ids"]])).logits[0, begin - 1 : -1]
        logprobs = logits.log_softmax(-1).gather(1, torch.tensor(row["completion_ids"])[:, None])[:, 0]
        (-logprobs.sum() / total).backward()
        row["logprobs"] = digits(logprobs.tolist())
        for name, parameter in model.named_parameters():
            gradients[name] = gradients.get(name, 0) + parameter.grad
    gradient = {}
    for name, values in gradients.items():
        flat = values.flatten()
        places = [flat.abs().argmax().item(), 0, flat.numel() // 3, flat.numel() - 1]
        entries = [[place, *digits([flat[place].item()])] for place in places]
        gradient[name] = {"shape": list(values.shape), "norm": digits([flat.norm().item()])[0], "entries": entries}
    nll = -sum(sum(row["logprobs"]) for row in rows) / total
    return {"prompts": prompts, "rows": rows, "mean_nll": digits([nll])[0], "gradient": gradient}


def write_all(out):
    for seed, (name, config, form) in enumerate(families()):
        if not (out / name).exists():
            write(out / name / "model", name, config, form, seed)
    for name, tied, change in storages():
        if not (out / name).exists():
            llama = next(found for name, found, _ in families() if name == "llama-plain")
            llama.tie_word_embeddings = tied
            model = write(out / name / "model", name, llama, "old", 100)
            change(out / name / "model", {key: value.detach().float() for key, value in model.named_parameters()})
    for seed, (name, config) in enumerate(adapters()):
        if not (out / name).exists():
            write_adapter(out / name, config, 200 + seed)
    for folder in sorted(path for path in out.iterdir() if path.is_dir()):
        if not (folder / "expected.json").exists():
            merged = folder / "merged"
            expected = expectations(merged if merged.exists() else folder / "model")
            (folder / "expected.json").write_text(json.dumps(expected))


class Refused(Exception):
    pass


def run_host(host, *arguments):
    result = subprocess.run([host, *map(str, arguments)], capture_output=True, text=True)
    if result.returncode != 0:
        raise Refused(" ".join(result.stderr.split("\nhint:")[0].split()))
    return [json.loads(line) for line in result.stdout.split("\n")[:-1]], result.stderr


def largest(ours, theirs):
    return max((abs(a - b) for a, b in zip(ours, theirs, strict=True)), default=0.0)


def compare(host, folder, engine, work):
    """A line of the table and whether it is bad."""
    expected = json.loads((folder / "expected.json").read_text())
    prompts, rows, gradient = work / "prompts.jsonl", work / "rows.jsonl", work / "gradient.safetensors"
    prompts.write_text("".join(json.dumps({"question": prompt["text"]}) + "\n" for prompt in expected["prompts"]))
    rows.write_text("".join(json.dumps(row) + "\n" for row in expected["rows"]))
    model = ["--model", folder / "model", "--set", f"model.engine={engine}"]
    asked = ["--set", "prompt.template=plain", "--json", "--logits", "--max-new-tokens", NEW_TOKENS]
    try:
        answers, notes = run_host(host, "generate", *model, "--prompts", prompts, *asked)
        scored, _ = run_host(host, "score", *model, "--rows", rows, "--gradient", gradient)
    except Refused as refusal:
        return f"refused: {refusal}", False
    pairs = list(zip(expected["prompts"], answers, strict=True))
    ids = sum(prompt["ids"] == answer["prompt_ids"] for prompt, answer in pairs)
    logits = max(largest(answer["logits"], prompt["logits"][-1]) for prompt, answer in pairs)
    greedy = sum(prompt["greedy_ids"] == answer["answers"][0]["ids"] for prompt, answer in pairs)
    text = sum(prompt["greedy_text"] == answer["answers"][0]["text"] for prompt, answer in pairs)
    logprobs = max(largest(line["logprobs"], row["logprobs"]) for line, row in zip(scored, expected["rows"], strict=True))
    ours, worst = safetensors.torch.load_file(gradient), 0.0
    missing = set(ours) ^ set(expected["gradient"])
    for name, known in expected["gradient"].items():
        if name in ours:
            flat = ours[name].flatten()
            scale = abs(known["entries"][0][1]) or 1.0
            worst = max(worst, *(abs(flat[place].item() - value) / scale for place, value in known["entries"]))
            worst = max(worst, abs(flat.norm().item() - known["norm"]) / (known["norm"] or 1.0))
    count = len(pairs)
    good = ids == greedy == text == count and logits <= LOGITS and logprobs <= LOGPROBS and worst <= GRADIENT
    good = good and not missing and math.isfinite(logits + logprobs + worst)
    words = f"ids {ids}/{count}, logits {logits:.1e}, greedy {greedy}/{count}, text {text}/{count}, "
    words += f"log-probs {logprobs:.1e}, gradient {worst:.1e}{', other parameters' * bool(missing)}"
    notes = " ".join(line for line in notes.splitlines() if "engine" not in line)
    return f"{'equal' if good else 'DIFFERS'}: {words}{'; it notes: ' * bool(notes)}{notes[:200]}", not good


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path, help="folder of checkpoints, made where it is not there")
    parser.add_argument("--host", type=pathlib.Path, help="the binary exgrpo-host")
    parser.add_argument("--engine", default="cpu", help="its engine")
    arguments = parser.parse_args()
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(1)
    arguments.out.mkdir(parents=True, exist_ok=True)
    write_all(arguments.out)
    if arguments.host is None:
        return 0
    failed = 0
    with tempfile.TemporaryDirectory() as work:
        for folder in sorted(path for path in arguments.out.iterdir() if path.is_dir()):
            words, bad = compare(arguments.host.resolve(), folder, arguments.engine, pathlib.Path(work))
            print(f"{folder.name:26} {words}", flush=True)
            failed += bad
    print(f"{failed} differ")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
