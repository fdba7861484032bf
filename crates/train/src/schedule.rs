//! Learning rate over a run, as a factor of the rate of the optimiser.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

use crate::{Result, TrainError};

/// Shape of the factor after the warm-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScheduleKind {
    /// Half a cosine from 1 down to 0 (Loshchilov & Hutter 2017, without restarts).
    #[default]
    Cosine,
    /// 1 throughout.
    Constant,
    /// Multiplied by `factor` at each milestone.
    Multistep,
}

/// A schedule, independent of the number of steps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScheduleSpec {
    /// Shape; cosine by default.
    pub kind: ScheduleKind,
    /// Share of all steps, in [0, 1), in which the rate grows linearly from 0; 0 (none) by default.
    pub warmup: f64,
    /// Shares of all steps, increasing in (0, 1), at which `multistep` lowers the rate; none by default.
    pub milestones: Vec<f64>,
    /// What `multistep` multiplies the rate by at each milestone; 0.1 by default.
    pub factor: f64,
}

impl Default for ScheduleSpec {
    fn default() -> Self {
        Self { kind: ScheduleKind::Cosine, warmup: 0.0, milestones: Vec::new(), factor: 0.1 }
    }
}

impl ScheduleSpec {
    /// Whether the values make sense.
    ///
    /// # Errors
    /// [`TrainError::Bad`] with a key below `schedule` if `warmup` is outside [0, 1), `milestones`
    /// are not increasing within (0, 1), missing with `multistep` or given without it, or `factor` is not
    /// positive.
    pub fn check(&self) -> Result<()> {
        // Ranges are asked positively throughout, so that NaN fails.
        if !(0.0..1.0).contains(&self.warmup) {
            let mend = "give the share of steps spent on the warm-up, from 0 to below 1";
            return Err(TrainError::bad("schedule.warmup", self.warmup, mend));
        }
        let milestones =
            |mend| Err(TrainError::bad("schedule.milestones", format!("{:?}", self.milestones), mend));
        match (self.kind, self.milestones.is_empty()) {
            (ScheduleKind::Multistep, true) => {
                return milestones("multistep needs milestones, such as [0.5, 0.75]");
            }
            (ScheduleKind::Cosine | ScheduleKind::Constant, false) => {
                return milestones("only multistep has milestones: remove them, or set kind = \"multistep\"");
            }
            _ => {}
        }
        if !self.milestones.iter().all(|&share| share > 0.0 && share < 1.0)
            || !self.milestones.is_sorted_by(|a, b| a < b)
        {
            return milestones("give shares of all steps, increasing, above 0 and below 1");
        }
        if !(self.factor > 0.0 && self.factor.is_finite()) {
            let mend = "give a positive number; 0.1 is usual";
            return Err(TrainError::bad("schedule.factor", self.factor, mend));
        }
        Ok(())
    }

