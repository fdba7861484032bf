//! Colours: `--color`, else `NO_COLOR`, else whether it is a terminal.

use std::io::IsTerminal;
use std::sync::OnceLock;

use clap::ColorChoice;
use clap::builder::styling::AnsiColor;

/// Whether standard output has colours.
static OUTPUT: OnceLock<bool> = OnceLock::new();

/// What `--color` asks for; read before the command line is parsed, since help and errors of the parser have colours too.
pub fn asked(arguments: impl Iterator<Item = String>) -> ColorChoice {
    let arguments: Vec<String> = arguments.take_while(|a| a != "--").collect();
    let choice = |(i, a): (usize, &String)| match a.strip_prefix("--color")? {
        "" => arguments.get(i + 1).cloned(),
        rest => rest.strip_prefix('=').map(str::to_owned),
    };
    match arguments.iter().enumerate().filter_map(choice).next_back().as_deref() {
        Some("always") => ColorChoice::Always,
        Some("never") => ColorChoice::Never,
        _ => ColorChoice::Auto,
    }
}

/// Standard output in these colours.
pub fn output(choice: ColorChoice) {
    let is_wanted = match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => {
            std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()) && std::io::stdout().is_terminal()
        }
    };
    let _ = OUTPUT.set(is_wanted);
}

/// Words with which a line with a verdict begins, and whether it is a good one.
const VERDICTS: [(&str, bool); 5] =
    [("passed", true), ("failed", false), ("ok", true), ("FAIL", false), ("DAMAGED", false)];

/// States of jobs, anywhere in a line.
const STATES: [(&str, bool); 2] = [("COMPLETED", true), ("FAILED", false)];

/// A text with the first verdict of each line in green or red, where standard output has colours.
pub fn verdicts(text: &str) -> String {
    if OUTPUT.get() == Some(&true) { paint(text) } else { text.to_owned() }
}

fn paint(text: &str) -> String {
    let line = |line: &str| {
        let among = |known: &[(&str, bool)], word: &str| {
            known.iter().find(|(w, _)| *w == word.trim_end_matches(':')).map(|(_, is_good)| *is_good)
        };
        let verdict = line.split_whitespace().next().and_then(|w| Some((w, among(&VERDICTS, w)?)));
        let state = || line.split_whitespace().find_map(|w| Some((w, among(&STATES, w)?)));
        let Some((found, is_good)) = verdict.or_else(state) else { return line.to_owned() };
        let style = if is_good { AnsiColor::Green } else { AnsiColor::Red }.on_default();
        line.replacen(found, &format!("{style}{found}{style:#}"), 1)
    };
    text.split_inclusive('\n').map(line).collect()
}

/// Diagnostics in these colours, and as wide as the terminal (80 columns where there is none).
///
/// # Errors
/// It has been called before.
pub fn diagnostics(choice: ColorChoice) -> Result<(), miette::InstallError> {
    miette::set_hook(Box::new(move |_| {
        let mut options = miette::MietteHandlerOpts::new();
        if choice != ColorChoice::Auto {
            options = options.color(choice == ColorChoice::Always);
        }
        if let Some((terminal_size::Width(width), _)) = terminal_size::terminal_size_of(std::io::stderr()) {
            options = options.width(usize::from(width).clamp(40, 120));
        }
        Box::new(options.build())
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_are_green_or_red() {
        let text =
            "check risk: it failed or passed\n    passed: all\n    FAIL x\n1  3/4  FAILED (exit code 1)\n";
        let green = |w: &str| format!("\u{1b}[32m{w}\u{1b}[0m");
        let red = |w: &str| format!("\u{1b}[31m{w}\u{1b}[0m");
        let expected =
            text.replace("passed:", &green("passed:")).replace("FAIL x", &format!("{} x", red("FAIL")));
        assert_eq!(paint(text), expected.replace("FAILED", &red("FAILED")));
    }

    #[test]
    fn the_last_choice_counts() {
        let of = |text: &str| asked(text.split_whitespace().map(str::to_owned));
        assert_eq!(of("audit --color always x"), ColorChoice::Always);
        assert_eq!(of("audit --color=always --color never"), ColorChoice::Never);
        assert_eq!(of("audit -- --color always"), ColorChoice::Auto);
        assert_eq!(of("audit --colour always"), ColorChoice::Auto);
    }
}
