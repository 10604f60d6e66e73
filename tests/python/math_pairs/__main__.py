"""Compares the policy math_answer with math-verify on pairs of a gold answer and a response.

    cargo build --release -p math_answer --example judge
    python tests/python/math_pairs --math MATH_VALID.parquet --gsm8k test.jsonl \
        --judge target/release/examples/judge --disagreements disagreements.jsonl

The gold answers are those of a Parquet file in verl's layout and the results behind `####` of GSM8K, each once. A response
is a gold answer rewritten into something equal (another form of a fraction, a set in another order, a polynomial expanded)
or into a near-miss (one more, the other sign, an open interval for a closed one), wrapped in the prose of a solution. What
is drawn depends on the seed only. Prints the agreement by rewriting, what one judge accepted and the other did not, and the
near-misses that each accepted; `--disagreements` writes every disagreement for a person to judge. Both judges are timed on
the same pairs, in processor seconds of one thread, reading included. Exits with 1 when a demand (the constants below) is
missed or a near-miss was accepted.

The tables of cases judged by hand are put to both judges as well. They were written to be hard, so that their
agreement is reported and not demanded; a test of the policy's crate holds it to their verdicts.

Needs math-verify 0.9.0 (with its sympy) and pyarrow.
"""

import argparse
import json
import random
import sys
from collections import Counter
from pathlib import Path

from golds import load_golds
from judges import judge_with_math_verify, judge_with_policy
from pairs import pairs_of, tabled

MIN_AGREEMENT = 0.98
MIN_SPEEDUP = 200
MIN_PAIRS = 5000
CASES = Path(__file__).parents[3] / "policies/math_answer/cases"


def judge(pairs: list[dict], binary: Path, repeat: int) -> tuple[float, float]:
    """Writes both verdicts into the pairs; the seconds of each judge."""
    ours, our_seconds = judge_with_policy(binary, pairs, repeat)
    theirs, their_seconds = judge_with_math_verify(pairs)
    for pair, our, their in zip(pairs, ours, theirs, strict=True):
        pair["math_answer"], pair["math_verify"] = our, "correct" if their else "incorrect"
    return our_seconds, their_seconds


def share(pairs: list[dict], one: str, other: str) -> float:
    """How many of the pairs are correct by both judges, or by none."""
    return sum((pair[one] == "correct") == (pair[other] == "correct") for pair in pairs) / len(pairs)


def report_pairs(pairs: list[dict], our_seconds: float, their_seconds: float, disagreements: Path | None) -> bool:
    """Prints what the drawn pairs show; whether every demand is met."""
    differing = [pair for pair in pairs if (pair["math_answer"] == "correct") != (pair["math_verify"] == "correct")]
    if disagreements:
        disagreements.write_text("".join(json.dumps(pair) + "\n" for pair in differing), encoding="utf-8")
    kinds = Counter((pair["kind"], pair["rewriting"]) for pair in pairs)
    for (kind, rewriting), count in sorted(kinds.items()):
        agreed = count - sum((pair["kind"], pair["rewriting"]) == (kind, rewriting) for pair in differing)
        print(f"{kind:<6} {rewriting:<26} {agreed:>5} of {count}")
    false_correct = {
        judge: sum(pair["kind"] == "near" and pair[judge] == "correct" for pair in pairs) for judge in ("math_answer", "math_verify")
    }
    missed = {
        judge: sum(pair["kind"] == "equal" and pair[judge] != "correct" for pair in pairs) for judge in ("math_answer", "math_verify")
    }
    agreement = 1 - len(differing) / len(pairs)
    speeds = len(pairs) / our_seconds, len(pairs) / their_seconds
    print(f"pairs                        {len(pairs)} ({sum(pair['kind'] == 'near' for pair in pairs)} near-misses)")
    print(f"agreement                    {agreement:.2%} ({len(differing)} disagreements)")
    print(f"unscorable                   {sum(pair['math_answer'] == 'unscorable' for pair in pairs)}")
    for judge in ("math_answer", "math_verify"):
        print(f"{judge}: near-misses accepted {false_correct[judge]}, rewritings not accepted {missed[judge]}")
    print(f"pairs a CPU second            math_answer {speeds[0]:,.0f}, math-verify {speeds[1]:,.0f}: {speeds[0] / speeds[1]:,.0f} times")
    return (len(pairs) >= MIN_PAIRS and agreement >= MIN_AGREEMENT and not false_correct["math_answer"]
            and speeds[0] >= MIN_SPEEDUP * speeds[1])


def report_cases(cases: list[dict]) -> None:
    """Prints, table by table, how often each judge gives the verdict given by hand, and how often both give the same."""
    if not cases:
        return
    print(f"{'cases':<20} {'count':>6} {'math_answer as judged':>22} {'math-verify as judged':>22} {'both agree':>11}")
    tables = sorted({case["table"] for case in cases})
    for name, rows in [*((table, [case for case in cases if case["table"] == table]) for table in tables), ("all", cases)]:
        ours, theirs = share(rows, "math_answer", "verdict"), share(rows, "math_verify", "verdict")
        print(f"{name:<20} {len(rows):>6} {ours:>22.2%} {theirs:>22.2%} {share(rows, 'math_answer', 'math_verify'):>11.2%}")
    false_correct = {
        judge: sum(case["verdict"] == "incorrect" and case[judge] == "correct" for case in cases)
        for judge in ("math_answer", "math_verify")
    }
    print(f"wrong answers accepted       math_answer {false_correct['math_answer']}, math-verify {false_correct['math_verify']}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--math", type=Path, required=True, help="Parquet file in verl's layout")
    parser.add_argument("--gsm8k", type=Path, nargs="+", required=True, help="JSONL files of GSM8K")
    parser.add_argument("--judge", type=Path, required=True, help="the example `judge` of the crate math_answer, built")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--equal", type=int, default=4, help="rewritings drawn for each gold answer (half for GSM8K)")
    parser.add_argument("--near", type=int, default=3, help="near-misses drawn for each gold answer (half for GSM8K)")
    parser.add_argument("--repeat", type=int, default=10, help="how often the policy judges, for its time")
    parser.add_argument("--disagreements", type=Path, help="JSONL file to write")
    parser.add_argument("--cases", type=Path, default=CASES, help="folder with tables of judged cases")
    parser.add_argument("--pairs", type=Path, help="JSONL file to write all pairs, cases and verdicts to")
    options = parser.parse_args()

    draw = random.Random(options.seed)
    math, gsm8k = load_golds(options.math, options.gsm8k)
    pairs = [pair for gold in math for pair in pairs_of(gold, draw, options.equal, options.near)]
    pairs += [pair for gold in gsm8k for pair in pairs_of(gold, draw, (options.equal + 1) // 2, (options.near + 1) // 2)]

    seconds = judge(pairs, options.judge, options.repeat)
    cases = list(tabled(options.cases))
    judge(cases, options.judge, 1)
    if options.pairs:
        options.pairs.write_text("".join(json.dumps(pair) + "\n" for pair in [*pairs, *cases]), encoding="utf-8")

    met = report_pairs(pairs, *seconds, options.disagreements)
    report_cases(cases)
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
