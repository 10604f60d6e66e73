//! The policy as a whole: what people write, and texts that nobody would.

use exgrpo_guest_sdk::{Outcome, Request, Verifier, testing};

use super::MultipleChoice;

mod sentences;
mod verdicts;

#[track_caller]
fn check(expected: Outcome, gold: &str, responses: &[&str]) {
    let policy = testing::policy::<MultipleChoice>("{}").unwrap();
    for response in responses {
        let verdict = policy.verify(&testing::request("", gold, response)).unwrap();
        assert_eq!(verdict.outcome, expected, "{gold} | {response}");
    }
}

#[test]
fn choices_are_found_in_boxes_phrases_brackets_and_lines() {
    for gold in ["B", "(B)", "\\text{(B)}", "B. 42", "b"] {
        check(
            Outcome::Correct,
            gold,
            &[
                "\\boxed{B}",
                "\\boxed{\\text{(B)}}",
                "A? No. $\\boxed{\\textbf{B}}$",
                "\\boxed{B. 42}",
                "(A) fails. The answer is (B).",
                "The answer is B because A is false.",
                "the correct answer is: **B) Rome**",
                "Answer: option B",
                "**Answer:**\n\nB",
                "The correct choice is (B)",
                "Not (A) but (B)",
                "Let me think. A is false.\n\n**B.**",
                "b",
            ],
        );
    }
    check(Outcome::Correct, "3", &["\\boxed{3}", "The answer is (3).", "3) Rome", "Answer: 3. Rome"]);
    check(Outcome::Correct, "A", &["The answer is A.", "Answer: A", "answer is (A) all of them"]);
}

#[test]
fn people_write_choices_in_many_ways() {
    check(
        Outcome::Correct,
        "B",
        &[
            "(B)",
            "B.",
            "option B",
            "Option (B)",
            "Answer: B) foo",
            "Answer: B. foo",
            "The answer is **B**.",
            "The answer is **(B)**.",
            "The answer is $\\boxed{B}$.",
            "The correct answer is option B: Rome.",
            "The correct option is B.",
            "The correct choice is B",
            "The best answer is B, since A is absurd.",
            "Therefore, the answer is (B) Rome.",
            "So B is correct.",
            "B is the correct answer.",
            "**B) Rome**",
            "I would choose B.",
            "Final answer: B",
            "Final Answer: \\textbf{(B)}",
            "#### B",
            "<answer>B</answer>",
            "<answer>(B)</answer>",
            "The answer is: B\n\nExplanation: A is wrong.",
            "Answer is B",
            "\\boxed{\\mathrm{B}}",
            "\\boxed{\\text{B}}",
            "\\boxed{\\text{B) Rome}}",
            "\\boxed{(B)\\ 42}",
            "\\boxed{\\text{Option B}}",
            "Answer: `B`",
            "[B]",
            "The answer is \"B\".",
            "The answer is b.",
        ],
    );
    check(
        Outcome::Incorrect,
        "B",
        &[
            "The answer is not B.",
            "So B is incorrect.",
            "The answer is A) Berlin",
            "Answer: C. B",
            "option A",
            "A. B is wrong",
            "The answer is AB.",
            "The answer is (A) or (B).",
            "The answer is both A and B.",
            "\\boxed{A} or B",
            "\\boxed{A, B}",
            "\\boxed{AB}",
            "None of the above",
            "Option B is wrong, so the answer is D.",
            "Not (B).",
            "Rome",
        ],
    );
}

