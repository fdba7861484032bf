//! Paper tables of a run, and figures with options.

#![cfg(test)]

#[path = "support/place.rs"]
mod place;

use std::io::Read;

use convstat::runner::{Column, Table};
use place::Place;

const STUDY: &str = "[study]\nname = \"tab\"\naim = \"50 % of d_M & more\"\nseed = 5\nreplicates = 10\n\
    [[setting]]\nname = \"A_1\"\ninput = [9, 3]\nkernel = [3, 3]\npool = [3, 1]\nstructure = { kind = \"cnn\", kernels = 1 }\n\
    [[setting]]\nname = \"B|#\"\ninput = [9, 3]\nkernel = [3, 3]\npool = [3, 1]\nstructure = { kind = \"dense\" }\n\
    [[design]]\nkind = \"normal\"\n[[design]]\nkind = \"var1\"\nrho = 0.5\n\
    [samples]\nn = [90, 200]\n[theory]\ndraws = 4\ndesigns = 4\n";

#[test]
fn csv_is_the_summary_digit_for_digit() {
    let place = Place::with_run(STUDY, "r");
    let text = place.ok(&["table", "r", "--format", "csv"]);
    let summary = Table::read(&place.path("r/summary.parquet")).unwrap();
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().unwrap().split(',').collect();
    // No text of this study has a comma or a quote but the structure's and design's labels, which have none either.
    let rows: Vec<Vec<&str>> = lines.map(|l| l.split(',').collect()).collect();
    assert_eq!(rows.len(), summary.rows());
    for (name, column) in summary.columns().iter().filter(|(n, _)| n != "theory_key") {
        let c = names.iter().position(|n| n == name).unwrap();
        for (i, row) in rows.iter().enumerate() {
            match column {
                Column::Text(v) => assert_eq!(row[c], v[i]),
                Column::Int(v) => assert_eq!(row[c].parse::<i64>().unwrap(), v[i]),
                Column::Float(v) => {
                    let read: f64 = row[c].parse().unwrap();
                    assert!(read.to_bits() == v[i].to_bits() || (read.is_nan() && v[i].is_nan()), "{name}");
                }
            }
        }
    }
    let ratio = names.iter().position(|n| *n == "ratio_pred").unwrap();
    let expected = summary.floats("err_pred").unwrap()[0] / summary.floats("risk_pred").unwrap()[0];
    assert_eq!(rows[0][ratio].parse::<f64>().unwrap(), expected);
}

#[test]
fn latex_is_escaped_and_has_its_columns() {
    let place = Place::with_run(STUDY, "r");
    let text = place.ok(&["table", "r"]);
    for part in [
        "\\toprule",
        "\\midrule",
        "\\bottomrule",
        "\\label{tab:tab}",
        "\\caption{50 \\% of $d_{\\mathcal M}$ \\& more",
        "estimator: levenberg-marquardt",
        "A\\_1: cnn(K=1)",
        "B\\textbar{}\\#: dense",
        "VAR(1), $\\rho = 0.5$",
    ] {
        assert!(text.contains(part), "no {part} in {text}");
    }
    let spec = text.split("\\begin{tabular}{@{}").nth(1).unwrap().split('@').next().unwrap();
    let body: Vec<&str> =
        text.lines().filter(|l| l.ends_with("\\\\") && !l.starts_with("\\multicolumn")).collect();
    assert_eq!(body.len(), 1 + 8);
    for line in &body {
        let bare = line.replace("\\&", "");
        assert_eq!(bare.matches('&').count() + 1, spec.len(), "{line}");
    }
    assert_eq!(text.matches(&format!("\\multicolumn{{{}}}", spec.len())).count(), 4);
    assert_eq!(text.matches('{').count(), text.matches('}').count());
    assert_eq!(text.replace("\\$", "").matches('$').count() % 2, 0);

    let given = [
        "table",
        "r",
        "--caption",
        "Mine.",
        "--label",
        "t",
        "--columns",
        "setting,n,err_pred",
        "--mcse",
        "plus-minus",
    ];
    let text = place.ok(&given);
    assert!(
        text.contains("\\caption{Mine.}") && text.contains("{@{}lrr@{}}") && text.contains("$\\pm$"),
        "{text}"
    );
    assert!(!text.contains("multicolumn"));
}

