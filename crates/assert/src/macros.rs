//! Macros for `#[test]`s: they panic with the verdict's line.

/// Panics unless a bound holds at n observations; see [`bound`](crate::bound). Gives the verdict.
///
/// `assert_bound!(replicates, bound, n)`, and options by name: `assert_bound!(replicates, bound, n, budget = 500)`.
#[macro_export]
macro_rules! assert_bound {
    ($replicates:expr, $bound:expr, $n:expr $(, $option:ident = $value:expr)* $(,)?) => {
        $crate::assert_verdict!($crate::bound(
            &$replicates,
            &$bound,
            $n,
            &$crate::Options { $($option: $value,)* ..$crate::Options::default() },
        ))
    };
}

/// Panics unless `E error²` equals a risk; see [`matches_risk`](fn@crate::matches_risk). Gives the verdict.
///
/// `assert_matches_risk!(replicates, norm, n, risk)`, and options by name.
#[macro_export]
macro_rules! assert_matches_risk {
    ($replicates:expr, $norm:expr, $n:expr, $risk:expr $(, $option:ident = $value:expr)* $(,)?) => {
        $crate::assert_verdict!($crate::matches_risk(
            &$replicates,
            $norm,
            $n,
            $risk,
            &$crate::Options { $($option: $value,)* ..$crate::Options::default() },
        ))
    };
}

/// Panics unless the root mean squared error falls as a power of n; see [`rate`](fn@crate::rate). Gives the verdict.
///
/// `assert_rate!(replicates, norm, ns)` for the power −1/2, `assert_rate!(replicates, norm, ns, exponent)` for another, and options
/// by name.
#[macro_export]
macro_rules! assert_rate {
    ($replicates:expr, $norm:expr, $ns:expr $(, $option:ident = $value:expr)* $(,)?) => {
        $crate::assert_rate!($replicates, $norm, $ns, -0.5 $(, $option = $value)*)
    };
    ($replicates:expr, $norm:expr, $ns:expr, $exponent:expr $(, $option:ident = $value:expr)* $(,)?) => {
        $crate::assert_verdict!($crate::rate(
            &$replicates,
            $norm,
            &$ns,
            $exponent,
            &$crate::Options { $($option: $value,)* ..$crate::Options::default() },
        ))
    };
}

/// What the other macros end in.
#[doc(hidden)]
#[macro_export]
macro_rules! assert_verdict {
    ($outcome:expr) => {
        match $outcome {
            ::std::result::Result::Ok(verdict) if verdict.holds() => verdict,
            ::std::result::Result::Ok(verdict) => ::std::panic!("{verdict}"),
            ::std::result::Result::Err(error) => ::std::panic!("not tested: {error}"),
        }
    };
}
