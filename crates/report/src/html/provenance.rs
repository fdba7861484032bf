//! Where the numbers come from: program, machine, seed, digests, time; the study file; and how to cite it all.

use convstat_runner::{Manifest, Provenance, slurm::quoted, time_left};
use convstat_study::Record;
use maud::{Markup, Render, html};

use super::download::download;
use super::table::{Cell, Column, table, terms};

/// Title of the program, as CITATION.cff has it.
const TITLE: &str = "convstat: sample complexity of convolutional networks, theory and measurement";
/// Where it is.
const ADDRESS: &str = env!("CARGO_PKG_REPOSITORY");

/// Works whose methods a study uses: key, authors, title, year, where.
const WORKS: [[&str; 5]; 3] = [
    [
        "huang2020rethinking",
        "Huang, Feiqing and Si, Yuefeng and Li, Guodong",
        "Rethinking compressed convolutional neural networks from a statistical perspective",
        "2020",
        "",
    ],
    [
        "huang2021compressed",
        "Huang, Feiqing and Si, Yuefeng and Zheng and Li, Guodong",
        "A New Measure of Model Redundancy for Compressed Convolutional Neural Networks",
        "2021",
        "arXiv 2112.04857",
    ],
    [
        "morris2019simulation",
        "Morris, Tim P. and White and Crowther",
        "Using simulation studies to evaluate statistical methods",
        "2019",
        "",
    ],
];

fn processors(p: &Provenance) -> String {
    format!("{}, {} logical processors, {}", p.processor, p.processors, p.system)
}

/// Who computed what, where and when.
pub fn provenance(manifest: &Manifest, record: &Record) -> Markup {
    let p = &manifest.provenance;
    let code = |text: &str| html! { code { (text) } };
    let mut items = vec![
        ("Program", html! { "convstat " (p.version) ", commit " (code(&p.commit)) }),
        ("Machine", processors(p).render()),
        ("BLAS", p.blas.render()),
        ("Seed", code(&manifest.seed.to_string())),
        ("Study file, SHA-256", code(&manifest.study_sha256)),
    ];
    if let Some(data) = &manifest.data {
        items.push(("Data, SHA-256", code(data)));
    }
    items.extend([
        ("Started", p.started.render()),
        ("Replicates stored", record.replicates.iter().sum::<u64>().render()),
        ("Computing time", html! { (time_left(record.seconds)) ", all replicates one after another" }),
        ("Report", html! { "made by convstat " (env!("CARGO_PKG_VERSION")) }),
    ]);
    html! {
        (terms(&items))
        // The manifest names who began; parts name who computed them.
        @if record.origins.len() > 1 { (origins(record)) }
        @if !record.damaged.is_empty() {
            p { "Parts that cannot be read, whose replicates will run again:" }
            ul { @for part in &record.damaged { li { (part) } } }
        }
    }
}

/// Who computed how many replicates.
fn origins(record: &Record) -> Markup {
    let row = |(origin, rows): &(Option<Provenance>, usize)| {
        let (program, machine, blas) = origin.as_ref().map_or_else(
            || ("not stated".to_owned(), "–".to_owned(), "–".to_owned()),
            |o| (format!("convstat {} ({})", o.version, o.commit), processors(o), o.blas.clone()),
        );
        vec![Cell::text(program), Cell::text(machine), Cell::text(blas), Cell::count(*rows)]
    };
    let columns = [
        Column::text("Program"),
        Column::text("Machine"),
        Column::text("BLAS"),
        Column::number("Replicates"),
    ];
    let rows: Vec<Vec<Cell>> = record.origins.iter().map(row).collect();
    table("origins", "Who computed the replicates.", &columns, &rows)
}

/// The study file as text, with the commands that use it.
pub fn study_file(manifest: &Manifest, run: &str) -> Markup {
    let file = format!("{}.toml", manifest.name);
    let commands = format!(
        "convstat study run {} --replicates {} --out again\nconvstat study verify {run}     # a random 1 % of this run again",
        quoted(&file),
        manifest.replicates
    );
    html! {
        p class="buttons" { (download(&file, "application/toml", &manifest.study, "Study file (TOML)")) }
        pre tabindex="0" { code { (manifest.study) } }
        p { "The same numbers again, from this file and a program of the same commit:" }
        pre tabindex="0" { code { (commands) } }
    }
}

/// A sentence for a paper, and entries for its bibliography.
pub fn cite(manifest: &Manifest) -> Markup {
    let p = &manifest.provenance;
    let digest: String = manifest.study_sha256.chars().take(12).collect();
    let sentence = format!(
        "Simulations were run with convstat {} (commit {}), study “{}” (SHA-256 {digest}…), seed {}, {} replicates a cell.",
        p.version, p.commit, manifest.name, manifest.seed, manifest.replicates
    );
    let mut entries = format!(
        "@software{{convstat,\n  title   = {{{{{TITLE}}}}},\n  author  = {{{{The convstat developers}}}},\n  version = {{{}}},\n  \
         note    = {{commit {}}},\n  url     = {{{ADDRESS}}}\n}}\n",
        p.version, p.commit
    );
    for [key, authors, title, year, place] in WORKS {
        let note = if place.is_empty() { String::new() } else { format!(",\n  note   = {{{place}}}") };
        entries += &format!(
            "@article{{{key},\n  author = {{{authors}}},\n  title  = {{{{{title}}}}},\n  year   = {{{year}}}{note}\n}}\n"
        );
    }
    html! {
        blockquote { (sentence) }
        pre tabindex="0" { code { (entries) } }
        p class="buttons" {
            (download("convstat.bib", "application/x-bibtex", &entries, "Bibliography (BibTeX)"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cited_is_in_the_citation_file() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../CITATION.cff");
        let file = std::fs::read_to_string(path).unwrap();
        assert!(file.contains(TITLE));
        for [_, authors, title, year, place] in WORKS {
            assert!(file.contains(title), "{title}");
            assert!(file.contains(place) && file.contains(year));
            for family in authors.split(" and ").filter_map(|a| a.split(',').next()) {
                assert!(file.contains(&format!("family-names: {family}")), "{family}");
            }
        }
    }
}
