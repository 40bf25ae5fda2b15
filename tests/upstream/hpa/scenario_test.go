package hpa

import (
	"encoding/json"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
)

// scenario is some hours of an autoscaler's life. Times count from the start of the bubble.
type scenario struct {
	Config         flags           `json:"config"`
	HPA            json.RawMessage `json:"hpa"`
	Selector       string          `json:"selector"`
	SpecReplicas   int32           `json:"spec_replicas"`
	StatusReplicas int32           `json:"status_replicas"`
	Steps          []step          `json:"steps"`
	EndNs          int64           `json:"end_ns"`
}

type flags struct {
	SyncNs           int64   `json:"sync_ns"`
	DownscaleNs      int64   `json:"downscale_ns"`
	CPUInitNs        int64   `json:"cpu_init_ns"`
	ReadinessDelayNs int64   `json:"readiness_delay_ns"`
	Tolerance        float64 `json:"tolerance"`
}

// step is what changes in the world at one moment; what is absent stays as it is. The controller starts at the
// end of the first step.
type step struct {
	AtNs           int64            `json:"at_ns"`
	PutPods        []pod            `json:"put_pods"`
	DropPods       []string         `json:"drop_pods"`
	Replies        map[string]reply `json:"replies"`
	StatusReplicas *int32           `json:"status_replicas"`
	SpecReplicas   *int32           `json:"spec_replicas"`
	Selector       *string          `json:"selector"`
	HPA            json.RawMessage  `json:"hpa"`
	Restart        bool             `json:"restart"`
	GetScale       *string          `json:"get_scale"`
	UpdateScale    *string          `json:"update_scale"`
	RivalSelector  *string          `json:"rival_selector"`
}

// transcript is everything that the controller did.
type transcript struct {
	Passes   []*pass  `json:"passes"`
	Memories []memory `json:"memories"`
}

// pass is one reconciliation; the scale and the status are absent where they were not written.
type pass struct {
	AtNs   int64         `json:"at_ns"`
	Scale  *int32        `json:"scale"`
	Status *hpaStatus    `json:"status"`
	Events []eventRecord `json:"events"`
	Errors []string      `json:"errors"`
}

type eventRecord struct {
	Type    string `json:"type"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

type hpaStatus struct {
	CurrentReplicas int32           `json:"current_replicas"`
	DesiredReplicas int32           `json:"desired_replicas"`
	LastScaleNs     *int64          `json:"last_scale_ns"`
	Conditions      []condition     `json:"conditions"`
	Metrics         []currentMetric `json:"metrics"`
}

type condition struct {
	Type    string `json:"type"`
	Status  string `json:"status"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
	SinceNs int64  `json:"since_ns"`
}

type currentMetric struct {
	Type               string `json:"type"`
	Value              *int64 `json:"value"`
	AverageValue       *int64 `json:"average_value"`
	AverageUtilization *int32 `json:"average_utilization"`
}

// memory is what a controller knew when it was stopped: pairs of a count and a time, and the mark of events.
type memory struct {
	Recommendations [][2]int64 `json:"recommendations"`
	ScaleUp         [][3]int64 `json:"scale_up"`
	ScaleDown       [][3]int64 `json:"scale_down"`
}

func currentValue(status autoscalingv2.MetricStatus) *autoscalingv2.MetricValueStatus {
	switch {
	case status.Resource != nil:
		return &status.Resource.Current
	case status.ContainerResource != nil:
		return &status.ContainerResource.Current
	case status.Pods != nil:
		return &status.Pods.Current
	case status.Object != nil:
		return &status.Object.Current
	case status.External != nil:
		return &status.External.Current
	}
	return &autoscalingv2.MetricValueStatus{}
}
