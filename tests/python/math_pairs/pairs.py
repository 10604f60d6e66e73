"""Pairs of a gold answer and a response, rewritten or missed, in the prose of a solution; and those that a table lists."""

import random
from pathlib import Path

from golds import bare
from near_misses import NEAR_MISSES, near_digit
from rewritings import REWRITINGS, equal_layout

WRAPPERS = [
    "We simplify and find $\\boxed{%s}$.",
    "Adding both gives 17, so the answer is\n\\[\n\\boxed{%s}\n\\]",
    "First guess: \\boxed{0}. That fails.\n\nTherefore $$\\boxed{%s}$$",
    "Thus, the final answer is $%s$.",
    "**Answer:** $%s$",
    "Let $n = 3$. Then we get 8 cases.\n\nThe answer is: $%s$.",
    "\\boxed{%s}",
]

# Tables of whole responses.
RESPONSES = {"conditions", "boxes", "golds", "languages", "prose"}


def pairs_of(gold: str, draw: random.Random, equal: int, near: int):
    """Up to `equal` rewritings and `near` near-misses of a gold answer, each wrapped."""
    text = bare(gold)
    seen = set()
    for kind, rewriters, spare, count in (("equal", REWRITINGS, equal_layout, equal), ("near", NEAR_MISSES, near_digit, near)):
        for _ in range(count):
            found = [rewritten for rewrite in rewriters if (rewritten := rewrite(text, draw))]
            if not found or draw.random() < 0.15:
                found = [rewritten] if (rewritten := spare(text, draw)) else found
            if not found:
                continue
            name, response = draw.choice(found)
            response = response.strip().rstrip("." if kind == "near" else "")
            if (kind, response) in seen or (kind == "near" and response.replace(" ", "") == text.replace(" ", "")):
                continue
            seen.add((kind, response))
            yield {"gold": gold, "response": draw.choice(WRAPPERS) % response, "kind": kind, "rewriting": name}


def tabled(folder: Path):
    """The cases in a folder of tables, each with the verdict given by hand: those of whole responses name a verdict, the
    other tables hold answers that are wrapped here.
    """
    for table in sorted(folder.glob("*.tsv")):
        rows = [line.split("\t") for line in table.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
        if table.stem in RESPONSES:
            cases = [(gold.replace("⏎", "\n"), verdict, response.replace("⏎", "\n")) for gold, verdict, response in rows]
        else:
            answers = [(gold, verdict, answer)
                       for gold, *cells in rows
                       for verdict, cell in zip(("correct", "incorrect"), cells, strict=True)
                       for answer in cell.split(" ;; ") if answer]
            cases = [(gold, verdict, WRAPPERS[number % len(WRAPPERS)] % answer)
                     for number, (gold, verdict, answer) in enumerate(answers)]
        for gold, verdict, response in cases:
            yield {"gold": gold, "response": response, "verdict": verdict, "table": table.stem}
