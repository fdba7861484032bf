//! Projection of any coefficients on a structure: the nearest member that is found.

use convstat_cnn::Structure;
use ndarray::ArrayView1;

use crate::alignment::balance;
use crate::environment::Environments;
use crate::spectral::{ModeRoots, spectral_factors};
use crate::{EstimateError, Result};

/// Sweeps of alternating least squares that polish a projection. For two factors the first gives the truncated singular
/// value decomposition itself.
const SWEEPS: usize = 3;

/// Quasi-optimal projections on a structure, without a design: least squares at `Z = I`.
#[derive(Debug)]
pub(crate) struct Projection<'a> {
    structure: &'a Structure,
    pub environments: Environments<'a>,
    spectral: Vec<f64>,
    near: Vec<f64>,
}

impl<'a> Projection<'a> {
    /// Plans and memory, for a solver of this name.
    ///
    /// # Errors
    /// A factor that stands more than once: its subproblem is not linear.
    pub fn new(structure: &'a Structure, solver: &'static str) -> Result<Self> {
        if structure.has_shared_factors() {
            let reason = "a factor stands more than once, so that a projection is no sequence of linear problems; use \
                          levenberg-marquardt or scaled-gradient";
            return Err(EstimateError::Unsuited {
                solver,
                structure: structure.name().to_owned(),
                reason: reason.to_owned(),
            });
        }
        Ok(Self {
            structure,
            environments: Environments::new(structure)?,
            spectral: Vec::new(),
            near: Vec::new(),
        })
    }

    /// Replaces `parameters` by those of a member near `v` (`D × M` flat): the nearer of two, one from the leading
    /// singular vectors of the unfoldings of v (higher-order SVD), one from `parameters` themselves, each polished by
    /// alternating least squares. It is never farther from v than `parameters` were.
    pub fn nearest(&mut self, v: &[f64], parameters: &mut [f64]) -> Result<()> {
        let factors = spectral_factors(self.structure, &ArrayView1::from(v), &ModeRoots::new())?;
        self.spectral = self.structure.flatten(&factors)?;
        self.near.clear();
        self.near.extend_from_slice(parameters);
        let (mut spectral, mut near) = (std::mem::take(&mut self.spectral), std::mem::take(&mut self.near));
        let is_spectral = self.polish(v, &mut spectral)? > self.polish(v, &mut near)?;
        parameters.copy_from_slice(if is_spectral { &spectral } else { &near });
        (self.spectral, self.near) = (spectral, near);
        Ok(())
    }

    /// Sweeps; returns `‖W‖²`, by which the squared distance to v falls short of `‖v‖²`.
    fn polish(&mut self, v: &[f64], parameters: &mut [f64]) -> Result<f64> {
        let mut size = 0.0;
        let mut own = Vec::new();
        for _ in 0..SWEEPS {
            for f in 0..self.environments.columns().len() {
                let columns = self.environments.columns()[f].clone();
                own.clear();
                own.resize(columns.len(), 0.0);
                self.environments.pull(f, v, parameters, &mut own);
                parameters[columns.clone()].copy_from_slice(&own);
                let solved = &mut own;
                self.environments.solve(f, parameters, solved)?;
                // <f, J_fᵀv> = ‖J_f f‖² at the solution.
                size = solved.iter().zip(&parameters[columns.clone()]).map(|(a, b)| a * b).sum();
                parameters[columns].copy_from_slice(solved);
            }
            balance(self.environments.columns(), parameters);
        }
        Ok(if size.is_finite() { size } else { f64::NEG_INFINITY })
    }
}
