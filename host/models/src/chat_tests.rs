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
            "{{ none is iterable }}{{ 'a' is iterable }}{{ nothing is iterable }}{{ 'a' is sequence }}",
            "FalseTrueTrueTrue",
        ),
        ("{% for t in nothing %}x{% endfor %}y{{ self.name }}", "y"),
        (
            "{% set g = messages|map(attribute='role') %}{{ g is iterable }}{{ g|first }}{{ g|join('-') }}{{ g|list }}",
            "Truesystemuser-assistant-user[]",
        ),
        (
            "{{ 'y' if messages|selectattr('role', 'equalto', 'x') }}{% for m in messages|reject('string') %}{{ loop.revindex }}{% endfor %}",
            "y4321",
        ),
        (
            "{{ '<'|safe + '<' }}{{ ('a'|e) + '<b>' }}{{ '\"'|safe + ['&']|tojson + \"'\" }}{{ '<' + '>' }}",
            "<&lt;a&lt;b&gt;\"[&#34;&amp;&#34;]&#39;<>",
        ),
        ("a\r\nb{{ 1 }}\r\n", "a\nb1"),
        (
            "{{ '%s-%05.2f %5s|' % ('a', 3.14159, none) }}{{ '%d%%' % 5 }}{{ '%(a)s' % {'a': 1} }}",
            "a-03.14  None|5%1",
        ),
        ("{{ 'a-b-c'.partition('-')[2] }}{{ 'a-b-c'.rpartition('-') }}", "b-c('a-b', '-', 'c')"),
        (
            "{{ 'a-b'.removeprefix('a-') }}{{ 'a-b'.removesuffix('-b') }}{{ 'a b c'.rsplit(' ', 1) }}{{ ' a  b '.rsplit() }}",
            "ba['a b', 'c']['a', 'b']",
        ),
        (
            "{{ 'x'.center(4) }}|{{ 'x'.ljust(3, '.') }}|{{ '-7'.zfill(4) }}|{{ 'abc'.index('c') }}|{{ ['a', 'b'].index('b') }}",
            " x  |x..|-007|2|1",
        ),
        (
            "{{ 1e20 }}|{{ 0.00001 }}|{{ [1.0, 'a', {'b': 2e16}] }}|{{ 1e16|tojson }}|{{ 0.1 + 0.2 }}",
            "1e+20|1e-05|[1.0, 'a', {'b': 2e+16}]|1e+16|0.30000000000000004",
        ),
        (
            "{{ 'x'|int }}{{ '7.9'|int }}{{ none|int(3) }}{{ 1e22|int }}{{ 'ff'|int(base=16) }}{{ 'x'|float }}",
            "073100000000000000000000002550.0",
        ),
        (
            "{{ ''|default('e', boolean=true) }}{{ none|default('d') }}{{ nothing|d }}{{ none|string }}{{ (1,)|string }}",
            "eNoneNone(1,)",
        ),
        (
            "{{ '\x1f a\x1c'|trim }}|{{ '\x1d a\x1e'.strip() }}|{{ 'a\x1fb'.split() }}|{{ 'xax'.lstrip('x') }}",
            "a|a|['a', 'b']|ax",
        ),
        ("{{ '<a href=\"/\">\\'&'|e }}", "&lt;a href=&#34;/&#34;&gt;&#39;&amp;"),
        ("a{% raw %}\n{{ x }}{% endraw %}\nb", "a\n{{ x }}b"),
        (
            "{% for c in 'ab' %}{{ c }}{{ loop.last }}{% endfor %}{% for a in {'x': 1} if a != 'y' %}{{ a }}{% endfor %}",
            "aFalsebTruex",
        ),
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
        ("{%}", "can't be compiled"),
        ("{{ messages[9].content.x }}", "fails"),
        ("{% for a in range(10000) %}{% for b in range(10000) %}{{ b }}{% endfor %}{% endfor %}", "fuel"),
        ("{{ strftime_now('%Q') }}", "not a format"),
    ] {
        let error = format!("{:#}", render(source, &conversation(), true).unwrap_err());
        assert!(error.contains(expected), "{source}: {error}");
    }
}

