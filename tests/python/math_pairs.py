"""Compares the policy math_answer with math-verify on pairs of a gold answer and a response.

    cargo build --release -p math_answer --example judge
    python tests/python/math_pairs.py --math MATH_VALID.parquet --gsm8k test.jsonl \
        --judge target/release/examples/judge --disagreements disagreements.jsonl

The gold answers are those of a Parquet file in verl's layout and the results behind `####` of GSM8K, each once. A response
is a gold answer rewritten into something equal (another form of a fraction, a set in another order, a polynomial expanded)
or into a near-miss (one more, the other sign, an open interval for a closed one), wrapped in the prose of a solution. What
is drawn depends on the seed only. Prints the agreement by rewriting, what one judge accepted and the other did not, and the
near-misses that each accepted; `--disagreements` writes every disagreement for a person to judge. Both judges are timed on
the same pairs, in processor seconds of one thread, reading included. Exits with 1 when a demand (the constants below) is
missed or a near-miss was accepted.

Needs math-verify 0.9.0 (with its sympy) and pyarrow.
"""

import argparse
import json
import logging
import random
import re
import resource
import subprocess
import sys
import time
from collections import Counter
from fractions import Fraction
from itertools import chain
from pathlib import Path

import pyarrow.parquet
import sympy
from math_verify import parse, verify

MIN_AGREEMENT = 0.98
MIN_SPEEDUP = 200
MIN_PAIRS = 5000

INTEGER = re.compile(r"-?\d+")
DECIMAL = re.compile(r"-?\d*\.\d+")
FRACTION = re.compile(r"(-?)\\d?frac\{(\d+)\}\{(\d+)\}")
ROOT = re.compile(r"(-?)(\d*)\s*\\sqrt\{?(\d+)\}?")
# Text that may not be rewritten number by number: names with numbers in them, words, units.
DELICATE = re.compile(r"_|\\text|\\mbox|\\circ|\\log|\\sqrt\[|[a-zA-Z]{4,}|np\.|\\\$|e-?\d|!")


# --- Reading gold answers ------------------------------------------------------------------------------------------

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


# --- Rewritings: gold, generator -> response or None ---------------------------------------------------------------

def integer(gold):
    return int(gold) if INTEGER.fullmatch(gold) and len(gold) < 15 else None


def rational(gold):
    match = FRACTION.fullmatch(gold)
    if not match or int(match[3]) == 0:
        return None
    value = Fraction(int(match[2]), int(match[3]))
    return -value if match[1] else value


def equal_integer(gold, draw):
    value = integer(gold)
    if value is None:
        return None
    factor = draw.randint(2, 9)
    forms = [
        ("decimal point", f"{value}.0"),
        ("decimal point", f"{value}.00"),
        ("fraction", f"\\frac{{{value * factor}}}{{{factor}}}"),
        ("product", f"{factor} \\cdot \\frac{{{value}}}{{{factor}}}"),
        ("sum", f"{value - factor} + {factor}"),
        ("assignment", f"x = {value}"),
        ("calculation", f"x = {value - factor} + {factor} = {value}"),
        ("unit", f"{value} \\text{{ cm}}"),
        ("unit", f"{value}\\text{{ units}}"),
        ("degrees", f"{value}^\\circ"),
        ("currency", f"\\${value}"),
        ("bold", f"\\mathbf{{{value}}}"),
        ("braces", f"{{{value}}}"),
    ]
    if abs(value) >= 1000:
        forms += [("thousands", thousands(gold, separator)) for separator in (",", "{,}", ",\\!")]
        forms += [("thousands", f"\\${thousands(gold, ',')}")]
    if 0 <= value < 10**6:
        forms += [("root", f"\\sqrt{{{value**2}}}"), ("power", f"{value}^1"), ("percent", f"{value * 100}\\%")]
    return draw.choice(forms)


