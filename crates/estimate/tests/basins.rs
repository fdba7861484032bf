//! measure
use convstat_cnn::{OutputModes, StructureSpec};
use convstat_estimate::{FitOptions, Sample, Start, fit};
use ndarray::Array2;
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

fn normals(seed: u64) -> impl FnMut() -> f64 {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    move || StandardNormal.sample(&mut rng)
}

#[test]
fn measure() {
    convstat_tensor::blas::single_thread().unwrap();
    let modes = OutputModes { positions: vec![], taps: vec![8, 8, 8], layers: 1, outputs: 1 };
    let s = StructureSpec::parse("{ einsum = \"ar,br,cr->abc\", sizes = { r = 3 } }")
        .unwrap()
        .build(&modes)
        .unwrap();
    let t0 = std::time::Instant::now();
    for seed in 0..200u64 {
        let mut normal = normals(seed);
        let truth = s.random_point(&mut normal);
        let w = s.coefficient_matrix(&truth).unwrap();
        let z = Array2::from_shape_simple_fn((150, 512), &mut normal);
        let y = z.dot(&w) + Array2::from_shape_simple_fn((150, 1), &mut normal);
        let sample = Sample::new(z, y).unwrap();
        let mut starts = vec![Start::Oracle, Start::Spectral];
        starts.extend(vec![Start::Random; 60]);
        let o = FitOptions { starts, ..FitOptions::default() };
        let f = fit(&s, &sample, &o, Some(&truth), normals(seed + 1000)).unwrap();
        let best = f.best.objective;
        let hit = |o: f64| o - best < 1e-4 * best / 150.0 + 1e-12;
        let spectral = hit(f.all[1].objective);
        let n = f.all[2..].iter().filter(|a| hit(a.objective)).count();
        let it: usize = f.all[2..].iter().map(|a| a.iterations).sum();
        let tenth = f.all[1..12].iter().any(|a| hit(a.objective));
        let pattern: String = f.all[1..].iter().map(|a| if hit(a.objective) { '1' } else { '0' }).collect();
        println!(
            "{pattern} {seed} oracle {} spectral {spectral} random {n}/60 in10 {tenth} best {best:.3} iters {it} {:.1}s terms {:?}",
            hit(f.all[0].objective),
            t0.elapsed().as_secs_f64(),
            f.all[2..].iter().filter(|a| !a.termination.is_success()).count()
        );
    }
}
