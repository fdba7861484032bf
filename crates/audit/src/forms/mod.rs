//! Forms of blocks, one file each. A new one is a file here and a line in [`FORMS`].

mod bottleneck;
mod convolution;
mod depthwise_bottleneck;
mod depthwise_separable;
mod factored_pointwise;
mod inverted_residual;
mod pointwise;
mod reduced_convolution;
mod resnext;
mod separable;
mod shufflenet;

use crate::form::Form;

/// All forms; a block is of the first that fits.
pub static FORMS: &[Form] = &[
    bottleneck::FORM,
    resnext::FORM,
    inverted_residual::FORM,
    shufflenet::FORM,
    depthwise_bottleneck::FORM,
    depthwise_separable::FORM,
    separable::FORM,
    reduced_convolution::FORM,
    factored_pointwise::FORM,
    pointwise::FORM,
    convolution::FORM,
];
