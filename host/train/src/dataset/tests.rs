use super::*;
use exgrpo_models::EMBEDDED_TOKENIZER;
use exgrpo_models::tokenizer::Tokenizer;

fn parse(text: &str) -> anyhow::Result<Dataset> {
    let tokenizer = Tokenizer::from_bytes(EMBEDDED_TOKENIZER, "embedded")?;
    let mapping = Mapping { max_prompt_tokens: 8, ..Mapping::default() };
    reader::collect(&|| Ok(table::of_text(text)), "rows.jsonl", &mapping, &Prompts::plain(&tokenizer, 0))
}

#[test]
fn rows_keep_their_numeric_fields_as_columns() {
    let dataset = parse(
        "{\"question\":\"1+2=\",\"answer\":\"3\",\"grade\":1}\n\n\
         {\"question\":\"2+2=\",\"answer\":\"4\",\"topic\":\"sums\"}\n\
         {\"question\":\"2+3=\",\"answer\":\"5\",\"grade\":2}\n",
    )
    .unwrap();
    assert_eq!(dataset.len(), 3);
    assert_eq!(dataset.extra_names, ["grade"]);
    assert_eq!(dataset.extra[0][0], 1.0);
    assert!(dataset.extra[0][1].is_nan());
    assert_eq!(dataset.extra[0][2], 2.0);
}

#[test]
fn a_gold_answer_reaches_no_policy_by_whatever_path_it_was_named() {
    let tokenizer = Tokenizer::from_bytes(EMBEDDED_TOKENIZER, "embedded").unwrap();
    let read = |row: &dyn Fn(usize) -> serde_json::Value, answer: Option<&str>| {
        let text: String = (1..=9).map(|number| format!("{}\n", row(number))).collect();
        let columns = Columns { answer: answer.map(str::to_owned), ..Columns::default() };
        let mapping = Mapping { columns, ..Mapping::default() };
        let prompts = Prompts::plain(&tokenizer, 0);
        let dataset =
            reader::collect(&|| Ok(table::of_text(&text)), "rows.jsonl", &mapping, &prompts).unwrap();
        assert_eq!(dataset.len(), 9);
        dataset
    };
    let question = |number: usize| format!("{number}+1=");
    let gold = |number: usize| (number * 7 + 3) % 10;
    let plain = |n: usize| serde_json::json!({"question": question(n), "gold": gold(n), "grade": n % 3});
    let nested = |n: usize| serde_json::json!({"question": question(n), "meta": {"gold": gold(n)}, "copy": gold(n), "grade": n % 3});
    let verl = |n: usize| {
        serde_json::json!({
            "prompt": [{"role": "user", "content": question(n)}], "grade": n % 3, "copy": gold(n) as f64,
            "reward_model": {"ground_truth": gold(n).to_string()}, "extra_info": {"index": n, "answer": gold(n)}
        })
    };
    let choices = |n: usize| {
        serde_json::json!({
            "question": question(n), "choices": ["1", "2", "3"], "answer": n * n % 3, "right": n * n % 3, "grade": n % 2
        })
    };
    let math = |n: usize| serde_json::json!({"problem": question(n), "answer": gold(n), "solution": gold(n), "grade": n % 3});
    for (dataset, kept_back) in [
        (read(&plain, Some("gold")), vec!["gold"]),
        (read(&nested, Some("meta.gold")), vec!["copy"]),
        (read(&verl, None), vec!["copy"]),
        (read(&math, None), vec!["answer", "solution"]),
    ] {
        assert_eq!(dataset.extra_names, ["grade"]);
        assert_eq!(dataset.extra[0][..3], [1.0, 2.0, 0.0]);
        let mut names: Vec<&str> = dataset.kept_back.iter().map(|kept| kept.name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, kept_back);
    }
    // Lettered choices need a tokenizer that knows letters: the layout alone is read here.
    let rows: Vec<_> = (1..=9).map(|n| table::row_of_json(&choices(n).to_string()).unwrap()).collect();
    let mut survey = layout::Survey::new(false);
    rows.iter().enumerate().for_each(|(number, row)| survey.add(number, row, None));
    let read =
        |row| layout::read(row, Layout::of(row, &survey), false, &Columns::default(), &survey).unwrap();
    let contents: Vec<layout::Content> = rows.iter().map(read).collect();
    let answers: Vec<&str> = contents.iter().map(|content| content.answer.as_str()).collect();
    let mut names: Vec<String> = ["answer", "right", "grade"].map(str::to_owned).to_vec();
    let column = |name: &str| (1..=9).map(|n| choices(n)[name].as_f64().unwrap() as f32).collect::<Vec<_>>();
    let mut columns = names.iter().map(|name| column(name)).collect();
    extra::keep_back(&mut names, &mut columns, &Columns::default(), &answers);
    assert_eq!(names, ["grade"]);
}

