//! A preprocessor of mdBook that typesets formulas: TeX becomes MathML, which browsers set without a script.
//!
//! Formulas are written as GitHub reads them, `` $`…`$ `` in a line and blocks of language `math`.

use std::error::Error;
use std::ops::Range;
use std::process::ExitCode;

use math_core::{LatexToMathML, MathDisplay};
use maud::{PreEscaped, html};
use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag};
use serde_json::Value;

/// A formula and where it stands on its page.
struct Formula {
    range: Range<usize>,
    tex: String,
    display: MathDisplay,
}

/// The formulas of a page, in order.
fn formulas(page: &str) -> Vec<Formula> {
    let mut found = Vec::new();
    let mut events = Parser::new_ext(page, Options::ENABLE_TABLES).into_offset_iter();
    while let Some((event, range)) = events.next() {
        match event {
            Event::Code(tex) if page[..range.start].ends_with('$') && page[range.end..].starts_with('$') => {
                let range = range.start - 1..range.end + 1;
                found.push(Formula { range, tex: tex.into_string(), display: MathDisplay::Inline });
            }
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(language))) if &*language == "math" => {
                let lines = events.by_ref().map_while(|(event, _)| match event {
                    Event::Text(line) => Some(line.into_string()),
                    _ => None,
                });
                found.push(Formula { range, tex: lines.collect(), display: MathDisplay::Block });
            }
            _ => {}
        }
    }
    found
}

/// The MathML of a formula, as Markdown.
fn mathml(formula: &Formula) -> Result<String, String> {
    let converted = LatexToMathML::default().convert_with_local_counter(&formula.tex, formula.display);
    let mut text = converted.map_err(|e| format!("{e}\n{}", formula.tex))?;
    // Combining accents stand beside their letters in many fonts.
    for (combining, accent) in [("\u{302}", "ˆ"), ("\u{303}", "˜")] {
        text = text.replace(combining, accent);
    }
    // What Markdown would read as its own.
    for sign in ['*', '_', '|', '[', ']', '\\', '`', '~', '\''] {
        text = text.replace(sign, &format!("&#{};", u32::from(sign)));
    }
    Ok(match formula.display {
        MathDisplay::Inline => text,
        // The empty line ends the block of HTML.
        MathDisplay::Block => html! { div.formula { (PreEscaped(text)) } }.into_string() + "\n\n",
    })
}

/// A page with its formulas typeset; the error names the page and the formula.
fn typeset(path: &str, page: &str) -> Result<String, String> {
    let mut text = String::new();
    let mut end = 0;
    for formula in formulas(page) {
        text += &page[end..formula.range.start];
        let mathml = mathml(&formula).map_err(|e| format!("{path}: {e}"))?;
        // Browsers would end a line between a formula and its punctuation.
        let rest = &page[formula.range.end..];
        let after = &rest[..rest.len() - rest.trim_start_matches([',', '.', ';', ':', ')']).len()];
        let before = if text.ends_with('(') { "(" } else { "" };
        text.truncate(text.len() - before.len());
        text += &match (before, after) {
            ("", "") => mathml,
            _ => html! { span.unbroken { (before) (PreEscaped(mathml)) (after) } }.into_string(),
        };
        end = formula.range.end + after.len();
    }
    Ok(text + &page[end..])
}

/// Typesets chapters and those below them.
fn typeset_chapters(items: &mut Value) -> Result<(), String> {
    for item in items.as_array_mut().into_iter().flatten() {
        if let Some(chapter) = item.get_mut("Chapter") {
            let path = chapter["path"].as_str().unwrap_or_default();
            chapter["content"] = typeset(path, chapter["content"].as_str().unwrap_or_default())?.into();
            typeset_chapters(&mut chapter["sub_items"])?;
        }
    }
    Ok(())
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [question, renderer] = &arguments[..]
        && question == "supports"
    {
        return Ok(if renderer == "html" { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let (_, mut book): (Value, Value) = serde_json::from_reader(std::io::stdin())?;
    if let Err(error) = typeset_chapters(&mut book["items"]) {
        eprintln!("{error}");
        return Ok(ExitCode::FAILURE);
    }
    serde_json::to_writer(std::io::stdout(), &book)?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    /// Pages of a folder and those below it, with their text.
    fn pages(folder: &Path) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                found.extend(pages(&path));
            } else if path.extension().is_some_and(|e| e == "md") {
                found.push((path.display().to_string(), std::fs::read_to_string(&path).unwrap()));
            }
        }
        found
    }

    #[test]
    fn formulas_of_the_book_are_typeset() {
        let mut count = 0;
        for (path, page) in pages(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/src")) {
            let text = typeset(&path, &page).unwrap();
            assert!(formulas(&text).is_empty(), "{path}");
            for formula in formulas(&page) {
                // GitHub refuses these.
                for refused in ["\\operatorname", "\\mbox", "\\phantom"] {
                    assert!(!formula.tex.contains(refused), "{path}: {refused} in {}", formula.tex);
                }
                count += 1;
            }
        }
        assert!(count > 200, "{count} formulas");
    }

    #[test]
    fn code_stays_code() {
        for page in [
            "`W` costs $5, `K` more; `` $`x`$ `` is how it is written",
            "```sh\necho $`x`$\n```\n",
            "````text\n```math\nx\n```\n````\n",
            "    $`x`$ in an indented block\n",
            "$x$ and $$x$$",
        ] {
            assert_eq!(typeset("page", page).unwrap(), page);
        }
    }

    #[test]
    fn formulas_become_mathml_in_their_place() {
        let page = "| $`W^*`$ | `a\\|b` |\n|---|---|\n\n1. item\n\n   ```math\n   x\n   ```\n   more\n";
        let text = typeset("page", page).unwrap();
        assert_eq!(
            text,
            "| <math><msup><mi>W</mi><mo>∗</mo></msup></math> | `a\\|b` |\n|---|---|\n\n1. item\n\n   \
             <div class=\"formula\"><math display=\"block\"><mi>x</mi></math></div>\n\n\n   more\n"
        );
        let text = typeset("page", "f($`x`$), $`x`$ and **$`x`$**.").unwrap();
        let x = "<math><mi>x</mi></math>";
        assert_eq!(text, format!("f<span class=\"unbroken\">({x}),</span> {x} and **{x}**."));
        let hat = typeset("page", "$`\\hat W`$").unwrap();
        assert!(hat.contains('ˆ') && !hat.contains('\u{302}'), "{hat}");
        assert!(typeset("page", "$`\\lvert x\\rvert`$").unwrap().contains("&#124;"));
    }

    #[test]
    fn an_error_names_page_and_formula() {
        let error = typeset("a/page.md", "good $`x`$, bad $`\\frac{x`$").unwrap_err();
        assert!(error.contains("a/page.md") && error.contains("\\frac{x"), "{error}");
    }

    #[test]
    fn chapters_below_chapters_are_typeset() {
        let chapter = |content: &str, below: Value| serde_json::json!({ "Chapter": { "path": "page.md", "content": content, "sub_items": below } });
        let below = serde_json::json!([chapter("$`y`$", serde_json::json!([]))]);
        let mut items = serde_json::json!(["Separator", chapter("$`x`$", below), { "PartTitle": "part" }]);
        typeset_chapters(&mut items).unwrap();
        let below = chapter("<math><mi>y</mi></math>", serde_json::json!([]));
        let expected = chapter("<math><mi>x</mi></math>", serde_json::json!([below]));
        assert_eq!(items, serde_json::json!(["Separator", expected, { "PartTitle": "part" }]));
    }
}
