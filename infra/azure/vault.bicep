// Where the two secrets are kept. The template makes neither: each deployment would write a version of
// its own over the credentials. `scim-bridge credentials push azure` makes them, so no value passes through here.

param name string
param location string
param tags object
param deletionProtection bool
param principalId string
param operators array
param workspaceId string

var secretsUser = subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '4633458b-17de-408a-b874-0445c86b69e6')
var secretsOfficer = subscriptionResourceId('Microsoft.Authorization/roleDefinitions', 'b86a8fe4-44ce-4948-aee5-eccb2c155cd7')

resource vault 'Microsoft.KeyVault/vaults@2025-05-01' = {
  // checkov:skip=CKV_AZURE_109: The app has no fixed addresses to allow, unless subnetId gives it some; what opens the vault is a role.
  // checkov:skip=CKV_AZURE_189: As for the firewall; and the command line reaches the vault from where its user is.
  name: name
  location: location
  tags: tags
  properties: {
    tenantId: subscription().tenantId
    sku: {
      family: 'A'
      name: 'standard'
    }
    enableRbacAuthorization: true
    enableSoftDelete: true
    softDeleteRetentionInDays: 90
    enablePurgeProtection: true
    publicNetworkAccess: 'Enabled'
  }
}

// On the vault, because a role on a secret needs the secret to be there. It holds these two and nothing else.
resource bridge 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: vault
  name: guid(vault.id, principalId, secretsUser)
  properties: {
    roleDefinitionId: secretsUser
    principalId: principalId
    principalType: 'ServicePrincipal'
  }
}

resource operator 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for user in operators: {
    scope: vault
    name: guid(vault.id, user.id, secretsOfficer)
    properties: {
      roleDefinitionId: secretsOfficer
      principalId: user.id
      principalType: user.type
    }
  }
]

// Who read or wrote which secret, and when.
resource audit 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: vault
  name: 'audit'
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        categoryGroup: 'audit'
        enabled: true
      }
    ]
  }
}

resource lock 'Microsoft.Authorization/locks@2020-05-01' = if (deletionProtection) {
  scope: vault
  name: 'credentials'
  properties: {
    level: 'CanNotDelete'
    notes: 'Holds the credentials of the account\'s Provision Manager.'
  }
}

output scimsessionUrl string = '${vault.properties.vaultUri}secrets/scimsession'
output sweepKeyUrl string = '${vault.properties.vaultUri}secrets/sweep-key'
