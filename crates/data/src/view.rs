//! How a sample is cut out of its record.

/// How a sample is cut out of its record. Three axes (frames, height,
/// width; an image has fewer, and the missing ones come first with size 1).
///
/// Entry `i` of axis `j` reads coordinate `a = start[j] + step[j]·i` of the record. Axis 0 goes round: `a` modulo
/// `size[0]`, so that a video shorter than a clip loops. Axes 1 and 2 are reflected at the border, which is not
/// repeated: `|a|`, and `2(size − 1) − |a|` from `size` on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct View {
    /// First byte of the record in the store.
    pub offset: u64,
    /// Sizes of the record.
    pub size: [i32; 3],
    /// Coordinate of the sample's first entry on each axis; it may be negative.
    pub start: [i32; 3],
    /// Steps from entry to entry: 1, or the clip's on the axis of frames.
    pub step: [i32; 3],
    /// 1: mirrored along the last axis, where entry `i` is what entry `n − 1 − i` would be; 0: not.
    pub flip: i32,
    /// First coordinates, in the sample, of the box that is set to 0 after normalisation.
    pub from: [i32; 3],
    /// Coordinates after its last; no box where one is not above `from`.
    pub to: [i32; 3],
}

impl View {
    /// The record's coordinate that entry `i` of axis `axis` reads, mirroring apart.
    pub fn source(&self, axis: usize, i: usize) -> usize {
        let (at, size) =
            (i64::from(self.start[axis]) + i64::from(self.step[axis]) * i as i64, i64::from(self.size[axis]));
        let at = match at.unsigned_abs() as i64 {
            _ if axis == 0 => at.rem_euclid(size),
            inside if inside < size => inside,
            beyond => 2 * (size - 1) - beyond,
        };
        at as usize
    }
}

/// At most three sizes on three axes, `fill` where some are missing at the front.
pub(crate) fn three(sizes: impl Iterator<Item = usize>, fill: usize) -> [usize; 3] {
    let mut axes = [fill; 3];
    for size in sizes {
        axes.rotate_left(1);
        axes[2] = size;
    }
    axes
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An axis of `size` with its reflection before and after.
    pub(crate) fn padded(crop: usize, size: usize) -> Vec<usize> {
        (1..=crop).rev().chain(0..size).chain((size - 1 - crop..size - 1).rev()).collect()
    }

    #[test]
    fn reflection() {
        for size in 1..6usize {
            for crop in 0..size {
                let view = View {
                    size: [1, 1, size as i32],
                    start: [0, 0, -(crop as i32)],
                    step: [1; 3],
                    ..View::default()
                };
                let axis: Vec<usize> = (0..size + 2 * crop).map(|i| view.source(2, i)).collect();
                assert_eq!(axis, padded(crop, size));
            }
        }
    }
}
