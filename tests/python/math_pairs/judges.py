"""The two judges, each with the processor seconds that it took."""

import json
import logging
import re
import resource
import subprocess
import sys
import time
from pathlib import Path

from math_verify import parse, verify


def judge_with_math_verify(pairs: list[dict]) -> tuple[list[bool], float]:
    logging.disable(logging.CRITICAL)
    verdicts, started = [], time.process_time()
    for number, pair in enumerate(pairs, 1):
        gold = pair["gold"] if re.search(r"(?<!\\)\$", pair["gold"]) else f"${pair['gold']}$"
        verdicts.append(verify(parse(gold), parse(pair["response"])))
        if number % 1000 == 0:
            print(f"math-verify: {number} of {len(pairs)}", file=sys.stderr)
    return verdicts, time.process_time() - started


def judge_with_policy(binary: Path, pairs: list[dict], repeat: int) -> tuple[list[str], float]:
    lines = "\n".join(json.dumps({"gold": pair["gold"], "response": pair["response"]}) for pair in pairs)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([binary, "--repeat", str(repeat)], input=lines, capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return done.stdout.split(), seconds / repeat
