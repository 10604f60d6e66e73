"""Gold answers with what is equal to each and what only looks like it.

Numbers are derived by exact arithmetic from `tables/numbers.txt`; all other kinds are written by hand, a row each, in the
other tables. An answer is written in LaTeX without dollar signs; `plain` makes text of it where that is unambiguous.
"""

import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

TABLES = Path(__file__).parent / "tables"
SCALARS = {"integer", "big integer", "fraction", "decimal", "mixed", "radical", "pi", "power", "log", "trig", "complex", "close"}
EXACT_NUMBERS = {"integer", "big integer", "fraction", "decimal"}


@dataclass(frozen=True)
class Gold:
    """A gold answer, other forms of it, and near misses."""

    kind: str
    text: str
    equal: tuple[str, ...]
    near: tuple[str, ...]


def latex_fraction(value: Fraction, command: str = "frac") -> str:
    sign = "-" if value < 0 else ""
    if value.denominator == 1:
        return str(value.numerator)
    return f"{sign}\\{command}{{{abs(value.numerator)}}}{{{value.denominator}}}"


def thousands(text: str, separator: str) -> str:
    """Groups the digits before the point."""
    sign, whole, rest = re.fullmatch(r"(-?)(\d+)(.*)", text).groups()
    return sign + f"{int(whole):,}".replace(",", separator) + rest


def decimal(value: Fraction) -> str | None:
    """The finite decimal of a value, if it has one of at most nine places."""
    for places in range(10):
        scaled = value * 10**places
        if scaled.denominator == 1:
            digits = str(abs(scaled.numerator)).rjust(places + 1, "0")
            point = f"{digits[:-places]}.{digits[-places:]}" if places else digits
            return ("-" if value < 0 else "") + point
    return None


def last_digit_off(text: str) -> str:
    """The same text with its last digit one higher or, for a nine, one lower."""
    at = max(index for index, char in enumerate(text) if char.isdigit())
    digit = int(text[at])
    return text[:at] + str(digit + 1 if digit < 9 else 8) + text[at + 1 :]


def swapped_digits(text: str) -> str:
    """The first two neighbouring digits that differ, swapped; a leading zero doesn't arise."""
    for at in range(len(text) - 1):
        one, other = text[at], text[at + 1]
        if one.isdigit() and other.isdigit() and one != other and other != "0":
            return text[:at] + other + one + text[at + 2 :]
    return last_digit_off(text)


def integer(kind: str, text: str) -> Gold:
    n = int(text)
    equal = [text, f"\\mathbf{{{text}}}", f"\\text{{{text}}}", f"{{{text}}}", f"{text}.0", latex_fraction(Fraction(n))]
    if n:
        equal += [f"\\frac{{{2 * n}}}{{2}}", f"{n - 7}+7", f"3\\cdot\\frac{{{n}}}{{3}}" if n > 0 else f"-({-n})"]
    if abs(n) >= 1000:
        equal += [thousands(text, mark) for mark in (",", "{,}", ",\\!", "\\,")] * 2
    near = [n + 1, n - 1, n + 10, -n, 10 * n, 2 * n, int(swapped_digits(text)), int(last_digit_off(text))]
    near_texts = [str(value) for value in near if value != n]
    if n:
        near_texts += [latex_fraction(Fraction(n, 2)), f"{n}.5", latex_fraction(Fraction(1, n)) if abs(n) > 1 else "0"]
    if abs(n) >= 1000:
        near_texts += [thousands(str(value), ",") for value in near if value != n]
    return Gold(kind, text, tuple(equal), tuple(near_texts))


def fraction(kind: str, text: str) -> Gold:
    value = Fraction(text)
    n, d, sign = abs(value.numerator), value.denominator, "-" if value < 0 else ""
    equal = [latex_fraction(value, command) for command in ("frac", "dfrac", "tfrac")] + [text, f"\\frac{{{2 * n}}}{{{2 * d}}}"]
    equal[-1] = sign + equal[-1]
    if sign:
        equal.append(f"\\frac{{-{n}}}{{{d}}}")
    if n < 10 and d < 10:
        equal.append(f"{sign}\\frac{{{n}}}{d}")
        equal.append(f"{sign}\\frac {n} {d}")
    if n > d and not sign:
        equal.append(f"{n // d}\\frac{{{n % d}}}{{{d}}}")
    if (finite := decimal(value)) and len(finite) < 8:
        equal.append(finite)
    near = {-value, 1 / value, Fraction(n + 1, d), Fraction(n, d + 1), value * 2, value / 2, 1 - value, value + 1, value * 10} - {value}
    near_texts = [latex_fraction(other) for other in sorted(near)] + [str(n * d), f"{sign}{n}{d}"]
    return Gold(kind, latex_fraction(value), tuple(equal), tuple(text for text in near_texts if value_of(text) != value))


def value_of(text: str) -> Fraction:
    """The value of an integer or of what `latex_fraction` writes."""
    found = re.fullmatch(r"(-?)\\frac\{(\d+)\}\{(\d+)\}", text)
    return Fraction(int(found[1] + found[2]), int(found[3])) if found else Fraction(text)


def decimals(kind: str, text: str) -> Gold:
    value = Fraction(text)
    equal = [text, text + "0", f"\\mathbf{{{text}}}", latex_fraction(value)]
    if text.startswith("0."):
        equal.append(text[1:])
    near = {Fraction(last_digit_off(text)), Fraction(swapped_digits(text)), -value, value * 10, value / 10, value + 1, value * 2} - {value}
    return Gold(kind, text, tuple(equal), tuple(decimal(other) for other in sorted(near)))


