//! A structure: a tensor network over the output modes of `W` (THEORY §2).

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use convstat_tensor::algebra::{entries, shaped};
use convstat_tensor::{Contraction, Einsum, Program, linalg, memory};
use ndarray::{Array1, Array2, ArrayD, ArrayViewD, IxDyn};

use crate::bonds::{feasible_sizes, reduced_parameters};
use crate::counts::Counts;
use crate::design_plan::DesignPlan;
use crate::error::bad_structure;
use crate::jacobian::{Partial, generic_normal};
use crate::{CnnError, Result};

/// The free factors of a structure, in the order of its einsum text (shared factors once).
pub type Factors = Vec<ArrayD<f64>>;

/// Singular values of the Jacobian at a generic point below this share of the largest count as zero;
/// true zeros come out near 1e-15, the smallest others above 1e-6 in the cases tested.
const RANK_TOLERANCE: f64 = 1e-10;

/// Label of the sum of two members in [`Structure::doubled`], of Unicode's private use: no einsum text has it.
const DIFFERENCE: char = '\u{E002}';

/// A tensor network `W = contraction of factors`: einsum text, sizes, counts, and the plans to
/// contract and differentiate it.
#[derive(Debug, Clone)]
pub struct Structure {
    name: String,
    network: Einsum,
    sizes: BTreeMap<char, usize>,
    outputs: usize,
    counts: Counts,
    contraction: Contraction,
    /// Listed when they are first asked for: their entries are many.
    partials: OnceLock<Vec<Partial>>,
    design: DesignPlan,
    /// Which factor each operand of the einsum is; operands with the same number share it.
    owners: Vec<usize>,
    /// Found when it is first asked for.
    pub(crate) relaxation: OnceLock<Option<Arc<Structure>>>,
}

impl Structure {
    /// A structure from its network. `outputs` is the number of responses; above 1 it is the size
    /// of the network's last output label.
    ///
    /// # Errors
    /// As [`Structure::with_shared`].
    pub fn new(name: &str, network: Einsum, sizes: BTreeMap<char, usize>, outputs: usize) -> Result<Self> {
        let owners = (0..network.inputs.len()).collect();
        Self::with_shared(name, network, sizes, outputs, owners)
    }

    /// As [`Structure::new`], with operands that share one factor: operand i is factor `owners[i]`.
    ///
    /// # Errors
    /// Labels without a size, sizes of 0, a label that stands twice in one operand, a last output label of another size than
    /// `outputs`, shared factors of different shapes, or arrays too large for the memory.
    pub fn with_shared(
        name: &str,
        network: Einsum,
        sizes: BTreeMap<char, usize>,
        outputs: usize,
        owners: Vec<usize>,
    ) -> Result<Self> {
        check_network(&network, &sizes, outputs)?;
        let shape = |labels: &[char]| -> Vec<usize> { labels.iter().map(|c| sizes[c]).collect() };
        check_owners(&network, &owners, shape)?;
        memory::check("the coefficient W", &shape(&network.output))?;
        for labels in &network.inputs {
            memory::check("a factor of the structure", &shape(labels))?;
        }
        let contraction = Contraction::new(&network, &sizes)?;
        let mut structure = Self {
            name: name.to_owned(),
            contraction,
            design: DesignPlan::new(&network, &sizes, outputs)?,
            network,
            sizes,
            outputs,
            counts: Counts::default(),
            partials: OnceLock::new(),
            owners,
            relaxation: OnceLock::new(),
        };
        structure.counts.d_m = if structure.has_shared_factors() {
            structure.naive_parameters()
        } else {
            reduced_parameters(&structure.network, &structure.sizes)
        };
        Ok(structure)
    }

    /// Replaces the counts by those its family knows.
    #[must_use]
    pub fn with_counts(mut self, counts: Counts) -> Self {
        self.counts = counts;
        self
    }

    /// A name for tables, for instance `cnn(K=3)`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The network.
    pub fn network(&self) -> &Einsum {
        &self.network
    }

    /// Size of every label.
    pub fn sizes(&self) -> &BTreeMap<char, usize> {
        &self.sizes
    }

