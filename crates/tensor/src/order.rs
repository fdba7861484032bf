//! Search for the order of pairwise contractions.

/// Operands up to this many are ordered by exhaustive dynamic programming, more greedily.
const EXHAUSTIVE: usize = 10;

/// Labels as bit sets; `log_size[i]` is the log of the size of label i.
pub(crate) struct OrderProblem<'a> {
    pub operands: &'a [u64],
    pub output: u64,
    pub log_size: &'a [f64],
}

impl OrderProblem<'_> {
    fn cost(&self, labels: u64) -> f64 {
        (0..self.log_size.len()).filter(|i| labels >> i & 1 == 1).map(|i| self.log_size[i]).sum::<f64>().exp()
    }

    /// Pairs of slots to contract, in order. The result of a step goes to the first slot of its pair.
    pub fn solve(&self) -> Vec<(usize, usize)> {
        if self.operands.len() <= EXHAUSTIVE { self.exhaustive() } else { self.greedy() }
    }

    /// The cheapest tree: `best[set]` over all ways to split a set of operands in two.
    fn exhaustive(&self) -> Vec<(usize, usize)> {
        let n = self.operands.len();
        let full = (1usize << n) - 1;
        // Labels seen outside a set decide which labels its contraction has to keep.
        let union =
            |set: usize| (0..n).filter(|i| set >> i & 1 == 1).fold(0u64, |acc, i| acc | self.operands[i]);
        let kept: Vec<u64> = (0..=full).map(|s| union(s) & (self.output | union(full & !s))).collect();
        let mut best = vec![(f64::INFINITY, 0usize); full + 1];
        for i in 0..n {
            best[1 << i] = (0.0, 0);
        }
        for set in 1..=full {
            if set.is_power_of_two() {
                continue;
            }
            let mut left = (set - 1) & set;
            while left > set & !left {
                let right = set & !left;
                let cost = best[left].0 + best[right].0 + self.cost(kept[left] | kept[right]);
                // A set has a way to be split even where all of them cost more than is counted.
                if cost < best[set].0 || best[set].1 == 0 {
                    best[set] = (cost, left);
                }
                left = (left - 1) & set;
            }
        }
        let mut steps = Vec::with_capacity(n.saturating_sub(1));
        collect(full, &best, &mut steps);
        steps
    }

    /// Always the pair with the cheapest contraction, smallest result first among equals.
    fn greedy(&self) -> Vec<(usize, usize)> {
        let mut slots: Vec<Option<u64>> = self.operands.iter().map(|&l| Some(l)).collect();
        let mut steps = Vec::new();
        for _ in 1..slots.len() {
            let mut best: Option<(f64, f64, usize, usize, u64)> = None;
            for i in 0..slots.len() {
                let Some(a) = slots[i] else { continue };
                for j in i + 1..slots.len() {
                    let Some(b) = slots[j] else { continue };
                    let others = slots.iter().enumerate().filter(|&(k, _)| k != i && k != j);
                    let needed = others.fold(self.output, |acc, (_, l)| acc | l.unwrap_or(0));
                    let kept = (a | b) & needed;
                    let key = (self.cost(a | b), self.cost(kept), i, j, kept);
                    if best.is_none_or(|b| (key.0, key.1) < (b.0, b.1)) {
                        best = Some(key);
                    }
                }
            }
            // One pair at least is left in each round.
            let Some((_, _, i, j, kept)) = best else { break };
            slots[i] = Some(kept);
            slots[j] = None;
            steps.push((i, j));
        }
        steps
    }
}

/// Writes the steps of the tree below `set`; returns the slot of its result.
fn collect(set: usize, best: &[(f64, usize)], steps: &mut Vec<(usize, usize)>) -> usize {
    if set.is_power_of_two() {
        return set.trailing_zeros() as usize;
    }
    let left = best[set].1;
    let i = collect(left, best, steps);
    let j = collect(set & !left, best, steps);
    let (i, j) = (i.min(j), i.max(j));
    steps.push((i, j));
    i
}
