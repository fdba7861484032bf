//! Arithmetic on constants, as far as shapes need it: small tensors, entries of which some may be unknown.

use std::rc::Rc;

use crate::call::Call;

/// Entries, as far as they are known; none if nothing is.
pub(crate) type Data = Option<Rc<[Option<f64>]>>;

/// A node of constants, the first output of which is computed.
pub(crate) struct Constants<'c, 'm> {
    pub call: &'c Call<'m>,
    /// Shape of the output.
    pub sizes: &'c [usize],
    /// Its number of entries.
    pub entries: usize,
    /// The one number of the attribute `value`.
    pub fill: Option<f64>,
}

impl Constants<'_, '_> {
    /// All entries of an input.
    pub(crate) fn data(&self, place: usize) -> Data {
        self.call.input(place)?.data.clone()
    }

    /// Entries of an input spread over the output: all of them, or one for all.
    pub(crate) fn spread(&self, place: usize) -> Option<Vec<Option<f64>>> {
        let data = self.data(place)?;
        match data.len() {
            1 => Some(vec![*data.first()?; self.entries]),
            n if n == self.entries => Some(data.to_vec()),
            _ => None,
        }
    }

    /// A function of each entry of the first input.
    pub(crate) fn unary(&self, of: impl Fn(f64) -> f64) -> Data {
        Some(self.data(0)?.iter().map(|v| v.map(&of)).collect())
    }

    /// A function of each pair of entries of two inputs; what is not finite is not known.
    pub(crate) fn binary(&self, of: impl Fn(f64, f64) -> f64) -> Data {
        let (a, b) = (self.spread(0)?, self.spread(1)?);
        let one =
            |(a, b): (&Option<f64>, &Option<f64>)| a.zip(*b).map(|(a, b)| of(a, b)).filter(|v| v.is_finite());
        Some(a.iter().zip(&b).map(one).collect())
    }

    /// Entries of which nothing is known, for operators that are not computed.
    pub(crate) fn open(&self) -> Data {
        self.binary(|_, _| f64::NAN)
    }

    /// The first input, in another shape.
    pub(crate) fn same(&self) -> Data {
        self.data(0)
    }
}