def equal_fraction(gold, draw):
    value = rational(gold)
    if value is None:
        return None
    sign, size, factor = "-" if value < 0 else "", abs(value), draw.randint(2, 9)
    n, d = size.numerator, size.denominator
    forms = [
        ("dfrac", f"{sign}\\dfrac{{{n}}}{{{d}}}"),
        ("tfrac", f"{sign}\\tfrac{{{n}}}{{{d}}}"),
        ("slash", f"{sign}{n}/{d}"),
        ("not reduced", f"{sign}\\frac{{{n * factor}}}{{{d * factor}}}"),
        ("assignment", f"P = {sign}\\frac{{{n}}}{{{d}}}"),
        ("sum", f"{sign}\\frac{{{n}}}{{{2 * d}}} {sign or '+'} \\frac{{{n}}}{{{2 * d}}}"),
        ("power", f"{sign}{n} \\cdot {d}^{{-1}}"),
    ]
    if n < 10 and d < 10:
        forms.append(("short frac", f"{sign}\\frac{n}{d}"))
    if sign:
        forms.append(("sign inside", f"\\frac{{-{n}}}{{{d}}}"))
    if n > d > 1:
        forms.append(("mixed", f"{sign}{n // d}\\frac{{{n % d}}}{{{d}}}"))
    forms.append(("decimal", f"{sign}{n / d:.10f}".rstrip("0")) if d > 1 else ("integer", f"{sign}{n}"))
    return draw.choice(forms)


def equal_decimal(gold, draw):
    if not DECIMAL.fullmatch(gold):
        return None
    value = Fraction(gold)
    sign = "-" if value < 0 else ""
    n, d = abs(value).numerator, abs(value).denominator
    forms = [
        ("trailing zero", gold + "0"),
        ("fraction", f"{sign}\\frac{{{n}}}{{{d}}}"),
        ("slash", f"{sign}{n}/{d}"),
        ("no zero", gold.replace("0.", ".", 1) if abs(value) < 1 and gold.lstrip("-").startswith("0.") else gold + "00"),
        ("unit", f"{gold} \\text{{ kg}}"),
    ]
    return draw.choice(forms)


def equal_root(gold, draw):
    match = ROOT.fullmatch(gold)
    if not match:
        return None
    sign, coefficient, radicand = match[1], int(match[2] or 1), int(match[3])
    forms = [
        ("one root", f"{sign}\\sqrt{{{coefficient**2 * radicand}}}"),
        ("half power", f"{sign}{coefficient} \\cdot {radicand}^{{1/2}}"),
        ("half power", f"{sign}{coefficient} \\cdot {radicand}^{{\\frac{{1}}{{2}}}}"),
        ("larger root", f"{sign}\\frac{{{coefficient}\\sqrt{{{4 * radicand}}}}}{{2}}"),
        ("rationalised", f"{sign}\\frac{{{coefficient * radicand}}}{{\\sqrt{{{radicand}}}}}"),
        ("decimal", f"{sign}{sympy.N(coefficient * sympy.sqrt(radicand), 12)}"),
        ("dot", f"{sign}{coefficient}\\cdot\\sqrt{{{radicand}}}"),
    ]
    return draw.choice(forms)


def equal_list(gold, draw):
    items = split_list(gold)
    if len(items) < 2 or thousands_like(gold) or "=" in gold:
        return None
    shuffled = items[:]
    draw.shuffle(shuffled)
    forms = [
        ("order", ", ".join(shuffled)),
        ("order", ",".join(shuffled)),
        ("braces", "\\{" + ", ".join(shuffled) + "\\}"),
        ("and", ", ".join(items[:-1]) + " \\text{ and } " + items[-1]),
    ]
    if len(items) == 2 and numbers_only(gold) and not any("(" in item for item in items):
        forms += [("or", f"x = {items[0]} \\text{{ or }} x = {items[1]}")]
    return draw.choice(forms)


def thousands_like(text: str) -> bool:
    return re.fullmatch(r"(\\\$)?-?\d{1,3}(,(\\!)?\s*\d{3})+", text) is not None


def equal_tuple(gold, draw):
    parts = bracketed(gold)
    if not parts:
        return None
    open_, items, close = parts
    spaced = [f"{{{item}}}" if numbers_only(item) and draw.random() < 0.3 else item for item in items]
    scaled = [f"\\frac{{{2 * int(item)}}}{{2}}" if INTEGER.fullmatch(item) else item for item in items]
    forms = [
        ("left and right", f"\\left{open_}{', '.join(items)}\\right{close}"),
        ("spaces", f"{open_} {' , '.join(spaced)} {close}"),
        ("scaled entries", f"{open_}{', '.join(scaled)}{close}"),
    ]
    if is_interval(gold):
        forms.append(("member", f"x \\in {open_}{', '.join(items)}{close}"))
    else:
        forms.append(("named tuple", f"(x, y{', z' if len(items) > 2 else ''}) = {open_}{', '.join(items)}{close}")
                     if len(items) in (2, 3) else forms[0])
    return draw.choice(forms)


