// What somebody should be woken for. Every alert asks the logs, because the bridge counts there: after
// each request and each sweep it writes one line {"metrics":{…}} with the names that are not zero.

param name string
param location string
param tags object
param insightsId string
param actionGroupId string

var metrics = 'traces | where message startswith \'{"metrics":\' | extend metrics = parse_json(message).metrics'

// Each counts the rows of its query within `window`, and looks every `every`.
var alerts = [
  {
    name: 'server-errors'
    description: 'Five or more requests in five minutes were answered with 5xx. The reason is in the traces of the same time.'
    query: 'requests | where toint(resultCode) >= 500'
    operator: 'GreaterThanOrEqual'
    threshold: 5
    window: 'PT5M'
    every: 'PT5M'
    severity: 2
  }
  {
    name: 'sweep-failing'
    description: 'Three or more sweeps failed in five minutes. The reason is in the traces of the same time.'
    query: 'requests | where operation_Name == "confirm" and success == false'
    operator: 'GreaterThanOrEqual'
    threshold: 3
    window: 'PT5M'
    every: 'PT5M'
    severity: 2
  }
  {
    name: 'sweep-late'
    description: 'No sweep has got through for fifteen minutes, so nobody is confirmed. Before the credentials are in their secrets this is as it should be; else the reason is in the traces.'
    query: '${metrics} | where toint(metrics.Sweeps) > 0'
    operator: 'LessThan'
    threshold: 1
    window: 'PT15M'
    every: 'PT5M'
    severity: 1
  }
  {
    name: 'guard-tripped'
    description: 'The guard refused to remove people or to empty a group. See what the provider is doing before you lift it: scim-bridge guard --help.'
    query: '${metrics} | where toint(metrics.GuardRefusals) > 0'
    operator: 'GreaterThan'
    threshold: 0
    window: 'PT5M'
    every: 'PT5M'
    severity: 1
  }
  {
    name: 'people-held'
    description: 'Somebody who signed up is held back. scim-bridge confirmations list says who, why and what to do.'
    query: '${metrics} | where toint(metrics.Held) > 0'
    operator: 'GreaterThan'
    threshold: 0
    window: 'PT1H'
    every: 'PT1H'
    severity: 3
  }
  {
    name: 'credentials-expiring'
    description: 'The provider\'s last token ends within 14 days: scim-bridge token rotate, and give the provider the new one.'
    query: '${metrics} | where todouble(metrics.DaysToTokenExpiry) < 14'
    operator: 'GreaterThan'
    threshold: 0
    window: 'PT1H'
    every: 'PT1H'
    severity: 2
  }
]

resource rules 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [
  for alert in alerts: {
    name: '${name}-${alert.name}'
    location: location
    tags: tags
    kind: 'LogAlert'
    properties: {
      displayName: '${name} ${alert.name}'
      description: alert.description
      severity: alert.severity
      enabled: true
      scopes: [
        insightsId
      ]
      evaluationFrequency: alert.every
      windowSize: alert.window
      criteria: {
        allOf: [
          {
            query: alert.query
            timeAggregation: 'Count'
            operator: alert.operator
            threshold: alert.threshold
            failingPeriods: {
              numberOfEvaluationPeriods: 1
              minFailingPeriodsToAlert: 1
            }
          }
        ]
      }
      autoMitigate: true
      // Where nothing was ever logged there is nothing to check a query against.
      skipQueryValidation: true
      actions: {
        actionGroups: [
          actionGroupId
        ]
      }
    }
  }
]
