//! Numbers with a decimal comma, as most of Europe and Latin America write them: 3,14 and 1.234,56.

/// A gold answer with a point for its decimal comma, where it shows that it has one, and whether it can't be a list.
///
/// A comma may also separate the items of a list or group digits. It is a decimal comma behind groups of digits with points
/// between them, in braces, behind a zero, in front of more digits than there are before it (but for groups of three), and in
/// a number with a unit.
pub(crate) fn of_gold(text: &str) -> Option<(String, bool)> {
    let number = Number::read(text)?;
    let (whole, decimals) = (number.whole.len(), number.decimals.len());
    let is_group = decimals == 3 && number.whole != "0";
    let is_shown = number.is_grouped
        || number.whole == "0"
        || (!is_group && (number.is_braced || !number.unit.is_empty() || whole < decimals))
        || (!is_group && number.is_no_list())
        || (whole > 3 && decimals == 2);
    is_shown
        .then(|| (number.with_point(), number.is_grouped || !number.unit.is_empty() || number.is_no_list()))
}

/// Whether an answer is no list for how it is written: -0,5 and 0,05.
pub(crate) fn is_no_list(text: &str) -> bool {
    Number::read(text).is_some_and(|number| number.is_no_list())
}

/// Whether an answer is no list, and its comma doesn't group digits either: `11,05`, but not `1,050`.
pub(crate) fn is_surely_decimal(text: &str) -> bool {
    Number::read(text).is_some_and(|number| number.is_no_list() && number.decimals.len() != 3)
}

/// Whether the comma of an answer may be decimal whatever its language: it groups no digits, as that of `1,234` would.
pub(crate) fn may_be_decimal(text: &str) -> bool {
    let text = value_of_name(text);
    Number::read(text)
        .is_some_and(|number| number.decimals.len() != 3 || number.whole == "0" || number.is_grouped)
}

/// A number with a point for its comma, unless that may group digits.
pub(crate) fn of_no_group(text: &str) -> Option<String> {
    Number::read(text).filter(|number| number.decimals.len() != 3).map(|number| number.with_point())
}

/// An answer with a point for what may be its decimal comma.
pub(crate) fn of_answer(text: &str) -> Option<String> {
    Number::read(value_of_name(text)).map(|number| number.with_point())
}

/// The value of a name: "x = -0,5".
fn value_of_name(text: &str) -> &str {
    match text.split_once('=') {
        Some((name, value)) if name.trim_matches(['$', ' ']).chars().count() == 1 => value,
        _ => text,
    }
}

/// A number whose groups points part beyond doubt, as English writes it: `1.234.567` and `1.234,56`.
pub(crate) fn ungrouped(text: &str) -> Option<String> {
    let start = text.find(|char: char| char.is_ascii_digit())?;
    let length = text[start..].find(|char: char| !(char.is_ascii_digit() || ".,".contains(char)));
    let run = text[start..length.map_or(text.len(), |length| start + length)].trim_end_matches(['.', ',']);
    let (whole, decimals) =
        run.split_once(',').map_or((run, None), |(whole, decimals)| (whole, Some(decimals)));
    let mut groups = whole.split('.');
    let first = groups.next()?;
    let groups: Vec<&str> = groups.collect();
    let is_number = (1..=3).contains(&first.len())
        && groups.iter().all(|group| group.len() == 3)
        && groups.len() >= if decimals.is_some() { 1 } else { 2 }
        && decimals.is_none_or(|decimals| !decimals.is_empty() && !decimals.contains([',', '.']));
    let behind = &text[start + run.len()..];
    is_number.then(|| {
        let point = decimals.map(|decimals| format!(".{decimals}")).unwrap_or_default();
        format!("{}{}{point}{behind}", &text[..start], whole.replace('.', ""))
    })
}

/// Whether a text is of a language that writes decimal commas, as far as its common words show.
pub(crate) fn is_written_so(text: &str) -> bool {
    const WORDS: [&str; 24] = [
        "ist",
        "sind",
        "beträgt",
        "antwort",
        "ergebnis",
        "lösung",
        "est",
        "réponse",
        "résultat",
        "es",
        "respuesta",
        "resultado",
        "é",
        "são",
        "resposta",
        "è",
        "risposta",
        "risultato",
        "là",
        "đáp",
        "kết",
        "равна",
        "ответ",
        "lautet",
    ];
    let is_cyrillic = |char: char| matches!(char, '\u{400}'..='\u{4ff}');
    let mut start = text.len().saturating_sub(1000);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    let lower = text[start..].to_lowercase();
    lower.contains(is_cyrillic)
        || lower.split(|char: char| !char.is_alphabetic()).any(|word| WORDS.contains(&word))
}

/// The parts of a number with one comma that is no decimal point in English.
struct Number<'a> {
    sign: &'a str,
    /// Digits without the points between their groups.
    whole: String,
    decimals: &'a str,
    unit: &'a str,
    is_grouped: bool,
    is_braced: bool,
}

impl<'a> Number<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let bare = text.trim_matches(['$', ' ', '\n']);
        let comma = bare.find(',')?;
        let digits = bare.trim_start_matches(['-', '−', '–', '+']);
        let sign = &bare[..bare.len() - digits.len()];
        let (before, after) = (&bare[sign.len()..comma], &bare[comma + 1..]);
        let is_braced = before.ends_with('{') && after.starts_with('}');
        let (before, after) =
            if is_braced { (before.strip_suffix('{')?, &after[1..]) } else { (before, after) };
        let length = after.bytes().take_while(u8::is_ascii_digit).count();
        let (decimals, unit) = after.split_at(length);
        let mut groups = before.split('.');
        let first = groups.next()?;
        let is_grouped = before.contains('.');
        let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let is_whole = is_number(first)
            && (!is_grouped || first.len() <= 3)
            && groups.all(|group| group.len() == 3 && is_number(group));
        let unit = unit.trim_start_matches(['$', ' ']);
        let is_unit = !unit.contains(|char: char| char.is_ascii_digit() || ",;=+*/()<>".contains(char));
        let is_whole = is_whole && !decimals.is_empty() && is_unit && sign.chars().count() <= 1;
        is_whole.then(|| Self { sign, whole: before.replace('.', ""), decimals, unit, is_grouped, is_braced })
    }

    /// No list begins with -0, nor does one have an item like 05.
    fn is_no_list(&self) -> bool {
        let is_negative_zero = self.whole == "0" && matches!(self.sign, "-" | "−" | "–");
        is_negative_zero || (self.decimals.len() > 1 && self.decimals.starts_with('0'))
    }

    fn with_point(&self) -> String {
        format!("{}{}.{} {}", self.sign, self.whole, self.decimals, self.unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comma_is_decimal_only_where_the_number_shows_it() {
        let shown = |text| of_gold(text).map(|(text, _)| text.trim_end().to_owned());
        assert_eq!(shown("3,14").as_deref(), Some("3.14"));
        assert_eq!(shown("-0,5").as_deref(), Some("-0.5"));
        assert_eq!(shown("1.234,56").as_deref(), Some("1234.56"));
        assert_eq!(shown("2,5 kg").as_deref(), Some("2.5 kg"));
        assert_eq!(shown("$2{,}5$").as_deref(), Some("2.5"));
        for text in
            ["2,3", "12,13", "1,234", "1, 22", "1,2,3", "(1,22)", "x,22", "1234,567", ",5", "1,", "1.23,45"]
        {
            assert_eq!(shown(text), None, "{text}");
        }
    }
}
