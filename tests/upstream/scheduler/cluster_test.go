package scheduler

import (
	"context"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	v1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	resourcev1 "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/tools/events"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	"k8s.io/kubernetes/pkg/apis/core"
	_ "k8s.io/kubernetes/pkg/apis/core/install"
	registrypod "k8s.io/kubernetes/pkg/registry/core/pod"
	"k8s.io/kubernetes/pkg/scheduler"
	"k8s.io/kubernetes/pkg/scheduler/apis/config"
	internalcache "k8s.io/kubernetes/pkg/scheduler/backend/cache"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/defaultpreemption"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/feature"
	"k8s.io/kubernetes/pkg/scheduler/framework/preemption"
	"k8s.io/kubernetes/pkg/scheduler/profile"
)

// objects are what a cluster consists of.
type objects struct {
	Nodes        []*v1.Node                      `json:"nodes"`
	Pods         []*v1.Pod                       `json:"pods"`
	Namespaces   []*v1.Namespace                 `json:"namespaces"`
	Services     []*v1.Service                   `json:"services"`
	ReplicaSets  []*appsv1.ReplicaSet            `json:"replicaSets"`
	StatefulSets []*appsv1.StatefulSet           `json:"statefulSets"`
	Budgets      []*policyv1.PodDisruptionBudget `json:"budgets"`
	// Of dynamic resource allocation; with device classes, the informers are really started.
	DeviceClasses []*resourcev1.DeviceClass   `json:"deviceClasses"`
	Slices        []*resourcev1.ResourceSlice `json:"slices"`
	Claims        []*resourcev1.ResourceClaim `json:"claims"`
	// Parallelism is how many nodes are filtered at once; with 1, it is certain which ones are looked at.
	Parallelism int32 `json:"parallelism"`
}

// cluster is a scheduler that knows of one cluster. Its informers are never started: what they would have
// heard of is put into their indexers and into the scheduler's cache.
type cluster struct {
	logger    klog.Logger
	ctx       context.Context
	stop      context.CancelFunc
	informers informers.SharedInformerFactory
	snapshot  *internalcache.Snapshot
	sched     *scheduler.Scheduler
	framework framework.Framework
	preempter *defaultpreemption.DefaultPreemption
	nodes     map[string]*v1.Node
	preempted chan types.UID
}

func newCluster(from *objects) (*cluster, error) {
	ctx, stop := context.WithCancel(context.Background())
	client := fake.NewClientset(from.devices()...)
	c := &cluster{
		logger:    klog.FromContext(ctx),
		ctx:       ctx,
		stop:      stop,
		informers: informers.NewSharedInformerFactory(client, 0),
		snapshot:  internalcache.NewEmptySnapshot(),
		nodes:     map[string]*v1.Node{},
		preempted: make(chan types.UID, 10000),
	}
	broadcaster := events.NewBroadcaster(&events.EventSinkImpl{Interface: client.EventsV1()})
	var err error
	options := []scheduler.Option{scheduler.WithNodeInfoSnapshot(c.snapshot)}
	if from.Parallelism > 0 {
		options = append(options, scheduler.WithParallelism(from.Parallelism))
	}
	c.sched, err = scheduler.New(ctx, client, c.informers, nil, profile.NewRecorderFactory(broadcaster), options...)
	if err != nil {
		return nil, err
	}
	c.framework = c.sched.Profiles[v1.DefaultSchedulerName]
	// The profile's own instance of the plugin is out of reach; this one is made in the same way.
	args := &config.DefaultPreemptionArgs{MinCandidateNodesPercentage: 10, MinCandidateNodesAbsolute: 100}
	features := feature.NewSchedulerFeaturesFromGates(utilfeature.DefaultFeatureGate)
	c.preempter, err = defaultpreemption.New(ctx, args, c.framework, features)
	if err != nil {
		return nil, err
	}
	c.preempter.Executor.PreemptPod = func(_ context.Context, _ preemption.Candidate, _ preemption.ExecutorPreemptor, victim *v1.Pod, _ string) (bool, error) {
		c.preempted <- victim.UID
		return false, nil
	}
	if len(from.DeviceClasses) > 0 {
		c.informers.Start(ctx.Done())
		c.informers.WaitForCacheSync(ctx.Done())
		tracked := c.framework.SharedDRAManager()
		for {
			claims, err := tracked.ResourceClaims().List()
			if err != nil {
				return nil, err
			}
			slices, err := tracked.ResourceSlices().ListWithDeviceTaintRules()
			if err != nil {
				return nil, err
			}
			if len(claims) == len(from.Claims) && len(slices) == len(from.Slices) {
				break
			}
			time.Sleep(time.Millisecond)
		}
	}
	return c, c.fill(from)
}

// devices are the objects that only reach the scheduler by way of an API server.
func (o *objects) devices() []runtime.Object {
	var found []runtime.Object
	for _, one := range o.DeviceClasses {
		found = append(found, one)
	}
	for _, one := range o.Slices {
		found = append(found, one)
	}
	for _, one := range o.Claims {
		found = append(found, one)
	}
	return found
}

func (c *cluster) fill(from *objects) error {
	coreInformers, apps := c.informers.Core().V1(), c.informers.Apps().V1()
	for _, one := range from.Namespaces {
		if err := coreInformers.Namespaces().Informer().GetIndexer().Add(one); err != nil {
			return err
		}
	}
	for _, one := range from.Services {
		if err := coreInformers.Services().Informer().GetIndexer().Add(one); err != nil {
			return err
		}
	}
	for _, one := range from.ReplicaSets {
		if err := apps.ReplicaSets().Informer().GetIndexer().Add(one); err != nil {
			return err
		}
	}
	for _, one := range from.StatefulSets {
		if err := apps.StatefulSets().Informer().GetIndexer().Add(one); err != nil {
			return err
		}
	}
	for _, one := range from.Budgets {
		if err := c.informers.Policy().V1().PodDisruptionBudgets().Informer().GetIndexer().Add(one); err != nil {
			return err
		}
	}
	for _, one := range from.Nodes {
		c.sched.Cache.AddNode(c.logger, defaulted(one))
		c.nodes[one.Name] = one
	}
	for _, one := range from.Pods {
		if err := admit(one); err != nil {
			return err
		}
		if err := c.sched.Cache.AddPod(c.logger, one); err != nil {
			return err
		}
	}
	return nil
}

// nominate puts a pod with a nomination back into the scheduling queue, as happens after its preemption.
func (c *cluster) nominate(pod *v1.Pod) error {
	// Nominations only hold for pods that the informer knows.
	if err := c.informers.Core().V1().Pods().Informer().GetIndexer().Add(pod); err != nil {
		return err
	}
	c.sched.SchedulingQueue.Delete(c.logger, pod)
	c.sched.SchedulingQueue.Add(c.ctx, pod)
	return nil
}

func defaulted(node *v1.Node) *v1.Node {
	legacyscheme.Scheme.Default(node)
	return node
}

// admit does to a pod what the API server does when it is created; the status is kept as it is.
func admit(pod *v1.Pod) error {
	legacyscheme.Scheme.Default(pod)
	status := pod.Status
	var internal core.Pod
	if err := legacyscheme.Scheme.Convert(pod, &internal, nil); err != nil {
		return err
	}
	registrypod.Strategy.PrepareForCreate(context.Background(), &internal)
	var out v1.Pod
	if err := legacyscheme.Scheme.Convert(&internal, &out, nil); err != nil {
		return err
	}
	out.Status = status
	*pod = out
	return nil
}
