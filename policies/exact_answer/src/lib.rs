//! Verifier of the default dataset, whose questions look like `38+47-19=` with the gold answer `66`.
//!
//! A response is working in steps that `;` separates, and ends with the result: `38+47=85;85-19=66;66`. The text
//! behind the last `;` is the answer (all of it without one). It is right when it is the same integer as the gold
//! answer, of whatever length: an optional `+` or `-` and decimal digits, leading zeros and the sign of zero ignored.

use exgrpo_guest_sdk::{Policy, Request, Result, Verdict, Verifier, baseline};

/// Accepts the right integer.
#[derive(Debug)]
pub struct ExactAnswer;

impl Policy for ExactAnswer {
    type Parameters = ();

    fn new((): ()) -> Result<Self> {
        Ok(Self)
    }
}

impl Verifier for ExactAnswer {
    fn verify(&self, request: &Request) -> Result<Verdict> {
        Ok(baseline::exact_integer(request))
    }
}

exgrpo_guest_sdk::export!(ExactAnswer: Verifier);

#[cfg(test)]
mod tests {
    use exgrpo_guest_sdk::{Outcome, testing};

    use super::*;

    fn verdict(reference: &str, response: &str) -> Verdict {
        ExactAnswer.verify(&testing::request("38+47-19=", reference, response)).unwrap()
    }

    #[test]
    fn the_text_behind_the_last_semicolon_counts() {
        assert_eq!(verdict("66", "38+47=85;85-19=66;66"), Verdict::correct().with_answer("66"));
        assert_eq!(verdict("66", "66"), Verdict::correct().with_answer("66"));
        assert_eq!(verdict("66", "66;67"), Verdict::incorrect().with_answer("67"));
        assert_eq!(verdict("66", "66;"), Verdict::incorrect().with_answer(""));
        assert_eq!(verdict("66", "85-19=66"), Verdict::incorrect().with_answer("85-19=66"));
        assert_eq!(verdict("66", ""), Verdict::incorrect().with_answer(""));
    }

    #[test]
    fn integers_of_any_length_are_compared_by_value() {
        let long = "123456789012345678901234567890123456789";
        for (reference, response) in [
            ("66", "; 066 \n"),
            ("66", "+66"),
            ("0", "-0"),
            ("-0", "000"),
            ("-7", "-007"),
            (" 66 ", "66"),
            (long, &format!("00{long}")),
        ] {
            assert_eq!(verdict(reference, response).outcome, Outcome::Correct, "{reference} {response}");
        }
        for (reference, response) in [
            ("66", "-66"),
            ("66", "6 6"),
            ("66", "66.0"),
            ("66", "--66"),
            ("66", "-"),
            ("66", "\u{666}\u{666}"),
            (long, &long[1..]),
        ] {
            assert_eq!(verdict(reference, response).outcome, Outcome::Incorrect, "{reference} {response}");
        }
    }

    #[test]
    fn a_cut_response_is_incorrect() {
        let cut = Request { finished: false, ..testing::request("38+47-19=", "66", "66") };
        assert_eq!(ExactAnswer.verify(&cut).unwrap().outcome, Outcome::Incorrect);
    }

    #[test]
    fn a_reference_that_is_no_integer_is_unscorable() {
        for reference in ["", "x", "6.5", "-", "1/2"] {
            assert_eq!(verdict(reference, "66"), Verdict::unscorable(), "{reference}");
        }
    }
}
