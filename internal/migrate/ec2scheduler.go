package migrate

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"

	"dayshift/internal/fleet"
)

// The tiered EC2 scheduler keeps one WorkloadSpecification item for each
// workload and one TierSpecification item for each of its tiers.

// interTierDelay is what the old system waited behind a tier that says nothing, in seconds.
const interTierDelay = 5

// oldTier is one TierSpecification.
type oldTier struct {
	*item
	name string
}

func (im *importer) ec2Scheduler() error {
	specs, tiers := map[string]*item{}, map[string][]oldTier{}
	var order []string
	for i := range im.items {
		it := &im.items[i]
		name, err := it.needed("SpecName")
		if err != nil {
			return err
		}
		switch {
		case it.has("TierTagValue"):
			tag, err := it.needed("TierTagValue")
			if err != nil {
				return err
			}
			if slices.ContainsFunc(tiers[name], func(t oldTier) bool { return t.name == tag }) {
				return it.errorf("the workload %s has the tier %s twice; remove one of the two items", name, tag)
			}
			tiers[name] = append(tiers[name], oldTier{it, tag})
		case it.has("WorkloadFilterTagName"):
			if specs[name] != nil {
				return it.errorf("the workload %s is there twice, also at %s; remove one of the two items", name, specs[name].where())
			}
			specs[name] = it
			order = append(order, name)
		default:
			return it.errorf("the item of %s is neither a WorkloadSpecification (it has no WorkloadFilterTagName) nor a TierSpecification (it has no TierTagValue)", name)
		}
	}
	for name, orphans := range tiers {
		if specs[name] == nil {
			return orphans[0].errorf("the tier %s belongs to the workload %s, whose WorkloadSpecification is not among the documents; name its file as well", orphans[0].name, name)
		}
	}
	slices.Sort(order)
	for _, name := range order {
		if len(tiers[name]) == 0 {
			return specs[name].errorf("the workload %s has no tier among the documents; name the file of its TierSpecification items as well", name)
		}
		workload, err := im.tiered(name, specs[name], tiers[name])
		if err != nil {
			return err
		}
		im.sections.workloads = append(im.sections.workloads, yaml.MapItem{Key: name, Value: workload})
	}
	return nil
}

// texts reads several attributes at once.
func texts(it *item, names ...string) (map[string]string, error) {
	values := make(map[string]string, len(names))
	for _, name := range names {
		var err error
		if values[name], err = it.text(name); err != nil {
			return nil, err
		}
	}
	return values, nil
}

// tiered writes one workload.
func (im *importer) tiered(name string, spec *item, tiers []oldTier) (yaml.MapSlice, error) {
	old, err := texts(spec, "WorkloadFilterTagName", "WorkloadFilterTagValue", "WorkloadRegion", "TierFilterTagName", "VPC_ID",
		"SNSTopicName", "DisableAllSchedulingActions", "SSMS3BucketName", "SSMS3KeyPrefixName", "ScaleInstanceDelay")
	if err != nil {
		return nil, err
	}
	for _, must := range []string{"WorkloadFilterTagValue", "WorkloadRegion", "TierFilterTagName"} {
		if old[must] == "" {
			return nil, spec.errorf("%s is missing; the workload %s can not be told from others without it", must, name)
		}
	}
	region, err := fleet.ParseRegion(old["WorkloadRegion"])
	if err != nil {
		return nil, spec.errorf("WorkloadRegion: %v", err)
	}
	w := &fields{}
	w.put("filters", filter(
		"resource-type="+string(fleet.EC2Instance),
		fleet.FilterTerm("tag:"+old["WorkloadFilterTagName"], old["WorkloadFilterTagValue"]),
		vpc(old["VPC_ID"])))
	if im.Account != "" {
		w.put("accounts", []string{string(im.Account)})
	} else {
		im.note(spec, "every account of the configuration is looked at", "the documents name no account; say --account to keep the workload in one")
	}
	w.put("regions", []string{string(region)})
	if old["DisableAllSchedulingActions"] == "1" {
		w.put("enabled", false)
		im.note(spec, "DisableAllSchedulingActions is enabled: false", "it is the same kill switch: nothing is started or stopped by whomever")
	}
	if topic := old["SNSTopicName"]; topic != "" {
		im.topic(spec, w, region, topic)
	}
	if old["SSMS3BucketName"] != "" || old["SSMS3KeyPrefixName"] != "" {
		im.note(spec, "SSMS3BucketName and SSMS3KeyPrefixName are left out", "the result of a command is read from Systems Manager itself; the bucket can go")
	}
	if old["ScaleInstanceDelay"] != "" {
		im.note(spec, "ScaleInstanceDelay is left out", "an instance is started once AWS shows it with its new type, not after a constant")
	}
	im.note(spec, "nothing starts or stops it by itself", "when it ran stood in a crontab; give the workload a schedule, or a rule the action workload:%s:start", name)
	im.leftOut(spec)

	slices.SortFunc(tiers, func(a, b oldTier) int { return cmp.Compare(a.name, b.name) })
	var list yaml.MapSlice
	for _, tier := range tiers {
		written, err := im.tier(&tier, old["TierFilterTagName"])
		if err != nil {
			return nil, err
		}
		list = append(list, yaml.MapItem{Key: tier.name, Value: written})
	}
	w.put("tiers", list)
	return w.MapSlice, nil
}

