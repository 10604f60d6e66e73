"""PyTorch's, transformers' and TRL's side of `cargo xtask bench`.

    python bench/peers/peer.py WORK SHAPE [bf16]

WORK is `step` (a whole GRPO step by TRL), `train` (forward, backward and AdamW by PyTorch on eight sequences, every token
scored), `train-shared` (the same where only completions are scored and the prompt is one), `sample` (64 completions by
transformers' generate) or `sample-1` (one). The work is done once
for every line that arrives on standard input and answered by a line of JSON with seconds and the process's peak memory.
"""

import json
import os
import resource
import sys
import time

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import torch
from transformers import LlamaConfig, LlamaForCausalLM

GROUP_SIZE = 8

# The shapes of host/engine/benches: network, questions, prompt tokens, new tokens.
SHAPES = {
    "small": (
        dict(
            vocab_size=64,
            hidden_size=256,
            intermediate_size=768,
            num_hidden_layers=4,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=256,
            rope_theta=10000.0,
        ),
        32,
        32,
        64,
    ),
    "smollm": (
        dict(
            vocab_size=49152,
            hidden_size=576,
            intermediate_size=1536,
            num_hidden_layers=30,
            num_attention_heads=9,
            num_key_value_heads=3,
            max_position_embeddings=2048,
            rope_theta=100000.0,
        ),
        8,
        64,
        64,
    ),
}


def build(shape: str) -> LlamaForCausalLM:
    torch.manual_seed(1)
    config = LlamaConfig(
        **SHAPES[shape][0], rms_norm_eps=1e-5, tie_word_embeddings=True, bos_token_id=0, eos_token_id=1, pad_token_id=2
    )
    return LlamaForCausalLM(config)


def requests():
    """One item a line of standard input."""
    for _ in sys.stdin:
        yield


def answer(seconds: float) -> None:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    print(json.dumps({"seconds": seconds, "peak_gb": peak}), flush=True)


def autocast(bf16: bool):
    return torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16)


def train(shape: str, bf16: bool, is_shared: bool) -> None:
    """Plain cross-entropy with PyTorch: the least that a training step can be."""
    model = build(shape).train()
    _, _, prompt, new = SHAPES[shape]
    ids = torch.randint(3, model.config.vocab_size, (GROUP_SIZE, prompt + new))
    labels = ids.clone()
    if is_shared:
        ids[:, :prompt] = ids[0, :prompt]
        labels[:, :prompt] = -100
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-6, fused=True)
    for _ in requests():
        begin = time.perf_counter()
        with autocast(bf16):
            loss = model(input_ids=ids, labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        answer(time.perf_counter() - begin)


def sample(shape: str, bf16: bool, num_sequences: int) -> None:
    model = build(shape).eval()
    _, _, prompt, new = SHAPES[shape]
    ids = torch.randint(3, model.config.vocab_size, (num_sequences, prompt))
    for _ in requests():
        begin = time.perf_counter()
        with torch.no_grad(), autocast(bf16):
            model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                do_sample=True,
                temperature=1.0,
                top_k=0,
                top_p=1.0,
                min_new_tokens=new,
                max_new_tokens=new,
            )
        answer(time.perf_counter() - begin)


def step(shape: str, bf16: bool) -> None:
    """TRL's trainer, held back before every step until a line arrives."""
    from datasets import Dataset
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast, TrainerCallback
    from trl import GRPOConfig, GRPOTrainer

    network, questions, prompt, new = SHAPES[shape]
    # No special token may be a part of a word, or it would be found in it and prompts would be longer than they should.
    special = {"<bos>": 0, "<eos>": 1, "<pad>": 2}
    words = {f"w{index}": index for index in range(3, network["vocab_size"])}
    backend = Tokenizer(models.WordLevel(special | words, unk_token="w3"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<bos>", eos_token="<eos>", pad_token="<pad>", padding_side="left"
    )
    ids = torch.randint(3, network["vocab_size"], (questions, prompt), generator=torch.Generator().manual_seed(2))
    prompts = [" ".join(f"w{token}" for token in row) for row in ids.tolist()]
    assert all(len(tokenizer(text)["input_ids"]) == prompt for text in prompts)

    def both_outcomes(completions, **_):
        return [float(index % 2) for index in range(len(completions))]

    class Turns(TrainerCallback):
        begin = 0.0

        def on_step_begin(self, args, state, control, **_):
            if not sys.stdin.readline():
                os._exit(0)
            self.begin = time.perf_counter()

        def on_step_end(self, args, state, control, **_):
            answer(time.perf_counter() - self.begin)

    config = GRPOConfig(
        output_dir=os.path.join(os.environ.get("TMPDIR", "/tmp"), "exgrpo-peer"),
        use_cpu=True,
        bf16=bf16,
        max_steps=1_000_000,
        per_device_train_batch_size=questions * GROUP_SIZE,
        num_generations=GROUP_SIZE,
        max_completion_length=new,
        generation_kwargs={"min_new_tokens": new},
        temperature=1.0,
        beta=0.0,
        loss_type="dr_grpo",
        scale_rewards="none",
        # Off is faster (82 to 87 s a step on the larger shape) but takes 21 GB there, which leaves no room for the other side.
        gradient_checkpointing=shape == "smollm",
        learning_rate=1e-6,
        max_grad_norm=1.0,
        logging_strategy="no",
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )
    trainer = GRPOTrainer(
        model=build(shape),
        reward_funcs=both_outcomes,
        args=config,
        train_dataset=Dataset.from_dict({"prompt": prompts}),
        processing_class=tokenizer,
        callbacks=[Turns()],
    )
    trainer.train()


def main(work: str, shape: str, bf16: bool) -> None:
    match work:
        case "step":
            step(shape, bf16)
        case "train" | "train-shared":
            train(shape, bf16, work == "train-shared")
        case "sample":
            sample(shape, bf16, 64)
        case "sample-1":
            sample(shape, bf16, 1)
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4) or sys.argv[2] not in SHAPES:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2], sys.argv[3:] == ["bf16"])
