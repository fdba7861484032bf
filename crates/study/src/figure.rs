//! Table `[[figure]]`: which figures a study draws, and how.

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;

use convstat_text::suggestion;
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::file::check_file_name;
use crate::{Result, StudyError, StudyFile};

/// Table `[[figure]]`. Without options a figure has its own size, axes and all series.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figure {
    /// Its kind, by name; those that there are belong to the crate that draws them.
    pub kind: String,
    /// File name without extension (default: the study's, with the kind after it where there are several figures).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Text over the whole figure (default: none).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Width.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<FigureWidth>,
    /// Size of labels in points (default 9); ticks, markers and lines go with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub font_size: Option<f64>,
    /// Logarithmic abscissa (default: where the values are far apart).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_x: Option<bool>,
    /// Logarithmic ordinate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_y: Option<bool>,
    /// Names of the settings that are drawn (default: all).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<Vec<String>>,
    /// Designs that are drawn, by kind (`var1`) or label (`var1(rho=0.5)`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub designs: Option<Vec<String>>,
    /// Names of the estimators that are drawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimators: Option<Vec<String>>,
}

/// Kinds that a study draws if it names none; the first takes the study's name as its file's.
const USUAL: [&str; 2] = ["rate", "bounds"];
/// Sizes of labels that can be read and leave room for the data, points.
const FONT_SIZES: [f64; 2] = [4.0, 36.0];
/// Widths that hold a panel, millimetres.
const WIDTHS: [f64; 2] = [40.0, 1000.0];

impl Figure {
    /// A figure as it is without options.
    pub fn new(kind: &str) -> Self {
        Self {
            kind: kind.to_owned(),
            name: None,
            title: None,
            width: None,
            font_size: None,
            log_x: None,
            log_y: None,
            settings: None,
            designs: None,
            estimators: None,
        }
    }

    /// Whether a cell of these names is drawn; `design` is a label.
    pub fn shows(&self, setting: &str, design: &str, estimator: &str) -> bool {
        let has = |list: &Option<Vec<String>>, name: &str| {
            list.as_ref().is_none_or(|names| names.iter().any(|n| n == name))
        };
        has(&self.settings, setting)
            && (has(&self.designs, design) || has(&self.designs, kind_of(design)))
            && has(&self.estimators, estimator)
    }

    /// Fails on a size outside its range and on names that the study does not have.
    ///
    /// # Errors
    /// The key, its value and the names there are.
    pub fn check(&self, file: &StudyFile) -> Result<()> {
        if let Some(name) = &self.name {
            check_file_name("figure.name", name)?;
        }
        let within = |key: &str, value: f64, [low, high]: [f64; 2], unit: &str| {
            if value >= low && value <= high {
                return Ok(());
            }
            Err(StudyError::bad(key, value, &format!("it has to be from {low} to {high} {unit}")))
        };
        if let Some(FigureWidth::Millimetres(width)) = self.width {
            within("figure.width", width, WIDTHS, "millimetres, or \"column\" or \"page\"")?;
        }
        if let Some(size) = self.font_size {
            within("figure.font_size", size, FONT_SIZES, "points")?;
        }
        let settings: Vec<String> = file.setting.iter().map(|s| s.name.clone()).collect();
        let labels: Vec<String> = file.design.iter().map(crate::designs::DesignSpec::label).collect();
        let designs = labels.iter().flat_map(|l| [l.clone(), kind_of(l).to_owned()]);
        let mut designs: Vec<String> = designs.collect();
        let mut seen = HashSet::new();
        designs.retain(|d| seen.insert(d.clone()));
        let estimators: Vec<String> = file.estimator.iter().map(|e| e.label().to_owned()).collect();
        for (key, wanted, known) in [
            ("figure.settings", &self.settings, settings),
            ("figure.designs", &self.designs, designs),
            ("figure.estimators", &self.estimators, estimators),
        ] {
            let Some(wanted) = wanted else { continue };
            if wanted.is_empty() {
                return Err(StudyError::bad(key, "[]", "name at least one, or leave the key out"));
            }
            if let Some(name) = wanted.iter().find(|n| !known.contains(n)) {
                let hint = suggestion(name, known.iter().map(String::as_str));
                let mend = format!("the study has none of this name{hint}");
                return Err(StudyError::bad(key, format!("\"{name}\""), &mend));
            }
        }
        Ok(())
    }
}