    /// Responses `M`.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Features `D`: the rows of `W` as a `D × M` matrix.
    pub fn features(&self) -> usize {
        self.coefficients() / self.outputs
    }

    /// Entries of `W`, `D M`.
    pub fn coefficients(&self) -> usize {
        self.network.output.iter().map(|c| self.sizes[c]).product()
    }

    /// Shapes of the free factors.
    pub fn factor_shapes(&self) -> Vec<Vec<usize>> {
        (0..self.factor_count())
            .filter_map(|f| self.owners.iter().position(|&o| o == f))
            .map(|i| self.network.inputs[i].iter().map(|c| self.sizes[c]).collect())
            .collect()
    }

    /// Sizes of labels.
    pub fn sizes_of(&self, labels: &[char]) -> Vec<usize> {
        labels.iter().map(|c| self.sizes[c]).collect()
    }

    /// The contraction to `vec(W)`, compiled.
    pub(crate) fn program(&self) -> Program {
        self.contraction.compile(&[], &self.contraction.contiguous())
    }

    pub(crate) fn design_plan(&self) -> &DesignPlan {
        &self.design
    }

    /// Columns of each factor in the Jacobian, its place in the flat parameters.
    pub fn columns(&self) -> Vec<std::ops::Range<usize>> {
        let mut end = 0;
        let lengths = self.factor_shapes().into_iter().map(|s| s.iter().product::<usize>());
        lengths
            .map(|n| {
                end += n;
                end - n..end
            })
            .collect()
    }

    /// All factors in one list, each in C order.
    ///
    /// # Errors
    /// As [`Structure::check_factors`].
    pub fn flatten(&self, factors: &[ArrayD<f64>]) -> Result<Vec<f64>> {
        self.check_factors(factors)?;
        Ok(factors.iter().flatten().copied().collect())
    }

    /// The factors of a flat list.
    ///
    /// # Errors
    /// Another number of entries than parameters.
    pub fn unflatten(&self, flat: &[f64]) -> Result<Factors> {
        if flat.len() != self.naive_parameters() {
            return Err(CnnError::Shape {
                what: "the flat parameters",
                found: vec![flat.len()],
                expected: format!("[{}]", self.naive_parameters()),
            });
        }
        let shapes = self.factor_shapes();
        Ok(self.columns().into_iter().zip(&shapes).map(|(c, s)| shaped(IxDyn(s), flat[c].to_vec())).collect())
    }

    /// Number of free factors.
    pub fn factor_count(&self) -> usize {
        self.owners.iter().max().map_or(0, |m| m + 1)
    }

    /// Whether some factor stands more than once in the network.
    pub fn has_shared_factors(&self) -> bool {
        self.factor_count() < self.owners.len()
    }

    /// Which factor each operand of the network is.
    pub fn owners(&self) -> &[usize] {
        &self.owners
    }

    /// Parameters of all factors.
    pub fn naive_parameters(&self) -> usize {
        self.factor_shapes().iter().map(|s| s.iter().product::<usize>()).sum()
    }

    /// Sample complexity `d_M` (THEORY §2, table).
    pub fn d_m(&self) -> usize {
        self.counts.d_m
    }

    /// The counts of the family.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// The K/R ratio, where the family has both.
    pub fn kr_ratio(&self) -> Option<f64> {
        Some(self.counts.kernels? as f64 / self.counts.rank? as f64)
    }

    /// Redundant parameters `(K − R)(R + P)` that no data can identify (THEORY §2); `P` counts
    /// positions times responses.
    pub fn redundant_parameters(&self, positions: usize) -> Option<usize> {
        let (k, r) = (self.counts.kernels?, self.counts.rank?);
        Some(k.saturating_sub(r) * (r + positions))
    }

    /// Dimension `df`: the rank of the Jacobian at a generic point.
    ///
    /// # Errors
    /// A Jacobian too large for the memory, or a failure of LAPACK.
    pub fn df(&self) -> Result<usize> {
        let jacobian = self.jacobian(&self.generic_point())?;
        // The SVD costs the product of the sizes with the smaller one squared; QR first makes it the
        // smaller one cubed.
        let tall = if jacobian.nrows() >= jacobian.ncols() { jacobian } else { jacobian.reversed_axes() };
        Ok(linalg::rank(&linalg::qr_r(&tall.view())?.view(), RANK_TOLERANCE)?)
    }

