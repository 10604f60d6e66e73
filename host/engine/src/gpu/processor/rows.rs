//! The processor's products and operations on rows.

use anyhow::{Result, ensure};
use rayon::prelude::*;

use super::{Place, Processor};
use crate::gpu::ops::{Norm, Product, Rows};

impl Rows for Processor {
    fn product(&self, shape: &Product, a: Place<'_>, b: Place<'_>, c: Place<'_>) -> Result<()> {
        self.count();
        ensure!(a.buffer.element == b.buffer.element, "the operands of a product have different types");
        let Product { m, n, k, batch, alpha, beta, .. } = *shape;
        for member in 0..batch {
            let left = dense(a.plus(member * shape.a_step), m, k, shape.a_row, shape.a_transposed);
            let right = dense(b.plus(member * shape.b_step), k, n, shape.b_row, shape.b_transposed);
            let mut sums = vec![0f32; m * n];
            if n > 0 {
                sums.par_chunks_mut(n).enumerate().for_each(|(row, sums)| {
                    for (left, right) in left[row * k..][..k].iter().zip(right.chunks(n)) {
                        sums.iter_mut().zip(right).for_each(|(sum, right)| *sum += left * right);
                    }
                });
            }
            let c = c.plus(member * shape.c_step);
            for row in 0..m {
                for column in 0..n {
                    let place = row * shape.c_row + column;
                    let kept = if beta == 0.0 { 0.0 } else { beta * c.get(place) };
                    c.set(place, alpha * sums[row * n + column] + kept);
                }
            }
        }
        Ok(())
    }

    fn gather(
        &self,
        from: Place<'_>,
        rows: Place<'_>,
        to: Place<'_>,
        num: usize,
        width: usize,
    ) -> Result<()> {
        self.count();
        for row in 0..num {
            let source = rows.id(row) * width;
            (0..width).for_each(|column| to.set(row * width + column, from.get(source + column)));
        }
        Ok(())
    }

    fn scatter(
        &self,
        from: Place<'_>,
        rows: Place<'_>,
        to: Place<'_>,
        num: usize,
        width: usize,
    ) -> Result<()> {
        self.count();
        for row in 0..num {
            let target = rows.id(row) * width;
            (0..width).for_each(|column| to.set(target + column, from.get(row * width + column)));
        }
        Ok(())
    }

    fn scatter_sums(
        &self,
        from: Place<'_>,
        ids: Place<'_>,
        starts: Place<'_>,
        rows: Place<'_>,
        to: Place<'_>,
        num: usize,
        width: usize,
    ) -> Result<()> {
        self.count();
        for unique in 0..num {
            for column in 0..width {
                let members = starts.id(unique)..starts.id(unique + 1);
                let sum: f32 = members.map(|member| from.get(rows.id(member) * width + column)).sum();
                to.add(ids.id(unique) * width + column, sum);
            }
        }
        Ok(())
    }

    fn norm(&self, shape: &Norm, x: Place<'_>, weight: Place<'_>, y: Place<'_>) -> Result<()> {
        self.count();
        for_vectors(shape, |source, target| {
            let values = x.plus(source).values(shape.width);
            let scale = inverse_root(&values, shape.eps);
            for (index, value) in values.iter().enumerate() {
                y.set(target + index, value * scale * weight.get(index));
            }
        });
        Ok(())
    }

    fn norm_grad(
        &self,
        shape: &Norm,
        x: Place<'_>,
        weight: Place<'_>,
        dy: Place<'_>,
        dx: Place<'_>,
        add: bool,
        weight_grad: Place<'_>,
    ) -> Result<()> {
        self.count();
        let mut sums = vec![0f32; shape.width];
        for_vectors(shape, |source, target| {
            let values = x.plus(source).values(shape.width);
            let scale = inverse_root(&values, shape.eps);
            let derivative = dy.plus(target).values(shape.width);
            let pulled =
                (0..shape.width).map(|i| derivative[i] * weight.get(i) * values[i] * scale).sum::<f32>()
                    / shape.width as f32;
            for index in 0..shape.width {
                let normed = values[index] * scale;
                sums[index] += derivative[index] * normed;
                let share = scale * (derivative[index] * weight.get(index) - normed * pulled);
                let before = if add { dx.get(source + index) } else { 0.0 };
                dx.set(source + index, before + share);
            }
        });
        sums.iter().enumerate().for_each(|(index, sum)| weight_grad.add(index, *sum));
        Ok(())
    }

    fn add_bias(&self, x: Place<'_>, bias: Place<'_>, num: usize, width: usize) -> Result<()> {
        self.count();
        (0..num * width).for_each(|index| x.add(index, bias.get(index % width)));
        Ok(())
    }

    fn add_column_sums(&self, dy: Place<'_>, grad: Place<'_>, num: usize, width: usize) -> Result<()> {
        self.count();
        for column in 0..width {
            grad.add(column, (0..num).map(|row| dy.get(row * width + column)).sum());
        }
        Ok(())
    }

    fn gated(&self, gate_up: Place<'_>, out: Place<'_>, num: usize, width: usize) -> Result<()> {
        self.count();
        for index in 0..num * width {
            let gate = gate_up.get(index / width * 2 * width + index % width);
            let up = gate_up.get(index / width * 2 * width + width + index % width);
            out.set(index, gate / (1.0 + (-gate).exp()) * up);
        }
        Ok(())
    }

    fn gated_grad(&self, gate_up: Place<'_>, dout: Place<'_>, num: usize, width: usize) -> Result<()> {
        self.count();
        for index in 0..num * width {
            let place = index / width * 2 * width + index % width;
            let (gate, up, derivative) = (gate_up.get(place), gate_up.get(place + width), dout.get(index));
            let sigmoid = 1.0 / (1.0 + (-gate).exp());
            gate_up.set(place, derivative * up * sigmoid * (1.0 + gate * (1.0 - sigmoid)));
            gate_up.set(place + width, derivative * gate * sigmoid);
        }
        Ok(())
    }
}

/// A matrix `[rows, columns]` without gaps, from one stored with a row's distance and perhaps transposed.
fn dense(place: Place<'_>, rows: usize, columns: usize, row: usize, transposed: bool) -> Vec<f32> {
    let mut values = Vec::with_capacity(rows * columns);
    for at in 0..rows {
        values.extend(
            (0..columns)
                .map(|column| place.get(if transposed { column * row + at } else { at * row + column })),
        );
    }
    values
}

/// Starts of each vector in the input and in the output.
fn for_vectors(shape: &Norm, mut visit: impl FnMut(usize, usize)) {
    for row in 0..shape.rows {
        for group in 0..shape.groups {
            visit(row * shape.in_row + group * shape.width, row * shape.out_row + group * shape.width);
        }
    }
}

fn inverse_root(values: &[f32], eps: f32) -> f32 {
    let mean = values.iter().map(|value| value * value).sum::<f32>() / values.len() as f32;
    1.0 / (mean + eps).sqrt()
}
