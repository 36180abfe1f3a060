// scim-bridge on Azure: one function app answers the identity provider and confirms newcomers every
// minute; a table and two secrets are behind it. docs/azure.md says how to use this.

// --- what is deployed ---

@description('Name of the deployment, and what the names of all its parts begin with: lower-case letters, digits and hyphens, a letter first. Two deployments in one resource group need two names.')
@minLength(4)
@maxLength(40)
param name string = 'scim-bridge'

@description('Region. It has to offer Flex Consumption.')
param location string = resourceGroup().location

@description('Further tags.')
param tags object = {}

@description('Version of the runtime `custom` that the region lists. There is no default: Azure accepts any, and with a wrong one the app never starts.')
@minLength(1)
param runtimeVersion string

// --- how it reaches the account ---

@description('What the credentials are made for: `native`, or `op`, which runs 1Password\'s command line out of the package. Memory follows.')
@allowed(['native', 'op'])
param connector string = 'native'

// --- how the bridge behaves ---

// Sealed, so that a misspelt setting is an error. Those that say where secrets and state are belong to app.bicep.
@sealed()
type bridgeSettings = {
  SCIM_BRIDGE_ALLOWED_DOMAINS: string?
  SCIM_BRIDGE_CONFIRM: ('invited' | 'anybody')?
  SCIM_BRIDGE_CONFIRMATION_BATCH: string?
  SCIM_BRIDGE_CONFIRMATION_BUDGET: string?
  SCIM_BRIDGE_CONFIRMATION_CONCURRENCY: string?
  SCIM_BRIDGE_CONFIRMATION_DELAY: string?
  SCIM_BRIDGE_CREDENTIALS_REFRESH: string?
  SCIM_BRIDGE_DEPROVISION: string?
  SCIM_BRIDGE_EMAIL_CHANGE: ('ignore' | 'refuse')?
  SCIM_BRIDGE_GUARD_EMPTY_GROUP: string?
  SCIM_BRIDGE_GUARD_PEOPLE: string?
  SCIM_BRIDGE_GUARD_PERCENT: string?
  SCIM_BRIDGE_MODE: ('act' | 'observe')?
  SCIM_BRIDGE_PUBLIC_URL: string?
}

@description('Settings of the bridge, `SCIM_BRIDGE_…`, that differ from their defaults.')
param settings bridgeSettings = {}

@description('Which log lines the bridge writes.')
@allowed(['error', 'warn', 'info', 'debug', 'trace'])
param logLevel string = 'info'

// --- the app ---

@description('Memory of an instance in MB. More memory brings more processor. Each command of `op` is a process of its own, up to 8 at once.')
@allowed([512, 2048, 4096])
param instanceMemoryMB int = connector == 'op' ? 2048 : 512

@description('Instances at most. It bounds what a flood of requests may cost.')
@minValue(1)
@maxValue(1000)
param maximumInstanceCount int = 40

@description('Id of a subnet, delegated to Microsoft.App/environments, that the app calls out from; it needs a way out to the account service. Empty for none.')
param subnetId string = ''

@description('Ranges of addresses that may call, written like 192.0.2.0/24; all others get 403. With none here and no `allowEntra`, all may.')
param allowedCidrs array = []

@description('Whether Entra ID may call, by its service tag. All others get 403, but for `allowedCidrs`.')
param allowEntra bool = false

@description('Ranges of addresses from which the program may be exchanged. As soon as this or one of the two above is set, nobody else can.')
param deploymentCidrs array = []

// --- what is kept, and how ---

@description('How often, and where, Azure keeps copies of the state.')
@allowed(['Standard_LRS', 'Standard_ZRS', 'Standard_GRS', 'Standard_GZRS'])
param storageSku string = 'Standard_LRS'

@description('Whether the storage account and the vault refuse to be deleted.')
param deletionProtection bool = true

@description('Days for which logs are kept.')
@minValue(30)
@maxValue(730)
param logRetentionDays int = 90

// --- people ---

@description('Object id of the user or group that puts the credentials in and uses the command line on the deployment. Empty for nobody.')
param operatorId string = ''

