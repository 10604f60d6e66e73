//! What sentences say of labels, and which of it is a choice.

use exgrpo_guest_sdk::{Outcome, Verifier, testing};

use super::{MultipleChoice, check};

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
fn a_label_that_is_ruled_out_is_not_chosen() {
    check(
        Outcome::Incorrect,
        "B",
        &[
            "The answer is **not** (B).",
            "The answer is definitely not B.",
            "I rule out option A. We can eliminate option B.",
            "I wouldn't choose B.",
            "You cannot pick B.",
            "I would never select (B).",
            "I doubt that B is correct.",
            "B isn't the right answer.",
            "B is correct? No, B is wrong.",
            "Excluding B.",
            "Eliminated: B",
            "\\boxed{\\text{not } B}",
        ],
    );
    check(
        Outcome::Correct,
        "C",
        &[
            "The answer is not B. It's C.",
            "The answer isn't B; it is C.",
            "The answer is **not** (B), but (C).",
            "Not B but C.",
            "It can't be B, so it's C.",
            "It is C rather than B.",
            "Eliminating B, we are left with C.",
            "After ruling out A, B and D, only C remains.",
            "I choose C over B.",
            "While option B seems plausible, option C is the better choice.",
            "We can rule out B and D. That leaves C.",
            "It's not A, not B, and not D. So C.",
            "C is correct; A, B, and D are incorrect.",
        ],
    );
}

#[test]
fn what_others_think_or_what_is_supposed_is_no_choice() {
    check(
        Outcome::Incorrect,
        "B",
        &[
            "Students often choose B.",
            "Many people think B is correct.",
            "Could it be B?",
            "So is it B?",
            "It might be B.",
            "Either B or C.",
            "B is correct and C is correct.",
            "B is correct only if the mass is zero.",
            "B would be correct if the mass were zero.",
            "Consider option B.",
            "The wrong one is B.",
            "The incorrect answer is B.",
            "The student's answer is B.",
            "None of A, B or C is correct.",
            "B is the best distractor.",
            "Let's ignore option B.",
            "He chose B.",
            "B: no",
            "The answer is C. If the mass were zero, the answer would be B.",
            "Plan B is the best.",
            "Hepatitis B is the correct diagnosis.",
            "We get B = 3.",
        ],
    );
    check(
        Outcome::Correct,
        "B",
        &[
            "I think B is correct.",
            "Answer: I think it is B.",
            "Most students pick C, but the right one is B.",
            "The answer is either B or C, I'm going with B.",
        ],
    );
    check(
        Outcome::Incorrect,
        "I",
        &["The answer is I don't know.", "Answer: I think it is B.", "I am sure."],
    );
    check(Outcome::Correct, "A", &["The answer is **A** Rome", "The answer is A: Rome", "So A."]);
    check(Outcome::Correct, "I", &["The answer is I.", "(I)", "The answer is I because H is wrong."]);
}

#[test]
fn sentences_choose_in_many_ways() {
    check(
        Outcome::Correct,
        "C",
        &[
            "Ans: C",
            "Ans - C",
            "My choice: C",
            "The solution is C.",
            "👉 **C**",
            "Therefore: C",
            "Thus, C.",
            "So it's C.",
            "The answer is most likely C.",
            "The correct answer is C! Well done.",
            "I am sure: C",
            "Thus option C holds.",
            "**Option C: photosynthesis**",
            "C, because B is a common misconception.",
            "The only option that works is C.",
            "The correct option here is C.",
            "Only option C satisfies both conditions.",
            "Looking at the choices, C makes the most sense.",
            "We find x = 3, which is option C.",
            "C – Paris",
            "Option C (Paris) is correct.",
            "It has to be C.",
            "The answer would therefore be C.",
            "- C",
            "Option C – correct.\nOption D – incorrect.",
            "A ❌\nB ❌\nC ✅",
            "**B.** False. **C.** True, so this is the answer.",
            "A ✗\nB ✗\nC ✗\n\nFinal: C",
            "A is too small, B too big; nevertheless the best is C.",
        ],
    );
    check(
        Outcome::Incorrect,
        "D",
        &[
            "A. Rome\nB. Berlin\nC. Paris\nD. Madrid",
            "(A) Rome (B) Berlin (C) Paris (D) Madrid",
            "A\nB\nC\nD",
            "A ✓\nB ✗\nC ✗\nD ✓",
        ],
    );
}

