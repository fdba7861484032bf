//! `convstat study new`: a commented study file to begin with.

use std::path::PathBuf;

use clap::Args;
use clap::builder::PossibleValuesParser;
use convstat::report::table::align;
use convstat::runner::slurm::quoted;
use convstat::study::StudyFile;

use crate::failure::Failure;
use crate::output::{Status, print, print_json};

/// Templates by name: text, and what a study of it shows is its first line.
const TEMPLATES: [(&str, &str); 6] = [
    ("rate", include_str!("../../../templates/rate.toml")),
    ("kr-ratio", include_str!("../../../templates/kr-ratio.toml")),
    ("bounds", include_str!("../../../templates/bounds.toml")),
    ("selection", include_str!("../../../templates/selection.toml")),
    ("confidence", include_str!("../../../templates/confidence.toml")),
    ("classification", include_str!("../../../templates/classification.toml")),
];

/// What templates have in common, put where a line `#> NAME` stands.
const PARTS: [(&str, &str); 9] = [
    ("setting", include_str!("../../../templates/setting.part")),
    ("design", include_str!("../../../templates/design.part")),
    ("noise", include_str!("../../../templates/noise.part")),
    ("truth", include_str!("../../../templates/truth.part")),
    ("estimator", include_str!("../../../templates/estimator.part")),
    ("estimator-keys", include_str!("../../../templates/estimator-keys.part")),
    ("theory", include_str!("../../../templates/theory.part")),
    ("check", include_str!("../../../templates/check.part")),
    ("figure", include_str!("../../../templates/figure.part")),
];

/// `study new`.
#[derive(Debug, Args)]
pub struct New {
    /// Name of the study, and of its file and run directory (default: the template's); or its file, FOLDER/NAME.toml
    name: Option<String>,
    /// Template to begin with; --list names them
    #[arg(long, value_name = "TEMPLATE", default_value = "rate", value_parser = PossibleValuesParser::new(TEMPLATES.map(|t| t.0)))]
    template: String,
    /// Study file to write (default NAME.toml; - is standard output)
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace FILE if it is there
    #[arg(long)]
    force: bool,
    /// List the templates
    #[arg(long, conflicts_with_all = ["name", "out", "force"])]
    list: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The text of a template with its parts, for a study of this name.
fn text_of(template: &str, name: &str) -> String {
    let line = |line: &str| match line.strip_prefix("#> ") {
        Some(part) => PARTS.iter().find(|(n, _)| *n == part).map_or("", |(_, text)| *text).to_owned(),
        None => format!("{line}\n"),
    };
    template.lines().map(line).collect::<String>().replace("{{name}}", name)
}

/// What a template is for: its first line.
fn purpose(template: &str) -> &str {
    template.lines().next().unwrap_or_default().trim_start_matches("# ")
}

impl New {
    /// Does it.
    pub fn run(&self) -> Result<Status, Failure> {
        if self.list {
            self.print_list()?;
            return Ok(Status::Done);
        }
        let Some((kind, template)) = TEMPLATES.iter().find(|(name, _)| *name == self.template) else {
            return Err(Failure::new(format!("--template {}: there is none of this name", self.template)));
        };
        let given = self.name.as_deref().unwrap_or(kind);
        let (name, file) = match given.strip_suffix(".toml") {
            Some(stem) => (stem.rsplit('/').next().unwrap_or(stem), PathBuf::from(given)),
            None => (given, PathBuf::from(format!("{given}.toml"))),
        };
        if name.contains(['"', '\\', '\n']) {
            return Err(Failure::new(format!("NAME {name:?}; give letters, digits, - _ . and spaces")));
        }
        let text = text_of(template, name);
        // A name that no study may have is refused before there is a file.
        StudyFile::parse(&text)?;
        let out = self.out.clone().unwrap_or(file);
        if out.as_os_str() == "-" {
            print(&text)?;
            return Ok(Status::Done);
        }
        if out.exists() && !self.force {
            return Err(Failure::new(format!("{} is there already", out.display()))
                .help("give another --out FILE, or --force to replace it"));
        }
        std::fs::write(&out, text)
            .map_err(|e| Failure::new(format!("cannot write {}: {e}", out.display())))?;
        let file = quoted(&out.to_string_lossy());
        if self.json {
            print_json(&serde_json::json!({ "file": out, "template": kind, "name": name }))?;
        } else {
            print(&format!(
                "{} written, from template {kind}\nnext: convstat study plan {file}\n      convstat study run {file}\n",
                out.display()
            ))?;
        }
        Ok(Status::Done)
    }

