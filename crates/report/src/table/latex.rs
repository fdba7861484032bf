//! The LaTeX of a table: booktabs rules, a size at which it fits the text, pages where one does not hold it.

use convstat_study::{Plan, Summary};

use super::escape::sentence;
use super::format::{PaperTable, TableData, TableFormat};
use super::shown::Shown;
use crate::Result;
use crate::digits::Notation;

/// A `table` with booktabs rules; a `longtable` where one page does not hold it.
pub(super) const FORMAT: TableFormat = TableFormat { name: "latex", extension: "tex", write };

/// Width of the text of an article of 11 pt on A4, points.
const TEXT_WIDTH: f64 = 360.0;

/// More lines than these do not fit a page with their caption.
const LINES_OF_A_PAGE: usize = 40;

/// A size of type: its command, the width of a digit, and the space at both sides of a column, points.
struct Size {
    command: &'static str,
    digit: f64,
    space: f64,
}

/// In an article of 11 pt, the larger first.
const SIZES: [Size; 2] = [
    Size { command: "\\small", digit: 5.0, space: 4.0 },
    Size { command: "\\footnotesize", digit: 4.63, space: 2.5 },
];

/// Width of what LaTeX prints of a text, about, in digits.
fn printed(latex: &str) -> f64 {
    const NARROW: f64 = 0.65;
    let mut count = 0.0;
    let mut rest = latex.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\\' => {
                let mut is_word = false;
                while rest.next_if(char::is_ascii_alphabetic).is_some() {
                    is_word = true;
                }
                if !is_word {
                    rest.next();
                }
                count += 1.0;
            }
            '{' | '}' | '$' | '^' | '_' => {}
            '.' | ',' | '(' | ')' | ' ' | 'i' | 'l' | 't' | 'f' => count += NARROW,
            _ => count += 1.0,
        }
    }
    count
}

/// About how wide a table is in a size, points.
fn width(shown: &Shown, size: &Size) -> f64 {
    let column = |c: usize| {
        let cells = shown.groups.iter().flat_map(|g| g.rows.iter().map(move |row| printed(&row[c])));
        cells.chain([printed(&shown.headings[c])]).fold(0.0, f64::max)
    };
    let columns = shown.headings.len();
    let digits: f64 = (0..columns).map(column).sum();
    digits * size.digit + 2.0 * size.space * columns.saturating_sub(1) as f64
}

fn write(data: &TableData) -> Result<PaperTable> {
    let shown = Shown::new(data, Notation::Latex)?;
    let (info, options) = (&data.plan.file.study, data.options);
    let caption = options.caption.clone().unwrap_or_else(|| {
        let title = if info.aim.is_empty() { &info.name } else { &info.aim };
        sentence(title) + &shown.legend(&replicates(data.plan, data.summary), options.uncertainty)
    });
    let label = options.label.clone().unwrap_or_else(|| format!("tab:{}", info.name));
    let (text, width) = typeset(&shown, &caption, &label);
    let warning = (width > TEXT_WIDTH).then(|| {
        format!(
            "the table is about {width:.0} pt wide, and the text of an article {TEXT_WIDTH:.0} pt; leave columns out with --columns \
             (these are {})",
            shown.names.join(",")
        )
    });
    Ok(PaperTable { text, warning })
}

/// Replicates a cell; of an unfinished run the fewest and the most that are there.
fn replicates(plan: &Plan, summary: &Summary) -> String {
    let planned = plan.replicates();
    let done = summary.cells.iter().map(|c| (c.replicates() + c.errors) as u64);
    match (done.clone().min(), done.max()) {
        (Some(fewest), Some(most)) if fewest < planned => format!("{fewest} to {most} of {planned}"),
        _ => planned.to_string(),
    }
}

/// The table, and about how wide it is, points.
fn typeset(shown: &Shown, caption: &str, label: &str) -> (String, f64) {
    let [larger, smaller] = &SIZES;
    let size = if width(shown, larger) <= TEXT_WIDTH { larger } else { smaller };
    let spec: String = shown.numeric.iter().map(|n| if *n { 'r' } else { 'l' }).collect();
    let head = format!("\\toprule\n{} \\\\\n\\midrule\n", shown.headings.join(" & "));
    let set = format!("{}\n\\setlength{{\\tabcolsep}}{{{}pt}}\n", size.command, size.space);
    let rows = rows(shown);
    let text = if rows.lines().count() > LINES_OF_A_PAGE {
        format!(
            "% needs \\usepackage{{booktabs,longtable}}\n\\begingroup\n{set}\\setlength{{\\LTcapwidth}}{{\\textwidth}}\n\
             \\begin{{longtable}}{{@{{}}{spec}@{{}}}}\n\\caption{{{caption}}}\n\\label{{{label}}} \\\\\n{head}\\endfirsthead\n\
             {head}\\endhead\n\\bottomrule\n\\endfoot\n{rows}\\end{{longtable}}\n\\endgroup\n"
        )
    } else {
        format!(
            "% needs \\usepackage{{booktabs}}\n\\begin{{table}}\n\\centering\n\\caption{{{caption}}}\n\\label{{{label}}}\n{set}\
             \\begin{{tabular}}{{@{{}}{spec}@{{}}}}\n{head}{rows}\\bottomrule\n\\end{{tabular}}\n\\end{{table}}\n"
        )
    };
    (text, width(shown, size))
}

fn rows(shown: &Shown) -> String {
    let mut out = String::new();
    for (i, group) in shown.groups.iter().enumerate() {
        if i > 0 {
            out += "\\addlinespace\n";
        }
        if !group.name.is_empty() {
            // No page ends between a name and its first row.
            out += &format!("\\multicolumn{{{}}}{{@{{}}l}}{{{}}} \\\\*\n", shown.headings.len(), group.name);
        }
        for row in &group.rows {
            out += &format!("{} \\\\\n", row.join(" & "));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_count_as_what_they_print() {
        for (text, width) in
            [("$n$", 1.0), ("1234", 4.0), ("50\\%", 3.0), ("$15\\times 10^{-7}$", 7.65), ("0.1 (2)", 5.6)]
        {
            assert!((printed(text) - width).abs() < 1e-9, "{text}: {}", printed(text));
        }
    }
}