#[test]
fn a_digit_may_be_a_value() {
    check(
        Outcome::Incorrect,
        "2",
        &["So we get 2.", "It is 2 m long.", "Therefore: 2 m", "There are 2 cases."],
    );
    check(
        Outcome::Correct,
        "2",
        &["So option 2.", "The answer is 2.", "I choose 2.", "It is (2).", "2 is correct."],
    );
}

#[test]
fn headings_and_thoughts_are_no_choices() {
    check(
        Outcome::Correct,
        "C",
        &[
            "#### Final Answer\nC",
            "#### A. Rome\nNo.\n#### D. Madrid\nNo.\n\nThe correct answer is C.",
            "#### C",
            "<think>\nThe answer is B? No.\n</think>\n\n**C. photosynthesis**",
            "<think>\\boxed{B}</think>(C)",
        ],
    );
    check(
        Outcome::Incorrect,
        "D",
        &[
            "#### A. Rome\nNo.\n#### D. Madrid\nNo.\n\nThe correct answer is C.",
            "<think>(D)</think>None of these.",
        ],
    );
}

#[test]
fn more_languages_announce_choices() {
    check(
        Outcome::Correct,
        "C",
        &[
            "【答案】C",
            "综上，只有C符合题意。",
            "La bonne réponse est donc la C.",
            "Richtig ist Antwort C.",
            "C ist richtig.",
            "La respuesta es la opción C.",
            "A alternativa correta é a letra C.",
            "Alternativa C.",
            "Đáp án đúng là C.",
            "Chọn đáp án C.",
            "Prawidłowa odpowiedź to C.",
            "Doğru cevap C'dir.",
            "Jawaban yang benar adalah C.",
        ],
    );
    check(
        Outcome::Incorrect,
        "C",
        &["Die Antwort ist nicht C.", "C ist nicht richtig.", "C est fausse.", "A正确，只有C错误。"],
    );
}

#[test]
fn the_text_of_an_option_stands_for_its_label() {
    use Outcome::{Correct, Incorrect};
    judge(
        "Capital of France?\nA. Rome\nB. Berlin\nC. Paris\nD. Madrid",
        &[
            ("C", "\\boxed{\\text{Paris}}", Correct),
            ("C", "The answer is **Paris**.", Correct),
            ("C", "The capital of France is Paris.", Correct),
            ("C", "The capital of France is not Paris.", Incorrect),
            ("C", "The answer is not Paris.", Incorrect),
            // A label with the text of another option is no choice.
            ("C", "The answer is C. Rome", Incorrect),
            ("A", "The answer is C. Rome", Incorrect),
            ("C", "C. Paris", Correct),
        ],
    );
    judge("What is 7 + 5?\n(A) 10\n(B) 12\n(C) 12.0", &[("B", "7 + 5 = 12", Correct)]);
    judge("Which?\n(A) 12\n(B) 12", &[("B", "\\boxed{12}", Incorrect)]);
    judge(
        "Is it so?\nA. True\nB. False",
        &[("B", "B. False", Correct), ("A", "A. True\nB. False", Incorrect)],
    );
    judge("Which is the least likely?\nA. x\nB. y", &[("B", "The least likely answer is B.", Correct)]);
    judge("Which is NOT true?\nA. x\nB. y", &[("A", "A. True\nB. False", Incorrect)]);
}

#[test]
fn references_may_end_in_their_label() {
    for gold in ["The answer is C.", "\\boxed{C}", "We see it.\n\\boxed{\\text{(C)}}", "Option C"] {
        check(Outcome::Correct, gold, &["\\boxed{C}", "**C**"]);
        check(Outcome::Incorrect, gold, &["\\boxed{B}"]);
    }
    check(Outcome::Unscorable, "\\boxed{A, C}", &["\\boxed{A}"]);
    check(Outcome::Unscorable, "The answer is not C.", &["\\boxed{C}"]);
}

#[test]
fn what_is_only_supposed_is_no_choice() {
    let of_c = [
        "I would go with (C). If the question had asked for the opposite, (A) would be correct.",
        "I choose C. Had the question asked for the least, I'd pick A.",
        "I choose C. If it were about the past, A would be the right choice.",
        "Ich wähle C. Wenn nach dem Gegenteil gefragt wäre, wäre A richtig.",
        "The answer is C. If x were negative, the answer would be A.",
        "My pick is C. Were it negative, the answer would be A.",
        "If the sign were positive, the answer would be A. But it is negative, so C.",
    ];
    check(Outcome::Correct, "C", &of_c);
    check(Outcome::Incorrect, "A", &of_c);
    check(Outcome::Correct, "B", &["If A is false, then B is correct.", "If I had to choose, I'd choose B."]);
}

