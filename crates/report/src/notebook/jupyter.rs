//! Jupyter notebooks, nbformat 4.5.

use serde_json::{Value, json};

use super::cell::NotebookCell;
use super::format::NotebookFormat;
use crate::Result;

/// `.ipynb`, Python (polars, matplotlib).
pub(super) const FORMAT: NotebookFormat = NotebookFormat {
    name: "jupyter",
    extension: "ipynb",
    code: |code| code.python,
    dictionary: ["{", ": ", "}"],
    write,
};

/// The notebook as JSON, its title the first heading; identities of cells are their places, so the same study gives the same
/// file.
fn write(_: &str, cells: &[NotebookCell]) -> Result<String> {
    let cells: Vec<Value> = cells
        .iter()
        .enumerate()
        .map(|(i, cell)| {
            let id = format!("cell-{i}");
            match cell {
                NotebookCell::Markdown(text) => {
                    json!({ "cell_type": "markdown", "id": id, "metadata": {}, "source": lines(text) })
                }
                NotebookCell::Code(text) => json!({
                    "cell_type": "code", "id": id, "metadata": {}, "execution_count": null, "outputs": [],
                    "source": lines(text)
                }),
            }
        })
        .collect();
    let notebook = json!({
        "cells": cells,
        "metadata": {
            "kernelspec": { "display_name": "Python 3", "language": "python", "name": "python3" },
            "language_info": { "name": "python" }
        },
        "nbformat": 4,
        "nbformat_minor": 5
    });
    Ok(serde_json::to_string_pretty(&notebook)? + "\n")
}

/// Lines with their ends, as notebooks keep them.
fn lines(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}
