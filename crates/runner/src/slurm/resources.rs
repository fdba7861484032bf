//! What one task asks of Slurm.

use serde::{Deserialize, Serialize};

use crate::{Result, RunnerError};

/// Slurm sends signals up to this many seconds before the time asked for.
const RESOLUTION: u64 = 60;

/// The shortest time limit: a task has to be warned of its end and still have time to work.
const SHORTEST: u64 = 300;

/// Options of `sbatch` that would break the array, its records or its logs.
const OWN: [&str; 15] = [
    "--array",
    "-a",
    "--dependency",
    "-d",
    "--parsable",
    "--wrap",
    "--output",
    "-o",
    "--wait",
    "-W",
    "--test-only",
    "--clusters",
    "-M",
    "--no-requeue",
    "--signal",
];

/// Resources of one task of the array, and of the merge job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resources {
    /// Partition, or the cluster's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<String>,
    /// Account, or the user's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Time limit in seconds.
    pub time: u64,
    /// Seconds before the limit at which the program is told to stop.
    pub warning: u64,
    /// Memory in MiB.
    pub memory: u64,
    /// Processors, and threads.
    pub threads: usize,
    /// Further options of `sbatch`, as they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
}

impl Resources {
    /// Seconds before the limit at which a task whose longest replicate takes `replicate` seconds is told to stop.
    pub fn warning_for(replicate: f64, time: u64) -> u64 {
        // Twice, for the timed replicates are few.
        let wanted = RESOLUTION + (2.0 * replicate).ceil() as u64;
        wanted.min(time.saturating_sub(RESOLUTION) / 2)
    }

    /// Refuses what `sbatch` would not take, or would take in another sense.
    ///
    /// # Errors
    /// The option, its value and the mend.
    pub fn check(&self) -> Result<()> {
        let bad = |option: &'static str, value: &str, mend: &str| {
            Err(RunnerError::BadOption { option, value: value.to_owned(), mend: mend.to_owned() })
        };
        if self.time < SHORTEST {
            let mend = "a task is told to stop up to two minutes before its limit: give at least 5 minutes";
            return bad("--time", &time_text(self.time), mend);
        }
        if self.memory == 0 {
            return bad("--mem", "0", "give MiB above 0");
        }
        for option in &self.options {
            let name = option.split('=').next().unwrap_or_default();
            if !option.starts_with('-') || option.starts_with("--=") || name.chars().any(char::is_whitespace)
            {
                return bad("--sbatch", option, "write one option with its value, as in --sbatch=--qos=long");
            }
            let short = name.starts_with('-') && !name.starts_with("--");
            // sbatch takes any unambiguous beginning of a long option.
            let clashes = |own: &&&str| match own.strip_prefix("--") {
                Some(long) => name.strip_prefix("--").is_some_and(|n| n.len() > 1 && long.starts_with(n)),
                None => short && name.starts_with(**own),
            };
            if let Some(own) = OWN.iter().find(clashes) {
                let mend = format!("convstat sets {own} itself; leave it out");
                return bad("--sbatch", option, &mend);
            }
        }
        Ok(())
    }

    /// Options of `sbatch`.
    pub fn arguments(&self) -> Vec<String> {
        let mut arguments = vec![
            format!("--time={}", time_text(self.time)),
            format!("--mem={}M", self.memory),
            format!("--cpus-per-task={}", self.threads),
        ];
        arguments.extend(self.partition.iter().map(|p| format!("--partition={p}")));
        arguments.extend(self.account.iter().map(|a| format!("--account={a}")));
        arguments.extend(self.options.iter().cloned());
        arguments
    }
}

/// Seconds of a time as Slurm writes it: minutes, `M:S`, `H:M:S`, `D-H`, `D-H:M` or `D-H:M:S`.
///
/// # Errors
/// It is not such a time.
pub fn parse_time(text: &str) -> Result<u64> {
    let bad = || RunnerError::BadOption {
        option: "--time",
        value: text.to_owned(),
        mend: "write minutes (90), hours (01:30:00) or days (1-12:00:00)".to_owned(),
    };
    let (days, rest) = match text.split_once('-') {
        Some((days, rest)) => (Some(days), rest),
        None => (None, text),
    };
    let number = |s: &str| {
        let is_digits = !s.is_empty() && s.len() <= 9 && s.bytes().all(|b| b.is_ascii_digit());
        is_digits.then(|| s.parse::<u64>().ok()).flatten().ok_or_else(bad)
    };
    let parts = rest.split(':').map(number).collect::<Result<Vec<_>>>()?;
    let seconds = match (days, &parts[..]) {
        (None, [minutes]) => minutes * 60,
        (None, [minutes, seconds]) => minutes * 60 + seconds,
        (Some(_), [hours]) => hours * 3600,
        (Some(_), [hours, minutes]) => hours * 3600 + minutes * 60,
        (_, [hours, minutes, seconds]) => hours * 3600 + minutes * 60 + seconds,
        _ => return Err(bad()),
    };
    Ok(seconds + days.map_or(Ok(0), number)? * 86_400)
}

/// A time as Slurm reads it, rounded up to a minute.
pub fn time_text(seconds: u64) -> String {
    let minutes = seconds.div_ceil(60);
    let (days, hours, minutes) = (minutes / 1440, minutes / 60 % 24, minutes % 60);
    if days > 0 {
        format!("{days}-{hours:02}:{minutes:02}:00")
    } else {
        format!("{hours:02}:{minutes:02}:00")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resources(options: &[&str]) -> Resources {
        let options = options.iter().map(ToString::to_string).collect();
        Resources {
            partition: None,
            account: None,
            time: 3600,
            warning: 60,
            memory: 512,
            threads: 1,
            options,
        }
    }

    #[test]
    fn times_are_those_of_slurm() {
        let cases = [
            ("90", 5400),
            ("90:30", 5430),
            ("01:30:00", 5400),
            ("1-12", 129_600),
            ("1-12:30", 131_400),
            ("1-00:00:01", 86_401),
        ];
        for (text, seconds) in cases {
            assert_eq!(parse_time(text).unwrap(), seconds, "{text}");
        }
        for text in ["", "-", "1-", "-5", "1:2:3:4", "5m", "1-1:1:1:1", "99999999999999999999", "+5", "1e3"] {
            let message = parse_time(text).unwrap_err().to_string();
            assert!(message.contains(&format!("--time {text}; write minutes")), "{message}");
        }
        assert_eq!((time_text(61), time_text(3600 * 49)), ("00:02:00".into(), "2-01:00:00".into()));
    }

    #[test]
    fn a_task_is_warned_after_its_start_and_before_its_limit() {
        assert_eq!(Resources::warning_for(0.01, 3600), 61);
        assert_eq!(Resources::warning_for(200.0, 3600), 460);
        assert_eq!(Resources::warning_for(1e9, 3600), 1770);
    }

    #[test]
    fn options_that_would_break_the_array_are_refused() {
        resources(&["--qos=long", "-C", "--constraint=a b", "--nodelist=n[1-3]"]).check().unwrap();
        for bad in [
            "--array=1",
            "--arr=1",
            "-a1",
            "-M",
            "--output=x",
            "job.sh",
            "",
            "--qos long",
            "--dependency=afterok:1",
        ] {
            let message = resources(&[bad]).check().unwrap_err().to_string();
            assert!(message.contains(&format!("--sbatch {bad}; ")), "{message}");
        }
        let message = Resources { time: 60, ..resources(&[]) }.check().unwrap_err().to_string();
        assert!(message.contains("--time 00:01:00; "), "{message}");
    }
}
