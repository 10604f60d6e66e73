//! Texts that nobody would write: all of them get a verdict, and soon.

use exgrpo_guest_sdk::{Outcome, Random, Verifier, testing};

use super::MathAnswer;

/// Pieces of answers, and of what no answer holds.
const PIECES: [&str; 100] = [
    "1",
    "2",
    "17",
    "0",
    "0.5",
    ".",
    ",",
    "1,000",
    "999999999999999999999",
    "1e9",
    "9e3999",
    "x",
    "y",
    "n",
    "i",
    "e",
    "\\pi",
    "\\alpha",
    "+",
    "-",
    "*",
    "/",
    "^",
    "_",
    "!",
    "%",
    "=",
    "<",
    "\\le",
    "\\ne",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "\\{",
    "\\}",
    "|",
    "\\left(",
    "\\right)",
    "\\frac",
    "\\frac{1}{2}",
    "\\dfrac12",
    "\\sqrt",
    "\\sqrt[3]",
    "\\sqrt{2}",
    "\\binom",
    "\\sin",
    "\\log_2",
    "\\ln",
    "\\exp",
    "\\lfloor",
    "\\rfloor",
    "\\pm",
    "\\mp",
    "\\cup",
    "\\cap",
    "\\setminus",
    "\\in",
    "\\infty",
    "\\emptyset",
    "\\mathbb{R}",
    "\\text{ and }",
    "\\text{cm}",
    "\\text{",
    "\\begin{pmatrix}",
    "\\end{pmatrix}",
    "&",
    "\\\\",
    "^\\circ",
    "^{-1}",
    "^{99999}",
    "^{9^{9^9}}",
    "\\boxed{",
    "$",
    "\\$",
    "the answer is ",
    " ",
    "\n",
    "π",
    "−",
    "é🙂",
    "\\overline{3}",
    "0.3\\bar3",
    "0.333...",
    ":",
    "\\text{ to }",
    "\\text{ million}",
    "\\text{ at least }",
    "\\text{m/s}",
    "\\frac{\\text{km}}{\\text{h}}",
    "\\pmod",
    "\\approx",
    "\\begin{cases}",
    "\\end{cases}",
    "\\\\[4pt]",
    "^T",
    "\\text{ where }",
    "√",
];

/// A random string of pieces, with nested brackets now and then.
fn fuzzed(random: &mut Random) -> String {
    let mut text = String::new();
    if random.below(40) == 0 {
        let opening = [
            "(",
            "{",
            "\\begin{cases}&=",
            "\\text{ab}(",
            "\\text{is }{",
            "\\sqrt{",
            "\\frac{1}{",
            "2^{",
            "|",
            "-",
            "\\{1,\\{",
            "\\left[",
            "\\text{",
            "1+1/(",
        ][random.below(14)];
        text.push_str(&opening.repeat(random.below(3000)));
    }
    for _ in 0..random.below(24) {
        text.push_str(PIECES[random.below(PIECES.len())]);
    }
    if random.below(10) == 0 {
        text = format!("({text})^{{{}}}", random.bits() >> random.below(64));
    }
    text
}

/// A text that a grammar of answers generates: most of them can be read, and cost most.
fn generated(random: &mut Random, depth: usize) -> String {
    let a = |random: &mut Random| generated(random, depth.saturating_sub(1));
    match if depth == 0 { random.below(4) } else { random.below(20) } {
        0 => random.below(100).to_string(),
        1 => ["x", "y", "n", "\\pi", "e", "i", "\\infty"][random.below(7)].into(),
        2 => (random.bits() >> random.below(64)).to_string(),
        3 => format!("{}.{}", random.below(100), random.below(1000)),
        4 | 5 => format!("{}+{}", a(random), a(random)),
        6 => format!("({})({})", a(random), a(random)),
        7 => format!("\\frac{{{}}}{{{}}}", a(random), a(random)),
        8 => format!("({})^{{{}}}", a(random), a(random)),
        9 => format!("\\sqrt{{{}}}", a(random)),
        10 => format!("\\{{{}, {}, {}\\}}", a(random), a(random), a(random)),
        11 => format!("({}, {}]", a(random), a(random)),
        12 => format!("{} \\cup {}", a(random), a(random)),
        13 => format!("{} = {}", a(random), a(random)),
        14 => format!("{} < {}", a(random), a(random)),
        15 => format!("({})!", a(random)),
        16 => format!("\\sin({})", a(random)),
        17 => format!("{} \\pm {}", a(random), a(random)),
        18 => format!("-{}", a(random)),
        _ => format!("\\begin{{pmatrix}} {} & {} \\end{{pmatrix}}", a(random), a(random)),
    }
}

#[test]
fn any_text_gets_a_verdict() {
    let policy = testing::policy::<MathAnswer>("{}").unwrap();
    let mut random = Random::new(4);
    let (mut slowest, mut correct) = (std::time::Duration::ZERO, 0);
    for number in 0..100_000 {
        let (gold, response) = if number % 2 == 0 {
            (fuzzed(&mut random), fuzzed(&mut random))
        } else {
            (generated(&mut random, 4), generated(&mut random, 4))
        };
        let response = match random.below(4) {
            0 => gold.clone(),
            1 => format!("\\boxed{{{response}}}"),
            2 => format!("\\boxed{{{{}}{gold} }} "),
            _ => response,
        };
        let started = std::time::Instant::now();
        let verdict = policy.verify(&testing::request("", &gold, &response)).unwrap();
        slowest = slowest.max(started.elapsed());
        correct += usize::from(verdict.outcome == Outcome::Correct);
        assert!(verdict.reward.is_finite());
    }
    assert!(correct > 10_000, "{correct}");
    // Milliseconds, in fact: this is for machines that are slow and busy.
    assert!(slowest.as_secs_f64() < 20.0, "{slowest:?}");
}

#[test]
fn long_responses_are_read_in_one_go() {
    for piece in [
        "$1",
        "\\( ",
        "$x$ is ",
        "\\boxed{1}",
        "\\boxed{",
        "\\boxed{} ",
        "\\boxed ",
        "the answer is ",
        "answer\n",
        "####",
        "-1 ",
        "1. ",
        " is $1$ and",
        "答案",
        "共1个",
        "\\\\frac",
        "so there is no solution. ",
        "{\"answer\":",
        "1,1",
        "'",
    ] {
        let policy = testing::policy::<MathAnswer>("{}").unwrap();
        let hostile = piece.repeat(1_000_000 / piece.len());
        let started = std::time::Instant::now();
        let request = testing::request("", "12345", &hostile);
        assert_ne!(policy.verify(&request).unwrap().outcome, Outcome::Correct, "{piece}");
        let as_gold = testing::request("", &hostile, "\\boxed{5}");
        assert_ne!(policy.verify(&as_gold).unwrap().outcome, Outcome::Correct, "{piece}");
        assert!(started.elapsed().as_secs_f64() < 5.0, "{piece}");
    }
}
