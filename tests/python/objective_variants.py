"""Losses and gradients of the objective's variants, by PyTorch's automatic differentiation in float64:

    python tests/python/objective_variants.py > tests/golden/objective_variants.json

Written from the papers' formulas (DAPO, arXiv 2503.14476, equation 8; GSPO, arXiv 2507.18071, equations 5 and 7; CISPO,
arXiv 2506.13585, equations 4 and 5; the k3 estimate of a divergence), not from the code under test. Needs torch.
"""

import json

import torch

torch.manual_seed(7)
KINDS = ("exgrpo", "dapo", "gspo", "cispo")
RANGES = {"exgrpo": (0.2, 0.2), "dapo": (0.2, 0.28), "gspo": (0.02, 0.04), "cispo": (0.5, 0.3)}


def surrogate(kind, logprobs, old, advantage, low, high, is_clipped):
    """Loss of each token of a fresh sequence."""
    ratio = torch.exp(logprobs - old)
    if kind == "gspo":
        ratio = torch.exp((logprobs - old).mean()).expand(len(logprobs))
    held = ratio.clamp(1 - low, 1 + high) if is_clipped else ratio
    if kind == "cispo":
        return -(held.detach() * advantage * logprobs)
    return -torch.minimum(ratio * advantage, held * advantage)


def case(kind, is_clipped, kl, lengths):
    old = [-2.5 * torch.rand(n, dtype=torch.float64) for n in lengths]
    logprobs = [(o + 0.4 * torch.randn(len(o), dtype=torch.float64)).clamp(max=-1e-3).requires_grad_() for o in old]
    reference = [(o + 0.5 * torch.randn(len(o), dtype=torch.float64)).clamp(max=-1e-3) for o in old]
    advantages = [float(a) for a in torch.randn(len(lengths), dtype=torch.float64).mul(0.7).float()]
    # What Rust reads is f32.
    for column in (old, reference):
        for values in column:
            values.copy_(values.float().double())
    with torch.no_grad():
        for values in logprobs:
            values.copy_(values.float().double())
    low, high = RANGES[kind]
    tokens = []
    for lp, o, ref, advantage in zip(logprobs, old, reference, advantages):
        loss = surrogate(kind, lp, o, advantage, low, high, is_clipped)
        difference = ref - lp
        tokens.append(loss + kl * (torch.exp(difference) - difference - 1))
    totals = {
        "sum-over-max-length": sum(t.sum() for t in tokens) / 16,
        "token-mean": torch.cat(tokens).mean(),
        "sequence-mean": torch.stack([t.mean() for t in tokens]).mean(),
    }
    results = {}
    for name, total in totals.items():
        grads = torch.autograd.grad(total, logprobs, retain_graph=True)
        results[name] = {"loss": total.item(), "grads": [g.tolist() for g in grads]}
    return {
        "kind": kind,
        "clip": is_clipped,
        "epsilon": low,
        "epsilon_high": high,
        "kl": kl,
        "advantages": advantages,
        "old": [o.tolist() for o in old],
        "logprobs": [lp.tolist() for lp in logprobs],
        "reference": [ref.tolist() for ref in reference],
        "results": results,
    }


cases = [
    case(kind, is_clipped, kl, lengths)
    for kind in KINDS
    for is_clipped in (True, False)
    for kl in (0.0, 0.05)
    for lengths in ([5, 1, 9, 3], [16, 2])
]
print(json.dumps({"torch": torch.__version__.split("+")[0], "max_length": 16, "cases": cases}))
