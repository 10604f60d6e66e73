"""Writes pairs of a gold answer and a response with the verdict of a careful reader, to measure verifiers by.

    python generate.py --seed 1 --count 4000 --out pairs.jsonl

The gold answers and the phrases around them are written by hand; what is combined depends on the seed only. About a third
of the responses are near misses: wrong, and close to the right answer in looks.
"""

import argparse
import json
import random
from pathlib import Path

from boxes import hidden, several
from choices import choice
from datasets import from_dataset
from golds import Gold, load_golds
from languages import in_language
from templates import double_escaped, in_box, in_prose
from word_problems import word_problem

NEAR_SHARE = 0.32
# How many pairs of each kind are drawn, in proportion.
KINDS = {
    "box": 8,
    "hidden": 12,
    "several": 10,
    "prose": 18,
    "languages": 13,
    "datasets": 12,
    "letters": 3,
    "choices": 13,
    "word problems": 12,
    "equality": 10,
}
VERIFIERS = {"choices": "multiple_choice", "word problems": "gsm8k"}


class Source:
    """Draws pairs of any kind."""

    def __init__(self, draw: random.Random, golds: list[Gold]):
        self.draw = draw
        self.by_kind: dict[str, list[Gold]] = {}
        for gold in golds:
            self.by_kind.setdefault(gold.kind, []).append(gold)
        self.golds = golds
        # A comma before three digits could group them, unless a zero is before it.
        self.commas = [gold for gold in self.by_kind["decimal"] if gold.text.startswith("0.") or len(gold.text.split(".")[1]) != 3]
        self.commas = [gold for gold in self.commas if not gold.text.startswith("-")]

    def any_gold(self) -> Gold:
        """A gold answer; kinds that have many don't crowd out those with few."""
        kinds = [kind for kind in self.by_kind if kind not in ("close", "letter")]
        weights = [len(self.by_kind[kind]) ** 0.7 for kind in kinds]
        return self.draw.choice(self.by_kind[self.draw.choices(kinds, weights)[0]])

    def pair(self, kind: str, is_near: bool) -> tuple[str, str, str]:
        """Gold answer, response, form."""
        draw = self.draw
        if kind == "hidden":
            return hidden(draw, self.any_gold(), is_near)
        if kind == "several":
            return several(draw, self.golds, is_near)
        if kind == "languages":
            return in_language(draw, self.any_gold(), is_near, self.commas)
        if kind == "datasets":
            return from_dataset(draw, self.golds, is_near)
        if kind == "choices":
            return choice(draw, is_near, draw.choice(["ABCD", "ABCD", "ABCDE", "ABCDEFGHIJ"]))
        if kind == "word problems":
            return word_problem(draw, is_near)
        if kind == "equality":
            gold = draw.choice(
                self.by_kind["close"] * 3 + self.by_kind["power"] + self.by_kind["log"] + self.by_kind["trig"] + self.by_kind["radical"]
            )
        elif kind == "letters":
            gold = draw.choice(self.by_kind["letter"])
        else:
            gold = self.any_gold()
        answer = draw.choice(gold.near if is_near else gold.equal)
        form, phrase = (
            draw.choice([("box", in_box), ("prose", in_prose)])
            if kind in ("equality", "letters")
            else (kind, in_box if kind == "box" else in_prose)
        )
        if kind == "prose" and draw.random() < 0.15 and gold.kind not in ("words", "money"):
            form, phrase = "doubled", double_escaped
        gold_text = f"${gold.text}$" if draw.random() < 0.25 and gold.kind != "money" else gold.text
        return gold_text, phrase(draw, gold, answer), f"{form}: {gold.kind}"


def generate(seed: int, count: int) -> list[dict]:
    draw = random.Random(seed)
    source = Source(draw, load_golds())
    pairs, seen = [], set()
    while len(pairs) < count:
        kind = draw.choices(list(KINDS), list(KINDS.values()))[0]
        is_near = draw.random() < NEAR_SHARE
        gold, response, form = source.pair(kind, is_near)
        verifier = VERIFIERS.get(kind, "math_answer")
        if (verifier, gold, response) in seen:
            continue
        seen.add((verifier, gold, response))
        expected = "incorrect" if is_near else "correct"
        pairs.append(
            {"id": len(pairs), "verifier": verifier, "kind": kind, "form": form, "gold": gold, "response": response, "expected": expected}
        )
    return pairs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=4000)
    parser.add_argument("--out", type=Path, required=True, help="JSONL file to write")
    options = parser.parse_args()
    lines = [json.dumps(pair, ensure_ascii=False) + "\n" for pair in generate(options.seed, options.count)]
    options.out.write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
