// The function app: the Functions host, which terminates TLS and keeps the time, and the bridge behind it.

param name string
param location string
param tags object
param runtimeVersion string
param settings object
param logLevel string
param instanceMemoryMB int
param maximumInstanceCount int
param subnetId string
param allowedCidrs array
param allowEntra bool
param deploymentCidrs array
param identityId string
param clientId string
param blobUrl string
param packagesUrl string
param tableUrl string
param scimsessionUrl string
param sweepKeyUrl string
param connectionString string

var chosen = [
  for setting in items(settings): {
    name: setting.key
    value: setting.value
  }
]

var entra = {
  name: 'entra'
  description: 'Entra ID, whose provisioning service is part of this tag; that of every other tenant too.'
  action: 'Allow'
  priority: 100
  tag: 'ServiceTag'
  ipAddress: 'AzureActiveDirectory'
}

var callers = [
  for (cidr, index) in allowedCidrs: {
    name: 'caller-${index}'
    action: 'Allow'
    priority: 200 + index
    ipAddress: cidr
  }
]

var deployers = [
  for (cidr, index) in deploymentCidrs: {
    name: 'deployer-${index}'
    action: 'Allow'
    priority: 200 + index
    ipAddress: cidr
  }
]

var restricted = allowEntra || !empty(allowedCidrs)

resource plan 'Microsoft.Web/serverfarms@2024-11-01' = {
  // checkov:skip=CKV_AZURE_225: Not every region has zones. A sweep or a request that is lost with one is made good by the next.
  name: name
  location: location
  tags: tags
  kind: 'functionapp'
  sku: {
    name: 'FC1'
    tier: 'FlexConsumption'
  }
  properties: {
    reserved: true
  }
}

resource app 'Microsoft.Web/sites@2024-11-01' = {
  // checkov:skip=CKV_AZURE_17: A provider proves itself by its token; none offers a certificate.
  // checkov:skip=CKV_AZURE_18: Providers speak HTTP/1.1.
  // checkov:skip=CKV_AZURE_67: Providers speak HTTP/1.1.
  // checkov:skip=CKV_AZURE_78: Flex Consumption has no FTP, and refuses to be told so.
  // checkov:skip=CKV_AZURE_212: Flex Consumption scales by itself, down to nothing.
  // checkov:skip=CKV_AZURE_213: Flex Consumption replaces instances by itself; the alert sweep-late notices when none works.
  // checkov:skip=CKV_AZURE_222: Providers call from the public internet; allowedCidrs and allowEntra bound it.
  name: name
  location: location
  tags: tags
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identityId}': {}
    }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    publicNetworkAccess: 'Enabled'
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    functionAppConfig: {
      runtime: {
        name: 'custom'
        version: runtimeVersion
      }
      deployment: {
        storage: {
          type: 'blobContainer'
          value: packagesUrl
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identityId
          }
        }
      }
      scaleAndConcurrency: {
        instanceMemoryMB: instanceMemoryMB
        maximumInstanceCount: maximumInstanceCount
      }
    }
    siteConfig: {
      // Entra ID's provisioning service speaks 1.2 only, so 1.3 as the minimum would shut it out.
      minTlsVersion: '1.2'
      scmMinTlsVersion: '1.2'
      ipSecurityRestrictions: concat(allowEntra ? [entra] : [], callers)
      ipSecurityRestrictionsDefaultAction: restricted ? 'Deny' : 'Allow'
      // Whoever calls the bridge has no business at the place where its program is exchanged.
      scmIpSecurityRestrictionsUseMain: false
      scmIpSecurityRestrictions: deployers
      scmIpSecurityRestrictionsDefaultAction: restricted || !empty(deploymentCidrs) ? 'Deny' : 'Allow'
      appSettings: concat(chosen, [
        // Blobs alone: with the account's name instead, the host would look for tables that it may not touch.
        {
          name: 'AzureWebJobsStorage__blobServiceUri'
          value: blobUrl
        }
        {
          name: 'AzureWebJobsStorage__credential'
          value: 'managedidentity'
        }
        {
          name: 'AzureWebJobsStorage__clientId'
          value: clientId
        }
        // The bridge answers at the root too, where the host has a page of its own.
        {
          name: 'AzureWebJobsDisableHomepage'
          value: 'true'
        }
        {
          name: 'APPLICATIONINSIGHTS_CONNECTION_STRING'
          value: connectionString
        }
        {
          name: 'APPLICATIONINSIGHTS_AUTHENTICATION_STRING'
          value: 'ClientId=${clientId};Authorization=AAD'
        }
        {
          name: 'AZURE_CLIENT_ID'
          value: clientId
        }
        {
          name: 'SCIM_BRIDGE_LOG'
          value: logLevel
        }
        {
          name: 'SCIM_BRIDGE_SCIMSESSION'
          value: scimsessionUrl
        }
        {
          name: 'SCIM_BRIDGE_STATE'
          value: tableUrl
        }
        {
          name: 'SCIM_BRIDGE_SWEEP_KEY'
          value: sweepKeyUrl
        }
      ])
    }
  }
}

// The program is put in place by whom Azure RBAC allows to, never with a user name and a password.
resource publishing 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-11-01' = {
  parent: app
  name: 'scm'
  properties: {
    allow: false
  }
}

output hostName string = app.properties.defaultHostName
output functionAppName string = app.name
