//! Tables of the run log, each declared once: a documented row struct becomes the schema, the writer and the reader.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, ListArray, PrimitiveArray, PrimitiveBuilder, StringArray,
    StringBuilder,
};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Field, Float32Type, Float64Type, Schema, UInt32Type, UInt64Type,
};

pub(crate) use super::word::Word;

/// Version of all schemas. Raise it when a column changes or goes, and add a sample to `tests/log_samples`. A new column
/// that can hold nulls needs neither: older parts read as null there.
pub const SCHEMA_VERSION: u32 = 3;

/// Key of the table's name in a part's metadata.
pub const TABLE_KEY: &str = "exgrpo.table";

/// Key of [`SCHEMA_VERSION`] in a part's metadata.
pub const VERSION_KEY: &str = "exgrpo.schema_version";

/// Key of the SHA-256 of all bytes before a part's metadata, which hold every value of its rows.
pub const VALUES_KEY: &str = "exgrpo.values_sha256";

/// Key of the SHA-256 of what an evaluation was asked, in the metadata of its parts.
pub const EVALUATION_KEY: &str = "exgrpo.evaluation_sha256";

/// Key of the run's id in a part's metadata.
pub const RUN_KEY: &str = "exgrpo.run_id";

/// Key, in the metadata of a part of `metrics`, of the other parts that appeared with it: names, sizes, digests as JSON.
pub const PARTS_KEY: &str = "exgrpo.parts";

/// Key, in the metadata of a part of `metrics`, of the SHA-256 of the one before it.
pub const PREVIOUS_KEY: &str = "exgrpo.previous";

/// A row of a table with fixed columns.
pub trait Row: Sized {
    /// Name of the table, which is also its folder.
    const TABLE: &'static str;

    /// What a row is.
    const DOC: &'static str;

    /// Columns in order, with `doc` and, where there is one, `unit` in each field's metadata.
    fn schema() -> Schema;

    /// Values of every column.
    fn arrays(rows: &[Self]) -> Vec<ArrayRef>;

    /// Rows of a batch, whose columns are found by name.
    fn from_columns(columns: &BatchColumns<'_>) -> Result<Vec<Self>, String>;

    /// Step that the row belongs to.
    fn step(&self) -> u32;
}

/// A batch as a reader sees it.
#[derive(Debug, Clone, Copy)]
pub struct BatchColumns<'a> {
    batch: &'a arrow::record_batch::RecordBatch,
}

impl<'a> BatchColumns<'a> {
    /// The columns of `batch`.
    pub fn new(batch: &'a arrow::record_batch::RecordBatch) -> Self {
        Self { batch }
    }

    /// Number of rows.
    pub fn num_rows(&self) -> usize {
        self.batch.num_rows()
    }

    /// Values of the column `name`; an error says what is wrong with it. A column that can hold nulls is all null in parts
    /// that were written before there was one.
    pub fn get<C: Cell>(&self, name: &str) -> Result<Vec<C>, String> {
        let Some(array) = self.batch.column_by_name(name) else {
            return C::absent(self.num_rows()).ok_or_else(|| format!("column {name} is missing"));
        };
        C::read(array).map_err(|problem| format!("column {name} {problem}"))
    }
}

/// A type that a column can have.
pub trait Cell: Sized {
    /// True when the column can hold nulls.
    const NULLABLE: bool = false;

    /// The column's type.
    fn data_type() -> DataType;

    /// A column of these values.
    fn array<'a>(values: impl Iterator<Item = &'a Self>) -> ArrayRef
    where
        Self: 'a;

    /// Values of a column. An error goes on after the column's name.
    fn read(array: &ArrayRef) -> Result<Vec<Self>, String>;

    /// Values of a column that is not there; none where there must be one.
    fn absent(num_rows: usize) -> Option<Vec<Self>> {
        let _ = num_rows;
        None
    }
}

/// A cell that may be missing: `Option<T>` of it is a cell too.
pub trait NullableCell: Sized {
    /// The column's type.
    fn data_type() -> DataType;

    /// A column of these values.
    fn array<'a>(values: impl Iterator<Item = Option<&'a Self>>) -> ArrayRef
    where
        Self: 'a;

    /// Values of a column. An error goes on after the column's name.
    fn read(array: &ArrayRef) -> Result<Vec<Option<Self>>, String>;
}

impl<T: NullableCell> Cell for Option<T> {
    const NULLABLE: bool = true;

