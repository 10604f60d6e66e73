//! Products, and operations on rows.

use anyhow::Result;

use super::{At, Memory};

/// C = alpha · op(A) · op(B) + beta · C, `batch` times. op(A) is `[m, k]`, op(B) `[k, n]`, C `[m, n]`; a transposed
/// operand is stored as `[k, m]` or `[n, k]`. `*_row` is the distance of stored rows, `*_step` of the batch's members.
/// A and B have one element type; C has the same or f32. With `beta` 0, C is not read. `k` is above 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Product {
    pub(crate) m: usize,
    pub(crate) n: usize,
    pub(crate) k: usize,
    pub(crate) batch: usize,
    pub(crate) a_transposed: bool,
    pub(crate) b_transposed: bool,
    pub(crate) a_row: usize,
    pub(crate) b_row: usize,
    pub(crate) c_row: usize,
    pub(crate) a_step: usize,
    pub(crate) b_step: usize,
    pub(crate) c_step: usize,
    pub(crate) alpha: f32,
    pub(crate) beta: f32,
}

/// RMS norms of `groups` neighbouring vectors of `width` in each of `rows` rows: vector g of row n starts at
/// `n * in_row + g * width` of the input and `n * out_row + g * width` of the output.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Norm {
    pub(crate) rows: usize,
    pub(crate) groups: usize,
    pub(crate) width: usize,
    pub(crate) in_row: usize,
    pub(crate) out_row: usize,
    pub(crate) eps: f32,
}

/// Products, and operations on rows. Shapes in brackets are of the places named; f32 unless `act` is said, an activation.
pub(crate) trait Rows: Memory {
    fn product(
        &self,
        shape: &Product,
        a: At<'_, Self::Buffer>,
        b: At<'_, Self::Buffer>,
        c: At<'_, Self::Buffer>,
    ) -> Result<()>;
    /// `to[i] = from[rows[i]]` for `num` rows of `width`, act. Embedding is this too.
    fn gather(
        &self,
        from: At<'_, Self::Buffer>,
        rows: At<'_, Self::Buffer>,
        to: At<'_, Self::Buffer>,
        num: usize,
        width: usize,
    ) -> Result<()>;
    /// `to[rows[i]] = from[i]`, act; `rows` are distinct.
    fn scatter(
        &self,
        from: At<'_, Self::Buffer>,
        rows: At<'_, Self::Buffer>,
        to: At<'_, Self::Buffer>,
        num: usize,
        width: usize,
    ) -> Result<()>;
    /// `to[ids[u]] += Σ from[rows[i]]` over `starts[u] <= i < starts[u + 1]`, in that order, for `num` distinct ids.
    /// `from` act, `to` f32.
    #[expect(clippy::too_many_arguments, reason = "the places of one operation")]
    fn scatter_sums(
        &self,
        from: At<'_, Self::Buffer>,
        ids: At<'_, Self::Buffer>,
        starts: At<'_, Self::Buffer>,
        rows: At<'_, Self::Buffer>,
        to: At<'_, Self::Buffer>,
        num: usize,
        width: usize,
    ) -> Result<()>;
    /// y = x / sqrt(mean(x²) + eps) · weight; x, weight, y act. y may be x.
    fn norm(
        &self,
        shape: &Norm,
        x: At<'_, Self::Buffer>,
        weight: At<'_, Self::Buffer>,
        y: At<'_, Self::Buffer>,
    ) -> Result<()>;
    /// Backward of [`Device::norm`]: dx = (or +=, with `add`) its share of dy, `weight_grad` (f32 `[width]`) += its
    /// own. dx has x's rows, dy has y's. dx may be dy where `in_row` equals `out_row`.
    #[expect(clippy::too_many_arguments, reason = "the places of one operation")]
    fn norm_grad(
        &self,
        shape: &Norm,
        x: At<'_, Self::Buffer>,
        weight: At<'_, Self::Buffer>,
        dy: At<'_, Self::Buffer>,
        dx: At<'_, Self::Buffer>,
        add: bool,
        weight_grad: At<'_, Self::Buffer>,
    ) -> Result<()>;
    /// x `[num, width]` += bias `[width]`, both act.
    fn add_bias(
        &self,
        x: At<'_, Self::Buffer>,
        bias: At<'_, Self::Buffer>,
        num: usize,
        width: usize,
    ) -> Result<()>;
    /// grad `[width]` += column sums of dy `[num, width]`, act.
    fn add_column_sums(
        &self,
        dy: At<'_, Self::Buffer>,
        grad: At<'_, Self::Buffer>,
        num: usize,
        width: usize,
    ) -> Result<()>;
    /// out `[num, width]` = silu(gate) · up, of gate_up `[num, 2 * width]`, gate first; act.
    fn gated(
        &self,
        gate_up: At<'_, Self::Buffer>,
        out: At<'_, Self::Buffer>,
        num: usize,
        width: usize,
    ) -> Result<()>;
    /// Backward of [`Device::gated`]: `gate_up` becomes its own derivative, given that of out; act.
    fn gated_grad(
        &self,
        gate_up: At<'_, Self::Buffer>,
        dout: At<'_, Self::Buffer>,
        num: usize,
        width: usize,
    ) -> Result<()>;
}
