//! Places of inputs, pooled responses and weights in flat arrays.

use convstat_tensor::memory;

use crate::{CnnError, Geometry, Layer, Result, Structure};

/// All indices of an array of this shape, in C order.
fn cartesian(shape: &[usize]) -> Vec<Vec<usize>> {
    shape.iter().fold(vec![Vec::new()], |all, &d| {
        all.iter().flat_map(|at| (0..d).map(move |i| [at.as_slice(), &[i]].concat())).collect()
    })
}

/// The one layer of each mode.
fn layers(geometry: &Geometry) -> Vec<&Layer> {
    geometry.modes().iter().map(|m| &m.layers[0]).collect()
}

/// The input under each convolution position and tap; none in the padding.
pub(super) fn taps(geometry: &Geometry) -> Result<Vec<Option<usize>>> {
    let layers = layers(geometry);
    let conv: Vec<usize> = layers.iter().map(|l| l.conv).collect();
    memory::check("the windows of one input", &[conv.iter().product(), geometry.taps()])?;
    let row = |l: &Layer, position: usize, tap: usize| {
        (position * l.stride + l.dilation * tap).checked_sub(l.padding).filter(|&r| r < l.input)
    };
    let taps = cartesian(&geometry.kernel_shape());
    let mut places = Vec::with_capacity(conv.iter().product::<usize>() * taps.len());
    for at in cartesian(&conv) {
        places.extend(taps.iter().map(|tap| {
            let modes = layers.iter().zip(at.iter().zip(tap));
            modes.into_iter().try_fold(0, |flat, (l, (&i, &a))| Some(flat * l.input + row(l, i, a)?))
        }));
    }
    Ok(places)
}

/// The convolution positions that each pooled position averages.
pub(super) fn pools(geometry: &Geometry) -> Vec<Vec<usize>> {
    let layers = layers(geometry);
    let offsets = cartesian(&layers.iter().map(|l| l.pool).collect::<Vec<_>>());
    let place = |at: &[usize], offset: &[usize]| {
        let modes = layers.iter().zip(at.iter().zip(offset));
        modes.into_iter().fold(0, |flat, (l, (&i, &r))| flat * l.conv + i * l.pool_stride + r)
    };
    let positions = cartesian(&geometry.positions_shape());
    positions.iter().map(|at| offsets.iter().map(|offset| place(at, offset)).collect()).collect()
}

/// Place in a factor with `labels` of each entry in the order of `order`, the same labels.
pub(super) fn head_places(labels: &[char], order: &[char], structure: &Structure) -> Result<Vec<usize>> {
    let sizes = structure.sizes_of(labels);
    let stride = |c: &char| {
        let place = labels.iter().position(|l| l == c);
        let what = "a label of the fully connected weights is not in their factor";
        place.map(|i| sizes[i + 1..].iter().product()).ok_or(CnnError::Internal { what })
    };
    let strides: Vec<usize> = order.iter().map(stride).collect::<Result<_>>()?;
    let place = |at: &Vec<usize>| at.iter().zip(&strides).map(|(i, s)| i * s).sum();
    Ok(cartesian(&structure.sizes_of(order)).iter().map(place).collect())
}
