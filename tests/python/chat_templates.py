"""Renders public chat templates with transformers and compares what exgrpo-host makes of them.

    python tests/python/chat_templates.py TEMPLATES --write OUT
    python tests/python/chat_templates.py TEMPLATES --host target/release/exgrpo-host --model DIR
    python tests/python/chat_templates.py TEMPLATES --rendered FILE

TEMPLATES is a folder of files *.jinja, one template each, which are rendered over every conversation below;
chat_templates.tsv names where each was found (repository, path, and SHA-256 of the text) and --list checks the folder
against it. Or it is a file with a short template a line, ⏎ for a line break, as template_probes.txt, rendered over the
first conversation alone. --write writes what is expected: templates.jsonl and conversations.jsonl, and expected.jsonl with
a line for each template and conversation: {"template": SHA-256, "conversation": id, "expected": text, or null where
transformers refuses}. --host asks the host by `generate` for the conversations that it takes: texts alone, ended by an
invitation to answer; DIR is any model's directory. --rendered compares a file of lines {"template", "conversation",
"text"} that another program wrote. The exit code is 1 when something differs.
"""

import argparse
import collections
import datetime
import hashlib
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

from transformers.utils import chat_template_utils

TOKENS = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}
DATE = datetime.datetime(2024, 7, 6)


def said(role, content, **more):
    return {"role": role, "content": content, **more}


def conversation(messages, *, tools=None, answer=True):
    return {"messages": messages, "tools": tools, "add_generation_prompt": answer}


WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather at a place: \"now\" & 'soon' <°C>.",
        "parameters": {
            "type": "object",
            "properties": {
                "place": {"type": "string", "description": "A town, say Zürich"},
                "days": {"type": "integer", "minimum": 1, "default": 3},
                "share": {"type": ["number", "null"], "minimum": 0.5, "maximum": 1e-07, "multipleOf": 1e16},
                "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
                "deep": {"type": "array", "items": {"type": "object", "properties": {}, "required": []}},
            },
            "required": ["place"],
        },
    },
}
CLOCK = {
    "type": "function",
    "function": {"name": "clock", "description": "The time.", "parameters": {"type": "object", "properties": {}}},
}
CALL = {"place": "Zürich", "days": 2, "share": 0.1, "deep": [None, True, {"a": [1, 2.0]}]}


def called(arguments):
    return {"id": "call00001", "type": "function", "function": {"name": "get_weather", "arguments": arguments}}


SYSTEM = said("system", "You answer briefly, in <b>plain</b> words & numbers.")
CONVERSATIONS = {
    "user": conversation([said("user", "What is 2 + 2?")]),
    "system": conversation([SYSTEM, said("user", "What is 2 + 2?")]),
    "turns": conversation(
        [
            SYSTEM,
            said("user", "  What is 2 + 2?  "),
            said("assistant", "<think>\n2 + 2 = 4\n</think>\n\nIt is 4."),
            said("user", "And \"doubled\"?\n"),
            said("assistant", "\n8 — eight. "),
            said("user", "Thanks, once more?"),
        ]
    ),
    "tools": conversation(
        [
            SYSTEM,
            said("user", "Will it rain in Zürich?"),
            said("assistant", "", tool_calls=[called(CALL)]),
            said("tool", "{\"rain\": 0.25}", name="get_weather", tool_call_id="call00001"),
            said("assistant", "Hardly."),
            said("user", "And later?"),
        ],
        tools=[WEATHER, CLOCK],
    ),
    "tool text": conversation(
        [
            said("user", "Will it rain in Zürich?"),
            {"role": "assistant", "content": None, "tool_calls": [called(json.dumps(CALL, ensure_ascii=False))]},
            said("tool", "yes", tool_call_id="call00001"),
        ],
        tools=[WEATHER],
    ),
    "thinking": conversation(
        [
            said("user", "What is 2 + 2?"),
            said("assistant", "It is 4.", reasoning_content="Two and two\nmake four."),
            said("user", "Sure?"),
            said("assistant", "Yes.", reasoning_content="\n\nI counted.\n"),
        ],
        answer=False,
    ),
    "parts": conversation(
        [
            said("system", [{"type": "text", "text": "Be brief."}]),
            said("user", [{"type": "text", "text": "What is"}, {"type": "text", "text": " 2 + 2?"}]),
            said("assistant", [{"type": "text", "text": "4"}]),
            said("user", [{"type": "text", "text": "Sure?"}]),
        ]
    ),
    "empty": conversation([said("system", ""), said("user", ""), said("assistant", ""), said("user", "")]),
    "unicode": conversation(
        [
            said("system", "\u00a0Ünïcödé — 漢字\u2003"),
            said("user", "\r\nein\r\nzwei\n\n\n  drei\t\u2028vier \U0001f600 e\u0301 ﬁ \\n {{ x }} {% if %} "
                 "</s> 'a' \"b\"\r\n"),
            said("assistant", "\x0bSS ß İ ǆ\x85\r\n"),
            said("user", "ΑΣ\u200b \ufeff"),
        ]
    ),
    "control": conversation([said("user", "\x1fa\x00\x1b\x7f b\x1c\x1d\x1e")]),
    "finished": conversation([SYSTEM, said("user", "What is 2 + 2?"), said("assistant", "4.")], answer=False),
    "doubled": conversation([said("user", "What is 2 + 2?"), said("user", "And 3 + 3?")]),
    "none": conversation([]),
}


