//! The page of a run: its content, its safety, and how it behaves in a real browser.

#![cfg(test)]

#[path = "support/browser.rs"]
mod browser;

use std::path::Path;
use std::process::Output;

use assert_cmd::Command;
use browser::Browser;
use convstat::prelude::*;
use convstat::report::html::{PageData, page};
use convstat::runner::RunDir;
use convstat::study::record::FailureKind;
use convstat::study::run::{prepare, summarise};
use convstat::study::{self, CheckOutcome, Record, RunOptions};
use convstat::theory::ErrorNorm::{Frobenius, Prediction};
use serde_json::{Value, json};

/// Names that would be markup, and settings that fail: five observations are fewer than the structure needs.
const HOSTILE: &str = r#"
# </pre></style><script>document.title = "owned by a comment"</script>
[study]
name = "hostile"
aim = "</style><img src=x onerror='document.title=\"owned by the aim\"'> & \"quotes\" and 'others'"
seed = 7
replicates = 12

[[setting]]
name = "</script><script>document.title = 'owned'</script>"
input = [6, 3]
kernel = [3, 3]
pool = [2, 1]
structure = { kind = "cnn", kernels = 1 }

[[setting]]
name = "B\" onmouseover=\"document.title='owned'"
input = [6, 4]
kernel = [2, 2]
pool = [2, 3]
structure = { kind = "cnn", kernels = 2 }

[[estimator]]
name = "<b>one & 'all'</b>"
solver = "levenberg-marquardt"

[[estimator]]
name = "short"
solver = "levenberg-marquardt"
starts = ["random"]
max_iterations = 2

[samples]
n = [5, 60, 300]

[theory]
draws = 4
designs = 4

[[check]]
kind = "risk"
range = [0.0, 0.4]
estimators = ["<b>one & 'all'</b>"]
mcse = 6.0

[[check]]
kind = "risk"
range = [0.5, 9.0]

[[figure]]
kind = "rate"

[[figure]]
kind = "estimators"
"#;

const ALL: RunOptions = RunOptions { threads: 2, shard: None };

/// A run and all that its page is made from.
struct Rendered {
    study: Study,
    summary: Summary,
    checks: Vec<CheckOutcome>,
    record: Record,
    html: String,
}

fn study_of(text: &str) -> Study {
    convstat::tensor::blas::single_thread().unwrap();
    Study::new(text, &Overrides::default()).unwrap()
}

fn render(path: &Path) -> Rendered {
    let mut run = RunDir::open(path).unwrap();
    let study = Study::of_run(&run).unwrap();
    let (summary, checks) = summarise(&study, &mut run).unwrap();
    let record = Record::new(&study, &run).unwrap();
    let manifest = run.manifest().unwrap();
    let run = path.to_string_lossy();
    let data = PageData {
        study: &study,
        summary: &summary,
        checks: &checks,
        manifest: &manifest,
        record: &record,
        run: &run,
    };
    let html = page(&data).unwrap();
    Rendered { study, summary, checks, record, html }
}

fn convstat(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_convstat")).env("NO_COLOR", "1").args(arguments).output().unwrap()
}

/// As a page has it.
fn escaped(text: &str) -> String {
    let pairs = [('&', "&amp;"), ('<', "&lt;"), ('>', "&gt;"), ('"', "&quot;")];
    text.chars()
        .map(|c| pairs.iter().find(|(p, _)| *p == c).map_or(c.to_string(), |p| p.1.to_owned()))
        .collect()
}

