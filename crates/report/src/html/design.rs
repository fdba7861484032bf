//! What a study sets out to do, in the order of ADEMP (Morris, White & Crowther 2019): aim, data-generating mechanisms,
//! estimands, methods.

use std::fmt::Display;

use convstat_study::file::{Estimator, Setting, StudyFile, TruthDraw};
use convstat_study::{Activation, Plan};

use super::escape::escape;
use super::notation::{D_M, ESTIMATION, K_OVER_R, N, PREDICTION, RATE, TRUTH};
use super::table::{Cell, Column, table, terms};
use crate::digits;
use crate::figures::design_name;

/// Sizes as `10 × 10 × 3`.
fn sizes(sizes: &[usize]) -> String {
    sizes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\u{a0}×\u{a0}")
}

/// Values with commas.
fn list<T: Display>(values: impl IntoIterator<Item = T>) -> String {
    values.into_iter().map(|v| v.to_string()).collect::<Vec<_>>().join(", ")
}

/// The aim of the study.
pub fn aim(file: &StudyFile) -> String {
    if file.study.aim.trim().is_empty() {
        return "<p>The study file states no aim (key <code>aim</code> of <code>[study]</code>).</p>\n"
            .to_owned();
    }
    format!("<p>{}</p>\n", escape(&file.study.aim))
}

/// Settings, designs, noise or labels, truth, sample sizes, replicates.
pub fn mechanisms(plan: &Plan) -> String {
    let file = &plan.file;
    let mut out = settings(plan);
    let rows: Vec<Vec<Cell>> = file
        .design
        .iter()
        .map(|d| {
            let label = d.label();
            let code = Cell::html(format!("<code>{}</code>", escape(&label)));
            vec![Cell::text(&design_name(&label)), Cell::long(&d.design().words()), code]
        })
        .collect();
    out += &table(
        "designs",
        "Designs: laws of the inputs.",
        &[Column::text("Design"), Column::text("Inputs"), Column::text("Name in files")],
        &rows,
    );
    let responses = match &file.response {
        Some(r) => (
            "Responses",
            format!(
                "{} labels; the linear predictors of the truth have a root mean squared standard deviation of {}",
                escape(r.family.name()),
                r.scale
            ),
        ),
        None => (
            "Responses",
            format!(
                "{}, with independent normal noise, σ = {}",
                if file.setting.iter().any(|s| s.activation.is_some()) {
                    "outputs of the true network"
                } else {
                    "linear in the features of the truth"
                },
                file.noise.sigma
            ),
        ),
    };
    let drawn = match file.truth.draw {
        TruthDraw::Setting => "once a setting, the same for all its replicates",
        TruthDraw::Replicate => "anew for every replicate",
    };
    let truth =
        format!("{TRUTH} of the setting’s structure with independent standard normal factors, drawn {drawn}");
    let cells = format!(
        "{} cells (settings × designs × estimators × {N}), {} replicates each",
        plan.cells.len(),
        plan.replicates()
    );
    out + &terms(&[responses, ("Truth", truth), ("Sample sizes", sample_sizes(plan)), ("Cells", cells)])
}

fn sample_sizes(plan: &Plan) -> String {
    let samples = &plan.file.samples;
    let ends = plan.cells.iter().fold((u64::MAX, 0), |(l, h), c| (l.min(c.n), h.max(c.n)));
    match (&samples.n, &samples.sqrt_dm_over_n) {
        (Some(n), _) => format!("{N} = {}", list(n)),
        (None, Some(g)) => format!(
            "{} values of {RATE} from {} to {}, which makes {N} from {} to {}",
            g.steps, g.from, g.to, ends.0, ends.1
        ),
        (None, None) => String::new(),
    }
}