/// The kind in a design's label.
fn kind_of(label: &str) -> &str {
    label.split('(').next().unwrap_or(label)
}

impl StudyFile {
    /// The figures that the study draws, each with its file name: rate and bounds if it names none.
    pub fn figures(&self) -> Vec<(String, Figure)> {
        let mut figures = self.figure.clone();
        if figures.is_empty() {
            figures = USUAL.map(Figure::new).to_vec();
        }
        self.named(figures)
    }

    /// Figures with their file names: a single one and a rate take the study's.
    pub fn named(&self, figures: Vec<Figure>) -> Vec<(String, Figure)> {
        let single = figures.len() == 1;
        let name = |figure: &Figure| match &figure.name {
            Some(name) => name.clone(),
            None if single || figure.kind == USUAL[0] => self.study.name.clone(),
            None => format!("{}-{}", self.study.name, figure.kind),
        };
        figures.into_iter().map(|figure| (name(&figure), figure)).collect()
    }
}

/// Fails on options outside their range and on two figures with one file name.
pub(crate) fn check(file: &StudyFile) -> Result<()> {
    let mut seen = HashSet::new();
    for (name, figure) in file.figures() {
        figure.check(file)?;
        if !seen.insert(name.clone()) {
            let mend = "two figures would have this file name; give one of them its own name";
            return Err(StudyError::bad("figure.name", format!("{name:?}"), mend));
        }
    }
    Ok(())
}

/// Width of a figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum FigureWidth {
    /// A column of a page with two, 88 mm.
    Column,
    /// The text of a page, 180 mm.
    Page,
    /// Millimetres.
    Millimetres(f64),
}

impl FigureWidth {
    /// In points (1/72 inch).
    pub fn points(self) -> f64 {
        let millimetres = match self {
            Self::Column => 88.0,
            Self::Page => 180.0,
            Self::Millimetres(mm) => mm,
        };
        millimetres * 72.0 / 25.4
    }
}

impl FromStr for FigureWidth {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text {
            "column" => Ok(Self::Column),
            "page" => Ok(Self::Page),
            other => {
                other.trim_end_matches("mm").trim().parse().map(Self::Millimetres).map_err(|_| {
                    format!("\"{text}\" is no width; use column, page or a number of millimetres")
                })
            }
        }
    }
}

impl Serialize for FigureWidth {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        match self {
            Self::Column => serializer.serialize_str("column"),
            Self::Page => serializer.serialize_str("page"),
            Self::Millimetres(mm) => serializer.serialize_f64(*mm),
        }
    }
}

impl<'de> Deserialize<'de> for FigureWidth {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Width;
        impl Visitor<'_> for Width {
            type Value = FigureWidth;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"column\", \"page\" or a number of millimetres")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> std::result::Result<FigureWidth, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_f64<E: de::Error>(self, mm: f64) -> std::result::Result<FigureWidth, E> {
                Ok(FigureWidth::Millimetres(mm))
            }

            fn visit_i64<E: de::Error>(self, mm: i64) -> std::result::Result<FigureWidth, E> {
                Ok(FigureWidth::Millimetres(mm as f64))
            }

            fn visit_u64<E: de::Error>(self, mm: u64) -> std::result::Result<FigureWidth, E> {
                Ok(FigureWidth::Millimetres(mm as f64))
            }
        }
        deserializer.deserialize_any(Width)
    }
}
