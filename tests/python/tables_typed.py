"""Typed tables for tables.py: Parquet as PyArrow, Polars, DuckDB and pandas write it.

A case is a name, what writes it to a path, and what its answers should read as: a text, several of which each will do, or
None where there is no answer to be had and the row is refused.
"""

import datetime
import decimal
import functools
import uuid

import duckdb
import numpy
import pandas
import polars
import pyarrow
import pyarrow.parquet

DAY = datetime.date(2024, 2, 29)
NOON = datetime.datetime(2024, 2, 29, 13, 45, 30, 123456)
WHOLE = NOON.replace(microsecond=0)
TIME = NOON.time()
MICRO = ["2024-02-29T13:45:30.123456", "2024-02-29T13:45:30.123456000"]
SPAN = datetime.timedelta(hours=1, minutes=2, seconds=3, milliseconds=500)
NAME = uuid.UUID("12345678-9abc-def0-1234-56789abcdef0")
TEXTS = ["plain", "ünïcödé 漢字 \U0001f600", " a\nb\t\"c\" ", "007", "1.10", "true", "x" * 300]
FLOATS = [0.1, 2.0, -1.5, 1 / 3, 123456.789, 1e16, 1e-5, 5e-8, 3e21]
CODECS = ["none", "snappy", "gzip", "zstd", "lz4", "brotli"]


def shortest(value, kind=numpy.float64):
    """The fewest digits that give a float back, with an exponent where zeros would be many."""
    value = kind(value)
    if value == 0 or 1e-7 <= abs(value) < 1e21:
        return numpy.format_float_positional(value, unique=True, trim="-")
    return numpy.format_float_scientific(value, unique=True, trim="-", exp_digits=1).replace("e+", "e")


def rows(values):
    return [f"{index}. What is it?" for index in range(len(values))]


