//! How well logits tell classes, by clip and by video.

use crate::{Result, TrainError};

/// What the logits of a test set are worth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// Share of clips classified right, each by its own logits.
    pub clip_accuracy: f64,
    /// Share of videos (or images) classified right, each by the mean over its clips of their softmax.
    pub accuracy: f64,
    /// Mean over videos (or images) of minus the logarithm of that mean's probability of the right class; with one clip
    /// each it is the cross-entropy.
    pub loss: f64,
}

/// The score of `logits`, `n·clips × classes` in C order, the `clips` of a video one after another; `labels` are those
/// of the `n·clips` clips, as [`Loader::in_order`](convstat_data::Loader::in_order) gives them. Computed in 64 bits;
/// of equal values the first counts as the largest.
///
/// # Errors
/// Sizes that do not fit each other, no clip at all, a label that is no class, clips of one video with two labels.
///
/// ```
/// # fn main() -> Result<(), convstat_train::TrainError> {
/// use convstat_train::score::score;
/// // One video of two clips: the second is wrong, but less sure of it.
/// let score = score(&[3.0f32, 0.0, 0.0, 1.0], &[0, 0], 2, 2)?;
/// assert_eq!((score.clip_accuracy, score.accuracy), (0.5, 1.0));
/// # Ok(())
/// # }
/// ```
pub fn score<T: Copy + Into<f64>>(
    logits: &[T],
    labels: &[u32],
    classes: usize,
    clips: usize,
) -> Result<Score> {
    let misfit = |reason: String| Err(TrainError::shape("score", reason));
    let all = labels.len();
    if all == 0
        || clips == 0
        || classes == 0
        || !all.is_multiple_of(clips)
        || classes.checked_mul(all) != Some(logits.len())
    {
        let n = logits.len();
        return misfit(format!(
            "{n} logits do not fit {all} labels, {classes} classes, {clips} clips a video"
        ));
    }
    let (mut clips_right, mut right, mut loss) = (0usize, 0usize, 0.0);
    for (logits, labels) in logits.chunks_exact(clips * classes).zip(labels.chunks_exact(clips)) {
        let label = labels[0];
        if label as usize >= classes || labels.iter().any(|&other| other != label) {
            return misfit(format!("labels {labels:?} of one video, with {classes} classes"));
        }
        let label = label as usize;
        let mut mean = vec![0.0; classes];
        let mut of_label = Vec::with_capacity(clips);
        for clip in logits.chunks_exact(classes) {
            let clip: Vec<f64> = clip.iter().map(|&logit| logit.into()).collect();
            clips_right += usize::from(largest(&clip) == label);
            let all = log_sum_exp(&clip);
            mean.iter_mut().zip(&clip).for_each(|(mean, logit)| *mean += (logit - all).exp());
            of_label.push(clip[label] - all);
        }
        right += usize::from(largest(&mean) == label);
        // Of the logarithms, so that a probability too small for a number costs what it is worth.
        loss += (clips as f64).ln() - log_sum_exp(&of_label);
    }
    let videos = (all / clips) as f64;
    let clip_accuracy = clips_right as f64 / all as f64;
    // One clip is judged by its logits, which tell apart what their softmax in 64 bits may not.
    let accuracy = if clips == 1 { clip_accuracy } else { right as f64 / videos };
    Ok(Score { clip_accuracy, accuracy, loss: loss / videos })
}

/// Index of the first largest value.
fn largest(values: &[f64]) -> usize {
    (1..values.len()).fold(0, |best, i| if values[i] > values[best] { i } else { best })
}

/// `ln Σ exp(v)`, without overflow.
fn log_sum_exp(values: &[f64]) -> f64 {
    let most = values[largest(values)];
    if !most.is_finite() {
        return most;
    }
    most + values.iter().map(|v| (v - most).exp()).sum::<f64>().ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_videos_of_one_clip() {
        let logits = [0.0f32, 1.0, 2.0, 3.0, 0.0, 0.0, 1.0, 1.0, 0.0];
        let found = score(&logits, &[2, 1, 0], 3, 1).unwrap();
        let entropy =
            |logits: [f64; 3], label: usize| logits.iter().map(|l| l.exp()).sum::<f64>().ln() - logits[label];
        let loss =
            (entropy([0.0, 1.0, 2.0], 2) + entropy([3.0, 0.0, 0.0], 1) + entropy([1.0, 1.0, 0.0], 0)) / 3.0;
        assert!((found.loss - loss).abs() < 1e-12);
        assert_eq!((found.accuracy, found.clip_accuracy), (2.0 / 3.0, 2.0 / 3.0));
        // Where the softmax is one half twice, the logits still differ.
        assert_eq!(score(&[0.0f64, 1e-30], &[1], 2, 1).unwrap().accuracy, 1.0);
    }

    #[test]
    fn videos_by_the_mean_of_their_softmax() {
        // Probabilities (0.9, 0.1), (0.4, 0.6), (0.4, 0.6) of class 0 have the mean 0.5667; two of three clips are wrong.
        let clip = |p: f64| [p.ln(), (1.0 - p).ln()];
        let logits = [0.9, 0.4, 0.4, 0.1, 0.2, 0.8].map(clip).concat();
        let found = score(&logits, &[0, 0, 0, 1, 1, 1], 2, 3).unwrap();
        assert_eq!((found.clip_accuracy, found.accuracy), (3.0 / 6.0, 1.0));
        let loss = -((1.7f64 / 3.0).ln() + (1.9f64 / 3.0).ln()) / 2.0;
        assert!((found.loss - loss).abs() < 1e-12, "{found:?}");
    }

    #[test]
    fn large_logits_do_not_overflow() {
        let found = score(&[1e4f32, 0.0, 1e4, 0.0], &[1, 1], 2, 2).unwrap();
        assert_eq!((found.loss, found.accuracy), (1e4, 0.0));
        assert!(score(&[f32::NAN, 0.0], &[1], 2, 1).unwrap().loss.is_nan());
        assert!(!score(&[f32::INFINITY, 0.0], &[1], 2, 1).unwrap().loss.is_finite());
    }

    #[test]
    fn misfits() {
        for (logits, labels, classes, clips) in [
            (4, vec![0, 0], 2, 0),
            (3, vec![0, 0], 2, 1),
            (6, vec![0, 0, 0], 2, 2),
            (0, vec![], 2, 1),
            (4, vec![0, 2], 2, 1),
            (4, vec![0, 1], 2, 2),
            (0, vec![0], 0, 1),
        ] {
            assert!(score(&vec![0.0f32; logits], &labels, classes, clips).is_err(), "{labels:?}");
        }
    }
}
