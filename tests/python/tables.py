"""Writes tables as the world writes them, and compares what exgrpo-host reads of them.

    python tests/python/tables.py OUT --host target/release/exgrpo-host --model DIR

OUT gets Parquet files by PyArrow, Polars, DuckDB and pandas (tables_typed.py), and CSV, TSV, JSON Lines and JSON by these
and by hand; and expected.jsonl, a line for each row: {"file", "row", "question", "answer", "path"}. The answer is its digits
or text as a person would write it, a list of texts each of which will do, or null where the row, or the whole file, is to
be refused with a reason; "path" is what dataset.answer is set to, where the answer lies deeper. With --host every file is
read by `eval`, with any model's directory that has a byte-level tokenizer, whose rows name question and answer. The exit
code is 1 when a row reads otherwise.
"""

import argparse
import collections
import gzip
import json
import pathlib
import re
import subprocess
import sys
import tempfile

import duckdb
import pandas
import polars
import pyarrow.csv
import pyarrow.feather
import pyarrow.orc
import pyarrow.parquet
import zstandard

import tables_typed

# What a CSV file can say; numbers keep the digits that they are written with.
FIELDS = [
    "plain", "7", "007", "1.10", "-0.50", "+5", "1e5", "1E+400", "0x1F", "1,000", "12345678901234567890123", "true", "NaN",
    " a b ", "say \"it\"", "two\nlines", "a;b", "a\tb", "ünïcödé 漢字 \U0001f600", "'quoted'", "#5", "2024-02-29",
    "\\frac{1}{2}", "50%", "null", "NA",
]
# The same in JSON: a literal as it stands in the file, and what it reads as.
LITERALS = [
    ('"plain"', "plain"), ("7", "7"), ("1.10", "1.10"), ("-0.0", "-0.0"), ("1e5", "1e5"), ("1E+400", "1E+400"),
    ("12345678901234567890123", "12345678901234567890123"), ("0.10000000000000000555111", "0.10000000000000000555111"),
    ("true", "true"), ('"007"', "007"), ('"two\\nlines"', "two\nlines"), ('" a "', " a "),
    ('"say \\"it\\" \\\\frac \\u00e9 \\ud83d\\ude00"', 'say "it" \\frac é \U0001f600'),
    ('"a\\u2028b\u2028c"', "a\u2028b\u2028c"),
    ("null", None), ("[1]", None), ('{"a": 1}', None), ('""', None), ('"  "', None),
]


def questions(count):
    return [f"{index}. What is it?" for index in range(count)]


def quoted(text, separator):
    special = any(part in text for part in [separator, '"', "\n", "\r"])
    return '"' + text.replace('"', '""') + '"' if special else text


def delimited(separator=",", end="\n", header="question{}answer", extra=""):
    lines = [header.format(separator)]
    for question, field in zip(questions(len(FIELDS)), FIELDS, strict=True):
        lines.append(quoted(question, separator) + separator + quoted(field, separator))
    return end.join(lines) + end + extra


def json_rows(end="\n"):
    pairs = zip(questions(len(LITERALS)), LITERALS, strict=True)
    return "".join(f'{{"question": "{question}", "answer": {literal}}}{end}' for question, (literal, _) in pairs)


def json_array(end="\n"):
    return "[" + ("," + end).join(json_rows("\0").split("\0")[:-1]) + "]" + end


def in_parts(data, pack):
    """Two packed pieces after each other, as logs are written."""
    half = len(data) // 2
    return pack(data[:half]) + pack(data[half:])