def is_interval(gold: str) -> bool:
    return "infty" in gold or gold.replace("\\left", "").startswith("[") or gold.endswith("]")


def equal_union(gold, draw):
    parts = [part.strip() for part in gold.replace("\\left", "").replace("\\right", "").split("\\cup")]
    if len(parts) < 2:
        return None
    draw.shuffle(parts)
    return draw.choice([("union order", " \\cup ".join(parts)), ("union member", "x \\in " + " \\cup ".join(parts))])


def equal_matrix(gold, draw):
    if "pmatrix" not in gold:
        return None
    forms = [
        ("bmatrix", gold.replace("pmatrix", "bmatrix")),
        ("dfrac entries", re.sub(r"(\d+)/(\d+)", r"\\dfrac{\1}{\2}", gold)),
        ("spaces", gold.replace(" & ", "&").replace(" \\\\ ", "\\\\")),
    ]
    return draw.choice(forms)


def equal_expression(gold, draw):
    value = expression(gold)
    if value is None:
        return None
    try:
        factor = draw.randint(2, 5)
        forms = [
            ("expanded", latex(sympy.expand(value.doit()))),
            ("factored", latex(sympy.factor(value.doit()))),
            ("together", latex(sympy.together(value.doit()))),
            ("scaled", f"\\frac{{{factor}}}{{{factor}}} \\left({gold}\\right)"),
            ("plus and minus", f"{gold} + {factor} - {factor}"),
            ("another term", f"-{factor} + {gold} + {factor}"),
            ("assignment", f"y = {gold}"),
        ]
    except Exception:  # sympy fails on some of its own expressions
        return None
    return draw.choice(forms)


def equal_equation(gold, draw):
    sides = gold.split("=")
    if len(sides) != 2 or DELICATE.search(gold) or len(split_list(gold)) > 1 or "\\in" in gold or "prime" in gold:
        return None
    left, right = (side.strip() for side in sides)
    forms = [("sides swapped", f"{right} = {left}")]
    if re.fullmatch(r"[a-zA-Z](\([a-zA-Z]\))?", left):
        forms += [("value only", right), ("value only", right)]
    if re.fullmatch(r"[a-zA-Z]", left):
        forms += [("one side", f"{left} - ({right}) = 0"), ("doubled", f"2{left} = 2({right})")]
    elif right == "0":
        forms += [("doubled", f"2({left}) = 0"), ("negated", f"-({left}) = 0")]
    return draw.choice(forms)


def equal_unit(gold, draw):
    if "\\circ" in gold:
        return draw.choice([("degree dropped", gold.replace("^{\\circ}", "").replace("^\\circ", "")),
                            ("degree word", gold.replace("^{\\circ}", "^\\circ").replace("^\\circ", " \\text{ degrees}"))])
    if gold.endswith("%"):
        number = gold.replace("\\", "")[:-1].strip()
        forms = [("percent", f"{number}\\%"), ("percent", f"{number} \\%")]
        if re.fullmatch(r"[\d.]+", number):
            forms += [("percent as part", str(Fraction(number) / 100)), ("percent as number", number)]
        return draw.choice(forms)
    if "\\$" in gold:
        return ("currency dropped", gold.replace("\\$", "").replace(",\\!", ","))
    if re.search(r"\\(text|mbox)\s*\{[^}]*\}(\^\d)?$", gold) and gold[0].isdigit():
        return ("unit dropped", re.sub(r"\\(text|mbox)\s*\{[^}]*\}(\^\d)?$", "", gold).strip())
    return None


def equal_text(gold, draw):
    match = re.fullmatch(r"\\text\{\(?([A-Za-z]+)\)?\}", gold)
    if match:
        return draw.choice([("text", f"\\text{{{match[1]}}}"), ("word", match[1]), ("textbf", f"\\textbf{{{match[1]}}}")])
    return None


