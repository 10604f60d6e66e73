//! AdamW over candle tensors.

use candle_core::{DType, Result, Tensor, Var};

use crate::AdamW;

/// First and second moments of every parameter, and how many steps they have seen.
pub(super) struct Moments {
    pub(super) step: u64,
    pub(super) first: Vec<Tensor>,
    pub(super) second: Vec<Tensor>,
}

impl Moments {
    pub(super) fn zeros(parameters: &[Var]) -> Result<Self> {
        let zeros = || parameters.iter().map(|parameter| parameter.zeros_like()).collect::<Result<Vec<_>>>();
        Ok(Self { step: 0, first: zeros()?, second: zeros()? })
    }

    /// One step of AdamW with every gradient multiplied by `scale`; a parameter without a gradient has one of 0.
    pub(super) fn apply(
        &mut self,
        optim: &AdamW,
        parameters: &[Var],
        gradients: &[Option<Tensor>],
        scale: f64,
    ) -> Result<()> {
        self.step += 1;
        let first_correction = 1.0 - optim.beta1.powf(self.step as f64);
        let second_correction = 1.0 - optim.beta2.powf(self.step as f64);
        let moments = self.first.iter_mut().zip(&mut self.second);
        for ((parameter, gradient), (first, second)) in parameters.iter().zip(gradients).zip(moments) {
            *first = (&*first * optim.beta1)?;
            *second = (&*second * optim.beta2)?;
            if let Some(gradient) = gradient {
                let gradient = (gradient * scale)?;
                *second = (&*second + (gradient.sqr()? * (1.0 - optim.beta2))?)?;
                *first = (&*first + (gradient * (1.0 - optim.beta1))?)?;
            }
            let denominator = (&*second * (1.0 / second_correction))?.sqrt()?.affine(1.0, optim.eps)?;
            let update = (first.div(&denominator)? * (optim.lr / first_correction))?;
            let decay = if parameter.rank() > 1 { optim.lr * optim.weight_decay } else { 0.0 };
            parameter.set(&(parameter.as_tensor() * (1.0 - decay))?.sub(&update)?.detach())?;
        }
        Ok(())
    }
}

/// Global L2 norm, summed in f64 parameter by parameter.
pub(super) fn norm(gradients: &[Option<Tensor>]) -> Result<f64> {
    let mut squares = 0.0;
    for gradient in gradients.iter().flatten() {
        squares += gradient.to_dtype(DType::F64)?.sqr()?.sum_all()?.to_scalar::<f64>()?;
    }
    Ok(squares.sqrt())
}
