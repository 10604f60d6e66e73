//! Sentences behind an answer that put another in its place: "Redoing the sum, it is 6", "It is actually 6".

use super::is_unspaced;

/// Words of one who corrects an answer of one's own, in small letters.
const CORRECTING: [&str; 61] = [
    "misreading",
    "correcting",
    "corrected",
    "correction",
    "fixing",
    "redoing",
    "redone",
    "recomputing",
    "recomputed",
    "recalculating",
    "recalculated",
    "recounting",
    "recounted",
    "reworking",
    "reworked",
    "reconsidering",
    "rereading",
    "rechecking",
    "revising",
    "revised",
    "rectifying",
    "amending",
    "amended",
    "oversight",
    "miscalculation",
    "miscounted",
    "misread",
    "korrigiert",
    "korrigiere",
    "korrektur",
    "berichtigt",
    "berichtigung",
    "nachrechnen",
    "corrigeant",
    "corrigée",
    "corrigé",
    "rectifiant",
    "recalculant",
    "corrigiendo",
    "corregido",
    "corregida",
    "corrijo",
    "recalculando",
    "rectificando",
    "corrigindo",
    "corrigido",
    "corrigida",
    "refazendo",
    "correggendo",
    "ricalcolando",
    "rifacendo",
    "gecorrigeerd",
    "исправив",
    "исправляя",
    "исправим",
    "пересчитав",
    "poprawiając",
    "düzeltince",
    "düzeltirsek",
    "التصحيح",
    "تصحيح",
];
/// The same in writings without spaces.
const UNSPACED: [&str; 12] = [
    "更正",
    "改正",
    "订正",
    "訂正",
    "修正",
    "重新计算",
    "重新計算",
    "重算",
    "計算し直",
    "수정하면",
    "정정하면",
    "다시 계산",
];
/// Words of a sentence that speaks of others' slips, of what might be, or finds the same again.
const OTHERS: [&str; 30] = [
    "common",
    "would",
    "could",
    "might",
    "may",
    "if",
    "some",
    "students",
    "student",
    "people",
    "many",
    "often",
    "usually",
    "typical",
    "tempting",
    "avoid",
    "without",
    "same",
    "again",
    "confirms",
    "confirm",
    "confirmed",
    "indeed",
    "agrees",
    "matches",
    "verifies",
    "needed",
    "necessary",
    "needs",
    "unless",
];
/// Where a sentence says what something is against what was said: the value follows.
const ACTUALLY: [&str; 22] = [
    " is actually ",
    " are actually ",
    " was actually ",
    " actually is ",
    " actually equals ",
    " actually be ",
    " is really ",
    " really is ",
    " should really be ",
    " should instead be ",
    " should have been ",
    " is instead ",
    " ist tatsächlich ",
    " ist eigentlich ",
    " est en fait ",
    " est en réalité ",
    " es en realidad ",
    " es realmente ",
    " é na verdade ",
    " è in realtà ",
    " на самом деле ",
    " to tak naprawdę ",
];
/// What was tried, before "fails".
const TRIED: [&str; 12] =
    ["it", "this", "that", "check", "value", "answer", "test", "result", "which", "candidate", "one", "box"];
/// Sentences that are looked at, and bytes of each.
const MAX_SENTENCES: usize = 24;
const MAX_SENTENCE: usize = 400;
/// Characters of the longest of the words above.
const MAX_WORD: usize = 16;

/// What follows the last words of `rest`, which stands behind an answer, that correct this answer and have a value behind
/// them; `None` where nothing does. Corrections of others and recounts that find the same are none.
///
/// ```
/// use exgrpo_guest_sdk::response::corrected;
///
/// assert_eq!(corrected("$. Fixing the sign, we get 6."), Some(" the sign, we get 6."));
/// assert_eq!(corrected("$. The sum is actually 6."), Some("6."));
/// assert_eq!(corrected("$. A common slip would be corrected to 6."), None);
/// ```
pub fn corrected(rest: &str) -> Option<&str> {
    let mut found = None;
    let mut from = 0;
    for _ in 0..MAX_SENTENCES {
        let sentence = &rest[from..];
        if sentence.is_empty() {
            break;
        }
        let end = end_of(sentence);
        if let Some(at) = cue(&sentence[..end])
            && has_value(&rest[from + at..])
        {
            found = rest.get(from + at..);
        }
        from += end;
    }
    found
}

