//! Arrow's arrays as values of rows. Numbers are written with all their digits: decimals by their scale, floats of each
//! width with as many digits as tell them from their neighbours.

use arrow::array::cast::AsArray;
use arrow::array::types::{
    ArrowPrimitiveType, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type, DecimalType,
    Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow::array::{Array, ArrayRef, RecordBatch, make_array};
use arrow::datatypes::DataType;
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::Row;
use super::cell::Cell;
use exgrpo_core::contain;
use exgrpo_core::escape::quoted;

/// Rows of a batch.
pub(super) fn rows(batch: &RecordBatch) -> Vec<Row> {
    let mut rows = vec![Row::new(); batch.num_rows()];
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        for (row, cell) in rows.iter_mut().zip(cells(column)) {
            insert(row, field.name(), cell);
        }
    }
    rows
}

/// Which of two values under one name is meant nobody knows.
fn insert(row: &mut Row, name: &str, cell: Cell) {
    if row.insert(name.to_owned(), cell).is_some() {
        let twice = Cell::Unreadable(format!("there twice: two columns are named {}", quoted(name)));
        row.insert(name.to_owned(), twice);
    }
}

/// Values of an array. Of nested ones only those are looked at that belong to it.
fn cells(array: &dyn Array) -> Vec<Cell> {
    match array.data_type() {
        DataType::Null => vec![Cell::Null; array.len()],
        DataType::Boolean => each(array, |row| Cell::Bool(array.as_boolean().value(row))),
        DataType::Int8 => integers::<Int8Type>(array),
        DataType::Int16 => integers::<Int16Type>(array),
        DataType::Int32 => integers::<Int32Type>(array),
        DataType::Int64 => integers::<Int64Type>(array),
        DataType::UInt8 => integers::<UInt8Type>(array),
        DataType::UInt16 => integers::<UInt16Type>(array),
        DataType::UInt32 => integers::<UInt32Type>(array),
        DataType::UInt64 => integers::<UInt64Type>(array),
        DataType::Float16 => {
            let values = array.as_primitive::<Float16Type>();
            each(array, |row| half(values.value(row).to_f32()))
        }
        DataType::Float32 => {
            let values = array.as_primitive::<Float32Type>();
            each(array, |row| float(f64::from(values.value(row)), values.value(row)))
        }
        DataType::Float64 => {
            let values = array.as_primitive::<Float64Type>();
            each(array, |row| float(values.value(row), values.value(row)))
        }
        DataType::Decimal32(..) => decimals::<Decimal32Type>(array),
        DataType::Decimal64(..) => decimals::<Decimal64Type>(array),
        DataType::Decimal128(..) => decimals::<Decimal128Type>(array),
        DataType::Decimal256(..) => decimals::<Decimal256Type>(array),
        DataType::Utf8 => each(array, |row| text(array.as_string::<i32>().value(row))),
        DataType::LargeUtf8 => each(array, |row| text(array.as_string::<i64>().value(row))),
        DataType::Utf8View => each(array, |row| text(array.as_string_view().value(row))),
        DataType::Binary => each(array, |row| bytes(array.as_binary::<i32>().value(row))),
        DataType::LargeBinary => each(array, |row| bytes(array.as_binary::<i64>().value(row))),
        DataType::BinaryView => each(array, |row| bytes(array.as_binary_view().value(row))),
        DataType::FixedSizeBinary(_) => each(array, |row| bytes(array.as_fixed_size_binary().value(row))),
        DataType::Dictionary(..) => {
            let dictionary = array.as_any_dictionary();
            let (values, keys) = (dictionary.values(), dictionary.normalized_keys());
            if values.len() > array.len() {
                // A row of many, each with a dictionary of all: only what it names is read.
                let value = |row: usize| cells(&values.slice(keys[row], 1)).pop();
                return each(array, |row| value(row).unwrap_or(Cell::Null));
            }
            let values = cells(values);
            each(array, |row| values.get(keys[row]).cloned().unwrap_or(Cell::Null))
        }
        DataType::List(_) => lists(array, |row| array.as_list::<i32>().value(row)),
        DataType::LargeList(_) => lists(array, |row| array.as_list::<i64>().value(row)),
        DataType::ListView(_) => lists(array, |row| array.as_list_view::<i32>().value(row)),
        DataType::LargeListView(_) => lists(array, |row| array.as_list_view::<i64>().value(row)),
        DataType::FixedSizeList(..) => lists(array, |row| array.as_fixed_size_list().value(row)),
        DataType::Struct(fields) => {
            let columns: Vec<_> = array.as_struct().columns().iter().map(|column| cells(column)).collect();
            each(array, |row| {
                let mut parts = Row::new();
                for (field, cells) in fields.iter().zip(&columns) {
                    insert(&mut parts, field.name(), cells[row].clone());
                }
                Cell::Struct(parts)
            })
        }
        DataType::Map(..) => each(array, |row| map(&array.as_map().value(row))),
        // Parquet's intervals have months, days and milliseconds, of which the reader keeps some.
        DataType::Interval(_) => each(array, |_| Cell::Unreadable("an interval".to_owned())),
        // A moment, written in UTC whatever zone it is meant for.
        DataType::Timestamp(unit, Some(_)) => {
            let local = array.to_data().into_builder().data_type(DataType::Timestamp(*unit, None)).build();
            let Ok(local) = local else { return vec![Cell::Unreadable("a moment".to_owned()); array.len()] };
            let in_utc = |cell| match cell {
                Cell::Text(text) => Cell::Text(format!("{text}Z")),
                other => other,
            };
            written(&make_array(local)).into_iter().map(in_utc).collect()
        }
        _ => written(array),
    }
}

