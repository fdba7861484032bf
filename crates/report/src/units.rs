//! Canvas units: plotters has whole coordinates, so a fine grid keeps lines straight.

/// Canvas units a point.
pub(crate) const UNITS: f64 = 8.0;

/// Points as whole canvas units.
pub(crate) fn units(points: f64) -> i32 {
    (points * UNITS).round() as i32
}