@description('What `operatorId` is.')
@allowed(['User', 'Group', 'ServicePrincipal'])
param operatorType string = 'User'

@description('Address that alarms are sent to. Empty for none.')
param alarmEmail string = ''

var allTags = union({ Application: 'scim-bridge' }, tags)
var suffix = uniqueString(resourceGroup().id, name)
var uniqueName = '${name}-${suffix}'
// Storage accounts and vaults have at most 24 characters, and hyphens are not for both.
var shortName = '${take(replace(name, '-', ''), 11)}${suffix}'

// Where the host puts the package's files.
var connectorSettings = connector == 'op' ? { SCIM_BRIDGE_OP: '/home/site/wwwroot/op' } : {}

var operators = empty(operatorId) ? [] : [
  {
    id: operatorId
    type: operatorType
  }
]

// An identity of its own, not the app's: what it may do stands before the app first starts, and outlives the app.
resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: name
  location: location
  tags: allTags
}

module monitoring 'monitoring.bicep' = {
  name: '${name}-monitoring'
  params: {
    name: name
    location: location
    tags: allTags
    logRetentionDays: logRetentionDays
    alarmEmail: alarmEmail
    principalId: identity.properties.principalId
  }
}

module storage 'storage.bicep' = {
  name: '${name}-storage'
  params: {
    name: shortName
    location: location
    tags: allTags
    sku: storageSku
    deletionProtection: deletionProtection
    principalId: identity.properties.principalId
    operators: operators
  }
}

module vault 'vault.bicep' = {
  name: '${name}-vault'
  params: {
    name: shortName
    location: location
    tags: allTags
    deletionProtection: deletionProtection
    principalId: identity.properties.principalId
    operators: operators
    workspaceId: monitoring.outputs.workspaceId
  }
}

module app 'app.bicep' = {
  name: '${name}-app'
  params: {
    name: uniqueName
    location: location
    tags: allTags
    runtimeVersion: runtimeVersion
    settings: union(settings, connectorSettings)
    logLevel: logLevel
    instanceMemoryMB: instanceMemoryMB
    maximumInstanceCount: maximumInstanceCount
    subnetId: subnetId
    allowedCidrs: allowedCidrs
    allowEntra: allowEntra
    deploymentCidrs: deploymentCidrs
    identityId: identity.id
    clientId: identity.properties.clientId
    blobUrl: storage.outputs.blobUrl
    packagesUrl: storage.outputs.packagesUrl
    tableUrl: storage.outputs.tableUrl
    scimsessionUrl: vault.outputs.scimsessionUrl
    sweepKeyUrl: vault.outputs.sweepKeyUrl
    connectionString: monitoring.outputs.connectionString
  }
}

module alerts 'alerts.bicep' = {
  name: '${name}-alerts'
  params: {
    name: name
    location: location
    tags: allTags
    insightsId: monitoring.outputs.insightsId
    actionGroupId: monitoring.outputs.actionGroupId
  }
}

// --- what to do next ---

@description('What the identity provider asks for as Tenant URL.')
output tenantUrl string = '${settings.?SCIM_BRIDGE_PUBLIC_URL ?? 'https://${app.outputs.hostName}'}/scim/v2'

@description('What to type next: it puts the credentials that `scim-bridge setup` made into their secrets.')
output nextCommand string = 'scim-bridge credentials push azure --to ${vault.outputs.scimsessionUrl} --sweep-key-to ${vault.outputs.sweepKeyUrl}'

// --- for the command line, and for other templates ---

@description('URL of the scimsession\'s secret.')
output scimsessionUrl string = vault.outputs.scimsessionUrl

@description('URL of the sweep key\'s secret.')
output sweepKeyUrl string = vault.outputs.sweepKeyUrl

@description('URL of the state table.')
output tableUrl string = storage.outputs.tableUrl

@description('Name of the function app.')
output functionAppName string = app.outputs.functionAppName

@description('Resource id of the identity that the app runs as.')
output identityId string = identity.id

@description('Resource id of the action group that alarms go to.')
output actionGroupId string = monitoring.outputs.actionGroupId
