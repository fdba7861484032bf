//! A bound that the toolkit does not have goes from a registry into the summary, its file, the page, tables and figures by its
//! name alone.

#![cfg(test)]

use convstat_report::html::{PageData, page};
use convstat_report::{Format, draw};
use convstat_report::{TableOptions, paper_table, table_format};
use convstat_runner::RunDir;
use convstat_study::run::summarise;
use convstat_study::{Overrides, Record, RunOptions, Study, run};
use convstat_theory::bounds::{Kind, find};
use convstat_theory::{Assumptions, BOUNDS, Bound, BoundValue, Bounds, ErrorNorm, Result, SettingTheory};

/// Thrice the first-order error, which Markov's inequality on the square keeps with probability 8/9.
struct Thrice;

impl Bound for Thrice {
    fn name(&self) -> &'static str {
        "thrice"
    }
    fn title(&self) -> &'static str {
        "thrice the error"
    }
    fn source(&self) -> &'static str {
        "Markov's inequality"
    }
    fn kind(&self) -> Kind {
        Kind::Upper
    }
    fn assumptions(&self, setting: &SettingTheory, _: f64) -> Result<Assumptions> {
        Ok(Assumptions::new("thrice the error (Markov)")
            .premise("rows are independent", setting.law.independent, "given for independent rows only")
            .condition("n is large", None))
    }
    fn formula(&self, setting: &SettingTheory, norm: ErrorNorm, n: f64) -> Result<BoundValue> {
        let error = 3.0 * setting.tangent.first_order(norm, setting.sigma, n).sqrt();
        Ok(BoundValue { error, condition_holds: true, probability: 8.0 / 9.0 })
    }
    fn explanation(&self, _: &SettingTheory) -> String {
        "holds with probability 8/9".to_owned()
    }
    fn meaning(&self, _: &SettingTheory, _: f64) -> String {
        "error <= target with probability 8/9".to_owned()
    }
}

const WITH_THRICE: Bounds = &[BOUNDS[0], BOUNDS[1], BOUNDS[2], BOUNDS[3], BOUNDS[4], &Thrice];

const STUDY: &str = "[study]\nname = \"own\"\nseed = 5\nreplicates = 6\n[[setting]]\nname = \"A\"\ninput = [7, 2]\nkernel = [2, 2]\n\
    pool = [3, 1]\nstructure = { kind = \"cnn\", kernels = 1 }\n[[design]]\nkind = \"normal\"\n[[design]]\nkind = \"var1\"\nrho = 0.5\n\
    [[design]]\nkind = \"rademacher\"\n[samples]\nn = [60, 4000]\n[theory]\ndraws = 4\ndesigns = 4\n";

#[test]
fn a_bound_of_ones_own_is_everywhere_by_its_name() {
    convstat_tensor::blas::single_thread().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut study = Study::new(STUDY, &Overrides::default()).unwrap();
    study.plan.bounds = WITH_THRICE;
    let path = folder.path().join("run");
    run(&study, &path, RunOptions::default()).unwrap();
    let mut stored = RunDir::open(&path).unwrap();
    let (summary, checks) = summarise(&study, &mut stored).unwrap();
    assert_eq!(find(summary.bounds, "thrice").map(Bound::name), Some("thrice"));
    for c in &summary.cells {
        for norm in ErrorNorm::BOTH {
            let own = c.theory.bound(&Thrice, norm);
            // Dependent rows have no number, tails have one.
            assert_eq!(own.is_nan(), c.design.starts_with("var1"), "{}", c.design);
            assert!(own.is_nan() || own.to_bits() == (3.0 * c.theory.first_order(norm)).to_bits());
        }
        let literature = find(BOUNDS, "literature").unwrap();
        let refused = c.theory.bound(literature, ErrorNorm::Frobenius).is_nan();
        assert_eq!(refused, c.design == "rademacher", "{}", c.design);
        assert!(!refused || !c.theory.condition_holds(literature));
    }

    // What was stored reads back, bit by bit; a summary without the column is computed again.
    let table = summary.to_table(&study.plan);
    let bits = |values: &[f64]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    let (again, _) = summarise(&study, &mut stored).unwrap();
    let column = "thrice_bound_frob";
    assert_eq!(
        bits(table.floats(column).unwrap()),
        bits(again.to_table(&study.plan).floats(column).unwrap())
    );

    let (manifest, record) = (stored.manifest().unwrap(), Record::new(&study, &stored).unwrap());
    let (study, summary) = (&study, &summary);
    let html =
        page(&PageData { study, summary, checks: &checks, manifest: &manifest, record: &record, run: "run" });
    let html = html.unwrap();
    assert_eq!(html.matches(">Thrice the error<").count(), 2, "a column a norm");
    assert!(html.contains("as thrice the error: its theorem does not cover"));

    let options = TableOptions { columns: vec![column.to_owned()], ..TableOptions::default() };
    let text = paper_table(&study.plan, summary, table_format("markdown").unwrap(), &options).unwrap().text;
    assert!(text.contains("thrice bound frob"), "{text}");

    let drawn = draw(&study.plan.file, summary, folder.path(), &[Format::Svg]).unwrap();
    let bounds = drawn.iter().find(|p| p.to_string_lossy().contains("bounds")).unwrap();
    let svg = std::fs::read_to_string(bounds).unwrap();
    assert!(svg.contains("thrice the error, literature bound, explicit bound, exact risk"));
}
