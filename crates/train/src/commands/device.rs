//! The device of a command.

use clap::Args;
use convstat_engine::DeviceSpec;

use super::failure::Result;

/// Where to compute.
#[derive(Debug, Args)]
pub struct DeviceArgs {
    /// cpu, cuda or cuda:N (a GPU needs the feature cuda)
    #[arg(long, default_value = "cpu")]
    device: String,
    /// f32, tf32 or bf16 [default: f32 on cpu, tf32 on cuda]
    #[arg(long)]
    precision: Option<String>,
}

impl DeviceArgs {
    /// The device.
    pub fn spec(&self) -> Result<DeviceSpec> {
        Ok(DeviceSpec::parse(&self.device, self.precision.as_deref())?)
    }
}
