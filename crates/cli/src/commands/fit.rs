//! `convstat fit`: a structure fitted to data.

mod arguments;
mod family;
mod labels;
mod squares;

use convstat::prelude::*;

pub use arguments::FitCommand;
use family::FamilyName;
use squares::Found;

use crate::arrays::{check_distinct, check_kept, check_writable, read};
use crate::commands::data::{build, features, responses};
use crate::commands::inputs::{parse_structure, read_geometry};
use crate::failure::Failure;
use crate::output::Status;

impl FitCommand {
    /// Does it.
    pub fn run(&self) -> Result<Status, Failure> {
        self.check_level(&self.method()?)?;
        let spec = parse_structure("--structure", &self.structure)?;
        let geometry = self.geometry.as_deref().map(read_geometry).transpose()?;
        let x = read(&self.x, "x")?;
        let y = read(&self.y, "y")?;
        let outputs = [("--out", self.out.as_deref()), ("--fitted", self.fitted.as_deref())];
        check_kept(&[&self.x, &self.y], &outputs)?;
        check_distinct(&[("--out", self.out.as_deref()), ("--fitted", self.fitted.as_deref())])?;
        for path in self.out.iter().chain(&self.fitted) {
            check_writable(path)?;
        }
        let y = self.family.responses(responses((&self.x, &x), (&self.y, &y))?)?;
        let structure = build(&spec, geometry.as_ref(), &x, y.ncols())?;
        let z = features(geometry.as_ref(), &x)?;
        if self.family != FamilyName::Gaussian {
            let sample = LabelledSample::new(z, y, self.family.family())?;
            return self.fit_labels(&structure, &sample, geometry.as_ref(), &x);
        }
        let sample = Sample::new(z, y)?;
        let (model, steps) = self.fitted(&structure, &sample, geometry.as_ref())?;
        let fitted_se = model.inference()?.fitted_se(&sample.z.view());
        let found = Found { structure: &structure, sample, model, fitted_se, steps };
        self.write(&found, geometry.as_ref(), &x)?;
        self.report(&found)
    }
}
