// What this deployment differs in: copy it, and give the copy to `make deploy-azure PARAMETERS=…`.

using './main.bicep'

// Both are looked up by `make deploy-azure`; docs/azure.md has the commands.
param runtimeVersion = readEnvironmentVariable('RUNTIME_VERSION')
param operatorId = readEnvironmentVariable('OPERATOR_ID', '')

param settings = {
  SCIM_BRIDGE_CONFIRMATION_DELAY: '300'
  SCIM_BRIDGE_GUARD_PEOPLE: '10'
}
