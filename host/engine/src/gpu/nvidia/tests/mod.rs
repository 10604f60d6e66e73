//! Every kernel against the same operation on the processor, in both precisions, on odd shapes and on those of published
//! models. What an operation must write is not a number beforehand.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use super::NvidiaGpu;
use crate::gpu::ops::{AdamStep, Caches, Decode, Device, Element, Heads, Memory, Norm, Product, Softmax, at};
use crate::gpu::processor::Processor;
use crate::gpu::sizes::CACHE_SLACK;

const PRECISIONS: [Element; 2] = [Element::F32, Element::Bf16];

/// Runs an operation on the processor and on the GPU: `$run` gives what it wrote. Values may differ by `$room` times
/// the largest expected, `room(act)`.
macro_rules! compare {
    ($what:expr, $act:expr, $run:expr) => {{
        let expected = $run(&Processor::default());
        let found = $run(&NvidiaGpu::open().unwrap());
        close(&format!("{}, {:?}", $what, $act), $act, &expected, &found);
    }};
}

fn close(what: &str, act: Element, expected: &[Vec<f32>], found: &[Vec<f32>]) {
    let room = if act == Element::Bf16 { 1.0 / 64.0 } else { 2e-5 };
    for (output, (expected, found)) in expected.iter().zip(found).enumerate() {
        assert_eq!(expected.len(), found.len(), "{what}");
        let largest = expected.iter().fold(1e-2f32, |a, b| a.max(b.abs()));
        for (place, (expected, found)) in expected.iter().zip(found).enumerate() {
            let is_close = (expected - found).abs() <= room * largest;
            assert!(is_close, "{what}: value {place} of output {output} is {found}, not {expected}");
        }
    }
}

fn values(seed: u64, len: usize) -> Vec<f32> {
    let mut stream = ChaCha8Rng::seed_from_u64(seed);
    (0..len).map(|_| (stream.next_u32() >> 8) as f32 / (1 << 23) as f32 - 1.0).collect()
}

fn ids(seed: u64, len: usize, below: usize) -> Vec<u32> {
    let mut stream = ChaCha8Rng::seed_from_u64(seed);
    (0..len).map(|_| stream.next_u32() % below as u32).collect()
}

/// Distinct ids in no order.
fn shuffled(seed: u64, len: usize) -> Vec<u32> {
    let keys = ids(seed, len, usize::MAX);
    let mut order: Vec<u32> = (0..len as u32).collect();
    order.sort_by_key(|&id| keys[id as usize]);
    order
}

fn put<D: Device>(device: &D, element: Element, values: &[f32]) -> D::Buffer {
    let buffer = device.alloc(element, values.len()).unwrap();
    device.write(values, at(&buffer)).unwrap();
    buffer
}

fn put_ids<D: Device>(device: &D, values: &[u32]) -> D::Buffer {
    let buffer = device.alloc(Element::U32, values.len()).unwrap();
    device.write_ids(values, at(&buffer)).unwrap();
    buffer
}

fn unset<D: Device>(device: &D, element: Element, len: usize) -> D::Buffer {
    put(device, element, &vec![f32::NAN; len])
}

fn get<D: Device>(device: &D, buffer: &D::Buffer, len: usize) -> Vec<f32> {
    device.read(at(buffer), len).unwrap()
}

#[test]
fn products() {
    for act in PRECISIONS {
        for (m, n, k, batch) in
            [(1, 1, 1, 1), (3, 5, 7, 2), (17, 33, 9, 3), (64, 48, 128, 1), (33, 152, 96, 2)]
        {
            for (a_transposed, b_transposed, to, beta) in [
                (false, true, act, 0.0),
                (false, false, Element::F32, 0.0),
                (true, false, Element::F32, 1.0),
                (true, true, act, 1.0),
            ] {
                let pad = 3;
                let shape = Product {
                    m,
                    n,
                    k,
                    batch,
                    a_transposed,
                    b_transposed,
                    a_row: if a_transposed { m } else { k } + pad,
                    b_row: if b_transposed { k } else { n } + pad,
                    c_row: n + pad,
                    a_step: (m + pad) * (k + pad),
                    b_step: (n + pad) * (k + pad),
                    c_step: m * (n + pad),
                    alpha: 0.5,
                    beta,
                };
                compare!(format!("{shape:?}"), act, |device: &_| run_product(device, &shape, act, to));
            }
        }
    }
}

