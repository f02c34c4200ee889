package rabbitmq

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
)

// Cluster is several private nodes that form one RabbitMQ cluster.
type Cluster struct {
	Nodes []*Node
}

// StartCluster boots a cluster of size nodes, each with cfg. It returns when all nodes
// accept connections and are members.
func StartCluster(ctx context.Context, size int, cfg Config) (_ *Cluster, err error) {
	if size < 1 {
		return nil, fmt.Errorf("rabbitmq: a cluster of %d nodes", size)
	}
	first, err := Start(ctx, cfg)
	if err != nil {
		return nil, err
	}
	c := &Cluster{Nodes: make([]*Node, size)}
	c.Nodes[0] = first
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Stop())
		}
	}()
	// The other nodes start at the same time, and join the first.
	errs := make([]error, size)
	var wg sync.WaitGroup
	for i := 1; i < size; i++ {
		wg.Go(func() { c.Nodes[i], errs[i] = startNode(ctx, first.install, cfg, first, nil) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("rabbitmq: start a cluster of %d: %w", size, err)
	}
	if err := c.checkMembers(ctx); err != nil {
		return nil, err
	}
	return c, nil
}

// checkMembers checks that all nodes are in one cluster. Nodes that have not joined
// would accept connections as well.
func (c *Cluster) checkMembers(ctx context.Context) error {
	out, err := c.Nodes[0].Ctl(ctx, "cluster_status", "--formatter", "json")
	if err != nil {
		return err
	}
	var status struct {
		Running []string `json:"running_nodes"`
	}
	if err := json.Unmarshal([]byte(out), &status); err != nil {
		return fmt.Errorf("rabbitmq: cluster_status: %w", err)
	}
	if len(status.Running) != len(c.Nodes) {
		return fmt.Errorf("rabbitmq: of %d nodes only %q are in the cluster", len(c.Nodes), status.Running)
	}
	return nil
}

// URLs returns the URLs of the nodes in their order.
func (c *Cluster) URLs() []string {
	urls := make([]string, len(c.Nodes))
	for i, n := range c.Nodes {
		urls[i] = n.URL()
	}
	return urls
}

// Stop ends every node and deletes its data.
func (c *Cluster) Stop() error {
	var errs []error
	for _, n := range c.Nodes {
		errs = append(errs, n.Stop())
	}
	return errors.Join(errs...)
}