func vpc(id string) string {
	if id == "" {
		return ""
	}
	return fleet.FilterTerm("vpc-id", id)
}

// topic names the SNS topic of a workload by its ARN.
func (im *importer) topic(spec *item, w *fields, region fleet.Region, name string) {
	if im.Account == "" {
		im.note(spec, "SNSTopicName "+name+" is left out", "a topic is named by its ARN, and the documents name no account; say --account, or write topic: into the workload")
		return
	}
	w.put("topic", fmt.Sprintf("arn:%s:sns:%s:%s:%s", region.Partition(), region, im.Account, name))
	im.note(spec, "SNSTopicName "+name+" is a topic in "+string(region),
		"the old system made it in the region of its DynamoDB tables, which the documents do not say; mend the ARN where that is another one")
}

// tier writes one tier.
func (im *importer) tier(tier *oldTier, tag string) (yaml.MapSlice, error) {
	t := &fields{}
	t.put("filters", fleet.FilterTerm("tag:"+tag, tier.name))
	scaling, err := tier.part("TierScaling")
	if err != nil {
		return nil, err
	}
	if scaling != nil {
		profiles := yaml.MapSlice{}
		for _, profile := range scaling.unread() {
			instanceType, err := scaling.needed(profile)
			if err != nil {
				return nil, err
			}
			profiles = append(profiles, yaml.MapItem{Key: profile, Value: instanceType})
		}
		if len(profiles) > 0 {
			t.put("profiles", profiles)
		}
	}
	start, err := im.direction(tier, "TierStart")
	if err != nil {
		return nil, err
	}
	stop, err := im.direction(tier, "TierStop")
	if err != nil {
		return nil, err
	}
	t.put("start", start.MapSlice)
	t.put("stop", stop.MapSlice)
	if stop.file != "" {
		veto := &fields{}
		veto.put("type", "file")
		veto.put("path", stop.file)
		if stop.windows {
			veto.put("windows", true)
		}
		t.put("vetoes", []yaml.MapSlice{veto.MapSlice})
	}
	im.leftOut(tier.item)
	return t.MapSlice, nil
}

// oldDirection is a TierStart or TierStop.
type oldDirection struct {
	fields
	file    string
	windows bool
}

func (im *importer) direction(tier *oldTier, name string) (oldDirection, error) {
	var d oldDirection
	part, err := tier.part(name)
	if err != nil {
		return d, err
	}
	if part == nil {
		return d, tier.errorf("the tier %s has no %s, so its place in that order is not known; add one with a TierSequence", tier.name, name)
	}
	old, err := texts(part, "TierSequence", "TierSynchronization", "InterTierOrchestrationDelay", "TierStopOverrideFilename", "TierStopOverrideOperatingSystem")
	if err != nil {
		return d, err
	}
	sequence, err := strconv.Atoi(old["TierSequence"])
	if err != nil || sequence < 0 {
		return d, tier.errorf("%s of the tier %s has the TierSequence %q; expected a whole number from 0 up", name, tier.name, old["TierSequence"])
	}
	d.put("sequence", sequence)
	delay := interTierDelay
	if text := old["InterTierOrchestrationDelay"]; text != "" {
		if delay, err = strconv.Atoi(text); err != nil || delay < 0 {
			return d, tier.errorf("%s of the tier %s has the InterTierOrchestrationDelay %q; expected a number of seconds", name, tier.name, text)
		}
	}
	add(&d.fields, "delay", seconds(delay))
	switch old["TierSynchronization"] {
	case "True":
		d.put("synchronous", true)
		if name == "TierStart" {
			im.note(tier.item, "TierStart is synchronous now", "the old system never started a tier member by member, whatever TierSynchronization said")
		}
	case "", "False":
	default:
		return d, tier.errorf("%s of the tier %s has the TierSynchronization %q; allowed are True and False", name, tier.name, old["TierSynchronization"])
	}
	if d.file = old["TierStopOverrideFilename"]; d.file != "" {
		if d.windows, err = im.guest(tier, d.file, old["TierStopOverrideOperatingSystem"]); err != nil {
			return d, err
		}
	}
	for _, unknown := range part.unread() {
		im.note(tier.item, name+"."+unknown+" is left out", "it is none of the attributes that its documents name")
	}
	return d, nil
}

// guest says whether the file that keeps an instance from being stopped is one of Windows.
func (im *importer) guest(tier *oldTier, file, system string) (windows bool, err error) {
	switch {
	case strings.EqualFold(system, "Windows"):
		return true, nil
	case strings.EqualFold(system, "Linux"):
		return false, nil
	case system != "":
		return false, tier.errorf("TierStopOverrideOperatingSystem is %q; allowed are Linux and Windows", system)
	}
	windows = strings.Contains(file, `\`)
	guess := "Linux"
	if windows {
		guess = "Windows"
	}
	im.note(tier.item, "the file "+file+" is looked for in "+guess, "no operating system is named; the old system stopped such instances without looking")
	return windows, nil
}
