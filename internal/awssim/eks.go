package awssim

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// eksService is the row of EKS, of which managed node groups are there. A
// cluster is there as long as it has one.
func eksService() *service {
	const one = "clusterName nodegroupName"
	const path = "/clusters/{clusterName}/node-groups/{nodegroupName}"
	return &service{
		name: "eks", version: "2017-11-01", protocol: restJSON,
		words: map[string]string{
			"InvalidNextToken": "InvalidParameterException", "InvalidParameterCombination": "InvalidParameterException",
			"InvalidParameterValue": "InvalidParameterException", "MissingParameter": "InvalidParameterException",
			"UnknownParameter": "InvalidParameterException", "TagLimitExceeded": "BadRequestException", "InternalServerError": "ServerException",
		},
		actions: map[string]*action{
			"ListClusters":      does(read, "maxResults nextToken include.N", "", listEKSClusters).at("GET /clusters"),
			"ListNodegroups":    does(read, "clusterName maxResults nextToken", "clusterName", listNodegroups).at("GET /clusters/{clusterName}/node-groups"),
			"DescribeNodegroup": does(read, one, "nodegroupName", describeNodegroup).at("GET " + path),
			"UpdateNodegroupConfig": does(write, one+" scalingConfig.minSize scalingConfig.maxSize scalingConfig.desiredSize clientRequestToken",
				"nodegroupName", updateNodegroupConfig).at("POST " + path + "/update-config"),
			"DeleteNodegroup":     does(write, one, "nodegroupName", deleteNodegroup).at("DELETE " + path),
			"TagResource":         does(write, "resourceArn tags.N.key tags.N.value", "resourceArn", tagNodegroup).at("POST /tags/{resourceArn}"),
			"UntagResource":       does(write, "resourceArn tagKeys.N", "resourceArn", untagNodegroup).at("DELETE /tags/{resourceArn}"),
			"ListTagsForResource": does(read, "resourceArn", "resourceArn", listNodegroupTags).at("GET /tags/{resourceArn}"),
		},
	}
}

// Tags that EKS puts on the Auto Scaling group of a node group.
const (
	nodeGroupTag   = "eks:nodegroup-name"
	nodeClusterTag = "eks:cluster-name"
)

// nodeGroup is a managed node group of EKS. Its nodes are the members of an Auto
// Scaling group, which also knows its size.
type nodeGroup struct {
	cluster, name string
	id            string // the last part of its ARN
	created       int64
	modified      int64
	busy          int64  // until when an update runs
	gone          int64  // when its deletion is through; 0: it is not deleted
	token         string // client token of the last update
	tags          []Tag
	group         *scalingGroup
	// issue is the code with which its nodes fail to launch; degraded: they have,
	// which stays until some do launch, also when none is wanted any more.
	issue    string
	degraded bool
}

func (n *nodeGroup) key() string { return n.cluster + "/" + n.name }

func (n *nodeGroup) status(now int64) string {
	switch {
	case n.gone != 0:
		return "DELETING"
	case now < n.busy:
		return "UPDATING"
	case n.degraded:
		return "DEGRADED"
	}
	return "ACTIVE"
}

func (s *scope) nodeGroupARN(n *nodeGroup) string {
	return fmt.Sprintf("arn:%s:eks:%s:%s:nodegroup/%s/%s", s.region.partition, s.region.name, s.account.id, n.key(), n.id)
}

// nodeGroups gives the node groups in order of cluster and name, once those whose
// deletion is through are gone; the scope's lock is held.
func (s *scope) nodeGroups(now int64, keep func(*nodeGroup) bool) []*nodeGroup {
	var out []*nodeGroup
	for _, key := range slices.Sorted(maps.Keys(s.eks)) {
		n := s.eks[key]
		switch {
		case n.gone != 0 && n.gone <= now:
			delete(s.eks, key)
		case keep(n):
			out = append(out, n)
		}
	}
	return out
}

// ownsGroup reports whether an Auto Scaling group is one of a node group; the scope's lock is held.
func (s *scope) ownsGroup(g *scalingGroup) bool {
	for _, n := range s.eks {
		if n.group == g {
			return true
		}
	}
	return false
}

// inEKSCluster gives the node groups of the cluster that a request names.
func (k *call) inEKSCluster() ([]*nodeGroup, *Error) {
	name := k.p["clusterName"]
	found := k.scope.nodeGroups(k.ns(), func(n *nodeGroup) bool { return n.cluster == name })
	if len(found) == 0 {
		return nil, refuse("ResourceNotFoundException", "No cluster found for name: %s.", name)
	}
	return found, nil
}

