//! The smallest n for which a condition holds.

use crate::Result;

/// Above this many observations the search gives up.
pub(crate) const MOST: f64 = 1e18;

/// Smallest whole n for which a condition that holds from some n on holds; `None` above [`MOST`].
pub(crate) fn smallest_n(holds: impl Fn(f64) -> Result<bool>) -> Result<Option<f64>> {
    let mut high = 1.0;
    while !holds(high)? {
        high *= 2.0;
        if high > MOST {
            return Ok(None);
        }
    }
    let mut low = (high / 2.0).floor();
    while high - low > 1.0 {
        let middle = f64::midpoint(low, high).floor();
        // Beyond 2^53 neighbouring whole numbers are one float.
        if middle <= low || middle >= high {
            break;
        }
        if holds(middle)? { high = middle } else { low = middle }
    }
    Ok(Some(high))
}
