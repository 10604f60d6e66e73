//! A GPU's products and operations on rows.

use anyhow::{Result, ensure};

use super::kernels::{Grid, SHARED_BYTES, arguments};
use super::{NvidiaGpu, PARTIALS, Place};
use crate::gpu::ops::{Norm, Product, Rows};

/// Blocks over which the rows of a sum are shared out.
const SUM_BLOCKS: usize = 528;

impl NvidiaGpu {
    /// Adds partial sums of `blocks` blocks to a gradient.
    fn add_partials(&self, grad: u64, blocks: usize, width: usize) -> Result<()> {
        let grid = Grid::blocks(width.div_ceil(128), 128);
        self.launch("add_partials", grid, arguments![self.partials.address, grad, blocks as i32, width])
    }

    /// Blocks whose partial sums of `width` there is room for, at most one for `least` rows of `rows`.
    fn sum_blocks(&self, rows: usize, least: usize, width: usize) -> usize {
        rows.div_ceil(least).min(SUM_BLOCKS).min(PARTIALS / width).max(1)
    }
}

impl Rows for NvidiaGpu {
    fn product(&self, shape: &Product, a: Place<'_>, b: Place<'_>, c: Place<'_>) -> Result<()> {
        self.count();
        self.multiply(shape, a, b, c)
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
        if num == 0 {
            return Ok(());
        }
        let (element, kernel) = self.kernel("gather", from)?;
        let source = self.address(from, width, element)?;
        let (rows, target) = (self.ids(rows, num)?, self.address(to, num * width, element)?);
        self.launch(&kernel, Grid::blocks(num, 128), arguments![source, rows, target, num, width])
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
        if num == 0 {
            return Ok(());
        }
        let (element, kernel) = self.kernel("scatter", from)?;
        let source = self.address(from, num * width, element)?;
        let (rows, target) = (self.ids(rows, num)?, self.address(to, width, element)?);
        self.launch(&kernel, Grid::blocks(num, 128), arguments![source, rows, target, num, width])
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
        if num == 0 {
            return Ok(());
        }
        let (element, kernel) = self.kernel("scatter_sums", from)?;
        let (source, target) = (self.address(from, width, element)?, self.f32s(to, width)?);
        let (ids, starts, rows) = (self.ids(ids, num)?, self.ids(starts, num + 1)?, self.ids(rows, 1)?);
        let grid = Grid { blocks: [num, width.div_ceil(256), 1], threads: 256, shared: 0 };
        self.launch(&kernel, grid, arguments![source, ids, starts, rows, target, num, width])
    }

    fn norm(&self, shape: &Norm, x: Place<'_>, weight: Place<'_>, y: Place<'_>) -> Result<()> {
        self.count();
        let Norm { rows, groups, width, in_row, out_row, eps } = *shape;
        if rows == 0 {
            return Ok(());
        }
        let (element, kernel) = self.kernel("norm", x)?;
        let len = |row: usize| (rows - 1) * row + groups * width;
        let (source, target) =
            (self.address(x, len(in_row), element)?, self.address(y, len(out_row), element)?);
        let weight = self.address(weight, width, element)?;
        let grid = Grid::blocks((rows * groups).div_ceil(4), 128);
        let (groups, width) = (groups as i32, width as i32);
        self.launch(
            &kernel,
            grid,
            arguments![rows, groups, width, in_row, out_row, eps, source, weight, target],
        )
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
        let Norm { rows, groups, width, in_row, out_row, eps } = *shape;
        if rows == 0 {
            return Ok(());
        }
        let (element, kernel) = self.kernel("norm_grad", x)?;
        let len = |row: usize| (rows - 1) * row + groups * width;
        let (source, target) =
            (self.address(x, len(in_row), element)?, self.address(dx, len(in_row), element)?);
        let (weight, derivative) =
            (self.address(weight, width, element)?, self.address(dy, len(out_row), element)?);
        let grad = self.f32s(weight_grad, width)?;
        let warps = (SHARED_BYTES / 2 / (4 * width)).clamp(1, 4);
        ensure!(
            warps * width * 4 <= SHARED_BYTES,
            "a norm of {width} values is too wide for the GPU's engine"
        );
        let blocks = self.sum_blocks(rows * groups, warps, width);
        let grid = Grid { blocks: [blocks, 1, 1], threads: 32 * warps, shared: warps * width * 4 };
        self.launch(
            &kernel,
            grid,
            arguments![
                rows,
                groups as i32,
                width as i32,
                in_row,
                out_row,
                eps,
                source,
                weight,
                derivative,
                target,
                i32::from(add),
                self.partials.address
            ],
        )?;
        self.add_partials(grad, blocks, width)
    }

    fn add_bias(&self, x: Place<'_>, bias: Place<'_>, num: usize, width: usize) -> Result<()> {
        self.count();
        let (element, kernel) = self.kernel("add_bias", x)?;
        let (values, bias) = (self.address(x, num * width, element)?, self.address(bias, width, element)?);
        self.launch(&kernel, Grid::over(num * width / 4), arguments![values, bias, num, width])
    }

    fn add_column_sums(&self, dy: Place<'_>, grad: Place<'_>, num: usize, width: usize) -> Result<()> {
        self.count();
        let (element, kernel) = self.kernel("column_sums", dy)?;
        let (source, grad) = (self.address(dy, num * width, element)?, self.f32s(grad, width)?);
        let blocks = self.sum_blocks(num, 64, width);
        let grid = Grid { blocks: [blocks, width.div_ceil(128), 1], threads: 128, shared: 0 };
        self.launch(&kernel, grid, arguments![source, self.partials.address, num, width])?;
        self.add_partials(grad, blocks, width)
    }

    fn gated(&self, gate_up: Place<'_>, out: Place<'_>, num: usize, width: usize) -> Result<()> {
        self.count();
        let (element, kernel) = self.kernel("gated", gate_up)?;
        let (source, target) =
            (self.address(gate_up, 2 * num * width, element)?, self.address(out, num * width, element)?);
        self.launch(&kernel, Grid::over(num * width / 4), arguments![source, target, num, width])
    }

    fn gated_grad(&self, gate_up: Place<'_>, dout: Place<'_>, num: usize, width: usize) -> Result<()> {
        self.count();
        let (element, kernel) = self.kernel("gated_grad", gate_up)?;
        let (values, derivative) =
            (self.address(gate_up, 2 * num * width, element)?, self.address(dout, num * width, element)?);
        self.launch(&kernel, Grid::over(num * width / 4), arguments![values, derivative, num, width])
    }
}
