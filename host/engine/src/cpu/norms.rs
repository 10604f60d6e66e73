//! Norms over rows, and over the heads of queries and keys, in parallel.

use rayon::prelude::*;

use super::elementwise::{add, rms_norm, rms_norm_again, rms_norm_backward};
use super::layer::ROW_BLOCK;
use super::network::Shape;

/// `out = norm(x)`, row blocks in parallel.
pub(super) fn norm_rows(x: &[f32], gain: &[f32], eps: f32, out: &mut [f32], inverse: &mut [f32]) {
    let block = ROW_BLOCK * gain.len();
    x.par_chunks(block)
        .zip(out.par_chunks_mut(block))
        .zip(inverse.par_chunks_mut(ROW_BLOCK))
        .for_each(|((x, out), inverse)| rms_norm(x, gain, eps, out, inverse));
}

/// The same with the reciprocals known.
pub(super) fn norm_rows_again(x: &[f32], gain: &[f32], inverse: &[f32], out: &mut [f32]) {
    let block = ROW_BLOCK * gain.len();
    x.par_chunks(block)
        .zip(out.par_chunks_mut(block))
        .zip(inverse.par_chunks(ROW_BLOCK))
        .for_each(|((x, out), inverse)| rms_norm_again(x, gain, inverse, out));
}

/// Backward of [`norm_rows`]: adds to `dx` and to `dgain`, the latter block after block.
pub(super) fn norm_rows_backward(
    dy: &[f32],
    x: &[f32],
    gain: &[f32],
    inverse: &[f32],
    dx: &mut [f32],
    dgain: &mut [f32],
) {
    let block = ROW_BLOCK * gain.len();
    let parts: Vec<Vec<f32>> = dy
        .par_chunks(block)
        .zip(x.par_chunks(block))
        .zip(inverse.par_chunks(ROW_BLOCK))
        .zip(dx.par_chunks_mut(block))
        .map(|(((dy, x), inverse), dx)| {
            let mut part = vec![0.0; gain.len()];
            rms_norm_backward(dy, x, gain, inverse, dx, &mut part);
            part
        })
        .collect();
    parts.iter().for_each(|part| add(dgain, part));
}

/// Norms each head of queries and keys in place; `raw` keeps what was there.
pub(super) fn norm_heads(
    shape: &Shape,
    gains: [&[f32]; 2],
    qkv: &mut [f32],
    raw: &mut [f32],
    inverse: &mut [f32],
) {
    let (query, normed) = (shape.query(), shape.query() + shape.key());
    let heads = shape.heads + shape.key_heads;
    qkv.par_chunks_mut(shape.qkv())
        .zip(raw.par_chunks_mut(normed))
        .zip(inverse.par_chunks_mut(heads))
        .for_each(|((qkv, raw), inverse)| {
            raw.copy_from_slice(&qkv[..normed]);
            let (queries, keys) = qkv[..normed].split_at_mut(query);
            let (query_inverse, key_inverse) = inverse.split_at_mut(shape.heads);
            rms_norm(&raw[..query], gains[0], shape.eps, queries, query_inverse);
            rms_norm(&raw[query..], gains[1], shape.eps, keys, key_inverse);
        });
}

/// Backward of [`norm_heads`] in place; the gradients of the two gains.
pub(super) fn norm_heads_backward(
    shape: &Shape,
    gains: [&[f32]; 2],
    raw: &[f32],
    inverse: &[f32],
    dqkv: &mut [f32],
) -> [Vec<f32>; 2] {
    let (query, normed, dim) = (shape.query(), shape.query() + shape.key(), shape.head_dim);
    let heads = shape.heads + shape.key_heads;
    let parts: Vec<[Vec<f32>; 2]> = dqkv
        .par_chunks_mut(ROW_BLOCK * shape.qkv())
        .zip(raw.par_chunks(ROW_BLOCK * normed))
        .zip(inverse.par_chunks(ROW_BLOCK * heads))
        .map(|((dqkv, raw), inverse)| {
            let mut dgains = [vec![0.0; dim], vec![0.0; dim]];
            let mut dx = vec![0.0; normed];
            for ((dqkv, raw), inverse) in dqkv
                .chunks_exact_mut(shape.qkv())
                .zip(raw.chunks_exact(normed))
                .zip(inverse.chunks_exact(heads))
            {
                dx.fill(0.0);
                for (part, range, inverse) in
                    [(0, 0..query, &inverse[..shape.heads]), (1, query..normed, &inverse[shape.heads..])]
                {
                    let (dy, x) = (&dqkv[range.clone()], &raw[range.clone()]);
                    rms_norm_backward(dy, x, gains[part], inverse, &mut dx[range], &mut dgains[part]);
                }
                dqkv[..normed].copy_from_slice(&dx);
            }
            dgains
        })
        .collect();
    let mut sums = [vec![0.0; dim], vec![0.0; dim]];
    for part in &parts {
        add(&mut sums[0], &part[0]);
        add(&mut sums[1], &part[1]);
    }
    sums
}