    fn print_list(&self) -> Result<(), Failure> {
        if self.json {
            let all = TEMPLATES
                .iter()
                .map(|(name, text)| serde_json::json!({ "name": name, "purpose": purpose(text) }));
            return print_json(&all.collect::<Vec<_>>());
        }
        let row = |(name, text): &(&str, &str)| vec![(*name).to_owned(), purpose(text).to_owned()];
        let head = vec!["template".to_owned(), "study".to_owned()];
        print(&align(&std::iter::once(head).chain(TEMPLATES.iter().map(row)).collect::<Vec<_>>()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use convstat::study::{Overrides, RunOptions, Study};

    /// The text with its defaults, `#key = value`, as keys.
    fn with_defaults(text: &str) -> String {
        let is_key = |l: &str| l.starts_with('#') && l[1..].starts_with(|c: char| c.is_ascii_lowercase());
        text.lines().map(|l| if is_key(l) { format!("{}\n", &l[1..]) } else { format!("{l}\n") }).collect()
    }

    #[test]
    fn templates_say_true_defaults() {
        for (name, template) in TEMPLATES {
            let text = text_of(template, "a name");
            assert!(!text.contains("#>") && !text.contains("{{"), "{name}: {text}");
            let longest = text.lines().map(|l| l.chars().count()).max().unwrap();
            assert!(longest <= 120, "{name}: a line of {longest}");
            let plain = StudyFile::parse(&text).unwrap();
            let full = StudyFile::parse(&with_defaults(&text)).unwrap();
            for key in ["stride", "max_iterations", "tolerance", "confidence", "draws", "delta"] {
                assert!(with_defaults(&text).lines().any(|l| l.starts_with(key)), "{name}: no {key}");
            }
            let text_of = |f: &StudyFile| {
                let mut f = f.clone();
                for s in &mut f.setting {
                    let g = &mut s.geometry;
                    (g.stride, g.padding, g.dilation) = (None, None, None);
                }
                toml::to_string(&f).unwrap()
            };
            assert_eq!(text_of(&plain), text_of(&full), "{name}: a default is not what the template says");
            let geometry = |f: &StudyFile| convstat::cnn::Geometry::new(&f.setting[0].geometry).unwrap();
            assert_eq!(geometry(&plain).positions_shape(), geometry(&full).positions_shape(), "{name}");
        }
    }

    #[test]
    fn templates_run() {
        for (name, template) in TEMPLATES {
            let text = text_of(template, name);
            let overrides = Overrides {
                replicates: Some(2),
                set: vec!["theory.draws=2".into(), "theory.starts=0".into(), "theory.designs=2".into()],
            };
            let study = Study::new(&text, &overrides).unwrap();
            convstat::report::figures::check(&study.plan.file).unwrap();
            let folder = tempfile::tempdir().unwrap();
            let report = convstat::study::run(&study, folder.path(), RunOptions::default()).unwrap();
            let summary = report.summary.unwrap();
            assert_eq!(summary.missing_replicates, 0, "{name}");
            assert_eq!(summary.cells.iter().map(|c| c.errors).sum::<usize>(), 0, "{name}");
            assert_eq!(report.checks.len(), study.plan.file.check.len(), "{name}");
        }
    }
}
