//! What a study sets out to do, in the order of ADEMP (Morris, White & Crowther 2019): aim, data-generating mechanisms,
//! estimands, methods.

use std::fmt::Display;

use convstat_study::designs::DesignSpec;
use convstat_study::file::{Estimator, Setting, StudyFile, TruthDraw};
use convstat_study::setting::SettingContext;
use convstat_study::{Activation, Plan};
use maud::{Markup, Render, html};

use super::notation::{d_m, estimation, k_over_r, n, prediction, rate, truth};
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
pub fn aim(file: &StudyFile) -> Markup {
    if file.study.aim.trim().is_empty() {
        return html! {
            p { "The study file states no aim (key " code { "aim" } " of " code { "[study]" } ")." }
        };
    }
    html! { p { (file.study.aim) } }
}

/// Settings, designs, noise or labels, truth, sample sizes, replicates.
pub fn mechanisms(plan: &Plan) -> Markup {
    let drawn = match plan.file.truth.draw {
        TruthDraw::Setting => "once a setting, the same for all its replicates",
        TruthDraw::Replicate => "anew for every replicate",
    };
    let truth = html! {
        (truth()) " of the setting’s structure with independent standard normal factors, drawn " (drawn)
    };
    let cells = html! {
        (plan.cells.len()) " cells (settings × designs × estimators × " (n()) "), " (plan.replicates()) " replicates each"
    };
    html! {
        (settings(plan))
        (designs(&plan.file))
        (terms(&[
            ("Responses", responses(&plan.file)),
            ("Truth", truth),
            ("Sample sizes", sample_sizes(plan)),
            ("Cells", cells),
        ]))
    }
}

fn designs(file: &StudyFile) -> Markup {
    let row = |d: &DesignSpec| {
        let label = d.label();
        let code = html! { code { (label) } };
        vec![Cell::text(design_name(&label)), Cell::long(d.design().words()), Cell::text(code)]
    };
    let rows: Vec<Vec<Cell>> = file.design.iter().map(row).collect();
    let columns = ["Design", "Inputs", "Name in files"].map(Column::text);
    table("designs", "Designs: laws of the inputs.", &columns, &rows)
}

fn responses(file: &StudyFile) -> Markup {
    if let Some(response) = &file.response {
        return html! {
            (response.family.name())
            " labels; the linear predictors of the truth have a root mean squared standard deviation of "
            (response.scale)
        };
    }
    let mean = if file.setting.iter().any(|s| s.activation.is_some()) {
        "outputs of the true network"
    } else {
        "linear in the features of the truth"
    };
    html! { (mean) ", with independent normal noise, σ = " (file.noise.sigma) }
}

fn sample_sizes(plan: &Plan) -> Markup {
    let samples = &plan.file.samples;
    let ends = plan.cells.iter().fold((u64::MAX, 0), |(l, h), c| (l.min(c.n), h.max(c.n)));
    match (&samples.n, &samples.sqrt_dm_over_n) {
        (Some(sizes), _) => html! { (n()) " = " (list(sizes)) },
        (None, Some(g)) => html! {
            (g.steps) " values of " (rate()) " from " (g.from) " to " (g.to) ", which makes " (n()) " from " (ends.0) " to "
            (ends.1)
        },
        (None, None) => Markup::default(),
    }
}

