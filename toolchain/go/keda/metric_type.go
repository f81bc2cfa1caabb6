// Package scalers is KEDA's; this file takes the place of one whose scaler is left out, and keeps
// what the others use of it.
package scalers

const externalMetricType = "External"
