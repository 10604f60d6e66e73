"""The verifiers that are measured, each with the processor seconds that it took."""

import json
import logging
import re
import resource
import subprocess
import tempfile
import time
from pathlib import Path


def children_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def judge_natively(binary: Path, pairs: list[dict], repeat: int) -> tuple[list[str], float]:
    """By the example `judge` of a policy's crate: a verdict a line."""
    lines = "\n".join(json.dumps({"gold": pair["gold"], "response": pair["response"]}) for pair in pairs)
    before = children_seconds()
    done = subprocess.run([binary.resolve(), "--repeat", str(repeat)], input=lines, capture_output=True, text=True, check=True)
    return done.stdout.split(), (children_seconds() - before) / repeat


def judge_by_host(host: Path, policy: Path, pairs: list[dict]) -> tuple[list[str], float]:
    """By `exgrpo-host verify` and a policy's Wasm: an object a pair. Its seconds contain the start of the host."""
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl", encoding="utf-8") as file:
        for pair in pairs:
            file.write(json.dumps({"gold": pair["gold"], "response": pair["response"]}) + "\n")
        file.flush()
        before = children_seconds()
        done = subprocess.run(
            [host.resolve(), "verify", "--verifier", policy, "--pairs", file.name], capture_output=True, text=True, check=True
        )
        seconds = children_seconds() - before
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return [row["verdict"] for row in sorted(rows, key=lambda row: row.get("row", 0))], seconds


def judge_with_math_verify(pairs: list[dict]) -> tuple[list[str], float]:
    """By math-verify; letters of options with its extraction of letters, golds without texts of options and rationales."""
    from math_verify import ExprExtractionConfig, LatexExtractionConfig, StringExtractionConfig, parse, verify

    logging.disable(logging.CRITICAL)
    letters = [StringExtractionConfig(strings=tuple("ABCDEFGHIJ"))]
    usual = [LatexExtractionConfig(), ExprExtractionConfig()]
    verdicts, started = [], time.process_time()
    for pair in pairs:
        gold, targets = pair["gold"], usual
        if pair["verifier"] == "multiple_choice":
            targets = letters
            # It knows a letter by itself only.
            gold = re.search(r"(?<![A-Za-z\\])[A-J](?![A-Za-z])", gold)[0]
        elif pair["verifier"] == "gsm8k":
            gold = gold.rsplit("####", 1)[-1].strip()
        if targets is usual and not re.search(r"(?<!\\)\$", gold):
            gold = f"${gold}$"
        try:
            is_right = verify(parse(gold, targets), parse(pair["response"], targets))
        except Exception:  # An answer that it can't compare.
            is_right = False
        verdicts.append("correct" if is_right else "incorrect")
    return verdicts, time.process_time() - started
