"""Near-misses of a gold answer: wrong answers that look like it. Each takes the answer and a generator, and returns a name and
a response, or `None` where it doesn't fit.
"""

import re
from fractions import Fraction

import sympy

from golds import (
    DECIMAL, DELICATE, INTEGER, bracketed, expression, integer, is_interval, latex, rational, root, split_list, thousands,
    thousands_like,
)


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
    parts = root(gold)
    if not parts:
        return None
    sign, coefficient, radicand = parts
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


NEAR_MISSES = [near_number, near_fraction, near_root, near_list, near_tuple, near_union, near_matrix, near_expression,
        near_equation, near_unit, near_text]