def read_templates(place, listed):
    """Texts by SHA-256."""
    if place.is_file():
        texts = [line.replace("⏎", "\n") for line in place.read_text().split("\n") if line]
    else:
        texts = [path.read_bytes().decode() for path in sorted(place.glob("*.jinja"))]
    templates = {hashlib.sha256(text.encode()).hexdigest(): text for text in texts}
    if listed:
        known = {line.split("\t")[2] for line in listed.read_text().splitlines()[1:]}
        for sha in sorted(known ^ set(templates)):
            print(f"{'not listed' if sha in templates else 'not there'}  {sha}")
    return templates


def expected(text, asked):
    """What transformers renders, or why it refuses."""
    try:
        compiled = chat_template_utils._compile_jinja_template(text)
        compiled.environment.globals["strftime_now"] = DATE.strftime
        rendered, _ = chat_template_utils.render_jinja_template(
            conversations=[asked["messages"]],
            tools=asked["tools"],
            chat_template=text,
            add_generation_prompt=asked["add_generation_prompt"],
            **TOKENS,
        )
        rendered[0].encode()
        return rendered[0], None
    except Exception as error:  # a template fails in any way that Python can
        return None, f"{type(error).__name__}: {error}"


def given(messages):
    """Messages as a template gets them: transformers knows thoughts by several names."""
    return chat_template_utils._alias_reasoning_fields(messages)


def write_expectations(folder, templates, conversations):
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "templates.jsonl", "w") as out:
        for sha, text in templates.items():
            out.write(json.dumps({"template": sha, "text": text}) + "\n")
    with open(folder / "conversations.jsonl", "w") as out:
        for name, asked in conversations.items():
            out.write(json.dumps({"id": name, **asked, "messages": given(asked["messages"])}) + "\n")
    counts = collections.Counter()
    with open(folder / "expected.jsonl", "w") as out:
        for sha, text in templates.items():
            for name, asked in conversations.items():
                answer, why = expected(text, asked)
                counts[answer is None] += 1
                out.write(json.dumps({"template": sha, "conversation": name, "expected": answer, "why": why}) + "\n")
    print(f"{len(templates)} templates, {counts[False]} texts, {counts[True]} refusals")


def is_plain(asked):
    """True for what `generate` can be asked."""
    plain = all(set(turn) == {"role", "content"} and isinstance(turn["content"], str) for turn in asked["messages"])
    return plain and asked["tools"] is None and asked["add_generation_prompt"]


