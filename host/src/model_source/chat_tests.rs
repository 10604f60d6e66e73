use super::*;

fn render(source: &str, messages: &[Message], add_generation_prompt: bool) -> anyhow::Result<String> {
    let tokens = SpecialTokens { bos: Some("<s>".to_owned()), ..SpecialTokens::default() };
    let date = NaiveDate::from_ymd_opt(2024, 7, 6).unwrap();
    ChatTemplate::new(source, tokens, date)?.render(messages, add_generation_prompt)
}

fn conversation() -> Vec<Message> {
    vec![
        Message::new("system", "  Be brief.\n"),
        Message::new("user", "1 < 2 & \"é\"?"),
        Message::new("assistant", "<think>\nhm\n</think>\n\nYes."),
        Message::new("user", "Sure?"),
    ]
}

/// Witness: Jinja2 3.1.6 in an environment as transformers 5.23 sets it up; expected values are its output.
#[test]
fn what_templates_rely_on_renders_as_jinja2_does() {
    for (source, expected) in [
        // Block tags take their line's indent and the line break behind them along.
        (
            "{% for m in messages %}\n    {% if m.role == 'user' %}\nU:{{ m['content'] }}\n    {% endif %}\n{% endfor %}\nend\n",
            "U:1 < 2 & \"é\"?\nU:Sure?\nend",
        ),
        ("{{- bos_token }}{{ eos_token }}{{ tools is none }}", "<s>True"),
        (
            "{% set ns = namespace(n=0) %}{% for m in messages[::-1] %}{% if m.role == 'user' %}{% set ns.n = ns.n + 1 %}{% endif %}{% endfor %}{{ ns.n }}",
            "2",
        ),
        (
            "{{ messages[2].content.split('</think>')[-1].lstrip('\\n') }}|{{ messages[0].content|trim }}",
            "Yes.|Be brief.",
        ),
        (
            "{{ messages[2].content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') }}",
            "hm",
        ),
        ("{{ messages[1]|tojson }}", "{\"role\": \"user\", \"content\": \"1 < 2 & \\\"é\\\"?\"}"),
        (
            "{{ {'a': [1, 2.5, none, true], 'b': {}}|tojson(indent=2) }}",
            "{\n  \"a\": [\n    1,\n    2.5,\n    null,\n    true\n  ],\n  \"b\": {}\n}",
        ),
        ("{{ strftime_now('%d %b %Y') }}", "06 Jul 2024"),
        (
            "{% for m in messages %}{% if loop.index0 == 1 %}{% break %}{% endif %}{{ m.role }}{% endfor %}",
            "system",
        ),
        ("{%- if messages[0].tool_calls is defined %}x{% else %}y{% endif %}{{ messages[0].name }}", "y"),
        (
            "{% for m in messages %}{% if m.role == 'assistant' %}{% generation %}{{ m.role }}{% endgeneration %}{% endif %}{% endfor %}",
            "assistant",
        ),
        (
            "{% set messages = [{'role': 'system', 'content': 'x'}] + messages[1:] %}{{ messages[0]['content'] }}{{ messages|length }}",
            "x4",
        ),
        (
            "{% macro turn(m) %}[{{ m.role }}]{% endmacro %}{{ turn(messages[1]) }}{{ 'a' if add_generation_prompt else 'b' }}",
            "[user]a",
        ),
    ] {
        assert_eq!(render(source, &conversation(), true).unwrap(), expected, "{source}");
    }
}

#[test]
fn a_template_that_refuses_fails_or_never_ends_says_so() {
    for (source, expected) in [
        ("{{ raise_exception('roles must alternate') }}", "roles must alternate"),
        ("{% for m in messages %}", "can't be compiled"),
        ("{{ messages[9].content.x }}", "fails"),
        ("{% for a in range(10000) %}{% for b in range(10000) %}{{ b }}{% endfor %}{% endfor %}", "fuel"),
        ("{{ strftime_now('%Q') }}", "not a format"),
    ] {
        let error = format!("{:#}", render(source, &conversation(), true).unwrap_err());
        assert!(error.contains(expected), "{source}: {error}");
    }
}
