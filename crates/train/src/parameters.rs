//! The numbers of a network: parameters, which are trained, and running statistics, which are not.

use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor};
use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use crate::{Result, TrainError};

/// How a parameter begins.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Start {
    /// The same value everywhere.
    Constant(f64),
    /// Uniform on ±bound.
    Uniform(f64),
    /// Normal with this standard deviation.
    Normal(f64),
}

/// Named tensors; numbers are places in the list.
#[derive(Debug, Clone, Default)]
pub struct Parameters {
    names: Vec<String>,
    shapes: Vec<Vec<usize>>,
    starts: Vec<Start>,
    by_name: BTreeMap<String, usize>,
}

impl Parameters {
    /// Adds a parameter, or finds it again under its name; its number.
    ///
    /// # Errors
    /// The same name with another shape, a size of 0, a size that passes the limit on one array.
    pub fn add(&mut self, name: String, shape: &[usize], start: Start) -> Result<usize> {
        if shape.contains(&0) {
            return Err(TrainError::shape("parameter", format!("{name} has shape {shape:?}")));
        }
        convstat_tensor::memory::check(&name, shape)?;
        if let Some(&number) = self.by_name.get(&name) {
            if self.shapes[number] == shape {
                return Ok(number);
            }
            let reason = format!("{name} is shared with shapes {:?} and {shape:?}", self.shapes[number]);
            return Err(TrainError::shape("parameter", reason));
        }
        let number = self.names.len();
        self.by_name.insert(name.clone(), number);
        self.names.push(name);
        self.shapes.push(shape.to_vec());
        self.starts.push(start);
        Ok(number)
    }

    /// How many tensors there are.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Name of a tensor.
    pub fn name(&self, number: usize) -> &str {
        &self.names[number]
    }

    /// Shape of a tensor.
    pub fn shape(&self, number: usize) -> &[usize] {
        &self.shapes[number]
    }

    /// Number of a name.
    pub fn find(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// Entries of a tensor.
    pub fn size(&self, number: usize) -> usize {
        self.shapes[number].iter().product()
    }

    /// Entries of all tensors.
    pub fn total(&self) -> usize {
        (0..self.len()).map(|i| self.size(i)).sum()
    }

    /// Draws all of them; the same numbers whatever the type.
    ///
    /// # Errors
    /// The device has no room.
    pub fn draw(&self, mut rng: ChaCha8Rng, dtype: DType, device: &Device) -> Result<Vec<Tensor>> {
        let mut all = Vec::with_capacity(self.len());
        for (shape, start) in self.shapes.iter().zip(&self.starts) {
            let n: usize = shape.iter().product();
            let entries: Vec<f64> = match *start {
                Start::Constant(v) => vec![v; n],
                Start::Uniform(bound) => (0..n).map(|_| rng.random_range(-bound..=bound)).collect(),
                Start::Normal(deviation) => (0..n)
                    .map(|_| {
                        let e: f64 = StandardNormal.sample(&mut rng);
                        deviation * e
                    })
                    .collect(),
            };
            let drawn = Tensor::from_vec(entries, shape.as_slice(), &Device::Cpu)?.to_dtype(dtype)?;
            all.push(drawn.to_device(device)?);
        }
        Ok(all)
    }
}