    fn data_type() -> DataType {
        T::data_type()
    }

    fn array<'a>(values: impl Iterator<Item = &'a Self>) -> ArrayRef
    where
        Self: 'a,
    {
        T::array(values.map(Option::as_ref))
    }

    fn read(array: &ArrayRef) -> Result<Vec<Self>, String> {
        T::read(array)
    }

    fn absent(num_rows: usize) -> Option<Vec<Self>> {
        Some(std::iter::repeat_with(|| None).take(num_rows).collect())
    }
}

/// Reads a column that can't hold nulls.
pub(super) fn read_required<T: NullableCell>(array: &ArrayRef) -> Result<Vec<T>, String> {
    T::read(array)?.into_iter().map(|value| value.ok_or_else(|| "holds a null".to_owned())).collect()
}

fn wrong_type(array: &ArrayRef, wanted: &DataType) -> String {
    format!("has type {}, not {wanted}", array.data_type())
}

fn as_primitive<P: ArrowPrimitiveType>(array: &ArrayRef) -> Result<&PrimitiveArray<P>, String> {
    array.as_primitive_opt::<P>().ok_or_else(|| wrong_type(array, &P::DATA_TYPE))
}

pub(super) fn as_strings(array: &ArrayRef) -> Result<&StringArray, String> {
    array.as_string_opt::<i32>().ok_or_else(|| wrong_type(array, &DataType::Utf8))
}

/// Implements [`Cell`] by way of [`NullableCell`].
macro_rules! required_cell {
    ($type:ty) => {
        impl Cell for $type {
            fn data_type() -> DataType {
                <$type as NullableCell>::data_type()
            }

            fn array<'a>(values: impl Iterator<Item = &'a Self>) -> ArrayRef {
                <$type as NullableCell>::array(values.map(Some))
            }

            fn read(array: &ArrayRef) -> Result<Vec<Self>, String> {
                read_required(array)
            }
        }
    };
}

/// A number, and a list of such numbers. `$known` says which values an optional column keeps; others become null.
macro_rules! number_cells {
    ($type:ty, $arrow:ty, $known:expr) => {
        impl NullableCell for $type {
            fn data_type() -> DataType {
                <$arrow>::DATA_TYPE
            }

            fn array<'a>(values: impl Iterator<Item = Option<&'a Self>>) -> ArrayRef {
                let mut builder = PrimitiveBuilder::<$arrow>::with_capacity(values.size_hint().0);
                values.for_each(|value| builder.append_option(value.copied().filter($known)));
                Arc::new(builder.finish())
            }

            fn read(array: &ArrayRef) -> Result<Vec<Option<Self>>, String> {
                Ok(as_primitive::<$arrow>(array)?.iter().collect())
            }
        }

        impl Cell for $type {
            fn data_type() -> DataType {
                <$arrow>::DATA_TYPE
            }

            fn array<'a>(values: impl Iterator<Item = &'a Self>) -> ArrayRef {
                Arc::new(PrimitiveArray::<$arrow>::from_iter_values(values.copied()))
            }

            fn read(array: &ArrayRef) -> Result<Vec<Self>, String> {
                read_required(array)
            }
        }

        impl Cell for Vec<$type> {
            fn data_type() -> DataType {
                DataType::List(Arc::new(Field::new("element", <$arrow>::DATA_TYPE, false)))
            }

            fn array<'a>(values: impl Iterator<Item = &'a Self>) -> ArrayRef {
                let mut items = Vec::new();
                let lengths: Vec<usize> = values
                    .map(|list| {
                        items.extend_from_slice(list);
                        list.len()
                    })
                    .collect();
                let field = Arc::new(Field::new("element", <$arrow>::DATA_TYPE, false));
                let items = PrimitiveArray::<$arrow>::new(ScalarBuffer::from(items), None);
                Arc::new(ListArray::new(field, OffsetBuffer::from_lengths(lengths), Arc::new(items), None))
            }

            fn read(array: &ArrayRef) -> Result<Vec<Self>, String> {
                let lists = array
                    .as_list_opt::<i32>()
                    .ok_or_else(|| wrong_type(array, &<Self as Cell>::data_type()))?;
                if lists.null_count() + lists.values().null_count() > 0 {
                    return Err("holds a null".to_owned());
                }
                let items = as_primitive::<$arrow>(lists.values())?.values();
                Ok(lists
                    .offsets()
                    .windows(2)
                    .map(|range| items[range[0] as usize..range[1] as usize].to_vec())
                    .collect())
            }
        }
    };
}