def pyarrow_types():
    """Name, type, values and what they read as."""
    arrow = pyarrow
    for bits in [8, 16, 32, 64]:
        signed = [-(2 ** (bits - 1)), -1, 0, 7, 2 ** (bits - 1) - 1]
        yield f"int{bits}", getattr(arrow, f"int{bits}")(), [*signed, None], [*map(str, signed), None]
        unsigned = [0, 7, 2**bits - 1]
        yield f"uint{bits}", getattr(arrow, f"uint{bits}")(), unsigned, [*map(str, unsigned)]
    for name, kind in [("float32", numpy.float32), ("float64", numpy.float64)]:
        yield name, getattr(arrow, name)(), FLOATS, [shortest(value, kind) for value in FLOATS]
        odd = [float("nan"), float("inf"), -float("inf"), None, 1.0]
        yield f"{name}-odd", getattr(arrow, name)(), odd, [None, None, None, None, "1"]
    halves = [numpy.float16(value) for value in [0.1, 2.0, -1.5, 65504.0, 6e-8, 0.333]]
    yield "float16", arrow.float16(), halves, [shortest(value, numpy.float16) for value in halves]
    for maker, width, scale in [
        ("decimal32", 5, 2), ("decimal64", 12, 4), ("decimal128", 9, 2), ("decimal128", 18, 0), ("decimal128", 38, 10),
        ("decimal128", 10, 10), ("decimal256", 76, 30), ("decimal256", 40, 0), ("decimal128", 5, -2),
    ]:
        units = [0, 7, -15, 10 ** (width - 1), 10**width - 1]
        context = decimal.Context(prec=80)
        values = [decimal.Decimal(unit).scaleb(-scale, context) for unit in units]
        yield f"{maker}-{width}-{scale}", getattr(arrow, maker)(width, scale), values, [f"{value:f}" for value in values]
    for name in ["string", "large_string", "string_view"]:
        yield name, getattr(arrow, name)(), [*TEXTS, None, ""], [*TEXTS, None, None]
    bytes_of = [text.encode() for text in TEXTS]
    for name in ["binary", "large_binary", "binary_view"]:
        yield name, getattr(arrow, name)(), [*bytes_of, b"\xff\xfe", None], [*TEXTS, None, None]
    yield "fixed_binary", arrow.binary(4), [b"abcd", b"\xff\x00\x01\x02"], ["abcd", None]
    yield "bool", arrow.bool_(), [True, False, None], ["true", "false", None]
    yield "null", arrow.null(), [None, None], [None, None]
    for name, inner, values, written in [
        ("text", arrow.string(), ["a", "b", None, "a"], ["a", "b", None, "a"]),
        ("bytes", arrow.binary(), [b"a", b"b"], ["a", "b"]),
        ("int", arrow.int64(), [3, -3, None, 3], ["3", "-3", None, "3"]),
        ("float", arrow.float64(), [0.1, 2.0], ["0.1", "2"]),
        ("decimal", arrow.decimal128(5, 2), [decimal.Decimal("1.50")], ["1.50"]),
        ("date", arrow.date32(), [DAY], ["2024-02-29"]),
        ("large", arrow.large_string(), ["a", "a"], ["a", "a"]),
        ("bool", arrow.bool_(), [True, True], ["true", "true"]),
    ]:
        yield f"dictionary-{name}", arrow.dictionary(arrow.int32(), inner), values, written
    yield "date32", arrow.date32(), [DAY, datetime.date(1, 1, 1), None], ["2024-02-29", "0001-01-01", None]
    yield "date64", arrow.date64(), [DAY], [["2024-02-29", "2024-02-29T00:00:00"]]
    yield "time32-s", arrow.time32("s"), [WHOLE.time()], ["13:45:30"]
    yield "time32-ms", arrow.time32("ms"), [TIME.replace(microsecond=123000)], ["13:45:30.123"]
    yield "time64-us", arrow.time64("us"), [TIME, WHOLE.time()], ["13:45:30.123456", ["13:45:30", "13:45:30.000000"]]
    yield "time64-ns", arrow.time64("ns"), [TIME], [["13:45:30.123456", "13:45:30.123456000"]]
    for unit, value, both in [
        ("s", WHOLE, ["2024-02-29T13:45:30"]), ("ms", NOON.replace(microsecond=123000), ["2024-02-29T13:45:30.123"]),
        ("us", NOON, MICRO[:1]), ("ns", NOON, MICRO),
    ]:
        yield f"timestamp-{unit}", arrow.timestamp(unit), [value, None], [both, None]
        aware = value.replace(tzinfo=datetime.timezone.utc)
        zoned = [text + end for text in both for end in ["Z", "+00:00"]]
        yield f"timestamp-{unit}-utc", arrow.timestamp(unit, "UTC"), [aware], [zoned]
        local = [text.replace("13:", hour) + end for text in both for hour, end in [("14:", "+01:00"), ("13:", "Z")]]
        yield f"timestamp-{unit}-berlin", arrow.timestamp(unit, "Europe/Berlin"), [aware], [local]
    for unit in ["s", "ms", "us", "ns"]:
        span = SPAN if unit != "s" else SPAN - datetime.timedelta(milliseconds=500)
        seconds = "3" if unit == "s" else "3.5"
        forms = [f"PT1H2M{seconds}S", *(f"PT372{seconds}{'0' * zeros}S" for zeros in [0, 2, 5, 8])]
        # Parquet has no type for it: without Arrow's own notes it is a number.
        number = str(int(span / datetime.timedelta(seconds=1) * 10 ** {"s": 0, "ms": 3, "us": 6, "ns": 9}[unit]))
        yield f"duration-{unit}", arrow.duration(unit), [span], [[*forms, number]]
    yield "month_day_nano", arrow.month_day_nano_interval(), [pyarrow.MonthDayNano([1, 2, 3_000_000_000])], [["P1M2DT3S", None]]
    yield "list", arrow.list_(arrow.int64()), [[1, 2], [3], []], [None, None, None]
    yield "list-at-0", arrow.list_(arrow.decimal128(5, 2)), [[decimal.Decimal("1.50")], None, [None]], ["1.50", None, None]
    yield "large_list-at-0", arrow.large_list(arrow.string()), [["a", "b"], ["c"]], ["a", "c"]
    yield "list_view-at-0", arrow.list_view(arrow.string()), [["a", "b"], ["c"]], ["a", "c"]
    yield "fixed_list-at-1", arrow.list_(arrow.int8(), 2), [[1, 2], [3, 4]], ["2", "4"]
    deep = arrow.struct([("x", arrow.list_(arrow.struct([("y", arrow.float32())])))])
    yield "struct-at-x.1.y", deep, [{"x": [{"y": 0.5}, {"y": 0.1}]}, {"x": []}, None], ["0.1", None, None]
    yield "map-at-k", arrow.map_(arrow.string(), arrow.int64()), [[("k", 5), ("l", 6)], [("l", 7)]], ["5", None]
    encoded = arrow.dictionary(arrow.int8(), arrow.string())
    yield "list-dictionary-at-0", arrow.list_(encoded), [["a", "b"], ["b"]], ["a", "b"]
    yield "uuid", arrow.uuid(), [NAME.bytes], [[str(NAME), None]]
    yield "json", arrow.json_(), ["{\"a\": 1.50}"], ["{\"a\": 1.50}"]