def mixed(kind: str, text: str) -> Gold:
    whole, part = text.split("+")
    part = Fraction(part)
    value = int(whole) + part
    gold = f"{whole}{latex_fraction(part)}"
    equal = [
        gold,
        latex_fraction(value),
        f"{value.numerator}/{value.denominator}",
        f"{whole}{latex_fraction(part, 'dfrac')}",
        f"{whole}+{latex_fraction(part)}",
        f"{whole}\\,{latex_fraction(part)}",
    ]
    near = {int(whole) * part, value + 1, value - 1, 1 / value, -value, int(whole) + 1 - part, value + Fraction(1, part.denominator)} - {
        value
    }
    return Gold(kind, gold, tuple(equal), tuple(latex_fraction(other) for other in sorted(near)))


def percent(kind: str, text: str) -> Gold:
    value = Fraction(text)
    equal = [f"{text}\\%", f"{text} \\%", f"{text}\\text{{ percent}}", f"{text}\\text{{\\%}}"]
    near = {value + 1, value * 10, value / 10, -value, value + 10, Fraction(swapped_digits(text)), 100 - value} - {value}
    return Gold(kind, f"{text}\\%", tuple(equal), tuple(f"{decimal(other)}\\%" for other in sorted(near)))


def money(kind: str, text: str) -> Gold:
    value = Fraction(text)
    equal = [f"\\${text}", text, f"{text}\\text{{ dollars}}", decimal(value)] + ([f"\\${text}.00"] if "." not in text else [])
    if value >= 1000:
        equal += [f"\\${thousands(text, ',')}", f"\\${thousands(text, '{,}')}"] * 2
    near = {value + 1, value * 10, value / 10, value + 10, Fraction(swapped_digits(text)), Fraction(last_digit_off(text)), value * 2} - {
        value
    }
    return Gold(kind, f"\\${text}", tuple(equal), tuple(f"\\${decimal(other)}" for other in sorted(near)))


FAMILIES = {
    "integer": integer,
    "big integer": integer,
    "fraction": fraction,
    "decimal": decimals,
    "mixed": mixed,
    "percent": percent,
    "money": money,
}


def load_golds() -> list[Gold]:
    """All gold answers of the tables, in their order."""
    golds = []
    for line in (TABLES / "numbers.txt").read_text(encoding="utf-8").splitlines():
        if found := re.match(r"\[(.*?)\] (.*)", line):
            golds += [FAMILIES[found[1]](found[1], text) for text in found[2].split()]
    for name in ("scalars", "expressions", "sets", "words", "hard"):
        golds += table(name)
    return golds


def table(name: str) -> list[Gold]:
    """The rows of a table written by hand."""
    golds, kind = [], ""
    for line in (TABLES / f"{name}.txt").read_text(encoding="utf-8").splitlines():
        if re.fullmatch(r"\[[a-z ]+\]", line):
            kind = line.strip("[]")
        elif " != " in line and not line.startswith("# "):
            left, near = line.split(" != ")
            gold, equal = left.split(" == ")
            forms = tuple(form.strip() for form in equal.split(" ;; "))
            golds.append(Gold(kind, gold.strip(), (gold.strip(), *forms), tuple(form.strip() for form in near.split(" ;; "))))
    return golds


SUPERSCRIPTS = str.maketrans("0123456789-n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻ⁿ")
SIGNS = [
    ("\\left", ""),
    ("\\right", ""),
    ("\\leqslant", "≤"),
    ("\\geqslant", "≥"),
    ("\\leq", "≤"),
    ("\\geq", "≥"),
    ("\\le", "≤"),
    ("\\ge", "≥"),
    ("\\ne", "≠"),
    ("\\infty", "∞"),
    ("\\pi", "π"),
    ("\\cup", " ∪ "),
    ("\\in", " ∈ "),
    ("\\pm", "±"),
    ("\\cdot", "·"),
    ("\\times", "×"),
    ("^\\circ", "°"),
    ("^{\\circ}", "°"),
    ("\\%", "%"),
    ("\\$", "$"),
    ("\\{", "⦃"),
    ("\\}", "⦄"),
    ("\\emptyset", "∅"),
    ("\\,", " "),
    ("\\theta", "θ"),
    ("\\!", ""),
    ("~", " "),
]


def plain(latex: str) -> str | None:
    """The answer as text with Unicode signs, or `None` where that could be read in another way or isn't possible."""
    text = re.sub(r"\\(?:text|textbf|mathrm|mathbf)\{([^{}]*)\}", r"\1", latex)
    for command, sign in SIGNS:
        text = re.sub(re.escape(command) + (r"(?![a-zA-Z])" if command[-1].isalpha() else ""), sign, text)
    text = re.sub(r" *([≤≥≠×]) *", r" \1 ", re.sub(r" *· *", "·", text))
    # A fraction stands apart, above a single sign or digits, or not at all; 2 1/3 needs its space.
    text = re.sub(r"(?<![\w)}πi])(\d?)\\d?frac\{(\w+)\}\{(\d+|\w)\}(?=$|[,)\]⦄ ])", lambda m: f"{m[1]} {m[2]}/{m[3]}".strip(), text)
    text = re.sub(r"\\sqrt\{(\w+)\}(?![\w(])", r"√\1", text)
    text = re.sub(r"\^(?:\{(-?\d+|n)\}|(\d|n))(?![\w}^])", lambda m: (m[1] or m[2]).translate(SUPERSCRIPTS), text)
    if re.search(r"[\\{}^_&]", text):
        return None
    return text.replace("⦃", "{").replace("⦄", "}").strip()