fn run_product<D: Device>(device: &D, shape: &Product, act: Element, to: Element) -> Vec<Vec<f32>> {
    let a = put(device, act, &values(1, shape.batch * shape.a_step));
    let b = put(device, act, &values(2, shape.batch * shape.b_step));
    let len = shape.batch * shape.c_step;
    let c = put(device, to, &values(3, len));
    device.product(shape, at(&a), at(&b), at(&c)).unwrap();
    vec![get(device, &c, len)]
}

#[test]
fn rows() {
    for act in PRECISIONS {
        for (num, width) in [(1, 1), (5, 33), (7, 64), (300, 896), (40, 1536)] {
            compare!(format!("rows {num} x {width}"), act, |device: &_| run_rows(device, act, num, width));
        }
    }
}

fn run_rows<D: Device>(device: &D, act: Element, num: usize, width: usize) -> Vec<Vec<f32>> {
    let from = put(device, act, &values(1, num * width));
    let picked = put_ids(device, &ids(2, num, num));
    let (gathered, scattered) = (unset(device, act, num * width), unset(device, act, num * width));
    device.gather(at(&from), at(&picked), at(&gathered), num, width).unwrap();
    device.scatter(at(&from), at(&put_ids(device, &shuffled(3, num))), at(&scattered), num, width).unwrap();
    // Three ids with uneven numbers of rows each.
    let sums = put(device, Element::F32, &values(4, 9 * width));
    let starts = put_ids(device, &[0, (num / 3) as u32, (num / 2) as u32, num as u32]);
    let (unique, members) = (put_ids(device, &[7, 0, 4]), put_ids(device, &shuffled(5, num)));
    device.scatter_sums(at(&from), at(&unique), at(&starts), at(&members), at(&sums), 3, width).unwrap();
    let biased = put(device, act, &values(6, num * width));
    device.add_bias(at(&biased), at(&put(device, act, &values(7, width))), num, width).unwrap();
    let columns = put(device, Element::F32, &values(8, width));
    device.add_column_sums(at(&from), at(&columns), num, width).unwrap();
    let copied = unset(device, act, num * width);
    device.copy(at(&from), at(&copied), num * width).unwrap();
    let rounded = unset(device, act, num * width);
    device.round(at(&put(device, Element::F32, &values(9, num * width))), at(&rounded), num * width).unwrap();
    let products = unset(device, Element::F32, num);
    device.row_products(at(&from), at(&biased), at(&products), num, width).unwrap();
    let zeroed = unset(device, act, num * width);
    device.zero(at(&zeroed), num * width).unwrap();
    let squares = device.sum_of_squares(at(&sums), 9 * width).unwrap() as f32;
    vec![
        get(device, &gathered, num * width),
        get(device, &scattered, num * width),
        get(device, &sums, 9 * width),
        get(device, &biased, num * width),
        get(device, &columns, width),
        get(device, &copied, num * width),
        get(device, &rounded, num * width),
        get(device, &products, num),
        get(device, &zeroed, num * width),
        vec![squares],
    ]
}

#[test]
fn norms() {
    for act in PRECISIONS {
        for (rows, groups, width, row) in [
            (1, 1, 6, 6),
            (9, 3, 34, 140),
            (5, 2, 4, 9),
            (700, 1, 896, 896),
            (33, 14, 64, 1152),
            (20, 1, 1536, 1536),
        ] {
            let shape = Norm { rows, groups, width, in_row: row, out_row: row, eps: 1e-6 };
            compare!(format!("{shape:?}"), act, |device: &_| run_norms(device, act, &shape));
        }
    }
}

fn run_norms<D: Device>(device: &D, act: Element, shape: &Norm) -> Vec<Vec<f32>> {
    let len = shape.rows * shape.in_row;
    let (x, weight) = (put(device, act, &values(1, len)), put(device, act, &values(2, shape.width)));
    let y = put(device, act, &vec![0.25; len]);
    device.norm(shape, at(&x), at(&weight), at(&y)).unwrap();
    let dy = put(device, act, &values(3, len));
    let (dx, grad) = (put(device, act, &values(4, len)), put(device, Element::F32, &values(5, shape.width)));
    device.norm_grad(shape, at(&x), at(&weight), at(&dy), at(&dx), true, at(&grad)).unwrap();
    // In place.
    device.norm_grad(shape, at(&x), at(&weight), at(&dy), at(&dy), false, at(&grad)).unwrap();
    device.norm(shape, at(&x), at(&weight), at(&x)).unwrap();
    [(&y, len), (&dx, len), (&dy, len), (&x, len), (&grad, shape.width)]
        .map(|(buffer, len)| get(device, buffer, len))
        .to_vec()
}