def pyarrow_table(kind, values):
    if kind == pyarrow.float16():
        array = pyarrow.array(numpy.array(values))
    elif pyarrow.types.is_dictionary(kind):
        array = pyarrow.array(values, kind.value_type).dictionary_encode()
    else:
        array = pyarrow.array(values, getattr(kind, "storage_type", kind))
        if isinstance(kind, pyarrow.BaseExtensionType):
            array = pyarrow.ExtensionArray.from_storage(kind, array)
    return pyarrow.table({"question": rows(values), "answer": array})


def pyarrow_cases():
    write = pyarrow.parquet.write_table
    for name, kind, values, expected in pyarrow_types():
        try:
            table = pyarrow_table(kind, values)
        except (pyarrow.ArrowException, TypeError, ValueError) as error:
            print(f"skipped: pyarrow-{name}: {error}")
            continue
        yield f"pyarrow-{name}.parquet", lambda path, table=table: write(table, path), expected
        plain = {"store_schema": False, "use_dictionary": False, "compression": "none"}
        yield f"pyarrow-{name}-no-schema.parquet", lambda path, table=table: write(table, path, **plain), expected
        beside = table.rename_columns(["question", "other"]).append_column("answer", pyarrow.array(["x"] * len(table)))
        label = name.replace("-at-", "-")
        yield f"pyarrow-beside-{label}.parquet", lambda path, table=beside: write(table, path), ["x"] * len(table)
    known = {name: (kind, values, expected) for name, kind, values, expected in pyarrow_types()}
    for name in ["string", "int64", "float64", "decimal128-38-10", "struct-at-x.1.y"]:
        kind, values, expected = known[name]
        table = pyarrow_table(kind, values)
        for codec in CODECS:
            for version in ["1.0", "2.0"]:
                for packed in [True, False]:
                    options = {"compression": codec, "data_page_version": version, "use_dictionary": packed}
                    options |= {"write_page_checksum": packed, "write_page_index": packed, "data_page_size": 64}
                    label = f"pyarrow-{name}-{codec}-v{version[0]}-{'dictionary' if packed else 'plain'}.parquet"
                    yield label, lambda path, table=table, options=options: write(table, path, **options), expected
    for name, encoding in [
        ("string", "DELTA_BYTE_ARRAY"), ("string", "DELTA_LENGTH_BYTE_ARRAY"), ("int32", "DELTA_BINARY_PACKED"),
        ("int64", "DELTA_BINARY_PACKED"), ("int64", "BYTE_STREAM_SPLIT"), ("float64", "BYTE_STREAM_SPLIT"),
        ("float32", "BYTE_STREAM_SPLIT"), ("float16", "BYTE_STREAM_SPLIT"), ("decimal128-38-10", "BYTE_STREAM_SPLIT"),
        ("bool", "RLE"), ("fixed_binary", "DELTA_BYTE_ARRAY"),
    ]:
        kind, values, expected = known[name]
        options = {"use_dictionary": False, "column_encoding": {"answer": encoding}}
        table = pyarrow_table(kind, values)
        encoded = functools.partial(write, table, **options)
        yield f"pyarrow-{name}-{encoding}.parquet", encoded, expected
    for name, option in [
        ("timestamp-ns", {"use_deprecated_int96_timestamps": True}), ("decimal128-9-2", {"store_decimal_as_integer": True}),
        ("list-at-0", {"use_compliant_nested_type": False}), ("timestamp-us", {"coerce_timestamps": "us"}),
    ]:
        table = pyarrow_table(*known[name][:2])
        other = functools.partial(write, table, **option)
        yield f"pyarrow-{next(iter(option))}-{name}.parquet", other, known[name][2]
    many = [None if index % 7 == 3 else index for index in range(1000)]
    long = pyarrow_table(pyarrow.int64(), many)
    written = [None if value is None else str(value) for value in many]
    yield "pyarrow-row-groups.parquet", lambda path: write(long, path, row_group_size=100, data_page_size=50), written
    none = pyarrow_table(pyarrow.string(), ["a"]).slice(0, 0)
    yield "pyarrow-no-rows.parquet", lambda path: write(none, path), []