// onNodegroup finds the node group that a request names.
func (k *call) onNodegroup() (*nodeGroup, *Error) {
	n := k.scope.eks[k.p["clusterName"]+"/"+k.p["nodegroupName"]]
	if n != nil && (n.gone == 0 || n.gone > k.ns()) {
		return n, nil
	}
	if _, e := k.inEKSCluster(); e != nil {
		return nil, e
	}
	return nil, refuse("ResourceNotFoundException", "No node group found for name: %s.", k.p["nodegroupName"])
}

// names answers with a page of names under the key.
func (k *call) names(w *xw, key string, all []string) *Error {
	from, to, next, e := k.cut("maxResults", "nextToken", len(all), 100, 100)
	if e != nil {
		return e
	}
	list := []string{}
	for _, name := range all[from:to] {
		if k.strikes(FaultMissing, name, "") != nil {
			continue
		}
		list = append(list, name)
		if k.strikes(FaultDuplicate, name, "") != nil {
			list = append(list, name)
		}
	}
	k.log.Items = len(list)
	answer := map[string]any{key: list}
	if next != "" {
		answer["nextToken"] = next
	}
	return answerJSON(w, answer)
}

func listEKSClusters(k *call, w *xw) *Error {
	k.scope.mu.Lock()
	defer k.scope.mu.Unlock()
	var names []string
	for _, n := range k.scope.nodeGroups(k.ns(), func(*nodeGroup) bool { return true }) {
		names = append(names, n.cluster)
	}
	return k.names(w, "clusters", slices.Compact(names))
}

func listNodegroups(k *call, w *xw) *Error {
	k.scope.mu.Lock()
	defer k.scope.mu.Unlock()
	list, e := k.inEKSCluster()
	if e != nil {
		return e
	}
	names := make([]string, len(list))
	for i, n := range list {
		names[i] = n.name
	}
	return k.names(w, "nodegroups", names)
}

// nodeScaling is the size of a node group as EKS writes it.
type nodeScaling struct {
	Min     int `json:"minSize"`
	Max     int `json:"maxSize"`
	Desired int `json:"desiredSize"`
}

type nodeIssue struct {
	Code      string   `json:"code"`
	Message   string   `json:"message"`
	Resources []string `json:"resourceIds"`
}

// describeNodeGroup shows a node group as of now; the scope's lock is held.
func (k *call) describeNodeGroup(n *nodeGroup) map[string]any {
	now, s, g := k.ns(), k.scope, n.group
	subnets := make([]string, len(g.zones))
	for i, zone := range g.zones {
		subnets[i] = s.net.places[zone].subnet
	}
	issues := []nodeIssue{}
	if n.degraded {
		issues = append(issues, nodeIssue{n.issue, "Could not launch On-Demand Instances: " + n.issue + ". Launching EC2 instance failed.", []string{g.name}})
	}
	ami := "AL2023_x86_64_STANDARD"
	if g.typ.arch == arm {
		ami = "AL2023_ARM_64_STANDARD"
	}
	return map[string]any{
		"nodegroupName": n.name, "nodegroupArn": s.nodeGroupARN(n), "clusterName": n.cluster, "status": n.status(now),
		"version": "1.33", "releaseVersion": "1.33.5-20260101", "capacityType": "ON_DEMAND", "amiType": ami, "diskSize": 20,
		"createdAt": epoch(n.created), "modifiedAt": epoch(n.modified),
		"scalingConfig": nodeScaling{g.min, g.max, g.desired},
		"instanceTypes": []string{g.typ.name}, "subnets": subnets, "labels": map[string]string{},
		"nodeRole":     fmt.Sprintf("arn:%s:iam::%s:role/eks-node", s.region.partition, s.account.id),
		"resources":    map[string]any{"autoScalingGroups": []map[string]string{{"name": g.name}}},
		"health":       map[string]any{"issues": issues},
		"updateConfig": map[string]int{"maxUnavailable": 1},
		"tags":         tagMap(n.tags),
	}
}

func describeNodegroup(k *call, w *xw) *Error {
	k.scope.mu.Lock()
	defer k.scope.mu.Unlock()
	n, e := k.onNodegroup()
	if e != nil {
		return e
	}
	k.log.Items = 1
	return answerJSON(w, map[string]any{"nodegroup": k.describeNodeGroup(n)})
}

