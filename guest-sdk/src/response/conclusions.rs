//! Words that conclude, and words that only suppose.

/// What leads to a label that takes back what was said before, in small letters.
pub(super) const LEADS: [&str; 25] = [
    "final",
    "correct",
    "corrected",
    "revised",
    "short",
    "最终",
    "so",
    "hence",
    "thus",
    "therefore",
    "правильный",
    "верный",
    "окончательный",
    "итоговый",
    "правильна",
    "остаточна",
    "doğru",
    "nihai",
    "सही",
    "अंतिम",
    "richtige",
    "korrekte",
    "endgültige",
    "bonne",
    "poprawna",
];
/// Words of a sentence that only supposes an answer or looks at it again.
pub(super) const SUPPOSITIONS: [&str; 9] =
    ["if", "suppose", "assume", "otherwise", "verify", "check", "checking", "whether", "unless"];
/// Words that begin a conclusion, in small letters.
const CONCLUSIONS: [&str; 10] =
    ["so", "therefore", "thus", "hence", "consequently", "finally", "donc", "因此", "所以", "故"];

/// Whether a sentence begins with a word that concludes from what was said before: "so", "therefore", "因此".
///
/// ```
/// use exgrpo_guest_sdk::response::begins_conclusion;
///
/// assert!(begins_conclusion("**Therefore**, it is 5"));
/// assert!(!begins_conclusion("Some are 5"));
/// ```
pub fn begins_conclusion(sentence: &str) -> bool {
    let sentence = sentence.trim_start_matches(|char: char| !char.is_alphanumeric());
    let word = sentence.split(|char: char| !char.is_alphanumeric()).next().unwrap_or_default();
    CONCLUSIONS.iter().any(|conclusion| {
        let is_joined = conclusion.starts_with(super::is_unspaced) && word.starts_with(conclusion);
        is_joined || word.eq_ignore_ascii_case(conclusion)
    })
}
