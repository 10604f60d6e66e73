//! What sentences of other languages say of a label in a fixed order of words.

use exgrpo_guest_sdk::response::is_denial;

use crate::label::Alphabet;

/// What follows a label that is right, or chosen. Contiguous, so that a denial between them ends it.
const RIGHT: [&str; 46] = [
    " ist die richtige antwort",
    " ist die richtige lösung",
    " ist die richtige",
    " ist die korrekte antwort",
    " est la bonne réponse",
    " est la réponse correcte",
    " est la bonne",
    " est la seule correcte",
    " qui est la bonne réponse",
    " qui est correcte",
    " es la respuesta correcta",
    " es la correcta",
    " es la opción correcta",
    " é a resposta correta",
    " é a alternativa correta",
    " é a correta",
    " está correta",
    " está correto",
    " è la risposta corretta",
    " è la risposta giusta",
    " è quella corretta",
    " is het juiste antwoord",
    " is het goede antwoord",
    " to poprawna odpowiedź",
    " jest poprawną odpowiedzią",
    " jest poprawna",
    " är rätt svar",
    " är det rätta svaret",
    " doğru cevaptır",
    " doğrudur",
    " şıkkı doğru",
    " là đáp án đúng",
    " adalah jawaban yang benar",
    "が正解",
    "が正しい",
    "が答え",
    "を選び",
    "を選択",
    "를 선택",
    "을 선택",
    "번이 정답",
    "번이 맞",
    "가 맞",
    "이 맞",
    "가 정답",
    "이 정답",
];
/// What follows a label behind its verb: "Somit ist C die richtige Antwort".
const INVERTED: [(&str, &[&str]); 8] = [
    (" die richtige antwort", &["ist", "also", "somit", "daher"]),
    (" die richtige lösung", &["ist", "also", "somit", "daher"]),
    (" die korrekte antwort", &["ist", "also", "somit", "daher"]),
    (" la bonne réponse", &["est", "donc"]),
    (" la réponse correcte", &["est", "donc"]),
    (" het juiste antwoord", &["is", "dus"]),
    (" la respuesta correcta", &["es", "entonces"]),
    (" a resposta correta", &["é"]),
];
/// What takes that back behind it.
const DENIED: [&str; 12] =
    ["ではな", "ではあ", "じゃな", "でな", "くな", "とは", "か?", "か？", "이 아", "가 아", "일까", "인가"];
/// Words before a label that join it to another, or suppose.
const BESIDES: [&str; 32] = [
    "und", "oder", "et", "ou", "y", "o", "e", "en", "of", "i", "lub", "och", "eller", "ve", "veya", "và",
    "hoặc", "dan", "atau", "wenn", "falls", "si", "se", "als", "jeśli", "om", "eğer", "nếu", "jika", "ob",
    "ni", "weder",
];
/// Bytes of a sentence before a label that are looked at.
const MAX_BEFORE: usize = 120;

/// The last label of which a sentence says that it is right, and where.
pub(crate) fn told(labels: Alphabet, text: &str) -> Option<(usize, char)> {
    let lower = text.to_lowercase();
    if lower.len() != text.len() {
        return None;
    }
    let right = RIGHT.iter().flat_map(|phrase| lower.rmatch_indices(phrase).take(4));
    let right = right.filter_map(|(at, phrase)| label_before(labels, text, &lower, at, phrase.len()));
    let inverted = INVERTED.iter().flat_map(|(phrase, verbs)| {
        lower.rmatch_indices(phrase).take(4).map(|(at, phrase)| (at, phrase.len(), *verbs))
    });
    let inverted = inverted.filter_map(|(at, length, verbs)| {
        let (place, label) = label_before(labels, text, &lower, at, length)?;
        let mut words = lower[..place].split(|char: char| !char.is_alphanumeric());
        words.rfind(|word| !word.is_empty()).filter(|word| verbs.contains(word)).map(|_| (place, label))
    });
    right.chain(inverted).max()
}

fn label_before(
    labels: Alphabet,
    text: &str,
    lower: &str,
    at: usize,
    length: usize,
) -> Option<(usize, char)> {
    let behind = &lower[at + length..];
    if DENIED.iter().any(|denied| behind.starts_with(denied)) {
        return None;
    }
    let sentence = behind.split(['.', '!', '\n', '。']).next().unwrap_or_default();
    if sentence.contains(['?', '？']) {
        return None;
    }
    let bare = text[..at].trim_end_matches([')', ']', '*', '"', '»', '“', ' ']);
    let letter = bare.chars().next_back().filter(|letter| !letter.is_ascii_lowercase())?;
    let label = labels.label(letter)?;
    let place = bare.len() - letter.len_utf8();
    let before = bare[..place].trim_end_matches(['(', '[', '*', '"', '«', '„', ' ']);
    // The last letter of a word is no label.
    let is_whole = !text[..place].ends_with(|char: char| char.is_ascii_alphanumeric() || char == '_');
    let clause = before.rsplit(['.', '!', '?', '\n', '。', ';']).next().unwrap_or_default();
    let near = clause.char_indices().rev().map(|(at, _)| at).find(|at| clause.len() - at >= MAX_BEFORE);
    let clause = clause[near.unwrap_or(0)..].to_lowercase();
    let words = |text| str::split(text, |char: char| !char.is_alphanumeric()).filter(|word| !word.is_empty());
    // "Nein, C" denies what was said before.
    let near = clause.trim_end_matches([',', ' ']).rsplit(',').next().unwrap_or_default();
    let near = if clause.ends_with(',') { "" } else { near };
    let is_free = !words(near).any(is_denial) && !words(&clause).any(|word| BESIDES.contains(&word));
    let other = before.trim_end_matches([',', '、', '/', ' ']);
    let is_listed =
        other.len() < before.len() && words(other).next_back().is_some_and(|word| word.len() == 1);
    let is_joined = is_listed || before.ends_with(['と', 'や', '와', '과']);
    (is_whole && is_free && !is_joined).then_some((place, label))
}
