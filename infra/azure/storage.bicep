// What the bridge remembers, and what the Functions host needs to run: its leases, its keys and the package.

param name string
param location string
param tags object
param sku string
param deletionProtection bool
param principalId string
param operators array

var blobDataOwner = subscriptionResourceId('Microsoft.Authorization/roleDefinitions', 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b')
var tableDataContributor = subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3')

resource account 'Microsoft.Storage/storageAccounts@2025-01-01' = {
  // checkov:skip=CKV_AZURE_35: The app has no fixed addresses to allow, unless subnetId gives it some; what opens the account is a role.
  // checkov:skip=CKV_AZURE_206: storageSku says it. Who loses the state loses no person.
  name: name
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: {
    name: sku
  }
  properties: {
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    // No account key and no shared access signature opens anything: every caller is somebody whom Entra ID knows.
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    isLocalUserEnabled: false
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
  }
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2025-01-01' = {
  parent: account
  name: 'default'
}

resource packages 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-01-01' = {
  parent: blobs
  name: 'packages'
  properties: {
    publicAccess: 'None'
  }
}

resource tables 'Microsoft.Storage/storageAccounts/tableServices@2025-01-01' = {
  parent: account
  name: 'default'
}

resource state 'Microsoft.Storage/storageAccounts/tableServices/tables@2025-01-01' = {
  parent: tables
  name: 'scimbridge'
}

// The host makes its containers itself, so its right has to be on the account; nothing else keeps blobs there.
resource host 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: account
  name: guid(account.id, principalId, blobDataOwner)
  properties: {
    roleDefinitionId: blobDataOwner
    principalId: principalId
    principalType: 'ServicePrincipal'
  }
}

var tableUsers = concat(operators, [
  {
    id: principalId
    type: 'ServicePrincipal'
  }
])

resource tableUser 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for user in tableUsers: {
    scope: state
    name: guid(state.id, user.id, tableDataContributor)
    properties: {
      roleDefinitionId: tableDataContributor
      principalId: user.id
      principalType: user.type
    }
  }
]

resource lock 'Microsoft.Authorization/locks@2020-05-01' = if (deletionProtection) {
  scope: account
  name: 'state'
  properties: {
    level: 'CanNotDelete'
    notes: 'Holds who waits to be confirmed, and whom this bridge invited.'
  }
}

output blobUrl string = account.properties.primaryEndpoints.blob
output packagesUrl string = '${account.properties.primaryEndpoints.blob}${packages.name}'
output tableUrl string = '${account.properties.primaryEndpoints.table}${state.name}'
