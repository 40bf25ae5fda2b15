package hpa

import (
	"context"
	"fmt"
	"time"
	"unsafe"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/kubernetes/pkg/controller/podautoscaler"
)

// calculation is one call of a method of the ReplicaCalculator. Times count from now.
type calculation struct {
	Method           string  `json:"method"`
	SpecReplicas     int32   `json:"spec_replicas"`
	StatusReplicas   int32   `json:"status_replicas"`
	Target           int64   `json:"target"`
	Metric           string  `json:"metric"`
	Container        string  `json:"container"`
	ToleranceDown    float64 `json:"tolerance_down"`
	ToleranceUp      float64 `json:"tolerance_up"`
	CPUInitNs        int64   `json:"cpu_init_ns"`
	ReadinessDelayNs int64   `json:"readiness_delay_ns"`
	Pods             []pod   `json:"pods"`
	Reply            reply   `json:"reply"`
}

// calculated is what the method returned; the timestamp counts from now and is absent where it is zero.
type calculated struct {
	Replicas    int32  `json:"replicas"`
	Utilization int32  `json:"utilization"`
	Usage       int64  `json:"usage"`
	TimestampNs *int64 `json:"timestamp_ns"`
	Error       string `json:"error"`
}

// tolerances makes the struct whose fields upstream keeps to itself: two doubles, down before up.
func tolerances(down, up float64) podautoscaler.Tolerances {
	if unsafe.Sizeof(podautoscaler.Tolerances{}) != 16 {
		panic("podautoscaler.Tolerances is no longer two doubles")
	}
	fields := [2]float64{down, up}
	made := *(*podautoscaler.Tolerances)(unsafe.Pointer(&fields))
	if made.String() != fmt.Sprintf("[down:%.1f%%, up:%.1f%%]", down*100., up*100.) {
		panic("podautoscaler.Tolerances is no longer down before up")
	}
	return made
}

func calculate(q calculation) calculated {
	now := time.Now()
	indexer := podIndexer()
	for _, p := range q.Pods {
		if err := indexer.Add(p.object(now)); err != nil {
			panic(err)
		}
	}
	key := map[string]string{
		"resource":         "resource/" + q.Metric + "/" + q.Container,
		"raw_resource":     "resource/" + q.Metric + "/" + q.Container,
		"pods":             "pods/" + q.Metric,
		"object":           "object/" + q.Metric,
		"object_per_pod":   "object/" + q.Metric,
		"external":         "external/" + q.Metric,
		"external_per_pod": "external/" + q.Metric,
	}[q.Method]
	calculator := podautoscaler.NewReplicaCalculator(
		&client{epoch: now, replies: map[string]reply{key: q.Reply}},
		corelisters.NewPodLister(indexer),
		time.Duration(q.CPUInitNs),
		time.Duration(q.ReadinessDelayNs),
	)
	all := labels.Everything()
	allowed := tolerances(q.ToleranceDown, q.ToleranceUp)
	object := &autoscalingv2.CrossVersionObjectReference{Kind: "Service", Name: "front"}
	var out calculated
	var timestamp time.Time
	var err error
	ctx := context.Background()
	switch q.Method {
	case "resource":
		out.Replicas, out.Utilization, out.Usage, timestamp, err = calculator.GetResourceReplicas(
			ctx, q.SpecReplicas, int32(q.Target), v1.ResourceName(q.Metric), allowed, namespace, all, q.Container)
	case "raw_resource":
		out.Replicas, out.Usage, timestamp, err = calculator.GetRawResourceReplicas(
			ctx, q.SpecReplicas, q.Target, v1.ResourceName(q.Metric), allowed, namespace, all, q.Container)
	case "pods":
		out.Replicas, out.Usage, timestamp, err = calculator.GetMetricReplicas(
			q.SpecReplicas, q.Target, q.Metric, allowed, namespace, all, all)
	case "object":
		out.Replicas, out.Usage, timestamp, err = calculator.GetObjectMetricReplicas(
			q.SpecReplicas, q.Target, q.Metric, allowed, namespace, object, all, all)
	case "object_per_pod":
		out.Replicas, out.Usage, timestamp, err = calculator.GetObjectPerPodMetricReplicas(
			q.StatusReplicas, q.Target, q.Metric, allowed, namespace, object, all)
	case "external":
		out.Replicas, out.Usage, timestamp, err = calculator.GetExternalMetricReplicas(
			q.SpecReplicas, q.Target, q.Metric, allowed, namespace, nil, all)
	case "external_per_pod":
		out.Replicas, out.Usage, timestamp, err = calculator.GetExternalPerPodMetricReplicas(
			q.StatusReplicas, q.Target, q.Metric, allowed, namespace, nil)
	default:
		panic("unknown method " + q.Method)
	}
	if err != nil {
		return calculated{Error: err.Error()}
	}
	if !timestamp.IsZero() {
		since := int64(timestamp.Sub(now))
		out.TimestampNs = &since
	}
	return out
}
