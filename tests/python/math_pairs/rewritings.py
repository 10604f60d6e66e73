"""Rewritings of a gold answer into something equal: each takes the answer and a generator, and returns a name and a response, or
`None` where it doesn't fit.
"""

import re
from fractions import Fraction

import sympy

from golds import (
    DECIMAL, DELICATE, INTEGER, bracketed, expression, integer, is_interval, latex, numbers_only, rational, root, split_list,
    thousands, thousands_like,
)


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
    parts = root(gold)
    if not parts:
        return None
    sign, coefficient, radicand = parts
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


REWRITINGS = [equal_integer, equal_fraction, equal_decimal, equal_root, equal_list, equal_tuple, equal_union, equal_matrix,
         equal_expression, equal_equation, equal_unit, equal_text]