#[test]
fn columns_of_choices_are_told_with_the_first_gold_answer() {
    let signs = (32u8..127).chain([b'\n']).map(|sign| char::from(sign).to_string());
    let vocabulary: serde_json::Map<_, _> =
        signs.enumerate().map(|(id, sign)| (sign, serde_json::Value::from(id))).collect();
    let tokenizer = serde_json::json!({
        "version": "1.0", "added_tokens": [],
        "model": {"type": "BPE", "vocab": vocabulary, "merges": []}
    });
    let tokenizer = Tokenizer::from_bytes(tokenizer.to_string().as_bytes(), "signs").unwrap();
    let gold = |n: usize| if n.is_multiple_of(2) { "B" } else { "A" };
    let row = |n: usize, column: &str| {
        let question = format!("Which is {n}?");
        serde_json::json!({"question": question, column: ["ash", "oak"], "answer": gold(n)}).to_string()
    };
    let text = [row(0, "choices"), row(1, "choices"), row(2, "Options"), row(3, "choices")].join("\n");
    let prompts = Prompts::plain(&tokenizer, 0);
    let dataset =
        reader::collect(&|| Ok(table::of_text(&text)), "rows.jsonl", &Mapping::default(), &prompts).unwrap();
    let told: Vec<_> =
        dataset.choices.iter().map(|from| (&*from.column, from.rows, &*from.answer, &*from.text)).collect();
    assert_eq!(told, [("choices", 3, "B", "oak"), ("Options", 1, "B", "oak")]);
}

#[test]
fn rows_that_cannot_be_used_are_counted_by_reason() {
    let good = "{\"question\":\"1+2=\",\"answer\":\"3\"}\n";
    let bad = [
        ("{\"question\":\"2+2=\"}\n", "no answer"),
        (
            "{\"question\":\"11+22+33=\",\"answer\":\"66\"}\n",
            "max_prompt_tokens = 8 (first: row 3: 9 tokens)",
        ),
        ("{\"question\":\"1?\",\"answer\":\"3\"}\n", "not in the tokenizer's vocabulary"),
        (good, "the same question and answer"),
        ("{\"question\":\n", "not readable"),
    ];
    let text: String = std::iter::once(good).chain(bad.iter().map(|(row, _)| *row)).collect();
    let dataset = parse(&text).unwrap();
    assert_eq!((dataset.len(), dataset.unusable.len()), (1, bad.len()));
    for (_, reason) in bad {
        assert!(dataset.unusable.to_string().contains(reason), "{}", dataset.unusable);
    }
    for text in [bad[0].0, "\n"] {
        let error = format!("{:#}", parse(text).unwrap_err());
        assert!(error.contains("no row that can be used") && error.contains("hint: "), "{error}");
    }
}

#[test]
fn a_right_choice_is_read_by_all_rows_of_a_file() {
    let row = |answer: usize| {
        format!("{{\"question\":\"1+2=\",\"choices\":[\"7\",\"8\",\"9\"],\"answer\":{answer}}}\n")
    };
    let refused = |answers: &[usize]| {
        let text: String = answers.iter().map(|answer| row(*answer)).collect();
        format!("{:#}", parse(&text).unwrap_err())
    };
    // The later row tells about the first one. The tokenizer has no letters.
    assert!(refused(&[1, 0]).contains("2 x not expressible as a prompt"), "{}", refused(&[1, 0]));
    assert!(refused(&[1, 2]).contains("2 x the numbers in `answer` may count"), "{}", refused(&[1, 2]));
    let both = refused(&[0, 1, 3]);
    assert!(both.contains("from 0 (row 1)"), "{both}");
}

#[test]
fn jsonl_json_and_parquet_hold_the_same_rows() {
    let tokenizer = Tokenizer::from_bytes(EMBEDDED_TOKENIZER, "embedded").unwrap();
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).to_string_lossy().into_owned();
    std::fs::write(
        at("a.jsonl"),
        "{\"question\":\"1+2=\",\"answer\":\"3\"}\n{\"question\":\"2+2=\",\"answer\":\"4\"}",
    )
    .unwrap();
    std::fs::write(
        at("a.json"),
        "[{\"question\":\"1+2=\",\"answer\":\"3\"},{\"question\":\"2+2=\",\"answer\":\"4\"}]",
    )
    .unwrap();
    let column = |values: [&str; 2]| -> arrow::array::ArrayRef {
        std::sync::Arc::new(arrow::array::StringArray::from(values.to_vec()))
    };
    let batch = arrow::array::RecordBatch::try_from_iter([
        ("question", column(["1+2=", "2+2="])),
        ("answer", column(["3", "4"])),
    ])
    .unwrap();
    let file = std::fs::File::create(at("a.parquet")).unwrap();
    let mut writer = parquet::arrow::ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let prompts = Prompts::plain(&tokenizer, 0);
    let read = |name: &str| Dataset::read(&at(name), &Mapping::default(), &prompts);
    let expected = read("a.jsonl").unwrap().questions;
    assert_eq!(expected.len(), 2);
    assert_eq!(read("a.json").unwrap().questions, expected);
    assert_eq!(read("a.parquet").unwrap().questions, expected);

    let whole = std::fs::read(at("a.parquet")).unwrap();
    std::fs::write(at("cut.parquet"), &whole[..whole.len() / 2]).unwrap();
    for (name, expected) in [("cut.parquet", "no readable Parquet"), ("nowhere.jsonl", "can't read dataset")]
    {
        let error = format!("{:#}", read(name).unwrap_err());
        assert!(error.contains(expected) && error.contains(name), "{error}");
    }
}
