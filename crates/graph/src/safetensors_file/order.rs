//! The order in which layers run, from their names.
//!
//! Files list tensors by alphabet. Names tell more: numbers count, stems come first and classifiers last, `bn2` follows
//! `conv2`, a shortcut follows what it goes around.

use std::collections::HashSet;

/// Place of one piece of a name among its siblings: a rank, then alphabet, then number.
pub(super) type Place<'a> = (u64, &'a str, u64);

const STEM: u64 = 2;
const USUAL: u64 = 1000;
const SIDE: u64 = 2000;
const LAST: u64 = 2900;
/// Places from here on are the classifier's.
const HEAD: u64 = 3500;

/// A piece of a name without the number at its end, and that number.
pub(super) fn split(piece: &str) -> (&str, Option<u64>) {
    let letters = piece.trim_end_matches(|c: char| c.is_ascii_digit());
    let digits = piece.get(letters.len()..).unwrap_or_default();
    (letters, (!digits.is_empty()).then(|| digits.parse().unwrap_or(u64::MAX)))
}

/// Whether a whole name is a classifier's.
pub(super) fn is_head(path: &str) -> bool {
    path.split('.').any(|piece| rank(piece, &HashSet::new()) >= HEAD)
}

/// Place of `piece` among `siblings`, the pieces at the same place of names that are the same up to there.
pub(super) fn place<'a>(piece: &'a str, siblings: &HashSet<&str>) -> Place<'a> {
    let (letters, number) = split(piece);
    (rank(piece, siblings), letters, number.unwrap_or(0))
}

fn rank(piece: &str, siblings: &HashSet<&str>) -> u64 {
    let has = |name: &str| siblings.contains(name);
    let inverted = has("conv_pwl");
    let dense = has("denseblock1");
    match piece {
        "cls_token" | "pos_embed" | "mask_token" | "position_embeddings" => 1,
        "stem" | "conv_stem" | "patch_embed" | "embeddings" | "embedder" | "conv0" => STEM,
        "norm0" if dense => STEM + 1,
        "conv_exp" | "conv_reduce" | "convolution" | "conv" | "qkv" | "self" | "query" | "q_proj"
        | "gate_proj" => 10,
        "conv_expand" | "key" | "k_proj" | "up_proj" | "bn" => 11,
        "value" | "v_proj" | "attn" | "attention" => 12,
        "normalization" | "ls1" | "gamma_1" => 13,
        "conv_pw" => {
            if inverted {
                10
            } else {
                30
            }
        }
        "conv_dw" => 20,
        "norm" if has("conv_dw") => 21,
        "layernorm_before" => 9,
        "layernorm_after" => 19,
        "intermediate" => 22,
        "conv_pwl" => 30,
        "proj" | "out_proj" | "o_proj" | "down_proj" if !has("norm1") => 25,
        "mlp" if has("norm1") => 25,
        "output" => 26,
        "ls2" | "gamma_2" => 27,
        "se" => {
            if has("conv_dw") {
                25
            } else {
                900
            }
        }
        "gamma" | "layer_scale" => USUAL + 500,
        // Of a ConvNeXt stage, before its blocks; else a shortcut.
        "downsample" if has("blocks") => 5,
        "downsample" | "shortcut" => SIDE,
        "norm" | "layernorm" | "fc_norm" | "pooler" | "ln_f" => {
            if has("conv") {
                9
            } else {
                LAST
            }
        }
        "conv_head" => LAST + 10,
        "bn2" if has("conv_head") => LAST + 11,
        "fc" | "head" | "heads" | "classifier" | "last_linear" | "logits" => HEAD,
        _ => numbered(piece, siblings, dense),
    }
}

/// Rank of `conv2`, `bn2`, `norm2` and the like.
fn numbered(piece: &str, siblings: &HashSet<&str>, dense: bool) -> u64 {
    let (letters, Some(number)) = split(piece) else { return USUAL };
    // More numbers than fit before the usual rank are left to their own order.
    let step = 10 * number.min(80);
    match letters {
        "conv" => step,
        // Without an expansion the first of timm's convolutions is the depthwise one, at place 20.
        "bn" if siblings.contains("conv_dw") && !siblings.contains("conv_pwl") => step + 11,
        "bn" => step + 1,
        "prelu" | "act" => step + 2,
        "norm" if dense => LAST,
        // Before the convolution or attention of the same number (pre-activation).
        "norm" => step.saturating_sub(1),
        "denseblock" => 2 * step,
        "transition" => 2 * step + 1,
        _ => USUAL,
    }
}