#[test]
fn a_page_holds_every_cell_every_verdict_and_no_markup_of_others() {
    let place = tempfile::tempdir().unwrap();
    let run = place.path().join("a run");
    study::run(&study_of(HOSTILE), &run, ALL).unwrap();
    let rendered = render(&run);
    let html = &rendered.html;
    for markup in ["<img", "<b>one", "</pre></style>", "<script>document", "\" onmouseover=\""] {
        assert!(!html.contains(markup), "{markup} is in the page");
    }
    // Figures have the background of the page, which may be dark.
    assert!(html.contains("<figure class=\"drawn\"") && !html.contains("<rect width=\"100%\""));
    assert_eq!(html.matches("<script>").count(), 1);
    assert_eq!(html.matches("</style>").count(), 1);
    assert!(html.contains(&escaped(HOSTILE)), "the study file is there as text");
    assert!(html.contains(&escaped(&rendered.study.plan.file.study.aim)));

    let from = html.find("<table id=\"table-summary\"").unwrap();
    let table = &html[from..from + html[from..].find("</table>").unwrap()];
    // What all rows share is no column, but a part of the caption.
    assert!(!table.contains(">Design<") && html.contains(" Design: normal."));
    // Five observations are too few for a risk, and the page says so.
    assert!(table.contains("<td class=\"num\" data-v=\"\">–</td>"), "{table}");
    assert!(html.contains("<p class=\"notes\">– as risk: none is claimed"));
    let body = table.split("<tbody>").nth(1).unwrap();
    let rows: Vec<&str> = body.split("</tr>").filter(|r| r.contains("<tr>")).collect();
    assert_eq!(rows.len(), rendered.summary.cells.len());
    assert_eq!(rows.len(), 12);
    for (row, cell) in rows.iter().zip(&rendered.summary.cells) {
        for text in [&cell.setting, &cell.solver] {
            assert!(row.contains(&escaped(text)), "{text} is not in {row}");
        }
        for value in [
            cell.n as f64,
            cell.pred.0,
            cell.theory.risk(Prediction).0,
            cell.frob.0,
            cell.theory.risk(Frobenius).0,
        ] {
            let value = if value.is_nan() { String::new() } else { value.to_string() };
            assert!(row.contains(&format!("data-v=\"{value}\"")), "{value} is not in {row}");
        }
    }
    assert!(
        rendered.checks.iter().any(|c| c.passed) && rendered.checks.iter().any(|c| !c.passed),
        "{:?}",
        rendered.checks
    );
    for check in &rendered.checks {
        for text in [&check.kind, &check.claim, &check.verdict].into_iter().chain(&check.details) {
            let rate = "√(<i>d</i><sub>M</sub>/<i>n</i>)";
            let typeset = escaped(&text.replace("<=", "≤")).replace("sqrt(d_M/n)", rate);
            assert!(html.contains(&typeset), "{text}");
        }
    }
    // Counts are those of the summary, and the command repeats the failures of the table.
    let of = |kind| rendered.record.failures.iter().filter(move |f| f.kind == kind);
    let total = |kind| of(kind).map(|f| f.count).sum::<u64>() as usize;
    let sum = |f: fn(&study::CellSummary) -> usize| rendered.summary.cells.iter().map(f).sum::<usize>();
    assert_eq!(total(FailureKind::Error), sum(|c| c.errors));
    assert_eq!(total(FailureKind::NotConverged), sum(|c| c.not_converged));
    assert_eq!(total(FailureKind::MissedOptimum), sum(|c| c.optimisation_failures));
    assert!(total(FailureKind::NotConverged) > 0, "two iterations are too few");
    let failure = of(FailureKind::NotConverged).next().unwrap();
    let (cell, replicate) = (failure.cell.to_string(), failure.replicate.to_string());
    let command = format!("study rerun '{}' --cell CELL --replicate REPLICATE --trace", run.display());
    assert!(html.contains(&escaped(&command)), "{command}");
    let from = html.find("<table id=\"table-failures\"").unwrap();
    let table = &html[from..from + html[from..].find("</table>").unwrap()];
    let row = table
        .split("<tr>")
        .find(|r| r.contains(&format!("<th scope=\"row\" class=\"num\" data-v=\"{cell}\">")));
    let shown = format!("<td class=\"num\" data-v=\"{replicate}\">{replicate}</td>");
    assert!(row.is_some_and(|row| row.contains(&shown)), "{cell} {replicate}: {table}");
    let again =
        ["study", "rerun", run.to_str().unwrap(), "--cell", &cell, "--replicate", &replicate, "--json"];
    let again: Value = serde_json::from_slice(&convstat(&again).stdout).unwrap();
    assert_eq!(again["termination"], failure.termination().as_str());
    assert_eq!(again["compared"], "identical to the stored row");
}

