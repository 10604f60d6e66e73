"""Recomputes metrics of a run from its other tables and compares them with what the run reported.

    python tests/python/recompute.py RUN_DIR

From `experiences`, for each step:
    reward/mean      mean of reward over scored rollouts (a reward that is null was not scored)
    advantage/mean   mean of advantage over scored rollouts
    replay/share     replayed rollouts / all rollouts
From `problems`, the latest row of each question up to the step:
    pool/bucket_<k>  questions with bucket k that are not retired and have a stored trajectory

Sums are taken in double precision in another order than the run's, hence the tolerance. Exits with 1 when a value
differs or a step is missing in one of the tables.
"""

import math
import sys
from collections import Counter, defaultdict
from pathlib import Path

import pyarrow.parquet

TOLERANCE = 1e-9


def rows(run_dir: Path, table: str, columns: list[str] | None = None) -> list[dict]:
    parts = sorted((run_dir / table).glob("*.parquet"))
    return [row for part in parts for row in pyarrow.parquet.read_table(part, columns=columns).to_pylist()]


def mean(values: list[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


def recompute(run_dir: Path, steps: list[int], buckets: list[int]) -> dict[int, dict[str, float | None]]:
    """Metrics of each step."""
    rollouts, changes = defaultdict(list), defaultdict(list)
    for row in rows(run_dir, "experiences", ["step", "origin", "reward", "advantage"]):
        rollouts[row["step"]].append(row)
    for row in rows(run_dir, "problems", ["step", "question_id", "bucket", "stored", "retired"]):
        changes[row["step"]].append(row)
    metrics, questions = {}, {}
    for step in steps:
        questions.update((row["question_id"], row) for row in changes[step])
        pool = Counter(
            row["bucket"] for row in questions.values() if row["stored"] >= 1 and not row["retired"]
        )
        group = rollouts[step]
        scored = [row for row in group if row["reward"] is not None]
        replayed = sum(row["origin"] == "replayed" for row in group)
        metrics[step] = {
            "reward/mean": mean([row["reward"] for row in scored]),
            "advantage/mean": mean([row["advantage"] for row in scored]),
            "replay/share": replayed / len(group) if group else None,
        } | {f"pool/bucket_{bucket}": float(pool[bucket]) for bucket in buckets}
    return metrics


def is_equal(a: float | None, b: float | None) -> bool:
    if a is None or b is None:
        return a is b
    return math.isclose(a, b, rel_tol=TOLERANCE, abs_tol=TOLERANCE)


def main(run_dir: Path) -> int:
    reported = rows(run_dir, "metrics")
    if not reported:
        print(f"{run_dir} holds no metrics: it is no run, or one without a finished step", file=sys.stderr)
        return 1
    steps = [row["step"] for row in reported]
    if steps != list(range(steps[0], steps[0] + len(steps))):
        print(f"steps of metrics are not consecutive: {steps}", file=sys.stderr)
        return 1
    prefix = "pool/bucket_"
    names = [key.removeprefix(prefix) for key in reported[0] if key.startswith(prefix)]
    recomputed = recompute(run_dir, steps, sorted(int(name) for name in names if name.isdigit()))
    differences, num_compared = [], 0
    for row in reported:
        for key, value in recomputed[row["step"]].items():
            num_compared += 1
            if not is_equal(row[key], value):
                differences.append((row["step"], key, row[key], value))
    if differences:
        print(f"{'step':>6}  {'metric':20} {'reported':>22} {'recomputed':>22}")
        for step, key, there, here in differences:
            print(f"{step:6}  {key:20} {there!s:>22} {here!s:>22}")
        print(f"{len(differences)} of {num_compared} values differ")
        return 1
    print(f"{num_compared} values of {len(steps)} steps agree")
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(Path(sys.argv[1])))
