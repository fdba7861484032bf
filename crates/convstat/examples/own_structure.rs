//! A structure of one's own, written as an einsum: kernels that are a spatial pattern times a mix of channels.
//!
//! `cargo run --release --example own_structure`

use convstat::prelude::*;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let geometry = Geometry::new(&GeometrySpec {
        input: vec![8, 8, 3],
        kernel: vec![3, 3, 3],
        pool: Some(vec![3, 3, 1]),
        ..GeometrySpec::default()
    })?;
    // p: pooled positions, a and b: taps in space, c: channels, r: two patterns. Sizes of p, a, b, c come from the geometry.
    let spec = StructureSpec::parse("{ einsum = \"pr,rab,rc->pabc\", sizes = { r = 2 } }")?;
    let own = spec.build(&geometry.output_modes(1))?;
    println!("naive parameters {}, identifiable dimension {}", own.naive_parameters(), own.df()?);

    // Everything that is written once for all structures holds for it, the exact risk among them.
    let root = psd_root(&geometry.second_moment()?.view())?;
    let risk = TangentRisk::new(&own, &own.generic_point(), &root)?;
    for n in [200.0, 800.0, 3200.0] {
        println!(
            "n = {n:>4}: prediction error {:.4} (sigma = 1)",
            risk.prediction(1.0, n - risk.df as f64 - 1.0).sqrt()
        );
    }

    // What the form saves: a CNN with two unstructured kernels.
    let cnn = StructureSpec::parse("{ kind = \"cnn\", kernels = 2 }")?.build(&geometry.output_modes(1))?;
    println!("dimension of a CNN with two kernels {}", cnn.df()?);
    assert!(own.df()? < cnn.df()?);
    Ok(())
}

#[test]
fn it_runs() {
    main().unwrap();
}