    /// Factor of the learning rate at `step`, counted from 0, of `steps` in all: with t = step/steps,
    /// warm-up w and u = max(0, t - w),
    ///
    /// min(1, t/w) × { (1 + cos(π u/(1 - w)))/2 | 1 | factor^#{milestones ≤ t} }.
    ///
    /// Step 0 of a warm-up gives 0, as with torch's `LambdaLR`. Steps beyond the last give what the last
    /// gives (a cosine would rise again); 0 steps count as 1.
    pub fn factor_at(&self, step: u64, steps: u64) -> f64 {
        let steps = steps.max(1);
        let (step, steps) = (step.min(steps) as f64, steps as f64);
        let t = step / steps;
        // step/(steps w) rather than t/w, and (π u)/(1 - w): the roundings of the lambda in the tests.
        let warm = if self.warmup > 0.0 { (step / (steps * self.warmup)).min(1.0) } else { 1.0 };
        let shape = match self.kind {
            ScheduleKind::Cosine => {
                let after = (t - self.warmup).max(0.0);
                0.5 * (1.0 + (PI * after / (1.0 - self.warmup)).cos())
            }
            ScheduleKind::Constant => 1.0,
            ScheduleKind::Multistep => {
                self.milestones.iter().filter(|&&share| t >= share).fold(1.0, |shape, _| shape * self.factor)
            }
        };
        warm * shape
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> ScheduleSpec {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn matches_the_lambda() {
        // Python: f = lambda s: min(1, s/(steps*.2)) * (0.5*(1 + math.cos(math.pi*max(0, s/steps - .2)/.8)))
        let ten = [
            0.0,
            0.5,
            1.0,
            0.9619397662556435,
            0.8535533905932737,
            0.6913417161825449,
            0.5,
            0.30865828381745536,
            0.14644660940672627,
            0.03806023374435663,
            0.0,
        ];
        let seven = [
            0.0,
            0.7142857142857142,
            0.9719416651541838,
            0.8117449009293669,
            0.5559822380516541,
            0.2830581304412212,
            0.07663790038585816,
            0.0,
        ];
        let spec = parse("warmup = 0.2");
        for (steps, values) in [(10, &ten[..]), (7, &seven[..])] {
            for (step, &value) in values.iter().enumerate() {
                // Another libm may round the cosine otherwise.
                assert!((spec.factor_at(step as u64, steps) - value).abs() < 4e-16, "{step} of {steps}");
            }
        }
        for (step, value) in [(1, 0.005), (199, 0.995), (200, 1.0), (201, 0.9999961446907353), (600, 0.5)] {
            assert!((spec.factor_at(step, 1000) - value).abs() < 4e-16, "{step}");
        }
    }

    #[test]
    fn shapes() {
        let cosine = ScheduleSpec::default();
        assert_eq!((cosine.factor_at(0, 4), cosine.factor_at(4, 4), cosine.factor_at(9, 4)), (1.0, 0.0, 0.0));
        assert!((cosine.factor_at(1, 3) - 0.75).abs() < 1e-15);
        let constant = parse("kind = 'constant'\nwarmup = 0.5");
        assert_eq!([0, 1, 2, 3, 4].map(|s| constant.factor_at(s, 4)), [0.0, 0.5, 1.0, 1.0, 1.0]);
        let steps = parse("kind = 'multistep'\nmilestones = [0.3, 0.7]\nfactor = 0.5\nwarmup = 0.1");
        steps.check().unwrap();
        // A milestone counts from its own step on, as with torch's `MultiStepLR`.
        let at = [0, 5, 10, 29, 30, 69, 70, 100];
        assert_eq!(at.map(|s| steps.factor_at(s, 100)), [0.0, 0.5, 1.0, 1.0, 0.5, 0.5, 0.25, 0.25]);
        assert_eq!(cosine.factor_at(0, 0), 1.0);
    }

    #[test]
    fn errors() {
        for (text, key) in [
            ("warmup = 1.0", "schedule.warmup = 1:"),
            ("warmup = -0.1", "schedule.warmup = -0.1:"),
            ("warmup = nan", "schedule.warmup = NaN:"),
            ("milestones = [0.5]", "schedule.milestones = [0.5]: only"),
            ("kind = 'multistep'", "schedule.milestones = []: multistep needs"),
            ("kind = 'multistep'\nmilestones = [0.5, 0.5]", "schedule.milestones = [0.5, 0.5]: give"),
            ("kind = 'multistep'\nmilestones = [0.0]", "schedule.milestones = [0.0]: give"),
            ("kind = 'multistep'\nmilestones = [0.5, 1.0]", "schedule.milestones = [0.5, 1.0]: give"),
            ("factor = 0.0", "schedule.factor = 0:"),
            ("factor = inf", "schedule.factor = inf:"),
        ] {
            let message = parse(text).check().unwrap_err().to_string();
            assert!(message.starts_with(key), "{message}");
        }
        assert!(
            toml::from_str::<ScheduleSpec>("warm = 0.2")
                .unwrap_err()
                .message()
                .contains("unknown field `warm`")
        );
        assert!(toml::from_str::<ScheduleSpec>("kind = 'step'").is_err());
        let spec = parse("kind = 'multistep'\nmilestones = [0.5]");
        assert_eq!(parse(&toml::to_string(&spec).unwrap()), spec);
    }
}