def polars_cases():
    one = polars
    amount = decimal.Decimal("1.50")
    both, utc = [MICRO], datetime.timezone.utc
    for name, kind, values, expected in [
        ("int8", one.Int8, [-128, 127], ["-128", "127"]), ("int16", one.Int16, [-5], ["-5"]),
        ("int32", one.Int32, [5], ["5"]), ("int64", one.Int64, [2**63 - 1], [str(2**63 - 1)]),
        ("int128", one.Int128, [2**100], [[str(2**100), None]]),
        ("uint8", one.UInt8, [255], ["255"]), ("uint16", one.UInt16, [65535], ["65535"]),
        ("uint32", one.UInt32, [2**32 - 1], [str(2**32 - 1)]), ("uint64", one.UInt64, [2**64 - 1], [str(2**64 - 1)]),
        ("float32", one.Float32, FLOATS, [shortest(value, numpy.float32) for value in FLOATS]),
        ("float64", one.Float64, FLOATS, [shortest(value) for value in FLOATS]),
        ("decimal", one.Decimal(38, 2), [amount, None], ["1.50", None]),
        ("decimal-0", one.Decimal(20, 0), [decimal.Decimal(7)], ["7"]),
        ("string", one.String, TEXTS, TEXTS), ("binary", one.Binary, [b"abc", b"\xff"], ["abc", None]),
        ("boolean", one.Boolean, [True, None], ["true", None]), ("null", one.Null, [None], [None]),
        ("categorical", one.Categorical, ["a", "b", "a"], ["a", "b", "a"]),
        ("enum", one.Enum(["u", "v"]), ["v", "u"], ["v", "u"]),
        ("date", one.Date, [DAY], ["2024-02-29"]),
        ("time", one.Time, [TIME], [["13:45:30.123456", "13:45:30.123456000"]]),
        ("datetime-ms", one.Datetime("ms"), [WHOLE], [["2024-02-29T13:45:30", "2024-02-29T13:45:30.000"]]),
        ("datetime-us", one.Datetime("us"), [NOON], both), ("datetime-ns", one.Datetime("ns"), [NOON], both),
        ("datetime-utc", one.Datetime("us", "UTC"), [NOON.replace(tzinfo=utc)], [[MICRO[0] + "Z", MICRO[0] + "+00:00"]]),
        ("duration", one.Duration("ms"), [SPAN], [["PT1H2M3.5S", "PT3723.5S", "PT3723.500S"]]),
        ("list-at-0", one.List(one.Int16), [[1], []], ["1", None]), ("array-at-1", one.Array(one.Int64, 2), [[1, 2]], ["2"]),
        ("struct-at-s", one.Struct({"s": one.Float64}), [{"s": 0.1}], ["0.1"]),
    ]:
        frame = polars.DataFrame({"question": rows(values), "answer": polars.Series(values, dtype=kind)})
        yield f"polars-{name}.parquet", lambda path, frame=frame: frame.write_parquet(path), expected
    frame = polars.DataFrame({"question": rows(FLOATS), "answer": FLOATS})
    for codec in ["lz4", "uncompressed", "snappy", "gzip", "brotli", "zstd"]:
        expected = [shortest(value) for value in FLOATS]
        yield f"polars-{codec}.parquet", lambda path, codec=codec: frame.write_parquet(path, compression=codec), expected


def duckdb_query(answer, option):
    query = f"SELECT '0. What is it?' AS question, {answer} AS answer"
    return lambda path: duckdb.sql(f"COPY ({query}) TO '{path}' (FORMAT parquet, {option})")