    /// Dimension of the gauge: parameters that change no coefficient.
    ///
    /// # Errors
    /// As [`Structure::df`].
    pub fn gauge(&self) -> Result<usize> {
        Ok(self.naive_parameters() - self.df()?)
    }

    /// Factors with entries from `normal`, called once an entry in C order, factor by factor.
    pub fn random_point(&self, mut normal: impl FnMut() -> f64) -> Factors {
        self.factor_shapes().iter().map(|s| ArrayD::from_shape_simple_fn(IxDyn(s), &mut normal)).collect()
    }

    /// A fixed point with normal entries, generic in the sense of THEORY §2.
    pub fn generic_point(&self) -> Factors {
        let mut i = 0u64;
        self.random_point(|| {
            i += 1;
            generic_normal(i)
        })
    }

    fn operands<'a>(&self, factors: &'a [ArrayD<f64>]) -> Vec<ArrayViewD<'a, f64>> {
        self.owners.iter().map(|&f| factors[f].view()).collect()
    }

    /// Fails unless `factors` has the shapes of [`Structure::factor_shapes`].
    ///
    /// # Errors
    /// Another number of factors, or one of another shape.
    pub fn check_factors(&self, factors: &[ArrayD<f64>]) -> Result<()> {
        let shapes = self.factor_shapes();
        if factors.len() != shapes.len() {
            return Err(CnnError::BadStructure {
                reason: format!(
                    "{} factors are given, {} needs {}",
                    factors.len(),
                    self.network,
                    shapes.len()
                ),
            });
        }
        match factors.iter().zip(&shapes).find(|(f, s)| f.shape() != s.as_slice()) {
            None => Ok(()),
            Some((f, s)) => Err(CnnError::Shape {
                what: "a factor",
                found: f.shape().to_vec(),
                expected: format!("{s:?}"),
            }),
        }
    }

    /// `vec(W)`, C order over the output labels (`D M` entries).
    ///
    /// # Errors
    /// As [`Structure::check_factors`].
    pub fn contract(&self, factors: &[ArrayD<f64>]) -> Result<Array1<f64>> {
        self.check_factors(factors)?;
        Ok(entries(&self.contraction.run(&self.operands(factors))?).into())
    }

    /// `W` as a `D × M` matrix.
    ///
    /// # Errors
    /// As [`Structure::check_factors`].
    pub fn coefficient_matrix(&self, factors: &[ArrayD<f64>]) -> Result<Array2<f64>> {
        Ok(shaped((self.features(), self.outputs), self.contract(factors)?.to_vec()))
    }

    fn partials(&self) -> Result<&[Partial]> {
        if let Some(known) = self.partials.get() {
            return Ok(known);
        }
        let partial = |i| Partial::new(&self.network, &self.sizes, i);
        let all = (0..self.network.inputs.len()).map(partial).collect::<Result<_>>()?;
        Ok(self.partials.get_or_init(|| all))
    }

    /// `J_f = ∂vec(W)/∂vec(factor f)`, `D M × |factor f|`.
    ///
    /// # Errors
    /// As [`Structure::jacobian`].
    pub fn factor_jacobian(&self, factor: usize, factors: &[ArrayD<f64>]) -> Result<Array2<f64>> {
        self.check_factors(factors)?;
        let operands = self.operands(factors);
        let mut jacobian = Array2::zeros((self.coefficients(), factors[factor].len()));
        for (i, partial) in self.partials()?.iter().enumerate() {
            if self.owners[i] == factor {
                partial.add_to(&mut jacobian, 0, &operands)?;
            }
        }
        Ok(jacobian)
    }

    /// `J = ∂vec(W)/∂(factors)`, `D M × naive parameters`.
    ///
    /// # Errors
    /// Factors of other shapes, or a Jacobian too large for the memory.
    pub fn jacobian(&self, factors: &[ArrayD<f64>]) -> Result<Array2<f64>> {
        self.check_factors(factors)?;
        memory::check("the Jacobian", &[self.coefficients(), self.naive_parameters()])?;
        let operands = self.operands(factors);
        let columns = self.columns();
        let mut jacobian = Array2::zeros((self.coefficients(), self.naive_parameters()));
        for (i, partial) in self.partials()?.iter().enumerate() {
            partial.add_to(&mut jacobian, columns[self.owners[i]].start, &operands)?;
        }
        Ok(jacobian)
    }

    /// Sizes of all labels, where every bond of two factors is clamped to what the other labels of either can carry, to a
    /// fixed point (THEORY §2): a larger bond adds parameters and no member to the set. Bonds of more factors, as in CP,
    /// have no such rule and keep their size.
    pub fn feasible_sizes(&self) -> BTreeMap<char, usize> {
        feasible_sizes(&self.network, &self.sizes)
    }

    /// The same network with other sizes of its labels.
    ///
    /// # Errors
    /// A label without a size, or sizes that do not fit the network.
    pub fn resized(&self, sizes: BTreeMap<char, usize>) -> Result<Self> {
        let name = format!("{} resized", self.name);
        Self::with_shared(&name, self.network.clone(), sizes, self.outputs, self.owners.clone())
    }

    /// The set of differences `M − M` as a structure (THEORY §4.2): one more label of size 2 on every operand,
    /// summed, is the sum of two members. Shared factors are let go, so that the sign of the second can be
    /// absorbed; the result then contains the differences.
    ///
    /// # Errors
    /// As [`Structure::with_shared`].
    pub fn doubled(&self) -> Result<Self> {
        let mut network = self.network.clone();
        network.inputs.iter_mut().for_each(|labels| labels.push(DIFFERENCE));
        let mut sizes = self.sizes.clone();
        sizes.insert(DIFFERENCE, 2);
        Self::new(&format!("{} doubled", self.name), network, sizes, self.outputs)
    }
}

