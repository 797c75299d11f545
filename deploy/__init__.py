"""How Atraso is built, shipped and run; `deploy.checks` proves it as far as the machine at hand can."""