func updateNodegroupConfig(k *call, w *xw) *Error {
	k.scope.mu.Lock()
	defer k.scope.mu.Unlock()
	n, e := k.onNodegroup()
	if e != nil {
		return e
	}
	now, g := k.ns(), n.group
	to := nodeScaling{g.min, g.max, g.desired}
	var params []map[string]string
	for _, one := range []struct {
		field, word string
		number      *int
		least       int
	}{{"minSize", "MinSize", &to.Min, 0}, {"maxSize", "MaxSize", &to.Max, 1}, {"desiredSize", "DesiredSize", &to.Desired, 0}} {
		if *one.number, e = k.p.number("scalingConfig."+one.field, *one.number, one.least, maxGroupSize); e != nil {
			return e
		}
		params = append(params, map[string]string{"type": one.word, "value": strconv.Itoa(*one.number)})
	}
	again := n.token != "" && n.token == k.p["clientRequestToken"]
	switch status := n.status(now); {
	case again: // what was asked for is under way
	case status != "ACTIVE" && status != "DEGRADED":
		return refuse("ResourceInUseException", "Nodegroup cannot be updated as it is currently not in Active State")
	case to.Min > to.Max:
		return refuse("InvalidParameterException", "minSize can't be greater than maxSize")
	case to.Min > to.Desired:
		return refuse("InvalidParameterException", "minSize can't be greater than desiredSize")
	case to.Desired > to.Max:
		return refuse("InvalidParameterException", "desiredSize can't be greater than maxSize")
	default:
		n.token, n.modified = k.p["clientRequestToken"], now
		n.busy = now + k.c.lasts("eks-updating", n.key(), now)
		k.scope.resize(n, to, now)
	}
	return answerJSON(w, map[string]any{"update": map[string]any{
		"id": requestID(k.c.seed, hash(k.c.seed, "update", n.id, n.modified)), "status": "InProgress", "type": "ConfigUpdate", "params": params,
		"createdAt": epoch(n.modified), "errors": []any{},
	}})
}

// resize gives the Auto Scaling group its new size; the scope's lock is held.
func (s *scope) resize(n *nodeGroup, to nodeScaling, now int64) {
	if to.Desired > n.group.desired {
		n.degraded = n.issue != ""
	}
	n.group.min, n.group.desired, n.group.max = to.Min, to.Desired, to.Max
	s.tend(now)
}

func deleteNodegroup(k *call, w *xw) *Error {
	k.scope.mu.Lock()
	defer k.scope.mu.Unlock()
	n, e := k.onNodegroup()
	if e != nil {
		return e
	}
	now := k.ns()
	switch status := n.status(now); status {
	case "DELETING":
	case "UPDATING":
		return refuse("ResourceInUseException", "Nodegroup cannot be deleted as it currently has an update in progress")
	default:
		n.gone = now + k.c.lasts("eks-deleting", n.key(), now)
		n.group.deleting = true
		for _, m := range n.group.members {
			k.c.terminate(k.scope, m, now)
		}
	}
	return answerJSON(w, map[string]any{"nodegroup": k.describeNodeGroup(n)})
}

// taggedNodegroup finds the node group that an ARN names; the scope's lock is held.
func (k *call) taggedNodegroup() (*nodeGroup, *Error) {
	arn := k.p["resourceArn"]
	if !strings.Contains(arn, ":nodegroup/") {
		return nil, refuse("BadRequestException", "Invalid resource: %s. The simulator tags node groups alone.", arn)
	}
	found := k.scope.nodeGroups(k.ns(), func(n *nodeGroup) bool { return k.scope.nodeGroupARN(n) == arn })
	if len(found) == 0 {
		return nil, refuse("NotFoundException", "No resource found for ARN: %s", arn)
	}
	return found[0], nil
}

func tagNodegroup(k *call, w *xw) *Error {
	var set []Tag
	for _, i := range k.p.indexes("tags") {
		t := Tag{k.p["tags."+i+".key"], k.p["tags."+i+".value"]}
		if e := checkTag(t); e != nil {
			return refuse("BadRequestException", "%s", e.Message)
		}
		if !ecsTagText(t.Key) || !ecsTagText(t.Value) {
			return refuse("BadRequestException", "Tag %s=%s has invalid characters: letters, spaces, numbers and + - = . _ : / @ are allowed", t.Key, t.Value)
		}
		set = append(set, t)
	}
	if len(set) == 0 {
		return refuse("BadRequestException", "Tags cannot be empty")
	}
	k.scope.mu.Lock()
	defer k.scope.mu.Unlock()
	n, e := k.taggedNodegroup()
	if e != nil {
		return e
	}
	if n.tags, e = mergeTags(n.tags, set); e != nil {
		return e
	}
	w.raw("{}")
	return nil
}