/// An optional column of the table of settings.
type Part = (&'static str, fn(&Setting) -> Option<String>);

/// Keys of a setting that have a column where one setting has them.
const PARTS: [Part; 8] = [
    ("Stride", |s| s.stride.as_deref().map(sizes)),
    ("Padding", |s| s.padding.as_deref().map(sizes)),
    ("Dilation", |s| s.dilation.as_deref().map(sizes)),
    ("Pooling", |s| s.pool.as_deref().map(sizes)),
    ("Pooling stride", |s| s.pool_stride.as_deref().map(sizes)),
    ("Further layers (kernels)", |s| {
        (!s.deeper.is_empty())
            .then(|| s.deeper.iter().map(|l| sizes(&l.kernel)).collect::<Vec<_>>().join("; "))
    }),
    ("Activation", |s| s.activation.map(|a| Activation::name(a).to_owned())),
    ("Truth shared as", |s| s.truth.clone()),
];

fn settings(plan: &Plan) -> String {
    let settings = &plan.file.setting;
    let parts: Vec<&Part> = PARTS.iter().filter(|(_, f)| settings.iter().any(|s| f(s).is_some())).collect();
    let mut columns = vec![Column::text("Setting"), Column::text("Input"), Column::text("Kernel")];
    columns.extend(parts.iter().map(|(head, _)| Column::text(head)));
    columns.extend([
        Column::number("Positions <i>P</i>"),
        Column::number("Features <i>D</i>"),
        Column::number("Responses"),
    ]);
    let rows: Vec<Vec<Cell>> = settings
        .iter()
        .zip(&plan.settings)
        .map(|(s, context)| {
            let mut row =
                vec![Cell::text(&s.name), Cell::text(&sizes(&s.input)), Cell::text(&sizes(&s.kernel))];
            row.extend(parts.iter().map(|(_, f)| Cell::text(&f(s).unwrap_or_else(|| "–".to_owned()))));
            row.extend([
                Cell::count(context.geometry.positions()),
                Cell::count(context.structure.features()),
                Cell::count(context.structure.outputs()),
            ]);
            row
        })
        .collect();
    table(
        "settings",
        "Settings: geometry of the networks; sizes a mode, and none where all are 1 (pooling stride: the window).",
        &columns,
        &rows,
    )
}

/// Which errors are measured, and what else.
pub fn estimands(file: &StudyFile) -> String {
    let trained = file.setting.iter().any(|s| s.activation.is_some());
    let mut items = if trained {
        vec![(
            "Prediction error",
            "root mean squared error of the trained network’s predictions against the true network’s, at fresh inputs"
                .to_owned(),
        )]
    } else {
        vec![
            (
                "Prediction error",
                format!("{PREDICTION}: error of the coefficient in the norm of the features’ second moment"),
            ),
            ("Estimation error", format!("{ESTIMATION}: error of the coefficient in Frobenius norm")),
        ]
    };
    if let Some(inference) = &file.inference {
        items.push((
            "Coverage",
            format!(
                "share of the entries of {TRUTH}, of the expected responses at fresh inputs, and of confidence regions that hold \
                 the truth; level {}",
                inference.level
            ),
        ));
    }
    if file.estimator.iter().any(|e| e.select.is_some()) {
        items.push((
            "Choice",
            "share of the replicates that chose the structure of the truth, and mean value chosen where one key varies".to_owned(),
        ));
    }
    items.push((
        "MCSE",
        "Monte Carlo standard error over the replicates, in parentheses: of root mean squares by the delta method, of shares \
         binomial, of means the usual one"
            .to_owned(),
    ));
    let risk = if file.response.is_some() || trained {
        "what theory predicts to first order, computed and not fitted to the measurements"
    } else {
        "what theory predicts, with no free constant: the finite-sample form for independent Gaussian rows, the average over drawn \
         designs for dependent rows"
    };
    items.push(("Exact risk", risk.to_owned()));
    terms(&items)
}

/// Structures with their counts, and estimators.
pub fn methods(plan: &Plan) -> String {
    let columns = [
        Column::text("Setting"),
        Column::text("Structure"),
        Column::number("Naive parameters"),
        Column::number(&format!("Sample complexity {D_M}")),
        Column::number("Dimension df"),
        Column::number("<i>K</i>"),
        Column::number("<i>R</i>"),
        Column::number(K_OVER_R),
    ];
    let rows: Vec<Vec<Cell>> = plan
        .settings
        .iter()
        .map(|s| {
            let (structure, counts) = (&s.structure, s.structure.counts());
            let ratio = structure.kr_ratio().unwrap_or(f64::NAN);
            vec![
                Cell::text(&s.name),
                Cell::text(structure.name()),
                Cell::count(structure.naive_parameters()),
                Cell::count(structure.d_m()),
                Cell::count(s.dimension),
                Cell::count(counts.kernels),
                Cell::count(counts.rank),
                Cell::number(ratio, &digits::short(ratio)),
            ]
        })
        .collect();
    let caption = format!(
        "Structures. Naive parameters count weights; the dimension counts what data can identify; {K_OVER_R} is output channels over \
         the rank on them."
    );
    let mut out = table("structures", &caption, &columns, &rows);
    // A solver is named where an estimator has another name.
    let renamed = plan.file.estimator.iter().any(|e| e.label() != e.method.name());
    let rows: Vec<Vec<Cell>> = plan
        .file
        .estimator
        .iter()
        .map(|e| {
            let mut row = vec![Cell::text(e.label())];
            if renamed {
                row.push(Cell::text(e.method.name()));
            }
            row.extend([
                Cell::text(&if e.method.starts().is_empty() {
                    "–".to_owned()
                } else {
                    list(e.method.starts().iter().map(|s| s.name()))
                }),
                Cell::long(&options(e)),
            ]);
            row
        })
        .collect();
    let heads =
        ["Estimator", "Solver", "Starts", "Options"].into_iter().filter(|h| renamed || *h != "Solver");
    let columns: Vec<Column> = heads.map(Column::text).collect();
    out += &table("estimators", "Estimators; of several starts the best is the fit.", &columns, &rows);
    out
}

/// What else decides an estimate.
fn options(e: &Estimator) -> String {
    let mut parts = e.solver_options();
    if let Some(criterion) = e.select {
        let over = e.over.iter().map(|(key, values)| format!("{key} = {}", list(values)));
        parts.push(format!(
            "structure chosen by {} among {}",
            criterion.name(),
            over.collect::<Vec<_>>().join(" × ")
        ));
    }
    if let Some(folds) = e.folds {
        parts.push(format!("{folds} folds"));
    }
    if parts.is_empty() { "–".to_owned() } else { parts.join("; ") }
}
