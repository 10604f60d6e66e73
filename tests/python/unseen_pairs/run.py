"""Measures the verifiers, and math-verify beside them, on the pairs of generate.py.

    python run.py --pairs pairs.jsonl --host exgrpo-host --policies policies/ --disagreements disagreements.jsonl
    python run.py --pairs pairs.jsonl --judge math_answer=target/release/examples/judge ..

A verifier is run natively where `--judge` names its binary, else as Wasm by `exgrpo-host verify`. Prints, by verifier and
kind, how many verdicts are as expected, how many wrong answers were accepted, and the processor time of each. Unscorable
counts as not accepted.
"""

import argparse
import json
import sys
from collections import defaultdict
from pathlib import Path

from judges import judge_by_host, judge_natively, judge_with_math_verify


def judge(pairs: list[dict], options: argparse.Namespace) -> dict[str, list[float]]:
    """Writes the verdicts into the pairs; the seconds of both judges, by verifier."""
    native = dict(text.split("=", 1) for text in options.judge)
    seconds = {}
    for verifier in sorted({pair["verifier"] for pair in pairs}):
        own = [pair for pair in pairs if pair["verifier"] == verifier]
        if verifier in native:
            ours, our_seconds = judge_natively(Path(native[verifier]), own, options.repeat)
        elif options.host and options.policies:
            ours, our_seconds = judge_by_host(options.host, options.policies / f"{verifier}.wasm", own)
        else:
            sys.exit(f"{verifier} has neither --judge {verifier}=BINARY nor --host and --policies")
        theirs, their_seconds = judge_with_math_verify(own) if not options.ours_only else (["incorrect"] * len(own), 0.0)
        for pair, our, their in zip(own, ours, theirs, strict=True):
            pair["ours"], pair["math_verify"] = our, their
        seconds[verifier] = [our_seconds, their_seconds]
    return seconds


def is_as_expected(pair: dict, judge: str) -> bool:
    return (pair[judge] == "correct") == (pair["expected"] == "correct")


def row(name: str, pairs: list[dict]) -> str:
    """A line of the table, in Markdown."""
    near = [pair for pair in pairs if pair["expected"] == "incorrect"]
    cells = [name, f"{len(pairs):,}", f"{len(near):,}"]
    for judge in ("ours", "math_verify"):
        share = sum(is_as_expected(pair, judge) for pair in pairs) / len(pairs)
        refused = sum(pair[judge] != "correct" for pair in pairs if pair["expected"] == "correct")
        cells += [f"{share:.2%}", str(sum(pair[judge] == "correct" for pair in near)), str(refused)]
    cells.append(str(sum(pair["ours"] == "unscorable" for pair in pairs)))
    return "| " + " | ".join(cells) + " |"


def report(pairs: list[dict], seconds: dict[str, list[float]], by_form: bool) -> str:
    lines = [
        "| verifier: kind | pairs | near misses | ours as expected | ours: wrong accepted | ours: right refused | math-verify as expected | wrong accepted | right refused | ours: unscorable |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    groups: dict[str, list[dict]] = defaultdict(list)
    for pair in pairs:
        groups[f"{pair['verifier']}: {pair['kind']}" + (f": {pair['form']}" if by_form else "")].append(pair)
        groups[f"{pair['verifier']}: ALL"].append(pair)
    lines += [row(name, group) for name, group in sorted(groups.items())] + [row("ALL", pairs), ""]
    lines.append("| verifier | ours, CPU s | math-verify, CPU s |")
    lines.append("|---|---|---|")
    lines += [f"| {name} | {ours:.3f} | {theirs:.2f} |" for name, (ours, theirs) in seconds.items()]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=Path, required=True, help="JSONL file of generate.py")
    parser.add_argument(
        "--judge", action="append", default=[], metavar="VERIFIER=BINARY", help="native judge of a verifier; give it again for more"
    )
    parser.add_argument("--host", type=Path, help="exgrpo-host, for the verifiers without a native judge")
    parser.add_argument("--policies", type=Path, help="folder with the policies' Wasm")
    parser.add_argument("--repeat", type=int, default=5, help="how often a native judge judges, for its time")
    parser.add_argument("--by-form", action="store_true", help="a line for each form within a kind")
    parser.add_argument("--ours-only", action="store_true", help="leave math-verify out")
    parser.add_argument("--disagreements", type=Path, help="JSONL file for the pairs that either judges otherwise than expected")
    options = parser.parse_args()
    pairs = [json.loads(line) for line in options.pairs.read_text(encoding="utf-8").splitlines()]
    seconds = judge(pairs, options)
    if options.disagreements:
        judges = ["ours"] if options.ours_only else ["ours", "math_verify"]
        differing = [pair for pair in pairs if not all(is_as_expected(pair, judge) for judge in judges)]
        options.disagreements.write_text("".join(json.dumps(pair, ensure_ascii=False) + "\n" for pair in differing), encoding="utf-8")
    print(report(pairs, seconds, options.by_form))


if __name__ == "__main__":
    main()
