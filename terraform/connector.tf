# What follows from the way to the account.

locals {
  # Each command of `op` is a process of its own, up to 8 at once, and takes about a second: its sweeps get
  # more time, and come less often, so that no two run at once.
  defaults = (var.connector == "op"
    ? { memory_size = 2048, sweep_minutes = 3, sweep_timeout = 180, sweep_budget = 150 }
    : { memory_size = 256, sweep_minutes = 1, sweep_timeout = 60, sweep_budget = 45 }
  )

  sweep_interval = local.defaults.sweep_minutes == 1 ? "minute" : "${local.defaults.sweep_minutes} minutes"

  connector_settings = var.connector == "op" ? {
    SCIM_BRIDGE_CONFIRMATION_BUDGET = tostring(local.defaults.sweep_budget)
    # So that nobody waits in vain for a sweep that is not due: the program takes it for a minute.
    SCIM_BRIDGE_CONFIRMATION_INTERVAL = tostring(60 * local.defaults.sweep_minutes)
    # In the package, or where a layer's programs are.
    SCIM_BRIDGE_OP = coalesce(var.op_path, var.op_layer_arn == null ? "/var/task/op" : "/opt/bin/op")
  } : {}
}
