"""The GRPO step of host/engine/benches/gpu_step.rs by PyTorch and transformers on the same GPU: the same shapes, random weights,
nothing stops early. One line of JSON on stdout; the card's own rates with --rates; a table of kernels with --profile.

The model is in bf16 with attention by scaled_dot_product_attention; gradients are bf16, master weights and moments f32,
AdamW is fused. Sampling is transformers' generate with its growing cache, or with --cache static its preallocated one and
a compiled decoding step. Only completion tokens go through the head, in chunks that are differentiated at once: neither
are all logits kept, as they would not fit, nor are any computed twice. Micro-batches are as large as fits. That is what is
quick, and more careful with memory than most training loops are.
"""

import argparse
import json
import os
import time

os.environ.setdefault("HF_HUB_OFFLINE", "1")
# Not expandable_segments: generate's cache grows with every token, and took 14.0 s where it takes 5.4 s without.

import torch
import transformers

SHAPES = {
    "qwen2.5-0.5b": dict(hidden_size=896, intermediate_size=4864, num_hidden_layers=24, num_attention_heads=14),
    "qwen2.5-1.5b": dict(hidden_size=1536, intermediate_size=8960, num_hidden_layers=28, num_attention_heads=12),
    "tiny": dict(hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4),
}


def rates():
    a, b = (torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    source = torch.empty(1 << 30, device="cuda", dtype=torch.float32)
    target = torch.empty_like(source)

    def seconds(work):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        for _ in range(3):
            work()
        begin.record()
        for _ in range(10):
            work()
        end.record()
        torch.cuda.synchronize()
        return begin.elapsed_time(end) / 1e4

    return {
        "card": torch.cuda.get_device_name(),
        "memory_gb": torch.cuda.get_device_properties(0).total_memory / 1e9,
        "bf16_tflops": 2 * 8192**3 / seconds(lambda: a @ b) / 1e12,
        "copy_gb_per_s": 2 * source.nbytes / seconds(lambda: target.copy_(source)) / 1e9,
    }


class Step:
    def __init__(self, options):
        vocab = 500 if options.shape == "tiny" else 151936
        config = transformers.Qwen2Config(
            vocab_size=vocab, num_key_value_heads=2, max_position_embeddings=32768, rope_theta=1e6, tie_word_embeddings=True,
            **SHAPES[options.shape],
        )
        self.options, self.vocab = options, vocab
        with torch.device(options.device):
            self.model = transformers.AutoModelForCausalLM.from_config(config, attn_implementation="sdpa", dtype=torch.bfloat16)
        self.masters = [p.detach().float().requires_grad_() for p in self.model.parameters()]
        self.optimizer = torch.optim.AdamW(self.masters, lr=1e-6, weight_decay=0.01, fused=options.device == "cuda")
        rows = torch.arange(options.questions)[:, None] * 7919 + torch.arange(options.prompt) * 104729
        self.prompts = (rows % vocab).repeat_interleave(options.members, 0).to(options.device)

    def sample(self, new):
        static = {"cache_implementation": "static"} if self.options.cache == "static" else {}
        with torch.no_grad():
            return self.model.eval().generate(
                self.prompts, attention_mask=torch.ones_like(self.prompts), do_sample=True, temperature=1.0, top_k=0, top_p=1.0,
                min_new_tokens=new, max_new_tokens=new, pad_token_id=0, eos_token_id=None, **static,
            )

    def scores(self, hidden, targets):
        logits = self.model.lm_head(hidden).float()
        log_probs = torch.log_softmax(logits, -1)
        with torch.no_grad():
            entropies = -(log_probs.exp() * log_probs).sum(-1)
        return log_probs.gather(-1, targets[:, None])[:, 0], entropies

    def train(self, sequences):
        options = self.options
        self.model.train()
        per_batch = max(1, options.budget // sequences.shape[1])
        new = sequences.shape[1] - options.prompt
        scale = 1 / (new * len(sequences))
        for start in range(0, len(sequences), per_batch):
            batch = sequences[start : start + per_batch]
            hidden = self.model.model(batch[:, :-1], use_cache=False).last_hidden_state[:, options.prompt - 1 :]
            flat, targets = hidden.detach().flatten(0, 1), batch[:, options.prompt :].flatten()
            advantages = torch.where(torch.arange(start, start + len(batch), device=batch.device) % 2 == 0, 1.0, -1.0)
            advantages = advantages.repeat_interleave(new)
            slopes = torch.empty_like(flat)
            for at in range(0, len(flat), options.chunk):
                part = slice(at, at + options.chunk)
                rows = flat[part].requires_grad_()
                log_probs, _ = self.scores(rows, targets[part])
                ratio = (log_probs - log_probs.detach()).exp()
                (-(advantages[part] * ratio).sum() * scale).backward()
                slopes[part] = rows.grad
            hidden.backward(slopes.view_as(hidden))

    def train_fitting(self, sequences):
        """Trains; halves the micro-batch as long as it doesn't fit."""
        while True:
            try:
                return self.train(sequences)
            except torch.OutOfMemoryError:
                self.options.budget //= 2
                if self.options.budget < 1024:
                    raise
            self.model.zero_grad(set_to_none=True)
            torch.cuda.empty_cache()

    def update(self):
        for master, parameter in zip(self.masters, self.model.parameters(), strict=True):
            master.grad = parameter.grad.float()
            parameter.grad = None
        torch.nn.utils.clip_grad_norm_(self.masters, 1.0)
        self.optimizer.step()
        with torch.no_grad():
            torch._foreach_copy_(list(self.model.parameters()), self.masters)

    def run(self, new):
        wait = torch.cuda.synchronize if self.options.device == "cuda" else lambda: None
        times = [time.perf_counter()]
        sequences = self.sample(new)
        wait()
        times.append(time.perf_counter())
        self.train_fitting(sequences)
        wait()
        times.append(time.perf_counter())
        self.update()
        wait()
        times.append(time.perf_counter())
        return [b - a for a, b in zip(times, times[1:])] + [times[-1] - times[0]]


def profile(step):
    """Time by kernel of eight decoding steps and of one micro-batch."""
    options = step.options
    count = max(1, options.budget // (options.prompt + options.new))
    kinds = [torch.profiler.ProfilerActivity.CUDA if options.device == "cuda" else torch.profiler.ProfilerActivity.CPU]
    order = "self_cuda_time_total" if options.device == "cuda" else "self_cpu_time_total"
    for name, work in {
        "prompts and eight decoding steps": lambda: step.sample(9),
        f"training on a micro-batch of {count} sequences": lambda: step.train(
            torch.cat([step.prompts, step.prompts[:, :1].expand(-1, options.new)], 1)[:count]
        ),
    }.items():
        with torch.profiler.profile(activities=kinds) as recorded:
            work()
            if options.device == "cuda":
                torch.cuda.synchronize()
        print(name)
        print(recorded.key_averages().table(sort_by=order, row_limit=15, max_name_column_width=70), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shape", nargs="?", default="qwen2.5-0.5b", choices=SHAPES)
    for name, default in dict(questions=64, members=8, prompt=256, new=256, budget=32768, rounds=2, chunk=4096).items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--seconds", type=float, default=60, help="no further round begins after them")
    parser.add_argument("--warm", type=int, default=0, help="new tokens of the round that warms up; 0: as many as in the others")
    parser.add_argument("--cache", default="dynamic", choices=["dynamic", "static"])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--rates", action="store_true")
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    if options.rates:
        print(json.dumps(rates()))
        return
    step, begin, rounds = Step(options), time.perf_counter(), []
    if options.device == "cuda":
        # The largest micro-batch that fits is found on sequences of full length, and counts as no round.
        step.train_fitting(torch.cat([step.prompts, step.prompts[:, :1].expand(-1, options.new)], 1)[: 1 + options.budget // 512])
        step.model.zero_grad(set_to_none=True)
        torch.cuda.reset_peak_memory_stats()
    first = step.run(options.warm or options.new)
    for _ in range(options.rounds):
        rounds.append(step.run(options.new))
        if time.perf_counter() - begin > options.seconds:
            break
    rounds = rounds or [first]
    medians = [sorted(column)[len(rounds) // 2] for column in zip(*rounds, strict=True)]
    completions = options.questions * options.members
    print(
        json.dumps(
            {
                "side": "pytorch", "torch": torch.__version__, "transformers": transformers.__version__,
                **{key: vars(options)[key] for key in ("shape", "questions", "members", "prompt", "new", "budget", "cache")},
                "rounds": len(rounds),
                "sampling_s": medians[0], "training_s": medians[1], "optimizer_s": medians[2], "step_s": medians[3],
                "sampled_per_s": completions * options.new / medians[0],
                "trained_per_s": completions * (options.prompt + options.new) / medians[1],
                "peak_gb": torch.cuda.max_memory_allocated() / 1e9 if options.device == "cuda" else 0,
            }
        ),
        flush=True,
    )
    if options.profile:
        profile(step)


if __name__ == "__main__":
    main()
