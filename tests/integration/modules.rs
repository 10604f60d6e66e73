//! Core modules that no compiler of Rust makes: a shipped policy with one function more.

/// Id of a section by the WebAssembly specification.
const TYPE: u8 = 1;
const IMPORT: u8 = 2;
const FUNCTION: u8 = 3;
const START: u8 = 8;
const CODE: u8 = 10;

/// `module` with a function `[] -> []` added whose locals and instructions, without the last `end`, are `code`; it is
/// the start function if `is_start`.
pub(crate) fn with_function(module: &[u8], code: &[u8], is_start: bool) -> Vec<u8> {
    with_functions(module, &[code.to_vec()], is_start)
}

/// The same for several functions, of which the first can be the start function.
pub(crate) fn with_functions(module: &[u8], codes: &[Vec<u8>], is_start: bool) -> Vec<u8> {
    let sections = sections(module);
    let count = |id| sections.iter().find(|section| section.0 == id).map_or(0, |(_, bytes)| number(bytes).0);
    let kind = count(TYPE);
    let index = imported_functions(&sections) + count(FUNCTION);
    let kinds: Vec<Vec<u8>> = codes.iter().map(|_| leb(kind)).collect();
    let bodies: Vec<Vec<u8>> =
        codes.iter().map(|code| [leb(code.len() as u32 + 1), code.clone(), vec![0x0b]].concat()).collect();
    let mut out = module[..8].to_vec();
    let mut is_started = !is_start;
    for (id, bytes) in &sections {
        // Sections are in the order of their ids, but for custom ones (0) and two (12, 13) that are not in use here.
        if !is_started && *id > START {
            section(&mut out, START, &leb(index));
            is_started = true;
        }
        match *id {
            TYPE => section(&mut out, TYPE, &appended(bytes, &[vec![0x60, 0, 0]])),
            FUNCTION => section(&mut out, FUNCTION, &appended(bytes, &kinds)),
            CODE => section(&mut out, CODE, &appended(bytes, &bodies)),
            id => section(&mut out, id, bytes),
        }
    }
    out
}

/// Instructions that ask for no memory, for ever: each is a call of the host that costs little fuel.
pub(crate) fn grows_for_ever() -> Vec<u8> {
    // No locals; loop, i32.const 0, memory.grow 0, drop, br 0, end.
    vec![0, 0x03, 0x40, 0x41, 0, 0x40, 0, 0x1a, 0x0c, 0, 0x0b]
}

/// A function of about `bytes` bytes whose every instruction waits for the one before, with many values alive: slow to
/// compile.
pub(crate) fn huge(bytes: usize) -> Vec<u8> {
    const LOCALS: u32 = 2_000;
    // One group of locals of i32.
    let mut code = [vec![1], leb(LOCALS), vec![0x7f]].concat();
    let mut round = 0u32;
    while code.len() < bytes {
        let (from, to) = (round.wrapping_mul(7) % LOCALS, round.wrapping_mul(13) % LOCALS);
        // if local.get from: local.set to = from * to + 1
        code.extend([vec![0x20], leb(from), vec![0x04, 0x40, 0x20], leb(from)].concat());
        code.extend([vec![0x20], leb(to), vec![0x6c, 0x41, 1, 0x6a, 0x21], leb(to), vec![0x0b]].concat());
        round += 1;
    }
    code
}

/// Id and contents of every section.
fn sections(module: &[u8]) -> Vec<(u8, &[u8])> {
    let mut rest = &module[8..];
    let mut sections = Vec::new();
    while let [id, tail @ ..] = rest {
        let (len, width) = number(tail);
        let (contents, tail) = tail[width..].split_at(len as usize);
        sections.push((*id, contents));
        rest = tail;
    }
    sections
}

/// Imported functions; nothing else may be imported.
fn imported_functions(sections: &[(u8, &[u8])]) -> u32 {
    sections.iter().find(|section| section.0 == IMPORT).map_or(0, |(_, bytes)| number(bytes).0)
}

fn section(out: &mut Vec<u8>, id: u8, contents: &[u8]) {
    out.push(id);
    out.extend(leb(contents.len() as u32));
    out.extend(contents);
}

/// A vector with more items.
fn appended(vector: &[u8], items: &[Vec<u8>]) -> Vec<u8> {
    let (count, width) = number(vector);
    [leb(count + items.len() as u32), vector[width..].to_vec(), items.concat()].concat()
}

/// An unsigned LEB128 number and the bytes that it takes.
fn number(bytes: &[u8]) -> (u32, usize) {
    let mut value = 0;
    for (index, byte) in bytes.iter().enumerate() {
        value |= u32::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return (value, index + 1);
        }
    }
    panic!("a number that does not end");
}

fn leb(mut value: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let byte = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            bytes.push(byte);
            return bytes;
        }
        bytes.push(byte | 0x80);
    }
}
