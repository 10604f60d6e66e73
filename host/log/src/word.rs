//! Columns of enums, written as words.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};
use arrow::datatypes::DataType;

use super::table::{Cell, NullableCell, as_strings, read_required};

/// An enum that is written as words.
pub trait Word: Copy + 'static {
    /// All variants.
    const ALL: &'static [Self];

    /// The word of a variant.
    fn word(self) -> &'static str;
}

impl<W: Word> NullableCell for W {
    fn data_type() -> DataType {
        DataType::Utf8
    }

    fn array<'a>(values: impl Iterator<Item = Option<&'a Self>>) -> ArrayRef {
        Arc::new(values.map(|value| value.map(|value| value.word())).collect::<StringArray>())
    }

    fn read(array: &ArrayRef) -> Result<Vec<Option<Self>>, String> {
        let parse = |word: &str| {
            let variant = W::ALL.iter().copied().find(|variant| variant.word() == word);
            variant.ok_or_else(|| format!("holds the unknown word {word:?}"))
        };
        as_strings(array)?.iter().map(|word| word.map(parse).transpose()).collect()
    }
}

impl<W: Word> Cell for W {
    fn data_type() -> DataType {
        DataType::Utf8
    }

    fn array<'a>(values: impl Iterator<Item = &'a Self>) -> ArrayRef {
        NullableCell::array(values.map(Some))
    }

    fn read(array: &ArrayRef) -> Result<Vec<Self>, String> {
        read_required(array)
    }
}
