//! First-order training against exact solvers and known truths.

#![cfg(test)]

use convstat_cnn::{ActivatedNetwork, Activation, Factors, Geometry, GeometrySpec, Structure};
use convstat_estimate::solvers::Adam;
use convstat_estimate::{Method, Sample, Start, train};
use ndarray::Array2;

mod support;
use support::{build_on, fit, normals};

fn geometry() -> Geometry {
    Geometry::new(&GeometrySpec {
        input: vec![5, 5, 2],
        kernel: vec![2, 2, 2],
        pool: Some(vec![2, 2, 1]),
        ..GeometrySpec::default()
    })
    .unwrap()
}

fn structure(geometry: &Geometry, kernels: usize) -> Structure {
    build_on(&format!("{{ kind = \"cnn\", kernels = {kernels} }}"), &geometry.output_modes(1))
}

struct Data {
    x: Array2<f64>,
    y: Array2<f64>,
    factors: Factors,
}

fn data(network: &ActivatedNetwork, n: usize, sigma: f64, normal: &mut impl FnMut() -> f64) -> Data {
    let factors = network.structure().random_point(&mut *normal);
    let x = Array2::from_shape_simple_fn((n, network.inputs()), &mut *normal);
    let own = network.structure().flatten(&factors).unwrap();
    let mut y = network.predict(&own, &network.windows(&x.view()).unwrap().view()).unwrap();
    y.mapv_inplace(|v| v + sigma * normal());
    Data { x, y, factors }
}

#[test]
fn the_identity_comes_near_the_least_squares_fit() {
    let geometry = geometry();
    let structure = structure(&geometry, 1);
    let network = ActivatedNetwork::new(&geometry, &structure, Activation::Identity).unwrap();
    let mut normal = normals(1);
    let Data { x, y, factors } = data(&network, 400, 1.0, &mut normal);
    let windows = network.windows(&x.view()).unwrap();
    let trained = train(&network, &windows, &y, &Adam::default(), Some(&factors), &mut normal).unwrap();
    let z = geometry.windows().apply(&x.t()).t().to_owned();
    let sample = Sample::new(z, y).unwrap();
    let exact = fit(&structure, &sample, &Method::default(), 1);
    // What is left adds less than a hundredth to the risk, σ² df.
    let risk = structure.df().unwrap() as f64;
    let gap = trained.best.objective - exact.best.objective;
    assert!((-1e-9..1e-2 * risk).contains(&gap), "{} {}", trained.best.objective, exact.best.objective);
    assert_eq!(trained.all.len(), 3);
    assert!(trained.oracle_gap.is_none());
}

#[test]
fn a_relu_network_without_noise_is_found() {
    let geometry = geometry();
    let network = ActivatedNetwork::new(&geometry, &structure(&geometry, 2), Activation::Relu).unwrap();
    let mut normal = normals(2);
    let Data { x, y, factors } = data(&network, 400, 0.0, &mut normal);
    let windows = network.windows(&x.view()).unwrap();
    let options = Adam { starts: vec![Start::Random; 5], ..Adam::default() };
    let found = train(&network, &windows, &y, &options, None, &mut normal).unwrap();
    let size: f64 = y.iter().map(|v| v * v).sum();
    assert!(found.best.objective < 1e-6 * size, "{} of {size}", found.best.objective);
    // Whoever starts at the truth stays there.
    let options = Adam { starts: vec![Start::Random, Start::Oracle], ..options };
    let oracle = train(&network, &windows, &y, &options, Some(&factors), &mut normal).unwrap();
    assert_eq!(oracle.all[1].objective, 0.0);
    assert_eq!(oracle.oracle_gap, Some(oracle.all[0].objective));
}

#[test]
fn the_same_numbers_train_the_same_network() {
    let geometry = geometry();
    let network = ActivatedNetwork::new(&geometry, &structure(&geometry, 2), Activation::Relu).unwrap();
    let run = || {
        let mut normal = normals(3);
        let Data { x, y, .. } = data(&network, 50, 1.0, &mut normal);
        let windows = network.windows(&x.view()).unwrap();
        // 50 observations: the last batch is a short one.
        let options = Adam { steps: 101, ..Adam::default() };
        train(&network, &windows, &y, &options, None, &mut normal).unwrap().best.objective
    };
    assert_eq!(run().to_bits(), run().to_bits());
}

#[test]
fn wrong_options_are_named() {
    let geometry = geometry();
    let network = ActivatedNetwork::new(&geometry, &structure(&geometry, 2), Activation::Relu).unwrap();
    let windows = network.windows(&Array2::zeros((3, network.inputs())).view()).unwrap();
    let refused = |options: &Adam, rows: usize| {
        train(&network, &windows, &Array2::zeros((rows, 1)), options, None, || 0.0).unwrap_err().to_string()
    };
    let default = Adam::default();
    assert!(refused(&default, 2).contains('2'));
    assert!(refused(&Adam { steps: 0, ..default.clone() }, 3).contains("steps = 0"));
    assert!(refused(&Adam { learning_rate: f64::NAN, ..default.clone() }, 3).contains("learning_rate"));
    assert!(refused(&Adam { starts: vec![Start::Spectral], ..default.clone() }, 3).contains("random"));
    assert!(refused(&Adam { starts: vec![Start::Oracle], ..default }, 3).contains("true factors"));
}