/// A value a row; nulls where the array has them.
fn each(array: &dyn Array, cell: impl Fn(usize) -> Cell) -> Vec<Cell> {
    (0..array.len()).map(|row| if array.is_null(row) { Cell::Null } else { cell(row) }).collect()
}

fn integers<T: ArrowPrimitiveType<Native: ToString>>(array: &dyn Array) -> Vec<Cell> {
    let values = array.as_primitive::<T>();
    each(array, |row| Cell::Number(values.value(row).to_string()))
}

fn decimals<T: DecimalType>(array: &dyn Array) -> Vec<Cell> {
    let values = array.as_primitive::<T>();
    each(array, |row| Cell::Number(values.value_as_string(row)))
}

/// A float, written as `shortest` writes it: as 2 where it is 2, with an exponent where the digits would be many.
fn float(value: f64, shortest: impl std::fmt::Display + std::fmt::LowerExp) -> Cell {
    let size = value.abs();
    if value.is_nan() {
        Cell::Null
    } else if value.is_infinite() {
        Cell::Unreadable("an infinite number".to_owned())
    } else if size != 0.0 && !(1e-7..1e21).contains(&size) {
        Cell::Number(format!("{shortest:e}"))
    } else {
        Cell::Number(shortest.to_string())
    }
}

/// A float of 16 bits with the fewest digits that give it back: 5 are always enough.
fn half(value: f32) -> Cell {
    type Half = <Float16Type as ArrowPrimitiveType>::Native;
    let same = |text: &str| text.parse().is_ok_and(|back: f32| Half::from_f32(back).to_f32() == value);
    let shortest = (0..5).map(|digits| format!("{value:.digits$e}")).find(|text| same(text));
    match shortest.and_then(|text| text.parse::<f64>().ok()) {
        Some(short) => float(short, short),
        None => float(f64::from(value), value),
    }
}

fn text(text: &str) -> Cell {
    Cell::Text(text.to_owned())
}

/// Bytes that carry no word about being text: text where they are UTF-8 without control characters. Numbers of 16 bytes
/// and digests are stored like this too.
fn bytes(bytes: &[u8]) -> Cell {
    let is_written = |letter: char| !letter.is_control() || matches!(letter, '\n' | '\r' | '\t');
    match std::str::from_utf8(bytes) {
        Ok(text) if text.chars().all(is_written) => Cell::Text(text.to_owned()),
        _ => Cell::Unreadable("bytes that are no text".to_owned()),
    }
}

fn lists(array: &dyn Array, values: impl Fn(usize) -> ArrayRef) -> Vec<Cell> {
    each(array, |row| Cell::List(cells(&values(row))))
}

/// A map's entries, by name where the keys are text.
fn map(entries: &dyn Array) -> Cell {
    let entries = entries.as_struct();
    let (keys, values) = (cells(entries.column(0)), cells(entries.column(1)));
    let named = keys.iter().zip(values).map(|(key, value)| Some((key.text()?.into_owned(), value)));
    named
        .collect::<Option<Row>>()
        .map_or_else(|| Cell::Unreadable("a map without names".to_owned()), Cell::Struct)
}

/// Dates, times and spans, as ISO 8601 writes them. Dates beyond what has a calendar make the writer fail or panic.
fn written(array: &dyn Array) -> Vec<Cell> {
    let options = FormatOptions::new();
    let Ok(formatter) = ArrayFormatter::try_new(array, &options) else {
        let reason = format!("values of type {}", quoted(&array.data_type().to_string()));
        return each(array, |_| Cell::Unreadable(reason.clone()));
    };
    each(array, |row| match contain::catch_panic(|| formatter.value(row).try_to_string()) {
        Ok(Ok(text)) => Cell::Text(text),
        _ => Cell::Unreadable("a value that can't be written as text".to_owned()),
    })
}
