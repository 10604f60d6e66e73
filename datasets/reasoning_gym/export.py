"""Exports tasks of reasoning-gym as questions whose answers are numbers: train.jsonl and test.jsonl.

    pip install -r datasets/requirements.txt
    python datasets/reasoning_gym/export.py OUT_DIR [--train 900] [--test 200] [--seed 1]

Rungs go from easy to hard, as measured on the small model that they are meant for (docs/src/real_run.md). Rows keep theirs:
policies see it as the extra column `rung`. Numbers that are asked about together in one part aren't in the other, in whatever
order or operation: a question of test.jsonl can't be answered by remembering one of train.jsonl.
"""

import argparse
import json
import random
import re
from collections import Counter, defaultdict
from pathlib import Path

import reasoning_gym

PLAIN = dict(allow_parentheses=False, allow_negation=False)

# Task, settings: a rung each, easiest first.
LADDER = [
    ("basic_arithmetic", dict(min_terms=1, max_terms=1, min_digits=1, max_digits=2, **PLAIN)),
    ("basic_arithmetic", dict(min_terms=2, max_terms=2, min_digits=1, max_digits=1, operators=("+",), **PLAIN)),
    ("chain_sum", dict(min_terms=2, max_terms=2, min_digits=1, max_digits=1)),
    ("products", dict(min_terms=2, max_terms=2, min_digits=1, max_digits=1)),
    ("gcd", dict(min_numbers=2, max_numbers=2, min_value=2, max_value=12)),
    ("lcm", dict(min_numbers=2, max_numbers=2, min_value=2, max_value=10)),
    ("chain_sum", dict(min_terms=3, max_terms=3, min_digits=1, max_digits=1)),
    ("chain_sum", dict(min_terms=2, max_terms=2, min_digits=2, max_digits=2)),
]


def rung_rows(rung: int, task: str, settings: dict, wanted: int, seed: int) -> list[dict]:
    """Different questions of a rung, at most `wanted`. Easy rungs hold few: as many are drawn as are wanted, repeats go."""
    rows = {}
    for item in reasoning_gym.create_dataset(task, size=wanted, seed=seed + rung, **settings):
        question = item["question"].strip()
        rows[question] = {"question": question, "answer": str(item["answer"]), "task": task, "rung": rung}
    return list(rows.values())


def operands(row: dict) -> tuple[str, ...]:
    """What must not be in both parts."""
    return tuple(sorted(re.findall(r"\d+", row["question"])))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--train", type=int, default=900)
    parser.add_argument("--test", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    wanted = arguments.train + arguments.test
    rungs = [rung_rows(rung, *step, wanted, arguments.seed) for rung, step in enumerate(LADDER, start=1)]
    # One of each rung in turn, until there are enough: rungs that run out leave their share to the others.
    chosen = []
    while len(chosen) < wanted and any(rungs):
        for rows in rungs:
            if rows and len(chosen) < wanted:
                chosen.append(rows.pop())
    by_operands = defaultdict(list)
    for row in chosen:
        by_operands[operands(row)].append(row)
    groups = list(by_operands.values())
    random.seed(arguments.seed)
    random.shuffle(groups)
    train, test = [], []
    # A rung's questions in test.jsonl, so that it is as hard as train.jsonl.
    places = Counter(row["rung"] for row in chosen)
    places = {rung: arguments.test * count / wanted for rung, count in places.items()}
    for group in groups:
        has_room = all(places[row["rung"]] > 0 for row in group) and len(test) + len(group) <= arguments.test
        (test if has_room else train).extend(group)
        for row in group if has_room else []:
            places[row["rung"]] -= 1
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name, part in [("test", test), ("train", train)]:
        random.shuffle(part)
        path = arguments.out / f"{name}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in part), encoding="utf-8")
        counts = [sum(row["rung"] == rung for row in part) for rung in range(1, len(LADDER) + 1)]
        print(f"{path}: {len(part)} questions, by rung {counts}")


if __name__ == "__main__":
    main()
