//! The tables in `cases/`: answers judged by hand, of kinds that people and networks write.

use exgrpo_guest_sdk::{Verifier, testing};

use super::MathAnswer;

const ANSWERS: [(&str, &str); 6] = [
    ("numbers", include_str!("../cases/numbers.tsv")),
    ("expressions", include_str!("../cases/expressions.tsv")),
    ("sets", include_str!("../cases/sets.tsv")),
    ("relations", include_str!("../cases/relations.tsv")),
    ("units_and_words", include_str!("../cases/units_and_words.tsv")),
    ("unread_by_witness", include_str!("../cases/unread_by_witness.tsv")),
];
const RESPONSES: [(&str, &str); 6] = [
    ("around", include_str!("../cases/around.tsv")),
    ("prose", include_str!("../cases/prose.tsv")),
    ("boxes", include_str!("../cases/boxes.tsv")),
    ("languages", include_str!("../cases/languages.tsv")),
    ("conditions", include_str!("../cases/conditions.tsv")),
    ("golds", include_str!("../cases/golds.tsv")),
];

/// Lines of a table, cell by cell.
fn rows(table: &str) -> impl Iterator<Item = [&str; 3]> {
    table.lines().filter(|line| !line.starts_with('#')).map(|line| {
        let mut cells = line.split('\t');
        std::array::from_fn(|_| cells.next().unwrap_or_default())
    })
}

fn is_correct(gold: &str, response: &str) -> bool {
    let policy = testing::policy::<MathAnswer>("{}").unwrap();
    policy.verify(&testing::request("", gold, response)).unwrap().outcome
        == exgrpo_guest_sdk::Outcome::Correct
}

#[test]
fn every_case_is_judged_as_by_hand() {
    let (mut count, mut wrong) = (0, Vec::new());
    for (name, table) in ANSWERS {
        for [gold, right, other] in rows(table) {
            for (answers, expected) in [(right, true), (other, false)] {
                for answer in answers.split(" ;; ").filter(|answer| !answer.is_empty()) {
                    count += 1;
                    if is_correct(gold, &format!("So \\boxed{{{answer}}}.")) != expected {
                        wrong.push(format!(
                            "{name}: {gold} | {answer} is {}",
                            if expected { "right" } else { "wrong" }
                        ));
                    }
                }
            }
        }
    }
    for (name, table) in RESPONSES {
        for [gold, verdict, response] in rows(table) {
            count += 1;
            let [gold, response] = [gold, response].map(|text| text.replace('⏎', "\n"));
            if is_correct(&gold, &response) != (verdict == "correct") {
                wrong.push(format!("{name}: {gold} | {response} is {verdict}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 3000, "{count}");
}
