//! What somebody may have meant who wrote a key or a word that there isn't.

/// How alike two names must be, from 0 to 1 (Jaro and Winkler).
const ALIKE: f64 = 0.8;

/// What to do about an error of reading a configuration.
pub(super) fn hint(error: &str) -> String {
    const KEYS: &str = "`exgrpo-host config` prints every key with its default";
    match meant(error) {
        Some(name) => format!("did you mean `{name}`? {KEYS}"),
        None => KEYS.to_owned(),
    }
}

/// The name among those that serde expected which is most like the one that it found.
fn meant(error: &str) -> Option<&str> {
    let start = ["unknown field `", "unknown variant `"]
        .iter()
        .find_map(|begin| Some(error.find(begin)? + begin.len()))?;
    let (found, rest) = error[start..].split_once('`')?;
    let names = rest.split('`').skip(1).step_by(2);
    let (name, alike) = names
        .map(|name| (name, strsim::jaro_winkler(found, name)))
        .max_by(|left, right| left.1.total_cmp(&right.1))?;
    (alike >= ALIKE).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_alike_is_named() {
        let error =
            "unknown field `question`, expected one of `questions`, `group_size`, `top_p`\nin `rollout`\n";
        assert_eq!(meant(error), Some("questions"));
        assert_eq!(meant("unknown field `lr`, expected one of `questions`, `group_size`"), None);
        assert_eq!(meant("unknown variant `bf61`, expected `f32` or `bf16`"), Some("bf16"));
        assert_eq!(meant("invalid type"), None);
        assert!(hint(error).starts_with("did you mean `questions`? "));
    }
}
