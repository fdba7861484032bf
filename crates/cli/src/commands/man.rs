//! `convstat man`.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::failure::Failure;
use crate::output::{Status, print, print_json};

/// `man`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  convstat man --out ~/.local/share/man/man1
  convstat man --out man; man ./man/convstat-study-run.1")]
pub struct Man {
    /// Folder that the pages are written to; made if it is not there
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Print JSON: the files
    #[arg(long)]
    json: bool,
}

impl Man {
    /// Does it.
    pub fn run(&self, parser: clap::Command) -> Result<Status, Failure> {
        let cannot = |e: std::io::Error| {
            Failure::new(format!("cannot write man pages in {}: {e}", self.out.display()))
        };
        std::fs::create_dir_all(&self.out).map_err(cannot)?;
        let mut root = parser.disable_help_subcommand(true);
        root.build();
        let mut files = Vec::new();
        write(&root, "convstat", &self.out, &mut files).map_err(cannot)?;
        if self.json {
            print_json(&files)?;
        } else {
            print(&files.iter().map(|f| format!("{}\n", f.display())).collect::<String>())?;
        }
        Ok(Status::Done)
    }
}

/// A section whose lines are not filled, for commands stand in them.
fn as_it_stands(title: &str, text: &str) -> String {
    let line = |l: &str| {
        let l = l.replace('\\', "\\e").replace('-', "\\-");
        // A line that begins so would be a command of roff.
        if l.starts_with(['.', '\'']) { format!("\\&{l}\n") } else { format!("{l}\n") }
    };
    format!(".SH \"{title}\"\n.nf\n{}.fi\n", text.lines().map(line).collect::<String>())
}

/// The page of a command, and those of its subcommands.
fn write(
    command: &clap::Command,
    name: &str,
    folder: &Path,
    files: &mut Vec<PathBuf>,
) -> std::io::Result<()> {
    let page = clap_mangen::Man::new(command.clone().display_name(name));
    let path = folder.join(format!("{name}.1"));
    let mut bytes = Vec::new();
    page.render_title(&mut bytes)?;
    page.render_name_section(&mut bytes)?;
    page.render_synopsis_section(&mut bytes)?;
    page.render_description_section(&mut bytes)?;
    page.render_options_section(&mut bytes)?;
    if command.has_subcommands() {
        page.render_subcommands_section(&mut bytes)?;
    }
    if let Some(text) = command.get_after_help() {
        bytes.extend(as_it_stands("NOTES AND EXAMPLES", &text.to_string()).bytes());
    }
    std::fs::write(&path, bytes)?;
    files.push(path);
    for sub in command.get_subcommands().filter(|s| !s.is_hide_set()) {
        write(sub, &format!("{name}-{}", sub.get_name()), folder, files)?;
    }
    Ok(())
}
