// Package hpa answers questions about Kubernetes' own HorizontalPodAutoscaler, for the tests of tonnage.hpa.
package hpa