#[test]
fn gates() {
    for act in PRECISIONS {
        for (num, width) in [(1, 1), (3, 33), (9, 20), (60, 4864)] {
            compare!(format!("gates {num} x {width}"), act, |device: &_| run_gates(device, act, num, width));
        }
    }
}

fn run_gates<D: Device>(device: &D, act: Element, num: usize, width: usize) -> Vec<Vec<f32>> {
    let wide: Vec<f32> = values(1, 2 * num * width).iter().map(|x| x * 6.0).collect();
    let gate_up = put(device, act, &wide);
    let out = unset(device, act, num * width);
    device.gated(at(&gate_up), at(&out), num, width).unwrap();
    device.gated_grad(at(&gate_up), at(&put(device, act, &values(2, num * width))), num, width).unwrap();
    vec![get(device, &out, num * width), get(device, &gate_up, 2 * num * width)]
}

#[test]
fn heads_by_key_head() {
    for act in PRECISIONS {
        for (sequences, len, key_heads, repeat, width) in
            [(1, 1, 1, 1, 2), (2, 5, 2, 3, 6), (3, 17, 2, 7, 64), (2, 9, 4, 1, 128)]
        {
            let shape =
                Heads { sequences, len, row: (repeat + 2) * key_heads * width, key_heads, repeat, width };
            compare!(format!("{shape:?}"), act, |device: &_| run_heads(device, act, &shape));
        }
    }
}

fn run_heads<D: Device>(device: &D, act: Element, shape: &Heads) -> Vec<Vec<f32>> {
    let rows = shape.sequences * shape.len * shape.row;
    let heads = shape.sequences * shape.len * shape.key_heads * shape.repeat * shape.width;
    let table = |seed| put(device, Element::F32, &values(seed, shape.len * shape.width / 2));
    let (cos, sin) = (table(1), table(2));
    let from = put(device, act, &values(3, rows));
    let (split, plain) = (unset(device, act, heads), unset(device, act, heads));
    let back = put(device, act, &vec![0.5; rows]);
    device.split_heads(shape, at(&from), Some((at(&cos), at(&sin))), at(&split)).unwrap();
    device.split_heads(shape, at(&from).plus(shape.width), None, at(&plain)).unwrap();
    device.merge_heads(shape, at(&split), Some((at(&cos), at(&sin))), at(&back)).unwrap();
    vec![get(device, &split, heads), get(device, &plain, heads), get(device, &back, rows)]
}

#[test]
fn softmax_of_blocks() {
    for act in PRECISIONS {
        for (batch, rows, keys, first_query, repeat) in
            [(1, 1, 1, 0, 1), (3, 14, 9, 2, 2), (2, 21, 130, 127, 7), (4, 96, 640, 624, 6), (2, 8, 33, 25, 1)]
        {
            let scale = 0.3;
            let shape = Softmax { batch, rows, keys, first_query, repeat, stat_step: rows + 5, scale };
            compare!(format!("{shape:?}"), act, |device: &_| run_softmax(device, act, &shape));
        }
    }
}

fn run_softmax<D: Device>(device: &D, act: Element, shape: &Softmax) -> Vec<Vec<f32>> {
    let (len, stats) = (shape.batch * shape.rows * shape.keys, shape.batch * shape.stat_step);
    let wide: Vec<f32> = values(1, len).iter().map(|x| x * 30.0).collect();
    let scores = put(device, Element::F32, &wide);
    let log_sums = put(device, Element::F32, &vec![0.125; stats]);
    let probs = unset(device, act, len);
    device.softmax(shape, at(&scores), at(&log_sums), at(&probs)).unwrap();
    let (dprobs, deltas) =
        (put(device, Element::F32, &values(2, len)), put(device, Element::F32, &values(3, stats)));
    let (again, dscores) = (unset(device, act, len), unset(device, act, len));
    device
        .softmax_grad(shape, at(&scores), at(&dprobs), at(&log_sums), at(&deltas), at(&again), at(&dscores))
        .unwrap();
    [(&probs, len), (&log_sums, stats), (&again, len), (&dscores, len)]
        .map(|(buffer, len)| get(device, buffer, len))
        .to_vec()
}

#[test]
fn steps_of_adam() {
    for act in PRECISIONS {
        for len in [1, 7, 4096, 100_003] {
            compare!(format!("{len} weights"), act, |device: &_| run_adam(device, act, len));
        }
    }
}

