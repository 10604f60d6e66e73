//! Further ways in which sentences and lists choose a label.

use exgrpo_guest_sdk::{Outcome, Verifier, testing};

use super::MultipleChoice;

/// Checks responses to a question.
#[track_caller]
fn judge(question: &str, cases: &[(&str, &str, Outcome)]) {
    let policy = testing::policy::<MultipleChoice>("{}").unwrap();
    for (gold, response, expected) in cases {
        let verdict = policy.verify(&testing::request(question, gold, response)).unwrap();
        assert_eq!(verdict.outcome, *expected, "{gold} | {response}");
    }
}

#[test]
fn other_ways_to_choose_and_to_list_verdicts_are_read() {
    let (correct, incorrect) = (Outcome::Correct, Outcome::Incorrect);
    judge(
        "",
        &[
            ("G", "The wording of the stem matters here. I would answer G.", correct),
            ("G", "I would not answer G.", incorrect),
            ("B", "A careful look at the options leads to B.", correct),
            ("B", "A hasty look does not lead to B.", incorrect),
            ("B", "All of this points to (B).", correct),
            ("B", "A short computation gives B as the correct choice.", correct),
            (
                "B",
                "A common slip gives B as the correct choice, but that is wrong. The right one is C.",
                incorrect,
            ),
            (
                "C",
                "At first I would say E. But E describes something else, so I change my answer to C.",
                correct,
            ),
            (
                "E",
                "At first I would say E. But E describes something else, so I change my answer to C.",
                incorrect,
            ),
            ("C", "I first picked E. Switching to C.", correct),
            ("C", "I would not change my answer to C. It stays D.", incorrect),
            (
                "B",
                "**A.** Incorrect: it is off by a factor.\n**B.** Correct: it matches the definition.\n**C.** Incorrect: it is a misconception.",
                correct,
            ),
            (
                "A",
                "**A.** Incorrect: it is off by a factor.\n**B.** Correct: it matches the definition.\n**C.** Incorrect: it is a misconception.",
                incorrect,
            ),
            (
                "A",
                "A) merge sort — correct, it follows directly.\nC) incorrect, it describes something else.\nD) incorrect, no.",
                correct,
            ),
            ("A", "A) merge sort (correct)\nB) quick sort (incorrect)\nC) heap sort (incorrect)", correct),
            ("B", "A) merge sort - wrong\nB) quick sort - right\nC) heap sort - wrong", correct),
            ("B", "A) merge sort - wrong\nB) quick sort - right\nC) heap sort - right", incorrect),
            ("B", "A) merge sort — correct\nB) quick sort — incorrect, since it's unstable", incorrect),
            (
                "C",
                "We start from $\\boxed{E = mc^2}$ and substitute. The distractor E arises when one forgets to square.\n\nTherefore option C is correct.",
                correct,
            ),
            (
                "E",
                "We start from $\\boxed{E = mc^2}$ and substitute.\n\nTherefore option C is correct.",
                incorrect,
            ),
            ("D", "Варіант E хибний, тому відповідь D.", correct),
            ("E", "Варіант E хибний, тому відповідь D.", incorrect),
            ("A", "Следовательно, верен вариант A.", correct),
            ("A", "Следовательно, неверен вариант A.", incorrect),
            ("B", "Правильный ответ B.", correct),
            ("B", "Правильный ответ: B.", correct),
            ("B", "Вариант B верен.", correct),
            ("B", "Вариант B неверен.", incorrect),
            ("B", "Вариант B правильный.", correct),
            ("B", "Отже, правильна відповідь: B.", correct),
            ("B", "Poprawna odpowiedź to B.", correct),
            ("B", "Also ist Option B richtig.", correct),
            ("B", "Donc l'option B est correcte.", correct),
            ("B", "Donc l'option B est fausse.", incorrect),
            ("B", "Somit ist B richtig.", correct),
            ("B", "Por lo tanto, la opción B es la correcta.", correct),
            ("B", "따라서 정답은 B입니다.", correct),
            ("B", "よって、正解はBです。", correct),
            ("B", "Quindi la risposta corretta è la B.", correct),
            ("B", "Dus antwoord B is juist.", correct),
            ("B", "Portanto, a alternativa correta é a letra B.", correct),
            ("B", "My answer: B", correct),
            ("B", "I settle on B.", correct),
            ("B", "This matches option B.", correct),
            ("B", "I'd go for B here.", correct),
        ],
    );
}

#[test]
fn only_what_is_meant_counts() {
    let policy = testing::policy::<MultipleChoice>("{}").unwrap();
    let mut wrong = Vec::new();
    for line in include_str!("meant.tsv").lines().filter(|line| !line.starts_with('#')) {
        let [gold, verdict, response] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let request = testing::request(
            "Capital of France?\nA. Rome\nB. Paris\nC. Bern\nD. Oslo",
            gold,
            &response.replace('⏎', "\n"),
        );
        let is_correct = policy.verify(&request).unwrap().outcome == Outcome::Correct;
        if is_correct != (verdict == "correct") {
            wrong.push(line);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
