//! What the recipes of `docs/src/how-to/extend.md` add, used as a user would. `tests/recipes.rs` builds it in a copy of the sources.

use std::borrow::Cow;
use std::sync::Arc;

use convstat::prelude::*;
use convstat::report::{draw_one, paper_table, table_format};
use convstat::study::file::Figure;
use convstat::study::run::summarise;
use convstat::study::{RunOptions, run};
use convstat::{cnn, estimate, theory};
use convstat_train::network::{Network, NetworkSpec};
use ndarray::Array2;

type Tested = Result<(), Box<dyn std::error::Error>>;

fn geometry() -> cnn::Result<Geometry> {
    let pool = Some(vec![3, 3, 1]);
    Geometry::new(&GeometrySpec {
        input: vec![8, 8, 3],
        kernel: vec![3, 3, 3],
        pool,
        ..GeometrySpec::default()
    })
}

#[test]
fn structure() -> Tested {
    let spec = StructureSpec::parse("{ kind = \"separable\", kernels = 2 }")?;
    let structure = spec.build(&geometry()?.output_modes(1))?;
    // Each kernel has 3 + 3 + 3 taps and 4 weights; three of its scales are gauge.
    assert_eq!((structure.naive_parameters(), structure.df()?), (26, 20));
    Ok(())
}

#[test]
fn solver() -> Tested {
    let z = Array2::from_shape_fn((60, 6), |(i, j)| f64::sin((i * i + 7 * j + 3 * i * j) as f64));
    let y = Array2::from_shape_fn((60, 1), |(i, _)| z[[i, 0]] + z[[i, 3]] + 0.1 * f64::cos((i * i) as f64));
    let spec = StructureSpec::parse("{ einsum = \"ar,br->ab\", sizes = { r = 1 } }")?;
    let structure = spec.build(&OutputModes::plain(&[2, 3], 1))?;
    let sample = Sample::new(z, y)?;
    let usual = FittedModel::fit(&structure, &sample, &FitOptions::default())?;
    let own: estimate::Method = toml::from_str("solver = \"steepest-descent\"\nmax_iterations = 5000")?;
    let own = FittedModel::fit(&structure, &sample, &FitOptions { refine: false, ..FitOptions::new(own) })?;
    let difference = own.fit.best.objective / usual.fit.best.objective - 1.0;
    assert!(difference.abs() < 1e-6, "{difference}");
    Ok(())
}

#[test]
fn bound() -> Tested {
    let geometry =
        Geometry::new(&GeometrySpec { input: vec![6], kernel: vec![3], ..GeometrySpec::default() })?;
    let pooled = Geometry::new(&GeometrySpec {
        input: vec![9],
        kernel: vec![3],
        stride: Some(vec![3]),
        ..GeometrySpec::default()
    })?;
    let bound = theory::bounds::find(theory::BOUNDS, "unstructured").ok_or("no bound")?;
    let n = |geometry: &Geometry| -> Result<Option<f64>, Box<dyn std::error::Error>> {
        let structure =
            StructureSpec::parse("{ kind = \"cnn\", kernels = 1 }")?.build(&geometry.output_modes(1))?;
        let risk =
            theory::TangentRisk::of_windows(&structure, &structure.generic_point(), &geometry.windows())?;
        let setting = theory::SettingTheory {
            sizes: theory::Sizes::new(geometry, &structure),
            tangent: risk.tangent(),
            is_regular: None,
            is_identified: true,
            spectrum: geometry.factor_spectrum()?,
            law: theory::DesignLaw { gaussian: true, independent: true, spectrum: (1.0, 1.0) },
            sigma: 1.0,
            options: theory::BoundOptions::default(),
            dimension: Arc::new(theory::LazyDimension::new(
                Cow::Borrowed(&structure),
                Cow::Borrowed(geometry),
                2,
                1,
                1,
            )),
        };
        Ok(bound.plan(&setting, theory::ErrorNorm::Prediction, 0.5)?.n)
    };
    // Three windows without overlap have D = 9 features: 9/(n - 10) = 1/4. Windows that overlap have none.
    assert_eq!((n(&pooled)?, n(&geometry)?), (Some(46.0), None));
    Ok(())
}

/// A study with all that recipes add to studies.
const STUDY: &str = r#"
[study]
name = "extended"
seed = 1
replicates = 20
[[setting]]
name = "S"
input = [11]
kernel = [3]
pool = [3]
structure = { kind = "cnn", kernels = 1 }
[[design]]
kind = "laplace"
[samples]
n = [200, 400]
[theory]
bounds = false
[[check]]
kind = "failures"
[[figure]]
kind = "time"
"#;

fn study() -> Result<(Study, Summary), Box<dyn std::error::Error>> {
    let study = Study::new(STUDY, &Overrides::default())?;
    let place = tempfile::tempdir()?;
    let path = place.path().join("run");
    run(&study, &path, RunOptions { threads: 1, shard: None })?;
    let (summary, _) = summarise(&study, &mut convstat::runner::RunDir::open(&path)?)?;
    Ok((study, summary))
}

#[test]
fn design() -> Tested {
    let (_, summary) = study()?;
    for cell in &summary.cells {
        assert_eq!((cell.design.as_str(), cell.replicates()), ("laplace", 20));
        // df is 3 + 3 - 1.
        let risk = (5.0 / (cell.n as f64 - 6.0)).sqrt();
        assert!((cell.pred.0 / risk - 1.0).abs() < 0.3, "{} {risk}", cell.pred.0);
    }
    Ok(())
}

#[test]
fn check() -> Tested {
    let (study, mut summary) = study()?;
    let check = |summary: &Summary| convstat::study::checks::run_checks(&study.plan.file.check, summary);
    assert!(check(&summary)?[0].passed);
    summary.cells[0].optimisation_failures = 1;
    let failed = &check(&summary)?[0];
    assert!(!failed.passed && failed.verdict.contains("1 of 2"), "{failed:?}");
    Ok(())
}

#[test]
fn figure() -> Tested {
    let (study, summary) = study()?;
    let canvas = draw_one(&study.plan.file, &summary, "time", &Figure::new("time"))?.ok_or("no figure")?;
    assert!(canvas.to_svg()?.contains("median time of a replicate"));
    Ok(())
}

#[test]
fn table() -> Tested {
    let (study, summary) = study()?;
    let format = table_format("org").ok_or("no format")?;
    let table = paper_table(&study.plan, &summary, format, &Default::default())?;
    assert!(table.text.lines().nth(1) == Some("|-") && table.text.lines().count() == 4, "{}", table.text);
    Ok(())
}

#[test]
fn data_set() -> Tested {
    let data = convstat_data::load("stripes", None, 1)?;
    assert_eq!((data.train.len(), data.test.len(), data.classes.len()), (400, 100, 2));
    assert_eq!(data.train.labels().sum::<u32>(), 200);
    assert!(convstat_data::load("stripes", None, 2)?.digest() != data.digest());
    Ok(())
}

#[test]
fn block() -> Tested {
    let spec: NetworkSpec = toml::from_str("block = \"plain\"\nstages = [{ r = 4 }]")?;
    let one = Network::new(&spec, &[8, 8, 1], 2, 1.0)?.counts().parameters;
    let two = Network::new(&spec, &[8, 8, 1], 2, 2.0)?.counts().parameters;
    // Four more channels: 3 · 3 · 4 · 4 weights of the second convolution, and what is of a channel.
    assert!(two > one + 144, "{one} {two}");
    Ok(())
}