fn run_adam<D: Device>(device: &D, act: Element, len: usize) -> Vec<Vec<f32>> {
    let step = AdamStep {
        scale: 0.7,
        lr: 1e-2,
        beta1: 0.9,
        beta2: 0.99,
        eps: 1e-8,
        decay: 1e-3,
        first_correction: 2.0,
        second_correction: 3.0,
    };
    let [weights, grads, first] = [1, 2, 3].map(|seed| put(device, Element::F32, &values(seed, len)));
    let second = put(device, Element::F32, &values(4, len).iter().map(|x| x.abs()).collect::<Vec<_>>());
    let rounded = unset(device, act, len);
    let (w, g, m, v) = (at(&weights), at(&grads), at(&first), at(&second));
    device.adam(&step, w, g, m, v, at(&rounded), len).unwrap();
    [&weights, &first, &second, &rounded].map(|buffer| get(device, buffer, len)).to_vec()
}

#[test]
fn attention_of_new_tokens() {
    for act in PRECISIONS {
        for (rows, key_heads, repeat, width, prompt_capacity, capacity, len) in [
            (1, 1, 1, 2, 3, 1, 1),
            (5, 2, 3, 34, 9, 12, 7),
            (7, 2, 7, 64, 40, 200, 150),
            (6, 2, 6, 128, 130, 140, 129),
            (3, 1, 16, 64, 5, 6, 6),
            (3, 2, 2, 256, 7, 40, 33),
            // Too long for what a block shares.
            (2, 1, 7, 64, 2000, 1500, 1400),
            (4, 4, 1, 32, 20, 30, 30),
        ] {
            let scale = 1.0 / (width as f32).sqrt();
            let shape = Decode { rows, key_heads, repeat, width, prompt_capacity, capacity, len, scale };
            compare!(format!("{shape:?}"), act, |device: &_| run_decode(device, act, &shape));
        }
    }
}

fn run_decode<D: Device>(device: &D, act: Element, shape: &Decode) -> Vec<Vec<f32>> {
    let Decode { rows, key_heads, repeat, width, prompt_capacity, capacity, .. } = *shape;
    let (groups, slots) = (3, rows + 2);
    let slack = CACHE_SLACK * width;
    let (of_prompts, of_slots) =
        (groups * key_heads * prompt_capacity * width + slack, slots * key_heads * capacity * width + slack);
    let wide: Vec<f32> = values(1, rows * (repeat + 2) * key_heads * width).iter().map(|x| x * 4.0).collect();
    let qkv = put(device, act, &wide);
    let table = |seed| put(device, Element::F32, &values(seed, 500 * width / 2));
    let (cos, sin) = (table(2), table(3));
    let positions = put_ids(device, &ids(4, rows, 500));
    let (prompt_keys, prompt_values) =
        (put(device, act, &values(5, of_prompts)), put(device, act, &values(6, of_prompts)));
    let (keys, vals) = (put(device, act, &values(7, of_slots)), put(device, act, &values(8, of_slots)));
    let slots = put_ids(device, &shuffled(9, slots)[..rows]);
    let of_rows = put_ids(device, &ids(10, rows, groups));
    let prompt_lens = put_ids(device, &[1, prompt_capacity as u32, (prompt_capacity / 2 + 1) as u32]);
    let caches = Caches {
        prompt_keys: at(&prompt_keys),
        prompt_values: at(&prompt_values),
        keys: at(&keys),
        values: at(&vals),
        slots: at(&slots),
        groups: at(&of_rows),
        prompt_lens: at(&prompt_lens),
    };
    let len = rows * key_heads * repeat * width;
    let (queries, out) = (unset(device, act, len), unset(device, act, len));
    device
        .decode_heads(shape, at(&qkv), (at(&cos), at(&sin)), at(&positions), at(&queries), &caches)
        .unwrap();
    device.decode_attention(shape, at(&queries), &caches, at(&out)).unwrap();
    [(&queries, len), (&keys, of_slots), (&vals, of_slots), (&out, len)]
        .map(|(buffer, len)| get(device, buffer, len))
        .to_vec()
}

#[test]
fn places_outside_a_buffer_are_refused() {
    let device = NvidiaGpu::open().unwrap();
    let short = device.alloc(Element::F32, 10).unwrap();
    let error = device.zero(at(&short).plus(3), 8).unwrap_err().to_string();
    assert!(error.contains("8 values at 3 are not in a buffer of 10"), "{error}");
    assert!(device.read_ids(at(&short), 1).is_err());
    let error = device.alloc(Element::F32, 1 << 45).err().unwrap().to_string();
    assert!(error.contains("no room for 140737.49 GB"), "{error}");
}

// Behind the macro that it uses.
mod tokens;