def duckdb_cases():
    time = "'2024-02-29 13:45:30.123456'"
    integers = ["TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"]
    decimals = [(4, 1, "-1.5"), (9, 2, "7.50"), (18, 3, "0.001"), (38, 10, "1.5000000000")]
    zoned = [MICRO[0] + "Z", MICRO[0] + "+00:00"]
    for name, sql, expected in [
        *((kind.lower(), f"7::{kind}", "7") for kind in [*integers, *("U" + kind for kind in integers)]),
        *((f"decimal-{w}-{s}", f"{v}::DECIMAL({w},{s})", v) for w, s, v in decimals),
        ("float", "0.1::FLOAT", "0.1"), ("double", "0.1::DOUBLE", "0.1"), ("varchar", "'ünï'", "ünï"),
        ("blob", "'abc'::BLOB", "abc"), ("boolean", "true", "true"), ("date", "DATE '2024-02-29'", "2024-02-29"),
        ("time", "TIME '13:45:30.123456'", "13:45:30.123456"), ("timestamp", f"TIMESTAMP {time}", MICRO),
        ("timestamp-s", f"{time}::TIMESTAMP_S", ["2024-02-29T13:45:30", "2024-02-29T13:45:30.000000"]),
        ("timestamp-ms", f"{time}::TIMESTAMP_MS", ["2024-02-29T13:45:30.123", "2024-02-29T13:45:30.123000"]),
        ("timestamp-ns", f"{time}::TIMESTAMP_NS", MICRO), ("enum", "'v'::ENUM('u','v')", "v"),
        ("timestamptz", "TIMESTAMPTZ '2024-02-29 13:45:30.123456+00'", zoned),
        ("timetz", "TIMETZ '13:45:30+00'", ["13:45:30Z", "13:45:30", None]),
        ("interval", "INTERVAL 1 MONTH + INTERVAL 2 DAY", ["P1M2D", None]),
        ("uuid", f"'{NAME}'::UUID", [str(NAME), None]), ("json", "'{\"a\": 1.50}'::JSON", '{"a": 1.50}'),
        ("list-at-0", "['a','b']", "a"), ("array-at-1", "[1,2]::INTEGER[2]", "2"),
        ("struct-at-s", "{'s': 1.50::DECIMAL(4,2)}", "1.50"),
        ("map-at-k", "MAP {'k': 5}", "5"), ("bit", "'101'::BIT", ["101", None]), ("null", "NULL", None),
    ]:
        for version in ["V1", "V2"]:
            query = duckdb_query(sql, f"PARQUET_VERSION {version}")
            yield f"duckdb-{name}-{version}.parquet", query, [expected]
    for codec in ["uncompressed", "snappy", "gzip", "zstd", "lz4", "lz4_raw", "brotli"]:
        yield f"duckdb-{codec}.parquet", duckdb_query("'x'", f"CODEC {codec}"), ["x"]


def pandas_cases():
    for name, values, expected in [
        ("int64", pandas.array([1, None], dtype="Int64"), ["1", None]), ("float64", [0.1, None], ["0.1", None]),
        ("object", ["a", None], ["a", None]), ("string", pandas.array(["a", None], dtype="string"), ["a", None]),
        ("category", pandas.Categorical(["u", "v"]), ["u", "v"]),
        ("boolean", pandas.array([True, None], dtype="boolean"), ["true", None]),
        ("decimal", [decimal.Decimal("1.50"), decimal.Decimal("12.00")], ["1.50", "12.00"]),
        ("bytes", [b"abc", b"\xff"], ["abc", None]),
        ("date", [DAY, None], ["2024-02-29", None]), ("lists-at-0", [["a"], []], ["a", None]),
        ("timestamp", pandas.to_datetime([NOON, None]), [MICRO, None]),
    ]:
        frame = pandas.DataFrame({"question": rows(values), "answer": values}, index=[5, 6])
        yield f"pandas-{name}.parquet", lambda path, frame=frame: frame.to_parquet(path), expected


def cases():
    yield from pyarrow_cases()
    yield from polars_cases()
    yield from duckdb_cases()
    yield from pandas_cases()
