//! The policy as a whole: what people write, and texts that nobody would.

use exgrpo_guest_sdk::{Outcome, Request, Verifier, testing};

use super::Gsm8k;

mod sentences;

#[track_caller]
fn check(expected: Outcome, gold: &str, responses: &[&str]) {
    let policy = testing::policy::<Gsm8k>("{}").unwrap();
    for response in responses {
        let verdict = policy.verify(&testing::request("", gold, response)).unwrap();
        assert_eq!(verdict.outcome, expected, "{gold} | {response}");
    }
}

#[test]
fn numbers_are_found_and_compared_by_value() {
    for gold in ["1200", "1,200", "He has 3 * 400 = <<3*400=1200>>1200 left.\n#### 1,200", "$1200.00"] {
        check(
            Outcome::Correct,
            gold,
            &[
                "3 * 400 = 1200\n#### 1200",
                "#### $1,200.00.",
                "So \\boxed{1{,}200}.",
                "\\boxed{\\$1200}",
                "The answer is 1,200 dollars. There were 7.",
                "Answer: 3*400 = 1200",
                "She pays $1200.",
                "It costs €1,200.0",
                "= 1200",
            ],
        );
        check(
            Outcome::Incorrect,
            gold,
            &[
                "",
                "#### 1201",
                "#### -1200",
                "1200 then 5",
                "\\boxed{12}",
                "#### 120",
                "x1200",
                "The answer is 12,00",
            ],
        );
    }
    check(Outcome::Correct, "-3", &["#### -3", "it is -3", "-$3", "\\boxed{-3}"]);
    check(Outcome::Correct, "3", &["8-5=3", "from 5 - 3"]);
    check(Outcome::Correct, "0.5", &[".5", "0.50", "#### 0.5%"]);
    check(Outcome::Correct, "123456789012345678901234567890", &["123,456,789,012,345,678,901,234,567,890"]);
}

#[test]
fn people_write_numbers_in_many_ways() {
    for (gold, right, wrong) in [
        (
            "72",
            &[
                "The answer is **72**.",
                "The answer is: $72$.",
                "**Answer:** 72",
                "#### **72**",
                "#### $72",
                "#### 72 clips",
                "####72",
                "Answer: 72%",
                "\\boxed{72\\%}",
                "\\boxed{72 \\text{ clips}}",
                "\\[\\boxed{72}\\]",
                "She sold 48 + 24 = 72 clips.",
                "The final answer is 72, which is 48 + 24.",
                "The answer is \\(72\\).",
                "The answer is 72.\n\n48 in April and 24 in May.",
                "The answer is\n72",
                "So the total is $72.00.",
                "<answer>72</answer>",
                "The answer is 48 + 24 = **72**.",
                "$\\boxed {72}$",
                "\\boxed{x = 72}",
                "\\boxed{48 + 24 = 72}",
                "The answer is 72.0.",
            ][..],
            &[
                "The answer is 72.5.",
                "The answer is not 72.",
                "The answer is 7.",
                "#### 27",
                "#### 720",
                "The answer is -72.",
                "\\boxed{72 \\text{ or } 73}",
                "The answer is 72 - 2 = 70.",
                "#### 72 million",
                "#### 7/2",
                "The answer is 72/3.",
                "\\boxed{\\frac{72}{5}}",
                "The answer is at least 72.",
            ][..],
        ),
        (
            "1234",
            &[
                "#### 1,234",
                "$1,234.00",
                "The answer is $1{,}234$.",
                "#### 1,234 dollars",
                "USD 1,234",
                "\\$1,234",
            ][..],
            &["#### 1,243", "#### 1.234", "1,23,4", "#### 234", "12,34"][..],
        ),
        (
            "18",
            &["She makes $18.00 every day.", "18 dollars", "The answer is $18.", "#### $18.00", "It is 18$."]
                [..],
            &["$18.50", "#### $1.80", "18 cents or 19"][..],
        ),
        ("0.25", &["0.25", ".25", "25 / 100 = 0.250", "\\boxed{0.25}"][..], &["0.2", "#### 25"][..]),
        ("2500000", &["2.5 million", "#### 2,500 thousand"][..], &["2.5", "25 million"][..]),
        (
            "-15",
            &[
                "#### -15",
                "The answer is −15.",
                "The answer is -$15.",
                "It is $-15$.",
                "The answer is negative 15.",
                "The change is minus 15",
                "\\boxed{-15}",
            ][..],
            &["#### 15", "20 - 15", "20 minus 15"][..],
        ),
    ] {
        check(Outcome::Correct, gold, right);
        check(Outcome::Incorrect, gold, wrong);
    }
}

#[test]
fn a_cut_response_has_an_answer_only_in_a_box() {
    let policy = testing::policy::<Gsm8k>("{}").unwrap();
    let judge = |response: &str| {
        let request = Request { finished: false, ..testing::request("", "#### 12", response) };
        policy.verify(&request).unwrap().outcome
    };
    assert_eq!(judge("\\boxed{12} because"), Outcome::Correct);
    assert_eq!(judge("#### 12"), Outcome::Incorrect);
}

