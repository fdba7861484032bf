//! Tables of an audit: aligned text, Markdown, LaTeX.

use crate::audit::{Audit, BlockAudit, Totals};

/// Heads of the columns.
const HEADS: [&str; 12] =
    ["block", "form", "K", "R", "K/R", "P", "parameters", "naive", "d_M", "df", "redundant", "MACs"];

/// A count with three digits where it is long.
fn count(n: Option<impl Into<u128>>) -> String {
    let Some(n) = n.map(Into::into) else { return "-".to_owned() };
    if n < 100_000 {
        return n.to_string();
    }
    let (scale, unit) =
        [(1e9, "G"), (1e6, "M"), (1e3, "k")].into_iter().find(|(s, _)| n as f64 >= *s).unwrap_or((1.0, ""));
    let v = n as f64 / scale;
    let digits = if v < 10.0 { 2 } else { usize::from(v < 100.0) };
    format!("{v:.digits$}{unit}")
}

/// A ratio without needless digits.
pub fn ratio(v: f64) -> String {
    let text = format!("{v:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Heads of the columns of trained weights: of the last layer along the output channels.
const TRAINED: [&str; 3] = ["rank", "VBMF", "95 %"];

fn row(b: &BlockAudit, trained: bool) -> Vec<String> {
    let f = &b.figures;
    let size = |n: Option<usize>| count(n.map(|n| n as u64));
    let mut row = vec![
        b.name.clone(),
        b.form.to_owned(),
        f.k.to_string(),
        f.r.to_string(),
        ratio(f.kr),
        size(f.positions),
        size(Some(f.parameters)),
        size(f.naive),
        size(f.d_m),
        match f.df {
            None => f.identifiable.map_or_else(|| "-".to_owned(), |bound| format!("≤ {}", size(Some(bound)))),
            known => size(known),
        },
        size(f.redundant),
        count(f.macs),
    ];
    if trained {
        let dash = || "-".to_owned();
        let last = b.trained.last().filter(|t| b.layers.last() == Some(&t.layer)).map(|t| &t.output);
        row.push(last.map_or_else(dash, |t| t.rank.to_string()));
        row.push(last.and_then(|t| t.vbmf).map_or_else(dash, |r| r.to_string()));
        row.push(last.map_or_else(dash, |t| t.energy_90_95_99[1].to_string()));
    }
    row
}

impl Audit {
    /// Head and rows of the table of blocks.
    pub fn rows(&self) -> Vec<Vec<String>> {
        let trained = self.has_weights();
        let mut heads = HEADS.to_vec();
        if trained {
            heads.extend(TRAINED);
        }
        let mut rows = vec![heads.into_iter().map(str::to_owned).collect()];
        rows.extend(self.blocks.iter().map(|b| row(b, trained)));
        rows
    }

    /// Whether the model holds weights.
    pub fn has_weights(&self) -> bool {
        self.blocks.iter().any(|b| !b.trained.is_empty())
    }

    /// The lines of totals.
    pub fn summary(&self) -> String {
        let t = &self.totals;
        let cost = match t.macs {
            Some(m) => {
                let (scale, unit) = if m < 10_000_000 { (1e6, "M") } else { (1e9, "G") };
                format!("{:.3} {unit}MAC ({:.3} {unit}FLOP)", m as f64 / scale, 2.0 * m as f64 / scale)
            }
            None => "MACs not known without the sizes of its layers".to_owned(),
        };
        let mut text = format!(
            "{}: {} parameters, {cost}\n{} block{}: {} parameters, K > R in {}, largest K/R {}",
            self.name,
            t.parameters,
            t.blocks,
            if t.blocks == 1 { "" } else { "s" },
            t.block_parameters,
            t.redundant_blocks,
            ratio(t.largest_kr)
        );
        if let (Some(naive), Some(d_m), Some(identifiable), Some(redundant)) =
            (t.naive, t.d_m, t.identifiable, t.redundant)
        {
            let share = |n: usize| 100.0 * n as f64 / naive.max(1) as f64;
            let hidden = naive - identifiable;
            text += &format!(
                "\nnaive {naive} parameters, d_M {d_m}, df at most {identifiable}\n\
                 no data identify {hidden} of them ({:.1} %); {redundant} ({:.1} %) are redundant by K > R",
                share(hidden),
                share(redundant)
            );
        }
        text
    }

    /// The table in Markdown.
    pub fn markdown(&self) -> String {
        let rows = self.rows();
        let escape = |cell: &String| cell.replace('|', "\\|");
        let line =
            |row: &[String]| format!("| {} |\n", row.iter().map(escape).collect::<Vec<_>>().join(" | "));
        let mut text = String::new();
        for (i, row) in rows.iter().enumerate() {
            text += &line(row);
            if i == 0 {
                let rule = |h: &String| if h == "block" || h == "form" { "---" } else { "---:" }.to_owned();
                text += &line(&row.iter().map(rule).collect::<Vec<_>>());
            }
        }
        format!("{text}\n{}\n", self.summary().replace('\n', "  \n"))
    }

    /// The table in LaTeX (booktabs).
    pub fn latex(&self) -> String {
        let escape = |text: &str| {
            text.chars()
                .map(|c| match c {
                    '_' | '%' | '&' | '#' | '$' | '{' | '}' => format!("\\{c}"),
                    '\\' => "\\textbackslash{}".to_owned(),
                    '~' => "\\textasciitilde{}".to_owned(),
                    '^' => "\\textasciicircum{}".to_owned(),
                    '≤' => "$\\le$".to_owned(),
                    c => c.to_string(),
                })
                .collect::<String>()
        };
        let mut rows = self.rows();
        let heads = rows.remove(0).into_iter().map(|h| match h.as_str() {
            "K" | "R" | "P" | "K/R" => format!("${h}$"),
            "d_M" => "$d_{\\mathcal{M}}$".to_owned(),
            other => escape(other),
        });
        let heads: Vec<String> = heads.collect();
        let mut text = format!(
            "\\begin{{tabular}}{{ll{}}}\n\\toprule\n{} \\\\\n\\midrule\n",
            "r".repeat(heads.len() - 2),
            heads.join(" & ")
        );
        for row in rows {
            text += &format!("{} \\\\\n", row.iter().map(|c| escape(c)).collect::<Vec<_>>().join(" & "));
        }
        text += "\\bottomrule\n\\end{tabular}\n";
        format!("% {}\n% \\usepackage{{booktabs}}\n{text}", self.summary().replace('\n', "\n% "))
    }
}

/// Networks beside each other: their totals, as rows with a head; of two also the ratio.
pub fn compare(audits: &[Audit]) -> Vec<Vec<String>> {
    let of = |v: Option<usize>| v.map(|v| v as f64);
    let lines: [(&str, &dyn Fn(&Totals) -> Option<f64>); 10] = [
        ("parameters", &|t| Some(t.parameters as f64)),
        ("MACs", &|t| t.macs.map(|m| m as f64)),
        ("blocks", &|t| Some(t.blocks as f64)),
        ("parameters in blocks", &|t| Some(t.block_parameters as f64)),
        ("naive parameters", &|t| of(t.naive)),
        ("d_M", &|t| of(t.d_m)),
        ("df at most", &|t| of(t.identifiable)),
        ("redundant parameters", &|t| of(t.redundant)),
        ("blocks with K > R", &|t| Some(t.redundant_blocks as f64)),
        ("largest K/R", &|t| Some(t.largest_kr)),
    ];
    let text = |v: Option<f64>| v.map_or_else(|| "-".to_owned(), ratio);
    let mut head: Vec<String> =
        std::iter::once(String::new()).chain(audits.iter().map(|a| a.name.clone())).collect();
    if audits.len() == 2 {
        head.push("ratio".to_owned());
    }
    let mut rows = vec![head];
    for (name, value) in lines {
        let values: Vec<Option<f64>> = audits.iter().map(|a| value(&a.totals)).collect();
        let mut row: Vec<String> =
            std::iter::once(name.to_owned()).chain(values.iter().map(|v| text(*v))).collect();
        if let [x, y] = values[..] {
            row.push(text(x.zip(y).filter(|(x, _)| *x > 0.0).map(|(x, y)| y / x)));
        }
        rows.push(row);
    }
    rows
}
