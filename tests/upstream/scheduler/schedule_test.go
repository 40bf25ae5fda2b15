package scheduler

import (
	"errors"
	"fmt"

	v1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/sets"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler"
	"k8s.io/kubernetes/pkg/scheduler/framework"
)

type rejection struct {
	Plugin     string   `json:"plugin"`
	Reasons    []string `json:"reasons"`
	Resolvable bool     `json:"resolvable"`
}

type candidate struct {
	Victims    []string `json:"victims"`
	Violations int64    `json:"violations"`
}

// answer is what the scheduler decided.
type answer struct {
	Error string `json:"error,omitempty"`
	// Host is the node that SchedulePod chose; empty when none fits.
	Host string `json:"host"`
	// Evaluated and Found are how many nodes SchedulePod looked at, and how many of them were feasible.
	Evaluated int `json:"evaluated"`
	Found     int `json:"found"`
	// Message is that of the FailedScheduling event; empty when a node was chosen.
	Message string `json:"message"`
	// Feasible, Rejections, Scores and Totals are of all nodes; scores are weighted.
	Feasible   []string                    `json:"feasible"`
	Rejections map[string]rejection        `json:"rejections"`
	Scores     map[string]map[string]int64 `json:"scores"`
	Totals     map[string]int64            `json:"totals"`
	// Nominated is the node on which the default preemption makes room, Candidates what it considered.
	Nominated  string               `json:"nominated"`
	Preempted  []string             `json:"preempted"`
	Candidates map[string]candidate `json:"candidates"`
	// Picks are the nodes that the choice among the candidates falls on when it is made again and again: as
	// the last resort it takes the first of a Go map. Only of at most 8 candidates, where that is even enough.
	Picks []string `json:"picks"`
}

func (c *cluster) schedule(pod *v1.Pod) (*answer, error) {
	if err := c.sched.Cache.UpdateSnapshot(c.logger, c.snapshot); err != nil {
		return nil, err
	}
	podInfo, err := framework.NewPodInfo(pod)
	if err != nil {
		return nil, err
	}
	// The preemption fetches the pod from the informer.
	podIndexer := c.informers.Core().V1().Pods().Informer().GetIndexer()
	if err := podIndexer.Add(pod); err != nil {
		return nil, err
	}
	reply := &answer{}
	state := framework.NewCycleState()
	state.Write(framework.PodsToActivateKey, framework.NewPodsToActivate())
	result, err := c.sched.SchedulePod(c.ctx, c.framework, state, &framework.QueuedPodInfo{PodInfo: podInfo})
	if err == nil {
		reply.Host, reply.Evaluated, reply.Found = result.SuggestedHost, result.EvaluatedNodes, result.FeasibleNodes
		return reply, c.explain(pod, reply)
	}
	if errors.Is(err, scheduler.ErrNoNodesAvailable) {
		reply.Message = err.Error()
		return reply, nil
	}
	fit := &framework.FitError{}
	if !errors.As(err, &fit) {
		return nil, err
	}
	reply.reject(fit.Diagnosis.NodeToStatus)
	return reply, c.preempt(pod, state, fit, reply)
}

