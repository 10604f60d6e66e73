//! Messages of candle's errors, for people.

use std::error::Error as StdError;

/// What `error` says without the backtrace that candle puts into its messages; none for an error that is not candle's.
#[cfg(feature = "candle")]
pub fn message_of_candle(error: &(dyn StdError + 'static)) -> Option<String> {
    error.downcast_ref::<candle_core::Error>().map(without_backtrace)
}

/// Without candle none is.
#[cfg(not(feature = "candle"))]
pub fn message_of_candle(_: &(dyn StdError + 'static)) -> Option<String> {
    None
}

#[cfg(feature = "candle")]
fn without_backtrace(error: &candle_core::Error) -> String {
    use candle_core::Error;
    match error {
        Error::WithBacktrace { inner, .. } => without_backtrace(inner),
        Error::Context { inner, context } => format!("{context}: {}", without_backtrace(inner)),
        Error::WithPath { inner, path } => format!("{}: {}", path.display(), without_backtrace(inner)),
        other => other.to_string(),
    }
}

#[cfg(all(test, feature = "candle"))]
mod tests {
    use super::*;

    #[test]
    fn candles_backtraces_are_left_out() {
        let inner = Box::new(candle_core::Error::Msg("shapes differ".to_owned()));
        let backtrace = Box::new(std::backtrace::Backtrace::force_capture());
        let error = candle_core::Error::WithBacktrace { inner, backtrace }.context("layer 2");
        assert_eq!(message_of_candle(&error).as_deref(), Some("layer 2: shapes differ"));
        assert_eq!(message_of_candle(&std::io::Error::other("no room")), None);
    }
}
