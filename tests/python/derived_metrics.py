"""Metrics of a step from its rows and the pool, by the definitions in the metrics table's columns."""

import math
from fractions import Fraction

EXACT, SUMMED, ROUNDED = 0.0, 1e-9, 1e-5
"""Tolerances: counts, sums in another order, values that rows hold in single precision."""

ORIGINS = ["fresh", "replayed", "demonstrated"]


def mean(values: list[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


def metrics_of_step(run, step: int, groups: list[list[dict]], ratio: Fraction) -> dict[str, tuple[float | None, float]]:
    """Value and tolerance by key."""
    rollouts = [rollout for group in groups for rollout in group]
    scored = [rollout for rollout in rollouts if rollout["reward"] is not None]
    found = {
        "reward/mean": (mean([r["reward"] for r in scored]), SUMMED),
        "advantage/mean": (mean([r["advantage"] for r in scored]), SUMMED),
        "replay/share": (sum(r["origin"] == "replayed" for r in rollouts) / len(rollouts), SUMMED),
        "replay/ratio": (float(ratio), 1e-7),
        "replay/is_mixed": (float(ratio > 0), EXACT),
        "replay/groups": (float(sum(group[0]["drawn_from_bucket"] is not None for group in groups)), EXACT),
        "replay/age_mean": (mean([step - r["sampled_step"] for r in rollouts if r["origin"] == "replayed"]), SUMMED),
        "dataset/epoch": (float(run.queue.epoch), EXACT),
        "objective/tokens": (float(sum(len(r["completion_ids"]) for r in scored)), EXACT),
        "rollout/correct": (mean([is_correct(r) for r in rollouts]), SUMMED),
        "guest/faults": (float(run.faults), EXACT),
        "guest/fuel": (float(sum(d["fuel"] for d in run.tables["decisions"][step])), EXACT),
    }
    fresh = [rollout for rollout in rollouts if rollout["origin"] == "fresh"]
    found["rollout/tokens"] = float(sum(len(r["completion_ids"]) for r in fresh)), EXACT
    found["rollout/finished"] = mean([float(r["finished"]) for r in fresh]), SUMMED
    for origin in ORIGINS:
        of_origin = [rollout for rollout in rollouts if rollout["origin"] == origin]
        found[f"reward/mean/{origin}"] = mean([r["reward"] for r in of_origin if r["reward"] is not None]), SUMMED
        found[f"rollout/length/{origin}"] = mean([len(r["completion_ids"]) for r in of_origin]), SUMMED
        found[f"rollout/entropy/{origin}"] = mean([r["mean_entropy"] for r in of_origin]), SUMMED
        found[f"rollout/correct/{origin}"] = mean([is_correct(r) for r in of_origin]), SUMMED
        found.update(objective(run, origin, [r for r in of_origin if r["reward"] is not None]))
    for reason in ["unscorable", "out-of-budget", "zero-advantage"]:
        found[f"batch/dropped/{reason}"] = float(sum(r["drop_reason"] == reason for r in rollouts)), EXACT
    for name, verdict in [("solve_all", "correct"), ("solve_none", "incorrect")]:
        count = sum(all(r["verdict"] == verdict for r in group) for group in groups)
        found[f"batch/{name}"] = float(count), EXACT
    found["batch/not_wholly_scored"] = float(sum(any(r["reward"] is None for r in group) for group in groups)), EXACT
    least = run.config["replay"]["min_reward"]
    found["replay/below_min_reward"] = float(sum(is_solution(r) and r["reward"] < least for r in rollouts)), EXACT
    counts = run.pool.counts()
    for bucket in range(run.k + 1):
        found[f"pool/bucket_{bucket}"] = float(counts[bucket] if bucket < len(counts) else 0), EXACT
    found["pool/bucket_other"] = float(sum(counts[run.k + 1:])), EXACT
    questions = run.pool.questions.values()
    found["pool/questions"] = float(sum(q.bucket is not None and not q.retired and bool(q.stored) for q in questions)), EXACT
    found["pool/experiences"] = float(sum(len(question.stored) for question in questions)), EXACT
    found["pool/retired"] = float(sum(question.retired for question in questions)), EXACT
    return found


def is_correct(rollout: dict) -> float:
    return float(rollout["verdict"] == "correct")


def is_solution(rollout: dict) -> bool:
    return rollout["origin"] == "fresh" and rollout["verdict"] == "correct"


def objective(run, origin: str, scored: list[dict]) -> dict[str, tuple[float | None, float]]:
    """What the ratios of rows say of the loss: all of it for fresh tokens that nothing clips, but shaping is not linear."""
    in_loss = [rollout for rollout in scored if rollout["in_loss"]]
    length = {id(rollout): len(rollout["completion_ids"]) for rollout in scored}
    num_tokens = sum(length[id(rollout)] for rollout in in_loss)

    def total(column: str) -> float:
        return math.fsum(rollout[column] * length[id(rollout)] for rollout in in_loss)

    found = {
        f"objective/ratio_mean/{origin}": (total("ratio_mean") / num_tokens if num_tokens else None, ROUNDED),
        f"objective/ratio_max/{origin}": (max([r["ratio_max"] for r in in_loss], default=None), ROUNDED),
    }
    section = run.config["objective"]
    if origin == "fresh":
        # Tokens without an advantage are never clipped, whether or not they were computed.
        all_tokens = sum(length.values())
        found["objective/clip_fraction/fresh"] = total("clip_fraction") / all_tokens if all_tokens else None, ROUNDED
        is_unclipped = all(rollout["clip_fraction"] == 0 for rollout in in_loss)
        if is_unclipped and section["aggregation"] == "sum-over-max-length":
            losses = [-r["advantage"] * r["ratio_mean"] * length[id(r)] for r in in_loss]
            loss = math.fsum(losses) / run.config["rollout"]["max_new_tokens"]
            found["objective/loss/fresh"] = (loss if num_tokens else None), ROUNDED
    return found
