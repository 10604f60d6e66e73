//! The signs of keyboards for Chinese, Japanese and Korean, which take the width of a whole character.

use std::borrow::Cow;

/// How far the full-width forms U+FF01 to U+FF5E are from their ASCII characters.
const FULL_WIDTH: u32 = 0xfee0;

/// The text with full-width digits, letters and punctuation as ASCII writes them, an ideographic full stop as a point with
/// a space behind it, the minus sign as a hyphen, and digits of other scripts as ASCII's. Text in ASCII is left as it is.
///
/// ```
/// use exgrpo_guest_sdk::response::half_width;
///
/// assert_eq!(half_width("答案：（－１２）。"), "答案:(-12). ");
/// assert_eq!(half_width("١٨٢٤ ८४"), "1824 84");
/// ```
pub fn half_width(text: &str) -> Cow<'_, str> {
    let has_both = || PARTICLES.iter().any(|(both, _)| text.contains(both));
    if text.is_ascii() || !text.chars().any(|char| narrow(char).is_some()) && !has_both() {
        return Cow::Borrowed(text);
    }
    let mut narrowed = String::with_capacity(text.len());
    let text = PARTICLES.iter().fold(Cow::Borrowed(text), |text, (both, one)| match text.contains(both) {
        true => Cow::Owned(text.replace(both, one)),
        false => text,
    });
    for char in text.chars() {
        narrowed.push(narrow(char).unwrap_or(char));
        if matches!(char, '。' | '｡') {
            narrowed.push(' ');
        }
    }
    Cow::Owned(narrowed)
}

/// Korean particles in both of their forms, for texts that don't know the word before, and in one.
const PARTICLES: [(&str, &str); 4] = [("이(가)", "이"), ("은(는)", "은"), ("을(를)", "을"), ("와(과)", "와")];
/// The zeros of other scripts, each of which nine more digits follow: Arabic, Persian, Hindi, Bengali, Thai.
const ZEROS: [u32; 5] = [0x0660, 0x06f0, 0x0966, 0x09e6, 0x0e50];

/// The ASCII character that means the same.
fn narrow(char: char) -> Option<char> {
    let code = u32::from(char);
    if let Some(zero) = ZEROS.iter().find(|zero| (**zero..**zero + 10).contains(&code)) {
        return char::from_digit(code - zero, 10);
    }
    Some(match char {
        '\u{3000}' => ' ',
        '。' | '｡' => '.',
        '、' => ',',
        '−' | '﹣' => '-',
        '‹' | '﹤' => '<',
        '›' | '﹥' => '>',
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(char) - FULL_WIDTH)?,
        _ => return None,
    })
}

/// Whether a character is of Chinese, Japanese or Korean writing, which sets no spaces between words and numbers.
pub fn is_unspaced(char: char) -> bool {
    matches!(char,
        '\u{1100}'..='\u{11ff}' | '\u{2e80}'..='\u{2fdf}' | '\u{3005}'..='\u{30ff}' | '\u{3130}'..='\u{318f}'
        | '\u{31f0}'..='\u{31ff}' | '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}' | '\u{f900}'..='\u{faff}'
        | '\u{20000}'..='\u{2fa1f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_width_signs_become_ascii_and_others_stay() {
        assert_eq!(half_width("ｘ＝３．５％，Ａ、Ｂ"), "x=3.5%,A,B");
        assert_eq!(half_width("k ‹ 1。"), "k < 1. ");
        assert!(matches!(half_width("naïve, 5 ≤ 6"), Cow::Borrowed(_)));
    }
}