#[test]
fn long_tables_have_pages_and_wide_ones_a_warning() {
    let sizes: Vec<String> = (0..12).map(|i| (90 + 10 * i).to_string()).collect();
    let place = Place::with_run(&STUDY.replace("n = [90, 200]", &format!("n = [{}]", sizes.join(", "))), "r");
    let table = |more: &[&str]| {
        let output = place.run(&[&["table", "r"], more].concat());
        assert_eq!(output.status.code(), Some(0));
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let (text, said) = table(&[]);
    for part in ["\\begin{longtable}", "\\endfirsthead", "\\endhead", "\\end{longtable}"] {
        assert_eq!(text.matches(part).count(), 1, "{part}: {text}");
    }
    assert_eq!(text.matches("$n$ & ").count(), 2, "a head for the first page and one for the others: {text}");
    assert_eq!(said, "");
    let (text, said) = table(&["--columns", "n,err_pred"]);
    assert!(text.contains("\\small") && said.is_empty(), "{said}: {text}");
    let wide = "setting,design,structure,solver,n,err_pred,risk_pred,err_frob,risk_frob";
    let (text, said) = table(&["--columns", wide]);
    assert!(text.contains("\\footnotesize"), "{text}");
    assert!(said.contains("--columns") && said.contains(wide), "{said}");
}

#[test]
fn markdown_has_as_many_cells_in_every_line() {
    let place = Place::with_run(STUDY, "r");
    place.ok(&["table", "r", "--out", "t.md"]);
    let text = std::fs::read_to_string(place.path("t.md")).unwrap();
    let counts: Vec<usize> = text.lines().map(|l| l.replace("\\|", "").matches('|').count()).collect();
    assert_eq!(counts.len(), 2 + 8);
    assert!(counts.iter().all(|c| *c == counts[0]), "{text}");
    assert!(text.contains("B\\|#: dense"), "{text}");
}

#[test]
fn figures_take_their_options_from_the_study_file_and_the_command_line() {
    let with = STUDY.to_owned()
        + "[[figure]]\nkind = \"rate\"\n[[figure]]\nkind = \"rate\"\nname = \"narrow\"\nwidth = \"column\"\nfont_size = 7\n\
           settings = [\"A_1\"]\ndesigns = [\"var1\"]\ntitle = \"T\"\nlog_y = true\n\
           [[figure]]\nkind = \"forest\"\n[[figure]]\nkind = \"nested-loop\"\nwidth = 120\n";
    let place = Place::with_run(&with, "r");
    let files = place.ok(&["figures", "r", "--out", "f", "--format", "svg"]);
    assert_eq!(
        files.lines().collect::<Vec<_>>(),
        ["f/tab.svg", "f/narrow.svg", "f/tab-forest.svg", "f/tab-nested-loop.svg"]
    );
    let width = |name: &str| -> f64 {
        let svg = std::fs::read_to_string(place.path(name)).unwrap();
        svg.split("width=\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap()
    };
    assert!((width("f/narrow.svg") - 88.0 * 72.0 / 25.4).abs() < 0.01);
    assert!((width("f/tab-nested-loop.svg") - 120.0 * 72.0 / 25.4).abs() < 0.01);
    place.ok(&["figures", "r", "--out", "g", "--format", "svg", "--width", "page", "--kind", "forest"]);
    assert!((width("g/tab-forest.svg") - 180.0 * 72.0 / 25.4).abs() < 0.01);

    for (from, to, expected) in [
        ("kind = \"forest\"", "kind = \"forrest\"", "did you mean \"forest\"?"),
        ("font_size = 7", "font_sise = 7", "did you mean \"font_size\"?"),
        ("font_size = 7", "font_size = 700", "from 4 to 36 points"),
        ("width = 120", "width = \"colum\"", "use column, page or a number of millimetres"),
        ("width = 120", "width = 12", "from 40 to 1000 millimetres"),
        ("settings = [\"A_1\"]", "settings = [\"A_2\"]", "did you mean \"A_1\"?"),
        ("designs = [\"var1\"]", "designs = [\"uniform\"]", "the study has none of this name"),
        ("name = \"narrow\"\n", "", "two figures would have this file name"),
        ("name = \"narrow\"", "name = \"../x\"", "give a name of letters"),
    ] {
        place.text("w.toml", &with.replace(from, to));
        place.refuses(&["study", "plan", "w.toml"], &[expected]);
    }
}

/// What a PDF paints: paths begun, and paths filled or stroked.
fn painted(pdf: &[u8]) -> (usize, usize) {
    let (mut begun, mut painted) = (0, 0);
    let find =
        |from: usize, what: &[u8]| pdf[from..].windows(what.len()).position(|w| w == what).map(|i| i + from);
    let mut at = 0;
    while let Some(start) = find(at, b"stream\n") {
        let end = find(start, b"endstream").unwrap();
        let mut text = Vec::new();
        let body = &pdf[start + 7..end];
        if flate2::read::ZlibDecoder::new(body).read_to_end(&mut text).is_err() || text.is_empty() {
            text = body.to_vec();
        }
        for word in text.split(u8::is_ascii_whitespace) {
            begun += usize::from(word == b"m");
            painted += usize::from([&b"f"[..], b"f*", b"S", b"B"].contains(&word));
        }
        at = end + 9;
    }
    (begun, painted)
}

#[test]
fn svg_pdf_and_png_have_the_same_size_and_content() {
    let place = Place::with_run(STUDY, "r");
    let given = [
        "figures",
        "r",
        "--out",
        "f",
        "--kind",
        "rate,forest,nested-loop",
        "--width",
        "150",
        "--font-size",
        "8",
    ];
    place.ok(&[&given[..], &["--title", "Same"]].concat());
    for name in ["tab", "tab-forest", "tab-nested-loop"] {
        let read = |ending: &str| std::fs::read(place.path(&format!("f/{name}.{ending}"))).unwrap();
        let svg = String::from_utf8(read("svg")).unwrap();
        let size: Vec<f64> = ["width=\"", "height=\""]
            .iter()
            .map(|key| svg.split(key).nth(1).unwrap().split('"').next().unwrap().parse().unwrap())
            .collect();
        let (pdf, png) = (read("pdf"), read("png"));
        let text = String::from_utf8_lossy(&pdf);
        let sheet = text.split("/MediaBox [").nth(1).unwrap().split(']').next().unwrap();
        let sheet: Vec<f64> = sheet.split_whitespace().map(|v| v.parse().unwrap()).collect();
        let pixels = |at: usize| f64::from(u32::from_be_bytes(png[at..at + 4].try_into().unwrap()));
        for (i, size) in size.iter().enumerate() {
            assert!((sheet[2 + i] - size).abs() < 0.01, "{name}");
            assert!((pixels(16 + 4 * i) - size * 200.0 / 72.0).abs() <= 0.51, "{name}");
        }
        // Text is outlines in both, so glyphs count among the paths.
        let outlines = svg.split(" d=\"").skip(1).map(|d| d.split('"').next().unwrap().matches('M').count());
        let (subpaths, paths) = (outlines.clone().sum::<usize>(), outlines.count());
        assert!(paths > 50, "{name}");
        assert_eq!(painted(&pdf), (subpaths, paths), "{name}");
    }
}
