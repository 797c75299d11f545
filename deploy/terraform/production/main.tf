# Three zones, a stand-by for the database, and nothing that can be deleted by mistake.
module "atraso" {
  source                    = "../module"
  environment               = "production"
  domain_name               = var.domain_name
  zone_id                   = var.zone_id
  image                     = var.image
  zones                     = [for letter in ["a", "b", "c"] : "${var.region}${letter}"]
  auth                      = var.auth
  settings                  = var.settings
  secrets                   = var.secrets
  egress                    = var.egress
  model                     = var.model
  alarm_emails              = var.alarm_emails
  pipeline                  = var.pipeline
  create_oidc_provider      = var.create_oidc_provider
  database_password_version = var.database_password_version
  protect                   = var.protect
  ledger_password           = module.password.password
  ledger_secret             = { arn = module.password.secret_arn, version_id = module.password.version_id }
  wait_until_steady         = var.wait_until_steady

  cpu            = 2048
  memory_mib     = 4096
  workers        = 2
  min_tasks      = 3
  max_tasks      = 24
  database_class = "db.m7g.large"
  database_gib   = 200
}

module "password" {
  source        = "../password"
  name          = "${module.atraso.name}/ledger"
  kms_key_arn   = module.atraso.kms_key_arn
  revision      = var.database_password_version
  recovery_days = var.protect ? 30 : 0
}
