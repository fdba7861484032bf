//! What single commands need: ffmpeg, bsdtar, Slurm, CUDA, Python, Jupyter, a browser, a terminal.

use std::io::IsTerminal;

use super::finding::{Finding, State};
use crate::commands::programs::{Answer, ask, first_of, libraries};

pub fn findings() -> Vec<Finding> {
    vec![
        program(
            "ffmpeg",
            "videos of UCF101 (convstat-train)",
            &[("ffmpeg", &["-version"])],
            "apt install ffmpeg",
        ),
        program(
            "bsdtar",
            "the archive of UCF101 (convstat-train fetch)",
            &[("bsdtar", &["--version"])],
            "apt install libarchive-tools",
        ),
        slurm(),
        cuda(),
        program(
            "Python",
            "notebooks, and comparisons with other packages (make bench)",
            &[("python3", &["--version"])],
            "apt install python3",
        ),
        program(
            "Jupyter",
            "opening and running notebooks",
            &[("jupyter", &["--version"]), ("python3", &["-m", "jupyter", "--version"])],
            "pip install jupyterlab",
        ),
        program(
            "browser",
            "reading reports; the tests of report pages want Chromium",
            &[
                ("chromium", &["--version"]),
                ("chromium-browser", &["--version"]),
                ("google-chrome", &["--version"]),
                ("chromium-headless-shell", &["--version"]),
                ("firefox", &["--version"]),
            ],
            "apt install chromium (any browser on another machine reads the pages too)",
        ),
        terminal(),
    ]
}

/// A program that says its version.
fn program(
    name: &'static str,
    needed_for: &'static str,
    ways: &[(&'static str, &[&str])],
    install: &str,
) -> Finding {
    match first_of(ways) {
        Answer::Said(version) => {
            let version = version.split(" Copyright").next().unwrap_or_default().to_owned();
            Finding::new(name, needed_for, State::Ok, version)
        }
        Answer::Missing => Finding::new(name, needed_for, State::Missing, "not in PATH").mend(install),
        Answer::Broken(reason) => {
            Finding::new(name, needed_for, State::Missing, format!("does not work: {reason}")).mend(install)
        }
    }
}

fn slurm() -> Finding {
    let finding = program(
        "Slurm",
        "study submit",
        &[("sbatch", &["--version"])],
        "use a login node of a cluster; without one, study run --shard on several machines and study merge",
    );
    if finding.state != State::Ok {
        return finding;
    }
    let version = finding.found.clone();
    match ask("scontrol", &["ping"]) {
        Answer::Said(_) => Finding { found: format!("{version}, its controller answers"), ..finding },
        Answer::Missing => {
            Finding { state: State::Note, found: format!("{version}, without scontrol"), ..finding }
        }
        Answer::Broken(reason) => Finding {
            state: State::Note,
            found: format!("{version}; its controller does not answer: {reason}"),
            ..finding
        }
        .mend("ask for it where the cluster is run; study submit --dry-run writes scripts without it"),
    }
}

fn cuda() -> Finding {
    const FOR: &str = "convstat-train --device cuda; nothing else uses a GPU";
    let query = ["--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"];
    let card = match ask("nvidia-smi", &query) {
        Answer::Said(text) => text.lines().map(str::trim).collect::<Vec<_>>().join("; "),
        Answer::Missing => {
            return Finding::new("CUDA", FOR, State::Missing, "no nvidia-smi: no NVIDIA driver").mend(
                "the processor does it too, slower; on a machine with an NVIDIA GPU install its driver",
            );
        }
        Answer::Broken(reason) => {
            return Finding::new("CUDA", FOR, State::Missing, format!("nvidia-smi does not work: {reason}"))
                .mend("install the driver again, or load its kernel module");
        }
    };
    let found = libraries(&["libcublas.so", "libcudnn.so.9", "libnvrtc.so"]);
    let missing: Vec<&str> = found.iter().filter(|(_, f)| f.is_none()).map(|(w, _)| *w).collect();
    let numbers = serde_json::json!({ "cards": card, "missing_libraries": missing });
    if missing.is_empty() {
        return Finding::new("CUDA", FOR, State::Ok, format!("{card}; cuBLAS, cuDNN 9 and NVRTC found"))
            .numbers(numbers);
    }
    Finding::new("CUDA", FOR, State::Note, format!("{card}; not found: {}", missing.join(", ")))
        .mend("install CUDA's run-time libraries and cuDNN 9, or name their folder in LD_LIBRARY_PATH")
        .numbers(numbers)
}

fn terminal() -> Finding {
    const FOR: &str = "progress bars, colours and the signs √ and ± in tables";
    let is_terminal = std::io::stderr().is_terminal();
    let size = terminal_size::terminal_size().map(|(w, h)| (w.0, h.0));
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .find_map(|k| std::env::var(k).ok().filter(|v| !v.is_empty()));
    let is_utf8 = locale.as_ref().is_some_and(|l| {
        let l = l.to_lowercase();
        l.contains("utf-8") || l.contains("utf8")
    });
    let mut found =
        if is_terminal { "a terminal".to_owned() } else { "no terminal: plain lines, no colours".to_owned() };
    if let Some((w, h)) = size {
        found += &format!(", {w} x {h}");
    }
    if std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty()) {
        found += ", NO_COLOR is set";
    }
    let numbers = serde_json::json!({ "terminal": is_terminal, "size": size, "locale": locale });
    if is_terminal && !is_utf8 {
        let locale = locale.unwrap_or_else(|| "none".to_owned());
        return Finding::new("terminal", FOR, State::Note, format!("{found}, locale {locale}"))
            .mend("if signs look wrong: export LC_ALL=C.UTF-8")
            .numbers(numbers);
    }
    Finding::new("terminal", FOR, State::Ok, found).numbers(numbers)
}
