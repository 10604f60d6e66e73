"""Word problems of grade school: a number, with its currency or unit, as GSM8K has them.

The conventions of the verifier hold: the number behind the last `####` counts, else the last box, else what follows "the
answer is", else the last number.
"""

from fractions import Fraction

from golds import decimal, last_digit_off, swapped_digits, thousands

VALUES = """
    2 3 4 5 6 7 8 9 10 12 14 15 16 18 20 21 24 25 27 30 32 35 36 40 42 45 48 50 54 56 60 64 70 72 75 80 84 90 96
    104 110 120 125 140 150 175 180 200 225 240 250 260 300 320 360 400 450 480 540 600 640 750 800 840 960 1000
    1050 1200 1234 1500 1800 2050 2125 2400 2880 3200 3600 4500 5400 5600 7500 8400 10000 12000 15400 18000 22500
    36000 45000 64000 75000 104000 120000 250000 1000000 1250000 2500000 12500000 0.5 0.25 1.5 2.5 3.75 4.2 7.5
    12.5 18.25 22.4 36.75 104.5 1234.5 2500.75 -3 -5 -12 -15 -40 -250
""".split()
UNITS = [
    "apples",
    "miles",
    "hours",
    "students",
    "minutes",
    "cookies",
    "pounds",
    "feet",
    "books",
    "marbles",
    "eggs",
    "people",
    "pages",
    "years old",
    "points",
    "gallons",
    "meters",
    "cars",
    "kg",
    "km",
]
MONEY = [
    "$<N>",
    "\\$<N>",
    "$<N>",
    "<N> dollars",
    "USD <N>",
    "€<N>",
    "£<N>",
    "Rs.<N>",
    "Rs. <N>",
    "₹<N>",
    "<N> €",
    "$ <N>",
    "US$<N>",
    "<N> USD",
    "Rs <N>",
]
PLACES = [
    "#### <V>",
    "#### <V>",
    "####<V>",
    "#### **<V>**",
    "The answer is <V>.",
    "The answer is: <V>",
    "The final answer is <V>.",
    "So the answer is <V>.",
    "**Answer:** <V>",
    "**Answer: <V>**",
    "Answer: <V>",
    "\\boxed{<L>}",
    "$\\boxed{<L>}$",
    "The final answer is \\(\\boxed{<L>}\\).",
    "Therefore, the answer is **<V>**.",
    "In the end it comes to <V>.",
    "So in total that makes <V>",
    "Final Answer: <V>",
    "<answer><V></answer>",
    "Thus the total is <V>.",
    "Hence, the result is **<V>**.",
    "= <V>",
    "### Answer\n<V>",
    "That leaves <V>.",
]
STORIES = [
    "She had 3 bags with 4 each, so 3 * 4 = 12 to begin with.\n",
    "Step 1: 5 + 6 = 11.\nStep 2: go on from there.\n",
    "Each of the 2 friends counts separately.\n",
    "First, 20% of 50 is 10.\n",
    "Let's think step by step. On day 1 there were 7. On day 2 there were 9.\n",
    "He pays $3 first and $4 later.\n",
    "There are 60 minutes in 1 hour and 24 hours in 1 day.\n",
    "",
]
# Not answers of 5, though the number is there: <V> is the gold answer, <O> and <Q> other numbers.
NEARLY = [
    "#### <V> - <O>",
    "#### <V> + <O>",
    "#### <V>/<O>",
    "#### <V> * <O>",
    "The answer is <V> million.",
    "#### <V>00",
    "#### <V> thousand",
    "\\boxed{<V> \\text{ or } <O>}",
    "#### <V>^<O>",
    "\\boxed{\\frac{<V>}{<O>}}",
    "The answer is not <V>.\n\n#### <O>",
    "I first got <V>, but that was a mistake.\n\n#### <O>",
    "#### <O>\n",
    "The answer is <O>, not <V>.",
    "<V> is too small. The answer is <O>.",
    "#### <V>:<O>",
]
# Right in spite of other numbers.
AMONG_OTHERS = [
    "I first got <O>, but that was a mistake.\n\n#### <V>",
    "The answer is <V>, not <O>.",
    "<O> is too small. The answer is <V>.",
    "The answer is <V>.\n\n(There were <O> at first.)",
    "#### <V>",
    "The final answer is \\boxed{<V>}. It would be <O> without the discount.",
    "The answer is <O> + <D> = <V>.",
    "<O> + <D> = <<<O>+<D>=<V>>><V>\n#### <V>",
    "<O> + <D> = <V>\n\n#### <V>",
    "The answer is \\boxed{<O> + <D> = <V>}.",
    "The instructions say to write the result after ####.\n\n#### <V>",
    "Put the answer in \\boxed{}.\n\nThe answer is <V>.",
]


