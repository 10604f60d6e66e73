use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use ::arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Decimal128Array, Decimal256Array, DictionaryArray,
    FixedSizeBinaryArray, Float16Array, Float32Array, Float64Array, Int64Array, LargeBinaryArray,
    LargeStringArray, ListArray, RecordBatch, StringArray, StringViewArray, StructArray,
    TimestampMicrosecondArray, UInt64Array,
};
use ::arrow::datatypes::{DataType, Field, Float16Type, Int8Type, Int32Type, i256};
use ::parquet::arrow::ArrowWriter;
use ::parquet::basic::Compression;
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::reader::{FileReader, SerializedFileReader};

use super::*;
use exgrpo_core::bounded::ROW_BYTES;

pub(super) fn all(rows: Rows<'_>) -> Vec<anyhow::Result<Numbered>> {
    rows.collect()
}

/// Columns as a Parquet file with `rows` rows a group.
pub(super) fn parquet_file(path: &Path, columns: Vec<(&str, ArrayRef)>, rows: usize) {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(rows)).build();
    let mut writer =
        ArrowWriter::try_new(File::create(path).unwrap(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

#[test]
fn a_line_that_is_too_long_is_left_out_and_counted() {
    let long = format!("{{\"question\": \"{}\"}}", "x".repeat(ROW_BYTES));
    let text = format!("{{\"a\": 1}}\r\n\n{long}\n{{\"a\": 2}}\n{long}");
    let rows: Vec<Numbered> = of_text(&text).map(Result::unwrap).collect();
    let numbers: Vec<usize> = rows.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, [1, 3, 4, 5]);
    assert_eq!(rows[2].1.as_ref().unwrap()["a"], number("2"));
    for index in [1, 3] {
        assert!(rows[index].1.as_ref().unwrap_err().contains("longer than"), "{:?}", rows[index]);
    }
    // A line of the largest size is a row.
    let line = format!("{{\"a\": \"{}\"}}", "x".repeat(ROW_BYTES - 9));
    assert_eq!(line.len(), ROW_BYTES);
    assert!(of_text(&line).next().unwrap().unwrap().1.is_ok());
}

#[test]
fn rows_of_a_json_array_are_parsed_one_at_a_time() {
    let read = |text: &str| json::array(text.to_owned()).map(all);
    let rows = read(" [ {\"a\": 1} ,\n{\"a\": [1, {\"b\": \"]}\"}]}, 7 ] ").unwrap();
    assert_eq!(rows.len(), 3);
    assert_eq!(at(rows[1].as_ref().unwrap().1.as_ref().unwrap(), "a.1.b"), Some(&text("]}")));
    assert!(rows[2].as_ref().unwrap().1.as_ref().unwrap_err().contains("a number"));
    assert!(read("[]").unwrap().is_empty());
    for text in ["[{\"a\": 1}", "[1 2]", "{\"a\": 1}", "[1]]", "", "[1,]"] {
        assert!(read(text).is_err(), "{text}");
    }
    let deep = format!("[{{\"a\": 1}}, {}{}]", "[".repeat(100_000), "]".repeat(100_000));
    let rows = read(&deep).unwrap();
    assert!(rows[1].as_ref().unwrap().1.as_ref().unwrap_err().contains("nested deeper"));
}

/// Dates that no calendar has: the writer panics over them. Nobody may need that column.
#[test]
fn an_impossible_date_is_a_value_that_can_not_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.parquet");
    let dates: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![0, i64::MAX, i64::MIN, 1]));
    let questions: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "c", "d"]));
    parquet_file(&path, vec![("question", questions), ("when", dates)], 3);
    let rows: Vec<Row> = of_file(&path).unwrap().map(|row| row.unwrap().1.unwrap()).collect();
    assert_eq!(rows.len(), 4);
    assert_eq!((&rows[3]["question"], &rows[0]["when"]), (&text("d"), &text("1970-01-01T00:00:00")));
    for index in [1, 2] {
        assert!(matches!(rows[index]["when"], Cell::Unreadable(_)), "{:?}", rows[index]);
    }
}

fn number(digits: &str) -> Cell {
    Cell::Number(digits.to_owned())
}

fn text(text: &str) -> Cell {
    Cell::Text(text.to_owned())
}

/// Rows of a file that are all readable.
fn read(path: &Path) -> Vec<Row> {
    of_file(path).unwrap().map(|row| row.unwrap().1.unwrap()).collect()
}

fn written(name: &str, bytes: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    (dir, path)
}

