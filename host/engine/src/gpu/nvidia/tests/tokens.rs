//! Scores and draws.

use super::*;
use crate::gpu::ops::{Draw, Drawn, Tokens};

#[test]
fn scores_of_tokens() {
    for act in PRECISIONS {
        for (num, vocab, sharpness) in
            [(1, 1, 1.0), (5, 19, 0.7), (3, 97, 1.3), (4, 151_936, 1.0), (2, 30_007, 2.0)]
        {
            let case = format!("{num} tokens of {vocab} at {sharpness}");
            compare!(case, act, |device: &_| run_scores(device, act, num, vocab, sharpness));
        }
    }
}

fn run_scores<D: Device>(
    device: &D,
    act: Element,
    num: usize,
    vocab: usize,
    sharpness: f32,
) -> Vec<Vec<f32>> {
    let wide: Vec<f32> = values(1, num * vocab).iter().map(|x| x * 12.0).collect();
    let logits = put(device, Element::F32, &wide);
    let targets = put_ids(device, &ids(2, num, vocab));
    let column = || unset(device, Element::F32, num);
    let (logprobs, entropies, log_sums) = (column(), column(), column());
    device
        .token_scores(
            at(&logits),
            at(&targets),
            at(&logprobs),
            at(&entropies),
            at(&log_sums),
            num,
            vocab,
            sharpness,
        )
        .unwrap();
    let slopes = |seed| put(device, Element::F32, &values(seed, num));
    let dlogits = unset(device, act, num * vocab);
    device
        .token_scores_grad(
            at(&logits),
            at(&targets),
            at(&entropies),
            at(&log_sums),
            at(&slopes(3)),
            at(&slopes(4)),
            at(&dlogits),
            num,
            vocab,
            sharpness,
        )
        .unwrap();
    [(&logprobs, num), (&entropies, num), (&log_sums, num), (&dlogits, num * vocab)]
        .map(|(buffer, len)| get(device, buffer, len))
        .to_vec()
}

/// The same tokens for the same numbers, but for draws that fall on the edge between two.
#[test]
fn draws() {
    for (vocab, temperature, top_p) in [
        (1, 1.0, 1.0),
        (19, 1.0, 1.0),
        (19, 0.0, 1.0),
        (97, 0.6, 0.9),
        (151_936, 1.0, 1.0),
        (151_936, 0.7, 0.95),
        (30_007, 0.0, 1.0),
        (300_007, 1.3, 0.5),
    ] {
        let rows = 24;
        let shape = Draw { rows, vocab_size: vocab, temperature, score_temperature: 1.5, top_p };
        let case = format!("{shape:?}");
        let expected = run_draw(&Processor::default(), &shape);
        let found = run_draw(&NvidiaGpu::open().unwrap(), &shape);
        let other = expected.0.iter().zip(&found.0).filter(|(a, b)| a != b).count();
        assert!(
            other <= usize::from(temperature > 0.0 && vocab > 1000),
            "{case}: {:?} {:?}",
            expected.0,
            found.0
        );
        if other == 0 {
            close(&case, Element::F32, &expected.1, &found.1);
        }
        assert_eq!(found, run_draw(&NvidiaGpu::open().unwrap(), &shape), "{case}: twice the same");
    }
}

fn run_draw<D: Device>(device: &D, shape: &Draw) -> (Vec<u32>, Vec<Vec<f32>>) {
    let Draw { rows, vocab_size, .. } = *shape;
    // Equal logits too, which a nucleus takes in the order of their ids.
    let logits: Vec<f32> = values(1, 5 * vocab_size).iter().map(|x| (x * 40.0).round() / 4.0).collect();
    let slots = rows + 3;
    let mut of_slots = shuffled(2, slots);
    of_slots.truncate(rows);
    let logits = put(device, Element::F32, &logits);
    let (logit_rows, slot_ids) = (put_ids(device, &ids(3, rows, 5)), put_ids(device, &of_slots));
    let uniforms = put_ids(device, &ids(4, 2 * slots, u32::MAX as usize));
    let (latest, drawn_ids) = (put_ids(device, &vec![9; rows]), put_ids(device, &vec![9; slots]));
    let (logprobs, entropies) =
        (put(device, Element::F32, &vec![0.0; slots]), put(device, Element::F32, &vec![0.0; slots]));
    let drawn = Drawn {
        logit_rows: at(&logit_rows),
        slots: at(&slot_ids),
        uniforms: at(&uniforms),
        latest: at(&latest),
        ids: at(&drawn_ids),
        logprobs: at(&logprobs),
        entropies: at(&entropies),
    };
    device.draw(shape, at(&logits), &drawn).unwrap();
    let mut found = device.read_ids(at(&latest), rows).unwrap();
    found.extend(device.read_ids(at(&drawn_ids), slots).unwrap());
    (found, vec![get(device, &logprobs, slots), get(device, &entropies, slots)])
}

#[test]
fn logits_that_are_not_finite_draw_nothing() {
    let device = NvidiaGpu::open().unwrap();
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut row = values(1, 100);
        row[63] = bad;
        let logits = put(&device, Element::F32, &row);
        let words = put_ids(&device, &[0, 0]);
        let (latest, ids) = (put_ids(&device, &[0]), put_ids(&device, &[0]));
        let (logprobs, entropies) = (put(&device, Element::F32, &[0.0]), put(&device, Element::F32, &[0.0]));
        let drawn = Drawn {
            logit_rows: at(&words),
            slots: at(&words),
            uniforms: at(&words),
            latest: at(&latest),
            ids: at(&ids),
            logprobs: at(&logprobs),
            entropies: at(&entropies),
        };
        let shape = Draw { rows: 1, vocab_size: 100, temperature: 1.0, score_temperature: 1.0, top_p: 1.0 };
        device.draw(&shape, at(&logits), &drawn).unwrap();
        assert_eq!(device.read_ids(at(&latest), 1).unwrap(), [u32::MAX], "{bad}");
    }
}
