# --- what is deployed ---

variable "package" {
  description = "Path of the zip with the functions' program (`bootstrap`), built for `architecture`."
  type        = string

  validation {
    condition     = fileexists(var.package)
    error_message = "There is no file at this path. Build the package first, or give its path from where terraform runs."
  }
}

variable "architecture" {
  description = "Processor that the package is built for: `arm64` or `x86_64`."
  type        = string
  default     = "arm64"

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "The architecture is arm64 or x86_64."
  }
}

variable "name" {
  description = "Name of the deployment, and what the names of all its parts begin with. Two deployments in one region need two names."
  type        = string
  default     = "scim-bridge"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,38}[a-z0-9]$", var.name))
    error_message = "A name has 3 to 40 lower-case letters, digits and hyphens, and begins with a letter."
  }
}

variable "tags" {
  description = "Tags for everything that can bear them, beside `Application`."
  type        = map(string)
  default     = {}
}

# --- how it reaches the account ---

variable "connector" {
  description = "What the credentials are made for: `native`, or `op`, which runs 1Password's command line. Memory, time-outs and schedule follow."
  type        = string
  default     = "native"

  validation {
    condition     = contains(["native", "op"], var.connector)
    error_message = "The connector is native or op."
  }
}

variable "op_layer_arn" {
  description = "ARN of a version of a Lambda layer that holds `op`, for a package that does not."
  type        = string
  default     = null

  validation {
    condition     = var.op_layer_arn == null ? true : can(regex("^arn:[a-z-]+:lambda:[a-z0-9-]+:[0-9]{12}:layer:[A-Za-z0-9_-]+:[0-9]+$", var.op_layer_arn))
    error_message = "The ARN is that of one version, such as arn:aws:lambda:eu-west-1:123456789012:layer:op:1."
  }

  validation {
    condition     = var.op_layer_arn == null || var.connector == "op"
    error_message = "A layer with op is of use to the connector op only."
  }
}

variable "op_path" {
  description = "Where `op` is in the layer, below `/opt/`."
  type        = string
  default     = null

  validation {
    condition     = var.op_path == null ? true : startswith(var.op_path, "/opt/") && var.op_layer_arn != null
    error_message = "This is a path below /opt/, where op_layer_arn puts its files. From the package it is always /var/task/op."
  }
}

# --- how the bridge behaves ---

variable "settings" {
  description = "Settings of the bridge (`SCIM_BRIDGE_…`, see its README) that differ from their defaults. Those that say where secrets and state are belong to the module."
  type        = map(string)
  default     = {}

  validation {
    condition = alltrue([for name in keys(var.settings) : contains([
      "SCIM_BRIDGE_ALLOWED_DOMAINS",
      "SCIM_BRIDGE_CONFIRM",
      "SCIM_BRIDGE_CONFIRMATION_BATCH",
      "SCIM_BRIDGE_CONFIRMATION_BUDGET",
      "SCIM_BRIDGE_CONFIRMATION_CONCURRENCY",
      "SCIM_BRIDGE_CONFIRMATION_DELAY",
      "SCIM_BRIDGE_CREDENTIALS_REFRESH",
      "SCIM_BRIDGE_DEPROVISION",
      "SCIM_BRIDGE_EMAIL_CHANGE",
      "SCIM_BRIDGE_GUARD_EMPTY_GROUP",
      "SCIM_BRIDGE_GUARD_PEOPLE",
      "SCIM_BRIDGE_GUARD_PERCENT",
      "SCIM_BRIDGE_MODE",
    ], name)])
    error_message = "The settings are SCIM_BRIDGE_ with ALLOWED_DOMAINS, CONFIRM, CONFIRMATION_BATCH, CONFIRMATION_BUDGET, CONFIRMATION_CONCURRENCY, CONFIRMATION_DELAY, CREDENTIALS_REFRESH, DEPROVISION, EMAIL_CHANGE, GUARD_EMPTY_GROUP, GUARD_PEOPLE, GUARD_PERCENT, MODE. All others are made by this module."
  }
}

variable "log_level" {
  description = "Which log lines the functions write: `error`, `warn`, `info`, `debug` or `trace`."
  type        = string
  default     = "info"

  validation {
    condition     = contains(["error", "warn", "info", "debug", "trace"], var.log_level)
    error_message = "The log level is error, warn, info, debug or trace."
  }
}

# --- the functions ---

variable "memory_size" {
  description = "Memory of each function in MB; more brings more processor. By default 256, and 2048 for the connector `op`."
  type        = number
  default     = null

  validation {
    condition     = var.memory_size == null ? true : var.memory_size >= 128 && var.memory_size <= 10240 && floor(var.memory_size) == var.memory_size
    error_message = "Lambda gives 128 to 10240 MB."
  }
}

variable "scim_timeout" {
  description = "Seconds after which a request is cut off. The API itself waits for 29."
  type        = number
  default     = 28

  validation {
    condition     = var.scim_timeout >= 1 && var.scim_timeout <= 28
    error_message = "The API waits for 29 seconds, so a request may take 1 to 28."
  }
}

