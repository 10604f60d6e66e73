//! The policy as a whole: pairs of a gold answer and an answer.

use exgrpo_guest_sdk::{Outcome, Request, Verifier, testing};

use super::MathAnswer;

fn policy(parameters: &str) -> MathAnswer {
    testing::policy(parameters).unwrap()
}

fn outcome(gold: &str, response: &str) -> Outcome {
    policy("{}").verify(&testing::request("", gold, response)).unwrap().outcome
}

/// Judges answers in a box: all of them must get this outcome.
#[track_caller]
fn check(expected: Outcome, gold: &str, answers: &[&str]) {
    for answer in answers {
        assert_eq!(outcome(gold, &format!("So \\boxed{{{answer}}}.")), expected, "{gold} | {answer}");
    }
}

const RIGHT: Outcome = Outcome::Correct;
const WRONG: Outcome = Outcome::Incorrect;

#[test]
fn numbers_are_compared_by_value() {
    check(
        RIGHT,
        "1234",
        &["1,234", "1{,}234", "1\\,234", "1234.0", "\\$1{,}234", "+1234", "\\frac{2468}{2}", "1.234e3"],
    );
    check(
        RIGHT,
        "-\\frac{3}{2}",
        &["-1.5", "-1\\frac12", "\\frac{-3}{2}", "\\dfrac{3}{-2}", "-3/2", "-1 1/2", "x=-\\frac32"],
    );
    check(RIGHT, "\\frac{1}{3}", &["0.333333", "0.\\overline{3}", "0.3333333333"]);
    check(WRONG, "\\frac{1}{3}", &["0.33", "0.333", "0.333334", "3", "-\\frac13", "\\frac{1}{30}"]);
    check(WRONG, "5.3e-9", &["5.4e-9", "0", "5.3e-8"]);
    check(WRONG, "2.7778e-6", &["2.778e-6", "2.7779e-6"]);
    check(RIGHT, "1.07e16", &["1.07\\times10^{16}", "10700000000000000", "1.07 \\cdot 10^16"]);
    check(RIGHT, "\\frac{100!}{2^{50}}", &["\\frac{100!}{2^{49}\\cdot 2}", "100! \\cdot 2^{-50}"]);
    check(WRONG, "\\frac{100!}{2^{50}}", &["\\frac{100!}{2^{50}}+1", "\\frac{99!}{2^{50}}"]);
    check(WRONG, "10^{100000}", &["10^{100001}", "10^{100000}+1"]);
    check(RIGHT, "204_5", &["204_{5}", "204"]);
    check(WRONG, "204_5", &["204_6", "54"]);
}

#[test]
fn percent_signs_units_and_currency_are_what_people_make_of_them() {
    check(RIGHT, "50\\%", &["50", "0.5", "50%", "\\frac12", "50\\text{ percent}"]);
    check(
        RIGHT,
        "15\\mbox{ cm}^2",
        &["15", "15 \\text{ cm}^2", "15\\text{ square centimeters}", "0.0015\\text{ m}^2"],
    );
    check(WRONG, "15\\mbox{ cm}^2", &["15\\text{ m}^2", "15\\text{ cm}^3", "16"]);
    check(RIGHT, "\\$18.90", &["18.9", "18.90\\text{ dollars}", "1890\\text{ cents}"]);
    check(RIGHT, "45^\\circ", &["45", "45\\text{ degrees}", "45^{\\circ}", "45°"]);
}

#[test]
fn algebra_is_decided_exactly() {
    check(RIGHT, "\\frac{1}{2-\\sqrt{3}}", &["2+\\sqrt3", "\\sqrt{3}+2", "\\sqrt{7+4\\sqrt{3}}"]);
    check(RIGHT, "2\\sqrt{113}", &["\\sqrt{452}", "113^{1/2}\\cdot 2", "\\frac{226}{\\sqrt{113}}"]);
    check(WRONG, "2\\sqrt{113}", &["\\sqrt{226}", "-2\\sqrt{113}", "21.26", "2\\sqrt[3]{113}"]);
    check(RIGHT, "\\sqrt[3]{-16}", &["-2\\sqrt[3]{2}", "-\\sqrt[3]{16}"]);
    check(RIGHT, "(n-2)2^n+1", &["n2^n-2^{n+1}+1", "1+2^{n}(n-2)", "n \\cdot 2^n - 2 \\cdot 2^n + 1"]);
    check(WRONG, "(n-2)2^n+1", &["(n-2)2^n-1", "(n-2)^n+1", "2^n(n-1)+1"]);
    check(RIGHT, "x^3-6x^2+11x-6", &["(x-1)(x-2)(x-3)", "-6+11x-6x^2+x^3"]);
    check(WRONG, "x^3-6x^2+11x-6", &["(x-1)(x-2)", "(x-1)(x-2)(x+3)"]);
    check(RIGHT, "\\frac{1}{s}-\\frac{1}{s+1}", &["\\frac{1}{s(s+1)}", "\\frac{1}{s^2+s}"]);
    check(RIGHT, "\\log_2 12", &["2+\\log_2 3", "\\frac{\\ln 12}{\\ln 2}", "2+\\frac{\\log 3}{\\log 2}"]);
    check(
        RIGHT,
        "-2+2\\sqrt{3}i",
        &["4\\left(-\\frac12+\\frac{\\sqrt3}{2}i\\right)", "2i\\sqrt3-2", "-2+2\\sqrt{-3}"],
    );
    check(RIGHT, "\\binom{2n}{n}", &["\\frac{(2n)!}{n!n!}", "\\frac{(2n)!}{(n!)^2}"]);
    check(WRONG, "x", &["\\sqrt{x^2}", "|x|", "X"]);
}