def by_hand():
    """Name, bytes, and what answers read as; None for a file that is refused."""
    answers = [answer for _, answer in LITERALS]
    comma, lines, array = delimited().encode(), json_rows().encode(), json_array().encode()
    long_window = zstandard.ZstdCompressor(compression_params=zstandard.ZstdCompressionParameters(window_log=27))
    # A field of nothing but spaces or none has no answer.
    yield "comma.csv", comma, FIELDS
    yield "semicolon.csv", delimited(";").encode(), FIELDS
    yield "tab.csv", delimited("\t").encode(), FIELDS
    yield "tab.tsv", delimited("\t").encode(), FIELDS
    yield "crlf.csv", delimited(end="\r\n").encode(), FIELDS
    yield "mark.csv", b"\xef\xbb\xbf" + comma, FIELDS
    header = delimited(end="\r\n", header='"question"{}"answer"')
    yield "mark-crlf-quoted-header.csv", b"\xef\xbb\xbf" + header.encode(), FIELDS
    yield "no-end.csv", comma.rstrip(b"\n"), FIELDS
    yield "empty-lines.csv", delimited(extra="\n\n").encode(), FIELDS
    yield "spaced-header.csv", delimited(header=" question {} answer ").encode(), FIELDS
    yield "missing.csv", b'question,answer\na,\nb,""\nc, \nd,x\n', [("a", None), ("b", None), ("c", None), ("d", "x")]
    yield "ragged.csv", b"question,answer\na,1\nb\nc,1,2\nd,4\n", [("a", "1"), ("b", None), ("c", None), ("d", "4")]
    yield "latin-1.csv", "question,answer\na,café\nb,tea\n".encode("latin-1"), [("a", None), ("b", "tea")]
    yield "utf-16.csv", delimited().encode("utf-16"), None
    yield "twice.csv", b"question,answer,answer\na,1,2\n", None
    yield "empty.csv", b"", None
    yield "header-alone.csv", b"question,answer\n", None
    yield "lines.jsonl", lines, answers
    yield "lines.ndjson", lines, answers
    yield "lines.json", lines, answers
    yield "lines", lines, answers
    yield "crlf.jsonl", json_rows("\r\n").encode(), answers
    yield "mark.jsonl", b"\xef\xbb\xbf" + lines, answers
    yield "no-end.jsonl", lines.rstrip(b"\n"), answers
    yield "blank-lines.jsonl", json_rows("\n\n  \n").encode(), answers
    broken = b'{"question": "a", "answer": 1}\n{"question": "b", \n{"question": "c", "answer": NaN}\n'
    yield "broken-line.jsonl", broken, [("a", "1"), ("b", None), ("c", None)]
    yield "array.json", array, answers
    yield "array.jsonl", array, answers
    yield "array-crlf.json", json_array("\r\n").encode(), answers
    yield "array-mark.json", b"\xef\xbb\xbf" + array, answers
    yield "array-indented.json", json.dumps([{"question": "a", "answer": 1.5}], indent=2).encode(), [("a", "1.5")]
    yield "array-cut.json", array[:-30], None
    yield "nested.json", b'{"data": [{"question": "a", "answer": 1}]}', None
    yield "utf-16.jsonl", json_rows().encode("utf-16"), None
    for name, data, expected in [("comma.csv", comma, FIELDS), ("lines.jsonl", lines, answers), ("array.json", array, answers)]:
        yield f"{name}.gz", gzip.compress(data), expected
        yield f"parts-{name}.gz", in_parts(data, gzip.compress), expected
        yield f"{name}.zst", zstandard.compress(data), expected
        yield f"parts-{name}.zst", in_parts(data, zstandard.compress), expected
        yield f"long-{name}.zst", long_window.compress(data), expected
        yield f"cut-{name}.gz", gzip.compress(data)[:-20], "cut"
    yield "named-otherwise.csv", gzip.compress(comma), FIELDS
    yield "parquet-by-name.parquet", lines, None


def by_libraries():
    """Name, what writes it to a path, and what answers read as."""
    texts = FIELDS
    frame = pandas.DataFrame({"question": questions(len(texts)), "answer": texts})
    numbers = pandas.DataFrame({"question": questions(3), "answer": [0.1, 2.5, 1e22]})
    three = ["0.1", "2.5", ["1e22", "1e+22", "10000000000000000000000.0"]]
    table = pyarrow.Table.from_pandas(frame)
    yield "pandas.csv", lambda path: frame.to_csv(path, index=False), texts
    yield "pandas-index.csv", lambda path: frame.to_csv(path), texts
    yield "pandas.tsv", lambda path: frame.to_csv(path, index=False, sep="\t"), texts
    yield "pandas.csv.gz", lambda path: frame.to_csv(path, index=False), texts
    yield "pandas.csv.zst", lambda path: frame.to_csv(path, index=False), texts
    yield "pandas-numbers.csv", lambda path: numbers.to_csv(path, index=False), three
    yield "pandas.jsonl", lambda path: frame.to_json(path, orient="records", lines=True), texts
    yield "pandas.json", lambda path: frame.to_json(path, orient="records"), texts
    yield "pandas-numbers.jsonl", lambda path: numbers.to_json(path, orient="records", lines=True), three
    yield "pandas-columns.json", lambda path: frame.to_json(path), None
    yield "pandas.csv.bz2", lambda path: frame.to_csv(path, index=False), None
    yield "pandas.csv.xz", lambda path: frame.to_csv(path, index=False), None
    yield "pandas.csv.zip", lambda path: frame.to_csv(path, index=False), None
    other = polars.DataFrame({"question": questions(len(texts)), "answer": texts})
    yield "polars.csv", lambda path: other.write_csv(path), texts
    yield "polars-mark-crlf.csv", lambda path: other.write_csv(path, include_bom=True, line_terminator="\r\n"), texts
    yield "polars-always-quoted.csv", lambda path: other.write_csv(path, quote_style="always"), texts
    yield "polars.ndjson", lambda path: other.write_ndjson(path), texts
    yield "polars.json", lambda path: other.write_json(path), texts
    yield "pyarrow.csv", lambda path: pyarrow.csv.write_csv(table, path), texts
    yield "pyarrow.feather", lambda path: pyarrow.feather.write_feather(table, path), None
    yield "pyarrow.orc", lambda path: pyarrow.orc.write_table(table, path), None

    def copy(path, form):
        given = frame  # DuckDB finds it by its name
        duckdb.sql(f"COPY (FROM given) TO '{path}' (FORMAT {form})")
        return given

    for name, form in [
        ("duckdb.csv", "csv"), ("duckdb.tsv", "csv, DELIMITER '\t'"), ("duckdb.csv.gz", "csv, COMPRESSION gzip"),
        ("duckdb.csv.zst", "csv, COMPRESSION zstd"), ("duckdb-quoted.csv", "csv, FORCE_QUOTE *"), ("duckdb.jsonl", "json"),
        ("duckdb.json", "json, ARRAY true"), ("duckdb.jsonl.gz", "json, COMPRESSION gzip"),
    ]:
        yield name, lambda path, form=form: copy(path, form), texts