def equal_layout(gold, draw):
    forms = [
        ("as it is", gold),
        ("dfrac", gold.replace("\\frac", "\\dfrac")),
        ("spaces", gold.replace("+", " + ").replace("=", " = ")),
        ("displaystyle", f"\\displaystyle {gold}"),
    ]
    return draw.choice(forms)


def near_number(gold, draw):
    """A number one more, of the other sign, of another size."""
    value = integer(gold)
    if value is not None:
        forms = [("one more", f"{value + 1}"), ("one less", f"{value - 1}"), ("ten times", f"{value * 10 or 1}"),
                 ("half more", f"{value}.5"), ("fraction", f"\\frac{{{value}}}{{3}}" if value else "\\frac{1}{3}")]
        if value:
            forms += [("other sign", f"{-value}"), ("inverse", f"\\frac{{1}}{{{value}}}" if abs(value) > 1 else "2"),
                      ("with pi", f"{value}\\pi"), ("root", f"\\sqrt{{{abs(value) + 1}}}" if abs(value) > 2 else "\\sqrt{7}")]
        if abs(value) > 1000:
            forms.append(("thousands", thousands(str(value + 100), ",")))
        return draw.choice(forms)
    if DECIMAL.fullmatch(gold):
        places = len(gold.split(".")[1])
        value = Fraction(gold)
        step = Fraction(1, 10**places)
        other = float(value + step)
        forms = [("last digit", f"{other:.{places}f}"), ("other sign", f"{-float(value):.{places}f}" if value else "1"),
                 ("one more", f"{float(value + 1):.{places}f}"), ("ten times", f"{float(value * 10):.{places}f}" if value else "10")]
        return draw.choice(forms)
    return None


def near_fraction(gold, draw):
    value = rational(gold)
    if value is None:
        return None
    n, d = value.numerator, value.denominator
    forms = [("numerator", f"\\frac{{{n + 1}}}{{{d}}}"), ("denominator", f"\\frac{{{n}}}{{{d + 1}}}"),
             ("other sign", f"\\frac{{{-n}}}{{{d}}}"), ("short decimal", f"{float(value):.2f}" if d % 3 == 0 or d % 7 == 0 else f"{n + d}/{d}"),
             ("product", f"{n * d}" if d > 1 else f"{n + 1}"), ("mixed", f"{abs(n)}\\frac{{{1}}}{{{d + 1}}}")]
    if abs(n) != d:
        forms.append(("upside down", f"\\frac{{{d}}}{{{n}}}"))
    return draw.choice(forms)


def near_root(gold, draw):
    match = ROOT.fullmatch(gold)
    if not match:
        return None
    sign, coefficient, radicand = match[1], int(match[2] or 1), int(match[3])
    return draw.choice([
        ("radicand", f"{sign}{coefficient}\\sqrt{{{radicand + 1}}}"),
        ("coefficient", f"{sign}{coefficient + 1}\\sqrt{{{radicand}}}"),
        ("root dropped", f"{sign}{coefficient * radicand}"),
        ("other sign", f"{'' if sign else '-'}{coefficient}\\sqrt{{{radicand}}}"),
        ("cube root", f"{sign}{coefficient}\\sqrt[3]{{{radicand}}}"),
        ("coefficient inside", f"{sign}\\sqrt{{{(coefficient + 1) * radicand}}}" if coefficient > 1 else f"{sign}\\sqrt{{{radicand}}} + 1"),
        ("short decimal", f"{sign}{coefficient * radicand**0.5:.3f}"),
    ])


def near_list(gold, draw):
    items = split_list(gold)
    if len(items) < 2 or thousands_like(gold) or len(set(items)) < len(items):
        return None
    shorter = items[:]
    shorter.pop(draw.randrange(len(items)))
    forms = [("element missing", ", ".join(shorter)), ("element more", ", ".join([*items, "-1729"]))]
    changed = items[:]
    at = draw.randrange(len(items))
    if INTEGER.fullmatch(items[at]) and str(int(items[at]) + 1) not in items:
        changed[at] = str(int(items[at]) + 1)
        forms.append(("element changed", ", ".join(changed)))
    return draw.choice(forms)