#[test]
fn functions_are_evaluated_at_random_points() {
    check(
        RIGHT,
        "\\frac{\\sqrt{3}}{2}",
        &["\\sin 60^\\circ", "\\cos\\frac{\\pi}{6}", "\\sin(\\pi/3)", "\\sin \\pi/3"],
    );
    check(RIGHT, "\\cot x", &["\\frac{\\cos x}{\\sin x}", "\\frac{1}{\\tan{x}}"]);
    check(RIGHT, "1", &["\\sin^2 x+\\cos^2 x", "-e^{i\\pi}"]);
    check(RIGHT, "\\sqrt{2}\\cos(2t-\\pi/4)", &["\\cos 2t+\\sin 2t"]);
    check(WRONG, "\\sqrt{2}\\cos(2t-\\pi/4)", &["\\cos 2t-\\sin 2t", "\\sqrt2\\sin(2t-\\pi/4)"]);
    check(RIGHT, "\\lfloor\\sqrt{n-1}\\rfloor", &["\\left\\lfloor (n-1)^{1/2}\\right\\rfloor"]);
    check(RIGHT, "\\sqrt{2}+\\sqrt{3}", &["\\sqrt{5+2\\sqrt6}"]);
    check(WRONG, "\\sqrt{2}+\\sqrt{3}", &["\\sqrt{5+2\\sqrt6}+10^{-9}", "3.1462"]);
}

#[test]
fn structures_are_compared_part_by_part() {
    check(RIGHT, "1,3,5", &["5, 3, 1", "\\{3,1,5\\}", "1, 3 \\text{ and } 5", "x=1, x=3, x=5"]);
    check(WRONG, "1,3,5", &["1,3", "1,3,5,7", "1,3,6", "135"]);
    check(RIGHT, "16,3,1,1", &["1, 16, 1, 3"]);
    check(WRONG, "16,3,1,1", &["16,3,1", "16,3,3,1"]);
    check(RIGHT, "100,225", &["100225", "225, 100"]);
    check(WRONG, "100,225", &["225,100"]);
    check(RIGHT, "27,54,108,135", &["135, 108, 54, 27"]);
    check(
        RIGHT,
        "(3,\\frac{\\pi}{2})",
        &["\\left(3, \\frac{\\pi}{2}\\right)", "(3,\\pi/2)", "(x,y)=(3,0.5\\pi)"],
    );
    check(WRONG, "(3,\\frac{\\pi}{2})", &["(\\frac{\\pi}{2},3)", "[3,\\frac{\\pi}{2}]", "(3,\\pi)", "3"]);
    check(RIGHT, "1\\pm\\sqrt{19}", &["1+\\sqrt{19},1-\\sqrt{19}", "1\\mp\\sqrt{19}"]);
    check(WRONG, "1\\pm\\sqrt{19}", &["1+\\sqrt{19}", "-1\\pm\\sqrt{19}"]);
    check(
        RIGHT,
        "(-\\infty,2)\\cup(3,\\infty)",
        &["(3,\\infty)\\cup(-\\infty,2)", "x<2 \\text{ or } x>3", "\\mathbb{R}\\setminus[2,3]"],
    );
    check(
        WRONG,
        "(-\\infty,2)\\cup(3,\\infty)",
        &["(-\\infty,2]\\cup(3,\\infty)", "(-\\infty,2)", "(-\\infty,2)\\cap(3,\\infty)"],
    );
    check(RIGHT, "x \\in [-2,7]", &["[-2,7]", "-2\\le x\\le 7", "7\\ge x\\ge-2"]);
    check(WRONG, "x \\in [-2,7]", &["(-2,7]", "[-2,7)", "-2<x\\le7", "[-2,8]", "-2,7"]);
    check(
        RIGHT,
        "\\begin{pmatrix} 1/5 \\\\ -18/5 \\end{pmatrix}",
        &["\\begin{bmatrix}0.2\\\\-3.6\\end{bmatrix}", "(\\frac15,-\\frac{18}5)"],
    );
    check(
        WRONG,
        "\\begin{pmatrix} 1 & 2 \\\\ 3 & 4 \\end{pmatrix}",
        &["\\begin{pmatrix} 1 & 3 \\\\ 2 & 4 \\end{pmatrix}"],
    );
    check(RIGHT, "\\text{(B)}", &["B", "(B)", "\\textbf{(B)}", "\\mathrm{B}"]);
    check(RIGHT, "\\text{(B)}", &["\\textbf{(B)}\\ 42", "\\text{(B) } \\frac12"]);
    check(WRONG, "\\text{(B)}", &["C", "\\textbf{(C)}\\ 42", "\\text{(A) B}"]);
    check(
        RIGHT,
        "\\frac{\\pi}{6}+\\pi k",
        &["x=\\frac16\\pi+k\\pi, k\\in\\mathbb{Z}", "\\frac{\\pi}{6}+k\\pi \\quad (k \\in \\mathbb Z)"],
    );
    check(RIGHT, "\\text{even}", &["even", "\\textit{Even}"]);
    check(RIGHT, "\\text{A and C}", &["A \\text{ and } C", "\\textbf{A and C}"]);
    check(WRONG, "\\text{even}", &["neve", "odd"]);
}

