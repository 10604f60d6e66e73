"""Exports tasks of reasoning-gym as questions whose answers are numbers: train.jsonl and test.jsonl, none in both.

    pip install -r datasets/requirements.txt
    python datasets/reasoning_gym/export.py OUT_DIR [--train 2000] [--test 200] [--seed 1]

Rungs go from easy to hard; rows keep theirs, and policies see it as the extra column `rung`. Judge them with `gsm8k`, which wants
a number: `math_answer` takes `24 * 65` for 1560, as it should for mathematics. SmolLM2-135M-Instruct (Q4_1) at temperature 1
solves 29 % of rung 2 and 0 to 7 % of the others in a first try of 60 questions x 8: too hard to populate all buckets.
"""

import argparse
import json
import random
from pathlib import Path

import reasoning_gym

# Task, settings: a rung each, easiest first.
LADDER = [
    ("chain_sum", dict(min_terms=2, max_terms=2, min_digits=1, max_digits=1)),
    ("products", dict(min_terms=2, max_terms=2, min_digits=1, max_digits=1)),
    ("chain_sum", dict(min_terms=2, max_terms=2, min_digits=2, max_digits=2)),
    ("chain_sum", dict(min_terms=3, max_terms=3, min_digits=1, max_digits=2)),
    ("gcd", dict(min_numbers=2, max_numbers=2, min_value=2, max_value=30)),
    ("products", dict(min_terms=2, max_terms=2, min_digits=1, max_digits=2)),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--train", type=int, default=2000)
    parser.add_argument("--test", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    wanted = arguments.train + arguments.test
    rows, seen = [], set()
    # The easy rungs hold few different questions: more are drawn of each than are needed, and repeats left out.
    for rung, (task, settings) in enumerate(LADDER, start=1):
        for item in reasoning_gym.create_dataset(task, size=wanted, seed=arguments.seed + rung, **settings):
            question = item["question"].strip()
            if question not in seen:
                seen.add(question)
                rows.append({"question": question, "answer": str(item["answer"]), "task": task, "rung": rung})
    by_rung = {rung: [row for row in rows if row["rung"] == rung] for rung in range(1, len(LADDER) + 1)}
    random.seed(arguments.seed)
    chosen = []
    while len(chosen) < wanted and any(by_rung.values()):
        for rung_rows in by_rung.values():
            if rung_rows and len(chosen) < wanted:
                chosen.append(rung_rows.pop())
    random.shuffle(chosen)
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name, part in [("test", chosen[: arguments.test]), ("train", chosen[arguments.test :])]:
        path = arguments.out / f"{name}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in part), encoding="utf-8")
        print(f"{path}: {len(part)} questions")


if __name__ == "__main__":
    main()
