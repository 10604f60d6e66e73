//! What Chinese sentences say of labels.

use crate::label::Alphabet;

/// Words right before a verb that deny its choice.
const DENIED: [&str; 14] = [
    "不",
    "不能",
    "不应",
    "不应该",
    "不该",
    "不会",
    "不可",
    "不可能",
    "不要",
    "别",
    "无法",
    "不宜",
    "不必",
    "没",
];

/// The last label that a Chinese sentence chooses (所以选C, 选项C正确, C是正确的, 只有C符合题意), and where.
pub(crate) fn told(labels: Alphabet, text: &str) -> Option<(usize, char)> {
    if text.is_ascii() {
        return None;
    }
    let chosen = text.rmatch_indices(['选', '選']).find_map(|(at, verb)| {
        let rest = text[at + verb.len()..]
            .trim_start_matches(['择', '擇', '项', '項', '是', '为', '為', ':', ' ', '*', '(', '$']);
        let (label, behind) = label_at(labels, rest)?;
        let clause = text[..at].rsplit([',', '.', '\n', ';', '!', '?']).next().unwrap_or_default();
        let is_denied = DENIED.iter().any(|word| clause.ends_with(word))
            || ["没有理由", "没有人", "没人", "如果", "假如", "若", "为什么", "为何"]
                .iter()
                .any(|word| clause.contains(word));
        // 选项C错误
        let is_wrong = ["错", "不", "是错"].iter().any(|word| behind.starts_with(word));
        (!is_denied && !is_wrong && !behind.starts_with(['和', '或', '与'])).then_some((at, label))
    });
    let right = ["是正确", "正确", "是对的", "项正确", "符合题意", "最符合"].iter().filter_map(|word| {
        let at = text.rfind(word)?;
        let label = text[..at].trim_end_matches([')', ' ', '*']).chars().next_back()?;
        Some((at, labels.label(label).filter(|_| !label.is_ascii_lowercase())?))
    });
    let only = text.rfind("只有").and_then(|at| {
        let rest = text[at + "只有".len()..].trim_start_matches(['选', '项', ' ', '*', '(', '$']);
        let (label, behind) = label_at(labels, rest)?;
        let is_right = ["符合", "正确", "满足", "成立", "对"].iter().any(|word| behind.starts_with(word));
        is_right.then_some((at, label))
    });
    chosen.into_iter().chain(right).chain(only).max()
}

/// The capital or digit that a text begins with and that is a label, and what follows it behind brackets.
fn label_at(labels: Alphabet, text: &str) -> Option<(char, &str)> {
    let mut chars = text.chars();
    let label = chars.next().filter(|char| !char.is_ascii_lowercase()).and_then(|char| labels.label(char))?;
    let behind = chars.as_str();
    let ends = !behind.starts_with(|char: char| char.is_ascii_alphanumeric());
    ends.then_some((label, behind.trim_start_matches([')', ' ', '*', '项'])))
}