def written(draw, value: Fraction) -> str:
    """One of the ways to write a number."""
    text = decimal(value)
    ways = [text, text]
    if abs(value) >= 1000:
        ways += [thousands(text, ",")] * 3
        if value.denominator == 1:
            ways += [thousands(text, mark) for mark in (" ", "\u00a0", "\u202f", "{,}", "\\,")]
    ways += [f"{text}.0", f"{text}.00"] if value.denominator == 1 else [f"{text}0"]
    if value < 0:
        ways.append(text.replace("-", "\u2212"))
    return draw.choice(ways)


def word_problem(draw, is_near: bool) -> tuple[str, str, str]:
    """Gold answer, response, form."""
    text = draw.choice(VALUES)
    value = Fraction(text)
    gold = draw.choice(gold_forms(text))
    form = draw.choice(["number", "number", "money", "unit", "unit", "around"])
    if form == "around":
        other = draw.choice([n for n in (2, 3, 4, 5, 6, 7, 11, 13) if n != value and n != value - n])
        template = draw.choice([text for text in NEARLY if text != "#### <V>00" or value.denominator == 1] if is_near else AMONG_OTHERS)
        rest = decimal(value - other)
        if "<D>" in template and rest.startswith("-"):
            rest = f"({rest})"
        return gold, template.replace("<V>", text).replace("<O>", str(other)).replace("<D>", rest), form
    shown = value if not is_near else draw.choice(near(text))
    number = written(draw, shown)
    if form == "money" and shown > 0 and "\\" not in number and "{" not in number:
        number = draw.choice(MONEY).replace("<N>", number)
    latex = number.replace("$", "\\$") if "\\$" not in number else number
    if form == "unit" or (form == "money" and shown <= 0):
        unit = draw.choice(UNITS)
        latex, number = draw.choice([f"{latex} \\text{{ {unit}}}", f"{latex}\\,\\text{{{unit}}}"]), f"{number} {unit}"
    template = draw.choice(PLACES)
    if "{,}" in number or "\\," in number:
        template = draw.choice([place for place in PLACES if "<L>" in place])
    story = draw.choice(STORIES)
    return gold, story + template.replace("<L>", latex).replace("<V>", number), form


def gold_forms(text: str) -> list[str]:
    shown = thousands(text, ",")
    return [
        text,
        shown,
        f"#### {text}",
        f"#### {shown}",
        f"He starts with 4 * 5 = <<4*5=20>>20.\nThen things change as told.\n#### {shown}",
        f"First, half of 12 is 12/2=<<12/2=6>>6.\nThe rest follows.\n#### {text}",
    ]


def near(text: str) -> list[Fraction]:
    """Values that look like the right one and aren't."""
    value = Fraction(text)
    values = {
        value + 1,
        value - 1,
        -value,
        value * 10,
        value / 10,
        value * 2,
        value / 2,
        value + Fraction(1, 2),
        Fraction(last_digit_off(text)),
        Fraction(swapped_digits(text)),
        value * 100,
    }
    return sorted(other for other in values - {value} if decimal(other) is not None)
