//! Table `[[figure]]`: which figures a study draws, and how.

use std::fmt;
use std::str::FromStr;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

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
}

/// The kind in a design's label.
pub(crate) fn kind_of(label: &str) -> &str {
    label.split('(').next().unwrap_or(label)
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
