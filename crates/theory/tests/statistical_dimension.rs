//! THEORY §5 and §4.2: statistical dimensions against independent figures.

#![cfg(test)]

use convstat_cnn::{Geometry, GeometrySpec, OutputModes, StructureSpec};
use convstat_tensor::linalg::psd_root;
use convstat_theory::statistical_dimension;
use ndarray::Array2;

#[test]
fn s3_with_one_kernel() {
    convstat_tensor::blas::single_thread().unwrap();
    let geometry = Geometry::new(&GeometrySpec {
        input: vec![8, 8, 3],
        kernel: vec![3, 3, 3],
        pool: Some(vec![3, 3, 1]),
        ..GeometrySpec::default()
    })
    .unwrap();
    let cnn = StructureSpec::parse("{ kind = \"cnn\", kernels = 1 }").unwrap();
    let cnn = cnn.build(&geometry.output_modes(1)).unwrap();
    let root = psd_root(&geometry.second_moment().unwrap().view()).unwrap();
    let d = statistical_dimension(&cnn, &root, 200, 2, 1).unwrap();
    println!("{d:?}");
    // An independent calculation gives 71.4 ± 1.5 (its standard error).
    assert!((d.estimate - 71.4).abs() <= 3.0 * d.standard_error.hypot(1.5), "{d:?}");
}

#[test]
fn identity_covariance_is_the_top_singular_values() {
    convstat_tensor::blas::single_thread().unwrap();
    let modes = OutputModes { positions: vec![4], taps: vec![27], layers: 1, outputs: 1 };
    let cnn = StructureSpec::parse("{ kind = \"cnn\", kernels = 1 }").unwrap().build(&modes).unwrap();
    let d = statistical_dimension(&cnn, &Array2::eye(108), 300, 2, 2).unwrap();
    // THEORY §4.2: rank 1, 4×27, Σ = I: δ = 72.1, given to the last digit.
    assert_eq!(d.doubled_df, 58);
    assert!((d.estimate - 72.1).abs() <= 3.0 * d.standard_error + 0.05, "{d:?}");
}
