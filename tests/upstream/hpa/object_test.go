package hpa

import (
	"encoding/json"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	"k8s.io/kubernetes/pkg/apis/autoscaling"
	_ "k8s.io/kubernetes/pkg/apis/autoscaling/install"
	"k8s.io/kubernetes/pkg/apis/autoscaling/validation"
	"k8s.io/utils/ptr"
)

// admission is what the API server makes of a document: the stored object as autoscaling/v2, or why not.
type admission struct {
	Object   *autoscalingv2.HorizontalPodAutoscaler `json:"object"`
	Numbers  *numbers                               `json:"numbers"`
	Problems []string                               `json:"problems"`
}

// numbers is what the controller computes with: of each metric the value, the average value and the
// utilization, and the tolerances up and down.
type numbers struct {
	Targets    [][3]*int64 `json:"targets"`
	Tolerances []*float64  `json:"tolerances"`
}

func admit(document json.RawMessage) admission {
	object, problems := store(document)
	if object == nil {
		return admission{Problems: problems}
	}
	found := &numbers{}
	for _, metric := range object.Spec.Metrics {
		target := targetOf(metric)
		var utilization *int64
		if target.AverageUtilization != nil {
			utilization = ptr.To(int64(*target.AverageUtilization))
		}
		found.Targets = append(found.Targets, [3]*int64{milli(target.Value), milli(target.AverageValue), utilization})
	}
	if behavior := object.Spec.Behavior; behavior != nil {
		for _, rules := range []*autoscalingv2.HPAScalingRules{behavior.ScaleUp, behavior.ScaleDown} {
			var tolerance *float64
			if rules.Tolerance != nil {
				tolerance = ptr.To(rules.Tolerance.AsApproximateFloat64())
			}
			found.Tolerances = append(found.Tolerances, tolerance)
		}
	}
	return admission{Object: object, Numbers: found}
}

func milli(quantity *resource.Quantity) *int64 {
	if quantity == nil {
		return nil
	}
	return ptr.To(quantity.MilliValue())
}

func targetOf(metric autoscalingv2.MetricSpec) autoscalingv2.MetricTarget {
	switch {
	case metric.Resource != nil:
		return metric.Resource.Target
	case metric.ContainerResource != nil:
		return metric.ContainerResource.Target
	case metric.Pods != nil:
		return metric.Pods.Target
	case metric.Object != nil:
		return metric.Object.Target
	}
	return metric.External.Target
}

// store decodes, defaults and validates a document as the API server does for a new object, and hands back
// what a controller reads of it later, texts of quantities included.
func store(document []byte) (*autoscalingv2.HorizontalPodAutoscaler, []string) {
	decoded, err := runtime.Decode(legacyscheme.Codecs.UniversalDecoder(), document)
	if err != nil {
		return nil, []string{err.Error()}
	}
	internal, ok := decoded.(*autoscaling.HorizontalPodAutoscaler)
	if !ok {
		return nil, []string{"not a HorizontalPodAutoscaler"}
	}
	if internal.Namespace == "" {
		internal.Namespace = namespace
	}
	// The options of a new object: horizontalpodautoscaler/strategy.go, validationOptionsForHorizontalPodAutoscaler.
	options := validation.HorizontalPodAutoscalerSpecValidationOptions{
		MinReplicasLowerBound: 0,
		ScaleTargetRefValidationOptions: validation.CrossVersionObjectReferenceValidationOptions{
			AllowEmptyAPIGroup: internal.Spec.ScaleTargetRef.Kind == "ReplicationController",
		},
		ObjectMetricsValidationOptions: validation.CrossVersionObjectReferenceValidationOptions{AllowEmptyAPIGroup: true},
	}
	if errs := validation.ValidateHorizontalPodAutoscaler(internal, options); len(errs) > 0 {
		var problems []string
		for _, err := range errs {
			problems = append(problems, err.Error())
		}
		return nil, problems
	}
	stored, err := runtime.Encode(legacyscheme.Codecs.LegacyCodec(autoscalingv2.SchemeGroupVersion), internal)
	if err != nil {
		panic(err)
	}
	var read autoscalingv2.HorizontalPodAutoscaler
	if err := json.Unmarshal(stored, &read); err != nil {
		panic(err)
	}
	return &read, nil
}
