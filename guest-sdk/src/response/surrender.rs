//! Ends of responses that give no answer: "so I cannot give a final answer".

/// Phrases of such an end, in small letters.
const PHRASES: [&str; 12] = [
    "cannot give a final answer",
    "can't give a final answer",
    "cannot give an answer",
    "can't give an answer",
    "unable to give an answer",
    "unable to give a final answer",
    "cannot determine the answer",
    "can't determine the answer",
    "cannot provide an answer",
    "cannot provide a final answer",
    "no final answer can be given",
    "nothing can be concluded",
];
/// Bytes at the end of a response in which one is looked for.
const MAX_END: usize = 120;

/// Whether a response ends in saying that it has no answer.
///
/// ```
/// use exgrpo_guest_sdk::response::gives_up;
///
/// assert!(gives_up("So 12. But 12 is not valid, and I cannot give a final answer."));
/// assert!(!gives_up("I cannot give a final answer yet. Let me count again, with care and one by one, from the first to the last: one, two, three, and then four. 12"));
/// ```
pub fn gives_up(response: &str) -> bool {
    let response = response.trim_end();
    let mut from = response.len().saturating_sub(MAX_END);
    while !response.is_char_boundary(from) {
        from += 1;
    }
    let end = response[from..].to_lowercase().replace('’', "'");
    let found = PHRASES.iter().filter_map(|phrase| Some(end.rfind(phrase)? + phrase.len())).max();
    // What follows may be the answer after all.
    found.is_some_and(|at| !end[at..].contains(|char: char| char.is_ascii_digit()))
}