def write_all(out):
    """Writes the files and yields their rows: file, question, answer, path."""

    def expected_rows(name, answers):
        found = re.search(r"-at-([a-z0-9.]+?)(-[^.]*)?\.parquet$", name)
        path = f"answer.{found[1]}" if found else None
        if not answers or answers == "cut":
            yield {"file": name, "row": 0, "question": None, "answer": None, "path": path}
            return
        for row, answer in enumerate(answers):
            question, answer = answer if isinstance(answer, tuple) else (f"{row}. What is it?", answer)
            yield {"file": name, "row": row + 1, "question": question, "answer": answer, "path": path}

    for name, data, answers in by_hand():
        (out / name).write_bytes(data)
        yield from expected_rows(name, answers)
    for name, write, answers in [*by_libraries(), *tables_typed.cases()]:
        try:
            write(out / name)
        except Exception as error:  # what a library can't write is no case
            print(f"skipped: {name}: {' '.join(str(error).split())[:200]}")
            (out / name).unlink(missing_ok=True)
            continue
        yield from expected_rows(name, answers)


def read(host, model, path, answer_at, work):
    """Answers by question, or None where the file was refused, and what the host said."""
    results = work / path.name
    command = [host, "eval", "--model", model, "--dataset", path, "--samples", "1", "--max-new-tokens", "1", "--out", results]
    command += ["--set", "prompt.template=plain"] + (["--set", f"dataset.answer={answer_at}"] if answer_at else [])
    run = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if run.returncode != 0:
        return None, run.stderr.strip()
    parts = sorted((results / "evaluations").glob("*.parquet"))
    rows = [row for part in parts for row in pyarrow.parquet.read_table(part, columns=["prompt", "reference"]).to_pylist()]
    return {row["prompt"]: row["reference"] for row in rows}, run.stderr.strip()


def said(text):
    return " ".join(re.split(r"\nhint:|\n\d+/\d+ questions|\nrows:", text)[0].split())[:260]


def compare(host, model, out, expected):
    counts, files = collections.Counter(), collections.defaultdict(list)
    for row in expected:
        files[row["file"]].append(row)
    with tempfile.TemporaryDirectory() as work:
        for name, rows in files.items():
            answers, words = read(host, model, out / name, rows[0]["path"], pathlib.Path(work))
            problems = []
            if rows[0]["question"] is None:
                counts["file refused, as is right" if answers is None else "FILE TAKEN"] += 1
                problems = [f"taken: {answers}"[:120]] if answers is not None else []
            elif unknown := set(answers or {}) - {row["question"] for row in rows}:
                problems.append(f"unknown questions {sorted(unknown)[:2]}")
            for row in rows if rows[0]["question"] is not None else []:
                ours, forms = (answers or {}).get(row["question"]), row["answer"]
                forms = forms if isinstance(forms, list) else [forms]
                missed = "REFUSED" if ours is None else "TAKEN" if forms == [None] else "OTHER"
                kind = "as expected" if ours in forms else missed
                kind = "refused, as is right" if ours is None and None in forms else kind
                counts[kind] += 1
                if kind.isupper():
                    problems.append(f"row {row['row']}: {ours!r} for {forms[0]!r}")
            if problems:
                more = f" and {len(problems) - 4} more" * (len(problems) > 4)
                refused = answers is None or any("None for" in problem for problem in problems)
                print(f"{name}: {'; '.join(problems[:4])}{more}{f'; {said(words)}' * refused}", flush=True)
    for kind, count in sorted(counts.items()):
        print(f"{count:6} {kind}")
    return any(kind.isupper() for kind in counts)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path, help="folder for the tables")
    parser.add_argument("--host", type=pathlib.Path, help="the binary exgrpo-host")
    parser.add_argument("--model", type=pathlib.Path, help="a model's directory, for --host")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    expected = list(write_all(arguments.out))
    with open(arguments.out / "expected.jsonl", "w") as out:
        out.writelines(json.dumps(row) + "\n" for row in expected)
    print(f"{len({row['file'] for row in expected})} files, {len(expected)} rows")
    if arguments.host is None:
        return 0
    return 1 if compare(arguments.host.resolve(), arguments.model, arguments.out, expected) else 0


if __name__ == "__main__":
    sys.exit(main())