fn has_value(text: &str) -> bool {
    text.contains(|char: char| char.is_ascii_digit() || matches!(char, '$' | '\\'))
}

/// Where a sentence ends behind its sign.
fn end_of(text: &str) -> usize {
    let end = text.char_indices().find(|(at, char)| match char {
        '\n' | '。' | '！' | '？' => true,
        '.' | '!' | '?' => text[at + 1..].chars().next().is_none_or(|next| !next.is_alphanumeric()),
        _ => false,
    });
    end.map_or(text.len(), |(at, sign)| at + sign.len_utf8())
}

/// Where the words end that correct something, in a sentence of one's own.
fn cue(sentence: &str) -> Option<usize> {
    if sentence.len() > MAX_SENTENCE || sentence.trim().len() < 4 {
        return None;
    }
    if sentence.contains(is_unspaced) {
        return UNSPACED.iter().filter_map(|word| Some(sentence.rfind(word)? + word.len())).max();
    }
    let words = || {
        sentence
            .split(|char: char| !(char.is_alphanumeric() || char == '\''))
            .filter(|word| !word.is_empty())
            .map(|word| (word.as_ptr() as usize - sentence.as_ptr() as usize + word.len(), word))
    };
    let (mut last, mut before) = (None, "");
    for (end, word) in words() {
        let is_fail = matches!(word, "fails" | "failed")
            && TRIED.iter().any(|tried| before.eq_ignore_ascii_case(tried));
        // "No correction"
        let is_none = matches!(before, "no" | "No" | "not" | "nothing" | "keine" | "aucune" | "sin" | "sem");
        if is_fail || !is_none && is_one_of(word, &CORRECTING) {
            last = Some(end);
        }
        before = word;
    }
    let actually = ACTUALLY.iter().filter_map(|phrase| {
        let at = sentence.rfind(phrase)? + phrase.len();
        begins_value(&sentence[at..]).then_some(at)
    });
    let found = actually.chain(last).max()?;
    let is_others = |word: &str| is_one_of(word, &OTHERS);
    (!words().any(|(_, word)| is_others(word))
        && !words().next().is_some_and(|(_, word)| word.eq_ignore_ascii_case("there")))
    .then_some(found)
}

fn is_one_of(word: &str, list: &[&str]) -> bool {
    word.chars().nth(MAX_WORD).is_none() && {
        let first = word.chars().next().into_iter().flat_map(char::to_lowercase).next();
        list.iter().any(|other| other.chars().next() == first && *other == word.to_lowercase())
    }
}

fn begins_value(text: &str) -> bool {
    let text = text.trim_start_matches(['*', ' ', '_', '`', '(', '"', '-', '−']);
    text.starts_with(|char: char| char.is_ascii_digit() || "$\\√π+.".contains(char))
        || text.strip_prefix("equal to ").is_some_and(begins_value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corrections_of_ones_own_lead_to_what_they_say() {
        for text in [
            "$. After fixing the slip I get 6 as the final answer.",
            "$.\n\nRedoing the last step: 3 + 3 = 6.",
            "$. Testing this shows it fails. The next candidate is 6.",
            "$. Fixing that, the product is **6**, not 5.",
            "$. The product is actually **6**.",
            "$. Nach der Korrektur ergibt sich 6.",
            "$. En corrigeant l'erreur, on trouve 6.",
            "$. Исправив ошибку, получаем 6.",
            "$。重新计算得 6。",
            "$. بعد التصحيح نحصل على 6.",
        ] {
            assert!(corrected(text).is_some(), "{text}");
        }
        for text in [
            "",
            "$.",
            "$. Rechecking gives the same result: 2 + 3 = 5.",
            "$. If we try 6, it fails.",
            "$. A common slip would be 6.",
            "$. No correction is needed: 5 < 6.",
            "$. Some students, correcting 4, say 6.",
            "$. For 6 the inequality fails.",
            "$. There are actually 2 ways to see it.",
            "$. This is actually a well-known result.",
        ] {
            assert_eq!(corrected(text), None, "{text}");
        }
    }
}