def near_tuple(gold, draw):
    parts = bracketed(gold)
    if not parts:
        return None
    open_, items, close = parts
    forms = []
    if items[0] != items[-1] and not set("infty") <= set(gold):
        forms.append(("swapped", f"{open_}{', '.join([items[-1], *items[1:-1], items[0]])}{close}"))
    at = draw.randrange(len(items))
    if INTEGER.fullmatch(items[at]):
        changed = items[:]
        changed[at] = str(int(items[at]) + draw.choice([-1, 1]))
        forms.append(("entry changed", f"{open_}{', '.join(changed)}{close}"))
    if is_interval(gold):
        end = draw.choice([side for side, item in enumerate((items[0], items[-1])) if "infty" not in item])
        flip = {"(": "[", "[": "(", ")": "]", "]": ")"}
        forms.append(("open or closed", f"{flip[open_] if end == 0 else open_}{', '.join(items)}{flip[close] if end == 1 else close}"))
    elif len(items) > 2:
        forms.append(("entry missing", f"{open_}{', '.join(items[:-1])}{close}"))
    return draw.choice(forms) if forms else None


def near_union(gold, draw):
    parts = gold.split("\\cup")
    if len(parts) < 2:
        return None
    return draw.choice([("part missing", parts[0].strip()), ("intersection", gold.replace("\\cup", "\\cap")),
                        ("filled", re.sub(r"\)\s*$", "]", gold) if "infty)" not in gold.replace(" ", "")[-8:] else parts[-1].strip())])


def near_matrix(gold, draw):
    if "pmatrix" not in gold:
        return None
    numbers = list(re.finditer(r"-?\d+", gold))
    spot = draw.choice(numbers)
    changed = gold[: spot.start()] + str(int(spot[0]) + 1 or 7) + gold[spot.end() :]
    body = re.search(r"\}(.*)\\end", gold)[1]
    rows = body.split("\\\\")
    forms = [("entry changed", changed), ("row missing", gold.replace("\\\\" + rows[-1], " "))]
    if rows[0].strip() != rows[-1].strip():
        swapped = "\\\\".join([rows[-1], *rows[1:-1], rows[0]])
        forms.append(("rows swapped", f"\\begin{{pmatrix}}{swapped}\\end{{pmatrix}}"))
    return draw.choice(forms)


def near_expression(gold, draw):
    value = expression(gold)
    if value is None:
        return None
    try:
        value = value.doit()
        symbol = sorted(value.free_symbols, key=str)[0]
        forms = [("plus one", value + 1), ("variable more", value + symbol), ("doubled", 2 * value), ("other sign", -value),
                 ("times variable", value * symbol)]
        terms = sympy.Add.make_args(sympy.expand(value))
        if len(terms) > 1:
            forms.append(("term dropped", sympy.Add(*terms[1:])))
            forms.append(("term negated", sympy.Add(-terms[0], *terms[1:])))
        factors = [factor for factor in sympy.Mul.make_args(sympy.factor(value)) if factor.free_symbols]
        if len(factors) > 1:
            forms.append(("root dropped", sympy.Mul(*factors[1:])))
        name, other = draw.choice(forms)
        point = {free: Fraction(7 + 3 * index, 5) for index, free in enumerate(sorted(value.free_symbols, key=str))}
        if abs(complex(sympy.N((value - other).subs(point)))) < 1e-6:
            return None
        return name, latex(other)
    except Exception:  # sympy fails on some of its own expressions
        return None


def near_equation(gold, draw):
    sides = gold.split("=")
    if len(sides) != 2 or DELICATE.search(gold) or len(split_list(gold)) > 1 or "\\in" in gold or "prime" in gold:
        return None
    left, right = (side.strip() for side in sides)
    forms = [("right side plus one", f"{left} = {right} + 1")]
    if right != "0":
        forms.append(("right side negated", f"{left} = -({right})"))
        forms.append(("inequality", f"{left} > {right}"))
    return draw.choice(forms)


def near_digit(gold, draw):
    """Any number of a longer answer changed by one."""
    spots = list(re.finditer(r"(?<![\d.])\d+(?![\d.])", gold))
    if DELICATE.search(gold) or not spots or thousands_like(gold):
        return None
    spot = draw.choice(spots)
    changed = gold[: spot.start()] + str(int(spot[0]) + 1) + gold[spot.end() :]
    return ("number changed", changed) if not len(set(split_list(changed))) < len(split_list(changed)) else None


