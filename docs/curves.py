"""Plots the share of correct rollouts on fresh questions of several runs and prints their held-out accuracies.

    python docs/curves.py docs/src/curves.png runs/gaussian_medium-1 runs/gaussian_medium-2 runs/on_policy-1 …

A run's line is coloured by its name up to the last hyphen; what is behind it tells seeds apart. Needs duckdb and matplotlib
(tests/python/requirements.txt).
"""

import sys
from collections import defaultdict
from pathlib import Path

import duckdb
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

SMOOTHED_OVER = 8
COLORS = ["#c1432e", "#2e6fc1", "#2e9c5a", "#8a6bbf", "#b58a1b", "#5a6470"]


def fresh_accuracy(run: Path):
    """Percent correct by step among questions that came from the dataset, a rolling mean."""
    query = f"""
        select step, 100.0 * avg(reward) as correct from '{run}/experiences/*.parquet'
        where drawn_from_bucket is null group by step order by step"""
    return duckdb.sql(query).df().set_index("step").correct.rolling(SMOOTHED_OVER, min_periods=1).mean()


def held_out(run: Path) -> str:
    """Percent before the first and after the last step."""
    query = f"""
        select 100.0 * max("heldout/before"), 100.0 * arg_max("heldout/accuracy", step)
        from '{run}/metrics/*.parquet'"""
    [(before, after)] = duckdb.sql(query).fetchall()
    return f"{before:.1f} → {after:.1f}"


def main(picture: str, runs: list[Path]) -> None:
    by_policy = defaultdict(list)
    for run in runs:
        by_policy[run.name.rsplit("-", 1)[0]].append(run)
    figure, axes = plt.subplots(figsize=(7.5, 3.8))
    for color, (policy, seeds) in zip(COLORS, by_policy.items()):
        for run in seeds:
            curve = fresh_accuracy(run)
            label = f"{policy} ({len(seeds)} seeds)" if run is seeds[0] else None
            axes.plot(curve.index, curve, color=color, alpha=0.75, lw=1.3, label=label)
    axes.set_xlabel("step")
    axes.set_ylabel("correct on fresh questions, %")
    axes.grid(alpha=0.25)
    axes.legend(frameon=False, fontsize=8, loc="lower right")
    figure.tight_layout()
    figure.savefig(picture, dpi=110)
    for policy, seeds in by_policy.items():
        print(f"| `{policy}` | " + " | ".join(map(held_out, seeds)) + " |")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(sys.argv[1], [Path(argument) for argument in sys.argv[2:]])