#[test]
fn an_unfinished_run_says_what_is_missing() {
    let place = tempfile::tempdir().unwrap();
    let run = place.path().join("run");
    prepare(&study_of(HOSTILE), &run).unwrap();
    let empty = render(&run);
    assert!(
        empty.html.contains("144 replicates are missing; 12 of its 12 cells have none"),
        "{}",
        empty.html
    );
    assert!(empty.html.contains("No replicate is stored yet"));

    let shard = RunOptions { shard: Some("1/2".parse().unwrap()), ..ALL };
    study::run(&study_of(HOSTILE), &run, shard).unwrap();
    let half = render(&run);
    let there: u64 = half.record.replicates.iter().sum();
    assert!(0 < there && there < 144);
    assert!(half.html.contains(&format!("unfinished: {there} of 144 replicates")));
    let lacking = half.record.replicates.iter().filter(|r| **r < 12).count();
    assert!(half.html.contains(&format!("The {lacking} cells that lack replicates")));
    let path = run.to_str().unwrap();
    let output = convstat(&["report", path]);
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("{path}/report.html\n"));
    assert_eq!(std::fs::read_to_string(run.join("report.html")).unwrap(), half.html);

    study::run(&study_of(HOSTILE), &run, ALL).unwrap();
    let whole = render(&run).html;
    assert!(!whole.contains("unfinished:") && whole.contains("144 replicates in 12 cells"));
    assert_eq!(convstat(&["report", path]).status.code(), Some(0));
    // The same run gives the same page.
    assert_eq!(render(&run).html, whole);
}

#[test]
fn bad_places_are_refused_before_the_work() {
    let place = tempfile::tempdir().unwrap();
    let run = place.path().join("run");
    prepare(&study_of(HOSTILE), &run).unwrap();
    let path = run.to_str().unwrap();
    let nowhere = place.path().join("none/page.html");
    for (arguments, expected) in [
        (vec!["report", path, "--out", path], "it is a folder"),
        (vec!["report", path, "--out", nowhere.to_str().unwrap()], "there is no folder"),
        (vec!["report", place.path().to_str().unwrap()], "manifest.json"),
    ] {
        let output = convstat(&arguments);
        let errors = String::from_utf8_lossy(&output.stderr).replace('│', " ");
        let errors = errors.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(output.status.code(), Some(2), "{errors}");
        assert!(errors.contains(expected), "{arguments:?}: {errors}");
    }
}

/// Texts with less contrast than 4.5 : 1 against what is behind them.
const FAINT: &str = r#"(() => {
  const parts = (colour) => { const p = colour.match(/[\d.]+/g).map(Number); return p.length === 3 ? [...p, 1] : p; };
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((v) => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const behind = (e) => {
    for (; e; e = e.parentElement) { const c = parts(getComputedStyle(e).backgroundColor); if (c[3] > 0) return c; }
    return [255, 255, 255, 1];
  };
  const has_text = (e) => [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
  const texts = [...document.querySelectorAll("body *:not(svg *):not(script)")].filter(has_text);
  const ratio = (e) => {
    const [a, b] = [light(parts(getComputedStyle(e).color)), light(behind(e))];
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  };
  return { texts: texts.length, faint: texts.filter((e) => ratio(e) < 4.5).map((e) => e.outerHTML.slice(0, 80)) };
})()"#;

/// Strokes and fills of the drawings with less contrast than 3 : 1 for series and 4.5 : 1 for text on a dark page.
const FAINT_MARKS: &str = r##"(() => {
  const light = (c) => {
    const [x, y, z] = c.match(/[\d.]+/g).map((v) => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const page = light(getComputedStyle(document.body).backgroundColor);
  const shapes = [...document.querySelectorAll(".drawing [fill]:not([fill=none]):not([fill='#000000'])")];
  const ratio = (e) => (light(getComputedStyle(e).fill) + 0.05) / (page + 0.05);
  return { shapes: shapes.length, faint: shapes.filter((e) => ratio(e) < (e.getAttribute("fill") === "#222222" ? 4.5 : 3)).length };
})()"##;

const SIDEWAYS: &str = "document.documentElement.scrollWidth - document.documentElement.clientWidth";