def near_unit(gold, draw):
    match = re.match(r"(\\\$)?(\d+)", gold)
    if match and re.search(r"\\circ|%|\\\$|\\text|\\mbox", gold):
        return ("unit kept, number changed", (match[1] or "") + str(int(match[2]) + 1) + gold[match.end():])
    return None


def near_text(gold, draw):
    match = re.fullmatch(r"\\text\{(\(?)([A-Za-z]+)(\)?)\}", gold)
    if not match:
        return None
    other = {"A": "B", "B": "C", "C": "D", "D": "E", "E": "A"}.get(match[2], "odd" if match[2] == "even" else "north")
    return ("other word", f"\\text{{{match[1]}{other}{match[3]}}}")


EQUAL = [equal_integer, equal_fraction, equal_decimal, equal_root, equal_list, equal_tuple, equal_union, equal_matrix,
         equal_expression, equal_equation, equal_unit, equal_text]
NEAR = [near_number, near_fraction, near_root, near_list, near_tuple, near_union, near_matrix, near_expression,
        near_equation, near_unit, near_text]

WRAPPERS = [
    "We simplify and find $\\boxed{%s}$.",
    "Adding both gives 17, so the answer is\n\\[\n\\boxed{%s}\n\\]",
    "First guess: \\boxed{0}. That fails.\n\nTherefore $$\\boxed{%s}$$",
    "Thus, the final answer is $%s$.",
    "**Answer:** $%s$",
    "Let $n = 3$. Then we get 8 cases.\n\nThe answer is: $%s$.",
    "\\boxed{%s}",
]


def pairs_of(gold: str, draw: random.Random, equal: int, near: int):
    """Up to `equal` rewritings and `near` near-misses of a gold answer, each wrapped."""
    text = bare(gold)
    seen = set()
    for kind, rewriters, spare, count in (("equal", EQUAL, equal_layout, equal), ("near", NEAR, near_digit, near)):
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


def load_golds(math: Path, gsm8k: list[Path]) -> tuple[list[str], list[str]]:
    rows = pyarrow.parquet.read_table(math, columns=["reward_model"]).column("reward_model").to_pylist()
    lines = chain.from_iterable(path.read_text(encoding="utf-8").splitlines() for path in gsm8k)
    results = {json.loads(line)["answer"].rsplit("####", 1)[1].strip() for line in lines}
    return sorted({row["ground_truth"] for row in rows}), sorted(results)


# --- Judging -------------------------------------------------------------------------------------------------------

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
    parser.add_argument("--pairs", type=Path, help="JSONL file to write all pairs and verdicts to")
    options = parser.parse_args()

    draw = random.Random(options.seed)
    math, gsm8k = load_golds(options.math, options.gsm8k)
    pairs = [pair for gold in math for pair in pairs_of(gold, draw, options.equal, options.near)]
    pairs += [pair for gold in gsm8k for pair in pairs_of(gold, draw, (options.equal + 1) // 2, (options.near + 1) // 2)]

    ours, our_seconds = judge_with_policy(options.judge, pairs, options.repeat)
    theirs, their_seconds = judge_with_math_verify(pairs)
    for pair, our, their in zip(pairs, ours, theirs, strict=True):
        pair["math_answer"], pair["math_verify"] = our, "correct" if their else "incorrect"
    if options.pairs:
        options.pairs.write_text("".join(json.dumps(pair) + "\n" for pair in pairs), encoding="utf-8")
    differing = [pair for pair in pairs if (pair["math_answer"] == "correct") != (pair["math_verify"] == "correct")]
    if options.disagreements:
        options.disagreements.write_text("".join(json.dumps(pair) + "\n" for pair in differing), encoding="utf-8")

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
    print(f"unscorable                   {sum(our == 'unscorable' for our in ours)}")
    for judge in ("math_answer", "math_verify"):
        print(f"{judge}: near-misses accepted {false_correct[judge]}, rewritings not accepted {missed[judge]}")
    print(f"pairs a CPU second            math_answer {speeds[0]:,.0f}, math-verify {speeds[1]:,.0f}: {speeds[0] / speeds[1]:,.0f} times")
    met = (len(pairs) >= MIN_PAIRS and agreement >= MIN_AGREEMENT and not false_correct["math_answer"]
           and speeds[0] >= MIN_SPEEDUP * speeds[1])
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
