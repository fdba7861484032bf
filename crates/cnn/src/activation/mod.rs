//! Networks with an activation between convolution and pooling: `y = Σ_k <B_k, pool(φ(A_k ∗ X))> + ξ`.
//!
//! With the identity for φ this is the linear network of THEORY §1; with another the output channels no longer merge
//! with the fully connected weights, so K counts. Factors, counts and the K/R ratio are the structure's.

mod embed;
mod function;
mod network;
mod parts;
mod pass;
mod places;

pub use function::Activation;
pub use network::ActivatedNetwork;
pub use pass::Pass;
