//! Lists of phrases that a text is searched for together.

/// Phrases that are looked for in one walk over a text, however many they are: a search for each of them has to prepare
/// itself, which takes most of the time where texts are short.
///
/// ```
/// use exgrpo_guest_sdk::response::Phrases;
///
/// static VERBS: Phrases = Phrases::new(&[" is ", " are "]);
/// assert!(VERBS.are_in("They are 5.") && !VERBS.are_in("5 areas"));
/// assert_eq!(VERBS.all_in("It is 5.").collect::<Vec<_>>(), [(2, " is ")]);
/// ```
#[derive(Debug)]
pub struct Phrases {
    list: &'static [&'static str],
    openings: Openings,
}

impl Phrases {
    /// Such a list; none of its phrases may be empty.
    pub const fn new(list: &'static [&'static str]) -> Self {
        let mut openings = Openings::NONE;
        let mut index = 0;
        while index < list.len() {
            openings.add(list[index]);
            index += 1;
        }
        Self { list, openings }
    }

    /// The phrases that a text has at a place, in the order of the list.
    #[inline]
    pub fn at(&self, text: &str, at: usize) -> impl Iterator<Item = &'static str> {
        let list = if self.openings.may_begin(text.as_bytes(), at) { self.list } else { &[] };
        let rest = text.as_bytes().get(at..).unwrap_or_default();
        list.iter().filter(move |phrase| rest.starts_with(phrase.as_bytes())).copied()
    }

    /// The phrases of a text and where they begin, in the order of their places; of those at one place, all.
    pub fn all_in<'a>(&'a self, text: &'a str) -> impl Iterator<Item = (usize, &'static str)> + 'a {
        let may_begin = |at: &usize| self.openings.may_begin(text.as_bytes(), *at);
        (0..text.len()).filter(may_begin).flat_map(|at| self.at(text, at).map(move |phrase| (at, phrase)))
    }

    /// Whether a text has one of the phrases.
    pub fn are_in(&self, text: &str) -> bool {
        self.all_in(text).next().is_some()
    }

    /// Those phrases that begin and end with a word's bounds.
    pub(super) fn words_in<'a>(&'a self, text: &'a str) -> impl Iterator<Item = (usize, &'static str)> + 'a {
        self.all_in(text).filter(|(at, phrase)| {
            !text[..*at].ends_with(char::is_alphanumeric)
                && !text[at + phrase.len()..].starts_with(char::is_alphanumeric)
        })
    }
}

/// The first two bytes of phrases: for each first byte, a bit for the five lower bits of the second.
#[derive(Debug)]
pub(super) struct Openings([u32; 256]);

impl Openings {
    pub(super) const NONE: Self = Self([0; 256]);

    const fn add(&mut self, phrase: &str) {
        let bytes = phrase.as_bytes();
        self.0[bytes[0] as usize] |= if bytes.len() > 1 { bit(bytes[1]) } else { u32::MAX };
    }

    /// The same where ASCII letters may be capitals; those of the second byte have the same lower bits anyway.
    pub(super) const fn add_in_any_case(&mut self, phrase: &str) {
        self.add(phrase);
        let first = phrase.as_bytes()[0];
        self.0[first.to_ascii_uppercase() as usize] |= self.0[first as usize];
    }

    /// Whether one of the phrases may begin at a place of a text: at most places none does.
    #[inline]
    pub(super) fn may_begin(&self, text: &[u8], at: usize) -> bool {
        match (text.get(at), text.get(at + 1)) {
            (Some(first), Some(second)) => self.0[usize::from(*first)] & bit(*second) != 0,
            (Some(first), None) => self.0[usize::from(*first)] != 0,
            _ => false,
        }
    }
}

const fn bit(byte: u8) -> u32 {
    1 << (byte % 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_phrases_are_found_wherever_they_stand() {
        static SOME: Phrases = Phrases::new(&["no", "not", "y", "не", ", "]);
        let found: Vec<_> = SOME.all_in("not no, y не y").collect();
        let expected = [(0, "no"), (0, "not"), (4, "no"), (6, ", "), (8, "y"), (10, "не"), (15, "y")];
        assert_eq!(found, expected);
        assert_eq!(SOME.words_in("not no, yn").collect::<Vec<_>>(), [(0, "not"), (4, "no")]);
        assert_eq!(SOME.at("not", 0).collect::<Vec<_>>(), ["no", "not"]);
        assert_eq!(SOME.at("not", 4).next(), None);
        assert!(SOME.are_in("by") && !SOME.are_in("") && !SOME.are_in("н") && !SOME.are_in("n"));
    }
}
