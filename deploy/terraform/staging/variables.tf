variable "region" {
  description = "AWS region."
  type        = string
  default     = "sa-east-1"
}

variable "domain_name" {
  description = "Name under which the service is reached by HTTPS."
  type        = string
}

variable "zone_id" {
  description = "Route 53 hosted zone of that name."
  type        = string
}

variable "image" {
  description = "The service's image, by digest."
  type        = string
}

variable "alarm_emails" {
  description = "Addresses that alarms are sent to."
  type        = list(string)
  default     = []
}

variable "auth" {
  description = "How systems show who they are (ATRASO_AUTH)."
  type        = string
  default     = "keys"
}

variable "settings" {
  description = "Further ATRASO_* variables, none of them secret."
  type        = map(string)
  default     = {}
}

variable "secrets" {
  description = "Settings whose values lie in Secrets Manager, as variable = ARN."
  type        = map(string)
  default     = {}
}

variable "egress" {
  description = "Where tasks may connect beyond AWS, by name, such as a directory."
  type        = map(object({ cidr = string, port = number }))
  default     = {}
}

variable "model" {
  description = "Artefact to serve instead of the image's."
  type        = object({ version = string, fetch_image = string })
  default     = null
}

variable "pipeline" {
  description = "GitHub repository whose workflows may publish and apply, and the bucket of the state."
  type        = object({ owner = string, repository = string, state_bucket = string })
  default     = null
}

variable "create_oidc_provider" {
  description = "False where the account has an identity provider for GitHub already."
  type        = bool
  default     = true
}

variable "database_password_version" {
  description = "Raise it by one to change the database's password."
  type        = number
  default     = 1
}

variable "protect" {
  description = "Whether database, balancer and buckets refuse to be deleted."
  type        = bool
  default     = true
}

variable "wait_until_steady" {
  description = "Whether an apply waits until the new tasks are healthy."
  type        = bool
  default     = true
}