#[test]
#[expect(clippy::too_many_lines, reason = "one page from top to bottom")]
fn a_browser_shows_it_without_complaint() {
    let place = tempfile::tempdir().unwrap();
    let run = place.path().join("run");
    study::run(&study_of(HOSTILE), &run, ALL).unwrap();
    assert_eq!(convstat(&["report", run.to_str().unwrap()]).status.code(), Some(0));
    let rendered = render(&run);
    let mut b = Browser::start(&place.path().join("profile"));
    b.show_on(1200, 900, "light");
    b.open(&run.join("report.html"));
    assert_eq!(b.value("document.title"), "hostile: simulation study", "nothing of the study file ran");
    assert_eq!(b.value("document.documentElement.lang"), "en");

    // Structure: unique ids, headings without gaps, headers with scope, pictures with a text.
    let ids = "[...document.querySelectorAll('[id]')].map((e) => e.id)";
    assert_eq!(b.value(&format!("new Set({ids}).size === {ids}.length")), true);
    let levels = b.value("[...document.querySelectorAll('h1,h2,h3,h4')].map((e) => Number(e.tagName[1]))");
    let levels: Vec<u64> = levels.as_array().unwrap().iter().map(|v| v.as_u64().unwrap()).collect();
    assert_eq!(levels[0], 1);
    assert!(levels.len() > 10 && levels.windows(2).all(|w| w[1] <= w[0] + 1), "{levels:?}");
    assert_eq!(b.value("document.querySelectorAll('th:not([scope])').length"), 0);
    assert_eq!(b.value("[...document.querySelectorAll('svg[role=img]')].every((s) => s.querySelector('title').textContent)"), true);

    // A pointer near a point shows its values; every measured mean has its mark.
    let marks =
        b.value("document.querySelectorAll('.marks')[0].querySelectorAll('circle').length").as_u64().unwrap();
    let means: usize = rendered
        .summary
        .cells
        .iter()
        .map(|c| usize::from(c.pred.0.is_finite()) + usize::from(c.frob.0.is_finite()))
        .sum();
    assert_eq!(marks as usize, means);
    let hidden = "[...document.querySelectorAll('.tip')].every((t) => t.hidden)";
    assert_eq!(b.value(hidden), true);
    let centre = b.value(
        "(() => { const m = document.querySelector('.marks circle'); m.scrollIntoView({ block: 'center', behavior: 'instant' });
          const r = m.getBoundingClientRect(); return [r.left + r.width / 2, r.top + r.height / 2]; })()",
    );
    b.point_at(centre[0].as_f64().unwrap() + 3.0, centre[1].as_f64().unwrap() - 3.0);
    let tip = b.value("document.querySelector('.tip:not([hidden])')?.innerText ?? ''");
    let tip = tip.as_str().unwrap();
    assert!(
        tip.contains("MCSE")
            && tip.contains("onmouseover") | tip.contains("</script><script>")
            && tip.contains("√(d_M / n) = "),
        "{tip}"
    );
    let label = b.value("document.querySelector('.marks circle.on').getAttribute('aria-label')");
    assert_eq!(label.as_str().unwrap(), tip.replace('\n', ", "));
    b.point_at(2.0, 2.0);
    assert_eq!(b.value(hidden), true);

    // The keyboard reaches them: one stop a figure, arrows from point to point.
    assert_eq!(b.value("[...document.querySelectorAll('.marks')].map((m) => m.querySelectorAll('[tabindex=\"0\"]').length)"), json!([1, 1]));
    b.value("document.querySelector('.marks circle').focus()");
    let first = b.value("document.querySelector('.tip').innerText");
    b.press("ArrowRight");
    let second = b.value("document.querySelector('.tip').innerText");
    assert!(first != second && second.as_str().unwrap().contains("MCSE"), "{first} {second}");
    b.press("Escape");
    assert_eq!(b.value(hidden), true);

    // Columns sort, numbers as numbers.
    let column = "(() => { const t = document.querySelector('#table-summary'); const i = [...t.tHead.rows[0].cells].findIndex((c) => c.textContent === 'n');
        t.tHead.rows[0].cells[i].querySelector('button').click(); return [...t.tBodies[0].rows].map((r) => Number(r.cells[i].dataset.v)); })()";
    let mut sizes = [5, 60, 300].map(|n| [n; 4]).concat();
    assert_eq!(b.value(column), json!(sizes));
    sizes.reverse();
    assert_eq!(b.value(column), json!(sizes));

    // What is saved: a drawing that stands alone, and as many lines of data as it shows.
    let svg = "(() => { let saved; const make = URL.createObjectURL; URL.createObjectURL = (x) => { saved = x; return make(x); };
        HTMLAnchorElement.prototype.click = () => {}; document.querySelector('button.save').click(); return saved.text(); })()";
    let svg = b.value(svg);
    assert!(
        svg.as_str().unwrap().starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\"")
            || svg.as_str().unwrap().contains("xmlns=")
    );
    assert_eq!(
        b.value(&format!(
            "new DOMParser().parseFromString({svg}, 'image/svg+xml').querySelectorAll('parsererror').length"
        )),
        0
    );
    let csv = b.value("decodeURIComponent(document.querySelector('.drawn a[download]').href.split(',')[1])");
    let csv = csv.as_str().unwrap();
    assert_eq!(csv.lines().filter(|l| l.contains(",point,")).count(), means);
    assert!(csv.contains(&format!("{}", rendered.summary.cells[0].pred.0)), "{csv}");

    for scheme in ["light", "dark"] {
        for width in [1200, 390] {
            b.show_on(width, 844, scheme);
            assert!(
                b.value(SIDEWAYS).as_f64().unwrap() <= 0.0,
                "{width} {scheme}: the page scrolls sideways"
            );
            let faint = b.value(FAINT);
            assert!(faint["texts"].as_u64().unwrap() > 100);
            assert_eq!(faint["faint"], json!([]), "{scheme}");
        }
    }
    let faint = b.value(FAINT_MARKS);
    assert!(faint["shapes"].as_u64().unwrap() > 100);
    assert_eq!(faint["faint"], 0);

    b.show_on(1200, 900, "light");
    // A wide table has the window's width, and its first column stays where the rest moves.
    let wide = "(() => { const box = document.querySelector('#table-summary').parentElement; const head = box.querySelector('th[scope=row]');
        const at = () => head.getBoundingClientRect().left - box.getBoundingClientRect().left;
        const before = at(); box.scrollLeft = 200; return [box.scrollWidth > box.clientWidth, at() - before]; })()";
    b.show_on(390, 844, "light");
    assert_eq!(b.value(wide), json!([true, 0]));
    b.show_on(1200, 900, "light");

    let pdf = b.call("Page.printToPDF", json!({ "printBackground": false, "preferCSSPageSize": true }));
    let pdf = pdf["data"].as_str().unwrap();
    // "%PDF-" in base 64.
    assert!(pdf.starts_with("JVBERi0") && pdf.len() > 40_000, "{}", pdf.len());
    b.call("Emulation.setEmulatedMedia", json!({ "media": "print" }));
    b.call(
        "Emulation.setDeviceMetricsOverride",
        json!({ "width": 690, "height": 980, "deviceScaleFactor": 1, "mobile": false }),
    );
    // Wide tables lie on pages in landscape, of which Letter is the narrower.
    let outside = "[...document.querySelectorAll('body *:not(svg *)')]
        .filter((e) => e.getBoundingClientRect().right > (e.closest('.table.wide') ? 949 : innerWidth) + 1)
        .map((e) => e.outerHTML.slice(0, 90))";
    assert_eq!(b.value(outside), json!([]), "the printed page is wider than paper");
    // Chromium paints no box within the heads of further pages; numbers with their errors stay on one line.
    let boxes = "[...document.querySelectorAll('th button')].filter((e) => getComputedStyle(e).display !== 'contents').length";
    assert_eq!(b.value(boxes), 0);
    let broken = "[...document.querySelectorAll('#table-summary td.num')].filter((e) => getComputedStyle(e).whiteSpace !== 'nowrap').length";
    assert_eq!(b.value(broken), 0);
    let size = "parseFloat(getComputedStyle(document.querySelector('#table-summary')).fontSize) * 0.75";
    assert!(b.value(size).as_f64().unwrap() > 6.99, "points, as pixels with five decimals");

    assert_eq!(b.complaints, Vec::<String>::new());
    let other: Vec<&String> =
        b.requests.iter().filter(|r| !r.ends_with("/report.html") && !r.starts_with("blob:")).collect();
    assert!(other.is_empty(), "{other:?}");
}