fn check_network(network: &Einsum, sizes: &BTreeMap<char, usize>, outputs: usize) -> Result<()> {
    for c in network.labels() {
        match sizes.get(&c) {
            None => {
                return bad_structure(format!(
                    "the size of label '{c}' in \"{network}\" is not given; add it to sizes"
                ));
            }
            Some(0) => return bad_structure(format!("label '{c}' has size 0; it has to be at least 1")),
            Some(_) => {}
        }
    }
    for labels in &network.inputs {
        if labels.is_empty() {
            return bad_structure(format!("\"{network}\" has an operand without labels"));
        }
        if let Some(c) = labels.iter().enumerate().find_map(|(i, c)| labels[..i].contains(c).then_some(c)) {
            return bad_structure(format!("label '{c}' stands twice in one operand of \"{network}\""));
        }
    }
    match network.output.last() {
        Some(c) if outputs > 1 && sizes[c] != outputs => bad_structure(format!(
            "the last output label '{c}' of \"{network}\" has size {} but there are {outputs} responses",
            sizes[c]
        )),
        None if outputs > 1 => {
            bad_structure(format!("\"{network}\" needs an output label for {outputs} responses"))
        }
        _ => Ok(()),
    }
}

fn check_owners(network: &Einsum, owners: &[usize], shape: impl Fn(&[char]) -> Vec<usize>) -> Result<()> {
    if owners.len() != network.inputs.len() {
        return bad_structure(format!("{} operands but {} owners", network.inputs.len(), owners.len()));
    }
    let factors = owners.iter().max().map_or(0, |m| m + 1);
    for f in 0..factors {
        let mut shapes = network.inputs.iter().zip(owners).filter(|&(_, &o)| o == f).map(|(l, _)| shape(l));
        let Some(first) = shapes.next() else {
            return bad_structure(format!("factor {f} stands in no operand"));
        };
        if let Some(other) = shapes.find(|s| *s != first) {
            return bad_structure(format!(
                "factor {f} is shared by operands of shapes {first:?} and {other:?}"
            ));
        }
    }
    Ok(())
}
