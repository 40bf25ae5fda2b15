// Package hpa lets Kubernetes' own HorizontalPodAutoscaler answer the questions that tonnage.hpa is asked, so
// that the two can be compared. It is built as a test binary, because virtual time (testing/synctest) needs one,
// and is driven through its standard input and output: one JSON value a line, one answer a line.
//
// TestOracle answers by the environment variable TONNAGE_ORACLE:
//
//	calculator  one call of the real ReplicaCalculator           calculator_test.go
//	controller  hours of the real HorizontalController           controller_test.go
//	object      the API server's defaulting and validation       object_test.go
package hpa
