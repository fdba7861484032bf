//! Networks in ONNX files.
//!
//! ```no_run
//! use convstat_onnx::{OnnxOptions, read};
//! let graph = read("resnet18.onnx".as_ref(), &OnnxOptions::default())?;
//! println!("{} parameters, {} multiply-accumulates", graph.parameters(), graph.macs());
//! # Ok::<(), convstat_graph::GraphError>(())
//! ```
//!
//! **What is read.** Operator sets from 9 on and the quantised and fused operators of ONNX Runtime; weights in the file, in any
//! of its encodings, or in files beside it; functions of the file (written out), branches with a known condition (followed),
//! others and loops (one `Other` with the parameters inside). Operations on constants and on shapes are computed as far as
//! shapes need them and are no nodes of the graph, nor are `Identity`, `Dropout`, `Cast` and the quantisation of activations.
//! What exporters take apart (SiLU, GELU, hard swish, layer and group normalisation, channel shuffles, biases) is put together
//! again.
//!
//! **What is a parameter.** Every stored tensor of floats, or of narrow integers for quantised weights, counts once, at the
//! first operation that trains it: weights and biases of convolutions, linear and recurrent layers; scale and shift of
//! normalisations (mean and variance of batch normalisation are none); slopes of PReLU; tables that indices look up; constants
//! of more than one entry that are added or multiplied (layer scales, position embeddings: [`Op::Norm`](convstat_graph::Op) of kind
//! `shift` and `scale`) or joined to activations (class tokens). Not counted are: single numbers; constants that are
//! subtracted or divided by (means of images); constants of formulas, which exporters write as `Constant` nodes or give names
//! of their own, unless there is one number a channel; scales of quantised weights. A batch normalisation that the export has
//! folded into its convolution is that one's bias. Layers that share a weight each have its parameters in the graph;
//! [`OnnxModel::parameters`] counts them once.
//!
//! **Shapes** leave out the batch, which is 1 unless the file fixes it, where it is the first mode; windows that are folded
//! into the batch stay, so that products of sizes are right. Open heights and widths of images are taken as 224 (videos 16
//! frames of 112 × 112), said in [`OnnxModel::notes`]; what can't be known is left empty.
//!
//! **The reader of the format** is this module's own: 100 lines for the wire format, and the messages that an audit needs.
//! Tensors are pieces of the one buffer that the file was read into. A decoder generated from the schema (prost) makes an
//! object out of every two bytes of a hostile file without a bound on their number, and unpacks `float_data` into vectors;
//! importers of inference engines (tract, onnx-ir) make networks that can be run, where an audit has to go on past operators
//! that it doesn't know. A file of more than 2²¹ messages, 2¹⁸ operations or a tensor of more than 2⁴⁰ entries is refused.

#![forbid(unsafe_code)]
#![expect(
    clippy::unnecessary_wraps,
    clippy::redundant_closure_for_method_calls,
    reason = "the functions of an operator have one type for all operators"
)]

mod builder;
mod call;
mod constants;
mod control;
mod inputs;
mod model;
mod operator;
mod operators;
mod options;
mod order;
mod places;
mod proto;
mod reader;
mod scopes;
mod shapes;
mod stored_values;
mod tensor;
mod tidy;
mod value;
mod wire;

pub use model::{OnnxModel, open, read};
pub use options::{InputSize, OnnxOptions};
