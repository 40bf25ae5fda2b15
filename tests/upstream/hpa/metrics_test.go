package hpa

import (
	"context"
	"errors"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/kubernetes/pkg/controller/podautoscaler/metrics"
)

// reply is what a metrics API answers to one query: one of samples, value and values, or an error.
type reply struct {
	Samples     map[string]sample `json:"samples"`
	Value       int64             `json:"value"`
	Values      []int64           `json:"values"`
	TimestampNs int64             `json:"timestamp_ns"`
	Error       *string           `json:"error"`
}

// client is a MetricsClient that answers from a table; queries are named by type, metric and container.
type client struct {
	epoch   time.Time
	replies map[string]reply
}

var _ metrics.MetricsClient = &client{}

func (c *client) reply(key string) (reply, time.Time, error) {
	found, ok := c.replies[key]
	if !ok {
		return reply{}, time.Time{}, errors.New("nothing was said about " + key)
	}
	if found.Error != nil {
		return reply{}, time.Time{}, errors.New(*found.Error)
	}
	return found, c.epoch.Add(time.Duration(found.TimestampNs)), nil
}

func (c *client) GetResourceMetric(_ context.Context, resource v1.ResourceName, _ string, _ labels.Selector, container string) (metrics.PodMetricsInfo, time.Time, error) {
	found, timestamp, err := c.reply("resource/" + string(resource) + "/" + container)
	if err != nil {
		return nil, time.Time{}, err
	}
	return podMetrics(found.Samples, c.epoch), timestamp, nil
}

func (c *client) GetRawMetric(metricName string, _ string, _ labels.Selector, _ labels.Selector) (metrics.PodMetricsInfo, time.Time, error) {
	found, timestamp, err := c.reply("pods/" + metricName)
	if err != nil {
		return nil, time.Time{}, err
	}
	return podMetrics(found.Samples, c.epoch), timestamp, nil
}

func (c *client) GetObjectMetric(metricName string, _ string, reference *autoscalingv2.CrossVersionObjectReference, _ labels.Selector) (int64, time.Time, error) {
	found, timestamp, err := c.reply("object/" + metricName)
	return found.Value, timestamp, err
}

func (c *client) GetExternalMetric(metricName, _ string, _ labels.Selector) ([]int64, time.Time, error) {
	found, timestamp, err := c.reply("external/" + metricName)
	return found.Values, timestamp, err
}
