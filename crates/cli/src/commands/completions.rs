//! `convstat completions`.

use clap::Args;
use clap_complete::{Shell, generate};

use crate::failure::Failure;
use crate::output::{Status, print};

/// `completions`.
#[derive(Debug, Args)]
#[command(after_help = "Where they go:
  bash        ~/.local/share/bash-completion/completions/convstat
  zsh         _convstat in a folder of $fpath
  fish        ~/.config/fish/completions/convstat.fish
  powershell  a line of $PROFILE: convstat completions powershell | Out-String | Invoke-Expression
  elvish      eval (convstat completions elvish | slurp) in rc.elv

Examples:
  convstat completions bash > ~/.local/share/bash-completion/completions/convstat
  convstat completions zsh > ~/.zfunc/_convstat")]
pub struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    /// Does it.
    pub fn run(&self, mut parser: clap::Command) -> Result<Status, Failure> {
        let mut text = Vec::new();
        generate(self.shell, &mut parser, "convstat", &mut text);
        print(&String::from_utf8_lossy(&text))?;
        Ok(Status::Done)
    }
}
