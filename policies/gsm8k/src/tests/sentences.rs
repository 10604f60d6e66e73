//! What the words and signs around a number make of it.

use exgrpo_guest_sdk::{Outcome, Verifier, testing};

use super::{Gsm8k, check};

#[test]
fn what_is_denied_or_bounded_is_no_answer() {
    check(
        Outcome::Incorrect,
        "72",
        &[
            "The answer is **not** 72.",
            "The answer is definitely not 72.",
            "The answer is, of course, *not* $72$.",
            "#### not 72",
            "So she does not have 72 clips",
            "The answer is **at least** $72$.",
            "\\boxed{\\text{at most } 72}",
            "\\boxed{72 \\text{ or more}}",
            "The answer is 72 clips or fewer.",
            "The answer is 72 more than Tom's.",
            "She has 72 fewer than Tom",
            "She has over 72 clips",
            "The wrong answer is 72.",
            "His answer is 72.",
        ],
    );
    check(
        Outcome::Correct,
        "72",
        &[
            "The answer is not 71 but 72.",
            "The answer is actually **not** $71$, but $72$.",
            "The answer is 72, more than half of 100.",
            "The answer is 72, not 71.",
            "What is left over is 72.",
            "At least 2 of 3 stay, so she has 72.",
            "She could not buy more, so she has 72.",
        ],
    );
}

#[test]
fn fractions_and_scales_count_by_value() {
    for (gold, right, wrong) in [
        (
            "5.5",
            &[
                "#### 5 1/2",
                "\\boxed{5\\frac{1}{2}}",
                "The answer is 5½.",
                "#### 11/2",
                "It is 5 and a half",
                "\\boxed{\\dfrac{11}{2}}",
            ][..],
            &["#### 5 3/2", "#### 5", "#### 5, 1/2", "#### 5.5/2"][..],
        ),
        (
            "5",
            &["#### 5 kg", "She gave away 5, which is 1/2 of them."],
            &[
                "#### 5 1/2",
                "\\boxed{5 1/2}",
                "The answer is 5 1/2.",
                "The answer is 5½.",
                "The answer is 5 and a half.",
                "#### 5 tenths",
                "#### 10/2",
            ],
        ),
        ("-1/3", &["#### -1/3", "\\boxed{-\\frac{2}{6}}"], &["#### 1/3", "#### -0.33", "#### 1", "#### 3"]),
        (
            "72",
            &["#### 72 Mills", "#### 72 km", "#### 72m", "#### 72 M", "#### 6 dozen", "#### 72 cm^2"],
            &[
                "#### 72 Million",
                "The answer is $72$ million.",
                "The answer is **72** million.",
                "#### 72-million",
                "#### 72k",
                "#### $72M",
                "#### 72 trillion",
                "#### 72 dozen",
                "\\boxed{72\\text{ thousand}}",
                "答案是72万。",
                "#### 72^2",
                "#### 72²",
                "#### √72",
                "\\boxed{\\sqrt{72}}",
                "#### 72e3",
                "So it is 2^72",
                "#### 72:30",
            ],
        ),
    ] {
        check(Outcome::Correct, gold, right);
        check(Outcome::Incorrect, gold, wrong);
    }
    check(Outcome::Correct, "72000000", &["#### $72$ Million", "72-million", "#### 72M", "#### 7200万"]);
    // The question may count in dozens.
    let policy = testing::policy::<Gsm8k>("{}").unwrap();
    let request = testing::request("How many dozen eggs does she need?", "#### 2", "She needs 2 dozen eggs.");
    assert_eq!(policy.verify(&request).unwrap().outcome, Outcome::Correct);
}

#[test]
fn headings_are_no_answers() {
    check(
        Outcome::Correct,
        "72",
        &[
            "#### Step 3: add\n48 + 24\n\\boxed{72}",
            "#### 3. Add\nThe answer is 72.",
            "#### 1) Add 48 and 24\n48 + 24 = 72",
            "#### Final Answer\n72",
            "#### 3 Additions\n\n\\boxed{72}",
            "#### 72\n\n#### Check\nIt is 48 + 24.",
            "#### 48 + 24 = 72",
        ],
    );
    check(Outcome::Incorrect, "3", &["#### Step 3: add\n\\boxed{72}", "#### 3. Add\nThe answer is 72."]);
}

#[test]
fn the_number_of_a_circumstance_is_no_answer() {
    for response in [
        "It costs 12 dollars for 3 pens.",
        "He bought 12 pens at $3 each.",
        "He earns 12 dollars in 3 hours.",
        "Hence 12 of the 3 are old.",
    ] {
        check(Outcome::Incorrect, "3", &[response]);
    }
    check(Outcome::Incorrect, "6", &["He needs 5 to 6", "He needs 5 or 6 of them"]);
    check(Outcome::Correct, "6", &["It falls from 10 to 6."]);
    check(
        Outcome::Correct,
        "12",
        &[
            "So the total is 12.\n(This took 3 steps.)",
            "So she has 12 (9 from April and 3 from May).",
            "They get 12 each.",
            "After 3 days he has 12 on the 4th.",
            "He paid for 12.",
            "Work: 48/4 ≈ 12",
        ],
    );
}

