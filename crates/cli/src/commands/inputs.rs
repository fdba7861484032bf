//! Texts, geometries and structures that commands are given.

use std::path::Path;

use convstat::prelude::*;

use crate::failure::Failure;

/// The text of a file.
pub fn read_text(path: &Path) -> Result<String, Failure> {
    convstat::runner::read_text(path).map_err(|e| Failure::cannot_read(path, &e))
}

/// The structure that an option gives.
pub fn parse_structure(option: &str, text: &str) -> Result<StructureSpec, Failure> {
    StructureSpec::parse(text).map_err(|e| Failure::in_structure(option, text, e))
}

/// A geometry file.
pub fn read_geometry(path: &Path) -> Result<Geometry, Failure> {
    build_geometry(&read_geometry_spec(path)?, path)
}

/// The geometry of the keys read from `path`.
pub fn build_geometry(spec: &GeometrySpec, path: &Path) -> Result<Geometry, Failure> {
    Geometry::new(spec).map_err(|e| Failure::new(format!("{}: {e}", path.display())))
}

/// The keys of a geometry file.
pub fn read_geometry_spec(path: &Path) -> Result<GeometrySpec, Failure> {
    let text = read_text(path)?;
    convstat::study::parse_toml(&text).map_err(|e| Failure::in_file(e, path, &text))
}