func untagNodegroup(k *call, w *xw) *Error {
	keys := k.p.list("tagKeys")
	if len(keys) == 0 {
		return refuse("BadRequestException", "Tag keys cannot be empty")
	}
	k.scope.mu.Lock()
	defer k.scope.mu.Unlock()
	n, e := k.taggedNodegroup()
	if e != nil {
		return e
	}
	n.tags = slices.DeleteFunc(slices.Clone(n.tags), func(t Tag) bool { return slices.Contains(keys, t.Key) })
	w.raw("{}")
	return nil
}

func listNodegroupTags(k *call, w *xw) *Error {
	k.scope.mu.Lock()
	defer k.scope.mu.Unlock()
	n, e := k.taggedNodegroup()
	if e != nil {
		return e
	}
	return answerJSON(w, map[string]any{"tags": tagMap(n.tags)})
}

// Forms of names in EKS.
var (
	eksClusterForm = regexp.MustCompile(`^[0-9A-Za-z][A-Za-z0-9_-]{0,99}$`)
	nodeGroupForm  = regexp.MustCompile(`^[0-9A-Za-z][A-Za-z0-9_-]{0,62}$`)
	nodeIssueForm  = regexp.MustCompile(`^[A-Z][A-Za-z0-9]{2,99}$`)
)

// nodeSizes are those of an entry: one node unless it says otherwise, none while
// it is stopped, when EKS still wants room for one.
func (r *Resource) nodeSizes() nodeScaling {
	lo, desired, hi := r.sizes()
	return nodeScaling{Min: lo, Desired: desired, Max: max(hi, 1)}
}

// checkNodeGroup refuses what is not a node group.
func (r *Resource) checkNodeGroup(bad func(field, format string, args ...any)) {
	if !eksClusterForm.MatchString(cmp.Or(r.Cluster, "default")) {
		bad("cluster", "%q is not a cluster: 1 to 100 letters, digits, hyphens and underscores", r.Cluster)
	}
	if name := r.numbered(r.Name, 1); !nodeGroupForm.MatchString(name) {
		bad("name", "%q is not a node group: 1 to 63 letters, digits, hyphens and underscores", r.Name)
	} else if r.Count > 1 && name == r.numbered(r.Name, 2) {
		bad("count", "%d node groups cannot have one name: put # into it", r.Count)
	}
	if instanceTypes[cmp.Or(r.Type, "t3.micro")] == nil {
		bad("type", "%q is not an instance type the simulator knows: m5.large, t3.micro, c6g.xlarge …", r.Type)
	}
	for key, value := range r.Tags {
		if !ecsTagText(key) || !ecsTagText(value) {
			bad("tags", "%s=%s: EKS takes letters, digits, blanks and _.:/=+-@ in tags", key, value)
		}
	}
	if r.State == "stopped" && r.Desired > 0 {
		bad("desired", "a stopped node group has no node: leave it out")
	}
	if size := r.nodeSizes(); size.Min < 0 || size.Max > maxGroupSize || size.Min > size.Desired || size.Desired > size.Max {
		bad("desired", "%d-%d-%d: min, desired and max must be in this order, from 0 to %d", size.Min, size.Desired, size.Max, maxGroupSize)
	}
	if r.StartError != "" && !nodeIssueForm.MatchString(r.StartError) {
		bad("start_error", "%q is not the code of a health issue, such as AsgInstanceLaunchFailures", r.StartError)
	}
}

// nodeGroupOf makes the nth copy of an entry, without its nodes.
func (c *Cloud) nodeGroupOf(s *scope, r *Resource, n int, tags []Tag, now int64) *nodeGroup {
	node := &nodeGroup{cluster: cmp.Or(r.Cluster, "default"), name: r.numbered(r.Name, n+1), created: c.launchedAt(r.Launched, now), tags: tags, issue: r.StartError}
	node.modified = node.created
	node.id = requestID(c.seed, hash(c.seed, "nodegroup", s.account.id, s.region.name, node.key()))
	size := r.nodeSizes()
	entry := Resource{Name: "eks-" + node.name + "-" + node.id, Type: r.Type, Zone: r.Zone, Launched: When{At: instant(node.created)}}
	node.group = c.scalingGroupOf(s, &entry, 0, nil, now)
	node.group.min, node.group.desired, node.group.max, node.group.barren = size.Min, size.Desired, size.Max, node.issue != ""
	for _, tag := range []Tag{
		{nodeClusterTag, node.cluster},
		{nodeGroupTag, node.name},
		{"k8s.io/cluster-autoscaler/" + node.cluster, "owned"},
		{"k8s.io/cluster-autoscaler/enabled", "true"},
		{"kubernetes.io/cluster/" + node.cluster, "owned"},
	} {
		node.group.tags = append(node.group.tags, groupTag{tag, true})
	}
	return node
}