#[test]
fn values_of_parquet_keep_their_type_and_their_digits() {
    let nested = StructArray::from(vec![
        (
            Arc::new(Field::new("a", DataType::Int64, true)),
            Arc::new(Int64Array::from(vec![Some(1), None])) as ArrayRef,
        ),
        (
            Arc::new(Field::new("b", DataType::Utf8, true)),
            Arc::new(StringArray::from(vec!["x", "y"])) as ArrayRef,
        ),
    ]);
    let lists = ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1), None]), None]);
    let words: DictionaryArray<Int8Type> = vec![Some("oak"), None].into_iter().collect();
    let decimals = Decimal128Array::from(vec![-12_345_678_901_234_567_890_123_456_789_i128, 5])
        .with_precision_and_scale(38, 4)
        .unwrap();
    let wide =
        Decimal256Array::from(vec![i256::from_string("15511210043330985984000000").unwrap(), i256::ZERO])
            .with_precision_and_scale(60, 0)
            .unwrap();
    let half =
        |value: f32| <Float16Type as ::arrow::array::types::ArrowPrimitiveType>::Native::from_f32(value);
    let columns: Vec<(&str, ArrayRef, [Cell; 2])> = vec![
        (
            "u64",
            Arc::new(UInt64Array::from(vec![u64::MAX, 0])),
            [number("18446744073709551615"), number("0")],
        ),
        ("f16", Arc::new(Float16Array::from(vec![half(0.1), half(-2.0)])), [number("0.1"), number("-2")]),
        ("f32", Arc::new(Float32Array::from(vec![0.1, 3.4e38])), [number("0.1"), number("3.4e38")]),
        ("f64", Arc::new(Float64Array::from(vec![1e-300, f64::NAN])), [number("1e-300"), Cell::Null]),
        ("decimal", Arc::new(decimals), [number("-1234567890123456789012345.6789"), number("0.0005")]),
        ("wide", Arc::new(wide), [number("15511210043330985984000000"), number("0")]),
        ("bool", Arc::new(BooleanArray::from(vec![Some(true), None])), [Cell::Bool(true), Cell::Null]),
        ("bytes", Arc::new(BinaryArray::from(vec![b"1+1=".as_slice(), b"2"])), [text("1+1="), text("2")]),
        (
            "no_text",
            Arc::new(LargeBinaryArray::from(vec![b"\xff".as_slice(), b"2"])),
            [Cell::Unreadable("bytes that are no text".to_owned()), text("2")],
        ),
        (
            "fixed",
            Arc::new(FixedSizeBinaryArray::try_from(vec![b"ab".as_slice(), b"cd".as_slice()]).unwrap()),
            [text("ab"), text("cd")],
        ),
        (
            "wide_integer",
            Arc::new(FixedSizeBinaryArray::try_from(vec![b"\x01\0\0\0".as_slice(), b"\x02\0\0\0"]).unwrap()),
            [1, 2].map(|_| Cell::Unreadable("bytes that are no text".to_owned())),
        ),
        ("large", Arc::new(LargeStringArray::from(vec!["é", ""])), [text("é"), text("")]),
        ("view", Arc::new(StringViewArray::from(vec!["one", "two"])), [text("one"), text("two")]),
        ("words", Arc::new(words), [text("oak"), Cell::Null]),
        (
            "moment",
            Arc::new(TimestampMicrosecondArray::from(vec![1_500_000, 0]).with_timezone("Europe/Berlin")),
            [text("1970-01-01T00:00:01.500Z"), text("1970-01-01T00:00:00Z")],
        ),
        ("lists", Arc::new(lists), [Cell::List(vec![number("1"), Cell::Null]), Cell::Null]),
        (
            "nested",
            Arc::new(nested),
            [
                Cell::Struct([("a".to_owned(), number("1")), ("b".to_owned(), text("x"))].into()),
                Cell::Struct([("a".to_owned(), Cell::Null), ("b".to_owned(), text("y"))].into()),
            ],
        ),
    ];
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.parquet");
    parquet_file(&path, columns.iter().map(|(name, array, _)| (*name, array.clone())).collect(), 1);
    let rows = read(&path);
    for (name, _, cells) in columns {
        assert_eq!([&rows[0][name], &rows[1][name]], [&cells[0], &cells[1]], "{name}");
    }
}

#[test]
fn every_codec_and_every_packing_hold_the_same_rows() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.parquet");
    let questions: ArrayRef = Arc::new(StringArray::from(vec!["1+1=", "2+2=", "3+3="]));
    for codec in [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(Default::default()),
        Compression::BROTLI(Default::default()),
        Compression::LZ4,
        Compression::LZ4_RAW,
        Compression::ZSTD(Default::default()),
    ] {
        let batch = RecordBatch::try_from_iter([("question", questions.clone())]).unwrap();
        let properties = WriterProperties::builder().set_compression(codec).build();
        let mut writer =
            ArrowWriter::try_new(File::create(&path).unwrap(), batch.schema(), Some(properties)).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        assert_eq!(read(&path)[2]["question"], text("3+3="), "{codec}");
    }

    let lines =
        "\u{feff}{\"question\": \"1+1=\", \"n\": 2.50}\r\n{\"question\": \"a,\\n\\\"b\\\"\", \"n\": 7}\r\n";
    let array = format!("\u{feff}[{}]", lines.trim_start_matches('\u{feff}').trim_end().replace('\n', ",\n"));
    let csv = "\u{feff}question,n\r\n1+1=,2.50\r\n\"a,\n\"\"b\"\"\",7\r\n";
    let expected = [("1+1=", "2.50"), ("a,\n\"b\"", "7")];
    for (name, content) in [
        ("a.jsonl", lines.to_owned()),
        ("a.json", lines.to_owned()),
        ("a.JSON", array.clone()),
        ("a.jsonl", array),
        ("a", lines.to_owned()),
        ("a.v1.csv", csv.to_owned()),
        ("semicolons.csv", csv.replace("n,", "n;").replace("=,", "=;").replace("\",", "\";")),
        ("a.tsv", csv.replace("n,", "n\t").replace("=,", "=\t").replace("\",", "\"\t")),
    ] {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), Default::default());
        gzip.write_all(content.as_bytes()).unwrap();
        let zstd = zstd::encode_all(content.as_bytes(), 1).unwrap();
        for (suffix, bytes) in
            [("", content.into_bytes()), (".gz", gzip.finish().unwrap()), (".zst", zstd.clone()), ("", zstd)]
        {
            let (_dir, path) = written(&format!("{name}{suffix}"), &bytes);
            let rows = read(&path);
            let have: Vec<_> =
                rows.iter().map(|row| (row["question"].text().unwrap(), row["n"].text().unwrap())).collect();
            let want: Vec<_> = expected.iter().map(|&(question, n)| (question.into(), n.into())).collect();
            assert_eq!(have, want, "{name}{suffix}");
            assert!(matches!(rows[0]["n"], Cell::Number(_)));
        }
    }
}

