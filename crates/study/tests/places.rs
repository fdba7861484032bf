//! Errors of a study file point at the key at fault, whichever of several entries has it.

#![cfg(test)]

use convstat_study::{Overrides, Study, StudyError};

const STUDY: &str = r#"[study]
name = "small"
seed = 1
replicates = 4

[[setting]]
name = "A"
input = [6, 6]
kernel = [3, 3]
structure = { kind = "cnn", kernels = 1 }

[[setting]]
name = "B"
input = [6, 6]
kernel = [3, 3]
pool = [2, 2]

[setting.structure]
kind = "tucker"
ranks = [2, 2]
r = 2
kernels = 2

[[design]]
kind = "normal"

[[design]]
kind = "var1"
rho = 0.5

[samples]
n = [60, 90]

[[estimator]]
solver = "levenberg-marquardt"

[[estimator]]
name = "second"
solver = "als"
max_iterations = 200

[theory]
bounds = false

[[check]]
kind = "risk"

[[check]]
kind = "rate"
settings = ["A", "B"]

[[figure]]
kind = "rate"

[[figure]]
kind = "bounds"
font_size = 8
"#;

/// What an error points at, and what it says.
fn error(from: &str, to: &str) -> (String, String) {
    assert_eq!(STUDY.matches(from).count(), 1, "{from}");
    let text = STUDY.replace(from, to);
    let error = Study::new(&text, &Overrides::default()).unwrap_err();
    let StudyError::File(found) = error else { panic!("{to}: no place: {error}") };
    let place = found.span.map_or(String::new(), |span| text[span].to_owned());
    (place, format!("{} {}", found.message, found.help.unwrap_or_default()))
}

#[test]
fn the_entry_at_fault_is_pointed_at() {
    for (from, to, place, says) in [
        ("pool = [2, 2]", "pool = [9, 2]", "pool = [9, 2]", "setting \"B\": mode 0: the pooling window (9)"),
        ("pool = [2, 2]", "pol = [2, 2]", "pol = [2, 2]", "did you mean \"pool\"?"),
        ("pool = [2, 2]", "pool = [2, 'x']", "'x'", "invalid type: string \"x\""),
        ("ranks = [2, 2]", "ranks = [2, 2, 2]", "ranks = [2, 2, 2]", "ranks has 3 entries"),
        ("ranks = [2, 2]", "rank = [2, 2]", "rank = [2, 2]", "did you mean \"ranks\"?"),
        ("kernels = 2", "kernels = 0", "kernels = 0", "at least 1"),
        ("kernels = 2", "kernels = -2", "kernels = -2", "invalid value: integer `-2`"),
        ("kind = \"tucker\"", "kind = \"tuker\"", "kind = \"tuker\"", "did you mean \"tucker\"?"),
        ("name = \"B\"", "name = \"A\"", "name = \"A\"", "stands twice"),
        ("rho = 0.5", "rho = 1.5", "rho = 1.5", "design.rho = 1.5"),
        ("rho = 0.5", "roh = 0.5", "roh = 0.5", "did you mean \"rho\"?"),
        ("n = [60, 90]", "n = [60, 60]", "60", "samples.n = 60; it stands twice"),
        ("max_iterations = 200", "max_iterations = 0", "max_iterations = 0", "estimator.max_iterations = 0"),
        ("max_iterations = 200", "lambda = 2", "lambda = 2", "unknown field `lambda`"),
        ("max_iterations = 200", "folds = 3", "folds = 3", "it needs select = \"cv\""),
        ("solver = \"als\"", "solver = \"asl\"", "solver = \"asl\"", "did you mean \"als\"?"),
        ("[\"A\", \"B\"]", "[\"A\", \"C\"]", "\"C\"", "check.settings = C; no [[setting]] has this name"),
        (
            "kind = \"rate\"\nsettings",
            "kind = \"rtae\"\nsettings",
            "kind = \"rtae\"",
            "did you mean \"rate\"?",
        ),
        (
            "font_size = 8",
            "font_size = 80",
            "font_size = 80",
            "figure.font_size = 80; it has to be from 4 to 36",
        ),
        ("bounds = false", "draws = 1", "draws = 1", "a standard error needs two"),
        ("[theory]", "[ablation]\n[theory]", "ablation", "this is an ablation, of convstat-train"),
    ] {
        let (found, message) = error(from, to);
        assert_eq!(found, place, "{to}: {message}");
        assert!(message.contains(says), "{to}: {message}");
    }
}

#[test]
fn a_key_that_the_command_line_sets_is_named() {
    for (pair, says) in [
        ("noise.sigma=-1", "noise.sigma = -1"),
        ("samples.n=[3, 0]", "between 1 and 2^53"),
        ("study.sed=3", "unknown field `sed`"),
    ] {
        let overrides = Overrides { replicates: None, set: vec!["study.seed=3".to_owned(), pair.to_owned()] };
        let error = Study::new(STUDY, &overrides).unwrap_err();
        let StudyError::Set { pair: named, message, .. } = error else { panic!("{pair}: {error}") };
        assert_eq!(named, pair);
        assert!(message.contains(says), "{message}");
    }
}
