//! Shards: disjoint shares of a run's tasks, for several processes or machines.

use std::fmt;
use std::str::FromStr;

/// Share `index` of `of`, counted from 1; written `I/M`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    index: u64,
    of: u64,
}

/// Shards beyond which a number is a mistake.
const MOST_SHARDS: u64 = 1_000_000;

impl Shard {
    /// Share `index` of `of`, if `1 ≤ index ≤ of ≤ 10⁶`.
    pub fn new(index: u64, of: u64) -> Option<Self> {
        ((1..=of).contains(&index) && of <= MOST_SHARDS).then_some(Self { index, of })
    }

    /// Its number, from 1.
    pub fn index(self) -> u64 {
        self.index
    }

    /// Number of shards.
    pub fn of(self) -> u64 {
        self.of
    }

    /// Whether it holds the task of this rank; see [`shard_of`].
    pub fn holds(self, rank: u64) -> bool {
        shard_of(rank, self.of) == self.index
    }
}

/// The shard of the task with this rank in the order of falling cost: dealt forth and back, so that every shard gets its
/// share of the dear and of the cheap. Needs no communication: each process finds the same.
pub fn shard_of(rank: u64, of: u64) -> u64 {
    let (round, place) = (rank / of, rank % of);
    1 + if round % 2 == 0 { place } else { of - 1 - place }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split_once('/').and_then(|(i, m)| Some((i.parse().ok()?, m.parse().ok()?)));
        numbers.and_then(|(index, of)| Self::new(index, of)).ok_or_else(|| {
            format!("write it as I/M with 1 ≤ I ≤ M ≤ {MOST_SHARDS}, for instance 3/8 for the third of eight")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_has_one_shard_and_costs_are_even() {
        for (tasks, of) in [(1000u64, 7u64), (5, 8), (64, 1)] {
            let mut costs = vec![0.0; of as usize];
            for rank in 0..tasks {
                let holders: Vec<u64> =
                    (1..=of).filter(|&i| Shard::new(i, of).unwrap().holds(rank)).collect();
                assert_eq!(holders.len(), 1);
                costs[holders[0] as usize - 1] += (tasks - rank) as f64;
            }
            let (low, high) = costs.iter().fold((f64::MAX, 0.0f64), |(l, h), &c| (l.min(c), h.max(c)));
            // No two differ by more than the dearest task.
            assert!(high - low <= tasks as f64, "{costs:?}");
        }
    }

    #[test]
    fn shards_read_as_they_are_written() {
        assert_eq!("3/8".parse::<Shard>().unwrap().to_string(), "3/8");
        for bad in ["0/8", "9/8", "3", "3/", "/8", "-1/8", "1/99999999", "a/b", ""] {
            assert!(bad.parse::<Shard>().unwrap_err().contains("I/M"), "{bad}");
        }
    }
}