#[test]
fn what_is_said_of_others_behind_a_choice_changes_nothing() {
    let of_a = [
        "**A**\n\nOption B is wrong, and so is option C.",
        "**A**\n\nExplanation: option D fails, and so does option C.",
        "**A**\n\nExplanation: option D fails, and the same goes for option C.",
        "The answer is A and not B.",
        "The answer is A and certainly not B.",
        "La respuesta es A y no B.",
        "A resposta correta é a A.",
        "La risposta corretta è l'opzione A.",
    ];
    check(Outcome::Correct, "A", &of_a);
    check(Outcome::Incorrect, "B", &of_a);
    check(Outcome::Incorrect, "C", &of_a);
    check(
        Outcome::Incorrect,
        "A",
        &["The answer is A and B.", "The answer is a good one.", "So the answer is a B vitamin."],
    );
}

#[test]
fn a_choice_that_is_taken_back_counts_no_more() {
    let of_b = [
        "\\boxed{A}. Wait, that's wrong. It should be B.",
        "\\boxed{A} is wrong, as 5 is odd. The answer is B.",
        "The answer is A. Hold on, that can't be right. It must be B.",
        "\\boxed{A}. Wait, no. B is correct.",
        "The answer is A. Correction: B.",
    ];
    check(Outcome::Correct, "B", &of_b);
    check(Outcome::Incorrect, "A", &of_b);
    check(Outcome::Correct, "A", &["\\boxed{A}. Option B is wrong.", "The answer is A. B is wrong."]);
}

#[test]
fn answers_are_announced_in_more_languages() {
    check(
        Outcome::Correct,
        "D",
        &[
            "La risposta giusta è la D.",
            "Правильный ответ — вариант D.",
            "Rätt svar är D.",
            "Det rigtige svar er D.",
            "Oikea vastaus on D.",
            "Správná odpověď je D.",
            "Η σωστή απάντηση είναι η D.",
            "الإجابة الصحيحة هي D.",
        ],
    );
}

#[test]
fn what_is_denied_beside_the_right_label_is_left_out() {
    let (correct, incorrect) = (Outcome::Correct, Outcome::Incorrect);
    judge(
        "",
        &[
            ("C", "Die Antwort ist nicht B, sondern C.", correct),
            ("B", "Die Antwort ist nicht B, sondern C.", incorrect),
            ("C", "정답은 B가 아니라 C입니다.", correct),
            ("B", "정답은 B가 아니라 C입니다.", incorrect),
        ],
    );
}

#[test]
fn sentences_of_other_languages_call_a_label_right() {
    check(
        Outcome::Correct,
        "B",
        &[
            "Bが正解です。",
            "AではなくBが正解です。",
            "正解は選択肢Bです。",
            "選択肢Bが正しい。",
            "Ce n'est pas C mais B qui est la bonne réponse.",
            "La proposition B est la bonne.",
            "B ist die richtige Antwort.",
            "B es la respuesta correcta.",
            "A alternativa **B** está correta.",
            "(B) è la risposta corretta.",
            "B is het juiste antwoord.",
            "B가 정답입니다.",
            "Cevap olarak B doğru cevaptır.",
            "Vậy B là đáp án đúng.",
            "B를 선택합니다.",
            "Выбираю B.",
            "Scelgo B.",
            "그러므로 B번이 정답이다.",
            "Somit ist B die richtige Antwort.",
            "Il faut choisir l'option B.",
            "Jupiter is the largest planet.\n\n**B) Jupiter**",
        ],
    );
    check(
        Outcome::Incorrect,
        "B",
        &[
            "Bが正解ではありません。",
            "Bが正解とは限らない。",
            "Somit ist B nicht die richtige Antwort.",
            "**B) Mars** is smaller.\n\n**C) Jupiter**",
            "**A) Mars**\n**B) Venus**",
            "B ist nicht die richtige Antwort.",
            "Nicht B ist die richtige Antwort.",
            "Wenn B die richtige Antwort ist, dann auch C.",
            "A und B ist die richtige Antwort.",
            "AとBが正解です。",
            "B가 정답이 아닙니다.",
            "Si B est la bonne réponse, il faut le prouver.",
            "B est la bonne réponse ?",
            "B ist die richtige Antwort. Nein, C ist die richtige Antwort.",
        ],
    );
}
