//! The overview that `convstat`, `convstat help` and `convstat --help` print: commands grouped by purpose.

use clap::Command;
use clap::builder::StyledStr;

/// Purposes and the commands that serve them, in order of first use. A command that is not here stands under "Other".
const GROUPS: [(&str, &[&str]); 4] = [
    ("Studies: does the theory hold, and from which n", &["study", "figures", "table", "report", "notebook"]),
    ("Theory: how many samples", &["bound", "plan-n", "formulate"]),
    ("Your own data", &["fit", "select", "test"]),
    ("Networks: how much no data can identify", &["audit"]),
];

/// Commands about the program itself.
const PROGRAM: (&str, &[&str]) = ("This program", &["doctor", "completions", "man", "help"]);

/// The command with the overview as its help.
pub fn with_overview(command: Command) -> Command {
    let header = command.get_styles().get_header().to_owned();
    let literal = command.get_styles().get_literal().to_owned();
    let about = |name: &str| match command.get_subcommands().find(|c| c.get_name() == name) {
        Some(c) => c.get_about().map(StyledStr::to_string),
        None if name == "help" => Some("This overview, or the help of a command".to_owned()),
        None => None,
    };
    let grouped = |name: &str| GROUPS.iter().chain([&PROGRAM]).any(|(_, names)| names.contains(&name));
    let others: Vec<&str> =
        command.get_subcommands().map(Command::get_name).filter(|n| !grouped(n)).collect();
    let mut text = String::new();
    let mut group = |title: &str, names: &[&str]| {
        let lines: Vec<_> = names.iter().filter_map(|n| about(n).map(|a| (*n, a))).collect();
        if lines.is_empty() {
            return;
        }
        text += &format!("{header}{title}{header:#}\n");
        for (name, about) in lines {
            text += &format!("  {literal}{name:12}{literal:#} {about}\n");
        }
        text.push('\n');
    };
    for (title, names) in &GROUPS {
        group(title, names);
    }
    group("Other", &others);
    group(PROGRAM.0, PROGRAM.1);
    let template = format!(
        "{{about}}\n\n{header}Usage:{header:#} {{usage}}\n\n{text}{header}Options{header:#}\n{{options}}{{after-help}}"
    );
    command.help_template(template)
}