#[test]
fn a_table_of_text_that_can_not_be_read_says_what_it_is_and_what_to_do() {
    for (name, bytes, expected) in [
        ("a.csv", b"question,question\n1,2\n".as_slice(), ["no readable CSV", "twice", "hint: rename"]),
        ("a.csv", b"", ["no readable CSV", "header", "hint: "]),
        (
            "a.json",
            b"{\n \"data\": [{\"question\": \"?\"}]\n}\n",
            ["no readable JSON", "one JSON value", "hint: "],
        ),
        ("a.jsonl", b"\xff\xfe{\0", ["can't read", "UTF-16", "hint: save it as UTF-8"]),
        ("a.jsonl.bz2", b"BZh91AY", ["can't read", "packed", "hint: unpack"]),
        ("a.parquet", b"{\"question\": \"1+1=\"}\n", ["no readable Parquet", "PAR1", "a.parquet"]),
        ("a.parquet", b"", ["no readable Parquet", "shorter", "a.parquet"]),
    ] {
        let (_dir, path) = written(name, bytes);
        let error = format!("{:#}", of_file(&path).err().unwrap());
        assert!(expected.iter().all(|part| error.contains(part)), "{name}: {error}");
    }
    // What is wrong with one row is that row's reason, with the number of its line.
    let open = format!("question,answer\n1+1=,2\n\"{}", "x".repeat(ROW_BYTES + (1 << 20)));
    let (_dir, path) = written("a.csv", open.as_bytes());
    let rows = all(of_file(&path).unwrap());
    assert!(rows[1].as_ref().unwrap_err().to_string().contains("a quote may be left open"));
    let (_dir, path) = written("a.csv", b"question,answer\n\"1\n+1=\",2\n2+2=\n\xff,4\n");
    let rows: Vec<Numbered> = of_file(&path).unwrap().map(Result::unwrap).collect();
    assert_eq!(rows.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [2, 4, 5]);
    assert_eq!(rows[1].1.as_ref().unwrap_err(), "1 fields, the header has 2");
    assert!(matches!(rows[2].1.as_ref().unwrap()["question"], Cell::Unreadable(_)));
    // A cut pack breaks off with an error.
    let zstd = zstd::encode_all("{\"question\": \"1+1=\"}\n".repeat(1_000).as_bytes(), 1).unwrap();
    let (_dir, path) = written("a.jsonl.zst", &zstd[..zstd.len() - 9]);
    assert!(of_file(&path).map_or(true, |rows| all(rows).last().unwrap().is_err()));
}

/// A damaged page in the middle: rows behind it are not taken for the end of the file.
#[test]
fn a_parquet_file_that_breaks_off_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.parquet");
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values((0..4_000).map(|n| n * 7_919 % 4_001)));
    parquet_file(&path, vec![("n", numbers)], 1_000);
    assert_eq!(of_file(&path).unwrap().map(Result::unwrap).count(), 4_000);
    let reader = SerializedFileReader::new(File::open(&path).unwrap()).unwrap();
    let (begin, _) = reader.metadata().row_group(2).column(0).byte_range();
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[begin as usize..][..40].fill(0xff);
    std::fs::write(&path, bytes).unwrap();
    let rows = of_file(&path).map(all).unwrap_or_else(|error| vec![Err(error)]);
    let error = rows.last().unwrap().as_ref().unwrap_err();
    assert!(format!("{error:#}").contains("can't all be read: "), "{error:#}");
}

#[test]
fn a_name_that_is_there_twice_is_no_row() {
    for text in [r#"{"a": 1, "a": 2}"#, r#"{"q": {"b": [{"a": 1, "a": 1}]}}"#] {
        assert_eq!(row_of_json(text).unwrap_err(), "an object has \"a\" twice");
    }
}
