variable "environment" {
  description = "Name of this installation; every resource is called atraso-ENVIRONMENT."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,15}$", var.environment))
    error_message = "environment takes 2 to 16 lower-case letters, digits and hyphens: load balancers allow no longer names."
  }
}

variable "domain_name" {
  description = "Name under which the service is reached by HTTPS, such as delays.example.org."
  type        = string
}

variable "zone_id" {
  description = "Route 53 hosted zone that domain_name belongs to; the certificate is proved and the name set there."
  type        = string
}

variable "image" {
  description = "The service's image, named by digest (REPOSITORY@sha256:...), so that what was tested is what runs."
  type        = string

  validation {
    condition     = can(regex("@sha256:[0-9a-f]{64}$", var.image))
    error_message = "image must end with @sha256: and 64 hexadecimal digits; a tag can be moved to another image."
  }
}

# --- network ----------------------------------------------------------------------------------------------------

variable "network" {
  description = "IPv4 range of the network; a /20 of it goes to each subnet."
  type        = string
  default     = "10.42.0.0/16"

  validation {
    condition     = can(cidrhost(var.network, 0)) && endswith(var.network, "/16")
    error_message = "network must be an IPv4 range of size /16, such as 10.42.0.0/16."
  }
}

variable "zones" {
  description = "Availability zones, at least two: the balancer, the tasks and the database spread over them."
  type        = list(string)

  validation {
    condition     = length(var.zones) >= 2 && length(var.zones) <= 4 && length(distinct(var.zones)) == length(var.zones)
    error_message = "zones takes two to four different availability zones."
  }
}

variable "clients" {
  description = "IPv4 ranges that may reach the service; the service itself asks each of them who it is."
  type        = list(string)
  default     = ["0.0.0.0/0"]
}

variable "egress" {
  description = "Where tasks may connect beyond AWS, by name: a directory on 636, an issuer's keys on 443. Empty is nowhere, and saves the NAT gateway."
  type        = map(object({ cidr = string, port = number }))
  default     = {}
}

# --- service ----------------------------------------------------------------------------------------------------

variable "port" {
  description = "Port of the service in its container."
  type        = number
  default     = 5000
}

variable "metrics_port" {
  description = "Internal port of the container for /metrics and /health; no client reaches it."
  type        = number
  default     = 5001
}

variable "auth" {
  description = "How systems show who they are (ATRASO_AUTH): any of keys, jwt, ldap, basic, oidc joined by commas."
  type        = string
  default     = "keys"

  validation {
    condition     = can(regex("^(keys|jwt|ldap|basic|oidc)(,(keys|jwt|ldap|basic|oidc))*$", var.auth))
    error_message = "auth must name at least one of keys, jwt, ldap, basic, oidc: this service is reachable from outside."
  }
}

variable "settings" {
  description = "Further ATRASO_* variables of the service (docs/settings.md), none of them secret."
  type        = map(string)
  default     = {}

  validation {
    condition     = length(setintersection(keys(var.settings), ["ATRASO_SIGNING_KEY", "ATRASO_LDAP_BIND_PASSWORD", "ATRASO_INSECURE"])) == 0
    error_message = "ATRASO_SIGNING_KEY and ATRASO_LDAP_BIND_PASSWORD belong into secrets; ATRASO_INSECURE has no place here."
  }
}

variable "secrets" {
  description = "Settings whose values lie in Secrets Manager, as variable = ARN; made outside of Terraform, so that no state holds them."
  type        = map(string)
  default     = {}

  validation {
    condition     = length(regexall("jwt|ldap", var.auth)) == 0 || contains(keys(var.secrets), "ATRASO_SIGNING_KEY")
    error_message = "With jwt or ldap in auth all tasks must sign with one key: name the ARN of its secret as ATRASO_SIGNING_KEY."
  }
}

variable "cpu" {
  description = "CPU units of a task; 1024 is one processor."
  type        = number
  default     = 1024
}

variable "memory_mib" {
  description = "Memory of a task, in MiB."
  type        = number
  default     = 2048
}

variable "workers" {
  description = "Worker processes of a task; one per processor is plenty."
  type        = number
  default     = 1
}

variable "min_tasks" {
  description = "Tasks that run at least; two, so that one zone may fail."
  type        = number
  default     = 2

  validation {
    condition     = var.min_tasks >= 2
    error_message = "min_tasks must be 2 or more: a single task is an outage whenever it is replaced."
  }
}

variable "max_tasks" {
  description = "Tasks that run at most."
  type        = number
  default     = 12
}

variable "requests_per_task_per_s" {
  description = "Requests a second and task that autoscaling aims at."
  type        = number
  default     = 2000
}

variable "cpu_percent" {
  description = "Processor use, in percent, that autoscaling aims at."
  type        = number
  default     = 60
}

variable "wait_until_steady" {
  description = "Whether an apply waits until the new tasks are healthy, so that a bad image fails it."
  type        = bool
  default     = true
}

# --- model ------------------------------------------------------------------------------------------------------

variable "model" {
  description = "Artefact to serve instead of the image's: its version below models/ in the bucket, and an image with the aws command (by digest) that copies it before the service starts."
  type        = object({ version = string, fetch_image = string })
  default     = null
}

# --- ledger -----------------------------------------------------------------------------------------------------

variable "database_class" {
  description = "Instance class of the ledger's database."
  type        = string
  default     = "db.m7g.large"
}

variable "database_gib" {
  description = "Storage of the ledger's database, in GiB; it grows by itself to ten times that."
  type        = number
  default     = 100
}

variable "ledger_password" {
  description = "Password of the database; passes through, and stays in no state and no plan."
  type        = string
  ephemeral   = true
}

variable "ledger_secret" {
  description = "Where tasks read that password: ARN of the secret, and which of its versions."
  type        = object({ arn = string, version_id = string })
}

variable "database_password_version" {
  description = "Raised with each new ledger_password; the tasks are replaced one after the other."
  type        = number
  default     = 1
}

variable "multi_zone" {
  description = "Whether the database has a stand-by in another zone."
  type        = bool
  default     = true
}

variable "backup_days" {
  description = "Days that backups of the ledger are kept; within them it can be restored to any second."
  type        = number
  default     = 30

  validation {
    condition     = var.backup_days >= 1 && var.backup_days <= 35
    error_message = "backup_days takes 1 to 35; 0 would switch backups off."
  }
}

variable "protect" {
  description = "Whether database, balancer and buckets refuse to be deleted."
  type        = bool
  default     = true
}

# --- alarms and pipeline ----------------------------------------------------------------------------------------

variable "alarm_emails" {
  description = "Addresses that alarms are sent to; each has to confirm once."
  type        = list(string)
  default     = []
}

variable "pipeline" {
  description = "GitHub repository, by owner and name, whose workflows may publish images and apply this environment, and the S3 bucket of its state; null makes no roles."
  type        = object({ owner = string, repository = string, state_bucket = string })
  default     = null
}

variable "create_oidc_provider" {
  description = "Whether to make the account's identity provider for GitHub; false where another environment of the account has."
  type        = bool
  default     = true
}