/// Templates that want gigabytes or years, each by another way that fuel alone doesn't see or sees too late.
#[test]
fn a_template_that_wants_all_memory_or_time_is_refused() {
    let doubled = "{% set s = s ~ s %}".repeat(60);
    for source in [
        "{{ messages|tojson(indent=10000000000) }}".to_owned(),
        "{{ [1, 2, 3]|tojson(separators=['x' * 100000000, ':']) }}".to_owned(),
        "{{ '%10000000000d'|format(1) }}".to_owned(),
        "{{ '{:>10000000000}'.format(1) }}".to_owned(),
        "{{ ('%s' * 100000)|format(messages) }}".to_owned(),
        "{{ 'x' * 10000000000 }}".to_owned(),
        "{{ ('x' * 100000000) ~ ('y' * 100000000) ~ ('z' * 100000000) ~ ('x' * 100000000) }}".to_owned(),
        "{{ range(1000000000)|list|length }}".to_owned(),
        "{{ 'x'.center(10000000000) }}{{ 'x'.ljust(10000000000) }}{{ 'x'.zfill(10000000000) }}".to_owned(),
        "{{ (['x' * 1000] * 1000000)|join('y' * 100000) }}".to_owned(),
        "{{ ('x' * 1000000)|replace('x', 'y' * 1000000) }}".to_owned(),
        "{{ ('x' * 1000000).replace('', 'y' * 1000000) }}".to_owned(),
        "{{ ('x\n' * 1000000)|indent(1000000000) }}".to_owned(),
        "{{ ([1] * 100000000)|tojson }}".to_owned(),
        format!("{{% set s = 'x' %}}{doubled}{{{{ s|length }}}}"),
        "{% set ns = namespace(s='x') %}{% for i in range(60) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}".to_owned(),
        "{% set ns = namespace(s='x') %}{% for i in range(60) %}{% set t %}{{ ns.s }}{{ ns.s }}{% endset %}{% set ns.s = t %}{% endfor %}"
            .to_owned(),
        "{% set ns = namespace(l=[1]) %}{% for i in range(60) %}{% set ns.l = ns.l + ns.l %}{% endfor %}{{ ns.l|tojson }}"
            .to_owned(),
        "{% macro m(n) %}{{ m(n + 1) }}{{ m(n + 1) }}{% endmacro %}{{ m(0) }}".to_owned(),
    ] {
        let error = format!("{:#}", render(&source, &conversation(), true).unwrap_err());
        assert!(error.contains("fails: ") && error.len() < 3_000, "{source}: {error}");
    }
    let long = "x".repeat(TEMPLATE_BYTES as usize + 1);
    assert!(render(&long, &[], true).unwrap_err().to_string().contains("bytes"), "a long source");
    // Afterwards as before.
    assert_eq!(render("{{ messages[3].content }}", &conversation(), true).unwrap(), "Sure?");
}

