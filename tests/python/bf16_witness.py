"""How far PyTorch's bf16 is from its own f32 on the embedded model: the witness of the GPU engine's bf16.

    python tests/python/bf16_witness.py host/models/assets/arithmetic > host/engine/tests/golden/bf16_witness.json

Sequences are made by a formula, so that the test in host/engine/src/gpu/tests.rs makes the same. The model is
transformers' LlamaForCausalLM, all of it in bf16 (weights and activations), as `model.to(torch.bfloat16)` has it. The
loss is the sum of the log-probs of all completion tokens; errors are root mean squares, of gradients relative to the
root mean square of the tensor in f32.
"""

import json
import sys

import torch
import transformers

SEQUENCES, PROMPT, COMPLETION = 8, 6, 20


def sequence(row, vocab):
    return [(row * 31 + at * at * 7 + at * 3 + 5) % vocab for at in range(PROMPT + COMPLETION)]


def measure(folder, dtype):
    model = transformers.LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    model = model.to(dtype)
    ids = torch.tensor([sequence(row, model.config.vocab_size) for row in range(SEQUENCES)])
    logits = model(ids).logits.float()
    log_probs = torch.log_softmax(logits[:, PROMPT - 1 : -1], -1)
    chosen = log_probs.gather(-1, ids[:, PROMPT:, None])[..., 0]
    entropies = -(log_probs.exp() * log_probs).sum(-1)
    chosen.sum().backward()
    gradients = {name: p.grad.float() for name, p in model.named_parameters() if p.grad is not None}
    return chosen.detach(), entropies.detach(), gradients


def rms(values):
    return values.pow(2).mean().sqrt().item()


def main():
    torch.manual_seed(0)
    exact, rounded = (measure(sys.argv[1], dtype) for dtype in (torch.float32, torch.bfloat16))
    gradients = {name: rms(rounded[2][name] - exact[2][name]) / rms(exact[2][name]) for name in exact[2]}
    print(
        json.dumps(
            {
                "torch": torch.__version__,
                "transformers": transformers.__version__,
                "logprob_sum_f32": exact[0].sum().item(),
                "logprobs": rms(rounded[0] - exact[0]),
                "entropies": rms(rounded[1] - exact[1]),
                "gradients": gradients,
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
