//! Nouns that name an answer, and what joins the answer to them.

/// A noun that names an answer in one language, and what joins the answer to it.
pub(super) struct Noun {
    /// In small letters where they are of ASCII.
    pub(super) name: &'static str,
    /// What may stand between the noun and a link.
    pub(super) qualifiers: &'static [&'static str],
    /// Verbs and signs that the answer follows, longer ones before what they begin with.
    pub(super) links: &'static [&'static str],
    /// Whether it may end a longer word, as in "Endergebnis".
    pub(super) is_compound: bool,
}

const ENGLISH: &[&str] = &[
    "would be",
    "should be",
    "must be",
    "will be",
    "is therefore",
    "is thus",
    "is then",
    "is hence",
    "is simply",
    "is actually",
    "is now",
    "is indeed",
    "is",
    "are",
    "equals",
    "becomes",
    "changes to",
    "turns out to be",
    "comes out to be",
    "comes out to",
    "comes to",
    "works out to be",
    "works out to",
    "→",
    "->",
    "⇒",
    ":",
    "=",
];
/// What stands for no link: a formula follows the noun.
pub(super) const DIRECT: &str = "#";
const NORTHERN: &[&str] = &["är", "er", "blir", "bliver", ":"];
/// A noun's abbreviation: "Ans. 7", "Ans.: 7".
const ABBREVIATED: &[&str] = &[".:", ". :", ".", ":", "="];
const GERMAN: &[&str] = &["ist", "lautet", "beträgt", ":"];
const CHINESE: &[&str] = &[
    "应该是",
    "應該是",
    "应为",
    "應為",
    "应是",
    "就是",
    "等于",
    "是",
    "为",
    "為",
    "选",
    "選",
    ":",
    "：",
    "=",
    "】",
];
const JAPANESE: &[&str] = &["は", "が", ":", "："];

/// Nouns by their first byte, so that a text is read once.
pub(super) fn nouns(first: u8) -> &'static [Noun] {
    const fn noun(name: &'static str, links: &'static [&'static str]) -> Noun {
        qualified(name, &[], links)
    }
    const fn qualified(
        name: &'static str,
        qualifiers: &'static [&'static str],
        links: &'static [&'static str],
    ) -> Noun {
        Noun { name, qualifiers, links, is_compound: false }
    }
    const fn compound(name: &'static str, links: &'static [&'static str]) -> Noun {
        Noun { name, qualifiers: &[], links, is_compound: true }
    }
    const FRENCH: &[&str] = &["finale", "correcte", "exacte"];
    const VIETNAMESE: &[&str] = &["đúng", "chính xác", "cuối cùng"];
    const SPANISH: &[&str] = &["final", "correcta", "correta"];
    match first {
        b'a' => {
            const {
                &[
                    noun("answer", ENGLISH),
                    noun("ans", ABBREVIATED),
                    noun("antw", ABBREVIATED),
                    compound("antwort", GERMAN),
                    noun("antwoord", &["is", "luidt", ":"]),
                    qualified("alternativa", SPANISH, &["es", "é", "è"]),
                ]
            }
        }
        b'c' => {
            const {
                &[
                    noun("cevap", &[":", "=", DIRECT]),
                    noun("choice", &["is"]),
                    noun("correction", &[":"]),
                    noun("corrected", &[":"]),
                ]
            }
        }
        b'o' => {
            const {
                &[
                    noun("option", &["is"]),
                    qualified(
                        "odpowiedź",
                        &["końcowa", "poprawna", "prawidłowa"],
                        &["to", "jest", "brzmi", ":"],
                    ),
                    noun("odpověď", &["je", "zní", ":"]),
                    qualified("opción", SPANISH, &["es"]),
                    qualified("opção", SPANISH, &["é"]),
                ]
            }
        }
        b's' => const { &[noun("svar", NORTHERN), noun("svaret", NORTHERN)] },
        b'v' => const { &[qualified("vastaus", &["kysymykseen"], &["on", ":"])] },
        // Greek and Arabic.
        0xce => {
            const {
                &[noun("απάντηση", &["είναι", ":"]), noun("Απάντηση", &["είναι", ":"])]
            }
        }
        0xd8 => {
            const {
                &[
                    qualified("الإجابة", &["الصحيحة", "النهائية"], &["هي", ":"]),
                    qualified("الجواب", &["النهائي", "الصحيح"], &["هو", ":"]),
                ]
            }
        }
        b'<' => const { &[noun("<answer>", &[""])] },
        b'e' => const { &[compound("ergebnis", GERMAN)] },
        b'l' => {
            const {
                &[
                    noun("lautet die antwort", &[""]),
                    noun("lautet die endgültige antwort", &[""]),
                    noun("lautet die richtige antwort", &[""]),
                    noun("lautet die finale antwort", &[""]),
                    noun("lautet das ergebnis", &[""]),
                    noun("luidt het antwoord", &[""]),
                    compound("lösung", &["ist", "lautet", "beträgt"]),
                    noun("lsg", ABBREVIATED),
                ]
            }
        }
        b'r' => {
            const {
                &[
                    qualified("réponse", FRENCH, &["est", "vaut", ":"]),
                    noun("rép", ABBREVIATED),
                    noun("resp", ABBREVIATED),
                    noun("revised", &[":"]),
                    noun("răspunsul", &["este", ":"]),
                    noun("raspunsul", &["este", ":"]),
                    noun("rpta", ABBREVIATED),
                    noun("rta", ABBREVIATED),
                    noun("risp", ABBREVIATED),
                    noun("résultat", &["est", "vaut"]),
                    qualified("respuesta", SPANISH, &["es", ":"]),
                    noun("resultado", &["es", "é"]),
                    qualified("resposta", SPANISH, &["é", ":"]),
                    qualified("risposta", &["finale", "corretta", "esatta", "giusta"], &["è", "e'", ":"]),
                ]
            }
        }
        b'j' => {
            const { &[qualified("jawaban", &["yang benar", "yang tepat", "akhir", "akhirnya"], &["adalah", ":"])] }
        }
        // Vietnamese: Đ and đ.
        0xc4 => {
            const {
                &[
                    qualified("đáp án", VIETNAMESE, &["là", ":"]),
                    qualified("Đáp án", VIETNAMESE, &["là", ":"]),
                    qualified("đáp số", VIETNAMESE, &["là", ":"]),
                    qualified("Đáp số", VIETNAMESE, &["là", ":"]),
                ]
            }
        }
        // Russian: О and о.
        0xd0 => {
            const {
                &[
                    noun("ответ", &["равен", "будет", "это", ":", "—", "–", "-"]),
                    noun("відповідь", &["є", ":", "—", "–", "-"]),
                    noun("Відповідь", &["є", ":", "—", "–", "-"]),
                    noun("Ответ", &["равен", "будет", "это", ":", "—", "–", "-"]),
                ]
            }
        }
        0xe7 => const { &[noun("答案", CHINESE), noun("答え", JAPANESE), noun("答", &[":", "："])] },
        // Hindi and Thai.
        0xe0 => {
            const {
                &[
                    noun("उत्तर", &["है", ":", "=", DIRECT]),
                    qualified("คำตอบ", &["ที่ถูกต้อง", "สุดท้าย"], &["คือ", ":", "="]),
                ]
            }
        }
        0xe8 => const { &[noun("解答", JAPANESE)] },
        0xe6 => const { &[noun("正解", JAPANESE)] },
        0xeb => const { &[noun("답", &["은", "이", ":", "："])] },
        _ => &[],
    }
}