def ask_host(host, model, templates, conversations):
    """(SHA, conversation), text or none, and the host's error."""
    plain = {name: asked for name, asked in conversations.items() if is_plain(asked)}

    def run(where, rows):
        (where / "prompts.jsonl").write_text("".join(json.dumps({"messages": row["messages"]}) + "\n" for row in rows))
        command = [host, "generate", "--model", where, "--prompts", where / "prompts.jsonl", "--json"]
        command += ["--max-new-tokens", "0", "--set", f"prompt.date={DATE:%Y-%m-%d}", "--set", "prompt.template=chat"]
        result = subprocess.run(command, capture_output=True, text=True)
        lines = [json.loads(line)["prompt"] for line in result.stdout.split("\n")[:-1]] if result.returncode == 0 else None
        return lines, result.stderr.strip()

    with tempfile.TemporaryDirectory() as folder:
        where = pathlib.Path(folder) / "model"
        shutil.copytree(model, where)
        config = where / "tokenizer_config.json"
        named = json.loads(config.read_text()) if config.is_file() else {}
        config.write_text(json.dumps({**named, "unk_token": None, **TOKENS, "chat_template": None}))
        for sha, text in templates.items():
            (where / "chat_template.jinja").write_bytes(text.encode())
            lines, _ = run(where, plain.values())
            for index, (name, asked) in enumerate(plain.items()):
                if lines is not None:
                    yield (sha, name), lines[index], None
                else:  # one refusal refuses the call
                    alone, error = run(where, [asked])
                    yield (sha, name), alone[0] if alone else None, error


def read_rendered(path, templates):
    """The same from a file."""
    for line in path.read_text().split("\n")[:-1]:
        row = json.loads(line)
        if row["template"] in templates:
            yield (row["template"], row["conversation"]), row["text"], row.get("error")


def shorten(text, around):
    begin = max(0, around - 30)
    return json.dumps(text[begin : around + 40], ensure_ascii=False)


def compare(templates, rendered, names):
    counts, bad = collections.Counter(), set()
    for (sha, name), ours, error in rendered:
        theirs, why = expected(templates[sha], CONVERSATIONS[name])
        if ours == theirs:
            counts["refused by both" if ours is None else "equal"] += 1
            continue
        bad.add(sha)
        place = names.get(sha, "")
        if ours is None:
            counts["refused by the host alone"] += 1
            print(f"REFUSED  {sha[:16]} {name:10} {place}: {' '.join((error or '').split())[:300]}")
        elif theirs is None:
            counts["refused by transformers alone"] += 1
            print(f"TAKEN    {sha[:16]} {name:10} {place}: transformers: {' '.join(why.split())[:300]}")
        else:
            counts["different"] += 1
            pairs = enumerate(zip(ours, theirs))
            at = next((at for at, (a, b) in pairs if a != b), min(len(ours), len(theirs)))
            print(f"DIFFERS  {sha[:16]} {name:10} {place}: {shorten(ours, at)}, transformers {shorten(theirs, at)}")
    for what, count in sorted(counts.items()):
        print(f"{count:7} {what}")
    print(f"{len(bad)} of {len(templates)} templates differ in something")
    return bool(bad)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("templates", type=pathlib.Path, help="folder of *.jinja, or a file with one a line")
    parser.add_argument("--list", type=pathlib.Path, help="where each template was found, as tab-separated values")
    parser.add_argument("--write", type=pathlib.Path, help="folder for conversations.jsonl and expected.jsonl")
    parser.add_argument("--host", type=pathlib.Path, help="the binary exgrpo-host")
    parser.add_argument("--model", type=pathlib.Path, help="a model's directory, for --host")
    parser.add_argument("--rendered", type=pathlib.Path, help="lines {template, conversation, text, error} to compare")
    arguments = parser.parse_args()
    templates = read_templates(arguments.templates, arguments.list)
    names = {}
    if arguments.list:
        rows = [line.split("\t") for line in arguments.list.read_text().splitlines()[1:]]
        names = {sha: f"{repository} {path}" for repository, path, sha in rows}
    conversations = CONVERSATIONS
    if arguments.templates.is_file():
        names = {sha: text.replace("\n", "⏎") for sha, text in templates.items()}
        conversations = {"user": CONVERSATIONS["user"]}
    failed = False
    if arguments.write:
        write_expectations(arguments.write, templates, conversations)
    if arguments.host:
        asked = ask_host(arguments.host.resolve(), arguments.model, templates, conversations)
        failed |= compare(templates, asked, names)
    if arguments.rendered:
        failed |= compare(templates, read_rendered(arguments.rendered, templates), names)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