variable "sweep_timeout" {
  description = "Seconds after which a sweep is cut off. It leaves the rest to the next one by itself after `SCIM_BRIDGE_CONFIRMATION_BUDGET`. By default 60 after 45, and 180 after 150 for the connector `op`."
  type        = number
  default     = null

  validation {
    condition     = coalesce(var.sweep_timeout, local.defaults.sweep_timeout) <= 900
    error_message = "A function may take 900 seconds at most."
  }

  validation {
    condition     = coalesce(var.sweep_timeout, local.defaults.sweep_timeout) > try(tonumber(lookup(var.settings, "SCIM_BRIDGE_CONFIRMATION_BUDGET", local.defaults.sweep_budget)), 0)
    error_message = "A sweep has to outlive its budget, SCIM_BRIDGE_CONFIRMATION_BUDGET (${local.defaults.sweep_budget} seconds unless set)."
  }
}

variable "reserved_concurrency" {
  description = "How many of each function may run at once, kept free for it; -1 reserves nothing. New AWS accounts refuse any reservation."
  type = object({
    scim  = optional(number, -1)
    sweep = optional(number, -1)
  })
  default = {}

  validation {
    condition     = alltrue([for many in values(var.reserved_concurrency) : many == -1 || many >= 1])
    error_message = "A reservation is at least 1, or -1 for none. 0 would switch the function off."
  }
}

variable "vpc" {
  description = "Subnets and security groups to run the functions in. They need a way out to the account service and, by endpoints or the same way, to DynamoDB and Secrets Manager."
  type = object({
    subnet_ids         = list(string)
    security_group_ids = list(string)
  })
  default = null

  validation {
    condition     = var.vpc == null ? true : length(var.vpc.subnet_ids) > 0 && length(var.vpc.security_group_ids) > 0
    error_message = "A VPC needs at least one subnet and one security group."
  }
}

variable "tracing" {
  description = "Whether X-Ray records how long requests and sweeps take."
  type        = bool
  default     = true
}

# --- the API ---

variable "api" {
  description = "Which kind of API: `http`, or `rest`, which costs more a request, has no access log, and takes `allowed_cidrs` and `web_acl_arn`."
  type        = string
  default     = "http"

  validation {
    condition     = contains(["http", "rest"], var.api)
    error_message = "The API is http or rest."
  }
}

variable "allowed_cidrs" {
  description = "Ranges of addresses that may call the API, such as those that the identity provider publishes; none lets all. Needs `api = \"rest\"`."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for cidr in var.allowed_cidrs : can(cidrhost(cidr, 0))])
    error_message = "A range is written like 192.0.2.0/24."
  }

  validation {
    condition     = length(var.allowed_cidrs) == 0 || var.api == "rest"
    error_message = "An HTTP API cannot tell callers by address: set api = \"rest\"."
  }
}

variable "web_acl_arn" {
  description = "ARN of a regional WAF ACL that exists, to put before the API. Needs `api = \"rest\"`."
  type        = string
  default     = null

  validation {
    condition     = var.web_acl_arn == null || var.api == "rest"
    error_message = "An HTTP API cannot have a WAF: set api = \"rest\"."
  }
}

variable "throttle" {
  description = "Requests a second that the API lets through on average, and at once; what is more gets `429`."
  type = object({
    rate  = optional(number, 25)
    burst = optional(number, 100)
  })
  default = {}

  validation {
    condition     = var.throttle.rate >= 1 && var.throttle.burst >= 1
    error_message = "Rate and burst are at least 1."
  }
}

variable "custom_domain" {
  description = "Domain name to serve under. `zone_id`, a public Route 53 zone, gets its records; without `certificate_arn`, a certificate of ACM in this region, one is made there too."
  type = object({
    name            = string
    certificate_arn = optional(string)
    zone_id         = optional(string)
  })
  default = null

  validation {
    condition     = var.custom_domain == null ? true : var.custom_domain.certificate_arn != null || var.custom_domain.zone_id != null
    error_message = "A custom domain needs certificate_arn, or zone_id to make and prove a certificate in."
  }

  validation {
    condition     = var.custom_domain == null ? true : can(regex("^([a-z0-9]([a-z0-9-]*[a-z0-9])?\\.)+[a-z]{2,}$", var.custom_domain.name))
    error_message = "The domain's name is in lower case and without a scheme or path, such as scim.example.com."
  }
}

# --- what is kept, and how ---

variable "customer_managed_key" {
  description = "Whether to make a KMS key of your own (about 1 USD a month) and encrypt secrets, table, logs, queue, topic and environment with it, instead of with AWS's keys."
  type        = bool
  default     = false
}

variable "deletion_protection" {
  description = "Whether the table refuses to be deleted, and deleted secrets can be restored for 30 days. Switch it off and apply before you destroy."
  type        = bool
  default     = true
}

variable "log_retention_days" {
  description = "Days for which logs are kept."
  type        = number
  default     = 90

  validation {
    condition = contains([
      1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
    ], var.log_retention_days)
    error_message = "CloudWatch keeps logs for 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653 days."
  }
}

# --- who watches ---

variable "alarm_email" {
  description = "Address that alarms are sent to. AWS asks it to confirm first."
  type        = string
  default     = null

  validation {
    condition     = var.alarm_email == null ? true : can(regex("^[^@\\s]+@[^@\\s]+$", var.alarm_email))
    error_message = "This is not an e-mail address."
  }
}

variable "dashboard" {
  description = "Whether to make a CloudWatch dashboard. An account's first three cost nothing."
  type        = bool
  default     = true
}