#[test]
fn what_is_left_to_work_out_in_words_is_no_answer() {
    check(
        Outcome::Incorrect,
        "5",
        &[
            "The answer is 5 times 3.",
            "The answer is 5 plus 12.",
            "#### 5 minus 3",
            "#### 5 divided by 2",
            "The answer is twice 5.",
            "#### half of 5",
            "\\boxed{\\text{twice }5}",
            "The answer is the square root of 5.",
            "The answer is 5 squared.",
            "#### 5% of 20",
        ],
    );
    check(Outcome::Correct, "5", &["He jumps 5 times", "#### 5 square feet", "Twice as much is 5."]);
}

#[test]
fn thoughts_are_no_answer() {
    check(
        Outcome::Correct,
        "72",
        &["<think>\nThe answer is 71? No.\n</think>\n\n72 clips", "<think>\\boxed{71}</think>**72**"],
    );
    check(Outcome::Incorrect, "71", &["<think>\\boxed{71}</think>It is 72.", "<think>71</think>So 72."]);
}

#[test]
fn an_answer_that_is_taken_back_counts_no_more() {
    check(
        Outcome::Incorrect,
        "5",
        &[
            "I do not know. \\boxed{5} is wrong.",
            "$\\boxed{5}$ isn't correct.",
            "\\boxed{5}\n\nWait, that's wrong. It should be 6.",
            "The answer is 5. Hold on, that can't be right. It is 6.",
        ],
    );
    check(
        Outcome::Correct,
        "5",
        &[
            "\\boxed{6}\n\nWait, that's wrong. It should be 5.",
            "The answer is 6. Hold on, that can't be right. It is 5.",
            "\\boxed{5}. Some say 6. That is wrong.",
        ],
    );
}

#[test]
fn a_quantity_of_two_parts_is_not_its_first() {
    let parts = [
        "#### 5 hours 30 minutes",
        "#### 5 hours and 30 minutes",
        "The answer is 5 feet 6 inches.",
        "The answer is 5 apples and 3 pears.",
        "It takes her 30 hours 5 minutes.",
    ];
    check(Outcome::Incorrect, "5", &parts);
    check(
        Outcome::Correct,
        "5",
        &[
            "#### 5 hours",
            "The answer is 5 apples, which is 3 more than 2.",
            "The answer is 5 pens of 30 cents.",
        ],
    );
}

#[test]
fn what_is_denied_beside_the_right_number_is_left_out() {
    check(
        Outcome::Correct,
        "324",
        &[
            "答えは324であって333ではない。",
            "因为81×4=324，所以答案是324，不是333。",
            "답은 333이 아니라 324입니다.",
            "Die Antwort ist nicht 333, sondern 324.",
            "La respuesta es 324, no 333.",
        ],
    );
    check(
        Outcome::Incorrect,
        "333",
        &["答えは324であって333ではない。", "답은 333이 아니라 324입니다.", "The total is 324 and not 333."],
    );
}

#[test]
fn a_sentence_is_about_the_number_of_its_main_clause() {
    check(
        Outcome::Correct,
        "45",
        &[
            "Nadia will then be 45, while Maya will be 17.",
            "While Maya will be 17, Nadia will be 45.",
            "Final answer: Nadia will then be 45, whereas Maya will be 17.",
            "So there were 45 oranges, 17 of them loose.",
            "So 45 full teams can be formed with 1 player left over.",
            "In total, Yuki pays $45 for the 4 notebooks and 9 pens.",
            "Grace still has 45 of the 310 pages to read.",
            "That leaves Felix with 45 stickers out of the original 73.",
            "So the profit amounts to $45 once costs of $279 are paid.",
            "Final answer: Over the 8 hours the train travels 45 miles.",
            "这辆车一共行驶了45千米。",
            "Final answer: <b>45</b>",
            "12 + 33 => 45",
            "> 45",
        ],
    );
    check(Outcome::Incorrect, "17", &["Nadia will then be 45, while Maya will be 17."]);
    check(
        Outcome::Incorrect,
        "45",
        &[
            "Maya will be 17, while Nadia will be 45.",
            "Final answer: Maya will be 17, while Nadia will be 45.",
            "Maya will be 17 and Nadia will be 45.",
            "So there were 60 oranges, 45 of them loose.",
            "That leaves Felix with 28 stickers out of the original 45.",
            "So the profit amounts to $450 once costs of $45 are paid.",
            "Final answer: Over the 45 hours the train travels 450 miles.",
            "这辆车一共行驶了45千人。",
        ],
    );
}

#[test]
fn a_comparison_tells_no_number() {
    check(
        Outcome::Incorrect,
        "251",
        &[
            "The answer is x < 251.",
            "So the answer is $x > 251$.",
            "Final answer: x ≠ 251",
            "The answer is $x \\leq 251$.",
            "The answer is 251 > x.",
            "The answer is $251 \\ge x$.",
            "\\boxed{x \\neq 251}",
            "So x ≥ 251.",
        ],
    );
}

#[test]
fn only_what_is_meant_counts() {
    let policy = testing::policy::<Gsm8k>("{}").unwrap();
    let mut wrong = Vec::new();
    for line in include_str!("meant.tsv").lines().filter(|line| !line.starts_with('#')) {
        let [gold, verdict, response] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let request = testing::request("", gold, &response.replace('⏎', "\n"));
        let is_correct = policy.verify(&request).unwrap().outcome == Outcome::Correct;
        if is_correct != (verdict == "correct") {
            wrong.push(line);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
