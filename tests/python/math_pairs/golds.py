"""Gold answers: where they come from, and how their LaTeX is taken apart."""

import json
import re
from fractions import Fraction
from itertools import chain
from pathlib import Path

import pyarrow.parquet
import sympy
from math_verify import parse

INTEGER = re.compile(r"-?\d+")
DECIMAL = re.compile(r"-?\d*\.\d+")
FRACTION = re.compile(r"(-?)\\d?frac\{(\d+)\}\{(\d+)\}")
ROOT = re.compile(r"(-?)(\d*)\s*\\sqrt\{?(\d+)\}?")
# Text that may not be rewritten number by number: names with numbers in them, words, units.
DELICATE = re.compile(r"_|\\text|\\mbox|\\circ|\\log|\\sqrt\[|[a-zA-Z]{4,}|np\.|\\\$|e-?\d|!")


def load_golds(math: Path, gsm8k: list[Path]) -> tuple[list[str], list[str]]:
    rows = pyarrow.parquet.read_table(math, columns=["reward_model"]).column("reward_model").to_pylist()
    lines = chain.from_iterable(path.read_text(encoding="utf-8").splitlines() for path in gsm8k)
    results = {json.loads(line)["answer"].rsplit("####", 1)[1].strip() for line in lines}
    return sorted({row["ground_truth"] for row in rows}), sorted(results)


def root(text: str) -> tuple[str, int, int] | None:
    """Sign, coefficient and radicand of a multiple of a square root."""
    match = ROOT.fullmatch(text)
    return match and (match[1], int(match[2] or 1), int(match[3]))


def split_list(text: str) -> list[str]:
    """Items between the commas outside all brackets."""
    items, depth, last = [], 0, 0
    for at, char in enumerate(text):
        depth += (char in "([{") - (char in ")]}")
        if char == "," and depth == 0 and text[at - 1 : at] != "\\":
            items.append(text[last:at].strip())
            last = at + 1
    return [*items, text[last:].strip()]


def bare(gold: str) -> str:
    """A gold answer without the dollar signs around its formulas."""
    return gold.replace("\\$", "\0").replace("$", "").replace("\0", "\\$").strip().rstrip(".").strip()


def thousands(text: str, separator: str) -> str:
    return f"{int(text):,}".replace(",", separator)


def bracketed(text: str) -> tuple[str, list[str], str] | None:
    """Brackets of a tuple or an interval, and what is between them."""
    text = text.replace("\\left", "").replace("\\right", "").strip()
    if len(text) < 5 or text[0] not in "([" or text[-1] not in ")]" or "\\cup" in text:
        return None
    depth = 0
    for at, char in enumerate(text):
        depth += (char in "([") - (char in ")]")
        if depth == 0 and at < len(text) - 1:
            return None
    items = split_list(text[1:-1])
    return (text[0], items, text[-1]) if len(items) > 1 else None


def numbers_only(text: str) -> bool:
    return not re.search(r"[a-zA-Z]", re.sub(r"\\(frac|dfrac|sqrt|pi|infty|left|right)", "", text))


def expression(text: str) -> sympy.Expr | None:
    """What math-verify reads, if it is an expression with variables."""
    try:
        parsed = parse(f"${text}$", parsing_timeout=3)
        value = parsed[0] if parsed and isinstance(parsed[0], sympy.Expr) else None
        if re.search("[A-Z]", text):  # the witness takes capitals for small letters
            return None
        return value if value is not None and value.free_symbols and not DELICATE.search(text) else None
    except Exception:  # whatever the witness can't read is not rewritten
        return None


def latex(value: sympy.Basic) -> str:
    return sympy.latex(value, ln_notation=True)


def integer(gold):
    return int(gold) if INTEGER.fullmatch(gold) and len(gold) < 15 else None


def rational(gold):
    match = FRACTION.fullmatch(gold)
    if not match or int(match[3]) == 0:
        return None
    value = Fraction(int(match[2]), int(match[3]))
    return -value if match[1] else value


def thousands_like(text: str) -> bool:
    return re.fullmatch(r"(\\\$)?-?\d{1,3}(,(\\!)?\s*\d{3})+", text) is not None


def is_interval(gold: str) -> bool:
    return "infty" in gold or gold.replace("\\left", "").startswith("[") or gold.endswith("]")
