//! Norms, rotary embedding, the gated activation and softmax over rows: vectorized loops whose results do not
//! depend on vector width. Sums run in [`LANES`] partial sums that are folded in a fixed tree.

use std::ops::Range;

use super::kernel::vectorized;

/// Partial sums of a reduction.
const LANES: usize = 16;

#[inline(always)]
fn fold(mut lanes: [f32; LANES], f: impl Fn(f32, f32) -> f32) -> f32 {
    let mut width = LANES / 2;
    while width > 0 {
        for l in 0..width {
            lanes[l] = f(lanes[l], lanes[l + width]);
        }
        width /= 2;
    }
    lanes[0]
}

/// `Σ f(i)` where lane l sums the indices with i mod 16 = l, ascending.
#[inline(always)]
fn lane_sum<const N: usize>(operands: [&[f32]; N], f: impl Fn(f32, [f32; N]) -> f32) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let chunks = operands.map(|operand| operand.as_chunks::<LANES>());
    for c in 0..chunks[0].0.len() {
        let block = chunks.map(|(blocks, _)| &blocks[c]);
        for l in 0..LANES {
            lanes[l] = f(lanes[l], block.map(|values| values[l]));
        }
    }
    for l in 0..chunks[0].1.len() {
        lanes[l] = f(lanes[l], chunks.map(|(_, rest)| rest[l]));
    }
    fold(lanes, |a, b| a + b)
}

#[inline(always)]
fn lane_max(values: &[f32], factor: f32) -> f32 {
    let greater = |a: f32, b: f32| if b > a { b } else { a };
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let (chunks, rest) = values.as_chunks::<LANES>();
    for chunk in chunks {
        for l in 0..LANES {
            lanes[l] = greater(lanes[l], chunk[l] * factor);
        }
    }
    for (l, &value) in rest.iter().enumerate() {
        lanes[l] = greater(lanes[l], value * factor);
    }
    fold(lanes, greater)
}

/// e^x within 2 units in the last place; 0 below -86.6, infinity above 88.7.
///
/// x = n ln 2 + r with |r| <= ln 2 / 2, a polynomial for e^r, and n put into the exponent bits.
#[inline(always)]
fn exp(x: f32) -> f32 {
    // Adding 1.5 * 2^23 rounds to an integer and leaves it in the low mantissa bits.
    const ROUND: f32 = 12_582_912.0;
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let clamped = if x > 89.0 { 89.0 } else { x };
    let shifted = clamped.mul_add(std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = n.mul_add(-LN2_LOW, n.mul_add(-LN2_HIGH, clamped));
    let mut p = 1.987_569_1e-4;
    for c in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
        p = r.mul_add(p, c);
    }
    let p = (r * r).mul_add(p, r) + 1.0;
    // Two factors keep 2^n representable from n = -125 to 128.
    let half = (shifted.to_bits() << 23).wrapping_add(126 << 23);
    let result = p * f32::from_bits(half) * 2.0;
    if x < -86.6 { 0.0 } else { result }
}

/// [`swiglu_backward`] of a few values. The sigmoids come first, in a loop of their own: in one loop with what depends on
/// them the compiler branches on where [`exp`] is cut off, and gives up vectors.
#[inline(always)]
fn swiglu_slopes(out: &mut [f32], gate: &mut [f32], up: &mut [f32]) {
    let mut sigmoids = [0.0; LANES];
    for (sigmoid, gate) in sigmoids.iter_mut().zip(&*gate) {
        *sigmoid = 1.0 / (1.0 + exp(-*gate));
    }
    for (((out, gate), up), sigmoid) in out.iter_mut().zip(gate).zip(up).zip(sigmoids) {
        let silu = *gate * sigmoid;
        let (dout, value) = (*out, silu * *up);
        let slope = silu.mul_add(1.0 - sigmoid, sigmoid);
        (*out, *gate, *up) = (value, dout * *up * slope, dout * silu);
    }
}

/// [`geglu_backward`] of a few values; the sigmoids first, as in [`swiglu_slopes`].
#[inline(always)]
fn geglu_slopes(out: &mut [f32], gate: &mut [f32], up: &mut [f32]) {
    let mut sigmoids = [0.0; LANES];
    for (sigmoid, gate) in sigmoids.iter_mut().zip(&*gate) {
        *sigmoid = 1.0 / (1.0 + exp(-gelu_argument(*gate)));
    }
    for (((out, gate), up), sigmoid) in out.iter_mut().zip(gate).zip(up).zip(sigmoids) {
        let gelu = *gate * sigmoid;
        let (dout, value) = (*out, gelu * *up);
        let argument_slope = (3.0 * GELU_CUBE * *gate).mul_add(*gate, 1.0) * GELU_SCALE;
        let slope = (gelu * (1.0 - sigmoid)).mul_add(argument_slope, sigmoid);
        (*out, *gate, *up) = (value, dout * *up * slope, dout * gelu);
    }
}

