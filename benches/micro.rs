//! The parts that a replicate is made of.

// A benchmark ends at its first error.
#![allow(clippy::unwrap_used)]

use convstat::audit::spectrum::spectra;
use convstat::estimate::solvers::{Algorithm, LevenbergMarquardt};
use convstat::estimate::{Sample, compress};
use convstat::graph::catalogue::{CatalogueOptions, network};
use convstat::graph::{Numbers, Op, Weight};
use convstat::prelude::*;
use convstat::runner::stream;
use convstat::study::designs::normal_exact::draw_compressed;
use divan::{Bencher, black_box};
use ndarray::{Array2, Axis};
use rand_distr::{Distribution, StandardNormal};

fn main() {
    if let Err(e) = convstat::tensor::blas::single_thread() {
        eprintln!("{e}");
        std::process::exit(2);
    }
    divan::main();
}

/// Setting S4 of THEORY §5, K = 3.
fn setting() -> (Geometry, Structure, Array2<f64>) {
    let spec = GeometrySpec {
        input: vec![8, 8, 3],
        kernel: vec![3, 3, 3],
        pool: Some(vec![3, 3, 1]),
        ..GeometrySpec::default()
    };
    let geometry = Geometry::new(&spec).unwrap();
    let structure = StructureSpec::parse("{ kind = \"cnn\", kernels = 3 }").unwrap();
    let structure = structure.build(&geometry.output_modes(1)).unwrap();
    let root = psd_root(&geometry.second_moment().unwrap().view()).unwrap();
    (geometry, structure, root)
}

fn normals(rows: usize, cols: usize, key: &str) -> Array2<f64> {
    let mut rng = stream(1, "bench", key, 0);
    Array2::from_shape_simple_fn((rows, cols), || StandardNormal.sample(&mut rng))
}

fn sample(n: u64) -> (Structure, Sample) {
    let (_, structure, root) = setting();
    let w = structure.coefficient_matrix(&structure.generic_point()).unwrap();
    let (mut rng, mut noise) = (stream(1, "z", "", 0), stream(1, "y", "", 0));
    let sample = draw_compressed(&root, &w, 1.0, n, &mut rng, &mut noise);
    (structure, sample)
}

#[divan::bench]
fn normal_variates_100_000(bencher: Bencher) {
    let mut rng = stream(1, "bench", "variates", 0);
    let mut block = vec![0.0f64; 100_000];
    bencher.counter(divan::counter::ItemsCount::new(block.len())).bench_local(|| {
        block.iter_mut().for_each(|v| *v = StandardNormal.sample(&mut rng));
        black_box(block[0])
    });
}

#[divan::bench]
fn windows_128_inputs(bencher: Bencher) {
    let (geometry, ..) = setting();
    let (windows, x) = (geometry.windows(), normals(192, 128, "x"));
    bencher.bench_local(|| windows.apply(&x.view()));
}

#[divan::bench]
fn compression_4267_rows(bencher: Bencher) {
    let (z, y) = (normals(4267, 108, "z"), normals(4267, 1, "y"));
    bencher.bench_local(|| {
        compress(108, 1, 4267.0, |sink| {
            let blocks = z.axis_chunks_iter(Axis(0), 128).zip(y.axis_chunks_iter(Axis(0), 128));
            blocks.into_iter().try_for_each(|(z, y)| sink.add(&z, &y))
        })
        .unwrap()
    });
}

#[divan::bench(args = [10_000, 1_000_000_000])]
fn exact_law(bencher: Bencher, n: u64) {
    let (_, structure, root) = setting();
    let w = structure.coefficient_matrix(&structure.generic_point()).unwrap();
    let (mut rng, mut noise) = (stream(1, "z", "", 0), stream(1, "y", "", 0));
    bencher.bench_local(|| draw_compressed(&root, &w, 1.0, n, &mut rng, &mut noise));
}

#[divan::bench(args = [267, 4267])]
fn fit_s4_spectral(bencher: Bencher, n: u64) {
    let (structure, sample) = sample(n);
    let options = FitOptions::bare(LevenbergMarquardt::from_starts(vec![Start::Spectral]));
    bencher.bench_local(|| FittedModel::fit(&structure, &sample, &options).unwrap());
}

/// One fit from the spectral start by each solver, of a CNN on windows (S4) whose second moment has a condition number in
/// the hundreds.
#[divan::bench(args = solvers(), sample_count = 20)]
fn fit_s4_by(bencher: Bencher, solver: &str) {
    let (structure, sample) = sample(1067);
    let method = Method::all().into_iter().find(|m| m.name() == solver).unwrap();
    let options = FitOptions::bare(method.with_starts(vec![Start::Spectral]));
    bencher.bench_local(|| FittedModel::fit(&structure, &sample, &options).unwrap());
}

/// All that fit a linear network.
fn solvers() -> Vec<&'static str> {
    let fits = |m: &Method| !matches!(m.solver().algorithm(), Algorithm::Training);
    Method::all().iter().filter(|m| fits(m)).map(Method::name).collect()
}

#[divan::bench]
fn tangent_risk_s4(bencher: Bencher) {
    let (_, structure, root) = setting();
    let point = structure.generic_point();
    bencher.bench_local(|| TangentRisk::new(&structure, &point, &root).unwrap());
}

/// Both sides of all of ResNet-50's layers, with weights that are noise.
#[divan::bench(sample_count = 5)]
fn spectra_of_resnet50(bencher: Bencher) {
    let mut rng = stream(1, "bench", "weights", 0);
    let mut graph = network("resnet50", &CatalogueOptions::default()).unwrap();
    for node in &mut graph.nodes {
        let (shape, weight) = match &mut node.op {
            Op::Conv(c) => ([&[c.outputs, c.inputs / c.groups][..], &c.kernel].concat(), &mut c.weight),
            Op::Linear(l) => (vec![l.outputs, l.inputs], &mut l.weight),
            _ => continue,
        };
        let entry = |_| StandardNormal.sample(&mut rng);
        let entries: Vec<f32> = (0..shape.iter().product::<usize>()).map(entry).collect();
        let bytes: Vec<u8> = entries.iter().flat_map(|v: &f32| v.to_le_bytes()).collect();
        *weight = Some(Weight::new(&node.name, shape, Numbers::F32, bytes.into()).unwrap());
    }
    bencher
        .counter(divan::counter::ItemsCount::new(graph.parameters()))
        .bench_local(|| spectra(&graph).unwrap());
}
