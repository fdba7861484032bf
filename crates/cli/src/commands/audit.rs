//! `convstat audit`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use convstat::audit::output::{compare, ratio};
use convstat::audit::{Audit, BlockAudit, LoadOptions, load};
use convstat::graph::{GraphError, catalogue};
use convstat::report::{Bar, Canvas, Format as Picture, draw_bars, table::align};

use crate::failure::Failure;
use crate::output::{Status, either, print, print_json};

/// How the audit is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A table to read
    Table,
    /// Everything, for programs
    Json,
    /// A table for a page
    Markdown,
    /// A table for a paper (booktabs)
    Latex,
}

/// Order of the blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Order {
    /// As in the network
    Network,
    /// Most redundant parameters first
    Redundancy,
}

/// `audit`.
#[derive(Debug, Args)]
pub struct AuditCommand {
    /// Model files (.onnx, .safetensors, .toml) or names as torchvision spells them (resnet50); several are compared
    #[arg(required_unless_present = "list")]
    models: Vec<String>,
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Size of the input, for instance 3x224x224; of a named input or mode of an ONNX file as NAME=SIZES; may be given several
    /// times (default: what the model says, or its usual one)
    #[arg(long, value_name = "SIZES")]
    input: Vec<String>,
    /// Network that a safetensors file holds the weights of, by name or as an architecture file (default: what a config.json
    /// beside it says)
    #[arg(long, value_name = "NAME|FILE.toml")]
    architecture: Option<String>,
    /// Classes of a network known by name (default: as published)
    #[arg(long, value_name = "N")]
    classes: Option<u64>,
    /// Positions P that what reads a block has weights on, for every block (default: those of its output)
    #[arg(long, value_name = "P", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    positions: Option<u64>,
    /// Order of the blocks
    #[arg(long, value_enum, default_value_t = Order::Network)]
    sort: Order,
    /// What to change in each block: K > R, and trained weights of low rank
    #[arg(long)]
    advice: bool,
    /// List the layers outside the theory, and why they are
    #[arg(long)]
    why: bool,
    /// Draw a bar a block, identifiable and other parameters, to this file (.svg, .png or .pdf)
    #[arg(long, value_name = "FILE")]
    figure: Option<PathBuf>,
    /// List the networks known by name
    #[arg(long)]
    list: bool,
}

impl AuditCommand {
    /// Does it.
    pub fn run(&self) -> Result<Status, Failure> {
        if self.list && self.format == Format::Json {
            let all = catalogue::networks()
                .map(|n| serde_json::json!({ "name": n.name, "network": n.title, "paper": n.source }));
            print_json(&all.collect::<Vec<_>>())?;
            return Ok(Status::Done);
        }
        if self.list {
            let row =
                |n: &catalogue::Network| vec![n.name.to_owned(), n.title.to_owned(), n.source.to_owned()];
            let head = vec!["name".to_owned(), "network".to_owned(), "paper".to_owned()];
            print(&align(&std::iter::once(head).chain(catalogue::networks().map(row)).collect::<Vec<_>>()))?;
            return Ok(Status::Done);
        }
        let options = LoadOptions {
            inputs: self.input.iter().map(|text| text.parse()).collect::<Result<_, GraphError>>()?,
            architecture: self.architecture.clone(),
            classes: self.classes.map(|c| c as usize),
        };
        let mut audits = Vec::new();
        for model in &self.models {
            let read = load(model, &options)?;
            for note in &read.notes {
                eprintln!("note: {model}: {note}");
            }
            let mut audit = Audit::new(&read.graph, self.positions.map(|p| p as usize))?;
            if self.sort == Order::Redundancy {
                audit.sort_by_redundancy();
            }
            audits.push(audit);
        }
        if let Some(path) = &self.figure {
            Self::draw(&audits, path)?;
        }
        match self.format {
            Format::Json if audits.len() == 1 => print_json(&audits[0])?,
            Format::Json => print_json(&audits)?,
            Format::Markdown => print(&audits.iter().map(Audit::markdown).collect::<Vec<_>>().join("\n"))?,
            Format::Latex => print(&audits.iter().map(Audit::latex).collect::<Vec<_>>().join("\n"))?,
            Format::Table => self.table(&audits)?,
        }
        Ok(Status::Done)
    }

    fn table(&self, audits: &[Audit]) -> Result<(), Failure> {
        for audit in audits {
            if !audit.blocks.is_empty() {
                print(&align(&audit.rows()))?;
            }
            if self.advice {
                let advised = audit.blocks.iter().filter(|b| !b.advice.is_empty());
                for block in advised {
                    let lines: String = block.advice.iter().map(|a| format!("    {a}\n")).collect();
                    print(&format!("{}\n{lines}", block.name))?;
                }
            }
            if self.why {
                for o in &audit.outside {
                    print(&format!("{}: {}; {}\n", o.name, o.what, o.why))?;
                }
            } else if !audit.outside.is_empty() {
                print(&format!("layers outside the theory: {} (--why)\n", audit.outside.len()))?;
            }
            print(&format!("{}\n", audit.summary()))?;
        }
        if audits.len() > 1 {
            print(&format!("\n{}", align(&compare(audits))))?;
        }
        Ok(())
    }

    fn draw(audits: &[Audit], path: &std::path::Path) -> Result<(), Failure> {
        let [audit] = audits else {
            return Err(
                Failure::new("--figure draws one model").help("give one model, or leave --figure out")
            );
        };
        let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
        let format = Picture::ALL.into_iter().find(|f| f.extension() == extension).ok_or_else(|| {
            let endings = either(Picture::ALL.map(|f| format!(".{}", f.extension())));
            Failure::new(format!("--figure {}", path.display())).help(format!("end its name in {endings}"))
        })?;
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(std::path::Path::new("."));
        let name = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
        picture(audit, &name)?.save(folder, &[format])?;
        eprintln!("{}", path.display());
        Ok(())
    }
}

/// The picture of an audit.
fn picture(audit: &Audit, name: &str) -> Result<Canvas, Failure> {
    let bar = |b: &BlockAudit| {
        let f = &b.figures;
        let (naive, identifiable, redundant) = (f.naive?, f.identifiable?, f.redundant?);
        Some(Bar {
            label: b.name.clone(),
            parts: [identifiable, naive - identifiable - redundant, redundant].map(|n| n as f64),
            note: if f.kr > 1.0 { format!("K/R {}", ratio(f.kr)) } else { String::new() },
        })
    };
    let bars: Option<Vec<Bar>> = audit.blocks.iter().map(bar).collect();
    let Some(bars) = bars else {
        return Err(Failure::new(format!("the positions P of the blocks of {} are not known", audit.name))
            .help("give --input, --architecture or --positions"));
    };
    if bars.is_empty() {
        return Err(Failure::new(format!("{} has no block to draw", audit.name))
            .help("--why says what its layers are"));
    }
    let alt = format!("Naive parameters of each block of {}: identifiable, gauge, redundant", audit.name);
    let parts = ["identifiable (df)", "gauge, rank beyond P", "redundant, K > R"];
    Ok(draw_bars(
        name,
        &alt,
        &audit.name,
        parts,
        "naive parameters: the block's weights and the KP that read it",
        &bars,
    ))
}