#[test]
fn no_template_makes_rendering_panic_or_grow() {
    let seeds = [
        "{% for m in messages %}{% if m.role == 'user' %}U:{{ m['content'] }}{% endif %}{% endfor %}",
        "{% set ns = namespace(n=0, s='') %}{% for m in messages[::-1] %}{% set ns.s = ns.s ~ m.content %}{% endfor %}{{ ns.s }}",
        "{{ messages|tojson(indent=2) }}{{ messages[0].content.split('x')[-1].strip().replace('a', 'b') }}",
        "{% macro m(a, b=2) %}[{{ a }}{% generation %}{{ b * 3 }}{% endgeneration %}]{% endmacro %}{{ m(1) }}{{ m('x', b='y') }}",
        "{{ '%s-%5d'|format('a', 3) }}{{ strftime_now('%d %b %Y') }}{{ range(3)|join(',') }}{{ [1, 2]|sum ** 3 }}",
    ];
    let words = [
        "{{",
        "}}",
        "{%",
        "%}",
        "{#",
        "#}",
        " * 10000000000",
        " ** 99999",
        "'x' * 9999999",
        "|tojson(indent=99999999)",
        ".center(9999999999)",
        "|format(1)",
        "%99999999d",
        "range(1000000000)",
        "|join",
        "|list",
        "|batch(99999999999)",
        "|indent(9999999999)",
        ".replace('', 'yyyy')",
        "|map('upper')",
        "{% for a in range({rounds}) %}",
        "{% endfor %}",
        "{% set messages = messages + messages %}",
        "{% set s = s ~ s %}",
        "loop(messages)",
        " recursive",
        "-1",
        "|slice(0)",
        "strftime_now('%999999999d')",
        "|groupby('role')",
        "|sort",
        "|urlencode",
        "(((((((((",
        "[[[[[[[[[[",
    ];
    exgrpo_core::fuzz::run("chat template", &seeds.map(|seed| seed.as_bytes().to_vec()), &words, |bytes| {
        let _ = render(&String::from_utf8_lossy(bytes), &conversation(), true);
    });
}

/// A stack that is used up ends the process, whatever contains the job.
#[test]
fn templates_and_values_nested_as_deep_as_can_be_end_in_words_or_text() {
    let most = TEMPLATE_BYTES as usize;
    let chain = |start: &str, link: &str, end: &str| {
        format!("{start}{}{end}", link.repeat((most - start.len() - end.len()) / link.len()))
    };
    let deep_value = |rounds: usize, last: &str| {
        format!(
            "{{% set ns = namespace(x=1) %}}{{% for i in range({rounds}) %}}{{% for j in range(20) %}}{{% set ns.x = [ns.x] %}}{{% endfor %}}{{% endfor %}}{last}"
        )
    };
    for template in [
        chain("{{ 1", "+1", " }}"),
        chain("{{ ", "not ", "1 }}"),
        chain("{{ 1", "|e", " }}"),
        chain("{{ x", ".a", " }}"),
        chain("{{ x", "[0]", " }}"),
        chain("{{ ", "-", "1 }}"),
        chain("{{ ", "(", "1 }}"),
        chain("{{ 1", "**1", " }}"),
        chain("{{ 1", " if 1 else 1", " }}"),
        chain("", "{% if 1 %}", ""),
        chain("{% if 1 %}", "{% elif 1 %}", "{% endif %}"),
        "{% set ns = namespace(n=0) %}{% set ns.n = ns %}{{ ns }}".to_owned(),
        "{% set ns = namespace(n=0) %}{% set ns.n = [ns] %}{{ ns|string }}".to_owned(),
        deep_value(99_999, ""),
        deep_value(9_999, "{{ ns.x }}"),
        deep_value(9_999, "{{ ns.x|tojson }}"),
        deep_value(9_999, "{{ ns.x == [ns.x] }}"),
        deep_value(9_999, "{{ ns.x|string|length }}"),
    ] {
        let shown = template[..template.len().min(120)].to_owned();
        let rendered = ChatTemplate::new(&template, SpecialTokens::default(), NaiveDate::default())
            .and_then(|template| template.render(&[Message::new("user", "hi")], true));
        println!("{shown}: {:?}", rendered.map(|text| text.len()).map_err(|error| error.to_string()));
    }
}

/// Witness: Jinja2 3.1.6 raises for each of these.
#[test]
fn what_jinja2_refuses_is_refused() {
    for source in [
        "{% for t in tools %}x{% endfor %}",
        "{% for t in 3 %}x{% endfor %}",
        "{% for t in messages[0].content[0].nothing.more %}x{% endfor %}",
        "{{ '%d' % 'x' }}",
        "{{ 'a'.partition('') }}",
        "{{ 'a'.index('b') }}",
        "{{ none|length }}",
        "{{ messages|map(attribute='role')|length }}",
        "{{ messages|map(attribute='role')|tojson }}",
        "{{ 'a'|safe + 1 }}",
    ] {
        assert!(render(source, &conversation(), true).is_err(), "{source}");
    }
}
