//! Colours: `--color`, else `NO_COLOR`, else whether it is a terminal.

use clap::ColorChoice;

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
    fn the_last_choice_counts() {
        let of = |text: &str| asked(text.split_whitespace().map(str::to_owned));
        assert_eq!(of("audit --color always x"), ColorChoice::Always);
        assert_eq!(of("audit --color=always --color never"), ColorChoice::Never);
        assert_eq!(of("audit -- --color always"), ColorChoice::Auto);
        assert_eq!(of("audit --colour always"), ColorChoice::Auto);
    }
}
