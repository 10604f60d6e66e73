//! Words that multiply or divide the number before them.

/// What a word does to the number before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// "Thousand": multiplies it.
    Times(u64),
    /// "Tenths": divides it.
    Over(u64),
}

/// The scale that a word is, in any case. "M", "B" and "K" count as they are written on prices.
///
/// ```
/// use exgrpo_guest_sdk::response::{Scale, scale};
///
/// assert_eq!(scale("Million"), Some(Scale::Times(1_000_000)));
/// assert_eq!(scale("tenths"), Some(Scale::Over(10)));
/// assert_eq!(scale("m"), None);
/// ```
pub fn scale(word: &str) -> Option<Scale> {
    // No name is longer.
    if word.len() > 16 {
        return None;
    }
    Some(match word {
        "k" | "K" | "千" => Scale::Times(1_000),
        "M" => Scale::Times(1_000_000),
        "B" => Scale::Times(1_000_000_000),
        "百" => Scale::Times(100),
        "万" | "萬" => Scale::Times(10_000),
        "亿" | "億" => Scale::Times(100_000_000),
        _ => match word.to_ascii_lowercase().as_str() {
            "dozen" | "dozens" => Scale::Times(12),
            "hundred" => Scale::Times(100),
            "thousand" => Scale::Times(1_000),
            "lakh" | "lakhs" => Scale::Times(100_000),
            "million" | "mio" => Scale::Times(1_000_000),
            "crore" | "crores" => Scale::Times(10_000_000),
            "billion" | "bn" => Scale::Times(1_000_000_000),
            "trillion" => Scale::Times(1_000_000_000_000),
            "thirds" => Scale::Over(3),
            "fifths" => Scale::Over(5),
            "sixths" => Scale::Over(6),
            "sevenths" => Scale::Over(7),
            "eighths" => Scale::Over(8),
            "ninths" => Scale::Over(9),
            "tenths" => Scale::Over(10),
            "hundredths" => Scale::Over(100),
            "thousandths" => Scale::Over(1_000),
            _ => return None,
        },
    })
}