#[test]
fn relations_are_compared_up_to_factors_and_names_of_values() {
    check(RIGHT, "y = 2x + 3", &["2x+3", "y-2x=3", "2y=4x+6", "2x-y+3=0"]);
    check(WRONG, "y = 2x + 3", &["y=2x-3", "x=2y+3", "y>2x+3", "-2x-3"]);
    check(RIGHT, "5x - 7y + 11z + 4 = 0", &["7y=5x+11z+4", "10x-14y+22z=-8"]);
    check(RIGHT, "k \\geqslant 2", &["k\\ge 2", "2\\le k", "[2,\\infty)", "2k-4\\geq 0"]);
    check(WRONG, "k \\geqslant 2", &["k>2", "k\\le 2", "k \\ge 3"]);
    check(RIGHT, "(0,1)\\cup(1,\\infty)", &["x>0, x\\neq 1", "x > 0 \\text{ and } x \\ne 1"]);
    check(
        RIGHT,
        "|x|\\ge 3",
        &["x\\le -3 \\text{ or } x\\ge 3", "x^2\\ge 9", "(-\\infty,-3]\\cup[3,\\infty)"],
    );
    check(RIGHT, "204", &["m+n=204", "p(3)=204", "|A|=204", "200+4=204", "204=N"]);
    check(WRONG, "204", &["2x=204", "x+1=204", "x^2=204", "x>204"]);
    check(RIGHT, "f(x)=x,f(x)=-x", &["f(x)=-x \\text{ and } f(x)=x", "x,-x"]);
    check(WRONG, "a=2,b=3", &["3,2", "a=3,b=2", "a=2"]);
    check(WRONG, "a=3,b=3", &["a=3", "3"]);
}

#[test]
fn gold_answers_that_cant_be_read_are_unscorable() {
    for gold in ["", "\\sum_{k=1}^n k", "(1,2", "1/0", "f(x)=ax where $b$ is any of $x$", "1,2,\\ldots,9"] {
        assert_eq!(outcome(gold, "\\boxed{5}"), Outcome::Unscorable, "{gold}");
    }
    check(RIGHT, "1,2,\\ldots,9", &["1,2,\\ldots,9"]);
    check(WRONG, "5", &["\\sum_{k=1}^n k", "", "{", "1/0", "\\frac{1}{0}"]);
    assert_eq!(outcome("5", ""), WRONG);
}

#[test]
fn only_what_follows_the_think_tag_counts_when_the_run_says_so() {
    let judge = |response: &str| {
        policy(r#"{"after_think_tag": true}"#).verify(&testing::request("", "5", response)).unwrap().outcome
    };
    assert_eq!(judge("<think>\\boxed{4}</think> \\boxed{5}"), RIGHT);
    assert_eq!(judge("<think>\\boxed{5}</think> \\boxed{4}"), WRONG);
    assert_eq!(judge("\\boxed{5}"), WRONG);
    let cut = Request { finished: false, ..testing::request("", "5", "the answer is 5") };
    assert_eq!(policy("{}").verify(&cut).unwrap().outcome, WRONG);
}
