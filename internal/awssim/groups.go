package awssim

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// reservationPool is the type of the groups that reservations can be in.
const reservationPool = "AWS::EC2::CapacityReservationPool"

// ResourceGroup is a group of AWS Resource Groups.
type ResourceGroup struct {
	Account string `yaml:"account"`
	Region  string `yaml:"region"`
	Name    string `yaml:"name"`
	// Type is what it is configured for; default AWS::EC2::CapacityReservationPool.
	Type string `yaml:"type,omitempty"`
}

var groupNameForm = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,128}$`)

// mostGrouped is how many resources one call can name.
// https://docs.aws.amazon.com/ARG/latest/APIReference/API_GroupResources.html
const mostGrouped = 10

// groupsService is the row of Resource Groups: of it there is GroupResources
// alone. Which groups a reservation is in, EC2 tells.
func groupsService() *service {
	return &service{
		name: "resource-groups", protocol: restJSON,
		words: map[string]string{
			"InvalidParameterValue": "BadRequestException", "InvalidParameterCombination": "BadRequestException", "MissingParameter": "BadRequestException",
			"UnknownParameter": "BadRequestException", "InvalidAction": "UnknownOperationException", "AccessDenied": "ForbiddenException",
			"ExpiredToken": "ExpiredTokenException", "InvalidClientTokenId": "UnrecognizedClientException", "Throttling": "TooManyRequestsException",
		},
		actions: map[string]*action{
			"GroupResources": does(write, "Group ResourceArns.N", "ResourceArns", groupResources).at("POST /group-resources"),
		},
	}
}

func (f *ResourceGroup) check(bad func(field, format string, args ...any), parts map[string]string) {
	checkPlace(f.Account, f.Region, bad, parts)
	if !groupNameForm.MatchString(f.Name) {
		bad("name", "%q is not a name: 1 to 128 letters, digits and _.-", f.Name)
	}
}

func (s *scope) resourceGroupARN(name string) string {
	return fmt.Sprintf("arn:%s:resource-groups:%s:%s:group/%s", s.region.partition, s.region.name, s.account.id, name)
}

func groupResources(k *call, w *xw) *Error {
	name, arns := k.p["Group"], k.p.list("ResourceArns")
	switch {
	case name == "":
		return refuse("BadRequestException", "The group is required.")
	case len(arns) == 0 || len(arns) > mostGrouped:
		return refuse("BadRequestException", "%d resources: 1 to %d are possible.", len(arns), mostGrouped)
	}
	defer k.holdReservations()()
	s := k.scope
	name = strings.TrimPrefix(name, s.resourceGroupARN(""))
	g := s.pools[name]
	switch {
	case g == nil:
		return refuse("NotFoundException", "Cannot find group: %s", name)
	case g.Type != reservationPool:
		return refuse("BadRequestException", "Resources of the type AWS::EC2::CapacityReservation cannot be in a group of the type %s.", g.Type)
	}
	done, failed := []string{}, []doc{}
	for _, arn := range arns {
		id, ours := strings.CutPrefix(arn, fmt.Sprintf("arn:%s:ec2:%s:%s:capacity-reservation/", s.region.partition, s.region.name, s.account.id))
		r := s.c.ledger.find(s, id)
		if !ours || r == nil || r.ended() {
			failed = append(failed, doc{{"ResourceArn", arn}, {"ErrorCode", "NotFoundException"}, {"ErrorMessage", "The Capacity Reservation does not exist, or has ended."}})
			continue
		}
		if !slices.Contains(r.groups, name) {
			r.groups = append(r.groups, name)
		}
		done = append(done, arn)
	}
	return k.answerDoc(w, doc{{"Succeeded", done}, {"Failed", failed}, {"Pending", []string{}}})
}

func getGroupsForCapacityReservation(k *call, w *xw, r *odcr) *Error {
	from, to, next, e := k.window(len(r.groups), 1000, 1, 1000)
	if e != nil {
		return e
	}
	if e := k.dryRun(); e != nil {
		return e
	}
	w.open("capacityReservationGroupSet")
	for _, name := range r.groups[from:to] {
		w.open("item")
		w.el("groupArn", k.scope.resourceGroupARN(name))
		w.el("ownerId", k.scope.account.id)
		w.close("item")
	}
	w.close("capacityReservationGroupSet")
	w.some("nextToken", next)
	return nil
}

// addResourceGroup enters a group of a fleet; the scope's lock is held.
func (s *scope) addResourceGroup(g ResourceGroup) {
	g.Type = cmp.Or(g.Type, reservationPool)
	s.pools[g.Name] = &g
}
