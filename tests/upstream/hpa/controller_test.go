package hpa

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/scale"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/record"
	"k8s.io/kubernetes/pkg/controller/podautoscaler"
)

const rivalTarget = "rival"

// world is the cluster around the controller, and the record of what the controller does to it.
type world struct {
	epoch          time.Time
	question       scenario
	api            *fake.Clientset
	metrics        *client
	pods           cache.Indexer
	name           string
	target         string
	selector       string
	rivalSelector  string
	specReplicas   int32
	statusReplicas int32
	getScale       string
	updateScale    string
	isRetrying     bool
	current        *pass
	transcript     transcript
	controller     *podautoscaler.HorizontalController
	stop           func()
}

// play lets the real controller live through a scenario in virtual time.
func play(t *testing.T, question scenario) (done transcript) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, question)
		for _, s := range question.Steps {
			w.sleepUntil(s.AtNs)
			w.apply(t, s)
		}
		w.sleepUntil(question.EndNs)
		w.shutDown()
		done = w.transcript
	})
	return done
}

func newWorld(t *testing.T, question scenario) *world {
	hpa, problems := store(question.HPA)
	if problems != nil {
		t.Fatal(problems)
	}
	hpa.UID, hpa.Generation = "hpa", 1
	w := &world{
		epoch:          time.Now(),
		question:       question,
		api:            fake.NewSimpleClientset(hpa),
		metrics:        &client{epoch: time.Now(), replies: map[string]reply{}},
		pods:           podIndexer(),
		name:           hpa.Name,
		target:         hpa.Spec.ScaleTargetRef.Name,
		selector:       question.Selector,
		specReplicas:   question.SpecReplicas,
		statusReplicas: question.StatusReplicas,
	}
	w.api.PrependReactor("update", "horizontalpodautoscalers", w.keepStatus)
	// NB: the second of upstream's handlers sleeps by a clock that began outside the bubble.
	utilruntime.ErrorHandlers = []utilruntime.ErrorHandler{
		func(_ context.Context, err error, msg string, _ ...interface{}) {
			if err == nil {
				err = errors.New(msg)
			}
			if w.current != nil && !strings.Contains(err.Error(), "Deployment/"+namespace+"/"+rivalTarget) {
				w.current.Errors = append(w.current.Errors, err.Error())
			}
		},
	}
	return w
}

func (w *world) sinceEpoch(moment time.Time) int64 { return int64(moment.Sub(w.epoch)) }

func (w *world) sleepUntil(ns int64) {
	time.Sleep(time.Until(w.epoch.Add(time.Duration(ns))))
	synctest.Wait()
}

