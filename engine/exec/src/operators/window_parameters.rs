//! Parameters of window functions that change from step to step.

use std::sync::Arc;

use datafusion::error::Result;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::ExecutionPlan;
use plan::node::WindowFunction;

use super::collect::scalar;
use crate::functions::window::Stepwise;

/// A function with the values of scalar inputs as its parameters, in their order; without inputs
/// its own parameters count.
pub(super) async fn stepwise(
    function: &WindowFunction,
    inputs: &[Arc<dyn ExecutionPlan>],
    steps: usize,
    context: &Arc<TaskContext>,
) -> Result<Stepwise> {
    if inputs.is_empty() {
        return Ok(Stepwise::constant(function.clone(), steps));
    }
    let mut parameters = Vec::with_capacity(inputs.len());
    for input in inputs {
        parameters.push(scalar(input, steps, context).await?);
    }
    Ok(Stepwise::new(function, &parameters, steps)?)
}
