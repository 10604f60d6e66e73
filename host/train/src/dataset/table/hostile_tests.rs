//! Files that are none, that announce what they don't have, and that are damaged at random.

use std::path::Path;
use std::sync::Arc;

use ::arrow::array::{ArrayRef, Int64Array, ListArray, StringArray, TimestampMicrosecondArray};
use ::arrow::datatypes::Int32Type;

use super::tests::{all, parquet_file};
use super::*;

/// Pipes, devices and folders never end, or are no file. (Opening the pipe would wait for ever.)
#[test]
#[cfg(unix)]
fn only_regular_files_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("pipe.jsonl");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for path in [pipe.as_path(), dir.path(), Path::new("/dev/zero")] {
        let error = format!("{:#}", of_file(path).err().unwrap());
        assert!(error.contains("not a regular file"), "{error}");
    }
}

/// A schema of Thrift's elements: (name, number of children), each with a type where it has no children.
fn file_with_schema(elements: &[(u8, u32)]) -> Vec<u8> {
    let varint = |mut value: u32, out: &mut Vec<u8>| {
        while value >= 0x80 {
            out.push(value as u8 | 0x80);
            value >>= 7;
        }
        out.push(value as u8);
    };
    let mut metadata = vec![0x15, 2, 0x19];
    metadata.push(0xfc);
    varint(elements.len() as u32, &mut metadata);
    for &(name, children) in elements {
        // repetition: required (3), name (4), and children (5) or a type (1) of int32.
        if children == 0 {
            metadata.extend([0x15, 2, 0x25, 0, 0x18, 1, name]);
        } else {
            metadata.extend([0x35, 0, 0x18, 1, name, 0x15]);
            varint(children * 2, &mut metadata);
        }
        metadata.push(0);
    }
    // num_rows: 0; row_groups: an empty list.
    metadata.extend([0x16, 0, 0x19, 0x0c, 0]);
    let mut file = b"PAR1".to_vec();
    file.extend(&metadata);
    file.extend((metadata.len() as u32).to_le_bytes());
    file.extend(b"PAR1");
    file
}

/// 10,000 levels overflow the stack of the reader, a million columns keep it busy for minutes, and a number of children
/// makes it allocate 16 GB.
#[test]
fn a_schema_is_looked_at_before_it_is_built() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.parquet");
    let read = |elements: &[(u8, u32)]| {
        std::fs::write(&path, file_with_schema(elements)).unwrap();
        of_file(&path).map(|rows| all(rows).len()).map_err(|error| format!("{error:#}"))
    };
    assert_eq!(read(&[(b'r', 2), (b'a', 0), (b'b', 1), (b'c', 0)]), Ok(0));
    let mut deep = vec![(b'r', 1); 5_000];
    deep.push((b'a', 0));
    assert!(read(&deep).unwrap_err().contains("nested deeper than 32 levels"));
    let mut wide = vec![(b'r', 1_000_000)];
    wide.extend(vec![(b'a', 0); 1_000_000]);
    assert!(read(&wide).unwrap_err().contains("1000001 columns, at most 10000"));
    assert!(read(&[(b'r', 1 << 30), (b'a', 0)]).unwrap_err().contains("children"));
    assert!(read(&[(b'r', 1), (b'a', 0), (b'b', 0)]).is_err());
}

#[test]
fn no_dataset_makes_reading_panic_or_grow() {
    use crate::dataset::{Dataset, Mapping};
    use exgrpo_models::EMBEDDED_TOKENIZER;
    use exgrpo_models::prompt::Prompts;
    use exgrpo_models::tokenizer::Tokenizer;

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.parquet");
    let dates: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![0, i64::MAX, 1, 2]));
    let text = |texts: [&str; 4]| -> ArrayRef { Arc::new(StringArray::from(texts.to_vec())) };
    let lists = ListArray::from_iter_primitive::<Int32Type, _, _>([
        Some(vec![Some(1), None]),
        None,
        Some(vec![]),
        Some(vec![Some(7)]),
    ]);
    parquet_file(
        &path,
        vec![
            ("question", text(["1+1=", "2+2=", "3+3=", "4+4="])),
            ("answer", text(["2", "4", "6", "8"])),
            ("when", dates),
            ("list", Arc::new(lists)),
            ("n", Arc::new(Int64Array::from(vec![1, 2, 3, 4]))),
        ],
        2,
    );
    let parquet = std::fs::read(&path).unwrap();
    let jsonl = "{\"question\": \"1+1=\", \"answer\": 2, \"n\": 1.5}\n{\"prompt\": [{\"role\": \"user\", \"content\": \"1+2=\"}], \
        \"reward_model\": {\"ground_truth\": \"3\"}, \"extra_info\": {\"solution\": \"3\"}}\n{\"question\": \"1+3=\", \"choices\": \
        [\"1\", \"4\"], \"answer\": 1}\n{\"question\": \"1+4=\", \"answer\": \"<<1+4=5>>5 #### 5\"}\n".to_owned();
    let json = format!("[{}]", jsonl.trim_end().replace('\n', ",\n"));
    let deep = "[".repeat(200);
    let words = [
        "\"question\"",
        "\"choices\":",
        "####",
        "<<",
        "[[[[",
        &deep,
        "\u{0}",
        "\\ud800",
        "1e999",
        "\n",
        "PAR1",
    ];
    let csv = b"question,answer,n\n1+1=,2,1.5\n\"1+2=\",\"3\",\n".to_vec();
    let zstd = zstd::encode_all(jsonl.as_bytes(), 1).unwrap();
    for (extension, seed) in [
        ("parquet", parquet),
        ("jsonl", jsonl.into_bytes()),
        ("json", json.into_bytes()),
        ("csv", csv),
        ("zst", zstd),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a").with_extension(extension);
        let tokenizer = Tokenizer::from_bytes(EMBEDDED_TOKENIZER, "embedded").unwrap();
        let mapping =
            Mapping { max_prompt_tokens: 8, max_demonstration_tokens: Some(8), ..Mapping::default() };
        exgrpo_core::fuzz::run(extension, &[seed], &words, move |bytes| {
            std::fs::write(&path, bytes).unwrap();
            match Dataset::read(&path.to_string_lossy(), &mapping, &Prompts::plain(&tokenizer, 0)) {
                Ok(dataset) => assert!(dataset.unusable.to_string().len() < 100_000),
                Err(error) => assert!(format!("{error:#}").len() < 100_000),
            }
            let _keep = &dir;
        });
    }
}