#[test]
fn a_reference_without_one_number_is_unscorable() {
    for gold in ["", "####", "#### none", "#### 3 or 4"] {
        check(Outcome::Unscorable, gold, &["#### 3"]);
    }
}

#[test]
fn any_text_gets_a_verdict() {
    let policy = testing::policy::<Gsm8k>("{}").unwrap();
    let mut random = exgrpo_guest_sdk::Random::new(8);
    for _ in 0..50_000 {
        let [prompt, gold, response] = std::array::from_fn(|_| testing::any_text(&mut random));
        let request = testing::request(&prompt, &gold, &response);
        assert!(policy.verify(&request).is_ok());
    }
}
#[test]
fn signs_of_currency_and_groups_belong_to_the_number() {
    for (gold, right, wrong) in [
        (
            "10",
            &["She pays Rs.10", "Rs. 10", "The answer is Rs. 10.", "#### Rs.10", "She pays USD10", "Rs10"][..],
            &["Rs.100", "xRs10", "She pays Rs.1"][..],
        ),
        (
            "1000",
            &[
                "1 000",
                "1\u{a0}000",
                "1\u{202f}000",
                "1\u{2009}000",
                "#### 1 000",
                "\\boxed{1\\,000}",
                "1'000",
                "１，０００",
            ],
            &["1 00", "1 0000", "11 000", "1 000 000", "#### 1 000 5", "1,000 000"],
        ),
        (
            "15",
            &[
                "答案是15。",
                "共15个苹果",
                "所以答案：１５",
                "答えは15です。",
                "La respuesta es 15 manzanas.",
                "Ответ: 15",
            ],
            &["答案是150。", "答案至少15", "答案：-15", "x15", "答案：15或16"],
        ),
        (
            "-5",
            &["The temperature is −5 degrees.", "温度是−5度", "#### −5", "答案：－5", "the change is −$5"],
            &["10−5", "10 − 5", "温度是5度"],
        ),
    ] {
        check(Outcome::Correct, gold, right);
        check(Outcome::Incorrect, gold, wrong);
    }
}

#[test]
fn what_is_left_to_work_out_is_no_answer() {
    for gold in ["5", "3", "2", "-3", "53"] {
        check(
            Outcome::Incorrect,
            gold,
            &[
                "#### 5 - 3",
                "#### 5 3",
                "#### 5 -3",
                "#### 5 + 3",
                "#### 5, 3",
                "#### 5 or 3",
                "#### 5x3",
                "#### 5 ± 3",
                "#### 5 (or 3)",
                "The answer is 5 - 3.",
                "The answer is 5 * 3",
            ],
        );
    }
    check(
        Outcome::Correct,
        "8",
        &["#### 5 + 3 = 8", "#### 8 (5 + 3)", "#### 8 apples of 10", "The answer is 8, as 5 + 3 is."],
    );
}

#[test]
fn a_box_without_a_number_hides_nothing() {
    check(
        Outcome::Correct,
        "7",
        &[
            "The answer is 7, in \\boxed{}.",
            "We put it in \\boxed{} as asked: 7",
            "\\boxed{7} as asked in \\boxed{}",
            "\\boxed{\\text{apples}}\nThe answer is 7.",
            "\\boxed{6}\n\n**Final Answer**: 7",
            "\\boxed{6} is wrong, so the answer is 7.",
            "\\boxed{7}. If there were one more, the answer would be 8.",
            "\\boxed{7}. To check the answer: 2 * 7 = 14.",
            "Final answer: the total of 3 days is 7.",
        ],
    );
    check(
        Outcome::Incorrect,
        "7",
        &[
            "\\boxed{7}\n\nFinal answer: 8",
            "\\boxed{8} as asked in \\boxed{}, not 7",
            "Final answer: the total of 7 days is 3.",
            "So there are at least 7",
        ],
    );
}

#[test]
fn long_texts_are_read_in_one_go() {
    for piece in [
        "1 ",
        "-1 ",
        "$ -",
        "1,",
        "(1)-",
        "1,000",
        "9",
        "\\boxed{1}",
        "#### ",
        "Rs.",
        "the answer is ",
        "1 000 ",
        "1 thousand ",
        "1/2 ",
        "(1) ",
        "1 in ",
        "\\frac{",
        "\\frac12",
        "2^",
        "#### 1. a\n",
        "not 1, ",
        "5th ",
    ] {
        let hostile = piece.repeat(1_000_000 / piece.len());
        let started = std::time::Instant::now();
        check(Outcome::Incorrect, "12345", &[&hostile]);
        assert!(started.elapsed().as_secs_f64() < 5.0, "{piece}");
    }
}