/// `out = gate · up / (1 + e^exponent(gate))` for rows of `gate_up`.
#[inline(always)]
fn gated(gate_up: &[f32], out: &mut [f32], width: usize, exponent: impl Fn(f32) -> f32) {
    for (gate_up, out) in gate_up.chunks_exact(2 * width).zip(out.chunks_exact_mut(width)) {
        let (gate, up) = gate_up.split_at(width);
        for ((out, &gate), &up) in out.iter_mut().zip(gate).zip(up) {
            *out = gate / (1.0 + exp(exponent(gate))) * up;
        }
    }
}

/// Backward of [`gated`], a few values at a time by `slopes`.
#[inline(always)]
fn gated_backward(
    gate_up: &mut [f32],
    out: &mut [f32],
    width: usize,
    slopes: impl Fn(&mut [f32], &mut [f32], &mut [f32]),
) {
    for (gate_up, out) in gate_up.chunks_exact_mut(2 * width).zip(out.chunks_exact_mut(width)) {
        let (gate, up) = gate_up.split_at_mut(width);
        let (gates, gate_rest) = gate.as_chunks_mut::<LANES>();
        let (ups, up_rest) = up.as_chunks_mut::<LANES>();
        let (outs, out_rest) = out.as_chunks_mut::<LANES>();
        for ((out, gate), up) in outs.iter_mut().zip(gates).zip(ups) {
            slopes(out, gate, up);
        }
        slopes(out_rest, gate_rest, up_rest);
    }
}

/// 2 √(2/π), as `(1 + tanh u) / 2 = sigmoid(2 u)`.
const GELU_SCALE: f32 = std::f32::consts::FRAC_2_SQRT_PI * std::f32::consts::SQRT_2;
const GELU_CUBE: f32 = 0.044_715;

/// `2 √(2/π) (x + 0.044715 x³)`: GELU by its approximation is x times the sigmoid of it.
#[inline(always)]
fn gelu_argument(x: f32) -> f32 {
    (GELU_CUBE * x * x).mul_add(x, x) * GELU_SCALE
}

/// Sets to 0 what is in neither of the ranges, the second of which begins at `split`.
#[inline(always)]
fn hide(row: &mut [f32], prompt: Range<usize>, own: Range<usize>, split: usize) {
    row[..prompt.start].fill(0.0);
    row[prompt.end..split + own.start].fill(0.0);
    row[split + own.end..].fill(0.0);
}

