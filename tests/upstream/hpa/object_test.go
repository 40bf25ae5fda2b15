package hpa

import (
	"encoding/json"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	"k8s.io/kubernetes/pkg/apis/autoscaling"
	_ "k8s.io/kubernetes/pkg/apis/autoscaling/install"
	"k8s.io/kubernetes/pkg/apis/autoscaling/validation"
)

// admission is what the API server makes of a document: the stored object as autoscaling/v2, or why not.
type admission struct {
	Object   *autoscalingv2.HorizontalPodAutoscaler `json:"object"`
	Problems []string                               `json:"problems"`
}

func admit(document json.RawMessage) admission {
	object, problems := store(document)
	return admission{object, problems}
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