// explain runs the same plugins again, one extension point after the other, to see what each said.
func (c *cluster) explain(pod *v1.Pod, reply *answer) error {
	state := framework.NewCycleState()
	only, status, _ := c.framework.RunPreFilterPlugins(c.ctx, state, pod)
	if !status.IsSuccess() {
		return fmt.Errorf("PreFilter: %w", status.AsError())
	}
	nodes, err := c.snapshot.NodeInfos().List()
	if err != nil {
		return err
	}
	statuses := framework.NewDefaultNodeToStatus()
	var feasible []fwk.NodeInfo
	for _, node := range nodes {
		if !only.AllNodes() && !only.NodeNames.Has(node.Node().Name) {
			continue
		}
		status := c.framework.RunFilterPluginsWithNominatedPods(c.ctx, state, pod, node)
		if status.IsSuccess() {
			feasible = append(feasible, node)
			reply.Feasible = append(reply.Feasible, node.Node().Name)
		} else if status.IsRejected() {
			statuses.Set(node.Node().Name, status)
		} else {
			return fmt.Errorf("Filter: %w", status.AsError())
		}
	}
	reply.reject(statuses)
	if len(feasible) < 2 {
		return nil
	}
	if status := c.framework.RunPreScorePlugins(c.ctx, state, pod, feasible); !status.IsSuccess() {
		return fmt.Errorf("PreScore: %w", status.AsError())
	}
	scores, status := c.framework.RunScorePlugins(c.ctx, state, pod, feasible)
	if !status.IsSuccess() {
		return fmt.Errorf("Score: %w", status.AsError())
	}
	reply.Scores, reply.Totals = map[string]map[string]int64{}, map[string]int64{}
	for _, node := range scores {
		reply.Totals[node.Name] = node.TotalScore
		for _, score := range node.Scores {
			if reply.Scores[score.Name] == nil {
				reply.Scores[score.Name] = map[string]int64{}
			}
			reply.Scores[score.Name][node.Name] = score.Score
		}
	}
	return nil
}

func (a *answer) reject(statuses *framework.NodeToStatus) {
	a.Rejections = map[string]rejection{}
	statuses.ForEachExplicitNode(func(node string, status *fwk.Status) {
		a.Rejections[node] = rejection{status.Plugin(), status.Reasons(), status.Code() == fwk.Unschedulable}
	})
}

// preempt runs the default preemption as the scheduler does after a failure, and lists what it chose from.
func (c *cluster) preempt(pod *v1.Pod, state fwk.CycleState, fit *framework.FitError, reply *answer) error {
	nodes := c.snapshot.NodeInfos()
	potential, err := fit.Diagnosis.NodeToStatus.NodesForStatusCode(nodes, fwk.Unschedulable)
	if err != nil {
		return err
	}
	budgets, err := c.budgets()
	if err != nil {
		return err
	}
	expected := map[string]int{}
	onNominated := fit.Diagnosis.NodeToStatus.Get(pod.Status.NominatedNodeName)
	mayPreempt, _ := c.preempter.PodEligibleToPreemptOthers(c.ctx, pod, onNominated)
	if len(potential) > 0 && mayPreempt {
		found, _, err := c.preempter.Evaluator.DryRunPreemption(c.ctx, state, pod, potential, budgets, 0, int32(len(potential)))
		if err != nil {
			return err
		}
		reply.Candidates = map[string]candidate{}
		for _, one := range found {
			victims := one.Victims()
			names := []string{}
			for _, victim := range victims.Pods {
				names = append(names, string(victim.UID))
				if victim.DeletionTimestamp == nil {
					expected[one.Name()]++
				}
			}
			reply.Candidates[one.Name()] = candidate{names, victims.NumPDBViolations}
		}
		if len(found) > 0 && len(found) <= 8 {
			picks := sets.New[string]()
			for range 300 {
				picks.Insert(c.preempter.Evaluator.SelectCandidate(c.ctx, found).Name())
			}
			reply.Picks = sets.List(picks)
		}
	}
	result, status := c.preempter.PostFilter(c.ctx, state, pod, fit.Diagnosis.NodeToStatus)
	if status.Code() == fwk.Error {
		return status.AsError()
	}
	fit.Diagnosis.PostFilterMsg = status.Message()
	reply.Message = fit.Error()
	if result != nil && result.NominatingInfo != nil {
		reply.Nominated = result.NominatingInfo.NominatedNodeName
	}
	for range expected[reply.Nominated] {
		reply.Preempted = append(reply.Preempted, string(<-c.preempted))
	}
	return nil
}

func (c *cluster) budgets() ([]*policyv1.PodDisruptionBudget, error) {
	return c.informers.Policy().V1().PodDisruptionBudgets().Lister().List(labels.Everything())
}
