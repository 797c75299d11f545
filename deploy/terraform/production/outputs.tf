output "url" {
  description = "Where the service is reached."
  value       = module.atraso.url
}

output "image_repository" {
  description = "Where images are pushed."
  value       = module.atraso.image_repository
}

output "artefact_bucket" {
  description = "Bucket of models and releases."
  value       = module.atraso.artefact_bucket
}

output "alarm_topic" {
  description = "SNS topic of all alarms."
  value       = module.atraso.alarm_topic
}

output "run_once" {
  description = "Arguments of `aws ecs run-task` for a task beside the service."
  value       = module.atraso.run_once
}

output "pipeline_roles" {
  description = "Roles that the workflows take on."
  value       = module.atraso.pipeline_roles
}