// settleNodeGroup lists a node group with the nodes that it has had for long.
func (s *scope) settleNodeGroup(n *nodeGroup) {
	s.eks[n.key()] = n
	s.settleGroup(n.group)
}

func (s *scope) describeEKS(n *nodeGroup) Resource {
	g := n.group
	r := Resource{
		Account: s.account.id, Region: s.region.name, Kind: "eks", Cluster: n.cluster, Name: n.name, Type: g.typ.name, State: "running",
		Min: g.min, Desired: g.desired, Max: g.max, StartError: n.issue, Launched: When{At: instant(n.created)}, Tags: tagMap(n.tags),
	}
	if g.desired == 0 {
		r.State = "stopped"
	}
	if len(g.zones) == 1 {
		r.Zone = g.zones[0]
	}
	return r
}

// NodeGroup is the true state of a managed node group.
type NodeGroup struct {
	ID, ARN, Account, Region string // ID is cluster/name
	Status                   string // of EKS
	Min, Desired, Max        int
	Group                    string   // its Auto Scaling group
	Nodes                    []string // ids of its instances
	Tags                     map[string]string
}

// NodeGroups gives the managed node groups of an account and region in order of
// their ids; an empty account or region means all.
func (c *Cloud) NodeGroups(account, region string) []NodeGroup {
	var out []NodeGroup
	now := c.Now().UnixNano()
	for _, s := range c.allScopes() {
		if account != "" && account != s.account.id || region != "" && region != s.region.name {
			continue
		}
		s.mu.Lock()
		s.tend(now)
		for _, n := range s.nodeGroups(now, func(*nodeGroup) bool { return true }) {
			g := s.groupNow(n.group)
			out = append(out, NodeGroup{
				ID: n.key(), ARN: s.nodeGroupARN(n), Account: s.account.id, Region: s.region.name, Status: n.status(now),
				Min: g.Min, Desired: g.Desired, Max: g.Max, Group: g.Name, Nodes: g.Instances, Tags: tagMap(n.tags),
			})
		}
		s.mu.Unlock()
	}
	return out
}

// ScaleNodeGroup sets the size of a node group as a person at the console would,
// without the time that an update takes.
func (c *Cloud) ScaleNodeGroup(account, region, id string, lo, desired, hi int) error {
	if lo < 0 || hi < 1 || hi > maxGroupSize || lo > desired || desired > hi {
		return fmt.Errorf("scale node group %s to %d-%d-%d: min, desired and max must be in this order, from 0 to %d, and max at least 1", id, lo, desired, hi, maxGroupSize)
	}
	return c.onNodeGroup(account, region, id, func(s *scope, n *nodeGroup, now int64) error {
		s.resize(n, nodeScaling{lo, hi, desired}, now)
		return nil
	})
}

// AutoScaleNodeGroup sets the desired number of a node group within its bounds, as the
// Cluster Autoscaler does, and reports whether it changed.
func (c *Cloud) AutoScaleNodeGroup(account, region, id string, desired int) (changed bool, err error) {
	err = c.onNodeGroup(account, region, id, func(s *scope, n *nodeGroup, now int64) error {
		to := nodeScaling{n.group.min, n.group.max, min(max(desired, n.group.min), n.group.max)}
		changed = to.Desired != n.group.desired
		s.resize(n, to, now)
		return nil
	})
	return changed, err
}

// upgradeTime is how long a new version of the nodes is under way here.
const upgradeTime = int64(20 * time.Minute)

// UpgradeNodeGroup begins an update of the version of the nodes; for twenty
// minutes the node group is UPDATING.
func (c *Cloud) UpgradeNodeGroup(account, region, id string) error {
	return c.onNodeGroup(account, region, id, func(_ *scope, n *nodeGroup, now int64) error {
		n.busy, n.modified = now+upgradeTime, now
		return nil
	})
}

func (c *Cloud) onNodeGroup(account, region, id string, do func(*scope, *nodeGroup, int64) error) error {
	now := c.Now().UnixNano()
	c.mu.RLock()
	s := c.scopes[scopeKey{account, region}]
	c.mu.RUnlock()
	if s != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		if found := s.nodeGroups(now, func(n *nodeGroup) bool { return n.key() == id && n.gone == 0 }); len(found) > 0 {
			return do(s, found[0], now)
		}
	}
	return fmt.Errorf("node group %s: there is none in account %s, %s", id, account, region)
}