vectorized! {
    /// `out = x · gain / rms(x)` for every row; the reciprocal of each row's rms goes to `inverse`.
    pub(super) fn rms_norm(x: &[f32], gain: &[f32], eps: f32, out: &mut [f32], inverse: &mut [f32]) {
        let width = gain.len();
        for ((x, out), inverse) in x.chunks_exact(width).zip(out.chunks_exact_mut(width)).zip(inverse) {
            let square = lane_sum([x], |sum, [x]| x.mul_add(x, sum));
            *inverse = 1.0 / (square / width as f32 + eps).sqrt();
            for ((out, &x), &gain) in out.iter_mut().zip(x).zip(gain) {
                *out = x * *inverse * gain;
            }
        }
    }

    /// [`rms_norm`] with the reciprocals known.
    pub(super) fn rms_norm_again(x: &[f32], gain: &[f32], inverse: &[f32], out: &mut [f32]) {
        let width = gain.len();
        for ((x, out), &inverse) in x.chunks_exact(width).zip(out.chunks_exact_mut(width)).zip(inverse) {
            for ((out, &x), &gain) in out.iter_mut().zip(x).zip(gain) {
                *out = x * inverse * gain;
            }
        }
    }

    /// Backward of [`rms_norm`]: adds to `dx` and `dgain`.
    ///
    /// With r = 1/rms: dx = r g dy - x r³/D Σ(g dy x), dg = Σ dy x r.
    pub(super) fn rms_norm_backward(
        dy: &[f32], x: &[f32], gain: &[f32], inverse: &[f32], dx: &mut [f32], dgain: &mut [f32],
    ) {
        let width = gain.len();
        let rows = dy.chunks_exact(width).zip(x.chunks_exact(width)).zip(dx.chunks_exact_mut(width));
        for (((dy, x), dx), &r) in rows.zip(inverse) {
            let sum = lane_sum([dy, gain, x], |sum, [dy, gain, x]| (dy * gain).mul_add(x, sum));
            let back = -r * r * r * sum / width as f32;
            for (((dx, dgain), &dy), (&x, &gain)) in
                dx.iter_mut().zip(dgain.iter_mut()).zip(dy).zip(x.iter().zip(gain))
            {
                *dx += (r * gain).mul_add(dy, back * x);
                *dgain = (dy * r).mul_add(x, *dgain);
            }
        }
    }

    /// Rotates each head of each row by its position: `(a, b) -> (a c - b s, b c + a s)` where a and b are the
    /// halves of a head's first `2 half` of `dim` values, c and s the rows of `cos` and `sin` at the position; `backward` rotates back.
    pub(super) fn rotate(
        rows: &mut [f32], stride: usize, heads: usize, dim: usize, positions: &[u32], cos: &[f32], sin: &[f32],
        half: usize, backward: bool,
    ) {
        for (row, &position) in rows.chunks_exact_mut(stride).zip(positions) {
            let cos = &cos[position as usize * half..][..half];
            let sin = &sin[position as usize * half..][..half];
            let sign = if backward { -1.0 } else { 1.0 };
            for head in row[..heads * dim].chunks_exact_mut(dim) {
                let (a, b) = head[..2 * half].split_at_mut(half);
                for (((a, b), &c), &s) in a.iter_mut().zip(b).zip(cos).zip(sin) {
                    let s = s * sign;
                    (*a, *b) = (a.mul_add(c, -(*b * s)), b.mul_add(c, *a * s));
                }
            }
        }
    }

    /// `out = silu(gate) · up`; rows of `gate_up` hold the gate, then up. `[_, 2 F] -> [_, F]`
    pub(super) fn swiglu(gate_up: &[f32], out: &mut [f32], width: usize) {
        gated(gate_up, out, width, |gate| -gate);
    }

    /// Backward of [`swiglu`]: overwrites `gate_up` with its gradient and `out` (the gradient of the output) with
    /// the output itself, which the weight's gradient needs.
    pub(super) fn swiglu_backward(gate_up: &mut [f32], out: &mut [f32], width: usize) {
        gated_backward(gate_up, out, width, swiglu_slopes);
    }

    /// [`swiglu`] with GELU's approximation in place of SiLU.
    pub(super) fn geglu(gate_up: &[f32], out: &mut [f32], width: usize) {
        gated(gate_up, out, width, |gate| -gelu_argument(gate));
    }

    /// Backward of [`geglu`], as [`swiglu_backward`].
    pub(super) fn geglu_backward(gate_up: &mut [f32], out: &mut [f32], width: usize) {
        gated_backward(gate_up, out, width, geglu_slopes);
    }

    /// Attention weights of one query, not yet divided by their sum: `row[j] = exp(factor · row[j] - max)`. Valid
    /// scores lie in `prompt` and, from `split` on, in `own`; everything else becomes 0. Returns max and sum.
    pub(super) fn attention_weights(
        row: &mut [f32], visible: [Range<usize>; 2], split: usize, factor: f32,
    ) -> (f32, f32) {
        let [prompt, own] = visible;
        let shared = lane_max(&row[prompt.clone()], factor);
        let last = lane_max(&row[split..][own.clone()], factor);
        let max = if last > shared { last } else { shared };
        for value in row.iter_mut() {
            *value = exp(value.mul_add(factor, -max));
        }
        hide(row, prompt, own, split);
        (max, lane_sum([row], |sum, [x]| sum + x))
    }

    /// [`attention_weights`] divided by their sum, `log_sum` = max + ln(sum) being known.
    pub(super) fn attention_weights_again(
        row: &mut [f32], visible: [Range<usize>; 2], split: usize, factor: f32, log_sum: f32,
    ) {
        let [prompt, own] = visible;
        for value in row.iter_mut() {
            *value = exp(value.mul_add(factor, -log_sum));
        }
        hide(row, prompt, own, split);
    }

    /// Backward of softmax: `dscores = weights · (dweights - delta) · factor`, where `weights` is not 0; what
    /// `dscores` (holding dweights) has elsewhere is not read.
    pub(super) fn attention_weights_backward(weights: &[f32], dscores: &mut [f32], delta: f32, factor: f32) {
        for (d, &weight) in dscores.iter_mut().zip(weights) {
            *d = if weight == 0.0 { 0.0 } else { weight * (*d - delta) * factor };
        }
    }

    /// `Σ a b`.
    pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
        lane_sum([a, b], |sum, [a, b]| a.mul_add(b, sum))
    }

    /// `a *= factor`.
    pub(super) fn scale(a: &mut [f32], factor: f32) {
        for a in a {
            *a *= factor;
        }
    }

    /// `a += b`.
    pub(super) fn add(a: &mut [f32], b: &[f32]) {
        for (a, &b) in a.iter_mut().zip(b) {
            *a += b;
        }
    }

    /// `sums += Σ rows`, the gradient of a bias.
    pub(super) fn add_rows(rows: &[f32], sums: &mut [f32]) {
        for row in rows.chunks_exact(sums.len()) {
            for (sum, &value) in sums.iter_mut().zip(row) {
                *sum += value;
            }
        }
    }

    /// Maximum of a row of logits, `Σ exp(z - max)` and `Σ exp(z - max) (z - max)`.
    pub(super) fn logit_sums(logits: &[f32]) -> (f32, f32, f32) {
        let max = lane_max(logits, 1.0);
        let mut sums = [[0.0f32; LANES]; 2];
        let mut visit = |l: usize, z: f32| {
            let z = z - max;
            let e = exp(z);
            sums[0][l] += e;
            sums[1][l] = e.mul_add(z, sums[1][l]);
        };
        let (chunks, rest) = logits.as_chunks::<LANES>();
        for chunk in chunks {
            for (l, &z) in chunk.iter().enumerate() {
                visit(l, z);
            }
        }
        for (l, &z) in rest.iter().enumerate() {
            visit(l, z);
        }
        (max, fold(sums[0], |a, b| a + b), fold(sums[1], |a, b| a + b))
    }

    /// The largest of `logits`; none when one of them is not finite.
    pub(in crate) fn finite_max(logits: &[f32]) -> Option<f32> {
        let max = lane_max(logits, 1.0);
        // 0 times what is not finite is not a number.
        let zero = lane_sum([logits], |sum, [z]| z.mul_add(0.0, sum));
        (zero == 0.0).then_some(max)
    }

    /// Weights of the softmax at a temperature, not divided by their sum: `exp((logits - max) / temperature)`.
    pub(in crate) fn softmax_weights(logits: &[f32], max: f32, temperature: f32, weights: &mut [f32]) {
        for (weight, logit) in weights.iter_mut().zip(logits) {
            *weight = exp((logit - max) / temperature);
        }
    }

    /// `Σ values`, in f64.
    pub(in crate) fn sum_f64(values: &[f32]) -> f64 {
        let mut lanes = [0.0f64; LANES];
        let (chunks, rest) = values.as_chunks::<LANES>();
        for chunk in chunks {
            for (lane, &value) in lanes.iter_mut().zip(chunk) {
                *lane += f64::from(value);
            }
        }
        for (lane, &value) in lanes.iter_mut().zip(rest) {
            *lane += f64::from(value);
        }
        lanes.iter().sum()
    }

    /// Overwrites a row of logits with the part of its gradient that every entry has:
    /// `-p (dlogprob + dentropy (ln p + entropy))`, where `ln p = z - log_sum`.
    pub(super) fn logit_gradient(logits: &mut [f32], log_sum: f32, entropy: f32, dlogprob: f32, dentropy: f32) {
        for z in logits {
            let logprob = *z - log_sum;
            *z = -exp(logprob) * dentropy.mul_add(logprob + entropy, dlogprob);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_close_to_that_of_f64() {
        for i in -86_599..88_700 {
            let x = i as f32 * 1e-3;
            let expected = libm::exp(f64::from(x));
            let error = (f64::from(exp(x)) - expected).abs() / expected;
            assert!(error < 2.5e-7, "exp({x}): relative error {error}");
        }
        assert_eq!((exp(0.0), exp(-88.0), exp(f32::NEG_INFINITY)), (1.0, 0.0, 0.0));
        assert_eq!(exp(90.0), f32::INFINITY);
        assert!(exp(f32::NAN).is_nan());
    }
}