func (w *world) apply(t *testing.T, s step) {
	for _, p := range s.PutPods {
		if err := w.pods.Add(p.object(w.epoch)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range s.DropPods {
		gone := pod{Name: name}
		if err := w.pods.Delete(gone.object(w.epoch)); err != nil {
			t.Fatal(err)
		}
	}
	for key, answered := range s.Replies {
		w.metrics.replies[key] = answered
	}
	set(&w.statusReplicas, s.StatusReplicas)
	set(&w.specReplicas, s.SpecReplicas)
	set(&w.selector, s.Selector)
	set(&w.getScale, s.GetScale)
	set(&w.updateScale, s.UpdateScale)
	if s.RivalSelector != nil {
		w.setRival(t, *s.RivalSelector)
	}
	if s.HPA != nil {
		w.edit(t, s.HPA)
	}
	if s.Restart {
		w.shutDown()
	}
	if w.controller == nil {
		w.start(t)
	}
	synctest.Wait()
}

func set[T any](place *T, value *T) {
	if value != nil {
		*place = *value
	}
}

// edit changes the spec as a user does: a new generation, the status as it was.
func (w *world) edit(t *testing.T, document []byte) {
	edited, problems := store(document)
	if problems != nil {
		t.Fatal(problems)
	}
	api := w.api.AutoscalingV2().HorizontalPodAutoscalers(namespace)
	hpa, err := api.Get(context.Background(), w.name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	hpa = hpa.DeepCopy()
	hpa.Spec = edited.Spec
	hpa.Generation++
	if _, err := api.Update(context.Background(), hpa, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// setRival makes an autoscaler of something else whose selector may clash, or removes it for an empty selector.
func (w *world) setRival(t *testing.T, selector string) {
	w.rivalSelector = selector
	api := w.api.AutoscalingV2().HorizontalPodAutoscalers(namespace)
	if selector == "" {
		if err := api.Delete(context.Background(), rivalTarget, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		return
	}
	rival, problems := store([]byte(`{"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
		"metadata": {"name": "rival"}, "spec": {"maxReplicas": 1,
		"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "rival"}}}`))
	if problems != nil {
		t.Fatal(problems)
	}
	rival.UID = rivalTarget
	if _, err := api.Create(context.Background(), rival, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// syncedInformer is the part of an informer that the controller asks about pods.
type syncedInformer struct{ cache.SharedIndexInformer }

func (syncedInformer) HasSynced() bool { return true }

type podInformer struct{ indexer cache.Indexer }

func (p podInformer) Informer() cache.SharedIndexInformer { return syncedInformer{} }
func (p podInformer) Lister() corelisters.PodLister       { return corelisters.NewPodLister(p.indexer) }

func (w *world) start(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	factory := informers.NewSharedInformerFactory(w.api, 0)
	config := w.question.Config
	w.controller = podautoscaler.NewHorizontalController(
		ctx, w.api.CoreV1(), w, w.api.AutoscalingV2(), mapper{}, w.metrics,
		factory.Autoscaling().V2().HorizontalPodAutoscalers(), podInformer{w.pods},
		time.Duration(config.SyncNs), time.Duration(config.DownscaleNs), config.Tolerance,
		time.Duration(config.CPUInitNs), time.Duration(config.ReadinessDelayNs))
	*private[record.EventRecorder](w.controller, "eventRecorder") = w
	factory.StartWithContext(ctx)
	// The controller looks every 100 ms whether it has the autoscalers; let it have them at its first look.
	synctest.Wait()
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		w.controller.Run(ctx, 1)
	}()
	w.stop = func() {
		cancel()
		<-finished
		factory.Shutdown()
		synctest.Wait()
	}
}

func (w *world) shutDown() {
	w.transcript.Memories = append(w.transcript.Memories, w.memory())
	w.stop()
	w.controller = nil
}

// private reaches a field that upstream keeps to itself.
func private[T any](controller *podautoscaler.HorizontalController, field string) *T {
	value := reflect.ValueOf(controller).Elem().FieldByName(field)
	return (*T)(unsafe.Pointer(value.UnsafeAddr()))
}

// memory reads the controller's slots for the autoscaler.
func (w *world) memory() memory {
	read := func(field string, take func(reflect.Value)) {
		slots := reflect.ValueOf(w.controller).Elem().FieldByName(field).
			MapIndex(reflect.ValueOf(namespace + "/" + w.name))
		if slots.IsValid() {
			for i := range slots.Len() {
				take(slots.Index(i))
			}
		}
	}
	at := func(slot reflect.Value) int64 {
		return w.sinceEpoch(*(*time.Time)(unsafe.Pointer(slot.FieldByName("timestamp").UnsafeAddr())))
	}
	kept := memory{Recommendations: [][2]int64{}, ScaleUp: [][3]int64{}, ScaleDown: [][3]int64{}}
	read("recommendations", func(slot reflect.Value) {
		kept.Recommendations = append(kept.Recommendations,
			[2]int64{slot.FieldByName("recommendation").Int(), at(slot)})
	})
	event := func(slot reflect.Value) [3]int64 {
		mark := int64(0)
		if slot.FieldByName("outdated").Bool() {
			mark = 1
		}
		return [3]int64{slot.FieldByName("replicaChange").Int(), at(slot), mark}
	}
	read("scaleUpEvents", func(slot reflect.Value) { kept.ScaleUp = append(kept.ScaleUp, event(slot)) })
	read("scaleDownEvents", func(slot reflect.Value) { kept.ScaleDown = append(kept.ScaleDown, event(slot)) })
	return kept
}

// keepStatus lets a write of the status change the status alone, as the API server does, and records it.
func (w *world) keepStatus(action clienttesting.Action) (bool, runtime.Object, error) {
	if action.GetSubresource() != "status" {
		return false, nil, nil
	}
	written := action.(clienttesting.UpdateAction).GetObject().(*autoscalingv2.HorizontalPodAutoscaler)
	stored, err := w.api.Tracker().Get(action.GetResource(), namespace, written.Name)
	if err != nil {
		return true, nil, err
	}
	hpa := stored.(*autoscalingv2.HorizontalPodAutoscaler).DeepCopy()
	hpa.Status = *written.Status.DeepCopy()
	if hpa.Name == w.name {
		w.current.Status = w.status(hpa.Status)
	}
	return true, hpa, w.api.Tracker().Update(action.GetResource(), hpa, namespace)
}

func (w *world) status(s autoscalingv2.HorizontalPodAutoscalerStatus) *hpaStatus {
	read := &hpaStatus{CurrentReplicas: s.CurrentReplicas, DesiredReplicas: s.DesiredReplicas}
	if s.LastScaleTime != nil {
		since := w.sinceEpoch(s.LastScaleTime.Time)
		read.LastScaleNs = &since
	}
	for _, c := range s.Conditions {
		read.Conditions = append(read.Conditions, condition{
			string(c.Type), string(c.Status), c.Reason, c.Message, w.sinceEpoch(c.LastTransitionTime.Time)})
	}
	for _, m := range s.CurrentMetrics {
		metric, value := currentMetric{Type: string(m.Type)}, currentValue(m)
		if value.Value != nil {
			milli := value.Value.MilliValue()
			metric.Value = &milli
		}
		if value.AverageValue != nil {
			milli := value.AverageValue.MilliValue()
			metric.AverageValue = &milli
		}
		metric.AverageUtilization = value.AverageUtilization
		read.Metrics = append(read.Metrics, metric)
	}
	return read
}

// Scales, Get and Update are the scale subresource of the target and of the rival.
func (w *world) Scales(string) scale.ScaleInterface { return scales{w} }

type scales struct{ *world }

func (s scales) Get(_ context.Context, _ schema.GroupResource, name string, _ metav1.GetOptions) (*autoscalingv1.Scale, error) {
	w := s.world
	if name == rivalTarget {
		return &autoscalingv1.Scale{
			Spec:   autoscalingv1.ScaleSpec{Replicas: 1},
			Status: autoscalingv1.ScaleStatus{Replicas: 1, Selector: w.rivalSelector},
		}, nil
	}
	if w.isRetrying {
		w.isRetrying = false
	} else {
		w.current = &pass{AtNs: w.sinceEpoch(time.Now()), Events: []eventRecord{}, Errors: []string{}}
		w.transcript.Passes = append(w.transcript.Passes, w.current)
	}
	if w.getScale != "" {
		return nil, errors.New(w.getScale)
	}
	return &autoscalingv1.Scale{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace},
		Spec:       autoscalingv1.ScaleSpec{Replicas: w.specReplicas},
		Status:     autoscalingv1.ScaleStatus{Replicas: w.statusReplicas, Selector: w.selector},
	}, nil
}

func (s scales) Update(_ context.Context, _ schema.GroupResource, wanted *autoscalingv1.Scale, _ metav1.UpdateOptions) (*autoscalingv1.Scale, error) {
	w := s.world
	if w.updateScale != "" {
		w.isRetrying = true
		return nil, errors.New(w.updateScale)
	}
	w.specReplicas = wanted.Spec.Replicas
	replicas := wanted.Spec.Replicas
	w.current.Scale = &replicas
	return wanted, nil
}

func (s scales) Patch(context.Context, schema.GroupVersionResource, string, types.PatchType, []byte, metav1.PatchOptions) (*autoscalingv1.Scale, error) {
	panic("the controller does not patch scales")
}

// Event and its siblings record the events about the autoscaler.
func (w *world) Event(object runtime.Object, kind, reason, message string) {
	if hpa, ok := object.(*autoscalingv2.HorizontalPodAutoscaler); ok && hpa.Name == w.name {
		w.current.Events = append(w.current.Events, eventRecord{kind, reason, message})
	}
}

func (w *world) Eventf(object runtime.Object, kind, reason, format string, args ...interface{}) {
	w.Event(object, kind, reason, fmt.Sprintf(format, args...))
}

func (w *world) AnnotatedEventf(object runtime.Object, _ map[string]string, kind, reason, format string, args ...interface{}) {
	w.Eventf(object, kind, reason, format, args...)
}

// mapper knows that everything is a Deployment.
type mapper struct{ meta.RESTMapper }

func (mapper) RESTMappings(schema.GroupKind, ...string) ([]*meta.RESTMapping, error) {
	return []*meta.RESTMapping{{
		Resource:         schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"},
		GroupVersionKind: schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"},
		Scope:            meta.RESTScopeNamespace,
	}}, nil
}
