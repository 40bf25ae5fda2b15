package hpa

import (
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/kubernetes/pkg/controller/podautoscaler/metrics"
)

const namespace = "default"

// pod is a PodFact as it travels. Times count from the start of the bubble.
type pod struct {
	Name       string            `json:"name"`
	Phase      string            `json:"phase"`
	Deleted    bool              `json:"deleted"`
	StartNs    *int64            `json:"start_ns"`
	Ready      string            `json:"ready"`
	SinceNs    int64             `json:"since_ns"`
	Containers []container       `json:"containers"`
	Requests   map[string]int64  `json:"requests"`
	Overhead   map[string]int64  `json:"overhead"`
	Labels     map[string]string `json:"labels"`
}

type container struct {
	Name     string           `json:"name"`
	Role     string           `json:"role"`
	Requests map[string]int64 `json:"requests"`
}

// sample is a pod's value as it travels.
type sample struct {
	Value       int64 `json:"value"`
	TimestampNs int64 `json:"timestamp_ns"`
	WindowNs    int64 `json:"window_ns"`
}

func milliList(milli map[string]int64) v1.ResourceList {
	if milli == nil {
		return nil
	}
	list := v1.ResourceList{}
	for name, value := range milli {
		list[v1.ResourceName(name)] = *resource.NewMilliQuantity(value, resource.DecimalSI)
	}
	return list
}

func (p pod) object(epoch time.Time) *v1.Pod {
	object := &v1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: p.Name, Namespace: namespace, Labels: p.Labels},
		Status:     v1.PodStatus{Phase: v1.PodPhase(p.Phase)},
	}
	if p.Deleted {
		object.DeletionTimestamp = &metav1.Time{Time: epoch}
	}
	if p.StartNs != nil {
		object.Status.StartTime = &metav1.Time{Time: epoch.Add(time.Duration(*p.StartNs))}
	}
	if p.Ready != "" {
		object.Status.Conditions = []v1.PodCondition{
			{Type: v1.PodScheduled, Status: v1.ConditionTrue},
			{
				Type:               v1.PodReady,
				Status:             v1.ConditionStatus(p.Ready),
				LastTransitionTime: metav1.Time{Time: epoch.Add(time.Duration(p.SinceNs))},
			},
		}
	}
	for _, c := range p.Containers {
		made := v1.Container{Name: c.Name, Resources: v1.ResourceRequirements{Requests: milliList(c.Requests)}}
		switch c.Role {
		case "container":
			object.Spec.Containers = append(object.Spec.Containers, made)
		case "sidecar":
			always := v1.ContainerRestartPolicyAlways
			made.RestartPolicy = &always
			fallthrough
		default:
			object.Spec.InitContainers = append(object.Spec.InitContainers, made)
		}
	}
	if p.Requests != nil {
		object.Spec.Resources = &v1.ResourceRequirements{Requests: milliList(p.Requests)}
	}
	object.Spec.Overhead = milliList(p.Overhead)
	return object
}

func podIndexer() cache.Indexer {
	return cache.NewIndexer(
		cache.MetaNamespaceKeyFunc, cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc})
}

func podMetrics(samples map[string]sample, epoch time.Time) metrics.PodMetricsInfo {
	info := metrics.PodMetricsInfo{}
	for name, s := range samples {
		info[name] = metrics.PodMetric{
			Timestamp: epoch.Add(time.Duration(s.TimestampNs)),
			Window:    time.Duration(s.WindowNs),
			Value:     s.Value,
		}
	}
	return info
}