/// An optional column of the table of settings.
type OptionalColumn = (&'static str, fn(&Setting) -> Option<String>);

/// Keys of a setting that have a column where one setting has them.
const OPTIONAL: [OptionalColumn; 8] = [
    ("Stride", |s| s.geometry.stride.as_deref().map(sizes)),
    ("Padding", |s| s.geometry.padding.as_deref().map(sizes)),
    ("Dilation", |s| s.geometry.dilation.as_deref().map(sizes)),
    ("Pooling", |s| s.geometry.pool.as_deref().map(sizes)),
    ("Pooling stride", |s| s.geometry.pool_stride.as_deref().map(sizes)),
    ("Further layers (kernels)", |s| {
        (!s.geometry.deeper.is_empty())
            .then(|| s.geometry.deeper.iter().map(|l| sizes(&l.kernel)).collect::<Vec<_>>().join("; "))
    }),
    ("Activation", |s| s.activation.map(|a| Activation::name(a).to_owned())),
    ("Truth shared as", |s| s.truth.clone()),
];

fn settings(plan: &Plan) -> Markup {
    let settings = &plan.file.setting;
    let parts: Vec<&OptionalColumn> =
        OPTIONAL.iter().filter(|(_, f)| settings.iter().any(|s| f(s).is_some())).collect();
    let mut columns = vec![Column::text("Setting"), Column::text("Input"), Column::text("Kernel")];
    columns.extend(parts.iter().map(|(head, _)| Column::text(head)));
    columns.extend([
        Column::number(html! { "Positions " i { "P" } }),
        Column::number(html! { "Features " i { "D" } }),
        Column::number("Responses"),
    ]);
    let rows: Vec<Vec<Cell>> = settings
        .iter()
        .zip(&plan.settings)
        .map(|(s, context)| {
            let mut row = vec![
                Cell::text(&s.name),
                Cell::text(sizes(&s.geometry.input)),
                Cell::text(sizes(&s.geometry.kernel)),
            ];
            row.extend(parts.iter().map(|(_, f)| Cell::text(f(s).unwrap_or_else(|| "–".to_owned()))));
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
pub fn estimands(file: &StudyFile) -> Markup {
    let trained = file.setting.iter().any(|s| s.activation.is_some());
    let mut items = if trained {
        let text = "root mean squared error of the trained network’s predictions against the true network’s, at fresh inputs";
        vec![("Prediction error", text.render())]
    } else {
        vec![
            (
                "Prediction error",
                html! { (prediction()) ": error of the coefficient in the norm of the features’ second moment" },
            ),
            ("Estimation error", html! { (estimation()) ": error of the coefficient in Frobenius norm" }),
        ]
    };
    if let Some(inference) = &file.inference {
        items.push((
            "Coverage",
            html! {
                "share of the entries of " (truth()) ", of the expected responses at fresh inputs, and of confidence regions that \
                 hold the truth; level " (inference.level)
            },
        ));
    }
    if file.estimator.iter().any(|e| e.select.is_some()) {
        let text = "share of the replicates that chose the structure of the truth, and mean value chosen where one key varies";
        items.push(("Choice", text.render()));
    }
    let mcse = "Monte Carlo standard error over the replicates, in parentheses: of root mean squares by the delta method, of \
                shares binomial, of means the usual one";
    items.push(("MCSE", mcse.render()));
    let risk = if file.response.is_some() || trained {
        "what theory predicts to first order, computed and not fitted to the measurements"
    } else {
        "what theory predicts, with no free constant: the finite-sample form for independent Gaussian rows, the average over drawn \
         designs for dependent rows"
    };
    items.push(("Exact risk", risk.render()));
    terms(&items)
}

/// Structures with their counts, and estimators.
pub fn methods(plan: &Plan) -> Markup {
    html! { (structures(plan)) (estimators(&plan.file)) }
}

fn structures(plan: &Plan) -> Markup {
    let columns = [
        Column::text("Setting"),
        Column::text("Structure"),
        Column::number("Naive parameters"),
        Column::number(html! { "Sample complexity " (d_m()) }),
        Column::number("Dimension df"),
        Column::number(html! { i { "K" } }),
        Column::number(html! { i { "R" } }),
        Column::number(k_over_r()),
    ];
    let row = |s: &SettingContext| {
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
            Cell::number(ratio, digits::short(ratio)),
        ]
    };
    let rows: Vec<Vec<Cell>> = plan.settings.iter().map(row).collect();
    let caption = html! {
        "Structures. Naive parameters count weights; the dimension counts what data can identify; " (k_over_r())
        " is output channels over the rank on them."
    };
    table("structures", caption, &columns, &rows)
}

fn estimators(file: &StudyFile) -> Markup {
    // A solver is named where an estimator has another name.
    let renamed = file.estimator.iter().any(|e| e.label() != e.method.name());
    let row = |e: &Estimator| {
        let starts = match e.method.starts() {
            [] => "–".to_owned(),
            starts => list(starts.iter().map(|s| s.name())),
        };
        let solver = renamed.then(|| Cell::text(e.method.name()));
        let rest = [Cell::text(starts), Cell::long(options(e))];
        std::iter::once(Cell::text(e.label())).chain(solver).chain(rest).collect()
    };
    let rows: Vec<Vec<Cell>> = file.estimator.iter().map(row).collect();
    let heads =
        ["Estimator", "Solver", "Starts", "Options"].into_iter().filter(|h| renamed || *h != "Solver");
    let columns: Vec<Column> = heads.map(Column::text).collect();
    table("estimators", "Estimators; of several starts the best is the fit.", &columns, &rows)
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