#[test]
fn other_choices_and_none_are_incorrect() {
    check(
        Outcome::Incorrect,
        "B",
        &[
            "",
            "\\boxed{A}",
            "\\boxed{}",
            "\\boxed{Both}",
            "The answer is A and B.",
            "The answer is (A), (B)",
            "The answer is Berlin.",
            "B is tempting, but the answer is (C).",
            "Because of this.",
        ],
    );
    check(
        Outcome::Incorrect,
        "A",
        &["The answer is a cat.", "The answer is All of them.", "The answer is A cat"],
    );
    check(Outcome::Incorrect, "4", &["The answer is 42.", "\\boxed{4.5}", "\\boxed{44}"]);
    let policy = testing::policy::<MultipleChoice>(r#"{"after_think_tag": true, "max_options": 4}"#).unwrap();
    let judge = |response: &str| policy.verify(&testing::request("", "B", response)).unwrap().outcome;
    assert_eq!(judge("\\boxed{B}"), Outcome::Incorrect);
    assert_eq!(judge("\\boxed{A}</think>\\boxed{B}"), Outcome::Correct);
    let cut = Request { finished: false, ..testing::request("", "B", "</think>The answer is B") };
    assert_eq!(policy.verify(&cut).unwrap().outcome, Outcome::Incorrect);
}

#[test]
fn a_reference_that_is_no_label_is_unscorable() {
    for gold in ["", "Rome", "42", "K", "0", "All"] {
        check(Outcome::Unscorable, gold, &["\\boxed{B}"]);
    }
}

#[test]
fn any_text_gets_a_verdict() {
    let policy = testing::policy::<MultipleChoice>("{}").unwrap();
    let mut random = exgrpo_guest_sdk::Random::new(8);
    for _ in 0..50_000 {
        let [prompt, gold, response] = std::array::from_fn(|_| testing::any_text(&mut random));
        let request = testing::request(&prompt, &gold, &response);
        assert!(policy.verify(&request).is_ok());
    }
}
#[test]
fn a_box_without_a_label_hides_no_choice() {
    check(
        Outcome::Correct,
        "B",
        &[
            "We see \\boxed{\\langle H\\rangle \\ll \\Delta E} holds.\n\n**Answer: B**",
            "\\boxed{42}\n\nThe answer is (B).",
            "\\boxed{\\text{Rome}}\nAnswer: B",
            "The answer is B, as asked in \\boxed{}.",
            "\\boxed{B} as asked in \\boxed{}",
            "\\boxed{42}, so B is correct.",
            "\\boxed{42}\n\n**B**",
            "The answer is B: \\boxed{42}",
            "\\boxed{A}\n\nThat is wrong.\n\n**Final Answer**: B",
            "\\boxed{A}? No, the answer is B.",
            "\\boxed{B}. The answer is in the box.",
            "\\boxed{B}. If friction counted, the answer would be C.",
            "I put it in \\boxed as asked. The answer is B.",
        ],
    );
    check(
        Outcome::Incorrect,
        "B",
        &[
            "\\boxed{42}\n\nThe answer is (C).",
            "\\boxed{A, B}. Both hold.\n\nB",
            "\\boxed{B}\n\nFinal answer: C",
            "(A) 41 (B) \\boxed{42}",
            "\\boxed{42}",
            "\\boxed{B} is wrong. The answer is C.",
            "\\boxed{42}. The answer is not B.",
        ],
    );
}

#[test]
fn statements_come_before_labels_that_are_only_mentioned() {
    check(
        Outcome::Correct,
        "C",
        &[
            "(C) is the correct answer, while (D) ignores friction.",
            "C is correct. Option (D) ignores friction.",
            "Option (C) is right because (A) and (B) are not.",
            "(C) is correct, since (A) is not.",
            "C\n\nBecause (D) ignores friction.",
            "**C**\n\n(A) is too small, (B) too large, and (D) ignores friction.",
            "(C)\nExplanation: unlike (D), it counts friction.",
            "{\"answer\": \"C\"}",
            "{\"reason\": \"D ignores friction\", \"answer\": \"C\"}",
            "```json\n{\"final_answer\": \"(C)\", \"unit\": \"A\"}\n```",
            "{\"choice\":\"C\"}",
            "The answer is in option C",
            "Not D. C is the right answer.",
            "The best choice is C; (D) is a distractor.",
            "{'answer': 'C'}",
            "{\"answer\": \"C\", \"explanation\": \"The answer is not D\"}",
            "C) Rome\n\nBecause (D) is a city in France.",
            "I'd go with C.",
            "It might seem that A is correct. So (C).",
            "I first thought that D is correct. Therefore, (C)",
        ],
    );
    check(
        Outcome::Incorrect,
        "C",
        &[
            "(D) is the correct answer, while (C) ignores friction.",
            "D\n\nBecause (C) ignores friction.",
            "{\"answer\": \"D\", \"not\": \"C\"}",
            "{\"answer\": \"C and D\"}",
            "It might seem that C is correct. So (D).",
            "(C) is not the correct answer.",
            "C\nD",
            "If C is correct, then so is D.",
        ],
    );
    check(
        Outcome::Correct,
        "A",
        &[
            "The answer is A because B is too large.",
            "The answer is A since it is the largest.",
            "The answer is A, as B is too large.",
            "The answer is A as B is too large.",
            "La respuesta es A porque B es demasiado grande.",
            "The answer is A due to friction.",
            "The answer is A when friction is ignored.",
        ],
    );
    check(
        Outcome::Incorrect,
        "A",
        &["The answer is A big one", "The answer is B because A is too large.", "A because of friction or B"],
    );
}

#[test]
fn other_languages_announce_choices_too() {
    check(
        Outcome::Correct,
        "C",
        &[
            "答案：C",
            "答案：Ｃ",
            "答案是C，因为A太大。",
            "所以选C。",
            "故选：C",
            "因此，正确答案为（C）。",
            "应选C项。",
            "我选择C",
            "正确选项是C。",
            "La respuesta correcta es la C.",
            "A alternativa correta é C.",
            "选项C正确。",
            "C是正确的，而D忽略了摩擦。",
            "La respuesta es C.",
            "La bonne réponse est (C).",
            "Die richtige Antwort ist C.",
            "A resposta correta é C.",
            "La risposta corretta è C, perché A è falsa.",
            "Ответ: C",
            "答えはCです。",
            "정답은 C입니다.",
        ],
    );
    check(
        Outcome::Incorrect,
        "C",
        &[
            "答案：D",
            "所以选D，不选C。",
            "不能选C。",
            "答案不是C。",
            "C是错误的。",
            "答案：C和D",
            "选CD。",
            "La respuesta no es C.",
            "从C中选3个。",
        ],
    );
}

#[test]
fn long_texts_are_read_in_one_go() {
    for piece in [
        "(A) ",
        "A\n",
        "A is ",
        "选",
        "\\boxed{1}",
        "\\boxed ",
        "the answer is ",
        "option ",
        "((",
        "\"answer\":",
        "not A is right ",
        "A is not A ",
        "A and ",
        "So (A) ",
        "#### A. ",
        "A is correct? ",
        "I eliminate A ",
        "if the answer is A, ",
        "the answer to ",
    ] {
        let hostile = piece.repeat(1_000_000 / piece.len());
        let started = std::time::Instant::now();
        check(Outcome::Incorrect, "E", &[&hostile]);
        assert!(started.elapsed().as_secs_f64() < 5.0, "{piece}");
    }
}
