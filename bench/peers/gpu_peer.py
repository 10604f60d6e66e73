"""The GRPO step of host/benches/gpu_step.rs by PyTorch and transformers on the same GPU: the same shapes, random weights,
nothing stops early. One line of JSON on stdout; the card's own rates with --rates; a table of kernels with --profile.

The model is in bf16 with attention by scaled_dot_product_attention; gradients are bf16, master weights and moments f32,
AdamW is fused. Sampling is transformers' generate. Only completion tokens go through the head, in chunks whose logits
are computed again in the backward pass, as the whole would not fit. That is what is quick and fits, and more careful
with memory than most training loops are.
"""

import argparse
import json
import time

import torch
import transformers
from torch.utils.checkpoint import checkpoint

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

    def sample(self):
        new = self.options.new
        with torch.no_grad():
            return self.model.eval().generate(
                self.prompts, attention_mask=torch.ones_like(self.prompts), do_sample=True, temperature=1.0, top_k=0, top_p=1.0,
                min_new_tokens=new, max_new_tokens=new, pad_token_id=0, eos_token_id=None,
            )

    def scores(self, hidden, targets):
        logits = self.model.lm_head(hidden).float()
        log_probs = torch.log_softmax(logits, -1)
        return log_probs.gather(-1, targets[:, None])[:, 0]

    def train(self, sequences):
        options = self.options
        self.model.train()
        per_batch = max(1, options.budget // sequences.shape[1])
        scale = 1 / (options.new * len(sequences))
        for start in range(0, len(sequences), per_batch):
            batch = sequences[start : start + per_batch]
            hidden = self.model.model(batch[:, :-1]).last_hidden_state[:, options.prompt - 1 :]
            flat, targets = hidden.flatten(0, 1), batch[:, options.prompt :].flatten()
            advantages = torch.where(torch.arange(start, start + len(batch), device=batch.device) % 2 == 0, 1.0, -1.0)
            advantages = advantages.repeat_interleave(options.new)
            loss = 0
            for at in range(0, len(flat), options.chunk):
                part = slice(at, at + options.chunk)
                log_probs = checkpoint(self.scores, flat[part], targets[part], use_reentrant=False)
                ratio = (log_probs - log_probs.detach()).exp()
                loss = loss - (advantages[part] * ratio).sum() * scale
            loss.backward()

    def update(self):
        for master, parameter in zip(self.masters, self.model.parameters(), strict=True):
            master.grad = parameter.grad.float()
            parameter.grad = None
        torch.nn.utils.clip_grad_norm_(self.masters, 1.0)
        self.optimizer.step()
        with torch.no_grad():
            torch._foreach_copy_(list(self.model.parameters()), self.masters)

    def run(self):
        wait = torch.cuda.synchronize if self.options.device == "cuda" else lambda: None
        times = [time.perf_counter()]
        sequences = self.sample()
        wait()
        times.append(time.perf_counter())
        self.train(sequences)
        wait()
        times.append(time.perf_counter())
        self.update()
        wait()
        times.append(time.perf_counter())
        return [b - a for a, b in zip(times, times[1:])] + [times[-1] - times[0]]


def fitting(options):
    """The step with the largest micro-batch that fits."""
    while True:
        step = Step(options)
        try:
            torch.cuda.reset_peak_memory_stats()
            return step, step.run()
        except torch.OutOfMemoryError:
            del step
            torch.cuda.empty_cache()
            options.budget //= 2
            if options.budget < 1024:
                raise


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shape", nargs="?", default="qwen2.5-0.5b", choices=SHAPES)
    for name, default in dict(questions=64, members=8, prompt=256, new=256, budget=32768, rounds=2, chunk=8192).items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--rates", action="store_true")
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    if options.rates:
        print(json.dumps(rates()))
        return
    if options.device == "cpu":
        step = Step(options)
        first = step.run()
    else:
        step, first = fitting(options)
    rounds = [step.run() for _ in range(options.rounds)] or [first]
    medians = [sorted(column)[len(rounds) // 2] for column in zip(*rounds, strict=True)]
    completions = options.questions * options.members
    print(
        json.dumps(
            {
                "side": "pytorch", "torch": torch.__version__, "transformers": transformers.__version__,
                **{key: vars(options)[key] for key in ("shape", "questions", "members", "prompt", "new", "budget")},
                "sampling_s": medians[0], "training_s": medians[1], "optimizer_s": medians[2], "step_s": medians[3],
                "sampled_per_s": completions * options.new / medians[0],
                "trained_per_s": completions * (options.prompt + options.new) / medians[1],
                "peak_gb": torch.cuda.max_memory_allocated() / 1e9 if options.device == "cuda" else 0,
            }
        ),
        flush=True,
    )
    if options.profile:
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
            step.train(torch.cat([step.prompts, step.prompts[:, :1].expand(-1, options.new)], 1))
        print(profile.key_averages().table(sort_by="cuda_time_total", row_limit=15))


if __name__ == "__main__":
    main()