number_cells!(u32, UInt32Type, |_| true);
number_cells!(u64, UInt64Type, |_| true);
number_cells!(f32, Float32Type, |value| !value.is_nan());
number_cells!(f64, Float64Type, |value| !value.is_nan());

impl NullableCell for bool {
    fn data_type() -> DataType {
        DataType::Boolean
    }

    fn array<'a>(values: impl Iterator<Item = Option<&'a Self>>) -> ArrayRef {
        Arc::new(values.map(Option::<&bool>::copied).collect::<BooleanArray>())
    }

    fn read(array: &ArrayRef) -> Result<Vec<Option<Self>>, String> {
        let bools = array.as_boolean_opt().ok_or_else(|| wrong_type(array, &DataType::Boolean))?;
        Ok(bools.iter().collect())
    }
}

required_cell!(bool);

impl NullableCell for String {
    fn data_type() -> DataType {
        DataType::Utf8
    }

    fn array<'a>(values: impl Iterator<Item = Option<&'a Self>>) -> ArrayRef {
        let mut builder = StringBuilder::new();
        values.for_each(|value| builder.append_option(value));
        Arc::new(builder.finish())
    }

    fn read(array: &ArrayRef) -> Result<Vec<Option<Self>>, String> {
        Ok(as_strings(array)?.iter().map(|value| value.map(str::to_owned)).collect())
    }
}

required_cell!(String);

/// A column's field with its documentation.
pub(super) fn field<C: Cell>(name: &str, doc: &[&str], unit: Option<&str>) -> Field {
    documented(Field::new(name, C::data_type(), C::NULLABLE), &doc.concat(), unit)
}

/// Adds documentation to a field.
pub(super) fn documented(field: Field, doc: &str, unit: Option<&str>) -> Field {
    let mut metadata = std::collections::HashMap::from([("doc".to_owned(), doc.trim().to_owned())]);
    metadata.extend(unit.map(|unit| ("unit".to_owned(), unit.to_owned())));
    field.with_metadata(metadata)
}

/// Declares the row struct of a table and implements [`Row`] for it. Every field is a column; its doc comment and
/// its `#[unit]` go into the file. The field `step` is required.
macro_rules! table {
    (
        $table:literal,
        $(#[doc = $row_doc:literal])+
        $(#[derive($($derive:ident),+)])?
        pub struct $row:ident {
            $(
                $(#[doc = $doc:literal])+
                $(#[unit = $unit:literal])?
                pub $name:ident: $type:ty,
            )+
        }
    ) => {
        $(#[doc = $row_doc])+
        $(#[derive($($derive),+)])?
        pub struct $row {
            $(
                $(#[doc = $doc])+
                $(#[doc = concat!(" Unit: ", $unit, ".")])?
                pub $name: $type,
            )+
        }

        impl $crate::table::Row for $row {
            const TABLE: &'static str = $table;
            const DOC: &'static str = concat!($($row_doc),+);

            fn schema() -> arrow::datatypes::Schema {
                let fields = vec![$(
                    $crate::table::field::<$type>(stringify!($name), &[$($doc),+], [$($unit)?].first().copied())
                ),+];
                arrow::datatypes::Schema::new(fields)
            }

            fn arrays(rows: &[Self]) -> Vec<arrow::array::ArrayRef> {
                vec![$(<$type as $crate::table::Cell>::array(rows.iter().map(|row| &row.$name))),+]
            }

            fn from_columns(columns: &$crate::table::BatchColumns<'_>) -> Result<Vec<Self>, String> {
                $(let mut $name = columns.get::<$type>(stringify!($name))?.into_iter();)+
                let mut rows = Vec::with_capacity(columns.num_rows());
                // Columns of a batch are equally long, so that all iterators end together.
                while let ($(Some($name),)+) = ($($name.next(),)+) {
                    rows.push(Self { $($name),+ });
                }
                Ok(rows)
            }

            fn step(&self) -> u32 {
                self.step
            }
        }

        #[cfg(test)]
        impl $crate::tests::Arbitrary for $row {
            fn arbitrary(source: &mut $crate::tests::Source) -> Self {
                Self { $($name: $crate::tests::Arbitrary::arbitrary(source)),+ }
            }
        }
    };
}

pub(super) use table;
